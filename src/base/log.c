/* base/log.c: puts a log line together and hands it to the writer. */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_limit.h"

#define FIELDS_MAX 8u
#define TEXT_MAX   512u
#define KEY_MAX    48u
/* Time, level, message, then every field with its quotes, and how many lines were left out: nothing can be
 * cut at the end. */
#define LINE_MAX_BYTES (192u + TEXT_MAX + FIELDS_MAX * (KEY_MAX + TEXT_MAX + 8u))

static void write_to_stderr(void *ctx, gh_str line);
static size_t put_time(char *out, size_t cap);
static size_t put_pair(char *out, gh_str key, gh_str text);

/* Set once before the threads start, then only read. */
static void (*line_writer)(void *ctx, gh_str line) = write_to_stderr;
static void *line_writer_ctx;
static atomic_int least_level = GH_LOG_INFO;
static atomic_llong limit_burst, limit_per_s;
static atomic_ullong dropped;
static _Thread_local struct gh_log_limit limit;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void gh_log_set_writer(void (*write_line)(void *ctx, gh_str line), void *ctx)
{
    line_writer = write_line != NULL ? write_line : write_to_stderr;
    line_writer_ctx = ctx;
}

void gh_log_set_level(enum gh_log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

bool gh_log_is_on(enum gh_log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void gh_log_set_limit(int64_t burst, int64_t per_s)
{
    atomic_store_explicit(&limit_burst, burst, memory_order_relaxed);
    atomic_store_explicit(&limit_per_s, per_s, memory_order_relaxed);
}

uint64_t gh_log_dropped(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

void gh_log_count_dropped(void)
{
    atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}

static bool admits(const char *message, const struct gh_log_field *fields, uint64_t *ret_suppressed)
{
    const struct gh_log_rate rate = {
        .burst = (double)atomic_load_explicit(&limit_burst, memory_order_relaxed),
        .per_s = (double)atomic_load_explicit(&limit_per_s, memory_order_relaxed),
        .now_ms = gh_clock_mono_ms(),
    };
    const char *reason = NULL;
    for (size_t i = 0; fields != NULL && i < FIELDS_MAX && fields[i].key != NULL; i++)
        if (strcmp(fields[i].key, "reason") == 0)
            reason = fields[i].text.ptr;
    return gh_log_limit_admits(&limit, message, reason, &rate, ret_suppressed);
}

void gh_log_fields(enum gh_log_level level, const char *message, const struct gh_log_field *fields)
{
    char line[LINE_MAX_BYTES];
    uint64_t suppressed = 0;
    if (!admits(message, fields, &suppressed)) {
        gh_log_count_dropped();
        return;
    }
    size_t len = put_time(line, sizeof(line));
    len += put_pair(line + len, (gh_str){ "level", 5 },
                    (gh_str){ level_names[level], strlen(level_names[level]) });
    len += put_pair(line + len, (gh_str){ "message", 7 }, (gh_str){ message, strlen(message) });
    for (size_t i = 0; fields != NULL && i < FIELDS_MAX && fields[i].key != NULL; i++)
        len += put_pair(line + len, (gh_str){ fields[i].key, strlen(fields[i].key) }, fields[i].text);
    if (suppressed > 0) {
        int tail =
            snprintf(line + len, sizeof(line) - len, ",\"left_out\":%llu", (unsigned long long)suppressed);
        len += (size_t)tail;
    }
    line[len++] = '}';
    line[len++] = '\n';
    line_writer(line_writer_ctx, (gh_str){ line, len });
}

/* RFC 3339 in UTC with milliseconds. */
static size_t put_time(char *out, size_t cap)
{
    int64_t now = gh_clock_wall_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(out, cap, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
    int tail = snprintf(out + len, cap - len, ".%03dZ\"", (int)(now / 1000 % 1000));
    return len + (size_t)tail;
}

static size_t put_pair(char *out, gh_str key, gh_str text)
{
    size_t len = 0;
    out[len++] = ',';
    out[len++] = '"';
    len += gh_json_escape(key, out + len, KEY_MAX);
    out[len++] = '"';
    out[len++] = ':';
    out[len++] = '"';
    len += gh_json_escape(text, out + len, TEXT_MAX);
    out[len++] = '"';
    return len;
}

/* One write per line, so that lines of several threads do not mix. A failure has nowhere to be told. */
static void write_to_stderr(void *ctx, gh_str line)
{
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written;
}
