// Speed of the convolution kernels on one thread, at the shapes of a U-Net: GFLOP/s of forward pass, data gradient and
// weight gradient (packing of the weights left out), counted as multiplications and additions of the definition.
// Processor time, so that others on the machine cost less; medians of rounds; `fma` is what a loop of dependent-free multiply–adds reaches in the same round.
//
//   clang -O3 -fno-math-errno -ffp-contract=fast -Wno-psabi -march=native -mprefer-vector-width=512 -ISources/CKernels/include \
//     -ISources/COpenBLAS/include Benchmarks/kernels.c Sources/CKernels/*.c Sources/COpenBLAS/*.c -lm -ldl -lpthread \
//     -o .build/kernels && .build/kernels [isa] [name] [rounds] [bf16]
//
// RUNNER_NO_OPENBLAS=1 shows the direct path where matrix products would be taken; RUNNER_OPENBLAS_CORETYPE=Haswell goes with avx2.
//
// (-march=native serves the yardstick only: the kernels name their instruction sets themselves.)
#include <CKernels.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static float *values(size_t count) {
  // On huge pages, as the engine's buffers are.
  const size_t page = 2 << 20, bytes = (count * sizeof(float) / page + 1) * page;
  float *p = aligned_alloc(page, bytes);
  madvise(p, bytes, MADV_HUGEPAGE);
  for (size_t i = 0; i < count; i++) p[i] = (float)(rand() % 2001 - 1000) / 1000;
  return p;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *times, int count) {
  qsort(times, (size_t)count, sizeof *times, ascending);
  return times[count / 2];
}

typedef float vec __attribute__((vector_size(64)));

static double peak(void) {
  vec a[16];
  for (int i = 0; i < 16; i++) a[i] = (vec){0} + (float)i;
  vec x = (vec){0} + 1.0000001f, y = (vec){0} + 1e-9f;
  double start = now();
  const long rounds = 200000;
  for (long r = 0; r < rounds; r++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) a[i] = a[i] * x + y;
    __asm__ volatile("" ::: "memory");
  }
  double seconds = now() - start;
  volatile float sink = 0;
  for (int i = 0; i < 16; i++) sink = sink + a[i][0];
  return 512.0 * rounds / seconds * 1e-9;
}

typedef struct {
  const char *name;
  ck_conv conv;
} shape;

#define SAME(n, kind, cin, cout, side, out, k, s, pad) {n, {kind, side <= 32 ? 8 : 2, cin, cout, side, side, out, out, k, s, pad, pad}}

static const shape shapes[] = {
    SAME("3x3   1>16 256", CK_CONV, 1, 16, 256, 256, 3, 1, 1),
    SAME("3x3   8>8  256", CK_CONV, 8, 8, 256, 256, 3, 1, 1),
    SAME("3x3  16>8  256", CK_CONV, 16, 8, 256, 256, 3, 1, 1),
    SAME("3x3  16>16 256", CK_CONV, 16, 16, 256, 256, 3, 1, 1),
    SAME("3x3  32>16 256", CK_CONV, 32, 16, 256, 256, 3, 1, 1),
    SAME("3x3  16>16 128", CK_CONV, 16, 16, 128, 128, 3, 1, 1),
    SAME("3x3  32>32 128", CK_CONV, 32, 32, 128, 128, 3, 1, 1),
    SAME("3x3  64>32 128", CK_CONV, 64, 32, 128, 128, 3, 1, 1),
    SAME("3x3  64>64  64", CK_CONV, 64, 64, 64, 64, 3, 1, 1),
    SAME("3x3 128>64  64", CK_CONV, 128, 64, 64, 64, 3, 1, 1),
    SAME("3x3 128>128 32", CK_CONV, 128, 128, 32, 32, 3, 1, 1),
    SAME("3x3 256>128 32", CK_CONV, 256, 128, 32, 32, 3, 1, 1),
    SAME("3x3 128>256 16", CK_CONV, 128, 256, 16, 16, 3, 1, 1),
    SAME("3x3 256>256 16", CK_CONV, 256, 256, 16, 16, 3, 1, 1),
    SAME("1x1   2>1  256", CK_CONV, 2, 1, 256, 256, 1, 1, 0),
    SAME("1x1  16>1  256", CK_CONV, 16, 1, 256, 256, 1, 1, 0),
    SAME("1x1  16>2  256", CK_CONV, 16, 2, 256, 256, 1, 1, 0),
    SAME("1x1  80>1  256", CK_CONV, 80, 1, 256, 256, 1, 1, 0),
    SAME("n2x2 16>8  128", CK_CONV_NEAREST2, 16, 8, 128, 256, 2, 1, 0),
    SAME("n2x2 32>16 128", CK_CONV_NEAREST2, 32, 16, 128, 256, 2, 1, 0),
    SAME("n2x2 128>64 32", CK_CONV_NEAREST2, 128, 64, 32, 64, 2, 1, 0),
    SAME("n2x2 256>128 16", CK_CONV_NEAREST2, 256, 128, 16, 32, 2, 1, 0),
    SAME("n3x3 32>16 128", CK_CONV_NEAREST2, 32, 16, 128, 256, 3, 1, 1),
    SAME("s2    8>16 256", CK_CONV, 8, 16, 256, 128, 3, 2, 0),
    SAME("s2   16>32 256", CK_CONV, 16, 32, 256, 128, 3, 2, 0),
    SAME("s2   32>64 128", CK_CONV, 32, 64, 128, 64, 3, 2, 0),
    SAME("s2   64>128 64", CK_CONV, 64, 128, 64, 32, 3, 2, 0),
    SAME("s2  128>256 32", CK_CONV, 128, 256, 32, 16, 3, 2, 0),
    SAME("t3x3 32>16 128", CK_CONV_TRANSPOSED, 32, 16, 128, 256, 3, 2, 0),
    SAME("t3x3 96>16 128", CK_CONV_TRANSPOSED, 96, 16, 128, 256, 3, 2, 0),
    SAME("t3x3 192>32 64", CK_CONV_TRANSPOSED, 192, 32, 64, 128, 3, 2, 0),
    SAME("t3x3 384>64 32", CK_CONV_TRANSPOSED, 384, 64, 32, 64, 3, 2, 0),
    SAME("t3x3 256>128 16", CK_CONV_TRANSPOSED, 256, 128, 16, 32, 3, 2, 0),
    SAME("t3x3 64>32  64", CK_CONV_TRANSPOSED, 64, 32, 64, 128, 3, 2, 0),
    SAME("t3x3 128>64 32", CK_CONV_TRANSPOSED, 128, 64, 32, 64, 3, 2, 0),
    SAME("t2x2 32>16 128", CK_CONV_TRANSPOSED, 32, 16, 128, 256, 2, 2, 0),
    SAME("t2x2 64>32  64", CK_CONV_TRANSPOSED, 64, 32, 64, 128, 2, 2, 0),
    SAME("t2x2 128>64 32", CK_CONV_TRANSPOSED, 128, 64, 32, 64, 2, 2, 0),
    SAME("t2x2 256>128 16", CK_CONV_TRANSPOSED, 256, 128, 16, 32, 2, 2, 0),
};

int main(int argc, char **argv) {
  ck_isa isa = ck_isa_best();
  for (int i = 0; argc > 1 && i <= (int)ck_isa_best(); i++)
    if (!strcmp(argv[1], ck_isa_name((ck_isa)i))) isa = (ck_isa)i;
  if (ck_isa_select(isa)) return 1;
  ck_flush_denormals();
  int rounds = argc > 3 ? atoi(argv[3]) : 9;
  printf("%-16s %8s %8s %8s %8s   (%s, %s, GFLOP/s)\n", "", "fma", "forward", "data", "weights", ck_isa_name(isa), ck_conv_library());
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    if (argc > 2 && !strstr(shapes[i].name, argv[2])) continue;
    ck_conv with_precision = shapes[i].conv;
    with_precision.precision = argc > 4 && !strcmp(argv[4], "bf16") ? CK_BFLOAT16 : CK_FLOAT32;
    const ck_conv *c = &with_precision;
    int64_t in_image = (int64_t)c->in_channels * c->in_height * c->in_width;
    int64_t out_image = (int64_t)c->out_channels * c->out_height * c->out_width;
    size_t kernel_size = (size_t)c->in_channels * c->out_channels * c->kernel * c->kernel;
    double flops = 2.0 * kernel_size * c->images *
                   (c->kind == CK_CONV_TRANSPOSED ? (double)c->in_height * c->in_width : (double)c->out_height * c->out_width);
    float *x = values(in_image * c->images), *y = values(out_image * c->images), *dy = values(out_image * c->images);
    float *dx = values(in_image * c->images), *kernel = values(kernel_size), *bias = values(c->out_channels);
    float *packed = values(ck_conv_forward_packed(c)), *packed_back = values(ck_conv_backward_data_packed(c));
    float *partials = values(ck_conv_backward_weights_partials(c)), *dbias = values(c->out_channels);
    size_t scratch_floats = ck_conv_forward_scratch(c);
    if (scratch_floats < ck_conv_backward_data_scratch(c)) scratch_floats = ck_conv_backward_data_scratch(c);
    if (scratch_floats < ck_conv_backward_weights_scratch(c)) scratch_floats = ck_conv_backward_weights_scratch(c);
    float *scratch = values(scratch_floats);
    ck_conv_forward_pack(c, kernel, packed);
    ck_conv_backward_data_pack(c, kernel, packed_back);
    ck_slab in = {x, c->in_channels, in_image}, out = {y, c->out_channels, out_image}, gradient = {dy, c->out_channels, out_image};
    ck_slab back = {dx, c->in_channels, in_image};
    int accumulate = 0;
    double times[4][64];
    if (rounds > 64) rounds = 64;
    for (int r = 0; r < rounds; r++) {
      times[0][r] = 1 / peak();
      double t0 = now();
      for (int t = 0; t < ck_conv_forward_tasks(c); t++) ck_conv_forward(c, t, &in, 1, packed, bias, 1, out, scratch);
      double t1 = now();
      for (int t = 0; t < ck_conv_backward_data_tasks(c); t++)
        ck_conv_backward_data(c, t, gradient, out, packed_back, &back, &accumulate, 1, scratch);
      double t2 = now();
      for (int t = 0; t < ck_conv_backward_weights_tasks(c); t++)
        ck_conv_backward_weights(c, t, &in, 1, gradient, out, partials, scratch);
      for (int t = 0; t < ck_conv_backward_weights_reduce_tasks(c); t++)
        ck_conv_backward_weights_reduce(c, t, partials, kernel, dbias, 0);
      double t3 = now();
      times[1][r] = t1 - t0, times[2][r] = t2 - t1, times[3][r] = t3 - t2;
    }
    printf("%-16s %8.0f", shapes[i].name, 1 / median(times[0], rounds));
    for (int k = 1; k < 4; k++) printf(" %8.1f", flops / median(times[k], rounds) * 1e-9);
    printf("\n");
    fflush(stdout);
    float *all[] = {x, y, dy, dx, kernel, bias, packed, packed_back, partials, dbias, scratch};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
  }
}
