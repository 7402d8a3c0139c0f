/* Writes AMI messages that cannot become two, and decodes the texts of AsyncAGI. */
#include "wire/ami.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_name(struct text name)
{
    for (size_t i = 0; i < name.n; i++) {
        const unsigned char c = (unsigned char)name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_()", c))))
            return false;
    }
    return name.n > 0;
}

static bool breaks_lines(struct text value)
{
    return text_find(value, '\n') >= 0 || text_find(value, '\r') >= 0 || text_find(value, '\0') >= 0;
}

void ami_write(struct ami_writer *w, struct text name, struct text value)
{
    if (w->err)
        return;
    if (!is_name(name) || breaks_lines(value))
        w->err = -EINVAL;
    else if (w->side == AMI_FROM_CLIENT && (name.n + 2 + value.n > AMI_LINE_MAX || w->lines == AMI_LINES_MAX))
        w->err = -EMSGSIZE;
    if (w->err)
        return;
    w->lines++;
    buf_add_text(&w->out, name);
    buf_add_text(&w->out, TEXT(": "));
    buf_add_text(&w->out, value);
    w->err = buf_add_text(&w->out, TEXT("\r\n"));
}

void ami_write_int(struct ami_writer *w, struct text name, int64_t value)
{
    char number[24];

    snprintf(number, sizeof number, "%" PRId64, value);
    ami_write(w, name, text_of(number));
}

void ami_writer_init(struct ami_writer *w, enum ami_side side, struct text kind, struct text name)
{
    *w = (struct ami_writer){ .side = side };
    buf_init(&w->out, AMI_BYTES_MAX);
    ami_write(w, kind, name);
}

void ami_writer_free(struct ami_writer *w)
{
    buf_free(&w->out);
}

int ami_writer_finish(struct ami_writer *w, struct text *out)
{
    if (!w->err)
        w->err = buf_add_text(&w->out, TEXT("\r\n"));
    if (!w->err)
        *out = buf_text(&w->out);
    return w->err;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int ami_uri_decode(struct buf *out, struct text t)
{
    int err = 0;

    for (size_t i = 0; !err && i < t.n; i++) {
        int high, low;

        if (t.p[i] != '%') {
            err = buf_add_char(out, t.p[i]);
            continue;
        }
        high = t.n - i > 2 ? nibble(t.p[i + 1]) : -1;
        low = t.n - i > 2 ? nibble(t.p[i + 2]) : -1;
        if (high < 0 || low < 0)
            return -EPROTO;
        err = buf_add_char(out, (char)(high << 4 | low));
        i += 2;
    }
    return err;
}
