/* conf/flags.c: `gatehouse serve --upstream`: flags become the settings text they stand for. */
#include "base/str.h"
#include "conf/conf.h"

static gh_str quoted(struct gh_arena *arena, gh_str text);

/* The issuer of the flags, or one of our own: store and keys lie in the folder of the state. */
static gh_str issuer_text(struct gh_arena *arena, const struct gh_conf_flags *flags,
                          const struct gh_url *resource)
{
    if (flags->issuer.len > 0) {
        const char *http = gh_str_starts(flags->issuer, GH_STR("http://")) ? "true" : "false";
        gh_str issuer = quoted(arena, flags->issuer);
        return issuer.ptr != NULL ? gh_arena_printf(arena,
                                                    "fetch: { allow_http_loopback: %s }\n"
                                                    "issuers: { issuer: { issuer: %s } }\n",
                                                    http, issuer.ptr)
                                  : GH_STR_NONE;
    }
    gh_str origin = gh_arena_printf(arena, "%.*s://%.*s", GH_STR_FMT(resource->scheme),
                                    GH_STR_FMT(resource->authority_text));
    gh_str store = gh_arena_printf(arena, "sqlite:%.*s/gatehouse.db", GH_STR_FMT(flags->state));
    gh_str keys = gh_arena_printf(arena, "%.*s/keys", GH_STR_FMT(flags->state));
    if (origin.ptr == NULL || store.ptr == NULL || keys.ptr == NULL)
        return GH_STR_NONE;
    gh_str parts[] = { quoted(arena, store), quoted(arena, origin), quoted(arena, keys) };
    if (parts[0].ptr == NULL || parts[1].ptr == NULL || parts[2].ptr == NULL)
        return GH_STR_NONE;
    return gh_arena_printf(arena,
                           "store: { url: %s }\n"
                           "issuers: { issuer: { managed: { url: %s, keys: %s,\n"
                           "  registration: \"on\", redirect_schemes: [ cursor ] } } }\n",
                           parts[0].ptr, parts[1].ptr, parts[2].ptr);
}

#define OWN_SCOPES                                                                                           \
    "    scopes: [ mcp:read ]\n"                                                                             \
    "    scopes_supported: [ mcp:read, mcp:write, mcp:execute ]\n"

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
    /* a resource that cannot be read is told as such, not as its host */
    if (gh_url_read(arena, resource, &url) != GH_OK)
        url = (struct gh_url){ .scheme = GH_STR("http"), .authority_text = GH_STR("localhost") };
    gh_str issuer = issuer_text(arena, flags, &url);
    gh_str parts[] = { quoted(arena, listen), quoted(arena, url.authority_text), quoted(arena, resource),
                       quoted(arena, flags->upstream), issuer };
    for (size_t i = 0; i < GH_ARRAY_LEN(parts); i++) {
        if (parts[i].ptr == NULL)
            return GH_STR_NONE;
    }
    return gh_arena_printf(arena,
                           "listen: [ { address: %s } ]\n"
                           "%s"
                           "tenants: { main: { issuers: [ issuer ], hosts: [ %s ] } }\n"
                           "routes:\n"
                           "  - name: mcp\n"
                           "    tenant: main\n"
                           "    resource: %s\n"
                           "    upstream: %s\n"
                           "%s",
                           parts[0].ptr, issuer.ptr, parts[1].ptr, parts[2].ptr, parts[3].ptr,
                           flags->issuer.len > 0 ? "" : OWN_SCOPES);
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
