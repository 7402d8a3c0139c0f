/* SHA-256: the examples of FIPS 180-4, and every cut gives the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

static void hex(struct text a, struct text b, char out[SHA256_HEX + 1])
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 h;

    sha256_begin(&h);
    sha256_add(&h, a);
    sha256_add(&h, b);
    sha256_end(&h, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void test_examples(void **state)
{
    char out[SHA256_HEX + 1];

    (void)state;
    hex(TEXT(""), TEXT(""), out);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hex(TEXT("abc"), TEXT(""), out);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hex(TEXT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), TEXT(""), out);
    assert_string_equal(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* A million times "a". */
static void test_long(void **state)
{
    static char million[1000000];
    char out[SHA256_HEX + 1];

    (void)state;
    memset(million, 'a', sizeof million);
    hex(text_make(million, 999), text_make(million, sizeof million - 999), out);
    assert_string_equal(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_cuts(void **state)
{
    char text[200], whole[SHA256_HEX + 1], parts[SHA256_HEX + 1];

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t n = 50; n < 140; n++) {
        hex(text_make(text, n), TEXT(""), whole);
        for (size_t cut = 0; cut <= n; cut++) {
            hex(text_make(text, cut), text_make(text, n - cut), parts);
            assert_string_equal(parts, whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples), cmocka_unit_test(test_long), cmocka_unit_test(test_cuts) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
