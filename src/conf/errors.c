/* conf/errors.c: the list of faults found in the settings, and how one line of it reads. */
#include "conf/errors.h"

#include <string.h>

#include "base/str.h"

#define QUOTED_MAX 80u

static void tell(struct gh_teller *teller, const struct gh_node *node, const char *key,
                 struct gh_conf_error *error);
static void print_text(gh_str text, FILE *out);

enum gh_reason gh_conf_errors_init(struct gh_conf_errors *errors)
{
    *errors = (struct gh_conf_errors){ .arena = gh_arena_new(0) };
    return errors->arena != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

void gh_conf_errors_done(struct gh_conf_errors *errors)
{
    gh_arena_free(errors->arena);
    *errors = (struct gh_conf_errors){ .arena = NULL };
}

static bool has_room(struct gh_conf_errors *errors)
{
    if (errors->count < errors->cap)
        return true;
    size_t cap = errors->cap != 0 ? errors->cap * 2 : 16;
    struct gh_conf_error *at = gh_arena_calloc(errors->arena, cap, sizeof(*at));
    if (at == NULL)
        return false;
    if (errors->count != 0)
        memcpy(at, errors->at, errors->count * sizeof(*at));
    errors->at = at;
    errors->cap = cap;
    return true;
}

bool gh_conf_errors_add(struct gh_conf_errors *errors, const struct gh_conf_error *error)
{
    if (!error->warning)
        errors->error_count++;
    if (errors->count >= GH_CONF_ERRORS_MAX) {
        errors->truncated = true;
        return true;
    }
    if (!has_room(errors))
        return false;
    struct gh_conf_error *copy = &errors->at[errors->count];
    *copy = *error;
    copy->file = gh_arena_dup(errors->arena, error->file);
    copy->key_path = gh_arena_dup(errors->arena, error->key_path);
    copy->found = gh_arena_dup(errors->arena, error->found);
    copy->allowed = gh_arena_dup(errors->arena, error->allowed);
    if (copy->file.ptr == NULL || copy->key_path.ptr == NULL || copy->found.ptr == NULL ||
        copy->allowed.ptr == NULL)
        return false;
    errors->count++;
    return true;
}

void gh_conf_errors_print(const struct gh_conf_errors *errors, FILE *out)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct gh_conf_error *error = &errors->at[i];
        print_text(error->file, out);
        if (error->line != 0)
            fprintf(out, ":%u:%u", error->line, error->column);
        fputs(error->warning ? ": warning: " : ": ", out);
        print_text(error->key_path.len != 0 ? error->key_path : GH_STR("settings"), out);
        fputs(": found ", out);
        print_text(error->found, out);
        fputs(error->warning ? ", better " : ", allowed ", out);
        print_text(error->allowed, out);
        fputc('\n', out);
    }
    if (errors->truncated)
        fprintf(out, "and more: only the first %u are shown\n", GH_CONF_ERRORS_MAX);
}

/* A settings file may hold what a terminal obeys. */
static void print_text(gh_str text, FILE *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
}

void gh_tell_error(struct gh_teller *teller, const struct gh_node *node, const char *key, gh_str found,
                   gh_str allowed)
{
    struct gh_conf_error error = { .found = found, .allowed = allowed };
    tell(teller, node, key, &error);
}

void gh_tell_warning(struct gh_teller *teller, const struct gh_node *node, const char *key, gh_str found,
                     gh_str better)
{
    struct gh_conf_error error = { .found = found, .allowed = better, .warning = true };
    tell(teller, node, key, &error);
}

void gh_tell_wrong(struct gh_teller *teller, const struct gh_node *node, const char *key, gh_str allowed)
{
    const struct gh_node *child = key != NULL ? gh_node_get(node, key) : node;
    gh_tell_error(teller, node, key, gh_tell_node(teller, child), allowed);
}

static void tell(struct gh_teller *teller, const struct gh_node *node, const char *key,
                 struct gh_conf_error *error)
{
    const struct gh_node *child = key != NULL ? gh_node_get(node, key) : NULL;
    const struct gh_node *place = child != NULL ? child : node;
    error->file = teller->file;
    error->line = place != NULL ? place->line : 0;
    error->column = place != NULL ? place->column : 0;
    error->key_path = gh_node_path(teller->errors->arena, node, key);
    if (!gh_conf_errors_add(teller->errors, error))
        teller->out_of_memory = true;
}

gh_str gh_tell_text(struct gh_teller *teller, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    gh_str copy = gh_arena_dup(teller->errors->arena, gh_str_from(text));
    if (copy.ptr == NULL)
        teller->out_of_memory = true;
    return copy.ptr != NULL ? copy : GH_STR("");
}

gh_str gh_tell_node(struct gh_teller *teller, const struct gh_node *node)
{
    if (node == NULL)
        return GH_STR("nothing");
    if (node->kind == GH_NODE_LIST)
        return node->count != 0 ? GH_STR("a list") : GH_STR("an empty list");
    if (node->kind == GH_NODE_MAP)
        return node->count != 0 ? GH_STR("a map") : GH_STR("an empty map");
    return gh_tell_quoted(teller, node->text);
}

gh_str gh_tell_quoted(struct gh_teller *teller, gh_str text)
{
    size_t scheme = gh_str_find(text, ':');
    gh_str rest = gh_str_skip(text, scheme);
    if (gh_str_starts(rest, GH_STR("://")) && gh_str_find(rest, '@') < rest.len)
        return GH_STR("a URL with credentials");
    if (text.len > QUOTED_MAX)
        return gh_tell_text(teller, "\"%.*s...\"", (int)QUOTED_MAX, text.ptr);
    return gh_tell_text(teller, "\"%.*s\"", GH_STR_FMT(text));
}
