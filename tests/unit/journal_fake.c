/* One job: a journal in memory, with failures on demand. */
#include "journal_fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 20000, SINKS = 4 };

struct journal_reader {
    int unused;
};

struct row {
    char kind[64], call[64];
    char *detail;
};

static struct {
    pthread_mutex_t lock;
    struct row facts[ROWS], events[ROWS];
    int64_t fact_count, event_count;
    struct { char sink[32]; int64_t at[2]; } cursors[SINKS];
    int open_err, read_err;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

void journal_fake_reset(void)
{
    pthread_mutex_lock(&fake.lock);
    for (int64_t i = 0; i < fake.fact_count; i++) {
        free(fake.facts[i].detail);
        fake.facts[i].detail = NULL;
    }
    fake.fact_count = fake.event_count = 0;
    memset(fake.cursors, 0, sizeof fake.cursors);
    fake.open_err = fake.read_err = 0;
    pthread_mutex_unlock(&fake.lock);
}

void journal_fake_fact(const char *kind, const char *call, const char *detail)
{
    pthread_mutex_lock(&fake.lock);
    struct row *r = &fake.facts[fake.fact_count];

    snprintf(r->kind, sizeof r->kind, "%s", kind);
    snprintf(r->call, sizeof r->call, "%s", call);
    r->detail = strdup(detail ? detail : "{}");
    fake.fact_count++;
    pthread_mutex_unlock(&fake.lock);
}

void journal_fake_event(const char *name, const char *call)
{
    pthread_mutex_lock(&fake.lock);
    struct row *r = &fake.events[fake.event_count++];

    snprintf(r->kind, sizeof r->kind, "%s", name);
    snprintf(r->call, sizeof r->call, "%s", call);
    pthread_mutex_unlock(&fake.lock);
}

void journal_fake_cursor(const char *sink, int64_t fact_id, int64_t event_id)
{
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < SINKS; i++) {
        if (fake.cursors[i].sink[0] && strcmp(fake.cursors[i].sink, sink) != 0)
            continue;
        snprintf(fake.cursors[i].sink, sizeof fake.cursors[i].sink, "%s", sink);
        fake.cursors[i].at[0] = fact_id;
        fake.cursors[i].at[1] = event_id;
        break;
    }
    pthread_mutex_unlock(&fake.lock);
}

void journal_fake_fail(int open_err, int read_err)
{
    pthread_mutex_lock(&fake.lock);
    fake.open_err = open_err;
    fake.read_err = read_err;
    pthread_mutex_unlock(&fake.lock);
}

int journal_reader_open(struct journal_reader **out, const char *path)
{
    int err;

    (void)path;
    pthread_mutex_lock(&fake.lock);
    err = fake.open_err;
    pthread_mutex_unlock(&fake.lock);
    if (err)
        return err;
    *out = calloc(1, sizeof **out);
    return *out ? 0 : -ENOMEM;
}

void journal_reader_close(struct journal_reader *r)
{
    free(r);
}

static int64_t when(int64_t id)
{
    return 1700000000000000 + id * 1000;
}

int journal_read_facts(struct journal_reader *r, struct text call, int64_t *after, size_t max, journal_on_fact *on, void *arg)
{
    int n = 0;

    (void)r;
    (void)call;
    pthread_mutex_lock(&fake.lock);
    if (fake.read_err)
        n = fake.read_err;
    for (; n >= 0 && (size_t)n < max && *after < fake.fact_count; n++) {
        const struct row *f = &fake.facts[*after];
        const struct journal_fact fact = { .id = *after + 1, .node = "pbx1", .kind = f->kind, .call = f->call, .detail = f->detail,
                                           .session = 77, .at_us = when(*after), .seq = (uint64_t)*after / 2 + 1, .n = (uint32_t)(*after % 2) };

        on(&fact, arg);
        ++*after;
    }
    pthread_mutex_unlock(&fake.lock);
    return n;
}

int journal_read_events(struct journal_reader *r, struct text call, int64_t *after, size_t max, journal_on_event *on, void *arg)
{
    int n = 0;

    (void)r;
    (void)call;
    pthread_mutex_lock(&fake.lock);
    if (fake.read_err)
        n = fake.read_err;
    for (; n >= 0 && (size_t)n < max && *after < fake.event_count; n++) {
        const struct row *f = &fake.events[*after];
        const struct tap_pair pairs[] = { { TEXT("Event"), text_of(f->kind) }, { TEXT("Linkedid"), text_of(f->call) },
                                          { TEXT("Variable"), TEXT("a=1") }, { TEXT("Variable"), TEXT("b=\"2\"") } };
        struct tap_event *e;

        if (tap_event_new(&e, TAP_EVENT, text_of(f->kind), pairs, 4) == 0) {
            e->session = 77;
            e->seq = (uint64_t)*after + 1;
            e->order_us = when(*after);
            on(&(struct journal_event){ .id = *after + 1, .node = "pbx1", .event = e }, arg);
            tap_event_free(e);
        }
        ++*after;
    }
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static int64_t count_of(const int64_t *count)
{
    int64_t n;

    pthread_mutex_lock(&fake.lock);
    n = *count;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

int64_t journal_last_fact(struct journal_reader *r)
{
    (void)r;
    return count_of(&fake.fact_count);
}

int64_t journal_last_event(struct journal_reader *r)
{
    (void)r;
    return count_of(&fake.event_count);
}

int journal_read_cursor(struct journal_reader *r, const char *sink, int64_t *fact_id, int64_t *event_id)
{
    int known = 0;

    (void)r;
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < SINKS && !known; i++) {
        if (strcmp(fake.cursors[i].sink, sink) != 0)
            continue;
        *fact_id = fake.cursors[i].at[0];
        *event_id = fake.cursors[i].at[1];
        known = 1;
    }
    pthread_mutex_unlock(&fake.lock);
    return known;
}
