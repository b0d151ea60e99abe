/* Runs tests/tables/forwarded.cases: what trusted proxies say of the client, by either family of fields. */
#include "base/str.h"
#include "front/forwarded.h"
#include "support/table.h"

static const struct gh_cidr trusted[] = {
    { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 0 }, 104 }, /* 10.0.0.0/8 */
};

/* One field a line, as in "x-forwarded-for: a, b | forwarded: for=c". */
static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_headers headers;
    if (gh_headers_init(&headers, arena, 8) != GH_OK)
        return;
    bool by_x = gh_str_eq(gh_table_word(&line), GH_STR("x"));
    while (line.ptr != NULL) {
        gh_str value = gh_str_trim(gh_str_cut(&line, '|'));
        gh_str name = gh_str_cut(&value, ':');
        if (gh_headers_add(&headers, name, gh_str_trim(value)) != GH_OK)
            return;
    }
    struct gh_forwarded found;
    char text[GH_ADDRESS_TEXT] = "nobody";
    gh_forwarded_read(&headers, by_x ? GH_FORWARDED_BY_X : GH_FORWARDED_BY_RFC7239,
                      (struct gh_cidrs){ trusted, GH_ARRAY_LEN(trusted) }, &found);
    if (found.has_address)
        (void)gh_address_ip_text(&found.address, text);
    (void)!gh_buf_printf(out, "%s%s", text, !found.has_scheme ? "" : found.is_https ? " https" : " http");
}

int main(void)
{
    return gh_table_run("forwarded", answer);
}
