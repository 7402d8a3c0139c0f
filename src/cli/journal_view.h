/* What the verbs that read the journal share: opening it, times and durations as people write them, one call or fact as JSON or as a line. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "store/journal.h"

/* --db FILE, or the journal of the configuration (NULL: the default one). Says on stderr what is wrong. 0 or an exit code; *path is malloc'ed. */
int view_path(const char *verb, const char *config_path, const char *db, char **path);
int view_open(const char *verb, const char *path, struct journal_reader **out);

/* "15m", "2h", "3d" (ago), "2026-11-22", "2026-11-22 14:00[:05]" (local time). 0 or -EINVAL. */
int view_since(struct text t, int64_t now_us, int64_t *out) MUST_USE;
/* "2026-11-22 14:00:05" local; "-" for 0. */
const char *view_time(int64_t us, char *out, size_t size);
/* "4.2 s", "3:05", "1:02:03"; "-" for 0 and less. */
const char *view_span(int64_t us, char *out, size_t size);

void view_call_json(struct buf *b, const struct journal_call *c);
void view_fact_json(struct buf *b, const struct journal_fact *f);
void view_event_json(struct buf *b, const struct journal_event *e);
/* Printable, on one line: control bytes become '?'; cut at width with "..". */
const char *view_cell(const char *t, size_t width, char *out, size_t size);
