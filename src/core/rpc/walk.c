/* core/rpc/walk.c: reads a JSON text strictly, once, and keeps nothing of it but a few values and, until the
 * end, which names each object has had. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "core/json/string.h"
#include "core/rpc/text.h"

/* What escaped strings mean, of one message. */
#define MEANINGS_MAX 16384u

struct gh_rpc_scanner {
    struct gh_rpc_limits limits;
    uint64_t seed[2];
    size_t mask;     /* of slots */
    uint64_t *slots; /* hashes of (object, name), 0: free; at most half of them are taken */
    uint32_t *taken; /* which, so that a scan leaves none */
    size_t taken_count;
    char meanings[MEANINGS_MAX];
    size_t meant;
    struct gh_rpc_value values[GH_RPC_VALUES_MAX];
};

struct walk {
    struct gh_rpc_text text;
    struct gh_rpc_scanner *scanner;
    const struct gh_rpc_paths *paths;
    struct gh_rpc_found *found;
    int64_t depth;
    int64_t members;
    uint64_t objects; /* whose names lie in the table: each has a number */
    enum gh_reason why;
};

/* What a value is to us. */
struct spot {
    enum gh_rpc_role role;
    const struct gh_rpc_path *path; /* NULL: nobody reads on from here */
};

static bool read_value(struct walk *walk, struct spot spot, struct gh_rpc_part *ret_part);

/* ---- the scanner ---- */

struct gh_rpc_scanner *gh_rpc_scanner_new(const struct gh_rpc_limits *limits, const uint64_t seed[2])
{
    size_t slots = 64;
    while (slots < 2 * (size_t)limits->members)
        slots *= 2;
    struct gh_rpc_scanner *scanner = gh_calloc(1, sizeof(*scanner));
    if (scanner == NULL)
        return NULL;
    scanner->limits = *limits;
    scanner->seed[0] = seed[0];
    scanner->seed[1] = seed[1];
    scanner->mask = slots - 1;
    scanner->slots = gh_calloc(slots, sizeof(*scanner->slots));
    scanner->taken = gh_calloc((size_t)limits->members, sizeof(*scanner->taken));
    if (scanner->slots != NULL && scanner->taken != NULL)
        return scanner;
    gh_rpc_scanner_free(scanner);
    return NULL;
}

void gh_rpc_scanner_free(struct gh_rpc_scanner *scanner)
{
    if (scanner == NULL)
        return;
    free(scanner->slots);
    free(scanner->taken);
    free(scanner);
}

static void forget_names(struct gh_rpc_scanner *scanner)
{
    while (scanner->taken_count > 0)
        scanner->slots[scanner->taken[--scanner->taken_count]] = 0;
}

struct gh_rpc_value *gh_rpc_values(struct gh_rpc_scanner *scanner)
{
    return scanner->values;
}

enum gh_reason gh_rpc_meaning(struct gh_rpc_scanner *scanner, const struct gh_rpc_part *part,
                              gh_str *ret_meaning)
{
    if (!part->is_escaped) {
        *ret_meaning = part->raw;
        return GH_OK;
    }
    /* The reader wants the closing quote. */
    if (part->raw.len + 1 > MEANINGS_MAX - scanner->meant)
        return GH_RPC_LIMITS;
    char *at = scanner->meanings + scanner->meant;
    memcpy(at, part->raw.ptr, part->raw.len + 1);
    gh_str meaning;
    const char *end = at + part->raw.len + 1;
    if (!gh_json_string_read(&at, end, &meaning))
        return GH_RPC_JSON;
    scanner->meant += meaning.len;
    *ret_meaning = meaning;
    return GH_OK;
}

/* ---- the text ---- */

static bool fail(struct walk *walk, enum gh_reason why)
{
    walk->why = why;
    return false;
}

enum gh_reason gh_rpc_walk(struct gh_rpc_scanner *scanner, const struct gh_rpc_paths *paths, gh_str text,
                           struct gh_rpc_found *found)
{
    if (text.len == 0)
        return GH_RPC_JSON;
    struct walk walk = { .text = { text.ptr, text.ptr + text.len },
                         .scanner = scanner,
                         .paths = paths,
                         .found = found,
                         .why = GH_OK };
    struct gh_rpc_part whole;
    scanner->meant = 0;
    gh_rpc_space(&walk.text);
    bool ok = read_value(&walk, (struct spot){ GH_RPC_ENVELOPE, NULL }, &whole);
    gh_rpc_space(&walk.text);
    forget_names(scanner);
    if (!ok)
        return walk.why;
    if (walk.text.at != walk.text.end)
        return GH_RPC_JSON;
    return whole.what == GH_RPC_OBJECT ? GH_OK : GH_RPC_MESSAGE;
}

/* ---- values ---- */

/* A scalar was read, or was none. */
static bool is_fine(struct walk *walk, bool was_read, const struct gh_rpc_part *part)
{
    if (!was_read)
        return fail(walk, GH_RPC_JSON);
    bool fits = part->what != GH_RPC_STRING || (int64_t)part->raw.len <= walk->scanner->limits.string;
    return fits || fail(walk, GH_RPC_LIMITS);
}

/* What stands there is kept where somebody asked for it. */
static bool read_step(struct walk *walk, struct spot spot, struct gh_rpc_part *part)
{
    if (!read_value(walk, spot, part))
        return false;
    if (spot.path != NULL && spot.path->slot < GH_RPC_VALUES_MAX)
        walk->found->values[spot.path->slot] = *part;
    return true;
}

static bool read_array(struct walk *walk, const struct gh_rpc_path *path)
{
    struct gh_rpc_part item;
    size_t index = 0;
    gh_rpc_space(&walk->text);
    if (gh_rpc_take(&walk->text, ']'))
        return true;
    do {
        gh_rpc_space(&walk->text);
        const struct spot spot = { GH_RPC_FREE, path != NULL ? gh_rpc_path_item(path, index++) : NULL };
        if (!read_step(walk, spot, &item))
            return false;
        gh_rpc_space(&walk->text);
    } while (gh_rpc_take(&walk->text, ','));
    return gh_rpc_take(&walk->text, ']') || fail(walk, GH_RPC_JSON);
}

/* ---- objects ---- */

/* Most objects have few members: those are compared one by one. */
#define FEW 8u
struct object {
    struct spot spot;
    uint64_t number; /* 0: its names do not lie in the table */
    unsigned count;
    gh_str few[FEW];
};

/* One hash says object and name; two that are equal by chance, one in 2^64, are refused like a duplicate. */
static bool add_to_table(struct walk *walk, const struct object *object, gh_str name)
{
    struct gh_rpc_scanner *scanner = walk->scanner;
    const uint64_t seed[2] = { scanner->seed[0] ^ object->number, scanner->seed[1] };
    uint64_t hash = gh_hash(seed, name) | 1;
    size_t slot = (hash >> 1) & scanner->mask;
    while (scanner->slots[slot] != 0) {
        if (scanner->slots[slot] == hash)
            return fail(walk, GH_RPC_DUPLICATE);
        slot = (slot + 1) & scanner->mask;
    }
    scanner->slots[slot] = hash;
    scanner->taken[scanner->taken_count++] = (uint32_t)slot;
    return true;
}

static bool move_to_table(struct walk *walk, struct object *object)
{
    object->number = ++walk->objects;
    for (unsigned i = 0; i < object->count; i++)
        if (!add_to_table(walk, object, object->few[i]))
            return false;
    return true;
}

/* `lasts`: the name lies in the text. */
static bool remember_name(struct walk *walk, struct object *object, gh_str name, bool lasts)
{
    if (++walk->members > walk->scanner->limits.members)
        return fail(walk, GH_RPC_LIMITS);
    if (object->number == 0 && (object->count == FEW || !lasts) && !move_to_table(walk, object))
        return false;
    if (object->number != 0)
        return add_to_table(walk, object, name);
    for (unsigned i = 0; i < object->count; i++)
        if (gh_str_eq(object->few[i], name))
            return fail(walk, GH_RPC_DUPLICATE);
    object->few[object->count++] = name;
    return true;
}

/* What the member of that name is to us. */
struct meant {
    const struct gh_rpc_member *member; /* NULL: nothing of the protocol */
    const struct gh_rpc_path *path;
};

static bool look_up(const struct object *object, gh_str name, struct meant *ret_meant)
{
    bool is_twin, is_twin_on_path = false;
    ret_meant->member = gh_rpc_member_find(object->spot.role, name, &is_twin);
    if (object->spot.path != NULL)
        ret_meant->path = gh_rpc_path_member(object->spot.path, name, &is_twin_on_path);
    return (ret_meant->member != NULL || !is_twin) && (ret_meant->path != NULL || !is_twin_on_path);
}

/* Up to the colon. */
static bool read_name(struct walk *walk, struct object *object, struct meant *ret_meant)
{
    struct gh_rpc_part part;
    gh_rpc_space(&walk->text);
    if (!gh_rpc_take(&walk->text, '"'))
        return fail(walk, GH_RPC_JSON);
    if (!is_fine(walk, gh_rpc_string(&walk->text, &part), &part))
        return false;
    gh_str name = part.raw;
    if (part.is_escaped) {
        size_t meant = walk->scanner->meant; /* what names mean is not kept */
        enum gh_reason reason = gh_rpc_meaning(walk->scanner, &part, &name);
        walk->scanner->meant = meant;
        if (reason != GH_OK)
            return fail(walk, reason);
    }
    bool is_free = object->spot.role == GH_RPC_FREE && object->spot.path == NULL;
    *ret_meant = (struct meant){ NULL, NULL };
    if (!is_free && !look_up(object, name, ret_meant))
        return fail(walk, GH_RPC_DUPLICATE);
    if (!remember_name(walk, object, name, !part.is_escaped))
        return false;
    gh_rpc_space(&walk->text);
    return gh_rpc_take(&walk->text, ':') || fail(walk, GH_RPC_JSON);
}

static bool read_member(struct walk *walk, struct object *object)
{
    struct meant meant;
    struct gh_rpc_part part;
    if (!read_name(walk, object, &meant))
        return false;
    struct spot spot = { meant.member != NULL ? meant.member->role : GH_RPC_FREE, meant.path };
    if (spot.role == GH_RPC_ARGUMENTS && walk->paths != NULL)
        spot.path = &walk->paths->root;
    gh_rpc_space(&walk->text);
    if (!read_step(walk, spot, &part))
        return false;
    if (meant.member != NULL && meant.member->place != GH_RPC_AT_NONE)
        walk->found->parts[meant.member->place] = part;
    gh_rpc_space(&walk->text);
    return true;
}

static bool read_object(struct walk *walk, struct spot spot)
{
    struct object object;
    object.spot = spot;
    object.number = 0;
    object.count = 0;
    gh_rpc_space(&walk->text);
    if (gh_rpc_take(&walk->text, '}'))
        return true;
    do {
        if (!read_member(walk, &object))
            return false;
    } while (gh_rpc_take(&walk->text, ','));
    return gh_rpc_take(&walk->text, '}') || fail(walk, GH_RPC_JSON);
}

static bool read_nested(struct walk *walk, struct spot spot, struct gh_rpc_part *part)
{
    const char *start = walk->text.at;
    bool is_object = *walk->text.at++ == '{';
    if (++walk->depth > walk->scanner->limits.depth)
        return fail(walk, GH_RPC_LIMITS);
    bool ok = is_object ? read_object(walk, spot) : read_array(walk, spot.path);
    walk->depth--;
    *part = (struct gh_rpc_part){ .what = is_object ? GH_RPC_OBJECT : GH_RPC_ARRAY,
                                  .raw = gh_str_of(start, (size_t)(walk->text.at - start)) };
    return ok;
}

/* At its first byte. */
static bool read_value(struct walk *walk, struct spot spot, struct gh_rpc_part *ret_part)
{
    if (walk->text.at == walk->text.end)
        return fail(walk, GH_RPC_JSON);
    if (*walk->text.at == '{' || *walk->text.at == '[')
        return read_nested(walk, spot, ret_part);
    return is_fine(walk, gh_rpc_scalar(&walk->text, ret_part), ret_part);
}
