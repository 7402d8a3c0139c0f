/* The list of what a client may say, message by message and field by field. */
#include "sim/openai_check.h"

#include <stdio.h>
#include <string.h>

enum { FORMAT = SHAPE_OWN, VAD, TRANSCRIPTION, TOOLS, MODALITIES, ITEM, CONTENT, SESSION, AUDIO, INPUT, OUTPUT, RESPONSE };

#define ANY SHAPE_ANY
#define STRING SHAPE_STRING
#define NUMBER SHAPE_NUMBER
#define BOOLEAN SHAPE_BOOLEAN
#define OBJECT SHAPE_OBJECT
#define LIST SHAPE_LIST
#define END { .name = NULL }

static const struct shape_field update_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, { "session", SESSION, 1, 0 }, END };
static const struct shape_field append_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, { "audio", STRING, 1, 0 }, END };
static const struct shape_field plain_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, END };
static const struct shape_field create_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, { "item", ITEM, 1, 0 },
                                              { "previous_item_id", STRING, 0, 1 }, END };
static const struct shape_field named_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, { "item_id", STRING, 1, 0 }, END };
static const struct shape_field truncate_fields[] = { { "type", STRING, 1, 0 },          { "event_id", STRING, 0, 0 },     { "item_id", STRING, 1, 0 },
                                                { "content_index", NUMBER, 1, 0 }, { "audio_end_ms", NUMBER, 1, 0 }, END };
static const struct shape_field respond_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, { "response", RESPONSE, 0, 1 }, END };
static const struct shape_field cancel_fields[] = { { "type", STRING, 1, 0 }, { "event_id", STRING, 0, 0 }, { "response_id", STRING, 0, 0 }, END };

static const struct {
    const char *type;
    const struct shape_field *fields;
} messages[] = {
    { "session.update", update_fields },
    { "input_audio_buffer.append", append_fields },
    { "input_audio_buffer.commit", plain_fields },
    { "input_audio_buffer.clear", plain_fields },
    { "conversation.item.create", create_fields },
    { "conversation.item.retrieve", named_fields },
    { "conversation.item.delete", named_fields },
    { "conversation.item.truncate", truncate_fields },
    { "response.create", respond_fields },
    { "response.cancel", cancel_fields },
};

static const struct shape_field session_fields[] = {
    { "type", STRING, 1, 0 },         { "model", STRING, 0, 0 },       { "output_modalities", MODALITIES, 0, 0 }, { "instructions", STRING, 0, 0 },
    { "audio", AUDIO, 0, 0 },         { "tools", TOOLS, 0, 0 },        { "tool_choice", ANY, 0, 0 },              { "parallel_tool_calls", BOOLEAN, 0, 0 },
    { "reasoning", OBJECT, 0, 1 },    { "max_output_tokens", ANY, 0, 0 }, { "truncation", ANY, 0, 0 },            { "include", LIST, 0, 1 },
    { "tracing", ANY, 0, 1 },         { "prompt", OBJECT, 0, 1 },      END };
static const struct shape_field audio_fields[] = { { "input", INPUT, 0, 0 }, { "output", OUTPUT, 0, 0 }, END };
static const struct shape_field input_fields[] = { { "format", FORMAT, 0, 0 }, { "transcription", TRANSCRIPTION, 0, 1 },
                                             { "noise_reduction", OBJECT, 0, 1 }, { "turn_detection", VAD, 0, 1 }, END };
static const struct shape_field output_fields[] = { { "format", FORMAT, 0, 0 }, { "voice", ANY, 0, 0 }, { "speed", NUMBER, 0, 0 }, END };
static const struct shape_field format_fields[] = { { "type", STRING, 1, 0 }, { "rate", NUMBER, 0, 0 }, END };
static const struct shape_field transcription_fields[] = { { "model", STRING, 0, 0 }, { "language", STRING, 0, 0 }, { "prompt", STRING, 0, 0 },
                                                     { "languages", LIST, 0, 0 }, { "keywords", LIST, 0, 0 }, { "delay", STRING, 0, 0 }, END };
static const struct shape_field vad_fields[] = { { "type", STRING, 1, 0 },          { "threshold", NUMBER, 0, 0 },        { "prefix_padding_ms", NUMBER, 0, 0 },
                                           { "silence_duration_ms", NUMBER, 0, 0 }, { "create_response", BOOLEAN, 0, 0 },
                                           { "interrupt_response", BOOLEAN, 0, 0 }, { "idle_timeout_ms", NUMBER, 0, 1 }, END };
static const struct shape_field semantic_fields[] = { { "type", STRING, 1, 0 }, { "eagerness", STRING, 0, 0 }, { "create_response", BOOLEAN, 0, 0 },
                                                { "interrupt_response", BOOLEAN, 0, 0 }, END };
static const struct shape_field tool_fields[] = { { "type", STRING, 1, 0 }, { "name", STRING, 1, 0 }, { "description", STRING, 0, 0 },
                                            { "parameters", OBJECT, 0, 0 }, END };
static const struct shape_field message_fields[] = { { "type", STRING, 1, 0 }, { "id", STRING, 0, 0 }, { "object", STRING, 0, 0 }, { "status", STRING, 0, 0 },
                                               { "role", STRING, 1, 0 }, { "content", CONTENT, 1, 0 }, END };
static const struct shape_field result_fields[] = { { "type", STRING, 1, 0 }, { "id", STRING, 0, 0 }, { "object", STRING, 0, 0 }, { "status", STRING, 0, 0 },
                                              { "call_id", STRING, 1, 0 }, { "output", STRING, 1, 0 }, END };
static const struct shape_field text_fields[] = { { "type", STRING, 1, 0 }, { "text", STRING, 1, 0 }, END };
static const struct shape_field response_fields[] = {
    { "output_modalities", MODALITIES, 0, 0 }, { "instructions", STRING, 0, 0 }, { "audio", OBJECT, 0, 0 },     { "tools", TOOLS, 0, 0 },
    { "tool_choice", ANY, 0, 0 },              { "parallel_tool_calls", BOOLEAN, 0, 0 }, { "reasoning", OBJECT, 0, 0 }, { "max_output_tokens", ANY, 0, 0 },
    { "conversation", STRING, 0, 0 },          { "metadata", OBJECT, 0, 1 },   { "prompt", OBJECT, 0, 1 },    { "input", LIST, 0, 0 },
    END };

static void value_check(const cJSON *v, int want, const char *path, struct shape_complaint *to);

static void fields_check(const cJSON *in, const struct shape_field *fields, const char *path, struct shape_complaint *to)
{
    shape_check(in, fields, value_check, path, to);
}

static void format_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const char *type = shape_word(v, "type");
    const cJSON *rate = cJSON_GetObjectItemCaseSensitive(v, "rate");

    fields_check(v, format_fields, path, to);
    if (strcmp(type, "audio/pcm") != 0 && strcmp(type, "audio/pcmu") != 0 && strcmp(type, "audio/pcma") != 0)
        shape_complain(to, "invalid_value", path, "Unknown audio format");
    if (rate && (strcmp(type, "audio/pcm") != 0 || rate->valuedouble < 24000 || rate->valuedouble > 24000))
        shape_complain(to, "invalid_value", path, "Only audio/pcm has a rate, of 24000");
}

static void vad_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const cJSON *idle = cJSON_GetObjectItemCaseSensitive(v, "idle_timeout_ms"), *threshold = cJSON_GetObjectItemCaseSensitive(v, "threshold");
    const char *type = shape_word(v, "type");

    if (strcmp(type, "server_vad") == 0)
        fields_check(v, vad_fields, path, to);
    else if (strcmp(type, "semantic_vad") == 0)
        fields_check(v, semantic_fields, path, to);
    else
        shape_complain(to, "invalid_value", path, "Unknown turn detection");
    if (cJSON_IsNumber(idle) && (idle->valuedouble < 5000 || idle->valuedouble > 30000))
        shape_complain(to, "invalid_value", path, "idle_timeout_ms is not between 5000 and 30000");
    if (cJSON_IsNumber(threshold) && (threshold->valuedouble < 0 || threshold->valuedouble > 1))
        shape_complain(to, "invalid_value", path, "threshold is not between 0 and 1");
}

static void content_check(const cJSON *item, const char *path, struct shape_complaint *to)
{
    const cJSON *part;
    const char *role = shape_word(item, "role"), *wanted = strcmp(role, "assistant") == 0 ? "output_text" : "input_text";

    cJSON_ArrayForEach(part, cJSON_GetObjectItemCaseSensitive(item, "content")) {
        fields_check(part, text_fields, path, to);
        if (strcmp(shape_word(part, "type"), wanted) != 0)
            shape_complain(to, "invalid_value", path, "This role has another type of content");
    }
    if (strcmp(role, "assistant") != 0 && strcmp(role, "user") != 0 && strcmp(role, "system") != 0)
        shape_complain(to, "invalid_value", path, "Unknown role");
}

static void item_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const char *type = shape_word(v, "type");

    if (strcmp(type, "message") == 0) {
        fields_check(v, message_fields, path, to);
        content_check(v, path, to);
    } else if (strcmp(type, "function_call_output") == 0) {
        fields_check(v, result_fields, path, to);
    } else {
        shape_complain(to, "invalid_value", path, "Unknown type of item");
    }
}

static void tools_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const cJSON *tool;
    char where[120];
    int i = 0;

    cJSON_ArrayForEach(tool, v) {
        const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(tool, "parameters");

        snprintf(where, sizeof where, "%.60s[%d]", path, i++);
        fields_check(tool, tool_fields, where, to);
        if (strcmp(shape_word(tool, "type"), "function") != 0)
            shape_complain(to, "invalid_value", where, "Unknown type of tool");
        if (parameters && strcmp(shape_word(parameters, "type"), "object") != 0)
            shape_complain(to, "invalid_function_parameters", where, "The schema is not of an object");
    }
}

static void modalities_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const cJSON *first = cJSON_GetArrayItem(v, 0);

    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != 1 || !cJSON_IsString(first) ||
        (strcmp(first->valuestring, "audio") != 0 && strcmp(first->valuestring, "text") != 0))
        shape_complain(to, "invalid_value", path, "Either [\"audio\"] or [\"text\"]");
}

static void value_check(const cJSON *v, int want, const char *path, struct shape_complaint *to)
{
    static const struct shape_field *const structs[] = {
        [SESSION] = session_fields, [AUDIO] = audio_fields, [INPUT] = input_fields, [OUTPUT] = output_fields,
        [RESPONSE] = response_fields, [TRANSCRIPTION] = transcription_fields,
    };

    if ((want == TOOLS || want == CONTENT) && !cJSON_IsArray(v))
        shape_complain(to, "invalid_type", path, "Invalid type");
    switch (want) {
    case FORMAT:
        format_check(v, path, to);
        break;
    case VAD:
        vad_check(v, path, to);
        break;
    case TOOLS:
        tools_check(v, path, to);
        break;
    case ITEM:
        item_check(v, path, to);
        break;
    case MODALITIES:
        modalities_check(v, path, to);
        break;
    case CONTENT:
        break;                     /* with its item */
    default:
        fields_check(v, structs[want], path, to);
        break;
    }
    if (want == SESSION && strcmp(shape_word(v, "type"), "realtime") != 0)
        shape_complain(to, "invalid_value", path, "Only sessions of type realtime are known here");
}

void openai_check(const cJSON *message, struct shape_complaint *out)
{
    const char *type = shape_word(message, "type");

    *out = (struct shape_complaint){ .code = NULL };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        if (strcmp(type, messages[i].type) != 0)
            continue;
        fields_check(message, messages[i].fields, "", out);
        return;
    }
    shape_complain(out, "invalid_value", "type", "Unknown type of event");
}
