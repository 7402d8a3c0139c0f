/* Packs an event's headers into a row's body and back: for each its name's number and its value, in order, repeated ones included.
 *   header := number length value | 0 name-length name length value        numbers: 7 bits a byte, low ones first, top bit: more follows */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/journal_parts.h"

enum { VARINT_MAX = 10, PAIRS_AT_HAND = 64 };

/* Room is made once for all of an event (VARINT_MAX for each number): behind that, bytes are only written. */
static char *put_number(char *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (char)(v | 0x80);
    *at++ = (char)v;
    return at;
}

static char *put_text(char *at, struct text t)
{
    at = put_number(at, t.n);
    if (t.n)
        memcpy(at, t.p, t.n);
    return at + t.n;
}

/* As much as the body can take: all text of the event, and three numbers a header. */
static size_t room_for(const struct tap_event *e)
{
    struct text name, value;
    size_t room = 0;

    for (size_t i = 0; tap_at(e, i, &name, &value); i++)
        room += name.n + value.n + 3 * (size_t)VARINT_MAX;
    return room;
}

static int header_id(struct journal *j, const struct tap_field *f, struct text name, int64_t *id)
{
    int64_t *known = f->header != TAP_H_OTHER ? &j->headers[f->header] : NULL;
    int err;

    if (known && *known) {
        *id = *known;
        return 0;
    }
    err = journal_name_id(j, name, id);
    if (!err && known)
        *known = *id;
    return err;
}

int journal_body_pack(struct journal *j, const struct tap_event *e)
{
    struct text name, value;
    char *at;
    int64_t id;

    buf_clear(&j->body);
    at = buf_room(&j->body, room_for(e));
    if (!at)
        return j->body.err;
    for (size_t i = 0; tap_at(e, i, &name, &value); i++) {
        const int err = header_id(j, &e->fields[i], name, &id);

        if (err)
            return err;
        at = put_number(at, (uint64_t)id);
        if (!id)
            at = put_text(at, name);
        at = put_text(at, value);
    }
    j->body.n = (size_t)(at - j->body.p);
    return 0;
}

/* ---- and back ---- */

static bool take_number(struct text *in, uint64_t *v)
{
    *v = 0;
    for (unsigned i = 0; i < VARINT_MAX && i < in->n; i++) {
        *v |= (uint64_t)((unsigned char)in->p[i] & 0x7f) << (7 * i);
        if (!((unsigned char)in->p[i] & 0x80)) {
            *in = text_skip(*in, i + 1);
            return true;
        }
    }
    return false;
}

static bool take_text(struct text *in, struct text *out)
{
    uint64_t n;

    if (!take_number(in, &n) || n > in->n)
        return false;
    *out = text_head(*in, (size_t)n);
    *in = text_skip(*in, (size_t)n);
    return true;
}

static bool take_pair(struct text *in, struct tap_pair *p, struct text (*name_of)(void *arg, int64_t id), void *arg)
{
    uint64_t id;

    if (!take_number(in, &id) || (!id && !take_text(in, &p->name)))
        return false;
    if (id)
        p->name = name_of(arg, (int64_t)id);
    return p->name.p && take_text(in, &p->value);
}

static size_t count_pairs(struct text body, struct text (*name_of)(void *arg, int64_t id), void *arg)
{
    struct tap_pair p;
    size_t n = 0;

    while (body.n > 0) {
        if (!take_pair(&body, &p, name_of, arg))
            return SIZE_MAX;
        n++;
    }
    return n;
}

int journal_body_unpack(struct tap_event **out, enum tap_kind kind, struct text body, struct text (*name_of)(void *arg, int64_t id), void *arg)
{
    struct tap_pair at_hand[PAIRS_AT_HAND], *pairs = at_hand;
    const size_t count = count_pairs(body, name_of, arg);
    int err;

    if (count == SIZE_MAX)
        return -EINVAL;
    if (count > PAIRS_AT_HAND)
        pairs = calloc(count, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        (void)take_pair(&body, &pairs[i], name_of, arg);
    err = tap_event_new(out, kind, TEXT_NONE, pairs, count);
    if (pairs != at_hand)
        free(pairs);
    return err;
}
