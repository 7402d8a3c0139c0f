/* The test caller against a scripted AudioSocket peer on loopback, which is a thread with a plain socket. */
#include "sim/caller.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/wav.h"
#include "base/clock.h"

enum { MOMENTS = 64, HEARD_MAX = 1 << 20, TONE = 8000, DEADLINE_MS = 20000 };

/* --- the peer --- */

enum act { DONE, UUID, RAW, SPLIT, QUIET, SOUND, CLOSE, RESET, DRAIN, SECOND };

struct peer_step {
    enum act act;
    int n;             /* ms of QUIET and SOUND; bytes of RAW; where SPLIT cuts the UUID frame */
    const char *bytes;
};

struct peer {
    const struct peer_step *steps;
    uint16_t port;
    pthread_t thread;
    uint8_t *heard;    /* all bytes of the caller */
    size_t heard_n;
    bool second_was_closed;
};

static const uint8_t uuid_frame[] = { 0x01, 0x00, 0x10, 0x40, 0x32, 0x5e, 0xc2, 0x5e, 0xfd, 0x4b,
                                      0xd3, 0x80, 0x5f, 0x53, 0x57, 0x6e, 0x58, 0x1d, 0x13 };

static int peer_connect(uint16_t port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval limit = { .tv_sec = DEADLINE_MS / 1000 };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void peer_read(struct peer *p, int fd, bool to_end)
{
    for (;;) {
        const ssize_t n = recv(fd, p->heard + p->heard_n, HEARD_MAX - p->heard_n, to_end ? 0 : MSG_DONTWAIT);

        if (n <= 0)
            return;
        p->heard_n += (size_t)n;
        if (p->heard_n % 323 == 3 && p->heard[p->heard_n - 3] == 0x00) /* behind whole frames: the farewell, on which Asterisk closes */
            return;
    }
}

static void peer_frames(struct peer *p, int fd, int ms, int level, unsigned *phase)
{
    for (int done = 0; done < ms; done += 20) {
        uint8_t f[3 + 320] = { 0x10, 0x01, 0x40 };

        for (int i = 0; i < 160; i++) {
            const int16_t s = (int16_t)lrint(level * cos(2 * M_PI * (*phase)++ / 8));

            memcpy(f + 3 + 2 * i, &s, 2); /* little-endian, as this machine */
        }
        if (send(fd, f, sizeof f, MSG_NOSIGNAL) < 0)
            return;
        peer_read(p, fd, false);
        poll(NULL, 0, 20);
    }
}

static void peer_second(struct peer *p)
{
    const int fd = peer_connect(p->port);
    uint8_t byte;

    p->second_was_closed = fd >= 0 && recv(fd, &byte, 1, 0) <= 0;
    if (fd >= 0)
        close(fd);
}

static void *peer_run(void *arg)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    struct peer *p = arg;
    unsigned phase = 0;
    int fd = peer_connect(p->port);

    for (const struct peer_step *s = p->steps; fd >= 0 && s->act != DONE; s++) {
        switch (s->act) {
        case UUID: (void)!send(fd, uuid_frame, sizeof uuid_frame, MSG_NOSIGNAL); break;
        case RAW: (void)!send(fd, s->bytes, (size_t)s->n, MSG_NOSIGNAL); break;
        case SPLIT:
            (void)!send(fd, uuid_frame, (size_t)s->n, MSG_NOSIGNAL);
            poll(NULL, 0, 2);
            (void)!send(fd, uuid_frame + s->n, sizeof uuid_frame - (size_t)s->n, MSG_NOSIGNAL);
            break;
        case QUIET: peer_frames(p, fd, s->n, 0, &phase); break;
        case SOUND:
            phase = 0;
            peer_frames(p, fd, s->n, TONE, &phase);
            break;
        case RESET: setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* fall through */
        case CLOSE: close(fd); fd = -1; break;
        case DRAIN: peer_read(p, fd, true); break;
        case SECOND: peer_second(p); break;
        case DONE: break;
        }
        if (fd < 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* --- the caller's side --- */

struct moment {
    int64_t at_us;
    char what[24], detail[160];
};

struct call {
    struct loop *loop;
    struct timer *limit;
    struct sim_caller *caller;
    struct moment moments[MOMENTS];
    size_t n;
    int result;
    unsigned done;
    struct peer peer;
    const char *close_at;   /* the owner closes shortly after this moment */
    struct timer *closer;
};

static void on_closer(void *arg)
{
    struct call *c = arg;

    sim_caller_close(c->caller);
    c->caller = NULL;
    c->close_at = "closed";
    timer_start(c->limit, 100); /* nothing may be told in this time */
}

static void on_moment(int64_t wall_us, const char *what, const char *detail, void *arg)
{
    struct call *c = arg;

    assert_non_null(c->caller);
    assert_true(c->n < MOMENTS);
    c->moments[c->n].at_us = wall_us;
    snprintf(c->moments[c->n].what, sizeof c->moments[0].what, "%s", what);
    snprintf(c->moments[c->n].detail, sizeof c->moments[0].detail, "%s", detail);
    c->n++;
    if (c->close_at && strcmp(c->close_at, what) == 0)
        timer_start(c->closer, 1);
}

static void on_done(int err, void *arg)
{
    struct call *c = arg;

    assert_non_null(c->caller);
    c->result = err;
    c->done++;
    sim_caller_close(c->caller);
    c->caller = NULL;
    timer_stop(c->limit);
    loop_stop(c->loop);
}

static void on_limit(void *arg)
{
    struct call *c = arg;

    loop_stop(c->loop);
}

static const struct moment *moment_find(const struct call *c, const char *what)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->moments[i].what, what) == 0)
            return &c->moments[i];
    return NULL;
}

struct plan {
    const char *script;
    const struct peer_step *peer;   /* NULL: nobody calls */
    const char *record, *close_at;
    int64_t connect_ms;
};

static struct call *call_make(const struct plan *plan)
{
    static const struct log_sink sink = { .fd = 2, .level = LOG_OFF };
    static const struct log log = { .sink = &sink, .module = "t" };
    const struct address at = { .host = "127.0.0.1" };
    const struct caller_handlers on = { .on_moment = on_moment, .on_done = on_done };
    struct caller_options opt = { .voice = "rms", .record = plan->record, .connect_ms = plan->connect_ms };
    struct call *c = calloc(1, sizeof *c);
    struct caller_step *steps;
    struct address bound;
    char *problem;

    assert_non_null(c);
    c->close_at = plan->close_at;
    assert_int_equal(caller_script_parse("s", text_of(plan->script), &steps, &opt.step_count, &problem), 0);
    opt.steps = steps;
    assert_int_equal(loop_new(&c->loop, &log), 0);
    assert_int_equal(timer_new(&c->limit, c->loop, on_limit, c), 0);
    assert_int_equal(timer_new(&c->closer, c->loop, on_closer, c), 0);
    assert_int_equal(sim_caller_open(&c->caller, c->loop, &at, &opt, &on, c, &log), 0);
    caller_script_free(steps, opt.step_count); /* borrowed during open only */
    sim_caller_address(c->caller, &bound);
    assert_string_equal(bound.host, "127.0.0.1");
    assert_true(bound.port != 0);
    c->peer = (struct peer){ .steps = plan->peer, .port = bound.port, .heard = malloc(HEARD_MAX) };
    assert_non_null(c->peer.heard);
    return c;
}

static struct call *call_run(const struct plan *plan)
{
    struct call *c = call_make(plan);

    if (plan->peer)
        assert_int_equal(pthread_create(&c->peer.thread, NULL, peer_run, &c->peer), 0);
    timer_start(c->limit, DEADLINE_MS);
    loop_run(c->loop);
    if (c->caller)
        sim_caller_close(c->caller); /* the limit was met: the assertions after this will tell */
    c->caller = NULL;
    timer_free(c->limit);
    timer_free(c->closer);
    loop_free(c->loop);
    if (plan->peer)
        pthread_join(c->peer.thread, NULL);
    return c;
}

static void call_free(struct call *c)
{
    free(c->peer.heard);
    free(c);
}

static char wav_path[64], tape_path[64];

static int files_make(void **state)
{
    static int16_t pcm[1600];
    struct wav_writer *w;
    int fd;

    (void)state;
    strcpy(wav_path, "/tmp/t_caller_w.XXXXXX");
    strcpy(tape_path, "/tmp/t_caller_t.XXXXXX");
    fd = mkstemp(wav_path);
    if (fd < 0 || close(fd) < 0 || (fd = mkstemp(tape_path)) < 0 || close(fd) < 0)
        return -1;
    for (int i = 0; i < 1600; i++)
        pcm[i] = (int16_t)(1000 + i); /* no sample is zero, each is known */
    if (wav_create(&w, wav_path, 8000, 1) != 0 || wav_write(w, pcm, 1600) != 0)
        return -1;
    return wav_close(w);
}

static int files_remove(void **state)
{
    (void)state;
    return unlink(wav_path) | unlink(tape_path);
}

/* Takes the caller's bytes apart: samples, and whether the farewell was the last. */
static size_t samples_of(const struct peer *p, int16_t *out, size_t max, bool *farewell)
{
    size_t at = 0, n = 0;

    *farewell = false;
    while (at + 3 <= p->heard_n) {
        const size_t length = (size_t)p->heard[at + 1] << 8 | p->heard[at + 2];

        assert_false(*farewell);
        if (p->heard[at] == 0x00) {
            assert_int_equal(length, 0);
            *farewell = true;
        } else {
            assert_int_equal(p->heard[at], 0x10);
            assert_int_equal(length, 320);
            assert_true(n + 160 <= max);
            if (at + 3 + length <= p->heard_n)
                memcpy(out + n, p->heard + at + 3, 320);
            n += 160;
        }
        at += 3 + length;
    }
    return n;
}

static void whole_call(void **state)
{
    static const struct peer_step peer[] = { { UUID, 0, NULL }, { QUIET, 600, NULL }, { SOUND, 300, NULL }, { QUIET, 900, NULL }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static int16_t said[80000];
    char script[256];
    const int64_t before_us = clock_wall_us();
    struct call *c;
    size_t n, i, frames;
    unsigned rate, channels;
    int16_t *pcm;
    bool farewell;

    (void)state;
    snprintf(script, sizeof script, "wait 100ms\nplay %s\nwait-speech 5s\nwait-silence 300ms 5s\nhang-up\n", wav_path);
    c = call_run(&(struct plan){ .script = script, .peer = peer, .record = tape_path });
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result, 0);
    assert_string_equal(c->moments[0].what, "connected");
    assert_string_equal(c->moments[0].detail, "40325ec2-5efd-4bd3-805f-53576e581d13");
    assert_true(c->moments[0].at_us >= before_us && c->moments[0].at_us <= clock_wall_us());
    assert_string_equal(c->moments[c->n - 1].what, "hangup");
    assert_string_equal(c->moments[c->n - 1].detail, "by the script");
    assert_null(moment_find(c, "failed"));
    assert_true(moment_find(c, "said-start")->at_us >= moment_find(c, "connected")->at_us + 100000);
    /* 1,599 samples later; more only when ticks were missed */
    assert_true(moment_find(c, "said-stop")->at_us - moment_find(c, "said-start")->at_us >= 1599 * 125);
    assert_true(moment_find(c, "heard-start")->at_us > moment_find(c, "connected")->at_us + 500000);
    /* 300 ms of tone in one flow: the distance is counted in samples */
    assert_in_range(moment_find(c, "heard-stop")->at_us - moment_find(c, "heard-start")->at_us, 200000, 600000);
    assert_true(moment_find(c, "hangup")->at_us >= moment_find(c, "heard-stop")->at_us + 300000);

    n = samples_of(&c->peer, said, sizeof said / sizeof said[0], &farewell);
    assert_true(farewell);
    for (i = 0; i < n && said[i] == 0; i++)
        ;
    assert_true(i > 0 && i + 1600 <= n);
    for (size_t k = 0; k < 1600; k++)
        assert_int_equal(said[i + k], 1000 + (int)k); /* every sample once, in order */
    for (i += 1600; i < n; i++)
        assert_int_equal(said[i], 0);

    assert_int_equal(wav_load(tape_path, &pcm, &frames, &rate, &channels), 0);
    assert_int_equal(channels, 2);
    for (i = 0; i < frames && pcm[2 * i] == 0; i++)
        ;
    /* the recording begins with the connection: its samples stand where the moments say */
    assert_int_equal((moment_find(c, "said-start")->at_us - moment_find(c, "connected")->at_us) / 125, i);
    for (i = 0; i < frames && abs(pcm[2 * i + 1]) <= 120; i++)
        ;
    assert_int_equal((moment_find(c, "heard-start")->at_us - moment_find(c, "connected")->at_us) / 125, i);
    free(pcm);
    call_free(c);
}

static void other_side_ends(void **state)
{
    static const struct peer_step closes[] = { { UUID, 0, NULL }, { QUIET, 100, NULL }, { CLOSE, 0, NULL } };
    static const struct peer_step resets[] = { { UUID, 0, NULL }, { QUIET, 100, NULL }, { RESET, 0, NULL } };
    static const struct {
        const char *script;
        const struct peer_step *peer;
        int result;
    } cases[] = {
        { "wait-hangup 10s\n", closes, 0 },
        { "wait-hangup 10s\n", resets, 0 },
        { "wait 10s\n", closes, -ECONNRESET },
        { "wait 10s\n", resets, -ECONNRESET },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct call *c = call_run(&(struct plan){ .script = cases[i].script, .peer = cases[i].peer });

        assert_int_equal(c->done, 1);
        assert_int_equal(c->result, cases[i].result);
        assert_string_equal(moment_find(c, "hangup")->detail, "by the other side");
        assert_int_equal(moment_find(c, "failed") != NULL, cases[i].result != 0);
        call_free(c);
    }
}

static void wait_runs_out(void **state)
{
    static const struct peer_step peer[] = { { UUID, 0, NULL }, { QUIET, 400, NULL }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    struct call *c = call_run(&(struct plan){ .script = "wait 40ms\nwait-speech 100ms\n", .peer = peer });
    static int16_t said[80000];
    bool farewell;

    (void)state;
    assert_int_equal(c->result, -ETIMEDOUT);
    assert_string_equal(moment_find(c, "failed")->detail, "line 2: wait-speech 100ms: ran out");
    assert_string_equal(moment_find(c, "hangup")->detail, "after the failure");
    assert_true(samples_of(&c->peer, said, sizeof said / sizeof said[0], &farewell) > 0);
    assert_true(farewell);
    call_free(c);
}

static void nobody_or_nonsense(void **state)
{
    static const struct peer_step mute[] = { { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static const struct peer_step leaves[] = { { RAW, 5, "\x01\x00\x10\x40\x32" }, { CLOSE, 0, NULL } };
    static const struct peer_step http[] = { { RAW, 18, "GET / HTTP/1.1\r\n\r\n" }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static const struct peer_step no_uuid[] = { { RAW, 5, "\x10\x00\x02zz" }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static const struct peer_step short_uuid[] = { { RAW, 5, "\x01\x00\x02zz" }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static const struct peer_step wide[] = { { UUID, 0, NULL }, { RAW, 5, "\x12\x00\x02zz" }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static const struct peer_step huge[] = { { UUID, 0, NULL }, { RAW, 4, "\x10\xff\xffz" }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    static const struct {
        const struct peer_step *peer;
        int64_t connect_ms;
        int result;
        const char *failed;
    } cases[] = {
        { NULL, 50, -ETIMEDOUT, "nobody connected in time" },
        { mute, 150, -ETIMEDOUT, "the connection said nothing in time" },
        { leaves, 0, -ECONNRESET, "the connection ended before its UUID" },
        { http, 0, -EPROTO, NULL },
        { no_uuid, 0, -EPROTO, "the first frame is no UUID: this is not Asterisk's AudioSocket" },
        { short_uuid, 0, -EPROTO, "the first frame is no UUID: this is not Asterisk's AudioSocket" },
        { wide, 0, -EPROTO, "the channel is not of 8 kHz: the test caller speaks slin only" },
        { huge, 0, -EPROTO, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct call *c = call_run(&(struct plan){ .script = "wait 5s\n", .peer = cases[i].peer, .connect_ms = cases[i].connect_ms });

        assert_int_equal(c->done, 1);
        assert_int_equal(c->result, cases[i].result);
        assert_non_null(moment_find(c, "failed"));
        if (cases[i].failed)
            assert_string_equal(moment_find(c, "failed")->detail, cases[i].failed);
        else
            assert_true(strlen(moment_find(c, "failed")->detail) > 0);
        call_free(c);
    }
}

static void greeting_at_every_split(void **state)
{
    (void)state;
    for (int cut = 0; cut <= (int)sizeof uuid_frame; cut++) {
        const struct peer_step peer[] = { { SPLIT, cut, NULL }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
        struct call *c = call_run(&(struct plan){ .script = "wait 1ms\n", .peer = peer });

        assert_int_equal(c->result, 0);
        assert_string_equal(moment_find(c, "connected")->detail, "40325ec2-5efd-4bd3-805f-53576e581d13");
        call_free(c);
    }
}

static void digits_and_unknown_kinds_pass(void **state)
{
    static const struct peer_step peer[] = { { UUID, 0, NULL }, { RAW, 4, "\x03\x00\x01" "5" }, { RAW, 5, "\x77\x00\x02zz" },
                                             { QUIET, 100, NULL }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    struct call *c = call_run(&(struct plan){ .script = "wait 60ms\n", .peer = peer });

    (void)state;
    assert_int_equal(c->result, 0);
    assert_null(moment_find(c, "failed"));
    call_free(c);
}

static void second_connection_is_refused(void **state)
{
    static const struct peer_step peer[] = { { UUID, 0, NULL }, { QUIET, 60, NULL }, { SECOND, 0, NULL }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    struct call *c = call_run(&(struct plan){ .script = "wait 400ms\n", .peer = peer });

    (void)state;
    assert_int_equal(c->result, 0);
    assert_true(c->peer.second_was_closed);
    call_free(c);
}

static void owner_closes(void **state)
{
    static const struct peer_step peer[] = { { UUID, 0, NULL }, { QUIET, 200, NULL }, { DRAIN, 0, NULL }, { DONE, 0, NULL } };
    struct call *c = call_run(&(struct plan){ .script = "wait 10s\n", .peer = peer, .close_at = "connected" });
    struct call *waiting;

    (void)state;
    assert_string_equal(c->close_at, "closed"); /* on_moment and on_done refuse to run after that */
    assert_int_equal(c->done, 0);
    call_free(c);
    waiting = call_make(&(struct plan){ .script = "wait 1s\n" });
    sim_caller_close(waiting->caller); /* before anybody came, the loop never ran */
    sim_caller_close(NULL);
    timer_free(waiting->limit);
    timer_free(waiting->closer);
    loop_free(waiting->loop);
    call_free(waiting);
}

static void cannot_begin(void **state)
{
    static const struct log_sink sink = { .fd = 2, .level = LOG_OFF };
    static const struct log log = { .sink = &sink, .module = "t" };
    const struct caller_step wait = { .verb = CALLER_WAIT, .ms = 1 }, play = { .verb = CALLER_PLAY, .text = (char *)"/no/such.wav" };
    const struct caller_handlers on = { .on_moment = on_moment };
    struct address at = { .host = "127.0.0.1" };
    struct sim_caller *c = NULL, *first;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, &log), 0);
    assert_int_equal(sim_caller_open(&c, l, &at, &(struct caller_options){ .steps = &play, .step_count = 1 }, &on, NULL, &log), -ENOENT);
    assert_int_equal(sim_caller_open(&c, l, &at, &(struct caller_options){ .steps = &wait, .step_count = 1, .record = "/no/such/x.wav" },
                                     &on, NULL, &log), -ENOENT);
    assert_int_equal(sim_caller_open(&first, l, &at, &(struct caller_options){ .steps = &wait, .step_count = 1 }, &on, NULL, &log), 0);
    sim_caller_address(first, &at);
    assert_int_equal(sim_caller_open(&c, l, &at, &(struct caller_options){ .steps = &wait, .step_count = 1 }, &on, NULL, &log), -EADDRINUSE);
    assert_null(c);
    sim_caller_close(first);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_call, files_make, files_remove),
        cmocka_unit_test(other_side_ends),
        cmocka_unit_test(wait_runs_out),
        cmocka_unit_test(nobody_or_nonsense),
        cmocka_unit_test(greeting_at_every_split),
        cmocka_unit_test(digits_and_unknown_kinds_pass),
        cmocka_unit_test(second_connection_is_refused),
        cmocka_unit_test(owner_closes),
        cmocka_unit_test(cannot_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
