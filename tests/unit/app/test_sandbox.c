/* The sandbox, tried from inside: each probe runs in a child of its own that entered it (threats.md P1), and
 * in a twin that did not, where it works. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/sandbox.h"
#include "support/cm.h"

/* What became of a probe: 0, the errno it met, NO_ENTRY, or SIGNALLED and the signal. */
#define SIGNALLED 1000
#define NO_ENTRY  255

static char home[64], foreign[64], file[96], elsewhere[96], log_file[96];
static struct gh_conf_file files[2];
static struct gh_sandbox_conf conf;

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int set_up(void **state)
{
    (void)strcpy(home, "/tmp/gh-sandbox-XXXXXX");
    (void)strcpy(foreign, "/tmp/gh-sandbox-XXXXXX");
    assert_non_null(mkdtemp(home));
    assert_non_null(mkdtemp(foreign));
    assert_int_equal(chmod(home, 0755) | chmod(foreign, 0755), 0);
    (void)snprintf(file, sizeof(file), "%s/settings.yaml", home);
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/other", foreign);
    (void)snprintf(log_file, sizeof(log_file), "%s/log/error.log", foreign);
    char folder[96];
    (void)snprintf(folder, sizeof(folder), "%s/log", foreign);
    assert_int_equal(mkdir(folder, 0755), 0);
    write_file(file);
    write_file(elsewhere);
    write_file(log_file);
    files[0] = (struct gh_conf_file){ .path = gh_str_from(log_file), .is_output = true };
    conf = (struct gh_sandbox_conf){ .on = true, .settings_file = file, .files = files };
    return 0;
}

static int tear_down(void **state)
{
    char command[256];
    (void)snprintf(command, sizeof(command), "rm -r %s %s", home, foreign);
    return system(command) == 0 ? 0 : -1;
}

/* Plays a kernel that lacks or refuses one call (number 0: none), of prctl one option. */
static struct {
    int call, option, error;
} kernel;

static void play_kernel(void)
{
    const struct scmp_arg_cmp option = { .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)kernel.option };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    unsigned conditions = kernel.call == SCMP_SYS(prctl) ? 1 : 0;
    if (seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)kernel.error), kernel.call, conditions,
                               &option) != 0 ||
        seccomp_load(filter) != 0)
        _exit(EDOM);
    seccomp_release(filter);
}

static void be_the_child(const struct gh_sandbox_conf *with, int (*probe)(void), int entered, int go)
{
    char byte = 'x';
    if (kernel.call != 0)
        play_kernel();
    if (with != NULL && !gh_sandbox_enter(with))
        _exit(NO_ENTRY);
    if (write(entered, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(EDOM);
    _exit(probe());
}

/* Runs the probe in a child that entered the sandbox, if there is one; `change` is made by us in between. */
static int outcome_after(const struct gh_sandbox_conf *with, void (*change)(void), int (*probe)(void))
{
    int entered[2], go[2], status = 0;
    char byte;
    assert_int_equal(pipe2(entered, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_the_child(with, probe, entered[1], go[0]);
    close(entered[1]);
    close(go[0]);
    if (read(entered[0], &byte, 1) == 1) {
        if (change != NULL)
            change();
        assert_int_equal(write(go[1], &byte, 1), 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(entered[0]);
    close(go[1]);
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int outcome(const struct gh_sandbox_conf *with, int (*probe)(void))
{
    return outcome_after(with, NULL, probe);
}

static int errno_unless(bool worked)
{
    return worked ? 0 : errno;
}

/* ---- system calls ---- */

static int run_a_program(void)
{
    char *arguments[] = { (char[]){ "true" }, NULL };
    (void)execve("/bin/true", arguments, NULL);
    return errno;
}

static int trace_others(void)
{
    return errno_unless(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
}

static int make_a_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return errno_unless(child > 0);
}

static int open_a_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? EDOM : errno_unless(listen(fd, 1) == 0);
}

/* A kind that hardly any kernel has: refused before the kernel looks. */
static int open_any_socket(void)
{
    return socket(AF_X25, SOCK_SEQPACKET, 0) < 0 && errno == EPERM ? EPERM : 0;
}

static int map_code_that_can_change(void)
{
    return errno_unless(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                             0) != MAP_FAILED);
}

static int make_data_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? EDOM : errno_unless(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int open_memory_again(void)
{
    return errno_unless(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static void test_what_an_intruder_calls_is_refused(void **state)
{
    const struct {
        int (*probe)(void);
        int refused;
        bool sanitizers_need_it;
    } probes[] = {
        { run_a_program, SIGNALLED + SIGSYS, false },
        { trace_others, SIGNALLED + SIGSYS, true },
        { make_a_process, EPERM, true },
        { open_a_port, EPERM, false },
        { open_any_socket, EPERM, false },
        { map_code_that_can_change, EPERM, false },
        { make_data_code, EPERM, false },
        { open_memory_again, EPERM, true },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(probes); i++) {
        assert_int_equal(outcome(NULL, probes[i].probe), 0);
        if (!GH_SANITIZED || !probes[i].sanitizers_need_it)
            assert_int_equal(outcome(&conf, probes[i].probe), probes[i].refused);
    }
}

static void *nothing(void *arg)
{
    return arg;
}

static int start_a_thread(void)
{
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, nothing, NULL);
    return failed != 0 ? failed : pthread_join(thread, NULL);
}

static void *run_it(void *arg)
{
    *(int *)arg = open_a_port();
    return NULL;
}

static int open_a_port_in_a_thread(void)
{
    pthread_t thread;
    int result = EDOM;
    if (pthread_create(&thread, NULL, run_it, &result) != 0 || pthread_join(thread, NULL) != 0)
        return EDOM;
    return result;
}

static int give_up(void)
{
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

static void test_threads_come_and_are_confined_too(void **state)
{
    assert_int_equal(outcome(&conf, start_a_thread), 0);
    assert_int_equal(outcome(NULL, open_a_port_in_a_thread), 0);
    assert_int_equal(outcome(&conf, open_a_port_in_a_thread), EPERM);
    assert_int_equal(outcome(&conf, give_up), SIGNALLED + SIGABRT);
}

/* ---- files ---- */

static int open_it(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    int why = errno;
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : why;
}

static int read_settings(void)
{
    return open_it(file, O_RDONLY);
}

static int read_foreign(void)
{
    return open_it(elsewhere, O_RDONLY);
}

static int write_settings(void)
{
    return open_it(file, O_WRONLY);
}

static int append_to_log(void)
{
    return open_it(log_file, O_WRONLY | O_APPEND);
}

static int read_log(void)
{
    return open_it(log_file, O_RDONLY);
}

static int remove_settings(void)
{
    return errno_unless(unlink(file) == 0);
}

static int make_a_file_beside(void)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/new", home);
    return open_it(path, O_WRONLY | O_CREAT);
}

static bool has_landlock(void)
{
    int version = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(gh_sandbox_close_files(&conf, &version) == GH_LAYER_ABSENT ? 1 : 0);
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WEXITSTATUS(status) == 0;
}

static void test_only_files_beside_named_ones_open(void **state)
{
    static const struct {
        int (*probe)(void);
        int inside, without_landlock;
    } probes[] = {
        { read_settings, 0, 0 },           { read_foreign, EACCES, 0 }, { write_settings, EACCES, 0 },
        { append_to_log, 0, 0 },           { read_log, EACCES, 0 },     { make_a_file_beside, EACCES, 0 },
        { remove_settings, EPERM, EPERM }, /* the call itself is closed */
    };
    bool landlock = has_landlock();
    for (size_t i = 0; i < GH_ARRAY_LEN(probes); i++) {
        assert_int_equal(outcome(&conf, probes[i].probe),
                         landlock ? probes[i].inside : probes[i].without_landlock);
        assert_int_equal(outcome(NULL, probes[i].probe), 0);
    }
}

static void renew(const char *path)
{
    char fresh[128];
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    write_file(fresh);
    assert_int_equal(rename(fresh, path), 0);
}

/* As a certificate is renewed, and a log rotated: the old name, another file. */
static void renew_all(void)
{
    renew(file);
    assert_int_equal(unlink(log_file), 0);
}

static int open_successors(void)
{
    int failed = read_settings();
    return failed != 0 ? failed : open_it(log_file, O_WRONLY | O_APPEND | O_CREAT);
}

static void test_successors_of_named_files_open(void **state)
{
    assert_int_equal(outcome_after(&conf, renew_all, open_successors), 0);
}

/* live/cert -> ../archive/cert1, renewed: live/cert -> ../archive/cert2 (certbot). */
static char link_name[96];

static void point_to(const char *target)
{
    char to[128];
    (void)snprintf(to, sizeof(to), "%s/%s", foreign, target);
    write_file(to);
    (void)unlink(link_name);
    assert_int_equal(symlink(to, link_name), 0);
}

static void renew_behind_the_link(void)
{
    point_to("second");
}

static int read_through_link(void)
{
    return open_it(link_name, O_RDONLY);
}

static void test_links_may_lead_elsewhere(void **state)
{
    (void)snprintf(link_name, sizeof(link_name), "%s/link", home);
    point_to("first");
    const struct gh_conf_file linked = { .path = gh_str_from(link_name) };
    struct gh_sandbox_conf with = conf;
    if (has_landlock())
        assert_int_equal(outcome(&conf, read_through_link), EACCES);
    with.files = &linked;
    assert_int_equal(outcome_after(&with, renew_behind_the_link, read_through_link), 0);
}

/* ---- users ---- */

static int whose(void)
{
    return (int)geteuid() == 0 ? EPERM : 0;
}

static int become_root(void)
{
    return errno_unless(setuid(0) == 0);
}

static void test_the_user_is_obeyed(void **state)
{
    struct gh_sandbox_conf with = conf;
    with.user = GH_STR("no-such-user");
    assert_int_equal(outcome(&with, whose), NO_ENTRY);
    if (geteuid() != 0) /* others can become nobody else, which the next test tries */
        return;
    with.user = GH_STR("nobody");
    assert_int_equal(outcome(&with, whose), 0);
    assert_int_equal(outcome(&with, become_root), EPERM);
    with.on = false;
    assert_int_equal(outcome(&with, whose), 0);
    assert_int_equal(outcome(&with, become_root), EPERM);
    with.user = GH_STR("");
    assert_int_equal(outcome(&with, whose), EPERM);
    assert_int_equal(outcome(&with, become_root), 0);
}

static int become_another(void)
{
    const struct gh_sandbox_conf root = { .user = GH_STR_INIT("root") };
    return gh_sandbox_enter(&root) ? 0 : EPERM;
}

static void test_only_root_can_become_another(void **state)
{
    const struct gh_sandbox_conf nobody = { .user = GH_STR_INIT("nobody") };
    if (geteuid() == 0)
        assert_int_equal(outcome(&nobody, become_another), EPERM);
    else
        assert_int_equal(outcome(NULL, become_another), EPERM);
}

/* ---- kernels ---- */

static int outcome_in_kernel(int call, int option, int error, int (*probe)(void))
{
    kernel.call = call;
    kernel.option = option;
    kernel.error = error;
    int result = outcome(&conf, probe);
    kernel.call = 0;
    return result;
}

static void test_what_a_kernel_lacks_is_done_without(void **state)
{
    int no_landlock = SCMP_SYS(landlock_create_ruleset), of_prctl = SCMP_SYS(prctl);
    assert_int_equal(outcome_in_kernel(no_landlock, 0, ENOSYS, read_foreign), 0);
    assert_int_equal(outcome_in_kernel(no_landlock, 0, ENOSYS, open_a_port), EPERM);
    assert_int_equal(outcome_in_kernel(of_prctl, PR_GET_SECCOMP, EINVAL, open_a_port), 0);
    assert_int_equal(outcome_in_kernel(of_prctl, PR_GET_SECCOMP, EINVAL, read_foreign),
                     has_landlock() ? EACCES : 0);
}

static void test_what_a_kernel_has_must_come_into_force(void **state)
{
    const struct {
        int call, option;
        bool of_landlock;
    } refused[] = {
        { SCMP_SYS(landlock_add_rule), 0, true }, { SCMP_SYS(landlock_restrict_self), 0, true },
        { SCMP_SYS(seccomp), 0, false },          { SCMP_SYS(capset), 0, false },
        { SCMP_SYS(prlimit64), 0, false },        { SCMP_SYS(prctl), PR_SET_DUMPABLE, false },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(refused); i++)
        if (!refused[i].of_landlock || has_landlock())
            assert_int_equal(outcome_in_kernel(refused[i].call, refused[i].option, EPERM, read_settings),
                             NO_ENTRY);
    assert_int_equal(outcome(&conf, read_settings), 0);
}

static void test_off_closes_nothing(void **state)
{
    const struct gh_sandbox_conf off = { .on = false, .settings_file = file };
    assert_int_equal(outcome(&off, run_a_program), 0);
    assert_int_equal(outcome(&off, read_foreign), 0);
    assert_int_equal(outcome(&off, open_a_port), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_an_intruder_calls_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_come_and_are_confined_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_files_beside_named_ones_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_successors_of_named_files_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_may_lead_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_user_is_obeyed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_root_can_become_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_kernel_lacks_is_done_without, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_kernel_has_must_come_into_force, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_off_closes_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
