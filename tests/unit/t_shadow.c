/* The shadow: judged against a live session's tape, bounded, and nobody's burden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route/shadow.h"
#include "tape_help.h"

enum { LIVE_MAX = SHADOW_ACTIVE_MAX + 2 };

struct world {
    struct stage stage;
    struct script_engine *live;
    struct shadow *shadow;
    unsigned idle;
};

static struct world w;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    stage_open(&w.stage);
    return script_engine_new(&w.live, w.stage.loop, NULL, NULL, &w.stage.log);
}

static void on_idle(void *arg)
{
    assert_ptr_equal(arg, &w);
    w.idle++;
}

static bool is_idle(void *arg)
{
    (void)arg;
    return shadow_is_idle(w.shadow);
}

static int teardown(void **state)
{
    (void)state;
    if (w.shadow) {
        shadow_stop(w.shadow);
        assert_true(turn_until(w.stage.loop, is_idle, NULL, 3000));
        shadow_free(w.shadow);
    }
    script_engine_free(w.live);
    stage_close(&w.stage);
    return 0;
}

static void open_shadow(const char *source)
{
    char *problem;

    assert_int_equal(shadow_open(&w.shadow, w.stage.loop, w.live, stage_file(&w.stage, source), "r", &w.stage.log, on_idle, &w, &problem), 0);
}

static struct shadow_figures figures(void)
{
    struct shadow_figures f;

    shadow_figures(w.shadow, &f);
    return f;
}

/* A live session of these pairs, played at once or in steps, and its end. */
static void live(const char *const *pairs, const char *end, bool at_once)
{
    struct tape *whole = tape_of(pairs), *t = at_once ? tape_of(pairs) : tape_of(NULL);
    struct tape_entry e;

    shadow_begin(w.shadow, t, 5000, NULL);
    for (size_t i = tape_count(t); tape_at(whole, i, &e); i++) {
        turn_for(w.stage.loop, 3);
        tape_add(t, e.kind, e.us, e.text);
    }
    turn_for(w.stage.loop, 3);
    tape_add(t, TAPE_END, 99, text_of(end));
    assert_true(turn_until(w.stage.loop, is_idle, NULL, 8000));
    ref_drop(t);
    ref_drop(whole);
}

static const char *const two[] = { "GET VARIABLE \"A\"", "200 result=1 (x)", "SET VARIABLE \"B\" \"x\"", "200 result=1", NULL };

static void equal_in_step_and_behind(void **state)
{
    (void)state;
    open_shadow("function handle(call) call:set('B', call:get('A')) end");
    live(two, "OK ", true);
    live(two, "OK ", false);
    assert_int_equal(figures().sessions, 2);
    assert_int_equal(figures().differing, 0);
    assert_int_equal(figures().active, 0);
    assert_string_equal(figures().last, "");
}

static void every_kind_of_difference_is_counted(void **state)
{
    static const struct {
        const char *source;
        uint64_t differences;
        const char *last;
    } cases[] = {
        { "function handle(call) call:set('B', 'y') end", 3, "command 1: live \"GET VARIABLE" },
        { "function handle(call) call:get('A') call:set('B', 'y') end", 2, "command 2: live \"SET VARIABLE" },
        { "function handle(call) call:set('B', call:get('A')) call:get('C') end", 1, "command 3: shadow asks \"GET VARIABLE \"C\"\"" },
        { "function handle(call) call:set('B', call:get('A')) call:finish('OK', 'why') end", 1, "outcome: live OK , shadow OK why" },
        { "function handle(call) call:set('B', call:get('A')) call:hand_off('x') end", 1, "outcome: live OK , shadow HANDOFF x" },
        { "function handle(call) call:set('B', call:get('A')) error('x') end", 1, "outcome: live OK , shadow ERROR handler_error" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_shadow(cases[i].source);
        live(two, "OK ", i % 2);
        assert_int_equal(figures().differing, 1);
        assert_int_equal(figures().differences, cases[i].differences);
        if (!strstr(figures().last, cases[i].last))
            fail_msg("case %zu: %s", i, figures().last);
        shadow_free(w.shadow);
        w.shadow = NULL;
    }
}

static void the_last_line_is_masked_and_plain(void **state)
{
    struct mask mask = { .count = 1 };
    struct tape *t = tape_of(NULL);

    (void)state;
    mask.number[0] = (struct mask_number){ .digits = "4930123456", .hidden = "0000000001", .n = 10 };
    open_shadow("function handle(call) call:set('B', '4930123456\\1') end");
    shadow_begin(w.shadow, t, 5000, &mask);
    turn_for(w.stage.loop, 20);
    tape_add(t, TAPE_END, 99, TEXT("OK "));
    assert_true(turn_until(w.stage.loop, is_idle, NULL, 3000));
    assert_non_null(strstr(figures().last, "0000000001?"));
    ref_drop(t);
}

static void a_cut_tape_is_not_judged(void **state)
{
    struct tape *t = tape_new(60);

    (void)state;
    open_shadow("function handle(call) call:get('A') end");
    tape_add(t, TAPE_ENV, 0, TEXT("agi_network: yes"));
    shadow_begin(w.shadow, t, 5000, NULL);
    turn_for(w.stage.loop, 10);
    tape_add(t, TAPE_COMMAND, 1, TEXT("SET VARIABLE X 012345678901234567890123456789012345678901234567890123456789"));
    assert_true(turn_until(w.stage.loop, is_idle, NULL, 3000));
    assert_int_equal(figures().sessions, 0);
    assert_int_equal(figures().skipped, 1);
    ref_drop(t);
}

static void loops_are_ended_and_switched_off(void **state)
{
    (void)state;
    open_shadow("function handle(call) while true do end end");
    for (int i = 0; i < SHADOW_STRIKES_MAX + 2; i++) {
        assert_int_equal(figures().is_off, i >= SHADOW_STRIKES_MAX);
        live(two, "OK ", true);
    }
    assert_int_equal(figures().sessions, SHADOW_STRIKES_MAX);
    assert_int_equal(figures().skipped, 2);
}

static void greed_is_its_own(void **state)
{
    (void)state;
    open_shadow("function handle(call) local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end end");
    live(two, "OK ", true);
    assert_non_null(strstr(figures().last, "shadow ERROR"));
    assert_int_equal(figures().differing, 1);
    assert_true(script_engine_memory(w.live, true) < 1 << 20);
}

static void too_many_at_once_are_skipped(void **state)
{
    struct tape *t[LIVE_MAX];

    (void)state;
    open_shadow("function handle(call) call:get('A') end");
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        t[i] = tape_of(NULL);
        shadow_begin(w.shadow, t[i], 5000, NULL);
    }
    turn_for(w.stage.loop, 20);
    assert_int_equal(figures().active, SHADOW_ACTIVE_MAX);
    assert_int_equal(figures().skipped, 2);
    for (unsigned i = 0; i < LIVE_MAX; i++)
        tape_add(t[i], TAPE_END, 9, TEXT("OK "));
    assert_true(turn_until(w.stage.loop, is_idle, NULL, 3000));
    assert_int_equal(figures().sessions, SHADOW_ACTIVE_MAX);
    for (unsigned i = 0; i < LIVE_MAX; i++)
        ref_drop(t[i]);
}

static void stopping_ends_those_that_sleep_and_those_that_wait(void **state)
{
    struct tape *a = tape_of(NULL), *b = tape_of(NULL);

    (void)state;
    open_shadow("function handle(call) if call.env.agi_x then sleep(60000) end end");
    tape_add(a, TAPE_ENV, 0, TEXT("agi_x: 1"));
    shadow_begin(w.shadow, a, 60000, NULL);
    shadow_begin(w.shadow, b, 60000, NULL);
    turn_for(w.stage.loop, 30);
    assert_int_equal(figures().active, 2);
    shadow_stop(w.shadow);
    assert_true(turn_until(w.stage.loop, is_idle, NULL, 3000));
    assert_int_equal(w.idle, 1);
    assert_int_equal(figures().sessions, 0);
    tape_add(a, TAPE_END, 9, TEXT("OK ")); /* nobody listens any more */
    tape_add(b, TAPE_END, 9, TEXT("OK "));
    shadow_begin(w.shadow, a, 60000, NULL);
    assert_int_equal(figures().active, 0);
    ref_drop(a);
    ref_drop(b);
}

static void a_broken_file_is_told(void **state)
{
    char *problem;

    (void)state;
    assert_int_equal(shadow_open(&w.shadow, w.stage.loop, w.live, stage_file(&w.stage, "function"), "r", &w.stage.log, on_idle, &w, &problem), -EINVAL);
    assert_non_null(strstr(problem, "h1.lua:1:"));
    free(problem);
    assert_null(w.shadow);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(equal_in_step_and_behind), T(every_kind_of_difference_is_counted), T(the_last_line_is_masked_and_plain),
        T(a_cut_tape_is_not_judged), T(loops_are_ended_and_switched_off), T(greed_is_its_own), T(too_many_at_once_are_skipped),
        T(stopping_ends_those_that_sleep_and_those_that_wait), T(a_broken_file_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
