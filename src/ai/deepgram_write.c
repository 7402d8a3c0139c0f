/* Writes the messages of a client of Deepgram's Voice Agent. */
#include "ai/deepgram_write.h"

static void field_add(struct buf *b, const char *comma, const char *name, struct text value)
{
    buf_addf(b, "%s\"%s\":\"", comma, name);
    buf_add_json(b, value);
    buf_add_char(b, '"');
}

static void audio_add(struct buf *b, enum deepgram_audio a)
{
    const char *format = a == DEEPGRAM_ULAW ? "\"encoding\":\"mulaw\",\"sample_rate\":8000" : "\"encoding\":\"linear16\",\"sample_rate\":16000";

    buf_addf(b, "\"audio\":{\"input\":{%s},\"output\":{%s,\"container\":\"none\"}}", format, format);
}

static void provider_add(struct buf *b, const char *type, const char *version, const char *model)
{
    buf_addf(b, "\"provider\":{");
    field_add(b, "", "type", text_of(type));
    if (version)
        field_add(b, ",", "version", text_of(version));
    field_add(b, ",", "model", text_of(model));
    buf_add_char(b, '}');
}

static void functions_add(struct buf *b, const struct deepgram_settings *s)
{
    buf_addf(b, ",\"functions\":[");
    for (size_t i = 0; i < s->tool_count; i++) {
        const struct ai_tool *t = &s->tools[i];

        field_add(b, i ? ",{" : "{", "name", text_of(t->name));
        if (t->description)
            field_add(b, ",", "description", text_of(t->description));
        buf_addf(b, ",\"parameters\":");
        buf_add_text(b, t->parameters ? text_of(t->parameters) : TEXT("{\"type\":\"object\",\"properties\":{}}"));
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

static void think_add(struct buf *b, const struct deepgram_settings *s)
{
    buf_addf(b, ",\"think\":{");
    provider_add(b, s->think_provider ? s->think_provider : DEEPGRAM_THINKER, NULL, s->model ? s->model : DEEPGRAM_MODEL);
    if (s->instructions)
        field_add(b, ",", "prompt", text_of(s->instructions));
    if (s->tool_count > 0)
        functions_add(b, s);
    buf_add_char(b, '}');
}

static void context_add(struct buf *b, const struct talk_words *words)
{
    const char *comma = "";

    buf_addf(b, ",\"context\":{\"messages\":[");
    for (size_t i = 0; i < words->count; i++) {
        const struct talk_turn *t = talk_words_at(words, i);

        if (!t->words[0])
            continue;
        buf_addf(b, "%s{\"type\":\"History\",\"role\":\"%s\"", comma, t->is_agent ? "assistant" : "user");
        field_add(b, ",", "content", text_of(t->words));
        buf_add_char(b, '}');
        comma = ",";
    }
    buf_addf(b, "]}");
}

int deepgram_write_settings(struct buf *out, const struct deepgram_settings *s, const struct talk_words *words, bool greets)
{
    const char *listen = s->listen_model ? s->listen_model : DEEPGRAM_LISTEN;

    buf_addf(out, "{\"type\":\"Settings\",");
    audio_add(out, s->audio);
    buf_addf(out, ",\"agent\":{\"listen\":{");
    provider_add(out, "deepgram", text_starts(text_of(listen), TEXT("flux-")) ? "v2" : "v1", listen);
    buf_add_char(out, '}');
    think_add(out, s);
    buf_addf(out, ",\"speak\":{");
    provider_add(out, "deepgram", NULL, s->voice ? s->voice : DEEPGRAM_VOICE);
    buf_add_char(out, '}');
    if (words->count > 0)
        context_add(out, words);
    if (greets && s->greeting)
        field_add(out, ",", "greeting", text_of(s->greeting));
    return buf_addf(out, "}}");
}

int deepgram_write_result(struct buf *out, struct text id, struct text name, struct text content)
{
    buf_addf(out, "{\"type\":\"FunctionCallResponse\"");
    field_add(out, ",", "id", id);
    field_add(out, ",", "name", name);
    field_add(out, ",", "content", content);
    return buf_add_char(out, '}');
}

int deepgram_write_user(struct buf *out, struct text words)
{
    field_add(out, "{\"type\":\"InjectUserMessage\",", "content", words);
    return buf_add_char(out, '}');
}

int deepgram_write_keep_alive(struct buf *out)
{
    return buf_add_text(out, TEXT("{\"type\":\"KeepAlive\"}"));
}
