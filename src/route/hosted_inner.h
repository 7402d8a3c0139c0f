/* What the files of the script host share; nobody else includes this. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "net/process.h"
#include "route/hosted.h"

enum { HOSTED_ARGS_MAX = 64, HOSTED_ARGS_BYTES = 8192 };

/* One script's arguments: texts, each ended by NUL, side by side. Equal lists have equal bytes. */
struct hosted_args {
    char bytes[HOSTED_ARGS_BYTES];
    size_t n;
    unsigned count;
    bool cut;           /* there were more than fit */
};

void hosted_args_clear(struct hosted_args *a);
void hosted_args_add(struct hosted_args *a, struct text value);
bool hosted_args_equal(const struct hosted_args *a, const struct hosted_args *b);
/* The arguments that Asterisk sent: the lines behind the last agi_threadid, since a caller's name can only forge lines before it. */
void hosted_args_take(struct hosted_args *a, const struct agi_env *env);

/* The template of a route's Python script (start = fork). */
struct hosted_fork;

/* NULL env, cwd and fence as for processes. 0, -ENOMEM. The options outlive it. */
int hosted_fork_open(struct hosted_fork **out, struct loop *l, const struct hosted_options *opt, const struct log *log,
                     struct hosted_figures *figures) MUST_USE;
/* Starts the template on the loop's next turn; again, when there is one: it is replaced (a reload). */
void hosted_fork_renew(struct hosted_fork *f);
/* A copy of the template for a call; negative: start a process. */
int hosted_fork_take(struct hosted_fork *f, struct process **out, const struct hosted_args *args, const struct process_handlers *on,
                     void *arg) MUST_USE;
void hosted_fork_close(struct hosted_fork *f); /* NULL passes */

/* Which file it was: a changed script is started afresh. */
struct hosted_version {
    struct timespec mtime;
    ino_t ino;
    off_t size;
};

struct hosted_version hosted_version_of(const char *path);
bool hosted_version_equal(const struct hosted_version *a, const struct hosted_version *b);

/* A process for a call with these arguments: a waiting one, else a new one. 0, or why none could be started, and *step. */
int hosted_pool_take(struct hosted_pool *pool, struct process **out, const struct hosted_args *args, const struct process_handlers *on,
                     void *arg, const char **step) MUST_USE;
/* Starts a process in place of a copy that could not be made (on_unstarted). */
int hosted_pool_launch(struct hosted_pool *pool, struct process *p, const struct hosted_args *args, const char **step) MUST_USE;
const struct hosted_options *hosted_pool_options(const struct hosted_pool *p);
struct loop *hosted_pool_loop(const struct hosted_pool *p);
const struct log *hosted_pool_log(const struct hosted_pool *p);
void hosted_pool_count_kill(struct hosted_pool *p);
