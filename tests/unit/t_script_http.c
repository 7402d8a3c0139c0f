/* http.get and http.post: answers, refusals, ceilings, deadlines. The tool's run and a scripted server share one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/dialer.h"
#include "net/listener.h"
#include "route/script.h"

static struct world {
    struct loop *loop;
    struct log_sink sink;
    struct log log;
    struct dialer *dialer;
    struct script_services services;
    struct script_engine *engine;
    struct listener *listener;
    struct address at;
    struct stream *peers[8];
    size_t peer_count;
    char path[64], hosts[64], result[4096], heard[8192];
    size_t heard_n;
    int err, asked;
    script_on_put *on_put;
    void *put_arg;
    char put[200];
} w;

/* ---- the server ---- */

static void reply(struct stream *s, const char *head, const char *body)
{
    char text[400];

    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
    assert_int_equal(stream_send_text(s, text_of(text)), 0);
}

static void reply_long(struct stream *s)
{
    static char body[300000];

    memset(body, 'x', sizeof body);
    assert_int_equal(stream_send_text(s, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")), 0);
    (void)!stream_send_text(s, text_make(body, 200000));
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    (void)arg;
    assert_true(w.heard_n + bytes.n < sizeof w.heard);
    memcpy(w.heard + w.heard_n, bytes.p, bytes.n);
    w.heard_n += bytes.n;
    w.heard[w.heard_n] = '\0';
    if (!strstr(w.heard, "\r\n\r\n") || (strstr(w.heard, "POST") && !memmem(w.heard, w.heard_n, "the end", 7)))
        return;
    w.asked++;
    if (strstr(w.heard, " /hang"))
        return;
    if (strstr(w.heard, " /elsewhere"))
        reply(s, "302 Found\r\nLocation: http://127.0.0.2:9/x", "moved");
    else if (strstr(w.heard, " /long"))
        reply_long(s);
    else if (strstr(w.heard, " /gone"))
        reply(s, "404 Not Found", "no");
    else
        reply(s, "200 OK", "hello");
}

static void on_accept(struct stream *s, void *arg)
{
    static const struct stream_handlers handlers = { .on_data = on_data };

    (void)arg;
    stream_handle(s, &handlers, NULL);
    assert_true(w.peer_count < sizeof w.peers / sizeof *w.peers);
    w.peers[w.peer_count++] = s;
}

static int store_put(void *arg, struct loop *l, struct text table, struct text key, struct text value, script_on_put *on_put, void *put_arg);

static int setup(void **state)
{
    const struct address any = { .host = "127.0.0.1" };

    (void)state;
    memset(&w, 0, sizeof w);
    w.sink = (struct log_sink){ .fd = 2, .level = LOG_OFF };
    w.log = (struct log){ .sink = &w.sink, .module = "test" };
    assert_int_equal(loop_new(&w.loop, &w.log), 0);
    assert_int_equal(dialer_new(&w.dialer, w.loop, &(struct dialer_options){ 0 }), 0);
    assert_int_equal(listener_open(&w.listener, w.loop, &any, NULL, on_accept, NULL), 0);
    listener_address(w.listener, &w.at);
    snprintf(w.hosts, sizeof w.hosts, "other.example, 127.0.0.1:%u", w.at.port);
    snprintf(w.path, sizeof w.path, "/tmp/sidetone-http-XXXXXX");
    close(mkstemp(w.path));
    w.services = (struct script_services){ .store_put = store_put, .dialer = w.dialer };
    return script_engine_new(&w.engine, w.loop, &w.services, NULL, &w.log);
}

static int teardown(void **state)
{
    (void)state;
    script_engine_free(w.engine);
    dialer_free(w.dialer);
    listener_close(w.listener);
    for (size_t i = 0; i < w.peer_count; i++) {
        stream_abort(w.peers[i]);
        ref_drop(w.peers[i]);
    }
    loop_free(w.loop);
    return unlink(w.path);
}

static void on_result(int err, struct text json, void *arg)
{
    (void)arg;
    w.err = err;
    text_copy(w.result, sizeof w.result, json);
    loop_stop(w.loop);
}

/* Runs the body of run(args) with URL set to the server; the result as JSON. */
static const char *run(const char *body, const char *hosts, int64_t deadline_ms)
{
    FILE *f = fopen(w.path, "w");
    char *problem = NULL;
    struct script *s;
    struct script_run *r;

    assert_non_null(f);
    fprintf(f, "local URL = 'http://127.0.0.1:%u'\nlocal PORT = %u\nfunction run(args)\n%s\nend\n", w.at.port, w.at.port, body);
    fclose(f);
    if (script_load(&s, w.engine, w.path, "run", &problem))
        fail_msg("%s", problem);
    assert_int_equal(script_grant_http(s, hosts), 0);
    assert_int_equal(script_run_tool(&r, s, TEXT("{}"), TEXT("{}"), deadline_ms, on_result, NULL), 0);
    script_release(s);
    loop_run(w.loop);
    return w.result;
}

static void answers_come_back(void **state)
{
    (void)state;
    assert_string_equal(run("local a = http.get(URL .. '/x?y=1', {headers = {['X-Key'] = 'k'}}) return {s = a.status .. a.body}", w.hosts, 5000),
                        "{\"s\":\"200hello\"}");
    assert_non_null(strstr(w.heard, "GET /x?y=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(w.heard, "\r\nX-Key: k\r\n"));
    w.heard_n = 0;
    assert_string_equal(run("local a = http.post(URL .. '/gone', {body = 'a\\0b the end'}) return {s = a.status}", w.hosts, 5000), "{\"s\":404}");
    assert_non_null(strstr(w.heard, "POST /gone HTTP/1.1\r\n"));
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    assert_string_equal(run("local a = http.get(URL .. '/elsewhere') return {s = a.status}", w.hosts, 5000), "{\"s\":302}");
    assert_int_equal(w.asked, 1);
}

static void only_granted_hosts(void **state)
{
    static const char *const urls[] = {
        "'http://127.0.0.1/'", "'http://127.0.0.1:1/'", "'http://localhost:' .. PORT", "'http://127.0.0.1:' .. PORT .. '@evil.example/'",
        "'http://evil.example#@127.0.0.1:' .. PORT", "'http://evil.example\\\\@127.0.0.1:' .. PORT", "'file:///etc/passwd'", "'HTTP://127.0.0.1'",
        "'http://127.0.0.1:' .. PORT .. ' /x'", "'http://127.0.0.1:' .. PORT .. '\\r\\nX: y/'", "'http:///'", "''", "'gopher://127.0.0.1:1/'",
        "'http://other.example:81/'", "'http://127.0.0.1:' .. PORT .. '/a\\0b'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char body[300];

        snprintf(body, sizeof body, "local ok, e = pcall(http.get, %s) return {r = tostring(ok) .. ' ' .. e.code}", urls[i]);
        assert_string_equal(run(body, w.hosts, 5000), "{\"r\":\"false http_refused\"}");
    }
    assert_string_equal(run("local ok, e = pcall(http.get, URL) return {c = e.code}", NULL, 5000), "{\"c\":\"http_refused\"}");
    assert_int_equal(w.asked, 0);
}

static void wrong_options_are_errors(void **state)
{
    static const char *const options[] = {
        "{headers = {'x'}}", "{headers = 5}", "{body = {}}", "{timeout_ms = 0}", "{timeout_ms = 1e9}", "{timeout_ms = 'x'}", "5",
        "{body = ('x'):rep(300000)}", "{headers = {['A\\r\\nB'] = 'c'}}", "{headers = {A = 'b\\nC: d'}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char body[300];

        snprintf(body, sizeof body, "local ok = pcall(http.get, URL, %s) return {ok = ok}", options[i]);
        assert_string_equal(run(body, w.hosts, 5000), "{\"ok\":false}");
    }
    assert_int_equal(w.asked, 0);
}

static void ceilings_hold(void **state)
{
    (void)state;
    assert_string_equal(run("local ok, e = pcall(http.get, URL .. '/long') return {r = tostring(ok) .. ' ' .. e.code}", w.hosts, 5000),
                        "{\"r\":\"false http\"}");
    w.heard_n = 0;
    assert_string_equal(run("local ok, e = pcall(http.get, URL .. '/hang', {timeout_ms = 60}) return {r = tostring(ok) .. ' ' .. e.code}", w.hosts, 5000),
                        "{\"r\":\"false http\"}");
}

static void the_deadline_ends_it(void **state)
{
    (void)state;
    run("http.get(URL .. '/hang', {timeout_ms = 60000}) return {}", w.hosts, 80);
    assert_int_equal(w.err, -ETIMEDOUT);
    assert_int_equal(w.asked, 1);
}

/* ---- store.put ---- */

static void put_done(void *arg)
{
    (void)arg;
    w.on_put(strstr(w.put, "locked") ? -EBUSY : 0, w.put_arg);
}

static int store_put(void *arg, struct loop *l, struct text table, struct text key, struct text value, script_on_put *on_put, void *put_arg)
{
    (void)arg;
    w.on_put = on_put;
    w.put_arg = put_arg;
    snprintf(w.put, sizeof w.put, "%.*s|%.*s|%.*s", TEXT_ARG(table), TEXT_ARG(key), TEXT_ARG(value));
    return text_eq(table, TEXT("Bad")) ? -EINVAL : loop_post(l, put_done, NULL);
}

static void rows_are_kept(void **state)
{
    (void)state;
    assert_string_equal(run("return {r = store.put('calls', 4711, 'x y')}", NULL, 5000), "{\"r\":true}");
    assert_string_equal(w.put, "calls|4711|x y");
    assert_string_equal(run("local ok, e = pcall(store.put, 'locked', 'a', 'b') return {r = tostring(ok) .. ' ' .. e.code}", NULL, 5000), "{\"r\":\"false store\"}");
    assert_string_equal(run("local ok, e = pcall(store.put, 'Bad', 'a', 'b') return {r = tostring(ok) .. ' ' .. e.code}", NULL, 5000), "{\"r\":\"false store\"}");
    assert_string_equal(run("local ok = pcall(store.put, 'calls', 'a') return {ok = ok}", NULL, 5000), "{\"ok\":false}");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(answers_come_back), T(a_redirect_is_not_followed), T(only_granted_hosts), T(wrong_options_are_errors), T(ceilings_hold),
        T(the_deadline_ends_it), T(rows_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
