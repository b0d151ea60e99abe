/* app/signing.h: the signing keys of all managed issuers: opened with the settings, rotated by the control
 * thread's clock, told to workers and to the key rings of the gateway. */
#ifndef GH_APP_SIGNING_H
#define GH_APP_SIGNING_H

#include "conf/conf.h"
#include "issuer/issuer.h"
#include "keys/signing.h"

/* A ring lives as long as the process: a reload that names it again goes on with it. */
struct gh_signing_here {
    char *identity; /* all that the settings say of it */
    struct gh_signing_ring *ring;
    char *name; /* the issuer's, of the snapshot in force; NULL: of none */
};
struct gh_signing {
    struct gh_signing_here at[GH_ISSUER_SITE_MAX];
    size_t count;
    struct gh_store *store;      /* of rings that lie there */
    struct gh_signing_port port; /* what these are attached to; client NULL: not yet, or not any more */
};

/* Opens what these settings name and writes the published sets into the site, before its issuers get their
 * slots. On failure a heap text says why; rings that were opened stay. */
GH_MUST_USE enum gh_reason gh_signing_prepare(struct gh_signing *signing, struct gh_conf *conf, int64_t now,
                                              char **ret_why);
/* These settings are in force now. */
void gh_signing_adopt(struct gh_signing *signing, const struct gh_conf *conf);
/* Of rings in folders: true when a key has come, gone, or begun to sign. *ret_busy: as of
 * gh_signing_ring_tick. */
bool gh_signing_tick(struct gh_signing *signing, int64_t now, bool *ret_busy);
/* The ring of that issuer, or NULL. */
struct gh_signing_ring *gh_signing_find(const struct gh_signing *signing, const struct gh_managed *managed);
/* A reference for the workers, of the i-th issuer of the settings; NULL when out of memory. */
struct gh_issuer_keys *gh_signing_keys(const struct gh_signing *signing, const struct gh_managed *managed);
void gh_signing_done(struct gh_signing *signing);

/* ---- signing_store.c: rings in the store ---- */
/* Makes a ring look at its row, and waits for what comes of it, by a loop of its own: at the start, before
 * the store's thread, and at a reload that names it. As gh_signing_ring_open, or GH_STORE_DOWN. Blocks for as
 * long as the store takes to answer or to give up. */
GH_MUST_USE enum gh_reason gh_signing_settle(const struct gh_signing *signing, struct gh_signing_ring *ring,
                                             const struct gh_managed *managed, char **ret_why);
/* From now on they answer by this port. */
void gh_signing_join(struct gh_signing *signing, const struct gh_signing_port *port);
/* Those in force look at their rows, where they do not yet; how the last look went is measured. */
void gh_signing_look(struct gh_signing *signing, struct gh_registry *registry);
/* Before the port's client is freed. */
void gh_signing_leave(struct gh_signing *signing);

#endif
