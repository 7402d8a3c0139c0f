/* tap.c, tap_node.c and tap_resync.c against scripted manager ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "fail_alloc.h"
#include "tap/tap.h"
#include "tap_peer.h"
#include "turn.h"

enum { GOT_MAX = 4000, NODES_MAX = 3 };

struct bench {
    struct loop *loop;
    struct tap_peer peers[NODES_MAX];
    struct tap_node_options nodes[NODES_MAX];
    struct tap_options opt;
    char urls[NODES_MAX][60];
    struct tap_queue *queues[NODES_MAX];
    size_t queue_events;
    struct tap *tap;
    struct log_sink sink;
    struct log log;
    atomic_uint clocks;
    atomic_int_least64_t node_us;

    struct tap_event *got[GOT_MAX];
    size_t count;
    const char *wanted;             /* event's name, or NULL */
    int wanted_kind;
    size_t wanted_count;
    const char *list;               /* answer to CoreShowChannels; NULL: none comes */
    const char *at_barrier;         /* events right before the answer to the Ping that follows the list */
    const char *around;             /* an event for the tap, right before the list is answered */
    const char *refusal;            /* answer to Filter; NULL: it is installed */
    const char *mask_answer;
    unsigned lists, filters;
    char filter[100], criteria[100], masks[100];
};

static void on_clock(uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us, void *arg)
{
    struct bench *b = arg;

    (void)node;
    if (sent_us <= got_us)
        atomic_fetch_add(&b->clocks, 1);
    atomic_store(&b->node_us, node_us);
}

static void say_to_tap(struct bench *b, size_t node, const char *bytes)
{
    tap_conn_say(tap_peer_of(&b->peers[node], "u"), bytes);
}

static void on_action(struct tap_conn *c, const struct ami_message *m, void *arg)
{
    struct bench *b = arg;

    if (text_eq(m->name, TEXT("CoreShowChannels"))) {
        b->lists++;
        c->peer->before_pong = b->at_barrier;
        if (b->around)
            tap_conn_say(tap_peer_of(c->peer, "u"), b->around);
        if (b->list && b->list[0] == 'E') {
            tap_conn_answer(c, m, "Response: Success\r\nEventList: start\r\nMessage: Channels will follow\r\n");
            tap_conn_answer(c, m, b->list);
            tap_conn_answer(c, m, "Event: CoreShowChannelsComplete\r\nEventList: Complete\r\nListItems: 1\r\n");
        } else if (b->list) {
            tap_conn_answer(c, m, b->list);
        }
    } else if (text_eq(m->name, TEXT("CoreSettings"))) {
        tap_conn_answer(c, m, "Response: Success\r\nAsteriskVersion: 22.10.1\r\n");
    } else if (text_eq(m->name, TEXT("Filter"))) {
        b->filters++;
        (void)text_copy(b->filter, sizeof b->filter, ami_get(m, TEXT("Filter")));
        (void)text_copy(b->criteria, sizeof b->criteria, ami_get(m, TEXT("MatchCriteria")));
        tap_conn_answer(c, m, b->refusal ? b->refusal : "Response: Success\r\nMessage: Filter added successfully\r\n");
    } else if (text_eq(m->name, TEXT("Events"))) {
        snprintf(b->masks + strlen(b->masks), sizeof b->masks - strlen(b->masks), "%.*s;", TEXT_ARG(ami_get(m, TEXT("EventMask"))));
        tap_conn_answer(c, m, text_eq(ami_get(m, TEXT("EventMask")), TEXT("on")) ? "Response: Success\r\nEvents: On\r\n" : b->mask_answer);
    }
}

static struct bench *bench_make(size_t nodes)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->sink = (struct log_sink){ .fd = memfd_create("log", 0), .level = LOG_DEBUG };
    b->log = (struct log){ .sink = &b->sink, .module = "test" };
    assert_int_equal(loop_new(&b->loop, &b->log), 0);
    b->queue_events = 1000;
    b->opt = (struct tap_options){ .nodes = b->nodes, .count = nodes, .on_clock = on_clock, .arg = b, .log = &b->log, .retry_max_ms = 40,
                                   .settle_ms = 30, .control_ms = 500 };
    for (size_t i = 0; i < nodes; i++) {
        b->peers[i].on_action = on_action;
        b->peers[i].arg = b;
        tap_peer_open(&b->peers[i], b->loop);
        snprintf(b->urls[i], sizeof b->urls[i], "tcp://127.0.0.1:%u", b->peers[i].port);
        b->nodes[i] = (struct tap_node_options){ .name = "pbx1", .url = b->urls[i], .user = "u", .secret = "s" };
    }
    return b;
}

static void bench_open(struct bench *b)
{
    char *problem = NULL;

    for (size_t i = 0; i < b->opt.count; i++) {
        assert_int_equal(tap_queue_new(&b->queues[i], (uint32_t)i, b->queue_events, 64 << 20, NULL, NULL), 0);
        b->nodes[i].queue = b->queues[i];
    }
    assert_int_equal(tap_open(&b->tap, &b->opt, &problem), 0);
    assert_null(problem);
}

static void drain(struct bench *b)
{
    for (size_t i = 0; i < b->opt.count; i++) {
        struct tap_event *e;

        while (b->count < GOT_MAX && (e = tap_queue_take(b->queues[i])))
            b->got[b->count++] = e;
    }
}

static size_t count_of(const struct bench *b, int kind, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < b->count; i++)
        n += b->got[i]->kind == kind && (!name || text_eq(tap_event_name(b->got[i]), text_of(name)));
    return n;
}

static bool has_wanted(void *arg)
{
    struct bench *b = arg;

    drain(b);
    return count_of(b, b->wanted_kind, b->wanted) >= b->wanted_count;
}

static void want(struct bench *b, int kind, const char *name, size_t count)
{
    b->wanted_kind = kind;
    b->wanted = name;
    b->wanted_count = count;
    assert_true(turn_until(b->loop, has_wanted, b, 5000));
}

static const struct tap_event *first_of(const struct bench *b, int kind, const char *name)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->got[i]->kind == kind && (!name || text_eq(tap_event_name(b->got[i]), text_of(name))))
            return b->got[i];
    fail();
    return NULL;
}

static bool log_has(struct bench *b, const char *what)
{
    static char all[200000];
    const ssize_t n = pread(b->sink.fd, all, sizeof all - 1, 0);

    assert_true(n >= 0);
    all[n] = '\0';
    return strstr(all, what) != NULL;
}

struct log_wait {
    struct bench *b;
    const char *what;
};

static bool log_shows(void *arg)
{
    struct log_wait *w = arg;

    return log_has(w->b, w->what);
}

static void want_log(struct bench *b, const char *what)
{
    struct log_wait w = { b, what };

    assert_true(turn_until(b->loop, log_shows, &w, 5000));
}

static void forget(struct bench *b)
{
    for (size_t i = 0; i < b->count; i++)
        tap_event_free(b->got[i]);
    b->count = 0;
}

static void bench_free(struct bench *b)
{
    /* The peers answer on this thread, so tap_close finds nobody to say goodbye to: it ends all the same. */
    tap_close(b->tap);
    forget(b);
    for (size_t i = 0; i < b->opt.count; i++) {
        tap_queue_free(b->queues[i]);
        tap_peer_close(&b->peers[i]);
    }
    turn_for(b->loop, 10);
    for (size_t i = 0; i < b->opt.count; i++)
        tap_peer_free(&b->peers[i]);
    loop_free(b->loop);
    close(b->sink.fd);
    free(b);
}

#define SNAPSHOT_TO_NUMBER(id_) "Channel: SIP/" id_ "\r\nChannelState: 4\r\nChannelStateDesc: Ring\r\nCallerIDNum: "
#define SNAPSHOT_REST(id_) "CallerIDName: <unknown>\r\nContext: c\r\nExten: 1\r\nPriority: 1\r\nUniqueid: " id_ "\r\nLinkedid: " id_ "\r\n"
#define HEAD(name_) "Event: " name_ "\r\nPrivilege: call,all\r\nTimestamp: 1795379341.004103\r\n"
#define EVENT(name_, id_) HEAD(name_) SNAPSHOT_TO_NUMBER(id_) "20\r\n" SNAPSHOT_REST(id_) "\r\n"
#define ITEM(id_) "Event: CoreShowChannel\r\n" SNAPSHOT_TO_NUMBER(id_) "20\r\n" SNAPSHOT_REST(id_)

/* ---- the session ---- */

static void events_arrive_stamped_and_numbered(void **state)
{
    struct bench *b = bench_make(1);
    struct tap_node_figures f;
    const int64_t began_us = clock_wall_us();

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_NONE, NULL, 1);
    say_to_tap(b, 0, EVENT("Newchannel", "1.1") EVENT("Hangup", "1.1"));
    want(b, TAP_EVENT, "Hangup", 1);
    assert_int_equal(b->count, 4);
    for (size_t i = 0; i < b->count; i++) {
        assert_int_equal(b->got[i]->seq, i + 1);
        assert_int_equal(b->got[i]->session, b->got[0]->session);
        assert_true(b->got[i]->recv_us >= began_us && b->got[i]->recv_us <= clock_wall_us());
    }
    assert_true(b->got[0]->session >= began_us);
    assert_int_equal(b->got[0]->kind, TAP_UP);
    assert_int_equal(b->got[2]->name, TAP_E_NEWCHANNEL);
    assert_int_equal(b->got[2]->flags, 0);
    assert_int_equal(b->got[2]->emit_us, 1795379341004103);
    assert_string_equal(b->peers[0].events, "on");
    tap_node_figures_of(b->tap, 0, &f);
    assert_true(f.is_up && f.has_times && f.filters_hold);
    assert_int_equal(f.events, 2);
    assert_int_equal(f.connects, 1);
    assert_in_range(f.bytes, sizeof EVENT("Newchannel", "1.1") + sizeof EVENT("Hangup", "1.1") - 100, sizeof EVENT("Newchannel", "1.1") + sizeof EVENT("Hangup", "1.1"));
    assert_true(f.up_since_us >= began_us && f.last_event_us >= f.up_since_us);
    bench_free(b);
}

static void a_plain_login_sends_no_challenge(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    b->nodes[0].is_plain = true;
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    assert_int_equal(b->peers[0].challenges, 0);
    bench_free(b);
}

static void a_lost_session_is_noted_and_comes_back(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_NONE, NULL, 1);
    say_to_tap(b, 0, EVENT("Newchannel", "1.1"));
    tap_peer_lose_all(&b->peers[0]);
    want(b, TAP_UP, NULL, 2);
    want(b, TAP_PRESENT_NONE, NULL, 2);
    assert_true(text_eq(tap_get_named(first_of(b, TAP_DOWN, NULL), TEXT("Cause")), TEXT("connection")));
    assert_true(tap_get_named(first_of(b, TAP_DOWN, NULL), TEXT("Reason")).n > 0);
    assert_true(first_of(b, TAP_DOWN, NULL)->session < b->got[b->count - 1]->session);
    assert_int_equal(b->got[b->count - 1]->seq, 2);
    bench_free(b);
}

static void shutdown_and_refusal_have_causes_of_their_own(void **state)
{
    struct bench *b = bench_make(2);

    (void)state;
    b->nodes[1].secret = "wrong";
    bench_open(b);
    want(b, TAP_DOWN, NULL, 1);
    assert_true(text_eq(tap_get_named(first_of(b, TAP_DOWN, NULL), TEXT("Cause")), TEXT("refused")));
    assert_int_equal(first_of(b, TAP_DOWN, NULL)->node, 1);
    want(b, TAP_UP, NULL, 1);
    forget(b);
    say_to_tap(b, 0, "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\n\r\n");
    want(b, TAP_EVENT, "Shutdown", 1);
    tap_peer_lose_all(&b->peers[0]);
    want(b, TAP_DOWN, NULL, 1);
    assert_true(text_eq(tap_get_named(first_of(b, TAP_DOWN, NULL), TEXT("Cause")), TEXT("shutdown")));
    want_log(b, "event=login_refused");
    bench_free(b);
}

static void a_half_dead_peer_is_noticed(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    b->opt.ping_ms = 30;
    b->opt.action_ms = 60;
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    b->peers[0].is_mute = true;
    want(b, TAP_DOWN, NULL, 1);
    b->peers[0].is_mute = false;
    want(b, TAP_UP, NULL, 2);
    bench_free(b);
}

static bool has_clocks(void *arg)
{
    return atomic_load(&((struct bench *)arg)->clocks) >= 2;
}

static void pings_tell_the_clock(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    b->peers[0].ping_time = "1795379341.250000";
    bench_open(b);
    assert_true(turn_until(b->loop, has_clocks, b, 5000));
    assert_int_equal(atomic_load(&b->node_us), 1795379341250000);
    bench_free(b);
}

static void absent_times_are_told_once_and_never_guessed(void **state)
{
    struct bench *b = bench_make(1);
    struct tap_node_figures f;

    (void)state;
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    say_to_tap(b, 0, "Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
                     "Event: Reload\r\nPrivilege: system,all\r\nModule: All\r\nStatus: 0\r\n\r\n");
    want(b, TAP_EVENT, "Reload", 1);
    assert_int_equal(first_of(b, TAP_EVENT, "Reload")->emit_us, TAP_NO_TIME);
    want_log(b, "event=no_timestamps");
    tap_node_figures_of(b->tap, 0, &f);
    assert_false(f.has_times);
    bench_free(b);
}

static void an_unknown_class_is_found_out(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    b->nodes[0].events = "call,agnet";
    b->mask_answer = "Response: Success\r\nEvents: Off\r\n";
    bench_open(b);
    want_log(b, "event=events_off");
    turn_for(b->loop, 50);
    assert_string_equal(b->masks, "call,agnet;on;");
    bench_free(b);
}

static void known_classes_stay(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    b->nodes[0].events = "call,agent";
    b->mask_answer = "Response: Success\r\nEvents: On\r\n";
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    turn_for(b->loop, 50);
    assert_string_equal(b->masks, "call,agent;");
    assert_false(log_has(b, "event=events_off"));
    bench_free(b);
}

/* ---- forgers ---- */

#define BROKEN(name_, id_, forged_) HEAD(name_) SNAPSHOT_TO_NUMBER(id_) "20\r\n\r\n" forged_ "\r\n\r\n" SNAPSHOT_REST(id_) "\r\n"

static void forged_hangups_are_marked(void **state)
{
    struct bench *b = bench_make(1);
    struct tap_node_figures f;
    size_t honest = 0;

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_NONE, NULL, 1);
    forget(b);
    say_to_tap(b, 0, EVENT("Newchannel", "1.1"));
    say_to_tap(b, 0, BROKEN("Newchannel", "6.6", "Event: Hangup\r\nChannel: SIP/1.1\r\nUniqueid: 1.1\r\nCause: 16"));
    say_to_tap(b, 0, EVENT("Hangup", "2.2"));
    want(b, TAP_EVENT, "Hangup", 2);
    for (size_t i = 0; i < b->count; i++)
        if (b->got[i]->kind == TAP_EVENT && b->got[i]->name == TAP_E_HANGUP) {
            const bool is_forged = text_eq(tap_get(b->got[i], TAP_H_UNIQUEID), TEXT("1.1"));

            assert_int_equal(b->got[i]->flags & TAP_SUSPECT, is_forged ? TAP_SUSPECT : 0);
            honest += !is_forged;
        }
    assert_int_equal(honest, 1);
    assert_int_equal(count_of(b, TAP_FORGED, NULL), 1);
    assert_int_equal(b->got[0]->flags, 0);
    tap_node_figures_of(b->tap, 0, &f);
    assert_int_equal(f.forged, 1);
    want_log(b, "event=break_in");
    bench_free(b);
}

/* The forger closes its first message as a whole one, writes a perfect one behind it, and only the tail betrays it. */
static void a_perfect_forgery_is_betrayed_by_its_tail(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_NONE, NULL, 1);
    forget(b);
    say_to_tap(b, 0, HEAD("Newchannel") SNAPSHOT_TO_NUMBER("6.6") "20\r\n" SNAPSHOT_REST("6.6") "\r\n" EVENT("Hangup", "1.1") SNAPSHOT_REST("6.6") "\r\n");
    say_to_tap(b, 0, EVENT("Newstate", "2.2"));
    want(b, TAP_EVENT, "Newstate", 1);
    assert_int_equal(first_of(b, TAP_EVENT, "Hangup")->flags & TAP_SUSPECT, TAP_SUSPECT);
    assert_int_equal(first_of(b, TAP_EVENT, "Newstate")->flags & TAP_SUSPECT, 0);
    bench_free(b);
}

/* Without a second blank line the forged event swallows the tail. */
static void a_forgery_that_swallows_its_tail_has_headers_twice(void **state)
{
    struct bench *b = bench_make(1);
    struct tap_node_figures f;

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_NONE, NULL, 1);
    say_to_tap(b, 0, HEAD("Newchannel") SNAPSHOT_TO_NUMBER("6.6") "20\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1795379341.004103\r\n"
                     "Channel: SIP/1.1\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\n" SNAPSHOT_REST("6.6") "\r\n");
    want(b, TAP_EVENT, "Hangup", 1);
    assert_int_equal(first_of(b, TAP_EVENT, "Hangup")->flags & TAP_SUSPECT, TAP_SUSPECT);
    tap_node_figures_of(b->tap, 0, &f);
    assert_int_equal(f.duplicates, 1);
    bench_free(b);
}

static void a_value_of_a_mebibyte_and_a_half_is_cut(void **state)
{
    static char big[1536 * 1024 + 200];
    struct bench *b = bench_make(1);
    struct tap_node_figures f;

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_NONE, NULL, 1);
    b->peers[0].is_mute = true;    /* no answer to a Ping in the middle of it */
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "Event: VarSet\r\nPrivilege: dialplan,all\r\nValue: ", 47);
    for (size_t at = 0; at < sizeof big - 1; at += 100000) {
        char piece[100001];
        const size_t n = sizeof big - 1 - at < 100000 ? sizeof big - 1 - at : 100000;

        memcpy(piece, big + at, n);
        piece[n] = '\0';
        say_to_tap(b, 0, piece);
        turn_for(b->loop, 5);
    }
    say_to_tap(b, 0, "\r\n\r\n" EVENT("Newchannel", "1.1"));
    want(b, TAP_EVENT, "Newchannel", 1);
    assert_int_equal(first_of(b, TAP_EVENT, "VarSet")->flags & TAP_CUT, TAP_CUT);
    assert_true(first_of(b, TAP_EVENT, "VarSet")->bytes < 1100 * 1024);
    tap_node_figures_of(b->tap, 0, &f);
    assert_int_equal(f.cut, 1);
    bench_free(b);
}

/* ---- resynchronising ---- */

static struct bench *bench_controlled(void)
{
    struct bench *b = bench_make(1);

    b->nodes[0].control_user = "c";
    b->nodes[0].control_secret = "s";
    b->list = ITEM("1.1");
    return b;
}

static size_t present(const struct bench *b, const char *id)
{
    size_t n = 0;

    for (size_t i = 0; i < b->count; i++)
        n += b->got[i]->kind == TAP_PRESENT && text_eq(tap_get(b->got[i], TAP_H_UNIQUEID), text_of(id));
    return n;
}

static void what_there_is_is_told_after_the_login(void **state)
{
    struct bench *b = bench_controlled();
    struct tap_node_figures f;

    (void)state;
    bench_open(b);
    want(b, TAP_PRESENT_END, NULL, 1);
    assert_int_equal(b->got[0]->kind, TAP_UP);
    assert_int_equal(present(b, "1.1"), 1);
    assert_true(text_eq(tap_get(first_of(b, TAP_PRESENT, NULL), TAP_H_LINKEDID), TEXT("1.1")));
    assert_int_equal(b->got[b->count - 1]->kind, TAP_PRESENT_END);
    want_log(b, "event=resynchronised");
    tap_node_figures_of(b->tap, 0, &f);
    assert_int_equal(f.resyncs, 1);
    assert_string_equal(f.asterisk, "22.10.1");
    bench_free(b);
}

/* Between the question and the list: one that is listed hangs up, one that is not listed begins. */
static void channels_that_come_and_go_meanwhile_are_not_misjudged(void **state)
{
    struct bench *b = bench_controlled();

    (void)state;
    b->around = EVENT("Hangup", "1.1") EVENT("Newchannel", "2.2");
    bench_open(b);
    want(b, TAP_PRESENT_END, NULL, 1);
    if (count_of(b, TAP_EVENT, "Hangup") == 0) { /* asked before the tap's own login was done: the events went nowhere */
        fail();
    }
    assert_int_equal(present(b, "1.1"), 0);
    assert_int_equal(present(b, "2.2"), 1);
    assert_true(first_of(b, TAP_EVENT, "Newchannel")->seq < first_of(b, TAP_PRESENT, NULL)->seq);
    bench_free(b);
}

/* The listed one hangs up right before the barrier's answer: its event is still held back when the notes are put. Which Ping is the barrier's depends
 * on the clock's Pings: each of the first three is tried. */
static void a_hangup_that_is_held_back_ends_a_listed_channel(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct bench *b = bench_controlled();

        b->at_barrier = EVENT("Hangup", "1.1");
        b->peers[0].pongs_plain = i;
        bench_open(b);
        want(b, TAP_PRESENT_END, NULL, 1);
        bool is_gone = false;      /* when the notes were put */

        for (size_t k = 0; k < b->count && b->got[k]->kind != TAP_PRESENT_END; k++)
            is_gone = is_gone || (b->got[k]->kind == TAP_EVENT && b->got[k]->name == TAP_E_HANGUP);
        assert_int_equal(present(b, "1.1"), is_gone ? 0 : 1);
        bench_free(b);
    }
}

static void a_forged_hangup_does_not_end_a_listed_channel(void **state)
{
    struct bench *b = bench_controlled();

    (void)state;
    b->around = BROKEN("Newchannel", "6.6", "Event: Hangup\r\nPrivilege: call,all\r\nChannel: SIP/1.1\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\nCause: 16");
    bench_open(b);
    want(b, TAP_PRESENT_END, NULL, 1);
    assert_int_equal(count_of(b, TAP_FORGED, NULL), 1);
    assert_int_equal(present(b, "1.1"), 1);
    bench_free(b);
}

static void why_there_is_no_list_is_told(void **state)
{
    static const struct {
        const char *list, *why, *user;
    } cases[] = {
        { "Response: Error\r\nMessage: Permission denied\r\n", "Permission denied", "c" },
        { NULL, "the list of channels did not come in time", "c" },
        { ITEM("1.1"), "the control user's session did not come up in time", "nobody" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_controlled();

        b->list = cases[i].list;
        b->opt.action_ms = 150;
        if (!strcmp(cases[i].user, "nobody"))
            b->nodes[0].control_secret = "wrong";
        bench_open(b);
        want(b, TAP_PRESENT_NONE, NULL, 1);
        assert_true(text_eq(tap_get_named(first_of(b, TAP_PRESENT_NONE, NULL), TEXT("Reason")), text_of(cases[i].why)));
        assert_int_equal(count_of(b, TAP_PRESENT_END, NULL), 0);
        bench_free(b);
    }
}

static void a_full_queue_is_followed_by_a_list(void **state)
{
    struct bench *b = bench_controlled();

    (void)state;
    b->queue_events = 50;
    bench_open(b);
    want(b, TAP_PRESENT_END, NULL, 1);
    for (int i = 0; i < 10; i++) { /* nobody takes meanwhile */
        static const char ten[] = EVENT("Newstate", "1.1") EVENT("Newstate", "1.1") EVENT("Newstate", "1.1") EVENT("Newstate", "1.1")
            EVENT("Newstate", "1.1") EVENT("Newstate", "1.1") EVENT("Newstate", "1.1") EVENT("Newstate", "1.1") EVENT("Newstate", "1.1")
            EVENT("Newstate", "1.1");

        say_to_tap(b, 0, ten);
    }
    want_log(b, "event=resynchronised");
    turn_for(b->loop, 100);
    assert_true(tap_queue_lost(b->queues[0]) > 0);
    want(b, TAP_PRESENT_END, NULL, 2);
    assert_int_equal(count_of(b, TAP_LOST, NULL), 1);
    assert_int_equal(first_of(b, TAP_LOST, NULL)->lost + count_of(b, TAP_EVENT, "Newstate"), 100);
    bench_free(b);
}

/* ---- filters ---- */

static void filters_are_installed_and_watched(void **state)
{
    static const char *const filters[] = { "eventfilter(action(exclude),name(VarSet)) =" };
    struct bench *b = bench_make(1);
    struct tap_node_figures f;

    (void)state;
    b->nodes[0].filters = filters;
    b->nodes[0].filter_count = 1;
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    turn_for(b->loop, 50);
    assert_int_equal(b->filters, 1);
    assert_string_equal(b->criteria, "action(exclude),name(VarSet)");
    assert_string_equal(b->filter, "");
    say_to_tap(b, 0, EVENT("Newchannel", "1.1"));
    want(b, TAP_EVENT, "Newchannel", 1);
    tap_node_figures_of(b->tap, 0, &f);
    assert_true(f.filters_hold);
    say_to_tap(b, 0, EVENT("VarSet", "1.1") EVENT("VarSet", "1.1"));
    want(b, TAP_EVENT, "VarSet", 2);
    tap_node_figures_of(b->tap, 0, &f);
    assert_false(f.filters_hold);
    assert_int_equal(f.filter_misses, 2);
    assert_true(log_has(b, "event=filters_do_not_hold node=pbx1 event=VarSet"));
    bench_free(b);
}

static void a_refused_filter_is_told(void **state)
{
    static const char *const filters[] = { "!Event: VarSet" };
    struct bench *b = bench_make(1);

    (void)state;
    b->nodes[0].filters = filters;
    b->nodes[0].filter_count = 1;
    b->refusal = "Response: Error\r\nMessage: Permission denied\r\n";
    bench_open(b);
    want_log(b, "event=filter_refused");
    assert_string_equal(b->filter, "!Event: VarSet");
    bench_free(b);
}

static void a_bad_filter_keeps_the_tap_shut(void **state)
{
    static const char *const filters[] = { "eventfilter(action(hide),name(VarSet)) =" };
    struct bench *b = bench_make(1);
    char *problem = NULL;

    (void)state;
    b->nodes[0].filters = filters;
    b->nodes[0].filter_count = 1;
    assert_int_equal(tap_queue_new(&b->queues[0], 0, 10, 1 << 20, NULL, NULL), 0);
    b->nodes[0].queue = b->queues[0];
    assert_int_equal(tap_open(&b->tap, &b->opt, &problem), -EINVAL);
    assert_string_equal(problem, "node pbx1: ami_filter: expected action(include) or action(exclude), came \"hide\"");
    free(problem);
    b->tap = NULL;
    bench_free(b);
}

static void insecure_is_said_in_every_line(void **state)
{
    struct bench *b = bench_make(1);

    (void)state;
    b->nodes[0].is_insecure = true;
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    tap_peer_lose_all(&b->peers[0]);
    want(b, TAP_UP, NULL, 2);
    assert_true(log_has(b, "pbx1 (certificate not verified)"));
    assert_false(log_has(b, "node=pbx1 "));
    bench_free(b);
}

/* ---- threads and memory ---- */

static void a_stalled_consumer_never_holds_the_reader(void **state)
{
    struct bench *b = bench_make(1);
    struct tap_node_figures f = { 0 };

    (void)state;
    b->queue_events = 20;
    bench_open(b);
    want(b, TAP_UP, NULL, 1);
    for (int i = 0; i < 2000; i++) {
        if (i % 100 == 0)
            turn_for(b->loop, 2);
        say_to_tap(b, 0, EVENT("Newstate", "1.1"));
    }
    for (int i = 0; i < 2000 && f.events < 2000; i++) {
        turn_for(b->loop, 2);
        tap_node_figures_of(b->tap, 0, &f);
    }
    assert_int_equal(f.events, 2000);
    assert_true(f.is_up);
    assert_int_equal(f.connects, 1);
    bench_free(b);
}

static void many_nodes_share_the_thread(void **state)
{
    struct bench *b = bench_make(3);

    (void)state;
    bench_open(b);
    want(b, TAP_UP, NULL, 3);
    for (size_t i = 0; i < 3; i++)
        say_to_tap(b, i, EVENT("Newchannel", "1.1"));
    want(b, TAP_EVENT, "Newchannel", 3);
    for (size_t i = 0; i < b->count; i++)
        assert_true(b->got[i]->node < 3);
    bench_free(b);
}

static void lack_of_memory_at_the_start(void **state)
{
    static const char *const filters[] = { "!Event: VarSet" };
    struct bench *b = bench_controlled();

    (void)state;
    b->nodes[0].filters = filters;
    b->nodes[0].filter_count = 1;
    assert_int_equal(tap_queue_new(&b->queues[0], 0, 10, 1 << 20, NULL, NULL), 0);
    b->nodes[0].queue = b->queues[0];
    for (long n = 1;; n++) {
        char *problem = NULL;
        int err;

        fail_alloc_at(n);
        err = tap_open(&b->tap, &b->opt, &problem);
        fail_alloc_off();
        free(problem);
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        b->tap = NULL;
        assert_true(n < 500);
    }
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_arrive_stamped_and_numbered),
        cmocka_unit_test(a_plain_login_sends_no_challenge),
        cmocka_unit_test(a_lost_session_is_noted_and_comes_back),
        cmocka_unit_test(shutdown_and_refusal_have_causes_of_their_own),
        cmocka_unit_test(a_half_dead_peer_is_noticed),
        cmocka_unit_test(pings_tell_the_clock),
        cmocka_unit_test(absent_times_are_told_once_and_never_guessed),
        cmocka_unit_test(an_unknown_class_is_found_out),
        cmocka_unit_test(known_classes_stay),
        cmocka_unit_test(forged_hangups_are_marked),
        cmocka_unit_test(a_perfect_forgery_is_betrayed_by_its_tail),
        cmocka_unit_test(a_forgery_that_swallows_its_tail_has_headers_twice),
        cmocka_unit_test(a_value_of_a_mebibyte_and_a_half_is_cut),
        cmocka_unit_test(what_there_is_is_told_after_the_login),
        cmocka_unit_test(channels_that_come_and_go_meanwhile_are_not_misjudged),
        cmocka_unit_test(a_hangup_that_is_held_back_ends_a_listed_channel),
        cmocka_unit_test(a_forged_hangup_does_not_end_a_listed_channel),
        cmocka_unit_test(why_there_is_no_list_is_told),
        cmocka_unit_test(a_full_queue_is_followed_by_a_list),
        cmocka_unit_test(filters_are_installed_and_watched),
        cmocka_unit_test(a_refused_filter_is_told),
        cmocka_unit_test(a_bad_filter_keeps_the_tap_shut),
        cmocka_unit_test(insecure_is_said_in_every_line),
        cmocka_unit_test(a_stalled_consumer_never_holds_the_reader),
        cmocka_unit_test(many_nodes_share_the_thread),
        cmocka_unit_test(lack_of_memory_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
