/* Writes the request that opens a WebSocket, and judges the answer. */
#include "net/ws_handshake.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

enum { HOST_MAX = 255, USER_MAX = 512 };

/* ---- address ---- */

static bool is_host(struct text t)
{
    const bool is_six = t.n > 2 && t.p[0] == '[' && t.p[t.n - 1] == ']';
    const struct text inside = is_six ? text_make(t.p + 1, t.n - 2) : t;

    if (inside.n == 0 || inside.n > HOST_MAX)
        return false;
    for (size_t i = 0; i < inside.n; i++) {
        const char c = inside.p[i];
        const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';

        if (!is_plain && !(is_six ? c == ':' : c == '-' || c == '_'))
            return false;
    }
    return true;
}

static int port_parse(struct text t, uint16_t *out)
{
    int64_t n;

    if (t.n == 0 || t.p[0] < '0' || t.p[0] > '9' || text_to_i64(t, &n) || n < 1 || n > UINT16_MAX)
        return -EINVAL;
    *out = (uint16_t)n;
    return 0;
}

/* Printable ASCII without blanks: nothing that could end the request line. */
static bool is_target(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || t.p[i] == '#')
            return false;
    return true;
}

int ws_url_parse(struct text t, struct ws_url *out)
{
    struct ws_url u = { .is_tls = text_starts(t, TEXT("wss://")) };
    struct text rest = text_skip(t, u.is_tls ? 6 : 5);
    size_t end = 0;
    ptrdiff_t colon;

    if (!u.is_tls && !text_starts(t, TEXT("ws://")))
        return -EINVAL;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    u.target = text_skip(rest, end);
    u.host = text_head(rest, end);
    u.port = u.is_tls ? 443 : 80;
    colon = text_rfind(u.host, ':');
    if (colon >= 0 && u.host.p[u.host.n - 1] != ']') {
        if (port_parse(text_skip(u.host, (size_t)colon + 1), &u.port))
            return -EINVAL;
        u.host = text_head(u.host, (size_t)colon);
    }
    if (!is_host(u.host) || !is_target(u.target))
        return -EINVAL;
    *out = u;
    return 0;
}

/* ---- key ---- */

void ws_key_make(char out[WS_KEY_TEXT + 1])
{
    unsigned char nonce[16];

    INVARIANT(getrandom(nonce, sizeof nonce, 0) == (ssize_t)sizeof nonce);
    EVP_EncodeBlock((unsigned char *)out, nonce, sizeof nonce);
}

int ws_accept_make(struct text key, char out[WS_ACCEPT_TEXT + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */
    unsigned char sum[SHA_DIGEST_LENGTH];
    char both[128];
    unsigned n = 0;

    if (key.n > sizeof both - sizeof guid)
        return -EINVAL;
    memcpy(both, key.p, key.n);
    memcpy(both + key.n, guid, sizeof guid);
    if (!EVP_Digest(both, key.n + sizeof guid - 1, sum, &n, EVP_sha1(), NULL))
        return -ENOMEM;
    EVP_EncodeBlock((unsigned char *)out, sum, (int)n);
    return 0;
}

/* ---- request ---- */

static void auth_write(struct buf *out, const char *user, const char *password)
{
    char plain[USER_MAX + 1], coded[USER_MAX / 3 * 4 + 8];
    const int n = snprintf(plain, sizeof plain, "%s:%s", user, password ? password : "");

    if (n < 0 || (size_t)n >= sizeof plain) {
        out->err = -EINVAL;
    } else {
        EVP_EncodeBlock((unsigned char *)coded, (unsigned char *)plain, n);
        buf_addf(out, "Authorization: Basic %s\r\n", coded);
    }
    explicit_bzero(plain, sizeof plain);
    explicit_bzero(coded, sizeof coded);
}

static bool is_header(struct text line)
{
    return text_is_one_line(line) && text_find(line, ':') > 0;
}

int ws_request_write(struct buf *out, const struct ws_request *r)
{
    const struct ws_url *u = &r->url;
    const bool is_usual = u->port == (u->is_tls ? 443 : 80);

    buf_addf(out, "GET %s%.*s HTTP/1.1\r\n", text_starts(u->target, TEXT("/")) ? "" : "/", TEXT_ARG(u->target));
    buf_addf(out, "Host: %.*s", TEXT_ARG(u->host));
    if (!is_usual)
        buf_addf(out, ":%u", u->port);
    buf_addf(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", r->key);
    if (r->subprotocol) {
        if (!text_is_one_line(text_of(r->subprotocol)))
            return -EINVAL;
        buf_addf(out, "Sec-WebSocket-Protocol: %s\r\n", r->subprotocol);
    }
    if (r->user)
        auth_write(out, r->user, r->password);
    for (size_t i = 0; r->headers && r->headers[i]; i++) {
        if (!is_header(text_of(r->headers[i])))
            return -EINVAL;
        buf_addf(out, "%s\r\n", r->headers[i]);
    }
    return buf_add_text(out, TEXT("\r\n"));
}

/* ---- answer ---- */

struct answer {
    struct text accept, upgrade, subprotocol, extensions;
    bool has_upgrade_token;
    unsigned accepts;
};

/* The peer's words for a log: one line, printable. */
static int refuse(char *detail, size_t size, const char *what, struct text theirs)
{
    const int n = snprintf(detail, size, "%s%s%.*s", what, theirs.n > 0 ? ": " : "", (int)(theirs.n < 80 ? theirs.n : 80),
                           theirs.p ? theirs.p : "");

    for (int i = 0; i < n && (size_t)i < size; i++)
        if (detail[i] && ((unsigned char)detail[i] < 0x20 || (unsigned char)detail[i] > 0x7e))
            detail[i] = '?';
    return -EPROTO;
}

static bool has_token(struct text list, struct text token)
{
    struct text part;

    while (text_cut(&list, ',', &part))
        if (text_eq_nocase(text_trim(part), token))
            return true;
    return false;
}

static int status_parse(struct text line, int *out)
{
    int64_t n;

    if (!text_starts(line, TEXT("HTTP/1.1 ")) || line.n < 12 || (line.n > 12 && line.p[12] != ' ') || line.p[9] < '1' ||
        text_to_i64(text_make(line.p + 9, 3), &n))
        return -EPROTO;
    *out = (int)n;
    return 0;
}

/* Takes a line's end off: CR LF only. */
static bool line_cut(struct text *rest, struct text *line)
{
    *line = *rest;
    if (text_find(*rest, '\n') < 0 || !text_cut(rest, '\n', line) || line->n == 0 || line->p[line->n - 1] != '\r')
        return false;
    line->n--;
    return true;
}

static bool header_cut(struct text line, struct text *name, struct text *value)
{
    const ptrdiff_t colon = text_find(line, ':');

    if (colon < 1 || !text_is_one_line(line) || line.p[0] == ' ' || line.p[0] == '\t')
        return false;
    *name = text_head(line, (size_t)colon);
    *value = text_trim(text_skip(line, (size_t)colon + 1));
    return true;
}

static int header_take(struct answer *a, struct text line)
{
    struct text name, value;

    if (!header_cut(line, &name, &value))
        return -EPROTO;
    if (text_eq_nocase(name, TEXT("Sec-WebSocket-Accept"))) {
        a->accept = value;
        a->accepts++;
    } else if (text_eq_nocase(name, TEXT("Upgrade"))) {
        a->upgrade = value;
    } else if (text_eq_nocase(name, TEXT("Connection"))) {
        a->has_upgrade_token = a->has_upgrade_token || has_token(value, TEXT("upgrade"));
    } else if (text_eq_nocase(name, TEXT("Sec-WebSocket-Protocol"))) {
        a->subprotocol = value;
    } else if (text_eq_nocase(name, TEXT("Sec-WebSocket-Extensions"))) {
        a->extensions = value;
    }
    return 0;
}

static int answer_judge(const struct answer *a, const char *key, const char *subprotocol, char *detail, size_t size)
{
    char expected[WS_ACCEPT_TEXT + 1];
    const int err = ws_accept_make(text_of(key), expected);

    if (err)
        return err;
    if (!text_eq_nocase(a->upgrade, TEXT("websocket")))
        return refuse(detail, size, "the server upgrades to something else", a->upgrade);
    if (!a->has_upgrade_token)
        return refuse(detail, size, "the server's answer has no Connection: Upgrade", TEXT_NONE);
    if (a->accepts != 1 || !text_eq(a->accept, text_of(expected)))
        return refuse(detail, size, "the server's Sec-WebSocket-Accept is not the answer to our key", a->accept);
    if (a->subprotocol.p && !(subprotocol && text_eq(a->subprotocol, text_of(subprotocol))))
        return refuse(detail, size, "the server chose a subprotocol that was not offered", a->subprotocol);
    if (a->extensions.n > 0)
        return refuse(detail, size, "the server chose an extension that was not offered", a->extensions);
    return 0;
}

int ws_answer_check(struct text head, const char *key, const char *subprotocol, char *detail, size_t size)
{
    struct answer a = { .accepts = 0 };
    struct text line = TEXT_NONE;
    int status;

    if (!line_cut(&head, &line) || status_parse(line, &status))
        return refuse(detail, size, "the server does not speak HTTP/1.1", line);
    if (status == 401 || status == 403) {
        refuse(detail, size, "the server refused our credentials", text_skip(line, 9));
        return -EACCES;
    }
    if (status != 101)
        return refuse(detail, size, "the server did not upgrade", text_skip(line, 9));
    while (line_cut(&head, &line)) {
        if (line.n == 0)
            return answer_judge(&a, key, subprotocol, detail, size);
        if (header_take(&a, line))
            return refuse(detail, size, "the server's answer has a line that is no header", line);
    }
    return refuse(detail, size, "the server's answer has a line that does not end in CR LF", line);
}

int ws_answer_status(struct text head)
{
    struct text line = TEXT_NONE;
    int status;

    return line_cut(&head, &line) && status_parse(line, &status) == 0 ? status : 0;
}

/* ---- the server's side ---- */

struct wanted {
    struct text upgrade, version;
    bool has_upgrade_token;
    unsigned keys;
};

static int wanted_take(struct wanted *w, struct ws_asked *a, struct text line)
{
    struct text name, value;

    if (!header_cut(line, &name, &value))
        return -EPROTO;
    if (text_eq_nocase(name, TEXT("Sec-WebSocket-Key"))) {
        a->key = value;
        w->keys++;
    } else if (text_eq_nocase(name, TEXT("Upgrade"))) {
        w->upgrade = value;
    } else if (text_eq_nocase(name, TEXT("Connection"))) {
        w->has_upgrade_token = w->has_upgrade_token || has_token(value, TEXT("upgrade"));
    } else if (text_eq_nocase(name, TEXT("Sec-WebSocket-Version"))) {
        w->version = value;
    } else if (text_eq_nocase(name, TEXT("Authorization"))) {
        a->authorization = value;
    }
    return 0;
}

static int wanted_judge(const struct wanted *w, const struct ws_asked *a, char *detail, size_t size)
{
    if (!text_eq_nocase(w->upgrade, TEXT("websocket")) || !w->has_upgrade_token)
        return refuse(detail, size, "the client asks for no WebSocket", w->upgrade);
    if (!text_eq(w->version, TEXT("13")))
        return refuse(detail, size, "the client speaks another version of WebSocket", w->version);
    if (w->keys != 1 || a->key.n != WS_KEY_TEXT)
        return refuse(detail, size, "the client's Sec-WebSocket-Key is not one of 16 bytes", TEXT_NONE);
    return 0;
}

int ws_request_check(struct text head, struct ws_asked *out, char *detail, size_t size)
{
    struct ws_asked a = { .head = head };
    struct wanted w = { .keys = 0 };
    struct text line = TEXT_NONE, method, rest;

    if (!line_cut(&head, &line))
        return refuse(detail, size, "the client does not speak HTTP", line);
    rest = line;
    if (!text_cut(&rest, ' ', &method) || !text_eq(method, TEXT("GET")) || !text_cut(&rest, ' ', &a.target) ||
        !text_eq(rest, TEXT("HTTP/1.1")) || a.target.n == 0 || a.target.p[0] != '/' || !is_target(a.target))
        return refuse(detail, size, "the client's request is no GET", TEXT_NONE);
    while (line_cut(&head, &line)) {
        if (line.n == 0) {
            const int err = wanted_judge(&w, &a, detail, size);

            if (!err)
                *out = a;
            return err;
        }
        if (wanted_take(&w, &a, line))
            return refuse(detail, size, "the client's request has a line that is no header", TEXT_NONE);
    }
    return refuse(detail, size, "the client's request has a line that does not end in CR LF", TEXT_NONE);
}

int ws_answer_write(struct buf *out, struct text key)
{
    char accept[WS_ACCEPT_TEXT + 1];
    const int err = ws_accept_make(key, accept);

    if (err)
        return err;
    return buf_addf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                    accept);
}
