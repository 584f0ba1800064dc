// Words of two channels, rounded to bfloat16, in loops over elements.
#pragma once
#include "CKernels.h"
#include "conv_bf16.h"

#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE uint32_t ck_bits_of(float word) {
  uint32_t bits;
  memcpy(&bits, &word, sizeof bits);
  return bits;
}

CK_INLINE float ck_word_of(uint32_t bits) {
  float word;
  memcpy(&word, &bits, sizeof word);
  return word;
}

CK_INLINE float ck_lower(float word) { return ck_word_of(ck_bits_of(word) << 16); }
CK_INLINE float ck_upper(float word) { return ck_word_of(ck_bits_of(word) & 0xffff0000); }

CK_INLINE float ck_value(float word, ck_part part) { return part == CK_WORDS ? word : part == CK_LOWER ? ck_lower(word) : ck_upper(word); }

/// Both rounded to the nearest, ties to even.
CK_INLINE float ck_paired(float low, float high) { return ck_word_of(ck_bf16_bits(low) >> 16 | ck_bf16_bits(high)); }
