/* Importing a look-up table: whole or not at all, with file and line of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <sys/stat.h>

#include "store/store.h"

struct place {
    char dir[64], db[96], csv[96];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/sidetone-import-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/s.db", p->dir);
    snprintf(p->csv, sizeof p->csv, "%s/in.csv", p->dir);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static void write_csv(const struct place *p, const char *content, size_t n)
{
    FILE *f = fopen(p->csv, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* All rows of the file as "table.key=value;", by SQLite alone. */
static char *rows_of(const struct place *p)
{
    static char out[4096];
    sqlite3 *db;
    sqlite3_stmt *st;
    size_t n = 0;

    out[0] = '\0';
    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT table_name, key, value FROM lookup ORDER BY 1, 2", -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s.%s=%s;", sqlite3_column_text(st, 0), sqlite3_column_text(st, 1),
                              sqlite3_column_text(st, 2));
    sqlite3_finalize(st);
    sqlite3_close(db);
    return out;
}

static void import(const struct place *p, const char *table, const char *content, size_t expected)
{
    char *problem = NULL;
    size_t rows = 0;

    write_csv(p, content, strlen(content));
    assert_int_equal(store_import_csv(p->db, table, p->csv, &rows, &problem), 0);
    assert_null(problem);
    assert_int_equal(rows, expected);
}

/* The problem must carry `says`; nothing may have changed. */
static void refuse(const struct place *p, const char *table, const char *content, size_t n, const char *says)
{
    char before[4096], *problem = NULL;
    size_t rows = 77;

    snprintf(before, sizeof before, "%s", rows_of(p));
    write_csv(p, content, n);
    assert_int_equal(store_import_csv(p->db, table, p->csv, &rows, &problem), -EINVAL);
    assert_non_null(problem);
    if (!strstr(problem, says))
        fail_msg("problem was: %s", problem);
    assert_null(strchr(problem, '\n'));
    free(problem);
    assert_int_equal(rows, 77);
    assert_string_equal(rows_of(p), before);
}

#define REFUSE(p, content, says) refuse((p), "t", content, sizeof(content) - 1, says)

static void test_good(void **state)
{
    const struct place *p = *state;
    struct stat st;

    import(p, "names", "key,value\r\n1001,Alice\r\n1002,\"Bob \"\"B\"\" Brown, Esq.\"\r\n", 2);
    assert_string_equal(rows_of(p), "names.1001=Alice;names.1002=Bob \"B\" Brown, Esq.;");
    import(p, "names", "1001,Alicia\n1003,\"two\nlines\"", 2);
    import(p, "hours", "monday,\nkey,value\n", 2);
    assert_string_equal(rows_of(p), "hours.key=value;hours.monday=;names.1001=Alicia;names.1002=Bob \"B\" Brown, Esq.;"
                                    "names.1003=two\nlines;");
    import(p, "hours", "", 0);
    import(p, "hours", "tuesday,one\ntuesday,two\n", 2);
    assert_non_null(strstr(rows_of(p), "hours.tuesday=two;"));
    assert_int_equal(stat(p->db, &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
}

static void test_values_are_bound(void **state)
{
    const struct place *p = *state;

    import(p, "t", "'); DROP TABLE lookup;--,\"x' OR '1'='1\"\n", 1);
    assert_string_equal(rows_of(p), "t.'); DROP TABLE lookup;--=x' OR '1'='1;");
}

static void test_bad_lines(void **state)
{
    const struct place *p = *state;
    static char big[70000 + 16];

    import(p, "t", "old,1\n", 1);
    REFUSE(p, "a,1\nb\nc,3\n", "in.csv:2: expected two columns");
    REFUSE(p, "a,1\nold,2\nc,3,4\n", "in.csv:3: expected two columns, came more");
    REFUSE(p, "key,value\n\n,empty\n", "in.csv:3: expected a key");
    REFUSE(p, "a,\"open\nb,2\n", "in.csv:1: a quote is opened here");
    REFUSE(p, "a,\xe4\n", "in.csv:1: expected UTF-8");
    REFUSE(p, "a,b\0c\n", "in.csv:1: expected text, came a zero byte");
    memset(big, 'x', sizeof big);
    memcpy(big, "a,", 2);
    refuse(p, "t", big, sizeof big, "in.csv:1: a field is too long");
    big[1] = 'x';
    memcpy(big + 600, ",b\n", 3);
    refuse(p, "t", big, 603, "in.csv:1: the key is too long");
}

static void test_bad_names(void **state)
{
    static const char *const names[] = { "", "Names", "1names", "na-mes", "na mes", "names;", "n.n", "_names",
                                         "a23456789012345678901234567890123456789012345678x" };
    const struct place *p = *state;

    import(p, "a2345678901234567890123456789012345678901234567x", "a,1\n", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refuse(p, names[i], "a,1\n", 4, "table name: expected");
}

static void test_bad_files(void **state)
{
    const struct place *p = *state;
    char *problem = NULL, other[128];
    size_t rows = 77;
    sqlite3 *db;
    FILE *f;

    assert_int_equal(store_import_csv(p->db, "t", "/nonexistent/x.csv", &rows, &problem), -ENOENT);
    assert_non_null(strstr(problem, "/nonexistent/x.csv: "));
    free(problem);
    assert_int_equal(store_import_csv(p->db, "t", p->dir, &rows, &problem), -EISDIR);
    free(problem);
    write_csv(p, "a,1\n", 4);
    assert_int_equal(store_import_csv("/nonexistent/dir/s.db", "t", p->csv, &rows, &problem), -ENOENT);
    assert_non_null(strstr(problem, "/nonexistent/dir/s.db: "));
    free(problem);

    snprintf(other, sizeof other, "%s/text.db", p->dir);
    f = fopen(other, "w");
    assert_non_null(f);
    for (int i = 0; i < 200; i++)
        fputs("This is a text file, not a data base.\n", f);
    fclose(f);
    assert_int_equal(store_import_csv(other, "t", p->csv, &rows, &problem), -EINVAL);
    assert_non_null(strstr(problem, "text.db: "));
    free(problem);

    snprintf(other, sizeof other, "%s/foreign.db", p->dir);
    assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE cdr(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_import_csv(other, "t", p->csv, &rows, &problem), -EINVAL);
    assert_non_null(strstr(problem, "not one of sidetone's"));
    free(problem);
    assert_int_equal(rows, 77);
}

static void test_newer_schema(void **state)
{
    const struct place *p = *state;
    char *problem = NULL;
    size_t rows;
    sqlite3 *db;

    import(p, "t", "a,1\n", 1);
    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_import_csv(p->db, "t", p->csv, &rows, &problem), -EINVAL);
    assert_non_null(strstr(problem, "newer sidetone (schema 999"));
    free(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_are_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newer_schema, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("store_import", tests, NULL, NULL);
}
