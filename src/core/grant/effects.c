/* core/grant/effects.c: collects what a grant wants done, and names the rows it is done to. */
#include "gatehouse/effects.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/digest.h"

static bool is_written(const struct gh_effects *effects, gh_str key)
{
    for (size_t i = 0; i < effects->write_count; i++) {
        if (gh_str_eq(effects->writes[i].key, key))
            return true;
    }
    return false;
}

enum gh_reason gh_effects_expect(struct gh_effects *effects, gh_str key, uint64_t version)
{
    for (size_t i = 0; i < effects->precondition_count; i++) {
        if (gh_str_eq(effects->preconditions[i].key, key))
            return effects->preconditions[i].version == version ? GH_OK : GH_INTERNAL;
    }
    if (effects->precondition_count == GH_EFFECTS_MAX || key.len == 0)
        return GH_INTERNAL;
    effects->preconditions[effects->precondition_count++] = (struct gh_precondition){ key, version };
    return GH_OK;
}

static enum gh_reason add_write(struct gh_effects *effects, const struct gh_write *write)
{
    if (effects->write_count == GH_EFFECTS_MAX || write->key.len == 0 || is_written(effects, write->key))
        return GH_INTERNAL;
    effects->writes[effects->write_count++] = *write;
    return GH_OK;
}

enum gh_reason gh_effects_write(struct gh_effects *effects, gh_str key, gh_str value, int64_t expires)
{
    if (value.ptr == NULL || expires < 0)
        return GH_INTERNAL;
    return add_write(effects, &(struct gh_write){ .key = key, .value = value, .expires = expires });
}

enum gh_reason gh_effects_delete(struct gh_effects *effects, gh_str key)
{
    return add_write(effects, &(struct gh_write){ .key = key });
}

enum gh_reason gh_effects_revoke(struct gh_effects *effects, const struct gh_revocation *revocation)
{
    if (effects->revocation_count == GH_EFFECTS_MAX || !gh_revocation_is_sound(revocation))
        return GH_INTERNAL;
    effects->revocations[effects->revocation_count++] = *revocation;
    return GH_OK;
}

gh_str gh_row_key(struct gh_arena *arena, const char *kind, const gh_str *parts, size_t count)
{
    unsigned char hash[32];
    char text[43];
    struct gh_digest digest;
    gh_digest_begin(&digest);
    for (size_t i = 0; i < count; i++)
        gh_digest_part(&digest, parts[i]);
    bool ok = gh_digest_end(&digest, hash);
    gh_digest_done(&digest);
    if (!ok)
        return GH_STR_NONE;
    gh_base64url_encode(gh_str_of(hash, sizeof(hash)), text);
    return gh_arena_printf(arena, "%s/%.*s", kind, (int)sizeof(text), text);
}

const struct gh_stored_row *gh_rows_find(struct gh_rows rows, gh_str key)
{
    for (size_t i = 0; i < rows.count; i++) {
        if (gh_str_eq(rows.at[i].key, key))
            return &rows.at[i];
    }
    return NULL;
}

bool gh_id_is_sound(gh_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_'))
            return false;
    }
    return id.len > 0 && id.len <= 64;
}

bool gh_rows_keep(struct gh_arena *arena, struct gh_rows rows, struct gh_rows *ret_rows)
{
    struct gh_stored_row *at = gh_arena_calloc(arena, rows.count + 1, sizeof(*at));
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < rows.count; i++) {
        at[i] = rows.at[i];
        at[i].key = gh_arena_dup(arena, rows.at[i].key);
        if (rows.at[i].version != 0)
            at[i].value = gh_arena_dup(arena, rows.at[i].value);
        ok = at[i].key.ptr != NULL && (rows.at[i].version == 0 || at[i].value.ptr != NULL);
    }
    if (ok)
        *ret_rows = (struct gh_rows){ at, rows.count };
    return ok;
}
