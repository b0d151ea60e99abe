/* fuzz/sse_reader.c: events of a stream as the WHATWG's standard has them read, which the endpoint's reader
 * must not differ from. */
#include "fuzz/sse_reader.h"

#include "fuzz/fuzz.h"
#include "gatehouse/endpoint.h"

enum gh_reason gh_fuzz_endpoint_pass(gh_str first, gh_str second, struct gh_buf *out)
{
    gh_str pieces[] = { first, second };
    struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; i < GH_ARRAY_LEN(pieces); i++)
        while (reason == GH_OK && pieces[i].len > 0) {
            struct gh_endpoint_piece piece;
            reason = gh_endpoint_read(reader, &pieces[i], &piece);
            if (reason != GH_OK)
                break;
            gh_str address = piece.url.ptr != NULL ? GH_STR("@") : GH_STR_NONE;
            GH_HOLDS(gh_buf_add(out, piece.before) && gh_buf_add(out, address) &&
                     gh_buf_add(out, piece.after));
        }
    gh_endpoint_reader_free(reader);
    return reason;
}

/* One line, and *rest behind its end; false when it has none: an event that is not whole is not dispatched.
 */
static bool next_line(gh_str *rest, gh_str *ret_line)
{
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->ptr[i] != '\r' && rest->ptr[i] != '\n')
            continue;
        bool both = rest->ptr[i] == '\r' && i + 1 < rest->len && rest->ptr[i + 1] == '\n';
        *ret_line = gh_str_take(*rest, i);
        *rest = gh_str_skip(*rest, i + (both ? 2 : 1));
        return true;
    }
    return false;
}

size_t gh_fuzz_endpoints(gh_str stream, bool ours)
{
    gh_str line, name = GH_STR_NONE;
    size_t found = 0, datas = 0, addresses = 0;
    if (gh_str_starts(stream, GH_STR("\xef\xbb\xbf")))
        stream = gh_str_skip(stream, 3);
    while (next_line(&stream, &line)) {
        if (line.len == 0) { /* dispatched unless its data is empty */
            bool is_ours = datas == 1 && addresses == 1;
            found += datas > 0 && gh_str_eq(name, GH_STR("endpoint")) && is_ours == ours;
            datas = addresses = 0;
            name = GH_STR_NONE;
            continue;
        }
        gh_str field = gh_str_cut(&line, ':');
        gh_str value = gh_str_starts(line, GH_STR(" ")) ? gh_str_skip(line, 1) : line;
        if (gh_str_eq(field, GH_STR("event")))
            name = value;
        datas += gh_str_eq(field, GH_STR("data"));
        addresses += gh_str_eq(field, GH_STR("data")) && gh_str_eq(value, GH_STR("@"));
    }
    return found;
}
