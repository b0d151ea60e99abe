/* conf/flags.c: `gatehouse serve --upstream --issuer`: flags become the settings text they stand for. */
#include "base/str.h"
#include "conf/conf.h"

static gh_str quoted(struct gh_arena *arena, gh_str text);

gh_str gh_conf_flags_text(struct gh_arena *arena, const struct gh_conf_flags *flags)
{
    gh_str listen = flags->listen.len != 0 ? flags->listen : GH_STR("127.0.0.1:8080");
    gh_str resource = flags->resource;
    struct gh_url url;
    if (resource.len == 0) {
        bool has_path = gh_url_read(arena, flags->upstream, &url) == GH_OK && url.path.len > 1;
        gh_str path = has_path ? url.path : GH_STR("/mcp");
        if (gh_str_ends(path, GH_STR("/")))
            path.len--;
        resource = gh_arena_printf(arena, "http://%.*s%.*s", GH_STR_FMT(listen), GH_STR_FMT(path));
    }
    gh_str host = GH_STR("localhost"); /* a resource that cannot be read is told as such, not as its host */
    if (gh_url_read(arena, resource, &url) == GH_OK)
        host = url.authority_text;
    const char *http = gh_str_starts(flags->issuer, GH_STR("http://")) ? "true" : "false";
    gh_str parts[] = { quoted(arena, listen), quoted(arena, flags->issuer), quoted(arena, host),
                       quoted(arena, resource), quoted(arena, flags->upstream) };
    for (size_t i = 0; i < GH_ARRAY_LEN(parts); i++) {
        if (parts[i].ptr == NULL)
            return GH_STR_NONE;
    }
    return gh_arena_printf(arena,
                           "listen: [ { address: %s } ]\n"
                           "fetch: { allow_http_loopback: %s }\n"
                           "issuers: { issuer: { issuer: %s } }\n"
                           "tenants: { main: { issuers: [ issuer ], hosts: [ %s ] } }\n"
                           "routes:\n"
                           "  - name: mcp\n"
                           "    tenant: main\n"
                           "    resource: %s\n"
                           "    upstream: %s\n",
                           parts[0].ptr, http, parts[1].ptr, parts[2].ptr, parts[3].ptr, parts[4].ptr);
}

/* YAML in single quotes: only the quote itself is written twice. Control characters end up in the error. */
static gh_str quoted(struct gh_arena *arena, gh_str text)
{
    char *out = gh_arena_alloc(arena, text.len * 2 + 3);
    if (out == NULL)
        return GH_STR_NONE;
    size_t len = 0;
    out[len++] = '\'';
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            out[len++] = '\'';
        out[len++] = text.ptr[i];
    }
    out[len++] = '\'';
    out[len] = '\0';
    return gh_str_of(out, len);
}

enum gh_reason gh_conf_from_flags(const struct gh_conf_flags *flags, struct gh_conf **ret_conf,
                                  struct gh_conf_errors *errors)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    gh_str text = arena != NULL ? gh_conf_flags_text(arena, flags) : GH_STR_NONE;
    if (text.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    return gh_conf_from_text(GH_STR("flags"), text, GH_STR(""), ret_conf, errors);
}
