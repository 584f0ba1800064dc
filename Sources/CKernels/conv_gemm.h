// Weight gradients of transposed 2 × 2 convolutions of stride 2 as matrix products, by OpenBLAS.
//
// Such a convolution takes a coarse tensor x to a fine one with twice its sides. Unfolded, the fine tensor's gradient is a
// matrix U [F·4, H·W] whose row (f, u, v) holds the pixels (2i + u, 2j + v) of channel f. With x as X [G, H·W], the kernel's
// gradient is X · Uᵀ [G, F·4], in the order the kernel has in memory. X is read where it lies, and U made strip by strip, so
// that it stays in the second-level cache.
#pragma once
#include "conv.h"

/// Whether the weight gradient goes by matrix products: a fixed table, and 0 where OpenBLAS is missing or runs on
/// another instruction set than the one in use.
int ck_gemm_suits(const ck_conv *c);

/// See conv.h. Only the weight gradient, and only for what suits.
extern const ck_conv_path ck_conv_gemm;
