/* A stream over a real socket: nothing lost, ceilings met, ends told once and last, handlers never from inside a call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/clock.h"
#include "base/ref.h"
#include "fail_alloc.h"
#include "net/stream.h"
#include "net_help.h"

enum { BULK = 10 * 1024 * 1024 };

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 1021);
}

/* One end under test, and what its handlers saw. */
struct end {
    struct loop *loop;
    struct stream *stream;
    int peer;                 /* blocking descriptor of the other end */
    struct timer *timer;
    size_t got, sent, drained, ended, closed, pauses, refused;
    bool is_inside;           /* a call of ours is under way */
    bool is_held;             /* bytes wait in `held` for on_drain */
    int err;
    char held[65536];
    size_t held_n;
    char tail[64];            /* the last bytes that came */
    size_t tail_n;
};

static void note_call(struct end *e)
{
    assert_false(e->is_inside);
    assert_int_equal(e->closed, 0);
}

static void on_closed(struct stream *s, int err, void *arg)
{
    struct end *e = arg;

    note_call(e);
    assert_ptr_equal(s, e->stream);
    e->closed++;
    e->err = err;
    loop_stop(e->loop);
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct end *e = arg;

    (void)s;
    note_call(e);
    e->got += bytes.n;
    e->tail_n = text_copy(e->tail, sizeof e->tail, bytes);
}

static void on_drain(struct stream *s, void *arg)
{
    struct end *e = arg;

    note_call(e);
    assert_true(stream_queued(s) <= 256 * 1024 / 2);
    e->drained++;
}

static const struct stream_handlers plain = { .on_data = on_data, .on_drain = on_drain, .on_closed = on_closed };

static void end_open(struct end *e, const struct stream_options *opt, const struct stream_handlers *on)
{
    int fd[2];

    memset(e, 0, sizeof *e);
    e->loop = help_loop();
    help_tcp_pair(fd);
    e->peer = fd[1];
    assert_int_equal(stream_adopt(&e->stream, e->loop, fd[0], opt, on, e), 0);
}

static void end_shut(struct end *e)
{
    ref_drop(e->stream);
    if (e->peer >= 0)
        close(e->peer);
    timer_free(e->timer);
    loop_free(e->loop);
    assert_int_equal(e->closed, 1);
}

/* ---- echo with back pressure ---- */

struct pump {
    int fd;
    bool ok;
};

static void *pump_in(void *arg)
{
    struct pump *p = arg;
    uint8_t chunk[40000];

    p->ok = true;
    for (size_t done = 0; done < BULK && p->ok;) {
        const size_t n = BULK - done < sizeof chunk ? BULK - done : sizeof chunk;

        for (size_t i = 0; i < n; i++)
            chunk[i] = byte_at(done + i);
        p->ok = help_write(p->fd, chunk, n);
        done += n;
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

static void *pump_out(void *arg)
{
    struct pump *p = arg;
    uint8_t chunk[50000];

    p->ok = true;
    for (size_t done = 0; done < BULK && p->ok;) {
        const size_t n = BULK - done < sizeof chunk ? BULK - done : sizeof chunk;

        p->ok = help_read(p->fd, chunk, n);
        for (size_t i = 0; i < n && p->ok; i++)
            p->ok = chunk[i] == byte_at(done + i);
        done += n;
    }
    p->ok = p->ok && read(p->fd, chunk, 1) == 0;
    return NULL;
}

static void echo_data(struct stream *s, struct text bytes, void *arg)
{
    struct end *e = arg;
    int err;

    note_call(e);
    e->is_inside = true;
    assert_false(e->is_held); /* paused: nothing may come */
    e->got += bytes.n;
    err = stream_send_text(s, bytes);
    if (err == -ENOBUFS) {
        assert_true(bytes.n <= sizeof e->held);
        memcpy(e->held, bytes.p, bytes.n);
        e->held_n = bytes.n;
        e->is_held = true;
        e->refused++;
        stream_pause(s);
    } else {
        assert_int_equal(err, 0);
    }
    e->is_inside = false;
}

static void echo_drain(struct stream *s, void *arg)
{
    struct end *e = arg;

    note_call(e);
    assert_true(e->is_held);
    e->is_inside = true;
    assert_int_equal(stream_send_text(s, text_make(e->held, e->held_n)), 0);
    e->is_held = false;
    stream_resume(s);
    e->is_inside = false;
}

static void echo_end(struct stream *s, void *arg)
{
    struct end *e = arg;

    e->ended++;
    assert_int_equal(e->got, BULK);
    stream_close(s, 20000);
}

static void test_echo_both_ways(void **state)
{
    const struct stream_handlers on = { echo_data, echo_end, echo_drain, on_closed };
    const struct stream_options opt = { .queue_max = 128 * 1024 };
    struct pump in, out;
    pthread_t id[2];
    struct end e;
    int small = 16384;

    (void)state;
    end_open(&e, &opt, &on);
    in.fd = out.fd = e.peer;
    setsockopt(e.peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(pthread_create(&id[0], NULL, pump_in, &in), 0);
    assert_int_equal(pthread_create(&id[1], NULL, pump_out, &out), 0);
    help_run(e.loop);
    pthread_join(id[0], NULL);
    pthread_join(id[1], NULL);
    assert_true(in.ok);
    assert_true(out.ok);
    assert_int_equal(e.err, 0);
    assert_int_equal(e.got, BULK);
    assert_int_equal(e.ended, 1);
    end_shut(&e);
}

/* ---- ceiling and drain: the peer reads nothing, then all ---- */

static void *read_bulk(void *arg)
{
    struct pump *p = arg;
    size_t done = 0;
    uint8_t chunk[65536];
    ssize_t n;

    p->ok = true;
    while ((n = read(p->fd, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < n; i++)
            p->ok = p->ok && chunk[i] == byte_at(done++);
    p->ok = p->ok && n == 0 && done == BULK;
    shutdown(p->fd, SHUT_WR); /* or the close waits for our end until its deadline */
    return NULL;
}

static void send_until_refused(struct end *e)
{
    char chunk[10000];

    e->is_inside = true;
    while (e->sent < BULK) {
        const size_t n = BULK - e->sent < sizeof chunk ? BULK - e->sent : sizeof chunk;
        const struct text part[2] = { { chunk, n / 2 }, { chunk + n / 2, n - n / 2 } };
        int err;

        for (size_t i = 0; i < n; i++)
            chunk[i] = (char)byte_at(e->sent + i);
        err = stream_send(e->stream, part, 2);
        assert_true(stream_queued(e->stream) <= 256 * 1024);
        if (err) {
            assert_int_equal(err, -ENOBUFS);
            e->refused++;
            break;
        }
        e->sent += n;
    }
    e->is_inside = false;
}

static void refill(struct stream *s, void *arg)
{
    struct end *e = arg;

    on_drain(s, arg);
    send_until_refused(e);
    if (e->sent == BULK)
        stream_close(s, 20000);
}

static void test_ceiling_then_drain(void **state)
{
    const struct stream_handlers on = { on_data, NULL, refill, on_closed };
    struct pump p;
    pthread_t id;
    struct end e;

    (void)state;
    end_open(&e, NULL, &on);
    send_until_refused(&e);
    assert_int_equal(e.refused, 1); /* 10 MB do not fit the kernel's buffers and ours */
    help_run_ms(e.loop, 30);
    assert_int_equal(e.drained, 0);
    assert_true(e.sent < BULK);
    p.fd = e.peer;
    assert_int_equal(pthread_create(&id, NULL, read_bulk, &p), 0);
    help_run(e.loop);
    pthread_join(id, NULL);
    assert_true(p.ok);
    assert_true(e.drained >= 1);
    assert_int_equal(e.err, 0);
    end_shut(&e);
}

static void test_message_over_the_ceiling(void **state)
{
    const struct stream_options opt = { .queue_max = 100 };
    char many[101] = { 0 };
    const struct text two[2] = { { many, 60 }, { many, 41 } };
    const struct text endless[2] = { { many, SIZE_MAX }, { many, 2 } };
    struct end e;

    (void)state;
    end_open(&e, &opt, &plain);
    assert_int_equal(stream_send_text(e.stream, text_make(many, 101)), -EMSGSIZE);
    assert_int_equal(stream_send(e.stream, two, 2), -EMSGSIZE);
    assert_int_equal(stream_send(e.stream, endless, 2), -EMSGSIZE); /* no sum that overflows */
    assert_int_equal(stream_send_text(e.stream, text_make(many, 100)), 0);
    assert_int_equal(stream_send_text(e.stream, TEXT("")), 0);
    stream_abort(e.stream);
    assert_int_equal(stream_send_text(e.stream, TEXT("x")), -EPIPE);
    help_run(e.loop);
    end_shut(&e);
}

static void test_parts_leave_together(void **state)
{
    const struct text few[3] = { TEXT("one "), TEXT("two "), TEXT("three") };
    struct text many[40];
    char got[256];
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    assert_int_equal(stream_send(e.stream, few, 3), 0);
    assert_int_equal(read(e.peer, got, sizeof got), 13); /* one write, so one read */
    assert_memory_equal(got, "one two three", 13);
    for (int i = 0; i < 40; i++)
        many[i] = TEXT("ab");
    assert_int_equal(stream_send(e.stream, many, 40), 0);
    assert_true(help_read(e.peer, got, 80));
    for (int i = 0; i < 80; i++)
        assert_int_equal(got[i], i % 2 ? 'b' : 'a');
    assert_int_equal(stream_queued(e.stream), 0);
    stream_abort(e.stream);
    help_run(e.loop);
    end_shut(&e);
}

/* ---- ends ---- */

static void reset(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void test_peer_reset(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    reset(e.peer);
    e.peer = -1;
    help_run(e.loop);
    assert_int_equal(e.err, -ECONNRESET);
    end_shut(&e);
}

static void test_send_to_a_peer_that_left(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    assert_true(help_write(e.peer, "last words", 10));
    reset(e.peer);
    e.peer = -1;
    e.is_inside = true;
    assert_int_equal(stream_send_text(e.stream, TEXT("hello?")), 0);
    assert_int_equal(stream_send_text(e.stream, TEXT("hello?")), -EPIPE);
    assert_int_equal(e.closed, 0);
    e.is_inside = false;
    help_run(e.loop);
    assert_true(e.err == -ECONNRESET || e.err == -EPIPE);
    assert_int_equal(e.got, 10); /* what came before the reset was read */
    end_shut(&e);
}

static void test_send_to_a_peer_that_left_while_paused(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    stream_pause(e.stream);
    reset(e.peer);
    e.peer = -1;
    e.is_inside = true;
    assert_int_equal(stream_send_text(e.stream, TEXT("hello?")), 0);
    e.is_inside = false;
    help_run(e.loop);
    assert_true(e.err == -ECONNRESET || e.err == -EPIPE);
    end_shut(&e);
}

static void answer_then_close(struct stream *s, void *arg)
{
    struct end *e = arg;

    e->ended++;
    e->is_inside = true;
    assert_int_equal(stream_send_text(s, TEXT("answer")), 0);
    stream_close(s, 5000);
    stream_close(s, 1);
    e->is_inside = false;
}

static void test_half_close(void **state)
{
    const struct stream_handlers on = { on_data, answer_then_close, NULL, on_closed };
    char got[6];
    struct end e;

    (void)state;
    end_open(&e, NULL, &on);
    assert_true(help_write(e.peer, "question", 8));
    shutdown(e.peer, SHUT_WR);
    help_run(e.loop);
    assert_true(help_read(e.peer, got, 6));
    assert_memory_equal(got, "answer", 6);
    assert_int_equal(help_read_end(e.peer), 0);
    assert_int_equal(e.ended, 1);
    assert_int_equal(e.got, 8);
    assert_int_equal(e.err, 0);
    end_shut(&e);
}

static void test_end_that_nobody_handles_closes(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    shutdown(e.peer, SHUT_WR);
    help_run(e.loop);
    assert_int_equal(e.err, 0);
    assert_int_equal(help_read_end(e.peer), 0);
    end_shut(&e);
}

static void abort_inside(struct stream *s, struct text bytes, void *arg)
{
    struct end *e = arg;

    on_data(s, bytes, arg);
    e->is_inside = true;
    stream_abort(s);
    stream_abort(s);
    assert_int_equal(stream_send_text(s, TEXT("x")), -EPIPE);
    stream_resume(s);
    e->is_inside = false;
}

static void test_abort_inside_a_handler(void **state)
{
    const struct stream_handlers on = { .on_data = abort_inside, .on_closed = on_closed };
    static char much[500000];
    struct end e;

    (void)state;
    end_open(&e, NULL, &on);
    assert_true(help_write(e.peer, much, 200000));
    help_run(e.loop);
    assert_int_equal(e.err, 0);
    assert_true(e.got <= 65536); /* one delivery, no more */
    end_shut(&e);
}

static void test_handlers_may_be_absent(void **state)
{
    const struct stream_handlers none = { 0 };
    struct end e;

    (void)state;
    end_open(&e, NULL, &none);
    assert_true(help_write(e.peer, "ignored", 7));
    shutdown(e.peer, SHUT_WR);
    loop_run(e.loop); /* ends by itself: the stream closed */
    assert_int_equal(help_read_end(e.peer), 0);
    e.closed = 1;
    end_shut(&e);
}

static void test_linger_gives_up(void **state)
{
    struct end e;
    int64_t from_us;

    (void)state;
    end_open(&e, NULL, &plain);
    send_until_refused(&e);
    assert_true(stream_queued(e.stream) > 0);
    from_us = clock_mono_us();
    e.is_inside = true;
    stream_close(e.stream, 50);
    e.is_inside = false;
    help_run(e.loop);
    assert_true(clock_mono_us() - from_us >= 45000);
    assert_int_equal(e.err, -ETIMEDOUT); /* bytes were lost */
    end_shut(&e);
}

static void test_linger_without_loss_is_no_error(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    assert_int_equal(stream_send_text(e.stream, TEXT("bye")), 0);
    stream_close(e.stream, 30); /* the peer neither reads nor ends */
    help_run(e.loop);
    assert_int_equal(e.err, 0);
    end_shut(&e);
}

static void *read_late_and_talk(void *arg)
{
    struct pump *p = arg;
    static char junk[300000];
    size_t done = 0;
    uint8_t chunk[65536];
    ssize_t n;

    /* Bytes that nobody reads any more must not make a reset that destroys what is on its way. */
    p->ok = help_write(p->fd, junk, sizeof junk);
    while ((n = read(p->fd, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < n; i++)
            p->ok = p->ok && chunk[i] == byte_at(done++);
    p->ok = p->ok && n == 0 && done > 0;
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

static void test_close_sends_the_rest_first(void **state)
{
    struct pump p;
    pthread_t id;
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    send_until_refused(&e);
    assert_true(stream_queued(e.stream) > 0);
    stream_close(e.stream, 20000);
    p.fd = e.peer;
    assert_int_equal(pthread_create(&id, NULL, read_late_and_talk, &p), 0);
    help_run(e.loop);
    pthread_join(id, NULL);
    assert_true(p.ok);
    assert_int_equal(e.err, 0);
    assert_int_equal(e.got, 0); /* after close only on_closed */
    assert_int_equal(e.drained, 0);
    end_shut(&e);
}

/* ---- the last bytes with our end behind them ---- */

static void *read_to_the_end_and_answer(void *arg)
{
    struct pump *p = arg;
    char got[16];

    p->ok = read(p->fd, got, sizeof got) == 4 && memcmp(got, "last", 4) == 0; /* one segment */
    p->ok = p->ok && read(p->fd, got, sizeof got) == 0 && help_write(p->fd, "answer", 6);
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

static void test_last_bytes_then_reading_goes_on(void **state)
{
    struct pump p;
    pthread_t id;
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    assert_int_equal(stream_send_last(e.stream, TEXT("last")), 0);
    assert_int_equal(stream_send_text(e.stream, TEXT("more")), -EPIPE);
    assert_int_equal(stream_send_last(e.stream, TEXT("more")), -EPIPE);
    stream_confirm(e.stream);
    p.fd = e.peer;
    assert_int_equal(pthread_create(&id, NULL, read_to_the_end_and_answer, &p), 0);
    help_run(e.loop); /* its end closes us: nobody handles it */
    pthread_join(id, NULL);
    assert_true(p.ok);
    assert_int_equal(e.got, 6);
    assert_int_equal(e.err, 0);
    end_shut(&e);
}

static void test_last_bytes_behind_a_queue(void **state)
{
    static char chunk[65536];
    struct pump p;
    pthread_t id;
    struct end e;
    size_t at = 0;

    (void)state;
    end_open(&e, &(struct stream_options){ .queue_max = 64 << 20 }, &plain);
    while (stream_queued(e.stream) == 0) {
        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = (char)byte_at(at++);
        assert_int_equal(stream_send_text(e.stream, text_make(chunk, sizeof chunk)), 0);
    }
    for (size_t i = 0; i < 100; i++)
        chunk[i] = (char)byte_at(at++);
    assert_int_equal(stream_send_last(e.stream, text_make(chunk, 100)), 0);
    assert_int_equal(stream_send_text(e.stream, TEXT("more")), -EPIPE);
    p.fd = e.peer;
    assert_int_equal(pthread_create(&id, NULL, read_late_and_talk, &p), 0);
    help_run(e.loop);
    pthread_join(id, NULL);
    assert_true(p.ok);
    assert_int_equal(e.got, 300000); /* still read */
    assert_int_equal(e.err, 0);
    end_shut(&e);
}

static void test_close_and_abort_behind_the_last_bytes(void **state)
{
    struct end e;
    char got[4];

    (void)state;
    end_open(&e, NULL, &plain);
    assert_int_equal(stream_send_last(e.stream, TEXT("last")), 0);
    stream_close(e.stream, 50);
    help_run(e.loop);
    assert_int_equal(e.err, 0);
    assert_true(help_read(e.peer, got, 4));
    assert_int_equal(help_read_end(e.peer), 0);
    end_shut(&e);
    end_open(&e, NULL, &plain);
    assert_int_equal(stream_send_last(e.stream, TEXT("last")), 0);
    stream_abort(e.stream);
    assert_int_equal(stream_send_last(e.stream, TEXT("last")), -EPIPE);
    help_run(e.loop);
    assert_int_equal(e.err, 0);
    end_shut(&e);
}

/* ---- pause, exchange of handlers, ownership ---- */

static void resume_late(void *arg)
{
    struct end *e = arg;

    assert_int_equal(e->got, 0);
    stream_resume(e->stream);
}

static void stop_at_five(struct stream *s, struct text bytes, void *arg)
{
    struct end *e = arg;

    on_data(s, bytes, arg);
    if (e->got == 5)
        stream_abort(s);
}

static void test_pause_holds_bytes_and_end(void **state)
{
    const struct stream_handlers on = { .on_data = stop_at_five, .on_closed = on_closed };
    struct end e;

    (void)state;
    end_open(&e, NULL, &on);
    stream_pause(e.stream);
    assert_true(help_write(e.peer, "later", 5));
    assert_int_equal(timer_new(&e.timer, e.loop, resume_late, &e), 0);
    timer_start(e.timer, 30);
    help_run(e.loop);
    assert_int_equal(e.got, 5);
    end_shut(&e);
}

static void hand_on(struct stream *s, struct text bytes, void *arg)
{
    struct end *e = arg;

    (void)bytes;
    e->ended++; /* counts calls of the old handler */
    stream_handle(s, &plain, e);
    assert_true(help_write(e->peer, "second", 6));
    shutdown(e->peer, SHUT_WR);
}

static void test_exchange_of_handlers(void **state)
{
    const struct stream_handlers first = { .on_data = hand_on, .on_closed = on_closed };
    struct end e;

    (void)state;
    end_open(&e, NULL, &first);
    assert_true(help_write(e.peer, "first", 5));
    help_run(e.loop);
    assert_int_equal(e.ended, 1);
    assert_int_equal(e.got, 6);
    assert_memory_equal(e.tail, "second", 6);
    end_shut(&e);
}

static void test_own_reference_may_go_first(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, NULL, &plain);
    assert_ptr_equal(stream_loop(e.stream), e.loop);
    assert_true(text_starts(text_of(stream_peer(e.stream)), TEXT("127.0.0.1:")));
    ref_drop(e.stream); /* the loop still holds one until on_closed */
    assert_true(help_write(e.peer, "x", 1));
    shutdown(e.peer, SHUT_WR);
    help_run(e.loop);
    assert_int_equal(e.got, 1);
    e.stream = NULL;
    end_shut(&e);
}

static void test_adopt_refuses_what_is_no_connection(void **state)
{
    struct loop *l = help_loop();
    struct stream *s = NULL;
    uint16_t port;
    const int listening = help_listen(&port);
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(stream_adopt(&s, l, -1, NULL, &plain, NULL), -EBADF);
    assert_int_equal(stream_adopt(&s, l, pipes[0], NULL, &plain, NULL), -ENOTSOCK);
    assert_int_equal(stream_adopt(&s, l, listening, NULL, &plain, NULL), -ENOTCONN);
    assert_null(s);
    assert_int_equal(fcntl(listening, F_GETFD), FD_CLOEXEC); /* still ours */
    close(pipes[0]);
    close(pipes[1]);
    close(listening);
    loop_free(l);
}

static void test_out_of_memory(void **state)
{
    bool has_hit = true;

    (void)state;
    for (long n = 1; has_hit; n++) {
        static char much[200000];
        struct loop *l = help_loop();
        struct stream *s = NULL;
        struct end e = { .loop = l, .peer = -1 };
        int fd[2], err;

        help_tcp_pair(fd);
        fail_alloc_at(n);
        err = stream_adopt(&s, l, fd[0], NULL, &plain, &e);
        e.stream = s;
        while (!err && stream_queued(s) == 0) {
            const int sent = stream_send_text(s, text_make(much, sizeof much));

            if (sent == -EPIPE)
                break; /* half a message was out, so the stream had to end */
            assert_true(sent == 0 || sent == -ENOMEM);
        }
        if (!err)
            stream_close(s, 10);
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        if (err) {
            assert_int_equal(err, -ENOMEM);
            close(fd[0]);
        } else {
            help_run(l);
            assert_int_equal(e.closed, 1);
        }
        ref_drop(s);
        close(fd[1]);
        loop_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_both_ways),
        cmocka_unit_test(test_ceiling_then_drain),
        cmocka_unit_test(test_message_over_the_ceiling),
        cmocka_unit_test(test_parts_leave_together),
        cmocka_unit_test(test_peer_reset),
        cmocka_unit_test(test_send_to_a_peer_that_left),
        cmocka_unit_test(test_send_to_a_peer_that_left_while_paused),
        cmocka_unit_test(test_last_bytes_then_reading_goes_on), cmocka_unit_test(test_last_bytes_behind_a_queue),
        cmocka_unit_test(test_close_and_abort_behind_the_last_bytes), cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_end_that_nobody_handles_closes),
        cmocka_unit_test(test_abort_inside_a_handler),
        cmocka_unit_test(test_handlers_may_be_absent),
        cmocka_unit_test(test_linger_gives_up),
        cmocka_unit_test(test_linger_without_loss_is_no_error),
        cmocka_unit_test(test_close_sends_the_rest_first),
        cmocka_unit_test(test_pause_holds_bytes_and_end),
        cmocka_unit_test(test_exchange_of_handlers),
        cmocka_unit_test(test_own_reference_may_go_first),
        cmocka_unit_test(test_adopt_refuses_what_is_no_connection),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
