/* The sink's thread with a scripted driver over a journal in memory: cursor, back-off, dead letters, repeats, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal_fake.h"
#include "net_help.h"
#include "sink/sink_parts.h"

/* ---- a driver that does what the test says, and writes down what it was given ---- */

enum { SEEN = 4096 };

static struct script {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int fail_times, err;            /* the first so many deliveries fail with err */
    int poison_id;                  /* the fact with this id is refused */
    bool stalls, refuses_open;
    const char *why;
    int64_t pause_ms;
    char keys[SEEN][64];            /* of delivered rows, in order */
    char kinds[SEEN][32];
    size_t delivered, calls, closed;
    int64_t call_at[64];
    int64_t fact_done, event_done;  /* greatest ids delivered */
    int64_t fact_cursor, event_cursor;
    size_t cursor_moves;
    bool cursor_ran_ahead;
    const struct sink_settings *set;
} script = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static int scripted_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    (void)log;
    if (script.refuses_open) {
        *problem = sink_problem("sink %s: no", set->name);
        return -EINVAL;
    }
    script.set = set;
    *out = &script;
    return 0;
}

static void write_down(const struct sink_row *row)
{
    struct buf key;

    buf_init(&key, 64);
    assert_int_equal(sink_row_key(&key, row), 0);
    assert_true(script.delivered < SEEN);
    text_copy(script.keys[script.delivered], 64, buf_text(&key));
    text_copy(script.kinds[script.delivered++], 32, text_of(row->kind));
    buf_free(&key);
    *(row->is_event ? &script.event_done : &script.fact_done) = row->id;
}

static int scripted_deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    const int64_t deadline = sink_deadline_us(script.set);
    int err = 0, ms;

    (void)self;
    pthread_mutex_lock(&script.lock);
    if (script.calls < 64)
        script.call_at[script.calls] = clock_mono_us();
    script.calls++;
    pthread_cond_broadcast(&script.news);
    pthread_mutex_unlock(&script.lock);
    while (script.stalls && (ms = sink_slice_ms(script.set->patience, deadline)) > 0)
        poll(NULL, 0, ms);
    pthread_mutex_lock(&script.lock);
    if (script.stalls) {
        err = -EAGAIN;
    } else if (script.fail_times > 0) {
        script.fail_times--;
        err = script.err;
        snprintf(why, why_size, "%s", script.why ? script.why : "told so");
    }
    for (size_t i = 0; i < count && !err; i++)
        if (script.poison_id && !rows[i].is_event && rows[i].id == script.poison_id) {
            *bad = i;
            snprintf(why, why_size, "poison");
            err = -EBADMSG;
        }
    for (size_t i = 0; i < count && !err; i++)
        write_down(&rows[i]);
    pthread_cond_broadcast(&script.news);
    pthread_mutex_unlock(&script.lock);
    return err;
}

static void scripted_close(void *self)
{
    (void)self;
    script.closed++;
}

static int64_t scripted_pause(void *self)
{
    (void)self;
    return script.pause_ms;
}

static const struct sink_driver scripted = { .name = "scripted", .open = scripted_open, .deliver = scripted_deliver,
                                             .close = scripted_close, .pause_ms = scripted_pause };

static void on_cursor(const char *sink, int64_t fact_id, int64_t event_id, void *arg)
{
    (void)arg;
    assert_string_equal(sink, "s");
    pthread_mutex_lock(&script.lock);
    script.fact_cursor = fact_id;
    script.event_cursor = event_id;
    script.cursor_moves++;
    if (fact_id > script.fact_done && !script.poison_id)
        script.cursor_ran_ahead = true;
    pthread_cond_broadcast(&script.news);
    pthread_mutex_unlock(&script.lock);
}

/* ---- helpers ---- */

static char dir[64];

static int group_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sinks-t-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int group_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

static int up(void **state)
{
    const pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const pthread_cond_t news = PTHREAD_COND_INITIALIZER;

    (void)state;
    memset(&script, 0, sizeof script);
    script.lock = lock;
    script.news = news;
    journal_fake_reset();
    return 0;
}

static char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static struct sink_options options(void)
{
    static char dead[128];

    snprintf(dead, sizeof dead, "%s/dead", dir);
    return (struct sink_options){ .driver = &scripted, .settings = { .name = "s", .deadline_ms = 30000, .secret = "pa55w/rd" }, .journal_path = "none",
                                  .carries = SINK_FACTS | SINK_EVENTS, .retry_min_ms = 4, .retry_max_ms = 20, .dead_letter_file = dead,
                                  .on_cursor = on_cursor, .log = &help_log };
}

static struct sink *open_sink(const struct sink_options *o)
{
    struct sink *s = NULL;
    char *problem;

    assert_int_equal(sink_open(&s, o, &problem), 0);
    assert_null(problem);
    return s;
}

/* Waits until *what is at least n; a test that would hang fails. */
static void wait_count(const size_t *what, size_t n)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 30;
    pthread_mutex_lock(&script.lock);
    while (*what < n)
        assert_int_equal(pthread_cond_timedwait(&script.news, &script.lock, &at), 0);
    pthread_mutex_unlock(&script.lock);
}

static void wait_cursor(int64_t fact, int64_t event)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 30;
    pthread_mutex_lock(&script.lock);
    while (script.fact_cursor < fact || script.event_cursor < event)
        assert_int_equal(pthread_cond_timedwait(&script.news, &script.lock, &at), 0);
    pthread_mutex_unlock(&script.lock);
}

static void add_facts(int n)
{
    for (int i = 0; i < n; i++)
        journal_fake_fact("call.started", "c1", NULL);
}

/* ---- tests ---- */

static void test_delivers_in_order_and_then_moves_the_cursor(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    o.batch_max = 100;
    add_facts(1234);
    s = open_sink(&o);
    wait_cursor(1234, 0);
    for (int i = 0; i < 1234; i++) {
        char key[64];

        snprintf(key, sizeof key, "pbx1/77/%d/%d", i / 2 + 1, i % 2);
        assert_string_equal(script.keys[i], key);
    }
    assert_int_equal(script.delivered, 1234);
    assert_false(script.cursor_ran_ahead);
    sink_figures_of(s, &f);
    assert_int_equal(f.delivered, 1234);
    assert_int_equal(f.queue_depth, 0);
    assert_int_equal(f.lag_us, 0);
    assert_false(f.is_failing);
    /* What comes later is delivered when the sink is woken. */
    add_facts(3);
    sink_wake(s);
    wait_cursor(1237, 0);
    assert_int_equal(script.delivered, 1237);
    sink_close(s, 1000);
    assert_int_equal(script.closed, 1);
}

static void test_a_new_sink_is_told_at_once_so_that_nothing_is_deleted_before_it(void **state)
{
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    (void)state;
    wait_count(&script.cursor_moves, 1);
    assert_int_equal(script.fact_cursor, 0);
    sink_close(s, 0);
}

static void test_it_is_woken_by_itself_too(void **state)
{
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    (void)state;
    wait_count(&script.cursor_moves, 1);
    add_facts(1);
    wait_cursor(1, 0);
    sink_close(s, 0);
}

static void test_a_failure_repeats_the_same_rows(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    script.fail_times = 5;
    script.err = -EAGAIN;
    add_facts(10);
    s = open_sink(&o);
    wait_cursor(10, 0);
    sink_figures_of(s, &f);
    assert_int_equal(f.retries, 5);
    assert_int_equal(script.calls, 6);
    assert_int_equal(script.delivered, 10);
    assert_false(f.is_failing);
    assert_string_equal(f.last_problem, "told so");
    sink_close(s, 0);
}

static void test_while_it_fails_depth_and_age_are_shown_and_the_cursor_stays(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    script.fail_times = 1000000;
    script.err = -EIO;
    script.why = "server says: \r\nuser:pa55w/rd pa55w%2Frd";
    add_facts(10);
    s = open_sink(&o);
    wait_count(&script.calls, 3);
    sink_figures_of(s, &f);
    assert_true(f.is_failing);
    assert_int_equal(f.queue_depth, 10);
    assert_true(f.lag_us > 0);
    assert_string_equal(f.last_problem, "server says:   user:*** ***");
    assert_int_equal(script.fact_cursor, 0);
    sink_close(s, 0);
}

static void test_backoff_grows_and_has_a_ceiling(void **state)
{
    struct sink_options o = options();
    struct sink *s;

    (void)state;
    o.retry_min_ms = 20;
    o.retry_max_ms = 80;
    script.fail_times = 1000000;
    script.err = -EAGAIN;
    add_facts(1);
    s = open_sink(&o);
    wait_count(&script.calls, 6);
    /* At least half of 20, 40, 80, 80, 80. */
    const int64_t least[] = { 10, 20, 40, 40, 40 };

    for (int i = 0; i < 5; i++)
        assert_true(script.call_at[i + 1] - script.call_at[i] >= least[i] * 1000);
    sink_close(s, 0);
}

static void test_the_other_side_may_ask_to_be_left_alone(void **state)
{
    struct sink_options o = options();
    struct sink *s;

    (void)state;
    script.fail_times = 1;
    script.err = -EAGAIN;
    script.pause_ms = 300;
    add_facts(1);
    s = open_sink(&o);
    wait_cursor(1, 0);
    assert_true(script.call_at[1] - script.call_at[0] >= 300000);
    sink_close(s, 0);
}

static size_t read_file(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    n = fread(out, 1, size - 1, f);
    out[n] = 0;
    fclose(f);
    return n;
}

static void test_a_poison_row_goes_to_the_dead_letters(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct stat st;
    char text[2000];
    struct sink *s;

    (void)state;
    script.poison_id = 4;
    for (int i = 1; i <= 9; i++)
        journal_fake_fact("call.started", "c1", i == 4 ? "{\"a\":\"b\"}" : NULL);
    s = open_sink(&o);
    wait_cursor(9, 0);
    sink_figures_of(s, &f);
    sink_close(s, 0);
    assert_int_equal(f.dead, 1);
    assert_int_equal(f.delivered, 8);
    assert_int_equal(script.delivered, 8);
    for (size_t i = 0; i < 8; i++)
        assert_string_not_equal(script.keys[i], "pbx1/77/2/1");
    read_file(path_of("dead"), text, sizeof text);
    assert_non_null(strstr(text, "{\"key\":\"pbx1/77/2/1\",\"id\":4,"));
    assert_non_null(strstr(text, "\"detail\":{\"a\":\"b\"},\"sink\":\"s\",\"dead_at\":\"20"));
    assert_non_null(strstr(text, "\"why\":\"poison\"}\n"));
    assert_int_equal(stat(path_of("dead"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path_of("dead")), 0);
}

static void test_a_poison_row_alone(void **state)
{
    struct sink_options o = options();
    struct sink *s;

    (void)state;
    script.poison_id = 1;
    add_facts(1);
    s = open_sink(&o);
    wait_cursor(1, 0);
    sink_close(s, 0);
    assert_int_equal(script.delivered, 0);
    assert_int_equal(unlink(path_of("dead")), 0);
}

static void test_a_row_that_no_list_takes_is_not_lost(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    o.dead_letter_file = "/proc/none/dead";
    script.poison_id = 2;
    add_facts(3);
    s = open_sink(&o);
    wait_count(&script.calls, 3);
    sink_figures_of(s, &f);
    assert_true(f.is_failing);
    assert_non_null(strstr(f.last_problem, "dead-letter list /proc/none/dead cannot take a row"));
    assert_int_equal(f.dead, 0);
    assert_int_equal(script.fact_cursor, 0);
    sink_close(s, 0);
    assert_int_equal(script.delivered, 0);
}

static void test_a_kill_between_delivery_and_cursor_repeats_with_the_same_keys(void **state)
{
    struct sink_options o = options();
    struct sink *s;

    (void)state;
    o.batch_max = 5;
    add_facts(10);
    s = open_sink(&o);
    wait_cursor(10, 0);
    sink_close(s, 0);
    journal_fake_cursor("s", 5, 0); /* the second batch's cursor was never durable */
    script.fact_cursor = 0;
    script.delivered = 10;
    s = open_sink(&o);
    wait_cursor(10, 0);
    sink_close(s, 0);
    assert_int_equal(script.delivered, 15);
    for (int i = 0; i < 5; i++)
        assert_string_equal(script.keys[10 + i], script.keys[5 + i]);
}

static void test_a_stalled_driver_closes_within_the_linger(void **state)
{
    struct sink_options o = options();
    struct sink *s;
    int64_t before;

    (void)state;
    script.stalls = true;
    add_facts(1);
    s = open_sink(&o);
    wait_count(&script.calls, 1);
    before = clock_mono_us();
    sink_close(s, 200);
    assert_true(clock_mono_us() - before < 10 * 1000000);   /* its deadline was 30 s */
    assert_true(clock_mono_us() - before >= 200000);
    assert_int_equal(script.closed, 1);
}

static void test_a_sink_in_backoff_closes_within_the_linger(void **state)
{
    struct sink_options o = options();
    struct sink *s;
    int64_t before;

    (void)state;
    o.retry_min_ms = o.retry_max_ms = 60000;
    script.fail_times = 1000000;
    script.err = -EAGAIN;
    add_facts(1);
    s = open_sink(&o);
    wait_count(&script.calls, 1);
    before = clock_mono_us();
    sink_close(s, 50);
    assert_true(clock_mono_us() - before < 10 * 1000000);
}

static void test_closing_delivers_what_is_left(void **state)
{
    struct sink_options o = options();
    struct sink *s;

    (void)state;
    o.batch_max = 1;
    s = open_sink(&o);
    wait_count(&script.cursor_moves, 1);
    add_facts(500);
    sink_close(s, 20000);
    assert_int_equal(script.delivered, 500);
    assert_int_equal(script.fact_cursor, 500);
}

static void test_only_the_kinds_that_are_wanted(void **state)
{
    static const char *const kinds[] = { "queue.*", "call.ended" };
    struct sink_options o = options();
    struct sink *s;

    (void)state;
    o.carries = SINK_FACTS;
    o.kinds = kinds;
    o.kind_count = 2;
    o.batch_max = 2;
    journal_fake_fact("call.started", "1", NULL);
    journal_fake_fact("queue.joined", "1", NULL);
    journal_fake_fact("queues", "1", NULL);
    journal_fake_fact("call.ended", "1", NULL);
    journal_fake_fact("call.ended.not", "1", NULL);
    journal_fake_event("Hangup", "1");
    s = open_sink(&o);
    wait_cursor(5, 1);          /* unwanted rows and the other table are passed, so retention is not held back */
    sink_close(s, 0);
    assert_int_equal(script.delivered, 2);
    assert_string_equal(script.kinds[0], "queue.joined");
    assert_string_equal(script.kinds[1], "call.ended");
}

static void test_facts_and_events_take_turns(void **state)
{
    struct sink_options o = options();
    struct sink *s;
    size_t first_event = 0;

    (void)state;
    o.batch_max = 10;
    add_facts(100);
    for (int i = 0; i < 100; i++)
        journal_fake_event("Hangup", "1.1");
    s = open_sink(&o);
    wait_cursor(100, 100);
    sink_close(s, 0);
    assert_int_equal(script.delivered, 200);
    while (strcmp(script.kinds[first_event], "Hangup") != 0)
        first_event++;
    assert_int_equal(first_event, 10);
    assert_string_equal(script.keys[10], "pbx1/77/1/e");
}

static void test_a_journal_that_cannot_be_had_is_waited_for(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    journal_fake_fail(-ENOENT, -EIO);
    add_facts(2);
    s = open_sink(&o);
    do {
        sink_figures_of(s, &f);
        poll(NULL, 0, 1);
    } while (f.retries < 2);
    assert_non_null(strstr(f.last_problem, "the journal cannot be opened"));
    journal_fake_fail(0, -EIO);
    do {
        sink_figures_of(s, &f);
        poll(NULL, 0, 1);
    } while (!strstr(f.last_problem, "the journal's facts cannot be read"));
    journal_fake_fail(0, 0);
    wait_cursor(2, 0);
    sink_close(s, 0);
    assert_int_equal(script.delivered, 2);
}

static void test_a_driver_that_refuses_its_settings(void **state)
{
    struct sink_options o = options();
    struct sink *s = NULL;
    char *problem;

    (void)state;
    script.refuses_open = true;
    assert_int_equal(sink_open(&s, &o, &problem), -EINVAL);
    assert_string_equal(problem, "sink s: no");
    free(problem);
    assert_null(s);
    sink_close(NULL, 0);
}

static void test_drivers_by_name(void **state)
{
    (void)state;
    assert_string_equal(sink_driver_named("jsonl")->name, "jsonl");
    assert_null(sink_driver_named("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_delivers_in_order_and_then_moves_the_cursor, up),
        cmocka_unit_test_setup(test_a_new_sink_is_told_at_once_so_that_nothing_is_deleted_before_it, up),
        cmocka_unit_test_setup(test_it_is_woken_by_itself_too, up),
        cmocka_unit_test_setup(test_a_failure_repeats_the_same_rows, up),
        cmocka_unit_test_setup(test_while_it_fails_depth_and_age_are_shown_and_the_cursor_stays, up),
        cmocka_unit_test_setup(test_backoff_grows_and_has_a_ceiling, up),
        cmocka_unit_test_setup(test_the_other_side_may_ask_to_be_left_alone, up),
        cmocka_unit_test_setup(test_a_poison_row_goes_to_the_dead_letters, up),
        cmocka_unit_test_setup(test_a_poison_row_alone, up),
        cmocka_unit_test_setup(test_a_row_that_no_list_takes_is_not_lost, up),
        cmocka_unit_test_setup(test_a_kill_between_delivery_and_cursor_repeats_with_the_same_keys, up),
        cmocka_unit_test_setup(test_a_stalled_driver_closes_within_the_linger, up),
        cmocka_unit_test_setup(test_a_sink_in_backoff_closes_within_the_linger, up),
        cmocka_unit_test_setup(test_closing_delivers_what_is_left, up),
        cmocka_unit_test_setup(test_only_the_kinds_that_are_wanted, up),
        cmocka_unit_test_setup(test_facts_and_events_take_turns, up),
        cmocka_unit_test_setup(test_a_journal_that_cannot_be_had_is_waited_for, up),
        cmocka_unit_test_setup(test_a_driver_that_refuses_its_settings, up),
        cmocka_unit_test_setup(test_drivers_by_name, up),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
