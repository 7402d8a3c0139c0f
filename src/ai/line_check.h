/* Two agents for checks of the line, and for tests; no service, no model, no file.
 *   echo    the caller hears himself, a moment later
 *   record  a beep, then it listens; after some silence, `#` or the longest time the caller hears what was taken, and the call goes on
 * `#` ends either with the wish to hand back. */
#pragma once

#include "ai/provider.h"
#include "net/loop.h"

struct line_check_options {
    unsigned rate_hz;              /* 0 = 8000 */
    int64_t delay_ms;              /* echo: from mouth to ear, beside the leg's own; 0 = 40, 1000 at most */
    int64_t longest_ms;            /* record: 0 = 20 s, 60 s at most */
    int64_t silence_ms;            /* record: that ends it once something was said; 0 = 2 s */
};

int echo_new(struct provider **out, struct loop *l, const struct line_check_options *opt, const struct log *log) MUST_USE;
int record_new(struct provider **out, struct loop *l, const struct line_check_options *opt, const struct log *log) MUST_USE;
