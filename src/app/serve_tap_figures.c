/* Brings the figures of tap, writer and sinks into the registry, when it is printed. */
#include "app/serve_tap_figures.h"

#include <errno.h>
#include <stdlib.h>

#include "app/serve_tap.h"

enum figure {
    CONNECTED, CONNECTS, EVENTS, FORGED, CUT, GAPS, LOST, LATE, DEPTH, LAG, OFFSET, FILTERS, STORED, FACTS, OPEN_CALLS, FAILURES,
    SINK_DEPTH, SINK_DELIVERED, SINK_RETRIES, SINK_DEAD, SINK_FAILING, SINK_LAG, FIGURES
};

static const struct {
    enum metric_kind kind;
    const char *name, *help, *labels;
} table[FIGURES] = {
    [CONNECTED] = { METRIC_GAUGE, "sidetone_ami_connected", "1: the tap's session is logged in.", "node" },
    [CONNECTS] = { METRIC_COUNTER, "sidetone_ami_connects_total", "Logins of the tap.", "node" },
    [EVENTS] = { METRIC_COUNTER, "sidetone_ami_events_total", "Events that are stored, by name.", "node,event" },
    [FORGED] = { METRIC_COUNTER, "sidetone_ami_forged_total", "Blocks in the stream that Asterisk did not write: somebody broke in.", "node" },
    [CUT] = { METRIC_COUNTER, "sidetone_ami_cut_total", "Events over the ceiling of 1 MiB, of which a part is missing.", "node" },
    [GAPS] = { METRIC_COUNTER, "sidetone_ami_gaps_total", "Gaps in the node's events since the start.", "node" },
    [LOST] = { METRIC_COUNTER, "sidetone_ami_lost_total", "Events that found the queue full.", "node" },
    [LATE] = { METRIC_COUNTER, "sidetone_ami_late_total", "Events that came behind younger ones of other nodes.", "node" },
    [DEPTH] = { METRIC_GAUGE, "sidetone_ami_queue_depth", "Events that wait for the writer.", "node" },
    [LAG] = { METRIC_GAUGE, "sidetone_ami_event_lag_seconds", "From Asterisk's time stamp, by our clock, to the disk; absent without time stamps.", "node,quantile" },
    [OFFSET] = { METRIC_GAUGE, "sidetone_ami_clock_offset_seconds", "The node's clock less ours, as estimated.", "node" },
    [FILTERS] = { METRIC_GAUGE, "sidetone_ami_filters_hold", "0: an event came that ami_filter should have kept away.", "node" },
    [STORED] = { METRIC_COUNTER, "sidetone_tap_events_stored_total", "Events in committed batches.", NULL },
    [FACTS] = { METRIC_COUNTER, "sidetone_tap_facts_stored_total", "Facts in committed batches.", NULL },
    [OPEN_CALLS] = { METRIC_GAUGE, "sidetone_tap_calls_open", "Calls that the tap sees running.", NULL },
    [FAILURES] = { METRIC_COUNTER, "sidetone_tap_write_failures_total", "Batches that the disk refused; they are tried again.", NULL },
    [SINK_DEPTH] = { METRIC_GAUGE, "sidetone_sink_queue_depth", "Rows of tap.db that the sink has not delivered.", "sink" },
    [SINK_DELIVERED] = { METRIC_COUNTER, "sidetone_sink_delivered_total", "Rows delivered.", "sink" },
    [SINK_RETRIES] = { METRIC_COUNTER, "sidetone_sink_retries_total", "Batches that were tried again.", "sink" },
    [SINK_DEAD] = { METRIC_COUNTER, "sidetone_sink_dead_total", "Rows on the dead-letter list.", "sink" },
    [SINK_FAILING] = { METRIC_GAUGE, "sidetone_sink_failing", "1: the last batch did not go through.", "sink" },
    [SINK_LAG] = { METRIC_GAUGE, "sidetone_sink_lag_seconds", "Age of the oldest row that is not delivered.", "sink" },
};

struct serve_tap_figures {
    struct metrics *metrics;
    const struct serve_tap *tap;
    struct tap_writer *writer;
    struct metric *of[FIGURES];
};

struct event_place {
    struct serve_tap_figures *f;
    const char *node;
};

static void on_event_count(struct text name, uint64_t count, void *arg)
{
    const struct event_place *p = arg;
    char label[80];

    (void)text_copy(label, sizeof label, name);
    series_set(metric_series(p->f->of[EVENTS], p->node, label, NULL), (int64_t)count);
}

static void set(struct serve_tap_figures *f, enum figure k, const char *label, uint64_t value)
{
    series_set(metric_series(f->of[k], label, NULL, NULL), (int64_t)value);
}

static void set_seconds(struct serve_tap_figures *f, enum figure k, const char *label, const char *more, int64_t us)
{
    series_set_real(metric_series(f->of[k], label, more, NULL), (double)us / 1e6);
}

static void refresh_node(struct serve_tap_figures *f, uint32_t i, const struct serve_tap_node *n)
{
    struct event_place place = { f, n->name };

    set(f, CONNECTED, n->name, n->session.is_up);
    set(f, CONNECTS, n->name, n->session.connects);
    set(f, FORGED, n->name, n->session.forged);
    set(f, CUT, n->name, n->session.cut);
    set(f, FILTERS, n->name, n->session.filters_hold);
    set(f, GAPS, n->name, n->writer.gaps);
    set(f, LOST, n->name, n->writer.lost);
    set(f, LATE, n->name, n->writer.late);
    set(f, DEPTH, n->name, n->writer.queued);
    if (n->writer.lag_p99_us >= 0) {
        set_seconds(f, LAG, n->name, "0.5", n->writer.lag_p50_us);
        set_seconds(f, LAG, n->name, "0.99", n->writer.lag_p99_us);
    }
    if (n->writer.clock.is_known)
        set_seconds(f, OFFSET, n->name, NULL, n->writer.clock.offset_us);
    tap_writer_event_counts(f->writer, i, on_event_count, &place);
}

static void refresh(void *arg)
{
    struct serve_tap_figures *f = arg;
    struct tap_writer_figures w;
    struct serve_tap_node n;
    struct serve_tap_sink k;

    for (uint32_t i = 0; serve_tap_node_at(f->tap, i, &n); i++)
        refresh_node(f, i, &n);
    tap_writer_figures_of(f->writer, &w);
    set(f, STORED, NULL, w.events);
    set(f, FACTS, NULL, w.facts);
    set(f, OPEN_CALLS, NULL, w.open_calls);
    set(f, FAILURES, NULL, w.failures);
    for (size_t i = 0; serve_tap_sink_at(f->tap, i, &k); i++) {
        set(f, SINK_DEPTH, k.name, k.figures.queue_depth);
        set(f, SINK_DELIVERED, k.name, k.figures.delivered);
        set(f, SINK_RETRIES, k.name, k.figures.retries);
        set(f, SINK_DEAD, k.name, k.figures.dead);
        set(f, SINK_FAILING, k.name, k.figures.is_failing);
        set_seconds(f, SINK_LAG, k.name, NULL, k.figures.lag_us);
    }
}

int serve_tap_figures_open(struct serve_tap_figures **out, struct metrics *m, const struct serve_tap *t, struct tap_writer *w)
{
    struct serve_tap_figures *f = calloc(1, sizeof *f);
    int err = f ? 0 : -ENOMEM;

    if (!f)
        return err;
    *f = (struct serve_tap_figures){ .metrics = m, .tap = t, .writer = w };
    for (size_t i = 0; !err && i < FIGURES; i++)
        err = metrics_add(&f->of[i], m, table[i].kind, table[i].name, table[i].help, table[i].labels);
    if (!err)
        err = metrics_on_print(m, refresh, f);
    if (err)
        free(f);
    else
        *out = f;
    return err;
}

void serve_tap_figures_close(struct serve_tap_figures *f)
{
    if (f)
        metrics_off_print(f->metrics, f);
    free(f);
}
