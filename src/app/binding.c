/* app/binding.c: listening sockets: inherited, taken over or opened, and which worker accepts from which. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"
#include "base/log.h"
#include "base/str.h"
#include "io/passing.h"

/* ---- finding and opening ---- */

/* An address that is taken, or not there yet, may be had later. */
static bool log_failed(struct gh_control *control, gh_str address)
{
    control->may_pass = errno == EADDRINUSE || errno == EADDRNOTAVAIL;
    gh_log(GH_LOG_ERROR, "cannot listen", GH_FIELD("address", address),
           GH_FIELD("why", gh_str_from(strerror(errno))));
    (void)fprintf(stderr, "gatehouse: cannot listen on %.*s: %s\n", GH_STR_FMT(address), strerror(errno));
    return false;
}

/* Takes fd over, also when it fails. */
static bool keep(struct gh_control *control, size_t door, int fd)
{
    if (control->bound_count == control->bound_cap) {
        size_t cap = control->bound_cap != 0 ? control->bound_cap * 2 : 16;
        struct gh_bound *grown = realloc(control->bound, cap * sizeof(*grown));
        if (grown == NULL) {
            (void)close(fd);
            return false;
        }
        control->bound = grown;
        control->bound_cap = cap;
    }
    control->bound[control->bound_count++] = (struct gh_bound){ .door = door, .fd = fd };
    return true;
}

static size_t count_of(const struct gh_control *control, size_t door)
{
    size_t count = 0;
    for (size_t i = 0; i < control->bound_count; i++)
        count += control->bound[i].door == door ? 1 : 0;
    return count;
}

/* Every socket of that address that came from elsewhere: a queue that nobody accepts from would keep its
 * connections for ever. */
static bool keep_inherited(struct gh_control *control, struct gh_inherited *from, size_t door,
                           const struct gh_address *address, int type)
{
    int fd;
    while ((fd = gh_inherited_take(from, address, type)) >= 0)
        if (!keep(control, door, fd))
            return false;
    return true;
}

static void log_listening(const struct gh_listen_conf *listen, bool inherited)
{
    gh_log(GH_LOG_INFO, inherited ? "listening on an inherited socket" : "listening",
           GH_FIELD("address", listen->address_text),
           GH_FIELD("tls", listen->pair_count > 0 ? GH_STR("yes") : GH_STR("no")));
}

/* A queue per worker, so that the kernel spreads connections; unix sockets have one. */
static bool open_own(struct gh_control *control, size_t door, const struct gh_listen_conf *listen)
{
    bool is_unix = listen->address.storage.ss_family == AF_UNIX;
    unsigned queues = is_unix ? 1 : control->worker_count;
    for (unsigned i = 0; i < queues; i++) {
        int fd = gh_listen_open(&listen->address, !is_unix);
        if (fd < 0)
            return log_failed(control, listen->address_text);
        if (!keep(control, door, fd))
            return false;
    }
    return true;
}

static bool bind_public(struct gh_control *control, struct gh_inherited *from)
{
    const struct gh_front_conf *front = &control->snapshot->conf->front;
    bool any = false;
    for (size_t i = 0; i < front->listener_count; i++) {
        const struct gh_listen_conf *listen = &front->listeners[i];
        if (!keep_inherited(control, from, i, &listen->address, SOCK_STREAM))
            return false;
        bool inherited = count_of(control, i) > 0;
        any = any || inherited;
        if (!inherited && !open_own(control, i, listen))
            return false;
        log_listening(listen, inherited);
    }
    if (any || control->takeover == NULL)
        return true;
    (void)fprintf(stderr, "gatehouse: handover: the running process listens on none of these addresses\n");
    return false;
}

/* It makes accounts, clients and keys there, for every process of this machine. */
static void warn_of_open_admin(const struct gh_conf *conf)
{
    if (conf->issuer_site->issuer_count > 0 && conf->admin.token_file.len == 0 &&
        conf->admin.address.storage.ss_family != AF_UNIX)
        gh_log(GH_LOG_WARN,
               "the admin listener serves a managed issuer to every user of this machine: better with "
               "admin.token_file, or at a unix socket",
               GH_FIELD("address", conf->admin.address_text));
}

/* One that came from elsewhere has the mode that its maker gave it. */
static bool close_to_others(const struct gh_admin_conf *admin)
{
    if (gh_listen_make_private(&admin->address))
        return true;
    gh_log(GH_LOG_ERROR, "the inherited admin socket is open to others",
           GH_FIELD("address", admin->address_text));
    (void)fprintf(stderr,
                  "gatehouse: the inherited admin socket %.*s is open to others: allowed is mode 0600 "
                  "(SocketMode=0600 and SocketUser= in the unit)\n",
                  GH_STR_FMT(admin->address_text));
    return false;
}

static bool bind_admin(struct gh_control *control, struct gh_inherited *from)
{
    const struct gh_admin_conf *admin = &control->snapshot->conf->admin;
    if (admin->address_text.len == 0)
        return true;
    if (!keep_inherited(control, from, GH_DOOR_ADMIN, &admin->address, SOCK_STREAM))
        return false;
    if (count_of(control, GH_DOOR_ADMIN) == 0) {
        int fd = gh_listen_open_private(&admin->address, SOCK_STREAM);
        if (fd < 0)
            return log_failed(control, admin->address_text);
        if (!keep(control, GH_DOOR_ADMIN, fd))
            return false;
    } else if (!close_to_others(admin)) {
        return false;
    }
    gh_log(GH_LOG_INFO, "admin listener", GH_FIELD("address", admin->address_text));
    warn_of_open_admin(control->snapshot->conf);
    return true;
}

static bool bind_handover(struct gh_control *control, struct gh_inherited *from)
{
    const struct gh_conf *conf = control->snapshot->conf;
    if (conf->handover.len == 0)
        return true;
    if (!keep_inherited(control, from, GH_DOOR_HANDOVER, &conf->handover_address, SOCK_SEQPACKET))
        return false;
    if (count_of(control, GH_DOOR_HANDOVER) > 0)
        return true;
    int fd = gh_pass_listen(&conf->handover_address);
    return fd >= 0 ? keep(control, GH_DOOR_HANDOVER, fd) : log_failed(control, conf->handover);
}

static void warn_of_unused(const struct gh_inherited *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct gh_address bound = { .len = sizeof(bound.storage) };
        char ip[GH_ADDRESS_TEXT] = "", port[8] = "";
        if (getsockname(from->fds[i], (struct sockaddr *)&bound.storage, &bound.len) == 0) {
            (void)gh_address_ip_text(&bound, ip);
            (void)snprintf(port, sizeof(port), "%u", (unsigned)gh_address_port(&bound));
        }
        gh_log(GH_LOG_WARN, "an inherited socket fits no listener and is closed",
               GH_FIELD("address", gh_str_from(ip)), GH_FIELD("port", gh_str_from(port)));
    }
}

bool gh_control_bind(struct gh_control *control, struct gh_inherited *from)
{
    bool done = bind_public(control, from) && bind_admin(control, from) && bind_handover(control, from);
    if (done)
        warn_of_unused(from);
    return done;
}

/* ---- accepting ---- */

static int nth_of(const struct gh_control *control, size_t door, size_t n)
{
    size_t i = 0;
    while (control->bound[i].door != door || n-- > 0)
        i++;
    return control->bound[i].fd;
}

/* More queues than workers: some workers accept from several. More workers: several share a queue. */
static bool share(struct gh_control *control, size_t door)
{
    size_t count = count_of(control, door);
    size_t shares = count > control->worker_count ? count : control->worker_count;
    for (size_t i = 0; i < shares; i++) {
        int fd = dup(nth_of(control, door, i % count));
        if (fd < 0)
            return false;
        if (!gh_worker_listen(control->workers[i % control->worker_count], door, fd)) {
            (void)close(fd);
            return false;
        }
    }
    return true;
}

static bool listen_for_admin(struct gh_control *control)
{
    for (size_t i = 0; i < control->bound_count; i++) {
        if (control->bound[i].door != GH_DOOR_ADMIN)
            continue;
        int fd = dup(control->bound[i].fd);
        if (fd < 0)
            return false;
        if (!gh_front_listen(control->admin_front, 0, fd, NULL)) {
            (void)close(fd);
            return false;
        }
    }
    return true;
}

static bool make_admin_front(struct gh_control *control)
{
    const struct gh_conf *conf = control->snapshot->conf;
    control->admin_listen = (struct gh_listen_conf){ .address_text = conf->admin.address_text,
                                                     .address = conf->admin.address,
                                                     .own_user = true };
    control->admin_conf = conf->front;
    control->admin_conf.listeners = &control->admin_listen;
    control->admin_conf.listener_count = 1;
    /* Slices of a snapshot die with it; this listener outlives them all. */
    control->admin_conf.trusted_proxies = control->admin_conf.shared_sources = (struct gh_cidrs){ 0 };
    control->admin_observer = (struct gh_observer){
        .stats = gh_registry_worker_stats(control->registry, GH_WORKERS_MAX),
        .no_route = gh_registry_route_stats(control->registry, GH_WORKERS_MAX, GH_NO_ROUTE),
        .arenas = &control->admin_arenas,
        .audit = control->admin_audit,
    };
    const struct gh_front_new with = { .loop = control->loop,
                                       .observer = &control->admin_observer,
                                       .sources = control->admin_sources,
                                       .handler = &gh_admin_handler,
                                       .handler_ctx = &control->admin };
    control->admin_front = gh_front_new(&with);
    if (control->admin_front != NULL)
        gh_front_configure(control->admin_front, &control->admin_conf);
    return control->admin_front != NULL;
}

bool gh_control_listen(struct gh_control *control)
{
    const struct gh_conf *conf = control->snapshot->conf;
    for (size_t i = 0; i < conf->front.listener_count; i++)
        if (!share(control, i))
            return false;
    return conf->admin.address_text.len == 0 || (make_admin_front(control) && listen_for_admin(control));
}

void gh_control_close_doors(struct gh_control *control, bool admin_too)
{
    for (size_t i = 0; i < control->bound_count; i++) {
        struct gh_bound *bound = &control->bound[i];
        if (bound->fd < 0 || (bound->door == GH_DOOR_ADMIN && !admin_too))
            continue;
        (void)close(bound->fd);
        bound->fd = -1;
    }
}
