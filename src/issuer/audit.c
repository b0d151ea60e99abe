/* issuer/audit.c: what the line of an exchange says of an issuer's doings: proven values alone, and only what
 * is durable (issuer.md section 13). */
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/digest.h"
#include "issuer/flow.h"

void gh_issuer_tell_from(struct gh_issuer_request *r)
{
    const struct gh_header *agent = gh_headers_find(&r->x->headers, GH_STR("user-agent"));
    r->act.user_agent = agent != NULL ? agent->value : GH_STR("");
    r->x->act = &r->act;
}

void gh_issuer_tell(struct gh_issuer_request *r, enum gh_audit_event event)
{
    r->act.events |= GH_EVENT_BIT(event);
}

struct gh_principal *gh_issuer_name(struct gh_issuer_request *r, gh_str user, gh_str client)
{
    struct gh_principal *principal = GH_ARENA_NEW(r->x->arena, struct gh_principal);
    if (principal == NULL) /* the line says less, then */
        return NULL;
    principal->issuer_name = r->managed->name;
    principal->issuer = r->managed->policy.issuer;
    principal->subject = user;
    principal->client = client;
    principal->scopes = r->request.scopes;
    r->x->principal = principal;
    return principal;
}

static gh_str hash_of(struct gh_arena *arena, gh_str text)
{
    unsigned char hash[32];
    struct gh_digest digest;
    gh_digest_begin(&digest);
    gh_digest_bytes(&digest, text);
    bool ok = gh_digest_end(&digest, hash);
    gh_digest_done(&digest);
    char *out = ok ? gh_arena_alloc(arena, gh_base64url_encoded_len(sizeof(hash))) : NULL;
    if (out == NULL)
        return GH_STR("");
    gh_base64url_encode(gh_str_of(hash, sizeof(hash)), out);
    return gh_str_of(out, gh_base64url_encoded_len(sizeof(hash)));
}

void gh_issuer_tell_token(struct gh_issuer_request *r, const struct gh_grant_token *token)
{
    r->act.resource = token->resource;
    r->act.given = gh_scope_write(r->x->arena, token->scopes);
    r->act.jti_hash = hash_of(r->x->arena, token->jti);
}

/* What a form asks for counts as text of ours once it is a list of legal scopes. */
void gh_issuer_tell_asked(struct gh_issuer_request *r)
{
    gh_str asked = gh_form_get(&r->form, GH_STR("scope"));
    struct gh_strs scopes;
    if (asked.ptr != NULL && gh_scope_read(r->x->arena, asked, &scopes) == GH_OK)
        r->act.asked = asked;
}

void gh_issuer_tell_effects(struct gh_issuer_request *r)
{
    const struct gh_effects *effects = &r->effects;
    if (effects->revocation_count == 0)
        return;
    gh_issuer_tell(r, GH_EVENT_REVOKE);
    r->act.revoked = gh_revoked_name(effects->revocations[0].level);
    r->act.revoked_count += effects->revocation_count;
}

/* Who was refused is said as far as it was proven. */
void gh_issuer_tell_refused(struct gh_issuer_request *r)
{
    if (r->endpoint->refused != GH_EVENT_NONE)
        gh_issuer_tell(r, r->endpoint->refused);
    if (r->x->principal == NULL && r->is_proven)
        (void)gh_issuer_name(r, GH_STR(""), r->client.id);
}
