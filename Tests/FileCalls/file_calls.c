// Notes the calls that make files durable, and lets one of them fail. Preloaded into the tools by DurabilityTests.
//
// PKM_FILE_CALLS names the log: a line for each call, with its paths after tabs. Only what lies below PKM_FILE_ROOT is
// noted. PKM_FILE_FAULT=fsync:3 makes the third fsync fail with EIO.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int calls[3];
static const char *const names[] = {"fsync", "rename", "exchange"};

static int is_below_root(const char *path) {
  const char *root = getenv("PKM_FILE_ROOT");
  return root && strncmp(path, root, strlen(root)) == 0;
}

static void note(const char *what, const char *path, const char *other) {
  const char *log = getenv("PKM_FILE_CALLS");
  char line[2 * PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", what, path, other);
  int saved = errno;
  int file = log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (file >= 0) {
    syscall(SYS_write, file, line, (size_t)length);
    close(file);
  }
  errno = saved;
}

// Whether this call has to fail.
static int fails(int kind) {
  const char *fault = getenv("PKM_FILE_FAULT");
  int number = atomic_fetch_add(&calls[kind], 1) + 1;
  size_t length = strlen(names[kind]);
  return fault && strncmp(fault, names[kind], length) == 0 && fault[length] == ':' &&
         atoi(fault + length + 1) == number;
}

// The path of an open file; empty if it has none below the root.
static void path_of(int file, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length > 0 ? length : 0] = 0;
  if (!is_below_root(path)) path[0] = 0;
}

int fsync(int file) {
  char path[PATH_MAX];
  path_of(file, path);
  if (path[0] && fails(0)) return note("failed fsync", path, ""), errno = EIO, -1;
  int result = (int)syscall(SYS_fsync, file);
  if (path[0]) note(result == 0 ? "fsync" : "failed fsync", path, "");
  return result;
}

ssize_t write(int file, const void *bytes, size_t count) {
  ssize_t result = syscall(SYS_write, file, bytes, count);
  char path[PATH_MAX];
  path_of(file, path);
  if (path[0] && result > 0) note("write", path, "");
  return result;
}

// The path from the root directory on.
static void make_absolute(const char *path, char *absolute) {
  char directory[PATH_MAX];
  if (path[0] == '/' || !getcwd(directory, sizeof directory)) directory[0] = 0;
  snprintf(absolute, PATH_MAX, "%.*s%s%s", PATH_MAX / 2, directory, directory[0] ? "/" : "", path);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  int kind = flags ? 2 : 1;
  char old[PATH_MAX], new[PATH_MAX];
  make_absolute(from, old);
  make_absolute(to, new);
  int is_noted = is_below_root(old);
  if (is_noted && fails(kind)) return note("failed rename", old, new), errno = EIO, -1;
  int result = (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
  if (is_noted && result == 0) note(names[kind], old, new);
  return result;
}

int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
