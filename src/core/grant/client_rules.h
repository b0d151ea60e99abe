/* core/grant/client_rules.h: what a pre-registered client may be, in the settings and where the operator adds
 * it while the gateway runs. */
#ifndef GH_CORE_GRANT_CLIENT_RULES_H
#define GH_CORE_GRANT_CLIENT_RULES_H

#include "core/json/json.h"
#include "gatehouse/grant.h"

/* What the operator's object asks for: auth, grants, redirect_uris and so on. Words as below; the id may be
 * empty, and `grants` GH_CLIENT_GRANTS_UNSAID. */
gh_str gh_client_wish_read(struct gh_arena *arena, const struct gh_json *asked, struct gh_client *ret_client);

/* Fills in what was not said: `grants` GH_CLIENT_GRANTS_UNSAID becomes what the redirect URIs mean. */
#define GH_CLIENT_GRANTS_UNSAID 0x80000000u
void gh_client_fill_in(struct gh_client *client);

/* What is wrong with one, by the member that says it: name, redirect_uris, grants, resources or scopes. */
struct gh_client_fault {
    const char *member;
    gh_str found, allowed; /* found: empty where it is not to be repeated */
};
struct gh_client_faults {
    struct gh_client_fault at[5]; /* one of each */
    size_t count;
};
/* The rules that hold wherever a client is written. GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_client_check(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                           const struct gh_client *client,
                                           struct gh_client_faults *ret_faults);
/* Is the text a JWK set whose keys are public, and one of use? Words that say why not; empty when it is; ptr
 * NULL when out of memory. */
gh_str gh_client_keys_wrong(struct gh_arena *arena, gh_str jwks);

/* The same as words for the operator who adds one, with the rules for ids and keys: what was found and what
 * is allowed; empty when it is good, ptr NULL when out of memory. Secrets do not count yet: whoever proves
 * itself by one is given it. */
gh_str gh_client_wrong(struct gh_arena *arena, const struct gh_grant_policy *policy,
                       const struct gh_client *client);

/* A further secret's hash behind those that live; false when there are two. */
bool gh_client_add_secret(struct gh_arena *arena, struct gh_client *client, gh_str hash) GH_MUST_USE;
/* The older of two secrets goes; false when there are not two. */
bool gh_client_drop_secret(struct gh_client *client) GH_MUST_USE;

#endif
