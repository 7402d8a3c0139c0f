/* Turns a file's bytes into logical lines: without comments, escapes of ";" and outer blanks, each byte with its column.
 * Follows main/config.c:config_text_file_load of 22.10.1; every oddity was seen on the running server. */
#include "wire/conf_internal.h"

#include <string.h>

unsigned conf_column(const struct conf_line *l, const char *at)
{
    const size_t i = (size_t)(at - l->p);

    return i < l->n ? l->columns[i] : l->columns[l->n - 1] + 1u;
}

void conf_lexer_file(struct conf_lexer *x, const char *file, struct text content)
{
    x->file = file;
    x->number = 0;
    x->rest = text_starts(content, TEXT("\xef\xbb\xbf")) ? text_skip(content, CONF_BOM_BYTES) : content;
}

static struct conf_place place_at(const struct conf_lexer *x, size_t offset)
{
    return (struct conf_place){ .file = x->file, .line = x->number, .column = (unsigned)offset + 1 };
}

/* The next line of the file, its LF and what follows a NUL removed. False at the end. */
static bool raw_line(struct conf_lexer *x, struct conf_build *b, struct text *out)
{
    const char *nul;

    do {
        if (!x->rest.n || !text_cut(&x->rest, '\n', out))
            return false;
        x->number++;
        nul = out->n ? memchr(out->p, '\0', out->n < CONF_LINE_MAX ? out->n : CONF_LINE_MAX) : NULL;
        if (nul) {
            *out = text_head(*out, (size_t)(nul - out->p));
            conf_problem(b, CONF_WARNING, place_at(x, out->n), "a NUL byte: the rest of the line is ignored");
        }
        /* The limit counts the LF. Asterisk does not even look for comments in such a line. */
        if (out->n >= CONF_LINE_MAX)
            conf_problem(b, CONF_ERROR, place_at(x, CONF_LINE_MAX - 1),
                         "a line of %zu bytes: Asterisk skips lines over %d bytes, so it is not read", out->n,
                         CONF_LINE_MAX - 1);
    } while (out->n >= CONF_LINE_MAX);
    return true;
}

static char byte_at(struct text raw, size_t i)
{
    return i < raw.n ? raw.p[i] : '\0';
}

/* ";--" opens a block unless a third dash follows. */
static bool is_opening(struct text raw, size_t i)
{
    return byte_at(raw, i + 1) == '-' && byte_at(raw, i + 2) == '-' && byte_at(raw, i + 3) != '-';
}

static bool is_closing(struct text raw, size_t from, size_t i)
{
    return i >= from + 2 && raw.p[i - 1] == '-' && raw.p[i - 2] == '-';
}

static void open_block(struct conf_lexer *x, struct conf_build *b, size_t i)
{
    if (x->depth >= CONF_BLOCK_DEPTH) {
        /* Asterisk itself never leaves this line again. */
        conf_problem(b, CONF_ERROR, place_at(x, i), "block comments nest deeper than %d", CONF_BLOCK_DEPTH);
        return;
    }
    x->depth++;
    if (x->depth > 0)
        x->open[x->depth - 1] = place_at(x, i);
}

static void close_block(struct conf_lexer *x, struct conf_build *b, size_t i)
{
    if (x->depth == 0)
        conf_problem(b, CONF_ERROR, place_at(x, i - 2),
                     "\"--;\" without \";--\" before it: Asterisk ignores all lines up to the next \";--\"");
    if (x->depth > -CONF_BLOCK_DEPTH)
        x->depth--;
}

static void emit(struct conf_line *out, char c, size_t offset)
{
    out->store[out->n] = c;
    out->column_store[out->n++] = (uint16_t)(offset + 1);
}

/* Copies what is no comment. `from` is where Asterisk's own search stands: an escape or a "--;" may not reach back over it. */
static void strip_comments(struct conf_lexer *x, struct conf_build *b, struct text raw, struct conf_line *out)
{
    bool is_live = x->depth == 0;
    size_t from = 0;

    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] != ';') {
            if (is_live)
                emit(out, raw.p[i], i);
        } else if (i > from && raw.p[i - 1] == '\\') {
            if (is_live)
                out->store[out->n - 1] = ';';
            from = i + 1;
        } else if (is_opening(raw, i)) {
            open_block(x, b, i);
            is_live = false;
            i += 2;
            from = i + 1;
        } else if (is_closing(raw, from, i)) {
            close_block(x, b, i);
            from = i + 1;
            if (is_live)
                emit(out, ';', i);
            is_live = is_live || x->depth == 0;
        } else if (x->depth == 0) {
            return;
        } else {
            if (is_live)
                emit(out, ';', i);
            from = i + 1;
        }
    }
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static void trim(struct conf_line *out)
{
    size_t lead = 0;

    while (out->n && is_blank(out->store[out->n - 1]))
        out->n--;
    while (lead < out->n && is_blank(out->store[lead]))
        lead++;
    out->p = out->store + lead;
    out->columns = out->column_store + lead;
    out->n -= lead;
}

bool conf_lexer_next(struct conf_lexer *x, struct conf_build *b, struct conf_line *out)
{
    struct text raw;

    while (raw_line(x, b, &raw)) {
        out->n = 0;
        strip_comments(x, b, raw, out);
        trim(out);
        out->number = x->number;
        if (out->n)
            return true;
    }
    return false;
}

void conf_lexer_end(struct conf_lexer *x, struct conf_build *b)
{
    const struct conf_place *open = x->depth > 0 ? &x->open[x->depth - 1] : NULL;

    if (!open || (open->file == x->told.file && open->line == x->told.line && open->column == x->told.column))
        return;
    conf_problem(b, CONF_ERROR, *open, "block comment \";--\" is never closed by \"--;\": the rest of the file is ignored");
    x->told = *open;
}
