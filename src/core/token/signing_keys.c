/* core/token/signing_keys.c: several private keys with their times of birth as one text, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/token/signing.h"
#include "gatehouse/signing_row.h"

/* An RSA key of 4096 bits has 3.3 KB. */
#define PLAIN_MAX     (GH_SIGNING_KEYS_MAX * 4096u)
#define LINE_MAX_HERE 48u

void gh_signing_set_done(struct gh_signing_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        gh_signing_key_unref(set->at[i].key);
    set->count = 0;
}

/* ---- writing ---- */

static enum gh_reason add_key(struct gh_secret *plain, int64_t created, const struct gh_signing_key *key)
{
    struct gh_secret pem = { 0 };
    char line[LINE_MAX_HERE];
    enum gh_reason reason = gh_signing_key_write(key, &pem);
    int len = snprintf(line, sizeof(line), "%lld %zu\n", (long long)created, pem.len);
    if (reason == GH_OK && plain->len + (size_t)len + pem.len > PLAIN_MAX)
        reason = GH_INTERNAL;
    if (reason == GH_OK) {
        memcpy(plain->bytes + plain->len, line, (size_t)len);
        memcpy(plain->bytes + plain->len + len, pem.bytes, pem.len);
        plain->len += (size_t)len + pem.len;
    }
    gh_secret_done(&pem);
    return reason;
}

enum gh_reason gh_signing_keys_write(const struct gh_signing_set *set, struct gh_secret *ret_plain)
{
    struct gh_secret plain = { .bytes = gh_malloc(PLAIN_MAX) };
    enum gh_reason reason = plain.bytes != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < set->count && reason == GH_OK; i++)
        reason = add_key(&plain, set->at[i].created, set->at[i].key);
    if (reason == GH_OK)
        *ret_plain = plain;
    else
        gh_secret_done(&plain);
    return reason;
}

/* ---- reading ---- */

static bool has_kid(const struct gh_signing_set *set, gh_str kid)
{
    for (size_t i = 0; i < set->count; i++)
        if (gh_str_eq(gh_signing_key_kid(set->at[i].key), kid))
            return true;
    return false;
}

/* "CREATED LENGTH\n": what stands behind it is left in *rest. */
static bool read_line(gh_str *rest, uint64_t *ret_created, uint64_t *ret_len)
{
    size_t end = gh_str_find(*rest, '\n');
    if (end >= rest->len || end >= LINE_MAX_HERE)
        return false;
    gh_str line = gh_str_take(*rest, end);
    *rest = gh_str_skip(*rest, end + 1);
    size_t space = gh_str_find(line, ' ');
    return space < line.len && gh_str_to_u64(gh_str_take(line, space), ret_created) &&
           gh_str_to_u64(gh_str_skip(line, space + 1), ret_len) && *ret_created <= INT64_MAX / 2 &&
           *ret_len <= rest->len;
}

static enum gh_reason read_key(gh_str *rest, struct gh_signing_set *set)
{
    uint64_t created, len;
    enum gh_signing_fault fault;
    struct gh_signing_key *key = NULL;
    if (set->count == GH_SIGNING_KEYS_MAX || !read_line(rest, &created, &len))
        return GH_KEYS_MALFORMED;
    enum gh_reason reason = gh_signing_key_read(gh_str_take(*rest, (size_t)len), &fault, &key);
    if (reason != GH_OK)
        return reason;
    *rest = gh_str_skip(*rest, (size_t)len);
    if (has_kid(set, gh_signing_key_kid(key))) {
        gh_signing_key_unref(key);
        return GH_KEYS_MALFORMED;
    }
    set->at[set->count].created = (int64_t)created;
    set->at[set->count++].key = key;
    return GH_OK;
}

enum gh_reason gh_signing_keys_read(gh_str plain, uint64_t number, struct gh_signing_set *ret_set)
{
    struct gh_signing_set set = { .number = number };
    enum gh_reason reason = plain.len > 0 && plain.len <= PLAIN_MAX ? GH_OK : GH_KEYS_MALFORMED;
    while (reason == GH_OK && plain.len > 0)
        reason = read_key(&plain, &set);
    if (reason == GH_OK)
        *ret_set = set;
    else
        gh_signing_set_done(&set);
    return reason;
}
