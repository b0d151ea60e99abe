/* app/notify.c: one datagram per change of state. */
#include "app/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager = -1;

void gh_notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    size_t len = path != NULL ? strlen(path) : 0;
    if (len == 0 || len >= sizeof(at.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(at.sun_path, path, len);
    if (path[0] == '@') /* unix(7): an abstract name begins with a NUL */
        at.sun_path[0] = '\0';
    (void)unsetenv("NOTIFY_SOCKET");
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (manager >= 0 && connect(manager, (const struct sockaddr *)&at, size) != 0)
        gh_notify_close();
}

/* A manager that does not read loses the word: nothing here waits for it. */
void gh_notify(const char *state)
{
    if (manager >= 0)
        (void)send(manager, state, strlen(state), MSG_NOSIGNAL);
}

void gh_notify_close(void)
{
    if (manager >= 0)
        (void)close(manager);
    manager = -1;
}
