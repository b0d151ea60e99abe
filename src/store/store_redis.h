/* store/store_redis.h: the Redis driver's parts: where the server is (redis_url.c, redis_sentinel.c), bytes
 * to and from it (redis_wire.c, redis_reply.c, redis_link.c), whether it may hold a store and which history
 * that has (redis_hello.c, redis_history.c), and what is asked of it (redis_scripts.c, redis_rows.c,
 * redis_commit.c, redis_rate.c, redis_log.c). */
#ifndef GH_STORE_STORE_REDIS_H
#define GH_STORE_STORE_REDIS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/secret.h"
#include "io/resolve.h"
#include "io/tls.h"
#include "store/driver.h"

/* ---- redis_url.c: a place that was read; its parts lie in the arena and in the text ---- */

struct gh_redis_peer {
    gh_str host; /* empty: a unix socket */
    gh_str path;
    uint16_t port;
};
#define GH_REDIS_SENTINELS 8
struct gh_redis_place {
    gh_str user; /* empty: the default one */
    bool tls;
    struct gh_redis_peer server; /* where no Sentinel is asked */
    struct gh_redis_peer sentinels[GH_REDIS_SENTINELS];
    size_t sentinel_count;
    gh_str master; /* as Sentinels name it */
    int64_t database;
};
#define GH_REDIS_ALLOWED                                                                                     \
    "redis[s]://[user@]host[:port][/db], redis[s]+sentinel://[user@]host[:port],.../name[?db=N] or "         \
    "redis+unix://[user@]/path[?db=N]"
/* GH_OK, GH_OUT_OF_MEMORY, or GH_SETTINGS_INVALID: *ret_allowed says what would be right. */
GH_MUST_USE enum gh_reason gh_redis_place_read(struct gh_arena *arena, gh_str url,
                                               struct gh_redis_place *ret_place, const char **ret_allowed);

/* ---- redis_wire.c: one connection, without blocking but for a wait with a deadline ---- */

struct gh_redis_wire {
    int fd;                      /* -1: none */
    struct gh_tls *tls;          /* NULL: plain */
    struct gh_buf plain, cipher; /* of TLS: what was received and not taken, and what is to be sent */
    char why[160];               /* of the last failure, without the name of who failed */
    bool late;                   /* it was the deadline */
};
/* The addresses of a peer, as they were looked up; count 0: not yet, or in vain. */
struct gh_redis_addresses {
    struct gh_address at[GH_RESOLVE_MAX];
    size_t count;
};
/* Asks the system, which may take its time. */
void gh_redis_wire_look_up(const struct gh_redis_peer *peer, struct gh_redis_addresses *ret_addresses);
/* The name is what a certificate must have; `tls` NULL: plain. These three: what failed stands in `why`. */
bool gh_redis_wire_open(struct gh_redis_wire *wire, const struct gh_redis_addresses *addresses, gh_str name,
                        struct gh_tls_context *tls, int64_t deadline_ms) GH_MUST_USE;
void gh_redis_wire_close(struct gh_redis_wire *wire);
/* All of it. */
bool gh_redis_wire_write(struct gh_redis_wire *wire, gh_str bytes, int64_t deadline_ms) GH_MUST_USE;
/* Something: its count; -1: nothing more comes. */
ssize_t gh_redis_wire_read(struct gh_redis_wire *wire, void *to, size_t cap, int64_t deadline_ms) GH_MUST_USE;

/* ---- redis_reply.c: what the server answers, bounded ---- */

enum gh_reply_kind { GH_REPLY_NIL, GH_REPLY_TEXT, GH_REPLY_ERROR, GH_REPLY_NUMBER, GH_REPLY_ARRAY };
struct gh_reply {
    enum gh_reply_kind kind;
    gh_str text;                /* also of an error; status lines are text */
    int64_t number;             /* of a number, nothing else */
    struct gh_reply *const *at; /* of an array */
    size_t count;
};
/* One bulk, all arrays of one batch, and all of its bytes may be as large. */
#define GH_REPLY_BYTES    (16u << 20)
#define GH_REPLY_MEMORY   (64u << 20)
#define GH_REPLY_ELEMENTS 32768

/* Replies are made in the arena, which the caller resets between batches. NULL when out of memory. */
struct gh_reply_reader;
struct gh_reply_reader *gh_reply_reader_new(struct gh_arena *arena);
void gh_reply_reader_free(struct gh_reply_reader *reader);
/* Counts bytes anew. */
void gh_reply_reader_begin(struct gh_reply_reader *reader);
/* False: more than may be, or no memory. */
bool gh_reply_reader_feed(struct gh_reply_reader *reader, gh_str bytes) GH_MUST_USE;
/* *ret_reply NULL: not whole yet. False: no reply of this protocol, or out of bounds. */
bool gh_reply_reader_take(struct gh_reply_reader *reader, const struct gh_reply **ret_reply) GH_MUST_USE;

/* What a reply must be; false otherwise. Digits in a text are a number too: scripts answer so, whose own
 * numbers are not exact. */
bool gh_reply_is_text(const struct gh_reply *reply, gh_str text);
bool gh_reply_number(const struct gh_reply *reply, int64_t *ret_number) GH_MUST_USE;
/* "version:expires:value", as rows lie there. */
bool gh_reply_row(const struct gh_reply *reply, struct gh_stored_row *ret_row) GH_MUST_USE;
/* An entry of the log. */
bool gh_reply_line(const struct gh_reply *reply, struct gh_log_line *ret_line) GH_MUST_USE;

/* ---- redis_scripts.c ---- */

enum gh_redis_script {
    GH_REDIS_SET_UP,
    GH_REDIS_READ,
    GH_REDIS_LIST,
    GH_REDIS_COMMIT,
    GH_REDIS_SWEEP,
    GH_REDIS_TAKE,
    GH_REDIS_SCRIPTS
};
gh_str gh_redis_script(enum gh_redis_script which);

#define GH_REDIS_ID       "{gh}:id"
#define GH_REDIS_SEQUENCE "{gh}:sequence"
#define GH_REDIS_LOG      "{gh}:log"

/* ---- the driver ---- */

#define GH_REDIS_ID_LEN 32
#define GH_REDIS_SHA    40

struct gh_redis {
    struct gh_arena *kept; /* what lives as long as the driver */
    struct gh_redis_place place;
    gh_str password_file, sentinel_password_file; /* empty: none */
    struct gh_tls_context *tls;                   /* NULL: plain */
    int64_t timeout_ms, replicas, replica_wait_ms;

    struct gh_redis_wire wire;
    struct gh_reply_reader *reader;
    struct gh_arena *arena; /* of commands and replies of the present batch */
    struct gh_buf out;
    int64_t deadline_ms, given_ms; /* when it is over, and how long it was */
    int64_t retry_at_ms, pause_ms; /* the breaker: until then nothing is tried */
    char shas[GH_REDIS_SCRIPTS][GH_REDIS_SHA + 1];

    struct gh_redis *scout;                                  /* asks the Sentinels; NULL: there are none */
    size_t sentinel;                                         /* of the scout: the one to ask next */
    struct gh_redis_addresses looked_up[GH_REDIS_SENTINELS]; /* of the scout: theirs */
    char found[256];                                         /* what they said: host, port and epoch */
    uint16_t found_port;
    int64_t epoch;
    int64_t watch_at_ms, unwatched; /* when to ask again; so often in succession they said nothing */

    char id[GH_REDIS_ID_LEN + 1];   /* of the store; empty until it was opened */
    char history[GH_REDIS_SHA + 1]; /* the server's replication id; empty until it was opened */
    char called[GH_REDIS_ID_LEN + GH_REDIS_SHA + 1]; /* what scripts are told: the id, and the history of the
                                                        connection */
    uint64_t seen;                                   /* the highest sequence */
    uint64_t sure;                                   /* below it nothing may be lost, as far as we know */
    uint64_t looked;                                 /* the sequence of the last look */
    struct gh_redis_kept *kept_lines;
    bool lost; /* for good: only a new start helps */
    char why[256];
};

/* redis_link.c */
/* Keeps the words, closes the connection, opens the breaker. */
GH_MUST_USE enum gh_reason gh_redis_fail(struct gh_redis *self, const char *format, ...) GH_PRINTF(2, 3);
/* Keeps the words. */
void gh_redis_say(struct gh_redis *self, const char *format, ...) GH_PRINTF(2, 3);
void gh_redis_drop(struct gh_redis *self);
/* So long from now. */
void gh_redis_set_deadline(struct gh_redis *self, int64_t ms);
/* A connection to there, for commands, and nothing more. */
GH_MUST_USE enum gh_reason gh_redis_connect(struct gh_redis *self, const struct gh_redis_addresses *addresses,
                                            gh_str name);
/* The first connection to the store: GH_OK, GH_STORE_DOWN, GH_SETTINGS_INVALID, GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_redis_open(struct gh_redis *self);
/* A new batch over a connection in order, or GH_STORE_DOWN at once, or GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_redis_begin(struct gh_redis *self);
/* Another command of the batch. */
GH_MUST_USE enum gh_reason gh_redis_ask(struct gh_redis *self, struct gh_strs words);
GH_MUST_USE enum gh_reason gh_redis_send(struct gh_redis *self);
/* The next reply, in order, errors too. */
GH_MUST_USE enum gh_reason gh_redis_answer(struct gh_redis *self, const struct gh_reply **ret_reply);
/* What a reply means that is none of those expected. */
GH_MUST_USE enum gh_reason gh_redis_refuse(struct gh_redis *self, const struct gh_reply *reply);
/* The words of a script call: *words has room for `count` more behind the five. */
#define GH_REDIS_CALL 5
void gh_redis_call(struct gh_redis *self, enum gh_redis_script which, gh_str tenant, gh_str *words);
bool gh_redis_is_unloaded(const struct gh_reply *reply);
/* On a connection that is in order otherwise. */
GH_MUST_USE enum gh_reason gh_redis_load(struct gh_redis *self);
/* "{gh:" + SHA-256 + "}"; ptr NULL when out of memory. */
gh_str gh_redis_tenant(struct gh_arena *arena, gh_str tenant);
gh_str gh_redis_digits(struct gh_arena *arena, int64_t number);

/* One command, one reply. */
GH_MUST_USE enum gh_reason gh_redis_ask_one(struct gh_redis *self, struct gh_strs words,
                                            const struct gh_reply **ret_reply);

/* redis_sentinel.c: where the Sentinels say that the server is, its host in self->found. */
GH_MUST_USE enum gh_reason gh_redis_find(struct gh_redis *self, struct gh_redis_peer *ret_server);
/* Do they name another one now? Asks at most once a second. And of the driver's table: none of them says. */
bool gh_redis_has_moved(struct gh_redis *self) GH_MUST_USE;
const char *gh_redis_warning(void *ctx);

/* redis_hello.c: with the password in a file, which is read anew. */
GH_MUST_USE enum gh_reason gh_redis_authenticate(struct gh_redis *self, gh_str user, gh_str file);
/* GH_OK when this is a server that may hold the store; GH_SETTINGS_INVALID when it never
 * will. */
GH_MUST_USE enum gh_reason gh_redis_hello(struct gh_redis *self);
/* The value of a line of INFO; ptr NULL: it has none. */
gh_str gh_redis_info(gh_str info, const char *name);

/* redis_rows.c, redis_commit.c */
void gh_redis_read_all(struct gh_redis *self, struct gh_store_call *first);
void gh_redis_commit_all(struct gh_redis *self, struct gh_store_call *first);
/* redis_rate.c: of a call that is a take. */
GH_MUST_USE enum gh_reason gh_redis_rate_ask(struct gh_redis *self, const struct gh_store_call *call);
GH_MUST_USE enum gh_reason gh_redis_rate_judge(struct gh_redis *self, struct gh_store_call *call,
                                               const struct gh_reply *reply);
/* GH_OK: as many replicas as store.replicas asks for have what this connection has written. */
GH_MUST_USE enum gh_reason gh_redis_confirm(struct gh_redis *self);
/* Entries of the log alone; they are confirmed apart. */
GH_MUST_USE enum gh_reason gh_redis_append(struct gh_redis *self, const struct gh_log_line *lines,
                                           size_t count);
/* redis_log.c: of the driver's table, and: is what the server has the history that we know? */
enum gh_reason gh_redis_look(void *ctx, bool *ret_changed);
enum gh_reason gh_redis_tail(void *ctx, uint64_t after, struct gh_arena *arena,
                             struct gh_log_batch *ret_batch);
enum gh_reason gh_redis_sweep(void *ctx, int64_t now_s, bool *ret_more);

/* redis_history.c: what is known of the server's past, and what it has forgotten of it. */
/* A sequence that was read. */
GH_MUST_USE enum gh_reason gh_redis_see(struct gh_redis *self, uint64_t sequence);
/* All up to there will be there whoever takes over. */
void gh_redis_be_sure(struct gh_redis *self, uint64_t sequence);
/* An entry that was told. */
GH_MUST_USE enum gh_reason gh_redis_keep(struct gh_redis *self, const struct gh_log_line *line);
void gh_redis_forget_kept(struct gh_redis *self);
/* Takes the server's history, which has all that the known one had up to `base`, and its sequence: what was
 * told behind the base is appended again. */
GH_MUST_USE enum gh_reason gh_redis_go_over(struct gh_redis *self, gh_str history, uint64_t base,
                                            uint64_t sequence);
/* May another server take this one's place, or has one, so that its replicas matter at once? */
bool gh_redis_is_contested(const struct gh_redis *self, gh_str history);
/* Do as many replicas hear it as store.replicas asks for? */
GH_MUST_USE enum gh_reason gh_redis_check_replicas(struct gh_redis *self, gh_str info);
/* It is not the store any more that this process has opened. */
GH_MUST_USE enum gh_reason gh_redis_other(struct gh_redis *self);
/* It forgot while we looked: nothing is believed any more. */
GH_MUST_USE enum gh_reason gh_redis_went_back(struct gh_redis *self);
/* Another history has begun under this connection: nothing was done, and the next connection learns of it. */
GH_MUST_USE enum gh_reason gh_redis_moved(struct gh_redis *self);
/* It does not have what we know of; another server may. */
GH_MUST_USE enum gh_reason gh_redis_lacks(struct gh_redis *self);

#endif
