/* The writer's thread between scripted queues and a real journal: everything is stored as it came, nothing is lost without a gap that says so. */
#include "store/tap_writer.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "fail_alloc.h"
#include "store/tap_batch.h"

enum { PATIENCE_MS = 60000, SENT_MAX = 20000, GAPS_MAX = 16 };

static const struct log_sink quiet_sink = { .fd = 2, .level = LOG_OFF };
static const struct log quiet = { .sink = &quiet_sink, .module = "test" };
static const char *const names[] = { "pbx1", "pbx2" };

struct told_gap {
    char node[16], cause[16];
    int64_t from_us, to_us;
};

struct place {
    char dir[64], db[96];
    struct tap_writer *writer;
    struct tap_writer_options opt;
    uint64_t seq[2];
    int64_t session, now_us;
    struct tap_event *sent[SENT_MAX];   /* copies */
    size_t sent_count;
    atomic_size_t commits, told;
    struct told_gap gaps[GAPS_MAX];
    /* of a reading */
    size_t read, facts, calls;
    bool differs;
    struct journal_gap_row rows[GAPS_MAX];
    char causes[GAPS_MAX][32], details[GAPS_MAX][64], nodes[GAPS_MAX][16];
    size_t row_count;
    int64_t event_cursor, fact_cursor;
    uint64_t hangups, others;
};

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static void on_commit(void *arg)
{
    atomic_fetch_add(&((struct place *)arg)->commits, 1);
}

static void on_gap(const char *node, const char *cause, int64_t from_us, int64_t to_us, void *arg)
{
    struct place *p = arg;
    const size_t i = atomic_load(&p->told);

    if (i == GAPS_MAX)
        abort();
    text_copy(p->gaps[i].node, sizeof p->gaps[i].node, text_of(node));
    text_copy(p->gaps[i].cause, sizeof p->gaps[i].cause, text_of(cause));
    p->gaps[i].from_us = from_us;
    p->gaps[i].to_us = to_us;
    atomic_store(&p->told, i + 1);
}

static void open_writer(struct place *p)
{
    char *problem = NULL;
    const int err = tap_writer_open(&p->writer, &p->opt, &problem);

    if (err)
        print_error("%s\n", problem);
    assert_int_equal(err, 0);
    free(problem);
}

static void close_writer(struct place *p)
{
    tap_writer_close(p->writer);
    p->writer = NULL;
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/sidetone-writer-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/tap.db", p->dir);
    p->now_us = clock_wall_us();
    p->session = p->now_us;
    p->opt = (struct tap_writer_options){ .path = p->db, .journal = { .nodes = names, .node_count = 1, .keeps_events = true },
                                          .on_commit = on_commit, .on_gap = on_gap, .arg = p, .log = &quiet };
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    tap_writer_close(p->writer);
    for (size_t i = 0; i < p->sent_count; i++)
        tap_event_free(p->sent[i]);
    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

/* ---- what is sent ---- */

static struct tap_event *copy_of(const struct tap_event *e)
{
    struct tap_event *c = malloc(e->bytes);

    assert_non_null(c);
    memcpy(c, e, e->bytes);
    return c;
}

static void send(struct place *p, uint32_t node, struct tap_event *e)
{
    e->node = node;
    e->session = p->session;
    e->seq = ++p->seq[node];
    e->recv_us = p->now_us += 10;
    if (e->kind == TAP_EVENT || e->kind == TAP_FORGED) {
        assert_true(p->sent_count < SENT_MAX);
        p->sent[p->sent_count++] = copy_of(e);
    }
    tap_queue_put(tap_writer_queue(p->writer, node), e);
}

static void send_note(struct place *p, uint32_t node, enum tap_kind kind, const char *cause, const char *reason)
{
    const struct tap_pair pairs[] = { { TEXT("Cause"), text_of(cause) }, { TEXT("Reason"), text_of(reason) } };
    struct tap_event *e;

    assert_int_equal(tap_event_new(&e, kind, TEXT_NONE, pairs, cause ? 2 : 0), 0);
    send(p, node, e);
}

static void send_varset(struct place *p, uint32_t node, unsigned nth)
{
    char value[32], id[32];
    struct tap_event *e;

    snprintf(value, sizeof value, "%u", nth);
    snprintf(id, sizeof id, "1700.%u", nth % 7);
    const struct tap_pair pairs[] = { { TEXT("Privilege"), TEXT("dialplan,all") }, { TEXT("Channel"), TEXT("PJSIP/a-1") },
                                      { TEXT("Uniqueid"), text_of(id) }, { TEXT("Linkedid"), text_of(id) },
                                      { TEXT("Variable"), TEXT("X") }, { TEXT("Value"), text_of(value) } };

    assert_int_equal(tap_event_new(&e, TAP_EVENT, TEXT("VarSet"), pairs, sizeof pairs / sizeof *pairs), 0);
    send(p, node, e);
}

/* A recorded stream of tests/ami, as the tap would hand it on. */
static void send_stream(struct place *p, uint32_t node, const char *name)
{
    char path[512], chunk[4096];
    struct ami_reader reader;
    struct ami_message m;
    size_t n;
    FILE *in;

    snprintf(path, sizeof path, "%s/%s.txt", AMI_FOLDER, name);
    in = fopen(path, "rb");
    assert_non_null(in);
    ami_reader_init(&reader, AMI_FROM_ASTERISK, 0);
    assert_non_null(fgets(chunk, sizeof chunk, in)); /* says what it is */
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        struct text bytes = text_make(chunk, n);

        while (ami_read(&reader, &bytes, &m) > 0) {
            struct tap_event *e;

            if (m.kind != AMI_EVENT && m.kind != AMI_FORGED)
                continue;
            assert_int_equal(tap_event_of(&e, m.kind == AMI_EVENT ? TAP_EVENT : TAP_FORGED, &m), 0);
            send(p, node, e);
        }
    }
    ami_reader_free(&reader);
    fclose(in);
}

/* ---- what is stored ---- */

static void compare(const struct journal_event *row, void *arg)
{
    struct place *p = arg;
    const struct tap_event *const e = row->event, *s = p->read < p->sent_count ? p->sent[p->read] : NULL;
    struct text name, value, name_sent, value_sent;

    p->read++;
    if (!s || e->session != s->session || e->seq != s->seq || e->kind != s->kind || e->recv_us != s->recv_us || e->emit_us != s->emit_us ||
        e->name != s->name || e->count != s->count || (e->flags & ~TAP_LATE) != s->flags || strcmp(row->node, names[s->node]) != 0) {
        p->differs = true;
        return;
    }
    for (size_t i = 0; tap_at(s, i, &name_sent, &value_sent); i++)
        if (!tap_at(e, i, &name, &value) || !text_eq(name, name_sent) || !text_eq(value, value_sent))
            p->differs = true;
}

static void count_fact(const struct journal_fact *f, void *arg)
{
    struct place *p = arg;

    p->facts += f->kind[0] != 0;
}

static void count_call(const struct journal_call *c, void *arg)
{
    struct place *p = arg;

    p->calls += c->outcome[0] != 0;
}

static void keep_gap(const struct journal_gap_row *g, void *arg)
{
    struct place *p = arg;
    const size_t i = p->row_count;

    if (i == GAPS_MAX)
        abort();
    p->rows[i] = *g;
    text_copy(p->causes[i], sizeof p->causes[i], text_of(g->cause));
    text_copy(p->details[i], sizeof p->details[i], text_of(g->detail));
    text_copy(p->nodes[i], sizeof p->nodes[i], text_of(g->node));
    p->row_count++;
}

static void read_all(struct place *p)
{
    const struct journal_query q = { .max = 100000 };
    struct journal_reader *r;
    int64_t after = 0, fact_after = 0;
    int n;

    p->read = p->facts = p->calls = p->row_count = 0;
    p->differs = false;
    assert_int_equal(journal_reader_open(&r, p->db), 0);
    while ((n = journal_read_events(r, TEXT_NONE, &after, 500, compare, p)) > 0)
        ;
    assert_int_equal(n, 0);
    while ((n = journal_read_facts(r, TEXT_NONE, &fact_after, 500, count_fact, p)) > 0)
        ;
    assert_int_equal(n, 0);
    assert_true(journal_read_calls(r, &q, count_call, p) >= 0);
    assert_true(journal_read_gaps(r, 0, keep_gap, p) >= 0);
    n = journal_read_cursor(r, "crm", &p->fact_cursor, &p->event_cursor);
    assert_true(n >= 0);
    if (!n)
        p->fact_cursor = p->event_cursor = -1;
    journal_reader_close(r);
}

static void wait_stored(struct place *p, uint64_t events)
{
    struct tap_writer_figures f = { 0 };

    for (int i = 0; i < PATIENCE_MS; i++) {
        tap_writer_figures_of(p->writer, &f);
        if (f.events >= events)
            return;
        pause_ms(1);
    }
    fail_msg("%llu of %llu events were stored", (unsigned long long)f.events, (unsigned long long)events);
}

static void wait_told(struct place *p, size_t gaps)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&p->told) < gaps; i++)
        pause_ms(1);
    assert_int_equal(atomic_load(&p->told), gaps);
}

/* ---- tests ---- */

static void everything_is_stored_as_it_came(void **state)
{
    static const char *const streams[] = { "plain-call", "queue-two-agents", "hostile-crlf", "many-varset" };
    struct place *p = *state;
    struct tap_writer_figures f;

    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        send_stream(p, 0, streams[i]);
    wait_stored(p, p->sent_count);
    tap_writer_figures_of(p->writer, &f);
    assert_int_equal(f.events, p->sent_count);
    assert_true(f.batches > 0 && f.batches <= atomic_load(&p->commits) + 1);
    close_writer(p);
    read_all(p);
    assert_int_equal(p->read, p->sent_count);
    assert_false(p->differs);
    assert_true(p->facts > 50);
    assert_true(p->calls >= 4);
    assert_int_equal(p->row_count, 0);
    assert_true(atomic_load(&p->commits) > 0);
}

static void closing_writes_what_waits(void **state)
{
    struct place *p = *state;

    open_writer(p);
    for (unsigned i = 0; i < 5000; i++)
        send_varset(p, 0, i);
    close_writer(p);
    read_all(p);
    assert_int_equal(p->read, 5000);
    assert_false(p->differs);
}

static void two_nodes_are_stored(void **state)
{
    struct place *p = *state;
    struct journal_reader *r;

    p->opt.journal.node_count = 2;
    p->opt.merge.hold_us = 2000000; /* on a busy machine we may stand still between two events for longer than 30 ms */
    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 1, TAP_UP, NULL, NULL);
    for (unsigned i = 0; i < 3000; i++)
        send_varset(p, i & 1, i);
    wait_stored(p, 3000);
    close_writer(p);
    assert_int_equal(journal_reader_open(&r, p->db), 0);
    assert_int_equal(journal_last_event(r), 3000);
    journal_reader_close(r);
    /* What waited for the other node was not put out of order: recv times grow over both, and there are no others. */
    read_all(p);
    assert_int_equal(p->read, 3000);
    assert_false(p->differs);
}

/* The writer comes late (somebody held the file), and both queues are deep: no wait for the other node is left to put things right. */
static void two_nodes_are_in_order_after_a_stall(void **state)
{
    struct place *p = *state;
    struct tap_writer_figures f;
    struct tap_writer_node n;
    sqlite3 *other;

    p->opt.journal.node_count = 2;
    p->now_us -= 60 * 1000000;
    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 1, TAP_UP, NULL, NULL);
    assert_int_equal(sqlite3_open(p->db, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    send_varset(p, 0, 0);
    do {
        pause_ms(1);
        tap_writer_figures_of(p->writer, &f);
    } while (f.failures == 0);
    for (unsigned i = 1; i < 9000; i++)
        send_varset(p, i / 300 & 1, i);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    wait_stored(p, 9000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(tap_writer_node_figures(p->writer, i, &n));
        assert_int_equal(n.late, 0);
    }
    close_writer(p);
    read_all(p);
    assert_int_equal(p->read, 9000);
    assert_false(p->differs);
}

static void a_lost_connection_is_a_gap(void **state)
{
    struct place *p = *state;
    struct tap_writer_node n;
    int64_t last;

    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    send_varset(p, 0, 1);
    last = p->now_us;
    p->now_us += 5000000;
    send_note(p, 0, TAP_DOWN, TAP_CAUSE_SHUTDOWN, "Asterisk said Shutdown");
    wait_told(p, 1);
    assert_string_equal(p->gaps[0].cause, "shutdown");
    assert_int_equal(p->gaps[0].from_us, last);
    assert_int_equal(p->gaps[0].to_us, 0);
    read_all(p);
    assert_int_equal(p->row_count, 1);
    assert_int_equal(p->rows[0].to_us, 0);
    assert_string_equal(p->details[0], "Asterisk said Shutdown");

    p->session += 7000000;
    p->seq[0] = 0;
    p->now_us += 1000000;
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_varset(p, 0, 2);       /* comes while we ask what exists: the gap is still open */
    send_note(p, 0, TAP_PRESENT_NONE, NULL, NULL);
    wait_told(p, 2);
    assert_string_equal(p->gaps[1].cause, "shutdown");
    assert_int_equal(p->gaps[1].from_us, last);
    assert_int_equal(p->gaps[1].to_us, p->now_us);
    assert_true(tap_writer_node_figures(p->writer, 0, &n));
    assert_int_equal(n.gaps, 1);
    read_all(p);
    assert_int_equal(p->row_count, 1);
    assert_int_equal(p->rows[0].from_us, last);
    assert_int_equal(p->rows[0].to_us, p->now_us);
    assert_string_equal(p->nodes[0], "pbx1");
    assert_int_equal(p->read, 2);
    assert_false(p->differs);
}

static void a_second_end_or_a_failed_login_is_no_second_gap(void **state)
{
    struct place *p = *state;

    open_writer(p);
    send_note(p, 0, TAP_DOWN, TAP_CAUSE_REFUSED, "authentication failed");     /* never was up: there is nothing to miss */
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    send_varset(p, 0, 1);
    send_note(p, 0, TAP_DOWN, TAP_CAUSE_CONNECTION, "reset");
    send_note(p, 0, TAP_DOWN, TAP_CAUSE_REFUSED, "authentication failed");
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_DOWN, TAP_CAUSE_CONNECTION, "reset again");
    close_writer(p);
    read_all(p);
    assert_int_equal(p->row_count, 1);
    assert_string_equal(p->causes[0], "connection");
    assert_string_equal(p->details[0], "reset");
    assert_int_equal(p->rows[0].to_us, 0);
}

static void our_own_restart_is_a_gap(void **state)
{
    struct place *p = *state;
    int64_t last;

    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    for (unsigned i = 0; i < 10; i++)
        send_varset(p, 0, i);
    last = p->now_us;
    close_writer(p);
    p->session += 10000000;
    p->now_us += 10000000;
    p->seq[0] = 0;
    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    wait_told(p, 1);            /* its beginning was told to nobody: there was nobody */
    assert_string_equal(p->gaps[0].cause, "restart");
    assert_int_equal(p->gaps[0].from_us, last);
    assert_int_equal(p->gaps[0].to_us, p->now_us);
    read_all(p);
    assert_int_equal(p->row_count, 1);
    assert_string_equal(p->causes[0], "restart");
    assert_int_equal(p->rows[0].from_us, last);
    assert_int_equal(p->rows[0].to_us, p->now_us);
}

/* Somebody holds the file until the queue has overflowed: what was lost is a number in the gap, and all else is there. */
static void a_locked_file_costs_what_the_gap_says(void **state)
{
    struct place *p = *state;
    struct tap_writer_node n;
    struct tap_writer_figures f;
    sqlite3 *other;

    p->opt.queue_events = 200;
    open_writer(p);
    send_note(p, 0, TAP_UP, NULL, NULL);
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    send_varset(p, 0, 0);
    wait_stored(p, 1);
    assert_int_equal(sqlite3_open(p->db, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 1; i < 3000; i++)
        send_varset(p, 0, i);
    do {
        pause_ms(1);
        tap_writer_figures_of(p->writer, &f);
    } while (f.failures == 0);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_true(tap_writer_node_figures(p->writer, 0, &n));
    assert_true(n.lost > 0);
    wait_stored(p, 3000 - n.lost);
    send_varset(p, 0, 4000);    /* the loss is told ahead of the next event */
    wait_told(p, 1);
    assert_string_equal(p->gaps[0].cause, "overflow");
    send_note(p, 0, TAP_PRESENT_END, NULL, NULL);
    wait_told(p, 2);
    close_writer(p);
    read_all(p);
    assert_int_equal(p->read, 3001 - n.lost);
    assert_int_equal(p->row_count, 1);
    assert_string_equal(p->causes[0], "overflow");
    assert_int_equal(p->rows[0].events_lost, n.lost);
    assert_int_equal(p->rows[0].to_us, p->now_us);
}

/* The disk is full (no file may grow): the batch is kept, and all of it is stored once there is room. */
static void a_full_disk_loses_nothing_that_fits_the_queue(void **state)
{
    struct place *p = *state;
    struct rlimit before, now;
    struct tap_writer_figures f;

    open_writer(p);
    send_varset(p, 0, 0);
    wait_stored(p, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = before;
    now.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    for (unsigned i = 1; i < 6000; i++)
        send_varset(p, 0, i);
    do {
        pause_ms(1);
        tap_writer_figures_of(p->writer, &f);
    } while (f.failures < 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    wait_stored(p, 6000);
    close_writer(p);
    read_all(p);
    assert_int_equal(p->read, 6000);
    assert_false(p->differs);
    assert_int_equal(p->row_count, 0);
}

static void a_cursor_is_durable_without_an_event(void **state)
{
    struct place *p = *state;

    open_writer(p);
    tap_writer_cursor(p->writer, "crm", 7, 9);
    tap_writer_cursor(p->writer, "crm", 8, 10);
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        read_all(p);
        if (p->fact_cursor == 8)
            break;
        pause_ms(10);
    }
    assert_int_equal(p->fact_cursor, 8);
    assert_int_equal(p->event_cursor, 10);
}

static void add_name(struct text name, uint64_t count, void *arg)
{
    struct place *p = arg;

    if (text_eq(name, TEXT("Hangup")))
        p->hangups += count;
    else
        p->others += count;
}

static void names_and_lags_are_counted(void **state)
{
    struct place *p = *state;
    struct tap_writer_node n;
    uint64_t hangups = 0;

    open_writer(p);
    send_stream(p, 0, "plain-call");
    for (size_t i = 0; i < p->sent_count; i++)
        hangups += p->sent[i]->name == TAP_E_HANGUP;
    wait_stored(p, p->sent_count);
    tap_writer_event_counts(p->writer, 0, add_name, p);
    assert_true(hangups > 0);
    assert_int_equal(p->hangups, hangups);
    assert_int_equal(p->hangups + p->others, p->sent_count);
    assert_true(tap_writer_node_figures(p->writer, 0, &n));
    assert_int_equal(n.events, p->sent_count);
    assert_false(n.clock.is_known);
    assert_int_equal(n.lag_p99_us, -1);     /* the node's clock is not known: nothing is guessed */
    assert_false(tap_writer_node_figures(p->writer, 1, &n));
}

/* The node's clock is 500 ms ahead of ours; by Pings that is known, and the lag is not negative and not half a second. */
static void a_lag_is_by_our_clock(void **state)
{
    struct place *p = *state;
    struct tap_writer_node n;

    open_writer(p);
    for (int i = 0; i < 20; i++) {
        const int64_t now = clock_wall_us();

        tap_writer_clock(p->writer, 0, now - 100, now + 100, now + 500000);
    }
    do {
        pause_ms(1);
        send_varset(p, 0, 0);   /* figures move with a batch */
        assert_true(tap_writer_node_figures(p->writer, 0, &n));
    } while (!n.clock.is_known && p->sent_count < SENT_MAX - 10);
    assert_true(n.clock.is_known);
    assert_int_equal(n.lag_p50_us, -1);     /* no event has told its time yet */
    for (int i = 0; i < 5; i++) {
        char stamp[40];
        struct tap_event *e;
        const int64_t emitted = clock_wall_us() + 500000;

        snprintf(stamp, sizeof stamp, "%lld.%06lld", (long long)(emitted / 1000000), (long long)(emitted % 1000000));
        const struct tap_pair pair = { TEXT("Timestamp"), text_of(stamp) };

        assert_int_equal(tap_event_new(&e, TAP_EVENT, TEXT("Newstate"), &pair, 1), 0);
        p->now_us = clock_wall_us() + 1000;
        send(p, 0, e);
        wait_stored(p, p->sent_count);
    }
    assert_true(tap_writer_node_figures(p->writer, 0, &n));
    assert_true(n.lag_p50_us >= 0);
    assert_true(n.lag_p50_us < 400000);     /* 500,000 and more were it not corrected */
    assert_true(n.lag_max_us >= n.lag_p50_us);
}

/* While it writes, the writer keeps the file small; the newest events are there. */
static void the_file_stays_small_while_events_come(void **state)
{
    struct place *p = *state;
    struct stat st;
    int64_t used = INT64_MAX;

    p->opt.journal.keep_bytes = 400000;
    open_writer(p);
    for (unsigned i = 0; i < 15000; i++) {
        send_varset(p, 0, i);
        if (i % 1000 == 999)
            wait_stored(p, i + 1);
    }
    for (int i = 0; i < PATIENCE_MS / 100 && used > 400000; i++) {
        sqlite3 *db;

        pause_ms(100);
        assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
        sqlite3_busy_timeout(db, 10000);
        (void)sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
        sqlite3_close(db);
        assert_int_equal(stat(p->db, &st), 0);
        used = st.st_size;
    }
    assert_true(used <= 400000);
    close_writer(p);
    read_all(p);
    assert_true(p->read > 100 && p->read < 15000);
    assert_int_equal(p->row_count, 0);      /* no sink had anything left to read */
}

/* A fact without memory is counted, and those behind it are kept. */
static void a_batch_outlives_short_memory(void **state)
{
    struct place *p = *state;
    const struct call_fact f = { .kind = "call.started", .call = "a-1.0", .detail = "{}" };
    const struct call_record c = { .id = "a-1.0", .outcome = CALL_ANSWERED };
    const struct journal_gap g = { .from_us = 5, .cause = TAP_CAUSE_OVERFLOW, .detail = "full", .events_lost = 3 };
    struct journal *j;
    char *problem;
    uint64_t refused = 0, facts = 0;

    assert_int_equal(journal_open(&j, p->db, &p->opt.journal, &problem), 0);
    for (long n = 1;; n++) {
        struct tap_batch b;
        struct tap_batch_gap told;
        struct tap_event *bad;
        size_t at = 0;

        tap_batch_init(&b);
        fail_alloc_at(n);
        tap_batch_fact(&b, &f);
        tap_batch_call(&b, &c);
        tap_batch_gap(&b, TAP_GAP_BEGINS, &g);
        tap_batch_cursor(&b, "crm", n, n);
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        assert_int_equal(b.refused, hit ? 1 : 0);
        refused += b.refused;
        facts += b.facts;
        assert_int_equal(tap_batch_write(&b, j, &bad), 0);
        if (tap_batch_next_gap(&b, &at, &told)) {
            assert_string_equal(told.gap.cause, "overflow");
            assert_int_equal(told.gap.events_lost, 3);
        }
        tap_batch_free(&b);
        if (!hit)
            break;
    }
    journal_close(j);
    assert_true(refused > 0);
    read_all(p);
    assert_int_equal(p->facts, facts);
    assert_true(p->fact_cursor > 0);
}

static void a_foreign_file_is_one_clear_line(void **state)
{
    struct place *p = *state;
    char *problem = NULL;
    FILE *f = fopen(p->db, "w");

    fputs("this is not a data base, but it is long enough to be taken for one by its size alone, and that is all that it is about\n", f);
    fclose(f);
    assert_int_equal(tap_writer_open(&p->writer, &p->opt, &problem), -EINVAL);
    assert_non_null(strstr(problem, p->db));
    assert_null(strchr(problem, '\n'));
    free(problem);
    p->writer = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_is_stored_as_it_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_writes_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_nodes_are_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_nodes_are_in_order_after_a_stall, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_end_or_a_failed_login_is_no_second_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(our_own_restart_is_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_locked_file_costs_what_the_gap_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_that_fits_the_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cursor_is_durable_without_an_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_and_lags_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lag_is_by_our_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file_stays_small_while_events_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_outlives_short_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_one_clear_line, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
