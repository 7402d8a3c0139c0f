/* A closed grammar for pocketsphinx, made from an agent's phrases, with the dictionary cut to their words. */
#include "ai/grammar.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sphinxbase/err.h>
#include <sphinxbase/fsg_model.h>
#include <sphinxbase/jsgf.h>

#include "base/buf.h"

enum {
    GRAMMAR_MAX_BYTES = 1024 * 1024,
    DICT_LINE_MAX = 1024,
};

static const char default_model[] = "/usr/share/pocketsphinx/model/en-us";
static const char search_name[] = "agent";

/* Answers to "Did you say ...?". Single short words are easily mistaken on the phone, so there are longer ones too. */
static const char *const yes_phrases[] = {"yes please", "yes", "yes that is right", "yes it is", "that is right"};
static const char *const no_phrases[] = {"no thank you", "no", "no that is wrong", "no it is not", "that is wrong"};

enum { YES_COUNT = sizeof yes_phrases / sizeof yes_phrases[0], NO_COUNT = sizeof no_phrases / sizeof no_phrases[0] };

struct words { /* sorted, each once; borrowed from the agent's phrases */
    struct word {
        struct text text;
        bool known;
    } * list;
    size_t count, cap;
};

struct grammar {
    const struct agent_file *agent;
    char *hmm;  /* acoustic model */
    char *dict; /* our cut dictionary, "" before it exists */
    struct buf jsgf;
};

static int words_add(struct words *words, struct text phrase)
{
    struct text word;

    while (text_cut(&phrase, ' ', &word)) {
        if (words->count == words->cap) {
            const size_t cap = words->cap ? words->cap * 2 : 64;
            struct word *list = realloc(words->list, cap * sizeof *list);
            if (!list)
                return -ENOMEM;
            words->list = list;
            words->cap = cap;
        }
        words->list[words->count++] = (struct word){.text = word};
    }
    return 0;
}

static int word_compare(const void *a, const void *b)
{
    const struct text x = ((const struct word *)a)->text, y = ((const struct word *)b)->text;
    const int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

    return order ? order : x.n < y.n ? -1 : x.n > y.n;
}

static void words_sort(struct words *words)
{
    size_t kept = 0;

    qsort(words->list, words->count, sizeof *words->list, word_compare);
    for (size_t i = 0; i < words->count; i++)
        if (kept == 0 || !text_eq(words->list[kept - 1].text, words->list[i].text))
            words->list[kept++] = words->list[i];
    words->count = kept;
}

static int phrase_add(struct grammar *g, struct words *words, struct text phrase)
{
    const int err = words_add(words, phrase);

    buf_addf(&g->jsgf, "%s%.*s\n", g->jsgf.n ? " | " : "#JSGF V1.0;\ngrammar agent;\npublic <said> = ", TEXT_ARG(phrase));
    return err ? err : g->jsgf.err;
}

static int phrases_collect(struct grammar *g, struct words *words)
{
    int err = 0;

    for (size_t i = 0; i < g->agent->intent_count; i++)
        for (size_t k = 0; k < g->agent->intents[i].phrase_count && !err; k++)
            err = phrase_add(g, words, g->agent->intents[i].phrases[k]);
    for (size_t i = 0; i < YES_COUNT && !err; i++)
        err = phrase_add(g, words, text_of(yes_phrases[i]));
    for (size_t i = 0; i < NO_COUNT && !err; i++)
        err = phrase_add(g, words, text_of(no_phrases[i]));
    if (err)
        return err;
    words_sort(words);
    buf_add_char(&g->jsgf, ';');
    return buf_cstr(&g->jsgf) ? 0 : g->jsgf.err;
}

/* A dictionary line is "word PH PH ..." or, for a second pronunciation, "word(2) PH PH ...". */
static int dict_line(struct words *words, const char *line, FILE *out)
{
    const struct word key = {.text = text_make(line, strcspn(line, " (\t\n"))};
    struct word *w = bsearch(&key, words->list, words->count, sizeof key, word_compare);

    if (!w)
        return 0;
    w->known = true;
    return fputs(line, out) < 0 ? -EIO : 0;
}

static int dict_copy(struct words *words, FILE *in, FILE *out)
{
    char line[DICT_LINE_MAX];

    while (fgets(line, sizeof line, in)) {
        const int err = dict_line(words, line, out);
        if (err)
            return err;
    }
    return ferror(in) ? -EIO : 0;
}

/* Creates the cut dictionary: a decoder with it needs 6.6 MB and 12 ms, with the whole one 28 MB and 150 ms. */
static int dict_cut(struct grammar *g, struct words *words, const char *model_dir, const char *cache_dir)
{
    char *source = NULL;
    FILE *in = NULL, *out = NULL;
    int err = -ENOMEM;

    if (asprintf(&source, "%s/cmudict-en-us.dict", model_dir) < 0)
        return -ENOMEM;
    if (asprintf(&g->dict, "%s/grammar-XXXXXX", cache_dir) < 0) {
        g->dict = NULL;
        goto done;
    }
    in = fopen(source, "re");
    if (!in) {
        err = -errno;
        goto unnamed;
    }
    const int fd = mkstemp(g->dict);
    if (fd < 0) {
        err = -errno;
        goto unnamed;
    }
    out = fdopen(fd, "w");
    if (!out) {
        err = -errno;
        close(fd);
        goto done;
    }
    err = dict_copy(words, in, out);
    goto done;
unnamed:
    free(g->dict); /* no file of that name: nothing to remove later */
    g->dict = NULL;
done:
    if (out && fclose(out) != 0 && !err)
        err = -EIO;
    if (in)
        fclose(in);
    free(source);
    return err;
}

/* All unknown words, with commas between. */
static int missing_find(const struct words *words, char **missing)
{
    struct buf list;

    buf_init(&list, GRAMMAR_MAX_BYTES);
    for (size_t i = 0; i < words->count; i++)
        if (!words->list[i].known)
            buf_addf(&list, "%s%.*s", list.n ? ", " : "", TEXT_ARG(words->list[i].text));
    const int err = list.err ? list.err : list.n ? -EINVAL : 0;
    if (err == -EINVAL && missing)
        *missing = text_dup(buf_text(&list));
    buf_free(&list);
    return err;
}

static void log_drop(void *arg, err_lvl_t level, const char *fmt, ...)
{
    (void)arg, (void)level, (void)fmt;
}

static void sphinx_silence(void)
{
    err_set_logfp(NULL);
    err_set_callback(log_drop, NULL);
}

/* By hand, because ps_set_jsgf_string() forgets to free the parsed grammar (13 kB a decoder, seen). */
static int search_set(ps_decoder_t *ps, const struct grammar *g)
{
    jsgf_t *jsgf = jsgf_parse_string(g->jsgf.p, NULL);
    jsgf_rule_t *rule = jsgf ? jsgf_get_public_rule(jsgf) : NULL;
    fsg_model_t *fsg = NULL;
    int err = -EINVAL;

    if (rule)
        fsg = jsgf_build_fsg(jsgf, rule, ps_get_logmath(ps), (float32)cmd_ln_float32_r(ps_get_config(ps), "-lw"));
    if (fsg && ps_set_fsg(ps, search_name, fsg) == 0 && ps_set_search(ps, search_name) == 0)
        err = 0;
    if (fsg)
        fsg_model_free(fsg);
    if (jsgf)
        jsgf_grammar_free(jsgf);
    return err;
}

int grammar_decoder(ps_decoder_t **out, const struct grammar *g)
{
    /* cmd_ln_init() refuses repeated options in one list; an argument vector is the robust way. */
    char *argv[] = {(char *)"sidetone", (char *)"-hmm", g->hmm, (char *)"-dict", g->dict, (char *)"-samprate", (char *)"16000"};
    cmd_ln_t *config = cmd_ln_parse_r(NULL, ps_args(), sizeof argv / sizeof argv[0], argv, TRUE);

    if (!config)
        return -EINVAL;
    ps_decoder_t *ps = ps_init(config);
    cmd_ln_free_r(config);
    if (!ps)
        return -EINVAL;
    const int err = search_set(ps, g);
    if (err) {
        ps_free(ps);
        return err;
    }
    *out = ps;
    return 0;
}

int grammar_new(struct grammar **out, const struct agent_file *agent, const char *model_dir, const char *cache_dir,
                char **missing)
{
    static pthread_once_t silenced = PTHREAD_ONCE_INIT; /* the library's log is one for the process */
    struct words words = {0};
    ps_decoder_t *trial = NULL;
    struct grammar *g = calloc(1, sizeof *g);
    int err = -ENOMEM;

    if (missing)
        *missing = NULL;
    if (!g)
        return -ENOMEM;
    pthread_once(&silenced, sphinx_silence);
    g->agent = agent;
    buf_init(&g->jsgf, GRAMMAR_MAX_BYTES);
    if (!model_dir)
        model_dir = default_model;
    if (asprintf(&g->hmm, "%s/en-us", model_dir) < 0) {
        g->hmm = NULL;
        goto done;
    }
    err = phrases_collect(g, &words);
    if (!err)
        err = dict_cut(g, &words, model_dir, cache_dir ? cache_dir : "/tmp");
    if (!err)
        err = missing_find(&words, missing);
    if (!err)
        err = grammar_decoder(&trial, g); /* a broken model shows now, not in a call */
    if (trial)
        ps_free(trial);
done:
    free(words.list);
    if (err)
        grammar_free(g);
    else
        *out = g;
    return err;
}

void grammar_free(struct grammar *g)
{
    if (!g)
        return;
    if (g->dict)
        unlink(g->dict);
    buf_free(&g->jsgf);
    free(g->dict);
    free(g->hmm);
    free(g);
}

static bool is_one_of(const char *words, const char *const *phrases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words, phrases[i]) == 0)
            return true;
    return false;
}

int grammar_intent(const struct grammar *g, const char *words)
{
    const struct agent_file *agent = g->agent;
    const struct text said = text_of(words);

    for (size_t i = 0; i < agent->intent_count; i++)
        for (size_t k = 0; k < agent->intents[i].phrase_count; k++)
            if (text_eq(agent->intents[i].phrases[k], said))
                return (int)i;
    if (is_one_of(words, yes_phrases, YES_COUNT))
        return RECOGNISED_YES;
    return is_one_of(words, no_phrases, NO_COUNT) ? RECOGNISED_NO : RECOGNISED_NOTHING;
}

const struct agent_file *grammar_agent(const struct grammar *g)
{
    return g->agent;
}
