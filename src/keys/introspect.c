/* keys/introspect.c: opaque tokens are asked of their issuer (RFC 7662): once for all who ask at the same
 * time. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "core/json/json.h"
#include "keys/ring.h"

#define INACTIVE_MS 5000

/* One POST and everybody who waits for its answer. It outlives its ring, and the rings, if it must. */
struct question {
    struct gh_map_node node; /* in rings->questions, by key */
    struct gh_list link;     /* in rings->all_questions */
    struct gh_keyrings *rings;
    struct ring *ring;
    unsigned char key[GH_RECENT_KEY];
    struct gh_list askers;
};

struct asker {
    struct answer answer; /* its link is in the question's askers while it waits */
    void (*done)(void *ctx, enum gh_reason reason, gh_str answer);
    void *ctx;
    enum gh_reason reason; /* of an answer without a question */
};

static struct question *find_question(struct gh_keyrings *rings, const unsigned char key[GH_RECENT_KEY]);
static struct question *ask(struct ring *ring, const unsigned char key[GH_RECENT_KEY],
                            const struct gh_introspection_request *request);
static bool post(struct question *question, gh_str token);
static void answered(void *ctx, const struct gh_fetch_answer *answer);
static enum gh_reason read_answer(struct question *question, const struct gh_fetch_answer *answer);
static void note(struct question *question, enum gh_reason reason, const struct gh_fetch_answer *answer);
static void forget(struct question *question);

static void run_asker(struct answer *answer)
{
    struct asker *asker = GH_LIST_ENTRY(answer, struct asker, answer);
    asker->done(asker->ctx, asker->reason,
                asker->reason == GH_OK ? GH_STR("{\"active\":false}") : GH_STR_NONE);
    free(asker);
}

bool gh_keyrings_introspect(struct gh_keyrings *rings, const struct gh_introspection_request *request,
                            void (*done)(void *ctx, enum gh_reason reason, gh_str answer), void *ctx)
{
    struct ring *ring = request->slot < GH_KEYRING_SLOTS ? rings->at[request->slot] : NULL;
    unsigned char key[GH_RECENT_KEY];
    struct asker *asker = rings->waiting < RINGS_WAITING_MAX ? gh_calloc(1, sizeof(*asker)) : NULL;
    if (asker == NULL || !gh_recent_key(request->slot, request->token, key)) {
        free(asker);
        return false;
    }
    *asker = (struct asker){ .answer = { .run = run_asker }, .done = done, .ctx = ctx };
    gh_list_init(&asker->answer.link);
    rings->waiting++;
    struct question *question = NULL;
    if (ring == NULL || ring->conf->introspection_url.len == 0)
        asker->reason = GH_INTROSPECTION_DOWN;
    else if (gh_recent_has(&rings->inactive, key, gh_loop_now_ms(rings->loop)))
        asker->reason = GH_OK;
    else if ((question = find_question(rings, key)) == NULL && (question = ask(ring, key, request)) == NULL)
        asker->reason = request->suspect ? GH_VERIFY_BUDGET : GH_OVERLOADED;
    if (question != NULL)
        gh_list_append(&question->askers, &asker->answer.link);
    else
        gh_rings_answer_later(rings, &asker->answer);
    return true;
}

static struct question *find_question(struct gh_keyrings *rings, const unsigned char key[GH_RECENT_KEY])
{
    struct gh_map_node *node = gh_map_find(&rings->questions, gh_str_of(key, GH_RECENT_KEY));
    return node != NULL ? GH_MAP_ENTRY(node, struct question, node) : NULL;
}

/* NULL beyond the issuer's limit, or out of memory. */
static struct question *ask(struct ring *ring, const unsigned char key[GH_RECENT_KEY],
                            const struct gh_introspection_request *request)
{
    int64_t most = ring->conf->introspection_parallel;
    if (ring->asking >= (request->suspect ? (most + 1) / 2 : most))
        return NULL;
    struct question *question = gh_calloc(1, sizeof(*question));
    if (question == NULL)
        return NULL;
    question->rings = ring->rings;
    question->ring = ring;
    gh_list_init(&question->askers);
    memcpy(question->key, key, GH_RECENT_KEY);
    question->node.key = gh_str_of(question->key, GH_RECENT_KEY);
    if (!gh_map_add(&ring->rings->questions, &question->node)) {
        free(question);
        return NULL;
    }
    gh_list_init(&question->link);
    gh_list_append(&ring->rings->all_questions, &question->link);
    ring->asking++;
    if (post(question, request->token))
        return question;
    forget(question);
    free(question);
    return NULL;
}

#define FORM_TAIL "&token_type_hint=access_token"
#define FORM_ASSERTION                                                                                       \
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"                \
    "&client_assertion="

/* RFC 7662 section 2.1. A token is of any bytes here: all but the unreserved are encoded. The letters of an
 * assertion are all unreserved (RFC 7515 section 2). Returns the length written. */
static size_t write_form(gh_str token, gh_str assertion, char *form)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = sizeof("token=") - 1;
    memcpy(form, "token=", at);
    for (size_t i = 0; i < token.len; i++) {
        unsigned char c = (unsigned char)token.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c) != NULL)) {
            form[at++] = (char)c;
        } else {
            form[at++] = '%';
            form[at++] = hex[c >> 4];
            form[at++] = hex[c & 15];
        }
    }
    memcpy(form + at, FORM_TAIL, sizeof(FORM_TAIL) - 1);
    at += sizeof(FORM_TAIL) - 1;
    if (assertion.len == 0)
        return at;
    memcpy(form + at, FORM_ASSERTION, sizeof(FORM_ASSERTION) - 1);
    memcpy(form + at + sizeof(FORM_ASSERTION) - 1, assertion.ptr, assertion.len);
    return at + sizeof(FORM_ASSERTION) - 1 + assertion.len;
}

static bool send_form(struct question *question, gh_str token, gh_str assertion)
{
    const struct ring_conf *conf = question->ring->conf;
    size_t cap = sizeof("token=" FORM_TAIL FORM_ASSERTION) + 3 * token.len + assertion.len;
    char *form = gh_malloc(cap);
    if (form == NULL)
        return false;
    struct gh_fetch_request request = { .url = conf->introspection_url,
                                        .form = gh_str_of(form, write_form(token, assertion, form)) };
    if (assertion.len == 0) {
        request.user = conf->introspection_client;
        request.password = &conf->introspection_secret;
    }
    bool sent = gh_fetch(question->rings->fetcher, &request, answered, question);
    gh_wipe(form, cap);
    free(form);
    return sent;
}

static bool post(struct question *question, gh_str token)
{
    const struct ring_conf *conf = question->ring->conf;
    if (conf->introspection_key == NULL)
        return send_form(question, token, GH_STR_NONE);
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(2048);
    gh_str assertion = arena != NULL
                           ? gh_ring_client_assertion(arena, conf, gh_loop_wall_s(question->rings->loop))
                           : GH_STR_NONE;
    return assertion.len != 0 && send_form(question, token, assertion);
}

static void answered(void *ctx, const struct gh_fetch_answer *answer)
{
    struct question *question = ctx;
    enum gh_reason reason = question->rings != NULL ? read_answer(question, answer) : GH_SHUTTING_DOWN;
    gh_str text = reason == GH_OK ? answer->body : GH_STR_NONE;
    struct gh_keyrings *rings = question->rings;
    struct gh_list *node;
    note(question, reason, answer);
    forget(question);
    while ((node = gh_list_first(&question->askers)) != NULL) {
        struct asker *asker = GH_LIST_ENTRY(node, struct asker, answer.link);
        gh_list_remove(node);
        rings->waiting--;
        asker->done(asker->ctx, reason, text);
        free(asker);
    }
    free(question);
}

/* RFC 7662 section 2.2: "active" is "REQUIRED. Boolean indicator". What the answer says beyond that is judged
 * by whoever asked. */
static enum gh_reason read_answer(struct question *question, const struct gh_fetch_answer *answer)
{
    if (answer->reason == GH_SHUTTING_DOWN)
        return GH_SHUTTING_DOWN;
    if (answer->reason != GH_OK)
        return GH_INTROSPECTION_DOWN;
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_json doc;
    if (arena == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason =
        gh_json_read(arena, answer->body, &gh_json_control_limits, GH_INTROSPECTION_DOWN, &doc);
    if (reason != GH_OK)
        return reason;
    const struct gh_json *active = gh_json_get(&doc, GH_STR("active"));
    if (active == NULL || active->type != GH_JSON_TRUE)
        gh_recent_add(&question->rings->inactive, question->key,
                      gh_loop_now_ms(question->rings->loop) + INACTIVE_MS);
    return GH_OK;
}

/* One line when it begins to fail and one when it is well again: clients decide how often it is asked. */
static void note(struct question *question, enum gh_reason reason, const struct gh_fetch_answer *answer)
{
    struct ring *ring = question->ring;
    bool failed = reason != GH_OK;
    if (ring == NULL || reason == GH_SHUTTING_DOWN || failed == ring->asking_failed)
        return;
    ring->asking_failed = failed;
    const char *why = answer->reason == GH_OK ? "the answer is no JSON object" : answer->why;
    if (failed)
        gh_log(GH_LOG_WARN, "introspection at an issuer fails", GH_FIELD("issuer", ring->conf->name),
               GH_FIELD("url", ring->conf->introspection_url),
               GH_FIELD("reason",
                        gh_str_from(gh_reason_row(answer->reason == GH_OK ? reason : answer->reason)->slug)),
               GH_FIELD("why", gh_str_from(why)));
    else
        gh_log(GH_LOG_INFO, "introspection at an issuer is well again", GH_FIELD("issuer", ring->conf->name),
               GH_FIELD("url", ring->conf->introspection_url));
}

/* Nobody finds it any more; those who wait are its own still. */
static void forget(struct question *question)
{
    if (question->rings == NULL)
        return;
    gh_map_remove(&question->rings->questions, &question->node);
    gh_list_remove(&question->link);
    if (question->ring != NULL)
        question->ring->asking--;
    question->ring = NULL;
    question->rings = NULL;
}

/* The ring goes: its questions run out by themselves, and who waits is answered now. */
void gh_ring_forget_questions(struct ring *ring)
{
    struct gh_keyrings *rings = ring->rings;
    GH_LIST_EACH_SAFE (node, &rings->all_questions) {
        struct question *question = GH_LIST_ENTRY(node, struct question, link);
        if (question->ring != ring)
            continue;
        struct gh_list *first;
        while ((first = gh_list_first(&question->askers)) != NULL) {
            gh_list_remove(first);
            GH_LIST_ENTRY(first, struct asker, answer.link)->reason = GH_SHUTTING_DOWN;
            gh_rings_answer_later(rings, GH_LIST_ENTRY(first, struct answer, link));
        }
        forget(question);
    }
}
