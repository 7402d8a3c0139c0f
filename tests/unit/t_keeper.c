/* keeper.c with a real worker and real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

#include "audio/wav.h"
#include "call/keeper.h"
#include "fail_alloc.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct place {
    char dir[64], folder[96];
    struct loop *loop;
    struct worker_pool *pool;
    unsigned passed;               /* facts that went on */
    char last[300];
    struct timeline timeline;
};

static bool pass_on(void *arg, struct fact *f)
{
    struct place *p = arg;

    p->passed++;
    snprintf(p->last, sizeof p->last, "%s", fact_detail(f));
    fact_free(f);
    return true;
}

static struct place place_make(void)
{
    struct place p = { .passed = 0 };

    snprintf(p.dir, sizeof p.dir, "/tmp/sidetone-keeper-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.folder, sizeof p.folder, "%s/talks", p.dir);
    assert_int_equal(loop_new(&p.loop, &test_log), 0);
    assert_int_equal(worker_pool_new(&p.pool, 1, 16, "files"), 0);
    return p;
}

/* The pool writes what was asked of it, then the loop hears of it. */
static void place_free(struct place *p)
{
    worker_pool_free(p->pool);
    loop_free(p->loop);
    rmdir(p->folder);
    assert_int_equal(rmdir(p->dir), 0);
}

static struct keeper_options options(const struct place *p)
{
    return (struct keeper_options){ .folder = p->folder, .call = TEXT("a/../1700.1"), .wall_us = 1700000000123000, .rate_hz = 8000,
                                    .has_audio = true, .has_words = true, .pool = p->pool };
}

static void one_second(struct keeper *k, int16_t caller, int16_t agent)
{
    int16_t c[160], a[160];

    for (int i = 0; i < 160; i++) {
        c[i] = caller;
        a[i] = agent;
    }
    for (int i = 0; i < 50; i++) {
        keeper_heard(k, c, 160);
        keeper_played(k, a, 160);
    }
}

static void t_both_sides_are_kept(void **state)
{
    struct place p = place_make();
    const struct keeper_options o = options(&p);
    struct keeper *k;
    char audio[200], words[200], line[300];
    unsigned rate_hz, channels;
    int16_t *pcm;
    size_t n;
    FILE *f;

    (void)state;
    assert_int_equal(keeper_new(&k, p.loop, &o, &test_log), 0);
    snprintf(audio, sizeof audio, "%s", keeper_audio_path(k));
    snprintf(words, sizeof words, "%s", keeper_words_path(k));
    assert_non_null(strstr(audio, "/talks/a_.._1700.1-20231114T221320123.wav"));
    p.timeline = (struct timeline){ .publish = pass_on, .arg = &p };
    TIMELINE(keeper_timeline(k, &p.timeline), TEXT("1"), "caller.said", kv_str("text", "call 0171 23 45"));
    TIMELINE(keeper_timeline(k, &p.timeline), TEXT("1"), "stasis.start", kv_str("text", "not spoken"));
    one_second(k, 111, 222);
    keeper_close(k);
    worker_pool_free(p.pool);      /* it has written */
    loop_free(p.loop);             /* and told us */
    assert_int_equal(p.passed, 2);
    assert_int_equal(wav_load(audio, &pcm, &n, &rate_hz, &channels), 0);
    assert_int_equal(n, 8000);
    assert_int_equal(channels, 2);
    assert_int_equal(pcm[2 * 4000], 111);
    assert_int_equal(pcm[2 * 4000 + 1], 222);
    free(pcm);
    f = fopen(words, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_non_null(strstr(line, "\"kind\":\"caller.said\",\"text\":\"call 0171 23 45\"}\n"));
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    assert_int_equal(unlink(audio), 0);
    assert_int_equal(unlink(words), 0);
    assert_int_equal(rmdir(p.folder), 0);
    assert_int_equal(rmdir(p.dir), 0);
}

struct file_wait {
    const char *path;
    size_t frames;
};

static bool is_whole(void *arg)
{
    struct file_wait *w = arg;
    unsigned rate_hz, channels;
    int16_t *pcm;

    if (wav_load(w->path, &pcm, &w->frames, &rate_hz, &channels))
        return false;
    free(pcm);
    return w->frames >= 8000;
}

/* While the talk goes on the file can be read: what a daemon that is killed would leave. */
static void t_the_file_is_whole_meanwhile(void **state)
{
    struct place p = place_make();
    struct keeper_options o = options(&p);
    struct file_wait w = { .frames = 0 };
    struct keeper *k;
    char audio[200];

    (void)state;
    o.has_words = false;
    assert_int_equal(keeper_new(&k, p.loop, &o, &test_log), 0);
    assert_null(keeper_words_path(k));
    snprintf(audio, sizeof audio, "%s", keeper_audio_path(k));
    w.path = audio;
    one_second(k, 1, 2);
    assert_true(turn_until(p.loop, is_whole, &w, 5000));
    one_second(k, 1, 2);
    keeper_close(k);
    worker_pool_free(p.pool);
    loop_free(p.loop);
    assert_true(is_whole(&w));
    assert_int_equal(w.frames, 16000);
    assert_int_equal(unlink(audio), 0);
    assert_int_equal(rmdir(p.folder), 0);
    assert_int_equal(rmdir(p.dir), 0);
}

static void t_a_ring_that_is_full_loses_the_newest(void **state)
{
    struct place p = place_make();
    struct keeper_options o = options(&p);
    struct file_wait w = { .frames = 0 };
    struct keeper *k;
    char audio[200];

    (void)state;
    o.has_words = false;
    assert_int_equal(keeper_new(&k, p.loop, &o, &test_log), 0);
    snprintf(audio, sizeof audio, "%s", keeper_audio_path(k));
    w.path = audio;
    for (int i = 0; i < 5; i++)
        one_second(k, 1, 2);       /* 5 s into 3 s: the loop was not turned */
    keeper_close(k);
    worker_pool_free(p.pool);
    loop_free(p.loop);
    assert_true(is_whole(&w));
    assert_int_equal(w.frames, 24000);
    assert_int_equal(unlink(audio), 0);
    assert_int_equal(rmdir(p.folder), 0);
    assert_int_equal(rmdir(p.dir), 0);
}

static void t_a_folder_that_cannot_be(void **state)
{
    struct place p = place_make();
    struct keeper_options o = options(&p);
    struct keeper *k;

    (void)state;
    o.folder = "/proc/no/such/place";
    assert_int_equal(keeper_new(&k, p.loop, &o, &test_log), 0);
    one_second(k, 1, 2);
    keeper_close(k);               /* told in the log, and the talk was held all the same */
    place_free(&p);
}

static void expect_mask(const char *from, const char *to)
{
    char json[200];

    snprintf(json, sizeof json, "%s", from);
    keeper_mask(json);
    assert_string_equal(json, to);
}

static void t_numbers_are_masked(void **state)
{
    (void)state;
    expect_mask("{\"item\":12345,\"text\":\"my number is 0171-23 45 6, thanks\"}", "{\"item\":12345,\"text\":\"my number is ****-** ** *, thanks\"}");
    expect_mask("{\"text\":\"room 12 at 9.30\"}", "{\"text\":\"room 12 at 9.30\"}");
    expect_mask("{\"text\":\"4111 1111 1111 1111\"}", "{\"text\":\"**** **** **** ****\"}");
    expect_mask("{\"text\":\"a\\u00001234\\\"5678\"}", "{\"text\":\"a\\u0000****\\\"****\"}");
    expect_mask("{\"args\":\"{\\\"phone\\\":\\\"01712345\\\"}\"}", "{\"args\":\"{\\\"phone\\\":\\\"********\\\"}\"}");
    expect_mask("\"1234", "\"****");
    expect_mask("\"\\u12", "\"\\u12");
    expect_mask("", "");
}

static void t_memory_short(void **state)
{
    struct place p = place_make();
    struct keeper_options o = options(&p);
    struct keeper *k;
    int err = -1;

    (void)state;
    o.folder = "/proc/no/such/place";
    for (long n = 1; err; n++) {
        fail_alloc_at(n);
        err = keeper_new(&k, p.loop, &o, &test_log);
        assert_true(!err || err == -ENOMEM);
        assert_true(n < 100);
    }
    fail_alloc_off();
    keeper_close(k);
    o.has_audio = o.has_words = false;
    assert_int_equal(keeper_new(&k, p.loop, &o, &test_log), -EINVAL);
    place_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_both_sides_are_kept),
        cmocka_unit_test(t_the_file_is_whole_meanwhile),
        cmocka_unit_test(t_a_ring_that_is_full_loses_the_newest),
        cmocka_unit_test(t_a_folder_that_cannot_be),
        cmocka_unit_test(t_numbers_are_masked),
        cmocka_unit_test(t_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
