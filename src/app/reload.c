/* app/reload.c: settings read and taken into force: at the start, and again at every reload. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/control.h"
#include "app/sandbox.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* ---- settings ---- */

enum gh_reason gh_control_read_settings(const struct gh_settings_source *source, struct gh_conf **ret_conf,
                                        struct gh_conf_errors *errors)
{
    if (source->file != NULL)
        return gh_conf_load(gh_str_from(source->file), ret_conf, errors);
    return gh_conf_from_flags(source->flags, ret_conf, errors);
}

static struct gh_snapshot_with snapshot_with(struct gh_control *control)
{
    return (struct gh_snapshot_with){ .tickets = control->tickets,
                                      .rings = control->rings,
                                      .registry = control->registry,
                                      .session_keys = control->session_keys,
                                      .signing = &control->signing,
                                      .now = gh_clock_wall_us() / 1000000 };
}

/* Without keys TLS sessions are not resumed, and nothing else is amiss. */
static void share_tickets(struct gh_control *control)
{
    const struct gh_conf *conf = control->snapshot->conf;
    const struct gh_session_keys *keys = conf->site->session_keys;
    gh_str secrets[GH_SESSION_KEYS_MAX];
    size_t count = conf->shares_tickets ? gh_session_keys_count(keys) : 0;
    for (size_t i = 0; i < count; i++)
        secrets[i] = gh_session_keys_peek_tickets(keys, i);
    if (!gh_ticket_keys_share(control->tickets, (struct gh_strs){ secrets, count },
                              gh_clock_wall_us() / 1000000))
        gh_log(GH_LOG_ERROR, "the keys of TLS tickets could not be made: no TLS session is resumed");
}

/* Whole or not at all: the key rings take part in the same step. */
enum gh_reason gh_control_adopt(struct gh_control *control, struct gh_conf *conf, char **ret_why)
{
    struct gh_snapshot *snapshot = NULL;
    const struct gh_snapshot_with with = snapshot_with(control);
    conf->site->generation = control->generation + 1;
    gh_descriptors_fit(&conf->front.limits, gh_control_wanted_workers(conf));
    gh_keyrings_begin(control->rings);
    enum gh_reason reason = gh_snapshot_new(conf, &with, &snapshot, ret_why);
    if (reason == GH_OK && !gh_fetcher_configure(control->fetcher, &conf->fetch)) {
        gh_snapshot_unref(snapshot);
        reason = GH_OUT_OF_MEMORY;
    }
    gh_keyrings_end(control->rings, reason == GH_OK); /* here the fetches of new settings begin */
    if (reason != GH_OK)
        return reason;
    gh_signing_adopt(&control->signing, conf);
    gh_snapshot_unref(control->snapshot);
    control->snapshot = snapshot;
    share_tickets(control);
    control->generation++;
    gh_registry_generation(control->registry, control->generation, gh_clock_wall_us() / 1000000);
    gh_log_set_level(conf->log.level);
    gh_log_set_limit(conf->log.burst, conf->log.per_s);
    return GH_OK;
}

/* ---- reload ---- */

static void remember_text(struct gh_control *control, const char *text)
{
    free((void *)(uintptr_t)control->reload_text.ptr);
    char *copy = strdup(text);
    control->reload_text = gh_str_from(copy);
}

static gh_str first_error(const struct gh_conf_errors *errors, char *out, size_t cap)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct gh_conf_error *error = &errors->at[i];
        if (error->warning)
            continue;
        int len = snprintf(out, cap, "%.*s:%u:%u: %.*s: found %.*s, allowed %.*s", GH_STR_FMT(error->file),
                           error->line, error->column, GH_STR_FMT(error->key_path), GH_STR_FMT(error->found),
                           GH_STR_FMT(error->allowed));
        return gh_str_of(out, len < 0 ? 0 : (size_t)len < cap ? (size_t)len : cap - 1);
    }
    return GH_STR("out of memory");
}

static enum gh_reason refuse_reload(struct gh_control *control, gh_str why)
{
    char text[1024];
    gh_str hint = gh_str_contains(why, gh_str_from(strerror(EACCES))) ? gh_sandbox_hint() : GH_STR("");
    (void)snprintf(text, sizeof(text), "the old settings stay: %.*s%.*s", GH_STR_FMT(why), GH_STR_FMT(hint));
    remember_text(control, text);
    gh_log(GH_LOG_ERROR, "settings were not reloaded",
           GH_FIELD("why", gh_str_skip(gh_str_from(text), sizeof("the old settings stay: ") - 1)));
    return GH_SETTINGS_INVALID;
}

/* Sockets stay bound as they are: settings for other ones must not come to stand on them. */
static bool same_listeners(const struct gh_front_conf *old, const struct gh_front_conf *now)
{
    if (old->listener_count != now->listener_count)
        return false;
    for (size_t i = 0; i < now->listener_count; i++) {
        const struct gh_listen_conf *a = &old->listeners[i], *b = &now->listeners[i];
        if (!gh_str_eq(a->address_text, b->address_text) || (a->pair_count > 0) != (b->pair_count > 0) ||
            a->proxy_protocol != b->proxy_protocol)
            return false;
    }
    return true;
}

/* Workers, files and the admin listener are made once too; there the old ones simply stay. */
static void warn_of_restart(const struct gh_conf *old, const struct gh_conf *now)
{
    bool same = old->workers == now->workers && gh_str_eq(old->admin.address_text, now->admin.address_text) &&
                gh_str_eq(old->audit.file, now->audit.file) && gh_str_eq(old->log.file, now->log.file) &&
                gh_str_eq(old->user, now->user) && old->sandbox == now->sandbox &&
                gh_str_eq(old->handover, now->handover);
    if (!same)
        gh_log(GH_LOG_WARN,
               "admin address, workers, log, audit, user, sandbox and handover change at a restart only");
}

/* It is opened once. */
static bool same_store(const struct gh_store_conf *a, const struct gh_store_conf *b)
{
    return gh_str_eq(a->url, b->url) && gh_str_eq(a->password_file, b->password_file) &&
           gh_str_eq(a->sentinel_password_file, b->sentinel_password_file) &&
           gh_str_eq(a->ca_file, b->ca_file) && gh_str_eq(a->certificate_file, b->certificate_file) &&
           gh_str_eq(a->key_file, b->key_file) && a->queue_max == b->queue_max && a->busy_ms == b->busy_ms &&
           a->sweep_s == b->sweep_s && a->log_poll_ms == b->log_poll_ms && a->timeout_ms == b->timeout_ms &&
           a->replicas == b->replicas && a->replica_wait_ms == b->replica_wait_ms;
}

enum gh_reason gh_control_reload(struct gh_control *control)
{
    struct gh_conf_errors errors;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return refuse_reload(control, GH_STR("out of memory"));
    struct gh_conf *conf = NULL;
    char text[1024];
    enum gh_reason reason = gh_control_read_settings(&control->source, &conf, &errors);
    if (reason != GH_OK) {
        reason = refuse_reload(control, first_error(&errors, text, sizeof(text)));
        gh_conf_errors_done(&errors);
        return reason;
    }
    gh_conf_errors_done(&errors);
    if (!same_store(&control->snapshot->conf->store, &conf->store)) {
        gh_conf_free(conf);
        return refuse_reload(control, GH_STR("store: it changes at a restart only"));
    }
    if (!same_listeners(&control->snapshot->conf->front, &conf->front)) {
        gh_conf_free(conf);
        return refuse_reload(
            control, GH_STR("listen: order, addresses, tls and proxy_protocol change at a restart only"));
    }
    warn_of_restart(control->snapshot->conf, conf);
    char *why = NULL;
    reason = gh_control_adopt(control, conf, &why);
    if (reason != GH_OK) {
        reason = refuse_reload(control, why != NULL ? gh_str_from(why) : GH_STR("out of memory"));
        free(why);
        return reason;
    }
    if (!gh_control_tell_snapshot(control))
        return refuse_reload(control, GH_STR("a worker could not be told: out of memory"));
    (void)snprintf(text, sizeof(text), "generation %llu", (unsigned long long)control->generation);
    remember_text(control, text);
    gh_log(GH_LOG_INFO, "settings reloaded", GH_FIELD("generation", gh_str_skip(gh_str_from(text), 11)));
    return GH_OK;
}
