/* Posts from many threads arrive once and in order; timers, signals, stopping and the slow-turn count hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <time.h>

#include "fail_alloc.h"
#include "net/loop_internal.h"
#include "net_help.h"

enum { THREADS = 4, EACH = 25000 };

struct tally {
    struct loop *loop;
    unsigned next[THREADS];
    unsigned total, out_of_order;
    atomic_uint refused;
};

struct note {
    struct tally *tally;
    unsigned thread, number;
};

struct poster {
    struct tally *tally;
    unsigned thread;
    struct note *notes;
};

static void on_note(void *arg)
{
    struct note *n = arg;
    struct tally *t = n->tally;

    if (t->next[n->thread]++ != n->number)
        t->out_of_order++;
    if (++t->total == THREADS * EACH)
        loop_stop(t->loop);
}

static void *post_all(void *arg)
{
    struct poster *p = arg;

    for (unsigned i = 0; i < EACH; i++) {
        p->notes[i] = (struct note){ p->tally, p->thread, i };
        while (loop_post(p->tally->loop, on_note, &p->notes[i]) != 0) {
            atomic_fetch_add(&p->tally->refused, 1);
            sched_yield();
        }
    }
    return NULL;
}

static void test_posts_from_four_threads(void **state)
{
    struct tally t = { .loop = help_loop() };
    struct poster p[THREADS];
    pthread_t id[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        p[i] = (struct poster){ &t, i, calloc(EACH, sizeof(struct note)) };
        assert_non_null(p[i].notes);
        assert_int_equal(pthread_create(&id[i], NULL, post_all, &p[i]), 0);
    }
    help_run(t.loop);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(id[i], NULL);
        assert_int_equal(t.next[i], EACH);
        free(p[i].notes);
    }
    assert_int_equal(t.total, THREADS * EACH);
    assert_int_equal(t.out_of_order, 0);
    loop_free(t.loop);
}

static void count_up(void *arg)
{
    ++*(unsigned *)arg;
}

static void test_posts_have_a_ceiling(void **state)
{
    struct loop *l = help_loop();
    unsigned n = 0;

    (void)state;
    for (int i = 0; i < LOOP_POSTS_MAX; i++)
        assert_int_equal(loop_post(l, count_up, &n), 0);
    assert_int_equal(loop_post(l, count_up, &n), -ENOBUFS);
    loop_run(l); /* ends by itself: nothing else is there */
    assert_int_equal(n, LOOP_POSTS_MAX);
    assert_int_equal(loop_post(l, count_up, &n), 0);
    loop_free(l); /* what was taken runs */
    assert_int_equal(n, LOOP_POSTS_MAX + 1);
}

static void *post_held(void *arg)
{
    struct tally *t = arg;
    const struct timespec a_moment = { .tv_nsec = 20000000 };

    nanosleep(&a_moment, NULL);
    assert_int_equal(loop_post(t->loop, count_up, &t->total), 0);
    loop_release(t->loop);
    return NULL;
}

static void test_hold_keeps_the_loop(void **state)
{
    struct tally t = { .loop = help_loop() };
    pthread_t id;

    (void)state;
    loop_hold(t.loop);
    assert_int_equal(pthread_create(&id, NULL, post_held, &t), 0);
    loop_run(t.loop);
    assert_int_equal(t.total, 1);
    pthread_join(id, NULL);
    loop_free(t.loop);
}

struct late {
    struct loop *loop;
    unsigned seen, order;
};

static void on_late(void *arg)
{
    struct late *x = arg;

    x->seen = ++x->order;
}

static void test_late_posts_never_fail(void **state)
{
    struct loop *l = help_loop();
    struct loop_post_node *node[3];
    struct late a = { .loop = l }, filler = { .loop = l };

    (void)state;
    for (int i = 0; i < LOOP_POSTS_MAX; i++)
        assert_int_equal(loop_post(l, on_late, &filler), 0);
    for (int i = 0; i < 3; i++) {
        node[i] = calloc(1, sizeof *node[i]);
        node[i]->fn = on_late;
        node[i]->arg = &a;
        assert_false(loop_post_node(l, node[i]));
        loop_post_late(l, node[i]);
    }
    loop_run(l);
    assert_int_equal(a.seen, 3);
    assert_int_equal(filler.seen, LOOP_POSTS_MAX);
    loop_free(l);
}

static void post_again(void *arg)
{
    struct late *x = arg;

    x->order++;
    if (!x->seen)
        assert_int_equal(loop_post(x->loop, post_again, x), 0);
}

static void say_enough(void *arg)
{
    ((struct late *)arg)->seen = 1;
}

static void test_a_post_that_posts_itself_lets_timers_run(void **state)
{
    struct late x = { .loop = help_loop() };
    struct timer *t;

    (void)state;
    assert_int_equal(timer_new(&t, x.loop, say_enough, &x), 0);
    timer_start(t, 2);
    assert_int_equal(loop_post(x.loop, post_again, &x), 0);
    loop_run(x.loop); /* ends only because the timer had its turn */
    assert_true(x.order > 1);
    timer_free(t);
    loop_free(x.loop);
}

static void test_stop_before_run_counts(void **state)
{
    struct loop *l = help_loop();
    struct timer *t;
    unsigned n = 0;

    (void)state;
    assert_int_equal(timer_new(&t, l, count_up, &n), 0);
    timer_start(t, 1);
    loop_stop(l);
    loop_run(l);
    assert_int_equal(n, 0);
    loop_run(l); /* the stop is spent */
    assert_int_equal(n, 1);
    timer_free(t);
    loop_free(l);
}

struct clockwork {
    struct loop *loop;
    struct timer *timer, *other;
    int64_t from_ms, took_ms;
    unsigned fired, other_fired;
};

static void on_time_once(void *arg)
{
    struct clockwork *c = arg;

    c->fired++;
    c->took_ms = loop_now_ms(c->loop) - c->from_ms;
    assert_false(timer_is_running(c->timer));
    if (c->fired < 3)
        timer_start(c->timer, 1);
    else {
        timer_stop(c->other);
        timer_free(c->timer); /* inside its own call */
    }
}

static void on_other(void *arg)
{
    ((struct clockwork *)arg)->other_fired++;
}

static void test_timer(void **state)
{
    struct clockwork c = { .loop = help_loop() };

    (void)state;
    assert_int_equal(timer_new(&c.timer, c.loop, on_time_once, &c), 0);
    assert_int_equal(timer_new(&c.other, c.loop, on_other, &c), 0);
    c.from_ms = loop_now_ms(c.loop);
    timer_start(c.timer, 600000);
    timer_start(c.timer, 5); /* restart: the first time is forgotten */
    timer_start(c.other, 30000);
    assert_true(timer_is_running(c.timer));
    loop_run(c.loop);
    assert_int_equal(c.fired, 3);
    assert_int_equal(c.other_fired, 0);
    assert_true(c.took_ms >= 5);
    timer_free(c.other);
    timer_free(NULL);
    loop_free(c.loop);
}

static void be_slow(void *arg)
{
    const int64_t until_us = clock_mono_us() + 3 * LOOP_SLOW_US;

    while (clock_mono_us() < until_us) {
    }
    loop_stop(arg);
}

static void test_slow_turns_are_counted(void **state)
{
    struct loop *l = help_loop();

    (void)state;
    assert_int_equal(loop_slow_turns(l), 0);
    assert_int_equal(loop_post(l, be_slow, l), 0);
    help_run(l);
    help_run_ms(l, 1);
    assert_true(loop_slow_turns(l) >= 1);
    loop_free(l);
}

/* Work in one turn does not shorten a timer that is set after it. */
struct busy {
    struct loop *loop;
    struct timer *timer;
    int64_t set_us, fired_us;
};

static void on_busy_time(void *arg)
{
    ((struct busy *)arg)->fired_us = clock_mono_us();
}

static void work_then_set(void *arg)
{
    struct busy *b = arg;
    const int64_t until_us = clock_mono_us() + 30000;

    while (clock_mono_us() < until_us) {
    }
    b->set_us = clock_mono_us();
    timer_start(b->timer, 20);
}

static void test_timer_counts_from_now(void **state)
{
    struct busy b = { .loop = help_loop() };

    (void)state;
    assert_int_equal(timer_new(&b.timer, b.loop, on_busy_time, &b), 0);
    assert_int_equal(loop_post(b.loop, work_then_set, &b), 0);
    loop_run(b.loop);
    assert_true(b.fired_us - b.set_us >= 18000);
    timer_free(b.timer);
    loop_free(b.loop);
}

static void test_signal(void **state)
{
    struct loop *l = help_loop();
    struct loop_signal *s;

    (void)state;
    assert_int_equal(loop_signal_new(&s, l, SIGUSR1, help_stop, l), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    help_run(l);
    loop_signal_free(s);
    loop_signal_free(NULL);
    loop_free(l);
}

static void test_sigpipe_is_ignored(void **state)
{
    struct loop *l = help_loop();
    struct sigaction now;

    (void)state;
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
    loop_free(l);
}

struct deferral {
    struct loop *loop;
    struct loop_deferred again, never;
    unsigned runs, never_runs;
};

static void on_again(void *arg)
{
    struct deferral *d = arg;

    loop_undefer(d->loop, &d->never);
    if (++d->runs < 5)
        loop_defer(d->loop, &d->again);
}

static void on_never(void *arg)
{
    ((struct deferral *)arg)->never_runs++;
}

static void test_deferred_calls(void **state)
{
    struct deferral d = { .loop = help_loop() };

    (void)state;
    d.again = (struct loop_deferred){ .fn = on_again, .arg = &d };
    d.never = (struct loop_deferred){ .fn = on_never, .arg = &d };
    loop_defer(d.loop, &d.again);
    loop_defer(d.loop, &d.again);
    loop_defer(d.loop, &d.never);
    assert_int_equal(d.runs, 0);
    loop_run(d.loop);
    assert_int_equal(d.runs, 5);
    assert_int_equal(d.never_runs, 0);
    loop_free(d.loop);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct loop *l = NULL;
        struct timer *t = NULL;
        struct loop_signal *s = NULL;
        unsigned hits = 0;

        fail_alloc_at(n);
        if (loop_new(&l, &help_log) == 0) {
            (void)!timer_new(&t, l, count_up, &hits);
            (void)!loop_signal_new(&s, l, SIGUSR2, count_up, &hits);
            (void)!loop_post(l, count_up, &hits);
        }
        fail_alloc_off();
        timer_free(t);
        loop_signal_free(s);
        loop_free(l);
        if (!l || !t || !s || !hits)
            continue;
        break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_from_four_threads),
        cmocka_unit_test(test_posts_have_a_ceiling),
        cmocka_unit_test(test_hold_keeps_the_loop),
        cmocka_unit_test(test_late_posts_never_fail),
        cmocka_unit_test(test_a_post_that_posts_itself_lets_timers_run),
        cmocka_unit_test(test_stop_before_run_counts),
        cmocka_unit_test(test_timer),
        cmocka_unit_test(test_slow_turns_are_counted),
        cmocka_unit_test(test_timer_counts_from_now),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_sigpipe_is_ignored),
        cmocka_unit_test(test_deferred_calls),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
