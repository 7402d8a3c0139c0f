/* ami_client.c against a scripted manager port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "ami_peer.h"
#include "fail_alloc.h"
#include "pbx/ami_client.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct ami_peer peer;
    struct ami_client *ami;
    struct ami_options opt;
    char url[60];
    unsigned ups, downs, events, forged, closed;
    int down_err;
    char down_why[200], event[60];
    bool close_in_event;

    unsigned answers, items;
    int err;
    char answer[200];
    const char *reply;             /* what actions are answered with; NULL: not at all */
    const char *more;              /* a second message, with the ActionID */
};

static void on_up(void *arg)
{
    ((struct bench *)arg)->ups++;
}

static void on_down(int err, const char *why, void *arg)
{
    struct bench *b = arg;

    b->downs++;
    b->down_err = err;
    (void)text_copy(b->down_why, sizeof b->down_why, text_of(why));
}

static void on_event(const struct ami_message *m, void *arg)
{
    struct bench *b = arg;

    b->forged += m->kind == AMI_FORGED;
    b->events += m->kind == AMI_EVENT;
    (void)text_copy(b->event, sizeof b->event, m->name);
    if (b->close_in_event)
        ami_close(b->ami);
}

static void on_closed(void *arg)
{
    struct bench *b = arg;

    b->closed++;
    b->ami = NULL;
}

static const struct ami_handlers handlers = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };

static void on_action(struct ami_peer *p, const struct ami_message *m, void *arg)
{
    struct bench *b = arg;

    if (b->reply)
        ami_peer_message(p, m, b->reply);
    if (b->more)
        ami_peer_message(p, m, b->more);
}

static void on_answer(int err, const struct ami_message *m, void *arg)
{
    struct bench *b = arg;

    b->answers++;
    b->err = err;
    (void)text_copy(b->answer, sizeof b->answer, err ? TEXT("") : ami_get(m, TEXT("Message")));
}

static void on_item(const struct ami_message *m, void *arg)
{
    assert_int_equal(m->kind, AMI_EVENT);
    ((struct bench *)arg)->items++;
}

static bool is_up(void *arg)
{
    struct bench *b = arg;

    return b->ami && ami_is_up(b->ami) && b->peer.stream;
}

static bool is_booted(void *arg)
{
    struct bench *b = arg;

    return is_up(b) && ami_is_booted(b->ami);
}

static bool is_down(void *arg)
{
    return ((struct bench *)arg)->downs > 0;
}

static bool is_up_twice(void *arg)
{
    struct bench *b = arg;

    return b->ups >= 2 && is_up(b);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static bool has_answer(void *arg)
{
    return ((struct bench *)arg)->answers > 0;
}

static bool has_event(void *arg)
{
    struct bench *b = arg;

    return b->events + b->forged > 1; /* behind FullyBooted */
}

static struct bench *bench_make(void)
{
    const struct dialer_options none = { 0 };
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    b->opt = (struct ami_options){ .node = "pbx1", .url = b->url, .user = "u", .secret = "s", .events = "agi", .connect_ms = 2000,
                                   .login_ms = 300, .action_ms = 200, .retry_max_ms = 40 };
    b->peer.on_action = on_action;
    b->peer.arg = b;
    return b;
}

static void bench_open(struct bench *b)
{
    ami_peer_open(&b->peer, b->loop);
    snprintf(b->url, sizeof b->url, "tcp://127.0.0.1:%u", b->peer.port);
    assert_int_equal(ami_open(&b->ami, b->loop, b->dialer, &b->opt, &handlers, b, &test_log), 0);
    assert_int_equal(b->ups + b->downs, 0);
}

static struct bench *bench_up(void)
{
    struct bench *b = bench_make();

    bench_open(b);
    assert_true(turn_until(b->loop, is_booted, b, 3000));
    return b;
}

static void bench_free(struct bench *b)
{
    if (b->ami) {
        ami_close(b->ami);
        ami_close(b->ami);
        assert_int_equal(b->closed, 0);
        assert_true(turn_until(b->loop, is_closed, b, 3000));
    }
    assert_int_equal(b->closed, 1);
    ami_peer_close(&b->peer);
    turn_for(b->loop, 5);
    dialer_free(b->dialer);
    loop_free(b->loop);
    free(b);
}

static int ask(struct bench *b, struct ami_request **r, ami_on_item *item)
{
    struct ami_writer w;
    int err;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("AGI"));
    ami_write(&w, TEXT("Channel"), TEXT("x"));
    err = ami_send(r, b->ami, &w, item, on_answer, b);
    ami_writer_free(&w);
    return err;
}

static void it_logs_in_by_challenge(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    assert_int_equal(b->ups, 1);
    assert_string_equal(b->peer.events, "agi");
    assert_int_equal(strlen(b->peer.key), MD5_HEX);
    assert_string_equal(b->event, "FullyBooted");
    ami_close(b->ami);
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    assert_int_equal(b->peer.logoffs, 1);
    assert_int_equal(b->downs, 0);
    bench_free(b);
}

static void it_logs_in_plainly_and_reads_single_bytes(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->opt.is_plain = true;
    b->peer.piece = 1;
    b->reply = "Response: Success\r\nMessage: in single bytes\r\n";
    bench_open(b);
    assert_true(turn_until(b->loop, is_booted, b, 3000));
    assert_string_equal(b->peer.key, "");
    assert_int_equal(ask(b, NULL, NULL), 0);
    assert_int_equal(b->answers, 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_string_equal(b->answer, "in single bytes");
    bench_free(b);
}

static void a_refused_login_is_told_and_tried_again(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->peer.secret = "other";
    bench_open(b);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -EACCES);
    assert_string_equal(b->down_why, "Asterisk refused the login of user u: Authentication failed");
    b->peer.secret = "s";
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(b->downs, 1);
    bench_free(b);
}

static void a_refused_challenge_is_no_reason_to_send_the_secret(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->peer.no_challenge = true;
    bench_open(b);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -EACCES);
    assert_int_equal(b->peer.logins, 0);
    bench_free(b);
}

static void a_secret_with_a_line_feed_never_leaves(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->opt.is_plain = true;
    b->opt.secret = "s\r\nAction: Command";
    bench_open(b);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -EINVAL);
    assert_int_equal(b->peer.logins, 0);
    bench_free(b);
}

static void who_says_nothing_or_nonsense_is_left(void **state)
{
    static const struct {
        const char *banner;
        int err;
    } cases[] = { { "", -ETIMEDOUT }, { "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO }, { "Asterisk Call Man", -ETIMEDOUT } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_make();

        b->peer.banner = cases[i].banner;
        bench_open(b);
        assert_true(turn_until(b->loop, is_down, b, 3000));
        assert_int_equal(b->down_err, cases[i].err);
        bench_free(b);
    }
}

static void nobody_listens(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    ami_peer_open(&b->peer, b->loop);
    listener_close(b->peer.listener);
    b->peer.listener = NULL;
    snprintf(b->url, sizeof b->url, "tcp://127.0.0.1:%u", b->peer.port);
    assert_int_equal(ami_open(&b->ami, b->loop, b->dialer, &b->opt, &handlers, b, &test_log), 0);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(ask(b, NULL, NULL), -EPIPE);
    ami_peer_open(&b->peer, b->loop); /* the same port */
    assert_true(turn_until(b->loop, is_up, b, 3000));
    bench_free(b);
}

static void a_lost_session_ends_requests_and_comes_back(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    assert_int_equal(ask(b, NULL, NULL), 0);
    turn_for(b->loop, 5);
    ami_peer_lose(&b->peer);
    assert_true(turn_until(b->loop, is_up_twice, b, 3000));
    assert_int_equal(b->answers, 1);
    assert_int_equal(b->err, -EPIPE);
    assert_int_equal(b->downs, 1);
    bench_free(b);
}

static void a_shutdown_is_told_as_such(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    ami_peer_message(&b->peer, NULL, "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\n");
    stream_close(b->peer.stream, 100);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -ESHUTDOWN);
    bench_free(b);
}

static void a_peer_that_falls_silent_is_noticed(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->opt.ping_ms = 30;
    b->opt.action_ms = 60;
    bench_open(b);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    turn_for(b->loop, 200);
    assert_int_equal(b->downs, 0);
    assert_true(b->peer.pings > 1);
    b->peer.is_mute = true;
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -ETIMEDOUT);
    b->peer.is_mute = false;
    assert_true(turn_until(b->loop, is_up_twice, b, 3000));
    bench_free(b);
}

static void an_unanswered_action_times_out_alone(void **state)
{
    struct ami_figures f;
    struct bench *b = bench_up();

    (void)state;
    assert_int_equal(ask(b, NULL, NULL), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, -ETIMEDOUT);
    assert_true(ami_is_up(b->ami));
    ami_figures(b->ami, &f);
    assert_int_equal(f.timeouts, 1);
    assert_int_equal(f.outstanding, 0);
    bench_free(b);
}

static void the_ceiling_of_actions_holds(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->opt.actions_max = 3;
    bench_open(b);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(b, NULL, NULL), 0);
    assert_int_equal(ask(b, NULL, NULL), -ENOBUFS);
    ami_close(b->ami);
    assert_int_equal(ask(b, NULL, NULL), -EPIPE);
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    assert_int_equal(b->answers, 3);
    bench_free(b);
}

static void a_forgotten_request_stays_silent(void **state)
{
    struct ami_request *r;
    struct bench *b = bench_up();

    (void)state;
    b->reply = "Response: Success\r\nMessage: m\r\n";
    assert_int_equal(ask(b, &r, NULL), 0);
    ami_forget(r);
    turn_for(b->loop, 30);
    assert_int_equal(b->peer.actions, 1);
    assert_int_equal(b->answers, 0);
    bench_free(b);
}

#define ITEM "Event: CoreShowChannel\r\nPrivilege: Call\r\nChannel: c\r\n"

static void list_answer(struct ami_peer *p, const struct ami_message *m, void *arg)
{
    (void)arg;
    ami_peer_message(p, m, "Response: Success\r\nEventList: start\r\nMessage: Channels will follow\r\n");
    for (int i = 0; i < 3; i++)
        ami_peer_message(p, m, ITEM);
    ami_peer_message(p, m, "Event: CoreShowChannelsComplete\r\nEventList: Complete\r\nListItems: 3\r\nMessage: complete\r\n");
}

static void a_list_is_gathered(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->peer.on_action = list_answer;
    b->events = 0;
    assert_int_equal(ask(b, NULL, on_item), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, 0);
    assert_int_equal(b->items, 3);
    assert_string_equal(b->answer, "complete");
    assert_int_equal(b->events, 0);
    bench_free(b);
}

static void a_list_over_its_ceiling_is_an_error(void **state)
{
    struct ami_figures f;
    struct bench *b = bench_make();

    (void)state;
    b->opt.list_max = 2;
    b->peer.on_action = list_answer;
    bench_open(b);
    assert_true(turn_until(b->loop, is_booted, b, 3000));
    b->events = 0;
    assert_int_equal(ask(b, NULL, on_item), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, -EMSGSIZE);
    turn_for(b->loop, 30);
    assert_int_equal(b->answers, 1);
    assert_int_equal(b->items, 2);
    ami_figures(b->ami, &f);
    assert_true(f.strays > 0);
    bench_free(b);
}

static void a_refused_or_cancelled_list_ends(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->reply = "Response: Error\r\nMessage: Permission denied\r\n";
    assert_int_equal(ask(b, NULL, on_item), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, 0);
    assert_string_equal(b->answer, "Permission denied");
    b->answers = 0;
    b->reply = "Response: Success\r\nEventList: start\r\n";
    b->more = "Event: X\r\nEventList: cancelled\r\n";
    assert_int_equal(ask(b, NULL, on_item), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, -ECANCELED);
    bench_free(b);
}

static void broadcasts_with_an_action_id_are_events(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->more = "Event: OriginateResponse\r\nPrivilege: call,all\r\nResponse: Failure\r\n";
    b->reply = "Response: Success\r\nMessage: Originate successfully queued\r\n";
    assert_int_equal(ask(b, NULL, NULL), 0);
    assert_true(turn_until(b->loop, has_event, b, 3000));
    assert_string_equal(b->event, "OriginateResponse");
    assert_int_equal(b->answers, 1);
    bench_free(b);
}

static void forged_blocks_are_handed_on_marked(void **state)
{
    struct ami_figures f;
    struct bench *b = bench_up();

    (void)state;
    ami_peer_message(&b->peer, NULL, "CallerIDName: x\r\nUniqueid: 1\r\n");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    assert_int_equal(b->forged, 1);
    ami_figures(b->ami, &f);
    assert_int_equal(f.forged, 1);
    bench_free(b);
}

static void closing_from_a_handler_is_the_end(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->close_in_event = true;
    b->events = 0;
    ami_peer_message(&b->peer, NULL, "Event: A\r\n\r\nEvent: B\r\n");
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    assert_int_equal(b->events, 1);
    assert_int_equal(b->downs, 0);
    bench_free(b);
}

static void lack_of_memory_at_the_start(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    ami_peer_open(&b->peer, b->loop);
    snprintf(b->url, sizeof b->url, "tcp://127.0.0.1:%u", b->peer.port);
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = ami_open(&b->ami, b->loop, b->dialer, &b->opt, &handlers, b, &test_log);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(b->ami);
    }
    fail_alloc_off();
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_logs_in_by_challenge),
        cmocka_unit_test(it_logs_in_plainly_and_reads_single_bytes),
        cmocka_unit_test(a_refused_login_is_told_and_tried_again),
        cmocka_unit_test(a_refused_challenge_is_no_reason_to_send_the_secret),
        cmocka_unit_test(a_secret_with_a_line_feed_never_leaves),
        cmocka_unit_test(who_says_nothing_or_nonsense_is_left),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_lost_session_ends_requests_and_comes_back),
        cmocka_unit_test(a_shutdown_is_told_as_such),
        cmocka_unit_test(a_peer_that_falls_silent_is_noticed),
        cmocka_unit_test(an_unanswered_action_times_out_alone),
        cmocka_unit_test(the_ceiling_of_actions_holds),
        cmocka_unit_test(a_forgotten_request_stays_silent),
        cmocka_unit_test(a_list_is_gathered),
        cmocka_unit_test(a_list_over_its_ceiling_is_an_error),
        cmocka_unit_test(a_refused_or_cancelled_list_ends),
        cmocka_unit_test(broadcasts_with_an_action_id_are_events),
        cmocka_unit_test(forged_blocks_are_handed_on_marked),
        cmocka_unit_test(closing_from_a_handler_is_the_end),
        cmocka_unit_test(lack_of_memory_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
