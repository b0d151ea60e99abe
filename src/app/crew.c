/* app/crew.c: the workers as the control thread sees them: made, told things, asked by. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"
#include "base/log.h"
#include "base/str.h"

#define AUDIT_RING (1024 * 1024)
#define ADMIN_RING (128 * 1024)
#define LOG_RING   (256 * 1024)

/* ---- questions of workers ---- */

struct question {
    struct gh_worker *worker;
    uint64_t ticket;
};

static struct question *new_question(struct gh_worker *worker, uint64_t ticket)
{
    struct question *question = gh_malloc(sizeof(*question));
    if (question != NULL)
        *question = (struct question){ .worker = worker, .ticket = ticket };
    return question;
}

/* An answer that cannot be sent is not lost: the request waits no longer than its deadline. */
static void warn_unsent(bool sent)
{
    if (!sent)
        gh_log(GH_LOG_ERROR, "an answer to a worker could not be sent: out of memory");
}

static void key_came(void *ctx)
{
    struct question *question = ctx;
    warn_unsent(gh_worker_key_came(question->worker, question->ticket));
    free(question);
}

static void want_key(void *ctx, struct gh_worker *worker, uint32_t slot, gh_str kid, uint64_t ticket)
{
    struct gh_control *control = ctx;
    struct question *question = new_question(worker, ticket);
    if (question != NULL && gh_control_look_for_kid(control, slot, key_came, question))
        return;
    if (question != NULL && gh_keyrings_want(control->rings, slot, kid, key_came, question))
        return;
    free(question);
    warn_unsent(gh_worker_key_came(worker, ticket));
}

static void introspected(void *ctx, enum gh_reason reason, gh_str answer)
{
    struct question *question = ctx;
    warn_unsent(gh_worker_introspected(question->worker, question->ticket, reason, answer));
    free(question);
}

static void introspect(void *ctx, struct gh_worker *worker, const struct gh_worker_question *asked)
{
    struct gh_control *control = ctx;
    struct question *question = new_question(worker, asked->ticket);
    const struct gh_introspection_request request = { .slot = asked->slot,
                                                      .token = asked->token,
                                                      .suspect = asked->suspect };
    if (question != NULL && gh_keyrings_introspect(control->rings, &request, introspected, question))
        return;
    free(question);
    warn_unsent(gh_worker_introspected(worker, asked->ticket, GH_OVERLOADED, GH_STR_NONE));
}

static void fetch_document(void *ctx, struct gh_worker *worker, gh_str url, gh_str source, uint64_t ticket)
{
    struct gh_control *control = ctx;
    const struct gh_document_wish wish = { .url = url, .source = source, .ticket = ticket };
    const struct gh_issuer_fetched refused = { .reason = gh_documents_want(control->documents, worker, &wish),
                                               .max_age_s = -1 };
    if (refused.reason != GH_OK)
        warn_unsent(gh_worker_fetched(worker, ticket, &refused));
}

static void sign_in(void *ctx, struct gh_worker *worker, gh_str asked, uint64_t ticket)
{
    struct gh_control *control = ctx;
    static const struct gh_issuer_fetched refused = { .reason = GH_OVERLOADED, .max_age_s = -1 };
    if (!gh_sign_ins_ask(control->sign_ins, control->snapshot, worker, asked, ticket))
        warn_unsent(gh_worker_fetched(worker, ticket, &refused));
}

static void hear(void *ctx, struct gh_worker *worker, gh_str signal, uint64_t ticket)
{
    struct gh_control *control = ctx;
    static const struct gh_signal_outcome refused = { .reason = GH_OVERLOADED };
    if (!gh_hearings_ask(control->hearings, worker, signal, ticket))
        warn_unsent(gh_worker_heard(worker, ticket, &refused));
}

static void worker_drained(void *ctx, struct gh_worker *worker)
{
    struct gh_control *control = ctx;
    if (++control->drained_count == control->worker_count)
        gh_loop_stop(control->loop);
}

/* ---- making and telling ---- */

unsigned gh_control_wanted_workers(const struct gh_conf *conf)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t wanted = conf->workers > 0 ? conf->workers : cores > 0 ? cores : 1;
    return wanted < GH_WORKERS_MAX ? (unsigned)wanted : GH_WORKERS_MAX;
}

bool gh_control_make_workers(struct gh_control *control)
{
    struct gh_worker_new with = {
        .control = control->mailbox,
        .registry = control->registry,
        .offload = control->offload,
        .passwords = control->passwords,
        .limits = control->limits,
        .sources = control->sources,
        .store = control->store,
        .revocations = control->revocations.index,
        .streams = control->streams,
        .want_key = want_key,
        .introspect = introspect,
        .fetch = fetch_document,
        .sign_in = sign_in,
        .hear = hear,
        .drained = worker_drained,
    };
    for (; control->worker_count < gh_control_wanted_workers(control->snapshot->conf);
         control->worker_count++) {
        with.index = control->worker_count;
        with.no_route = gh_registry_route_stats(control->registry, with.index, GH_NO_ROUTE);
        with.audit = control->audit_file != NULL ? gh_logfile_lane(control->audit_file, AUDIT_RING) : NULL;
        with.log = gh_logfile_lane(control->log_file, LOG_RING);
        struct gh_worker *worker = gh_worker_new(&with);
        if (worker == NULL || with.log == NULL || (control->audit_file != NULL && with.audit == NULL)) {
            gh_worker_free(worker);
            return false;
        }
        control->workers[control->worker_count] = worker;
    }
    if (control->audit_file != NULL)
        control->admin_audit = gh_logfile_lane(control->audit_file, ADMIN_RING);
    return control->audit_file == NULL || control->admin_audit != NULL;
}

static bool tell_keys(struct gh_control *control, struct gh_worker *worker)
{
    const struct gh_site *site = control->snapshot->conf->site;
    for (size_t i = 0; i < site->issuer_count; i++) {
        const struct gh_keys_view view = gh_keyrings_view(control->rings, site->issuers[i].slot);
        if (!gh_worker_keys(worker, site->issuers[i].slot, &view))
            return false;
    }
    return true;
}

static bool put_into_rings(struct gh_control *control, gh_str issuer, gh_str jwks)
{
    const struct gh_site *site = control->snapshot->conf->site;
    for (size_t i = 0; i < site->issuer_count; i++)
        if (site->issuers[i].conf.managed && gh_str_eq(site->issuers[i].conf.profile.name, issuer) &&
            !gh_keyrings_put(control->rings, site->issuers[i].slot, jwks))
            return false;
    return true;
}

/* Verifiers first: no token is signed by a key that the gateway beside it does not know. */
bool gh_control_tell_signing(struct gh_control *control, bool rings)
{
    const struct gh_issuer_site *site = control->snapshot->conf->issuer_site;
    for (size_t i = 0; i < site->issuer_count; i++) {
        struct gh_issuer_keys *keys = gh_signing_keys(&control->signing, &site->issuers[i]);
        bool ok = keys != NULL && (!rings || put_into_rings(control, site->issuers[i].name, keys->jwks));
        for (unsigned k = 0; ok && k < control->worker_count; k++)
            ok = gh_worker_signing(control->workers[k], site->issuers[i].name, gh_issuer_keys_ref(keys));
        gh_issuer_keys_unref(keys);
        if (!ok)
            return false;
    }
    return true;
}

bool gh_control_tell_snapshot(struct gh_control *control)
{
    if (!gh_control_tell_signing(control, false))
        return false;
    for (unsigned i = 0; i < control->worker_count; i++)
        if (!tell_keys(control, control->workers[i]) ||
            !gh_worker_snapshot(control->workers[i], control->snapshot))
            return false;
    return true;
}

void gh_control_publish_keys(void *ctx, uint32_t slot, const struct gh_keys_view *view)
{
    struct gh_control *control = ctx;
    for (unsigned i = 0; i < control->worker_count; i++) {
        struct gh_keys_view copy = *view;
        copy.set = view->set != NULL ? gh_jwks_ref(view->set) : NULL;
        if (!gh_worker_keys(control->workers[i], slot, &copy))
            gh_log(GH_LOG_ERROR, "a worker could not be told of new keys: out of memory");
    }
    gh_jwks_unref(view->set);
}
