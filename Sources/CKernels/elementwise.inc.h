// Template of elementwise.c, compiled for each instruction set (each_isa.h); clang vectorises every loop.

static void CK_NAME(relu)(const float *x, float *y, int64_t count) {
  CK_ELEMENTS
  for (int64_t i = 0; i < count; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

static void CK_NAME(relu_backward)(const float *y, const float *dy, float *dx, int64_t count, int accumulate) {
  if (accumulate)
    CK_ELEMENTS
    for (int64_t i = 0; i < count; i++) dx[i] += dy[i] * CK_FACTOR(y[i] > 0);
  else
    CK_ELEMENTS
    for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * CK_FACTOR(y[i] > 0);
}

static void CK_NAME(add)(const float *x, float *y, int64_t count) {
  CK_ELEMENTS
  for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

static void CK_NAME(adam)(float *restrict w, const float *restrict gradient, float *restrict m, float *restrict v,
                          int64_t count, float rate, float beta1, float beta2, float epsilon, float l2) {
  const float one1 = 1 - beta1, one2 = 1 - beta2, decay = 2 * l2;
  for (int64_t i = 0; i < count; i++) {
    float g = gradient[i] + decay * w[i];
    float m1 = m[i] + (g - m[i]) * one1, v1 = v[i] + (g * g - v[i]) * one2;
    m[i] = m1;
    v[i] = v1;
    w[i] -= rate * m1 / (__builtin_sqrtf(v1) + epsilon);
  }
}
