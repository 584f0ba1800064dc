// A 2 × 2 convolution of an image enlarged twice by nearest neighbour, with four products an input pixel where the plain
// sum takes sixteen and the sum over equal pixels nine.
//
// In one dimension the outputs of pixel x₀ with right neighbour x₁ are x₀(k₀ + k₁) and x₀k₀ + x₁k₁ = x₀(k₀ + k₁) + (x₁ − x₀)k₁:
// two products for two outputs. In two dimensions, with the pixel's differences V to the right, below and both, and the
// kernel's sums K, M[p] = K[p] · V[p] gives the four outputs as sums of M. The other way each dx is Σ k[u,v] · D[u,v], where
// D[u,v] is the sum of the 2 × 2 pixels of dy that begin at (2i − u, 2j − v); and dk[u,v] = Σ D[u,v] · x.
#pragma once
#include "tiling.h"

/// Whether this convolution goes this way: CK_CONV_NEAREST2, 2 × 2, no padding before, twice the sides, whole vectors.
int ck_enlarged_suits(const ck_conv *c);

/// All passes. See conv.h.
extern const ck_conv_path ck_conv_enlarged;

// One task of a pass, for each instruction set (enlarged.inc.h). Packed weights: forward K [Cout/16, 4, Cin, 16], back
// k [Cin/16, Cout · 4, 16].
typedef void ck_enlarged_run(const ck_tiling *t, int task, ck_operands io, float *scratch);
ck_enlarged_run ck_enlarged_forward_baseline, ck_enlarged_forward_avx2, ck_enlarged_forward_avx512;
ck_enlarged_run ck_enlarged_back_baseline, ck_enlarged_back_avx2, ck_enlarged_back_avx512;

typedef void ck_enlarged_correlate(const ck_tiling *t, int task, const ck_slab *in, ck_slab dy, ck_slab y, float *partials,
                                   float *scratch);
typedef void ck_enlarged_sum(const ck_tiling *t, int task, const float *partials, float *dkernel, float *dbias, int accumulate);
ck_enlarged_correlate ck_enlarged_weights_baseline, ck_enlarged_weights_avx2, ck_enlarged_weights_avx512;
ck_enlarged_sum ck_enlarged_reduce_baseline, ck_enlarged_reduce_avx2, ck_enlarged_reduce_avx512;
