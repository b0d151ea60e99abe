/* app/descriptors.c: how many file descriptors there are, and how many of them clients may take. */
#include <stdio.h>
#include <sys/resource.h>

#include "app/control.h"
#include "base/log.h"
#include "base/str.h"

/* Kept back: logs, files of a reload, fetches, the store, the admin listener and those who ask it. */
#define KEPT 64
/* Of each worker: its loop, its mailbox, a listening socket or two. */
#define KEPT_PER_WORKER 6
/* A client's own descriptor, and one for the server behind on its behalf. */
#define PER_CLIENT 2

/* As many as the system lets us have: the soft limit is for programs that use select(2). */
void gh_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* else the old one stays, and is reckoned with */
}

/* Without descriptors left nobody is accepted, and nobody who is there can be served either: so the last ones
 * are not given to clients, whatever the settings say (threats.md Z10). */
void gh_descriptors_fit(struct gh_front_limits *limits, int64_t workers)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX)
        return;
    int64_t fit = ((int64_t)limit.rlim_cur - KEPT - KEPT_PER_WORKER * workers) / PER_CLIENT;
    if (fit < 1)
        fit = 1;
    if (limits->connections <= fit)
        return;
    limits->connections = fit;
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)fit);
    gh_log(GH_LOG_WARN, "file descriptors allow fewer connections than limits.connections",
           GH_FIELD("connections", gh_str_of(text, (size_t)len)));
}
