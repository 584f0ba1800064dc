// Winograd's minimal filtering F(4×4, 3×3) (Lavin & Gray 2016) for 3 × 3 convolutions of stride 1 and padding 1: a quarter of
// the multiplications of the plain sum.
//
// A tile is 4 × 4 outputs, made from 6 × 6 inputs d with the kernel g as Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. Summed over the input
// channels, each of the 36 positions is a matrix product of its own: M[p] = U[p] · V[p], U [Cout, Cin], V [Cin, tiles].
// The tiles of several rows, and of several images where planes are small, are numbered through: tile t covers
// columns 4t … 4t + 3 of its rows laid end to end. Vectors run along t, so that no step but the split of rows into
// their columns modulo 4 moves values between lanes.
#pragma once
#include "tiling.h"

/// Whether this convolution goes Winograd's way; the table behind it stands in winograd.c.
int ck_winograd_suits(const ck_conv *c);

/// All passes by Winograd's way. See conv.h.
extern const ck_conv_path ck_conv_winograd;

enum { CK_WINOGRAD_POSITIONS = 36 };

// One task of a pass, for each instruction set (winograd.inc.h). Packed weights: U [Cout/16, 36, Cin, 16].
typedef void ck_winograd_run(const ck_tiling *w, int task, ck_operands io, float *scratch);
ck_winograd_run ck_winograd_baseline, ck_winograd_avx2, ck_winograd_avx512;

// U from the kernel of output channel o and input channel c at kernel + o · out_step + c · in_step, turned by half a turn
// where `flip`.
typedef void ck_winograd_transform(const ck_tiling *w, const float *kernel, ptrdiff_t out_step, ptrdiff_t in_step, int flip,
                                   float *packed);
ck_winograd_transform ck_winograd_pack_baseline, ck_winograd_pack_avx2, ck_winograd_pack_avx512;

// The weight gradient: one task's tiles, and the sum over the `parts` tasks.
typedef void ck_winograd_correlate(const ck_tiling *w, int task, const ck_slab *in, ck_slab dy, ck_slab y, float *partials,
                                   float *scratch);
typedef void ck_winograd_sum(const ck_tiling *w, int task, const float *partials, int parts, float *dkernel, float *dbias,
                             int accumulate);
ck_winograd_correlate ck_winograd_weights_baseline, ck_winograd_weights_avx2, ck_winograd_weights_avx512;
ck_winograd_sum ck_winograd_reduce_baseline, ck_winograd_reduce_avx2, ck_winograd_reduce_avx512;
