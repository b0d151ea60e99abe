/* observe/test_audit.c: an audit line is one bounded line of JSON, whatever stands in its fields. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "observe/audit.h"
#include "support/cm.h"

static struct gh_policy policy;
static struct gh_principal principal;
static struct gh_audit_act act;
static struct gh_audit_record record;
static char out[GH_AUDIT_LINE];

/* Every text that may come from outside, or from a token. */
static gh_str *const texts[] = {
    &record.request_id,
    &record.trace_id,
    &record.method,
    &record.host,
    &record.path,
    &record.client_ip,
    &record.http_version,
    &policy.tenant,
    &policy.route,
    &policy.resource_text,
    &principal.issuer_name,
    &principal.subject,
    &principal.client,
    &principal.jti_hash,
    &principal.tenant_id,
    &principal.actors[0].sub,
    &principal.grant,
    &act.about,
    &act.grant_type,
    &act.resource,
    &act.asked,
    &act.given,
    &act.jti_hash,
    &act.revoked,
    &act.user_agent,
};

static int set_up(void **state)
{
    policy = (struct gh_policy){ 0 };
    principal = (struct gh_principal){ .actor_count = 2 };
    act = (struct gh_audit_act){ .events = GH_EVENT_BIT(GH_EVENT_COUNT) - 2, .revoked_count = 3 };
    record = (struct gh_audit_record){ .wall_us = 1700000000123456,
                                       .reason = GH_OK,
                                       .stage = "relay",
                                       .status = 200,
                                       .policy = &policy,
                                       .principal = &principal,
                                       .act = &act,
                                       .verify_us = -1,
                                       .upstream_us = -1 };
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++)
        *texts[i] = GH_STR("plain");
    return 0;
}

/* Writes the line and reads it as any reader of JSON would. */
static json_t *written(void)
{
    size_t len = gh_audit_write(&record, out);
    assert_true(len > 2 && len <= GH_AUDIT_LINE);
    assert_int_equal(out[len - 1], '\n');
    for (size_t i = 0; i + 1 < len; i++) {
        unsigned char c = (unsigned char)out[i];
        assert_true(c >= 0x20 && c != 0x7f);
    }
    json_error_t error;
    json_t *line = json_loadb(out, len - 1, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (line == NULL)
        (void)fprintf(stderr, "%s: %.*s\n", error.text, (int)len, out);
    assert_non_null(line);
    return line;
}

/* Of gateway and issuer alike, and once. */
static void the_token_by_its_hash(void **state)
{
    principal.jti = GH_STR("plain-id");
    principal.jti_hash = GH_STR("of-gateway");
    act.jti_hash = GH_STR("");
    json_t *line = written();
    assert_string_equal(json_string_value(json_object_get(line, "jti_hash")), "of-gateway");
    json_decref(line);
    act.jti_hash = GH_STR("of-issuer");
    line = written();
    assert_string_equal(json_string_value(json_object_get(line, "jti_hash")), "of-issuer");
    assert_null(json_object_get(line, "jti"));
    json_decref(line);
}

static void the_plain_line(void **state)
{
    json_t *line = written();
    assert_string_equal(json_string_value(json_object_get(line, "time")), "2023-11-14T22:13:20.123456Z");
    assert_string_equal(json_string_value(json_object_get(line, "reason")), "ok");
    assert_string_equal(json_string_value(json_object_get(line, "user")), "plain");
    assert_string_equal(json_string_value(json_object_get(line, "agent")), "plain");
    assert_int_equal(json_integer_value(json_object_get(line, "agents")), 2);
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
    assert_null(json_object_get(line, "verify_us"));
    json_decref(line);
}

/* Each event by its name; a line of the gateway has none. */
static void what_an_issuer_did(void **state)
{
    json_t *line = written(), *events = json_object_get(line, "events");
    assert_int_equal(json_array_size(events), GH_EVENT_COUNT - 1);
    assert_string_equal(json_string_value(json_array_get(events, 0)), "token.issued");
    assert_string_equal(json_string_value(json_array_get(events, GH_EVENT_COUNT - 2)), "signal");
    assert_int_equal(json_integer_value(json_object_get(line, "revoked_count")), 3);
    json_decref(line);
    record.act = NULL;
    line = written();
    assert_null(json_object_get(line, "events"));
    assert_null(json_object_get(line, "about"));
    json_decref(line);
}

/* threats.md L1: 256 byte values in every field, alone and between others; nothing raw comes through. */
static void every_byte_in_every_field(void **state)
{
    unsigned lines = 0;
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[3] = { 'a', (char)byte, 'z' };
            *texts[i] = gh_str_of(text, 3);
            json_decref(written());
            *texts[i] = gh_str_of(text + 1, 1);
            json_decref(written());
            lines += 2;
        }
        *texts[i] = GH_STR("plain");
    }
    assert_int_equal(lines, 512 * GH_ARRAY_LEN(texts));
}

/* What reorders or breaks the line that an operator reads, and what would end the JSON early. */
static void lines_cannot_be_forged(void **state)
{
    static const char *const bad[] = {
        "x\",\"reason\":\"ok",
        "x\r\n{\"time\":\"2023\"}",
        "\xe2\x80\xae"
        "evil",
        "\xe2\x81\xa6",
        "\xe2\x80\xa8",
        "\x1b[2J",
        "\xc2\x9b"
        "31m",
        "\xef\xbb\xbf",
        "\\",
        "\\u0022",
        "\xff\xfe",
        "\xed\xa0\x80",
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++) {
        for (size_t b = 0; b < GH_ARRAY_LEN(bad); b++) {
            *texts[i] = gh_str_from(bad[b]);
            json_t *line = written();
            assert_string_equal(json_string_value(json_object_get(line, "reason")), "ok");
            json_decref(line);
            gh_str all = gh_str_from(out);
            assert_false(gh_str_contains(all, GH_STR("\xe2\x80\xae")) ||
                         gh_str_contains(all, GH_STR("\xe2\x81\xa6")) ||
                         gh_str_contains(all, GH_STR("\xe2\x80\xa8")) ||
                         gh_str_contains(all, GH_STR("\xc2\x9b")));
        }
        *texts[i] = GH_STR("plain");
    }
}

/* All fields as long as can be, in what takes most room: no member is left half, and the reason is there. */
static void the_longest_line(void **state)
{
    static char longest[20000];
    static const char fill[] = { 1, '"', (char)0xff, 'x' };
    for (size_t f = 0; f < sizeof(fill); f++) {
        memset(longest, fill[f], sizeof(longest));
        for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++)
            *texts[i] = gh_str_of(longest, sizeof(longest));
        record.bytes_in = record.bytes_out = UINT64_MAX;
        record.total_us = record.verify_us = record.upstream_us = INT64_MAX;
        json_t *line = written();
        assert_string_equal(json_string_value(json_object_get(line, "reason")), "ok");
        assert_non_null(json_object_get(line, "user"));
        assert_non_null(json_object_get(line, "total_us"));
        json_decref(line);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_plain_line),         TEST(what_an_issuer_did), TEST(every_byte_in_every_field),
        TEST(the_token_by_its_hash),  TEST(what_an_issuer_did), TEST(every_byte_in_every_field),
        TEST(lines_cannot_be_forged), TEST(the_longest_line),
    };
    return cmocka_run_group_tests_name("audit lines", tests, NULL, NULL);
}
