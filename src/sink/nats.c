/* The NATS sink: each row a JetStream message whose id is its key; a batch is delivered when every message was acknowledged. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "sink/nats_link.h"

enum { STEP_MS = 5000 };        /* one step of connecting, at most */

struct nats {
    const struct sink_settings *set;
    struct log log;
    struct nats_plan plan;
    struct nats_link *link;     /* NULL: not connected */
    struct buf text, key, subject;
    bool *is_acked;             /* of the batch's rows */
    size_t acked_room;
};

/* ---- names ---- */

/* A token of a subject: what has a meaning there is replaced. dots: those between two words stay. */
static void add_token(struct buf *out, const char *s, bool dots)
{
    const size_t at = out->n;

    for (; *s; s++) {
        const bool is_word = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '-' || *s == '_';
        const bool is_dot = dots && *s == '.' && out->n > at && out->p[out->n - 1] != '.' && s[1] && s[1] != '.';

        buf_add_char(out, is_word || is_dot ? *s : '_');
    }
    if (out->n == at)
        buf_add_char(out, '_');
}

/* sidetone.fact.pbx1.call.ended, sidetone.event.pbx1.Hangup */
static const char *subject_of(struct nats *d, const struct sink_row *row)
{
    buf_clear(&d->subject);
    buf_addf(&d->subject, "%s.%s.", d->plan.subject, row->is_event ? "event" : "fact");
    add_token(&d->subject, row->node, false);
    buf_add_char(&d->subject, '.');
    add_token(&d->subject, row->kind, true);
    return buf_cstr(&d->subject);
}

/* ---- publishing ---- */

static int publish_row(struct nats *d, const struct sink_row *row, size_t i)
{
    char reply[112];
    natsMsg *m = NULL;
    natsStatus s;
    const char *subject = subject_of(d, row), *key;

    buf_clear(&d->text);
    buf_clear(&d->key);
    sink_row_json(&d->text, row);
    sink_row_key(&d->key, row);
    key = buf_cstr(&d->key);
    if (!subject || !key || d->text.err)
        return d->text.err ? d->text.err : -ENOMEM;
    if ((int64_t)d->text.n + (int64_t)d->key.n + 64 > natsConnection_GetMaxPayload(d->link->conn))
        return -EMSGSIZE;
    snprintf(reply, sizeof reply, "%s.%u-%zu", d->link->inbox, d->link->batch, i);
    s = natsMsg_Create(&m, subject, reply, d->text.p, (int)d->text.n);
    if (s == NATS_OK)
        s = natsMsgHeader_Set(m, "Nats-Msg-Id", key);
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(d->link->conn, m);
    natsMsg_Destroy(m);
    return s == NATS_OK ? 0 : -EIO;
}

/* How many wait for an acknowledgement, or negative. */
static int publish_all(struct nats *d, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    int waiting = 0;

    d->link->batch++;
    for (size_t i = 0; i < count; i++) {
        int err;

        d->is_acked[i] = sink_seen_has(&d->link->seen, &rows[i]);
        if (d->is_acked[i])
            continue;
        err = publish_row(d, &rows[i], i);
        if (err == -EMSGSIZE || err == -ENOBUFS) {
            *bad = i;
            snprintf(why, why_size, "NATS: the row is longer than the server's max_payload");
            return -EBADMSG;
        }
        if (err) {
            snprintf(why, why_size, "NATS: %s: the connection failed while publishing", d->plan.host);
            return -EAGAIN;
        }
        waiting++;
    }
    return waiting;
}

/* ---- acknowledgements ---- */

/* Which row of this batch: the subject's last token; SIZE_MAX: none of it. */
static size_t row_of(const struct nats *d, const natsMsg *m, size_t count)
{
    const char *s = natsMsg_GetSubject(m), *dot = strrchr(s, '.');
    unsigned batch;
    size_t i;

    if (!dot || sscanf(dot + 1, "%u-%zu", &batch, &i) != 2 || batch != d->link->batch || i >= count)
        return SIZE_MAX;
    return i;
}

/* 0: stored; -EBADMSG: never will be; -EAGAIN: not now. */
static int read_ack(const natsMsg *m, char *why, size_t why_size)
{
    const int n = natsMsg_GetDataLength(m);
    cJSON *json = n > 0 ? cJSON_ParseWithLength(natsMsg_GetData(m), (size_t)n) : NULL;
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error"), *words = cJSON_GetObjectItemCaseSensitive(error, "description");
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "err_code");
    int err = -EAGAIN;

    if (!error && cJSON_IsString(cJSON_GetObjectItemCaseSensitive(json, "stream")) &&
        cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(json, "seq"))) {
        err = 0;
    } else if (error) {
        snprintf(why, why_size, "NATS: %s", cJSON_IsString(words) ? words->valuestring : "the server refused");
        if (cJSON_IsNumber(code) && (jsErrCode)code->valuedouble == JSStreamMessageExceedsMaximumErr)
            err = -EBADMSG;
    } else {
        snprintf(why, why_size, "NATS: an acknowledgement that is none");
    }
    cJSON_Delete(json);
    return err;
}

/* All of the batch's acknowledgements, or the deadline. -EBADMSG wins: the row leaves, the others are known by their key. */
static int collect(struct nats *d, size_t count, int waiting, int64_t deadline_us, size_t *bad, char *why, size_t why_size)
{
    int err = 0, ms;

    while (waiting > 0 && (ms = sink_slice_ms(d->set->patience, deadline_us)) > 0) {
        natsMsg *m = NULL;
        const natsStatus s = natsSubscription_NextMsg(&m, d->link->acks, ms);
        const size_t i = m ? row_of(d, m, count) : SIZE_MAX;

        if (i != SIZE_MAX && !d->is_acked[i]) {
            const int one = read_ack(m, err ? (char[SINK_WHY]){ 0 } : why, why_size);

            d->is_acked[i] = true;
            waiting--;
            if (one && err != -EBADMSG)
                err = one;
            if (one == -EBADMSG)
                *bad = i;
        }
        natsMsg_Destroy(m);
        if (s == NATS_NO_RESPONDERS) {      /* libnats keeps the message, which would say for which row */
            snprintf(why, why_size, "NATS: no stream takes these subjects");
            return -EAGAIN;
        }
        if (s != NATS_OK && s != NATS_TIMEOUT)
            break;
    }
    if (waiting == 0 || err == -EBADMSG)
        return err;
    if (!err)
        snprintf(why, why_size, "NATS: %s: %s", d->plan.host,
                 natsConnection_IsClosed(d->link->conn) ? "the connection ended before all was acknowledged" : "not all was acknowledged in time");
    return -EAGAIN;
}

static void drop_link(struct nats *d)
{
    nats_link_close(d->link);
    d->link = NULL;
}

static int make_room(struct nats *d, size_t count)
{
    bool *more = count > d->acked_room ? realloc(d->is_acked, count * sizeof *more) : d->is_acked;

    if (!more)
        return -ENOMEM;
    d->is_acked = more;
    if (count > d->acked_room)
        d->acked_room = count;
    return 0;
}

static int deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    struct nats *d = self;
    const int64_t deadline_us = sink_deadline_us(d->set);
    int n = make_room(d, count);

    if (n)
        return n;
    if (d->link && natsConnection_IsClosed(d->link->conn))
        drop_link(d);
    if (!d->link) {
        if (d->plan.is_insecure && d->plan.is_tls)
            log_warn(&d->log, "sink_insecure", kv_str("sink", d->set->name), kv_str("host", d->plan.host));
        n = nats_link_open(&d->link, &d->plan, d->set->patience, deadline_us, why, why_size);
        if (n)
            return n;
    }
    n = publish_all(d, rows, count, bad, why, why_size);
    if (n > 0)
        n = collect(d, count, n, deadline_us, bad, why, why_size);
    /* A row that never fits is no fault of the connection. What else failed is begun anew: the new link learns what the stream has. */
    if (n == -EAGAIN)
        drop_link(d);
    return n;
}

static void nats_close(void *self)
{
    struct nats *d = self;

    if (!d)
        return;
    nats_link_close(d->link);
    buf_free(&d->text);
    buf_free(&d->key);
    buf_free(&d->subject);
    explicit_bzero(d->plan.secret, sizeof d->plan.secret);
    free(d->is_acked);
    free(d);
    nats_ReleaseThreadMemory();
}

/* ---- settings ---- */

static bool is_name(const char *s, bool dots)
{
    struct buf b;
    bool same;

    buf_init(&b, 256);
    add_token(&b, s, dots);
    same = text_eq(buf_text(&b), text_of(s)) && b.n < 120;
    buf_free(&b);
    return same;
}

/* "nats://[user:password@]host:port" or "tls://..." */
static bool plan_url(struct nats_plan *p, const char *url)
{
    const char *from = url ? strstr(url, "://") : NULL, *at;
    struct text host;
    ptrdiff_t colon;
    int64_t port = 0;

    if (!from || strlen(url) >= sizeof p->url)
        return false;
    p->is_tls = strncmp(url, "tls://", 6) == 0;
    if (!p->is_tls && strncmp(url, "nats://", 7) != 0)
        return false;
    from += 3;
    at = strrchr(from, '@');
    host = text_of(at ? at + 1 : from);
    if (host.n > 0 && host.p[0] == '[') {
        host = text_head(text_skip(host, 1), strcspn(host.p + 1, "]"));
    } else {
        colon = text_rfind(host, ':');
        host = colon < 0 ? host : text_head(host, (size_t)colon);
    }
    text_copy(p->url, sizeof p->url, text_of(url));
    p->port = 4222;
    if (strchr(host.p + host.n, ':') && (text_to_i64(text_of(strchr(host.p + host.n, ':') + 1), &port) || port < 1 || port > 65535))
        return false;
    if (port > 0)
        p->port = (uint16_t)port;
    return host.n > 0 && text_copy(p->host, sizeof p->host, host) == host.n;
}

static bool plan_word(char *out, size_t size, bool *has, const char *word)
{
    *has = word && word[0];
    return !*has || text_copy(out, size, text_of(word)) == strlen(word);
}

static const char *plan_make(struct nats_plan *p, const struct sink_settings *set)
{
    const char *stream = set->stream ? set->stream : "SIDETONE", *subject = set->subject ? set->subject : "sidetone";
    const int64_t ms = set->deadline_ms > 0 ? set->deadline_ms : SINK_DEADLINE_MS;

    if (!plan_url(p, set->url))
        return "url = nats://host:4222 or tls://host:4222 is needed";
    if (!is_name(stream, false))
        return "a stream's name has letters, digits, - and _ only";
    if (!is_name(subject, true))
        return "a subject has letters, digits, -, _ and dots between them only";
    if (!plan_word(p->user, sizeof p->user, &p->has_user, set->user) || !plan_word(p->secret, sizeof p->secret, &p->has_secret, set->secret) ||
        !plan_word(p->ca, sizeof p->ca, &p->has_ca, set->ca))
        return "user, secret or ca is too long";
    text_copy(p->stream, sizeof p->stream, text_of(stream));
    text_copy(p->subject, sizeof p->subject, text_of(subject));
    p->is_insecure = set->is_insecure;
    p->timeout_ms = ms / 2 < STEP_MS ? ms / 2 + 1 : STEP_MS;   /* connected or not by the time the sink gives up */
    return NULL;
}

static int nats_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    struct nats *d = calloc(1, sizeof *d);
    const char *fault;

    if (!d)
        return -ENOMEM;
    fault = plan_make(&d->plan, set);
    if (fault) {
        *problem = sink_problem("sink %s: %s", set->name, fault);
        free(d);
        return -EINVAL;
    }
    d->set = set;
    d->log = log_for(log, "sink");
    buf_init(&d->text, SINK_ROW_BYTES * 2);
    buf_init(&d->key, 4096);
    buf_init(&d->subject, 4096);
    *out = d;
    return 0;
}

const struct sink_driver sink_nats = { .name = "nats", .open = nats_open, .deliver = deliver, .close = nats_close };
