#pragma once
#include <stddef.h>
#include <stdint.h>

// libtiff, loaded at run time: nothing of it is needed to build, and a program without TIFF files never asks for it.

enum { CLIBTIFF_MESSAGE = 256 };

/// A TIFF file that is being read: open, look at the size, then read the samples. Always close.
typedef struct clibtiff_reader clibtiff_reader;

typedef struct {
  uint32_t width, height;
  /// 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
  int channels;
  /// 8 or 16; 32 of labels.
  int bit_depth;
} clibtiff_info;

/// What is read: images of 8 and 16 bits, or label images, which may have 32.
typedef enum { CLIBTIFF_IMAGE, CLIBTIFF_LABELS } clibtiff_kind;

/// The library in use, e.g. "libtiff.so.6"; NULL where none is installed.
const char *clibtiff_library(void);

/// Opens `path` and reads its header: one image of 8 or 16 bits, grey or RGB, with or without alpha, in strips or tiles of any compression
/// that the library knows. A side above `max_side` or more than `max_pixels` pixels fail before anything is allocated for them.
/// Returns NULL with `message` filled where it fails.
clibtiff_reader *clibtiff_open(const char *path, clibtiff_kind kind, uint32_t max_side, uint64_t max_pixels, clibtiff_info *info, char message[CLIBTIFF_MESSAGE]);

/// Reads width · height · channels samples, interleaved, row by row: uint16_t, or uint32_t where bit_depth is 32. Of an image 0 is black whatever
/// the file's way; of labels all is as it is stored.
/// Returns 0, or -1 with `message` filled.
int clibtiff_read(clibtiff_reader *reader, void *samples, char message[CLIBTIFF_MESSAGE]);

void clibtiff_close(clibtiff_reader *reader);
