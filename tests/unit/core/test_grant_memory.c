/* Every allocation on the way of a grant fails once, those of OpenSSL too: the decision is the same one, or
 * no decision at all. Nothing is spent, refused or given because memory ran out. */
#include <stdio.h>
#include <stdlib.h>

#include "support/cm.h"

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/grant.h"
#include "support/memory.h"

#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define REDIRECT  "http://127.0.0.1:4711/cb"
#define NOTES     "https://gw.example/notes/mcp"
#define NOW       1000000

/* The end of a sweep: that many runs in a row in which nothing failed. OpenSSL gets over some failures. */
#define QUIET_RUNS 100u

static const gh_str words[] = { GH_STR_INIT("mcp:read"), GH_STR_INIT("mcp:write") };
static const gh_str redirects[] = { GH_STR_INIT("http://127.0.0.1/cb") };
static const struct gh_grant_resource resource = { .canonical = GH_STR_INIT(NOTES),
                                                   .scopes = { words, 2 },
                                                   .default_scopes = { words, 1 } };
static const struct gh_grant_policy policy = { .tenant = GH_STR_INIT("acme"),
                                               .issuer = GH_STR_INIT("https://gw.example"),
                                               .issuer_name = GH_STR_INIT("house"),
                                               .resources = &resource,
                                               .resource_count = 1,
                                               .code_s = 60,
                                               .access_s = 600,
                                               .refresh_idle_s = 14 * 86400,
                                               .refresh_absolute_s = 90 * 86400,
                                               .grace_s = 10 };
static const struct gh_client app = { .id = GH_STR_INIT("app"),
                                      .grants = GH_GRANT_CODE | GH_GRANT_REFRESH | GH_GRANT_CREDENTIALS,
                                      .auth = GH_CLIENT_AUTH_POST,
                                      .redirect_uris = { redirects, 1 } };

/* ---- what a way leaves behind, as text, to be compared with what it leaves when nothing fails ---- */

struct trace {
    char text[16384];
    size_t len;
};

static void trace(struct trace *trace, gh_str text)
{
    int len =
        snprintf(trace->text + trace->len, sizeof(trace->text) - trace->len, "%.*s\n", GH_STR_FMT(text));
    assert_true(len >= 0 && trace->len + (size_t)len < sizeof(trace->text));
    trace->len += (size_t)len;
}

static void trace_effects(struct trace *out, const struct gh_effects *effects)
{
    for (size_t i = 0; i < effects->precondition_count; i++)
        trace(out, effects->preconditions[i].key);
    for (size_t i = 0; i < effects->write_count; i++) {
        trace(out, effects->writes[i].key);
        trace(out, effects->writes[i].value);
    }
    for (size_t i = 0; i < effects->revocation_count; i++)
        trace(out, effects->revocations[i].id);
}

/* What was read or written is there: a slice without bytes is a failure that nobody told. */
static enum gh_reason told(struct trace *out, gh_str text)
{
    if (text.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    trace(out, text);
    return GH_OK;
}

/* ---- the ways ---- */

typedef enum gh_reason (*way)(struct gh_arena *scratch, struct trace *out);

/* Rows that ways before have left; in an arena that lives as long. */
static struct gh_arena *kept;
static struct gh_stored_row code_row, used_code_row, grant_row, refresh_row, rotated_row, rotated_grant_row;
static int64_t now;
static gh_str code_text, refresh_text;

static struct gh_grant_random chance(unsigned char filling)
{
    struct gh_grant_random random;
    memset(&random, filling, sizeof(random));
    return random;
}

static enum gh_reason authorize(struct gh_arena *scratch, struct trace *out)
{
    const struct gh_grant_random random = chance(1);
    const struct gh_approval approval = { .user = GH_STR("usr_1"),
                                          .client_name = GH_STR("App"),
                                          .auth_time = NOW };
    const struct gh_moment moment = { .now = NOW };
    struct gh_form form;
    struct gh_authorization request;
    struct gh_effects effects = { 0 };
    gh_str redirect_uri, code = GH_STR_NONE;
    enum gh_reason reason = gh_form_read(scratch,
                                         GH_STR("response_type=code&code_challenge=" CHALLENGE "&state=s%20t"
                                                "&code_challenge_method=S256&redirect_uri=" REDIRECT
                                                "&scope=mcp:read+mcp:write&resource=" NOTES "/"),
                                         &form);
    if (reason == GH_OK)
        reason = gh_authorization_redirect(&app, &form, &redirect_uri);
    if (reason == GH_OK)
        reason = gh_authorization_read(scratch, &policy, &app, &form, redirect_uri, &request);
    gh_str written = reason == GH_OK ? gh_authorization_write(scratch, &request) : GH_STR_NONE;
    if (reason == GH_OK)
        reason = told(out, written);
    if (reason == GH_OK)
        reason = gh_authorization_load(scratch, written, &request);
    if (reason == GH_OK)
        reason = told(out, gh_consent_key(scratch, GH_STR("usr_1"), &request));
    if (reason == GH_OK)
        reason = gh_code_issue(scratch, &policy, &request, &approval, &random, &moment, &effects, &code);
    if (reason == GH_OK)
        reason =
            told(out, gh_authorization_answer(scratch, &policy, redirect_uri, request.state, code, GH_OK));
    if (reason == GH_OK)
        reason = told(out, gh_authorization_answer(scratch, &policy, redirect_uri, request.state, GH_STR_NONE,
                                                   GH_ACCESS_DENIED));
    trace_effects(out, &effects);
    return reason;
}

/* By the rows that `secret` and `grant` are; what is given is traced as claims and answer. */
static enum gh_reason redeem(struct gh_arena *scratch, struct trace *out, const char *body,
                             const struct gh_stored_row *secret, const struct gh_stored_row *grant)
{
    const struct gh_grant_random random = chance(3);
    struct gh_form form;
    struct gh_redemption redemption = {
        .policy = &policy, .client = &app, .form = &form, .random = &random, .moment = { .now = now }
    };
    struct gh_effects effects = { 0 };
    struct gh_grant_token token = { .refresh_token = GH_STR("") };
    bool is_code = strncmp(body, "code=", 5) == 0, is_service = secret == NULL;
    enum gh_reason reason = gh_form_read(scratch, gh_str_from(body), &form);
    if (secret != NULL)
        redemption.secret = *secret;
    if (grant != NULL)
        redemption.grant = *grant;
    if (reason == GH_OK)
        reason = is_service ? gh_credentials_redeem(scratch, &redemption, &token)
                 : is_code  ? gh_code_redeem(scratch, &redemption, &effects, &token)
                            : gh_refresh_redeem(scratch, &redemption, &effects, &token);
    if (reason == GH_OK)
        reason = told(out, gh_grant_claims(scratch, &policy, &token));
    if (reason == GH_OK)
        reason = told(out, gh_grant_answer(scratch, &token, GH_STR("signed")));
    if (reason == GH_OK)
        reason = told(out, gh_grant_introspection(scratch, &policy, &token));
    trace_effects(out, &effects);
    return reason;
}

static char form_text[256];

static enum gh_reason redeem_code(struct gh_arena *scratch, struct trace *out)
{
    (void)snprintf(form_text, sizeof(form_text), "code=%.*s&code_verifier=" VERIFIER "&resource=" NOTES,
                   GH_STR_FMT(code_text));
    return redeem(scratch, out, form_text, &code_row, NULL);
}

static enum gh_reason redeem_wrongly(struct gh_arena *scratch, struct trace *out)
{
    (void)snprintf(form_text, sizeof(form_text), "code=%.*s&code_verifier=" CHALLENGE, GH_STR_FMT(code_text));
    return redeem(scratch, out, form_text, &code_row, NULL);
}

static enum gh_reason redeem_again(struct gh_arena *scratch, struct trace *out)
{
    (void)snprintf(form_text, sizeof(form_text), "code=%.*s&code_verifier=" VERIFIER, GH_STR_FMT(code_text));
    return redeem(scratch, out, form_text, &used_code_row, &grant_row);
}

static enum gh_reason refresh(struct gh_arena *scratch, struct trace *out)
{
    (void)snprintf(form_text, sizeof(form_text), "refresh_token=%.*s&scope=mcp:read",
                   GH_STR_FMT(refresh_text));
    return redeem(scratch, out, form_text, &refresh_row, &grant_row);
}

static enum gh_reason refresh_again(struct gh_arena *scratch, struct trace *out)
{
    (void)snprintf(form_text, sizeof(form_text), "refresh_token=%.*s", GH_STR_FMT(refresh_text));
    return redeem(scratch, out, form_text, &rotated_row, &rotated_grant_row);
}

static enum gh_reason credentials(struct gh_arena *scratch, struct trace *out)
{
    return redeem(scratch, out, "scope=mcp:read&resource=" NOTES, NULL, NULL);
}

static enum gh_reason end(struct gh_arena *scratch, struct trace *out)
{
    struct gh_effects effects = { 0 };
    gh_str user = gh_code_user_of(scratch, code_row.value), key = gh_grant_key_of(scratch, refresh_row.value);
    enum gh_reason reason = told(out, user);
    if (reason == GH_OK)
        reason = told(out, key);
    if (reason == GH_OK)
        reason = gh_grant_end(scratch, &policy, &grant_row, NOW, &effects);
    trace_effects(out, &effects);
    return reason;
}

static enum gh_reason register_client(struct gh_arena *scratch, struct trace *out)
{
    static const unsigned char random[16] = { 7 };
    static const gh_str schemes[] = { GH_STR_INIT("cursor") };
    struct gh_client client, again;
    gh_str answer = GH_STR_NONE;
    enum gh_reason reason =
        gh_client_register(scratch,
                           GH_STR("{\"client_name\":\"App\",\"redirect_uris\":[\"cursor://app/"
                                  "cb\",\"http://127.0.0.1/cb\",\"https://a.example/cb\"]}"),
                           (struct gh_strs){ schemes, 1 }, random, NOW, &client, &answer);
    if (reason == GH_OK)
        reason = told(out, answer);
    gh_str written = reason == GH_OK ? gh_client_write(scratch, &client) : GH_STR_NONE;
    if (reason == GH_OK)
        reason = told(out, written);
    if (reason == GH_OK)
        reason = gh_client_read(scratch, written, &again);
    if (reason == GH_OK)
        reason = told(out, gh_client_key(scratch, again.id));
    return reason;
}

static enum gh_reason read_document(struct gh_arena *scratch, struct trace *out)
{
    static const char url[] = "https://app.example/client.json";
    struct gh_client client;
    enum gh_reason reason = gh_client_url_check(scratch, GH_STR(url));
    if (reason == GH_OK)
        reason =
            gh_client_document_read(scratch, GH_STR(url),
                                    GH_STR("{\"client_id\":\"https://app.example/"
                                           "client.json\",\"client_name\":\"App\","
                                           "\"redirect_uris\":[\"http://127.0.0.1/"
                                           "cb\"],\"grant_types\":[\"authorization_code\"],"
                                           "\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":{"
                                           "\"keys\":[]}}"),
                                    (struct gh_strs){ NULL, 0 }, NOW, &client);
    return reason == GH_OK ? told(out, gh_client_write(scratch, &client)) : reason;
}

static enum gh_reason authenticate(struct gh_arena *scratch, struct trace *out)
{
    struct gh_headers headers;
    struct gh_form form;
    struct gh_client_credential credential;
    struct gh_effects effects = { 0 };
    const gh_str hashes[] = { gh_secret_hash(kept, GH_STR("old")),
                              gh_secret_hash(kept, GH_STR("s-e-c-r-e-t")) };
    struct gh_client client = app;
    client.secrets = (struct gh_strs){ hashes, 2 };
    enum gh_reason reason = hashes[0].ptr != NULL && hashes[1].ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_headers_init(&headers, scratch, 4);
    if (reason == GH_OK)
        reason = gh_form_read(scratch, GH_STR("client_id=app&client_secret=s-e-c-r-e-t"), &form);
    if (reason == GH_OK)
        reason = gh_client_credential_read(scratch, &headers, &form, &credential);
    if (reason == GH_OK)
        reason = gh_client_verify(scratch, policy.issuer, &client, &credential, NULL, NOW, &effects);
    trace_effects(out, &effects);
    return reason;
}

/* ---- the sweep ---- */

static enum gh_reason go(way go_on, struct trace *out)
{
    struct gh_arena *scratch = gh_arena_new(256);
    out->len = 0;
    out->text[0] = '\0';
    enum gh_reason reason = scratch != NULL ? go_on(scratch, out) : GH_OUT_OF_MEMORY;
    gh_arena_free(scratch);
    return reason;
}

static void sweep(way go_on, enum gh_reason verdict)
{
    static struct trace whole, found;
    unsigned failures = 0;
    assert_int_equal(go(go_on, &whole), verdict);
    for (unsigned long n = 1, quiet = 0; quiet < QUIET_RUNS; n++) {
        gh_alloc_fail_at(n);
        enum gh_reason reason = go(go_on, &found);
        gh_alloc_fail_at(0);
        bool same = reason == verdict;
        quiet = same ? quiet + 1 : 0;
        failures += !same;
        if (!same && gh_reason_row(reason)->status < 500)
            fail_msg("allocation %lu: %s", n, gh_reason_row(reason)->slug);
        if (same)
            assert_string_equal(found.text, whole.text);
    }
    assert_true(failures > 3);
    assert_int_equal(go(go_on, &found), verdict);
    assert_string_equal(found.text, whole.text);
}

/* ---- the rows of a grant's life, in order ---- */

static struct gh_stored_row keep(const struct gh_write *write)
{
    static uint64_t version;
    return (struct gh_stored_row){ .key = gh_arena_dup(kept, write->key),
                                   .value = gh_arena_dup(kept, write->value),
                                   .expires = write->expires,
                                   .version = ++version };
}

/* Where a write goes: rows of codes, of this refresh token, of grants. */
static void put(const struct gh_write *write, struct gh_stored_row *other, struct gh_stored_row *refresh,
                struct gh_stored_row *grant)
{
    struct gh_stored_row row = keep(write);
    bool is_refresh = refresh_text.ptr != NULL && gh_str_eq(row.key, gh_refresh_key(kept, refresh_text));
    *(is_refresh ? refresh : gh_str_starts(row.key, GH_STR("grant/")) ? grant : other) = row;
}

static void live(void)
{
    const struct gh_grant_random random = chance(1), other = chance(2);
    const struct gh_approval approval = { .user = GH_STR("usr_1"),
                                          .client_name = GH_STR("App"),
                                          .auth_time = NOW };
    const struct gh_moment moment = { .now = NOW };
    const struct gh_authorization request = { .client_id = app.id,
                                              .redirect_uri = GH_STR(REDIRECT),
                                              .state = GH_STR(""),
                                              .code_challenge = GH_STR(CHALLENGE),
                                              .resource = GH_STR(NOTES),
                                              .scopes = { words, 2 },
                                              .login_hint = GH_STR("") };
    struct gh_effects effects = { 0 };
    struct gh_form form;
    struct gh_grant_token token;
    assert_int_equal(
        gh_code_issue(kept, &policy, &request, &approval, &random, &moment, &effects, &code_text), GH_OK);
    code_row = keep(&effects.writes[0]);
    gh_str body = gh_arena_printf(kept, "code=%.*s&code_verifier=" VERIFIER, GH_STR_FMT(code_text));
    assert_int_equal(gh_form_read(kept, body, &form), GH_OK);
    const struct gh_redemption redemption = { .policy = &policy,
                                              .client = &app,
                                              .form = &form,
                                              .secret = code_row,
                                              .random = &other,
                                              .moment = moment };
    effects = (struct gh_effects){ 0 };
    assert_int_equal(gh_code_redeem(kept, &redemption, &effects, &token), GH_OK);
    refresh_text = token.refresh_token;
    for (size_t i = 0; i < effects.write_count; i++)
        put(&effects.writes[i], &used_code_row, &refresh_row, &grant_row);
}

static void rotate(void)
{
    const struct gh_grant_random random = chance(4);
    struct gh_effects effects = { 0 };
    struct gh_form form;
    struct gh_grant_token token;
    struct gh_stored_row successor;
    gh_str body = gh_arena_printf(kept, "refresh_token=%.*s", GH_STR_FMT(refresh_text));
    assert_int_equal(gh_form_read(kept, body, &form), GH_OK);
    const struct gh_redemption redemption = { .policy = &policy,
                                              .client = &app,
                                              .form = &form,
                                              .secret = refresh_row,
                                              .grant = grant_row,
                                              .random = &random,
                                              .moment = { .now = NOW } };
    assert_int_equal(gh_refresh_redeem(kept, &redemption, &effects, &token), GH_OK);
    for (size_t i = 0; i < effects.write_count; i++)
        put(&effects.writes[i], &successor, &rotated_row, &rotated_grant_row);
}

static void authorizing(void **state)
{
    sweep(authorize, GH_OK);
    sweep(authenticate, GH_OK);
}

static void redeeming(void **state)
{
    sweep(redeem_code, GH_OK);
    sweep(redeem_wrongly, GH_PKCE_MISMATCH);
    sweep(redeem_again, GH_CODE_REPLAYED);
    sweep(credentials, GH_OK);
}

/* Then again in its grace, and behind it. */
static void refreshing(void **state)
{
    sweep(refresh, GH_OK);
    sweep(refresh_again, GH_OK);
    now = NOW + 60;
    sweep(refresh_again, GH_REFRESH_REUSED);
    sweep(end, GH_OK);
    now = NOW + 1;
}

static void describing_clients(void **state)
{
    sweep(register_client, GH_OK);
    sweep(read_document, GH_OK);
}

int main(void)
{
    if (!gh_crypto_fails_too())
        return 1;
    kept = gh_arena_new(0);
    now = NOW + 1;
    live();
    rotate();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authorizing),
        cmocka_unit_test(redeeming),
        cmocka_unit_test(refreshing),
        cmocka_unit_test(describing_clients),
    };
    int failed = cmocka_run_group_tests_name("grant memory", tests, NULL, NULL);
    gh_arena_free(kept);
    return failed;
}
