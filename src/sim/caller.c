/* The test caller's connection: one AudioSocket call, driven by the audio clock.
 *
 *   WAITING --accept--> GREETING --UUID--> TALKING --farewell--> PARTING --their end, or PARTING_MS--> CLOSING --closed--> OVER
 *
 * PARTING: what still arrives after our 00 00 00 is read and thrown away, for closing with unread bytes would be a reset, which
 * Asterisk takes for an error of the line. */
#include "sim/caller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "sim/caller_talk.h"
#include "sim/caller_tape.h"
#include "wire/audiosocket.h"

enum {
    CONNECT_MS = 30000,
    PARTING_MS = 500,
    LINGER_MS = 500,
    QUEUE_MAX = 32 * 1024, /* two seconds of audio */
    BATCH = 32768,         /* samples of one read */
};

enum state { STATE_WAITING, STATE_GREETING, STATE_TALKING, STATE_PARTING, STATE_CLOSING, STATE_OVER };

static const unsigned moves[] = {
    [STATE_WAITING] = 1u << STATE_GREETING | 1u << STATE_OVER,
    [STATE_GREETING] = 1u << STATE_TALKING | 1u << STATE_CLOSING | 1u << STATE_OVER,
    [STATE_TALKING] = 1u << STATE_PARTING | 1u << STATE_CLOSING | 1u << STATE_OVER,
    [STATE_PARTING] = 1u << STATE_CLOSING | 1u << STATE_OVER,
    [STATE_CLOSING] = 1u << STATE_OVER,
    [STATE_OVER] = 0,
};

struct sim_caller {
    enum state state;
    struct loop *loop;
    struct log log;
    struct caller_handlers on;
    void *arg;
    bool is_closed; /* by its owner: no handler runs any more */
    struct listener *listener;
    struct address at;
    struct stream *stream;
    struct timer *timer; /* nobody comes; parting lasts; the end is told */
    struct ticker *ticker;
    struct tick *tick; /* while TALKING */
    struct caller_talk *talk;
    struct caller_tape *tape;
    int result;
    int64_t mono0_us, wall0_us; /* position 0 on both clocks */
    uint64_t unsent;            /* frames that the other side did not take */
    struct audiosocket_reader reader;
    size_t batch_n;
    int16_t batch[BATCH];
};

static void set_state(struct sim_caller *c, enum state to)
{
    INVARIANT(moves[c->state] & (1u << to));
    c->state = to;
}

static int64_t position_of(const struct sim_caller *c, int64_t mono_us)
{
    return mono_us > c->mono0_us ? (mono_us - c->mono0_us) / TALK_SAMPLE_US : 0;
}

static int64_t position_now(const struct sim_caller *c)
{
    return position_of(c, clock_mono_us());
}

static void moment_at(struct sim_caller *c, int64_t wall_us, const char *what, const char *detail)
{
    if (!c->is_closed && c->on.on_moment)
        c->on.on_moment(wall_us, what, detail, c->arg);
}

static void on_talk_moment(int64_t at, const char *what, const char *detail, void *arg)
{
    struct sim_caller *c = arg;

    moment_at(c, c->wall0_us + at * TALK_SAMPLE_US, what, detail);
}

/* --- the end --- */

/* The timer tells the end, so that on_done never runs inside a tick or a handler of the stream. */
static void over(struct sim_caller *c, int result)
{
    set_state(c, STATE_OVER);
    c->result = result;
    ticker_remove(c->tick);
    c->tick = NULL;
    timer_start(c->timer, 0);
}

static void tape_finish(struct sim_caller *c)
{
    const uint64_t dropped = caller_tape_dropped(c->tape);
    int err;

    caller_tape_advance(c->tape, caller_talk_length(c->talk));
    err = caller_tape_close(c->tape);
    c->tape = NULL;
    if (c->unsent || dropped || caller_talk_surplus(c->talk))
        log_warn(&c->log, "out_of_step", kv_int("frames_unsent", (int64_t)c->unsent),
                 kv_int("samples_unrecorded", (int64_t)dropped),
                 kv_int("samples_surplus", (int64_t)caller_talk_surplus(c->talk)));
    if (!err)
        return;
    moment_at(c, clock_wall_us(), "failed", "the recording could not be written");
    c->result = c->result ? c->result : err;
}

static void over_tell(struct sim_caller *c)
{
    listener_close(c->listener);
    c->listener = NULL;
    tape_finish(c);
    if (!c->is_closed && c->on.on_done)
        c->on.on_done(c->result, c->arg);
}

static void clock_stop(struct sim_caller *c)
{
    ticker_remove(c->tick);
    c->tick = NULL;
    timer_stop(c->timer);
}

static void close_begin(struct sim_caller *c)
{
    clock_stop(c);
    set_state(c, STATE_CLOSING);
    stream_close(c->stream, LINGER_MS);
}

static void part(struct sim_caller *c, int result)
{
    static const uint8_t farewell[AUDIOSOCKET_HEAD] = { AUDIOSOCKET_HANGUP, 0, 0 };

    clock_stop(c);
    c->result = result;
    set_state(c, STATE_PARTING);
    if (stream_send_text(c->stream, text_make(farewell, sizeof farewell)) == 0)
        timer_start(c->timer, PARTING_MS);
    else
        close_begin(c);
}

/* The other side speaks no AudioSocket that we understand. */
static void refuse(struct sim_caller *c, const char *why)
{
    moment_at(c, clock_wall_us(), "failed", why);
    c->result = -EPROTO;
    close_begin(c);
}

static void on_timer(void *arg)
{
    struct sim_caller *c = ref_hold(arg);

    if (c->state == STATE_OVER) {
        over_tell(c);
    } else if (c->state == STATE_PARTING) {
        close_begin(c);
    } else if (c->state == STATE_GREETING) {
        moment_at(c, clock_wall_us(), "failed", "the connection said nothing in time");
        c->result = -ETIMEDOUT;
        close_begin(c);
    } else if (c->state == STATE_WAITING) {
        moment_at(c, clock_wall_us(), "failed", "nobody connected in time");
        over(c, -ETIMEDOUT);
    }
    ref_drop(c);
}

/* --- talking --- */

static void frame_send(struct sim_caller *c, const int16_t frame[TALK_FRAME])
{
    uint8_t bytes[AUDIOSOCKET_HEAD + 2 * TALK_FRAME];
    const size_t n = audiosocket_put_audio(bytes, AUDIOSOCKET_AUDIO, frame, TALK_FRAME);

    if (stream_send_text(c->stream, text_make(bytes, n)) != 0)
        c->unsent++;
}

static void on_tick(int64_t at_us, unsigned missed, void *arg)
{
    struct sim_caller *c = arg;
    int16_t frame[TALK_FRAME];
    int more;

    (void)missed; /* positions follow the clock: what was missed stays silent */
    if (c->is_closed)
        return;
    more = caller_talk_tick(c->talk, position_of(c, at_us), frame);
    if (c->is_closed)
        return;
    if (more == 1) {
        frame_send(c, frame);
        return;
    }
    moment_at(c, clock_wall_us(), "hangup", more == 0 ? "by the script" : "after the failure");
    if (!c->is_closed)
        part(c, more);
}

static void talk_begin(struct sim_caller *c, const struct audiosocket_frame *f)
{
    char name[UUID_TEXT + 1];
    struct uuid id;

    if (f->kind != AUDIOSOCKET_UUID || f->n != sizeof id.bytes) {
        refuse(c, "the first frame is no UUID: this is not Asterisk's AudioSocket");
        return;
    }
    memcpy(id.bytes, f->payload, sizeof id.bytes);
    uuid_format(&id, name);
    timer_stop(c->timer);
    c->mono0_us = clock_mono_us();
    c->wall0_us = clock_wall_us();
    set_state(c, STATE_TALKING);
    moment_at(c, c->wall0_us, "connected", name);
    if (!c->is_closed && ticker_add(&c->tick, c->ticker, on_tick, c) != 0)
        refuse(c, "there is no clock to talk by");
}

static void batch_hear(struct sim_caller *c)
{
    if (c->batch_n > 0)
        caller_talk_hear(c->talk, position_now(c), c->batch, c->batch_n);
    c->batch_n = 0;
}

static void frame_take(struct sim_caller *c, const struct audiosocket_frame *f)
{
    bool odd = false;

    if (c->state == STATE_GREETING) {
        talk_begin(c, f);
    } else if (c->state == STATE_TALKING && f->kind == AUDIOSOCKET_AUDIO) {
        if (c->batch_n + f->n / 2 > BATCH)
            batch_hear(c);
        c->batch_n += audiosocket_get_audio(f, c->batch + c->batch_n, BATCH - c->batch_n, &odd);
    } else if (c->state == STATE_TALKING && audiosocket_rate(f->kind) != 0) {
        refuse(c, "the channel is not of 8 kHz: the test caller speaks slin only");
    }
    /* digits and kinds of the future are not for us */
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct sim_caller *c = arg;
    struct audiosocket_frame f;
    int n = 0;

    (void)s;
    while (!c->is_closed && c->state <= STATE_TALKING && (n = audiosocket_read(&c->reader, &bytes, &f)) > 0)
        frame_take(c, &f);
    if (n < 0 && c->state <= STATE_TALKING)
        refuse(c, c->reader.fault);
    else if (!c->is_closed && c->state == STATE_TALKING)
        batch_hear(c);
    c->batch_n = 0;
}

/* Asterisk ends a call by closing; with bytes of ours unread that arrives as a reset. */
static int their_end(struct sim_caller *c)
{
    if (c->state == STATE_TALKING)
        return caller_talk_end(c->talk, position_now(c));
    if (c->state != STATE_GREETING)
        return c->result;
    moment_at(c, clock_wall_us(), "failed", "the connection ended before its UUID");
    return -ECONNRESET;
}

static void on_end(struct stream *s, void *arg)
{
    struct sim_caller *c = arg;

    (void)s;
    if (c->is_closed || c->state >= STATE_CLOSING)
        return;
    c->result = their_end(c);
    if (!c->is_closed)
        close_begin(c);
}

static void on_closed(struct stream *s, int err, void *arg)
{
    struct sim_caller *c = arg;

    (void)s;
    (void)err;
    if (!c->is_closed && c->state != STATE_OVER)
        over(c, their_end(c));
    c->stream = ref_drop(c->stream);
    ref_drop(c); /* the stream's */
}

static void on_accept(struct stream *s, void *arg)
{
    static const struct stream_handlers on = { .on_data = on_data, .on_end = on_end, .on_closed = on_closed };
    struct sim_caller *c = arg;

    if (c->state != STATE_WAITING) {
        stream_abort(s); /* one call a caller */
        ref_drop(s);
        return;
    }
    set_state(c, STATE_GREETING);
    c->stream = s;
    stream_handle(s, &on, ref_hold(c));
}

/* --- making and closing --- */

static void destroy(void *obj)
{
    struct sim_caller *c = obj;

    listener_close(c->listener);
    ticker_remove(c->tick);
    ticker_free(c->ticker);
    timer_free(c->timer);
    (void)!caller_tape_close(c->tape);
    caller_talk_free(c->talk);
}

static int parts_make(struct sim_caller *c, const struct caller_options *opt)
{
    char *problem = NULL;
    int err = caller_tape_new(&c->tape, opt->record);

    if (err) {
        log_error(&c->log, "no_recording", kv_str("file", opt->record), kv_err(err));
        return err;
    }
    err = caller_talk_new(&c->talk, opt->steps, opt->step_count, opt->voice, c->tape, on_talk_moment, c, &problem);
    if (err)
        log_error(&c->log, "script_unusable", kv_str("reason", problem ? problem : err_text(err)));
    free(problem);
    if (!err)
        err = ticker_new(&c->ticker, c->loop);
    if (!err)
        err = timer_new(&c->timer, c->loop, on_timer, c);
    return err;
}

int sim_caller_open(struct sim_caller **out, struct loop *l, const struct address *at, const struct caller_options *opt,
                    const struct caller_handlers *on, void *arg, const struct log *log)
{
    const struct listener_options lo = { .stream = { .queue_max = QUEUE_MAX } };
    struct sim_caller *c = ref_new(sizeof *c, destroy);
    int err;

    if (!c)
        return -ENOMEM;
    c->loop = l;
    c->log = log_for(log, "sim_caller");
    c->on = *on;
    c->arg = arg;
    audiosocket_reader_init(&c->reader, AUDIOSOCKET_MAX_PAYLOAD);
    err = parts_make(c, opt);
    if (!err)
        err = listener_open(&c->listener, l, at, &lo, on_accept, c);
    if (err) {
        ref_drop(c);
        return err;
    }
    listener_address(c->listener, &c->at);
    timer_start(c->timer, opt->connect_ms ? opt->connect_ms : CONNECT_MS);
    *out = c;
    return 0;
}

void sim_caller_address(const struct sim_caller *c, struct address *out)
{
    *out = c->at;
}

void sim_caller_close(struct sim_caller *c)
{
    if (!c || c->is_closed)
        return;
    c->is_closed = true;
    clock_stop(c);
    listener_close(c->listener);
    c->listener = NULL;
    if (c->stream)
        stream_abort(c->stream); /* its last handler drops its reference to us */
    ref_drop(c);
}
