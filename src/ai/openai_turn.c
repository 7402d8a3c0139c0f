/* Follows one turn after the other of a Realtime session: answers, interruptions, tools.
 *
 *   speech_started -> (cut) -> speech_stopped -> response.created -> audio... -> response.done
 *                                                      tool calls -> results -> response.create ---^ */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "ai/openai_internal.h"
#include "ai/tool_answer.h"
#include "audio/g711.h"
#include "base/base64.h"
#include "base/clock.h"

enum {
    ONSET_MAX_US = 5000000,        /* older than that is a clock that ran away */
    LIFETIME_SPARE_S = 5 * 60,
    WORDS_MAX = 4000,
};

static unsigned samples_a_ms(const struct openai *p)
{
    return p->base.rate_hz / 1000;
}

/* ---- silence that is owed an answer ---- */

void openai_owe(struct openai *p, bool is_owed)
{
    p->is_owed = is_owed;
    if (p->state != OPENAI_LIVE)
        return;                    /* watch is the set-up's */
    if (is_owed)
        timer_start(p->watch, p->stall_ms);
    else
        timer_stop(p->watch);
}

void openai_response_ask(struct openai *p)
{
    if (p->state != OPENAI_LIVE || !p->wants_response || p->is_answering || p->is_taking_calls || p->tools_open > 0)
        return;
    p->wants_response = false;
    if (p->newest == 0 && p->settings->greeting) {
        char words[WORDS_MAX];

        snprintf(words, sizeof words, "Greet the caller with exactly these words, and nothing else: %s", p->settings->greeting);
        openai_write_response(&p->out, text_of(words));
    } else {
        openai_write_response(&p->out, TEXT_NONE);
    }
    openai_send(p);
    openai_owe(p, true);
}

/* ---- spoken answers ---- */

static struct openai_item *item_numbered(struct openai *p, uint32_t number)
{
    struct openai_item *it = &p->items[number % OPENAI_ITEMS];

    return number > 0 && it->number == number ? it : NULL;
}

static struct openai_item *item_named(struct openai *p, struct text id)
{
    for (size_t i = 0; i < OPENAI_ITEMS; i++)
        if (p->items[i].number && text_eq(text_of(p->items[i].id), id))
            return &p->items[i];
    return NULL;
}

static struct openai_item *item_begin(struct openai *p, struct text id)
{
    struct openai_item *it;

    openai_item_close(p);
    it = &p->items[++p->newest % OPENAI_ITEMS];
    *it = (struct openai_item){ .number = p->newest };
    text_copy(it->id, sizeof it->id, id);
    p->open = it->number;
    return it;
}

void openai_item_close(struct openai *p)
{
    static const int16_t nothing[1];
    struct openai_item *it = item_numbered(p, p->open);

    p->open = 0;
    if (!it || it->is_done)
        return;
    it->is_done = true;
    if (!it->is_dead)
        p->base.on->on_audio(it->number, nothing, 0, true, p->base.arg);
}

/* Samples of one delta, malloc'ed: an odd byte at its end belongs to none. */
static int delta_read(struct openai *p, struct text coded, int16_t **out, size_t *n)
{
    const bool is_ulaw = p->settings->audio == OPENAI_ULAW;
    unsigned char *bytes = malloc(coded.n / 4 * 3 + 1);
    int16_t *pcm = malloc((coded.n / 4 * 3 + 1) * sizeof *pcm);
    size_t size = 0;
    int err = bytes && pcm ? base64_read(coded, bytes, &size) : -ENOMEM;

    if (!err && is_ulaw)
        ulaw_read(pcm, bytes, size);
    for (size_t i = 0; !err && !is_ulaw && i < size / 2; i++)
        pcm[i] = (int16_t)(uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    free(bytes);
    if (err) {
        free(pcm);
        return err;
    }
    *out = pcm;
    *n = is_ulaw ? size : size / 2;
    return 0;
}

static bool is_late(const struct openai *p, const struct openai_event *e)
{
    return p->muted[0] && e->response.p && text_eq(e->response, text_of(p->muted));
}

static void on_audio(struct openai *p, const struct openai_event *e)
{
    struct openai_item *it = item_named(p, e->item);
    int16_t *pcm = NULL;
    size_t n = 0;

    if (is_late(p, e) || e->item.n > OPENAI_ID_MAX || (it && it->is_dead)) {
        p->figures.late_audio++;
        return;
    }
    if (delta_read(p, e->words, &pcm, &n)) {
        if (p->figures.bad_audio++ == 0)
            log_warn(&p->log, "bad_audio", kv_text("item", e->item));
        return;
    }
    if (!it)
        it = item_begin(p, e->item);
    if (!it->is_done && n > 0) {
        it->samples += n;
        p->has_sounded = true;
        p->base.on->on_audio(it->number, pcm, n, false, p->base.arg);
    }
    free(pcm);
}

static void on_audio_done(struct openai *p, const struct openai_event *e)
{
    const struct openai_item *it = item_named(p, e->item);

    if (it && it->number == p->open && !it->is_dead && !is_late(p, e))
        openai_item_close(p);
}

static void on_agent_text(struct openai *p, const struct openai_event *e)
{
    const struct openai_item *it = item_named(p, e->item);

    if (!it)
        return;                    /* cut before a sample of it came */
    talk_words_add(&p->words, true, it->number, e->words);
    if (it->is_dead)
        talk_words_cut(&p->words, it->number, it->heard_ms, it->samples / samples_a_ms(p));
    p->base.on->on_agent_text(it->number, e->words, p->base.arg);
}

/* ---- the caller ---- */

/* audio_start_ms counts what this session was sent, and lies before the speech by the padding. */
static int64_t onset_of(const struct openai *p, int64_t at_ms)
{
    const int64_t now = clock_mono_us(), onset = p->fed_us + (at_ms + OPENAI_PREFIX_MS) * 1000;

    return p->fed_us == 0 || at_ms < 0 || onset > now || onset < now - ONSET_MAX_US ? now : onset;
}

static void on_speech_started(struct openai *p, const struct openai_event *e)
{
    /* The service cancels what it was saying by itself, and what still comes of it is not wanted. */
    if (p->is_answering)
        memcpy(p->muted, p->response, sizeof p->muted);
    else
        openai_owe(p, false);
    p->in_speech_started = true;
    p->base.on->on_speech_started(onset_of(p, e->at_ms), p->base.arg);
    p->in_speech_started = false;
}

static void on_speech_stopped(struct openai *p, const struct openai_event *e)
{
    openai_owe(p, true);
    p->base.on->on_speech_stopped(p->fed_us + (e->at_ms > 0 ? e->at_ms : 0) * 1000, p->base.arg);
}

static void on_caller_text(struct openai *p, const struct openai_event *e)
{
    const struct text words = text_trim(e->words);

    if (words.n == 0)
        return;
    talk_words_add(&p->words, false, 0, words);
    p->base.on->on_caller_text(words, TEXT_NONE, 0, true, p->base.arg);
}

/* ---- interruptions ---- */

static void item_cut(struct openai *p, struct openai_item *it, unsigned played_ms)
{
    const uint64_t received_ms = it->samples / samples_a_ms(p);
    const unsigned heard_ms = played_ms < received_ms ? played_ms : (unsigned)received_ms;

    talk_words_cut(&p->words, it->number, heard_ms, received_ms);
    if (it->is_dead)
        return;
    it->is_dead = true;
    it->heard_ms = heard_ms;
    if (heard_ms > 0)
        openai_write_truncate(&p->out, text_of(it->id), heard_ms);
    else
        openai_write_delete(&p->out, text_of(it->id));
    p->figures.truncations++;
    openai_send(p);
}

void openai_interrupted(struct openai *p, uint32_t item, unsigned played_ms)
{
    if (p->state != OPENAI_LIVE)
        return;
    if (p->is_answering) {
        memcpy(p->muted, p->response, sizeof p->muted);
        if (!p->in_speech_started) {
            openai_write_cancel(&p->out, text_of(p->response));
            openai_send(p);
        }
    }
    for (uint32_t n = item > 0 ? item : p->heard + 1; n <= p->newest; n++) {
        struct openai_item *it = item_numbered(p, n);

        if (it)
            item_cut(p, it, n == item ? played_ms : 0);
    }
    p->open = 0;
    p->heard = p->newest;
}

/* ---- tools ---- */

static void tool_output_send(struct openai *p, struct text call_id, struct text output)
{
    openai_write_tool_output(&p->out, call_id, output);
    openai_send(p);
}

/* A name that was not offered, broken arguments: the conversation answers those, too. */
static void tool_start(struct openai *p, const struct openai_call *call)
{
    struct openai_tool_call *slot = p->tools;

    while (slot < p->tools + OPENAI_TOOLS_MAX && slot->number)
        slot++;
    if (slot == p->tools + OPENAI_TOOLS_MAX) {
        tool_output_send(p, call->call_id, TEXT("{\"error\":\"too many tools are running\"}"));
        p->wants_response = true;
        return;
    }
    *slot = (struct openai_tool_call){ .number = ++p->tool_number, .call_id = text_dup(call->call_id) };
    p->tools_open++;
    p->base.on->on_tool_call(slot->number, call->name, call->arguments, p->base.arg);
}

void openai_tool_answer(struct openai *p, uint32_t number, int err, struct text result)
{
    struct buf b;

    for (size_t i = 0; i < OPENAI_TOOLS_MAX; i++) {
        struct openai_tool_call *slot = &p->tools[i];

        if (number == 0 || slot->number != number)
            continue;
        buf_init(&b, 256 * 1024);
        buf_add_text(&b, slot->call_id ? TEXT("") : TEXT("A tool that was asked before the interruption answers: "));
        tool_answer_write(&b, err, result);
        if (p->state == OPENAI_LIVE && slot->call_id)
            tool_output_send(p, text_of(slot->call_id), buf_text(&b));
        else if (!slot->call_id)
            talk_words_add(&p->words, false, 0, buf_text(&b));
        buf_free(&b);
        free(slot->call_id);
        *slot = (struct openai_tool_call){ .number = 0 };
        p->tools_open--;
        p->wants_response = true;
        openai_response_ask(p);
    }
}

static void calls_take(struct openai *p, const struct openai_event *e)
{
    const bool is_whole = text_eq(e->status, TEXT("completed"));

    p->is_taking_calls = true;     /* some are answered from inside: the model hears all answers, then goes on */
    for (size_t i = 0; i < e->call_count && openai_is_on(p); i++) {
        if (is_whole)
            tool_start(p, &e->calls[i]);
        else if (e->calls[i].is_complete)
            tool_output_send(p, e->calls[i].call_id, TEXT("{\"cancelled\":true}"));
    }
    if (e->calls_over)
        log_warn(&p->log, "tools_over", kv_int("passed_over", (int64_t)e->calls_over));
    p->is_taking_calls = false;
}

/* ---- the end of an answer ---- */

static enum provider_error class_of(struct text code)
{
    static const struct {
        const char *code;
        enum provider_error kind;
    } classes[] = {
        { "insufficient_quota", PROVIDER_QUOTA },    { "billing_hard_limit_reached", PROVIDER_QUOTA },
        { "account_deactivated", PROVIDER_AUTH },    { "invalid_api_key", PROVIDER_AUTH },
        { "beta_api_shape_disabled", PROVIDER_CONFIG }, { "rate_limit_exceeded", PROVIDER_RATE },
        { "session_expired", PROVIDER_EXPIRED },
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (text_eq(code, text_of(classes[i].code)))
            return classes[i].kind;
    return PROVIDER_SERVER;
}

static bool is_fatal(enum provider_error kind)
{
    return kind == PROVIDER_QUOTA || kind == PROVIDER_AUTH || kind == PROVIDER_CONFIG;
}

/* For the caller this is silence: once more, then the end. */
static void answer_failed(struct openai *p, enum provider_error kind, const char *why)
{
    p->figures.failed++;
    log_warn(&p->log, "answer_failed", kv_str("kind", provider_error_name(kind)), kv_str("why", why));
    if (is_fatal(kind) || p->is_retried) {
        openai_fail(p, kind, why);
        return;
    }
    p->is_retried = true;
    timer_start(p->retry, p->retry_ms);
}

static void on_response_done(struct openai *p, const struct openai_event *e)
{
    const bool is_mine = text_eq(e->response, text_of(p->response));
    char why[160];

    if (!is_mine)
        return;                    /* of a session before, or never begun */
    p->is_answering = false;
    p->response[0] = '\0';
    openai_owe(p, false);
    openai_item_close(p);
    if (text_eq(e->status, TEXT("failed"))) {
        snprintf(why, sizeof why, "%.*s: %.*s", (int)(e->code.n < 60 ? e->code.n : 60), e->code.p ? e->code.p : "",
                 (int)(e->message.n < 90 ? e->message.n : 90), e->message.p ? e->message.p : "");
        answer_failed(p, class_of(e->code), why);
        return;
    }
    if (text_eq(e->status, TEXT("completed")) && e->has_speech && !p->has_sounded) {
        answer_failed(p, PROVIDER_SERVER, "an answer came without sound");
        return;
    }
    if (p->has_sounded)
        p->is_retried = false;
    calls_take(p, e);
    if (openai_is_on(p))
        openai_response_ask(p);
}

static void on_response_created(struct openai *p, const struct openai_event *e)
{
    p->figures.responses++;
    p->is_answering = true;
    p->has_sounded = false;
    p->muted[0] = '\0';
    timer_stop(p->retry);
    text_copy(p->response, sizeof p->response, e->response);
    openai_owe(p, true);
}

/* ---- the session ---- */

static void on_session(struct openai *p, const struct openai_event *e)
{
    const int64_t left = e->expires_at > 0 ? e->expires_at - (int64_t)time(NULL) - LIFETIME_SPARE_S : 0;

    if (left > 0 && left < 24 * 3600)
        timer_start(p->lifetime, left * 1000);
    if (e->kind == OPENAI_SESSION_UPDATED && p->state == OPENAI_SETTING_UP)
        openai_begin(p);
}

static void on_error(struct openai *p, const struct openai_event *e)
{
    const enum provider_error kind = class_of(e->code);
    char why[200];

    p->figures.errors++;
    snprintf(why, sizeof why, "%.*s: %.*s", (int)(e->code.n < 60 ? e->code.n : 60), e->code.p ? e->code.p : "",
             (int)(e->message.n < 120 ? e->message.n : 120), e->message.p ? e->message.p : "");
    if (p->state == OPENAI_SETTING_UP && text_eq(e->cause, TEXT("set-up"))) {
        openai_fail(p, PROVIDER_CONFIG, why);
    } else if (is_fatal(kind)) {
        openai_fail(p, kind, why);
    } else if (kind == PROVIDER_EXPIRED) {
        openai_lost(p, kind, true, why);
    } else if (text_eq(e->code, TEXT("conversation_already_has_active_response"))) {
        p->wants_response = true;  /* asked again at its response.done */
    } else if (!text_eq(e->code, TEXT("response_cancel_not_active"))) {
        log_warn(&p->log, "service_error", kv_str("why", why));
    }
}

void openai_on_event(struct openai *p, const struct openai_event *e)
{
    if (p->is_owed && p->state == OPENAI_LIVE)
        timer_start(p->watch, p->stall_ms);    /* it lives */
    switch (e->kind) {
    case OPENAI_SESSION_CREATED:
    case OPENAI_SESSION_UPDATED:
        on_session(p, e);
        break;
    case OPENAI_SPEECH_STARTED:
        on_speech_started(p, e);
        break;
    case OPENAI_SPEECH_STOPPED:
        on_speech_stopped(p, e);
        break;
    case OPENAI_CALLER_TEXT:
        on_caller_text(p, e);
        break;
    case OPENAI_RESPONSE_CREATED:
        on_response_created(p, e);
        break;
    case OPENAI_AUDIO:
        on_audio(p, e);
        break;
    case OPENAI_AUDIO_DONE:
        on_audio_done(p, e);
        break;
    case OPENAI_AGENT_TEXT:
        on_agent_text(p, e);
        break;
    case OPENAI_RESPONSE_DONE:
        on_response_done(p, e);
        break;
    case OPENAI_ERROR:
        on_error(p, e);
        break;
    case OPENAI_OTHER:
    case OPENAI_RATE_LIMITS:
        break;
    }
}
