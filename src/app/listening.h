/* Who listens on which address of this machine, as far as this user may see. Reads /proc; binds and sends nothing. Blocking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/text.h"

struct listening {
    bool is_tcp;
    char address[64];           /* "127.0.0.1:5038", "[::]:5060" */
    uint16_t port;
    uint64_t inode;
    uid_t uid;
};

enum { LISTENING_MAX = 4096 };

/* Of the text of /proc/net/tcp, tcp6, udp or udp6: those that listen (UDP: that are not connected). Lines that are none are passed over.
 * Returns how many are in out now; used are there already. Pure. */
size_t listening_read(struct listening *out, size_t used, struct text table, bool is_tcp);
/* All of this machine; the caller frees *out. 0 or -ENOMEM. */
int listening_all(struct listening **out, size_t *count) MUST_USE;
/* Does it name a TCP port of this machine ("tcp://127.0.0.1:5038", "http://localhost:8088")? */
bool listening_is_url(const char *url);
/* Who gets what is sent there (a URL, or "127.0.0.1:4573"): who has the address itself, else every address, else any. NULL: nobody. Pure. */
const struct listening *listening_at(const struct listening *all, size_t count, const char *url);

/* Which process has that socket; 0: none whose descriptors we may see. */
pid_t listening_owner(uint64_t inode);
bool listening_is_of(pid_t pid, uint64_t inode);
/* Is it an Asterisk? A tunnel or a proxy in front of one elsewhere is none. */
bool listening_is_asterisk(pid_t pid);
/* One of that user's, for where descriptors may not be seen; 0: none. */
pid_t listening_asterisk_of(uid_t uid);
