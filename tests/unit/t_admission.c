/* Places and queue: order, ceilings, waits that end, and a place given back on another loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fail_alloc.h"
#include "route/admission.h"

enum { GUESTS = 6 };

static struct guest {
    struct ticket ticket; /* first */
    int err, order;
} guests[GUESTS];
static int turns, wanted;
static struct loop *loop;
static struct log_sink sink = { .fd = 2, .level = LOG_OFF };

static void on_turn(struct ticket *t, int err)
{
    struct guest *g = (struct guest *)(void *)t;

    g->err = err;
    g->order = ++turns;
    if (turns == wanted)
        loop_stop(loop);
}

static int setup(void **state)
{
    const struct log log = { .sink = &sink, .module = "test" };

    (void)state;
    memset(guests, 0, sizeof guests);
    for (int i = 0; i < GUESTS; i++)
        guests[i] = (struct guest){ .ticket = { .on_turn = on_turn }, .err = 99 };
    turns = wanted = 0;
    return loop_new(&loop, &log);
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void without_a_gate_all_enter(void **state)
{
    struct admission *a;

    (void)state;
    assert_int_equal(admission_new(&a, loop, NULL, 0, 0), 0);
    for (int i = 0; i < GUESTS; i++)
        assert_int_equal(admission_enter(a, &guests[i].ticket), 0);
    for (int i = 0; i < GUESTS; i++)
        admission_leave(a, &guests[i].ticket);
    admission_free(a);
}

static void first_come_first_served(void **state)
{
    struct gate gate = { .max = 2 };
    struct admission *a;

    (void)state;
    assert_int_equal(admission_new(&a, loop, &gate, 3, 60000), 0);
    assert_int_equal(admission_enter(a, &guests[0].ticket), 0);
    assert_int_equal(admission_enter(a, &guests[1].ticket), 0);
    for (int i = 2; i < 5; i++)
        assert_int_equal(admission_enter(a, &guests[i].ticket), -EINPROGRESS);
    assert_int_equal(admission_enter(a, &guests[5].ticket), -EBUSY);
    assert_int_equal(admission_waiting(a), 3);
    admission_leave(a, &guests[5].ticket); /* had nothing */
    assert_int_equal(atomic_load(&gate.taken), 2);
    admission_leave(a, &guests[3].ticket); /* gives up */
    admission_leave(a, &guests[0].ticket);
    admission_leave(a, &guests[1].ticket);
    assert_int_equal(turns, 0); /* never from inside */
    wanted = 2;
    loop_run(loop);
    assert_int_equal(guests[2].order, 1);
    assert_int_equal(guests[4].order, 2);
    assert_int_equal(guests[2].err, 0);
    assert_int_equal(guests[4].err, 0);
    assert_int_equal(guests[3].order, 0);
    assert_int_equal(atomic_load(&gate.taken), 2);
    admission_leave(a, &guests[2].ticket);
    admission_leave(a, &guests[4].ticket);
    admission_leave(a, &guests[4].ticket); /* twice is once */
    assert_int_equal(atomic_load(&gate.taken), 0);
    admission_free(a);
}

static void waiting_ends(void **state)
{
    struct gate gate = { .max = 1 };
    struct admission *a;

    (void)state;
    assert_int_equal(admission_new(&a, loop, &gate, 4, 30), 0);
    assert_int_equal(admission_enter(a, &guests[0].ticket), 0);
    assert_int_equal(admission_enter(a, &guests[1].ticket), -EINPROGRESS);
    assert_int_equal(admission_enter(a, &guests[2].ticket), -EINPROGRESS);
    wanted = 2;
    loop_run(loop);
    assert_int_equal(guests[1].err, -ETIMEDOUT);
    assert_int_equal(guests[2].err, -ETIMEDOUT);
    assert_true(guests[1].order < guests[2].order);
    assert_int_equal(admission_waiting(a), 0);
    admission_leave(a, &guests[1].ticket);
    admission_leave(a, &guests[0].ticket);
    assert_int_equal(atomic_load(&gate.taken), 0);
    admission_free(a);
}

/* Two loops share the gate; here both admissions stand on one loop, and know nothing of each other. */
static void a_place_of_another_loop_is_seen(void **state)
{
    struct gate gate = { .max = 1 };
    struct admission *here, *there;

    (void)state;
    assert_int_equal(admission_new(&here, loop, &gate, 1, 60000), 0);
    assert_int_equal(admission_new(&there, loop, &gate, 1, 60000), 0);
    assert_int_equal(admission_enter(there, &guests[0].ticket), 0);
    assert_int_equal(admission_enter(here, &guests[1].ticket), -EINPROGRESS);
    admission_leave(there, &guests[0].ticket);
    wanted = 1;
    loop_run(loop);
    assert_int_equal(guests[1].err, 0);
    admission_leave(here, &guests[1].ticket);
    admission_free(here);
    admission_free(there);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    for (long n = 1; n < 100; n++) {
        struct admission *a = NULL;
        const int err = (fail_alloc_at(n), admission_new(&a, loop, NULL, 1, 1));
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        assert_int_equal(err, hit ? -ENOMEM : 0);
        if (!err)
            admission_free(a);
        if (!hit)
            return;
    }
    fail_msg("never without a failure");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(without_a_gate_all_enter), T(first_come_first_served), T(waiting_ends), T(a_place_of_another_loop_is_seen),
        T(each_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
