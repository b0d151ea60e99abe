/* core/grant/secret.h: what codes and refresh tokens have in common: secrets that are stored as hashes, and
 * the tokens made for them. */
#ifndef GH_CORE_GRANT_SECRET_H
#define GH_CORE_GRANT_SECRET_H

#include "gatehouse/grant.h"

/* Added to lives in the store, so that clocks that differ never forget something too early. */
#define GH_GRANT_SLACK 300

/* base64url; ptr NULL when out of memory. */
gh_str gh_secret_text(struct gh_arena *arena, const unsigned char *bytes, size_t len);
/* "prefix" and base64url. */
gh_str gh_id_text(struct gh_arena *arena, const char *prefix, const unsigned char random[16]);

/* AES-256-GCM under a key that HKDF-SHA-256 makes of `secret` for this purpose alone: the text is base64url
 * of nonce, ciphertext and tag. ptr NULL when memory or libcrypto fails. */
gh_str gh_grant_seal(struct gh_arena *arena, gh_str secret, const unsigned char nonce[12], gh_str plain);
/* GH_STORE_MALFORMED when it does not open. */
GH_MUST_USE enum gh_reason gh_grant_unseal(struct gh_arena *arena, gh_str secret, gh_str sealed,
                                           gh_str *ret_plain);

/* The scopes of a request at a resource: asked for, within what resource and client allow; absent: the
 * defaults. GH_SCOPE_NONE, GH_SCOPE_MALFORMED. */
GH_MUST_USE enum gh_reason gh_grant_scopes(struct gh_arena *arena, const struct gh_client *client,
                                           const struct gh_grant_resource *resource, gh_str asked,
                                           struct gh_strs *ret_scopes);
/* An access token of this grant, issued behind the epoch. */
GH_MUST_USE enum gh_reason gh_grant_mint(struct gh_arena *arena, const struct gh_redemption *redemption,
                                         const struct gh_grant *grant, struct gh_strs scopes,
                                         struct gh_grant_token *ret_token);
/* The refresh token of `random` as a row of its own that names its grant. */
GH_MUST_USE enum gh_reason gh_refresh_put(struct gh_arena *arena, const struct gh_redemption *redemption,
                                          struct gh_grant *grant, gh_str grant_key, gh_str refresh_token,
                                          struct gh_effects *effects);
/* When a grant's row and its newest refresh token die of idleness or age. */
int64_t gh_grant_expires(const struct gh_grant_policy *policy, const struct gh_grant *grant, int64_t now);
/* The log entry that ends its access tokens. */
GH_MUST_USE enum gh_reason gh_grant_revoke(const struct gh_grant_policy *policy, gh_str id, int64_t now,
                                           struct gh_effects *effects);

#endif
