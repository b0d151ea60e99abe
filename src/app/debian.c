/* app/debian.c: versions of Debian packages in their order, and the floors below which known fixes are
 * missing. */
#include "app/debian.h"

#include <string.h>

/* The lowest Debian 12 revisions that hold the security fixes we count on (threats.md section 3); a library's
 * own version does not tell. One row for each library that it gives a floor for. */
static const struct {
    const char *package, *floor;
} floors[] = {
    { "libcurl4", "7.88.1-10+deb12u15" },   { "libevent-core-2.1-7", "2.1.12-stable-8+deb12u1" },
    { "libhiredis0.14", "0.14.1-3" },       { "libnghttp2-14", "1.52.0-1+deb12u3" },
    { "libsqlite3-0", "3.40.1-2+deb12u2" }, { "libssl3", "3.0.22-1~deb12u2" },
    { "libyaml-0-2", "0.2.5-1" },
};

/* ---- deb-version(7) ---- */

static int rank(char c)
{
    if (c == '~')
        return -1;
    if (c == '\0' || (c >= '0' && c <= '9'))
        return 0;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter ? (unsigned char)c : (unsigned char)c + 256;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Compares runs of non-digits and numbers in turn. */
int gh_debian_order(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        while ((*a != '\0' && !is_digit(*a)) || (*b != '\0' && !is_digit(*b))) {
            if (rank(*a) != rank(*b))
                return rank(*a) - rank(*b);
            a += *a != '\0';
            b += *b != '\0';
        }
        while (*a == '0')
            a++;
        while (*b == '0')
            b++;
        size_t digits_a = strspn(a, "0123456789"), digits_b = strspn(b, "0123456789");
        int order = digits_a != digits_b ? (digits_a < digits_b ? -1 : 1) : strncmp(a, b, digits_a);
        if (order != 0)
            return order;
        a += digits_a;
        b += digits_b;
    }
    return 0;
}

/* ---- files ---- */

static bool is_line(const char *line, const char *name, const char *value)
{
    size_t len = strlen(name);
    char quoted[64];
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"\n", value);
    bool is_plain = strncmp(line, name, len) == 0 && strncmp(line + len, value, strlen(value)) == 0 &&
                    line[len + strlen(value)] == '\n';
    return is_plain || (strncmp(line, name, len) == 0 && strcmp(line + len, quoted) == 0);
}

bool gh_debian_is_12(FILE *os_release)
{
    bool is_debian = false, is_12 = false;
    char line[512];
    while (fgets(line, sizeof(line), os_release) != NULL) {
        is_debian |= is_line(line, "ID=", "debian");
        is_12 |= is_line(line, "VERSION_ID=", "12");
    }
    return is_debian && is_12;
}

static bool warn_if_below(const char *package, const char *version, FILE *out)
{
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        if (strcmp(floors[i].package, package) != 0 || gh_debian_order(version, floors[i].floor) >= 0)
            continue;
        (void)fprintf(out, "warning: %s %s is below %s, which holds security fixes Gatehouse counts on\n",
                      package, version, floors[i].floor);
        return true;
    }
    return false;
}

/* What was removed but for its configuration has a version too. */
unsigned gh_debian_warn(FILE *status, FILE *out)
{
    char line[1024], package[128] = "", state[32] = "", version[128];
    unsigned warnings = 0;
    while (fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "Package: %127s", package) == 1)
            state[0] = '\0';
        else if (sscanf(line, "Status: %*s %*s %31s", state) == 1)
            continue;
        else if (sscanf(line, "Version: %127s", version) == 1 && strcmp(state, "installed") == 0)
            warnings += warn_if_below(package, version, out);
    }
    return warnings;
}
