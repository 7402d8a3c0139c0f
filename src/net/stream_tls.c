/* A stream in TLS on top of another stream, through OpenSSL's memory buffers: it owns no descriptor. The server's end. */
#include "net/tls_server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net/stream_internal.h"

enum { LINGER_MS = 400, READ_PIECE = 16 * 1024, BACKLOG_MAX = 8 * 1024 * 1024 };

struct tls_server {
    SSL_CTX *context;
};

struct stream_tls {
    struct stream base;
    struct stream *inner;
    SSL *ssl;                      /* owns both BIOs */
    BIO *in, *out;
    struct timer *again;           /* 0 ms: what may not run inside a call */
    struct buf early;              /* wanted to be sent before the handshake was over */
    bool is_inner_gone;
};

static struct stream_tls *of(struct stream *s)
{
    return (struct stream_tls *)(void *)s;
}

/* ---- sending ---- */

/* What OpenSSL has made goes out as far as the connection takes it; the rest waits for its on_drain. */
static void flush(struct stream_tls *c)
{
    char *bytes;
    long n;

    while (!c->is_inner_gone && (n = BIO_get_mem_data(c->out, &bytes)) > 0) {
        const size_t piece = n < READ_PIECE ? (size_t)n : READ_PIECE;
        char taken[READ_PIECE];

        if (stream_send_text(c->inner, text_make(bytes, piece)))
            return;
        if (BIO_read(c->out, taken, (int)piece) != (int)piece)
            return;
    }
}

static int write_all(struct stream_tls *c, struct text t)
{
    if (t.n > 0 && SSL_write(c->ssl, t.p, (int)t.n) != (int)t.n) { /* into memory: it takes all or has no memory */
        ERR_clear_error();
        return -ENOMEM;
    }
    return 0;
}

static int send_parts(struct stream *s, const struct text *parts, size_t count, size_t total)
{
    struct stream_tls *c = of(s);
    int err = 0;

    if (total > BACKLOG_MAX || BIO_ctrl_pending(c->out) > BACKLOG_MAX - total)
        return -ENOMEM;
    for (size_t i = 0; i < count && !err; i++)
        err = SSL_is_init_finished(c->ssl) ? write_all(c, parts[i]) : buf_add_text(&c->early, parts[i]);
    flush(c);
    return err ? -ENOMEM : 0;
}

static void read_adjust(struct stream *s)
{
    struct stream_tls *c = of(s);

    if (c->is_inner_gone)
        return;
    if (stream_wants_read(s)) {
        stream_resume(c->inner);
        timer_start(c->again, 0);  /* bytes may be in here already */
    } else {
        stream_pause(c->inner);
    }
}

static void finish(struct stream *s)
{
    struct stream_tls *c = of(s);

    if (c->is_inner_gone)
        return;
    SSL_shutdown(c->ssl);
    ERR_clear_error();
    flush(c);
    stream_close(c->inner, LINGER_MS);
}

static void end(struct stream *s)
{
    struct stream_tls *c = of(s);

    timer_stop(c->again);
    if (!c->is_inner_gone)
        stream_abort(c->inner);    /* its on_closed is the rest */
}

static const struct stream_backend backend = { .send = send_parts, .read_adjust = read_adjust, .finish = finish, .end = end };

/* ---- receiving ---- */

static void early_send(struct stream_tls *c)
{
    if (c->early.n > 0 && write_all(c, buf_text(&c->early)))
        stream_end(&c->base, -ENOMEM);
    buf_clear(&c->early);
}

/* False: nothing more can be read now. */
static bool read_one(struct stream_tls *c)
{
    char bytes[READ_PIECE];
    int n, why;

    if (!SSL_is_init_finished(c->ssl)) {
        n = SSL_do_handshake(c->ssl);
        if (n == 1)
            early_send(c);
    } else {
        n = SSL_read(c->ssl, bytes, sizeof bytes);
        if (n > 0)
            stream_got(&c->base, text_make(bytes, (size_t)n));
    }
    if (n > 0)
        return true;
    why = SSL_get_error(c->ssl, n);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN && !c->base.has_peer_ended)
        stream_got_end(&c->base);
    else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN)
        stream_end(&c->base, -EPROTO);
    return false;
}

static void read_some(struct stream_tls *c)
{
    ref_hold(c);
    while (c->base.state < STREAM_ENDING && (stream_wants_read(&c->base) || !SSL_is_init_finished(c->ssl)) && read_one(c))
        ;
    flush(c);
    ref_drop(c);
}

static void on_again(void *arg)
{
    read_some(arg);
}

static void on_data(struct stream *inner, struct text bytes, void *arg)
{
    struct stream_tls *c = arg;

    (void)inner;
    if (BIO_write(c->in, bytes.p, (int)bytes.n) != (int)bytes.n)
        stream_end(&c->base, -ENOMEM);
    else
        read_some(c);
}

static void on_end(struct stream *inner, void *arg)
{
    struct stream_tls *c = arg;

    (void)inner;
    if (c->base.state < STREAM_ENDING && !c->base.has_peer_ended)
        stream_got_end(&c->base);
}

static void on_drain(struct stream *inner, void *arg)
{
    (void)inner;
    flush(arg);
}

static void on_closed(struct stream *inner, int err, void *arg)
{
    struct stream_tls *c = arg;

    (void)inner;
    c->is_inner_gone = true;
    if (c->base.state < STREAM_ENDING)
        stream_end(&c->base, err);
    stream_gone(&c->base);
}

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct stream_tls *c = obj;

    SSL_free(c->ssl);
    timer_free(c->again);
    buf_free(&c->early);
    ref_drop(c->inner);
    stream_clear(&c->base);
}

int tls_server_accept(struct stream **out, struct tls_server *t, struct stream *plain, const struct stream_options *opt)
{
    static const struct stream_handlers on = { .on_data = on_data, .on_end = on_end, .on_drain = on_drain, .on_closed = on_closed };
    struct stream_tls *c = ref_new(sizeof *c, destroy);

    if (!c) {
        ref_drop(plain);
        return -ENOMEM;
    }
    c->inner = plain;
    buf_init(&c->early, READ_PIECE);
    c->ssl = SSL_new(t->context);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    if (!c->ssl || !c->in || !c->out || timer_new(&c->again, stream_loop(plain), on_again, c)) {
        BIO_free(c->in);
        BIO_free(c->out);
        ref_drop(c);
        return -ENOMEM;
    }
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_accept_state(c->ssl);
    stream_init(&c->base, stream_loop(plain), &backend, opt);
    text_copy(c->base.peer, sizeof c->base.peer, text_of(stream_peer(plain)));
    stream_handle(plain, &on, c);
    *out = &c->base;
    return 0;
}

int tls_server_new(struct tls_server **out, const char *cert_file, const char *key_file)
{
    struct tls_server *t;
    int err = -ENOMEM;

    if (access(cert_file, R_OK) || access(key_file, R_OK))
        return -ENOENT;
    t = calloc(1, sizeof *t);
    if (t)
        t->context = SSL_CTX_new(TLS_server_method());
    if (!t || !t->context)
        goto fail;
    SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(t->context, SSL_MODE_RELEASE_BUFFERS);
    err = -EKEYREJECTED;
    if (SSL_CTX_use_certificate_chain_file(t->context, cert_file) != 1 || SSL_CTX_use_PrivateKey_file(t->context, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(t->context) != 1)
        goto fail;
    *out = t;
    return 0;
fail:
    ERR_clear_error();
    tls_server_free(t);
    return err;
}

void tls_server_free(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->context);
    free(t);
}
