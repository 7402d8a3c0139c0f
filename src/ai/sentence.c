/* Finds the ends of sentences and takes out what cannot be spoken. */
#include "ai/sentence.h"

#include <string.h>

enum {
    RAW_MAX = 64 * 1024,
    FIRST_MIN = 12,                /* bytes of a first piece that ends at a comma */
    FIRST_LONG = 60,               /* a first piece this long ends at a word */
    SHORT = 24,                    /* a sentence shorter than this, but not the first, is said with the next one */
};

void sentence_init(struct sentence *s)
{
    buf_init(&s->raw, RAW_MAX);
    s->has_first = false;
}

void sentence_free(struct sentence *s)
{
    buf_free(&s->raw);
}

void sentence_clear(struct sentence *s)
{
    buf_clear(&s->raw);
    s->has_first = false;
}

int sentence_add(struct sentence *s, struct text words)
{
    return buf_add_text(&s->raw, words);
}

/* ---- where a piece ends ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The word before t.p[dot] is one whose dot ends no sentence. */
static bool is_abbreviation(struct text t, size_t dot)
{
    static const char *const known[] = { "mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "etc", "e.g", "i.e", "approx", "inc", "ltd", "co", "jr", "sr", "ext" };
    size_t from = dot;

    while (from > 0 && !is_space(t.p[from - 1]) && t.p[from - 1] != '(')
        from--;
    const struct text word = text_make(t.p + from, dot - from);

    if (word.n == 1 && word.p[0] >= 'A' && word.p[0] <= 'Z')
        return true;               /* an initial */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_eq_nocase(word, text_of(known[i])))
            return true;
    return false;
}

/* t.p[i] ends a sentence. What follows must have come: "3." may go on with ".5". */
static bool is_end(struct text t, size_t i)
{
    const char c = t.p[i];

    if (c == '\n')
        return true;
    if (!strchr(".?!:;", c) || i + 1 >= t.n || !is_space(t.p[i + 1]))
        return false;
    if (c == '.' && ((i > 0 && is_digit(t.p[i - 1])) || is_abbreviation(t, i)))
        return false;
    return true;
}

/* Bytes of the next piece, 0: not whole yet. */
static size_t piece_find(const struct sentence *s, struct text t)
{
    size_t whole = 0;

    for (size_t i = 0; i < t.n && i < SENTENCE_MAX; i++) {
        if (is_end(t, i))
            whole = i + 1;
        else if (!s->has_first && !whole && ((t.p[i] == ',' && i + 1 < t.n && is_space(t.p[i + 1]) && i >= FIRST_MIN) ||
                                             (is_space(t.p[i]) && i >= FIRST_LONG)))
            whole = i + 1;
        if (whole && (!s->has_first || whole >= SHORT))
            return whole;
    }
    if (t.n < SENTENCE_MAX)
        return 0;
    if (whole)
        return whole;
    for (size_t i = SENTENCE_MAX; i > SENTENCE_MAX / 2; i--)
        if (is_space(t.p[i - 1]))
            return i;
    for (size_t i = SENTENCE_MAX; i > SENTENCE_MAX - 4; i--)
        if (((unsigned char)t.p[i] & 0xc0) != 0x80)
            return i;              /* no character is cut */
    return SENTENCE_MAX;
}

/* ---- what can be spoken ---- */

static size_t character_bytes(struct text t)
{
    const unsigned char c = (unsigned char)t.p[0];
    const size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return n < t.n ? n : t.n;
}

/* Pictures and their modifiers: U+1F000 and above, U+2600..27BF, U+FE0F, U+200D. */
static bool is_picture(struct text c)
{
    const unsigned char *u = (const unsigned char *)c.p;

    if (c.n == 4)
        return u[0] == 0xf0 && u[1] == 0x9f;
    if (c.n != 3)
        return false;
    return (u[0] == 0xe2 && u[1] >= 0x98 && u[1] <= 0x9e) || (u[0] == 0xef && u[1] == 0xb8 && u[2] == 0x8f) ||
           (u[0] == 0xe2 && u[1] == 0x80 && u[2] == 0x8d);
}

static size_t address_bytes(struct text t)
{
    size_t n = 0;

    if (!text_starts_nocase(t, TEXT("http://")) && !text_starts_nocase(t, TEXT("https://")))
        return 0;
    while (n < t.n && !is_space(t.p[n]) && t.p[n] != ')')
        n++;
    return n;
}

static void space_add(struct buf *out)
{
    if (out->n > 0 && out->p[out->n - 1] != ' ')
        buf_add_char(out, ' ');
}

/* "- " or "1. " of a list, "## " of a title, "> ". */
static struct text mark_skip(struct text t)
{
    size_t n = 0;

    while (n < t.n && strchr("#>-*+", t.p[n]))
        n++;
    return n > 0 && n < t.n && is_space(t.p[n]) ? text_skip(t, n + 1) : t;
}

static void speakable(struct buf *out, struct text t)
{
    bool is_word = false;

    t = mark_skip(text_trim(t));
    while (t.n > 0 && !out->err) {
        const struct text c = text_head(t, character_bytes(t));
        const size_t address = address_bytes(t);

        if (address) {
            t = text_skip(t, address);
            continue;
        }
        if (c.n == 1 && is_space(c.p[0]))
            space_add(out);
        else if (c.n == 1 && c.p[0] == '%')
            buf_add_text(out, TEXT(" percent"));
        else if (c.n == 1 && c.p[0] == '&')
            buf_add_text(out, TEXT("and"));
        else if (!(c.n == 1 && ((unsigned char)c.p[0] < 0x20 || strchr("*_`#~|<>[]{}^\\", c.p[0]))) && !is_picture(c))
            buf_add_text(out, c);
        is_word = is_word || c.n > 1 || (c.n == 1 && (is_digit(c.p[0]) || (c.p[0] | 0x20) >= 'a'));
        t = text_skip(t, c.n);
    }
    while (out->n > 0 && out->p[out->n - 1] == ' ')
        out->n--;
    if (!is_word)
        buf_clear(out);            /* a dash, a dot */
}

bool sentence_take(struct sentence *s, bool is_last, struct buf *out)
{
    while (s->raw.n > 0) {
        size_t n = piece_find(s, buf_text(&s->raw));

        if (n == 0 && !is_last)
            return false;
        if (n == 0)
            n = s->raw.n < SENTENCE_MAX ? s->raw.n : SENTENCE_MAX;
        buf_clear(out);
        speakable(out, text_head(buf_text(&s->raw), n));
        buf_drop(&s->raw, n);
        if (out->n == 0)
            continue;
        s->has_first = true;
        return true;
    }
    return false;
}
