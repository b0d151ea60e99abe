/* app/version.c: `gatehouse version`: ours and the linked libraries', with a warning for packages that lack
 * known fixes. */
#include <curl/curl.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "app/commands.h"

/* The lowest Debian 12 revisions that hold the security fixes we count on; a library's own version does not
 * tell. */
static const struct {
    const char *package, *floor;
} floors[] = {
    { "libevent-core-2.1-7", "2.1.12-stable-8+deb12u1" },
    { "libnghttp2-14", "1.52.0-1+deb12u3" },
    { "libssl3", "3.0.22-1~deb12u2" },
    { "libyaml-0-2", "0.2.5-1" },
    { "libcurl4", "7.88.1-10+deb12u15" },
};

/* ---- Debian's order of versions (deb-version(7)) ---- */

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
static int compare(const char *a, const char *b)
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

/* ---- dpkg's database ---- */

static void warn_if_below(const char *package, const char *version)
{
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++)
        if (strcmp(floors[i].package, package) == 0 && compare(version, floors[i].floor) < 0)
            (void)printf("warning: %s %s is below %s, which holds security fixes Gatehouse counts on\n",
                         package, version, floors[i].floor);
}

static void check_packages(void)
{
    FILE *file = fopen("/var/lib/dpkg/status", "re");
    if (file == NULL)
        return;
    char line[1024], package[128] = "";
    while (fgets(line, sizeof(line), file) != NULL) {
        char version[128];
        if (sscanf(line, "Package: %127s", package) == 1)
            continue;
        if (sscanf(line, "Version: %127s", version) == 1)
            warn_if_below(package, version);
    }
    (void)fclose(file);
}

int gh_command_version(int argc, char **argv)
{
    const struct gh_options options = { .command = "version",
                                        .summary =
                                            "Versions of Gatehouse and of the libraries it is linked with." };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    (void)printf("gatehouse %s\n", GH_VERSION);
    (void)printf("openssl   %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    (void)printf("libevent  %s\n", event_get_version());
    (void)printf("nghttp2   %s\n", nghttp2_version(0)->version_str);
    (void)printf("libcurl   %s\n", curl_version_info(CURLVERSION_NOW)->version);
    (void)printf("libyaml   %s\n", yaml_get_version_string());
    check_packages();
    return 0;
}
