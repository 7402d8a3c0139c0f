/* provider = local: the embedded agent, with its file and the grammar made of it. */
#include "app/agent_kind.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

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

/* What the model's words are for the others, is written in the file here: so it can be checked before the first call. */
static bool args_are_good(const struct agent_intent *in, const struct agent_tool *tool, char *why, size_t size)
{
    char made[200], fault[SCHEMA_WHY_MAX];
    cJSON *args;
    bool is_good;

    snprintf(made, sizeof made, "{\"intent\":\"%.*s\"}", TEXT_ARG(in->name));
    args = in->args.p ? cJSON_ParseWithLength(in->args.p, in->args.n) : cJSON_Parse(made);
    is_good = args && (!tool->schema || schema_accepts(tool->schema, args, fault));
    if (!is_good)
        snprintf(why, size, "intent %.*s: tool %.*s: args: %s", TEXT_ARG(in->name), TEXT_ARG(in->tool), args ? fault : "is not JSON");
    cJSON_Delete(args);
    return is_good;
}

static bool call_is_good(const struct agent_intent *in, const struct agent_tool *tool, char *why, size_t size)
{
    const bool is_end = tool && tool->entry.builtin != BUILTIN_NONE && tool->entry.builtin != BUILTIN_TAKE_MESSAGE &&
                        tool->entry.builtin != BUILTIN_SET_VARIABLE;

    if (!tool)
        snprintf(why, size, "intent %.*s: tool %.*s is not in this agent's tools = list", TEXT_ARG(in->name), TEXT_ARG(in->tool));
    else if (is_end && text_find(in->answer, '{') >= 0)
        snprintf(why, size, "intent %.*s: the tool %.*s gives nothing that a {mark} of the answer could be filled with", TEXT_ARG(in->name),
                 TEXT_ARG(in->tool));
    else
        return args_are_good(in, tool, why, size);
    return false;
}

static int check_tools(const struct agent_local *a, const struct agent_load *l)
{
    int err = 0;

    for (size_t i = 0; i < a->file->intent_count; i++) {
        const struct agent_intent *in = &a->file->intents[i];
        char message[600];

        if (!in->tool.n || call_is_good(in, agent_tools_find(l->tools, in->tool), message, sizeof message))
            continue;
        on_file_problem(&in->place, message, (void *)(uintptr_t)l->to);
        err = -EINVAL;
    }
    return err;
}

static int load_file(struct agent_file **file, const struct agent_load *l)
{
    const int err = agent_file_load(file, l->from->file, on_file_problem, (void *)(uintptr_t)l->to);

    if (err && err != -EINVAL)
        agent_complain(l->to, l->from->file, err_text(err));
    return err;
}

static int load_grammar(struct grammar **grammar, const struct agent_file *file, const struct agent_load *l)
{
    char *missing = NULL, message[200];
    const int err = grammar_new(grammar, file, NULL, l->cache_dir, &missing);

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

int agent_grammar_load(struct agent_file **file, struct grammar **grammar, const struct agent_load *l)
{
    const int err = load_file(file, l);

    return err ? err : load_grammar(grammar, *file, l);
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
    err = load_file(&a->file, l);
    if (!err)
        err = check_tools(a, l);
    if (!err)
        err = load_grammar(&a->grammar, a->file, l);
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
