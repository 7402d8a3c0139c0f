/* Findings that are known and accepted, as a text: a line each. Pure; a finding is in it by its fingerprint, so it may move within its file. */
#pragma once

#include "audit/audit.h"
#include "audit/source.h"
#include "base/buf.h"

/* The first line of such a file. */
#define BASELINE_HEAD "; sidetone audit baseline 1"

struct baseline_entry {
    const char *fingerprint, *code, *file, *message;
    size_t count, met;             /* how many findings it stands for, and how many there were */
    unsigned line;                 /* of the text */
};

struct baseline {
    struct baseline_entry *entries; /* by fingerprint */
    size_t count;
};

enum { BASELINE_BYTES_MAX = 64 << 20 };

/* Is the text the beginning of a baseline? */
bool baseline_is_one(struct text t);
/* Memory is the arena's. 0, -ENOMEM, or -EINVAL: *bad_line is the first line that cannot be read (1: no baseline at all). */
int baseline_read(struct baseline *out, struct arena *memory, struct text t, unsigned *bad_line) MUST_USE;
/* Silences what is in it ("baseline"), as many of each as it says, and counts. 0 or -ENOMEM. */
int baseline_apply(struct baseline *b, struct audit *a, struct source *s) MUST_USE;
/* Did the auditor look for it and find it less often than it says? only: the one rule that ran; NULL: all did. */
bool baseline_is_stale(const struct baseline_entry *e, const char *only);
/* Of all findings that no comment silences. *entries: how many lines. 0 or out's sticky error, or -ENOMEM. */
int baseline_write(struct buf *out, const struct audit *a, struct source *s, size_t *entries) MUST_USE;
