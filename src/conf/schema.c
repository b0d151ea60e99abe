/* conf/schema.c: the rows of the process-wide settings: listeners, admin, logs, egress. */
/* size: table - the rows of the sections, which must stand together */
#include "conf/settings.h"

#define AT(type, field) offsetof(struct type, field)

static const struct gh_row offload_rows[] = {
    { "threads", GH_ROW_INT, AT(gh_conf, offload_threads), .fallback = "2", .min = 1, .max = 64,
      .doc = "Threads for signatures that would hold up a worker: costly ones (ES384, ES512), and those "
             "of clients whose tokens have failed too often." },
    { .key = NULL }
};
static const struct gh_section offload_section = { .title = "offload",
                                                   .doc = "Work that leaves the workers.",
                                                   .rows = offload_rows };

static const struct gh_row pair_rows[] = {
    { "certificate", GH_ROW_FILE, AT(gh_settings_pair, certificate), GH_ROW_REQUIRED,
      .doc = "PEM file with the certificate and its chain." },
    { "key", GH_ROW_FILE, AT(gh_settings_pair, key), GH_ROW_REQUIRED | GH_ROW_SECRET,
      .doc = "PEM file with the private key: RSA of at least 2048 bits, or P-256 and larger." },
    { .key = NULL }
};
static const struct gh_section pair_section = {
    .title = "listen[].tls.certificates[]",
    .doc = "One certificate with its key.",
    .rows = pair_rows,
    .size = sizeof(struct gh_settings_pair),
};

static const struct gh_row tls_rows[] = {
    { "certificate", GH_ROW_FILE, AT(gh_settings_listen, pair.certificate), .unset = "certificates",
      .doc = "PEM file with the one certificate and its chain." },
    { "key", GH_ROW_FILE, AT(gh_settings_listen, pair.key), GH_ROW_SECRET, .unset = "certificates",
      .doc = "PEM file with its private key." },
    { "certificates", GH_ROW_SECTIONS, AT(gh_settings_listen, pairs), .min = 1, .max = 256,
      .section = &pair_section, .unset = "certificate and key",
      .doc = "Several certificates; SNI chooses, the first serves names that fit none." },
    { .key = NULL }
};
static const struct gh_section tls_section = {
    .title = "listen[].tls",
    .doc = "TLS 1.3 and 1.2 with ECDHE and AEAD. Either `certificate` and `key`, or `certificates`.",
    .rows = tls_rows,
};

static const struct gh_row listen_rows[] = {
    { "address", GH_ROW_TEXT, AT(gh_settings_listen, address), GH_ROW_REQUIRED,
      .doc = "`127.0.0.1:8080`, `[::1]:8080` or `unix:/path`." },
    { "tls", GH_ROW_SECTION, 0, .section = &tls_section, .unset = "plain HTTP",
      .doc =
          "Certificates. Without them the listener speaks plain HTTP, which is allowed on loopback, on unix "
          "sockets, and behind `trusted_proxies`." },
    { "proxy_protocol", GH_ROW_BOOL, AT(gh_settings_listen, proxy_protocol), .fallback = "false",
      .doc =
          "Every connection begins with a PROXY protocol header, version 1 or 2; needs `trusted_proxies`." },
    { .key = NULL }
};
const struct gh_section gh_listen_section = {
    .title = "listen[]",
    .doc = "Where clients connect.",
    .rows = listen_rows,
    .size = sizeof(struct gh_settings_listen),
};

static const struct gh_row admin_rows[] = {
    { "address", GH_ROW_TEXT, AT(gh_admin_conf, address_text), GH_ROW_REQUIRED,
      .doc = "Where metrics, health and the admin interface are; never one of the public listeners." },
    { "token_file", GH_ROW_FILE, AT(gh_admin_conf, token_file), GH_ROW_SECRET, .unset = "no token is asked",
      .doc = "File with the token that `/admin/v1` asks for. Mandatory where the address is neither loopback "
             "nor "
             "a unix socket." },
    { .key = NULL }
};
static const struct gh_section admin_section = {
    .title = "admin", .doc = "The admin listener; off when the section is missing.", .rows = admin_rows
};

static const struct gh_choice log_levels[] = { { "debug", GH_LOG_DEBUG },
                                               { "info", GH_LOG_INFO },
                                               { "warn", GH_LOG_WARN },
                                               { "error", GH_LOG_ERROR },
                                               { NULL, 0 } };
static const struct gh_row log_rows[] = {
    { "level", GH_ROW_CHOICE, AT(gh_log_conf, level), .fallback = "info", .choices = log_levels,
      .doc = "The least level that is written." },
    { "file", GH_ROW_OUTPUT, AT(gh_log_conf, file), .fallback = "stderr",
      .doc = "Where the error log goes: one JSON object a line; reopened after rotation." },
    { "burst", GH_ROW_INT, AT(gh_log_conf, burst), .fallback = "50", .min = 1, .max = 1000000,
      .doc = "Lines of one kind (message and reason) that a thread writes at once. The rest are counted in a "
             "metric, and the next line of that kind says how many were left out." },
    { "per_s", GH_ROW_INT, AT(gh_log_conf, per_s), .fallback = "5", .min = 1, .max = 1000000,
      .doc = "Refilled a second." },
    { .key = NULL }
};
static const struct gh_section log_section = { .title = "log", .doc = "The error log.", .rows = log_rows };

static const struct gh_row audit_rows[] = {
    { "file", GH_ROW_OUTPUT, AT(gh_audit_conf, file), GH_ROW_OFF, .fallback = "stdout",
      .doc = "Where the audit log goes: one JSON object per exchange, allowed or denied." },
    { .key = NULL }
};
static const struct gh_section audit_section = { .title = "audit",
                                                 .doc = "The audit log.",
                                                 .rows = audit_rows };

static const struct gh_row cache_rows[] = {
    { "tokens", GH_ROW_INT, AT(gh_settings, limits.verdicts), .fallback = "16384", .min = 0, .max = 10000000,
      .doc = "Verdicts on tokens kept per worker, each until the token or its key ends." },
    { .key = NULL }
};
static const struct gh_section cache_section = { .title = "cache",
                                                 .doc = "What workers remember.",
                                                 .rows = cache_rows };

static const struct gh_row fetch_rows[] = {
    { "proxy", GH_ROW_URL, AT(gh_fetch_conf, proxy), .unset = "none; the environment is not read",
      .doc = "Egress proxy for metadata, key sets and introspection." },
    { "ca_file", GH_ROW_FILE, AT(gh_fetch_conf, ca_file), .unset = "the system's",
      .doc = "PEM file with the only certificate authorities that issuers are trusted by." },
    { "allow_http_loopback", GH_ROW_BOOL, AT(gh_fetch_conf, allow_http_loopback), .fallback = "false",
      .doc = "Allow `http://` issuers on loopback, for tests and demonstrations." },
    { "allow", GH_ROW_CIDRS, AT(gh_fetch_conf, allow), .max = 256, .unset = "none",
      .doc = "Special-use ranges (private networks) that issuers may live in all the same." },
    { "timeout", GH_ROW_MS, AT(gh_fetch_conf, timeout_ms), .fallback = "3s", .min = 100, .max = 30000,
      .doc = "One fetch in all." },
    { "max_body", GH_ROW_SIZE, AT(gh_fetch_conf, max_body), .fallback = "256KiB", .min = 1024, .max = 4 << 20,
      .doc = "The largest document that is read." },
    { .key = NULL }
};
static const struct gh_section fetch_section = { .title = "fetch",
                                                 .doc = "How the gateway reaches issuers.",
                                                 .rows = fetch_rows };

static const struct gh_row sessions_rows[] = {
    { "key_file", GH_ROW_FILE, AT(gh_settings, conf.session_key_file), GH_ROW_SECRET,
      .unset = "a random key: sessions end with the process",
      .doc = "File with 1 to 16 keys, one a line: 32 random bytes in hexadecimal or base64 (`openssl rand "
             "-hex 32`); "
             "blank lines and those that begin with `#` are passed over. The first key seals, all of them "
             "open." },
    { "tls_tickets", GH_ROW_BOOL, AT(gh_settings, conf.shares_tickets), .fallback = "false",
      .doc =
          "TLS session tickets under keys that follow from `key_file` and the half-day, so that gateways "
          "that "
          "share it resume each other's TLS sessions too. Whoever reads the file can then read recorded TLS "
          "1.2 connections that were resumed. Without, keys of tickets never leave the process." },
    { .key = NULL }
};
static const struct gh_section sessions_section = {
    .title = "sessions",
    .doc = "Legacy MCP sessions, and tickets of TLS. Clients get `Mcp-Session-Id` sealed to their tenant, "
           "issuer, user, client "
           "and route and "
           "naming the endpoint in `urls` that made the session; anybody else's is answered 404. Gateways "
           "that share the "
           "key file and write `urls` alike serve each other's sessions, and restarts lose none. To change "
           "keys without "
           "losing a session: add the new one as the last line everywhere and reload; put it first and "
           "reload; take the "
           "old one out when its sessions have ended. One key may seal 2^32 sessions.",
    .rows = sessions_rows,
};

static const struct gh_row assertion_rows[] = {
    { "issuer", GH_ROW_URL, AT(gh_settings_assertion, issuer), GH_ROW_REQUIRED,
      .doc =
          "`iss` of what is signed: a name of this gateway's own, never that of an issuer whose tokens are "
          "believed. Nothing is fetched from there." },
    { "key_files", GH_ROW_FILES, AT(gh_settings_assertion, key_files),
      GH_ROW_REQUIRED | GH_ROW_SECRET | GH_ROW_ONE, .min = 1, .max = 8,
      .doc =
          "PEM files, each with one private key, PKCS#8, not encrypted: P-256 or Ed25519. The first signs, "
          "all are published." },
    { .key = NULL }
};
static const struct gh_section assertion_section = {
    .title = "assertion",
    .doc = "Who signs the identity that routes with `identity_assertion` pass on (upstream-identity.md). The "
           "public keys are at `/assertion/jwks.json` of the admin listener, and `gatehouse key show` prints "
           "them.",
    .rows = assertion_rows,
};

static const struct gh_choice switches[] = { { "on", GH_SWITCH_ON }, { "off", GH_SWITCH_OFF }, { NULL, 0 } };

static const struct gh_row store_rows[] = {
    { "url", GH_ROW_TEXT, AT(gh_store_conf, url), GH_ROW_REQUIRED,
      .doc =
          "`sqlite:gatehouse.db` is a file, relative to the settings; `sqlite::memory:` forgets at the "
          "end. `redis://[user@]host[:port][/db]`, `redis+unix://[user@]/path[?db=N]`, and "
          "`redis+sentinel://[user@]host[:port],.../name[?db=N]`, which asks Sentinels for it, are a Redis "
          "server, for several gateways; `rediss` for `redis` is TLS." },
    { "password_file", GH_ROW_FILE, AT(gh_store_conf, password_file), GH_ROW_SECRET,
      .doc = "The password for Redis; read again whenever a connection is made." },
    { "sentinel_password_file", GH_ROW_FILE, AT(gh_store_conf, sentinel_password_file), GH_ROW_SECRET,
      .doc = "The password for the Sentinels, where they want one." },
    { "ca_file", GH_ROW_FILE, AT(gh_store_conf, ca_file), .unset = "the system's",
      .doc = "PEM file with the authorities of Redis and Sentinels; read once, at the start." },
    { "certificate", GH_ROW_FILE, AT(gh_store_conf, certificate_file), .unset = "none",
      .doc = "PEM file: our client certificate for them." },
    { "key", GH_ROW_FILE, AT(gh_store_conf, key_file), GH_ROW_SECRET, .unset = "none",
      .doc = "PEM file: its private key." },
    { "timeout", GH_ROW_MS, AT(gh_store_conf, timeout_ms), .fallback = "1s", .min = 50, .max = 30000,
      .doc = "How long Redis may take for a connection, and for an answer." },
    { "replicas", GH_ROW_INT, AT(gh_store_conf, replicas), .fallback = "0", .min = 0, .max = 16,
      .doc = "So many replicas of Redis must have a write before it is acknowledged." },
    { "replica_wait", GH_ROW_MS, AT(gh_store_conf, replica_wait_ms), .fallback = "100ms", .min = 10,
      .max = 10000, .doc = "How long the replicas are waited for; then 503." },
    { "queue", GH_ROW_INT, AT(gh_store_conf, queue_max), .fallback = "10000", .min = 16, .max = 1000000,
      .doc = "Calls that wait for the store; beyond them requests are answered 503." },
    { "busy", GH_ROW_MS, AT(gh_store_conf, busy_ms), .fallback = "1s", .min = 10, .max = 30000,
      .doc = "How long the lock of another process on the SQLite file is waited for." },
    { "sweep", GH_ROW_SECONDS, AT(gh_store_conf, sweep_s), .fallback = "5m", .min = 1, .max = 86400,
      .doc = "How often expired rows are deleted." },
    { "poll", GH_ROW_MS, AT(gh_store_conf, log_poll_ms), .fallback = "50ms", .min = 5, .max = 500,
      .doc = "How often revocations of other processes on the same store are looked for." },
    { .key = NULL }
};
static const struct gh_section store_section = {
    .title = "store",
    .doc = "Where a managed issuer keeps users, clients and grants, and where revocations are written down.",
    .rows = store_rows,
    .scalar_key = "url",
};

static const struct gh_choice forwarded_by[] = { { "x-forwarded", GH_FORWARDED_BY_X },
                                                 { "forwarded", GH_FORWARDED_BY_RFC7239 },
                                                 { NULL, 0 } };
static const struct gh_row root_rows[] = {
    { "workers", GH_ROW_INT, AT(gh_settings, conf.workers), .fallback = "0", .min = 0, .max = 256,
      .doc = "Worker threads; 0 is one per core." },
    { "user", GH_ROW_TEXT, AT(gh_settings, conf.user), .unset = "stay who started it",
      .doc =
          "User to become after the listeners are open and every file was read once; needs root. It has its "
          "primary group alone." },
    { "sandbox", GH_ROW_CHOICE, AT(gh_settings, conf.sandbox), .fallback = "on", .choices = switches,
      .doc = "Whether the process gives up what it does not need before it serves (docs/operations.md): "
             "capabilities, core dumps, system calls, files in folders that are not named here. `off` is for "
             "debuggers." },
    { "handover", GH_ROW_TEXT, AT(gh_settings, conf.handover), .unset = "off",
      .doc =
          "`unix:/path`: where a newly started `gatehouse serve` with these settings takes the listening "
          "sockets of the running one, which drains and ends when the new one is ready (docs/operations.md). "
          "Only root and the user it runs as may." },
    { "offload", GH_ROW_SECTION, AT(gh_settings, conf), .section = &offload_section,
      .doc = "Work that leaves the workers." },
    { "listen", GH_ROW_SECTIONS, AT(gh_settings, listen), .min = 1, .max = 64, .section = &gh_listen_section,
      .unset = "plain HTTP on `127.0.0.1:8080`", .doc = "Where clients connect." },
    { "trusted_proxies", GH_ROW_CIDRS, AT(gh_settings, conf.front.trusted_proxies), .max = 1024,
      .unset = "none",
      .doc = "Peers whose PROXY header and forwarding fields (`forwarded_by`) are believed, and who may come "
             "over "
             "plain HTTP." },
    { "forwarded_by", GH_ROW_CHOICE, AT(gh_settings, conf.front.forwarded_by), .fallback = "x-forwarded",
      .choices = forwarded_by,
      .doc = "The fields by which trusted proxies tell of the client: `x-forwarded` is X-Forwarded-For and "
             "X-Forwarded-Proto, `forwarded` is Forwarded (RFC 7239). The others may be the client's own "
             "words: they "
             "are not read." },
    { "shared_sources", GH_ROW_CIDRS, AT(gh_settings, conf.front.shared_sources), .max = 1024,
      .unset = "none",
      .doc = "Addresses that many users share (hosted MCP clients): exempt from limits per address." },
    { "admin", GH_ROW_SECTION, AT(gh_settings, conf.admin), .section = &admin_section, .unset = "off",
      .doc = "The admin listener." },
    { "log", GH_ROW_SECTION, AT(gh_settings, conf.log), .section = &log_section, .doc = "The error log." },
    { "audit", GH_ROW_SECTION, AT(gh_settings, conf.audit), .section = &audit_section,
      .doc = "The audit log." },
    { "cache", GH_ROW_SECTION, 0, .section = &cache_section, .doc = "What workers remember." },
    { "sessions", GH_ROW_SECTION, 0, .section = &sessions_section, .doc = "Legacy MCP sessions." },
    { "fetch", GH_ROW_SECTION, AT(gh_settings, conf.fetch), .section = &fetch_section,
      .doc = "How the gateway reaches issuers." },
    { "assertion", GH_ROW_SECTION, AT(gh_settings, assertion), .section = &assertion_section, .unset = "none",
      .doc = "Who signs the identity that is passed on." },
    { "store", GH_ROW_SECTION, AT(gh_settings, conf.store), .section = &store_section, .unset = "none",
      .doc = "State that outlives the process." },
    { "limits", GH_ROW_SECTION, 0, .section = &gh_limits_section,
      .doc = "Limits and timers of the public side." },
    { "issuers", GH_ROW_NAMED, AT(gh_settings, issuers), GH_ROW_REQUIRED | GH_ROW_SITE, .min = 1, .max = 1024,
      .section = &gh_issuer_section, .doc = "Whose tokens are believed." },
    { "tenants", GH_ROW_NAMED, AT(gh_settings, tenants), GH_ROW_REQUIRED | GH_ROW_SITE, .min = 1, .max = 4096,
      .section = &gh_tenant_section, .doc = "Who owns which public hosts and trusts which issuers." },
    { "routes", GH_ROW_SECTIONS, AT(gh_settings, routes), GH_ROW_REQUIRED | GH_ROW_SITE, .min = 1,
      .max = 4096, .section = &gh_route_section, .doc = "The protected MCP endpoints." },
    { .key = NULL }
};
const struct gh_section gh_settings_section = {
    .title = "the settings",
    .doc =
        "One YAML document. Paths of files are relative to it. Unknown and duplicate keys, anchors, aliases, "
        "merge keys and tags are refused.",
    .rows = root_rows,
    .size = sizeof(struct gh_settings),
};
