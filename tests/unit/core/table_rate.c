/* core/table_rate.c: what a rate limit grants. */
#include "gatehouse/rate.h"
#include "lines.h"
#include "support/table.h"

/* The present slot: any one will do. */
#define PRESENT 1000000

/* Takes what stands before `end`. */
static int64_t number(gh_str *line, char end)
{
    gh_str text = gh_str_trim(gh_str_cut(line, end));
    bool negative = gh_str_starts(text, GH_STR("-"));
    uint64_t value = 0;
    if (!gh_str_to_u64(gh_str_skip(text, negative), &value))
        return -1;
    return negative ? -(int64_t)value : (int64_t)value;
}

static size_t read_slots(struct gh_arena *arena, gh_str text, struct gh_rate_slot *slots)
{
    struct gh_strs list = list_of(arena, text);
    for (size_t i = 0; i < list.count; i++) {
        gh_str taken = list.at[i];
        slots[i].slot = PRESENT + number(&taken, ':');
        slots[i].taken = number(&taken, '\0');
    }
    return list.count;
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_rate_slot slots[16];
    struct gh_rate_ask ask = { .requests = number(&line, '/') };
    ask.window_s = number(&line, 's');
    (void)gh_str_cut(&line, ',');
    ask.need = number(&line, '+');
    ask.extra = number(&line, ',');
    int64_t into_slot = number(&line, '|');
    size_t count = read_slots(arena, gh_str_trim(line), slots);
    int64_t now_ms = PRESENT * gh_rate_window(ask.window_s).slot_ms + into_slot;
    struct gh_rate_answer found = gh_rate_grant(&ask, slots, count, now_ms);
    bool ok = gh_buf_printf(out, "granted %lld", (long long)found.granted);
    if (ok && found.wait_ms != 0)
        (void)!gh_buf_printf(out, ", more in %lld ms", (long long)found.wait_ms);
}

int main(void)
{
    return gh_table_run("rate", answer);
}
