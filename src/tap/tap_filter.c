/* Reads event filters, and decides as Asterisk's main/manager.c (22.10.1) does. */
#include "tap/tap_filter.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum method { METHOD_NONE, METHOD_REGEX, METHOD_EXACT, METHOD_STARTS_WITH, METHOD_ENDS_WITH, METHOD_CONTAINS };
static const char *const methods[] = { "none", "regex", "exact", "starts_with", "ends_with", "contains" };

struct filter {
    char *criteria, *expression;    /* as sent; criteria NULL: legacy, whose "!" is in the expression */
    char *name, *header;            /* NULL: any event; the whole event's text */
    enum method method;
    bool is_exclude, has_regex;
    regex_t regex;
};

struct tap_filters {
    size_t count, includes;
    struct filter list[];
};

/* ---- reading ---- */

static int fault(char *why, size_t size, const char *what, struct text came)
{
    snprintf(why, size, "%s, came \"%.*s\"", what, TEXT_ARG(text_head(came, 60)));
    return -EINVAL;
}

static int take_option(struct filter *f, struct text key, struct text value, char *why, size_t size)
{
    char **const place = text_eq(key, TEXT("name")) ? &f->name : text_eq(key, TEXT("header")) ? &f->header : NULL;

    if (place) {
        free(*place);
        *place = text_dup(value);
        return *place ? 0 : -ENOMEM;
    }
    if (text_eq(key, TEXT("action"))) {
        f->is_exclude = text_eq(value, TEXT("exclude"));
        return f->is_exclude || text_eq(value, TEXT("include")) ? 0 : fault(why, size, "expected action(include) or action(exclude)", value);
    }
    if (!text_eq(key, TEXT("method")))
        return fault(why, size, "expected action(), name(), header() or method()", key);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (text_eq(value, text_of(methods[i]))) {
            f->method = (enum method)i;
            return 0;
        }
    return fault(why, size, "expected a method that Asterisk knows (none regex exact starts_with ends_with contains)", value);
}

/* "action(exclude),name(X)" without blanks inside. */
static int take_criteria(struct filter *f, struct text t, char *why, size_t size)
{
    int err = 0;

    while (!err && t.n) {
        const ptrdiff_t open = text_find(t, '('), close = text_find(t, ')');

        if (open <= 0 || close < open)
            return fault(why, size, "expected option(value)", t);
        err = take_option(f, text_head(t, (size_t)open), text_head(text_skip(t, (size_t)open + 1), (size_t)(close - open - 1)), why, size);
        t = text_skip(t, (size_t)close + 1);
        if (t.n && t.p[0] == ',')
            t = text_skip(t, 1);
    }
    return err;
}

static bool begins_with_option(struct text t)
{
    return text_starts(t, TEXT("(action(")) || text_starts(t, TEXT("(name(")) || text_starts(t, TEXT("(header(")) ||
           text_starts(t, TEXT("(method("));
}

static struct text without_equals(struct text t)
{
    t = text_trim(t);
    if (text_starts(t, TEXT("=>")))
        return text_trim(text_skip(t, 2));
    return t.n && t.p[0] == '=' ? text_trim(text_skip(t, 1)) : t;
}

static int compile(struct filter *f, char *why, size_t size)
{
    int rc;

    if (f->method != METHOD_REGEX)
        return 0;
    rc = regcomp(&f->regex, f->expression + (!f->criteria && f->is_exclude), REG_EXTENDED | REG_NOSUB);
    if (rc == REG_ESPACE)
        return -ENOMEM;
    if (rc)
        return fault(why, size, "expected a POSIX extended regular expression", text_of(f->expression));
    f->has_regex = true;
    return 0;
}

static int read_legacy(struct filter *f, struct text t, char *why, size_t size)
{
    f->is_exclude = t.n && t.p[0] == '!';
    if (t.n == f->is_exclude)
        return fault(why, size, "expected a regular expression", t);
    f->method = METHOD_REGEX;
    f->expression = text_dup(t);
    return f->expression ? compile(f, why, size) : -ENOMEM;
}

static int read_advanced(struct filter *f, struct text t, char *why, size_t size)
{
    const ptrdiff_t end = text_find_text(t, TEXT("))"));
    struct text criteria;
    int err;

    if (end < 0)
        return fault(why, size, "expected )) behind the criteria", t);
    criteria = text_head(text_skip(t, 1), (size_t)end);
    f->criteria = text_dup(criteria);
    f->expression = text_dup(without_equals(text_skip(t, (size_t)end + 2)));
    if (!f->criteria || !f->expression)
        return -ENOMEM;
    err = take_criteria(f, criteria, why, size);
    if (!err && (f->expression[0] != '\0') != (f->method != METHOD_NONE))
        err = fault(why, size, "expected an expression together with a method, or neither", t);
    return err ? err : compile(f, why, size);
}

static int read_one(struct filter *f, struct text t, char *why, size_t size)
{
    t = text_trim(t);
    if (!text_is_one_line(t))
        return fault(why, size, "expected one line", TEXT("something else"));
    if (text_starts(t, TEXT("eventfilter")))
        t = without_equals(text_skip(t, sizeof "eventfilter" - 1));
    return begins_with_option(t) ? read_advanced(f, t, why, size) : read_legacy(f, t, why, size);
}

int tap_filters_new(struct tap_filters **out, const char *const *lines, size_t count, char *why, size_t why_size)
{
    struct tap_filters *f = calloc(1, sizeof *f + count * sizeof *f->list);
    int err = 0;

    if (!f)
        return -ENOMEM;
    while (!err && f->count < count) {
        struct filter *one = &f->list[f->count];

        err = read_one(one, text_of(lines[f->count]), why, why_size);
        f->includes += !one->is_exclude;
        f->count++;
    }
    if (err) {
        tap_filters_free(f);
        return err;
    }
    *out = f;
    return 0;
}

void tap_filters_free(struct tap_filters *f)
{
    for (size_t i = 0; f && i < f->count; i++) {
        if (f->list[i].has_regex)
            regfree(&f->list[i].regex);
        free(f->list[i].criteria);
        free(f->list[i].expression);
        free(f->list[i].name);
        free(f->list[i].header);
    }
    free(f);
}

size_t tap_filters_count(const struct tap_filters *f)
{
    return f ? f->count : 0;
}

void tap_filters_at(const struct tap_filters *f, size_t i, const char **criteria, const char **expression)
{
    *criteria = f->list[i].criteria;
    *expression = f->list[i].expression;
}

/* ---- deciding ---- */

/* The event as Asterisk's filter sees it. False: no memory. */
static bool text_of_event(struct buf *b, const struct ami_message *m)
{
    struct text name, value;

    for (size_t i = 0; ami_at(m, i, &name, &value); i++) {
        buf_add_text(b, name);
        buf_add_text(b, TEXT(": "));
        buf_add_text(b, value);
        buf_add_text(b, TEXT("\r\n"));
    }
    buf_add_char(b, '\0');
    return b->err == 0;
}

static bool method_matches(const struct filter *f, struct text t)
{
    const struct text e = text_of(f->expression);

    switch (f->method) {
    case METHOD_NONE:
        return true;
    case METHOD_REGEX:
        return false;               /* see matches */
    case METHOD_EXACT:
        return text_eq(t, e);
    case METHOD_STARTS_WITH:
        return text_starts(t, e);
    case METHOD_ENDS_WITH:
        return text_ends(t, e);
    case METHOD_CONTAINS:
        return text_find_text(t, e) >= 0;
    }
    return false;
}

static bool matches_in(const struct filter *f, struct buf *scratch, const struct ami_message *m)
{
    struct text t;

    buf_clear(scratch);
    if (f->header) {
        t = ami_get(m, text_of(f->header));
        if (!t.p)
            return false;
        buf_add_text(scratch, t);
        buf_add_char(scratch, '\0');
    } else if (!text_of_event(scratch, m)) {
        return false;
    }
    if (scratch->err)
        return false;
    t = text_make(scratch->p, scratch->n - 1);
    return f->method == METHOD_REGEX ? regexec(&f->regex, scratch->p, 0, NULL, 0) == 0 : method_matches(f, t);
}

static bool matches(const struct filter *f, struct buf *scratch, const struct ami_message *m)
{
    if (f->name && !text_eq(m->name, text_of(f->name)))
        return false;
    if (f->method == METHOD_NONE)
        return !f->header || ami_get(m, text_of(f->header)).p;
    return matches_in(f, scratch, m);
}

bool tap_filters_pass(const struct tap_filters *f, const struct ami_message *m)
{
    struct buf scratch;
    bool is_included, is_excluded = false;

    if (!f || f->count == 0)
        return true;
    is_included = f->includes == 0;
    buf_init(&scratch, AMI_BYTES_MAX * 2);
    for (size_t i = 0; i < f->count && !is_excluded; i++) {
        const struct filter *one = &f->list[i];

        if (one->is_exclude)
            is_excluded = matches(one, &scratch, m);
        else if (!is_included)
            is_included = matches(one, &scratch, m);
    }
    buf_free(&scratch);
    return is_included && !is_excluded;
}
