/* The audit's frame: what is read, the order of findings, silencing by comments, unreadable folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/audit.h"
#include "audit_files.h"

static const struct audit_rule probe = { .code = "ST999", .name = "probe", .severity = AUDIT_WARNING };

static struct audit *run(struct audit_files *f, const char *text)
{
    static const char *const codes[] = { "ST001" };
    struct audit *a = NULL;

    audit_files_init(f, "extensions.conf", text);
    assert_int_equal(audit_files_run(&a, f, codes, 1), 0);
    return a;
}

static void test_files(void **state)
{
    struct audit_files f;
    struct audit *a = run(&f, "[a]\n;; file manager.conf\n[general]\nenabled=yes\n");

    (void)state;
    assert_non_null(a->files[AUDIT_EXTENSIONS]);
    assert_non_null(a->files[AUDIT_MANAGER]);
    assert_null(a->files[AUDIT_PJSIP]);
    assert_int_equal(a->file_errors[AUDIT_PJSIP], -ENOENT);
    for (int i = 0; i < AUDIT_FILE_COUNT; i++)
        assert_true(strlen(audit_file_name((enum audit_file)i)) > 5);
    audit_free(a);
    audit_free(NULL);
}

static void test_no_folder(void **state)
{
    const struct audit_options opt = { .folder = "/nonexistent/folder" };
    struct audit *a = NULL;

    (void)state;
    assert_int_equal(audit_open(&a, &opt), -ENOENT);
    assert_null(a);
}

static void test_order(void **state)
{
    static const struct conf_place places[] = { { "b", 1, 1 }, { "a", 9, 1 }, { "a", 2, 7 }, { "a", 2, 3 }, { "a", 10, 1 } };
    struct audit_files f;
    struct audit *a = run(&f, "[a]\n");
    const struct audit_step way = { .place = { "a", 1, 1 }, .text = "here" };

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        assert_int_equal(audit_find(a, &probe, places[i], "finding %zu\x1b[2J", i), 0);
    audit_weigh(a, AUDIT_ERROR);
    assert_int_equal(audit_hint(a, "do %s", "this"), 0);
    assert_int_equal(audit_path(a, &way, 1), 0);
    assert_int_equal(a->finding_count, 5);
    assert_string_equal(a->findings[4].message, "finding 4?[2J");
    assert_string_equal(a->findings[4].hint, "do this");
    assert_int_equal(a->findings[4].severity, AUDIT_ERROR);
    assert_string_equal(a->findings[4].path[0].text, "here");
    audit_free(a);
}

static const char broken[] =
    "[a]\n"
    "nonsense one\n"
    "nonsense two ; audit-ignore ST001 known\n"
    "; audit-ignore ST002,ST001 both\n"
    "nonsense three\n"
    "nonsense four ; audit-ignore ST002\n"
    "nonsense five\n"
    "nonsense six \\; audit-ignore ST001\n";

static void test_silence(void **state)
{
    static const bool expected[] = { false, true, true, false, false, false };
    struct audit_files f;
    struct audit *a = run(&f, broken);

    (void)state;
    assert_int_equal(a->finding_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(a->findings[i].silenced_by != NULL, expected[i]);
        if (i)
            assert_true(a->findings[i].place.line > a->findings[i - 1].place.line);
    }
    assert_string_equal(a->findings[1].silenced_by, "comment");
    audit_free(a);
}

static void test_ceiling(void **state)
{
    struct audit_files f;
    struct audit *a = run(&f, "[a]\n");

    (void)state;
    for (size_t i = 0; i < AUDIT_FINDINGS_MAX + 3; i++)
        assert_int_equal(audit_find(a, &probe, (struct conf_place){ "a", 1, 1 }, "x"), 0);
    assert_int_equal(a->finding_count, AUDIT_FINDINGS_MAX);
    assert_int_equal(a->findings_dropped, 3);
    assert_int_equal(audit_hint(a, "lost"), 0);
    assert_null(a->findings[AUDIT_FINDINGS_MAX - 1].hint);
    audit_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),  cmocka_unit_test(test_no_folder), cmocka_unit_test(test_order),
        cmocka_unit_test(test_silence), cmocka_unit_test(test_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
