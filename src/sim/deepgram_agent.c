/* /v1/agent/converse: the Voice Agent. It hears, says the script's answers, calls functions and waits for what they give. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/deepgram_inner.h"

enum { IDLE_MS = 10000, HANGOVER_MS = 400 };

static const struct dg_parameter parameters[] = { { .name = NULL } };

static void answer_begin(struct dg_client *c);

static const cJSON *at(const cJSON *in, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(in, name);
}

static void text_tell(struct dg_client *c, const char *role, const char *words)
{
    char json[2000];

    sim_json(json, sizeof json, text_of(words));
    dg_send(c, "ConversationText", "\"role\":\"%s\",\"content\":\"%s\"", role, json);
}

/* ---- answers ---- */

static bool on_piece(const unsigned char *bytes, size_t n, void *arg)
{
    struct dg_client *c = arg;

    if (!c->base.ws || c->is_struck)
        return false;
    if (c->base.fault == SIM_FAULT_GARBAGE)
        sim_client_send(&c->base, TEXT("\x01\x02 no JSON {"));
    else if (websocket_send(c->base.ws, false, text_make(bytes, n)))
        dg_complain(c, "queue_full", "audio", "The client does not read.");
    c->agent.said_bytes += n;
    return c->mouth.at < DG_FAULT_AT_MS * c->mouth.bytes_a_ms || !dg_strike(c);
}

static void audio_tell(struct dg_client *c, const char *status)
{
    sim_client_moment(&c->base, "audio", "\"ms\":%llu,\"status\":\"%s\"", (unsigned long long)(c->agent.said_bytes / c->mouth.bytes_a_ms), status);
    c->agent.said_bytes = 0;
}

static void on_end(void *arg)
{
    struct dg_client *c = arg;

    audio_tell(c, "completed");
    dg_send(c, "AgentAudioDone", "%s", "\"sequence\":1");
}

static void audio_say(struct dg_client *c, const char *words, const struct scripted_answer *made)
{
    const bool is_made = made && sim_coding_write(&c->mouth.bytes, made->pcm, made->samples, c->out, c->out_hz) == 0;

    if (is_made || dg_speech_add(c, words)) {
        dg_send(c, "AgentStartedSpeaking", "\"total_latency\":0.9,\"tts_latency\":0.2,\"ttt_latency\":0.5");
        mouth_go(&c->mouth);
    }
}

static void call_send(struct dg_client *c, const struct scripted_answer *a)
{
    char arguments[4000];

    snprintf(c->agent.call, sizeof c->agent.call, "call_%u_%u", c->base.number, ++c->agent.calls);
    snprintf(c->agent.call_name, sizeof c->agent.call_name, "%s", a->words);
    sim_json(arguments, sizeof arguments, text_of(a->arguments));
    dg_send(c, "FunctionCallRequest", "\"functions\":[%s{\"id\":\"%s\",\"name\":\"%s\",\"arguments\":\"%s\",\"client_side\":true}]",
            c->base.fault == SIM_FAULT_DRIFT ? "{\"id\":\"theirs\",\"name\":\"lookup\",\"arguments\":\"{}\",\"client_side\":false}," : "", c->agent.call,
            a->words, arguments);
}

static void failure_send(struct dg_client *c, const char *code)
{
    dg_send(c, "Error", "\"code\":\"%s\",\"description\":\"the stand-in fails as told\"", code);
}

static void answer_begin(struct dg_client *c)
{
    const struct service_script *script = &c->base.server->script;
    const struct scripted_answer *a = c->agent.answer < script->answer_count ? &script->answers[c->agent.answer++]
                                      : c->agent.said                        ? c->agent.said
                                                                             : &script->answers[0];

    sim_client_moment(&c->base, "answer", "\"kind\":%d", (int)a->kind);
    dg_send(c, "AgentThinking", "\"content\":\"thinking\"");
    if (c->base.fault == SIM_FAULT_ERROR)
        dg_send(c, "Warning", "\"code\":\"THINK_REQUEST_FAILED\",\"description\":\"trying again\"");
    if (c->base.fault == SIM_FAULT_FAILED) {
        failure_send(c, "FAILED_TO_THINK");
    } else if (a->kind == ANSWER_FAIL) {
        failure_send(c, a->words);
    } else if (a->kind == ANSWER_CALL) {
        call_send(c, a);
    } else {
        c->agent.said = a;
        text_tell(c, "assistant", a->words);
        audio_say(c, a->words, a);
    }
}

/* ---- the caller ---- */

static void on_heard(struct dg_client *c, enum vad_event e)
{
    if (e == VAD_START) {
        dg_send(c, "UserStartedSpeaking", "%s", "\"sequence\":1");
        if (mouth_is_busy(&c->mouth) || c->agent.said_bytes > 0)
            audio_tell(c, "cancelled");
        mouth_hush(&c->mouth);
    } else if (e == VAD_STOP) {
        sim_client_moment(&c->base, "heard", "\"ms\":%.0f", 1000 * dg_seconds(c, (uint64_t)(c->vad.ended_at - c->vad.started_at)));
        text_tell(c, "user", dg_words_next(c));
        if (!c->agent.call[0])
            answer_begin(c);
    }
}

/* ---- what the client says ---- */

static void settings_take(struct dg_client *c, const cJSON *message)
{
    const cJSON *audio = at(message, "audio"), *agent = at(message, "agent"), *hz;
    const char *greeting = shape_word(agent, "greeting");
    char *echo = cJSON_PrintUnformatted(message);

    c->in = c->out = SIM_LINEAR;
    sim_coding_parse(text_of(shape_word(at(audio, "input"), "encoding")), &c->in);
    sim_coding_parse(text_of(shape_word(at(audio, "output"), "encoding")), &c->out);
    hz = at(at(audio, "input"), "sample_rate");
    c->in_hz = cJSON_IsNumber(hz) ? (unsigned)hz->valuedouble : 16000;
    hz = at(at(audio, "output"), "sample_rate");
    c->out_hz = cJSON_IsNumber(hz) ? (unsigned)hz->valuedouble : 24000;
    dg_ear_open(c, HANGOVER_MS);
    dg_mouth_open(c);
    c->mouth.on_piece = on_piece;
    c->mouth.on_end = on_end;
    c->agent.has_settings = true;
    if (c->base.fault == SIM_FAULT_REFUSED) {
        failure_send(c, "FAILED_TO_SPEAK");
        free(echo);
        return;
    }
    sim_client_moment(&c->base, "configured", "\"config\":%s", echo ? echo : "null");
    free(echo);
    dg_send(c, "SettingsApplied", "%s", "\"at\":1");
    c->is_ready = true;
    if (greeting[0]) {
        text_tell(c, "assistant", greeting);
        audio_say(c, greeting, NULL);
    }
}

static void response_take(struct dg_client *c, const cJSON *message)
{
    char *echo;

    if (!c->agent.call[0] || strcmp(shape_word(message, "id"), c->agent.call) != 0) {
        dg_complain(c, "invalid_value", "id", "No function call waits for this.");
        return;
    }
    if (strcmp(shape_word(message, "name"), c->agent.call_name) != 0)
        dg_complain(c, "invalid_value", "name", "The call has another name.");
    echo = cJSON_PrintUnformatted(message);
    sim_client_moment(&c->base, "tool", "\"response\":%s", echo ? echo : "null");
    free(echo);
    c->agent.call[0] = '\0';
    answer_begin(c);
}

static void inject_take(struct dg_client *c, const cJSON *message, bool is_user)
{
    const char *words = shape_word(message, is_user ? "content" : "message");
    char json[1000];

    sim_json(json, sizeof json, text_of(words));
    sim_client_moment(&c->base, "injected", "\"by\":\"%s\",\"words\":\"%s\"", is_user ? "user" : "agent", json);
    if (is_user) {
        mouth_hush(&c->mouth);
        text_tell(c, "user", words);
        if (!c->agent.call[0])
            answer_begin(c);
    } else if (c->vad.speaking || mouth_is_busy(&c->mouth)) {
        dg_send(c, "InjectionRefused", "\"message\":\"somebody speaks\"");
    } else {
        text_tell(c, "assistant", words);
        audio_say(c, words, NULL);
    }
}

static void message_take(struct dg_client *c, const cJSON *message, const char *type)
{
    if (strcmp(type, "Settings") == 0)
        settings_take(c, message);
    else if (strcmp(type, "FunctionCallResponse") == 0)
        response_take(c, message);
    else if (strcmp(type, "InjectUserMessage") == 0)
        inject_take(c, message, true);
    else if (strcmp(type, "InjectAgentMessage") == 0)
        inject_take(c, message, false);
    else if (strcmp(type, "UpdatePrompt") == 0)
        dg_send(c, "PromptUpdated", "%s", "\"at\":1");
    else if (strncmp(type, "Update", 6) == 0)
        dg_send(c, strcmp(type, "UpdateListen") == 0 ? "ListenUpdated" : strcmp(type, "UpdateThink") == 0 ? "ThinkUpdated" : "SpeakUpdated", "%s", "\"at\":1");
}

static void on_text(struct dg_client *c, const cJSON *message)
{
    const char *type = shape_word(message, "type");
    struct shape_complaint complaint = { .code = "UNPARSABLE_CLIENT_MESSAGE", .message = "Not a JSON object." };

    if (message)
        dg_agent_check(message, &complaint);
    if (!complaint.code && (strcmp(type, "Settings") == 0) == c->agent.has_settings)
        complaint = (struct shape_complaint){ .code = "out_of_order", .message = "Settings come once, and first." };
    if (complaint.code) {
        dg_complain(c, complaint.code, complaint.param[0] ? complaint.param : type, complaint.message);
        failure_send(c, c->agent.has_settings ? "UNPARSABLE_CLIENT_MESSAGE" : "INVALID_SETTINGS");
        return;
    }
    message_take(c, message, type);
}

static void on_audio(struct dg_client *c, struct text bytes)
{
    if (!c->agent.has_settings)
        dg_complain(c, "too_early", "binary", "Audio before SettingsApplied is lost.");
    else if (bytes.n == 0)
        dg_complain(c, "empty_audio", "binary", "An empty binary message.");
    else
        dg_hear(c, bytes);
}

static void on_hello(struct dg_client *c)
{
    dg_send(c, "Welcome", "\"request_id\":\"request_%u\"", c->base.number);
}

static void on_idle(struct dg_client *c)
{
    failure_send(c, "CLIENT_MESSAGE_TIMEOUT");
    dg_close(c, 1011, "NET-0001", "no message came in time");
}

const struct dg_endpoint dg_agent = {
    .path = "/v1/agent/converse", .parameters = parameters, .on_hello = on_hello, .on_text = on_text, .on_audio = on_audio, .on_heard = on_heard,
    .on_idle = on_idle, .idle_ms = IDLE_MS,
};
