/* One order out of many nodes: behind the watermark, never changed within a node, ceilings, late ones, clocks. */
#include "tap/merge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fail_alloc.h"

#define T0 INT64_C(1795378410000000)

enum { HOLD = 30000 };

static struct merge *merge_of(size_t nodes, size_t events_max)
{
    const struct merge_options opt = { .nodes = nodes, .hold_us = HOLD, .events_max = events_max };
    struct merge *m;

    assert_int_equal(merge_new(&m, &opt), 0);
    for (uint32_t i = 0; i < nodes; i++)
        merge_node_up(m, i, true);
    return m;
}

static struct tap_event *event_of(uint32_t node, uint64_t seq, int64_t emit_us, int64_t recv_us)
{
    struct tap_event *e;

    if (tap_event_new(&e, TAP_EVENT, TEXT("Hold"), NULL, 0))
        abort();
    e->node = node;
    e->seq = seq;
    e->emit_us = emit_us;
    e->recv_us = recv_us;
    return e;
}

/* Arrives at T0 + at; the node tells no time. */
static void put_at(struct merge *m, uint32_t node, uint64_t seq, int64_t at)
{
    merge_put(m, event_of(node, seq, TAP_NO_TIME, T0 + at), T0 + at);
}

static void assert_takes(struct merge *m, int64_t now, uint32_t node, uint64_t seq, uint8_t flags)
{
    struct tap_event *e = merge_take(m, T0 + now);

    assert_non_null(e);
    assert_int_equal(e->node, node);
    assert_int_equal(e->seq, seq);
    assert_int_equal(e->flags, flags);
    assert_null(e->next);
    tap_event_free(e);
}

static void one_node_is_handed_through(void **state)
{
    struct merge *m = merge_of(1, 0);
    struct merge_figures f;

    (void)state;
    assert_int_equal(merge_next_us(m), INT64_MAX);
    assert_null(merge_take(m, T0));
    put_at(m, 0, 1, 5);
    put_at(m, 0, 2, 3);
    assert_true(merge_next_us(m) <= T0 + 5);
    assert_takes(m, 5, 0, 1, 0);
    assert_takes(m, 5, 0, 2, 0);
    assert_null(merge_take(m, T0 + 5));
    merge_figures_of(m, &f);
    assert_int_equal(f.late + f.forced + f.held, 0);
    merge_free(m);
    merge_free(NULL);
}

static void older_of_two_goes_first(void **state)
{
    struct merge *m = merge_of(2, 0);

    (void)state;
    merge_clock_sample(m, 0, T0, T0, T0);
    merge_clock_sample(m, 1, T0, T0, T0 + 500000);
    merge_put(m, event_of(0, 1, T0 + 200, T0 + 210), T0 + 1000);
    merge_put(m, event_of(0, 2, T0 + 400, T0 + 410), T0 + 1000);
    merge_put(m, event_of(1, 1, T0 + 500000 + 100, T0 + 900), T0 + 1000);
    merge_put(m, event_of(1, 2, T0 + 500000 + 300, T0 + 900), T0 + 1000);
    merge_put(m, event_of(1, 3, T0 + 500000 + 500, T0 + 900), T0 + 1000);
    assert_takes(m, 1000, 1, 1, 0);
    assert_takes(m, 1000, 0, 1, 0);
    assert_takes(m, 1000, 1, 2, 0);
    assert_takes(m, 1000, 0, 2, 0);
    assert_null(merge_take(m, T0 + 1000));
    assert_int_equal(merge_next_us(m), T0 + 500 + HOLD);
    assert_null(merge_take(m, T0 + 499 + HOLD));
    assert_takes(m, 500 + HOLD, 1, 3, 0);
    assert_int_equal(merge_next_us(m), INT64_MAX);
    merge_free(m);
}

static void silent_node_holds_the_others_for_a_while(void **state)
{
    struct merge *m = merge_of(2, 0);

    (void)state;
    put_at(m, 0, 1, 0);
    assert_null(merge_take(m, T0 + HOLD - 1));
    assert_int_equal(merge_next_us(m), T0 + HOLD);
    assert_takes(m, HOLD, 0, 1, 0);
    put_at(m, 0, 2, 50000);
    merge_node_up(m, 1, false);
    assert_true(merge_next_us(m) <= T0 + 50000);
    assert_takes(m, 50000, 0, 2, 0);
    merge_node_up(m, 1, true);
    put_at(m, 0, 3, 60000);
    assert_null(merge_take(m, T0 + 60000));
    put_at(m, 1, 1, 60000);
    assert_takes(m, 60000, 0, 3, 0);
    assert_takes(m, 60000, 1, 1, 0);
    merge_free(m);
}

static void down_node_gives_what_it_had(void **state)
{
    struct merge *m = merge_of(2, 0);

    (void)state;
    put_at(m, 0, 1, 10);
    put_at(m, 1, 1, 20);
    merge_node_up(m, 0, false);
    assert_takes(m, 20, 0, 1, 0);
    assert_takes(m, 20, 1, 1, 0);
    merge_free(m);
}

static void late_one_is_labelled_and_goes_at_once(void **state)
{
    struct merge *m = merge_of(2, 0);
    struct merge_figures f;

    (void)state;
    merge_clock_sample(m, 1, T0, T0, T0);
    put_at(m, 0, 1, 1000);
    assert_takes(m, 1000 + HOLD, 0, 1, 0);
    merge_put(m, event_of(1, 1, T0 + 500, T0 + 40000), T0 + 40000);
    merge_put(m, event_of(1, 2, T0 + 39000, T0 + 40000), T0 + 40000);
    assert_takes(m, 40000, 1, 1, TAP_LATE);
    assert_null(merge_take(m, T0 + 40000));
    assert_takes(m, 39000 + HOLD, 1, 2, 0);
    merge_figures_of(m, &f);
    assert_int_equal(f.late, 1);
    merge_free(m);
}

/* Within a node the order of arrival stands, whatever its stamps say. */
static void order_within_a_node_is_never_changed(void **state)
{
    struct merge *m = merge_of(2, 0);
    struct tap_event *e;

    (void)state;
    merge_clock_sample(m, 0, T0, T0, T0);
    merge_put(m, event_of(0, 1, T0 + 900, T0 + 1000), T0 + 1000);
    merge_put(m, event_of(0, 2, T0 + 100, T0 + 1000), T0 + 1000);
    merge_put(m, event_of(0, 3, T0 + 950, T0 + 1000), T0 + 1000);
    put_at(m, 1, 1, 920);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        e = merge_take(m, T0 + 1000);
        assert_non_null(e);
        assert_int_equal(e->node, 0);
        assert_int_equal(e->seq, seq);
        assert_int_equal(e->order_us, T0 + 900);
        tap_event_free(e);
    }
    assert_takes(m, 1000, 1, 1, 0);
    merge_free(m);
}

static void nothing_is_older_than_its_arrival(void **state)
{
    struct merge *m = merge_of(1, 0);
    struct tap_event *e;

    (void)state;
    merge_clock_sample(m, 0, T0, T0, T0);
    merge_put(m, event_of(0, 1, T0 + 3600000000, T0 + 1000), T0 + 1000);
    e = merge_take(m, T0 + 1000);
    assert_int_equal(e->order_us, T0 + 1000);
    tap_event_free(e);
    e = event_of(0, 2, INT64_MAX / 2, T0 + 2000);
    merge_put(m, e, T0 + 2000);
    assert_int_equal(e->order_us, T0 + 2000);
    e = event_of(0, 3, 0, T0 + 3000);
    merge_put(m, e, T0 + 3000);
    assert_int_equal(e->order_us, T0 + 2000);
    merge_free(m);
}

static void unknown_clock_and_notes_go_by_arrival(void **state)
{
    struct merge *m = merge_of(1, 0);
    struct tap_event *e = event_of(0, 1, T0 - 5000, T0 + 1000);

    (void)state;
    merge_put(m, e, T0 + 1000);
    assert_int_equal(e->order_us, T0 + 1000);
    merge_clock_sample(m, 0, T0, T0, T0);
    e = event_of(0, 2, T0 + 1500, T0 + 2000);
    merge_put(m, e, T0 + 2000);
    assert_int_equal(e->order_us, T0 + 1500);
    e = event_of(0, 3, T0 + 1600, T0 + 2000);
    e->kind = TAP_PRESENT;
    merge_put(m, e, T0 + 2000);
    assert_int_equal(e->order_us, T0 + 2000);
    merge_free(m);
}

static void ceiling_lets_the_oldest_out(void **state)
{
    struct merge *m = merge_of(3, 10);
    struct merge_figures f;

    (void)state;
    for (uint64_t i = 1; i <= 15; i++)
        put_at(m, (uint32_t)(i % 2), i, (int64_t)i);
    assert_true(merge_next_us(m) <= T0 + 15);
    for (uint64_t i = 1; i <= 5; i++)
        assert_takes(m, 15, (uint32_t)(i % 2), i, 0);
    assert_null(merge_take(m, T0 + 15));
    merge_figures_of(m, &f);
    assert_int_equal(f.forced, 5);
    assert_int_equal(f.held, 10);
    merge_free(m);
}

/* Set back by an hour: nothing waits an hour, nothing is called late for an hour. */
static void our_clock_set_back_holds_nobody(void **state)
{
    struct merge *m = merge_of(2, 0);
    const int64_t hour = 3600000000;
    struct merge_figures f;

    (void)state;
    put_at(m, 0, 1, 0);
    put_at(m, 1, 1, 10);
    assert_takes(m, 20, 0, 1, 0);
    put_at(m, 0, 2, -hour);
    put_at(m, 1, 2, -hour + 5);
    assert_takes(m, -hour + 5, 0, 2, 0);
    assert_takes(m, -hour + 5 + HOLD, 1, 1, 0);
    assert_takes(m, -hour + 5 + HOLD, 1, 2, 0);
    put_at(m, 0, 3, -hour + 2 * HOLD);
    assert_null(merge_take(m, T0 - hour + 2 * HOLD));
    assert_takes(m, -hour + 3 * HOLD, 0, 3, 0);
    merge_figures_of(m, &f);
    assert_int_equal(f.late, 0);
    merge_free(m);
}

static void clock_is_told(void **state)
{
    struct merge *m = merge_of(2, 0);
    struct merge_clock c;

    (void)state;
    merge_clock_of(m, 1, &c);
    assert_false(c.is_known);
    for (int64_t t = 0; t < 100; t++)
        merge_clock_sample(m, 1, T0 + t * 1000000, T0 + t * 1000000 + 200, T0 + t * 1000000 + 100 + 500000 + t * 40);
    merge_clock_of(m, 1, &c);
    assert_true(c.is_known);
    assert_int_equal(c.samples, 100);
    assert_int_equal(c.error_us, 100);
    assert_in_range(c.offset_us, 503900, 504000);
    assert_in_range((int64_t)(c.drift_ppm * 10), 395, 405);
    merge_take(m, T0 + 199 * 1000000);
    merge_clock_of(m, 1, &c);
    assert_in_range(c.offset_us, 507800, 508100);
    merge_clock_of(m, 0, &c);
    assert_false(c.is_known);
    merge_free(m);
}

static uint32_t chance(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Five nodes with clocks of their own and 0-20 ms of road each: what comes out is in order of emission but for the clocks' error, every event once. */
static void many_nodes_come_out_in_order(void **state)
{
    enum { NODES = 5, EACH = 4000, SLACK = 400 };
    static const int64_t offsets[NODES] = { 500000, -500000, 0, 3600000000, -77 };
    struct merge *m = merge_of(NODES, 0);
    struct tap_event *pending[NODES], *e;
    uint64_t seed = 7, out[NODES] = { 0 }, in[NODES] = { 0 };
    int64_t emitted[NODES] = { 0 }, now = 0, last = 0;
    size_t total = 0;

    (void)state;
    for (uint32_t i = 0; i < NODES; i++) {
        for (int64_t t = -10; t < 0; t++)
            merge_clock_sample(m, i, T0 + t * 15000000, T0 + t * 15000000 + 200, T0 + t * 15000000 + offsets[i] + chance(&seed) % 200);
        pending[i] = NULL;
    }
    while (total < (size_t)NODES * EACH) {
        now += 100;
        for (uint32_t i = 0; i < NODES; i++) {
            if (!pending[i] && in[i] < EACH) {
                emitted[i] = (now > emitted[i] ? now : emitted[i]) + chance(&seed) % 800;
                pending[i] = event_of(i, ++in[i], T0 + emitted[i] + offsets[i], T0 + emitted[i] + 1 + chance(&seed) % 20000);
                pending[i]->lost = (uint64_t)emitted[i];
            }
            if (pending[i] && pending[i]->recv_us <= T0 + now) {
                merge_put(m, pending[i], T0 + now);
                pending[i] = NULL;
            }
        }
        while ((e = merge_take(m, T0 + now))) {
            assert_int_equal(e->seq, ++out[e->node]);
            assert_int_equal(e->flags, 0);
            assert_true((int64_t)e->lost >= last - SLACK);
            last = (int64_t)e->lost > last ? (int64_t)e->lost : last;
            total++;
            tap_event_free(e);
        }
    }
    merge_free(m);
}

static void what_is_held_is_freed_and_memory_may_be_short(void **state)
{
    const struct merge_options opt = { .nodes = 2 }, none = { .nodes = 0 };
    struct merge *m = NULL;

    (void)state;
    assert_int_equal(merge_new(&m, &none), -EINVAL);
    fail_alloc_at(1);
    assert_int_equal(merge_new(&m, &opt), -ENOMEM);
    fail_alloc_off();
    assert_null(m);
    assert_int_equal(merge_new(&m, &opt), 0);
    merge_node_up(m, 1, true);
    for (uint64_t i = 1; i <= 3; i++)
        put_at(m, 0, i, 1);
    assert_null(merge_take(m, T0 + 29000));
    merge_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_is_handed_through), cmocka_unit_test(older_of_two_goes_first),
        cmocka_unit_test(silent_node_holds_the_others_for_a_while), cmocka_unit_test(down_node_gives_what_it_had),
        cmocka_unit_test(late_one_is_labelled_and_goes_at_once), cmocka_unit_test(order_within_a_node_is_never_changed),
        cmocka_unit_test(nothing_is_older_than_its_arrival), cmocka_unit_test(unknown_clock_and_notes_go_by_arrival),
        cmocka_unit_test(ceiling_lets_the_oldest_out), cmocka_unit_test(our_clock_set_back_holds_nobody),
        cmocka_unit_test(clock_is_told), cmocka_unit_test(many_nodes_come_out_in_order),
        cmocka_unit_test(what_is_held_is_freed_and_memory_may_be_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
