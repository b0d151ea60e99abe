/* core/login/identity.c: somebody at a provider as a row key, and as text. */
#include "base/str.h"
#include "core/grant/rows.h"
#include "gatehouse/login.h"

gh_str gh_login_provider(struct gh_arena *arena, const struct gh_login *login)
{
    const struct gh_profile *profile = &login->profile;
    bool one = profile->issuers.count > 0;
    const gh_str parts[] = { one ? profile->issuers.at[0] : profile->issuer_template, login->client_id };
    return gh_row_key(arena, "provider", parts, GH_ARRAY_LEN(parts));
}

/* These alone speak for the directories of Entra ID. */
static bool is_microsofts(gh_str issuer)
{
    static const gh_str places[] = { GH_STR_INIT("https://login.microsoftonline.com/"),
                                     GH_STR_INIT("https://login.microsoftonline.us/"),
                                     GH_STR_INIT("https://login.partner.microsoftonline.cn/"),
                                     GH_STR_INIT("https://sts.windows.net/") };
    for (size_t i = 0; i < GH_ARRAY_LEN(places); i++)
        if (gh_str_starts(issuer, places[i]))
            return true;
    return false;
}

gh_str gh_identity_key(struct gh_arena *arena, const struct gh_identity *identity)
{
    if (identity->by_tenant && !is_microsofts(identity->issuer)) {
        const gh_str all[] = { GH_STR("tenant of"), identity->issuer, identity->tenant, identity->subject };
        return gh_row_key(arena, "identity", all, GH_ARRAY_LEN(all));
    }
    const gh_str parts[] = { identity->by_tenant ? GH_STR("tenant") : GH_STR("issuer"),
                             identity->by_tenant ? identity->tenant : identity->issuer, identity->subject };
    return gh_row_key(arena, "identity", parts, GH_ARRAY_LEN(parts));
}

gh_str gh_identity_write(struct gh_arena *arena, const struct gh_identity *identity)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "issuer", identity->issuer);
    gh_put_text(&text, "tenant", identity->tenant);
    gh_put_text(&text, "subject", identity->subject);
    gh_put_text(&text, "name", identity->name);
    gh_put_true(&text, "by_tenant", identity->by_tenant);
    return gh_put_end(&text);
}

enum gh_reason gh_identity_read(struct gh_arena *arena, gh_str text, struct gh_identity *ret_identity)
{
    struct gh_json value;
    bool ok = true;
    enum gh_reason reason = gh_json_read(arena, text, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    struct gh_identity identity = { .issuer = gh_get_text(&value, "issuer", &ok),
                                    .tenant = gh_get_text(&value, "tenant", &ok),
                                    .subject = gh_get_text(&value, "subject", &ok),
                                    .name = gh_get_text(&value, "name", &ok),
                                    .by_tenant = gh_get_true(&value, "by_tenant", &ok) };
    if (!ok || identity.issuer.len == 0 || identity.subject.len == 0)
        return GH_STORE_MALFORMED;
    *ret_identity = identity;
    return GH_OK;
}
