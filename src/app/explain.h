/* app/explain.h: which check decides about a token at a route: the verifier's own steps, one after the other,
 * told. */
#ifndef GH_APP_EXPLAIN_H
#define GH_APP_EXPLAIN_H

#include "gateway/site.h"
#include "store/index.h"

struct gh_explain_with {
    const struct gh_site *site;
    struct gh_keyrings *rings;          /* NULL: offline, with the keys of jwks_file issuers alone */
    const struct gh_index *revocations; /* NULL: nobody knows what was revoked */
    int64_t now;
};

/* One JSON object: {"route":..., "verdict":slug, "step":..., "detail":..., "signature":"good", "bad" or "not
 * checked", who it is and by which ids it can be revoked, when its claims were accepted}. Never the token.
 * Offline without keys the other checks go on: what they refuse is refused, and else the verdict is
 * keys_unavailable. An opaque token that an issuer would be asked about has the verdict "undecided". `call`
 * (may be empty) is what the token would be used for: where the route has rules, which of them are about it,
 * and what came of each, stands in "rules". ptr NULL: out of memory. */
gh_str gh_explain(struct gh_arena *arena, const struct gh_explain_with *with, gh_str route, gh_str token,
                  gh_str call);

#endif
