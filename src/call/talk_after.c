/* Keeps what a talk leaves for the dialplan, and cleans what a model would write into it. */
#include "call/talk_after.h"

#include <errno.h>
#include <string.h>

/* What substitutes a value does so before the dialplan's parser splits arguments: a comma adds one, & a leg to Dial. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != 0x7f && !strchr(",&|^\"`$\\{}[]()<>;", c);
}

/* A cut may have left the head of a character. */
static size_t whole_utf8(const char *s, size_t n)
{
    size_t back = 0;

    while (back < 3 && back < n && ((unsigned char)s[n - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < n) {
        const unsigned char lead = (unsigned char)s[n - 1 - back];
        const size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

        if (wants > back + 1)
            return n - 1 - back;
    }
    return n;
}

void talk_value_clean(char *out, size_t size, struct text value)
{
    const struct text v = text_trim(value);
    size_t n = text_copy(out, size, v);

    if (n < v.n)
        n = whole_utf8(out, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!is_plain((unsigned char)out[i]))
            out[i] = ' ';
}

int talk_after_set(struct talk_after *a, struct text name, struct text value)
{
    struct talk_variable *v = a->variables;

    while (v < a->variables + a->variable_count && !text_eq(text_of(v->name), name))
        v++;
    if (v == a->variables + TALK_VARIABLES_MAX)
        return -ENOBUFS;
    if (v == a->variables + a->variable_count) {
        text_copy(v->name, sizeof v->name, name);
        a->variable_count++;
    }
    talk_value_clean(v->value, sizeof v->value, value);
    return 0;
}

bool talk_after_is_empty(const struct talk_after *a)
{
    return !a->context[0] && a->variable_count == 0;
}
