/* conf/conf.h: the settings: one YAML file in, every module's own settings struct out, or all errors with
 * their places. */
#ifndef GH_CONF_CONF_H
#define GH_CONF_CONF_H

#include <stdio.h>

#include "base/arena.h"
#include "base/log.h"
#include "front/front.h"
#include "gateway/site.h"
#include "issuer/site.h"
#include "signals/signals.h"
#include "store/store.h"

/* One thing to say about the settings. Printed as "file:line:column: key.path: found X, allowed Y". */
struct gh_conf_error {
    gh_str file;
    unsigned line, column; /* from 1; 0: the file as a whole */
    gh_str key_path;       /* routes[0].resource */
    gh_str found, allowed;
    bool warning; /* the settings are usable all the same; `allowed` is then what would be better */
};

/* All of them, in the order they were found. */
struct gh_conf_errors {
    struct gh_arena *arena; /* everything below lives here */
    struct gh_conf_error *at;
    size_t count, cap;
    size_t error_count; /* of count; the rest are warnings */
    bool truncated;     /* there were more than GH_CONF_ERRORS_MAX */
};
#define GH_CONF_ERRORS_MAX 200u

GH_MUST_USE enum gh_reason gh_conf_errors_init(struct gh_conf_errors *errors);
void gh_conf_errors_done(struct gh_conf_errors *errors);
/* One line each, control characters escaped. */
void gh_conf_errors_print(const struct gh_conf_errors *errors, FILE *out);

struct gh_admin_conf {
    gh_str address_text; /* empty: no admin listener */
    struct gh_address address;
    gh_str token_file; /* empty: loopback or unix socket only, no token asked */
};

struct gh_log_conf {
    gh_str file; /* a path, "stdout" or "stderr" */
    enum gh_log_level level;
    int64_t burst, per_s; /* lines of one kind, of each thread */
};

struct gh_audit_conf {
    gh_str file; /* a path, "stdout" or "stderr"; empty when off */
    bool on;
};

enum gh_switch { GH_SWITCH_OFF, GH_SWITCH_ON };

/* A file that the settings name: what the process must be able to open again after it has given up its
 * rights. */
struct gh_conf_file {
    const struct gh_conf_file *next;
    gh_str path;
    bool is_output; /* a log; else it is read */
    bool is_state;  /* files are made, replaced and removed beside it, or in it where it is a folder */
};

/* Where something stands in the file; zero where nothing was written. */
struct gh_conf_place {
    unsigned line, column;
};
struct gh_conf_places {
    const struct gh_conf_place *listeners; /* in the order of front.listeners */
    const struct gh_conf_place *issuers; /* of the first issuers of the site: the rest are tenants' copies */
    size_t issuer_count;
    const struct gh_conf_place *routes; /* in the order of the site's */
    struct gh_conf_place admin, fetch, sessions, store;
};

/* Everything the settings say. Strings are NUL-terminated and live in `arena` or in the site's arena; paths
 * of files are absolute or relative to the working directory, no longer to the settings file. */
struct gh_conf {
    struct gh_arena *arena;
    int64_t workers; /* 0: one per core */
    int64_t offload_threads;
    gh_str user;             /* to become after binding; empty: stay who we are */
    gh_str session_key_file; /* empty: a key made at the start */
    bool shares_tickets;     /* TLS tickets under keys of that file */
    enum gh_switch sandbox;
    gh_str handover; /* "unix:/path"; empty: none */
    struct gh_address handover_address;
    const struct gh_conf_file *files; /* every one the settings name; lives as long as the site */
    struct gh_front_conf front;
    struct gh_admin_conf admin;
    struct gh_log_conf log;
    struct gh_audit_conf audit;
    struct gh_fetch_conf fetch;
    struct gh_store_conf store;         /* url empty: none */
    struct gh_issuer_site *issuer_site; /* one reference; empty without managed issuers */
    struct gh_signal_site signals;      /* where issuers speak of their users */
    struct gh_site *site;               /* one reference; has its own arena and can outlive the rest */
    gh_str file;                        /* as it was named */
    struct gh_conf_places places;
};

/* Reads a settings file. GH_OK with the settings (errors may hold warnings), GH_SETTINGS_INVALID with at
 * least one error, GH_OUT_OF_MEMORY. `errors` was initialised by the caller and is only added to. The keys
 * and upstream targets of the site are not there yet: slots are UINT32_MAX and targets NULL until the caller
 * has made them. */
GH_MUST_USE enum gh_reason gh_conf_load(gh_str file, struct gh_conf **ret_conf,
                                        struct gh_conf_errors *errors);
/* The same over memory: `file` names the text in errors, relative paths start at `base_dir`. */
GH_MUST_USE enum gh_reason gh_conf_from_text(gh_str file, gh_str text, gh_str base_dir,
                                             struct gh_conf **ret_conf, struct gh_conf_errors *errors);
/* Drops the reference to the site too, unless the caller took it away (conf->site = NULL). */
void gh_conf_free(struct gh_conf *conf);
/* One thing more to say about settings that were read: key_path, found, allowed, warning. False when out of
 * memory. */
bool gh_conf_tell(const struct gh_conf *conf, struct gh_conf_place place, const struct gh_conf_error *what,
                  struct gh_conf_errors *errors) GH_MUST_USE;
void gh_conf_free_cleanup(struct gh_conf **conf);

/* `gatehouse serve --upstream URL [--issuer URL] [--listen ADDRESS] [--resource URL]`: the same tree, made
 * from flags; without an issuer with one of our own. */
struct gh_conf_flags {
    gh_str upstream; /* mandatory */
    gh_str issuer;   /* empty: ours, at the resource's origin */
    gh_str state;    /* the folder of its keys and its store; absolute */
    gh_str listen;   /* empty: 127.0.0.1:8080 */
    gh_str resource; /* empty: http:// + listen + the path of the upstream, or /mcp where it has none */
};
/* The settings text that stands for the flags; ptr NULL when out of memory. */
gh_str gh_conf_flags_text(struct gh_arena *arena, const struct gh_conf_flags *flags);
GH_MUST_USE enum gh_reason gh_conf_from_flags(const struct gh_conf_flags *flags, struct gh_conf **ret_conf,
                                              struct gh_conf_errors *errors);

/* ---- documents made from the same tables ---- */
void gh_conf_write_settings_md(FILE *out);
void gh_conf_write_settings_schema(FILE *out);
void gh_conf_write_reasons_md(FILE *out);

#endif
