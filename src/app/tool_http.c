/* Asks a service in the name of a tool. */
#include "app/tool_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "app/tool_template.h"
#include "base/buf.h"

enum { URL_MAX = 8 * 1024, HEADERS_MAX = 16, HEADER_MAX = 8 * 1024, RESULT_MAX = 512 * 1024 };

struct tool_http {
    char *url;
    const char *method;
    bool has_body;
    char *headers[HEADERS_MAX + 2]; /* NULL ends them */
    cJSON *body;                   /* template; NULL: the arguments are the body */
    size_t answer_max;
};

struct tool_http_run {
    struct http_request *request;
    struct timer *soon;            /* 0 ms: a refusal, not from inside start */
    char why[TOOL_TEMPLATE_WHY];
    tool_on_result *on_result;
    void *arg;
};

/* ---- at start ---- */

static char *header_make(const char *line, const char *secret)
{
    struct text rest = text_of(line);
    ptrdiff_t at;
    char *own = NULL;
    struct buf b;

    buf_init(&b, HEADER_MAX);
    while ((at = text_find_text(rest, TEXT("{secret}"))) >= 0) {
        buf_add_text(&b, text_head(rest, (size_t)at));
        buf_add_text(&b, text_of(secret));
        rest = text_skip(rest, (size_t)at + sizeof "{secret}" - 1);
    }
    buf_add_text(&b, rest);
    if (!b.err)
        own = text_dup(buf_text(&b));
    if (b.p)
        explicit_bzero(b.p, b.cap);
    buf_free(&b);
    return own;
}

static int headers_take(struct tool_http *t, const struct config_tool_section *from, char *why, size_t size)
{
    bool has_type = false;
    size_t n = 0;

    if (from->headers.count > HEADERS_MAX) {
        snprintf(why, size, "more than %d headers", HEADERS_MAX);
        return -EINVAL;
    }
    for (size_t i = 0; i < from->headers.count; i++) {
        const char *line = from->headers.items[i];

        if (text_find(text_of(line), ':') < 1) {
            snprintf(why, size, "a header is written NAME: value");
            return -EINVAL;
        }
        t->headers[n] = header_make(line, secret_reveal(&from->secret));
        if (!t->headers[n++])
            return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        has_type = has_type || text_starts_nocase(text_of(t->headers[i]), TEXT("Content-Type:"));
    if (!t->has_body || has_type)
        return 0;
    t->headers[n] = strdup("Content-Type: application/json");
    return t->headers[n] ? 0 : -ENOMEM;
}

static int body_take(struct tool_http *t, const struct config_tool_section *from, const struct schema *schema, char *why, size_t size)
{
    char fault[TOOL_TEMPLATE_WHY];

    if (!from->body || !t->has_body)
        return 0;
    t->body = cJSON_Parse(from->body);
    if (t->body && tool_body_check(t->body, schema, fault))
        return 0;
    snprintf(why, size, "body: %s", t->body ? fault : "is not JSON");
    return -EINVAL;
}

int tool_http_new(struct tool_http **out, const struct config_tool_section *from, const struct schema *schema, char *why, size_t size)
{
    static const char *const methods[] = { [CONFIG_GET] = "GET", [CONFIG_POST] = "POST", [CONFIG_PUT] = "PUT", [CONFIG_DELETE] = "DELETE" };
    struct tool_http *t = calloc(1, sizeof *t);
    char fault[TOOL_TEMPLATE_WHY];
    int err;

    if (!t)
        return -ENOMEM;
    t->method = methods[from->method];
    t->has_body = from->method == CONFIG_POST || from->method == CONFIG_PUT;
    t->answer_max = (size_t)from->answer_bytes;
    t->url = strdup(from->url);
    err = t->url ? body_take(t, from, schema, why, size) : -ENOMEM;
    if (!err && !tool_url_check(text_of(from->url), schema, fault)) {
        snprintf(why, size, "url: %s", fault);
        err = -EINVAL;
    }
    if (!err)
        err = headers_take(t, from, why, size);
    if (err) {
        tool_http_free(t);
        return err;
    }
    *out = t;
    return 0;
}

void tool_http_free(struct tool_http *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->headers[i]; i++) {
        explicit_bzero(t->headers[i], strlen(t->headers[i]));
        free(t->headers[i]);
    }
    cJSON_Delete(t->body);
    free(t->url);
    free(t);
}

/* ---- a call ---- */

static void run_end(struct tool_http_run *r, int err, struct text result)
{
    tool_on_result *const on_result = r->on_result;
    void *const arg = r->arg;

    r->request = NULL;
    on_result(err, result, arg);
    tool_http_stop(r);
}

static void on_soon(void *arg)
{
    struct tool_http_run *r = arg;

    run_end(r, -EINVAL, text_of(r->why));
}

/* Numbers and lists are no object, and a model is told objects only. */
static int result_write(struct buf *out, struct text body)
{
    cJSON *tree = cJSON_ParseWithLength(body.p ? body.p : "", body.n);
    const bool is_object = cJSON_IsObject(tree), is_json = tree != NULL;
    char *printed = is_json ? cJSON_PrintUnformatted(tree) : NULL;
    const int err = is_json && !printed ? -ENOMEM : 0;

    if (is_json) {
        buf_add_text(out, is_object ? TEXT("") : TEXT("{\"value\":"));
        buf_add_text(out, text_of(printed));
        buf_add_text(out, is_object ? TEXT("") : TEXT("}"));
    } else {
        buf_add_text(out, TEXT("{\"text\":\""));
        buf_add_json(out, body);
        buf_add_text(out, TEXT("\"}"));
    }
    cJSON_free(printed);
    cJSON_Delete(tree);
    return err ? err : out->err;
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct tool_http_run *r = arg;
    char why[80];
    struct buf b;

    (void)detail;                  /* it names addresses, which are not the model's business */
    r->request = NULL;
    if (err || status < 200 || status > 299) {
        if (err == -EMSGSIZE)
            snprintf(why, sizeof why, "the service's answer is too long");
        else if (err == -ETIMEDOUT)
            snprintf(why, sizeof why, "the service did not answer in time");
        else if (err)
            snprintf(why, sizeof why, "the service cannot be reached: %s", err_text(err));
        else
            snprintf(why, sizeof why, "the service answered with status %d", status);
        run_end(r, err ? err : -EIO, text_of(why));
        return;
    }
    buf_init(&b, RESULT_MAX);
    err = result_write(&b, body);
    run_end(r, err, err ? TEXT("the service's answer is too long") : buf_text(&b));
    buf_free(&b);
}

static int request_send(struct tool_http_run *r, const struct tool_http *t, struct dialer *d, const char *url, const cJSON *args, int64_t deadline_ms)
{
    struct http_options opt = {
        .method = t->method, .url = url, .headers = (const char *const *)t->headers, .timeout_ms = deadline_ms, .body_max = t->answer_max,
    };
    char *body = t->has_body ? tool_body_make(t->body ? t->body : args, args) : NULL;
    int err;

    if (t->has_body && !body)
        return -ENOMEM;
    opt.body = text_of(body);
    err = http_send(&r->request, d, &opt, on_answer, r);
    free(body);
    return err;
}

int tool_http_start(struct tool_http_run **out, const struct tool_http *t, struct loop *l, struct dialer *d, struct text args, int64_t deadline_ms,
                    tool_on_result *on_result, void *arg)
{
    struct tool_http_run *r = calloc(1, sizeof *r);
    cJSON *tree = r ? cJSON_ParseWithLength(args.p, args.n) : NULL;
    struct buf url;
    int err = tree ? timer_new(&r->soon, l, on_soon, r) : -ENOMEM;

    buf_init(&url, URL_MAX);
    if (!err) {
        r->on_result = on_result;
        r->arg = arg;
        err = tool_url_make(&url, text_of(t->url), tree, r->why);
        if (err == -EINVAL) {
            timer_start(r->soon, 0);
            err = 0;
        } else if (!err) {
            err = buf_cstr(&url) ? request_send(r, t, d, url.p, tree, deadline_ms) : -ENOMEM;
        }
    }
    buf_free(&url);
    cJSON_Delete(tree);
    if (err) {
        tool_http_stop(r);
        return err;
    }
    *out = r;
    return 0;
}

void tool_http_stop(struct tool_http_run *r)
{
    if (!r)
        return;
    if (r->request)
        http_cancel(r->request);
    timer_free(r->soon);
    free(r);
}
