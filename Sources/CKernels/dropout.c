// Dropout (Srivastava et al. 2014), scaled while training as in Keras. Whether an element stays is a pure function of
// (key, epoch, sample, layer, position): Philox 4×32-7 (Salmon et al. 2011; seven rounds pass BigCrush) on the counter
// (position / 8, layer, epoch, sample), 16 bits of its 128 for each of eight elements. So nothing is stored for the
// backward pass, and any cut into tasks gives the same mask.
#include "pairs.h"

#define BLOCKS 64  // Philox blocks at a time: 1 KB of bits, which never leaves L1

typedef uint16_t sixteen __attribute__((may_alias));

/// Elements whose 16 bits lie below this are dropped: `rate` to the nearest 1/65536.
static int32_t threshold(float rate) { return (int32_t)(rate * 65536 + 0.5f); }

#define CK_TEMPLATE "dropout.inc.h"
#include "each_isa.h"

static void dropout_reference(const float *x, float *y, int64_t first, int64_t count, float rate, uint64_t key, uint32_t epoch,
                              uint32_t sample, uint32_t layer, int accumulate) {
  for (int64_t i = 0; i < count; i++) {
    const int64_t position = first + i;
    uint32_t c[4] = {(uint32_t)(position / 8), layer, epoch, sample}, k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    for (int round = 0; round < 7; round++) {
      const uint64_t p0 = c[0] * 0xD2511F53ull, p1 = c[2] * 0xCD9E8D57ull;
      const uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k[1], (uint32_t)p0};
      memcpy(c, next, sizeof c);
      k[0] += 0x9E3779B9u;
      k[1] += 0xBB67AE85u;
    }
    const int lane = (int)(position % 8);
    const int32_t bits = (int32_t)(c[lane / 2] >> 16 * (lane % 2) & 0xFFFF);
    const float kept = x[i] * (bits >= threshold(rate) ? 1 / (1 - rate) : 0);
    y[i] = accumulate ? y[i] + kept : kept;
  }
}

static void dropout_pairs_reference(float *words, int64_t first, int64_t second, int64_t count, float rate, uint64_t key, uint32_t epoch,
                                    uint32_t sample, uint32_t layer) {
  for (int64_t i = 0; i < count; i++) {
    float v[2] = {ck_lower(words[i]), ck_upper(words[i])};
    dropout_reference(v, v, first + i, 1, rate, key, epoch, sample, layer, 0);
    dropout_reference(v + 1, v + 1, second + i, 1, rate, key, epoch, sample, layer, 0);
    words[i] = ck_paired(v[0], v[1]);
  }
}

static void dropout_backward_reference(float *dy, int64_t count, float rate) {
  for (int64_t i = 0; i < count; i++) dy[i] *= 1 / (1 - rate);
}

static void dropout_backward_pairs_reference(float *words, int64_t count, float rate) {
  for (int64_t i = 0; i < count; i++) words[i] = ck_paired(ck_lower(words[i]) * (1 / (1 - rate)), ck_upper(words[i]) * (1 / (1 - rate)));
}

void ck_dropout(const float *x, float *y, int64_t first, int64_t count, float rate, uint64_t key, uint32_t epoch,
                uint32_t sample, uint32_t layer, int accumulate) {
  CK_PICK(dropout)(x, y, first, count, rate, key, epoch, sample, layer, accumulate);
}

void ck_dropout_pairs(float *words, int64_t first, int64_t second, int64_t count, float rate, uint64_t key, uint32_t epoch, uint32_t sample,
                      uint32_t layer) {
  CK_PICK(dropout_pairs)(words, first, second, count, rate, key, epoch, sample, layer);
}

void ck_dropout_backward(float *dy, int64_t count, float rate) { CK_PICK(dropout_backward)(dy, count, rate); }

void ck_dropout_backward_pairs(float *words, int64_t count, float rate) { CK_PICK(dropout_backward_pairs)(words, count, rate); }
