/* A stand-in for a Realtime service: a WebSocket server that hears with its own VAD, speaks a script with the embedded voice, knows what it
 * sent, and fails as it is told. Written from the specification. Plain ws:// on one loop; any number of sessions up to a ceiling. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/listener.h"

struct openai_server;

enum sim_fault {
    SIM_FAULT_NONE, SIM_FAULT_401, SIM_FAULT_429, SIM_FAULT_QUOTA, SIM_FAULT_500,  /* answers to the upgrade */
    SIM_FAULT_SLOW,            /* session.created only after 30 s */
    SIM_FAULT_STALL,           /* mid-word nothing more, the connection lives */
    SIM_FAULT_CLOSE,           /* mid-word close 1011 */
    SIM_FAULT_LOST,            /* mid-word the connection is gone without a close frame */
    SIM_FAULT_HALF_OPEN,       /* mid-word deaf and mute: no pong either */
    SIM_FAULT_BURST,           /* the whole answer at once, in odd pieces */
    SIM_FAULT_GARBAGE,         /* audio that is no base64 */
    SIM_FAULT_DRIFT,           /* new events, new fields, the older names of audio */
    SIM_FAULT_ALIEN,           /* fields of other types than they should have */
    SIM_FAULT_ERROR,           /* an error event in each answer */
    SIM_FAULT_FAILED,          /* response.done failed, rate_limit_exceeded */
    SIM_FAULT_NO_MONEY,        /* response.done failed, insufficient_quota */
    SIM_FAULT_EXPIRED,         /* session_expired and close 1001, mid-word */
};

/* "401" "close" ...; SIM_FAULT_NONE with *ok false for an unknown one. */
enum sim_fault sim_fault_parse(struct text name, bool *ok);
const char *sim_fault_name(size_t i);          /* NULL behind the last; i from 0 */

struct openai_server_options {
    struct text script;        /* absent: a built-in one; see openai_script.h */
    const char *script_name;
    const char *voice;         /* "slt" */
    enum sim_fault fault;
    unsigned fault_count;      /* sessions that have it, the first ones; 0: all */
    unsigned speed;            /* times real time that audio leaves at; 0 = 4 */
    const char *key;           /* the right one; NULL: any */
};

/* what: "session" "refused" "complaint" "heard" "answer" "audio" "truncated" "deleted" "tool" "closed"; detail: a JSON object. */
typedef void openai_server_on_moment(const char *what, struct text detail, void *arg);

/* Synthesises the script's sentences first: may take a while. problem: malloc'ed, of a script that cannot be read (-EINVAL). */
int openai_server_open(struct openai_server **out, struct loop *l, const struct address *at, const struct openai_server_options *opt,
                       openai_server_on_moment *on_moment, void *arg, char **problem) MUST_USE;
void openai_server_address(const struct openai_server *s, struct address *out);
/* Ends all sessions; no handler runs any more. */
void openai_server_close(struct openai_server *s);
