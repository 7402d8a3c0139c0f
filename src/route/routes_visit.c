/* Carries one connection: environment, route, place or queue, its handler, and the figures it leaves. */
#include "route/routes_inner.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/ref.h"

enum {
    REFUSALS_MAX = 256,     /* visitors over the ceiling who are told BUSY at the same time; more are cut off */
    ARRIVALS_MAX = 1024,    /* environments under way; for one more the oldest has to go */
    TELL_EVERY_US = 60000000, /* lines about connections that never came to a route */
    CALLER_MAX = 256,       /* bytes of a caller's text in a fact */
    STARTS_AFTER_US = 1000000, /* a session that is open for so long is told while it lasts; a shorter one by its end alone */
    STARTS_PAUSE_MS = 100,  /* between two looks for such sessions */
};

/* ---- choosing ---- */

/* "caller-name/x?a=1" -> "caller-name". */
static struct text path_head(struct text script)
{
    ptrdiff_t at = text_find(script, '?');

    if (at >= 0)
        script = text_head(script, (size_t)at);
    at = text_find(script, '/');
    return at >= 0 ? text_head(script, (size_t)at) : script;
}

static struct route *find(struct routes *rs, struct text name)
{
    for (size_t i = 0; i < rs->count; i++)
        if (text_eq(text_of(rs->list[i].figures.name), name))
            return &rs->list[i];
    return NULL;
}

static struct route *choose(struct routes *rs, const struct agi_env *env)
{
    const struct text name = path_head(agi_env_get(env, TEXT("agi_network_script")));
    struct route *r = name.n > 0 ? find(rs, name) : NULL;

    return r ? r : find(rs, TEXT("default"));
}

/* ---- the end of a visit ---- */

static void visit_free(struct visit *v)
{
    struct routes *rs = v->routes;

    if (rs->untold_from == v)
        rs->untold_from = v->next;
    if (v->counted == ARRIVING)
        DL_DELETE(rs->arrivals, v);
    else
        DL_DELETE(rs->visits, v);
    if (v->route)
        admission_leave(v->route->admission, &v->ticket);
    if (v->has_place)
        gate_leave(rs->gate);
    rs->arriving -= v->counted == ARRIVING;
    rs->active -= v->counted == ADMITTED;
    rs->refusals -= v->counted == REFUSED;
    recorder_free(v->recorder);
    ref_drop(v->session);
    free(v);
    routes_close_check(rs);
}

/* In a masked route the timeline knows no number either. */
static struct text masked(const struct visit *v, char out[CALLER_MAX + 1], struct text t)
{
    if (!v->route || !v->route->record.masks)
        return t;
    if (!v->recorder)
        return TEXT("");
    text_copy(out, CALLER_MAX + 1, t);
    mask_text(recorder_mask(v->recorder), out, text_head(t, CALLER_MAX).n);
    return text_make(out, text_head(t, CALLER_MAX).n);
}

/* What the facts tell of the caller. Who came to no route tells nothing: it is not known whether he is to be masked. */
struct caller {
    char hidden[5][CALLER_MAX + 1];
    struct text number, name, channel, exten, context;
};

static struct text caller_text(const struct visit *v, char out[CALLER_MAX + 1], struct text variable)
{
    return v->route ? masked(v, out, text_head(agi_env_get(agi_session_env(v->session), variable), CALLER_MAX)) : TEXT("");
}

static void caller_of(const struct visit *v, struct caller *c)
{
    c->number = caller_text(v, c->hidden[0], TEXT("agi_callerid"));
    c->name = caller_text(v, c->hidden[1], TEXT("agi_calleridname"));
    c->channel = caller_text(v, c->hidden[2], TEXT("agi_channel"));
    c->exten = caller_text(v, c->hidden[3], TEXT("agi_extension"));
    c->context = caller_text(v, c->hidden[4], TEXT("agi_context"));
}

/* Of those who last; the others have their one fact at the end, which is half the store's work. */
static void tell_start(struct visit *v, int64_t now_us)
{
    struct caller c;

    caller_of(v, &c);
    v->is_told = true;
    TIMELINE(v->routes->timeline, text_of(v->call), "agi.start", kv_str("route", v->route->figures.name),
             kv_int("ms", (now_us - v->started_us) / 1000), kv_text("caller_number", c.number), kv_text("caller_name", c.name),
             kv_text("channel", c.channel), kv_text("exten", c.exten), kv_text("context", c.context));
}

static void tell_end(const struct visit *v, enum agi_end status, struct text reason, const struct script_figures *f, int64_t us)
{
    char hidden_reason[CALLER_MAX + 1], hidden_name[CALLER_MAX + 1];
    const bool is_named = f && f->name[0];
    struct caller c;

    caller_of(v, &c);
    TIMELINE(v->routes->timeline, text_of(v->call), "agi.end", kv_str("route", v->route ? v->route->figures.name : ""),
             kv_str("status", agi_end_name(status)), kv_text("reason", masked(v, hidden_reason, reason)),
             kv_int("commands", f ? f->commands : 0), kv_int("command_max_us", f ? f->command_max_us : 0), kv_int("ms", us / 1000),
             kv_int("start_told", v->is_told), kv_text("caller_number", c.number), kv_text("caller_name", c.name),
             kv_text("channel", c.channel), kv_text("exten", c.exten), kv_text("context", c.context),
             kv_text("name", is_named ? masked(v, hidden_name, text_of(f->name)) : TEXT("")));
}

static void record_end(struct visit *v, enum agi_end status, struct text reason)
{
    struct route *r = v->route;
    int err;

    if (!v->recorder)
        return;
    recorder_end(v->recorder, status, reason); /* the shadow hears of the end by this, too */
    if (!r->records)
        return;
    err = recorder_keep(v->recorder, &r->record, text_of(v->call), v->routes->recordings);
    r->figures.recorded += err == 0;
    r->figures.record_dropped += err != 0;
}

/* Of a visit that a handler held. */
static void on_done(enum agi_end status, struct text reason, const struct script_figures *f, void *arg)
{
    struct visit *v = arg;
    struct route_figures *figures = &v->route->figures;
    const int64_t us = clock_mono_us() - v->started_us;

    figures->active--;
    figures->timeouts += status == AGI_END_TIMEOUT;
    figures->errors += status == AGI_END_ERROR;
    hist_add(&figures->session_us, us);
    record_end(v, status, reason);
    tell_end(v, status, reason, f, us);
    visit_free(v);
}

/* A health check says nothing and costs no line. Of the others one line a minute: whoever floods us shall not fill the log. */
static void tell_no_request(struct visit *v, const struct agi_session *s, int err, const char *why)
{
    struct routes *rs = v->routes;
    const int64_t now = clock_mono_us();

    if (agi_session_env(s)->raw.n == 0 && err != -ETIMEDOUT) {
        rs->doors.bare++;
        return;
    }
    rs->doors.unfinished++;
    if (rs->told_us && now - rs->told_us < TELL_EVERY_US) {
        rs->untold++;
        return;
    }
    log_warn(&rs->log, "agi_no_request", kv_str("peer", agi_session_peer(s)), kv_err(err), kv_str("why", why ? why : ""),
             kv_int("not_told", (int64_t)rs->untold));
    rs->told_us = now;
    rs->untold = 0;
}

/* Of a visit that never came to a handler. */
static void on_closed(struct agi_session *s, int err, const char *why, void *arg)
{
    struct visit *v = arg;

    if (v->answer)
        tell_end(v, v->status, text_of(v->answer), NULL, clock_mono_us() - v->started_us);
    else if (v->waits) /* the peer left the queue */
        tell_end(v, agi_session_is_dead(s) ? AGI_END_HANGUP : AGI_END_ERROR, TEXT("connection"), NULL, clock_mono_us() - v->started_us);
    else
        tell_no_request(v, s, err, why);
    if (v->waits)
        v->route->figures.waiting--;
    visit_free(v);
}

/* ---- the beginning ---- */

static void visit_answer(struct visit *v, enum agi_end status, const char *reason)
{
    struct route *none = &v->routes->list[v->routes->count];

    v->status = status;
    v->answer = reason;
    if (!v->route) {
        none->figures.sessions++;
        none->figures.errors += status == AGI_END_ERROR;
    }
    log_warn(&v->routes->log, "agi_refused", kv_str("peer", agi_session_peer(v->session)), kv_str("call", v->call),
             kv_str("status", agi_end_name(status)), kv_str("reason", reason));
    agi_session_finish(v->session, status, text_of(reason), text_of(v->call));
}

static int visit_run(struct visit *v, struct route *r, int64_t left_ms)
{
    struct hist *const commands = &r->figures.command_us;
    int err;

    if (r->host)
        return hosted_run(&v->hosted, r->host, v->session, text_of(v->call), left_ms, commands, on_done, v);
    err = script_run_agi(&v->run, r->script, v->session, text_of(v->call), left_ms, commands, on_done, v);
    if (err)
        v->run = NULL;
    else if (v->recorder)
        script_run_watch(v->run, recorder_note, v->recorder);
    return err;
}

static void visit_begin(struct visit *v)
{
    struct route *r = v->route;
    const int64_t left_ms = r->opt.deadline_ms - (clock_mono_us() - v->ready_us) / 1000;

    if (left_ms <= 0) { /* the queue took all of it */
        r->figures.timeouts++;
        visit_answer(v, AGI_END_TIMEOUT, "queue");
        return;
    }
    r->figures.active++;
    if (r->shadow && v->recorder)
        shadow_begin(r->shadow, recorder_tape(v->recorder), left_ms, r->record.masks ? recorder_mask(v->recorder) : NULL);
    if (visit_run(v, r, left_ms) == 0)
        return;
    r->figures.active--;
    r->figures.errors++;
    record_end(v, AGI_END_ERROR, TEXT("memory"));
    visit_answer(v, AGI_END_ERROR, "memory");
}

static void visit_full(struct visit *v, const char *reason)
{
    const struct route_place *to = &v->route->opt.when_full;

    v->route->figures.busy++;
    if (to->context)
        agi_session_place(v->session, to->context, to->extension, to->priority);
    visit_answer(v, AGI_END_BUSY, reason);
}

static void on_turn(struct ticket *t, int err)
{
    struct visit *v = (struct visit *)(void *)((char *)t - offsetof(struct visit, ticket));

    v->waits = false;
    v->route->figures.waiting--;
    if (err)
        visit_full(v, "queue_wait");
    else
        visit_begin(v);
}

static void visit_leave_queue(struct visit *v, enum agi_end status, const char *reason)
{
    v->waits = false;
    v->route->figures.waiting--;
    admission_leave(v->route->admission, &v->ticket);
    visit_answer(v, status, reason);
}

/* The caller of one who waits has gone: his place in the queue is for others. */
static void on_hangup(struct agi_session *s, void *arg)
{
    struct visit *v = arg;

    (void)s;
    if (v->waits)
        visit_leave_queue(v, AGI_END_HANGUP, "hangup");
}

static void visit_admit(struct visit *v)
{
    struct route *r = v->route;
    const int err = admission_enter(r->admission, &v->ticket);

    if (!err) {
        visit_begin(v);
        return;
    }
    if (err != -EINPROGRESS) {
        visit_full(v, "route_full");
        return;
    }
    v->waits = true;
    r->figures.queued++;
    r->figures.waiting++;
}

/* The visits stand in the order in which their environments were whole, so one timer does for all: from untold_from on nobody was
 * looked at yet. */
static void starts_wait(struct routes *rs, int64_t now_us)
{
    int64_t left_ms;

    if (!rs->untold_from || timer_is_running(rs->starts))
        return;
    left_ms = (rs->untold_from->ready_us + STARTS_AFTER_US - now_us) / 1000 + 1;
    timer_start(rs->starts, left_ms > STARTS_PAUSE_MS ? left_ms : STARTS_PAUSE_MS);
}

void routes_tell_starts(void *arg)
{
    struct routes *rs = arg;
    const int64_t now_us = clock_mono_us();
    struct visit *v;

    for (v = rs->untold_from; v && now_us - v->ready_us >= STARTS_AFTER_US; v = v->next)
        if (v->route)
            tell_start(v, now_us);
    rs->untold_from = v;
    starts_wait(rs, now_us);
}

static void visit_arrived(struct visit *v, unsigned counted)
{
    struct routes *rs = v->routes;

    DL_DELETE(rs->arrivals, v);
    rs->arriving--;
    v->counted = counted;
    DL_APPEND(rs->visits, v);
    if (!rs->untold_from)
        rs->untold_from = v;
    starts_wait(rs, v->ready_us);
}

/* The environment is whole: now it counts as a session, here and in the daemon. */
static bool visit_count(struct visit *v)
{
    struct routes *rs = v->routes;

    visit_arrived(v, REFUSED);
    if (!rs->closing && rs->active < rs->sessions_max && gate_enter(rs->gate)) {
        v->has_place = true;
        v->counted = ADMITTED;
        rs->active++;
        return true;
    }
    rs->refusals++;
    return false;
}

static void on_ready(struct agi_session *s, void *arg)
{
    struct visit *v = arg;
    struct routes *rs = v->routes;
    const struct agi_env *env = agi_session_env(s);

    (void)text_copy(v->call, sizeof v->call, agi_env_get(env, TEXT("agi_uniqueid")));
    v->ready_us = clock_mono_us();
    if (!visit_count(v)) {
        visit_answer(v, AGI_END_BUSY, rs->closing ? "shutdown" : "sessions_max");
        if (rs->refusals > REFUSALS_MAX) {
            rs->doors.cut_off++;
            agi_session_abort(s);
        }
        return;
    }
    v->route = choose(rs, env);
    if (!v->route) {
        visit_answer(v, AGI_END_ERROR, "no_route");
        return;
    }
    agi_session_reply_limit(s, v->route->opt.idle_ms);
    if (v->route->records || v->route->shadow || v->route->record.masks)
        v->recorder = recorder_new(s);
    v->route->figures.record_dropped += v->route->records && !v->recorder;
    v->route->figures.sessions++;
    visit_admit(v);
}

/* Over a FastAGI connection, or else over another carrier. */
static int visit_new(struct routes *rs, struct stream *stream, struct agi_carrier *carrier)
{
    static const struct agi_session_handlers handlers = { .on_ready = on_ready, .on_hangup = on_hangup, .on_closed = on_closed };
    const struct agi_session_options opt = { .env_ms = rs->env_ms };
    struct visit *v = calloc(1, sizeof *v);
    int err;

    if (!v)
        return -ENOMEM;
    v->routes = rs;
    v->started_us = clock_mono_us();
    v->ticket.on_turn = on_turn;
    err = stream ? agi_session_new(&v->session, stream, &opt, &handlers, v, &rs->log)
                 : agi_session_over(&v->session, carrier, &opt, &handlers, v, &rs->log);
    if (err) {
        free(v);
        return err;
    }
    DL_APPEND(rs->arrivals, v);
    rs->arriving++;
    return 0;
}

/* The oldest one that is still within its environment: Asterisk sends it in one go. */
static void crowd_out(struct routes *rs)
{
    struct visit *v = rs->arrivals;

    rs->doors.crowded_out++;
    visit_arrived(v, LEAVING);
    agi_session_abort(v->session);
}

void routes_accept(struct stream *s, void *arg)
{
    struct routes *rs = arg;
    int err;

    if (rs->arriving >= ARRIVALS_MAX)
        crowd_out(rs);
    err = visit_new(rs, s, NULL);
    if (!err)
        return;
    log_warn(&rs->log, "agi_cut_off", kv_str("peer", stream_peer(s)), kv_err(err));
    rs->doors.cut_off++;
    stream_abort(s);
    ref_drop(s);
}

int routes_take(struct routes *rs, struct agi_carrier *c)
{
    if (rs->arriving >= ARRIVALS_MAX)
        crowd_out(rs);
    return visit_new(rs, NULL, c);
}

/* ---- all at once ---- */

void routes_stop_all(struct routes *rs)
{
    struct visit *v, *next;

    DL_FOREACH_SAFE(rs->visits, v, next) {
        if (v->run)
            script_stop(v->run);
        else if (v->hosted)
            hosted_stop(v->hosted);
        else if (v->waits)
            visit_leave_queue(v, AGI_END_BUSY, "shutdown");
    }
    DL_FOREACH_SAFE(rs->arrivals, v, next)
        agi_session_abort(v->session);
}
