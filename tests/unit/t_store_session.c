/* Recordings in the store: written whole, bounded by route, dropped and counted when full, read back byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/store.h"

static const struct log_sink quiet_sink = { .fd = 2, .level = LOG_OFF };
static const struct log quiet = { .sink = &quiet_sink, .module = "test" };

struct place {
    char dir[64], db[96];
    struct store *store;
    int64_t ids[4096];
    char last_bytes[64];
    size_t count, last_n;
    struct recording last;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    char *problem;

    snprintf(p->dir, sizeof p->dir, "/tmp/sidetone-sessions-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/s.db", p->dir);
    assert_int_equal(store_open(&p->store, p->db, &quiet, &problem), 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    store_close(p->store);
    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static struct recording *recording_make(const char *route, unsigned nth, unsigned keep, size_t n)
{
    struct recording *r = calloc(1, sizeof *r);

    assert_non_null(r);
    text_copy(r->route, sizeof r->route, text_of(route));
    snprintf(r->call, sizeof r->call, "17.%u", nth);
    snprintf(r->status, sizeof r->status, "OK");
    snprintf(r->reason, sizeof r->reason, "because %u", nth);
    r->wall_us = 1000 + nth;
    r->us = 5;
    r->commands = nth;
    r->keep = keep;
    r->is_masked = nth % 2;
    r->bytes = calloc(1, n);
    assert_non_null(r->bytes);
    memcpy(r->bytes, "a\0b\xff\n", n < 5 ? n : 5);
    r->n = n;
    return r;
}

static bool put(struct place *p, const char *route, unsigned nth, unsigned keep, size_t n)
{
    const struct recording_sink *sink = store_recordings(p->store);

    return sink->keep(sink->arg, recording_make(route, nth, keep, n));
}

static void on_session(int64_t id, const struct recording *r, void *arg)
{
    struct place *p = arg;

    p->ids[p->count++] = id;
    p->last = *r;
    p->last_n = r->n;
    if (r->bytes)
        memcpy(p->last_bytes, r->bytes, r->n < sizeof p->last_bytes ? r->n : sizeof p->last_bytes);
}

static void close_store(struct place *p)
{
    store_close(p->store);
    p->store = NULL;
}

static size_t count_of(struct place *p, const char *route)
{
    struct store_reader *reader;
    int64_t after = 0;

    p->count = 0;
    assert_int_equal(store_reader_open(&reader, p->db), 0);
    const int n = store_reader_sessions(reader, text_of(route), &after, 4000, on_session, p);

    assert_int_equal(n, p->count);
    store_reader_close(reader);
    return p->count;
}

static void what_went_in_comes_out(void **state)
{
    struct place *p = *state;
    struct store_reader *reader;

    assert_true(put(p, "a", 7, 100, 5));
    close_store(p); /* writes what waits */
    assert_int_equal(count_of(p, "a"), 1);
    assert_int_equal(count_of(p, ""), 1);
    assert_int_equal(count_of(p, "b"), 0);
    assert_int_equal(count_of(p, "a"), 1);
    assert_int_equal(store_reader_open(&reader, p->db), 0);
    assert_int_equal(store_reader_session(reader, p->ids[0], on_session, p), 1);
    assert_string_equal(p->last.route, "a");
    assert_string_equal(p->last.call, "17.7");
    assert_string_equal(p->last.reason, "because 7");
    assert_int_equal(p->last.wall_us, 1007);
    assert_int_equal(p->last.us, 5);
    assert_int_equal(p->last.commands, 7);
    assert_true(p->last.is_masked && !p->last.is_cut);
    assert_int_equal(p->last_n, 5);
    assert_memory_equal(p->last_bytes, "a\0b\xff\n", 5);
    assert_int_equal(store_reader_session(reader, 999, on_session, p), 0);
    store_reader_close(reader);
}

static void the_oldest_of_a_route_go(void **state)
{
    struct place *p = *state;

    for (unsigned i = 0; i < 300; i++) {
        while (!put(p, "a", i, 10, 40))
            usleep(1000);
        if (i < 4)
            assert_true(put(p, "b", i, 10, 40));
    }
    close_store(p);
    assert_int_equal(count_of(p, "a"), 10);
    assert_string_equal(p->last.call, "17.299");
    assert_int_equal(count_of(p, "b"), 4);
    assert_int_equal(count_of(p, ""), 14);
}

static void a_full_queue_drops_and_counts(void **state)
{
    struct place *p = *state;
    sqlite3 *other;
    unsigned kept = 0;

    assert_int_equal(sqlite3_open(p->db, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK); /* the writer waits */
    for (unsigned i = 0; i < STORE_SESSIONS_MAX + 500; i++)
        kept += put(p, "a", i, 1000000, 10);
    assert_true(kept >= STORE_SESSIONS_MAX && kept < STORE_SESSIONS_MAX + 500);
    assert_int_equal(store_sessions_dropped(p->store), STORE_SESSIONS_MAX + 500 - kept);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    close_store(p);
    {
        struct store_reader *reader;
        int64_t after = 0;
        size_t all = 0;
        int n;

        assert_int_equal(store_reader_open(&reader, p->db), 0);
        while (p->count = 0, (n = store_reader_sessions(reader, TEXT_NONE, &after, 1000, on_session, p)) > 0)
            all += (size_t)n;
        assert_int_equal(n, 0);
        assert_int_equal(all, kept);
        store_reader_close(reader);
    }
}

static void bytes_that_wait_have_a_ceiling(void **state)
{
    struct place *p = *state;
    sqlite3 *other;
    unsigned kept = 0;

    assert_int_equal(sqlite3_open(p->db, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 0; i < 80; i++)
        kept += put(p, "a", i, 1000, 1 << 20);
    assert_int_equal(kept, STORE_SESSIONS_BYTES >> 20);
    assert_int_equal(store_sessions_dropped(p->store), 80 - kept);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

static void an_older_file_is_brought_up_to_date(void **state)
{
    struct place *p = *state;
    sqlite3 *db;
    char *problem;

    close_store(p);
    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE session; PRAGMA user_version=1;"
                                  "INSERT INTO lookup VALUES('t','k','v')", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_open(&p->store, p->db, &quiet, &problem), 0);
    assert_true(put(p, "a", 1, 10, 5));
    close_store(p);
    assert_int_equal(count_of(p, "a"), 1);
    {
        struct store_reader *reader;
        char *value = NULL;
        size_t n = 0;

        assert_int_equal(store_reader_open(&reader, p->db), 0);
        assert_int_equal(store_reader_lookup(reader, TEXT("t"), TEXT("k"), &value, &n), 1);
        assert_int_equal(n, 1);
        assert_string_equal(value, "v");
        free(value);
        assert_int_equal(store_reader_lookup(reader, TEXT("t"), TEXT("x"), &value, &n), 0);
        store_reader_close(reader);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_went_in_comes_out), T(the_oldest_of_a_route_go), T(a_full_queue_drops_and_counts), T(bytes_that_wait_have_a_ceiling),
        T(an_older_file_is_brought_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
