/* The test caller: listens for Asterisk's AudioSocket, speaks what a script says, listens, records and stamps what it hears.
 * Nothing is passed around the microphone: its speech reaches the other side only as samples. Thread: its loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/text.h"
#include "net/listener.h"
#include "net/ticker.h"

struct sim_caller;

/* The script, one step a line; `#` comments and blank lines are skipped:
 *   wait 1500ms                 time passes
 *   wait-speech 10s             until the other side speaks (at most that long)
 *   wait-silence 700ms 20s      until it has been silent that long (at most ...)
 *   say TEXT                    synthesised in the caller's voice; the step ends with the last sample
 *   play FILE.wav               8 kHz or other rates, mono; relative to the script's folder
 *   hang-up                     ends the call by 00 00 00
 *   wait-hangup 20s             until the other side ends the call
 * A wait that runs out fails the call, with the line number. A script's end hangs up. */
struct caller_step {
    enum caller_verb { CALLER_WAIT, CALLER_WAIT_SPEECH, CALLER_WAIT_SILENCE, CALLER_SAY, CALLER_PLAY, CALLER_HANG_UP, CALLER_WAIT_HANGUP } verb;
    int64_t ms, limit_ms;
    char *text;
    unsigned line;
};

int caller_script_parse(const char *name, struct text script, struct caller_step **steps, size_t *count, char **problem) MUST_USE;
void caller_script_free(struct caller_step *steps, size_t count);

/* Stamped moments, wall clock in microseconds. */
struct caller_handlers {
    /* what: "connected" "step" "heard-start" "heard-stop" "said-start" "said-stop" "hangup" "failed"; detail: text of the step or reason.
     * For heard-* the stamp is the very sample's, not the detection's. */
    void (*on_moment)(int64_t wall_us, const char *what, const char *detail, void *arg);
    /* 0: script done; -ETIMEDOUT: a wait ran out; -ECONNRESET: ended by the other side before the script's end. */
    void (*on_done)(int err, void *arg);
};

struct caller_options {
    const struct caller_step *steps;
    size_t step_count;
    const char *voice;             /* "rms" */
    const char *record;            /* stereo WAV: said left, heard right; NULL none */
    int64_t connect_ms;            /* nobody came: -ETIMEDOUT; 0 = 30 s */
};

/* Speech is synthesised and files are loaded here, so that the call itself never waits: this may take a while.
 * 0, or an error of the listener, of the recording or of a clip (which is logged with the script's line). */

int sim_caller_open(struct sim_caller **out, struct loop *l, const struct address *at, const struct caller_options *opt,
                    const struct caller_handlers *on, void *arg, const struct log *log) MUST_USE;
/* The port in fact bound. */
void sim_caller_address(const struct sim_caller *c, struct address *out);
/* Ends whatever is under way; no handler runs any more. Not from inside on_moment; from on_done it is right. NULL passes. */
void sim_caller_close(struct sim_caller *c);
