/* Webhooks against a scripted server: templates, signature, what is repeated and what is given up, slow and hostile answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <openssl/hmac.h>

#include "base/clock.h"
#include "journal_fake.h"
#include "net_help.h"
#include "sink/webhook_template.h"

/* ---- the server: one answer a request, in order; the last one again and again. NULL: holds the connection in silence ---- */

enum { ASKED = 64 };

static struct server {
    int listener;
    uint16_t port;
    pthread_t id;
    const char *const *answers;
    size_t answer_count;
    _Atomic size_t asked;
    char requests[ASKED][4096];
    int64_t asked_at[ASKED];
    int open_fd;                    /* for the end of the test */
} server;

static bool read_request(int fd, char *out, size_t size)
{
    size_t n = 0, body;
    const char *length;

    out[0] = 0;
    while (n + 1 < size && !strstr(out, "\r\n\r\n")) {
        if (!help_read(fd, out + n, 1))
            return false;
        out[++n] = 0;
    }
    length = strcasestr(out, "Content-Length: ");
    for (body = length ? strtoul(length + 16, NULL, 10) : 0; body > 0 && n + 1 < size; body--) {
        if (!help_read(fd, out + n, 1))
            return false;
        out[++n] = 0;
    }
    return true;
}

/* Each answer ends its connection. */
static void *serve(void *arg)
{
    struct server *s = arg;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        const size_t i = s->asked;
        const char *answer = s->answers[i < s->answer_count ? i : s->answer_count - 1];

        if (i < ASKED && read_request(fd, s->requests[i], sizeof s->requests[i])) {
            s->asked_at[i] = clock_mono_us();
            s->asked = i + 1;
            if (answer)
                help_write(fd, answer, strlen(answer));
            else
                help_read_end(fd);
        }
        close(fd);
    }
    return NULL;
}

static char url[64], dead[128];

static void server_start(const char *const *answers, size_t count)
{
    const int yes = 1;

    memset(&server, 0, sizeof server);
    server.answers = answers;
    server.answer_count = count;
    server.listener = help_listen(&server.port);
    setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);    /* a test comes back to the port */
    snprintf(url, sizeof url, "http://127.0.0.1:%u/crm?token=t0psecret", server.port);
    assert_int_equal(pthread_create(&server.id, NULL, serve, &server), 0);
}

static void server_stop(void)
{
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.id, NULL);
    close(server.listener);
}

#define SERVE(...)                                                      \
    static const char *const answers[] = { __VA_ARGS__ };               \
    (void)state;                                                        \
    server_start(answers, sizeof answers / sizeof *answers)

#define FINE "HTTP/1.1 204 No Content\r\n\r\n"

/* ---- the sink ---- */

static _Atomic int64_t cursor;

static void on_cursor(const char *name, int64_t fact_id, int64_t event_id, void *arg)
{
    (void)name;
    (void)event_id;
    (void)arg;
    cursor = fact_id;
}

static int up(void **state)
{
    (void)state;
    journal_fake_reset();
    cursor = -1;
    snprintf(dead, sizeof dead, "/tmp/sinks-hook-%d.dead", (int)getpid());
    unlink(dead);
    return 0;
}

static int down(void **state)
{
    (void)state;
    unlink(dead);
    return 0;
}

static struct sink_options options(void)
{
    return (struct sink_options){
        .driver = sink_driver_named("webhook"), .settings = { .name = "crm", .url = url, .deadline_ms = 5000 }, .journal_path = "none",
        .carries = SINK_FACTS, .retry_min_ms = 4, .retry_max_ms = 20, .dead_letter_file = dead, .on_cursor = on_cursor, .log = &help_log,
    };
}

static struct sink *open_sink(const struct sink_options *o)
{
    struct sink *s = NULL;
    char *problem;

    assert_int_equal(sink_open(&s, o, &problem), 0);
    return s;
}

static void facts(int n)
{
    for (int i = 0; i < n; i++)
        journal_fake_fact("call.ended", "17.1", "{\"caller\":\"1001\"}");
}

typedef bool check_fn(const struct sink_figures *f);
static bool is_empty(const struct sink_figures *f) { return !f->is_failing && cursor == journal_last_fact(NULL); }
static bool is_failing(const struct sink_figures *f) { return f->is_failing; }

static struct sink_figures wait_until(struct sink *s, check_fn *holds)
{
    struct sink_figures f;
    const int64_t until = clock_mono_us() + 60 * 1000000;

    for (;;) {
        sink_wake(s);
        sink_figures_of(s, &f);
        if (holds(&f))
            return f;
        if (clock_mono_us() > until)
            fail_msg("waited in vain; failing %d: %s", f.is_failing, f.last_problem);
        poll(NULL, 0, 2);
    }
}

/* Delivers count facts to the end and stops server and sink. */
static struct sink_figures deliver_all(const struct sink_options *o, int count)
{
    struct sink_figures f;
    struct sink *s;

    facts(count);
    s = open_sink(o);
    f = wait_until(s, is_empty);
    sink_close(s, 1000);
    server_stop();
    return f;
}

static bool asked_for(size_t i, const char *key)
{
    char line[96];

    snprintf(line, sizeof line, "\r\nIdempotency-Key: %s\r\n", key);
    return strstr(server.requests[i], line) != NULL;
}

/* ---- tests ---- */

static void test_one_post_a_row_in_order(void **state)
{
    SERVE(FINE);
    struct sink_options o = options();
    const struct sink_figures f = deliver_all(&o, 5);

    assert_int_equal(f.delivered, 5);
    assert_int_equal(server.asked, 5);
    assert_int_equal(strncmp(server.requests[0], "POST /crm?token=t0psecret HTTP/1.1\r\n", 36), 0);
    assert_non_null(strstr(server.requests[0], "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(server.requests[0], "\"kind\":\"call.ended\",\"call\":\"17.1\",\"detail\":{\"caller\":\"1001\"}}"));
    assert_null(strstr(server.requests[0], "Signature"));
    assert_true(asked_for(0, "pbx1/77/1/0") && asked_for(1, "pbx1/77/1/1") && asked_for(4, "pbx1/77/3/0"));
}

static void test_it_is_signed_so_that_the_receiver_can_check(void **state)
{
    SERVE(FINE);
    struct sink_options o = options();
    unsigned char mac[32];
    char text[4096], hex[65], time[32] = "";
    const char *at, *body;
    unsigned n;

    o.settings.hmac_secret = "key of both";
    deliver_all(&o, 1);
    at = strstr(server.requests[0], "\r\nX-Sidetone-Signature: t=");
    assert_non_null(at);
    assert_int_equal(sscanf(at + 26, "%31[0-9],v1=%64[0-9a-f]", time, hex), 2);
    assert_true(llabs(strtoll(time, NULL, 10) - clock_wall_us() / 1000000) < 60);
    body = strstr(server.requests[0], "\r\n\r\n") + 4;
    snprintf(text, sizeof text, "%s.%s", time, body);
    HMAC(EVP_sha256(), "key of both", 11, (unsigned char *)text, strlen(text), mac, &n);
    for (unsigned i = 0; i < 32; i++) {
        char two[3];

        snprintf(two, sizeof two, "%02x", mac[i]);
        assert_memory_equal(two, hex + 2 * i, 2);
    }
    assert_null(strstr(server.requests[0], "key of both"));
}

static void test_user_and_bearer(void **state)
{
    SERVE(FINE);
    struct sink_options o = options();

    o.settings.secret = "b3arer";
    deliver_all(&o, 1);
    assert_non_null(strstr(server.requests[0], "\r\nAuthorization: Bearer b3arer\r\n"));
    up(NULL);
    server_start(answers, 1);
    o.settings.user = "me";
    deliver_all(&o, 1);
    assert_non_null(strstr(server.requests[0], "\r\nAuthorization: Basic bWU6YjNhcmVy\r\n"));
}

static void test_what_is_repeated(void **state)
{
    SERVE("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
          "", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "HTTP/1.1 200", "garbage\r\n\r\n", FINE);
    struct sink_options o = options();
    const struct sink_figures f = deliver_all(&o, 1);

    assert_int_equal(f.delivered, 1);
    assert_int_equal(f.dead, 0);
    assert_int_equal(server.asked, 10);
    assert_int_equal(f.retries, 9);
    for (size_t i = 0; i < 10; i++)
        assert_true(asked_for(i, "pbx1/77/1/0"));
}

static void test_what_is_given_up(void **state)
{
    SERVE("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", FINE);
    struct sink_options o = options();
    const struct sink_figures f = deliver_all(&o, 3);
    char line[1024];
    FILE *list = fopen(dead, "r");

    assert_int_equal(f.delivered, 1);
    assert_int_equal(f.dead, 2);
    assert_int_equal(server.asked, 3);
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    assert_non_null(strstr(line, "\"key\":\"pbx1/77/1/0\""));
    assert_non_null(strstr(line, "\"why\":\"webhook: the server answered 400\""));
    assert_non_null(fgets(line, sizeof line, list));
    assert_non_null(strstr(line, "answered 422"));
    fclose(list);
}

static void test_retry_after_is_obeyed(void **state)
{
    SERVE("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", FINE);
    struct sink_options o = options();

    deliver_all(&o, 1);
    assert_int_equal(server.asked, 2);
    assert_true(server.asked_at[1] - server.asked_at[0] >= 900000);
}

static void test_a_server_that_hangs_is_left_at_the_deadline(void **state)
{
    SERVE(NULL, FINE);
    struct sink_options o = options();
    struct sink_figures f;

    o.settings.deadline_ms = 200;
    f = deliver_all(&o, 1);
    assert_int_equal(server.asked, 2);
    assert_int_equal(f.retries, 1);
}

static void test_a_server_that_hangs_does_not_hold_up_the_end(void **state)
{
    SERVE(NULL);
    struct sink_options o = options();
    struct sink *s;
    int64_t before;

    o.settings.deadline_ms = 60000;
    facts(1);
    s = open_sink(&o);
    while (server.asked == 0)
        poll(NULL, 0, 5);
    before = clock_mono_us();
    sink_close(s, 100);
    assert_true(clock_mono_us() - before < 20 * 1000000);
    server_stop();
    assert_true(cursor <= 0);
}

static void test_a_server_that_is_gone_and_comes_back(void **state)
{
    SERVE(FINE);
    struct sink_options o = options();
    struct sink *s = open_sink(&o);
    struct sink_figures f;
    struct sockaddr_in a;
    const int yes = 1;

    facts(3);
    wait_until(s, is_empty);
    server_stop();
    facts(3);
    f = wait_until(s, is_failing);
    assert_null(strstr(f.last_problem, "t0psecret"));
    a = help_addr(server.port);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(server.listener, 16), 0);
    assert_int_equal(pthread_create(&server.id, NULL, serve, &server), 0);
    wait_until(s, is_empty);
    sink_close(s, 1000);
    server_stop();
    assert_int_equal(server.asked, 6);
    assert_true(asked_for(5, "pbx1/77/3/1"));
}

static void test_an_endless_answer_has_a_ceiling(void **state)
{
    static char much[300000] = "HTTP/1.1 200 OK\r\nContent-Length: 299000\r\n\r\n";

    memset(much + strlen(much), 'x', sizeof much - 1 - strlen(much));
    const char *const answers[] = { much };
    struct sink_options o = options();
    struct sink_figures f;
    struct sink *s;

    (void)state;
    server_start(answers, 1);
    facts(1);
    s = open_sink(&o);
    f = wait_until(s, is_failing);
    sink_close(s, 0);
    server_stop();
    assert_non_null(strstr(f.last_problem, "longer than 65536 bytes"));
}

/* ---- templates ---- */

static const struct sink_row row = { .id = 7, .node = "pbx\"1", .kind = "call.ended", .call = "17.1",
                                     .detail = "{\"caller\":\"a\\\"b\\\\\\n\",\"talk_us\":1700000000123456,\"queue\":{\"name\":\"sales\",\"list\":[1,2]},\"a.b\":true,\"none\":null}",
                                     .session = 1700000000000001, .at_us = 1700000000123456, .seq = 42, .n = 3 };

static void check(const char *template, const char *want)
{
    struct buf b;

    assert_null(webhook_template_fault(template));
    buf_init(&b, 65536);
    assert_int_equal(webhook_render(&b, template, &row), 0);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void test_fields_are_filled_in(void **state)
{
    (void)state;
    check("{\"who\":\"{{caller}}\",\"n\":{{n}},\"k\":\"{{ kind }}\"}", "{\"who\":\"a\\\"b\\\\\\n\",\"n\":3,\"k\":\"call.ended\"}");
    check("{\"who\":{{caller}},\"t\":{{talk_us}},\"s\":{{session}},\"x\":{{missing}},\"y\":\"{{missing}}\",\"z\":{{none}}}",
          "{\"who\":\"a\\\"b\\\\\\n\",\"t\":1700000000123456,\"s\":1700000000000001,\"x\":null,\"y\":\"\",\"z\":null}");
    check("{\"q\":\"{{queue.name}}\",\"l\":{{queue.list}},\"ab\":{{a.b}},\"qq\":\"{{queue}}\",\"d\":{{detail.queue.name}}}",
          "{\"q\":\"sales\",\"l\":[1,2],\"ab\":true,\"qq\":\"{\\\"name\\\":\\\"sales\\\",\\\"list\\\":[1,2]}\",\"d\":\"sales\"}");
    check("{\"k\":{{key}},\"node\":\"{{node}}\",\"at\":\"{{at}}\",\"type\":{{type}},\"e\":\"\\\"{{n}}\\\"\"}",
          "{\"k\":\"pbx%221/1700000000000001/42/3\",\"node\":\"pbx\\\"1\",\"at\":\"2023-11-14T22:13:20.123Z\",\"type\":\"fact\",\"e\":\"\\\"3\\\"\"}");
    check("plain } { {{n}}", "plain } { 3");
}

/* Whatever stands in the fields, a template that is JSON stays JSON with the same members. */
static void test_hostile_values_stay_inside(void **state)
{
    static const char *const hostile[] = { "\"", "\\", "\",\"admin\":true,\"x\":\"", "{{n}}", "\n\r\x01\xff", "}}{{" };

    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct sink_row r = row;
        struct buf b, detail;
        cJSON *json;

        buf_init(&b, 65536);
        buf_init(&detail, 65536);
        buf_add_text(&detail, TEXT("{\"caller\":\""));
        buf_add_json(&detail, text_of(hostile[i]));
        buf_add_text(&detail, TEXT("\"}"));
        r.node = r.call = hostile[i];
        r.detail = buf_cstr(&detail);
        assert_int_equal(webhook_render(&b, "{\"a\":\"{{caller}}\",\"b\":{{caller}},\"c\":\"{{node}}{{call}}\",\"d\":{{call}}}", &r), 0);
        json = cJSON_Parse(buf_cstr(&b));
        assert_non_null(json);
        assert_int_equal(cJSON_GetArraySize(json), 4);
        cJSON_Delete(json);
        buf_free(&b);
        buf_free(&detail);
    }
}

static void test_templates_that_cannot_be(void **state)
{
    static const char *const bad[] = { "", "{{", "{{a", "{{}}", "{{ }}", "{{a b}}", "{{a\"}}", "{{{a}}" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(webhook_template_fault(bad[i]));
}

static void test_settings_that_cannot_be(void **state)
{
    struct sink_options o = options();
    struct sink *s;
    char *problem;

    (void)state;
    o.settings.url = "ftp://x";
    assert_int_equal(sink_open(&s, &o, &problem), -EINVAL);
    assert_string_equal(problem, "sink crm: url = https://host/path is needed");
    free(problem);
    o.settings.url = NULL;
    assert_int_equal(sink_open(&s, &o, &problem), -EINVAL);
    free(problem);
    o.settings.url = "http://x";
    o.settings.template_text = "{{a";
    assert_int_equal(sink_open(&s, &o, &problem), -EINVAL);
    assert_string_equal(problem, "sink crm: a {{ in the template has no }}");
    free(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_post_a_row_in_order, up, down),
        cmocka_unit_test_setup_teardown(test_it_is_signed_so_that_the_receiver_can_check, up, down),
        cmocka_unit_test_setup_teardown(test_user_and_bearer, up, down),
        cmocka_unit_test_setup_teardown(test_what_is_repeated, up, down),
        cmocka_unit_test_setup_teardown(test_what_is_given_up, up, down),
        cmocka_unit_test_setup_teardown(test_retry_after_is_obeyed, up, down),
        cmocka_unit_test_setup_teardown(test_a_server_that_hangs_is_left_at_the_deadline, up, down),
        cmocka_unit_test_setup_teardown(test_a_server_that_hangs_does_not_hold_up_the_end, up, down),
        cmocka_unit_test_setup_teardown(test_a_server_that_is_gone_and_comes_back, up, down),
        cmocka_unit_test_setup_teardown(test_an_endless_answer_has_a_ceiling, up, down),
        cmocka_unit_test(test_fields_are_filled_in),
        cmocka_unit_test(test_hostile_values_stay_inside),
        cmocka_unit_test(test_templates_that_cannot_be),
        cmocka_unit_test(test_settings_that_cannot_be),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
