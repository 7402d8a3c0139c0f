/* Lets in WebSockets whose UUID somebody waits for, each once. */
#include "pbx/websocket_door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "net/acceptor.h"
#include "net/head_wait.h"
#include "net/ws_handshake.h"

enum {
    HEAD_MS = 2000,
    PENDING_MAX = 256,
    DETAIL_MAX = 200,
};

/* A connection whose request is not whole. */
struct guest {
    struct guest *prev, *next;
    struct websocket_door *door;
    struct head_wait *wait;
    int fd;
};

struct websocket_door {
    struct loop *loop;
    struct log log;
    struct acceptor *acceptor;
    struct guest *guests;
    size_t count;
    struct door_tickets tickets;
    uint64_t strangers;
};

static int guest_release(struct guest *g)
{
    const int fd = g->fd;

    DL_DELETE(g->door->guests, g);
    g->door->count--;
    head_wait_free(g->wait);
    free(g);
    return fd;
}

static bool answer(int fd, const char *text, size_t n)
{
    return send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

static void turn_away(struct websocket_door *d, int fd, const char *peer, const char *why)
{
    static const char refusal[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    d->strangers++;
    log_warn(&d->log, "stranger", kv_str("peer", peer), kv_str("why", why));
    (void)answer(fd, refusal, sizeof refusal - 1);
    close(fd);
}

/* The call's UUID in "/media?a=b&call=UUID". */
static int target_uuid(struct text target, struct uuid *out)
{
    const ptrdiff_t at = text_find(target, '?');
    struct text rest = at < 0 ? TEXT_NONE : text_skip(target, (size_t)at + 1), part;

    while (text_cut(&rest, '&', &part))
        if (text_starts(part, TEXT("call=")))
            return uuid_parse(text_skip(part, 5), out);
    return -ENOENT;
}

/* An answer must not name a protocol that was not asked for (RFC 6455 4.1). */
static bool wants_media_protocol(struct text head)
{
    static const struct text name = { .p = "sec-websocket-protocol:", .n = 23 };
    struct text line;

    while (text_cut(&head, '\n', &line))
        if (text_starts_nocase(line, name) && text_eq(text_trim(text_skip(line, name.n)), TEXT("media")))
            return true;
    return false;
}

static bool accept_in(int fd, const struct ws_asked *asked)
{
    char accept[WS_ACCEPT_TEXT + 1], text[300];
    int n;

    if (ws_accept_make(asked->key, accept))
        return false;
    n = snprintf(text, sizeof text,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                 accept, wants_media_protocol(asked->head) ? "Sec-WebSocket-Protocol: media\r\n" : "");
    return answer(fd, text, (size_t)n);
}

/* Ends a guest either way; the handler of an expected one may close the door. */
static void judge(struct websocket_door *d, int fd, struct text head)
{
    char peer[ACCEPTOR_PEER_TEXT], detail[DETAIL_MAX];
    struct ws_asked asked;
    struct uuid id;

    acceptor_peer(fd, peer);
    if (ws_request_check(head, &asked, detail, sizeof detail))
        turn_away(d, fd, peer, detail);
    else if (target_uuid(asked.target, &id))
        turn_away(d, fd, peer, "its address names no call=UUID");
    else if (!door_tickets_has(&d->tickets, &id))
        turn_away(d, fd, peer, "nobody expects its UUID");
    else if (!accept_in(fd, &asked))
        turn_away(d, fd, peer, "the handshake could not be answered");
    else
        door_tickets_arrived(&d->tickets, &id, fd, peer);
}

static void on_head(int err, struct text head, void *arg)
{
    struct guest *g = arg;
    struct websocket_door *d = g->door;
    char peer[ACCEPTOR_PEER_TEXT];
    int fd;

    g->wait = NULL;
    fd = guest_release(g);
    if (!err) {
        judge(d, fd, head);
        return;
    }
    acceptor_peer(fd, peer);
    turn_away(d, fd, peer, err == -EMSGSIZE ? "its request has no end" : "its request did not come whole");
}

static int guest_new(struct websocket_door *d, int fd)
{
    struct guest *g = calloc(1, sizeof *g);
    int err;

    if (!g)
        return -ENOMEM;
    *g = (struct guest){ .door = d, .fd = fd };
    err = head_wait_new(&g->wait, d->loop, fd, HEAD_MS, on_head, g);
    if (err) {
        free(g);
        return err;
    }
    DL_APPEND(d->guests, g);
    d->count++;
    return 0;
}

static void on_fd(int fd, void *arg)
{
    struct websocket_door *d = arg;

    if (d->count < PENDING_MAX && guest_new(d, fd) == 0)
        return;
    d->strangers++;
    close(fd);
}

int websocket_door_open(struct websocket_door **out, struct loop *l, const struct address *at)
{
    struct websocket_door *d = calloc(1, sizeof *d);
    int err;

    if (!d)
        return -ENOMEM;
    d->loop = l;
    d->tickets.loop = l;
    d->log = log_for(loop_log(l), "websocket_door");
    err = acceptor_open(&d->acceptor, l, at, false, on_fd, d);
    if (err) {
        free(d);
        return err;
    }
    *out = d;
    return 0;
}

void websocket_door_address(const struct websocket_door *d, struct address *out)
{
    acceptor_address(d->acceptor, out);
}

void websocket_door_close(struct websocket_door *d)
{
    if (!d)
        return;
    door_tickets_leave(&d->tickets);
    acceptor_close(d->acceptor);
    while (d->guests)
        close(guest_release(d->guests));
    free(d);
}

int websocket_door_expect(struct door_ticket **out, struct websocket_door *d, const struct uuid *id, int64_t wait_ms,
                          door_on_arrival *on_arrival, void *arg)
{
    return door_tickets_add(out, &d->tickets, id, wait_ms, on_arrival, arg);
}

uint64_t websocket_door_strangers(const struct websocket_door *d)
{
    return d->strangers;
}
