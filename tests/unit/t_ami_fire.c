/* The firehose: logins, every event once and well formed, calls that begin and end, pings and channel lists beside. */
#include "sim/ami_fire.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sim/ami_gauge.h"
#include "sim/ami_story.h"
#include "tap/event.h"

static int run(const struct ami_fire_options *fire, const char *secret, bool is_plain, struct ami_gauge_result *r, uint64_t *sent)
{
    struct ami_gauge_options gauge = { .target = { .host = "127.0.0.1" }, .user = "tap", .secret = secret, .is_plain = is_plain, .takes_lag = true };
    struct ami_fire_figures figures;
    struct ami_fire *f;
    int err;

    assert_int_equal(ami_fire_open(&f, fire), 0);
    gauge.target.port = ami_fire_port(f, fire->nodes ? fire->nodes - 1 : 0);
    err = ami_gauge_run(&gauge, r);
    ami_fire_figures_of(f, fire->nodes ? fire->nodes - 1 : 0, &figures);
    *sent = figures.sent;
    ami_fire_close(f);
    return err;
}

static void every_event_arrives_once(void **state)
{
    const struct ami_fire_options fire = { .nodes = 3, .events_max = 20000, .ends = true, .user = "tap", .secret = "s" };
    struct ami_gauge_result *r = malloc(sizeof *r);
    uint64_t sent;

    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        assert_int_equal(run(&fire, "s", plain, r, &sent), 0);
        assert_int_equal(sent, 20000);
        assert_int_equal(r->events, 20002);
        assert_int_equal(r->forged + r->cut + r->suspect, 0);
        assert_true(r->saw_shutdown);
        assert_int_equal(r->lag_us.count, 20000);
    }
    free(r);
}

static void wrong_secret_is_refused(void **state)
{
    const struct ami_fire_options fire = { .events_max = 10, .ends = true, .user = "tap", .secret = "s" };
    struct ami_gauge_result *r = malloc(sizeof *r);
    uint64_t sent;

    (void)state;
    assert_int_equal(run(&fire, "t", false, r, &sent), -EACCES);
    assert_int_equal(sent, 0);
    assert_int_equal(run(&fire, "t", true, r, &sent), -EACCES);
    free(r);
}

static void rate_is_kept(void **state)
{
    const struct ami_fire_options fire = { .events_max = 300, .rate = 1000, .ends = true, .user = "tap", .secret = "s" };
    struct ami_gauge_result *r = malloc(sizeof *r);
    uint64_t sent;

    (void)state;
    assert_int_equal(run(&fire, "s", false, r, &sent), 0);
    assert_int_equal(sent, 300);
    assert_true(r->seconds >= 0.25);
    free(r);
}

/* ---- what is told ---- */

static struct tap_event *parse(struct ami_reader *r, const char *bytes, size_t n)
{
    struct text in = text_make(bytes, n);
    struct ami_message m;
    struct tap_event *e = NULL;

    assert_int_equal(ami_read(r, &in, &m), 1);
    assert_int_equal(in.n, 0);
    assert_int_equal(m.kind, AMI_EVENT);
    assert_int_equal(m.duplicates + m.odd, 0);
    assert_int_equal(tap_event_of(&e, TAP_EVENT, &m), 0);
    return e;
}

/* Each call: both channels are made and hung up once, in that order; ids are never used twice. */
static void calls_begin_and_end(void **state)
{
    enum { CALLS = 5, EVENTS = 5000, IDS = 512 };
    struct ami_story *s;
    struct ami_reader r;
    struct ami_message m;
    struct text banner = TEXT("Asterisk Call Manager/11.0.0\r\n");
    char out[AMI_STORY_EVENT_MAX], ids[IDS][64];
    size_t count = 0, open = 0, ended = 0;
    bool is_open[IDS] = { false };
    int64_t last = 0;

    (void)state;
    assert_int_equal(ami_story_new(&s, "node", CALLS, 1795378387), 0);
    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    assert_int_equal(ami_read(&r, &banner, &m), 1);
    for (int i = 0; i < EVENTS; i++) {
        struct tap_event *e = parse(&r, out, ami_story_next(s, INT64_C(1795378387000000) + i * 777, out));
        const struct text id = tap_get(e, TAP_H_UNIQUEID);
        size_t at = 0;

        assert_true(e->emit_us > last);
        last = e->emit_us;
        assert_int_not_equal(e->name, TAP_E_OTHER);
        while (id.p && at < count && !text_eq(text_of(ids[at]), id))
            at++;
        if (e->name == TAP_E_NEWCHANNEL) {
            assert_int_equal(at, count);
            assert_true(count < IDS);
            text_copy(ids[count], sizeof ids[count], id);
            is_open[count++] = true;
            open++;
        } else if (id.p) {
            assert_true(at < count && is_open[at]);
        }
        if (e->name == TAP_E_HANGUP) {
            is_open[at] = false;
            open--;
            ended++;
        }
        assert_true(open <= 2 * CALLS);
        tap_event_free(e);
    }
    assert_int_equal(ended / 2, ami_story_calls(s));
    assert_true(ended > 100);
    ami_reader_free(&r);
    ami_story_free(s);
}

/* A second session that only asks: list and ping come between no event's lines, and name what the first was told of. */
static void actions_are_answered(void **state)
{
    const struct ami_fire_options opt = { .rate = 1000, .user = "tap", .secret = "s", .clock_ahead_us = 500000 };
    static const char ask[] = "Action: Ping\r\n\r\nAction: Login\r\nUsername: tap\r\nSecret: s\r\nEvents: off\r\n\r\n"
                              "Action: Ping\r\nActionID: p\r\n\r\nAction: CoreShowChannels\r\nActionID: c\r\n\r\nAction: Nonsense\r\n\r\n"
                              "Action: Logoff\r\n\r\n";
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval limit = { .tv_sec = 10 };
    struct ami_fire *f;
    char all[65536];
    size_t n = 0;
    ssize_t got;
    int fd;
    const char *stamp;

    (void)state;
    assert_int_equal(ami_fire_open(&f, &opt), 0);
    to.sin_port = htons(ami_fire_port(f, 0));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL), (ssize_t)sizeof ask - 1);
    while (n < sizeof all - 1 && (got = recv(fd, all + n, sizeof all - 1 - n, 0)) > 0)
        n += (size_t)got;
    all[n] = '\0';
    close(fd);
    assert_non_null(strstr(all, "Permission denied"));
    assert_non_null(strstr(all, "Authentication accepted"));
    assert_null(strstr(all, "FullyBooted"));
    stamp = strstr(all, "Ping: Pong\r\nTimestamp: ");
    assert_non_null(stamp);
    assert_true(llabs(tap_time_of(text_make(stamp + 23, 17)) - 500000 - clock_wall_us()) < 10000000);
    assert_non_null(strstr(all, "Event: CoreShowChannelsComplete"));
    assert_non_null(strstr(all, "Invalid/unknown command"));
    assert_non_null(strstr(all, "Thanks for all the fish."));
    ami_fire_hold(f);
    for (int i = 0; i < 1000 && !ami_fire_is_held(f); i++)
        usleep(10000);
    assert_true(ami_fire_is_held(f));
    ami_fire_close(f);
    ami_fire_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_arrives_once), cmocka_unit_test(wrong_secret_is_refused), cmocka_unit_test(rate_is_kept),
        cmocka_unit_test(calls_begin_and_end), cmocka_unit_test(actions_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
