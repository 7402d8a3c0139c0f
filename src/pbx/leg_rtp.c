/* Carries a leg over RTP.
 *
 *   NEW --start--> RUNNING --close, or a silent peer--> CLOSING --socket gone--> CLOSED
 *
 * RTP has no end of its own: who deletes Asterisk's channel ends it there. */
#include "pbx/leg_rtp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "audio/g711.h"
#include "audio/g722.h"
#include "audio/jitter.h"
#include "base/clock.h"
#include "base/ref.h"
#include "wire/rtp.h"

enum {
    DEAD_MS = 60000,
    HOLD_MS = 120,                 /* what waits behind a gap for so long while nothing comes goes out */
    WHY_MAX = 120,
    SAMPLES_MAX = RTP_PACKET_MAX,
};

enum leg_state { LEG_NEW, LEG_RUNNING, LEG_CLOSING, LEG_CLOSED };

static const unsigned leg_moves[] = {
    [LEG_NEW] = 1u << LEG_RUNNING | 1u << LEG_CLOSING,
    [LEG_RUNNING] = 1u << LEG_CLOSING,
    [LEG_CLOSING] = 1u << LEG_CLOSED,
    [LEG_CLOSED] = 0,
};

static const struct format {
    const char *name;
    uint8_t type;
    unsigned rate_hz, bits;        /* bits of a sample */
    unsigned stamp_hz;             /* of the timestamp: G.722's counts at 8 kHz for historical reasons (RFC 3551 4.5.2) */
} formats[] = {
    [LEG_RTP_ULAW] = { "ulaw", RTP_ULAW, 8000, 8, 8000 },
    [LEG_RTP_ALAW] = { "alaw", RTP_ALAW, 8000, 8, 8000 },
    [LEG_RTP_SLIN16] = { "slin16", RTP_SLIN16, 16000, 16, 16000 },
    [LEG_RTP_G722] = { "g722", RTP_G722, 16000, 4, 8000 },
};

struct rtp_leg {
    struct leg leg;                /* first: see pbx/leg.h */
    enum leg_state state;
    struct log log;
    struct ticker *ticker;
    struct tick *tick;             /* while RUNNING */
    struct udp *udp;
    struct timer *dead, *hold;
    const struct format *format;
    enum leg_rtp_format how;
    struct address peer;
    int64_t dead_ms, heard_ms, at_us;
    struct loop *loop;
    struct leg_figures figures;
    struct jitter jitter;
    struct rtp_packet next;        /* the head of our next packet */
    bool has_source, has_event, was_told;
    uint32_t source, event_at;     /* the peer's SSRC; the timestamp of the digit told last */
    size_t frame_samples;
    uint32_t frame_stamp;          /* of a frame, in the timestamp's units */
    struct g722 *g722;             /* LEG_RTP_G722 */
    int err;
    char why[WHY_MAX];
    int16_t heard[SAMPLES_MAX];
    int16_t said[LEG_FRAME_MAX];
    uint8_t packet[RTP_HEAD + 2 * LEG_FRAME_MAX];
};

const char *leg_rtp_format_name(enum leg_rtp_format f)
{
    return formats[f].name;
}

static void set_state(struct rtp_leg *r, enum leg_state to)
{
    INVARIANT(leg_moves[r->state] & (1u << to));
    r->state = to;
}

static void part(struct rtp_leg *r, int err, const char *why)
{
    set_state(r, LEG_CLOSING);
    r->err = err;
    snprintf(r->why, sizeof r->why, "%s", why ? why : "");
    ticker_remove(r->tick);
    r->tick = NULL;
    timer_stop(r->dead);
    timer_stop(r->hold);
    udp_close(r->udp);
}

/* ---- what the peer sends ---- */

static size_t decode(const struct rtp_leg *r, const struct rtp_packet *p, int16_t *out)
{
    size_t n = p->n * 8 / r->format->bits;

    n = n < SAMPLES_MAX ? n : SAMPLES_MAX;
    switch (r->how) {
    case LEG_RTP_ULAW:
        ulaw_read(out, p->payload, n);
        break;
    case LEG_RTP_ALAW:
        alaw_read(out, p->payload, n);
        break;
    case LEG_RTP_SLIN16:
        for (size_t i = 0; i < n; i++)
            out[i] = (int16_t)(p->payload[2 * i] << 8 | p->payload[2 * i + 1]);
        break;
    case LEG_RTP_G722:
        n = g722_read(r->g722, out, p->payload, n / 2);
        break;
    }
    return n;
}

static void on_pcm(const int16_t *pcm, size_t n, void *arg)
{
    struct rtp_leg *r = arg;

    if (r->state == LEG_RUNNING)   /* the handler may have closed us at the piece before */
        r->leg.on->on_audio(pcm, n, r->at_us, r->leg.arg);
}

/* One digit comes as several packets of the same timestamp, its end three times. */
static void on_event(struct rtp_leg *r, const struct rtp_packet *p)
{
    struct rtp_event e;

    jitter_skip(&r->jitter, p->seq, on_pcm, r);
    if (rtp_event_parse(&e, p->payload, p->n) != 0) {
        r->figures.odd++;
        return;
    }
    if (!e.is_end || !e.digit || (r->has_event && r->event_at == p->timestamp) || r->state != LEG_RUNNING)
        return;
    r->has_event = true;
    r->event_at = p->timestamp;
    r->leg.on->on_digit(e.digit, r->leg.arg);
}

static void on_packet(struct rtp_leg *r, const struct rtp_packet *p)
{
    if (r->has_source && p->ssrc != r->source)
        jitter_restart(&r->jitter);
    r->has_source = true;
    r->source = p->ssrc;
    r->heard_ms = loop_now_ms(r->loop);
    if (p->type == RTP_EVENT) {
        on_event(r, p);
    } else if (p->type == r->format->type) {
        r->figures.frames_in++;
        r->figures.odd += p->n == 0 || p->n * 8 % r->format->bits != 0;
        jitter_put(&r->jitter, p->seq, r->heard, decode(r, p, r->heard), on_pcm, r);
    } else {
        r->figures.odd++;
    }
    if (r->state != LEG_RUNNING)
        return;
    if (r->jitter.held > 0)
        timer_start(r->hold, HOLD_MS);
    else
        timer_stop(r->hold);
}

static void on_datagram(const uint8_t *bytes, size_t n, const struct address *from, int64_t at_us, void *arg)
{
    struct rtp_leg *r = arg;
    struct rtp_packet p;
    const char *why;

    if (from->port != r->peer.port || strcmp(from->host, r->peer.host) != 0) {
        r->figures.strangers++;
        return;
    }
    r->at_us = at_us;
    if (rtp_parse(&p, bytes, n, &why) == 0) {
        on_packet(r, &p);
        return;
    }
    r->figures.odd++;
    if (!r->was_told)
        log_warn(&r->log, "rtp_fault", kv_str("peer", r->peer.host), kv_int("port", r->peer.port), kv_str("why", why));
    r->was_told = true;            /* once a leg */
}

static void on_hold(void *arg)
{
    struct rtp_leg *r = arg;

    r->at_us = clock_mono_us();
    jitter_flush(&r->jitter, on_pcm, r);
}

static void on_dead(void *arg)
{
    struct rtp_leg *r = arg;
    const int64_t left = r->heard_ms + r->dead_ms - loop_now_ms(r->loop);

    if (left > 0)
        timer_start(r->dead, left);
    else
        part(r, -ETIMEDOUT, "the other side has sent nothing for too long");
}

static void on_socket_closed(void *arg)
{
    struct rtp_leg *r = arg;

    r->udp = NULL;
    set_state(r, LEG_CLOSED);
    if (r->leg.on)
        r->leg.on->on_closed(r->err, r->why[0] ? r->why : NULL, r->leg.arg);
    ref_drop(r);
}

static const struct udp_handlers udp_on = { .on_datagram = on_datagram, .on_closed = on_socket_closed };

/* ---- the audio clock: no allocation, lock, log or formatting ---- */

static void encode(const struct rtp_leg *r, uint8_t *out)
{
    switch (r->how) {
    case LEG_RTP_ULAW:
        ulaw_write(out, r->said, r->frame_samples);
        return;
    case LEG_RTP_ALAW:
        alaw_write(out, r->said, r->frame_samples);
        return;
    case LEG_RTP_SLIN16:
        for (size_t i = 0; i < r->frame_samples; i++) {
            out[2 * i] = (uint8_t)((uint16_t)r->said[i] >> 8);
            out[2 * i + 1] = (uint8_t)r->said[i];
        }
        return;
    case LEG_RTP_G722:
        g722_write(r->g722, out, r->said, r->frame_samples);
        return;
    }
}

/* Ticks that were missed are time that has passed: the timestamp goes on, the numbering does not, so the peer hears a pause. */
static void on_tick(int64_t at_us, unsigned missed, void *arg)
{
    struct rtp_leg *r = arg;

    r->figures.missed += missed;
    r->next.timestamp += missed * r->frame_stamp;
    r->next.has_marker = r->next.has_marker || missed > 0;
    r->leg.on->on_fill(r->said, r->frame_samples, at_us, r->leg.arg);
    if (r->state != LEG_RUNNING)
        return;
    rtp_put_head(r->packet, &r->next);
    encode(r, r->packet + RTP_HEAD);
    if (udp_send(r->udp, r->packet, RTP_HEAD + r->frame_samples * r->format->bits / 8) == 0)
        r->figures.frames_out++;
    else
        r->figures.send_refused++;
    r->next.seq++;
    r->next.timestamp += r->frame_stamp;
    r->next.has_marker = false;
}

/* ---- what we are asked ---- */

static void start(struct leg *l)
{
    struct rtp_leg *r = (struct rtp_leg *)l;

    set_state(r, LEG_RUNNING);
    ref_hold(r);                   /* until on_socket_closed */
    r->heard_ms = loop_now_ms(r->loop);
    timer_start(r->dead, r->dead_ms);
    if (ticker_add(&r->tick, r->ticker, on_tick, r) != 0)
        part(r, -ENOMEM, "no memory for the audio clock");
    else if (udp_resume(r->udp) != 0)
        part(r, -EIO, "the socket cannot be read");
}

static void end(struct leg *l)
{
    struct rtp_leg *r = (struct rtp_leg *)l;

    if (r->state == LEG_NEW)
        ref_hold(r);               /* until on_socket_closed */
    if (r->state == LEG_NEW || r->state == LEG_RUNNING)
        part(r, 0, NULL);
}

static void figures(const struct leg *l, struct leg_figures *out)
{
    const struct rtp_leg *r = (const struct rtp_leg *)l;
    const struct jitter_figures *j = &r->jitter.figures;

    *out = r->figures;
    out->early = j->early;
    out->late = j->late;
    out->lost = j->lost;
    out->concealed = j->concealed;
}

static const struct leg_ops ops = { .start = start, .close = end, .figures = figures };

static void destroy(void *obj)
{
    struct rtp_leg *r = obj;

    if (r->udp)
        udp_abandon(r->udp);
    timer_free(r->dead);
    timer_free(r->hold);
    g722_free(r->g722);
}

static int make(struct rtp_leg *r, int fd)
{
    int err = timer_new(&r->dead, r->loop, on_dead, r);

    if (!err)
        err = timer_new(&r->hold, r->loop, on_hold, r);
    if (!err && r->how == LEG_RTP_G722)
        err = g722_new(&r->g722);
    if (!err && getrandom(&r->next.ssrc, sizeof r->next.ssrc, 0) != (ssize_t)sizeof r->next.ssrc)
        err = -EIO;
    if (!err && getrandom(&r->next.seq, sizeof r->next.seq, 0) != (ssize_t)sizeof r->next.seq)
        err = -EIO;
    return err ? err : udp_adopt(&r->udp, r->loop, fd, &r->peer, &udp_on, r);  /* last: on error fd stays the caller's */
}

int leg_rtp_new(struct leg **out, struct loop *l, struct ticker *t, int fd, const struct leg_rtp_options *opt,
                const struct log *log)
{
    struct rtp_leg *r;
    int err;

    r = ref_new(sizeof *r, destroy);
    if (!r)
        return -ENOMEM;
    r->how = opt->format;
    r->format = &formats[opt->format];
    r->leg = (struct leg){ .ops = &ops, .rate_hz = r->format->rate_hz };
    r->frame_samples = r->format->rate_hz * LEG_FRAME_MS / 1000;
    r->frame_stamp = r->format->stamp_hz * LEG_FRAME_MS / 1000;
    r->log = log_for(log, "leg");
    r->loop = l;
    r->ticker = t;
    r->peer = opt->peer;
    r->dead_ms = opt->dead_ms ? opt->dead_ms : DEAD_MS;
    r->next.type = r->format->type;
    r->next.has_marker = true;
    jitter_init(&r->jitter);
    err = make(r, fd);
    if (err) {
        ref_drop(r);
        return err;
    }
    *out = &r->leg;
    return 0;
}
