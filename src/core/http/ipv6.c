/* core/http/ipv6.c: reads IPv6 addresses in any spelling and writes them in one. */
#include "core/http/ipv6.h"

#include "base/str.h"
#include "core/http/chars.h"

#define GROUPS 8u

struct groups {
    uint16_t at[GROUPS];
    unsigned count;
    unsigned gap; /* groups before "::"; GROUPS + 1 without one */
};

static bool groups_read(gh_str text, struct groups *groups);
static bool group_read(gh_str text, uint16_t *ret_group);
static bool quad_read(gh_str text, uint16_t ret_groups[2]);
static void fill_gap(struct groups *groups);
static size_t groups_write(const uint16_t at[GROUPS], char *out);

size_t gh_ipv6_normalise(gh_str text, char ret_text[GH_IPV6_TEXT_MAX])
{
    struct groups groups = { .gap = GROUPS + 1 };
    if (!groups_read(text, &groups))
        return 0;
    if (groups.gap <= GROUPS)
        fill_gap(&groups);
    return groups_write(groups.at, ret_text);
}

static bool groups_read(gh_str text, struct groups *groups)
{
    gh_str rest = text;
    if (gh_str_starts(rest, GH_STR("::"))) {
        groups->gap = 0;
        rest = gh_str_skip(rest, 2);
    }
    while (rest.len != 0) {
        if (groups->count == GROUPS)
            return false;
        size_t end = gh_str_find(rest, ':');
        gh_str part = gh_str_take(rest, end);
        if (gh_str_find(part, '.') < part.len) {
            if (end != rest.len || groups->count > GROUPS - 2 || !quad_read(part, groups->at + groups->count))
                return false;
            groups->count += 2;
            break;
        }
        if (!group_read(part, &groups->at[groups->count++]))
            return false;
        if (end == rest.len)
            break;
        rest = gh_str_skip(rest, end + 1);
        if (rest.len == 0)
            return false; /* one colon at the end */
        if (rest.ptr[0] == ':') {
            if (groups->gap <= GROUPS)
                return false;
            groups->gap = groups->count;
            rest = gh_str_skip(rest, 1);
        }
    }
    return groups->gap <= GROUPS ? groups->count < GROUPS : groups->count == GROUPS;
}

static bool group_read(gh_str text, uint16_t *ret_group)
{
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = gh_char_hex(text.ptr[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    *ret_group = (uint16_t)value;
    return text.len != 0 && text.len <= 4;
}

static bool octets_read(gh_str text, unsigned char ret_octets[4])
{
    unsigned count = 0;
    while (text.ptr != NULL) {
        gh_str part = gh_str_cut(&text, '.');
        uint64_t value;
        if (count == 4 || part.len > 3 || !gh_str_to_u64(part, &value) || value > 255 ||
            (part.len > 1 && part.ptr[0] == '0'))
            return false;
        ret_octets[count++] = (unsigned char)value;
    }
    return count == 4;
}

bool gh_ipv4_is_legal(gh_str text)
{
    unsigned char octets[4];
    return octets_read(text, octets);
}

static bool quad_read(gh_str text, uint16_t ret_groups[2])
{
    unsigned char o[4];
    if (!octets_read(text, o))
        return false;
    ret_groups[0] = (uint16_t)(o[0] << 8 | o[1]);
    ret_groups[1] = (uint16_t)(o[2] << 8 | o[3]);
    return true;
}

static void fill_gap(struct groups *groups)
{
    unsigned behind = groups->count - groups->gap;
    memmove(groups->at + GROUPS - behind, groups->at + groups->gap, behind * sizeof(groups->at[0]));
    memset(groups->at + groups->gap, 0, (GROUPS - groups->count) * sizeof(groups->at[0]));
}

/* RFC 5952 section 4.2.3: the longest run of zero groups becomes "::", the first of equals, and never a run
 * of one. */
static size_t groups_write(const uint16_t at[GROUPS], char *out)
{
    unsigned best = 0, best_len = 1;
    for (unsigned i = 0, run = 0; i < GROUPS; i++) {
        run = at[i] == 0 ? run + 1 : 0;
        if (run > best_len) {
            best_len = run;
            best = i + 1 - run;
        }
    }
    static const char hex[16] = "0123456789abcdef";
    size_t len = 0;
    for (unsigned i = 0; i < GROUPS; i++) {
        if (best_len > 1 && i == best) {
            out[len++] = ':';
            if (i == 0)
                out[len++] = ':';
            i += best_len - 1;
            continue;
        }
        for (int shift = 12, begun = 0; shift >= 0; shift -= 4) {
            unsigned digit = (unsigned)at[i] >> shift & 15;
            begun |= digit != 0 || shift == 0;
            if (begun)
                out[len++] = hex[digit];
        }
        if (i != GROUPS - 1)
            out[len++] = ':';
    }
    return len;
}
