/* Finds what an interrupted connection, a restart or a late answer left behind: callers nobody holds, external channels and
 * bridges of no call.
 *
 *   IDLE --plan--> PLANNED --> INSIDE --> SETTLE --> STILL --> CHANNELS --> BRIDGES --> IDLE
 *                     ^       GET applications/{app}: twice    GET channels, GET bridges |
 *                     +------------------ no answer: again after a pause ---------------+
 *
 * A watch goes PLANNED --> INSIDE --> PLANNED only. SETTLE: an answer may overtake events that were sent before it (seen on 22.10.1), and a call may end while we ask. So a channel is a
 * stranger only if it is inside, and nobody knows it, both times. */
#include "call/stasis_sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum {
    SETTLE_MS = 500,
    ROUNDS_MAX = 3,                /* of deleting the same: what stays then is told, and waits for the next occasion */
    SYNC_PATH_MAX = 1000,
};

enum sync_state { SYNC_IDLE, SYNC_PLANNED, SYNC_INSIDE, SYNC_SETTLE, SYNC_STILL, SYNC_CHANNELS, SYNC_BRIDGES };

static const unsigned sync_moves[] = {
    [SYNC_IDLE] = 1u << SYNC_PLANNED,
    [SYNC_PLANNED] = 1u << SYNC_INSIDE | 1u << SYNC_IDLE,
    [SYNC_INSIDE] = 1u << SYNC_SETTLE | 1u << SYNC_PLANNED | 1u << SYNC_IDLE,
    [SYNC_SETTLE] = 1u << SYNC_STILL | 1u << SYNC_IDLE,
    [SYNC_STILL] = 1u << SYNC_CHANNELS | 1u << SYNC_PLANNED | 1u << SYNC_IDLE,
    [SYNC_CHANNELS] = 1u << SYNC_BRIDGES | 1u << SYNC_PLANNED | 1u << SYNC_IDLE,
    [SYNC_BRIDGES] = 1u << SYNC_IDLE | 1u << SYNC_PLANNED,
};

struct stasis_sync {
    enum sync_state state;
    const struct stasis_ground *ground;
    struct stasis_view view;
    struct timer *timer;
    struct ari_request *request;
    char **suspects;               /* SETTLE, STILL: ids to look at again */
    char app_path[SYNC_PATH_MAX];  /* applications/{app}; "applications" where there may be one for each call */
    bool has_many;                 /* the latter */
    bool is_watch;
    int64_t asked_ms, due_ms;
    bool is_wanted_again;          /* planned while one was under way */
    bool has_compared;             /* once, to the end */
    bool has_removed;              /* in this comparison */
    unsigned rounds;               /* comparisons in a row that had to remove something */
};

static void set_state(struct stasis_sync *y, enum sync_state to)
{
    INVARIANT(sync_moves[y->state] & (1u << to));
    y->state = to;
}

static void plan(struct stasis_sync *y, int64_t delay_ms)
{
    set_state(y, SYNC_PLANNED);
    y->due_ms = loop_now_ms(y->ground->loop) + delay_ms;
    timer_start(y->timer, delay_ms);
}

static void on_answer(int err, int status, struct text body, void *arg);

static void ask(struct stasis_sync *y, enum sync_state to, const char *path)
{
    set_state(y, to);
    y->asked_ms = loop_now_ms(y->ground->loop);
    if (ari_send(&y->request, y->ground->ari, "GET", path, TEXT_NONE, on_answer, y) != 0)
        plan(y, y->ground->again_ms);
}

/* ---- what was left behind ---- */

/* 204 is no outcome: after a deletion it is compared once more. */
static void remove_one(struct stasis_sync *y, const char *what, char kind, const char *id)
{
    const struct text t = text_of(id);
    struct buf path;

    if (!stasis_is_ours(y->ground->app, kind, t) || y->view.knows_ours(y->view.arg, t))
        return;
    log_warn(&y->ground->log, "left_behind", kv_str("what", what), kv_str("id", id));
    buf_init(&path, SYNC_PATH_MAX);
    buf_add_text(&path, text_of(what));
    buf_add_char(&path, '/');
    buf_add_url(&path, t);
    y->has_removed = true;
    if (buf_cstr(&path) && ari_send(NULL, y->ground->ari, "DELETE", path.p, TEXT_NONE, NULL, NULL) != 0)
        y->is_wanted_again = true;
    buf_free(&path);
}

static int remove_all(struct stasis_sync *y, const char *what, char kind, struct text body)
{
    char **ids;
    const int err = ari_ids_parse(body, &ids);

    if (err)
        return err;
    for (char **id = ids; *id; id++)
        remove_one(y, what, kind, *id);
    ari_list_free(ids);
    return 0;
}

/* ---- who is inside ---- */

static bool is_stranger(const struct stasis_sync *y, const char *id)
{
    const struct text t = text_of(id);

    return !stasis_is_ours(y->ground->app, 'x', t) && !y->view.knows_channel(y->view.arg, t);
}

/* Keeps the strangers of a list that is ours. */
static void strangers_keep(const struct stasis_sync *y, char **ids)
{
    char **to = ids;

    for (char **id = ids; *id; id++) {
        if (is_stranger(y, *id))
            *to++ = *id;
        else
            free(*id);
    }
    *to = NULL;
}

static int inside_parse(const struct stasis_sync *y, struct text body, char ***inside)
{
    char **bridges;
    int err;

    if (y->has_many)
        return ari_applications_parse(body, text_of(y->ground->app), inside);
    err = ari_application_parse(body, inside, &bridges);
    if (!err)
        ari_list_free(bridges);
    return err;
}

static int inside_take(struct stasis_sync *y, struct text body)
{
    char **inside;
    const int err = inside_parse(y, body, &inside);

    if (err)
        return err;
    y->view.on_inside(y->view.arg, inside, y->asked_ms);
    if (y->is_watch) {
        ari_list_free(inside);
        plan(y, y->ground->again_ms);
        return 0;
    }
    strangers_keep(y, inside);
    ari_list_free(y->suspects);
    y->suspects = inside;
    set_state(y, SYNC_SETTLE);
    timer_start(y->timer, SETTLE_MS);
    return 0;
}

static bool is_suspect(const struct stasis_sync *y, const char *id)
{
    for (char **s = y->suspects; *s; s++) {
        if (strcmp(*s, id) == 0)
            return true;
    }
    return false;
}

static int still_take(struct stasis_sync *y, struct text body)
{
    char **inside;
    const int err = inside_parse(y, body, &inside);

    if (err)
        return err;
    strangers_keep(y, inside);
    for (char **id = inside; *id; id++) {
        if (is_suspect(y, *id))
            y->view.on_stranger(y->view.arg, text_of(*id));
    }
    ari_list_free(inside);
    ask(y, SYNC_CHANNELS, "channels");
    return 0;
}

/* ---- the course ---- */

static void done(struct stasis_sync *y)
{
    set_state(y, SYNC_IDLE);
    y->has_compared = true;
    y->rounds = y->has_removed ? y->rounds + 1 : 0;
    if (y->has_removed && y->rounds < ROUNDS_MAX)
        y->is_wanted_again = true;
    else if (y->has_removed)
        log_error(&y->ground->log, "still_left_behind", kv_int("rounds", y->rounds));
    y->has_removed = false;
    if (!y->is_wanted_again)
        return;
    y->is_wanted_again = false;
    plan(y, y->ground->again_ms);
}

static int take(struct stasis_sync *y, struct text body)
{
    int err;

    switch (y->state) {
    case SYNC_INSIDE:
        return inside_take(y, body);
    case SYNC_STILL:
        return still_take(y, body);
    case SYNC_CHANNELS:
        err = remove_all(y, "channels", 'x', body);
        if (!err)
            ask(y, SYNC_BRIDGES, "bridges");
        return err;
    case SYNC_BRIDGES:
        err = remove_all(y, "bridges", 'b', body);
        if (!err)
            done(y);
        return err;
    default:
        return 0;
    }
}

static void on_answer(int err, int status, struct text body, void *arg)
{
    struct stasis_sync *y = arg;

    y->request = NULL;
    if (!err && status >= 400)
        err = -EIO;
    if (!err)
        err = take(y, body);
    if (!err)
        return;
    if (!ari_is_up(y->ground->ari) && !y->is_watch) {
        set_state(y, SYNC_IDLE);   /* the next on_up plans it anew */
        return;
    }
    log_warn(&y->ground->log, "sync_failed", kv_err(err), kv_int("http", status));
    plan(y, y->ground->again_ms);
}

static void on_timer(void *arg)
{
    struct stasis_sync *y = arg;

    if (y->state == SYNC_SETTLE)
        ask(y, SYNC_STILL, y->app_path);
    else if (y->state == SYNC_PLANNED)
        ask(y, SYNC_INSIDE, y->app_path);
}

bool stasis_sync_has_compared(const struct stasis_sync *y)
{
    return y->has_compared;
}

void stasis_sync_watch(struct stasis_sync *y)
{
    stasis_sync_stop(y);
    y->is_watch = true;
    plan(y, y->ground->again_ms);
}

void stasis_sync_plan(struct stasis_sync *y, int64_t delay_ms)
{
    if (y->is_watch && ari_is_up(y->ground->ari))
        stasis_sync_stop(y);       /* the name is ours again */
    if (y->is_watch)
        return;                    /* what is inside is not ours to give back, nor what bears our names to delete */
    if (y->state == SYNC_IDLE)
        plan(y, delay_ms);
    else if (y->state != SYNC_PLANNED)
        y->is_wanted_again = true;
    else if (y->due_ms > loop_now_ms(y->ground->loop) + delay_ms)
        timer_start(y->timer, delay_ms);
}

void stasis_sync_stop(struct stasis_sync *y)
{
    ari_forget(y->request);
    y->request = NULL;
    timer_stop(y->timer);
    ari_list_free(y->suspects);
    y->suspects = NULL;
    y->is_wanted_again = y->is_watch = false;
    if (y->state != SYNC_IDLE)
        set_state(y, SYNC_IDLE);
}

void stasis_sync_free(struct stasis_sync *y)
{
    if (!y)
        return;
    stasis_sync_stop(y);
    timer_free(y->timer);
    free(y);
}

int stasis_sync_new(struct stasis_sync **out, const struct stasis_ground *g, const struct stasis_view *view)
{
    struct stasis_sync *y = calloc(1, sizeof *y);
    struct buf b;
    int err;

    if (!y)
        return -ENOMEM;
    y->ground = g;
    y->view = *view;
    y->has_many = g->is_listening;
    buf_init(&b, SYNC_PATH_MAX - 1);
    buf_add_text(&b, TEXT("applications"));
    if (!y->has_many) {
        buf_add_char(&b, '/');
        buf_add_url(&b, text_of(g->app));
    }
    text_copy(y->app_path, sizeof y->app_path, buf_text(&b));
    err = b.err ? b.err : timer_new(&y->timer, g->loop, on_timer, y);
    buf_free(&b);
    if (err) {
        free(y);
        return err;
    }
    *out = y;
    return 0;
}
