// Lists of taps (see conv_plan.h).
#include "conv_plan.h"

static int floor_divide(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

/// Adds kernel position `u` to the tap of output phase `p` that reads (phase, offset); makes the tap if it is new.
static void add(ck_axis *axis, int p, int phase, int offset, int u) {
  int first = axis->count[0] + axis->count[1] == 0;
  if (first || offset < axis->low) axis->low = offset;
  if (first || offset > axis->high) axis->high = offset;
  for (int t = 0; t < axis->count[p]; t++) {
    ck_tap *tap = &axis->taps[p][t];
    if (tap->phase == phase && tap->offset == offset) {
      tap->positions |= 1u << u;
      return;
    }
  }
  axis->taps[p][axis->count[p]++] = (ck_tap){phase, offset, 1u << u};
}

/// out[a] = Σ in[s·a + u − pad].
static ck_axis strided(int kernel, int stride, int pad) {
  ck_axis axis = {.in_phases = stride, .out_phases = 1};
  for (int u = 0; u < kernel; u++) {
    int offset = floor_divide(u - pad, stride);
    add(&axis, 0, u - pad - stride * offset, offset, u);
  }
  return axis;
}

/// out[s·a + u − pad] += in[a], seen from the output.
static ck_axis scattered(int kernel, int stride, int pad) {
  ck_axis axis = {.in_phases = 1, .out_phases = stride};
  for (int p = 0; p < stride; p++)
    for (int u = 0; u < kernel; u++) {
      int offset = floor_divide(p + pad - u, stride);
      if (offset * stride == p + pad - u) add(&axis, p, 0, offset, u);
    }
  return axis;
}

/// out[a] = Σ in[⌊(a + u − pad) / 2⌋], and back.
static ck_axis nearest(int kernel, int pad, int back) {
  ck_axis axis = {.in_phases = back ? 2 : 1, .out_phases = back ? 1 : 2};
  for (int p = 0; p < 2; p++)
    for (int u = 0; u < kernel; u++) {
      int offset = floor_divide(p + u - pad, 2);
      if (back) add(&axis, 0, p, -offset, u);
      else add(&axis, p, 0, offset, u);
    }
  return axis;
}

ck_axis ck_axis_forward(const ck_conv *c, int pad) {
  if (c->kind == CK_CONV_NEAREST2) return nearest(c->kernel, pad, 0);
  return c->kind == CK_CONV_TRANSPOSED ? scattered(c->kernel, c->stride, pad) : strided(c->kernel, c->stride, pad);
}

ck_axis ck_axis_backward(const ck_conv *c, int pad) {
  if (c->kind == CK_CONV_NEAREST2) return nearest(c->kernel, pad, 1);
  return c->kind == CK_CONV_TRANSPOSED ? strided(c->kernel, c->stride, pad) : scattered(c->kernel, c->stride, pad);
}

ck_taps ck_taps_make(ck_axis y, ck_axis x) {
  ck_taps t = {.y = y, .x = x, .phases = y.out_phases * x.out_phases};
  t.total = (y.count[0] + y.count[1]) * (x.count[0] + x.count[1]);
  return t;
}

void ck_taps_offsets(const ck_taps *t, int p, int q, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t *offsets) {
  for (int i = 0; i < t->y.count[p]; i++)
    for (int j = 0; j < t->x.count[q]; j++) {
      ck_tap y = t->y.taps[p][i], x = t->x.taps[q][j];
      *offsets++ = (y.phase * t->x.in_phases + x.phase) * plane + (y.offset - t->y.low) * row + (x.offset - t->x.low);
    }
}

size_t ck_kernel_plane(const ck_conv *c, int o, int i) {
  size_t pair = c->kind == CK_CONV_TRANSPOSED ? (size_t)i * c->out_channels + o : (size_t)o * c->in_channels + i;
  return pair * c->kernel * c->kernel;
}
