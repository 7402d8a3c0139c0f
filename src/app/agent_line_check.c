/* provider = echo, provider = record: for checks of the line. */
#include "app/agent_kind.h"

#include "ai/line_check.h"

/* Neither has settings of its own; a talk with itself is not cut by the caller's voice or digits. */
static int load(void **settings, const struct agent_load *l)
{
    (void)l;
    *settings = NULL;
    return 0;
}

static void free_settings(void *settings)
{
    (void)settings;
}

static struct agent_barge_in barge_in(const void *settings)
{
    (void)settings;
    return (struct agent_barge_in){ 0 };
}

static int make_echo(struct provider **out, const void *settings, const struct agent_ground *g)
{
    (void)settings;
    return echo_new(out, g->loop, &(struct line_check_options){ .rate_hz = g->leg_hz }, g->log);
}

static int make_record(struct provider **out, const void *settings, const struct agent_ground *g)
{
    (void)settings;
    return record_new(out, g->loop, &(struct line_check_options){ .rate_hz = g->leg_hz }, g->log);
}

const struct agent_kind agent_kind_echo = { .load = load, .free = free_settings, .make = make_echo, .barge_in = barge_in,
                                             .is_embedded = true };
const struct agent_kind agent_kind_record = { .load = load, .free = free_settings, .make = make_record, .barge_in = barge_in,
                                               .is_embedded = true };
