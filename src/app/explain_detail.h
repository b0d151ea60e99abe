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
    gh_str called; /* what explain_call.c found out, as members of JSON; may be empty */
};

/* explain_call.c: a call that the token would make, `{...}` as a body has it or METHOD [NAME [ARGUMENTS]]. */
enum gh_reason gh_explain_call(struct gh_story *story, gh_str call);
/* explain.c: as the inside of a JSON string. */
gh_str gh_explain_quoted(struct gh_arena *arena, gh_str value);

gh_str gh_explain_claims(const struct gh_story *story, enum gh_reason reason);
gh_str gh_explain_scopes(const struct gh_story *story);

#endif
