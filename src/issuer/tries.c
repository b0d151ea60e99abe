/* issuer/tries.c: tries to sign in with a password: counted before they are made, by account and by address.
 */
#include "base/str.h"
#include "issuer/flow.h"

/* From one address, all accounts together. */
static struct gh_rate failures(const struct gh_issuer_request *r)
{
    return (struct gh_rate){ .tries = r->managed->limits.login_failures, .span_s = 60 };
}

gh_str gh_tries_account_key(const struct gh_issuer_request *r, gh_str name)
{
    return gh_throttle_key(r->x->arena, "login-tries", gh_person_name_key(r->x->arena, name));
}

gh_str gh_tries_address_key(const struct gh_issuer_request *r)
{
    return gh_throttle_key(r->x->arena, "login-failures", r->x->client_ip);
}

enum gh_reason gh_tries_begin(struct gh_issuer_request *r, gh_str name)
{
    const struct gh_rate rate = failures(r);
    int64_t wait = 0, address_wait = 0;
    enum gh_reason reason = GH_OK;
    if (!r->x->shared_source)
        reason = gh_throttle_look(r, gh_tries_address_key(r), &rate, &address_wait);
    if (reason == GH_OK && address_wait == 0)
        reason = gh_throttle_account(r, gh_tries_account_key(r, name), &wait);
    r->retry_after_s = address_wait > 0 ? address_wait : wait;
    if (r->retry_after_s > 0)
        gh_throttle_tell(r, address_wait > 0 ? gh_tries_address_key(r) : gh_tries_account_key(r, name));
    return reason;
}

enum gh_reason gh_tries_failed(struct gh_issuer_request *r)
{
    const struct gh_rate rate = failures(r);
    return r->x->shared_source ? GH_OK : gh_throttle_count(r, gh_tries_address_key(r), &rate);
}
