/* A dead-letter list that is retried while another thread adds to it: each row is delivered or still there, exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "fail_alloc.h"
#include "net_help.h"
#include "sink/sink_parts.h"

enum { ROWS = 3000, TAIL = 1000 };

static char path[64];
static uint8_t got[ROWS + TAIL];    /* how often a row was delivered */
static int refuse_every, fail_from; /* 0: never */
static bool checks_detail;

static const char detail[] = "{\"a\":1.50,\"big\":12345678901234567890,\"t\":\"x \\\",\\\"sink\\\":\\\"y\\\"\",\"sink\":\"z\",\"detail\":{}}";

static int scripted_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    (void)set;
    (void)log;
    (void)problem;
    *out = got;
    return 0;
}

static int scripted_deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    (void)self;
    for (size_t i = 0; i < count; i++) {
        if (checks_detail)
            assert_string_equal(rows[i].detail, detail);
        if (fail_from && rows[i].id >= fail_from) {
            snprintf(why, why_size, "down, pa55");
            return -EAGAIN;
        }
        if (refuse_every && rows[i].id % refuse_every == 0) {
            *bad = i;
            return -EBADMSG;
        }
    }
    for (size_t i = 0; i < count; i++)
        got[rows[i].id]++;
    return 0;
}

static void scripted_close(void *self)
{
    (void)self;
}

static const struct sink_driver scripted = { .name = "scripted", .open = scripted_open, .deliver = scripted_deliver, .close = scripted_close };

static struct sink_retry_options options(void)
{
    return (struct sink_retry_options){ .driver = &scripted, .settings = { .name = "s", .secret = "pa55" }, .dead_letter_file = path, .log = &help_log };
}

static int add(int id, bool is_event)
{
    const struct sink_row row = { .id = id, .is_event = is_event, .node = "pbx \"1\"", .kind = "call.ended", .call = "1,\"detail\":{}", .detail = detail,
                                  .session = 1795378410000000, .at_us = 1795378410000001, .seq = (uint64_t)id, .n = is_event ? 0 : 7 };

    return sink_dead_add(path, "s", &row, "\",\"sink\":\"q\"", 1795378410000002);
}

static int up(void **state)
{
    (void)state;
    memset(got, 0, sizeof got);
    refuse_every = fail_from = 0;
    checks_detail = true;
    snprintf(path, sizeof path, "/tmp/t-sink-retry-%d", (int)getpid());
    unlink(path);
    return 0;
}

static int down(void **state)
{
    (void)state;
    return unlink(path);
}

static void retry(struct sink_retried *out)
{
    const struct sink_retry_options o = options();
    char *problem;

    assert_int_equal(sink_retry(&o, out, &problem), 0);
    assert_null(problem);
}

static size_t size_of_list(void)
{
    FILE *f = fopen(path, "r");
    long n;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    n = ftell(f);
    fclose(f);
    return (size_t)n;
}

static void test_rows_come_back_as_they_were(void **state)
{
    struct sink_retried r;

    (void)state;
    for (int i = 0; i < 2500; i++)
        assert_int_equal(add(i, i % 2), 0);
    refuse_every = 7;
    retry(&r);
    assert_int_equal(r.read, 2500);
    assert_int_equal(r.refused, 358);
    assert_int_equal(r.delivered, 2500 - 358);
    refuse_every = 0;
    fail_from = 1500;
    retry(&r);
    assert_int_equal(r.read, 358);
    assert_int_equal(r.left, 358);      /* they are one batch: all or nothing */
    assert_string_equal(r.why, "down, ***");
    fail_from = 0;
    retry(&r);
    assert_int_equal(r.delivered, 358);
    assert_int_equal(size_of_list(), 0);
    for (int i = 0; i < 2500; i++)
        assert_int_equal(got[i], 1);
}

static atomic_int failure;

static void *add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROWS; i++) {
        const int err = add(i, false);

        if (err)
            atomic_store(&failure, err);
    }
    return NULL;
}

static void test_nothing_is_lost_that_is_added_meanwhile(void **state)
{
    struct sink_retried r = { .read = 0 };
    uint64_t delivered = 0;
    unsigned rounds = 0;
    pthread_t thread;

    (void)state;
    assert_int_equal(add(ROWS, false), 0);  /* so that there is a list */
    assert_int_equal(pthread_create(&thread, NULL, add_many, NULL), 0);
    refuse_every = 5;
    for (const int64_t end = clock_mono_us() + 20000000; delivered < ROWS - ROWS / 5 && clock_mono_us() < end; rounds++) {
        retry(&r);
        delivered += r.delivered;
    }
    pthread_join(thread, NULL);
    refuse_every = 0;
    retry(&r);
    assert_int_equal(atomic_load(&failure), 0);
    assert_true(rounds > 1);
    for (int i = 0; i <= ROWS; i++)
        assert_int_equal(got[i], 1);
    assert_int_equal(size_of_list(), 0);
}

static void test_lines_that_are_no_rows_stay(void **state)
{
    static const char *const bad[] = { "{", "[]", "null", "{\"type\":\"fact\"}", "\x01\xff", "{\"type\":\"fact\",\"id\":1e300}", "x" };
    struct sink_retried r;
    FILE *f = fopen(path, "w");

    (void)state;
    assert_non_null(f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fprintf(f, "%s%s", bad[i], i + 1 < sizeof bad / sizeof *bad ? "\n" : "");
    assert_int_equal(fclose(f), 0);
    for (int i = 0; i < 2; i++) {
        retry(&r);
        assert_int_equal(r.read, 7);
        assert_int_equal(r.refused, 7);
    }
    assert_int_equal(add(1, false), 0);
    retry(&r);
    assert_int_equal(r.delivered, 1);
}

/* Every prefix of a line: refused and kept, never a wrong row. */
static void test_a_line_cut_anywhere_stays(void **state)
{
    static char line[4096];
    struct sink_retried r;
    FILE *f;
    size_t n;

    (void)state;
    assert_int_equal(add(1, false), 0);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(line, 1, sizeof line, f);
    fclose(f);
    f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 1; i < n - 1; i++)
        fprintf(f, "%.*s\n", (int)i, line);
    assert_int_equal(fclose(f), 0);
    retry(&r);
    assert_int_equal(r.read, n - 2);
    assert_int_equal(r.refused, n - 2);
    assert_int_equal(got[1], 0);
}

static void test_no_list(void **state)
{
    const struct sink_retry_options o = options();
    struct sink_retried r;
    char *problem;

    (void)state;
    assert_int_equal(sink_retry(&o, &r, &problem), -ENOENT);
    assert_int_equal(add(1, false), 0);
}

/* Whatever fails, the list has the row afterwards, or it was delivered. */
static void test_short_of_memory(void **state)
{
    const struct sink_retry_options o = options();
    struct sink_retried r;
    char *problem;
    long n;

    (void)state;
    for (n = 1; n < 200; n++) {
        unlink(path);
        memset(got, 0, sizeof got);
        assert_int_equal(add(1, false), 0);
        fail_alloc_at(n);
        const int err = sink_retry(&o, &r, &problem);
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        free(problem);
        assert_true(err == 0 || size_of_list() > 0);
        assert_true(got[1] == 1 || size_of_list() > 0);
        if (!hit)
            break;
    }
    assert_in_range(n, 3, 199);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_come_back_as_they_were, up, down),
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_that_is_added_meanwhile, up, down),
        cmocka_unit_test_setup_teardown(test_lines_that_are_no_rows_stay, up, down),
        cmocka_unit_test_setup_teardown(test_a_line_cut_anywhere_stays, up, down),
        cmocka_unit_test_setup_teardown(test_no_list, up, down),
        cmocka_unit_test_setup_teardown(test_short_of_memory, up, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
