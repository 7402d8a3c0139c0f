/* The recorder for line checks: a beep, the caller's words, and the same words back.
 *
 *   BEEP -> TAKING -> GIVING -> DONE
 *
 * What was taken stays in memory until the end of the talk, and goes nowhere else. */
#include "ai/line_check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/vad.h"
#include "base/ref.h"

enum {
    RATE_HZ = 8000, RATE_MAX_HZ = 48000,
    LONGEST_MS = 20 * 1000, LONGEST_MAX_MS = 60 * 1000,
    SILENCE_MS = 2000,
    BEEP_MS = 300, BEEP_HZ = 1000, BEEP_LEVEL = 6000,
    PIECE_MS = 20,                 /* fed to the voice detection at once */
    BEEP_ITEM = 1, WORDS_ITEM = 2,
};

enum record_state { RECORD_BEEP, RECORD_TAKING, RECORD_GIVING, RECORD_DONE };

struct record {
    struct provider base;          /* first: see provider.h */
    struct timer *turn;            /* 0 ms: what a caller of ours may not be told from inside */
    enum record_state state;
    bool is_ready, is_full, is_closed;
    const char *reason;            /* of the wish that is due; NULL: none */
    struct vad vad;
    int16_t *taken;
    size_t n, room, longest;
};

static struct record *record_of(struct provider *base)
{
    return (struct record *)base;
}

/* ---- the loop's next turn ---- */

static void beep(struct record *r)
{
    const size_t n = (size_t)r->base.rate_hz * BEEP_MS / 1000;

    for (size_t i = 0; i < n; i++)
        r->taken[i] = (int16_t)(BEEP_LEVEL * sin(2 * M_PI * BEEP_HZ * (double)i / r->base.rate_hz));
    r->base.on->on_audio(BEEP_ITEM, r->taken, n, true, r->base.arg);
}

static void give(struct record *r)
{
    r->is_full = false;
    if (r->vad.started_at < 0) {
        r->state = RECORD_DONE;
        r->base.on->on_wish(PROVIDER_HAND_BACK, TEXT("silence"), r->base.arg);
        return;
    }
    r->state = RECORD_GIVING;
    r->base.on->on_audio(WORDS_ITEM, r->taken, r->n, true, r->base.arg);
}

static void on_turn(void *arg)
{
    struct record *r = arg;

    if (r->is_closed) {
        if (r->base.on)            /* else it was never started */
            r->base.on->on_closed(r->base.arg);
        ref_drop(r);
    } else if (!r->is_ready) {
        r->is_ready = true;
        r->base.on->on_ready(r->base.arg);
        beep(r);
    } else if (r->reason) {
        r->state = RECORD_DONE;
        r->base.on->on_wish(PROVIDER_HAND_BACK, text_of(r->reason), r->base.arg);
        r->reason = NULL;
    } else if (r->is_full) {
        give(r);
    }
}

/* ---- what we are told ---- */

static void start(struct provider *base)
{
    timer_start(record_of(base)->turn, 0);
}

static void full(struct record *r)
{
    r->is_full = true;
    timer_start(r->turn, 0);
}

/* Room is made on the loop, not in the audio tick. */
static bool make_room(struct record *r, size_t n)
{
    size_t room = r->room;
    int16_t *more;

    while (room < r->n + n)
        room *= 2;
    if (room == r->room)
        return true;
    more = realloc(r->taken, room * sizeof *more);
    if (!more)
        return false;
    r->taken = more;
    r->room = room;
    return true;
}

static void hear(struct provider *base, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct record *r = record_of(base);
    const size_t piece = (size_t)base->rate_hz * PIECE_MS / 1000;

    (void)at_us;
    if (r->state != RECORD_TAKING || r->is_full || r->is_closed)
        return;
    if (n > r->longest - r->n)
        n = r->longest - r->n;
    if (!make_room(r, n)) {
        full(r);                   /* what there is of it is given back */
        return;
    }
    memcpy(r->taken + r->n, pcm, n * sizeof *pcm);
    r->n += n;
    for (size_t i = 0; i < n; i += piece)
        if (vad_feed(&r->vad, pcm + i, n - i < piece ? n - i : piece) == VAD_STOP)
            full(r);
    if (r->n == r->longest)
        full(r);
}

static void digit(struct provider *base, char digit)
{
    struct record *r = record_of(base);

    if (digit != '#' || r->is_closed || r->state == RECORD_DONE)
        return;
    if (r->state == RECORD_TAKING) {
        full(r);
        return;
    }
    r->reason = "digit";
    timer_start(r->turn, 0);
}

static void heard(struct provider *base, uint32_t item)
{
    struct record *r = record_of(base);

    if (item == BEEP_ITEM && r->state == RECORD_BEEP)
        r->state = RECORD_TAKING;
    if (item != WORDS_ITEM || r->state != RECORD_GIVING)
        return;
    r->reason = "recorded";
    timer_start(r->turn, 0);
}

static void interrupted(struct provider *base, uint32_t item, unsigned played_ms)
{
    (void)played_ms;
    heard(base, item);             /* a digit cut it short */
}

static void tool_result(struct provider *base, uint32_t id, int err, struct text result)
{
    (void)base;
    (void)id;
    (void)err;
    (void)result;
}

static void end(struct provider *base)
{
    struct record *r = record_of(base);

    if (r->is_closed)
        return;
    r->is_closed = true;
    timer_start(r->turn, 0);
}

static const struct provider_ops ops = {
    .start = start, .hear = hear, .digit = digit, .interrupted = interrupted, .heard = heard, .tool_result = tool_result, .close = end,
};

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct record *r = obj;

    timer_free(r->turn);
    free(r->taken);
}

int record_new(struct provider **out, struct loop *l, const struct line_check_options *opt, const struct log *log)
{
    const unsigned rate_hz = opt->rate_hz ? opt->rate_hz : RATE_HZ;
    const int64_t longest_ms = opt->longest_ms ? opt->longest_ms : LONGEST_MS;
    struct vad_options vo;
    struct record *r;
    int err = -ENOMEM;

    (void)log;
    if (rate_hz < 1000 || rate_hz > RATE_MAX_HZ || longest_ms < BEEP_MS || longest_ms > LONGEST_MAX_MS)
        return -EINVAL;
    r = ref_new(sizeof *r, destroy);
    if (!r)
        return err;
    r->base = (struct provider){ .ops = &ops, .rate_hz = rate_hz };
    vad_options_default(&vo);
    vo.rate_hz = rate_hz;
    vo.hangover_ms = (int)(opt->silence_ms ? opt->silence_ms : SILENCE_MS);
    vad_init(&r->vad, &vo);
    r->longest = (size_t)longest_ms * rate_hz / 1000;
    r->room = rate_hz;             /* a second; more when it comes */
    r->taken = malloc(r->room * sizeof *r->taken);
    if (r->taken)
        err = timer_new(&r->turn, l, on_turn, r);
    if (err) {
        ref_drop(r);
        return err;
    }
    *out = &r->base;
    return 0;
}
