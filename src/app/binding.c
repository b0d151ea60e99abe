/* app/binding.c: listening sockets: inherited from the service manager or opened, one queue per worker where
 * possible. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"
#include "base/log.h"
#include "base/str.h"

static void log_failed(const struct gh_listen_conf *listen)
{
    gh_log(GH_LOG_ERROR, "cannot listen", GH_FIELD("address", listen->address_text),
           GH_FIELD("why", gh_str_from(strerror(errno))));
}

/* Inherited sockets are shared: each worker gets a duplicate of one. */
static bool share_inherited(struct gh_control *control, size_t index, const int *fds, size_t count)
{
    for (unsigned w = 0; w < control->worker_count; w++) {
        int fd = w < count ? fds[w] : dup(fds[w % count]);
        if (fd < 0 || !gh_worker_listen(control->workers[w], index, fd))
            return false;
    }
    for (size_t i = control->worker_count; i < count; i++)
        (void)close(fds[i]);
    return true;
}

static bool open_own(struct gh_control *control, size_t index, const struct gh_listen_conf *listen)
{
    bool is_unix = listen->address.storage.ss_family == AF_UNIX;
    int first = -1;
    for (unsigned w = 0; w < control->worker_count; w++) {
        int fd = is_unix && first >= 0 ? dup(first) : gh_listen_open(&listen->address, !is_unix);
        if (fd < 0 || !gh_worker_listen(control->workers[w], index, fd)) {
            log_failed(listen);
            return false;
        }
        first = fd;
    }
    return true;
}

bool gh_control_bind(struct gh_control *control)
{
    const struct gh_front_conf *front = &control->snapshot->conf->front;
    for (size_t i = 0; i < front->listener_count; i++) {
        const struct gh_listen_conf *listen = &front->listeners[i];
        int fds[GH_WORKERS_MAX];
        size_t inherited = gh_listen_inherited(&listen->address, fds, GH_WORKERS_MAX);
        bool bound =
            inherited > 0 ? share_inherited(control, i, fds, inherited) : open_own(control, i, listen);
        if (!bound)
            return false;
        gh_log(GH_LOG_INFO, inherited > 0 ? "listening on an inherited socket" : "listening",
               GH_FIELD("address", listen->address_text),
               GH_FIELD("tls", listen->pair_count > 0 ? GH_STR("yes") : GH_STR("no")));
    }
    return true;
}

bool gh_control_bind_admin(struct gh_control *control)
{
    const struct gh_conf *conf = control->snapshot->conf;
    if (conf->admin.address_text.len == 0)
        return true;
    control->admin_listen =
        (struct gh_listen_conf){ .address_text = conf->admin.address_text, .address = conf->admin.address };
    control->admin_conf = conf->front;
    control->admin_conf.listeners = &control->admin_listen;
    control->admin_conf.listener_count = 1;
    /* Slices of a snapshot die with it; this listener outlives them all. */
    control->admin_conf.trusted_proxies = control->admin_conf.shared_sources = (struct gh_cidrs){ 0 };
    control->admin_observer = (struct gh_observer){
        .stats = gh_registry_worker_stats(control->registry, GH_WORKERS_MAX),
        .no_route = gh_registry_route_stats(control->registry, GH_WORKERS_MAX, GH_NO_ROUTE),
        .arenas = &control->admin_arenas,
    };
    const struct gh_front_new with = { .loop = control->loop,
                                       .observer = &control->admin_observer,
                                       .sources = control->admin_sources,
                                       .handler = &gh_admin_handler,
                                       .handler_ctx = &control->admin };
    control->admin_front = gh_front_new(&with);
    if (control->admin_front == NULL)
        return false;
    gh_front_configure(control->admin_front, &control->admin_conf);
    int fd = gh_listen_open(&control->admin_listen.address, false);
    if (fd < 0 || !gh_front_listen(control->admin_front, 0, fd, NULL)) {
        log_failed(&control->admin_listen);
        return false;
    }
    gh_log(GH_LOG_INFO, "admin listener", GH_FIELD("address", conf->admin.address_text));
    return true;
}
