/* Serves HTTP from one of our loops: libmicrohttpd behind its epoll descriptor, with a deadline of our own for each request. */
#include "net/httpd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "net/address_internal.h"
#include "net/loop_internal.h"

enum { CONNECTIONS = 64, IDLE_MS = 10000, BODY_BYTES = 64 * 1024, CONNECTION_BYTES = 32 * 1024, PATH_BYTES = 2048 };

/* A connection's own clock: a request, its answer included, has idle_ms from the connection's begin or the last answer. A client that
 * trickles bytes resets the library's idle time only. */
struct peer {
    struct httpd *server;
    struct MHD_Connection *connection;
    struct httpd_request *request;      /* the present one, or NULL */
    struct timer *deadline;
};

struct httpd_request {
    struct httpd *server;
    struct httpd_request *next, *prev;
    struct peer *peer;                  /* NULL: it has gone before the answer */
    struct MHD_Connection *connection;  /* of the peer; NULL as well */
    struct buf body;
    bool is_begun, is_asked, is_answered, is_suspended, is_too_long;
};

struct httpd {
    uv_poll_t poll;
    struct loop *loop;
    struct timer *due;
    struct loop_deferred again;
    struct MHD_Daemon *daemon;
    httpd_on_request *on_request;
    void *arg;
    struct httpd_options opt;
    struct httpd_request requests;      /* list head */
    unsigned port;
    bool is_closing, is_running;
};

/* ---- turning the crank ---- */

static void run(void *arg)
{
    struct httpd *h = arg;
    MHD_UNSIGNED_LONG_LONG ms;

    if (h->is_closing)
        return;
    h->is_running = true;
    MHD_run(h->daemon);
    h->is_running = false;
    if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
        timer_start(h->due, (int64_t)ms);
    else
        timer_stop(h->due);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct httpd *h = poll->data;
    const int64_t entered_us = loop_enter();

    (void)status;
    (void)events;
    run(h);
    loop_leave(h->loop, "httpd", entered_us);
}

/* An answer from inside the handler is taken by the run that called it; any other needs one. */
static void run_soon(struct httpd *h)
{
    if (!h->is_running && !h->is_closing)
        loop_defer(h->loop, &h->again);
}

/* ---- one request ---- */

static void request_free(struct httpd_request *r)
{
    r->next->prev = r->prev;
    r->prev->next = r->next;
    buf_free(&r->body);
    free(r);
}

static enum MHD_Result queue(struct MHD_Connection *c, unsigned status, const char *type, struct text body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)(body.p ? body.p : ""), MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    result = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return result;
}

void httpd_answer(struct httpd_request *r, unsigned status, const char *content_type, struct text body)
{
    if (r->is_answered)
        return;
    r->is_answered = true;
    if (!r->connection) {
        request_free(r);
        return;
    }
    /* Without an answer in the queue the resumed connection would ask us for ever. */
    if (queue(r->connection, status, content_type, body) != MHD_YES)
        timer_start(r->peer->deadline, 1);
    if (r->is_suspended) {
        r->is_suspended = false;
        MHD_resume_connection(r->connection);
        run_soon(r->server);
    }
}

static void on_deadline(void *arg)
{
    struct peer *p = arg;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(p->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info)
        shutdown(info->connect_fd, SHUT_RDWR);
    if (p->request && p->request->is_suspended) {
        p->request->is_suspended = false;
        MHD_resume_connection(p->connection);
    }
    run_soon(p->server);
}

static struct httpd_request *request_new(struct httpd *h, struct peer *p)
{
    struct httpd_request *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->server = h;
    r->peer = p;
    r->connection = p->connection;
    buf_init(&r->body, h->opt.body_max);
    r->next = &h->requests;
    r->prev = h->requests.prev;
    r->prev->next = r->next->prev = r;
    p->request = r;
    return r;
}

/* ---- what the library calls ---- */

static void peer_begin(struct httpd *h, struct MHD_Connection *c, void **context)
{
    struct peer *p = calloc(1, sizeof *p);

    *context = p;
    if (!p)
        return;
    *p = (struct peer){ .server = h, .connection = c };
    if (timer_new(&p->deadline, h->loop, on_deadline, p)) {
        free(p);
        *context = NULL;
        return;
    }
    timer_start(p->deadline, h->opt.idle_ms);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode what)
{
    struct peer *p = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_begin(arg, c, context);
    } else if (p) {
        timer_free(p->deadline);
        free(p);
        *context = NULL;
    }
}

static struct text length_of(struct MHD_Connection *c)
{
    return text_of(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length"));
}

/* Headers are complete. A body that is said to be too long is refused before it is read. */
static enum MHD_Result begin(struct httpd_request *r)
{
    const struct text length = length_of(r->connection);
    int64_t n;

    r->is_begun = true;
    if (!length.p)
        return MHD_YES;
    if (text_to_i64(length, &n) == 0 && n >= 0 && n <= (int64_t)r->server->opt.body_max)
        return MHD_YES;
    r->is_answered = true;
    return queue(r->connection, MHD_HTTP_CONTENT_TOO_LARGE, "text/plain", TEXT("The body is too long.\n"));
}

static void take_body(struct httpd_request *r, const char *p, size_t n)
{
    if (buf_add(&r->body, p, n))
        r->is_too_long = true;
}

struct query {
    struct buf text;
};

static enum MHD_Result add_argument(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct query *q = arg;

    (void)kind;
    if (q->text.n)
        buf_add_char(&q->text, '&');
    buf_add_url(&q->text, text_of(name));
    buf_add_char(&q->text, '=');
    buf_add_url(&q->text, value ? text_of(value) : TEXT(""));
    return q->text.err ? MHD_NO : MHD_YES;
}

/* Everything is there. The handler may answer now; if it does not, the connection waits for it. */
static enum MHD_Result ask(struct httpd_request *r, const char *method, const char *url)
{
    struct httpd *h = r->server;
    struct query q;

    r->is_asked = true;
    if (r->is_too_long) {
        r->is_answered = true;
        return queue(r->connection, MHD_HTTP_CONTENT_TOO_LARGE, "text/plain", TEXT("The body is too long.\n"));
    }
    buf_init(&q.text, PATH_BYTES);
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, add_argument, &q);
    h->on_request(r, text_of(method), text_of(url), buf_text(&q.text), buf_text(&r->body), h->arg);
    buf_free(&q.text);
    if (!r->is_answered) {
        MHD_suspend_connection(r->connection);
        r->is_suspended = true;
    }
    return MHD_YES;
}

/* Runs at the headers' end, for each piece of the body, and at its end (microhttpd's tutorial, "The AccessHandlerCallback"). */
static enum MHD_Result on_access(void *arg, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                 const char *piece, size_t *piece_n, void **own)
{
    struct httpd *h = arg;
    struct httpd_request *r = *own;

    (void)c;
    (void)version;
    if (!r)
        return MHD_NO;
    if (!r->is_begun)
        return begin(r);
    if (*piece_n) {
        take_body(r, piece, *piece_n);
        *piece_n = 0;
        return MHD_YES;
    }
    if (r->is_asked)                    /* resumed: the answer is queued, or the peer was cut off */
        return r->is_answered ? MHD_YES : MHD_NO;
    return h->is_closing ? MHD_NO : ask(r, method, url);
}

/* The request line has been read. What it returns is *own of on_access; without memory there is none, and the connection ends. */
static void *on_line(void *arg, const char *uri, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    (void)uri;
    return info && info->socket_context ? request_new(arg, info->socket_context) : NULL;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **own, enum MHD_RequestTerminationCode how)
{
    struct httpd_request *r = *own;

    (void)arg;
    (void)c;
    (void)how;
    *own = NULL;
    if (!r)
        return;
    timer_start(r->peer->deadline, r->server->opt.idle_ms);
    r->peer->request = NULL;
    r->peer = NULL;
    r->connection = NULL;
    if (!r->is_asked || r->is_answered) /* else whoever owes the answer still holds it */
        request_free(r);
}

/* ---- the server ---- */

static int start(struct httpd *h)
{
    struct sockaddr_storage where;
    socklen_t size;
    const int err = address_to_kernel(&h->opt.listen, &where, &size);
    const union MHD_DaemonInfo *info;

    if (err)
        return err;
    h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (where.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, on_access, h,
                                 MHD_OPTION_SOCK_ADDR, &where, MHD_OPTION_CONNECTION_LIMIT, (unsigned)h->opt.connections_max,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((h->opt.idle_ms + 999) / 1000),
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_URI_LOG_CALLBACK, on_line, h,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
                                 MHD_OPTION_END);
    if (!h->daemon)
        return errno ? -errno : -EADDRINUSE;
    info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    h->port = info ? info->port : 0;
    return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int httpd_open(struct httpd **out, struct loop *l, const struct httpd_options *opt, httpd_on_request *on_request, void *arg)
{
    struct httpd *h = calloc(1, sizeof *h);
    int err;

    if (!h)
        return -ENOMEM;
    *h = (struct httpd){ .loop = l, .on_request = on_request, .arg = arg, .opt = *opt };
    h->opt.connections_max = opt->connections_max ? opt->connections_max : CONNECTIONS;
    h->opt.idle_ms = opt->idle_ms ? opt->idle_ms : IDLE_MS;
    h->opt.body_max = opt->body_max ? opt->body_max : BODY_BYTES;
    h->requests.next = h->requests.prev = &h->requests;
    h->again = (struct loop_deferred){ .fn = run, .arg = h };
    err = timer_new(&h->due, l, run, h);
    if (err)
        goto fail;
    errno = 0;
    err = start(h);
    if (err)
        goto fail_start;
    err = uv_poll_init(&l->uv, &h->poll, MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    if (err)
        goto fail_poll;
    h->poll.data = h;
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
    *out = h;
    return 0;
fail_poll:
    MHD_stop_daemon(h->daemon);
fail_start:
    timer_free(h->due);
fail:
    free(h);
    return err;
}

/* A suspended connection may not be there when the daemon stops (microhttpd.h, MHD_stop_daemon). */
static void resume_all(struct httpd *h)
{
    for (struct httpd_request *r = h->requests.next; r != &h->requests; r = r->next)
        if (r->is_suspended) {
            r->is_suspended = false;
            MHD_resume_connection(r->connection);
        }
}

void httpd_close(struct httpd *h)
{
    if (!h)
        return;
    h->is_closing = true;
    resume_all(h);
    uv_poll_stop(&h->poll);
    MHD_stop_daemon(h->daemon);
    while (h->requests.next != &h->requests) {
        struct httpd_request *r = h->requests.next;

        request_free(r);
    }
    loop_undefer(h->loop, &h->again);
    timer_free(h->due);
    uv_close((uv_handle_t *)&h->poll, on_poll_closed);
}

unsigned httpd_port(const struct httpd *h)
{
    return h->port;
}
