/* keys/client_assertion.c: who we are at an introspection endpoint, by our own key instead of a secret (RFC
 * 7523).
 */
#include "base/base64.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/text.h"
#include "keys/ring.h"

#define LIFE_S   60
#define JTI_LEN  16
#define JTI_TEXT 22

/* RFC 7523 section 3; the audience is the issuer's own name alone, so that no other server can use it. */
gh_str gh_ring_client_assertion(struct gh_arena *arena, const struct ring_conf *conf, int64_t now)
{
    unsigned char random[JTI_LEN];
    char jti[JTI_TEXT];
    struct gh_text claims = { .arena = arena };
    gh_str token;
    gh_random_fill(random, sizeof(random));
    _Static_assert(JTI_TEXT == (JTI_LEN * 8 + 5) / 6, "jti as base64url");
    gh_base64url_encode(gh_str_of(random, sizeof(random)), jti);
    gh_put_text(&claims, "iss", conf->introspection_client);
    gh_put_text(&claims, "sub", conf->introspection_client);
    gh_put_text(&claims, "aud",
                conf->introspection_audience.len != 0 ? conf->introspection_audience : conf->issuer);
    gh_put_number(&claims, "iat", now);
    gh_put_number(&claims, "exp", now + LIFE_S);
    gh_put_text(&claims, "jti", gh_str_of(jti, sizeof(jti)));
    gh_str text = gh_put_end(&claims);
    if (text.ptr == NULL || gh_token_sign(arena, conf->introspection_key, GH_STR("client-authentication+jwt"),
                                          text, &token) != GH_OK)
        return GH_STR_NONE;
    return token;
}
