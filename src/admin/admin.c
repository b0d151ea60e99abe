/* admin/admin.c: answers on the admin listener: a table of paths, guarded by the token where one is set. */
#include "admin/task.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"

#define BODY_MAX (64 * 1024)

struct gh_admin_page {
    gh_str path;
    enum gh_method method;
    bool has_body;
    void (*serve)(struct gh_exchange *x, struct gh_admin *admin, gh_str body);
};

static void answer_cached(struct gh_exchange *x, int status, gh_str type, gh_str cache, gh_str body)
{
    struct gh_headers headers;
    if (x->reason == GH_OK)
        x->reason = status == 503 ? GH_NOT_READY : GH_ADMIN;
    if (gh_headers_init(&headers, x->arena, 4) != GH_OK ||
        gh_headers_add(&headers, GH_STR("content-type"), type) != GH_OK ||
        gh_headers_add(&headers, GH_STR("cache-control"), cache) != GH_OK ||
        gh_headers_add(&headers, GH_STR("x-content-type-options"), GH_STR("nosniff")) != GH_OK) {
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
        return;
    }
    gh_exchange_answer(x, status, &headers, body);
}

static void answer(struct gh_exchange *x, int status, gh_str type, gh_str body)
{
    answer_cached(x, status, type, GH_STR("no-store"), body);
}

void gh_admin_answer_json(struct gh_exchange *x, int status, gh_str body)
{
    answer(x, status, GH_STR("application/json"), body);
}

void gh_admin_answer_why(struct gh_exchange *x, enum gh_reason why, gh_str body)
{
    x->reason = why;
    gh_admin_answer_json(x, gh_reason_row(why)->status, body);
}

/* ---- pages ---- */

static void serve_health(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    gh_admin_answer_json(x, 200, GH_STR("{\"status\":\"ok\"}\n"));
}

static void serve_ready(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    gh_str waiting = GH_STR_NONE;
    if (admin->control->is_draining(admin->control->ctx))
        gh_admin_answer_json(x, 503, GH_STR("{\"status\":\"Not ready\",\"why\":\"draining\"}\n"));
    else if (!admin->control->knows_revocations(admin->control->ctx))
        gh_admin_answer_json(x, 503, GH_STR("{\"status\":\"Not ready\",\"why\":\"revocations not read\"}\n"));
    else if (gh_keyrings_ready(admin->rings, &waiting))
        gh_admin_answer_json(x, 200, GH_STR("{\"status\":\"ready\"}\n"));
    else
        gh_admin_answer_json(
            x, 503,
            gh_arena_printf(x->arena,
                            "{\"status\":\"Not ready\",\"why\":\"no keys yet\",\"issuer\":\"%.*s\"}\n",
                            GH_STR_FMT(waiting)));
}

static void serve_metrics(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    struct gh_buf out = { 0 };
    admin->control->measure(admin->control->ctx);
    if (gh_registry_expose(admin->registry, &out))
        answer(x, 200, GH_STR("text/plain; version=0.0.4; charset=utf-8"), gh_buf_peek(&out));
    else
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
    gh_buf_done(&out);
}

static void serve_reload(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    gh_str text = GH_STR_NONE;
    enum gh_reason reason = admin->control->reload(admin->control->ctx, &text);
    struct gh_buf out = { 0 };
    char escaped[4096];
    size_t len = gh_json_escape(text, escaped, sizeof(escaped));
    bool ok = gh_buf_printf(&out, "{\"reloaded\":%s,\"detail\":\"%.*s\"}\n",
                            reason == GH_OK ? "true" : "false", (int)len, escaped);
    if (ok)
        gh_admin_answer_json(x, reason == GH_OK ? 200 : 422, gh_buf_peek(&out));
    else
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
    gh_buf_done(&out);
}

/* Public keys: for the servers behind, which have no token of the operator's. */
static void serve_assertion_keys(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    gh_str keys = admin->control->assertion_keys(admin->control->ctx);
    if (keys.ptr == NULL)
        gh_exchange_refuse(x, GH_ROUTE_UNKNOWN, NULL);
    else
        answer_cached(x, 200, GH_STR("application/jwk-set+json"), GH_STR("max-age=300"), keys);
}

/* The body is the token, and on further lines what it would call; the route stands in the query: a token in a
 * URL would end up in logs. */
static void serve_explain(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    gh_str route = x->target.query;
    if (!gh_str_starts(route, GH_STR("route="))) {
        gh_admin_answer_json(x, 400,
                             GH_STR("{\"error\":\"the query is route=NAME, the body is the token\"}\n"));
        return;
    }
    gh_str call = body, token = gh_str_trim(gh_str_cut(&call, '\n'));
    gh_str text = admin->control->explain(admin->control->ctx, x->arena, gh_str_skip(route, 6), token,
                                          gh_str_trim(call));
    if (text.ptr == NULL)
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
    else
        gh_admin_answer_json(x, 200, text);
}

static const struct gh_admin_page pages[] = {
    { GH_STR_INIT("/healthz"), GH_METHOD_GET, false, serve_health },
    { GH_STR_INIT("/readyz"), GH_METHOD_GET, false, serve_ready },
    { GH_STR_INIT("/metrics"), GH_METHOD_GET, false, serve_metrics },
    { GH_STR_INIT("/assertion/jwks.json"), GH_METHOD_GET, false, serve_assertion_keys },
    { GH_STR_INIT("/admin/v1/reload"), GH_METHOD_POST, false, serve_reload },
    { GH_STR_INIT("/admin/v1/explain"), GH_METHOD_POST, true, serve_explain },
    { GH_STR_INIT("/admin/v1/revoke"), GH_METHOD_POST, true, gh_admin_serve_revoke },
};

/* Those about a managed issuer have tables of their own. */
static const struct gh_admin_page task_page = { GH_STR_INIT(""), GH_METHOD_POST, true, gh_task_serve };

/* ---- the door ---- */

static const struct gh_admin_page *find_page(const struct gh_exchange *x)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(pages); i++)
        if (gh_str_eq(pages[i].path, x->target.path))
            return &pages[i];
    return gh_task_find(x->target.path) != NULL ? &task_page : NULL;
}

/* Everything that changes or tells more than health, known path or not: an outsider learns nothing. */
static bool is_guarded(gh_str path)
{
    static const gh_str prefix = GH_STR_INIT("/admin");
    return gh_str_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

/* A browser sends Origin with whatever a page makes it do: no page has business here (threats.md A30). */
static enum gh_reason guard(const struct gh_exchange *x, const struct gh_admin *admin)
{
    if (gh_headers_find(&x->headers, GH_STR("origin")) != NULL)
        return GH_HTTP_ORIGIN;
    if (admin->token.len == 0)
        return GH_OK;
    struct gh_credential credential;
    enum gh_reason reason = gh_credential_read(&x->headers, 4096, &credential);
    if (reason != GH_OK || credential.scheme != GH_SCHEME_BEARER)
        return GH_ADMIN_UNAUTHORIZED;
    return gh_secret_equals(&admin->token, credential.token) ? GH_OK : GH_ADMIN_UNAUTHORIZED;
}

/* For the audit line: whoever holds the token, who connected to the socket, or somebody on this machine. */
static gh_str who_asks(const struct gh_exchange *x, const struct gh_admin *admin)
{
    if (x->peer_uid >= 0)
        return gh_arena_printf(x->arena, "uid %lld", (long long)x->peer_uid);
    return admin->token.len > 0 ? GH_STR("token") : GH_STR("loopback");
}

static void start(struct gh_exchange *x)
{
    struct gh_admin *admin = x->handler_ctx;
    const struct gh_admin_page *page = find_page(x);
    x->stage = "admin";
    x->is_quiet = !is_guarded(x->target.path);
    enum gh_reason reason = is_guarded(x->target.path) ? guard(x, admin) : GH_OK;
    if (reason == GH_OK && is_guarded(x->target.path))
        x->by = who_asks(x, admin);
    if (reason == GH_OK && page == NULL)
        reason = GH_ROUTE_UNKNOWN;
    if (reason != GH_OK) {
        gh_exchange_refuse(x, reason, NULL);
        return;
    }
    bool get = page->method == GH_METHOD_GET && x->method == GH_METHOD_HEAD;
    if (x->method != page->method && !get) {
        gh_exchange_refuse(x, GH_HTTP_METHOD_REFUSED, page->method == GH_METHOD_GET ? "GET, HEAD" : "POST");
        return;
    }
    struct gh_admin_pending *pending = GH_ARENA_NEW(x->arena, struct gh_admin_pending);
    if (pending == NULL) {
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
        return;
    }
    pending->page = page;
    pending->x = x;
    x->handler_state = pending;
    if (!page->has_body || !x->has_body)
        page->serve(x, admin, GH_STR_NONE);
}

static void body(struct gh_exchange *x, gh_str bytes, bool end)
{
    struct gh_admin_pending *pending = x->handler_state;
    if (pending == NULL)
        return;
    if (gh_buf_len(&pending->body) + bytes.len > BODY_MAX || !gh_buf_add(&pending->body, bytes)) {
        gh_buf_done(&pending->body);
        gh_exchange_refuse(x, GH_HTTP_BODY_LARGE, NULL);
        return;
    }
    x->sink->taken(x, bytes.len);
    if (!end)
        return;
    pending->page->serve(x, x->handler_ctx, gh_buf_peek(&pending->body));
    gh_buf_done(&pending->body);
}

static void room(struct gh_exchange *x)
{
}

static void gone(struct gh_exchange *x, enum gh_reason why)
{
    struct gh_admin_pending *pending = x->handler_state;
    if (pending == NULL)
        return;
    gh_buf_done(&pending->body);
    if (pending->call != NULL)
        gh_store_cancel(pending->call);
    pending->call = NULL;
    if (pending->task != NULL)
        gh_task_let_go(pending->task);
}

const struct gh_handler gh_admin_handler = { .start = start, .body = body, .room = room, .gone = gone };
