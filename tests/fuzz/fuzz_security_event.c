/* fuzz/fuzz_security_event.c: header and claims of a logout token or security event token, in lines of their
 * own; the first byte says which ('s': a SET) and whether access tokens have sessions ('S', 'L'). */
/* covers: src/core/token/security_event.c */
#include "fuzz/judged.h"
#include "gatehouse/security_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gh_str sid[] = { GH_STR_INIT("sid") }, us[] = { GH_STR_INIT("us") };
    struct gh_arena *arena = gh_arena_new(0);
    char kind = size > 0 ? (char)data[0] : 'l';
    enum gh_event_form form = kind == 's' || kind == 'S' ? GH_EVENT_FORM_SET : GH_EVENT_FORM_LOGOUT;
    bool has_sessions = kind == 'S' || kind == 'L';
    struct gh_profile profile = gh_fuzz_profile(GH_STR("generic"));
    gh_str rest = gh_str_skip(gh_str_of(data, size), 1), header = gh_str_cut(&rest, '\n');
    struct gh_token token;
    struct gh_security_event event;
    profile.grant_claims = (struct gh_strs){ sid, has_sessions ? 1 : 0 };
    gh_str text = gh_arena_printf(arena, "%.*s.%.*s.AA", GH_STR_FMT(gh_fuzz_base64url(arena, header)),
                                  GH_STR_FMT(gh_fuzz_base64url(arena, rest)));
    if (gh_security_event_open(arena, text, form, &profile, &token) == GH_OK &&
        gh_security_event_judge(&token, form, &profile, (struct gh_strs){ us, 1 }, GH_FUZZ_NOW, &event) ==
            GH_OK) {
        GH_HOLDS(gh_str_eq(token.iss, GH_STR("https://as")));
        GH_HOLDS(event.issued >= 0 && event.issued <= GH_FUZZ_NOW + profile.leeway);
        GH_HOLDS(event.level == GH_REVOKED_COUNT || event.id.len > 0);
        GH_HOLDS(event.level != GH_REVOKED_GRANT || has_sessions);
        GH_HOLDS(form == GH_EVENT_FORM_SET || event.level != GH_REVOKED_COUNT);
    }
    gh_arena_free(arena);
    return 0;
}
