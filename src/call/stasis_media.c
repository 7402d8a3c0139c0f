/* What each media door makes ready, asks of Asterisk, and waits for: one entry of a table a door. */
#include "call/stasis_media.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "pbx/media_connect.h"
#include "wire/audiosocket.h"

enum { PORT_TRIES = 64 };

struct media_door {
    const char *name;
    int (*prepare)(struct stasis_call *c);
    void (*fields)(const struct stasis_call *c, struct buf *b);
    bool (*answered)(struct stasis_call *c, struct text body);   /* NULL: the answer says nothing that is needed */
    bool (*is_open)(const struct stasis_call *c);
};

static bool has_fd(const struct stasis_call *c)
{
    return c->way.fd >= 0;
}

/* ---- AudioSocket: Asterisk connects to our listener and names itself by a UUID ---- */

static void on_arrival(int fd_or_err, const char *peer, void *arg)
{
    struct stasis_call *c = arg;

    (void)peer;
    c->ticket = NULL;
    c->way.fd = fd_or_err >= 0 ? fd_or_err : -1;
    stasis_call_media_open(c, fd_or_err >= 0 ? 0 : fd_or_err);
}

static int audiosocket_prepare(struct stasis_call *c)
{
    c->way.rate_hz = c->ground->audiosocket_hz;
    return door_expect(&c->ticket, c->ground->door, &c->id, c->ground->step_ms, on_arrival, c);
}

static void audiosocket_fields(const struct stasis_call *c, struct buf *b)
{
    stasis_json_field(b, "external_host", c->ground->media_host);
    stasis_json_field(b, "encapsulation", "audiosocket");
    stasis_json_field(b, "transport", "tcp");
    stasis_json_field(b, "data", c->id_text);
    stasis_json_field(b, "format", audiosocket_format(c->way.rate_hz));
}

/* ---- RTP: we bind a port, Asterisk's answer names its own ---- */

/* The ports are used in turn: a packet that comes late for the call before does not find the next one. */
static int rtp_prepare(struct stasis_call *c)
{
    struct stasis_ground *g = c->ground;
    struct address at = g->rtp;
    int err = at.host[0] ? -EADDRINUSE : -EADDRNOTAVAIL;

    c->way.format = g->rtp_format;
    for (unsigned i = 0; err == -EADDRINUSE && i < PORT_TRIES && (i == 0 || i < g->rtp_ports); i++) {
        if (g->rtp_ports > 0)
            at.port = (uint16_t)(g->rtp.port + g->rtp_next++ % g->rtp_ports);
        err = udp_bind(&c->way.fd, &at, &c->here);
    }
    return err;
}

static void rtp_fields(const struct stasis_call *c, struct buf *b)
{
    char here[100];

    address_format(&c->here, here, sizeof here);
    stasis_json_field(b, "external_host", here);
    stasis_json_field(b, "encapsulation", "rtp");
    stasis_json_field(b, "transport", "udp");
    stasis_json_field(b, "format", leg_rtp_format_name(c->way.format));
}

static bool rtp_answered(struct stasis_call *c, struct text body)
{
    struct address *peer = &c->way.peer;
    char port[8];
    int64_t n;

    if (ari_channelvar(body, "UNICASTRTP_LOCAL_ADDRESS", peer->host, sizeof peer->host) != 0 ||
        ari_channelvar(body, "UNICASTRTP_LOCAL_PORT", port, sizeof port) != 0 || text_to_i64(text_of(port), &n) != 0 || n < 1 ||
        n > UINT16_MAX)
        return false;
    peer->port = (uint16_t)n;
    return true;
}

static bool rtp_is_open(const struct stasis_call *c)
{
    return has_fd(c) && c->way.peer.port != 0;
}

/* ---- WebSocket: Asterisk connects to our listener and names the call in the address, or we connect when it has named the channel ---- */

static int websocket_prepare(struct stasis_call *c)
{
    const struct stasis_websocket *w = &c->ground->websocket;

    c->way.ws_format = w->format;
    c->way.is_server = w->door != NULL;
    return w->door ? websocket_door_expect(&c->ticket, w->door, &c->id, c->ground->step_ms, on_arrival, c) : 0;
}

static void websocket_fields(const struct stasis_call *c, struct buf *b)
{
    char address[UUID_TEXT + 20];

    stasis_json_field(b, "encapsulation", "none");
    stasis_json_field(b, "transport", "websocket");
    stasis_json_field(b, "format", leg_websocket_format_name(c->way.ws_format));
    if (c->way.is_server) {
        snprintf(address, sizeof address, "v(call=%s)", c->id_text);
        stasis_json_field(b, "connection_type", "client");
        stasis_json_field(b, "external_host", c->ground->websocket.client);
        stasis_json_field(b, "transport_data", address);
    } else {
        stasis_json_field(b, "connection_type", "server");
        stasis_json_field(b, "external_host", "INCOMING");
    }
}

static void on_connected(int fd_or_err, const char *detail, void *arg)
{
    struct stasis_call *c = arg;

    c->connecting = NULL;
    if (fd_or_err < 0)
        log_warn(&c->ground->log, "media_not_connected", kv_str("call", c->channel), kv_err(fd_or_err), kv_str("detail", detail));
    c->way.fd = fd_or_err >= 0 ? fd_or_err : -1;
    stasis_call_media_open(c, fd_or_err >= 0 ? 0 : fd_or_err);
}

/* The channel enters our application only when somebody is connected to it. */
static bool websocket_answered(struct stasis_call *c, struct text body)
{
    const struct stasis_ground *g = c->ground;
    char id[100];
    int err;

    if (c->way.is_server)
        return true;
    err = ari_channelvar(body, "MEDIA_WEBSOCKET_CONNECTION_ID", id, sizeof id);
    if (!err)
        err = media_connect_open(&c->connecting, g->loop, g->dialer, g->base_url, id, g->step_ms, on_connected, c);
    if (err)
        log_warn(&g->log, "media_not_connected", kv_str("call", c->channel), kv_err(err));
    return !err;
}

/* ---- the table ---- */

static const struct media_door doors[STASIS_MEDIA_COUNT] = {
    [STASIS_AUDIOSOCKET] = { .name = "audiosocket", .prepare = audiosocket_prepare, .fields = audiosocket_fields, .is_open = has_fd },
    [STASIS_WEBSOCKET] = { .name = "websocket", .prepare = websocket_prepare, .fields = websocket_fields, .answered = websocket_answered,
                           .is_open = has_fd },
    [STASIS_RTP] = { .name = "rtp", .prepare = rtp_prepare, .fields = rtp_fields, .answered = rtp_answered, .is_open = rtp_is_open },
};

static const struct media_door *door_of(const struct stasis_call *c)
{
    return &doors[c->kinds[c->kind_at]];
}

const char *stasis_media_name(enum stasis_media m)
{
    return doors[m].name;
}

int stasis_media_prepare(struct stasis_call *c)
{
    c->way.media = c->kinds[c->kind_at];
    return door_of(c)->prepare(c);
}

void stasis_media_fields(const struct stasis_call *c, struct buf *b)
{
    door_of(c)->fields(c, b);
}

bool stasis_media_answered(struct stasis_call *c, struct text body)
{
    return !door_of(c)->answered || door_of(c)->answered(c, body);
}

bool stasis_media_is_open(const struct stasis_call *c)
{
    return door_of(c)->is_open(c);
}

void stasis_media_give(struct stasis_call *c, struct stasis_way *out)
{
    *out = c->way;
    c->way.fd = -1;
}

void stasis_media_forget(struct stasis_call *c)
{
    door_forget(c->ticket);
    c->ticket = NULL;
    media_connect_cancel(c->connecting);
    c->connecting = NULL;
    if (c->way.fd >= 0)
        close(c->way.fd);
    c->way = (struct stasis_way){ .fd = -1 };
}
