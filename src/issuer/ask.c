/* issuer/ask.c: asking the store: rows for the next step, effects made durable, conflicts decided anew. */
#include "base/str.h"
#include "issuer/request.h"

/* Each conflict means that somebody else got on: more in a row is a store that does not answer in order. */
#define TRIES_MAX 8

static void refuse_and_go(struct gh_issuer_request *r, enum gh_reason why)
{
    (void)gh_issuer_refuse(r, why);
    gh_issuer_let_go(r);
}

static void read_done(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_issuer_request *r = ctx;
    r->call = NULL;
    if (answer->reason != GH_OK)
        refuse_and_go(r, answer->reason);
    else if (!gh_rows_keep(r->x->arena, answer->rows, &r->rows))
        refuse_and_go(r, GH_OUT_OF_MEMORY);
    else
        gh_issuer_run(r);
}

/* issuer.md section 4: a store that is down is 503, never invalid_grant, which makes clients throw their
 * tokens away.
 */
static void commit_done(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_issuer_request *r = ctx;
    r->call = NULL;
    if (answer->reason == GH_STORE_CONFLICT)
        GH_COUNT_ADD(
            gh_registry_worker_stats(r->server->with.registry, r->server->with.worker)->store_conflicts, 1);
    if (answer->reason == GH_STORE_CONFLICT && r->tries++ < TRIES_MAX) {
        r->step = r->again;
        r->rows = (struct gh_rows){ 0 };
    } else if (answer->reason != GH_OK) {
        refuse_and_go(r, answer->reason == GH_STORE_CONFLICT ? GH_OVERLOADED : answer->reason);
        return;
    } else {
        gh_issuer_tell_effects(r);
    }
    gh_issuer_run(r);
}

static enum gh_step_end wait_for(struct gh_issuer_request *r, struct gh_store_call *call)
{
    r->call = call;
    return call != NULL ? GH_STEP_WAIT : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

enum gh_step_end gh_issuer_read(struct gh_issuer_request *r, const gh_str *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].ptr == NULL)
            return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    return wait_for(r, gh_store_read(r->server->with.store, r->managed->policy.tenant,
                                     (struct gh_strs){ keys, count }, gh_issuer_now(r), read_done, r));
}

enum gh_step_end gh_issuer_list(struct gh_issuer_request *r, gh_str prefix, size_t limit)
{
    if (prefix.ptr == NULL)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    return wait_for(r, gh_store_list(r->server->with.store, r->managed->policy.tenant, prefix, GH_STR(""),
                                     limit, gh_issuer_now(r), read_done, r));
}

enum gh_step_end gh_issuer_commit(struct gh_issuer_request *r)
{
    const struct gh_effects *effects = &r->effects;
    if (effects->write_count == 0 && effects->revocation_count == 0)
        return GH_STEP_NEXT;
    return wait_for(r, gh_store_commit(r->server->with.store, r->managed->policy.tenant, effects,
                                       gh_issuer_now(r), commit_done, r));
}
