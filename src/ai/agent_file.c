/* Reads an agent of the embedded provider from a file of the configuration dialect, and names every mistake in it. */
#include "ai/agent_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/speech.h"
#include "base/arena.h"
#include "base/buf.h"

enum {
    MEMORY_MAX = 4 * 1024 * 1024,
    SPOKEN_MAX = 600,               /* bytes; about 40 s of speech, and a conversation holds 60 s */
    NAME_MAX_BYTES = 64,
    PHRASE_MAX = 120,               /* bytes; the recogniser hears at most 8 s */
    PHRASES_MAX = 500,
    INTENTS_MAX = 100,
    PROBLEMS_MAX = 200,
    MESSAGE_MAX = 400,
};

enum key_kind { KEY_SPOKEN, KEY_NAME, KEY_VOICE, KEY_MS, KEY_SCORE, KEY_BARGE_IN, KEY_SAY, KEY_DIGIT, KEY_THEN };

struct key {
    const char *name;
    enum key_kind kind;
    size_t at;                      /* offset in struct agent_file or agent_intent */
    const char *fallback;           /* text when the key is absent; NULL: stays absent */
    const char *mark;               /* the {mark} it may hold; "*": any; NULL: none */
    int64_t min, max;
};

#define IN_AGENT(member) offsetof(struct agent_file, member)
#define IN_INTENT(member) offsetof(struct agent_intent, member)

static const struct key agent_keys[] = {
    { .name = "greeting", .kind = KEY_SPOKEN, .at = IN_AGENT(greeting) },
    { .name = "voice", .kind = KEY_VOICE, .at = IN_AGENT(voice), .fallback = "slt" },
    { .name = "reprompt", .kind = KEY_SPOKEN, .at = IN_AGENT(reprompt), .fallback = "Sorry, I did not catch that." },
    { .name = "confirm", .kind = KEY_SPOKEN, .at = IN_AGENT(confirm), .fallback = "Did you say {title}?", .mark = "title" },
    { .name = "digits_help", .kind = KEY_SPOKEN, .at = IN_AGENT(digits_help), .fallback = "You can also press {digits}.",
      .mark = "digits" },
    { .name = "no_input", .kind = KEY_SPOKEN, .at = IN_AGENT(no_input), .fallback = "Are you still there?" },
    { .name = "no_input_after", .kind = KEY_MS, .at = IN_AGENT(no_input_ms), .min = 1000, .max = 120000 },
    { .name = "goodbye", .kind = KEY_SPOKEN, .at = IN_AGENT(goodbye), .fallback = "Thank you for calling. Goodbye." },
    { .name = "give_up", .kind = KEY_SPOKEN, .at = IN_AGENT(give_up), .fallback = "I connect you with a colleague." },
    { .name = "accept", .kind = KEY_SCORE, .at = IN_AGENT(accept) },
    { .name = "confirm_above", .kind = KEY_SCORE, .at = IN_AGENT(confirm_above) },
    { .name = "barge_in", .kind = KEY_BARGE_IN },
    { .name = "barge_in_after", .kind = KEY_MS, .at = IN_AGENT(barge_in_ms), .min = 60, .max = 5000 },
};

static const struct key intent_keys[] = {
    { .name = "title", .kind = KEY_SPOKEN, .at = IN_INTENT(title) },
    { .name = "say", .kind = KEY_SAY },
    { .name = "digit", .kind = KEY_DIGIT },
    { .name = "tool", .kind = KEY_NAME, .at = IN_INTENT(tool) },
    { .name = "answer", .kind = KEY_SPOKEN, .at = IN_INTENT(answer), .mark = "*" },
    { .name = "failed", .kind = KEY_SPOKEN, .at = IN_INTENT(failed), .fallback = "I am sorry, I cannot do that just now." },
    { .name = "then", .kind = KEY_THEN },
    { .name = "reason", .kind = KEY_NAME, .at = IN_INTENT(reason) },
};

enum { AGENT_KEYS = sizeof agent_keys / sizeof agent_keys[0], INTENT_KEYS = sizeof intent_keys / sizeof intent_keys[0] };

static const char *const then_names[] = { [AGENT_LISTEN] = "listen", [AGENT_HAND_BACK] = "hand_back", [AGENT_HANG_UP] = "hang_up" };

struct problem {
    struct conf_place place;
    char message[MESSAGE_MAX];
};

struct phrase_place {
    struct text phrase;
    struct conf_place place;
};

struct loader {
    const struct conf *conf;
    struct arena *mem;
    struct agent_file *a;
    struct agent_intent *intents;
    size_t intent_count;
    struct phrase_place phrases[PHRASES_MAX];
    size_t phrase_count;
    const struct conf_section *agent_section;
    struct problem problems[PROBLEMS_MAX];
    size_t problem_count;
    bool failed, no_memory;
};

/* ---- problems ---- */

static void problem_add(struct loader *l, const struct conf_place *place, const char *fmt, va_list ap)
{
    if (l->problem_count == PROBLEMS_MAX)
        return;                     /* enough to mend first */
    struct problem *p = &l->problems[l->problem_count++];
    p->place = *place;
    vsnprintf(p->message, sizeof p->message, fmt, ap);
}

PRINTF_LIKE(3, 4) static void wrong(struct loader *l, const struct conf_place *place, const char *fmt, ...)
{
    va_list ap;

    l->failed = true;
    va_start(ap, fmt);
    problem_add(l, place, fmt, ap);
    va_end(ap);
}

PRINTF_LIKE(3, 4) static void warning(struct loader *l, const struct conf_place *place, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    problem_add(l, place, fmt, ap);
    va_end(ap);
}

/* By line within a file; problems of different files stay in the order in which they were met. */
static bool is_before(const struct problem *a, const struct problem *b)
{
    return strcmp(a->place.file, b->place.file) == 0 && a->place.line < b->place.line;
}

static void problems_tell(struct loader *l, agent_on_problem *problem, void *arg)
{
    for (size_t i = 1; i < l->problem_count; i++)
        for (size_t k = i; k > 0 && is_before(&l->problems[k], &l->problems[k - 1]); k--) {
            const struct problem other = l->problems[k];
            l->problems[k] = l->problems[k - 1];
            l->problems[k - 1] = other;
        }
    for (size_t i = 0; problem && i < l->problem_count; i++)
        problem(&l->problems[i].place, l->problems[i].message, arg);
}

static const char *nearest(const struct key *keys, size_t count, struct text name)
{
    size_t best = SIZE_MAX;
    const char *found = keys[0].name;

    for (size_t i = 0; i < count; i++) {
        const size_t d = text_distance(text_of(keys[i].name), name);
        if (d < best) {
            best = d;
            found = keys[i].name;
        }
    }
    return found;
}

/* ---- values ---- */

static struct text keep(struct loader *l, struct text t)
{
    char *copy = arena_text(l->mem, t);

    if (!copy)
        l->no_memory = true;
    return copy ? text_make(copy, t.n) : TEXT_NONE;
}

static bool is_name(struct text t)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (t.n == 0 || t.n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!t.p[i] || !strchr(allowed, t.p[i]))
            return false;
    return true;
}

static void check_marks(struct loader *l, const struct key *key, const struct conf_item *item)
{
    for (struct text rest = item->value; rest.n > 0;) {
        const char c = *rest.p;
        rest = text_skip(rest, 1);
        if (c != '{' && c != '}')
            continue;
        const ptrdiff_t end = c == '{' ? text_find(rest, '}') : -1;
        const struct text mark = end < 0 ? TEXT_NONE : text_head(rest, (size_t)end);
        if (end < 0 || !is_name(mark))
            wrong(l, &item->place, "%s: a mark is written {name}; this brace is alone or the name has other characters", key->name);
        else if (!key->mark)
            wrong(l, &item->place, "%s: {%.*s} cannot be filled here", key->name, TEXT_ARG(mark));
        else if (strcmp(key->mark, "*") != 0 && !text_eq(mark, text_of(key->mark)))
            wrong(l, &item->place, "%s: {%.*s} cannot be filled here, only {%s}", key->name, TEXT_ARG(mark), key->mark);
        if (end < 0)
            return;
        rest = text_skip(rest, (size_t)end + 1);
    }
}

static void set_spoken(struct loader *l, const struct key *key, void *object, const struct conf_item *item)
{
    if (item->value.n == 0)
        wrong(l, &item->place, "%s: expected words to say, got nothing", key->name);
    else if (item->value.n > SPOKEN_MAX)
        wrong(l, &item->place, "%s: %zu bytes are too long to listen to; the most is %d", key->name, item->value.n, SPOKEN_MAX);
    check_marks(l, key, item);
    *(struct text *)((char *)object + key->at) = keep(l, item->value);
}

static void set_name(struct loader *l, const struct key *key, void *object, const struct conf_item *item)
{
    if (!is_name(item->value))
        wrong(l, &item->place, "%s: expected a name of letters, digits, _ and - (at most %d), got \"%.*s\"", key->name, NAME_MAX_BYTES,
              TEXT_ARG(text_head(item->value, 100)));
    *(struct text *)((char *)object + key->at) = keep(l, item->value);
}

static void set_voice(struct loader *l, const struct key *key, void *object, const struct conf_item *item)
{
    if (!speech_has_voice(item->value))
        wrong(l, &item->place, "voice: there is no voice \"%.*s\"; the voices are slt, rms, awb, kal16 and kal",
              TEXT_ARG(text_head(item->value, 100)));
    *(struct text *)((char *)object + key->at) = keep(l, item->value);
}

static void set_ms(struct loader *l, const struct key *key, void *object, const struct conf_item *item)
{
    int64_t ms = 0;

    if (text_to_ms(item->value, &ms) != 0)
        wrong(l, &item->place, "%s: expected a time such as 800ms or 8s, got \"%.*s\"", key->name,
              TEXT_ARG(text_head(item->value, 100)));
    else if (ms < key->min || ms > key->max)
        wrong(l, &item->place, "%s: %lld ms is outside %lld ... %lld ms", key->name, (long long)ms, (long long)key->min,
              (long long)key->max);
    *(int64_t *)((char *)object + key->at) = ms;
}

static void set_score(struct loader *l, const struct key *key, void *object, const struct conf_item *item)
{
    int64_t score = 0;

    if (text_to_i64(item->value, &score) != 0 || score > 0 || score < -100000)
        wrong(l, &item->place, "%s: expected a score per second from -100000 to 0, got \"%.*s\"", key->name,
              TEXT_ARG(text_head(item->value, 100)));
    *(double *)((char *)object + key->at) = (double)score;
}

static void set_barge_in(struct loader *l, const struct conf_item *item)
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
            wrong(l, &item->place, "barge_in: expected voice, dtmf or none, got \"%.*s\"", TEXT_ARG(text_head(part, 100)));
    }
    if (none && (l->a->barge_in_voice || l->a->barge_in_dtmf))
        wrong(l, &item->place, "barge_in: none cannot stand beside others");
}

static void set_then(struct loader *l, struct agent_intent *in, const struct conf_item *item)
{
    for (size_t i = 0; i < sizeof then_names / sizeof then_names[0]; i++)
        if (text_eq(item->value, text_of(then_names[i]))) {
            in->then = (enum agent_then)i;
            return;
        }
    wrong(l, &item->place, "then: expected listen, hand_back or hang_up, got \"%.*s\"", TEXT_ARG(text_head(item->value, 100)));
}

static void set_digit(struct loader *l, struct agent_intent *in, const struct conf_item *item)
{
    if (item->value.n != 1 || !strchr("0123456789*#", item->value.p[0])) {
        wrong(l, &item->place, "digit: expected one of 0-9 * #, got \"%.*s\"", TEXT_ARG(text_head(item->value, 100)));
        return;
    }
    in->digit = item->value.p[0];
    for (size_t i = 0; i < l->intent_count; i++)
        if (l->intents[i].digit == in->digit)
            wrong(l, &item->place, "digit: %c is already the digit of [intent %.*s], line %u", in->digit,
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

static void phrase_refuse(struct loader *l, const struct conf_item *item, char foreign)
{
    const struct text shown = text_head(item->value, PHRASE_MAX);

    if (foreign >= '0' && foreign <= '9')
        wrong(l, &item->place, "say: \"%.*s\" has the digit %c; write numbers as words", TEXT_ARG(shown), foreign);
    else if (foreign > 0x20 && foreign < 0x7f)
        wrong(l, &item->place, "say: \"%.*s\" has the character %c; only words, blanks and apostrophes can be spoken", TEXT_ARG(shown),
              foreign);
    else
        wrong(l, &item->place, "say: \"%.*s\" has a character that is not plain English (byte 0x%02x)", TEXT_ARG(shown),
              (unsigned char)foreign);
}

static void set_say(struct loader *l, struct text *phrases, size_t *count, const struct conf_item *item)
{
    char clean[PHRASE_MAX + 1], foreign = 0;
    size_t n;

    if (item->value.n == 0 || item->value.n > PHRASE_MAX) {
        wrong(l, &item->place, "say: expected 1 to %d bytes of words, got %zu", PHRASE_MAX, item->value.n);
        return;
    }
    if (!phrase_clean(item->value, clean, &n, &foreign)) {
        phrase_refuse(l, item, foreign);
        return;
    }
    const struct text phrase = text_make(clean, n);
    for (size_t i = 0; i < l->phrase_count; i++)
        if (text_eq(l->phrases[i].phrase, phrase)) {
            wrong(l, &item->place, "say: \"%s\" stands in line %u already", l->phrases[i].phrase.p, l->phrases[i].place.line);
            return;
        }
    if (l->phrase_count == PHRASES_MAX) {
        wrong(l, &item->place, "say: more than %d phrases; the recogniser would confuse them", PHRASES_MAX);
        return;
    }
    const struct text kept = keep(l, phrase);
    l->phrases[l->phrase_count++] = (struct phrase_place){ .phrase = kept, .place = item->place };
    phrases[(*count)++] = kept;
}

/* ---- sections ---- */

/* The key of an item, or NULL with the mistake told: unknown, or given twice in one section (an inherited one may be replaced). */
static const struct key *key_of(struct loader *l, const struct key *keys, size_t count, const struct conf_section *s,
                                const struct conf_item *item)
{
    const struct key *key = NULL;

    for (size_t i = 0; i < count; i++)
        if (text_eq(item->name, text_of(keys[i].name)))
            key = &keys[i];
    if (!key) {
        wrong(l, &item->place, "there is no key \"%.*s\" in [%.*s]; the nearest is %s", TEXT_ARG(text_head(item->name, 64)),
              TEXT_ARG(text_head(s->name, 64)), nearest(keys, count, item->name));
        return NULL;
    }
    for (const struct conf_item *other = s->items; other < item && key->kind != KEY_SAY && !item->appended; other++)
        if (!other->inherited && text_eq(other->name, item->name))
            wrong(l, &item->place, "%s: given in line %u already", key->name, other->place.line);
    return key;
}

static void set_common(struct loader *l, const struct key *key, void *object, const struct conf_item *item)
{
    switch (key->kind) {
    case KEY_SPOKEN:
        set_spoken(l, key, object, item);
        break;
    case KEY_NAME:
        set_name(l, key, object, item);
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
        break;                      /* of intents: read_intent */
    }
}

static void set_fallbacks(const struct key *keys, size_t count, void *object)
{
    for (size_t i = 0; i < count; i++) {
        struct text *t = (struct text *)((char *)object + keys[i].at);
        if (keys[i].fallback && !t->p)
            *t = text_of(keys[i].fallback);
    }
}

static void read_agent(struct loader *l, const struct conf_section *s)
{
    struct agent_file *a = l->a;

    if (l->agent_section) {
        wrong(l, &s->place, "[agent] stands in line %u already", l->agent_section->place.line);
        return;
    }
    l->agent_section = s;
    for (size_t i = 0; i < s->count; i++) {
        const struct key *key = key_of(l, agent_keys, AGENT_KEYS, s, &s->items[i]);
        if (key)
            set_common(l, key, a, &s->items[i]);
    }
    if (!a->greeting.p)
        wrong(l, &s->place, "[agent] has no greeting");
    if (a->accept < a->confirm_above)
        wrong(l, &s->place, "accept (%.0f) is below confirm_above (%.0f)", a->accept, a->confirm_above);
}

static bool has_item(const struct conf_section *s, struct text name)
{
    for (size_t i = 0; i < s->count; i++)
        if (text_eq(s->items[i].name, name))
            return true;
    return false;
}

static void check_intent(struct loader *l, const struct conf_section *s, const struct agent_intent *in)
{
    const bool has_mark = in->answer.p && text_find(in->answer, '{') >= 0;

    if (!has_item(s, TEXT("say")) && !has_item(s, TEXT("digit")))
        wrong(l, &in->place, "[intent %.*s] has neither say nor digit, so nobody can ask for it", TEXT_ARG(in->name));
    if (in->then == AGENT_LISTEN && !in->answer.p)
        wrong(l, &in->place, "[intent %.*s] has no answer", TEXT_ARG(in->name));
    if (has_mark && !in->tool.p)
        wrong(l, &in->place, "[intent %.*s] has a {mark} in its answer, and no tool to fill it", TEXT_ARG(in->name));
}

/* "opening-hours" as words, for an intent without a title. */
static struct text title_of(struct loader *l, struct text name)
{
    const struct text title = keep(l, name);

    for (size_t i = 0; i < title.n; i++)
        if (title.p[i] == '-' || title.p[i] == '_')
            ((char *)title.p)[i] = ' ';   /* our own fresh copy */
    return title;
}

static void read_intent(struct loader *l, const struct conf_section *s, struct text name)
{
    struct agent_intent in = { .name = keep(l, name), .place = s->place };
    struct text *phrases = arena_take(l->mem, (s->count + 1) * sizeof *phrases);

    if (!phrases) {
        l->no_memory = true;
        return;
    }
    in.place.file = keep(l, text_of(s->place.file)).p;
    if (!is_name(name))
        wrong(l, &s->place, "[intent NAME]: expected a name of letters, digits, _ and - (at most %d), got \"%.*s\"", NAME_MAX_BYTES,
              TEXT_ARG(text_head(name, 100)));
    for (size_t i = 0; i < l->intent_count; i++)
        if (text_eq(l->intents[i].name, name))
            wrong(l, &s->place, "[intent %.*s] stands in line %u already", TEXT_ARG(name), l->intents[i].place.line);
    for (size_t i = 0; i < s->count; i++) {
        const struct key *key = key_of(l, intent_keys, INTENT_KEYS, s, &s->items[i]);
        if (!key)
            continue;
        if (key->kind == KEY_SAY)
            set_say(l, phrases, &in.phrase_count, &s->items[i]);
        else if (key->kind == KEY_DIGIT)
            set_digit(l, &in, &s->items[i]);
        else if (key->kind == KEY_THEN)
            set_then(l, &in, &s->items[i]);
        else
            set_common(l, key, &in, &s->items[i]);
    }
    in.phrases = phrases;
    check_intent(l, s, &in);
    set_fallbacks(intent_keys, INTENT_KEYS, &in);
    if (!in.title.p)
        in.title = title_of(l, name);
    if (!in.reason.p)
        in.reason = in.name;
    if (l->intent_count == INTENTS_MAX)
        wrong(l, &s->place, "more than %d intents", INTENTS_MAX);
    else
        l->intents[l->intent_count++] = in;
}

static void read_section(struct loader *l, const struct conf_section *s)
{
    if (s->is_template)
        return;
    if (text_eq(s->name, TEXT("agent")))
        read_agent(l, s);
    else if (text_starts(s->name, TEXT("intent ")))
        read_intent(l, s, text_trim(text_skip(s->name, 7)));
    else
        wrong(l, &s->place, "there is no section [%.*s]; an agent has [agent] and [intent NAME]", TEXT_ARG(text_head(s->name, 64)));
}

static void read_all(struct loader *l, const char *path)
{
    const struct conf_place start = { .file = path, .line = 1, .column = 1 };

    for (size_t i = 0; i < l->conf->problem_count; i++) {
        const struct conf_problem *p = &l->conf->problems[i];
        if (p->severity == CONF_ERROR)
            wrong(l, &p->place, "%s", p->message);
        else
            warning(l, &p->place, "warning: %s", p->message);
    }
    for (size_t i = 0; i < l->conf->section_count; i++)
        read_section(l, &l->conf->sections[i]);
    if (!l->agent_section)
        wrong(l, &start, "there is no [agent] section");
    if (l->intent_count == 0)
        wrong(l, &start, "there is no [intent NAME] section, so nothing could be understood");
    set_fallbacks(agent_keys, AGENT_KEYS, l->a);
}

static struct agent_file *agent_make(struct arena *mem)
{
    struct agent_file *a = arena_take(mem, sizeof *a);

    if (!a)
        return NULL;
    a->memory = mem;
    a->no_input_ms = 8000;
    a->barge_in_ms = 120;
    a->accept = -2300;
    a->confirm_above = -3000;
    a->barge_in_voice = a->barge_in_dtmf = true;
    return a;
}

int agent_file_load(struct agent_file **out, const char *path, agent_on_problem *problem, void *arg)
{
    struct conf *conf = NULL;
    struct arena *mem = NULL;
    struct loader *l = NULL;
    int err = conf_load(&conf, path, &conf_disk);

    if (err)
        return err;
    err = arena_new(&mem, MEMORY_MAX);
    if (err)
        goto done;
    err = -ENOMEM;
    l = calloc(1, sizeof *l);
    if (!l)
        goto done;
    l->conf = conf;
    l->mem = mem;
    l->a = agent_make(mem);
    l->intents = arena_take(mem, INTENTS_MAX * sizeof *l->intents);
    if (!l->a || !l->intents)
        goto done;
    read_all(l, path);
    l->a->intents = l->intents;
    l->a->intent_count = l->intent_count;
    err = l->no_memory ? -ENOMEM : l->failed ? -EINVAL : 0;
    if (!l->no_memory)
        problems_tell(l, problem, arg);
    if (!err) {
        *out = l->a;
        mem = NULL;
    }
done:
    free(l);
    arena_free(mem);
    conf_free(conf);
    return err;
}

void agent_file_free(struct agent_file *a)
{
    if (a)
        arena_free(a->memory);
}
