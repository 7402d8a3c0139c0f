/* Loads the configured agents and refuses what would fail in the middle of a call. */
#include "app/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/agent_openai.h"

struct agents {
    struct agent *all;
    size_t count;
};

struct complaint {
    const char *agent;
    void (*problem)(const char *line, void *arg);
    void *arg;
};

static void complain(const struct complaint *to, const char *place, const char *message)
{
    char line[600];

    snprintf(line, sizeof line, "%s: agent %s: %s", place, to->agent, message);
    to->problem(line, to->arg);
}

static void on_file_problem(const struct conf_place *place, const char *message, void *arg)
{
    char where[300];

    snprintf(where, sizeof where, "%s:%u", place->file, place->line);
    complain(arg, where, message);
}

static bool has_tool(const struct agent *a, struct text name)
{
    for (size_t i = 0; i < a->tool_count; i++)
        if (text_eq(text_of(a->tools[i].name), name))
            return true;
    return false;
}

static int check_tools(const struct agent *a, const struct complaint *to)
{
    int err = 0;

    for (size_t i = 0; i < a->file->intent_count; i++) {
        const struct agent_intent *in = &a->file->intents[i];
        char message[200];

        if (!in->tool.n || has_tool(a, in->tool))
            continue;
        snprintf(message, sizeof message, "intent %.*s: tool %.*s is not in this agent's tools = list", TEXT_ARG(in->name),
                 TEXT_ARG(in->tool));
        on_file_problem(&in->place, message, (void *)(uintptr_t)to);
        err = -EINVAL;
    }
    return err;
}

static int copy_tools(struct agent *a, const struct config_agent *from)
{
    a->tools = calloc(from->tool_count + 1, sizeof *a->tools);
    if (!a->tools)
        return -ENOMEM;
    for (; a->tool_count < from->tool_count; a->tool_count++) {
        struct agent_tool *t = &a->tools[a->tool_count];

        t->name = strdup(from->tools[a->tool_count].name);
        t->path = strdup(from->tools[a->tool_count].path);
        if (!t->name || !t->path) {
            a->tool_count++; /* so that what there is of it is freed */
            return -ENOMEM;
        }
    }
    return 0;
}

static int load_grammar(struct agent *a, const struct config_agent *from, const char *cache_dir, const struct complaint *to)
{
    char *missing = NULL, message[200];
    const int err = grammar_new(&a->grammar, a->file, NULL, cache_dir, &missing);

    if (err == -EINVAL)
        snprintf(message, sizeof message, "the recogniser's dictionary does not know the word \"%s\"; use another phrasing",
                 missing ? missing : "?");
    else if (err)
        snprintf(message, sizeof message, "the recogniser's grammar cannot be made: %s (is pocketsphinx-en-us installed?)",
                 err_text(err));
    if (err)
        complain(to, from->file, message);
    free(missing);
    return err;
}

static int copy_fallback(struct agent *a, const struct config_fallback *from)
{
    const char *const parts[] = { from->context, from->extension, from->priority };

    for (size_t i = 0; from->context && i < 3; i++) {
        a->fallback[i] = strdup(parts[i]);
        if (!a->fallback[i])
            return -ENOMEM;
    }
    return 0;
}

static int load_openai(struct agent *a, const struct config_agent *from, const struct complaint *to)
{
    char *place = NULL, *message = NULL;
    const int err = agent_openai_new(&a->openai, from, &place, &message);

    if (err && message)
        complain(to, place ? place : from->head.file, message);
    free(place);
    free(message);
    return err;
}

/* Checked by config_check: known names, each once. */
static void copy_media(struct agent *a, const struct config_agent *from)
{
    for (size_t i = 0; i < from->media.count && i < STASIS_MEDIA_COUNT; i++)
        a->media[a->media_count++] = strcmp(from->media.items[i], "rtp") == 0 ? STASIS_RTP : STASIS_AUDIOSOCKET;
    if (a->media_count == 0)
        a->media[a->media_count++] = STASIS_AUDIOSOCKET;
}

static int load_one(struct agent *a, const struct config_agent *from, const char *cache_dir, const struct complaint *to)
{
    int err = copy_tools(a, from);

    if (err)
        return err;
    a->name = strdup(from->head.name);
    a->max_ms = from->max_duration_ms;
    copy_media(a, from);
    if (!a->name || copy_fallback(a, &from->fallback))
        return -ENOMEM;
    if (from->provider == CONFIG_PROVIDER_OPENAI)
        return load_openai(a, from, to);
    err = agent_file_load(&a->file, from->file, on_file_problem, (void *)(uintptr_t)to);
    if (err && err != -EINVAL)
        complain(to, from->file, err_text(err));
    if (err)
        return err;
    err = check_tools(a, to);
    return err ? err : load_grammar(a, from, cache_dir, to);
}

int agents_load(struct agents **out, const struct config *config, const char *cache_dir,
                void (*problem)(const char *line, void *arg), void *arg)
{
    struct agents *as = calloc(1, sizeof *as);
    int worst = 0;

    if (!as)
        return -ENOMEM;
    as->all = calloc(config->agent_count + 1, sizeof *as->all);
    if (!as->all)
        worst = -ENOMEM;
    for (size_t i = 0; as->all && i < config->agent_count; i++) {
        const struct config_agent *from = &config->agents[i];
        const struct complaint to = { .agent = from->head.name, .problem = problem, .arg = arg };
        const int err = load_one(&as->all[as->count++], from, cache_dir, &to);

        if (err)
            worst = err;
    }
    if (worst) {
        agents_free(as);
        return worst == -ENOMEM ? -ENOMEM : -EINVAL;
    }
    *out = as;
    return 0;
}

static void free_one(struct agent *a)
{
    for (size_t i = 0; i < a->tool_count; i++) {
        free(a->tools[i].name);
        free(a->tools[i].path);
    }
    free(a->tools);
    free(a->name);
    for (size_t i = 0; i < 3; i++)
        free(a->fallback[i]);
    agent_openai_free(a->openai);
    grammar_free(a->grammar);
    agent_file_free(a->file);
}

void agents_free(struct agents *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        free_one(&a->all[i]);
    free(a->all);
    free(a);
}

size_t agents_count(const struct agents *a)
{
    return a->count;
}

const struct agent *agents_at(const struct agents *a, size_t i)
{
    return &a->all[i];
}

int agents_find(const struct agents *a, struct text name)
{
    for (size_t i = 0; i < a->count; i++)
        if (text_eq(text_of(a->all[i].name), name))
            return (int)i;
    return -1;
}
