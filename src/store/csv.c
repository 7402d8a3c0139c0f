/* Reads rows of comma-separated values, byte by byte. */
#include "store/csv.h"

#include <errno.h>
#include <string.h>

static const unsigned char mark[3] = { 0xef, 0xbb, 0xbf }; /* UTF-8 byte order mark, as spreadsheets write it */
enum { MARK_DONE = sizeof mark };

void csv_init(struct csv *c, size_t field_max)
{
    *c = (struct csv){ .state = CSV_FIELD_START, .line = 1, .row_line = 1 };
    for (size_t i = 0; i < CSV_FIELDS_MAX; i++)
        buf_init(&c->field[i], field_max);
}

void csv_free(struct csv *c)
{
    for (size_t i = 0; i < CSV_FIELDS_MAX; i++)
        buf_free(&c->field[i]);
}

struct text csv_field(const struct csv *c, size_t i)
{
    return c->field[i].p ? buf_text(&c->field[i]) : TEXT("");
}

static int fault(struct csv *c, const char *why)
{
    c->fault = why;
    return -EINVAL;
}

static void row_start(struct csv *c)
{
    for (size_t i = 0; i < CSV_FIELDS_MAX; i++)
        buf_clear(&c->field[i]);
    c->fields = 0;
    c->row_has_quote = false;
    c->row_line = c->line;
}

/* Length of the sequence that starts with this byte, with the range of its second one (RFC 3629). 0: cannot start one. */
static size_t utf8_need(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if ((first & 0xf0) == 0xe0)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static bool is_utf8(struct text t)
{
    const unsigned char *p = (const unsigned char *)t.p;
    size_t need;

    for (size_t i = 0; i < t.n; i += need) {
        unsigned char low, high;

        need = utf8_need(p[i], &low, &high);
        if (need == 0 || need > t.n - i || (need > 1 && (p[i + 1] < low || p[i + 1] > high)))
            return false;
        for (size_t k = 2; k < need; k++)
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static int field_end(struct csv *c)
{
    if (!is_utf8(csv_field(c, c->fields)))
        return fault(c, "expected UTF-8, came other bytes (save the file as UTF-8)");
    if (c->fields + 1 == CSV_FIELDS_MAX)
        return fault(c, "expected two columns, came more (a value with a comma needs quotes)");
    c->fields++;
    c->state = CSV_FIELD_START;
    return 0;
}

/* 1 when the row counts, 0 for a blank line. */
static int row_end(struct csv *c)
{
    c->state = CSV_FIELD_START;
    if (c->fields == 0 && c->field[0].n == 0 && !c->row_has_quote)
        return 0;
    if (!is_utf8(csv_field(c, c->fields)))
        return fault(c, "expected UTF-8, came other bytes (save the file as UTF-8)");
    if (c->fields + 1 < CSV_FIELDS_MAX)
        return fault(c, "expected two columns, key and value, came one");
    c->fields = CSV_FIELDS_MAX;
    return 1;
}

static int add(struct csv *c, char byte)
{
    const int err = byte ? buf_add_char(&c->field[c->fields], byte) : 0;

    if (!byte)
        return fault(c, "expected text, came a zero byte");
    return err == -ENOBUFS ? fault(c, "a field is too long") : err;
}

/* What may follow a field, whether it was quoted or not; other bytes are the caller's. */
static bool is_field_end(char byte)
{
    return byte == ',' || byte == '\n' || byte == '\r';
}

static int take_field_end(struct csv *c, char byte)
{
    if (byte == ',')
        return field_end(c);
    if (byte == '\n')
        return row_end(c);
    c->state = CSV_CR_SEEN;
    return 0;
}

static int take_unquoted(struct csv *c, char byte)
{
    if (is_field_end(byte))
        return take_field_end(c, byte);
    if (byte == '"' && c->state == CSV_PLAIN)
        return fault(c, "a quote inside a field that does not begin with one");
    c->state = byte == '"' ? CSV_QUOTED : CSV_PLAIN;
    if (byte != '"')
        return add(c, byte);
    c->row_has_quote = true;
    return 0;
}

static int take_quote_seen(struct csv *c, char byte)
{
    if (is_field_end(byte))
        return take_field_end(c, byte);
    if (byte != '"')
        return fault(c, "text after a closing quote (a quote inside quotes is written twice)");
    c->state = CSV_QUOTED;
    return add(c, byte);
}

static int take(struct csv *c, char byte)
{
    int got = 0;

    switch (c->state) {
    case CSV_FIELD_START:
    case CSV_PLAIN:
        got = take_unquoted(c, byte);
        break;
    case CSV_QUOTED:
        if (byte == '"')
            c->state = CSV_QUOTE_SEEN;
        else
            got = add(c, byte);
        break;
    case CSV_QUOTE_SEEN:
        got = take_quote_seen(c, byte);
        break;
    case CSV_CR_SEEN:
        got = byte == '\n' ? row_end(c) : fault(c, "a carriage return inside a field without quotes");
        break;
    }
    if (byte == '\n' && got >= 0) {
        c->line++;
        if (c->state == CSV_FIELD_START && got == 0)
            row_start(c); /* blank */
    }
    return got;
}

/* Bytes that began like the mark but were not it belong to the first field. */
static int take_mark(struct csv *c, char byte)
{
    const size_t seen = c->offset;
    int got = 0;

    if ((unsigned char)byte == mark[seen]) {
        c->offset++;
        return 0;
    }
    c->offset = MARK_DONE;
    for (size_t i = 0; i < seen && got == 0; i++)
        got = take(c, (char)mark[i]);
    return got ? got : take(c, byte);
}

int csv_read(struct csv *c, struct text *in)
{
    if (c->fault)
        return -EINVAL;
    if (c->fields == CSV_FIELDS_MAX)
        row_start(c);
    while (in->n) {
        const char byte = *in->p;
        const int got = c->offset < MARK_DONE ? take_mark(c, byte) : take(c, byte);

        *in = text_skip(*in, 1);
        if (got)
            return got;
    }
    return 0;
}

int csv_end(struct csv *c)
{
    if (c->fault)
        return -EINVAL;
    if (c->fields == CSV_FIELDS_MAX)
        row_start(c);
    if (c->offset > 0 && c->offset < MARK_DONE)
        return fault(c, "expected UTF-8, came other bytes (save the file as UTF-8)");
    if (c->state == CSV_QUOTED) {
        c->line = c->row_line;
        return fault(c, "a quote is opened here and never closed");
    }
    return row_end(c);
}
