#include "CLibTIFF.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is used of libtiff's interface, which has kept its names and types since version 4.0 (tiffio.h, tiff.h).

typedef struct tiff TIFF;
typedef void (*error_handler)(const char *module, const char *format, va_list arguments);

enum {
  IMAGE_WIDTH = 256, IMAGE_LENGTH = 257, BITS_PER_SAMPLE = 258, PHOTOMETRIC = 262, SAMPLES_PER_PIXEL = 277, PLANAR_CONFIG = 284,
  TILE_WIDTH = 322, TILE_LENGTH = 323, SAMPLE_FORMAT = 339,
};
enum { MIN_IS_WHITE = 0, MIN_IS_BLACK = 1, RGB = 2 };
enum { CONTIGUOUS = 1, SEPARATE = 2 };
enum { UNSIGNED = 1 };

static struct {
  const char *name;
  TIFF *(*open)(const char *path, const char *mode);
  void (*close)(TIFF *);
  int (*field)(TIFF *, uint32_t tag, ...);
  int (*field_or_default)(TIFF *, uint32_t tag, ...);
  int (*is_tiled)(TIFF *);
  int (*last_directory)(TIFF *);
  int64_t (*scanline_size)(TIFF *);
  int64_t (*tile_size)(TIFF *);
  int (*read_scanline)(TIFF *, void *row, uint32_t y, uint16_t sample);
  int64_t (*read_tile)(TIFF *, void *tile, uint32_t x, uint32_t y, uint32_t z, uint16_t sample);
  error_handler (*set_error_handler)(error_handler);
  error_handler (*set_warning_handler)(error_handler);
} tiff;

/// The first of what this thread's calls complained of; what follows is mostly its consequence.
static _Thread_local char complaint[CLIBTIFF_MESSAGE];

static void on_error(const char *module, const char *format, va_list arguments) {
  (void)module;
  if (!complaint[0]) vsnprintf(complaint, sizeof complaint, format, arguments);
}

static void load(void) {
  static const char *const names[] = {"libtiff.so.6", "libtiff.so.5", "libtiff.6.dylib", "libtiff.dylib"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    void *handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle) continue;
    void **const places[] = {
        (void **)&tiff.open, (void **)&tiff.close, (void **)&tiff.field, (void **)&tiff.field_or_default, (void **)&tiff.is_tiled,
        (void **)&tiff.last_directory, (void **)&tiff.scanline_size, (void **)&tiff.tile_size, (void **)&tiff.read_scanline,
        (void **)&tiff.read_tile, (void **)&tiff.set_error_handler, (void **)&tiff.set_warning_handler};
    static const char *const symbols[] = {
        "TIFFOpen", "TIFFClose", "TIFFGetField", "TIFFGetFieldDefaulted", "TIFFIsTiled", "TIFFLastDirectory", "TIFFScanlineSize",
        "TIFFTileSize", "TIFFReadScanline", "TIFFReadTile", "TIFFSetErrorHandler", "TIFFSetWarningHandler"};
    int complete = 1;
    for (size_t s = 0; s < sizeof symbols / sizeof *symbols; s++) complete &= (*places[s] = dlsym(handle, symbols[s])) != NULL;
    if (!complete) continue;
    tiff.set_error_handler(on_error);
    tiff.set_warning_handler(NULL);  // unknown tags of microscopes, say: they do not touch the samples
    tiff.name = names[i];
    return;
  }
}

const char *clibtiff_library(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return tiff.name;
}

struct clibtiff_reader {
  TIFF *file;
  clibtiff_info size;
  int is_separate, is_inverted;
};

static int fail(char *message, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, CLIBTIFF_MESSAGE, format, arguments);
  va_end(arguments);
  return -1;
}

void clibtiff_close(clibtiff_reader *r) {
  if (!r) return;
  if (r->file) tiff.close(r->file);
  free(r);
}

/// Checks the header and fills `r`; -1 with `message` where it is nothing this shim reads.
static int inspect(clibtiff_reader *r, clibtiff_kind kind, uint32_t max_side, uint64_t max_pixels, char *message) {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, planes = CONTIGUOUS, format = UNSIGNED, photometric = 0xFFFF;
  if (!tiff.field(r->file, IMAGE_WIDTH, &width) || !tiff.field(r->file, IMAGE_LENGTH, &height) || !width || !height)
    return fail(message, "TIFF without a size");
  if (width > max_side || height > max_side || (uint64_t)width * height > max_pixels)
    return fail(message, "the header claims %u x %u pixels; at most %u a side and %llu in all are read", width, height, max_side, (unsigned long long)max_pixels);
  tiff.field_or_default(r->file, BITS_PER_SAMPLE, &bits);
  tiff.field_or_default(r->file, SAMPLES_PER_PIXEL, &samples);
  tiff.field_or_default(r->file, PLANAR_CONFIG, &planes);
  tiff.field_or_default(r->file, SAMPLE_FORMAT, &format);
  tiff.field(r->file, PHOTOMETRIC, &photometric);
  const int is_wide = kind == CLIBTIFF_LABELS && bits == 32 && samples == 1;
  if ((bits != 8 && bits != 16 && !is_wide) || format != UNSIGNED)
    return fail(message, "TIFF of %u bits a sample%s; accepted: 8 and 16%s, unsigned", bits, format == UNSIGNED ? "" : " (signed or float)",
                kind == CLIBTIFF_LABELS ? ", and 32 in grey" : "");
  if (photometric != MIN_IS_WHITE && photometric != MIN_IS_BLACK && photometric != RGB)
    return fail(message, "TIFF with colours of kind %u (a palette, or a camera's); accepted: grey and RGB", photometric);
  const int expected = photometric == RGB ? 3 : 1;
  if (samples != expected && samples != expected + 1)
    return fail(message, "TIFF of %u samples a pixel; accepted: grey and RGB, with or without alpha", samples);
  if (!tiff.last_directory(r->file)) return fail(message, "TIFF of several pages; one image a file is read (tiffsplit takes them apart)");
  r->is_separate = samples > 1 && planes == SEPARATE;
  r->is_inverted = photometric == MIN_IS_WHITE && kind == CLIBTIFF_IMAGE;  // a label is the number that is stored
  r->size = (clibtiff_info){.width = width, .height = height, .channels = samples, .bit_depth = bits};
  return 0;
}

clibtiff_reader *clibtiff_open(const char *path, clibtiff_kind kind, uint32_t max_side, uint64_t max_pixels, clibtiff_info *info,
                               char message[CLIBTIFF_MESSAGE]) {
  if (!clibtiff_library()) return fail(message, "TIFF files are read by libtiff (libtiff.so.6 or .5), which is not installed here"), NULL;
  clibtiff_reader *r = calloc(1, sizeof *r);
  if (!r) return fail(message, "out of memory"), NULL;
  complaint[0] = 0;
  errno = 0;
  r->file = tiff.open(path, "rm");  // m: a file that shrinks while it is mapped would end the process
  int failed = r->file ? inspect(r, kind, max_side, max_pixels, message)
                       : fail(message, "%s", complaint[0] ? complaint : errno ? strerror(errno) : "not a TIFF file");
  if (failed) return clibtiff_close(r), NULL;
  *info = r->size;
  return r;
}

/// One decoded row of `count` samples, from `place` on every `step`-th of `samples`.
static void spread(const clibtiff_reader *r, const void *row, size_t count, void *samples, size_t place, size_t step) {
  const uint32_t flip = r->is_inverted ? 0xFFFFFFFF : 0;
  uint16_t *out = (uint16_t *)samples + place;
  if (r->size.bit_depth == 32) {
    uint32_t *wide = (uint32_t *)samples + place;
    for (size_t i = 0; i < count; i++) wide[i * step] = ((const uint32_t *)row)[i] ^ flip;
  } else if (r->size.bit_depth == 16) {
    for (size_t i = 0; i < count; i++) out[i * step] = ((const uint16_t *)row)[i] ^ (uint16_t)flip;
  } else {
    for (size_t i = 0; i < count; i++) out[i * step] = ((const uint8_t *)row)[i] ^ (uint8_t)flip;
  }
}

int clibtiff_read(clibtiff_reader *r, void *samples, char message[CLIBTIFF_MESSAGE]) {
  const size_t width = r->size.width, height = r->size.height, channels = r->size.channels, bytes = r->size.bit_depth / 8;
  // Samples that stand together in the file, and how often a plane of them comes.
  const size_t together = r->is_separate ? 1 : channels, planes = r->is_separate ? channels : 1;
  const int is_tiled = tiff.is_tiled(r->file);
  uint32_t tile_width = width, tile_height = 1;
  if (is_tiled && (!tiff.field(r->file, TILE_WIDTH, &tile_width) || !tiff.field(r->file, TILE_LENGTH, &tile_height) || !tile_width || !tile_height))
    return fail(message, "TIFF with tiles of no size");
  const int64_t stated = is_tiled ? tiff.tile_size(r->file) : tiff.scanline_size(r->file);
  // A hostile header can ask for a tile of any size: no more than the whole image and a tile's rounding up is honest.
  const uint64_t needed = (uint64_t)tile_width * tile_height * together * bytes;
  if (stated <= 0 || (uint64_t)stated != needed || needed > ((uint64_t)width + 4096) * (is_tiled ? height + 4096 : 1) * together * bytes)
    return fail(message, "TIFF whose tiles or rows do not fit its size");
  uint8_t *buffer = malloc(needed);
  if (!buffer) return fail(message, "out of memory");
  complaint[0] = 0;
  int failed = 0;
  for (size_t plane = 0; plane < planes && !failed; plane++) {
    for (uint32_t y = 0; y < height && !failed; y += tile_height) {
      for (uint32_t x = 0; x < width && !failed; x += tile_width) {
        failed = is_tiled ? tiff.read_tile(r->file, buffer, x, y, 0, plane) < 0 : tiff.read_scanline(r->file, buffer, y, plane) < 0;
        const size_t rows = height - y < tile_height ? height - y : tile_height, columns = width - x < tile_width ? width - x : tile_width;
        for (size_t row = 0; row < rows && !failed; row++) {
          const uint8_t *from = buffer + row * tile_width * together * bytes;
          spread(r, from, columns * together, samples, ((y + row) * width + x) * channels + plane, r->is_separate ? channels : 1);
        }
      }
    }
  }
  free(buffer);
  return failed ? fail(message, "%s", complaint[0] ? complaint : "the file ends before the image does") : 0;
}
