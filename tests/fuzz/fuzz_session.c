/* fuzz/fuzz_session.c: sealed session ids, which clients send, and key files: what opens is legal and has one
 * text. */
/* covers: src/core/session/keys.c */
/* covers: src/core/session/seal.c without gh_sealer_new gh_sealer_free gh_session_endpoint */
#include "base/base64.h"
#include "fuzz/fuzz.h"
#include "gatehouse/session.h"

static const struct gh_session_owner owner = { GH_STR_INIT("acme"),  GH_STR_INIT("idp"),
                                               GH_STR_INIT("alice"), GH_STR_INIT("org-1"),
                                               GH_STR_INIT("app"),   GH_STR_INIT("weather"),
                                               { NULL, 0 } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gh_session_keys *keys;
    static struct gh_sealer *sealer;
    gh_str text = gh_str_of(data, size);
    unsigned line;
    const char *why;
    unsigned char bytes[4096];
    struct gh_session session;
    struct gh_session_keys *read = NULL;
    if (keys == NULL)
        GH_HOLDS(gh_session_keys_read(GH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), &keys, &line,
                                      &why) == GH_OK);
    sealer = sealer != NULL ? sealer : gh_sealer_new();
    struct gh_arena *arena = gh_arena_new(0);
    if (gh_session_open(sealer, keys, &owner, text, arena, &session) == GH_OK) {
        GH_HOLDS(gh_session_id_is_legal(session.id) && gh_base64url_decode(text, bytes));
        GH_HOLDS(gh_str_eq(gh_session_seal(sealer, keys, &owner, &session, bytes + GH_SESSION_KEY_ID, arena),
                           text));
    }
    gh_arena_free(arena);
    GH_HOLDS(gh_session_keys_read(text, &read, &line, &why) != GH_OK || gh_session_keys_count(read) != 0);
    gh_session_keys_unref(read);
    return 0;
}
