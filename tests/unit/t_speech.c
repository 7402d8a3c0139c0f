/* The real recogniser and the real synthesiser: speech made by one is understood by the other; jobs, cache and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include <cmocka.h>

#include "ai/speech.h"
#include "base/log.h"
#include "fail_alloc.h"
#include "net/loop.h"
#include "net/worker.h"

enum { PER_MS = 8, DEADLINE_MS = 60000 };

#define T(s)                                                                                                                   \
    {                                                                                                                          \
        .p = s, .n = sizeof(s) - 1                                                                                             \
    }

static const struct text hours[] = {T("what are your opening hours"), T("when are you open"), T("tell me your opening hours")};
static const struct text address[] = {T("where are you located"), T("where can i find you"), T("how do i get to your office")};
static const struct text person[] = {T("can i talk to a person"), T("connect me with the operator"),
                                     T("i need to talk to somebody")};
static const struct text bye[] = {T("goodbye and have a nice day")};
static const struct agent_intent intents[] = {
    {.name = T("hours"), .phrases = hours, .phrase_count = 3},
    {.name = T("address"), .phrases = address, .phrase_count = 3},
    {.name = T("person"), .phrases = person, .phrase_count = 3},
    {.name = T("bye"), .phrases = bye, .phrase_count = 1},
};
static const struct agent_file agent = {.intents = intents, .intent_count = 4, .accept = -2300, .confirm_above = -3000};

static const struct log_sink sink = {.fd = 2, .level = LOG_ERROR};
static const struct log test_log = {.sink = &sink, .module = "test"};

struct rig {
    struct loop *loop;
    struct worker_pool *pool;
    struct timer *watchdog;
    char dir[32];
    struct grammar *grammar;
};

static void on_late(void *arg)
{
    (void)arg;
    fprintf(stderr, "nothing came for %d ms\n", DEADLINE_MS);
    abort();
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    *state = r;
    strcpy(r->dir, "/tmp/t_speech_XXXXXX");
    return !mkdtemp(r->dir) || loop_new(&r->loop, &test_log) || worker_pool_new(&r->pool, 2, 64, "speech") ||
                   timer_new(&r->watchdog, r->loop, on_late, NULL) || grammar_new(&r->grammar, &agent, NULL, r->dir, NULL)
               ? -1
               : 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    worker_pool_free(r->pool);
    timer_free(r->watchdog);
    loop_free(r->loop);
    grammar_free(r->grammar);
    const int err = rmdir(r->dir); /* fails if the cut dictionary was left behind */
    free(r);
    return err;
}

static void wait_for_stop(struct rig *r)
{
    timer_start(r->watchdog, DEADLINE_MS);
    loop_run(r->loop);
    timer_stop(r->watchdog);
}

/* ---- recogniser ---- */

struct heard {
    struct loop *loop;
    int count, err, intent;
    char words[128];
    double score;
};

static void on_result(int err, int intent, const char *words, double score, void *arg)
{
    struct heard *h = arg;

    h->count++;
    h->err = err;
    h->intent = intent;
    h->score = score;
    snprintf(h->words, sizeof h->words, "%s", words);
    loop_stop(h->loop);
}

/* The words in that voice, with 300 ms before and 500 ms after the sound, over faint noise. */
static int16_t *utterance(const char *voice, const char *words, size_t *n)
{
    int16_t *clip = NULL;
    size_t clip_n = 0, from = 0;
    uint32_t seed = 7;

    assert_int_equal(speech_make(voice, words, &clip, &clip_n), 0);
    size_t to = clip_n;
    while (from < to && abs(clip[from]) < 200)
        from++;
    while (to > from && abs(clip[to - 1]) < 200)
        to--;
    *n = to - from + 800 * PER_MS;
    int16_t *all = calloc(*n, sizeof *all);
    memcpy(all + 300 * PER_MS, clip + from, (to - from) * sizeof *all);
    for (size_t i = 0; i < *n; i++) {
        seed = seed * 1664525 + 1013904223;
        all[i] = (int16_t)(all[i] / 2 + (int)(seed >> 16) % 41 - 20);
    }
    free(clip);
    return all;
}

static struct heard recognise(struct rig *r, struct recogniser *rec, const char *voice, const char *words)
{
    struct heard h = {.loop = r->loop};
    size_t n;
    int16_t *pcm = utterance(voice, words, &n);

    assert_int_equal(recogniser_submit(rec, pcm, n, on_result, &h), 0);
    free(pcm);
    assert_int_equal(h.count, 0); /* never from inside the call */
    wait_for_stop(r);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.err, 0);
    return h;
}

static void test_every_phrase_of_two_voices(void **state)
{
    struct rig *r = *state;
    const char *const voices[] = {"rms", "awb"};
    struct recogniser *rec = NULL;

    for (size_t v = 0; v < 2; v++) {
        assert_int_equal(recogniser_new(&rec, r->grammar, r->pool, r->loop), 0);
        for (size_t i = 0; i < agent.intent_count; i++)
            for (size_t k = 0; k < intents[i].phrase_count; k++) {
                const char *phrase = intents[i].phrases[k].p;
                const struct heard h = recognise(r, rec, voices[v], phrase);
                if (h.intent != (int)i || h.score < agent.accept)
                    fail_msg("%s \"%s\": intent %d, score %.0f, words \"%s\"", voices[v], phrase, h.intent, h.score, h.words);
                assert_string_equal(h.words, phrase);
            }
        recogniser_close(rec);
    }
}

static void test_yes_and_no(void **state)
{
    struct rig *r = *state;
    struct recogniser *rec = NULL;
    const struct {
        const char *words;
        int intent;
    } cases[] = {
        {"yes please", RECOGNISED_YES},  {"yes that is right", RECOGNISED_YES}, {"yes", RECOGNISED_YES},
        {"no thank you", RECOGNISED_NO}, {"no that is wrong", RECOGNISED_NO},   {"no", RECOGNISED_NO},
    };

    assert_int_equal(recogniser_new(&rec, r->grammar, r->pool, r->loop), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct heard h = recognise(r, rec, "rms", cases[i].words);
        assert_int_equal(h.intent, cases[i].intent);
        assert_true(h.score > agent.confirm_above);
    }
    recogniser_close(rec);
}

static void test_foreign_sentences_are_not_accepted(void **state)
{
    struct rig *r = *state;
    static const char *const foreign[] = {
        "the quick brown fox jumps over the lazy dog",
        "please send me an invoice for the blue bicycle",
        "what time does the train to london leave",
        "seventeen people waited under the bridge",
        "the weather in the mountains was beautiful yesterday",
    };
    struct recogniser *rec = NULL;

    assert_int_equal(recogniser_new(&rec, r->grammar, r->pool, r->loop), 0);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        const struct heard h = recognise(r, rec, "rms", foreign[i]);
        assert_true(h.intent == RECOGNISED_NOTHING || h.score < agent.accept);
    }
    recogniser_close(rec);
}

static void test_silence_is_nothing(void **state)
{
    struct rig *r = *state;
    static int16_t silence[8000];
    struct heard h = {.loop = r->loop};
    struct recogniser *rec = NULL;

    assert_int_equal(recogniser_new(&rec, r->grammar, r->pool, r->loop), 0);
    for (size_t n = 1; n <= 8000; n = n * 20 - 1) { /* 1, 19, 379, 7579 samples */
        assert_int_equal(recogniser_submit(rec, silence, n, on_result, &h), 0);
        wait_for_stop(r);
        assert_int_equal(h.err, 0);
        assert_int_equal(h.intent, RECOGNISED_NOTHING);
        assert_string_equal(h.words, "");
    }
    assert_int_equal(recogniser_submit(rec, silence, 0, on_result, &h), -EINVAL);
    assert_int_equal(recogniser_submit(rec, silence, 8000 * 31, on_result, &h), -EINVAL);
    recogniser_close(rec);
}

static void on_timer_stop(void *arg)
{
    loop_stop(arg);
}

static void test_close_with_a_job_under_way(void **state)
{
    struct rig *r = *state;
    struct heard h = {.loop = r->loop};
    struct recogniser *rec = NULL, *other = NULL;
    size_t n;
    int16_t *pcm = utterance("kal", "when are you open", &n);

    assert_int_equal(recogniser_new(&rec, r->grammar, r->pool, r->loop), 0);
    assert_int_equal(recogniser_submit(rec, pcm, n, on_result, &h), 0);
    assert_int_equal(recogniser_submit(rec, pcm, n, on_result, &h), -EBUSY);
    recogniser_close(rec);
    recogniser_close(NULL);
    /* Each of these two ends after the first one began, and no pool runs more than two at a time. */
    assert_int_equal(recogniser_new(&other, r->grammar, r->pool, r->loop), 0);
    for (int i = 0; i < 2; i++) {
        struct heard later = {.loop = r->loop};
        assert_int_equal(recogniser_submit(other, pcm, n, on_result, &later), 0);
        wait_for_stop(r);
        assert_int_equal(later.count, 1);
    }
    recogniser_close(other);
    free(pcm);
    assert_int_equal(h.count, 0);
}

static size_t files_in(const char *dir)
{
    DIR *d = opendir(dir);
    size_t count = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static void test_grammar_refusals(void **state)
{
    struct rig *r = *state;
    static const struct text odd[] = {T("talk to the gwxlb department"), T("zzyzx and more")};
    const struct agent_intent in = {.name = T("x"), .phrases = odd, .phrase_count = 2};
    const struct agent_file a = {.intents = &in, .intent_count = 1};
    struct grammar *g = NULL;
    char *missing = NULL;

    assert_int_equal(grammar_new(&g, &a, NULL, r->dir, &missing), -EINVAL);
    assert_string_equal(missing, "gwxlb, zzyzx");
    free(missing);
    assert_int_equal(grammar_new(&g, &a, NULL, r->dir, NULL), -EINVAL);
    assert_int_equal(grammar_new(&g, &agent, "/nowhere/at/all", r->dir, &missing), -ENOENT);
    assert_null(missing);
    assert_int_equal(grammar_new(&g, &agent, NULL, "/nowhere/at/all", &missing), -ENOENT);
    assert_null(g);
    assert_int_equal(files_in(r->dir), 1); /* of the rig's grammar: refused ones leave nothing behind */
    grammar_free(NULL);
}

/* Every word of the shipped example is in the dictionary. It is found from this source file, whose name may be relative to the
 * build directory, two above the program. */
static void test_the_shipped_agent(void **state)
{
    struct rig *r = *state;
    const char *end = strstr(__FILE__, "tests/unit/");
    const bool is_absolute = __FILE__[0] == '/';
    struct agent_file *a = NULL;
    struct grammar *g = NULL;
    char exe[512], file[1024], *missing = NULL;
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    assert_true(end && n > 0);
    exe[n] = '\0';
    *strrchr(exe, '/') = '\0';
    snprintf(file, sizeof file, "%s%s%.*sagents/reception.agent", is_absolute ? "" : exe, is_absolute ? "" : "/../../",
             (int)(end - __FILE__), __FILE__);
    assert_int_equal(agent_file_load(&a, file, NULL, NULL), 0);
    const int err = grammar_new(&g, a, NULL, r->dir, &missing);
    if (missing)
        fail_msg("not in the dictionary: %s", missing);
    assert_int_equal(err, 0);
    grammar_free(g);
    agent_file_free(a);
}

static void test_grammar_allocation_failures(void **state)
{
    struct rig *r = *state;

    for (long n = 1;; n++) {
        struct grammar *g = NULL;
        char *missing = NULL;
        fail_alloc_at(n);
        const int err = grammar_new(&g, &agent, NULL, r->dir, &missing);
        const bool hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit) {
            assert_int_equal(err, 0);
            grammar_free(g);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(g);
        assert_null(missing);
    }
    assert_int_equal(files_in(r->dir), 1);
}

/* ---- synthesiser ---- */

struct said {
    struct loop *loop;
    int count, err, wanted;
    const int16_t *pcm;
    size_t n;
    uint64_t sum;
};

static void on_said(int err, const int16_t *pcm, size_t n, void *arg)
{
    struct said *s = arg;

    s->err = err;
    s->pcm = pcm;
    s->n = n;
    s->sum = 0;
    for (size_t i = 0; i < n; i++)
        s->sum += (uint64_t)abs(pcm[i]);
    if (++s->count == s->wanted)
        loop_stop(s->loop);
}

static struct said say(struct rig *r, struct synthesiser *s, const char *voice, const char *words)
{
    struct said said = {.loop = r->loop, .wanted = 1};
    struct speech_job *job = NULL;

    assert_int_equal(synthesiser_say(&job, s, r->loop, text_of(voice), text_of(words), on_said, &said), 0);
    assert_int_equal(said.count, 0);
    wait_for_stop(r);
    assert_int_equal(said.count, 1);
    assert_int_equal(said.err, 0);
    return said;
}

static void test_say_is_cached_by_voice_and_words(void **state)
{
    struct rig *r = *state;
    struct synthesiser *s = NULL;

    assert_int_equal(synthesiser_new(&s, r->pool, 4 * 1024 * 1024), 0);
    const struct said first = say(r, s, "slt", "Good morning.");
    assert_in_range(first.n, 500 * PER_MS, 3000 * PER_MS);
    assert_true(first.sum / first.n > 100);
    assert_ptr_equal(say(r, s, "slt", "Good morning.").pcm, first.pcm);
    assert_ptr_not_equal(say(r, s, "kal", "Good morning.").pcm, first.pcm);
    assert_ptr_not_equal(say(r, s, "slt", "Good evening.").pcm, first.pcm);
    synthesiser_free(s);
    synthesiser_free(NULL);
}

static void test_cache_keeps_to_its_ceiling(void **state)
{
    struct rig *r = *state;
    struct synthesiser *s = NULL;

    assert_int_equal(synthesiser_new(&s, r->pool, 60000), 0); /* about two of these */
    const uint64_t sum = say(r, s, "kal", "This is the first sentence.").sum;
    for (int i = 0; i < 10; i++) {
        char words[64];
        snprintf(words, sizeof words, "This is another sentence, number %d.", i);
        say(r, s, "kal", words);
    }
    assert_int_equal(say(r, s, "kal", "This is the first sentence.").sum, sum); /* thrown out, and made again */
    synthesiser_free(s);
    assert_int_equal(synthesiser_new(&s, r->pool, 0), 0);
    assert_int_equal(say(r, s, "kal", "This is the first sentence.").sum, sum);
    synthesiser_free(s);
}

static void test_many_at_once(void **state)
{
    struct rig *r = *state;
    struct said said = {.loop = r->loop, .wanted = 16};
    struct synthesiser *s = NULL;

    assert_int_equal(synthesiser_new(&s, r->pool, 300000), 0);
    for (int i = 0; i < 20; i++) {
        const char *const words[] = {"One of two.", "Two of two."};
        struct speech_job *job = NULL;
        assert_int_equal(synthesiser_say(&job, s, r->loop, TEXT("kal16"), text_of(words[i % 2]), on_said, &said), 0);
        if (i % 5 == 0)
            speech_forget(job);
    }
    speech_forget(NULL);
    wait_for_stop(r);
    assert_int_equal(said.count, 16);
    worker_pool_free(r->pool); /* the forgotten ones are freed by their ends */
    r->pool = NULL;
    timer_start(r->watchdog, DEADLINE_MS);
    struct timer *end = NULL;
    assert_int_equal(timer_new(&end, r->loop, on_timer_stop, r->loop), 0);
    timer_start(end, 1);
    loop_run(r->loop);
    timer_free(end);
    timer_stop(r->watchdog);
    synthesiser_free(s);
}

static void test_odd_texts(void **state)
{
    struct rig *r = *state;
    struct synthesiser *s = NULL;
    struct speech_job *job = NULL;
    char *long_text = malloc(4002);

    assert_int_equal(synthesiser_new(&s, r->pool, 300000), 0);
    assert_int_equal(say(r, s, "kal", "").n, 0);
    assert_int_equal(say(r, s, "kal", " \t\n").n, 0);
    assert_int_equal(say(r, s, "kal", "it\xe2\x80\x99s").sum, say(r, s, "kal", "it's").sum);
    say(r, s, "kal", "\x01\x02 <b>&amp; \xff\xfe caf\xc3\xa9 $%^ 1e99 --- ((");
    memset(long_text, 'a', 4001);
    assert_int_equal(synthesiser_say(&job, s, r->loop, TEXT("kal"), text_make(long_text, 4001), on_said, NULL), -EINVAL);
    assert_int_equal(synthesiser_say(&job, s, r->loop, TEXT("bob"), TEXT("x"), on_said, NULL), -EINVAL);
    assert_null(job);
    free(long_text);
    synthesiser_free(s);
}

static void test_make_and_voices(void **state)
{
    const char *const voices[] = {"slt", "rms", "awb", "kal16", "kal"};
    int16_t *pcm = NULL;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_true(speech_has_voice(text_of(voices[i])));
        assert_int_equal(speech_make(voices[i], "Hello world.", &pcm, &n), 0);
        assert_in_range(n, 400 * PER_MS, 3000 * PER_MS);
        free(pcm);
    }
    pcm = NULL;
    assert_false(speech_has_voice(TEXT("")));
    assert_false(speech_has_voice(TEXT("sl")));
    assert_int_equal(speech_make("bob", "x", &pcm, &n), -EINVAL);
    assert_null(pcm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_phrase_of_two_voices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yes_and_no, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_sentences_are_not_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_with_a_job_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grammar_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_shipped_agent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grammar_allocation_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_say_is_cached_by_voice_and_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_keeps_to_its_ceiling, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_texts, setup, teardown),
        cmocka_unit_test(test_make_and_voices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
