/* Jobs start in order, a full queue refuses, nothing taken is lost: not with a full loop, not when the pool ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "fail_alloc.h"
#include "net/worker.h"
#include "net_help.h"

enum { JOBS = 500 };

struct yard {
    struct loop *loop;
    struct worker_pool *pool;
    pthread_t owner;            /* the thread of the loop */
    atomic_size_t started;
    size_t done, stop_at;
    sem_t gate;
};

struct job {
    struct yard *yard;
    size_t started_as;
    bool has_run, is_done;
};

static void run_job(void *arg)
{
    struct job *j = arg;

    assert_false(pthread_equal(pthread_self(), j->yard->owner));
    j->started_as = atomic_fetch_add(&j->yard->started, 1);
    j->has_run = true;
}

static void run_gated(void *arg)
{
    struct job *j = arg;

    run_job(arg);
    sem_wait(&j->yard->gate);
}

static void job_done(void *arg)
{
    struct job *j = arg;

    assert_true(pthread_equal(pthread_self(), j->yard->owner));
    assert_true(j->has_run);
    assert_false(j->is_done);
    j->is_done = true;
    if (++j->yard->done == j->yard->stop_at)
        loop_stop(j->yard->loop);
}

static void yard_open(struct yard *y, size_t threads, size_t queue_max)
{
    memset(y, 0, sizeof *y);
    y->loop = help_loop();
    y->owner = pthread_self();
    assert_int_equal(sem_init(&y->gate, 0, 0), 0);
    assert_int_equal(worker_pool_new(&y->pool, threads, queue_max, "a name longer than sixteen"), 0);
}

static void yard_shut(struct yard *y)
{
    worker_pool_free(y->pool);
    loop_free(y->loop);
    sem_destroy(&y->gate);
}

static void test_order(void **state)
{
    static struct job job[JOBS];
    struct yard y;

    (void)state;
    yard_open(&y, 1, JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        job[i] = (struct job){ .yard = &y };
        assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[i]), 0);
    }
    loop_run(y.loop); /* ends by itself, but not before the last job is done */
    assert_int_equal(y.done, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(job[i].started_as, i);
    assert_int_equal(worker_queue_depth(y.pool), 0);
    assert_int_equal(worker_refused(y.pool), 0);
    yard_shut(&y);
}

static void test_four_threads(void **state)
{
    static struct job job[JOBS];
    struct yard y;

    (void)state;
    yard_open(&y, 4, JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        job[i] = (struct job){ .yard = &y };
        assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[i]), 0);
    }
    loop_run(y.loop);
    assert_int_equal(y.done, JOBS);
    yard_shut(&y);
}

static void test_full_queue(void **state)
{
    struct job job[4];
    struct yard y;

    (void)state;
    yard_open(&y, 1, 2);
    for (size_t i = 0; i < 4; i++)
        job[i] = (struct job){ .yard = &y };
    assert_int_equal(worker_submit(y.pool, y.loop, run_gated, job_done, &job[0]), 0);
    while (atomic_load(&y.started) == 0) /* until the thread has taken it off the queue */
        usleep(1000);
    assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[1]), 0);
    assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[2]), 0);
    assert_int_equal(worker_queue_depth(y.pool), 2);
    assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[3]), -ENOBUFS);
    assert_int_equal(worker_refused(y.pool), 1);
    sem_post(&y.gate);
    loop_run(y.loop);
    assert_int_equal(y.done, 3);
    assert_false(job[3].has_run);
    yard_shut(&y);
}

static void test_free_with_jobs_waiting(void **state)
{
    static struct job job[JOBS];
    struct yard y;

    (void)state;
    yard_open(&y, 2, JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        job[i] = (struct job){ .yard = &y };
        assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[i]), 0);
    }
    worker_pool_free(y.pool);
    y.pool = NULL;
    assert_int_equal(atomic_load(&y.started), JOBS);
    loop_run(y.loop);
    assert_int_equal(y.done, JOBS);
    yard_shut(&y);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void fill(struct loop *l)
{
    while (loop_post(l, nothing, NULL) == 0) {
    }
}

static void test_done_waits_for_a_full_loop(void **state)
{
    struct job job[3];
    struct yard y;

    (void)state;
    yard_open(&y, 1, 8);
    fill(y.loop);
    for (size_t i = 0; i < 3; i++) {
        job[i] = (struct job){ .yard = &y };
        assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[i]), 0);
    }
    while (atomic_load(&y.started) == 0)
        usleep(1000);
    assert_int_equal(y.done, 0);
    loop_run(y.loop);
    assert_int_equal(y.done, 3);
    yard_shut(&y);
}

static void test_free_with_a_full_loop(void **state)
{
    struct job job[8];
    struct yard y;

    (void)state;
    yard_open(&y, 2, 8);
    fill(y.loop);
    for (size_t i = 0; i < 8; i++) {
        job[i] = (struct job){ .yard = &y };
        assert_int_equal(worker_submit(y.pool, y.loop, run_job, job_done, &job[i]), 0);
    }
    worker_pool_free(y.pool); /* by the loop's own thread, which makes no room meanwhile: must not hang */
    y.pool = NULL;
    loop_run(y.loop);
    assert_int_equal(y.done, 8);
    yard_shut(&y);
}

struct submitter {
    struct yard *yard;
    struct job *job;
};

static void *submit_all(void *arg)
{
    struct submitter *s = arg;

    for (size_t i = 0; i < JOBS; i++) {
        s->job[i] = (struct job){ .yard = s->yard };
        while (worker_submit(s->yard->pool, s->yard->loop, run_job, job_done, &s->job[i]) != 0)
            usleep(100);
    }
    return NULL;
}

static void test_submit_from_other_threads(void **state)
{
    static struct job job[3][JOBS];
    struct submitter s[3];
    pthread_t id[3];
    struct yard y;

    (void)state;
    yard_open(&y, 2, 16);
    y.stop_at = 3 * JOBS;
    for (size_t i = 0; i < 3; i++) {
        s[i] = (struct submitter){ &y, job[i] };
        assert_int_equal(pthread_create(&id[i], NULL, submit_all, &s[i]), 0);
    }
    help_run(y.loop);
    for (size_t i = 0; i < 3; i++)
        pthread_join(id[i], NULL);
    assert_int_equal(y.done, 3 * JOBS);
    yard_shut(&y);
}

static void test_options_and_memory(void **state)
{
    struct worker_pool *p = NULL;
    bool has_hit = true;

    (void)state;
    assert_int_equal(worker_pool_new(&p, 0, 1, "x"), -EINVAL);
    assert_int_equal(worker_pool_new(&p, 1, 0, "x"), -EINVAL);
    assert_int_equal(worker_pool_new(&p, 257, 1, "x"), -EINVAL);
    worker_pool_free(NULL);
    for (long n = 1; has_hit; n++) {
        struct loop *l = help_loop();
        struct yard y = { .loop = l, .owner = pthread_self() };
        struct job j = { .yard = &y };
        int err;

        p = NULL;
        fail_alloc_at(n);
        err = worker_pool_new(&p, 1, 1, "x");
        if (!err)
            err = worker_submit(p, l, run_job, job_done, &j);
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        assert_int_equal(err, has_hit ? -ENOMEM : 0);
        worker_pool_free(p);
        loop_run(l);
        assert_int_equal(y.done, err ? 0 : 1);
        loop_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_four_threads),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_free_with_jobs_waiting),
        cmocka_unit_test(test_done_waits_for_a_full_loop),
        cmocka_unit_test(test_free_with_a_full_loop),
        cmocka_unit_test(test_submit_from_other_threads),
        cmocka_unit_test(test_options_and_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
