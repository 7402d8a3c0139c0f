/* Starts scripts: ahead of calls, so that they wait in their first read, or when a call comes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/clock.h"
#include "route/hosted_inner.h"

enum {
    TICK_MS = 1000,  /* how often ages are looked at */
    STEP_MS = 1,     /* between two starts: each holds the loop until the child is its own */
    RETRY_MS = 5000, /* after a start that failed, or a waiting process that was killed */
    WARM_MAX_AGE_MS = 600000,
    RELEARN = 3,        /* calls in a row with the same other arguments, until warm processes get those */
    WARM_LOGS_MAX = 20, /* lines of a waiting process's standard error */
};

struct warm {
    struct hosted_pool *pool;
    struct process *process;
    int64_t born_ms;
    struct hosted_version version;
    unsigned logs;
    bool is_mute; /* it closed its output: no call could talk through it */
    struct warm *prev, *next;
};

struct hosted_pool {
    struct loop *loop;
    struct hosted_options opt;
    struct log log;
    struct fence *fence;
    struct hosted_fork *fork; /* NULL: not asked for */
    struct timer *timer;
    struct warm *list;       /* oldest first */
    struct hosted_args args; /* of those that wait */
    struct hosted_args missed;
    unsigned misses; /* calls in a row with the arguments `missed` */
    bool is_fixed;   /* the route names the arguments */
    bool is_intolerant;
    int64_t retry_ms; /* nothing is started ahead before */
    struct hosted_figures figures;
};

const struct hosted_options *hosted_pool_options(const struct hosted_pool *p)
{
    return &p->opt;
}

struct loop *hosted_pool_loop(const struct hosted_pool *p)
{
    return p->loop;
}

const struct log *hosted_pool_log(const struct hosted_pool *p)
{
    return &p->log;
}

void hosted_pool_count_kill(struct hosted_pool *p)
{
    p->figures.killed++;
}

void hosted_pool_figures(const struct hosted_pool *p, struct hosted_figures *out)
{
    *out = p->figures;
}

struct hosted_version hosted_version_of(const char *path)
{
    struct hosted_version v = { .size = -1 };
    struct stat st;

    if (stat(path, &st) == 0)
        v = (struct hosted_version){ .mtime = st.st_mtim, .ino = st.st_ino, .size = st.st_size };
    return v;
}

bool hosted_version_equal(const struct hosted_version *a, const struct hosted_version *b)
{
    return a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static void argv_set(const struct hosted_pool *p, const struct hosted_args *args, const char *argv[HOSTED_ARGS_MAX + 2])
{
    const char *at = args->bytes;

    argv[0] = p->opt.path;
    for (unsigned i = 0; i < args->count; i++, at += strlen(at) + 1)
        argv[i + 1] = at;
    argv[args->count + 1] = NULL;
}

static int start(struct hosted_pool *p, struct process **out, const struct hosted_args *args, int death_signal,
                 const struct process_handlers *on, void *arg, const char **step)
{
    const char *argv[HOSTED_ARGS_MAX + 2];
    const struct process_options opt = {
        .argv = argv, .env = p->opt.env, .cwd = p->opt.cwd, .fence = p->fence, .death_signal = death_signal
    };
    int err;

    argv_set(p, args, argv);
    err = process_start(out, p->loop, &opt, on, arg, step);
    p->figures.started += !err;
    return err;
}

int hosted_pool_launch(struct hosted_pool *p, struct process *process, const struct hosted_args *args, const char **step)
{
    const char *argv[HOSTED_ARGS_MAX + 2];
    const struct process_options opt = {
        .argv = argv, .env = p->opt.env, .cwd = p->opt.cwd, .fence = p->fence, .death_signal = SIGHUP
    };
    int err;

    p->figures.forked--;
    p->figures.fork_missed++;
    argv_set(p, args, argv);
    err = process_launch(process, &opt, step);
    p->figures.started += !err;
    return err;
}

/* ---- those that wait ---- */

/* Killed before its input ends: an end of input would let it run without a call. */
static void warm_end(struct warm *w)
{
    struct hosted_pool *p = w->pool;

    DL_DELETE(p->list, w);
    p->figures.ready--;
    w->process = process_close(w->process, 0);
    free(w);
}

static void warm_end_all(struct hosted_pool *p)
{
    while (p->list)
        warm_end(p->list);
}

static void intolerant(struct hosted_pool *p, const char *why, int code)
{
    p->is_intolerant = true;
    log_warn(&p->log, "script_not_warm", kv_str("route", p->opt.name), kv_str("script", p->opt.path), kv_str("why", why),
             kv_int("exit", code), kv_str("next", "it is started when a call comes"));
    warm_end_all(p);
}

static void on_warm_output(struct process *process, struct text bytes, void *arg)
{
    struct warm *w = arg;

    (void)process;
    (void)bytes;
    intolerant(w->pool, "it writes before it has read its environment", 0);
}

static void on_warm_output_end(struct process *process, void *arg)
{
    (void)process;
    ((struct warm *)arg)->is_mute = true; /* most likely its end, which tells why */
}

static void on_warm_exit(struct process *process, int code, int signum, void *arg)
{
    struct warm *w = arg;
    struct hosted_pool *p = w->pool;

    (void)process;
    if (signum == 0) {
        intolerant(p, "it ends before it has read its environment", code);
        return;
    }
    log_warn(&p->log, "script_warm_lost", kv_str("route", p->opt.name), kv_int("signal", signum));
    p->retry_ms = loop_now_ms(p->loop) + RETRY_MS;
    warm_end(w);
}

static void on_warm_error(struct process *process, struct text bytes, void *arg)
{
    struct warm *w = arg;

    (void)process;
    if (w->logs++ < WARM_LOGS_MAX)
        log_info(&w->pool->log, "script_stderr", kv_str("route", w->pool->opt.name), kv_str("call", "-"),
                 kv_text("line", text_head(text_trim(bytes), 400)));
}

static int warm_start(struct hosted_pool *p)
{
    static const struct process_handlers handlers = {
        .on_output = on_warm_output, .on_output_end = on_warm_output_end, .on_error = on_warm_error, .on_exit = on_warm_exit
    };
    struct warm *w = calloc(1, sizeof *w);
    const char *step;
    int err;

    if (!w)
        return -ENOMEM;
    w->pool = p;
    w->born_ms = loop_now_ms(p->loop);
    w->version = hosted_version_of(p->opt.path);
    err = start(p, &w->process, &p->args, SIGKILL, &handlers, w, &step);
    if (err) {
        log_warn(&p->log, "script_start", kv_str("route", p->opt.name), kv_str("script", p->opt.path), kv_str("step", step),
                 kv_err(err));
        free(w);
        return err;
    }
    DL_APPEND(p->list, w);
    p->figures.ready++;
    return 0;
}

static void warm_end_old(struct hosted_pool *p)
{
    const int64_t now_ms = loop_now_ms(p->loop);

    while (p->list && now_ms - p->list->born_ms >= p->opt.warm_max_age_ms) {
        warm_end(p->list);
        p->figures.aged++;
    }
}

static int64_t tick_ms(const struct hosted_pool *p)
{
    return p->opt.warm_max_age_ms < 4 * TICK_MS ? p->opt.warm_max_age_ms / 4 + 1 : TICK_MS;
}

static void on_tick(void *arg)
{
    struct hosted_pool *p = arg;
    bool more;

    if (p->is_intolerant)
        return;
    warm_end_old(p);
    more = p->figures.ready < p->opt.warm && loop_now_ms(p->loop) >= p->retry_ms;
    if (more && warm_start(p)) {
        p->retry_ms = loop_now_ms(p->loop) + RETRY_MS;
        more = false;
    }
    timer_start(p->timer, more && p->figures.ready < p->opt.warm ? STEP_MS : tick_ms(p));
}

/* ---- for a call ---- */

/* Without arguments in the configuration, those that come again and again are learned. */
static void learn(struct hosted_pool *p, const struct hosted_args *args)
{
    if (p->is_fixed || args->cut)
        return;
    p->misses = hosted_args_equal(args, &p->missed) ? p->misses + 1 : 1;
    p->missed = *args;
    if (p->misses < RELEARN)
        return;
    p->args = *args;
    p->misses = 0;
    warm_end_all(p);
    timer_start(p->timer, STEP_MS);
}

static void drop_unfit(struct hosted_pool *p)
{
    const struct hosted_version now = hosted_version_of(p->opt.path);

    while (p->list && (p->list->is_mute || !hosted_version_equal(&p->list->version, &now))) {
        p->figures.stale += !p->list->is_mute;
        warm_end(p->list);
        timer_start(p->timer, STEP_MS);
    }
}

/* The oldest that waits, or NULL. */
static struct warm *choose(struct hosted_pool *p, const struct hosted_args *args)
{
    if (p->opt.warm == 0)
        return NULL;
    if (p->is_intolerant) {
        p->figures.cold_intolerant++;
        return NULL;
    }
    if (!hosted_args_equal(args, &p->args)) {
        p->figures.cold_args++;
        learn(p, args);
        return NULL;
    }
    p->misses = 0;
    drop_unfit(p);
    p->figures.cold_empty += !p->list;
    return p->list;
}

int hosted_pool_take(struct hosted_pool *p, struct process **out, const struct hosted_args *args,
                     const struct process_handlers *on, void *arg, const char **step)
{
    struct warm *w;

    p->figures.calls++;
    if (p->fork && hosted_fork_take(p->fork, out, args, on, arg) == 0)
        return 0;
    w = choose(p, args);
    if (!w)
        return start(p, out, args, SIGHUP, on, arg, step);
    p->figures.warm++;
    p->figures.ready--;
    DL_DELETE(p->list, w);
    *out = w->process;
    process_handle(*out, on, arg);
    free(w);
    timer_start(p->timer, STEP_MS);
    return 0;
}

/* ---- open and close ---- */

static void args_fix(struct hosted_pool *p, const char *args)
{
    struct text rest = text_of(args), one;

    p->is_fixed = args != NULL;
    while (text_cut(&rest, ',', &one))
        hosted_args_add(&p->args, text_trim(one));
}

int hosted_pool_open(struct hosted_pool **out, struct loop *l, const struct hosted_options *opt, const struct log *log,
                     void (*problem)(const char *line, void *arg), void *arg)
{
    struct hosted_pool *p = calloc(1, sizeof *p);
    char why[300], line[400];
    int err;

    if (!p)
        return -ENOMEM;
    p->loop = l;
    p->opt = *opt;
    p->log = log_for(log, "script");
    if (p->opt.warm_max_age_ms <= 0)
        p->opt.warm_max_age_ms = WARM_MAX_AGE_MS;
    args_fix(p, opt->args);
    err = timer_new(&p->timer, l, on_tick, p);
    if (!err) {
        err = fence_new(&p->fence, &opt->fence, why, sizeof why);
        if (err && err != -ENOMEM) {
            snprintf(line, sizeof line, "route %s: %s", opt->name, why);
            problem(line, arg);
            err = -EINVAL;
        }
    }
    if (err) {
        hosted_pool_close(p);
        return err;
    }
    if (opt->fork)
        err = hosted_fork_open(&p->fork, l, &p->opt, &p->log, &p->figures);
    if (err) {
        hosted_pool_close(p);
        return err;
    }
    if (opt->warm > 0) /* on the loop: children are tied to the thread that starts them */
        timer_start(p->timer, 0);
    *out = p;
    return 0;
}

void hosted_pool_reload(struct hosted_pool *p)
{
    if (p->fork)
        hosted_fork_renew(p->fork);
}

static void tell_figures(const struct hosted_pool *p)
{
    const struct hosted_figures *f = &p->figures;

    log_info(&p->log, "script_figures", kv_str("route", p->opt.name), kv_int("calls", (int64_t)f->calls),
             kv_int("warm", (int64_t)f->warm), kv_int("cold_args", (int64_t)f->cold_args),
             kv_int("cold_empty", (int64_t)f->cold_empty), kv_int("cold_intolerant", (int64_t)f->cold_intolerant),
             kv_int("started", (int64_t)f->started), kv_int("aged", (int64_t)f->aged), kv_int("stale", (int64_t)f->stale),
             kv_int("forked", (int64_t)f->forked), kv_int("fork_missed", (int64_t)f->fork_missed),
             kv_int("templates", (int64_t)f->templates), kv_int("killed", (int64_t)f->killed));
}

void hosted_pool_close(struct hosted_pool *p)
{
    if (!p)
        return;
    if (p->figures.calls)
        tell_figures(p);
    hosted_fork_close(p->fork);
    warm_end_all(p);
    timer_free(p->timer);
    fence_free(p->fence);
    free(p);
}
