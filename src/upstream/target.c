/* upstream/target.c: builds the immutable side of an upstream on the control thread: names, files, TLS. */
#include "upstream/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"

#define CREDENTIAL_MAX 16384
/* Calls remember the endpoints they tried in 64 bits. */
#define ENDPOINTS_MAX 64

static enum gh_reason check_conf(const struct gh_upstream_conf *conf, char **ret_why);
static enum gh_reason copy_conf(struct gh_upstream_target *target, const struct gh_upstream_conf *conf);
static enum gh_reason build_tls(struct gh_upstream_target *target, char **ret_why);
static enum gh_reason read_credential(struct gh_upstream_target *target, char **ret_why);
static enum gh_reason invalid(char **ret_why, const char *what, gh_str file, const char *why);

/* Addresses are looked up once, here. A refresh is a new target of the same settings, which reaches workers
 * by the swap of snapshots: links of the old one end with their calls, and no address list is ever changed
 * under a worker. */
enum gh_reason gh_upstream_target_new(const struct gh_upstream_conf *conf,
                                      struct gh_upstream_target **ret_target, char **ret_why)
{
    struct gh_upstream_target *target;
    enum gh_reason why = gh_upstream_target_read(conf, &target, ret_why);
    if (why != GH_OK)
        return why;
    for (size_t i = 0; i < target->conf.endpoint_count; i++) {
        struct gh_target_endpoint *endpoint = &target->endpoints[i];
        endpoint->address_count =
            gh_resolve_now(endpoint->host, target->conf.endpoints[i].port, endpoint->addresses);
    }
    *ret_target = target;
    return GH_OK;
}

enum gh_reason gh_upstream_target_read(const struct gh_upstream_conf *conf,
                                       struct gh_upstream_target **ret_target, char **ret_why)
{
    *ret_why = NULL;
    struct gh_upstream_target *target = gh_calloc(1, sizeof(*target));
    if (target == NULL)
        return GH_OUT_OF_MEMORY;
    target->refs = 1;
    enum gh_reason why = check_conf(conf, ret_why);
    if (why == GH_OK)
        why = copy_conf(target, conf);
    if (why == GH_OK)
        why = build_tls(target, ret_why);
    if (why == GH_OK)
        why = read_credential(target, ret_why);
    if (why != GH_OK) {
        gh_upstream_target_unref(target);
        return why;
    }
    *ret_target = target;
    return GH_OK;
}

static enum gh_reason check_conf(const struct gh_upstream_conf *conf, char **ret_why)
{
    if (conf->endpoint_count == 0 || conf->endpoint_count > ENDPOINTS_MAX)
        return invalid(ret_why, "is refused", GH_STR("the list of endpoints"), "1 to 64 are allowed");
    if (conf->max_connections < 1)
        return invalid(ret_why, "is refused", GH_STR("max_connections"), "at least 1 is needed");
    if (gh_str_is_empty(conf->credential_file) != gh_str_is_empty(conf->credential_header))
        return invalid(ret_why, "is refused", GH_STR("a credential"), "header and file go together");
    return GH_OK;
}

static bool dup_into(struct gh_arena *arena, gh_str *field)
{
    if (field->ptr == NULL)
        return true;
    *field = gh_arena_dup(arena, *field);
    return field->ptr != NULL;
}

static bool copy_url(struct gh_arena *arena, struct gh_url *url)
{
    return dup_into(arena, &url->scheme) && dup_into(arena, &url->authority.host) &&
           dup_into(arena, &url->authority_text) && dup_into(arena, &url->path) &&
           dup_into(arena, &url->query);
}

static enum gh_reason copy_conf(struct gh_upstream_target *target, const struct gh_upstream_conf *conf)
{
    struct gh_arena *arena = target->arena = gh_arena_new(0);
    if (arena == NULL)
        return GH_OUT_OF_MEMORY;
    struct gh_upstream_conf *copy = &target->conf;
    *copy = *conf;
    copy->endpoints = gh_arena_calloc(arena, conf->endpoint_count, sizeof(*copy->endpoints));
    target->endpoints = gh_arena_calloc(arena, conf->endpoint_count, sizeof(*target->endpoints));
    if (copy->endpoints == NULL || target->endpoints == NULL || !dup_into(arena, &copy->ca_file) ||
        !dup_into(arena, &copy->certificate_file) || !dup_into(arena, &copy->key_file) ||
        !dup_into(arena, &copy->credential_header) || !dup_into(arena, &copy->credential_file) ||
        !dup_into(arena, &copy->health_path))
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < conf->endpoint_count; i++) {
        struct gh_url *url = &copy->endpoints[i];
        *url = conf->endpoints[i];
        if (!copy_url(arena, url))
            return GH_OUT_OF_MEMORY;
        target->endpoints[i].secure = gh_str_eq(url->scheme, GH_STR("https"));
        target->endpoints[i].host = url->authority.host;
        target->endpoints[i].authority = url->authority_text;
    }
    return GH_OK;
}

static enum gh_reason build_tls(struct gh_upstream_target *target, char **ret_why)
{
    bool secure = false;
    for (size_t i = 0; i < target->conf.endpoint_count; i++)
        secure = secure || target->endpoints[i].secure;
    if (!secure)
        return GH_OK;
    struct gh_tls_client_conf conf = {
        .ca_file = target->conf.ca_file,
        .certificate_file = target->conf.certificate_file,
        .key_file = target->conf.key_file,
        .h2 = target->conf.http != GH_UPSTREAM_HTTP1,
    };
    return gh_tls_client_context(&conf, &target->tls, ret_why);
}

static enum gh_reason read_credential(struct gh_upstream_target *target, char **ret_why)
{
    gh_str file = target->conf.credential_file;
    if (gh_str_is_empty(file))
        return GH_OK;
    int fd = open(file.ptr, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return invalid(ret_why, "cannot be read", file, strerror(errno));
    struct stat st;
    char bytes[CREDENTIAL_MAX];
    bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    ssize_t len = is_file ? read(fd, bytes, sizeof(bytes)) : -1;
    close(fd);
    if (len < 0)
        return invalid(ret_why, "cannot be read", file, "not a readable regular file");
    enum gh_reason why = GH_OK;
    gh_str value = gh_str_of(bytes, (size_t)len);
    while (value.len != 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    value = gh_str_trim(value);
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
        why = invalid(ret_why, "is refused", file, "readable or writable by others");
    else if (len == CREDENTIAL_MAX || value.len == 0 || !gh_header_value_is_legal(value))
        why = invalid(ret_why, "is refused", file, "not one header value below 16 KiB");
    else if (!gh_secret_set(&target->credential, value))
        why = GH_OUT_OF_MEMORY;
    gh_wipe(bytes, sizeof(bytes));
    return why;
}

static enum gh_reason invalid(char **ret_why, const char *what, gh_str file, const char *why)
{
    if (asprintf(ret_why, "%.*s %s: %s", GH_STR_FMT(file), what, why) < 0)
        return GH_OUT_OF_MEMORY;
    return GH_SETTINGS_INVALID;
}

struct gh_upstream_target *gh_upstream_target_ref(struct gh_upstream_target *target)
{
    __atomic_add_fetch(&target->refs, 1, __ATOMIC_RELAXED);
    return target;
}

void gh_upstream_target_unref(struct gh_upstream_target *target)
{
    if (target == NULL || __atomic_sub_fetch(&target->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (target->tls != NULL)
        gh_tls_context_unref(target->tls);
    gh_secret_done(&target->credential);
    gh_arena_free(target->arena);
    free(target);
}
