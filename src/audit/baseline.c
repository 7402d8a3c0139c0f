/* Reads, applies and writes baselines. */
#include "audit/baseline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/fingerprint.h"

bool baseline_is_one(struct text t)
{
    struct text rest = t, line = TEXT_NONE;

    text_cut(&rest, '\n', &line);
    return text_eq(text_trim(line), TEXT(BASELINE_HEAD));
}

/* ---- reading ---- */

static bool is_fingerprint(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!memchr("0123456789abcdef", t.p[i], 16))
            return false;
    return t.n == FINGERPRINT_HEX;
}

/* "FINGERPRINT COUNT CODE FILE<TAB>sentence" */
static int read_entry(struct baseline_entry *e, struct arena *memory, struct text line)
{
    struct text rest = line, fingerprint, count, code, file;
    int64_t n;

    if (!text_cut(&rest, ' ', &fingerprint) || !text_cut(&rest, ' ', &count) || !text_cut(&rest, ' ', &code) || !text_cut(&rest, '\t', &file))
        return -EINVAL;
    if (!is_fingerprint(fingerprint) || text_to_i64(count, &n) || n < 1 || n > AUDIT_FINDINGS_MAX || !code.n || code.n > 16)
        return -EINVAL;
    e->fingerprint = arena_text(memory, fingerprint);
    e->code = arena_text(memory, code);
    e->file = arena_text(memory, file);
    e->message = arena_text(memory, rest.p ? rest : TEXT(""));
    e->count = (size_t)n;
    return e->fingerprint && e->code && e->file && e->message ? 0 : -ENOMEM;
}

static int compare(const void *x, const void *y)
{
    const struct baseline_entry *a = x, *b = y;
    const int order = strcmp(a->fingerprint, b->fingerprint);

    return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* Two lines of one fingerprint (a merge of two branches) are one with both counts. */
static void join(struct baseline *b)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->count; i++) {
        if (kept && strcmp(b->entries[kept - 1].fingerprint, b->entries[i].fingerprint) == 0)
            b->entries[kept - 1].count += b->entries[i].count;
        else
            b->entries[kept++] = b->entries[i];
    }
    b->count = kept;
}

int baseline_read(struct baseline *out, struct arena *memory, struct text t, unsigned *bad_line)
{
    struct text rest = t, line;
    struct baseline b = { 0 };
    size_t lines = 1;
    unsigned number = 0;

    *bad_line = 1;
    if (!baseline_is_one(t))
        return -EINVAL;
    for (size_t i = 0; i < t.n; i++)
        lines += t.p[i] == '\n';
    b.entries = arena_take(memory, lines * sizeof *b.entries);
    if (!b.entries)
        return -ENOMEM;
    while (text_cut(&rest, '\n', &line)) {
        struct baseline_entry *const e = &b.entries[b.count];
        int err;

        number++;
        line = text_trim(line);
        if (!line.n || line.p[0] == ';')
            continue;
        *bad_line = e->line = number;
        err = read_entry(e, memory, line);
        if (err)
            return err;
        b.count++;
    }
    if (b.count)
        qsort(b.entries, b.count, sizeof *b.entries, compare);
    join(&b);
    *out = b;
    return 0;
}

/* ---- applying ---- */

static struct baseline_entry *entry_of(const struct baseline *b, const char *fingerprint)
{
    size_t from = 0, to = b->count;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        const int order = strcmp(fingerprint, b->entries[middle].fingerprint);

        if (order == 0)
            return &b->entries[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

/* A finding that a comment silences, too, uses up its place: the comment may be younger than the baseline. */
int baseline_apply(struct baseline *b, struct audit *a, struct source *s)
{
    for (size_t i = 0; i < a->finding_count; i++) {
        struct audit_finding *const f = &a->findings[i];
        char fingerprint[FINGERPRINT_HEX + 1];
        struct baseline_entry *e;
        const int err = fingerprint_make(fingerprint, a, s, f);

        if (err)
            return err;
        e = entry_of(b, fingerprint);
        if (!e)
            continue;
        e->met++;
        if (e->met <= e->count && !f->silenced_by)
            f->silenced_by = "baseline";
    }
    return 0;
}

bool baseline_is_stale(const struct baseline_entry *e, const char *only)
{
    return e->met < e->count && (!only || strcmp(only, e->code) == 0);
}

/* ---- writing ---- */

struct made {
    char fingerprint[FINGERPRINT_HEX + 1];
    size_t finding;
};

static int compare_made(const void *x, const void *y)
{
    const struct made *a = x, *b = y;
    const int order = strcmp(a->fingerprint, b->fingerprint);

    return order ? order : (a->finding > b->finding) - (a->finding < b->finding);
}

static int compare_place(const void *x, const void *y)
{
    const struct made *a = x, *b = y;

    return (a->finding > b->finding) - (a->finding < b->finding);
}

static int make_all(struct made *made, size_t *count, const struct audit *a, struct source *s)
{
    *count = 0;
    for (size_t i = 0; i < a->finding_count; i++) {
        const struct audit_finding *const f = &a->findings[i];
        int err;

        if (f->silenced_by && strcmp(f->silenced_by, "baseline") != 0)
            continue;
        err = fingerprint_make(made[*count].fingerprint, a, s, f);
        if (err)
            return err;
        made[(*count)++].finding = i;
    }
    return 0;
}

/* One line for all of a fingerprint, in the order of the findings: the file of tomorrow differs where the findings do. */
static void write_lines(struct buf *out, const struct audit *a, struct made *made, size_t count, size_t *entries)
{
    size_t *times = (size_t *)calloc(a->finding_count + 1, sizeof *times), kept = 0;

    if (!times) {
        out->err = -ENOMEM;
        return;
    }
    qsort(made, count, sizeof *made, compare_made);
    for (size_t i = 0; i < count; i++) {
        if (!kept || strcmp(made[kept - 1].fingerprint, made[i].fingerprint) != 0)
            made[kept++] = made[i];
        times[made[kept - 1].finding]++;
    }
    qsort(made, kept, sizeof *made, compare_place);
    for (size_t i = 0; i < kept; i++) {
        const struct audit_finding *const f = &a->findings[made[i].finding];

        buf_addf(out, "%s %zu %s ", made[i].fingerprint, times[made[i].finding], f->rule->code);
        clean_add(text_of(fingerprint_file(a, f->place.file)), out);
        buf_add_char(out, '\t');
        clean_add(text_of(f->message), out);
        buf_add_char(out, '\n');
    }
    *entries = kept;
    free(times);
}

int baseline_write(struct buf *out, const struct audit *a, struct source *s, size_t *entries)
{
    struct made *made = calloc(a->finding_count + 1, sizeof *made);
    size_t count;
    int err = made ? make_all(made, &count, a, s) : -ENOMEM;

    *entries = 0;
    if (!err) {
        buf_add_text(out, TEXT(BASELINE_HEAD "\n; fingerprint, how many, rule, file, sentence. A finding that is in here does not count; made by "
                                             "sidetone audit --write-baseline\n"));
        if (count)
            write_lines(out, a, made, count, entries);
        err = out->err;
    }
    free(made);
    return err;
}
