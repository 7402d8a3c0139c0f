/* The player: recorded replies find the right command, what is not recorded is said, and every play ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fail_alloc.h"
#include "tape_help.h"

#define TAPE(...) tape_of((const char *const[]){ __VA_ARGS__, NULL })

struct world {
    struct stage stage;
    struct script_engine *engine;
    struct script *script;
    struct player *player;
    struct script_run *run;
    bool ended, stops_loop;
    int refuse;
};

static struct world w;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    stage_open(&w.stage);
    return script_engine_new(&w.engine, w.stage.loop, NULL, NULL, &w.stage.log);
}

static int teardown(void **state)
{
    (void)state;
    player_free(w.player);
    if (w.script)
        script_release(w.script);
    script_engine_free(w.engine);
    stage_close(&w.stage);
    return 0;
}

static int begin(void *arg, struct agi_session *session, struct text call, script_on_done *on_done, void *done_arg)
{
    assert_ptr_equal(arg, &w);
    assert_true(text_eq(call, TEXT("17.1")));
    if (w.refuse)
        return w.refuse;
    return script_run_agi(&w.run, w.script, session, call, 5000, NULL, on_done, done_arg);
}

static void on_end(struct player *p, void *arg)
{
    assert_ptr_equal(arg, &w);
    assert_false(w.ended);
    assert_true(!w.player || p == w.player);
    w.ended = true;
    if (w.stops_loop)
        loop_stop(w.stage.loop);
}

static bool has_ended(void *arg)
{
    (void)arg;
    return w.ended;
}

static void begin_play(struct tape *t, const char *source)
{
    const struct player_actor actor = { .begin = begin, .arg = &w };
    char *problem;

    assert_int_equal(script_load(&w.script, w.engine, stage_file(&w.stage, source), "handle", &problem), 0);
    assert_int_equal(player_new(&w.player, w.stage.loop, t, &actor, &w.stage.log, on_end, &w), 0);
}

static void play(struct tape *t, const char *source)
{
    tape_add(t, TAPE_END, 99, TEXT("OK "));
    begin_play(t, source);
    assert_true(turn_until(w.stage.loop, has_ended, NULL, 10000));
    ref_drop(t);
}

/* hows: one letter a step: n next, l later, e earlier, u usual, - none. */
static void assert_steps(const char *hows)
{
    char got[200] = "";

    for (size_t i = 0; i < player_steps(w.player); i++)
        got[i] = "nleu-"[player_step(w.player, i).how];
    assert_string_equal(got, hows);
}

static void assert_status(enum agi_end status, const char *reason)
{
    struct text why;

    assert_int_equal(player_status(w.player, &why), status);
    assert_true(text_eq(why, text_of(reason)));
}

static void an_equal_handler_is_answered_in_order(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (x)", "SET VARIABLE \"B\" \"x\"", "200 result=1", "EXEC \"NoOp\" \"\"", "200 result=0"),
         "function handle(call) call:set('B', call:get('A')) assert(call:exec('NoOp', '') == 0) call:finish('OK', call.env.agi_callerid) end");
    assert_steps("nnn");
    assert_status(AGI_END_OK, "1001");
    assert_false(player_was_stopped(w.player));
    assert_true(text_eq(player_step(w.player, 1).line, TEXT("SET VARIABLE \"B\" \"x\"")));
}

static void an_omitted_command_does_not_stop_it(void **state)
{
    (void)state;
    play(TAPE("VERBOSE \"x\"", "200 result=1", "GET VARIABLE \"A\"", "200 result=1 (x)", "GET VARIABLE \"B\"", "200 result=1 (y)"),
         "function handle(call) call:finish('OK', call:get('A') .. call:get('B')) end");
    assert_steps("ln");
    assert_status(AGI_END_OK, "xy");
}

static void swapped_commands_find_their_replies(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (x)", "GET VARIABLE \"B\"", "200 result=1 (y)"),
         "function handle(call) local b, a = call:get('B'), call:get('A') call:finish('OK', a .. b .. call:get('A')) end");
    assert_steps("lee");
    assert_int_equal(player_step(w.player, 0).answered_by, 1);
    assert_int_equal(player_step(w.player, 1).answered_by, 0);
    assert_status(AGI_END_OK, "xyx");
}

static void the_same_question_again_gets_the_later_answer(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (x)", "GET VARIABLE \"A\"", "200 result=1 (y)"),
         "function handle(call) call:finish('OK', call:get('A') .. call:get('A') .. call:get('A')) end");
    assert_steps("nne");
    assert_status(AGI_END_OK, "xyy");
}

static void what_always_succeeds_need_not_be_recorded(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (x)"),
         "function handle(call) assert(call:set('N', 1) and call:noop() and call:verbose('v') and call:set_context('c')) call:finish('OK', call:get('A')) end");
    assert_steps("uuuun");
    assert_status(AGI_END_OK, "x");
}

static void what_is_not_recorded_ends_it(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (x)"), "function handle(call) call:get('A') call:get('NEW') call:set('X', 1) end");
    assert_steps("n-");
    assert_true(player_was_stopped(w.player));
}

static void a_recording_that_ends_inside_a_command_ends_there(void **state)
{
    (void)state;
    play(TAPE("STREAM FILE \"a\" \"\"", "-"), "function handle(call) call:stream_file('a') call:set('X', 1) end");
    assert_steps("n");
    assert_true(player_was_stopped(w.player));
}

static void hangups_come_where_they_were(void **state)
{
    (void)state;
    play(TAPE("STREAM FILE \"a\" \"\"", "200 result=-1 endpos=0", "HANGUP", "HANGUP", "SET VARIABLE \"X\" \"1\"", "200 result=1"),
         "function handle(call) call:stream_file('a') local ok, e = pcall(call.answer, call) call:set('X', 1) call:finish('OK', e.code) end");
    assert_steps("nn");
    assert_status(AGI_END_OK, "hangup");
}

static void a_hangup_before_the_first_command(void **state)
{
    (void)state;
    play(TAPE("HANGUP", "SET VARIABLE \"X\" \"1\"", "200 result=1"), "function handle(call) sleep(30) call:set('X', 1) call:answer() end");
    assert_steps("n");
    assert_status(AGI_END_HANGUP, "hangup");
}

static void usage_texts_and_line_feeds_pass(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (l1\nl2) x)", "FOO", "520-Invalid command syntax.  Proper usage follows:\n Usage\n520 End of proper usage."),
         "function handle(call) local a = call:get('A') local ok, e = pcall(call.command, call, 'FOO') "
         "call:finish('OK', a:gsub('\\n', '/') .. (ok and '?' or tostring(e.code))) end");
    assert_steps("nn");
    assert_status(AGI_END_OK, "l1/l2) x520");
}

static void a_crash_is_an_outcome(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=0"), "function handle(call) call:get('A') error('x') end");
    assert_steps("n");
    assert_status(AGI_END_ERROR, "handler_error");
}

static void endless_asking_ends(void **state)
{
    (void)state;
    play(TAPE("GET VARIABLE \"A\"", "200 result=1 (x)"), "function handle(call) while true do call:get('A') end end");
    assert_true(player_was_stopped(w.player));
    assert_int_equal(player_steps(w.player), 4096);
}

static void an_actor_that_cannot_begin(void **state)
{
    (void)state;
    w.refuse = -ENOMEM;
    play(TAPE("GET VARIABLE \"A\"", "200 result=0"), "function handle() end");
    assert_int_equal(player_steps(w.player), 0);
    assert_status(AGI_END_ERROR, "the handler could not begin");
}

static void stopping_ends_it(void **state)
{
    struct tape *t = TAPE("GET VARIABLE \"A\"", "200 result=0");

    (void)state;
    begin_play(t, "function handle(call) sleep(4000) end");
    turn_for(w.stage.loop, 20);
    assert_false(w.ended);
    player_stop(w.player);
    assert_false(w.ended); /* never from inside */
    assert_true(turn_until(w.stage.loop, has_ended, NULL, 3000));
    ref_drop(t);
}

/* ---- a tape that grows ---- */

static void grow(struct tape *t, const char *command, const char *reply)
{
    tape_add(t, TAPE_COMMAND, 5, text_of(command));
    turn_for(w.stage.loop, 20);
    tape_add(t, TAPE_REPLY, 6, text_of(reply));
    turn_for(w.stage.loop, 20);
}

static bool has_two_steps(void *arg)
{
    (void)arg;
    return player_steps(w.player) == 2;
}

static bool has_a_step(void *arg)
{
    (void)arg;
    return player_steps(w.player) == 1;
}

static void it_waits_for_the_live_session(void **state)
{
    struct tape *t = tape_of(NULL);

    (void)state;
    begin_play(t, "function handle(call) call:finish('OK', call:get('A') .. call:get('B')) end");
    assert_true(turn_until(w.stage.loop, has_a_step, NULL, 5000));
    assert_steps("-");                                  /* asked, and waits */
    grow(t, "GET VARIABLE \"LIVE\"", "200 result=1 (z)"); /* not ours */
    assert_steps("-");
    grow(t, "GET VARIABLE \"A\"", "200 result=1 (x)");
    assert_true(turn_until(w.stage.loop, has_two_steps, NULL, 5000));
    assert_steps("l-");
    grow(t, "GET VARIABLE \"B\"", "200 result=1 (y)");
    assert_true(turn_until(w.stage.loop, has_ended, NULL, 3000));
    assert_steps("ln");
    assert_status(AGI_END_OK, "xy");
    ref_drop(t);
}

static void the_live_end_is_the_end_of_waiting(void **state)
{
    struct tape *t = tape_of(NULL);

    (void)state;
    begin_play(t, "function handle(call) call:get('A') end");
    turn_for(w.stage.loop, 20);
    tape_add(t, TAPE_END, 9, TEXT("OK "));
    assert_true(turn_until(w.stage.loop, has_ended, NULL, 3000));
    assert_steps("-");
    assert_true(player_was_stopped(w.player));
    ref_drop(t);
}

static void each_allocation_fails_once(void **state)
{
    const struct player_actor actor = { .begin = begin, .arg = &w };
    char *problem;

    (void)state;
    assert_int_equal(script_load(&w.script, w.engine, stage_file(&w.stage, "function handle(call) call:get('A') end"), "handle", &problem), 0);
    w.stops_loop = true;
    for (long n = 1; n < 5000; n++) {
        struct tape *t = TAPE("GET VARIABLE \"A\"", "200 result=0");
        bool hit;
        int err;

        tape_add(t, TAPE_END, 99, TEXT("OK "));
        w.ended = false;
        w.player = NULL;
        fail_alloc_at(n);
        err = player_new(&w.player, w.stage.loop, t, &actor, &w.stage.log, on_end, &w);
        if (!err)
            loop_run(w.stage.loop);
        hit = fail_alloc_hit();
        fail_alloc_off();
        assert_true(err || w.ended);
        player_free(err ? NULL : w.player);
        w.player = NULL;
        ref_drop(t);
        if (!hit) {
            assert_int_equal(err, 0);
            return;
        }
    }
    fail_msg("it never ran without a failure");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_equal_handler_is_answered_in_order), T(an_omitted_command_does_not_stop_it), T(swapped_commands_find_their_replies),
        T(the_same_question_again_gets_the_later_answer), T(what_always_succeeds_need_not_be_recorded), T(what_is_not_recorded_ends_it),
        T(a_recording_that_ends_inside_a_command_ends_there), T(hangups_come_where_they_were), T(a_hangup_before_the_first_command),
        T(usage_texts_and_line_feeds_pass), T(a_crash_is_an_outcome), T(endless_asking_ends), T(an_actor_that_cannot_begin),
        T(stopping_ends_it), T(it_waits_for_the_live_session), T(the_live_end_is_the_end_of_waiting), T(each_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
