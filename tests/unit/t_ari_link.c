/* ari_link.c and ari_client.c: requests over the WebSocket, HTTP beside it, and connections that Asterisk opens. */
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
#include "fail_alloc.h"
#include "pbx/ari_client.h"
#include "turn.h"

enum { ANSWERS_MAX = 300, BIG = 60000 };

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct outcome {
    int err, status;
    char body[100];
    size_t body_n;
};

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct ari_peer *peer;
    struct ari_client *ari;
    unsigned ups, downs, events, closed;
    unsigned links_up, links_down;
    int down_err;
    char app[100], channel[100];

    int (*reply)(struct bench *b, const struct ari_seen *seen, char *body, size_t size);
    struct outcome answers[ANSWERS_MAX];
    size_t answer_count;
};

static int on_request(const struct ari_seen *seen, char *body, size_t size, void *arg)
{
    struct bench *b = arg;

    return b->reply ? b->reply(b, seen, body, size) : 204;
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

    if (!e->channel.id.p)
        return;
    b->events++;
    text_copy(b->channel, sizeof b->channel, e->channel.id);
}

static void on_call_link(const char *app, bool is_up, void *arg)
{
    struct bench *b = arg;

    snprintf(b->app, sizeof b->app, "%s", app);
    b->links_up += is_up;
    b->links_down += !is_up;
}

static void on_closed(void *arg)
{
    struct bench *b = arg;

    b->closed++;
    b->ari = NULL;
}

static const struct ari_handlers handlers = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_call_link = on_call_link,
                                              .on_closed = on_closed };

static void on_answer(int err, int status, struct text body, void *arg)
{
    struct bench *b = arg;
    struct outcome *o = &b->answers[b->answer_count++];

    assert_true(b->answer_count < ANSWERS_MAX);
    o->err = err;
    o->status = status;
    o->body_n = body.n;
    text_copy(o->body, sizeof o->body, body);
}

/* ---- conditions ---- */

static bool is_up(void *arg)
{
    struct bench *b = arg;

    return b->ari && b->ups > b->downs && ari_peer_has_events(b->peer);
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
    return ((struct bench *)arg)->answer_count >= 1;
}

static bool has_two_answers(void *arg)
{
    return ((struct bench *)arg)->answer_count >= 2;
}

static bool is_refused(void *arg)
{
    return ari_peer_came_status(((struct bench *)arg)->peer) > 0;
}

static bool has_call_link(void *arg)
{
    return ((struct bench *)arg)->links_up > ((struct bench *)arg)->links_down;
}

static bool lost_call_link(void *arg)
{
    return ((struct bench *)arg)->links_down > 0;
}

static bool has_no_events(void *arg)
{
    return !ari_peer_has_events(((struct bench *)arg)->peer);
}

/* ---- the bench ---- */

static struct bench *bench_make(void)
{
    const struct dialer_options none = { 0 };
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    ari_peer_open(&b->peer, b->loop, on_request, b);
    return b;
}

static struct ari_options options(const struct bench *b, char url[64], enum ari_rest rest)
{
    snprintf(url, 64, "http://127.0.0.1:%u", ari_peer_port(b->peer));
    return (struct ari_options){ .node = "pbx1", .base_url = url, .app = "app", .user = "u", .password = "p", .rest = rest,
                                 .connect_ms = 2000, .request_ms = 300, .retry_max_ms = 40 };
}

/* We open the connection; Asterisk answers requests over it, or does not. */
static struct bench *bench_dial(enum ari_rest rest, bool is_offered)
{
    struct bench *b = bench_make();
    char url[64];
    const struct ari_options opt = options(b, url, rest);

    if (is_offered)
        ari_peer_offer_rest(b->peer);
    assert_int_equal(ari_open(&b->ari, b->loop, b->dialer, &opt, &handlers, b, &test_log), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    turn_for(b->loop, 50);         /* the probe's answer, if there is one */
    return b;
}

static uint16_t port_of(const struct bench *b)
{
    struct address at;

    assert_true(ari_listening(b->ari, &at));
    return at.port;
}

/* Asterisk opens the connection. */
static struct bench *bench_listen(bool has_http, bool per_call)
{
    struct bench *b = bench_make();
    char url[64];
    struct ari_options opt = options(b, url, ARI_REST_AUTO);

    ari_peer_offer_rest(b->peer);
    opt.listen = (struct address){ .host = "127.0.0.1" };
    opt.per_call = per_call;
    if (!has_http)
        opt.base_url = NULL;
    assert_int_equal(ari_open(&b->ari, b->loop, b->dialer, &opt, &handlers, b, &test_log), 0);
    return b;
}

static struct bench *bench_came(void)
{
    struct bench *b = bench_listen(false, false);

    assert_false(ari_is_up(b->ari));
    ari_peer_come(b->peer, port_of(b), "u:p", "app");
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_true(ari_is_up(b->ari));
    return b;
}

static void bench_free(struct bench *b)
{
    if (b->ari) {
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

static void send(struct bench *b, const char *method, const char *path, const char *body)
{
    assert_int_equal(ari_send(NULL, b->ari, method, path, text_of(body), on_answer, b), 0);
}

/* ---- requests over the connection that we opened ---- */

static int quoting(struct bench *b, const struct ari_seen *seen, char *body, size_t size)
{
    (void)b;
    (void)seen;
    snprintf(body, size, "{\"message\":\"a \\\"quoted\\\" word\"}");
    return 409;
}

static void t_a_request_goes_over_the_websocket(void **state)
{
    struct bench *b = bench_dial(ARI_REST_AUTO, true);
    const struct ari_seen *seen;

    (void)state;
    b->reply = quoting;
    send(b, "POST", "channels/c1%3B2/variable?x=1", "{\"variable\":\"X\",\"value\":\"a \\\"b\\\"\"}");
    assert_int_equal(b->answer_count, 0);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].err, 0);
    assert_int_equal(b->answers[0].status, 409);
    assert_string_equal(b->answers[0].body, "{\"message\":\"a \\\"quoted\\\" word\"}");
    seen = ari_peer_seen(b->peer, 0);
    assert_true(seen->over_ws);
    assert_string_equal(seen->method, "POST");
    assert_string_equal(seen->path, "channels/c1%3B2/variable?x=1");
    assert_string_equal(seen->body, "{\"variable\":\"X\",\"value\":\"a \\\"b\\\"\"}");
    assert_int_equal(ari_peer_count(b->peer), 1);
    bench_free(b);
}

static void t_lists_go_over_http_when_they_can(void **state)
{
    struct bench *b = bench_dial(ARI_REST_AUTO, true);

    (void)state;
    send(b, "GET", "channels", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_false(ari_peer_seen(b->peer, 0)->over_ws);
    bench_free(b);
}

static void t_http_where_nothing_else_is_offered(void **state)
{
    struct bench *b = bench_dial(ARI_REST_AUTO, false);

    (void)state;
    send(b, "POST", "channels/c/answer", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].status, 204);
    assert_false(ari_peer_seen(b->peer, 0)->over_ws);
    bench_free(b);
}

static void t_http_when_it_is_asked_for(void **state)
{
    struct bench *b = bench_dial(ARI_REST_HTTP, true);

    (void)state;
    send(b, "POST", "channels/c/answer", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_false(ari_peer_seen(b->peer, 0)->over_ws);
    bench_free(b);
}

static void t_websocket_only_fails_clearly(void **state)
{
    struct bench *b = bench_dial(ARI_REST_WEBSOCKET, false);

    (void)state;
    send(b, "GET", "channels", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].err, -ETIMEDOUT);
    ari_peer_refuse(b->peer, 503);
    ari_peer_lose(b->peer);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(ari_send(NULL, b->ari, "GET", "channels", TEXT_NONE, on_answer, b), -ENOTCONN);
    assert_int_equal(ari_peer_count(b->peer), 0);
    bench_free(b);
}

static int backwards(struct bench *b, const struct ari_seen *seen, char *body, size_t size)
{
    (void)b;
    (void)seen;
    (void)body;
    (void)size;
    return 0;
}

/* Asterisk answers in order; we do not rely on it. */
static void t_several_under_way_are_matched(void **state)
{
    struct bench *b = bench_dial(ARI_REST_WEBSOCKET, true);

    (void)state;
    b->reply = backwards;
    send(b, "POST", "one", NULL);
    send(b, "POST", "two", NULL);
    send(b, "POST", "three", NULL);
    while (ari_peer_count(b->peer) < 3)
        turn_for(b->loop, 1);
    ari_peer_answer_late(b->peer, 3, 203);
    ari_peer_answer_late(b->peer, 1, 201);
    assert_true(turn_until(b->loop, has_two_answers, b, 3000));
    assert_int_equal(b->answers[0].status, 203);
    assert_int_equal(b->answers[1].status, 201);
    while (b->answer_count < 3)
        turn_for(b->loop, 5);
    assert_int_equal(b->answers[2].err, -ETIMEDOUT);
    bench_free(b);
}

/* One that Asterisk is stuck in holds up all behind it: they go another way until it is answered. */
static void t_a_stuck_request_is_gone_round(void **state)
{
    struct bench *b = bench_dial(ARI_REST_AUTO, true);

    (void)state;
    b->reply = backwards;
    send(b, "POST", "stuck", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].err, -ETIMEDOUT);
    assert_true(ari_peer_seen(b->peer, 0)->over_ws);
    b->reply = NULL;
    send(b, "POST", "next", NULL);
    assert_true(turn_until(b->loop, has_two_answers, b, 3000));
    assert_int_equal(b->answers[1].status, 204);
    assert_false(ari_peer_seen(b->peer, 1)->over_ws);
    ari_peer_answer_late(b->peer, 1, 204);
    turn_for(b->loop, 30);
    assert_int_equal(b->answer_count, 2);  /* nobody asks any more */
    send(b, "POST", "again", NULL);
    while (b->answer_count < 3)
        turn_for(b->loop, 1);
    assert_true(ari_peer_seen(b->peer, 2)->over_ws);
    bench_free(b);
}

static int big(struct bench *b, const struct ari_seen *seen, char *body, size_t size)
{
    (void)b;
    (void)seen;
    assert_true(size > BIG + 3);
    body[0] = '"';
    memset(body + 1, 'x', BIG);
    strcpy(body + 1 + BIG, "\"");
    return 200;
}

static void t_big_answers_and_big_requests(void **state)
{
    struct bench *b = bench_dial(ARI_REST_WEBSOCKET, true);
    char *body = malloc(70001);

    (void)state;
    assert_non_null(body);
    b->reply = big;
    send(b, "GET", "channels", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].status, 200);
    assert_int_equal(b->answers[0].body_n, BIG + 2);
    memset(body, 'y', 70000);
    body[70000] = '\0';
    assert_int_equal(ari_send(NULL, b->ari, "POST", "channels", text_of(body), on_answer, b), -EMSGSIZE);
    free(body);
    bench_free(b);
}

static void t_the_connection_goes_before_the_answer(void **state)
{
    struct bench *b = bench_dial(ARI_REST_AUTO, true);

    (void)state;
    b->reply = backwards;
    send(b, "POST", "one", NULL);
    send(b, "POST", "two", NULL);
    while (ari_peer_count(b->peer) < 2)
        turn_for(b->loop, 1);
    ari_peer_refuse(b->peer, 503);
    ari_peer_lose(b->peer);
    assert_true(turn_until(b->loop, has_two_answers, b, 3000));
    assert_int_equal(b->answers[0].err, -ECONNRESET);  /* perhaps carried out: not repeated by us */
    assert_int_equal(b->answers[1].err, -ECONNRESET);
    assert_int_equal(ari_peer_count(b->peer), 2);
    b->reply = NULL;
    send(b, "POST", "three", NULL);
    while (b->answer_count < 3)
        turn_for(b->loop, 1);
    assert_int_equal(b->answers[2].status, 204);
    assert_false(ari_peer_seen(b->peer, 2)->over_ws);
    bench_free(b);
}

static void t_close_ends_requests_over_the_websocket(void **state)
{
    struct bench *b = bench_dial(ARI_REST_WEBSOCKET, true);
    unsigned taken = 0;

    (void)state;
    b->reply = backwards;
    while (taken < 60) {           /* as many as the peer keeps */
        send(b, "POST", "x", NULL);
        taken++;
    }
    ari_close(b->ari);
    assert_int_equal(ari_send(NULL, b->ari, "GET", "bridges", TEXT_NONE, on_answer, b), -EPIPE);
    assert_true(turn_until(b->loop, is_closed, b, 5000));
    assert_int_equal(b->answer_count, taken);
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(b->answers[i].err, -ECANCELED);
    bench_free(b);
}

static void t_nonsense_over_the_websocket(void **state)
{
    static const char *const nonsense[] = {
        "{\"type\":\"RESTResponse\"}", "{\"type\":\"RESTResponse\",\"status_code\":\"x\"}", "{\"type\":\"RESTResponse\",\"status_code\":99}",
        "{\"type\":\"RESTResponse\",\"status_code\":200,\"request_id\":\"77\"}", "{\"type\":\"RESTResponse\",\"status_code\":200,\"request_id\":\"-1\"}",
        "{\"type\":\"RESTResponse\",\"status_code\":200}", "\"RESTResponse\"", "[\"RESTResponse\"]", "{\"type\":[\"RESTResponse\"]}",
        "{\"type\":\"RESTResponse\",\"status_code\":204,\"request_id\":\"2\",\"message_body\":7}",
    };
    struct bench *b = bench_dial(ARI_REST_WEBSOCKET, true);

    (void)state;
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        ari_peer_event(b->peer, nonsense[i]);
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"app\",\"channel\":{\"id\":\"RESTResponse\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    assert_string_equal(b->channel, "RESTResponse");
    send(b, "POST", "x", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].status, 204);
    bench_free(b);
}

/* ---- connections that Asterisk opens ---- */

static void t_asterisk_comes(void **state)
{
    struct bench *b = bench_came();

    (void)state;
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"app\",\"channel\":{\"id\":\"1700.9\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    send(b, "GET", "channels", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].status, 204);
    assert_true(ari_peer_seen(b->peer, 0)->over_ws);
    bench_free(b);
}

static void t_only_with_our_credentials(void **state)
{
    static const char *const wrong[] = { NULL, "", "u:", "u:P", "u:pp", "u:", ":", "x:p" };
    struct bench *b = bench_listen(false, false);

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ari_peer_come(b->peer, port_of(b), wrong[i], "app");
        assert_true(turn_until(b->loop, is_refused, b, 3000));
        assert_int_equal(ari_peer_came_status(b->peer), 401);
    }
    assert_int_equal(b->ups, 0);
    ari_peer_come(b->peer, port_of(b), "u:p", "app");
    assert_true(turn_until(b->loop, is_up, b, 3000));
    bench_free(b);
}

static void t_no_credentials_no_listener(void **state)
{
    struct bench *b = bench_came();
    struct ari_client *c = NULL;
    struct ari_options opt = { .app = "a", .listen = { .host = "127.0.0.1" }, .user = "u" };

    (void)state;
    assert_int_equal(ari_open(&c, b->loop, b->dialer, &opt, &handlers, b, &test_log), -EINVAL);
    opt = (struct ari_options){ .app = "a", .listen = { .host = "127.0.0.1", .port = port_of(b) }, .user = "u", .password = "p" };
    assert_int_equal(ari_open(&c, b->loop, b->dialer, &opt, &handlers, b, &test_log), -EADDRINUSE);
    assert_null(c);
    bench_free(b);
}

static void t_asterisk_comes_again(void **state)
{
    struct bench *b = bench_came();

    (void)state;
    ari_peer_lose(b->peer);
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_false(ari_is_up(b->ari));
    assert_int_equal(ari_send(NULL, b->ari, "GET", "channels", TEXT_NONE, on_answer, b), -ENOTCONN);
    ari_peer_come(b->peer, port_of(b), "u:p", "app");
    assert_true(turn_until(b->loop, is_up, b, 3000));
    assert_int_equal(b->ups, 2);
    bench_free(b);
}

/* The old connection is not known to be dead yet: the newer one counts. */
static void t_a_newer_connection_counts(void **state)
{
    struct bench *b = bench_came();

    (void)state;
    ari_peer_come(b->peer, port_of(b), "u:p", "app");
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_true(turn_until(b->loop, is_up, b, 3000));
    turn_for(b->loop, 50);
    assert_true(ari_is_up(b->ari));
    assert_int_equal(b->ups, 2);
    assert_int_equal(b->downs, 1);
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"app\",\"channel\":{\"id\":\"2\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    bench_free(b);
}

static void t_another_application_is_sent_away(void **state)
{
    struct bench *b = bench_listen(false, false);

    (void)state;
    ari_peer_come(b->peer, port_of(b), "u:p", "application");
    assert_true(turn_until(b->loop, is_refused, b, 3000));
    assert_int_equal(ari_peer_came_status(b->peer), 101);
    assert_true(turn_until(b->loop, has_no_events, b, 3000));
    assert_int_equal(b->ups + b->links_up, 0);
    bench_free(b);
}

static void t_one_that_names_nothing_is_sent_away(void **state)
{
    struct bench *b = bench_listen(false, false);

    (void)state;
    ari_peer_come(b->peer, port_of(b), "u:p", NULL);
    assert_true(turn_until(b->loop, is_refused, b, 3000));
    assert_true(turn_until(b->loop, has_no_events, b, 6000));
    bench_free(b);
}

/* Asterisk lost the application to another program: the connection is there, and nothing is answered. */
static void t_a_connection_without_answers_is_not_up(void **state)
{
    struct bench *b = bench_listen(true, false);

    (void)state;
    b->reply = backwards;
    ari_peer_close(b->peer);       /* a peer that does not offer requests */
    ari_peer_open(&b->peer, b->loop, on_request, b);
    ari_peer_come(b->peer, port_of(b), "u:p", "app");
    assert_true(turn_until(b->loop, is_refused, b, 3000));
    turn_for(b->loop, 100);
    assert_false(ari_is_up(b->ari));
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"app\",\"channel\":{\"id\":\"2\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));  /* but what comes is heard */
    bench_free(b);
}

static void t_replaced_on_a_connection_that_asterisk_opened(void **state)
{
    struct bench *b = bench_came();

    (void)state;
    ari_peer_event(b->peer, "{\"type\":\"ApplicationReplaced\",\"application\":\"app\"}");
    assert_true(turn_until(b->loop, is_down, b, 3000));
    assert_int_equal(b->down_err, -EADDRINUSE);
    assert_false(ari_is_up(b->ari));
    send(b, "POST", "channels/c/continue", NULL);  /* requests work as long as Asterisk answers */
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_int_equal(b->answers[0].status, 204);
    ari_peer_lose(b->peer);
    ari_peer_come(b->peer, port_of(b), "u:p", "app");
    assert_true(turn_until(b->loop, is_up, b, 3000));
    bench_free(b);
}

static void t_a_connection_for_one_call(void **state)
{
    struct bench *b = bench_listen(false, true);

    (void)state;
    assert_true(ari_is_up(b->ari));
    assert_false(ari_has_call_link(b->ari, "app:PJSIP/a-1"));
    ari_peer_come(b->peer, port_of(b), "u:p", "app:PJSIP/a-1");
    assert_true(turn_until(b->loop, has_call_link, b, 3000));
    assert_string_equal(b->app, "app:PJSIP/a-1");
    assert_true(ari_has_call_link(b->ari, "app:PJSIP/a-1"));
    assert_int_equal(b->ups, 0);
    ari_peer_event(b->peer, "{\"type\":\"StasisEnd\",\"application\":\"app:PJSIP/a-1\",\"channel\":{\"id\":\"7\"}}");
    assert_true(turn_until(b->loop, has_event, b, 3000));
    assert_string_equal(b->channel, "7");
    send(b, "POST", "channels/7/continue", NULL);
    assert_true(turn_until(b->loop, has_answer, b, 3000));
    assert_true(ari_peer_seen(b->peer, 0)->over_ws);
    ari_peer_lose(b->peer);
    assert_true(turn_until(b->loop, lost_call_link, b, 3000));
    assert_false(ari_has_call_link(b->ari, "app:PJSIP/a-1"));
    assert_true(ari_is_up(b->ari));
    bench_free(b);
}

static void t_memory_short_at_the_start(void **state)
{
    struct bench *b = bench_make();
    char url[64];
    struct ari_options opt = options(b, url, ARI_REST_AUTO);
    long n;

    (void)state;
    opt.listen = (struct address){ .host = "127.0.0.1" };
    for (n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = ari_open(&b->ari, b->loop, b->dialer, &opt, &handlers, b, &test_log);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_null(b->ari);
        turn_for(b->loop, 1);
    }
    assert_true(n > 5);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_a_request_goes_over_the_websocket),
        cmocka_unit_test(t_lists_go_over_http_when_they_can),
        cmocka_unit_test(t_http_where_nothing_else_is_offered),
        cmocka_unit_test(t_http_when_it_is_asked_for),
        cmocka_unit_test(t_websocket_only_fails_clearly),
        cmocka_unit_test(t_several_under_way_are_matched),
        cmocka_unit_test(t_a_stuck_request_is_gone_round),
        cmocka_unit_test(t_big_answers_and_big_requests),
        cmocka_unit_test(t_the_connection_goes_before_the_answer),
        cmocka_unit_test(t_close_ends_requests_over_the_websocket),
        cmocka_unit_test(t_nonsense_over_the_websocket),
        cmocka_unit_test(t_asterisk_comes),
        cmocka_unit_test(t_only_with_our_credentials),
        cmocka_unit_test(t_no_credentials_no_listener),
        cmocka_unit_test(t_asterisk_comes_again),
        cmocka_unit_test(t_a_newer_connection_counts),
        cmocka_unit_test(t_another_application_is_sent_away),
        cmocka_unit_test(t_one_that_names_nothing_is_sent_away),
        cmocka_unit_test(t_a_connection_without_answers_is_not_up),
        cmocka_unit_test(t_replaced_on_a_connection_that_asterisk_opened),
        cmocka_unit_test(t_a_connection_for_one_call),
        cmocka_unit_test(t_memory_short_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
