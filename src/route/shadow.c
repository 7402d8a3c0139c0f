/* Holds the shadow of one route: a player for each session, and the verdict over it. */
#include "route/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/ref.h"
#include "route/compare.h"
#include "route/player.h"
#include "route/script_inner.h"

enum { MEMORY_MAX = 16 * 1024 * 1024, BUDGET = 1000 * 1000, ROUTE_MAX = 64 };

struct shadow_run {
    struct shadow *shadow;
    struct tape *tape;
    struct player *player;
    struct script_run *run;
    struct mask mask;
    bool ended;                    /* the shadow's side; then only the live session is waited for */
    int64_t deadline_ms;
    struct shadow_run *prev, *next;
};

struct shadow {
    struct loop *loop;
    struct script_services services;
    struct script_engine *engine;
    struct script *script;
    struct log log;
    struct log_sink calm;          /* for its scripts: an error of the shadow is no warning, unless somebody debugs */
    struct log script_log;
    char route[ROUTE_MAX];
    struct shadow_run *runs;
    struct shadow_figures figures;
    unsigned strikes;
    bool stopping;
    void (*on_idle)(void *arg);
    void *arg;
};

/* ---- the verdict ---- */

static void keep_last(struct shadow_run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void keep_last(struct shadow_run *r, const char *fmt, ...)
{
    char *last = r->shadow->figures.last;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(last, SHADOW_LAST_MAX, fmt, ap);
    va_end(ap);
    mask_text(&r->mask, last, strlen(last));
    for (char *p = last; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

static struct text cut(struct text t)
{
    return text_head(t, 90);
}

static size_t count_commands(struct shadow_run *r)
{
    size_t old_count = 0, new_count = 0, count = 0, differing = 0;
    struct text *old = tape_command_list(r->tape, &old_count), *new = player_command_list(r->player, &new_count);
    struct compare_row *rows = NULL;

    if (!old || !new || compare_commands(old, old_count, new, new_count, &rows, &count)) {
        r->shadow->figures.skipped++;
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].side == COMPARE_BOTH)
            continue;
        if (differing++ == 0 && rows[i].side == COMPARE_OLD)
            keep_last(r, "command %zu: live \"%.*s\", shadow %s", rows[i].old_at + 1, TEXT_ARG(cut(old[rows[i].old_at])),
                      i + 1 < count && rows[i + 1].side == COMPARE_NEW ? "another" : "none");
        else if (differing == 1)
            keep_last(r, "command %zu: shadow asks \"%.*s\", live does not", rows[i].new_at + 1, TEXT_ARG(cut(new[rows[i].new_at])));
    }
    free(rows);
    free(old);
    free(new);
    return differing;
}

static bool status_differs(struct shadow_run *r)
{
    struct tape_entry end;
    struct text reason;
    char line[240];
    const enum agi_end status = player_status(r->player, &reason);

    if (player_was_stopped(r->player) || !tape_at(r->tape, tape_count(r->tape) - 1, &end) || end.kind != TAPE_END)
        return false;
    snprintf(line, sizeof line, "%s %.*s", agi_end_name(status), TEXT_ARG(reason));
    if (text_eq(end.text, text_of(line)))
        return false;
    keep_last(r, "outcome: live %.*s, shadow %s", TEXT_ARG(cut(end.text)), line);
    return true;
}

static void count_strike(struct shadow *s, const struct shadow_run *r)
{
    struct text reason;
    const bool is_strike = player_status(r->player, &reason) == AGI_END_ERROR &&
                           (text_eq(reason, TEXT("budget")) || text_eq(reason, TEXT("memory")));

    s->strikes = is_strike ? s->strikes + 1 : 0;
    if (s->strikes < SHADOW_STRIKES_MAX || s->figures.is_off)
        return;
    s->figures.is_off = true;
    log_warn(&s->log, "shadow_off", kv_str("route", s->route), kv_text("reason", reason), kv_int("times", SHADOW_STRIKES_MAX),
             kv_str("next", "this route runs without its shadow until the handlers are read again (SIGHUP)"));
}

static void judge(struct shadow_run *r)
{
    struct shadow *s = r->shadow;
    size_t differing;

    if (s->stopping)
        return;
    if (tape_is_cut(r->tape)) {
        s->figures.skipped++;
        return;
    }
    differing = count_commands(r) + status_differs(r);
    s->figures.sessions++;
    s->figures.differing += differing > 0;
    s->figures.differences += differing;
    if (differing)
        log_debug(&s->log, "shadow_differs", kv_str("route", s->route), kv_str("first", s->figures.last));
    count_strike(s, r);
}

/* ---- one session ---- */

static void run_free(struct shadow_run *r)
{
    struct shadow *s = r->shadow;

    DL_DELETE(s->runs, r);
    s->figures.active--;
    player_free(r->player);
    tape_listen(r->tape, NULL, NULL);
    ref_drop(r->tape);
    free(r);
    if (s->stopping && !s->runs)
        s->on_idle(s->arg);
}

static void on_tape(void *arg)
{
    struct shadow_run *r = arg;

    if (!tape_has_ended(r->tape))
        return;
    judge(r);
    run_free(r);
}

static void on_player_end(struct player *p, void *arg)
{
    struct shadow_run *r = arg;

    (void)p;
    r->ended = true;
    r->run = NULL;
    if (r->shadow->stopping || tape_has_ended(r->tape)) {
        judge(r);
        run_free(r);
        return;
    }
    tape_listen(r->tape, on_tape, r); /* what the live session still does counts */
}

static int begin(void *arg, struct agi_session *session, struct text call, script_on_done *on_done, void *done_arg)
{
    struct shadow_run *r = arg;

    return script_run_agi(&r->run, r->shadow->script, session, call, r->deadline_ms, NULL, on_done, done_arg);
}

void shadow_begin(struct shadow *s, struct tape *tape, int64_t deadline_ms, const struct mask *hide)
{
    struct shadow_run *r;

    if (s->stopping)
        return;
    r = s->figures.is_off || s->figures.active >= SHADOW_ACTIVE_MAX ? NULL : calloc(1, sizeof *r);
    if (r) {
        const struct player_actor actor = { .begin = begin, .arg = r };

        r->shadow = s;
        r->deadline_ms = deadline_ms;
        if (hide)
            r->mask = *hide;
        r->tape = ref_hold(tape);
        if (player_new(&r->player, s->loop, tape, &actor, &s->log, on_player_end, r) != 0) {
            ref_drop(r->tape);
            free(r);
            r = NULL;
        }
    }
    if (!r) {
        s->figures.skipped++;
        return;
    }
    s->figures.active++;
    DL_APPEND(s->runs, r);
}

/* ---- the whole ---- */

int shadow_open(struct shadow **out, struct loop *l, const struct script_engine *live, const char *path, const char *route,
                const struct log *log, void (*on_idle)(void *arg), void *arg, char **problem)
{
    static const struct script_limits limits = { .memory_max = MEMORY_MAX, .budget = BUDGET };
    struct shadow *s = calloc(1, sizeof *s);
    int err;

    *problem = NULL;
    if (!s)
        return -ENOMEM;
    s->loop = l;
    s->log = log_for(log, "shadow");
    s->calm = *log->sink;
    if (s->calm.level > LOG_DEBUG && s->calm.level < LOG_ERROR)
        s->calm.level = LOG_ERROR;
    s->script_log = (struct log){ .sink = &s->calm, .module = s->log.module };
    s->on_idle = on_idle;
    s->arg = arg;
    text_copy(s->route, sizeof s->route, text_of(route));
    s->services = (struct script_services){ .store_get = live->services.store_get, .arg = live->services.arg };
    err = script_engine_new(&s->engine, l, &s->services, &limits, &s->script_log);
    if (!err)
        err = script_load(&s->script, s->engine, path, "handle", problem);
    if (err) {
        shadow_free(s);
        return err;
    }
    *out = s;
    return 0;
}

int shadow_reload(struct shadow *s, char **problem)
{
    const int err = script_reload(&s->script, problem);

    if (!err) {
        s->strikes = 0;
        s->figures.is_off = false;
    }
    return err;
}

void shadow_figures(const struct shadow *s, struct shadow_figures *out)
{
    *out = s->figures;
}

bool shadow_is_idle(const struct shadow *s)
{
    return !s->runs;
}

void shadow_stop(struct shadow *s)
{
    struct shadow_run *r, *next;

    if (s->stopping)
        return;
    s->stopping = true;
    DL_FOREACH_SAFE(s->runs, r, next) {
        if (r->ended)
            run_free(r);
        else
            player_stop(r->player);
    }
}

void shadow_free(struct shadow *s)
{
    if (!s)
        return;
    INVARIANT(!s->runs);
    if (s->script)
        script_release(s->script);
    if (s->engine)
        script_engine_free(s->engine);
    free(s);
}
