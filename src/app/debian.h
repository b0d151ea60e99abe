/* app/debian.h: which packages of Debian 12 lack security fixes that we count on. */
#ifndef GH_APP_DEBIAN_H
#define GH_APP_DEBIAN_H

#include <stdbool.h>
#include <stdio.h>

/* Debian's order of versions (deb-version(7)): below 0, 0, above 0. */
int gh_debian_order(const char *a, const char *b);
/* Is this /etc/os-release that of Debian 12? Only there the floors below mean something. */
bool gh_debian_is_12(FILE *os_release);
/* A warning for each installed package of /var/lib/dpkg/status that is below its floor; how many. */
unsigned gh_debian_warn(FILE *status, FILE *out);

#endif
