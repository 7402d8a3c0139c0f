/* provider = deepgram: Deepgram's Voice Agent, with its key and its instructions. */
#include "app/agent_kind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ai/deepgram_agent.h"
#include "app/agent_tools.h"

struct agent_deepgram {
    struct deepgram_settings settings;
    char *key, *url, *listen, *thinker, *model, *voice, *instructions, *greeting;
};

static void free_settings(void *settings)
{
    struct agent_deepgram *a = settings;

    if (!a)
        return;
    if (a->key)
        explicit_bzero(a->key, strlen(a->key));
    free(a->key);
    free(a->url);
    free(a->listen);
    free(a->thinker);
    free(a->model);
    free(a->voice);
    free(a->instructions);
    free(a->greeting);
    free(a);
}

static int texts_take(struct agent_deepgram *a, const struct agent_load *l)
{
    const struct config_agent *from = l->from;

    if (agent_text_copy(&a->key, secret_reveal(&from->key)) || agent_text_copy(&a->url, from->url) || agent_text_copy(&a->listen, from->listen_model) ||
        agent_text_copy(&a->thinker, from->think_provider) || agent_text_copy(&a->model, from->model) || agent_text_copy(&a->voice, from->voice) ||
        agent_text_copy(&a->greeting, from->greeting))
        return -ENOMEM;
    return agent_instructions_read(&a->instructions, l);
}

static int load(void **settings, const struct agent_load *l)
{
    struct agent_deepgram *a = calloc(1, sizeof *a);
    const int err = a ? texts_take(a, l) : -ENOMEM;

    if (err) {
        free_settings(a);
        return err;
    }
    a->settings = (struct deepgram_settings){
        .url = a->url, .listen_model = a->listen, .think_provider = a->thinker, .model = a->model, .voice = a->voice,
        .instructions = a->instructions, .greeting = a->greeting, .audio = (enum deepgram_audio)l->from->audio,
        .tools = l->tools->told, .tool_count = l->tools->count,
    };
    *settings = a;
    return 0;
}

static int make(struct provider **out, const void *settings, const struct agent_ground *g)
{
    const struct agent_deepgram *a = settings;
    const struct deepgram_options opt = { .settings = &a->settings, .key = a->key, .dialer = g->dialer };

    return deepgram_agent_new(out, g->loop, &opt, g->log);
}

const struct agent_kind agent_kind_deepgram = { .load = load, .free = free_settings, .make = make };
