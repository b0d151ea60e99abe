/* fuzz/redis_pieces.c: reads what a Redis server answers, and looks at whatever each reply passes for. */
#include "fuzz/redis_pieces.h"
#include "fuzz/fuzz.h"
#include "store/store_redis.h"

static bool has_digits_only(gh_str text)
{
    gh_str digits = gh_str_skip(text, gh_str_starts(text, GH_STR("-")));
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    return digits.len > 0;
}

/* One reply and what is in it; GH_HOLDS of whatever it passes for. */
static void look_at(const struct gh_reply *reply)
{
    struct gh_stored_row row;
    struct gh_log_line line;
    int64_t number;
    for (size_t i = 0; i < reply->count; i++)
        look_at(reply->at[i]);
    if (gh_reply_number(reply, &number))
        GH_HOLDS(reply->kind == GH_REPLY_NUMBER || has_digits_only(reply->text));
    if (gh_reply_row(reply, &row))
        GH_HOLDS(row.version > 0 && row.value.ptr + row.value.len == reply->text.ptr + reply->text.len);
    if (gh_reply_line(reply, &line))
        GH_HOLDS(line.position > 0 && gh_str_eq(reply->at[1]->at[5]->text, line.line));
}

bool gh_fuzz_redis_read(gh_str first, gh_str second, struct gh_arena *arena, size_t *ret_count)
{
    const gh_str pieces[] = { first, second };
    const struct gh_reply *reply = NULL;
    bool ok = true;
    struct gh_reply_reader *reader = gh_reply_reader_new(arena);
    GH_HOLDS(reader != NULL);
    gh_reply_reader_begin(reader);
    for (size_t i = 0; ok && i < 2; i++) {
        ok = gh_reply_reader_feed(reader, pieces[i]);
        while (ok && (ok = gh_reply_reader_take(reader, &reply)) && reply != NULL) {
            look_at(reply);
            ++*ret_count;
        }
    }
    gh_reply_reader_free(reader);
    return ok;
}
