/* Codes and refresh tokens against a store that keeps rows in memory: single use, rotation, grace, reuse,
 * races. */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cm.h"

#include "base/arena.h"
#include "gatehouse/grant.h"

#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define REDIRECT  "http://127.0.0.1:4711/cb"
#define NOTES     "https://gw.example/notes/mcp"

/* ---- the store */

#define ROWS_MAX 4096

static struct {
    struct gh_stored_row rows[ROWS_MAX];
    size_t count;
    uint64_t versions;
    size_t revocations;
    char revoked[128];
} store;

static struct gh_arena *arena;
static int64_t now;

static struct gh_stored_row *slot(gh_str key)
{
    for (size_t i = 0; i < store.count; i++)
        if (gh_str_eq(store.rows[i].key, key))
            return &store.rows[i];
    assert_true(store.count < ROWS_MAX);
    store.rows[store.count] = (struct gh_stored_row){ .key = gh_arena_dup(arena, key) };
    return &store.rows[store.count++];
}

static struct gh_stored_row row_of(gh_str key)
{
    struct gh_stored_row row = *slot(key);
    if (row.expires != 0 && row.expires <= now)
        row = (struct gh_stored_row){ .key = row.key };
    return row;
}

/* Whole or not at all. */
static bool commit(const struct gh_effects *effects)
{
    for (size_t i = 0; i < effects->precondition_count; i++)
        if (row_of(effects->preconditions[i].key).version != effects->preconditions[i].version)
            return false;
    for (size_t i = 0; i < effects->write_count; i++) {
        const struct gh_write *write = &effects->writes[i];
        struct gh_stored_row *row = slot(write->key);
        row->value = write->value.ptr != NULL ? gh_arena_dup(arena, write->value) : GH_STR_NONE;
        row->version = write->value.ptr != NULL ? ++store.versions : 0;
        row->expires = write->expires;
    }
    for (size_t i = 0; i < effects->revocation_count; i++) {
        store.revocations++;
        (void)snprintf(store.revoked, sizeof(store.revoked), "%.*s", GH_STR_FMT(effects->revocations[i].id));
    }
    return true;
}

static size_t live_rows(gh_str prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < store.count; i++)
        count += gh_str_starts(store.rows[i].key, prefix) && row_of(store.rows[i].key).version != 0;
    return count;
}

/* ---- the issuer */

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
                                      .grants = GH_GRANT_CODE | GH_GRANT_REFRESH,
                                      .redirect_uris = { redirects, 1 } };
static const struct gh_client other = { .id = GH_STR_INIT("other"),
                                        .grants = GH_GRANT_CODE | GH_GRANT_REFRESH,
                                        .redirect_uris = { redirects, 1 } };

static struct gh_grant_random chance(void)
{
    struct gh_grant_random random;
    assert_int_equal(RAND_bytes((unsigned char *)&random, sizeof(random)), 1);
    return random;
}

static gh_str issue_to(const char *scope, int64_t auth_time)
{
    struct gh_form form;
    struct gh_authorization request;
    struct gh_effects effects = { 0 };
    const struct gh_grant_random random = chance();
    const struct gh_approval approval = { .user = GH_STR("usr_1"),
                                          .client_name = GH_STR("App"),
                                          .auth_time = auth_time };
    gh_str code, query = gh_arena_printf(arena,
                                         "response_type=code&code_challenge=" CHALLENGE
                                         "&code_challenge_method=S256&redirect_uri=" REDIRECT "&scope=%s",
                                         scope);
    assert_int_equal(gh_form_read(arena, query, &form), GH_OK);
    assert_int_equal(gh_authorization_read(arena, &policy, &app, &form, GH_STR(REDIRECT), &request), GH_OK);
    const struct gh_moment moment = { .now = now };
    assert_int_equal(gh_code_issue(arena, &policy, &request, &approval, &random, &moment, &effects, &code),
                     GH_OK);
    assert_true(commit(&effects));
    for (size_t i = 0; i < store.count; i++) /* threats.md A26: at rest there is its hash alone */
        assert_false(gh_str_contains(store.rows[i].value, code) || gh_str_contains(store.rows[i].key, code));
    return gh_arena_dup(arena, code);
}

static gh_str issue(const char *scope)
{
    return issue_to(scope, now);
}

/* A presenter that has read its rows and not yet committed: others may come between. */
struct presenter {
    struct gh_redemption redemption;
    struct gh_effects effects;
    struct gh_grant_random random;
    struct gh_form form;
    struct gh_grant_token token;
    gh_str secret;
    bool is_code;
    enum gh_reason reason;
};

static void decide(struct presenter *p)
{
    p->effects = (struct gh_effects){ 0 };
    p->random = chance();
    gh_str key = p->is_code ? gh_code_key(arena, p->secret) : gh_refresh_key(arena, p->secret);
    p->redemption.secret = row_of(key);
    p->redemption.grant = (struct gh_stored_row){ 0 };
    if (p->redemption.secret.version != 0)
        p->redemption.grant = row_of(gh_grant_key_of(arena, p->redemption.secret.value));
    p->redemption.policy = &policy;
    p->redemption.form = &p->form;
    p->redemption.random = &p->random;
    p->redemption.moment.now = now;
    p->reason = p->is_code ? gh_code_redeem(arena, &p->redemption, &p->effects, &p->token)
                           : gh_refresh_redeem(arena, &p->redemption, &p->effects, &p->token);
}

static struct presenter present(const struct gh_client *client, const char *what, gh_str secret,
                                const char *more)
{
    struct presenter p = { .is_code = strcmp(what, "code") == 0, .secret = secret };
    p.redemption.client = client;
    gh_str body = gh_arena_printf(arena, "%s=%.*s%s", what, GH_STR_FMT(secret), more);
    assert_int_equal(gh_form_read(arena, body, &p.form), GH_OK);
    return p;
}

static enum gh_reason finish(struct presenter *p)
{
    decide(p);
    while (!commit(&p->effects))
        decide(p);
    return p->reason;
}

#define GOOD_CODE "&redirect_uri=" REDIRECT "&code_verifier=" VERIFIER

static enum gh_reason redeem(const struct gh_client *client, gh_str code, const char *more,
                             struct gh_grant_token *ret_token)
{
    struct presenter p = present(client, "code", code, more);
    enum gh_reason reason = finish(&p);
    *ret_token = p.token;
    return reason;
}

static enum gh_reason refresh(const struct gh_client *client, gh_str secret, const char *more,
                              struct gh_grant_token *ret_token)
{
    struct presenter p = present(client, "refresh_token", secret, more);
    enum gh_reason reason = finish(&p);
    *ret_token = p.token;
    return reason;
}

static int begin(void **state)
{
    memset(&store, 0, sizeof(store));
    arena = gh_arena_new(0);
    now = 1000000;
    return arena == NULL;
}

static int end(void **state)
{
    gh_arena_free(arena);
    return 0;
}

/* ---- codes */

static void code_once(void **state)
{
    struct gh_grant_token token, again;
    gh_str code = issue("mcp:read");
    assert_int_equal(redeem(&app, code, GOOD_CODE "&resource=" NOTES, &token), GH_OK);
    assert_str_eq(token.subject, "usr_1");
    assert_str_eq(token.resource, NOTES);
    assert_str_eq(gh_scope_write(arena, token.scopes), "mcp:read");
    assert_int_equal(token.expires - token.issued, 600);
    assert_int_equal(token.refresh_token.len, 43);
    assert_int_equal(live_rows(GH_STR("grant/usr_1/")), 1);
    /* reason: code_replayed - and everything it gave is over */
    assert_int_equal(redeem(&app, code, GOOD_CODE, &again), GH_CODE_REPLAYED);
    assert_int_equal(store.revocations, 1);
    assert_true(gh_str_eq(gh_str_from(store.revoked), token.grant));
    assert_int_equal(live_rows(GH_STR("grant/")), 0);
    assert_int_equal(refresh(&app, token.refresh_token, "", &again), GH_GRANT_INVALID);
}

/* threats.md A2: presented wrongly, a code is used up; the good twin works. */
static void code_mismatches(void **state)
{
    static const struct {
        const struct gh_client *client;
        const char *more;
        enum gh_reason reason;
    } cases[] = {
        { &other, GOOD_CODE, GH_GRANT_INVALID },
        { &app, "&redirect_uri=http://127.0.0.1:4712/cb&code_verifier=" VERIFIER, GH_GRANT_INVALID },
        { &app, "&redirect_uri=" REDIRECT "&code_verifier=" CHALLENGE, GH_PKCE_MISMATCH },
        { &app, "&redirect_uri=" REDIRECT, GH_PKCE_MISMATCH },
        { &app, GOOD_CODE "&resource=https://gw.example/other", GH_RESOURCE_UNKNOWN },
    };
    struct gh_grant_token token;
    for (size_t i = 0; i < GH_ARRAY_LEN(cases); i++) {
        gh_str code = issue("mcp:read"), twin = issue("mcp:read");
        assert_int_equal(redeem(cases[i].client, code, cases[i].more, &token), cases[i].reason);
        assert_int_equal(redeem(&app, code, GOOD_CODE, &token), GH_GRANT_INVALID);
        assert_int_equal(redeem(&app, twin, GOOD_CODE, &token), GH_OK);
    }
    assert_int_equal(redeem(&app, GH_STR("never-issued"), GOOD_CODE, &token),
                     GH_GRANT_INVALID); /* reason: grant_invalid */
    assert_int_equal(store.revocations, 0);
}

static void code_expires(void **state)
{
    struct gh_grant_token token;
    gh_str code = issue("mcp:read"), twin = issue("mcp:read");
    now += 59;
    assert_int_equal(redeem(&app, twin, GOOD_CODE, &token), GH_OK);
    now += 1;
    assert_int_equal(redeem(&app, code, GOOD_CODE, &token), GH_GRANT_INVALID);
}

static void code_needs(void **state)
{
    struct gh_grant_token token;
    struct gh_client service = app;
    struct presenter p = present(&app, "unrelated", GH_STR("x"), "");
    p.is_code = true;
    assert_int_equal(finish(&p), GH_PARAMETER_MISSING); /* reason: parameter_missing */
    service.grants = GH_GRANT_CREDENTIALS;
    gh_str code = issue("mcp:read");
    assert_int_equal(redeem(&service, code, GOOD_CODE, &token), GH_GRANT_UNAUTHORIZED);
    struct gh_client once = app;
    once.grants = GH_GRANT_CODE;
    assert_int_equal(redeem(&once, code, GOOD_CODE, &token), GH_OK);
    assert_int_equal(token.refresh_token.len, 0);
}

/* Two presenters read the same row; one commits first. */
static void code_race(void **state)
{
    gh_str code = issue("mcp:read");
    struct presenter first = present(&app, "code", code, GOOD_CODE),
                     second = present(&app, "code", code, GOOD_CODE);
    decide(&first);
    decide(&second);
    assert_int_equal(first.reason, GH_OK);
    assert_int_equal(second.reason, GH_OK);
    assert_true(commit(&second.effects));
    assert_false(commit(&first.effects));
    assert_int_equal(finish(&first), GH_CODE_REPLAYED);
    assert_int_equal(live_rows(GH_STR("grant/")), 0);
}

/* ---- refresh tokens */

static gh_str first_refresh(struct gh_grant_token *token)
{
    assert_int_equal(redeem(&app, issue("mcp:read+mcp:write"), GOOD_CODE, token), GH_OK);
    return gh_arena_dup(arena, token->refresh_token);
}

static void rotation(void **state)
{
    struct gh_grant_token token;
    gh_str one = first_refresh(&token), grant = gh_arena_dup(arena, token.grant);
    gh_str two, again, three;
    assert_int_equal(refresh(&app, one, "", &token), GH_OK);
    two = token.refresh_token;
    assert_true(gh_str_eq(token.grant, grant));
    assert_false(gh_str_eq(one, two));
    now += 10; /* in the grace the same successor comes */
    assert_int_equal(refresh(&app, one, "", &token), GH_OK);
    again = token.refresh_token;
    assert_true(gh_str_eq(two, again));
    assert_int_equal(refresh(&app, two, "", &token), GH_OK);
    three = token.refresh_token;
    assert_false(gh_str_eq(two, three));
    assert_int_equal(store.revocations, 0);
    for (size_t i = 0; i < store.count; i++) { /* nobody who reads the store holds a refresh token */
        assert_false(gh_str_contains(store.rows[i].value, two) ||
                     gh_str_contains(store.rows[i].value, three));
    }
    /* the grandparent is reuse however soon - reason: refresh_reused */
    assert_int_equal(refresh(&app, one, "", &token), GH_REFRESH_REUSED);
    assert_int_equal(store.revocations, 1);
    assert_int_equal(refresh(&app, three, "", &token), GH_GRANT_INVALID);
}

static void reuse_after_grace(void **state)
{
    struct gh_grant_token token;
    gh_str one = first_refresh(&token), two;
    assert_int_equal(refresh(&app, one, "", &token), GH_OK);
    two = token.refresh_token;
    now += 11;
    assert_int_equal(refresh(&app, one, "", &token), GH_REFRESH_REUSED);
    assert_int_equal(refresh(&app, two, "", &token), GH_GRANT_INVALID);
    assert_int_equal(live_rows(GH_STR("grant/")), 0);
}

static void refresh_of_others(void **state)
{
    struct gh_grant_token token;
    gh_str one = first_refresh(&token);
    assert_int_equal(refresh(&other, one, "", &token), GH_GRANT_INVALID);
    assert_int_equal(refresh(&app, GH_STR("never-issued"), "", &token), GH_GRANT_INVALID);
    assert_int_equal(refresh(&app, one, "&resource=https://gw.example/other", &token), GH_RESOURCE_UNKNOWN);
    assert_int_equal(refresh(&app, one, "&scope=mcp:read+mcp:admin", &token),
                     GH_SCOPE_WIDENED); /* reason: scope_widened */
    assert_int_equal(refresh(&app, one, "&scope=mcp:read+offline_access", &token), GH_OK);
    assert_str_eq(gh_scope_write(arena, token.scopes), "mcp:read");
    assert_int_equal(refresh(&app, token.refresh_token, "", &token),
                     GH_OK); /* narrowing was for that token alone */
    assert_str_eq(gh_scope_write(arena, token.scopes), "mcp:read mcp:write");
    struct gh_client once = app;
    once.grants = GH_GRANT_CODE;
    assert_int_equal(refresh(&once, token.refresh_token, "", &token), GH_GRANT_UNAUTHORIZED);
}

static void refresh_ends(void **state)
{
    struct gh_grant_token token;
    gh_str idle = first_refresh(&token);
    now += policy.refresh_idle_s;
    assert_int_equal(refresh(&app, idle, "", &token), GH_GRANT_INVALID);
    gh_str kept = first_refresh(&token);
    int64_t born = now;
    while (now + 86400 * 13 < born + policy.refresh_absolute_s) {
        now += 86400 * 13;
        assert_int_equal(refresh(&app, kept, "", &token), GH_OK);
        kept = token.refresh_token;
    }
    now = born + policy.refresh_absolute_s;
    assert_int_equal(refresh(&app, kept, "", &token), GH_GRANT_INVALID);
}

/* The rows of a token and its grant are read one after the other. A rotation between the two reads ends
 * nothing: the decision is made anew. */
static void a_rotation_between_two_reads(void **state)
{
    struct gh_grant_token token, rotated;
    gh_str one = first_refresh(&token);
    struct presenter slow = present(&app, "refresh_token", one, "");
    decide(&slow);
    const struct gh_stored_row before = slow.redemption.secret;
    assert_int_equal(refresh(&app, one, "", &rotated), GH_OK);
    slow.effects = (struct gh_effects){ 0 };
    slow.redemption.secret = before;
    slow.redemption.grant = row_of(gh_grant_key_of(arena, before.value));
    (void)!gh_refresh_redeem(arena, &slow.redemption, &slow.effects, &slow.token);
    assert_false(commit(&slow.effects));
    assert_int_equal(finish(&slow), GH_OK);
    assert_true(gh_str_eq(slow.token.refresh_token, rotated.refresh_token));
}

/* issuer.md section 10: an epoch ends what is older, and tokens of its very second are issued behind it. */
static void epochs(void **state)
{
    struct gh_grant_token token;
    gh_str one = first_refresh(&token);
    struct presenter p = present(&app, "refresh_token", one, "");
    p.redemption.moment.epoch = now;
    assert_int_equal(finish(&p), GH_GRANT_INVALID);
    p.redemption.moment.epoch = now - 1;
    assert_int_equal(finish(&p), GH_OK);
    assert_int_equal(p.token.issued, now);
    struct presenter late = present(&app, "refresh_token", p.token.refresh_token, "");
    late.redemption.moment.epoch = now - 1;
    now -= 5; /* a clock that steps back */
    assert_int_equal(finish(&late), GH_OK);
    assert_int_equal(late.token.issued, now + 5);
}

/* What another process has revoked may not be known yet: what is made meanwhile bears the last second of
 * which everything is known, and ends with it. */
static void behind_the_log(void **state)
{
    struct presenter p = present(&app, "code", issue("mcp:read"), GOOD_CODE);
    p.redemption.moment.known = now - 2;
    assert_int_equal(finish(&p), GH_OK);
    assert_int_equal(p.token.issued, now - 2);
    struct presenter later = present(&app, "refresh_token", p.token.refresh_token, "");
    later.redemption.moment.epoch = now - 1; /* it has been heard of since */
    assert_int_equal(finish(&later), GH_GRANT_INVALID);
    later.redemption.moment.epoch = 0;
    later.redemption.moment.known = now + 5; /* never of the future */
    assert_int_equal(finish(&later), GH_OK);
    assert_int_equal(later.token.issued, now);
}

/* Who was signed in when a client was ended still is, and may give it something new; an epoch of theirs, or
 * of all, ends the sign-in itself. */
static void codes_of_who_signed_in_before_an_epoch(void **state)
{
    struct presenter p = present(&app, "code", issue_to("mcp:read", now - 5), GOOD_CODE);
    p.redemption.moment.epoch = p.redemption.moment.client = now - 3;
    assert_int_equal(finish(&p), GH_OK);
    struct presenter late = present(&app, "code", issue_to("mcp:read", now - 5), GOOD_CODE);
    late.redemption.moment.epoch = late.redemption.moment.people = now - 3;
    assert_int_equal(finish(&late), GH_GRANT_INVALID);
}

/* A code outlives neither its user's epoch nor its client's, though it has no grant yet. */
static void codes_before_an_epoch(void **state)
{
    gh_str code = issue("mcp:read");
    struct presenter p = present(&app, "code", code, GOOD_CODE);
    p.redemption.secret = row_of(gh_code_key(arena, code));
    assert_true(gh_str_eq(gh_code_user_of(arena, p.redemption.secret.value), GH_STR("usr_1")));
    p.redemption.moment.epoch = now;
    assert_int_equal(finish(&p), GH_GRANT_INVALID);
    struct presenter good = present(&app, "code", issue("mcp:read"), GOOD_CODE);
    good.redemption.moment.epoch = now - 1;
    assert_int_equal(finish(&good), GH_OK);
    assert_int_equal(good.token.issued, now);
}

/* Property: however N presenters of one refresh token interleave within the grace, all answers carry one
 * successor, and nothing is revoked. */
static void races(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    const char *given = getenv("GH_SEED");
    if (given != NULL)
        seed = (unsigned)strtoul(given, NULL, 10);
    (void)printf("# seed %u (GH_SEED)\n", seed);
    srandom(seed);
    for (unsigned round = 0; round < 200; round++) {
        struct gh_grant_token token;
        gh_str one = first_refresh(&token), successor = GH_STR_NONE;
        struct presenter p[8];
        bool decided[8] = { 0 }, done[8] = { 0 };
        for (size_t left = 8; left > 0;) {
            size_t i = (size_t)random() % 8;
            if (done[i])
                continue;
            if (!decided[i]) {
                p[i] = present(&app, "refresh_token", one, "");
                decide(&p[i]);
                decided[i] = true;
                continue;
            }
            decided[i] = done[i] = commit(&p[i].effects);
            left -= done[i];
            if (!done[i])
                continue;
            assert_int_equal(p[i].reason, GH_OK);
            if (successor.ptr == NULL)
                successor = p[i].token.refresh_token;
            assert_true(gh_str_eq(successor, p[i].token.refresh_token));
        }
        assert_int_equal(store.revocations, 0);
        store.count = 0;
    }
}

/* ---- client_credentials, claims, answers */

static void credentials(void **state)
{
    struct gh_client service = { .id = GH_STR("svc"),
                                 .auth = GH_CLIENT_AUTH_KEY,
                                 .grants = GH_GRANT_CREDENTIALS };
    struct presenter p = present(&service, "scope", GH_STR("mcp:read"), "&resource=" NOTES);
    struct gh_grant_random random = chance();
    struct gh_grant_token token;
    p.redemption.policy = &policy;
    p.redemption.form = &p.form;
    p.redemption.random = &random;
    p.redemption.moment.now = now;
    assert_int_equal(gh_credentials_redeem(arena, &p.redemption, &token), GH_OK);
    assert_int_equal(token.refresh_token.len, 0);
    memset(random.jti, 0, sizeof(random.jti));
    token.jti = GH_STR("j");
    assert_str_eq(
        gh_grant_claims(arena, &policy, &token),
        "{\"iss\":\"https://gw.example\",\"sub\":\"svc\",\"sub_profile\":\"service\",\"aud\":\"" NOTES
        "\",\"client_id\":\"svc\",\"scope\":\"mcp:read\",\"tenant\":\"acme\",\"jti\":\"j\",\"iat\":1000000,"
        "\"exp\":1000600}");
    assert_str_eq(
        gh_grant_answer(arena, &token, GH_STR("eyJ")),
        "{\"access_token\":\"eyJ\",\"token_type\":\"Bearer\",\"expires_in\":600,\"scope\":\"mcp:read\"}");
    p.redemption.moment.epoch = p.redemption.moment.client = now; /* it ended since its row was read */
    assert_int_equal(gh_credentials_redeem(arena, &p.redemption, &token), GH_OVERLOADED);
    p.redemption.client_read = now; /* before that: who adds it anew has ended the first one alone */
    assert_int_equal(gh_credentials_redeem(arena, &p.redemption, &token), GH_OK);
    assert_int_equal(token.issued, now + 1);
    service.auth = GH_CLIENT_AUTH_NONE;
    assert_int_equal(gh_credentials_redeem(arena, &p.redemption, &token), GH_GRANT_UNAUTHORIZED);
    p.redemption.client = &app;
    assert_int_equal(gh_credentials_redeem(arena, &p.redemption, &token), GH_GRANT_UNAUTHORIZED);
}

static void rows_are_strict(void **state)
{
    struct gh_grant grant;
    struct gh_client client;
    struct gh_authorization request;
    assert_int_equal(gh_grant_read(arena, GH_STR("{}"), &grant), GH_STORE_MALFORMED);
    assert_int_equal(gh_grant_read(arena, GH_STR("{\"id\":1}"), &grant), GH_STORE_MALFORMED);
    assert_int_equal(gh_client_read(arena, GH_STR("{\"client_id\":\"a\"}"), &client), GH_STORE_MALFORMED);
    assert_int_equal(gh_authorization_load(arena, GH_STR("[]"), &request), GH_STORE_MALFORMED);
    struct gh_grant_token token;
    gh_str one = first_refresh(&token);
    struct gh_stored_row *row = slot(gh_refresh_key(arena, one));
    row->value = GH_STR("{\"grant\":7}");
    assert_int_equal(refresh(&app, one, "", &token), GH_GRANT_INVALID); /* it names no grant */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(code_once),
        TEST(code_mismatches),
        TEST(code_expires),
        TEST(code_needs),
        TEST(code_race),
        TEST(rotation),
        TEST(reuse_after_grace),
        TEST(refresh_of_others),
        TEST(refresh_ends),
        TEST(a_rotation_between_two_reads),
        TEST(epochs),
        TEST(behind_the_log),
        TEST(codes_before_an_epoch),
        TEST(codes_of_who_signed_in_before_an_epoch),
        TEST(races),
        TEST(credentials),
        TEST(rows_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
