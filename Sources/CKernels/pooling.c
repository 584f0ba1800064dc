// Maximum pooling by two and nearest-neighbour enlarging by two: plain loops as yardstick, templates for the rest.
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t bits_of(float word) {
  uint32_t bits;
  memcpy(&bits, &word, sizeof bits);
  return bits;
}

INLINE float word_of(uint32_t bits) {
  float word;
  memcpy(&word, &bits, sizeof word);
  return word;
}

INLINE float largest(float a, float b, float c, float d) {
  const float ab = a > b ? a : b, cd = c > d ? c : d;
  return ab > cd ? ab : cd;
}

/// Of the lower halves, and of the upper ones.
INLINE float largest_pair(float a, float b, float c, float d) {
  const uint32_t upper = 0xffff0000, i = bits_of(a), j = bits_of(b), k = bits_of(c), l = bits_of(d);
  const float low = largest(word_of(i << 16), word_of(j << 16), word_of(k << 16), word_of(l << 16));
  const float high = largest(word_of(i & upper), word_of(j & upper), word_of(k & upper), word_of(l & upper));
  return word_of(bits_of(high) | bits_of(low) >> 16);
}

#define CK_TEMPLATE "pooling.inc.h"
#include "each_isa.h"

static void maxpool2_forward_reference(const float *x, float *y, int64_t planes, int height, int width) {
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < height / 2; i++)
      for (int j = 0; j < width / 2; j++) {
        const float *block = x + (p * height + 2 * i) * width + 2 * j;
        float best = block[0];
        for (int k = 1; k < 4; k++) {
          float candidate = block[k / 2 * width + k % 2];
          if (candidate > best) best = candidate;
        }
        *y++ = best;
      }
}

static void maxpool2_pairs_reference(const float *x, float *y, int64_t planes, int height, int width) {
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < height / 2; i++)
      for (int j = 0; j < width / 2; j++) {
        const float *block = x + (p * height + 2 * i) * width + 2 * j;
        *y++ = largest_pair(block[0], block[1], block[width], block[width + 1]);
      }
}

static void maxpool2_backward_reference(const float *x, const float *dy, float *dx, int64_t planes, int height, int width,
                                        int accumulate) {
  if (!accumulate) memset(dx, 0, sizeof(float) * planes * height * width);
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < height / 2; i++)
      for (int j = 0; j < width / 2; j++) {
        const int64_t corner = (p * height + 2 * i) * width + 2 * j;
        int64_t best = corner;
        for (int k = 1; k < 4; k++) {
          int64_t candidate = corner + k / 2 * width + k % 2;
          if (x[candidate] > x[best]) best = candidate;
        }
        dx[best] += *dy++;
      }
}

static void nearest2_forward_reference(const float *x, float *y, int64_t planes, int height, int width) {
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < 2 * height; i++)
      for (int j = 0; j < 2 * width; j++) *y++ = x[(p * height + i / 2) * width + j / 2];
}

static void nearest2_backward_reference(const float *dy, float *dx, int64_t planes, int height, int width, int accumulate) {
  if (!accumulate) memset(dx, 0, sizeof(float) * planes * height * width);
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < 2 * height; i++)
      for (int j = 0; j < 2 * width; j++) dx[(p * height + i / 2) * width + j / 2] += *dy++;
}

void ck_maxpool2_forward(const float *x, float *y, int64_t planes, int height, int width) {
  CK_PICK(maxpool2_forward)(x, y, planes, height, width);
}

void ck_maxpool2_pairs(const float *x, float *y, int64_t planes, int height, int width) {
  CK_PICK(maxpool2_pairs)(x, y, planes, height, width);
}

void ck_maxpool2_backward(const float *x, const float *dy, float *dx, int64_t planes, int height, int width, int accumulate) {
  CK_PICK(maxpool2_backward)(x, dy, dx, planes, height, width, accumulate);
}

void ck_nearest2_forward(const float *x, float *y, int64_t planes, int height, int width) {
  CK_PICK(nearest2_forward)(x, y, planes, height, width);
}

void ck_nearest2_backward(const float *dy, float *dx, int64_t planes, int height, int width, int accumulate) {
  CK_PICK(nearest2_backward)(dy, dx, planes, height, width, accumulate);
}
