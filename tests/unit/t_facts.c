/* Recorded streams of a real Asterisk: each gives exactly the facts and records beside it (tests/ami/NAME.expected), whole and split.
 * `t_facts --write FOLDER` writes them anew: to be read by a person before they are kept. `t_facts --kinds` prints the table for docs/tap.md. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "facts_play.h"

#define BANNER TEXT("\r\n\r\nAsterisk Call Manager/")

/* A file may hold several sessions, one after the other. */
static void play_stream(struct play *p, const char *bytes, size_t n, size_t piece)
{
    ptrdiff_t next;

    while ((next = text_find_text(text_make(bytes, n), BANNER)) >= 0) {
        for (size_t at = 0; at < (size_t)next + 4; at += piece)
            play_bytes(p, text_make(bytes + at, (size_t)next + 4 - at < piece ? (size_t)next + 4 - at : piece));
        play_reconnect(p);
        bytes += next + 4;
        n -= (size_t)next + 4;
    }
    for (size_t at = 0; at < n; at += piece)
        play_bytes(p, text_make(bytes + at, n - at < piece ? n - at : piece));
    play_flush(p);
}

static void path_of(char *out, size_t size, const char *folder, const char *name, const char *ending)
{
    snprintf(out, size, "%s/%s%s", folder, name, ending);
}

static char *read_whole(const char *path)
{
    FILE *in = fopen(path, "rb");
    char *all = calloc(1, 4 * 1024 * 1024);

    if (!in || !all) {
        fprintf(stderr, "cannot read %s\n", path);
        abort();
    }
    (void)!fread(all, 1, 4 * 1024 * 1024 - 1, in);
    fclose(in);
    return all;
}

/* The first line that differs, for a person. */
static void compare(const char *name, size_t piece, const char *told, const char *expected)
{
    const char *a = told, *b = expected;

    while (*a && *a == *b) {
        a++;
        b++;
    }
    if (*a == *b)
        return;
    while (a > told && a[-1] != '\n') {
        a--;
        b--;
    }
    print_error("%s, in pieces of %zu:\n told:     %.*s\n expected: %.*s\n", name, piece, (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
    fail();
}

static void stream_gives_its_facts(const char *name)
{
    static const size_t pieces[] = { SIZE_MAX / 2, 1, 7, 1448 };
    char path[512];
    size_t n;
    char *bytes, *expected;

    path_of(path, sizeof path, AMI_FOLDER, name, ".txt");
    bytes = play_file(path, &n);
    path_of(path, sizeof path, AMI_FOLDER, name, ".expected");
    expected = read_whole(path);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct play p;

        assert_int_equal(play_open(&p), 0);
        play_stream(&p, bytes, n, pieces[i]);
        assert_int_equal(p.err, 0);
        compare(name, pieces[i], buf_cstr(&p.told), expected);
        assert_int_equal(p.strays, 0);
        assert_int_equal(play_open_calls(&p), 0);
        play_close(&p);
    }
    free(bytes);
    free(expected);
}

static size_t names_of(char names[][64], size_t max)
{
    DIR *folder = opendir(AMI_FOLDER);
    size_t count = 0;

    if (!folder)
        abort();
    for (struct dirent *d; count < max && (d = readdir(folder));) {
        const size_t n = strlen(d->d_name);

        if (n > 4 && n < 64 && strcmp(d->d_name + n - 4, ".txt") == 0)
            snprintf(names[count++], 64, "%.*s", (int)(n - 4), d->d_name);
    }
    closedir(folder);
    return count;
}

static void every_recorded_stream_gives_its_facts(void **state)
{
    static char names[100][64];
    const size_t count = names_of(names, 100);

    (void)state;
    assert_true(count >= 20);
    for (size_t i = 0; i < count; i++)
        stream_gives_its_facts(names[i]);
}

static void row_of(char *out, size_t size, const struct fact_kind *k)
{
    snprintf(out, size, "| `%s` | %s | %s |\n", k->name, k->fields, k->sentence);
}

/* docs/tap.md lists every kind as the table has it. */
static void document_lists_every_kind(void **state)
{
    size_t count;
    const struct fact_kind *kinds = facts_kinds(&count);
    char row[512], *document = read_whole(DOCS_FOLDER "/tap.md");

    (void)state;
    for (size_t i = 0; i < count; i++) {
        row_of(row, sizeof row, &kinds[i]);
        if (!strstr(document, row))
            print_error("docs/tap.md has no row %s", row);
        assert_non_null(strstr(document, row));
    }
    free(document);
}

static int print_kinds(void)
{
    size_t count;
    const struct fact_kind *kinds = facts_kinds(&count);
    char row[512];

    for (size_t i = 0; i < count; i++) {
        row_of(row, sizeof row, &kinds[i]);
        fputs(row, stdout);
    }
    return 0;
}

static int write_anew(const char *folder)
{
    static char names[100][64];
    const size_t count = names_of(names, 100);

    for (size_t i = 0; i < count; i++) {
        struct play p;
        char path[512];
        size_t n;
        char *bytes;
        FILE *out;

        path_of(path, sizeof path, AMI_FOLDER, names[i], ".txt");
        bytes = play_file(path, &n);
        if (play_open(&p))
            return 1;
        play_stream(&p, bytes, n, n + 1);
        path_of(path, sizeof path, folder, names[i], ".expected");
        out = fopen(path, "wb");
        if (!out)
            return 1;
        fwrite(p.told.p, 1, p.told.n, out);
        fclose(out);
        play_close(&p);
        free(bytes);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_recorded_stream_gives_its_facts), cmocka_unit_test(document_lists_every_kind) };

    if (argc == 2 && strcmp(argv[1], "--kinds") == 0)
        return print_kinds();
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_anew(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
