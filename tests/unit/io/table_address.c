/* Runs tests/tables/address.cases: socket addresses, CIDR lists, special-use ranges. */
#include "base/str.h"
#include "io/address.h"
#include "support/table.h"

static bool say(struct gh_buf *out, const char *word)
{
    return gh_buf_add(out, gh_str_from(word));
}

static bool describe(const struct gh_address *address, struct gh_buf *out)
{
    char text[GH_ADDRESS_TEXT];
    gh_address_ip_text(address, text);
    return gh_buf_printf(out, "%s %u", text, gh_address_port(address)) &&
           (!gh_address_is_loopback(address) || say(out, " loopback")) &&
           (!gh_address_is_special(address) || say(out, " special"));
}

static bool within(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_address address;
    struct gh_cidr list[8];
    size_t count = 0;
    gh_str host = gh_table_word(&line), word;
    gh_str whole =
        gh_arena_printf(arena, gh_str_contains(host, GH_STR(":")) ? "[%.*s]:0" : "%.*s:0", GH_STR_FMT(host));
    if (gh_address_read(whole, &address) != GH_OK)
        return say(out, "address refused");
    while ((word = gh_table_word(&line)).ptr != NULL && count < GH_ARRAY_LEN(list))
        if (gh_cidr_read(word, &list[count++]) != GH_OK)
            return gh_buf_printf(out, "%.*s refused", GH_STR_FMT(word));
    return say(out, gh_cidrs_have((struct gh_cidrs){ list, count }, &address) ? "yes" : "no");
}

static bool bound(gh_str ip, struct gh_buf *out)
{
    char text[GH_ADDRESS_TEXT];
    gh_str made = gh_str_of(text, gh_address_bound_text(ip, text));
    return gh_buf_add(out, made);
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_address address;
    gh_str verb = gh_table_word(&line);
    bool ok;
    if (gh_str_eq(verb, GH_STR("within")))
        ok = within(arena, line, out);
    else if (gh_str_eq(verb, GH_STR("bound")))
        ok = bound(gh_table_word(&line), out);
    else if (gh_address_read(gh_table_word(&line), &address) != GH_OK)
        ok = say(out, "refused");
    else
        ok = describe(&address, out);
    if (!ok)
        gh_buf_consume(out, gh_buf_len(out));
}

int main(void)
{
    return gh_table_run("address", answer);
}
