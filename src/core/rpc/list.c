/* core/rpc/list.c: leaves out of a server's lists what is not to be shown, and no other byte. */
#include "gatehouse/list.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "core/json/fold.h"
#include "core/json/string.h"
#include "core/rpc/text.h"

/* Escaped member names beyond this are none that is looked for. */
#define NAME_MAX 512u
/* Names of items beyond this are shown to nobody. */
#define ITEM_NAME_MAX 16384u

/* The text from `kept` on was not written yet. */
struct filter {
    struct gh_rpc_text text;
    const char *kept;
    gh_list_shows shows;
    void *ctx;
    struct gh_buf *out;
    bool changed;
    unsigned depth;
    enum gh_reason why;
};

/* What an object is, and which of its members count: bit i of a mask is members[i]. */
enum place { ANYWHERE, IN_MESSAGE, IN_RESULT, IN_ITEM };

/* An array of items, and how they name themselves. */
struct kind {
    const char *list, *name;
    enum gh_rpc_names names;
    bool is_template;
};
static const struct kind kinds[] = {
    { "tools", "name", GH_RPC_NAMES_TOOL, false },
    { "prompts", "name", GH_RPC_NAMES_PROMPT, false },
    { "resources", "uri", GH_RPC_NAMES_RESOURCE, false },
    { "resourceTemplates", "uriTemplate", GH_RPC_NAMES_RESOURCE, true },
};
#define KINDS       GH_ARRAY_LEN(kinds)
#define CACHE_SCOPE KINDS /* behind the lists, in a result */

struct object {
    enum place place;
    const struct kind *kind;  /* of an item */
    unsigned seen;            /* by number of the member */
    struct gh_rpc_part named; /* of an item */
};

static bool read_value(struct filter *filter, enum place place, const struct kind *kind,
                       struct gh_rpc_part *ret_part, struct gh_rpc_part *ret_named);

bool gh_list_is_asked(gh_str method)
{
    static const gh_str asking[] = { GH_STR_INIT("tools/list"), GH_STR_INIT("prompts/list"),
                                     GH_STR_INIT("resources/list"), GH_STR_INIT("resources/templates/list"),
                                     GH_STR_INIT("resources/directory/read") };
    return gh_strs_has((struct gh_strs){ asking, GH_ARRAY_LEN(asking) }, method);
}

static bool fail(struct filter *filter, enum gh_reason why)
{
    filter->why = why;
    return false;
}

static bool keep_to(struct filter *filter, const char *end)
{
    if (!gh_buf_add(filter->out, gh_str_of(filter->kept, (size_t)(end - filter->kept))))
        return fail(filter, GH_OUT_OF_MEMORY);
    filter->kept = end;
    return true;
}

static bool read_messages(struct filter *filter)
{
    struct gh_rpc_part part, named;
    gh_rpc_space(&filter->text);
    if (!gh_rpc_take(&filter->text, '['))
        return read_value(filter, IN_MESSAGE, NULL, &part, &named);
    gh_rpc_space(&filter->text);
    if (gh_rpc_take(&filter->text, ']'))
        return true;
    do {
        gh_rpc_space(&filter->text);
        if (!read_value(filter, IN_MESSAGE, NULL, &part, &named))
            return false;
        gh_rpc_space(&filter->text);
    } while (gh_rpc_take(&filter->text, ','));
    return gh_rpc_take(&filter->text, ']') || fail(filter, GH_LIST_UNREADABLE);
}

enum gh_reason gh_list_filter(gh_str text, gh_list_shows shows, void *ctx, struct gh_buf *out,
                              bool *ret_changed)
{
    struct filter filter = { .text = { text.ptr, text.ptr + text.len },
                             .kept = text.ptr,
                             .shows = shows,
                             .ctx = ctx,
                             .out = out,
                             .why = GH_OK };
    if (text.len == 0)
        return GH_LIST_UNREADABLE;
    if (!read_messages(&filter))
        return filter.why;
    gh_rpc_space(&filter.text);
    if (filter.text.at != filter.text.end)
        return GH_LIST_UNREADABLE;
    if (filter.changed && !keep_to(&filter, filter.text.end))
        return filter.why;
    *ret_changed = filter.changed;
    return GH_OK;
}

/* ---- names ---- */

/* What a string means, in `room` where it is escaped; ptr NULL: it holds U+0000, or finds no room. */
static gh_str meaning_of(const struct gh_rpc_part *part, char *room, size_t size)
{
    gh_str meaning;
    if (!part->is_escaped)
        return part->raw;
    if (part->raw.len + 1 > size)
        return GH_STR_NONE;
    memcpy(room, part->raw.ptr, part->raw.len + 1); /* with its closing quote */
    char *at = room;
    return gh_json_string_read(&at, room + part->raw.len + 1, &meaning) ? meaning : GH_STR_NONE;
}

/* The i-th name that counts there; NULL: there are no more. */
static const char *name_of(const struct object *object, unsigned i)
{
    static const char *const of_message[] = { "result", "error", "method", "id", "jsonrpc" };
    switch (object->place) {
    case IN_MESSAGE:
        return i < GH_ARRAY_LEN(of_message) ? of_message[i] : NULL;
    case IN_RESULT:
        return i < KINDS ? kinds[i].list : i == CACHE_SCOPE ? "cacheScope" : NULL;
    case IN_ITEM:
        return i == 0 ? object->kind->name : NULL;
    case ANYWHERE:
        break;
    }
    return NULL;
}

/* Which of the names that count it is, each at most once and none by another letter case; -1: none. */
static bool look_up(struct filter *filter, struct object *object, gh_str name, int *ret_member)
{
    *ret_member = -1;
    for (unsigned i = 0; name_of(object, i) != NULL; i++) {
        gh_str own = gh_str_from(name_of(object, i));
        if (!gh_fold_eq(name, own))
            continue;
        if (!gh_str_eq(name, own) || (object->seen >> i & 1) != 0)
            return fail(filter, GH_LIST_UNREADABLE);
        object->seen |= 1u << i;
        *ret_member = (int)i;
    }
    return true;
}

static bool read_name(struct filter *filter, struct object *object, int *ret_member)
{
    struct gh_rpc_part part;
    char room[NAME_MAX];
    gh_rpc_space(&filter->text);
    if (!gh_rpc_take(&filter->text, '"') || !gh_rpc_string(&filter->text, &part))
        return fail(filter, GH_LIST_UNREADABLE);
    *ret_member = -1;
    if (object->place != ANYWHERE && part.raw.len < NAME_MAX) {
        gh_str name = meaning_of(&part, room, sizeof(room));
        if (name.ptr == NULL)
            return fail(filter, GH_LIST_UNREADABLE);
        if (!look_up(filter, object, name, ret_member))
            return false;
    }
    gh_rpc_space(&filter->text);
    return gh_rpc_take(&filter->text, ':') || fail(filter, GH_LIST_UNREADABLE);
}

/* ---- lists ---- */

static bool is_shown(struct filter *filter, const struct kind *kind, const struct gh_rpc_part *named)
{
    char room[ITEM_NAME_MAX];
    if (named->what != GH_RPC_STRING)
        return false;
    gh_str name = meaning_of(named, room, sizeof(room));
    return name.ptr != NULL && filter->shows(filter->ctx, kind->names, kind->is_template, name);
}

/* At the first item that is left out all before it is kept; from then on each that is shown is written by
 * itself. */
static bool read_list(struct filter *filter, const struct kind *kind)
{
    struct gh_rpc_part item, named;
    bool is_first = true, any_left_out = false;
    gh_rpc_space(&filter->text);
    if (gh_rpc_take(&filter->text, ']'))
        return true;
    do {
        const char *before = filter->text.at;
        gh_rpc_space(&filter->text);
        const char *start = filter->text.at;
        if (!read_value(filter, IN_ITEM, kind, &item, &named))
            return false;
        const char *end = filter->text.at;
        bool shown = is_shown(filter, kind, &named);
        if (!shown && !any_left_out && !keep_to(filter, is_first ? before : before - 1))
            return false;
        any_left_out = any_left_out || !shown;
        if (shown && any_left_out) {
            if (!is_first && !gh_buf_add(filter->out, GH_STR(",")))
                return fail(filter, GH_OUT_OF_MEMORY);
            filter->kept = start;
            if (!keep_to(filter, end))
                return false;
        }
        is_first = is_first && !shown;
        gh_rpc_space(&filter->text);
    } while (gh_rpc_take(&filter->text, ','));
    if (!gh_rpc_take(&filter->text, ']'))
        return fail(filter, GH_LIST_UNREADABLE);
    if (any_left_out)
        filter->kept = filter->text.at - 1;
    filter->changed = filter->changed || any_left_out;
    return true;
}

/* ---- values ---- */

static bool read_cache_scope(struct filter *filter)
{
    struct gh_rpc_part part, named;
    const char *start = filter->text.at;
    if (!read_value(filter, ANYWHERE, NULL, &part, &named))
        return false;
    if (part.what == GH_RPC_STRING && gh_str_eq(part.raw, GH_STR("private")))
        return true;
    if (!keep_to(filter, start) || !gh_buf_add(filter->out, GH_STR("\"private\"")))
        return fail(filter, GH_OUT_OF_MEMORY);
    filter->kept = filter->text.at;
    filter->changed = true;
    return true;
}

static bool read_member_value(struct filter *filter, struct object *object, int member)
{
    struct gh_rpc_part part, named;
    if (object->place == IN_RESULT && member == (int)CACHE_SCOPE)
        return read_cache_scope(filter);
    bool is_array = filter->text.at < filter->text.end && *filter->text.at == '[';
    if (object->place == IN_RESULT && member >= 0 && is_array) {
        filter->text.at++;
        return read_list(filter, &kinds[member]);
    }
    enum place inner = object->place == IN_MESSAGE && member == 0 ? IN_RESULT : ANYWHERE;
    if (!read_value(filter, inner, NULL, &part, &named))
        return false;
    if (object->place == IN_ITEM && member == 0)
        object->named = part;
    return true;
}

static bool read_object(struct filter *filter, struct object *object)
{
    int member;
    gh_rpc_space(&filter->text);
    if (gh_rpc_take(&filter->text, '}'))
        return true;
    do {
        if (!read_name(filter, object, &member))
            return false;
        gh_rpc_space(&filter->text);
        if (!read_member_value(filter, object, member))
            return false;
        gh_rpc_space(&filter->text);
    } while (gh_rpc_take(&filter->text, ','));
    return gh_rpc_take(&filter->text, '}') || fail(filter, GH_LIST_UNREADABLE);
}

static bool read_array(struct filter *filter)
{
    struct gh_rpc_part part, named;
    gh_rpc_space(&filter->text);
    if (gh_rpc_take(&filter->text, ']'))
        return true;
    do {
        gh_rpc_space(&filter->text);
        if (!read_value(filter, ANYWHERE, NULL, &part, &named))
            return false;
        gh_rpc_space(&filter->text);
    } while (gh_rpc_take(&filter->text, ','));
    return gh_rpc_take(&filter->text, ']') || fail(filter, GH_LIST_UNREADABLE);
}

/* At its first byte. Of an item: what names it. */
static bool read_value(struct filter *filter, enum place place, const struct kind *kind,
                       struct gh_rpc_part *ret_part, struct gh_rpc_part *ret_named)
{
    struct gh_rpc_text *text = &filter->text;
    *ret_part = *ret_named = (struct gh_rpc_part){ .what = GH_RPC_ABSENT };
    if (text->at == text->end)
        return fail(filter, GH_LIST_UNREADABLE);
    if (*text->at != '{' && *text->at != '[')
        return gh_rpc_scalar(text, ret_part) || fail(filter, GH_LIST_UNREADABLE);
    if (++filter->depth > GH_RPC_DEPTH_MAX)
        return fail(filter, GH_LIST_UNREADABLE);
    struct object object = { .place = place, .kind = kind, .named = { .what = GH_RPC_ABSENT } };
    ret_part->what = *text->at++ == '{' ? GH_RPC_OBJECT : GH_RPC_ARRAY;
    bool ok = ret_part->what == GH_RPC_OBJECT ? read_object(filter, &object) : read_array(filter);
    filter->depth--;
    *ret_named = object.named;
    return ok;
}
