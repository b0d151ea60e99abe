/* observe/logfile.c: lines from many workers into one destination: a ring each, one writer thread that may
 * block. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "observe/audit.h"

#define LANES_MAX 256
#define WAKE_MS   20
#define LOOK_MS   1000 /* how often the name is looked at for rotation */
#define CLOSE_MS  2000

/* Single producer, single consumer; head and tail count bytes and wrap by mask. */
struct gh_lane {
    size_t mask;
    size_t head __attribute__((aligned(64))); /* written by the producer */
    size_t tail __attribute__((aligned(64))); /* written by the writer thread */
    char *bytes;
};

struct gh_logfile {
    pthread_t thread;
    bool started, kept; /* kept: the old file, since the new one could not be opened */
    char *path;         /* NULL for stdout and stderr */
    int fd;
    bool is_plain;       /* a file: writing to it ends by itself */
    struct gh_lane *cut; /* could not be written to its end */
    int stop, reopen;    /* atomic */
    unsigned lane_count; /* atomic; lanes are only added */
    struct gh_lane *lanes[LANES_MAX];
};

/* ---- producers ---- */

bool gh_lane_put(struct gh_lane *lane, gh_str line)
{
    size_t head = lane->head;
    size_t tail = __atomic_load_n(&lane->tail, __ATOMIC_ACQUIRE);
    if (line.len > lane->mask + 1 - (head - tail))
        return false;
    size_t at = head & lane->mask;
    size_t first = line.len < lane->mask + 1 - at ? line.len : lane->mask + 1 - at;
    memcpy(lane->bytes + at, line.ptr, first);
    memcpy(lane->bytes, line.ptr + first, line.len - first);
    __atomic_store_n(&lane->head, head + line.len, __ATOMIC_RELEASE);
    return true;
}

struct gh_lane *gh_logfile_lane(struct gh_logfile *file, size_t capacity)
{
    size_t size = 64 * 1024;
    while (size < capacity)
        size *= 2;
    struct gh_lane *lane = aligned_alloc(64, sizeof(*lane));
    char *bytes = gh_malloc(size);
    unsigned count = file->lane_count;
    if (lane == NULL || bytes == NULL || count == LANES_MAX) {
        free(lane);
        free(bytes);
        return NULL;
    }
    *lane = (struct gh_lane){ .mask = size - 1, .bytes = bytes };
    file->lanes[count] = lane;
    __atomic_store_n(&file->lane_count, count + 1, __ATOMIC_RELEASE);
    return lane;
}

/* ---- the writer ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A named pipe that nobody reads is an error here, and no wait. */
static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0640);
}

static bool is_file(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/* Standard error could be a full pipe, which must not hold up this thread. */
static void tell_kept(const struct gh_logfile *file, int error)
{
    struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&ready, 1, 0) > 0)
        gh_log(GH_LOG_ERROR, "a log cannot be opened anew: lines go where they went",
               GH_FIELD("file", gh_str_from(file->path)), GH_FIELD("why", gh_str_from(strerror(error))));
}

/* A file that cannot be opened anew is kept: lines go where they went. */
static void reopen(struct gh_logfile *file)
{
    int fd = file->path != NULL ? open_path(file->path) : -1;
    if (fd < 0) {
        if (file->path != NULL && !file->kept)
            tell_kept(file, errno);
        file->kept = file->path != NULL;
        return;
    }
    (void)close(file->fd);
    file->fd = fd;
    file->is_plain = is_file(fd);
    file->kept = false;
}

static bool was_rotated(const struct gh_logfile *file)
{
    struct stat named, open_now;
    if (file->path == NULL || fstat(file->fd, &open_now) != 0)
        return false;
    return stat(file->path, &named) != 0 || named.st_ino != open_now.st_ino ||
           named.st_dev != open_now.st_dev;
}

/* Whole lines at once: others write to the same pipe or file (the other log, the process that takes over),
 * and theirs come between two writes. A pipe takes PIPE_BUF bytes whole; only a longer line is cut. */
static size_t at_once(const struct gh_logfile *file, const struct gh_lane *lane, size_t tail, size_t len)
{
    if (file->is_plain || len <= PIPE_BUF)
        return len;
    for (size_t n = PIPE_BUF; n > 0; n--)
        if (lane->bytes[(tail + n - 1) & lane->mask] == '\n')
            return n;
    return PIPE_BUF;
}

static size_t write_some(struct gh_logfile *file, struct gh_lane *lane)
{
    size_t tail = lane->tail;
    size_t head = __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE);
    if (head == tail)
        return 0;
    size_t at = tail & lane->mask, len = at_once(file, lane, tail, head - tail);
    size_t first = len < lane->mask + 1 - at ? len : lane->mask + 1 - at;
    const struct iovec parts[] = { { lane->bytes + at, first }, { lane->bytes, len - first } };
    /* A pipe that is full would hold this thread beyond any bound: asked first, and then given no more than
     * fits. */
    struct pollfd ready = { .fd = file->fd, .events = POLLOUT };
    if (!file->is_plain && poll(&ready, 1, WAKE_MS) <= 0) {
        errno = EAGAIN;
        return 0;
    }
    ssize_t wrote = writev(file->fd, parts, len > first ? 2 : 1);
    if (wrote <= 0)
        return 0;
    __atomic_store_n(&lane->tail, tail + (size_t)wrote, __ATOMIC_RELEASE);
    return (size_t)wrote;
}

/* One lane is written out to a line's end before the next, so that lines of two lanes never mix: what a lane
 * holds when its turn comes is whole lines. */
static bool write_lane(struct gh_logfile *file, struct gh_lane *lane)
{
    size_t until = __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE);
    file->cut = lane;
    while (lane->tail != until) {
        if (write_some(file, lane) > 0)
            continue;
        if (errno == EINTR)
            continue;
        return false; /* full disk, closed pipe: tried again at the next wake, producers drop meanwhile */
    }
    file->cut = NULL;
    return true;
}

static bool write_all(struct gh_logfile *file)
{
    /* A lane that was cut within a line goes first: lines of two lanes never mix. */
    if (file->cut != NULL && !write_lane(file, file->cut))
        return false;
    bool all = true;
    unsigned count = __atomic_load_n(&file->lane_count, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++)
        all = all && write_lane(file, file->lanes[i]);
    return all;
}

static void write_rest(struct gh_logfile *file)
{
    const struct timespec nap = { .tv_nsec = WAKE_MS * 1000000L };
    int64_t give_up = now_ms() + CLOSE_MS;
    while (!write_all(file) && now_ms() < give_up)
        (void)nanosleep(&nap, NULL);
}

static void *writer(void *arg)
{
    struct gh_logfile *file = arg;
    const struct timespec nap = { .tv_nsec = WAKE_MS * 1000000L };
    int64_t looked = now_ms();
    while (!__atomic_load_n(&file->stop, __ATOMIC_ACQUIRE)) {
        (void)write_all(file);
        bool look = now_ms() - looked >= LOOK_MS;
        if (look)
            looked = now_ms();
        if (__atomic_exchange_n(&file->reopen, 0, __ATOMIC_ACQ_REL) || (look && was_rotated(file)))
            reopen(file);
        (void)nanosleep(&nap, NULL);
    }
    write_rest(file);
    return NULL;
}

/* ---- opening and closing ---- */

static int open_destination(gh_str destination, char **ret_path)
{
    *ret_path = NULL;
    if (gh_str_eq(destination, GH_STR("stdout")))
        return dup(STDOUT_FILENO);
    if (gh_str_eq(destination, GH_STR("stderr")))
        return dup(STDERR_FILENO);
    *ret_path = gh_str_to_heap(destination);
    return *ret_path != NULL ? open_path(*ret_path) : -1;
}

struct gh_logfile *gh_logfile_open(gh_str destination)
{
    struct gh_logfile *file = gh_calloc(1, sizeof(*file));
    if (file == NULL)
        return NULL;
    file->fd = open_destination(destination, &file->path);
    file->is_plain = file->fd >= 0 && is_file(file->fd);
    if (file->fd >= 0)
        return file;
    int error = errno;
    gh_logfile_close(file);
    errno = error;
    return NULL;
}

bool gh_logfile_start(struct gh_logfile *file)
{
    file->started = pthread_create(&file->thread, NULL, writer, file) == 0;
    return file->started;
}

void gh_logfile_close(struct gh_logfile *file)
{
    if (file == NULL)
        return;
    __atomic_store_n(&file->stop, 1, __ATOMIC_RELEASE);
    if (file->started)
        (void)pthread_join(file->thread, NULL);
    else
        write_rest(file);
    for (unsigned i = 0; i < file->lane_count; i++) {
        free(file->lanes[i]->bytes);
        free(file->lanes[i]);
    }
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file->path);
    free(file);
}

void gh_logfile_reopen(struct gh_logfile *file)
{
    __atomic_store_n(&file->reopen, 1, __ATOMIC_RELEASE);
}
