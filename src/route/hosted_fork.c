/* Keeps a template of a route's Python script: started, replaced when it is old or the script has changed, and tried again when it failed. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "net/forker.h"
#include "route/hosted_inner.h"

enum {
    RETRY_MS = 1000,      /* after a template that failed; doubled each time */
    RETRY_MAX_MS = 60000,
    GOOD_MS = 10000,      /* one that served that long: the next failure begins anew */
    LINES_MAX = 50,       /* of a template's standard error */
    LINE_MAX_BYTES = 255, /* of the script: what the kernel looks at */
    ARGV_MAX = 12,
};

/* One template process. Two at a time while a fresh one gets ready. */
struct template {
    struct hosted_fork *owner;
    struct forker *forker; /* NULL: none */
    struct hosted_version version;
    int64_t born_ms;
    unsigned lines;
};

struct hosted_fork {
    struct loop *loop;
    const struct hosted_options *opt;
    struct log log;
    struct hosted_figures *figures;
    struct fence *fence; /* without what would wear a template out */
    struct timer *timer; /* the next start, or the look at the age */
    struct template now, next; /* next: getting ready */
    int64_t retry_ms;    /* how long the next pause is; 0: the last start was good */
};

/* ---- which interpreter ---- */

struct interpreter {
    char line[LINE_MAX_BYTES + 1]; /* holds the words */
    const char *path, *word;       /* word: what env is to start, or an option; NULL: none */
    bool is_env;
};

static bool is_python(const char *name)
{
    const char *slash = strrchr(name, '/');
    const struct text base = text_of(slash ? slash + 1 : name);

    if (!text_starts(base, TEXT("python3")))
        return false;
    for (size_t i = strlen("python3"); i < base.n; i++)
        if (base.p[i] != '.' && (base.p[i] < '0' || base.p[i] > '9'))
            return false;
    return true;
}

/* The first line as the kernel reads it: a path, and all the rest as one word. False: no Python that we could ask. */
static bool interpreter_read(struct interpreter *out, const char *script)
{
    FILE *f = fopen(script, "re");
    const size_t n = f ? fread(out->line, 1, LINE_MAX_BYTES, f) : 0;
    char *end, *rest;

    if (f)
        fclose(f);
    out->line[n] = '\0';
    end = strchr(out->line, '\n');
    if (!end || strncmp(out->line, "#!", 2) != 0)
        return false;
    while (end > out->line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *end = '\0';
    out->path = out->line + 2 + strspn(out->line + 2, " \t");
    rest = strpbrk(out->path, " \t");
    out->word = NULL;
    if (rest) {
        *rest++ = '\0';
        out->word = rest + strspn(rest, " \t");
    }
    out->is_env = text_ends(text_of(out->path), TEXT("/env"));
    if (out->is_env)
        return out->word && is_python(out->word);
    return is_python(out->path) && (!out->word || *out->word == '-');
}

/* ---- start ---- */

static void later(struct hosted_fork *f)
{
    f->retry_ms = f->retry_ms ? 2 * f->retry_ms : RETRY_MS;
    if (f->retry_ms > RETRY_MAX_MS)
        f->retry_ms = RETRY_MAX_MS;
    timer_start(f->timer, f->retry_ms);
}

static void tell_failed(const struct hosted_fork *f, struct text why)
{
    log_warn(&f->log, "script_template", kv_str("route", f->opt->name), kv_str("script", f->opt->path), kv_text("why", why),
             kv_int("retry_ms", f->retry_ms), kv_str("next", "calls start a process of their own"));
}

static void age_watch(struct hosted_fork *f)
{
    const int64_t left_ms = f->now.born_ms + f->opt->warm_max_age_ms - loop_now_ms(f->loop);

    timer_start(f->timer, left_ms > 1 ? left_ms : 1);
}

static void on_ready(struct forker *forker, void *arg)
{
    struct template *t = arg;
    struct hosted_fork *f = t->owner;

    forker_close(f->now.forker);
    f->now = f->next;
    f->next.forker = NULL;
    f->figures->templates++;
    f->figures->template_id = forker_id(forker);
    log_info(&f->log, "script_template", kv_str("route", f->opt->name), kv_int("pid", forker_id(forker)),
             kv_int("ready_ms", loop_now_ms(f->loop) - f->now.born_ms));
    age_watch(f);
}

static void on_error(struct forker *forker, struct text bytes, void *arg)
{
    struct hosted_fork *f = ((struct template *)arg)->owner;
    struct template *t = forker == f->now.forker ? &f->now : &f->next;
    struct text rest = bytes, line;

    while (text_cut(&rest, '\n', &line))
        if (line.n > 0 && t->lines++ < LINES_MAX)
            log_info(&f->log, "script_stderr", kv_str("route", f->opt->name), kv_str("call", "-"), kv_text("line", text_head(line, 400)));
}

static void template_drop(struct hosted_fork *f, struct template *t)
{
    if (t == &f->now)
        f->figures->template_id = 0;
    t->forker = forker_close(t->forker);
}

static void on_end(struct forker *forker, enum forker_end end, struct text why, void *arg)
{
    struct hosted_fork *f = ((struct template *)arg)->owner;
    struct template *t = forker == f->now.forker ? &f->now : &f->next;

    if (t == &f->now && loop_now_ms(f->loop) - t->born_ms >= GOOD_MS)
        f->retry_ms = 0;
    if (end == FORKER_STALE) {
        log_info(&f->log, "script_template_stale", kv_str("route", f->opt->name), kv_text("why", why));
        f->figures->stale++;
        timer_start(f->timer, 1);
    } else if (end == FORKER_UNFIT) {
        f->retry_ms = RETRY_MAX_MS; /* it says so itself: a changed script is tried at once, others once a minute */
        timer_start(f->timer, f->retry_ms);
        tell_failed(f, why);
    } else {
        later(f);
        tell_failed(f, why);
    }
    template_drop(f, t);
}

static int template_start(struct hosted_fork *f, struct interpreter *python, const char **step)
{
    static const struct forker_handlers handlers = { .on_ready = on_ready, .on_error = on_error, .on_end = on_end };
    extern const char hosted_template[];
    extern const size_t hosted_template_n;
    char number[32], cpu[40], files[40], preload[1024];
    const char *argv[ARGV_MAX];
    size_t n = 0;
    const struct forker_options opt = {
        .program = { .argv = argv, .env = f->opt->env, .cwd = f->opt->cwd, .fence = f->fence, .death_signal = SIGKILL },
        .text = text_make(hosted_template, hosted_template_n),
    };

    snprintf(number, sizeof number, "clone=%d", (int)SYS_clone);
    snprintf(cpu, sizeof cpu, "cpu=%lld", (long long)f->opt->fence.cpu_s);
    snprintf(files, sizeof files, "files=%lld", (long long)f->opt->fence.open_files);
    snprintf(preload, sizeof preload, "preload=%s", f->opt->preload ? f->opt->preload : "");
    argv[n++] = python->path;
    if (python->word)
        argv[n++] = python->word;
    argv[n++] = "-";
    argv[n++] = f->opt->path;
    argv[n++] = number;
    argv[n++] = cpu;
    argv[n++] = files;
    argv[n++] = preload;
    argv[n] = NULL;
    f->next.version = hosted_version_of(f->opt->path); /* before it is read: a change in between is seen at the next call */
    f->next.born_ms = loop_now_ms(f->loop);
    f->next.lines = 0;
    return forker_open(&f->next.forker, f->loop, &opt, &handlers, &f->next, step);
}

static void renew(struct hosted_fork *f)
{
    struct interpreter python;
    const char *step = "";
    char why[200];
    int err;

    template_drop(f, &f->next);
    if (!interpreter_read(&python, f->opt->path)) {
        f->retry_ms = RETRY_MAX_MS;
        timer_start(f->timer, f->retry_ms);
        tell_failed(f, TEXT("its first line names no python3, and start = fork is for Python scripts"));
        return;
    }
    err = template_start(f, &python, &step);
    if (err) {
        later(f);
        snprintf(why, sizeof why, "%s: %s", step, err_text(err));
        tell_failed(f, text_of(why));
    }
}

static void on_time(void *arg)
{
    struct hosted_fork *f = arg;

    f->figures->aged += f->now.forker != NULL;
    renew(f);
}

void hosted_fork_renew(struct hosted_fork *f)
{
    f->retry_ms = 0;
    timer_start(f->timer, 1);
}

/* ---- for a call ---- */

int hosted_fork_take(struct hosted_fork *f, struct process **out, const struct hosted_args *args, const struct process_handlers *on,
                     void *arg)
{
    int err = -EAGAIN;

    if (f->now.forker) {
        const struct hosted_version version = hosted_version_of(f->opt->path);

        if (!hosted_version_equal(&version, &f->now.version)) {
            f->figures->stale++;
            template_drop(f, &f->now);
            hosted_fork_renew(f);
        }
    }
    if (f->now.forker)
        err = forker_fork(f->now.forker, out, text_make(args->bytes, args->n), on, arg);
    f->figures->forked += !err;
    f->figures->fork_missed += err != 0;
    return err;
}

/* ---- open and close ---- */

int hosted_fork_open(struct hosted_fork **out, struct loop *l, const struct hosted_options *opt, const struct log *log,
                     struct hosted_figures *figures)
{
    struct hosted_fork *f = calloc(1, sizeof *f);
    struct fence_options own = opt->fence;
    char why[300];
    int err;

    if (!f)
        return -ENOMEM;
    f->loop = l;
    f->opt = opt;
    f->log = *log;
    f->figures = figures;
    f->now.owner = f->next.owner = f;
    own.cpu_s = own.open_files = 0; /* each copy sets them for itself */
    err = timer_new(&f->timer, l, on_time, f);
    if (!err)
        err = fence_new(&f->fence, &own, why, sizeof why);
    if (err) {
        hosted_fork_close(f);
        return err;
    }
    timer_start(f->timer, 0); /* on the loop: children are tied to the thread that starts them */
    *out = f;
    return 0;
}

void hosted_fork_close(struct hosted_fork *f)
{
    if (!f)
        return;
    template_drop(f, &f->now);
    template_drop(f, &f->next);
    timer_free(f->timer);
    fence_free(f->fence);
    free(f);
}
