/* The fakes, and what they note. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/ref.h"
#include "talk_bench.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

/* ---- the leg ---- */

static void leg_closed(void *arg)
{
    struct talk_leg *l = arg;

    l->leg.on->on_closed(0, NULL, l->leg.arg);
}

static void fake_leg_start(struct leg *l)
{
    ((struct talk_leg *)l)->started = true;
}

static void fake_leg_close(struct leg *l)
{
    struct talk_leg *f = (struct talk_leg *)l;

    if (!f->closed && f->started)
        timer_start(f->closing, 0);
    f->closed = true;
}

static void fake_leg_figures(const struct leg *l, struct leg_figures *out)
{
    (void)l;
    *out = (struct leg_figures){ 0 };
}

static const struct leg_ops leg_ops = { .start = fake_leg_start, .close = fake_leg_close, .figures = fake_leg_figures };

static void leg_destroy(void *obj)
{
    struct talk_leg *l = obj;

    timer_free(l->closing);
    l->b->leg = NULL;
}

/* ---- the providers ---- */

static void provider_gone(void *arg)
{
    struct talk_provider *p = arg;

    p->gone = true;
    if (p->provider.on)            /* else it was never started */
        p->provider.on->on_closed(p->provider.arg);
}

static void fake_start(struct provider *p)
{
    ((struct talk_provider *)p)->started = true;
}

static void fake_hear(struct provider *p, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct talk_provider *f = (struct talk_provider *)p;

    (void)at_us;
    f->hears++;
    f->hear_samples += (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        f->hear_peak = pcm[i] > f->hear_peak ? pcm[i] : f->hear_peak;
        f->loud_samples += pcm[i] > 1000 || pcm[i] < -1000;
    }
}

static void fake_digit(struct provider *p, char digit)
{
    (void)digit;
    ((struct talk_provider *)p)->digits++;
}

static void fake_interrupted(struct provider *p, uint32_t item, unsigned played_ms)
{
    struct talk_provider *f = (struct talk_provider *)p;

    f->interruptions++;
    f->interrupted_item = item;
    f->played_ms = played_ms;
}

static void fake_heard(struct provider *p, uint32_t item)
{
    struct talk_provider *f = (struct talk_provider *)p;

    f->heard_count++;
    f->heard_item = item;
}

static void fake_tool_result(struct provider *p, uint32_t id, int err, struct text result)
{
    struct talk_provider *f = (struct talk_provider *)p;

    (void)result;
    f->results++;
    f->result_id = id;
    f->result_err = err;
}

static void fake_close(struct provider *p)
{
    struct talk_provider *f = (struct talk_provider *)p;

    assert_false(f->closed);       /* once only: it took the reference */
    f->closed = true;
    timer_start(f->closing, 0);
}

static void fake_remember(struct provider *p, const struct talk_words *before)
{
    struct talk_provider *f = (struct talk_provider *)p;

    assert_false(f->started);
    for (size_t i = 0; i < before->count; i++) {
        const struct talk_turn *t = talk_words_at(before, i);
        const size_t n = strlen(f->before);

        snprintf(f->before + n, sizeof f->before - n, "%s%s: %s", n ? " / " : "", t->is_agent ? "agent" : "caller", t->words);
    }
}

static const struct provider_ops provider_ops = {
    .start = fake_start, .hear = fake_hear, .digit = fake_digit, .interrupted = fake_interrupted,
    .heard = fake_heard, .tool_result = fake_tool_result, .close = fake_close, .remember = fake_remember,
};

struct provider *talk_bench_provider(struct talk_bench *b, unsigned rate_hz)
{
    struct talk_provider *p = calloc(1, sizeof *p);

    assert_non_null(p);
    assert_true(b->provider_count < TALK_PROVIDERS_MAX);
    p->b = b;
    p->provider = (struct provider){ .ops = &provider_ops, .rate_hz = rate_hz };
    assert_int_equal(timer_new(&p->closing, b->loop, provider_gone, p), 0);
    b->providers[b->provider_count++] = p;
    return &p->provider;
}

/* ---- facts, tools, the end ---- */

static bool publish(void *arg, struct fact *f)
{
    struct talk_bench *b = arg;

    assert_true(b->fact_count < TALK_FACTS_MAX);
    (void)fact_detail(f);          /* the tests read it */
    b->facts[b->fact_count++] = f;
    return true;
}

const struct fact *talk_bench_fact(const struct talk_bench *b, const char *kind, size_t n)
{
    for (size_t i = 0; i < b->fact_count; i++) {
        if (strcmp(b->facts[i]->kind, kind) == 0 && n-- == 0)
            return b->facts[i];
    }
    return NULL;
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
    struct talk_bench *b = arg;

    (void)name;
    (void)args;
    (void)context;
    (void)deadline_ms;
    b->tool_runs++;
    b->tool_answer = on_result;
    b->tool_arg = result_arg;
    *out = (struct tool_run *)b;
    return 0;
}

static void tool_stop_fake(void *arg, struct tool_run *run)
{
    struct talk_bench *b = arg;

    assert_ptr_equal(run, b);
    b->tool_stops++;
}

static void on_ended(enum talk_end how, struct text reason, const struct conversation_figures *f, void *arg)
{
    struct talk_bench *b = arg;

    b->ended++;
    b->how = how;
    b->figures = *f;
    text_copy(b->reason, sizeof b->reason, reason);
}

static bool is_ended(void *arg)
{
    return ((struct talk_bench *)arg)->ended > 0;
}

void talk_bench_end(struct talk_bench *b, enum talk_end how, const char *reason)
{
    assert_int_equal(b->ended, 0); /* never from inside a call */
    assert_true(turn_until(b->loop, is_ended, b, 3000));
    assert_int_equal(b->how, how);
    assert_string_equal(b->reason, reason);
    turn_for(b->loop, 5);
    assert_int_equal(b->ended, 1);
    assert_null(b->leg);           /* let go */
    for (size_t i = 0; i < b->provider_count; i++) {
        assert_true(b->providers[i]->gone);
        timer_free(b->providers[i]->closing);
        free(b->providers[i]);
    }
    loop_free(b->loop);
    for (size_t i = 0; i < b->fact_count; i++)
        fact_free(b->facts[i]);
    free(b);
}

/* ---- the bench ---- */

struct talk_bench *talk_bench_new(void)
{
    struct talk_bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    b->timeline = (struct timeline){ .publish = publish, .arg = b };
    b->tools = (struct tools){ .find = find_any, .run = tool_run_fake, .stop = tool_stop_fake, .arg = b };
    return b;
}

struct conversation_options talk_bench_options(void)
{
    static const struct talk_manner manner = { .barge_in_provider = true, .barge_in_dtmf = true };

    return (struct conversation_options){ .call = TEXT("1700.1"), .context = TEXT("{}"), .manner = &manner };
}

void talk_bench_start(struct talk_bench *b, unsigned provider_hz, const struct conversation_options *opt)
{
    struct conversation_options o = *opt;

    o.timeline = &b->timeline;
    o.tools = &b->tools;
    b->leg = ref_new(sizeof *b->leg, leg_destroy);
    assert_non_null(b->leg);
    b->leg->b = b;
    b->leg->leg = (struct leg){ .ops = &leg_ops, .rate_hz = 8000 };
    assert_int_equal(timer_new(&b->leg->closing, b->loop, leg_closed, b->leg), 0);
    assert_int_equal(conversation_start(&b->talk, b->loop, &b->leg->leg, talk_bench_provider(b, provider_hz), &o, &test_log, on_ended, b), 0);
    assert_true(b->leg->started);
    assert_true(b->providers[0]->started);
}

void talk_bench_says(struct talk_bench *b, size_t i, uint32_t item, size_t samples, bool last)
{
    struct provider *const p = &b->providers[i]->provider;
    int16_t *pcm = calloc(samples ? samples : 1, sizeof *pcm);

    for (size_t k = 0; k < samples; k++)
        pcm[k] = (int16_t)(1000 + item);
    p->on->on_audio(item, pcm, samples, last, p->arg);
    free(pcm);
}

void talk_bench_fails(struct talk_bench *b, size_t i, enum provider_error kind)
{
    struct provider *const p = &b->providers[i]->provider;

    p->on->on_error(kind, TEXT("it broke"), p->arg);
}

static bool is_gone(void *arg)
{
    return ((struct talk_provider *)arg)->gone;
}

void talk_bench_gone(struct talk_bench *b, size_t i)
{
    assert_true(turn_until(b->loop, is_gone, b->providers[i], 3000));
}

size_t talk_bench_tick(struct talk_bench *b, int16_t *out)
{
    int16_t own[TALK_FRAME], *const to = out ? out : own;
    size_t spoken = 0;

    memset(to, 0x55, sizeof own);
    b->leg->leg.on->on_fill(to, TALK_FRAME, b->now_us, b->leg->leg.arg);
    b->now_us += 20000;
    for (size_t i = 0; i < TALK_FRAME; i++) {
        assert_int_not_equal(to[i], 0x5555);
        spoken += to[i] != 0;
    }
    return spoken;
}

void talk_bench_caller(struct talk_bench *b, const int16_t *pcm, size_t n)
{
    b->leg->leg.on->on_audio(pcm, n, b->now_us, b->leg->leg.arg);
}
