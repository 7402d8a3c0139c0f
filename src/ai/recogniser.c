/* The embedded recogniser: pocketsphinx with one closed grammar an agent, its decoders run in worker threads. */
#include "ai/speech.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <sphinxbase/fsg_model.h>
#include <sphinxbase/jsgf.h>

#include "audio/resample.h"
#include "base/buf.h"
#include "base/ref.h"

enum {
    LINE_HZ = 8000,
    MODEL_HZ = 16000,               /* Debian's en-us model refuses 8 kHz: its upper filter edge is 6800 Hz */
    UTTERANCE_MAX = 30 * LINE_HZ,
    GRAMMAR_MAX_BYTES = 1024 * 1024,
    DICT_LINE_MAX = 1024,
};

static const char default_model[] = "/usr/share/pocketsphinx/model/en-us";
static const char search_name[] = "agent";

/* Answers to "Did you say ...?". Single short words are easily mistaken on the phone, so there are longer ones too. */
static const char *const yes_phrases[] = { "yes please", "yes", "yes that is right", "yes it is", "that is right" };
static const char *const no_phrases[] = { "no thank you", "no", "no that is wrong", "no it is not", "that is wrong" };

enum { YES_COUNT = sizeof yes_phrases / sizeof yes_phrases[0], NO_COUNT = sizeof no_phrases / sizeof no_phrases[0] };

struct words {                      /* sorted, each once; borrowed from the agent's phrases */
    struct word {
        struct text text;
        bool known;
    } *list;
    size_t count, cap;
};

struct grammar {
    const struct agent_file *agent;
    char *hmm;                      /* acoustic model */
    char *dict;                     /* our cut dictionary, "" before it exists */
    struct buf jsgf;
};

/* ---- grammar ---- */

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
        words->list[words->count++] = (struct word){ .text = word };
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
    const struct word key = { .text = text_make(line, strcspn(line, " (\t\n")) };
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
    free(g->dict);                  /* no file of that name: nothing to remove later */
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

static int decoder_open(ps_decoder_t **out, const struct grammar *g)
{
    /* cmd_ln_init() refuses repeated options in one list; an argument vector is the robust way. */
    char *argv[] = { (char *)"sidetone", (char *)"-hmm", g->hmm, (char *)"-dict", g->dict, (char *)"-samprate", (char *)"16000" };
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

int grammar_new(struct grammar **out, const struct agent_file *agent, const char *model_dir, const char *cache_dir, char **missing)
{
    static pthread_once_t silenced = PTHREAD_ONCE_INIT;   /* the library's log is one for the process */
    struct words words = { 0 };
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
        err = decoder_open(&trial, g);   /* a broken model shows now, not in a call */
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

static int intent_of(const struct agent_file *agent, const char *words)
{
    const struct text said = text_of(words);

    for (size_t i = 0; i < agent->intent_count; i++)
        for (size_t k = 0; k < agent->intents[i].phrase_count; k++)
            if (text_eq(agent->intents[i].phrases[k], said))
                return (int)i;
    if (is_one_of(words, yes_phrases, YES_COUNT))
        return RECOGNISED_YES;
    return is_one_of(words, no_phrases, NO_COUNT) ? RECOGNISED_NO : RECOGNISED_NOTHING;
}

/* ---- recogniser ---- */

struct recogniser {                 /* counted; the decoder is the job's while one is under way */
    const struct grammar *grammar;
    struct worker_pool *pool;
    struct loop *loop;
    ps_decoder_t *decoder;
    bool busy, closed;
};

struct utterance {
    struct recogniser *r;
    recogniser_on_result *on_result;
    void *arg;
    int err, intent;
    double score;
    char *words;
    size_t n;
    int16_t pcm[];
};

static void recogniser_destroy(void *obj)
{
    struct recogniser *r = obj;

    if (r->decoder)
        ps_free(r->decoder);
}

int recogniser_new(struct recogniser **out, struct grammar *g, struct worker_pool *pool, struct loop *l)
{
    struct recogniser *r = ref_new(sizeof *r, recogniser_destroy);

    if (!r)
        return -ENOMEM;
    r->grammar = g;
    r->pool = pool;
    r->loop = l;
    *out = r;
    return 0;
}

static int decode(struct recogniser *r, const int16_t *pcm, size_t n, struct utterance *u)
{
    ps_decoder_t *ps = r->decoder;
    int32 score = 0;

    if (ps_start_utt(ps) < 0)
        return -EIO;
    const int done = ps_process_raw(ps, pcm, n, FALSE, TRUE);
    if (ps_end_utt(ps) < 0 || done < 0)
        return -EIO;
    const char *words = ps_get_hyp(ps, &score);
    if (!words || !*words)
        return 0;
    u->words = strdup(words);
    if (!u->words)
        return -ENOMEM;
    u->intent = intent_of(r->grammar->agent, words);
    u->score = (double)score * LINE_HZ / (double)u->n;
    return 0;
}

/* In a worker. The decoder is opened with the first utterance: 12 ms are too long for the loop. */
static void utterance_run(void *arg)
{
    struct utterance *u = arg;
    int16_t *wide = NULL;
    size_t n = 0;

    if (!u->r->decoder)
        u->err = decoder_open(&u->r->decoder, u->r->grammar);
    if (!u->err)
        u->err = resample_clip(u->pcm, u->n, LINE_HZ, MODEL_HZ, &wide, &n);
    if (!u->err)
        u->err = decode(u->r, wide, n, u);
    free(wide);
}

static void utterance_done(void *arg)
{
    struct utterance *u = arg;
    struct recogniser *r = u->r;

    r->busy = false;
    if (!r->closed)
        u->on_result(u->err, u->intent, u->words ? u->words : "", u->score, u->arg);
    free(u->words);
    free(u);
    ref_drop(r);
}

int recogniser_submit(struct recogniser *r, const int16_t *pcm, size_t n, recogniser_on_result *on_result, void *arg)
{
    if (n == 0 || n > UTTERANCE_MAX)
        return -EINVAL;
    if (r->busy)
        return -EBUSY;
    struct utterance *u = calloc(1, sizeof *u + n * sizeof *pcm);
    if (!u)
        return -ENOMEM;
    *u = (struct utterance){ .r = r, .on_result = on_result, .arg = arg, .intent = RECOGNISED_NOTHING, .n = n };
    memcpy(u->pcm, pcm, n * sizeof *pcm);
    r->busy = true;
    ref_hold(r);
    const int err = worker_submit(r->pool, r->loop, utterance_run, utterance_done, u);
    if (!err)
        return 0;
    r->busy = false;
    ref_drop(r);
    free(u);
    return err;
}

void recogniser_close(struct recogniser *r)
{
    if (!r)
        return;
    r->closed = true;
    ref_drop(r);
}
