/* core/token/assertion.c: the claims in which the verified identity is passed on; never the token itself. */
#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/text.h"
#include "gatehouse/sign.h"

static void put_scopes(struct gh_text *text, struct gh_strs scopes);
static void put_actors(struct gh_text *text, const struct gh_principal *principal);
static gh_str kind_text(enum gh_principal_kind kind);

gh_str gh_assertion_write(struct gh_arena *arena, const struct gh_assertion *assertion)
{
    const struct gh_principal *principal = assertion->principal;
    struct gh_text text = { .arena = arena };
    char jti[22];
    _Static_assert(sizeof(jti) == (GH_ASSERTION_JTI * 8 + 5) / 6, "jti as base64url");
    gh_base64url_encode(gh_str_of(assertion->jti, sizeof(assertion->jti)), jti);
    gh_put_text(&text, "iss", assertion->issuer);
    gh_put_text(&text, "aud", assertion->audience);
    gh_put_text(&text, "sub", principal->subject);
    gh_put_text(&text, "sub_profile", kind_text(principal->kind));
    gh_put_text(&text, "issuer", principal->issuer_name);
    gh_put_text(&text, "tenant", assertion->tenant);
    gh_put_text(&text, "client_id", principal->client);
    put_scopes(&text, principal->scopes);
    put_actors(&text, principal);
    gh_put_text(&text, "resource", assertion->resource);
    gh_put_number(&text, "iat", assertion->issued);
    gh_put_number(&text, "exp", assertion->expires);
    gh_put_text(&text, "jti", gh_str_of(jti, sizeof(jti)));
    return gh_put_end(&text);
}

/* RFC 8693 section 4.2: one text. A scope holds no space: who read the token saw to that. */
static void put_scopes(struct gh_text *text, struct gh_strs scopes)
{
    gh_str joined = gh_arena_join(text->arena, scopes, GH_STR(" "));
    text->failed = text->failed || joined.ptr == NULL;
    gh_put_text(text, "scope", joined);
}

/* RFC 8693 section 4.1: the outermost actor holds the one it acts for. */
static void put_actors(struct gh_text *text, const struct gh_principal *principal)
{
    for (size_t i = 0; i < principal->actor_count; i++) {
        const struct gh_actor *actor = &principal->actors[i];
        gh_put_open(text, "act");
        gh_put_text(text, "iss", actor->iss);
        gh_put_text(text, "sub", actor->sub);
        gh_put_text(text, "sub_profile", actor->profile);
    }
    for (size_t i = 0; i < principal->actor_count; i++)
        gh_put_close(text);
}

/* The words of issuer.md section 8. */
static gh_str kind_text(enum gh_principal_kind kind)
{
    switch (kind) {
    case GH_PRINCIPAL_USER:
        return GH_STR("user");
    case GH_PRINCIPAL_SERVICE:
        return GH_STR("service");
    case GH_PRINCIPAL_AGENT:
        return GH_STR("ai_agent");
    }
    return GH_STR_NONE;
}
