/* app/state.h: where a gateway that was given no settings file keeps what must outlive it. */
#ifndef GH_APP_STATE_H
#define GH_APP_STATE_H

#include "gatehouse/types.h"

/* $STATE_DIRECTORY (systemd's), else $XDG_STATE_HOME/gatehouse, else ~/.local/state/gatehouse: made with mode
 * 0700 where it is missing. ptr NULL after a message on standard error. */
gh_str gh_state_folder(struct gh_arena *arena);

#endif
