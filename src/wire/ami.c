/* Reads AMI messages out of a byte stream. */
#include "wire/ami.h"

#include <stdlib.h>
#include <string.h>

#include "wire/name_hash.h"

enum { HEADERS_STEP = 64 };

/* Names that Asterisk itself repeats in one message (seen on 22.10.1; and Action: Originate's Variable). */
static bool repeats_lawfully(struct text name)
{
    return text_eq_nocase(name, TEXT("Output")) || text_eq_nocase(name, TEXT("ChanVariable")) ||
           text_eq_nocase(name, TEXT("Variable"));
}

static const char *base_of(const struct ami_reader *r)
{
    return r->base ? r->base : r->raw.p;
}

static struct text name_at(const struct ami_reader *r, const struct ami_header *h)
{
    return text_make(base_of(r) + h->name_at, h->name_n);
}

static struct text value_at(const struct ami_reader *r, const struct ami_header *h)
{
    return text_make(base_of(r) + h->value_at, h->value_n);
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

    more = realloc(r->headers, (r->room + HEADERS_STEP) * sizeof *more);
    if (!more)
        return -ENOMEM;
    r->headers = more;
    r->room += HEADERS_STEP;
    return 0;
}

/* Asterisk puts one blank behind the colon and reads any number of them (manager.c: astman_get_header). */
static size_t blanks_before(const struct ami_reader *r, const char *value, size_t length)
{
    size_t n = 0;

    if (r->side == AMI_FROM_ASTERISK)
        return length > 0 && value[0] == ' ';
    while (n < length && (value[n] == ' ' || value[n] == '\t'))
        n++;
    return n;
}

/* Where the colon is, or length. Names are short: eight bytes at a time beat a call of memchr. */
static size_t colon_at(const char *line, size_t length)
{
    const uint64_t colons = UINT64_C(0x3a3a3a3a3a3a3a3a), ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    size_t at = 0;

    for (; at + 8 <= length; at += 8) {
        uint64_t w, zero;

        memcpy(&w, line + at, 8);
        w = le64toh(w) ^ colons;
        zero = (w - ones) & ~w & tops; /* its lowest bit stands in the first byte that is a colon */
        if (zero)
            return at + (size_t)__builtin_ctzll(zero) / 8;
    }
    while (at < length && line[at] != ':')
        at++;
    return at;
}

static bool is_first_of_name(const struct ami_reader *r, const struct ami_header *h, const char *base)
{
    for (uint32_t i = r->heads[h->hash % 64]; i; i = r->headers[i - 1].next) {
        const struct ami_header *o = &r->headers[i - 1];

        if (o->hash == h->hash && text_eq_nocase(text_make(base + o->name_at, o->name_n), text_make(base + h->name_at, h->name_n)))
            return false;
    }
    return true;
}

/* Repeated names stay in the list but not in the index: the first one wins. */
static int add_header(struct ami_reader *r, const char *base, const char *line, size_t length)
{
    const size_t colon = colon_at(line, length), after = colon + 1;
    struct ami_header *h;
    size_t blanks;

    if (colon == 0 || colon == length) {
        r->first_odd |= r->count == 0;
        r->odd++;
        return 0;
    }
    if (r->count == AMI_HEADERS_MAX) {
        r->is_cut = true;
        return 0;
    }
    if (r->count == r->room && make_room(r))
        return -ENOMEM;
    blanks = blanks_before(r, line + after, length - after);
    h = &r->headers[r->count++];
    h->name_at = (uint32_t)(line - base);
    h->name_n = (uint32_t)colon;
    h->value_at = (uint32_t)((size_t)(line - base) + after + blanks);
    h->value_n = (uint32_t)(length - after - blanks);
    h->hash = name_hash(line, colon);
    h->next = 0;
    if (is_first_of_name(r, h, base)) {
        h->next = r->heads[h->hash % 64];
        r->heads[h->hash % 64] = (uint16_t)r->count;
    } else {
        r->duplicates += !repeats_lawfully(text_make(line, colon));
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
    r->base = NULL;
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
        err = add_header(r, r->raw.p, r->raw.p + r->line_at, length);
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

/* ---- the message that came whole ---- */

/* The LF that ends the line, or NULL. A lone LF from Asterisk ends nothing. */
static const char *line_end(const struct ami_reader *r, const char *line, const char *end)
{
    const char *lf = memchr(line, '\n', (size_t)(end - line));

    if (r->side == AMI_FROM_ASTERISK)
        while (lf && (lf == line || lf[-1] != '\r'))
            lf = memchr(lf + 1, '\n', (size_t)(end - lf - 1));
    return lf;
}

/* Reads a message where it lies, if all of it is there and within the ceilings: else 0, and read_some is to take it, piece by piece. That one
 * is the measure: both give the same for the same bytes (tests/unit/t_ami.c and the fuzzer compare them). */
static int read_whole(struct ami_reader *r, struct text *in, struct ami_message *out)
{
    const char *const end = in->p + in->n, *line = in->p, *lf;

    r->base = line;
    while ((lf = line_end(r, line, end)) && (size_t)(lf - r->base) < r->bytes_max && r->count < AMI_HEADERS_MAX) {
        const size_t length = (size_t)(lf - line) - (lf > line && lf[-1] == '\r');

        if (length > 0) {
            if (add_header(r, r->base, line, length))
                return -ENOMEM;
        } else if (r->count || r->odd) {
            r->base_n = (size_t)(line - r->base);
            *in = text_skip(*in, (size_t)(lf + 1 - in->p));
            return give(r, out);
        } else {
            r->blanks++;
            *in = text_skip(*in, (size_t)(lf + 1 - in->p));
            r->base = lf + 1;
        }
        line = lf + 1;
    }
    begin(r);
    return 0;
}

static bool is_between_messages(const struct ami_reader *r)
{
    return !r->banner_due && r->line_n == 0 && r->raw.n == 0 && r->count == 0 && r->odd == 0 && !r->is_cut;
}

int ami_read(struct ami_reader *r, struct text *in, struct ami_message *out)
{
    int got = r->err;

    if (r->is_given)
        begin(r);
    if (got == 0 && in->n > 0 && is_between_messages(r))
        got = read_whole(r, in, out);
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
    const struct ami_header *h = m->count ? find(m->reader, name, name_hash(name.p, name.n)) : NULL;

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

struct text ami_text(const struct ami_message *m)
{
    const struct ami_reader *r = m->reader;

    return r->base ? text_make(r->base, r->base_n) : buf_text(&r->raw);
}

const struct ami_header *ami_header_at(const struct ami_message *m, size_t i)
{
    INVARIANT(i < m->count);
    return &m->reader->headers[i];
}

bool ami_next_of(const struct ami_message *m, struct text name, size_t *i, struct text *value)
{
    struct text other;

    while (ami_at(m, (*i)++, &other, value))
        if (text_eq_nocase(other, name))
            return true;
    return false;
}
