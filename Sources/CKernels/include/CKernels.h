// The kernels: one operation a file, chosen at run time for the processor.
//
// Tensors are dense float32 [N, C, H, W], except that the images of a tensor may stand further apart than C·H·W
// (`image_stride`), so that a tensor may be a slice of a wider one. Nothing is assumed of alignment or of W.
// Every operation that is worth spreading is cut into `tasks`: a fixed number that depends on the shape alone, never on
// the number of threads; tasks may run in any order on any thread and give the same bits. A task gets `scratch` of its
// thread: `…_scratch()` floats, 64-byte aligned, contents undefined.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- Processor ------------------------------------------------------------------------------------------------

/// Instruction sets in rising order. `CK_ISA_REFERENCE` runs plain scalar loops, the yardstick of every other path;
/// `CK_ISA_BASELINE` is whatever the compiler's base target has (SSE2 on x86-64, NEON on 64-bit ARM). The two above AVX-512 add
/// instructions for bfloat16 products and nothing else: in float32 they run AVX-512's kernels, to the same bits.
typedef enum {
  CK_ISA_REFERENCE = 0,
  CK_ISA_BASELINE = 1,
  CK_ISA_AVX2 = 2,
  CK_ISA_AVX512 = 3,
  CK_ISA_AVX512BF16 = 4,
  CK_ISA_AMX = 5,
} ck_isa;

ck_isa ck_isa_best(void);               ///< the widest this processor (and its operating system) can run
ck_isa ck_isa_current(void);            ///< the one in use; starts as `ck_isa_best()`
int ck_isa_select(ck_isa isa);          ///< 0, or −1 where this processor cannot run it. Not while tasks run.
const char *ck_isa_name(ck_isa isa);    ///< "reference", "baseline", "avx2", "avx512", "avx512bf16", "amx"

/// For tests: from now on AMX's tile instructions are plain C (`on`), so that `CK_ISA_AMX` can be selected where
/// `CK_ISA_AVX512BF16` can; or the processor's own again.
void ck_isa_emulate_amx(int on);
int ck_isa_emulates_amx(void);

// ---- Convolutions ---------------------------------------------------------------------------------------------

/// The library that does matrix products for convolutions on the instruction set in use, as "openblas-0.3.21-SkylakeX", or
/// "none". Results depend on it as they do on the instruction set.
const char *ck_conv_library(void);

/// Some channels of a virtual concatenation: image n, channel c begin at data + n·image_stride + c·H·W. Where they are `paired`
/// a plane holds two of them, rounded to bfloat16, the first in the lower half of every word: n, c and c + 1 (c even) begin
/// at data + n·image_stride + c/2·H·W.
typedef struct {
  float *data;
  int64_t channels;
  int64_t image_stride;
  int32_t paired;
} ck_slab;

/// Which values of an array are meant: each word is one, or the lower or upper half of a word of two channels (bfloat16).
typedef enum { CK_WORDS = 0, CK_LOWER = 1, CK_UPPER = 2 } ck_part;

typedef enum {
  /// y[o,i,j] = b[o] + Σ x[c, s·i + u − pad_top, s·j + v − pad_left] · k[o,c,u,v]. Kernel [Cout, Cin, k, k].
  CK_CONV = 0,
  /// The gradient of such a convolution with respect to its input: y[o, s·i + u − pad_top, s·j + v − pad_left] +=
  /// x[c,i,j] · k[c,o,u,v]. Kernel [Cin, Cout, k, k].
  CK_CONV_TRANSPOSED = 1,
  /// A stride-1 convolution of the input enlarged twice by nearest neighbour, without making the enlarged tensor
  /// (in_height × in_width are the sides before enlarging). Kernel [Cout, Cin, k, k].
  CK_CONV_NEAREST2 = 2,
} ck_conv_kind;

/// What is multiplied. CK_BFLOAT16 allows inputs, weights and output gradients to be rounded to bfloat16 (nearest, ties to
/// even) on the way into products; products are exact, their sums are float32, and so is every tensor but paired slabs.
typedef enum { CK_FLOAT32 = 0, CK_BFLOAT16 = 1 } ck_precision;

/// kernel 1, 2 or 3; stride 1 or 2 (CK_CONV_TRANSPOSED: 2; CK_CONV_NEAREST2: 1). Padding at the bottom and right is
/// what the output's sides imply.
typedef struct {
  ck_conv_kind kind;
  int32_t images, in_channels, out_channels;
  int32_t in_height, in_width, out_height, out_width;
  int32_t kernel, stride, pad_top, pad_left;
  ck_precision precision;
} ck_conv;

typedef enum { CK_FORWARD, CK_BACKWARD_DATA, CK_BACKWARD_WEIGHTS } ck_conv_pass;

/// What this pass multiplies on the instruction set in use: with CK_BFLOAT16, on sets that multiply bfloat16, float32 all the same where that is faster.
ck_precision ck_conv_products(const ck_conv *c, ck_conv_pass pass);

// Forward: out = [relu](conv(concat(in)) + bias). `packed` holds the weights in the path's own order.
size_t ck_conv_forward_packed(const ck_conv *c);                                       ///< floats
void ck_conv_forward_pack(const ck_conv *c, const float *kernel, float *packed);
int ck_conv_forward_tasks(const ck_conv *c);
size_t ck_conv_forward_scratch(const ck_conv *c);                                      ///< floats a thread
/// 1 where every slab of all three passes may be paired, tensors and gradients alike, if it stands after an even number of channels. Not so a gradient
/// that is added to; and `dy` only together with `y`, where there is one.
int ck_conv_takes_pairs(const ck_conv *c);
void ck_conv_forward(const ck_conv *c, int task, const ck_slab *in, int slabs, const float *packed, const float *bias,
                     int relu, ck_slab out, float *scratch);

// Gradient with respect to the input: dx[slab] (= or +=, by accumulate[slab]) convᵀ(dy ⊙ [y > 0]). `y` is the output
// after ReLU, or NULL data where there was none. A slab with NULL data is not computed.
size_t ck_conv_backward_data_packed(const ck_conv *c);
void ck_conv_backward_data_pack(const ck_conv *c, const float *kernel, float *packed);
int ck_conv_backward_data_tasks(const ck_conv *c);
size_t ck_conv_backward_data_scratch(const ck_conv *c);
void ck_conv_backward_data(const ck_conv *c, int task, ck_slab dy, ck_slab y, const float *packed, const ck_slab *dx,
                           const int *accumulate, int slabs, float *scratch);

// Gradient with respect to kernel and bias, in two steps: tasks leave partial sums in `partials`
// (`…_partials()` floats, shared by all tasks, each writing its own part), then the reduce tasks add them in a fixed order
// to dkernel and dbias (= or +=, by accumulate).
size_t ck_conv_backward_weights_partials(const ck_conv *c);
int ck_conv_backward_weights_tasks(const ck_conv *c);
size_t ck_conv_backward_weights_scratch(const ck_conv *c);
void ck_conv_backward_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y,
                              float *partials, float *scratch);
int ck_conv_backward_weights_reduce_tasks(const ck_conv *c);
void ck_conv_backward_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias,
                                     int accumulate);

// ---- Pooling and enlarging (planes: dense H × W, one after the other) -----------------------------------------

/// y[i,j] = max of the 2 × 2 block (sides ⌊H/2⌋ × ⌊W/2⌋).
void ck_maxpool2_forward(const float *x, float *y, int64_t planes, int height, int width);
/// The same of paired planes.
void ck_maxpool2_pairs(const float *x, float *y, int64_t planes, int height, int width);
/// dx (= or +=) dy at the first maximum in row order of the block of x's `part`, 0 elsewhere.
void ck_maxpool2_backward(const float *x, ck_part part, const float *dy, float *dx, int64_t planes, int height, int width, int accumulate);
/// y (2H × 2W) repeats each pixel of x (H × W) twice both ways; backward sums the four.
void ck_nearest2_forward(const float *x, float *y, int64_t planes, int height, int width);
void ck_nearest2_backward(const float *dy, float *dx, int64_t planes, int height, int width, int accumulate);

// ---- Batch normalisation (one channel a call: images × pixels values, images `image_stride` apart) --------------

/// moments[0] = mean, moments[1] = biased variance; each block of values about its own mean, then joined, so that the variance does not cancel.
void ck_batchnorm_moments(const float *x, int images, int64_t image_stride, int64_t pixels, float moments[2]);
/// y = [relu](scale·x + shift).
void ck_scale_shift(const float *x, float *y, int64_t count, float scale, float shift, int relu);
/// The same of two channels, `channel` apart, to one plane of pairs.
void ck_scale_shift_pairs(const float *x, int64_t channel, float *y, int64_t count, const float scale[2], const float shift[2], int relu);
/// With g = dy ⊙ [scale·x + shift > 0] (or dy where !relu): sums[0] = Σg, sums[1] = Σ g·(x − mean).
void ck_batchnorm_backward_sums(const float *x, const float *dy, int images, int64_t image_stride, int64_t dy_image_stride,
                                int64_t pixels, float mean, float scale, float shift, int relu, float sums[2]);
/// What the gradient of one channel is made with.
typedef struct {
  float mean, scale, shift, a, b, c;
} ck_batchnorm_gradient;
/// dx = a·g + b·(x − mean) + c with g as above (= or +=).
void ck_batchnorm_backward_apply(const float *x, const float *dy, float *dx, int64_t count, ck_batchnorm_gradient channel, int relu,
                                 int accumulate);
/// The same of two channels, `channel` apart, to one plane of pairs.
void ck_batchnorm_backward_apply_pairs(const float *x, const float *dy, int64_t channel, float *dx, int64_t count,
                                       const ck_batchnorm_gradient channels[2], int relu);

// ---- Element by element ---------------------------------------------------------------------------------------

/// y (= or +=) x ⊙ m / (1 − rate); m is a pure function of (key, epoch, sample, layer, position): Philox 4×32-7, 16 bits
/// an element. `first` is the position of x[0] and a multiple of 8. The same call with dy gives the gradient.
void ck_dropout(const float *x, float *y, int64_t first, int64_t count, float rate, uint64_t key, uint32_t epoch,
                uint32_t sample, uint32_t layer, int accumulate);
/// The same of a plane of pairs, in place: the first channel's positions from `first` on, the second's from `second` on, each a multiple of 8.
/// 1 / (1 − rate) is to be a power of two, so that nothing is rounded.
void ck_dropout_pairs(float *words, int64_t first, int64_t second, int64_t count, float rate, uint64_t key, uint32_t epoch, uint32_t sample,
                      uint32_t layer);
/// dy ⊙ 1 / (1 − rate), in place: the gradient behind a ReLU, whose backward pass leaves out what was dropped.
void ck_dropout_backward(float *dy, int64_t count, float rate);
/// The same of pairs; 1 / (1 − rate) is to be a power of two.
void ck_dropout_backward_pairs(float *words, int64_t count, float rate);
void ck_relu(const float *x, float *y, int64_t count);
/// dx (= or +=) dy ⊙ [y > 0].
void ck_relu_backward(const float *y, const float *dy, float *dx, int64_t count, int accumulate);
void ck_add(const float *x, float *y, int64_t count);                                   ///< y += x
/// Adam (Kingma & Ba 2015) as Keras writes it: m += (g−m)(1−β₁); v += (g²−v)(1−β₂); w −= rate·m/(√v + ε), where
/// g = gradient + 2·l2·w and `rate` already holds √(1−β₂ᵗ)/(1−β₁ᵗ).
void ck_adam(float *w, const float *gradient, float *m, float *v, int64_t count, float rate, float beta1, float beta2,
             float epsilon, float l2);

/// Flush denormals to zero on the calling thread (they cost hundreds of cycles each) from now on. Returns what `ck_restore_denormals`
/// wants, for a thread that goes on to other work.
uint64_t ck_flush_denormals(void);
/// Treat denormals again as before the `ck_flush_denormals` that returned this.
void ck_restore_denormals(uint64_t before);

#ifdef __cplusplus
}
#endif
