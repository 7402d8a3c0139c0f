/* Counts for the outside: names, labels, lock-free adding, and the text that Prometheus reads. */
#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 64, BUCKETS = 16, REFRESHES_MAX = 32 };

static const int64_t bucket_us[BUCKETS] = { 500,    1000,   2500,   5000,    10000,   25000,   50000,    100000,
                                            250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000 };

struct series {
    struct series *next;
    enum metric_kind kind;
    char labels[METRIC_LABELS_MAX][LABEL_MAX];
    /* Counter and whole gauge; the number of a histogram's observations. */
    atomic_int_fast64_t value;
    atomic_uint_fast64_t real;          /* bits of a double: a gauge that series_set_real has set */
    atomic_bool is_real;
    atomic_uint_fast64_t sum_us, buckets[BUCKETS];
};

struct metric {
    struct metric *next;
    struct metrics *owner;
    enum metric_kind kind;
    const char *name, *help;
    struct text label_names[METRIC_LABELS_MAX];
    size_t label_count, series_count;
    struct series *first, *last;
    struct series other;                /* beyond the ceiling, or without memory: nothing is lost, only its label */
    bool uses_other;
};

struct metrics {
    pthread_mutex_t lock;
    struct metric *first, *last;
    struct refresh {
        void (*fn)(void *arg);
        void *arg;
    } refreshes[REFRESHES_MAX];
    size_t refresh_count;
};

int metrics_new(struct metrics **out)
{
    struct metrics *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    pthread_mutex_init(&m->lock, NULL);
    *out = m;
    return 0;
}

static void metric_free(struct metric *k)
{
    for (struct series *s = k->first, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(k);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (struct metric *k = m->first, *next; k; k = next) {
        next = k->next;
        metric_free(k);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int metrics_add(struct metric **out, struct metrics *m, enum metric_kind kind, const char *name, const char *help, const char *labels)
{
    struct metric *k = calloc(1, sizeof *k);
    struct text rest = text_of(labels), label;

    if (!k)
        return -ENOMEM;
    *k = (struct metric){ .owner = m, .kind = kind, .name = name, .help = help, .other = { .kind = kind } };
    while (k->label_count < METRIC_LABELS_MAX && text_cut(&rest, ',', &label)) {
        text_copy(k->other.labels[k->label_count], LABEL_MAX, TEXT("other"));
        k->label_names[k->label_count++] = label;
    }
    pthread_mutex_lock(&m->lock);
    *(m->last ? &m->last->next : &m->first) = k;
    m->last = k;
    pthread_mutex_unlock(&m->lock);
    *out = k;
    return 0;
}

/* ---- series ---- */

static bool is_of(const struct metric *k, const struct series *s, const char *const *labels)
{
    for (size_t i = 0; i < k->label_count; i++)
        if (strncmp(s->labels[i], labels[i] ? labels[i] : "", LABEL_MAX - 1) != 0)
            return false;
    return true;
}

static struct series *series_make(struct metric *k, const char *const *labels)
{
    struct series *s = k->series_count < METRIC_SERIES_MAX ? calloc(1, sizeof *s) : NULL;

    if (!s) {
        k->uses_other = true;
        return &k->other;
    }
    s->kind = k->kind;
    for (size_t i = 0; i < k->label_count; i++)
        text_copy(s->labels[i], LABEL_MAX, labels[i] ? text_of(labels[i]) : TEXT(""));
    *(k->last ? &k->last->next : &k->first) = s;
    k->last = s;
    k->series_count++;
    return s;
}

struct series *metric_series(struct metric *m, const char *label1, const char *label2, const char *label3)
{
    const char *const labels[METRIC_LABELS_MAX] = { label1, label2, label3 };
    struct series *s;

    pthread_mutex_lock(&m->owner->lock);
    for (s = m->first; s && !is_of(m, s, labels); s = s->next)
        ;
    if (!s)
        s = series_make(m, labels);
    pthread_mutex_unlock(&m->owner->lock);
    return s;
}

void series_add(struct series *s, int64_t n)
{
    atomic_fetch_add_explicit(&s->value, n, memory_order_relaxed);
}

void series_set(struct series *s, int64_t v)
{
    atomic_store_explicit(&s->value, v, memory_order_relaxed);
    atomic_store_explicit(&s->is_real, false, memory_order_relaxed);
}

void series_set_real(struct series *s, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    atomic_store_explicit(&s->real, bits, memory_order_relaxed);
    atomic_store_explicit(&s->is_real, true, memory_order_relaxed);
}

void series_observe(struct series *s, int64_t us)
{
    size_t i = 0;

    us = us < 0 ? 0 : us;
    while (i < BUCKETS && us > bucket_us[i])
        i++;
    if (i < BUCKETS)
        atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->sum_us, (uint64_t)us, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->value, 1, memory_order_relaxed);
}

void series_load(struct series *s, const struct hist *h)
{
    uint64_t below = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        const uint64_t upto = hist_count_to(h, (uint64_t)bucket_us[i]);

        atomic_store_explicit(&s->buckets[i], upto - below, memory_order_relaxed);
        below = upto;
    }
    atomic_store_explicit(&s->sum_us, h->sum, memory_order_relaxed);
    atomic_store_explicit(&s->value, (int64_t)h->count, memory_order_relaxed);
}

/* ---- printing ---- */

/* A label's value: backslash, quote and line feed are escaped (Prometheus' text format 0.0.4); other control bytes become '?'. */
static void add_label_value(struct buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_addf(out, "\\%c", *value);
        else if (*value == '\n')
            buf_add_text(out, TEXT("\\n"));
        else
            buf_add_char(out, (unsigned char)*value < 0x20 ? '?' : *value);
    }
}

static void add_labels(struct buf *out, const struct metric *k, const struct series *s, const char *le)
{
    const char *before = "{";

    for (size_t i = 0; i < k->label_count; i++, before = ",") {
        buf_addf(out, "%s%.*s=\"", before, TEXT_ARG(k->label_names[i]));
        add_label_value(out, s->labels[i]);
        buf_add_char(out, '"');
    }
    if (le) {
        buf_addf(out, "%sle=\"%s\"", before, le);
        before = ",";
    }
    if (*before == ',')
        buf_add_char(out, '}');
}

static void add_number(struct buf *out, const struct series *s)
{
    const uint64_t bits = atomic_load_explicit(&s->real, memory_order_relaxed);
    double v;

    if (!atomic_load_explicit(&s->is_real, memory_order_relaxed)) {
        buf_addf(out, " %" PRIdFAST64 "\n", atomic_load_explicit(&s->value, memory_order_relaxed));
        return;
    }
    memcpy(&v, &bits, sizeof v);
    if (isfinite(v))
        buf_addf(out, " %.9g\n", v);
    else
        buf_addf(out, " %s\n", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
}

/* The count is what the buckets add up to at this reading, or more: a reader must never see a bucket over the count. */
static void print_histogram(struct buf *out, const struct metric *k, const struct series *s)
{
    uint64_t below = 0, count;
    char le[24];

    for (size_t i = 0; i < BUCKETS; i++) {
        below += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        snprintf(le, sizeof le, "%g", (double)bucket_us[i] / 1e6);
        buf_addf(out, "%s_bucket", k->name);
        add_labels(out, k, s, le);
        buf_addf(out, " %" PRIu64 "\n", below);
    }
    count = (uint64_t)atomic_load_explicit(&s->value, memory_order_relaxed);
    count = count < below ? below : count;
    buf_addf(out, "%s_bucket", k->name);
    add_labels(out, k, s, "+Inf");
    buf_addf(out, " %" PRIu64 "\n%s_sum", count, k->name);
    add_labels(out, k, s, NULL);
    buf_addf(out, " %.6f\n%s_count", (double)atomic_load_explicit(&s->sum_us, memory_order_relaxed) / 1e6, k->name);
    add_labels(out, k, s, NULL);
    buf_addf(out, " %" PRIu64 "\n", count);
}

static void print_series(struct buf *out, const struct metric *k, const struct series *s)
{
    if (k->kind == METRIC_HISTOGRAM) {
        print_histogram(out, k, s);
        return;
    }
    buf_add_text(out, text_of(k->name));
    add_labels(out, k, s, NULL);
    add_number(out, s);
}

static void print_metric(struct buf *out, const struct metric *k)
{
    static const char *const kinds[] = { [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram" };

    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", k->name, k->help, k->name, kinds[k->kind]);
    for (const struct series *s = k->first; s; s = s->next)
        print_series(out, k, s);
    if (k->uses_other)
        print_series(out, k, &k->other);
}

int metrics_on_print(struct metrics *m, void (*refresh)(void *arg), void *arg)
{
    int err = -ENOBUFS;

    pthread_mutex_lock(&m->lock);
    if (m->refresh_count < REFRESHES_MAX) {
        m->refreshes[m->refresh_count++] = (struct refresh){ refresh, arg };
        err = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return err;
}

void metrics_off_print(struct metrics *m, void *arg)
{
    size_t kept = 0;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->refresh_count; i++)
        if (m->refreshes[i].arg != arg)
            m->refreshes[kept++] = m->refreshes[i];
    m->refresh_count = kept;
    pthread_mutex_unlock(&m->lock);
}

/* What refreshes calls metric_series, which locks: so they run before the lock is taken. */
int metrics_print(struct metrics *m, struct buf *out)
{
    struct refresh now[REFRESHES_MAX];
    size_t count;

    pthread_mutex_lock(&m->lock);
    count = m->refresh_count;
    memcpy(now, m->refreshes, count * sizeof *now);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < count; i++)
        now[i].fn(now[i].arg);
    pthread_mutex_lock(&m->lock);
    for (const struct metric *k = m->first; k; k = k->next)
        print_metric(out, k);
    pthread_mutex_unlock(&m->lock);
    return out->err;
}
