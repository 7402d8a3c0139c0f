/* A blocking manager connection for tools: each call has a deadline (clock_mono_us). Pure sockets, no loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { PBX_AMI_MESSAGE_MAX = 262144 };

struct pbx_ami {
    int fd;             /* -1: none */
    char *store;        /* PBX_AMI_MESSAGE_MAX bytes */
    size_t have, taken; /* bytes received; bytes of the message last given out */
};

/* Connects to 127.0.0.1:port and reads the banner. 0, -ECONNREFUSED, -ETIMEDOUT, -EPROTO (no manager), -ENOMEM. */
int pbx_ami_open(struct pbx_ami *a, uint16_t port, int64_t deadline_us) MUST_USE;
void pbx_ami_close(struct pbx_ami *a); /* also for one that never opened, if zeroed with fd = -1 */
int pbx_ami_send(struct pbx_ami *a, struct text bytes, int64_t deadline_us) MUST_USE;
/* The next message without its blank line; borrowed until the next call. -ETIMEDOUT, -ECONNRESET, -EMSGSIZE. */
int pbx_ami_read(struct pbx_ami *a, struct text *message, int64_t deadline_us) MUST_USE;
/* Value of the first header of that name, or TEXT_NONE. */
struct text pbx_ami_header(struct text message, struct text name);
