/* Tapes by hand, handlers from text, and a loop: for the tests of the player and the shadow. Include after cmocka.h. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ref.h"
#include "route/player.h"
#include "turn.h"

struct stage {
    struct loop *loop;
    struct log_sink sink;
    struct log log;
    char dir[64], path[8][128];
    unsigned files;
};

static inline void stage_open(struct stage *g)
{
    memset(g, 0, sizeof *g);
    snprintf(g->dir, sizeof g->dir, "/tmp/sidetone-tape-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    g->sink = (struct log_sink){ .fd = 2, .level = LOG_OFF };
    g->log = (struct log){ .sink = &g->sink, .module = "test" };
    assert_int_equal(loop_new(&g->loop, &g->log), 0);
}

static inline void stage_close(struct stage *g)
{
    loop_free(g->loop);
    for (unsigned i = 0; i < g->files; i++)
        unlink(g->path[i]);
    assert_int_equal(rmdir(g->dir), 0);
}

static inline const char *stage_file(struct stage *g, const char *source)
{
    char *path = g->path[g->files++];
    FILE *f;

    snprintf(path, sizeof g->path[0], "%s/h%u.lua", g->dir, g->files);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(source, f);
    fclose(f);
    return path;
}

/* A tape with an environment; then pairs of command and reply until NULL. A reply "-" is none, "HANGUP" as command is a hang-up. */
static inline struct tape *tape_of(const char *const *pairs)
{
    struct tape *t = tape_new(0);
    int64_t us = 1;

    assert_non_null(t);
    tape_add(t, TAPE_ENV, 0, TEXT("agi_network: yes"));
    tape_add(t, TAPE_ENV, 0, TEXT("agi_callerid: 1001"));
    tape_add(t, TAPE_ENV, 0, TEXT("agi_uniqueid: 17.1"));
    for (; pairs && *pairs; us += 2) {
        if (!strcmp(*pairs, "HANGUP")) {
            tape_add(t, TAPE_HANGUP, us, TEXT(""));
            pairs++;
            continue;
        }
        tape_add(t, TAPE_COMMAND, us, text_of(pairs[0]));
        tape_add(t, strcmp(pairs[1], "-") ? TAPE_REPLY : TAPE_NO_REPLY, us + 1, strcmp(pairs[1], "-") ? text_of(pairs[1]) : TEXT(""));
        pairs += 2;
    }
    return t;
}
