/* app/sign_ins.h: what workers ask about providers that people sign in at: where that is, and who came back.
 */
#ifndef GH_APP_SIGN_INS_H
#define GH_APP_SIGN_INS_H

#include "app/snapshot.h"
#include "app/worker.h"

struct gh_sign_ins;
struct gh_sign_ins *gh_sign_ins_new(struct gh_loop *loop, struct gh_fetcher *fetcher,
                                    struct gh_keyrings *rings);
/* After the fetcher and the rings: they have answered all who wait. */
void gh_sign_ins_free(struct gh_sign_ins *sign_ins);
/* `asked` as issuer/sign_in.h writes it, by the settings of the snapshot. False: too many, or out of memory.
 * Else the worker gets a letter with the ticket. */
bool gh_sign_ins_ask(struct gh_sign_ins *sign_ins, struct gh_snapshot *snapshot, struct gh_worker *worker,
                     gh_str asked, uint64_t ticket) GH_MUST_USE;

#endif
