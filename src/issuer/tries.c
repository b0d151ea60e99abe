/* issuer/tries.c: tries to sign in with a password: counted before they are made, by account and by address.
 */
#include "base/str.h"
#include "issuer/flow.h"

/* From one address, all accounts together. What is under way counts until it is right: of many tries at once
 * no more are made, and before they are nothing is written for them. */
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
    return gh_throttle_key(r->x->arena, "login-failures", r->address);
}

enum gh_reason gh_tries_begin(struct gh_issuer_request *r, gh_str name)
{
    const struct gh_rate rate = failures(r);
    gh_str account = gh_tries_account_key(r, name), address = gh_tries_address_key(r);
    int64_t wait = 0;
    enum gh_reason reason = gh_throttle_account(r, account, &wait);
    if (reason == GH_OK && wait == 0)
        reason = gh_throttle_take(r, address, &rate);
    bool by_account = wait > 0;
    if (by_account)
        r->retry_after_s = wait;
    if (r->retry_after_s > 0)
        gh_throttle_tell(r, by_account ? account : address);
    return reason;
}

enum gh_reason gh_tries_failed(struct gh_issuer_request *r)
{
    const struct gh_rate rate = failures(r);
    return r->x->shared_source ? GH_OK : gh_throttle_count(r, gh_tries_address_key(r), &rate);
}

void gh_tries_right(struct gh_issuer_request *r)
{
    gh_throttle_give(r, gh_tries_address_key(r));
}
