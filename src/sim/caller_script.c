/* Reads the test caller's script. */
#include "sim/caller.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 1000, SAY_MAX = 2000, SCRIPT_MAX = 256 * 1024 };
static const int64_t WAIT_MAX_MS = 24 * 3600 * 1000ll;

enum shape { SHAPE_NONE, SHAPE_TIME, SHAPE_LIMIT, SHAPE_TIME_LIMIT, SHAPE_TEXT, SHAPE_FILE };

static const struct {
    const char *word, *usage;
    enum caller_verb verb;
    enum shape shape;
} verbs[] = {
    { "wait", "wait TIME", CALLER_WAIT, SHAPE_TIME },
    { "wait-speech", "wait-speech LIMIT", CALLER_WAIT_SPEECH, SHAPE_LIMIT },
    { "wait-silence", "wait-silence TIME LIMIT", CALLER_WAIT_SILENCE, SHAPE_TIME_LIMIT },
    { "say", "say TEXT", CALLER_SAY, SHAPE_TEXT },
    { "play", "play FILE.wav", CALLER_PLAY, SHAPE_FILE },
    { "hang-up", "hang-up", CALLER_HANG_UP, SHAPE_NONE },
    { "wait-hangup", "wait-hangup LIMIT", CALLER_WAIT_HANGUP, SHAPE_LIMIT },
};

enum { VERBS = sizeof verbs / sizeof verbs[0] };

struct parse {
    const char *name;
    unsigned line;
    char **problem;
};

static int refuse(const struct parse *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int refuse(const struct parse *p, const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    free(*p->problem);
    if (asprintf(p->problem, "%s:%u: %s", p->name, p->line, what) < 0)
        *p->problem = NULL;
    return -EINVAL;
}

/* The next word; what follows stays in *rest, without blanks in front. */
static struct text word_take(struct text *rest)
{
    struct text t = *rest;
    size_t n = 0;

    while (n < t.n && (unsigned char)t.p[n] > ' ')
        n++;
    *rest = text_trim(text_skip(t, n));
    return text_head(t, n);
}

static int time_take(const struct parse *p, struct text *rest, const char *usage, int64_t *out)
{
    const struct text word = word_take(rest);

    if (word.n == 0)
        return refuse(p, "a time is missing: %s (as in 1500ms, 10s)", usage);
    if (text_to_ms(word, out) < 0 || *out < 0 || *out > WAIT_MAX_MS)
        return refuse(p, "\"%.*s\" is not a time between 0 and 24h: %s (as in 1500ms, 10s)", TEXT_ARG(text_head(word, 40)),
                      usage);
    return 0;
}

/* A relative file belongs to the script's folder. */
static int file_take(const struct parse *p, struct text rest, char **out)
{
    const char *slash = strrchr(p->name, '/');
    const int folder = slash && rest.p[0] != '/' ? (int)(slash - p->name) + 1 : 0;

    if (asprintf(out, "%.*s%.*s", folder, p->name, TEXT_ARG(rest)) < 0) {
        *out = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int text_take(const struct parse *p, struct text *rest, const char *usage, enum shape shape, char **out)
{
    const struct text words = *rest;

    if (words.n == 0)
        return refuse(p, "nothing follows: %s", usage);
    if (words.n > SAY_MAX || !text_is_one_line(words))
        return refuse(p, "more than %d bytes, or unprintable ones: %s", SAY_MAX, usage);
    *rest = TEXT_NONE;
    if (shape == SHAPE_FILE)
        return file_take(p, words, out);
    *out = text_dup(words);
    return *out ? 0 : -ENOMEM;
}

static int step_parse(const struct parse *p, struct text line, struct caller_step *out)
{
    const struct text word = word_take(&line);
    size_t i = 0;
    int err = 0;

    while (i < VERBS && !text_eq(word, text_of(verbs[i].word)))
        i++;
    if (i == VERBS)
        return refuse(p, "unknown step \"%.*s\"", TEXT_ARG(text_head(word, 40)));
    *out = (struct caller_step){ .verb = verbs[i].verb, .line = p->line };
    if (verbs[i].shape == SHAPE_TIME || verbs[i].shape == SHAPE_TIME_LIMIT)
        err = time_take(p, &line, verbs[i].usage, &out->ms);
    if (!err && (verbs[i].shape == SHAPE_LIMIT || verbs[i].shape == SHAPE_TIME_LIMIT))
        err = time_take(p, &line, verbs[i].usage, &out->limit_ms);
    if (!err && (verbs[i].shape == SHAPE_TEXT || verbs[i].shape == SHAPE_FILE))
        err = text_take(p, &line, verbs[i].usage, verbs[i].shape, &out->text);
    if (!err && line.n > 0)
        err = refuse(p, "\"%.*s\" is too much: %s", TEXT_ARG(text_head(line, 40)), verbs[i].usage);
    if (!err && verbs[i].verb == CALLER_WAIT_SILENCE && out->limit_ms < out->ms)
        err = refuse(p, "the limit is shorter than the silence: %s", verbs[i].usage);
    return err;
}

static int step_room(struct caller_step **list, size_t count, size_t *cap)
{
    const size_t more = *cap ? *cap * 2 : 16;
    struct caller_step *grown;

    if (count < *cap)
        return 0;
    grown = realloc(*list, more * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    *list = grown;
    *cap = more;
    return 0;
}

int caller_script_parse(const char *name, struct text script, struct caller_step **steps, size_t *count, char **problem)
{
    struct parse p = { .name = name, .problem = problem };
    struct caller_step *list = NULL;
    size_t n = 0, cap = 0;
    struct text line;
    int err = 0;

    *problem = NULL;
    if (script.n > SCRIPT_MAX)
        return refuse(&p, "longer than %d bytes", SCRIPT_MAX);
    while (!err && text_cut(&script, '\n', &line)) {
        p.line++;
        line = text_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (n == STEPS_MAX) {
            err = refuse(&p, "more than %d steps", STEPS_MAX);
            break;
        }
        err = step_room(&list, n, &cap);
        if (err)
            break;
        list[n] = (struct caller_step){ .text = NULL };
        err = step_parse(&p, line, &list[n++]); /* counted even when it failed: its text is freed with the others */
    }
    if (!err && n == 0)
        err = refuse(&p, "holds no step");
    if (err) {
        caller_script_free(list, n);
        return err;
    }
    *steps = list;
    *count = n;
    return 0;
}

void caller_script_free(struct caller_step *steps, size_t count)
{
    for (size_t i = 0; steps && i < count; i++)
        free(steps[i].text);
    free(steps);
}
