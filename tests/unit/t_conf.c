/* The configuration dialect: what Asterisk 22.10.1 makes of each oddity (every expected dump here was compared with its
 * GetConfig), places, problems, includes, ceilings, hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "wire/conf.h"
#include "fail_alloc.h"

/* ---- files in memory ---- */

struct memory_file {
    const char *path, *content;
};

static int memory_read(void *arg, const char *path, struct text *out)
{
    for (const struct memory_file *f = arg; f->path; f++) {
        if (strcmp(f->path, path) != 0)
            continue;
        if (strcmp(f->content, "EACCES") == 0)
            return -EACCES;
        out->n = strlen(f->content);
        out->p = text_dup(text_of(f->content));
        return out->p ? 0 : -ENOMEM;
    }
    return -ENOENT;
}

static int memory_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    char full[512];
    size_t n = 0;
    char **list = calloc(16, sizeof *list);

    if (!list)
        return -ENOMEM;
    snprintf(full, sizeof full, "%s%s%s", pattern[0] == '/' ? "" : from, pattern[0] == '/' ? "" : "/", pattern);
    for (const struct memory_file *f = arg; f->path; f++) {
        if (fnmatch(full, f->path, FNM_PATHNAME) != 0)
            continue;
        list[n] = text_dup(text_of(f->path));
        if (!list[n++]) {
            while (n > 0)
                free(list[--n]);
            free(list);
            return -ENOMEM;
        }
    }
    *out = list;
    return 0;
}

static struct conf *load(const struct memory_file *files)
{
    const struct conf_source source = { .read = memory_read, .expand = memory_expand, .arg = (void *)files };
    struct conf *c = NULL;

    assert_int_equal(conf_load(&c, files[0].path, &source), 0);
    return c;
}

static struct conf *parse_n(const char *bytes, size_t n)
{
    struct conf *c = NULL;

    assert_int_equal(conf_parse(&c, "x.conf", text_make(bytes, n), NULL), 0);
    return c;
}

static struct conf *parse(const char *content)
{
    return parse_n(content, strlen(content));
}

/* "[s] a=1 b=2 [t]! ..." */
static char *dump(const struct conf *c)
{
    struct buf b;

    buf_init(&b, 1 << 24);
    for (size_t i = 0; i < c->section_count; i++) {
        buf_addf(&b, "[%.*s]%s", TEXT_ARG(c->sections[i].name), c->sections[i].is_template ? "!" : "");
        for (size_t k = 0; k < c->sections[i].count; k++) {
            const struct conf_item *item = c->sections[i].items + k;

            assert_int_equal(item->name.p[item->name.n], 0);
            assert_int_equal(item->value.p[item->value.n], 0);
            buf_addf(&b, " %.*s%s%.*s", TEXT_ARG(item->name), item->arrow ? "=>" : "=", TEXT_ARG(item->value));
        }
        buf_addf(&b, "\n");
    }
    assert_non_null(buf_cstr(&b));
    return b.p;
}

static void assert_dump(struct conf *c, const char *expect)
{
    char *got = dump(c);

    assert_string_equal(got, expect);
    free(got);
}

static void assert_reads(const char *content, const char *expect)
{
    struct conf *c = parse(content);

    assert_dump(c, expect);
    assert_int_equal(c->problem_count, 0);
    conf_free(c);
}

static void assert_problem(const struct conf *c, size_t i, enum conf_severity severity, const char *file, unsigned line,
                           unsigned column, const char *part)
{
    assert_true(i < c->problem_count);
    assert_int_equal(c->problems[i].severity, severity);
    assert_string_equal(c->problems[i].place.file, file);
    assert_int_equal(c->problems[i].place.line, line);
    assert_int_equal(c->problems[i].place.column, column);
    assert_non_null(strstr(c->problems[i].message, part));
    assert_true(text_is_one_line(text_of(c->problems[i].message)));
}

/* Content with exactly one problem. */
static void assert_one_problem(const char *content, const char *expect, enum conf_severity severity, unsigned line,
                               unsigned column, const char *part)
{
    struct conf *c = parse(content);

    assert_dump(c, expect);
    assert_int_equal(c->problem_count, 1);
    assert_int_equal(c->error_count, severity == CONF_ERROR);
    assert_problem(c, 0, severity, "x.conf", line, column, part);
    conf_free(c);
}

/* ---- lexer ---- */

static void test_settings(void **state)
{
    (void)state;
    assert_reads("", "");
    assert_reads("\xef\xbb\xbf[a]\nx=1", "[a] x=1\n");
    assert_reads("[a]\r\nx=1\r\n  y \t=\t two  words \r\n", "[a] x=1 y=two  words\n");
    assert_reads("[a]\nx => 1\ny= >2\nz = a=b\nu=\nv==\n", "[a] x=>1 y=>2 z=a=b u= v==\n");
    assert_reads("[a]\n\"q\" = \"x y\"\nline=end\\\nnext=1\n", "[a] \"q\"=\"x y\" line=end\\ next=1\n");
}

static void test_comments(void **state)
{
    (void)state;
    assert_reads("[a]\nx = \"a;b\" ; c\n;y=1\n;---- z=1\n", "[a] x=\"a\n");
    assert_reads("[a]\na = b\\;c ; d\nb=\\;\\;e;f\n", "[a] a=b;c b=;;e\n");
    assert_reads("[a]\nb = a;-- x --;b;--- c\nm = 1 ;-- a ;-- b --; c --; 2\n", "[a] b=ab m=1  2\n");
    assert_reads("[a]\nx=1 ;-- one ;-- two\nz=3 --; q=4\n--; y=5\nw=6\n", "[a] x=1 y=5 w=6\n");
    assert_reads("[a]\nx=1;--;\ny=2\n--;z=3\n", "[a] x=1 z=3\n");
    assert_reads("[a]\n;-- c\n--;--d\n--; y=4\n --; x=5\nq=7\n", "[a] x=5 q=7\n");
    assert_reads("[a]\n;-- ; \\; - --\\; -;\nx=0\n--;x=1\n", "[a] x=1\n");
    assert_one_problem("[a]\n# no = comment\n", "[a]\n", CONF_WARNING, 2, 1, "unknown directive");
}

static void test_escapes(void **state)
{
    (void)state;
    assert_reads("[a]\n\\#x = 1\n\\;y = 2\n\\=z = 3\n\\[q] = 4\n\\\\;w=5\n\\+=+\n", "[a] #x=1 ;y=2 =z=3 [q]=4 ;w=5 +=+\n");
    assert_one_problem("[a]\n \\ x=1\ny=2\n", "[a] y=2\n", CONF_ERROR, 2, 2, "visible ASCII");
    assert_one_problem("[a]\n\\\n", "[a]\n", CONF_ERROR, 2, 1, "visible ASCII");
    assert_one_problem("[a]\n\\\xc3\xa9=1\n", "[a]\n", CONF_ERROR, 2, 1, "visible ASCII");
}

static void test_unclosed_and_stray_blocks(void **state)
{
    struct conf *c;

    (void)state;
    assert_one_problem("[a]\nx=1\n  y=2 ;-- open\nz=3\n[b]\n", "[a] x=1 y=2\n", CONF_ERROR, 3, 7, "never closed");
    assert_one_problem("[a]\nx=1 --; foo ; bar\ny=2\n;-- c\nz=3\n", "[a] x=1 --; foo ; bar z=3\n", CONF_ERROR, 2, 5, "without");
    c = parse("[a]\n;-- 1\n;-- 2 ;-- 3\n --; \nx=1\n");
    assert_int_equal(c->problem_count, 1);
    assert_problem(c, 0, CONF_ERROR, "x.conf", 3, 1, "never closed");
    conf_free(c);
}

static void test_block_depth_has_a_ceiling(void **state)
{
    struct buf b;
    struct conf *c;

    (void)state;
    buf_init(&b, 1 << 20);
    buf_addf(&b, "[a]\n");
    for (int i = 0; i < CONF_BLOCK_DEPTH; i++)
        buf_addf(&b, ";-- ");
    for (int i = 0; i < CONF_BLOCK_DEPTH; i++)
        buf_addf(&b, "--; ");
    buf_addf(&b, "x=1\n");
    c = parse(buf_cstr(&b));
    assert_int_equal(c->problem_count, 0);
    assert_dump(c, "[a] x=1\n");
    conf_free(c);
    buf_clear(&b);
    for (int i = 0; i < CONF_BLOCK_DEPTH + 1; i++)
        buf_addf(&b, ";-- ");
    for (int i = 0; i < CONF_BLOCK_DEPTH; i++)
        buf_addf(&b, "--; ");
    buf_addf(&b, "[a]\nx=1\n");
    c = parse(buf_cstr(&b));
    assert_problem(c, 0, CONF_ERROR, "x.conf", 1, 4 * CONF_BLOCK_DEPTH + 1, "deeper than 128");
    assert_dump(c, "[a] x=1\n");
    conf_free(c);
    buf_free(&b);
}

/* Seen on 22.10.1: a line of 8190 bytes is read, a longer one is skipped whole, its tail included. */
static void test_line_length_ceiling_is_exact(void **state)
{
    struct buf b;
    struct conf *c;

    (void)state;
    for (int with_lf = 0; with_lf < 2; with_lf++)
        for (size_t n = 8189; n <= 8192; n++) {
            buf_init(&b, 1 << 20);
            buf_addf(&b, "[a]\ny=");
            while (b.n < 4 + n)
                buf_add_char(&b, 'z');
            buf_addf(&b, with_lf ? "\nk=3" : "");
            c = parse(buf_cstr(&b));
            assert_int_equal(c->sections[0].count, (n <= 8190) + (with_lf != 0));
            assert_int_equal(c->problem_count, n > 8190);
            if (n > 8190)
                assert_problem(c, 0, CONF_ERROR, "x.conf", 2, 8191, "skips lines over 8190 bytes");
            else
                assert_int_equal(c->sections[0].items[0].value.n, n - 2);
            conf_free(c);
            buf_free(&b);
        }
    buf_init(&b, 1 << 20);
    buf_addf(&b, "[a]\n");
    for (int i = 0; i < 9000; i++)
        buf_add_char(&b, 'x');
    buf_addf(&b, "q=2 ;-- not seen\nk=3\n");
    c = parse(buf_cstr(&b));
    assert_dump(c, "[a] k=3\n");
    conf_free(c);
    buf_free(&b);
}

static void test_nul_cuts_the_line(void **state)
{
    static const char bytes[] = "[a]\nx=1\0y=2\nz=3\0\nw=4\n\0=1\nq=5\n\0";
    struct conf *c = parse_n(bytes, sizeof bytes - 1);

    (void)state;
    assert_dump(c, "[a] x=1 z=3 w=4 q=5\n");
    assert_int_equal(c->problem_count, 4);
    assert_problem(c, 0, CONF_WARNING, "x.conf", 2, 4, "NUL");
    assert_problem(c, 3, CONF_WARNING, "x.conf", 7, 1, "NUL");
    conf_free(c);
}

static void test_wrong_lines(void **state)
{
    (void)state;
    assert_one_problem("x=1\n[a]\ny=2\n", "[a] y=2\n", CONF_ERROR, 1, 1, "before the first [section]");
    assert_one_problem("[a]\n  just words\x1b[m\ny=2\n", "[a] y=2\n", CONF_WARNING, 2, 3, "found \"just words?[m\"");
    assert_one_problem("[a]\n = 1\ny=2\n", "[a] y=2\n", CONF_WARNING, 2, 2, "no name");
    assert_one_problem("[a]\n+=1\n", "[a]\n", CONF_WARNING, 2, 1, "no name");
    assert_one_problem("[a]\n #frob x\ny=2\n", "[a] y=2\n", CONF_WARNING, 2, 2, "unknown directive \"#frob\"");
    assert_one_problem("[a]\n#include ; x\ny=2\n", "[a] y=2\n", CONF_WARNING, 2, 1, "needs a file name");
    assert_one_problem("[a\ny=2\n", "[a] y=2\n", CONF_ERROR, 1, 1, "no \"]\"");
}

/* ---- places ---- */

static void test_places_survive_comments_and_escapes(void **state)
{
    struct conf *c =
        parse("\xef\xbb\xbf  [ab]\n\n  x = 1\n;-- c --; y => \\;2 ; z\n\\#q=\n;--\n--;\tw\t=;-- v --; 3\nx +=  4\n");
    const struct conf_item *item = c->sections[0].items;
    static const struct {
        const char *name, *value;
        unsigned line, column, value_column;
    } rows[] = {
        { "x", "1  4", 8, 1, 7 },
        { "y", ";2", 4, 11, 16 },
        { "#q", "", 5, 2, 5 },
        { "w", "3", 7, 5, 18 },
    };

    (void)state;
    assert_int_equal(c->problem_count, 0);
    assert_int_equal(c->sections[0].place.line, 1);
    assert_int_equal(c->sections[0].place.column, 3);
    assert_int_equal(c->sections[0].count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(item[i].name.p, rows[i].name);
        assert_string_equal(item[i].value.p, rows[i].value);
        assert_string_equal(item[i].place.file, "x.conf");
        assert_int_equal(item[i].place.line, rows[i].line);
        assert_int_equal(item[i].place.column, rows[i].column);
        assert_int_equal(item[i].value_column, rows[i].value_column);
    }
    conf_free(c);
}

/* ---- sections ---- */

static void test_sections_and_templates(void **state)
{
    (void)state;
    assert_reads("[a]\nx=1\n[b]\n[a]\nx=2\n", "[a] x=1\n[b]\n[a] x=2\n");
    assert_reads("[t](!)\nq=1\n[T2](!,t)\nr=1\n[e](T,t2)\nw=3\n", "[t]! q=1\n[T2]! q=1 r=1\n[e] q=1 q=1 r=1 w=3\n");
    assert_reads("[s]\nq=1\n[u](s)\nw=1\n[u](u)\nv=1\n", "[s] q=1\n[u] q=1 w=1\n[u] q=1 w=1 v=1\n");
    assert_reads("[a]\nx=1\n[b]\ny=1\n[A](+)\nx=2\n[b](+)\n", "[a] x=1 x=2\n[b] y=1\n");
    assert_reads("[t](!)\nq=1\n[t](+TEMPLATES=include)\nw=1\n[u](t)\n", "[t]! q=1 w=1\n[u] q=1 w=1\n");
    assert_reads("[t]\nq=1\n[t](!)\nr=1\n[t](+TEMPLATES=restrict)\nw=1\n[t](+)\nx=1\n", "[t] q=1 x=1\n[t]! r=1 w=1\n");
    assert_reads("[t](!)\nq=1\n[a]\n[a](t,+)\nz=1\n[a](+,t)\n", "[t]! q=1\n[a] q=1 z=1 q=1\n");
    assert_reads("[a]\nx=1\n[a]\nx=2\n[a](!,+)\n[a](+)\nx=3\n", "[a]! x=1\n[a] x=2 x=3\n");
}

static void test_inherited_items_keep_their_place(void **state)
{
    struct conf *c = parse("[t](!)\nq=1\n[a](t)\nr=2\n");
    const struct conf_item *item = c->sections[1].items;

    (void)state;
    assert_int_equal(c->sections[1].count, 2);
    assert_true(item[0].inherited);
    assert_int_equal(item[0].place.line, 2);
    assert_false(item[1].inherited);
    assert_false(c->sections[0].items[0].inherited);
    conf_free(c);
}

static void test_wrong_headers(void **state)
{
    (void)state;
    assert_one_problem("[e] (t)\nw=1\n", "[e] w=1\n", CONF_WARNING, 1, 5, "\"(t)\" behind");
    assert_one_problem("[t](!) junk\n", "[t]!\n", CONF_WARNING, 1, 8, "junk");
    assert_one_problem("[a](!\nx=1\n", "[a] x=1\n", CONF_ERROR, 1, 4, "no \")\"");
    assert_one_problem("[t](!)\n[u](!, t)\nw=1\n", "[t]!\n[u]! w=1\n", CONF_ERROR, 2, 7, "\" t\"");
    assert_one_problem("[u](u)\nw=1\n", "[u] w=1\n", CONF_ERROR, 1, 5, "no section or template \"u\"");
    assert_one_problem("[s]\nq=1\n[u]()\nw=1\n", "[s] q=1\n[u] q=1 w=1\n", CONF_WARNING, 3, 5, "first section");
    assert_one_problem("[u](+)\nw=1\n", "[u] w=1\n", CONF_ERROR, 1, 5, "(+) finds no section");
    assert_one_problem("[t](!)\nq=1\n[t](+)\nw=1\n", "[t]! q=1\n[t] w=1\n", CONF_ERROR, 3, 5, "TEMPLATES=include");
    assert_one_problem("[t]\nq=1\n[t](+type=x.*)\nw=1\n", "[t] q=1 w=1\n", CONF_ERROR, 3, 6, "not supported");
    assert_one_problem("[a]\nq=1\n[a](+,a)\nw=1\n", "[a] q=1 w=1\n", CONF_ERROR, 3, 7, "inherit from itself");
    assert_one_problem("[ a ]\nq=1\n", "[ a ] q=1\n", CONF_WARNING, 1, 1, "blanks");
    assert_one_problem("[]\nq=1\n", "[] q=1\n", CONF_WARNING, 1, 1, "blanks");
    assert_one_problem("[12345678901234567890123456789012345678901234567890123456789012345678901234567890]\n",
                       "[12345678901234567890123456789012345678901234567890123456789012345678901234567890]\n", CONF_WARNING, 1,
                       1, "after 79 bytes");
}

static void test_append(void **state)
{
    struct conf *c;

    (void)state;
    assert_reads("[a]\nx=1\nx += 2\nx +=3\nX += 4\nx +=> 5\nn += v\n", "[a] x=1 23> 5 X=4 n=v\n");
    assert_reads("[t](!)\nq=1\n[b](t)\nq+=9\n[c](t)\n[b](+)\nq+= 8\n", "[t]! q=1\n[b] q=19 8\n[c] q=1\n");
    assert_reads("[a]\nx=1\nx=2\ny=1\nx+=3\n", "[a] x=1 x=23 y=1\n");
    assert_reads("[a]\nx=>1\nx+=2\n", "[a] x=>12\n");
    c = parse("[t](!)\nq=1\n[b](t)\nq += 9\nw=1\n");
    assert_true(c->sections[1].items[0].appended);
    assert_false(c->sections[1].items[0].inherited);
    assert_int_equal(c->sections[1].items[0].place.line, 4);
    assert_false(c->sections[1].items[1].appended);
    conf_free(c);
}

static void test_get(void **state)
{
    struct conf *c = parse("[t](!)\nx=0\nonly=1\n[a]\nx=1\ny=1\n[b]\nx=9\n[A](t)\nX=2\ny=\n");

    (void)state;
    assert_true(text_eq(conf_get(c, TEXT("a"), TEXT("x")), TEXT("2")));
    assert_true(text_eq(conf_get(c, TEXT("a"), TEXT("y")), TEXT("")));
    assert_non_null(conf_get(c, TEXT("a"), TEXT("y")).p);
    assert_true(text_eq(conf_get(c, TEXT("a"), TEXT("only")), TEXT("1")));
    assert_null(conf_get(c, TEXT("t"), TEXT("x")).p);
    assert_null(conf_get(c, TEXT("b"), TEXT("y")).p);
    assert_null(conf_get(c, TEXT("c"), TEXT("x")).p);
    conf_free(c);
}

/* ---- includes ---- */

static void test_includes(void **state)
{
    static const struct memory_file files[] = {
        { "/etc/a/root.conf", "[a]\nx=1\n#include \"sub.inc\"\nafter=1\n#InClude </etc/b/abs.inc>\n#tryinclude nosuch.inc\n"
                              "#include d/*.conf\nend=1\n#include \"half.inc\n" },
        { "/etc/a/sub.inc", "y=2\n[b]\nz=3\n" },
        { "/etc/b/abs.inc", "in_b=1\n#include deep.inc\n" },
        { "/etc/a/deep.inc", "deep=1\n" },
        { "/etc/a/d/1.conf", "one=1\n[d]\n" },
        { "/etc/a/d/2.conf", "two=1\n" },
        { "/etc/a/\"half.inc", "half=1\n" },
        { NULL, NULL },
    };
    struct conf *c = load(files);

    (void)state;
    /* Seen: behind an #include the includer's own section goes on; the next included file continues the last opened one. */
    assert_dump(c, "[a] x=1 y=2 after=1 end=1\n[b] z=3 in_b=1 deep=1 one=1\n[d] two=1 half=1\n");
    assert_int_equal(c->problem_count, 0);
    assert_int_equal(c->directive_count, 6);
    assert_int_equal(c->directives[0].kind, CONF_INCLUDE);
    assert_true(text_eq(c->directives[1].argument, TEXT("/etc/b/abs.inc")));
    assert_string_equal(c->directives[2].place.file, "/etc/b/abs.inc");
    assert_int_equal(c->directives[3].kind, CONF_TRYINCLUDE);
    assert_string_equal(c->sections[1].items[1].place.file, "/etc/b/abs.inc");
    assert_int_equal(c->sections[1].items[1].place.line, 1);
    conf_free(c);
}

static void test_missing_includes_and_exec(void **state)
{
    static const struct memory_file files[] = {
        { "r.conf",
          "[a]\n#include none.inc\n#include none/*.inc\n #exec /bin/x -y ; c\n#include locked\n#tryinclude locked\nx=1\n" },
        { "./locked", "EACCES" },
        { NULL, NULL },
    };
    struct conf *c = load(files);

    (void)state;
    assert_dump(c, "[a] x=1\n");
    assert_int_equal(c->problem_count, 6);
    assert_int_equal(c->error_count, 3);
    assert_problem(c, 0, CONF_ERROR, "r.conf", 2, 1, "\"none.inc\": no such file");
    assert_problem(c, 1, CONF_ERROR, "r.conf", 3, 1, "none/*.inc");
    assert_problem(c, 2, CONF_WARNING, "r.conf", 4, 2, "never run");
    assert_problem(c, 3, CONF_WARNING, "r.conf", 5, 1, err_text(-EACCES));
    assert_problem(c, 4, CONF_ERROR, "r.conf", 5, 1, "no such file");
    assert_problem(c, 5, CONF_WARNING, "r.conf", 6, 1, err_text(-EACCES));
    assert_int_equal(c->directives[2].kind, CONF_EXEC);
    assert_true(text_eq(c->directives[2].argument, TEXT("/bin/x -y")));
    conf_free(c);
    assert_one_problem("[a]\n#include x\ny=1\n", "[a] y=1\n", CONF_ERROR, 2, 1, "not followed");
}

static void test_cycles_end_at_the_depth_limit(void **state)
{
    static const struct memory_file once[] = { { "./r.conf", "[a]\n#include r.conf\ny=2\n" }, { NULL, NULL } };
    static const struct memory_file often[] = {
        { "./r.conf", "#include r.conf\n#include r.conf\n#include r.conf\n#include r.conf\n" }, { NULL, NULL }
    };
    struct conf *c = load(once);

    (void)state;
    assert_int_equal(c->section_count, 1 + CONF_INCLUDE_DEPTH); /* as 22.10.1 does */
    assert_int_equal(c->problem_count, 1);
    assert_problem(c, 0, CONF_ERROR, "./r.conf", 2, 1, "deeper than 10");
    for (size_t i = 0; i < c->section_count; i++)
        assert_int_equal(c->sections[i].count, 1);
    conf_free(c);
    c = load(often);
    assert_true(c->directive_count < 50000);
    assert_int_equal(c->problem_count, 10002);
    assert_problem(c, 10000, CONF_ERROR, "./r.conf", c->problems[10000].place.line, 1, "10000 files");
    assert_non_null(strstr(c->problems[10001].message, "more problems"));
    conf_free(c);
}

static void test_an_open_block_runs_on_through_one_glob(void **state)
{
    static const struct memory_file files[] = {
        { "/e/r.conf", "[a]\nx=1\n#include g/*.conf\ny=2\n" },
        { "/e/g/1.conf", "g1=1\n;-- open\ng1b=1\n" },
        { "/e/g/2.conf", "g2=1\n--;\ng2b=1\n" },
        { "/e/g/3.conf", "g3=1\n" },
        { NULL, NULL },
    };
    struct conf *c = load(files);

    (void)state;
    assert_dump(c, "[a] x=1 g1=1 g2b=1 g3=1 y=2\n");
    assert_int_equal(c->problem_count, 1);
    assert_problem(c, 0, CONF_ERROR, "/e/g/1.conf", 2, 1, "never closed");
    conf_free(c);
}

/* ---- hostile input ---- */

static void test_templates_cannot_fill_memory(void **state)
{
    struct buf b;
    struct conf *c;
    size_t items = 0;

    (void)state;
    buf_init(&b, 1 << 20);
    buf_addf(&b, "[t0](!)\nx=1\n");
    for (int i = 1; i < 64; i++)
        buf_addf(&b, "[t%d](!,t%d,t%d)\n", i, i - 1, i - 1);
    c = parse(buf_cstr(&b));
    for (size_t i = 0; i < c->section_count; i++)
        items += c->sections[i].count;
    assert_true(items < 1000100);
    assert_problem(c, 0, CONF_ERROR, "x.conf", 21, 13, "inherited");
    assert_int_equal(c->problem_count, 1);
    conf_free(c);
    buf_free(&b);
}

static void test_joins_cannot_fill_memory(void **state)
{
    struct buf b;
    struct conf *c;

    (void)state;
    buf_init(&b, 1 << 22);
    buf_addf(&b, "[a]\n");
    for (int i = 0; i < 100000; i++)
        buf_addf(&b, "x += value%d\n", i);
    c = parse(buf_cstr(&b));
    assert_int_equal(c->problem_count, 1);
    assert_non_null(strstr(c->problems[0].message, "16 MiB"));
    assert_int_equal(c->sections[0].count, 1);
    conf_free(c);
    buf_free(&b);
}

static void test_all_problems_are_collected_up_to_a_ceiling(void **state)
{
    struct buf b;
    struct conf *c;

    (void)state;
    buf_init(&b, 1 << 22);
    for (int i = 0; i < 12345; i++)
        buf_addf(&b, "x=1\n");
    c = parse(buf_cstr(&b));
    assert_int_equal(c->error_count, 12345);
    assert_int_equal(c->problem_count, 10001);
    assert_non_null(strstr(c->problems[10000].message, "2345 more"));
    conf_free(c);
    buf_free(&b);
}

/* Shapes that a careless reader takes quadratic time for; the suite's time limit is the judge. */
static void test_long_files_take_linear_time(void **state)
{
    static const char *const shapes[] = {
        "s%d = 1\n",        "x%d += 1\n",        "[s%d](t)\n",     "[t](+)\nx%d += 1\n",
        "[t](!)\n;%d\n",    "[x%d](+)\n",        "no equals %d\n", "[a](!,+)\n[a]\n;%d\n",
        "#unknown %d x\n",  ";-- %d\n",          "--; %d\n",       "y%d=\\;\\;\\;\\;\\;\\;\\;\\;\n",
        "[t](+t=%d)\nx=\n", "[same]\nsame=%d\n", "\\#%d=x\n",      "[t](+TEMPLATES=restrict)\n;%d\n"
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct buf b;
        struct conf *c;

        buf_init(&b, 1 << 24);
        buf_addf(&b, "[a]\n[t](!)\n[t]\nx=1\n");
        for (int k = 0; k < 100000; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            buf_addf(&b, shapes[i], k);
#pragma GCC diagnostic pop
        }
        assert_non_null(buf_cstr(&b));
        c = parse_n(b.p, b.n);
        assert_true(c->section_count >= 3);
        conf_free(c);
        buf_free(&b);
    }
}

static uint32_t next_random(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

static void test_garbage_is_an_ordinary_result(void **state)
{
    static const char *const pieces[] = { ";",  "--", ";--", "--;", "\\",   "[",          "]",         "(",
                                          ")",  "!",  "+",   ",",   "=",    ">",          "#include ", "\n",
                                          "\r", "a",  "b",   " ",   "\xff", "TEMPLATES=", "#exec x" };
    uint32_t seed = 12345;
    char bytes[4096];

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = 0;

        while (n < sizeof bytes - 16) {
            const uint32_t r = next_random(&seed);
            const char *piece = pieces[(r >> 8) % (sizeof pieces / sizeof pieces[0])];

            if (round % 3 == 0) {
                bytes[n++] = (char)r;
            } else {
                memcpy(bytes + n, piece, strlen(piece));
                n += strlen(piece);
            }
        }
        conf_free(parse_n(bytes, n));
    }
}

static void test_every_prefix_is_readable(void **state)
{
    static const char content[] = "\xef\xbb\xbf[t](!)\nx=1;--a\n--;\n[u](t,+)\nx += 2\n\\#q\\;=>3\n#include <y>\n[u](+)\nz=\n";

    (void)state;
    for (size_t n = 0; n < sizeof content; n++) {
        char *exact = text_dup(text_make(content, n)); /* so that a checker sees reads past the end */
        char *copy = malloc(n ? n : 1);

        assert_non_null(exact);
        assert_non_null(copy);
        memcpy(copy, exact, n);
        free(exact);
        conf_free(parse_n(copy, n));
        free(copy);
    }
}

static void test_survives_every_failing_allocation(void **state)
{
    static const struct memory_file files[] = {
        { "/e/r.conf", "[t](!)\nx=1\n[a](t)\ny=2\ny+=3\nbad\n#include g/*.conf\n#exec x\n[a](+)\nz=1\n#include nosuch\nx=1\n"
                       "[b]\nx1=1\nx2=2\nx3=3\nx4=4\nx5=5\n[a](!,+)\n[a](+)\n" },
        { "/e/g/1.conf", "g1=1\n;-- open\n" },
        { "/e/g/2.conf", "--;\ng2b=1\n" },
        { NULL, NULL },
    };
    const struct conf_source source = { .read = memory_read, .expand = memory_expand, .arg = (void *)files };
    struct conf *whole = load(files);
    char *expect = dump(whole);
    long n;

    (void)state;
    for (n = 1;; n++) {
        struct conf *c = NULL;
        int err;

        fail_alloc_at(n);
        err = conf_load(&c, "/e/r.conf", &source);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            assert_dump(c, expect);
            assert_int_equal(c->problem_count, whole->problem_count);
            conf_free(c);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_null(c);
    }
    assert_true(n > 20);
    free(expect);
    conf_free(whole);
}

/* ---- the disk ---- */

static void write_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
    assert_int_equal(fclose(f), 0);
}

static void test_disk(void **state)
{
    char dir[] = "/tmp/t_conf.XXXXXX", big[9000];
    struct conf *c = NULL;
    long n;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    memset(big, ';', sizeof big);
    big[sizeof big - 1] = '\0';
    for (size_t i = 99; i < sizeof big - 1; i += 100)
        big[i] = '\n';
    assert_int_equal(mkdir("d", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    write_file("r.conf",
               "[a]\n#include d/*.conf\n#include {x,y}.inc\n#include big\n#tryinclude d\n#tryinclude fifo\n#tryinclude none\n");
    write_file("d/2.conf", "two=2\n");
    write_file("d/1.conf", "one=1\n");
    write_file("y.inc", "y=1\n");
    write_file("x.inc", "x=1\n");
    write_file("big", big);
    for (n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = conf_load(&c, "r.conf", &conf_disk);
        if (!fail_alloc_hit())
            break;
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_null(c);
    }
    fail_alloc_off();
    assert_dump(c, "[a] one=1 two=2 x=1 y=1\n");
    assert_int_equal(c->error_count, 0);
    assert_int_equal(c->problem_count, 2);
    assert_problem(c, 0, CONF_WARNING, "r.conf", 5, 1, err_text(-EISDIR));
    assert_string_equal(c->sections[0].items[0].place.file, "d/1.conf");
    conf_free(c);
    c = NULL;
    assert_int_equal(conf_load(&c, "none", &conf_disk), -ENOENT);
    assert_int_equal(conf_load(&c, "d", &conf_disk), -EISDIR);
    assert_int_equal(conf_load(&c, "fifo", &conf_disk), -EINVAL);
    assert_int_equal(truncate("big", (64 << 20) + 1), 0);
    assert_int_equal(conf_load(&c, "big", &conf_disk), -EFBIG);
    assert_null(c);
    assert_int_equal(chdir("/"), 0);
    {
        char path[64];
        static const char *const names[] = { "d/1.conf", "d/2.conf", "r.conf", "x.inc", "y.inc", "big", "fifo" };

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            snprintf(path, sizeof path, "%s/%s", dir, names[i]);
            assert_int_equal(unlink(path), 0);
        }
        snprintf(path, sizeof path, "%s/d", dir);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_unclosed_and_stray_blocks),
        cmocka_unit_test(test_block_depth_has_a_ceiling),
        cmocka_unit_test(test_line_length_ceiling_is_exact),
        cmocka_unit_test(test_nul_cuts_the_line),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_places_survive_comments_and_escapes),
        cmocka_unit_test(test_sections_and_templates),
        cmocka_unit_test(test_inherited_items_keep_their_place),
        cmocka_unit_test(test_wrong_headers),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_includes),
        cmocka_unit_test(test_missing_includes_and_exec),
        cmocka_unit_test(test_cycles_end_at_the_depth_limit),
        cmocka_unit_test(test_an_open_block_runs_on_through_one_glob),
        cmocka_unit_test(test_templates_cannot_fill_memory),
        cmocka_unit_test(test_joins_cannot_fill_memory),
        cmocka_unit_test(test_all_problems_are_collected_up_to_a_ceiling),
        cmocka_unit_test(test_long_files_take_linear_time),
        cmocka_unit_test(test_garbage_is_an_ordinary_result),
        cmocka_unit_test(test_every_prefix_is_readable),
        cmocka_unit_test(test_survives_every_failing_allocation),
        cmocka_unit_test(test_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
