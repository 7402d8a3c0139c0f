/* Turns facts into sentences, in the order of their time. */
#include "app/story.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { STORY_HELD = 256, STORY_TEXT = 400, STORY_WIDTH = 92, STORY_INDENT = 19 };

struct held {
    int64_t wall_us;
    char who[12];
    char text[STORY_TEXT];
};

struct story {
    FILE *to;
    bool colour;
    int64_t begin_us;
    struct held held[STORY_HELD]; /* sorted by time */
    size_t count;
};

int story_new(struct story **out, FILE *to, bool colour)
{
    struct story *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->to = to;
    s->colour = colour;
    *out = s;
    return 0;
}

void story_free(struct story *s)
{
    free(s);
}

void story_begin(struct story *s, int64_t wall_us)
{
    s->begin_us = wall_us;
}

static const char *colour_of(const char *who)
{
    if (strcmp(who, "agent") == 0)
        return "\033[36m";
    if (strcmp(who, "caller") == 0)
        return "\033[33m";
    if (strcmp(who, "agi") == 0 || strcmp(who, "tool") == 0)
        return "\033[32m";
    return "\033[35m";
}

/* Where to break so that the line stays within the width: at a blank, else hard. */
static size_t line_length(const char *text)
{
    size_t n = strlen(text), at = STORY_WIDTH - STORY_INDENT;

    if (n <= at)
        return n;
    while (at > 20 && text[at] != ' ')
        at--;
    return at > 20 ? at : STORY_WIDTH - STORY_INDENT;
}

static void print(const struct story *s, const struct held *h)
{
    const char *text = h->text;
    size_t n = line_length(text);

    fprintf(s->to, "  %7.2f  %s%-7s%s %.*s\n", (double)(h->wall_us - s->begin_us) / 1e6, s->colour ? colour_of(h->who) : "",
            h->who, s->colour ? "\033[0m" : "", (int)n, text);
    for (text += n; *text; text += n) {
        while (*text == ' ')
            text++;
        n = line_length(text);
        fprintf(s->to, "%*s%.*s\n", STORY_INDENT, "", (int)n, text);
    }
    fflush(s->to);
}

void story_tell(struct story *s, int64_t now_us, int64_t hold_us)
{
    size_t n = 0;

    while (n < s->count && (hold_us == 0 || s->held[n].wall_us <= now_us - hold_us))
        print(s, &s->held[n++]);
    s->count -= n;
    memmove(s->held, s->held + n, s->count * sizeof *s->held);
}

void story_line(struct story *s, int64_t wall_us, const char *who, const char *fmt, ...)
{
    size_t at;
    va_list ap;

    if (s->count == STORY_HELD)
        story_tell(s, 0, 0);
    for (at = s->count; at > 0 && s->held[at - 1].wall_us > wall_us; at--)
        s->held[at] = s->held[at - 1];
    s->count++;
    s->held[at].wall_us = wall_us;
    snprintf(s->held[at].who, sizeof s->held[at].who, "%s", who);
    va_start(ap, fmt);
    vsnprintf(s->held[at].text, sizeof s->held[at].text, fmt, ap);
    va_end(ap);
}

/* ---- facts in words ---- */

static const char *str(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static double num(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void tell_agi_start(struct story *s, const struct fact *f, const cJSON *o)
{
    story_line(s, f->wall_us - (int64_t)num(o, "ms") * 1000, "agi", "%s asks route %s (extension %s)", str(o, "caller_number"),
               str(o, "route"), str(o, "exten"));
}

/* A short session has this fact alone: it tells of the beginning, too. */
static void tell_agi_end(struct story *s, const struct fact *f, const cJSON *o)
{
    const double n = num(o, "commands");

    if (num(o, "start_told") == 0)
        tell_agi_start(s, f, o);
    if (*str(o, "name"))
        story_line(s, f->wall_us, "agi", "looked up in the store: the caller is \"%s\"", str(o, "name"));
    if (strcmp(str(o, "status"), "HANDOFF") == 0)
        story_line(s, f->wall_us, "agi", "hands the call off to agent %s", str(o, "reason"));
    story_line(s, f->wall_us, "agi", "back in the dialplan with SIDETONE_STATUS=%s after %.0f command%s, the slowest %.2f ms",
               str(o, "status"), n, n == 1 ? "" : "s", num(o, "command_max_us") / 1000);
}

static void tell_stasis_start(struct story *s, const struct fact *f, const cJSON *o)
{
    story_line(s, f->wall_us, "ari", "%s <%s> enters Stasis for agent %s", str(o, "caller_name"), str(o, "caller_number"),
               str(o, "agent"));
}

static void tell_stasis_media(struct story *s, const struct fact *f, const cJSON *o)
{
    story_line(s, f->wall_us, "ari", "answered and bridged with an AudioSocket after %.0f ms", num(o, "ms"));
}

static void tell_agent_said(struct story *s, const struct fact *f, const cJSON *o)
{
    story_line(s, f->wall_us, "agent", "> \"%s\"", str(o, "text"));
}

static void tell_caller_said(struct story *s, const struct fact *f, const cJSON *o)
{
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "accepted")) || num(o, "accepted") > 0)
        story_line(s, f->wall_us, "agent", "< \"%s\"  understood as %s, score %.0f", str(o, "text"), str(o, "intent"),
                   num(o, "score"));
    else
        story_line(s, f->wall_us, "agent", "< not understood (score %.0f)", num(o, "score"));
}

static void tell_barge_in(struct story *s, const struct fact *f, const cJSON *o)
{
    story_line(s, f->wall_us, "agent", "is interrupted by %s after %.1f s of that answer, and stops", str(o, "by"),
               num(o, "played_ms") / 1000);
}

static void tell_tool(struct story *s, const struct fact *f, const cJSON *o)
{
    const char *outcome = str(o, "outcome"), *why = str(o, "why");

    if (strcmp(outcome, "ok") == 0)
        story_line(s, f->wall_us, "tool", "%s answered with %.0f bytes after %.0f ms", str(o, "name"), num(o, "result_bytes"), num(o, "ms"));
    else
        story_line(s, f->wall_us, "tool", "%s: %s%s%s", str(o, "name"), outcome, *why ? ", " : "", why);
}

static void tell_stasis_end(struct story *s, const struct fact *f, const cJSON *o)
{
    story_line(s, f->wall_us, "ari", "gives the call back: SIDETONE_STATUS=%s, SIDETONE_REASON=%s", str(o, "status"),
               str(o, "reason"));
}

static const struct telling {
    const char *kind;
    void (*tell)(struct story *s, const struct fact *f, const cJSON *o);
} tellings[] = {
    { "agi.start", tell_agi_start },       { "agi.end", tell_agi_end },
    { "stasis.start", tell_stasis_start }, { "stasis.media", tell_stasis_media },
    { "stasis.end", tell_stasis_end },     { "agent.said", tell_agent_said },
    { "caller.said", tell_caller_said },   { "barge_in", tell_barge_in },
    { "tool", tell_tool },
};

void story_fact(struct story *s, const struct fact *f)
{
    cJSON *o = cJSON_Parse(f->detail);

    for (size_t i = 0; o && i < sizeof tellings / sizeof *tellings; i++)
        if (strcmp(f->kind, tellings[i].kind) == 0)
            tellings[i].tell(s, f, o);
    cJSON_Delete(o);
}
