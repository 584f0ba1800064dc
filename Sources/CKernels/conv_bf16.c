// Where products of bfloat16 are taken, and with which inner loops.
#include "conv_direct.h"
#include "conv_pointwise.h"
#include "enlarged.h"
#include "winograd.h"

// One thread of a Zen 5 at about 4 GHz, 2 images (8 where planes are 32² or less), GFLOP/s of the plain sum, float32 → bfloat16
// by VDPBF16PS, which does twice the multiply–adds (470 at most):
//
//            3×3   1>16 256²   8>8 256²   16>8 256²   16>16 256²   32>32 128²   64>64 64²   128>128 32²
//   forward         71 → 105   211 → 292  265 → 295   344 → 315    527 → 381    668 → 370    662 → 400
//   data            26 →  46   166 → 223  228 → 239   275 → 252    438 → 339    609 → 324    646 → 395
//   weights         36 →  64   141 → 196  202 → 196   237 → 207    376 → 312    463 → 342    499 → 320
//
//          stride 2  16>32 256²   32>64 128²  64>128 64²  128>256 32²   transposed 32>16 128²  128>16 128²  256>32 64²
//   forward         117 → 285     163 → 325   187 → 296   186 → 341               130 → 218    111 → 223    105 → 255
//   data             89 → 166     130 → 253   144 → 305   157 → 270               109 → 194    134 → 291    127 → 345
//   weights         100 → 214     157 → 253   175 → 304   154 → 202                99 → 151    119 → 201    138 → 235
//
//   enlarged 2×2  16>8 128²   32>16 128²   128>64 32²   256>128 16²   transposed 2×2  32>16 128²   256>128 16²
//   forward      196 → 206    327 → 321    593 → 616    677 → 640                      95 → 125    157 → 327
//   data         140 → 239    301 → 300    521 → 448    600 → 601                      88 → 116    152 → 315
//   weights      177 → 250    285 → 258    516 → 413    537 → 301                      62 →  91    144 → 141
//
// So products of tiles, a quarter as many, stay in float32 from 16 channels on: Winograd's transforms would lose too much of
// bfloat16's 8 bits. AMX has 8 times VDPBF16PS's products and should win everywhere by its peak; no processor with it was there to
// measure. Its weight gradient is VDPBF16PS's. Without either, bfloat16 gains nothing and is there to be compared with.
static int suits(const ck_conv *c, ck_conv_pass pass) {
  enum { enough_channels = 16 };
  if (ck_pointwise_suits(c)) return 0;
  ck_isa isa = ck_isa_current();
  if (isa < CK_ISA_AVX512BF16 || (isa == CK_ISA_AMX && pass != CK_BACKWARD_WEIGHTS)) return 1;
  int by_tiles = ck_winograd_suits(c) || ck_enlarged_suits(c);
  return !by_tiles || ck_min(c->in_channels, c->out_channels) < enough_channels;
}

ck_precision ck_conv_products(const ck_conv *c, ck_conv_pass pass) {
  if (c->precision == CK_FLOAT32) return CK_FLOAT32;
  return ck_isa_current() == CK_ISA_REFERENCE || suits(c, pass) ? CK_BFLOAT16 : CK_FLOAT32;
}

const ck_conv_kernels *ck_conv_bf16_current(void) {
#if defined(__x86_64__)
  switch (ck_isa_current()) {
  case CK_ISA_AMX:
    return ck_isa_emulates_amx() ? &ck_conv_bf16_amx_emulated : &ck_conv_bf16_amx;
  case CK_ISA_AVX512BF16:
    return &ck_conv_bf16_avx512bf16;
  case CK_ISA_AVX512:
    return &ck_conv_bf16_avx512;
  case CK_ISA_AVX2:
    return &ck_conv_bf16_avx2;
  default:
    break;
  }
#endif
  return &ck_conv_bf16_baseline;
}
