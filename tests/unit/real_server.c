/* One job: run a real server beside a test. */
#include "real_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "net_help.h"

const char *real_server_program(const char *pattern)
{
    static char path[256];
    glob_t g;
    const bool found = glob(pattern, 0, NULL, &g) == 0 && g.gl_pathc > 0;

    if (found)
        snprintf(path, sizeof path, "%s", g.gl_pathv[g.gl_pathc - 1]);
    globfree(&g);
    if (!found && getenv("CI"))
        fail_msg("%s is not installed", pattern);
    return found ? path : NULL;
}

void real_server_make(struct real_server *s, const char *prefix)
{
    const struct passwd *nobody = getpwnam("nobody");
    const int fd = help_listen(&s->port);

    close(fd);
    s->pid = 0;
    snprintf(s->dir, sizeof s->dir, "/tmp/%s-XXXXXX", prefix);
    assert_non_null(mkdtemp(s->dir));
    if (geteuid() == 0) {
        assert_non_null(nobody);
        assert_int_equal(chown(s->dir, nobody->pw_uid, nobody->pw_gid), 0);
    }
}

/* In the child. Servers refuse root; nothing of the test's is theirs. */
static void become(const struct real_server *s, const char *const *argv, pid_t parent)
{
    char log[128];
    const struct passwd *nobody = getpwnam("nobody");
    int fd;

    if (geteuid() == 0 && (!nobody || setgroups(0, NULL) || setgid(nobody->pw_gid) || setuid(nobody->pw_uid)))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(s->dir))
        _exit(126);
    snprintf(log, sizeof log, "%s/log", s->dir);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(fd, 1);
    dup2(fd, 2);
    fd = open("/dev/null", O_RDONLY);
    dup2(fd, 0);
    unsetenv("ASAN_OPTIONS");
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

void real_server_spawn(struct real_server *s, const char *const *argv)
{
    const pid_t parent = getpid();

    s->pid = fork();
    if (s->pid == 0)
        become(s, argv, parent);
    assert_true(s->pid > 0);
}

int real_server_run(const struct real_server *s, const char *const *argv)
{
    struct real_server once = *s;
    int status;

    real_server_spawn(&once, argv);
    assert_int_equal(waitpid(once.pid, &status, 0), once.pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

void real_server_kill(struct real_server *s, int sig)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, sig);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void real_server_wait(const struct real_server *s)
{
    for (int i = 0; i < 3000; i++) {
        const int fd = help_connect(s->port);

        if (fd >= 0) {
            close(fd);
            return;
        }
        if (waitpid(s->pid, NULL, WNOHANG) != 0)
            fail_msg("the server in %s ended at once", s->dir);
        poll(NULL, 0, 10);
    }
    fail_msg("the server in %s does not listen", s->dir);
}

static bool limit_one(const struct real_server *s, int pid, uint64_t bytes)
{
    char process[32], limit[48] = "--fsize=unlimited:";

    snprintf(process, sizeof process, "--pid=%d", pid);
    if (bytes)
        snprintf(limit, sizeof limit, "--fsize=%llu:", (unsigned long long)bytes);     /* the soft one alone */
    return real_server_run(s, (const char *const[]){ "/usr/bin/prlimit", process, limit, NULL }) == 0;
}

void real_server_file_limit(const struct real_server *s, uint64_t bytes)
{
    char path[96];
    FILE *f;
    int child;

    assert_true(limit_one(s, (int)s->pid, bytes));
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)s->pid, (int)s->pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fscanf(f, "%d", &child) == 1)
        (void)limit_one(s, child, bytes);       /* one may have ended meanwhile */
    fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void real_server_free(struct real_server *s)
{
    real_server_kill(s, SIGKILL);
    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
