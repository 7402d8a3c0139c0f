/* Comma-separated rows: quotes, line ends, bad lines with their number, the same whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "store/csv.h"

enum { FIELD_MAX = 32 };

/* Rows as "key=value;" and a fault as "!LINE". Returns -ENOMEM as it came. */
static int read_pieces(struct buf *out, struct csv *c, const struct text *pieces, size_t n)
{
    int got = 0;

    for (size_t i = 0; i < n && got >= 0; i++) {
        struct text in = pieces[i];

        while ((got = csv_read(c, &in)) > 0) {
            buf_addf(out, "%.*s=", TEXT_ARG(csv_field(c, 0)));
            buf_addf(out, "%.*s;", TEXT_ARG(csv_field(c, 1)));
        }
    }
    if (got >= 0 && (got = csv_end(c)) > 0)
        buf_addf(out, "%.*s=%.*s;", TEXT_ARG(csv_field(c, 0)), TEXT_ARG(csv_field(c, 1)));
    if (got == -EINVAL)
        buf_addf(out, "!%u", c->line);
    return got;
}

static int read_cut(struct text all, size_t a, size_t b, struct buf *out, struct csv *c)
{
    const struct text pieces[] = { text_head(all, a), text_head(text_skip(all, a), b - a), text_skip(all, b) };

    buf_init(out, 4096);
    csv_init(c, FIELD_MAX);
    return read_pieces(out, c, pieces, 3);
}

static void expect(struct text all, const char *rows)
{
    for (size_t a = 0; a <= all.n; a++)
        for (size_t b = a; b <= all.n; b += b - a < 3 ? 1 : 7) {
            struct csv c;
            struct buf out;

            assert_int_not_equal(read_cut(all, a, b, &out, &c), -ENOMEM);
            buf_add_char(&out, '\0');
            assert_int_equal(out.err, 0);
            assert_string_equal(out.p, rows);
            csv_free(&c);
            buf_free(&out);
        }
}

static void test_rows(void **state)
{
    (void)state;
    expect(TEXT(""), "");
    expect(TEXT("\n\r\n\n"), "");
    expect(TEXT("a,b\n"), "a=b;");
    expect(TEXT("a,b"), "a=b;");
    expect(TEXT("a,b\r\nc,d\r\n"), "a=b;c=d;");
    expect(TEXT("a,b\r"), "a=b;");
    expect(TEXT("a,b\n\nc,d"), "a=b;c=d;");
    expect(TEXT("a,\n,b\n"), "a=;=b;");
    expect(TEXT("\"a\",\"b,c\"\n"), "a=b,c;");
    expect(TEXT("\"say \"\"hi\"\"\",x\n"), "say \"hi\"=x;");
    expect(TEXT("k,\"two\nlines\"\nz,1"), "k=two\nlines;z=1;");
    expect(TEXT("\"\",\"\"\n"), "=;");
    expect(TEXT(" a , b \n"), " a = b ;");
    expect(TEXT("\xef\xbb\xbf" "a,b\n"), "a=b;");
    expect(TEXT("\xef\xbb\xbf\"a\",b\n"), "a=b;");
    expect(TEXT("\xef\xbb\x80,b\n"), "\xef\xbb\x80=b;");
    expect(TEXT("\xc3\xa4,\xe2\x82\xac\xf0\x9f\x98\x80\n"), "\xc3\xa4=\xe2\x82\xac\xf0\x9f\x98\x80;");
}

static void test_bad_lines(void **state)
{
    (void)state;
    expect(TEXT("a,b\nonly\nc,d\n"), "a=b;!2");
    expect(TEXT("a,b\n\n\nx,y,z\n"), "a=b;!4");
    expect(TEXT("a,b\r\nx,\"open\n\n\n"), "a=b;!2");
    expect(TEXT("a\"b,c\n"), "!1");
    expect(TEXT("\"a\"b,c\n"), "!1");
    expect(TEXT("a\rb,c\n"), "!1");
    expect(TEXT("a,b\n\0,c\n"), "a=b;!2");
    expect(TEXT("a,\xff\n"), "!1");
    expect(TEXT("\xc0\x80,b\n"), "!1");
    expect(TEXT("\xed\xa0\x80,b\n"), "!1");
    expect(TEXT("\xef\xbb"), "!1");
    expect(TEXT("0123456789012345678901234567890123456789,b\n"), "!1");
    expect(TEXT("01234567890123456789012345678901,b\n"), "01234567890123456789012345678901=b;");
    expect(TEXT("\"x"), "!1");
    expect(TEXT("last"), "!1");
}

static void test_fault_sticks(void **state)
{
    struct text in = TEXT("a\n"), more = TEXT("c,d\n");
    struct csv c;

    (void)state;
    csv_init(&c, FIELD_MAX);
    assert_int_equal(csv_read(&c, &in), -EINVAL);
    assert_non_null(c.fault);
    assert_int_equal(csv_read(&c, &more), -EINVAL);
    assert_int_equal(csv_end(&c), -EINVAL);
    csv_free(&c);
}

static void test_no_memory(void **state)
{
    const struct text all = TEXT("key one,value one\n\"key two\",\"a longer value than before\"\n");

    (void)state;
    for (long n = 1;; n++) {
        struct csv c;
        struct text in = all;
        int got, rows = 0;

        csv_init(&c, 100000);
        fail_alloc_at(n);
        while ((got = csv_read(&c, &in)) > 0)
            rows++;
        csv_free(&c);
        if (!fail_alloc_hit()) {
            assert_int_equal(got, 0);
            assert_int_equal(rows, 2);
            break;
        }
        assert_int_equal(got, -ENOMEM);
    }
    fail_alloc_off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_fault_sticks),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
