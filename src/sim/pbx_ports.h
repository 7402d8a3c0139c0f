/* Free ports for one private Asterisk, held until it has taken them. */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum {
    PBX_PORT_FIRST = 20000,
    PBX_PORT_LAST = 31999, /* below the kernel's range for outgoing connections */
    PBX_RTP_FIRST = 10000,
    PBX_RTP_LAST = 19999,
    PBX_RTP_WIDTH = 400,
    PBX_PORTS = 3,
};

struct pbx_ports {
    uint16_t ami, http, sip;
    uint16_t rtp_first, rtp_last;
    int held[PBX_PORTS]; /* bound, not listening, SO_REUSEADDR: Asterisk may bind them, another chooser may not; -1 none */
};

/* Fills what is 0. 0, or -EADDRINUSE (a port asked for is taken, or none is free), or another socket error. */
int pbx_ports_choose(struct pbx_ports *p) MUST_USE;
/* Lets go of the held sockets; the numbers stay. */
void pbx_ports_release(struct pbx_ports *p);
