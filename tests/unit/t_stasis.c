/* stasis.c, stasis_call.c and stasis_sync.c against a scripted Asterisk: which requests are sent, in which order, and what is
 * cleaned up, whatever fails or ends first. */
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
#include "fail_alloc.h"
#include "tcp_pair.h"
#include "turn.h"

enum { FACTS_MAX = 64, EXT_MAX = 8, PATIENT_MS = 3000, HASTY_MS = 120 };

#define UUID_A "11111111-2222-4333-8444-555555555555"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

/* How Asterisk departs from its usual answers, the first `times` times a request matches. */
struct quirk {
    const char *match;             /* part of "METHOD path" */
    int status;                    /* instead of the usual; 0: the usual; -1: no answer */
    bool hangs_up;                 /* the caller goes just before the answer */
    bool no_connect, no_start;     /* externalMedia: it does not connect, or does not enter Stasis */
    bool media_goes;               /* the external channel ends just before the answer */
    bool stays;                    /* 204, but it is never carried out */
    unsigned times;
};

struct bench {
    const char *place_answer;      /* to whether a place exists; NULL: it does */
    const struct talk_after *after; /* what the talk leaves; NULL: nothing */
    struct stasis_place fallback;  /* of the agent reception; without context: none */
    struct loop *loop;
    struct dialer *dialer;
    struct audiosocket_door *door;
    struct websocket_door *websocket_door; /* NULL: we are to connect */
    struct ari_peer *peer;
    struct stasis *stasis;
    uint16_t door_port;
    const char *caller;
    struct quirk quirk;
    bool is_inside;                /* the caller's channel is in Stasis */
    const char *inside, *channels, *bridges;   /* answers to the GETs; inside NULL: the caller's channel while it is there */
    char media[100], bridge[100], uuid[40];
    int media_fds[EXT_MAX];
    size_t media_count;

    enum stasis_media kinds[STASIS_MEDIA_COUNT], kind;  /* kinds: of the agent; kind: what the talk got */
    size_t kind_count;             /* 0: AudioSocket only */
    uint16_t rtp_port;             /* Asterisk's, as its answer says; 0: it says none */
    struct address talk_peer;
    int agent_err, start_err;
    unsigned starts, stops;
    char agent[64], number[64], name[64], call[64];
    int fd;
    stasis_on_talk_end *on_end;
    void *end_arg;

    struct fact *facts[FACTS_MAX];
    size_t fact_count;
    struct timeline timeline;
    bool closed;
};

/* ---- Asterisk ---- */

static void event(struct bench *b, const char *type, const char *channel)
{
    if (ari_peer_has_events(b->peer))
        ari_peer_eventf(b->peer, "{\"type\":\"%s\",\"application\":\"sidetone\",\"channel\":{\"id\":\"%s\",\"name\":\"x\",\"state\":\"Up\"}}",
                        type, channel);
}

static void caller_goes(struct bench *b)
{
    b->is_inside = false;
    event(b, "ChannelHangupRequest", b->caller);
    event(b, "StasisEnd", b->caller);
    event(b, "ChannelDestroyed", b->caller);
}

static void media_goes(struct bench *b)
{
    event(b, "StasisEnd", b->media);
    event(b, "ChannelDestroyed", b->media);
}

static void bridge_event(struct bench *b, const char *type, const char *bridge)
{
    if (ari_peer_has_events(b->peer))
        ari_peer_eventf(b->peer, "{\"type\":\"%s\",\"application\":\"sidetone\",\"bridge\":{\"id\":\"%s\"}}", type, bridge);
}

/* The channel has entered the bridge that was made last. */
static void entered(struct bench *b, const char *channel)
{
    if (ari_peer_has_events(b->peer))
        ari_peer_eventf(b->peer, "{\"type\":\"ChannelEnteredBridge\",\"application\":\"sidetone\",\"bridge\":{\"id\":\"%s\"},"
                        "\"channel\":{\"id\":\"%s\"}}", b->bridge, channel);
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

/* As a channel of websocket_client.conf: Asterisk adds what v() says to the address. Without a door of ours it would wait for us, and says by
 * which name in its answer, which here is missing. */
static void websocket_comes(struct bench *b, const struct ari_seen *seen, const struct quirk *q)
{
    char values[100], request[400];
    struct address at;
    int fd;

    if (!b->websocket_door) {
        assert_non_null(strstr(seen->body, "\"connection_type\":\"server\""));
        return;
    }
    assert_non_null(strstr(seen->body, "\"connection_type\":\"client\",\"external_host\":\"our-client\""));
    assert_non_null(strstr(seen->body, "\"encapsulation\":\"none\""));
    assert_non_null(strstr(seen->body, "\"format\":\"slin16\""));
    json_text(seen->body, "transport_data", values, sizeof values);
    assert_int_equal(strlen(values), strlen("v(call=)") + 36);
    if (!q || !q->no_start)
        event(b, "StasisStart", b->media);
    if (q && q->no_connect)
        return;
    snprintf(request, sizeof request, "GET /media?%.41s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", values + 2);
    websocket_door_address(b->websocket_door, &at);
    assert_true(b->media_count < EXT_MAX);
    fd = tcp_connect(at.port);
    assert_true(fd >= 0);
    tcp_write(fd, request, strlen(request));
    b->media_fds[b->media_count++] = fd;
}

static void media_comes(struct bench *b, const struct ari_seen *seen, const struct quirk *q)
{
    struct uuid id;
    uint8_t greeting[19] = { 1, 0, 16 };
    int fd;

    json_text(seen->body, "channelId", b->media, sizeof b->media);
    if (strstr(seen->body, "\"transport\":\"websocket\"")) {
        websocket_comes(b, seen, q);
        return;
    }
    if (strstr(seen->body, "\"encapsulation\":\"rtp\"")) {
        if (!q || !q->no_start)
            event(b, "StasisStart", b->media);
        return;
    }
    json_text(seen->body, "data", b->uuid, sizeof b->uuid);
    assert_int_equal(uuid_parse(text_of(b->uuid), &id), 0);
    memcpy(greeting + 3, id.bytes, 16);
    if (!q || !q->no_start)
        event(b, "StasisStart", b->media);
    if (q && q->no_connect)
        return;
    assert_true(b->media_count < EXT_MAX);
    fd = tcp_connect(b->door_port);
    assert_true(fd >= 0);
    tcp_write(fd, greeting, sizeof greeting);
    b->media_fds[b->media_count++] = fd;
}

static int usual(struct bench *b, const struct ari_seen *seen, const char *what, char *body, size_t size, const struct quirk *q)
{
    if (strcmp(what, "GET applications/sidetone") == 0) {
        char caller[100] = "";

        if (b->is_inside)
            snprintf(caller, sizeof caller, "\"%s\"", b->caller);
        snprintf(body, size, "{\"name\":\"sidetone\",\"channel_ids\":[%s],\"bridge_ids\":[],\"endpoint_ids\":[],\"device_names\":[]}",
                 b->inside ? b->inside : caller);
        return 200;
    }
    if (strstr(what, "/variable?variable=DIALPLAN_EXISTS%28default%2C2001%2C1%29")) {
        snprintf(body, size, "%s", b->place_answer ? b->place_answer : "{\"value\":\"1\"}");
        return b->place_answer && !b->place_answer[0] ? 500 : 200;
    }
    if (strncmp(what, "GET ", 4) == 0) {
        const char *list = strcmp(what, "GET channels") == 0 ? b->channels : b->bridges;

        snprintf(body, size, "[%s]", list ? list : "");
        return 200;
    }
    if (strcmp(what, "POST channels/externalMedia") == 0) {
        media_comes(b, seen, q);
        snprintf(body, size, "{\"id\":\"%s\",\"state\":\"Down\"}", b->media);
        if (strstr(seen->body, "\"encapsulation\":\"rtp\"") && b->rtp_port)
            snprintf(body, size, "{\"id\":\"%s\",\"channelvars\":{\"UNICASTRTP_LOCAL_PORT\":\"%u\",\"UNICASTRTP_LOCAL_ADDRESS\":\"127.0.0.1\"}}",
                     b->media, b->rtp_port);
        return 200;
    }
    if (strstr(what, "?type=mixing")) {
        snprintf(b->bridge, sizeof b->bridge, "%.*s", (int)strcspn(seen->path + 8, "?"), seen->path + 8);
        snprintf(body, size, "{\"id\":\"b\"}");
        return 200;
    }
    if (strstr(what, "/addChannel?channel=") && !(q && q->stays)) {
        entered(b, b->caller);
        entered(b, b->media);
    }
    if (strncmp(what, "DELETE bridges/", 15) == 0 && !(q && q->stays))
        bridge_event(b, "BridgeDestroyed", seen->path + 8);
    if (q && q->stays)
        return 204;
    if (strstr(what, "/continue")) {
        b->is_inside = false;
        event(b, "StasisEnd", b->caller);
    }
    if (strncmp(what, "DELETE channels/sidetone-x-", 27) == 0)
        media_goes(b);
    else if (strncmp(what, "DELETE channels/", 16) == 0)
        caller_goes(b);
    return 204;
}

static int on_request(const struct ari_seen *seen, char *body, size_t size, void *arg)
{
    struct bench *b = arg;
    char what[500];
    struct quirk *q = NULL;

    snprintf(what, sizeof what, "%s %s", seen->method, seen->path);
    if (b->quirk.match && b->quirk.times > 0 && strstr(what, b->quirk.match)) {
        q = &b->quirk;
        q->times--;
    }
    if (q && q->hangs_up)
        caller_goes(b);
    if (q && q->media_goes)
        media_goes(b);
    if (q && q->status) {
        snprintf(body, size, "{\"message\":\"as the test wishes\"}");
        return q->status > 0 ? q->status : 0;
    }
    return usual(b, seen, what, body, size, q);
}

/* ---- the talks ---- */

static int has_agent(void *arg, struct text agent)
{
    struct bench *b = arg;

    text_copy(b->agent, sizeof b->agent, agent);
    return b->agent_err;
}

static bool fallback(void *arg, struct text agent, struct stasis_place *out)
{
    struct bench *b = arg;

    if (!b->fallback.context || !text_eq(agent, TEXT("reception")))
        return false;
    *out = b->fallback;
    return true;
}

static int talk_start(void *arg, void **talk, const struct stasis_talk_request *req, stasis_on_talk_end *on_end, void *end_arg)
{
    struct bench *b = arg;

    if (b->start_err) {
        close(req->way.fd);
        return b->start_err;
    }
    b->starts++;
    text_copy(b->call, sizeof b->call, req->call);
    text_copy(b->agent, sizeof b->agent, req->agent);
    text_copy(b->number, sizeof b->number, req->caller_number);
    text_copy(b->name, sizeof b->name, req->caller_name);
    b->fd = req->way.fd;
    b->kind = req->way.media;
    assert_int_equal(req->way.rate_hz, b->kind == STASIS_AUDIOSOCKET ? 8000 : 0);
    assert_int_equal(req->way.is_server, b->kind == STASIS_WEBSOCKET);
    assert_true(b->kind != STASIS_WEBSOCKET || req->way.ws_format == LEG_WEBSOCKET_SLIN16);
    b->talk_peer = req->way.peer;
    b->on_end = on_end;
    b->end_arg = end_arg;
    *talk = b;
    return 0;
}

static size_t talk_media(void *arg, struct text agent, enum stasis_media out[STASIS_MEDIA_COUNT])
{
    const struct bench *b = arg;

    assert_true(text_eq(agent, TEXT("reception")));
    memcpy(out, b->kinds, sizeof b->kinds);
    return b->kind_count;
}

static void talk_stop(void *arg, void *talk)
{
    struct bench *b = arg;

    assert_ptr_equal(talk, b);
    b->stops++;
    b->on_end = NULL;
    close(b->fd);
    b->fd = -1;
}

static void talk_ends(struct bench *b, const char *status, const char *reason, bool hang_up)
{
    struct stasis_talk_end e = { .status = status, .hang_up = hang_up, .after = b->after };

    snprintf(e.reason, sizeof e.reason, "%s", reason);
    assert_non_null(b->on_end);
    close(b->fd);
    b->fd = -1;
    b->on_end(&e, b->end_arg);
    b->on_end = NULL;
}

/* ---- the bench ---- */

static bool publish(void *arg, struct fact *f)
{
    struct bench *b = arg;

    assert_true(b->fact_count < FACTS_MAX);
    (void)fact_detail(f); /* the tests read it */
    b->facts[b->fact_count++] = f;
    return true;
}

static const struct fact *fact_of(const struct bench *b, const char *kind)
{
    for (size_t i = b->fact_count; i-- > 0;) {
        if (strcmp(b->facts[i]->kind, kind) == 0)
            return b->facts[i];
    }
    return NULL;
}

static bool is_up(void *arg)
{
    struct bench *b = arg;

    return stasis_is_up(b->stasis) && ari_peer_has_events(b->peer);
}

static bool is_talking(void *arg)
{
    return ((struct bench *)arg)->on_end != NULL;
}

static bool has_no_calls(void *arg)
{
    return stasis_calls(((struct bench *)arg)->stasis) == 0;
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed;
}

static void on_closed(void *arg)
{
    ((struct bench *)arg)->closed = true;
}

static struct bench *bench_make(void)
{
    const struct dialer_options none = { 0 };
    struct bench *b = calloc(1, sizeof *b);
    struct address at = { .host = "127.0.0.1" };

    assert_non_null(b);
    b->caller = "1700.1";
    b->fd = -1;
    b->timeline = (struct timeline){ .publish = publish, .arg = b };
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    assert_int_equal(door_open(&b->door, b->loop, &at), 0);
    door_address(b->door, &at);
    b->door_port = at.port;
    ari_peer_open(&b->peer, b->loop, on_request, b);
    return b;
}

static int open_stasis(struct bench *b, int64_t step_ms)
{
    char url[64];
    const struct stasis_options opt = {
        .ari = { .node = "pbx1", .base_url = url, .app = "sidetone", .user = "u", .password = "p", .retry_max_ms = 40 },
        .media_host = "127.0.0.1:9092",
        .rtp = { .host = "127.0.0.1" },
        .websocket = { .door = b->websocket_door, .client = "our-client", .format = LEG_WEBSOCKET_SLIN16 },
        .step_ms = step_ms,
        .again_ms = 400,
        .calls_max = 2,
    };
    const struct stasis_talks talks = { .has_agent = has_agent, .fallback = fallback, .start = talk_start, .stop = talk_stop,
                                        .media = b->kind_count ? talk_media : NULL, .arg = b };

    snprintf(url, sizeof url, "http://127.0.0.1:%u", ari_peer_port(b->peer));
    return stasis_open(&b->stasis, b->loop, b->dialer, b->door, &opt, &talks, &b->timeline, &test_log);
}

static struct bench *bench_up(int64_t step_ms)
{
    struct bench *b = bench_make();

    assert_int_equal(open_stasis(b, step_ms), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    return b;
}

static void media_close(struct bench *b)
{
    for (size_t i = 0; i < b->media_count; i++)
        close(b->media_fds[i]);
    b->media_count = 0;
}

static void bench_free(struct bench *b)
{
    if (b->stasis && !b->closed) {
        stasis_close(b->stasis, 500, on_closed, b);
        stasis_close(b->stasis, 500, on_closed, b);
        assert_false(b->closed);
        assert_true(turn_until(b->loop, is_closed, b, 5000));
    }
    if (b->fd >= 0)
        close(b->fd);
    media_close(b);
    ari_peer_close(b->peer);
    door_close(b->door);
    websocket_door_close(b->websocket_door);
    dialer_free(b->dialer);
    turn_for(b->loop, 5);
    loop_free(b->loop);
    for (size_t i = 0; i < b->fact_count; i++)
        fact_free(b->facts[i]);
    free(b);
}

static void caller_comes(struct bench *b, const char *state, const char *args)
{
    b->is_inside = true;
    ari_peer_eventf(b->peer,
                    "{\"type\":\"StasisStart\",\"timestamp\":\"2026-11-22T19:08:18.401+0000\",\"application\":\"sidetone\",\"args\":[%s],"
                    "\"channel\":{\"id\":\"%s\",\"name\":\"PJSIP/a-1\",\"state\":\"%s\",\"caller\":{\"name\":\"Ann\",\"number\":\"1001\"},"
                    "\"dialplan\":{\"context\":\"in\",\"exten\":\"s\",\"priority\":3}}}",
                    args, b->caller, state);
}

/* "METHOD path" with our uuids as U. */
static void plain(const struct ari_seen *seen, char *out, size_t size)
{
    size_t n = 0;
    char all[500];

    snprintf(all, sizeof all, "%s %s", seen->method, seen->path);
    for (const char *p = all; *p && n + 2 < size;) {
        const bool is_ours = p - all >= 3 && (strncmp(p - 3, "-x-", 3) == 0 || strncmp(p - 3, "-b-", 3) == 0);

        out[n++] = is_ours ? 'U' : *p;
        p += is_ours && strlen(p) >= 36 ? 36 : 1;
    }
    out[n] = '\0';
}

/* Exactly these requests in this order, the comparison's GETs left out. */
static void expect_requests(const struct bench *b, const char *const *expected)
{
    size_t e = 0;

    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        char what[500];

        plain(ari_peer_seen(b->peer, i), what, sizeof what);
        if (strncmp(what, "GET ", 4) == 0)
            continue;
        assert_non_null(expected[e]);
        assert_string_equal(what, expected[e]);
        e++;
    }
    assert_null(expected[e]);
}

static unsigned count_requests(const struct bench *b, const char *part)
{
    unsigned n = 0;

    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        char what[500];

        plain(ari_peer_seen(b->peer, i), what, sizeof what);
        n += strstr(what, part) != NULL;
    }
    return n;
}

/* The last value that this variable was set to, or NULL. */
static const char *variable_of(const struct bench *b, const char *name)
{
    static char value[300];
    bool found = false;

    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        const struct ari_seen *s = ari_peer_seen(b->peer, i);
        char which[64];

        if (strcmp(s->method, "POST") != 0 || !strstr(s->path, "/variable"))
            continue;
        json_text(s->body, "variable", which, sizeof which);
        if (strcmp(which, name) != 0)
            continue;
        json_text(s->body, "value", value, sizeof value);
        found = true;
    }
    return found ? value : NULL;
}

static void expect_status(const struct bench *b, const char *status, const char *reason)
{
    char part[200];

    assert_non_null(variable_of(b, "SIDETONE_STATUS"));
    assert_string_equal(variable_of(b, "SIDETONE_STATUS"), status);
    assert_string_equal(variable_of(b, "SIDETONE_REASON"), reason);
    assert_string_equal(variable_of(b, "SIDETONE_CALL"), b->caller);
    snprintf(part, sizeof part, "{\"status\":\"%s\",\"reason\":\"%s\",\"ms\":", status, reason);
    assert_memory_equal(fact_of(b, "stasis.end")->detail, part, strlen(part));
}

static void expect_talk(struct bench *b)
{
    assert_true(turn_until(b->loop, is_talking, b, 5000));
}

static void expect_over(struct bench *b)
{
    assert_true(turn_until(b->loop, has_no_calls, b, 10000));
    turn_for(b->loop, 20);
}

#define WAY_IN                                                                                               \
    "POST channels/1700.1/answer", "POST bridges/sidetone-b-U?type=mixing", "POST channels/externalMedia",   \
        "POST bridges/sidetone-b-U/addChannel?channel=1700.1,sidetone-x-U"
#define VARIABLES "POST channels/1700.1/variable", "POST channels/1700.1/variable", "POST channels/1700.1/variable"
#define DROPS "DELETE channels/sidetone-x-U", "DELETE bridges/sidetone-b-U"

/* ---- a call as it should be ---- */

static void t_in_and_out_again(void **state)
{
    static const char *const expected[] = { WAY_IN, VARIABLES, DROPS, "POST channels/1700.1/continue", NULL };
    struct bench *b = bench_up(PATIENT_MS);
    char value[100];

    (void)state;
    caller_comes(b, "Ring", "\"reception\"");
    expect_talk(b);
    assert_int_equal(stasis_calls(b->stasis), 1);
    assert_string_equal(b->call, "1700.1");
    assert_string_equal(b->agent, "reception");
    assert_string_equal(b->number, "1001");
    assert_string_equal(b->name, "Ann");
    assert_true(b->fd >= 0);
    tcp_write(b->media_fds[0], "\x10\x00\x02\x01\x00", 5);
    turn_for(b->loop, 20);
    assert_int_equal(recv(b->fd, value, sizeof value, MSG_DONTWAIT), 5);  /* that very connection */
    talk_ends(b, "OK", "hours", false);
    expect_over(b);
    expect_requests(b, expected);
    expect_status(b, "OK", "hours");
    assert_string_equal(fact_of(b, "stasis.start")->detail,
                        "{\"agent\":\"reception\",\"caller_number\":\"1001\",\"caller_name\":\"Ann\",\"channel\":\"PJSIP/a-1\"}");
    assert_non_null(fact_of(b, "stasis.media"));
    assert_string_equal(fact_of(b, "stasis.end")->call, "1700.1");
    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        const struct ari_seen *s = ari_peer_seen(b->peer, i);

        if (strcmp(s->path, "channels/externalMedia") != 0)
            continue;
        json_text(s->body, "app", value, sizeof value);
        assert_string_equal(value, "sidetone");
        json_text(s->body, "external_host", value, sizeof value);
        assert_string_equal(value, "127.0.0.1:9092");
        json_text(s->body, "encapsulation", value, sizeof value);
        assert_string_equal(value, "audiosocket");
        json_text(s->body, "transport", value, sizeof value);
        assert_string_equal(value, "tcp");
        json_text(s->body, "format", value, sizeof value);
        assert_string_equal(value, "slin");
        snprintf(value, sizeof value, "sidetone-x-%s", b->uuid);
        assert_string_equal(value, b->media);
    }
    bench_free(b);
}

static void t_answered_already_and_an_id_with_a_semicolon(void **state)
{
    static const char *const expected[] = {
        "POST bridges/sidetone-b-U?type=mixing",
        "POST channels/externalMedia",
        "POST bridges/sidetone-b-U/addChannel?channel=c1%3B2,sidetone-x-U",
        "POST channels/c1%3B2/variable",
        "POST channels/c1%3B2/variable",
        "POST channels/c1%3B2/variable",
        DROPS,
        "POST channels/c1%3B2/continue",
        NULL,
    };
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    b->caller = "c1;2";
    caller_comes(b, "Up", "\"\"");
    expect_talk(b);
    assert_string_equal(b->agent, "default");
    talk_ends(b, "TIMEOUT", "max_duration", false);
    expect_over(b);
    expect_requests(b, expected);
    expect_status(b, "TIMEOUT", "max_duration");
    bench_free(b);
}

static void t_hang_up_is_asked_for(void **state)
{
    static const char *const expected[] = { WAY_IN, VARIABLES, DROPS, "DELETE channels/1700.1", NULL };
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    talk_ends(b, "OK", "two\nlines", true);
    expect_over(b);
    expect_requests(b, expected);
    expect_status(b, "OK", "two lines");
    bench_free(b);
}

static void t_the_same_channel_comes_again(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    for (int round = 0; round < 3; round++) {
        caller_comes(b, "Up", "\"a\"");
        expect_talk(b);
        talk_ends(b, "OK", "", false);
        expect_over(b);
        assert_int_equal(count_requests(b, "/continue"), round + 1);
    }
    bench_free(b);
}

static void t_it_comes_again_though_its_end_was_not_heard(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Up", "\"a\"");
    expect_talk(b);
    caller_comes(b, "Up", "\"a\"");
    turn_for(b->loop, 30);
    assert_int_equal(b->stops, 1);
    expect_talk(b);
    assert_int_equal(b->starts, 2);
    assert_int_equal(count_requests(b, "DELETE channels/sidetone-x-U"), 1);
    assert_int_equal(count_requests(b, "DELETE bridges/sidetone-b-U"), 1);
    assert_int_equal(stasis_calls(b->stasis), 1);
    talk_ends(b, "OK", "", false);
    expect_over(b);
    bench_free(b);
}

/* ---- calls that are not taken ---- */

static void t_no_agent(void **state)
{
    static const char *const expected[] = { VARIABLES, "POST channels/1700.1/continue", NULL };
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    b->agent_err = -ENOENT;
    caller_comes(b, "Ring", "\"nobody\"");
    turn_for(b->loop, 20);
    expect_over(b);
    assert_string_equal(b->agent, "nobody");
    expect_requests(b, expected);
    expect_status(b, "ERROR", "no_agent");
    bench_free(b);
}

static void t_too_many_calls(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    b->inside = "\"1700.8\",\"1700.9\",\"1700.1\"";
    b->caller = "1700.8";
    caller_comes(b, "Up", "");
    expect_talk(b);
    b->on_end = NULL;
    close(b->fd);
    b->caller = "1700.9";
    caller_comes(b, "Up", "");
    expect_talk(b);
    ari_peer_forget(b->peer);
    b->caller = "1700.1";
    caller_comes(b, "Ring", "");
    turn_for(b->loop, 200);
    static const char *const expected[] = { VARIABLES, "POST channels/1700.1/continue", NULL };
    expect_requests(b, expected);
    expect_status(b, "BUSY", "calls_max");
    assert_int_equal(stasis_calls(b->stasis), 2);
    b->caller = "1700.9";
    b->fd = -1;
    bench_free(b);
}

/* ---- where a call goes whose talk failed ---- */

/* The body of the last continue. */
static const char *continue_body(struct bench *b)
{
    for (size_t i = ari_peer_count(b->peer); i-- > 0;)
        if (strstr(ari_peer_seen(b->peer, i)->path, "/continue"))
            return ari_peer_seen(b->peer, i)->body;
    return NULL;
}

static void expect_place(const char *status, const char *priority, const char *agent, const char *body)
{
    struct bench *b = bench_up(PATIENT_MS);

    b->fallback = (struct stasis_place){ "emergency", "desk", priority };
    caller_comes(b, "Ring", agent);
    expect_talk(b);
    talk_ends(b, status, "why", false);
    expect_over(b);
    assert_string_equal(continue_body(b), body);
    expect_status(b, status, "why");
    bench_free(b);
}

static void t_fallback(void **state)
{
    (void)state;
    expect_place("ERROR", "1", "\"reception\"", "{\"context\":\"emergency\",\"extension\":\"desk\",\"priority\":1}");
    expect_place("TIMEOUT", "late", "\"reception\"", "{\"context\":\"emergency\",\"extension\":\"desk\",\"label\":\"late\"}");
    expect_place("OK", "1", "\"reception\"", "");
    expect_place("ERROR", "1", "\"another\"", "");
}

static void expect_after(const char *status, const struct talk_after *after, const char *place_answer, const char *told_status,
                         const char *told_reason, const char *body)
{
    struct bench *b = bench_up(PATIENT_MS);
    char name[40], value[100];
    size_t set = 0;

    b->after = after;
    b->place_answer = place_answer;
    b->fallback = (struct stasis_place){ "emergency", "desk", "1" };
    caller_comes(b, "Ring", "\"reception\"");
    expect_talk(b);
    talk_ends(b, status, "why", false);
    expect_over(b);
    assert_string_equal(continue_body(b), body);
    expect_status(b, told_status, told_reason);
    for (size_t i = 0; i < ari_peer_count(b->peer); i++) {
        const struct ari_seen *s = ari_peer_seen(b->peer, i);

        if (strcmp(s->method, "POST") != 0 || !strstr(s->path, "/variable"))
            continue;
        json_text(s->body, "variable", name, sizeof name);
        json_text(s->body, "value", value, sizeof value);
        if (strcmp(name, "TOPIC") == 0 || strcmp(name, "ORDER") == 0) {
            assert_string_equal(value, name[0] == 'T' ? "new cars" : "A7");
            set++;
        }
    }
    assert_int_equal(set, 2);
    bench_free(b);
}

/* A transfer goes where the talk says; a talk that failed goes to the fallback, with its variables all the same. */
static void t_what_the_talk_leaves(void **state)
{
    struct talk_after after = { .context = "default", .extension = "2001", .priority = "1" };

    (void)state;
    assert_int_equal(talk_after_set(&after, TEXT("TOPIC"), TEXT("new cars")), 0);
    assert_int_equal(talk_after_set(&after, TEXT("ORDER"), TEXT("A7")), 0);
    expect_after("OK", &after, NULL, "OK", "why", "{\"context\":\"default\",\"extension\":\"2001\",\"priority\":1}");
    expect_after("ERROR", &after, NULL, "ERROR", "why", "{\"context\":\"emergency\",\"extension\":\"desk\",\"priority\":1}");
    /* Asterisk hangs up what is sent to a place that does not exist */
    expect_after("OK", &after, "{\"value\": \"0\"}", "ERROR", "no_such_place", "{\"context\":\"emergency\",\"extension\":\"desk\",\"priority\":1}");
    /* an answer that says nothing is no reason not to go there */
    expect_after("OK", &after, "", "OK", "why", "{\"context\":\"default\",\"extension\":\"2001\",\"priority\":1}");
    expect_after("OK", &after, "{\"value\":\"\"}", "OK", "why", "{\"context\":\"default\",\"extension\":\"2001\",\"priority\":1}");
    after.context[0] = '\0';
    expect_after("OK", &after, NULL, "OK", "why", "");
}

/* ---- every step fails once ---- */

struct failure {
    struct quirk quirk;
    int64_t step_ms;
    const char *reason;
    const char *const *expected;
};

static void t_each_step_fails(void **state)
{
    static const char *const at_answer[] = { "POST channels/1700.1/answer", VARIABLES, "POST channels/1700.1/continue", NULL };
    static const char *const at_bridge[] = { "POST channels/1700.1/answer", "POST bridges/sidetone-b-U?type=mixing", VARIABLES,
                                             "DELETE bridges/sidetone-b-U", "POST channels/1700.1/continue", NULL };
    static const char *const at_media[] = { "POST channels/1700.1/answer", "POST bridges/sidetone-b-U?type=mixing",
                                            "POST channels/externalMedia", VARIABLES, DROPS, "POST channels/1700.1/continue", NULL };
    static const char *const at_join[] = { WAY_IN, VARIABLES, DROPS, "POST channels/1700.1/continue", NULL };
    static const struct failure all[] = {
        { { .match = "/answer", .status = 500 }, PATIENT_MS, "answer_failed", at_answer },
        { { .match = "/answer", .status = -1 }, HASTY_MS, "answer_timeout", at_answer },
        { { .match = "?type=mixing", .status = 500 }, PATIENT_MS, "bridge_failed", at_bridge },
        { { .match = "?type=mixing", .status = -1 }, HASTY_MS, "bridge_timeout", at_bridge },
        { { .match = "externalMedia", .status = 500 }, PATIENT_MS, "media_refused", at_media },
        { { .match = "externalMedia", .status = 400 }, PATIENT_MS, "media_failed", at_media },
        { { .match = "externalMedia", .status = -1 }, HASTY_MS, "media_timeout", at_media },
        { { .match = "externalMedia", .no_connect = true }, HASTY_MS, "media_timeout", at_media },
        { { .match = "externalMedia", .no_start = true }, HASTY_MS, "media_timeout", at_media },
        { { .match = "addChannel", .status = 422 }, PATIENT_MS, "join_failed", at_join },
        { { .match = "addChannel", .status = -1 }, HASTY_MS, "join_timeout", at_join },
        { { .match = "addChannel", .media_goes = true }, PATIENT_MS, "media_lost", at_join },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct bench *b = bench_up(all[i].step_ms);

        b->quirk = all[i].quirk;
        b->quirk.times = 1;
        caller_comes(b, "Ring", "\"reception\"");
        turn_for(b->loop, 20);
        expect_over(b);
        assert_int_equal(b->quirk.times, 0);
        expect_requests(b, all[i].expected);
        expect_status(b, "ERROR", all[i].reason);
        assert_int_equal(b->starts, 0);
        bench_free(b);
    }
}

static void t_talk_does_not_start(void **state)
{
    static const char *const expected[] = { WAY_IN, VARIABLES, DROPS, "POST channels/1700.1/continue", NULL };
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    b->start_err = -ENOBUFS;
    caller_comes(b, "Ring", "");
    turn_for(b->loop, 20);
    expect_over(b);
    expect_requests(b, expected);
    expect_status(b, "ERROR", "talk_failed");
    bench_free(b);
}

/* ---- the caller hangs up at every step ---- */

struct hang_up {
    const char *match;
    const char *const *expected;
};

static void t_caller_hangs_up_at_each_step(void **state)
{
    static const char *const at_answer[] = { "POST channels/1700.1/answer", NULL };
    static const char *const at_bridge[] = { "POST channels/1700.1/answer", "POST bridges/sidetone-b-U?type=mixing",
                                             "DELETE bridges/sidetone-b-U", NULL };
    static const char *const at_media[] = { "POST channels/1700.1/answer", "POST bridges/sidetone-b-U?type=mixing",
                                            "POST channels/externalMedia", DROPS, NULL };
    static const char *const at_join[] = { WAY_IN, DROPS, NULL };
    static const struct hang_up all[] = {
        { "/answer", at_answer }, { "?type=mixing", at_bridge }, { "externalMedia", at_media }, { "addChannel", at_join },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct bench *b = bench_up(PATIENT_MS);

        b->quirk = (struct quirk){ .match = all[i].match, .hangs_up = true, .times = 1 };
        caller_comes(b, "Ring", "");
        turn_for(b->loop, 20);
        expect_over(b);
        expect_requests(b, all[i].expected);
        assert_memory_equal(fact_of(b, "stasis.end")->detail, "{\"status\":\"HANGUP\",\"reason\":\"caller_hangup\"", 43);
        assert_int_equal(b->starts, 0);
        bench_free(b);
    }
}

static void t_caller_hangs_up_during_the_talk(void **state)
{
    static const char *const expected[] = { WAY_IN, DROPS, NULL };
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    caller_goes(b);
    expect_over(b);
    assert_int_equal(b->stops, 1);
    expect_requests(b, expected);
    bench_free(b);
}

static void t_caller_hangs_up_on_the_way_out(void **state)
{
    static const char *const at[] = { "/variable", "DELETE channels/sidetone-x-", "DELETE bridges/" };

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct bench *b = bench_up(PATIENT_MS);

        b->quirk = (struct quirk){ .match = at[i], .hangs_up = true, .times = 1 };
        caller_comes(b, "Ring", "");
        expect_talk(b);
        talk_ends(b, "OK", "", false);
        expect_over(b);
        assert_int_equal(count_requests(b, "DELETE channels/sidetone-x-U"), 1);
        assert_int_equal(count_requests(b, "DELETE bridges/sidetone-b-U"), 1);
        assert_int_equal(count_requests(b, "/continue"), 0);
        bench_free(b);
    }
}

/* Only the answers tell that the caller has gone. */
static void t_caller_is_found_missing(void **state)
{
    static const int statuses[] = { 404, 409, 412 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bench *b = bench_up(PATIENT_MS);

        b->quirk = (struct quirk){ .match = "/variable", .status = statuses[i], .times = 3 };
        caller_comes(b, "Ring", "");
        expect_talk(b);
        talk_ends(b, "OK", "", false);
        expect_over(b);
        assert_int_equal(count_requests(b, "/variable"), 1);
        assert_int_equal(count_requests(b, "DELETE "), 2);
        assert_int_equal(count_requests(b, "/continue"), 0);
        bench_free(b);

        b = bench_up(PATIENT_MS);
        b->quirk = (struct quirk){ .match = "/answer", .status = statuses[i], .times = 1 };
        caller_comes(b, "Ring", "");
        turn_for(b->loop, 20);
        expect_over(b);
        assert_int_equal(count_requests(b, ""), 1 + count_requests(b, "GET "));
        bench_free(b);
    }
}

/* ---- the media channel goes ---- */

static void t_media_goes_and_the_talk_says_so(void **state)
{
    static const char *const ends[] = { "HANGUP", "ERROR" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_up(PATIENT_MS);

        caller_comes(b, "Ring", "");
        expect_talk(b);
        talk_ends(b, ends[i], "media_lost", false);
        expect_over(b);
        expect_status(b, "ERROR", "media_lost");
        assert_int_equal(count_requests(b, "DELETE "), 2);
        assert_int_equal(count_requests(b, "/continue"), 1);
        bench_free(b);
    }
}

static void t_media_goes_and_the_talk_says_nothing(void **state)
{
    struct bench *b = bench_up(HASTY_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    media_goes(b);
    turn_for(b->loop, 20);
    assert_int_equal(b->stops, 0);
    expect_over(b);
    assert_int_equal(b->stops, 1);
    expect_status(b, "ERROR", "media_lost");
    assert_int_equal(count_requests(b, "/continue"), 1);
    bench_free(b);
}

/* A talk that ends in order closes its connection, and Asterisk's event about that may come first. */
static void t_media_goes_because_the_talk_ended(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    media_goes(b);
    turn_for(b->loop, 20);
    talk_ends(b, "OK", "transfer", false);
    expect_over(b);
    expect_status(b, "OK", "transfer");
    bench_free(b);
}

/* ---- deletions ---- */

static void t_deletions_are_repeated_once(void **state)
{
    struct bench *b = bench_up(HASTY_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    b->quirk = (struct quirk){ .match = "DELETE ", .status = -1, .times = 9 };
    talk_ends(b, "OK", "", false);
    expect_over(b);
    assert_int_equal(count_requests(b, "DELETE channels/sidetone-x-U"), 2);
    assert_int_equal(count_requests(b, "DELETE bridges/sidetone-b-U"), 2);
    assert_int_equal(count_requests(b, "/continue"), 1);  /* the caller does not wait for more */
    bench_free(b);
}

static void t_deleted_already(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    b->quirk = (struct quirk){ .match = "DELETE ", .status = 404, .times = 9 };
    talk_ends(b, "OK", "", false);
    expect_over(b);
    assert_int_equal(count_requests(b, "DELETE "), 2);
    assert_int_equal(count_requests(b, "/continue"), 1);
    bench_free(b);
}

static void t_continue_is_repeated_until_it_works(void **state)
{
    struct bench *b = bench_up(HASTY_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    b->quirk = (struct quirk){ .match = "/continue", .status = 500, .times = 3 };
    talk_ends(b, "OK", "", false);
    expect_over(b);
    assert_int_equal(count_requests(b, "/continue"), 4);
    assert_int_equal(count_requests(b, "/variable"), 3);
    bench_free(b);
}

/* ---- ARI comes and goes ---- */

static void t_what_a_restart_left_behind(void **state)
{
    struct bench *b = bench_make();

    (void)state;
    b->caller = "1600.5";
    b->inside = "\"1600.5\",\"sidetone-x-" UUID_A "\"";
    b->channels = "{\"id\":\"1600.5\"},{\"id\":\"sidetone-x-" UUID_A "\"},{\"id\":\"other-x-" UUID_A "\"},{\"id\":\"sidetone-x-\"}";
    b->bridges = "{\"id\":\"sidetone-b-" UUID_A "\"},{\"id\":\"1234\"},{\"id\":\"sidetone-x-" UUID_A "\"}";
    assert_int_equal(open_stasis(b, PATIENT_MS), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    turn_for(b->loop, 900);        /* strangers are looked at twice, half a second apart */
    expect_over(b);
    expect_status(b, "ERROR", "restart");
    assert_int_equal(count_requests(b, "POST channels/1600.5/continue"), 1);
    assert_int_equal(count_requests(b, "DELETE channels/sidetone-x-U"), 1);
    assert_int_equal(count_requests(b, "DELETE bridges/sidetone-b-U"), 1);
    assert_int_equal(count_requests(b, "DELETE "), 2);
    assert_int_equal(b->starts, 0);
    bench_free(b);
}

static void t_talks_go_on_without_ari(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);
    char inside[200], channels[300];

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    snprintf(inside, sizeof inside, "\"1700.1\",\"%s\"", b->media);
    snprintf(channels, sizeof channels, "{\"id\":\"1700.1\"},{\"id\":\"%s\"}", b->media);
    b->inside = inside;
    b->channels = channels;
    ari_peer_lose(b->peer);
    turn_for(b->loop, 5);
    assert_true(turn_until(b->loop, is_up, b, 3000));
    turn_for(b->loop, 900);
    assert_int_equal(b->stops, 0);
    assert_int_equal(stasis_calls(b->stasis), 1);
    assert_int_equal(count_requests(b, "DELETE "), 0);
    talk_ends(b, "OK", "hours", false);
    expect_over(b);
    expect_status(b, "OK", "hours");
    assert_int_equal(count_requests(b, "/continue"), 1);
    bench_free(b);
}

static void t_a_call_that_ended_meanwhile(void **state)
{
    static const char *const expected[] = { WAY_IN, DROPS, NULL };
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    turn_for(b->loop, 5);
    b->is_inside = false;
    ari_peer_lose(b->peer);
    expect_over(b);
    assert_int_equal(b->stops, 1);
    expect_requests(b, expected);
    bench_free(b);
}

static void t_a_talk_that_ends_while_ari_is_away(void **state)
{
    struct bench *b = bench_up(HASTY_MS);

    (void)state;
    b->inside = "\"1700.1\"";
    caller_comes(b, "Ring", "");
    expect_talk(b);
    ari_peer_stop_listening(b->peer);
    ari_peer_lose(b->peer);
    b->quirk = (struct quirk){ .match = "", .status = -1, .times = 1000 };  /* connections kept alive do not help either */
    talk_ends(b, "OK", "hours", false);
    turn_for(b->loop, 6 * HASTY_MS);
    assert_int_equal(stasis_calls(b->stasis), 1);
    b->quirk.match = NULL;
    ari_peer_forget(b->peer);
    ari_peer_listen_again(b->peer);
    expect_over(b);
    expect_status(b, "OK", "hours");
    assert_int_equal(count_requests(b, "/continue"), 1);
    bench_free(b);
}

/* ---- the end of the daemon ---- */

static void t_close_gives_every_call_back(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    ari_peer_forget(b->peer);
    stasis_close(b->stasis, 3000, on_closed, b);
    assert_int_equal(b->stops, 1);
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    static const char *const expected[] = { VARIABLES, DROPS, "POST channels/1700.1/continue", NULL };
    expect_requests(b, expected);
    expect_status(b, "ERROR", "shutdown");
    bench_free(b);
}

static bool has_asked_for_first(void *arg)
{
    return count_requests(arg, "1700.1/continue") > 0;
}

static bool has_asked_for_second(void *arg)
{
    return count_requests(arg, "1700.9/continue") > 0 && fact_of(arg, "stasis.end");
}

/* It never had a talk, and its dialplan is to know that. Asterisk keeps the first call for as long as that is looked at. */
static void t_a_call_that_comes_while_we_close_is_busy(void **state)
{
    struct bench *b = bench_up(HASTY_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    b->quirk = (struct quirk){ .match = "1700.1/continue", .status = 503, .times = 1000000 };
    stasis_close(b->stasis, 60000, on_closed, b);
    assert_true(turn_until(b->loop, has_asked_for_first, b, 6000));
    b->caller = "1700.9";
    caller_comes(b, "Ring", "");
    assert_true(turn_until(b->loop, has_asked_for_second, b, 6000));
    expect_status(b, "BUSY", "shutdown");
    b->quirk.match = NULL;
    b->caller = "1700.1";
    assert_true(turn_until(b->loop, is_closed, b, 6000));
    bench_free(b);
}

static void t_close_in_the_middle_of_the_way_in(void **state)
{
    static const char *const at[] = { "/answer", "?type=mixing", "externalMedia", "addChannel" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct bench *b = bench_up(HASTY_MS);

        b->quirk = (struct quirk){ .match = at[i], .status = -1, .times = 1 };
        caller_comes(b, "Ring", "");
        turn_for(b->loop, HASTY_MS / 2);
        stasis_close(b->stasis, 5000, on_closed, b);
        assert_true(turn_until(b->loop, is_closed, b, 6000));
        assert_int_equal(count_requests(b, "POST channels/1700.1/continue"), 1);
        assert_int_equal(count_requests(b, "DELETE channels/sidetone-x-U"), i >= 2);
        assert_int_equal(count_requests(b, "DELETE bridges/sidetone-b-U"), i >= 1);
        bench_free(b);
    }
}

static void t_close_does_not_wait_for_ever(void **state)
{
    struct bench *b = bench_up(PATIENT_MS);

    (void)state;
    caller_comes(b, "Ring", "");
    expect_talk(b);
    b->quirk = (struct quirk){ .match = "", .status = -1, .times = 1000 };
    stasis_close(b->stasis, 50, on_closed, b);
    assert_true(turn_until(b->loop, is_closed, b, 5000));
    bench_free(b);
}

static void t_memory_short_at_the_start(void **state)
{
    struct bench *b = bench_make();
    int err = -1;

    (void)state;
    for (long n = 1; err; n++) {
        fail_alloc_at(n);
        err = open_stasis(b, PATIENT_MS);
        fail_alloc_off();
        assert_true(err == 0 || err == -ENOMEM);
        assert_true(n < 200);
    }
    assert_true(turn_until(b->loop, is_up, b, 3000));
    bench_free(b);
}

static void bench_media_open(struct bench *b, enum stasis_media first, enum stasis_media second, size_t count, uint16_t rtp_port)
{
    b->kinds[0] = first;
    b->kinds[1] = second;
    b->kind_count = count;
    b->rtp_port = rtp_port;
    assert_int_equal(open_stasis(b, PATIENT_MS), 0);
    assert_true(turn_until(b->loop, is_up, b, 3000));
}

static struct bench *bench_with_media(enum stasis_media first, enum stasis_media second, size_t count, uint16_t rtp_port)
{
    struct bench *b = bench_make();

    bench_media_open(b, first, second, count, rtp_port);
    return b;
}

static struct bench *bench_with_websocket(bool has_door)
{
    const struct address at = { .host = "127.0.0.1" };
    struct bench *b = bench_make();

    if (has_door)
        assert_int_equal(websocket_door_open(&b->websocket_door, b->loop, &at), 0);
    bench_media_open(b, STASIS_WEBSOCKET, STASIS_AUDIOSOCKET, 2, 0);
    return b;
}

static void t_a_websocket_carries_the_talk(void **state)
{
    struct bench *b = bench_with_websocket(true);

    (void)state;
    caller_comes(b, "Up", "\"reception\"");
    assert_true(turn_until(b->loop, is_talking, b, 5000));
    assert_int_equal(b->kind, STASIS_WEBSOCKET);
    assert_int_equal(b->media_count, 1);
    talk_ends(b, "OK", "done", false);
    expect_over(b);
    expect_status(b, "OK", "done");
    bench_free(b);
}

static void t_audiosocket_follows_the_websocket(void **state)
{
    static const struct quirk all[] = {
        { .match = "externalMedia", .status = 500 },
        { .match = "externalMedia", .no_connect = true },
        { .match = "externalMedia", .no_start = true },
    };

    (void)state;
    for (size_t i = 0; i <= sizeof all / sizeof all[0]; i++) {
        const bool is_nameless = i == sizeof all / sizeof all[0]; /* we are to connect, and are not told where */
        struct bench *b = bench_with_websocket(!is_nameless);

        if (!is_nameless) {
            b->quirk = all[i];
            b->quirk.times = 1;
        }
        caller_comes(b, "Up", "\"reception\"");
        assert_true(turn_until(b->loop, is_talking, b, PATIENT_MS - 500));
        assert_int_equal(b->kind, STASIS_AUDIOSOCKET);
        assert_non_null(fact_of(b, "media.next"));
        talk_ends(b, "OK", "done", false);
        expect_over(b);
        expect_status(b, "OK", "done");
        bench_free(b);
    }
}

static void t_rtp_carries_the_talk(void **state)
{
    struct bench *b = bench_with_media(STASIS_RTP, STASIS_AUDIOSOCKET, 2, 5004);

    (void)state;
    caller_comes(b, "Up", "\"reception\"");
    assert_true(turn_until(b->loop, is_talking, b, 5000));
    assert_int_equal(b->kind, STASIS_RTP);
    assert_string_equal(b->talk_peer.host, "127.0.0.1");
    assert_int_equal(b->talk_peer.port, 5004);
    assert_int_equal(b->media_count, 0);
    talk_ends(b, "OK", "done", false);
    expect_over(b);
    expect_status(b, "OK", "done");
    bench_free(b);
}

/* PATIENT_MS is longer than what one carrier gets while another is left: only the short deadline can pass these in time. */
static void t_the_next_carrier_is_tried(void **state)
{
    static const struct quirk all[] = {
        { .match = "externalMedia", .status = 500 },
        { .match = "externalMedia", .status = -1 },
        { .match = "externalMedia", .no_start = true },
        { .match = "externalMedia", .media_goes = true, .no_start = true },
    };

    (void)state;
    for (size_t i = 0; i <= sizeof all / sizeof all[0]; i++) {
        const bool is_nameless = i == sizeof all / sizeof all[0]; /* the answer does not say where Asterisk sends from */
        struct bench *b = bench_with_media(STASIS_RTP, STASIS_AUDIOSOCKET, 2, is_nameless ? 0 : 5004);

        if (!is_nameless) {
            b->quirk = all[i];
            b->quirk.times = 1;
        }
        caller_comes(b, "Up", "\"reception\"");
        assert_true(turn_until(b->loop, is_talking, b, PATIENT_MS - 500));
        assert_int_equal(b->kind, STASIS_AUDIOSOCKET);
        assert_non_null(fact_of(b, "media.next"));
        talk_ends(b, "OK", "done", false);
        expect_over(b);
        expect_status(b, "OK", "done");
        bench_free(b);
    }
}

static void t_no_carrier_works(void **state)
{
    struct bench *b = bench_with_media(STASIS_RTP, STASIS_AUDIOSOCKET, 2, 5004);

    (void)state;
    b->quirk = (struct quirk){ .match = "externalMedia", .status = 500, .times = 2 };
    caller_comes(b, "Up", "\"reception\"");
    turn_for(b->loop, 20);
    expect_over(b);
    assert_int_equal(b->quirk.times, 0);
    expect_status(b, "ERROR", "media_refused");
    assert_int_equal(b->starts, 0);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_in_and_out_again),
        cmocka_unit_test(t_answered_already_and_an_id_with_a_semicolon),
        cmocka_unit_test(t_hang_up_is_asked_for),
        cmocka_unit_test(t_the_same_channel_comes_again),
        cmocka_unit_test(t_it_comes_again_though_its_end_was_not_heard),
        cmocka_unit_test(t_no_agent),
        cmocka_unit_test(t_too_many_calls),
        cmocka_unit_test(t_fallback),
        cmocka_unit_test(t_what_the_talk_leaves),
        cmocka_unit_test(t_each_step_fails),
        cmocka_unit_test(t_talk_does_not_start),
        cmocka_unit_test(t_caller_hangs_up_at_each_step),
        cmocka_unit_test(t_caller_hangs_up_during_the_talk),
        cmocka_unit_test(t_caller_hangs_up_on_the_way_out),
        cmocka_unit_test(t_caller_is_found_missing),
        cmocka_unit_test(t_media_goes_and_the_talk_says_so),
        cmocka_unit_test(t_media_goes_and_the_talk_says_nothing),
        cmocka_unit_test(t_media_goes_because_the_talk_ended),
        cmocka_unit_test(t_deletions_are_repeated_once),
        cmocka_unit_test(t_deleted_already),
        cmocka_unit_test(t_continue_is_repeated_until_it_works),
        cmocka_unit_test(t_what_a_restart_left_behind),
        cmocka_unit_test(t_talks_go_on_without_ari),
        cmocka_unit_test(t_a_call_that_ended_meanwhile),
        cmocka_unit_test(t_a_talk_that_ends_while_ari_is_away),
        cmocka_unit_test(t_close_gives_every_call_back),
        cmocka_unit_test(t_a_call_that_comes_while_we_close_is_busy),
        cmocka_unit_test(t_close_in_the_middle_of_the_way_in),
        cmocka_unit_test(t_close_does_not_wait_for_ever),
        cmocka_unit_test(t_a_websocket_carries_the_talk), cmocka_unit_test(t_audiosocket_follows_the_websocket),
        cmocka_unit_test(t_rtp_carries_the_talk), cmocka_unit_test(t_the_next_carrier_is_tried), cmocka_unit_test(t_no_carrier_works),
        cmocka_unit_test(t_memory_short_at_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
