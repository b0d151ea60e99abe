/* issuer/person.c: accounts as rows: one by id, one that finds it by name. */
#include "base/str.h"
#include "core/grant/rows.h"
#include "issuer/flow.h"

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
                                .created = gh_get_number(&value, "created", &ok),
                                .key = row->key,
                                .version = row->version };
    if (!ok || person.id.len == 0 || person.password.len == 0)
        return GH_STORE_MALFORMED;
    *ret_person = person;
    return GH_OK;
}

enum gh_reason gh_person_put(struct gh_issuer_request *r, const struct gh_person *person)
{
    struct gh_text text = { .arena = r->x->arena };
    gh_put_text(&text, "id", person->id);
    gh_put_text(&text, "name", person->name);
    gh_put_text(&text, "password", person->password);
    gh_put_number(&text, "created", person->created);
    gh_str value = gh_put_end(&text);
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(&r->effects, person->key, person->version);
    return reason == GH_OK ? gh_effects_write(&r->effects, person->key, value, 0) : reason;
}

void gh_issuer_name(struct gh_issuer_request *r, gh_str user, gh_str client)
{
    struct gh_principal *principal = GH_ARENA_NEW(r->x->arena, struct gh_principal);
    if (principal == NULL) /* the line says less, then */
        return;
    principal->issuer_name = r->managed->name;
    principal->issuer = r->managed->policy.issuer;
    principal->subject = user;
    principal->client = client;
    principal->scopes = r->request.scopes;
    r->x->principal = principal;
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
