/* Runs tests/tables/login.cases: requests to providers, their answers, and ID tokens. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/str.h"
#include "gatehouse/login.h"
#include "support/table.h"

#define NOW 1800000000

static struct gh_strs list_of(struct gh_arena *arena, gh_str text)
{
    size_t count = 0;
    gh_str *at = gh_arena_calloc(arena, text.len + 1, sizeof(*at));
    for (gh_str rest = text; rest.ptr != NULL;)
        at[count++] = gh_str_cut(&rest, ',');
    return (struct gh_strs){ at, text.len != 0 ? count : 0 };
}

/* Takes words "name=value" that say how the connection differs from the usual one. */
static struct gh_login login_of(struct gh_arena *arena, gh_str *line)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://idp.example") };
    struct gh_login login = { .name = GH_STR("corp"),
                              .profile = *gh_login_profile(GH_STR("generic")),
                              .tenant_hint = GH_STR(""),
                              .client_id = GH_STR("us"),
                              .auth = GH_CLIENT_AUTH_BASIC };
    gh_str profile = gh_table_word(line);
    login.profile = *gh_login_profile(profile);
    login.profile.issuers = (struct gh_strs){ issuers, 1 };
    for (gh_str before = *line, word = gh_table_word(line); word.ptr != NULL;
         before = *line, word = gh_table_word(line)) {
        gh_str value = word, name = gh_str_cut(&value, '=');
        if (gh_str_eq(name, GH_STR("tenants")))
            login.profile.tenant_ids = list_of(arena, value);
        else if (gh_str_eq(name, GH_STR("template")))
            login.profile.issuer_template = value, login.profile.issuers.count = 0;
        else if (gh_str_eq(name, GH_STR("hint")))
            login.tenant_hint = value;
        else if (gh_str_eq(name, GH_STR("scopes")))
            login.scopes = list_of(arena, value);
        else if (gh_str_eq(name, GH_STR("auth")))
            login.auth = gh_str_eq(value, GH_STR("post"))   ? GH_CLIENT_AUTH_POST
                         : gh_str_eq(value, GH_STR("key"))  ? GH_CLIENT_AUTH_KEY
                         : gh_str_eq(value, GH_STR("none")) ? GH_CLIENT_AUTH_NONE
                                                            : GH_CLIENT_AUTH_BASIC;
        else {
            *line = before;
            break;
        }
    }
    return login;
}

static bool say(struct gh_buf *out, enum gh_reason reason)
{
    return gh_buf_printf(out, "reason: %s", gh_reason_row(reason)->slug);
}

static bool request(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    const struct gh_login login = login_of(arena, &line);
    struct gh_login_request request = {
        .endpoint = gh_table_word(&line),
        .redirect_uri = GH_STR("https://as.example/login/callback/corp"),
        .state = GH_STR("S"),
        .nonce = GH_STR("N"),
        .verifier = GH_STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), /* RFC 7636 appendix B */
        .again = gh_str_eq(line, GH_STR("again")),
        .login_hint = gh_str_starts(line, GH_STR("hint:")) ? gh_str_skip(line, 5) : GH_STR(""),
    };
    return gh_buf_add(out, gh_login_request_write(arena, &login, &request));
}

static bool answer_of(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    const struct gh_login login = login_of(arena, &line);
    bool promised = gh_str_starts(line, GH_STR("promised "));
    struct gh_form form;
    gh_str code;
    enum gh_reason reason = gh_form_read(arena, promised ? gh_str_skip(line, 9) : line, &form);
    if (reason == GH_OK)
        reason = gh_login_answer_read(&login, &form, promised, &code);
    return reason == GH_OK ? gh_buf_printf(out, "code %.*s", GH_STR_FMT(code)) : say(out, reason);
}

static bool form(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    const struct gh_login login = login_of(arena, &line);
    const struct gh_login_redemption redemption = { .code = GH_STR("C&="),
                                                    .verifier = GH_STR("V"),
                                                    .redirect_uri = GH_STR("https://as/cb"),
                                                    .secret = GH_STR("s+ "),
                                                    .assertion = GH_STR("a.b.c") };
    return gh_buf_add(out, gh_login_form(arena, &login, &redemption));
}

static bool tokens(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_login_tokens tokens;
    enum gh_reason reason = gh_login_tokens_read(arena, line, &tokens);
    return reason == GH_OK ? gh_buf_printf(out, "id_token=[%.*s] access_token=[%.*s]",
                                           GH_STR_FMT(tokens.id_token), GH_STR_FMT(tokens.access_token))
                           : say(out, reason);
}

static gh_str encoded(struct gh_arena *arena, gh_str bytes)
{
    size_t len = gh_base64url_encoded_len(bytes.len);
    char *text = gh_arena_alloc(arena, len + 1);
    gh_base64url_encode(bytes, text);
    return gh_str_of(text, len);
}

/* Header members and claims as they stand between braces; those of a good ID token come first, so that a case
 * that names one of them again is a duplicate: "-x" takes member x of the good ones away. */
static bool id(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const struct {
        const char *name, *member;
    } good[] = { { "iss", "\"iss\":\"https://idp.example\"" },
                 { "sub", "\"sub\":\"u1\"" },
                 { "aud", "\"aud\":\"us\"" },
                 { "nonce", "\"nonce\":\"N\"" },
                 { "iat", "\"iat\":1799999990" },
                 { "exp", "\"exp\":1800000300" } };
    const struct gh_login login = login_of(arena, &line);
    struct gh_login_asked asked = { .nonce = GH_STR("N") };
    if (gh_str_starts(line, GH_STR("again ")))
        asked.since = NOW - 100, line = gh_str_skip(line, 6);
    gh_str header = gh_table_word(&line), claims = GH_STR("");
    bool gone[GH_ARRAY_LEN(good)] = { false };
    while (gh_str_starts(line, GH_STR("-"))) {
        gh_str word = gh_str_skip(gh_table_word(&line), 1);
        for (size_t i = 0; i < GH_ARRAY_LEN(good); i++)
            gone[i] = gone[i] || gh_str_eq(word, gh_str_from(good[i].name));
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(good); i++)
        if (!gone[i])
            claims = gh_arena_printf(arena, "%.*s%s%s", GH_STR_FMT(claims), claims.len > 0 ? "," : "",
                                     good[i].member);
    claims =
        gh_arena_printf(arena, "{%.*s%s%.*s}", GH_STR_FMT(claims), line.len > 0 ? "," : "", GH_STR_FMT(line));
    header = gh_arena_printf(arena, "{%.*s}", GH_STR_FMT(header));
    gh_str text = gh_arena_printf(arena, "%.*s.%.*s.AA", GH_STR_FMT(encoded(arena, header)),
                                  GH_STR_FMT(encoded(arena, claims)));
    /* OpenID Connect Core appendix A.3: its access token and at_hash */
    const struct gh_login_tokens beside = { .access_token =
                                                GH_STR("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") };
    struct gh_token token;
    struct gh_identity identity;
    enum gh_reason reason = gh_id_token_open(arena, text, &login, &token);
    if (reason == GH_OK)
        reason = gh_id_token_judge(arena, &token, &login, &beside, &asked, NOW, &identity);
    if (reason != GH_OK)
        return say(out, reason);
    struct gh_identity again;
    if (gh_identity_read(arena, gh_identity_write(arena, &identity), &again) != GH_OK ||
        !gh_str_eq(gh_identity_key(arena, &identity), gh_identity_key(arena, &again)))
        abort();
    return gh_buf_printf(out, "%s %.*s %.*s named %.*s", identity.by_tenant ? "tenant" : "issuer",
                         GH_STR_FMT(identity.by_tenant ? identity.tenant : identity.issuer),
                         GH_STR_FMT(identity.subject), GH_STR_FMT(identity.name));
}

static struct gh_identity identity_of(gh_str text)
{
    struct gh_identity identity = { .by_tenant = true };
    identity.issuer = gh_str_cut(&text, ',');
    identity.tenant = gh_str_cut(&text, ',');
    identity.subject = text;
    return identity;
}

static bool same(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    const struct gh_identity one = identity_of(gh_table_word(&line)), two = identity_of(line);
    bool is_same = gh_str_eq(gh_identity_key(arena, &one), gh_identity_key(arena, &two));
    return gh_buf_printf(out, "%s", is_same ? "same" : "another");
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const struct {
        const char *word;
        bool (*run)(struct gh_arena *arena, gh_str line, struct gh_buf *out);
    } kinds[] = {
        { "request", request }, { "answer", answer_of }, { "form", form }, { "tokens", tokens },
        { "id", id },           { "same", same },
    };
    gh_str what = gh_table_word(&line);
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++) {
        if (!gh_str_eq(what, gh_str_from(kinds[i].word)))
            continue;
        if (!kinds[i].run(arena, line, out))
            abort();
        return;
    }
    abort();
}

int main(void)
{
    return gh_table_run("login", answer);
}
