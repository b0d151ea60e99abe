/* app/explain_detail.h: what explain says beside a verdict about claims: what stands in the token, what was
 * wanted. */
#ifndef GH_APP_EXPLAIN_DETAIL_H
#define GH_APP_EXPLAIN_DETAIL_H

#include "app/explain.h"

struct gh_story {
    struct gh_arena *arena;
    const struct gh_explain_with *with;
    const struct gh_route *route;
    const struct gh_issuer *issuer;
    struct gh_token token;
    struct gh_principal principal;
    const char *step, *signature;
    enum gh_reason reason;
    bool undecided;
    gh_str detail;
};

gh_str gh_explain_claims(const struct gh_story *story, enum gh_reason reason);
gh_str gh_explain_scopes(const struct gh_story *story);

#endif
