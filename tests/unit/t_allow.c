/* Lists of networks: what is understood, and who is on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/allow.h"

static void hosts_and_networks(void **state)
{
    static const struct {
        const char *list, *host;
        bool is_in;
    } cases[] = {
        { "127.0.0.1", "127.0.0.1", true }, { "127.0.0.1", "127.0.0.2", false }, { "10.0.0.0/8", "10.255.1.2", true },
        { "10.0.0.0/8", "11.0.0.1", false }, { "192.168.4.0/22", "192.168.7.255", true }, { "192.168.4.0/22", "192.168.8.0", false },
        { "0.0.0.0/0", "8.8.8.8", true }, { "0.0.0.0/0", "::1", false }, { "::/0", "::1", true }, { "::/0", "8.8.8.8", true },
        { "::1", "::1", true }, { "2001:db8::/33", "2001:db8:7fff::1", true }, { "2001:db8::/33", "2001:db8:8000::1", false },
        { "10.1.2.3", "::ffff:10.1.2.3", true }, { "127.0.0.1, 10.0.0.0/8", "10.1.1.1", true }, { " ::1 , 10.0.0.9 ", "10.0.0.9", true },
        { "10.0.0.1/31", "10.0.0.0", true }, { "10.0.0.1", "nonsense", false }, { "10.0.0.1", "", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct allow_list a;
        struct text bad;

        assert_int_equal(allow_parse(text_of(cases[i].list), &a, &bad), 0);
        if (allow_has(&a, cases[i].host) != cases[i].is_in)
            fail_msg("%s in %s", cases[i].host, cases[i].list);
    }
}

static void an_empty_list_lets_all_in(void **state)
{
    const struct allow_list a = { 0 };

    (void)state;
    assert_true(allow_has(&a, "203.0.113.9"));
}

static void what_is_not_understood_is_named(void **state)
{
    static const char *const lists[][2] = {
        { "localhost", "localhost" }, { "10.0.0.0/33", "10.0.0.0/33" }, { "::1/129", "::1/129" }, { "10.0.0.1,", "" }, { "", "" },
        { "10.0.0.1, 10.0.0", "10.0.0" }, { "10.0.0.0/-1", "10.0.0.0/-1" }, { "10.0.0.0/", "10.0.0.0/" }, { "/8", "/8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct allow_list a;
        struct text bad;

        assert_int_equal(allow_parse(text_of(lists[i][0]), &a, &bad), -EINVAL);
        assert_true(text_eq(bad, text_of(lists[i][1])));
    }
}

static void the_list_has_a_ceiling(void **state)
{
    char list[16 * (ALLOW_MAX + 1)] = "";
    struct allow_list a;
    struct text bad;

    (void)state;
    for (int i = 0; i < ALLOW_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s10.0.0.%d", i ? "," : "", i);
    assert_int_equal(allow_parse(text_of(list), &a, &bad), 0);
    assert_true(allow_has(&a, "10.0.0.63"));
    strcat(list, ",10.1.0.1");
    assert_int_equal(allow_parse(text_of(list), &a, &bad), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_networks), cmocka_unit_test(an_empty_list_lets_all_in), cmocka_unit_test(what_is_not_understood_is_named),
        cmocka_unit_test(the_list_has_a_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
