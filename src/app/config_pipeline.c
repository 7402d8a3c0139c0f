/* One job: check the three parts of an agent with provider = pipeline, and say which key goes to which of them. */
#include <string.h>

#include "ai/speech.h"
#include "app/config_parts.h"
#include "net/http_hosts.h"
#include "net/ws_handshake.h"

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

const char *config_stt_key(const struct config_agent *a)
{
    const struct config_pipeline *p = &a->pipeline;

    if (secret_is_set(&p->stt_key))
        return secret_reveal(&p->stt_key);
    return p->stt == CONFIG_STT_OPENAI && is_same(p->stt_url, a->url) ? secret_reveal(&a->key) : NULL;
}

const char *config_tts_key(const struct config_agent *a)
{
    const struct config_pipeline *p = &a->pipeline;
    const bool ears_are_deepgram = p->stt == CONFIG_STT_DEEPGRAM || p->stt == CONFIG_STT_FLUX;

    if (secret_is_set(&p->tts_key))
        return secret_reveal(&p->tts_key);
    if (p->tts == CONFIG_TTS_OPENAI && is_same(p->tts_url, a->url))
        return secret_reveal(&a->key);
    if (p->tts == CONFIG_TTS_DEEPGRAM && ears_are_deepgram && is_same(p->tts_url, p->stt_url))
        return secret_reveal(&p->stt_key);
    return NULL;
}

/* The host behind scheme, which has a TLS form; absent: it is no such address. */
static struct text host_of(const char *url, bool is_http, bool *is_tls)
{
    struct ws_url u;

    if (is_http) {
        *is_tls = text_starts(text_of(url), TEXT("https://"));
        return http_host_of(text_of(url));
    }
    if (ws_url_parse(text_of(url), &u))
        return TEXT_NONE;
    *is_tls = u.is_tls;
    return u.host;
}

/* A key goes over TLS, or not out of this machine. has_key: of this part, for sure or maybe (a reference that is not resolved). */
static void check_url(struct config_build *b, const struct config_built *s, const char *name, const char *url, bool is_http, bool has_key)
{
    bool is_tls = false;
    struct text host;

    if (!url)
        return;
    host = host_of(url, is_http, &is_tls);
    if (!host.p)
        config_key_problem(b, CONF_ERROR, s, name, "expected %s://HOST%s, came \"%.200s\"", is_http ? "https" : "wss", is_http ? "/v1" : "", url);
    else if (has_key && !is_tls && !config_is_this_machine(host))
        config_key_problem(b, CONF_ERROR, s, name, "expected %s://, because a key is sent there, came \"%.200s\"", is_http ? "https" : "wss", url);
}

static void check_voice(struct config_build *b, const struct config_built *s, const char *name, const char *voice)
{
    if (voice && !speech_has_voice(text_of(voice)))
        config_key_problem(b, CONF_ERROR, s, name, "expected one of: slt rms awb kal16 kal, came \"%s\"", voice);
}

static void no_effect(struct config_build *b, const struct config_built *s, const char *name, const char *with)
{
    if (config_is_written(s, name))
        config_key_problem(b, CONF_WARNING, s, name, "has no effect with %s", with);
}

/* The service's own address takes nobody without a key. */
static void check_key(struct config_build *b, const struct config_built *s, const char *name, const char *example)
{
    config_key_problem(b, CONF_ERROR, s, name, "expected a value (secret), came none; for example: %s = %s", name, example);
}

static bool has_key(const struct config_built *s, const char *own, const char *other, bool shares)
{
    return config_is_written(s, own) || (shares && config_is_written(s, other));
}

static void check_ears(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    const struct config_pipeline *p = &a->pipeline;
    const bool is_http = p->stt == CONFIG_STT_OPENAI;
    const bool key = has_key(s, "stt_key", "key", is_http && is_same(p->stt_url, a->url));

    if (p->stt == CONFIG_STT_LOCAL) {
        if (!config_is_written(s, "file"))
            config_key_problem(b, CONF_ERROR, s, "file", "expected a value (path), because stt = local, came none; for example: file = reception.agent");
        no_effect(b, s, "stt_url", "stt = local");
        no_effect(b, s, "stt_key", "stt = local");
        no_effect(b, s, "stt_model", "stt = local");
        no_effect(b, s, "language", "stt = local");
        no_effect(b, s, "keyterms", "stt = local");
        no_effect(b, s, "silence", "stt = local");
        return;
    }
    if (config_is_written(s, "file"))
        config_key_problem(b, CONF_WARNING, s, "file", "has no effect without stt = local");
    if (!p->stt_url && !key)
        check_key(b, s, "stt_key", is_http ? "@env:OPENAI_API_KEY" : "@env:DEEPGRAM_API_KEY");
    check_url(b, s, "stt_url", p->stt_url, is_http, key);
}

static void check_speaker(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    const struct config_pipeline *p = &a->pipeline;
    const bool is_http = p->tts == CONFIG_TTS_OPENAI;
    const bool ears_are_deepgram = p->stt == CONFIG_STT_DEEPGRAM || p->stt == CONFIG_STT_FLUX;
    const bool key = is_http ? has_key(s, "tts_key", "key", is_same(p->tts_url, a->url))
                             : has_key(s, "tts_key", "stt_key", ears_are_deepgram && is_same(p->tts_url, p->stt_url));

    if (p->tts == CONFIG_TTS_LOCAL) {
        check_voice(b, s, "voice", a->voice);
        no_effect(b, s, "tts_url", "tts = local");
        no_effect(b, s, "tts_key", "tts = local");
        no_effect(b, s, "tts_model", "tts = local");
        no_effect(b, s, "voice_fallback", "tts = local");
        return;
    }
    check_voice(b, s, "voice_fallback", p->voice_fallback);
    if (!p->tts_url && !key)
        check_key(b, s, "tts_key", is_http ? "@env:OPENAI_API_KEY" : "@env:DEEPGRAM_API_KEY");
    check_url(b, s, "tts_url", p->tts_url, is_http, key);
}

void config_pipeline_check(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    if (!a->url && !config_is_written(s, "key"))
        check_key(b, s, "key", "@env:OPENAI_API_KEY");
    check_url(b, s, "url", a->url, true, config_is_written(s, "key"));
    if (config_is_written(s, "stt"))
        check_ears(b, s, a);
    if (config_is_written(s, "tts"))
        check_speaker(b, s, a);
}
