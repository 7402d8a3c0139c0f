/* phrases.c: words and files become samples, the same ones once. */
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

#include "audio/pcm.h"
#include "audio/wav.h"
#include "call/phrases.h"
#include "fail_alloc.h"

static void t_words(void **state)
{
    struct phrases *p;
    struct phrase a, b, c;

    (void)state;
    assert_int_equal(phrases_new(&p), 0);
    assert_int_equal(phrases_speak(p, "kal", "One moment, please.", &a), 0);
    assert_in_range(a.n, 6000, 24000);      /* 0.75 to 3 s */
    assert_true(pcm_rms(a.pcm, a.n) > 300); /* something is heard */
    assert_string_equal(a.words, "One moment, please.");
    assert_int_equal(phrases_speak(p, "kal", "One moment, please.", &b), 0);
    assert_ptr_equal(a.pcm, b.pcm);
    assert_int_equal(phrases_speak(p, "kal16", "One moment, please.", &c), 0);
    assert_ptr_not_equal(a.pcm, c.pcm);
    assert_int_equal(phrases_speak(p, "hal", "One moment, please.", &c), -EINVAL);
    phrases_free(p);
    phrases_free(NULL);
}

static void put_wav(const char *path, unsigned rate_hz, unsigned channels, size_t frames)
{
    int16_t *pcm = calloc(frames * channels, sizeof *pcm);
    struct wav_writer *w;

    for (size_t i = 0; i < frames * channels; i++)
        pcm[i] = (int16_t)(i % channels ? 3000 : 1000);
    assert_int_equal(wav_create(&w, path, rate_hz, channels), 0);
    assert_int_equal(wav_write(w, pcm, frames), 0);
    assert_int_equal(wav_close(w), 0);
    free(pcm);
}

static void t_files(void **state)
{
    char path[] = "/tmp/sidetone-phrase-XXXXXX";
    const int fd = mkstemp(path);
    struct phrases *p;
    struct phrase a;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(phrases_new(&p), 0);
    assert_int_equal(phrases_load(p, path, &a), -EBADMSG); /* empty */
    put_wav(path, 16000, 2, 16000);
    assert_int_equal(phrases_load(p, path, &a), 0);
    assert_in_range(a.n, 7900, 8001);                      /* one second */
    assert_in_range(a.pcm[4000], 1900, 2100);              /* both channels */
    phrases_free(p);
    assert_int_equal(phrases_new(&p), 0);
    put_wav(path, 8000, 1, 31 * 8000);
    assert_int_equal(phrases_load(p, path, &a), -EINVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(phrases_load(p, path, &a), -ENOENT);
    phrases_free(p);
    close(fd);
}

static void t_memory_short(void **state)
{
    struct phrases *p = NULL;
    struct phrase a;
    int err = -1;

    (void)state;
    for (long n = 1; err; n++) {
        fail_alloc_at(n);
        err = p ? 0 : phrases_new(&p);
        if (!err)
            err = phrases_speak(p, "kal", "Yes.", &a);
        assert_true(!err || err == -ENOMEM);
        assert_true(n < 100);
    }
    fail_alloc_off();
    phrases_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_words),
        cmocka_unit_test(t_files),
        cmocka_unit_test(t_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
