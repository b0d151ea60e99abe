/* upstream/fetch_rules.c: what may be fetched: which URLs, which addresses, under whose certificates. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "gatehouse/http.h"
#include "upstream/fetch_private.h"

#define CA_MAX_LEN ((size_t)4 * 1024 * 1024)

static bool copy_conf(struct fetch_rules *rules, const struct gh_fetch_conf *conf);
static bool read_authority(struct fetch_rules *rules);
static bool is_forbidden_literal(const struct fetch_rules *rules, const struct gh_url *url);

struct fetch_rules *gh_fetch_rules_new(const struct gh_fetch_conf *conf)
{
    struct fetch_rules *rules = gh_calloc(1, sizeof(*rules));
    if (rules == NULL)
        return NULL;
    rules->refs = 1;
    rules->arena = gh_arena_new(0);
    if (rules->arena == NULL || !copy_conf(rules, conf) || !read_authority(rules))
        goto fail;
    return rules;
fail:
    gh_fetch_rules_unref(rules);
    return NULL;
}

struct fetch_rules *gh_fetch_rules_ref(struct fetch_rules *rules)
{
    rules->refs++;
    return rules;
}

void gh_fetch_rules_unref(struct fetch_rules *rules)
{
    if (rules == NULL || --rules->refs > 0)
        return;
    if (rules->proxy != NULL)
        gh_wipe(rules->proxy, strlen(rules->proxy)); /* it may hold a password */
    gh_arena_free(rules->arena);
    free(rules);
}

static bool copy_conf(struct fetch_rules *rules, const struct gh_fetch_conf *conf)
{
    rules->conf = *conf;
    gh_str proxy = gh_arena_dup(rules->arena, conf->proxy);
    rules->conf.ca_file = gh_arena_dup(rules->arena, conf->ca_file);
    if (proxy.ptr == NULL || rules->conf.ca_file.ptr == NULL)
        return false;
    rules->proxy = (char *)(uintptr_t)proxy.ptr;
    rules->conf.proxy = proxy;
    struct gh_cidr *allow = gh_arena_calloc(rules->arena, conf->allow.count + 1, sizeof(*allow));
    if (allow == NULL)
        return false;
    for (size_t i = 0; i < conf->allow.count; i++)
        allow[i] = conf->allow.at[i];
    rules->conf.allow.at = allow;
    return true;
}

static bool no_authority(const struct fetch_rules *rules, const char *why)
{
    gh_log(GH_LOG_ERROR, "the CA file for fetches cannot be used", GH_FIELD("file", rules->conf.ca_file),
           GH_FIELD("why", gh_str_from(why)));
    return false;
}

/* Read now and kept: a fetch opens no file of the operator's, and the settings are refused, not the fetch. */
static bool read_authority(struct fetch_rules *rules)
{
    if (rules->conf.ca_file.len == 0)
        return true;
    FILE *file = fopen(rules->conf.ca_file.ptr, "rbe");
    if (file == NULL)
        return no_authority(rules, strerror(errno));
    char *bytes = gh_malloc(CA_MAX_LEN + 1);
    size_t len = bytes != NULL ? fread(bytes, 1, CA_MAX_LEN + 1, file) : 0;
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    gh_str text = gh_str_of(bytes, len);
    bool good = !failed && bytes != NULL && len <= CA_MAX_LEN &&
                gh_str_contains(text, GH_STR("-----BEGIN CERTIFICATE-----"));
    gh_str kept = good ? gh_arena_dup(rules->arena, text) : GH_STR_NONE;
    free(bytes);
    if (!good)
        return no_authority(rules, "it holds no PEM certificate, or is larger than 4 MiB");
    rules->authority =
        (struct curl_blob){ .data = (void *)(uintptr_t)kept.ptr, .len = kept.len, .flags = CURL_BLOB_NOCOPY };
    return kept.ptr != NULL;
}

const char *gh_fetch_rules_refuse_url(const struct fetch_rules *rules, gh_str text, bool *ret_plain)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_url url;
    *ret_plain = false;
    if (arena == NULL || gh_url_read(arena, text, &url) != GH_OK)
        return "it is no absolute http or https URL";
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return "it holds a NUL";
    *ret_plain = gh_str_eq(url.scheme, GH_STR("http"));
    if (*ret_plain && !rules->conf.allow_http_loopback)
        return "it is not https";
    if (!*ret_plain && rules->conf.proxy.len != 0 && is_forbidden_literal(rules, &url))
        return "its host is a special-use address";
    return NULL;
}

/* Through a proxy we see the proxy's address alone, and what the target's name means to the proxy cannot be
 * known: egress rules are then the proxy's business. Only what the URL itself says is checked here. */
static bool is_forbidden_literal(const struct fetch_rules *rules, const struct gh_url *url)
{
    gh_str host = url->authority.host;
    char text[GH_ADDRESS_TEXT + 8];
    struct gh_address address;
    bool v6 = gh_str_find(host, ':') < host.len;
    if (gh_str_eq(host, GH_STR("localhost")) || gh_str_ends(host, GH_STR(".localhost")))
        return !rules->conf.allow_http_loopback;
    if (host.len >= GH_ADDRESS_TEXT)
        return false;
    int len = snprintf(text, sizeof(text), v6 ? "[%.*s]:443" : "%.*s:443", GH_STR_FMT(host));
    return len > 0 && gh_address_read(gh_str_of(text, (size_t)len), &address) == GH_OK &&
           !gh_fetch_rules_allow(rules, false, &address);
}

/* threats.md K6 and A12: no name leads to a special-use address, unless the settings list it. */
bool gh_fetch_rules_allow(const struct fetch_rules *rules, bool plain, const struct gh_address *address)
{
    if (address->storage.ss_family != AF_INET && address->storage.ss_family != AF_INET6)
        return false;
    bool loopback = gh_address_is_loopback(address);
    if (plain)
        return loopback && rules->conf.allow_http_loopback;
    if (!gh_address_is_special(address) || gh_cidrs_have(rules->conf.allow, address))
        return true;
    return loopback && rules->conf.allow_http_loopback;
}
