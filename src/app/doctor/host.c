/* Looks at this machine: who runs, which ports are free, what may be read and written. */
#include "app/doctor/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/doctor/ports.h"

/* ---- the daemon ---- */

/* Who listens on the admin socket: the kernel keeps the id of whoever called listen. */
static pid_t find_daemon(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct ucred who = { .pid = 0 };
    socklen_t size = sizeof who;
    int fd;

    if (!path || strlen(path) >= sizeof at.sun_path)
        return 0;
    text_copy(at.sun_path, sizeof at.sun_path, text_of(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
        who.pid = 0;
    close(fd);
    return who.pid;
}

/* "Max open files            65536                65536                files" */
static int64_t limit_of(pid_t pid)
{
    char path[64], line[256];
    long long soft = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Max open files %lld", &soft) == 1)
            break;
    if (f)
        fclose(f);
    return soft;
}

static void look_at_daemon(struct doctor_host *h, const struct config *c)
{
    struct rlimit own;
    struct stat st;
    char path[64];

    h->uid = geteuid();
    h->open_files = getrlimit(RLIMIT_NOFILE, &own) == 0 ? (own.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)own.rlim_cur) : -1;
    h->daemon = find_daemon(c->admin_path);
    if (!h->daemon)
        return;
    snprintf(path, sizeof path, "/proc/%d", (int)h->daemon);
    if (stat(path, &st) == 0)
        h->uid = st.st_uid;
    if (limit_of(h->daemon) >= 0)
        h->open_files = limit_of(h->daemon);
}

int64_t doctor_files_needed(const struct config *c)
{
    enum { STORES = 64, A_LOOP = 16, A_TALK = 3, A_SCRIPT = 4 };
    int64_t n = STORES + A_LOOP * (c->sidetone.workers ? c->sidetone.workers : sysconf(_SC_NPROCESSORS_ONLN));
    int64_t scripts = 0;

    if (c->route_count)
        n += c->fastagi.sessions_max;
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].script)
            scripts += c->routes[i].max ? c->routes[i].max : c->fastagi.sessions_max;
    n += A_SCRIPT * (scripts < c->fastagi.sessions_max ? scripts : c->fastagi.sessions_max);
    for (size_t i = 0; i < c->node_count; i++)
        if (config_node_has_ari(&c->nodes[i]))
            n += A_TALK * c->nodes[i].calls_max;
    if (c->audiosocket.accept == CONFIG_ACCEPT_ANY)
        n += A_TALK * c->audiosocket.calls_max;
    return n;
}

/* ---- files ---- */

bool doctor_mode_allows(mode_t mode, uid_t owner, uid_t uid, unsigned bits)
{
    if (uid == 0)
        return bits != 1 || (mode & 0111);
    if (uid == owner)
        return ((mode >> 6) & bits) == bits;
    return ((mode >> 3) & bits) == bits || (mode & bits) == bits;
}

/* Whoever may exchange the file decides what the daemon runs. A folder with the sticky bit protects what is in it. */
static enum doctor_file_fault judge_file(const struct doctor_host *h, const char *path, bool is_run)
{
    char folder[PATH_MAX];
    struct stat st;
    char *slash;

    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return DOCTOR_FILE_GONE;
    if (!doctor_mode_allows(st.st_mode, st.st_uid, h->uid, is_run ? 5 : 4))
        return doctor_mode_allows(st.st_mode, st.st_uid, h->uid, 4) ? DOCTOR_FILE_NOT_RUNNABLE : DOCTOR_FILE_UNREADABLE;
    if (st.st_mode & S_IWOTH)
        return DOCTOR_FILE_WRITABLE;
    text_copy(folder, sizeof folder, text_of(path));
    slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return DOCTOR_FILE_GOOD;
    *slash = '\0';
    return stat(folder, &st) == 0 && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX) ? DOCTOR_FOLDER_WRITABLE : DOCTOR_FILE_GOOD;
}

static void add_file(struct doctor_host *h, const char *what, const char *name, const char *path, bool is_run)
{
    if (!path || h->file_count == DOCTOR_FILES_MAX)
        return;
    h->files[h->file_count++] = (struct doctor_file){ .what = what, .name = name, .path = path, .fault = judge_file(h, path, is_run) };
}

static void look_at_files(struct doctor_host *h, const struct config *c)
{
    for (size_t i = 0; i < c->route_count; i++) {
        const struct config_route *r = &c->routes[i];

        add_file(h, "route", r->head.name, r->script, !r->user);
        add_file(h, "route", r->head.name, r->handler, false);
        add_file(h, "route", r->head.name, r->shadow, false);
    }
    for (size_t i = 0; i < c->agent_count; i++) {
        const struct config_agent *a = &c->agents[i];

        add_file(h, "agent", a->head.name, a->file, false);
        add_file(h, "agent", a->head.name, a->instructions, false);
        for (size_t k = 0; k < a->tool_count; k++)
            add_file(h, "tool", a->tools[k].name, a->tools[k].path, false);
    }
}

/* ---- the state folder ---- */

/* The nearest folder above that is there: the daemon makes the last one itself. */
static int judge_state(struct doctor_host *h, const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    char *slash;

    text_copy(folder, sizeof folder, text_of(path));
    if (stat(folder, &st) == 0) {
        h->state_is_there = true;
        if (!S_ISDIR(st.st_mode))
            return -ENOTDIR;
        return doctor_mode_allows(st.st_mode, st.st_uid, h->uid, 3) ? 0 : -EACCES;
    }
    slash = strrchr(folder, '/');
    if (!slash)
        return -ENOENT;
    slash[slash == folder] = '\0';
    if (stat(folder, &st))
        return -ENOENT;
    return doctor_mode_allows(st.st_mode, st.st_uid, h->uid, 3) ? 0 : -EACCES;
}

static void look_at_disk(struct doctor_host *h, const char *path)
{
    char folder[PATH_MAX];
    struct statvfs v;
    char *slash;

    h->disk_free = h->disk_size = -1;
    text_copy(folder, sizeof folder, text_of(path));
    while (statvfs(folder, &v)) {
        slash = strrchr(folder, '/');
        if (!slash || slash == folder)
            return;
        *slash = '\0';
    }
    h->disk_free = (int64_t)(v.f_bavail * v.f_frsize);
    h->disk_size = (int64_t)(v.f_blocks * v.f_frsize);
}

void doctor_host_look(struct doctor_host *h, const struct config *c)
{
    memset(h, 0, sizeof *h);
    look_at_daemon(h, c);
    h->open_files_needed = doctor_files_needed(c);
    doctor_ports_look(h, c);
    look_at_files(h, c);
    h->state_err = judge_state(h, c->sidetone.state_dir);
    look_at_disk(h, c->sidetone.state_dir);
}
