/* Plays Asterisk from a tape to another implementation: environment, then for each command the reply that the tape has for it.
 * No channel and no network are touched: both ends are in this process. Thread: its loop. Handlers never run from inside a call.
 *
 * A command that stands next on the tape gets its reply. Any other gets the reply to the same command further on, else earlier, else,
 * when its reply tells nothing (SET VARIABLE, VERBOSE, NOOP ...), the usual one; else the play stops there. On a tape that still grows
 * the player waits for what the live session does next. */
#pragma once

#include "pbx/agi_session.h"
#include "route/script.h"
#include "route/tape.h"

struct player;

/* Whatever can hold an AGI session: begins it, and calls on_done once, when the session is closed. 0, or an error: then no on_done. */
struct player_actor {
    int (*begin)(void *arg, struct agi_session *session, struct text call, script_on_done *on_done, void *done_arg);
    void *arg;
};

enum player_how { PLAYER_NEXT, PLAYER_LATER, PLAYER_EARLIER, PLAYER_USUAL, PLAYER_NONE };

struct player_step {
    struct text line;              /* what the actor asked */
    enum player_how how;
    size_t answered_by;            /* command of the tape, from 0; for NEXT, LATER, EARLIER */
};

/* on_end: once, last; then the player may be freed, also from inside. The tape is held. */
int player_new(struct player **out, struct loop *l, struct tape *tape, const struct player_actor *actor, const struct log *log,
               void (*on_end)(struct player *p, void *arg), void *arg) MUST_USE;
/* Ends early; on_end follows. */
void player_stop(struct player *p);
/* After on_end. */
void player_free(struct player *p);

size_t player_steps(const struct player *p);
struct player_step player_step(const struct player *p, size_t i);
/* The actor's end. reached_end: the tape could not answer any further, or had no more to say, so the status says nothing. */
enum agi_end player_status(const struct player *p, struct text *reason);
bool player_was_stopped(const struct player *p);
/* The tape's commands, as an array for compare_commands; malloc'ed, texts borrowed from the tape. */
struct text *tape_command_list(const struct tape *t, size_t *count);
struct text *player_command_list(const struct player *p, size_t *count);
