/* Runs tests/tables/token.cases: samples of real providers' tokens, one change each, and what becomes of
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/token.h"
#include "support/shared.h"
#include "support/sign.h"
#include "support/table.h"

/* What a line builds up: the sample, the settings, and what is done to the token's text. */
struct scene {
    struct gh_arena *arena;
    gh_str sample; /* provider/file without .json */
    json_t *header, *payload;
    gh_str raw_header, raw_payload, text, sign, keys, segment[3];
    gh_str kid, alg; /* the sample's own: the key set has this key */
    struct gh_profile profile;
    struct gh_binding binding;
    int64_t now;
};

static struct gh_signer *signers[3], *others[3];

static void fail(const char *what, gh_str word)
{
    (void)printf("Bail out! %s: %.*s\n", what, GH_STR_FMT(word));
    exit(1);
}

static struct gh_signer *signer_for(struct gh_signer **pool, gh_str alg)
{
    static const char *const algs[3] = { "RS256", "ES256", "EdDSA" };
    size_t i = alg.ptr[0] == 'R' || alg.ptr[0] == 'P' ? 0 : gh_str_eq(alg, GH_STR("EdDSA")) ? 2 : 1;
    if (pool[i] == NULL)
        pool[i] = gh_signer_new(algs[i]);
    return pool[i];
}

static json_t *read_json(struct scene *scene, gh_str name)
{
    const char *tables = getenv("GH_TABLES");
    gh_str path = gh_arena_printf(scene->arena, "%s/../fixtures/idp/%.*s.json",
                                  tables != NULL ? tables : "tests/tables", GH_STR_FMT(name));
    gh_str text = gh_file_read(scene->arena, path);
    json_t *doc = json_loadb(text.ptr, text.len, 0, NULL);
    if (doc == NULL)
        fail("no JSON", name);
    return doc;
}

/* An introspection answer has no header: then payload is the whole answer. */
static void take_sample(struct scene *scene, gh_str name)
{
    json_t *doc = read_json(scene, name), *header = json_object_get(doc, "header");
    json_decref(scene->header);
    json_decref(scene->payload);
    scene->header = json_incref(header);
    scene->payload = json_incref(header != NULL ? json_object_get(doc, "payload") : doc);
    json_decref(doc);
    scene->sample = name;
}

static gh_str text_member(struct scene *scene, const json_t *object, const char *name)
{
    return gh_arena_dup(scene->arena, gh_str_from(json_string_value(json_object_get(object, name))));
}

/* "https://x (older tokens)" in a profile names the issuer before the space. */
static void take_issuers(struct scene *scene, gh_str provider)
{
    json_t *profile = read_json(scene, gh_arena_printf(scene->arena, "%.*s/profile", GH_STR_FMT(provider)));
    json_t *others_of = json_object_get(profile, "issuer_alternatives");
    gh_str *at = gh_arena_calloc(scene->arena, json_array_size(others_of) + 1, sizeof(*at));
    at[0] = text_member(scene, profile, "issuer");
    for (size_t i = 0; i < json_array_size(others_of); i++) {
        gh_str rest = gh_str_from(json_string_value(json_array_get(others_of, i)));
        at[i + 1] = gh_arena_dup(scene->arena, gh_str_cut(&rest, ' '));
    }
    scene->profile.issuers = (struct gh_strs){ at, json_array_size(others_of) + 1 };
    json_decref(profile);
}

static void set_scene(struct scene *scene, struct gh_arena *arena, gh_str sample)
{
    static const gh_str route[] = { GH_STR_INIT("https://gateway.example.com/mcp/files") };
    *scene = (struct scene){ .arena = arena, .sign = GH_STR("own"), .keys = GH_STR("one") };
    take_sample(scene, sample);
    gh_str rest = sample, provider = gh_str_cut(&rest, '/');
    const struct gh_profile *builtin = gh_profile_builtin(provider);
    if (builtin == NULL)
        fail("no profile", provider);
    scene->profile = *builtin;
    take_issuers(scene, provider);
    scene->binding = (struct gh_binding){ .audiences = { route, 1 } };
    scene->now = json_integer_value(json_object_get(scene->payload, "iat")) + 1;
    if (scene->header == NULL)
        return;
    scene->kid = text_member(scene, scene->header, "kid");
    scene->alg = text_member(scene, scene->header, "alg");
}

static void clear_scene(struct scene *scene)
{
    json_decref(scene->header);
    json_decref(scene->payload);
}

static struct gh_strs list_of(struct gh_arena *arena, gh_str text)
{
    size_t count = 0;
    gh_str *at = gh_arena_calloc(arena, text.len + 1, sizeof(*at));
    for (gh_str rest = text; rest.ptr != NULL;)
        at[count++] = gh_str_cut(&rest, ',');
    return (struct gh_strs){ at, text.len != 0 ? count : 0 };
}

/* exp+5, iat-1, or seconds since 1970. */
static int64_t time_of(const struct scene *scene, gh_str text)
{
    bool relative = gh_str_starts(text, GH_STR("exp")) || gh_str_starts(text, GH_STR("iat"));
    const char *claim = gh_str_starts(text, GH_STR("exp")) ? "exp" : "iat";
    int64_t from = relative ? json_integer_value(json_object_get(scene->payload, claim)) : 0;
    return from + strtoll(text.ptr + (relative ? 3 : 0), NULL, 10);
}

/* header.x=JSON sets a member, header.x alone removes it. */
static bool change_member(json_t *object, gh_str prefix, gh_str name, gh_str value)
{
    if (!gh_str_starts(name, prefix))
        return false;
    char key[128];
    (void)snprintf(key, sizeof(key), "%.*s", GH_STR_FMT(gh_str_skip(name, prefix.len)));
    json_t *json = value.ptr != NULL ? json_loadb(value.ptr, value.len, JSON_DECODE_ANY, NULL) : NULL;
    if (value.ptr != NULL && json == NULL)
        fail("no JSON", value);
    if (json == NULL)
        json_object_del(object, key);
    else
        json_object_set_new(object, key, json);
    return true;
}

static bool change_lists(struct scene *scene, gh_str name, gh_str value)
{
    const struct {
        const char *name;
        struct gh_strs *list;
    } lists[] = { { "aud", &scene->binding.audiences },
                  { "clients", &scene->binding.client_ids },
                  { "shared", &scene->binding.shared_audiences },
                  { "route_scopes", &scene->binding.route_scopes },
                  { "issuers", &scene->profile.issuers },
                  { "tenants", &scene->profile.tenant_ids },
                  { "login", &scene->profile.login_clients },
                  { "tenant_claims", &scene->profile.tenant_claims },
                  { "scope_claims", &scene->profile.scope_claims },
                  { "types", &scene->profile.types } };
    for (size_t i = 0; i < GH_ARRAY_LEN(lists); i++) {
        if (gh_str_eq(name, gh_str_from(lists[i].name))) {
            *lists[i].list = list_of(scene->arena, value);
            return true;
        }
    }
    return false;
}

static bool change_texts(struct scene *scene, gh_str name, gh_str value)
{
    const struct {
        const char *name;
        gh_str *text;
    } texts[] = { { "scope_prefix", &scene->binding.scope_prefix },
                  { "strip", &scene->profile.scope_prefix },
                  { "template", &scene->profile.issuer_template },
                  { "raw_header", &scene->raw_header },
                  { "raw_payload", &scene->raw_payload },
                  { "text", &scene->text },
                  { "sign", &scene->sign },
                  { "keys", &scene->keys },
                  { "segment.0", &scene->segment[0] },
                  { "segment.1", &scene->segment[1] },
                  { "segment.2", &scene->segment[2] } };
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++) {
        if (gh_str_eq(name, gh_str_from(texts[i].name))) {
            *texts[i].text = value;
            return true;
        }
    }
    return false;
}

static void change(struct scene *scene, gh_str word)
{
    gh_str value = word, name = gh_str_cut(&value, '=');
    if (change_member(scene->header, GH_STR("header."), name, value) ||
        change_member(scene->payload, GH_STR("payload."), name, value) || change_lists(scene, name, value) ||
        change_texts(scene, name, value))
        return;
    if (gh_str_eq(name, GH_STR("now")))
        scene->now = time_of(scene, value);
    else if (gh_str_eq(name, GH_STR("leeway")))
        scene->profile.leeway = time_of(scene, value);
    else if (gh_str_eq(name, GH_STR("max_lifetime")))
        scene->profile.max_lifetime = time_of(scene, value);
    else if (gh_str_eq(name, GH_STR("weak")))
        scene->binding.weak = true;
    else if (gh_str_eq(name, GH_STR("single")))
        scene->binding.single_audience = true;
    else if (gh_str_eq(name, GH_STR("sample")))
        take_sample(scene, value);
    else
        fail("unknown word", word);
}

static gh_str dump(struct scene *scene, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    gh_str copy = gh_arena_dup(scene->arena, gh_str_from(text));
    free(text);
    return copy;
}

/* "bits" sets a bit that belongs to no byte; anything else is put in, at the end if it begins with "=". */
static gh_str encode(struct scene *scene, gh_str bytes, gh_str how)
{
    bool bits = gh_str_eq(how, GH_STR("bits"));
    if (bits && bytes.len % 3 == 0)
        bytes = gh_arena_printf(scene->arena, "%.*s ", GH_STR_FMT(bytes));
    gh_str text = gh_test_base64url(scene->arena, bytes);
    if (how.ptr == NULL)
        return text;
    size_t at = how.ptr[0] == '=' ? text.len : 4;
    if (!bits)
        return gh_arena_printf(scene->arena, "%.*s%.*s%s", (int)at, text.ptr, GH_STR_FMT(how), text.ptr + at);
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char last = alphabet[(strchr(alphabet, text.ptr[text.len - 1]) - alphabet) | 1];
    return gh_arena_printf(scene->arena, "%.*s%c", (int)text.len - 1, text.ptr, last);
}

static gh_str sign(struct scene *scene, gh_str body)
{
    gh_str alg = gh_arena_dup(scene->arena, scene->alg);
    gh_str how = scene->sign;
    if (gh_str_eq(how, GH_STR("empty")))
        return GH_STR("");
    if (gh_str_eq(how, GH_STR("hmac")))
        return gh_signer_confuse(scene->arena, signer_for(signers, alg), body);
    if (gh_str_eq(how, GH_STR("other")))
        return gh_signer_sign(scene->arena, signer_for(others, alg), alg.ptr, body);
    if (!gh_str_eq(how, GH_STR("own")))
        alg = gh_arena_dup(scene->arena, how);
    return gh_signer_sign(scene->arena, signer_for(signers, alg), alg.ptr, body);
}

static gh_str token_of(struct scene *scene)
{
    gh_str header = scene->raw_header.ptr != NULL ? scene->raw_header : dump(scene, scene->header);
    gh_str payload = scene->raw_payload.ptr != NULL ? scene->raw_payload : dump(scene, scene->payload);
    gh_str body = gh_arena_printf(scene->arena, "%s.%s", encode(scene, header, scene->segment[0]).ptr,
                                  encode(scene, payload, scene->segment[1]).ptr);
    gh_str own = gh_arena_printf(scene->arena, "%s.%s", body.ptr,
                                 encode(scene, sign(scene, body), scene->segment[2]).ptr);
    if (scene->text.ptr == NULL)
        return own;
    /* "@" in the text stands for the token. */
    gh_str rest = scene->text, before = gh_str_cut(&rest, '@');
    bool has_token = rest.ptr != NULL || gh_str_ends(scene->text, GH_STR("@"));
    return has_token
               ? gh_arena_printf(scene->arena, "%.*s%s%.*s", GH_STR_FMT(before), own.ptr, GH_STR_FMT(rest))
               : scene->text;
}

static struct gh_jwks *keys_of(struct scene *scene)
{
    struct gh_arena *arena = scene->arena;
    const char *kid = gh_str_eq(scene->keys, GH_STR("renamed")) ? "renamed" : scene->kid.ptr;
    gh_str more = gh_arena_printf(arena, ",\"kid\":\"%s\",\"alg\":\"%s\"", kid, scene->alg.ptr);
    gh_str key = gh_signer_jwk(arena, signer_for(signers, scene->alg), more.ptr), other = GH_STR("");
    if (gh_str_eq(scene->keys, GH_STR("two")))
        other = gh_signer_jwk(arena, signer_for(others, scene->alg), ",\"kid\":\"second\"");
    if (gh_str_starts(scene->keys, GH_STR("issuer:"))) {
        more = gh_arena_printf(arena, "%s,\"issuer\":\"%.*s\"", more.ptr,
                               GH_STR_FMT(gh_str_skip(scene->keys, 7)));
        key = gh_signer_jwk(arena, signer_for(signers, scene->alg), more.ptr);
    }
    gh_str doc = gh_arena_printf(arena, "{\"keys\":[%s%s%s]}", key.ptr, other.len != 0 ? "," : "", other.ptr);
    struct gh_jwks *set = NULL;
    if (gh_jwks_read(doc, scene->profile.algs, NULL, &set) != GH_OK)
        fail("no key set", doc);
    return set;
}

static enum gh_reason judge_token(struct scene *scene, const struct gh_jwks *set,
                                  struct gh_principal *principal)
{
    struct gh_token token;
    struct gh_key *key = NULL;
    enum gh_reason reason = gh_token_open(scene->arena, token_of(scene), &token);
    if (reason == GH_OK && !gh_profile_matches(&scene->profile, &token))
        reason = GH_TOKEN_ISSUER;
    if (reason == GH_OK)
        reason = gh_token_fits(&token, &scene->profile);
    if (reason == GH_OK)
        reason = gh_token_key(set, &token, &scene->profile, &key);
    if (reason == GH_OK)
        reason = gh_token_signature(key, token.alg, token.signed_part, token.signature);
    if (reason == GH_OK)
        reason =
            gh_token_judge(scene->arena, &token, &scene->profile, &scene->binding, scene->now, principal);
    return reason;
}

static enum gh_reason judge(struct scene *scene, struct gh_principal *principal)
{
    if (scene->header == NULL) {
        gh_str answer = scene->raw_payload.ptr != NULL ? scene->raw_payload : dump(scene, scene->payload);
        return gh_introspection_judge(scene->arena, answer, &scene->profile, &scene->binding, scene->now,
                                      principal);
    }
    struct gh_jwks *set = keys_of(scene);
    enum gh_reason reason = judge_token(scene, set, principal);
    gh_jwks_unref(set);
    return reason;
}

static bool put(struct gh_buf *out, const char *name, gh_str value)
{
    return value.len == 0 || gh_buf_printf(out, " %s=%.*s", name, GH_STR_FMT(value));
}

static bool describe(struct scene *scene, const struct gh_principal *principal, struct gh_buf *out)
{
    static const char *const kinds[] = { "user", "service", "agent" };
    gh_str actors = GH_STR("");
    for (size_t i = 0; i < principal->actor_count; i++)
        actors = gh_arena_printf(scene->arena, "%s%s%s:%s", actors.ptr, i != 0 ? ">" : "",
                                 principal->actors[i].sub.ptr, principal->actors[i].profile.ptr);
    return gh_buf_printf(out, "ok %s %s", kinds[principal->kind], principal->subject.ptr) &&
           put(out, "client", principal->client) && put(out, "tenant", principal->tenant_id) &&
           put(out, "scopes", gh_arena_join(scene->arena, principal->scopes, GH_STR(","))) &&
           put(out, "groups", gh_arena_join(scene->arena, principal->groups, GH_STR(","))) &&
           put(out, "groups", principal->groups_unknown ? GH_STR("unknown") : GH_STR("")) &&
           put(out, "actors", actors);
}

/* Words before "/" make a token that must be accepted, as the twin of what the words behind it make. */
static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct scene scene;
    struct gh_principal principal;
    bool has_twin = false;
    set_scene(&scene, arena, gh_table_word(&line));
    for (gh_str word = gh_table_word(&line); word.ptr != NULL; word = gh_table_word(&line)) {
        if (!gh_str_eq(word, GH_STR("/"))) {
            change(&scene, word);
            continue;
        }
        has_twin = true;
        enum gh_reason twin = judge(&scene, &principal);
        if (twin != GH_OK && !gh_buf_printf(out, "twin refused (%s), ", gh_reason_row(twin)->slug))
            fail("out of memory", line);
    }
    enum gh_reason reason = judge(&scene, &principal);
    bool written = reason == GH_OK ? describe(&scene, &principal, out)
                                   : gh_buf_printf(out, "%sreason: %s", has_twin ? "" : "no twin, ",
                                                   gh_reason_row(reason)->slug);
    clear_scene(&scene);
    if (!written)
        fail("out of memory", line);
}

int main(void)
{
    int status = gh_table_run("token", answer);
    for (size_t i = 0; i < GH_ARRAY_LEN(signers); i++) {
        gh_signer_free(signers[i]);
        gh_signer_free(others[i]);
    }
    return status;
}
