/* The journal: what goes in comes out again, also for another process; batches are whole; gaps, cursors, old age and size. */
#include "store/journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "fail_alloc.h"

enum { SEEN_MAX = 64 };
#define T0 INT64_C(1800000000000000)

static const char *const names[] = { "pbx1", "pbx2" };

struct place {
    char dir[64], db[96];
    struct journal *j;
    struct journal_options opt;
    struct journal_reader *r;
    /* of a reading */
    int64_t ids[SEEN_MAX], first_at;
    char texts[SEEN_MAX][200], details[SEEN_MAX][2000];
    uint32_t facts_n[SEEN_MAX];
    struct journal_gap_row gaps[SEEN_MAX];
    struct call_record calls[SEEN_MAX];
    size_t seen;
    const struct tap_event *expected;
    bool differs;
};

static void open_journal(struct place *p)
{
    char *problem = NULL;
    const int err = journal_open(&p->j, p->db, &p->opt, &problem);

    if (err)
        print_error("%s\n", problem);
    assert_int_equal(err, 0);
}

static void reopen(struct place *p)
{
    journal_close(p->j);
    open_journal(p);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/sidetone-journal-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/tap.db", p->dir);
    p->opt = (struct journal_options){ .nodes = names, .node_count = 2, .keeps_events = true };
    open_journal(p);
    assert_int_equal(journal_reader_open(&p->r, p->db), 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    fail_alloc_off();
    journal_reader_close(p->r);
    journal_close(p->j);
    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

/* ---- what goes in ---- */

static struct tap_event *event_make(uint64_t seq, const char *linkedid, const char *value)
{
    const struct tap_pair pairs[] = { { TEXT("Privilege"), TEXT("dialplan,all") },
                                      { TEXT("Timestamp"), TEXT("1800000001.000007") },
                                      { TEXT("Linkedid"), text_of(linkedid) },
                                      { TEXT("Value"), text_of(value) } };
    struct tap_event *e;

    if (tap_event_new(&e, TAP_EVENT, TEXT("VarSet"), pairs, 4))
        abort();
    e->session = T0;
    e->seq = seq;
    e->recv_us = T0 + (int64_t)seq * 1000;
    e->order_us = e->recv_us - 100;
    return e;
}

static void begin(struct place *p)
{
    assert_int_equal(journal_begin(p->j), 0);
}

static void commit(struct place *p)
{
    assert_int_equal(journal_commit(p->j), 0);
}

/* Events first..last of one call, in one batch. */
static void add_events(struct place *p, uint64_t first, uint64_t last, const char *linkedid)
{
    begin(p);
    for (uint64_t i = first; i <= last; i++) {
        struct tap_event *e = event_make(i, linkedid, "some value or other, as long as they mostly are");

        assert_int_equal(journal_add_event(p->j, e), 0);
        tap_event_free(e);
    }
    commit(p);
}

static void add_fact(struct place *p, uint64_t seq, const char *kind, const char *call)
{
    const struct call_fact f = { .session = T0, .seq = seq, .n = 1, .at_us = T0 + (int64_t)seq * 1000, .kind = kind, .call = call,
                                 .detail = "{\"x\":1}" };

    assert_int_equal(journal_add_fact(p->j, &f), 0);
}

static void put_call(struct place *p, const char *id, const char *was, int64_t started_us, int64_t ended_us)
{
    const struct call_leg legs[] = { { .uniqueid = "u-1", .channel = "PJSIP/a", .number = "2001", .role = "caller", .started_us = started_us, .cause = -1 },
                                     { .uniqueid = "u-2", .channel = "PJSIP/b", .number = "3007", .role = "agent", .started_us = started_us, .cause = 16 } };
    struct call_record c = { .started_us = started_us, .ended_us = ended_us, .caller = "2001", .caller_name = "Carol", .dialled = "100", .context = "pbx",
                             .answered_by = "3007", .ring_us = 1, .talk_us = 2, .hold_us = 3, .queue_us = 4, .queue = "sales", .agent = "Ann",
                             .queue_outcome = QUEUE_ANSWERED, .outcome = ended_us ? CALL_ANSWERED : CALL_OPEN, .cause = 16, .cause_text = "Normal Clearing",
                             .application = "Queue", .transfers = 5, .recordings = 6, .agi_visits = 7, .stasis_visits = 8, .dtmf = 9, .is_suspect = true,
                             .legs = legs, .leg_count = 2, .details = "{\"agi\":[]}" };

    text_copy(c.id, sizeof c.id, text_of(id));
    text_copy(c.was, sizeof c.was, text_of(was));
    assert_int_equal(journal_put_call(p->j, &c), 0);
}

/* ---- what comes out ---- */

static void see_event(const struct journal_event *row, void *arg)
{
    struct place *p = arg;
    const struct tap_event *const e = row->event, *const s = p->expected;
    struct text name, value, name_sent, value_sent;

    p->first_at = p->seen == 0 ? e->order_us : p->first_at;
    if (p->seen < SEEN_MAX) {
        p->ids[p->seen] = row->id;
        text_copy(p->texts[p->seen], sizeof p->texts[0], tap_get(e, TAP_H_VALUE));
    }
    p->seen++;
    if (!s)
        return;
    p->differs |= e->session != s->session || e->seq != s->seq || e->recv_us != s->recv_us || e->emit_us != s->emit_us || e->order_us != s->order_us ||
                  e->kind != s->kind || e->flags != s->flags || e->name != s->name || e->count != s->count;
    for (size_t i = 0; !p->differs && i < s->count; i++)
        p->differs = !tap_at(s, i, &name_sent, &value_sent) || !tap_at(e, i, &name, &value) || !text_eq(name, name_sent) || !text_eq(value, value_sent);
}

static size_t read_events(struct place *p, struct text call)
{
    int64_t after = 0;
    int n;

    p->seen = 0;
    while ((n = journal_read_events(p->r, call, &after, 100, see_event, p)) > 0)
        ;
    assert_int_equal(n, 0);
    return p->seen;
}

static void see_fact(const struct journal_fact *f, void *arg)
{
    struct place *p = arg;

    if (p->seen < SEEN_MAX) {
        p->ids[p->seen] = f->id;
        p->facts_n[p->seen] = f->n;
        text_copy(p->details[p->seen], sizeof p->details[0], text_of(f->detail));
        snprintf(p->texts[p->seen], sizeof p->texts[0], "%s %s %s %s %lld %llu %u %lld", f->node, f->kind, f->call, f->detail, (long long)(f->session - T0),
                 (unsigned long long)f->seq, f->n, (long long)(f->at_us - T0));
    }
    p->seen++;
}

static size_t read_facts(struct place *p, struct text call)
{
    int64_t after = 0;
    int n;

    p->seen = 0;
    while ((n = journal_read_facts(p->r, call, &after, 100, see_fact, p)) > 0)
        ;
    assert_int_equal(n, 0);
    return p->seen;
}

static void see_call(const struct journal_call *c, void *arg)
{
    struct place *p = arg;

    if (p->seen < SEEN_MAX) {
        p->calls[p->seen] = c->record;
        snprintf(p->texts[p->seen], sizeof p->texts[0], "%s %s %s %s", c->node, c->outcome, c->queue_outcome, c->record.details);
    }
    p->seen++;
}

static size_t read_calls(struct place *p, struct journal_query q)
{
    int n;

    p->seen = 0;
    n = journal_read_calls(p->r, &q, see_call, p);
    assert_int_equal(n, p->seen);
    return p->seen;
}

static void see_gap(const struct journal_gap_row *g, void *arg)
{
    struct place *p = arg;

    p->gaps[p->seen] = *g;
    snprintf(p->texts[p->seen], sizeof p->texts[0], "%s %s %s", g->node, g->cause, g->detail);
    p->seen++;
}

static size_t read_gaps(struct place *p)
{
    p->seen = 0;
    assert_true(journal_read_gaps(p->r, 0, see_gap, p) >= 0);
    return p->seen;
}

/* ---- tests ---- */

static void an_event_comes_out_as_it_went_in(void **state)
{
    static const char bytes[] = "a\0b\r\n\xff\xfe\x80 end";
    struct place *p = *state;
    char *const long_value = malloc(200000);
    struct tap_event *e;

    memset(long_value, 'v', 200000);
    const struct tap_pair pairs[] = {
        { TEXT("Privilege"), TEXT("user,all") }, { TEXT("Timestamp"), TEXT("1800000009.123456") }, { TEXT("Linkedid"), TEXT("a-1.0") },
        { TEXT("ChanVariable"), TEXT("x=1") },   { TEXT("ChanVariable"), TEXT("y=2") },            { TEXT("Value"), text_make(bytes, sizeof bytes) },
        { TEXT("Never Seen"), TEXT("") },        { TEXT("Never Seen"), TEXT("again") },            { TEXT(""), TEXT("no name") },
        { TEXT("\xff\x01"), TEXT("odd") },       { TEXT("AppData"), text_make(long_value, 200000) },
    };

    assert_int_equal(tap_event_new(&e, TAP_FORGED, TEXT("UserEvent"), pairs, sizeof pairs / sizeof *pairs), 0);
    e->node = 1;
    e->session = T0;
    e->seq = 77;
    e->recv_us = T0 + 5;
    e->order_us = T0 - 3;
    e->flags = TAP_SUSPECT | TAP_LATE;
    begin(p);
    assert_int_equal(journal_add_event(p->j, e), 0);
    commit(p);
    p->expected = e;
    assert_int_equal(read_events(p, TEXT_NONE), 1);
    assert_false(p->differs);
    tap_event_free(e);
    free(long_value);
}

/* Header names stand in the file as texts: a reader with other numbers finds them. */
static void names_are_in_the_file(void **state)
{
    struct place *p = *state;
    sqlite3_stmt *st;
    sqlite3 *db;

    add_events(p, 1, 1, "a-1.0");
    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM name WHERE CAST(text AS TEXT) IN ('Linkedid', 'Value', 'VarSet')", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 3);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* A hostile peer makes up names without end: their numbers run out, and all of it is still stored. */
static void made_up_names_do_not_fill_the_file(void **state)
{
    struct place *p = *state;
    sqlite3_stmt *st;
    sqlite3 *db;

    for (unsigned i = 0; i < 10; i++) {
        begin(p);
        for (unsigned k = 0; k < 1000; k++) {
            char header[32];
            struct tap_event *e;

            snprintf(header, sizeof header, "X-%u", i * 1000 + k);
            const struct tap_pair pair = { text_of(header), TEXT("v") };

            assert_int_equal(tap_event_new(&e, TAP_EVENT, TEXT("UserEvent"), &pair, 1), 0);
            e->session = T0;
            e->seq = i * 1000 + k + 1;
            assert_int_equal(journal_add_event(p->j, e), 0);
            tap_event_free(e);
        }
        add_fact(p, i * 1000 + 1, i < 9 ? "call.started" : "call.ended", "a-1.0"); /* a kind that is new behind all of them */
        commit(p);
    }
    assert_int_equal(read_events(p, TEXT_NONE), 10000);
    assert_int_equal(read_facts(p, TEXT_NONE), 10);
    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM name", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_true(sqlite3_column_int(st, 0) < 9000);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void notes_are_left_out(void **state)
{
    struct place *p = *state;
    struct tap_event *e;

    assert_int_equal(tap_event_new(&e, TAP_UP, TEXT_NONE, NULL, 0), 0);
    begin(p);
    assert_int_equal(journal_add_event(p->j, e), 0);
    commit(p);
    tap_event_free(e);
    assert_int_equal(read_events(p, TEXT_NONE), 0);
}

static void a_rolled_back_batch_leaves_nothing_and_can_be_given_again(void **state)
{
    struct place *p = *state;
    struct tap_event *e = event_make(1, "a-1.0", "one");

    for (int i = 0; i < 3; i++) {
        begin(p);
        assert_int_equal(journal_add_event(p->j, e), 0);
        add_fact(p, 1, "call.started", "a-1.0");
        put_call(p, "a-1.0", "", T0, 0);
        journal_rollback(p->j);
        assert_int_equal(read_events(p, TEXT_NONE), 0);
    }
    begin(p);
    assert_int_equal(journal_add_event(p->j, e), 0);
    add_fact(p, 1, "call.started", "a-1.0");
    put_call(p, "a-1.0", "", T0, 0);
    commit(p);
    p->expected = e;
    assert_int_equal(read_events(p, TEXT("a-1.0")), 1);
    assert_false(p->differs);
    assert_int_equal(read_facts(p, TEXT("a-1.0")), 1);
    assert_string_equal(p->texts[0], "pbx1 call.started a-1.0 {\"x\":1} 0 1 1 1000");
    tap_event_free(e);
}

static void events_of_one_call_are_found_by_any_of_its_ids(void **state)
{
    struct place *p = *state;

    add_events(p, 1, 3, "a-1.0");
    add_events(p, 4, 5, "b-2.0");
    add_events(p, 6, 9, "c-3.0");
    begin(p);
    add_fact(p, 1, "call.started", "a-1.0");
    add_fact(p, 4, "call.started", "b-2.0");
    put_call(p, "a-1.0", "", T0, 0);
    put_call(p, "b-2.0", "", T0 + 1, 0);
    commit(p);
    assert_int_equal(read_events(p, TEXT("a-1.0")), 3);
    assert_int_equal(read_events(p, TEXT("c-3.0")), 4);
    assert_int_equal(read_events(p, TEXT("none")), 0);
    /* a joins b: one call, under the new id, with all that was written under both */
    begin(p);
    put_call(p, "b-2.0", "a-1.0", T0, T0 + 50);
    commit(p);
    assert_int_equal(read_events(p, TEXT("b-2.0")), 5);
    assert_int_equal(read_events(p, TEXT("a-1.0")), 5);
    assert_int_equal(read_events(p, TEXT("u-2")), 5);   /* a leg's Uniqueid */
    assert_int_equal(read_facts(p, TEXT("a-1.0")), 2);
    assert_int_equal(read_calls(p, (struct journal_query){ .id = TEXT("a-1.0") }), 1);
    assert_string_equal(p->calls[0].id, "b-2.0");
    assert_string_equal(p->calls[0].was, "a-1.0");
    assert_int_equal(read_calls(p, (struct journal_query){ 0 }), 1);
}

static void calls_are_found(void **state)
{
    struct place *p = *state;

    begin(p);
    put_call(p, "a-1.0", "", T0, 0);
    put_call(p, "b-2.0", "", T0 + 1000, T0 + 5000);
    put_call(p, "a-1.0", "", T0, 0);    /* again: the same row */
    commit(p);
    assert_int_equal(read_calls(p, (struct journal_query){ 0 }), 2);
    assert_string_equal(p->calls[0].id, "b-2.0");       /* newest first */
    assert_string_equal(p->calls[0].caller, "2001");
    assert_string_equal(p->calls[0].answered_by, "3007");
    assert_string_equal(p->calls[0].agent, "Ann");
    assert_string_equal(p->calls[0].cause_text, "Normal Clearing");
    assert_int_equal(p->calls[0].ended_us, T0 + 5000);
    assert_int_equal(p->calls[0].ring_us * 1000 + p->calls[0].talk_us * 100 + p->calls[0].hold_us * 10 + p->calls[0].queue_us, 1234);
    assert_int_equal(p->calls[0].transfers * 10000 + p->calls[0].recordings * 1000 + p->calls[0].agi_visits * 100 + p->calls[0].stasis_visits * 10 +
                     p->calls[0].dtmf, 56789);
    assert_true(p->calls[0].is_suspect);
    assert_false(p->calls[0].is_partial);
    assert_int_equal(read_calls(p, (struct journal_query){ .max = 1 }), 1);
    assert_int_equal(read_calls(p, (struct journal_query){ .only_open = true }), 1);
    assert_string_equal(p->calls[0].id, "a-1.0");
    assert_int_equal(read_calls(p, (struct journal_query){ .number = TEXT("3007") }), 2);       /* a leg's */
    assert_int_equal(read_calls(p, (struct journal_query){ .number = TEXT("100") }), 2);
    assert_int_equal(read_calls(p, (struct journal_query){ .number = TEXT("300") }), 0);
    assert_int_equal(read_calls(p, (struct journal_query){ .queue = TEXT("sales") }), 2);
    assert_int_equal(read_calls(p, (struct journal_query){ .queue = TEXT("sale") }), 0);
    assert_int_equal(read_calls(p, (struct journal_query){ .node = TEXT("pbx2") }), 0);
    assert_int_equal(read_calls(p, (struct journal_query){ .since_us = T0 + 1 }), 1);
    assert_int_equal(read_calls(p, (struct journal_query){ .until_us = T0 + 1 }), 1);
}

static void an_earlier_run_is_closed(void **state)
{
    struct place *p = *state;

    add_events(p, 1, 20, "a-1.0");
    begin(p);
    add_fact(p, 3, "call.started", "a-1.0");
    put_call(p, "a-1.0", "", T0, 0);
    put_call(p, "b-2.0", "", T0, T0 + 7);
    commit(p);
    reopen(p);
    /* Sinks are told, once, with the whole record. */
    assert_int_equal(read_facts(p, TEXT_NONE), 2);
    assert_non_null(strstr(p->texts[1], "pbx1 call.ended a-1.0 {\"id\":\"a-1.0\",\"was\":\"\",\"outcome\":\"unobserved\",\"caller\":\"2001\""));
    assert_non_null(strstr(p->details[1], "\"legs\":[{\"uniqueid\":\"u-1\""));
    assert_non_null(strstr(p->details[1], "\"ended_us\":1800000000019900,"));
    assert_non_null(strstr(p->details[1], "\"agi\":[]}"));
    assert_non_null(strstr(p->details[1], "\"is_partial\":true"));
    assert_int_equal(p->facts_n[1], 1000001);
    assert_int_equal(read_calls(p, (struct journal_query){ .only_open = true }), 0);
    assert_int_equal(read_calls(p, (struct journal_query){ .id = TEXT("a-1.0") }), 1);
    assert_non_null(strstr(p->texts[0], "unobserved"));
    assert_true(p->calls[0].is_partial);
    assert_int_equal(p->calls[0].ended_us, T0 + 20 * 1000 - 100);
    assert_int_equal(read_gaps(p), 2);          /* pbx2 was never heard of: nothing is known of it since the first start */
    assert_string_equal(p->texts[1], "pbx2 restart ");
    assert_string_equal(p->texts[0], "pbx1 restart ");
    assert_int_equal(p->gaps[0].from_us, T0 + 20 * 1000 - 100);
    assert_int_equal(p->gaps[0].to_us, 0);
    assert_int_equal(p->gaps[0].calls_affected, 1);
    reopen(p);                                  /* still not heard of: the same gap */
    assert_int_equal(read_facts(p, TEXT_NONE), 2);
    assert_int_equal(read_gaps(p), 2);
    assert_int_equal(p->gaps[0].from_us, T0 + 20 * 1000 - 100);
    begin(p);
    assert_int_equal(journal_gap_end(p->j, 0, T0 + 90000, 0), 0);
    commit(p);
    assert_int_equal(read_gaps(p), 2);
    assert_int_equal(p->gaps[0].to_us, T0 + 90000);
    assert_int_equal(p->gaps[1].to_us, 0);
}

/* Killed before its first batch: what it saw until then was in no file. */
static void a_first_start_that_stored_nothing_leaves_a_gap(void **state)
{
    struct place *p = *state;
    const int64_t now = clock_wall_us();

    assert_int_equal(read_gaps(p), 0);
    reopen(p);
    assert_int_equal(read_gaps(p), 2);
    for (int i = 0; i < 2; i++) {
        assert_in_range(p->gaps[i].from_us, now - 600 * 1000000LL, now);
        assert_int_equal(p->gaps[i].to_us, 0);
    }
    reopen(p);
    assert_int_equal(read_gaps(p), 2);
}

static void one_open_gap_a_node(void **state)
{
    struct place *p = *state;
    const struct journal_gap first = { .from_us = T0, .cause = TAP_CAUSE_CONNECTION, .detail = "reset", .calls_affected = 3 };
    const struct journal_gap second = { .from_us = T0 + 5, .cause = TAP_CAUSE_OVERFLOW, .detail = "full", .events_lost = 40 };
    const struct journal_gap other = { .node = 1, .from_us = T0 + 6, .cause = TAP_CAUSE_SHUTDOWN, .detail = "" };

    begin(p);
    assert_int_equal(journal_gap_begin(p->j, &first), 0);
    assert_int_equal(journal_gap_begin(p->j, &second), 0);
    assert_int_equal(journal_gap_begin(p->j, &other), 0);
    assert_int_equal(journal_gap_end(p->j, 0, T0 + 100, 0), 0);
    commit(p);
    assert_int_equal(read_gaps(p), 2);
    assert_string_equal(p->texts[0], "pbx1 connection reset");
    assert_int_equal(p->gaps[0].from_us, T0);
    assert_int_equal(p->gaps[0].to_us, T0 + 100);
    assert_int_equal(p->gaps[0].events_lost, 40);
    assert_int_equal(p->gaps[0].calls_affected, 3);
    assert_int_equal(p->gaps[1].to_us, 0);
}

static void cursors_are_kept(void **state)
{
    struct place *p = *state;
    int64_t fact, event;

    assert_int_equal(journal_read_cursor(p->r, "crm", &fact, &event), 0);
    begin(p);
    assert_int_equal(journal_put_cursor(p->j, "crm", 4, 5), 0);
    assert_int_equal(journal_put_cursor(p->j, "crm", 6, 7), 0);
    commit(p);
    reopen(p);
    assert_int_equal(journal_read_cursor(p->r, "crm", &fact, &event), 1);
    assert_int_equal(fact, 6);
    assert_int_equal(event, 7);
}

static void a_sink_that_is_configured_no_more_holds_nothing_back(void **state)
{
    static const char *const sinks[] = { "crm", "with \"quotes\"" };
    struct place *p = *state;
    int64_t fact, event;

    begin(p);
    assert_int_equal(journal_put_cursor(p->j, "crm", 4, 5), 0);
    assert_int_equal(journal_put_cursor(p->j, "with \"quotes\"", 4, 5), 0);
    assert_int_equal(journal_put_cursor(p->j, "old", 1, 1), 0);
    commit(p);
    reopen(p);                  /* nobody says which there are: all stay */
    assert_int_equal(journal_read_cursor(p->r, "old", &fact, &event), 1);
    p->opt.sinks = sinks;
    p->opt.sink_count = 2;
    reopen(p);
    assert_int_equal(journal_read_cursor(p->r, "old", &fact, &event), 0);
    assert_int_equal(journal_read_cursor(p->r, "crm", &fact, &event), 1);
    assert_int_equal(journal_read_cursor(p->r, "with \"quotes\"", &fact, &event), 1);
    p->opt.sink_count = 0;      /* there are none */
    reopen(p);
    assert_int_equal(journal_read_cursor(p->r, "crm", &fact, &event), 0);
}

/* Another process reads while we write. */
static void another_process_reads(void **state)
{
    struct place *p = *state;
    struct journal_reader *r;
    int status;
    pid_t pid;

    add_events(p, 1, 50, "a-1.0");
    pid = fork();
    if (pid == 0) {
        int64_t after = 0;
        int n = journal_reader_open(&r, p->db);

        if (!n)
            n = journal_read_events(r, TEXT_NONE, &after, 1000, see_event, p);
        _exit(n == 50 ? 0 : 1);
    }
    add_events(p, 51, 60, "a-1.0");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* 50 or 60: whole batches */
    assert_true(WIFEXITED(status));
    assert_int_equal(read_events(p, TEXT_NONE), 60);
}

static int problem_of(struct place *p, char **problem)
{
    struct journal *j = NULL;
    const int err = journal_open(&j, p->db, &p->opt, problem);

    assert_null(j);
    assert_non_null(*problem);
    assert_null(strchr(*problem, '\n'));
    assert_non_null(strstr(*problem, p->db));
    return err;
}

static void run_sql(struct place *p, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void close_all(struct place *p)
{
    journal_reader_close(p->r);
    journal_close(p->j);
    p->r = NULL;
    p->j = NULL;
}

static void a_newer_file_is_refused(void **state)
{
    struct place *p = *state;
    char *problem;

    close_all(p);
    run_sql(p, "PRAGMA user_version=999");
    assert_int_equal(problem_of(p, &problem), -EINVAL);
    assert_non_null(strstr(problem, "newer"));
    free(problem);
    assert_int_equal(journal_reader_open(&p->r, p->db), -EINVAL);
}

static void a_foreign_file_is_refused(void **state)
{
    struct place *p = *state;
    char *problem;

    close_all(p);
    assert_int_equal(unlink(p->db), 0);
    run_sql(p, "CREATE TABLE theirs(x)");
    assert_int_equal(problem_of(p, &problem), -EINVAL);
    free(problem);
    assert_int_equal(unlink(p->db), 0);
    assert_int_equal(journal_reader_open(&p->r, p->db), -ENOENT);
}

/* Bytes in the middle of the file are gone: reading and writing say so, and go on living. */
static void a_damaged_file_is_an_error_not_a_crash(void **state)
{
    struct place *p = *state;
    char *problem = NULL;
    int64_t after = 0;
    struct stat st;
    FILE *f;
    int err;

    for (uint64_t i = 0; i < 20; i++)
        add_events(p, i * 100 + 1, i * 100 + 100, "a-1.0");
    close_all(p);
    assert_int_equal(stat(p->db, &st), 0);
    f = fopen(p->db, "r+");
    assert_non_null(f);
    for (long at = 8192; at < st.st_size - 4096; at += 4096) {
        fseek(f, at, SEEK_SET);
        for (int i = 0; i < 512; i++)
            fwrite("\xa5\x5a\xff\x00", 1, 4, f);
    }
    fclose(f);
    err = journal_open(&p->j, p->db, &p->opt, &problem);
    if (err) {
        assert_non_null(problem);
        assert_null(strchr(problem, '\n'));
        free(problem);
        p->j = NULL;
    }
    if (journal_reader_open(&p->r, p->db) == 0)
        assert_true(journal_read_events(p->r, TEXT_NONE, &after, 5000, see_event, p) < 2000);
}

/* ---- trimming ---- */

static void trim_all(struct place *p, int64_t now_us)
{
    int n;

    for (int i = 0; i < 100000 && (n = journal_trim(p->j, now_us, 50)) > 0; i++)
        ;
    assert_int_equal(n, 0);
}

static void nothing_is_trimmed_without_a_limit(void **state)
{
    struct place *p = *state;

    add_events(p, 1, 500, "a-1.0");
    assert_int_equal(journal_trim(p->j, INT64_MAX / 2, 1000), 0);
    assert_int_equal(read_events(p, TEXT_NONE), 500);
}

static void what_is_too_old_goes(void **state)
{
    struct place *p = *state;

    p->opt.keep_age_us = 1000000;
    reopen(p);
    add_events(p, 1, 500, "a-1.0");
    add_events(p, 501, 600, "b-2.0");
    begin(p);
    for (uint64_t i = 1; i <= 600; i++)
        add_fact(p, i, "call.started", i <= 500 ? "a-1.0" : "b-2.0");
    put_call(p, "a-1.0", "", T0, T0 + 5);
    put_call(p, "b-2.0", "", T0 + 501 * 1000, T0 + 502 * 1000);
    commit(p);
    trim_all(p, T0 + 1000000 + 400 * 1000);
    read_events(p, TEXT_NONE);
    assert_true(p->first_at >= T0 + 400 * 1000);
    assert_int_equal(p->seen, 200);     /* the 400th stands 100 us before its thousandth */
    assert_int_equal(read_facts(p, TEXT_NONE), 201);
    assert_int_equal(read_calls(p, (struct journal_query){ 0 }), 1);
    assert_string_equal(p->calls[0].id, "b-2.0");
    assert_int_equal(read_gaps(p), 2);  /* those of the restart; none for what was trimmed */
}

static void an_unread_row_does_not_go_for_its_age(void **state)
{
    struct place *p = *state;

    p->opt.keep_age_us = 1;
    reopen(p);
    add_events(p, 1, 300, "a-1.0");
    begin(p);
    for (uint64_t i = 1; i <= 300; i++)
        add_fact(p, i, "call.started", "a-1.0");
    assert_int_equal(journal_put_cursor(p->j, "crm", 100, 120), 0);
    assert_int_equal(journal_put_cursor(p->j, "pg", 250, 0), 0);        /* has read no event yet */
    commit(p);
    trim_all(p, INT64_MAX / 2);
    assert_int_equal(read_events(p, TEXT_NONE), 300);
    assert_int_equal(read_facts(p, TEXT_NONE), 200);
    begin(p);
    assert_int_equal(journal_put_cursor(p->j, "pg", 250, 200), 0);
    commit(p);
    trim_all(p, INT64_MAX / 2);
    assert_int_equal(read_events(p, TEXT_NONE), 180);
    assert_int_equal(read_gaps(p), 2);  /* those of the restart */
}

/* All rows may go but the newest: the ids that sinks keep must never come again. */
static void ids_never_come_again(void **state)
{
    struct place *p = *state;

    p->opt.keep_age_us = 1;
    reopen(p);
    add_events(p, 1, 100, "a-1.0");
    trim_all(p, INT64_MAX / 2);
    assert_int_equal(read_events(p, TEXT_NONE), 1);
    reopen(p);
    add_events(p, 101, 101, "a-1.0");
    assert_int_equal(read_events(p, TEXT("a-1.0")), 2);
    assert_int_equal(p->ids[1], 101);
}

static int64_t file_size(struct place *p)
{
    struct stat st;

    assert_int_equal(stat(p->db, &st), 0);
    return st.st_size;
}

static void a_checkpoint(struct place *p)
{
    run_sql(p, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void the_file_keeps_its_size(void **state)
{
    struct place *p = *state;
    int64_t before;

    for (uint64_t i = 0; i < 100; i++)
        add_events(p, i * 100 + 1, i * 100 + 100, "a-1.0");
    a_checkpoint(p);
    before = file_size(p);
    p->opt.keep_bytes = before / 4;
    reopen(p);
    trim_all(p, T0);
    journal_reader_close(p->r);
    a_checkpoint(p);
    assert_true(file_size(p) <= before / 4);
    assert_int_equal(journal_reader_open(&p->r, p->db), 0);
    read_events(p, TEXT_NONE);
    assert_true(p->seen > 1000 && p->seen < 5000);
    assert_int_equal(read_gaps(p), 2);  /* those of the restart: nobody had a cursor */
}

/* Facts alone (events are not kept) are under the same limit, and calls without facts go, too. */
static void facts_and_calls_are_under_the_limit_too(void **state)
{
    struct place *p = *state;
    int64_t before;

    for (uint64_t i = 0; i < 200; i++) {
        begin(p);
        for (uint64_t k = 0; k < 20; k++) {
            char id[32];

            snprintf(id, sizeof id, "a-%u", (unsigned)(i * 20 + k));
            add_fact(p, i * 20 + k + 1, "call.started", id);
            put_call(p, id, "", T0 + (int64_t)(i * 20 + k) * 1000, T0 + (int64_t)(i * 20 + k) * 1000 + 10);
        }
        commit(p);
    }
    a_checkpoint(p);
    before = file_size(p);
    p->opt.keep_bytes = before / 4;
    reopen(p);
    trim_all(p, T0);
    journal_reader_close(p->r);
    a_checkpoint(p);
    assert_true(file_size(p) <= before / 4);
    assert_int_equal(journal_reader_open(&p->r, p->db), 0);
    assert_true(read_facts(p, TEXT_NONE) > 100);
    assert_true(read_calls(p, (struct journal_query){ .max = 10000 }) > 100);
    assert_true(p->seen < 2500);
}

static void unread_rows_that_go_are_a_gap(void **state)
{
    struct place *p = *state;
    int64_t first_left;

    for (uint64_t i = 0; i < 100; i++)
        add_events(p, i * 100 + 1, i * 100 + 100, "a-1.0");
    begin(p);
    assert_int_equal(journal_put_cursor(p->j, "crm", 0, 500), 0);
    commit(p);
    a_checkpoint(p);
    p->opt.keep_bytes = file_size(p) / 4;
    reopen(p);
    trim_all(p, T0);
    read_events(p, TEXT_NONE);
    first_left = p->ids[0];
    assert_true(first_left > 501);
    assert_int_equal(read_gaps(p), 3);  /* one for all steps, beside those of the restart */
    assert_string_equal(p->texts[2], "pbx1 retention events that crm had not read");
    assert_int_equal(p->gaps[2].events_lost, first_left - 501);
    assert_int_equal(p->gaps[2].from_us, T0 + 501 * 1000 - 100);
    assert_true(p->gaps[2].to_us >= T0 + (first_left - 1) * 1000 - 100);
}

/* A call's number may be given back while the call goes on much later: then it gets a new one, and is found. */
static void a_call_that_comes_back_is_found(void **state)
{
    struct place *p = *state;

    p->opt.keep_age_us = 1;
    reopen(p);
    add_events(p, 1, 100, "a-1.0");
    add_events(p, 101, 101, "b-2.0");
    trim_all(p, INT64_MAX / 2);
    assert_int_equal(read_events(p, TEXT("a-1.0")), 0);
    add_events(p, 102, 104, "a-1.0");
    assert_int_equal(read_events(p, TEXT("a-1.0")), 3);
}

/* ---- short memory ---- */

static void memory_is_short_at_every_place(void **state)
{
    struct place *p = *state;

    close_all(p);
    for (long n = 1;; n++) {
        char *problem = NULL;
        int err;

        fail_alloc_at(n);
        err = journal_open(&p->j, p->db, &p->opt, &problem);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            break;
        }
        fail_alloc_off();
        free(problem);
        if (!err)
            journal_close(p->j);
        p->j = NULL;
    }
    for (long n = 1;; n++) {
        struct tap_event *e = event_make((uint64_t)n, "a-1.0", "v");
        int err;

        begin(p);
        fail_alloc_at(n);
        err = journal_add_event(p->j, e);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            tap_event_free(e);
            assert_int_equal(err, 0);
            commit(p);
            break;
        }
        fail_alloc_off();
        tap_event_free(e);
        journal_rollback(p->j);
    }
    assert_int_equal(journal_reader_open(&p->r, p->db), 0);
    assert_int_equal(read_events(p, TEXT_NONE), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_event_comes_out_as_it_went_in), T(names_are_in_the_file), T(made_up_names_do_not_fill_the_file), T(notes_are_left_out),
        T(a_rolled_back_batch_leaves_nothing_and_can_be_given_again), T(events_of_one_call_are_found_by_any_of_its_ids), T(calls_are_found),
        T(an_earlier_run_is_closed), T(a_first_start_that_stored_nothing_leaves_a_gap), T(one_open_gap_a_node), T(cursors_are_kept), T(a_sink_that_is_configured_no_more_holds_nothing_back),
        T(another_process_reads), T(a_newer_file_is_refused),
        T(a_foreign_file_is_refused), T(a_damaged_file_is_an_error_not_a_crash), T(nothing_is_trimmed_without_a_limit), T(what_is_too_old_goes),
        T(an_unread_row_does_not_go_for_its_age), T(ids_never_come_again), T(the_file_keeps_its_size), T(facts_and_calls_are_under_the_limit_too),
        T(unread_rows_that_go_are_a_gap), T(a_call_that_comes_back_is_found), T(memory_is_short_at_every_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
