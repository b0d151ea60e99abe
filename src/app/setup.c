/* app/setup.c: the link for the first account: printed once at the start, for the operator alone. */
#include <stdio.h>
#include <stdlib.h>

#include "app/control.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/str.h"
#include "issuer/setup.h"

#define TOKEN_TEXT 43 /* base64url of 32 bytes */

struct gh_setup_offer {
    struct gh_control *control;
    const struct gh_managed *managed; /* of the snapshot below */
    char token[TOKEN_TEXT];
};
struct gh_setup_offers {
    struct gh_snapshot *snapshot; /* a reference */
    struct gh_setup_offer at[GH_ISSUER_SITE_MAX];
};

static void warn(const struct gh_setup_offer *offer, enum gh_reason reason)
{
    gh_log(GH_LOG_ERROR, "no setup link could be made", GH_FIELD("issuer", offer->managed->name),
           GH_FIELD("reason", gh_str_from(gh_reason_row(reason)->slug)));
}

/* Not by gh_log: a log goes to places where a secret must not lie. */
static void print_link(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_setup_offer *offer = ctx;
    gh_str issuer = offer->managed->policy.issuer;
    if (answer->reason != GH_OK)
        warn(offer, answer->reason);
    else
        (void)fprintf(
            stderr,
            "\nThere is no account at %.*s yet. Open this link to make the first one; it works once, "
            "until the next start,\nand for 24 hours at most:\n\n    %.*s/setup?token=%.*s\n\n",
            GH_STR_FMT(issuer), GH_STR_FMT(issuer), TOKEN_TEXT, offer->token);
    gh_wipe(offer->token, sizeof(offer->token));
}

static enum gh_reason write_link(struct gh_setup_offer *offer)
{
    struct gh_control *control = offer->control;
    int64_t now = gh_loop_wall_s(control->loop);
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_effects effects = { 0 };
    unsigned char random[32];
    gh_random_fill(random, sizeof(random));
    gh_base64url_encode(gh_str_of(random, sizeof(random)), offer->token);
    gh_wipe(random, sizeof(random));
    gh_str value =
        arena != NULL ? gh_setup_link_value(arena, gh_str_of(offer->token, TOKEN_TEXT)) : GH_STR_NONE;
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_write(&effects, GH_SETUP_KEY, value, now + GH_SETUP_S);
    if (reason == GH_OK && gh_store_commit(control->revocations.client, offer->managed->policy.tenant,
                                           &effects, now, print_link, offer) == NULL)
        reason = GH_OUT_OF_MEMORY;
    return reason;
}

static void hear_of_people(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_setup_offer *offer = ctx;
    enum gh_reason reason = answer->reason;
    if (reason == GH_OK && answer->rows.count == 0)
        reason = write_link(offer);
    if (reason != GH_OK)
        warn(offer, reason);
}

/* Who was given no settings file is told what the flags have come to. */
static void print_address(const struct gh_control *control)
{
    gh_str url = control->snapshot->conf->site->routes[0].policy.resource_text;
    (void)fprintf(stderr,
                  "\nMCP clients connect to\n\n    %.*s\n\nwhich most of them take as\n\n"
                  "    { \"mcpServers\": { \"mcp\": { \"url\": \"%.*s\" } } }\n\n"
                  "Accounts and keys are kept in %.*s\n",
                  GH_STR_FMT(url), GH_STR_FMT(url), GH_STR_FMT(control->source.flags->state));
}

void gh_control_offer_setup(struct gh_control *control)
{
    const struct gh_issuer_site *site = control->snapshot->conf->issuer_site;
    if (control->store == NULL || site->issuer_count == 0)
        return;
    if (control->source.file == NULL)
        print_address(control);
    struct gh_setup_offers *offers = gh_calloc(1, sizeof(*offers));
    if (offers == NULL)
        return;
    control->setup = offers;
    offers->snapshot = gh_snapshot_ref(control->snapshot);
    for (size_t i = 0; i < site->issuer_count; i++) {
        struct gh_setup_offer *offer = &offers->at[i];
        if (!site->issuers[i].accounts)
            continue;
        *offer = (struct gh_setup_offer){ .control = control, .managed = &site->issuers[i] };
        if (gh_store_list(control->revocations.client, offer->managed->policy.tenant, GH_STR("user/"),
                          GH_STR(""), 1, gh_loop_wall_s(control->loop), hear_of_people, offer) == NULL)
            warn(offer, GH_OUT_OF_MEMORY);
    }
}

void gh_control_free_setup(struct gh_control *control)
{
    if (control->setup == NULL)
        return;
    gh_snapshot_unref(control->setup->snapshot);
    free(control->setup);
    control->setup = NULL;
}
