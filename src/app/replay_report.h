/* Writes what came out of one replayed session, for people or as JSON. */
#pragma once

#include <stdio.h>

#include "call/recording.h"
#include "route/player.h"

struct replay_report {
    int64_t id;
    const struct recording *rec;
    const struct tape *tape;
    const struct player *player;
    struct text notes;             /* questions that were not answered as recorded, a line each */
};

/* 1: there are differences, 0: none, or -ENOMEM, -E2BIG. */
int replay_report_print(const struct replay_report *r, bool json, FILE *out) MUST_USE;
