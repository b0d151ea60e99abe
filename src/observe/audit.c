/* observe/audit.c: writes the audit line of one exchange: fixed order, escaped values, bounded length. */
#include "observe/audit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"

/* Room that is kept for the end of the line whatever comes before. */
#define TAIL 64

struct line {
    char *out;
    size_t len;
};

static void put(struct line *line, gh_str bytes)
{
    if (line->len + bytes.len + TAIL > GH_AUDIT_LINE)
        return;
    memcpy(line->out + line->len, bytes.ptr, bytes.len);
    line->len += bytes.len;
}

/* A member's name as it stands behind another one: all but the first. */
#define KEY(name) GH_STR(",\"" name "\":")

static void put_key(struct line *line, gh_str key)
{
    put(line, line->len > 1 ? key : gh_str_skip(key, 1));
}

/* Values are cut at `max` bytes of their escaped form. Room is looked at first, so that no member is left
 * half. */
static void text(struct line *line, gh_str key, gh_str value, size_t max)
{
    if (value.len == 0 || line->len + key.len + max + 2 + TAIL > GH_AUDIT_LINE)
        return;
    put_key(line, key);
    line->out[line->len++] = '"';
    line->len += gh_json_escape(value, line->out + line->len, max);
    line->out[line->len++] = '"';
}

static void number(struct line *line, gh_str key, int64_t value)
{
    char digits[24];
    size_t n = sizeof(digits);
    bool negative = value < 0;
    uint64_t rest = negative ? 0 - (uint64_t)value : (uint64_t)value;
    if (line->len + key.len + sizeof(digits) + TAIL > GH_AUDIT_LINE)
        return;
    do {
        digits[--n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (negative)
        digits[--n] = '-';
    put_key(line, key);
    put(line, gh_str_of(digits + n, sizeof(digits) - n));
}

/* RFC 3339 in UTC with microseconds; the second's text is kept per thread, since it changes once a second. */
static void when(struct line *line, int64_t wall_us)
{
    static _Thread_local int64_t second = INT64_MIN;
    static _Thread_local char stamp[40];
    if (wall_us / 1000000 != second) {
        second = wall_us / 1000000;
        time_t seconds = (time_t)second;
        struct tm utc;
        (void)gmtime_r(&seconds, &utc);
        (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
    }
    char value[28];
    memcpy(value, stamp, 27);
    int64_t micros = wall_us % 1000000;
    for (size_t i = 25; i >= 20; i--, micros /= 10)
        value[i] = (char)('0' + micros % 10);
    text(line, KEY("time"), gh_str_of(value, 27), 40);
}

static const char *kind_name(enum gh_principal_kind kind)
{
    switch (kind) {
    case GH_PRINCIPAL_USER:
        return "user";
    case GH_PRINCIPAL_SERVICE:
        return "service";
    case GH_PRINCIPAL_AGENT:
        return "agent";
    }
    return "";
}

/* Who the human is, which agent acts, all from a verified token. */
static void who(struct line *line, const struct gh_principal *principal)
{
    text(line, KEY("issuer"), principal->issuer_name, 128);
    text(line, KEY("user"), principal->subject, 512);
    text(line, KEY("client"), principal->client, 512);
    text(line, KEY("kind"), gh_str_from(kind_name(principal->kind)), 16);
    if (principal->actor_count > 0)
        text(line, KEY("agent"), principal->actors[0].sub, 512);
    if (principal->actor_count > 1)
        number(line, KEY("agents"), (int64_t)principal->actor_count);
    text(line, KEY("org"), principal->tenant_id, 256);
    text(line, KEY("grant"), principal->grant, 256);
}

static const char *const events[GH_EVENT_COUNT] = {
#define GH_AUDIT_EVENT_NAME(id, name) [GH_EVENT_##id] = (name),
    GH_AUDIT_EVENTS(GH_AUDIT_EVENT_NAME)
#undef GH_AUDIT_EVENT_NAME
};

/* `"events":["a","b"]`: room for all of them is looked at first, as for every member. */
static void put_events(struct line *line, uint64_t bits)
{
    bool is_first = true;
    if (bits == 0 || line->len + 512 + TAIL > GH_AUDIT_LINE)
        return;
    put_key(line, KEY("events"));
    put(line, GH_STR("["));
    for (size_t i = 1; i < GH_EVENT_COUNT; i++) {
        if ((bits & GH_EVENT_BIT(i)) == 0)
            continue;
        put(line, is_first ? GH_STR("\"") : GH_STR(",\""));
        put(line, gh_str_from(events[i]));
        put(line, GH_STR("\""));
        is_first = false;
    }
    put(line, GH_STR("]"));
}

/* What happened at an issuer of ours. */
static void what(struct line *line, const struct gh_audit_act *act)
{
    put_events(line, act->events);
    text(line, KEY("about"), act->about, 512);
    text(line, KEY("grant_type"), act->grant_type, 64);
    text(line, KEY("asked"), act->asked, 512);
    text(line, KEY("given"), act->given, 512);
    text(line, KEY("revoked"), act->revoked, 32);
    if (act->revoked.len > 0)
        number(line, KEY("revoked_count"), (int64_t)act->revoked_count);
    text(line, KEY("user_agent"), act->user_agent, 256);
}

static gh_str resource_of(const struct gh_audit_record *record)
{
    gh_str of_route = record->policy->resource_text;
    return of_route.len == 0 && record->act != NULL ? record->act->resource : of_route;
}

/* The token that was used, or at an issuer the one that was issued or asked about. */
static gh_str token_of(const struct gh_audit_record *record)
{
    if (record->act != NULL && record->act->jti_hash.len > 0)
        return record->act->jti_hash;
    return record->principal != NULL ? record->principal->jti_hash : GH_STR("");
}

size_t gh_audit_write(const struct gh_audit_record *record, char out[GH_AUDIT_LINE])
{
    struct line line = { .out = out };
    put(&line, GH_STR("{"));
    when(&line, record->wall_us);
    text(&line, KEY("request_id"), record->request_id, 64);
    text(&line, KEY("trace_id"), record->trace_id, 64);
    text(&line, KEY("reason"), gh_str_from(gh_reason_row(record->reason)->slug), 64);
    text(&line, KEY("stage"), gh_str_from(record->stage), 32);
    number(&line, KEY("status"), record->status);
    if (record->policy != NULL) {
        text(&line, KEY("tenant"), record->policy->tenant, 128);
        text(&line, KEY("route"), record->policy->route, 128);
        text(&line, KEY("resource"), resource_of(record), 512);
    }
    if (record->principal != NULL)
        who(&line, record->principal);
    text(&line, KEY("jti_hash"), token_of(record), 64);
    text(&line, KEY("by"), record->by, 64);
    if (record->act != NULL)
        what(&line, record->act);
    text(&line, KEY("mcp_method"), record->rpc_method, 128);
    text(&line, KEY("mcp_name"), record->rpc_name, 1024);
    text(&line, KEY("mcp_rule"), record->rpc_rule, 128);
    text(&line, KEY("mcp_arguments"), record->rpc_arguments, 64);
    text(&line, KEY("method"), record->method, 32);
    text(&line, KEY("host"), record->host, 256);
    text(&line, KEY("path"), record->path, 1024);
    text(&line, KEY("ip"), record->client_ip, 64);
    text(&line, KEY("http"), record->http_version, 8);
    number(&line, KEY("bytes_in"), (int64_t)record->bytes_in);
    number(&line, KEY("bytes_out"), (int64_t)record->bytes_out);
    number(&line, KEY("total_us"), record->total_us);
    if (record->verify_us >= 0)
        number(&line, KEY("verify_us"), record->verify_us);
    if (record->upstream_us >= 0)
        number(&line, KEY("upstream_us"), record->upstream_us);
    memcpy(out + line.len, "}\n", 2);
    return line.len + 2;
}
