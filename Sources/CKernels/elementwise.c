// Element by element: ReLU, addition, Adam; and the one switch of the processor that all kernels rely on.
#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CK_TEMPLATE "elementwise.inc.h"
#include "each_isa.h"

static void relu_reference(const float *x, float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] = x[i] < 0 ? 0 : x[i];  // NaN stays NaN, so that a diverged run shows
}

static void relu_backward_reference(const float *y, const float *dy, float *dx, int64_t count, int accumulate) {
  for (int64_t i = 0; i < count; i++) dx[i] = (accumulate ? dx[i] : 0) + dy[i] * CK_FACTOR(y[i] > 0);
}

static void add_reference(const float *x, float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

static void adam_reference(float *w, const float *gradient, float *m, float *v, int64_t count, float rate, float beta1,
                           float beta2, float epsilon, float l2) {
  for (int64_t i = 0; i < count; i++) {
    const float g = gradient[i] + 2 * l2 * w[i];
    m[i] += (g - m[i]) * (1 - beta1);
    v[i] += (g * g - v[i]) * (1 - beta2);
    w[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
  }
}

void ck_relu(const float *x, float *y, int64_t count) { CK_PICK(relu)(x, y, count); }

void ck_relu_backward(const float *y, const float *dy, float *dx, int64_t count, int accumulate) {
  CK_PICK(relu_backward)(y, dy, dx, count, accumulate);
}

void ck_add(const float *x, float *y, int64_t count) { CK_PICK(add)(x, y, count); }

void ck_adam(float *w, const float *gradient, float *m, float *v, int64_t count, float rate, float beta1, float beta2,
             float epsilon, float l2) {
  CK_PICK(adam)(w, gradient, m, v, count, rate, beta1, beta2, epsilon, l2);
}

uint64_t ck_flush_denormals(void) {
#if defined(__x86_64__)
  const uint64_t before = _mm_getcsr();
  _mm_setcsr((uint32_t)before | 0x8040);  // flush-to-zero for results, denormals-are-zero for operands
  return before;
#elif defined(__aarch64__)
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | (1u << 24)));
  return before;
#else
  return 0;
#endif
}

void ck_restore_denormals(uint64_t before) {
#if defined(__x86_64__)
  _mm_setcsr((_mm_getcsr() & ~0x8040u) | ((uint32_t)before & 0x8040));
#elif defined(__aarch64__)
  uint64_t now;
  __asm__ volatile("mrs %0, fpcr" : "=r"(now));
  __asm__ volatile("msr fpcr, %0" : : "r"((now & ~(1ull << 24)) | (before & (1u << 24))));
#else
  (void)before;
#endif
}
