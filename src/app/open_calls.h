/* Talks with callers whom nobody announced: the dialplan's AudioSocket(UUID,host:port) without ARI. One agent takes them all; they have a ceiling and
 * a list of hosts of their own. When the talk is over the dialplan goes on. Control loop. */
#pragma once

#include "app/call_loop.h"
#include "net/allow.h"

struct open_calls;

struct open_calls_options {
    const char *agent;
    const struct allow_list *allow;       /* hosts that may bring such calls */
    size_t calls_max;
    struct call_loop *(*choose)(void *arg);
    void *arg;
    const struct log *log;
};

int open_calls_new(struct open_calls **out, struct audiosocket_door *door, const struct open_calls_options *opt) MUST_USE;
size_t open_calls_count(const struct open_calls *o); /* NULL: 0 */
/* Ends every talk: Asterisk is told, and its dialplan goes on. NULL passes. Before the door closes. */
void open_calls_free(struct open_calls *o);
