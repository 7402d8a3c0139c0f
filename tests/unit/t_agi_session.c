/* One FastAGI connection against a scripted Asterisk: order, deadlines, hangup, and the farewell in every situation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agi_peer.h"
#include "fail_alloc.h"
#include "pbx/agi_session.h"

#define SEND(t) { .kind = PEER_SEND, .text = t, .line = __LINE__ }
#define EXPECT(t) { .kind = PEER_EXPECT, .text = t, .line = __LINE__ }
#define WAIT(m) { .kind = PEER_WAIT, .ms = m, .line = __LINE__ }
#define QUIET(m) { .kind = PEER_QUIET, .ms = m, .line = __LINE__ }
#define CLOSE { .kind = PEER_CLOSE, .line = __LINE__ }
#define RESET { .kind = PEER_RESET, .line = __LINE__ }
#define END { .kind = PEER_END, .line = __LINE__ }
#define ENV "agi_network: yes\nagi_uniqueid: 1700.1\nagi_extension: 100\n\n"
#define ENV_22 "agi_network: yes\nagi_uniqueid: 1700.1\nagi_version: 22.10.1\nagi_extension: 100\n\n"
#define FAREWELL_LINE(status, reason) "EXEC MSet \"SIDETONE_STATUS=" status ",SIDETONE_REASON=" reason ",SIDETONE_CALL=1700.1\""
#define FAREWELL(status, reason) EXPECT(FAREWELL_LINE(status, reason)), SEND("200 result=0\n"), END
#define FAREWELL3(status, reason)                                                                    \
    EXPECT("SET VARIABLE SIDETONE_STATUS \"" status "\""), SEND("200 result=1\n"),                  \
        EXPECT("SET VARIABLE SIDETONE_REASON \"" reason "\""), SEND("200 result=1\n"),              \
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), SEND("200 result=1\n"), END

/* What our side does at an event: a list of moves, one taken each time on_ready or on_reply runs. */
enum move_kind { DO_PLACE_THEN_FINISH, DO_SEND, DO_FINISH, DO_ABORT, DO_NOTHING, DO_SEND_THEN_FINISH, DO_FINISH_LATER };
struct move {
    enum move_kind kind;
    const char *command;
    enum agi_end end;
    const char *reason;
};

struct play {
    struct loop *loop;
    struct listener *listener;
    struct log_sink sink;
    struct log log;
    struct agi_session *session;
    struct agi_session_options options;
    const struct move *moves;
    size_t count, at;
    struct timer *later;
    struct agi_peer peer;
    bool peer_done, closed;
    unsigned readies, hangups, replies, reply_errors;
    int reply_err, close_err;
    char why[200], last[200], dead_at_ready;
};

static struct play y;
static long fail_at; /* the allocation of agi_session_new that fails; 0: none */
static bool fail_hit;

static int send_line(const char *line)
{
    struct agi_command c;
    int err;

    agi_command_init(&c);
    agi_command_raw(&c, text_of(line));
    err = agi_session_send(y.session, &c);
    agi_command_free(&c);
    return err;
}

static void finish_now(const struct move *m)
{
    agi_session_finish(y.session, m->end, text_of(m->reason), agi_env_get(agi_session_env(y.session), TEXT("agi_uniqueid")));
}

static void on_later(void *arg)
{
    (void)arg;
    finish_now(&y.moves[y.at - 1]);
}

static void move_on(void)
{
    if (y.at >= y.count)
        return;
    const struct move *m = &y.moves[y.at++];

    switch (m->kind) {
    case DO_SEND:
        assert_int_equal(send_line(m->command), 0);
        assert_true(agi_session_is_busy(y.session));
        assert_int_equal(send_line("NOOP"), -EBUSY);
        break;
    case DO_PLACE_THEN_FINISH:
        agi_session_place(y.session, "default", "operator", "1");
        finish_now(m);
        break;
    case DO_FINISH:
        finish_now(m);
        finish_now(m); /* twice is fine */
        assert_int_equal(send_line("NOOP"), -EPIPE);
        break;
    case DO_ABORT:
        agi_session_abort(y.session);
        agi_session_abort(y.session);
        break;
    case DO_SEND_THEN_FINISH:
        assert_int_equal(send_line(m->command), 0);
        finish_now(m);
        break;
    case DO_FINISH_LATER:
        assert_int_equal(send_line(m->command), 0);
        timer_start(y.later, 80);
        break;
    case DO_NOTHING:
        break;
    }
}

static void stop_check(void)
{
    if (y.peer_done && y.closed)
        loop_stop(y.loop);
}

static void on_ready(struct agi_session *s, void *arg)
{
    assert_ptr_equal(s, y.session);
    assert_ptr_equal(arg, &y);
    y.readies++;
    y.dead_at_ready = agi_session_is_dead(s);
    move_on();
}

static void on_reply(struct agi_session *s, int err, const struct agi_reply *r, int64_t latency_us, void *arg)
{
    (void)s;
    (void)arg;
    assert_true(latency_us >= 0);
    assert_false(y.closed);
    if (err) {
        y.reply_errors++;
        y.reply_err = err;
        assert_null(r);
    } else {
        y.replies++;
        assert_int_equal(r->kind, AGI_REPLY_FINAL);
        text_copy(y.last, sizeof y.last, r->body);
    }
    move_on();
}

static void on_hangup(struct agi_session *s, void *arg)
{
    (void)arg;
    assert_true(agi_session_is_dead(s));
    y.hangups++;
}

static void on_closed(struct agi_session *s, int err, const char *why, void *arg)
{
    (void)s;
    (void)arg;
    assert_false(y.closed);
    y.closed = true;
    y.close_err = err;
    snprintf(y.why, sizeof y.why, "%s", why ? why : "");
    stop_check();
}

static void on_accept(struct stream *s, void *arg)
{
    static const struct agi_session_handlers handlers = {
        .on_ready = on_ready, .on_reply = on_reply, .on_hangup = on_hangup, .on_closed = on_closed,
    };

    int err;

    (void)arg;
    fail_alloc_at(fail_at);
    err = agi_session_new(&y.session, s, &y.options, &handlers, &y, &y.log);
    fail_hit = fail_alloc_hit();
    fail_alloc_off();
    if (err) {
        assert_int_equal(err, -ENOMEM);
        assert_true(fail_hit);
        stream_abort(s); /* it stayed ours */
        ref_drop(s);
        y.closed = true;
        return;
    }
    assert_non_null(strchr(agi_session_peer(y.session), ':'));
}

static void on_peer_done(struct agi_peer *p, void *arg)
{
    (void)p;
    (void)arg;
    y.peer_done = true;
    stop_check();
}

static void on_guard(void *arg)
{
    (void)arg;
    loop_stop(y.loop);
}

static void play(const struct peer_step *steps, size_t step_count, const struct move *moves, size_t move_count)
{
    const struct agi_session_options options = { .env_ms = 300, .reply_ms = 300, .finish_ms = 300 };
    struct address at = { .host = "127.0.0.1" };
    struct timer *guard;

    memset(&y, 0, sizeof y);
    y.options = options;
    y.sink = (struct log_sink){ .fd = 2, .level = LOG_OFF };
    y.log = (struct log){ .sink = &y.sink, .module = "test" };
    y.moves = moves;
    y.count = move_count;
    assert_int_equal(loop_new(&y.loop, &y.log), 0);
    assert_int_equal(listener_open(&y.listener, y.loop, &at, &(struct listener_options){ .max_streams = 4 }, on_accept, NULL), 0);
    listener_address(y.listener, &at);
    assert_int_equal(timer_new(&y.later, y.loop, on_later, NULL), 0);
    assert_int_equal(timer_new(&guard, y.loop, on_guard, NULL), 0);
    timer_start(guard, 20000);
    assert_int_equal(peer_start(&y.peer, y.loop, &at, steps, step_count, on_peer_done, NULL), 0);
    loop_run(y.loop);
    if (y.peer.failure[0])
        fail_msg("%s", y.peer.failure);
    assert_true(y.peer_done);
    assert_true(y.closed);
    timer_free(guard);
    timer_free(y.later);
    listener_close(y.listener);
    peer_free(&y.peer);
    ref_drop(y.session);
    loop_free(y.loop);
}

#define PLAY(steps, moves) play(steps, sizeof(steps) / sizeof *(steps), moves, sizeof(moves) / sizeof *(moves))

static const struct move finish_ok[] = { { .kind = DO_FINISH, .end = AGI_END_OK, .reason = "" } };

/* ---- the straight path ---- */

static void commands_then_farewell(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("GET VARIABLE \"X\""), SEND("200 result=1 (abc)\n"), EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("OK", "fine"),
    };
    static const struct move moves[] = {
        { .kind = DO_SEND, .command = "GET VARIABLE \"X\"" },
        { .kind = DO_SEND, .command = "NOOP" },
        { .kind = DO_FINISH, .end = AGI_END_OK, .reason = "fine" },
    };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.readies, 1);
    assert_int_equal(y.replies, 2);
    assert_int_equal(y.close_err, 0);
    assert_int_equal(y.hangups, 0);
}

static void environment_in_any_pieces(void **state)
{
    const char *env = ENV;
    const size_t n = strlen(env);

    (void)state;
    for (size_t cut = 1; cut < n; cut += 3) {
        const struct peer_step steps[] = {
            { .kind = PEER_SEND, .text = env, .n = cut }, WAIT(1), { .kind = PEER_SEND, .text = env + cut, .n = n - cut }, FAREWELL("OK", ""),
        };

        PLAY(steps, finish_ok);
        assert_int_equal(y.readies, 1);
    }
}

static void replies_in_pieces(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("NOOP"), SEND("200 re"), WAIT(5), SEND("sult=1 (a"), WAIT(5), SEND(" b)"), WAIT(5), SEND("\n"), FAREWELL("OK", ""),
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" }, { .kind = DO_FINISH, .end = AGI_END_OK, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_string_equal(y.last, "200 result=1 (a b)");
}

static void gosub_has_two_lines(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("GOSUB a b 1"), SEND("100 result=0 Trying...\n"), QUIET(20), SEND("200 result=0 Gosub complete\n"), FAREWELL("OK", ""),
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "GOSUB a b 1" }, { .kind = DO_FINISH, .end = AGI_END_OK, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.replies, 1);
    assert_string_equal(y.last, "200 result=0 Gosub complete");
}

/* res_agi.c feeds EXEC's own result into the reply logic: 1 means "show usage". */
static void exec_usage_is_not_the_next_answer(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("EXEC Foo \"\""), SEND("200 result=1\n520-Invalid command syntax.  Proper usage follows:\nUsage: EXEC\n520 End of proper usage.\n"),
        EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("OK", ""),
    };
    static const struct move moves[] = {
        { .kind = DO_SEND, .command = "EXEC Foo \"\"" }, { .kind = DO_SEND, .command = "NOOP" }, { .kind = DO_FINISH, .end = AGI_END_OK, .reason = "" },
    };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.replies, 2);
    assert_string_equal(y.last, "200 result=0");
}

static void texts_are_cleaned_and_cut(void **state)
{
    static char reason[400], line[400];
    const struct peer_step steps[] = {
        SEND(ENV), EXPECT("SET VARIABLE SIDETONE_STATUS \"ERROR\""), SEND("200 result=1\n"), EXPECT(line), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), SEND("200 result=1\n"), END,
    };
    const struct move moves[] = { { .kind = DO_FINISH, .end = AGI_END_ERROR, .reason = reason } };

    (void)state;
    memset(reason, 'x', 300);
    memcpy(reason, "a\nb\rc\"d\\e", 9);
    memcpy(reason + 199, "\xc3\xa4", 2); /* the cut at 200 would split this letter */
    memcpy(line, "SET VARIABLE SIDETONE_REASON \"a b c\\\"d\\\\e", 41);
    memset(line + 41, 'x', 190);
    strcpy(line + 41 + 190, "\"");
    PLAY(steps, moves);
}

/* MSet is not there, or refuses: the three commands that every Asterisk has. */
static void without_mset_one_by_one(void **state)
{
    static const char *const answers[] = {
        "200 result=-2\n", "200 result=-1\n", "200 result=1\n", "510 Invalid or unknown command\n",
        "511 Command Not Permitted on a dead channel or intercept routine\n",
        "520-Invalid command syntax.  Proper usage follows:\nUsage: EXEC\n520 End of proper usage.\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct peer_step steps[] = { SEND(ENV), EXPECT(FAREWELL_LINE("OK", "")), SEND(answers[i]), FAREWELL3("OK", "") };

        PLAY(steps, finish_ok);
        assert_int_equal(y.close_err, 0);
    }
}

/* What MSet would split, trim, expand or unquote travels in a command of its own, unchanged. */
static void odd_reasons_arrive_unchanged(void **state)
{
    static const char *const reasons[][2] = {
        { "a,b", "a,b" }, { "${SECRET}", "${SECRET}" }, { "$[1+1]", "$[1+1]" }, { "say \"no\"", "say \\\"no\\\"" }, { "back\\slash", "back\\\\slash" },
        { " blank", " blank" }, { "blank ", "blank " }, { "a(b", "a(b" }, { "a]b", "a]b" }, { "a|b", "a|b" }, { "a=b", "a=b" }, { "tab\t", "tab\t" },
        { "SIDETONE_CALL=x,Y=1", "SIDETONE_CALL=x,Y=1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char line[200];
        const struct peer_step steps[] = {
            SEND(ENV), EXPECT("SET VARIABLE SIDETONE_STATUS \"ERROR\""), SEND("200 result=1\n"), EXPECT(line), SEND("200 result=1\n"),
            EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), SEND("200 result=1\n"), END,
        };
        const struct move moves[] = { { .kind = DO_FINISH, .end = AGI_END_ERROR, .reason = reasons[i][0] } };

        snprintf(line, sizeof line, "SET VARIABLE SIDETONE_REASON \"%s\"", reasons[i][1]);
        PLAY(steps, moves);
        assert_int_equal(y.close_err, 0);
    }
}

static void a_place_follows_the_status(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT(FAREWELL_LINE("BUSY", "full")), SEND("200 result=0\n"), EXPECT("SET CONTEXT \"default\""), SEND("200 result=0\n"),
        EXPECT("SET EXTENSION \"operator\""), SEND("200 result=0\n"), EXPECT("SET PRIORITY \"1\""), SEND("200 result=0\n"), END,
    };
    static const struct move moves[] = { { .kind = DO_PLACE_THEN_FINISH, .end = AGI_END_BUSY, .reason = "full" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, 0);
}

/* ---- the half-closed goodbye ---- */

/* Our end of stream is there before the reply is given. */
static void the_end_leaves_behind_the_last_line(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV_22), EXPECT(FAREWELL_LINE("OK", "")), END, SEND("HANGUP\n200 resu"), WAIT(20),
                                              SEND("lt=0\nHANGUP\n"), WAIT(20), CLOSE };
    static const struct peer_step placed[] = {
        SEND(ENV_22), EXPECT(FAREWELL_LINE("BUSY", "full")), QUIET(20), SEND("200 result=0\n"), EXPECT("SET CONTEXT \"default\""),
        SEND("200 result=0\n"), EXPECT("SET EXTENSION \"operator\""), SEND("200 result=0\n"), EXPECT("SET PRIORITY \"1\""), END,
        SEND("200 result=0\n"), CLOSE,
    };
    static const struct move place[] = { { .kind = DO_PLACE_THEN_FINISH, .end = AGI_END_BUSY, .reason = "full" } };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, 0);
    assert_string_equal(y.why, "");
    PLAY(placed, place);
    assert_int_equal(y.close_err, 0);
}

/* It cannot be said again, so the owner is told. */
static void refused_behind_the_end(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV_22), EXPECT(FAREWELL_LINE("OK", "")), END, SEND("200 result=-2\n"), CLOSE };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, -EPROTO);
    assert_string_equal(y.why, "the status variables were refused");
}

static void no_answer_behind_the_end(void **state)
{
    static const struct peer_step silent[] = { SEND(ENV_22), EXPECT(FAREWELL_LINE("OK", "")), END, WAIT(500), CLOSE };
    static const struct peer_step gone[] = { SEND(ENV_22), EXPECT(FAREWELL_LINE("OK", "")), END, CLOSE };

    (void)state;
    PLAY(silent, finish_ok);
    assert_int_equal(y.close_err, -ETIMEDOUT);
    PLAY(gone, finish_ok);
    assert_int_equal(y.close_err, 0);
    assert_string_equal(y.why, "the peer closed the connection");
}

/* A command that still runs would answer first: all three lines are confirmed, only the last has the end behind it. */
static void behind_a_command_the_end_waits(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV_22), EXPECT("EXEC Wait \"1\""), EXPECT("SET VARIABLE SIDETONE_STATUS \"TIMEOUT\""), QUIET(20), SEND("200 result=0\n"), QUIET(20),
        SEND("200 result=1\n"), EXPECT("SET VARIABLE SIDETONE_REASON \"\""), QUIET(20), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), END, SEND("200 result=1\n"), CLOSE,
    };
    static const struct move moves[] = { { .kind = DO_SEND_THEN_FINISH, .command = "EXEC Wait \"1\"", .end = AGI_END_TIMEOUT, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, 0);
}

/* ---- hangup ---- */

static void hangup_is_a_flag(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV "HANGUP\n"), EXPECT("NOOP"), SEND("HANGUP\nHANGUP\n200 result=0\nHANGUP\n"), FAREWELL("HANGUP", ""),
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" }, { .kind = DO_FINISH, .end = AGI_END_HANGUP, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.hangups, 1);
    assert_int_equal(y.replies, 1);
    assert_string_equal(y.last, "200 result=0");
}

static void minus_one_is_not_hangup(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("STREAM FILE x \"\""), SEND("200 result=-1 endpos=0\n"), FAREWELL("OK", ""),
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "STREAM FILE x \"\"" }, { .kind = DO_FINISH, .end = AGI_END_OK, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.replies, 1);
    assert_int_equal(y.hangups, 0);
}

static void extension_h_starts_dead(void **state)
{
    static const struct peer_step steps[] = { SEND("agi_network: yes\nagi_extension: h\nagi_extension: 100\nagi_uniqueid: 1700.1\n\n"), FAREWELL("OK", "") };

    (void)state;
    PLAY(steps, finish_ok);
    assert_true(y.dead_at_ready);
}

/* ---- the farewell while a command is outstanding ---- */

static void cut_short_without_a_reply(void **state)
{
    static const char *const commands[] = {
        "STREAM FILE a \"\"", "get data a 1000", "GET\tOPTION a \"\"", "SAY ALPHA a \"\"", "SAY DIGITS 1 \"\"", "SAY NUMBER 1 \"\"", "SAY PHONETIC a \"\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct peer_step steps[] = { SEND(ENV), EXPECT(commands[i]), FAREWELL3("TIMEOUT", "deadline") };
        const struct move moves[] = { { .kind = DO_SEND_THEN_FINISH, .command = commands[i], .end = AGI_END_TIMEOUT, .reason = "deadline" } };

        PLAY(steps, moves);
        assert_int_equal(y.close_err, 0);
        assert_int_equal(y.replies + y.reply_errors, 0);
    }
}

static void cut_short_but_the_reply_crossed(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("STREAM FILE a \"\""), EXPECT("SET VARIABLE SIDETONE_STATUS \"TIMEOUT\""), SEND("200 result=0 endpos=800\n"), QUIET(30),
        SEND("200 result=1\n"), EXPECT("SET VARIABLE SIDETONE_REASON \"\""), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), SEND("200 result=1\n"), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND_THEN_FINISH, .command = "STREAM FILE a \"\"", .end = AGI_END_TIMEOUT, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, 0);
}

static void wait_for_digit_answers_one_first(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("WAIT FOR DIGIT 9000"), EXPECT("SET VARIABLE SIDETONE_STATUS \"TIMEOUT\""), SEND("200 result=1\n"), QUIET(40),
        SEND("200 result=1\n"), EXPECT("SET VARIABLE SIDETONE_REASON \"\""), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), SEND("200 result=1\n"), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND_THEN_FINISH, .command = "WAIT FOR DIGIT 9000", .end = AGI_END_TIMEOUT, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, 0);
}

static void exec_answers_late(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("EXEC Wait \"1\""), EXPECT("SET VARIABLE SIDETONE_STATUS \"TIMEOUT\""), QUIET(60), SEND("200 result=0\n"), QUIET(40),
        SEND("200 result=1\n"), EXPECT("SET VARIABLE SIDETONE_REASON \"\""), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), SEND("200 result=1\n"), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND_THEN_FINISH, .command = "EXEC Wait \"1\"", .end = AGI_END_TIMEOUT, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, 0);
}

/* The command outlives our patience: all three lines leave before the end, so that Asterisk finds them when it is free. */
static void exec_never_answers(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("EXEC Wait \"900\""), EXPECT("SET VARIABLE SIDETONE_STATUS \"TIMEOUT\""), EXPECT("SET VARIABLE SIDETONE_REASON \"deadline\""),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND_THEN_FINISH, .command = "EXEC Wait \"900\"", .end = AGI_END_TIMEOUT, .reason = "deadline" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, -ETIMEDOUT);
    assert_non_null(strstr(y.why, "not confirmed"));
}

static void farewell_ignores_hangup_and_errors(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT(FAREWELL_LINE("OK", "")), SEND("HANGUP\n511 Command Not Permitted on a dead channel or intercept routine\n"),
        EXPECT("SET VARIABLE SIDETONE_STATUS \"OK\""), SEND("HANGUP\n511 Command Not Permitted on a dead channel or intercept routine\n"),
        EXPECT("SET VARIABLE SIDETONE_REASON \"\""), SEND("HANGUP\n200 result=1\n"), EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""),
        SEND("510 Invalid or unknown command\n"), END,
    };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, 0);
    assert_int_equal(y.hangups, 0); /* after finish only on_closed */
}

/* ---- deadlines ---- */

static void environment_too_late(void **state)
{
    static const struct peer_step steps[] = { SEND("agi_network: yes\nagi_uniq"), END };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, -ETIMEDOUT);
    assert_int_equal(y.readies, 0);
}

/* The owner hears -ETIMEDOUT once; the reply that comes after that is dropped. */
static void reply_too_late(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV), EXPECT("NOOP"), WAIT(450), SEND("200 result=0\n"), WAIT(20), CLOSE };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" }, { .kind = DO_NOTHING } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.reply_errors, 1);
    assert_int_equal(y.reply_err, -ETIMEDOUT);
    assert_int_equal(y.replies, 0);
    assert_int_equal(y.close_err, 0);
}

static void finish_after_a_lost_reply(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("NOOP"), EXPECT("SET VARIABLE SIDETONE_STATUS \"TIMEOUT\""), SEND("200 result=0\n"), QUIET(40), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE SIDETONE_REASON \"reply\""), SEND("200 result=1\n"), EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""),
        SEND("200 result=1\n"), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" }, { .kind = DO_FINISH, .end = AGI_END_TIMEOUT, .reason = "reply" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.reply_err, -ETIMEDOUT);
    assert_int_equal(y.close_err, 0);
}

/* ---- the peer leaves ---- */

static void peer_leaves_in_the_environment(void **state)
{
    static const struct peer_step steps[] = { SEND("agi_network: yes\nagi_uni"), CLOSE };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, -EPROTO);
    assert_int_equal(y.readies, 0);
}

static void peer_leaves_at_once(void **state)
{
    static const struct peer_step steps[] = { CLOSE };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, -EPROTO);
}

static void peer_leaves_during_a_command(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV), EXPECT("NOOP"), SEND("200 resu"), CLOSE };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.reply_err, -EPIPE);
    assert_int_equal(y.close_err, 0);
    assert_string_equal(y.why, "the peer closed the connection");
}

static void peer_resets_during_a_command(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV), EXPECT("NOOP"), RESET };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.reply_err, -EPIPE);
    assert_int_equal(y.reply_errors, 1);
}

static void peer_leaves_in_the_farewell(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV), EXPECT(FAREWELL_LINE("OK", "")), CLOSE };

    (void)state;
    PLAY(steps, finish_ok);
    assert_true(y.closed);
    assert_int_equal(y.reply_errors, 0);
}

/* ---- nonsense ---- */

static void not_agi_at_all(void **state)
{
    static const struct peer_step steps[] = { SEND("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), END };

    (void)state;
    PLAY(steps, finish_ok);
    assert_int_equal(y.close_err, -EPROTO);
    assert_int_not_equal(y.why[0], 0);
}

static void stray_lines_are_passed_over(void **state)
{
    static const struct peer_step steps[] = {
        SEND(ENV), EXPECT("EXEC x"), SEND("what is this\n200 result=0\n200 result=9\n"), FAREWELL("OK", ""),
    };
    static const struct move moves[] = { { .kind = DO_FINISH_LATER, .command = "EXEC x", .end = AGI_END_OK, .reason = "" } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.replies, 1);
    assert_string_equal(y.last, "200 result=0");
    assert_int_equal(y.close_err, 0);
}

static void too_many_strays_end_it_with_a_status(void **state)
{
    static char flood[260 * 8 + 1];
    const struct peer_step steps[] = {
        SEND(ENV), EXPECT("NOOP"), SEND(flood), EXPECT("SET VARIABLE SIDETONE_STATUS \"ERROR\""), EXPECT("SET VARIABLE SIDETONE_REASON \"protocol\""),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" } };

    (void)state;
    for (int i = 0; i < 260; i++)
        memcpy(flood + i * 8, "nonsens\n", 8);
    PLAY(steps, moves);
    assert_int_equal(y.close_err, -EPROTO);
    assert_int_equal(y.reply_errors, 0);
}

static void endless_reply_ends_it_with_a_status(void **state)
{
    static char endless[AGI_REPLY_MAX * 3];
    const struct peer_step steps[] = {
        SEND(ENV), EXPECT("GET FULL VARIABLE x"), { .kind = PEER_SEND, .text = endless, .n = sizeof endless - 1 },
        EXPECT("SET VARIABLE SIDETONE_STATUS \"ERROR\""), EXPECT("SET VARIABLE SIDETONE_REASON \"protocol\""),
        EXPECT("SET VARIABLE SIDETONE_CALL \"1700.1\""), END,
    };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "GET FULL VARIABLE x" } };

    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "200 result=1 (", 14);
    PLAY(steps, moves);
    assert_int_equal(y.close_err, -EMSGSIZE);
}

static void abort_says_nothing(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), END };
    static const struct move moves[] = { { .kind = DO_SEND, .command = "NOOP" }, { .kind = DO_ABORT } };

    (void)state;
    PLAY(steps, moves);
    assert_int_equal(y.close_err, 0);
    assert_int_equal(y.reply_errors, 0);
}

static void each_allocation_fails_once(void **state)
{
    static const struct peer_step refused[] = { SEND(ENV), END }, served[] = { SEND(ENV), FAREWELL("OK", "") };

    (void)state;
    for (fail_at = 1; fail_at <= 2; fail_at++) { /* the session, its timer */
        PLAY(refused, finish_ok);
        assert_true(fail_hit);
    }
    PLAY(served, finish_ok);
    assert_false(fail_hit);
    fail_at = 0;
}

static void names_of_ends(void **state)
{
    (void)state;
    assert_string_equal(agi_end_name(AGI_END_OK), "OK");
    assert_string_equal(agi_end_name(AGI_END_TIMEOUT), "TIMEOUT");
    assert_string_equal(agi_end_name(AGI_END_BUSY), "BUSY");
    assert_string_equal(agi_end_name(AGI_END_ERROR), "ERROR");
    assert_string_equal(agi_end_name(AGI_END_HANGUP), "HANGUP");
    assert_string_equal(agi_end_name(AGI_END_HANDOFF), "HANDOFF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_leaves_behind_the_last_line), cmocka_unit_test(refused_behind_the_end),
        cmocka_unit_test(no_answer_behind_the_end), cmocka_unit_test(behind_a_command_the_end_waits),
        cmocka_unit_test(commands_then_farewell), cmocka_unit_test(environment_in_any_pieces), cmocka_unit_test(replies_in_pieces),
        cmocka_unit_test(gosub_has_two_lines), cmocka_unit_test(exec_usage_is_not_the_next_answer), cmocka_unit_test(texts_are_cleaned_and_cut),
        cmocka_unit_test(hangup_is_a_flag), cmocka_unit_test(minus_one_is_not_hangup), cmocka_unit_test(extension_h_starts_dead),
        cmocka_unit_test(cut_short_without_a_reply), cmocka_unit_test(cut_short_but_the_reply_crossed),
        cmocka_unit_test(wait_for_digit_answers_one_first), cmocka_unit_test(exec_answers_late), cmocka_unit_test(exec_never_answers),
        cmocka_unit_test(farewell_ignores_hangup_and_errors), cmocka_unit_test(without_mset_one_by_one),
        cmocka_unit_test(odd_reasons_arrive_unchanged), cmocka_unit_test(a_place_follows_the_status), cmocka_unit_test(environment_too_late), cmocka_unit_test(reply_too_late),
        cmocka_unit_test(finish_after_a_lost_reply), cmocka_unit_test(peer_leaves_in_the_environment), cmocka_unit_test(peer_leaves_at_once),
        cmocka_unit_test(peer_leaves_during_a_command), cmocka_unit_test(peer_resets_during_a_command),
        cmocka_unit_test(peer_leaves_in_the_farewell), cmocka_unit_test(not_agi_at_all), cmocka_unit_test(stray_lines_are_passed_over),
        cmocka_unit_test(too_many_strays_end_it_with_a_status), cmocka_unit_test(endless_reply_ends_it_with_a_status),
        cmocka_unit_test(abort_says_nothing), cmocka_unit_test(each_allocation_fails_once), cmocka_unit_test(names_of_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
