/* io/file.c: reads a small file whole, and refuses with words an operator can act on. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"

static enum gh_reason refuse(char **ret_why, gh_str path, const char *format, ...) GH_PRINTF(3, 4);
static enum gh_reason check(int fd, gh_str path, size_t max, bool is_secret, size_t *ret_len, char **ret_why);
static bool read_all(int fd, unsigned char *out, size_t len);

bool gh_file_is_private(gh_str path, unsigned mode)
{
    gh_str folder = gh_str_from(getenv("CREDENTIALS_DIRECTORY"));
    bool given = folder.len > 0 && folder.ptr[0] == '/' && path.len > folder.len + 1 &&
                 gh_str_starts(path, folder) && path.ptr[folder.len] == '/' &&
                 memchr(path.ptr + folder.len + 1, '/', path.len - folder.len - 1) == NULL;
    return (mode & (given ? 037 : 077)) == 0;
}

enum gh_reason gh_small_file_read(gh_str path, size_t max, bool is_secret, struct gh_secret *ret_bytes,
                                  char **ret_why)
{
    char *name = gh_str_to_heap(path);
    if (name == NULL)
        return GH_OUT_OF_MEMORY;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would hold us up */
    free(name);
    if (fd < 0)
        return refuse(ret_why, path, "%s", strerror(errno));
    size_t len = 0;
    enum gh_reason reason = check(fd, path, max, is_secret, &len, ret_why);
    unsigned char *bytes = reason == GH_OK ? gh_malloc(len) : NULL;
    if (reason == GH_OK && bytes == NULL)
        reason = GH_OUT_OF_MEMORY;
    else if (reason == GH_OK && !read_all(fd, bytes, len))
        reason = refuse(ret_why, path, "cannot be read");
    (void)close(fd);
    if (reason == GH_OK && !gh_secret_set(ret_bytes, gh_str_of(bytes, len)))
        reason = GH_OUT_OF_MEMORY;
    if (bytes != NULL)
        gh_wipe(bytes, len);
    free(bytes);
    return reason;
}

static enum gh_reason check(int fd, gh_str path, size_t max, bool is_secret, size_t *ret_len, char **ret_why)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return refuse(ret_why, path, "is not a plain file");
    if (is_secret && !gh_file_is_private(path, info.st_mode))
        return refuse(ret_why, path, "can be read by others (mode %04o): chmod 600 it",
                      (unsigned)info.st_mode & 07777);
    if (info.st_size <= 0 || (size_t)info.st_size > max)
        return refuse(ret_why, path, "is empty or larger than %zu KiB", max / 1024);
    *ret_len = (size_t)info.st_size;
    return GH_OK;
}

static bool read_all(int fd, unsigned char *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = read(fd, out + at, len - at);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

static enum gh_reason refuse(char **ret_why, gh_str path, const char *format, ...)
{
    char why[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    if (asprintf(ret_why, "%.*s: %s", GH_STR_FMT(path), why) < 0) {
        *ret_why = NULL;
        return GH_OUT_OF_MEMORY;
    }
    return GH_SETTINGS_INVALID;
}
