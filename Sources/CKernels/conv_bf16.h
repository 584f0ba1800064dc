// bfloat16: the upper half of a float32. Two make a word, which stands in packed cells and packed weights as if it were a float.
#pragma once
#include <stdint.h>
#include <string.h>

/// Rounded to the nearest, ties to even, in the upper half; not a number stays so.
static inline uint32_t ck_bf16_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  bits = (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
  return bits & 0xffff0000;
}

static inline float ck_bf16_rounded(float value) {
  const uint32_t bits = ck_bf16_bits(value);
  memcpy(&value, &bits, sizeof bits);
  return value;
}

/// A word: `low` in its lower half.
static inline void ck_bf16_set_word(float *to, float low, float high) {
  const uint32_t word = ck_bf16_bits(low) >> 16 | ck_bf16_bits(high);
  memcpy(to, &word, sizeof word);
}
