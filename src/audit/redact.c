/* Takes out of sentences what the lines they speak of keep hidden: a rule may quote a part of a line, and cannot know that it is a secret. */
#include "audit/audit_internal.h"

#include <errno.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/mask.h"
#include "audit/source.h"

enum { PIECE_MIN = 3, SENTENCE_MAX = 2048 };

struct hidden {
    struct text line;
    unsigned char mask[CONF_LINE_MAX];
    bool is_all;                   /* nobody can be sure of any of it */
};

static bool is_border(char c)
{
    return c == ' ' || c == '\t' || strchr(",()\"'=&|", c) != NULL;
}

/* The next hidden piece of the line from *i on. False: there is none. */
static bool next_piece(const struct hidden *h, size_t *i, struct text *out)
{
    while (*i < h->line.n) {
        size_t from = *i, n = 0;

        while (from + n < h->line.n && (h->is_all || h->mask[from + n] == MASK_HIDDEN) && !is_border(h->line.p[from + n]))
            n++;
        *i = from + n + (n == 0);
        *out = text_make(h->line.p + from, n);
        if (n >= PIECE_MIN && !text_starts(*out, TEXT("${")))
            return true;
    }
    return false;
}

/* The sentence is cleaned already, and may be cut at its end. */
static size_t matches(struct text sentence, size_t at, struct text piece)
{
    const struct text rest = text_skip(sentence, at);
    unsigned columns;
    size_t n = 0;

    while (piece.n && n < rest.n) {
        const struct text one = clean_next(&piece, &columns);

        if (!text_starts(text_skip(rest, n), one))
            return 0;
        n += one.n;
    }
    return piece.n == 0 || n >= PIECE_MIN ? n : 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A hidden word that is the tail or the head of a longer word in the sentence ("SMS" of QUECTEL_SEND_SMS) is not what was hidden. */
static bool is_part(struct text sentence, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_letter(sentence.p[at + i]))
            return false;
    return (at > 0 && is_letter(sentence.p[at - 1])) || (at + n < sentence.n && is_letter(sentence.p[at + n]));
}

/* How many bytes there are hidden; the longest piece counts. */
static size_t hidden_at(const struct hidden *h, struct text sentence, size_t at)
{
    struct text piece;
    size_t longest = 0;

    for (size_t i = 0; next_piece(h, &i, &piece);) {
        const size_t n = matches(sentence, at, piece);

        if (n > longest && !is_part(sentence, at, n))
            longest = n;
    }
    return longest;
}

/* Quoted text and ${...} come from the file, the other words are the rule's. */
static void span_of(struct text t, size_t *from, size_t *to)
{
    const ptrdiff_t first = text_find(t, '"'), last = text_rfind(t, '"'), variable = text_find_text(t, TEXT("${"));
    const ptrdiff_t end = text_rfind(t, '}');

    *from = first >= 0 ? (size_t)first : t.n;
    *to = first >= 0 ? (last > first ? (size_t)last : t.n) : 0;
    if (variable >= 0 && (size_t)variable < *from)
        *from = (size_t)variable;
    if (variable >= 0 && (end < variable || (size_t)end > *to))
        *to = end < variable ? t.n : (size_t)end;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

/* Behind "secret=" in a name that the sentence quotes: how many bytes to hide at the "=" at that place. A name may hold the settings of an account
 * (a generator wrote [from-trunk-type=friend secret=... host=...]; seen), and the line of the finding need not be the one with the name. */
static size_t value_behind(struct text t, size_t at)
{
    size_t from = at, n = 0;

    while (from > 0 && is_word(t.p[from - 1]))
        from--;
    if (from == at || !mask_speaks_of_secrets(text_make(t.p + from, at - from)))
        return 0;
    while (at + 1 + n < t.n && !strchr(" \t\",()", t.p[at + 1 + n]))
        n++;
    return n;
}

static int redact_text(struct audit *a, struct source *s, const struct conf_place *place, const char **text)
{
    const struct text t = text_of(*text);
    struct hidden h = { .line = TEXT_NONE };
    char out[SENTENCE_MAX];
    size_t from, to, n = 0;
    bool is_changed = false;

    span_of(t, &from, &to);
    if (from >= to)
        return 0;
    h.line = source_line(s, place->file, place->line);
    if (!h.line.p)
        return 0;
    h.is_all = !mask_line(place->file, h.line, h.mask);
    if (h.line.n > CONF_LINE_MAX)
        h.line.n = CONF_LINE_MAX;  /* more of it does not stand in a sentence */
    for (size_t i = 0, skip; i < t.n && n + 4 < sizeof out; i += skip ? skip : 1) {
        skip = i >= from && i < to ? hidden_at(&h, t, i) : 0;
        if (!skip && i > from && i < to && t.p[i - 1] == '=')
            skip = value_behind(t, i - 1);
        if (skip) {
            if (n >= 4 && memcmp(out + n - 4, "*** ", 4) == 0)
                n -= 4;            /* words in a row are one */
            memcpy(out + n, "***", 3);
            n += 3;
            is_changed = true;
        } else {
            out[n++] = t.p[i];
        }
    }
    if (is_changed)
        *text = arena_text(a->memory, text_make(out, n));
    return *text ? 0 : -ENOMEM;
}

static int redact_finding(struct audit *a, struct source *s, struct audit_finding *f)
{
    int err = redact_text(a, s, &f->place, &f->message);

    if (!err && f->hint)
        err = redact_text(a, s, &f->place, &f->hint);
    for (size_t i = 0; !err && i < f->path_count; i++)
        err = redact_text(a, s, &f->path[i].place, &((struct audit_step *)f->path)[i].text); /* the arena's, made by audit_path */
    return err;
}

int audit_redact(struct audit *a)
{
    struct source *s;
    int err = source_open(&s, a->opt.source);

    if (err)
        return err;
    for (size_t i = 0; !err && i < a->finding_count; i++)
        err = redact_finding(a, s, &a->findings[i]);
    if (!err)
        err = source_error(s);
    source_free(s);
    return err;
}
