/* issuer/audit.c: what the line of an exchange says of an issuer's doings: proven values alone, and only what
 * is durable (issuer.md section 13). */
#include "base/str.h"
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

void gh_issuer_tell_token(struct gh_issuer_request *r, const struct gh_grant_token *token)
{
    r->act.resource = token->resource;
    r->act.given = gh_scope_write(r->x->arena, token->scopes);
    gh_str hash = gh_secret_hash(r->x->arena, token->jti);
    r->act.jti_hash = hash.ptr != NULL ? hash : GH_STR(""); /* the line says less, then */
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
