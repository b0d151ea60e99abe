/* app/notify.h: tells the service manager how the process is: sd_notify(3), without its library. */
#ifndef GH_APP_NOTIFY_H
#define GH_APP_NOTIFY_H

/* Once, before the sandbox: the socket that NOTIFY_SOCKET names, if any. */
void gh_notify_open(void);
/* "READY=1", "STOPPING=1"; nothing where nobody listens. Never blocks. */
void gh_notify(const char *state);
void gh_notify_close(void);

#endif
