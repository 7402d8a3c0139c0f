/* Writes the messages of a Realtime client. */
#include "ai/openai_write.h"

#include "base/base64.h"

static void string_add(struct buf *b, struct text t)
{
    buf_add_char(b, '"');
    buf_add_json(b, t);
    buf_add_char(b, '"');
}

static void field_add(struct buf *b, const char *name, struct text value)
{
    buf_addf(b, ",\"%s\":", name);
    string_add(b, value);
}

static const char *format_of(enum openai_audio a)
{
    return a == OPENAI_ULAW ? "{\"type\":\"audio/pcmu\"}" : "{\"type\":\"audio/pcm\",\"rate\":24000}";
}

static void input_add(struct buf *b, const struct openai_settings *s)
{
    buf_addf(b, "\"input\":{\"format\":%s,", format_of(s->audio));
    if (s->transcription) {
        buf_addf(b, "\"transcription\":{\"model\":");
        string_add(b, text_of(s->transcription));
        buf_addf(b, "},");
    }
    buf_addf(b, "\"turn_detection\":{\"type\":\"server_vad\",\"threshold\":0.5,\"prefix_padding_ms\":%d,\"silence_duration_ms\":%u,"
                "\"create_response\":true,\"interrupt_response\":true}}",
             OPENAI_PREFIX_MS, s->silence_ms ? s->silence_ms : OPENAI_SILENCE_MS);
}

/* Flat, not nested under "function" as in chat completions: the service refuses that. */
static void tools_add(struct buf *b, const struct openai_settings *s)
{
    buf_addf(b, ",\"tools\":[");
    for (size_t i = 0; i < s->tool_count; i++) {
        const struct ai_tool *t = &s->tools[i];

        buf_addf(b, "%s{\"type\":\"function\"", i ? "," : "");
        field_add(b, "name", text_of(t->name));
        if (t->description)
            field_add(b, "description", text_of(t->description));
        buf_addf(b, ",\"parameters\":");
        buf_add_text(b, t->parameters ? text_of(t->parameters) : TEXT("{\"type\":\"object\",\"properties\":{}}"));
        buf_add_char(b, '}');
    }
    buf_addf(b, "],\"tool_choice\":\"auto\"");
}

int openai_write_session(struct buf *out, const struct openai_settings *s, struct text event_id)
{
    buf_addf(out, "{\"type\":\"session.update\"");
    field_add(out, "event_id", event_id);
    buf_addf(out, ",\"session\":{\"type\":\"realtime\",\"output_modalities\":[\"audio\"]");
    if (s->instructions)
        field_add(out, "instructions", text_of(s->instructions));
    buf_addf(out, ",\"audio\":{");
    input_add(out, s);
    buf_addf(out, ",\"output\":{\"format\":%s", format_of(s->audio));
    field_add(out, "voice", text_of(s->voice ? s->voice : OPENAI_VOICE));
    buf_addf(out, "}}");
    tools_add(out, s);
    return buf_addf(out, "}}");
}

int openai_write_append(struct buf *out, const void *audio, size_t n)
{
    buf_add_text(out, TEXT("{\"type\":\"input_audio_buffer.append\",\"audio\":\""));
    base64_write(out, audio, n);
    return buf_add_text(out, TEXT("\"}"));
}

int openai_write_response(struct buf *out, struct text instructions)
{
    buf_addf(out, "{\"type\":\"response.create\"");
    if (instructions.p) {
        buf_addf(out, ",\"response\":{\"instructions\":");
        string_add(out, instructions);
        buf_add_char(out, '}');
    }
    return buf_add_char(out, '}');
}

int openai_write_cancel(struct buf *out, struct text response)
{
    buf_addf(out, "{\"type\":\"response.cancel\"");
    field_add(out, "response_id", response);
    return buf_add_char(out, '}');
}

int openai_write_truncate(struct buf *out, struct text item, unsigned end_ms)
{
    buf_addf(out, "{\"type\":\"conversation.item.truncate\"");
    field_add(out, "item_id", item);
    return buf_addf(out, ",\"content_index\":0,\"audio_end_ms\":%u}", end_ms);
}

int openai_write_delete(struct buf *out, struct text item)
{
    buf_addf(out, "{\"type\":\"conversation.item.delete\"");
    field_add(out, "item_id", item);
    return buf_add_char(out, '}');
}

int openai_write_tool_output(struct buf *out, struct text call_id, struct text output)
{
    buf_addf(out, "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"function_call_output\"");
    field_add(out, "call_id", call_id);
    field_add(out, "output", output);
    return buf_addf(out, "}}");
}

int openai_write_message(struct buf *out, const char *role, struct text words)
{
    const bool is_ours = text_eq(text_of(role), TEXT("assistant"));

    buf_addf(out, "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":\"%s\",\"content\":[{\"type\":\"%s\"", role,
             is_ours ? "output_text" : "input_text");
    field_add(out, "text", words);
    return buf_addf(out, "}]}}");
}

int openai_write_url(struct buf *out, const struct openai_settings *s)
{
    const struct text url = text_of(s->url ? s->url : OPENAI_URL);
    const ptrdiff_t query = text_find(url, '?');

    buf_add_text(out, url);
    if (query < 0 || (text_find_text(text_skip(url, (size_t)query), TEXT("model=")) < 0 &&
                      text_find_text(text_skip(url, (size_t)query), TEXT("deployment=")) < 0)) {
        buf_addf(out, "%smodel=", query < 0 ? "?" : "&");
        buf_add_url(out, text_of(s->model ? s->model : OPENAI_MODEL));
    }
    return out->err;
}
