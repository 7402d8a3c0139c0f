/* FastAGI's carrier: an AGI session over a byte stream. */
#pragma once

#include "net/stream.h"
#include "pbx/agi_carrier.h"

struct agi_stream {
    struct agi_carrier carrier;
    struct stream *stream;             /* its reference is released with the carrier */
};

/* From now on the stream talks to this session; it keeps the caller's reference to it until take_closed. */
void agi_stream_begin(struct agi_stream *o, struct stream *stream, struct agi_session *session);
