// 1 × 1 convolutions to a few channels: the heads. They do a few multiply–adds for every float they read, so memory sets
// their pace, and packing planes as the direct path does costs as much again. Planes are read where they lie, each once.
#pragma once
#include "conv.h"

int ck_pointwise_suits(const ck_conv *c);

/// See conv.h. Only for what suits.
extern const ck_conv_path ck_conv_pointwise;
