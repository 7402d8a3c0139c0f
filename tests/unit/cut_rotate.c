/* `sidetone rotate`, killed before the CUT_BEFORE-th of those calls that change files or tell Asterisk something; or FAIL_AT: this one fails,
 * as on a full disk (tests/e2e/test_rotate_cut.py). With a number beyond the last one it ends as ever. usage: cut_rotate rotate NODE ... */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* Does this call fail? */
static bool step(void)
{
    static long done;
    const char *before = getenv("CUT_BEFORE"), *fails = getenv("FAIL_AT");

    done++;
    if (before && done == strtol(before, NULL, 10))
        (void)raise(SIGKILL);
    return fails && done == strtol(fails, NULL, 10);
}

static int full(void)
{
    errno = ENOSPC;
    return -1;
}

/* The linker's --wrap puts these in place of the C library's. */
#define CUT(name, types, names, failure) \
    int __real_##name types; \
    int __wrap_##name types; \
    int __wrap_##name types \
    { \
        return step() ? failure : __real_##name names; \
    }

CUT(rename, (const char *from, const char *to), (from, to), full())
CUT(link, (const char *from, const char *to), (from, to), full())
CUT(unlink, (const char *path), (path), full())
CUT(fsync, (int fd), (fd), full())
CUT(posix_spawnp, (pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr, char *const argv[],
                   char *const env[]), (pid, file, actions, attr, argv, env), ENOSPC)

int main(int argc, char **argv)
{
    return cmd_rotate(argc - 1, argv + 1);
}
