/* Takes FastAGI connections, picks the handler by the request's path, and keeps the figures of each route. */
#include "route/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/ref.h"
#include "route/recorder.h"

enum {
    SESSIONS_MAX = 4096,
    REFUSALS_MAX = 256,     /* visitors over the ceiling who are told BUSY at the same time; more are cut off */
    CALL_ID_MAX = FACT_CALL_MAX - 1,
    CALLER_MAX = 256,       /* bytes of a caller's text in a fact */
};

struct route {
    struct script *script;
    int64_t deadline_ms;
    struct recorder_options record;
    bool records;
    struct shadow *shadow;  /* NULL: none */
    struct route_figures figures;
};

/* One connection, from accept to its closed end. */
struct visit {
    struct routes *routes;
    struct route *route;    /* NULL until chosen, and for those who fit none */
    struct agi_session *session;
    struct script_run *run;
    struct recorder *recorder; /* also what a shadow reads; NULL: nobody looks on */
    bool refused;           /* over the ceiling: counted apart */
    const char *answer;     /* reason told without a handler; NULL: none */
    enum agi_end status;
    int64_t started_us;
    char call[CALL_ID_MAX + 1];
    struct visit *prev, *next;
};

struct routes {
    struct loop *loop;
    struct script_engine *engine;
    const struct timeline *timeline;
    const struct recording_sink *recordings;
    struct log log;
    struct route *list;     /* count of them, then one for visitors who fit none */
    size_t count, sessions_max, active, refusals;
    struct visit *visits;
    struct timer *linger;
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
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

static void close_check(struct routes *rs);

static void visit_free(struct visit *v)
{
    struct routes *rs = v->routes;

    DL_DELETE(rs->visits, v);
    if (v->refused)
        rs->refusals--;
    else
        rs->active--;
    recorder_free(v->recorder);
    ref_drop(v->session);
    free(v);
    close_check(rs);
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

static void tell_end(const struct visit *v, enum agi_end status, struct text reason, const struct script_figures *f, int64_t us)
{
    char hidden[CALLER_MAX + 1];

    reason = masked(v, hidden, reason);
    TIMELINE(v->routes->timeline, text_of(v->call), "agi.end", kv_str("route", v->route ? v->route->figures.name : ""),
             kv_str("status", agi_end_name(status)), kv_text("reason", reason), kv_int("commands", f ? f->commands : 0),
             kv_int("command_max_us", f ? f->command_max_us : 0), kv_int("ms", us / 1000));
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
    char hidden[CALLER_MAX + 1];

    figures->active--;
    figures->timeouts += status == AGI_END_TIMEOUT;
    figures->errors += status == AGI_END_ERROR;
    hist_add(&figures->session_us, us);
    if (f->name[0])
        TIMELINE(v->routes->timeline, text_of(v->call), "agi.name", kv_text("name", masked(v, hidden, text_of(f->name))));
    if (status == AGI_END_HANDOFF)
        TIMELINE(v->routes->timeline, text_of(v->call), "agi.handoff", kv_text("agent", masked(v, hidden, reason)));
    record_end(v, status, reason);
    tell_end(v, status, reason, f, us);
    visit_free(v);
}

/* Of a visit that never came to a handler. */
static void on_closed(struct agi_session *s, int err, const char *why, void *arg)
{
    struct visit *v = arg;

    if (v->answer)
        tell_end(v, v->status, text_of(v->answer), NULL, clock_mono_us() - v->started_us);
    else
        log_warn(&v->routes->log, "agi_no_request", kv_str("peer", agi_session_peer(s)), kv_err(err), kv_str("why", why ? why : ""));
    visit_free(v);
}

/* ---- the beginning ---- */

static void visit_answer(struct visit *v, enum agi_end status, const char *reason)
{
    struct route *none = &v->routes->list[v->routes->count];

    v->status = status;
    v->answer = reason;
    none->figures.sessions++;
    none->figures.errors += status == AGI_END_ERROR;
    log_warn(&v->routes->log, "agi_refused", kv_str("peer", agi_session_peer(v->session)), kv_str("call", v->call),
             kv_str("status", agi_end_name(status)), kv_str("reason", reason));
    agi_session_finish(v->session, status, text_of(reason), text_of(v->call));
}

static void tell_start(const struct visit *v, const struct agi_env *env)
{
    char hidden[5][CALLER_MAX + 1];
    const struct {
        struct text number, name, channel, exten, context;
    } told = {
        .number = masked(v, hidden[0], text_head(agi_env_get(env, TEXT("agi_callerid")), CALLER_MAX)),
        .name = masked(v, hidden[1], text_head(agi_env_get(env, TEXT("agi_calleridname")), CALLER_MAX)),
        .channel = masked(v, hidden[2], text_head(agi_env_get(env, TEXT("agi_channel")), CALLER_MAX)),
        .exten = masked(v, hidden[3], text_head(agi_env_get(env, TEXT("agi_extension")), CALLER_MAX)),
        .context = masked(v, hidden[4], text_head(agi_env_get(env, TEXT("agi_context")), CALLER_MAX)),
    };

    TIMELINE(v->routes->timeline, text_of(v->call), "agi.start", kv_str("route", v->route->figures.name),
             kv_text("caller_number", told.number), kv_text("caller_name", told.name), kv_text("channel", told.channel),
             kv_text("exten", told.exten), kv_text("context", told.context));
}

static void on_ready(struct agi_session *s, void *arg)
{
    struct visit *v = arg;
    struct routes *rs = v->routes;
    const struct agi_env *env = agi_session_env(s);
    struct route *r = choose(rs, env);

    (void)text_copy(v->call, sizeof v->call, agi_env_get(env, TEXT("agi_uniqueid")));
    if (rs->closing || v->refused) {
        visit_answer(v, AGI_END_BUSY, rs->closing ? "shutdown" : "sessions_max");
        return;
    }
    if (!r) {
        visit_answer(v, AGI_END_ERROR, "no_route");
        return;
    }
    v->route = r;
    if (r->records || r->shadow || r->record.masks)
        v->recorder = recorder_new(s);
    r->figures.record_dropped += r->records && !v->recorder;
    tell_start(v, env);
    r->figures.sessions++;
    r->figures.active++;
    if (r->shadow && v->recorder)
        shadow_begin(r->shadow, recorder_tape(v->recorder), r->deadline_ms, r->record.masks ? recorder_mask(v->recorder) : NULL);
    if (script_run_agi(&v->run, r->script, s, text_of(v->call), r->deadline_ms, &r->figures.command_us, on_done, v) == 0)
        return;
    v->run = NULL;
    r->figures.active--;
    r->figures.errors++;
    record_end(v, AGI_END_ERROR, TEXT("memory"));
    visit_answer(v, AGI_END_ERROR, "memory");
}

static int visit_new(struct routes *rs, struct stream *stream, bool refused)
{
    static const struct agi_session_handlers handlers = { .on_ready = on_ready, .on_closed = on_closed };
    struct visit *v = calloc(1, sizeof *v);
    int err;

    if (!v)
        return -ENOMEM;
    v->routes = rs;
    v->refused = refused;
    v->started_us = clock_mono_us();
    err = agi_session_new(&v->session, stream, NULL, &handlers, v, &rs->log);
    if (err) {
        free(v);
        return err;
    }
    DL_APPEND(rs->visits, v);
    if (refused)
        rs->refusals++;
    else
        rs->active++;
    return 0;
}

void routes_accept(struct stream *s, void *arg)
{
    struct routes *rs = arg;
    const bool refused = rs->active >= rs->sessions_max || rs->closing;
    int err = refused && rs->refusals >= REFUSALS_MAX ? -EBUSY : visit_new(rs, s, refused);

    if (!err)
        return;
    log_warn(&rs->log, "agi_cut_off", kv_str("peer", stream_peer(s)), kv_err(err));
    stream_abort(s);
    ref_drop(s);
}

/* ---- opening ---- */

static void routes_free(struct routes *rs)
{
    for (size_t i = 0; rs->list && i < rs->count; i++)
        script_release(rs->list[i].script);
    for (size_t i = 0; rs->list && i < rs->count; i++)
        shadow_free(rs->list[i].shadow);
    timer_free(rs->linger);
    free(rs->list);
    free(rs);
}

static void on_shadow_idle(void *arg)
{
    close_check(arg);
}

static int load(struct routes *rs, size_t i, const struct route_options *opt, void (*problem)(const char *line, void *arg), void *arg)
{
    struct route *r = &rs->list[i];
    char *why;
    int err = script_load(&r->script, rs->engine, opt->handler, "handle", &why);

    (void)text_copy(r->figures.name, sizeof r->figures.name, text_of(opt->name));
    r->deadline_ms = opt->deadline_ms;
    r->records = opt->record && rs->recordings;
    r->record = (struct recorder_options){ .route = r->figures.name, .keep = opt->record_max, .masks = opt->record_masks };
    if (!err && opt->shadow)
        err = shadow_open(&r->shadow, rs->loop, rs->engine, opt->shadow, opt->name, &rs->log, on_shadow_idle, rs, &why);
    if (err && err != -ENOMEM && why)
        problem(why, arg);
    free(why);
    return err;
}

static int load_all(struct routes *rs, const struct routes_options *opt, void (*problem)(const char *line, void *arg), void *arg)
{
    int worst = 0;

    for (size_t i = 0; i < opt->count; i++) {
        const int err = load(rs, i, &opt->routes[i], problem, arg);

        if (err == -ENOMEM)
            return err;
        if (err)
            worst = -EINVAL;
    }
    return worst;
}

static void on_linger(void *arg);

int routes_open(struct routes **out, struct loop *l, struct script_engine *e, const struct routes_options *opt,
                const struct timeline *timeline, const struct log *log,
                void (*problem)(const char *line, void *arg), void *arg)
{
    struct routes *rs = calloc(1, sizeof *rs);
    int err = -ENOMEM;

    if (!rs)
        return err;
    rs->loop = l;
    rs->engine = e;
    rs->timeline = timeline;
    rs->recordings = opt->recordings;
    rs->log = log_for(log, "routes");
    rs->sessions_max = opt->sessions_max ? opt->sessions_max : SESSIONS_MAX;
    rs->count = opt->count;
    rs->list = calloc(opt->count + 1, sizeof *rs->list);
    if (rs->list) {
        (void)text_copy(rs->list[rs->count].figures.name, sizeof rs->list->figures.name, TEXT("(none)"));
        err = timer_new(&rs->linger, l, on_linger, rs);
    }
    if (!err)
        err = load_all(rs, opt, problem, arg);
    if (err) {
        routes_free(rs);
        return err;
    }
    *out = rs;
    return 0;
}

bool routes_figures(const struct routes *r, size_t i, struct route_figures *out)
{
    if (i > r->count)
        return false;
    *out = r->list[i].figures;
    if (r->list[i].shadow)
        shadow_figures(r->list[i].shadow, &out->shadow);
    return true;
}

/* ---- closing ---- */

static bool shadows_are_idle(const struct routes *rs)
{
    for (size_t i = 0; i < rs->count; i++)
        if (rs->list[i].shadow && !shadow_is_idle(rs->list[i].shadow))
            return false;
    return true;
}

static void close_check(struct routes *rs)
{
    if (rs->closing && !rs->visits && shadows_are_idle(rs))
        timer_start(rs->linger, 0); /* not from inside routes_close or a session's handler */
}

static void stop_all(struct routes *rs)
{
    struct visit *v, *next;

    DL_FOREACH_SAFE(rs->visits, v, next) {
        if (v->run)
            script_stop(v->run);
        else if (!v->answer)
            agi_session_abort(v->session);
    }
}

static void on_linger(void *arg)
{
    struct routes *rs = arg;
    void (*const on_closed_all)(void *arg) = rs->on_closed;
    void *const closed_arg = rs->closed_arg;

    if (rs->visits) {
        stop_all(rs);
        return;
    }
    if (!shadows_are_idle(rs))
        return; /* they were told to stop; close_check follows */
    routes_free(rs);
    on_closed_all(closed_arg);
}

void routes_close(struct routes *r, int64_t linger_ms, void (*on_closed_all)(void *arg), void *arg)
{
    r->closing = true;
    r->on_closed = on_closed_all;
    r->closed_arg = arg;
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].shadow)
            shadow_stop(r->list[i].shadow);
    timer_start(r->linger, linger_ms > 0 && r->visits ? linger_ms : 0);
}
