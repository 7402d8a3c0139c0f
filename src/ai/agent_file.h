/* An agent of the embedded provider: what it says, what it understands, what it does. Written in the configuration dialect:
 *
 *   [agent]
 *   greeting = Good morning, Example Company. How can I help you?
 *   voice = slt                    ; slt rms awb kal16 kal
 *   reprompt = Sorry, I did not catch that.
 *   confirm = Did you say {title}?
 *   digits_help = You can also press {digits}.
 *   no_input = Are you still there?
 *   no_input_after = 8s
 *   goodbye = Thank you for calling. Goodbye.
 *   give_up = I connect you with a colleague.
 *   accept = -2300                 ; score per second at or above: understood; see docs/agent-file.md
 *   confirm_above = -3000          ; between: ask; below: reprompt
 *   barge_in = voice, dtmf         ; or: dtmf, none
 *   barge_in_after = 120ms         ; speech this long cuts the agent off
 *
 *   [intent hours]
 *   title = our opening hours
 *   say = what are your opening hours        ; as many as wanted
 *   say = when are you open
 *   digit = 1
 *   tool = opening_hours                     ; a Lua tool; its result fills {name} in the answer
 *   args = {"day":"today"}                   ; its arguments; without: {"intent":"hours"}
 *   answer = We are open from {opens} to {closes}.
 *   failed = I cannot look that up just now.
 *   then = listen                            ; listen | hand_back | hang_up
 *   reason = hours                           ; SIDETONE_REASON for hand_back and hang_up
 *
 * Immutable once loaded; any thread may read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ai/provider.h"
#include "base/text.h"
#include "wire/conf.h"

enum agent_then { AGENT_LISTEN, AGENT_HAND_BACK, AGENT_HANG_UP };

struct agent_intent {
    struct text name, title, tool, args, answer, failed, reason;
    const struct text *phrases;    /* lower case, words and single blanks only */
    size_t phrase_count;
    char digit;                    /* 0 none */
    enum agent_then then;
    struct conf_place place;
};

struct agent_file {
    struct text greeting, voice, reprompt, confirm, digits_help, no_input, goodbye, give_up;
    int64_t no_input_ms, barge_in_ms;
    double accept, confirm_above;
    bool barge_in_voice, barge_in_dtmf;
    const struct agent_intent *intents;
    size_t intent_count;
    void *memory;
};

/* Every mistake at once: problems get file:line and one sentence each. 0, -EINVAL when there was any error (nothing in *out),
 * -ENOENT..., -ENOMEM. problem is called for each, in file order; may be NULL. A message that begins with "warning: " is no error. */
typedef void agent_on_problem(const struct conf_place *place, const char *message, void *arg);
int agent_file_load(struct agent_file **out, const char *path, agent_on_problem *problem, void *arg) MUST_USE;
void agent_file_free(struct agent_file *a);
