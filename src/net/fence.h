/* What a child program may do: limits, user, files and system calls, prepared once here and applied in each child before it
 * becomes the program. Nothing of it can be taken back by the child. Any thread may start children with one fence. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct fence;

struct fence_options {
    const char *user;                 /* name; NULL: ours. Needs root */
    int64_t memory_bytes;             /* address space of each process (RLIMIT_AS); 0: as ours */
    int64_t cpu_s;                    /* processor time of each process; 0: as ours */
    int64_t open_files;               /* 0: as ours */
    int64_t processes;                /* of the user, all that it runs together, threads counted; 0: as ours. Needs a user of its own, not root */
    bool guard;                       /* no_new_privs, and calls that no script needs fail: ptrace, mount, bpf, module loading... */
    bool read_only;                   /* landlock: nothing is written but what write names; implies guard */
    const char *const *read;          /* with read_only: paths that may be read beside the system's own; NULL: all */
    size_t read_count;
    const char *const *write;
    size_t write_count;
};

/* 0; -ENOENT (no such user or path), -EPERM (not root), -EOPNOTSUPP (this kernel has no landlock), -EINVAL, -ENOMEM: then problem
 * holds one sentence. */
int fence_new(struct fence **out, const struct fence_options *opt, char *problem, size_t problem_size) MUST_USE;
void fence_free(struct fence *f);     /* NULL passes; children that run keep theirs */
/* What the kernel offers: 0 when it has no landlock. */
int fence_landlock_abi(void);
