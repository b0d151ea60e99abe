/* Runs tests/tables/control.cases: documents that issuers publish, and what is read from them. */
#include <stdlib.h>

#include "base/str.h"
#include "gatehouse/policy.h"
#include "support/table.h"

static bool describe(const struct gh_issuer_metadata *metadata, struct gh_buf *out)
{
    return gh_buf_printf(out, "issuer=%.*s jwks=%.*s introspection=%.*s%s", GH_STR_FMT(metadata->issuer),
                         GH_STR_FMT(metadata->jwks_uri), GH_STR_FMT(metadata->introspection_endpoint),
                         metadata->s256 ? " s256" : "");
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example"), GH_STR_INIT("https://as.example/"),
                                      GH_STR_INIT("acme.com") };
    gh_str what = gh_table_word(&line);
    struct gh_issuer_metadata metadata;
    struct gh_jwks *set = NULL;
    enum gh_reason reason;
    if (gh_str_eq(what, GH_STR("metadata")))
        reason = gh_issuer_metadata_read(arena, line, (struct gh_strs){ issuers, 3 }, &metadata);
    else
        reason = gh_jwks_read(line, (1u << GH_ALG_COUNT) - 1u, NULL, &set);
    bool written = reason == GH_OK && set == NULL
                       ? describe(&metadata, out)
                       : gh_buf_printf(out, "reason: %s", gh_reason_row(reason)->slug);
    gh_jwks_unref(set);
    if (!written)
        abort();
}

int main(void)
{
    return gh_table_run("control", answer);
}
