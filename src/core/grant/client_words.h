/* core/grant/client_words.h: the words of client metadata (RFC 7591 section 2) that the issuer knows. */
#ifndef GH_CORE_GRANT_CLIENT_WORDS_H
#define GH_CORE_GRANT_CLIENT_WORDS_H

#include "core/json/json.h"
#include "gatehouse/client.h"

gh_str gh_client_auth_text(enum gh_client_auth auth);
/* False for methods that are not offered here. */
bool gh_client_auth_read(gh_str text, enum gh_client_auth *ret_auth);
struct gh_strs gh_client_grants_list(struct gh_arena *arena, unsigned grants);
/* False when one is not offered here. */
bool gh_client_grants_read(struct gh_strs list, unsigned *ret_grants);
/* A name for people: valid text, at most 100 characters; longer ones are cut. */
gh_str gh_client_name_cut(gh_str name);

#endif
