/* core/policy/rate.c: what a rate limit counts by, and what its sliding window has left. */
#include "gatehouse/rate.h"

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/call.h"
#include "gatehouse/effects.h"

/* ---- keys ---- */

#define PARTS_MAX 8

static gh_str letter_of(enum gh_rate_per per)
{
    static const char letters[GH_RATE_PERS] = "truca";
    return gh_str_of(&letters[per], 1);
}

/* Those of whom requests are counted; equal ids of two issuers are two. */
static size_t add_who(enum gh_rate_per per, const struct gh_principal *principal, gh_str *parts)
{
    size_t count = 0;
    if (per == GH_RATE_TENANT || per == GH_RATE_ROUTE)
        return 0;
    parts[count++] = principal->issuer_name;
    if (per == GH_RATE_USER) {
        parts[count++] = principal->subject;
    } else if (per == GH_RATE_AGENT && principal->actor_count > 0) {
        parts[count++] = principal->actors[0].iss;
        parts[count++] = principal->actors[0].sub;
    } else {
        parts[count++] = principal->client;
    }
    return count;
}

gh_str gh_rate_key(struct gh_arena *arena, const struct gh_rate_limit *limit, gh_str tenant, gh_str route,
                   const struct gh_principal *principal)
{
    gh_str parts[PARTS_MAX] = { letter_of(limit->per),
                                gh_str_of((const char *)&limit->window_s, sizeof(limit->window_s)), tenant,
                                limit->of_tenant ? GH_STR("") : route };
    size_t count = 4 + add_who(limit->per, principal, parts + 4);
    if (limit->tools.count > 0) {
        parts[count] = gh_arena_join(arena, limit->tools, GH_STR("\n"));
        if (parts[count++].ptr == NULL)
            return GH_STR_NONE;
    }
    return gh_row_key(arena, "rate", parts, count);
}

bool gh_rate_counts_tool(const struct gh_rate_limit *limit, gh_str tool)
{
    for (size_t i = 0; i < limit->tools.count; i++)
        if (gh_glob(limit->tools.at[i], tool))
            return true;
    return false;
}

/* ---- the window ---- */

#define SLOTS       60
#define SLOT_MIN_MS 100

struct gh_rate_window gh_rate_window(int64_t window_s)
{
    int64_t window_ms = window_s * 1000;
    int64_t slot_ms = window_ms / SLOTS > SLOT_MIN_MS ? window_ms / SLOTS : SLOT_MIN_MS;
    return (struct gh_rate_window){ .slot_ms = slot_ms, .kept = (window_ms + slot_ms - 1) / slot_ms + 1 };
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool counts(const struct gh_rate_window *window, int64_t slot, int64_t now)
{
    return slot >= now - window->kept && slot <= now + window->kept;
}

/* Until so much has left the window that one more may pass. */
static int64_t wait_ms(const struct gh_rate_ask *ask, const struct gh_rate_window *window, int64_t used,
                       const struct gh_rate_slot *slots, size_t count, int64_t now_ms)
{
    int64_t now = now_ms / window->slot_ms, leaves = now;
    for (size_t i = 0; i < count && used >= ask->requests; i++) {
        if (!counts(window, slots[i].slot, now))
            continue;
        used -= slots[i].taken;
        leaves = slots[i].slot;
    }
    if (used >= ask->requests) /* what was granted just now must leave, too */
        leaves = leaves > now ? leaves : now;
    return (leaves + window->kept + 1) * window->slot_ms - now_ms;
}

struct gh_rate_answer gh_rate_grant(const struct gh_rate_ask *ask, const struct gh_rate_slot *slots,
                                    size_t count, int64_t now_ms)
{
    const struct gh_rate_window window = gh_rate_window(ask->window_s);
    int64_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += counts(&window, slots[i].slot, now_ms / window.slot_ms) ? slots[i].taken : 0;
    int64_t left = used < ask->requests ? ask->requests - used : 0;
    struct gh_rate_answer answer = { .granted = least(ask->need, left) };
    if (answer.granted < ask->need)
        answer.wait_ms = wait_ms(ask, &window, used + answer.granted, slots, count, now_ms);
    else
        answer.granted += least(ask->extra, (left - ask->need) / GH_RATE_EXTRA_PART);
    return answer;
}

/* What was counted lies at most `kept` slots ahead of a clock that stepped back: nobody waits longer. */
bool gh_rate_answers(const struct gh_rate_ask *ask, const struct gh_rate_answer *answer)
{
    const struct gh_rate_window window = gh_rate_window(ask->window_s);
    bool lacks = answer->granted < ask->need;
    return answer->granted >= 0 && answer->granted <= ask->need + ask->extra && answer->wait_ms >= 0 &&
           lacks == (answer->wait_ms > 0) && answer->wait_ms <= (2 * window.kept + 1) * window.slot_ms;
}
