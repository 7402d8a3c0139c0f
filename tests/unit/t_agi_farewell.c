/* agi_farewell.c: which lines, when our end may follow, and whose reply it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pbx/agi_farewell.h"

static void env_make(struct agi_env *e, const char *version)
{
    const struct text head = TEXT("agi_network: yes\nagi_version: "), tail = TEXT("\n\n");

    agi_env_init(e);
    assert_true(agi_env_feed(e, head.p, head.n) > 0);
    if (text_of(version).n)
        assert_true(agi_env_feed(e, version, text_of(version).n) > 0);
    assert_true(agi_env_feed(e, tail.p, tail.n) > 0);
    assert_true(e->done);
}

static void begin(struct agi_farewell *f, const char *version, const char *reason, bool owed)
{
    struct agi_env env;

    *f = (struct agi_farewell){ .wanted = false };
    env_make(&env, version);
    agi_farewell_set(f, AGI_END_OK, text_of(reason), TEXT("1.2"));
    agi_farewell_begin(f, &env, owed, AGI_ANSWERS_EXEC);
    agi_env_free(&env);
}

static void next_is(struct agi_farewell *f, const char *wanted)
{
    struct agi_command c;
    struct text line;

    agi_command_init(&c);
    agi_farewell_next(f, &c);
    assert_int_equal(agi_command_finish(&c, &line), 0);
    assert_int_equal(line.n, text_of(wanted).n + 1);
    assert_memory_equal(line.p, wanted, line.n - 1);
    agi_command_free(&c);
}

static int reply(struct agi_farewell *f, const char *line)
{
    struct agi_reply_reader reader;
    struct agi_reply r;
    int got;

    agi_reply_reader_init(&reader);
    assert_int_equal(agi_reply_feed(&reader, line, text_of(line).n), 0);
    assert_int_equal(agi_reply_next(&reader, &r), 1);
    got = agi_farewell_reply(f, &r);
    agi_reply_reader_free(&reader);
    return got;
}

#define ONE "EXEC MSet \"SIDETONE_STATUS=OK,SIDETONE_REASON=,SIDETONE_CALL=1.2\""

/* Only who says that it is an Asterisk is trusted with an end of stream before its answer. */
static void only_asterisk_gets_the_end_at_once(void **state)
{
    static const char *const known[] = { "22.10.1", "20.7.0~dfsg+~cs6.13", "certified/20.7-cert1", "GIT-22-0a1b2c3", "10.0" };
    static const char *const other[] = { "", "1.4.21", "SVN-branch", "GIT-master-a1b2", "unknown", "certified/", "-22", "9.9" };
    struct agi_farewell f;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        begin(&f, known[i], "", false);
        assert_false(agi_farewell_may_end(&f));
        next_is(&f, ONE);
        assert_true(agi_farewell_is_sent(&f) && agi_farewell_may_end(&f));
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        begin(&f, other[i], "", false);
        next_is(&f, ONE);
        assert_true(agi_farewell_is_sent(&f) && !agi_farewell_may_end(&f));
    }
}

static void a_refusal_is_repaired_or_told(void **state)
{
    struct agi_farewell f;

    (void)state;
    begin(&f, "22.10.1", "", false);
    next_is(&f, ONE);
    assert_int_equal(reply(&f, "200 result=-2\n"), 1);
    assert_false(agi_farewell_is_sent(&f));
    next_is(&f, "SET VARIABLE SIDETONE_STATUS \"OK\"");
    begin(&f, "22.10.1", "", false);
    next_is(&f, ONE);
    f.is_over = true;
    assert_int_equal(reply(&f, "511 Command Not Permitted on a dead channel or intercept routine\n"), -EPROTO);
    begin(&f, "22.10.1", "", false);
    next_is(&f, ONE);
    f.is_over = true;
    assert_int_equal(reply(&f, "200 result=0\n"), 1);
}

static void an_owed_reply_is_not_ours(void **state)
{
    struct agi_farewell f;

    (void)state;
    begin(&f, "22.10.1", "", true);
    next_is(&f, "SET VARIABLE SIDETONE_STATUS \"OK\"");
    assert_int_equal(reply(&f, "200 result=1\n"), 0);
    assert_int_equal(reply(&f, "200 result=1\n"), 1);
    next_is(&f, "SET VARIABLE SIDETONE_REASON \"\"");
    assert_false(agi_farewell_may_end(&f));
    next_is(&f, "SET VARIABLE SIDETONE_CALL \"1.2\"");
    assert_true(agi_farewell_may_end(&f));
    begin(&f, "22.10.1", "a,b", false); /* MSet would split it */
    next_is(&f, "SET VARIABLE SIDETONE_STATUS \"OK\"");
    next_is(&f, "SET VARIABLE SIDETONE_REASON \"a,b\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_asterisk_gets_the_end_at_once),
        cmocka_unit_test(a_refusal_is_repaired_or_told),
        cmocka_unit_test(an_owed_reply_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
