/* conf/rows.c: a section of the settings against its rows: unknown keys, missing keys, defaults, nesting. */
#include "conf/rows.h"

#include <string.h>

#include "base/str.h"

static void fill_row(struct gh_fill *fill, const struct gh_section *section, const struct gh_row *row,
                     const struct gh_node *node, void *base);
static void fill_fallback(struct gh_fill *fill, const struct gh_row *row, void *at);
static void fill_sections(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node,
                          struct gh_elements *at);
static void refuse_unknown(struct gh_fill *fill, const struct gh_section *section,
                           const struct gh_node *node);
static const char *nearest_key(const struct gh_section *section, gh_str key);
static size_t distance(gh_str a, gh_str b);

void gh_fill_section(struct gh_fill *fill, const struct gh_section *section, const struct gh_node *node,
                     void *base)
{
    bool is_short = node != NULL && node->kind == GH_NODE_SCALAR && section->scalar_key != NULL;
    if (node != NULL && node->kind != GH_NODE_MAP && !is_short) {
        gh_tell_wrong(fill->teller, node, NULL,
                      section->scalar_key != NULL ? GH_STR("a text or a map of keys")
                                                  : GH_STR("a map of keys"));
        return;
    }
    if (section->prepare != NULL)
        section->prepare(fill, node, base);
    if (!is_short)
        refuse_unknown(fill, section, node);
    for (const struct gh_row *row = section->rows; row->key != NULL; row++)
        fill_row(fill, section, row, node, base);
}

static void fill_row(struct gh_fill *fill, const struct gh_section *section, const struct gh_row *row,
                     const struct gh_node *node, void *base)
{
    void *at = (char *)base + row->offset;
    const struct gh_node *child = gh_node_get(node, row->key);
    if (node != NULL && node->kind == GH_NODE_SCALAR && strcmp(section->scalar_key, row->key) == 0)
        child = node;
    if (row->type == GH_ROW_SECTION && (child != NULL || (row->flags & GH_ROW_REQUIRED) == 0))
        gh_fill_section(fill, row->section, child, at);
    else if (child == NULL && node != NULL && (row->flags & GH_ROW_REQUIRED) != 0)
        gh_tell_error(fill->teller, node, row->key, GH_STR("nothing"),
                      gh_row_allowed(fill->teller->errors->arena, row));
    else if (child == NULL)
        fill_fallback(fill, row, at);
    else if (row->type == GH_ROW_SECTIONS || row->type == GH_ROW_NAMED)
        fill_sections(fill, row, child, at);
    else
        gh_fill_value(fill, row, child, at);
}

/* A default is read like what an operator would write. */
static void fill_fallback(struct gh_fill *fill, const struct gh_row *row, void *at)
{
    if (row->fallback == NULL)
        return;
    struct gh_node node = { .kind = GH_NODE_SCALAR, .plain = true, .text = gh_str_from(row->fallback) };
    gh_fill_value(fill, row, &node, at);
}

static void fill_sections(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node,
                          struct gh_elements *at)
{
    enum gh_node_kind kind = row->type == GH_ROW_NAMED ? GH_NODE_MAP : GH_NODE_LIST;
    if (node->kind != kind || (int64_t)node->count < row->min ||
        (row->max != 0 && (int64_t)node->count > row->max)) {
        gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
        return;
    }
    struct gh_fill inner = *fill;
    if ((row->flags & GH_ROW_SITE) != 0)
        inner.arena = fill->site_arena;
    char *elements = gh_fill_alloc(&inner, node->count, row->section->size);
    if (elements == NULL)
        return;
    size_t i = 0;
    for (const struct gh_node *child = node->children; child != NULL; child = child->next, i++) {
        void *base = elements + i * row->section->size;
        struct gh_element *element = base;
        element->node = child;
        if (kind == GH_NODE_MAP && (row->flags & GH_ROW_POINTERS) == 0 && !gh_label_is_legal(child->key))
            gh_tell_error(fill->teller, child, NULL, gh_tell_quoted(fill->teller, child->key),
                          GH_STR("a name of at most 64 letters, digits, '-', '_', '.'"));
        if (kind == GH_NODE_MAP)
            element->name = gh_fill_copy(&inner, child->key);
        gh_fill_section(&inner, row->section, child, base);
    }
    *at = (struct gh_elements){ .at = elements, .count = node->count };
}

const struct gh_node *gh_entry_node(const struct gh_node *list, size_t i)
{
    if (list->kind != GH_NODE_LIST)
        return list;
    const struct gh_node *node = list->children;
    while (node != NULL && i-- > 0)
        node = node->next;
    return node;
}

bool gh_label_is_legal(gh_str name)
{
    if (name.len == 0 || name.len > 64)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", name.ptr[i]) == NULL)
            return false;
    }
    return true;
}

static void refuse_unknown(struct gh_fill *fill, const struct gh_section *section, const struct gh_node *node)
{
    for (const struct gh_node *child = node != NULL ? node->children : NULL; child != NULL;
         child = child->next) {
        const struct gh_row *row = section->rows;
        while (row->key != NULL && !gh_str_eq(gh_str_from(row->key), child->key))
            row++;
        if (row->key != NULL)
            continue;
        struct gh_node key = *child; /* told at the key, not at the value */
        key.line = child->key_line;
        key.column = child->key_column;
        const char *near = nearest_key(section, child->key);
        gh_str allowed =
            near != NULL ? gh_tell_text(fill->teller, "a key of %s; did you mean %s?", section->title, near)
                         : gh_tell_text(fill->teller, "a key of %s", section->title);
        gh_tell_error(fill->teller, &key, NULL, GH_STR("an unknown key"), allowed);
    }
}

/* The key fewest edits away, if that is a plausible slip; or one that begins or ends with what was written,
 * so that client_secret leads to client_secret_file. */
static const char *nearest_key(const struct gh_section *section, gh_str key)
{
    const char *near = NULL;
    size_t best = key.len / 3 + 1;
    for (const struct gh_row *row = section->rows; row->key != NULL; row++) {
        gh_str candidate = gh_str_from(row->key);
        size_t edits = distance(key, candidate);
        if (edits <= best && edits < candidate.len) {
            near = row->key;
            best = edits - (edits != 0);
        }
    }
    for (const struct gh_row *row = section->rows; near == NULL && key.len > 2 && row->key != NULL; row++) {
        gh_str candidate = gh_str_from(row->key);
        if (gh_str_starts(candidate, key) || gh_str_starts(key, candidate) || gh_str_ends(candidate, key))
            near = row->key;
    }
    return near;
}

/* Levenshtein, for words of at most 31 bytes. */
static size_t distance(gh_str a, gh_str b)
{
    size_t row[32];
    if (a.len >= GH_ARRAY_LEN(row) || b.len >= GH_ARRAY_LEN(row))
        return GH_ARRAY_LEN(row);
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t least = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len];
}

gh_str gh_fill_copy(struct gh_fill *fill, gh_str text)
{
    gh_str copy = gh_arena_dup(fill->arena, text);
    if (copy.ptr == NULL)
        fill->teller->out_of_memory = true;
    return copy;
}

void *gh_fill_alloc(struct gh_fill *fill, size_t count, size_t size)
{
    void *at = gh_arena_calloc(fill->arena, count != 0 ? count : 1, size);
    if (at == NULL)
        fill->teller->out_of_memory = true;
    return at;
}
