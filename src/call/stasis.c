/* Keeps the calls of one node: which there are, what Asterisk tells of each, and their orderly end. */
#include "call/stasis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/ref.h"
#include "call/stasis_call.h"
#include "call/stasis_claim.h"
#include "call/stasis_sync.h"

enum {
    STEP_MS = 3000,
    CALLS_MAX = 500,
    REFUSED_MAX = 1000,            /* calls over calls_max that are being given back */
    AGAIN_MS = 5000,               /* a lost connection of one call: Asterisk tries for about 4 s itself */
};

struct stasis {
    struct stasis_ground ground;
    struct stasis_sync *sync;
    struct stasis_claims *claims;  /* NULL: none are made */
    struct timer *cut;             /* then calls whose own connection did not come back are given back */
    struct stasis_call *calls;     /* all, in the order in which they began */
    struct stasis_call *by_channel, *by_media;
    size_t count, calls_max;
    bool is_closing;
    struct timer *linger;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

size_t stasis_calls(const struct stasis *s)
{
    return s->count;
}

bool stasis_is_up(const struct stasis *s)
{
    return ari_is_up(s->ground.ari);
}

bool stasis_listening(const struct stasis *s, struct address *out)
{
    return ari_listening(s->ground.ari, out);
}

/* ---- the table of calls ---- */

static struct stasis_call *find_channel(struct stasis *s, struct text id)
{
    struct stasis_call *c;

    HASH_FIND(by_channel, s->by_channel, id.p, id.n, c);
    return c;
}

static struct stasis_call *find_media(struct stasis *s, struct text id)
{
    struct stasis_call *c;

    HASH_FIND(by_media, s->by_media, id.p, id.n, c);
    return c;
}

static void unindex(struct stasis *s, struct stasis_call *c)
{
    if (c->is_indexed)
        HASH_DELETE(by_channel, s->by_channel, c);
    c->is_indexed = false;
}

static void unlink_call(struct stasis *s, struct stasis_call *c)
{
    unindex(s, c);
    HASH_DELETE(by_media, s->by_media, c);
    DL_DELETE(s->calls, c);
    s->count--;
}

static struct stasis_call *add_call(struct stasis *s, struct text channel, const struct ari_event *start)
{
    struct stasis_call *c;
    int err = -ENOBUFS;

    if (s->count < s->calls_max + REFUSED_MAX)
        err = stasis_call_new(&c, &s->ground, channel, start);
    if (err) {
        log_error(&s->ground.log, "call_not_taken", kv_text("call", channel), kv_err(err));
        stasis_sync_plan(s->sync, s->ground.again_ms);  /* finds it inside and gives it back then */
        return NULL;
    }
    HASH_ADD_KEYPTR(by_channel, s->by_channel, c->channel, strlen(c->channel), c);
    c->is_indexed = true;
    HASH_ADD_KEYPTR(by_media, s->by_media, c->media, strlen(c->media), c);
    DL_APPEND(s->calls, c);
    s->count++;
    return c;
}

static void check_closed(struct stasis *s)
{
    if (s->is_closing && s->count == 0) {
        timer_stop(s->linger);
        ari_close(s->ground.ari);
    }
}

static void on_over(struct stasis_call *c, void *arg)
{
    struct stasis *s = arg;

    unlink_call(s, c);
    ref_drop(c);
    check_closed(s);
}

static int rename_media(struct stasis_call *c, void *arg)
{
    struct stasis *s = arg;
    int err;

    HASH_DELETE(by_media, s->by_media, c);
    err = stasis_call_rename(c);
    HASH_ADD_KEYPTR(by_media, s->by_media, c->media, strlen(c->media), c);
    return err;
}

static void on_residue(void *arg)
{
    struct stasis *s = arg;

    stasis_sync_plan(s->sync, s->ground.again_ms);
}

/* ---- what Asterisk tells ---- */

static void tell_start(struct stasis *s, const struct stasis_call *c, const struct ari_event *e)
{
    log_info(&s->ground.log, "start", kv_str("call", c->channel), kv_str("agent", c->agent), kv_str("caller", c->number));
    TIMELINE(s->ground.timeline, text_of(c->channel), "stasis.start", kv_str("agent", c->agent), kv_str("caller_number", c->number),
             kv_str("caller_name", c->name), kv_text("channel", e->channel.name));
}

static void on_caller_start(struct stasis *s, const struct ari_event *e)
{
    struct stasis_call *c = find_channel(s, e->channel.id);
    const bool is_full = s->count >= s->calls_max;

    if (s->claims)
        stasis_claims_begun(s->claims, e->channel.id);

    if (c) {                       /* it left and came again, and the leaving was not heard of */
        unindex(s, c);
        stasis_call_lost(c);
    }
    c = add_call(s, e->channel.id, e);
    if (!c)
        return;
    tell_start(s, c, e);
    if (s->is_closing)
        stasis_call_give_back(c, "BUSY", "shutdown"); /* as FastAGI says it: nothing has begun */
    else if (is_full)
        stasis_call_give_back(c, "BUSY", "calls_max");
    else if (s->ground.talks.has_agent(s->ground.talks.arg, text_of(c->agent)) != 0)
        stasis_call_give_back(c, "ERROR", "no_agent");
    else
        stasis_call_begin(c);
}

static void on_start(struct stasis *s, const struct ari_event *e)
{
    struct stasis_call *c;

    if (!stasis_is_ours(s->ground.app, 'x', e->channel.id)) {
        on_caller_start(s, e);
        return;
    }
    c = find_media(s, e->channel.id);
    if (c)
        stasis_call_media_inside(c);
    else
        stasis_sync_plan(s->sync, s->ground.again_ms);
}

static void on_gone(struct stasis *s, const struct ari_event *e)
{
    struct stasis_call *c = find_channel(s, e->channel.id);

    if (c) {
        stasis_call_lost(c);
        return;
    }
    c = find_media(s, e->channel.id);
    if (c)
        stasis_call_media_lost(c);
}

/* Either of a call's two channels. */
static void on_entered_bridge(struct stasis *s, const struct ari_event *e)
{
    struct stasis_call *c = find_channel(s, e->channel.id);

    if (!c)
        c = find_media(s, e->channel.id);
    if (c)
        stasis_call_joined(c, e->channel.id, e->bridge_id);
}

static struct stasis_call *find_bridge(struct stasis *s, struct text id)
{
    struct stasis_call *c;

    DL_FOREACH(s->calls, c) {
        if (text_eq(text_of(c->bridge), id))
            return c;
    }
    return NULL;
}

static void on_bridge_gone(struct stasis *s, const struct ari_event *e)
{
    struct stasis_call *c = stasis_is_ours(s->ground.app, 'b', e->bridge_id) ? find_bridge(s, e->bridge_id) : NULL;

    if (c)
        stasis_call_bridge_gone(c);
}

static void on_broadcast(struct stasis *s, const struct ari_event *e)
{
    const bool has_room = s->claims && s->count + stasis_claims_count(s->claims) < s->calls_max;

    if (has_room && !s->is_closing && !find_channel(s, e->channel.id))
        stasis_claims_want(s->claims, e->channel.id);
    else
        log_debug(&s->ground.log, "not_claimed", kv_text("call", e->channel.id), kv_int("calls", (int64_t)s->count));
}

static void on_event(const struct ari_event *e, void *arg)
{
    struct stasis *s = arg;

    switch (e->kind) {
    case ARI_STASIS_START:
        on_start(s, e);
        break;
    case ARI_STASIS_END:
    case ARI_CHANNEL_DESTROYED:
        on_gone(s, e);
        break;
    case ARI_CHANNEL_ENTERED_BRIDGE:
        on_entered_bridge(s, e);
        break;
    case ARI_BRIDGE_DESTROYED:
        on_bridge_gone(s, e);
        break;
    case ARI_CALL_BROADCAST:
        on_broadcast(s, e);
        break;
    default:
        break;
    }
}

static void on_up(void *arg)
{
    struct stasis *s = arg;

    if (!s->is_closing)
        stasis_sync_plan(s->sync, 0);
}

/* Talks go on: media does not need ARI. on_up looks at what has happened meanwhile. When another program has the name, Asterisk tells that
 * one of our calls: we look ourselves whether they are still there. */
static void on_down(int err, const char *detail, void *arg)
{
    struct stasis *s = arg;

    if (err == -EADDRINUSE && !s->is_closing)
        stasis_sync_watch(s->sync);
    log_error(&s->ground.log, "down", kv_err(err), kv_str("detail", detail), kv_int("calls", (int64_t)s->count));
}

/* ---- connections of one call ---- */

static bool is_cut(const struct stasis *s, const struct stasis_call *c)
{
    return strcmp(c->app, s->ground.app) != 0 && !ari_has_call_link(s->ground.ari, c->app);
}

/* Asterisk gave up, and returned the caller to the dialplan; or it is stuck, and we do. */
static void on_cut(void *arg)
{
    struct stasis *s = arg;
    const int64_t before_ms = loop_now_ms(s->ground.loop) - s->ground.again_ms;
    struct stasis_call *c, *next;

    DL_FOREACH_SAFE(s->calls, c, next) {
        if (!is_cut(s, c) || c->is_ending)
            continue;
        if (c->cut_ms <= before_ms)
            stasis_call_give_back(c, "ERROR", "ari_lost");
        else if (!timer_is_running(s->cut))
            timer_start(s->cut, c->cut_ms - before_ms);
    }
}

static void on_call_link(const char *app, bool is_there, void *arg)
{
    struct stasis *s = arg;
    struct stasis_call *c;

    if (is_there && !s->is_closing && !stasis_sync_has_compared(s->sync))
        stasis_sync_plan(s->sync, 0);  /* it may be of a call that an earlier run left */
    DL_FOREACH(s->calls, c) {
        if (s->is_closing || c->is_ending || strcmp(c->app, app) != 0)
            continue;
        log_warn(&s->ground.log, is_there ? "call_link_back" : "call_link_lost", kv_str("call", c->channel));
        if (is_there)
            stasis_sync_plan(s->sync, 0);  /* is the caller still there? */
        else
            c->cut_ms = loop_now_ms(s->ground.loop);
        if (!is_there && !timer_is_running(s->cut))
            timer_start(s->cut, s->ground.again_ms);
    }
}

/* ---- comparison after an interruption ---- */

static bool knows_channel(void *arg, struct text id)
{
    return find_channel(arg, id) != NULL;
}

static bool knows_ours(void *arg, struct text id)
{
    struct stasis *s = arg;
    const struct stasis_call *c;

    if (find_media(s, id))
        return true;
    DL_FOREACH(s->calls, c) {
        if (text_eq(text_of(c->bridge), id))
            return true;
    }
    return false;
}

static void on_stranger(void *arg, struct text channel)
{
    struct stasis_call *c = add_call(arg, channel, NULL);

    if (c)
        stasis_call_give_back(c, "ERROR", "restart");
}

static bool is_among(char *const *ids, const char *id)
{
    for (; *ids; ids++) {
        if (strcmp(*ids, id) == 0)
            return true;
    }
    return false;
}

static void on_inside(void *arg, char *const *channels, int64_t asked_ms)
{
    struct stasis *s = arg;
    struct stasis_call *c, *next;

    DL_FOREACH_SAFE(s->calls, c, next) {
        if (c->began_ms < asked_ms && !is_among(channels, c->channel))
            stasis_call_lost(c);
    }
}

/* ---- the end ---- */

static void on_linger(void *arg)
{
    struct stasis *s = arg;
    struct stasis_call *c, *next;

    if (s->count > 0)
        log_error(&s->ground.log, "calls_abandoned", kv_int("calls", (int64_t)s->count));
    DL_FOREACH_SAFE(s->calls, c, next) {
        unlink_call(s, c);
        stasis_call_abandon(c);
    }
    ari_close(s->ground.ari);
}

static void stasis_free(struct stasis *s)
{
    stasis_sync_free(s->sync);
    stasis_claims_free(s->claims);
    timer_free(s->cut);
    timer_free(s->linger);
    free(s->ground.app);
    free(s->ground.media_host);
    free((char *)(uintptr_t)s->ground.websocket.client);
    free(s->ground.base_url);
    free(s);
}

static void on_ari_closed(void *arg)
{
    struct stasis *s = arg;
    void (*const on_closed)(void *) = s->on_closed;
    void *const closed_arg = s->closed_arg;

    stasis_free(s);
    if (on_closed)
        on_closed(closed_arg);
}

void stasis_close(struct stasis *s, int64_t linger_ms, void (*on_closed)(void *arg), void *arg)
{
    struct stasis_call *c, *next;

    if (s->is_closing)
        return;
    s->is_closing = true;
    s->on_closed = on_closed;
    s->closed_arg = arg;
    stasis_sync_stop(s->sync);
    timer_stop(s->cut);
    DL_FOREACH_SAFE(s->calls, c, next)
        stasis_call_give_back(c, "ERROR", "shutdown");
    timer_start(s->linger, linger_ms);
    check_closed(s);
}

/* ---- construction ---- */

static const struct ari_handlers ari_on = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_call_link = on_call_link,
                                            .on_closed = on_ari_closed };

static int make(struct stasis *s, bool claims)
{
    const struct stasis_view view = {
        .knows_channel = knows_channel,
        .knows_ours = knows_ours,
        .on_stranger = on_stranger,
        .on_inside = on_inside,
        .arg = s,
    };
    int err;

    if (!s->ground.app || !s->ground.media_host || !s->ground.websocket.client || !s->ground.base_url)
        return -ENOMEM;
    err = timer_new(&s->linger, s->ground.loop, on_linger, s);
    if (!err)
        err = timer_new(&s->cut, s->ground.loop, on_cut, s);
    if (!err && claims)
        err = stasis_claims_new(&s->claims, &s->ground);
    return err ? err : stasis_sync_new(&s->sync, &s->ground, &view);
}

int stasis_open(struct stasis **out, struct loop *l, struct dialer *d, struct audiosocket_door *door,
                const struct stasis_options *opt, const struct stasis_talks *talks, const struct timeline *timeline,
                const struct log *log)
{
    struct stasis *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->calls_max = opt->calls_max ? opt->calls_max : CALLS_MAX;
    s->ground = (struct stasis_ground){
        .loop = l,
        .door = door,
        .talks = *talks,
        .timeline = timeline,
        .log = log_for(log, "stasis"),
        .app = text_dup(text_of(opt->ari.app ? opt->ari.app : "")),
        .media_host = text_dup(text_of(opt->media_host ? opt->media_host : "")),
        .again_ms = opt->again_ms ? opt->again_ms : AGAIN_MS,
        .step_ms = opt->step_ms ? opt->step_ms : STEP_MS,
        .is_listening = opt->ari.listen.host[0],
        .on_over = on_over,
        .on_residue = on_residue,
        .rename = rename_media,
        .rtp = opt->rtp,
        .rtp_ports = opt->rtp_ports,
        .rtp_format = opt->rtp_format,
        .audiosocket_hz = opt->audiosocket_hz ? opt->audiosocket_hz : 8000,
        .websocket = { .door = opt->websocket.door, .client = text_dup(text_of(opt->websocket.client ? opt->websocket.client : "")),
                       .format = opt->websocket.format },
        .dialer = d,
        .base_url = text_dup(text_of(opt->ari.base_url ? opt->ari.base_url : "")),
        .arg = s,
    };
    err = make(s, opt->claims);
    if (!err)
        err = ari_open(&s->ground.ari, l, d, &opt->ari, &ari_on, s, log);
    if (err) {
        stasis_free(s);
        return err;
    }
    if (s->ground.is_listening)
        stasis_sync_plan(s->sync, s->ground.again_ms);  /* what an earlier run left, as soon as there is a way to ask */
    *out = s;
    return 0;
}
