/* conf/check_listen.c: listeners: addresses, certificates, who may come in the clear, and the admin listener.
 */
#include <string.h>

#include "base/str.h"
#include "conf/build.h"

static void build_listener(struct gh_build *build, const struct gh_settings_listen *from,
                           struct gh_listen_conf *listener);
static void build_pairs(struct gh_build *build, const struct gh_settings_listen *from,
                        struct gh_listen_conf *listener);
static void check_trusted_proxies(struct gh_build *build);
static void build_admin(struct gh_build *build);
static void build_sessions(struct gh_build *build);
static void build_handover(struct gh_build *build);

static bool same_address(const struct gh_address *a, const struct gh_address *b)
{
    return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

void gh_build_listeners(struct gh_build *build)
{
    static struct gh_settings_listen fallback = { .address = GH_STR_INIT("127.0.0.1:8080") };
    struct gh_settings *settings = build->settings;
    struct gh_front_conf *front = &settings->conf.front;
    if (settings->listen.count == 0)
        settings->listen = (struct gh_elements){ .at = &fallback, .count = 1 };
    struct gh_listen_conf *listeners =
        gh_arena_calloc(build->arena, settings->listen.count, sizeof(*listeners));
    if (listeners == NULL) {
        build->teller->out_of_memory = true;
        return;
    }
    check_trusted_proxies(build);
    front->listeners = listeners;
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct gh_settings_listen *from = gh_listen_at(settings, i);
        build_listener(build, from, &listeners[i]);
        for (size_t j = 0; j < i; j++) {
            if (same_address(&listeners[i].address, &listeners[j].address))
                gh_tell_wrong(build->teller, from->at.node, "address", GH_STR("each address once"));
        }
        front->listener_count = i + 1;
    }
    build_admin(build);
    build_sessions(build);
    build_handover(build);
}

static void build_listener(struct gh_build *build, const struct gh_settings_listen *from,
                           struct gh_listen_conf *listener)
{
    struct gh_teller *teller = build->teller;
    const struct gh_node *node = from->at.node;
    bool has_proxies = build->settings->conf.front.trusted_proxies.count != 0;
    listener->address_text = from->address;
    listener->proxy_protocol = from->proxy_protocol;
    if (gh_address_read(from->address, &listener->address) != GH_OK) {
        gh_tell_wrong(teller, node, "address", GH_STR("127.0.0.1:8080, [::1]:8080 or unix:/path"));
        return;
    }
    build_pairs(build, from, listener);
    bool is_near = gh_build_is_unix(&listener->address) || gh_address_is_loopback(&listener->address);
    if (gh_node_get(node, "tls") == NULL && !is_near && !has_proxies)
        gh_tell_error(teller, node, "address",
                      gh_tell_text(teller, "%s in plain HTTP", gh_tell_quoted(teller, from->address).ptr),
                      GH_STR("tls, a loopback address, a unix socket, or trusted_proxies"));
    if (from->proxy_protocol && !has_proxies)
        gh_tell_error(teller, node, "proxy_protocol", GH_STR("true"),
                      GH_STR("false without trusted_proxies"));
}

static void build_pairs(struct gh_build *build, const struct gh_settings_listen *from,
                        struct gh_listen_conf *listener)
{
    const struct gh_node *tls = gh_node_get(from->at.node, "tls");
    if (tls == NULL)
        return;
    bool has_one = from->pair.certificate.len != 0 && from->pair.key.len != 0;
    bool has_half = !has_one && (from->pair.certificate.len != 0 || from->pair.key.len != 0);
    if (has_half || has_one == (from->pairs.count != 0)) {
        gh_tell_error(build->teller, from->at.node, "tls", gh_tell_node(build->teller, tls),
                      GH_STR("either certificate and key, or certificates"));
        return;
    }
    const struct gh_settings_pair *pairs = has_one ? &from->pair : from->pairs.at;
    size_t count = has_one ? 1 : from->pairs.count;
    struct gh_tls_pair *at = gh_arena_calloc(build->arena, count, sizeof(*at));
    if (at == NULL) {
        build->teller->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        at[i] = (struct gh_tls_pair){ .certificate_file = pairs[i].certificate, .key_file = pairs[i].key };
    listener->pairs = at;
    listener->pair_count = count;
}

/* A range that holds everybody trusts everybody. */
static void check_trusted_proxies(struct gh_build *build)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    struct gh_cidrs list = build->settings->conf.front.trusted_proxies;
    for (size_t i = 0; i < list.count; i++) {
        bool is_v4 = memcmp(list.at[i].bytes, mapped, sizeof(mapped)) == 0 && list.at[i].bits >= 96;
        if (list.at[i].bits == 0 || (is_v4 && list.at[i].bits == 96))
            gh_tell_error(build->teller, gh_build_root(build), "trusted_proxies",
                          GH_STR("a range that holds every address"),
                          GH_STR("the addresses of your proxies"));
    }
}

static void build_admin(struct gh_build *build)
{
    struct gh_teller *teller = build->teller;
    struct gh_admin_conf *admin = &build->settings->conf.admin;
    const struct gh_front_conf *front = &build->settings->conf.front;
    const struct gh_node *node = gh_node_get(gh_build_root(build), "admin");
    if (admin->address_text.len == 0)
        return;
    if (gh_address_read(admin->address_text, &admin->address) != GH_OK) {
        gh_tell_wrong(teller, node, "address", GH_STR("127.0.0.1:9901, [::1]:9901 or unix:/path"));
        return;
    }
    for (size_t i = 0; i < front->listener_count; i++) {
        if (same_address(&admin->address, &front->listeners[i].address))
            gh_tell_wrong(teller, node, "address", GH_STR("an address no public listener has"));
    }
    bool is_near = gh_build_is_unix(&admin->address) || gh_address_is_loopback(&admin->address);
    if (!is_near && admin->token_file.len == 0)
        gh_tell_error(teller, node, "token_file", GH_STR("nothing"),
                      GH_STR("a file with a token where the address is neither loopback nor a unix socket"));
}

static void build_sessions(struct gh_build *build)
{
    if (build->settings->conf.shares_tickets && build->settings->conf.session_key_file.len == 0)
        gh_tell_error(build->teller, gh_node_get(build->root, "sessions"), "key_file", GH_STR("nothing"),
                      GH_STR("a file that others have too, for tls_tickets"));
}

static void build_handover(struct gh_build *build)
{
    struct gh_conf *conf = &build->settings->conf;
    struct gh_teller *teller = build->teller;
    if (conf->handover.len == 0)
        return;
    if (gh_address_read(conf->handover, &conf->handover_address) != GH_OK ||
        !gh_build_is_unix(&conf->handover_address)) {
        gh_tell_wrong(teller, gh_build_root(build), "handover", GH_STR("unix:/path"));
        return;
    }
    bool taken =
        conf->admin.address_text.len != 0 && same_address(&conf->handover_address, &conf->admin.address);
    for (size_t i = 0; i < conf->front.listener_count; i++)
        taken = taken || same_address(&conf->handover_address, &conf->front.listeners[i].address);
    if (taken)
        gh_tell_wrong(teller, gh_build_root(build), "handover", GH_STR("a path no listener has"));
}
