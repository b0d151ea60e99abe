/* core/policy/conditions.c: is what a rule asks of a principal or an argument true, false, or not known? */
#include "core/policy/conditions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static enum gh_truth truth_of(bool is_true)
{
    return is_true ? GH_TRUE : GH_FALSE;
}

static enum gh_truth both(enum gh_truth a, enum gh_truth b)
{
    return a < b ? a : b;
}

/* ---- claims ---- */

static enum gh_truth one_of(struct gh_strs wanted, gh_str value)
{
    return wanted.count == 0 ? GH_TRUE : truth_of(gh_strs_has(wanted, value));
}

/* What a token does not say has not been denied either. */
static enum gh_truth any_of(struct gh_strs wanted, struct gh_strs values, bool is_unknown)
{
    if (wanted.count == 0)
        return GH_TRUE;
    for (size_t i = 0; i < values.count; i++)
        if (gh_strs_has(wanted, values.at[i]))
            return GH_TRUE;
    return is_unknown ? GH_UNKNOWN : GH_FALSE;
}

/* RFC 9470 section 5: how the user signed in, and when. */
static enum gh_truth signed_in_so(const struct gh_claim_tests *tests, const struct gh_principal *principal,
                                  int64_t now)
{
    enum gh_truth truth = any_of(tests->acr, (struct gh_strs){ &principal->acr, 1 }, principal->acr.len == 0);
    if (tests->auth_age_s == 0)
        return truth;
    if (principal->auth_time <= 0)
        return both(truth, GH_UNKNOWN);
    return both(truth, truth_of(now - principal->auth_time <= tests->auth_age_s));
}

enum gh_truth gh_claims_hold(const struct gh_claim_tests *tests, const struct gh_principal *principal,
                             int64_t now)
{
    if (tests == NULL)
        return GH_TRUE;
    gh_str agent = principal->actor_count > 0 ? principal->actors[0].sub : GH_STR_NONE;
    const enum gh_truth truths[] = {
        one_of(tests->issuers, principal->issuer_name),
        one_of(tests->users, principal->subject),
        one_of(tests->clients, principal->client),
        one_of(tests->agents, agent),
        one_of(tests->tenants, principal->tenant_id),
        any_of(tests->groups, principal->groups, principal->groups_unknown),
        any_of(tests->roles, principal->roles, principal->roles_unknown),
        signed_in_so(tests, principal, now),
    };
    enum gh_truth truth = GH_TRUE;
    for (size_t i = 0; i < GH_ARRAY_LEN(truths); i++)
        truth = both(truth, truths[i]);
    return truth;
}

/* ---- arguments ---- */

/* IEEE 754: decimals of so many digits become different doubles, and in the same order. */
#define DIGITS_MAX   15u
#define NUMBER_BYTES 64u

static size_t digits_at(gh_str text, size_t at)
{
    size_t start = at;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at - start;
}

static bool is_at(gh_str text, size_t at, char c)
{
    return at < text.len && text.ptr[at] == c;
}

/* RFC 8259 section 6: number = [ minus ] int [ frac ] [ exp ] */
static bool is_number(gh_str text)
{
    size_t at = is_at(text, 0, '-') ? 1 : 0, count = digits_at(text, at);
    if (count == 0 || (count > 1 && text.ptr[at] == '0'))
        return false;
    at += count;
    if (is_at(text, at, '.')) {
        count = digits_at(text, ++at);
        at += count;
    }
    if (count > 0 && (is_at(text, at, 'e') || is_at(text, at, 'E'))) {
        at++;
        at += is_at(text, at, '+') || is_at(text, at, '-');
        count = digits_at(text, at);
        at += count;
    }
    return count > 0 && at == text.len;
}

/* Without zeros before and behind. */
static unsigned significant_digits(gh_str text)
{
    unsigned digits = 0, zeros = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        if (text.ptr[i] == '0') {
            zeros += digits > 0;
        } else if (text.ptr[i] != '-' && text.ptr[i] != '.') {
            digits += zeros + 1;
            zeros = 0;
        }
    }
    return digits;
}

bool gh_number_read(gh_str text, double *ret_number)
{
    char copy[NUMBER_BYTES];
    if (text.len >= sizeof(copy) || !is_number(text))
        return false;
    unsigned digits = significant_digits(text);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, NULL);
    bool is_too_small = digits > 0 && fabs(number) < 1e-300; /* a double has less digits there, or none */
    if (digits > DIGITS_MAX || is_too_small || !isfinite(number))
        return false;
    *ret_number = number;
    return true;
}

/* What some readers make of a path: a slash at its end is left out, and of file:///a they open /a. */
static gh_str opened(gh_str path)
{
    gh_str prefix = GH_STR("file://");
    gh_str text = gh_str_starts(path, prefix) ? gh_str_skip(path, prefix.len) : path;
    return text.len > 1 && gh_str_ends(text, GH_STR("/")) ? gh_str_take(text, text.len - 1) : text;
}

/* Another spelling of a path may name the same. */
static enum gh_truth equals_text(gh_str wanted, gh_str value)
{
    gh_str path;
    if (gh_str_eq(wanted, value))
        return GH_TRUE;
    if (gh_str_find(wanted, '/') == wanted.len)
        return GH_FALSE;
    bool may_equal = !gh_path_is_plain(value, &path) || gh_str_eq(opened(wanted), opened(path));
    return may_equal ? GH_UNKNOWN : GH_FALSE;
}

/* A value of a sort that the rule does not speak of may be read as one that it speaks of: "5" as 5, ["a"] as
 * "a". */
static enum gh_truth equals(const struct gh_rpc_value *wanted, const struct gh_rpc_value *value)
{
    double a, b;
    if (wanted->what != value->what)
        return GH_UNKNOWN;
    if (wanted->what != GH_RPC_NUMBER)
        return equals_text(wanted->text, value->text);
    if (!gh_number_read(wanted->text, &a) || !gh_number_read(value->text, &b))
        return GH_UNKNOWN;
    return truth_of(!(a < b) && !(a > b));
}

static enum gh_truth is_one_of(const struct gh_argument_test *test, const struct gh_rpc_value *value)
{
    enum gh_truth truth = GH_FALSE;
    for (size_t i = 0; i < test->one_of_count && truth != GH_TRUE; i++) {
        enum gh_truth one = equals(&test->one_of[i], value);
        truth = one > truth ? one : truth;
    }
    return truth;
}

static bool matches_one(struct gh_strs patterns, gh_str text)
{
    for (size_t i = 0; i < patterns.count; i++)
        if (gh_glob_paths(patterns.at[i], text))
            return true;
    return false;
}

/* "https://h.example" is "https://h.example/" to those who fetch it; other texts stay as they are. */
static gh_str fetched(gh_str address, char room[GH_CALL_NAME_MAX])
{
    gh_str rest = gh_str_skip(address, gh_str_find(address, ':'));
    if (!gh_str_starts(rest, GH_STR("://")) || gh_str_find(gh_str_skip(rest, 3), '/') < rest.len - 3)
        return address;
    memcpy(room, address.ptr, address.len);
    room[address.len] = '/';
    return gh_str_of(room, address.len + 1);
}

/* Unknown where not the text, but another spelling that names the same to some is meant. */
static enum gh_truth matches(struct gh_strs patterns, const struct gh_rpc_value *value)
{
    char room[GH_CALL_NAME_MAX];
    gh_str path;
    if (value->what != GH_RPC_STRING || value->text.len >= sizeof(room) ||
        !gh_path_is_plain(value->text, &path))
        return GH_UNKNOWN;
    const gh_str twins[] = { path, opened(path), fetched(path, room) };
    if (matches_one(patterns, value->text))
        return GH_TRUE;
    for (size_t i = 0; i < GH_ARRAY_LEN(twins); i++)
        if (matches_one(patterns, twins[i]))
            return GH_UNKNOWN;
    return GH_FALSE;
}

static enum gh_truth is_within(const struct gh_argument_test *test, const struct gh_rpc_value *value)
{
    double number;
    if (value->what != GH_RPC_NUMBER || !gh_number_read(value->text, &number))
        return GH_UNKNOWN;
    return truth_of((!test->has_min || number >= test->min) && (!test->has_max || number <= test->max));
}

enum gh_truth gh_argument_holds(const struct gh_argument_test *test, const struct gh_rpc_value *value)
{
    enum gh_truth truth = GH_TRUE;
    if (value->what == GH_RPC_ABSENT)
        return GH_UNKNOWN;
    if (test->one_of_count > 0)
        truth = is_one_of(test, value);
    if (test->patterns.count > 0)
        truth = both(truth, matches(test->patterns, value));
    if (test->has_min || test->has_max)
        truth = both(truth, is_within(test, value));
    return truth;
}
