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

int tap_event_of(struct tap_event **out, enum tap_kind kind, const struct ami_message *m)
{
    struct packer p = { 0 };
    struct text name, value;
    size_t room = 0;

    for (size_t i = 0; ami_at(m, i, &name, &value); i++)
        room += name.n + value.n;
    p.e = allocate(kind, m->count, room);
    if (!p.e)
        return -ENOMEM;
    for (size_t i = 0; ami_at(m, i, &name, &value); i++)
        put_pair(&p, &p.e->fields[i], name, value);
    p.e->flags = (uint8_t)((m->duplicates || m->odd ? TAP_SUSPECT : 0) | (m->is_cut ? TAP_CUT : 0));
    settle(p.e);
    *out = p.e;
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

/* Seconds, a point, and six digits (manager.c: "%ld.%06lu"). */
int64_t tap_time_of(struct text t)
{
    const ptrdiff_t dot = t.n ? text_find(t, '.') : -1;
    int64_t seconds, micros;

    if (dot <= 0 || t.n - (size_t)dot != 7 || text_to_i64(text_head(t, (size_t)dot), &seconds) ||
        text_to_i64(text_skip(t, (size_t)dot + 1), &micros) || seconds < 0 || seconds > INT64_MAX / 2000000 || micros < 0)
        return TAP_NO_TIME;
    return seconds * 1000000 + micros;
}
