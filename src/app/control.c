/* app/control.c: puts the process together, runs its control loop, takes it apart. */
#include "app/control.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/explain.h"
#include "app/loglane.h"
#include "app/notify.h"
#include "app/sandbox.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/session_keys.h"

#define TICK_MS       60000
#define OFFLOAD_QUEUE 1024
/* issuer.md section 6: each takes 64 MiB and half a second; who comes behind so many is better told. */
#define PASSWORD_THREADS 2
#define PASSWORD_QUEUE   32
#define LIMIT_PLACES     16384

/* ---- what the admin listener may ask for ---- */

static enum gh_reason table_reload(void *ctx, gh_str *ret_text)
{
    struct gh_control *control = ctx;
    enum gh_reason reason = gh_control_reload(control);
    *ret_text = control->reload_text;
    return reason;
}

static gh_str table_explain(void *ctx, struct gh_arena *arena, gh_str route, gh_str token, gh_str call)
{
    struct gh_control *control = ctx;
    const struct gh_explain_with with = { .site = control->snapshot->conf->site,
                                          .rings = control->rings,
                                          .revocations = control->revocations.index,
                                          .now = gh_clock_wall_us() / 1000000 };
    return gh_explain(arena, &with, route, token, call);
}

static bool table_is_draining(void *ctx)
{
    return ((const struct gh_control *)ctx)->draining;
}

static gh_str table_assertion_keys(void *ctx)
{
    return ((const struct gh_control *)ctx)->snapshot->conf->site->assertion.key_set;
}

static bool table_knows_revocations(void *ctx)
{
    const struct gh_revocations *own = &((const struct gh_control *)ctx)->revocations;
    return own->index == NULL || (own->has_past && !own->incomplete);
}

static void table_measure(void *ctx)
{
    gh_control_measure(ctx);
}

static enum gh_reason table_complete(void *ctx, struct gh_revocation *revocation, const char **ret_wrong)
{
    return gh_control_complete(ctx, revocation, ret_wrong);
}

static struct gh_issuer_site *table_issuers(void *ctx)
{
    const struct gh_control *control = ctx;
    return control->snapshot->conf->issuer_site;
}

/* ---- starting ---- */

static struct gh_logfile *open_log(const char *key, gh_str file)
{
    struct gh_logfile *opened = gh_logfile_open(file);
    if (opened == NULL)
        (void)fprintf(stderr, "gatehouse: %s: %.*s: %s\n", key, GH_STR_FMT(file), strerror(errno));
    return opened;
}

static bool open_files(struct gh_control *control, const struct gh_conf *conf)
{
    if (!gh_sandbox_open_as(conf->user))
        return false;
    control->log_file = open_log("log", conf->log.file);
    if (control->log_file != NULL && conf->audit.on)
        control->audit_file = open_log("audit", conf->audit.file);
    gh_sandbox_open_as_before();
    if (control->log_file == NULL || (conf->audit.on && control->audit_file == NULL))
        return false;
    gh_loglane_install();
    gh_loglane_set(gh_logfile_lane(control->log_file, 256 * 1024));
    return true;
}

static bool make_parts(struct gh_control *control, const struct gh_conf *conf)
{
    control->loop = gh_loop_new();
    control->registry = gh_registry_new(GH_WORKERS_MAX + 1);
    control->tickets = gh_ticket_keys_new();
    control->session_keys = gh_session_keys_random();
    control->sources = gh_sources_new();
    control->admin_sources = gh_sources_new();
    control->streams = gh_streams_new();
    control->offload =
        gh_offload_new((unsigned)(conf->offload_threads > 0 ? conf->offload_threads : 1), OFFLOAD_QUEUE);
    control->passwords = gh_offload_new(PASSWORD_THREADS, PASSWORD_QUEUE);
    control->limits = gh_limits_new(LIMIT_PLACES);
    if (control->loop == NULL || control->limits == NULL || control->passwords == NULL ||
        control->registry == NULL || control->tickets == NULL || control->session_keys == NULL ||
        control->sources == NULL || control->admin_sources == NULL || control->streams == NULL ||
        control->offload == NULL ||
        gh_registry_route(control->registry, GH_STR(""), GH_STR("")) != GH_NO_ROUTE)
        return false;
    control->mailbox = gh_mailbox_new(control->loop, control);
    control->fetcher = gh_fetcher_new(control->loop, &conf->fetch);
    if (control->mailbox == NULL || control->fetcher == NULL)
        return false;
    control->documents = gh_documents_new(control->loop, control->fetcher, control->limits);
    control->rings =
        gh_keyrings_new(control->loop, control->fetcher, control->registry, gh_control_publish_keys, control);
    control->sign_ins = gh_sign_ins_new(control->loop, control->fetcher, control->rings);
    control->hearings = gh_hearings_new(control);
    return control->rings != NULL && control->documents != NULL && control->sign_ins != NULL &&
           control->hearings != NULL;
}

/* One for the life of the process: what it holds outlives every reload. Its files belong to the user that
 * runs. */
static bool open_state(struct gh_control *control, struct gh_conf *conf)
{
    char *why = NULL;
    if (conf->store.url.len == 0)
        return true;
    if (!gh_sandbox_open_as(conf->user))
        return false;
    enum gh_reason reason = gh_store_open(&conf->store, &control->store, &why);
    control->signing.store = control->store;
    if (reason == GH_OK)
        reason = gh_signing_prepare(&control->signing, conf, gh_clock_wall_us() / 1000000, &why);
    gh_sandbox_open_as_before();
    control->may_pass = reason == GH_STORE_DOWN;
    if (reason == GH_OK && (!gh_control_make_index(control, conf) || !gh_control_join_keys(control)))
        reason = GH_OUT_OF_MEMORY;
    if (reason != GH_OK)
        (void)fprintf(stderr, "gatehouse: state: %s\n", why != NULL ? why : gh_reason_row(reason)->slug);
    free(why);
    return reason == GH_OK;
}

static bool read_admin_token(struct gh_control *control, const struct gh_conf *conf)
{
    control->table = (struct gh_control_table){
        .ctx = control,
        .reload = table_reload,
        .explain = table_explain,
        .is_draining = table_is_draining,
        .assertion_keys = table_assertion_keys,
        .knows_revocations = table_knows_revocations,
        .measure = table_measure,
        .complete = table_complete,
        .issuers = table_issuers,
        .key_at = gh_control_key_at,
        .key_change = gh_control_key_change,
    };
    control->admin.store = control->revocations.client;
    control->admin.registry = control->registry;
    control->admin.rings = control->rings;
    control->admin.control = &control->table;
    if (conf->admin.token_file.len == 0)
        return true;
    bool ok = gh_admin_token_read(conf->admin.token_file, &control->admin.token);
    if (!ok)
        (void)fprintf(stderr,
                      "gatehouse: admin.token_file: %.*s: unreadable, or shorter than 16 characters\n",
                      GH_STR_FMT(conf->admin.token_file));
    return ok;
}

static bool enter_sandbox(const struct gh_control *control)
{
    const struct gh_conf *conf = control->snapshot->conf;
    const struct gh_sandbox_conf sandbox = { .on = conf->sandbox == GH_SWITCH_ON,
                                             .user = conf->user,
                                             .settings_file = control->source.file,
                                             .files = conf->files };
    return gh_sandbox_enter(&sandbox);
}

static bool start_up(struct gh_control *control, struct gh_conf *conf, struct gh_inherited *sockets)
{
    if (!open_files(control, conf) || !make_parts(control, conf) || !open_state(control, conf) ||
        !read_admin_token(control, conf)) {
        gh_conf_free(conf);
        return false;
    }
    char *why = NULL;
    enum gh_reason reason = gh_control_adopt(control, conf, &why);
    control->may_pass = reason == GH_STORE_DOWN;
    if (reason != GH_OK) {
        (void)fprintf(stderr, "gatehouse: %s\n", why != NULL ? why : gh_reason_row(reason)->slug);
        free(why);
        return false;
    }
    gh_notify_open();
    return gh_control_make_workers(control) && gh_control_tell_snapshot(control) &&
           gh_takeover_begin(control, control->snapshot->conf, sockets) &&
           gh_control_bind(control, sockets) && enter_sandbox(control) &&
           (control->takeover != NULL || gh_control_listen(control));
}

int gh_control_init(struct gh_control *control, const struct gh_settings_source *source)
{
    *control = (struct gh_control){ .source = *source };
    /* Before anything is open that could have the number of one. */
    struct gh_inherited sockets = { 0 };
    struct gh_conf_errors errors;
    if (!gh_inherited_from_environment(&sockets) || gh_conf_errors_init(&errors) != GH_OK) {
        gh_inherited_done(&sockets);
        return 1;
    }
    gh_descriptors_raise();
    struct gh_conf *conf = NULL;
    enum gh_reason reason = gh_control_read_settings(source, &conf, &errors);
    gh_conf_errors_print(&errors, stderr);
    gh_conf_errors_done(&errors);
    bool started = reason == GH_OK && start_up(control, conf, &sockets);
    gh_inherited_done(&sockets);
    return started ? 0 : control->may_pass ? GH_EXIT_AGAIN : 1;
}

/* ---- running ---- */

void gh_control_drain(struct gh_control *control, bool admin_too)
{
    gh_handover_close_door(control->handover);
    gh_takeover_free(control->takeover); /* it is not taken over any more */
    control->takeover = NULL;
    gh_control_close_doors(control, admin_too);
    if (admin_too && control->admin_front != NULL)
        gh_front_drain(control->admin_front, true, NULL, NULL);
    if (control->draining)
        return;
    control->draining = true;
    gh_control_say_state(control);
    gh_notify("STOPPING=1");
    gh_log(GH_LOG_INFO, "draining: no new connections, running exchanges finish");
    for (unsigned i = 0; i < control->worker_count; i++)
        if (!gh_worker_drain(control->workers[i]))
            gh_loop_stop(control->loop);
}

void gh_control_fail(struct gh_control *control)
{
    control->failed = true;
    gh_loop_stop(control->loop);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct gh_control *control = ctx;
    switch (number) {
    case SIGHUP:
        (void)gh_control_reload(control);
        gh_logfile_reopen(control->log_file);
        if (control->audit_file != NULL)
            gh_logfile_reopen(control->audit_file);
        break;
    case SIGUSR1: /* log rotation alone */
        gh_logfile_reopen(control->log_file);
        if (control->audit_file != NULL)
            gh_logfile_reopen(control->audit_file);
        break;
    default:
        if (++control->asked_to_end > 1)
            gh_loop_stop(control->loop); /* asked twice: at once */
        else
            gh_control_drain(control, false); /* the admin listener says so meanwhile */
        break;
    }
}

static void tick(struct gh_deadline *deadline)
{
    struct gh_control *control = GH_LIST_ENTRY(deadline, struct gh_control, ticks);
    bool busy = false;
    gh_ticket_keys_tick(control->tickets, gh_loop_wall_s(control->loop));
    if (gh_signing_tick(&control->signing, gh_loop_wall_s(control->loop), &busy) &&
        !gh_control_tell_signing(control, true))
        gh_log(GH_LOG_ERROR, "a worker could not be told of new signing keys: out of memory");
    gh_deadline_set(control->loop, &control->ticks, busy ? GH_KEYS_SOON_MS : TICK_MS);
}

/* What the process gave up is given up by each of them: they are children of this thread. Signals stay here.
 */
static bool start_threads(struct gh_control *control)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    gh_control_follow(control);
    bool started =
        gh_logfile_start(control->log_file) &&
        (control->audit_file == NULL || gh_logfile_start(control->audit_file)) &&
        gh_offload_start(control->offload) &&
        (control->store == NULL || (gh_offload_start(control->passwords) && gh_store_start(control->store)));
    if (started)
        gh_control_await_past(control);
    for (unsigned i = 0; started && i < control->worker_count; i++)
        started = gh_worker_start(control->workers[i]);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

int gh_control_run(struct gh_control *control)
{
    static const int numbers[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT };
    struct event *events[GH_ARRAY_LEN(numbers)];
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < GH_ARRAY_LEN(numbers); i++) {
        (void)signal(numbers[i],
                     SIG_IGN); /* what is restored behind the loop: a late signal no longer kills */
        events[i] = evsignal_new(gh_loop_peek_base(control->loop), numbers[i], on_signal, control);
        if (events[i] == NULL || event_add(events[i], NULL) != 0)
            return 1;
    }
    gh_deadline_init(&control->ticks, tick);
    tick(&control->ticks);
    bool started = start_threads(control) &&
                   (control->takeover != NULL ? gh_takeover_run(control) : gh_handover_start(control));
    if (started) {
        gh_control_join(control);
        gh_control_offer_setup(control);
        if (control->takeover == NULL)
            gh_notify("READY=1");
        gh_loop_run(control->loop);
    } else {
        gh_log(GH_LOG_ERROR, "the process could not be started: out of memory or threads");
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(numbers); i++)
        event_free(events[i]);
    gh_deadline_clear(&control->ticks);
    return started && !control->failed ? 0 : 1;
}

void gh_control_done(struct gh_control *control)
{
    if (control->loop != NULL) {
        gh_front_free(control->admin_front);
        gh_handover_free(control->handover);
        gh_takeover_free(control->takeover);
        gh_loop_turn(control->loop, 0);
    }
    gh_control_close_doors(control, true);
    free(control->bound);
    gh_notify_close();
    gh_hearings_close(control->hearings);
    gh_control_leave(control);
    gh_control_leave_keys(control);
    gh_control_unfollow(control); /* who asked the store is gone with the admin listener */
    gh_control_free_setup(control);
    gh_keyrings_free(control->rings); /* who still waits is answered, by letters to workers */
    gh_fetcher_free(control->fetcher);
    gh_documents_free(control->documents);
    gh_sign_ins_free(control->sign_ins);
    gh_hearings_free(control->hearings);
    gh_offload_free(
        control->offload); /* before the workers: its jobs hold references to workers' mailboxes */
    gh_offload_free(control->passwords);
    for (unsigned i = 0; i < control->worker_count; i++)
        gh_worker_free(control->workers[i]);
    control->worker_count = 0;
    gh_limits_free(control->limits);
    gh_store_close(control->store);
    gh_control_free_index(control);
    gh_signing_done(&control->signing);
    gh_mailbox_free(control->mailbox);
    gh_snapshot_unref(control->snapshot);
    gh_sources_free(control->sources);
    gh_sources_free(control->admin_sources);
    gh_streams_free(control->streams);
    gh_ticket_keys_free(control->tickets);
    gh_session_keys_unref(control->session_keys);
    gh_registry_free(control->registry);
    gh_secret_done(&control->admin.token);
    free((void *)(uintptr_t)control->reload_text.ptr);
    gh_loglane_set(NULL);
    gh_logfile_close(control->audit_file);
    gh_logfile_close(control->log_file);
    gh_loop_free(control->loop);
    gh_arena_pool_done(&control->admin_arenas);
}
