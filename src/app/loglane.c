/* app/loglane.c: the writer behind gh_log. */
#include "app/loglane.h"

#include <unistd.h>

#include "base/log.h"

static _Thread_local struct gh_lane *own;

void gh_loglane_set(struct gh_lane *lane)
{
    own = lane;
}

/* A full ring drops the line: an error log is worth less than the requests that wait behind it. */
static void write_line(void *ctx, gh_str line)
{
    bool written = own != NULL ? gh_lane_put(own, line) : write(STDERR_FILENO, line.ptr, line.len) >= 0;
    if (!written)
        gh_log_count_dropped();
}

void gh_loglane_install(void)
{
    gh_log_set_writer(write_line, NULL);
}
