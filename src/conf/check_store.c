/* conf/check_store.c: the store: where it is, and what goes with which kind. */
#include "base/str.h"
#include "conf/build.h"

static void place_file(struct gh_build *build, gh_str scheme);
static void check_server(struct gh_build *build, const struct gh_store_place *place);
static void check_clear(struct gh_build *build, const struct gh_store_place *place);

static const struct gh_node *node_of(const struct gh_build *build)
{
    return gh_node_get(build->root, "store");
}

static const char *url_key(const struct gh_build *build)
{
    return node_of(build)->kind == GH_NODE_SCALAR ? NULL : "url";
}

void gh_build_store(struct gh_build *build)
{
    static const gh_str scheme = GH_STR_INIT("sqlite:");
    const char *allowed;
    struct gh_store_place place;
    gh_str url = build->settings->conf.store.url;
    if (url.len == 0)
        return;
    enum gh_reason reason = gh_store_url_read(build->arena, url, &place, &allowed);
    if (reason == GH_OUT_OF_MEMORY)
        build->teller->out_of_memory = true;
    else if (reason != GH_OK)
        gh_tell_wrong(build->teller, node_of(build), url_key(build), gh_str_from(allowed));
    else
        check_server(build, &place);
    if (reason == GH_OK && gh_str_starts(url, scheme))
        place_file(build, scheme);
}

/* "sqlite:PATH" with the path made relative to the settings file, as every other. */
static void place_file(struct gh_build *build, gh_str scheme)
{
    struct gh_teller *teller = build->teller;
    gh_str *url = &build->settings->conf.store.url;
    gh_str path = gh_str_skip(*url, scheme.len);
    struct gh_conf_file *file = GH_ARENA_NEW(build->arena, struct gh_conf_file);
    if (file == NULL) {
        teller->out_of_memory = true;
        return;
    }
    if (path.ptr[0] != '/' && path.ptr[0] != ':' && teller->base_dir.len > 0)
        *url = gh_build_text(build, gh_arena_printf(build->arena, "%.*s%.*s/%.*s", GH_STR_FMT(scheme),
                                                    GH_STR_FMT(teller->base_dir), GH_STR_FMT(path)));
    *file = (struct gh_conf_file){ .next = build->settings->conf.files,
                                   .path = gh_str_skip(*url, scheme.len),
                                   .is_state = true };
    build->settings->conf.files = file;
}

/* ---- Redis ---- */

static void refuse(struct gh_build *build, const char *key, const char *found, const char *allowed)
{
    gh_tell_error(build->teller, node_of(build), key, gh_str_from(found), gh_str_from(allowed));
}

static void check_server(struct gh_build *build, const struct gh_store_place *place)
{
    const struct gh_store_conf *conf = &build->settings->conf.store;
    bool has_certificate = conf->certificate_file.len > 0, has_key = conf->key_file.len > 0;
    if (has_certificate != has_key)
        refuse(build, has_key ? "certificate" : "key", "nothing", "certificate and key together");
    if (!place->tls && conf->ca_file.len > 0)
        refuse(build, "ca_file", "a file", "this with rediss:// and rediss+sentinel://");
    if (!place->tls && has_certificate)
        refuse(build, "certificate", "a file", "this with rediss:// and rediss+sentinel://");
    if (!place->sentinel && conf->sentinel_password_file.len > 0)
        refuse(build, "sentinel_password_file", "a file", "this with Sentinels");
    if (place->sentinel && conf->replicas == 0)
        refuse(build, "replicas", "0",
               "1 or more with Sentinels: what no replica has is lost when one takes over");
    if (!place->tls)
        check_clear(build, place);
}

static void check_clear(struct gh_build *build, const struct gh_store_place *place)
{
    struct gh_teller *teller = build->teller;
    for (size_t i = 0; i < place->hosts.count; i++) {
        if (gh_build_is_loopback(place->hosts.at[i]))
            continue;
        gh_tell_warning(teller, node_of(build), url_key(build),
                        gh_tell_text(teller, "plain Redis to %.*s", GH_STR_FMT(place->hosts.at[i])),
                        GH_STR("rediss: its password and all that is kept travel in the clear"));
        return;
    }
}
