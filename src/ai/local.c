/* The embedded agent: decides what is said and done about what the caller said or pressed.
 *
 *   samples -> ear -> utterance -> recogniser (worker) -> judge -> accept | ask | reject
 *   digit ---------------------------------------------------------^
 *   accept -> tool -> tool_result -> say -> synthesiser (worker) -> on_audio pieces -> wish
 *
 * Handlers run from the pump (a timer of 0 ms) and from workers' answers, never from inside a call of the conversation. */
#include "ai/local.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ai/answer.h"
#include "ai/ear.h"
#include "base/buf.h"

enum {
    PER_MS = EAR_HZ / 1000,
    PIECE = 100 * PER_MS,           /* of audio handed on at a time */
    WORDS_MAX = 1000,               /* bytes of one answer: about a minute, what a conversation's playout holds */
    EVENTS = 64, DIGITS_MAX = 16,   /* waiting for the pump */
    NOISE_MS = 250,                 /* a sound this short in which nothing is recognised is not worth a reprompt */
    GAP_MS = 500,                   /* the line gave nothing for so long: silence is fed instead */
    TOOL_MAX_MS = 20000,            /* the conversation's own deadline is shorter; this one is for its faults */
    SOUNDING_SLACK_MS = 70000,      /* likewise: the playout holds 60 s */
    REJECTIONS_MAX = 3, SILENCES_MAX = 3,
};

enum event_kind { EVENT_READY, EVENT_STARTED, EVENT_STOPPED, EVENT_DIGIT, EVENT_UNHEARD, EVENT_SAID, EVENT_FAILED };

struct event {
    enum event_kind kind;
    char digit;
    int64_t at_us;
};

struct local {
    struct provider base;           /* first */
    struct loop *loop;
    const struct agent_file *agent;
    struct synthesiser *voice;
    struct log log;
    struct ear *ear;
    struct recogniser *recogniser;
    struct timer *pump, *gap;
    struct event events[EVENTS];
    size_t event_first, event_count, digits_waiting;

    bool ready;                     /* started */
    bool over;                      /* a wish or an error was told: only the end follows */
    bool closed;

    struct buf words;               /* being said */
    struct speech_job *job;         /* one at a time: no flood of digits fills the pool */
    bool is_dropped;                /* its words are not wanted any more */
    bool is_waiting;                /* words are to be said when it has ended */
    bool has_wish;                  /* after these words */
    enum provider_wish wish;
    struct text reason;
    enum provider_error fault;      /* for EVENT_FAILED */
    const char *fault_text;

    uint32_t item;                  /* last one */
    uint32_t sounding;              /* the one that the caller is hearing, or 0 */
    int64_t sounding_left;          /* samples until we stop to believe it */
    bool was_cut;                   /* the present speech interrupted us */

    uint32_t turn, asked_turn;      /* of the utterance at the recogniser: an older answer is stale */
    bool recognising;
    int voiced_ms;
    int asked;                      /* intent in "Did you say ...?", or -1 */
    unsigned rejections, silences;

    uint32_t tool_id;
    int tool_intent;                /* or -1 */
    int64_t tool_left;              /* samples */
    int64_t idle;                   /* samples of both being silent */
    int64_t heard_until_us;
    bool was_fed;                   /* since the gap timer ran */
};

static void drain(struct local *p);
static void reject(struct local *p);

static struct local *local_of(struct provider *base)
{
    return (struct local *)base;
}

static bool is_live(const struct local *p)
{
    return p->ready && !p->over && !p->closed;
}

/* ---- events: what cannot be told from inside a call ---- */

static void event_add(struct local *p, struct event e)
{
    if (p->event_count == EVENTS) {
        log_warn(&p->log, "event_dropped", kv_int("kind", e.kind));
        return;
    }
    p->events[(p->event_first + p->event_count++) % EVENTS] = e;
    timer_start(p->pump, 0);
}

/* ---- saying ---- */

static void wish_tell(struct local *p)
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
    event_add(p, (struct event){ .kind = EVENT_FAILED });
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

static void say(struct local *p);

/* False: what the job made is not wanted. */
static bool job_end(struct local *p)
{
    drain(p);                       /* while job still stands, so that what a digit wants said now waits for us */
    p->job = NULL;
    if (!p->is_dropped)
        return is_live(p);
    p->is_dropped = false;
    if (p->is_waiting && is_live(p)) {
        p->is_waiting = false;
        say(p);
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
        wish_tell(p);
}

static void speech_drop(struct local *p)
{
    p->is_dropped = p->job != NULL;
    p->is_waiting = false;
    p->has_wish = false;
}

/* Says what stands in words. */
static void say(struct local *p)
{
    if (p->words.err || p->words.n == 0) {
        event_add(p, (struct event){ .kind = EVENT_SAID });
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

/* What was being prepared before is dropped. */
static struct buf *words_begin(struct local *p)
{
    speech_drop(p);
    buf_clear(&p->words);
    return &p->words;
}

static void say_text(struct local *p, struct text words)
{
    buf_add_text(words_begin(p), words);
    say(p);
}

static void say_then(struct local *p, struct text words, enum provider_wish wish, struct text reason)
{
    buf_add_text(words_begin(p), words);
    p->has_wish = true;
    p->wish = wish;
    p->reason = reason;
    say(p);
}

/* ---- doing what was understood ---- */

static void answer(struct local *p, const struct agent_intent *in, struct text words)
{
    if (in->then == AGENT_HAND_BACK)
        say_then(p, words, PROVIDER_HAND_BACK, in->reason);
    else if (in->then == AGENT_HANG_UP)
        say_then(p, in->answer.p ? words : p->agent->goodbye, PROVIDER_HANG_UP, in->reason);
    else
        say_text(p, words);
}

/* Whatever was under way for an earlier turn no longer matters. */
static void turn_begin(struct local *p)
{
    p->turn++;
    p->tool_intent = -1;
    p->asked = -1;
    p->idle = 0;
}

static void accept_intent(struct local *p, int intent)
{
    const struct agent_intent *in = &p->agent->intents[intent];
    struct buf args;

    turn_begin(p);
    p->rejections = p->silences = 0;
    if (!in->tool.p) {
        answer(p, in, in->answer);
        return;
    }
    speech_drop(p);
    p->tool_id++;
    p->tool_intent = intent;
    p->tool_left = (int64_t)TOOL_MAX_MS * PER_MS;
    buf_init(&args, WORDS_MAX);
    buf_addf(&args, "{\"intent\":\"%.*s\"}", TEXT_ARG(in->name));   /* a name has no character to escape */
    if (args.err)
        event_add(p, (struct event){ .kind = EVENT_UNHEARD });
    else
        p->base.on->on_tool_call(p->tool_id, in->tool, buf_text(&args), p->base.arg);
    buf_free(&args);
}

static void ask(struct local *p, int intent)
{
    turn_begin(p);
    p->asked = intent;
    const int err = answer_put(words_begin(p), p->agent->confirm, TEXT("title"), p->agent->intents[intent].title);
    if (err) {
        log_warn(&p->log, "confirm_failed", kv_err(err));
        reject(p);
        return;
    }
    say(p);
}

static void give_up(struct local *p, struct text reason)
{
    say_then(p, p->agent->give_up, PROVIDER_HAND_BACK, reason);
}

/* Left out when it would make the whole too long to say. */
static void help_add(struct local *p, struct buf *words)
{
    struct buf digits, help;

    buf_init(&digits, WORDS_MAX);
    buf_init(&help, WORDS_MAX - words->n - 1);
    int err = answer_digits(&digits, p->agent);
    if (!err)
        err = answer_put(&help, p->agent->digits_help, TEXT("digits"), buf_text(&digits));
    if (err)
        log_warn(&p->log, "digits_help_failed", kv_err(err));
    else if (digits.n > 0)
        buf_addf(words, " %.*s", TEXT_ARG(buf_text(&help)));
    buf_free(&digits);
    buf_free(&help);
}

static void reject(struct local *p)
{
    turn_begin(p);
    p->rejections++;
    if (p->rejections >= REJECTIONS_MAX) {
        give_up(p, TEXT("not_understood"));
        return;
    }
    struct buf *words = words_begin(p);
    buf_add_text(words, p->agent->reprompt);
    if (p->rejections == REJECTIONS_MAX - 1)
        help_add(p, words);
    say(p);
}

/* ---- hearing ---- */

enum zone { ZONE_REJECT, ZONE_ASK, ZONE_ACCEPT };

static enum zone zone_of(const struct local *p, int intent, double score)
{
    if (intent == RECOGNISED_NOTHING || score < p->agent->confirm_above)
        return ZONE_REJECT;
    return score >= p->agent->accept ? ZONE_ACCEPT : ZONE_ASK;
}

static void caller_tell(struct local *p, struct text words, int intent, double score, bool accepted)
{
    const struct text name = intent >= 0 ? p->agent->intents[intent].name : TEXT_NONE;

    log_info(&p->log, "caller_said", kv_text("words", words), kv_text("intent", name), kv_int("score", (int64_t)score),
             kv_str("result", accepted ? "accepted" : "not accepted"));
    p->base.on->on_caller_text(words, name, score, accepted, p->base.arg);
}

/* Yes or no. Outside of a question neither means anything. */
static void judge_reply(struct local *p, bool yes, struct text words, double score, bool certain)
{
    const int asked = p->asked;
    const bool counts = asked >= 0 && certain;

    caller_tell(p, words, counts && yes ? asked : -1, score, counts);
    if (!is_live(p))
        return;
    if (counts && yes)
        accept_intent(p, asked);
    else
        reject(p);
}

static void judge(struct local *p, int intent, struct text words, double score)
{
    enum zone zone = zone_of(p, intent, score);

    if (intent == RECOGNISED_YES || intent == RECOGNISED_NO) {
        judge_reply(p, intent == RECOGNISED_YES, words, score, zone != ZONE_REJECT);
        return;
    }
    if (zone == ZONE_ASK && intent == p->asked)
        zone = ZONE_ACCEPT;         /* asked, and said again */
    caller_tell(p, words, intent, score, zone == ZONE_ACCEPT);
    if (!is_live(p))
        return;
    if (zone == ZONE_ACCEPT)
        accept_intent(p, intent);
    else if (zone == ZONE_ASK)
        ask(p, intent);
    else
        reject(p);
}

static void on_recognised(int err, int intent, const char *words, double score, void *arg)
{
    struct local *p = arg;

    p->recognising = false;
    drain(p);
    if (!is_live(p) || p->asked_turn != p->turn)
        return;
    if (err) {
        log_warn(&p->log, "recogniser_failed", kv_err(err));
        reject(p);
        return;
    }
    if (intent == RECOGNISED_NOTHING && p->voiced_ms < NOISE_MS && !p->was_cut)
        return;
    judge(p, intent, text_of(words), score);
}

static void utterance_submit(struct local *p)
{
    size_t n = 0;
    const int16_t *pcm = ear_utterance(p->ear, &n);

    if (n == 0)
        return;
    const int err = recogniser_submit(p->recogniser, pcm, n, on_recognised, p);
    if (err) {
        log_warn(&p->log, "utterance_dropped", kv_err(err));
        if (err != -EBUSY)          /* busy: the one before will be answered */
            event_add(p, (struct event){ .kind = EVENT_UNHEARD });
        return;
    }
    p->recognising = true;
    p->asked_turn = p->turn;
    p->voiced_ms = ear_voiced_ms(p->ear);
}

/* How long speech must be to count now; negative: it does not. */
static int need_ms(const struct local *p)
{
    if (!p->sounding)
        return 0;
    return p->agent->barge_in_voice ? (int)p->agent->barge_in_ms : -1;
}

static void no_input(struct local *p)
{
    p->idle = 0;
    p->silences++;
    log_info(&p->log, "no_input", kv_int("times", p->silences));
    if (p->silences >= SILENCES_MAX)
        give_up(p, TEXT("no_input"));
    else
        say_text(p, p->agent->no_input);
}

/* Deadlines, in samples: they pass as the call passes. */
static void time_pass(struct local *p, int64_t n)
{
    if (p->sounding && (p->sounding_left -= n) <= 0)
        p->sounding = 0;
    if (p->tool_intent >= 0 && (p->tool_left -= n) <= 0) {
        const struct agent_intent *in = &p->agent->intents[p->tool_intent];
        log_warn(&p->log, "tool_lost", kv_text("tool", in->tool));
        p->tool_intent = -1;
        answer(p, in, in->failed);
    }
    const bool waits = !p->sounding && !p->job && p->tool_intent < 0 && !p->recognising && p->event_count == 0 &&
                       ear_is_quiet(p->ear);
    p->idle = waits ? p->idle + n : 0;
    if (p->idle >= p->agent->no_input_ms * PER_MS)
        no_input(p);
}

static void hear(struct provider *base, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct local *p = local_of(base);

    if (!is_live(p))
        return;
    p->was_fed = true;
    for (size_t at = 0; at < n;) {
        size_t used = 0;
        const enum ear_event event = ear_feed(p->ear, pcm + at, n - at, at_us + (int64_t)at * 1000 / PER_MS, need_ms(p), &used);
        at += used;
        if (event == EAR_STARTED) {
            p->silences = 0;
            event_add(p, (struct event){ .kind = EVENT_STARTED, .at_us = ear_onset_us(p->ear) });
        } else if (event == EAR_STOPPED) {
            event_add(p, (struct event){ .kind = EVENT_STOPPED, .at_us = ear_end_us(p->ear) });
            utterance_submit(p);
        }
    }
    p->heard_until_us = at_us + (int64_t)n * 1000 / PER_MS;
    time_pass(p, (int64_t)n);
}

/* A phone that sends nothing while nobody speaks must not keep an utterance open for ever. */
static void on_gap(void *arg)
{
    static const int16_t silence[GAP_MS * PER_MS];
    struct local *p = arg;

    if (!is_live(p))
        return;
    if (!p->was_fed)
        hear(&p->base, silence, sizeof silence / sizeof silence[0], p->heard_until_us);
    p->was_fed = false;
    timer_start(p->gap, GAP_MS);
}

/* ---- digits ---- */

static void digit(struct provider *base, char c)
{
    struct local *p = local_of(base);

    if (!is_live(p))
        return;
    if (p->digits_waiting == DIGITS_MAX) {
        log_warn(&p->log, "digit_dropped", kv_int("waiting", DIGITS_MAX));
        return;
    }
    p->digits_waiting++;
    event_add(p, (struct event){ .kind = EVENT_DIGIT, .digit = c });
}

static int intent_of_digit(const struct local *p, char c)
{
    for (size_t i = 0; i < p->agent->intent_count; i++)
        if (p->agent->intents[i].digit == c)
            return (int)i;
    return -1;
}

static void digit_act(struct local *p, char c)
{
    const struct text pressed = text_make(&c, 1);
    const int asked = p->asked;

    ear_discard(p->ear);            /* the tone itself, or speech that the caller gave up */
    p->turn++;
    p->silences = 0;
    if (asked >= 0 && (c == '1' || c == '2')) {
        judge_reply(p, c == '1', pressed, 0, true);
        return;
    }
    const int intent = intent_of_digit(p, c);
    caller_tell(p, pressed, intent, 0, intent >= 0);
    if (!is_live(p))
        return;
    if (intent >= 0)
        accept_intent(p, intent);
    else
        reject(p);
}

/* ---- the conversation's other calls ---- */

static void interrupted(struct provider *base, uint32_t item, unsigned played_ms)
{
    struct local *p = local_of(base);

    (void)played_ms;                /* we keep no history of what was said */
    if (!is_live(p))
        return;
    if (item == p->sounding)
        p->sounding = 0;
    p->was_cut = true;
    p->idle = 0;
    speech_drop(p);
}

static void heard(struct provider *base, uint32_t item)
{
    struct local *p = local_of(base);

    if (item != p->sounding)
        return;
    p->sounding = 0;
    p->idle = 0;
}

static void tool_result(struct provider *base, uint32_t id, int err, struct text result)
{
    struct local *p = local_of(base);

    if (!is_live(p) || p->tool_intent < 0 || id != p->tool_id)
        return;
    const struct agent_intent *in = &p->agent->intents[p->tool_intent];
    p->tool_intent = -1;
    struct buf words;
    buf_init(&words, WORDS_MAX);
    if (!err)
        err = answer_fill(&words, in->answer, result);
    if (err)
        log_warn(&p->log, "tool_failed", kv_text("tool", in->tool), kv_err(err));
    answer(p, in, err ? in->failed : buf_text(&words));
    buf_free(&words);
}

static void start(struct provider *base)
{
    struct local *p = local_of(base);

    p->ready = true;
    event_add(p, (struct event){ .kind = EVENT_READY });
    timer_start(p->gap, GAP_MS);
}

static void close_provider(struct provider *base)
{
    struct local *p = local_of(base);

    if (p->closed)
        return;
    p->closed = true;
    speech_forget(p->job);
    p->job = NULL;
    recogniser_close(p->recogniser);
    p->recogniser = NULL;
    timer_stop(p->gap);
    timer_start(p->pump, 0);
}

/* ---- the pump ---- */

static void event_act(struct local *p, const struct event *e)
{
    const struct provider_handlers *on = p->base.on;

    switch (e->kind) {
    case EVENT_READY:
        on->on_ready(p->base.arg);
        if (is_live(p))
            say_text(p, p->agent->greeting);
        break;
    case EVENT_STARTED:
        on->on_speech_started(e->at_us, p->base.arg);
        break;
    case EVENT_STOPPED:
        on->on_speech_stopped(e->at_us, p->base.arg);
        break;
    case EVENT_DIGIT:
        p->digits_waiting--;
        digit_act(p, e->digit);
        break;
    case EVENT_UNHEARD:
        reject(p);
        break;
    case EVENT_SAID:
        wish_tell(p);
        break;
    case EVENT_FAILED:
        p->over = true;
        on->on_error(p->fault, text_of(p->fault_text), p->base.arg);
        break;
    }
}

static void drain(struct local *p)
{
    while (p->event_count > 0 && is_live(p)) {
        const struct event e = p->events[p->event_first];
        p->event_first = (p->event_first + 1) % EVENTS;
        p->event_count--;
        event_act(p, &e);
    }
}

static void destroy(struct local *p)
{
    speech_forget(p->job);
    recogniser_close(p->recogniser);
    timer_free(p->pump);
    timer_free(p->gap);
    ear_free(p->ear);
    buf_free(&p->words);
    free(p);
}

/* close starts the timer again, so what it leads to is not inside of any handler. */
static void on_pump(void *arg)
{
    struct local *p = arg;

    if (!p->closed) {
        drain(p);
        return;
    }
    if (p->base.on)
        p->base.on->on_closed(p->base.arg);
    destroy(p);
}

static const struct provider_ops ops = {
    .start = start, .hear = hear, .digit = digit, .interrupted = interrupted, .heard = heard, .tool_result = tool_result,
    .close = close_provider,
};

int local_new(struct provider **out, struct loop *l, const struct local_options *opt, const struct log *log)
{
    struct local *p = calloc(1, sizeof *p);
    int err;

    if (!p)
        return -ENOMEM;
    p->base.ops = &ops;
    p->base.rate_hz = EAR_HZ;
    p->loop = l;
    p->agent = opt->agent;
    p->voice = opt->voice;
    p->log = log_for(log, "agent");
    p->asked = p->tool_intent = -1;
    buf_init(&p->words, WORDS_MAX);
    err = ear_new(&p->ear);
    if (!err)
        err = recogniser_new(&p->recogniser, opt->grammar, opt->pool, l);
    if (!err)
        err = timer_new(&p->pump, l, on_pump, p);
    if (!err)
        err = timer_new(&p->gap, l, on_gap, p);
    if (err) {
        destroy(p);
        return err;
    }
    *out = &p->base;
    return 0;
}
