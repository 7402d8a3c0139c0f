/* conversation.c and toolbox.c between a fake leg and a fake provider, turned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "base/clock.h"
#include "base/ref.h"
#include "call/conversation.h"
#include "fail_alloc.h"
#include "turn.h"

enum { FRAME = 160, FACTS_MAX = 64 };

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench;

struct fake_leg {
    struct leg leg;
    struct bench *b;
    struct timer *closing;
    bool started, closed;
};

struct fake_provider {
    struct provider provider;
    struct bench *b;
    struct timer *closing;
    bool started, closed;
};

struct bench {
    struct loop *loop;
    struct fake_leg *leg;
    struct fake_provider *provider;
    bool provider_is_deaf;         /* does not answer provider_close */
    unsigned hears, hear_samples, digits, interruptions, heard_count, results;
    char last_digit;
    uint32_t interrupted_item, heard_item, result_id;
    unsigned played_ms;
    int result_err;
    char result[200];

    struct fact *facts[FACTS_MAX];
    size_t fact_count;
    struct timeline timeline;

    struct tools tools;
    int tool_refusal;
    tool_on_result *tool_answer;
    void *tool_arg;
    char tool_context[100];
    int64_t tool_deadline_ms;
    unsigned tool_runs, tool_stops;

    struct conversation *talk;
    unsigned ended;
    enum talk_end how;
    char reason[200];
    struct conversation_figures figures;
};

/* ---- the fakes ---- */

static void leg_closed(void *arg)
{
    struct fake_leg *l = arg;

    l->leg.on->on_closed(0, NULL, l->leg.arg);
}

static void fake_leg_start(struct leg *l)
{
    ((struct fake_leg *)l)->started = true;
}

static void fake_leg_close(struct leg *l)
{
    struct fake_leg *f = (struct fake_leg *)l;

    if (!f->closed && f->started)
        timer_start(f->closing, 0);
    f->closed = true;
}

static void fake_leg_figures(const struct leg *l, struct leg_figures *out)
{
    (void)l;
    (void)out;
}

static const struct leg_ops fake_leg_ops = { .start = fake_leg_start, .close = fake_leg_close, .figures = fake_leg_figures };

static void fake_leg_destroy(void *obj)
{
    struct fake_leg *l = obj;

    timer_free(l->closing);
    l->b->leg = NULL;
}

static void provider_gone(void *arg)
{
    struct fake_provider *p = arg;

    p->provider.on->on_closed(p->provider.arg);
    ref_drop(p);
}

static void fake_start(struct provider *p)
{
    ((struct fake_provider *)p)->started = true;
}

static void fake_hear(struct provider *p, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct bench *b = ((struct fake_provider *)p)->b;

    (void)pcm;
    (void)at_us;
    b->hears++;
    b->hear_samples += (unsigned)n;
}

static void fake_digit(struct provider *p, char digit)
{
    struct bench *b = ((struct fake_provider *)p)->b;

    b->digits++;
    b->last_digit = digit;
}

static void fake_interrupted(struct provider *p, uint32_t item, unsigned played_ms)
{
    struct bench *b = ((struct fake_provider *)p)->b;

    b->interruptions++;
    b->interrupted_item = item;
    b->played_ms = played_ms;
}

static void fake_heard(struct provider *p, uint32_t item)
{
    struct bench *b = ((struct fake_provider *)p)->b;

    b->heard_count++;
    b->heard_item = item;
}

static void fake_tool_result(struct provider *p, uint32_t id, int err, struct text result)
{
    struct bench *b = ((struct fake_provider *)p)->b;

    b->results++;
    b->result_id = id;
    b->result_err = err;
    text_copy(b->result, sizeof b->result, result);
}

static void fake_close(struct provider *p)
{
    struct fake_provider *f = (struct fake_provider *)p;

    assert_false(f->closed);       /* once only: it took the reference */
    f->closed = true;
    if (!f->b->provider_is_deaf)
        timer_start(f->closing, 0);
}

static const struct provider_ops fake_provider_ops = {
    .start = fake_start, .hear = fake_hear, .digit = fake_digit, .interrupted = fake_interrupted,
    .heard = fake_heard, .tool_result = fake_tool_result, .close = fake_close,
};

static void fake_provider_destroy(void *obj)
{
    struct fake_provider *p = obj;

    timer_free(p->closing);
    p->b->provider = NULL;
}

static bool publish(void *arg, struct fact *f)
{
    struct bench *b = arg;

    if (b->fact_count == FACTS_MAX) {
        fact_free(f);
        return false;
    }
    (void)fact_detail(f); /* the tests read it */
    b->facts[b->fact_count++] = f;
    return true;
}

static const struct tool_entry *find_any(void *arg, struct text name)
{
    static const struct tool_entry plain = { .builtin = BUILTIN_NONE };

    (void)arg;
    return name.n > 0 ? &plain : NULL;
}

static int tool_run_fake(void *arg, struct tool_run **out, struct text name, struct text args, struct text context,
                         int64_t deadline_ms, tool_on_result *on_result, void *result_arg)
{
    struct bench *b = arg;

    (void)name;
    (void)args;
    if (b->tool_refusal)
        return b->tool_refusal;
    b->tool_runs++;
    b->tool_answer = on_result;
    b->tool_arg = result_arg;
    b->tool_deadline_ms = deadline_ms;
    text_copy(b->tool_context, sizeof b->tool_context, context);
    *out = (struct tool_run *)b;
    return 0;
}

static void tool_stop_fake(void *arg, struct tool_run *run)
{
    struct bench *b = arg;

    assert_ptr_equal(run, b);
    b->tool_stops++;
}

static void on_ended(enum talk_end how, struct text reason, const struct conversation_figures *f, void *arg)
{
    struct bench *b = arg;

    b->ended++;
    b->how = how;
    b->figures = *f;
    text_copy(b->reason, sizeof b->reason, reason);
}

/* ---- the bench ---- */

static void sides_make(struct bench *b, unsigned leg_hz, unsigned provider_hz)
{
    b->leg = ref_new(sizeof *b->leg, fake_leg_destroy);
    b->provider = ref_new(sizeof *b->provider, fake_provider_destroy);
    assert_non_null(b->leg);
    assert_non_null(b->provider);
    b->leg->b = b;
    b->leg->leg = (struct leg){ .ops = &fake_leg_ops, .rate_hz = leg_hz };
    b->provider->b = b;
    b->provider->provider = (struct provider){ .ops = &fake_provider_ops, .rate_hz = provider_hz };
    assert_int_equal(timer_new(&b->leg->closing, b->loop, leg_closed, b->leg), 0);
    assert_int_equal(timer_new(&b->provider->closing, b->loop, provider_gone, b->provider), 0);
}

static struct bench *bench_make(void)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    b->timeline = (struct timeline){ .publish = publish, .arg = b };
    b->tools = (struct tools){ .find = find_any, .run = tool_run_fake, .stop = tool_stop_fake, .arg = b };
    return b;
}

static const struct talk_manner manner = { .barge_in_provider = true, .barge_in_dtmf = true };

static struct conversation_options options(struct bench *b)
{
    return (struct conversation_options){
        .call = TEXT("1700.1"),
        .context = TEXT("{\"call\":\"1700.1\"}"),
        .timeline = &b->timeline,
        .tools = &b->tools,
        .manner = &manner,
    };
}

static struct bench *talk_with(unsigned leg_hz, unsigned provider_hz, const struct conversation_options *opt)
{
    struct bench *b = bench_make();
    struct conversation_options o = opt ? *opt : options(b);

    if (opt) {
        o.timeline = &b->timeline;
        if (o.tools)
            o.tools = &b->tools;
    }
    sides_make(b, leg_hz, provider_hz);
    assert_int_equal(conversation_start(&b->talk, b->loop, &b->leg->leg, &b->provider->provider, &o, &test_log, on_ended, b), 0);
    assert_true(b->leg->started);
    assert_true(b->provider->started);
    return b;
}

static bool is_ended(void *arg)
{
    return ((struct bench *)arg)->ended > 0;
}

static const struct fact *fact_of(const struct bench *b, const char *kind)
{
    for (size_t i = 0; i < b->fact_count; i++) {
        if (strcmp(b->facts[i]->kind, kind) == 0)
            return b->facts[i];
    }
    return NULL;
}

static void bench_free(struct bench *b)
{
    turn_for(b->loop, 5);
    assert_null(b->leg);           /* both sides were let go */
    assert_null(b->provider);
    loop_free(b->loop);
    for (size_t i = 0; i < b->fact_count; i++)
        fact_free(b->facts[i]);
    free(b);
}

/* Ends as expected, once, with both sides closed. */
static void expect_end(struct bench *b, enum talk_end how, const char *reason)
{
    assert_int_equal(b->ended, 0); /* never from inside a call */
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    assert_int_equal(b->ended, 1);
    assert_int_equal(b->how, how);
    assert_string_equal(b->reason, reason);
    assert_non_null(fact_of(b, "talk.end"));
    bench_free(b);
}

static void agent_says(struct bench *b, uint32_t item, size_t samples, bool last)
{
    int16_t *pcm = calloc(samples ? samples : 1, sizeof *pcm);

    for (size_t i = 0; i < samples; i++)
        pcm[i] = (int16_t)(1000 + item);
    b->provider->provider.on->on_audio(item, pcm, samples, last, b->provider->provider.arg);
    free(pcm);
}

/* One tick of the audio clock; returns how many samples were not silence. */
static size_t tick(struct bench *b, int64_t at_us)
{
    int16_t out[FRAME];
    size_t spoken = 0;

    memset(out, 0x55, sizeof out);
    b->leg->leg.on->on_fill(out, FRAME, at_us, b->leg->leg.arg);
    for (size_t i = 0; i < FRAME; i++) {
        assert_int_not_equal(out[i], 0x5555);
        spoken += out[i] != 0;
    }
    return spoken;
}

static void caller_speaks(struct bench *b, int64_t onset_us)
{
    b->provider->provider.on->on_speech_started(onset_us, b->provider->provider.arg);
}

static void wish(struct bench *b, enum provider_wish w, const char *reason)
{
    b->provider->provider.on->on_wish(w, text_of(reason), b->provider->provider.arg);
}

/* ---- tests ---- */

static void t_audio_goes_both_ways(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);
    const int16_t said[FRAME] = { 1, 2, 3 };

    (void)state;
    b->leg->leg.on->on_audio(said, FRAME, 1, b->leg->leg.arg);
    assert_int_equal(b->hear_samples, FRAME);
    agent_says(b, 1, FRAME + FRAME / 2, true);
    assert_int_equal(tick(b, clock_mono_us()), FRAME);
    assert_int_equal(b->heard_count, 0);
    assert_int_equal(tick(b, clock_mono_us()), FRAME / 2);
    assert_int_equal(b->heard_count, 0);   /* not in the tick */
    turn_for(b->loop, 3);
    assert_int_equal(b->heard_count, 1);
    assert_int_equal(b->heard_item, 1);
    assert_non_null(fact_of(b, "agent.heard"));
    assert_int_equal(tick(b, clock_mono_us()), 0);
    conversation_stop(b->talk);
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_rates_are_matched(void **state)
{
    struct bench *b = talk_with(8000, 24000, NULL);
    int16_t said[4000] = { 0 };

    (void)state;
    b->leg->leg.on->on_audio(said, 4000, 1, b->leg->leg.arg);  /* more than one piece */
    assert_in_range(b->hear_samples, 11000, 12001);
    agent_says(b, 1, 24000 / 50 * 10, true);  /* 200 ms */
    size_t spoken = 0;
    for (int i = 0; i < 12; i++)
        spoken += tick(b, clock_mono_us());
    assert_in_range(spoken, 1400, 1650);
    turn_for(b->loop, 3);
    assert_int_equal(b->heard_item, 1);
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_rates_too_far_apart(void **state)
{
    struct bench *b = bench_make();
    const struct conversation_options o = options(b);

    (void)state;
    sides_make(b, 8000, 192000);
    assert_int_equal(conversation_start(&b->talk, b->loop, &b->leg->leg, &b->provider->provider, &o, &test_log, on_ended, b),
                     -EINVAL);
    assert_false(b->leg->closed);  /* not taken over */
    ref_drop(b->leg);
    ref_drop(b->provider);
    bench_free(b);
}

static void t_voice_cuts_the_agent_off(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);
    const int64_t now = clock_mono_us();

    (void)state;
    agent_says(b, 1, 8000, false);
    agent_says(b, 1, 800, true);
    agent_says(b, 2, 800, true);
    for (int i = 0; i < 5; i++)
        tick(b, now + i * 20000);
    caller_speaks(b, now + 60000);
    assert_int_equal(b->interruptions, 1);
    assert_int_equal(b->interrupted_item, 1);
    assert_int_equal(b->played_ms, 100);
    assert_in_range(tick(b, now + 100000), 1, 64);  /* the fade of 8 ms, less what it rounds to zero */
    assert_int_equal(tick(b, now + 120000), 0);
    turn_for(b->loop, 3);
    assert_non_null(fact_of(b, "barge_in"));
    assert_string_equal(fact_of(b, "barge_in")->detail, "{\"item\":1,\"played_ms\":100,\"by\":\"voice\",\"cut_us\":48000}");
    assert_int_equal(b->heard_count, 0);
    /* What was still under way of what was cut off is not said any more; a new answer is. */
    agent_says(b, 2, 800, true);
    assert_int_equal(tick(b, now + 140000), 0);
    agent_says(b, 3, 160, true);
    assert_int_equal(tick(b, now + 160000), FRAME);
    caller_speaks(b, now + 170000); /* its last sample is out: nothing to cut */
    assert_int_equal(b->interruptions, 1);
    conversation_stop(b->talk);
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    assert_int_equal(b->figures.barge_ins, 1);
    assert_int_equal(b->figures.cut_max_us, 48000);
    bench_free(b);
}

static void t_digit_cuts_the_agent_off(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    agent_says(b, 1, 8000, true);
    tick(b, clock_mono_us());
    b->leg->leg.on->on_digit('5', b->leg->leg.arg);
    assert_int_equal(b->interruptions, 1);
    assert_int_equal(b->digits, 1);
    assert_int_equal(b->last_digit, '5');
    conversation_stop(b->talk);    /* before the next tick: the fact is told all the same */
    assert_non_null(fact_of(b, "barge_in"));
    assert_non_null(strstr(fact_of(b, "barge_in")->detail, "\"by\":\"digit\""));
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_barge_in_can_be_off(void **state)
{
    struct bench *b;
    struct conversation_options o = { .call = TEXT("1"), .context = TEXT("{}") };

    (void)state;
    b = talk_with(8000, 8000, &o);
    agent_says(b, 1, 1600, true);
    tick(b, clock_mono_us());
    caller_speaks(b, clock_mono_us());
    b->leg->leg.on->on_digit('1', b->leg->leg.arg);
    assert_int_equal(b->interruptions, 0);
    assert_int_equal(b->digits, 1);
    assert_int_equal(tick(b, clock_mono_us()), FRAME);
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_playout_has_a_ceiling(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    for (int i = 0; i < 70; i++)
        agent_says(b, 1, 8000, i == 69);  /* 70 s into 60 s */
    size_t frames = 0;
    while (tick(b, clock_mono_us()) > 0)
        frames++;
    assert_int_equal(frames, 60 * 50);
    turn_for(b->loop, 3);
    assert_int_equal(b->heard_item, 1);
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_too_many_items(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);
    size_t frames = 0;

    (void)state;
    for (uint32_t i = 1; i <= 40; i++)
        agent_says(b, i, FRAME, true);
    while (tick(b, clock_mono_us()) > 0) {
        frames++;
        turn_for(b->loop, 2);
    }
    assert_int_equal(frames, 32);
    assert_int_equal(b->heard_count, 32);
    agent_says(b, 41, FRAME, true);
    assert_int_equal(tick(b, clock_mono_us()), FRAME);
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_wish_waits_for_the_farewell(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    agent_says(b, 1, 2 * FRAME, true);
    wish(b, PROVIDER_HAND_BACK, "hours");
    wish(b, PROVIDER_HANG_UP, "too late");
    turn_for(b->loop, 10);
    assert_int_equal(b->ended, 0);
    tick(b, clock_mono_us());
    tick(b, clock_mono_us());
    turn_for(b->loop, 10);
    assert_int_equal(b->ended, 0);
    assert_false(b->leg->closed);
    tick(b, clock_mono_us());      /* the first frame of silence after it */
    expect_end(b, TALK_HAND_BACK, "hours");
}

static void t_wish_to_hang_up(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    wish(b, PROVIDER_HANG_UP, "goodbye");
    tick(b, clock_mono_us());
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    assert_int_equal(b->how, TALK_HANG_UP);
    assert_string_equal(fact_of(b, "talk.end")->detail,
                        "{\"how\":\"hang_up\",\"reason\":\"goodbye\",\"turns\":0,\"first_audio_ms\":-1,\"frames_in\":0,"
                        "\"frames_out\":0,\"missed\":0,\"odd\":0,\"early\":0,\"late\":0,\"lost\":0,\"concealed\":0,\"strangers\":0}");
    bench_free(b);
}

static void t_leg_ends_first(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    agent_says(b, 1, 8000, true);
    wish(b, PROVIDER_HAND_BACK, "x");
    b->leg->leg.on->on_closed(0, NULL, b->leg->leg.arg);
    assert_null(b->leg);           /* its reference is dropped at once */
    expect_end(b, TALK_LEG_LOST, "leg_ended");
}

static void t_leg_speaks_nonsense(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    b->leg->leg.on->on_closed(-EPROTO, "audio of 16000 Hz came", b->leg->leg.arg);
    expect_end(b, TALK_ERROR, "audio of 16000 Hz came");
}

static void t_provider_fails(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    b->provider->provider.on->on_error(PROVIDER_AUTH, TEXT("bad key"), b->provider->provider.arg);
    b->provider->provider.on->on_error(PROVIDER_NET, TEXT("again"), b->provider->provider.arg);
    assert_int_equal(tick(b, clock_mono_us()), 0);  /* a tick that was on its way */
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    assert_int_equal(b->how, TALK_ERROR);
    assert_memory_equal(b->reason, "provider_", 9);
    bench_free(b);
}

static void t_provider_does_not_close(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    b->provider_is_deaf = true;
    conversation_stop(b->talk);
    turn_for(b->loop, 50);
    assert_int_equal(b->ended, 0);
    assert_true(turn_until(b->loop, is_ended, b, 7000));  /* CLOSE_MS is 5 s */
    assert_int_equal(b->ended, 1);
    assert_non_null(b->provider);
    provider_gone(b->provider);
    assert_int_equal(b->ended, 1);
    bench_free(b);
}

static void t_longest_talk(void **state)
{
    struct bench *b;
    struct conversation_options o = { .call = TEXT("1"), .context = TEXT("{}"), .max_ms = 20 };

    (void)state;
    b = talk_with(8000, 8000, &o);
    expect_end(b, TALK_TIMEOUT, "max_time");
}

static void tool_call(struct bench *b, uint32_t id, const char *name)
{
    b->provider->provider.on->on_tool_call(id, text_of(name), TEXT("{}"), b->provider->provider.arg);
}

static void t_tool_answers(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    tool_call(b, 7, "opening_hours");
    tool_call(b, 7, "opening_hours");  /* the same call twice */
    assert_int_equal(b->tool_runs, 1);
    assert_string_equal(b->tool_context, "{\"call\":\"1700.1\"}");
    assert_int_equal(b->tool_deadline_ms, 5000);
    b->tool_answer(0, TEXT("{\"opens\":\"9\"}"), b->tool_arg);
    assert_int_equal(b->results, 1);
    assert_int_equal(b->result_id, 7);
    assert_int_equal(b->result_err, 0);
    assert_string_equal(b->result, "{\"opens\":\"9\"}");
    assert_non_null(strstr(fact_of(b, "tool")->detail, "{\"name\":\"opening_hours\",\"arguments\":\"{}\",\"outcome\":\"ok\",\"why\":null,\"result_bytes\":13,\"ms\":"));
    conversation_stop(b->talk);
    assert_int_equal(b->tool_stops, 0);
    expect_end(b, TALK_STOPPED, "stopped");
}

static bool has_result(void *arg)
{
    return ((struct bench *)arg)->results > 0;
}

static void t_tool_is_late(void **state)
{
    struct bench *b;
    const struct tools some = { 0 };   /* talk_with puts the bench's in its place */
    struct conversation_options o = { .call = TEXT("1"), .context = TEXT("{}"), .tool_ms = 20, .tools = &some };

    (void)state;
    b = talk_with(8000, 8000, &o);
    tool_call(b, 1, "slow");
    assert_true(turn_until(b->loop, has_result, b, 3000));
    assert_int_equal(b->result_err, -ETIMEDOUT);
    assert_int_equal(b->tool_stops, 1);
    assert_non_null(strstr(fact_of(b, "tool")->detail, "\"outcome\":\"timeout\",\"why\":\"the tool did not answer in time\""));
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_tool_refused_or_missing(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);
    struct conversation_options o = { .call = TEXT("1"), .context = TEXT("{}") };

    (void)state;
    b->tool_refusal = -ENOENT;
    tool_call(b, 1, "nonsense");
    assert_int_equal(b->result_err, -ENOENT);
    assert_string_equal(b->result, "there is no such tool");
    conversation_stop(b->talk);
    tool_call(b, 2, "after the end");
    assert_int_equal(b->results, 1);
    expect_end(b, TALK_STOPPED, "stopped");

    b = talk_with(8000, 8000, &o); /* no tools at all */
    tool_call(b, 1, "any");
    assert_int_equal(b->result_err, -ENOENT);
    conversation_stop(b->talk);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_tools_have_a_ceiling_and_stop_with_the_talk(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);

    (void)state;
    for (uint32_t id = 1; id <= 8; id++)
        tool_call(b, id, "t");
    assert_int_equal(b->results, 0);
    tool_call(b, 9, "t");
    assert_int_equal(b->results, 1);
    assert_int_equal(b->result_err, -ENOBUFS);
    conversation_stop(b->talk);
    assert_int_equal(b->tool_stops, 8);
    expect_end(b, TALK_STOPPED, "stopped");
}

static void t_words_become_facts(void **state)
{
    struct bench *b = talk_with(8000, 8000, NULL);
    const struct provider_handlers *on = b->provider->provider.on;
    void *arg = b->provider->provider.arg;

    (void)state;
    on->on_ready(arg);
    on->on_agent_text(1, TEXT("Good morning"), arg);
    on->on_speech_stopped(5, arg);
    on->on_caller_text(TEXT("when are you open"), TEXT("hours"), -1850.4, true, arg);
    assert_string_equal(fact_of(b, "talk.start")->call, "1700.1");
    assert_string_equal(fact_of(b, "agent.said")->detail, "{\"item\":1,\"text\":\"Good morning\"}");
    assert_string_equal(fact_of(b, "caller.said")->detail,
                        "{\"text\":\"when are you open\",\"intent\":\"hours\",\"score\":-1850,\"accepted\":1}");
    conversation_stop(b->talk);
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    assert_int_equal(b->figures.turns, 1);
    bench_free(b);
}

static void t_memory_short_at_the_start(void **state)
{
    struct bench *b = bench_make();
    const struct conversation_options o = options(b);
    int err = -1;

    (void)state;
    sides_make(b, 8000, 24000);
    for (long n = 1; err; n++) {
        const size_t facts = b->fact_count;

        fail_alloc_at(n);
        err = conversation_start(&b->talk, b->loop, &b->leg->leg, &b->provider->provider, &o, &test_log, on_ended, b);
        if (err) {
            assert_int_equal(err, -ENOMEM);
            assert_true(fail_alloc_hit());
            assert_false(b->leg->started || b->leg->closed || b->provider->started || b->provider->closed);
            assert_int_equal(b->fact_count, facts);
        }
        assert_true(n < 200);
    }
    fail_alloc_off();
    conversation_stop(b->talk);
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_audio_goes_both_ways),
        cmocka_unit_test(t_rates_are_matched),
        cmocka_unit_test(t_rates_too_far_apart),
        cmocka_unit_test(t_voice_cuts_the_agent_off),
        cmocka_unit_test(t_digit_cuts_the_agent_off),
        cmocka_unit_test(t_barge_in_can_be_off),
        cmocka_unit_test(t_playout_has_a_ceiling),
        cmocka_unit_test(t_too_many_items),
        cmocka_unit_test(t_wish_waits_for_the_farewell),
        cmocka_unit_test(t_wish_to_hang_up),
        cmocka_unit_test(t_leg_ends_first),
        cmocka_unit_test(t_leg_speaks_nonsense),
        cmocka_unit_test(t_provider_fails),
        cmocka_unit_test(t_provider_does_not_close),
        cmocka_unit_test(t_longest_talk),
        cmocka_unit_test(t_tool_answers),
        cmocka_unit_test(t_tool_is_late),
        cmocka_unit_test(t_tool_refused_or_missing),
        cmocka_unit_test(t_tools_have_a_ceiling_and_stop_with_the_talk),
        cmocka_unit_test(t_words_become_facts),
        cmocka_unit_test(t_memory_short_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
