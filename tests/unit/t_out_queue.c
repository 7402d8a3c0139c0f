/* Bytes come out as they went in, blocks never move, and memory that is short takes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "fail_alloc.h"
#include "net/out_queue.h"

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void add(struct out_queue *q, size_t from, size_t n)
{
    char *p = malloc(n + 1);
    struct text parts[3];

    for (size_t i = 0; i < n; i++)
        p[i] = (char)byte_at(from + i);
    parts[0] = text_make(p, n / 3);
    parts[1] = text_make(p + n / 3, n - n / 3);
    parts[2] = TEXT("");
    assert_int_equal(out_queue_add(q, parts, 3, 0), 0);
    free(p);
}

static size_t check_head(const struct out_queue *q, size_t from)
{
    struct text t[4];
    const size_t count = out_queue_peek(q, t, 4);
    size_t n = 0;

    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < t[k].n; i++)
            assert_int_equal((uint8_t)t[k].p[i], byte_at(from + n++));
    return n;
}

static void test_order(void **state)
{
    const size_t sizes[] = { 1, 100, 16383, 16384, 16385, 50000, 3, 0, 40000, 1 };
    struct out_queue q = { 0 };
    size_t in = 0, out = 0;

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        const size_t n = sizes[round % 10];
        size_t less;

        add(&q, in, n);
        in += n;
        assert_int_equal(q.n, in - out);
        check_head(&q, out);
        less = sizes[(round * 3 + 1) % 10];
        less = less > q.n ? q.n : less;
        out_queue_drop(&q, less);
        out += less;
    }
    while (q.n > 0) {
        const size_t n = check_head(&q, out);

        assert_true(n > 0);
        out_queue_drop(&q, n);
        out += n;
    }
    assert_int_equal(in, out);
    assert_null(q.head);
    assert_null(q.tail);
    out_queue_free(&q);
}

static void test_head_never_moves(void **state)
{
    struct out_queue q = { 0 };
    struct text before, after;

    (void)state;
    add(&q, 0, 10);
    assert_int_equal(out_queue_peek(&q, &before, 1), 1);
    add(&q, 10, 100000);
    assert_int_equal(out_queue_peek(&q, &after, 1), 1);
    assert_ptr_equal(before.p, after.p); /* same address, longer: what a refused TLS send asks for */
    assert_int_equal(after.n, OUT_BLOCK_BYTES);
    out_queue_free(&q);
}

static void test_skip(void **state)
{
    const struct text parts[] = { TEXT("abc"), TEXT(""), TEXT("defg"), TEXT("hi") };
    const char all[] = "abcdefghi";

    (void)state;
    for (size_t skip = 0; skip <= 9; skip++) {
        struct out_queue q = { 0 };
        struct text t = TEXT("");

        assert_int_equal(out_queue_add(&q, parts, 4, skip), 0);
        assert_int_equal(q.n, 9 - skip);
        out_queue_peek(&q, &t, 1);
        assert_memory_equal(t.p, all + skip, t.n);
        assert_int_equal(t.n, 9 - skip);
        out_queue_free(&q);
    }
}

static void test_all_or_nothing(void **state)
{
    static const char bytes[100000];
    const struct text part = { bytes, sizeof bytes };

    (void)state;
    for (long n = 1;; n++) {
        struct out_queue q = { 0 };
        int err;

        add(&q, 0, 5);
        fail_alloc_at(n);
        err = out_queue_add(&q, &part, 1, 0);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            assert_int_equal(n, 7); /* 100,000 bytes less the room in the tail: six blocks */
            out_queue_free(&q);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(q.n, 5);
        assert_int_equal(check_head(&q, 0), 5);
        out_queue_free(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_head_never_moves),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
