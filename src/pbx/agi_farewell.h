/* The last words of an AGI session: the lines that set SIDETONE_STATUS, _REASON and _CALL (and the place where the dialplan goes on),
 * and what each of their replies means. Pure: no I/O. */
#pragma once

#include "wire/agi.h"

enum { AGI_FAREWELL_VARIABLES = 3, AGI_FAREWELL_LINES = AGI_FAREWELL_VARIABLES + 3, AGI_FAREWELL_MAX = 200 /* bytes of a value */ };

enum agi_end { AGI_END_OK, AGI_END_TIMEOUT, AGI_END_BUSY, AGI_END_ERROR, AGI_END_HANGUP, AGI_END_HANDOFF };
const char *agi_end_name(enum agi_end e); /* "OK" "TIMEOUT" ... the values of SIDETONE_STATUS */

/* What becomes of a command's reply when the next command arrives too early (seen on 22.10.1). */
enum agi_answers {
    AGI_ANSWERS_ALWAYS,   /* later, or at once with result=1 (WAIT FOR DIGIT): one reply in any case */
    AGI_ANSWERS_EXEC,     /* as above; after "200 result=1" a 520 usage text may follow (res_agi.c: handle_exec) */
    AGI_ANSWERS_NEVER,    /* cut short without a word, unless its reply has just left (or it plays on: SAY was seen to, over FastAGI) */
};

enum agi_answers agi_answers_of(struct text line);

/* All zero: no farewell yet. */
struct agi_farewell {
    bool wanted;
    bool has_mset;                     /* the peer says that it is an Asterisk: MSet is part of its core, and it runs what came before our end */
    bool in_one;                       /* the line on its way sets all three variables */
    bool is_owed;                      /* a command of before still owes its reply */
    bool is_over;                      /* our end of stream left behind the last line */
    enum agi_answers owed;
    unsigned sent;
    char value[AGI_FAREWELL_VARIABLES][AGI_FAREWELL_MAX + 1];
    const char *place[AGI_FAREWELL_LINES - AGI_FAREWELL_VARIABLES]; /* borrowed; NULL: the dialplan goes on behind AGI() */
};

/* Texts are cleaned of LF, CR, NUL, and cut. */
void agi_farewell_set(struct agi_farewell *f, enum agi_end status, struct text reason, struct text call_id);
/* The environment is known, and the first line is to be sent. is_owed: a command is outstanding, which answers like that. */
void agi_farewell_begin(struct agi_farewell *f, const struct agi_env *env, bool is_owed, enum agi_answers owed);
/* Everything was sent. */
bool agi_farewell_is_sent(const struct agi_farewell *f);
/* Adds the next line, which counts as sent by that, to an initialised command. Not when all is sent. */
void agi_farewell_next(struct agi_farewell *f, struct agi_command *c);
/* Nothing will follow the line that was taken last, whatever is answered: our end of stream may leave behind it. */
bool agi_farewell_may_end(const struct agi_farewell *f);
/* Takes one reply. 1: the next line may be sent (or all is done); 0: it belonged to a command of before; -EPROTO: refused, and our
 * end of stream has left, so that it cannot be said again. */
int agi_farewell_reply(struct agi_farewell *f, const struct agi_reply *r) MUST_USE;
