/* Carries a leg over one AudioSocket connection.
 *
 *   NEW --start--> RUNNING --close, nonsense from the peer, or its end--> CLOSING --> CLOSED
 *
 * CLOSING: 00 00 00 is sent, and the stream throws away what still arrives until the peer's end. A close with unread bytes would
 * be a reset, which Asterisk takes for an error: the application form then drops the call instead of going on (seen on 22.10.1). */
#include "pbx/leg_audiosocket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "wire/audiosocket.h"

enum {
    LINGER_MS = 500,               /* Asterisk closes within a frame or two of 00 00 00 */
    QUEUE_FRAMES = 50,             /* one second unsent: then frames are dropped, for late speech is worse than none */
    WHY_MAX = 160,
};

enum leg_state { LEG_NEW, LEG_RUNNING, LEG_CLOSING, LEG_CLOSED };

static const unsigned leg_moves[] = {
    [LEG_NEW] = 1u << LEG_RUNNING | 1u << LEG_CLOSING,
    [LEG_RUNNING] = 1u << LEG_CLOSING | 1u << LEG_CLOSED,
    [LEG_CLOSING] = 1u << LEG_CLOSED,
    [LEG_CLOSED] = 0,
};

struct audiosocket_leg {
    struct leg leg;                /* first: see pbx/leg.h */
    enum leg_state state;
    struct log log;
    struct ticker *ticker;
    struct tick *tick;             /* while RUNNING */
    struct stream *stream;
    uint8_t kind;                  /* of our audio frames, and the only one taken from the peer */
    size_t frame_samples;
    struct leg_figures figures;
    int err;                       /* why we ended it; 0: in order */
    char why[WHY_MAX];
    struct audiosocket_reader reader;
};

static void set_state(struct audiosocket_leg *a, enum leg_state to)
{
    INVARIANT(leg_moves[a->state] & (1u << to));
    a->state = to;
}

static void clock_stop(struct audiosocket_leg *a)
{
    ticker_remove(a->tick);
    a->tick = NULL;
}

static void part(struct audiosocket_leg *a, int err, const char *why)
{
    uint8_t goodbye[AUDIOSOCKET_HEAD];

    set_state(a, LEG_CLOSING);
    a->err = err;
    snprintf(a->why, sizeof a->why, "%s", why ? why : "");
    clock_stop(a);
    audiosocket_put_head(goodbye, AUDIOSOCKET_HANGUP, 0);
    if (stream_send_text(a->stream, text_make(goodbye, sizeof goodbye)) == 0)
        stream_close(a->stream, LINGER_MS);
    else
        stream_abort(a->stream);   /* its queue is full or it is gone: no order to be had */
}

/* ---- what the peer sends ---- */

static void fault(struct audiosocket_leg *a, const char *why)
{
    log_warn(&a->log, "audiosocket_fault", kv_str("peer", stream_peer(a->stream)), kv_str("why", why));
    part(a, -EPROTO, why);
}

static void on_audio_frame(struct audiosocket_leg *a, const struct audiosocket_frame *f, int64_t at_us)
{
    int16_t heard[AUDIOSOCKET_MAX_PAYLOAD / 2];
    char why[WHY_MAX];
    bool odd = false;
    size_t n;

    if (f->kind != a->kind) {
        snprintf(why, sizeof why, "audio of %u Hz (kind 0x%02x) came on a leg of %u Hz", audiosocket_rate(f->kind), f->kind,
                 a->leg.rate_hz);
        fault(a, why);
        return;
    }
    n = audiosocket_get_audio(f, heard, sizeof heard / sizeof *heard, &odd);
    a->figures.frames_in++;
    a->figures.odd += odd;
    if (n > 0)
        a->leg.on->on_audio(heard, n, at_us, a->leg.arg);
}

static void on_digit_frame(struct audiosocket_leg *a, const struct audiosocket_frame *f)
{
    if (f->n == 1 && f->payload[0] != '\0' && strchr("0123456789*#ABCD", f->payload[0]))
        a->leg.on->on_digit((char)f->payload[0], a->leg.arg);
    else
        a->figures.odd++;
}

static void on_frame(struct audiosocket_leg *a, const struct audiosocket_frame *f, int64_t at_us)
{
    char why[WHY_MAX];

    if (audiosocket_rate(f->kind) != 0) {
        on_audio_frame(a, f, at_us);
    } else if (f->kind == AUDIOSOCKET_DTMF) {
        on_digit_frame(a, f);
    } else if (f->kind == AUDIOSOCKET_HANGUP) {
        part(a, 0, NULL);          /* Asterisk never sends it; other programs that speak AudioSocket do */
    } else if (f->kind == AUDIOSOCKET_ERROR) {
        snprintf(why, sizeof why, "the other side reported AudioSocket error %u", f->n > 0 ? f->payload[0] : 0u);
        fault(a, why);
    }                              /* the rest, skipped by length: a later Asterisk may know more kinds */
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct audiosocket_leg *a = arg;
    const int64_t at_us = clock_mono_us();
    struct audiosocket_frame f;

    (void)s;
    while (a->state == LEG_RUNNING) {
        const int n = audiosocket_read(&a->reader, &bytes, &f);

        if (n == 0)
            return;
        if (n < 0) {
            fault(a, a->reader.fault);
            return;
        }
        on_frame(a, &f, at_us);    /* the handler may close us */
    }
}

/* A caller's hang-up shows as end of stream at a frame's border, and as nothing else. */
static void on_end(struct stream *s, void *arg)
{
    struct audiosocket_leg *a = arg;

    if (a->state != LEG_RUNNING)
        return;
    if (audiosocket_is_partial(&a->reader)) {
        a->err = -EPROTO;
        snprintf(a->why, sizeof a->why, "the connection ended in the middle of a frame");
    }
    clock_stop(a);
    set_state(a, LEG_CLOSING);
    stream_close(s, LINGER_MS);
}

static void on_stream_closed(struct stream *s, int err, void *arg)
{
    struct audiosocket_leg *a = arg;

    (void)s;
    if (a->state == LEG_RUNNING && err) {
        a->err = err;
        snprintf(a->why, sizeof a->why, "the connection was lost: %s", err_text(err));
    }
    clock_stop(a);
    set_state(a, LEG_CLOSED);
    if (a->leg.on)
        a->leg.on->on_closed(a->err, a->why[0] ? a->why : NULL, a->leg.arg);
    ref_drop(a);
}

static const struct stream_handlers stream_on = { .on_data = on_data, .on_end = on_end, .on_closed = on_stream_closed };

/* ---- the audio clock: no allocation, lock, log or formatting ---- */

static void on_tick(int64_t at_us, unsigned missed, void *arg)
{
    struct audiosocket_leg *a = arg;
    uint8_t frame[AUDIOSOCKET_HEAD + 2 * LEG_FRAME_MAX];
    int16_t said[LEG_FRAME_MAX];
    size_t n;

    a->figures.missed += missed;
    a->leg.on->on_fill(said, a->frame_samples, at_us, a->leg.arg);
    if (a->state != LEG_RUNNING)
        return;
    n = audiosocket_put_audio(frame, a->kind, said, a->frame_samples);
    if (stream_send_text(a->stream, text_make(frame, n)) == 0)
        a->figures.frames_out++;
    else
        a->figures.send_refused++; /* a frame not sent in time is dropped */
}

/* ---- what we are asked ---- */

static void start(struct leg *l)
{
    struct audiosocket_leg *a = (struct audiosocket_leg *)l;

    set_state(a, LEG_RUNNING);
    ref_hold(a);                   /* until on_stream_closed */
    if (ticker_add(&a->tick, a->ticker, on_tick, a) != 0) {
        part(a, -ENOMEM, "no memory for the audio clock");
        return;
    }
    stream_resume(a->stream);
}

static void end(struct leg *l)
{
    struct audiosocket_leg *a = (struct audiosocket_leg *)l;

    if (a->state == LEG_NEW)
        ref_hold(a);               /* until on_stream_closed */
    if (a->state == LEG_NEW || a->state == LEG_RUNNING)
        part(a, 0, NULL);
}

static void figures(const struct leg *l, struct leg_figures *out)
{
    *out = ((const struct audiosocket_leg *)l)->figures;
}

static const struct leg_ops ops = { .start = start, .close = end, .figures = figures };

static const struct stream_handlers nobody_home;

static void destroy(void *obj)
{
    struct audiosocket_leg *a = obj;

    clock_stop(a);
    if (a->stream && a->state == LEG_NEW) {
        stream_handle(a->stream, &nobody_home, NULL);
        stream_abort(a->stream);
    }
    ref_drop(a->stream);
}

int leg_audiosocket_new(struct leg **out, struct loop *l, struct ticker *t, int fd, unsigned rate_hz, const struct log *log)
{
    const uint8_t kind = audiosocket_kind(rate_hz);
    const size_t samples = rate_hz * LEG_FRAME_MS / 1000;
    const struct stream_options opt = { .queue_max = QUEUE_FRAMES * (AUDIOSOCKET_HEAD + 2 * samples) };
    struct audiosocket_leg *a;
    int err;

    if (!kind || samples > LEG_FRAME_MAX)
        return -EINVAL;
    a = ref_new(sizeof *a, destroy);
    if (!a)
        return -ENOMEM;
    a->leg = (struct leg){ .ops = &ops, .rate_hz = rate_hz };
    a->log = log_for(log, "leg");
    a->ticker = t;
    a->kind = kind;
    a->frame_samples = samples;
    audiosocket_reader_init(&a->reader, AUDIOSOCKET_MAX_PAYLOAD);
    err = stream_adopt(&a->stream, l, fd, &opt, &stream_on, a);
    if (err) {
        ref_drop(a);
        return err;
    }
    stream_pause(a->stream);       /* nobody to hear it before start; paused it cannot end either */
    *out = &a->leg;
    return 0;
}
