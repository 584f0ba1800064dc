// Where products of bfloat16 are taken, and with which inner loops.
#include "conv_direct.h"
#include "conv_gemm.h"
#include "conv_pointwise.h"
#include "enlarged.h"
#include "strided.h"
#include "winograd.h"

// One thread of a Zen 5 at about 4 GHz, 2 images (8 where planes are 32² or less), GFLOP/s of the plain sum, float32's fastest →
// bfloat16 by VDPBF16PS, which does twice the multiply–adds (470 at most, less what packing waits for memory):
//
//   3 × 3             1>16 256²   8>8 256²   16>8 256²   16>16 256²   32>32 128²   64>64 64²   128>128 32²
//            forward   71 → 105   211 → 292  265 → 295    344 → 315    527 → 381   668 → 370     662 → 400
//            data      26 →  46   166 → 223  228 → 239    275 → 252    438 → 339   609 → 324     646 → 395
//            weights   36 →  64   141 → 196  202 → 196    237 → 207    376 → 312   463 → 342     499 → 320
//
//   stride 2                     8>16 256²  16>32 256²   32>64 128²  64>128 64²  128>256 32²
//            forward             137 → 239   198 → 270    236 → 305   270 → 328    291 → 359
//            data                129 →  97   184 → 168    256 → 258   264 → 298    279 → 295
//            weights             106 → 153   159 → 195    188 → 221   198 → 289    186 → 223
//
//   transposed 3 × 3            32>16 128²  96>16 128²   192>32 64²  384>64 32²  256>128 16²   128>64 32²
//            forward             213 → 182   256 → 235    294 → 223   277 → 290    312 → 239    307 → 343
//            data                166 → 161   236 → 265    291 → 262   273 → 276    292 → 303    229 → 279
//            weights             148 → 139   205 → 174    230 → 181   213 → 196    214 → 106    213 → 205
//
//   enlarged 2 × 2               16>8 128²  32>16 128²   128>64 32²  256>128 16²
//            forward             196 → 206   327 → 321    593 → 616    677 → 640
//            data                140 → 239   301 → 300    521 → 448    600 → 601
//            weights             177 → 250   285 → 258    516 → 413    537 → 301
//
//   transposed 2 × 2            32>16 128²   64>32 64²   128>64 32²  256>128 16²
//            forward              71 → 108   130 → 223    153 → 245    152 → 269
//            data                 87 → 120   111 → 144    125 → 180    157 → 274
//            weights              61 →  88    95 → 130    111 → 139    146 → 100
//
// Winograd's ways have a quarter of the products, or 81 for 144 at stride 2, and stay in float32: bfloat16's 8 bits do not bear
// the transforms.
//
// One thread of an Emerald Rapids at 2.7 GHz, the best of rounds on a shared machine, float32's fastest → bfloat16 by AMX's tiles (2,700 at
// most; where planes are 128² and more, memory lets through no more than this):
//
//   3 × 3             1>16 256²   8>8 256²   16>8 256²   16>16 256²   32>32 128²   64>64 64²   128>128 32²   256>256 16²
//            forward   51 →  37   127 → 164  172 → 184    226 → 245    355 → 484    433 → 664    480 → 930     379 → 964
//            data      16 →  24    99 → 120  138 → 123    183 → 170    310 → 377    402 → 527    463 → 861     357 → 883
//            weights   26 →  32    96 → 136  130 → 150    153 → 216    208 → 366    243 → 510    273 → 544     246 → 332
//
//   stride 2                     8>16 256²  16>32 256²   32>64 128²  64>128 64²  128>256 32²
//            forward              85 → 145   136 → 272    189 → 389   184 → 502    168 → 797
//            data                 65 →  73   121 → 130    157 → 200   185 → 489    180 → 779
//            weights              60 → 121   107 → 182    136 → 283   138 → 382    125 → 246
//
//   transposed 3 × 3            32>16 128²  96>16 128²   192>32 64²  384>64 32²  256>128 16²   128>64 32²
//            forward             124 → 218   165 → 286    188 → 443   170 → 656    179 → 844    198 → 498
//            data                 94 → 194   152 → 295    179 → 507   188 → 572    146 → 727    160 → 340
//            weights              82 → 144   126 → 236    129 → 390   151 → 409    134 → 202    129 → 252
//
//   enlarged 2 × 2               16>8 128²  32>16 128²   128>64 32²  256>128 16²
//            forward             182 → 206   241 → 371    460 → 1050   516 → 1426
//            data                144 → 173   201 → 320    415 → 692    463 → 1173
//            weights             160 → 139   206 → 250    330 → 497    358 → 304
//
//   transposed 2 × 2            32>16 128²   64>32 64²   128>64 32²  256>128 16²
//            forward              60 → 114    78 → 197     88 → 396    94 → 600
//            data                 49 →  96    69 → 186     77 → 247    93 → 479
//            weights              43 →  69    68 → 112     78 → 199    96 → 182
//
// Without either instruction bfloat16 gains nothing, and is there to be compared with.
static int suits(const ck_conv *c, ck_conv_pass pass) {
  enum { enough_channels = 16 };
  if (ck_pointwise_suits(c)) return 0;
  ck_isa isa = ck_isa_current();
  if (isa < CK_ISA_AVX512BF16) return 1;
  if (isa == CK_ISA_AMX) return 1;
  if (ck_winograd_suits(c) || ck_enlarged_suits(c)) return ck_min(c->in_channels, c->out_channels) < enough_channels;
  if (ck_strided_suits(c)) return c->kind == CK_CONV && pass != CK_BACKWARD_DATA;
  return !(pass == CK_BACKWARD_WEIGHTS && ck_gemm_suits(c) && c->in_channels >= 256);
}

ck_precision ck_conv_products(const ck_conv *c, ck_conv_pass pass) {
  if (c->precision == CK_FLOAT32) return CK_FLOAT32;
  return ck_isa_current() == CK_ISA_REFERENCE || suits(c, pass) ? CK_BFLOAT16 : CK_FLOAT32;
}

const ck_conv_kernels *ck_conv_bf16_current(void) {
#if defined(__x86_64__)
  switch (ck_isa_current()) {
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
