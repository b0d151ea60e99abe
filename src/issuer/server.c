/* issuer/server.c: what one worker's issuers own, and the way of a request through the steps of its endpoint.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/address.h"
#include "issuer/request.h"

#define FORM_MAX (64 * 1024) /* issuer.md section 4 */

/* ---- keys ---- */

struct gh_issuer_keys *gh_issuer_keys_new(struct gh_signing_key *active, struct gh_jwks *set, gh_str jwks)
{
    struct gh_issuer_keys *keys = gh_malloc(sizeof(*keys) + jwks.len);
    if (keys == NULL)
        return NULL;
    memcpy(keys + 1, jwks.ptr, jwks.len);
    *keys = (struct gh_issuer_keys){ .refs = 1,
                                     .active = gh_signing_key_ref(active),
                                     .set = gh_jwks_ref(set),
                                     .jwks = gh_str_of(keys + 1, jwks.len) };
    return keys;
}

struct gh_issuer_keys *gh_issuer_keys_ref(struct gh_issuer_keys *keys)
{
    __atomic_add_fetch(&keys->refs, 1, __ATOMIC_RELAXED);
    return keys;
}

void gh_issuer_keys_unref(struct gh_issuer_keys *keys)
{
    if (keys == NULL || __atomic_sub_fetch(&keys->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    gh_signing_key_unref(keys->active);
    gh_jwks_unref(keys->set);
    free(keys);
}

/* By a name that is empty: a free place. */
static struct gh_named_keys *find_named(struct gh_issuer_server *server, gh_str name)
{
    for (size_t i = 0; i < GH_ISSUER_KEYS_MAX; i++)
        if (gh_str_eq(server->keys[i].name, name))
            return &server->keys[i];
    return NULL;
}

static void drop_named(struct gh_named_keys *named)
{
    gh_issuer_keys_unref(named->keys);
    free((void *)(uintptr_t)named->name.ptr);
    *named = (struct gh_named_keys){ 0 };
}

static bool site_names(const struct gh_issuer_site *site, gh_str name)
{
    for (size_t i = 0; i < site->issuer_count; i++)
        if (gh_str_eq(site->issuers[i].name, name))
            return true;
    return false;
}

void gh_issuer_server_set_keys(struct gh_issuer_server *server, gh_str name, struct gh_issuer_keys *keys)
{
    struct gh_named_keys *named = find_named(server, name);
    if (named == NULL)
        named = find_named(server, GH_STR_NONE);
    if (named == NULL) { /* beyond two sites' worth of issuers: no other's keys give way */
        gh_issuer_keys_unref(keys);
        return;
    }
    drop_named(named);
    named->name = gh_str_from(gh_str_to_heap(name));
    named->keys = keys;
}

const struct gh_issuer_keys *gh_issuer_keys_of(const struct gh_issuer_request *r)
{
    const struct gh_named_keys *named = find_named(r->server, r->managed->name);
    return named != NULL ? named->keys : NULL;
}

/* ---- the server ---- */

struct gh_issuer_server *gh_issuer_server_new(const struct gh_issuer_new *with)
{
    struct gh_issuer_server *server = gh_calloc(1, sizeof(*server));
    if (server == NULL)
        return NULL;
    server->with = *with;
    gh_list_init(&server->requests);
    return server;
}

void gh_issuer_server_free(struct gh_issuer_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < GH_ISSUER_KEYS_MAX; i++)
        drop_named(&server->keys[i]);
    gh_issuer_site_unref(server->site);
    free(server);
}

void gh_issuer_server_set_site(struct gh_issuer_server *server, struct gh_issuer_site *site)
{
    struct gh_issuer_site *old = server->site;
    server->site = gh_issuer_site_ref(site);
    for (size_t i = 0; i < GH_ISSUER_KEYS_MAX; i++)
        if (!site_names(site, server->keys[i].name))
            drop_named(&server->keys[i]);
    gh_issuer_site_unref(old);
}

bool gh_issuer_server_owns(const struct gh_issuer_server *server, const struct gh_exchange *x)
{
    return server->site != NULL && gh_issuer_site_find(server->site, &x->authority, x->target.path) != NULL;
}

/* ---- steps ---- */

int64_t gh_issuer_now(const struct gh_issuer_request *r)
{
    return gh_loop_wall_s(r->server->with.loop);
}

void gh_issuer_chance(struct gh_issuer_request *r)
{
    gh_random_fill(&r->random, sizeof(r->random));
}

struct gh_issuer_request *gh_issuer_by_ticket(const struct gh_issuer_server *server, uint64_t ticket)
{
    GH_LIST_EACH (node, &server->requests) {
        struct gh_issuer_request *r = GH_LIST_ENTRY(node, struct gh_issuer_request, link);
        if (r->ticket == ticket)
            return r;
    }
    return NULL;
}

void gh_issuer_let_go(struct gh_issuer_request *r)
{
    if (r->ended)
        return;
    r->ended = true;
    r->x->handler_state = NULL;
    if (r->call != NULL)
        gh_store_cancel(r->call);
    r->call = NULL;
    if (r->body.base != NULL)
        gh_wipe(r->body.base, r->body.cap); /* secrets, codes, passwords */
    gh_buf_done(&r->body);
    gh_list_remove(&r->link);
    gh_issuer_site_unref(r->site);
}

void gh_issuer_run(struct gh_issuer_request *r)
{
    if (r->running || r->ended)
        return;
    r->running = true;
    enum gh_step_end end = GH_STEP_NEXT;
    while (end == GH_STEP_NEXT && r->steps[r->step].run != NULL) {
        const struct gh_step *step = &r->steps[r->step++];
        r->x->stage = step->name;
        end = step->run(r);
    }
    r->running = false;
    if (end == GH_STEP_DONE)
        gh_issuer_let_go(r);
}

/* ---- the exchange ---- */

static bool method_is_allowed(const struct gh_issuer_request *r)
{
    return gh_header_list_has(gh_str_from(r->endpoint->allow), gh_method_text(r->x->method));
}

/* RFC 6749 section 3.2: parameters of the token endpoint stand in the body; section 3.1: those of the
 * authorization endpoint in the query. */
static enum gh_reason check_head(const struct gh_issuer_request *r)
{
    const struct gh_exchange *x = r->x;
    const struct gh_header *type = gh_headers_find(&x->headers, GH_STR("content-type"));
    if (x->method != GH_METHOD_POST)
        return GH_OK;
    gh_str wanted =
        r->endpoint->is_form ? GH_STR("application/x-www-form-urlencoded") : GH_STR("application/json");
    gh_str value = type != NULL ? type->value : GH_STR_NONE;
    if (!gh_str_eq_nocase(gh_str_trim(gh_str_cut(&value, ';')), wanted) ||
        gh_headers_count(&x->headers, GH_STR("content-type")) != 1)
        return GH_HTTP_MEDIA_TYPE;
    if (gh_headers_find(&x->headers, GH_STR("content-encoding")) != NULL)
        return GH_HTTP_ENCODING;
    if (x->target.query.ptr != NULL)
        return GH_FORM_MALFORMED;
    return x->content_length > FORM_MAX ? GH_HTTP_BODY_LARGE : GH_OK;
}

static void begin(struct gh_issuer_request *r)
{
    if (r->x->method == GH_METHOD_OPTIONS && r->endpoint->is_public) {
        (void)gh_issuer_preflight(r);
        gh_issuer_let_go(r);
        return;
    }
    enum gh_reason reason = method_is_allowed(r) ? check_head(r) : GH_HTTP_METHOD_REFUSED;
    if (reason != GH_OK) {
        (void)gh_issuer_refuse(r, reason);
        gh_issuer_let_go(r);
        return;
    }
    if (!r->x->has_body)
        gh_issuer_run(r);
}

static void start(struct gh_exchange *x)
{
    struct gh_issuer_server *server = x->handler_ctx;
    const struct gh_issuer_path *path = gh_issuer_site_find(server->site, &x->authority, x->target.path);
    struct gh_issuer_request *r = path != NULL ? GH_ARENA_NEW(x->arena, struct gh_issuer_request) : NULL;
    char text[GH_ADDRESS_TEXT];
    gh_str address = gh_arena_dup(x->arena, gh_str_of(text, gh_address_bound_text(x->client_ip, text)));
    if (r == NULL || address.ptr == NULL) {
        gh_exchange_refuse(x, path != NULL ? GH_OUT_OF_MEMORY : GH_ROUTE_UNKNOWN, NULL);
        return;
    }
    r->x = x;
    r->server = server;
    r->site = gh_issuer_site_ref(server->site);
    r->managed = path->managed;
    r->endpoint = path->endpoint;
    r->login = path->login;
    r->address = address;
    bool is_post = x->method == GH_METHOD_POST && r->endpoint->post != NULL;
    r->steps = is_post ? r->endpoint->post : r->endpoint->steps;
    x->handler_state = r;
    gh_issuer_tell_from(r);
    x->route_stats =
        gh_registry_route_stats(server->with.registry, server->with.worker, r->managed->stats_id);
    gh_list_append(&server->requests, &r->link);
    begin(r);
}

static void body(struct gh_exchange *x, gh_str bytes, bool end)
{
    struct gh_issuer_request *r = x->handler_state;
    if (r == NULL)
        return;
    x->sink->taken(x, bytes.len);
    if (gh_buf_len(&r->body) + bytes.len > FORM_MAX || !gh_buf_add(&r->body, bytes)) {
        (void)gh_issuer_refuse(r, GH_HTTP_BODY_LARGE);
        gh_issuer_let_go(r);
        return;
    }
    if (end)
        gh_issuer_run(r);
}

static void room(struct gh_exchange *x)
{
}

static void gone(struct gh_exchange *x, enum gh_reason why)
{
    struct gh_issuer_request *r = x->handler_state;
    if (r != NULL)
        gh_issuer_let_go(r);
}

const struct gh_handler gh_issuer_handler = { .start = start, .body = body, .room = room, .gone = gone };
