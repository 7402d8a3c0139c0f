/* Talks with a template program: asks it for copies of itself, takes them over, and notices when it is no good any more. */
#include "net/forker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net/loop_internal.h"
#include "net/process_internal.h"

enum {
    READY_MS = 30000,
    ANSWER_MS = 5000,
    STATUS_MS = 200,   /* from the end of its socket to its own */
    LEAVE_MS = 2000,   /* after its socket was ended, until SIGKILL; and once more until its group is killed */
    ASKS_MAX = 256,    /* requests that wait for their copy */
    REQUEST_MAX = 16 * 1024,
    MESSAGE_MAX = 512, /* from the template */
    TEXT_MAX_BYTES = 60 * 1024, /* fits into the pipe: the start does not wait */
    MESSAGES_A_TURN = 64,
    STREAMS = 3,
};

/* The order of life. In LEAVING and KILLED copies may still tell of themselves; END: nobody holds the socket any more. */
enum state { STARTING, READY, LEAVING, KILLED, OVER };

/* One request whose copy has not told of itself. */
struct ask {
    uint32_t id;
    struct process *process; /* counted */
    struct ask *prev, *next;
};

struct forker {
    struct loop *loop;
    struct forker_handlers on;
    void *arg;
    struct process *self;
    enum state state;
    uv_poll_t poll;
    int fd; /* -1: closed */
    bool is_ended; /* the socket; how it ended itself is not known yet */
    struct timer *timer;
    int64_t answer_ms;
    struct ask *asks;
    size_t ask_count;
    uint32_t last_id;
};

static void set_state(struct forker *f, enum state to)
{
    static const unsigned moves[] = { [STARTING] = 1u << READY | 1u << LEAVING | 1u << KILLED | 1u << OVER,
                                      [READY] = 1u << LEAVING | 1u << KILLED | 1u << OVER,
                                      [LEAVING] = 1u << KILLED | 1u << OVER,
                                      [KILLED] = 1u << OVER };

    INVARIANT(f->state != OVER && (moves[f->state] & (1u << to)));
    f->state = to;
}

/* ---- the end ---- */

static void on_poll_closed(uv_handle_t *h)
{
    ref_drop(h->data);
}

static void ask_free(struct forker *f, struct ask *a)
{
    DL_DELETE(f->asks, a);
    f->ask_count--;
    ref_drop(a->process);
    free(a);
}

/* Copies that died before they told of themselves are in its group still, and nobody else's to reap. All of it is dying. */
static void strays_reap(pid_t group)
{
    siginfo_t si;

    if (group > 0)
        while (waitid(P_PGID, (id_t)group, &si, WEXITED) == 0 || errno == EINTR) {
        }
}

/* Nobody holds the socket any more, so that no copy can still come: what was asked for and has not come never will. */
static void over(struct forker *f)
{
    const pid_t group = process_id(f->self);

    set_state(f, OVER);
    timer_stop(f->timer);
    uv_close((uv_handle_t *)&f->poll, on_poll_closed);
    close(f->fd);
    f->fd = -1;
    (void)process_signal_group(f->self, SIGKILL);
    strays_reap(group);
    process_forget(f->self);
    f->self = process_close(f->self, 0);
    while (f->asks) {
        struct process *p = ref_hold(f->asks->process);

        ask_free(f, f->asks);
        process_unstarted(p);
        ref_drop(p);
    }
}

static void tell_end(struct forker *f, enum forker_end end, struct text why)
{
    const struct forker_handlers on = f->on;

    f->on = (struct forker_handlers){ .on_end = NULL };
    if (on.on_end)
        on.on_end(f, end, why, f->arg);
}

/* The program alone, not its group: a copy that is under way comes through, and holds the socket until it has. */
static void end_now(struct forker *f, enum forker_end end, struct text why)
{
    if (f->state >= KILLED)
        return;
    set_state(f, KILLED);
    (void)process_signal(f->self, SIGKILL);
    timer_start(f->timer, LEAVE_MS);
    tell_end(f, end, why);
}

static void on_time(void *arg)
{
    struct forker *f = ref_hold(arg);

    if (f->is_ended)
        end_now(f, FORKER_BROKEN, TEXT("it closed its socket"));
    else if (f->state == STARTING)
        end_now(f, FORKER_BROKEN, TEXT("it was not ready in time"));
    else if (f->state == READY)
        end_now(f, FORKER_BROKEN, TEXT("it hangs"));
    else if (f->state == LEAVING)
        end_now(f, FORKER_BROKEN, TEXT("it does not leave"));
    else
        over(f);
    if (f->is_ended && f->state != OVER)
        over(f);
    ref_drop(f);
}

/* ---- what comes ---- */

static struct ask *ask_find(struct forker *f, const char *id)
{
    char *end;
    const unsigned long wanted = strtoul(id, &end, 10);
    struct ask *a;

    DL_FOREACH (f->asks, a)
        if (a->id == wanted && end != id)
            return a;
    return NULL;
}

/* The clock runs while something is owed, from the last sign of life. */
static void clock_set(struct forker *f)
{
    if (f->state != READY)
        return;
    if (f->asks)
        timer_start(f->timer, f->answer_ms);
    else
        timer_stop(f->timer);
}

static bool is_child(pid_t pid)
{
    siginfo_t si;

    return pid > 0 && waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void on_copy(struct forker *f, struct ask *a, pid_t pid)
{
    struct process *p = ref_hold(a->process);

    ask_free(f, a);
    clock_set(f);
    process_adopt(p, pid);
    ref_drop(p);
}

static void on_refusal(struct forker *f, struct ask *a)
{
    struct process *p = ref_hold(a->process);

    ask_free(f, a);
    clock_set(f);
    process_unstarted(p);
    ref_drop(p);
}

static void on_message(struct forker *f, const char *m, size_t n, pid_t from)
{
    struct ask *a = *m == 'H' || *m == 'N' ? ask_find(f, m + 1) : NULL;
    const bool is_self = from == process_id(f->self);

    if (*m == 'H' && a && !is_self && is_child(from)) {
        on_copy(f, a, from);
    } else if (*m == 'N' && a && is_self) {
        on_refusal(f, a);
    } else if (*m == 'R' && is_self && f->state == STARTING) {
        set_state(f, READY);
        timer_stop(f->timer);
        if (f->on.on_ready)
            f->on.on_ready(f, f->arg);
    } else if ((*m == 'X' || *m == 'C') && is_self) {
        end_now(f, *m == 'X' ? FORKER_UNFIT : FORKER_STALE, text_make(m + 1, n - 1));
    } else if (!(*m == 'R' && is_self && f->state > READY)) {
        end_now(f, FORKER_BROKEN, TEXT("it talks nonsense"));
    }
}

/* Who sent it, as the kernel says. 0: it does not. */
static pid_t sender_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct ucred who;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
            continue;
        memcpy(&who, CMSG_DATA(c), sizeof who);
        return who.pid;
    }
    return 0;
}

/* Length of one message; 0: the end; negative: none now. */
static ssize_t receive(struct forker *f, char text[MESSAGE_MAX], pid_t *from)
{
    /* Descriptors that it might send have no room here, and are thrown away by the kernel. */
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = { .iov_base = text, .iov_len = MESSAGE_MAX - 1 };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    const ssize_t n = recvmsg(f->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    text[n] = '\0';
    *from = sender_of(&m);
    return n;
}

/* All that waits. False at the end of the socket. */
static bool control_read(struct forker *f)
{
    char text[MESSAGE_MAX];
    ssize_t n = 1;
    pid_t from = 0;

    for (int i = 0; n > 0 && i < MESSAGES_A_TURN; i++) {
        n = receive(f, text, &from);
        if (n > 0)
            on_message(f, text, (size_t)n, from);
    }
    return n != 0;
}

static void on_control(uv_poll_t *h, int status, int events)
{
    struct forker *f = ref_hold(h->data);
    const int64_t entered_us = loop_enter();

    (void)status; /* an error is read, too */
    (void)events;
    if (f->state != OVER && !control_read(f)) {
        if (f->state >= LEAVING) {
            over(f);
        } else {
            f->is_ended = true;
            uv_poll_stop(&f->poll);
            timer_start(f->timer, STATUS_MS);
        }
    }
    loop_leave(f->loop, "forker", entered_us);
    ref_drop(f);
}

static void on_self_output(struct process *p, struct text bytes, void *arg)
{
    (void)p;
    (void)bytes;
    end_now(arg, FORKER_UNFIT, TEXT("what it loads writes to standard output"));
}

static void on_self_error(struct process *p, struct text bytes, void *arg)
{
    struct forker *f = arg;

    (void)p;
    if (f->on.on_error)
        f->on.on_error(f, bytes, f->arg);
}

static void on_self_exit(struct process *p, int code, int signum, void *arg)
{
    struct forker *f = ref_hold(arg);
    char why[48];

    (void)p;
    snprintf(why, sizeof why, signum ? "it ended by signal %d" : "it ended with status %d", signum ? signum : code);
    if (f->state != OVER) {
        const bool is_open = control_read(f); /* what it said before its end comes first */

        end_now(f, FORKER_BROKEN, text_of(why));
        if (!is_open)
            over(f);
    }
    ref_drop(f);
}

/* ---- what goes ---- */

static int send_request(struct forker *f, uint32_t id, struct text args, const int ends[STREAMS])
{
    char head[16];
    struct iovec part[2] = { { .iov_base = head, .iov_len = (size_t)snprintf(head, sizeof head, "%u\n", id) },
                             { .iov_base = (char *)args.p, .iov_len = args.n } };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(STREAMS * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct msghdr m = { .msg_iov = part, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(STREAMS * sizeof(int));
    memcpy(CMSG_DATA(c), ends, STREAMS * sizeof(int));
    return sendmsg(f->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -EAGAIN : 0;
}

int forker_fork(struct forker *f, struct process **out, struct text args, const struct process_handlers *on, void *arg)
{
    struct ask *a;
    const char *step;
    int err;

    if (f->state != READY || f->is_ended || f->ask_count >= ASKS_MAX || args.n > REQUEST_MAX)
        return -EAGAIN;
    a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->id = ++f->last_id;
    err = process_prepare(&a->process, f->loop, 0, on, arg, &step);
    if (!err)
        err = send_request(f, a->id, args, process_ends(a->process));
    if (err) {
        process_close(a->process, 0);
        free(a);
        return err;
    }
    DL_APPEND(f->asks, a);
    f->ask_count++;
    if (!timer_is_running(f->timer))
        timer_start(f->timer, f->answer_ms);
    *out = ref_hold(a->process);
    return 0;
}

bool forker_is_ready(const struct forker *f)
{
    return f->state == READY;
}

pid_t forker_id(const struct forker *f)
{
    return f->self ? process_id(f->self) : 0;
}

/* ---- open and close ---- */

static void destroy(void *obj)
{
    struct forker *f = obj;

    timer_free(f->timer);
}

static int control_open(struct forker *f, int *theirs)
{
    const int on = 1;
    int fd[2], err;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
        return -errno;
    *theirs = fcntl(fd[1], F_DUPFD_CLOEXEC, STREAMS); /* above 2, where the streams go */
    close(fd[1]);
    err = *theirs < 0 || setsockopt(fd[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ? -errno : 0;
    if (!err)
        err = uv_poll_init(&f->loop->uv, &f->poll, fd[0]);
    if (err) {
        close(fd[0]);
        return err;
    }
    f->poll.data = ref_hold(f);
    f->fd = fd[0];
    return uv_poll_start(&f->poll, UV_READABLE, on_control);
}

static int program_start(struct forker *f, const struct forker_options *opt, int theirs, const char **step)
{
    static const struct process_handlers handlers = { .on_output = on_self_output, .on_error = on_self_error,
                                                      .on_exit = on_self_exit };
    struct process_options program = opt->program;
    int err;

    program.extra_fd = theirs;
    program.input_max = TEXT_MAX_BYTES;
    err = process_start(&f->self, f->loop, &program, &handlers, f, step);
    if (!err)
        err = process_write(f->self, opt->text);
    if (!err)
        process_input_close(f->self);
    return err == -EPIPE ? 0 : err; /* it has ended already, and on_end tells */
}

/* Of one that was never told to the caller. */
static void abandon(struct forker *f)
{
    if (f->fd >= 0) {
        uv_close((uv_handle_t *)&f->poll, on_poll_closed);
        close(f->fd);
        f->fd = -1;
    }
    f->self = process_close(f->self, 0);
    ref_drop(f);
}

int forker_open(struct forker **out, struct loop *l, const struct forker_options *opt, const struct forker_handlers *on, void *arg,
                const char **step)
{
    struct forker *f = ref_new(sizeof *f, destroy);
    int theirs = -1, err;

    *step = "memory";
    if (!f)
        return -ENOMEM;
    f->loop = l;
    f->on = *on;
    f->arg = arg;
    f->fd = -1;
    f->answer_ms = opt->answer_ms > 0 ? opt->answer_ms : ANSWER_MS;
    err = timer_new(&f->timer, l, on_time, f);
    if (!err) {
        *step = "socket";
        err = control_open(f, &theirs);
    }
    if (!err)
        err = program_start(f, opt, theirs, step);
    if (theirs >= 0)
        close(theirs);
    if (err) {
        abandon(f);
        return err;
    }
    timer_start(f->timer, opt->ready_ms > 0 ? opt->ready_ms : READY_MS);
    *out = f;
    return 0;
}

struct forker *forker_close(struct forker *f)
{
    if (!f)
        return NULL;
    f->on = (struct forker_handlers){ .on_end = NULL };
    if (f->state == STARTING) {
        end_now(f, FORKER_BROKEN, TEXT(""));
    } else if (f->state == READY) {
        set_state(f, LEAVING);
        (void)shutdown(f->fd, SHUT_WR);
        timer_start(f->timer, LEAVE_MS);
    }
    return ref_drop(f);
}
