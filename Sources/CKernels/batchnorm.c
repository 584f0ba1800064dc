// Batch normalisation (Ioffe & Szegedy 2015), one channel a call: plain loops in double as yardstick, templates for the rest.
#include "pairs.h"

#define BLOCK 4096
#define CK_TEMPLATE "batchnorm.inc.h"
#include "each_isa.h"

static void moments_reference(const float *x, int images, int64_t image_stride, int64_t pixels, float moments[2]) {
  double sum = 0, squares = 0;
  const double count = (double)images * (double)pixels;
  for (int n = 0; n < images; n++)
    for (int64_t i = 0; i < pixels; i++) sum += x[n * image_stride + i];
  const double mean = sum / count;
  for (int n = 0; n < images; n++)
    for (int64_t i = 0; i < pixels; i++) {
      double d = x[n * image_stride + i] - mean;
      squares += d * d;
    }
  moments[0] = (float)mean;
  moments[1] = (float)(squares / count);
}

static float scaled(float x, float scale, float shift) { return scale * x + shift; }

static void scale_shift_reference(const float *x, float *y, int64_t count, float scale, float shift, int relu) {
  for (int64_t i = 0; i < count; i++) {
    float v = scaled(x[i], scale, shift);
    y[i] = relu && v < 0 ? 0 : v;
  }
}

static void scale_shift_pairs_reference(const float *x, int64_t channel, float *y, int64_t count, const float scale[2], const float shift[2],
                                        int relu) {
  for (int64_t i = 0; i < count; i++) {
    float v[2];
    for (int d = 0; d < 2; d++) scale_shift_reference(x + d * channel + i, v + d, 1, scale[d], shift[d], relu);
    y[i] = ck_paired(v[0], v[1]);
  }
}

static void backward_sums_reference(const float *x, const float *dy, int images, int64_t image_stride, int64_t dy_image_stride,
                                    int64_t pixels, float mean, float scale, float shift, int relu, float sums[2]) {
  double sum = 0, product = 0;
  for (int n = 0; n < images; n++)
    for (int64_t i = 0; i < pixels; i++) {
      float v = x[n * image_stride + i], g = dy[n * dy_image_stride + i];
      g *= CK_FACTOR(!relu || scaled(v, scale, shift) > 0);
      sum += g;
      product += (double)g * ((double)v - mean);
    }
  sums[0] = (float)sum;
  sums[1] = (float)product;
}

static void backward_apply_reference(const float *x, const float *dy, float *dx, int64_t count, ck_batchnorm_gradient k, int relu,
                                     int accumulate) {
  for (int64_t i = 0; i < count; i++) {
    float g = dy[i] * CK_FACTOR(!relu || scaled(x[i], k.scale, k.shift) > 0);
    float v = k.a * g + k.b * (x[i] - k.mean) + k.c;
    dx[i] = accumulate ? dx[i] + v : v;
  }
}

static void backward_apply_pairs_reference(const float *x, const float *dy, int64_t channel, float *dx, int64_t count,
                                           const ck_batchnorm_gradient channels[2], int relu) {
  for (int64_t i = 0; i < count; i++) {
    float v[2];
    for (int d = 0; d < 2; d++) backward_apply_reference(x + d * channel + i, dy + d * channel + i, v + d, 1, channels[d], relu, 0);
    dx[i] = ck_paired(v[0], v[1]);
  }
}

void ck_batchnorm_moments(const float *x, int images, int64_t image_stride, int64_t pixels, float moments[2]) {
  CK_PICK(moments)(x, images, image_stride, pixels, moments);
}

void ck_scale_shift(const float *x, float *y, int64_t count, float scale, float shift, int relu) {
  CK_PICK(scale_shift)(x, y, count, scale, shift, relu);
}

void ck_scale_shift_pairs(const float *x, int64_t channel, float *y, int64_t count, const float scale[2], const float shift[2], int relu) {
  CK_PICK(scale_shift_pairs)(x, channel, y, count, scale, shift, relu);
}

void ck_batchnorm_backward_sums(const float *x, const float *dy, int images, int64_t image_stride, int64_t dy_image_stride,
                                int64_t pixels, float mean, float scale, float shift, int relu, float sums[2]) {
  CK_PICK(backward_sums)(x, dy, images, image_stride, dy_image_stride, pixels, mean, scale, shift, relu, sums);
}

void ck_batchnorm_backward_apply(const float *x, const float *dy, float *dx, int64_t count, ck_batchnorm_gradient channel, int relu,
                                 int accumulate) {
  CK_PICK(backward_apply)(x, dy, dx, count, channel, relu, accumulate);
}

void ck_batchnorm_backward_apply_pairs(const float *x, const float *dy, int64_t channel, float *dx, int64_t count,
                                       const ck_batchnorm_gradient channels[2], int relu) {
  CK_PICK(backward_apply_pairs)(x, dy, channel, dx, count, channels, relu);
}
