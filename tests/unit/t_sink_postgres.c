/* The sink into a real PostgreSQL: stopped, killed, filled up and restarted; afterwards every row is there, exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "journal_fake.h"
#include "net_help.h"
#include "real_server.h"
#include "sink/sink_parts.h"

static struct real_server server;
static char bin[256];           /* the folder of PostgreSQL's programs; "": not installed */
static char url[160];
static char dead[128];

/* ---- the server ---- */

static const char *program(const char *name)
{
    static char path[300];

    snprintf(path, sizeof path, "%s/%s", bin, name);
    return path;
}

static void server_start(void)
{
    char port[8];

    snprintf(port, sizeof port, "%u", server.port);
    const char *const argv[] = { program("postgres"), "-D", "data", "-h", "127.0.0.1", "-p", port, "-k", server.dir, "-c", "fsync=off",
                                 "-c", "full_page_writes=off", "-c", "shared_buffers=16MB", "-c", "max_wal_size=64MB", NULL };

    real_server_spawn(&server, argv);
    real_server_wait(&server);
}

static int group_up(void **state)
{
    const char *initdb = real_server_program("/usr/lib/postgresql/*/bin/initdb");

    (void)state;
    if (!initdb)
        return 0;
    snprintf(bin, sizeof bin, "%.*s", (int)(strrchr(initdb, '/') - initdb), initdb);
    real_server_make(&server, "sinks-pg");
    snprintf(url, sizeof url, "postgres://test@127.0.0.1:%u/postgres", server.port);
    snprintf(dead, sizeof dead, "/tmp/sinks-pg-%d.dead", (int)getpid());
    /* Files of the log of 1 MB: the limit that fills the server up shall meet a table first. */
    const char *const argv[] = { program("initdb"), "-D", "data", "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C",
                                 "--wal-segsize=1", NULL };

    assert_int_equal(real_server_run(&server, argv), 0);
    server_start();
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    if (bin[0])
        real_server_free(&server);
    return 0;
}

/* ---- looking at the tables ---- */

static PGconn *look(void)
{
    for (int i = 0; i < 500; i++) {     /* "the database system is starting up" */
        PGconn *c = PQconnectdb(url);

        if (PQstatus(c) == CONNECTION_OK)
            return c;
        PQfinish(c);
        poll(NULL, 0, 20);
    }
    fail_msg("PostgreSQL takes no connection");
    return NULL;
}

/* The first value, as text; static. */
static const char *ask(const char *sql)
{
    static char out[4096];
    PGconn *c = look();
    PGresult *r = PQexec(c, sql);

    if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    snprintf(out, sizeof out, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(c);
    return out;
}

/* ---- the sink ---- */

static _Atomic int64_t cursor[2];       /* what was made durable; the test decides when */
static bool keeps_cursor;

static void on_cursor(const char *name, int64_t fact_id, int64_t event_id, void *arg)
{
    (void)arg;
    if (keeps_cursor)
        journal_fake_cursor(name, fact_id, event_id);
    cursor[0] = fact_id;
    cursor[1] = event_id;
}

static int up(void **state)
{
    (void)state;
    if (!bin[0])
        return 0;
    journal_fake_reset();
    keeps_cursor = true;
    ask("DROP TABLE IF EXISTS sidetone_facts, sidetone_events, sidetone_schema_version; SELECT 1");
    return 0;
}

static struct sink_options options(void)
{
    return (struct sink_options){
        .driver = sink_driver_named("postgres"), .settings = { .name = "pg", .url = url, .deadline_ms = 5000 }, .journal_path = "none",
        .carries = SINK_FACTS | SINK_EVENTS, .batch_max = 200, .retry_min_ms = 10, .retry_max_ms = 100, .dead_letter_file = dead,
        .on_cursor = on_cursor, .log = &help_log,
    };
}

static struct sink *open_sink(const struct sink_options *o)
{
    struct sink *s = NULL;
    char *problem;

    cursor[0] = cursor[1] = -1;
    assert_int_equal(sink_open(&s, o, &problem), 0);
    return s;
}

static void facts(int n)
{
    for (int i = 0; i < n; i++)
        journal_fake_fact(i % 10 ? "call.ended" : "queue.joined", "17.1", "{\"caller\":\"1001\",\"pad\":\"0123456789012345678901234567890123456789\"}");
}

static void events(int n)
{
    for (int i = 0; i < n; i++)
        journal_fake_event("Hangup", "17.1");
}

typedef bool check_fn(const struct sink_figures *f);
/* The cursor has passed all that is in the journal: its depth is unknown to a sink that has not looked yet. */
static bool is_empty(const struct sink_figures *f) { return !f->is_failing && cursor[0] == journal_last_fact(NULL) && cursor[1] == journal_last_event(NULL); }
static bool has_300(const struct sink_figures *f) { return f->delivered == 300; }
static bool is_failing(const struct sink_figures *f) { return f->is_failing; }
static bool is_filled(const struct sink_figures *f) { return f->is_failing && strstr(f->last_problem, "could not extend"); }

static struct sink_figures wait_until(struct sink *s, check_fn *holds)
{
    struct sink_figures f;
    const int64_t until = clock_mono_us() + 60 * 1000000;

    for (;;) {
        sink_wake(s);
        sink_figures_of(s, &f);
        if (holds(&f))
            return f;
        if (clock_mono_us() > until)
            fail_msg("waited in vain; depth %llu, failing %d: %s", (unsigned long long)f.queue_depth, f.is_failing, f.last_problem);
        poll(NULL, 0, 5);
    }
}

/* Every fact and event that the journal has is there once; the keys of the journal in memory are known by heart. */
static void check_tables(int fact_count, int event_count)
{
    char want[64], sql[512];

    snprintf(want, sizeof want, "%d", fact_count);
    assert_string_equal(ask("SELECT count(*) FROM sidetone_facts"), want);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM generate_series(0, %d) g JOIN sidetone_facts f ON f.node = 'pbx1' AND f.session = 77"
             " AND f.seq = g / 2 + 1 AND f.n = g %% 2 AND f.at = to_timestamp(1700000000 + g / 1000.0)", fact_count - 1);
    assert_string_equal(ask(sql), want);
    snprintf(want, sizeof want, "%d", event_count);
    assert_string_equal(ask("SELECT count(*) FROM sidetone_events"), want);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM generate_series(1, %d) g JOIN sidetone_events e ON e.node = 'pbx1' AND e.session = 77"
             " AND e.seq = g", event_count);
    assert_string_equal(ask(sql), want);
}

#define NEEDS_SERVER()  \
    do {                \
        (void)state;    \
        if (!bin[0])    \
            skip();     \
    } while (0)

/* ---- tests ---- */

static void test_rows_arrive_with_their_types(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    journal_fake_fact("call.ended", "17.1", "{\"a\":\"tab\\tquote\\\"back\\\\slash nul\\u0000 even\\\\u0000\",\"n\":1}");
    journal_fake_fact("odd\tkind\\\n", "\xff\xc3\x28", "{\"raw\":\"\xff\"}");
    events(1);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    assert_string_equal(ask("SELECT detail->>'a' FROM sidetone_facts WHERE n = 0"), "tab\tquote\"back\\slash nul\xef\xbf\xbd even\\u0000");
    assert_string_equal(ask("SELECT kind || call || (detail->>'raw') FROM sidetone_facts WHERE n = 1"),
                        "odd\tkind\\\n\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd");
    assert_string_equal(ask("SELECT name || call || (detail->'Variable'->>1) FROM sidetone_events"), "Hangup17.1b=\"2\"");
    assert_string_equal(ask("SELECT extract(epoch FROM at) FROM sidetone_facts WHERE n = 1"), "1700000000.001000");
}

static void test_stopped_and_restarted(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    facts(2000);
    wait_until(s, is_empty);
    real_server_kill(&server, SIGINT);              /* fast shutdown, in order */
    facts(1000);
    events(500);
    wait_until(s, is_failing);
    server_start();
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_tables(3000, 500);
}

static void test_killed_in_the_middle_again_and_again(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    for (int round = 0; round < 5; round++) {
        facts(1500);
        events(500);
        sink_wake(s);
        poll(NULL, 0, 4 * round);                   /* somewhere in the middle: where does not matter */
        real_server_kill(&server, SIGQUIT);         /* immediate: as after a crash */
        server_start();
    }
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_tables(7500, 2500);
}

static void test_filled_up(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);
    int more = 0;
    int64_t held;

    facts(500);
    wait_until(s, is_empty);
    real_server_file_limit(&server, 1 << 20);       /* a megabyte a file, less than the rows need */
    for (; more < 12000; more += 1000)
        facts(1000);
    wait_until(s, is_filled);
    held = cursor[0];
    assert_true(held < 12500);
    real_server_file_limit(&server, 0);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_tables(12500, 0);
}

static void test_a_lost_cursor_changes_nothing(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s;

    keeps_cursor = false;                           /* as if each run had been killed before its cursor was durable */
    facts(1000);
    events(1000);
    for (int run = 0; run < 3; run++) {
        s = open_sink(&o);
        if (run > 0)
            wait_until(s, is_empty);
        else
            poll(NULL, 0, 100);                     /* the first one ends somewhere in the middle */
        sink_close(s, run > 0 ? 1000 : 0);
    }
    check_tables(1000, 1000);
}

static void test_a_poison_row_is_found_and_the_rest_is_stored(void **state)
{
    NEEDS_SERVER();
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;
    FILE *list;
    char line[1024];

    facts(50);
    journal_fake_fact("call.ended", "17.1", "{\"broken\":}");  /* refused by COPY, which names the line */
    facts(49);
    s = open_sink(&o);
    f = wait_until(s, is_empty);
    assert_int_equal(f.dead, 1);
    assert_string_equal(ask("SELECT count(*) FROM sidetone_facts"), "99");
    /* One that only the INSERT refuses, without a line: found by trying. */
    ask("ALTER TABLE sidetone_facts ADD CONSTRAINT no_busy CHECK (kind <> 'poison'); SELECT 1");
    facts(5);
    journal_fake_fact("poison", "17.1", NULL);
    facts(5);
    f = wait_until(s, is_empty);
    sink_close(s, 1000);
    assert_int_equal(f.dead, 2);
    assert_string_equal(ask("SELECT count(*) FROM sidetone_facts"), "109");
    list = fopen(dead, "r");
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    assert_non_null(strstr(line, "\"id\":51,"));
    assert_non_null(fgets(line, sizeof line, list));
    assert_non_null(strstr(line, "\"kind\":\"poison\""));
    fclose(list);
    assert_int_equal(unlink(dead), 0);
}

static void test_a_locked_table_ends_at_the_deadline(void **state)
{
    NEEDS_SERVER();
    struct sink_options o = options();
    struct sink *s;
    PGconn *other;
    struct sink_figures f;

    facts(10);
    s = open_sink(&o);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    o.settings.deadline_ms = 300;
    other = look();
    PQclear(PQexec(other, "BEGIN; LOCK TABLE sidetone_facts IN ACCESS EXCLUSIVE MODE"));
    facts(10);
    s = open_sink(&o);
    f = wait_until(s, is_failing);
    assert_true(f.queue_depth == 10);
    PQclear(PQexec(other, "ROLLBACK"));
    PQfinish(other);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_tables(20, 0);
}

static void test_tables_grow_from_version_to_version(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s;
    struct sink_figures f;

    /* An older program's: version 1. */
    ask("CREATE TABLE sidetone_schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());"
        "INSERT INTO sidetone_schema_version (version) VALUES (1);"
        "CREATE TABLE sidetone_facts (node text NOT NULL, session bigint NOT NULL, seq bigint NOT NULL, n integer NOT NULL, at timestamptz NOT NULL,"
        " kind text NOT NULL, call text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (node, session, seq, n));"
        "CREATE TABLE sidetone_events (node text NOT NULL, session bigint NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL,"
        " name text NOT NULL, call text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (node, session, seq)); SELECT 1");
    facts(10);
    s = open_sink(&o);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    assert_string_equal(ask("SELECT string_agg(version::text, ',' ORDER BY version) FROM sidetone_schema_version"), "1,2");
    assert_string_equal(ask("SELECT count(*) FROM pg_indexes WHERE indexname = 'sidetone_facts_call'"), "1");
    check_tables(10, 0);
    /* A younger program's: hands off. */
    ask("INSERT INTO sidetone_schema_version (version) VALUES (99); SELECT 1");
    facts(10);
    s = open_sink(&o);
    f = wait_until(s, is_failing);
    sink_close(s, 0);
    assert_string_equal(f.last_problem, "the tables sidetone_* have version 99, this program knows 2");
}

static void test_two_sinks_make_the_tables_at_once(void **state)
{
    NEEDS_SERVER();
    struct sink_options o = options();
    struct sink *s[3];
    static const char *const names[] = { "a", "b", "c" };

    facts(300);
    for (int i = 0; i < 3; i++) {
        o.settings.name = names[i];
        s[i] = open_sink(&o);
    }
    for (int i = 0; i < 3; i++)
        wait_until(s[i], has_300);
    for (int i = 0; i < 3; i++)
        sink_close(s[i], 1000);
    check_tables(300, 0);
}

/* ---- without a real server ---- */

static void test_settings_that_cannot_be(void **state)
{
    static const struct { const char *url, *prefix; } bad[] = {
        { NULL, NULL }, { "mysql://x", NULL }, { "postgres://h/d", "Upper" }, { "postgres://h/d", "a;b" },
        { "postgres://h/d", "1a" }, { "postgres://h/d", "a23456789012345678901234567890123456789012" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sink_options o = options();
        struct sink *s;
        char *problem;

        o.settings.url = bad[i].url;
        o.settings.table_prefix = bad[i].prefix;
        if (sink_open(&s, &o, &problem) == 0)
            fail_msg("taken: %zu", i);
        assert_non_null(problem);
        free(problem);
    }
}

struct odd_peer {
    int listener;
    const char *says;
    size_t n;
};

/* Takes one connection, says something odd (or nothing), and holds it until the other side has gone. */
static void *odd(void *arg)
{
    const struct odd_peer *p = arg;
    int fd;

    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        char junk[1024];

        (void)!recv(fd, junk, sizeof junk, 0);
        if (p->n > 0)
            help_write(fd, p->says, p->n);
        help_read_end(fd);
        close(fd);
    }
    return NULL;
}

static void test_hostile_and_silent_servers(void **state)
{
    static const struct { const char *says; size_t n; const char *why; } cases[] = {
        { "", 0, "no answer in time" },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", 28, "PostgreSQL" },
        { "\0\0\0\0\0\0\0\0\0", 9, "PostgreSQL" },
        { "E\x7f\xff\xff\xff", 5, "PostgreSQL" },
        { "E\0\0\0\x29" "SFATAL\0C28P01\0Mno: s3cret-word\n\x1b[0m\0", 42, "***" },
        { "R\0\0\0\x0c\0\0\0\x05" "abcd", 13, "no answer in time" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sink_options o = options();
        struct odd_peer p = { .says = cases[i].says, .n = cases[i].n };
        struct sink_figures f;
        char here[64];
        pthread_t id;
        uint16_t port;
        struct sink *s;
        int64_t before;

        journal_fake_reset();
        p.listener = help_listen(&port);
        assert_int_equal(pthread_create(&id, NULL, odd, &p), 0);
        snprintf(here, sizeof here, "postgres://test@127.0.0.1:%u/x?sslmode=disable", port);
        o.settings.url = here;
        o.settings.secret = "s3cret-word";
        o.settings.deadline_ms = 200;
        facts(1);
        s = open_sink(&o);
        f = wait_until(s, is_failing);
        before = clock_mono_us();
        sink_close(s, 100);
        assert_true(clock_mono_us() - before < 10 * 1000000);
        if (!strstr(f.last_problem, cases[i].why))
            fail_msg("%zu: %s", i, f.last_problem);
        assert_null(strstr(f.last_problem, "s3cret"));
        assert_null(strchr(f.last_problem, '\n'));
        assert_int_equal(f.delivered, 0);
        shutdown(p.listener, SHUT_RDWR);
        pthread_join(id, NULL);
        close(p.listener);
    }
}

static void test_a_silent_server_does_not_hold_up_the_end(void **state)
{
    struct sink_options o = options();
    struct sink *s;
    char here[64];
    uint16_t port;
    const int listener = help_listen(&port);    /* the kernel accepts, nobody answers */
    int64_t before;

    (void)state;
    journal_fake_reset();
    snprintf(here, sizeof here, "postgres://test@127.0.0.1:%u/x", port);
    o.settings.url = here;
    o.settings.deadline_ms = 60000;
    facts(1);
    s = open_sink(&o);
    poll(NULL, 0, 50);
    before = clock_mono_us();
    sink_close(s, 100);
    assert_true(clock_mono_us() - before < 20 * 1000000);
    close(listener);
}

static void test_names_that_do_not_exist(void **state)
{
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    journal_fake_reset();
    o.settings.url = "postgres://test@no-such-name.invalid/x";
    facts(1);
    s = open_sink(&o);
    f = wait_until(s, is_failing);
    assert_non_null(strstr(f.last_problem, "no-such-name.invalid: "));
    sink_close(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rows_arrive_with_their_types, up),
        cmocka_unit_test_setup(test_stopped_and_restarted, up),
        cmocka_unit_test_setup(test_killed_in_the_middle_again_and_again, up),
        cmocka_unit_test_setup(test_filled_up, up),
        cmocka_unit_test_setup(test_a_lost_cursor_changes_nothing, up),
        cmocka_unit_test_setup(test_a_poison_row_is_found_and_the_rest_is_stored, up),
        cmocka_unit_test_setup(test_a_locked_table_ends_at_the_deadline, up),
        cmocka_unit_test_setup(test_tables_grow_from_version_to_version, up),
        cmocka_unit_test_setup(test_two_sinks_make_the_tables_at_once, up),
        cmocka_unit_test(test_settings_that_cannot_be),
        cmocka_unit_test(test_hostile_and_silent_servers),
        cmocka_unit_test(test_a_silent_server_does_not_hold_up_the_end),
        cmocka_unit_test(test_names_that_do_not_exist),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, group_up, group_down);
}
