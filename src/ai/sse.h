/* Server-sent events as chat servers send them: cuts a stream of bytes into the data of events. Pure. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

enum { SSE_EVENT_MAX = 1024 * 1024 };

struct sse {
    struct buf line;               /* unfinished */
    struct buf data;               /* of the event so far */
    bool has_data;
    bool is_stopped;               /* the handler wants no more */
};

/* data: borrowed for the call. False: no more of it. */
typedef bool sse_on_event(struct text data, void *arg);

void sse_init(struct sse *s);
void sse_free(struct sse *s);
/* 0, -EMSGSIZE (an event or a line over SSE_EVENT_MAX), -ENOMEM. Nothing more is told after an error or after on_event said so. */
int sse_feed(struct sse *s, struct text bytes, sse_on_event *on_event, void *arg) MUST_USE;
/* The stream has ended: a last event without its empty line is told, too (servers forget it). */
int sse_end(struct sse *s, sse_on_event *on_event, void *arg) MUST_USE;
