/* Asks a chat server over HTTP, and asks once more where that makes sense. */
#include "ai/llm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/service.h"
#include "ai/sse.h"
#include "base/clock.h"

enum {
    BODY_MAX = 512 * 1024,
    WHOLE_MS = 90 * 1000,
    FIRST_MS = 6000,
    GAP_MS = 5000,
    END_MS = 500,                  /* of the connection, behind the end of the answer */
    RETRY_MS = 300,
    RETRY_AFTER_MAX_S = 2,         /* longer than that nobody waits on the phone */
    MAX_TOKENS = 400,
};

struct llm {
    struct loop *loop;
    struct dialer *dialer;
    struct log log;
    const struct llm_settings *settings;
    struct llm_handlers on;
    void *arg;
    int64_t first_ms, gap_ms, retry_ms;
    struct timer *watch, *retry;
    struct http_request *request;
    struct buf body;               /* kept for the second time */
    const struct chat_history *history;  /* the asker's; outlives the request */
    unsigned without;
    struct sse sse;
    struct chat_answer answer;
    bool is_busy, is_retried, has_started;
    int64_t retry_after_s, asked_us;
    struct llm_figures figures;
};

static void stop(struct llm *m)
{
    http_cancel(m->request);
    m->request = NULL;
    timer_stop(m->watch);
    timer_stop(m->retry);
    m->is_busy = false;
}

static void fault(struct llm *m, enum provider_error kind, const char *detail)
{
    char safe[200];

    stop(m);
    service_detail(safe, sizeof safe, m->settings->key, detail);
    m->on.on_fault(kind, text_of(safe), m->arg);
}

static void end(struct llm *m, bool is_broken)
{
    stop(m);
    chat_answer_end(&m->answer);
    if (m->answer.was_raw_call)
        log_warn(&m->log, "tool_call_as_text", kv_str("hint", "the server has no tool call parser for this model"));
    m->on.on_end(m->answer.calls, is_broken ? 0 : m->answer.call_count, is_broken, m->arg);
}

/* What was spoken already cannot be asked for again. */
static void broken(struct llm *m, enum provider_error kind, bool may_retry, const char *detail)
{
    http_cancel(m->request);
    m->request = NULL;
    timer_stop(m->watch);
    if (m->answer.has_words) {
        log_warn(&m->log, "answer_broken", kv_str("why", detail));
        end(m, true);
    } else if (may_retry && !m->is_retried) {
        log_warn(&m->log, "asked_again", kv_str("kind", provider_error_name(kind)), kv_str("why", detail));
        m->is_retried = true;
        m->figures.retries++;
        timer_start(m->retry, m->retry_after_s > 0 ? m->retry_after_s * 1000 : m->retry_ms);
    } else {
        fault(m, kind, detail);
    }
}

/* ---- the stream ---- */

/* False: cancelled from inside a handler, or over. */
static bool on_event(struct text data, void *arg)
{
    struct llm *m = arg;
    struct http_request *const mine = m->request;
    const int err = chat_answer_add(&m->answer, data);

    if (err == -EBADMSG) {
        broken(m, PROVIDER_SERVER, true, "the model's answer is no JSON");
        return false;
    }
    if (err || m->answer.has_error) {
        broken(m, err ? PROVIDER_SERVER : m->answer.error, !err, err ? err_text(err) : m->answer.detail);
        return false;
    }
    timer_start(m->watch, m->answer.is_finished && m->gap_ms > END_MS ? END_MS : m->gap_ms);
    if (m->answer.words.n == 0)
        return true;
    if (!m->has_started) {
        m->has_started = true;
        m->figures.first_ms = (clock_mono_us() - m->asked_us) / 1000;
    }
    m->on.on_words(buf_text(&m->answer.words), m->arg);
    if (m->request != mine || !m->is_busy)
        return false;
    buf_clear(&m->answer.words);
    return true;
}

static void stream_reset(struct llm *m)
{
    sse_free(&m->sse);
    sse_init(&m->sse);
}

static void on_piece(struct text bytes, void *arg)
{
    struct llm *m = arg;
    struct http_request *const mine = m->request;
    const int err = sse_feed(&m->sse, bytes, on_event, m);

    if (m->request != mine)
        stream_reset(m);           /* asked again from inside: what is left in there is the old answer's */
    else if (err && m->is_busy)
        broken(m, PROVIDER_SERVER, true, "the model's answer is too long");
}

/* Servers that do not know a field refuse the whole request, and name it. */
static unsigned field_refused(struct text body)
{
    static const struct {
        const char *name;
        unsigned field;
    } fields[] = { { "stream_options", CHAT_FIELD_STREAM_OPTIONS }, { "max_completion_tokens", CHAT_FIELD_MAX_TOKENS }, { "parallel_tool_calls", CHAT_FIELD_PARALLEL } };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (text_find_text(body, text_of(fields[i].name)) >= 0)
            return fields[i].field;
    return 0;
}

static void refused(struct llm *m, int status, struct text body)
{
    const enum provider_error kind = chat_error_of(status, body);
    const unsigned field = status == 400 || status == 422 ? field_refused(body) & ~m->without : 0;
    char detail[200];

    chat_error_text(status, body, detail, sizeof detail);
    if (field) {
        log_warn(&m->log, "field_left_out", kv_str("why", detail));
        m->without |= field;
        broken(m, kind, true, detail);
        return;
    }
    broken(m, kind, kind == PROVIDER_SERVER || (kind == PROVIDER_RATE && m->retry_after_s <= RETRY_AFTER_MAX_S), detail);
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct llm *m = arg;

    m->request = NULL;
    if (err) {
        broken(m, PROVIDER_NET, err != -EKEYREJECTED && err != -EINVAL, detail);
        return;
    }
    if (status < 200 || status > 299) {
        refused(m, status, body);
        return;
    }
    const int left = sse_end(&m->sse, on_event, m);

    if (m->request)
        stream_reset(m);
    if (left || m->request || !m->is_busy || m->sse.is_stopped)
        return;
    if (m->answer.is_finished)
        end(m, false);
    else
        broken(m, PROVIDER_NET, true, "the model's answer broke off");
}

/* ---- asking ---- */

static int send_request(struct llm *m)
{
    struct service_call call = { .base = m->settings->url ? m->settings->url : LLM_URL, .path = "/chat/completions", .key = m->settings->key };
    const struct http_options opt = {
        .method = "POST", .body = buf_text(&m->body), .timeout_ms = WHOLE_MS, .body_max = BODY_MAX, .retry_after_s = &m->retry_after_s,
        .on_piece = on_piece,
    };
    int err;

    stream_reset(m);
    chat_answer_clear(&m->answer);
    m->retry_after_s = 0;
    m->has_started = false;
    m->figures.requests++;
    err = service_send(&m->request, m->dialer, &call, "Content-Type: application/json", "Accept: text/event-stream", &opt, on_answer, m);
    if (!err)
        timer_start(m->watch, m->first_ms);
    return err;
}

static int body_write(struct llm *m, const struct chat_history *h)
{
    const struct chat_request r = {
        .model = m->settings->model ? m->settings->model : LLM_MODEL, .instructions = m->settings->instructions, .tools = m->settings->tools,
        .tool_count = m->settings->tool_count, .max_tokens = m->settings->max_tokens ? m->settings->max_tokens : MAX_TOKENS,
        .without = m->without,
    };

    buf_clear(&m->body);
    return chat_write(&m->body, &r, h);
}

static void on_retry(void *arg)
{
    struct llm *m = arg;
    int err = m->history ? body_write(m, m->history) : 0;

    if (!err)
        err = send_request(m);
    if (err)
        fault(m, PROVIDER_SERVER, err_text(err));
}

static void on_watch(void *arg)
{
    struct llm *m = arg;

    if (m->request && m->answer.is_finished)
        end(m, false);             /* a server that does not let go */
    else
        broken(m, PROVIDER_NET, true, m->has_started ? "the model went silent in the middle of its answer" : "the model did not answer in time");
}

int llm_ask(struct llm *m, const struct chat_history *h)
{
    int err;

    llm_cancel(m);
    err = body_write(m, h);
    m->history = h;
    m->is_retried = false;
    m->asked_us = clock_mono_us();
    if (!err)
        err = send_request(m);
    m->is_busy = !err;
    return err;
}

void llm_cancel(struct llm *m)
{
    if (m->is_busy)
        stop(m);
}

bool llm_is_busy(const struct llm *m)
{
    return m->is_busy;
}

void llm_figures(const struct llm *m, struct llm_figures *out)
{
    *out = m->figures;
}

void llm_free(struct llm *m)
{
    if (!m)
        return;
    http_cancel(m->request);
    timer_free(m->watch);
    timer_free(m->retry);
    sse_free(&m->sse);
    chat_answer_free(&m->answer);
    buf_free(&m->body);
    free(m);
}

int llm_new(struct llm **out, struct loop *l, struct dialer *d, const struct llm_settings *settings, const struct llm_options *opt,
            const struct log *log, const struct llm_handlers *on, void *arg)
{
    struct llm *m = calloc(1, sizeof *m);
    int err;

    if (!m)
        return -ENOMEM;
    m->loop = l;
    m->dialer = d;
    m->log = log_for(log, "llm");
    m->settings = settings;
    m->on = *on;
    m->arg = arg;
    m->first_ms = opt && opt->first_ms ? opt->first_ms : FIRST_MS;
    m->gap_ms = opt && opt->gap_ms ? opt->gap_ms : GAP_MS;
    m->retry_ms = opt && opt->retry_ms ? opt->retry_ms : RETRY_MS;
    buf_init(&m->body, BODY_MAX);
    sse_init(&m->sse);
    chat_answer_init(&m->answer);
    err = timer_new(&m->watch, l, on_watch, m);
    if (!err)
        err = timer_new(&m->retry, l, on_retry, m);
    if (err) {
        llm_free(m);
        return err;
    }
    *out = m;
    return 0;
}
