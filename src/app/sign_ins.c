/* app/sign_ins.c: the token request at a provider, its keys, and the judgement of the ID token: all on the
 * control thread, so that no worker waits for anybody. */
#include "app/sign_ins.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/str.h"
#include "issuer/sign_in.h"

#define UNDER_WAY_MAX 256
#define ANSWER_MAX    65536

struct gh_sign_ins {
    struct gh_loop *loop;
    struct gh_fetcher *fetcher;
    struct gh_keyrings *rings;
    unsigned under_way;
};

/* One question of a worker. */
struct errand {
    struct gh_sign_ins *sign_ins;
    struct gh_snapshot *snapshot; /* a reference: the connection lives in it */
    struct gh_worker *worker;
    uint64_t ticket;
    struct gh_arena *arena;
    struct gh_sign_in_ask ask;
    const struct gh_issuer_login *login;
    struct gh_login_tokens tokens;
    struct gh_token id_token;
    gh_str endpoint; /* that the code was sent to; empty: none yet */
    bool has_looked; /* for the metadata: once */
    bool has_waited; /* for a key: once */
};

struct gh_sign_ins *gh_sign_ins_new(struct gh_loop *loop, struct gh_fetcher *fetcher,
                                    struct gh_keyrings *rings)
{
    struct gh_sign_ins *sign_ins = gh_calloc(1, sizeof(*sign_ins));
    if (sign_ins != NULL)
        *sign_ins = (struct gh_sign_ins){ .loop = loop, .fetcher = fetcher, .rings = rings };
    return sign_ins;
}

void gh_sign_ins_free(struct gh_sign_ins *sign_ins)
{
    free(sign_ins);
}

/* ---- answering ---- */

static void free_errand(struct errand *errand)
{
    errand->sign_ins->under_way--;
    gh_snapshot_unref(errand->snapshot);
    gh_arena_free(errand->arena);
    free(errand);
}

/* `why` for the log: never a code, a token or a secret. */
static void finish(struct errand *errand, enum gh_reason reason, gh_str body, const char *why)
{
    const struct gh_issuer_fetched fetched = { .reason = reason, .body = body, .max_age_s = -1 };
    if (reason != GH_OK)
        gh_log(GH_LOG_WARN, "nobody could be signed in at a provider",
               GH_FIELD("provider", errand->login != NULL ? errand->login->full_name : GH_STR("")),
               GH_FIELD("reason", gh_str_from(gh_reason_row(reason)->slug)),
               GH_FIELD("url", errand->endpoint), GH_FIELD("why", gh_str_from(why)));
    if (!gh_worker_fetched(errand->worker, errand->ticket, &fetched))
        gh_log(GH_LOG_ERROR, "an answer to a worker could not be sent: out of memory");
    free_errand(errand);
}

/* ---- who it is ---- */

static void judge(struct errand *errand)
{
    struct gh_identity identity;
    const struct gh_login_asked asked = { .nonce = errand->ask.nonce, .since = errand->ask.since };
    enum gh_reason reason =
        gh_id_token_judge(errand->arena, &errand->id_token, &errand->login->login, &errand->tokens, &asked,
                          gh_loop_wall_s(errand->sign_ins->loop), &identity);
    gh_str text = reason == GH_OK ? gh_identity_write(errand->arena, &identity) : GH_STR("");
    if (text.ptr == NULL)
        reason = GH_OUT_OF_MEMORY;
    finish(errand, reason, reason == GH_OK ? text : GH_STR(""), "its ID token");
}

static void find_key(struct errand *errand);

static void key_came(void *ctx)
{
    find_key(ctx);
}

/* A key that is not known yet is fetched for once; the ring sees to it that made-up ones are not. */
static void find_key(struct errand *errand)
{
    struct gh_sign_ins *sign_ins = errand->sign_ins;
    const struct gh_token *token = &errand->id_token;
    struct gh_keys_view view = gh_keyrings_view(sign_ins->rings, errand->login->slot);
    struct gh_key *key = NULL;
    enum gh_reason reason = view.set != NULL
                                ? gh_token_key(view.set, token, &errand->login->login.profile, &key)
                                : GH_TOKEN_KEY_UNKNOWN;
    if (reason == GH_TOKEN_KEY_UNKNOWN && !errand->has_waited) {
        errand->has_waited = true;
        gh_jwks_unref(view.set);
        if (!gh_keyrings_want(sign_ins->rings, errand->login->slot, token->kid, key_came, errand))
            finish(errand, GH_OVERLOADED, GH_STR(""), "its keys");
        return;
    }
    bool has_keys = view.set != NULL;
    if (reason == GH_OK)
        reason = gh_token_signature(key, token->alg, token->signed_part, token->signature);
    gh_jwks_unref(view.set);
    if (reason == GH_OK)
        judge(errand);
    else if (reason == GH_OUT_OF_MEMORY)
        finish(errand, reason, GH_STR(""), "out of memory");
    else
        finish(errand, has_keys ? GH_LOGIN_SIGNATURE : GH_LOGIN_PROVIDER, GH_STR(""),
               has_keys ? gh_reason_row(reason)->slug : "its keys are not here");
}

/* ---- the token request ---- */

static void tokens_came(void *ctx, const struct gh_fetch_answer *answer)
{
    struct errand *errand = ctx;
    bool refused = answer->status >= 400 && answer->status < 500 && answer->status != 429;
    if (answer->reason != GH_OK) {
        finish(errand,
               answer->reason == GH_SHUTTING_DOWN ? answer->reason
               : refused                          ? GH_LOGIN_CODE
                                                  : GH_LOGIN_PROVIDER,
               GH_STR(""), answer->why);
        return;
    }
    gh_str body = gh_arena_dup(errand->arena, answer->body);
    enum gh_reason reason =
        body.ptr != NULL ? gh_login_tokens_read(errand->arena, body, &errand->tokens) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_id_token_open(errand->arena, errand->tokens.id_token, &errand->login->login,
                                  &errand->id_token);
    if (reason == GH_OK)
        find_key(errand);
    else
        finish(errand, reason, GH_STR(""), "its token answer");
}

static enum gh_reason sign_assertion(struct errand *errand, gh_str endpoint, gh_str *ret_assertion)
{
    unsigned char jti[16];
    if (errand->login->key == NULL)
        return GH_OK;
    gh_random_fill(jti, sizeof(jti));
    gh_str claims = gh_login_assertion(errand->arena, &errand->login->login, endpoint, jti,
                                       gh_loop_wall_s(errand->sign_ins->loop));
    return claims.ptr != NULL
               ? gh_token_sign(errand->arena, errand->login->key, GH_STR("JWT"), claims, ret_assertion)
               : GH_OUT_OF_MEMORY;
}

static void redeem(struct errand *errand, gh_str endpoint)
{
    const struct gh_issuer_login *login = errand->login;
    const struct gh_secret *secret = &login->secret;
    struct gh_login_redemption redemption = { .code = errand->ask.code,
                                              .verifier = errand->ask.verifier,
                                              .redirect_uri = login->redirect_uri,
                                              .secret = gh_str_of(secret->bytes, secret->len) };
    enum gh_reason reason = sign_assertion(errand, endpoint, &redemption.assertion);
    gh_str form = reason == GH_OK ? gh_login_form(errand->arena, &login->login, &redemption) : GH_STR_NONE;
    bool basic = login->login.auth == GH_CLIENT_AUTH_BASIC;
    const struct gh_fetch_request request = {
        .url = endpoint,
        .form = form,
        .user = basic ? login->login.client_id : GH_STR(""),
        .password = basic ? secret : NULL,
        .max_body = ANSWER_MAX,
    };
    errand->endpoint = gh_arena_dup(errand->arena, endpoint);
    bool asked = form.ptr != NULL && gh_fetch(errand->sign_ins->fetcher, &request, tokens_came, errand);
    if (login->login.auth == GH_CLIENT_AUTH_POST && form.ptr != NULL)
        gh_wipe((void *)(uintptr_t)form.ptr, form.len);
    if (!asked)
        finish(errand, reason != GH_OK ? reason : GH_OUT_OF_MEMORY, GH_STR(""), "out of memory");
}

/* ---- what is asked ---- */

static bool find_login(struct errand *errand)
{
    const struct gh_issuer_site *site = errand->snapshot->conf->issuer_site;
    for (size_t i = 0; i < site->issuer_count; i++)
        if (gh_str_eq(site->issuers[i].name, errand->ask.issuer))
            errand->login = gh_issuer_login_find(&site->issuers[i], errand->ask.login);
    return errand->login != NULL;
}

/* A reload may have come between the worker and here. */
static bool is_for_this(const struct errand *errand)
{
    return gh_str_eq(gh_login_provider(errand->arena, &errand->login->login), errand->ask.provider);
}

static bool find_endpoints(const struct errand *errand, struct gh_keys_endpoints *ret_endpoints)
{
    const struct gh_issuer_login *login = errand->login;
    if (login->token_endpoint.len == 0)
        return gh_keyrings_endpoints(errand->sign_ins->rings, login->slot, ret_endpoints);
    *ret_endpoints = (struct gh_keys_endpoints){ .authorization_endpoint = login->authorization_endpoint,
                                                 .token_endpoint = login->token_endpoint,
                                                 .sends_iss = login->sends_iss };
    return true;
}

static void tell_place(struct errand *errand, const struct gh_keys_endpoints *endpoints)
{
    struct gh_url url;
    const struct gh_sign_in_place place = { .endpoint = endpoints->authorization_endpoint,
                                            .sends_iss = endpoints->sends_iss };
    enum gh_reason reason = gh_url_read(errand->arena, place.endpoint, &url);
    gh_str text = reason == GH_OK ? gh_sign_in_place_write(errand->arena, &place) : GH_STR("");
    if (reason != GH_OK && reason != GH_OUT_OF_MEMORY)
        finish(errand, GH_LOGIN_PROVIDER, GH_STR(""), "its authorization endpoint is no URL");
    else
        finish(errand, text.ptr == NULL ? GH_OUT_OF_MEMORY : reason, text, "out of memory");
}

static void start(struct errand *errand);

static void metadata_came(void *ctx)
{
    start(ctx);
}

/* Right after a start or a reload the first fetch is still under way; a later one is waited for by nobody. */
static void wait_for_metadata(struct errand *errand)
{
    struct gh_keyrings *rings = errand->sign_ins->rings;
    if (errand->has_looked) {
        finish(errand, GH_LOGIN_PROVIDER, GH_STR(""), "its endpoints are not known: see the log of its keys");
        return;
    }
    errand->has_looked = true;
    if (!gh_keyrings_want(rings, errand->login->slot, GH_STR(""), metadata_came, errand))
        finish(errand, GH_OVERLOADED, GH_STR(""), "its metadata");
}

static void start(struct errand *errand)
{
    struct gh_keys_endpoints endpoints;
    if (!find_login(errand)) /* a reload took it away */
        finish(errand, GH_LOGIN_PROVIDER, GH_STR(""), "there is no such connection any more");
    else if (errand->ask.code.len > 0 && !is_for_this(errand))
        finish(errand, GH_LOGIN_ISSUER, GH_STR(""), "the connection leads to another provider by now");
    else if (!find_endpoints(errand, &endpoints))
        wait_for_metadata(errand);
    else if (errand->ask.code.len == 0)
        tell_place(errand, &endpoints);
    else
        redeem(errand, endpoints.token_endpoint);
}

bool gh_sign_ins_ask(struct gh_sign_ins *sign_ins, struct gh_snapshot *snapshot, struct gh_worker *worker,
                     gh_str asked, uint64_t ticket)
{
    struct errand *errand = sign_ins->under_way < UNDER_WAY_MAX ? gh_calloc(1, sizeof(*errand)) : NULL;
    struct gh_arena *arena = errand != NULL ? gh_arena_new(4096) : NULL;
    gh_str text = arena != NULL ? gh_arena_dup(arena, asked) : GH_STR_NONE;
    if (text.ptr == NULL) {
        gh_arena_free(arena);
        free(errand);
        return false;
    }
    *errand = (struct errand){ .sign_ins = sign_ins,
                               .snapshot = gh_snapshot_ref(snapshot),
                               .worker = worker,
                               .ticket = ticket,
                               .arena = arena };
    sign_ins->under_way++;
    enum gh_reason reason = gh_sign_in_ask_read(arena, text, &errand->ask);
    if (reason == GH_OK)
        start(errand);
    else
        finish(errand, reason, GH_STR(""), "what was asked");
    return true;
}
