/* STATE/rotation.json: when which secret was exchanged last. No part of a secret is in it. Blocking. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct rotation {
    const char *node, *door, *user;     /* door: "ami" or "ari" */
    int64_t at_us;                      /* since 1970 */
};

/* {"rotations":[{"node":"pbx1","door":"ami","user":"sidetone-tap","at":"2026-11-22T19:08:18.401Z"},...]}
 * old: what the file had; the entry of the same node, door and user is replaced, damaged content is begun anew. Pure. */
int rotation_add(struct buf *out, struct text old, const struct rotation *r) MUST_USE;
/* Each entry that is whole; others are passed over. Pure. */
void rotation_each(struct text content, void (*on_entry)(void *arg, const struct rotation *r), void *arg);
/* The same of STATE/rotation.json. 0, -ENOENT (nothing was ever exchanged), or what reading gave. */
int rotation_read(const char *state_dir, void (*on_entry)(void *arg, const struct rotation *r), void *arg) MUST_USE;
/* 0 or a negative errno. */
int rotation_write(const char *state_dir, const struct rotation *r) MUST_USE;
