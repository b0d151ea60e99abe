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
};

/* Opens what these settings name and writes the published sets into the site, before its issuers get their
 * slots. On failure a heap text says why; rings that were opened stay. */
GH_MUST_USE enum gh_reason gh_signing_prepare(struct gh_signing *signing, struct gh_conf *conf, int64_t now,
                                              char **ret_why);
/* These settings are in force now. */
void gh_signing_adopt(struct gh_signing *signing, const struct gh_conf *conf);
/* True when a key has come, gone, or begun to sign. *ret_busy: as of gh_signing_ring_tick. */
bool gh_signing_tick(struct gh_signing *signing, int64_t now, bool *ret_busy);
/* The ring of that issuer, or NULL. */
struct gh_signing_ring *gh_signing_find(const struct gh_signing *signing, const struct gh_managed *managed);
/* A reference for the workers, of the i-th issuer of the settings; NULL when out of memory. */
struct gh_issuer_keys *gh_signing_keys(const struct gh_signing *signing, const struct gh_managed *managed);
void gh_signing_done(struct gh_signing *signing);

#endif
