/* core/table_endpoint.c: what of a stream passes, at every cut of its bytes; where an endpoint's address
 * leads. */
#include "gatehouse/endpoint.h"
#include "support/table.h"

#include "base/str.h"

/* What passes of the pieces that `size` (0: all at once) and `first` cut; the address becomes "@". */
static enum gh_reason pass(gh_str stream, size_t first, size_t size, struct gh_buf *out)
{
    struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
    enum gh_reason reason = reader != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    while (reason == GH_OK && stream.len > 0) {
        gh_str bytes = gh_str_take(stream, first != 0 ? first : size != 0 ? size : stream.len);
        stream = gh_str_skip(stream, bytes.len);
        first = 0;
        while (reason == GH_OK && bytes.len > 0) {
            struct gh_endpoint_piece piece;
            reason = gh_endpoint_read(reader, &bytes, &piece);
            if (reason == GH_OK && (!gh_buf_add(out, piece.before) ||
                                    !gh_buf_add(out, piece.url.ptr != NULL ? GH_STR("@") : GH_STR_NONE) ||
                                    (piece.url.ptr != NULL && !gh_buf_add(out, piece.after))))
                reason = GH_OUT_OF_MEMORY;
        }
    }
    gh_endpoint_reader_free(reader);
    return reason;
}

/* Of what is refused more or less may have passed before, as it came. */
static bool agrees(gh_str stream, size_t first, size_t size, enum gh_reason wanted, gh_str whole)
{
    struct gh_buf out = { 0 };
    enum gh_reason reason = pass(stream, first, size, &out);
    bool same = reason == wanted && (reason != GH_OK || gh_str_eq(gh_buf_peek(&out), whole));
    gh_buf_done(&out);
    return same;
}

static bool tell_stream(gh_str stream, struct gh_buf *out)
{
    struct gh_buf whole = { 0 };
    enum gh_reason reason = pass(stream, 0, 0, &whole);
    bool same = agrees(stream, 0, 1, reason, gh_buf_peek(&whole));
    for (size_t cut = 1; same && cut < stream.len; cut++)
        same = agrees(stream, cut, 0, reason, gh_buf_peek(&whole)) &&
               agrees(stream, 0, cut, reason, gh_buf_peek(&whole));
    bool ok;
    if (!same)
        ok = gh_buf_printf(out, "another cut, another answer");
    else if (reason != GH_OK)
        ok = gh_buf_printf(out, "%s", gh_reason_row(reason)->slug);
    else
        ok = gh_buf_add(out, gh_buf_peek(&whole));
    gh_buf_done(&whole);
    return ok;
}

static bool tell_address(struct gh_arena *arena, gh_str rest, struct gh_buf *out)
{
    struct gh_url from;
    gh_str base = gh_str_cut(&rest, ' '), target;
    if (gh_url_read(arena, base, &from) != GH_OK)
        return gh_buf_printf(out, "no URL");
    enum gh_reason reason = gh_endpoint_resolve(arena, &from, rest, &target);
    return reason == GH_OK ? gh_buf_printf(out, "%.*s", GH_STR_FMT(target))
                           : gh_buf_printf(out, "%s", gh_reason_row(reason)->slug);
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str rest = line;
    bool is_stream = gh_str_eq(gh_str_cut(&rest, ' '), GH_STR("stream"));
    if (!(is_stream ? tell_stream(rest, out) : tell_address(arena, rest, out)))
        return;
}

int main(void)
{
    return gh_table_run("endpoint", answer);
}
