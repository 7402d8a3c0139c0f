/* What the files of child programs share: the plan that a child follows between clone and exec. */
#pragma once

#include <linux/filter.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "net/fence.h"
#include "net/process.h"

enum { FENCE_GROUPS_MAX = 64, FENCE_LIMITS_MAX = 5 };

struct fence {
    bool has_user;
    uid_t uid;
    gid_t gid;
    gid_t groups[FENCE_GROUPS_MAX];
    int group_count;
    struct {
        int what;
        struct rlimit value;
    } limits[FENCE_LIMITS_MAX];
    int limit_count;
    bool guard;
    struct sock_fprog calls;      /* compiled list of refused system calls */
    int landlock;                 /* ruleset; -1: none */
};

/* Everything the child needs, made before: it shares our memory and may neither allocate nor lock. */
struct child_plan {
    char *const *argv, *const *env;
    const char *cwd;
    int fds[3];                   /* become 0, 1, 2; all of them above 2 */
    int extra;                    /* becomes 3; 0: none */
    const struct fence *fence;    /* may be NULL */
    int death_signal;
    pid_t parent;
    unsigned long standard[8];    /* the kernel's struct sigaction and set of signals; here, not on its stack: see IN_CHILD */
    unsigned long none[2];
    /* what it says when it fails */
    int err;
    const char *step;
};

/* Returns once the child has become its program. 0: *pid and *pidfd; otherwise negative, with plan->step, and no child is left. */
int child_start(struct child_plan *plan, pid_t *pid, int *pidfd);

/* A process in two steps, for a program that a template makes (forker.c). Until the second, what is written waits in the pipe and
 * signals wait, too. */
int process_prepare(struct process **out, struct loop *l, size_t input_max, const struct process_handlers *on, void *arg,
                    const char **step) MUST_USE;
const int *process_ends(const struct process *p); /* the program's descriptors 0, 1 and 2 */
void process_adopt(struct process *p, pid_t pid); /* it runs: pid is an unreaped child of ours. May call on_exit */
void process_unstarted(struct process *p);        /* it will not: on_unstarted, unless p is closed */
void process_forget(struct process *p);           /* its end was waited for elsewhere: its number is nobody's any more */
