/* Versions as people and packages write them, and the holes that are told by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audit/version.h"
#include "audit_files.h"

static void test_read(void **state)
{
    static const struct {
        const char *text;
        int64_t number;            /* 0: none */
        unsigned count;
    } rows[] = {
        { "22", 22000000, 1 },
        { "22.4", 22004000, 2 },
        { "22.4.1", 22004001, 3 },
        { " 22.4.1\t", 22004001, 3 },
        { "Asterisk 22.4.1", 22004001, 3 },
        { "22.10.1+dfsg+~cs6.17.60671434-1", 22010001, 3 },
        { "1:22.10.1~dfsg+~cs6.17.60671434-1", 22010001, 3 },
        { "22.10.1 built by nobody", 22010001, 3 },
        { "22.9.0-rc1", 22009000 - 1, 3 },
        { "20.7-cert4", 20007000, 2 },
        { "1.8.32.3", 0, 0 },
        { "", 0, 0 },
        { "x", 0, 0 },
        { "22.", 0, 0 },
        { "22.4.", 0, 0 },
        { "22..4", 0, 0 },
        { "-22", 0, 0 },
        { "0.4", 0, 0 },
        { "2222.1", 0, 0 },
        { "22.4.1x", 0, 0 },
        { "22.4.1-\n", 22004001, 3 },
        { "22.4.1-a\nb", 0, 0 },
        { "GIT-22-3c1ff", 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit_version v = { .count = 99 };
        const bool is_one = audit_version_read(&v, text_of(rows[i].text));

        if (is_one != (rows[i].number != 0))
            fail_msg("%s is %s version", rows[i].text, is_one ? "a" : "no");
        assert_int_equal(v.count, is_one ? rows[i].count : 99);
        if (is_one && audit_version_number(&v) != rows[i].number)
            fail_msg("%s gives %lld", rows[i].text, (long long)audit_version_number(&v));
    }
}

static size_t holes(const char *version)
{
    static const char *const code = "ST590";
    struct audit_files files;
    struct audit *a = NULL;
    size_t found;

    audit_files_init(&files, "manager.conf", "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nwrite = config\n");
    const struct audit_options opt = { .folder = "/etc/asterisk", .source = &files.source, .version = version, .version_from = version ? "a test" : NULL };

    assert_int_equal(audit_open(&a, &opt), 0);
    assert_int_equal(audit_run(a, &code, 1), 0);
    found = a->finding_count;
    audit_free(a);
    return found;
}

/* ListCategories: closed by 20.11.1, 21.6.1, 22.1.1, 23.0.0. */
static void test_holes(void **state)
{
    (void)state;
    assert_int_equal(holes(NULL), 1);
    assert_int_equal(holes("22"), 1);
    assert_int_equal(holes("22.1.0"), 1);
    assert_int_equal(holes("22.1.1-rc1"), 1);
    assert_int_equal(holes("22.1.1"), 0);
    assert_int_equal(holes("1:22.10.1~dfsg+~cs6.17.60671434-1"), 0);
    assert_int_equal(holes("22.10.1+dfsg+~cs6.17.60671434-1"), 0);
    assert_int_equal(holes("20.11.0"), 1);
    assert_int_equal(holes("20.20"), 0);
    assert_int_equal(holes("23.1"), 0);
    assert_int_equal(holes("24.0.0"), 0);
    assert_int_equal(holes("19.8.1"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_read), cmocka_unit_test(test_holes) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
