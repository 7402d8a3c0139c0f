/* On which addresses the Asterisk of this machine listens, as far as this user may see, for the live view. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* url: "tcp://127.0.0.1:5038", a manager port that Asterisk itself has. Adds [sockets]. 0; -ENOENT: another machine's, or none of a
 * port; -EACCES: the process that has it is not seen, or is no Asterisk (a tunnel, a proxy). Then nothing was added, but for a sticky error of out. */
int live_sockets_add(struct buf *out, const char *url) MUST_USE;
