/* Packs an event into one block, and looks into it. */
#include "tap/event.h"

#include <stdlib.h>
#include <string.h>

/* ---- packing ---- */

struct packer {
    struct tap_event *e;
    size_t used;                /* bytes of text so far */
};

static char *text_at(const struct tap_event *e, size_t at)
{
    return (char *)(uintptr_t)&e->fields[e->count] + at;
}

static uint32_t put(struct packer *p, struct text t)
{
    const uint32_t at = (uint32_t)p->used;

    if (t.n)
        memcpy(text_at(p->e, p->used), t.p, t.n);
    p->used += t.n;
    return at;
}

static void put_pair(struct packer *p, struct tap_field *f, struct text name, struct text value)
{
    *f = (struct tap_field){ .header = (uint16_t)tap_header_of(name) };
    if (f->header == TAP_H_OTHER) {
        const struct text head = text_head(name, UINT16_MAX);

        f->name_at = put(p, head);
        f->name_n = (uint16_t)head.n;
    }
    f->value_at = put(p, value);
    f->value_n = (uint32_t)value.n;
}

static struct tap_event *allocate(enum tap_kind kind, size_t count, size_t text_bytes)
{
    const size_t bytes = sizeof(struct tap_event) + count * sizeof(struct tap_field) + text_bytes;
    struct tap_event *e = malloc(bytes);

    if (e)
        *e = (struct tap_event){ .kind = (uint8_t)kind, .count = (uint32_t)count, .bytes = (uint32_t)bytes, .emit_us = TAP_NO_TIME };
    return e;
}

static void settle(struct tap_event *e)
{
    e->name = (uint16_t)tap_name_of(tap_get(e, TAP_H_EVENT));
    e->emit_us = tap_time_of(tap_get(e, TAP_H_TIMESTAMP));
}

/* The message's text is copied as it stands, names and all: one copy costs less than one for each value. */
int tap_event_of(struct tap_event **out, enum tap_kind kind, const struct ami_message *m)
{
    const struct text all = ami_text(m);
    struct tap_event *e = allocate(kind, m->count, all.n);
    const char *text;

    if (!e)
        return -ENOMEM;
    text = text_at(e, 0);
    if (all.n)
        memcpy(text_at(e, 0), all.p, all.n);
    for (size_t i = 0; i < m->count; i++) {
        const struct ami_header *h = ami_header_at(m, i);

        e->fields[i] = (struct tap_field){ .header = (uint16_t)tap_header_of_hash(text_make(text + h->name_at, h->name_n), h->hash),
                                           .name_n = (uint16_t)(h->name_n < UINT16_MAX ? h->name_n : UINT16_MAX),
                                           .name_at = h->name_at, .value_at = h->value_at, .value_n = h->value_n };
    }
    e->flags = (uint8_t)((m->duplicates || m->odd ? TAP_SUSPECT : 0) | (m->is_cut ? TAP_CUT : 0));
    settle(e);
    *out = e;
    return 0;
}

int tap_event_new(struct tap_event **out, enum tap_kind kind, struct text name, const struct tap_pair *pairs, size_t count)
{
    const size_t named = name.p != NULL;
    struct packer p = { 0 };
    size_t room = name.n;

    for (size_t i = 0; i < count; i++)
        room += pairs[i].name.n + pairs[i].value.n;
    p.e = allocate(kind, count + named, room);
    if (!p.e)
        return -ENOMEM;
    if (named)
        put_pair(&p, &p.e->fields[0], TEXT("Event"), name);
    for (size_t i = 0; i < count; i++)
        put_pair(&p, &p.e->fields[i + named], pairs[i].name, pairs[i].value);
    settle(p.e);
    *out = p.e;
    return 0;
}

void tap_event_free(struct tap_event *e)
{
    free(e);
}

/* ---- looking ---- */

static struct text value_of(const struct tap_event *e, const struct tap_field *f)
{
    return text_make(text_at(e, f->value_at), f->value_n);
}

static struct text name_of(const struct tap_event *e, const struct tap_field *f)
{
    return f->header != TAP_H_OTHER ? tap_header_text(f->header) : text_make(text_at(e, f->name_at), f->name_n);
}

struct text tap_get(const struct tap_event *e, enum tap_header h)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (e->fields[i].header == h)
            return value_of(e, &e->fields[i]);
    return TEXT_NONE;
}

struct text tap_get_named(const struct tap_event *e, struct text name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (text_eq_nocase(name_of(e, &e->fields[i]), name))
            return value_of(e, &e->fields[i]);
    return TEXT_NONE;
}

bool tap_at(const struct tap_event *e, size_t i, struct text *name, struct text *value)
{
    if (i >= e->count)
        return false;
    *name = name_of(e, &e->fields[i]);
    *value = value_of(e, &e->fields[i]);
    return true;
}

struct text tap_event_name(const struct tap_event *e)
{
    const struct text t = tap_get(e, TAP_H_EVENT);

    return t.p ? t : TEXT("");
}

static int64_t digits_of(const char *p, size_t n)
{
    int64_t value = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value;
}

/* Seconds, a point, and six digits (manager.c: "%ld.%06lu"). More than twelve digits of seconds are no time of ours. */
int64_t tap_time_of(struct text t)
{
    int64_t seconds, micros;

    if (t.n < 8 || t.n > 19 || t.p[t.n - 7] != '.')
        return TAP_NO_TIME;
    seconds = digits_of(t.p, t.n - 7);
    micros = digits_of(t.p + t.n - 6, 6);
    return seconds < 0 || micros < 0 ? TAP_NO_TIME : seconds * 1000000 + micros;
}
