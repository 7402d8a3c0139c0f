/* A leg over an AudioSocket connection (Asterisk's chan_audiosocket, external media or application). Facts seen on 22.10.1:
 * one write a frame, silence when idle (the application drops a call after 2 s of mutual silence), no DTMF from us,
 * end by 00 00 00, no hangup frame from Asterisk but only end of stream. */
#pragma once

#include "net/stream.h"
#include "net/ticker.h"
#include "pbx/leg.h"

/* fd: connected; its UUID frame has been read already. On success fd is the leg's; *out holds one reference. rate_hz: 8000, 16000...;
 * frames of another rate kind from the peer end the leg with -EPROTO. */
int leg_audiosocket_new(struct leg **out, struct loop *l, struct ticker *t, int fd, unsigned rate_hz,
                        const struct log *log) MUST_USE;
