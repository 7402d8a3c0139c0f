/* A child program: its three standard streams as pipes, a session and process group of its own, watched by the loop until it is
 * gone. No child ever stays behind as a zombie. Counted (base/ref.h). Thread: the loop it was started on.
 * Handlers never run from inside a call you make; none runs after process_close. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/text.h"
#include "net/fence.h"
#include "net/loop.h"

struct process;

struct process_handlers {
    void (*on_output)(struct process *p, struct text bytes, void *arg);      /* what it wrote; borrowed for the call */
    void (*on_output_end)(struct process *p, void *arg);                     /* nobody holds its standard output any more */
    void (*on_error)(struct process *p, struct text bytes, void *arg);       /* standard error; may come after on_exit */
    void (*on_drain)(struct process *p, void *arg);                          /* all that was written has been taken */
    /* It ended: exit code, or the signal that ended it (then code is -1). Output may still follow. */
    void (*on_exit)(struct process *p, int code, int signal, void *arg);
    /* Of forker_fork alone: the template could not make it. Nothing has run; process_launch may still start it, or it is closed. */
    void (*on_unstarted)(struct process *p, void *arg);
};

struct process_options {
    const char *const *argv;      /* argv[0] is the path that is started; NULL ends it */
    const char *const *env;       /* all of its environment; NULL ends it */
    const char *cwd;              /* NULL: ours */
    const struct fence *fence;    /* NULL: none */
    size_t input_max;             /* ceiling of unread input, bytes; 0 = 256 KiB */
    int death_signal;             /* sent when this thread ends; 0: none */
    int extra_fd;                 /* becomes the program's descriptor 3; 0: none */
};

/* 0, or why it could not be started (-ENOENT, -EACCES, -ENOEXEC, -EMFILE, -EAGAIN, -EPERM...); *step (may be NULL) names what failed.
 * SIGPIPE and all others are at their defaults in the child. */
int process_start(struct process **out, struct loop *l, const struct process_options *opt, const struct process_handlers *on,
                  void *arg, const char **step) MUST_USE;
/* Starts what on_unstarted told of, behind the same streams. Results as of process_start; p stays the caller's. */
int process_launch(struct process *p, const struct process_options *opt, const char **step) MUST_USE;
void process_handle(struct process *p, const struct process_handlers *on, void *arg);
/* All or nothing. 0; -ENOBUFS when the ceiling would be passed; -EPIPE when it reads no more; -ENOMEM. */
int process_write(struct process *p, struct text t) MUST_USE;
size_t process_queued(const struct process *p);
void process_input_close(struct process *p);  /* after what waits */
/* Stops and restarts taking its standard output: it then blocks in its write. */
void process_pause(struct process *p);
void process_resume(struct process *p);
/* To the program alone, or to all of its group. 0, -ESRCH. Safe after its end: its number is held until process_close. */
int process_signal(struct process *p, int signum);
int process_signal_group(struct process *p, int signum);
bool process_has_ended(const struct process *p);
pid_t process_id(const struct process *p);      /* 0: not started yet */
/* Closes the pipes; whatever of it still runs after grace_ms (0: now) is killed as a group, except that a program which has
 * ended by itself keeps what it left in the background. Drops the caller's reference. NULL passes; returns NULL. */
struct process *process_close(struct process *p, int64_t grace_ms);
