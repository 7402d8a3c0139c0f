/* The voices of a pipeline: the embedded one, and those that are bought, with scripted servers and with the stand-in, and each of their faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ai/tts.h"
#include "base/buf.h"
#include "fail_alloc.h"
#include "net_help.h"

enum act { ACT_NONE, ACT_STOP, ACT_SAY, ACT_FREE, ACT_STOP_SAY };

struct rig {
    struct loop *loop;
    struct worker_pool *pool;
    struct synthesiser *synthesiser;
    struct dialer *dialer;
    struct tts *tts;
    struct buf heard;              /* samples of what is being said */
    enum act on_audio, on_done, on_fault; /* what the handler does, once */
    int act_err;                   /* what its tts_say gave */
    unsigned pieces, done, faults;
    unsigned wanted;               /* ends (done or fault) before the loop stops */
    bool in_call;                  /* no handler may run now */
    bool may_retry;
    enum provider_error kind;
    char detail[300];
};

static void act(struct rig *r, enum act *what)
{
    const enum act a = *what;

    *what = ACT_NONE;
    if (a == ACT_STOP || a == ACT_STOP_SAY)
        tts_stop(r->tts);
    if (a == ACT_SAY || a == ACT_STOP_SAY) {
        r->in_call = true;
        r->act_err = tts_say(r->tts, TEXT("and more"));
        r->in_call = false;
    }
    if (a == ACT_FREE) {
        tts_free(r->tts);
        r->tts = NULL;
    }
}

static void end(struct rig *r)
{
    if (r->done + r->faults >= r->wanted)
        loop_stop(r->loop);
}

static void on_audio(const int16_t *pcm, size_t n, void *arg)
{
    struct rig *r = arg;

    assert_false(r->in_call);
    assert_true(n > 0);
    r->pieces++;
    assert_int_equal(buf_add(&r->heard, pcm, n * sizeof *pcm), 0);
    act(r, &r->on_audio);
    if (!r->tts)
        loop_stop(r->loop);
}

static void on_done(void *arg)
{
    struct rig *r = arg;

    assert_false(r->in_call);
    r->done++;
    act(r, &r->on_done);
    end(r);
}

static void on_fault(enum provider_error kind, bool may_retry, struct text detail, void *arg)
{
    struct rig *r = arg;

    assert_false(r->in_call);
    r->faults++;
    r->kind = kind;
    r->may_retry = may_retry;
    text_copy(r->detail, sizeof r->detail, detail);
    act(r, &r->on_fault);
    end(r);
}

static const struct tts_handlers handlers = { .on_audio = on_audio, .on_done = on_done, .on_fault = on_fault };

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    *state = r;
    r->loop = help_loop();
    buf_init(&r->heard, 8 * 1024 * 1024);
    assert_int_equal(worker_pool_new(&r->pool, 1, 16, "tts"), 0);
    assert_int_equal(synthesiser_new(&r->synthesiser, r->pool, 1024 * 1024), 0);
    assert_int_equal(dialer_new(&r->dialer, r->loop, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    fail_alloc_off();
    tts_free(r->tts);
    worker_pool_free(r->pool);
    dialer_free(r->dialer);
    loop_free(r->loop);
    synthesiser_free(r->synthesiser);
    buf_free(&r->heard);
    free(r);
    return 0;
}

static int say(struct rig *r, const char *words)
{
    r->in_call = true;
    const int err = tts_say(r->tts, text_of(words));
    r->in_call = false;
    return err;
}

/* Says it, and waits for that many ends. */
static void hear(struct rig *r, const char *words, unsigned wanted)
{
    r->done = r->faults = r->pieces = 0;
    r->wanted = wanted;
    buf_clear(&r->heard);
    assert_int_equal(say(r, words), 0);
    help_run(r->loop);
}

/* ---- the embedded voice ---- */

static void test_the_embedded_voice(void **state)
{
    struct rig *r = *state;
    int16_t *pcm;
    size_t n;

    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "none of these", &handlers, r), -EINVAL);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    assert_int_equal(speech_make("kal", "good morning", &pcm, &n), 0);
    for (int i = 0; i < 2; i++) {  /* made, then cached */
        hear(r, "good morning", 1);
        assert_int_equal(r->done, 1);
        assert_int_equal(r->heard.n, n * sizeof *pcm);
        assert_memory_equal(r->heard.p, pcm, r->heard.n);
    }
    free(pcm);
    hear(r, " ", 1);               /* nothing to say is said at once */
    assert_int_equal(r->done, 1);
    assert_int_equal(r->pieces, 0);
}

static void test_the_embedded_voice_refuses(void **state)
{
    struct rig *r = *state;
    static char much[TTS_WORDS_MAX + 2];

    memset(much, 'a', TTS_WORDS_MAX + 1);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    assert_int_equal(say(r, much), -EINVAL);
    r->wanted = 1;
    assert_int_equal(say(r, "one"), 0);
    assert_int_equal(say(r, "two"), -EBUSY);
    help_run(r->loop);
    assert_int_equal(r->done, 1);
    assert_int_equal(say(r, "three"), 0);
    tts_stop(r->tts);
    tts_stop(r->tts);
    hear(r, "four", 1);            /* of three nothing is heard */
    assert_int_equal(r->done, 1);
    assert_int_equal(r->pieces, 1);
}

static void expect_acts(struct rig *r)
{
    r->on_audio = ACT_SAY;         /* the first is not at its end */
    hear(r, "one", 1);
    assert_int_equal(r->act_err, -EBUSY);
    assert_int_equal(r->done, 1);
    r->on_audio = ACT_STOP_SAY;
    hear(r, "one", 1);
    assert_int_equal(r->act_err, 0);
    assert_int_equal(r->done, 1);  /* of "and more" */
    r->on_done = ACT_SAY;
    hear(r, "one", 2);
    assert_int_equal(r->act_err, 0);
    assert_int_equal(r->done, 2);
    r->on_audio = ACT_FREE;
    hear(r, "one", 1);
    assert_int_equal(r->done, 0);
    assert_null(r->tts);
}

static void test_the_embedded_voice_in_its_handlers(void **state)
{
    struct rig *r = *state;

    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    expect_acts(r);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    r->on_done = ACT_FREE;
    hear(r, "one", 1);
    assert_null(r->tts);
    fail_alloc_at(1);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), -ENOMEM);
    fail_alloc_off();
    tts_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_embedded_voice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_embedded_voice_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_embedded_voice_in_its_handlers, setup, teardown),
    };

    return cmocka_run_group_tests_name("tts", tests, NULL, NULL);
}
