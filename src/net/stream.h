/* A two-way byte stream: an accepted TCP connection, or one that we opened (plain or TLS). Counted (base/ref.h).
 * Thread: the loop it was made on. Handlers never run from inside a call you make; the stream holds a reference to itself
 * across each handler. After stream_close or stream_abort only on_closed runs, once, and it is always the last. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "net/loop.h"

struct stream;

struct stream_handlers {
    /* Bytes as they came; borrowed for the call. The handler takes all of them: cores keep what is unfinished. */
    void (*on_data)(struct stream *s, struct text bytes, void *arg);
    /* The peer finished sending (FIN or close_notify). Writing may still work. NULL: the stream closes itself. */
    void (*on_end)(struct stream *s, void *arg);
    /* Queue fell below half its ceiling after a send was refused. May be NULL. */
    void (*on_drain)(struct stream *s, void *arg);
    /* The end: 0 after close or abort by us, or the error that ended it (-ECONNRESET, -EPIPE, -ETIMEDOUT...). */
    void (*on_closed)(struct stream *s, int err, void *arg);
};

struct stream_options {
    size_t queue_max;    /* ceiling of unsent bytes; 0 = 256 KiB */
};

/* Takes over a connected, non-blocking TCP descriptor with TCP_NODELAY (what a listener or a
 * greeter accepted has it, and what curl opened). On success the stream owns fd and *out holds one reference; on error fd stays
 * the caller's. */
int stream_adopt(struct stream **out, struct loop *l, int fd, const struct stream_options *opt,
                 const struct stream_handlers *on, void *arg) MUST_USE;
/* Exchanges the handlers; handlers of the past are not called again. */
void stream_handle(struct stream *s, const struct stream_handlers *on, void *arg);

/* All or nothing: tried at once, the remainder is queued (copied). 0, -ENOBUFS when the queue would pass its ceiling
 * (nothing was taken; wait for on_drain), -EMSGSIZE when the message alone is larger than the ceiling, -ENOMEM, -EPIPE
 * after close. A connection that breaks meanwhile still gives 0: what the peer had sent is read, then on_closed tells.
 * Several parts leave in one write. */
int stream_send(struct stream *s, const struct text *parts, size_t count) MUST_USE;
int stream_send_text(struct stream *s, struct text t) MUST_USE;
/* The same for the last bytes: our end of stream leaves right behind them (in one segment where that is possible), and nothing more
 * can be sent. Reading goes on until the peer's end, stream_close or stream_abort.
 * -EOPNOTSUPP over TLS, whose end ends reading, too. */
int stream_send_last(struct stream *s, struct text t) MUST_USE;
size_t stream_queued(const struct stream *s);

/* Confirms what has come now, not with our next bytes or after the kernel's 40 ms: for a peer that holds the rest of an answer back
 * until then (Nagle). No effect over TLS. */
void stream_confirm(struct stream *s);

/* Stops and restarts reading: back pressure onto the peer. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Sends what is queued, then FIN, then throws input away until the peer's FIN; gives up after linger_ms (on_closed gets
 * -ETIMEDOUT if bytes were lost by that, else 0). Safe to call twice. */
void stream_close(struct stream *s, int64_t linger_ms);
/* Ends now; queued bytes are lost. Safe to call twice. */
void stream_abort(struct stream *s);
/* The connection as a descriptor of the caller's, for another loop; the stream is aborted. Before anybody has said what to do with its
 * bytes (stream_handle). 0, -EOPNOTSUPP (TLS), -EMFILE... */
int stream_take_fd(struct stream *s, int *fd) MUST_USE;
/* "127.0.0.1:45678"; lives as long as the stream. */
const char *stream_peer(const struct stream *s);
struct loop *stream_loop(const struct stream *s);
