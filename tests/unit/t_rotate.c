/* A rotation's pure parts: the one value in a text, the record; and files that are exchanged in one step. */
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

#include "app/file_set.h"
#include "app/rotate/exchange.h"
#include "app/rotate/record.h"
#include "app/rotate/swap.h"
#include "fail_alloc.h"
#include "pbx/secret_again.h"

static char folder[] = "/tmp/st-t-rotate-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void path_of(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
}

static void put(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(content, f) >= 0 && fclose(f) == 0);
}

static void expect_text(const char *content, unsigned line, unsigned column, int want_err, const char *want)
{
    const struct exchange_place at = { .line = line, .column = column };
    char *out = NULL;
    size_t n = 0;

    assert_int_equal(exchange_text(&out, &n, text_of(content), &at, "old", "brandnew"), want_err);
    if (!want_err) {
        assert_string_equal(out, want);
        assert_int_equal(n, strlen(want));
    }
    free(out);
}

static void test_one_value_is_replaced(void **state)
{
    (void)state;
    expect_text("secret = old", 1, 10, 0, "secret = brandnew");
    expect_text("[old]\r\nsecret=old ; old\r\nold", 2, 8, 0, "[old]\r\nsecret=brandnew ; old\r\nold");
    expect_text("secret = old", 1, 9, -EBADMSG, NULL);
    expect_text("secret = old", 1, 11, -EBADMSG, NULL);
    expect_text("secret = old", 1, 0, -EBADMSG, NULL);
    expect_text("secret = old", 1, 99, -EBADMSG, NULL);
    expect_text("secret = old", 2, 10, -EBADMSG, NULL);
    expect_text("", 1, 1, -EBADMSG, NULL);
    expect_text("secret = ol", 1, 10, -EBADMSG, NULL);
}

static void expect_place(const char *content, const char *user, int want_err, unsigned line, unsigned column, const char *value)
{
    struct exchange_place at = { .line = 0 };
    char path[200];

    path_of(path, sizeof path, "manager.conf");
    put(path, content);
    assert_int_equal(exchange_find(&at, path, user, "secret"), want_err);
    if (!want_err) {
        assert_string_equal(at.file, path);
        assert_int_equal(at.line, line);
        assert_int_equal(at.column, column);
        assert_string_equal(at.value, value);
    }
    unlink(path);
}

static void test_the_line_is_found(void **state)
{
    (void)state;
    expect_place("[tap]\nsecret = s3\n", "tap", 0, 2, 10, "s3");
    expect_place("[tap]\nsecret = s2\n[x]\n[tap]\n  secret=>s3 ; why\n", "tap", 0, 5, 11, "s3");
    expect_place("[tap]\nsecret = s3\n[x]\nsecret = s3\n", "x", 0, 4, 10, "s3");
    expect_place("[tap]\nsecret = s4\n", "tap", 0, 2, 10, "s4");
    expect_place("[tap]\nsecret = s3\n[tap]\nsecret = s4\n", "tap", 0, 4, 10, "s4");
    expect_place("[t](!)\nsecret = s3\n[tap](t)\nread = all\n", "tap", -EXDEV, 0, 0, NULL);
    expect_place("[t](!)\nsecret = s2\n[tap](t)\nsecret = s3\n", "tap", 0, 4, 10, "s3");
    expect_place("[tap]\nsecret = s\nsecret += 3\n", "tap", -EBADMSG, 0, 0, NULL);
    expect_place("[tap]\nread = all\n", "tap", -ENOENT, 0, 0, NULL);
    expect_place("[tap](!)\nsecret = s3\n", "tap", -ENOENT, 0, 0, NULL);
    expect_place("", "tap", -ENOENT, 0, 0, NULL);
}

static void test_an_included_file_is_named(void **state)
{
    struct exchange_place at;
    char root[200], part[200];

    (void)state;
    path_of(root, sizeof root, "manager.conf");
    path_of(part, sizeof part, "part.conf");
    put(root, "[general]\n#include \"part.conf\"\n");
    put(part, "; ours\n[tap]\nsecret = s3\n");
    assert_int_equal(exchange_find(&at, root, "tap", "secret"), 0);
    assert_string_equal(at.file, part);
    assert_int_equal(at.line, 3);
    unlink(root);
    unlink(part);
    assert_int_equal(exchange_find(&at, root, "tap", "secret"), -ENOENT);
}

static void expect_file(const char *path, const char *want)
{
    char *bytes = NULL;
    size_t n = 0;

    assert_int_equal(file_grab(path, &bytes, &n, NULL), 0);
    assert_true(text_eq(text_make(bytes, n), text_of(want)));
    free(bytes);
}

static void test_a_file_keeps_its_mode_and_its_link(void **state)
{
    char path[200], link[200];
    struct stat st;

    (void)state;
    path_of(path, sizeof path, "file");
    path_of(link, sizeof link, "link");
    put(path, "before");
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(swap_write(link, TEXT("after")), 0);
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0604);
    expect_file(path, "after");
    unlink(path);
    assert_int_equal(swap_write(link, TEXT("x")), -ENOENT);
    unlink(link);
}

/* Each step leaves one of two whole contents; what is beside the file is hidden, and as private as it. */
static void test_a_file_goes_there_and_back(void **state)
{
    struct swap s;
    struct stat st;
    char path[200], next[200], before[200];

    (void)state;
    path_of(path, sizeof path, "file");
    path_of(next, sizeof next, ".file.next-rotation");
    path_of(before, sizeof before, ".file.before-rotation");
    put(path, "old");
    assert_int_equal(chmod(path, 0600), 0);
    put(next, "left by one that was cut off");
    assert_int_equal(swap_open(&s, path), 0);
    assert_string_equal(s.next, next);
    assert_string_equal(s.before, before);
    assert_int_equal(swap_keep(&s, TEXT("old")), 0);
    assert_int_equal(swap_prepare(&s, TEXT("new")), 0);
    assert_true(stat(next, &st) == 0 && (st.st_mode & 07777) == 0600);
    assert_true(stat(before, &st) == 0 && (st.st_mode & 07777) == 0600);
    assert_int_equal(swap_put_back(&s), 0);
    expect_file(path, "old");
    expect_file(next, "new");
    assert_int_equal(swap_put(&s), 0);
    expect_file(path, "new");
    expect_file(before, "old");
    assert_int_equal(swap_put_back(&s), 0);
    expect_file(path, "old");
    expect_file(before, "old");
    assert_int_equal(access(next, F_OK), -1);
    assert_int_equal(swap_put(&s), -ENOENT);
    expect_file(path, "old");
    swap_forget(&s);
    assert_int_equal(access(before, F_OK), -1);
    swap_close(&s);
    unlink(path);
    assert_int_equal(swap_open(&s, path), -ENOENT);
    swap_close(&s);
}

static void expect_record(const char *old, const char *user, const char *want)
{
    const struct rotation r = { .node = "pbx1", .door = "ami", .user = user, .at_us = 0 };
    struct buf out;

    buf_init(&out, 4096);
    assert_int_equal(rotation_add(&out, text_of(old), &r), 0);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

#define ENTRY(user) "{\"node\":\"pbx1\",\"door\":\"ami\",\"user\":\"" user "\",\"at\":\"1970-01-01T00:00:00.000Z\"}"

static void test_record(void **state)
{
    (void)state;
    expect_record("", "tap", "{\"rotations\":[" ENTRY("tap") "]}\n");
    expect_record("not json {", "tap", "{\"rotations\":[" ENTRY("tap") "]}\n");
    expect_record("{\"rotations\":7}", "tap", "{\"rotations\":[" ENTRY("tap") "]}\n");
    expect_record("{\"rotations\":[{\"node\":\"pbx1\",\"door\":\"ami\",\"user\":\"tap\",\"at\":\"x\"}," ENTRY("b") "]}", "tap",
                  "{\"rotations\":[" ENTRY("b") "," ENTRY("tap") "]}\n");
}

struct met {
    int count;
    int64_t at_us;
};

static void on_entry(void *arg, const struct rotation *r)
{
    struct met *m = arg;

    m->count++;
    m->at_us = r->at_us;
    assert_string_equal(r->node, "pbx1");
    assert_string_equal(r->door, "ami");
}

/* What was written is read again; what is damaged is passed over. */
static void test_record_is_read(void **state)
{
    const struct rotation r = { .node = "pbx1", .door = "ami", .user = "tap", .at_us = INT64_C(1763838498000000) };
    static const char *const damaged[] = { "", "{", "[]", "{\"rotations\":{}}", "{\"rotations\":[7,null,{}]}",
                                           "{\"rotations\":[{\"node\":\"pbx1\",\"door\":\"ami\",\"user\":\"a\",\"at\":\"soon\"}]}" };
    struct met m = { 0 };
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(rotation_add(&out, TEXT("{\"rotations\":[" ENTRY("b") "]}"), &r), 0);
    rotation_each(buf_text(&out), on_entry, &m);
    assert_int_equal(m.count, 2);
    assert_true(m.at_us == r.at_us);
    buf_free(&out);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        rotation_each(text_of(damaged[i]), on_entry, &m);
    assert_int_equal(m.count, 2);
    assert_int_equal(rotation_read(folder, on_entry, &m), -ENOENT);
}

static int ask(const void *of, char *out, size_t size)
{
    if (!of)
        return -ENOENT;
    text_copy(out, size, text_of(of));
    return 0;
}

static void test_a_refused_secret_is_exchanged_once(void **state)
{
    struct secret_again again = { .ask = NULL };
    char *secret = text_dup(TEXT("old"));

    (void)state;
    assert_non_null(secret);
    assert_false(secret_again_take(&again, &secret));
    again = (struct secret_again){ ask, NULL };
    assert_false(secret_again_take(&again, &secret));
    again.of = "old";
    assert_false(secret_again_take(&again, &secret));
    again.of = "fresh";
    fail_alloc_at(1);
    assert_false(secret_again_take(&again, &secret));
    fail_alloc_off();
    assert_string_equal(secret, "old");
    assert_true(secret_again_take(&again, &secret));
    assert_string_equal(secret, "fresh");
    assert_false(secret_again_take(&again, &secret));
    free(secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_value_is_replaced),
        cmocka_unit_test(test_the_line_is_found),
        cmocka_unit_test(test_an_included_file_is_named),
        cmocka_unit_test(test_a_file_keeps_its_mode_and_its_link),
        cmocka_unit_test(test_a_file_goes_there_and_back),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_is_read),
        cmocka_unit_test(test_a_refused_secret_is_exchanged_once),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
