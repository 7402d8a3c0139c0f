/* ari_client.c against a scripted Asterisk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "ari_peer.h"
#include "pbx/ari_client.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct ari_peer *peer;
    struct ari_client *ari;
    unsigned ups, downs, events, closed;
    int down_err;
    enum ari_event_kind kind;
    char channel[100];
    int reply_status;
    const char *reply_body;

    unsigned answers;
    int err, status;
    char body[200];
};

static int on_request(const struct ari_seen *seen, char *body, size_t size, void *arg)
{
    struct bench *b = arg;

    (void)seen;
    snprintf(body, size, "%s", b->reply_body ? b->reply_body : "");
    return b->reply_status;
}

static void on_up(void *arg)
{
    ((struct bench *)arg)->ups++;
}

static void on_down(int err, const char *detail, void *arg)
{
    struct bench *b = arg;

    assert_non_null(detail);
    b->downs++;
    b->down_err = err;
}

static void on_event(const struct ari_event *e, void *arg)
{
    struct bench *b = arg;

    b->events++;
    b->kind = e->kind;
    text_copy(b->channel, sizeof b->channel, e->channel.id);
}

static void on_closed(void *arg)
{
    struct bench *b = arg;

    b->closed++;
    b->ari = NULL;
}

static const struct ari_handlers handlers = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };

static void on_answer(int err, int status, struct text body, void *arg)
{
    struct bench *b = arg;

    b->answers++;
    b->err = err;
    b->status = status;
    text_copy(b->body, sizeof b->body, body);
}

static void client_open(struct bench *b, const char *suffix)
{
    const struct dialer_options none = { 0 };
    char url[100];
    struct ari_options opt = {
        .node = "pbx1", .base_url = url, .app = "side tone", .user = "u", .password = "p",
        .connect_ms = 2000, .request_ms = 300, .retry_max_ms = 40,
    };

    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", ari_peer_port(b->peer), suffix);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    assert_int_equal(ari_open(&b->ari, b->loop, b->dialer, &opt, &handlers, b, &test_log), 0);
    assert_false(ari_is_up(b->ari));
}

static bool is_up(void *arg)
{
    struct bench *b = arg;

    return b->ari && ari_is_up(b->ari) && ari_peer_has_events(b->peer);
}

static bool is_down(void *arg)
{
    return ((struct bench *)arg)->downs > 0;
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static bool has_event(void *arg)
{
    return ((struct bench *)arg)->events > 0;
}

static bool has_answer(void *arg)
{
    return ((struct bench *)arg)->answers > 0;
}

static struct bench *bench_make(void)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    ari_peer_open(&b->peer, b->loop, on_request, b);
    b->reply_status = 204;
    return b;
}

static struct bench *bench_up(void)
{
    struct bench *b = bench_make();

    client_open(b, "");
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(b->ups, 1);
    return b;
}

static void bench_free(struct bench *b)
{
    if (b->ari) {
        ari_close(b->ari);
        ari_close(b->ari);
        assert_int_equal(b->closed, 0);
        assert_true(turn_until(b->loop, is_closed, b, 5000));
    }
    assert_int_equal(b->closed, 1);
    ari_peer_close(b->peer);
    dialer_free(b->dialer);
    turn_for(b->loop, 5);
    loop_free(b->loop);
    free(b);
}

static void t_connects_as_the_application(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    assert_string_equal(ari_peer_events_request(b->peer)->path, "events?app=side%20tone");
    assert_string_equal(ari_peer_events_request(b->peer)->authorization, "Basic dTpw");
    assert_int_equal(b->downs, 0);
    bench_free(b);
}

static void t_slash_at_the_end_of_the_url(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    client_open(b, "//");
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(ari_send(NULL, b->ari, "GET", "asterisk/ping", TEXT_NONE, on_answer, b), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_string_equal(ari_peer_seen(b->peer, 0)->path, "asterisk/ping");
    bench_free(b);
}

static void t_wrong_options(void **state)
{
    struct bench *b = bench_up();
    struct ari_client *c = NULL;
    struct ari_options opt = { .base_url = "ftp://x", .app = "a" };

    (void)state;
    assert_int_equal(ari_open(&c, b->loop, b->dialer, &opt, &handlers, b, &test_log), -EINVAL);
    opt = (struct ari_options){ .base_url = "http://x", .app = "" };
    assert_int_equal(ari_open(&c, b->loop, b->dialer, &opt, &handlers, b, &test_log), -EINVAL);
    assert_null(c);
    bench_free(b);
}

static void t_events_arrive(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    ari_peer_event(b->peer, "this is no event");
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"a\",\"channel\":{\"id\":\"1700.9\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    assert_int_equal(b->events, 1);
    assert_int_equal(b->kind, ARI_STASIS_END);
    assert_string_equal(b->channel, "1700.9");
    bench_free(b);
}

static void t_requests_and_answers(void **state)
{
    struct bench *b = bench_up();
    struct ari_request *r;
    const struct ari_seen *seen;

    (void)state;
    b->reply_status = 409;
    b->reply_body = "{\"message\":\"Channel not in Stasis application\"}";
    assert_int_equal(ari_send(&r, b->ari, "POST", "channels/c1%3B2/variable", TEXT("{\"variable\":\"X\"}"), on_answer, b), 0);
    assert_int_equal(b->answers, 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, 0);
    assert_int_equal(b->status, 409);
    assert_string_equal(b->body, b->reply_body);
    seen = ari_peer_seen(b->peer, 0);
    assert_string_equal(seen->method, "POST");
    assert_string_equal(seen->path, "channels/c1%3B2/variable");
    assert_string_equal(seen->body, "{\"variable\":\"X\"}");
    assert_string_equal(seen->authorization, "Basic dTpw");
    bench_free(b);
}

static void t_forgotten_request_still_goes_out(void **state)
{
    struct bench *b = bench_up();
    struct ari_request *r;

    (void)state;
    assert_int_equal(ari_send(&r, b->ari, "DELETE", "bridges/b", TEXT_NONE, on_answer, b), 0);
    ari_forget(r);
    ari_forget(NULL);
    turn_for(b->loop, 100);
    assert_int_equal(ari_peer_count(b->peer), 1);
    assert_int_equal(b->answers, 0);
    bench_free(b);
}

static void t_request_without_an_answer(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->reply_status = 0;
    assert_int_equal(ari_send(NULL, b->ari, "POST", "channels/c/answer", TEXT_NONE, on_answer, b), 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->err, -ETIMEDOUT);
    assert_int_equal(b->status, 0);
    bench_free(b);
}

static void t_requests_have_a_ceiling_and_end_with_the_client(void **state)
{
    struct bench *b = bench_up();
    unsigned taken = 0;

    (void)state;
    ari_peer_stop_listening(b->peer);
    b->reply_status = 0;
    while (taken < 300 && ari_send(NULL, b->ari, "GET", "bridges", TEXT_NONE, on_answer, b) == 0)
        taken++;
    assert_int_equal(taken, 256);
    assert_int_equal(ari_send(NULL, b->ari, "GET", "bridges", TEXT_NONE, on_answer, b), -ENOBUFS);
    ari_close(b->ari);
    assert_int_equal(ari_send(NULL, b->ari, "GET", "bridges", TEXT_NONE, on_answer, b), -EPIPE);
    assert_true(turn_until(b->loop, is_closed, b, 5000));
    assert_int_equal(b->answers, 256);
    assert_true(b->err < 0);
    bench_free(b);
}

static void t_lost_connection_comes_back(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    ari_peer_lose(b->peer);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_true(b->down_err < 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(b->ups, 2);
    assert_int_equal(b->downs, 1);
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"a\",\"channel\":{\"id\":\"1\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    bench_free(b);
}

static void t_refused_until_it_is_let_in(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    ari_peer_refuse(b->peer, 401);
    client_open(b, "");
    turn_for(b->loop, 200);
    assert_int_equal(b->ups, 0);
    assert_int_equal(b->downs, 0); /* never was up */
    ari_peer_refuse(b->peer, 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    bench_free(b);
}

static void t_nobody_listens_at_first(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    ari_peer_stop_listening(b->peer);
    client_open(b, "");
    turn_for(b->loop, 100);
    assert_int_equal(b->ups, 0);
    ari_peer_listen_again(b->peer);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    bench_free(b);
}

static void t_replaced_stays_away(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    ari_peer_event(b->peer, "{\"type\":\"ApplicationReplaced\",\"application\":\"side tone\"}");
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -EADDRINUSE);
    assert_false(ari_is_up(b->ari));
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"a\",\"channel\":{\"id\":\"1\"}}");
    turn_for(b->loop, 150);
    assert_int_equal(b->events, 0);
    assert_true(ari_peer_count(b->peer) > 0);         /* it looks, and the name is in use */
    assert_string_equal(ari_peer_seen(b->peer, 0)->path, "applications/side%20tone");
    assert_int_equal(ari_peer_upgrades(b->peer), 1);  /* so it is not taken back */
    ari_peer_lose(b->peer);
    turn_for(b->loop, 150);
    assert_int_equal(ari_peer_upgrades(b->peer), 1);  /* nor when our old connection ends */
    assert_int_equal(b->downs, 1);
    b->reply_status = 404;         /* the other one has gone, or Asterisk restarted */
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(b->downs, 1);
    assert_int_equal(b->ups, 2);
    bench_free(b);
}

static void t_name_is_taken_back_when_it_is_free(void **state)
{
    struct bench *b = bench_up();

    (void)state;
    b->reply_status = 404;
    ari_peer_event(b->peer, "{\"type\":\"ApplicationReplaced\",\"application\":\"side tone\"}");
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(ari_peer_upgrades(b->peer), 2);
    assert_int_equal(b->ups, 2);
    assert_int_equal(b->downs, 1);
    bench_free(b);
}

static void t_close_before_it_was_up(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    client_open(b, "");
    bench_free(b);
    b = bench_make();
    ari_peer_stop_listening(b->peer);
    client_open(b, "");
    turn_for(b->loop, 30);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_connects_as_the_application),
        cmocka_unit_test(t_slash_at_the_end_of_the_url),
        cmocka_unit_test(t_wrong_options),
        cmocka_unit_test(t_events_arrive),
        cmocka_unit_test(t_requests_and_answers),
        cmocka_unit_test(t_forgotten_request_still_goes_out),
        cmocka_unit_test(t_request_without_an_answer),
        cmocka_unit_test(t_requests_have_a_ceiling_and_end_with_the_client),
        cmocka_unit_test(t_lost_connection_comes_back),
        cmocka_unit_test(t_refused_until_it_is_let_in),
        cmocka_unit_test(t_nobody_listens_at_first),
        cmocka_unit_test(t_replaced_stays_away),
        cmocka_unit_test(t_name_is_taken_back_when_it_is_free),
        cmocka_unit_test(t_close_before_it_was_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
