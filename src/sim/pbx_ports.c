/* Chooses ports by binding them, outside the range from which the kernel takes the ports of outgoing connections. */
#include "sim/pbx_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES = 200 };

static uint16_t random_between(uint16_t first, uint16_t last)
{
    uint32_t x = 0;

    if (getrandom(&x, sizeof x, 0) != sizeof x)
        abort();
    return (uint16_t)(first + x % (uint32_t)(last - first + 1));
}

static int port_bind(int type, uint16_t port, int reuse)
{
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0)
        return -errno;
    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

/* Both kinds must be free; the TCP one stays bound. SO_REUSEADDR comes after bind: the bind itself is to be exclusive,
 * but Asterisk's later one (which sets it) is to succeed. A port that was asked for may have old connections on it (a killed
 * Asterisk's, TIME_WAIT): Linux refuses a second listener all the same. */
static int port_hold(uint16_t port, bool is_asked)
{
    const int udp = port_bind(SOCK_DGRAM, port, 0), one = 1;
    int tcp;

    if (udp < 0)
        return udp;
    close(udp);
    tcp = port_bind(SOCK_STREAM, port, is_asked);
    if (tcp >= 0)
        setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return tcp;
}

static int port_choose(uint16_t *port, int *held)
{
    int fd = -EADDRINUSE;

    if (*port) {
        *held = port_hold(*port, true);
        return *held < 0 ? *held : 0;
    }
    for (int i = 0; i < TRIES && fd < 0; i++) {
        const uint16_t number = random_between(PBX_PORT_FIRST, PBX_PORT_LAST);

        fd = port_hold(number, false);
        if (fd >= 0)
            *port = number;
    }
    *held = fd;
    return fd < 0 ? fd : 0;
}

int pbx_ports_choose(struct pbx_ports *p)
{
    const int ranges = (PBX_RTP_LAST - PBX_RTP_FIRST + 1) / PBX_RTP_WIDTH;
    uint16_t *const ports[PBX_PORTS] = { &p->ami, &p->http, &p->sip };

    for (int i = 0; i < PBX_PORTS; i++)
        p->held[i] = -1;
    for (int i = 0; i < PBX_PORTS; i++) {
        const int err = port_choose(ports[i], &p->held[i]);

        if (err) {
            pbx_ports_release(p);
            return err;
        }
    }
    /* Two nodes that draw the same range still work: Asterisk goes on to the next port when one is taken. */
    p->rtp_first = (uint16_t)(PBX_RTP_FIRST + PBX_RTP_WIDTH * random_between(0, (uint16_t)(ranges - 1)));
    p->rtp_last = (uint16_t)(p->rtp_first + PBX_RTP_WIDTH - 1);
    return 0;
}

void pbx_ports_release(struct pbx_ports *p)
{
    for (int i = 0; i < PBX_PORTS; i++) {
        if (p->held[i] >= 0)
            close(p->held[i]);
        p->held[i] = -1;
    }
}
