/* provider = pipeline: an ear, a language model and a voice, each as its part of the section says. */
#include "app/agent_kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/pipeline.h"
#include "app/agent_tools.h"

enum { CACHE_BYTES = 8 * 1024 * 1024 };    /* of bought sentences of one agent, for all its calls: some 8 minutes */

struct agent_pipeline {
    int stt, tts;                  /* enum config_stt, enum config_tts */
    struct llm_settings llm;
    struct stt_settings ears;
    struct tts_settings speaker;
    struct pipeline_parts parts;
    struct agent_file *file;       /* of the embedded ears; NULL: others listen */
    struct grammar *grammar;
    struct tts_cache *cache;
    char *key, *url, *model, *instructions, *greeting;
    char *stt_key, *stt_url, *stt_model, *language;
    char *tts_key, *tts_url, *tts_model, *voice, *voice_fallback;
    char **keyterms;
    size_t keyterm_count;
};

/* ---- on a call loop ---- */

static int ear_make(struct stt **out, const void *settings, const struct pipeline_ground *g, const struct stt_handlers *on, void *arg)
{
    const struct agent_pipeline *a = settings;

    switch (a->stt) {
    case CONFIG_STT_LOCAL:
        return stt_local_new(out, g->loop, a->grammar, g->speech, on, arg);
    case CONFIG_STT_OPENAI:
        return stt_openai_new(out, g->loop, g->dialer, &a->ears, g->log, on, arg);
    case CONFIG_STT_DEEPGRAM:
        return stt_listen_new(out, g->loop, g->dialer, &a->ears, g->log, on, arg);
    case CONFIG_STT_FLUX:
        return stt_flux_new(out, g->loop, g->dialer, &a->ears, g->log, on, arg);
    default:
        return -EINVAL;
    }
}

static int voice_make(struct tts **out, const void *settings, const struct pipeline_ground *g, const struct tts_handlers *on, void *arg)
{
    const struct agent_pipeline *a = settings;

    switch (a->tts) {
    case CONFIG_TTS_LOCAL:
        return tts_local_new(out, g->loop, g->voice, a->voice, on, arg);
    case CONFIG_TTS_OPENAI:
        return tts_openai_new(out, g->loop, g->dialer, &a->speaker, g->log, on, arg);
    case CONFIG_TTS_DEEPGRAM:
        return tts_aura_new(out, g->loop, g->dialer, &a->speaker, g->log, on, arg);
    default:
        return -EINVAL;
    }
}

static int spare_make(struct tts **out, const void *settings, const struct pipeline_ground *g, const struct tts_handlers *on, void *arg)
{
    const struct agent_pipeline *a = settings;

    return tts_local_new(out, g->loop, g->voice, a->voice_fallback, on, arg);
}

static int make(struct provider **out, const void *settings, const struct agent_ground *g)
{
    const struct agent_pipeline *a = settings;
    const struct pipeline_options opt = {
        .parts = &a->parts, .settings = a, .llm = &a->llm, .greeting = a->greeting,
        .ground = { .loop = g->loop, .dialer = g->dialer, .voice = g->voice, .speech = g->speech, .log = g->log },
    };

    return pipeline_new(out, &opt, g->log);
}

/* ---- at start ---- */

static void wipe(char *key)
{
    if (key)
        explicit_bzero(key, strlen(key));
    free(key);
}

static void free_settings(void *settings)
{
    struct agent_pipeline *a = settings;

    if (!a)
        return;
    wipe(a->key);
    wipe(a->stt_key);
    wipe(a->tts_key);
    char *const all[] = { a->url, a->model, a->instructions, a->greeting, a->stt_url, a->stt_model, a->language, a->tts_url, a->tts_model, a->voice,
                          a->voice_fallback };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (size_t i = 0; i < a->keyterm_count; i++)
        free(a->keyterms[i]);
    free(a->keyterms);
    tts_cache_free(a->cache);
    grammar_free(a->grammar);
    agent_file_free(a->file);
    free(a);
}

static int texts_take(struct agent_pipeline *a, const struct config_agent *from)
{
    const struct config_pipeline *p = &from->pipeline;
    const struct {
        char **to;
        const char *value;
    } all[] = {
        { &a->key, secret_reveal(&from->key) }, { &a->url, from->url },          { &a->model, from->model },
        { &a->greeting, from->greeting },       { &a->stt_key, config_stt_key(from) }, { &a->stt_url, p->stt_url },
        { &a->stt_model, p->stt_model },        { &a->language, p->language },   { &a->tts_key, config_tts_key(from) },
        { &a->tts_url, p->tts_url },            { &a->tts_model, p->tts_model }, { &a->voice, from->voice },
        { &a->voice_fallback, p->voice_fallback },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (agent_text_copy(all[i].to, all[i].value))
            return -ENOMEM;
    a->keyterms = calloc(p->keyterms.count + 1, sizeof *a->keyterms);
    if (!a->keyterms)
        return -ENOMEM;
    for (; a->keyterm_count < p->keyterms.count; a->keyterm_count++)
        if (agent_text_copy(&a->keyterms[a->keyterm_count], p->keyterms.items[a->keyterm_count]))
            return -ENOMEM;
    return 0;
}

/* The phrases of an agent file are what the embedded recogniser can hear; its answers are the model's affair here. */
static int grammar_take(struct agent_pipeline *a, const struct agent_load *l)
{
    return a->stt == CONFIG_STT_LOCAL ? agent_grammar_load(&a->file, &a->grammar, l) : 0;
}

static void settings_fill(struct agent_pipeline *a, const struct agent_load *l)
{
    a->llm = (struct llm_settings){
        .url = a->url, .model = a->model, .key = a->key, .instructions = a->instructions, .tools = l->tools->told, .tool_count = l->tools->count,
        .max_tokens = (unsigned)l->from->pipeline.max_tokens,
    };
    a->ears = (struct stt_settings){
        .url = a->stt_url, .key = a->stt_key, .model = a->stt_model, .language = a->language, .silence_ms = (int)l->from->silence_ms,
        .keyterms = (const char *const *)a->keyterms, .keyterm_count = a->keyterm_count,
    };
    a->speaker = (struct tts_settings){
        .url = a->tts_url, .key = a->tts_key, .model = a->tts_model, .voice = a->voice, .cache = a->cache,
    };
    a->parts = (struct pipeline_parts){ .ear = ear_make, .voice = voice_make, .spare = a->voice_fallback ? spare_make : NULL };
}

static int load(void **settings, const struct agent_load *l)
{
    struct agent_pipeline *a = calloc(1, sizeof *a);
    int err = -ENOMEM;

    if (!a)
        return -ENOMEM;
    a->stt = l->from->pipeline.stt;
    a->tts = l->from->pipeline.tts;
    err = texts_take(a, l->from);
    if (!err)
        err = agent_instructions_read(&a->instructions, l);
    if (!err)
        err = grammar_take(a, l);
    if (!err && a->tts != CONFIG_TTS_LOCAL)
        err = tts_cache_new(&a->cache, CACHE_BYTES);
    if (err) {
        free_settings(a);
        return err;
    }
    settings_fill(a, l);
    *settings = a;
    return 0;
}

const struct agent_kind agent_kind_pipeline = { .load = load, .free = free_settings, .make = make };
