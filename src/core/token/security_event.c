/* core/token/security_event.c: logout tokens and security event tokens judged: from whom, for whom, and whose
 * tokens they end. */
#include "gatehouse/security_event.h"

#include "base/arena.h"
#include "base/str.h"
#include "core/token/claims.h"
#include "core/token/judge.h"

struct judging {
    const struct gh_json *claims;
    const struct gh_profile *profile;
    int64_t now;
};

/* What a token says of its subject. */
struct named {
    gh_str subject, session; /* empty: not said */
    bool differs;            /* it names two, and one of them would go on */
};

static enum gh_reason judge_logout(const struct judging *judging, struct named *named, bool *ret_known);
static enum gh_reason judge_set(const struct judging *judging, struct named *named, bool *ret_known);

/* ---- opening ---- */

enum gh_reason gh_security_event_open(struct gh_arena *arena, gh_str text, enum gh_event_form form,
                                      const struct gh_profile *profile, struct gh_token *ret_token)
{
    static const gh_str logout[] = { GH_STR_INIT("logout+jwt"), GH_STR_INIT("jwt"), GH_STR_INIT("") },
                        set[] = { GH_STR_INIT("secevent+jwt") };
    struct gh_profile read = *profile;
    struct gh_token token;
    bool is_logout = form == GH_EVENT_FORM_LOGOUT;
    read.types = is_logout ? (struct gh_strs){ logout, GH_ARRAY_LEN(logout) }
                           : (struct gh_strs){ set, GH_ARRAY_LEN(set) };
    enum gh_reason reason = gh_token_open(arena, text, &token);
    if (reason == GH_OK)
        reason = gh_token_fits(&token, &read);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY  ? reason
               : reason == GH_TOKEN_ISSUER ? GH_EVENT_ISSUER
                                           : GH_EVENT_MALFORMED;
    if (!gh_profile_matches(profile, &token))
        return GH_EVENT_ISSUER;
    *ret_token = token;
    return GH_OK;
}

/* ---- judging ---- */

static bool read_time(const struct gh_json *value, double *ret_time)
{
    bool good = value != NULL && value->type == GH_JSON_NUMBER && value->number >= 0 && value->number < 1e11;
    if (good)
        *ret_time = value->number;
    return good;
}

/* A logout token expires (Back-Channel Logout section 2.4); a SET need not (RFC 8417 section 2.2), for what
 * happened does not become untrue. Either is as old as it says: its replay ends nothing that is newer. */
static enum gh_reason judge_times(const struct judging *judging, bool must_expire, int64_t *ret_issued)
{
    const struct gh_json *exp = gh_json_get(judging->claims, GH_STR("exp"));
    double issued, expires, now = (double)judging->now, leeway = (double)judging->profile->leeway;
    if (!read_time(gh_json_get(judging->claims, GH_STR("iat")), &issued) || issued > now + leeway)
        return GH_EVENT_TIME;
    if (exp == NULL ? must_expire : !read_time(exp, &expires) || expires <= now - leeway)
        return GH_EVENT_TIME;
    *ret_issued = (int64_t)issued;
    return GH_OK;
}

/* The session where access tokens name theirs by the same claim first, for then it alone is meant; else all
 * that the user has. */
static enum gh_reason resolve(const struct gh_profile *profile, const struct named *named,
                              struct gh_security_event *event)
{
    bool has_sessions =
        profile->grant_claims.count > 0 && gh_str_eq(profile->grant_claims.at[0], GH_STR("sid"));
    bool by_session = named->session.len > 0 && has_sessions;
    event->level = by_session ? GH_REVOKED_GRANT : GH_REVOKED_USER;
    event->id = by_session ? named->session : named->subject;
    return event->id.len > 0 && !named->differs ? GH_OK : GH_EVENT_SUBJECT;
}

enum gh_reason gh_security_event_judge(const struct gh_token *token, enum gh_event_form form,
                                       const struct gh_profile *profile, struct gh_strs audiences,
                                       int64_t now, struct gh_security_event *ret_event)
{
    const struct judging judging = { &token->claims->root, profile, now };
    struct gh_security_event event = { .level = GH_REVOKED_COUNT, .id = GH_STR("") };
    struct named named = { GH_STR(""), GH_STR(""), false };
    bool is_logout = form == GH_EVENT_FORM_LOGOUT, is_known = false;
    if (!gh_aud_has(gh_json_get(judging.claims, GH_STR("aud")), audiences))
        return GH_EVENT_AUDIENCE;
    enum gh_reason reason = judge_times(&judging, is_logout, &event.issued);
    if (reason == GH_OK && gh_json_text(gh_json_get(judging.claims, GH_STR("jti"))).len == 0)
        reason = GH_EVENT_MALFORMED;
    if (reason == GH_OK)
        reason =
            is_logout ? judge_logout(&judging, &named, &is_known) : judge_set(&judging, &named, &is_known);
    if (reason == GH_OK && is_known)
        reason = resolve(profile, &named, &event);
    if (reason == GH_OK)
        *ret_event = event;
    return reason;
}

/* ---- logout tokens ---- */

static bool read_text(const struct gh_json *value, gh_str *ret_text)
{
    if (value != NULL && value->type != GH_JSON_STRING)
        return false;
    *ret_text = value != NULL ? value->string : GH_STR("");
    return true;
}

/* Back-Channel Logout section 2.6: "Verify that the Logout Token contains a sub Claim, a sid Claim, or both",
 * the event, and "does not contain a nonce Claim". Users are found where access tokens have them. */
static enum gh_reason judge_logout(const struct judging *judging, struct named *named, bool *ret_known)
{
    static const gh_str logout = GH_STR_INIT("http://schemas.openid.net/event/backchannel-logout");
    const struct gh_json *claims = judging->claims,
                         *event = gh_json_get(gh_json_get(claims, GH_STR("events")), logout);
    if (event == NULL || event->type != GH_JSON_OBJECT || gh_json_get(claims, GH_STR("nonce")) != NULL)
        return GH_EVENT_MALFORMED;
    if (!read_text(gh_json_get(claims, GH_STR("sid")), &named->session) ||
        gh_claim_text(claims, judging->profile->subject_claims, &named->subject) != GH_OK)
        return GH_EVENT_MALFORMED;
    *ret_known = true;
    return GH_OK;
}

/* ---- security event tokens ---- */

/* CAEP 1.0 section 3, RISC 1.0 section 2: what leaves a user's tokens worth nothing. */
static const gh_str endings[] = {
    GH_STR_INIT("https://schemas.openid.net/secevent/caep/event-type/session-revoked"),
    GH_STR_INIT("https://schemas.openid.net/secevent/caep/event-type/credential-change"),
    GH_STR_INIT("https://schemas.openid.net/secevent/risc/event-type/account-disabled"),
    GH_STR_INIT("https://schemas.openid.net/secevent/risc/event-type/account-purged"),
    GH_STR_INIT("https://schemas.openid.net/secevent/risc/event-type/sessions-revoked"),
};

/* Several events, and several names, are of one subject (RFC 8417 section 2, RFC 9493 section 3.2.8). */
static void name_it(struct named *named, gh_str *part, gh_str value)
{
    named->differs = named->differs || (part->len > 0 && !gh_str_eq(*part, value));
    *part = value;
}

static bool is_format(const struct gh_json *subject, gh_str format)
{
    const struct gh_json *said = gh_json_get(subject, GH_STR("format"));
    return gh_str_eq(gh_json_text(said), format);
}

/* RFC 9493 section 3.2.4. The subject of another issuer is none of this one's users; and where access tokens
 * have their user in another claim than sub, this names nobody. */
static void read_iss_sub(const struct judging *judging, const struct gh_json *user, struct named *named)
{
    gh_str iss = gh_json_text(gh_json_get(user, GH_STR("iss"))),
           sub = gh_json_text(gh_json_get(user, GH_STR("sub")));
    bool is_theirs = gh_str_eq(iss, gh_json_text(gh_json_get(judging->claims, GH_STR("iss"))));
    bool is_used = gh_strs_has(judging->profile->subject_claims, GH_STR("sub"));
    if (is_format(user, GH_STR("iss_sub")) && is_theirs && is_used && sub.len > 0)
        name_it(named, &named->subject, sub);
}

/* RFC 9493 section 3.2.8: several names of one subject. */
static void read_user(const struct judging *judging, const struct gh_json *user, struct named *named)
{
    const struct gh_json *names = gh_json_get(user, GH_STR("identifiers"));
    if (!is_format(user, GH_STR("aliases")) || names == NULL || names->type != GH_JSON_ARRAY) {
        read_iss_sub(judging, user, named);
        return;
    }
    for (size_t i = 0; i < names->count; i++)
        read_iss_sub(judging, &names->items[i], named);
}

/* A complex subject (Shared Signals Framework 1.0 section 3.3) has a member for each part of it. */
static void read_subject(const struct judging *judging, const struct gh_json *subject, struct named *named)
{
    const struct gh_json *user = gh_json_get(subject, GH_STR("user")),
                         *session = gh_json_get(subject, GH_STR("session"));
    read_user(judging, user != NULL ? user : subject, named);
    gh_str id = gh_json_text(gh_json_get(session, GH_STR("id")));
    if (is_format(session, GH_STR("opaque")) && id.len > 0)
        name_it(named, &named->session, id);
}

/* RFC 8417 section 2.2: "The 'events' claim" has "a set of event statements"; the subject stands beside it
 * (sub_id, RFC 9493 section 4.1), or in the event where older transmitters put it. */
static enum gh_reason judge_set(const struct judging *judging, struct named *named, bool *ret_known)
{
    const struct gh_json *events = gh_json_get(judging->claims, GH_STR("events")),
                         *subject = gh_json_get(judging->claims, GH_STR("sub_id"));
    if (events == NULL || events->type != GH_JSON_OBJECT || events->count == 0)
        return GH_EVENT_MALFORMED;
    for (size_t i = 0; i < events->count; i++) {
        const struct gh_json_member *event = &events->members[i];
        const struct gh_json *own = gh_json_get(&event->value, GH_STR("subject"));
        if (event->value.type != GH_JSON_OBJECT)
            return GH_EVENT_MALFORMED;
        if (!gh_strs_has((struct gh_strs){ endings, GH_ARRAY_LEN(endings) }, event->name))
            continue;
        *ret_known = true;
        read_subject(judging, subject != NULL ? subject : own, named);
    }
    return GH_OK;
}
