/* upstream/fetch_transfer.c: one transfer: its options, its bounds while bytes come in, and its verdict. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "upstream/fetch_private.h"

#define HEAD_MAX ((size_t)32 * 1024)
/* A connection opened under former settings is not used much longer than they were in force. */
#define CONNECTION_LIFE_S 60L

#define SET(option, value) (curl_easy_setopt(fetch->easy, (option), (value)) == CURLE_OK)

static bool set_limits(struct fetch *fetch);
static bool set_trust(struct fetch *fetch);
static bool set_callbacks(struct fetch *fetch);
static bool set_message(struct fetch *fetch, const struct gh_fetch_request *request);
static bool add_header(struct fetch *fetch, gh_str name, gh_str value);
static bool add_basic(struct fetch *fetch, const struct gh_fetch_request *request);
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *wanted);
static size_t on_head(char *bytes, size_t size, size_t count, void *ctx);
static size_t on_body(char *bytes, size_t size, size_t count, void *ctx);

bool gh_fetch_prepare(struct fetch *fetch, const struct gh_fetch_request *request)
{
    fetch->proxied = !fetch->plain && fetch->rules->conf.proxy.len != 0;
    return set_limits(fetch) && set_trust(fetch) && set_callbacks(fetch) && set_message(fetch, request);
}

/* QUICK_EXIT: a resolver thread that outlives the timeout is left to itself, where libcurl would else wait
 * for it and the loop with it. */
static bool set_limits(struct fetch *fetch)
{
    return SET(CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)fetch->timeout_ms) && SET(CURLOPT_QUICK_EXIT, 1L) &&
           SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_PROTOCOLS_STR, fetch->plain ? "http" : "https") &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S) &&
           SET(CURLOPT_MAXAGE_CONN, CONNECTION_LIFE_S / 2) &&
           SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch->max_body);
}

/* The environment names no proxy and no exception from one. Without CAPATH libcurl keeps the parsed bundle of
 * authorities between connections: it costs milliseconds to read. */
static bool set_trust(struct fetch *fetch)
{
    struct fetch_rules *rules = fetch->rules;
    bool good = SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
                SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_CAPATH, NULL) &&
                SET(CURLOPT_PROXY_CAPATH, NULL) && SET(CURLOPT_NOPROXY, "") &&
                SET(CURLOPT_PROXY, fetch->proxied ? rules->proxy : "") &&
                SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    if (good && rules->authority.data != NULL)
        good = SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_PROXY_CAINFO, NULL) &&
               SET(CURLOPT_CAINFO_BLOB, &rules->authority) &&
               SET(CURLOPT_PROXY_CAINFO_BLOB, &rules->authority);
    return good;
}

static bool set_callbacks(struct fetch *fetch)
{
    return SET(CURLOPT_PRIVATE, fetch) && SET(CURLOPT_ERRORBUFFER, fetch->error) &&
           SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) && SET(CURLOPT_OPENSOCKETDATA, fetch) &&
           SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && SET(CURLOPT_HEADERFUNCTION, on_head) &&
           SET(CURLOPT_HEADERDATA, fetch) && SET(CURLOPT_WRITEFUNCTION, on_body) &&
           SET(CURLOPT_WRITEDATA, fetch);
}

static bool set_message(struct fetch *fetch, const struct gh_fetch_request *request)
{
    gh_str accept = request->accept.len != 0 ? request->accept : GH_STR("application/json");
    bool good = SET(CURLOPT_URL, (const char *)fetch->url.bytes) && SET(CURLOPT_USERAGENT, "gatehouse") &&
                add_header(fetch, GH_STR("Accept"), accept);
    if (good && request->form.len != 0)
        good = SET(CURLOPT_POST, 1L) && SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->form.len) &&
               SET(CURLOPT_POSTFIELDS, (const char *)fetch->form.bytes) &&
               add_header(fetch, GH_STR("Expect"), GH_STR_NONE);
    if (good && request->user.len != 0)
        good = add_basic(fetch, request);
    return good && SET(CURLOPT_HTTPHEADER, fetch->headers);
}

/* An empty value keeps libcurl from sending that header. */
static bool add_header(struct fetch *fetch, gh_str name, gh_str value)
{
    char *line = NULL;
    const char *colon = value.len != 0 ? ": " : ":";
    if (asprintf(&line, "%.*s%s%.*s", GH_STR_FMT(name), colon, GH_STR_FMT(value)) < 0)
        return false;
    struct curl_slist *longer = curl_slist_append(fetch->headers, line);
    gh_wipe(line, strlen(line));
    free(line);
    if (longer == NULL)
        return false;
    fetch->headers = longer;
    return true;
}

/* application/x-www-form-urlencoded; the unreserved characters of RFC 3986 stay. Returns the new length. */
static size_t form_encode(gh_str text, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-._~", c) != NULL);
        if (plain) {
            out[at++] = (char)c;
        } else {
            out[at++] = '%';
            out[at++] = hex[c >> 4];
            out[at++] = hex[c & 15];
        }
    }
    return at;
}

/* RFC 6749 section 2.3.1: "encoded using the "application/x-www-form-urlencoded" encoding algorithm", both
 * halves, and then as RFC 7617 says. */
static bool add_basic(struct fetch *fetch, const struct gh_fetch_request *request)
{
    const struct gh_secret *password = request->password;
    gh_str secret = password != NULL ? gh_str_of(password->bytes, password->len) : GH_STR_NONE;
    size_t plain_cap = 3 * (request->user.len + secret.len) + 1;
    char *plain = gh_malloc(plain_cap);
    size_t text_cap = sizeof("Basic ") + gh_base64_encoded_len(plain_cap);
    char *text = gh_malloc(text_cap);
    bool good = plain != NULL && text != NULL;
    if (good) {
        size_t len = form_encode(request->user, plain);
        plain[len++] = ':';
        len += form_encode(secret, plain + len);
        memcpy(text, "Basic ", 6);
        gh_base64_encode(gh_str_of(plain, len), text + 6);
        good = add_header(fetch, GH_STR("Authorization"), gh_str_of(text, 6 + gh_base64_encoded_len(len)));
    }
    if (plain != NULL)
        gh_wipe(plain, plain_cap);
    if (text != NULL)
        gh_wipe(text, text_cap);
    free(plain);
    free(text);
    return good;
}

/* ---- while it runs ---- */

/* libcurl has resolved the name and comes here with one address: no later answer of the resolver can change
 * where the socket goes. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *wanted)
{
    struct fetch *fetch = ctx;
    struct gh_address address = { .len = wanted->addrlen };
    if (wanted->addrlen > sizeof(address.storage) || purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    memcpy(&address.storage, &wanted->addr, wanted->addrlen);
    if (fetch->refused)
        return CURL_SOCKET_BAD;
    if (!fetch->proxied && !gh_fetch_rules_allow(fetch->rules, fetch->plain, &address)) {
        char text[GH_ADDRESS_TEXT];
        (void)gh_address_ip_text(&address, text);
        (void)snprintf(fetch->why, sizeof(fetch->why), "the address %s is not allowed%s", text,
                       fetch->plain ? ": http goes to loopback only" : ": it is a special-use address");
        fetch->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(wanted->family, wanted->socktype | SOCK_CLOEXEC, wanted->protocol);
}

static size_t give_up(struct fetch *fetch, const char *why)
{
    (void)snprintf(fetch->why, sizeof(fetch->why), "%s", why);
    return 0;
}

static size_t on_head(char *bytes, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    gh_str line = gh_str_of(bytes, size * count), value = line;
    gh_str name = gh_str_cut(&value, ':');
    if (gh_str_starts(line, GH_STR("HTTP/"))) { /* of this response; an interim one may have come before */
        fetch->head_len = 0;
        fetch->head_ended = false;
        fetch->max_age_s = -1;
    }
    fetch->head_len += line.len;
    fetch->head_ended = fetch->head_ended || gh_str_eq(line, GH_STR("\r\n")) || gh_str_eq(line, GH_STR("\n"));
    if (fetch->head_len > HEAD_MAX)
        return give_up(fetch, "the header is too large");
    while (value.len > 0 && (value.ptr[value.len - 1] == '\r' || value.ptr[value.len - 1] == '\n'))
        value.len--;
    value = gh_str_trim(value);
    if (gh_str_eq_nocase(name, GH_STR("content-encoding")) && !gh_str_eq_nocase(value, GH_STR("identity")))
        return give_up(fetch, "the answer has a content coding");
    if (gh_str_eq_nocase(name, GH_STR("cache-control"))) {
        int64_t max_age = gh_fetch_max_age(value);
        if (max_age >= 0 && (fetch->max_age_s < 0 || max_age < fetch->max_age_s))
            fetch->max_age_s = max_age;
    }
    return line.len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    size_t len = size * count;
    if (gh_buf_len(&fetch->body) + len > (size_t)fetch->max_body)
        return give_up(fetch, "the body is too large");
    return gh_buf_add(&fetch->body, gh_str_of(bytes, len)) ? len : give_up(fetch, "out of memory");
}

/* ---- afterwards ---- */

static void say(struct fetch *fetch, const char *text, const char *detail)
{
    if (fetch->why[0] == '\0')
        (void)snprintf(fetch->why, sizeof(fetch->why), "%s%.128s", text, detail);
}

void gh_fetch_judge(struct fetch *fetch, CURLcode code, struct gh_fetch_answer *ret_answer)
{
    long status = 0;
    const char *type = NULL;
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
    enum gh_reason reason = GH_FETCH_FAILED;
    char number[64];
    if (fetch->refused) {
        reason = GH_FETCH_REFUSED;
    } else if (code == CURLE_FILESIZE_EXCEEDED) {
        say(fetch, "the body is too large", "");
    } else if (code != CURLE_OK) {
        say(fetch, "", fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code));
    } else if (!fetch->head_ended) { /* libcurl takes the end of the connection for the end of the head */
        say(fetch, "the header is cut off", "");
    } else if (status != 200) {
        bool redirect = status >= 300 && status < 400;
        (void)snprintf(number, sizeof(number), "%ld%s", status,
                       redirect ? ": redirects are not followed" : "");
        say(fetch, "status ", number);
    } else if (type == NULL || !gh_fetch_is_json(gh_str_from(type))) {
        say(fetch, "the media type is not JSON: ", type != NULL ? type : "none");
    } else {
        reason = GH_OK;
        say(fetch, "fetched", "");
    }
    *ret_answer = (struct gh_fetch_answer){ .reason = reason,
                                            .status = (int)status,
                                            .body = reason == GH_OK ? gh_buf_peek(&fetch->body) : GH_STR_NONE,
                                            .max_age_s = fetch->max_age_s,
                                            .why = fetch->why };
}
