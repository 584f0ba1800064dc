// Vectors of an instruction set, and how planes are packed with them (part of conv_kernels.inc.h and conv_amx.inc.h, which say
// LANES, the floats of a vector, and DEPTH, the values of a packed cell).
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int mask_vec __attribute__((vector_size(4 * LANES)));

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec v) { *(vec_unaligned *)p = v; }
// Not a number stays so: a diverged training must show.
INLINE vec positive(vec v) { return (vec)((mask_vec)v & ~(v < 0)); }
INLINE vec where_positive(vec v, vec m) { return (vec)((mask_vec)v & (m > 0)); }

#if LANES == 16
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define PAIRS_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29)
#define PAIRS_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31)
#define FOURS_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define FOURS_HIGH(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
#define EIGHTS_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define EIGHTS_HIGH(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#elif LANES == 8
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define PAIRS_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13)
#define PAIRS_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15)
#define FOURS_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define FOURS_HIGH(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#else
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define PAIRS_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define PAIRS_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif

// ---- Packing

/// The source's columns begin ..< end that a packed row from column `first_column` on holds; zeros before and after.
typedef struct {
  int begin, end;
} span;

/// Finds the span of a source of `count` columns and clears the row around it, rounded to vectors: some of what is
/// written here is overwritten by the columns.
INLINE span clear_around(float *to, ptrdiff_t row, int first_column, int count) {
  int last = first_column + (int)row;
  span s = {first_column > 0 ? first_column : 0, count < last ? count : last};
  if (s.end <= s.begin) {
    s.end = s.begin;
    for (ptrdiff_t i = 0; i < row; i += LANES) store(to + i, (vec){0});
    return s;
  }
  for (ptrdiff_t i = 0; i < s.begin - first_column; i += LANES) store(to + i, (vec){0});
  for (ptrdiff_t i = row - LANES; i + LANES > s.end - first_column; i -= LANES) store(to + i, (vec){0});
  return s;
}

// Packing waits for memory unless it asks ahead; 8 KiB measured best (0, 1, 4 and 8 tried: 152, 173, 187, 196 GFLOP/s of
// a whole 16-channel pass).
INLINE void ahead(const float *p) { __builtin_prefetch(p + 2048); }

/// A vector of the source at column j, where it is positive in the mask.
INLINE vec masked(const float *from, const float *mask, ptrdiff_t j) {
  vec v = load(from + j);
  ahead(from + j);
  if (!mask) return v;
  ahead(mask + j);
  return where_positive(v, load(mask + j));
}

INLINE float masked_one(const float *from, const float *mask, ptrdiff_t j) { return !mask || mask[j] > 0 ? from[j] : 0; }

#if DEPTH == 2
#include "conv_bf16.inc.h"
#else
INLINE vec cells(const ck_source *s, ptrdiff_t j) { return masked(s->from[0], s->mask[0], j); }
INLINE void set_cell(float *to, const ck_source *s, ptrdiff_t j) { *to = masked_one(s->from[0], s->mask[0], j); }
INLINE vec broadcast(const float *p) { return (vec){0} + *p; }
INLINE vec multiply_add(vec sum, vec a, vec b) { return sum + a * b; }
INLINE vec values_of(vec cells) { return cells; }
#endif

/// The source `offset` floats further on.
INLINE ck_source advanced(ck_source s, ptrdiff_t offset) {
  for (int i = 0; i < DEPTH; i++) {
    if (s.from[i]) s.from[i] += offset;
    if (s.mask[i]) s.mask[i] += offset;
  }
  return s;
}

INLINE void place_row(float *to, ptrdiff_t row, int first_column, const ck_source *from, int width) {
  span s = clear_around(to, row, first_column, width);
  float *at = to - first_column;       // where column 0 stands
  if (s.end - s.begin < LANES) {
    for (int j = s.begin; j < s.end; j++) set_cell(at + j, from, j);
    return;
  }
  for (int j = s.begin; j + LANES <= s.end; j += LANES) store(at + j, cells(from, j));
  // The rest lies in a last vector, which may write some columns twice.
  store(at + s.end - LANES, cells(from, s.end - LANES));
}

/// Even columns to `to`, odd ones to `to + plane`.
INLINE void split_row(float *to, ptrdiff_t plane, ptrdiff_t row, int first_column, const ck_source *from, int width) {
  span s = clear_around(to, row, first_column, (width + 1) / 2);
  clear_around(to + plane, row, first_column, (width + 1) / 2);
  float *at = to - first_column;
  int j = s.begin;
  for (; 2 * (j + LANES) <= width && j + LANES <= s.end; j += LANES) {
    vec a = cells(from, 2 * j), b = cells(from, 2 * j + LANES);
    store(at + j, EVEN(a, b));
    store(at + plane + j, ODD(a, b));
  }
  for (; j < s.end; j++) {
    set_cell(at + j, from, 2 * j);
    if (2 * j + 1 < width) set_cell(at + plane + j, from, 2 * j + 1);
    else at[plane + j] = 0;
  }
}

// ---- What leaves a tile

/// `count` values of v to p; `p` may have no room for more.
INLINE void store_some(float *p, vec v, int count, int accumulate) {
  if (count >= LANES) {
    store(p, accumulate ? v + load(p) : v);
    return;
  }
  for (int i = 0; i < count; i++) p[i] = accumulate ? p[i] + v[i] : v[i];
}
