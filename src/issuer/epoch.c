/* issuer/epoch.c: since when tokens, grants and sessions count, by what was revoked. */
#include "base/str.h"
#include "issuer/request.h"

/* Of that level alone; 0 where it has none, or nobody is named. */
static enum gh_reason of_level(const struct gh_issuer_request *r, enum gh_revoked level, gh_str id,
                               int64_t *ret_epoch)
{
    const struct gh_grant_policy *policy = &r->managed->policy;
    struct gh_revocation revocation = { .level = level, .tenant = policy->tenant };
    struct gh_revocation_key key;
    *ret_epoch = 0;
    if (r->server->with.index == NULL || id.len == 0)
        return GH_OK;
    if (level != GH_REVOKED_TENANT) {
        revocation.issuer_name = policy->issuer_name;
        revocation.id = id;
    }
    enum gh_reason reason = gh_revocation_key(&revocation, &key);
    if (reason == GH_OK)
        *ret_epoch = gh_index_epoch(r->server->with.index, &key);
    return reason;
}

enum gh_reason gh_issuer_people_epoch(const struct gh_issuer_request *r, gh_str user, int64_t *ret_epoch)
{
    int64_t of_tenant, of_user;
    enum gh_reason reason = of_level(r, GH_REVOKED_TENANT, r->managed->policy.tenant, &of_tenant);
    if (reason == GH_OK)
        reason = of_level(r, GH_REVOKED_USER, user, &of_user);
    if (reason == GH_OK)
        *ret_epoch = of_tenant > of_user ? of_tenant : of_user;
    return reason;
}

enum gh_reason gh_issuer_client_epoch(const struct gh_issuer_request *r, gh_str client, int64_t *ret_epoch)
{
    return of_level(r, GH_REVOKED_CLIENT, client, ret_epoch);
}

enum gh_reason gh_issuer_moment(const struct gh_issuer_request *r, gh_str client, gh_str user,
                                struct gh_moment *ret_moment)
{
    const struct gh_index *index = r->server->with.index;
    struct gh_moment moment = { .now = gh_issuer_now(r) };
    enum gh_reason reason = gh_issuer_people_epoch(r, user, &moment.people);
    if (reason == GH_OK)
        reason = gh_issuer_client_epoch(r, client, &moment.client);
    moment.epoch = moment.people > moment.client ? moment.people : moment.client;
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
