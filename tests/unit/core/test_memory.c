/* Every allocation on a token's way fails once, those of OpenSSL too: nothing is let through,
 * nothing leaks, nothing crashes. */
#include <stdlib.h>

#include "support/cm.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "gatehouse/effects.h"
#include "gatehouse/list.h"
#include "gatehouse/login.h"
#include "gatehouse/policy.h"
#include "gatehouse/rate.h"
#include "gatehouse/sign.h"
#include "support/memory.h"
#include "support/sign.h"

#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)
/* The end of a sweep: that many runs in a row in which nothing failed. OpenSSL gets over some failures. */
#define QUIET_RUNS 100u

struct way {
    gh_str keys, token;
};

static struct gh_arena *arena;

static struct way prepare(const char *alg)
{
    struct gh_signer *signer = gh_signer_new(alg);
    gh_str header = gh_arena_printf(arena, "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"k\"}", alg);
    gh_str payload =
        GH_STR("{\"iss\":\"https://as.example\",\"sub\":\"alice\",\"aud\":[\"https://r.example/mcp\",\"x\"],"
               "\"exp\":2000,\"iat\":1000,\"scope\":\"a b\",\"groups\":[\"g\"],\"client_id\":\"c\","
               "\"jti\":\"j\",\"act\":{\"sub\":\"agent\",\"act\":{\"sub\":\"outer\"}},\"org_id\":\"o\"}");
    struct way way = { .token = gh_signer_token(arena, signer, alg, header, payload) };
    way.keys =
        gh_arena_printf(arena, "{\"keys\":[%s]}",
                        gh_signer_jwk(arena, signer, ",\"kid\":\"k\",\"issuer\":\"https://as.example\"").ptr);
    gh_signer_free(signer);
    return way;
}

static enum gh_reason verify(struct gh_arena *scratch, const struct way *way, struct gh_jwks *set)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example") },
                        auds[] = { GH_STR_INIT("https://r.example/mcp") };
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    struct gh_binding binding = { .audiences = { auds, 1 } };
    struct gh_token token;
    struct gh_key *key = NULL;
    struct gh_principal principal;
    profile.issuers = (struct gh_strs){ issuers, 1 };
    profile.subject_with_tenant = true;
    enum gh_reason reason = gh_token_open(scratch, way->token, &token);
    if (reason == GH_OK)
        reason = gh_token_key(set, &token, &profile, &key);
    if (reason == GH_OK)
        reason = gh_token_signature(key, token.alg, token.signed_part, token.signature);
    if (reason == GH_OK)
        reason = gh_token_judge(scratch, &token, &profile, &binding, 1500, &principal);
    if (reason != GH_OK)
        return reason;
    assert_str_eq(principal.subject, "alice@o");
    assert_int_equal(principal.scopes.count, 2);
    assert_int_equal(principal.groups.count, 1);
    assert_int_equal(principal.actor_count, 2);
    return GH_OK;
}

static enum gh_reason walk(const struct way *way)
{
    struct gh_jwks *set = NULL;
    struct gh_arena *scratch = gh_arena_new(256);
    enum gh_reason reason =
        scratch != NULL ? gh_jwks_read(way->keys, ALL_ALGS, NULL, &set) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = verify(scratch, way, set);
    gh_jwks_unref(set);
    gh_arena_free(scratch);
    return reason;
}

/* OpenSSL does not always say that it ran out of memory: then the key or the signature is refused as if it
 * were bad. */
static bool is_closed(enum gh_reason reason)
{
    return reason == GH_OK || reason == GH_OUT_OF_MEMORY || reason == GH_KEYS_MALFORMED ||
           reason == GH_TOKEN_SIGNATURE;
}

static void sweep(const char *alg, unsigned long step)
{
    struct way way = prepare(alg);
    unsigned failures = 0;
    assert_int_equal(walk(&way), GH_OK);
    for (unsigned long n = 1, quiet = 0; quiet < QUIET_RUNS; n += step) {
        gh_alloc_fail_at(n);
        enum gh_reason reason = walk(&way);
        gh_alloc_fail_at(0);
        quiet = reason == GH_OK ? quiet + 1 : 0;
        failures += reason != GH_OK ? 1 : 0;
        assert_true(is_closed(reason));
    }
    assert_true(failures > 30);
    assert_int_equal(walk(&way), GH_OK);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    sweep("ES256", 1);
    sweep("EdDSA", 1);
}

/* The check of an RSA key takes milliseconds, so every second allocation is enough. */
static void allocations_around_rsa_fail(void **state)
{
    (void)state;
    sweep("RS256", 2);
}

/* ---- the other way: a private key is read, and signs what is passed on ---- */

static enum gh_reason read_key(gh_str pem, struct gh_signing_key **ret_key)
{
    enum gh_signing_fault fault;
    return gh_signing_key_read(pem, &fault, ret_key);
}

static enum gh_reason sign(struct gh_signing_key *key)
{
    static const gh_str scopes[] = { GH_STR_INIT("a"), GH_STR_INIT("b") };
    const struct gh_principal principal = { .subject = GH_STR_INIT("alice"),
                                            .client = GH_STR_INIT("app"),
                                            .scopes = { scopes, 2 },
                                            .actors = { { .sub = GH_STR_INIT("agent") } },
                                            .actor_count = 1 };
    const struct gh_assertion assertion = { .issuer = GH_STR_INIT("https://gw.example"),
                                            .audience = GH_STR_INIT("http://mcp:3000"),
                                            .principal = &principal,
                                            .expires = 60 };
    gh_str token = GH_STR_NONE;
    GH_CLEANUP(gh_arena_free) struct gh_arena *scratch = gh_arena_new(64);
    gh_str set = scratch != NULL ? gh_jwks_write(scratch, &key, 1) : GH_STR_NONE;
    gh_str claims = set.ptr != NULL ? gh_assertion_write(scratch, &assertion) : GH_STR_NONE;
    if (claims.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_token_sign(scratch, key, GH_STR(GH_ASSERTION_TYP), claims, &token);
    assert_true((reason == GH_OK) == (token.len != 0));
    return reason;
}

/* OpenSSL looks at every decoder it has, four thousand allocations for a key: some of them are enough here.
 * Those of our own fail one by one in test_sign.c. */
static struct gh_signing_key *read_with_failures(gh_str pem, unsigned *failures)
{
    struct gh_signing_key *key = NULL;
    for (unsigned long n = 1, left = 0; left == 0; n += 23) {
        gh_alloc_fail_at(n);
        enum gh_reason reason = read_key(pem, &key);
        left = gh_alloc_fail_at(0);
        *failures += reason != GH_OK;
        assert_true(is_closed(reason) && (reason == GH_OK) == (key != NULL));
        gh_signing_key_unref(key);
        key = NULL;
    }
    assert_int_equal(read_key(pem, &key), GH_OK);
    return key;
}

static void signing_fails_closed_too(void **state)
{
    static const char *const algs[] = { "ES256", "EdDSA", "RS256" };
    unsigned unread = 0;
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(algs); i++) {
        struct gh_signer *signer = gh_signer_new(algs[i]);
        struct gh_signing_key *key = read_with_failures(gh_signer_pem(arena, signer), &unread);
        unsigned failures = 0;
        gh_signer_free(signer);
        for (unsigned long n = 1, left = 0; left == 0; n++) {
            gh_alloc_fail_at(n);
            enum gh_reason reason = sign(key);
            left = gh_alloc_fail_at(0);
            failures += reason != GH_OK;
            assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY || reason == GH_INTERNAL);
        }
        assert_true(failures > 10);
        assert_int_equal(sign(key), GH_OK);
        gh_signing_key_unref(key);
    }
    assert_true(unread > 20);
}

static enum gh_reason read_control(void)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example") }, auds[] = { GH_STR_INIT("r") };
    gh_str metadata = GH_STR("{\"issuer\":\"https://as.example\",\"jwks_uri\":\"https://as.example/k\","
                             "\"code_challenge_methods_supported\":[\"S256\"]}");
    gh_str answer = GH_STR("{\"active\":true,\"sub\":\"a\",\"aud\":\"r\",\"exp\":2000,\"scope\":\"x y\"}");
    struct gh_issuer_metadata read;
    struct gh_principal principal;
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    struct gh_binding binding = { .audiences = { auds, 1 } };
    struct gh_arena *scratch = gh_arena_new(64);
    if (scratch == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_issuer_metadata_read(scratch, metadata, (struct gh_strs){ issuers, 1 }, &read);
    if (reason == GH_OK)
        reason = gh_introspection_judge(scratch, answer, &profile, &binding, 1500, &principal);
    gh_arena_free(scratch);
    return reason;
}

static void control_documents_too(void **state)
{
    unsigned long n = 1;
    (void)state;
    for (enum gh_reason reason = GH_OUT_OF_MEMORY; reason != GH_OK; n++) {
        gh_alloc_fail_at(n);
        reason = read_control();
        gh_alloc_fail_at(0);
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
    }
    assert_true(n > 15);
}

/* Each allocation of it fails once: it says so, and does nothing else. */
static void fail_each(enum gh_reason (*act)(void))
{
    unsigned failures = 0;
    for (unsigned long n = 1, quiet = 0; quiet < QUIET_RUNS; n++) {
        gh_alloc_fail_at(n);
        enum gh_reason reason = act();
        gh_alloc_fail_at(0);
        quiet = reason == GH_OK ? quiet + 1 : 0;
        failures += reason != GH_OK ? 1 : 0;
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
    }
    assert_true(failures > 5);
}

static enum gh_reason revoke(void)
{
    const struct gh_principal principal = { .issuer_name = GH_STR("okta"), .subject = GH_STR("alice") };
    const struct gh_revocation revocation = { .level = GH_REVOKED_USER,
                                              .tenant = GH_STR("acme"),
                                              .issuer_name = GH_STR("okta"),
                                              .id = GH_STR("alice") };
    struct gh_dependencies dependencies;
    struct gh_revocation_key key;
    struct gh_arena *scratch = gh_arena_new(64);
    if (scratch == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_dependencies_of(GH_STR("acme"), &principal, GH_STR("h.p"), &dependencies);
    if (reason == GH_OK)
        reason = gh_revocation_key(&revocation, &key);
    if (reason == GH_OK && (gh_revocation_write(scratch, &revocation).ptr == NULL ||
                            gh_row_key(scratch, "user", &revocation.id, 1).ptr == NULL))
        reason = GH_OUT_OF_MEMORY;
    gh_arena_free(scratch);
    return reason;
}

static void revocations_too(void **state)
{
    (void)state;
    fail_each(revoke);
}

static enum gh_reason judge_id_token(struct gh_arena *scratch)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as") };
    struct gh_login login = { .profile = *gh_login_profile(GH_STR("generic")), .client_id = GH_STR("us") };
    /* {"alg":"RS256"} {"iss":"https://as","sub":"u","aud":"us","nonce":"N","iat":1,"exp":9,"at_hash":"x"} */
    const gh_str text =
        GH_STR("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FzIiwic3ViIjoidSIsImF1ZCI6InVzIiwibm9uY2Ui"
               "OiJOIiwiaWF0IjoxLCJleHAiOjksImF0X2hhc2giOiJ4In0.AA");
    const struct gh_login_tokens tokens = { .id_token = text, .access_token = GH_STR("A") };
    const struct gh_login_asked asked = { .nonce = GH_STR("N") };
    struct gh_token token;
    struct gh_identity identity;
    login.profile.issuers = (struct gh_strs){ issuers, 1 };
    enum gh_reason reason = gh_id_token_open(scratch, text, &login, &token);
    if (reason == GH_OK)
        reason = gh_id_token_judge(scratch, &token, &login, &tokens, &asked, 2, &identity);
    return reason == GH_LOGIN_HASH ? GH_OK : reason; /* it was come so far */
}

static enum gh_reason sign_in(void)
{
    const struct gh_login login = { .client_id = GH_STR("us"), .auth = GH_CLIENT_AUTH_KEY };
    const struct gh_login_request request = { .endpoint = GH_STR("https://as/auth"),
                                              .verifier = GH_STR("V") };
    const struct gh_login_redemption redemption = { .code = GH_STR("C") };
    const struct gh_identity identity = { .issuer = GH_STR("https://as"), .subject = GH_STR("u") };
    struct gh_identity again;
    struct gh_login_tokens tokens;
    struct gh_arena *scratch = gh_arena_new(64);
    if (scratch == NULL)
        return GH_OUT_OF_MEMORY;
    gh_str text = gh_identity_write(scratch, &identity);
    bool made = text.ptr != NULL && gh_identity_key(scratch, &identity).ptr != NULL &&
                gh_login_provider(scratch, &login).ptr != NULL &&
                gh_login_request_write(scratch, &login, &request).ptr != NULL &&
                gh_login_form(scratch, &login, &redemption).ptr != NULL &&
                gh_login_assertion(scratch, &login, GH_STR("https://as/token"),
                                   (const unsigned char *)"0123456789abcdef", 1)
                        .ptr != NULL;
    enum gh_reason reason = made ? gh_identity_read(scratch, text, &again) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_login_tokens_read(scratch, GH_STR("{\"id_token\":\"I\"}"), &tokens);
    if (reason == GH_OK)
        reason = judge_id_token(scratch);
    gh_arena_free(scratch);
    return reason;
}

static void sign_ins_too(void **state)
{
    (void)state;
    fail_each(sign_in);
}

static bool shows(void *ctx, enum gh_rpc_names names, bool is_template, gh_str name)
{
    return gh_str_eq(name, GH_STR("a"));
}

static enum gh_reason list(void)
{
    struct gh_buf out = { 0 };
    bool changed;
    enum gh_reason reason =
        gh_list_filter_event(GH_STR("id: 1\ndata: {\"result\":{\"tools\":[{\"name\":\"a\"},\ndata: "
                                    "{\"name\":\"b\"},{\"name\":\"a\"}],"
                                    "\"cacheScope\":\"public\"}}\n\n"),
                             shows, NULL, &out, &changed);
    gh_buf_done(&out);
    return reason;
}

static enum gh_reason call(void)
{
    static const struct gh_rpc_limits limits = { .depth = 8, .members = 100, .string = 100 };
    static const uint64_t seed[2] = { 1, 2 };
    const struct gh_principal principal = { .issuer_name = GH_STR("i"), .subject = GH_STR("s") };
    const struct gh_rate_limit limit = { .per = GH_RATE_USER, .requests = 1, .window_s = 1 };
    const gh_str pointers[] = { GH_STR("/a"), GH_STR("/b/0") };
    const struct gh_rpc_paths *paths;
    struct gh_rpc_message message;
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    struct gh_arena *scratch = gh_arena_new(64);
    enum gh_reason reason = GH_OUT_OF_MEMORY;
    if (scanner != NULL && scratch != NULL &&
        gh_rate_key(scratch, &limit, GH_STR("t"), GH_STR("r"), &principal).ptr != NULL &&
        gh_reason_body(scratch, GH_RPC_HEADERS, GH_STR("1")).ptr != NULL)
        reason = gh_rpc_paths_read(scratch, (struct gh_strs){ pointers, 2 }, &paths);
    if (reason == GH_OK)
        reason = gh_rpc_scan(scanner, paths,
                             GH_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\\u0069ng\"}"), &message);
    gh_arena_free(scratch);
    gh_rpc_scanner_free(scanner);
    return reason == GH_OK ? list() : reason;
}

static void calls_lists_and_rates_too(void **state)
{
    (void)state;
    fail_each(call);
}

int main(void)
{
    if (!gh_crypto_fails_too())
        return 1;
    arena = gh_arena_new(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(allocations_around_rsa_fail),
        cmocka_unit_test(signing_fails_closed_too),
        cmocka_unit_test(control_documents_too),
        cmocka_unit_test(revocations_too),
        cmocka_unit_test(sign_ins_too),

        cmocka_unit_test(calls_lists_and_rates_too),
    };
    int failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    gh_arena_free(arena);
    return failed;
}
