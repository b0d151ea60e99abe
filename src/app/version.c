/* app/version.c: `gatehouse version`: ours and the linked libraries', with a warning for packages that lack
 * known fixes. */
#include <curl/curl.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <yaml.h>

#include "app/commands.h"
#include "app/debian.h"
#include "store/crash.h"

static void check_packages(void)
{
    FILE *os_release = fopen("/etc/os-release", "re");
    bool known = os_release != NULL && gh_debian_is_12(os_release);
    FILE *status = known ? fopen("/var/lib/dpkg/status", "re") : NULL;
    if (status != NULL)
        (void)gh_debian_warn(status, stdout);
    else
        (void)printf("note: which packages hold the security fixes is known for Debian 12 alone; compare "
                     "here yourself\n");
    if (status != NULL)
        (void)fclose(status);
    if (os_release != NULL)
        (void)fclose(os_release);
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
    (void)printf("sqlite    %s\n", sqlite3_libversion());
    (void)printf("hiredis   %d.%d.%d\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    const struct scmp_version *seccomp = seccomp_version();
    if (seccomp != NULL)
        (void)printf("seccomp   %u.%u.%u\n", seccomp->major, seccomp->minor, seccomp->micro);
    if (gh_crash_name() != NULL)
        (void)printf("note: this build %s\n", gh_crash_name());
    check_packages();
    return 0;
}
