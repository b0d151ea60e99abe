/* conf/build.c: the order in which the settings are checked and built, and what the checks share. */
#include "conf/build.h"

#include "base/str.h"

void gh_build_settings(struct gh_build *build)
{
    struct gh_settings *settings = build->settings;
    size_t told = build->teller->errors->error_count;
    build->site->limits = settings->limits;
    settings->conf.audit.on = settings->conf.audit.file.len != 0;
    gh_build_listeners(build);
    gh_build_issuers(build);
    if (!build->teller->out_of_memory)
        gh_build_assertion(build);
    if (!build->teller->out_of_memory)
        gh_build_tenants(build);
    if (!build->teller->out_of_memory)
        gh_build_routes(build);
    if (build->teller->out_of_memory || build->teller->errors->error_count > told)
        return;
    gh_build_managed(build);
    if (!build->teller->out_of_memory)
        gh_build_back_channels(build);
    gh_check_routes_together(build);
    gh_check_edge_listeners(build);
    gh_build_places(build);
    if (build->teller->out_of_memory || build->teller->errors->error_count > told)
        return;
    if (gh_site_index(build->site) != GH_OK)
        build->teller->out_of_memory = true;
}

const struct gh_node *gh_build_root(const struct gh_build *build)
{
    return gh_issuer_at(build->settings, 0)->at.node->parent->parent;
}

void *gh_build_alloc(struct gh_build *build, size_t count, size_t size)
{
    void *at = gh_arena_calloc(build->site->arena, count != 0 ? count : 1, size);
    if (at == NULL)
        build->teller->out_of_memory = true;
    return at;
}

gh_str gh_build_text(struct gh_build *build, gh_str text)
{
    if (text.ptr == NULL)
        build->teller->out_of_memory = true;
    return text;
}

bool gh_build_read_url(struct gh_teller *teller, gh_str text, struct gh_url *ret_url)
{
    enum gh_reason reason = gh_url_read(teller->errors->arena, text, ret_url);
    teller->out_of_memory |= reason == GH_OUT_OF_MEMORY;
    return reason == GH_OK;
}

bool gh_build_is_loopback(gh_str host)
{
    if (gh_str_eq(host, GH_STR("localhost")))
        return true;
    char text[GH_ADDRESS_TEXT + 8];
    bool is_v6 = gh_str_find(host, ':') < host.len;
    if (host.len >= GH_ADDRESS_TEXT)
        return false;
    snprintf(text, sizeof(text), is_v6 ? "[%.*s]:1" : "%.*s:1", GH_STR_FMT(host));
    struct gh_address address;
    return gh_address_read(gh_str_from(text), &address) == GH_OK && gh_address_is_loopback(&address);
}

bool gh_build_is_unix(const struct gh_address *address)
{
    return address->storage.ss_family == AF_UNIX;
}
