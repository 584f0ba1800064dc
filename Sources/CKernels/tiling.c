// Cuts of passes over tiles (see tiling.h).
#include "tiling.h"

static ck_tiling tiling(const ck_conv *c, int back, int side, int tiles) {
  ck_tiling t = {.height = c->in_height, .width = c->in_width, .chunks = 1};
  t.in_channels = back ? c->out_channels : c->in_channels;
  t.out_channels = back ? c->in_channels : c->out_channels;
  t.across = t.width / side;
  t.rows = c->images * (t.height / side);
  t.task_rows = ck_min(t.rows, ck_max(1, tiles / t.across));
  t.tiles = (int)ck_round_up((ptrdiff_t)t.task_rows * t.across, 16);
  return t;
}

// Few tiles: the output channels are shared out as well, at the price of transforming the input once a group, so that
// there are 8 tasks where groups of `least` blocks of channels allow it.
static void share_out(ck_tiling *t, int least) {
  const int blocks = ck_divide_up(t->out_channels, CK_BLOCK), wanted = ck_divide_up(8, ck_tiling_cuts(t));
  t->group_channels = ck_divide_up(blocks, ck_min(wanted, ck_max(1, blocks / least))) * CK_BLOCK;
  t->groups = ck_divide_up(t->out_channels, t->group_channels);
}

ck_tiling ck_tiling_data(const ck_conv *c, int back, int side, int tiles) {
  ck_tiling t = tiling(c, back, side, tiles);
  share_out(&t, 2);
  return t;
}

ck_tiling ck_tiling_weights(const ck_conv *c, int side, int tiles, int cuts) {
  ck_tiling t = tiling(c, 0, side, tiles);
  t.chunks = ck_divide_up(ck_divide_up(t.rows, t.task_rows), cuts);
  share_out(&t, 4);
  return t;
}
