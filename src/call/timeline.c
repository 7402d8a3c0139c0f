/* Packs a fact into one block for the sink, and turns it into JSON when somebody wants to read it. */
#include "call/timeline.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    FACT_TEXT_MAX = 4096,          /* bytes of one text field; the rest is cut, and the cut is marked */
    FACT_DETAIL_MAX = 256 * 1024,  /* bytes of the whole object */
    FACT_PACKED_MAX = FACT_DETAIL_MAX / 8, /* JSON makes six bytes of one at most */
};

/* One field in a fact's block; a text's bytes follow it at once, so it is copied in and out. */
struct packed {
    const char *key;               /* static text, as kv has it */
    int64_t number;
    uint32_t n;                    /* of the text */
    uint16_t kind;                 /* enum kv_kind */
    bool is_null, is_cut;
};

/* Cut where a character begins, so that the cut does not make a broken one. */
static struct text cut_text(struct text t)
{
    size_t n = FACT_TEXT_MAX;

    if (t.n <= FACT_TEXT_MAX)
        return t;
    while (n > FACT_TEXT_MAX - 4 && ((unsigned char)t.p[n] & 0xc0) == 0x80)
        n--;
    return text_head(t, n);
}

static size_t packed_size(size_t text_n)
{
    return sizeof(struct packed) + text_n;
}

static struct text text_in(const struct kv *f)
{
    return f->kind == KV_TEXT && f->text.p ? cut_text(f->text) : TEXT("");
}

static void pack(char *to, const struct kv *f)
{
    const struct text t = text_in(f);
    const struct packed p = { .key = f->key, .number = f->number, .n = (uint32_t)t.n, .kind = (uint16_t)f->kind,
                              .is_null = f->kind == KV_TEXT && !f->text.p, .is_cut = f->kind == KV_TEXT && t.n < f->text.n };

    memcpy(to, &p, sizeof p);
    if (t.n)
        memcpy(to + sizeof p, t.p, t.n);
}

static void add_text(struct buf *b, struct text t, bool is_cut)
{
    buf_add_char(b, '"');
    buf_add_json(b, t);
    if (is_cut)
        buf_add_text(b, TEXT("..."));
    buf_add_char(b, '"');
}

static void add_value(struct buf *b, const struct packed *p, const char *bytes)
{
    switch ((enum kv_kind)p->kind) {
    case KV_TEXT:
        if (p->is_null)
            buf_add_text(b, TEXT("null"));
        else
            add_text(b, text_make(bytes, p->n), p->is_cut);
        return;
    case KV_INT:
        buf_add_int(b, p->number);
        return;
    case KV_ERR:
        add_text(b, text_of(err_text((int)p->number)), false);
        return;
    case KV_SECRET:
        buf_add_text(b, TEXT("\"***\""));
        return;
    }
}

const char *fact_detail(struct fact *f)
{
    struct packed p;
    struct buf b;

    if (f->detail)
        return f->detail;
    buf_init(&b, FACT_DETAIL_MAX);
    (void)buf_room(&b, f->packed_n); /* about what it takes */
    buf_add_char(&b, '{');
    for (size_t at = 0; at < f->packed_n; at += packed_size(p.n)) {
        memcpy(&p, f->packed + at, sizeof p);
        if (at)
            buf_add_char(&b, ',');
        buf_add_char(&b, '"');
        buf_add_text(&b, text_of(p.key)); /* a word of ours: nothing in it to escape */
        buf_add_text(&b, TEXT("\":"));
        add_value(&b, &p, f->packed + at + sizeof p);
    }
    buf_add_char(&b, '}');
    if (!buf_cstr(&b)) {
        buf_free(&b);
        return NULL;
    }
    return f->detail = b.p;        /* the fact's now; buf keeps malloc'ed memory */
}

void fact_free(struct fact *f)
{
    if (!f)
        return;
    free(f->detail);
    free(f);
}

/* A fact for which there is no memory is lost, as one for which the sink has no room. */
void timeline_add(const struct timeline *t, struct text call, const char *kind, const struct kv *fields)
{
    struct fact *f;
    size_t n = 0;

    if (!t || !t->publish)
        return;
    for (const struct kv *k = fields; k && k->key; k++)
        n += packed_size(text_in(k).n);
    f = n <= FACT_PACKED_MAX ? malloc(sizeof *f + n) : NULL;
    if (!f)
        return;
    f->wall_us = clock_wall_us();
    text_copy(f->call, sizeof f->call, call);
    text_copy(f->kind, sizeof f->kind, text_of(kind));
    f->detail = NULL;
    f->packed_n = n;
    n = 0;
    for (const struct kv *k = fields; k && k->key; k++) {
        pack(f->packed + n, k);
        n += packed_size(text_in(k).n);
    }
    (void)t->publish(t->arg, f);
}
