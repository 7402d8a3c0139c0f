/* Carries a leg over a WebSocket of Asterisk's chan_websocket.
 *
 *   NEW --start--> WAITING --MEDIA_START--> RUNNING
 *    |                +--------- close, nonsense from the peer, or its end ---------+--> CLOSING --> CLOSED
 *    +--close--> CLOSED
 *
 * Asterisk paces: while there is something to say it holds LEAD frames more than it needs, so that a tick of ours that comes late is
 * not heard. In silence it holds none, so that the lead delays nothing. How much it holds is reckoned by our clock and set right by
 * marks; a cut throws it away. */
#include "pbx/leg_websocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/g711.h"
#include "base/clock.h"
#include "base/ref.h"
#include "net/websocket.h"
#include "wire/media_ws.h"

enum {
    START_MS = 3000,
    PING_MS = 10 * 1000,
    LEAD = 3,                      /* frames */
    MARK_EVERY = 25,               /* frames: how often the reckoning is set right */
    MARK_SLACK = 10,               /* frames: what may follow a mark that is not back yet; beyond that Asterisk does not play */
    MESSAGE_MAX = 65535,           /* Asterisk's own ceiling */
    QUEUE_FRAMES = 50,             /* unsent: then frames are dropped, for late speech is worse than none */
    PIECE = 960,                   /* samples converted at once */
    WHY_MAX = 160,
};

enum leg_state { LEG_NEW, LEG_WAITING, LEG_RUNNING, LEG_CLOSING, LEG_CLOSED };

static const unsigned leg_moves[] = {
    [LEG_NEW] = 1u << LEG_WAITING | 1u << LEG_CLOSING | 1u << LEG_CLOSED,
    [LEG_WAITING] = 1u << LEG_RUNNING | 1u << LEG_CLOSING | 1u << LEG_CLOSED,
    [LEG_RUNNING] = 1u << LEG_CLOSING | 1u << LEG_CLOSED,
    [LEG_CLOSING] = 1u << LEG_CLOSED,
    [LEG_CLOSED] = 0,
};

static const struct format {
    const char *name;
    unsigned rate_hz, bytes;       /* bytes of a sample */
} formats[] = {
    [LEG_WEBSOCKET_ULAW] = { "ulaw", 8000, 1 },     [LEG_WEBSOCKET_ALAW] = { "alaw", 8000, 1 },
    [LEG_WEBSOCKET_SLIN] = { "slin", 8000, 2 },     [LEG_WEBSOCKET_SLIN16] = { "slin16", 16000, 2 },
    [LEG_WEBSOCKET_SLIN24] = { "slin24", 24000, 2 }, [LEG_WEBSOCKET_SLIN48] = { "slin48", 48000, 2 },
};

struct websocket_leg {
    struct leg leg;                /* first: see pbx/leg.h */
    enum leg_state state;
    struct log log;
    struct ticker *ticker;
    struct tick *tick;             /* while RUNNING */
    struct stream *stream;         /* NEW: until the WebSocket has it */
    struct websocket *ws;
    struct timer *deadline;        /* WAITING: of MEDIA_START. CLOSING without a WebSocket: its turn */
    const struct format *format;
    enum leg_websocket_format how;
    bool is_server;
    int64_t start_ms;
    struct leg_figures figures;
    size_t frame_samples, frame_bytes;

    bool is_json;                  /* how Asterisk wants to be spoken to */
    bool joins;                    /* its frame is not ours: it has to join what we send */
    bool is_held;                  /* between XOFF and XON */
    bool was_silent;               /* the frame before */
    bool has_mark, was_told;       /* a mark is under way; a fault was logged */
    uint32_t sent, mark_at;        /* frames; sent when the mark was */
    uint32_t ahead;                /* frames that Asterisk holds, by our reckoning */

    int err;                       /* why we ended it; 0: in order */
    char why[WHY_MAX];
    int16_t said[LEG_FRAME_MAX];
    uint8_t frame[2 * LEG_FRAME_MAX];
};

const char *leg_websocket_format_name(enum leg_websocket_format f)
{
    return formats[f].name;
}

static void set_state(struct websocket_leg *a, enum leg_state to)
{
    INVARIANT(leg_moves[a->state] & (1u << to));
    a->state = to;
}

static void clock_stop(struct websocket_leg *a)
{
    ticker_remove(a->tick);
    a->tick = NULL;
    timer_stop(a->deadline);
}

static void closed(struct websocket_leg *a)
{
    clock_stop(a);
    set_state(a, LEG_CLOSED);
    if (a->leg.on)
        a->leg.on->on_closed(a->err, a->why[0] ? a->why : NULL, a->leg.arg);
    ref_drop(a);
}

static void part(struct websocket_leg *a, int err, const char *why)
{
    set_state(a, LEG_CLOSING);
    a->err = err;
    snprintf(a->why, sizeof a->why, "%s", why ? why : "");
    clock_stop(a);
    if (a->ws)
        websocket_close(a->ws, err == -EPROTO ? 1002 : 1000, NULL);
    else
        timer_start(a->deadline, 0);
}

static void say(struct websocket_leg *a, enum media_ws_command command, const char *id)
{
    char line[MEDIA_WS_COMMAND_MAX];
    const size_t n = media_ws_put(line, a->is_json, command, id);

    if (websocket_send(a->ws, true, text_make(line, n)) != 0)
        a->figures.send_refused++;
}

/* ---- what the peer sends ---- */

static void fault(struct websocket_leg *a, const char *why)
{
    log_warn(&a->log, "media_websocket_fault", kv_str("why", why));
    part(a, -EPROTO, why);
}

static void hear(struct websocket_leg *a, const uint8_t *bytes, size_t n, int64_t at_us)
{
    int16_t pcm[PIECE];

    if (a->how == LEG_WEBSOCKET_ULAW)
        ulaw_read(pcm, bytes, n);
    else if (a->how == LEG_WEBSOCKET_ALAW)
        alaw_read(pcm, bytes, n);
    else
        for (size_t i = 0; i < n; i++)
            pcm[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    a->leg.on->on_audio(pcm, n, at_us, a->leg.arg);
}

static void on_sound(struct websocket_leg *a, struct text message)
{
    const int64_t at_us = clock_mono_us();
    const uint8_t *bytes = (const uint8_t *)message.p;
    size_t left = message.n / a->format->bytes;

    a->figures.frames_in++;
    a->figures.odd += message.n == 0 || message.n % a->format->bytes != 0;
    while (left > 0 && a->state == LEG_RUNNING) {  /* the handler may close us */
        const size_t n = left < PIECE ? left : PIECE;

        hear(a, bytes, n, at_us);
        bytes += n * a->format->bytes;
        left -= n;
    }
}

static void on_tick(int64_t at_us, unsigned missed, void *arg);

static void on_media_start(struct websocket_leg *a, const struct media_ws_event *e)
{
    char why[WHY_MAX];

    if (strcmp(e->format, a->format->name) != 0) {
        snprintf(why, sizeof why, "Asterisk's WebSocket channel speaks %s, %s was asked for", e->format, a->format->name);
        fault(a, why);
        return;
    }
    a->is_json = e->is_json;
    a->joins = e->frame_bytes != a->frame_bytes;
    set_state(a, LEG_RUNNING);
    timer_stop(a->deadline);
    if (a->joins)
        say(a, MEDIA_WS_SAY_BUFFER, NULL);
    if (ticker_add(&a->tick, a->ticker, on_tick, a) != 0)
        part(a, -ENOMEM, "no memory for the audio clock");
}

/* The frames up to the mark have been played, and no other. */
static void on_mark(struct websocket_leg *a, const char *id)
{
    char *end;
    const unsigned long at = strtoul(id, &end, 10);

    if (!a->has_mark || *end || end == id || (uint32_t)at != a->mark_at)
        return;                    /* of before a cut */
    a->has_mark = false;
    a->ahead = a->sent - a->mark_at;
}

static void on_odd(struct websocket_leg *a, const char *why)
{
    a->figures.odd++;
    if (!a->was_told)
        log_warn(&a->log, "media_websocket_odd", kv_str("why", why));
    a->was_told = true;            /* once a leg */
}

static void on_event(struct websocket_leg *a, const struct media_ws_event *e)
{
    switch (e->kind) {
    case MEDIA_WS_START:
        if (a->state == LEG_WAITING)
            on_media_start(a, e);
        else
            fault(a, "MEDIA_START came twice");
        return;
    case MEDIA_WS_DIGIT:
        if (a->state == LEG_RUNNING)
            a->leg.on->on_digit(e->digit, a->leg.arg);
        return;
    case MEDIA_WS_XOFF:
    case MEDIA_WS_XON:
        a->is_held = e->kind == MEDIA_WS_XOFF;
        return;
    case MEDIA_WS_MARK:
        on_mark(a, e->id);
        return;
    case MEDIA_WS_ERROR:
        on_odd(a, e->said);
        return;
    case MEDIA_WS_OTHER:
        return;
    }
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct websocket_leg *a = arg;
    struct media_ws_event e;
    const char *why;

    (void)w;
    if (a->state != LEG_WAITING && a->state != LEG_RUNNING)
        return;
    if (is_text) {
        if (media_ws_parse(&e, message, &why) == 0)
            on_event(a, &e);
        else
            on_odd(a, why);
    } else if (a->state == LEG_RUNNING) {
        on_sound(a, message);
    } else {
        a->figures.odd++;          /* sound before MEDIA_START */
    }
}

/* The channel's end is a close with 1000, and the WebSocket's end is the channel's. */
static void on_ws_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct websocket_leg *a = arg;

    (void)w;
    if (a->state != LEG_CLOSING && (err || status != 1000)) {
        a->err = err == -EPROTO || err == -EMSGSIZE || err == -EILSEQ ? -EPROTO : err ? err : -ECONNRESET;
        snprintf(a->why, sizeof a->why, "%.150s", detail);
    }
    a->ws = ref_drop(a->ws);
    closed(a);
}

static const struct websocket_handlers ws_on = { .on_message = on_message, .on_closed = on_ws_closed };

static void on_deadline(void *arg)
{
    struct websocket_leg *a = arg;

    if (a->state == LEG_CLOSING)
        closed(a);
    else
        part(a, -ETIMEDOUT, "Asterisk's WebSocket channel did not begin");
}

/* ---- the audio clock: no log, lock or formatting but a mark's number each half second ---- */

static void encode(struct websocket_leg *a)
{
    if (a->how == LEG_WEBSOCKET_ULAW)
        ulaw_write(a->frame, a->said, a->frame_samples);
    else if (a->how == LEG_WEBSOCKET_ALAW)
        alaw_write(a->frame, a->said, a->frame_samples);
    else
        for (size_t i = 0; i < a->frame_samples; i++) {
            a->frame[2 * i] = (uint8_t)a->said[i];
            a->frame[2 * i + 1] = (uint8_t)((uint16_t)a->said[i] >> 8);
        }
}

static bool is_silence(const struct websocket_leg *a)
{
    for (size_t i = 0; i < a->frame_samples; i++)
        if (a->said[i])
            return false;
    return true;
}

static void mark(struct websocket_leg *a)
{
    char id[16];

    if (a->has_mark || a->was_silent || a->sent - a->mark_at < MARK_EVERY)
        return;
    a->has_mark = true;
    a->mark_at = a->sent;
    snprintf(id, sizeof id, "%u", a->sent);
    say(a, MEDIA_WS_SAY_MARK, id);
}

/* False: nothing more is to be sent in this tick. */
static bool send_frame(struct websocket_leg *a, int64_t at_us)
{
    a->leg.on->on_fill(a->said, a->frame_samples, at_us, a->leg.arg);
    if (a->state != LEG_RUNNING)
        return false;
    a->was_silent = is_silence(a);
    encode(a);
    if (websocket_send(a->ws, false, text_make(a->frame, a->frame_bytes)) != 0) {
        a->figures.send_refused++; /* a frame not sent in time is dropped */
        return false;
    }
    a->figures.frames_out++;
    a->sent++;
    a->ahead++;
    mark(a);
    return !a->was_silent;
}

static void on_tick(int64_t at_us, unsigned missed, void *arg)
{
    struct websocket_leg *a = arg;
    const uint32_t since_mark = a->has_mark ? a->sent - a->mark_at : 0;

    a->figures.missed += missed;
    a->ahead -= a->ahead < missed + 1 ? a->ahead : missed + 1;
    if (since_mark > MARK_SLACK && a->ahead < since_mark)
        a->ahead = since_mark;     /* it does not play: what follows the mark is all there still */
    if (a->is_held || (a->was_silent && a->ahead > 0))
        return;
    while (a->ahead <= LEAD && send_frame(a, at_us + (int64_t)a->ahead * TICK_US))
        ;
}

/* ---- what we are asked ---- */

static void start(struct leg *l)
{
    struct websocket_leg *a = (struct websocket_leg *)l;
    const struct websocket_options opt = {
        .ping_ms = PING_MS, .message_max = MESSAGE_MAX, .queue_max = QUEUE_FRAMES * (a->frame_bytes + 16),
    };
    struct stream *const s = a->stream;
    int err;

    set_state(a, LEG_WAITING);
    ref_hold(a);                   /* until closed */
    a->stream = NULL;
    err = websocket_adopt(&a->ws, s, a->is_server, &opt, &ws_on, a);
    if (err) {
        a->ws = NULL;
        part(a, err, "no memory for the WebSocket");
        return;
    }
    stream_resume(s);
    timer_start(a->deadline, a->start_ms);
}

static const struct stream_handlers nobody_home;

static void stream_leave(struct websocket_leg *a)
{
    if (!a->stream)
        return;
    stream_handle(a->stream, &nobody_home, NULL);
    stream_abort(a->stream);
    a->stream = ref_drop(a->stream);
}

static void end(struct leg *l)
{
    struct websocket_leg *a = (struct websocket_leg *)l;

    if (a->state == LEG_NEW) {
        ref_hold(a);               /* until closed */
        stream_leave(a);
        part(a, 0, NULL);
    } else if (a->state == LEG_WAITING || a->state == LEG_RUNNING) {
        part(a, 0, NULL);
    }
}

static void figures(const struct leg *l, struct leg_figures *out)
{
    *out = ((const struct websocket_leg *)l)->figures;
}

static unsigned flush(struct leg *l)
{
    struct websocket_leg *a = (struct websocket_leg *)l;
    const unsigned unheard_ms = a->ahead * LEG_FRAME_MS;

    if (a->state != LEG_RUNNING || a->ahead == 0)
        return 0;
    say(a, MEDIA_WS_SAY_FLUSH, NULL);
    if (a->joins)
        say(a, MEDIA_WS_SAY_BUFFER, NULL); /* a flush ends that, too */
    a->ahead = 0;
    a->has_mark = false;
    return unheard_ms;
}

static const struct leg_ops ops = { .start = start, .close = end, .figures = figures, .flush = flush };

static void destroy(void *obj)
{
    struct websocket_leg *a = obj;

    ticker_remove(a->tick);
    stream_leave(a);
    timer_free(a->deadline);
}

int leg_websocket_new(struct leg **out, struct loop *l, struct ticker *t, int fd, const struct leg_websocket_options *opt,
                      const struct log *log)
{
    struct websocket_leg *a = ref_new(sizeof *a, destroy);
    int err;

    if (!a)
        return -ENOMEM;
    a->format = &formats[opt->format];
    a->how = opt->format;
    a->leg = (struct leg){ .ops = &ops, .rate_hz = a->format->rate_hz };
    a->frame_samples = a->format->rate_hz * LEG_FRAME_MS / 1000;
    a->frame_bytes = a->frame_samples * a->format->bytes;
    a->log = log_for(log, "leg");
    a->ticker = t;
    a->is_server = opt->is_server;
    a->start_ms = opt->start_ms ? opt->start_ms : START_MS;
    err = timer_new(&a->deadline, l, on_deadline, a);
    if (!err)
        err = stream_adopt(&a->stream, l, fd, NULL, NULL, NULL);  /* last: on error fd stays the caller's */
    if (err) {
        ref_drop(a);
        return err;
    }
    *out = &a->leg;
    return 0;
}
