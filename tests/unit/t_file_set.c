/* Files that are replaced together: when one cannot be, the others are put back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/audit_record.h"
#include "app/file_set.h"

static char folder[] = "/tmp/st-t-file-set-XXXXXX", one[64], two[64];

static void put(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(content, f) >= 0 && fclose(f) == 0);
}

static void expect(const char *path, const char *want)
{
    char *p;
    size_t n;
    struct stat st;

    assert_int_equal(file_grab(path, &p, &n, &st), 0);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(p, want, n);
    assert_int_equal(st.st_mode & 07777, 0604);
    free(p);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(one, sizeof one, "%s/one.conf", folder);
    snprintf(two, sizeof two, "%s/two.conf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(one) || unlink(two) || rmdir(folder); /* rmdir: nothing else is left */
}

static void begin(struct file_set *s)
{
    *s = (struct file_set){ .count = 0 };
    put(one, "old one\n");
    put(two, "old two\n");
    assert_int_equal(chmod(one, 0604) | chmod(two, 0604), 0);
    assert_int_equal(file_set_add(s, one, TEXT("old one\n"), TEXT("new one\n")), 0);
    assert_int_equal(file_set_add(s, two, TEXT("old two\n"), TEXT("new two\n")), 0);
}

static void test_all(void **state)
{
    struct file_set s;

    (void)state;
    begin(&s);
    assert_int_equal(file_set_check(&s, folder), 0);
    assert_int_equal(file_set_backup(&s, "T"), 0);
    assert_int_equal(file_set_put(&s), 0);
    expect(one, "new one\n");
    expect(two, "new two\n");
    expect(s.items[0].backup, "old one\n");
    assert_string_equal(s.items[0].backup + strlen(one), ".sidetone-T");
    file_set_backup_drop(&s);
    file_set_free(&s);
}

/* The second one cannot be renamed: a folder stands where its new content was to come from. */
static void test_none(void **state)
{
    char fresh[128];
    struct file_set s;

    (void)state;
    begin(&s);
    snprintf(fresh, sizeof fresh, "%s/.sidetone-fresh-two.conf", folder);
    assert_int_equal(mkdir(fresh, 0700), 0);
    assert_int_equal(file_set_put(&s), -EEXIST);
    assert_int_equal(s.at, 1);
    assert_false(s.is_torn);
    expect(one, "old one\n");
    expect(two, "old two\n");
    file_set_free(&s);
    assert_int_equal(rmdir(fresh), 0);
}

/* Both names are one file: the first change makes the second one's file another than was read. */
static void test_put_back(void **state)
{
    struct file_set s;

    (void)state;
    begin(&s);
    file_set_free(&s);
    assert_int_equal(file_set_add(&s, one, TEXT("old one\n"), TEXT("new one\n")), 0);
    assert_int_equal(file_set_add(&s, one, TEXT("old one\n"), TEXT("newer one\n")), 0);
    assert_int_equal(file_set_put(&s), -ESTALE);
    assert_int_equal(s.at, 1);
    assert_false(s.is_torn);
    expect(one, "old one\n");
    file_set_free(&s);
}

static void test_refused(void **state)
{
    char link[128];
    struct file_set s;

    (void)state;
    begin(&s);
    put(two, "somebody else\n");
    assert_int_equal(file_set_check(&s, folder), -ESTALE);
    assert_int_equal(file_set_backup(&s, "T"), -ESTALE); /* and no backup of the first is left: remove_folder sees it */
    assert_int_equal(file_set_check(&s, "/usr"), -EXDEV);
    file_set_free(&s);
    snprintf(link, sizeof link, "%s/link.conf", folder);
    assert_int_equal(symlink("one.conf", link), 0);
    assert_int_equal(file_set_add(&s, link, TEXT("old one\n"), TEXT("x")), 0);
    assert_int_equal(file_set_check(&s, folder), -ELOOP);
    file_set_free(&s);
    assert_int_equal(file_set_add(&s, folder, TEXT(""), TEXT("x")), 0);
    assert_int_equal(file_set_check(&s, "/tmp"), -EINVAL);
    file_set_free(&s);
    assert_int_equal(unlink(link), 0);
}

static void expect_record_file(const char *json, bool want)
{
    cJSON *o = cJSON_Parse(json);
    struct audit_record_file f;

    assert_non_null(o);
    assert_int_equal(audit_record_file(&f, o), want);
    cJSON_Delete(o);
}

static void test_record_leads_nowhere_else(void **state)
{
    (void)state;
    expect_record_file("{\"file\":\"a/b.conf\",\"backup\":\"a/b.conf.sidetone-T\",\"before\":\"1\",\"written\":\"2\"}", true);
    expect_record_file("{\"file\":\"../b\",\"backup\":\"../b.sidetone-T\",\"before\":\"1\",\"written\":\"2\"}", false);
    expect_record_file("{\"file\":\"/b\",\"backup\":\"/b.sidetone-T\",\"before\":\"1\",\"written\":\"2\"}", false);
    expect_record_file("{\"file\":\"b\",\"backup\":\"b.sidetone-/../../c\",\"before\":\"1\",\"written\":\"2\"}", false);
    expect_record_file("{\"file\":\"b\",\"backup\":\"c\",\"before\":\"1\",\"written\":\"2\"}", false);
    expect_record_file("{\"file\":\"b\",\"backup\":7}", false);
    expect_record_file("[]", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),     cmocka_unit_test(test_none),
        cmocka_unit_test(test_put_back), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_record_leads_nowhere_else),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
