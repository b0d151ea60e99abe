/* app/snapshot.c: builds a snapshot whole or not at all. */
#include "app/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/session_keys.h"

struct gh_snapshot *gh_snapshot_ref(struct gh_snapshot *snapshot)
{
    __atomic_add_fetch(&snapshot->refs, 1, __ATOMIC_RELAXED);
    return snapshot;
}

void gh_snapshot_unref(struct gh_snapshot *snapshot)
{
    if (snapshot == NULL || __atomic_sub_fetch(&snapshot->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; snapshot->tls != NULL && i < snapshot->conf->front.listener_count; i++)
        gh_tls_context_unref(snapshot->tls[i]);
    free(snapshot->tls);
    gh_conf_free(snapshot->conf);
    free(snapshot);
}

static enum gh_reason make_tls(struct gh_snapshot *snapshot, const struct gh_snapshot_with *with,
                               char **ret_why)
{
    const struct gh_front_conf *front = &snapshot->conf->front;
    snapshot->tls = gh_calloc(front->listener_count + 1, sizeof(struct gh_tls_context *));
    if (snapshot->tls == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < front->listener_count; i++) {
        const struct gh_listen_conf *listen = &front->listeners[i];
        if (listen->pair_count == 0)
            continue;
        const struct gh_tls_server_conf conf = { .pairs = listen->pairs,
                                                 .pair_count = listen->pair_count,
                                                 .h2 = true };
        enum gh_reason reason = gh_tls_server_context(&conf, with->tickets, &snapshot->tls[i], ret_why);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}

/* `check` may look at settings whose key it may not read; to run on them is another matter. */
static enum gh_reason check_signer(const struct gh_site *site, char **ret_why)
{
    if (site->assertion.unreadable.len == 0)
        return GH_OK;
    if (asprintf(ret_why, "assertion.key_files: %.*s: may not be read",
                 GH_STR_FMT(site->assertion.unreadable)) < 0)
        *ret_why = NULL;
    return GH_SETTINGS_INVALID;
}

static enum gh_reason make_slots(struct gh_site *site, const struct gh_snapshot_with *with, char **ret_why)
{
    for (size_t i = 0; i < site->issuer_count; i++) {
        enum gh_reason reason =
            gh_keyrings_add(with->rings, &site->issuers[i].conf, &site->issuers[i].slot, ret_why);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}

/* Keys of providers that people sign in at. */
static enum gh_reason make_logins(struct gh_issuer_site *site, const struct gh_snapshot_with *with,
                                  char **ret_why)
{
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; i < site->issuer_count; i++)
        for (size_t k = 0; reason == GH_OK && k < site->issuers[i].login_count; k++) {
            struct gh_issuer_login *login = &site->issuers[i].logins[k];
            reason = gh_keyrings_add(with->rings, login->ring, &login->slot, ret_why);
        }
    return reason;
}

static enum gh_reason make_routes(struct gh_site *site, const struct gh_snapshot_with *with, char **ret_why)
{
    for (size_t i = 0; i < site->route_count; i++) {
        struct gh_route *route = &site->routes[i];
        enum gh_reason reason = gh_upstream_target_new(&route->upstream_conf, &route->target, ret_why);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}

static enum gh_reason make_managed(struct gh_conf *conf, const struct gh_snapshot_with *with, char **ret_why)
{
    struct gh_issuer_site *site = conf->issuer_site;
    for (size_t i = 0; i < site->issuer_count; i++) {
        struct gh_managed *managed = &site->issuers[i];
        managed->stats_id = gh_registry_route(with->registry, managed->policy.tenant, managed->name);
        if (managed->stats_id == UINT32_MAX)
            return GH_OUT_OF_MEMORY;
    }
    enum gh_reason reason = gh_issuer_site_load(site, ret_why);
    return reason == GH_OK ? gh_signing_prepare(with->signing, conf, with->now, ret_why) : reason;
}

static enum gh_reason make_sessions(const struct gh_conf *conf, const struct gh_snapshot_with *with,
                                    char **ret_why)
{
    if (conf->session_key_file.len > 0)
        return gh_session_keys_load(conf->session_key_file, &conf->site->session_keys, ret_why);
    conf->site->session_keys = gh_session_keys_ref(with->session_keys);
    return GH_OK;
}

/* Last: names that settings bring are kept for good, so settings that are refused must not come to this. */
static enum gh_reason make_series(struct gh_site *site, const struct gh_snapshot_with *with)
{
    for (size_t i = 0; i < site->route_count; i++) {
        struct gh_route *route = &site->routes[i];
        route->stats_id = gh_registry_route(with->registry, route->policy.tenant, route->policy.route);
        if (route->stats_id == UINT32_MAX)
            return GH_OUT_OF_MEMORY;
    }
    return GH_OK;
}

enum gh_reason gh_snapshot_new(struct gh_conf *conf, const struct gh_snapshot_with *with,
                               struct gh_snapshot **ret_snapshot, char **ret_why)
{
    struct gh_snapshot *snapshot = gh_calloc(1, sizeof(*snapshot));
    if (snapshot == NULL) {
        gh_conf_free(conf);
        return GH_OUT_OF_MEMORY;
    }
    snapshot->refs = 1;
    snapshot->conf = conf;
    enum gh_reason reason = check_signer(conf->site, ret_why);
    if (reason == GH_OK)
        reason = make_tls(snapshot, with, ret_why);
    if (reason == GH_OK)
        reason = make_managed(conf, with, ret_why);
    if (reason == GH_OK)
        reason = make_slots(conf->site, with, ret_why);
    if (reason == GH_OK)
        reason = make_logins(conf->issuer_site, with, ret_why);
    if (reason == GH_OK)
        reason = make_routes(conf->site, with, ret_why);
    if (reason == GH_OK)
        reason = make_sessions(conf, with, ret_why);
    if (reason == GH_OK)
        reason = make_series(conf->site, with);
    if (reason == GH_OK)
        *ret_snapshot = snapshot;
    else
        gh_snapshot_unref(snapshot);
    return reason;
}
