/* `sidetone demo`: one whole call through a real, private Asterisk, told as it happens. */
#pragma once

#include "base/err.h"

struct demo_options {
    const char *asterisk;      /* an unpacked Asterisk; NULL: only an installed one */
    const char *share;         /* handlers/ and agents/; NULL: found by itself */
    const char *record;        /* the call's WAV; NULL: in the private folder */
    const char *program;       /* this program's own path, for starting the daemon */
};

/* 0: every step really happened; 1: something did not (told on stdout), or it could not start (one line on stderr). */
int demo_run(const struct demo_options *opt);
