/* store/crash_steps.c: a disk that forgets: file functions for SQLite that keep in memory what was written
 * and not synced, and end the process at a numbered step. Only with -Dcrash_steps=true. */

/* A power loss takes the process and whatever the disk had not been told to keep. Killing the process alone
 * would show nothing: the kernel keeps what it was given. So a write goes to a list in memory, reads see the
 * file with the list laid over it, and xSync brings the list to the file. When the process ends, what was not
 * synced has never been there. The list is this process's: of several on one store, others see what is
 * synced, which is all that the shared index of the WAL ever names at synchronous=FULL.
 *
 * A step is what changes the disk: each write, truncation, deletion and sync; and the end of each sync, where
 * something has just become durable that nobody has been told yet. Steps count from the moment at which the
 * file that GATEHOUSE_CRASH_AT names comes into being; the number in it says before which one the process
 * ends. GATEHOUSE_CRASH_SQL is run on the connection once it is set up: "PRAGMA synchronous = OFF" shows that
 * the tests find what they look for. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "store/crash.h"

#define STATUS 86 /* the exit status of a process that was ended here */

/* One change that was not synced; bytes NULL: a truncation. */
struct change {
    struct change *next;
    sqlite3_int64 at;
    int len;
    unsigned char *bytes;
};

struct file {
    sqlite3_file base; /* first */
    struct change *first, **last;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs functions;
static sqlite3_vfs *real_functions;

/* ---- steps ---- */

/* Of whoever uses the store: the control thread before the store's thread runs, then that one. */
static bool counting;
static unsigned long steps_left;

static unsigned long read_number(const char *path)
{
    char text[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    return got > 0 ? strtoul(text, NULL, 10) : 0;
}

static void step(void)
{
    const char *path = getenv("GATEHOUSE_CRASH_AT");
    if (!counting && path != NULL)
        counting = (steps_left = read_number(path)) > 0;
    if (counting && --steps_left == 0)
        _exit(STATUS);
}

/* ---- what was not synced ---- */

static void forget(struct file *file)
{
    for (struct change *change = file->first, *next; change != NULL; change = next) {
        next = change->next;
        free(change);
    }
    file->first = NULL;
    file->last = &file->first;
}

static int remember(struct file *file, sqlite3_int64 at, const void *bytes, int len)
{
    struct change *change = gh_malloc(sizeof(*change) + (size_t)len);
    if (change == NULL)
        return SQLITE_IOERR_NOMEM;
    *change = (struct change){ .at = at, .len = len };
    if (bytes != NULL) {
        change->bytes = (unsigned char *)(change + 1);
        memcpy(change->bytes, bytes, (size_t)len);
    }
    *file->last = change;
    file->last = &change->next;
    return SQLITE_OK;
}

static int bring(struct file *file)
{
    int code = SQLITE_OK;
    for (struct change *change = file->first; change != NULL && code == SQLITE_OK; change = change->next)
        code = change->bytes != NULL
                   ? file->real->pMethods->xWrite(file->real, change->bytes, change->len, change->at)
                   : file->real->pMethods->xTruncate(file->real, change->at);
    if (code == SQLITE_OK)
        forget(file);
    return code;
}

static int size_of(struct file *file, sqlite3_int64 *ret_size)
{
    int code = file->real->pMethods->xFileSize(file->real, ret_size);
    for (const struct change *change = file->first; change != NULL; change = change->next)
        if (change->bytes == NULL)
            *ret_size = change->at;
        else if (change->at + change->len > *ret_size)
            *ret_size = change->at + change->len;
    return code;
}

/* The part of one change that falls into what was read. */
static void lay_over(const struct change *change, unsigned char *out, sqlite3_int64 at, int len)
{
    sqlite3_int64 end = at + len, change_end = change->at + change->len;
    sqlite3_int64 from = change->at > at ? change->at : at;
    if (change->bytes == NULL && from < end)
        memset(out + (from - at), 0, (size_t)(end - from));
    if (change->bytes == NULL)
        return;
    sqlite3_int64 to = change_end < end ? change_end : end;
    if (from < to)
        memcpy(out + (from - at), change->bytes + (from - change->at), (size_t)(to - from));
}

/* ---- the functions of a file ---- */

static int close_file(sqlite3_file *base)
{
    struct file *file = (struct file *)base;
    int code = bring(file); /* an end in order loses nothing */
    forget(file);
    int closed = file->real->pMethods->xClose(file->real);
    return code != SQLITE_OK ? code : closed;
}

static int read_file(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
    struct file *file = (struct file *)base;
    sqlite3_int64 size = 0;
    int code = file->real->pMethods->xRead(file->real, out, len, at); /* what is not there reads as zeros */
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
        return code;
    for (const struct change *change = file->first; change != NULL; change = change->next)
        lay_over(change, out, at, len);
    code = size_of(file, &size);
    return code == SQLITE_OK && at + len > size ? SQLITE_IOERR_SHORT_READ : code;
}

static int write_file(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
    step();
    return remember((struct file *)base, at, bytes, len);
}

static int truncate_file(sqlite3_file *base, sqlite3_int64 size)
{
    step();
    return remember((struct file *)base, size, NULL, 0);
}

static int sync_file(sqlite3_file *base, int flags)
{
    struct file *file = (struct file *)base;
    step();
    int code = bring(file);
    if (code == SQLITE_OK)
        code = file->real->pMethods->xSync(file->real, flags);
    step();
    return code;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    return size_of((struct file *)base, ret_size);
}

/* The rest is the real file's. */

static int lock(sqlite3_file *base, int level)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xLock(real, level);
}

static int unlock(sqlite3_file *base, int level)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xUnlock(real, level);
}

static int is_reserved(sqlite3_file *base, int *ret_reserved)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xCheckReservedLock(real, ret_reserved);
}

static int control(sqlite3_file *base, int what, void *with)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xFileControl(real, what, with);
}

static int sector_size(sqlite3_file *base)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xSectorSize(real);
}

static int characteristics(sqlite3_file *base)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xDeviceCharacteristics(real);
}

static int shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **ret_page)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xShmMap(real, page, size, extend, ret_page);
}

static int shm_lock(sqlite3_file *base, int at, int count, int flags)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xShmLock(real, at, count, flags);
}

static void shm_barrier(sqlite3_file *base)
{
    sqlite3_file *real = ((struct file *)base)->real;
    real->pMethods->xShmBarrier(real);
}

static int shm_unmap(sqlite3_file *base, int deletes)
{
    sqlite3_file *real = ((struct file *)base)->real;
    return real->pMethods->xShmUnmap(real, deletes);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no mmap: it would go around xWrite */
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the functions of the file system ---- */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    struct file *file = (struct file *)base;
    *file = (struct file){ .real = (sqlite3_file *)(file + 1) };
    file->last = &file->first;
    int code = real_functions->xOpen(real_functions, name, file->real, flags, ret_flags);
    if (file->real->pMethods != NULL)
        file->base.pMethods = &methods;
    return code;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int syncs)
{
    step();
    return real_functions->xDelete(real_functions, name, syncs);
}

const char *gh_crash_functions(void)
{
    if (real_functions != NULL)
        return functions.zName;
    real_functions = sqlite3_vfs_find(NULL);
    if (real_functions == NULL)
        abort();
    functions = *real_functions;
    functions.zName = "gatehouse-crash";
    functions.szOsFile = (int)sizeof(struct file) + real_functions->szOsFile;
    functions.xOpen = open_file;
    functions.xDelete = delete_file;
    if (sqlite3_vfs_register(&functions, 0) != SQLITE_OK)
        abort();
    return functions.zName;
}

void gh_crash_set_up(sqlite3 *db)
{
    const char *sql = getenv("GATEHOUSE_CRASH_SQL");
    if (sql != NULL && sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        abort();
}

const char *gh_crash_name(void)
{
    return "ends at numbered store steps: for tests, and nothing else";
}
