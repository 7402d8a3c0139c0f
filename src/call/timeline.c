/* Turns the fields of a fact into one JSON object and hands it to the sink. */
#include "call/timeline.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    FACT_TEXT_MAX = 4096,          /* bytes of one text field; the rest is cut, and the cut is marked */
    FACT_DETAIL_MAX = 256 * 1024,  /* bytes of the whole object */
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

static void add_text(struct buf *b, struct text t)
{
    const struct text head = cut_text(t);

    buf_add_char(b, '"');
    buf_add_json(b, head);
    if (head.n < t.n)
        buf_add_text(b, TEXT("..."));
    buf_add_char(b, '"');
}

static void add_value(struct buf *b, const struct kv *field)
{
    switch (field->kind) {
    case KV_TEXT:
        if (field->text.p)
            add_text(b, field->text);
        else
            buf_add_text(b, TEXT("null"));
        return;
    case KV_INT:
        buf_addf(b, "%lld", (long long)field->number);
        return;
    case KV_ERR:
        add_text(b, text_of(err_text((int)field->number)));
        return;
    case KV_SECRET:
        buf_add_text(b, TEXT("\"***\""));
        return;
    }
}

static char *detail_make(const struct kv *fields)
{
    struct buf b;

    buf_init(&b, FACT_DETAIL_MAX);
    buf_add_char(&b, '{');
    for (const struct kv *f = fields; f && f->key; f++) {
        if (f != fields)
            buf_add_char(&b, ',');
        add_text(&b, text_of(f->key));
        buf_add_char(&b, ':');
        add_value(&b, f);
    }
    buf_add_char(&b, '}');
    if (!buf_cstr(&b)) {
        buf_free(&b);
        return NULL;
    }
    return b.p;                    /* the fact's now; buf keeps malloc'ed memory */
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

    if (!t || !t->publish)
        return;
    f = calloc(1, sizeof *f);
    if (!f)
        return;
    f->wall_us = clock_wall_us();
    text_copy(f->call, sizeof f->call, call);
    text_copy(f->kind, sizeof f->kind, text_of(kind));
    f->detail = detail_make(fields);
    if (!f->detail) {
        fact_free(f);
        return;
    }
    (void)t->publish(t->arg, f);
}
