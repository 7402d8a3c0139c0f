/* asyncagi*.c: channels in AsyncAGI against a scripted manager port; sessions on the same loop, or on one of another thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "ami_peer.h"
#include "fail_alloc.h"
#include "pbx/agi_session.h"
#include "pbx/asyncagi.h"
#include "pbx/asyncagi_parts.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

#define SNAP "Privilege: agi,all\r\nChannel: Local/1@x;1\r\nContext: test\r\nPriority: 2\r\nUniqueid: a-1.0\r\nLinkedid: a-1.0\r\n"
#define ENV "agi_request%3A%20async%0Aagi_channel%3A%20Local%2F1%40x%3B1%0Aagi_uniqueid%3A%20a-1.0%0Aagi_extension%3A%20async%0A" \
            "agi_threadid%3A%201%0Aagi_arg_1%3A%20caller-name%0Aagi_arg_2%3A%20two%0A%0A"

enum { LINES = 64, LINE = 1100 };

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct ami_peer peer;
    struct asyncagi *a;
    bool closed;

    char lines[LINES][LINE];       /* commands that came, in order */
    char ids[LINES][60];
    unsigned count, lists;
    const char *list_error;        /* CoreShowChannels is refused */
    bool list_has_us;
    const char *queue_error;       /* Action: AGI is refused */

    int refuse;                    /* accept says so */
    struct agi_session *session;
    unsigned ready, replies, hangups, ended;
    int reply_err, end_err;
    size_t value_n;
    char value[40], script[60], arg[1000];
};

/* ---- the manager's side ---- */

static void on_action(struct ami_peer *p, const struct ami_message *m, void *arg)
{
    struct bench *b = arg;

    if (text_eq(m->name, TEXT("CoreShowChannels"))) {
        b->lists++;
        if (b->list_error) {
            ami_peer_message(p, m, b->list_error);
            return;
        }
        ami_peer_message(p, m, "Response: Success\r\nEventList: start\r\n");
        if (b->list_has_us)
            ami_peer_message(p, m, "Event: CoreShowChannel\r\nChannel: Local/1@x;1\r\nUniqueid: a-1.0\r\nApplication: AGI\r\n"
                                   "ApplicationData: agi:async,caller-name\r\n");
        ami_peer_message(p, m, "Event: CoreShowChannelsComplete\r\nEventList: Complete\r\n");
        return;
    }
    assert_true(text_eq(m->name, TEXT("AGI")));
    assert_true(b->count < LINES);
    (void)text_copy(b->lines[b->count], LINE, ami_get(m, TEXT("Command")));
    (void)text_copy(b->ids[b->count++], sizeof b->ids[0], ami_get(m, TEXT("CommandID")));
    ami_peer_message(p, m, b->queue_error ? b->queue_error : "Response: Success\r\nMessage: Added AGI command to queue\r\n");
}

static void say_exec(struct bench *b, unsigned line, const char *result)
{
    struct buf m;

    buf_init(&m, 1 << 16);
    buf_addf(&m, "Event: AsyncAGIExec\r\n%sCommandId: %s\r\nResult: ", SNAP, b->ids[line]);
    buf_addf(&m, "%s\r\n", result);
    ami_peer_message(&b->peer, NULL, buf_cstr(&m));
    buf_free(&m);
}

/* ---- the session's side ---- */

static void on_ready(struct agi_session *s, void *arg)
{
    struct bench *b = arg;

    b->ready++;
    (void)text_copy(b->script, sizeof b->script, agi_env_get(agi_session_env(s), TEXT("agi_network_script")));
    (void)text_copy(b->arg, sizeof b->arg, agi_env_arg(agi_session_env(s), 1));
}

static void on_reply(struct agi_session *s, int err, const struct agi_reply *r, int64_t latency_us, void *arg)
{
    struct bench *b = arg;

    (void)s;
    (void)latency_us;
    b->replies++;
    b->reply_err = err;
    b->value_n = err ? 0 : r->value.n;
    (void)text_copy(b->value, sizeof b->value, err ? TEXT("") : r->value);
}

static void on_hangup(struct agi_session *s, void *arg)
{
    (void)s;
    ((struct bench *)arg)->hangups++;
}

static void on_ended(struct agi_session *s, int err, const char *why, void *arg)
{
    struct bench *b = arg;

    (void)why;
    b->ended++;
    b->end_err = err;
    b->session = ref_drop(s);
}

static struct loop *choose(void *arg, void **place)
{
    *place = arg;
    return ((struct bench *)arg)->loop;
}

static int accept_here(void *place, struct agi_carrier *c)
{
    static const struct agi_session_handlers on = { .on_ready = on_ready, .on_reply = on_reply, .on_hangup = on_hangup, .on_closed = on_ended };
    struct bench *b = place;

    return b->refuse ? b->refuse : agi_session_over(&b->session, c, NULL, &on, b, &test_log);
}

static void on_closed(void *arg)
{
    struct bench *b = arg;

    b->closed = true;
    b->a = NULL;
}

/* ---- conditions ---- */

static bool is_up(void *arg)
{
    struct bench *b = arg;

    return asyncagi_is_up(b->a) && b->lists > 0;
}

static bool is_ready(void *arg)
{
    return ((struct bench *)arg)->ready > 0;
}

static bool has_reply(void *arg)
{
    return ((struct bench *)arg)->replies > 0;
}

static bool has_ended(void *arg)
{
    return ((struct bench *)arg)->ended > 0;
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed;
}

static bool has_break(void *arg)
{
    struct bench *b = arg;

    return b->count > 0 && !strcmp(b->lines[b->count - 1], "ASYNCAGI BREAK");
}

static bool has_line(void *arg)
{
    return ((struct bench *)arg)->count > 0;
}

static bool is_gone(void *arg)
{
    struct asyncagi_figures f;

    asyncagi_figures(((struct bench *)arg)->a, &f);
    return f.channels == 0;
}

/* ---- the bench ---- */

static struct bench *bench_make(void)
{
    const struct dialer_options none = { 0 };
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    b->peer.on_action = on_action;
    b->peer.arg = b;
    ami_peer_open(&b->peer, b->loop);
    return b;
}

static int bench_open(struct bench *b, size_t channels_max)
{
    const struct asyncagi_places places = { .choose = choose, .accept = accept_here, .arg = b };
    char url[60];
    const struct asyncagi_options opt = {
        .ami = { .node = "pbx1", .url = url, .user = "u", .secret = "s", .action_ms = 300, .retry_max_ms = 40 },
        .channels_max = channels_max,
    };

    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", b->peer.port);
    return asyncagi_open(&b->a, b->loop, b->dialer, &opt, &places, &test_log);
}

static struct bench *bench_up(void)
{
    struct bench *b = bench_make();

    assert_int_equal(bench_open(b, 0), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    turn_for(b->loop, 5);
    return b;
}

static void say_start(struct bench *b)
{
    ami_peer_message(&b->peer, NULL, "Event: AsyncAGIStart\r\n" SNAP "Env: " ENV "\r\n");
}

static void say_end(struct bench *b)
{
    ami_peer_message(&b->peer, NULL, "Event: AsyncAGIEnd\r\n" SNAP);
}

static struct bench *bench_ready(void)
{
    struct bench *b = bench_up();

    say_start(b);
    assert_true(turn_until(b->loop, is_ready, b, 3000));
    return b;
}

static void bench_free(struct bench *b)
{
    if (b->a)
        asyncagi_close(b->a, 0, on_closed, b);
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    assert_null(b->session);
    ami_peer_close(&b->peer);
    turn_for(b->loop, 5);
    dialer_free(b->dialer);
    loop_free(b->loop);
    free(b);
}

static int send_line(struct bench *b, struct text line)
{
    struct agi_command c;
    int err;

    agi_command_init(&c);
    agi_command_raw(&c, line);
    err = agi_session_send(b->session, &c);
    agi_command_free(&c);
    return err;
}

/* The last four commands give the channel back with that. */
static void check_back(struct bench *b, const char *status, const char *reason)
{
    char line[100];

    assert_true(turn_until(b->loop, has_break, b, 3000));
    assert_true(b->count >= 4);
    snprintf(line, sizeof line, "SET VARIABLE SIDETONE_STATUS \"%s\"", status);
    assert_string_equal(b->lines[b->count - 4], line);
    snprintf(line, sizeof line, "SET VARIABLE SIDETONE_REASON \"%s\"", reason);
    assert_string_equal(b->lines[b->count - 3], line);
    assert_string_equal(b->lines[b->count - 2], "SET VARIABLE SIDETONE_CALL \"a-1.0\"");
}

/* ---- tests ---- */

static void the_environment_becomes_that_of_fastagi(void **state)
{
    static const struct text bad[] = {
        TEXT("agi_request: async\nagi_uniqueid: 1\n"),                                      /* no end */
        TEXT("agi_request: async\nagi_calleridname: x\n\nagi_arg_1: a\n\n"),                /* a forged end */
        TEXT("agi_request: async\nagi_calleridname: x\nagi_calleridname: y\n\n"),           /* twice */
        TEXT("agi_request: async\nagi_calleridname: x\nnonsense\nagi_arg_1: a\n\n"),
        TEXT("agi_request: async\nagi_calleridname: x\r\nEnv: y\nagi_arg_1: a\n\n"),          /* a line of no kind of ours */
        TEXT("agi_request: async\nagi_calleridname: x\nagi_arg_1: b\nagi_context: c\n\n"), /* out of place */
        TEXT("agi_request: agi://x\nagi_arg_1: a\n\n"),
        TEXT("GET / HTTP/1.1\n\n"),
    };
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    assert_int_equal(async_env_write(&out, TEXT("agi_request: async\nagi_uniqueid: 1\nagi_arg_1: a/b?c=1\nagi_arg_2: x\nagi_arg_3: \n\n")), 0);
    assert_string_equal(buf_cstr(&out), "agi_network_script: a/b?c=1\nagi_request: async\nagi_uniqueid: 1\nagi_arg_1: x\nagi_arg_2: \n\n");
    buf_clear(&out);
    assert_int_equal(async_env_write(&out, TEXT("agi_request: async\n\n")), 0);
    assert_string_equal(buf_cstr(&out), "agi_request: async\n\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(async_env_write(&out, bad[i]), -EPROTO);
    buf_free(&out);
}

static void a_call_from_start_to_end(void **state)
{
    struct asyncagi_figures f;
    struct bench *b = bench_ready();

    (void)state;
    assert_string_equal(b->script, "caller-name");
    assert_string_equal(b->arg, "two");
    assert_string_equal(agi_session_peer(b->session), "asyncagi:Local/1@x;1");
    assert_int_equal(send_line(b, TEXT("GET VARIABLE X")), 0);
    assert_int_equal(send_line(b, TEXT("GET VARIABLE Y")), -EBUSY);
    assert_true(turn_until(b->loop, has_line, b, 3000));
    assert_string_equal(b->lines[0], "GET VARIABLE X");
    say_exec(b, 0, "200%20result%3D1%20(value)%0A");
    assert_true(turn_until(b->loop, has_reply, b, 3000));
    assert_string_equal(b->value, "value");
    agi_session_finish(b->session, AGI_END_OK, TEXT("fine"), TEXT("a-1.0"));
    assert_int_equal(b->ended, 0);
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    assert_int_equal(b->end_err, 0);
    check_back(b, "OK", "fine");
    assert_int_equal(b->count, 5);
    say_end(b);
    assert_true(turn_until(b->loop, is_gone, b, 3000));
    assert_int_equal(b->hangups, 0);
    asyncagi_figures(b->a, &f);
    assert_int_equal(f.started, 1);
    assert_int_equal(f.refused, 0);
    bench_free(b);
}

static void a_deadline_queues_behind_the_command_that_runs(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    assert_int_equal(send_line(b, TEXT("STREAM FILE x \"\"")), 0);
    agi_session_finish(b->session, AGI_END_TIMEOUT, TEXT("deadline"), TEXT("a-1.0"));
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    check_back(b, "TIMEOUT", "deadline");
    assert_int_equal(b->replies, 0);
    bench_free(b);
}

static void encode(struct buf *out, const char *start, size_t n, const char *end)
{
    buf_clear(out);
    buf_addf(out, "%s", start);
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, (char)('a' + i % 26));
    buf_addf(out, "%s", end);
}

/* 1024 bytes a slice: "200 result=1 (" is 14 of them. */
static void a_long_reply_is_fetched_slice_by_slice(void **state)
{
    static const struct {
        size_t first, second;
        const char *first_end, *second_end;
        unsigned slices;
    } cases[] = {
        { 1007, 0, ")%0A", NULL, 1 },                                   /* a slice that is not full has no rest */
        { 1008, 0, ")%0A", "200%20result%3D0%0A", 2 },                  /* a full one may have none */
        { 1010, 500, "", ")%0A200%20result%3D0%0A", 2 },
        { 1010, 1024, "", "", 3 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_ready();
        struct buf r;

        buf_init(&r, 4096);
        assert_int_equal(send_line(b, TEXT("GET FULL VARIABLE X")), 0);
        assert_true(turn_until(b->loop, has_line, b, 3000));
        encode(&r, "200%20result%3D1%20(", cases[i].first, cases[i].first_end);
        say_exec(b, 0, buf_cstr(&r));
        if (cases[i].slices > 1) {
            turn_for(b->loop, 20);
            assert_int_equal(b->replies, 0);
            assert_string_equal(b->lines[1], "NOOP");
            encode(&r, "", cases[i].second, cases[i].second_end);
            say_exec(b, 1, buf_cstr(&r));
        }
        if (cases[i].slices > 2) {
            turn_for(b->loop, 20);
            assert_int_equal(b->replies, 0);
            assert_string_equal(b->lines[2], "NOOP");
            say_exec(b, 2, ")%0A200%20result%3D0%0A200%20result%3D0%0A");
        }
        assert_true(turn_until(b->loop, has_reply, b, 3000));
        assert_int_equal(b->count, cases[i].slices);
        assert_int_equal(b->reply_err, 0);
        assert_int_equal(b->value_n, cases[i].first + cases[i].second);
        buf_free(&r);
        bench_free(b);
    }
}

static void a_reply_that_lost_its_end_ends_the_session(void **state)
{
    struct bench *b = bench_ready();
    struct buf r;

    (void)state;
    buf_init(&r, 4096);
    assert_int_equal(send_line(b, TEXT("GET FULL VARIABLE X")), 0);
    assert_true(turn_until(b->loop, has_line, b, 3000));
    encode(&r, "200%20result%3D1%20(", 0, "");
    while (r.n < AMI_ASYNC_CUT)
        buf_add_text(&r, TEXT("%0A"));
    say_exec(b, 0, buf_cstr(&r));
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    assert_int_equal(b->end_err, -EMSGSIZE);
    assert_int_equal(b->reply_err, -EPIPE);
    check_back(b, "ERROR", "reply_too_long");
    buf_free(&r);
    bench_free(b);
}

static void a_long_environment_is_fetched_first(void **state)
{
    struct bench *b = bench_up();
    struct buf m;

    (void)state;
    buf_init(&m, 1 << 16);
    encode(&m, "Event: AsyncAGIStart\r\n" SNAP "Env: agi_request%3A%20async%0Aagi_arg_1%3A%20r%0Aagi_arg_2%3A%20", 1024 - 43, "\r\n");
    ami_peer_message(&b->peer, NULL, buf_cstr(&m));
    assert_true(turn_until(b->loop, has_line, b, 3000));
    assert_string_equal(b->lines[0], "NOOP");
    assert_int_equal(b->ready, 0);
    say_exec(b, 0, "tail%0A%0A200%20result%3D0%0A");
    assert_true(turn_until(b->loop, is_ready, b, 3000));
    assert_string_equal(b->script, "r");
    assert_true(text_ends(text_of(b->arg), TEXT("tail")));
    buf_free(&m);
    bench_free(b);
}

static void a_line_too_long_for_ami_is_refused_and_nothing_sent(void **state)
{
    struct bench *b = bench_ready();
    char line[1100];

    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line, "NOOP ", 5);
    assert_int_equal(agi_session_line_max(b->session), 1013);
    assert_int_equal(send_line(b, text_make(line, 1014)), -EMSGSIZE);
    assert_int_equal(send_line(b, text_make(line, 1013)), 0);
    assert_true(turn_until(b->loop, has_line, b, 3000));
    assert_int_equal(strlen(b->lines[0]), 1013);
    bench_free(b);
}

static void a_hang_up_ends_the_session(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    assert_int_equal(send_line(b, TEXT("STREAM FILE x \"\"")), 0);
    say_end(b);
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    assert_int_equal(b->hangups, 1);
    assert_int_equal(b->end_err, 0);
    assert_int_equal(b->reply_err, -EPIPE);
    assert_true(is_gone(b));
    assert_false(has_break(b));
    bench_free(b);
}

static void a_channel_that_is_no_more_ends_the_session(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    b->queue_error = "Response: Error\r\nMessage: Channel Local/1@x;1 does not exist.\r\n";
    assert_int_equal(send_line(b, TEXT("NOOP")), 0);
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    assert_int_equal(b->hangups, 1);
    assert_true(is_gone(b));
    bench_free(b);
}

static void a_lost_session_is_defined(struct bench *b, bool is_listed)
{
    b->list_has_us = is_listed;
    b->lists = 0;
    assert_int_equal(send_line(b, TEXT("NOOP")), 0);
    assert_true(turn_until(b->loop, has_line, b, 3000));
    b->count = 0;
    ami_peer_lose(&b->peer);
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    assert_int_equal(b->end_err, -ECONNRESET);
    assert_int_equal(b->reply_err, -EPIPE);
    assert_int_equal(b->hangups, 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
}

static void after_a_lost_session_the_channel_is_given_back(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    a_lost_session_is_defined(b, true);
    check_back(b, "ERROR", "restart");
    say_end(b);
    assert_true(turn_until(b->loop, is_gone, b, 3000));
    bench_free(b);
}

static void a_channel_that_left_meanwhile_is_let_be(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    a_lost_session_is_defined(b, false);
    assert_true(turn_until(b->loop, is_gone, b, 3000));
    assert_int_equal(b->count, 0);
    bench_free(b);
}

static void without_a_list_channels_are_given_back_by_name(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    b->list_error = "Response: Error\r\nMessage: Permission denied\r\n";
    a_lost_session_is_defined(b, false);
    check_back(b, "ERROR", "restart");
    bench_free(b);
}

static void who_waits_at_the_start_is_given_back(void **state)
{
    struct asyncagi_figures f;
    struct bench *b = bench_make();

    (void)state;
    b->list_has_us = true;
    assert_int_equal(bench_open(b, 0), 0);
    check_back(b, "ERROR", "restart");
    asyncagi_figures(b->a, &f);
    assert_int_equal(f.rescued, 1);
    bench_free(b);
}

/* It was in the list because it had just come in: its AsyncAGIStart is on the way. */
static void who_comes_while_the_list_is_made_is_served(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->list_has_us = true;
    assert_int_equal(bench_open(b, 0), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    say_start(b);
    assert_true(turn_until(b->loop, is_ready, b, 3000));
    turn_for(b->loop, 700);
    assert_int_equal(b->count, 0);
    assert_int_equal(b->ended, 0);
    bench_free(b);
}

static void a_full_house_is_told_busy(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->refuse = -EBUSY;
    say_start(b);
    check_back(b, "BUSY", "sessions_max");
    bench_free(b);
}

static void more_channels_than_the_ceiling_are_told_busy(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    assert_int_equal(bench_open(b, 1), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    ami_peer_message(&b->peer, NULL, "Event: AsyncAGIStart\r\nPrivilege: agi,all\r\nChannel: other\r\nContext: x\r\nPriority: 1\r\n"
                                     "Uniqueid: b-1\r\nLinkedid: b-1\r\nEnv: agi_request%3A%20async%0A%0A\r\n");
    assert_true(turn_until(b->loop, is_ready, b, 3000));
    say_start(b);
    check_back(b, "BUSY", "channels_max");
    bench_free(b);
}

static void forged_environments_are_given_back(void **state)
{
    static const char *const bad[] = {
        "Event: AsyncAGIStart\r\n" SNAP,                                         /* none: a caller's text has cut it off */
        "Event: AsyncAGIStart\r\n" SNAP "Env: x%3A%0A\r\nEnv: " ENV "\r\n",      /* two */
        "Event: AsyncAGIStart\r\n" SNAP "Env: agi_request%3A%2\r\n",             /* broken */
        "Event: AsyncAGIStart\r\n" SNAP "Env: agi_request%3A%20async%0Aagi_calleridname%3A%20a%0A%0Aagi_arg_1%3A%20r%0A%0A\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bench *b = bench_up();

        ami_peer_message(&b->peer, NULL, bad[i]);
        check_back(b, "ERROR", "environment");
        assert_int_equal(b->ready, 0);
        bench_free(b);
    }
}

static void made_up_messages_change_nothing(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    assert_int_equal(send_line(b, TEXT("NOOP")), 0);
    assert_true(turn_until(b->loop, has_line, b, 3000));
    ami_peer_message(&b->peer, NULL, "Event: AsyncAGIEnd\r\nUniqueid: a-1.0\r\nChannel: Local/1@x;1\r\n");
    ami_peer_message(&b->peer, NULL, "Event: AsyncAGIStart\r\nChannel: Local/1@x;1\r\n");
    say_start(b);
    ami_peer_message(&b->peer, NULL, "Event: AsyncAGIExec\r\n" SNAP "CommandId: 1\r\nResult: 200%20result%3D666%0A\r\n");
    ami_peer_message(&b->peer, NULL, "AsyncAGIEnd: x\r\n" SNAP);
    turn_for(b->loop, 30);
    assert_int_equal(b->replies + b->ended, 0);
    assert_int_equal(b->count, 1);
    say_exec(b, 0, "200%20result%3D0%0A");
    assert_true(turn_until(b->loop, has_reply, b, 3000));
    bench_free(b);
}

static void a_stop_gives_every_channel_back(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    asyncagi_close(b->a, 10, on_closed, b);
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    check_back(b, "ERROR", "shutdown");
    assert_int_equal(b->ended, 1);
    assert_int_equal(b->peer.logoffs, 1);
    bench_free(b);
}

static void an_aborted_session_is_given_back(void **state)
{
    struct bench *b = bench_ready();

    (void)state;
    agi_session_abort(b->session);
    assert_true(turn_until(b->loop, has_ended, b, 3000));
    check_back(b, "ERROR", "shutdown");
    bench_free(b);
}

/* The session's own loop, in a thread of its own; the session finishes as soon as it is ready. */
static void on_ready_finish(struct agi_session *s, void *arg)
{
    (void)arg;
    agi_session_finish(s, AGI_END_OK, TEXT(""), TEXT("a-1.0"));
}

static void on_ended_drop(struct agi_session *s, int err, const char *why, void *arg)
{
    (void)err;
    (void)why;
    (void)arg;
    ref_drop(s);
}

static int accept_there(void *place, struct agi_carrier *c)
{
    static const struct agi_session_handlers on = { .on_ready = on_ready_finish, .on_closed = on_ended_drop };
    struct agi_session *s;

    (void)place;
    return agi_session_over(&s, c, NULL, &on, NULL, &test_log);
}

static struct loop *choose_there(void *arg, void **place)
{
    *place = NULL;
    return arg;
}

static void *thread_main(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void a_session_lives_on_another_loop(void **state)
{
    struct bench *b = bench_make();
    struct loop *there;
    struct asyncagi_places places = { .choose = choose_there, .accept = accept_there };
    char url[60];
    const struct asyncagi_options opt = { .ami = { .node = "pbx1", .url = url, .user = "u", .secret = "s", .retry_max_ms = 40 } };
    pthread_t thread;

    (void)state;
    assert_int_equal(loop_new(&there, &test_log), 0);
    loop_hold(there);
    assert_int_equal(pthread_create(&thread, NULL, thread_main, there), 0);
    places.arg = there;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", b->peer.port);
    assert_int_equal(asyncagi_open(&b->a, b->loop, b->dialer, &opt, &places, &test_log), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    for (int i = 0; i < 10; i++) {
        b->count = 0;
        say_start(b);
        check_back(b, "OK", "");
        say_end(b);
        assert_true(turn_until(b->loop, is_gone, b, 3000));
    }
    asyncagi_close(b->a, 0, on_closed, b);
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    loop_release(there);
    loop_stop(there);
    pthread_join(thread, NULL);
    loop_free(there);
    bench_free(b);
}

static void lack_of_memory_at_the_start(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = bench_open(b, 0);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -ENOMEM);
    }
    fail_alloc_off();
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_becomes_that_of_fastagi),
        cmocka_unit_test(a_call_from_start_to_end),
        cmocka_unit_test(a_deadline_queues_behind_the_command_that_runs),
        cmocka_unit_test(a_long_reply_is_fetched_slice_by_slice),
        cmocka_unit_test(a_reply_that_lost_its_end_ends_the_session),
        cmocka_unit_test(a_long_environment_is_fetched_first),
        cmocka_unit_test(a_line_too_long_for_ami_is_refused_and_nothing_sent),
        cmocka_unit_test(a_hang_up_ends_the_session),
        cmocka_unit_test(a_channel_that_is_no_more_ends_the_session),
        cmocka_unit_test(after_a_lost_session_the_channel_is_given_back),
        cmocka_unit_test(a_channel_that_left_meanwhile_is_let_be),
        cmocka_unit_test(without_a_list_channels_are_given_back_by_name),
        cmocka_unit_test(who_waits_at_the_start_is_given_back),
        cmocka_unit_test(who_comes_while_the_list_is_made_is_served),
        cmocka_unit_test(a_full_house_is_told_busy),
        cmocka_unit_test(more_channels_than_the_ceiling_are_told_busy),
        cmocka_unit_test(forged_environments_are_given_back),
        cmocka_unit_test(made_up_messages_change_nothing),
        cmocka_unit_test(a_stop_gives_every_channel_back),
        cmocka_unit_test(an_aborted_session_is_given_back),
        cmocka_unit_test(a_session_lives_on_another_loop),
        cmocka_unit_test(lack_of_memory_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
