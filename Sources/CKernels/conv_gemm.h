// Weight gradients of convolutions of stride 2 as matrix products, by OpenBLAS.
//
// Such a convolution joins a coarse tensor (x of a transposed convolution, dy of a plain one) to a fine one with twice its
// sides. Unfolded, the fine tensor is a matrix U [F·k·k, H·W] whose row (f, u, v) holds the pixels (2i + u, 2j + v) of channel f.
// With the coarse tensor X [G, H·W], the kernel's gradient is X · Uᵀ [G, F·k·k], in the order the kernel has in memory.
// X is read where it lies, and U made strip by strip, so that it stays in the second-level cache.
#pragma once
#include "conv.h"

/// Whether the weight gradient goes by matrix products: a fixed table, and 0 where OpenBLAS is missing or runs on
/// another instruction set than the one in use.
int ck_gemm_suits(const ck_conv *c);

/// See conv.h. Only the weight gradient, and only for what suits.
extern const ck_conv_path ck_conv_gemm;
