/* conf/load.c: from a file or a text to the settings: tree, values, checks, site. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/build.h"

static enum gh_reason read_text(gh_str file, char **ret_text, size_t *ret_len, const char **ret_why);
static enum gh_reason fill_conf(struct gh_conf *conf, const struct gh_node *root, struct gh_teller *teller);

enum gh_reason gh_conf_load(gh_str file, struct gh_conf **ret_conf, struct gh_conf_errors *errors)
{
    char *text = NULL;
    size_t len = 0;
    const char *why = "";
    enum gh_reason reason = read_text(file, &text, &len, &why);
    if (reason == GH_OK) {
        size_t slash = gh_str_rfind(file, '/');
        gh_str base_dir = slash == file.len ? GH_STR("") : gh_str_take(file, slash == 0 ? 1 : slash);
        reason = gh_conf_from_text(file, gh_str_of(text, len), base_dir, ret_conf, errors);
    } else if (reason == GH_SETTINGS_INVALID) {
        struct gh_conf_error error = { .file = file,
                                       .found = gh_str_from(why),
                                       .allowed = GH_STR("a file of at most 1 MiB") };
        if (!gh_conf_errors_add(errors, &error))
            reason = GH_OUT_OF_MEMORY;
    }
    free(text);
    return reason;
}

/* One byte more than is allowed, so that the reader of YAML says that it is too large. */
static enum gh_reason read_text(gh_str file, char **ret_text, size_t *ret_len, const char **ret_why)
{
    char path[4096];
    if (file.len >= sizeof(path)) {
        *ret_why = "a path that is too long";
        return GH_SETTINGS_INVALID;
    }
    snprintf(path, sizeof(path), "%.*s", GH_STR_FMT(file));
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        *ret_why = strerror(errno);
        return GH_SETTINGS_INVALID;
    }
    char *text = gh_malloc(GH_YAML_SIZE_MAX + 1);
    size_t len = text != NULL ? fread(text, 1, GH_YAML_SIZE_MAX + 1, in) : 0;
    bool failed = ferror(in) != 0;
    if (failed)
        *ret_why = strerror(errno);
    fclose(in);
    if (text == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_text = text;
    *ret_len = len;
    return failed ? GH_SETTINGS_INVALID : GH_OK;
}

enum gh_reason gh_conf_from_text(gh_str file, gh_str text, gh_str base_dir, struct gh_conf **ret_conf,
                                 struct gh_conf_errors *errors)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *tree = gh_arena_new(0);
    GH_CLEANUP(gh_conf_free) struct gh_conf *conf = NULL;
    struct gh_teller teller = { .errors = errors, .file = file, .base_dir = base_dir };
    size_t told = errors->error_count;
    struct gh_arena *arena = gh_arena_new(0);
    conf = arena != NULL ? GH_ARENA_NEW(arena, struct gh_conf) : NULL;
    if (conf == NULL || tree == NULL) {
        if (conf == NULL)
            gh_arena_free(arena);
        else
            conf->arena = arena;
        return GH_OUT_OF_MEMORY;
    }
    conf->arena = arena;
    const struct gh_node *root;
    enum gh_reason reason = gh_yaml_read(tree, file, text, errors, &root);
    if (reason == GH_OK)
        reason = fill_conf(conf, root, &teller);
    if (reason != GH_OK)
        return reason;
    if (teller.out_of_memory)
        return GH_OUT_OF_MEMORY;
    if (errors->error_count > told)
        return GH_SETTINGS_INVALID;
    *ret_conf = conf;
    conf = NULL;
    return GH_OK;
}

static struct gh_site *new_site(void)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_site *site = arena != NULL ? GH_ARENA_NEW(arena, struct gh_site) : NULL;
    if (site == NULL) {
        gh_arena_free(arena);
        return NULL;
    }
    site->refs = 1;
    site->arena = arena;
    return site;
}

/* Relations are looked at only when every value is sound: else one slip would be told three times. */
static enum gh_reason fill_conf(struct gh_conf *conf, const struct gh_node *root, struct gh_teller *teller)
{
    struct gh_site *site = conf->site = new_site();
    if (site == NULL)
        return GH_OUT_OF_MEMORY;
    struct gh_settings settings = { .conf = *conf };
    struct gh_fill fill = {
        .teller = teller, .arena = conf->arena, .site_arena = site->arena, .files = &settings.conf.files
    };
    size_t told = teller->errors->error_count;
    gh_fill_section(&fill, &gh_settings_section, root, &settings);
    if (teller->out_of_memory || teller->errors->error_count > told)
        return teller->out_of_memory ? GH_OUT_OF_MEMORY : GH_SETTINGS_INVALID;
    struct gh_build build = {
        .teller = teller, .root = root, .settings = &settings, .arena = conf->arena, .site = site
    };
    gh_build_settings(&build);
    *conf = settings.conf;
    return GH_OK;
}

void gh_conf_free(struct gh_conf *conf)
{
    if (conf == NULL)
        return;
    gh_site_unref(conf->site);
    gh_issuer_site_unref(conf->issuer_site);
    gh_arena_free(conf->arena);
}

void gh_conf_free_cleanup(struct gh_conf **conf)
{
    gh_conf_free(*conf);
}
