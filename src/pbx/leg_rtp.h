/* A leg over RTP: Asterisk's UnicastRTP channel (external media, encapsulation rtp). Facts seen on 22.10.1: no negotiation, both
 * sides know the format; it sends from the port it reports in UNICASTRTP_LOCAL_PORT and always to the address we named; what we send must
 * come from one port, or its strict source check drops it; linear samples are big-endian; what we
 * send by a dynamic payload type (slin16's 118) it throws away, for nobody has announced that to it, though it sends by it; its silence is no packets at all. */
#pragma once

#include "net/ticker.h"
#include "net/udp.h"
#include "pbx/leg.h"

enum leg_rtp_format { LEG_RTP_ULAW, LEG_RTP_ALAW, LEG_RTP_G722, LEG_RTP_SLIN16 };

struct leg_rtp_options {
    enum leg_rtp_format format;
    struct address peer;           /* packets from elsewhere are counted and dropped */
    int64_t dead_ms;               /* no packet for so long ends the leg with -ETIMEDOUT; 0 = 60,000 */
};

/* As Asterisk calls it: "ulaw". */
const char *leg_rtp_format_name(enum leg_rtp_format f);
/* fd: bound UDP socket (udp_bind). On success it is the leg's; *out holds one reference. */
int leg_rtp_new(struct leg **out, struct loop *l, struct ticker *t, int fd, const struct leg_rtp_options *opt,
                const struct log *log) MUST_USE;
