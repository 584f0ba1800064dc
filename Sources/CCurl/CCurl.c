#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

// Of curl.h, whose headers are not needed to build; libcurl has kept these numbers since version 7.9.
enum {
  OPTION_WRITE_DATA = 10001, OPTION_URL = 10002, OPTION_ERROR_BUFFER = 10010, OPTION_LOW_SPEED_LIMIT = 19, OPTION_LOW_SPEED_TIME = 20,
  OPTION_HEADERS = 10023, OPTION_HEADER_DATA = 10029, OPTION_FOLLOW = 52, OPTION_MAX_REDIRECTS = 68, OPTION_CONNECT_TIMEOUT = 78,
  OPTION_NO_SIGNAL = 99, OPTION_PROTOCOLS = 181, OPTION_REDIRECT_PROTOCOLS = 182, OPTION_WRITE_FUNCTION = 20011,
  OPTION_HEADER_FUNCTION = 20079,
};
enum { GLOBAL_DEFAULT = 3, HTTP_AND_HTTPS = 3, QUIET_SECONDS = 60 };

static struct {
  void *(*init)(void);
  int (*set)(void *easy, int option, ...);
  int (*perform)(void *easy);
  void (*cleanup)(void *easy);
  const char *(*explain)(int code);
  void *(*append)(void *list, const char *text);
  void (*free_list)(void *list);
} curl;
static int available;

static void load(void) {
#if defined(__APPLE__)
  void *handle = dlopen("libcurl.4.dylib", RTLD_NOW | RTLD_LOCAL);
#else
  void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!handle) handle = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
#endif
  if (!handle) return;
  int (*global_init)(long) = (int (*)(long))dlsym(handle, "curl_global_init");
  curl.init = (void *(*)(void))dlsym(handle, "curl_easy_init");
  curl.set = (int (*)(void *, int, ...))dlsym(handle, "curl_easy_setopt");
  curl.perform = (int (*)(void *))dlsym(handle, "curl_easy_perform");
  curl.cleanup = (void (*)(void *))dlsym(handle, "curl_easy_cleanup");
  curl.explain = (const char *(*)(int))dlsym(handle, "curl_easy_strerror");
  curl.append = (void *(*)(void *, const char *))dlsym(handle, "curl_slist_append");
  curl.free_list = (void (*)(void *))dlsym(handle, "curl_slist_free_all");
  available = global_init && curl.init && curl.set && curl.perform && curl.cleanup && curl.explain && curl.append && curl.free_list &&
              global_init(GLOBAL_DEFAULT) == 0;
}

int ccurl_available(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return available;
}

typedef struct {
  ccurl_sink *sink;
  void *context;
} receiver;

// curl takes any other number than that of the bytes it gave as the wish to stop.
static size_t receive(char *bytes, size_t size, size_t count, void *data) {
  const receiver *r = data;
  return r->sink(r->context, bytes, size * count) == 0 ? size * count : size * count + 1;
}

int ccurl_get(const char *url, const char *const *fields, size_t field_count, ccurl_sink *head, ccurl_sink *body, void *context,
              char message[256]) {
  snprintf(message, 256, "libcurl cannot be used");
  void *easy = ccurl_available() ? curl.init() : NULL;
  if (!easy) return -1;
  message[0] = 0;
  receiver to_head = {head, context}, to_body = {body, context};
  void *list = NULL;
  for (size_t i = 0; i < field_count; i++) list = curl.append(list, fields[i]);
  curl.set(easy, OPTION_URL, url);
  curl.set(easy, OPTION_HEADERS, list);
  curl.set(easy, OPTION_ERROR_BUFFER, message);
  curl.set(easy, OPTION_HEADER_FUNCTION, receive);
  curl.set(easy, OPTION_HEADER_DATA, &to_head);
  curl.set(easy, OPTION_WRITE_FUNCTION, receive);
  curl.set(easy, OPTION_WRITE_DATA, &to_body);
  curl.set(easy, OPTION_FOLLOW, 1L);
  curl.set(easy, OPTION_MAX_REDIRECTS, 10L);
  curl.set(easy, OPTION_PROTOCOLS, (long)HTTP_AND_HTTPS);
  curl.set(easy, OPTION_REDIRECT_PROTOCOLS, (long)HTTP_AND_HTTPS);
  curl.set(easy, OPTION_CONNECT_TIMEOUT, (long)QUIET_SECONDS);
  curl.set(easy, OPTION_LOW_SPEED_LIMIT, 1L);
  curl.set(easy, OPTION_LOW_SPEED_TIME, (long)QUIET_SECONDS);
  curl.set(easy, OPTION_NO_SIGNAL, 1L);  // there are threads
  const int code = curl.perform(easy);
  if (code != 0 && !message[0]) snprintf(message, 256, "%s", curl.explain(code));
  curl.free_list(list);
  curl.cleanup(easy);
  return code;
}
