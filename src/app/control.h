/* app/control.h: the control thread: settings, keys, workers, the admin listener, signals. */
#ifndef GH_APP_CONTROL_H
#define GH_APP_CONTROL_H

#include "admin/admin.h"
#include "app/documents.h"
#include "app/hearings.h"
#include "app/nodes.h"
#include "app/sign_ins.h"
#include "app/worker.h"
#include "io/inherit.h"
#include "store/store.h"

#define GH_WORKERS_MAX 128
/* The first series of the registry: what reached no route; its labels are empty. */
#define GH_NO_ROUTE 0

/* Where settings come from: again at every reload. */
struct gh_settings_source {
    const char *file; /* NULL: the flags below */
    const struct gh_conf_flags *flags;
};

/* What the store's log says; all NULL where the settings name no store. */
struct gh_revocations {
    struct gh_store_client *client; /* the control thread's */
    struct gh_index *index;
    unsigned readers; /* workers */
    bool incomplete;  /* an entry could not be taken in: nobody may rely on the index any more */
    bool has_past;    /* all that was there at the start has been read */
    bool untold;      /* a worker could not be told of a change */
    int64_t lag_ms;   /* of the last entry that came since */
    struct gh_turn_work tell;
    struct gh_deadline watch;
    int64_t sweep_at_ms;
};

/* The process's own descriptor of a listening socket; those who accept have duplicates. A door is the number
 * of a public listener, or one of these. */
struct gh_bound {
    size_t door;
    int fd; /* -1: closed */
};
#define GH_DOOR_ADMIN    (SIZE_MAX - 1)
#define GH_DOOR_HANDOVER (SIZE_MAX - 2)

/* By then the file of a key that was dropped by another process is gone. */
#define GH_KEYS_SOON_MS 500

struct gh_control {
    struct gh_settings_source source;
    struct gh_loop *loop;
    struct gh_mailbox *mailbox;
    struct gh_fetcher *fetcher;
    struct gh_keyrings *rings;
    struct gh_documents *documents;
    struct gh_sign_ins *sign_ins;
    struct gh_hearings *hearings;
    struct gh_registry *registry;
    struct gh_ticket_keys *tickets;
    struct gh_session_keys *session_keys;       /* made at the start: they survive reloads */
    struct gh_sources *sources, *admin_sources; /* public clients never lock the operator out */
    struct gh_streams *streams;
    struct gh_limits *limits;               /* of managed issuers, for all workers */
    struct gh_offload *offload, *passwords; /* passwords: those who sign in never hold up signatures */
    struct gh_store *store;                 /* NULL: none in the settings */
    struct gh_signing signing;
    struct gh_revocations revocations;
    struct gh_setup_offers *setup; /* NULL: there was nothing to offer */
    struct gh_logfile *log_file, *audit_file;
    struct gh_snapshot *snapshot;
    struct gh_worker *workers[GH_WORKERS_MAX];
    unsigned worker_count, drained_count;
    struct gh_bound *bound;
    size_t bound_count, bound_cap;
    struct gh_handover *handover; /* what a successor asks for; NULL: no such setting, or handed over */
    struct gh_takeover *takeover; /* from a predecessor; NULL: there is none, or it is done */
    bool draining, failed;
    bool may_pass; /* why it does not start: the same again may go well */
    unsigned asked_to_end;
    struct gh_admin admin;
    struct gh_control_table table;
    struct gh_front *admin_front;
    struct gh_front_conf admin_conf;
    struct gh_listen_conf admin_listen;
    struct gh_observer admin_observer;
    struct gh_lane *admin_audit; /* NULL: audit is off */
    struct gh_arena_pool admin_arenas;
    struct gh_node_entry node;
    struct gh_deadline ticks;     /* ticket keys rotate, signing keys in folders are looked at */
    struct gh_deadline looks;     /* those in the store are */
    struct gh_kid_look *kid_look; /* and when a token has an unknown kid; NULL: not at this moment */
    uint64_t generation;
    gh_str reload_text; /* heap: of the last reload */
};

/* Everything but the threads' start: settings are in force, sockets are bound. The exit status is 0, or with
 * the reason on standard error 1, or GH_EXIT_AGAIN (EX_TEMPFAIL) when a store or an address was not to be
 * had. */
#define GH_EXIT_AGAIN 75
int gh_control_init(struct gh_control *control, const struct gh_settings_source *source);
/* Starts the threads and runs until a signal ends it. */
int gh_control_run(struct gh_control *control);
void gh_control_done(struct gh_control *control);
/* Starts draining; ends the loop when all workers have. Nothing when it drains already. */
void gh_control_drain(struct gh_control *control, bool admin_too);
/* The process cannot go on: its exit status is 1. */
void gh_control_fail(struct gh_control *control);

/* ---- reload.c ---- */
GH_MUST_USE enum gh_reason gh_control_read_settings(const struct gh_settings_source *source,
                                                    struct gh_conf **ret_conf, struct gh_conf_errors *errors);
/* Takes the settings over and into force, whole or not at all; the key rings take part in the same step. On
 * failure a strdup'd text may say why. */
GH_MUST_USE enum gh_reason gh_control_adopt(struct gh_control *control, struct gh_conf *conf, char **ret_why);
/* SIGHUP and the admin API. */
enum gh_reason gh_control_reload(struct gh_control *control);

/* ---- revocation.c ---- */
/* Where there is a store: the index of its revocations, and this thread's client. */
bool gh_control_make_index(struct gh_control *control, const struct gh_conf *conf) GH_MUST_USE;
/* Follows the store's log, from before its thread starts. */
void gh_control_follow(struct gh_control *control);
/* Before the workers start: until what was revoked before is known, or it takes too long. Clients wait in the
 * backlog meanwhile: none is refused for what will be known in a moment, none gets through for lack of it. */
void gh_control_await_past(struct gh_control *control);
/* Before the store is closed; the index dies later, when no worker asks it any more. */
void gh_control_unfollow(struct gh_control *control);
void gh_control_free_index(struct gh_control *control);
/* Fills in what a revocation does not say, by the settings in force. GH_OK, or GH_SETTINGS_INVALID with what
 * is wrong. */
GH_MUST_USE enum gh_reason gh_control_complete(const struct gh_control *control,
                                               struct gh_revocation *revocation, const char **ret_wrong);
/* Brings the gauges of revocation up to date. */
void gh_control_measure(struct gh_control *control);

/* ---- signing_admin.c: as the control table has them; `ctx` is the control ---- */
bool gh_control_key_at(void *ctx, const struct gh_managed *managed, size_t i, struct gh_admin_key *ret_key);
enum gh_admin_key_end gh_control_key_change(void *ctx, const struct gh_managed *managed,
                                            const struct gh_signing_change *change, gh_signing_answered done,
                                            void *done_ctx, struct gh_signing_ask **ret_ask);
/* Where there is a store: its rings of signing keys are looked at from now on. */
bool gh_control_join_keys(struct gh_control *control) GH_MUST_USE;
/* A token has a kid that is unknown here: where that issuer's keys are in the store, another gateway may have
 * made one just now. One look for all who wait; what it finds is told before `done` runs. False: there is
 * nothing to look at, and `done` never runs. */
bool gh_control_look_for_kid(struct gh_control *control, uint32_t slot, void (*done)(void *ctx), void *ctx);
/* Before the store is closed. */
void gh_control_leave_keys(struct gh_control *control);

/* ---- nodes.c: nothing without a store ---- */
void gh_control_join(struct gh_control *control);
/* At once, for it has changed. */
void gh_control_say_state(struct gh_control *control);
void gh_control_leave(struct gh_control *control);

/* ---- setup.c ---- */
/* Prints a link for the first account of each managed issuer that has none. */
void gh_control_offer_setup(struct gh_control *control);
/* When the store's client is gone. */
void gh_control_free_setup(struct gh_control *control);

/* ---- binding.c ---- */
/* The sockets of all doors: out of the set, or opened. Nobody accepts from them yet. */
bool gh_control_bind(struct gh_control *control, struct gh_inherited *from) GH_MUST_USE;
/* Workers accept from now on, and the control thread for admin. */
bool gh_control_listen(struct gh_control *control) GH_MUST_USE;
/* Closes the process's own descriptors: without others of them, connections are refused from now on. */
void gh_control_close_doors(struct gh_control *control, bool admin_too);
/* ---- handover.c: to a successor ---- */
bool gh_handover_start(struct gh_control *control) GH_MUST_USE;
/* Takes no successor any more; one that took the sockets may still say that it is ready. NULL is fine. */
void gh_handover_close_door(struct gh_handover *handover);
void gh_handover_free(struct gh_handover *handover);
/* ---- takeover.c: from a predecessor ---- */
/* Connects to the running process, if there is one, and takes its sockets into the set. */
bool gh_takeover_begin(struct gh_control *control, const struct gh_conf *conf, struct gh_inherited *set)
    GH_MUST_USE;
/* From the loop on: listens as soon as the keys of all issuers are there, and tells the predecessor to drain.
 */
bool gh_takeover_run(struct gh_control *control) GH_MUST_USE;
void gh_takeover_free(struct gh_takeover *takeover);
/* ---- descriptors.c ---- */
void gh_descriptors_raise(void);
/* Lowers limits->connections to what file descriptors allow, and says so. */
void gh_descriptors_fit(struct gh_front_limits *limits, int64_t workers);
/* ---- crew.c ---- */
/* How many workers these settings ask for. */
unsigned gh_control_wanted_workers(const struct gh_conf *conf);
bool gh_control_make_workers(struct gh_control *control) GH_MUST_USE;
/* Tells every worker about the present snapshot and the keys its site needs. */
bool gh_control_tell_snapshot(struct gh_control *control) GH_MUST_USE;
/* The signing keys of all managed issuers to all workers, and, `rings` too, to the gateway's key rings. */
bool gh_control_tell_signing(struct gh_control *control, bool rings) GH_MUST_USE;
void gh_control_publish_keys(void *ctx, uint32_t slot, const struct gh_keys_view *view);

#endif
