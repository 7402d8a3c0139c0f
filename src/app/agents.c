/* Loads the configured agents and refuses what would fail in the middle of a call. */
#include "app/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int copy_tools(struct agent *a, const struct agent_want *w)
{
    size_t n = 0;

    while (w->tool_names && w->tool_names[n])
        n++;
    a->tools = calloc(n + 1, sizeof *a->tools);
    if (!a->tools)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        a->tools[i].name = strdup(w->tool_names[i]);
        a->tools[i].path = strdup(w->tool_paths[i]);
        a->tool_count++;
        if (!a->tools[i].name || !a->tools[i].path)
            return -ENOMEM;
    }
    return 0;
}

static int load_grammar(struct agent *a, const struct agent_want *w, const char *cache_dir, const struct complaint *to)
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
        complain(to, w->path, message);
    free(missing);
    return err;
}

static int load_one(struct agent *a, const struct agent_want *w, const char *cache_dir, const struct complaint *to)
{
    int err = copy_tools(a, w);

    if (err)
        return err;
    a->name = strdup(w->name);
    a->max_ms = w->max_ms;
    if (!a->name)
        return -ENOMEM;
    err = agent_file_load(&a->file, w->path, on_file_problem, (void *)(uintptr_t)to);
    if (err && err != -EINVAL)
        complain(to, w->path, err_text(err));
    if (err)
        return err;
    err = check_tools(a, to);
    return err ? err : load_grammar(a, w, cache_dir, to);
}

int agents_load(struct agents **out, const struct agent_want *want, size_t count, const char *cache_dir,
                void (*problem)(const char *line, void *arg), void *arg)
{
    struct agents *as = calloc(1, sizeof *as);
    int worst = 0;

    if (!as)
        return -ENOMEM;
    as->all = calloc(count + 1, sizeof *as->all);
    if (!as->all)
        worst = -ENOMEM;
    for (size_t i = 0; as->all && i < count; i++) {
        const struct complaint to = { .agent = want[i].name, .problem = problem, .arg = arg };
        const int err = load_one(&as->all[as->count++], &want[i], cache_dir, &to);

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
