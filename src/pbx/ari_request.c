/* Sends REST requests over a connection or over HTTP, whichever way is open, and tells each one's answer once. */
#include "pbx/ari_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/ref.h"

enum {
    REQUESTS_MAX = 256,
    ANSWER_MAX = 16 * 1024 * 1024, /* GET channels of a busy node */
};

static void request_unlink(struct ari_request *r)
{
    DL_DELETE(r->client->requests, r);
    r->client->count--;
}

void ari_request_free(struct ari_request *r)
{
    free(r->method);
    free(r->path);
    free(r->body);
    free(r);
}

/* The request is gone before its handler runs. */
void ari_request_end(struct ari_request *r, int err, int status, struct text body)
{
    ari_on_answer *const on_answer = r->on_answer;
    void *const arg = r->arg;

    request_unlink(r);
    ari_request_free(r);
    if (on_answer)
        on_answer(err, status, body, arg);
}

static void answered(struct ari_request *r, int err, int status, struct text body, const char *detail)
{
    struct ari_client *c = ref_hold(r->client);

    if (err && ari_is_ending(c))
        err = -ECANCELED;
    if (err)
        log_debug(&c->log, "request_failed", kv_str("node", c->node), kv_err(err), kv_str("detail", detail));
    ari_request_end(r, err, status, body);
    ref_drop(c);
}

/* A refused request was not carried out: it goes once more when the password was exchanged meanwhile, by this refusal or another's. */
static bool goes_again(struct ari_request *r)
{
    struct ari_client *c = r->client;

    if (!r->method || r->was_refused || ari_is_ending(c))
        return false;
    r->was_refused = true;
    if (r->passwords == c->passwords && !ari_password_again(c))
        return false;
    return ari_request_http(r, r->method, r->path, text_of(r->body)) == 0;
}

static void on_http_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct ari_request *r = arg;

    if (err || status != 401 || !goes_again(r))
        answered(r, err, status, body, detail);
}

static int keep(struct ari_request *r, const char *method, const char *path, struct text json_body)
{
    if (!r->client->again.ask || r->method)
        return 0;
    r->method = text_dup(text_of(method));
    r->path = text_dup(text_of(path));
    r->body = json_body.p ? text_dup(json_body) : NULL;
    return r->method && r->path && (r->body || !json_body.p) ? 0 : -ENOMEM;
}

static void on_link_answer(int err, int status, struct text body, void *arg)
{
    answered(arg, err, status, body, err ? "no answer over the WebSocket" : "");
}

/* Any connection to the node will do: a request may concern another one's call. */
static struct ari_line *line_for_requests(const struct ari_client *c)
{
    struct ari_line *x;

    if (c->events && ari_link_is_ready(c->events->link))
        return c->events;
    DL_FOREACH(c->lines, x) {
        if (ari_link_is_ready(x->link))
            return x;
    }
    return NULL;
}

/* An answer of many kilobytes can cost the connection: Asterisk ends a WebSocket whose reader stalls it for 100 ms. And a name that is
 * taken or gone gets no answers at all. */
static struct ari_line *choose_line(const struct ari_client *c, const char *method)
{
    struct ari_line *const x = line_for_requests(c);

    if (!c->base_url || c->rest == ARI_REST_WEBSOCKET)
        return x;
    if (c->rest == ARI_REST_HTTP || !x || strcmp(method, "GET") == 0 || (x == c->events && c->state == ARI_REPLACED))
        return NULL;
    return ari_link_has_rest(x->link) ? x : NULL;
}

int ari_request_http(struct ari_request *r, const char *method, const char *path, struct text json_body)
{
    static const char *const json_headers[] = { "Content-Type: application/json", NULL };
    struct ari_client *c = r->client;
    char url[ARI_URL_MAX];
    const struct http_options opt = {
        .method = method,
        .url = url,
        .user = c->user,
        .password = c->password,
        .headers = json_body.p ? json_headers : NULL,
        .body = json_body,
        .timeout_ms = c->request_ms,
        .body_max = ANSWER_MAX,
    };
    const int n = snprintf(url, sizeof url, "%s/ari/%s", c->base_url, path);
    int err;

    if (n < 0 || (size_t)n >= sizeof url)
        return -EMSGSIZE;
    r->passwords = c->passwords;
    err = keep(r, method, path, json_body);
    return err ? err : http_send(&r->http, c->dialer, &opt, on_http_answer, r);
}

/* What the WebSocket cannot take goes over HTTP, where that may be. */
static int send_somehow(struct ari_request *r, const char *method, const char *path, struct text json_body)
{
    const struct ari_client *c = r->client;
    const bool may_http = c->base_url && c->rest != ARI_REST_WEBSOCKET;
    struct ari_line *const x = choose_line(c, method);
    const int err = x ? ari_link_ask(x->link, method, path, json_body, on_link_answer, r) : -ENOTCONN;

    return err && may_http ? ari_request_http(r, method, path, json_body) : err;
}

int ari_request_begin(struct ari_request **out, struct ari_client *c, ari_on_answer *on_answer, void *arg)
{
    struct ari_request *r;

    if (ari_is_ending(c))
        return -EPIPE;
    if (c->count >= REQUESTS_MAX)
        return -ENOBUFS;
    r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->client = c;
    r->on_answer = on_answer;
    r->arg = arg;
    *out = r;
    return 0;
}

void ari_request_link(struct ari_request *r)
{
    DL_APPEND(r->client->requests, r);
    r->client->count++;
}

int ari_send(struct ari_request **out, struct ari_client *c, const char *method, const char *path, struct text json_body,
             ari_on_answer *on_answer, void *arg)
{
    struct ari_request *r;
    int err = ari_request_begin(&r, c, on_answer, arg);

    if (err)
        return err;
    err = send_somehow(r, method, path, json_body);
    if (err) {
        ari_request_free(r);
        return err;
    }
    ari_request_link(r);
    if (out)
        *out = r;
    return 0;
}

void ari_forget(struct ari_request *r)
{
    if (r)
        r->on_answer = NULL;
}
