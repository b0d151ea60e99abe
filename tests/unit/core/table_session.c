/* core/table_session.c: who may open what was sealed for whom; key files; ids and endpoints of upstreams. */
#include "gatehouse/session.h"
#include "support/table.h"

#include "base/str.h"

static const char key_text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static gh_str field(gh_str *rest)
{
    gh_str value = gh_str_cut(rest, ',');
    return gh_str_eq(value, GH_STR("-")) ? GH_STR_NONE : value;
}

static struct gh_session_owner owner_of(gh_str text)
{
    struct gh_session_owner owner;
    owner.tenant = field(&text);
    owner.issuer = field(&text);
    owner.subject = field(&text);
    owner.issuer_tenant = field(&text);
    owner.client = field(&text);
    owner.route = field(&text);
    owner.purpose = field(&text);
    return owner;
}

static const char *open_as(struct gh_arena *arena, gh_str line)
{
    static const unsigned char nonce[GH_SESSION_NONCE] = { 1 };
    struct gh_session_keys *keys = NULL;
    unsigned number;
    const char *why;
    if (gh_session_keys_read(gh_str_from(key_text), &keys, &number, &why) != GH_OK)
        return why;
    struct gh_sealer *sealer = gh_sealer_new();
    struct gh_session session = { .endpoint = "an endpoint", .id = GH_STR("s") };
    gh_str first = gh_str_trim(gh_str_cut(&line, '|'));
    struct gh_session_owner owner = owner_of(first), other = owner_of(gh_str_trim(line));
    gh_str text = gh_session_seal(sealer, keys, &owner, &session, nonce, arena);
    enum gh_reason reason = gh_session_open(sealer, keys, &other, text, arena, &session);
    gh_sealer_free(sealer);
    gh_session_keys_unref(keys);
    return gh_reason_row(reason)->slug;
}

static bool read_keys(gh_str text, struct gh_buf *out)
{
    struct gh_session_keys *keys = NULL;
    unsigned line = 0;
    const char *why = "";
    if (gh_session_keys_read(text, &keys, &line, &why) != GH_OK)
        return gh_buf_printf(out, "line %u: %s", line, why);
    size_t count = gh_session_keys_count(keys);
    gh_session_keys_unref(keys);
    return gh_buf_printf(out, "%zu", count);
}

static const char *compare(struct gh_arena *arena, gh_str line)
{
    struct gh_url a, b;
    unsigned char first[GH_SESSION_ENDPOINT], second[GH_SESSION_ENDPOINT];
    gh_str text = gh_table_word(&line);
    if (gh_url_read(arena, text, &a) != GH_OK || gh_url_read(arena, gh_table_word(&line), &b) != GH_OK ||
        !gh_session_endpoint(&a, first) || !gh_session_endpoint(&b, second))
        return "no endpoint";
    return memcmp(first, second, sizeof(first)) == 0 ? "same" : "differ";
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str rest = line;
    gh_str word = gh_str_cut(&rest, ' ');
    rest = rest.ptr != NULL ? rest : GH_STR("");
    bool ok;
    if (gh_str_eq(word, GH_STR("keys")))
        ok = read_keys(rest, out);
    else if (gh_str_eq(word, GH_STR("id")))
        ok = gh_buf_printf(out, "%s", gh_session_id_is_legal(rest) ? "legal" : "illegal");
    else if (gh_str_eq(word, GH_STR("endpoint")))
        ok = gh_buf_printf(out, "%s", compare(arena, rest));
    else
        ok = gh_buf_printf(out, "%s", open_as(arena, line));
    if (!ok)
        return;
}

int main(void)
{
    return gh_table_run("session", answer);
}
