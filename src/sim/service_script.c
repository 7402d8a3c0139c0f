/* Reads the stand-in's script and speaks its sentences in advance. */
#include "sim/service_script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "ai/speech.h"
#include "audio/resample.h"

enum { LINES_MAX = 1000, NARROW_HZ = 8000, WIDE_HZ = 24000 };

static const char *say_take(struct scripted_answer *a, struct text words, const char *voice, int *err)
{
    a->words = text_dup(words);
    if (!a->words)
        *err = -ENOMEM;
    else if (words.n == 0)
        return "say what?";
    if (!*err)
        *err = speech_make(voice, a->words, &a->pcm, &a->samples);
    if (!*err)
        *err = resample_clip(a->pcm, a->samples, NARROW_HZ, WIDE_HZ, &a->wide, &a->wide_samples);
    return NULL;
}

static const char *call_take(struct scripted_answer *a, struct text rest, int *err)
{
    struct text name;
    cJSON *tree;

    if (!text_cut(&rest, ' ', &name) || name.n == 0)
        return "call NAME {JSON}";
    rest = text_trim(rest.p ? rest : TEXT("{}"));
    tree = cJSON_ParseWithLength(rest.p, rest.n);
    cJSON_Delete(tree);            /* broken arguments may be wanted: then they begin with ! */
    if (!tree && !text_starts(rest, TEXT("!")))
        return "the arguments are not JSON";
    a->kind = ANSWER_CALL;
    a->words = text_dup(name);
    a->arguments = text_dup(rest);
    if (!a->words || !a->arguments)
        *err = -ENOMEM;
    return NULL;
}

static const char *line_take(struct service_script *s, struct text line, const char *voice, int *err)
{
    struct text rest = line, verb;
    struct scripted_answer *a = &s->answers[s->answer_count];

    text_cut(&rest, ' ', &verb);
    rest = text_trim(rest.p ? rest : TEXT(""));
    if (text_eq(verb, TEXT("hear"))) {
        s->heard[s->heard_count] = text_dup(rest);
        *err = s->heard[s->heard_count] ? 0 : -ENOMEM;
        s->heard_count += !*err;
        return NULL;
    }
    s->answer_count++;             /* freed, whatever it holds */
    if (text_eq(verb, TEXT("say")))
        return say_take(a, rest, voice, err);
    if (text_eq(verb, TEXT("call")))
        return call_take(a, rest, err);
    if (!text_eq(verb, TEXT("fail")))
        return "expected say, call, fail or hear";
    a->kind = ANSWER_FAIL;
    a->words = text_dup(rest);
    *err = a->words ? 0 : -ENOMEM;
    return NULL;
}

int service_script_load(struct service_script *out, const char *name, struct text script, const char *voice, char **problem)
{
    struct service_script s = { .answers = calloc(LINES_MAX + 1, sizeof *s.answers), .heard = calloc(LINES_MAX + 1, sizeof *s.heard) };
    const char *why = NULL;
    struct text line;
    unsigned number = 0;
    int err = s.answers && s.heard ? 0 : -ENOMEM;

    while (!err && !why && text_cut(&script, '\n', &line)) {
        number++;
        line = text_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        why = s.answer_count + s.heard_count == LINES_MAX ? "too many lines" : line_take(&s, line, voice, &err);
    }
    if (why) {
        err = -EINVAL;
        if (asprintf(problem, "%s:%u: %s", name, number, why) < 0)
            *problem = NULL;
    }
    if (err)
        service_script_free(&s);
    else
        *out = s;
    return err;
}

void service_script_free(struct service_script *s)
{
    for (size_t i = 0; s->answers && i < s->answer_count; i++) {
        free(s->answers[i].words);
        free(s->answers[i].arguments);
        free(s->answers[i].pcm);
        free(s->answers[i].wide);
    }
    for (size_t i = 0; s->heard && i < s->heard_count; i++)
        free(s->heard[i]);
    free(s->answers);
    free(s->heard);
    *s = (struct service_script){ .answers = NULL };
}
