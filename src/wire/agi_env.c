/* Reads the block of "name: value" lines that opens an AGI session. */
#include "wire/agi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_STEP = 32, RANK_ARG = 1000 };

/* The order in which res_agi.c:setup_env writes. A name after a later one can only be forged text (22.10.1). */
#define E(t) { .p = t, .n = sizeof t - 1 }
static const struct text env_order[] = {
    E("agi_network"),    E("agi_network_script"), E("agi_request"),     E("agi_channel"),      E("agi_language"),    E("agi_type"),
    E("agi_uniqueid"),   E("agi_version"),        E("agi_callerid"),    E("agi_calleridname"), E("agi_callingpres"), E("agi_callingani2"),
    E("agi_callington"), E("agi_callingtns"),     E("agi_dnid"),        E("agi_rdnis"),        E("agi_context"),     E("agi_extension"),
    E("agi_priority"),   E("agi_enhanced"),       E("agi_accountcode"), E("agi_threadid"),
};

void agi_env_init(struct agi_env *e)
{
    *e = (struct agi_env){ .count = 0 };
    buf_init(&e->raw, AGI_ENV_BYTES_MAX);
}

void agi_env_free(struct agi_env *e)
{
    buf_free(&e->raw);
    free(e->lines);
    e->lines = NULL;
    e->count = 0;
}

static int fail(struct agi_env *e, int err, const char *sentence)
{
    e->err = err;
    snprintf(e->fault, sizeof e->fault, "%s", sentence);
    return err;
}

/* 0 for a name that Asterisk does not send, else its place in the block. Lines mostly come in order, so the search begins behind
 * the last one. */
static unsigned rank_of(struct text name, unsigned last)
{
    enum { KNOWN = sizeof env_order / sizeof env_order[0] };
    int64_t number;

    if (last < KNOWN && text_eq(name, env_order[last]))
        return last + 1;
    if (text_starts(name, TEXT("agi_arg_")) && text_to_i64(text_skip(name, sizeof "agi_arg_" - 1), &number) == 0)
        return number < 1 || number > AGI_ENV_LINES_MAX ? 0 : RANK_ARG + (unsigned)number;
    for (unsigned i = 0; i < KNOWN; i++) {
        const unsigned at = (last + i) % KNOWN;

        if (text_eq(name, env_order[at]))
            return at + 1;
    }
    return 0;
}

/* A known name behind all that came before cannot have come before. */
static void note_name(struct agi_env *e, struct text name)
{
    const unsigned rank = rank_of(name, e->last_rank);

    if (rank > e->last_rank)
        e->last_rank = rank;
    else if (agi_env_get(e, name).p)
        e->duplicates++;
    else if (rank && rank < e->last_rank)
        e->misplaced++;
}

/* Splits at the first ':' that a blank or the line's end follows. False when this is no "name: value". */
static bool split_line(struct text line, size_t *name_n, size_t *value_at)
{
    size_t colon = 0;

    while (colon < line.n && line.p[colon] != ':' && (unsigned char)line.p[colon] > ' ' && (unsigned char)line.p[colon] < 0x7f)
        colon++;
    if (colon == 0 || colon == line.n || line.p[colon] != ':')
        return false;
    *name_n = colon;
    *value_at = colon + 1;
    if (*value_at == line.n)
        return true;
    return line.p[(*value_at)++] == ' ';
}

static int line_keep(struct agi_env *e, struct text line)
{
    struct agi_env_line *lines;
    size_t name_n, value_at;

    if (e->count + e->odd >= AGI_ENV_LINES_MAX)
        return fail(e, -EMSGSIZE, "the AGI environment has more than 256 lines");
    if (!split_line(line, &name_n, &value_at)) {
        e->odd++;
        return 0;
    }
    if (e->count % LINES_STEP == 0) {
        lines = realloc(e->lines, (e->count + LINES_STEP) * sizeof *lines);
        if (!lines)
            return fail(e, -ENOMEM, "no memory for the AGI environment");
        e->lines = lines;
    }
    note_name(e, text_head(line, name_n));
    e->lines[e->count++] = (struct agi_env_line){
        .name_at = (uint32_t)e->line_at,
        .name_n = (uint32_t)name_n,
        .value_at = (uint32_t)(e->line_at + value_at),
        .value_n = (uint32_t)(line.n - value_at),
    };
    return 0;
}

/* The unfinished line just got its LF. */
static int line_end(struct agi_env *e)
{
    const struct text line = text_make(e->raw.p + e->line_at, e->raw.n - 1 - e->line_at);
    int err = 0;

    if (line.n == 0)
        e->done = true;
    else
        err = line_keep(e, line);
    e->line_at = e->raw.n;
    return err;
}

static int bytes_add(struct agi_env *e, const char *p, size_t n)
{
    static const char proof[] = "agi_";
    const int err = buf_add(&e->raw, p, n);
    size_t have;

    if (err == -ENOBUFS)
        return fail(e, -EMSGSIZE, "the AGI environment is longer than 65536 bytes");
    if (err)
        return fail(e, err, "no memory for the AGI environment");
    have = e->raw.n < sizeof proof - 1 ? e->raw.n : sizeof proof - 1;
    if (e->line_at == 0 && memcmp(e->raw.p, proof, have) != 0)
        return fail(e, -EPROTO, "the first line does not begin with \"agi_\": the peer does not speak AGI");
    return 0;
}

ssize_t agi_env_feed(struct agi_env *e, const void *bytes, size_t n)
{
    const char *p = bytes;
    size_t eaten = 0;

    if (e->err)
        return e->err;
    if (n <= AGI_ENV_BYTES_MAX - e->raw.n)
        (void)buf_room(&e->raw, n); /* at once, not line by line */
    while (eaten < n && !e->done) {
        const char *lf = memchr(p + eaten, '\n', n - eaten);
        const size_t take = lf ? (size_t)(lf - (p + eaten)) + 1 : n - eaten;

        if (bytes_add(e, p + eaten, take) || (lf && line_end(e)))
            return e->err;
        eaten += take;
    }
    return (ssize_t)eaten;
}

bool agi_env_at(const struct agi_env *e, size_t i, struct text *name, struct text *value)
{
    const struct agi_env_line *l;

    if (i >= e->count)
        return false;
    l = &e->lines[i];
    *name = text_make(e->raw.p + l->name_at, l->name_n);
    *value = text_make(e->raw.p + l->value_at, l->value_n);
    return true;
}

struct text agi_env_get(const struct agi_env *e, struct text name)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct agi_env_line *l = &e->lines[i];

        if (l->name_n == name.n && memcmp(e->raw.p + l->name_at, name.p, name.n) == 0)
            return text_make(e->raw.p + l->value_at, l->value_n);
    }
    return TEXT_NONE;
}

struct text agi_env_arg(const struct agi_env *e, unsigned index)
{
    char name[32];

    if (index == 0)
        return TEXT_NONE;
    snprintf(name, sizeof name, "agi_arg_%u", index);
    return agi_env_get(e, text_of(name));
}
