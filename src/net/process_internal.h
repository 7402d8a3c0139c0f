/* What the files of child programs share: the plan that a child follows between clone and exec. */
#pragma once

#include <linux/filter.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "net/fence.h"

enum { FENCE_GROUPS_MAX = 64, FENCE_LIMITS_MAX = 4 };

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
