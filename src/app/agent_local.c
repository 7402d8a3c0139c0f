/* provider = local: the embedded agent, with its file and the grammar made of it. */
#include "app/agent_kind.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ai/local.h"
#include "app/agent_tools.h"

struct agent_local {
    struct agent_file *file;
    struct grammar *grammar;
};

static void on_file_problem(const struct conf_place *place, const char *message, void *arg)
{
    char where[300];

    snprintf(where, sizeof where, "%s:%u", place->file, place->line);
    agent_complain(arg, where, message);
}

static int check_tools(const struct agent_local *a, const struct agent_load *l)
{
    int err = 0;

    for (size_t i = 0; i < a->file->intent_count; i++) {
        const struct agent_intent *in = &a->file->intents[i];
        char message[200];

        if (!in->tool.n || agent_tools_find(l->tools, in->tool))
            continue;
        snprintf(message, sizeof message, "intent %.*s: tool %.*s is not in this agent's tools = list", TEXT_ARG(in->name),
                 TEXT_ARG(in->tool));
        on_file_problem(&in->place, message, (void *)(uintptr_t)l->to);
        err = -EINVAL;
    }
    return err;
}

static int load_grammar(struct agent_local *a, const struct agent_load *l)
{
    char *missing = NULL, message[200];
    const int err = grammar_new(&a->grammar, a->file, NULL, l->cache_dir, &missing);

    if (err == -EINVAL)
        snprintf(message, sizeof message, "the recogniser's dictionary does not know the word \"%s\"; use another phrasing",
                 missing ? missing : "?");
    else if (err)
        snprintf(message, sizeof message, "the recogniser's grammar cannot be made: %s (is pocketsphinx-en-us installed?)",
                 err_text(err));
    if (err)
        agent_complain(l->to, l->from->file, message);
    free(missing);
    return err;
}

static void free_settings(void *settings)
{
    struct agent_local *a = settings;

    if (!a)
        return;
    grammar_free(a->grammar);
    agent_file_free(a->file);
    free(a);
}

static int load(void **settings, const struct agent_load *l)
{
    struct agent_local *a = calloc(1, sizeof *a);
    int err;

    if (!a)
        return -ENOMEM;
    err = agent_file_load(&a->file, l->from->file, on_file_problem, (void *)(uintptr_t)l->to);
    if (err && err != -EINVAL)
        agent_complain(l->to, l->from->file, err_text(err));
    if (!err)
        err = check_tools(a, l);
    if (!err)
        err = load_grammar(a, l);
    if (err)
        free_settings(a);
    else
        *settings = a;
    return err;
}

static int make(struct provider **out, const void *settings, const struct agent_ground *g)
{
    const struct agent_local *a = settings;
    const struct local_options lo = { .agent = a->file, .grammar = a->grammar, .voice = g->voice, .pool = g->speech };

    return local_new(out, g->loop, &lo, g->log);
}

static struct agent_barge_in barge_in(const void *settings)
{
    const struct agent_local *a = settings;

    return (struct agent_barge_in){ .voice = a->file->barge_in_voice, .dtmf = a->file->barge_in_dtmf };
}

const struct agent_kind agent_kind_local = { .load = load, .free = free_settings, .make = make, .barge_in = barge_in,
                                              .is_embedded = true };
