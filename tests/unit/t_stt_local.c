/* The embedded recogniser as ears: phrases, nonsense, order, what is not wanted, a line that falls silent, and its end at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ai/agent_file.h"
#include "fail_alloc.h"
#include "net_help.h"
#include "stt_heard.h"
#include "turn.h"

static const char agent_text[] = "[agent]\ngreeting = Hello.\n"
                                 "[intent hours]\nsay = what are your opening hours\nanswer = Nine.\n"
                                 "[intent address]\nsay = how do i get to your office\nanswer = Station Road.\n";

enum { WAIT_MS = 30000 };

static char folder[] = "/tmp/t_stt_local_XXXXXX";
static struct agent_file *agent;
static struct grammar *grammar;

struct bench {
    struct heard h;
    struct loop *loop;
    struct worker_pool *pool;
    int64_t fed;                   /* samples */
    unsigned wanted;               /* turns */
};

static int set_up(void **state)
{
    char path[64];
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/agent", folder);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(agent_text, f);
    fclose(f);
    assert_int_equal(agent_file_load(&agent, path, NULL, NULL), 0);
    unlink(path);
    assert_int_equal(grammar_new(&grammar, agent, NULL, folder, NULL), 0);
    return 0;
}

static int shut(void **state)
{
    (void)state;
    grammar_free(grammar);
    agent_file_free(agent);
    return rmdir(folder);
}

static void bench_make(struct bench *b)
{
    b->loop = help_loop();
    assert_int_equal(worker_pool_new(&b->pool, 2, 8, "speech"), 0);
    assert_int_equal(stt_local_new(&b->h.ears, b->loop, grammar, b->pool, &heard_on, &b->h), 0);
}

static void bench_open(struct bench *b)
{
    bench_make(b);
    stt_start(b->h.ears);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->h.closed > 0;
}

static bool has_turns(void *arg)
{
    const struct bench *b = arg;

    return b->h.turns >= b->wanted;
}

static void bench_close(struct bench *b)
{
    if (b->h.ears)
        stt_close(b->h.ears);
    assert_true(turn_until(b->loop, is_closed, b, WAIT_MS));
    worker_pool_free(b->pool);
    loop_free(b->loop);
}

/* As fast as it goes. */
static void feed(struct bench *b, const int16_t *pcm, size_t n)
{
    for (size_t at = 0; at < n; at += HEARD_PIECE) {
        heard_feed(&b->h, pcm + at, n - at < HEARD_PIECE ? n - at : HEARD_PIECE, b->fed * 1000 / HEARD_MS);
        b->fed += (int64_t)(n - at < HEARD_PIECE ? n - at : HEARD_PIECE);
    }
}

static void say(struct bench *b, const char *words, int lead_ms, int tail_ms)
{
    size_t n;
    int16_t *pcm = heard_words(words, lead_ms, tail_ms, &n);

    feed(b, pcm, n);
    free(pcm);
}

static void wait_turns(struct bench *b, unsigned wanted)
{
    b->wanted = wanted;
    assert_true(turn_until(b->loop, has_turns, b, WAIT_MS));
    assert_int_equal(b->h.turns, wanted);
}

static void test_phrases(void **state)
{
    struct bench b = { .fed = 0 };

    (void)state;
    bench_open(&b);
    say(&b, "what are your opening hours", 400, 1000);
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].words, "what are your opening hours");
    assert_string_equal(b.h.turn[0].intent, "hours");
    assert_true(b.h.turn[0].score < 0);
    assert_int_equal(b.h.ready, 1);
    assert_in_range(b.h.onset_us, 380 * 1000, 500 * 1000);
    assert_true(b.h.end_us > b.h.onset_us + 800 * 1000);
    say(&b, "yes that is right", 400, 1000);
    wait_turns(&b, 2);
    assert_string_equal(b.h.turn[1].words, "yes that is right");
    assert_string_equal(b.h.turn[1].intent, ""); /* an answer, of no intent */
    assert_true(b.h.starts == 2 && b.h.stops == 2 && b.h.partials == 0 && b.h.resumed == 0);
    bench_close(&b);
    assert_int_equal(b.h.faults, 0);
}

static void test_nonsense(void **state)
{
    static int16_t tone[400 * HEARD_MS + 1000 * HEARD_MS];
    struct bench b = { .fed = 0 };

    (void)state;
    for (int i = 0; i < 400 * HEARD_MS; i++)
        tone[i] = (int16_t)(i % 16 < 8 ? 3000 : -3000);
    bench_open(&b);
    feed(&b, tone, sizeof tone / sizeof *tone);
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].words, "");
    assert_string_equal(b.h.turn[0].intent, "");
    feed(&b, tone, 80 * HEARD_MS); /* too short to count */
    feed(&b, tone + 400 * HEARD_MS, 1000 * HEARD_MS);
    say(&b, "what are your opening hours", 0, 1000);
    wait_turns(&b, 2);
    assert_string_equal(b.h.turn[1].intent, "hours");
    assert_int_equal(b.h.starts, 2);
    bench_close(&b);
}

/* The recogniser is slower than what we feed: what it has no time for waits, and beyond that is told as not understood. */
static void test_turns_come_in_order_and_one_for_each_speech(void **state)
{
    struct bench b = { .fed = 0 };
    unsigned hours = 0;

    (void)state;
    bench_open(&b);
    say(&b, "what are your opening hours", 400, 1000);
    say(&b, "how do i get to your office", 0, 1000);
    say(&b, "what are your opening hours", 0, 1000);
    wait_turns(&b, 3);
    assert_string_equal(b.h.turn[0].intent, "hours");
    assert_string_equal(b.h.turn[1].intent, "address");
    assert_string_equal(b.h.turn[2].intent, "hours");
    for (size_t i = 0; i < 6; i++)
        say(&b, "what are your opening hours", 0, 1000);
    wait_turns(&b, 9);
    for (size_t i = 3; i < 9; i++)
        hours += strcmp(b.h.turn[i].intent, "hours") == 0;
    assert_int_equal(hours, 3); /* one is being understood, two wait */
    assert_int_equal(b.h.starts, 9);
    bench_close(&b);
}

static void test_what_is_not_wanted_has_no_words(void **state)
{
    struct bench b = { .h = { .discards_at_start = true } };
    size_t n;
    int16_t *pcm = heard_words("what are your opening hours", 400, 1000, &n);

    (void)state;
    bench_open(&b);
    feed(&b, pcm, n / 2);
    turn_for(b.loop, 10);          /* it is told, and discarded */
    assert_int_equal(b.h.starts, 1);
    feed(&b, pcm + n / 2, n - n / 2);
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].words, "");
    b.h.discards_at_start = false;
    feed(&b, pcm, n);              /* now it is being understood */
    feed(&b, pcm, n);              /* and this one waits */
    stt_discard(b.h.ears);
    wait_turns(&b, 3);
    assert_string_equal(b.h.turn[1].words, "");
    assert_string_equal(b.h.turn[2].words, "");
    feed(&b, pcm, n);
    wait_turns(&b, 4);
    assert_string_equal(b.h.turn[3].intent, "hours");
    bench_close(&b);
    free(pcm);
}

static void test_a_line_that_falls_silent(void **state)
{
    struct bench b = { .fed = 0 };

    (void)state;
    bench_open(&b);
    say(&b, "what are your opening hours", 400, 0);
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].intent, "hours");
    bench_close(&b);
}

static void test_closed_at_any_moment(void **state)
{
    struct bench b = { .fed = 0 }, at_turn = { .h = { .closes_at_turn = true } }, unstarted = { .fed = 0 };

    (void)state;
    bench_open(&b);
    say(&b, "what are your opening hours", 400, 1000); /* the recogniser works */
    stt_close(b.h.ears);
    stt_close(b.h.ears);
    bench_close(&b);
    assert_int_equal(b.h.turns, 0);
    bench_open(&at_turn);
    say(&at_turn, "what are your opening hours", 400, 1000);
    say(&at_turn, "what are your opening hours", 400, 1000);
    bench_close(&at_turn);
    assert_true(at_turn.h.turns <= 1);
    bench_make(&unstarted);
    say(&unstarted, "hello", 100, 800);
    bench_close(&unstarted);
    assert_int_equal(unstarted.h.ready + unstarted.h.starts, 0);
}

static void test_without_memory(void **state)
{
    struct heard h = { .ready = 0 };
    struct loop *l = help_loop();
    struct worker_pool *pool;
    long n = 1;

    (void)state;
    assert_int_equal(worker_pool_new(&pool, 1, 8, "speech"), 0);
    for (;; n++) {
        struct stt *s = NULL;
        int err;

        fail_alloc_at(n);
        err = stt_local_new(&s, l, grammar, pool, &heard_on, &h);
        fail_alloc_off();
        if (!err) {
            stt_close(s);
            turn_for(l, 5);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(s);
    }
    assert_true(n > 4);
    assert_int_equal(h.closed, 1);
    worker_pool_free(pool);
    loop_free(l);
}

/* Words that find no memory are words that were not understood. */
static void test_a_turn_without_memory(void **state)
{
    struct bench b = { .fed = 0 };
    unsigned lost = 0;

    (void)state;
    for (long n = 1; n < 4; n++) {
        size_t count;
        int16_t *pcm = heard_words("what are your opening hours", 400, 1000, &count);

        memset(&b, 0, sizeof b);
        bench_open(&b);
        fail_alloc_at(n);
        feed(&b, pcm, count);
        fail_alloc_off();
        wait_turns(&b, 1);
        lost += b.h.turn[0].words[0] == 0;
        bench_close(&b);
        free(pcm);
    }
    assert_true(lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_turns_come_in_order_and_one_for_each_speech),
        cmocka_unit_test(test_what_is_not_wanted_has_no_words),
        cmocka_unit_test(test_a_line_that_falls_silent),
        cmocka_unit_test(test_closed_at_any_moment),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_a_turn_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, shut);
}
