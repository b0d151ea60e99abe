/* app/loglane.h: sends each thread's log lines to that thread's own ring, so that logging never blocks a
 * worker. */
#ifndef GH_APP_LOGLANE_H
#define GH_APP_LOGLANE_H

#include "observe/audit.h"

/* For the calling thread; NULL: its lines go to standard error. */
void gh_loglane_set(struct gh_lane *lane);
/* Makes gh_log use the lanes. */
void gh_loglane_install(void);

#endif
