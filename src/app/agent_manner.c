/* An agent's manner, out of its section. */
#include "app/agent_manner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The usual phrases are a service's: the embedded ones are never late. */
#define SORRY "One moment, please."
#define GIVE_UP "I am sorry, I can not help you just now. Please hold the line."
#define FILLER "One moment, I am looking."
#define NO_INPUT "Are you still there?"

struct sentence {
    const char *key, *written, *usual;
    struct phrase *to;
};

static bool is_file(const char *value)
{
    const size_t n = strlen(value);

    return n > 4 && !strcmp(value + n - 4, ".wav");
}

static int read_sentence(const struct sentence *s, struct phrases *ready, const struct config_agent *from, const struct agent_complaint *to)
{
    const char *value = s->written ? s->written : s->usual;
    char line[300];
    int err;

    if (!value || !strcmp(value, "none"))
        return 0;
    err = is_file(value) ? phrases_load(ready, value, s->to) : phrases_speak(ready, from->phrase_voice, value, s->to);
    if (!err || err == -ENOMEM)
        return err;
    snprintf(line, sizeof line, "%s: %.200s: %s", s->key, value, err == -EINVAL ? "longer than 30 s" : err_text(err));
    agent_complain(to, to->agent, line);
    return -EINVAL;
}

static void read_barge_in(struct talk_manner *m, const struct config_agent *from, struct agent_barge_in usual)
{
    m->barge_in_ms = from->barge_in_after_ms;
    m->barge_in_provider = !from->barge_in.count && usual.voice;
    m->barge_in_dtmf = !from->barge_in.count && usual.dtmf;
    for (size_t i = 0; i < from->barge_in.count; i++) {
        const char *name = from->barge_in.items[i];

        m->barge_in_provider = m->barge_in_provider || !strcmp(name, "provider");
        m->barge_in_voice = m->barge_in_voice || !strcmp(name, "voice");
        m->barge_in_dtmf = m->barge_in_dtmf || !strcmp(name, "dtmf");
    }
}

int agent_manner_read(struct talk_manner *m, struct phrases *ready, const struct config_agent *from, const struct agent_kind *kind,
                      struct agent_barge_in usual, const struct agent_complaint *to)
{
    const struct sentence all[] = {
        { "sorry", from->sorry, kind->is_embedded ? NULL : SORRY, &m->sorry },
        { "give_up", from->give_up, kind->is_embedded ? NULL : GIVE_UP, &m->give_up },
        { "filler", from->filler, kind->is_embedded ? NULL : FILLER, &m->filler },
        { "no_input", from->no_input, from->no_input_after_ms ? NO_INPUT : NULL, &m->no_input },
    };

    *m = (struct talk_manner){
        .agent = from->head.name, .provider = config_providers[from->provider],
        .recording = from->recording, .transcript = from->transcript, .masks_numbers = from->mask == CONFIG_MASK_NUMBERS,
        .sorry_ms = from->sorry_after_ms, .filler_ms = from->filler_after_ms,
        .no_input_ms = from->no_input_after_ms, .no_input_times = (unsigned)from->no_input_times,
    };
    read_barge_in(m, from, usual);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const int err = read_sentence(&all[i], ready, from, to);

        if (err)
            return err;
    }
    return 0;
}
