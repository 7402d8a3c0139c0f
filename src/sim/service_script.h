/* What a stand-in for a service says and understands, one line each:
 *
 *   say TEXT                  a spoken answer
 *   call NAME {"json":1}      a function call
 *   fail CODE                 the answer fails with this code
 *   hear TEXT                 what is written down of the caller's next turn (no answer); without TEXT: nothing was understood
 *
 * Blank lines and those that begin with # are passed over. Behind the last line the last spoken answer is repeated. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum answer_kind { ANSWER_SAY, ANSWER_CALL, ANSWER_FAIL };

struct scripted_answer {
    enum answer_kind kind;
    char *words;               /* text, name of the function, code */
    char *arguments;           /* of a call */
    int16_t *pcm;              /* 8 kHz */
    size_t samples;
    int16_t *wide;             /* 24 kHz */
    size_t wide_samples;
};

struct service_script {
    struct scripted_answer *answers;
    size_t answer_count;
    char **heard;
    size_t heard_count;
};

/* -EINVAL with *problem, -ENOMEM. */
int service_script_load(struct service_script *out, const char *name, struct text script, const char *voice, char **problem) MUST_USE;
void service_script_free(struct service_script *s);
