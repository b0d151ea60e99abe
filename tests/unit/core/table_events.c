/* Runs tests/tables/events.cases: logout tokens and security event tokens. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/str.h"
#include "gatehouse/security_event.h"
#include "support/table.h"

#define NOW 1800000000

static const char *const good_logout[][2] = {
    { "iss", "\"iss\":\"https://idp.example\"" },
    { "sub", "\"sub\":\"u1\"" },
    { "aud", "\"aud\":\"us\"" },
    { "jti", "\"jti\":\"j1\"" },
    { "iat", "\"iat\":1799999990" },
    { "exp", "\"exp\":1800000300" },
    { "events", "\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}" },
};
static const char *const good_set[][2] = {
    { "iss", "\"iss\":\"https://idp.example\"" },
    { "aud", "\"aud\":[\"us\"]" },
    { "jti", "\"jti\":\"j1\"" },
    { "iat", "\"iat\":1799999990" },
    { "sub_id", "\"sub_id\":{\"format\":\"iss_sub\",\"iss\":\"https://idp.example\",\"sub\":\"u1\"}" },
    { "events",
      "\"events\":{\"https://schemas.openid.net/secevent/caep/event-type/session-revoked\":{\"event_"
      "timestamp\":1799999980}}" },
};

static gh_str encoded(struct gh_arena *arena, gh_str bytes)
{
    size_t len = gh_base64url_encoded_len(bytes.len);
    char *text = gh_arena_alloc(arena, len + 1);
    gh_base64url_encode(bytes, text);
    return gh_str_of(text, len);
}

/* Takes the words "-x" from the line; the members of a good token without them, then the rest of the line. */
static gh_str claims_of(struct gh_arena *arena, const char *const (*good)[2], size_t count, gh_str line)
{
    gh_str claims = GH_STR(""), gone = GH_STR(" ");
    while (gh_str_starts(line, GH_STR("-"))) {
        gh_str name = gh_str_skip(gh_table_word(&line), 1);
        gone = gh_arena_printf(arena, "%.*s%.*s ", GH_STR_FMT(gone), GH_STR_FMT(name));
    }
    for (size_t i = 0; i < count; i++)
        if (!gh_str_contains(gone, gh_arena_printf(arena, " %s ", good[i][0])))
            claims =
                gh_arena_printf(arena, "%.*s%s%s", GH_STR_FMT(claims), claims.len > 0 ? "," : "", good[i][1]);
    return gh_arena_printf(arena, "{%.*s%s%.*s}", GH_STR_FMT(claims), line.len > 0 ? "," : "",
                           GH_STR_FMT(line));
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://idp.example") }, us[] = { GH_STR_INIT("us") },
                        sid[] = { GH_STR_INIT("sid"), GH_STR_INIT("session") },
                        session[] = { GH_STR_INIT("session"), GH_STR_INIT("sid") };
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    bool is_set = gh_str_eq(gh_table_word(&line), GH_STR("set"));
    enum gh_event_form form = is_set ? GH_EVENT_FORM_SET : GH_EVENT_FORM_LOGOUT;
    profile.issuers = (struct gh_strs){ issuers, 1 };
    profile.grant_claims = (struct gh_strs){ 0 };
    gh_str word = gh_table_word(&line), subject = gh_str_skip(word, 8);
    if (gh_str_eq(word, GH_STR("sessions"))) {
        profile.grant_claims = (struct gh_strs){ sid, 2 };
        word = gh_table_word(&line);
    } else if (gh_str_eq(word, GH_STR("elsewhere"))) {
        profile.grant_claims = (struct gh_strs){ session, 2 };
        word = gh_table_word(&line);
    } else if (gh_str_starts(word, GH_STR("subject="))) {
        profile.subject_claims = (struct gh_strs){ &subject, 1 };
        word = gh_table_word(&line);
    }
    gh_str header = gh_arena_printf(arena, "{%.*s}", GH_STR_FMT(word));
    gh_str claims = is_set ? claims_of(arena, good_set, GH_ARRAY_LEN(good_set), line)
                           : claims_of(arena, good_logout, GH_ARRAY_LEN(good_logout), line);
    gh_str text = gh_arena_printf(arena, "%.*s.%.*s.AA", GH_STR_FMT(encoded(arena, header)),
                                  GH_STR_FMT(encoded(arena, claims)));
    struct gh_token token;
    struct gh_security_event event;
    enum gh_reason reason = gh_security_event_open(arena, text, form, &profile, &token);
    if (reason == GH_OK)
        reason = gh_security_event_judge(&token, form, &profile, (struct gh_strs){ us, 1 }, NOW, &event);
    bool ok = false;
    if (reason != GH_OK)
        ok = gh_buf_printf(out, "reason: %s", gh_reason_row(reason)->slug);
    else if (event.level == GH_REVOKED_COUNT)
        ok = gh_buf_printf(out, "nothing");
    else if (event.level == GH_REVOKED_GRANT)
        ok = gh_buf_printf(out, "grant %.*s", GH_STR_FMT(event.id));
    else
        ok = gh_buf_printf(out, "%.*s %.*s until %lld", GH_STR_FMT(gh_revoked_name(event.level)),
                           GH_STR_FMT(event.id), (long long)event.issued);
    if (!ok)
        abort();
}

int main(void)
{
    return gh_table_run("events", answer);
}
