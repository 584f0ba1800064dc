// AMX's instructions on tiles, by the numbers of the eight tile registers: the processor's own, or (EMULATED_AMX) the same in
// plain C, so that what is built on them can be tested where no processor has them.
#pragma once
#include <stdint.h>
#include <string.h>

/// What LDTILECFG reads: of every tile, bytes a row and rows.
typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} ck_tile_config;

#if EMULATED_AMX
#include "conv_bf16.h"

static _Thread_local struct {
  ck_tile_config config;
  uint32_t tile[8][16][16];
} amx;

static inline void tile_configure(const ck_tile_config *config) {
  memset(&amx, 0, sizeof amx);
  amx.config = *config;
}

static inline void tile_release(void) { memset(&amx, 0, sizeof amx); }

static inline void tile_zero(int t) { memset(amx.tile[t], 0, sizeof amx.tile[t]); }

static inline void tile_load(int t, const float *from, ptrdiff_t stride) {
  tile_zero(t);
  for (int r = 0; r < amx.config.rows[t]; r++) memcpy(amx.tile[t][r], from + r * stride, amx.config.bytes[t]);
}

static inline void tile_store(int t, float *to, ptrdiff_t stride) {
  for (int r = 0; r < amx.config.rows[t]; r++) memcpy(to + r * stride, amx.tile[t][r], amx.config.bytes[t]);
}

static inline float tile_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// c [m, n] += a [m, k] · b [k, n], where a and b hold words of two bfloat16.
static inline void tile_multiply(int c, int a, int b) {
  for (int m = 0; m < amx.config.rows[c]; m++)
    for (int k = 0; k < amx.config.bytes[a] / 4; k++)
      for (int n = 0; n < amx.config.bytes[c] / 4; n++) {
        const uint32_t x = amx.tile[a][m][k], y = amx.tile[b][k][n];
        float sum = tile_float(amx.tile[c][m][n]);
        sum += tile_float(x << 16) * tile_float(y << 16);
        sum += tile_float(x & 0xffff0000) * tile_float(y & 0xffff0000);
        memcpy(&amx.tile[c][m][n], &sum, sizeof sum);
      }
}
#else
#include <immintrin.h>

#define tile_configure(config) _tile_loadconfig(config)
#define tile_release() _tile_release()
#define tile_zero(t) _tile_zero(t)
#define tile_load(t, from, stride) _tile_loadd(t, from, (stride) * (ptrdiff_t)sizeof(float))
#define tile_store(t, to, stride) _tile_stored(t, to, (stride) * (ptrdiff_t)sizeof(float))
#define tile_multiply(c, a, b) _tile_dpbf16ps(c, a, b)
#endif
