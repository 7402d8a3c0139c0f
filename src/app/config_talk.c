/* One job: check how an agent talks, beside who it is: what cuts it off, what it says by itself, who follows when it fails. */
#include <string.h>

#include "ai/speech.h"
#include "app/config_parts.h"

static const struct config_agent *agent_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->agent_count; i++)
        if (!strcmp(c->agents[i].head.name, name))
            return &c->agents[i];
    return NULL;
}

/* Each agent has one successor at most. A circle is told once: at the first of its agents. */
static bool is_in_circle(const struct config *c, const struct config_agent *a)
{
    const struct config_agent *at = a;

    for (size_t i = 0; i < c->agent_count && at && at->next; i++) {
        at = agent_named(c, at->next);
        if (at <= a)
            return at == a;
    }
    return false;
}

static void check_next(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    if (!a->next)
        return;
    if (!agent_named(b->c, a->next))
        config_key_problem(b, CONF_ERROR, s, "next", "expected the name of an [agent NAME] section, came \"%s\"", a->next);
    else if (is_in_circle(b->c, a))
        config_key_problem(b, CONF_ERROR, s, "next", "expected an agent that does not lead back to this one, came \"%s\"", a->next);
}

static void check_barge_in(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    for (size_t i = 0; i < a->barge_in.count; i++) {
        const char *name = a->barge_in.items[i];

        if (strcmp(name, "provider") && strcmp(name, "voice") && strcmp(name, "dtmf") && strcmp(name, "none"))
            config_key_problem(b, CONF_ERROR, s, "barge_in", "expected provider, voice, dtmf or none, came \"%s\"", name);
        else if (!strcmp(name, "none") && a->barge_in.count > 1)
            config_key_problem(b, CONF_ERROR, s, "barge_in", "expected none alone, came others beside it");
    }
}

/* A name that ends in .wav is a file in agents/. */
static void check_phrase(struct config_build *b, const struct config_built *s, const char *key, const char **value)
{
    const struct text t = text_of(*value);
    const char *fault;

    if (!text_ends(t, TEXT(".wav")))
        return;
    *value = config_path(b, "agents", t);
    fault = *value ? config_file_fault(*value) : NULL;
    if (fault)
        config_key_problem(b, CONF_ERROR, s, key, "expected words, or a file, came %.300s: %s", *value, fault);
}

void config_talk_check(struct config_build *b, const struct config_built *s, struct config_agent *a)
{
    check_next(b, s, a);
    check_barge_in(b, s, a);
    check_phrase(b, s, "sorry", &a->sorry);
    check_phrase(b, s, "give_up", &a->give_up);
    check_phrase(b, s, "filler", &a->filler);
    check_phrase(b, s, "no_input", &a->no_input);
    if (a->mask == CONFIG_MASK_NUMBERS && a->recording)
        config_key_problem(b, CONF_WARNING, s, "mask", "a recording keeps numbers that are spoken");
    if (a->phrase_voice && !speech_has_voice(text_of(a->phrase_voice)))
        config_key_problem(b, CONF_ERROR, s, "phrase_voice", "expected one of: slt rms awb kal16 kal, came \"%s\"", a->phrase_voice);
}
