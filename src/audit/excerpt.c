/* Lays a line out in columns and cuts a window of it. */
#include "audit/excerpt.h"

#include <string.h>

#include "audit/clean.h"
#include "audit/mask.h"

enum { TAB = 4, BEFORE = 30 };

/* One thing that is shown: a character, a blank of a tab, "***". */
struct cell {
    struct text shown;
    unsigned columns;
    unsigned from, to;             /* bytes of the line, from 0 */
};

struct walk {
    struct text line;
    const unsigned char *mask;
    size_t i;
    unsigned column;
};

static bool walk_next(struct walk *w, struct cell *out)
{
    struct text rest;

    while (w->i < w->line.n && w->mask[w->i] == MASK_GONE)
        w->i++;
    if (w->i >= w->line.n)
        return false;
    out->from = (unsigned)w->i;
    if (w->mask[w->i] == MASK_HIDDEN) {
        while (w->i < w->line.n && w->mask[w->i] == MASK_HIDDEN)
            w->i++;
        out->shown = TEXT("***");
        out->columns = 3;
    } else if (w->line.p[w->i] == '\t') {
        out->columns = TAB - w->column % TAB;
        out->shown = text_head(TEXT("    "), out->columns);
        w->i++;
    } else {
        rest = text_skip(w->line, w->i);
        out->shown = clean_next(&rest, &out->columns);
        w->i = w->line.n - rest.n;
    }
    out->to = (unsigned)w->i;
    w->column += out->columns;
    return true;
}

/* How many bytes the mark underlines: a word, or a whole ${...}. */
static unsigned length_at(struct text line, unsigned from)
{
    unsigned i = from, depth = 0;

    for (; i < line.n; i++) {
        const char c = line.p[i];

        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        else if (depth == 0 && strchr(" \t,();=]}", c))
            break;
    }
    return i > from ? i - from : 1;
}

struct window {
    unsigned first, last;          /* columns shown, last not included */
    bool cut_left, cut_right;
};

static struct window window_of(unsigned width, unsigned mark)
{
    struct window w = { .last = width };

    if (width <= EXCERPT_COLUMNS)
        return w;
    w.first = mark > BEFORE && mark + EXCERPT_COLUMNS / 2 > EXCERPT_COLUMNS ? mark - BEFORE : 0;
    w.last = w.first + EXCERPT_COLUMNS;
    if (w.last >= width) {
        w.last = width;
        w.first = width - EXCERPT_COLUMNS;
    }
    w.cut_left = w.first > 0;
    w.cut_right = w.last < width;
    w.first += w.cut_left ? 3 : 0;
    w.last -= w.cut_right ? 3 : 0;
    return w;
}

static void put(char *out, size_t *n, struct text t)
{
    if (*n + t.n < EXCERPT_BYTES) {
        memcpy(out + *n, t.p, t.n);
        *n += t.n;
    }
}

/* A cell that the window cuts through is left out; blanks keep the columns. */
static void lay_out(struct excerpt *out, struct walk w, struct window win)
{
    struct cell c;
    size_t n = 0;

    if (win.cut_left)
        put(out->line, &n, TEXT("..."));
    for (unsigned column = 0; walk_next(&w, &c); column += c.columns) {
        if (column >= win.first && column + c.columns <= win.last)
            put(out->line, &n, c.shown);
        else
            for (unsigned k = column; k < column + c.columns; k++)
                if (k >= win.first && k < win.last)
                    put(out->line, &n, TEXT(" "));
    }
    if (win.cut_right)
        put(out->line, &n, TEXT("..."));
    while (n && out->line[n - 1] == ' ')
        n--;
    out->line[n] = '\0';
}

struct spot {
    unsigned column, width, total;
};

static struct spot spot_of(struct walk w, unsigned from, unsigned length)
{
    struct spot s = { 0 };
    struct cell c;
    bool is_met = false;

    for (unsigned column = 0; walk_next(&w, &c); column += c.columns) {
        s.total = column + c.columns;
        if (c.to <= from || c.from >= from + length)
            continue;
        if (!is_met)
            s.column = column;
        is_met = true;
        s.width = column + c.columns - s.column;
    }
    return s;
}

/* The line and its mask; false: not to be shown. */
static enum excerpt_state look_up(struct source *s, const struct conf_place *place, struct text *line, unsigned char mask[CONF_LINE_MAX])
{
    *line = source_line(s, place->file, place->line);
    if (!line->p)
        return EXCERPT_NONE;
    return mask_line(place->file, *line, mask) ? EXCERPT_SHOWN : EXCERPT_HIDDEN;
}

void excerpt_make(struct excerpt *out, struct source *s, const struct conf_place *place)
{
    unsigned char mask[CONF_LINE_MAX];
    struct walk w = { .mask = mask };
    struct window win;
    struct spot spot;
    const unsigned from = place->column ? place->column - 1 : 0;

    *out = (struct excerpt){ .state = look_up(s, place, &w.line, mask) };
    if (out->state != EXCERPT_SHOWN)
        return;
    spot = spot_of(w, from, from < w.line.n ? length_at(w.line, from) : 0);
    win = window_of(spot.total, spot.column);
    lay_out(out, w, win);
    if (!*out->line)
        out->state = EXCERPT_NONE;
    if (spot.width == 0 || spot.column >= win.last)
        return;
    if (spot.column + spot.width > win.last)
        spot.width = win.last - spot.column;
    out->mark = spot.column - win.first + (win.cut_left ? 3 : 0);
    out->mark_width = spot.width;
}

int excerpt_plain(struct buf *out, struct source *s, const struct conf_place *place)
{
    unsigned char mask[CONF_LINE_MAX];
    struct walk w = { .mask = mask };
    const size_t began = out->n;
    struct cell c;

    if (look_up(s, place, &w.line, mask) != EXCERPT_SHOWN)
        return out->err;
    while (walk_next(&w, &c)) {
        const bool is_blank = c.shown.p[0] == ' ';

        if (!is_blank || (out->n > began && out->p[out->n - 1] != ' '))
            buf_add_text(out, is_blank ? TEXT(" ") : c.shown);
    }
    while (!out->err && out->n > began && out->p[out->n - 1] == ' ')
        out->n--;
    return out->err;
}
