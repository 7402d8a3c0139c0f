/* A tool that is a request to a service: read from its [tool NAME] section at start, sent from any call loop. */
#pragma once

#include "app/config.h"
#include "call/tools.h"
#include "net/dialer.h"

struct tool_http;
struct tool_http_run;

/* schema: of its arguments, outlives it; NULL: it has none. -EINVAL with one sentence in why, -ENOMEM. */
int tool_http_new(struct tool_http **out, const struct config_tool_section *from, const struct schema *schema, char *why, size_t size) MUST_USE;
void tool_http_free(struct tool_http *t); /* NULL passes; wipes the secret */

/* Loop thread. An answer of 2xx that is a JSON object is the result as it is; another value comes as {"value":...}, text as {"text":...}.
 * Every other answer is an error with one sentence. on_result: as in call/tools.h. 0, -ENOMEM. */
int tool_http_start(struct tool_http_run **out, const struct tool_http *t, struct loop *l, struct dialer *d, struct text args, int64_t deadline_ms,
                    tool_on_result *on_result, void *arg) MUST_USE;
void tool_http_stop(struct tool_http_run *r); /* before on_result only */
