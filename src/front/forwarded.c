/* front/forwarded.c: X-Forwarded-For and -Proto, or Forwarded (RFC 7239), from the nearest proxy backwards.
 */
#include "front/forwarded.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct reading {
    struct gh_cidrs trusted;
    struct gh_forwarded *found;
};

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool node_read(gh_str node, struct gh_address *ret_address)
{
    char text[GH_ADDRESS_TEXT + 16];
    size_t colon = gh_str_find(node, ':');
    bool bracketed = gh_str_starts(node, GH_STR("["));
    bool is_bare_v6 = !bracketed && colon < node.len && gh_str_rfind(node, ':') != colon;
    bool has_port = bracketed ? !gh_str_ends(node, GH_STR("]")) : colon < node.len && !is_bare_v6;
    if (node.len == 0 || node.len > GH_ADDRESS_TEXT || gh_str_starts(node, GH_STR("unix:")))
        return false;
    int len = snprintf(text, sizeof(text), "%s%.*s%s%s", is_bare_v6 ? "[" : "", GH_STR_FMT(node),
                       is_bare_v6 ? "]" : "", has_port ? "" : ":0");
    return gh_address_read(gh_str_of(text, (size_t)len), ret_address) == GH_OK;
}

/* The right-most address that is not a trusted proxy's own, unless junk comes first: everything left of that
 * is hearsay. False when there is no more to look for. */
static bool take_node(struct reading *reading, gh_str node)
{
    struct gh_address address;
    if (!node_read(node, &address))
        return false;
    if (gh_cidrs_have(reading->trusted, &address))
        return true;
    reading->found->has_address = true;
    reading->found->address = address;
    return false;
}

static void take_scheme(struct reading *reading, gh_str scheme)
{
    reading->found->has_scheme = true;
    reading->found->is_https = gh_str_eq_nocase(scheme, GH_STR("https"));
}

/* What stands behind the last comma, which *rest loses with it. Whoever wrote last stands there, and nothing
 * that others wrote before may change how its words are read: a quote opened on the left and never closed,
 * say. With `quotes` a comma counts where those behind it are even; *ret_whole is false when they are odd to
 * the left end. */
static gh_str cut_last(gh_str *rest, bool quotes, bool *ret_whole)
{
    size_t at = rest->len;
    bool open = false;
    while (at > 0 && (open || rest->ptr[at - 1] != ',')) {
        at--;
        open = open != (quotes && rest->ptr[at] == '"');
    }
    gh_str part = gh_str_skip(*rest, at);
    *rest = at > 0 ? gh_str_take(*rest, at - 1) : GH_STR_NONE;
    *ret_whole = !open;
    return gh_str_trim(part);
}

/* ---- X-Forwarded-* ---- */

static void read_x_forwarded(struct reading *reading, const struct gh_headers *headers)
{
    bool whole, more = true;
    const struct gh_header *proto = gh_headers_find(headers, GH_STR("x-forwarded-proto"));
    if (proto != NULL && gh_headers_count(headers, GH_STR("x-forwarded-proto")) == 1)
        take_scheme(reading, proto->value);
    for (size_t i = headers->count; more && i-- > 0;) {
        const struct gh_header *field = &headers->at[i];
        gh_str rest = gh_str_eq(field->name, GH_STR("x-forwarded-for")) ? field->value : GH_STR_NONE;
        while (more && rest.ptr != NULL)
            more = take_node(reading, cut_last(&rest, false, &whole));
    }
}

/* ---- Forwarded (RFC 7239 section 4) ---- */

/* Cuts at the next semicolon outside quotes. */
static gh_str cut_pair(gh_str *rest)
{
    bool quoted = false;
    for (size_t i = 0; i < rest->len; i++) {
        quoted = quoted != (rest->ptr[i] == '"');
        if (rest->ptr[i] != ';' || quoted)
            continue;
        gh_str part = gh_str_take(*rest, i);
        *rest = gh_str_skip(*rest, i + 1);
        return part;
    }
    gh_str part = *rest;
    *rest = GH_STR_NONE;
    return part;
}

/* Escapes inside quotes have no use in an address or a scheme: they make it junk. */
static gh_str unquote(gh_str value)
{
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"')
        return value;
    return gh_str_skip(gh_str_take(value, value.len - 1), 1);
}

/* One proxy's words; the scheme of the nearest alone. Without `for` it has hidden who was before it. */
static bool take_element(struct reading *reading, gh_str element, bool is_nearest)
{
    gh_str node = GH_STR_NONE;
    while (element.ptr != NULL) {
        gh_str value = gh_str_trim(cut_pair(&element));
        gh_str name = gh_str_trim(gh_str_cut(&value, '='));
        value = unquote(gh_str_trim(value));
        if (gh_str_eq_nocase(name, GH_STR("for")))
            node = value;
        else if (is_nearest && gh_str_eq_nocase(name, GH_STR("proto")))
            take_scheme(reading, value);
    }
    return take_node(reading, node);
}

static void read_forwarded(struct reading *reading, const struct gh_headers *headers)
{
    bool whole, more = true, is_nearest = true;
    for (size_t i = headers->count; more && i-- > 0;) {
        const struct gh_header *field = &headers->at[i];
        gh_str rest = gh_str_eq(field->name, GH_STR("forwarded")) ? field->value : GH_STR_NONE;
        while (more && rest.ptr != NULL) {
            gh_str element = cut_last(&rest, true, &whole);
            more = whole && take_element(reading, element, is_nearest);
            is_nearest = false;
        }
    }
}

void gh_forwarded_read(const struct gh_headers *headers, enum gh_forwarded_by by, struct gh_cidrs trusted,
                       struct gh_forwarded *ret_forwarded)
{
    struct reading reading = { .trusted = trusted, .found = ret_forwarded };
    memset(ret_forwarded, 0, sizeof(*ret_forwarded));
    switch (by) {
    case GH_FORWARDED_BY_X:
        read_x_forwarded(&reading, headers);
        break;
    case GH_FORWARDED_BY_RFC7239:
        read_forwarded(&reading, headers);
        break;
    }
}
