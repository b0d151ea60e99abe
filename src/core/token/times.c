/* core/token/times.c: from when until when a token may be used. */
#include "core/token/judge.h"

#define LEEWAY_MAX 120
/* The year 5138. A larger number is a time in milliseconds, and would never pass. */
#define TIME_MAX 1e11

/* RFC 7519 section 2: NumericDate. ret_present is false when there is none. */
static enum gh_reason read_time(const struct gh_json *claims, gh_str name, bool *ret_present,
                                double *ret_time)
{
    const struct gh_json *value = gh_json_get(claims, name);
    *ret_present = value != NULL;
    if (value == NULL)
        return GH_OK;
    if (value->type != GH_JSON_NUMBER || !(value->number >= 0 && value->number < TIME_MAX))
        return GH_TOKEN_TIME;
    *ret_time = value->number;
    return GH_OK;
}

enum gh_reason gh_judge_times(const struct gh_judging *judging, struct gh_principal *principal)
{
    double exp = 0, nbf = 0, iat = 0;
    bool has_exp, has_nbf = false, has_iat = false;
    enum gh_reason reason = read_time(judging->claims, GH_STR("exp"), &has_exp, &exp);
    if (reason == GH_OK)
        reason = read_time(judging->claims, GH_STR("nbf"), &has_nbf, &nbf);
    if (reason == GH_OK)
        reason = read_time(judging->claims, GH_STR("iat"), &has_iat, &iat);
    if (reason != GH_OK || !has_exp)
        return GH_TOKEN_TIME;
    int64_t asked = judging->profile->leeway;
    double leeway = (double)(asked < 0 ? 0 : asked > LEEWAY_MAX ? LEEWAY_MAX : asked);
    double now = (double)judging->now, max_lifetime = (double)judging->profile->max_lifetime;
    if (exp <= now - leeway)
        return GH_TOKEN_EXPIRED;
    if ((has_nbf && nbf > now + leeway) || (has_iat && iat > now + leeway))
        return GH_TOKEN_NOT_YET;
    if (max_lifetime > 0 && exp - (has_iat ? iat : now) > max_lifetime)
        return GH_TOKEN_LIFETIME;
    principal->expires = (int64_t)exp;
    principal->issued = (int64_t)iat;
    return GH_OK;
}
