/* Collects what rules find, and puts it in order. */
#include "audit/audit_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "base/buf.h"

enum { MESSAGE_MAX = 1024, SENTENCE_MAX = 64 * 1024 };

/* Bytes of a damaged file may stand in a sentence: none of them may move a terminal's cursor, or turn what follows. */
static char *clean_copy(struct audit *a, struct text t)
{
    char *copy = NULL;
    struct buf b;

    buf_init(&b, SENTENCE_MAX);
    if (clean_add(t, &b) == 0)
        copy = arena_text(a->memory, buf_text(&b));
    buf_free(&b);
    return copy;
}

static char *format_text(struct audit *a, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

static char *format_text(struct audit *a, const char *format, va_list ap)
{
    char text[MESSAGE_MAX];
    int n = vsnprintf(text, sizeof text, format, ap);

    if (n < 0)
        n = 0;
    if ((size_t)n >= sizeof text)
        n = (int)sizeof text - 1;
    return clean_copy(a, text_make(text, (size_t)n));
}

static int room(struct audit *a)
{
    const size_t want = a->finding_room ? a->finding_room * 2 : 64;
    struct audit_finding *bigger;

    if (a->finding_count < a->finding_room)
        return 0;
    bigger = realloc(a->findings, want * sizeof *bigger);
    if (!bigger)
        return -ENOMEM;
    a->findings = bigger;
    a->finding_room = want;
    return 0;
}

int audit_find(struct audit *a, const struct audit_rule *r, struct conf_place place, const char *format, ...)
{
    struct audit_finding f = { .rule = r, .severity = r->severity, .place = place };
    char *message;
    va_list ap;

    if (a->finding_count >= AUDIT_FINDINGS_MAX) {
        a->findings_dropped++;
        return 0;
    }
    va_start(ap, format);
    message = format_text(a, format, ap);
    va_end(ap);
    if (!message || room(a))
        return -ENOMEM;
    f.message = message;
    a->findings[a->finding_count++] = f;
    return 0;
}

/* NULL when the last one was dropped. */
static struct audit_finding *last(struct audit *a)
{
    return a->finding_count && !a->findings_dropped ? a->findings + a->finding_count - 1 : NULL;
}

int audit_hint(struct audit *a, const char *format, ...)
{
    struct audit_finding *f = last(a);
    va_list ap;

    if (!f)
        return 0;
    va_start(ap, format);
    f->hint = format_text(a, format, ap);
    va_end(ap);
    return f->hint ? 0 : -ENOMEM;
}

void audit_weigh(struct audit *a, enum audit_severity severity)
{
    struct audit_finding *f = last(a);

    if (f)
        f->severity = severity;
}

int audit_path(struct audit *a, const struct audit_step *path, size_t count)
{
    struct audit_finding *f = last(a);
    struct audit_step *copy;

    if (!f || !count)
        return 0;
    copy = arena_take(a->memory, count * sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = path[i];
        copy[i].text = clean_copy(a, text_head(text_of(path[i].text ? path[i].text : ""), MESSAGE_MAX));
        if (!copy[i].text)
            return -ENOMEM;
    }
    if (!copy)
        return -ENOMEM;
    f->path = copy;
    f->path_count = count;
    return 0;
}

static int compare_numbers(unsigned x, unsigned y)
{
    return (x > y) - (x < y);
}

static int compare(const void *x, const void *y)
{
    const struct audit_finding *a = x, *b = y;
    int order = strcmp(a->place.file, b->place.file);

    if (!order)
        order = compare_numbers(a->place.line, b->place.line);
    if (!order)
        order = compare_numbers(a->place.column, b->place.column);
    if (!order)
        order = strcmp(a->rule->code, b->rule->code);
    return order ? order : strcmp(a->message, b->message);
}

void audit_sort(struct audit *a)
{
    size_t kept = 0;

    if (a->finding_count)
        qsort(a->findings, a->finding_count, sizeof *a->findings, compare);
    for (size_t i = 0; i < a->finding_count; i++)
        if (!kept || compare(a->findings + kept - 1, a->findings + i) != 0)
            a->findings[kept++] = a->findings[i];
    a->finding_count = kept;
}
