/* Reads command lines as Asterisk does, and finds the shortest difference of two lists of them. */
#include "route/compare.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/agi.h"

/* ---- words ---- */

/* One word off *line into out, quotes and backslashes resolved (seen on 22.10.1). False: none left. */
static bool take_word(struct text *line, struct buf *out)
{
    size_t i = 0;
    bool quoted = false, begun = false;

    buf_clear(out);
    while (i < line->n && (line->p[i] == ' ' || line->p[i] == '\t'))
        i++;
    for (; i < line->n; i++) {
        const char c = line->p[i];

        if (!quoted && (c == ' ' || c == '\t'))
            break;
        begun = true;
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && i + 1 < line->n)
            buf_add_char(out, line->p[++i]);
        else
            buf_add_char(out, c);
    }
    *line = text_skip(*line, i);
    return begun;
}

/* Words that only name the command: EXEC has one, GET FULL VARIABLE three. */
static size_t keywords(struct text line)
{
    static const struct {
        const char *words;
        size_t n;
    } table[] = {
        { "GET FULL VARIABLE", 3 }, { "CONTROL STREAM FILE", 3 }, { "WAIT FOR DIGIT", 3 }, { "SPEECH LOAD GRAMMAR", 3 },
        { "SPEECH UNLOAD GRAMMAR", 3 }, { "SPEECH ACTIVATE GRAMMAR", 3 }, { "SPEECH DEACTIVATE GRAMMAR", 3 }, { "ASYNCAGI ", 2 },
        { "CHANNEL ", 2 }, { "DATABASE ", 2 }, { "GET ", 2 }, { "RECEIVE ", 2 }, { "RECORD ", 2 }, { "SAY ", 2 }, { "SEND ", 2 },
        { "SET ", 2 }, { "SPEECH ", 2 }, { "STREAM ", 2 }, { "TDD ", 2 },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (text_starts_nocase(line, text_of(table[i].words)))
            return table[i].n;
    return 1;
}

bool command_same(struct text a, struct text b)
{
    const size_t names = keywords(text_trim(a));
    struct buf x, y;
    bool same = true, more = true;

    if (text_eq(a, b))
        return true;
    buf_init(&x, AGI_LINE_MAX + 1);
    buf_init(&y, AGI_LINE_MAX + 1);
    for (size_t i = 0; same && more && i < COMPARE_WORDS_MAX; i++) {
        more = take_word(&a, &x);
        same = more == take_word(&b, &y) && !x.err && !y.err;
        if (same && more)
            same = i < names ? text_eq_nocase(buf_text(&x), buf_text(&y)) : text_eq(buf_text(&x), buf_text(&y));
    }
    buf_free(&x);
    buf_free(&y);
    return same;
}

bool command_is_told(struct text line, struct text *reply)
{
    static const struct {
        const char *words, *reply;
    } table[] = {
        { "SET VARIABLE ", "200 result=1" }, { "SET CALLERID ", "200 result=1" }, { "VERBOSE ", "200 result=1" },
        { "NOOP", "200 result=0" }, { "SET CONTEXT ", "200 result=0" }, { "SET EXTENSION ", "200 result=0" },
        { "SET PRIORITY ", "200 result=0" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (text_starts_nocase(line, text_of(table[i].words))) {
            *reply = text_of(table[i].reply);
            return true;
        }
    return false;
}

int command_sets(struct text line, char **name, char **value)
{
    struct buf word[4];
    int got = 0;

    *name = *value = NULL;
    if (!text_starts_nocase(line, TEXT("SET VARIABLE ")))
        return 0;
    for (size_t i = 0; i < 4; i++) {
        buf_init(&word[i], AGI_LINE_MAX + 1);
        got += take_word(&line, &word[i]);
    }
    if (got == 4) {
        *name = text_dup(word[2].n ? buf_text(&word[2]) : TEXT(""));
        *value = text_dup(word[3].n ? buf_text(&word[3]) : TEXT(""));
    }
    for (size_t i = 0; i < 4; i++)
        buf_free(&word[i]);
    if (got != 4)
        return 0;
    if (*name && *value)
        return 1;
    free(*name);
    free(*value);
    return -ENOMEM;
}

/* ---- the shortest difference ---- */

struct lists {
    const struct text *old, *new;
    size_t old_count, new_count, head, tail;   /* head, tail: how many are equal at both ends */
    struct compare_row *rows;
    size_t count;
};

static void add(struct lists *l, enum compare_side side, size_t old_at, size_t new_at)
{
    l->rows[l->count++] = (struct compare_row){ .side = side, .old_at = old_at, .new_at = new_at };
}

static void trim_ends(struct lists *l)
{
    const size_t least = l->old_count < l->new_count ? l->old_count : l->new_count;

    while (l->head < least && command_same(l->old[l->head], l->new[l->head]))
        l->head++;
    while (l->tail < least - l->head && command_same(l->old[l->old_count - 1 - l->tail], l->new[l->new_count - 1 - l->tail]))
        l->tail++;
}

/* longest[i][k]: of what follows old i and new k, how many can be paired. */
static int add_middle(struct lists *l)
{
    const size_t n = l->old_count - l->head - l->tail, m = l->new_count - l->head - l->tail, width = m + 1;
    const struct text *old = l->old + l->head, *new = l->new + l->head;
    uint16_t *longest = calloc((n + 1) * width, sizeof *longest);
    size_t i = 0, k = 0;

    if (!longest)
        return -ENOMEM;
    for (i = n; i-- > 0;)
        for (k = m; k-- > 0;) {
            const uint16_t down = longest[(i + 1) * width + k], right = longest[i * width + k + 1];

            longest[i * width + k] = command_same(old[i], new[k]) ? (uint16_t)(longest[(i + 1) * width + k + 1] + 1)
                                                                  : down > right ? down : right;
        }
    for (i = k = 0; i < n || k < m;) {
        if (i < n && k < m && command_same(old[i], new[k])) {
            add(l, COMPARE_BOTH, l->head + i++, l->head + k);
            k++;
        } else if (i < n && (k == m || longest[(i + 1) * width + k] >= longest[i * width + k + 1])) {
            add(l, COMPARE_OLD, l->head + i++, 0);
        } else {
            add(l, COMPARE_NEW, 0, l->head + k++);
        }
    }
    free(longest);
    return 0;
}

static void add_bluntly(struct lists *l)
{
    for (size_t i = l->head; i < l->old_count - l->tail; i++)
        add(l, COMPARE_OLD, i, 0);
    for (size_t k = l->head; k < l->new_count - l->tail; k++)
        add(l, COMPARE_NEW, 0, k);
}

int compare_commands(const struct text *old, size_t old_count, const struct text *new, size_t new_count, struct compare_row **rows,
                     size_t *count)
{
    struct lists l = { .old = old, .new = new, .old_count = old_count, .new_count = new_count };
    int err = 0;

    if (old_count > COMPARE_COMMANDS_MAX || new_count > COMPARE_COMMANDS_MAX)
        return -E2BIG;
    l.rows = calloc(old_count + new_count + 1, sizeof *l.rows);
    if (!l.rows)
        return -ENOMEM;
    trim_ends(&l);
    for (size_t i = 0; i < l.head; i++)
        add(&l, COMPARE_BOTH, i, i);
    if ((old_count - l.head - l.tail + 1) * (new_count - l.head - l.tail + 1) > COMPARE_CELLS_MAX)
        add_bluntly(&l);
    else
        err = add_middle(&l);
    for (size_t i = l.tail; i > 0; i--)
        add(&l, COMPARE_BOTH, old_count - i, new_count - i);
    if (err) {
        free(l.rows);
        return err;
    }
    *rows = l.rows;
    *count = l.count;
    return 0;
}
