/* stasis.c and what is below it, where control is concerned: every way of the connection, calls offered to all, a name that another program
 * took, and outcomes behind a 204. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ari_peer.h"
#include "call/stasis.h"
#include "tcp_pair.h"
#include "turn.h"

enum { MEDIA_MAX = 8 };

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

/* How the connection comes about. */
enum way { WE_DIAL_HTTP, WE_DIAL_WS, IT_DIALS, IT_DIALS_EACH };

struct bench {
    enum way way;
    struct loop *loop;
    struct dialer *dialer;
    struct audiosocket_door *door;
    struct ari_peer *peer;
    struct stasis *stasis;
    uint16_t door_port;
    const char *app;               /* what events name */
    const char *stays;             /* part of "METHOD path": answered by 204, not carried out */
    unsigned stays_times;
    const char *inside;            /* other channels inside */
    int claim_status;
    bool is_inside;                /* the caller's channel "c1" */
    char media[100], bridge[100], media_app[100];
    int media_fds[MEDIA_MAX];
    size_t media_count;
    unsigned talks, stops, ended;
    int fd;
    stasis_on_talk_end *on_end;
    void *end_arg;
    char status[20], reason[STASIS_REASON_MAX];
    unsigned ends;
    struct timeline timeline;
    bool closed;
};

/* ---- Asterisk ---- */

static void event(struct bench *b, const char *type, const char *channel, const char *more)
{
    if (ari_peer_has_events(b->peer))
        ari_peer_eventf(b->peer, "{\"type\":\"%s\",\"application\":\"%s\",\"channel\":{\"id\":\"%s\",\"state\":\"Up\"}%s}", type, b->app, channel, more);
}

static void bridge_event(struct bench *b, const char *type, const char *channel)
{
    char more[200];

    snprintf(more, sizeof more, ",\"bridge\":{\"id\":\"%s\"}", b->bridge);
    event(b, type, channel, more);
}

static void json_text(const char *json, const char *name, char *out, size_t size)
{
    char key[40];
    const char *at;

    snprintf(key, sizeof key, "\"%s\":\"", name);
    at = strstr(json, key);
    assert_non_null(at);
    at += strlen(key);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void media_comes(struct bench *b, const char *body)
{
    uint8_t greeting[19] = { 1, 0, 16 };
    char uuid[40];
    struct uuid id;

    json_text(body, "channelId", b->media, sizeof b->media);
    json_text(body, "app", b->media_app, sizeof b->media_app);
    json_text(body, "data", uuid, sizeof uuid);
    assert_int_equal(uuid_parse(text_of(uuid), &id), 0);
    memcpy(greeting + 3, id.bytes, 16);
    event(b, "StasisStart", b->media, "");
    assert_true(b->media_count < MEDIA_MAX);
    b->media_fds[b->media_count] = tcp_connect(b->door_port);
    assert_true(b->media_fds[b->media_count] >= 0);
    tcp_write(b->media_fds[b->media_count++], greeting, sizeof greeting);
}

static bool is_held(struct bench *b, const char *what)
{
    if (!b->stays || !b->stays_times || !strstr(what, b->stays))
        return false;
    b->stays_times--;
    return true;
}

static void list_applications(const struct bench *b, const char *what, char *body, size_t size)
{
    char one[400];

    snprintf(one, sizeof one, "{\"name\":\"%s\",\"channel_ids\":[%s%s%s],\"bridge_ids\":[]}", b->app, b->is_inside ? "\"c1\"" : "",
             b->is_inside && b->inside ? "," : "", b->inside ? b->inside : "");
    if (strcmp(what, "GET applications") == 0)
        snprintf(body, size, "[{\"name\":\"sidetones\",\"channel_ids\":[\"alien\"],\"bridge_ids\":[]},%s]", one);
    else
        snprintf(body, size, "%s", one);
}

static int on_request(const struct ari_seen *seen, char *body, size_t size, void *arg)
{
    struct bench *b = arg;
    char what[500];

    snprintf(what, sizeof what, "%s %s", seen->method, seen->path);
    if (is_held(b, what))
        return 204;
    if (strncmp(what, "GET applications", 16) == 0)
        list_applications(b, what, body, size);
    else if (strncmp(what, "GET ", 4) == 0)
        snprintf(body, size, "[]");
    else if (strncmp(what, "POST events/claim", 17) == 0)
        return b->claim_status;
    else if (strcmp(what, "POST channels/externalMedia") == 0)
        media_comes(b, seen->body);
    else if (strstr(what, "?type=mixing"))
        snprintf(b->bridge, sizeof b->bridge, "%.*s", (int)strcspn(seen->path + 8, "?"), seen->path + 8);
    else if (strstr(what, "/addChannel")) {
        bridge_event(b, "ChannelEnteredBridge", "c1");
        bridge_event(b, "ChannelEnteredBridge", b->media);
    } else if (strncmp(what, "DELETE bridges/", 15) == 0)
        bridge_event(b, "BridgeDestroyed", "");
    else if (strncmp(what, "DELETE channels/", 16) == 0)
        event(b, "ChannelDestroyed", seen->path + 9, "");
    else if (strstr(what, "/continue")) {
        b->is_inside = false;
        event(b, "StasisEnd", "c1", "");
    }
    return body[0] || strstr(what, "externalMedia") || strstr(what, "mixing") ? 200 : 204;
}

/* ---- the talks ---- */

static int has_agent(void *arg, struct text agent)
{
    (void)arg;
    return text_eq(agent, TEXT("reception")) ? 0 : -ENOENT;
}

static int talk_start(void *arg, void **talk, const struct stasis_talk_request *req, stasis_on_talk_end *on_end, void *end_arg)
{
    struct bench *b = arg;

    b->talks++;
    b->fd = req->way.fd;
    b->on_end = on_end;
    b->end_arg = end_arg;
    *talk = b;
    return 0;
}

static void talk_stop(void *arg, void *talk)
{
    struct bench *b = arg;

    (void)talk;
    b->stops++;
    b->on_end = NULL;
    close(b->fd);
    b->fd = -1;
}

static void talk_ends(struct bench *b)
{
    const struct stasis_talk_end e = { .status = "OK", .reason = "done" };

    assert_non_null(b->on_end);
    close(b->fd);
    b->fd = -1;
    b->on_end(&e, b->end_arg);
    b->on_end = NULL;
}

static bool publish(void *arg, struct fact *f)
{
    struct bench *b = arg;

    if (strcmp(f->kind, "stasis.end") == 0) {
        const struct text detail = text_of(fact_detail(f));

        b->ends++;
        json_text(detail.p, "status", b->status, sizeof b->status);
        json_text(detail.p, "reason", b->reason, sizeof b->reason);
    }
    fact_free(f);
    return true;
}

/* ---- conditions ---- */

static bool is_up(void *arg)
{
    struct bench *b = arg;

    return stasis_is_up(b->stasis) && ari_peer_has_events(b->peer);
}

static bool is_not_up(void *arg)
{
    return !stasis_is_up(((struct bench *)arg)->stasis);
}

static bool is_talking(void *arg)
{
    return ((struct bench *)arg)->on_end != NULL;
}

static bool has_no_calls(void *arg)
{
    return stasis_calls(((struct bench *)arg)->stasis) == 0;
}

static bool has_ended(void *arg)
{
    return ((struct bench *)arg)->ends > 0;
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed;
}

static unsigned count_requests(const struct bench *b, const char *part)
{
    unsigned n = 0;

    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        char what[500];

        snprintf(what, sizeof what, "%s %s", ari_peer_seen(b->peer, i)->method, ari_peer_seen(b->peer, i)->path);
        n += strstr(what, part) != NULL;
    }
    return n;
}

static bool has_claimed(void *arg)
{
    return count_requests(arg, "POST events/claim") > 0;
}

/* ---- the bench ---- */

static void on_closed(void *arg)
{
    ((struct bench *)arg)->closed = true;
}

static uint16_t port_of(const struct bench *b)
{
    struct address at;

    assert_true(stasis_listening(b->stasis, &at));
    return at.port;
}

static void comes(struct bench *b)
{
    ari_peer_come(b->peer, port_of(b), "u:p", b->app);
}

static struct bench *bench_make(enum way way, int64_t step_ms)
{
    const struct dialer_options none = { 0 };
    struct bench *b = calloc(1, sizeof *b);
    struct address at = { .host = "127.0.0.1" };
    const bool it_dials = way == IT_DIALS || way == IT_DIALS_EACH;
    char url[64];
    struct stasis_options opt = {
        .ari = { .node = "pbx1", .app = "sidetone", .user = "u", .password = "p", .retry_max_ms = 40, .request_ms = 2000,
                 .per_call = way == IT_DIALS_EACH, .rest = way == WE_DIAL_WS ? ARI_REST_WEBSOCKET : ARI_REST_AUTO },
        .media_host = "127.0.0.1:9092",
        .step_ms = step_ms,
        .again_ms = 400,
        .calls_max = 2,
        .claims = true,
    };
    const struct stasis_talks talks = { .has_agent = has_agent, .start = talk_start, .stop = talk_stop, .arg = b };

    assert_non_null(b);
    b->way = way;
    b->fd = -1;
    b->app = way == IT_DIALS_EACH ? "sidetone:PJSIP/a-1" : "sidetone";
    b->claim_status = 204;
    b->timeline = (struct timeline){ .publish = publish, .arg = b };
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    assert_int_equal(door_open(&b->door, b->loop, &at), 0);
    door_address(b->door, &at);
    b->door_port = at.port;
    ari_peer_open(&b->peer, b->loop, on_request, b);
    if (way != WE_DIAL_HTTP)
        ari_peer_offer_rest(b->peer);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ari_peer_port(b->peer));
    if (it_dials)
        opt.ari.listen = (struct address){ .host = "127.0.0.1" };
    else
        opt.ari.base_url = url;
    assert_int_equal(stasis_open(&b->stasis, b->loop, b->dialer, b->door, &opt, &talks, &b->timeline, &test_log), 0);
    if (it_dials)
        comes(b);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    return b;
}

static void bench_free(struct bench *b)
{
    stasis_close(b->stasis, 500, on_closed, b);
    assert_true(turn_until(b->loop, is_closed, b, 5000));
    if (b->fd >= 0)
        close(b->fd);
    for (size_t i = 0; i < b->media_count; i++)
        close(b->media_fds[i]);
    ari_peer_close(b->peer);
    door_close(b->door);
    dialer_free(b->dialer);
    turn_for(b->loop, 5);
    loop_free(b->loop);
    free(b);
}

static void caller_comes(struct bench *b)
{
    b->is_inside = true;
    event(b, "StasisStart", "c1", ",\"args\":[\"reception\"]");
}

static void talk(struct bench *b)
{
    caller_comes(b);
    assert_true(turn_until(b->loop, is_talking, b, 5000));
}

/* ---- each way ---- */

static void in_and_out(enum way way)
{
    struct bench *b = bench_make(way, 3000);
    bool over_ws = false, over_http = false;

    talk(b);
    assert_string_equal(b->media_app, b->app);
    talk_ends(b);
    assert_true(turn_until(b->loop, has_no_calls, b, 5000));
    assert_string_equal(b->status, "OK");
    assert_false(b->is_inside);
    assert_int_equal(count_requests(b, "POST channels/c1/continue"), 1);
    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        over_ws = over_ws || ari_peer_seen(b->peer, i)->over_ws;
        over_http = over_http || !ari_peer_seen(b->peer, i)->over_ws;
    }
    assert_int_equal(over_ws, way != WE_DIAL_HTTP);
    assert_int_equal(over_http, way == WE_DIAL_HTTP);
    bench_free(b);
}

static void t_a_call_each_way(void **state)
{
    (void)state;
    for (enum way way = WE_DIAL_HTTP; way <= IT_DIALS_EACH; way++)
        in_and_out(way);
}

/* A caller whom nobody holds, found behind the connection's coming again. */
static void t_strangers_are_given_back_each_way(void **state)
{
    (void)state;
    for (enum way way = WE_DIAL_HTTP; way <= IT_DIALS; way++) {
        struct bench *b = bench_make(way, 3000);

        turn_for(b->loop, 700);    /* the first comparison is over */
        ari_peer_lose(b->peer);
        assert_true(turn_until(b->loop, is_not_up, b, 3000));
        b->is_inside = true;
        if (way == IT_DIALS)
            comes(b);
        assert_true(turn_until(b->loop, has_ended, b, 5000));
        assert_string_equal(b->reason, "restart");
        assert_int_equal(count_requests(b, "channels/alien"), 0);
        bench_free(b);
    }
}

/* ---- outcomes ---- */

static void t_a_caller_who_does_not_leave_is_asked_again(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 100);

    (void)state;
    talk(b);
    b->stays = "/continue";
    b->stays_times = 1;
    talk_ends(b);
    assert_true(turn_until(b->loop, has_no_calls, b, 5000));
    assert_int_equal(count_requests(b, "/continue"), 2);
    assert_false(b->is_inside);
    bench_free(b);
}

static void t_a_bridge_that_nobody_enters_is_no_talk(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 100);

    (void)state;
    b->stays = "/addChannel";
    b->stays_times = 1;
    caller_comes(b);
    assert_true(turn_until(b->loop, has_ended, b, 5000));
    assert_string_equal(b->reason, "join_timeout");
    assert_int_equal(b->talks, 0);
    assert_true(turn_until(b->loop, has_no_calls, b, 5000));
    bench_free(b);
}

/* 204 came, the bridge did not go: the caller does not wait for that, and it is looked for later. */
static void t_what_stays_is_waited_for_behind_the_caller(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 200);

    (void)state;
    talk(b);
    b->stays = "DELETE bridges/";
    b->stays_times = 1;
    talk_ends(b);
    while (b->is_inside)
        turn_for(b->loop, 1);
    assert_int_equal(stasis_calls(b->stasis), 1);
    assert_true(turn_until(b->loop, has_no_calls, b, 5000));
    assert_int_equal(count_requests(b, "/continue"), 1);
    bench_free(b);
}

/* No events: the answer has to do. */
static void t_without_events_the_answer_counts(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 3000);

    (void)state;
    talk(b);
    ari_peer_refuse(b->peer, 503);
    ari_peer_lose(b->peer);
    assert_true(turn_until(b->loop, is_not_up, b, 3000));
    talk_ends(b);
    assert_true(turn_until(b->loop, has_no_calls, b, 1500));
    assert_int_equal(count_requests(b, "/continue"), 1);
    bench_free(b);
}

/* ---- the name is taken ---- */

static void t_talks_go_on_when_the_name_is_taken(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 300);

    (void)state;
    talk(b);
    b->inside = "\"sidetone-x-11111111-2222-4333-8444-555555555555\",\"other\"";
    event(b, "ApplicationReplaced", "", "");
    assert_true(turn_until(b->loop, is_not_up, b, 3000));
    turn_for(b->loop, 200);
    assert_int_equal(b->stops, 0);
    assert_int_equal(stasis_calls(b->stasis), 1);
    b->is_inside = false;          /* the caller hangs up, and nobody tells us: the watch finds out */
    assert_true(turn_until(b->loop, has_ended, b, 9000));
    assert_string_equal(b->status, "HANGUP");
    assert_int_equal(b->stops, 1);
    assert_true(turn_until(b->loop, has_no_calls, b, 3000));
    assert_int_equal(count_requests(b, "channels/other"), 0);  /* the other program's calls are left alone */
    assert_int_equal(count_requests(b, "GET bridges"), count_requests(b, "GET channels"));
    assert_int_equal(count_requests(b, "DELETE channels/sidetone-x-11111111"), 0);
    bench_free(b);
}

/* ---- calls offered to all ---- */

static void t_an_offered_call_is_claimed(void **state)
{
    struct bench *b = bench_make(WE_DIAL_WS, 3000);

    (void)state;
    event(b, "CallBroadcast", "c1", ",\"caller\":\"1\",\"called\":\"2\"");
    assert_true(turn_until(b->loop, has_claimed, b, 3000));
    assert_int_equal(count_requests(b, "POST events/claim?channelId=c1&application=sidetone"), 1);
    talk(b);
    talk_ends(b);
    assert_true(turn_until(b->loop, has_no_calls, b, 5000));
    bench_free(b);
}

static void t_no_claim_without_room(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 3000);

    (void)state;
    b->claim_status = 204;
    event(b, "CallBroadcast", "c2", "");
    event(b, "CallBroadcast", "c3", "");
    event(b, "CallBroadcast", "c4", "");   /* two places, both promised */
    turn_for(b->loop, 100);
    assert_int_equal(count_requests(b, "POST events/claim"), 2);
    assert_int_equal(count_requests(b, "channelId=c4"), 0);
    bench_free(b);
}

static void t_a_missed_call_gives_its_place_back(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 3000);

    (void)state;
    b->claim_status = 409;
    for (int i = 0; i < 5; i++) {
        char id[8];

        snprintf(id, sizeof id, "m%d", i);
        event(b, "CallBroadcast", id, "");
        turn_for(b->loop, 60);
    }
    assert_int_equal(count_requests(b, "POST events/claim"), 5);
    bench_free(b);
}

static void t_a_claim_that_does_not_begin_gives_its_place_back(void **state)
{
    struct bench *b = bench_make(WE_DIAL_HTTP, 50);

    (void)state;
    event(b, "CallBroadcast", "c2", "");
    event(b, "CallBroadcast", "c3", "");
    turn_for(b->loop, 300);
    event(b, "CallBroadcast", "c4", "");
    turn_for(b->loop, 100);
    assert_int_equal(count_requests(b, "channelId=c4"), 1);
    bench_free(b);
}

/* ---- a connection for each call ---- */

static void t_a_lost_connection_of_a_call_comes_back(void **state)
{
    struct bench *b = bench_make(IT_DIALS_EACH, 3000);

    (void)state;
    talk(b);
    ari_peer_lose(b->peer);
    turn_for(b->loop, 50);
    assert_int_equal(b->stops, 0);
    comes(b);
    turn_for(b->loop, 100);
    talk_ends(b);
    assert_true(turn_until(b->loop, has_no_calls, b, 5000));
    assert_string_equal(b->status, "OK");
    bench_free(b);
}

/* Asterisk gave up and returned the caller: the talk ends, and what is ours goes over the next connection there is. */
static void t_a_lost_connection_of_a_call_stays_away(void **state)
{
    struct bench *b = bench_make(IT_DIALS_EACH, 300);

    (void)state;
    talk(b);
    ari_peer_lose(b->peer);
    b->is_inside = false;
    while (b->stops == 0)
        turn_for(b->loop, 50);
    b->app = "sidetone:PJSIP/a-2"; /* the next call's */
    comes(b);
    assert_true(turn_until(b->loop, has_no_calls, b, 9000));
    assert_string_equal(b->status, "ERROR");
    assert_string_equal(b->reason, "ari_lost");
    assert_true(count_requests(b, "DELETE channels/sidetone-x-") > 0);
    assert_true(count_requests(b, "DELETE bridges/sidetone-b-") > 0);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_a_call_each_way),
        cmocka_unit_test(t_strangers_are_given_back_each_way),
        cmocka_unit_test(t_a_caller_who_does_not_leave_is_asked_again),
        cmocka_unit_test(t_a_bridge_that_nobody_enters_is_no_talk),
        cmocka_unit_test(t_what_stays_is_waited_for_behind_the_caller),
        cmocka_unit_test(t_without_events_the_answer_counts),
        cmocka_unit_test(t_talks_go_on_when_the_name_is_taken),
        cmocka_unit_test(t_an_offered_call_is_claimed),
        cmocka_unit_test(t_no_claim_without_room),
        cmocka_unit_test(t_a_missed_call_gives_its_place_back),
        cmocka_unit_test(t_a_claim_that_does_not_begin_gives_its_place_back),
        cmocka_unit_test(t_a_lost_connection_of_a_call_comes_back),
        cmocka_unit_test(t_a_lost_connection_of_a_call_stays_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
