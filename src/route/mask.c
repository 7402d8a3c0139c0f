/* Replaces the digits of known numbers in a text. */
#include "route/mask.h"

#include <stdio.h>
#include <string.h>

enum { DIGITS_MIN = 3, ALONE_MAX = 4, SUFFIX_MIN = 7, BETWEEN_MAX = 2 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_between(char c)
{
    return c == ' ' || c == '-' || c == '.' || c == '/' || c == '(' || c == ')';
}

/* "0000000001" for the first, and so on: as long as the number itself. */
static void hide(struct mask_number *number, size_t index)
{
    memset(number->hidden, '0', number->n);
    number->hidden[number->n - 1] = (char)('1' + index);
}

static void learn(struct mask *m, struct text value)
{
    struct mask_number *number = &m->number[m->count];

    if (m->count == MASK_NUMBERS_MAX)
        return;
    number->n = 0;
    for (size_t i = 0; i < value.n && number->n < MASK_DIGITS_MAX; i++)
        if (is_digit(value.p[i]))
            number->digits[number->n++] = value.p[i];
    if (number->n < DIGITS_MIN)
        return;
    for (size_t i = 0; i < m->count; i++)
        if (m->number[i].n == number->n && memcmp(m->number[i].digits, number->digits, number->n) == 0)
            return;
    hide(number, m->count++);
}

void mask_learn(struct mask *m, const struct agi_env *env)
{
    struct text name, value;

    m->count = 0;
    for (size_t i = 0; agi_env_at(env, i, &name, &value); i++)
        if (text_eq(name, TEXT("agi_callerid")) || text_eq(name, TEXT("agi_dnid")) || text_eq(name, TEXT("agi_rdnis")))
            learn(m, value);
}

/* Length of text that holds the digits from `from` on, or 0. */
static size_t matches(const struct mask_number *number, size_t from, const char *p, size_t n)
{
    size_t at = 0, between = 0;

    for (size_t k = from; k < number->n; at++) {
        if (at == n)
            return 0;
        if (p[at] == number->digits[k]) {
            k++;
            between = 0;
        } else if (k == from || !is_between(p[at]) || ++between > BETWEEN_MAX) {
            return 0;
        }
    }
    return at;
}

static void replace(const struct mask_number *number, size_t from, char *p, size_t n)
{
    for (size_t at = 0, k = from; at < n; at++)
        if (is_digit(p[at]))
            p[at] = number->hidden[k++];
}

/* The longest that begins here; returns how many bytes were dealt with. */
static size_t hide_at(const struct mask *m, char *p, size_t n, bool after_digit)
{
    size_t best = 0, best_digits = 0, best_from = 0;
    const struct mask_number *which = NULL;

    for (size_t i = 0; i < m->count; i++) {
        const struct mask_number *number = &m->number[i];

        for (size_t from = 0; from == 0 || from + SUFFIX_MIN <= number->n; from++) {
            const size_t len = number->n - from > best_digits ? matches(number, from, p, n) : 0;

            if (!len || (number->n <= ALONE_MAX && (after_digit || (len < n && is_digit(p[len])))))
                continue;
            which = number;
            best = len;
            best_digits = number->n - from;
            best_from = from;
        }
    }
    if (which)
        replace(which, best_from, p, best);
    return which ? best : 1;
}

void mask_text(const struct mask *m, char *p, size_t n)
{
    bool after_digit = false;

    for (size_t i = 0; i < n;) {
        const bool digit = is_digit(p[i]);

        i += digit ? hide_at(m, p + i, n - i, after_digit) : 1;
        after_digit = digit;
    }
}

void mask_add(const struct mask *m, struct buf *out, struct text t)
{
    const size_t from = out->n;

    if (t.n > 0 && buf_add_text(out, t) == 0)
        mask_text(m, out->p + from, t.n);
}
