/* issuer/browser.c: cookies read and set, form tokens made and compared, sessions as rows. */
#include "issuer/browser.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "issuer/flow.h"

#define SECRET_TEXT 43  /* base64url of 32 bytes */
#define TOUCH_S     300 /* a session's row is written anew at most this often */
#define HOST_PREFIX                                                                                          \
    "__Host-" /* browsers hold it to Secure, Path=/ and no Domain: nobody beside us can set it */

/* ---- cookies ---- */

static gh_str cookie_name(const struct gh_issuer_request *r, enum gh_cookie which)
{
    /* Browsers refuse the prefix over http, which is for loopback alone. */
    bool plain = r->managed->insecure;
    static const struct {
        gh_str plain, secure;
    } names[GH_COOKIE_COUNT] = {
        [GH_COOKIE_SESSION] = { GH_STR_INIT("gatehouse"), GH_STR_INIT(HOST_PREFIX "gatehouse") },
        [GH_COOKIE_BEFORE] = { GH_STR_INIT("gatehouse-login"), GH_STR_INIT(HOST_PREFIX "gatehouse-login") },
        [GH_COOKIE_AGREED] = { GH_STR_INIT("gatehouse-agreed"), GH_STR_INIT(HOST_PREFIX "gatehouse-agreed") },
    };
    return plain ? names[which].plain : names[which].secure;
}

static bool is_secret(gh_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_'))
            return false;
    }
    return value.len == SECRET_TEXT;
}

/* Two of one name: somebody beside us set one of them; none counts. */
gh_str gh_browser_cookie(const struct gh_issuer_request *r, enum gh_cookie which)
{
    const struct gh_headers *headers = &r->x->headers;
    gh_str wanted = cookie_name(r, which), found = GH_STR("");
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++) {
        gh_str rest = gh_str_eq(headers->at[i].name, GH_STR("cookie")) ? headers->at[i].value : GH_STR_NONE;
        while (rest.ptr != NULL) {
            gh_str value = gh_str_trim(gh_str_cut(&rest, ';')), name = gh_str_cut(&value, '=');
            if (!gh_str_eq(name, wanted))
                continue;
            found = value;
            count++;
        }
    }
    return count == 1 && is_secret(found) ? found : GH_STR("");
}

enum gh_reason gh_browser_set(struct gh_issuer_request *r, enum gh_cookie which, gh_str value)
{
    gh_str text = gh_arena_printf(r->x->arena, "%.*s=%.*s; Path=/; HttpOnly; SameSite=Lax%s%s",
                                  GH_STR_FMT(cookie_name(r, which)), GH_STR_FMT(value),
                                  r->managed->insecure ? "" : "; Secure", value.len > 0 ? "" : "; Max-Age=0");
    if (text.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    r->set_cookies[which] = text;
    return GH_OK;
}

gh_str gh_browser_secret(struct gh_arena *arena)
{
    unsigned char bytes[32];
    char text[SECRET_TEXT];
    gh_random_fill(bytes, sizeof(bytes));
    gh_base64url_encode(gh_str_of(bytes, sizeof(bytes)), text);
    return gh_arena_dup(arena, gh_str_of(text, sizeof(text)));
}

gh_str gh_browser_before(struct gh_issuer_request *r)
{
    gh_str value = gh_browser_cookie(r, GH_COOKIE_BEFORE);
    if (value.len > 0)
        return value;
    value = gh_browser_secret(r->x->arena);
    return value.ptr != NULL && gh_browser_set(r, GH_COOKIE_BEFORE, value) == GH_OK ? value : GH_STR_NONE;
}

/* ---- forms ---- */

gh_str gh_browser_token(struct gh_arena *arena, gh_str cookie, const char *purpose, gh_str about)
{
    unsigned char mac[32];
    char text[SECRET_TEXT];
    unsigned len = 0;
    gh_str said = gh_arena_printf(arena, "%s\n%.*s", purpose, GH_STR_FMT(about));
    if (said.ptr == NULL || HMAC(EVP_sha256(), cookie.ptr, (int)cookie.len, (const unsigned char *)said.ptr,
                                 said.len, mac, &len) == NULL) {
        ERR_clear_error();
        return GH_STR_NONE;
    }
    gh_base64url_encode(gh_str_of(mac, sizeof(mac)), text);
    return gh_arena_dup(arena, gh_str_of(text, sizeof(text)));
}

/* Fetch section 3.1: after a page with Referrer-Policy: no-referrer the Origin of its own forms is "null";
 * who it was then says Sec-Fetch-Site, and, where a browser sends none, the token alone. */
static bool came_from_here(const struct gh_issuer_request *r)
{
    const struct gh_headers *headers = &r->x->headers;
    const struct gh_header *origin = gh_headers_find(headers, GH_STR("origin"));
    const struct gh_header *site = gh_headers_find(headers, GH_STR("sec-fetch-site"));
    if (gh_headers_count(headers, GH_STR("origin")) > 1 ||
        gh_headers_count(headers, GH_STR("sec-fetch-site")) > 1)
        return false;
    if (site != NULL && !gh_str_eq(site->value, GH_STR("same-origin")))
        return false;
    if (origin == NULL || gh_str_eq(origin->value, GH_STR("null")))
        return true;
    gh_str rest = origin->value;
    return gh_str_starts(rest, r->managed->url.scheme) &&
           gh_str_starts(gh_str_skip(rest, r->managed->url.scheme.len), GH_STR("://")) &&
           gh_str_eq(gh_str_skip(rest, r->managed->url.scheme.len + 3), r->managed->url.authority_text);
}

enum gh_reason gh_browser_check_form(const struct gh_issuer_request *r, gh_str cookie, const char *purpose,
                                     gh_str about)
{
    gh_str given = gh_form_get(&r->posted, GH_STR("csrf"));
    if (!came_from_here(r) || cookie.len == 0 || given.len != SECRET_TEXT)
        return GH_CSRF;
    gh_str token = gh_browser_token(r->x->arena, cookie, purpose, about);
    if (token.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    return CRYPTO_memcmp(token.ptr, given.ptr, SECRET_TEXT) == 0 ? GH_OK : GH_CSRF;
}

/* ---- sessions ---- */

enum gh_reason gh_session_begin(struct gh_issuer_request *r)
{
    struct gh_session *session = &r->session;
    *session = (struct gh_session){ .secret = gh_browser_cookie(r, GH_COOKIE_SESSION) };
    if (session->secret.len == 0)
        return GH_OK;
    session->key = gh_row_key(r->x->arena, "session", &session->secret, 1);
    return session->key.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

enum gh_reason gh_session_take(struct gh_issuer_request *r)
{
    struct gh_session *session = &r->session;
    const struct gh_stored_row *row = session->key.len > 0 ? gh_rows_find(r->rows, session->key) : NULL;
    struct gh_json value;
    bool ok = true;
    session->is_valid = false;
    if (row == NULL || row->version == 0)
        return GH_OK;
    enum gh_reason reason =
        gh_json_read(r->x->arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    session->version = row->version;
    session->user = gh_get_text(&value, "user", &ok);
    session->name = gh_get_text(&value, "name", &ok);
    session->created = gh_get_number(&value, "created", &ok);
    session->used = gh_get_number(&value, "used", &ok);
    if (!ok || session->user.len == 0)
        return GH_STORE_MALFORMED;
    int64_t epoch;
    reason = gh_issuer_people_epoch(r, session->user, &epoch);
    session->is_valid = session->created > epoch;
    return reason;
}

static enum gh_reason write_session(struct gh_issuer_request *r, const struct gh_session *session)
{
    int64_t idle = session->used + GH_SESSION_IDLE_S, max = session->created + GH_SESSION_MAX_S;
    struct gh_text text = { .arena = r->x->arena };
    gh_put_text(&text, "user", session->user);
    gh_put_text(&text, "name", session->name);
    gh_put_number(&text, "created", session->created);
    gh_put_number(&text, "used", session->used);
    gh_str value = gh_put_end(&text);
    return value.ptr != NULL ? gh_effects_write(&r->effects, session->key, value, idle < max ? idle : max)
                             : GH_OUT_OF_MEMORY;
}

/* Expected as it was read: a session that ends meanwhile stays ended. */
enum gh_reason gh_session_touch(struct gh_issuer_request *r)
{
    struct gh_session *session = &r->session;
    int64_t now = gh_issuer_now(r);
    if (!session->is_valid || now - session->used < TOUCH_S)
        return GH_OK;
    session->used = now;
    enum gh_reason reason = gh_effects_expect(&r->effects, session->key, session->version);
    return reason == GH_OK ? write_session(r, session) : reason;
}

enum gh_reason gh_session_person(struct gh_issuer_request *r, const struct gh_stored_row *row)
{
    bool is_there = row->version != 0;
    r->person = (struct gh_person){ 0 };
    enum gh_reason reason = is_there ? gh_person_read(r->x->arena, row, &r->person) : GH_OK;
    if (!is_there || r->person.disabled || r->session.created <= r->person.since)
        r->session.is_valid = false;
    return reason;
}

enum gh_reason gh_session_end_all(struct gh_issuer_request *r)
{
    int64_t epoch, now = gh_issuer_now(r);
    enum gh_reason reason = gh_issuer_people_epoch(r, r->person.id, &epoch);
    if (reason == GH_OK)
        (void)gh_person_end_sessions(&r->person, epoch > now && epoch != GH_REVOKED_ALWAYS ? epoch : now);
    return reason;
}

/* A session is younger than every revocation that is known by now (issuer.md section 10). */
enum gh_reason gh_session_new(struct gh_issuer_request *r, gh_str user, gh_str name)
{
    gh_str old = r->session.key, secret = gh_browser_secret(r->x->arena);
    gh_str key = secret.ptr != NULL ? gh_row_key(r->x->arena, "session", &secret, 1) : GH_STR_NONE;
    int64_t epoch, now = gh_issuer_now(r);
    if (key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_issuer_people_epoch(r, user, &epoch);
    if (reason != GH_OK)
        return reason;
    if (epoch == INT64_MAX) /* over for ever */
        return GH_LOGIN_FAILED;
    if (r->person.since > epoch)
        epoch = r->person.since;
    r->session = (struct gh_session){ .secret = secret, .key = key, .user = user, .name = name, .used = now };
    r->session.created = now > epoch ? now : epoch + 1;
    if (old.len > 0)
        reason = gh_effects_delete(&r->effects, old);
    if (reason == GH_OK)
        reason = gh_browser_set(r, GH_COOKIE_SESSION, secret);
    if (reason == GH_OK)
        reason = gh_browser_set(r, GH_COOKIE_BEFORE, GH_STR(""));
    return reason == GH_OK ? write_session(r, &r->session) : reason;
}
