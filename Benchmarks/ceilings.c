// What this machine can do at most, as one line of JSON: single-precision multiply–adds a second and memory bandwidth.
//
//   cc -O3 -ffp-contract=fast -Wno-psabi Benchmarks/ceilings.c -lpthread -o ceilings && ./ceilings 1 2
//
// For every number of threads named: `fma_gflops` (16 independent chains of multiply–adds in registers, with the widest
// vectors of the processor), `triad_gbs` (a = b + s·c over arrays far larger than the caches) and `l2_gbs` (reading an
// array that stays in the second-level cache), each the median of a few short repetitions. Takes about a second.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { repetitions = 5, chains = 16, most_threads = 64 };
static const size_t triad_floats = 16u << 20;  // 64 MiB an array: 192 MiB in all
static const size_t l2_floats = 64u << 10;     // 256 KiB a thread

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

// Written out, so that every chain gets a register of its own whatever the compiler does with loops.
#define SIXTEEN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define STEP(i) a[i] = a[i] * x + y;

// One body, compiled for each vector width; GCC and clang turn a·x + y of vectors into one fused instruction.
#define MULTIPLY_ADDS(name, bytes, target_attribute)                                      \
  target_attribute static float fma_##name(long rounds) {                                 \
    typedef float vec __attribute__((vector_size(bytes)));                                \
    vec a[chains], x, y;                                                                  \
    for (int l = 0; l < bytes / 4; l++) x[l] = 1.0000001f, y[l] = 1e-9f;                  \
    for (int i = 0; i < chains; i++)                                                      \
      for (int l = 0; l < bytes / 4; l++) a[i][l] = 0.1f * i;                             \
    for (long r = 0; r < rounds; r++) {                                                   \
      SIXTEEN(STEP)                                                                       \
    }                                                                                     \
    float sum = 0;                                                                        \
    for (int i = 0; i < chains; i++)                                                      \
      for (int l = 0; l < bytes / 4; l++) sum += a[i][l];                                 \
    return sum;                                                                           \
  }                                                                                       \
  target_attribute static float read_##name(const float *p, size_t count, long rounds) {  \
    typedef float vec __attribute__((vector_size(bytes)));                                \
    vec s[8];                                                                             \
    memset(s, 0, sizeof s);                                                               \
    for (long r = 0; r < rounds; r++) {                                                   \
      for (size_t i = 0; i < count; i += 8 * bytes / 4)                                   \
        _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++) s[j] += *(const vec *)(p + i + j * (bytes / 4)); \
      __asm__ volatile("" ::: "memory");                                                  \
    }                                                                                     \
    float sum = 0;                                                                        \
    for (int j = 0; j < 8; j++)                                                           \
      for (int l = 0; l < bytes / 4; l++) sum += s[j][l];                                 \
    return sum;                                                                           \
  }

MULTIPLY_ADDS(vector128, 16, )
#if defined(__x86_64__)
MULTIPLY_ADDS(avx2, 32, __attribute__((target("avx2,fma"))))
MULTIPLY_ADDS(avx512, 64, __attribute__((target("avx512f"))))
#endif

typedef struct {
  const char *name;
  int lanes;
  float (*fma)(long);
  float (*read)(const float *, size_t, long);
} width;

static width widest(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return (width){"avx512", 16, fma_avx512, read_avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (width){"avx2", 8, fma_avx2, read_avx2};
  return (width){"baseline", 4, fma_vector128, read_vector128};
#else
  return (width){"neon", 4, fma_vector128, read_vector128};
#endif
}

static width chosen;
static float *a, *b, *c;
static volatile float sink;
static pthread_barrier_t barrier;
static int threads;

typedef double (*probe)(int thread);  // one thread's share of a probe: its rate

static double fma_rate(int thread) {
  (void)thread;
  const long rounds = 4000000;
  double start = now();
  sink = chosen.fma(rounds);
  return 2.0 * chains * chosen.lanes * rounds / (now() - start) * 1e-9;
}

static double triad_rate(int thread) {
  size_t share = triad_floats / threads, first = share * thread;
  const float *restrict from = b + first, *restrict factor = c + first;
  float *restrict to = a + first;
  double start = now();
  for (size_t i = 0; i < share; i++) to[i] = from[i] + 3.0f * factor[i];
  return 12.0 * share / (now() - start) * 1e-9;
}

static double l2_rate(int thread) {
  const long rounds = 10000;
  const float *own = b + thread * l2_floats;
  double start = now();
  sink = chosen.read(own, l2_floats, rounds);
  return 4.0 * l2_floats * rounds / (now() - start) * 1e-9;
}

static probe current;
static double rates[most_threads];

static void *work(void *argument) {
  int thread = (int)(size_t)argument;
  pthread_barrier_wait(&barrier);
  rates[thread] = current(thread);
  return NULL;
}

static int ascending(const void *x, const void *y) {
  double p = *(const double *)x, q = *(const double *)y;
  return p < q ? -1 : p > q;
}

// All threads at once: the sum of their rates, median over repetitions.
static double measure(probe what) {
  double sums[repetitions];
  current = what;
  for (int r = 0; r < repetitions; r++) {
    pthread_t running[most_threads];
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int t = 0; t < threads; t++) pthread_create(&running[t], NULL, work, (void *)(size_t)t);
    sums[r] = 0;
    for (int t = 0; t < threads; t++) pthread_join(running[t], NULL), sums[r] += rates[t];
    pthread_barrier_destroy(&barrier);
  }
  qsort(sums, repetitions, sizeof *sums, ascending);
  return sums[repetitions / 2];
}

int main(int count, char **arguments) {
  chosen = widest();
  float **arrays[] = {&a, &b, &c};
  for (int i = 0; i < 3; i++) {
    *arrays[i] = aligned_alloc(64, triad_floats * sizeof(float));
    if (*arrays[i] == NULL) return fputs("ceilings: out of memory\n", stderr), 1;
    for (size_t j = 0; j < triad_floats; j++) (*arrays[i])[j] = 1;
  }
  printf("[");
  for (int i = 1; i < count; i++) {
    threads = atoi(arguments[i]);
    if (threads < 1 || threads > most_threads) return fprintf(stderr, "ceilings: 1 to %d threads\n", most_threads), 2;
    double fma = measure(fma_rate), triad = measure(triad_rate), l2 = measure(l2_rate);
    printf("%s{\"isa\": \"%s\", \"threads\": %d, \"fma_gflops\": %.1f, \"triad_gbs\": %.1f, \"l2_gbs\": %.1f}", i > 1 ? ", " : "",
           chosen.name, threads, fma, triad, l2);
  }
  printf("]\n");
  return 0;
}
