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
int64_t doctor_limit_of(pid_t pid)
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

/* As the unit of systemd starts it. Only root can look at things as another user. */
static void find_user(struct doctor_person *p)
{
    if (geteuid() != 0 || doctor_person_of_user(p, "sidetone", NULL))
        doctor_person_self(p);
}

static void look_at_daemon(struct doctor_host *h, const struct config *c)
{
    struct rlimit own;

    find_user(&h->who);
    h->open_files = getrlimit(RLIMIT_NOFILE, &own) == 0 ? (own.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)own.rlim_cur) : -1;
    h->daemon = find_daemon(c->admin_path);
    if (!h->daemon)
        return;
    if (doctor_person_of_process(&h->who, h->daemon))
        find_user(&h->who);
    if (doctor_limit_of(h->daemon) >= 0)
        h->open_files = doctor_limit_of(h->daemon);
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

static enum doctor_file_fault fault_of_way(enum doctor_way way)
{
    static const enum doctor_file_fault faults[] = {
        [DOCTOR_WAY_GOOD] = DOCTOR_FILE_GOOD, [DOCTOR_WAY_GONE] = DOCTOR_FILE_GONE, [DOCTOR_WAY_UNSEEN] = DOCTOR_FILE_UNSEEN,
        [DOCTOR_WAY_CLOSED] = DOCTOR_FILE_FOLDER_CLOSED, [DOCTOR_WAY_REFUSED] = DOCTOR_FILE_UNREADABLE, [DOCTOR_WAY_NOEXEC] = DOCTOR_FILE_NOEXEC,
    };

    return faults[way];
}

/* Whoever may exchange the file decides what is run. */
void doctor_file_judge(struct doctor_file *f, const struct doctor_person *p, unsigned needs)
{
    struct stat st;
    char *readable = NULL;

    f->who = p->name;
    f->is_run = needs & DOCTOR_RUN;
    f->fault = fault_of_way(doctor_way_of(p, f->path, needs, &f->at));
    if (f->fault == DOCTOR_FILE_UNREADABLE && (needs & DOCTOR_RUN) && doctor_way_of(p, f->path, DOCTOR_READ, &readable) == DOCTOR_WAY_GOOD)
        f->fault = DOCTOR_FILE_NOT_RUNNABLE;
    free(readable);
    if (f->fault != DOCTOR_FILE_GOOD)
        return;
    if (stat(f->path, &st) || !S_ISREG(st.st_mode)) {
        f->fault = DOCTOR_FILE_GONE;
        return;
    }
    f->at = doctor_way_open_to_all(f->path);
    if (f->at)
        f->fault = stat(f->at, &st) == 0 && S_ISDIR(st.st_mode) ? DOCTOR_FOLDER_WRITABLE : DOCTOR_FILE_WRITABLE;
}

static void add_file(struct doctor_host *h, const char *what, const char *name, const char *path, unsigned needs)
{
    struct doctor_file *f = &h->files[h->file_count];

    if (!path || h->file_count == DOCTOR_FILES_MAX)
        return;
    h->file_count++;
    *f = (struct doctor_file){ .what = what, .name = name, .path = path };
    doctor_file_judge(f, &h->who, needs);
}

/* Run by a user of its own. */
static void add_script(struct doctor_host *h, const struct config_route *r)
{
    struct doctor_person p;
    struct doctor_file *f = &h->files[h->file_count];

    if (!r->script || h->file_count == DOCTOR_FILES_MAX)
        return;
    if (!r->user || doctor_person_of_user(&p, r->user, NULL)) {
        add_file(h, "route", r->head.name, r->script, DOCTOR_READ | DOCTOR_RUN);
        return;
    }
    h->file_count++;
    *f = (struct doctor_file){ .what = "route", .name = r->head.name, .path = r->script };
    doctor_file_judge(f, &p, DOCTOR_READ | DOCTOR_RUN);
    f->who = r->user;
}

static void look_at_files(struct doctor_host *h, const struct config *c)
{
    for (size_t i = 0; i < c->route_count; i++) {
        const struct config_route *r = &c->routes[i];

        add_script(h, r);
        add_file(h, "route", r->head.name, r->handler, DOCTOR_READ);
        add_file(h, "route", r->head.name, r->shadow, DOCTOR_READ);
    }
    for (size_t i = 0; i < c->agent_count; i++) {
        const struct config_agent *a = &c->agents[i];

        add_file(h, "agent", a->head.name, a->file, DOCTOR_READ);
        add_file(h, "agent", a->head.name, a->instructions, DOCTOR_READ);
        for (size_t k = 0; k < a->tool_count; k++)
            add_file(h, "tool", a->tools[k].name, a->tools[k].path, DOCTOR_READ);
    }
}

/* ---- the state folder ---- */

/* The folder, or where it is not there yet, the one above: the daemon makes the last one itself. */
static int judge_state(struct doctor_host *h, const char *path)
{
    char folder[PATH_MAX], *at;
    enum doctor_way way;
    struct stat st;
    char *slash;

    text_copy(folder, sizeof folder, text_of(path));
    h->state_is_there = stat(folder, &st) == 0;
    slash = strrchr(folder, '/');
    if (!h->state_is_there && !slash)
        return -ENOENT;
    if (!h->state_is_there)
        slash[slash == folder] = '\0';
    else if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    way = doctor_way_of(&h->who, folder, DOCTOR_WRITE | DOCTOR_RUN, &at);
    free(at);
    return way == DOCTOR_WAY_GOOD ? 0 : way == DOCTOR_WAY_GONE ? -ENOENT : -EACCES;
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

void doctor_host_free(struct doctor_host *h)
{
    for (size_t i = 0; i < h->file_count; i++)
        free(h->files[i].at);
    h->file_count = 0;
}
