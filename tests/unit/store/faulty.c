/* unit/store/faulty.c: the failing file system: SQLite's own behind a door that counts. */
#include "unit/store/faulty.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint countdown;
static atomic_int code_then;
static atomic_bool stays_so, has_failed, reads_fail, log_unsynced;

struct faulty_file {
    sqlite3_file base;
    bool is_log;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs;

void faulty_fail_at(unsigned n, int code, bool stays)
{
    atomic_store(&has_failed, false);
    atomic_store(&code_then, code);
    atomic_store(&stays_so, stays);
    atomic_store(&countdown, n);
}

bool faulty_has_failed(void)
{
    return atomic_load(&has_failed);
}

void faulty_fail_reads(bool fail)
{
    atomic_store(&reads_fail, fail);
}

bool faulty_log_is_synced(void)
{
    return !atomic_load(&log_unsynced);
}

static bool fails_now(void)
{
    if (atomic_load(&code_then) == 0)
        return false;
    if (atomic_load(&has_failed))
        return atomic_load(&stays_so);
    if (atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    atomic_store(&has_failed, true);
    return true;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)(void *)file)->real;
}

static int do_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int do_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    if (atomic_load(&reads_fail))
        return SQLITE_IOERR_READ;
    return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

/* A write that fails may have written some of it. */
static int do_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    struct faulty_file *faulty = (struct faulty_file *)(void *)file;
    if (faulty->is_log)
        atomic_store(&log_unsynced, true);
    if (!fails_now())
        return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
    if (len > 1)
        (void)real_of(file)->pMethods->xWrite(real_of(file), from, len / 2, at);
    return atomic_load(&code_then);
}

static int do_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails_now() ? SQLITE_IOERR_TRUNCATE : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int do_sync(sqlite3_file *file, int flags)
{
    struct faulty_file *faulty = (struct faulty_file *)(void *)file;
    (void)flags;
    if (fails_now())
        return SQLITE_IOERR_FSYNC;
    if (faulty->is_log)
        atomic_store(&log_unsynced, false);
    return SQLITE_OK;
}

static int do_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int do_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int do_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int do_check_lock(sqlite3_file *file, int *reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int do_control(sqlite3_file *file, int what, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int do_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int do_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int do_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **to)
{
    if (extend && fails_now())
        return SQLITE_IOERR_SHMSIZE;
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, to);
}

static int do_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void do_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int do_shm_unmap(sqlite3_file *file, int delete_it)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = do_close,
    .xRead = do_read,
    .xWrite = do_write,
    .xTruncate = do_truncate,
    .xSync = do_sync,
    .xFileSize = do_size,
    .xLock = do_lock,
    .xUnlock = do_unlock,
    .xCheckReservedLock = do_check_lock,
    .xFileControl = do_control,
    .xSectorSize = do_sector,
    .xDeviceCharacteristics = do_device,
    .xShmMap = do_shm_map,
    .xShmLock = do_shm_lock,
    .xShmBarrier = do_shm_barrier,
    .xShmUnmap = do_shm_unmap,
};

static int do_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct faulty_file *faulty = (struct faulty_file *)(void *)file;
    (void)vfs;
    faulty->real = (sqlite3_file *)(void *)(faulty + 1);
    faulty->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    int code = real_vfs->xOpen(real_vfs, name, faulty->real, flags, ret_flags);
    faulty->base.pMethods = faulty->real->pMethods != NULL ? &methods : NULL;
    return code;
}

void faulty_install(void)
{
    static sqlite3_vfs vfs;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.pNext = NULL;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
    vfs.xOpen = do_open;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}
