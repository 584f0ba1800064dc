#pragma once
#include <stddef.h>
#include <stdint.h>

// libpng reports errors by longjmp, which must not cross Swift frames. Every jump of this shim starts and ends in
// CLibPNG.c; the callers see return values (0 good, -1 failed) and one message of what went wrong. Nothing is printed.

enum { CLIBPNG_MESSAGE = 256 };

/// A PNG file that is being read: open, look at the size, then read the samples. Always close.
typedef struct clibpng_reader clibpng_reader;

/// What the header says, after the palette and transparency are expanded.
typedef struct {
  uint32_t width, height;
  /// 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
  int channels;
  /// 8 (also for files of 1, 2 and 4 bits, spread over 0…255) or 16.
  int bit_depth;
} clibpng_info;

/// Opens `path`, or `count` bytes in memory where `path` is NULL (the bytes must outlive the reader), and reads the header.
/// A side above `max_side` or more than `max_pixels` pixels fail before anything is allocated for them.
/// Returns NULL with `message` filled where it fails.
clibpng_reader *clibpng_open(const char *path, const uint8_t *bytes, size_t count, uint32_t max_side, uint64_t max_pixels,
                             clibpng_info *info, char message[CLIBPNG_MESSAGE]);

/// Reads width · height · channels samples, interleaved, row by row, and checks the file to its end.
int clibpng_read(clibpng_reader *reader, uint16_t *samples, char message[CLIBPNG_MESSAGE]);

void clibpng_close(clibpng_reader *reader);

/// Encodes `height` rows of packed big-endian samples: `channels` 1 or 3, `bit_depth` 8 or 16. The same input gives the same
/// bytes: compression settings are fixed, those for small files or the `fast` ones, and no time is written. `*out` is to be freed with clibpng_free.
int clibpng_encode(const uint8_t *rows, uint32_t width, uint32_t height, int channels, int bit_depth, int fast, uint8_t **out,
                   size_t *out_count, char message[CLIBPNG_MESSAGE]);

void clibpng_free(uint8_t *bytes);
