/* Knows the built-in tools: names, schemas, and what an agent's rules make of a call. */
#include "call/builtin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/buf.h"

enum { PARAMETERS_MAX = 64 * 1024 };

static const struct {
    const char *name, *description;
} all[BUILTIN_COUNT] = {
    [BUILTIN_NONE] = { "", "" },
    [BUILTIN_HAND_BACK] = { "hand_back", "Ends this conversation and hands the caller over to the telephone system. Say what happens first." },
    [BUILTIN_HANG_UP] = { "hang_up", "Ends the call. Say goodbye first." },
    [BUILTIN_TRANSFER] = { "transfer", "Connects the caller with somebody else and ends this conversation. Say first with whom." },
    [BUILTIN_TAKE_MESSAGE] = { "take_message", "Writes down a message of the caller. Read it back to the caller before." },
    [BUILTIN_SET_VARIABLE] = { "set_variable", "Notes a value for the telephone system, which reads it when this conversation is over." },
    [BUILTIN_SWITCH_AGENT] = { "switch_agent", "Another agent takes over this conversation. Say so first." },
};

enum builtin builtin_of(struct text name)
{
    for (int b = BUILTIN_NONE + 1; b < BUILTIN_COUNT; b++)
        if (text_eq(name, text_of(all[b].name)))
            return (enum builtin)b;
    return BUILTIN_NONE;
}

const char *builtin_name(enum builtin b)
{
    return all[b].name;
}

const char *builtin_description(enum builtin b)
{
    return all[b].description;
}

/* ---- what a model is told ---- */

static void string_add(struct buf *b, const char *s)
{
    buf_add_char(b, '"');
    buf_add_json(b, text_of(s));
    buf_add_char(b, '"');
}

static void names_add(struct buf *b, const char *const *names, size_t count)
{
    buf_addf(b, ",\"enum\":[");
    for (size_t i = 0; i < count; i++) {
        buf_addf(b, "%s", i ? "," : "");
        string_add(b, names[i]);
    }
    buf_add_char(b, ']');
}

static void target_add(struct buf *b, const struct builtin_rules *r)
{
    buf_addf(b, "\"target\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":79");
    if (!r->transfer_context) {
        buf_addf(b, ",\"enum\":[");
        for (size_t i = 0; i < r->target_count; i++) {
            buf_addf(b, "%s", i ? "," : "");
            string_add(b, r->targets[i].name);
        }
        buf_addf(b, "]}");
        return;
    }
    buf_addf(b, ",\"description\":\"a number of the form");
    for (size_t i = 0; i < r->pattern_count; i++)
        buf_addf(b, "%s %s", i ? " or" : "", r->patterns[i]);
    buf_addf(b, " (X: any digit, Z: 1 to 9, N: 2 to 9)%s", r->target_count ? ", or one of:" : "");
    for (size_t i = 0; i < r->target_count; i++) {
        buf_addf(b, "%s ", i ? "," : "");
        buf_add_json(b, text_of(r->targets[i].name));
    }
    buf_addf(b, "\"}");
}

static void properties_add(struct buf *b, enum builtin what, const struct builtin_rules *r)
{
    switch (what) {
    case BUILTIN_HAND_BACK:
        buf_addf(b, "\"reason\":{\"type\":\"string\",\"description\":\"one word, such as operator\"}}");
        break;
    case BUILTIN_HANG_UP:
        buf_addf(b, "\"reason\":{\"type\":\"string\",\"description\":\"one word\"}}");
        break;
    case BUILTIN_TRANSFER:
        target_add(b, r);
        buf_addf(b, "},\"required\":[\"target\"]");
        break;
    case BUILTIN_TAKE_MESSAGE:
        buf_addf(b, "\"text\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d},"
                    "\"name\":{\"type\":\"string\",\"maxLength\":100,\"description\":\"who calls\"},"
                    "\"number\":{\"type\":\"string\",\"maxLength\":40,\"description\":\"where to call back\"},"
                    "\"for\":{\"type\":\"string\",\"maxLength\":100,\"description\":\"whom it is for\"}},\"required\":[\"text\"]",
                 BUILTIN_MESSAGE_MAX);
        break;
    case BUILTIN_SET_VARIABLE:
        buf_addf(b, "\"name\":{\"type\":\"string\"");
        names_add(b, r->variables, r->variable_count);
        buf_addf(b, "},\"value\":{\"type\":\"string\",\"maxLength\":%d}},\"required\":[\"name\",\"value\"]", TALK_VARIABLE_VALUE_MAX - 1);
        break;
    case BUILTIN_SWITCH_AGENT:
        buf_addf(b, "\"agent\":{\"type\":\"string\"");
        names_add(b, r->agents, r->agent_count);
        buf_addf(b, "}},\"required\":[\"agent\"]");
        break;
    case BUILTIN_NONE:
    case BUILTIN_COUNT:
        buf_add_char(b, '}');
        break;
    }
}

char *builtin_parameters(enum builtin what, const struct builtin_rules *r)
{
    struct buf b;
    char *own = NULL;

    buf_init(&b, PARAMETERS_MAX);
    buf_addf(&b, "{\"type\":\"object\",\"properties\":{");
    properties_add(&b, what, r);
    buf_add_char(&b, '}');
    if (!b.err)
        own = text_dup(buf_text(&b));
    buf_free(&b);
    return own;
}

/* ---- what a call comes to ---- */

static const char *word(const cJSON *args, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(args, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

/* It becomes the value of a channel variable: one line of plain letters. */
static void reason_take(struct builtin_act *act, const char *reason)
{
    talk_value_clean(act->reason, sizeof act->reason, text_of(reason[0] ? reason : "agent"));
    for (char *c = act->reason; *c; c++)
        if ((unsigned char)*c > 0x7e)
            *c = ' ';
}

bool builtin_is_pattern(struct text pattern)
{
    for (size_t i = 0; i < pattern.n; i++)
        if (!pattern.p[i] || !strchr("0123456789XZN", pattern.p[i]))
            return false;
    return pattern.n > 0 && pattern.n < TALK_PLACE_MAX;
}

static bool is_number_of(const char *pattern, struct text number)
{
    if (strlen(pattern) != number.n)
        return false;
    for (size_t i = 0; i < number.n; i++) {
        const char p = pattern[i], c = number.p[i], least = p == 'X' ? '0' : p == 'Z' ? '1' : p == 'N' ? '2' : p;

        if (c < least || c > (p >= '0' && p <= '9' ? p : '9'))
            return false;
    }
    return true;
}

static int target_find(struct builtin_act *act, const struct builtin_rules *r, struct text asked, char *why)
{
    for (size_t i = 0; i < r->target_count; i++) {
        if (!text_eq(asked, text_of(r->targets[i].name)))
            continue;
        act->to = r->targets[i];
        reason_take(act, r->targets[i].name);
        return 0;
    }
    for (size_t i = 0; r->transfer_context && i < r->pattern_count; i++) {
        if (!is_number_of(r->patterns[i], asked))
            continue;
        text_copy(act->number, sizeof act->number, asked);
        act->to = (struct builtin_target){ .context = r->transfer_context, .extension = act->number, .priority = "1" };
        reason_take(act, act->number);
        return 0;
    }
    snprintf(why, BUILTIN_WHY_MAX, "calls may not be transferred there; the target has to be one that was named to you");
    return -EACCES;
}

static const char *listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return names[i];
    return NULL;
}

bool builtin_is_variable(struct text name)
{
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.n > 0 && name.n < TALK_VARIABLE_NAME_MAX && !text_starts_nocase(name, TEXT("SIDETONE_"));
}

int builtin_read(struct builtin_act *out, enum builtin b, const struct builtin_rules *r, const struct cJSON *args, char why[BUILTIN_WHY_MAX])
{
    const char *name;

    *out = (struct builtin_act){ .what = b };
    switch (b) {
    case BUILTIN_HAND_BACK:
    case BUILTIN_HANG_UP:
        reason_take(out, word(args, "reason"));
        return 0;
    case BUILTIN_TRANSFER:
        return target_find(out, r, text_of(word(args, "target")), why);
    case BUILTIN_SET_VARIABLE:
        name = listed(r->variables, r->variable_count, word(args, "name"));
        out->name = text_of(name);
        out->value = text_of(word(args, "value"));
        snprintf(why, BUILTIN_WHY_MAX, "there is no variable of that name");
        return name ? 0 : -EACCES;
    case BUILTIN_SWITCH_AGENT:
        name = listed(r->agents, r->agent_count, word(args, "agent"));
        out->name = text_of(name);
        snprintf(why, BUILTIN_WHY_MAX, "there is no agent of that name");
        return name ? 0 : -EACCES;
    case BUILTIN_NONE:
    case BUILTIN_TAKE_MESSAGE:
    case BUILTIN_COUNT:
        break;
    }
    return -EINVAL;
}
