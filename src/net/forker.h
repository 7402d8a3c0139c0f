/* A template: a program that was started once, has loaded what it needs, and makes a copy of itself for each request. A copy is a
 * child of ours, not of the template (CLONE_PARENT): its end, its group and its number are ours as with process_start, and the end
 * of the template does not touch it. Counted (base/ref.h). Thread: the loop it was started on.
 *
 * The template reads its program text on standard input. Descriptor 3 is a SOCK_SEQPACKET socket; one message a packet:
 *   to the template   ID LF ARGUMENT NUL ARGUMENT NUL ...   with three descriptors (SCM_RIGHTS): the copy's 0, 1 and 2
 *   from it           R                    it is ready
 *                     N ID LF REASON       no copy was made for this request
 *                     C REASON             it is out of date, and wants to be replaced
 *                     X REASON             it cannot serve this program
 *   from a copy       H ID                 here I am; the kernel adds the sender's number. Then it makes its own session, and closes
 *                                          the socket: so the end of the socket tells that no copy is between the two.
 * End of the socket: the template answers what has come, and leaves. */
#pragma once

#include "net/process.h"

struct forker;

enum forker_end {
    FORKER_BROKEN,   /* it ended, hangs, or talks nonsense */
    FORKER_UNFIT,    /* X: the program cannot be served this way */
    FORKER_STALE,    /* C */
};

struct forker_handlers {
    void (*on_ready)(struct forker *f, void *arg);
    void (*on_error)(struct forker *f, struct text bytes, void *arg);  /* its standard error */
    /* It makes no copies any more. Requests that it left are told by on_unstarted of their processes, a little later. */
    void (*on_end)(struct forker *f, enum forker_end end, struct text why, void *arg);
};

struct forker_options {
    struct process_options program;  /* extra_fd and input_max are ours */
    struct text text;                /* its program; at most 60 KiB */
    int64_t ready_ms;                /* until it must be ready; 0 = 30,000 */
    int64_t answer_ms;               /* until a copy must tell of itself; 0 = 5,000 */
};

/* Results as of process_start. */
int forker_open(struct forker **out, struct loop *l, const struct forker_options *opt, const struct forker_handlers *on, void *arg,
                const char **step) MUST_USE;
bool forker_is_ready(const struct forker *f);
pid_t forker_id(const struct forker *f);
/* Asks for a copy with these arguments (texts, each ended by NUL). 0: *out is a process whose number is told later (process_id is 0
 * until then); it may be written to, signalled and closed at once. -EAGAIN: not ready, or too much waits; or as process_start. */
int forker_fork(struct forker *f, struct process **out, struct text args, const struct process_handlers *on, void *arg) MUST_USE;
/* It answers what it was asked, then it leaves, or is killed after a while. Its copies go on. No handler runs any more but those of the
 * processes. NULL passes; returns NULL. */
struct forker *forker_close(struct forker *f);
