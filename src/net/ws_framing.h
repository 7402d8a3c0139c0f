/* Frames of a WebSocket, by wslay: bytes in, messages out, and back. Does no I/O; answers pings and closes by itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

struct ws_framing;

struct ws_framing_handlers {
    /* A whole message; borrowed for the call. Runs inside ws_framing_read. */
    void (*on_message)(bool is_text, struct text message, void *arg);
    /* Takes bytes to be sent, copies them, and says how many. Fewer than given: no room now, ws_framing_pump again later.
     * Runs inside ws_framing_pump. */
    size_t (*write)(struct text bytes, void *arg);
};

enum { WS_REASON_MAX = 123 };

struct ws_close_seen {
    int status;                        /* 0: no close frame; 1005: one without a code */
    char reason[WS_REASON_MAX + 1];    /* as the peer sent it */
};

/* The client's end: it masks. Messages over message_max are answered with 1009. 0 or -ENOMEM. */
int ws_framing_new(struct ws_framing **out, size_t message_max, const struct ws_framing_handlers *on, void *arg) MUST_USE;
/* The server's end: it does not mask, and refuses what is not masked. */
int ws_framing_new_server(struct ws_framing **out, size_t message_max, const struct ws_framing_handlers *on, void *arg) MUST_USE;
void ws_framing_free(struct ws_framing *f); /* never from inside a handler; NULL passes */

/* What a faulty peer sent is answered with a close frame (1002, 1007, 1009) that waits to be pumped. 0 or -ENOMEM. */
int ws_framing_read(struct ws_framing *f, struct text bytes) MUST_USE;
/* 0, -ENOMEM, or -EPIPE once a close frame is queued. The ceiling is the caller's. */
int ws_framing_queue(struct ws_framing *f, bool is_text, struct text message) MUST_USE;
int ws_framing_ping(struct ws_framing *f) MUST_USE;
/* reason longer than WS_REASON_MAX is cut. 0, -ENOMEM, -EPIPE, or -EINVAL for a status that may not be sent. */
int ws_framing_close(struct ws_framing *f, int status, struct text reason) MUST_USE;
/* Moves what is queued into write, as far as it takes. 0 or -ENOMEM. */
int ws_framing_pump(struct ws_framing *f) MUST_USE;

/* Bytes in frames that write has not taken whole, heads included. */
size_t ws_framing_queued(const struct ws_framing *f);
/* No more is wanted from the peer: it closed, or was faulty. */
bool ws_framing_is_deaf(const struct ws_framing *f);
/* Deaf, and everything is written: the connection can end. */
bool ws_framing_is_finished(const struct ws_framing *f);
void ws_framing_close_seen(const struct ws_framing *f, struct ws_close_seen *out);
/* The status of our own close frame; 0: none. */
int ws_framing_close_sent(const struct ws_framing *f);
/* The peer broke the protocol in a way that wslay answers with a close frame without a code. */
bool ws_framing_is_broken(const struct ws_framing *f);
