/* Which figures of talks there are. */
#include "call/talk_meters.h"

#include <errno.h>

static const char *name_of(const char *provider)
{
    return provider ? provider : "other";
}

int talk_meters_add(struct talk_meters *t, struct metrics *m)
{
    struct metric *underruns, *turns;
    const struct {
        struct metric **to;
        enum metric_kind kind;
        const char *name, *help, *labels;
    } all[] = {
        { &t->talks, METRIC_GAUGE, "sidetone_talks", "Talks now, by who provides the agent's words.", "provider" },
        { &t->failures, METRIC_COUNTER, "sidetone_provider_failures_total", "Providers that could not go on.", "provider,kind" },
        { &t->barge_ins, METRIC_COUNTER, "sidetone_barge_ins_total", "Times that a caller cut the agent off; by false: it was a noise, and the agent went on.", "by" },
        { &turns, METRIC_COUNTER, "sidetone_turns_total", "Turns of callers that were understood or written down.", NULL },
        { &t->turn_seconds, METRIC_HISTOGRAM, "sidetone_turn_seconds", "From the end of the caller's voice to the agent's first sample.", "provider" },
        { &t->first_seconds, METRIC_HISTOGRAM, "sidetone_first_audio_seconds", "From the beginning of a talk to the agent's first sample.", "provider" },
        { &t->phrases, METRIC_COUNTER, "sidetone_phrases_total", "Ready phrases that callers heard: late, failed, tool, no_input, give_up.", "why" },
        { &underruns, METRIC_COUNTER, "sidetone_media_underruns_total", "Frames that found an unfinished answer empty: the caller heard a gap.", NULL },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (metrics_add(all[i].to, m, all[i].kind, all[i].name, all[i].help, all[i].labels))
            return -ENOMEM;
    t->underruns = metric_series(underruns, NULL, NULL, NULL);
    t->turns = metric_series(turns, NULL, NULL, NULL);
    return 0;
}

void talk_meters_talks(const struct talk_meters *t, const char *provider, int64_t more)
{
    if (t)
        series_add(metric_series(t->talks, name_of(provider), NULL, NULL), more);
}

void talk_meters_failed(const struct talk_meters *t, const char *provider, const char *kind)
{
    if (t)
        series_add(metric_series(t->failures, name_of(provider), kind, NULL), 1);
}

void talk_meters_barge_in(const struct talk_meters *t, const char *by)
{
    if (t)
        series_add(metric_series(t->barge_ins, by, NULL, NULL), 1);
}

void talk_meters_turn(const struct talk_meters *t)
{
    if (t)
        series_add(t->turns, 1);
}

void talk_meters_answered(const struct talk_meters *t, const char *provider, int64_t us)
{
    if (t)
        series_observe(metric_series(t->turn_seconds, name_of(provider), NULL, NULL), us);
}

void talk_meters_first(const struct talk_meters *t, const char *provider, int64_t us)
{
    if (t)
        series_observe(metric_series(t->first_seconds, name_of(provider), NULL, NULL), us);
}

void talk_meters_phrase(const struct talk_meters *t, const char *why)
{
    if (t)
        series_add(metric_series(t->phrases, why, NULL, NULL), 1);
}

void talk_meters_underruns(const struct talk_meters *t, int64_t more)
{
    if (t && more > 0)
        series_add(t->underruns, more);
}
