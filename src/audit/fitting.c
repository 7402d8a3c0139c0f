/* Compares two patterns element by element. */
#include "audit/fitting.h"

enum { DIGITS_ALL = 0x3ff, SOMETHING_ELSE = 0x400, OPEN = -1, END = 0 };

/* The characters that the next element takes: a bit for each digit; a letter or a sign as SOMETHING_ELSE with *sign. OPEN: "." or "!", which is in *sign. */
static int element_cut(struct text *t, bool is_pattern, char *sign)
{
    char c;

    *sign = '\0';
    if (!t->n)
        return END;
    c = t->p[0];
    *t = text_skip(*t, 1);
    if (is_pattern && (c == '.' || c == '!')) {
        *sign = c;
        return OPEN;
    }
    if (is_pattern && (c == 'X' || c == 'x'))
        return DIGITS_ALL;
    if (is_pattern && (c == 'Z' || c == 'z'))
        return DIGITS_ALL & ~1;
    if (is_pattern && (c == 'N' || c == 'n'))
        return DIGITS_ALL & ~3;
    if (is_pattern && c == '[') { /* a set: its digits are not looked at, and it may hold signs */
        while (t->n && t->p[0] != ']')
            *t = text_skip(*t, 1);
        *t = text_skip(*t, t->n ? 1 : 0);
        return DIGITS_ALL | SOMETHING_ELSE;
    }
    if (c >= '0' && c <= '9')
        return 1 << (c - '0');
    *sign = c;
    return SOMETHING_ELSE;
}

static struct text elements_of(struct text name, bool *is_pattern)
{
    *is_pattern = text_starts(name, TEXT("_"));
    return *is_pattern ? text_skip(name, 1) : name;
}

bool fitting_is_bounded(const struct dialplan_extension *running, struct text jump, size_t *skipped)
{
    bool is_pattern;
    struct text name = elements_of(running->name, &is_pattern);
    int64_t value = 0;

    *skipped = 0;
    if (text_starts(jump, TEXT("${EXTEN:")) && text_ends(jump, TEXT("}")) && jump.n > 9) {
        if (text_to_i64(text_make(jump.p + 8, jump.n - 9), &value) || value < 0 || value > 64)
            return false;
        *skipped = (size_t)value;
    } else if (!text_eq(jump, TEXT("${EXTEN}"))) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++)
        if (is_pattern && (name.p[i] == '.' || name.p[i] == '!' || name.p[i] == '-' || name.p[i] == '$'))
            return false;
    return name.n > 0;
}

bool fitting_may_match(const struct dialplan_extension *running, size_t skipped, struct text extension)
{
    bool is_pattern, is_other_pattern;
    struct text one = elements_of(running->name, &is_pattern), other = elements_of(extension, &is_other_pattern);
    char sign, other_sign;

    if (text_find(other, '-') >= 0 || text_find(other, '$') >= 0)
        return true;
    for (size_t i = 0; i < skipped; i++)
        if (element_cut(&one, is_pattern, &sign) == END)
            return false;
    for (;;) {
        const int mine = element_cut(&one, is_pattern, &sign), theirs = element_cut(&other, is_other_pattern, &other_sign);

        if (theirs == OPEN)
            return mine != END || other_sign == '!'; /* "." takes one more at least */
        if (mine == END || theirs == END)
            return mine == theirs;
        if (sign || other_sign ? sign != other_sign && (!(mine & SOMETHING_ELSE) || !(theirs & SOMETHING_ELSE) || (sign && other_sign)) : !(mine & theirs))
            return false;
    }
}
