// Vectors for the templates of each_isa.h, in clang's vector extensions: VEC, its loads and stores, and the moves between
// lanes that they need. Everything follows CK_SUFFIX and CK_LANES of the template that uses it.
#pragma once
#include <stdint.h>

#define CK_VECTORS(suffix, lanes)                                            \
  typedef float vec_##suffix __attribute__((vector_size(4 * lanes)));        \
  typedef float loose_##suffix __attribute__((vector_size(4 * lanes), aligned(4))); \
  typedef int32_t bits_##suffix __attribute__((vector_size(4 * lanes)));
CK_VECTORS(baseline, 4)
CK_VECTORS(avx2, 8)
CK_VECTORS(avx512, 16)

#define VEC CK_NAME(vec)
#define BITS CK_NAME(bits)
#define LOAD(p) (*(const VEC *)(p))                 // p is aligned to the vector
#define STORE(p, v) (*(VEC *)(p) = (v))
#define LOAD_LOOSE(p) (*(const CK_NAME(loose) *)(p))
#define STORE_LOOSE(p, v) (*(CK_NAME(loose) *)(p) = (v))

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

// Of two vectors laid end to end: every second value, from the first or from the second on; the two by turns, lower and
// upper half; the vector that begins one lane after a, or ends one lane before the end of b.
#define EVEN CK_JOIN(EVEN, CK_LANES)
#define ODD CK_JOIN(ODD, CK_LANES)
#define ZIP_LOW CK_JOIN(ZIP_LOW, CK_LANES)
#define ZIP_HIGH CK_JOIN(ZIP_HIGH, CK_LANES)
#define AFTER CK_JOIN(AFTER, CK_LANES)
#define BEFORE CK_JOIN(BEFORE, CK_LANES)
#define EVEN_16(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD_16(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define ZIP_LOW_16(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH_16(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define AFTER_16(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
#define BEFORE_16(a, b) __builtin_shufflevector(a, b, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30)

#define EVEN_8(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD_8(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define ZIP_LOW_8(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH_8(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define AFTER_8(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8)
#define BEFORE_8(a, b) __builtin_shufflevector(a, b, 7, 8, 9, 10, 11, 12, 13, 14)

#define EVEN_4(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD_4(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define ZIP_LOW_4(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define AFTER_4(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4)
#define BEFORE_4(a, b) __builtin_shufflevector(a, b, 3, 4, 5, 6)
