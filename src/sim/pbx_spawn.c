/* The child that becomes a private Asterisk. */
#include "sim/pbx_spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/pbx_problem.h"

enum { PROBLEM_MAX = 1024, START_MS = 10000, REAP_STEP_MS = 10 };

/* In a directory of ours: a root that is told a wrong DIR must not give somebody's files to nobody. */
static const char stamp[] = ".sidetone-pbx";

struct user {
    bool drop;
    uid_t uid;
    gid_t gid;
};

static int user_find(struct user *out, char **problem)
{
    struct passwd entry, *found = NULL;
    char store[1024];

    *out = (struct user){ .drop = geteuid() == 0, .uid = geteuid(), .gid = getegid() };
    if (!out->drop)
        return 0;
    if (getpwnam_r("nobody", &entry, store, sizeof store, &found) != 0 || !found)
        return pbx_problem(problem, -ENOENT, "there is no user nobody to run Asterisk as");
    out->uid = found->pw_uid;
    out->gid = found->pw_gid;
    return 0;
}

static bool dir_is_ours(int fd)
{
    struct dirent *e;
    bool empty = true;
    DIR *d;

    if (faccessat(fd, stamp, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    d = fdopendir(dup(fd));
    if (!d)
        return false;
    while ((e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            empty = false;
    closedir(d);
    return empty;
}

/* The first folder on the way to path (path itself left out) that others may not enter; NULL: all may be. */
static const char *closed_parent(const char *real, char path[PATH_MAX])
{
    struct stat st;

    snprintf(path, PATH_MAX, "%s", real);
    for (char *slash = strrchr(path, '/'); slash && slash != path; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (stat(path, &st) == 0 && !(st.st_mode & S_IXOTH))
            return path;
    }
    return NULL;
}

bool pbx_user_enters(const char *folder)
{
    char inside[PATH_MAX], path[PATH_MAX];

    snprintf(inside, sizeof inside, "%.*s/x", PATH_MAX - 3, folder);
    return geteuid() != 0 || !closed_parent(inside, path);
}

/* Asterisk must reach the directory: its parents need o+x. Said here, since later it is only "permission denied". */
static int parents_check(const char *real, const struct user *u, char **problem)
{
    char path[PATH_MAX];

    if (!u->drop || !closed_parent(real, path))
        return 0;
    return pbx_problem(problem, -EACCES, "Asterisk will run as nobody and cannot enter %s", path);
}

static int dir_own(const char *dir, const struct user *u, char **problem)
{
    int err = 0, fd, mark;

    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return pbx_problem(problem, -errno, "%s: %s", dir, strerror(errno));
    if (!dir_is_ours(fd)) {
        close(fd);
        return pbx_problem(problem, -ENOTEMPTY, "%s is not empty and not from an earlier start: give a new directory", dir);
    }
    mark = openat(fd, stamp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (mark < 0 || (u->drop && (fchown(fd, u->uid, u->gid) < 0 || fchown(mark, u->uid, u->gid) < 0)))
        err = pbx_problem(problem, -errno, "%s: %s", dir, strerror(errno));
    if (mark >= 0)
        close(mark);
    close(fd);
    return err;
}

int pbx_dir_make(const char *dir, char *real, char **problem)
{
    struct user u;
    int err = user_find(&u, problem);

    if (err)
        return err;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return pbx_problem(problem, -errno, "%s: %s", dir, strerror(errno));
    if (!realpath(dir, real))
        return pbx_problem(problem, -errno, "%s: %s", dir, strerror(errno));
    err = pbx_dir_check(real, problem);
    if (!err)
        err = parents_check(real, &u, problem);
    return err ? err : dir_own(real, &u, problem);
}

static _Noreturn void child_fail(int to, const char *what)
{
    ssize_t n = write(to, what, strnlen(what, PROBLEM_MAX));

    (void)n; /* nobody is left to tell */
    _exit(126);
}

/* A mask or a handler of ours would reach Asterisk: with SIGTERM blocked it could not be stopped in order. */
static void signals_reset(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void rights_drop(const struct user *u, pid_t parent, int to)
{
    if (u->drop && (setgroups(0, NULL) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0))
        child_fail(to, "cannot become nobody");
    /* After the change of user, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        child_fail(to, "the starter is gone");
}

static void output_open(const char *dir, int to)
{
    char path[PATH_MAX];
    int in, out;

    snprintf(path, sizeof path, "%s/log/console", dir);
    unlink(path);
    out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, 0600);
    in = open("/dev/null", O_RDONLY);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        child_fail(to, "cannot open log/console in the directory");
}

static _Noreturn void asterisk_exec(const struct pbx_config *c, int to)
{
    char conf[PATH_MAX], home[PATH_MAX], what[PROBLEM_MAX];
    char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", home, (char *)"LC_ALL=C.UTF-8", NULL };
    char *argv[] = { (char *)c->place->loader,
                     (char *)"--library-path",
                     (char *)c->place->libraries,
                     (char *)c->place->binary,
                     (char *)"-f",
                     (char *)"-n",
                     (char *)"-C",
                     conf,
                     NULL };
    char **from = c->place->loader[0] ? argv : argv + 3;

    snprintf(conf, sizeof conf, "%s/etc/asterisk.conf", c->dir);
    snprintf(home, sizeof home, "HOME=%s", c->dir);
    execve(from[0], from, environment);
    snprintf(what, sizeof what, "cannot start %s: %s", from[0], strerror(errno));
    child_fail(to, what);
}

/* A folder below a closed one (a clone in root's home) is shown to the child at a path that nobody may enter, and to nobody else:
 * the mount lives and ends with the child's own mount namespace. */
static void place_mount(const struct pbx_place *p, int to)
{
    char what[PROBLEM_MAX];

    if (!p->mount[0])
        return;
    if ((mkdir(p->mount, 0755) < 0 && errno != EEXIST) || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount(p->base, p->mount, NULL, MS_BIND, NULL) < 0) {
        snprintf(what, sizeof what, "it runs as nobody, who cannot enter %.500s (%s): use a folder that others may enter, or another user",
                 p->base, strerror(errno));
        child_fail(to, what);
    }
}

static _Noreturn void child_run(const struct pbx_config *c, const struct user *u, pid_t parent, int to)
{
    char *problem = NULL;

    setsid(); /* a Ctrl-C is for us: we stop Asterisk in order */
    signals_reset();
    umask(077);
    place_mount(c->place, to);
    rights_drop(u, parent, to);
    if (pbx_config_write(c, &problem) != 0)
        child_fail(to, problem ? problem : "cannot write the configuration");
    if (chdir(c->dir) < 0)
        child_fail(to, "cannot enter the directory");
    output_open(c->dir, to);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    asterisk_exec(c, to);
}

/* The pipe ends without a word when the child has become Asterisk. */
static int child_wait(int from, char what[PROBLEM_MAX])
{
    const int64_t deadline_us = clock_mono_us() + START_MS * 1000;
    size_t have = 0;

    for (;;) {
        struct pollfd p = { .fd = from, .events = POLLIN };
        const int64_t left_us = deadline_us - clock_mono_us();
        ssize_t n;

        if (left_us <= 0)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)(left_us / 1000) + 1) <= 0)
            continue;
        n = read(from, what + have, PROBLEM_MAX - 1 - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    what[have] = '\0';
    return have > 0 ? -EIO : 0;
}

int pbx_spawn(pid_t *out, const struct pbx_config *c, char **problem)
{
    char what[PROBLEM_MAX] = "it did not get as far as starting in 10 s";
    const pid_t parent = getpid();
    int fds[2], err, status;
    struct user u;
    pid_t pid;

    err = user_find(&u, problem);
    if (err)
        return err;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child_run(c, &u, parent, fds[1]);
    }
    err = pid < 0 ? -errno : 0;
    close(fds[1]);
    if (!err)
        err = child_wait(fds[0], what);
    close(fds[0]);
    if (pid > 0 && err) {
        kill(pid, SIGKILL);
        (void)!pbx_reap(pid, &status, START_MS);
        return pbx_problem(problem, err, "Asterisk was not started: %s", what);
    }
    if (!err)
        *out = pid;
    return err;
}

int pbx_reap(pid_t pid, int *status, int64_t timeout_ms)
{
    const int64_t deadline_us = clock_mono_us() + timeout_ms * 1000;

    for (;;) {
        const pid_t got = waitpid(pid, status, WNOHANG);

        if (got == pid)
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        if (clock_mono_us() >= deadline_us)
            return -ETIMEDOUT;
        poll(NULL, 0, REAP_STEP_MS);
    }
}
