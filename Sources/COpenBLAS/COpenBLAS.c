#include "COpenBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };  // of cblas.h

typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                            const float *b, int ldb, float beta, float *c, int ldc);

static struct {
  sgemm_function *sgemm;               // NULL: not available
  char core[32], description[96];
} library = {.description = "none"};

static _Atomic int allowed = 1;

// ---- The environment while it is loaded -----------------------------------------------------------------------

typedef struct {
  const char *name, *value;            // what OpenBLAS shall read; NULL: what is there
  char *before;
} setting;

static void enter(setting *s) {
  if (!s->value) return;
  const char *before = getenv(s->name);
  s->before = before ? strdup(before) : NULL;
  setenv(s->name, s->value, 1);
}

// Not left behind: a child process may run on another processor, or want its threads.
static void leave(setting *s) {
  if (!s->value) return;
  if (s->before) setenv(s->name, s->before, 1);
  else unsetenv(s->name);
  free(s->before);
}

/// The kernels for this processor: the same for all that have AVX-512, or AVX2, so that they give the same bits. Left to itself 0.3.21
/// takes Cooperlake's for a Zen 5, which are as fast (150 to 205 GFLOP/s; Haswell's 90 to 107, Zen's 70 to 100) but
/// add up otherwise; Debian 12's build has none for Sapphire Rapids.
static const char *core_type(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return NULL;
}

static void *open_library(void) {
#if defined(__APPLE__)
  static const char *const names[] = {"libopenblas.dylib", "libopenblas.0.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
                                      "/usr/local/opt/openblas/lib/libopenblas.dylib"};
#else
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
#endif
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    void *handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (handle) return handle;
  }
  return NULL;
}

static void load(void) {
  const char *without = getenv("RUNNER_NO_OPENBLAS");
  if (without && *without && strcmp(without, "0")) return;

  // OPENBLAS_CORETYPE itself is not heard: it would change a training's bits from one shell to the next.
  const char *own = getenv("RUNNER_OPENBLAS_CORETYPE");
  // One thread from the start, or it would make its own pool; the last is for builds with OpenMP, where only the
  // environment reaches threads that are yet to come.
  setting settings[] = {{"OPENBLAS_CORETYPE", own && *own ? own : core_type(), NULL},
                        {"OPENBLAS_NUM_THREADS", "1", NULL},
                        {"OMP_NUM_THREADS", "1", NULL}};
  for (int i = 0; i < 3; i++) enter(&settings[i]);
  void *handle = open_library();
  for (int i = 0; i < 3; i++) leave(&settings[i]);
  if (!handle) return;

  sgemm_function *sgemm = (sgemm_function *)dlsym(handle, "cblas_sgemm");
  void (*set_threads)(int) = (void (*)(int))dlsym(handle, "openblas_set_num_threads");
  char *(*get_core)(void) = (char *(*)(void))dlsym(handle, "openblas_get_corename");
  char *(*get_config)(void) = (char *(*)(void))dlsym(handle, "openblas_get_config");
  if (!sgemm || !set_threads || !get_core || !get_config) return;
  const char *config = get_config();   // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …"
  if (strstr(config, "USE64BITINT")) return;
  set_threads(1);

  char version[32] = "unknown";
  sscanf(config, "OpenBLAS %31s", version);
  snprintf(library.core, sizeof library.core, "%s", get_core());
  snprintf(library.description, sizeof library.description, "openblas-%s-%s", version, library.core);
  library.sgemm = sgemm;
}

int openblas_available(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return library.sgemm && atomic_load_explicit(&allowed, memory_order_relaxed);
}

const char *openblas_core(void) { return openblas_available() ? library.core : ""; }

const char *openblas_description(void) { return openblas_available() ? library.description : "none"; }

void openblas_allow(int allow) { atomic_store_explicit(&allowed, allow, memory_order_relaxed); }

void openblas_sgemm(int transpose_a, int transpose_b, int m, int n, int k, const float *a, int lda, const float *b, int ldb,
                    float beta, float *c, int ldc) {
  if (!openblas_available()) abort();  // the caller asks first
  library.sgemm(ROW_MAJOR, transpose_a ? TRANSPOSE : NO_TRANSPOSE, transpose_b ? TRANSPOSE : NO_TRANSPOSE, m, n, k, 1, a, lda, b,
                ldb, beta, c, ldc);
}
