/* JSON lines in real files: whole batches, torn ends, repeats after a kill, a full disk, rotation, files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "net_help.h"
#include "sink/sink_parts.h"

static char dir[64], file[128], old[132];
static struct sink_settings set;

static int up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sinks-j-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof file, "%s/out.jsonl", dir);
    snprintf(old, sizeof old, "%s.1", file);
    set = (struct sink_settings){ .name = "j", .file = file };
    return 0;
}

static int down(void **state)
{
    (void)state;
    unlink(file);
    unlink(old);
    return rmdir(dir);
}

static void *open_it(void)
{
    void *self;
    char *problem = NULL;

    assert_int_equal(sink_jsonl.open(&self, &set, &help_log, &problem), 0);
    assert_null(problem);
    return self;
}

/* Rows first .. first + count - 1. */
static int give(void *self, unsigned first, unsigned count, char *why)
{
    struct sink_row rows[200];
    size_t bad;

    for (unsigned i = 0; i < count; i++)
        rows[i] = (struct sink_row){ .id = first + i, .node = "pbx1", .kind = "call.started", .call = "1.1", .detail = "{}", .session = 5,
                                     .seq = first + i };
    return sink_jsonl.deliver(self, rows, count, &bad, why, SINK_WHY);
}

/* The file's lines must be exactly first .. last, each once, in order. */
static void check_lines(const char *path, unsigned first, unsigned last)
{
    FILE *f = fopen(path, "r");
    char line[1024], start[64];

    assert_non_null(f);
    for (unsigned i = first; i <= last; i++) {
        snprintf(start, sizeof start, "{\"key\":\"pbx1/5/%u/0\",", i);
        assert_non_null(fgets(line, sizeof line, f));
        assert_int_equal(strncmp(line, start, strlen(start)), 0);
        assert_int_equal(line[strlen(line) - 1], '\n');
    }
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
}

static void append_raw(const char *bytes, size_t n)
{
    FILE *f = fopen(file, "a");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_appends(void **state)
{
    char why[SINK_WHY];
    void *self = open_it();
    struct stat st;

    (void)state;
    assert_int_equal(give(self, 1, 100, why), 0);
    assert_int_equal(give(self, 101, 100, why), 0);
    sink_jsonl.close(self);
    check_lines(file, 1, 200);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);
}

static void test_rows_written_beyond_the_cursor_are_not_written_again(void **state)
{
    char why[SINK_WHY];
    void *self = open_it();

    (void)state;
    assert_int_equal(give(self, 1, 100, why), 0);
    sink_jsonl.close(self);
    self = open_it();
    assert_int_equal(give(self, 51, 100, why), 0);
    sink_jsonl.close(self);
    check_lines(file, 1, 150);
}

/* Killed at every byte of the last line: the torn one is cut and written again, whole ones stay. */
static void test_a_torn_line_at_every_byte(void **state)
{
    char why[SINK_WHY];
    struct stat whole, all;
    void *self = open_it();

    (void)state;
    assert_int_equal(give(self, 1, 3, why), 0);
    assert_int_equal(stat(file, &whole), 0);
    assert_int_equal(give(self, 4, 1, why), 0);
    assert_int_equal(stat(file, &all), 0);
    sink_jsonl.close(self);
    for (off_t at = whole.st_size; at <= all.st_size; at++) {
        assert_int_equal(truncate(file, at), 0);
        self = open_it();
        assert_int_equal(give(self, 2, 3, why), 0);
        sink_jsonl.close(self);
        check_lines(file, 1, 4);
    }
}

static void test_zeros_of_a_power_cut_are_cut(void **state)
{
    char why[SINK_WHY], zeros[300] = "";
    void *self = open_it();

    (void)state;
    assert_int_equal(give(self, 1, 3, why), 0);
    sink_jsonl.close(self);
    append_raw(zeros, sizeof zeros);
    self = open_it();
    assert_int_equal(give(self, 1, 4, why), 0);
    sink_jsonl.close(self);
    check_lines(file, 1, 4);
}

static void test_somebody_elses_file_stays_whole(void **state)
{
    char why[SINK_WHY];
    void *self;
    struct stat st;

    (void)state;
    append_raw("precious\ntext", 13);
    self = open_it();
    assert_int_equal(give(self, 1, 3, why), -EAGAIN);
    assert_non_null(strstr(why, "does not look like"));
    sink_jsonl.close(self);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_size, 13);
}

static void test_what_is_no_regular_file(void **state)
{
    char why[SINK_WHY];
    void *self;

    (void)state;
    set.file = "/dev/null";
    self = open_it();
    assert_int_equal(give(self, 1, 3, why), -EAGAIN);
    assert_string_equal(why, "/dev/null: is not a regular file");
    sink_jsonl.close(self);
    set.file = "/proc/none/x";
    self = open_it();
    assert_int_equal(give(self, 1, 3, why), -EAGAIN);
    sink_jsonl.close(self);
}

/* A disk that is full in the middle of a batch leaves none of it; with room again nothing is missing and nothing is double. */
static void test_a_full_disk(void **state)
{
    char why[SINK_WHY];
    struct rlimit before, tight;
    struct stat st;
    void *self = open_it();

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(give(self, 1, 100, why), 0);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)st.st_size + 3000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(self, 101, 100, why), -EAGAIN);
        assert_non_null(strstr(why, "File too large"));
        check_lines(file, 1, 100);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(give(self, 101, 100, why), 0);
    check_lines(file, 1, 200);
    sink_jsonl.close(self);
}

static void test_rotation_keeps_every_row_in_one_of_two_files(void **state)
{
    char why[SINK_WHY];
    struct stat st;
    void *self;

    (void)state;
    set.rotate_bytes = 30000;
    self = open_it();
    assert_int_equal(give(self, 1, 100, why), 0);
    assert_int_equal(give(self, 101, 100, why), 0);     /* would pass the size: goes into a new file */
    assert_int_equal(stat(file, &st), 0);
    assert_true(st.st_size <= 30000);
    check_lines(old, 1, 100);
    check_lines(file, 101, 200);
    /* Killed before the cursor was durable: the rotated file is known, too. */
    sink_jsonl.close(self);
    self = open_it();
    assert_int_equal(give(self, 51, 100, why), 0);
    sink_jsonl.close(self);
    check_lines(old, 1, 100);
    check_lines(file, 101, 200);
}

static void test_a_file_that_was_moved_away_is_made_anew(void **state)
{
    char why[SINK_WHY];
    void *self = open_it();

    (void)state;
    assert_int_equal(give(self, 1, 10, why), 0);
    assert_int_equal(rename(file, old), 0);
    assert_int_equal(give(self, 11, 10, why), 0);
    check_lines(old, 1, 10);
    check_lines(file, 11, 20);
    assert_int_equal(truncate(file, 0), 0);             /* logrotate's copytruncate */
    assert_int_equal(give(self, 21, 10, why), 0);
    check_lines(file, 21, 30);
    sink_jsonl.close(self);
}

static void test_a_file_is_needed(void **state)
{
    void *self;
    char *problem = NULL;

    (void)state;
    set.file = NULL;
    assert_int_equal(sink_jsonl.open(&self, &set, &help_log, &problem), -EINVAL);
    assert_string_equal(problem, "sink j: a file is needed (file = PATH)");
    free(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_appends, up, down),
        cmocka_unit_test_setup_teardown(test_rows_written_beyond_the_cursor_are_not_written_again, up, down),
        cmocka_unit_test_setup_teardown(test_a_torn_line_at_every_byte, up, down),
        cmocka_unit_test_setup_teardown(test_zeros_of_a_power_cut_are_cut, up, down),
        cmocka_unit_test_setup_teardown(test_somebody_elses_file_stays_whole, up, down),
        cmocka_unit_test_setup_teardown(test_what_is_no_regular_file, up, down),
        cmocka_unit_test_setup_teardown(test_a_full_disk, up, down),
        cmocka_unit_test_setup_teardown(test_rotation_keeps_every_row_in_one_of_two_files, up, down),
        cmocka_unit_test_setup_teardown(test_a_file_that_was_moved_away_is_made_anew, up, down),
        cmocka_unit_test_setup_teardown(test_a_file_is_needed, up, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
