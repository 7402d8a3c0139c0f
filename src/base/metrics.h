/* The program's figures under the names that outsiders see: counters, gauges and histograms with bounded labels, printed in Prometheus' text format.
 * Register at start (locks); count from any thread without a lock. A registry is a value: a test can own two. Labels never hold a call, channel or number. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hist.h"

struct metrics;
struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_LABELS_MAX = 3, METRIC_SERIES_MAX = 512 };

int metrics_new(struct metrics **out) MUST_USE;
void metrics_free(struct metrics *m);
/* labels: "route", "node,event" or NULL. Histogram values are microseconds, printed in seconds over fixed buckets 0.0005 .. 60. Names and help are static texts. */
int metrics_add(struct metric **out, struct metrics *m, enum metric_kind kind, const char *name, const char *help, const char *labels) MUST_USE;

/* One series of a metric, made at the first asking (locks): keep the pointer. Beyond METRIC_SERIES_MAX all share one series whose labels are "other". Never NULL
 * once metrics_add has given the metric. */
struct series;
struct series *metric_series(struct metric *m, const char *label1, const char *label2, const char *label3);
void series_add(struct series *s, int64_t n);           /* counter, gauge */
void series_set(struct series *s, int64_t v);           /* gauge */
void series_set_real(struct series *s, double v);       /* gauge */
void series_observe(struct series *s, int64_t us);      /* histogram */
void series_load(struct series *s, const struct hist *h); /* histogram: in place of what it held; for who keeps a hist of microseconds */

/* For figures that somebody else keeps: runs before each print, on the printing thread. */
int metrics_on_print(struct metrics *m, void (*refresh)(void *arg), void *arg) MUST_USE;
void metrics_off_print(struct metrics *m, void *arg);
/* The whole exposition, "# HELP", "# TYPE" and series in order of registration. */
int metrics_print(struct metrics *m, struct buf *out) MUST_USE;
