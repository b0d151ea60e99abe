/* core/metadata/discovery.c: where the metadata of an authorization server may stand. */
#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/policy.h"

#define OAUTH  "/.well-known/oauth-authorization-server"
#define OPENID "/.well-known/openid-configuration"

/* byoa.md section 5: RFC 8414 inserted, OpenID inserted, OpenID appended, RFC 8414 appended (Okta and
 * Descope). Without a path inserting and appending are the same. */
enum gh_reason gh_discovery_urls(struct gh_arena *arena, gh_str issuer, struct gh_strs *ret_urls)
{
    struct gh_url url;
    enum gh_reason reason = gh_url_read(arena, issuer, &url);
    if (reason != GH_OK)
        return reason;
    /* RFC 8414 section 2: an issuer has "no query or fragment components". */
    if (url.query.ptr != NULL)
        return GH_SETTINGS_INVALID;
    gh_str path = gh_str_ends(url.path, GH_STR("/")) ? gh_str_take(url.path, url.path.len - 1) : url.path;
    static const struct {
        const char *before, *behind;
    } forms[] = { { OAUTH, "" }, { OPENID, "" }, { "", OPENID }, { "", OAUTH } };
    size_t count = path.len != 0 ? 4 : 2;
    gh_str *urls = gh_arena_calloc(arena, count, sizeof(*urls));
    if (urls == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) {
        urls[i] = gh_arena_printf(arena, "%.*s://%.*s%s%.*s%s", GH_STR_FMT(url.scheme),
                                  GH_STR_FMT(url.authority_text), forms[i].before, GH_STR_FMT(path),
                                  forms[i].behind);
        if (urls[i].ptr == NULL)
            return GH_OUT_OF_MEMORY;
    }
    *ret_urls = (struct gh_strs){ .at = urls, .count = count };
    return GH_OK;
}
