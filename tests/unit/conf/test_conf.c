/* test_conf.c: what sound settings become: values and defaults in every module's struct, the site, the flags.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "conf/tree.h"
#include "support/shared.h"
#include "support/sign.h"

#define assert_text(slice, text) assert_true(gh_str_eq((slice), gh_str_from(text)))

static const char sample[] =
    "workers: 2\n"
    "listen: [ { address: \"127.0.0.1:8080\" } ]\n"
    "admin: { address: \"127.0.0.1:9901\" }\n"
    "fetch: { allow_http_loopback: true, allow: [10.0.0.0/8] }\n"
    "audit: { file: audit.jsonl }\n"
    "assertion: { issuer: \"https://gw.example\", key_files: [next.pem, signing.pem] }\n"
    "issuers: { idp: { issuer: \"https://issuer.example\", jwks_file: jwks.json, algs: [RS256, EdDSA] } }\n"
    "tenants: { acme: { hosts: [\"127.0.0.1:8080\"], issuers: [idp], origins: [\"https://app.example\"] } }\n"
    "routes:\n"
    "  - { name: weather, tenant: acme, resource: \"http://127.0.0.1:8080/weather/mcp\",\n"
    "      upstream: \"http://127.0.0.1:3000/mcp\", scopes: [\"mcp:read\"],\n"
    "      identity_headers: { user: X-Gatehouse-User }, identity_assertion: { lifetime: 2m } }\n";

static char folder[] = "/tmp/gatehouse-conf-XXXXXX";
static const char *const files[] = { "jwks.json",       "tls.crt",     "tls.key",
                                     "internal-ca.pem", "crm-api-key", "sessions.key" };

/* "folder/name", good until the next call. */
static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool make_key(const char *name, const char *alg)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_signer *signer = gh_signer_new(alg);
    int fd = open(path_of(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    gh_str pem = gh_signer_pem(arena, signer);
    bool made = fd >= 0 && write(fd, pem.ptr, pem.len) == (ssize_t)pem.len && close(fd) == 0;
    gh_signer_free(signer);
    gh_arena_free(arena);
    return made;
}

/* A folder with the files that the sample and the examples name. */
static int set_up(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    for (size_t i = 0; i < GH_ARRAY_LEN(files); i++) {
        int fd = open(path_of(files[i]), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || close(fd) != 0)
            return -1;
    }
    return make_key("next.pem", "EdDSA") && make_key("signing.pem", "ES256") ? 0 : -1;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(files); i++)
        unlink(path_of(files[i]));
    unlink(path_of("next.pem"));
    unlink(path_of("signing.pem"));
    return rmdir(folder);
}

static struct gh_conf *load(const char *text)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    enum gh_reason reason =
        gh_conf_from_text(GH_STR("sample.yaml"), gh_str_from(text), gh_str_from(folder), &conf, &errors);
    if (reason != GH_OK)
        gh_conf_errors_print(&errors, stderr);
    assert_int_equal(reason, GH_OK);
    gh_conf_errors_done(&errors);
    return conf;
}

static void test_process_wide(void **state)
{
    struct gh_conf *conf = load(sample);
    assert_int_equal(conf->workers, 2);
    assert_int_equal(conf->offload_threads, 2);
    assert_int_equal(conf->front.listener_count, 1);
    assert_text(conf->front.listeners[0].address_text, "127.0.0.1:8080");
    assert_int_equal(gh_address_port(&conf->front.listeners[0].address), 8080);
    assert_int_equal(conf->front.listeners[0].pair_count, 0);
    assert_int_equal(conf->front.limits.head, 32 * 1024);
    assert_int_equal(conf->front.limits.head_ms, 10000);
    assert_int_equal(gh_address_port(&conf->admin.address), 9901);
    assert_true(conf->audit.on);
    assert_text(conf->audit.file, path_of("audit.jsonl"));
    assert_text(conf->log.file, "stderr");
    assert_int_equal(conf->log.level, GH_LOG_INFO);
    assert_true(conf->fetch.allow_http_loopback);
    assert_int_equal(conf->fetch.allow.count, 1);
    assert_int_equal(conf->fetch.timeout_ms, 3000);
    assert_int_equal(conf->sandbox, GH_SWITCH_ON);
    assert_int_equal(conf->user.len, 0);
    gh_conf_free(conf);
}

/* In their own folder they may have the mask of an ACL in the group's place; elsewhere, and for others,
 * never. */
static void test_credentials(void **state)
{
    static const char with[] =
        "sessions: { key_file: \"credential:key\" }\nassertion: { issuer: \"https://gw.example\","
        " key_files: \"credential:signing.pem\" }\n";
    char text[sizeof(sample) + sizeof(with)], outside[sizeof(sample) + 200];
    const char *rest = strstr(sample, "issuers:");
    (void)snprintf(text, sizeof(text), "%s%s", with, rest);
    (void)snprintf(outside, sizeof(outside), "sessions: { key_file: \"%s\" }\n%s", path_of("key"), rest);
    int fd = open(path_of("key"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && fchmod(fd, 0440) == 0 && close(fd) == 0);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    struct gh_conf *conf = load(text);
    assert_text(conf->session_key_file, path_of("key"));
    gh_conf_free(conf);
    struct gh_conf_errors errors;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    assert_int_equal(chmod(path_of("key"), 0444), 0);
    assert_int_equal(
        gh_conf_from_text(GH_STR("sample.yaml"), gh_str_from(text), gh_str_from(folder), &conf, &errors),
        GH_SETTINGS_INVALID);
    assert_int_equal(chmod(path_of("key"), 0440), 0);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_int_equal(
        gh_conf_from_text(GH_STR("sample.yaml"), gh_str_from(outside), gh_str_from(folder), &conf, &errors),
        GH_SETTINGS_INVALID);
    gh_conf_errors_done(&errors);
    assert_int_equal(unlink(path_of("key")), 0);
}

/* Every file that is named anywhere, whoever reads it: the sandbox leaves these folders open. */
static void test_files_are_listed(void **state)
{
    struct gh_conf *conf = load(sample);
    bool has_keys = false, has_audit = false, has_signing = false;
    size_t count = 0;
    for (const struct gh_conf_file *file = conf->files; file != NULL; file = file->next, count++) {
        has_keys = has_keys || (gh_str_ends(file->path, GH_STR("/jwks.json")) && !file->is_output);
        has_audit = has_audit || (gh_str_ends(file->path, GH_STR("/audit.jsonl")) && file->is_output);
        has_signing = has_signing || (gh_str_ends(file->path, GH_STR("/signing.pem")) && !file->is_output);
    }
    assert_int_equal(count, 4);
    assert_true(has_keys && has_audit && has_signing);
    gh_conf_free(conf);
}

static void test_site(void **state)
{
    struct gh_conf *conf = load(sample);
    const struct gh_site *site = conf->site;
    assert_int_equal(site->limits.max_token, 8192);
    assert_int_equal(site->issuer_count, 1);
    const struct gh_issuer_conf *issuer = &site->issuers[0].conf;
    assert_text(issuer->profile.name, "idp");
    assert_text(issuer->jwks_file, path_of("jwks.json"));
    assert_int_equal(issuer->profile.algs, GH_ALG_BIT(GH_ALG_RS256) | GH_ALG_BIT(GH_ALG_EDDSA));
    assert_true(gh_strs_has(issuer->profile.types, GH_STR("at+jwt")));
    assert_int_equal(issuer->max_age_s, 600);
    assert_true(issuer->advertise);
    const struct gh_route *route = &site->routes[0];
    assert_text(route->policy.route, "weather");
    assert_text(route->policy.metadata_url,
                "http://127.0.0.1:8080/.well-known/oauth-protected-resource/weather/mcp");
    assert_text(route->policy.authorization_servers.at[0], "https://issuer.example");
    assert_text(route->policy.binding.audiences.at[0], "http://127.0.0.1:8080/weather/mcp");
    assert_text(route->policy.origins.at[0], "http://127.0.0.1:8080");
    assert_text(route->policy.origins.at[1], "https://app.example");
    assert_text(route->policy.scopes_supported.at[0], "mcp:read");
    assert_text(route->identity.user, "x-gatehouse-user");
    assert_text(route->upstream_path, "/mcp");
    assert_int_equal(route->upstream_conf.endpoints[0].port, 3000);
    assert_int_equal(route->upstream_conf.http, GH_UPSTREAM_AUTO);
    assert_int_equal(route->upstream_conf.first_byte_ms, 60000);
    assert_int_equal(route->upstream_conf.credential_header.len, 0);
    assert_int_equal(route->body_max, 4 << 20);
    assert_int_equal(route->keepalive_ms, 15000);
    assert_false(route->is_edge);
    gh_conf_free(conf);
}

static void test_assertion(void **state)
{
    struct gh_conf *conf = load(sample);
    struct gh_site *site = conf->site;
    conf->site = NULL;
    gh_conf_free(conf); /* the site outlives it, with its keys */
    assert_text(site->assertion.issuer, "https://gw.example");
    assert_int_equal(site->assertion.key_count, 2);
    assert_int_equal(gh_signing_key_alg(site->assertion.keys[0]), GH_ALG_EDDSA);
    assert_int_equal(gh_signing_key_alg(site->assertion.keys[1]), GH_ALG_ES256);
    assert_true(gh_str_contains(site->assertion.key_set, gh_signing_key_kid(site->assertion.keys[1])));
    assert_int_equal(site->assertion.unreadable.len, 0);
    assert_text(site->routes[0].assertion.header, "x-gatehouse-assertion");
    assert_text(site->routes[0].assertion.audience, "http://127.0.0.1:3000");
    assert_int_equal(site->routes[0].assertion.lifetime_s, 120);
    gh_site_unref(site);
}

/* Without the sections nothing is signed, and no route sends anything. */
static void test_no_assertion(void **state)
{
    struct gh_conf *conf = load("issuers: { idp: { issuer: \"https://issuer.example\" } }\n"
                                "tenants: { a: { hosts: [a.example], issuers: [idp] } }\n"
                                "routes: [ { name: a, tenant: a, resource: \"https://a.example/mcp\",\n"
                                "            upstream: \"http://127.0.0.1:3000/mcp\" } ]\n");
    assert_null(conf->site->assertion.key_set.ptr);
    assert_int_equal(conf->site->routes[0].assertion.header.len, 0);
    gh_conf_free(conf);
}

/* The site is found by host and path, and outlives the rest. */
static void test_site_outlives(void **state)
{
    struct gh_conf *conf = load(sample);
    struct gh_site *site = conf->site;
    conf->site = NULL;
    gh_conf_free(conf);
    const struct gh_authority authority = { .host = GH_STR_INIT("127.0.0.1"), .port = 8080 };
    const struct gh_route *route = NULL;
    enum gh_site_what what = GH_SITE_METADATA;
    assert_int_equal(gh_site_find(site, &authority, GH_STR("/weather/mcp"), &route, &what), GH_OK);
    assert_text(route->policy.route, "weather");
    assert_int_equal(what, GH_SITE_ROUTE);
    gh_site_unref(site);
}

static void test_tenant_ids_narrow(void **state)
{
    struct gh_conf *conf = load("issuers: { w: { profile: workos-authkit, issuer: \"https://w.example\" } }\n"
                                "tenants:\n"
                                "  a: { hosts: [a.example], issuers: [w], tenant_ids: [org_a] }\n"
                                "  b: { hosts: [b.example], issuers: [w] }\n"
                                "routes:\n"
                                "  - { name: a, tenant: a, resource: \"https://a.example/mcp\",\n"
                                "      upstream: \"http://127.0.0.1:3000/mcp\" }\n"
                                "  - { name: b, tenant: b, resource: \"https://b.example/mcp\",\n"
                                "      upstream: \"http://127.0.0.1:3000/mcp\" }\n");
    const struct gh_issuer *narrow = conf->site->routes[0].issuers[0];
    const struct gh_issuer *wide = conf->site->routes[1].issuers[0];
    assert_int_equal(conf->site->issuer_count, 2);
    assert_text(narrow->conf.profile.tenant_ids.at[0], "org_a");
    assert_int_equal(wide->conf.profile.tenant_ids.count, 0);
    assert_true(gh_str_eq(narrow->conf.profile.name, wide->conf.profile.name));
    gh_conf_free(conf);
}

static void test_edge(void **state)
{
    struct gh_conf *conf =
        load("issuers: { cf: { profile: cloudflare-access, issuer: \"https://t.cloudflareaccess.com\" } }\n"
             "tenants: { t: { hosts: [t.example], issuers: [cf] } }\n"
             "routes: [ { name: r, tenant: t, resource: \"https://t.example/mcp\", audiences: [tag],\n"
             "            upstream: \"http://127.0.0.1:3000/mcp\" } ]\n");
    const struct gh_route *route = &conf->site->routes[0];
    assert_true(route->is_edge);
    assert_int_equal(route->policy.metadata_url.len, 0);
    assert_int_equal(route->policy.authorization_servers.count, 0);
    assert_text(route->issuers[0]->conf.token_header, "cf-access-jwt-assertion");
    assert_text(route->issuers[0]->conf.jwks_url, "https://t.cloudflareaccess.com/cdn-cgi/access/certs");
    assert_text(conf->front.listeners[0].address_text, "127.0.0.1:8080");
    gh_conf_free(conf);
}

/* ---- flags ---- */

static void test_flags(void **state)
{
    const struct gh_conf_flags flags = { .upstream = GH_STR_INIT("http://127.0.0.1:3000/mcp"),
                                         .issuer = GH_STR_INIT("http://127.0.0.1:9000") };
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    assert_int_equal(gh_conf_from_flags(&flags, &conf, &errors), GH_OK);
    assert_int_equal(errors.count, 0);
    assert_text(conf->site->routes[0].policy.resource_text, "http://127.0.0.1:8080/mcp");
    assert_text(conf->site->tenants[0].hosts.at[0], "127.0.0.1:8080");
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
}

static void test_flags_without_an_issuer(void **state)
{
    const struct gh_conf_flags flags = { .upstream = GH_STR_INIT("http://127.0.0.1:3000/mcp"),
                                         .state = GH_STR_INIT("/var/lib/it's") };
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    assert_int_equal(gh_conf_from_flags(&flags, &conf, &errors), GH_OK);
    assert_int_equal(errors.count, 0);
    const struct gh_managed *managed = &conf->issuer_site->issuers[0];
    assert_int_equal(conf->issuer_site->issuer_count, 1);
    assert_text(managed->policy.issuer, "http://127.0.0.1:8080");
    assert_text(managed->policy.resources[0].canonical, "http://127.0.0.1:8080/mcp");
    assert_int_equal(managed->registration, GH_REGISTRATION_ON);
    assert_text(managed->keys_folder, "/var/lib/it's/keys");
    assert_text(conf->store.url, "sqlite:/var/lib/it's/gatehouse.db");
    assert_text(conf->site->routes[0].policy.scopes.at[0], "mcp:read");
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
}

/* A flag cannot smuggle keys into the text. */
static void test_flags_are_quoted(void **state)
{
    const struct gh_conf_flags flags = { .upstream = GH_STR_INIT("http://127.0.0.1:3000/'\nworkers: 2"),
                                         .issuer = GH_STR_INIT("https://issuer.example") };
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    assert_int_equal(gh_conf_from_flags(&flags, &conf, &errors), GH_SETTINGS_INVALID);
    assert_int_equal(errors.error_count, 1);
    assert_text(errors.at[0].key_path, "routes[0].upstream");
    gh_conf_errors_done(&errors);
}

/* ---- files, sizes, memory ---- */

static void test_load(void **state)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    FILE *out = fopen(path_of("settings.yaml"), "we");
    assert_non_null(out);
    assert_true(fputs(sample, out) >= 0 && fclose(out) == 0);
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    enum gh_reason reason = gh_conf_load(gh_str_from(path_of("settings.yaml")), &conf, &errors);
    unlink(path_of("settings.yaml"));
    assert_int_equal(reason, GH_OK);
    assert_text(conf->audit.file, path_of("audit.jsonl"));
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
}

static void test_missing_file(void **state)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    assert_int_equal(gh_conf_load(GH_STR("/nonexistent/gatehouse.yaml"), &conf, &errors),
                     GH_SETTINGS_INVALID);
    assert_int_equal(errors.error_count, 1);
    assert_text(errors.at[0].found, "No such file or directory");
    gh_conf_errors_done(&errors);
}

static enum gh_reason read_tree(struct gh_conf_errors *errors, gh_str text)
{
    struct gh_arena *arena = gh_arena_new(0);
    const struct gh_node *root;
    assert_int_equal(gh_conf_errors_init(errors), GH_OK);
    enum gh_reason reason = gh_yaml_read(arena, GH_STR("t"), text, errors, &root);
    gh_arena_free(arena);
    return reason;
}

static void test_large_text(void **state)
{
    struct gh_conf_errors errors;
    size_t len = GH_YAML_SIZE_MAX;
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, '#', len + 1);
    memcpy(text, "a: 1\n", 5);
    assert_int_equal(read_tree(&errors, gh_str_of(text, len)), GH_OK);
    gh_conf_errors_done(&errors);
    assert_int_equal(read_tree(&errors, gh_str_of(text, len + 1)), GH_SETTINGS_INVALID);
    assert_text(errors.at[0].allowed, "at most 1 MiB");
    gh_conf_errors_done(&errors);
    free(text);
}

static void test_many_entries(void **state)
{
    struct gh_conf_errors errors;
    char text[2 * (GH_YAML_CHILD_MAX + 2) + 2];
    memset(text, 0, sizeof(text));
    text[0] = '[';
    for (size_t i = 0; i < GH_YAML_CHILD_MAX + 1; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    text[1 + 2 * GH_YAML_CHILD_MAX] = ']';
    assert_int_equal(read_tree(&errors, gh_str_of(text, 2 + 2 * GH_YAML_CHILD_MAX)), GH_OK);
    gh_conf_errors_done(&errors);
    memcpy(text + 1 + 2 * GH_YAML_CHILD_MAX, "1]", 2);
    assert_int_equal(read_tree(&errors, gh_str_of(text, 3 + 2 * GH_YAML_CHILD_MAX)), GH_SETTINGS_INVALID);
    assert_text(errors.at[0].allowed, "at most 4096");
    gh_conf_errors_done(&errors);
}

/* Errors beyond the bound are counted but not kept. */
static void test_many_errors(void **state)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    char text[GH_CONF_ERRORS_MAX * 2 * 8];
    size_t len = 0;
    for (unsigned i = 0; i < GH_CONF_ERRORS_MAX * 2; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "k%u: 1\n", i);
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    assert_int_equal(gh_conf_from_text(GH_STR("t"), gh_str_of(text, len), GH_STR(""), &conf, &errors),
                     GH_SETTINGS_INVALID);
    assert_int_equal(errors.count, GH_CONF_ERRORS_MAX);
    assert_int_equal(errors.error_count, GH_CONF_ERRORS_MAX * 2 + 3);
    assert_true(errors.truncated);
    gh_conf_errors_done(&errors);
}

/* Every allocation fails once: the answer is GH_OUT_OF_MEMORY, never half a conf and never a leak. */
static void test_out_of_memory(void **state)
{
    bool done = false;
    for (unsigned long n = 1; !done && n < 20000; n++) {
        struct gh_conf_errors errors;
        struct gh_conf *conf = NULL;
        assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
        gh_alloc_fail_at(n);
        enum gh_reason reason =
            gh_conf_from_text(GH_STR("t"), gh_str_from(sample), gh_str_from(folder), &conf, &errors);
        gh_alloc_fail_at(0);
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
        done = reason == GH_OK;
        gh_conf_free(conf);
        gh_conf_errors_done(&errors);
    }
    assert_true(done);
}

/* ---- the examples of config/ ---- */

static void check_example(const char *name, size_t routes)
{
    const char *tables = getenv("GH_TABLES");
    char path[4096];
    snprintf(path, sizeof(path), "%s/../../config/%s", tables != NULL ? tables : "tests/tables", name);
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    assert_int_equal(gh_conf_errors_init(&errors), GH_OK);
    enum gh_reason reason = gh_conf_from_text(gh_str_from(name), gh_file_read(arena, gh_str_from(path)),
                                              gh_str_from(folder), &conf, &errors);
    gh_conf_errors_print(&errors, stderr);
    assert_int_equal(reason, GH_OK);
    assert_int_equal(errors.count, 0);
    assert_int_equal(conf->site->route_count, routes);
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
    gh_arena_free(arena);
}

static void test_examples(void **state)
{
    check_example("sidecar.yaml", 1);
    check_example("edge.yaml", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_wide),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_files_are_listed),
        cmocka_unit_test(test_site),
        cmocka_unit_test(test_assertion),
        cmocka_unit_test(test_no_assertion),
        cmocka_unit_test(test_site_outlives),
        cmocka_unit_test(test_tenant_ids_narrow),
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_flags_without_an_issuer),
        cmocka_unit_test(test_flags_are_quoted),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_large_text),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
