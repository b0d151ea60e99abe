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

/* The right-most address that is not a trusted proxy's own: everything left of it is hearsay. */
static void take_node(struct reading *reading, gh_str node)
{
    struct gh_address address;
    if (!node_read(node, &address)) {
        reading->found->has_address = false; /* junk: nothing further left may count */
    } else if (!gh_cidrs_have(reading->trusted, &address)) {
        reading->found->has_address = true;
        reading->found->address = address;
    }
}

static void take_scheme(struct reading *reading, gh_str scheme)
{
    reading->found->has_scheme = true;
    reading->found->is_https = gh_str_eq_nocase(scheme, GH_STR("https"));
}

/* ---- X-Forwarded-* ---- */

static void read_x_forwarded(struct reading *reading, const struct gh_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct gh_header *field = &headers->at[i];
        gh_str rest = gh_str_eq(field->name, GH_STR("x-forwarded-for")) ? field->value : GH_STR_NONE;
        while (rest.ptr != NULL)
            take_node(reading, gh_str_trim(gh_str_cut(&rest, ',')));
    }
    const struct gh_header *proto = gh_headers_find(headers, GH_STR("x-forwarded-proto"));
    if (proto != NULL && gh_headers_count(headers, GH_STR("x-forwarded-proto")) == 1)
        take_scheme(reading, proto->value);
}

/* ---- Forwarded (RFC 7239 section 4) ---- */

/* Cuts at the next `at` outside quotes. */
static gh_str cut_unquoted(gh_str *rest, char at)
{
    bool quoted = false;
    for (size_t i = 0; i < rest->len; i++) {
        quoted = quoted != (rest->ptr[i] == '"');
        if (rest->ptr[i] != at || quoted)
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

/* One proxy's words. Without `for` it has hidden who was before it. */
static void take_element(struct reading *reading, gh_str element)
{
    gh_str node = GH_STR_NONE;
    reading->found->has_scheme = false;
    while (element.ptr != NULL) {
        gh_str value = gh_str_trim(cut_unquoted(&element, ';'));
        gh_str name = gh_str_trim(gh_str_cut(&value, '='));
        value = unquote(gh_str_trim(value));
        if (gh_str_eq_nocase(name, GH_STR("for")))
            node = value;
        else if (gh_str_eq_nocase(name, GH_STR("proto")))
            take_scheme(reading, value);
    }
    take_node(reading, node);
}

static void read_forwarded(struct reading *reading, const struct gh_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct gh_header *field = &headers->at[i];
        gh_str rest = gh_str_eq(field->name, GH_STR("forwarded")) ? field->value : GH_STR_NONE;
        while (rest.ptr != NULL)
            take_element(reading, gh_str_trim(cut_unquoted(&rest, ',')));
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
