/* tap_filter.c: lines as manager.conf has them, and what they let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "fail_alloc.h"
#include "tap/tap_filter.h"

#define HANGUP "Event: Hangup\r\nPrivilege: call,all\r\nChannel: SIP/a\r\nCause: 16\r\nCause-txt: Normal\r\n\r\n"
#define VARSET "Event: VarSet\r\nPrivilege: dialplan,all\r\nVariable: X\r\nValue: Event: Hangup\r\n\r\n"
#define DTMF "Event: DTMFEnd\r\nPrivilege: dtmf,all\r\nDigit: 1\r\nDirection: Received\r\n\r\n"

static bool passes(const struct tap_filters *f, const char *event)
{
    struct ami_reader r;
    struct ami_message m;
    struct text in = TEXT("Asterisk Call Manager/11.0.0\r\n");
    bool is_passed;

    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    assert_int_equal(ami_read(&r, &in, &m), 1);
    in = text_of(event);
    assert_int_equal(ami_read(&r, &in, &m), 1);
    is_passed = tap_filters_pass(f, &m);
    ami_reader_free(&r);
    return is_passed;
}

static void lines_decide_as_in_asterisk(void **state)
{
    static const struct {
        const char *lines[2];
        bool hangup, varset, dtmf;
    } cases[] = {
        { { "!Event: VarSet" }, true, false, true },
        { { "Event: Hangup" }, true, true, false },                     /* over the whole text: VarSet holds it, too */
        { { "^Event: Hangup" }, true, false, false },
        { { "!Event: (VarSet|DTMFEnd)" }, true, false, false },
        { { "(Hangup|DTMFEnd)" }, true, true, true },
        { { "^Event: [HV]", "!Event: VarSet" }, true, false, false },
        { { "eventfilter(action(exclude),name(VarSet)) =" }, true, false, true },
        { { "(action(exclude),name(VarSet))" }, true, false, true },
        { { "eventfilter(name(Hangup)) =" }, true, false, false },
        { { "eventfilter(name(hangup)) =" }, false, false, false },
        { { "eventfilter(name(Hangup),header(Cause),method(exact)) = 16" }, true, false, false },
        { { "eventfilter(name(Hangup),header(Cause),method(exact)) = 17" }, false, false, false },
        { { "eventfilter(action(exclude),header(Digit),method(regex)) => [0-9]" }, true, true, false },
        { { "eventfilter(action(include),header(Cause-txt),method(starts_with)) = Norm" }, true, false, false },
        { { "eventfilter(action(include),header(Cause-txt),method(ends_with)) = Norm" }, false, false, false },
        { { "eventfilter(action(include),header(Value),method(contains)) = Hang" }, false, true, false },
        { { "eventfilter = !Event: DTMFEnd" }, true, true, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tap_filters *f;
        char why[200] = "";

        assert_int_equal(tap_filters_new(&f, cases[i].lines, cases[i].lines[1] ? 2 : 1, why, sizeof why), 0);
        assert_string_equal(why, "");
        assert_int_equal(passes(f, HANGUP), cases[i].hangup);
        assert_int_equal(passes(f, VARSET), cases[i].varset);
        assert_int_equal(passes(f, DTMF), cases[i].dtmf);
        tap_filters_free(f);
    }
    assert_true(passes(NULL, HANGUP));
}

static void what_is_sent_is_what_was_written(void **state)
{
    static const char *const lines[] = { "!Event: VarSet", "eventfilter(name(Hangup),header(Cause),method(exact)) = 16" };
    const char *criteria, *expression;
    struct tap_filters *f;
    char why[200];

    (void)state;
    assert_int_equal(tap_filters_new(&f, lines, 2, why, sizeof why), 0);
    assert_int_equal(tap_filters_count(f), 2);
    tap_filters_at(f, 0, &criteria, &expression);
    assert_null(criteria);
    assert_string_equal(expression, "!Event: VarSet");
    tap_filters_at(f, 1, &criteria, &expression);
    assert_string_equal(criteria, "name(Hangup),header(Cause),method(exact)");
    assert_string_equal(expression, "16");
    tap_filters_free(f);
}

static void bad_lines_say_what_was_expected(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        { "", "expected a regular expression, came \"\"" },
        { "!", "expected a regular expression, came \"!\"" },
        { "Event: (", "expected a POSIX extended regular expression, came \"Event: (\"" },
        { "eventfilter(action(drop)) =", "expected action(include) or action(exclude), came \"drop\"" },
        { "(name(X),colour(red))", "expected action(), name(), header() or method(), came \"colour\"" },
        { "(name(X)", "expected )) behind the criteria, came \"(name(X)\"" },
        { "(name(X),method(like)) y", "expected a method that Asterisk knows (none regex exact starts_with ends_with contains), came \"like\"" },
        { "(name(X)) y", "expected an expression together with a method, or neither, came \"(name(X)) y\"" },
        { "(name(X),method(exact))", "expected an expression together with a method, or neither, came \"(name(X),method(exact))\"" },
        { "a\nAction: Originate", "expected one line, came \"something else\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tap_filters *f = NULL;
        char why[200] = "";

        assert_int_equal(tap_filters_new(&f, &cases[i].line, 1, why, sizeof why), -EINVAL);
        assert_string_equal(why, cases[i].why);
        assert_null(f);
    }
}

static void lack_of_memory(void **state)
{
    static const char *const lines[] = { "!Event: VarSet", "eventfilter(name(Hangup),header(Cause),method(exact)) = 16" };

    (void)state;
    for (long n = 1;; n++) {
        struct tap_filters *f = NULL;
        char why[200];
        int err;

        fail_alloc_at(n);
        err = tap_filters_new(&f, lines, 2, why, sizeof why);
        fail_alloc_off();
        if (!err) {
            tap_filters_free(f);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_decide_as_in_asterisk),
        cmocka_unit_test(what_is_sent_is_what_was_written),
        cmocka_unit_test(bad_lines_say_what_was_expected),
        cmocka_unit_test(lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
