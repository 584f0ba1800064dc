// Template of dropout.c, compiled for each instruction set (each_isa.h).

// The random bits of `BLOCKS` Philox blocks. A word rides in a 64-bit lane: the one multiplication all vector units have
// is 32 × 32 → 64 bits in such lanes (pmuludq), and so high and low half are there without shuffles.
static inline __attribute__((always_inline)) void CK_NAME(philox7)(uint32_t first, uint64_t key, uint32_t layer, uint32_t epoch,
                                                                 uint32_t sample, uint32_t *restrict words) {
  for (int b = 0; b < BLOCKS; b++) {
    const uint64_t low = 0xFFFFFFFF;
    uint64_t c0 = (first + (uint32_t)b) & low, c1 = layer, c2 = epoch, c3 = sample, k0 = key & low, k1 = key >> 32;
#pragma clang loop unroll(full)
    for (int round = 0; round < 7; round++) {
      uint64_t p0 = c0 * 0xD2511F53ull, p1 = c2 * 0xCD9E8D57ull;
      c0 = (p1 >> 32) ^ c1 ^ k0;
      c1 = p1 & low;
      c2 = (p0 >> 32) ^ c3 ^ k1;
      c3 = p0 & low;
      k0 = (k0 + 0x9E3779B9ull) & low;
      k1 = (k1 + 0xBB67AE85ull) & low;
    }
    words[4 * b] = (uint32_t)c0;
    words[4 * b + 1] = (uint32_t)c1;
    words[4 * b + 2] = (uint32_t)c2;
    words[4 * b + 3] = (uint32_t)c3;
  }
}

static void CK_NAME(dropout)(const float *x, float *y, int64_t first, int64_t count, float rate, uint64_t key, uint32_t epoch,
                             uint32_t sample, uint32_t layer, int accumulate) {
  const int32_t dropped = threshold(rate);
  const float scale = 1 / (1 - rate);
  for (int64_t begin = 0; begin < count; begin += 8 * BLOCKS) {
    _Alignas(64) uint32_t words[4 * BLOCKS];
    CK_NAME(philox7)((uint32_t)((first + begin) / 8), key, layer, epoch, sample, words);
    const sixteen *bits = (const sixteen *)words;
    const int n = count - begin < 8 * BLOCKS ? (int)(count - begin) : 8 * BLOCKS;
    const float *from = x + begin;
    float *to = y + begin;
    if (accumulate)
      CK_ELEMENTS
      for (int i = 0; i < n; i++) to[i] += from[i] * (bits[i] >= dropped ? scale : 0);
    else
      CK_ELEMENTS
      for (int i = 0; i < n; i++) to[i] = from[i] * (bits[i] >= dropped ? scale : 0);
  }
}

static void CK_NAME(dropout_pairs)(float *words, int64_t first, int64_t second, int64_t count, float rate, uint64_t key, uint32_t epoch,
                                   uint32_t sample, uint32_t layer) {
  const int32_t dropped = threshold(rate);
  const float scale = 1 / (1 - rate);
  for (int64_t begin = 0; begin < count; begin += 8 * BLOCKS) {
    _Alignas(64) uint32_t lower[4 * BLOCKS], upper[4 * BLOCKS];
    CK_NAME(philox7)((uint32_t)((first + begin) / 8), key, layer, epoch, sample, lower);
    CK_NAME(philox7)((uint32_t)((second + begin) / 8), key, layer, epoch, sample, upper);
    const sixteen *low = (const sixteen *)lower, *high = (const sixteen *)upper;
    const int n = count - begin < 8 * BLOCKS ? (int)(count - begin) : 8 * BLOCKS;
    float *at = words + begin;
    // Powers of two leave the lower half of a float as it was: 0.
    CK_ELEMENTS
    for (int i = 0; i < n; i++) {
      const float a = ck_lower(at[i]) * (low[i] >= dropped ? scale : 0), b = ck_upper(at[i]) * (high[i] >= dropped ? scale : 0);
      at[i] = ck_word_of(ck_bits_of(b) | ck_bits_of(a) >> 16);
    }
  }
}

static void CK_NAME(dropout_backward)(float *dy, int64_t count, float rate) {
  const float scale = 1 / (1 - rate);
  CK_ELEMENTS
  for (int64_t i = 0; i < count; i++) dy[i] *= scale;
}

static void CK_NAME(dropout_backward_pairs)(float *words, int64_t count, float rate) {
  const float scale = 1 / (1 - rate);
  CK_ELEMENTS
  for (int64_t i = 0; i < count; i++) {
    const float a = ck_lower(words[i]) * scale, b = ck_upper(words[i]) * scale;
    words[i] = ck_word_of(ck_bits_of(b) | ck_bits_of(a) >> 16);
  }
}
