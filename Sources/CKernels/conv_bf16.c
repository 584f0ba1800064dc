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
// One thread of an Emerald Rapids at 2.7 GHz, the best of two runs' rounds on a shared machine, float32's fastest → bfloat16 by AMX's tiles
// (2,700 at most; where planes are 128² and more, memory lets through no more than this):
//
//   3 × 3                 1>16 256²      8>8 256²     16>8 256²    16>16 256²    32>32 128²     64>64 64²   128>128 32²   256>256 16²
//            forward      46 →   36    135 →  166    163 →  193    208 →  305    343 →  482    445 →  695    474 →  906    367 →  989
//            data         15 →   23    106 →  111    137 →  124    179 →  196    297 →  354    412 →  540    453 →  845    356 →  956
//            weights      26 →   34     98 →  142    123 →  156    145 →  244    206 →  380    258 →  524    256 →  571    255 →  307
//
//   stride 2              8>16 256²    16>32 256²    32>64 128²    64>128 64²   128>256 32²
//            forward      84 →  129    134 →  243    194 →  401    183 →  484    174 →  777
//            data         75 →   60    120 →  127    176 →  255    198 →  542    193 →  746
//            weights      63 →  110    107 →  168    139 →  290    135 →  334    121 →  206
//
//   transposed 3 × 3     32>16 128²    96>16 128²    192>32 64²    384>64 32²   256>128 16²    128>64 32²
//            forward     141 →  223    169 →  276    194 →  454    170 →  690    184 →  758    212 →  572
//            data        109 →  171    155 →  271    194 →  497    191 →  582    162 →  660    164 →  367
//            weights      97 →  147    123 →  243    140 →  375    158 →  404    143 →  182    135 →  278
//
//   enlarged 2 × 2        16>8 128²    32>16 128²    128>64 32²   256>128 16²
//            forward     176 →  182    270 →  374    442 → 1008    512 → 1338
//            data        159 →  139    245 →  274    423 →  651    495 → 1176
//            weights     157 →  122    228 →  245    316 →  479    357 →  311
//
//   transposed 2 × 2     32>16 128²     64>32 64²    128>64 32²   256>128 16²
//            forward      61 →  107     80 →  228     89 →  388     95 →  572
//            data         51 →   87     72 →  170     77 →  228     93 →  431
//            weights      42 →   66     68 →  112     77 →  194     99 →  178
//
// Without either instruction bfloat16 gains nothing, and is there to be compared with.
static int suits(const ck_conv *c, ck_conv_pass pass) {
  enum { enough_channels = 16 };
  if (ck_pointwise_suits(c)) return 0;
  ck_isa isa = ck_isa_current();
  if (isa < CK_ISA_AVX512BF16 || isa == CK_ISA_AMX) return 1;
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
