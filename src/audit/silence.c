/* Silences findings by comments in the configuration: "; audit-ignore ST101[,ST102] [reason]" behind the line, or alone on the line before; in AEL "// audit-ignore ...", in Lua "-- audit-ignore ...". */
#include "audit/audit_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct text mark = TEXT("audit-ignore");

/* How a comment begins: ";" of a configuration file, "/" of AEL, "-" of Lua. */
static char sign_of(const char *file)
{
    const struct text name = text_of(file);

    return text_ends(name, TEXT(".ael")) ? '/' : text_ends(name, TEXT(".lua")) ? '-' : ';';
}

/* In AEL and Lua: from the signs that lead to our own word, since others may stand in "agi://host". */
static struct text double_comment_of(struct text line, char sign)
{
    for (size_t i = 0; i + 1 < line.n; i++) {
        struct text behind = text_skip(line, i + 2);

        if (line.p[i] != sign || (line.p[i + 1] != sign && (sign != '/' || line.p[i + 1] != '*')))
            continue;
        while (behind.n && behind.p[0] == ' ')
            behind = text_skip(behind, 1);
        if (text_starts(behind, mark))
            return text_skip(line, i);
    }
    return TEXT_NONE;
}

/* The comment of a line, or TEXT_NONE. "\;" is a literal semicolon. */
static struct text comment_of(struct text line, char sign)
{
    if (sign != ';')
        return double_comment_of(line, sign);
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == ';' && (i == 0 || line.p[i - 1] != '\\'))
            return text_skip(line, i);
    return TEXT_NONE;
}

static bool names(struct text list, const char *code)
{
    struct text one;

    while (text_cut(&list, ',', &one))
        if (text_eq(one, text_of(code)))
            return true;
    return false;
}

static bool silences(struct text line, const char *code, bool is_alone, char sign)
{
    const char *signs = sign == '/' ? "/*" : sign == '-' ? "-" : ";";
    struct text comment = comment_of(line, sign), word;

    if (!comment.p || (is_alone && text_trim(line).p != comment.p))
        return false;
    while (comment.n && (strchr(signs, comment.p[0]) || comment.p[0] == ' ' || comment.p[0] == '\t'))
        comment = text_skip(comment, 1);
    if (!text_starts(comment, mark))
        return false;
    comment = text_trim(text_skip(comment, mark.n));
    return text_cut(&comment, ' ', &word) && names(word, code);
}

/* The findings of one file, already sorted by line: one pass over its lines. */
static void silence_file(struct audit_finding *f, size_t count, struct text content)
{
    struct text rest = content, line, before = TEXT_NONE;
    const char sign = count ? sign_of(f->place.file) : ';';
    unsigned number = 0;
    size_t i = 0;

    while (i < count && text_cut(&rest, '\n', &line)) {
        number++;
        for (; i < count && f[i].place.line <= number; i++)
            if (f[i].place.line == number && (silences(line, f[i].rule->code, false, sign) || silences(before, f[i].rule->code, true, sign)))
                f[i].silenced_by = "comment";
        before = line;
    }
}

int audit_silence(struct audit *a)
{
    size_t from = 0, to;

    for (; from < a->finding_count; from = to) {
        const char *file = a->findings[from].place.file;
        struct text content = TEXT_NONE;
        int err;

        for (to = from; to < a->finding_count && strcmp(a->findings[to].place.file, file) == 0; to++)
            ;
        err = a->opt.source->read(a->opt.source->arg, file, &content);
        if (err == -ENOMEM)
            return err;
        if (err)
            continue; /* the file that cannot be read has no comments */
        silence_file(a->findings + from, to - from, content);
        free((char *)content.p);
    }
    return 0;
}
