// Part of the templates that turn a convolution into matrix products of rows of tiles (winograd.inc.h, strided.inc.h,
// enlarged.inc.h).

// 1 where the gate is open, else 0 (CK_FACTOR, of a vector).
INLINE VEC CK_NAME(factor)(const float *gate) { return (VEC)((BITS)(1 - (VEC){0}) & (LOAD_LOOSE(gate) > 0)); }

// The larger of y and `floor`; NaN stays.
INLINE VEC CK_NAME(at_least)(VEC y, float floor) {
  const BITS below = y < floor;
  return (VEC)(((BITS)y & ~below) | ((BITS)(floor - (VEC){0}) & below));
}

// Values of `n` consecutive vectors by turns to n vectors (n a power of two): v[k] holds columns k, n + k, 2n + k …
INLINE void CK_NAME(part)(const float *row, const int n, VEC *v) {
  UNROLL for (int i = 0; i < n; i++) v[i] = LOAD(row + i * CK_LANES);
  UNROLL for (int stage = 1; stage < n; stage *= 2) {
    VEC w[16];
    UNROLL for (int i = 0; i < n / 2; i++) {
      w[i] = EVEN(v[2 * i], v[2 * i + 1]);
      w[n / 2 + i] = ODD(v[2 * i], v[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < n; i++) v[i] = w[i];
  }
}

// The way back. Of as many vectors as they have lanes, the transpose.
INLINE void CK_NAME(interleave)(VEC *v, const int n) {
  UNROLL for (int stage = 1; stage < n; stage *= 2) {
    VEC w[16];
    UNROLL for (int i = 0; i < n / 2; i++) {
      w[2 * i] = ZIP_LOW(v[i], v[n / 2 + i]);
      w[2 * i + 1] = ZIP_HIGH(v[i], v[n / 2 + i]);
    }
    UNROLL for (int i = 0; i < n; i++) v[i] = w[i];
  }
}

// ---- Output channels from input channels -----------------------------------------------------------------------

// M[o, t …] = Σ U[c, o] V[c, t …] for `channels` output channels and `vectors` vectors, both constants.
INLINE void CK_NAME(product)(const int channels, const int vectors, const float *u, const float *v, ptrdiff_t tiles, int depth,
                             float *m) {
  VEC sum[16];
  UNROLL for (int i = 0; i < channels * vectors; i++) sum[i] = (VEC){0};
  for (int c = 0; c < depth; c++) {
    VEC x[4];
    __builtin_prefetch(u + (depth + c) * CK_BLOCK);  // what follows: U comes from L3 (+10 % at 256 channels)
    UNROLL for (int k = 0; k < vectors; k++) x[k] = LOAD(v + c * tiles + k * CK_LANES);
    UNROLL for (int o = 0; o < channels; o++) {
      const VEC weight = u[c * CK_BLOCK + o] - (VEC){0};
      UNROLL for (int k = 0; k < vectors; k++) sum[o * vectors + k] += weight * x[k];
    }
  }
  UNROLL for (int o = 0; o < channels; o++)
    UNROLL for (int k = 0; k < vectors; k++) STORE(m + o * tiles + k * CK_LANES, sum[o * vectors + k]);
}

// All tiles of one position for up to 16 output channels.
static void CK_NAME(position)(const float *u, const float *v, int tiles, int depth, int channels, float *m) {
  int t = 0;
#if CK_LANES == 16
  for (; t + 4 * CK_LANES <= tiles; t += 4 * CK_LANES)
    for (int o = 0; o < channels; o += 4) CK_NAME(product)(4, 4, u + o, v + t, tiles, depth, m + o * tiles + t);
  for (; t + 2 * CK_LANES <= tiles; t += 2 * CK_LANES)
    for (int o = 0; o < channels; o += 8) CK_NAME(product)(8, 2, u + o, v + t, tiles, depth, m + o * tiles + t);
  for (; t < tiles; t += CK_LANES) CK_NAME(product)(16, 1, u, v + t, tiles, depth, m + t);
#else
  for (; t < tiles; t += 2 * CK_LANES)
    for (int o = 0; o < channels; o += 4) CK_NAME(product)(4, 2, u + o, v + t, tiles, depth, m + o * tiles + t);
#endif
}

// ---- Weights from output and input channels ----------------------------------------------------------------------

// Vectors run along tiles here too. BLOCK_OUT × 4 products of a row of dM with a row of V are summed lane by lane, and only
// at the end of the row are lanes added up. (Laying out V by channels instead would need no such sums, but 144 shuffles
// more for the 36 vectors of a channel in Winograd.)

#undef BLOCK_OUT
#undef BLOCK_SIZE
#define BLOCK_OUT (CK_LANES == 16 ? 4 : 2)
#define BLOCK_SIZE (BLOCK_OUT * 4)

// One vector of the sums over the lanes of CK_LANES vectors.
INLINE VEC CK_NAME(lane_sums)(VEC *v) {
  UNROLL for (int n = CK_LANES / 2; n > 0; n /= 2)
    UNROLL for (int i = 0; i < n; i++) v[i] = EVEN(v[2 * i], v[2 * i + 1]) + ODD(v[2 * i], v[2 * i + 1]);
  return v[0];
}

INLINE float CK_NAME(row_sum)(const float *row, int tiles) {
  VEC sum[CK_LANES] = {0};
  for (int t = 0; t < tiles; t += CK_LANES) sum[0] += LOAD(row + t);
  return CK_NAME(lane_sums)(sum)[0];
}

// dU (= or +=) of BLOCK_OUT output channels by `channels` input channels, four at a time.
static void CK_NAME(correlate)(const float *m, const float *v, ptrdiff_t tiles, int channels, float *du, int first) {
  for (int c = 0; c < channels; c += 4, v += 4 * tiles, du += BLOCK_SIZE) {
    VEC sum[BLOCK_SIZE];
    UNROLL for (int i = 0; i < BLOCK_SIZE; i++) sum[i] = (VEC){0};
    for (int t = 0; t < tiles; t += CK_LANES) {
      VEC x[4];
      UNROLL for (int k = 0; k < 4; k++) x[k] = LOAD(v + k * tiles + t);
      UNROLL for (int o = 0; o < BLOCK_OUT; o++) {
        const VEC g = LOAD(m + o * tiles + t);
        UNROLL for (int k = 0; k < 4; k++) sum[o * 4 + k] += g * x[k];
      }
    }
    UNROLL for (int i = 0; i < BLOCK_SIZE; i += CK_LANES) {
      VEC total = CK_NAME(lane_sums)(sum + i);
      if (!first) total += LOAD_LOOSE(du + i);
      STORE_LOOSE(du + i, total);
    }
  }
}

