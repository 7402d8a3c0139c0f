/* Secrets: each kind of reference, what is refused, and that no answer ever carries a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "app/secret.h"
#include "fail_alloc.h"

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sidetone-secret-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
    return 0;
}

static void write_file(const char *name, const char *content, size_t n, mode_t mode)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, n, f), n);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static const struct secret_source source = { .directory = dir, .credentials = dir };

static void expect(const char *reference, const char *value, bool is_warning)
{
    struct secret_answer answer;
    struct secret s = { 0 };

    assert_int_equal(secret_resolve(&s, text_of(reference), &source, &answer), 0);
    assert_true(secret_is_set(&s));
    assert_string_equal(secret_reveal(&s), value);
    assert_int_equal(answer.is_warning, is_warning);
    assert_int_equal(answer.problem[0] != '\0', is_warning);
    assert_null(strstr(answer.problem, value));
    secret_free(&s);
    assert_false(secret_is_set(&s));
    assert_null(secret_reveal(&s));
    secret_free(&s);
}

static void refuse(const char *reference, int err, const char *says)
{
    struct secret_answer answer;
    struct secret s = { 0 };

    assert_int_equal(secret_resolve(&s, text_of(reference), &source, &answer), err);
    assert_false(secret_is_set(&s));
    if (!strstr(answer.problem, says))
        fail_msg("problem was: %s", answer.problem);
    assert_null(strstr(answer.problem, "hunter2"));
}

static void test_found(void **state)
{
    (void)state;
    setenv("SIDETONE_T_SECRET", "hunter2 with blank", 1);
    expect("@env:SIDETONE_T_SECRET", "hunter2 with blank", false);
    write_file("plain", "hunter2", 7, 0600);
    expect("@file:plain", "hunter2", false);
    write_file("lines", "hunter2\r\n", 9, 0600);
    expect("@file:lines", "hunter2", false);
    write_file("open", "hunter2\n", 8, 0644);
    expect("@file:open", "hunter2", true);
    write_file("cred-1.x", "hunter2\n", 8, 0400);
    expect("@credential:cred-1.x", "hunter2", false);
}

static void test_sizes(void **state)
{
    char big[SECRET_MAX + 3], value[SECRET_MAX + 1];

    (void)state;
    memset(big, 'k', sizeof big);
    memset(value, 'k', SECRET_MAX);
    value[SECRET_MAX] = '\0';
    big[SECRET_MAX] = '\r';
    big[SECRET_MAX + 1] = '\n';
    write_file("max", big, SECRET_MAX + 2, 0600);
    expect("@file:max", value, false);
    big[SECRET_MAX] = 'k';
    write_file("more", big, SECRET_MAX + 1, 0600);
    refuse("@file:more", -EINVAL, "came more");
}

static void test_refused(void **state)
{
    static const char *const literals[] = { "hunter2", "", "@", "@hunter2", "@env:", "@env:hunter2 x", "@env:2hunter2", "@file:",
                                            "@credential:", "@credential:../hunter2", "@credential:.hunter2", "@ENV:hunter2",
                                            " @env:hunter2", "@env:hunter2=" };

    (void)state;
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++)
        refuse(literals[i], -EINVAL, "expected @env:NAME, @file:PATH or @credential:NAME");
    unsetenv("SIDETONE_T_ABSENT");
    refuse("@env:SIDETONE_T_ABSENT", -ENOENT, "environment variable SIDETONE_T_ABSENT is not set");
    setenv("SIDETONE_T_EMPTY", "", 1);
    refuse("@env:SIDETONE_T_EMPTY", -EINVAL, "came nothing");
    setenv("SIDETONE_T_LINES", "hunter2\nhunter2", 1);
    refuse("@env:SIDETONE_T_LINES", -EINVAL, "expected one line");
    refuse("@file:absent", -ENOENT, "absent");
    refuse("@file:.", -EINVAL, "not a regular file");
    write_file("nul", "hunter2\0x", 9, 0600);
    refuse("@file:nul", -EINVAL, "expected one line");
    write_file("two", "hunter2\nhunter2\n", 16, 0600);
    refuse("@file:two", -EINVAL, "expected one line");
    write_file("none", "\n", 1, 0600);
    refuse("@file:none", -EINVAL, "came nothing");
}

static void test_no_credentials(void **state)
{
    const struct secret_source none = { .directory = dir };
    struct secret_answer answer;
    struct secret s = { 0 };

    (void)state;
    assert_int_equal(secret_resolve(&s, TEXT("@credential:x"), &none, &answer), -ENOENT);
    assert_non_null(strstr(answer.problem, "CREDENTIALS_DIRECTORY"));
}

static void test_no_memory(void **state)
{
    struct secret_answer answer;
    struct secret s = { 0 };
    int err;

    (void)state;
    write_file("plain", "hunter2", 7, 0600);
    fail_alloc_at(1);
    err = secret_resolve(&s, TEXT("@file:plain"), &source, &answer);
    fail_alloc_off();
    assert_int_equal(err, -ENOMEM);
    assert_false(secret_is_set(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_credentials, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
