/* Starts a child program, moves bytes through its three pipes, and watches for its end. */
#include "net/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net/loop_internal.h"
#include "net/process_internal.h"

enum {
    INPUT_MAX = 256 * 1024,
    READS_MAX = 4, /* of one pipe a turn: a flood leaves time for others */
    PIPES = 3,
};

/* One pipe end, or the child's descriptor. Its watcher is closed before the descriptor; the memory is the process's. */
struct watched {
    uv_poll_t poll;
    struct process *process;
    int fd;       /* -1: closed */
    bool is_open; /* the watcher was made and not yet closed */
};

struct process {
    struct loop *loop;
    struct process_handlers on;
    void *arg;
    pid_t pid;
    struct watched in, out, err, end; /* end: readable when the program has ended (pidfd) */
    struct buf input;
    struct timer *grace;
    bool input_closes; /* after what waits */
    bool has_ended, is_reaped, is_closed, is_paused;
    int code, signal;
    int ends[PIPES];  /* the program's ends of the pipes, until it has them; -1: none */
    bool is_pending;  /* not started yet: signals wait */
    int owed;         /* signal; 0: none */
    bool owed_to_group;
};

/* ---- watching ---- */

static void on_poll_closed(uv_handle_t *h)
{
    struct watched *w = h->data;

    ref_drop(w->process);
}

static void unwatch(struct watched *w)
{
    if (w->is_open) {
        w->is_open = false;
        uv_close((uv_handle_t *)&w->poll, on_poll_closed);
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

static int watch(struct process *p, struct watched *w, int fd)
{
    int err = uv_poll_init(&p->loop->uv, &w->poll, fd);

    if (err)
        return err;
    w->poll.data = w;
    w->fd = fd;
    w->is_open = true;
    ref_hold(p);
    return 0;
}

/* ---- the end ---- */

static void reap(struct process *p)
{
    siginfo_t si;

    if (p->is_reaped)
        return;
    p->is_reaped = true;
    while (waitid(P_PID, (id_t)p->pid, &si, WEXITED) < 0 && errno == EINTR) {
    }
}

/* Seen, but left in the table until process_close, so that its number, and its group's, stays its own. */
static void end_look(struct process *p)
{
    siginfo_t si = { .si_pid = 0 };

    if (waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0) {
        /* A copy that died with its template before it had begun (forker.c): its status went with it. */
        p->is_reaped = true;
        p->code = -1;
        p->signal = SIGKILL;
    } else if (si.si_pid == 0) {
        return;
    } else {
        p->code = si.si_code == CLD_EXITED ? si.si_status : -1;
        p->signal = si.si_code == CLD_EXITED ? 0 : si.si_status;
    }
    p->has_ended = true;
    unwatch(&p->end);
}

static void on_end_poll(uv_poll_t *h, int status, int events)
{
    struct watched *w = h->data;
    struct process *p = ref_hold(w->process);
    const int64_t entered_us = loop_enter();

    (void)status;
    (void)events;
    end_look(p);
    if (p->has_ended && p->is_closed) {
        reap(p);
        timer_stop(p->grace);
    } else if (p->has_ended && p->on.on_exit) {
        p->on.on_exit(p, p->code, p->signal, p->arg);
    }
    loop_leave(p->loop, "process_end", entered_us);
    ref_drop(p);
}

static void on_grace(void *arg)
{
    struct process *p = arg;

    (void)process_signal_group(p, SIGKILL);
}

/* ---- output ---- */

typedef void on_bytes(struct process *p, struct text bytes, void *arg);

/* False when the pipe has ended. */
static bool read_some(struct process *p, struct watched *w, bool is_output)
{
    for (int i = 0; i < READS_MAX && w->fd >= 0 && !(is_output && p->is_paused); i++) {
        on_bytes *const on = is_output ? p->on.on_output : p->on.on_error;
        const ssize_t n = read(w->fd, p->loop->scratch, LOOP_SCRATCH_BYTES);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0)
            return false;
        if (on)
            on(p, text_make(p->loop->scratch, (size_t)n), p->arg);
    }
    return true;
}

static void on_out_poll(uv_poll_t *h, int status, int events)
{
    struct watched *w = h->data;
    struct process *p = ref_hold(w->process);
    const int64_t entered_us = loop_enter();

    (void)events;
    if ((status < 0 || !read_some(p, w, true)) && w->fd >= 0) {
        unwatch(w);
        if (p->on.on_output_end)
            p->on.on_output_end(p, p->arg);
    }
    loop_leave(p->loop, "process_output", entered_us);
    ref_drop(p);
}

static void on_err_poll(uv_poll_t *h, int status, int events)
{
    struct watched *w = h->data;
    struct process *p = ref_hold(w->process);
    const int64_t entered_us = loop_enter();

    (void)events;
    if (status < 0 || !read_some(p, w, false))
        unwatch(w);
    loop_leave(p->loop, "process_error", entered_us);
    ref_drop(p);
}

void process_pause(struct process *p)
{
    p->is_paused = true;
    if (p->out.is_open)
        uv_poll_stop(&p->out.poll);
}

void process_resume(struct process *p)
{
    p->is_paused = false;
    if (p->out.is_open)
        uv_poll_start(&p->out.poll, UV_READABLE, on_out_poll);
}

/* ---- input ---- */

static void input_end(struct process *p)
{
    unwatch(&p->in);
    buf_free(&p->input);
}

/* Writes what it can. Negative: nobody reads any more. */
static int input_flush(struct process *p)
{
    while (p->input.n > 0) {
        const ssize_t n = write(p->in.fd, p->input.p, p->input.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        buf_drop(&p->input, (size_t)n);
    }
    return 0;
}

static void on_in_poll(uv_poll_t *h, int status, int events)
{
    struct watched *w = h->data;
    struct process *p = ref_hold(w->process);
    const int64_t entered_us = loop_enter();
    const int err = status < 0 ? status : input_flush(p);

    (void)events;
    if (err < 0) {
        input_end(p);
    } else if (p->input.n == 0) {
        uv_poll_stop(&w->poll);
        if (p->input_closes)
            input_end(p);
    }
    if (p->input.n == 0 && p->on.on_drain)
        p->on.on_drain(p, p->arg);
    loop_leave(p->loop, "process_input", entered_us);
    ref_drop(p);
}

int process_write(struct process *p, struct text t)
{
    int err;

    if (p->in.fd < 0 || p->input_closes)
        return -EPIPE;
    if (p->input.n + t.n > p->input.max)
        return -ENOBUFS;
    err = buf_add_text(&p->input, t);
    if (!err)
        err = input_flush(p);
    if (err == -EPIPE)
        input_end(p);
    else if (!err && p->input.n > 0)
        err = uv_poll_start(&p->in.poll, UV_WRITABLE, on_in_poll);
    return err;
}

size_t process_queued(const struct process *p)
{
    return p->input.n;
}

void process_input_close(struct process *p)
{
    p->input_closes = true;
    if (p->input.n == 0)
        input_end(p);
}

/* ---- signals ---- */

/* Kept for the moment when there is somebody to hear it; of several, SIGKILL, or else the last. */
static int signal_owe(struct process *p, int signum, bool to_group)
{
    if (p->owed != SIGKILL) {
        p->owed = signum;
        p->owed_to_group = to_group;
    }
    return 0;
}

int process_signal(struct process *p, int signum)
{
    if (p->is_pending)
        return signal_owe(p, signum, false);
    return p->is_reaped || p->has_ended ? -ESRCH : kill(p->pid, signum) < 0 ? -errno : 0;
}

int process_signal_group(struct process *p, int signum)
{
    if (p->is_pending)
        return signal_owe(p, signum, true);
    if (p->is_reaped)
        return -ESRCH;
    if (kill(-p->pid, signum) == 0)
        return 0;
    /* A copy of a template is its child alone until it has made its own group. */
    return errno == ESRCH && !p->has_ended && kill(p->pid, signum) == 0 ? 0 : -errno;
}

static void signal_pay(struct process *p)
{
    p->is_pending = false;
    if (p->owed && p->owed_to_group)
        (void)process_signal_group(p, p->owed);
    else if (p->owed)
        (void)process_signal(p, p->owed);
    p->owed = 0;
}

bool process_has_ended(const struct process *p)
{
    return p->has_ended;
}

pid_t process_id(const struct process *p)
{
    return p->pid;
}

/* ---- start ---- */

static void ends_close(struct process *p)
{
    for (int i = 0; i < PIPES; i++) {
        if (p->ends[i] >= 0)
            close(p->ends[i]);
        p->ends[i] = -1;
    }
}

static void destroy(void *obj)
{
    struct process *p = obj;

    ends_close(p);
    buf_free(&p->input);
    timer_free(p->grace);
}

static void pair_close(int fd[2])
{
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    fd[0] = fd[1] = -1;
}

/* Above 2, where the child puts its streams. */
static int raise_fd(int *fd)
{
    const int above = *fd > 2 ? *fd : fcntl(*fd, F_DUPFD_CLOEXEC, 3);

    if (above < 0)
        return -errno;
    if (above != *fd)
        close(*fd);
    *fd = above;
    return 0;
}

/* ours: which end stays here, without waiting. */
static int pipe_make(int fd[2], int ours)
{
    int err;

    if (pipe2(fd, O_CLOEXEC) < 0)
        return -errno;
    err = raise_fd(&fd[0]);
    if (!err)
        err = raise_fd(&fd[1]);
    if (!err && fcntl(fd[ours], F_SETFL, O_NONBLOCK) < 0)
        err = -errno;
    return err;
}

/* Our ends are the process's, once watched. */
static int streams_open(struct process *p)
{
    struct watched *const all[PIPES] = { &p->in, &p->out, &p->err };
    int err = 0;

    for (int i = 0; !err && i < PIPES; i++) {
        const int ours = i == 0 ? 1 : 0;
        int fd[2] = { -1, -1 };

        err = pipe_make(fd, ours);
        if (!err)
            err = watch(p, all[i], fd[ours]);
        if (!err) {
            p->ends[i] = fd[!ours];
            fd[0] = fd[1] = -1;
        }
        pair_close(fd);
    }
    if (!err)
        err = uv_poll_start(&p->out.poll, UV_READABLE, on_out_poll);
    return err ? err : uv_poll_start(&p->err.poll, UV_READABLE, on_err_poll);
}

int process_prepare(struct process **out, struct loop *l, size_t input_max, const struct process_handlers *on, void *arg,
                    const char **step)
{
    struct process *p = ref_new(sizeof *p, destroy);
    int err;

    *step = "memory";
    if (!p)
        return -ENOMEM;
    p->loop = l;
    p->on = *on;
    p->arg = arg;
    p->in.process = p->out.process = p->err.process = p->end.process = p;
    p->in.fd = p->out.fd = p->err.fd = p->end.fd = -1;
    p->ends[0] = p->ends[1] = p->ends[2] = -1;
    p->is_reaped = true; /* nothing there yet */
    p->is_pending = true;
    buf_init(&p->input, input_max ? input_max : INPUT_MAX);
    err = timer_new(&p->grace, l, on_grace, p);
    if (!err) {
        *step = "pipe";
        err = streams_open(p);
    }
    if (err) {
        process_close(p, 0);
        return err;
    }
    *out = p;
    return 0;
}

/* The watcher holds the descriptor once it is made. */
static int end_watch(struct process *p, int pidfd)
{
    const int err = watch(p, &p->end, pidfd);

    if (err)
        close(pidfd);
    return err ? err : uv_poll_start(&p->end.poll, UV_READABLE, on_end_poll);
}

int process_launch(struct process *p, const struct process_options *opt, const char **step)
{
    struct child_plan plan = { .argv = (char *const *)opt->argv,
                               .env = (char *const *)opt->env,
                               .cwd = opt->cwd,
                               .fds = { p->ends[0], p->ends[1], p->ends[2] },
                               .extra = opt->extra_fd,
                               .fence = opt->fence,
                               .death_signal = opt->death_signal };
    int pidfd, err = child_start(&plan, &p->pid, &pidfd);

    ends_close(p);
    if (step)
        *step = plan.step;
    if (err)
        return err;
    p->is_reaped = false;
    signal_pay(p);
    err = end_watch(p, pidfd);
    if (err && step)
        *step = "poll";
    return err;
}

/* Killed unwatched: without its descriptor nothing would tell its end. */
static void adopt_blind(struct process *p)
{
    unwatch(&p->end);
    timer_stop(p->grace);
    (void)process_signal_group(p, SIGKILL);
    reap(p);
    p->has_ended = true;
    p->code = -1;
    p->signal = SIGKILL;
    if (p->on.on_exit)
        p->on.on_exit(p, p->code, p->signal, p->arg);
}

void process_adopt(struct process *p, pid_t pid)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    ends_close(p);
    p->pid = pid;
    p->is_reaped = false;
    signal_pay(p);
    if (pidfd < 0 || end_watch(p, pidfd))
        adopt_blind(p);
}

void process_forget(struct process *p)
{
    unwatch(&p->end);
    timer_stop(p->grace);
    p->is_reaped = p->has_ended = true;
}

const int *process_ends(const struct process *p)
{
    return p->ends;
}

void process_unstarted(struct process *p)
{
    if (!p->is_closed && p->on.on_unstarted)
        p->on.on_unstarted(p, p->arg);
}

int process_start(struct process **out, struct loop *l, const struct process_options *opt, const struct process_handlers *on,
                  void *arg, const char **step)
{
    struct process *p;
    const char *at;
    int err = process_prepare(&p, l, opt->input_max, on, arg, &at);

    if (!err) {
        err = process_launch(p, opt, &at);
        if (err)
            process_close(p, 0);
    }
    if (step)
        *step = at;
    if (!err)
        *out = p;
    return err;
}

void process_handle(struct process *p, const struct process_handlers *on, void *arg)
{
    p->on = *on;
    p->arg = arg;
}

struct process *process_close(struct process *p, int64_t grace_ms)
{
    if (!p)
        return NULL;
    p->on = (struct process_handlers){ .on_exit = NULL };
    p->is_closed = true;
    if ((p->is_pending || (!p->is_reaped && !p->has_ended)) && grace_ms <= 0)
        (void)process_signal_group(p, SIGKILL); /* before its input ends: it must not take that for an answer */
    else if (p->is_pending || (!p->is_reaped && !p->has_ended))
        timer_start(p->grace, grace_ms);
    input_end(p);
    unwatch(&p->out);
    unwatch(&p->err);
    if (p->has_ended)
        reap(p);
    /* A watcher that could not be made: the end is near, since it was killed. */
    if (!p->is_reaped && !p->end.is_open)
        reap(p);
    return ref_drop(p);
}
