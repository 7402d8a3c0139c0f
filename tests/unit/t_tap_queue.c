/* The way from the tap loop to the writer: order, ceilings, the ledger of losses, and both sides at once. */
#include "tap/queue.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"

enum { RESERVE = 1024, BYTES = 1 << 20 };

static struct tap_event *event_of(enum tap_kind kind, uint64_t seq, size_t padding)
{
    struct tap_event *e = NULL;
    char *text = calloc(1, padding + 1);
    const struct tap_pair pair = { TEXT("Value"), text_make(text, padding) };

    if (!text || tap_event_new(&e, kind, TEXT("VarSet"), &pair, 1))
        abort();
    free(text);
    e->session = 77;
    e->seq = seq;
    e->recv_us = (int64_t)seq * 1000;
    return e;
}

static void put(struct tap_queue *q, enum tap_kind kind, uint64_t seq)
{
    tap_queue_put(q, event_of(kind, seq, 0));
}

static void assert_next(struct tap_queue *q, enum tap_kind kind, uint64_t seq, uint64_t lost)
{
    struct tap_event *e = tap_queue_take(q);

    assert_non_null(e);
    assert_int_equal(e->kind, kind);
    assert_int_equal(e->seq, seq);
    assert_int_equal(e->lost, lost);
    assert_int_equal(e->session, 77);
    assert_int_equal(e->recv_us, (int64_t)seq * 1000);
    if (kind == TAP_LOST)
        assert_int_equal(e->node, 3);
    tap_event_free(e);
}

static void count_call(void *arg)
{
    (*(int *)arg)++;
}

static void order_is_kept_round_and_round(void **state)
{
    struct tap_queue *q;
    uint64_t in = 1, out = 1;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 4, BYTES, NULL, NULL), 0);
    assert_null(tap_queue_take(q));
    for (int round = 0; round < 1500; round++) {
        for (int i = 0; i < 3; i++)
            put(q, TAP_EVENT, in++);
        assert_int_equal(tap_queue_depth(q), 3);
        for (int i = 0; i < 3; i++)
            assert_next(q, TAP_EVENT, out++, 0);
        assert_null(tap_queue_take(q));
    }
    assert_int_equal(tap_queue_lost(q), 0);
    tap_queue_free(q);
}

static void what_is_inside_is_freed(void **state)
{
    struct tap_queue *q;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 8, BYTES, NULL, NULL), 0);
    for (uint64_t i = 1; i <= 12; i++)
        put(q, TAP_EVENT, i);
    assert_int_equal(tap_queue_depth(q), 8);
    tap_queue_free(q);
    tap_queue_free(NULL);
    assert_int_equal(tap_queue_new(&q, 3, 0, BYTES, NULL, NULL), -EINVAL);
}

static void loss_is_named_where_it_was(void **state)
{
    struct tap_queue *q;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 4, BYTES, NULL, NULL), 0);
    for (uint64_t i = 1; i <= 9; i++)
        put(q, TAP_EVENT, i);
    assert_int_equal(tap_queue_lost(q), 5);
    assert_next(q, TAP_EVENT, 1, 0);
    put(q, TAP_EVENT, 10);
    assert_next(q, TAP_EVENT, 2, 0);
    assert_next(q, TAP_EVENT, 3, 0);
    assert_next(q, TAP_EVENT, 4, 0);
    assert_next(q, TAP_LOST, 5, 5);
    assert_next(q, TAP_EVENT, 10, 0);
    assert_null(tap_queue_take(q));
    put(q, TAP_EVENT, 11);
    assert_next(q, TAP_EVENT, 11, 0);
    tap_queue_free(q);
}

/* A taker that is only just too slow: the gaps are few and long. */
static void after_a_loss_an_eighth_must_be_free(void **state)
{
    struct tap_queue *q;
    uint64_t seq = 1;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 64, BYTES, NULL, NULL), 0);
    while (seq <= 65)
        put(q, TAP_EVENT, seq++);
    for (uint64_t i = 1; i <= 8; i++) {
        assert_next(q, TAP_EVENT, i, 0);
        put(q, TAP_EVENT, seq++);
    }
    assert_int_equal(tap_queue_lost(q), 9);
    assert_next(q, TAP_EVENT, 9, 0);
    put(q, TAP_EVENT, seq);
    assert_int_equal(tap_queue_lost(q), 9);
    for (uint64_t i = 10; i <= 64; i++)
        assert_next(q, TAP_EVENT, i, 0);
    assert_next(q, TAP_LOST, 65, 9);
    assert_next(q, TAP_EVENT, seq, 0);
    tap_queue_free(q);
}

static void bytes_have_a_ceiling_too(void **state)
{
    struct tap_queue *q;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 100, 10000, NULL, NULL), 0);
    tap_queue_put(q, event_of(TAP_EVENT, 1, 20000));
    assert_int_equal(tap_queue_lost(q), 1);
    tap_queue_put(q, event_of(TAP_EVENT, 2, 4000));
    tap_queue_put(q, event_of(TAP_EVENT, 3, 4000));
    tap_queue_put(q, event_of(TAP_EVENT, 4, 4000));
    assert_int_equal(tap_queue_lost(q), 2);
    assert_next(q, TAP_LOST, 1, 1);
    assert_next(q, TAP_EVENT, 2, 0);
    assert_next(q, TAP_EVENT, 3, 0);
    tap_queue_put(q, event_of(TAP_EVENT, 5, 4000));
    assert_next(q, TAP_LOST, 4, 1);
    assert_next(q, TAP_EVENT, 5, 0);
    assert_null(tap_queue_take(q));
    tap_queue_free(q);
}

static void notes_fit_into_a_full_queue(void **state)
{
    struct tap_queue *q;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 2, 1000, NULL, NULL), 0);
    put(q, TAP_EVENT, 1);
    put(q, TAP_EVENT, 2);
    put(q, TAP_EVENT, 3);
    put(q, TAP_FORGED, 4);
    put(q, TAP_DOWN, 5);
    put(q, TAP_UP, 6);
    assert_int_equal(tap_queue_lost(q), 2);
    assert_next(q, TAP_EVENT, 1, 0);
    assert_next(q, TAP_EVENT, 2, 0);
    assert_next(q, TAP_LOST, 3, 2);
    assert_next(q, TAP_DOWN, 5, 0);
    assert_next(q, TAP_UP, 6, 0);
    tap_queue_free(q);
}

static void list_with_a_hole_is_no_list(void **state)
{
    struct tap_queue *q;
    uint64_t seq = 1;
    const uint64_t inside = RESERVE + 2 - 1;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 2, BYTES, NULL, NULL), 0);
    while (seq <= inside + 3)
        put(q, TAP_PRESENT, seq++);
    assert_int_equal(tap_queue_lost(q), 3);
    for (uint64_t i = 1; i <= inside; i++)
        assert_next(q, TAP_PRESENT, i, 0);
    put(q, TAP_PRESENT_END, seq);
    assert_next(q, TAP_LOST, inside + 1, 3);
    assert_next(q, TAP_PRESENT_NONE, seq, 0);
    put(q, TAP_PRESENT, ++seq);
    assert_next(q, TAP_PRESENT, seq, 0);
    put(q, TAP_PRESENT_END, ++seq);
    assert_next(q, TAP_PRESENT_END, seq, 0);
    tap_queue_free(q);
}

static void taker_is_woken_when_it_found_nothing(void **state)
{
    struct tap_queue *q;
    int calls = 0;

    (void)state;
    assert_int_equal(tap_queue_new(&q, 3, 8, BYTES, count_call, &calls), 0);
    put(q, TAP_EVENT, 1);
    assert_int_equal(calls, 1);
    put(q, TAP_EVENT, 2);
    assert_int_equal(calls, 1);
    assert_next(q, TAP_EVENT, 1, 0);
    assert_next(q, TAP_EVENT, 2, 0);
    assert_null(tap_queue_take(q));
    put(q, TAP_EVENT, 3);
    assert_int_equal(calls, 2);
    for (uint64_t i = 4; i <= 8; i++)
        put(q, TAP_EVENT, i);
    assert_int_equal(calls, 3);
    tap_queue_free(q);
}

static void no_memory_for_the_note_keeps_the_loss(void **state)
{
    struct tap_queue *q = NULL;
    struct tap_event *e;
    long n = 1;

    (void)state;
    for (;; n++) {
        fail_alloc_at(n);
        const int err = tap_queue_new(&q, 3, 1, BYTES, NULL, NULL);
        if (!fail_alloc_hit())
            break;
        assert_int_equal(err, -ENOMEM);
    }
    fail_alloc_off();
    assert_int_equal(n, 3);
    put(q, TAP_EVENT, 1);
    put(q, TAP_EVENT, 2);
    assert_next(q, TAP_EVENT, 1, 0);
    e = event_of(TAP_EVENT, 3, 0);
    fail_alloc_at(1);
    tap_queue_put(q, e);
    assert_true(fail_alloc_hit());
    fail_alloc_off();
    assert_null(tap_queue_take(q));
    assert_int_equal(tap_queue_lost(q), 2);
    put(q, TAP_EVENT, 4);
    assert_next(q, TAP_LOST, 2, 2);
    assert_next(q, TAP_EVENT, 4, 0);
    tap_queue_free(q);
}

/* ---- both sides at once ---- */

enum { MANY = 100000 };

struct sides {
    struct tap_queue *q;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool is_ready;
    unsigned wakes;
};

static void wake_taker(void *arg)
{
    struct sides *s = arg;

    pthread_mutex_lock(&s->lock);
    s->is_ready = true;
    s->wakes++;
    pthread_cond_signal(&s->ready);
    pthread_mutex_unlock(&s->lock);
}

static void *put_many(void *arg)
{
    struct sides *s = arg;

    for (uint64_t i = 1; i <= MANY; i++)
        put(s->q, TAP_EVENT, i);
    put(s->q, TAP_DOWN, MANY + 1);
    return NULL;
}

/* The taker sleeps without a time limit: a wake-up that is lost hangs the test. */
static void nothing_is_lost_without_a_name(void **state)
{
    struct sides s = { .lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER };
    pthread_t putter;
    uint64_t next = 1, lost = 0;
    bool is_done = false;

    (void)state;
    assert_int_equal(tap_queue_new(&s.q, 3, 500, BYTES, wake_taker, &s), 0);
    assert_int_equal(pthread_create(&putter, NULL, put_many, &s), 0);
    while (!is_done) {
        struct tap_event *e = tap_queue_take(s.q);

        if (!e) {
            pthread_mutex_lock(&s.lock);
            while (!s.is_ready)
                pthread_cond_wait(&s.ready, &s.lock);
            s.is_ready = false;
            pthread_mutex_unlock(&s.lock);
            continue;
        }
        assert_int_equal(e->seq, next);
        next += e->kind == TAP_LOST ? e->lost : 1;
        lost += e->lost;
        is_done = e->kind == TAP_DOWN;
        tap_event_free(e);
    }
    pthread_join(putter, NULL);
    assert_int_equal(next, MANY + 2);
    assert_int_equal(lost, tap_queue_lost(s.q));
    assert_true(s.wakes > 0);
    assert_null(tap_queue_take(s.q));
    tap_queue_free(s.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept_round_and_round), cmocka_unit_test(what_is_inside_is_freed),
        cmocka_unit_test(loss_is_named_where_it_was), cmocka_unit_test(after_a_loss_an_eighth_must_be_free),
        cmocka_unit_test(bytes_have_a_ceiling_too), cmocka_unit_test(notes_fit_into_a_full_queue),
        cmocka_unit_test(list_with_a_hole_is_no_list), cmocka_unit_test(taker_is_woken_when_it_found_nothing),
        cmocka_unit_test(no_memory_for_the_note_keeps_the_loss), cmocka_unit_test(nothing_is_lost_without_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
