/* conf/schema_managed.c: the rows of a managed issuer: one section inside an issuer makes it ours. */
/* size: table - the rows of the sections, which must stand together */
#include "conf/settings.h"

#define AT(field)     offsetof(struct gh_settings_managed, field)
#define CLIENT(field) offsetof(struct gh_settings_client, field)

static const struct gh_choice client_auths[] = { { "public", GH_CLIENT_AUTH_NONE },
                                                 { "client_secret_basic", GH_CLIENT_AUTH_BASIC },
                                                 { "client_secret_post", GH_CLIENT_AUTH_POST },
                                                 { "private_key_jwt", GH_CLIENT_AUTH_KEY },
                                                 { NULL, 0 } };
static const struct gh_row client_rows[] = {
    { "name", GH_ROW_TEXT, CLIENT(display_name), .unset = "its id", .doc = "What people are shown." },
    { "auth", GH_ROW_CHOICE, CLIENT(auth), .choices = client_auths, .fallback = "public",
      .doc = "How it authenticates at the token endpoint; `public` has no secret, and PKCE alone." },
    { "secret_file", GH_ROW_FILE, CLIENT(secret_file), GH_ROW_SECRET, .unset = "no secret",
      .doc = "File with its secret, at least 16 characters; a second line is a second secret, so that one "
             "can be "
             "replaced." },
    { "jwks_file", GH_ROW_FILE, CLIENT(jwks_file), .unset = "no keys",
      .doc = "Its public keys as a JWK set, for `private_key_jwt`." },
    { "redirect_uris", GH_ROW_TEXTS, CLIENT(redirect_uris), .max = 20, .unset = "none: no sign-in of users",
      .doc =
          "Where users are sent back to, byte for byte; only the port of a loopback redirect may differ." },
    { "client_credentials", GH_ROW_BOOL, CLIENT(credentials), .fallback = "false",
      .doc = "May it get tokens for itself, without a user?" },
    { "scopes", GH_ROW_SCOPES, CLIENT(scopes), .max = 64, .unset = "what the resource has",
      .doc = "At most these." },
    { "resources", GH_ROW_URLS, CLIENT(resources), .max = 64, .unset = "all of the issuer",
      .doc = "At these alone. A resource server that introspects tokens names its own here." },
    { "consent", GH_ROW_BOOL, CLIENT(consent), .fallback = "true",
      .doc = "Are users asked? `false` is for applications of your own." },
    { .key = NULL }
};
static const struct gh_section client_section = {
    .title = "issuers.NAME.managed.clients.CLIENT_ID",
    .doc = "A client that is registered here. Others register themselves, or bring a metadata document.",
    .rows = client_rows,
    .size = sizeof(struct gh_settings_client),
};

#define LIMIT(name, field, value, most, text)                                                                \
    {                                                                                                        \
        name, GH_ROW_INT, AT(limits.field), .fallback = value, .min = 1, .max = most, .doc = text            \
    }
static const struct gh_row limit_rows[] = {
    LIMIT("authorize_per_minute", authorize, "60", 1000000,
          "Authorization requests of one client from one address, at each gateway."),
    LIMIT("token_per_minute", token, "120", 1000000,
          "Token requests of one client, at each gateway; of a client that has no secret, from one address. "
          "As many "
          "revocations."),
    LIMIT("push_per_minute", push, "60", 1000000, "Pushed authorization requests, counted alike."),
    LIMIT("introspections_per_minute", introspect, "6000", 1000000,
          "Questions of one client about tokens, at each gateway."),
    LIMIT("client_failures_per_minute", client_failures, "60", 1000000,
          "Requests from one address, at each gateway, that did not prove to be the client that they name, "
          "or name "
          "one that nobody knows. A client that proves itself is not held up by those of others."),
    LIMIT("registrations_per_hour", registrations, "10", 1000000, "Registrations from one address."),
    LIMIT("all_registrations_per_hour", registrations_all, "1000", 1000000,
          "Registrations from all addresses together, at each gateway."),
    LIMIT(
        "login_failures_per_minute", login_failures, "10", 1000000,
        "Wrong passwords from one address, all accounts together; one that is being compared counts until it "
        "is right."),
    LIMIT("pending_per_address", pending, "100", 1000000,
          "Sign-ins that one address begins in ten minutes, as long as nobody is signed in; as many pushed "
          "requests of clients that have no secret."),
    LIMIT("pending", pending_all, "10000", 10000000, "The same of all addresses together, at each gateway."),
    { .key = NULL }
};
static const struct gh_section limit_section = {
    .title = "issuers.NAME.managed.limits",
    .doc =
        "Beyond these the answer is 429 with `Retry-After` (for bounds of all addresses together: 503), and "
        "one line in the audit log for each window. An IPv6 client counts as its /64. Addresses in "
        "`shared_sources` have none of the bounds by address.",
    .rows = limit_rows,
};

static const struct gh_choice registrations[] = { { "off", GH_REGISTRATION_OFF },
                                                  { "on", GH_REGISTRATION_ON },
                                                  { NULL, 0 } };
static const struct gh_choice accounts[] = {
    { "auto", GH_ACCOUNTS_AUTO }, { "on", GH_ACCOUNTS_ON }, { "off", GH_ACCOUNTS_OFF }, { NULL, 0 }
};
static const struct gh_choice algs[] = {
    { "ES256", GH_ALG_ES256 }, { "EdDSA", GH_ALG_EDDSA }, { "RS256", GH_ALG_RS256 }, { NULL, 0 }
};
static const struct gh_choice keys_places[] = { { "folder", GH_KEYS_IN_FOLDER },
                                                { "store", GH_KEYS_IN_STORE },
                                                { NULL, 0 } };
static const struct gh_row managed_rows[] = {
    { "url", GH_ROW_URL, AT(url), GH_ROW_REQUIRED,
      .doc = "The issuer: an https URL without a slash at its end (http on loopback). It is in every token "
             "and in every "
             "client's registration: changing it makes all of them begin anew." },
    { "registration", GH_ROW_CHOICE, AT(registration), .choices = registrations, .fallback = "off",
      .doc = "Dynamic client registration (RFC 7591). Clients with a metadata document need none." },
    { "redirect_schemes", GH_ROW_TEXTS, AT(redirect_schemes), GH_ROW_LOWER, .max = 32, .unset = "none",
      .doc = "Private-use schemes without a dot that clients may be sent back to, such as `cursor`." },
    { "require_pushed_authorization_requests", GH_ROW_BOOL, AT(push_required), .fallback = "false",
      .doc = "Must clients hand in their authorization requests at `/oauth/par` (RFC 9126) before a browser "
             "brings them? Most MCP clients do not." },
    { "code", GH_ROW_SECONDS, AT(code_s), .fallback = "60s", .min = 10, .max = 600,
      .doc = "Life of an authorization code." },
    { "access_token", GH_ROW_SECONDS, AT(access_s), .fallback = "10m", .min = 60, .max = 3600,
      .doc = "Life of an access token." },
    { "refresh_idle", GH_ROW_SECONDS, AT(refresh_idle_s), .fallback = "14d", .min = 3600, .max = 31536000,
      .doc = "A refresh token that is not used for so long is over." },
    { "refresh_max", GH_ROW_SECONDS, AT(refresh_max_s), .fallback = "90d", .min = 3600, .max = 94608000,
      .doc = "After so long a user signs in again, however often the token was refreshed." },
    { "grace", GH_ROW_SECONDS, AT(grace_s), .fallback = "10s", .min = 0, .max = 60,
      .doc = "So long a replaced refresh token still brings its successor: programs that share a token store "
             "race." },
    { "signing", GH_ROW_CHOICE, AT(alg), .choices = algs, .fallback = "ES256",
      .doc = "Algorithm of new signing keys; old keys live on as long as their tokens." },
    { "keys_in", GH_ROW_CHOICE, AT(keys_in), .choices = keys_places, .fallback = "folder",
      .doc = "Where the private signing keys lie: in a folder, which all processes of the issuer share, or "
             "as one "
             "row in `store`, sealed under `keys_encryption_file`, for gateways that share nothing else." },
    { "keys", GH_ROW_PATH, AT(keys), .unset = "needed, but with `keys_in: store`",
      .doc = "Folder of the private signing keys; made with mode 0700 when it is missing. With `keys_in: "
             "store`: "
             "the one whose keys are taken over when the store has none yet." },
    { "keys_encryption_file", GH_ROW_FILE, AT(kek_file), GH_ROW_SECRET, .unset = "not encrypted",
      .doc =
          "File with the key that the private keys are encrypted under, such as a systemd credential. With "
          "`keys_in: store` it is needed, has 32 bytes at least, and is the same at all gateways." },
    { "key_life", GH_ROW_SECONDS, AT(key_life_s), .fallback = "30d", .min = 3600, .max = 31536000,
      .doc = "So long a key signs." },
    { "key_lead", GH_ROW_SECONDS, AT(key_lead_s), .fallback = "24h", .min = 0, .max = 2592000,
      .doc = "So long a key is published before it signs." },
    { "password_cost", GH_ROW_INT, AT(password_cost), .fallback = "16", .min = 10, .max = 18,
      .doc = "What it takes to look at one password: 2^n KiB of memory for a moment (scrypt, r=8). Below 14 "
             "is for tests. A password is stored anew under a higher cost when its user signs in." },
    { "limits", GH_ROW_SECTION, 0, .section = &limit_section, .unset = "as below",
      .doc = "How often clients and addresses may ask." },
    { "login", GH_ROW_NAMED, AT(login), GH_ROW_SITE, .max = GH_ISSUER_LOGINS_MAX,
      .section = &gh_login_section, .unset = "none: people have passwords here",
      .doc =
          "Providers that people sign in at. They agree to an application first, and are sent there then." },
    { "accounts", GH_ROW_CHOICE, AT(accounts), .choices = accounts, .fallback = "auto",
      .doc = "May people have a password here? `auto`: where there is no `login`." },
    { "clients", GH_ROW_NAMED, AT(clients), GH_ROW_SITE, .max = 1024, .section = &client_section,
      .unset = "none", .doc = "Clients registered by you." },
    { .key = NULL }
};
const struct gh_section gh_managed_section = {
    .title = "issuers.NAME.managed",
    .doc = "An authorization server inside the gateway: the issuer is ours. No other key of the issuer is "
           "written beside "
           "it but `leeway`. It serves the one tenant that trusts it.",
    .rows = managed_rows,
};
