/* metrics.c: what is counted is printed, in Prometheus' text format, with bounded series; counted from several threads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "base/metrics.h"
#include "fail_alloc.h"

static char *print(struct metrics *m)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    assert_int_equal(metrics_print(m, &out), 0);
    assert_non_null(buf_cstr(&out));
    return out.p;
}

static void assert_prints(struct metrics *m, const char *expected)
{
    char *text = print(m);

    assert_string_equal(text, expected);
    free(text);
}

static struct metrics *new_metrics(void)
{
    struct metrics *m = NULL;

    assert_int_equal(metrics_new(&m), 0);
    return m;
}

static void counters_and_gauges(void **state)
{
    struct metrics *m = new_metrics();
    struct metric *calls, *up;

    (void)state;
    assert_int_equal(metrics_add(&calls, m, METRIC_COUNTER, "x_calls_total", "Calls.", "node,event"), 0);
    assert_int_equal(metrics_add(&up, m, METRIC_GAUGE, "x_up", "Is it.", NULL), 0);
    series_add(metric_series(calls, "a", "Hangup", NULL), 2);
    series_add(metric_series(calls, "a", "Hangup", NULL), 1);
    series_add(metric_series(calls, "b\"\\\n\t", "Dial", NULL), 1);
    series_set(metric_series(up, NULL, NULL, NULL), -4);
    assert_prints(m, "# HELP x_calls_total Calls.\n# TYPE x_calls_total counter\n"
                     "x_calls_total{node=\"a\",event=\"Hangup\"} 3\nx_calls_total{node=\"b\\\"\\\\\\n?\",event=\"Dial\"} 1\n"
                     "# HELP x_up Is it.\n# TYPE x_up gauge\nx_up -4\n");
    series_set_real(metric_series(up, NULL, NULL, NULL), 0.25);
    char *text = print(m);
    assert_non_null(strstr(text, "\nx_up 0.25\n"));
    free(text);
    metrics_free(m);
}

static void histogram_is_cumulative(void **state)
{
    struct metrics *m = new_metrics();
    struct metric *k;
    struct series *s;
    char *text;

    (void)state;
    assert_int_equal(metrics_add(&k, m, METRIC_HISTOGRAM, "x_seconds", "Time.", "route"), 0);
    s = metric_series(k, "r", NULL, NULL);
    series_observe(s, 500);          /* on the edge: within */
    series_observe(s, 501);
    series_observe(s, -3);           /* a clock that went back */
    series_observe(s, 61000000);     /* over the last edge */
    text = print(m);
    assert_non_null(strstr(text, "x_seconds_bucket{route=\"r\",le=\"0.0005\"} 2\n"));
    assert_non_null(strstr(text, "x_seconds_bucket{route=\"r\",le=\"0.001\"} 3\n"));
    assert_non_null(strstr(text, "x_seconds_bucket{route=\"r\",le=\"60\"} 3\n"));
    assert_non_null(strstr(text, "x_seconds_bucket{route=\"r\",le=\"+Inf\"} 4\nx_seconds_sum{route=\"r\"} 61.001001\n"
                                 "x_seconds_count{route=\"r\"} 4\n"));
    free(text);
    metrics_free(m);
}

static void a_hist_is_taken_over(void **state)
{
    struct metrics *m = new_metrics();
    struct metric *k;
    struct hist h = { 0 };
    char *text;

    (void)state;
    hist_add(&h, 100);
    hist_add(&h, 700);
    hist_add(&h, 70000000);
    assert_int_equal(metrics_add(&k, m, METRIC_HISTOGRAM, "x_seconds", "Time.", NULL), 0);
    series_load(metric_series(k, NULL, NULL, NULL), &h);
    series_load(metric_series(k, NULL, NULL, NULL), &h);
    text = print(m);
    assert_non_null(strstr(text, "x_seconds_bucket{le=\"0.0005\"} 1\nx_seconds_bucket{le=\"0.001\"} 2\n"));
    assert_non_null(strstr(text, "x_seconds_bucket{le=\"+Inf\"} 3\nx_seconds_sum 70.000800\nx_seconds_count 3\n"));
    free(text);
    metrics_free(m);
}

static void series_have_a_ceiling(void **state)
{
    struct metrics *m = new_metrics();
    struct metric *k;
    struct series *first, *beyond;
    char name[16], *text;

    (void)state;
    assert_int_equal(metrics_add(&k, m, METRIC_COUNTER, "x_total", "X.", "event"), 0);
    first = metric_series(k, "0", NULL, NULL);
    for (int i = 1; i < METRIC_SERIES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_ptr_not_equal(metric_series(k, name, NULL, NULL), first);
    }
    beyond = metric_series(k, "one more", NULL, NULL);
    assert_ptr_equal(metric_series(k, "and another", NULL, NULL), beyond);
    assert_ptr_equal(metric_series(k, "0", NULL, NULL), first);
    series_add(beyond, 7);
    text = print(m);
    assert_non_null(strstr(text, "x_total{event=\"other\"} 7\n"));
    free(text);
    metrics_free(m);
}

static void refresh(void *arg)
{
    series_set(metric_series(arg, "now", NULL, NULL), 9);
}

static void others_figures_are_asked_for(void **state)
{
    struct metrics *m = new_metrics();
    struct metric *k;

    (void)state;
    assert_int_equal(metrics_add(&k, m, METRIC_GAUGE, "x", "X.", "when"), 0);
    assert_int_equal(metrics_on_print(m, refresh, k), 0);
    assert_prints(m, "# HELP x X.\n# TYPE x gauge\nx{when=\"now\"} 9\n");
    metrics_off_print(m, k);
    series_set(metric_series(k, "now", NULL, NULL), 1);
    assert_prints(m, "# HELP x X.\n# TYPE x gauge\nx{when=\"now\"} 1\n");
    for (int i = 0; i < 32; i++)
        assert_int_equal(metrics_on_print(m, refresh, k), 0);
    assert_int_equal(metrics_on_print(m, refresh, k), -ENOBUFS);
    metrics_free(m);
}

enum { THREADS = 4, ADDS = 20000 };

static void *add_many(void *arg)
{
    for (int i = 0; i < ADDS; i++)
        series_observe(metric_series(arg, i % 2 ? "odd" : "even", NULL, NULL), i);
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct metrics *m = new_metrics();
    struct metric *k;
    pthread_t threads[THREADS];
    char *text;

    (void)state;
    assert_int_equal(metrics_add(&k, m, METRIC_HISTOGRAM, "x_seconds", "X.", "kind"), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, k), 0);
    free(print(m));                  /* in the middle of it */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    text = print(m);
    assert_non_null(strstr(text, "x_seconds_count{kind=\"even\"} 40000\n"));
    assert_non_null(strstr(text, "x_seconds_count{kind=\"odd\"} 40000\n"));
    free(text);
    metrics_free(m);
}

static void no_memory(void **state)
{
    struct metrics *m = NULL;
    struct metric *k = NULL;

    (void)state;
    fail_alloc_at(1);
    assert_int_equal(metrics_new(&m), -ENOMEM);
    fail_alloc_off();
    m = new_metrics();
    fail_alloc_at(1);
    assert_int_equal(metrics_add(&k, m, METRIC_COUNTER, "x", "X.", NULL), -ENOMEM);
    fail_alloc_off();
    assert_int_equal(metrics_add(&k, m, METRIC_COUNTER, "x", "X.", "a"), 0);
    fail_alloc_at(1);
    series_add(metric_series(k, "lost", NULL, NULL), 1);
    fail_alloc_off();
    assert_prints(m, "# HELP x X.\n# TYPE x counter\nx{a=\"other\"} 1\n");
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges), cmocka_unit_test(histogram_is_cumulative), cmocka_unit_test(a_hist_is_taken_over),
        cmocka_unit_test(series_have_a_ceiling),
        cmocka_unit_test(others_figures_are_asked_for), cmocka_unit_test(threads_lose_nothing), cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
