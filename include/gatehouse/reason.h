/* include/gatehouse/reason.h: every way an exchange can end, one row each; response, challenge, audit and
 * metric read it. */
/* size: table - one row per reason, which must stand together */
#ifndef GATEHOUSE_REASON_H
#define GATEHOUSE_REASON_H

#include "gatehouse/types.h"

/* clang-format off */
/*    id                     slug (log, audit, metric)   http  OAuth error           what the client may read */
#define GH_REASONS(X) \
    X(OK,                    "ok",                       200,  NULL,                 NULL) \
    /* ---- the message: HTTP */ \
    X(HTTP_MALFORMED,        "http_malformed",           400,  NULL,                 "The request is malformed") \
    X(HTTP_VERSION,          "http_version",             505,  NULL,                 "HTTP/1.1 or HTTP/2 is needed") \
    X(HTTP_METHOD_UNKNOWN,   "http_method_unknown",      501,  NULL,                 "The method is not known here") \
    X(HTTP_METHOD_REFUSED,   "http_method_refused",      405,  NULL,                 "The method is not allowed here") \
    X(HTTP_TARGET_LONG,      "http_target_long",         414,  NULL,                 "The request target is too long") \
    X(HTTP_HEAD_LARGE,       "http_head_large",          431,  NULL,                 "The header is too large") \
    X(HTTP_FIELDS_MANY,      "http_fields_many",         431,  NULL,                 "Too many header fields") \
    X(HTTP_EXTENSIONS_LARGE, "http_extensions_large",    400,  NULL,                 "The chunk extensions are too large") \
    X(HTTP_BODY_LARGE,       "http_body_large",          413,  NULL,                 "The body is too large") \
    X(HTTP_ENCODING,         "http_encoding",            415,  NULL,                 "Content codings are not accepted") \
    X(HTTP_MEDIA_TYPE,       "http_media_type",          415,  NULL,                 "The media type is not accepted") \
    X(HTTP_EXPECT,           "http_expect",              417,  NULL,                 "The expectation is not met") \
    X(HTTP_UPGRADE,          "http_upgrade",             400,  NULL,                 "Protocol upgrades are not offered") \
    X(HTTP_PATH,             "http_path",                400,  NULL,                 "The path is not in its one canonical form") \
    X(HTTP_HOST,             "http_host",                400,  NULL,                 "The Host is malformed") \
    X(HTTP_HOST_UNKNOWN,     "http_host_unknown",        421,  NULL,                 "This host is not served here") \
    X(HTTP_MISDIRECTED,      "http_misdirected",         421,  NULL,                 "This host is served on another connection") \
    X(HTTP_ORIGIN,           "http_origin",              403,  NULL,                 "The Origin is not allowed") \
    X(HTTP_TIMEOUT_HEAD,     "http_timeout_head",        408,  NULL,                 "The header took too long") \
    X(HTTP_TIMEOUT_BODY,     "http_timeout_body",        408,  NULL,                 "The body took too long") \
    X(HTTP_TIMEOUT_TAKE,     "http_timeout_take",        408,  NULL,                 "The answer was not taken in time") \
    X(H2_PROTOCOL,           "h2_protocol",              400,  NULL,                 "The HTTP/2 framing is malformed") \
    X(H2_RESETS,             "h2_resets",                429,  NULL,                 "Too many streams were reset") \
    X(H2_GLITCHES,           "h2_glitches",              429,  NULL,                 "Too many protocol oddities") \
    X(CONNECTIONS_MANY,      "connections_many",         429,  NULL,                 "Too many connections") \
    X(RPC_JSON,              "rpc_json",                 400,  NULL,                 "The body is no JSON text in UTF-8") \
    X(RPC_DUPLICATE,         "rpc_duplicate",            400,  NULL,                 "A member stands there twice, or has a twin but for letter case") \
    X(RPC_LIMITS,            "rpc_limits",               400,  NULL,                 "The message is too deep, too wide, or has too long a text") \
    X(RPC_MESSAGE,           "rpc_message",              400,  NULL,                 "The body is no JSON-RPC message") \
    X(RPC_HEADERS,           "rpc_headers",              400,  NULL,                 "Header and body name different things") \
    X(RPC_DENIED,            "rpc_denied",               403,  NULL,                 "This call is not allowed") \
    X(RATE_LIMITED,          "rate_limited",             429,  NULL,                 "Too many requests") \
    X(STREAMS_MANY,          "streams_many",             429,  NULL,                 "Too many event streams are open") \
    X(CLIENT_GONE,           "client_gone",              499,  NULL,                 NULL) \
    X(PLAINTEXT_REFUSED,     "plaintext_refused",        400,  NULL,                 "TLS is needed") \
    X(PROXY_HEADER,          "proxy_header",             400,  NULL,                 "The PROXY header is malformed") \
    X(TLS_FAILED,            "tls_failed",               400,  NULL,                 NULL) \
    X(TLS_TIMEOUT,           "tls_timeout",              408,  NULL,                 NULL) \
    /* ---- where it goes */ \
    X(ROUTE_UNKNOWN,         "route_unknown",            404,  NULL,                 "There is nothing here") \
    X(WELLKNOWN,             "wellknown",                200,  NULL,                 NULL) \
    X(WELLKNOWN_UNKNOWN,     "wellknown_unknown",        404,  "not_found",          "There is no such document") \
    X(PREFLIGHT,             "preflight",                204,  NULL,                 NULL) \
    /* ---- the credential */ \
    X(TOKEN_MISSING,         "token_missing",            401,  NULL,                 "Authorization required") \
    X(AUTHORIZATION_MANY,    "authorization_many",       400,  "invalid_request",    "More than one credential was sent") \
    X(AUTHORIZATION_MALFORMED, "authorization_malformed", 400, "invalid_request",    "The Authorization header is malformed") \
    X(AUTHORIZATION_SCHEME,  "authorization_scheme",     401,  NULL,                 "Authorization required") \
    X(TOKEN_IN_QUERY,        "token_in_query",           400,  "invalid_request",    "Tokens in the URL are not accepted") \
    X(TOKEN_LARGE,           "token_large",              431,  "invalid_token",      "The access token is too long") \
    X(TOKEN_MALFORMED,       "token_malformed",          401,  "invalid_token",      "The access token is malformed") \
    X(TOKEN_ENCRYPTED,       "token_encrypted",          401,  "invalid_token",      "Encrypted tokens are not accepted") \
    X(TOKEN_OPAQUE,          "token_opaque",             401,  "invalid_token",      "Opaque tokens are not accepted here") \
    X(TOKEN_ISSUER,          "token_issuer",             401,  "invalid_token",      "The token's issuer is not trusted here") \
    X(TOKEN_ALGORITHM,       "token_algorithm",          401,  "invalid_token",      "The token's algorithm is not accepted") \
    X(TOKEN_CRITICAL,        "token_critical",           401,  "invalid_token",      "The token demands an unknown extension") \
    X(TOKEN_TYPE,            "token_type",               401,  "invalid_token",      "This is not an access token") \
    X(TOKEN_KEY_UNKNOWN,     "token_key_unknown",        401,  "invalid_token",      "The token's key is not known") \
    X(TOKEN_SIGNATURE,       "token_signature",          401,  "invalid_token",      "The token's signature is not valid") \
    X(TOKEN_EXPIRED,         "token_expired",            401,  "invalid_token",      "The access token expired") \
    X(TOKEN_NOT_YET,         "token_not_yet",            401,  "invalid_token",      "The access token is not valid yet") \
    X(TOKEN_TIME,            "token_time",               401,  "invalid_token",      "The token's times are malformed") \
    X(TOKEN_LIFETIME,        "token_lifetime",           401,  "invalid_token",      "The access token lives too long") \
    X(TOKEN_KIND,            "token_kind",               401,  "invalid_token",      "This is not an access token") \
    X(TOKEN_AUDIENCE,        "token_audience",           401,  "invalid_token",      "The token is for another resource") \
    X(TOKEN_TENANT,          "token_tenant",             401,  "invalid_token",      "The token is for another tenant") \
    X(TOKEN_BOUND,           "token_bound",              401,  "invalid_token",      "The token is bound to a proof that is not accepted here") \
    X(TOKEN_SUBJECT,         "token_subject",            401,  "invalid_token",      "The token names nobody") \
    X(TOKEN_CLAIMS,          "token_claims",             401,  "invalid_token",      "The token's claims are malformed") \
    X(TOKEN_ACTOR,           "token_actor",              401,  "invalid_token",      "The token's actor chain is malformed") \
    X(TOKEN_INACTIVE,        "token_inactive",           401,  "invalid_token",      "The access token is not active") \
    X(TOKEN_REVOKED,         "token_revoked",            401,  "invalid_token",      "The access token was revoked") \
    X(ASSERTION_MISSING,     "assertion_missing",        401,  NULL,                 "Authorization required") \
    X(VERIFY_BUDGET,         "verify_budget",            429,  NULL,                 "Too many bad tokens came from here") \
    X(SCOPE_MISSING,         "scope_missing",            403,  "insufficient_scope", "More scope is needed") \
    X(SESSION_UNKNOWN,       "session_unknown",          404,  NULL,                 "The session is not known: start a new one") \
    /* ---- what we lean on */ \
    X(KEYS_UNAVAILABLE,      "keys_unavailable",         503,  NULL,                 "Try again later") \
    X(KEYS_MALFORMED,        "keys_malformed",           503,  NULL,                 "Try again later") \
    X(METADATA_MALFORMED,    "metadata_malformed",       503,  NULL,                 "Try again later") \
    X(METADATA_ISSUER,       "metadata_issuer",          503,  NULL,                 "Try again later") \
    X(INTROSPECTION_DOWN,    "introspection_down",       503,  NULL,                 "Try again later") \
    X(FETCH_FAILED,          "fetch_failed",             503,  NULL,                 "Try again later") \
    X(FETCH_REFUSED,         "fetch_refused",            503,  NULL,                 "Try again later") \
    X(STORE_DOWN,            "store_down",               503,  NULL,                 "Try again later") \
    X(STORE_CONFLICT,        "store_conflict",           503,  NULL,                 "Try again later") \
    X(STORE_MALFORMED,       "store_malformed",          503,  NULL,                 "Try again later") \
    X(OVERLOADED,            "overloaded",               503,  NULL,                 "Try again later") \
    X(SHUTTING_DOWN,         "shutting_down",            503,  NULL,                 "Try again later") \
    X(OUT_OF_MEMORY,         "out_of_memory",            503,  NULL,                 "Try again later") \
    X(INTERNAL,              "internal",                 500,  NULL,                 "Something went wrong here") \
    /* ---- the upstream */ \
    X(UPSTREAM_UNREACHABLE,  "upstream_unreachable",     502,  NULL,                 "The server behind could not be reached") \
    X(UPSTREAM_TLS,          "upstream_tls",             502,  NULL,                 "The server behind could not be trusted") \
    X(UPSTREAM_TIMEOUT,      "upstream_timeout",         504,  NULL,                 "The server behind took too long") \
    X(UPSTREAM_MALFORMED,    "upstream_malformed",       502,  NULL,                 "The server behind answered unreadably") \
    X(UPSTREAM_HEAD_LARGE,   "upstream_head_large",      502,  NULL,                 "The server behind sent too large a header") \
    X(UPSTREAM_INTERIM_MANY, "upstream_interim_many",    502,  NULL,                 "The server behind sent too many interim answers") \
    X(UPSTREAM_ABORTED,      "upstream_aborted",         502,  NULL,                 "The server behind broke off") \
    X(UPSTREAM_UNAUTHORIZED, "upstream_unauthorized",    502,  NULL,                 "The server behind refused the gateway") \
    X(UPSTREAM_REDIRECT,     "upstream_redirect",        502,  NULL,                 "The server behind redirected elsewhere") \
    X(UPSTREAM_ENDPOINT,     "upstream_endpoint",        502,  NULL,                 "The server behind named no endpoint of its own") \
    X(UPSTREAM_BUSY,         "upstream_busy",            503,  NULL,                 "The server behind is busy") \
    X(LIST_UNREADABLE,       "list_unreadable",          502,  NULL,                 "A list of the server behind could not be shown") \
    /* ---- the managed issuer: OAuth requests */ \
    X(FORM_MALFORMED,        "form_malformed",            400,  "invalid_request",     "The form is malformed") \
    X(PARAMETER_REPEATED,    "parameter_repeated",        400,  "invalid_request",     "A parameter was sent more than once") \
    X(PARAMETER_MISSING,     "parameter_missing",         400,  "invalid_request",     "A parameter is missing") \
    X(RESPONSE_TYPE,         "response_type",             400,  "unsupported_response_type", "Only the response type code is supported") \
    X(REQUEST_OBJECT,        "request_object",            400,  "request_not_supported", "Request objects are not supported") \
    X(REFRESH_STEP_UP,       "refresh_step_up",           400,  "invalid_grant",       "The grant is not valid") \
    X(REQUEST_URI_UNKNOWN,   "request_uri_unknown",       400,  "invalid_request_uri", "The request URI is unknown, expired or used") \
    X(PUSH_REQUIRED,         "push_required",             400,  "invalid_request",     "Authorization requests must be pushed first") \
    X(PROMPT,                "prompt",                    400,  "invalid_request",     "The prompt is contradictory") \
    X(PKCE_MISSING,          "pkce_missing",              400,  "invalid_request",     "PKCE with S256 is needed") \
    X(PKCE_MISMATCH,         "pkce_mismatch",             400,  "invalid_grant",       "The grant is not valid") \
    X(CLIENT_UNKNOWN,        "client_unknown",            401,  "invalid_client",      "The client is not known here") \
    X(CLIENT_UNAUTHENTICATED, "client_unauthenticated",   401,  "invalid_client",      "The client did not authenticate") \
    X(CLIENT_DOCUMENT_REFUSED, "client_document_refused",  400,  "invalid_client",      "The client's metadata document is not acceptable") \
    X(REDIRECT_UNKNOWN,      "redirect_unknown",          400,  "invalid_request",     "The redirect URI is not registered for this client") \
    X(REDIRECT_REFUSED,      "redirect_refused",          400,  "invalid_redirect_uri", "No redirect URI is acceptable") \
    X(REGISTRATION_REFUSED,  "registration_refused",      400,  "invalid_client_metadata", "The client metadata is malformed") \
    X(RESOURCE_UNKNOWN,      "resource_unknown",          400,  "invalid_target",      "The resource is not served by this issuer") \
    X(SCOPE_NONE,            "scope_none",                400,  "invalid_scope",       "None of the scopes can be granted") \
    X(SCOPE_MALFORMED,       "scope_malformed",           400,  "invalid_scope",       "The scope is malformed") \
    X(SCOPE_WIDENED,         "scope_widened",             400,  "invalid_scope",       "A refresh cannot widen the scope") \
    X(GRANT_UNSUPPORTED,     "grant_unsupported",         400,  "unsupported_grant_type", "The grant type is not supported") \
    X(GRANT_UNAUTHORIZED,    "grant_unauthorized",        400,  "unauthorized_client", "The client may not use this grant") \
    X(GRANT_INVALID,         "grant_invalid",             400,  "invalid_grant",       "The grant is not valid") \
    X(CODE_REPLAYED,         "code_replayed",             400,  "invalid_grant",       "The grant is not valid") \
    X(REFRESH_REUSED,        "refresh_reused",            400,  "invalid_grant",       "The grant is not valid") \
    /* ---- the managed issuer: people */ \
    X(LOGIN_REQUIRED,        "login_required",            400,  "login_required",      "The user has to sign in") \
    X(CONSENT_REQUIRED,      "consent_required",          400,  "consent_required",    "The user has to agree") \
    X(ACCESS_DENIED,         "access_denied",             403,  "access_denied",       "The user denied the request") \
    X(TRANSACTION_UNKNOWN,   "transaction_unknown",       400,  NULL,                  "The sign-in is over") \
    X(CSRF,                  "csrf",                      403,  NULL,                  "The form is not one of ours") \
    X(LOGIN_FAILED,          "login_failed",              403,  NULL,                  "Name or password are wrong") \
    X(LOGIN_THROTTLED,       "login_throttled",           429,  NULL,                  "Too many tries to sign in") \
    X(CLIENT_THROTTLED,      "client_throttled",          429,  "slow_down",           "Too many requests of this client") \
    X(LOGIN_STATE,             "login_state",               400,  NULL,                  "This sign-in is over") \
    X(LOGIN_BROWSER,           "login_browser",             400,  NULL,                  "This sign-in was begun in another browser") \
    X(LOGIN_ISSUER,            "login_issuer",              400,  NULL,                  "The answer comes from another provider") \
    X(LOGIN_REFUSED,           "login_refused",             403,  NULL,                  "The provider did not sign the user in") \
    X(LOGIN_PROVIDER,          "login_provider",            503,  NULL,                  "The provider cannot be reached") \
    X(LOGIN_CODE,              "login_code",                502,  NULL,                  "The provider did not accept the code") \
    X(LOGIN_TOKEN,             "login_token",               502,  NULL,                  "The provider's ID token is malformed") \
    X(LOGIN_SIGNATURE,         "login_signature",           502,  NULL,                  "The provider's ID token is not signed by it") \
    X(LOGIN_AUDIENCE,          "login_audience",            502,  NULL,                  "The provider's ID token is for another application") \
    X(LOGIN_TIME,              "login_time",                502,  NULL,                  "The provider's ID token is too old or too new") \
    X(LOGIN_NONCE,             "login_nonce",               502,  NULL,                  "The provider's ID token answers another sign-in") \
    X(LOGIN_HASH,              "login_hash",                502,  NULL,                  "The provider's ID token came with another token") \
    X(LOGIN_USER,              "login_user",                403,  NULL,                  "This user may not sign in here") \
    X(REQUESTS_THROTTLED,    "requests_throttled",        429,  "slow_down",           "Too many requests from this address") \
    X(SETUP_UNKNOWN,         "setup_unknown",             404,  NULL,                  "The link cannot be used any more") \
    X(LINK_UNKNOWN,          "link_unknown",              404,  NULL,                  "The link cannot be used any more") \
    X(PASSWORD_REFUSED,      "password_refused",          400,  NULL,                  "The password cannot be used") \
    /* ---- what issuers say over the back channel */ \
    X(EVENT_MALFORMED,       "event_malformed",          400,  "invalid_request",    "The security event token is malformed") \
    X(EVENT_ISSUER,          "event_issuer",             400,  "invalid_issuer",     "The security event token is from another issuer") \
    X(EVENT_KEY,             "event_key",                400,  "invalid_key",        "The security event token's signature is not valid") \
    X(EVENT_AUDIENCE,        "event_audience",           400,  "invalid_audience",   "The security event token is for somebody else") \
    X(EVENT_TIME,            "event_time",               400,  "invalid_request",    "The security event token is too old or too new") \
    X(EVENT_SUBJECT,         "event_subject",            400,  "invalid_request",    "The security event token names nobody who is known here") \
    /* ---- settings, policy changes */ \
    X(SETTINGS_INVALID,      "settings_invalid",         500,  NULL,                 NULL) \
    X(POLICY_CHANGED,        "policy_changed",           503,  NULL,                 "Try again later") \
    /* ---- the admin listener */ \
    X(ADMIN,                 "admin",                    200,  NULL,                 NULL) \
    X(ADMIN_UNAUTHORIZED,    "admin_unauthorized",       401,  NULL,                 "The admin token is needed") \
    X(ADMIN_STRANGER,        "admin_stranger",           403,  NULL,                 "The admin socket is for its own user") \
    X(ADMIN_MALFORMED,       "admin_malformed",          400,  NULL,                 "The admin request is malformed") \
    X(ADMIN_UNKNOWN,         "admin_unknown",            404,  NULL,                 "What the admin request names is not there") \
    X(ADMIN_CONFLICT,        "admin_conflict",           409,  NULL,                 "What the admin request names is in another state") \
    X(NOT_READY,             "not_ready",                503,  NULL,                 "Not ready")
/* clang-format on */

enum gh_reason {
#define GH_REASON_ID(id, slug, status, error, text) GH_##id,
    GH_REASONS(GH_REASON_ID)
#undef GH_REASON_ID
        GH_REASON_COUNT
};

struct gh_reason_row {
    const char *slug;  /* log, audit, metric label: [a-z0-9_] */
    int status;        /* HTTP status of the answer when the gateway itself answers */
    const char *error; /* OAuth error code, or NULL */
    const char *text;  /* what the client may read, or NULL */
};

/* Never NULL; an id out of range gives the row of GH_INTERNAL. */
const struct gh_reason_row *gh_reason_row(enum gh_reason reason);
/* GH_REASON_COUNT when no row has that slug. */
enum gh_reason gh_reason_from_slug(gh_str slug);

#endif
