/* Puts wslay between bytes and messages. */
#include "net/ws_framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <wslay/wslay.h>

enum {
    FRAME_HEAD_MAX = 14,  /* 2, 8 for a long length, 4 of mask */
    NO_STATUS = 1005,
    MASK_POOL = 64,       /* sixteen masks a system call */
};

struct ws_framing {
    wslay_event_context_ptr wslay;
    struct ws_framing_handlers on;
    void *arg;
    struct text in;              /* given to ws_framing_read, not read yet */
    struct ws_close_seen seen;
    bool is_broken;
    uint8_t masks[MASK_POOL];    /* random; the last masks_left are unused */
    size_t masks_left;
};

static ssize_t on_recv(wslay_event_context_ptr w, uint8_t *out, size_t size, int flags, void *arg)
{
    struct ws_framing *f = arg;
    const size_t n = f->in.n < size ? f->in.n : size;

    (void)flags;
    if (n == 0) {
        wslay_event_set_error(w, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(out, f->in.p, n);
    f->in = text_skip(f->in, n);
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr w, const uint8_t *bytes, size_t n, int flags, void *arg)
{
    struct ws_framing *f = arg;
    /* Copied by write: wslay masks into a scratch buffer, and TLS wants a refused send repeated from the same address. */
    const size_t taken = f->on.write(text_make(bytes, n), f->arg);

    (void)flags;
    if (taken > 0)
        return (ssize_t)taken;
    wslay_event_set_error(w, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static int on_mask(wslay_event_context_ptr w, uint8_t *out, size_t n, void *arg)
{
    struct ws_framing *f = arg;

    (void)w;
    if (n > sizeof f->masks)
        return -1;                 /* a mask is four bytes */
    if (f->masks_left < n) {
        if (getrandom(f->masks, sizeof f->masks, 0) != (ssize_t)sizeof f->masks)
            return -1;
        f->masks_left = sizeof f->masks;
    }
    memcpy(out, f->masks + sizeof f->masks - f->masks_left, n);
    f->masks_left -= n;            /* each is used once: a peer that could foretell it could choose the bytes on the wire */
    return 0;
}

static void close_keep(struct ws_framing *f, const struct wslay_event_on_msg_recv_arg *m)
{
    f->seen.status = m->status_code ? m->status_code : NO_STATUS;
    /* The first two bytes are the code. */
    text_copy(f->seen.reason, sizeof f->seen.reason, text_skip(text_make(m->msg, m->msg_length), 2));
}

static void on_msg(wslay_event_context_ptr w, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
    struct ws_framing *f = arg;

    (void)w;
    if (m->opcode == WSLAY_CONNECTION_CLOSE)
        close_keep(f, m);
    else if (m->opcode == WSLAY_TEXT_FRAME || m->opcode == WSLAY_BINARY_FRAME)
        f->on.on_message(m->opcode == WSLAY_TEXT_FRAME, text_make(m->msg_length > 0 ? (const char *)m->msg : "", m->msg_length),
                         f->arg);
}

static int make(struct ws_framing **out, bool is_server, size_t message_max, const struct ws_framing_handlers *on, void *arg)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .genmask_callback = on_mask,
        .on_msg_recv_callback = on_msg,
    };
    struct ws_framing *f = calloc(1, sizeof *f);
    int code;

    if (!f)
        return -ENOMEM;
    code = is_server ? wslay_event_context_server_init(&f->wslay, &callbacks, f) : wslay_event_context_client_init(&f->wslay, &callbacks, f);
    if (code) {
        free(f);
        return -ENOMEM;
    }
    wslay_event_config_set_max_recv_msg_length(f->wslay, message_max);
    f->on = *on;
    f->arg = arg;
    *out = f;
    return 0;
}

int ws_framing_new(struct ws_framing **out, size_t message_max, const struct ws_framing_handlers *on, void *arg)
{
    return make(out, false, message_max, on, arg);
}

int ws_framing_new_server(struct ws_framing **out, size_t message_max, const struct ws_framing_handlers *on, void *arg)
{
    return make(out, true, message_max, on, arg);
}

void ws_framing_free(struct ws_framing *f)
{
    if (!f)
        return;
    wslay_event_context_free(f->wslay);
    free(f);
}

int ws_framing_read(struct ws_framing *f, struct text bytes)
{
    int code;

    f->in = bytes;
    code = wslay_event_recv(f->wslay);
    f->in = TEXT_NONE;
    /* Our callback never fails, so this is a frame that wslay could not even parse: a control frame in pieces or too
     * long, a length written longer than needed. */
    if (code == WSLAY_ERR_CALLBACK_FAILURE) {
        f->is_broken = true;
        wslay_event_shutdown_read(f->wslay);
        return 0;
    }
    return code ? -ENOMEM : 0;
}

static int queue(struct ws_framing *f, uint8_t opcode, struct text payload)
{
    const struct wslay_event_msg m = { opcode, (const uint8_t *)payload.p, payload.n };
    const int code = wslay_event_queue_msg(f->wslay, &m);

    if (code == WSLAY_ERR_NO_MORE_MSG)
        return -EPIPE;
    return code ? -ENOMEM : 0;
}

int ws_framing_queue(struct ws_framing *f, bool is_text, struct text message)
{
    return queue(f, is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, message);
}

int ws_framing_ping(struct ws_framing *f)
{
    return queue(f, WSLAY_PING, TEXT(""));
}

/* RFC 6455 section 7.4: 1004 to 1006 and 1015 never go over the wire. */
static bool may_be_sent(int status)
{
    return status >= 1000 && status <= 4999 && !(status >= 1004 && status <= 1006) && status != 1015;
}

int ws_framing_close(struct ws_framing *f, int status, struct text reason)
{
    int code;

    if (!may_be_sent(status))
        return -EINVAL;
    /* Cut between characters: the peer checks that it is UTF-8. */
    if (reason.n > WS_REASON_MAX) {
        reason.n = WS_REASON_MAX;
        while (reason.n > 0 && ((unsigned char)reason.p[reason.n] & 0xc0) == 0x80)
            reason.n--;
    }
    code = wslay_event_queue_close(f->wslay, (uint16_t)status, (const uint8_t *)reason.p, reason.n);
    if (code == WSLAY_ERR_NO_MORE_MSG)
        return -EPIPE;
    if (code == WSLAY_ERR_INVALID_ARGUMENT)
        return -EINVAL;
    return code ? -ENOMEM : 0;
}

int ws_framing_pump(struct ws_framing *f)
{
    return wslay_event_send(f->wslay) ? -ENOMEM : 0;
}

size_t ws_framing_queued(const struct ws_framing *f)
{
    return wslay_event_get_queued_msg_length(f->wslay) + wslay_event_get_queued_msg_count(f->wslay) * FRAME_HEAD_MAX;
}

bool ws_framing_is_deaf(const struct ws_framing *f)
{
    return !wslay_event_want_read(f->wslay);
}

bool ws_framing_is_finished(const struct ws_framing *f)
{
    return !wslay_event_want_read(f->wslay) && !wslay_event_want_write(f->wslay);
}

void ws_framing_close_seen(const struct ws_framing *f, struct ws_close_seen *out)
{
    *out = f->seen;
}

int ws_framing_close_sent(const struct ws_framing *f)
{
    if (!wslay_event_get_close_sent(f->wslay))
        return 0;
    return wslay_event_get_status_code_sent(f->wslay);
}

bool ws_framing_is_broken(const struct ws_framing *f)
{
    return f->is_broken;
}
