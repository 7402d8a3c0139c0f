/* The Kafka sink (built with -Dkafka=true): each row a message keyed by its call, delivered when every broker's report is in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "sink/sink_parts.h"

enum { BAD_NONE = -1 };

struct kafka {
    const struct sink_settings *set;
    struct log log;
    const char *topic;
    rd_kafka_t *producer;       /* NULL: to be made */
    char *why;                  /* of the delivery under way */
    size_t why_size;
    size_t waiting;
    long bad;                   /* index of a row that is too long, or BAD_NONE */
    bool has_failed;
    struct buf text, key;
};

/* Runs within rd_kafka_poll only: on the sink's thread. */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    struct kafka *d = arg;

    (void)rk;
    if (d->waiting > 0)
        d->waiting--;
    if (!m->err)
        return;
    if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        d->bad = (long)(intptr_t)m->_private;
    if (!d->has_failed && d->why)
        snprintf(d->why, d->why_size, "Kafka: %s", rd_kafka_err2str(m->err));
    d->has_failed = true;
}

/* librdkafka would write to stderr. What matters comes with the reports. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *words)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)words;
}

static bool set_one(rd_kafka_conf_t *c, const char *name, const char *value, char *why, size_t why_size)
{
    return !value || rd_kafka_conf_set(c, name, value, why, why_size) == RD_KAFKA_CONF_OK;
}

/* All settings, or what is wrong. TLS unless the url says plain (kafka://host:port): a bare host:port is plain, as config says. */
static rd_kafka_conf_t *settings_of(const struct kafka *d, char *why, size_t why_size)
{
    const struct sink_settings *set = d->set;
    const bool is_tls = strncmp(set->url, "tls://", 6) == 0;
    const char *const brokers = is_tls ? set->url + 6 : strncmp(set->url, "kafka://", 8) == 0 ? set->url + 8 : set->url;
    const char *const protocol = set->secret ? is_tls ? "SASL_SSL" : "SASL_PLAINTEXT" : is_tls ? "SSL" : "PLAINTEXT";
    char timeout[24];
    const struct { const char *name, *value; } all[] = {
        { "bootstrap.servers", brokers }, { "client.id", "sidetone" }, { "security.protocol", protocol },
        { "enable.idempotence", "true" },       /* the library's own repeats come once, and in order */
        { "message.timeout.ms", timeout },      /* nothing stays in it for longer than we wait */
        { "linger.ms", "5" },
        { "sasl.mechanisms", set->secret ? "PLAIN" : NULL }, { "sasl.username", set->secret ? set->user : NULL }, { "sasl.password", set->secret },
        { "ssl.ca.location", is_tls ? set->ca : NULL },
        { "enable.ssl.certificate.verification", is_tls && set->is_insecure ? "false" : NULL },
    };
    rd_kafka_conf_t *c = rd_kafka_conf_new();

    snprintf(timeout, sizeof timeout, "%lld", (long long)(set->deadline_ms > 0 ? set->deadline_ms : SINK_DEADLINE_MS));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!set_one(c, all[i].name, all[i].value, why, why_size)) {
            rd_kafka_conf_destroy(c);
            return NULL;
        }
    rd_kafka_conf_set_dr_msg_cb(c, on_report);
    rd_kafka_conf_set_log_cb(c, on_log);
    return c;
}

static int make_producer(struct kafka *d)
{
    char more[SINK_WHY - 16] = "memory is short";
    rd_kafka_conf_t *c = settings_of(d, more, sizeof more);

    if (c) {
        rd_kafka_conf_set_opaque(c, d);
        d->producer = rd_kafka_new(RD_KAFKA_PRODUCER, c, more, sizeof more);
        if (!d->producer)
            rd_kafka_conf_destroy(c);
    }
    if (!d->producer)
        snprintf(d->why, d->why_size, "Kafka: %s", more);
    return d->producer ? 0 : -EAGAIN;
}

/* Drops what is inside: nothing of an earlier batch may come after the next one began. */
static void drop_producer(struct kafka *d)
{
    if (!d->producer)
        return;
    d->why = NULL;
    rd_kafka_purge(d->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(d->producer, 0);
    rd_kafka_destroy(d->producer);
    d->producer = NULL;
}

static int produce(struct kafka *d, const struct sink_row *row, size_t i)
{
    rd_kafka_resp_err_t err;

    buf_clear(&d->text);
    buf_clear(&d->key);
    sink_row_json(&d->text, row);
    sink_row_key(&d->key, row);
    if (d->text.err || d->key.err)
        return d->text.err ? d->text.err : d->key.err;
    /* By call, so that one call's rows stay in one partition, in order. */
    err = rd_kafka_producev(d->producer, RD_KAFKA_V_TOPIC(d->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                            RD_KAFKA_V_KEY(row->call, strlen(row->call)), RD_KAFKA_V_VALUE(d->text.p, d->text.n),
                            RD_KAFKA_V_HEADER("key", d->key.p, (ssize_t)d->key.n), RD_KAFKA_V_TIMESTAMP(row->at_us / 1000),
                            RD_KAFKA_V_OPAQUE((void *)(intptr_t)i), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        d->bad = (long)i;
    if (err)
        snprintf(d->why, d->why_size, "Kafka: %s", rd_kafka_err2str(err));
    else
        d->waiting++;
    return err ? -EAGAIN : 0;
}

static int deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    struct kafka *d = self;
    const int64_t deadline_us = sink_deadline_us(d->set);
    int err = 0, ms;

    d->why = why;
    d->why_size = why_size;
    d->waiting = 0;
    d->bad = BAD_NONE;
    d->has_failed = false;
    if (!d->producer)
        err = make_producer(d);
    for (size_t i = 0; i < count && !err; i++)
        err = produce(d, &rows[i], i);
    while (!err && d->waiting > 0 && !d->has_failed && (ms = sink_slice_ms(d->set->patience, deadline_us)) > 0)
        rd_kafka_poll(d->producer, ms);
    if (!err && d->waiting == 0 && !d->has_failed)
        return 0;
    if (!why[0])
        snprintf(why, why_size, "Kafka: not all was acknowledged in time");
    drop_producer(d);
    d->why = NULL;
    if (d->bad == BAD_NONE)
        return -EAGAIN;
    *bad = (size_t)d->bad;
    return -EBADMSG;
}

static void kafka_close(void *self)
{
    struct kafka *d = self;

    if (!d)
        return;
    drop_producer(d);
    buf_free(&d->text);
    buf_free(&d->key);
    free(d);
}

static int kafka_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    struct kafka *d;

    if (!set->url || !set->url[0]) {
        *problem = sink_problem("sink %s: url = host:port of a broker is needed", set->name);
        return -EINVAL;
    }
    d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->set = set;
    d->log = log_for(log, "sink");
    d->topic = set->subject ? set->subject : "sidetone";
    buf_init(&d->text, SINK_ROW_BYTES * 2);
    buf_init(&d->key, 4096);
    *out = d;
    return 0;
}

const struct sink_driver sink_kafka = { .name = "kafka", .open = kafka_open, .deliver = deliver, .close = kafka_close };
