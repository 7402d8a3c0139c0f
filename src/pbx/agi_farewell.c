/* Chooses the lines of an AGI session's farewell, and accounts for their replies. */
#include "pbx/agi_farewell.h"

#include <errno.h>
#include <string.h>

enum { MSET_SINCE = 10 }; /* MSet came with 1.6; of the older ones with FastAGI none is met any more */

const char *agi_end_name(enum agi_end e)
{
    static const char *const names[] = {
        [AGI_END_OK] = "OK",       [AGI_END_TIMEOUT] = "TIMEOUT", [AGI_END_BUSY] = "BUSY",
        [AGI_END_ERROR] = "ERROR", [AGI_END_HANGUP] = "HANGUP",   [AGI_END_HANDOFF] = "HANDOFF",
    };

    return names[e];
}

/* ---- which commands answer ---- */

static struct text next_word(struct text *line)
{
    size_t from = 0, to;
    struct text word;

    while (from < line->n && (line->p[from] == ' ' || line->p[from] == '\t'))
        from++;
    for (to = from; to < line->n && (unsigned char)line->p[to] > ' ';)
        to++;
    word = text_make(line->p + from, to - from);
    *line = text_skip(*line, to);
    return word;
}

enum agi_answers agi_answers_of(struct text line)
{
    static const char *const cut_short[][2] = {
        { "STREAM", "FILE" }, { "GET", "OPTION" }, { "GET", "DATA" },     { "SAY", "ALPHA" },
        { "SAY", "DIGITS" },  { "SAY", "NUMBER" }, { "SAY", "PHONETIC" },
    };
    const struct text first = next_word(&line), second = next_word(&line);

    if (text_eq_nocase(first, TEXT("EXEC")))
        return AGI_ANSWERS_EXEC;
    for (size_t i = 0; i < sizeof cut_short / sizeof *cut_short; i++)
        if (text_eq_nocase(first, text_of(cut_short[i][0])) && text_eq_nocase(second, text_of(cut_short[i][1])))
            return AGI_ANSWERS_NEVER;
    return AGI_ANSWERS_ALWAYS;
}

/* ---- the values ---- */

static void value_set(char out[AGI_FAREWELL_MAX + 1], struct text t)
{
    size_t n;

    if (t.n > AGI_FAREWELL_MAX) {
        for (n = AGI_FAREWELL_MAX; n > 0 && ((unsigned char)t.p[n] & 0xC0) == 0x80; n--)
            ; /* not inside a UTF-8 character */
        t = text_head(t, n);
    }
    for (n = 0; n < t.n; n++)
        out[n] = t.p[n] == '\n' || t.p[n] == '\r' || t.p[n] == '\0' ? ' ' : t.p[n];
    out[n] = '\0';
}

void agi_farewell_set(struct agi_farewell *f, enum agi_end status, struct text reason, struct text call_id)
{
    f->wanted = true;
    value_set(f->value[0], text_of(agi_end_name(status)));
    value_set(f->value[1], reason);
    value_set(f->value[2], call_id);
}

/* MSet splits at commas, minds brackets and quotes, trims blanks, and with AGIEXECFULL ${} is looked into: only what none of that
 * can touch goes there. Any other value travels whole in a SET VARIABLE of its own. */
static bool is_plain_value(const char *v)
{
    const size_t n = strlen(v);

    if (n > 0 && (v[0] == ' ' || v[n - 1] == ' '))
        return false;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)v[i];

        if (c < ' ' || c == 0x7f || strchr(",\"\\$(){}[]|=", c))
            return false;
    }
    return true;
}

static bool fits_one(const struct agi_farewell *f)
{
    for (unsigned i = 0; i < AGI_FAREWELL_VARIABLES; i++)
        if (!is_plain_value(f->value[i]))
            return false;
    return true;
}

/* "22.10.1", "20.7.0~dfsg", "certified/20.7-cert1", "GIT-22-0a1b2c3": the first number that is a major version. */
static bool is_asterisk(struct text version)
{
    unsigned major = 0;
    size_t i = 0;

    if (text_starts(version, TEXT("certified")))
        i = sizeof "certified/" - 1;
    else if (text_starts(version, TEXT("GIT-")))
        i = sizeof "GIT-" - 1;
    for (; i < version.n && version.p[i] >= '0' && version.p[i] <= '9' && major < 1000; i++)
        major = major * 10 + (unsigned)(version.p[i] - '0');
    return major >= MSET_SINCE;
}

/* ---- the lines ---- */

void agi_farewell_begin(struct agi_farewell *f, const struct agi_env *env, bool is_owed, enum agi_answers owed)
{
    f->has_mset = is_asterisk(agi_env_get(env, TEXT("agi_version")));
    f->is_owed = is_owed;
    f->owed = owed;
    /* Behind a command that is still running its reply could not be told from MSet's. */
    f->in_one = !is_owed && fits_one(f);
}

static unsigned line_count(const struct agi_farewell *f)
{
    return f->place[0] ? AGI_FAREWELL_LINES : AGI_FAREWELL_VARIABLES;
}

bool agi_farewell_is_sent(const struct agi_farewell *f)
{
    return f->sent == line_count(f);
}

static void build(const struct agi_farewell *f, unsigned i, struct agi_command *c)
{
    static const char *const names[AGI_FAREWELL_LINES] = { "SIDETONE_STATUS", "SIDETONE_REASON", "SIDETONE_CALL",
                                                           "CONTEXT", "EXTENSION", "PRIORITY" };

    agi_command_word(c, TEXT("SET"));
    if (i < AGI_FAREWELL_VARIABLES)
        agi_command_word(c, TEXT("VARIABLE"));
    agi_command_word(c, text_of(names[i]));
    agi_command_quoted(c, text_of(i < AGI_FAREWELL_VARIABLES ? f->value[i] : f->place[i - AGI_FAREWELL_VARIABLES]));
}

/* All three in one round trip. MSet is built into Asterisk 20-22 and works on dead channels; seen with 22.10.1. */
static void build_one(const struct agi_farewell *f, struct agi_command *c)
{
    static const char *const names[AGI_FAREWELL_VARIABLES] = { "SIDETONE_STATUS=", ",SIDETONE_REASON=", ",SIDETONE_CALL=" };
    char list[sizeof f->value + 64], *at = list;

    for (unsigned i = 0; i < AGI_FAREWELL_VARIABLES; i++)
        at = stpcpy(stpcpy(at, names[i]), f->value[i]);
    agi_command_word(c, TEXT("EXEC"));
    agi_command_word(c, TEXT("MSet"));
    agi_command_quoted(c, text_make(list, (size_t)(at - list)));
}

void agi_farewell_next(struct agi_farewell *f, struct agi_command *c)
{
    if (f->in_one)
        build_one(f, c);
    else
        build(f, f->sent, c);
    f->sent += f->in_one ? AGI_FAREWELL_VARIABLES : 1;
}

bool agi_farewell_may_end(const struct agi_farewell *f)
{
    return f->has_mset && !f->is_owed && agi_farewell_is_sent(f);
}

/* ---- the replies ---- */

static bool is_plain_one(const struct agi_reply *r)
{
    return r->code == 200 && text_eq(r->result, TEXT("1")) && !r->has_value && r->extra.n == 0;
}

/* While a command of the past is outstanding, the first reply is its own, unless our SET VARIABLE has cut it short: then none
 * comes. Its end and our line may also have crossed; a reply that SET VARIABLE never gives tells that. */
int agi_farewell_reply(struct agi_farewell *f, const struct agi_reply *r)
{
    const bool owed = f->is_owed, one = f->in_one;

    f->is_owed = false;
    if (owed && !(f->owed == AGI_ANSWERS_NEVER && is_plain_one(r)))
        return 0;
    f->in_one = false;
    if (!one || (r->code == 200 && text_eq(r->result, TEXT("0"))))
        return 1;
    if (f->is_over)
        return -EPROTO;
    f->sent = 0; /* no MSet here: one by one */
    return 1;
}
