/* Judges devices. */
#include "audit/trunk.h"

#include "audit/dialplan.h"

/* ${TRUNK}, ${GLOBAL(OUT_TRUNK)}: what everybody calls it. */
static bool is_trunk_variable(struct text kind)
{
    for (size_t i = 0; i < kind.n; i++)
        if (text_starts_nocase(text_skip(kind, i), TEXT("trunk")))
            return text_starts(kind, TEXT("${"));
    return false;
}

/* The place of the first "/" that is not in a ${...}. */
static ptrdiff_t slash_of(struct text d)
{
    int depth = 0;

    for (size_t i = 0; i < d.n; i++) {
        depth += (d.p[i] == '{') - (d.p[i] == '}');
        if (d.p[i] == '/' && depth <= 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

/* What [globals], or AEL's globals, say "${OUT}" or "${GLOBAL(OUT)}" is; else the text itself. */
static struct text resolved(const struct audit *a, struct text variable)
{
    struct text name = variable, value;

    if (!text_starts(name, TEXT("${")) || !text_ends(name, TEXT("}")))
        return variable;
    name = text_make(name.p + 2, name.n - 3);
    if (text_starts(name, TEXT("GLOBAL(")) && text_ends(name, TEXT(")")))
        name = text_make(name.p + 7, name.n - 8);
    value = dialplan_global_of(a->dialplan, name);
    if (!value.p && a->files[AUDIT_EXTENSIONS])
        value = conf_get(a->files[AUDIT_EXTENSIONS], TEXT("globals"), name);
    return value.p ? value : variable;
}

bool trunk_is(const struct audit *a, struct text device)
{
    const struct text d = text_trim(device);
    const ptrdiff_t slash = slash_of(d);
    struct text kind, known;

    if (slash < 0)
        return false;
    kind = text_head(d, (size_t)slash);
    known = resolved(a, kind);
    if (text_eq_nocase(kind, TEXT("Local")) || text_starts_nocase(known, TEXT("Local/")))
        return false;
    return text_find(text_skip(d, (size_t)slash), '@') >= 0 || slash_of(text_skip(d, (size_t)slash + 1)) >= 0 || is_trunk_variable(kind) ||
           (known.p != kind.p && text_find(known, '/') >= 0);
}

struct text trunk_name(const struct audit *a, struct text device)
{
    const struct text d = text_trim(device);
    const ptrdiff_t slash = slash_of(d), at = text_rfind(d, '@');
    ptrdiff_t second;

    if (slash < 0)
        return d;
    if (at > slash) {
        const struct text host = text_skip(d, (size_t)at + 1);
        const ptrdiff_t end = slash_of(host);

        return text_head(host, end < 0 ? host.n : (size_t)end);
    }
    second = slash_of(text_skip(d, (size_t)slash + 1));
    return second < 0 ? resolved(a, text_head(d, (size_t)slash)) : text_head(d, (size_t)(slash + 1 + second));
}
