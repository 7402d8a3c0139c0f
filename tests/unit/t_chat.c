/* The language model of a pipeline: event streams cut anywhere, answers of many servers, sentences for a voice, history of what was heard, and whole
 * requests with a scripted peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "ai/llm.h"
#include "ai/sentence.h"
#include "ai/sse.h"
#include "ai/tts_cache.h"
#include "fail_alloc.h"
#include "net_help.h"

/* ---- event streams ---- */

static const char stream[] = ": keep-alive\r\nevent: x\r\ndata: {\"a\":\"\xc3\xa9\"}\r\n\r\ndata:one\ndata: two\n\nid: 7\n\nretry: 5\ndata:\n\ndata: [DONE]";
static const char events[] = "{\"a\":\"\xc3\xa9\"}|one\ntwo||[DONE]|";

static bool collect(struct text data, void *arg)
{
    buf_add_text(arg, data);
    buf_add_char(arg, '|');
    return true;
}

static void expect_events(size_t first, size_t second)
{
    const struct text all = text_of(stream);
    struct sse s;
    struct buf out;

    sse_init(&s);
    buf_init(&out, 4096);
    assert_int_equal(sse_feed(&s, text_head(all, first), collect, &out), 0);
    assert_int_equal(sse_feed(&s, text_head(text_skip(all, first), second - first), collect, &out), 0);
    assert_int_equal(sse_feed(&s, text_skip(all, second), collect, &out), 0);
    assert_int_equal(sse_end(&s, collect, &out), 0);
    assert_string_equal(buf_cstr(&out), events);
    buf_free(&out);
    sse_free(&s);
}

static void test_events_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stream; i++)
        for (size_t k = i; k < sizeof stream; k += 3)
            expect_events(i, k);
}

static void test_an_event_without_end(void **state)
{
    static char much[65536];
    struct sse s;
    struct buf out;
    int err = 0;

    (void)state;
    memset(much, 'x', sizeof much);
    sse_init(&s);
    buf_init(&out, 4096);
    for (size_t i = 0; i < 17 && !err; i++)
        err = sse_feed(&s, text_make(much, sizeof much), collect, &out);
    assert_int_equal(err, -EMSGSIZE);
    assert_int_equal(out.n, 0);
    buf_free(&out);
    sse_free(&s);
}

/* ---- sentences ---- */

/* What is taken of words that come `step` bytes at a time, pieces with | between. */
static void expect_pieces(const char *words, size_t step, const char *expected)
{
    struct text rest = text_of(words);
    struct sentence s;
    struct buf piece, all;

    sentence_init(&s);
    buf_init(&piece, 4096);
    buf_init(&all, 65536);
    while (rest.n > 0 || piece.n > 0) {
        const bool is_end = rest.n <= step;

        assert_int_equal(sentence_add(&s, text_head(rest, step)), 0);
        rest = text_skip(rest, step);
        buf_clear(&piece);
        while (sentence_take(&s, is_end, &piece)) {
            buf_add_text(&all, buf_text(&piece));
            buf_add_char(&all, '|');
        }
        if (is_end)
            break;
    }
    if (!buf_cstr(&all) || strcmp(all.p, expected) != 0)
        fail_msg("step %zu: %s, expected %s", step, all.p, expected);
    buf_free(&piece);
    buf_free(&all);
    sentence_free(&s);
}

static void test_sentences(void **state)
{
    (void)state;
    for (size_t step = 1; step < 12; step++) {
        expect_pieces("We are open. You can come at 9.30 to Dr. Miller and his colleague J. Smith at the desk. Good bye to you.", step,
                      "We are open.|You can come at 9.30 to Dr. Miller and his colleague J. Smith at the desk.|Good bye to you.|");
        expect_pieces("Of course I can, let me look that up for you now. It is there.", step, "Of course I can,|let me look that up for you now.|It is there.|");
        expect_pieces("# **Hours**\n- Mo & Tu: 5% off \xf0\x9f\x98\x80 see https://x.example/a?b now", step, "Hours|Mo and Tu: 5 percent off see now|");
        expect_pieces("...\n---\n", step, "");
    }
}

static void test_a_sentence_without_end(void **state)
{
    static char words[2001];
    struct sentence s;
    struct buf piece;
    size_t all = 0;

    (void)state;
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(words + i, "\xc3\xa9", 2);
    sentence_init(&s);
    buf_init(&piece, 4096);
    assert_int_equal(sentence_add(&s, text_make(words, 2000)), 0);
    while (sentence_take(&s, true, &piece)) {
        assert_true(piece.n <= SENTENCE_MAX && piece.n % 2 == 0);
        all += piece.n;
    }
    assert_int_equal(all, 2000);
    buf_free(&piece);
    sentence_free(&s);
}

/* ---- answers ---- */

struct chunks {
    const char *chunk[6];
    const char *words, *calls;     /* "id name arguments|" each */
};

static void test_answers_of_many_servers(void **state)
{
#define DELTA(inner) "{\"choices\":[{\"index\":0,\"delta\":{" inner "},\"finish_reason\":null}]}"
    static const struct chunks all[] = {
        { { DELTA("\"role\":\"assistant\",\"content\":\"\""), DELTA("\"content\":\"Sure\""), DELTA("\"content\":\", yes\""), "[DONE]" }, "Sure, yes", "" },
        { { DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"go\",\"arguments\":\"\"}}]"),
            DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\"}}]"), DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\":1}\"}}]") },
          "", "c1 go {\"a\":1}|" },
        /* Ollama: whole calls, the index repeated */
        { { DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"{}\"}},{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"y\",\"arguments\":\"{}\"}}]") },
          "", "a x {}|b y {}|" },
        /* no index, no id, arguments as an object, none at all */
        { { DELTA("\"tool_calls\":[{\"function\":{\"name\":\"x\",\"arguments\":{\"k\":2}}},{\"function\":{\"name\":\"y\",\"arguments\":null}}]") }, "", "call_1 x {\"k\":2}|call_2 y {}|" },
        /* the name repeated */
        { { DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"{\"}}]"), DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"}\"}}]") },
          "", "a x {}|" },
        /* cut in its arguments: no call */
        { { DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"{\"}}]"), "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}" }, "", "" },
        /* thoughts are not spoken, marks cut in the middle */
        { { DELTA("\"content\":\"<th\""), DELTA("\"content\":\"ink>hm</thi\""), DELTA("\"content\":\"nk>\\n\\nFine <\""), DELTA("\"reasoning_content\":\"x\",\"content\":\"b\"") }, "Fine <b", "" },
        /* a call as text */
        { { DELTA("\"content\":\"One moment. <tool_\""), DELTA("\"content\":\"call>{\\\"name\\\":\\\"x\\\",\\\"arguments\\\":{\\\"k\\\":1}}</tool_call>\"") }, "One moment. ", "call_1 x {\"k\":1}|" },
        { { DELTA("\"content\":\"[TOOL_CALLS][{\\\"name\\\":\\\"x\\\",\\\"arguments\\\":{}}]\"") }, "", "call_1 x {}|" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct chat_answer a;
        struct buf calls;

        chat_answer_init(&a);
        buf_init(&calls, 4096);
        for (size_t k = 0; k < 6 && all[i].chunk[k]; k++)
            assert_int_equal(chat_answer_add(&a, text_of(all[i].chunk[k])), 0);
        chat_answer_end(&a);
        for (size_t k = 0; k < a.call_count; k++)
            buf_addf(&calls, "%s %s %.*s|", a.calls[k].id, a.calls[k].name, TEXT_ARG(buf_text(&a.calls[k].arguments)));
        assert_string_equal(buf_cstr(&a.words), all[i].words);
        assert_string_equal(buf_cstr(&calls), all[i].calls);
        buf_free(&calls);
        chat_answer_free(&a);
    }
}

static void test_refusals(void **state)
{
    char said[100];

    (void)state;
    assert_int_equal(chat_error_of(401, TEXT("")), PROVIDER_AUTH);
    assert_int_equal(chat_error_of(429, TEXT("{\"error\":{\"code\":\"insufficient_quota\"}}")), PROVIDER_QUOTA);
    assert_int_equal(chat_error_of(429, TEXT("<html>")), PROVIDER_RATE);
    assert_int_equal(chat_error_of(404, TEXT("")), PROVIDER_CONFIG);
    assert_int_equal(chat_error_of(503, TEXT("")), PROVIDER_SERVER);
    chat_error_text(404, TEXT("{\"error\":{\"message\":\"no\\nmodel\"}}"), said, sizeof said);
    assert_string_equal(said, "HTTP 404: no model");
}

/* ---- history ---- */

static void expect_messages(const struct chat_history *h, const char *expected)
{
    const struct chat_request r = { .model = "m", .without = CHAT_FIELD_ALL };
    struct buf out;

    buf_init(&out, 65536);
    assert_int_equal(chat_write(&out, &r, h), 0);
    const ptrdiff_t at = text_find_text(buf_text(&out), TEXT("\"messages\":"));

    assert_string_equal(buf_cstr(&out) + at + 11, expected);
    buf_free(&out);
}

static void test_history_is_what_was_heard(void **state)
{
    struct chat_history h = { .count = 0 };

    (void)state;
    assert_int_equal(chat_history_add(&h, CHAT_USER, 0, TEXT("a")), 0);
    assert_int_equal(chat_history_add(&h, CHAT_USER, 0, TEXT("\"b\"")), 0);
    assert_int_equal(chat_history_add(&h, CHAT_AGENT, 1, TEXT("First sentence.")), 0);
    assert_int_equal(chat_history_add(&h, CHAT_AGENT, 2, TEXT("one two three four")), 0);
    assert_int_equal(chat_history_add(&h, CHAT_AGENT, 3, TEXT("never")), 0);
    chat_history_cut(&h, 2, 1, 2);
    assert_int_equal(chat_history_add_call(&h, TEXT("c"), TEXT("n"), TEXT("{}"), TEXT("{\"x\":1}")), 0);
    expect_messages(&h, "[{\"role\":\"user\",\"content\":\"a \\\"b\\\"\"},{\"role\":\"assistant\",\"content\":\"First sentence. one two...\",\"tool_calls\":[{\"id\":\"c\","
                        "\"type\":\"function\",\"function\":{\"name\":\"n\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"content\":\"{\\\"x\\\":1}\",\"tool_call_id\":\"c\"}]}");
    chat_history_drop(&h, 1);
    assert_false(chat_history_ends_with_user(&h));
    chat_history_free(&h);
    assert_int_equal(h.bytes, 0);
}

static void test_history_is_bounded(void **state)
{
    static char words[1000];
    struct chat_history h = { .count = 0 };

    (void)state;
    memset(words, 'w', sizeof words);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(chat_history_add_call(&h, TEXT("c"), TEXT("n"), TEXT("{}"), text_make(words, sizeof words)), 0);
        assert_int_equal(chat_history_add(&h, CHAT_USER, 0, TEXT("u")), 0);
        assert_true(h.bytes <= CHAT_HISTORY_MAX && h.count <= CHAT_TURNS_MAX);
        assert_true(i < 2 || h.turns[0].role != CHAT_RESULT); /* never a result without its call */
    }
    chat_history_free(&h);
}

/* ---- the cache ---- */

static void test_cache(void **state)
{
    static int16_t pcm[100];
    struct tts_cache *c;
    int16_t *got;
    size_t n;

    (void)state;
    assert_int_equal(tts_cache_new(&c, 800), 0);
    pcm[0] = 7;
    tts_cache_put(c, TEXT("a"), pcm, 100);
    tts_cache_put(c, TEXT("b"), pcm, 100);
    tts_cache_put(c, TEXT("c"), pcm, 100);
    tts_cache_put(c, TEXT("d"), pcm, 100);
    assert_int_equal(tts_cache_get(c, TEXT("a"), &got, &n), 0);
    assert_true(n == 100 && got[0] == 7);
    free(got);
    tts_cache_put(c, TEXT("e"), pcm, 100);                 /* b was the longest unused */
    assert_int_equal(tts_cache_get(c, TEXT("b"), &got, &n), -ENOENT);
    assert_int_equal(tts_cache_get(c, TEXT("a"), &got, &n), 0);
    free(got);
    tts_cache_free(c);
}

/* ---- without memory ---- */

static void everything(void)
{
    struct chat_history h = { .count = 0 };
    struct chat_answer a;
    struct sentence s;
    struct buf out;
    int err = chat_history_add(&h, CHAT_AGENT, 1, TEXT("words of it"));

    if (!err)
        err = chat_history_add_call(&h, TEXT("c"), TEXT("n"), TEXT("{}"), TEXT("{}"));
    chat_history_free(&h);
    chat_answer_init(&a);
    err = chat_answer_add(&a, TEXT("{\"choices\":[{\"delta\":{\"content\":\"x\",\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"n\",\"arguments\":{\"a\":1}}}]}}]}"));
    chat_answer_end(&a);
    chat_answer_free(&a);
    sentence_init(&s);
    buf_init(&out, 100);
    if (!sentence_add(&s, TEXT("One sentence. ")))
        (void)sentence_take(&s, true, &out);
    sentence_free(&s);
    buf_free(&out);
    assert_true(err == 0 || err == -ENOMEM || err == -EBADMSG);
}

static void test_out_of_memory(void **state)
{
    long n = 1;

    (void)state;
    for (;; n++) {
        fail_alloc_at(n);
        everything();
        if (!fail_alloc_hit())
            break;
    }
    fail_alloc_off();
    assert_true(n > 8);
}

/* ---- requests ---- */

struct talk {
    struct loop *loop;
    struct dialer *dialer;
    struct llm *llm;
    struct chat_history history;
    int listener;
    uint16_t port;
    const char *answer[3];         /* one a connection */
    size_t served;
    bool holds;
    char requests[3][4096];
    char words[1000], detail[200];
    unsigned ends, faults, broken;
    size_t calls;
    enum provider_error kind;
    bool cancels, asks_again;
};

static void *serve(void *arg)
{
    struct talk *t = arg;

    for (size_t i = 0; i < 3 && t->answer[i]; i++) {
        const int fd = accept(t->listener, NULL, NULL);
        char *out = t->requests[i], *length;
        size_t n = 0, whole = 0;

        while (fd >= 0 && n + 1 < sizeof t->requests[i] && (whole == 0 || n < whole) && help_read(fd, out + n, 1)) {
            out[++n] = 0;
            length = whole ? NULL : strstr(out, "\r\n\r\n");
            if (length)
                whole = n + strtoul(strstr(out, "Content-Length: ") + 16, NULL, 10);
        }
        t->served++;
        help_write(fd, t->answer[i], strlen(t->answer[i]));
        if (t->holds)
            help_read_end(fd);
        close(fd);
    }
    return NULL;
}

static void on_words(struct text words, void *arg)
{
    struct talk *t = arg;
    const size_t n = strlen(t->words);

    text_copy(t->words + n, sizeof t->words - n, words);
    if (t->asks_again) {
        t->asks_again = false;
        assert_int_equal(llm_ask(t->llm, &t->history), 0);
    }
    if (t->cancels) {
        llm_cancel(t->llm);
        loop_stop(t->loop);
    }
}

static void on_end(const struct chat_call *calls, size_t count, bool is_broken, void *arg)
{
    struct talk *t = arg;

    (void)calls;
    t->ends++;
    t->calls = count;
    t->broken += is_broken;
    loop_stop(t->loop);
}

static void on_fault(enum provider_error kind, struct text detail, void *arg)
{
    struct talk *t = arg;

    t->faults++;
    t->kind = kind;
    text_copy(t->detail, sizeof t->detail, detail);
    loop_stop(t->loop);
}

static void run_talk(struct talk *t, int64_t first_ms)
{
    static const struct llm_handlers on = { .on_words = on_words, .on_end = on_end, .on_fault = on_fault };
    const struct llm_options opt = { .first_ms = first_ms, .gap_ms = first_ms, .retry_ms = 1 };
    struct llm_settings settings = { .key = "sk-secret", .model = "m" };
    pthread_t thread;
    char url[64];

    t->listener = help_listen(&t->port);
    assert_int_equal(pthread_create(&thread, NULL, serve, t), 0);
    t->loop = help_loop();
    assert_int_equal(dialer_new(&t->dialer, t->loop, NULL), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/", t->port);
    settings.url = url;
    assert_int_equal(llm_new(&t->llm, t->loop, t->dialer, &settings, &opt, &help_log, &on, t), 0);
    assert_int_equal(chat_history_add(&t->history, CHAT_USER, 0, TEXT("hello")), 0);
    assert_int_equal(llm_ask(t->llm, &t->history), 0);
    help_run(t->loop);
    llm_free(t->llm);
    dialer_free(t->dialer);
    loop_free(t->loop);
    chat_history_free(&t->history);
    pthread_join(thread, NULL);
    close(t->listener);
}

#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define SAYS(words) "data: {\"choices\":[{\"delta\":{\"content\":\"" words "\"}}]}\n\n"
#define REFUSES(status, body) "HTTP/1.1 " status " No\r\nConnection: close\r\n\r\n" body

static void test_an_answer(void **state)
{
    struct talk t = { .answer = { SSE SAYS("Hel") SAYS("lo.") "data: [DONE]\n\n" } };

    (void)state;
    run_talk(&t, 0);
    assert_string_equal(t.words, "Hello.");
    assert_true(t.ends == 1 && t.faults == 0 && t.broken == 0);
    assert_non_null(strstr(t.requests[0], "POST /v1/chat/completions "));
    assert_non_null(strstr(t.requests[0], "Authorization: Bearer sk-secret"));
    assert_non_null(strstr(t.requests[0], "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"));
}

static void test_cancelled_in_the_middle(void **state)
{
    struct talk t = { .answer = { SSE SAYS("Hel") }, .holds = true, .cancels = true };

    (void)state;
    run_talk(&t, 0);               /* the peer waits for the end of its connection */
    assert_true(t.ends == 0 && t.faults == 0);
}

static void test_asked_again_from_inside(void **state)
{
    struct talk t = { .answer = { SSE SAYS("old ") SAYS("lost"), SSE SAYS("new") "data: [DONE]\n\n" }, .asks_again = true };

    (void)state;
    run_talk(&t, 0);
    assert_string_equal(t.words, "old new");
    assert_true(t.ends == 1 && t.faults == 0 && t.served == 2);
}

static void test_faults_of_a_server(void **state)
{
    static const struct {
        const char *answer[3];
        size_t served;
        int kind;                  /* -1: an answer */
    } all[] = {
        { { REFUSES("401", "{\"error\":{\"message\":\"bad sk-secret\"}}") }, 1, PROVIDER_AUTH },
        { { REFUSES("429", "insufficient_quota") }, 1, PROVIDER_QUOTA },
        { { REFUSES("500", ""), REFUSES("500", "") }, 2, PROVIDER_SERVER },
        { { REFUSES("429", ""), SSE SAYS("ok") "data: [DONE]\n\n" }, 2, -1 },
        { { REFUSES("400", "Unknown parameter: 'stream_options'"), SSE SAYS("ok") "data: [DONE]\n\n" }, 2, -1 },
        { { SSE "data: {broken\n\n", SSE SAYS("ok") "data: [DONE]\n\n" }, 2, -1 },
        { { SSE, SSE }, 2, PROVIDER_NET },
        { { SSE "data: {broken", SSE SAYS("ok") "data: [DONE]\n\n" }, 2, -1 }, /* at the very end, once only */
        { { SSE "data: {\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow\"}}\n\n", SSE SAYS("ok") "data: [DONE]\n\n" }, 2, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct talk t = { .answer = { all[i].answer[0], all[i].answer[1] } };

        run_talk(&t, 0);
        assert_int_equal(t.served, all[i].served);
        assert_int_equal(t.faults, all[i].kind >= 0);
        if (all[i].kind >= 0)
            assert_int_equal((int)t.kind, all[i].kind);
        else
            assert_string_equal(t.words, "ok");
        assert_null(strstr(t.detail, "sk-secret"));
    }
}

static void test_broken_off_after_words(void **state)
{
    struct talk t = { .answer = { SSE SAYS("half") } };

    (void)state;
    run_talk(&t, 0);
    assert_true(t.ends == 1 && t.broken == 1 && t.served == 1);
}

static void test_a_server_that_does_not_let_go(void **state)
{
    struct talk t = { .answer = { SSE SAYS("Hello.") "data: [DONE]\n\n" }, .holds = true };

    (void)state;
    run_talk(&t, 60);
    assert_string_equal(t.words, "Hello.");
    assert_true(t.ends == 1 && t.broken == 0 && t.faults == 0 && t.served == 1);
}

static void test_silence(void **state)
{
    struct talk t = { .answer = { SSE, SSE }, .holds = true };

    (void)state;
    run_talk(&t, 60);
    assert_int_equal((int)t.kind, PROVIDER_NET);
    assert_int_equal(t.faults, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_cut_anywhere),      cmocka_unit_test(test_an_event_without_end),
        cmocka_unit_test(test_sentences),                cmocka_unit_test(test_a_sentence_without_end),
        cmocka_unit_test(test_answers_of_many_servers),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_history_is_what_was_heard), cmocka_unit_test(test_history_is_bounded),
        cmocka_unit_test(test_cache),                    cmocka_unit_test(test_an_answer),
        cmocka_unit_test(test_cancelled_in_the_middle),  cmocka_unit_test(test_faults_of_a_server),
        cmocka_unit_test(test_broken_off_after_words),   cmocka_unit_test(test_silence),
        cmocka_unit_test(test_a_server_that_does_not_let_go),
        cmocka_unit_test(test_asked_again_from_inside),  cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
