/* What the caller will say: samples made ready before the call starts. Blocking: for tools. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct caller_clip {
    int16_t *pcm; /* 8 kHz */
    size_t n;
    size_t first_loud, last_loud; /* where its sound begins and ends, for the stamps */
};

/* 0, or -EINVAL (no such voice), -ENOMEM... */
int caller_clip_say(struct caller_clip *out, const char *voice, const char *words) MUST_USE;
/* A mono WAV of any rate. 0, -ENOENT..., -EBADMSG (not such a WAV). */
int caller_clip_load(struct caller_clip *out, const char *path) MUST_USE;
void caller_clip_free(struct caller_clip *c);
