/* Finds an Asterisk and its folders on this machine. */
#include "sim/pbx_place.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/pbx_problem.h"

enum { VERSION_MS = 5000, OUTPUT_MAX = 256 };

static bool path_make(char out[PATH_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool path_make(char out[PATH_MAX], const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(out, PATH_MAX, fmt, ap);
    va_end(ap);
    return n > 0 && n < PATH_MAX;
}

/* The first path that a pattern names. */
static bool path_find(char out[PATH_MAX], const char *pattern)
{
    glob_t found;
    bool ok = false;

    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
        ok = path_make(out, "%s", found.gl_pathv[0]);
    globfree(&found);
    return ok;
}

int pbx_version_parse(const char *line, char *out, size_t size, int *major)
{
    static const char name[] = "Asterisk ";
    size_t n;

    if (strncmp(line, name, sizeof name - 1) != 0)
        return -EINVAL;
    line += sizeof name - 1;
    if (strncmp(line, "certified/", 10) == 0)
        line += 10;
    n = strspn(line, "0123456789.");
    if (n == 0 || n >= size || line[0] == '.')
        return -EINVAL;
    memcpy(out, line, n);
    out[n] = '\0';
    *major = atoi(out);
    return 0;
}

/* Reads until the end or the deadline. Returns bytes, or -ETIMEDOUT. */
static ssize_t read_all(int fd, char *out, size_t size, int64_t deadline_us)
{
    size_t have = 0;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;
        ssize_t n;

        if (left_ms <= 0)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)left_ms) <= 0)
            continue;
        n = read(fd, out + have, size - have);
        if (n <= 0 || have + (size_t)n == size)
            return (ssize_t)(n > 0 ? have + (size_t)n : have);
        have += (size_t)n;
    }
}

static _Noreturn void run_version(const struct pbx_place *p, int out)
{
    char *const none[] = { (char *)"PATH=/usr/bin:/bin", NULL };
    char *const plain[] = { (char *)p->binary, (char *)"-V", NULL };
    char *const loaded[] = { (char *)p->loader,    (char *)"--library-path",
                             (char *)p->libraries, (char *)p->binary,
                             (char *)"-V",         NULL };
    const int nowhere = open("/dev/null", O_RDWR);

    dup2(nowhere, 0);
    dup2(out, 1);
    dup2(nowhere, 2);
    if (p->loader[0])
        execve(p->loader, loaded, none);
    else
        execve(p->binary, plain, none);
    _exit(127);
}

/* Asks the program itself, so that a broken unpacking is noticed here and not at the first call. */
static int ask_version(struct pbx_place *p, char **problem)
{
    char line[OUTPUT_MAX] = "";
    int fds[2], major, status;
    ssize_t n;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        run_version(p, fds[1]);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -errno;
    }
    n = read_all(fds[0], line, sizeof line - 1, clock_mono_us() + VERSION_MS * 1000);
    close(fds[0]);
    if (n < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n < 0 || pbx_version_parse(line, p->version, sizeof p->version, &major) < 0)
        return pbx_problem(problem, -ENOEXEC, "%s does not tell its version: it does not start here", p->binary);
    if (major < PBX_OLDEST)
        return pbx_problem(problem, -ENOTSUP, "%s is Asterisk %s; %d or newer is needed", p->binary, p->version, PBX_OLDEST);
    return 0;
}

int pbx_place_unpacked(struct pbx_place *out, const char *root, char **problem)
{
    struct pbx_place p = { .loader = "" };
    char base[PATH_MAX], pattern[PATH_MAX];
    int err;

    *problem = NULL;
    if (!realpath(root, base))
        return pbx_problem(problem, -ENOENT, "%s: %s", root, strerror(errno));
    if (!path_make(p.binary, "%s/usr/sbin/asterisk", base) || access(p.binary, R_OK) < 0)
        return pbx_problem(problem, -ENOENT, "%s holds no usr/sbin/asterisk (tools/get-asterisk makes such a folder)", root);
    if (!path_make(pattern, "%s/usr/lib/*-linux-gnu*/ld-linux*.so.*", base) || !path_find(p.loader, pattern))
        return pbx_problem(problem, -ENOENT, "%s holds no loader for its Asterisk", root);
    if (!path_make(p.libraries, "%s", p.loader))
        return -ENAMETOOLONG;
    *strrchr(p.libraries, '/') = '\0';
    if (!path_make(p.modules, "%s/asterisk/modules", p.libraries) || !path_make(p.data, "%s/usr/share/asterisk", base))
        return -ENAMETOOLONG;
    snprintf(p.base, sizeof p.base, "%s", base);
    err = ask_version(&p, problem);
    if (err)
        return err;
    *out = p;
    return 0;
}

/* --library-path takes one folder or several; ours is one, so that a prefix is all there is to change. */
static bool rebase(char path[PATH_MAX], const char *base, const char *at)
{
    char old[PATH_MAX];

    snprintf(old, sizeof old, "%s", path);
    return path_make(path, "%s%s", at, old + strlen(base));
}

int pbx_place_mount_at(struct pbx_place *p, const char *at)
{
    struct pbx_place moved = *p;
    char *const paths[] = { moved.binary, moved.loader, moved.libraries, moved.modules, moved.data };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (!rebase(paths[i], p->base, at))
            return -ENAMETOOLONG;
    snprintf(moved.mount, sizeof moved.mount, "%s", at);
    *p = moved;
    return 0;
}

static bool binary_find(char out[PATH_MAX])
{
    const char *path = getenv("PATH");
    char all[4096], *save = NULL;

    if (snprintf(all, sizeof all, "%s:/usr/sbin:/usr/local/sbin:/sbin", path ? path : "") >= (int)sizeof all)
        return false;
    for (char *dir = strtok_r(all, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
        if (dir[0] == '/' && path_make(out, "%s/asterisk", dir) && access(out, X_OK) == 0)
            return true;
    return false;
}

/* The prefix of the binary decides: /usr/sbin -> /usr/lib..., /usr/local/sbin -> /usr/local/lib... */
static bool layout_find(struct pbx_place *p, const char *prefix)
{
    static const char *const modules[] = { "lib/*-linux-gnu*/asterisk/modules", "lib64/asterisk/modules",
                                           "lib/asterisk/modules" };
    static const char *const data[] = { "share/asterisk", "var/lib/asterisk" };
    char pattern[PATH_MAX], probe[PATH_MAX];

    for (size_t i = 0; i < sizeof modules / sizeof modules[0] && !p->modules[0]; i++)
        if (path_make(pattern, "%s/%s", prefix, modules[i]))
            path_find(p->modules, pattern);
    for (size_t i = 0; i < sizeof data / sizeof data[0] && !p->data[0]; i++)
        if (path_make(probe, "%s/%s/sounds", prefix, data[i]) && access(probe, X_OK) == 0)
            path_make(p->data, "%s/%s", prefix, data[i]);
    if (!p->data[0] && access("/var/lib/asterisk/sounds", X_OK) == 0)
        path_make(p->data, "/var/lib/asterisk");
    return p->modules[0] && p->data[0];
}

int pbx_place_installed(struct pbx_place *out, char **problem)
{
    struct pbx_place p = { .loader = "" };
    char prefix[PATH_MAX];
    char *slash;
    int err;

    *problem = NULL;
    if (!binary_find(p.binary))
        return pbx_problem(problem, -ENOENT, "no asterisk is installed on this machine");
    path_make(prefix, "%s", p.binary);
    for (int up = 0; up < 2; up++) {
        slash = strrchr(prefix, '/');
        if (slash)
            *slash = '\0';
    }
    /* /sbin is a link to /usr/sbin on merged systems. */
    if (!layout_find(&p, prefix) && !layout_find(&p, "/usr"))
        return pbx_problem(problem, -ENOENT, "%s is there, but not its modules and sounds", p.binary);
    err = ask_version(&p, problem);
    if (err)
        return err;
    *out = p;
    return 0;
}
