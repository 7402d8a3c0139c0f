/* Carries ARI over one WebSocket, and matches answers with requests.
 *
 *   OPENING --opened by us--------------------> READY --> CLOSED
 *      +---- opened by Asterisk --> NAMELESS ---^ its first event names the application
 *
 * What Asterisk 22.10.1 does: it answers in order, one request after the other. When the application is no longer registered, requests
 * are carried out but not answered at all (the answer goes through the application's filter), so silence is told apart from an old Asterisk
 * by nobody but the probe. It writes a frame's head and its payload apart: unconfirmed, every answer takes 40 ms more. */
#include "pbx/ari_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/ref.h"

enum {
    PING_MS = 5000,                /* Asterisk sends no pings of its own */
    MESSAGE_MAX = 16 * 1024 * 1024,
    PROBE_MS = 2000,
    UNUSED_ANSWERS_MAX = 1000,
};

enum link_state { LINK_OPENING, LINK_NAMELESS, LINK_READY, LINK_CLOSED };
enum link_rest { REST_UNKNOWN, REST_NO, REST_YES };

static const unsigned link_moves[] = {
    [LINK_OPENING] = 1u << LINK_NAMELESS | 1u << LINK_READY | 1u << LINK_CLOSED,
    [LINK_NAMELESS] = 1u << LINK_READY | 1u << LINK_CLOSED,
    [LINK_READY] = 1u << LINK_CLOSED,
    [LINK_CLOSED] = 0,
};

struct ari_asked {
    struct ari_asked *prev, *next;
    uint64_t id;
    int64_t due_ms;
    ari_link_on_answer *on_answer;
    void *arg;
};

struct ari_link {
    enum link_state state;
    enum link_rest rest;
    struct loop *loop;
    struct websocket *ws;
    struct timer *timer;           /* NAMELESS: its name; READY: the earliest deadline of asked */
    struct ari_link_options opt;
    const char *credentials;       /* of an accepted one */
    char *app;
    struct ari_asked *asked;       /* in order of sending; the probe's deadline may be earlier than those before it */
    uint64_t last_id;
    unsigned late;                 /* answers still owed past their deadline */
    bool is_accepted, is_closing;
    struct ari_link_handlers on;
    void *arg;
};

static void set_state(struct ari_link *k, enum link_state to)
{
    INVARIANT(link_moves[k->state] & (1u << to));
    k->state = to;
}

const char *ari_link_app(const struct ari_link *k)
{
    return k->app ? k->app : "";
}

bool ari_link_is_ready(const struct ari_link *k)
{
    return k->state == LINK_READY && !k->is_closing;
}

bool ari_link_has_rest(const struct ari_link *k)
{
    return ari_link_is_ready(k) && k->rest == REST_YES && k->late == 0;
}

/* ---- requests and answers ---- */

static void deadline_start(struct ari_link *k)
{
    const struct ari_asked *a;
    int64_t due_ms = INT64_MAX;

    DL_FOREACH(k->asked, a)
        due_ms = a->due_ms < due_ms ? a->due_ms : due_ms;
    if (due_ms == INT64_MAX)
        timer_stop(k->timer);
    else
        timer_start(k->timer, due_ms - loop_now_ms(k->loop) > 0 ? due_ms - loop_now_ms(k->loop) : 0);
}

/* Gone before its handler runs. */
static void asked_end(struct ari_link *k, struct ari_asked *a, int err, int status, struct text body)
{
    ari_link_on_answer *const on_answer = a->on_answer;
    void *const arg = a->arg;

    DL_DELETE(k->asked, a);
    free(a);
    if (on_answer)
        on_answer(err, status, body, arg);
}

static void asked_late(struct ari_link *k)
{
    const int64_t now_ms = loop_now_ms(k->loop);
    struct ari_asked *a, *next;

    DL_FOREACH_SAFE(k->asked, a, next) {
        if (a->due_ms > now_ms)
            continue;
        k->late += k->late < UNUSED_ANSWERS_MAX;
        asked_end(k, a, -ETIMEDOUT, 0, TEXT_NONE);
        next = k->asked;           /* the handler may have asked more, or ended others */
    }
    if (k->state == LINK_READY)
        deadline_start(k);
}

static int ask(struct ari_link *k, const char *method, const char *path, struct text json_body, int64_t wait_ms,
               ari_link_on_answer *on_answer, void *arg)
{
    struct ari_asked *a = malloc(sizeof *a);
    struct buf b;
    int err;

    if (!a)
        return -ENOMEM;
    *a = (struct ari_asked){ .id = ++k->last_id, .due_ms = loop_now_ms(k->loop) + wait_ms, .on_answer = on_answer, .arg = arg };
    buf_init(&b, ARI_REQUEST_MAX);
    err = ari_request_write(&b, a->id, method, path, json_body);
    if (err == -ENOBUFS)
        err = -EMSGSIZE;
    if (!err)
        err = websocket_send(k->ws, true, buf_text(&b));
    buf_free(&b);
    if (err) {
        free(a);
        return err;
    }
    DL_APPEND(k->asked, a);
    deadline_start(k);
    return 0;
}

int ari_link_ask(struct ari_link *k, const char *method, const char *path, struct text json_body, ari_link_on_answer *on_answer, void *arg)
{
    if (!ari_link_is_ready(k))
        return -EPIPE;
    return ask(k, method, path, json_body, k->opt.request_ms, on_answer, arg);
}

static void rest_is(struct ari_link *k, bool is_offered)
{
    const enum link_rest before = k->rest;

    k->rest = is_offered ? REST_YES : REST_NO;
    if (k->rest != before && k->state == LINK_READY)
        k->on.on_rest(k, is_offered, k->arg);
}

static void on_probe(int err, int status, struct text body, void *arg)
{
    struct ari_link *k = arg;

    (void)status;
    (void)body;
    if (err == -ETIMEDOUT)
        rest_is(k, false);
    /* An answer of any status came through take_answer, which has said so. */
}

void ari_link_probe(struct ari_link *k)
{
    if (ari_link_is_ready(k) && ask(k, "GET", "asterisk/ping", TEXT_NONE, PROBE_MS, on_probe, k) != 0)
        log_warn(k->opt.log, "probe_not_sent", kv_str("node", k->opt.node));
}

static void take_answer(struct ari_link *k, const struct ari_response *r)
{
    struct ari_asked *a;

    DL_FOREACH(k->asked, a) {
        if (a->id == r->id)
            break;
    }
    if (!a && k->late > 0)
        k->late--;
    rest_is(k, true);
    if (!a)
        return;
    asked_end(k, a, 0, r->status, r->body);
    if (k->state == LINK_READY)
        deadline_start(k);
}

/* ---- events ---- */

/* Of one that Asterisk opened, the first event names the application. 0 or -ENOMEM. */
static int name_take(struct ari_link *k, struct text app)
{
    if (k->app || !app.n)
        return 0;
    k->app = text_dup(app);
    if (!k->app)
        return -ENOMEM;
    if (k->state != LINK_NAMELESS)
        return 0;
    set_state(k, LINK_READY);
    timer_stop(k->timer);
    k->on.on_ready(k, k->arg);
    return 0;
}

static void take_event(struct ari_link *k, struct text message)
{
    struct ari_event e;

    if (ari_event_parse(&e, message) != 0) {
        log_warn(k->opt.log, "event_unreadable", kv_str("node", k->opt.node), kv_str("why", e.fault));
        return;
    }
    if (name_take(k, e.application) != 0)
        ari_link_close(k, 1011, "out of memory");
    else if (ari_link_is_ready(k))
        k->on.on_event(k, &e, k->arg);
    ari_event_free(&e);
}

static void on_ws_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct ari_link *k = arg;
    struct ari_response r;
    int err;

    (void)w;
    if (!is_text || k->state == LINK_CLOSED || k->is_closing)
        return;
    err = ari_response_parse(&r, message);
    if (err == -ENOENT) {
        take_event(k, message);
    } else if (err) {
        log_warn(k->opt.log, "answer_unreadable", kv_str("node", k->opt.node), kv_err(err));
    } else {
        take_answer(k, &r);
        ari_response_free(&r);
    }
}

/* ---- the connection ---- */

static void on_ws_open(struct websocket *w, void *arg)
{
    struct ari_link *k = arg;

    (void)w;
    if (k->is_closing)
        return;
    if (k->is_accepted) {
        set_state(k, LINK_NAMELESS);
        timer_start(k->timer, k->opt.open_ms);
        return;
    }
    set_state(k, LINK_READY);
    k->on.on_ready(k, k->arg);
}

static void on_ws_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct ari_link *k = arg;

    INVARIANT(w == k->ws);
    set_state(k, LINK_CLOSED);
    timer_stop(k->timer);
    while (k->asked)
        asked_end(k, k->asked, -ECONNRESET, 0, TEXT_NONE);
    k->ws = ref_drop(k->ws);
    k->on.on_closed(k, err, status, detail, k->arg);
    ref_drop(k);                   /* the loop's */
}

static void on_timer(void *arg)
{
    struct ari_link *k = ref_hold(arg);

    if (k->state == LINK_NAMELESS)
        ari_link_close(k, 1008, "no application was named");
    else if (k->state == LINK_READY)
        asked_late(k);
    ref_drop(k);
}

void ari_link_close(struct ari_link *k, int status, const char *reason)
{
    k->is_closing = true;
    if (k->ws)
        websocket_close(k->ws, status, reason);
}

/* Of the length only equality is told: it is no secret that helps. */
static bool is_equal(struct text a, struct text b)
{
    unsigned char differs = 0;

    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        differs |= (unsigned char)(a.p[i] ^ b.p[i]);
    return differs == 0;
}

static int on_request(struct text target, struct text authorization, struct websocket_reply *reply, void *arg)
{
    const struct ari_link *k = arg;

    (void)target;
    if (is_equal(authorization, text_of(k->credentials)))
        return 101;
    text_copy(reply->body, sizeof reply->body, TEXT("{\"message\":\"Authentication required\"}"));
    return 401;
}

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct ari_link *k = obj;

    timer_free(k->timer);
    free(k->app);
}

static const struct websocket_handlers ws_on = { .on_open = on_ws_open, .on_message = on_ws_message, .on_closed = on_ws_closed };

static struct ari_link *make(struct loop *l, const struct ari_link_options *opt, const struct ari_link_handlers *on, void *arg)
{
    struct ari_link *k = ref_new(sizeof *k, destroy);

    if (!k)
        return NULL;
    k->loop = l;
    k->opt = *opt;
    k->on = *on;
    k->arg = arg;
    return timer_new(&k->timer, l, on_timer, k) ? ref_drop(k) : k;
}

static int begin(struct ari_link **out, struct ari_link *k, int err)
{
    if (err) {
        ref_drop(k);
        return err;
    }
    ref_hold(k);                   /* the loop's, until on_ws_closed */
    *out = k;
    return 0;
}

int ari_link_dial(struct ari_link **out, struct dialer *d, struct loop *l, const char *url, const char *user, const char *password,
                  const struct ari_link_options *opt, const struct ari_link_handlers *on, void *arg)
{
    const struct websocket_options wo = { .url = url, .user = user, .password = password, .connect_ms = opt->open_ms, .ping_ms = PING_MS,
                                          .message_max = MESSAGE_MAX, .confirms = true };
    struct ari_link *k = make(l, opt, on, arg);

    if (!k)
        return -ENOMEM;
    return begin(out, k, websocket_open(&k->ws, d, &wo, &ws_on, k));
}

int ari_link_accept(struct ari_link **out, struct stream *s, const char *credentials, const struct ari_link_options *opt,
                    const struct ari_link_handlers *on, void *arg)
{
    const struct websocket_options wo = { .connect_ms = opt->open_ms, .ping_ms = PING_MS, .message_max = MESSAGE_MAX, .confirms = true };
    struct ari_link *k = make(stream_loop(s), opt, on, arg);

    if (!k) {
        stream_abort(s);
        ref_drop(s);
        return -ENOMEM;
    }
    k->is_accepted = true;
    k->credentials = credentials;
    return begin(out, k, websocket_accept(&k->ws, s, &wo, on_request, &ws_on, k));
}
