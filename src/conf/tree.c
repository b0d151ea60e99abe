/* conf/tree.c: libyaml's events become a tree with places; everything two readers could take differently is
 * refused. */
#include "conf/tree.h"

#include <string.h>
#include <yaml.h>

#include "base/str.h"
#include "conf/errors.h"

struct reader {
    yaml_parser_t *parser;
    gh_str text;
    struct gh_arena *arena;
    struct gh_teller teller;
    unsigned nodes;
};

static bool is_readable(struct reader *reader, gh_str text);
static enum gh_reason read_document(struct reader *reader, const struct gh_node **ret_root);
static enum gh_reason next_event(struct reader *reader, yaml_event_t *ret_event);
static yaml_mark_t mark_at(gh_str text, size_t offset);
static enum gh_reason read_node(struct reader *reader, const yaml_event_t *event, struct gh_node *parent,
                                unsigned depth, struct gh_node **ret_node);
static enum gh_reason read_list(struct reader *reader, struct gh_node *list, unsigned depth);
static enum gh_reason read_map(struct reader *reader, struct gh_node *map, unsigned depth);
static enum gh_reason read_member(struct reader *reader, const yaml_event_t *key, struct gh_node *map,
                                  unsigned depth);
static enum gh_reason check_key(struct reader *reader, const yaml_event_t *key, struct gh_node *map);
static enum gh_reason refuse(struct reader *reader, const yaml_mark_t *mark, const struct gh_node *parent,
                             const char *found, const char *allowed);

enum gh_reason gh_yaml_read(struct gh_arena *arena, gh_str file, gh_str text, struct gh_conf_errors *errors,
                            const struct gh_node **ret_root)
{
    yaml_parser_t parser;
    struct reader reader = { .arena = arena, .parser = &parser, .text = text };
    reader.teller = (struct gh_teller){ .errors = errors, .file = file };
    if (!is_readable(&reader, text))
        return reader.teller.out_of_memory ? GH_OUT_OF_MEMORY : GH_SETTINGS_INVALID;
    if (!yaml_parser_initialize(&parser))
        return GH_OUT_OF_MEMORY;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    enum gh_reason reason = read_document(&reader, ret_root);
    yaml_parser_delete(&parser);
    return reader.teller.out_of_memory ? GH_OUT_OF_MEMORY : reason;
}

/* What libyaml would swallow, or would choke on without saying why. */
static bool is_readable(struct reader *reader, gh_str text)
{
    yaml_mark_t start = { 0, 0, 0 };
    if (text.len > GH_YAML_SIZE_MAX)
        refuse(reader, &start, NULL, "a text over 1 MiB", "at most 1 MiB");
    else if (gh_str_starts(text, GH_STR("\xEF\xBB\xBF")) || gh_str_starts(text, GH_STR("\xFE\xFF")) ||
             gh_str_starts(text, GH_STR("\xFF\xFE")))
        refuse(reader, &start, NULL, "a byte order mark", "UTF-8 without one");
    else if (text.len != 0 && memchr(text.ptr, '\0', text.len) != NULL)
        refuse(reader, &start, NULL, "a NUL byte", "UTF-8 text");
    else
        return true;
    return false;
}

static enum gh_reason read_document(struct reader *reader, const struct gh_node **ret_root)
{
    struct gh_node *root = NULL;
    bool done = false;
    while (!done) {
        yaml_event_t event;
        enum gh_reason reason = next_event(reader, &event);
        if (reason != GH_OK)
            return reason;
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            if (root != NULL)
                reason = refuse(reader, &event.start_mark, NULL, "a second document", "one document");
            else if (event.data.document_start.version_directive != NULL ||
                     event.data.document_start.tag_directives.start !=
                         event.data.document_start.tag_directives.end)
                reason =
                    refuse(reader, &event.start_mark, NULL, "a directive", "plain YAML without directives");
        } else if (event.type == YAML_STREAM_END_EVENT) {
            done = true;
        } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT) {
            reason = read_node(reader, &event, NULL, 1, &root);
        }
        yaml_event_delete(&event);
        if (reason != GH_OK)
            return reason;
    }
    yaml_mark_t start = { 0, 0, 0 };
    if (root == NULL)
        return refuse(reader, &start, NULL, "nothing", "settings");
    *ret_root = root;
    return GH_OK;
}

/* On GH_OK the event is the caller's to delete. */
static enum gh_reason next_event(struct reader *reader, yaml_event_t *ret_event)
{
    const yaml_parser_t *parser = reader->parser;
    if (yaml_parser_parse(reader->parser, ret_event))
        return GH_OK;
    if (parser->error == YAML_MEMORY_ERROR)
        return GH_OUT_OF_MEMORY;
    gh_str found = gh_tell_text(&reader->teller, "a syntax error (%s)",
                                parser->problem != NULL ? parser->problem : "unknown");
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_READER_ERROR) /* these carry an offset instead */
        mark = mark_at(reader->text, parser->problem_offset);
    return refuse(reader, &mark, NULL, found.ptr, "well-formed YAML");
}

static yaml_mark_t mark_at(gh_str text, size_t offset)
{
    yaml_mark_t mark = { 0, 0, 0 };
    for (size_t i = 0; i < offset && i < text.len; i++) {
        mark.column++;
        if (text.ptr[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static enum gh_reason read_node(struct reader *reader, const yaml_event_t *event, struct gh_node *parent,
                                unsigned depth, struct gh_node **ret_node)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    struct gh_node *node = GH_ARENA_NEW(reader->arena, struct gh_node);
    if (node == NULL)
        return GH_OUT_OF_MEMORY;
    node->parent = parent;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    if (event->type == YAML_SCALAR_EVENT) {
        node->kind = GH_NODE_SCALAR;
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->text =
            gh_arena_dup(reader->arena, gh_str_of(event->data.scalar.value, event->data.scalar.length));
        if (node->text.ptr == NULL)
            return GH_OUT_OF_MEMORY;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node->kind = GH_NODE_LIST;
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node->kind = GH_NODE_MAP;
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else {
        return refuse(reader, &event->start_mark, parent, "an alias", "the value itself");
    }
    if (anchor != NULL)
        return refuse(reader, &event->start_mark, parent, "an anchor", "the value alone");
    if (tag != NULL)
        return refuse(reader, &event->start_mark, parent, "a tag", "the value alone");
    if (depth > GH_YAML_DEPTH_MAX)
        return refuse(reader, &event->start_mark, NULL, "a nesting over 32 levels", "at most 32");
    if (++reader->nodes > GH_YAML_NODES_MAX)
        return refuse(reader, &event->start_mark, NULL, "over 100000 values", "at most 100000");
    *ret_node = node;
    if (node->kind == GH_NODE_LIST)
        return read_list(reader, node, depth);
    return node->kind == GH_NODE_MAP ? read_map(reader, node, depth) : GH_OK;
}

static enum gh_reason append(struct reader *reader, struct gh_node *parent, struct gh_node *child,
                             const yaml_mark_t *mark)
{
    child->index = parent->count++;
    if (parent->last == NULL)
        parent->children = child;
    else
        parent->last->next = child;
    parent->last = child;
    if (parent->count > GH_YAML_CHILD_MAX)
        return refuse(reader, mark, parent, "over 4096 entries", "at most 4096");
    return GH_OK;
}

static enum gh_reason read_list(struct reader *reader, struct gh_node *list, unsigned depth)
{
    for (;;) {
        yaml_event_t event;
        enum gh_reason reason = next_event(reader, &event);
        if (reason != GH_OK)
            return reason;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct gh_node *child = NULL;
        if (!end)
            reason = read_node(reader, &event, list, depth + 1, &child);
        if (!end && reason == GH_OK)
            reason = append(reader, list, child, &event.start_mark);
        yaml_event_delete(&event);
        if (end || reason != GH_OK)
            return reason;
    }
}

static enum gh_reason read_map(struct reader *reader, struct gh_node *map, unsigned depth)
{
    for (;;) {
        yaml_event_t key;
        enum gh_reason reason = next_event(reader, &key);
        if (reason != GH_OK)
            return reason;
        bool end = key.type == YAML_MAPPING_END_EVENT;
        if (!end)
            reason = read_member(reader, &key, map, depth);
        yaml_event_delete(&key);
        if (end || reason != GH_OK)
            return reason;
    }
}

static enum gh_reason read_member(struct reader *reader, const yaml_event_t *key, struct gh_node *map,
                                  unsigned depth)
{
    enum gh_reason reason = check_key(reader, key, map);
    if (reason != GH_OK)
        return reason;
    gh_str name = gh_arena_dup(reader->arena, gh_str_of(key->data.scalar.value, key->data.scalar.length));
    if (name.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    yaml_event_t event;
    reason = next_event(reader, &event);
    if (reason != GH_OK)
        return reason;
    struct gh_node *child = NULL;
    reason = read_node(reader, &event, map, depth + 1, &child);
    if (child != NULL) {
        child->key = name;
        child->key_line = (unsigned)key->start_mark.line + 1;
        child->key_column = (unsigned)key->start_mark.column + 1;
    }
    if (reason == GH_OK)
        reason = append(reader, map, child, &event.start_mark);
    yaml_event_delete(&event);
    return reason;
}

static enum gh_reason check_key(struct reader *reader, const yaml_event_t *key, struct gh_node *map)
{
    const yaml_mark_t *mark = &key->start_mark;
    if (key->type == YAML_ALIAS_EVENT)
        return refuse(reader, mark, map, "an alias", "the value itself");
    if (key->type != YAML_SCALAR_EVENT)
        return refuse(reader, mark, map, "a list or map as a key", "a word");
    if (key->data.scalar.anchor != NULL)
        return refuse(reader, mark, map, "an anchor", "the value alone");
    if (key->data.scalar.tag != NULL)
        return refuse(reader, mark, map, "a tag", "the value alone");
    gh_str name = gh_str_of(key->data.scalar.value, key->data.scalar.length);
    if (gh_str_eq(name, GH_STR("<<")))
        return refuse(reader, mark, map, "a merge key", "every key written out");
    if (gh_str_is_empty(name))
        return refuse(reader, mark, map, "an empty key", "a word");
    for (const struct gh_node *child = map->children; child != NULL; child = child->next) {
        if (!gh_str_eq(child->key, name))
            continue;
        gh_str found = gh_tell_text(&reader->teller, "%.*s again, first in line %u",
                                    GH_STR_FMT(gh_tell_quoted(&reader->teller, name)), child->key_line);
        return refuse(reader, mark, map, found.ptr, "each key once");
    }
    return GH_OK;
}

/* Tells it at the mark, under the path of the list or map it stands in. */
static enum gh_reason refuse(struct reader *reader, const yaml_mark_t *mark, const struct gh_node *parent,
                             const char *found, const char *allowed)
{
    struct gh_conf_error error = { .file = reader->teller.file,
                                   .line = (unsigned)mark->line + 1,
                                   .column = (unsigned)mark->column + 1,
                                   .key_path = gh_node_path(reader->arena, parent, NULL),
                                   .found = gh_str_from(found),
                                   .allowed = gh_str_from(allowed) };
    return gh_conf_errors_add(reader->teller.errors, &error) ? GH_SETTINGS_INVALID : GH_OUT_OF_MEMORY;
}

const struct gh_node *gh_node_get(const struct gh_node *node, const char *key)
{
    if (node == NULL || node->kind != GH_NODE_MAP)
        return NULL;
    gh_str name = gh_str_from(key);
    for (const struct gh_node *child = node->children; child != NULL; child = child->next) {
        if (gh_str_eq(child->key, name))
            return child;
    }
    return NULL;
}

gh_str gh_node_path(struct gh_arena *arena, const struct gh_node *node, const char *key)
{
    gh_str path = GH_STR("");
    if (node != NULL && node->parent != NULL) {
        path = gh_node_path(arena, node->parent, NULL);
        if (node->parent->kind == GH_NODE_LIST)
            path = gh_arena_printf(arena, "%.*s[%zu]", GH_STR_FMT(path), node->index);
        else
            path = gh_arena_printf(arena, "%.*s%s%.*s", GH_STR_FMT(path), path.len != 0 ? "." : "",
                                   GH_STR_FMT(node->key));
    }
    if (key != NULL)
        path = gh_arena_printf(arena, "%.*s%s%s", GH_STR_FMT(path), path.len != 0 ? "." : "", key);
    return path;
}
