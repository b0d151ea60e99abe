/* admin/client_rules.h: what a pre-registered client may be: the rules of the settings, for those that the
 * operator adds while the gateway runs. Pure. */
#ifndef GH_ADMIN_CLIENT_RULES_H
#define GH_ADMIN_CLIENT_RULES_H

#include "core/json/json.h"
#include "gatehouse/grant.h"

/* What the operator's object asks for: auth, grants, redirect_uris and so on. Words as below; the id may be
 * empty, and `grants` GH_CLIENT_GRANTS_UNSAID. */
gh_str gh_client_wish_read(struct gh_arena *arena, const struct gh_json *asked, struct gh_client *ret_client);

/* Fills in what was not said: `grants` GH_CLIENT_GRANTS_UNSAID becomes what the redirect URIs mean. */
#define GH_CLIENT_GRANTS_UNSAID 0x80000000u
void gh_client_fill_in(struct gh_client *client);

/* Words for the operator, what was found and what is allowed; empty when it is good, ptr NULL when out of
 * memory. Secrets do not count yet: whoever proves itself by one is given it. */
gh_str gh_client_wrong(struct gh_arena *arena, const struct gh_grant_policy *policy,
                       const struct gh_client *client);

/* May it be the id of a client that the operator names? 1 to 64 letters, digits, '-' and '_'. */
bool gh_client_id_is_sound(gh_str id);

/* A further secret's hash behind those that live; false when there are two. */
bool gh_client_add_secret(struct gh_arena *arena, struct gh_client *client, gh_str hash) GH_MUST_USE;
/* The older of two secrets goes; false when there are not two. */
bool gh_client_drop_secret(struct gh_client *client) GH_MUST_USE;

#endif
