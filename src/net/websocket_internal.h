/* What the files of a WebSocket share among themselves: nobody else includes this. Loop thread. */
#pragma once

#include "base/buf.h"
#include "net/loop_internal.h"
#include "net/websocket.h"
#include "net/ws_framing.h"
#include "net/ws_handshake.h"

enum {
    WS_CLOSE_LINGER_MS = 400,    /* for the peer's FIN */
    WS_DETAIL_MAX = 480,
};

/* DIALING -> SHAKING -> OPEN -> CLOSING (a close frame is under way) -> ENDING (the stream closes) -> CLOSED
 * Every state but the last may go to ENDING or CLOSED at once. */
enum websocket_state { WS_DIALING, WS_SHAKING, WS_OPEN, WS_CLOSING, WS_ENDING, WS_CLOSED };

struct websocket {
    struct loop *loop;
    struct websocket_handlers on;
    void *arg;
    enum websocket_state state;
    struct dial *dial;
    struct stream *stream;
    struct ws_framing *framing;
    websocket_on_request *on_request; /* the server's end; NULL: we are the client */
    struct buf request;          /* until it is sent: may hold a password */
    struct buf answer;           /* its head, until it is judged */
    struct buf staged;           /* frames on their way to the stream */
    char key[WS_KEY_TEXT + 1];
    char *subprotocol;
    size_t queue_max;
    int64_t ping_ms;
    struct timer *deadline, *pinger;
    struct loop_deferred ending; /* on_closed, when it may not run at once */
    bool is_refused;             /* on_drain is owed */
    bool confirms;
    bool is_flooded;             /* reading waits until the peer reads */
    bool has_heard;              /* something came since the last ping */
    unsigned pings_unanswered;
    int close_wanted;            /* status of the close frame that waits until every message is out; 0: none */
    char close_reason[WS_REASON_MAX + 8];
    bool has_cause;
    int err, status;             /* the cause: the first one counts */
    char detail[WS_DETAIL_MAX];
};

/* The first cause counts: what on_closed tells. */
void websocket_cause(struct websocket *w, int err, int status, const char *detail);
/* Ends it at once. */
void websocket_fail(struct websocket *w, int err, const char *detail);
/* Bytes behind the handshake. */
void websocket_frames(struct websocket *w, struct text bytes);

/* ws_opening.c: bytes until the handshake is over; of the server's answer, or of the client's request. */
void ws_opening_answer(struct websocket *w, struct text bytes);
void ws_opening_request(struct websocket *w, struct text bytes);
