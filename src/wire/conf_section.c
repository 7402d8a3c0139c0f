/* Reads "[name]", "[name](!)", "[name](a,b)" and "[name](+)" (main/config.c:process_text_line). */
#include "wire/conf_internal.h"

#include <errno.h>
#include <string.h>

/* One header in the making. */
struct header {
    struct conf_build *b;
    const struct conf_line *line;
    const char *file;
    struct text name;
    size_t target; /* the new section, or the one that (+) found */
    bool is_new;
};

static struct conf_place place_of(const struct header *h, const char *at)
{
    return (struct conf_place){ .file = h->file, .line = h->line->number, .column = conf_column(h->line, at) };
}

static void publish(struct conf_build *b, size_t kind, size_t section)
{
    size_t old;

    if (!conf_index_get(&b->index, kind, b->c->sections[section].name, &old) || old > section)
        if (conf_index_put(&b->index, kind, b->c->sections[section].name, section))
            b->err = -ENOMEM;
}

/* The first section of that name, among the first `count`, that is no template. The index may name one that has become a
 * template since. */
static bool find_live(struct conf_build *b, size_t count, struct text name, size_t *out)
{
    const struct conf *c = b->c;
    size_t first, at;

    if (!conf_index_get(&b->index, CONF_KEY_LIVE, name, &first))
        return false;
    for (at = first; at < count; at++)
        if (!c->sections[at].is_template && text_eq_nocase(c->sections[at].name, name))
            break;
    if (at != first && conf_index_put(&b->index, CONF_KEY_LIVE, conf_keep(b, name), at))
        b->err = -ENOMEM;
    *out = at;
    return at < count;
}

static void inherit(struct header *h, struct text name)
{
    struct conf_build *b = h->b;
    const size_t first_new = b->c->section_count - h->is_new;
    size_t base = 0;

    if (!name.n)
        conf_problem(b, CONF_WARNING, place_of(h, name.p),
                     "an empty name in the list: Asterisk takes the file's first section");
    if (name.n ? !conf_index_get(&b->index, CONF_KEY_ANY, name, &base) : !first_new) {
        conf_problem(b, CONF_ERROR, place_of(h, name.p), "no section or template \"%.*s\" above this line (blanks count)",
                     (int)(name.n < CONF_SECTION_NAME_MAX ? name.n : CONF_SECTION_NAME_MAX), name.p);
        return;
    }
    if (base == h->target) { /* Asterisk copies on until memory is gone (seen) */
        conf_problem(b, CONF_ERROR, place_of(h, name.p), "a section cannot inherit from itself");
        return;
    }
    for (size_t i = 0; i < b->c->sections[base].count; i++) {
        struct conf_item copy = b->c->sections[base].items[i];

        copy.inherited = true;
        if (++b->inherited > CONF_INHERITED_MAX)
            conf_stop(b, place_of(h, name.p), "more than 1000000 settings were inherited");
        if (!conf_item_add(b, h->target, &copy))
            return;
    }
}

/* Filters but TEMPLATES= match by regular expression: reported, then taken as if absent. */
static bool find_for_plus(struct header *h, struct text filter, size_t *at)
{
    struct conf_build *b = h->b;
    const struct text kind = text_starts(filter, TEXT("TEMPLATES=")) ? text_skip(filter, strlen("TEMPLATES=")) : TEXT_NONE;

    if (text_eq_nocase(kind, TEXT("include")))
        return conf_index_get(&b->index, CONF_KEY_ANY, h->name, at);
    if (text_eq_nocase(kind, TEXT("restrict")))
        return conf_index_get(&b->index, CONF_KEY_TEMPLATE, h->name, at);
    if (filter.n)
        conf_problem(b, CONF_ERROR, place_of(h, filter.p),
                     "the filter \"%.*s\" is not supported; TEMPLATES=include and restrict are",
                     (int)(filter.n < 40 ? filter.n : 40), filter.p);
    return find_live(b, b->c->section_count - h->is_new, h->name, at);
}

/* What the new section has inherited so far goes to the end of the older one. */
static void merge_into(struct header *h, size_t older)
{
    struct conf_build *b = h->b;

    for (size_t i = 0; i < b->c->sections[h->target].count; i++) {
        const struct conf_item item = b->c->sections[h->target].items[i];

        if (!conf_item_add(b, older, &item))
            break;
    }
    if (b->c->sections[h->target].is_template) {
        b->c->sections[older].is_template = true;
        publish(b, CONF_KEY_TEMPLATE, older);
    }
    conf_section_drop_last(b);
    h->is_new = false;
    h->target = older;
}

static void add_to_older(struct header *h, struct text element)
{
    size_t older;

    if (!find_for_plus(h, text_skip(element, 1), &older))
        conf_problem(h->b, CONF_ERROR, place_of(h, element.p),
                     "(+) finds no section [%.*s] above this line (a template needs +TEMPLATES=include)",
                     (int)(h->name.n < CONF_SECTION_NAME_MAX ? h->name.n : CONF_SECTION_NAME_MAX), h->name.p);
    else if (h->is_new)
        merge_into(h, older);
    else
        h->target = older;
}

static void read_list(struct header *h, struct text list)
{
    struct text element;

    while (!h->b->err && !h->b->is_full && text_cut(&list, ',', &element)) {
        if (text_eq(element, TEXT("!"))) {
            h->b->c->sections[h->target].is_template = true;
            if (!h->is_new)
                publish(h->b, CONF_KEY_TEMPLATE, h->target);
        } else if (text_starts(element, TEXT("+"))) {
            add_to_older(h, element);
        } else {
            inherit(h, element);
        }
    }
}

/* What follows "]": only a "(" directly behind it counts, as "[x] (!)" shows (seen: the blank hides the list). */
static void read_tail(struct header *h, struct text tail)
{
    ptrdiff_t close;

    if (text_starts(tail, TEXT("("))) {
        close = text_find(tail, ')');
        if (close < 0) {
            conf_problem(h->b, CONF_ERROR, place_of(h, tail.p), "no \")\" after this \"(\": the list is not read");
            return;
        }
        read_list(h, text_make(tail.p + 1, (size_t)close - 1));
        tail = text_skip(tail, (size_t)close + 1);
    }
    tail = text_trim(tail);
    if (tail.n)
        conf_problem(h->b, CONF_WARNING, place_of(h, tail.p), "\"%.*s\" behind the section's name is ignored",
                     (int)(tail.n < 40 ? tail.n : 40), tail.p);
}

static struct text read_name(struct header *h, struct text line)
{
    const ptrdiff_t close = text_find(line, ']');
    const struct text name = close < 0 ? text_skip(line, 1) : text_make(line.p + 1, (size_t)close - 1);

    if (close < 0)
        conf_problem(h->b, CONF_ERROR, place_of(h, line.p), "no \"]\" after this \"[\"");
    else if (!text_trim(name).n || text_trim(name).n != name.n)
        conf_problem(h->b, CONF_WARNING, place_of(h, line.p), "blanks between [ and ] belong to the section's name");
    if (name.n > CONF_SECTION_NAME_MAX)
        conf_problem(h->b, CONF_WARNING, place_of(h, line.p), "Asterisk cuts section names after %d bytes",
                     CONF_SECTION_NAME_MAX);
    return name;
}

void conf_build_section(struct conf_build *b, const struct conf_line *l, const char *file, ssize_t *section)
{
    const struct text line = text_make(l->p, l->n);
    struct header h = { .b = b, .line = l, .file = file, .is_new = true };
    ssize_t added;

    h.name = read_name(&h, line);
    added = conf_section_add(b, h.name, place_of(&h, line.p));
    if (added < 0)
        return;
    h.target = (size_t)added;
    if (1 + h.name.n < line.n)
        read_tail(&h, text_skip(line, h.name.n + 2));
    if (h.is_new && !b->err) {
        publish(b, CONF_KEY_ANY, h.target);
        publish(b, b->c->sections[h.target].is_template ? CONF_KEY_TEMPLATE : CONF_KEY_LIVE, h.target);
    }
    *section = b->current = (ssize_t)h.target;
}
