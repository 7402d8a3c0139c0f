/* The two agents for line checks: what goes in comes out, in order and whole; they end as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "ai/line_check.h"
#include "fail_alloc.h"
#include "turn.h"

enum { SAID_MAX = 200000, FRAME = 160 };

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct talk {
    struct loop *loop;
    struct provider *provider;
    unsigned ready, closed, wishes, lasts;
    enum provider_wish wish;
    char reason[40];
    uint32_t item;
    int16_t said[SAID_MAX];
    size_t n;
};

static void on_ready(void *arg)
{
    ((struct talk *)arg)->ready++;
}

static void on_audio(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg)
{
    struct talk *t = arg;

    assert_true(t->n + n <= SAID_MAX);
    if (n > 0)
        memcpy(t->said + t->n, pcm, n * sizeof *pcm);
    t->n += n;
    t->item = item;
    t->lasts += last;
}

static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    struct talk *t = arg;

    t->wishes++;
    t->wish = wish;
    text_copy(t->reason, sizeof t->reason, reason);
}

static void on_error(enum provider_error kind, struct text detail, void *arg)
{
    (void)arg;
    fail_msg("%s: %.*s", provider_error_name(kind), TEXT_ARG(detail));
}

static void on_closed(void *arg)
{
    ((struct talk *)arg)->closed++;
}

static const struct provider_handlers handlers = {
    .on_ready = on_ready, .on_audio = on_audio, .on_wish = on_wish, .on_error = on_error, .on_closed = on_closed,
};

static bool is_ready(void *arg)
{
    return ((struct talk *)arg)->ready > 0;
}

static bool is_closed(void *arg)
{
    return ((struct talk *)arg)->closed > 0;
}

static bool has_wish(void *arg)
{
    return ((struct talk *)arg)->wishes > 0;
}

static int set_up(void **state)
{
    struct talk *t = calloc(1, sizeof *t);

    *state = t;
    return !t || loop_new(&t->loop, &test_log);
}

static int tear_down(void **state)
{
    struct talk *t = *state;

    if (t->provider) {
        provider_close(t->provider);
        provider_close(t->provider);
        assert_int_equal(t->closed, 0);     /* never from inside */
        assert_true(turn_until(t->loop, is_closed, t, 5000));
        assert_int_equal(t->closed, 1);
    }
    loop_free(t->loop);
    free(t);
    return 0;
}

static void begin(struct talk *t, int (*make)(struct provider **, struct loop *, const struct line_check_options *, const struct log *),
                  struct line_check_options opt)
{
    assert_int_equal(make(&t->provider, t->loop, &opt, &test_log), 0);
    provider_start(t->provider, &handlers, t);
    assert_int_equal(t->ready, 0);
    assert_true(turn_until(t->loop, is_ready, t, 5000));
}

/* n frames of a loud square whose level tells which frame it is, or of silence. */
static void hear(struct talk *t, unsigned frames, int level)
{
    int16_t pcm[FRAME];

    for (unsigned f = 0; f < frames; f++) {
        for (size_t i = 0; i < FRAME; i++)
            pcm[i] = (int16_t)((i / 10 % 2 ? -1 : 1) * (level ? level + (int)f : 0));
        provider_hear(t->provider, pcm, FRAME, 0);
    }
}

static void the_echo_gives_back_every_sample_behind_its_delay(void **state)
{
    struct talk *t = *state;

    begin(t, echo_new, (struct line_check_options){ .delay_ms = 50 });
    hear(t, 20, 5000);
    assert_int_equal(t->n, 400 + 20 * FRAME);
    for (size_t i = 0; i < 400; i++)
        assert_int_equal(t->said[i], 0);
    for (size_t i = 0; i < 20 * FRAME; i++)
        assert_int_equal(t->said[400 + i], (i % FRAME / 10 % 2 ? -1 : 1) * (5000 + (int)(i / FRAME)));
    assert_int_equal(t->lasts, 0);
    provider_digit(t->provider, '5');
    assert_int_equal(t->lasts, 0);
    provider_digit(t->provider, '#');
    provider_digit(t->provider, '#');
    assert_int_equal(t->wishes, 0);
    assert_true(turn_until(t->loop, has_wish, t, 5000));
    assert_int_equal(t->wish, PROVIDER_HAND_BACK);
    assert_string_equal(t->reason, "digit");
    assert_int_equal(t->lasts, 1);
    hear(t, 1, 5000);
    assert_int_equal(t->n, 400 + 20 * FRAME);
}

static void the_recorder_gives_back_what_it_took(void **state)
{
    struct talk *t = *state;
    size_t beep;

    begin(t, record_new, (struct line_check_options){ .silence_ms = 500 });
    assert_int_equal(t->item, 1);
    assert_int_equal(t->lasts, 1);
    beep = t->n;
    assert_int_equal(beep, 2400);
    hear(t, 10, 3000);                      /* over the beep: not taken */
    provider_heard(t->provider, 1);
    hear(t, 10, 0);
    hear(t, 50, 5000);
    hear(t, 100, 0);
    assert_int_equal(t->n, beep);
    turn_for(t->loop, 20);
    assert_int_equal(t->item, 2);
    assert_int_equal(t->lasts, 2);
    assert_true(t->n - beep >= 60 * FRAME + 4000 && t->n - beep <= 60 * FRAME + 4800);
    for (size_t i = 0; i < 50 * FRAME; i++)
        assert_int_equal(t->said[beep + 10 * FRAME + i], (i % FRAME / 10 % 2 ? -1 : 1) * (5000 + (int)(i / FRAME)));
    provider_heard(t->provider, 2);
    assert_true(turn_until(t->loop, has_wish, t, 5000));
    assert_string_equal(t->reason, "recorded");
}

static void a_digit_ends_the_taking_and_then_the_talk(void **state)
{
    struct talk *t = *state;

    begin(t, record_new, (struct line_check_options){ 0 });
    provider_heard(t->provider, 1);
    hear(t, 40, 5000);
    provider_digit(t->provider, '#');
    turn_for(t->loop, 20);
    assert_int_equal(t->item, 2);
    assert_int_equal(t->n, 2400 + 40 * FRAME);
    assert_int_equal(t->wishes, 0);
    provider_digit(t->provider, '#');
    assert_true(turn_until(t->loop, has_wish, t, 5000));
    assert_string_equal(t->reason, "digit");
}

static void its_longest_time_ends_it_and_silence_is_told(void **state)
{
    struct talk *t = *state;

    begin(t, record_new, (struct line_check_options){ .longest_ms = 3000 });
    provider_heard(t->provider, 1);
    hear(t, 200, 0);
    assert_true(turn_until(t->loop, has_wish, t, 5000));
    assert_string_equal(t->reason, "silence");
    assert_int_equal(t->n, 2400);
}

static void a_long_one_is_cut_at_its_ceiling(void **state)
{
    struct talk *t = *state;

    begin(t, record_new, (struct line_check_options){ .longest_ms = 3000 });
    provider_heard(t->provider, 1);
    hear(t, 400, 5000);
    turn_for(t->loop, 20);
    assert_int_equal(t->n, 2400 + 24000);
}

static void without_memory(void **state)
{
    struct talk *t = *state;
    int16_t pcm[FRAME] = { 0 };

    for (long n = 1; n <= 2; n++) {
        fail_alloc_at(n);
        assert_int_equal(echo_new(&t->provider, t->loop, &(struct line_check_options){ 0 }, &test_log), -ENOMEM);
        fail_alloc_off();
    }
    for (long n = 1; n <= 3; n++) {
        fail_alloc_at(n);
        assert_int_equal(record_new(&t->provider, t->loop, &(struct line_check_options){ 0 }, &test_log), -ENOMEM);
        fail_alloc_off();
    }
    assert_int_equal(echo_new(&t->provider, t->loop, &(struct line_check_options){ .delay_ms = 5000 }, &test_log), -EINVAL);
    assert_int_equal(record_new(&t->provider, t->loop, &(struct line_check_options){ .longest_ms = 90000 }, &test_log), -EINVAL);
    t->provider = NULL;
    begin(t, record_new, (struct line_check_options){ 0 });
    provider_heard(t->provider, 1);
    for (size_t i = 0; i < FRAME; i++)
        pcm[i] = (int16_t)(i / 10 % 2 ? -5000 : 5000);
    for (int i = 0; i < 50; i++)            /* the second that there is room for */
        provider_hear(t->provider, pcm, FRAME, 0);
    fail_alloc_at(1);
    provider_hear(t->provider, pcm, FRAME, 0);
    assert_true(fail_alloc_hit());
    fail_alloc_off();
    turn_for(t->loop, 20);
    assert_int_equal(t->n, 2400 + 8000);    /* what it has is given back */
}

static void closed_before_it_was_started(void **state)
{
    struct talk *t = *state;

    assert_int_equal(echo_new(&t->provider, t->loop, &(struct line_check_options){ 0 }, &test_log), 0);
    provider_close(t->provider);
    assert_int_equal(record_new(&t->provider, t->loop, &(struct line_check_options){ 0 }, &test_log), 0);
    provider_close(t->provider);
    t->provider = NULL;
    turn_for(t->loop, 20);                  /* the sanitizer's leak check is the assertion beside this one */
    assert_int_equal(t->closed, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_echo_gives_back_every_sample_behind_its_delay), T(the_recorder_gives_back_what_it_took),
        T(a_digit_ends_the_taking_and_then_the_talk), T(its_longest_time_ends_it_and_silence_is_told),
        T(a_long_one_is_cut_at_its_ceiling), T(without_memory), T(closed_before_it_was_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
