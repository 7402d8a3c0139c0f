/* The running system beside the files: doors, users and steps, with damaged views, and with 100,000 steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>

#include "audit/live_doors.h"
#include "audit/live_steps.h"
#include "audit_files.h"
#include "base/buf.h"

/* "CODE line|CODE line|" of what the rules of the live view find. */
static const char *found(const char *first, const char *text)
{
    static char list[400];
    static const char *const codes[] = { "ST901", "ST902", "ST905", "ST906", "ST907", "ST908", "ST909", "ST910", "ST911" };
    struct audit_files files;
    struct audit *a = NULL;
    size_t n = 0;

    audit_files_init(&files, first, text);
    assert_int_equal(audit_files_run(&a, &files, codes, sizeof codes / sizeof *codes), 0);
    list[0] = '\0';
    for (size_t i = 0; i < a->finding_count && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s %u|", a->findings[i].rule->code, a->findings[i].place.line);
    audit_free(a);
    return list;
}

#define LIVE "\n;; file sidetone-live.conf\n"

struct row {
    const char *file, *text, *found;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *const list = found(rows[i].file, rows[i].text);

        if (strcmp(list, rows[i].found) != 0)
            fail_msg("%s\ngives %s, not %s", rows[i].text, list, rows[i].found);
    }
}

static void test_doors(void **state)
{
    static const struct row rows[] = {
        /* words alone */
        { "manager.conf", "[general]\nenabled = yes" LIVE "[listens]\nmanager = [::]:5038\n", "" },
        { "manager.conf", "[general]\nenabled = yes" LIVE "[listens]\nmanager = no\n", "ST909 2|" },
        { "manager.conf", "[general]\nenabled = yes" LIVE "[listens]\nmanager = rubbish\n", "ST909 2|" },
        { "manager.conf", "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = 6000" LIVE "[listens]\nmanager = 127.0.0.1:6000\n", "" },
        { "manager.conf", "[general]\nenabled = yes\nbindaddr = 10.0.0.1" LIVE "[listens]\nmanager = 10.0.0.2:5038\n", "ST909 3|" },
        { "manager.conf", "[general]\nenabled = yes\nbindaddr = pbx.example" LIVE "[listens]\nmanager = 10.0.0.2:5038\n", "" },
        { "manager.conf", "[general]\nenabled = no" LIVE "[listens]\nmanager = 10.0.0.2:5038\n", "ST908 2|" },
        { "manager.conf", "[general]\nenabled = no" LIVE "[listens]\nmanager = no\n", "" },
        { "manager.conf", "[general]\nenabled = no" LIVE "[users]\n", "" },
        { "manager.conf", "[general]\nenabled=yes\nbindaddr=127.0.0.1\ntlsenable=yes\ntlsbindaddr=0.0.0.0:5040" LIVE
          "[listens]\nmanager=127.0.0.1:5038\nmanager-tls=no\n", "ST909 5|" },
        { "manager.conf", "[general]\nenabled=yes\nbindaddr=127.0.0.1\ntlsenable=no\ntlsbindaddr=0.0.0.0:5040" LIVE
          "[listens]\nmanager=127.0.0.1:5038\nmanager-tls=0.0.0.0:5040\n", "ST908 4|" },
        { "http.conf", "[general]\nenabled = yes" LIVE "[listens]\nhttp = no\n", "" },  /* without bindaddr it does not listen */
        /* the process alone */
        { "http.conf", "[general]\nenabled = yes\nbindaddr = ::" LIVE "[sockets]\ntcp = [::]:8088\n", "" },
        { "http.conf", "[general]\nenabled = yes\nbindaddr = 0:0::1" LIVE "[sockets]\ntcp = [::1]:8088\n", "" },
        { "http.conf", "[general]\nenabled = yes\nbindaddr = 127.0.0.1" LIVE "[sockets]\ntcp = 127.0.0.1:8089\nudp = 127.0.0.1:8088\n", "ST909 3|" },
        { "http.conf", "[general]\nenabled = yes\nbindaddr = 127.0.0.1" LIVE "[sockets]\ntcp = 0.0.0.0:8088\n", "ST908 3|" },
        /* both: a bind that failed is told as one that did not */
        { "http.conf", "[general]\nenabled = yes\nbindaddr = 127.0.0.1" LIVE "[listens]\nhttp = 127.0.0.1:8088\n[sockets]\ntcp = 127.0.0.1:5038\n", "ST909 3|" },
        { "http.conf", "[general]\nenabled = no" LIVE "[listens]\nhttp = 127.0.0.1:8088\n[sockets]\n", "" },
        /* transports */
        { "pjsip.conf", "[a]\ntype=transport\nbind=0.0.0.0" LIVE "[listens]\nudp = 0.0.0.0:5060\n", "" },
        { "pjsip.conf", "[a]\ntype=transport\nbind=0.0.0.0:5080" LIVE "[listens]\nudp = 0.0.0.0:5060\n", "ST909 3|" },
        { "pjsip.conf", "[a]\ntype=transport\nbind=0.0.0.0:5080\n[b]\ntype=transport\nprotocol=wss\nbind=0.0.0.0" LIVE
          "[listens]\nudp = 0.0.0.0:5060\nudp = 0.0.0.0:5080\n", "" },
        { "pjsip.conf", "[a]\ntype=transport\nprotocol=tls\nbind=10.0.0.1" LIVE "[sockets]\ntcp = 10.0.0.1:5061\n", "" },
        { "pjsip.conf", "[a]\ntype=transport\nprotocol=tcp\nbind=0.0.0.0:99999" LIVE "[sockets]\n", "" },
        { "pjsip.conf", "[a](!)\ntype=transport\nbind=0.0.0.0" LIVE "[sockets]\n", "" },
    };

    (void)state;
    check(rows, sizeof rows / sizeof *rows);
}

#define MANAGER "[general]\nenabled=yes\n"

static void test_users(void **state)
{
    static const struct row rows[] = {
        { "manager.conf", MANAGER "[a]\nsecret=x\n[A]\nwrite=call" LIVE "[users]\nuser=a\nsecret=yes\nacl=no\nread=<none>\nwrite=call\n", "" },
        { "manager.conf", MANAGER "[a]\nsecret=x" LIVE "[users]\n", "ST906 3|" },
        { "manager.conf", MANAGER "[a]" LIVE "[users]\nuser=a\nsecret=yes\nacl=no\nread=<none>\nwrite=<none>\n", "ST907 3|" },
        { "manager.conf", MANAGER "[a]\nsecret=x\ndeny=0.0.0.0/0" LIVE "[users]\nuser=a\nsecret=yes\nacl=no\nread=<none>\nwrite=<none>\n", "ST907 5|" },
        { "manager.conf", MANAGER "[a]\nsecret=x\nread=all" LIVE "[users]\nuser=a\nsecret=yes\nacl=no\nread=call\nwrite=<none>\n", "ST907 5|" },
        { "manager.conf", MANAGER "[a]\nsecret=x" LIVE "[users]\nwrite=all\nuser=a\nread=all\n", "" },  /* damaged: not told */
        { "manager.conf", MANAGER ";; file users.conf\n[6001]\nhasmanager=yes\nsecret=x" LIVE "[users]\nuser=6001\n", "" },
        { "extensions.conf", "[x]\n" LIVE "[users]\nuser=a\n", "" },  /* without manager.conf nothing is known */
    };

    (void)state;
    check(rows, sizeof rows / sizeof *rows);
}

/* ---- steps ---- */

static const char *mark(const char *app, const char *args)
{
    static char out[4][40];
    static unsigned n;
    char *const s = out[n++ % 4];

    snprintf(s, 40, "%016" PRIx64 " %s", live_step_mark(text_of(app), text_of(args)), app);
    return s;
}

static const char *steps(const char *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

static const char *steps(const char *plan, const char *format, ...)
{
    char text[2000], live[1000];
    va_list ap;

    va_start(ap, format);
    vsnprintf(live, sizeof live, format, ap);
    va_end(ap);
    snprintf(text, sizeof text, "%s" LIVE "[contexts]\ncontext = a\n[steps]\ncontext = a\n%s", plan, live);
    return found("extensions.conf", text);
}

static void test_steps(void **state)
{
    (void)state;
    assert_string_equal(steps("[a]\nexten => 1,1,NoOp( x )\n same => n,Hangup", "extension = 1\nstep = 1 %s\nstep = 2 %s\n", mark("NoOp", "x"), mark("Hangup", "")), "");
    /* callers are not told apart by ShowDialPlan */
    assert_string_equal(steps("[a]\nexten => 1/100,1,Hangup()\nexten => 1,1,Answer()", "extension = 1\nstep = 1 %s\nextension = 1\nstep = 1 %s\n", mark("Answer", ""),
                              mark("Hangup", "")),
                        "");
    assert_string_equal(steps("[a]\nexten => 1/100,1,Hangup()\nexten => 1,1,Answer()", "extension = 1\nstep = 1 %s\n", mark("Answer", "")), "ST911 2|");
    /* a hint has no step on either side; includes neither */
    assert_string_equal(steps("[a]\nexten => 5,hint,PJSIP/5\ninclude => a", " "), "");
    /* one with other arguments is one finding, not two */
    assert_string_equal(steps("[a]\nexten => 1,1,NoOp(x)", "extension = 1\nstep = 1 %s\n", mark("NoOp", "y")), "ST911 2|");
    /* the registrar of phones is the same */
    assert_string_equal(steps("[a]\nexten => 1,1,NoOp()\n;; file users.conf\n[6001]\nhasexten = yes",
                              "extension = 1\nstep = 1 %s\nextension = 6001\nstep = 1 %s\n", mark("NoOp", ""), mark("Dial", "")),
                        "");
    /* a program writes part of the file */
    assert_string_equal(steps("#exec x\n[a]\nexten => 1,1,NoOp()", "extension = 1\nstep = 1 %s\nextension = 2\nstep = 1 %s\n", mark("NoOp", ""), mark("NoOp", "")), "");
    /* damage is passed over */
    assert_string_equal(steps("[a]\nexten => 1,1,NoOp()", "step = 1 %s\nextension = 1\nstep = x %s\nstep = -1 %s\nstep = 1\nstep =\nstep = 1 zz\nstep = 1 %s\n", mark("A", ""),
                              mark("B", ""), mark("C", ""), mark("NoOp", "")),
                        "");
}

static void test_words(void **state)
{
    struct live_difference d = { .extensions = 1, .steps = 2, .named_count = 2, .named = { { TEXT("100"), 0 }, { TEXT("5"), 3 } } };
    char small[12], words[200];

    (void)state;
    live_difference_write(&d, words, sizeof words);
    assert_string_equal(words, "1 extension and 2 steps (100, 5 priority 3, ...)");
    live_difference_write(&d, small, sizeof small);
    assert_string_equal(small, "1 extension");
}

/* One finding a context, whatever the number of steps. */
static void test_many(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 32 << 20);
    buf_addf(&b, "[a]\nexten => 1,1,NoOp()\n[b]\nexten => 1,1,NoOp()" LIVE "[contexts]\ncontext = a\ncontext = b\n[steps]\n");
    for (unsigned c = 0; c < 2; c++) {
        buf_addf(&b, "context = %c\n", 'a' + c);
        for (unsigned i = 1; i <= 50000; i++)
            buf_addf(&b, "extension = %u\nstep = 1 %s\n", i, mark("NoOp", ""));
    }
    assert_string_equal(found("extensions.conf", buf_cstr(&b)), "ST910 1|ST910 3|");
    buf_free(&b);
}

/* ---- addresses ---- */

static void test_addresses(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "127.0.0.1:5038", "127.0.0.1:5038" }, { "127.0.0.1", "127.0.0.1:7" },  { "[::1]:5060", "[::1]:5060" }, { "[::1]", "[::1]:7" },
        { "::", "[::]:7" },                     { "0:0:0::", "[::]:7" },         { "pbx.example", "pbx.example:7" }, { "localhost:1", "localhost:1" },
        { "", NULL },                           { ":5", NULL },                  { "1.2.3.4:", NULL },           { "1.2.3.4:x", NULL },
        { "1.2.3.4:0", NULL },                  { "1.2.3.4:65536", NULL },       { "[::1", NULL },               { "[::1]x", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct live_address a;
        char text[LIVE_HOST_MAX + 10] = "";
        const bool is_read = live_address_read(&a, text_of(rows[i].in), 7);

        if (is_read)
            live_address_write(&a, text, sizeof text);
        if (is_read != (rows[i].out != NULL))
            fail_msg("%s is %s address", rows[i].in, is_read ? "an" : "no");
        if (is_read)
            assert_string_equal(text, rows[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doors), cmocka_unit_test(test_users), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_words), cmocka_unit_test(test_many),  cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
