/* app/explain.h: which check decides about a token at a route: the verifier's own steps, one after the other,
 * told. */
#ifndef GH_APP_EXPLAIN_H
#define GH_APP_EXPLAIN_H

#include "gateway/site.h"

/* One JSON object: {"route":..., "verdict":slug, "step":..., "detail":..., who it is when accepted}. Never
 * the token. `rings` may be NULL (offline): keys of jwks_file issuers are not known then, and the signature
 * step says so. ptr NULL: out of memory. */
gh_str gh_explain(struct gh_arena *arena, const struct gh_site *site, struct gh_keyrings *rings, gh_str route,
                  gh_str token, int64_t now);

#endif
