/* RTP: what is taken lies inside the datagram, and its head written again reads the same. */
#include "fuzz.h"

#include <errno.h>

#include "wire/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = (uint8_t *)fuzz_copy((const char *)data, size), head[RTP_HEAD];
    struct rtp_packet p, q;
    struct rtp_event e;
    const char *why = NULL;

    if (rtp_parse(&p, copy, size, &why) == 0) {
        FUZZ_CHECK(p.payload >= copy + RTP_HEAD && p.payload + p.n <= copy + size);
        rtp_put_head(head, &p);
        FUZZ_CHECK(rtp_parse(&q, head, sizeof head, &why) == 0 && q.n == 0);
        FUZZ_CHECK(q.type == p.type && q.has_marker == p.has_marker && q.seq == p.seq && q.timestamp == p.timestamp && q.ssrc == p.ssrc);
        FUZZ_CHECK(rtp_event_parse(&e, p.payload, p.n) == (p.n < 4 ? -EPROTO : 0));
    } else {
        FUZZ_CHECK(why && *why);
    }
    free(copy);
    return 0;
}
