/* Lines of configuration as a report shows them: nothing that moves a terminal, no secret, the mark in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/clean.h"
#include "audit/excerpt.h"
#include "audit/mask.h"
#include "audit/source.h"
#include "audit_files.h"
#include "fail_alloc.h"

static void test_clean(void **state)
{
    static const struct {
        struct text in;
        const char *out;
    } rows[] = {
        { TEXT("plain"), "plain" },
        { TEXT("\x1b[2Jx\x07\x7f"), "?[2Jx??" },
        { TEXT("a\0b"), "a?b" },
        { TEXT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
        { TEXT("\xc2\x9b[2J"), "?[2J" },                       /* CSI of C1 */
        { TEXT("\x9b[2J"), "?[2J" },                           /* the same, as Latin-1 */
        { TEXT("\xe2\x80\xae" "fdp"), "?fdp" },                /* right-to-left override */
        { TEXT("\xc0\xaf\xed\xa0\x80"), "?????" },             /* overlong; half of a pair */
        { TEXT("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80" },
        { TEXT("\xe2\x82"), "??" },                            /* cut */
        { TEXT("\xf4\x90\x80\x80"), "????" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 100);
        assert_int_equal(clean_add(rows[i].in, &b), 0);
        assert_string_equal(buf_cstr(&b), rows[i].out);
        buf_free(&b);
    }
}

static void test_columns(void **state)
{
    struct text rest = TEXT("a\xcc\x81\xe4\xb8\xad");
    unsigned columns, all = 0;

    (void)state;
    while (rest.n) {
        clean_next(&rest, &columns);
        all = all * 10 + columns;
    }
    assert_int_equal(all, 102); /* a letter, a mark on it, a wide one */
}

/* ---- secrets ---- */

/* The line as it is shown; NULL: it is not. */
static const char *shown(const char *file, struct text line, char *out, size_t size)
{
    unsigned char mask[CONF_LINE_MAX];
    size_t n = 0;

    if (!mask_line(file, line, mask))
        return NULL;
    for (size_t i = 0; i < line.n && n + 2 < size; i++)
        if (mask[i] == MASK_SHOWN)
            out[n++] = line.p[i];
        else if (mask[i] == MASK_HIDDEN && (i == 0 || mask[i - 1] != MASK_HIDDEN))
            out[n++] = '*';
    out[n] = '\0';
    return out;
}

/* In each of them hunter2 is a secret; it never comes out. */
static const struct {
    const char *line, *expected;   /* NULL: not shown at all */
} secret_lines[] = {
    { "secret = hunter2", "secret = *" },
    { "secret=hunter2 ; hunter2", "secret=* " },
    { "SECRET => hunter2", "SECRET => *" },
    { "password = hunter2", "password = *" },
    { "passwd += hunter2", "passwd += *" },
    { "md5secret = hunter2", "md5secret = *" },
    { "dbpass=hunter2", "dbpass=*" },
    { "1234 => hunter2,Name,mail@example.org", "1234 => *" },
    { "register => user:hunter2@host/ext", "register => *" },
    { "secret hunter2", NULL },
    { "sercet hunter2 = x", NULL },
    { "hunter2", NULL },
    { "still a comment hunter2 --; exten => 1,1,NoOp()", NULL },
    { "; secret = hunter2", "" },
    { "[user]hunter2", "[user]*" },
    { "[user](!,base) hunter2", "[user](!,base) *" },
    { "[from-trunk-type=friend host=10.0.0.1 secret=hunter2]", "[*]" },
    { "#includeifexists custom/x.conf", "#includeifexists *" },
    { "include => from-trunk-secret=hunter2-custom", "include => *" },
    { "contact = sip:user:hunter2@host", "contact = *" },
    { "host = sip:user:hunter2@host:5060", "host = sip:user:*@host:5060" },
    { "member => IAX2/user:hunter2@host/1", "member => IAX2/user:*@host/1" },
    { "uri = https://host/x?q=hunter2&y=1", "uri = https://host/x?*" },
    { "uri = https://user:hunter2@host/x", "uri = https://user:*@host/x" },
    { "channelvars = token:hunter2", "channelvars = *" },
    { "exten => 1,1,Dial(IAX2/user:hunter2@host/1,20)", "exten => 1,1,Dial(IAX2/user:*@host/1,20)" },
    { "exten => 1,1,Dial(PJSIP/${EXTEN:1}@trunk)", "exten => 1,1,Dial(PJSIP/${EXTEN:1}@trunk)" },
    { "exten => 1,1,Authenticat(hunter2)", "exten => 1,1,Authenticat(*)" },
    { "exten => 1,1,Set(DBPASS=hunter2)", "exten => 1,1,Set(*)" },
    { " same => n(x),Set(X=Authorization: Bearer hunter2)", " same => n(x),Set(*)" },
    { "same=>n,Authenticate(hunter2)", "same=>n,Authenticate(*)" },
    { "same => n,ExecIf($[1]?Authenticate(hunter2))", "same => n,ExecIf(*)" },
    { "same => n,DISA(hunter2,inside)", "same => n,DISA(*)" },
    { "same => n,SendDTMF(hunter2)", "same => n,SendDTMF(*)" },
    { "same => n,System(mysql -uroot -phunter2 x)", "same => n,System(*)" },
    { "same => n,Set(X=${SHELL(curl -u a:hunter2 host)})", "same => n,Set(*)" },
    { "same => n,Set(X=${CURL(https://h/?api=hunter2)})", "same => n,Set(X=${CURL(https://h/?*)" },
    { "same => n,GotoIf($[\"${PIN}\" = \"hunter2\"]?a:b)", "same => n,GotoIf(*)" },
    { "DB_URL=hunter2", "DB_URL=*" },
    { "#exec /usr/bin/make-conf hunter2", "#exec /usr/bin/make-conf *" },
    { "#include \"a.conf\"", "#include \"a.conf\"" },
    { "#wrong hunter2", "#wrong *" },
    { "#hunter2 x", NULL },
    { "#password hunter2", NULL },
    { "exten => 1,1,NoOp(x) ; hunter2", "exten => 1,1,NoOp(x) " },
};

static void test_secrets(void **state)
{
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof secret_lines / sizeof *secret_lines; i++) {
        const char *got = shown("x.conf", text_of(secret_lines[i].line), out, sizeof out);

        if (!secret_lines[i].expected)
            assert_null(got);
        else
            assert_string_equal(got, secret_lines[i].expected);
        assert_true(!got || !strstr(got, "hunter2"));
    }
}

static void test_tokens_and_codes(void **state)
{
    char out[256];

    (void)state;
    assert_string_equal(shown("x", TEXT("same => n,NoOp(9fA2kd83LzpQw71mXb)"), out, sizeof out), "same => n,NoOp(9fA2kd83LzpQw71mXb)");
    assert_string_equal(shown("x", TEXT("same => n,NoOp(9fA2kd83LzpQw71mXbQ1)"), out, sizeof out), "same => n,NoOp(*)");
    assert_string_equal(shown("x", TEXT("same => n,AGI(d41d8cd98f00b204e9800998ecf8427e,a)"), out, sizeof out), "same => n,AGI(*,a)");
    assert_string_equal(shown("x", TEXT("same => n,GotoIf($[\"${X}\"=\"4711\"]?9,1)"), out, sizeof out), "same => n,GotoIf($[\"${X}\"=\"*\"]?9,1)");
    assert_string_equal(shown("x", TEXT("same => n,AGI(/usr/share/asterisk/agi-bin/lookup2.py)"), out, sizeof out),
                        "same => n,AGI(/usr/share/asterisk/agi-bin/lookup2.py)");
    assert_true(mask_speaks_of_secrets(TEXT("USERPIN=1")));
    assert_false(mask_speaks_of_secrets(TEXT("ping,spinning,passthru,keypad,author")));
}

static void test_programs(void **state)
{
    char out[256];

    (void)state;
    assert_string_equal(shown("extensions.ael", TEXT("  Dial(PJSIP/1); // hunter2"), out, sizeof out), "  Dial(PJSIP/1); ");
    assert_string_equal(shown("extensions.lua", TEXT("app.dial('PJSIP/1') -- hunter2"), out, sizeof out), "app.dial('PJSIP/1') ");
    assert_null(shown("extensions.lua", TEXT("local password = 'hunter2'"), out, sizeof out));
    assert_null(shown("extensions.ael", TEXT("  Authenticate(hunter2);"), out, sizeof out));
    assert_string_equal(shown("extensions.ael", TEXT("  NoOp(1); /* hunter2"), out, sizeof out), "  NoOp(1); ");
    assert_string_equal(shown("/etc/a.conf/apps.ael2", TEXT("  Dial(PJSIP/1); // hunter2"), out, sizeof out), "  Dial(PJSIP/1); ");
    assert_string_equal(shown("/etc/a.ael/b.conf", TEXT("exten => 1,1,NoOp(//1)"), out, sizeof out), "exten => 1,1,NoOp(//1)");
    assert_string_equal(shown("extensions.lua", TEXT("  app.dial('PJSIP/1') -- hunter2"), out, sizeof out), "  app.dial('PJSIP/1') ");
    assert_null(shown("extensions.lua", TEXT("  hunter2 ]] app.noop(1)"), out, sizeof out));
    assert_null(shown("extensions.lua", TEXT("  app.authenticate(\"hunter2\")"), out, sizeof out));
    assert_string_equal(shown("extensions.lua", TEXT("  app.authentcat(\"hunter2\")"), out, sizeof out), "  app.authentcat*");
    assert_null(shown("extensions.ael", TEXT("  hunter2 */ NoOp(1);"), out, sizeof out));
    assert_string_equal(shown("extensions.ael", TEXT("  Authentcat(hunter2);"), out, sizeof out), "  Authentcat(*");
    assert_string_equal(shown("extensions.ael", TEXT("  if (${LEN(${X})} > 3) { &ring(100,${X}); }"), out, sizeof out),
                        "  if (${LEN(${X})} > 3) { &ring(100,${X}); }");
}

/* A line longer than Asterisk reads is not shown; one of that length is. */
static void test_ceiling(void **state)
{
    unsigned char mask[CONF_LINE_MAX];
    char *line = malloc(1 << 20);

    (void)state;
    assert_non_null(line);
    memset(line, 'x', 1 << 20);
    memcpy(line, "same = n,", 9);
    assert_false(mask_line("x", text_make(line, 1 << 20), mask));
    assert_false(mask_line("x", text_make(line, CONF_LINE_MAX + 1), mask));
    assert_true(mask_line("x", text_make(line, CONF_LINE_MAX), mask));
    free(line);
}

/* Whatever the bytes, at whatever length: every byte gets a judgement, and an excerpt stays within its columns. */
static void test_cut_lines(void **state)
{
    static const char line[] = "same => n,Set(X=${CURL(https://a:b@c/?d=${E:1})}$[\"${F}\"=\"123\"]\t\xc3\xbc\xff\x1b) ; x \\; ";
    unsigned char mask[CONF_LINE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof line; i++)
        for (size_t k = i; k < sizeof line; k++) {
            char *copy = malloc(k - i + 1); /* of exactly that size, so that a checker sees a read beyond it */

            assert_non_null(copy);
            memcpy(copy, line + i, k - i);
            memset(mask, 99, sizeof mask);
            if (mask_line("x", text_make(copy, k - i), mask))
                for (size_t m = 0; m < k - i; m++)
                    assert_in_range(mask[m], MASK_SHOWN, MASK_GONE);
            free(copy);
        }
}

/* ---- excerpts ---- */

static const char sample[] = "[general]\r\n"
                             "enabled = yes\r\n"
                             "\tsecret\t= hunter2 ; x\n"
                             "same => n,\tSet(\x1b[2J${X:1})\n"
                             "nonsense hunter2\n"
                             "[two](!)\n"
                             "exten => 1,1,Dial(PJSIP/9)";

static struct excerpt excerpt_of(struct source *s, unsigned line, unsigned column)
{
    const struct conf_place place = { .file = "/etc/asterisk/a.conf", .line = line, .column = column };
    struct excerpt x;

    excerpt_make(&x, s, &place);
    return x;
}

static void test_excerpts(void **state)
{
    struct audit_files f;
    struct source *s = NULL;
    struct excerpt x;

    (void)state;
    audit_files_init(&f, "a.conf", sample);
    assert_int_equal(source_open(&s, &f.source), 0);
    x = excerpt_of(s, 2, 1);
    assert_string_equal(x.line, "enabled = yes");
    assert_true(x.mark == 0 && x.mark_width == 7);
    x = excerpt_of(s, 3, 11);
    assert_string_equal(x.line, "    secret  = ***");
    assert_true(x.mark == 14 && x.mark_width == 3);
    x = excerpt_of(s, 4, 12);
    assert_string_equal(x.line, "same => n,  Set(?[2J${X:1})");
    assert_true(x.mark == 12 && x.mark_width == 3);
    assert_int_equal(excerpt_of(s, 5, 1).state, EXCERPT_HIDDEN);
    x = excerpt_of(s, 7, 14);
    assert_true(x.mark == 13 && x.mark_width == 4);
    assert_int_equal(excerpt_of(s, 7, 400).mark_width, 0);
    assert_int_equal(excerpt_of(s, 8, 1).state, EXCERPT_NONE);
    assert_int_equal(excerpt_of(s, 0, 0).state, EXCERPT_NONE);
    assert_true(text_eq(source_section(s, "/etc/asterisk/a.conf", 5), TEXT("[general]")));
    assert_true(text_eq(source_section(s, "/etc/asterisk/a.conf", 7), TEXT("[two](!)")));
    assert_false(source_line(s, "/nowhere", 1).p);
    source_free(s);
    source_free(NULL);
}

/* The window of a long line holds the place, wherever it is. */
static void test_long_line(void **state)
{
    enum { LONG = 4000 };
    char *text = calloc(1, LONG + 32);
    struct audit_files f;
    struct source *s = NULL;

    (void)state;
    assert_non_null(text);
    strcpy(text, "same => n,");
    for (size_t i = 10; i < LONG; i++)
        text[i] = i % 10 ? (char)('a' + i % 26) : ' ';
    audit_files_init(&f, "a.conf", text);
    assert_int_equal(source_open(&s, &f.source), 0);
    for (unsigned column = 11; column < LONG; column += 7) {
        const struct excerpt x = excerpt_of(s, 1, column);

        assert_true(strlen(x.line) <= EXCERPT_COLUMNS);
        assert_true(x.mark_width > 0 && x.mark + x.mark_width <= EXCERPT_COLUMNS);
        if (text[column - 1] != ' ')
            assert_int_equal(x.line[x.mark], text[column - 1]);
    }
    source_free(s);
    free(text);
}

static void test_plain(void **state)
{
    struct audit_files f;
    struct source *s = NULL;
    struct buf b;

    (void)state;
    audit_files_init(&f, "a.conf", sample);
    assert_int_equal(source_open(&s, &f.source), 0);
    buf_init(&b, 1000);
    for (unsigned line = 2; line < 6; line++) {
        const struct conf_place place = { .file = "/etc/asterisk/a.conf", .line = line, .column = 1 };

        assert_int_equal(excerpt_plain(&b, s, &place), 0);
        buf_add_char(&b, '|');
    }
    assert_string_equal(buf_cstr(&b), "enabled = yes|secret = ***|same => n, Set(?[2J${X:1})||");
    buf_free(&b);
    source_free(s);
}

static int look(struct audit_files *f)
{
    struct source *s = NULL;
    int err = source_open(&s, &f->source);

    if (err)
        return err;
    if (excerpt_of(s, 2, 1).state != EXCERPT_SHOWN)
        err = source_error(s) ? source_error(s) : -1;
    source_free(s);
    return err;
}

static void test_memory(void **state)
{
    struct audit_files f;

    (void)state;
    audit_files_init(&f, "a.conf", sample);
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = look(&f);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
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
        cmocka_unit_test(test_clean),    cmocka_unit_test(test_columns), cmocka_unit_test(test_secrets),   cmocka_unit_test(test_tokens_and_codes),
        cmocka_unit_test(test_programs), cmocka_unit_test(test_ceiling), cmocka_unit_test(test_cut_lines), cmocka_unit_test(test_excerpts),
        cmocka_unit_test(test_long_line), cmocka_unit_test(test_plain),  cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
