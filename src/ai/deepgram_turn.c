/* Follows the talk of a Voice Agent session: answers, interruptions, function calls.
 *
 *   UserStartedSpeaking -> (cut) -> ConversationText(user) -> ConversationText(assistant) -> audio... -> AgentAudioDone
 *                                        FunctionCallRequest -> FunctionCallResponse ---^
 *
 * Audio carries no name: it belongs to the answer whose words came last. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/deepgram_internal.h"
#include "ai/tool_answer.h"
#include "audio/g711.h"
#include "base/clock.h"

enum { PIECE = 4800, ASIDE_MAX = 16 * 1024 };

/* ---- silence that is owed an answer ---- */

void deepgram_owe(struct deepgram *p, bool is_owed)
{
    p->is_owed = is_owed;
    if (p->state != DEEPGRAM_LIVE)
        return;                    /* watch is the set-up's */
    if (is_owed)
        timer_start(p->watch, p->stall_ms);
    else
        timer_stop(p->watch);
}

void deepgram_ask(struct deepgram *p, struct text words)
{
    if (p->state != DEEPGRAM_LIVE) {
        free(p->asked);
        p->asked = text_dup(words); /* for the next session */
        return;
    }
    deepgram_write_user(&p->out, words);
    deepgram_send(p);
    deepgram_owe(p, true);
}

/* ---- spoken answers ---- */

static struct deepgram_item *item_numbered(struct deepgram *p, uint32_t number)
{
    struct deepgram_item *it = &p->items[number % DEEPGRAM_ITEMS];

    return number > 0 && it->number == number ? it : NULL;
}

static struct deepgram_item *item_open(struct deepgram *p)
{
    struct deepgram_item *it = item_numbered(p, p->open);

    if (it)
        return it;
    it = &p->items[++p->newest % DEEPGRAM_ITEMS];
    *it = (struct deepgram_item){ .number = p->newest };
    p->open = p->newest;
    p->odd = -1;
    p->figures.answers++;
    return it;
}

void deepgram_item_close(struct deepgram *p)
{
    static const int16_t nothing[1];
    const uint32_t number = p->open;

    p->open = 0;
    if (number > 0)
        p->base.on->on_audio(number, nothing, 0, true, p->base.arg);
}

/* 16-bit samples may be cut anywhere. */
static size_t linear_read(struct deepgram *p, int16_t *pcm, const unsigned char *in, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (p->odd < 0) {
            p->odd = in[i];
            continue;
        }
        pcm[count++] = (int16_t)(uint16_t)(p->odd | in[i] << 8);
        p->odd = -1;
    }
    return count;
}

void deepgram_on_sound(struct deepgram *p, struct text bytes)
{
    int16_t pcm[PIECE];
    struct deepgram_item *it;

    if (p->state != DEEPGRAM_LIVE || p->is_muted || bytes.n == 0) {
        p->figures.late_audio++;
        return;
    }
    deepgram_owe(p, true);         /* until AgentAudioDone */
    it = item_open(p);
    while (bytes.n > 0 && deepgram_is_on(p)) {
        const struct text piece = text_head(bytes, PIECE);
        size_t n = piece.n;

        bytes = text_skip(bytes, piece.n);
        if (p->settings->audio == DEEPGRAM_ULAW)
            ulaw_read(pcm, (const unsigned char *)piece.p, n);
        else
            n = linear_read(p, pcm, (const unsigned char *)piece.p, piece.n);
        it->samples += n;
        if (n > 0)
            p->base.on->on_audio(it->number, pcm, n, false, p->base.arg);
    }
}

/* ---- words ---- */

static void on_words(struct deepgram *p, const struct deepgram_event *e)
{
    const struct text words = text_trim(e->words);

    p->is_muted = false;
    if (words.n == 0)
        return;
    if (e->is_agent) {
        const uint32_t number = item_open(p)->number;

        talk_words_add(&p->words, true, number, words);
        deepgram_owe(p, true);
        p->base.on->on_agent_text(number, words, p->base.arg);
        return;
    }
    talk_words_add(&p->words, false, 0, words);
    deepgram_owe(p, true);
    if (p->is_caller_speaking) {   /* otherwise they are ours: of digits */
        p->is_caller_speaking = false;
        p->base.on->on_speech_stopped(clock_mono_us(), p->base.arg);
        if (deepgram_is_on(p))
            p->base.on->on_caller_text(words, TEXT_NONE, 0, true, p->base.arg);
    }
}

/* ---- interruptions ---- */

static void on_caller_speaks(struct deepgram *p)
{
    p->is_muted = p->open > 0;     /* frames that were on their way; the service itself has stopped */
    deepgram_owe(p, false);
    deepgram_item_close(p);
    p->is_caller_speaking = true;
    p->base.on->on_speech_started(clock_mono_us(), p->base.arg);
}

/* The service believes that all was heard: the words that we keep know better, and a next session is told these. */
void deepgram_interrupted(struct deepgram *p, uint32_t item, unsigned played_ms)
{
    if (!deepgram_is_on(p))
        return;
    for (uint32_t n = item > 0 ? item : p->heard + 1; n <= p->newest; n++) {
        const struct deepgram_item *it = item_numbered(p, n);

        if (it)
            talk_words_cut(&p->words, n, n == item ? played_ms : 0, it->samples / (p->base.rate_hz / 1000));
    }
    if (p->open > 0) {             /* a digit, or our own ear: the service goes on and does not know */
        p->is_muted = true;
        p->open = 0;
    }
    deepgram_owe(p, false);
    p->figures.cuts++;
    p->heard = p->newest;
}

/* ---- functions ---- */

static void result_send(struct deepgram *p, struct text id, struct text name, struct text content)
{
    deepgram_write_result(&p->out, id, name, content);
    deepgram_send(p);
}

static void tool_free(struct deepgram *p, struct deepgram_tool_call *slot)
{
    free(slot->id);
    free(slot->name);
    *slot = (struct deepgram_tool_call){ .number = 0 };
    p->tools_open--;
}

static void tool_start(struct deepgram *p, const struct deepgram_call *call)
{
    struct deepgram_tool_call *slot = p->tools;

    while (slot < p->tools + DEEPGRAM_TOOLS_MAX && slot->number)
        slot++;
    if (slot == p->tools + DEEPGRAM_TOOLS_MAX) {
        result_send(p, call->id, call->name, TEXT("{\"error\":\"too many tools are running\"}"));
        return;
    }
    *slot = (struct deepgram_tool_call){ .number = ++p->tool_number, .id = text_dup(call->id), .name = text_dup(call->name) };
    p->tools_open++;
    p->base.on->on_tool_call(slot->number, call->name, text_trim(call->arguments).n > 0 ? call->arguments : TEXT("{}"), p->base.arg);
}

static void on_calls(struct deepgram *p, const struct deepgram_event *e)
{
    p->is_muted = false;
    if (e->call_count > 0)
        deepgram_owe(p, false);    /* it is our turn */
    for (size_t i = 0; i < e->call_count && p->state == DEEPGRAM_LIVE; i++)
        tool_start(p, &e->calls[i]);
    if (e->calls_over)
        log_warn(&p->log, "tools_over", kv_int("passed_over", (int64_t)e->calls_over));
}

/* The caller went on speaking: an answer would be thrown away. */
static void on_cancelled(struct deepgram *p, const struct deepgram_event *e)
{
    for (size_t i = 0; i < e->call_count; i++)
        for (size_t k = 0; k < DEEPGRAM_TOOLS_MAX; k++)
            if (p->tools[k].number && p->tools[k].id && text_eq(text_of(p->tools[k].id), e->calls[i].id))
                p->tools[k].is_void = true;
}

void deepgram_tool_answer(struct deepgram *p, uint32_t number, int err, struct text result)
{
    struct deepgram_tool_call *slot = p->tools;
    struct buf b;

    while (slot < p->tools + DEEPGRAM_TOOLS_MAX && slot->number != number)
        slot++;
    if (number == 0 || slot == p->tools + DEEPGRAM_TOOLS_MAX)
        return;
    buf_init(&b, 256 * 1024);
    if (slot->id && !slot->is_void && p->state == DEEPGRAM_LIVE) {
        tool_answer_write(&b, err, result);
        result_send(p, text_of(slot->id), text_of(slot->name), buf_text(&b));
        deepgram_owe(p, true);
    } else if (!slot->is_void) {
        buf_add_text(&b, TEXT("A tool that was asked before the interruption answers: "));
        tool_answer_write(&b, err, text_head(result, ASIDE_MAX));
        talk_words_add(&p->words, false, 0, buf_text(&b));
        deepgram_ask(p, buf_text(&b));
    }
    buf_free(&b);
    tool_free(p, slot);
}

/* ---- faults ---- */

static void on_error(struct deepgram *p, const struct deepgram_event *e)
{
    static const char *const ours[] = { "UNPARSABLE_CLIENT_MESSAGE", "INVALID_SETTINGS", "INVALID_SETTING" };
    enum provider_error kind = PROVIDER_SERVER;
    char why[200];

    snprintf(why, sizeof why, "%.*s: %.*s", (int)(e->code.n < 60 ? e->code.n : 60), e->code.p ? e->code.p : "",
             (int)(e->message.n < 120 ? e->message.n : 120), e->message.p ? e->message.p : "");
    for (char *c = why; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = ' ';
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (text_eq(e->code, text_of(ours[i])))
            kind = PROVIDER_CONFIG;
    if (p->state == DEEPGRAM_SETTING_UP)
        kind = PROVIDER_CONFIG;
    deepgram_lost(p, kind, kind != PROVIDER_CONFIG, why);
}

static void on_warning(struct deepgram *p, const struct deepgram_event *e)
{
    if (p->figures.warnings++ < 10)
        log_warn(&p->log, "service_warning", kv_text("code", text_head(e->code, 60)), kv_text("why", text_head(e->message, 120)));
}

void deepgram_on_event(struct deepgram *p, const struct deepgram_event *e)
{
    if (p->is_owed && p->state == DEEPGRAM_LIVE)
        timer_start(p->watch, p->stall_ms);    /* it lives */
    if (e->kind == DEEPGRAM_APPLIED && p->state == DEEPGRAM_SETTING_UP)
        deepgram_begin(p);
    else if (e->kind == DEEPGRAM_ERROR)
        on_error(p, e);
    else if (e->kind == DEEPGRAM_WARNING || e->kind == DEEPGRAM_REFUSED)
        on_warning(p, e);
    if (p->state != DEEPGRAM_LIVE)
        return;
    switch (e->kind) {
    case DEEPGRAM_TEXT:
        on_words(p, e);
        break;
    case DEEPGRAM_CALLER_SPEAKS:
        on_caller_speaks(p);
        break;
    case DEEPGRAM_THINKING:
    case DEEPGRAM_SPEAKS:
        p->is_muted = false;       /* a new answer */
        break;
    case DEEPGRAM_AUDIO_DONE:
        p->is_muted = false;
        deepgram_owe(p, false);
        deepgram_item_close(p);
        break;
    case DEEPGRAM_CALLS:
        on_calls(p, e);
        break;
    case DEEPGRAM_CALL_CANCELLED:
        on_cancelled(p, e);
        break;
    case DEEPGRAM_OTHER:
    case DEEPGRAM_WELCOME:
    case DEEPGRAM_APPLIED:
    case DEEPGRAM_REFUSED:
    case DEEPGRAM_WARNING:
    case DEEPGRAM_ERROR:
        break;
    }
}
