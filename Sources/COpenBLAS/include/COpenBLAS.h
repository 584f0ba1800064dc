// OpenBLAS, loaded when it is first asked for.
//
// It is not linked: 0.3.21 does not know new processors and then takes slow kernels, and which kernels it takes must
// not change the bits from one release to the next. So its core type is named before it initialises, which happens
// while it is loaded: SkylakeX where the processor has AVX-512, Haswell where it has AVX2. OPENBLAS_CORETYPE in the
// environment is overruled for the same reason; RUNNER_OPENBLAS_CORETYPE, meant for tests, is heard. RUNNER_NO_OPENBLAS=1 does without it.
//
// Every function may be called from any thread at any time. A product runs on the calling thread alone, and any number of
// threads may multiply at once.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// Whether OpenBLAS could be loaded. The first call loads it (3 ms) and changes the environment while it does: it is best made
/// before there are threads that use the environment.
int openblas_available(void);

/// The core type it runs: "SkylakeX", "Haswell", …; "" where it is not available.
const char *openblas_core(void);

/// Version and core type: "openblas-0.3.21-SkylakeX"; "none" where it is not available.
const char *openblas_description(void);

/// c = a · b + beta · c in row-major order, c [m, n]. `a` is [m, k], or [k, m] where `transpose_a`; `b` is [k, n], or [n, k]
/// where `transpose_b`; `lda`, `ldb` and `ldc` are floats between rows. With beta = 0, c is not read.
void openblas_sgemm(int transpose_a, int transpose_b, int m, int n, int k, const float *a, int lda, const float *b, int ldb,
                    float beta, float *c, int ldc);

/// For tests: from now on OpenBLAS is there (1, the beginning) or as if it were missing (0).
void openblas_allow(int allowed);

#ifdef __cplusplus
}
#endif
