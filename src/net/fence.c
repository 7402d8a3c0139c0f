/* Prepares what a child program may do: a user, limits, a landlock ruleset, a list of refused system calls. */
#include "net/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/process_internal.h"

/* Of linux/landlock.h, which is older than the kernels we meet. */
enum {
    LANDLOCK_VERSION = 1 << 0,
    LANDLOCK_PATH_BENEATH = 1,
    LANDLOCK_SCOPE = 1 << 0 | 1 << 1, /* abstract sockets and signals reach nobody outside: ABI 6 */
};
static const uint64_t fs_execute = 1u << 0, fs_write = 1u << 1, fs_read = 1u << 2, fs_list = 1u << 3, fs_truncate = 1u << 14;

struct landlock_rules {
    uint64_t fs, net, scoped;
};

struct landlock_path {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static int say(char *out, size_t size, int err, const char *fmt, ...) PRINTF_LIKE(4, 5);
static int say(char *out, size_t size, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(out, size, fmt, ap);
    va_end(ap);
    return err;
}

/* ---- user and limits ---- */

static int user_find(struct fence *f, const char *name, char *problem, size_t size)
{
    struct passwd entry, *found = NULL;
    char store[4096];

    if (getpwnam_r(name, &entry, store, sizeof store, &found) != 0 || !found)
        return say(problem, size, -ENOENT, "there is no user %s", name);
    if (found->pw_uid == geteuid())
        return 0;
    if (geteuid() != 0)
        return say(problem, size, -EPERM, "only root can run scripts as another user (%s)", name);
    f->has_user = true;
    f->uid = found->pw_uid;
    f->gid = found->pw_gid;
    f->group_count = FENCE_GROUPS_MAX;
    if (getgrouplist(name, f->gid, f->groups, &f->group_count) < 0)
        return say(problem, size, -EINVAL, "the user %s is in more than %d groups", name, (int)FENCE_GROUPS_MAX);
    return 0;
}

static void limit_add(struct fence *f, int what, int64_t soft, int64_t hard)
{
    f->limits[f->limit_count].what = what;
    f->limits[f->limit_count++].value = (struct rlimit){ .rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard };
}

static void limits_add(struct fence *f, const struct fence_options *opt)
{
    limit_add(f, RLIMIT_CORE, 0, 0); /* a core would hold callers' data */
    if (opt->memory_bytes > 0)
        limit_add(f, RLIMIT_AS, opt->memory_bytes, opt->memory_bytes);
    if (opt->cpu_s > 0)
        limit_add(f, RLIMIT_CPU, opt->cpu_s, opt->cpu_s + 1); /* SIGXCPU first, SIGKILL for who catches it */
    if (opt->open_files > 0)
        limit_add(f, RLIMIT_NOFILE, opt->open_files, opt->open_files);
    if (opt->processes > 0)
        limit_add(f, RLIMIT_NPROC, opt->processes, opt->processes);
}

/* ---- system calls ---- */

/* What no AGI script needs, and what is needed to get out of a fence or to harm the machine. A name that this kernel's table
 * lacks is skipped. */
static const char *const refused[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "pidfd_getfd",
    "process_madvise",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "open_by_handle_at",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "keyctl",
    "add_key",
    "request_key",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "vhangup",
    "lookup_dcookie",
    "nfsservctl",
    "vm86",
    "vm86old",
    "modify_ldt",
};

static int calls_list(scmp_filter_ctx ctx)
{
    /* A 32-bit program must not be the way around the list. */
    (void)seccomp_arch_add(ctx, SCMP_ARCH_X86);
    (void)seccomp_arch_add(ctx, SCMP_ARCH_X32);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const int call = seccomp_syscall_resolve_name(refused[i]);

        if (call != __NR_SCMP_ERROR && seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 0) == -ENOMEM)
            return -ENOMEM;
    }
    /* The flags of clone3 are in memory, out of a filter's sight: libraries fall back to clone, whose are not. */
    if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name("clone3"), 0))
        return -EINVAL;
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
}

static int calls_read(struct fence *f, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size / (off_t)sizeof(struct sock_filter) > UINT16_MAX)
        return -EINVAL;
    f->calls.filter = malloc((size_t)st.st_size);
    if (!f->calls.filter)
        return -ENOMEM;
    if (pread(fd, f->calls.filter, (size_t)st.st_size, 0) != st.st_size)
        return -EIO;
    f->calls.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
    return 0;
}

static int calls_compile(struct fence *f, char *problem, size_t size)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    const int fd = memfd_create("calls", MFD_CLOEXEC);
    int err = ctx && fd >= 0 ? calls_list(ctx) : -ENOMEM;

    if (!err)
        err = seccomp_export_bpf(ctx, fd);
    if (!err)
        err = calls_read(f, fd);
    if (fd >= 0)
        close(fd);
    if (ctx)
        seccomp_release(ctx);
    return err ? say(problem, size, err, "the list of refused system calls cannot be made") : 0;
}

/* ---- files ---- */

int fence_landlock_abi(void)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

/* The rights of files that this ABI knows (linux/landlock.h: 13 in the first, then refer, truncate, and ioctl in the fifth). */
static uint64_t rights_of(int abi)
{
    const unsigned known = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;

    return (UINT64_C(1) << known) - 1;
}

static int path_allow(const struct fence *f, const char *path, uint64_t rights)
{
    const int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path rule = { .fd = fd };
    struct stat st;
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rights &= fs_execute | fs_write | fs_read | fs_truncate | (UINT64_C(1) << 15);
    rule.allowed = rights;
    if (syscall(SYS_landlock_add_rule, f->landlock, LANDLOCK_PATH_BENEATH, &rule, 0) < 0)
        err = -errno;
    close(fd);
    return err;
}

static int paths_allow(const struct fence *f, const char *const *paths, size_t count, uint64_t rights, char *problem,
                       size_t size)
{
    for (size_t i = 0; i < count; i++) {
        const int err = path_allow(f, paths[i], rights);

        if (err)
            return say(problem, size, err, "%s: %s", paths[i], err_text(err));
    }
    return 0;
}

/* Interpreters, their libraries and what they look at when they start. Some may be missing. */
static void system_allow(const struct fence *f, uint64_t rights)
{
    static const char *const paths[] = { "/usr",    "/bin", "/sbin", "/lib", "/lib32", "/lib64",
                                         "/libx32", "/etc", "/proc", "/dev", "/opt" };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        (void)path_allow(f, paths[i], rights);
}

static int files_limit(struct fence *f, const struct fence_options *opt, char *problem, size_t size)
{
    static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/tty" };
    const int abi = fence_landlock_abi();
    const uint64_t all = rights_of(abi), look = (fs_execute | fs_read | fs_list) & all;
    const struct landlock_rules rules = { .fs = all, .scoped = abi >= 6 ? LANDLOCK_SCOPE : 0 };
    static const char *const root[] = { "/" };
    int err;

    if (abi < 1)
        return say(problem, size, -EOPNOTSUPP, "this kernel has no landlock, so files cannot be guarded");
    f->landlock = (int)syscall(SYS_landlock_create_ruleset, &rules, abi >= 6 ? sizeof rules : sizeof rules.fs, 0);
    if (f->landlock < 0)
        return say(problem, size, -errno, "landlock: %s", err_text(-errno));
    if (opt->read_count)
        system_allow(f, look);
    err = paths_allow(f, opt->read_count ? opt->read : root, opt->read_count ? opt->read_count : 1, look, problem, size);
    if (!err)
        err = paths_allow(f, opt->write, opt->write_count, all, problem, size);
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        (void)path_allow(f, devices[i], (fs_write | fs_read | fs_truncate) & all);
    return err;
}

/* ---- */

int fence_new(struct fence **out, const struct fence_options *opt, char *problem, size_t problem_size)
{
    struct fence *f = calloc(1, sizeof *f);
    int err = 0;

    if (!f)
        return say(problem, problem_size, -ENOMEM, "out of memory");
    f->landlock = -1;
    f->guard = opt->guard || opt->read_only;
    limits_add(f, opt);
    if (opt->user)
        err = user_find(f, opt->user, problem, problem_size);
    /* The kernel counts by user: ours has the daemon's threads in it, and root is not counted at all. */
    if (!err && opt->processes > 0 && (!f->has_user || f->uid == 0))
        err = say(problem, problem_size, -EINVAL, "a ceiling of processes needs a user of its own, neither root nor the daemon's");
    if (!err && f->guard)
        err = calls_compile(f, problem, problem_size);
    if (!err && opt->read_only)
        err = files_limit(f, opt, problem, problem_size);
    if (err) {
        fence_free(f);
        return err;
    }
    *out = f;
    return 0;
}

void fence_free(struct fence *f)
{
    if (!f)
        return;
    if (f->landlock >= 0)
        close(f->landlock);
    free(f->calls.filter);
    free(f);
}
