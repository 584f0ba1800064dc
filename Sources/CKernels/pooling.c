// Maximum pooling by two and nearest-neighbour enlarging by two: plain loops as yardstick, templates for the rest.
#include "pairs.h"

CK_INLINE float largest(float a, float b, float c, float d) {
  const float ab = a > b ? a : b, cd = c > d ? c : d;
  return ab > cd ? ab : cd;
}

/// Of the lower halves, and of the upper ones.
CK_INLINE float largest_pair(float a, float b, float c, float d) {
  const float low = largest(ck_lower(a), ck_lower(b), ck_lower(c), ck_lower(d));
  const float high = largest(ck_upper(a), ck_upper(b), ck_upper(c), ck_upper(d));
  return ck_word_of(ck_bits_of(high) | ck_bits_of(low) >> 16);
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

static void maxpool2_backward_reference(const float *x, ck_part part, const float *dy, float *dx, int64_t planes, int height, int width,
                                        int accumulate) {
  if (!accumulate) memset(dx, 0, sizeof(float) * planes * height * width);
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < height / 2; i++)
      for (int j = 0; j < width / 2; j++) {
        const int64_t corner = (p * height + 2 * i) * width + 2 * j;
        int64_t best = corner;
        for (int k = 1; k < 4; k++) {
          int64_t candidate = corner + k / 2 * width + k % 2;
          if (ck_value(x[candidate], part) > ck_value(x[best], part)) best = candidate;
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

void ck_maxpool2_backward(const float *x, ck_part part, const float *dy, float *dx, int64_t planes, int height, int width, int accumulate) {
  CK_PICK(maxpool2_backward)(x, part, dy, dx, planes, height, width, accumulate);
}

void ck_nearest2_forward(const float *x, float *y, int64_t planes, int height, int width) {
  CK_PICK(nearest2_forward)(x, y, planes, height, width);
}

void ck_nearest2_backward(const float *dy, float *dx, int64_t planes, int height, int width, int accumulate) {
  CK_PICK(nearest2_backward)(dy, dx, planes, height, width, accumulate);
}
