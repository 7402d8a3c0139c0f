/* Compares the tap's eventfilter lines with the events that facts are made of. */
#include "app/doctor/checks.h"

#include <stdio.h>
#include <string.h>

#include "tap/needs.h"

enum { LINES_MAX = 16 << 10, EVENTS_SHOWN = 4 };

static bool is_filter(const struct conf_item *item)
{
    return text_starts_nocase(item->name, TEXT("eventfilter"));
}

static bool is_exclude(const struct conf_item *item)
{
    return text_find_text(item->name, TEXT("exclude")) >= 0 || text_starts(text_trim(item->value), TEXT("!"));
}

/* An exclude whose event is named, and is none that facts need. Of others nothing can be told. */
static bool is_harmless(const struct conf_item *item)
{
    const ptrdiff_t at = text_find_text(item->name, TEXT("name("));
    struct text rest = at < 0 ? TEXT_NONE : text_skip(item->name, (size_t)at + 5), event;
    const struct tap_need *needs;
    size_t count;

    if (at < 0 || text_find(rest, ')') < 0 || !text_cut(&rest, ')', &event))
        return false;
    needs = tap_needs(&count);
    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(event, text_of(needs[i].event)))
            return false;
    return event.n > 0;
}

static bool has_line(const struct conf_section *s, struct text name, struct text value)
{
    for (size_t i = 0; i < s->count; i++)
        if (text_eq_nocase(s->items[i].name, name) && text_eq(text_trim(s->items[i].value), value))
            return true;
    return false;
}

static const struct conf_section *section_of(const struct conf *c, const char *user)
{
    for (size_t i = 0; i < c->section_count; i++)
        if (!c->sections[i].is_template && text_eq_nocase(c->sections[i].name, text_of(user)))
            return &c->sections[i];
    return NULL;
}

bool doctor_filters_moved(const struct doctor_context *x, struct buf *lines)
{
    const struct config_node *n = x->asked->node;
    const struct conf_section *s = x->etc && x->etc->manager && n->ami_user ? section_of(x->etc->manager, n->ami_user) : NULL;
    bool is_moved = s;

    for (size_t i = 0; i < n->ami_filters.count; i++) {
        const struct text filter = text_of(n->ami_filters.items[i]);
        const bool is_whole = text_starts(filter, TEXT("eventfilter"));
        const ptrdiff_t at = is_whole ? text_find(filter, '=') : -1;
        const struct text name = is_whole ? text_trim(text_head(filter, at < 0 ? filter.n : (size_t)at)) : TEXT("eventfilter");
        const struct text value = is_whole ? text_trim(text_skip(filter, at < 0 ? filter.n : (size_t)at + 1)) : filter;

        is_moved = is_moved && has_line(s, name, value);
        buf_addf(lines, "%.*s =%s%.*s\n", TEXT_ARG(name), value.n ? " " : "", TEXT_ARG(value));
    }
    return is_moved;
}

/* Those of one event that are not there. */
static bool add_missing(struct buf *out, const struct conf_section *s, const struct tap_need *need)
{
    struct text rest, line, name;
    struct buf lines;
    bool is_missing = false;

    buf_init(&lines, LINES_MAX);
    tap_need_filters(&lines, need);
    rest = buf_text(&lines);
    while (text_cut(&rest, '\n', &line)) {
        const ptrdiff_t at = text_find_text(line, TEXT(" ="));

        if (at < 0)
            continue;
        name = text_head(line, (size_t)at);
        if (has_line(s, name, text_trim(text_skip(line, (size_t)at + 2))))
            continue;
        is_missing = true;
        buf_add_text(out, line);
        buf_add_char(out, '\n');
    }
    buf_free(&lines);
    return is_missing;
}

static void say_excludes(const struct doctor_context *x, const char *name, const char *user)
{
    doctor_say(x->report, DOCTOR_WARN, name, "ami_user = %s has an eventfilter that keeps events away; whether facts need one of them cannot be told from here", user);
    doctor_fix(x->report, "shell", "sidetone tap advise --node %s    # its lines instead of the filters that are there", x->asked->node->head.name);
}

static void say_missing(const struct doctor_context *x, const char *name, const char *user, const struct conf_section *s)
{
    const struct tap_need *needs;
    char events[200] = "", path[4096];
    struct buf lines;
    size_t count, missing = 0;

    buf_init(&lines, LINES_MAX);
    needs = tap_needs(&count);
    for (size_t i = 0; i < count; i++)
        if (add_missing(&lines, s, &needs[i]) && missing++ < EVENTS_SHOWN)
            snprintf(events + strlen(events), sizeof events - strlen(events), "%s%s", *events ? ", " : "", needs[i].event);
    if (lines.err)
        x->report->err = lines.err;
    if (missing && !lines.err) {
        doctor_say(x->report, DOCTOR_WARN, name, "ami_user = %s has filters, and none of its own for %s%s: facts may be missing", user, events, missing > EVENTS_SHOWN ? " and others" : "");
        doctor_fix(x->report, doctor_etc_path(x->etc, "manager.conf", path, sizeof path),
                   "[%s]\n%.*s; then: asterisk -rx \"manager reload\", and restart sidetone: a session keeps the filters it logged in with", user, TEXT_ARG(buf_text(&lines)));
    }
    buf_free(&lines);
}

bool doctor_filters_check(const struct doctor_context *x, const char *name)
{
    const char *user = x->asked->ami[DOCTOR_TAP].user;
    const struct conf_section *s = x->etc && x->etc->manager && user ? section_of(x->etc->manager, user) : NULL;
    const size_t before = x->report->count;
    bool has_include = false, has_exclude = false;

    for (size_t i = 0; s && i < s->count; i++) {
        const struct conf_item *item = &s->items[i];

        if (is_filter(item) && !is_exclude(item))
            has_include = true;
        else if (is_filter(item) && !is_harmless(item))
            has_exclude = true;
    }
    if (has_exclude)
        say_excludes(x, name, user);
    else if (has_include)
        say_missing(x, name, user, s);
    return x->report->count > before;
}
