/* tool_template.c: nothing of an argument leaves the place that the template gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>

#include "app/tool_template.h"
#include "net/http_hosts.h"

#define SHAPE "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"q\":{},\"n\":{\"type\":\"number\"}},\"required\":[\"id\"]}"

static struct schema *shape(void)
{
    char why[SCHEMA_WHY_MAX];
    struct schema *s = NULL;

    assert_int_equal(schema_new(&s, TEXT(SHAPE), why), 0);
    return s;
}

static void url_check(const char *url, const char *says)
{
    char why[TOOL_TEMPLATE_WHY] = "";
    struct schema *s = shape();

    if (tool_url_check(text_of(url), s, why) != !says || (says && !strstr(why, says)))
        fail_msg("%s: \"%s\", expected \"%s\"", url, why, says ? says : "");
    schema_free(s);
}

static void test_urls_that_are_no_good(void **state)
{
    char why[TOOL_TEMPLATE_WHY];

    (void)state;
    url_check("https://crm.example.com/orders/{id}?q={q}&n={n}", NULL);
    url_check("https://crm.example.com/", NULL);
    url_check("https://{id}/orders", "host");
    url_check("https://crm{id}/orders", "host");
    url_check("https://crm.example.com:{id}/", "host");
    url_check("https://{id}@crm.example.com/", "host");
    url_check("{id}", "host");
    url_check("https://crm.example.com/{order}", "{order} is no property");
    url_check("https://crm.example.com/{}", "{} is no property");
    url_check("https://crm.example.com/{q}", "require");
    assert_false(tool_url_check(TEXT("http://h/{id}"), NULL, why));
}

static void makes(const char *url, const char *args, const char *made)
{
    char why[TOOL_TEMPLATE_WHY] = "";
    cJSON *tree = cJSON_Parse(args);
    struct buf b;
    int err;

    assert_non_null(tree);
    buf_init(&b, 4096);
    err = tool_url_make(&b, text_of(url), tree, why);
    if (err != (made ? 0 : -EINVAL) || (!made && !why[0]) || (made && strcmp(buf_cstr(&b), made) != 0))
        fail_msg("%s %s: %d %s \"%s\"", url, args, err, buf_cstr(&b), why);
    buf_free(&b);
    cJSON_Delete(tree);
}

static void test_urls(void **state)
{
    static const char url[] = "http://h:1/orders/{id}/state?q={q}&n={n}";

    (void)state;
    makes(url, "{\"id\":\"A7\",\"q\":\"red & blue\",\"n\":2.5}", "http://h:1/orders/A7/state?q=red%20%26%20blue&n=2.5");
    makes(url, "{\"id\":\"A7\"}", "http://h:1/orders/A7/state?q=&n=");
    makes(url, "{\"id\":\"A7\",\"q\":true,\"n\":null}", "http://h:1/orders/A7/state?q=true&n=");
    makes(url, "{\"id\":\"a/../../admin?x=#y\\r\\nHost: evil\"}",
          "http://h:1/orders/a%2F..%2F..%2Fadmin%3Fx%3D%23y%0D%0AHost%3A%20evil/state?q=&n=");
    makes(url, "{\"id\":\"{q}\",\"q\":\"{id}\"}", "http://h:1/orders/%7Bq%7D/state?q=%7Bid%7D&n=");
    makes(url, "{\"id\":\"\xc3\xa9\"}", "http://h:1/orders/%C3%A9/state?q=&n=");
    makes(url, "{\"id\":\"..\"}", NULL);
    makes(url, "{\"id\":\".\"}", NULL);
    makes(url, "{\"id\":\"...\"}", "http://h:1/orders/.../state?q=&n=");
    makes("http://h/a.{id}/x", "{\"id\":\".\"}", "http://h/a../x");
    makes("http://h/.{id}/x", "{\"id\":\".\"}", NULL);
    makes(url, "{\"id\":\"\"}", NULL);
    makes(url, "{}", NULL);
    makes(url, "{\"id\":[\"a\"]}", NULL);
    makes(url, "{\"id\":\"a\",\"q\":{}}", NULL);
    makes("http://h/?q={q}", "{\"q\":\"..\"}", "http://h/?q=..");
}

static void bodies(const char *template, const char *args, const char *made)
{
    cJSON *body = cJSON_Parse(template), *tree = cJSON_Parse(args);
    char *text;

    assert_non_null(body);
    assert_non_null(tree);
    text = tool_body_make(body, tree);
    assert_string_equal(text, made);
    free(text);
    cJSON_Delete(body);
    cJSON_Delete(tree);
}

static void test_bodies(void **state)
{
    (void)state;
    bodies("{\"order\":\"{id}\",\"by\":\"phone\",\"n\":[\"{n}\",7]}", "{\"id\":\"A7\",\"n\":2}", "{\"order\":\"A7\",\"by\":\"phone\",\"n\":[2,7]}");
    bodies("{\"text\":\"Order {id} ({n})\"}", "{\"id\":\"\\\",\\\"admin\\\":true,\\\"\",\"n\":3}", "{\"text\":\"Order \\\",\\\"admin\\\":true,\\\" (3)\"}");
    bodies("{\"a\":\"{id}\",\"b\":\"{q}\"}", "{\"id\":\"{q}\",\"q\":{\"deep\":[1]}}", "{\"a\":\"{q}\",\"b\":{\"deep\":[1]}}");
    bodies("{\"a\":\"{q}\",\"b\":\"x{q}y\"}", "{}", "{\"a\":null,\"b\":\"xy\"}");
    bodies("\"{id}\"", "{\"id\":\"A7\"}", "\"A7\"");
    bodies("[[\"{id}\"],{}]", "{\"id\":\"A7\"}", "[[\"A7\"],{}]");
    bodies("{\"id\":\"A7\"}", "{}", "{\"id\":\"A7\"}");
}

static void test_bodies_are_checked(void **state)
{
    char why[TOOL_TEMPLATE_WHY] = "";
    struct schema *s = shape();
    cJSON *good = cJSON_Parse("{\"a\":[{\"b\":\"{id} {n}\"}]}"), *bad = cJSON_Parse("{\"a\":[{\"b\":\"{id} {m}\"}]}");

    (void)state;
    assert_true(tool_body_check(good, s, why));
    assert_false(tool_body_check(bad, s, why));
    assert_non_null(strstr(why, "{m}"));
    assert_false(tool_body_check(good, NULL, why));
    cJSON_Delete(good);
    cJSON_Delete(bad);
    schema_free(s);
}

static void test_hosts(void **state)
{
    (void)state;
    assert_true(text_eq(http_host_of(TEXT("https://a.b:1/x?y")), TEXT("a.b:1")));
    assert_true(text_eq(http_host_of(TEXT("http://a?y")), TEXT("a")));
    assert_null(http_host_of(TEXT("ftp://a/")).p);
    assert_null(http_host_of(TEXT("http:///x")).p);
    assert_null(http_host_of(TEXT("http://a@b/")).p);
    assert_null(http_host_of(TEXT("http://a%2eb/")).p);
    assert_true(http_host_is_granted("x.y, a.b:1", TEXT("A.b:1")));
    assert_false(http_host_is_granted("x.y, a.b:1", TEXT("a.b")));
    assert_false(http_host_is_granted(NULL, TEXT("a.b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_that_are_no_good),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_bodies_are_checked),
        cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
