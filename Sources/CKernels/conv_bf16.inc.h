// Packed cells of two bfloat16 (part of conv_kernels.inc.h): what their source is, how they are multiplied. A word's sum of two
// products is one instruction where the set has it (NATIVE_BF16); elsewhere two multiply–adds of the halves, spread to float32.
#include "conv_bf16.h"

typedef unsigned bits_vec __attribute__((vector_size(4 * LANES)));

INLINE vec low_half(vec words) { return (vec)((bits_vec)words << 16); }
INLINE vec high_half(vec words) { return (vec)((bits_vec)words & 0xffff0000); }

#if NATIVE_BF16
#include <immintrin.h>

INLINE vec words(vec low, vec high) {
  static const short alternating[32] __attribute__((aligned(64))) = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                                     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  return (vec)_mm512_permutexvar_epi16(*(const __m512i *)alternating, halves);
}

INLINE vec multiply_add(vec sum, vec a, vec b) { return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }
#else
INLINE bits_vec rounded(vec v) {
  const bits_vec bits = (bits_vec)v, quiet = bits | 0x400000, nearest = bits + 0x7fff + (bits >> 16 & 1);
  const bits_vec is_nan = (bits_vec)(v != v);
  return ((is_nan & quiet) | (~is_nan & nearest)) & 0xffff0000;
}

INLINE vec words(vec low, vec high) { return (vec)(rounded(low) >> 16 | rounded(high)); }

INLINE vec multiply_add(vec sum, vec a, vec b) {
  sum += low_half(a) * low_half(b);
  return sum + high_half(a) * high_half(b);
}
#endif

INLINE vec broadcast(const float *word) {
  int bits;
  memcpy(&bits, word, sizeof bits);
  return (vec)((mask_vec){0} + bits);
}

/// Both values of every cell, added up.
INLINE vec values_of(vec cells) { return low_half(cells) + high_half(cells); }

INLINE vec cells(const ck_source *s, ptrdiff_t j) {
  return words(masked(s->from[0], s->mask[0], j), s->from[1] ? masked(s->from[1], s->mask[1], j) : (vec){0});
}

INLINE void set_cell(float *to, const ck_source *s, ptrdiff_t j) {
  ck_bf16_set_word(to, masked_one(s->from[0], s->mask[0], j), s->from[1] ? masked_one(s->from[1], s->mask[1], j) : 0);
}
