/* core/grant/revocation.c: revocations as log lines and as keys, and what a principal depends on. */
#include "gatehouse/revocation.h"

#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/digest.h"

/*  0  1  2      10     18
 *  |'1'|level|epoch|until| three times: length (4), bytes: tenant, issuer name, id |
 * Numbers are big-endian. The level is '0' and up. */
#define VERSION  '1'
#define HEAD     18u
#define PART_MAX (64u * 1024)

static char *put_number(char *out, uint64_t value, size_t width);
static uint64_t get_number(const char *from, size_t width);
static bool take_part(gh_str *rest, gh_str *ret_part);

static const gh_str names[GH_REVOKED_COUNT] = {
    [GH_REVOKED_TENANT] = GH_STR_INIT("tenant"),     [GH_REVOKED_USER] = GH_STR_INIT("user"),
    [GH_REVOKED_CLIENT] = GH_STR_INIT("client"),     [GH_REVOKED_AGENT] = GH_STR_INIT("agent"),
    [GH_REVOKED_INSTANCE] = GH_STR_INIT("instance"), [GH_REVOKED_GRANT] = GH_STR_INIT("grant"),
    [GH_REVOKED_TOKEN] = GH_STR_INIT("token"),
};

gh_str gh_revoked_name(enum gh_revoked level)
{
    return (unsigned)level < GH_REVOKED_COUNT ? names[level] : GH_STR("");
}

bool gh_revoked_read(gh_str name, enum gh_revoked *ret_level)
{
    for (unsigned level = 0; level < GH_REVOKED_COUNT; level++) {
        if (!gh_str_eq(names[level], name))
            continue;
        *ret_level = (enum gh_revoked)level;
        return true;
    }
    return false;
}

bool gh_revocation_is_sound(const struct gh_revocation *revocation)
{
    unsigned level = (unsigned)revocation->level;
    bool is_id = level == GH_REVOKED_GRANT || level == GH_REVOKED_TOKEN;
    bool is_whole = level == GH_REVOKED_TENANT;
    size_t tenant = revocation->tenant.len, issuer = revocation->issuer_name.len, id = revocation->id.len;
    if (level >= GH_REVOKED_COUNT || tenant == 0 || (issuer == 0) != is_whole || (id == 0) != is_whole)
        return false;
    if (tenant > PART_MAX || issuer > PART_MAX || id > PART_MAX)
        return false;
    bool is_time = revocation->epoch >= 0 && revocation->until >= 0;
    return is_time && (!is_id || revocation->epoch == GH_REVOKED_ALWAYS);
}

/* ---- lines ---- */

gh_str gh_revocation_write(struct gh_arena *arena, const struct gh_revocation *revocation)
{
    const gh_str parts[] = { revocation->tenant, revocation->issuer_name, revocation->id };
    size_t len = HEAD;
    for (size_t i = 0; i < GH_ARRAY_LEN(parts); i++)
        len += 4 + parts[i].len;
    char *line = gh_arena_alloc(arena, len), *out = line;
    if (line == NULL)
        return GH_STR_NONE;
    *out++ = VERSION;
    *out++ = (char)('0' + (int)revocation->level);
    out = put_number(out, (uint64_t)revocation->epoch, 8);
    out = put_number(out, (uint64_t)revocation->until, 8);
    for (size_t i = 0; i < GH_ARRAY_LEN(parts); i++) {
        out = put_number(out, parts[i].len, 4);
        if (parts[i].len > 0)
            out = mempcpy(out, parts[i].ptr, parts[i].len);
    }
    return gh_str_of(line, len);
}

static char *put_number(char *out, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        out[i] = (char)(value >> (8 * (width - 1 - i)) & 0xff);
    return out + width;
}

static uint64_t get_number(const char *from, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | (unsigned char)from[i];
    return value;
}

enum gh_reason gh_revocation_read(gh_str text, struct gh_revocation *ret_revocation)
{
    if (text.len < HEAD || text.ptr[0] != VERSION)
        return GH_STORE_MALFORMED;
    struct gh_revocation revocation = {
        .level = (enum gh_revoked)((unsigned char)text.ptr[1] - (unsigned)'0'),
        .epoch = (int64_t)get_number(text.ptr + 2, 8),
        .until = (int64_t)get_number(text.ptr + 10, 8),
    };
    gh_str rest = gh_str_skip(text, HEAD);
    if (!take_part(&rest, &revocation.tenant) || !take_part(&rest, &revocation.issuer_name) ||
        !take_part(&rest, &revocation.id) || rest.len != 0 || !gh_revocation_is_sound(&revocation))
        return GH_STORE_MALFORMED;
    *ret_revocation = revocation;
    return GH_OK;
}

static bool take_part(gh_str *rest, gh_str *ret_part)
{
    if (rest->len < 4)
        return false;
    size_t len = (size_t)get_number(rest->ptr, 4);
    *rest = gh_str_skip(*rest, 4);
    if (len > rest->len)
        return false;
    *ret_part = gh_str_take(*rest, len);
    *rest = gh_str_skip(*rest, len);
    return true;
}

/* ---- keys ---- */

static bool put_key(struct gh_digest *digest, const struct gh_revocation *named,
                    struct gh_revocation_key *key)
{
    unsigned char hash[32];
    const char level = (char)('0' + (int)named->level);
    gh_digest_part(digest, gh_str_of(&level, 1));
    gh_digest_part(digest, named->tenant);
    gh_digest_part(digest, named->issuer_name);
    gh_digest_part(digest, named->id);
    if (!gh_digest_end(digest, hash))
        return false;
    memcpy(key->hash, hash, sizeof(key->hash));
    return true;
}

enum gh_reason gh_revocation_key(const struct gh_revocation *revocation, struct gh_revocation_key *ret_key)
{
    struct gh_digest digest;
    gh_digest_begin(&digest);
    bool ok = put_key(&digest, revocation, ret_key);
    gh_digest_done(&digest);
    return ok ? GH_OK : GH_OUT_OF_MEMORY;
}

/* ---- principals ---- */

gh_str gh_token_id(const struct gh_principal *principal, gh_str content, char buffer[GH_TOKEN_ID_DIGEST])
{
    if (principal->jti.len != 0)
        return principal->jti;
    unsigned char hash[32];
    struct gh_digest digest;
    gh_digest_begin(&digest);
    gh_digest_bytes(&digest, content);
    bool ok = gh_digest_end(&digest, hash);
    gh_digest_done(&digest);
    if (!ok)
        return GH_STR_NONE;
    memcpy(buffer, "sha256:", 7);
    gh_base64url_encode(gh_str_of(hash, sizeof(hash)), buffer + 7);
    return gh_str_of(buffer, GH_TOKEN_ID_DIGEST);
}

/* The one who acts: the outermost actor, or an agent that acts for itself. */
static gh_str agent_of(const struct gh_principal *principal)
{
    if (principal->actor_count > 0)
        return principal->actors[0].sub;
    return principal->kind == GH_PRINCIPAL_AGENT ? principal->subject : GH_STR_NONE;
}

/* No token here is bound to a key (GH_TOKEN_BOUND), so none depends on an instance. */
enum gh_reason gh_dependencies_of(gh_str tenant, const struct gh_principal *principal, gh_str content,
                                  struct gh_dependencies *ret_dependencies)
{
    char buffer[GH_TOKEN_ID_DIGEST];
    gh_str token = gh_token_id(principal, content, buffer);
    if (token.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    const gh_str ids[GH_REVOKED_COUNT] = {
        [GH_REVOKED_USER] = principal->subject,
        [GH_REVOKED_CLIENT] = principal->client,
        [GH_REVOKED_AGENT] = agent_of(principal),
        [GH_REVOKED_GRANT] = principal->grant,
        [GH_REVOKED_TOKEN] = token,
    };
    struct gh_dependencies dependencies = { .issued = principal->issued };
    struct gh_digest digest;
    gh_digest_begin(&digest);
    bool ok = true;
    for (unsigned level = 0; ok && level < GH_REVOKED_COUNT; level++) {
        struct gh_revocation named = { .level = (enum gh_revoked)level, .tenant = tenant, .id = ids[level] };
        if (level != GH_REVOKED_TENANT)
            named.issuer_name = principal->issuer_name;
        if (level == GH_REVOKED_TENANT || ids[level].len > 0)
            ok = put_key(&digest, &named, &dependencies.at[dependencies.count++]);
    }
    gh_digest_done(&digest);
    if (!ok)
        return GH_OUT_OF_MEMORY;
    *ret_dependencies = dependencies;
    return GH_OK;
}
