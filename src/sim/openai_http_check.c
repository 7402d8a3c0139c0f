/* The lists of what a client of the HTTP endpoints may say. */
#include "sim/openai_http_check.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES = SHAPE_OWN, CONTENT, CALLS, CALL_FUNCTION, TOOLS, TOOL_FUNCTION, STREAM_OPTIONS };
enum { CALLS_MAX = 64, TOOLS_MAX = 128, FUNCTION_MAX = 64, INPUT_MAX = 4096 };

#define ANY SHAPE_ANY
#define STRING SHAPE_STRING
#define NUMBER SHAPE_NUMBER
#define BOOLEAN SHAPE_BOOLEAN
#define OBJECT SHAPE_OBJECT
#define LIST SHAPE_LIST
#define END { .name = NULL }

/* ---- chat ---- */

static const struct shape_field chat_fields[] = {
    { "model", STRING, 1, 0 },           { "messages", MESSAGES, 1, 0 },          { "stream", BOOLEAN, 0, 1 },
    { "stream_options", STREAM_OPTIONS, 0, 1 }, { "tools", TOOLS, 0, 0 },         { "tool_choice", ANY, 0, 0 },
    { "parallel_tool_calls", BOOLEAN, 0, 0 }, { "max_completion_tokens", NUMBER, 0, 1 }, { "max_tokens", NUMBER, 0, 1 },
    { "temperature", NUMBER, 0, 1 },     { "top_p", NUMBER, 0, 1 },               { "n", NUMBER, 0, 1 },
    { "stop", ANY, 0, 1 },               { "seed", NUMBER, 0, 1 },                { "user", STRING, 0, 0 },
    { "presence_penalty", NUMBER, 0, 1 }, { "frequency_penalty", NUMBER, 0, 1 },  { "logit_bias", OBJECT, 0, 1 },
    { "logprobs", BOOLEAN, 0, 1 },       { "top_logprobs", NUMBER, 0, 1 },        { "metadata", OBJECT, 0, 1 },
    { "store", BOOLEAN, 0, 1 },          { "response_format", OBJECT, 0, 0 },     { "reasoning_effort", STRING, 0, 1 },
    { "verbosity", STRING, 0, 1 },       { "service_tier", STRING, 0, 1 },        { "modalities", LIST, 0, 1 },
    { "audio", OBJECT, 0, 1 },           { "prediction", OBJECT, 0, 1 },          { "web_search_options", OBJECT, 0, 0 },
    { "safety_identifier", STRING, 0, 0 }, { "prompt_cache_key", STRING, 0, 0 },  END };
static const struct shape_field stream_fields[] = { { "include_usage", BOOLEAN, 0, 0 }, { "include_obfuscation", BOOLEAN, 0, 0 }, END };
static const struct shape_field system_fields[] = { { "role", STRING, 1, 0 }, { "content", CONTENT, 1, 0 }, { "name", STRING, 0, 0 }, END };
static const struct shape_field assistant_fields[] = { { "role", STRING, 1, 0 },      { "content", CONTENT, 0, 1 }, { "name", STRING, 0, 0 },
                                                 { "tool_calls", CALLS, 0, 0 }, { "refusal", STRING, 0, 1 },  { "audio", OBJECT, 0, 1 }, END };
static const struct shape_field result_fields[] = { { "role", STRING, 1, 0 }, { "content", CONTENT, 1, 0 }, { "tool_call_id", STRING, 1, 0 }, END };
static const struct shape_field call_fields[] = { { "id", STRING, 1, 0 }, { "type", STRING, 1, 0 }, { "function", CALL_FUNCTION, 1, 0 }, END };
static const struct shape_field call_function_fields[] = { { "name", STRING, 1, 0 }, { "arguments", STRING, 1, 0 }, END };
static const struct shape_field tool_fields[] = { { "type", STRING, 1, 0 }, { "function", TOOL_FUNCTION, 1, 0 }, END };
static const struct shape_field tool_function_fields[] = { { "name", STRING, 1, 0 }, { "description", STRING, 0, 0 }, { "parameters", OBJECT, 0, 0 },
                                                     { "strict", BOOLEAN, 0, 1 }, END };
static const struct shape_field part_fields[] = { { "type", STRING, 1, 0 }, { "text", STRING, 0, 0 }, { "image_url", OBJECT, 0, 0 },
                                            { "input_audio", OBJECT, 0, 0 }, { "file", OBJECT, 0, 0 }, { "refusal", STRING, 0, 0 }, END };

static void value_check(const cJSON *v, int want, const char *path, struct shape_complaint *to);

static void fields_check(const cJSON *in, const struct shape_field *fields, const char *path, struct shape_complaint *to)
{
    shape_check(in, fields, value_check, path, to);
}

static const struct shape_field *message_fields_of(const char *role)
{
    if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0 || strcmp(role, "user") == 0)
        return system_fields;
    return strcmp(role, "assistant") == 0 ? assistant_fields : strcmp(role, "tool") == 0 ? result_fields : NULL;
}

/* Calls that still need their result. */
struct open_calls {
    const char *ids[CALLS_MAX];
    size_t count;
};

static bool call_close(struct open_calls *open, const char *id)
{
    for (size_t i = 0; i < open->count; i++) {
        if (strcmp(open->ids[i], id) != 0)
            continue;
        open->ids[i] = open->ids[--open->count];
        return true;
    }
    return false;
}

/* "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'." */
static void order_check(const cJSON *m, const char *role, struct open_calls *open, const char *where, struct shape_complaint *to)
{
    const cJSON *call;

    if (strcmp(role, "tool") == 0) {
        if (!call_close(open, shape_word(m, "tool_call_id")))
            shape_complain(to, "invalid_value", where, "This result has no call before it");
        return;
    }
    if (open->count > 0)
        shape_complain(to, "invalid_value", where, "The calls before this message have no results");
    cJSON_ArrayForEach(call, cJSON_GetObjectItemCaseSensitive(m, "tool_calls"))
        if (open->count < CALLS_MAX)
            open->ids[open->count++] = shape_word(call, "id");
    if (strcmp(role, "assistant") == 0 && !cJSON_HasObjectItem(m, "tool_calls") && !cJSON_HasObjectItem(m, "content"))
        shape_complain(to, "missing_required_parameter", where, "Either content or tool_calls");
}

static void messages_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    struct open_calls open = { .count = 0 };
    const cJSON *m;
    char where[120];
    int i = 0;

    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) == 0)
        shape_complain(to, "invalid_value", path, "A list with at least one message");
    cJSON_ArrayForEach(m, v) {
        const char *role = shape_word(m, "role");
        const struct shape_field *fields = message_fields_of(role);

        snprintf(where, sizeof where, "%.60s[%d]", path, i++);
        if (fields)
            fields_check(m, fields, where, to);
        else
            shape_complain(to, "invalid_value", where, "Unknown role");
        order_check(m, role, &open, where, to);
    }
    if (open.count > 0)
        shape_complain(to, "invalid_value", path, "The last calls have no results");
}

static void content_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const cJSON *part;

    if (!cJSON_IsString(v) && !cJSON_IsArray(v))
        shape_complain(to, "invalid_type", path, "Invalid type");
    if (cJSON_IsArray(v))
        cJSON_ArrayForEach(part, v)
            fields_check(part, part_fields, path, to);
}

static bool is_name(const char *name)
{
    const size_t n = strlen(name);

    return n > 0 && n <= FUNCTION_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static void list_check(const cJSON *v, const struct shape_field *fields, const char *path, struct shape_complaint *to)
{
    const cJSON *item;
    char where[120];
    int i = 0;

    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) == 0 || cJSON_GetArraySize(v) > TOOLS_MAX)
        shape_complain(to, "invalid_value", path, "A list of 1 to 128");
    cJSON_ArrayForEach(item, v) {
        snprintf(where, sizeof where, "%.60s[%d]", path, i++);
        fields_check(item, fields, where, to);
        if (strcmp(shape_word(item, "type"), "function") != 0)
            shape_complain(to, "invalid_value", where, "Unknown type");
    }
}

static void function_check(const cJSON *v, const struct shape_field *fields, const char *path, struct shape_complaint *to)
{
    const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(v, "parameters");

    fields_check(v, fields, path, to);
    if (!is_name(shape_word(v, "name")))
        shape_complain(to, "invalid_value", path, "The name is not of 1 to 64 letters, digits, _ and -");
    if (parameters && strcmp(shape_word(parameters, "type"), "object") != 0)
        shape_complain(to, "invalid_function_parameters", path, "The schema is not of an object");
}

static void value_check(const cJSON *v, int want, const char *path, struct shape_complaint *to)
{
    switch (want) {
    case MESSAGES:
        messages_check(v, path, to);
        break;
    case CONTENT:
        content_check(v, path, to);
        break;
    case CALLS:
        list_check(v, call_fields, path, to);
        break;
    case TOOLS:
        list_check(v, tool_fields, path, to);
        break;
    case CALL_FUNCTION:
        function_check(v, call_function_fields, path, to);
        break;
    case TOOL_FUNCTION:
        function_check(v, tool_function_fields, path, to);
        break;
    default:
        fields_check(v, stream_fields, path, to);
        break;
    }
}

static void number_check(const cJSON *body, const char *name, double least, double most, struct shape_complaint *to)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(body, name);

    if (cJSON_IsNumber(v) && (v->valuedouble < least || v->valuedouble > most))
        shape_complain(to, "invalid_value", name, "The number is out of range");
}

void openai_chat_check(const cJSON *body, struct shape_complaint *to)
{
    *to = (struct shape_complaint){ .code = NULL };
    fields_check(body, chat_fields, "", to);
    number_check(body, "temperature", 0, 2, to);
    number_check(body, "top_p", 0, 1, to);
    number_check(body, "n", 1, 1, to); /* the service takes more; a stand-in has one answer */
    number_check(body, "max_tokens", 1, 1e6, to);
    number_check(body, "max_completion_tokens", 1, 1e6, to);
    if (cJSON_HasObjectItem(body, "parallel_tool_calls") && !cJSON_HasObjectItem(body, "tools"))
        shape_complain(to, "invalid_value", "parallel_tool_calls", "Only allowed together with tools");
    if (cJSON_HasObjectItem(body, "tool_choice") && !cJSON_HasObjectItem(body, "tools"))
        shape_complain(to, "invalid_value", "tool_choice", "Only allowed together with tools");
    if (cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(body, "stream_options")) &&
        !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "stream")))
        shape_complain(to, "invalid_value", "stream_options", "Only allowed when the answer is streamed");
    if (cJSON_HasObjectItem(body, "max_tokens") && cJSON_HasObjectItem(body, "max_completion_tokens"))
        shape_complain(to, "invalid_value", "max_tokens", "Either max_tokens or max_completion_tokens");
}

/* ---- speech ---- */

static const struct shape_field speech_fields[] = {
    { "model", STRING, 1, 0 }, { "input", STRING, 1, 0 }, { "voice", ANY, 1, 0 }, { "instructions", STRING, 0, 0 },
    { "response_format", STRING, 0, 0 }, { "speed", NUMBER, 0, 0 }, { "stream_format", STRING, 0, 0 }, END };

static bool is_one_of(const char *word, const char *const *all)
{
    for (; *all; all++)
        if (strcmp(word, *all) == 0)
            return true;
    return false;
}

static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void openai_speech_check(const cJSON *body, struct shape_complaint *to)
{
    static const char *const voices[] = { "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar", NULL };
    static const char *const made[] = { "pcm", "wav", NULL };
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(body, "response_format");
    const char *input = shape_word(body, "input"), *stream = shape_word(body, "stream_format");

    *to = (struct shape_complaint){ .code = NULL };
    fields_check(body, speech_fields, "", to);
    number_check(body, "speed", 0.25, 4, to);
    if (!is_one_of(shape_word(body, "voice"), voices))
        shape_complain(to, "invalid_value", "voice", "Unknown voice");
    if (input[0] == 0 || characters(input) > INPUT_MAX)
        shape_complain(to, "invalid_value", "input", "Not of 1 to 4096 characters");
    if (!format || !is_one_of(shape_word(body, "response_format"), made)) /* the service has mp3, too, and makes it unasked */
        shape_complain(to, "invalid_value", "response_format", "The stand-in makes pcm and wav only");
    if (stream[0] && strcmp(stream, "audio") != 0)
        shape_complain(to, "invalid_value", "stream_format", "The stand-in sends audio only");
}

/* ---- transcriptions ---- */

static bool is_field(struct text name)
{
    static const char *const known[] = { "model", "language", "prompt", "response_format", "temperature", "stream", "include[]", "chunking_strategy",
                                         "timestamp_granularities[]", "file", NULL };

    for (const char *const *k = known; *k; k++)
        if (text_eq(name, text_of(*k)))
            return true;
    return false;
}

static bool is_sound_name(struct text name)
{
    static const char *const ends[] = { ".wav", ".flac", ".mp3", ".mp4", ".mpeg", ".mpga", ".m4a", ".ogg", ".webm", NULL };

    for (const char *const *e = ends; *e; e++)
        if (text_ends(name, text_of(*e)))
            return true;
    return false;
}

static void part_check(const struct form_part *part, struct openai_upload *out, bool *has_model, struct shape_complaint *to)
{
    char name[60];

    text_copy(name, sizeof name, part->name);
    if (!is_field(part->name))
        shape_complain(to, "unknown_parameter", name, "Unknown parameter");
    if (text_eq(part->name, TEXT("file"))) {
        out->wav = part->body;
        if (!part->file_name.p || !is_sound_name(part->file_name))
            shape_complain(to, "invalid_value", name, "Unrecognized file format: the file's name has no known end");
    } else if (text_eq(part->name, TEXT("model"))) {
        *has_model = part->body.n > 0;
    } else if (text_eq(part->name, TEXT("response_format"))) {
        out->format = part->body;
    } else if (text_eq(part->name, TEXT("stream")) && text_to_bool(part->body, &out->is_streamed)) {
        shape_complain(to, "invalid_type", name, "Neither true nor false");
    }
}

void openai_upload_check(struct text content_type, struct text body, struct openai_upload *out, struct shape_complaint *to)
{
    const struct text boundary = form_boundary(content_type);
    struct form_part part;
    bool has_model = false;
    int got = -1;

    *to = (struct shape_complaint){ .code = NULL };
    *out = (struct openai_upload){ .wav = TEXT_NONE };
    while (boundary.p && (got = form_next(&body, boundary, &part)) > 0)
        part_check(&part, out, &has_model, to);
    if (got < 0)
        shape_complain(to, "invalid_value", "body", "Could not parse multipart form");
    if (!out->wav.p)
        shape_complain(to, "missing_required_parameter", "file", "Missing required parameter");
    if (!has_model)
        shape_complain(to, "missing_required_parameter", "model", "Missing required parameter");
    if (out->format.p && !text_eq(out->format, TEXT("json")) && !text_eq(out->format, TEXT("text")) && !text_eq(out->format, TEXT("verbose_json")))
        shape_complain(to, "invalid_value", "response_format", "The stand-in answers json, text and verbose_json only");
}

static unsigned get16(const char *p)
{
    return (unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8;
}

static unsigned long get32(const char *p)
{
    return get16(p) | (unsigned long)get16(p + 2) << 16;
}

/* The usual head of 44 bytes: no reader of such files asks for less, and no writer of ours has reason to make another. */
bool openai_wav_check(struct text wav, struct text *samples, unsigned *rate_hz, struct shape_complaint *to)
{
    const bool is_wav = wav.n >= 44 && memcmp(wav.p, "RIFF", 4) == 0 && memcmp(wav.p + 8, "WAVEfmt ", 8) == 0 && memcmp(wav.p + 36, "data", 4) == 0;

    if (!is_wav || get32(wav.p + 4) != wav.n - 8 || get32(wav.p + 40) != wav.n - 44)
        shape_complain(to, "invalid_value", "file", "Audio file might be corrupted or unsupported: head or sizes of the WAV");
    else if (get16(wav.p + 20) != 1 || get16(wav.p + 22) != 1 || get16(wav.p + 34) != 16 || get16(wav.p + 32) != 2 || get32(wav.p + 28) != 2 * get32(wav.p + 24))
        shape_complain(to, "invalid_value", "file", "Audio file might be corrupted or unsupported: not mono of 16 bits");
    else if (get32(wav.p + 24) < 8000 || get32(wav.p + 24) > 48000)
        shape_complain(to, "invalid_value", "file", "Audio file might be corrupted or unsupported: its rate");
    if (to->code)
        return false;
    *samples = text_skip(wav, 44);
    *rate_hz = (unsigned)get32(wav.p + 24);
    return true;
}
