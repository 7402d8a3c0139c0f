/* Reads AMI messages out of a byte stream. */
#include "wire/ami.h"

#include <stdlib.h>
#include <string.h>

enum { HEADERS_STEP = 64 };

/* Names that Asterisk itself repeats in one message (seen on 22.10.1; and Action: Originate's Variable). */
static bool repeats_lawfully(struct text name)
{
    return text_eq_nocase(name, TEXT("Output")) || text_eq_nocase(name, TEXT("ChanVariable")) ||
           text_eq_nocase(name, TEXT("Variable"));
}

static uint32_t hash_of(struct text name)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < name.n; i++) {
        const unsigned char c = (unsigned char)name.p[i];

        h = (h ^ (c >= 'A' && c <= 'Z' ? c | 0x20u : c)) * 16777619u;
    }
    return h ^ h >> 15;
}

static struct text name_at(const struct ami_reader *r, const struct ami_header *h)
{
    return text_make(r->raw.p + h->name_at, h->name_n);
}

static struct text value_at(const struct ami_reader *r, const struct ami_header *h)
{
    return text_make(r->raw.p + h->value_at, h->value_n);
}

static const struct ami_header *find(const struct ami_reader *r, struct text name, uint32_t hash)
{
    for (uint32_t i = r->heads[hash % 64]; i; i = r->headers[i - 1].next)
        if (r->headers[i - 1].hash == hash && text_eq_nocase(name_at(r, &r->headers[i - 1]), name))
            return &r->headers[i - 1];
    return NULL;
}

/* ---- one line ---- */

static int make_room(struct ami_reader *r)
{
    struct ami_header *more;

    if (r->count < r->room)
        return 0;
    more = realloc(r->headers, (r->room + HEADERS_STEP) * sizeof *more);
    if (!more)
        return -ENOMEM;
    r->headers = more;
    r->room += HEADERS_STEP;
    return 0;
}

/* Asterisk puts one blank behind the colon and reads any number of them (manager.c: astman_get_header). */
static size_t blanks_before(const struct ami_reader *r, struct text value)
{
    size_t n = 0;

    if (r->side == AMI_FROM_ASTERISK)
        return value.n > 0 && value.p[0] == ' ';
    while (n < value.n && (value.p[n] == ' ' || value.p[n] == '\t'))
        n++;
    return n;
}

/* Repeated names stay in the list but not in the index: the first one wins. */
static int add_header(struct ami_reader *r, struct text line)
{
    const ptrdiff_t colon = text_find(line, ':');
    struct text name, value;
    struct ami_header *h;

    if (colon <= 0) {
        r->first_odd |= r->count == 0;
        r->odd++;
        return 0;
    }
    if (r->count == AMI_HEADERS_MAX) {
        r->is_cut = true;
        return 0;
    }
    if (make_room(r))
        return -ENOMEM;
    name = text_head(line, (size_t)colon);
    value = text_skip(line, (size_t)colon + 1);
    value = text_skip(value, blanks_before(r, value));
    h = &r->headers[r->count++];
    *h = (struct ami_header){ .name_at = (uint32_t)(name.p - r->raw.p), .name_n = (uint32_t)name.n,
                              .value_at = (uint32_t)(value.p - r->raw.p), .value_n = (uint32_t)value.n, .hash = hash_of(name) };
    if (find(r, name, h->hash)) {
        r->duplicates += !repeats_lawfully(name);
    } else {
        h->next = r->heads[h->hash % 64];
        r->heads[h->hash % 64] = (uint32_t)r->count;
    }
    return 0;
}

/* ---- the message ---- */

static void begin(struct ami_reader *r)
{
    buf_clear(&r->raw);
    memset(r->heads, 0, sizeof r->heads);
    r->count = r->duplicates = r->odd = 0;
    r->line_at = r->line_n = 0;
    r->is_cut = r->is_given = r->first_odd = false;
}

static enum ami_kind kind_of(const struct ami_reader *r)
{
    struct text name;

    if (r->first_odd || r->count == 0)
        return AMI_FORGED;
    name = name_at(r, &r->headers[0]);
    if (r->side == AMI_FROM_CLIENT)
        return text_eq_nocase(name, TEXT("Action")) ? AMI_ACTION : AMI_FORGED;
    if (text_eq(name, TEXT("Event")))
        return AMI_EVENT;
    return text_eq(name, TEXT("Response")) ? AMI_RESPONSE : AMI_FORGED;
}

static int give(struct ami_reader *r, struct ami_message *out)
{
    r->is_given = true;
    *out = (struct ami_message){ .kind = kind_of(r), .name = r->count ? value_at(r, &r->headers[0]) : TEXT(""), .count = r->count,
                                 .duplicates = r->duplicates, .odd = r->odd, .is_cut = r->is_cut, .reader = r };
    return 1;
}

static int give_banner(struct ami_reader *r, size_t length, struct ami_message *out)
{
    r->banner_due = false;
    r->is_given = true;
    *out = (struct ami_message){ .kind = AMI_BANNER, .name = text_make(r->raw.p, length), .reader = r };
    return 1;
}

static void take(struct ami_reader *r, struct text piece)
{
    r->line_n += piece.n;
    r->last[0] = piece.n > 1 ? piece.p[piece.n - 2] : r->last[1];
    r->last[1] = piece.p[piece.n - 1];
    if (r->is_cut)
        return;
    if (piece.n > r->bytes_max - r->raw.n) {
        r->is_cut = true;
        r->raw.n = r->line_at;
        return;
    }
    (void)buf_add_text(&r->raw, piece);
}

/* The line is whole. 1: so is the message. */
static int end_line(struct ami_reader *r, struct ami_message *out)
{
    const size_t ending = r->line_n > 1 && r->last[0] == '\r' ? 2 : 1, length = r->line_n - ending;
    int err = 0;

    if (r->banner_due)
        return give_banner(r, length, out);
    if (length == 0) {
        if (r->count || r->odd || r->is_cut)
            return give(r, out);
        r->blanks++;
        begin(r);
        return 0;
    }
    if (!r->is_cut) {
        r->raw.n -= ending;
        err = add_header(r, text_make(r->raw.p + r->line_at, length));
        r->line_at = r->raw.n;
    }
    r->line_n = 0;
    return err;
}

static bool line_is_whole(const struct ami_reader *r)
{
    return r->last[1] == '\n' && (r->side == AMI_FROM_CLIENT || (r->line_n > 1 && r->last[0] == '\r'));
}

static int read_some(struct ami_reader *r, struct text *in, struct ami_message *out)
{
    const char *lf = memchr(in->p, '\n', in->n);
    const struct text piece = lf ? text_head(*in, (size_t)(lf - in->p) + 1) : *in;

    *in = text_skip(*in, piece.n);
    take(r, piece);
    if (r->raw.err)
        return r->raw.err;
    if (r->banner_due && r->line_n > AMI_BANNER_MAX)
        return -EPROTO;
    return line_is_whole(r) ? end_line(r, out) : 0;
}

int ami_read(struct ami_reader *r, struct text *in, struct ami_message *out)
{
    int got = r->err;

    if (r->is_given)
        begin(r);
    while (got == 0 && in->n > 0)
        got = read_some(r, in, out);
    if (got < 0)
        r->err = got;
    return got;
}

void ami_reader_init(struct ami_reader *r, enum ami_side side, size_t bytes_max)
{
    *r = (struct ami_reader){ .side = side, .bytes_max = bytes_max ? bytes_max : AMI_BYTES_MAX,
                              .banner_due = side == AMI_FROM_ASTERISK };
    buf_init(&r->raw, r->bytes_max);
}

void ami_reader_free(struct ami_reader *r)
{
    buf_free(&r->raw);
    free(r->headers);
    r->headers = NULL;
    r->count = r->room = 0;
}

/* ---- looking at it ---- */

struct text ami_get(const struct ami_message *m, struct text name)
{
    const struct ami_header *h = m->count ? find(m->reader, name, hash_of(name)) : NULL;

    return h ? value_at(m->reader, h) : TEXT_NONE;
}

bool ami_at(const struct ami_message *m, size_t i, struct text *name, struct text *value)
{
    if (i >= m->count)
        return false;
    *name = name_at(m->reader, &m->reader->headers[i]);
    *value = value_at(m->reader, &m->reader->headers[i]);
    return true;
}

bool ami_next_of(const struct ami_message *m, struct text name, size_t *i, struct text *value)
{
    struct text other;

    while (ami_at(m, (*i)++, &other, value))
        if (text_eq_nocase(other, name))
            return true;
    return false;
}
