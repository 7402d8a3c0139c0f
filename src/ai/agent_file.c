/* Reads an agent of the embedded provider from a file of the configuration dialect, and names every mistake in it. */
#include "ai/agent_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ai/agent_internal.h"

#define IN_AGENT(member) offsetof(struct agent_file, member)
#define IN_INTENT(member) offsetof(struct agent_intent, member)

static const struct agent_key agent_keys[] = {
    {.name = "greeting", .kind = KEY_SPOKEN, .at = IN_AGENT(greeting)},
    {.name = "voice", .kind = KEY_VOICE, .at = IN_AGENT(voice), .fallback = "slt"},
    {.name = "reprompt", .kind = KEY_SPOKEN, .at = IN_AGENT(reprompt), .fallback = "Sorry, I did not catch that."},
    {.name = "confirm", .kind = KEY_SPOKEN, .at = IN_AGENT(confirm), .fallback = "Did you say {title}?", .mark = "title"},
    {.name = "digits_help",
     .kind = KEY_SPOKEN,
     .at = IN_AGENT(digits_help),
     .fallback = "You can also press {digits}.",
     .mark = "digits"},
    {.name = "no_input", .kind = KEY_SPOKEN, .at = IN_AGENT(no_input), .fallback = "Are you still there?"},
    {.name = "no_input_after", .kind = KEY_MS, .at = IN_AGENT(no_input_ms), .min = 1000, .max = 120000},
    {.name = "goodbye", .kind = KEY_SPOKEN, .at = IN_AGENT(goodbye), .fallback = "Thank you for calling. Goodbye."},
    {.name = "give_up", .kind = KEY_SPOKEN, .at = IN_AGENT(give_up), .fallback = "I connect you with a colleague."},
    {.name = "accept", .kind = KEY_SCORE, .at = IN_AGENT(accept)},
    {.name = "confirm_above", .kind = KEY_SCORE, .at = IN_AGENT(confirm_above)},
    {.name = "barge_in", .kind = KEY_BARGE_IN},
    {.name = "barge_in_after", .kind = KEY_MS, .at = IN_AGENT(barge_in_ms), .min = 60, .max = 5000},
};

static const struct agent_key intent_keys[] = {
    {.name = "title", .kind = KEY_SPOKEN, .at = IN_INTENT(title)},
    {.name = "say", .kind = KEY_SAY},
    {.name = "digit", .kind = KEY_DIGIT},
    {.name = "tool", .kind = KEY_NAME, .at = IN_INTENT(tool)},
    {.name = "args", .kind = KEY_ARGS, .at = IN_INTENT(args)},
    {.name = "answer", .kind = KEY_SPOKEN, .at = IN_INTENT(answer), .mark = "*"},
    {.name = "failed", .kind = KEY_SPOKEN, .at = IN_INTENT(failed), .fallback = "I am sorry, I cannot do that just now."},
    {.name = "then", .kind = KEY_THEN},
    {.name = "reason", .kind = KEY_NAME, .at = IN_INTENT(reason)},
};

enum { AGENT_KEYS = sizeof agent_keys / sizeof agent_keys[0], INTENT_KEYS = sizeof intent_keys / sizeof intent_keys[0] };

static const char *nearest(const struct agent_key *keys, size_t count, struct text name)
{
    size_t best = SIZE_MAX;
    const char *found = keys[0].name;

    for (size_t i = 0; i < count; i++) {
        const size_t d = text_distance(text_of(keys[i].name), name);
        if (d < best) {
            best = d;
            found = keys[i].name;
        }
    }
    return found;
}

/* The key of an item, or NULL with the mistake told: unknown, or given twice in one section (an inherited one may be replaced).
 */
static const struct agent_key *key_of(struct agent_loader *l, const struct agent_key *keys, size_t count,
                                      const struct conf_section *s, const struct conf_item *item)
{
    const struct agent_key *key = NULL;

    for (size_t i = 0; i < count; i++)
        if (text_eq(item->name, text_of(keys[i].name)))
            key = &keys[i];
    if (!key) {
        agent_wrong(l, &item->place, "there is no key \"%.*s\" in [%.*s]; the nearest is %s",
                    TEXT_ARG(text_head(item->name, 64)), TEXT_ARG(text_head(s->name, 64)), nearest(keys, count, item->name));
        return NULL;
    }
    for (const struct conf_item *other = s->items; other < item && key->kind != KEY_SAY && !item->appended; other++)
        if (!other->inherited && text_eq(other->name, item->name))
            agent_wrong(l, &item->place, "%s: given in line %u already", key->name, other->place.line);
    return key;
}

static void set_fallbacks(const struct agent_key *keys, size_t count, void *object)
{
    for (size_t i = 0; i < count; i++) {
        struct text *t = (struct text *)((char *)object + keys[i].at);
        if (keys[i].fallback && !t->p)
            *t = text_of(keys[i].fallback);
    }
}

static void read_agent(struct agent_loader *l, const struct conf_section *s)
{
    struct agent_file *a = l->a;

    if (l->agent_section) {
        agent_wrong(l, &s->place, "[agent] stands in line %u already", l->agent_section->place.line);
        return;
    }
    l->agent_section = s;
    for (size_t i = 0; i < s->count; i++) {
        const struct agent_key *key = key_of(l, agent_keys, AGENT_KEYS, s, &s->items[i]);
        if (key)
            agent_set(l, key, a, &s->items[i]);
    }
    if (!a->greeting.p)
        agent_wrong(l, &s->place, "[agent] has no greeting");
    if (a->accept < a->confirm_above)
        agent_wrong(l, &s->place, "accept (%.0f) is below confirm_above (%.0f)", a->accept, a->confirm_above);
}

static bool has_item(const struct conf_section *s, struct text name)
{
    for (size_t i = 0; i < s->count; i++)
        if (text_eq(s->items[i].name, name))
            return true;
    return false;
}

static void check_intent(struct agent_loader *l, const struct conf_section *s, const struct agent_intent *in)
{
    const bool has_mark = in->answer.p && text_find(in->answer, '{') >= 0;

    if (!has_item(s, TEXT("say")) && !has_item(s, TEXT("digit")))
        agent_wrong(l, &in->place, "[intent %.*s] has neither say nor digit, so nobody can ask for it", TEXT_ARG(in->name));
    if (in->then == AGENT_LISTEN && !in->answer.p)
        agent_wrong(l, &in->place, "[intent %.*s] has no answer", TEXT_ARG(in->name));
    if (in->args.p && !in->tool.p)
        agent_wrong(l, &in->place, "[intent %.*s] has args, and no tool to get them", TEXT_ARG(in->name));
    if (has_mark && !in->tool.p)
        agent_wrong(l, &in->place, "[intent %.*s] has a {mark} in its answer, and no tool to fill it", TEXT_ARG(in->name));
}

/* "opening-hours" as words, for an intent without a title. */
static struct text title_of(struct agent_loader *l, struct text name)
{
    const struct text title = agent_keep(l, name);

    for (size_t i = 0; i < title.n; i++)
        if (title.p[i] == '-' || title.p[i] == '_')
            ((char *)title.p)[i] = ' '; /* our own fresh copy */
    return title;
}

static void read_intent(struct agent_loader *l, const struct conf_section *s, struct text name)
{
    struct agent_intent in = {.name = agent_keep(l, name), .place = s->place};
    struct text *phrases = arena_take(l->mem, (s->count + 1) * sizeof *phrases);

    if (!phrases) {
        l->no_memory = true;
        return;
    }
    in.place.file = agent_keep(l, text_of(s->place.file)).p;
    if (!agent_is_name(name))
        agent_wrong(l, &s->place, "[intent NAME]: expected a name of letters, digits, _ and - (at most %d), got \"%.*s\"",
                    AGENT_NAME_MAX, TEXT_ARG(text_head(name, 100)));
    for (size_t i = 0; i < l->intent_count; i++)
        if (text_eq(l->intents[i].name, name))
            agent_wrong(l, &s->place, "[intent %.*s] stands in line %u already", TEXT_ARG(name), l->intents[i].place.line);
    for (size_t i = 0; i < s->count; i++) {
        const struct agent_key *key = key_of(l, intent_keys, INTENT_KEYS, s, &s->items[i]);
        if (!key)
            continue;
        if (key->kind == KEY_SAY)
            agent_set_say(l, phrases, &in.phrase_count, &s->items[i]);
        else if (key->kind == KEY_DIGIT)
            agent_set_digit(l, &in, &s->items[i]);
        else if (key->kind == KEY_THEN)
            agent_set_then(l, &in, &s->items[i]);
        else
            agent_set(l, key, &in, &s->items[i]);
    }
    in.phrases = phrases;
    check_intent(l, s, &in);
    set_fallbacks(intent_keys, INTENT_KEYS, &in);
    if (!in.title.p)
        in.title = title_of(l, name);
    if (!in.reason.p)
        in.reason = in.name;
    if (l->intent_count == AGENT_INTENTS_MAX)
        agent_wrong(l, &s->place, "more than %d intents", AGENT_INTENTS_MAX);
    else
        l->intents[l->intent_count++] = in;
}

static void read_section(struct agent_loader *l, const struct conf_section *s)
{
    if (s->is_template)
        return;
    if (text_eq(s->name, TEXT("agent")))
        read_agent(l, s);
    else if (text_starts(s->name, TEXT("intent ")))
        read_intent(l, s, text_trim(text_skip(s->name, 7)));
    else
        agent_wrong(l, &s->place, "there is no section [%.*s]; an agent has [agent] and [intent NAME]",
                    TEXT_ARG(text_head(s->name, 64)));
}

static void read_all(struct agent_loader *l, const char *path)
{
    const struct conf_place start = {.file = path, .line = 1, .column = 1};

    for (size_t i = 0; i < l->conf->problem_count; i++) {
        const struct conf_problem *p = &l->conf->problems[i];
        if (p->severity == CONF_ERROR)
            agent_wrong(l, &p->place, "%s", p->message);
        else
            agent_warning(l, &p->place, "warning: %s", p->message);
    }
    for (size_t i = 0; i < l->conf->section_count; i++)
        read_section(l, &l->conf->sections[i]);
    if (!l->agent_section)
        agent_wrong(l, &start, "there is no [agent] section");
    if (l->intent_count == 0)
        agent_wrong(l, &start, "there is no [intent NAME] section, so nothing could be understood");
    set_fallbacks(agent_keys, AGENT_KEYS, l->a);
}

static struct agent_file *agent_make(struct arena *mem)
{
    struct agent_file *a = arena_take(mem, sizeof *a);

    if (!a)
        return NULL;
    a->memory = mem;
    a->no_input_ms = 8000;
    a->barge_in_ms = 120;
    a->accept = -2300;
    a->confirm_above = -3000;
    a->barge_in_voice = a->barge_in_dtmf = true;
    return a;
}

int agent_file_load(struct agent_file **out, const char *path, agent_on_problem *problem, void *arg)
{
    struct conf *conf = NULL;
    struct arena *mem = NULL;
    struct agent_loader *l = NULL;
    int err = conf_load(&conf, path, &conf_disk);

    if (err)
        return err;
    err = arena_new(&mem, AGENT_MEMORY_MAX);
    if (err)
        goto done;
    err = -ENOMEM;
    l = calloc(1, sizeof *l);
    if (!l)
        goto done;
    l->conf = conf;
    l->mem = mem;
    l->a = agent_make(mem);
    l->intents = arena_take(mem, AGENT_INTENTS_MAX * sizeof *l->intents);
    if (!l->a || !l->intents)
        goto done;
    read_all(l, path);
    l->a->intents = l->intents;
    l->a->intent_count = l->intent_count;
    err = l->no_memory ? -ENOMEM : l->failed ? -EINVAL : 0;
    if (!l->no_memory)
        agent_problems_tell(l, problem, arg);
    if (!err) {
        *out = l->a;
        mem = NULL;
    }
done:
    free(l);
    arena_free(mem);
    conf_free(conf);
    return err;
}

void agent_file_free(struct agent_file *a)
{
    if (a)
        arena_free(a->memory);
}
