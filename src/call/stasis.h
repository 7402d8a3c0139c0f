/* The calls of one node that are in our Stasis application: each is answered, bridged with an external-media channel,
 * talked with, and given back to the dialplan (or hung up), and nothing is left behind: no bridge, no external channel,
 * whatever ends first. Thread: the control loop. A talk itself runs on a call loop: see struct stasis_talks.
 *
 * Every step has a deadline; a step that fails ends in `continue` with SIDETONE_STATUS=ERROR and a reason. */
#pragma once

#include "call/talk_after.h"
#include "call/timeline.h"
#include "net/dialer.h"
#include "pbx/ari_client.h"
#include "pbx/audiosocket_door.h"
#include "pbx/leg_rtp.h"
#include "pbx/leg_websocket.h"
#include "pbx/websocket_door.h"

struct stasis;

enum { STASIS_REASON_MAX = 200 };

/* What carries the caller's voice between Asterisk and us. */
enum stasis_media { STASIS_AUDIOSOCKET, STASIS_RTP, STASIS_WEBSOCKET, STASIS_MEDIA_COUNT };

/* Where talks are held. All of it is called on the control loop. */
struct stasis_talk_end {
    const char *status;                   /* "OK" "ERROR" "TIMEOUT" "HANGUP": value of SIDETONE_STATUS */
    char reason[STASIS_REASON_MAX];
    bool hang_up;                         /* instead of continue */
    const struct talk_after *after;       /* NULL: behind Stasis(), without variables. Borrowed for the call */
};
typedef void stasis_on_talk_end(const struct stasis_talk_end *end, void *arg);

/* A place of the dialplan. */
struct stasis_place {
    const char *context, *extension, *priority;  /* priority: a number or a label */
};

/* How a talk reaches Asterisk. */
struct stasis_way {
    enum stasis_media media;
    int fd;                               /* connected AudioSocket, UUID already read; bound UDP socket; or WebSocket, its handshake over. The talk
                                             owns it */
    unsigned rate_hz;                     /* STASIS_AUDIOSOCKET */
    struct address peer;                  /* STASIS_RTP: where Asterisk sends from and takes from */
    enum leg_rtp_format format;           /* STASIS_RTP */
    enum leg_websocket_format ws_format;  /* STASIS_WEBSOCKET */
    bool is_server;                       /* STASIS_WEBSOCKET: Asterisk connected to us */
};

struct stasis_talk_request {
    struct text call, agent;              /* Uniqueid; first Stasis argument ("" = the node's default agent) */
    struct text caller_number, caller_name;
    struct stasis_way way;
};

struct stasis_talks {
    /* -ENOENT when there is no agent of that name: asked before anything is set up. */
    int (*has_agent)(void *arg, struct text agent);
    /* Where a call of this agent goes on that ends with ERROR or TIMEOUT. False: behind Stasis(). The texts stay as long as the talks'
     * arg. May be NULL. */
    bool (*fallback)(void *arg, struct text agent, struct stasis_place *out);
    /* Starts a talk; *talk identifies it. on_end runs once, on the control loop, never from inside. On error fd is closed by it too. */
    int (*start)(void *arg, void **talk, const struct stasis_talk_request *req, stasis_on_talk_end *on_end, void *end_arg);
    /* Ends it early (the caller is gone). on_end does not run any more. */
    void (*stop)(void *arg, void *talk);
    /* Fills out with what may carry this agent's talk, the first choice first, and returns how many. NULL: AudioSocket only. */
    size_t (*media)(void *arg, struct text agent, enum stasis_media out[STASIS_MEDIA_COUNT]);
    void *arg;
};

/* The WebSocket channel. Asterisk connects to the door by what websocket_client.conf says of `client`; without a door we connect to
 * Asterisk's HTTP server, the one of ARI. */
struct stasis_websocket {
    struct websocket_door *door;
    const char *client;
    enum leg_websocket_format format;
};

struct stasis_options {
    struct ari_options ari;
    const char *media_host;               /* what Asterisk should connect to: "127.0.0.1:9092" */
    struct address rtp;                   /* our side of RTP: numeric host and first port; host "": RTP cannot be had */
    unsigned rtp_ports;                   /* how many ports from there; 0: any free port of the host */
    enum leg_rtp_format rtp_format;
    unsigned audiosocket_hz;              /* 0 = 8000 */
    struct stasis_websocket websocket;
    int64_t step_ms;                      /* deadline of one set-up step; 0 = 3000 */
    int64_t again_ms;                     /* until what was not clear is looked at again; 0 = 5000 */
    size_t calls_max;                     /* more get SIDETONE_STATUS=BUSY at once; 0 = 500 */
    bool claims;                          /* calls that StasisBroadcast() offers, as long as there is room */
};

int stasis_open(struct stasis **out, struct loop *l, struct dialer *d, struct audiosocket_door *door,
                const struct stasis_options *opt, const struct stasis_talks *talks, const struct timeline *timeline,
                const struct log *log) MUST_USE;
size_t stasis_calls(const struct stasis *s);
/* Where Asterisk opens its connections to; false when we open ours. */
bool stasis_listening(const struct stasis *s, struct address *out);
bool stasis_is_up(const struct stasis *s);
/* Hands every call back to the dialplan with SIDETONE_STATUS=ERROR, reason "shutdown", waits for the answers up to linger_ms,
 * then closes. on_closed is last. */
void stasis_close(struct stasis *s, int64_t linger_ms, void (*on_closed)(void *arg), void *arg);
