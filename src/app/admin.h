/* The daemon's admin socket: state_dir/admin.sock, mode 0600, for its own user and root. A client sends one line, VERB [ARGUMENTS], and
 * gets one line of JSON back; then the connection ends. Thread: the loop that it was opened on (the control loop). */
#pragma once

#include "net/loop.h"
#include "base/text.h"

struct admin;
struct admin_request;

enum { ADMIN_LINE_MAX = 1024, ADMIN_CLIENTS_MAX = 16, ADMIN_ANSWER_MAX = 8 << 20, ADMIN_LATE_MS = 2000 };

struct admin_verb {
    const char *name;
    /* Answers now, or later by admin_answer. args: what follows the verb; borrowed. */
    void (*begin)(struct admin_request *q, struct text args, void *arg);
    /* Not answered within ADMIN_LATE_MS: answer now with what there is. NULL: an error is told. */
    void (*late)(struct admin_request *q, void *context);
    /* The request is over, answered or not: context is of no more use to it. May be NULL. */
    void (*over)(void *context);
    void *arg;
};

/* Verbs are borrowed. Errors as local_listener_open. */
int admin_open(struct admin **out, struct loop *l, const char *path, const struct admin_verb *verbs, size_t count,
               const struct log *log) MUST_USE;
/* Ends all requests (their `over` runs) and removes the socket. NULL passes. */
void admin_close(struct admin *a);

/* What a verb keeps between begin and its answer. */
void admin_context(struct admin_request *q, void *context);
/* One JSON text without LF; once for each request. `over` runs inside. */
void admin_answer(struct admin_request *q, struct text json);
/* {"error":"..."} */
void admin_refuse(struct admin_request *q, const char *why);

/* For tools, blocking: asks and gives the answer (malloc'ed, without its LF). Negative: -ENOENT and -ECONNREFUSED (no daemon),
 * -EACCES, -ETIMEDOUT, -EPROTO (it ended without an answer). */
int admin_ask(const char *path, struct text line, int64_t timeout_ms, char **answer) MUST_USE;
