/* issuer/person.c: accounts as rows: one by id, one that finds it by name; and links as rows that name one.
 */
#include "issuer/person.h"

#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/json/string.h"

/* A session begins at most a second behind an epoch or `since` that is not ahead of its time. */
int64_t gh_person_end_sessions(struct gh_person *person, int64_t now)
{
    person->since = (person->since > now ? person->since : now) + 1;
    return person->since;
}

/* ---- names and ids ---- */

gh_str gh_person_key(struct gh_arena *arena, gh_str id)
{
    return gh_arena_printf(arena, "user/%.*s", GH_STR_FMT(id));
}

gh_str gh_person_name_key(struct gh_arena *arena, gh_str name)
{
    char *lower = gh_arena_alloc(arena, name.len + 1);
    if (lower == NULL)
        return GH_STR_NONE;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32) : name.ptr[i];
    const gh_str part = gh_str_of(lower, name.len);
    return gh_row_key(arena, "user-name", &part, 1);
}

bool gh_person_name_is_sound(gh_str name)
{
    size_t at = 0;
    while (at < name.len) {
        size_t width = gh_utf8_width(name.ptr + at, name.ptr + name.len);
        if (width == 0 || name.ptr[at] == 0x7f)
            return false;
        at += width;
    }
    return name.len > 0 && name.len <= GH_PERSON_NAME_MAX && !gh_str_starts(name, GH_STR(GH_PERSON_ID));
}

/* ---- rows ---- */

enum gh_reason gh_person_read(struct gh_arena *arena, const struct gh_stored_row *row,
                              struct gh_person *ret_person)
{
    struct gh_json value;
    bool ok = true;
    enum gh_reason reason =
        gh_json_read(arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    struct gh_person person = { .id = gh_get_text(&value, "id", &ok),
                                .name = gh_get_text(&value, "name", &ok),
                                .password = gh_get_text(&value, "password", &ok),
                                .identity = gh_get_text(&value, "identity", &ok),
                                .provider = gh_get_text(&value, "provider", &ok),
                                .link = gh_get_text(&value, "link", &ok),
                                .disabled = gh_get_true(&value, "disabled", &ok),
                                .since = gh_get_number(&value, "since", &ok),
                                .created = gh_get_number(&value, "created", &ok),
                                .key = row->key,
                                .version = row->version };
    if (!ok || person.id.len == 0)
        return GH_STORE_MALFORMED;
    *ret_person = person;
    return GH_OK;
}

enum gh_reason gh_person_put(struct gh_arena *arena, const struct gh_person *person,
                             struct gh_effects *effects)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "id", person->id);
    gh_put_text(&text, "name", person->name);
    gh_put_text(&text, "password", person->password);
    gh_put_text(&text, "identity", person->identity);
    gh_put_text(&text, "provider", person->provider);
    gh_put_text(&text, "link", person->link);
    gh_put_true(&text, "disabled", person->disabled);
    if (person->since > 0)
        gh_put_number(&text, "since", person->since);
    gh_put_number(&text, "created", person->created);
    gh_str value = gh_put_end(&text);
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(effects, person->key, person->version);
    return reason == GH_OK ? gh_effects_write(effects, person->key, value, 0) : reason;
}

enum gh_reason gh_person_add(struct gh_arena *arena, const struct gh_person *person,
                             struct gh_effects *effects)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "user", person->id);
    gh_str value = gh_put_end(&text), name_key = gh_person_name_key(arena, person->name);
    if (person->id.ptr == NULL || person->key.ptr == NULL || value.ptr == NULL || name_key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_person_put(arena, person, effects);
    if (reason == GH_OK)
        reason = gh_effects_expect(effects, name_key, 0);
    return reason == GH_OK ? gh_effects_write(effects, name_key, value, 0) : reason;
}

enum gh_reason gh_person_id(struct gh_arena *arena, gh_str value, gh_str *ret_id)
{
    struct gh_json row;
    bool ok = true;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    gh_str id = gh_get_text(&row, "user", &ok);
    if (!ok || id.len == 0)
        return GH_STORE_MALFORMED;
    *ret_id = id;
    return GH_OK;
}

/* ---- links ---- */

gh_str gh_link_key(struct gh_arena *arena, gh_str secret)
{
    return gh_row_key(arena, "link", &secret, 1);
}

enum gh_reason gh_link_end(struct gh_person *person, struct gh_effects *effects)
{
    gh_str link = person->link;
    person->link = GH_STR("");
    return link.len > 0 ? gh_effects_delete(effects, link) : GH_OK;
}

enum gh_reason gh_link_put(struct gh_arena *arena, struct gh_person *person, gh_str secret, int64_t now,
                           struct gh_effects *effects)
{
    struct gh_text text = { .arena = arena };
    enum gh_reason reason = gh_link_end(person, effects);
    gh_put_text(&text, "user", person->id);
    gh_str value = gh_put_end(&text);
    person->password = GH_STR("");
    person->link = gh_link_key(arena, secret);
    if (value.ptr == NULL || person->link.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    return reason == GH_OK ? gh_effects_write(effects, person->link, value, now + GH_LINK_S) : reason;
}
