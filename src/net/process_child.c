/* The steps between a copy of ourselves and another program. */
#include "net/process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_BYTES = 128 * 1024, CALL_FAILED = 127, EXTRA_FD = 3 };

/* Its stack is thrown away in the middle of a call: a sanitizer's marks on it would stay for whoever gets the memory next. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

/* From here to child_main the code runs in the child, in our memory, while the thread that started it stands still: system
 * calls only. setgroups and the like of the C library would ask all threads (ours!) to follow, hence the bare calls. */
#define STEP(name, call)                                                                                                       \
    do {                                                                                                                       \
        if ((call) < 0) {                                                                                                      \
            plan->step = (name);                                                                                               \
            return -errno;                                                                                                     \
        }                                                                                                                      \
    } while (0)

IN_CHILD static int streams_set(struct child_plan *plan)
{
    /* A descriptor that is in its place already (dup3 refuses it) only has to outlive exec. */
    for (int i = 0; i < 3; i++)
        STEP("dup", plan->fds[i] == i ? syscall(SYS_fcntl, i, F_SETFD, 0) : syscall(SYS_dup3, plan->fds[i], i, 0));
    if (plan->extra)
        STEP("dup", plan->extra == EXTRA_FD ? syscall(SYS_fcntl, EXTRA_FD, F_SETFD, 0) : syscall(SYS_dup3, plan->extra, EXTRA_FD, 0));
    /* Everything else goes with exec: descriptors that a library opened without O_CLOEXEC too. */
    STEP("close_range", syscall(SYS_close_range, plan->extra ? EXTRA_FD + 1u : EXTRA_FD + 0u, ~0u, CLOSE_RANGE_CLOEXEC));
    return 0;
}

/* The kernel's set of signals, not the C library's larger one. */
enum { KERNEL_SIGSET = 8 };

/* The kernel's own call, with its own form of struct sigaction (all zero: the default, no flags, an empty mask): the C library's would
 * pass through the thread sanitizer, whose table of handlers is our parent's too, and SIGTERM would never be heard again. */
IN_CHILD static void signals_reset(const struct child_plan *plan)
{
    for (int s = 1; s < NSIG; s++)
        (void)syscall(SYS_rt_sigaction, s, plan->standard, NULL, KERNEL_SIGSET);
}

IN_CHILD static int user_change(struct child_plan *plan, const struct fence *f)
{
    STEP("setgroups", syscall(SYS_setgroups, f->group_count, f->groups));
    STEP("setresgid", syscall(SYS_setresgid, f->gid, f->gid, f->gid));
    STEP("setresuid", syscall(SYS_setresuid, f->uid, f->uid, f->uid));
    return 0;
}

/* In this order: limits and user need rights that the later ones take away. */
IN_CHILD static int fence_enter(struct child_plan *plan, const struct fence *f)
{
    int err;

    for (int i = 0; i < f->limit_count; i++)
        STEP("setrlimit", syscall(SYS_prlimit64, 0, f->limits[i].what, &f->limits[i].value, NULL));
    if (f->has_user) {
        err = user_change(plan, f);
        if (err)
            return err;
    }
    return 0;
}

IN_CHILD static int guard_enter(struct child_plan *plan, const struct fence *f)
{
    if (f->guard)
        STEP("no_new_privs", syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (f->landlock >= 0)
        STEP("landlock", syscall(SYS_landlock_restrict_self, f->landlock, 0));
    if (f->calls.len)
        STEP("seccomp", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->calls));
    return 0;
}

IN_CHILD static int child_steps(struct child_plan *plan)
{
    int err;

    STEP("setsid", syscall(SYS_setsid));
    signals_reset(plan);
    err = plan->fence ? fence_enter(plan, plan->fence) : 0;
    if (err)
        return err;
    if (plan->death_signal) /* after the change of user, which clears it */
        STEP("pdeathsig", syscall(SYS_prctl, PR_SET_PDEATHSIG, plan->death_signal, 0, 0, 0));
    if (syscall(SYS_getppid) != plan->parent) {
        plan->step = "the starter is gone";
        return -ESRCH;
    }
    if (plan->cwd)
        STEP("chdir", syscall(SYS_chdir, plan->cwd));
    err = streams_set(plan);
    if (!err && plan->fence)
        err = guard_enter(plan, plan->fence);
    if (err)
        return err;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, plan->none, NULL, KERNEL_SIGSET);
    plan->step = "exec";
    (void)syscall(SYS_execve, plan->argv[0], plan->argv, plan->env);
    return -errno;
}

IN_CHILD static int child_main(void *arg)
{
    struct child_plan *plan = arg;

    plan->err = child_steps(plan);
    for (;;) /* not _exit: a sanitizer would tidy up a stack that is not the thread's */
        (void)syscall(SYS_exit_group, CALL_FAILED);
    return 0;
}

/* ---- in the parent ---- */

int child_start(struct child_plan *plan, pid_t *pid, int *pidfd)
{
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    sigset_t all, before;
    int fd = -1, child, err, status;

    plan->step = "clone";
    if (stack == MAP_FAILED)
        return -errno;
    plan->err = 0;
    plan->parent = getpid();
    memset(plan->standard, 0, sizeof plan->standard);
    memset(plan->none, 0, sizeof plan->none);
    /* A handler of ours must not run in the child: it would write to our pipes. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    child = clone(child_main, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, plan, &fd);
    err = child < 0 ? -errno : plan->err;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK_BYTES);
    if (child > 0 && err) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        close(fd);
    }
    if (err)
        return err;
    *pid = child;
    *pidfd = fd;
    return 0;
}
