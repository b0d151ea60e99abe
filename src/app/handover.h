/* app/handover.h: what two processes say to each other while one takes over from the other. */
#ifndef GH_APP_HANDOVER_H
#define GH_APP_HANDOVER_H

/*
 * successor            running process
 * (connects)
 *                 <-   "gatehouse 1"     1: of this protocol; or "busy" and the end
 * "take"          ->
 *                 <-   "sockets" + descriptors, while there are more
 * "take"          ->
 *                 <-   "last" + descriptors
 * (starts: settings, sandbox, keys)
 * "ready"         ->                     the successor accepts by now
 *                 <-   "draining"        and the running one no longer does
 *
 * The running process goes on as before when the connection ends before "ready". While one successor is at
 * it, another is told "busy"; so is the one itself when it takes too long, and ends.
 */
#define GH_SAY_HELLO    "gatehouse 1"
#define GH_SAY_TAKE     "take"
#define GH_SAY_SOCKETS  "sockets"
#define GH_SAY_LAST     "last"
#define GH_SAY_READY    "ready"
#define GH_SAY_DRAINING "draining"
#define GH_SAY_BUSY     "busy"

#endif
