/* issuer/epoch.c: since when tokens, grants and sessions count, by what was revoked. */
#include "base/str.h"
#include "issuer/request.h"

enum gh_reason gh_issuer_epoch(const struct gh_issuer_request *r, gh_str client, gh_str user,
                               int64_t *ret_epoch)
{
    const struct gh_grant_policy *policy = &r->managed->policy;
    const gh_str ids[] = { policy->tenant, client, user };
    static const enum gh_revoked levels[] = { GH_REVOKED_TENANT, GH_REVOKED_CLIENT, GH_REVOKED_USER };
    *ret_epoch = 0;
    for (size_t i = 0; r->server->with.index != NULL && i < GH_ARRAY_LEN(levels); i++) {
        struct gh_revocation revocation = { .level = levels[i], .tenant = policy->tenant };
        struct gh_revocation_key key;
        if (ids[i].len == 0)
            continue;
        if (levels[i] != GH_REVOKED_TENANT) {
            revocation.issuer_name = policy->issuer_name;
            revocation.id = ids[i];
        }
        enum gh_reason reason = gh_revocation_key(&revocation, &key);
        if (reason != GH_OK)
            return reason;
        int64_t epoch = gh_index_epoch(r->server->with.index, &key);
        *ret_epoch = epoch > *ret_epoch ? epoch : *ret_epoch;
    }
    return GH_OK;
}

enum gh_reason gh_issuer_moment(const struct gh_issuer_request *r, gh_str client, gh_str user,
                                struct gh_moment *ret_moment)
{
    const struct gh_index *index = r->server->with.index;
    struct gh_moment moment = { .now = gh_issuer_now(r) };
    enum gh_reason reason = gh_issuer_epoch(r, client, user, &moment.epoch);
    if (reason == GH_OK && index != NULL) {
        int64_t behind_ms = gh_index_staleness(index, gh_loop_now_ms(r->server->with.loop));
        if (behind_ms == INT64_MAX)
            return GH_STORE_DOWN;
        moment.known = behind_ms > 0 ? moment.now - (behind_ms + 999) / 1000 : moment.now;
    }
    if (reason == GH_OK)
        *ret_moment = moment;
    return reason;
}
