/* The echo: what is heard goes out again, a moment later. */
#include "ai/line_check.h"

#include <errno.h>
#include <string.h>

#include "base/ref.h"

enum { RATE_HZ = 8000, RATE_MAX_HZ = 48000, DELAY_MS = 40, DELAY_MAX_MS = 1000, ITEM = 1 };

struct echo {
    struct provider base;          /* first: see provider.h */
    struct timer *turn;            /* 0 ms: what a caller of ours may not be told from inside */
    bool is_ready, has_wish, is_closed;
    size_t held, hold;             /* samples of silence before the echo: given so far, and all */
};

static struct echo *echo_of(struct provider *base)
{
    return (struct echo *)base;
}

static void on_turn(void *arg)
{
    struct echo *e = arg;

    if (e->is_closed) {
        if (e->base.on)            /* else it was never started */
            e->base.on->on_closed(e->base.arg);
        ref_drop(e);
    } else if (e->has_wish) {
        e->base.on->on_wish(PROVIDER_HAND_BACK, TEXT("digit"), e->base.arg);
    } else if (!e->is_ready) {
        e->is_ready = true;
        e->base.on->on_ready(e->base.arg);
    }
}

static void start(struct provider *base)
{
    timer_start(echo_of(base)->turn, 0);
}

/* The delay is silence in front of the first sample: from then on the queue toward the caller holds that much. */
static void hear(struct provider *base, const int16_t *pcm, size_t n, int64_t at_us)
{
    static const int16_t silence[160];
    struct echo *e = echo_of(base);

    (void)at_us;
    if (e->is_closed || e->has_wish || n == 0)
        return;
    while (e->held < e->hold) {
        const size_t left = e->hold - e->held;
        const size_t piece = left < 160 ? left : 160;

        e->base.on->on_audio(ITEM, silence, piece, false, e->base.arg);
        e->held += piece;
    }
    e->base.on->on_audio(ITEM, pcm, n, false, e->base.arg);
}

static void digit(struct provider *base, char digit)
{
    struct echo *e = echo_of(base);

    if (digit != '#' || e->is_closed || e->has_wish)
        return;
    e->has_wish = true;
    e->base.on->on_audio(ITEM, NULL, 0, true, e->base.arg);
    timer_start(e->turn, 0);
}

static void interrupted(struct provider *base, uint32_t item, unsigned played_ms)
{
    (void)base;
    (void)item;
    (void)played_ms;
}

static void heard(struct provider *base, uint32_t item)
{
    (void)base;
    (void)item;
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
    struct echo *e = echo_of(base);

    if (e->is_closed)
        return;
    e->is_closed = true;
    timer_start(e->turn, 0);
}

static const struct provider_ops ops = {
    .start = start, .hear = hear, .digit = digit, .interrupted = interrupted, .heard = heard, .tool_result = tool_result, .close = end,
};

static void destroy(void *obj)
{
    timer_free(((struct echo *)obj)->turn);
}

int echo_new(struct provider **out, struct loop *l, const struct line_check_options *opt, const struct log *log)
{
    const unsigned rate_hz = opt->rate_hz ? opt->rate_hz : RATE_HZ;
    const int64_t delay_ms = opt->delay_ms ? opt->delay_ms : DELAY_MS;
    struct echo *e;
    int err;

    (void)log;
    if (rate_hz > RATE_MAX_HZ || delay_ms < 0 || delay_ms > DELAY_MAX_MS)
        return -EINVAL;
    e = ref_new(sizeof *e, destroy);
    if (!e)
        return -ENOMEM;
    e->base = (struct provider){ .ops = &ops, .rate_hz = rate_hz };
    e->hold = (size_t)delay_ms * rate_hz / 1000;
    err = timer_new(&e->turn, l, on_turn, e);
    if (err) {
        ref_drop(e);
        return err;
    }
    *out = &e->base;
    return 0;
}
