/* Holds what a conf owns: texts in an arena, tables that grow, and the ceiling over both. */
#include "wire/conf_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_ROUND = 16, MESSAGE_MAX = 300 };

struct conf_memory {
    struct arena *texts;
    size_t section_cap, problem_cap, directive_cap;
    size_t problems_unlisted;
    struct section_own {
        size_t cap, indexed;
    } * own; /* beside conf.sections, same capacity */
};

struct conf *conf_new(void)
{
    struct conf *c = calloc(1, sizeof *c);
    struct conf_memory *m = calloc(1, sizeof *m);

    if (c && m && arena_new(&m->texts, SIZE_MAX / 2) == 0) {
        c->memory = m;
        return c;
    }
    free(m);
    free(c);
    return NULL;
}

void conf_free(struct conf *c)
{
    struct conf_memory *m;

    if (!c)
        return;
    m = c->memory;
    for (size_t i = 0; i < c->section_count; i++)
        free(c->sections[i].items);
    free(c->sections);
    free(c->problems);
    free(c->directives);
    free(m->own);
    arena_free(m->texts);
    free(m);
    free(c);
}

static bool charge(struct conf_build *b, size_t bytes)
{
    if (b->err || b->is_full)
        return false;
    b->memory += bytes;
    if (b->memory <= CONF_MEMORY_MAX)
        return true;
    conf_stop(b, (struct conf_place){ .file = b->file ? b->file : "", .line = b->line.number, .column = 1 },
              "the configuration takes more than 768 MiB");
    return false;
}

/* Room for one more element. False when memory is short. */
static bool room(struct conf_build *b, void *table, size_t *cap, size_t used, size_t size)
{
    void **p = table;
    const size_t want = *cap ? *cap * 2 : 4;
    void *bigger;

    if (used < *cap)
        return true;
    bigger = realloc(*p, want * size);
    if (!bigger) {
        b->err = -ENOMEM;
        return false;
    }
    *p = bigger;
    *cap = want;
    return true;
}

static char *text_keep(struct conf_build *b, struct text t)
{
    char *p = arena_text(((struct conf_memory *)b->c->memory)->texts, t);

    if (!p)
        b->err = -ENOMEM;
    return p;
}

struct text conf_keep(struct conf_build *b, struct text t)
{
    char *p = charge(b, t.n + ARENA_ROUND) ? text_keep(b, t) : NULL;

    return p ? text_make(p, t.n) : TEXT_NONE;
}

ssize_t conf_section_add(struct conf_build *b, struct text name, struct conf_place place)
{
    struct conf *c = b->c;
    struct conf_memory *m = c->memory;
    const struct text kept = conf_keep(b, name);
    size_t own_cap = m->section_cap;

    if (!kept.p || !charge(b, sizeof *c->sections + sizeof *m->own) ||
        !room(b, &m->own, &own_cap, c->section_count, sizeof *m->own) ||
        !room(b, &c->sections, &m->section_cap, c->section_count, sizeof *c->sections))
        return -1;
    m->own[c->section_count] = (struct section_own){ .cap = 0 };
    c->sections[c->section_count] = (struct conf_section){ .name = kept, .place = place };
    return (ssize_t)c->section_count++;
}

void conf_section_drop_last(struct conf_build *b)
{
    b->c->section_count--;
    free(b->c->sections[b->c->section_count].items);
}

struct conf_item *conf_item_add(struct conf_build *b, size_t section, const struct conf_item *item)
{
    struct conf_section *s = b->c->sections + section;
    struct conf_memory *m = b->c->memory;

    if (!charge(b, sizeof *item) || !room(b, &s->items, &m->own[section].cap, s->count, sizeof *item))
        return NULL;
    s->items[s->count] = *item;
    return s->items + s->count++;
}

size_t *conf_indexed(struct conf_build *b, size_t section)
{
    return &((struct conf_memory *)b->c->memory)->own[section].indexed;
}

void conf_directive_add(struct conf_build *b, enum conf_directive_kind kind, struct text argument, struct conf_place place)
{
    struct conf *c = b->c;
    struct conf_memory *m = c->memory;
    const struct text kept = conf_keep(b, argument);

    if (!kept.p || !charge(b, sizeof *c->directives) ||
        !room(b, &c->directives, &m->directive_cap, c->directive_count, sizeof *c->directives))
        return;
    c->directives[c->directive_count++] = (struct conf_directive){ .kind = kind, .argument = kept, .place = place };
}

/* Text from a file stands in messages: control bytes must not reach a terminal. */
static void make_harmless(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = '?';
}

static void problem_list(struct conf_build *b, enum conf_severity severity, struct conf_place place, char *message)
{
    struct conf *c = b->c;
    struct conf_memory *m = c->memory;

    if (!room(b, &c->problems, &m->problem_cap, c->problem_count, sizeof *c->problems))
        return;
    make_harmless(message);
    c->problems[c->problem_count] =
        (struct conf_problem){ .place = place, .severity = severity, .message = text_keep(b, text_of(message)) };
    c->problem_count += !b->err;
}

void conf_problem(struct conf_build *b, enum conf_severity severity, struct conf_place place, const char *fmt, ...)
{
    struct conf *c = b->c;
    char message[MESSAGE_MAX];
    va_list ap;

    if (b->err)
        return;
    c->error_count += severity == CONF_ERROR;
    if (c->problem_count >= CONF_PROBLEMS_MAX) {
        ((struct conf_memory *)c->memory)->problems_unlisted++;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    problem_list(b, severity, place, message);
}

void conf_stop(struct conf_build *b, struct conf_place place, const char *why)
{
    char message[MESSAGE_MAX];

    if (b->is_full || b->err)
        return;
    b->is_full = true;
    b->c->error_count++;
    snprintf(message, sizeof message, "%s: the rest is not read", why);
    problem_list(b, CONF_ERROR, place, message); /* listed even when the list is full */
}

void conf_finish(struct conf_build *b)
{
    struct conf *c = b->c;
    const size_t unlisted = ((struct conf_memory *)c->memory)->problems_unlisted;
    char message[MESSAGE_MAX];

    if (!unlisted)
        return;
    snprintf(message, sizeof message, "and %zu more problems, which are not listed", unlisted);
    problem_list(b, CONF_WARNING, c->problems[c->problem_count - 1].place, message);
}
