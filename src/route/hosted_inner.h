/* What the files of the script host share; nobody else includes this. */
#pragma once

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

/* A process for a call with these arguments: a waiting one, else a new one. 0, or why none could be started, and *step. */
int hosted_pool_take(struct hosted_pool *pool, struct process **out, const struct hosted_args *args, const struct process_handlers *on,
                     void *arg, const char **step) MUST_USE;
const struct hosted_options *hosted_pool_options(const struct hosted_pool *p);
struct loop *hosted_pool_loop(const struct hosted_pool *p);
const struct log *hosted_pool_log(const struct hosted_pool *p);
void hosted_pool_count_kill(struct hosted_pool *p);
