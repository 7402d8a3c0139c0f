/* One FastAGI connection: environment in, one command at a time out, replies in, and always an orderly end.
 * Thread: the loop of its stream. Counted. Handlers never run from inside a call you make; on_closed is last, once.
 * Facts honoured (Asterisk 22.10.1): LF only; one whole line in one write; HANGUP is a flag and may come twice; after it only
 * some commands work (511); Asterisk waits for ever, so every wait here has a deadline. */
#pragma once

#include <stdbool.h>

#include "net/stream.h"
#include "pbx/agi_carrier.h"
#include "pbx/agi_farewell.h"
#include "wire/agi.h"

struct agi_session;

struct agi_session_options {
    int64_t env_ms;        /* whole environment within: 0 = 2000 */
    int64_t reply_ms;      /* longest wait for one reply: 0 = 60,000 */
    int64_t finish_ms;     /* for setting the status variables at the end: 0 = 1000 */
};

struct agi_session_handlers {
    void (*on_ready)(struct agi_session *s, void *arg);                 /* environment complete */
    /* Answers the last agi_session_send. err 0 and a reply; -ETIMEDOUT; -EPIPE when the connection ended first.
     * latency_us: from our write to the reply's end. */
    void (*on_reply)(struct agi_session *s, int err, const struct agi_reply *r, int64_t latency_us, void *arg);
    void (*on_hangup)(struct agi_session *s, void *arg);                /* first HANGUP only */
    /* err 0: we finished, or the peer left in order. -EPROTO, -ETIMEDOUT, -ECONNRESET...; why: one sentence or NULL. */
    void (*on_closed)(struct agi_session *s, int err, const char *why, void *arg);
    /* Lines beside the answers, for who passes on every byte: "100 ... Trying", the usage text behind an EXEC, strays. May be NULL. */
    void (*on_aside)(struct agi_session *s, const struct agi_reply *r, void *arg);
};

/* Who looks on without a say: the flight recorder and the shadow. Called before the owner's handler; must not call the session.
 * The farewell (SIDETONE_STATUS...) is not told: it follows from how the owner ended. Members may be NULL. */
struct agi_session_watcher {
    void (*on_command)(struct text line, void *arg);              /* taken by the stream; without its LF */
    void (*on_reply)(int err, const struct agi_reply *r, int64_t latency_us, void *arg); /* as the owner gets it */
    void (*on_hangup)(void *arg);                                 /* every HANGUP line */
};

/* Takes the reference to stream that the listener gave; on error it stays the caller's. *on is copied. */
int agi_session_new(struct agi_session **out, struct stream *stream, const struct agi_session_options *opt,
                    const struct agi_session_handlers *on, void *arg, const struct log *log) MUST_USE;
/* Over another carrier than a stream; the session releases it at its end. */
int agi_session_over(struct agi_session **out, struct agi_carrier *carrier, const struct agi_session_options *opt,
                     const struct agi_session_handlers *on, void *arg, const struct log *log) MUST_USE;
/* Exchanges the handlers: who reads the environment is not always who holds the conversation. Past handlers are not called again. */
void agi_session_handle(struct agi_session *s, const struct agi_session_handlers *on, void *arg);
/* One watcher a session; *watcher outlives it, and so does arg. NULL: nobody looks on any more. */
void agi_session_watch(struct agi_session *s, const struct agi_session_watcher *watcher, void *arg);
const struct agi_env *agi_session_env(const struct agi_session *s);
bool agi_session_is_dead(const struct agi_session *s);    /* hung up, or started on a dead channel (agi_extension: h) */
bool agi_session_is_busy(const struct agi_session *s);    /* a command waits for its reply */
/* 0; -EBUSY while one is outstanding; -EPIPE when closing or closed; -EMSGSIZE beyond agi_session_line_max; the command's own error. */
int agi_session_send(struct agi_session *s, struct agi_command *c) MUST_USE;
/* Where the dialplan goes on after agi_session_finish (SET CONTEXT, EXTENSION, PRIORITY). Before finish; the texts
 * outlive the session. */
void agi_session_place(struct agi_session *s, const char *context, const char *extension, const char *priority);
/* Longest wait for one reply from now on; 0 = 60,000. */
void agi_session_reply_limit(struct agi_session *s, int64_t reply_ms);
/* Ends the session: sets SIDETONE_STATUS, SIDETONE_REASON and SIDETONE_CALL (texts are cleaned of LF, CR, NUL, and cut at
 * 200 bytes), then closes. Allowed while a command is outstanding: an interruptible one is thereby cut short. Before the
 * environment is complete it waits for that. From now on only on_closed runs. Safe to call twice: the first counts. */
void agi_session_finish(struct agi_session *s, enum agi_end status, struct text reason, struct text call_id);
/* Ends without a word (before the environment, nonsense on the wire); only on_closed runs. */
void agi_session_abort(struct agi_session *s);
const char *agi_session_peer(const struct agi_session *s);
size_t agi_session_line_max(const struct agi_session *s);   /* 8190 over FastAGI, less in AsyncAGI */
