/* Unmodified AGI scripts behind agi:// routes: one process beside one session. The script reads its environment and the replies on
 * standard input and writes commands to standard output, as under AGI(). Thread: its loop. docs/scripts.md tells what differs. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/hist.h"
#include "net/fence.h"
#include "net/loop.h"
#include "pbx/agi_session.h"
#include "route/script.h"

struct hosted;       /* one call */
struct hosted_pool;  /* what calls of one route on one loop share: the fence, and the processes that were started ahead */

struct hosted_options {
    const char *name;               /* of the route, for the log */
    const char *path;               /* absolute */
    const char *request;            /* what the script sees as agi_request; NULL: path */
    const char *args;               /* arguments that warm processes get, separated by commas; NULL: those of recent calls */
    const char *const *env;         /* all of the script's environment; NULL ends it; outlives the pool */
    const char *cwd;                /* NULL: ours */
    size_t warm;                    /* processes that wait, started ahead; 0: none */
    int64_t warm_max_age_ms;        /* older ones are replaced, templates too; 0 = 10 minutes */
    bool fork;                      /* calls are copies of a template process that has loaded what the (Python) script imports */
    const char *preload;            /* more modules for the template, separated by commas; NULL: none */
    struct fence_options fence;
};

struct hosted_figures {
    uint64_t calls;                 /* scripts that ran */
    uint64_t warm;                  /* of them: with a process that was waiting */
    uint64_t cold_args;             /* no warm one fitted the call's arguments */
    uint64_t cold_empty;            /* all warm ones were taken */
    uint64_t cold_intolerant;       /* the script does not wait for its input */
    uint64_t started, aged, stale;  /* processes: all that were started; replaced for age; replaced because the file had changed */
    uint64_t forked;                /* calls that ran as a copy of a template */
    uint64_t fork_missed;           /* that should have, and got a process of their own */
    uint64_t templates;             /* that became ready */
    uint64_t killed;                /* over a limit, or at the deadline */
    size_t ready;                   /* waiting now */
    pid_t template_id;              /* 0: none is ready */
};

/* -EINVAL and a line to problem when the route cannot work (a fence that cannot be made). */
int hosted_pool_open(struct hosted_pool **out, struct loop *l, const struct hosted_options *opt, const struct log *log,
                     void (*problem)(const char *line, void *arg), void *arg) MUST_USE;
void hosted_pool_figures(const struct hosted_pool *p, struct hosted_figures *out);
/* Templates are started again, for what has changed on disk; calls that run are not touched. */
void hosted_pool_reload(struct hosted_pool *p);
/* No script of it may be running; those that wait are killed. NULL passes. */
void hosted_pool_close(struct hosted_pool *p);

/* The run takes the session's handlers; on_done runs once, last, when the session is closed. A script that cannot be started ends
 * with ERROR, too. Everything from now on ends at deadline_ms. Negative: nothing was taken. */
int hosted_run(struct hosted **out, struct hosted_pool *pool, struct agi_session *session, struct text call_id, int64_t deadline_ms,
               struct hist *command_hist, script_on_done *on_done, void *arg) MUST_USE;
/* Ends with ERROR, reason "shutdown"; on_done follows. */
void hosted_stop(struct hosted *h);
