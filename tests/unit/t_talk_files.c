/* talk_files.c: what is old goes, what is not ours stays. Ages are set on the files, and compared with a moment that the test names. */
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
#include <fcntl.h>
#include <sys/stat.h>

#include "app/talk_files.h"
#include "fail_alloc.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

static void put(const char *dir, const char *name, int64_t at_s)
{
    const struct timespec times[2] = { { .tv_sec = at_s }, { .tv_sec = at_s } };
    char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool has(const char *dir, const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void drop(const char *dir, const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

static void t_the_old_ones_go(void **state)
{
    char dir[] = "/tmp/sidetone-talks-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    put(dir, "1700.1-20200101T000000000.wav", 1000);
    put(dir, "1700.1-20200101T000000000.jsonl", 1999);
    put(dir, "1700.2-20200101T000000000.wav", 2000);
    put(dir, "notes.txt", 1000);
    put(dir, ".wav", 1000);        /* a name and nothing else: not ours */
    assert_int_equal(talk_files_sweep(dir, 2000), 2);
    assert_true(has(dir, "1700.2-20200101T000000000.wav") && has(dir, "notes.txt") && has(dir, ".wav"));
    assert_int_equal(talk_files_sweep(dir, 2000), 0);
    assert_int_equal(talk_files_sweep("/no/such/folder", 2000), 0);
    drop(dir, "1700.2-20200101T000000000.wav");
    drop(dir, "notes.txt");
    drop(dir, ".wav");
    assert_int_equal(rmdir(dir), 0);
}

static bool is_swept(void *arg)
{
    return !has(arg, "old.wav");
}

static void t_at_the_start(void **state)
{
    char dir[] = "/tmp/sidetone-talks-XXXXXX";
    struct talk_files *t;
    struct loop *l;

    (void)state;
    assert_non_null(mkdtemp(dir));
    put(dir, "old.wav", 1000);     /* 1970 */
    assert_int_equal(loop_new(&l, &test_log), 0);
    assert_int_equal(talk_files_open(&t, l, dir, 60000, &test_log), 0);
    assert_string_equal(talk_files_folder(t), dir);
    assert_true(turn_until(l, is_swept, dir, 5000));
    talk_files_close(t);           /* also when the loop has not heard of the sweep's end yet */
    loop_free(l);
    assert_int_equal(rmdir(dir), 0);
}

static void t_never(void **state)
{
    char dir[] = "/tmp/sidetone-talks-XXXXXX";
    struct talk_files *t;
    struct loop *l;

    (void)state;
    assert_non_null(mkdtemp(dir));
    put(dir, "old.wav", 1000);
    assert_int_equal(loop_new(&l, &test_log), 0);
    assert_int_equal(talk_files_open(&t, l, dir, 0, &test_log), 0);
    turn_for(l, 20);
    talk_files_close(t);
    talk_files_close(NULL);
    loop_free(l);
    drop(dir, "old.wav");
    assert_int_equal(rmdir(dir), 0);
}

static void t_memory_short(void **state)
{
    struct talk_files *t = NULL;
    struct loop *l;
    int err = -1;

    (void)state;
    assert_int_equal(loop_new(&l, &test_log), 0);
    for (long n = 1; err; n++) {
        fail_alloc_at(n);
        err = talk_files_open(&t, l, "/no/such/folder", 1000, &test_log);
        assert_true(!err || err == -ENOMEM);
        assert_true(n < 100);
    }
    fail_alloc_off();
    talk_files_close(t);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_the_old_ones_go),
        cmocka_unit_test(t_at_the_start),
        cmocka_unit_test(t_never),
        cmocka_unit_test(t_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
