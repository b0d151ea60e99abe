/* Runs tests/tables/assertion.cases: a verified identity, and the claims in which it is passed on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/sign.h"
#include "lines.h"
#include "support/table.h"

static void fail(gh_str word)
{
    (void)printf("Bail out! not understood: %.*s\n", GH_STR_FMT(word));
    exit(1);
}

static enum gh_principal_kind kind_of(gh_str name)
{
    if (gh_str_eq(name, GH_STR("service")))
        return GH_PRINCIPAL_SERVICE;
    return gh_str_eq(name, GH_STR("agent")) ? GH_PRINCIPAL_AGENT : GH_PRINCIPAL_USER;
}

/* act=iss;sub;profile, once for each actor, outermost first. */
static void add_actor(struct gh_principal *principal, gh_str text)
{
    struct gh_actor *actor = &principal->actors[principal->actor_count++];
    actor->iss = gh_str_cut(&text, ';');
    actor->sub = gh_str_cut(&text, ';');
    actor->profile = text;
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_principal principal = { .subject = GH_STR_INIT("alice"), .issuer_name = GH_STR_INIT("okta") };
    struct gh_assertion assertion = { .issuer = GH_STR_INIT("https://gw.example"),
                                      .audience = GH_STR_INIT("http://mcp:3000"),
                                      .tenant = GH_STR_INIT("acme"),
                                      .resource = GH_STR_INIT("https://acme.example/mcp"),
                                      .principal = &principal,
                                      .issued = 1000,
                                      .expires = 1060,
                                      .jti = { 0xff, [15] = 1 } };
    const struct {
        const char *name;
        gh_str *text;
    } texts[] = { { "sub", &principal.subject },   { "issuer", &principal.issuer_name },
                  { "client", &principal.client }, { "jti", &principal.jti },
                  { "iss", &principal.issuer },    { "tenant_id", &principal.tenant_id },
                  { "tenant", &assertion.tenant }, { "resource", &assertion.resource },
                  { "aud", &assertion.audience },  { "by", &assertion.issuer } };
    for (gh_str word = gh_table_word(&line); word.ptr != NULL; word = gh_table_word(&line)) {
        gh_str value = word, name = gh_str_cut(&value, '=');
        bool known = false;
        for (size_t i = 0; i < GH_ARRAY_LEN(texts) && !known; i++) {
            known = gh_str_eq(name, gh_str_from(texts[i].name));
            if (known)
                *texts[i].text = value;
        }
        if (gh_str_eq(name, GH_STR("kind")))
            principal.kind = kind_of(value);
        else if (gh_str_eq(name, GH_STR("scopes")))
            principal.scopes = list_of(arena, value);
        else if (gh_str_eq(name, GH_STR("groups")))
            principal.groups = list_of(arena, value);
        else if (gh_str_eq(name, GH_STR("act")))
            add_actor(&principal, value);
        else if (!known)
            fail(name);
    }
    gh_str claims = gh_assertion_write(arena, &assertion);
    if (!gh_buf_add(out, claims))
        abort();
}

int main(void)
{
    return gh_table_run("assertion", answer);
}
