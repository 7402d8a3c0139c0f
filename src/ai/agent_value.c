/* Checks the values of an agent file, and collects what is wrong with them. */
#include "ai/agent_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "ai/speech.h"

static const char *const then_names[] = {
    [AGENT_LISTEN] = "listen", [AGENT_HAND_BACK] = "hand_back", [AGENT_HANG_UP] = "hang_up"};

/* ---- problems ---- */

PRINTF_LIKE(3, 0) static void problem_add(struct agent_loader *l, const struct conf_place *place, const char *fmt, va_list ap)
{
    if (l->problem_count == AGENT_PROBLEMS_MAX)
        return; /* enough to mend first */
    struct agent_problem *p = &l->problems[l->problem_count++];
    p->place = *place;
    vsnprintf(p->message, sizeof p->message, fmt, ap);
}

void agent_wrong(struct agent_loader *l, const struct conf_place *place, const char *fmt, ...)
{
    va_list ap;

    l->failed = true;
    va_start(ap, fmt);
    problem_add(l, place, fmt, ap);
    va_end(ap);
}

void agent_warning(struct agent_loader *l, const struct conf_place *place, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    problem_add(l, place, fmt, ap);
    va_end(ap);
}

/* By line within a file; problems of different files stay in the order in which they were met. */
static bool is_before(const struct agent_problem *a, const struct agent_problem *b)
{
    return strcmp(a->place.file, b->place.file) == 0 && a->place.line < b->place.line;
}

void agent_problems_tell(struct agent_loader *l, agent_on_problem *problem, void *arg)
{
    for (size_t i = 1; i < l->problem_count; i++)
        for (size_t k = i; k > 0 && is_before(&l->problems[k], &l->problems[k - 1]); k--) {
            const struct agent_problem other = l->problems[k];
            l->problems[k] = l->problems[k - 1];
            l->problems[k - 1] = other;
        }
    for (size_t i = 0; problem && i < l->problem_count; i++)
        problem(&l->problems[i].place, l->problems[i].message, arg);
}

/* ---- values ---- */

struct text agent_keep(struct agent_loader *l, struct text t)
{
    char *copy = arena_text(l->mem, t);

    if (!copy)
        l->no_memory = true;
    return copy ? text_make(copy, t.n) : TEXT_NONE;
}

bool agent_is_name(struct text t)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (t.n == 0 || t.n > AGENT_NAME_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!t.p[i] || !strchr(allowed, t.p[i]))
            return false;
    return true;
}

static void check_marks(struct agent_loader *l, const struct agent_key *key, const struct conf_item *item)
{
    for (struct text rest = item->value; rest.n > 0;) {
        const char c = *rest.p;
        rest = text_skip(rest, 1);
        if (c != '{' && c != '}')
            continue;
        const ptrdiff_t end = c == '{' ? text_find(rest, '}') : -1;
        const struct text mark = end < 0 ? TEXT_NONE : text_head(rest, (size_t)end);
        if (end < 0 || !agent_is_name(mark))
            agent_wrong(l, &item->place, "%s: a mark is written {name}; this brace is alone or the name has other characters",
                        key->name);
        else if (!key->mark)
            agent_wrong(l, &item->place, "%s: {%.*s} cannot be filled here", key->name, TEXT_ARG(mark));
        else if (strcmp(key->mark, "*") != 0 && !text_eq(mark, text_of(key->mark)))
            agent_wrong(l, &item->place, "%s: {%.*s} cannot be filled here, only {%s}", key->name, TEXT_ARG(mark), key->mark);
        if (end < 0)
            return;
        rest = text_skip(rest, (size_t)end + 1);
    }
}

static void set_spoken(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    if (item->value.n == 0)
        agent_wrong(l, &item->place, "%s: expected words to say, got nothing", key->name);
    else if (item->value.n > AGENT_SPOKEN_MAX)
        agent_wrong(l, &item->place, "%s: %zu bytes are too long to listen to; the most is %d", key->name, item->value.n,
                    AGENT_SPOKEN_MAX);
    check_marks(l, key, item);
    *(struct text *)((char *)object + key->at) = agent_keep(l, item->value);
}

static void set_name(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    if (!agent_is_name(item->value))
        agent_wrong(l, &item->place, "%s: expected a name of letters, digits, _ and - (at most %d), got \"%.*s\"", key->name,
                    AGENT_NAME_MAX, TEXT_ARG(text_head(item->value, 100)));
    *(struct text *)((char *)object + key->at) = agent_keep(l, item->value);
}

static void set_args(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    cJSON *tree = item->value.n <= AGENT_ARGS_MAX ? cJSON_ParseWithLength(item->value.p, item->value.n) : NULL;

    if (!cJSON_IsObject(tree))
        agent_wrong(l, &item->place, "%s: expected a JSON object of at most %d bytes, got \"%.*s\"", key->name, AGENT_ARGS_MAX,
                    TEXT_ARG(text_head(item->value, 100)));
    cJSON_Delete(tree);
    *(struct text *)((char *)object + key->at) = agent_keep(l, item->value);
}

static void set_voice(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    if (!speech_has_voice(item->value))
        agent_wrong(l, &item->place, "voice: there is no voice \"%.*s\"; the voices are slt, rms, awb, kal16 and kal",
                    TEXT_ARG(text_head(item->value, 100)));
    *(struct text *)((char *)object + key->at) = agent_keep(l, item->value);
}

static void set_ms(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    int64_t ms = 0;

    if (text_to_ms(item->value, &ms) != 0)
        agent_wrong(l, &item->place, "%s: expected a time such as 800ms or 8s, got \"%.*s\"", key->name,
                    TEXT_ARG(text_head(item->value, 100)));
    else if (ms < key->min || ms > key->max)
        agent_wrong(l, &item->place, "%s: %lld ms is outside %lld ... %lld ms", key->name, (long long)ms, (long long)key->min,
                    (long long)key->max);
    *(int64_t *)((char *)object + key->at) = ms;
}

static void set_score(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    int64_t score = 0;

    if (text_to_i64(item->value, &score) != 0 || score > 0 || score < -100000)
        agent_wrong(l, &item->place, "%s: expected a score per second from -100000 to 0, got \"%.*s\"", key->name,
                    TEXT_ARG(text_head(item->value, 100)));
    *(double *)((char *)object + key->at) = (double)score;
}

static void set_barge_in(struct agent_loader *l, const struct conf_item *item)
{
    struct text rest = item->value, part;
    bool none = false;

    l->a->barge_in_voice = l->a->barge_in_dtmf = false;
    while (text_cut(&rest, ',', &part)) {
        part = text_trim(part);
        if (text_eq(part, TEXT("voice")))
            l->a->barge_in_voice = true;
        else if (text_eq(part, TEXT("dtmf")))
            l->a->barge_in_dtmf = true;
        else if (text_eq(part, TEXT("none")))
            none = true;
        else
            agent_wrong(l, &item->place, "barge_in: expected voice, dtmf or none, got \"%.*s\"",
                        TEXT_ARG(text_head(part, 100)));
    }
    if (none && (l->a->barge_in_voice || l->a->barge_in_dtmf))
        agent_wrong(l, &item->place, "barge_in: none cannot stand beside others");
}

void agent_set_then(struct agent_loader *l, struct agent_intent *in, const struct conf_item *item)
{
    for (size_t i = 0; i < sizeof then_names / sizeof then_names[0]; i++)
        if (text_eq(item->value, text_of(then_names[i]))) {
            in->then = (enum agent_then)i;
            return;
        }
    agent_wrong(l, &item->place, "then: expected listen, hand_back or hang_up, got \"%.*s\"",
                TEXT_ARG(text_head(item->value, 100)));
}

void agent_set_digit(struct agent_loader *l, struct agent_intent *in, const struct conf_item *item)
{
    if (item->value.n != 1 || !strchr("0123456789*#", item->value.p[0])) {
        agent_wrong(l, &item->place, "digit: expected one of 0-9 * #, got \"%.*s\"", TEXT_ARG(text_head(item->value, 100)));
        return;
    }
    in->digit = item->value.p[0];
    for (size_t i = 0; i < l->intent_count; i++)
        if (l->intents[i].digit == in->digit)
            agent_wrong(l, &item->place, "digit: %c is already the digit of [intent %.*s], line %u", in->digit,
                        TEXT_ARG(l->intents[i].name), l->intents[i].place.line);
}

/* ---- phrases ---- */

/* Lower case, single blanks. False with the character that cannot stay in *foreign. */
static bool phrase_clean(struct text raw, char *out, size_t *n, char *foreign)
{
    *n = 0;
    raw = text_trim(raw);
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 'a' - 'A');
        if (c == '\t')
            c = ' ';
        if (c == ' ' && out[*n - 1] == ' ')
            continue;
        if ((c < 'a' || c > 'z') && c != '\'' && c != ' ') {
            *foreign = c;
            return false;
        }
        out[(*n)++] = c;
    }
    return true;
}

static void phrase_refuse(struct agent_loader *l, const struct conf_item *item, char foreign)
{
    const struct text shown = text_head(item->value, AGENT_PHRASE_MAX);

    if (foreign >= '0' && foreign <= '9')
        agent_wrong(l, &item->place, "say: \"%.*s\" has the digit %c; write numbers as words", TEXT_ARG(shown), foreign);
    else if (foreign > 0x20 && foreign < 0x7f)
        agent_wrong(l, &item->place, "say: \"%.*s\" has the character %c; only words, blanks and apostrophes can be spoken",
                    TEXT_ARG(shown), foreign);
    else
        agent_wrong(l, &item->place, "say: \"%.*s\" has a character that is not plain English (byte 0x%02x)", TEXT_ARG(shown),
                    (unsigned char)foreign);
}

void agent_set_say(struct agent_loader *l, struct text *phrases, size_t *count, const struct conf_item *item)
{
    char clean[AGENT_PHRASE_MAX + 1], foreign = 0;
    size_t n;

    if (item->value.n == 0 || item->value.n > AGENT_PHRASE_MAX) {
        agent_wrong(l, &item->place, "say: expected 1 to %d bytes of words, got %zu", AGENT_PHRASE_MAX, item->value.n);
        return;
    }
    if (!phrase_clean(item->value, clean, &n, &foreign)) {
        phrase_refuse(l, item, foreign);
        return;
    }
    const struct text phrase = text_make(clean, n);
    for (size_t i = 0; i < l->phrase_count; i++)
        if (text_eq(l->phrases[i].phrase, phrase)) {
            agent_wrong(l, &item->place, "say: \"%s\" stands in line %u already", l->phrases[i].phrase.p,
                        l->phrases[i].place.line);
            return;
        }
    if (l->phrase_count == AGENT_PHRASES_MAX) {
        agent_wrong(l, &item->place, "say: more than %d phrases; the recogniser would confuse them", AGENT_PHRASES_MAX);
        return;
    }
    const struct text kept = agent_keep(l, phrase);
    l->phrases[l->phrase_count++] = (struct phrase_place){.phrase = kept, .place = item->place};
    phrases[(*count)++] = kept;
}

void agent_set(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item)
{
    switch (key->kind) {
    case KEY_SPOKEN:
        set_spoken(l, key, object, item);
        break;
    case KEY_NAME:
        set_name(l, key, object, item);
        break;
    case KEY_ARGS:
        set_args(l, key, object, item);
        break;
    case KEY_VOICE:
        set_voice(l, key, object, item);
        break;
    case KEY_MS:
        set_ms(l, key, object, item);
        break;
    case KEY_SCORE:
        set_score(l, key, object, item);
        break;
    case KEY_BARGE_IN:
        set_barge_in(l, item);
        break;
    case KEY_SAY:
    case KEY_DIGIT:
    case KEY_THEN:
        break; /* of intents: read_intent */
    }
}
