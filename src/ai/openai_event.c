/* Reads the messages of a Realtime server. */
#include "ai/openai_event.h"

#include <errno.h>

#include <cjson/cJSON.h>

static const struct {
    const char *type;
    enum openai_kind kind;
} kinds[] = {
    { "session.created", OPENAI_SESSION_CREATED },
    { "session.updated", OPENAI_SESSION_UPDATED },
    { "input_audio_buffer.speech_started", OPENAI_SPEECH_STARTED },
    { "input_audio_buffer.speech_stopped", OPENAI_SPEECH_STOPPED },
    { "conversation.item.input_audio_transcription.completed", OPENAI_CALLER_TEXT },
    { "response.created", OPENAI_RESPONSE_CREATED },
    { "response.output_audio.delta", OPENAI_AUDIO },
    { "response.output_audio.done", OPENAI_AUDIO_DONE },
    { "response.output_audio_transcript.done", OPENAI_AGENT_TEXT },
    { "response.done", OPENAI_RESPONSE_DONE },
    { "rate_limits.updated", OPENAI_RATE_LIMITS },
    { "error", OPENAI_ERROR },
    /* the dialect before GA */
    { "response.audio.delta", OPENAI_AUDIO },
    { "response.audio.done", OPENAI_AUDIO_DONE },
    { "response.audio_transcript.done", OPENAI_AGENT_TEXT },
};

static struct text text_at(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(v) ? text_of(v->valuestring) : TEXT_NONE;
}

static int64_t number_at(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 1e15 ? (int64_t)v->valuedouble : -1;
}

static void calls_read(struct openai_event *e, const cJSON *output)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, output) {
        const struct text type = text_at(item, "type"), status = text_at(item, "status");
        const struct openai_call call = { .call_id = text_at(item, "call_id"), .name = text_at(item, "name"),
                                          .arguments = text_at(item, "arguments"),
                                          .is_complete = !status.p || text_eq(status, TEXT("completed")) };

        e->has_speech = e->has_speech || text_eq(type, TEXT("message"));
        if (!text_eq(type, TEXT("function_call")) || !call.call_id.n || !call.name.n)
            continue;
        if (e->call_count < OPENAI_CALLS_MAX)
            e->calls[e->call_count++] = call;
        else
            e->calls_over++;
    }
}

static int response_read(struct openai_event *e, const cJSON *tree)
{
    const cJSON *response = cJSON_GetObjectItemCaseSensitive(tree, "response"), *details, *error;

    if (!cJSON_IsObject(response))
        return -EINVAL;
    details = cJSON_GetObjectItemCaseSensitive(response, "status_details");
    error = cJSON_GetObjectItemCaseSensitive(details, "error");
    e->response = text_at(response, "id");
    e->status = text_at(response, "status");
    e->reason = text_at(details, "reason");
    e->code = text_at(error, "code");
    if (!e->code.n)
        e->code = text_at(error, "type");
    e->message = text_at(error, "message");
    calls_read(e, cJSON_GetObjectItemCaseSensitive(response, "output"));
    return e->response.n > 0 ? 0 : -EINVAL;
}

static int error_read(struct openai_event *e, const cJSON *tree)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(tree, "error");

    if (!cJSON_IsObject(error))
        return -EINVAL;
    e->code = text_at(error, "code");
    if (!e->code.n)
        e->code = text_at(error, "type");
    e->message = text_at(error, "message");
    e->cause = text_at(error, "event_id");
    return 0;
}

static int speech_read(struct openai_event *e, const cJSON *tree, const char *words)
{
    e->response = text_at(tree, "response_id");
    e->item = text_at(tree, "item_id");
    if (words)
        e->words = text_at(tree, words);
    return e->item.n > 0 && (!words || e->words.p) ? 0 : -EINVAL;
}

static int fields_read(struct openai_event *e, const cJSON *tree)
{
    switch (e->kind) {
    case OPENAI_SESSION_CREATED:
    case OPENAI_SESSION_UPDATED:
        e->expires_at = number_at(cJSON_GetObjectItemCaseSensitive(tree, "session"), "expires_at");
        return 0;
    case OPENAI_SPEECH_STARTED:
        e->at_ms = number_at(tree, "audio_start_ms");
        return 0;
    case OPENAI_SPEECH_STOPPED:
        e->at_ms = number_at(tree, "audio_end_ms");
        return 0;
    case OPENAI_CALLER_TEXT:
        return speech_read(e, tree, "transcript");
    case OPENAI_AUDIO:
        return speech_read(e, tree, "delta");
    case OPENAI_AUDIO_DONE:
        return speech_read(e, tree, NULL);
    case OPENAI_AGENT_TEXT:
        return speech_read(e, tree, "transcript");
    case OPENAI_RESPONSE_CREATED:
    case OPENAI_RESPONSE_DONE:
        return response_read(e, tree);
    case OPENAI_ERROR:
        return error_read(e, tree);
    case OPENAI_OTHER:
    case OPENAI_RATE_LIMITS:
        return 0;
    }
    return 0;
}

int openai_event_read(struct openai_event *out, struct text message)
{
    struct openai_event e = { .at_ms = -1, .expires_at = -1 };
    cJSON *tree = cJSON_ParseWithLength(message.p ? message.p : "", message.n);
    int err = -EINVAL;

    e.type = text_at(tree, "type");
    for (size_t i = 0; e.type.p && i < sizeof kinds / sizeof *kinds; i++)
        if (text_eq(e.type, text_of(kinds[i].type)))
            e.kind = kinds[i].kind;
    if (e.type.n > 0)
        err = fields_read(&e, tree);
    if (err) {
        cJSON_Delete(tree);
        return err;
    }
    e.tree = tree;
    *out = e;
    return 0;
}

void openai_event_free(struct openai_event *e)
{
    cJSON_Delete(e->tree);
    e->tree = NULL;
}
