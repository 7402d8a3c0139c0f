/* On which addresses the Asterisk of this machine listens, as far as this user may see, for the live view. Reads /proc; binds and sends nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct live_socket {
    bool is_tcp;
    char address[64];           /* "127.0.0.1:5038", "[::]:5060" */
    uint16_t port;
    uint64_t inode;
    uid_t uid;
};

enum { LIVE_SOCKETS_MAX = 4096 };

/* Of the text of /proc/net/tcp, tcp6, udp or udp6: those that listen (UDP: that are not connected). Lines that are none are passed over.
 * Returns how many are in out now; used are there already. Pure. */
size_t live_sockets_read(struct live_socket *out, size_t used, struct text table, bool is_tcp);
/* url: "tcp://127.0.0.1:5038", a manager port that Asterisk itself has. Adds [sockets]. 0; -ENOENT: another machine's, or none of a
 * port; -EACCES: the process that has it is not seen, or is no Asterisk (a tunnel, a proxy). Then nothing was added, but for a sticky error of out. */
int live_sockets_add(struct buf *out, const char *url) MUST_USE;
