/* A leg over Asterisk's chan_websocket (external media, transport websocket). Facts seen on 22.10.1: its first message is MEDIA_START,
 * then one binary message a frame; it queues what we send and plays one frame each 20 ms by its own clock; a rest shorter than a frame
 * is thrown away; FLUSH_MEDIA empties the queue, and marks in it vanish without a word; linear samples are little-endian. */
#pragma once

#include "net/stream.h"
#include "net/ticker.h"
#include "pbx/leg.h"

enum leg_websocket_format {
    LEG_WEBSOCKET_ULAW,
    LEG_WEBSOCKET_ALAW,
    LEG_WEBSOCKET_SLIN,
    LEG_WEBSOCKET_SLIN16,
    LEG_WEBSOCKET_SLIN24,
    LEG_WEBSOCKET_SLIN48,
};

struct leg_websocket_options {
    enum leg_websocket_format format;
    bool is_server;                /* Asterisk connected to us */
    int64_t start_ms;              /* MEDIA_START comes within; 0 = 3000 */
};

/* As Asterisk calls it: "slin16". */
const char *leg_websocket_format_name(enum leg_websocket_format f);
/* fd: connected, the WebSocket's handshake is over. On success fd is the leg's; *out holds one reference. */
int leg_websocket_new(struct leg **out, struct loop *l, struct ticker *t, int fd, const struct leg_websocket_options *opt,
                      const struct log *log) MUST_USE;
