/* Plays one hosted script: its lines become commands, one at a time, and the replies go back to it byte for byte. */
#include "route/hosted.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "route/hosted_inner.h"

enum {
    LINES_MAX = 256 * 1024, /* bytes of commands that wait: a read of the pipe always fits */
    PAUSE_AT = 16 * 1024,   /* more than that waits: the script is left in its write */
    TERM_MS = 1000,         /* between SIGTERM and SIGKILL at the deadline */
    AFTER_MS = 5000,        /* how long it may run after Asterisk has gone */
    STDERR_LINES = 100,
    STDERR_LINE_MAX = 400,
};

struct hosted {
    struct hosted_pool *pool;
    struct agi_session *session;
    struct process *process; /* NULL: not started */
    struct timer *deadline;
    char *call;
    struct buf lines;     /* from its standard output, not yet sent */
    struct buf complaint; /* the unfinished line of its standard error */
    unsigned complaints, complaints_dropped;
    bool waits; /* a command is with Asterisk */
    bool output_ended, has_exited, hung_up, over;
    int code, signal;
    struct hist *command_hist;
    struct script_figures figures;
    enum agi_end status;
    char reason[64];
    script_on_done *on_done;
    void *arg;
};

/* ---- the end ---- */

static void decide(struct hosted *h, enum agi_end status, const char *reason)
{
    if (h->over)
        return;
    h->over = true;
    h->status = status;
    (void)text_copy(h->reason, sizeof h->reason, text_of(reason));
    timer_stop(h->deadline);
    agi_session_finish(h->session, status, text_of(reason), text_of(h->call));
}

static void tell_kill(struct hosted *h, const char *reason)
{
    hosted_pool_count_kill(h->pool);
    log_warn(hosted_pool_log(h->pool), "script_killed", kv_str("route", hosted_pool_options(h->pool)->name),
             kv_str("call", h->call), kv_str("reason", reason), kv_int("pid", h->process ? process_id(h->process) : 0));
}

/* Over a limit: the group goes at once, and the call gets its status. */
static void fault(struct hosted *h, const char *reason)
{
    if (h->over)
        return;
    tell_kill(h, reason);
    if (h->process) {
        (void)process_signal_group(h->process, SIGKILL);
        h->process = process_close(h->process, 0);
    }
    decide(h, AGI_END_ERROR, reason);
}

static void finish_by_exit(struct hosted *h)
{
    const struct fence_options *f = &hosted_pool_options(h->pool)->fence;
    char reason[32] = "";

    if (h->hung_up) {
        decide(h, AGI_END_HANGUP, "hangup");
        return;
    }
    if (h->signal == SIGXCPU && f->cpu_s > 0)
        snprintf(reason, sizeof reason, "cpu_seconds");
    else if (h->signal)
        snprintf(reason, sizeof reason, "signal_%d", h->signal);
    else if (h->code)
        snprintf(reason, sizeof reason, "exit_%d", h->code);
    decide(h, *reason ? AGI_END_ERROR : AGI_END_OK, reason);
}

static void on_deadline(void *arg)
{
    struct hosted *h = arg;

    tell_kill(h, "deadline");
    if (h->process) {
        /* What holds its output after its own end has had its time, too. */
        (void)process_signal_group(h->process, process_has_ended(h->process) ? SIGKILL : SIGTERM);
        h->process = process_close(h->process, TERM_MS);
    }
    decide(h, AGI_END_TIMEOUT, "deadline");
}

void hosted_stop(struct hosted *h)
{
    if (h->over)
        return;
    if (h->process) {
        (void)process_signal_group(h->process, SIGKILL);
        h->process = process_close(h->process, 0);
    }
    decide(h, AGI_END_ERROR, "shutdown");
}

static void complaints_end(struct hosted *h)
{
    if (h->complaints_dropped)
        log_warn(hosted_pool_log(h->pool), "script_stderr_dropped", kv_str("route", hosted_pool_options(h->pool)->name),
                 kv_str("call", h->call), kv_int("lines", h->complaints_dropped));
}

static void hosted_free(struct hosted *h)
{
    process_close(h->process, AFTER_MS);
    timer_free(h->deadline);
    ref_drop(h->session);
    buf_free(&h->lines);
    buf_free(&h->complaint);
    free(h->call);
    free(h);
}

static void on_closed(struct agi_session *s, int err, const char *why, void *arg)
{
    struct hosted *h = arg;

    (void)s;
    if (!h->over) { /* Asterisk left first: AGIEXITONHANGUP, a lost connection */
        h->status = h->hung_up ? AGI_END_HANGUP : AGI_END_ERROR;
        (void)text_copy(h->reason, sizeof h->reason, h->hung_up ? TEXT("hangup") : TEXT("connection"));
        log_info(hosted_pool_log(h->pool), "script_left", kv_str("call", h->call), kv_err(err), kv_str("why", why ? why : ""));
        if (h->process)
            (void)process_signal(h->process, SIGHUP);
    }
    complaints_end(h);
    h->on_done(h->status, text_of(h->reason), &h->figures, h->arg);
    hosted_free(h);
}

/* ---- commands ---- */

/* The first whole line, or what is left when no more can come: Asterisk runs that, too. */
static bool next_line(struct hosted *h, struct text *line, size_t *taken)
{
    const struct text all = buf_text(&h->lines);
    const ptrdiff_t lf = text_find(all, '\n');

    if (lf < 0 && !(h->output_ended && all.n > 0))
        return false;
    *line = lf < 0 ? all : text_head(all, (size_t)lf);
    *taken = line->n + (lf >= 0);
    return true;
}

static int command_send(struct hosted *h, struct text line)
{
    struct agi_command c;
    int err;

    agi_command_init(&c);
    agi_command_script(&c, line);
    err = agi_session_send(h->session, &c);
    agi_command_free(&c);
    return err;
}

static const char *fault_of(int err, struct text line)
{
    if (err == -EMSGSIZE)
        return "line_too_long";
    if (err == -EINVAL)
        return text_find(line, '\0') >= 0 ? "nul_byte" : "failure";
    return "memory";
}

/* Sends the next command when Asterisk and the script are ready for it. */
static void pump(struct hosted *h)
{
    struct text line;
    size_t taken;
    int err;

    if (h->over || h->waits || (h->process && process_queued(h->process) > 0))
        return;
    if (next_line(h, &line, &taken)) {
        err = command_send(h, line);
        if (err == -EPIPE)
            return; /* the session is closing, and will say so */
        if (err) {
            fault(h, fault_of(err, line));
            return;
        }
        h->waits = true;
        h->figures.commands++;
        buf_drop(&h->lines, taken);
    } else if (h->lines.n > AGI_LINE_MAX) {
        fault(h, "line_too_long");
        return;
    } else if (h->output_ended && h->has_exited) {
        finish_by_exit(h);
        return;
    }
    if (h->lines.n <= PAUSE_AT && h->process)
        process_resume(h->process);
}

static void pass_on(struct hosted *h, struct text body)
{
    int err = 0;

    if (h->process && process_write(h->process, body) != -EPIPE)
        err = process_write(h->process, TEXT("\n"));
    if (err == -ENOBUFS || err == -ENOMEM)
        fault(h, "not_reading");
}

/* ---- what the session tells ---- */

static void on_reply(struct agi_session *s, int err, const struct agi_reply *r, int64_t latency_us, void *arg)
{
    struct hosted *h = arg;

    (void)s;
    h->waits = false;
    if (h->over || err)
        return; /* the connection's end and the deadline are told apart */
    if (h->command_hist)
        hist_add(h->command_hist, latency_us);
    h->figures.command_sum_us += latency_us;
    if (latency_us > h->figures.command_max_us)
        h->figures.command_max_us = latency_us;
    pass_on(h, r->body);
    pump(h);
}

static void on_aside(struct agi_session *s, const struct agi_reply *r, void *arg)
{
    struct hosted *h = arg;

    (void)s;
    if (!h->over)
        pass_on(h, r->body);
}

/* Under AGI() a script gets no HANGUP line, but a signal, to itself alone (res_agi.c: run_agi). With AGISIGHUP=no Asterisk
 * sends neither. */
static void on_hangup(struct agi_session *s, void *arg)
{
    struct hosted *h = arg;

    (void)s;
    h->hung_up = true;
    if (h->process)
        (void)process_signal(h->process, SIGHUP);
}

/* ---- what the process tells ---- */

static void on_output(struct process *p, struct text bytes, void *arg)
{
    struct hosted *h = arg;

    if (h->over)
        return;
    if (buf_add_text(&h->lines, bytes)) {
        fault(h, "flood");
        return;
    }
    if (h->lines.n > PAUSE_AT)
        process_pause(p);
    pump(h);
}

static void on_output_end(struct process *p, void *arg)
{
    struct hosted *h = arg;

    (void)p;
    h->output_ended = true;
    pump(h);
}

static void on_drain(struct process *p, void *arg)
{
    (void)p;
    pump(arg);
}

static void on_exit_told(struct process *p, int code, int signum, void *arg)
{
    struct hosted *h = arg;

    (void)p;
    h->has_exited = true;
    h->code = code;
    h->signal = signum;
    pump(h);
}

static void complaint_log(struct hosted *h, struct text line)
{
    if (h->complaints >= STDERR_LINES) {
        h->complaints_dropped++;
        return;
    }
    h->complaints++;
    log_info(hosted_pool_log(h->pool), "script_stderr", kv_str("route", hosted_pool_options(h->pool)->name),
             kv_str("call", h->call), kv_text("line", line));
}

static void on_error(struct process *p, struct text bytes, void *arg)
{
    struct hosted *h = arg;
    struct text rest = bytes;
    ptrdiff_t lf;

    (void)p;
    while ((lf = text_find(rest, '\n')) >= 0) {
        (void)buf_add_text(&h->complaint, text_head(rest, (size_t)lf < STDERR_LINE_MAX ? (size_t)lf : STDERR_LINE_MAX));
        complaint_log(h, text_head(buf_text(&h->complaint), STDERR_LINE_MAX));
        buf_clear(&h->complaint);
        rest = text_skip(rest, (size_t)lf + 1);
    }
    if (rest.n && h->complaint.n < STDERR_LINE_MAX)
        (void)buf_add_text(&h->complaint, text_head(rest, STDERR_LINE_MAX));
}

/* ---- the beginning ---- */

/* The block as the script saw it under AGI(): without the lines of the network, with its own request. Odd and forged lines pass
 * as they always did. */
static void env_build(struct buf *out, const struct agi_env *env, const char *request)
{
    struct text rest = buf_text(&env->raw), line;
    bool has_request = false;

    while (text_cut(&rest, '\n', &line) && line.n > 0) {
        if (!has_request && text_starts(line, TEXT("agi_network")))
            continue;
        if (!has_request && text_starts(line, TEXT("agi_request: "))) {
            has_request = true;
            buf_addf(out, "agi_request: %s\n", request);
            continue;
        }
        buf_add_text(out, line);
        buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
}

static int env_send(struct hosted *h)
{
    const struct hosted_options *opt = hosted_pool_options(h->pool);
    struct buf block;
    int err;

    buf_init(&block, 2 * AGI_ENV_BYTES_MAX);
    env_build(&block, agi_session_env(h->session), opt->request ? opt->request : opt->path);
    err = block.err ? block.err : process_write(h->process, buf_text(&block));
    buf_free(&block);
    return err;
}

static void start_failed(struct hosted *h, const char *step, int err)
{
    const struct hosted_options *opt = hosted_pool_options(h->pool);

    log_error(hosted_pool_log(h->pool), "script_start", kv_str("route", opt->name), kv_str("call", h->call),
              kv_str("script", opt->path), kv_str("step", step), kv_err(err));
    decide(h, AGI_END_ERROR, err == -E2BIG ? "arguments" : "start");
}

/* The template could not make a copy: a process takes its place, and finds the environment in its pipe. */
static void on_unstarted(struct process *p, void *arg)
{
    struct hosted *h = arg;
    struct hosted_args args;
    const char *step = "";
    int err;

    if (h->over)
        return;
    hosted_args_take(&args, agi_session_env(h->session));
    err = hosted_pool_launch(h->pool, p, &args, &step);
    if (err) {
        h->process = process_close(h->process, 0);
        start_failed(h, step, err);
    }
}

static void begin(struct hosted *h)
{
    static const struct process_handlers handlers = { .on_output = on_output,
                                                      .on_output_end = on_output_end,
                                                      .on_error = on_error,
                                                      .on_drain = on_drain,
                                                      .on_exit = on_exit_told,
                                                      .on_unstarted = on_unstarted };
    struct hosted_args args;
    const char *step = "";
    int err;

    hosted_args_take(&args, agi_session_env(h->session));
    err = args.cut ? -E2BIG : hosted_pool_take(h->pool, &h->process, &args, &handlers, h, &step);
    if (err) {
        start_failed(h, step, err);
        return;
    }
    err = env_send(h);
    if (err == -ENOMEM || err == -ENOBUFS)
        fault(h, "memory");
}

int hosted_run(struct hosted **out, struct hosted_pool *pool, struct agi_session *session, struct text call_id,
               int64_t deadline_ms, struct hist *command_hist, script_on_done *on_done, void *arg)
{
    static const struct agi_session_handlers handlers = {
        .on_reply = on_reply, .on_hangup = on_hangup, .on_closed = on_closed, .on_aside = on_aside
    };
    struct hosted *h = calloc(1, sizeof *h);
    int err = -ENOMEM;

    if (!h)
        return err;
    h->pool = pool;
    h->command_hist = command_hist;
    h->on_done = on_done;
    h->arg = arg;
    buf_init(&h->lines, LINES_MAX);
    buf_init(&h->complaint, 2 * STDERR_LINE_MAX);
    h->call = text_dup(call_id);
    if (h->call)
        err = timer_new(&h->deadline, hosted_pool_loop(pool), on_deadline, h);
    if (err) {
        hosted_free(h);
        return err;
    }
    h->session = ref_hold(session);
    agi_session_handle(session, &handlers, h);
    agi_session_reply_limit(session, deadline_ms); /* Dial() may take an hour */
    timer_start(h->deadline, deadline_ms);
    *out = h;
    begin(h);
    return 0;
}
