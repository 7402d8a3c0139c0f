/* Builds one AGI command line that Asterisk reads as exactly one command. */
#include "wire/agi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void agi_command_init(struct agi_command *c)
{
    *c = (struct agi_command){ .err = 0 };
    buf_init(&c->line, AGI_LINE_MAX + 1);
}

void agi_command_free(struct agi_command *c)
{
    buf_free(&c->line);
}

static void set_err(struct agi_command *c, int err)
{
    if (!c->err && err)
        c->err = err == -ENOBUFS ? -EMSGSIZE : err;
}

/* LF ends a command, CR stays in the last word and spoils it, NUL ends the text inside Asterisk (seen on 22.10.1). */
static bool has_line_end(struct text t)
{
    return t.n && (memchr(t.p, '\n', t.n) || memchr(t.p, '\r', t.n) || memchr(t.p, '\0', t.n));
}

static bool is_finished(const struct agi_command *c)
{
    return c->line.n && c->line.p[c->line.n - 1] == '\n';
}

static bool is_plain_word(struct text word)
{
    for (size_t i = 0; i < word.n; i++) {
        const unsigned char b = (unsigned char)word.p[i];

        if (b <= ' ' || b == 0x7f || b == '"' || b == '\\')
            return false;
    }
    return word.n > 0;
}

/* A line that begins with "failure", in any case, ends the AGI inside Asterisk. */
static bool ends_agi(struct text line)
{
    return text_starts_nocase(line, TEXT("failure"));
}

static void add_gap(struct agi_command *c)
{
    if (c->line.n)
        set_err(c, buf_add_char(&c->line, ' '));
}

void agi_command_word(struct agi_command *c, struct text word)
{
    if (!is_plain_word(word) || is_finished(c) || (c->line.n == 0 && ends_agi(word))) {
        set_err(c, -EINVAL);
        return;
    }
    add_gap(c);
    set_err(c, buf_add_text(&c->line, word));
}

void agi_command_quoted(struct agi_command *c, struct text value)
{
    if (has_line_end(value) || is_finished(c) || (c->line.n == 0 && value.n == 0)) {
        set_err(c, -EINVAL);
        return;
    }
    add_gap(c);
    set_err(c, buf_add_char(&c->line, '"'));
    while (value.n && !c->err) {
        size_t plain = 0;

        while (plain < value.n && value.p[plain] != '"' && value.p[plain] != '\\')
            plain++;
        set_err(c, buf_add_text(&c->line, text_head(value, plain)));
        value = text_skip(value, plain);
        if (value.n && !c->err) {
            const char escaped[2] = { '\\', value.p[0] };

            set_err(c, buf_add(&c->line, escaped, sizeof escaped));
            value = text_skip(value, 1);
        }
    }
    set_err(c, buf_add_char(&c->line, '"'));
}

void agi_command_int(struct agi_command *c, int64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRId64, value);
    agi_command_word(c, text_of(digits));
}

void agi_command_raw(struct agi_command *c, struct text line)
{
    const struct text seen = text_trim(line);

    if (has_line_end(line) || c->line.n || seen.n == 0 || ends_agi(seen)) {
        set_err(c, -EINVAL);
        return;
    }
    set_err(c, buf_add_text(&c->line, line));
}

void agi_command_script(struct agi_command *c, struct text line)
{
    if (c->line.n || text_find(line, '\n') >= 0 || text_find(line, '\0') >= 0 || ends_agi(line))
        set_err(c, -EINVAL);
    else if (line.n > AGI_LINE_MAX)
        set_err(c, -EMSGSIZE);
    set_err(c, buf_add_text(&c->line, line));
    set_err(c, buf_add_char(&c->line, '\n'));
}

int agi_command_finish(struct agi_command *c, struct text *out)
{
    if (!c->err && c->line.n == 0)
        set_err(c, -EINVAL);
    /* At 8192 bytes Asterisk runs the rest as a second command: the way to inject one (seen on 22.10.1). */
    if (!c->err && !is_finished(c)) {
        if (c->line.n > AGI_LINE_MAX)
            set_err(c, -EMSGSIZE);
        else
            set_err(c, buf_add_char(&c->line, '\n'));
    }
    if (c->err)
        return c->err;
    *out = buf_text(&c->line);
    return 0;
}
