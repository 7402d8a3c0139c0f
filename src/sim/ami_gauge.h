/* Reads an AMI event stream as the tap does (wire/ami.h, tap/event.h), on the calling thread with a blocking socket, and measures. For tools only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hist.h"
#include "net/listener.h"

struct ami_gauge_options {
    struct address target;
    const char *user, *secret;
    bool is_plain;              /* logs in with the secret itself */
    bool takes_lag;             /* looks at the clock for each event */
    int64_t patience_ms;        /* longest silence; 0 = 10,000 */
};

struct ami_gauge_result {
    uint64_t events, fields, bytes, forged, cut, suspect;
    bool saw_shutdown;          /* the stream ended as it should */
    double seconds;             /* from the first byte behind the login to the end */
    int64_t cpu_us;             /* of this thread, meanwhile */
    struct hist lag_us;         /* from the Timestamp to the typed event */
};

/* Until the other side ends it. 0, -EACCES (login refused), -ETIMEDOUT (silence), -EPROTO, or the network's error. */
int ami_gauge_run(const struct ami_gauge_options *opt, struct ami_gauge_result *out) MUST_USE;
