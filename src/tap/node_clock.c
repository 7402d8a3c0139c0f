/* Fits a line through the offsets of a node's clock, each sample weighed by its round trip. */
#include "tap/node_clock.h"

#include <math.h>

enum {
    WINDOW_US = 5 * 60 * 1000000,
    REACH_US = 10 * 60 * 1000000,       /* drift is not carried on further than this */
    FLOOR_US = 20,                      /* no sample is better: wake-ups, and the stamp's own digits */
    STEP_US = 2000,                     /* beyond what the round trip explains: the clock jumped */
};

#define LATEST_US INT64_C(253402300800000000) /* the year 10000 */

/* What a clock is believed to drift before anything is known: a quartz does up to 50 ppm. */
static const double drift_expected = 30e-6;

struct sums {
    double w, wx, wy, wxx, wxy;
};

static void add_to_sums(struct sums *s, const struct node_clock *c, const struct node_clock_sample *a)
{
    /* The true offset lies anywhere within half a round trip: an even spread, whose deviation is that over the root of three. */
    const double deviation = (double)FLOOR_US + (double)a->rtt_us / 3.4641, w = 1 / (deviation * deviation);
    const double x = (double)(a->mid_us - c->at_us), y = (double)(a->offset_us - c->base_us);

    s->w += w;
    s->wx += w * x;
    s->wy += w * y;
    s->wxx += w * x * x;
    s->wxy += w * x * y;
}

/* Least squares, with the expected drift as one sample more; everything relative to the newest sample, which keeps the digits. */
static void fit(struct node_clock *c)
{
    const struct node_clock_sample *newest = &c->samples[(c->next + NODE_CLOCK_SAMPLES - 1) % NODE_CLOCK_SAMPLES];
    struct sums s = { .wxx = 1 / (drift_expected * drift_expected) };
    double base, det;

    c->at_us = newest->mid_us;
    c->base_us = newest->offset_us;
    c->error_us = newest->rtt_us / 2;
    for (size_t i = 0; i < c->count; i++) {
        const struct node_clock_sample *a = &c->samples[(c->next + NODE_CLOCK_SAMPLES - 1 - i) % NODE_CLOCK_SAMPLES];

        if (newest->mid_us - a->mid_us > WINDOW_US)
            break;
        add_to_sums(&s, c, a);
        if (a->rtt_us / 2 < c->error_us)
            c->error_us = a->rtt_us / 2;
    }
    det = s.w * s.wxx - s.wx * s.wx;
    c->drift = (s.w * s.wxy - s.wx * s.wy) / det;
    base = (s.wy - c->drift * s.wx) / s.w;
    c->base_us += (int64_t)base;
    c->base_variance = s.wxx / det;
    c->drift_variance = s.w / det;
    c->covariance = -s.wx / det;
}

/* How far the line may be off at t: what the samples scatter, and what their roads have in common. */
static double doubt_at(const struct node_clock *c, int64_t t_us)
{
    const double x = (double)(t_us - c->at_us), variance = c->base_variance + 2 * x * c->covariance + x * x * c->drift_variance;

    return 4 * sqrt(variance > 0 ? variance : 0) + (double)c->error_us;
}

/* The node's time was between sent and got, whatever the network did: an offset that does not fit there is of another clock than before. */
static bool is_step(const struct node_clock *c, const struct node_clock_sample *a)
{
    const double apart = fabs((double)(a->offset_us - node_clock_offset(c, a->mid_us)));

    return a->mid_us < c->at_us || apart > (double)a->rtt_us / 2 + doubt_at(c, a->mid_us) + STEP_US;
}

void node_clock_add(struct node_clock *c, int64_t sent_us, int64_t got_us, int64_t node_us)
{
    struct node_clock_sample a;

    if (sent_us < 0 || got_us < sent_us || node_us < 0 || node_us > LATEST_US)
        return;
    a = (struct node_clock_sample){ .mid_us = sent_us + (got_us - sent_us) / 2, .rtt_us = got_us - sent_us };
    a.offset_us = node_us - a.mid_us;
    c->seen++;
    if (c->count && is_step(c, &a)) {
        c->steps++;
        c->count = 0;
    }
    c->samples[c->next] = a;
    c->next = (c->next + 1) % NODE_CLOCK_SAMPLES;
    c->count += c->count < NODE_CLOCK_SAMPLES;
    fit(c);
}

bool node_clock_is_known(const struct node_clock *c)
{
    return c->count > 0;
}

int64_t node_clock_offset(const struct node_clock *c, int64_t t_us)
{
    const int64_t away = t_us - c->at_us, reach = away > REACH_US ? REACH_US : away < -(int64_t)REACH_US ? -(int64_t)REACH_US : away;

    return c->base_us + (int64_t)(c->drift * (double)reach);
}
