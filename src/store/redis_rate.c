/* store/redis_rate.c: what rate limits have left: one call of a script each, among the reads. */
#include "base/str.h"
#include "store/store_redis.h"

enum gh_reason gh_redis_rate_ask(struct gh_redis *self, const struct gh_store_call *call)
{
    const struct gh_rate_ask *ask = &call->ask;
    const struct gh_rate_window window = gh_rate_window(ask->window_s);
    const int64_t numbers[] = { ask->requests, window.slot_ms, window.kept,
                                ask->need,     ask->extra,     GH_RATE_EXTRA_PART };
    gh_str *words = gh_arena_calloc(self->arena, GH_REDIS_CALL + 2 + GH_ARRAY_LEN(numbers), sizeof(*words));
    gh_str tenant = gh_redis_tenant(self->arena, call->tenant);
    if (words == NULL || tenant.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    gh_redis_call(self, GH_REDIS_TAKE, tenant, words);
    gh_str *at = words + GH_REDIS_CALL;
    bool ok = (*at++ = gh_redis_digits(self->arena, (int64_t)self->seen)).ptr != NULL;
    *at++ = call->key;
    for (size_t i = 0; ok && i < GH_ARRAY_LEN(numbers); i++)
        ok = (*at++ = gh_redis_digits(self->arena, numbers[i])).ptr != NULL;
    return ok ? gh_redis_ask(self, (struct gh_strs){ words, GH_REDIS_CALL + 2 + GH_ARRAY_LEN(numbers) })
              : GH_OUT_OF_MEMORY;
}

enum gh_reason gh_redis_rate_judge(struct gh_redis *self, struct gh_store_call *call,
                                   const struct gh_reply *reply)
{
    struct gh_rate_answer *rate = &call->answer.rate;
    bool is_pair = reply->kind == GH_REPLY_ARRAY && reply->count == 2;
    if (!is_pair || !gh_reply_number(reply->at[0], &rate->granted) ||
        !gh_reply_number(reply->at[1], &rate->wait_ms))
        return gh_redis_refuse(self, reply);
    return gh_rate_answers(&call->ask, rate) ? GH_OK : GH_STORE_MALFORMED;
}
