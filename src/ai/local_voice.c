/* Says what the embedded agent decided: one synthesis at a time, handed on in pieces, with the wish that follows it. */
#include "ai/local_internal.h"

#include <errno.h>

void local_wish_tell(struct local *p)
{
    if (!p->has_wish)
        return;
    p->has_wish = false;
    p->over = true;
    timer_stop(p->gap);
    p->base.on->on_wish(p->wish, p->reason, p->base.arg);
}

static void fail(struct local *p, enum provider_error fault, const char *sentence)
{
    p->fault = fault;
    p->fault_text = sentence;
    local_event_add(p, (struct event){.kind = EVENT_FAILED});
}

/* A handler may close us or interrupt the item between two pieces. */
static void audio_tell(struct local *p, const int16_t *pcm, size_t n)
{
    const uint32_t item = p->item;
    size_t at = 0;

    do {
        const size_t piece = n - at < PIECE ? n - at : PIECE;
        p->base.on->on_audio(item, pcm + at, piece, at + piece == n, p->base.arg);
        at += piece;
    } while (at < n && !p->closed && p->sounding == item);
}

/* False: what the job made is not wanted. */
static bool job_end(struct local *p)
{
    local_drain(p); /* while job still stands, so that what a digit wants said now waits for us */
    p->job = NULL;
    if (!p->is_dropped)
        return local_is_live(p);
    p->is_dropped = false;
    if (p->is_waiting && local_is_live(p)) {
        p->is_waiting = false;
        local_say(p);
    }
    return false;
}

static void on_spoken(int err, const int16_t *pcm, size_t n, void *arg)
{
    struct local *p = arg;

    if (!job_end(p))
        return;
    if (err) {
        log_warn(&p->log, "speech_failed", kv_err(err));
        fail(p, PROVIDER_SERVER, "the synthesiser failed");
        return;
    }
    p->sounding = ++p->item;
    p->sounding_left = (int64_t)n + SOUNDING_SLACK_MS * PER_MS;
    p->was_cut = false;
    p->idle = 0;
    p->base.on->on_agent_text(p->item, buf_text(&p->words), p->base.arg);
    if (!p->closed)
        audio_tell(p, pcm, n);
    if (!p->closed)
        local_wish_tell(p);
}

void local_speech_drop(struct local *p)
{
    p->is_dropped = p->job != NULL;
    p->is_waiting = false;
    p->has_wish = false;
}

void local_say(struct local *p)
{
    if (p->words.err || p->words.n == 0) {
        local_event_add(p, (struct event){.kind = EVENT_SAID});
        return;
    }
    if (p->job) {
        p->is_waiting = true;
        return;
    }
    const int err = synthesiser_say(&p->job, p->voice, p->loop, p->agent->voice, buf_text(&p->words), on_spoken, p);
    if (err == -ENOBUFS)
        fail(p, PROVIDER_RATE, "the speech queue is full");
    else if (err)
        fail(p, PROVIDER_SERVER, err_text(err));
}

struct buf *local_words_begin(struct local *p)
{
    local_speech_drop(p);
    buf_clear(&p->words);
    return &p->words;
}

void local_say_text(struct local *p, struct text words)
{
    buf_add_text(local_words_begin(p), words);
    local_say(p);
}

void local_say_then(struct local *p, struct text words, enum provider_wish wish, struct text reason)
{
    buf_add_text(local_words_begin(p), words);
    p->has_wish = true;
    p->wish = wish;
    p->reason = reason;
    local_say(p);
}
