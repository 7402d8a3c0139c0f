/* The list of what a client of Deepgram's Voice Agent may say, message by message and field by field. */
#include <string.h>

#include "sim/deepgram_check.h"

enum { AUDIO = SHAPE_OWN, INPUT, OUTPUT, AGENT, LISTEN, LISTENER, THINK, THINKER, SPEAK, SPEAKER, ENDPOINT, FUNCTIONS, FLAGS, CONTEXT, MESSAGES };

#define END { .name = NULL }
#define TYPE { "type", SHAPE_STRING, 1, 0 }

static const struct shape_field settings[] = { TYPE, { "tags", SHAPE_LIST, 0, 0 }, { "experimental", SHAPE_BOOLEAN, 0, 0 }, { "mip_opt_out", SHAPE_BOOLEAN, 0, 0 },
                                               { "flags", FLAGS, 0, 0 }, { "audio", AUDIO, 1, 0 }, { "agent", AGENT, 1, 0 }, END };
static const struct shape_field plain[] = { TYPE, END };
static const struct shape_field response[] = { TYPE, { "id", SHAPE_STRING, 0, 0 }, { "name", SHAPE_STRING, 1, 0 }, { "content", SHAPE_STRING, 1, 0 },
                                               { "thought_signature", SHAPE_STRING, 0, 0 }, END };
static const struct shape_field inject_agent[] = { TYPE, { "message", SHAPE_STRING, 1, 0 }, { "behavior", SHAPE_STRING, 0, 0 }, END };
static const struct shape_field inject_user[] = { TYPE, { "content", SHAPE_STRING, 1, 0 }, END };
static const struct shape_field prompt[] = { TYPE, { "prompt", SHAPE_STRING, 1, 0 }, END };
static const struct shape_field update_listen[] = { TYPE, { "listen", LISTEN, 1, 0 }, END };
static const struct shape_field update_think[] = { TYPE, { "think", THINK, 1, 0 }, END };
static const struct shape_field update_speak[] = { TYPE, { "speak", SPEAK, 1, 0 }, END };

static const struct {
    const char *type;
    const struct shape_field *fields;
} messages[] = {
    { "Settings", settings },          { "KeepAlive", plain },         { "FunctionCallResponse", response },
    { "InjectAgentMessage", inject_agent }, { "InjectUserMessage", inject_user }, { "UpdatePrompt", prompt },
    { "UpdateListen", update_listen }, { "UpdateThink", update_think }, { "UpdateSpeak", update_speak },
};

static const struct shape_field flags_fields[] = { { "history", SHAPE_BOOLEAN, 0, 0 }, END };
static const struct shape_field audio_fields[] = { { "input", INPUT, 0, 0 }, { "output", OUTPUT, 0, 0 }, END };
static const struct shape_field input_fields[] = { { "encoding", SHAPE_STRING, 1, 0 }, { "sample_rate", SHAPE_NUMBER, 1, 0 }, END };
static const struct shape_field output_fields[] = { { "encoding", SHAPE_STRING, 0, 0 }, { "sample_rate", SHAPE_NUMBER, 0, 0 }, { "bitrate", SHAPE_NUMBER, 0, 0 },
                                                    { "container", SHAPE_STRING, 0, 0 }, END };
static const struct shape_field agent_fields[] = { { "language", SHAPE_STRING, 0, 0 }, { "listen", LISTEN, 0, 0 }, { "think", THINK, 0, 0 }, { "speak", SPEAK, 0, 0 },
                                                   { "greeting", SHAPE_STRING, 0, 0 }, { "context", CONTEXT, 0, 0 }, END };
static const struct shape_field listen_fields[] = { { "provider", LISTENER, 1, 0 }, END };
static const struct shape_field v1_fields[] = { TYPE, { "version", SHAPE_STRING, 0, 0 }, { "model", SHAPE_STRING, 1, 0 }, { "language", SHAPE_STRING, 0, 0 },
                                                { "keyterms", SHAPE_LIST, 0, 0 }, { "smart_format", SHAPE_BOOLEAN, 0, 0 }, END };
static const struct shape_field v2_fields[] = { TYPE, { "version", SHAPE_STRING, 1, 0 }, { "model", SHAPE_STRING, 1, 0 }, { "keyterms", SHAPE_LIST, 0, 0 },
                                                { "language_hints", SHAPE_LIST, 0, 0 }, { "eot_threshold", SHAPE_NUMBER, 0, 0 },
                                                { "eager_eot_threshold", SHAPE_NUMBER, 0, 0 }, { "eot_timeout_ms", SHAPE_NUMBER, 0, 0 }, END };
static const struct shape_field think_fields[] = { { "provider", THINKER, 1, 0 }, { "endpoint", ENDPOINT, 0, 0 }, { "prompt", SHAPE_STRING, 0, 0 },
                                                   { "context_length", SHAPE_ANY, 0, 0 }, { "functions", FUNCTIONS, 0, 0 }, END };
static const struct shape_field thinker_fields[] = { TYPE, { "model", SHAPE_STRING, 1, 0 }, { "temperature", SHAPE_NUMBER, 0, 0 }, { "version", SHAPE_STRING, 0, 0 },
                                                     { "region", SHAPE_STRING, 0, 0 }, { "credentials", SHAPE_OBJECT, 0, 0 }, END };
static const struct shape_field speak_fields[] = { { "provider", SPEAKER, 1, 0 }, { "endpoint", ENDPOINT, 0, 0 }, END };
static const struct shape_field endpoint_fields[] = { { "url", SHAPE_STRING, 1, 0 }, { "headers", SHAPE_OBJECT, 0, 0 }, END };
static const struct shape_field function_fields[] = { { "name", SHAPE_STRING, 1, 0 }, { "description", SHAPE_STRING, 0, 0 }, { "parameters", SHAPE_OBJECT, 0, 0 },
                                                      { "endpoint", SHAPE_OBJECT, 0, 0 }, { "defer_until_eot", SHAPE_BOOLEAN, 0, 0 }, END };
static const struct shape_field context_fields[] = { { "messages", MESSAGES, 1, 0 }, END };
static const struct shape_field history_fields[] = { TYPE, { "role", SHAPE_STRING, 1, 0 }, { "content", SHAPE_STRING, 1, 0 }, END };
static const struct shape_field calls_fields[] = { TYPE, { "function_calls", SHAPE_LIST, 1, 0 }, END };

static void value_check(const cJSON *v, int want, const char *path, struct shape_complaint *to);

/* Of one word: is it in this list, with blanks between? */
static void word_check(const cJSON *in, const char *name, const char *list, const char *path, struct shape_complaint *to)
{
    struct text rest = text_of(list), one;
    const struct text word = text_of(shape_word(in, name));

    while (text_cut(&rest, ' ', &one))
        if (text_eq(word, one))
            return;
    shape_complain(to, "invalid_value", path, "No such value here");
}

static void one_or_list(const cJSON *v, const struct shape_field *fields, const char *path, struct shape_complaint *to)
{
    const cJSON *one;

    if (!cJSON_IsArray(v)) {
        shape_check(v, fields, value_check, path, to);
        return;
    }
    cJSON_ArrayForEach(one, v)
        shape_check(one, fields, value_check, path, to);
}

static void list_check(const cJSON *v, int want, const char *path, struct shape_complaint *to)
{
    const cJSON *one;

    if (!cJSON_IsArray(v))
        shape_complain(to, "invalid_type", path, "Invalid type, expected a list");
    cJSON_ArrayForEach(one, v) {
        if (want == FUNCTIONS) {
            shape_check(one, function_fields, value_check, path, to);
            continue;
        }
        shape_check(one, cJSON_HasObjectItem(one, "function_calls") ? calls_fields : history_fields, value_check, path, to);
        word_check(one, "type", "History", path, to);
        if (cJSON_HasObjectItem(one, "role"))
            word_check(one, "role", "user assistant", path, to);
    }
}

static void format_check(const cJSON *v, int want, const char *path, struct shape_complaint *to)
{
    const cJSON *rate = cJSON_GetObjectItemCaseSensitive(v, "sample_rate");
    const char *coding = shape_word(v, "encoding");
    const bool is_law = strcmp(coding, "mulaw") == 0 || strcmp(coding, "alaw") == 0;

    shape_check(v, want == INPUT ? input_fields : output_fields, value_check, path, to);
    word_check(v, "encoding", want == INPUT ? "linear16 linear32 mulaw alaw opus ogg-opus flac speex amr-nb amr-wb g729" : "linear16 mulaw alaw", path, to);
    if (cJSON_IsNumber(rate) && (rate->valuedouble < 8000 || rate->valuedouble > (is_law ? 16000 : 48000)))
        shape_complain(to, "invalid_value", path, "No such rate in this encoding");
    if (want == OUTPUT && cJSON_HasObjectItem(v, "container"))
        word_check(v, "container", "none", path, to);
}

static void listener_check(const cJSON *v, const char *path, struct shape_complaint *to)
{
    const bool is_flux = strncmp(shape_word(v, "model"), "flux-", 5) == 0;

    shape_check(v, is_flux ? v2_fields : v1_fields, value_check, path, to);
    word_check(v, "type", "deepgram", path, to);
    if (cJSON_HasObjectItem(v, "version"))
        word_check(v, "version", is_flux ? "v2" : "v1", path, to);
}

static void value_check(const cJSON *v, int want, const char *path, struct shape_complaint *to)
{
    static const struct shape_field *const structs[] = {
        [AUDIO] = audio_fields, [AGENT] = agent_fields, [LISTEN] = listen_fields, [THINKER] = thinker_fields, [ENDPOINT] = endpoint_fields,
        [FLAGS] = flags_fields, [CONTEXT] = context_fields,
    };

    if (want == INPUT || want == OUTPUT)
        format_check(v, want, path, to);
    else if (want == LISTENER)
        listener_check(v, path, to);
    else if (want == THINK || want == SPEAK)
        one_or_list(v, want == THINK ? think_fields : speak_fields, path, to);
    else if (want == FUNCTIONS || want == MESSAGES)
        list_check(v, want, path, to);
    else if (want == SPEAKER)
        word_check(v, "type", "deepgram eleven_labs cartesia open_ai aws_polly", path, to); /* the rest is its own */
    else
        shape_check(v, structs[want], value_check, path, to);
    if (want == THINKER)
        word_check(v, "type", "open_ai anthropic google groq aws_bedrock", path, to);
}

void dg_agent_check(const cJSON *message, struct shape_complaint *out)
{
    const char *type = shape_word(message, "type");

    *out = (struct shape_complaint){ .code = NULL };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        if (strcmp(type, messages[i].type) != 0)
            continue;
        shape_check(message, messages[i].fields, value_check, "", out);
        return;
    }
    shape_complain(out, "UNPARSABLE_CLIENT_MESSAGE", "type", "Unknown type of message");
}
