// Makes calls on files below one folder fail: preloaded into the runner (LD_PRELOAD) by faults.py.
//
//   FAULT_BELOW    the folder; calls elsewhere are let through
//   FAULT_LOG      a file elsewhere that gains a line "number call path" for each call that was counted
//   FAULT_AT       which call fails, counted from 1; 0: none
//   FAULT_KIND     ENOSPC (what needs room on the disk; a write first writes half), EIO (anything), SHORT (a write writes half, and says so)
//   FAULT_LASTING  1: every such call from there on; 0: that one alone
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef enum { PASS, FAIL, HALF } verdict;

static atomic_int calls, full;

static int below(const char *path) {
  const char *folder = getenv("FAULT_BELOW");
  size_t length = folder ? strlen(folder) : 0;
  return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

// Counts the call, writes it down, and says what becomes of it. `needs_room`: whether a full disk refuses it.
static verdict judge(const char *call, const char *path, int needs_room) {
  if (!below(path)) return PASS;
  int number = atomic_fetch_add(&calls, 1) + 1;
  const char *log = getenv("FAULT_LOG"), *kind = getenv("FAULT_KIND");
  if (log) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%d %s %s\n", number, call, path + strlen(getenv("FAULT_BELOW")));
    long file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
  }
  int at = atoi(getenv("FAULT_AT") ?: "0"), lasting = atoi(getenv("FAULT_LASTING") ?: "0"), is_write = !strcmp(call, "write");
  if (!at || !kind) return PASS;
  int hit = lasting ? number >= at : number == at;
  if (!strcmp(kind, "SHORT")) return hit && is_write ? HALF : PASS;
  if (!strcmp(kind, "ENOSPC")) {
    // The other half of a write that ran into the disk's end.
    if (is_write && atomic_exchange(&full, 0)) { errno = ENOSPC; return FAIL; }
    if (!hit || !needs_room) return PASS;
    if (is_write) { atomic_store(&full, 1); return HALF; }
    errno = ENOSPC;
    return FAIL;
  }
  if (hit) { errno = EIO; return FAIL; }
  return PASS;
}

static verdict judge_file(const char *call, int file, int needs_room) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return PASS;
  path[length] = 0;
  return judge(call, path, needs_room);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int open_at(int folder, const char *path, int flags, mode_t mode) {
  if (judge(flags & O_CREAT ? "create" : "open", path, (flags & O_CREAT) && access(path, F_OK)) != PASS) return -1;
  return syscall(SYS_openat, folder, path, flags, mode);
}
#define OPEN(name, ...)                                    \
  int name(__VA_ARGS__ const char *path, int flags, ...) { \
    va_list rest;                                          \
    va_start(rest, flags);                                 \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                          \
    return open_at(FOLDER, path, flags, mode);             \
  }
#define FOLDER AT_FDCWD
OPEN(open, )
OPEN(open64, )
#undef FOLDER
#define FOLDER folder
#define COMMA ,
OPEN(openat, int folder COMMA)
OPEN(openat64, int folder COMMA)

ssize_t write(int file, const void *bytes, size_t count) {
  verdict v = file > 2 ? judge_file("write", file, 1) : PASS;
  if (v == FAIL) return -1;
  return NEXT(write)(file, bytes, v == HALF && count > 1 ? count / 2 : count);
}
int fsync(int file) { return judge_file("fsync", file, 0) == PASS ? NEXT(fsync)(file) : -1; }
int fdatasync(int file) { return judge_file("fsync", file, 0) == PASS ? NEXT(fdatasync)(file) : -1; }
int ftruncate(int file, off_t length) { return judge_file("truncate", file, 0) == PASS ? NEXT(ftruncate)(file, length) : -1; }
int rename(const char *from, const char *to) { return judge("rename", to, 0) == PASS ? NEXT(rename)(from, to) : -1; }
int mkdir(const char *path, mode_t mode) { return judge("mkdir", path, 1) == PASS ? NEXT(mkdir)(path, mode) : -1; }
int unlink(const char *path) { return judge("unlink", path, 0) == PASS ? NEXT(unlink)(path) : -1; }
int rmdir(const char *path) { return judge("rmdir", path, 0) == PASS ? NEXT(rmdir)(path) : -1; }
int link(const char *from, const char *to) { return judge("link", to, 1) == PASS ? NEXT(link)(from, to) : -1; }
int linkat(int a, const char *from, int b, const char *to, int flags) {
  return judge("link", to, 1) == PASS ? NEXT(linkat)(a, from, b, to, flags) : -1;
}
