// Winograd's way (see winograd.h) for 3 × 3 convolutions of stride 2, transposed or not: 81 products where the plain sum
// takes 144.
//
// Such a convolution joins a fine plane with a coarse one of half its sides; one kind's forward pass is the other's data
// gradient. Along one axis, coarse[i] = fine[2i] k₀ + fine[2i + 1] k₁ + fine[2i + 2] k₂: the even pixels meet two taps, the
// odd ones a single tap, which is two of which the second is 0. F(4, 2) at the points 0, 1, −1, 2 and ∞ makes four outputs
// y = Aᵀ[(G g) ⊙ (Bᵀ d)] of such a phase with five products; at ∞ the product of a single tap falls away. So a tile of 4 × 4
// coarse pixels has 5 × 5 positions (a, b), and position (a, b) has the products of 4, 2 or 1 of the fine plane's 2 × 2
// phases: 81 in all.
//
//   gather (coarse from fine):   M[a, b] = Σ over phases and fine channels of U V,   coarse = Aᵀ M A
//   scatter (fine from coarse):  M[a, b, phase] = Σ over coarse channels of U V,     fine phase = Aᵀ M A
//   weights:                     dU[a, b, phase] = Σ over tiles of (A coarse Aᵀ) V,  dg = Gᵀ dU G
//
// Gathering and weights take V from the four phases, scattering from the coarse plane. The scattered phases look the other
// way, 2i from i and i − 1; with tiles read and written backwards U is the same.
#pragma once
#include "tiling.h"

/// Whether this convolution goes this way; the table behind it stands in strided.c.
int ck_strided_suits(const ck_conv *c);

/// All passes. See conv.h.
extern const ck_conv_path ck_conv_strided;

enum { CK_STRIDED_POINTS = 5, CK_STRIDED_POSITIONS = 25, CK_STRIDED_PRODUCTS = 81 };

/// A pass. Tiles are those of the coarse plane. The kernel is [coarse, fine, 3, 3] for both kinds of convolution.
typedef struct {
  ck_tiling tiling;
  int fine, coarse;           ///< channels
  int height, width;          ///< of the coarse plane
  int transposed;             ///< the fine plane is the output
} ck_strided;

// One task of a pass, for each instruction set (strided.inc.h). Packed weights: U [Cout/16, 81, Cin, 16].
typedef void ck_strided_run(const ck_strided *s, int task, ck_operands io, float *scratch);
ck_strided_run ck_strided_gather_baseline, ck_strided_gather_avx2, ck_strided_gather_avx512;
ck_strided_run ck_strided_scatter_baseline, ck_strided_scatter_avx2, ck_strided_scatter_avx512;

// The kernel of output channel o and input channel c begins at kernel + o · out_step + c · in_step.
typedef void ck_strided_transform(const ck_strided *s, const float *kernel, ptrdiff_t out_step, ptrdiff_t in_step, float *packed);
ck_strided_transform ck_strided_pack_baseline, ck_strided_pack_avx2, ck_strided_pack_avx512;

// The weight gradient: one task's tiles, and one block of coarse channels of the sum over all cuts.
typedef void ck_strided_correlate(const ck_strided *s, int task, const ck_slab *in, ck_slab dy, ck_slab y, float *partials,
                                  float *scratch);
typedef void ck_strided_sum(const ck_strided *s, int task, const float *partials, float *dkernel, float *dbias, int accumulate);
ck_strided_correlate ck_strided_weights_baseline, ck_strided_weights_avx2, ck_strided_weights_avx512;
ck_strided_sum ck_strided_reduce_baseline, ck_strided_reduce_avx2, ck_strided_reduce_avx512;
