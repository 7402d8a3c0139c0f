/* Whose rights count, the mode bits, and the folders on the way. */
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

#include "app/doctor/rights.h"
#include "app/doctor/scripts.h"
#include "fail_alloc.h"

enum { R = DOCTOR_READ, W = DOCTOR_WRITE, X = DOCTOR_RUN, OWNER = 7, GROUP = 70 };

static struct doctor_person person(uid_t uid, gid_t first, gid_t second)
{
    return (struct doctor_person){ .uid = uid, .groups = { first, second }, .group_count = 2, .name = "somebody" };
}

static void test_modes(void **state)
{
    static const struct {
        mode_t mode;
        uid_t uid;
        gid_t first, second;
        unsigned bits;
        bool is_allowed;
    } rows[] = {
        { 0600, OWNER, 1, 2, R | W, true },
        { 0600, OWNER, 1, 2, X, false },
        { 0077, OWNER, GROUP, 2, R, false },    /* the owner's digit counts for the owner, and no other */
        { 0640, 8, GROUP, 2, R, true },
        { 0640, 8, 1, GROUP, R, true },         /* a group beside the first */
        { 0640, 8, 1, 2, R, false },            /* in neither */
        { 0750, 8, 1, 2, R | X, false },
        { 0604, 8, GROUP, 2, R, false },        /* the group's digit counts for its members, though all others may */
        { 0604, 8, 1, 2, R, true },
        { 0644, 8, 1, 2, R | X, false },
        { 0655, 8, 1, 2, R | X, true },
        { 0000, 0, 1, 2, R | W, true },
        { 0644, 0, 1, 2, R | X, false },        /* nobody may run it: nor may root */
        { 0644, 0, 1, 2, X, false },
        { 0645, 0, 1, 2, R | X, true },
        { 0100, 0, 1, 2, R | X, true },
        { S_IFDIR | 0000, 0, 1, 2, X, true },   /* a folder is always open for root */
        { S_IFDIR | 0750, 8, 1, 2, X, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct doctor_person p = person(rows[i].uid, rows[i].first, rows[i].second);

        if (doctor_mode_allows(rows[i].mode, OWNER, GROUP, &p, rows[i].bits) != rows[i].is_allowed)
            fail_msg("row %zu", i);
    }
}

static const char status_text[] = "Name:\tasterisk\nUmask:\t0022\nPid:\t12\nUid:\t1\t2\t3\t110\nGid:\t4\t5\t6\t120\nFDSize:\t64\nGroups:\t20 29 120 \nNgid:\t0\n";

static void test_process_status(void **state)
{
    struct doctor_person p;

    (void)state;
    assert_true(doctor_person_read(&p, text_of(status_text)));
    assert_int_equal(p.uid, 110);
    assert_int_equal(p.group_count, 4);
    assert_int_equal(p.groups[0], 120);
    assert_int_equal(p.groups[1], 20);
    assert_int_equal(p.groups[3], 120);
    assert_true(doctor_person_read(&p, TEXT("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \n")));
    assert_int_equal(p.group_count, 1);
    assert_false(doctor_person_read(&p, TEXT("")));
    assert_false(doctor_person_read(&p, TEXT("Uid:\t1\t1\t1\tx\nGid:\t1\t1\t1\t1\n")));
    assert_false(doctor_person_read(&p, TEXT("Uid:\t1\t1\t1\t-1\nGid:\t1\t1\t1\t1\n")));
    assert_false(doctor_person_read(&p, TEXT("Uid:\t1\t1\t1\t4294967296\nGid:\t1\t1\t1\t1\n")));
    for (size_t cut = 0; cut < sizeof status_text; cut++)
        (void)doctor_person_read(&p, text_make(status_text, cut));
}

static void test_more_groups_than_are_kept(void **state)
{
    static char text[32 << 10] = "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t";
    struct doctor_person p;
    size_t n = strlen(text);

    (void)state;
    for (int i = 0; i < DOCTOR_GROUPS_MAX + 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d ", i + 2);
    assert_true(doctor_person_read(&p, text_make(text, n)));
    assert_int_equal(p.group_count, DOCTOR_GROUPS_MAX);
}

static void test_people_of_this_machine(void **state)
{
    struct doctor_person self, p;

    (void)state;
    doctor_person_self(&self);
    assert_int_equal(self.uid, geteuid());
    assert_int_equal(self.groups[0], getegid());
    assert_int_equal(doctor_person_of_process(&p, getpid()), 0);
    assert_int_equal(p.uid, self.uid);
    assert_int_equal(p.groups[0], self.groups[0]);
    assert_non_null(strstr(p.name, ", as process "));
    assert_int_equal(doctor_person_of_process(&p, 0), -ESRCH);
    assert_int_equal(doctor_person_of_user(&p, "root", NULL), 0);
    assert_int_equal(p.uid, 0);
    assert_true(p.group_count >= 1 && p.groups[0] == 0);
    assert_int_equal(doctor_person_of_user(&p, "no-such-user-here", NULL), -ENOENT);
    assert_int_equal(doctor_person_of_user(&p, "root", "no-such-group-here"), -ENOENT);
}

/* ---- files ---- */

struct tree {
    char top[64], folder[96], file[128], link[128];
};

/* Beyond reach for no one but where a test closes it. */
static void tree_make(struct tree *t)
{
    FILE *f;

    snprintf(t->top, sizeof t->top, "/tmp/st-rights-XXXXXX");
    assert_non_null(mkdtemp(t->top));
    snprintf(t->folder, sizeof t->folder, "%s/in", t->top);
    snprintf(t->file, sizeof t->file, "%s/a.py", t->folder);
    snprintf(t->link, sizeof t->link, "%s/link", t->top);
    assert_int_equal(chmod(t->top, 0755), 0);
    assert_int_equal(mkdir(t->folder, 0755), 0);
    assert_int_equal(chmod(t->folder, 0755), 0);
    f = fopen(t->file, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(t->file, 0755), 0);
    assert_int_equal(symlink(t->file, t->link), 0);
}

static void tree_remove(const struct tree *t)
{
    unlink(t->link);
    unlink(t->file);
    rmdir(t->folder);
    rmdir(t->top);
}

static void check_way(const struct doctor_person *p, const char *path, unsigned bits, enum doctor_way expected, const char *at_expected)
{
    char *at;

    assert_int_equal(doctor_way_of(p, path, bits, &at), expected);
    if (at_expected)
        assert_string_equal(at, at_expected);
    else
        assert_null(at);
    free(at);
}

static void test_ways(void **state)
{
    const struct doctor_person stranger = person(getuid() + 4321, (gid_t)(getgid() + 4321), (gid_t)(getgid() + 4322));
    const struct doctor_person friend = person(getuid() + 4321, (gid_t)(getgid() + 4321), getgid());
    struct tree t;
    char gone[160];

    (void)state;
    tree_make(&t);
    check_way(&stranger, t.file, R | X, DOCTOR_WAY_GOOD, NULL);
    check_way(&stranger, t.link, R | X, DOCTOR_WAY_GOOD, NULL);
    check_way(&stranger, t.file, W, DOCTOR_WAY_REFUSED, t.file);
    assert_int_equal(chmod(t.file, 0750), 0);
    check_way(&stranger, t.file, R | X, DOCTOR_WAY_REFUSED, t.file);
    check_way(&friend, t.file, R | X, DOCTOR_WAY_GOOD, NULL);
    assert_int_equal(chmod(t.file, 0755), 0);
    assert_int_equal(chmod(t.folder, 0750), 0);
    check_way(&stranger, t.file, R, DOCTOR_WAY_CLOSED, t.folder);
    check_way(&stranger, t.link, R, DOCTOR_WAY_CLOSED, t.folder);   /* a link leads through it */
    check_way(&friend, t.file, R, DOCTOR_WAY_GOOD, NULL);
    assert_int_equal(chmod(t.folder, 0744), 0);
    check_way(&stranger, t.file, R, DOCTOR_WAY_CLOSED, t.folder);   /* to list is not to pass */
    assert_int_equal(chmod(t.folder, 0711), 0);
    check_way(&stranger, t.file, R, DOCTOR_WAY_GOOD, NULL);
    snprintf(gone, sizeof gone, "%s/gone", t.folder);
    check_way(&stranger, gone, R, DOCTOR_WAY_GONE, gone);
    snprintf(gone, sizeof gone, "%s/gone", t.file);
    check_way(&stranger, gone, R, DOCTOR_WAY_GONE, t.file);
    tree_remove(&t);
}

static void check_open(const char *path, const char *expected)
{
    char *at = doctor_way_open_to_all(path);

    if (expected)
        assert_string_equal(at, expected);
    else
        assert_null(at);
    free(at);
}

static void test_open_to_all(void **state)
{
    struct tree t;

    (void)state;
    tree_make(&t);
    check_open(t.file, NULL);
    assert_int_equal(chmod(t.top, 0777), 0);
    check_open(t.file, t.top);                  /* the folder in it may be exchanged */
    assert_int_equal(chmod(t.top, 01777), 0);
    check_open(t.file, NULL);
    assert_int_equal(chmod(t.folder, 0757), 0);
    check_open(t.link, t.folder);
    assert_int_equal(chmod(t.file, 0757), 0);
    check_open(t.link, t.file);
    check_open("/no/such/file", NULL);
    tree_remove(&t);
}

static void test_first_lines(void **state)
{
    static const struct {
        const char *head, *name;
        enum doctor_shebang expected;
    } rows[] = {
        { "\177ELF\002\001", NULL, DOCTOR_SHEBANG_BINARY },
        { "#!/usr/bin/python3\nimport sys\n", "/usr/bin/python3", DOCTOR_SHEBANG_NAMED },
        { "#! /usr/bin/env  php -q\n", "/usr/bin/env", DOCTOR_SHEBANG_NAMED },
        { "#!/bin/sh\t-e", "/bin/sh", DOCTOR_SHEBANG_NAMED },
        { "#!/bin/sh\r\n", NULL, DOCTOR_SHEBANG_WINDOWS },
        { "#!\n/bin/sh\n", NULL, DOCTOR_SHEBANG_NONE },
        { "#!", NULL, DOCTOR_SHEBANG_NONE },
        { "\n#!/bin/sh\n", NULL, DOCTOR_SHEBANG_NONE },
        { "\357\273\277#!/bin/sh\n", NULL, DOCTOR_SHEBANG_NONE },
        { "print 1\n", NULL, DOCTOR_SHEBANG_NONE },
        { "", NULL, DOCTOR_SHEBANG_NONE },
    };
    struct text name;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (doctor_shebang_read(text_of(rows[i].head), &name) != rows[i].expected || !text_eq(name, text_of(rows[i].name)))
            fail_msg("row %zu", i);
    }
}

static void test_without_memory(void **state)
{
    const struct doctor_person root = person(0, 0, 0);
    char *at;

    (void)state;
    fail_alloc_at(1);
    assert_int_equal(doctor_way_of(&root, "/no/such/file", R, &at), DOCTOR_WAY_GONE);
    assert_true(fail_alloc_hit());
    fail_alloc_off();
    assert_null(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_process_status),
        cmocka_unit_test(test_more_groups_than_are_kept),
        cmocka_unit_test(test_people_of_this_machine),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_open_to_all),
        cmocka_unit_test(test_first_lines),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
