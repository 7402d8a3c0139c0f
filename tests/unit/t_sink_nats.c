/* The sink into a real nats-server: stopped, killed, filled up and restarted; afterwards every message is there, exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nats/nats.h>

#include "base/clock.h"
#include "journal_fake.h"
#include "net_help.h"
#include "real_server.h"
#include "sink/sink_parts.h"

static struct real_server server;
static bool has_server;
static char url[64];
static char dead[128];

/* max_file in bytes; the window of the server's own duplicates is the stream's. */
static void server_start(uint64_t max_file)
{
    char path[96];
    FILE *f;

    snprintf(path, sizeof path, "%s/conf", server.dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "listen: 127.0.0.1:%u\nmax_payload: 65536\njetstream { store_dir: \"%s/store\", max_mem: 16MB, max_file: %llu }\n", server.port, server.dir,
            (unsigned long long)max_file);
    assert_int_equal(fclose(f), 0);
    real_server_spawn(&server, (const char *const[]){ real_server_program("/usr/sbin/nats-server") ? "/usr/sbin/nats-server" : "/usr/bin/nats-server", "-c",
                                                      path, NULL });
    real_server_wait(&server);
}

enum { MUCH = 256 << 20 };

static int up(void **state)
{
    (void)state;
    has_server = real_server_program("/usr/*bin/nats-server") != NULL;
    journal_fake_reset();
    if (!has_server)
        return 0;
    real_server_make(&server, "sinks-nats");
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", server.port);
    snprintf(dead, sizeof dead, "/tmp/sinks-nats-%d.dead", (int)getpid());
    server_start(MUCH);
    return 0;
}

static int down(void **state)
{
    (void)state;
    if (has_server)
        real_server_free(&server);
    return 0;
}

/* ---- the sink ---- */

static _Atomic int64_t cursor[2];
static bool keeps_cursor = true;

static void on_cursor(const char *name, int64_t fact_id, int64_t event_id, void *arg)
{
    (void)arg;
    if (keeps_cursor)
        journal_fake_cursor(name, fact_id, event_id);
    cursor[0] = fact_id;
    cursor[1] = event_id;
}

static struct sink_options options(void)
{
    return (struct sink_options){
        .driver = &sink_nats, .settings = { .name = "nats", .url = url, .deadline_ms = 5000 }, .journal_path = "none",
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
        journal_fake_fact("call.ended", "17.1", "{\"caller\":\"1001\",\"pad\":\"0123456789012345678901234567890123456789\"}");
}

static void events(int n)
{
    for (int i = 0; i < n; i++)
        journal_fake_event("Hangup", "17.1");
}

typedef bool check_fn(const struct sink_figures *f);
static bool is_empty(const struct sink_figures *f) { return !f->is_failing && cursor[0] == journal_last_fact(NULL) && cursor[1] == journal_last_event(NULL); }
static bool is_failing(const struct sink_figures *f) { return f->is_failing; }
static bool is_filled(const struct sink_figures *f) { return f->is_failing && (strstr(f->last_problem, "insufficient") || strstr(f->last_problem, "maximum")); }

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

/* ---- looking into the stream ---- */

static unsigned char facts_seen[20000], events_seen[20000];
static char last_subject[128], last_body[2048];

/* Reads the whole stream and counts how often each key is in it. How many messages. */
static int read_stream(void)
{
    natsConnection *c = NULL;
    jsCtx *js = NULL;
    natsSubscription *sub = NULL;
    jsStreamInfo *info = NULL;
    jsSubOptions o;
    jsErrCode code;
    int n;

    memset(facts_seen, 0, sizeof facts_seen);
    memset(events_seen, 0, sizeof events_seen);
    for (int i = 0; i < 500 && natsConnection_ConnectTo(&c, url) != NATS_OK; i++)
        poll(NULL, 0, 20);      /* a server that was stopped has to find its feet */
    assert_non_null(c);
    assert_int_equal(natsConnection_JetStream(&js, c, NULL), NATS_OK);
    assert_int_equal(js_GetStreamInfo(&info, js, "SIDETONE", NULL, &code), NATS_OK);
    n = (int)info->State.Msgs;
    jsStreamInfo_Destroy(info);
    jsSubOptions_Init(&o);
    o.Ordered = true;
    assert_int_equal(js_SubscribeSync(&sub, js, "sidetone.>", NULL, &o, &code), NATS_OK);
    for (int i = 0; i < n; i++) {
        natsMsg *m = NULL;
        const char *key;
        unsigned seq, k;

        assert_int_equal(natsSubscription_NextMsg(&m, sub, 20000), NATS_OK);
        assert_int_equal(natsMsgHeader_Get(m, "Nats-Msg-Id", &key), NATS_OK);
        if (sscanf(key, "pbx1/77/%u/%u", &seq, &k) == 2)
            facts_seen[(seq - 1) * 2 + k]++;
        else if (sscanf(key, "pbx1/77/%u/e", &seq) == 1)
            events_seen[seq - 1]++;
        else
            fail_msg("an odd key: %s", key);
        snprintf(last_subject, sizeof last_subject, "%s", natsMsg_GetSubject(m));
        snprintf(last_body, sizeof last_body, "%.*s", natsMsg_GetDataLength(m), natsMsg_GetData(m));
        natsMsg_Destroy(m);
    }
    natsSubscription_Destroy(sub);
    jsCtx_Destroy(js);
    natsConnection_Destroy(c);
    return n;
}

static void check_stream(int fact_count, int event_count)
{
    const int n = read_stream();

    for (int i = 0; i < fact_count; i++)
        if (facts_seen[i] != 1)
            fail_msg("fact %d is there %u times", i + 1, facts_seen[i]);
    for (int i = 0; i < event_count; i++)
        if (events_seen[i] != 1)
            fail_msg("event %d is there %u times", i + 1, events_seen[i]);
    assert_int_equal(n, fact_count + event_count);
}

#define NEEDS_SERVER()  \
    do {                \
        (void)state;    \
        if (!has_server) \
            skip();     \
    } while (0)

/* ---- tests ---- */

static void test_messages_have_subject_id_and_body(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    events(1);
    wait_until(s, is_empty);
    check_stream(0, 1);
    assert_string_equal(last_subject, "sidetone.event.pbx1.Hangup");
    journal_fake_fact("odd .kind.>..*", "17.1", "{\"a\":1}");
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_stream(1, 1);
    assert_string_equal(last_subject, "sidetone.fact.pbx1.odd_.kind.__._");
    assert_non_null(strstr(last_body, "\"kind\":\"odd .kind.>..*\",\"call\":\"17.1\",\"detail\":{\"a\":1}}"));
}

static void test_stopped_and_restarted(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s = open_sink(&o);

    facts(1000);
    wait_until(s, is_empty);
    real_server_kill(&server, SIGTERM);
    facts(1000);
    events(500);
    wait_until(s, is_failing);
    server_start(MUCH);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_stream(2000, 500);
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
        poll(NULL, 0, 6 * round);
        real_server_kill(&server, SIGKILL);
        server_start(MUCH);
    }
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_stream(7500, 2500);
}

static void test_filled_up(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink *s;

    real_server_kill(&server, SIGKILL);
    server_start(512 << 10);
    s = open_sink(&o);
    facts(6000);
    wait_until(s, is_filled);
    assert_true(cursor[0] < 6000);
    real_server_kill(&server, SIGTERM);
    server_start(MUCH);                     /* more room */
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_stream(6000, 0);
}

static void test_a_server_that_stands_still(void **state)
{
    NEEDS_SERVER();
    struct sink_options o = options();
    struct sink *s;
    int64_t before;

    o.settings.deadline_ms = 500;
    s = open_sink(&o);
    facts(500);
    wait_until(s, is_empty);
    kill(server.pid, SIGSTOP);
    facts(500);
    wait_until(s, is_failing);
    kill(server.pid, SIGCONT);
    wait_until(s, is_empty);
    kill(server.pid, SIGSTOP);
    facts(1);
    wait_until(s, is_failing);
    before = clock_mono_us();
    sink_close(s, 100);
    assert_true(clock_mono_us() - before < 20 * 1000000);
    kill(server.pid, SIGCONT);
    s = open_sink(&o);                      /* whether the last one came through nobody knows: it is sent again, and is there once */
    wait_until(s, is_empty);
    sink_close(s, 1000);
    check_stream(1001, 0);
}

/* Each run ends before its cursor is durable, and the server's own window has passed: the stream's last keys are looked at. */
static void test_a_lost_cursor_after_the_servers_window(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    natsConnection *c = NULL;
    jsCtx *js = NULL;
    jsStreamConfig want;
    const char *subjects[] = { "sidetone.>" };
    struct sink *s;

    assert_int_equal(natsConnection_ConnectTo(&c, url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&js, c, NULL), NATS_OK);
    jsStreamConfig_Init(&want);
    want.Name = "SIDETONE";
    want.Subjects = subjects;
    want.SubjectsLen = 1;
    want.Duplicates = 100 * INT64_C(1000000);   /* 100 ms */
    assert_int_equal(js_AddStream(NULL, js, &want, NULL, NULL), NATS_OK);
    jsCtx_Destroy(js);
    natsConnection_Destroy(c);
    keeps_cursor = false;
    facts(1000);
    events(1000);
    for (int run = 0; run < 3; run++) {
        s = open_sink(&o);
        if (run > 0)
            wait_until(s, is_empty);
        else
            poll(NULL, 0, 30);                  /* ends somewhere in the middle */
        sink_close(s, run > 0 ? 1000 : 0);
        poll(NULL, 0, 300);
    }
    keeps_cursor = true;
    check_stream(1000, 1000);
}

static void test_a_row_over_max_payload_is_a_dead_letter(void **state)
{
    NEEDS_SERVER();
    const struct sink_options o = options();
    struct sink_figures f;
    struct sink *s = open_sink(&o);
    char *much = malloc(100001);
    FILE *list;

    memset(much, 'x', 100000);
    memcpy(much, "{\"a\":\"", 6);
    memcpy(much + 99998, "\"}", 3);
    facts(10);
    journal_fake_fact("call.ended", "17.1", much);
    facts(10);
    f = wait_until(s, is_empty);
    sink_close(s, 1000);
    free(much);
    assert_int_equal(f.dead, 1);
    assert_int_equal(read_stream(), 20);
    assert_int_equal(facts_seen[10], 0);
    list = fopen(dead, "r");
    assert_non_null(list);
    fclose(list);
    assert_int_equal(unlink(dead), 0);
}

static void test_a_stream_of_the_operators_that_takes_other_subjects(void **state)
{
    NEEDS_SERVER();
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s = open_sink(&o);

    facts(1);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    o.settings.subject = "other";           /* the stream exists, with "sidetone.>" only */
    o.settings.name = "second";
    s = open_sink(&o);
    f = wait_until(s, is_failing);
    sink_close(s, 0);
    assert_string_equal(f.last_problem, "NATS: no stream takes these subjects");
}

/* ---- without a real server ---- */

static void test_settings_that_cannot_be(void **state)
{
    static const struct { const char *url, *stream, *subject; } bad[] = {
        { NULL, NULL, NULL }, { "http://x", NULL, NULL }, { "nats://", NULL, NULL }, { "nats://h:x", NULL, NULL }, { "nats://h", "a.b", NULL }, { "nats://h", "a b", NULL },
        { "nats://h", NULL, "a..b" }, { "nats://h", NULL, "a.>" }, { "nats://h", NULL, ".a" }, { "nats://h", NULL, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sink_options o = options();
        struct sink *s;
        char *problem;

        o.settings.url = bad[i].url;
        o.settings.stream = bad[i].stream;
        o.settings.subject = bad[i].subject;
        if (sink_open(&s, &o, &problem) == 0)
            fail_msg("taken: %zu", i);
        assert_non_null(problem);
        free(problem);
    }
}

struct odd_peer {
    int listener;
    const char *says;
    bool was_left_open;             /* libnats was still reading after 20 s */
};

static void *odd(void *arg)
{
    struct odd_peer *p = arg;
    int fd;

    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        help_write(fd, p->says, strlen(p->says));
        if (help_read_end(fd) == -ETIMEDOUT)
            p->was_left_open = true;
        close(fd);
    }
    return NULL;
}

static void test_hostile_and_silent_servers(void **state)
{
    static const char *const says[] = {
        "", "HTTP/1.1 400 Bad Request\r\n\r\n", "INFO {\r\n", "INFO {}\r\n-ERR 'no: s3cret-word'\r\n", "INFO {\"max_payload\":1}\r\nPONG\r\nMSG x 1 99999999999\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        struct sink_options o = options();
        struct odd_peer p = { .says = says[i] };
        struct sink_figures f;
        char here[64];
        pthread_t id;
        uint16_t port;
        struct sink *s;
        int64_t before;

        journal_fake_reset();
        p.listener = help_listen(&port);
        assert_int_equal(pthread_create(&id, NULL, odd, &p), 0);
        snprintf(here, sizeof here, "nats://127.0.0.1:%u", port);
        o.settings.url = here;
        o.settings.secret = "s3cret-word";
        o.settings.deadline_ms = 300;
        facts(1);
        s = open_sink(&o);
        f = wait_until(s, is_failing);
        before = clock_mono_us();
        sink_close(s, 100);
        assert_true(clock_mono_us() - before < 10 * 1000000);
        assert_int_equal(strncmp(f.last_problem, "NATS: ", 6), 0);
        assert_null(strstr(f.last_problem, "s3cret"));
        assert_int_equal(f.delivered, 0);
        shutdown(p.listener, SHUT_RDWR);
        pthread_join(id, NULL);
        close(p.listener);
        assert_false(p.was_left_open);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages_have_subject_id_and_body, up, down),
        cmocka_unit_test_setup_teardown(test_stopped_and_restarted, up, down),
        cmocka_unit_test_setup_teardown(test_killed_in_the_middle_again_and_again, up, down),
        cmocka_unit_test_setup_teardown(test_filled_up, up, down),
        cmocka_unit_test_setup_teardown(test_a_server_that_stands_still, up, down),
        cmocka_unit_test_setup_teardown(test_a_lost_cursor_after_the_servers_window, up, down),
        cmocka_unit_test_setup_teardown(test_a_row_over_max_payload_is_a_dead_letter, up, down),
        cmocka_unit_test_setup_teardown(test_a_stream_of_the_operators_that_takes_other_subjects, up, down),
        cmocka_unit_test(test_settings_that_cannot_be),
        cmocka_unit_test(test_hostile_and_silent_servers),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
