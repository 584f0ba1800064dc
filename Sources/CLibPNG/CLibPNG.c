#include "CLibPNG.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/// Where libpng's error callback leaves its message and jumps to.
typedef struct {
  jmp_buf jump;
  char *message;
} failure;

static void say(char *message, const char *text) { snprintf(message, CLIBPNG_MESSAGE, "%s", text); }

static void on_error(png_structp png, png_const_charp text) {
  failure *f = png_get_error_ptr(png);
  say(f->message, text);
  longjmp(f->jump, 1);
}

/// Warnings (an odd colour profile, say) do not touch the samples.
static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

// Reading

struct clibpng_reader {
  failure failure;
  png_structp png;
  png_infop info;
  FILE *file;
  const uint8_t *bytes;
  size_t left;
  png_bytepp rows;  // interlaced files only: their passes need every row at once
  clibpng_info size;
};

static void read_bytes(png_structp png, png_bytep out, size_t count) {
  clibpng_reader *r = png_get_io_ptr(png);
  if (r->file) {
    size_t got = fread(out, 1, count, r->file);
    if (got == count) return;
    if (ferror(r->file)) png_error(png, strerror(errno));
  } else if (r->left >= count) {
    memcpy(out, r->bytes, count);
    r->bytes += count;
    r->left -= count;
    return;
  }
  png_error(png, "the file ends before the image does (truncated)");
}

void clibpng_close(clibpng_reader *r) {
  if (!r) return;
  png_destroy_read_struct(&r->png, &r->info, NULL);
  free(r->rows);
  if (r->file) fclose(r->file);
  free(r);
}

clibpng_reader *clibpng_open(const char *path, const uint8_t *bytes, size_t count, uint32_t max_side, uint64_t max_pixels,
                             clibpng_info *info, char message[CLIBPNG_MESSAGE]) {
  clibpng_reader *r = calloc(1, sizeof *r);
  if (!r) return say(message, "out of memory"), NULL;
  r->failure.message = message;
  r->bytes = bytes;
  r->left = count;
  struct stat kind;
  if (path && stat(path, &kind) == 0 && !S_ISREG(kind.st_mode) && !S_ISDIR(kind.st_mode)) {
    say(message, "not a file");  // a pipe would be waited for
    clibpng_close(r);
    return NULL;
  }
  if (path && !(r->file = fopen(path, "rb"))) {
    say(message, strerror(errno));
    clibpng_close(r);
    return NULL;
  }
  r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r->failure, on_error, on_warning);
  r->info = r->png ? png_create_info_struct(r->png) : NULL;
  if (!r->info) {
    say(message, "libpng could not start");
    clibpng_close(r);
    return NULL;
  }
  if (setjmp(r->failure.jump)) {
    clibpng_close(r);
    return NULL;
  }
  png_structp png = r->png;
  png_set_read_fn(png, r, read_bytes);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Our own limits, with a message that names the numbers, instead of libpng's "Invalid IHDR data".
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(png, r->info);

  uint32_t width = png_get_image_width(png, r->info), height = png_get_image_height(png, r->info);
  if (width > max_side || height > max_side || (uint64_t)width * height > max_pixels) {
    snprintf(message, CLIBPNG_MESSAGE, "the header claims %u x %u pixels; at most %u a side and %llu in all are read", width,
             height, max_side, (unsigned long long)max_pixels);
    clibpng_close(r);
    return NULL;
  }
  png_set_expand(png);  // palette → RGB, tRNS → alpha, 1, 2 and 4 bits → 8
  if (png_get_bit_depth(png, r->info) == 16) {
    const uint16_t one = 1;
    if (*(const uint8_t *)&one) png_set_swap(png);
  }
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, r->info);
  r->size = (clibpng_info){.width = width,
                           .height = height,
                           .channels = png_get_channels(png, r->info),
                           .bit_depth = png_get_bit_depth(png, r->info)};
  if (passes > 1 && !(r->rows = malloc(sizeof(png_bytep) * height))) png_error(png, "out of memory");
  *info = r->size;
  return r;
}

int clibpng_read(clibpng_reader *r, uint16_t *samples, char message[CLIBPNG_MESSAGE]) {
  r->failure.message = message;
  const size_t row = (size_t)r->size.width * r->size.channels;
  // 8-bit rows are read into the upper half of their 16-bit place, then widened forwards: a sample is read before it is overwritten.
  const size_t offset = r->size.bit_depth == 8 ? row : 0;
  if (setjmp(r->failure.jump)) return -1;
  if (r->rows) {
    for (size_t y = 0; y < r->size.height; y++) r->rows[y] = (png_bytep)(samples + y * row) + offset;
    png_read_image(r->png, r->rows);
  } else {
    for (size_t y = 0; y < r->size.height; y++) png_read_row(r->png, (png_bytep)(samples + y * row) + offset, NULL);
  }
  png_read_end(r->png, NULL);
  if (r->size.bit_depth == 8) {
    for (size_t y = 0; y < r->size.height; y++) {
      uint16_t *wide = samples + y * row;
      const uint8_t *narrow = (const uint8_t *)wide + offset;
      for (size_t i = 0; i < row; i++) wide[i] = narrow[i];
    }
  }
  return 0;
}

// Writing

typedef struct {
  failure failure;
  uint8_t *bytes;
  size_t count, capacity;
} sink;

static void write_bytes(png_structp png, png_bytep in, size_t count) {
  sink *s = png_get_io_ptr(png);
  if (s->count + count > s->capacity) {
    size_t capacity = 2 * (s->count + count);
    uint8_t *grown = realloc(s->bytes, capacity);
    if (!grown) png_error(png, "out of memory");
    s->bytes = grown;
    s->capacity = capacity;
  }
  memcpy(s->bytes + s->count, in, count);
  s->count += count;
}

static void flush_nothing(png_structp png) { (void)png; }

int clibpng_encode(const uint8_t *rows, uint32_t width, uint32_t height, int channels, int bit_depth, int fast, uint8_t **out,
                   size_t *out_count, char message[CLIBPNG_MESSAGE]) {
  // On the heap: locals changed between setjmp and longjmp are lost.
  sink *s = calloc(1, sizeof *s);
  if (!s) return say(message, "out of memory"), -1;
  s->failure.message = message;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s->failure, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(s->failure.jump)) {
    if (!info) say(message, "libpng could not start");
    png_destroy_write_struct(&png, &info);
    free(s->bytes);
    free(s);
    return -1;
  }
  png_set_write_fn(png, s, write_bytes, flush_nothing);
  png_set_compression_level(png, fast ? 1 : 6);
  png_set_compression_strategy(png, 0);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, fast ? PNG_FILTER_SUB : PNG_ALL_FILTERS);
  png_set_IHDR(png, info, width, height, bit_depth, channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  const size_t row = (size_t)width * channels * (bit_depth / 8);
  for (size_t y = 0; y < height; y++) png_write_row(png, rows + y * row);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  *out = s->bytes;
  *out_count = s->count;
  free(s);
  return 0;
}

void clibpng_free(uint8_t *bytes) { free(bytes); }
