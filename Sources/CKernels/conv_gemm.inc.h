// Template of conv_gemm.c, compiled for each instruction set (each_isa.h).

/// to (= or +=) Σ from[n · stride …], `parts` of them, in their order.
static void CK_NAME(add_up)(float *restrict to, const float *restrict from, int parts, ptrdiff_t stride, ptrdiff_t count,
                            int accumulate) {
  for (int n = 0; n < parts; n++, from += stride)
    for (ptrdiff_t i = 0; i < count; i++) to[i] = n || accumulate ? to[i] + from[i] : from[i];
}
