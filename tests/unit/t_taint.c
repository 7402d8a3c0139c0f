/* What extensions hand each other: each way that a caller's text takes to a shell, and each thing that makes it harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/audit.h"
#include "audit_files.h"
#include "fail_alloc.h"

enum { PLAN_MAX = 200000 };

static const char *const codes[] = { "ST201" };

/* How many findings, and how long the way of the first is. */
static size_t shells(const char *plan, size_t *stations)
{
    struct audit_files f;
    struct audit *a = NULL;
    size_t n;

    audit_files_init(&f, "extensions.conf", plan);
    assert_int_equal(audit_files_run(&a, &f, codes, 1), 0);
    n = a->finding_count;
    if (stations)
        *stations = n ? a->findings[0].path_count : 0;
    audit_free(a);
    return n;
}

static const char gosub[] = "[a]\nexten => _X.,1,Gosub(b,s,1(x,${EXTEN}))\n same => n,Hangup()\n"
                            "[b]\nexten => s,1,Set(N=${ARG2})\n same => n,System(x ${N})\n same => n,Return()\n";

static void test_ways(void **state)
{
    static const char *const bad[] = {
        gosub,
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Goto(b,s,1)\n[b]\nexten => s,1,System(x ${N})\n",
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,GotoIf(${Y}?b,s,1:c,s,1)\n[b]\nexten => s,1,Hangup()\n[c]\nexten => s,1,System(x ${N})\n",
        "[a]\nexten => 1,1,Set(__N=${CALLERID(name)})\n same => n,Dial(Local/1@b)\n[b]\nexten => 1,1,System(x ${N})\n",
        "[a]\nexten => 1,1,Set(_N=${CALLERID(name)})\n same => n,Dial(PJSIP/1,,U(b))\n[b]\nexten => s,1,System(x ${N})\n same => n,Return()\n",
        "[a]\nexten => 1,1,Set(GLOBAL(N)=${CALLERID(name)})\n[z]\nexten => 1,1,System(x ${N})\n",
        "[z]\nexten => 1,1,System(x ${GLOBAL(N)})\n[a]\nexten => 1,1,Set(GLOBAL(N)=${CALLERID(name)})\n",
        "[z]\nexten => 1,1,System(x ${DB(last/name)})\n[a]\nexten => 1,1,Set(DB(last/name)=${CALLERID(name)})\n",
        "[a]\nexten => 1,1,Gosub(b,s,1)\n same => n,System(x ${N})\n[b]\nexten => s,1,Set(N=${CALLERID(name)})\n same => n,Return()\n",
        "[a]\nexten => 1,1,Gosub(b,s,1(${CALLERID(name)}))\n same => n,System(x ${GOSUB_RETVAL})\n[b]\nexten => s,1,Return(${ARG1})\n",
        "[a]\nexten => 1,1,Macro(m,x,${CALLERID(name)})\n[macro-m]\nexten => s,1,System(x ${ARG2})\n",
        "[a]\nexten => 1,1,Set(ARRAY(A,B)=${CALLERID(name)},2)\n same => n,System(x ${CUT(A,-,1)})\n",
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Goto(b,${EXTEN:1},1)\n[b]\nexten => _X,1,System(x ${N})\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (shells(bad[i], NULL) != 1)
            fail_msg("%zu findings in\n%s", shells(bad[i], NULL), bad[i]);
}

/* What somebody of the house stored with a feature code is a warning; what a stranger stored, an error. */
static void test_stored(void **state)
{
    static const char *const plans[] = {
        "[a]\nexten => _*72X.,1,Set(DB(CF/1)=${EXTEN:3})\n[b]\nexten => 1,1,System(x ${DB(CF/1)})\n",
        "[a]\nexten => _X.,1,Set(DB(CF/1)=${EXTEN:3})\n[b]\nexten => 1,1,System(x ${DB(CF/1)})\n",
    };
    static const enum audit_severity severities[] = { AUDIT_WARNING, AUDIT_ERROR };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct audit_files f;
        struct audit *a = NULL;

        audit_files_init(&f, "extensions.conf", plans[i]);
        assert_int_equal(audit_files_run(&a, &f, codes, 1), 0);
        assert_int_equal(a->finding_count, 1);
        assert_int_equal(a->findings[0].severity, severities[i]);
        assert_true((strstr(a->findings[0].message, "feature code") != NULL) == (i == 0));
        audit_free(a);
    }
}

static void test_harmless(void **state)
{
    static const char *const good[] = {
        "[a]\nexten => _X.,1,Gosub(b,s,1(${FILTER(0-9,${EXTEN})}))\n[b]\nexten => s,1,System(x ${ARG1})\n same => n,Return()\n",
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Dial(Local/1@b)\n[b]\nexten => 1,1,System(x ${N})\n",
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Set(N=fixed)\n same => n,Goto(b,s,1)\n[b]\nexten => s,1,System(x ${N})\n",
        "[a]\nexten => 1,1,Gosub(b,s,1(${CALLERID(name)}))\n same => n,System(x ${ARG1})\n[b]\nexten => s,1,Return()\n",
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Gosub(clean,s,1)\n same => n,System(x ${N})\n[clean]\nexten => s,1,Set(N=${FILTER(0-9,${N})})\n same => n,Return()\n",
        "[a]\nexten => 1,1,Set(DB(last/name)=${CALLERID(name)})\n[z]\nexten => 1,1,System(x ${DB(other/name)})\n",
        "[a]\nexten => _X.,1,System(x ${DB(DEVICE/${EXTEN}/dial)} ${HASH(row,${EXTEN})} ${PJSIP_DIAL_CONTACTS(${EXTEN})} ${ODBC_ROUTE(${EXTEN})})\n",
        "[a]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Goto(b,s,1)\n[b]\nexten => s,1,Hangup()\n[c]\nexten => s,1,System(x ${N})\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (shells(good[i], NULL) != 0)
            fail_msg("a finding in\n%s", good[i]);
}

static void test_way_is_shown(void **state)
{
    size_t stations;

    (void)state;
    assert_int_equal(shells(gosub, &stations), 1);
    assert_int_equal(stations, 3); /* handed over, put into N, used */
}

/* Circles of jumps and subroutines come to an end, and so does a long chain. */
static void test_circles(void **state)
{
    static char plan[PLAN_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(shells("[a]\nexten => 1,1,Set(N=${N}${CALLERID(name)})\n same => n,Goto(b,1,1)\n[b]\nexten => 1,1,Set(M=${N})\n same => n,Goto(a,1,1)\n", NULL),
                     0);
    assert_int_equal(shells("[a]\nexten => s,1,Gosub(a,s,1(${CALLERID(name)}))\n same => n,System(x ${ARG1})\n same => n,Return(${ARG1})\n", NULL), 1);
    n += (size_t)snprintf(plan + n, sizeof plan - n, "[c0]\nexten => 1,1,Set(N=${CALLERID(name)})\n same => n,Goto(c1,1,1)\n");
    for (int i = 1; i < 2000; i++)
        n += (size_t)snprintf(plan + n, sizeof plan - n, "[c%d]\nexten => 1,1,Goto(c%d,1,1)\n", i, i + 1);
    snprintf(plan + n, sizeof plan - n, "[c2000]\nexten => 1,1,System(x ${N})\n");
    assert_int_equal(shells(plan, NULL), 1);
}

static void test_memory(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct audit_files files;
        struct audit *a = NULL;
        int err;

        audit_files_init(&files, "extensions.conf", gosub);
        fail_alloc_at(n);
        err = audit_files_run(&a, &files, codes, 1);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            audit_free(a);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
    }
    fail_alloc_off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),    cmocka_unit_test(test_stored),
        cmocka_unit_test(test_harmless), cmocka_unit_test(test_way_is_shown),
        cmocka_unit_test(test_circles), cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
