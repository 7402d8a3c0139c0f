/* provider = openai: a voice model behind the Realtime API, with its key and its instructions. */
#include "app/agent_kind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ai/openai_realtime.h"
#include "app/agent_tools.h"

struct agent_openai {
    struct openai_settings settings;
    char *key, *url, *model, *voice, *instructions, *greeting, *transcription;
};

static void free_settings(void *settings)
{
    struct agent_openai *a = settings;

    if (!a)
        return;
    if (a->key)
        explicit_bzero(a->key, strlen(a->key));
    free(a->key);
    free(a->url);
    free(a->model);
    free(a->voice);
    free(a->instructions);
    free(a->greeting);
    free(a->transcription);
    free(a);
}

static int texts_take(struct agent_openai *a, const struct config_agent *from)
{
    const bool transcribes = from->transcribe && strcmp(from->transcribe, "none") != 0;

    if (agent_text_copy(&a->key, secret_reveal(&from->key)) || agent_text_copy(&a->url, from->url) || agent_text_copy(&a->model, from->model) || agent_text_copy(&a->voice, from->voice) ||
        agent_text_copy(&a->greeting, from->greeting) || (transcribes && agent_text_copy(&a->transcription, from->transcribe)))
        return -ENOMEM;
    return 0;
}

static int load(void **settings, const struct agent_load *l)
{
    struct agent_openai *a = calloc(1, sizeof *a);
    int err = a ? texts_take(a, l->from) : -ENOMEM;

    if (!err)
        err = agent_instructions_read(&a->instructions, l);
    if (err) {
        free_settings(a);
        return err;
    }
    a->settings = (struct openai_settings){
        .url = a->url, .model = a->model, .voice = a->voice, .instructions = a->instructions, .greeting = a->greeting,
        .transcription = a->transcription, .audio = (enum openai_audio)l->from->audio, .silence_ms = (unsigned)l->from->silence_ms,
        .tools = l->tools->told, .tool_count = l->tools->count,
    };
    *settings = a;
    return 0;
}

static int make(struct provider **out, const void *settings, const struct agent_ground *g)
{
    const struct agent_openai *a = settings;
    const struct openai_options oo = { .settings = &a->settings, .key = a->key, .dialer = g->dialer };

    return openai_realtime_new(out, g->loop, &oo, g->log);
}

const struct agent_kind agent_kind_openai = { .load = load, .free = free_settings, .make = make };
