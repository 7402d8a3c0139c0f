/* WAV: what was written is read; damaged and foreign files are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/wav.h"
#include "fail_alloc.h"

static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/t_wav_XXXXXX");
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static size_t file_bytes(uint8_t *out, size_t max)
{
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(out, 1, max, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static void file_put(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void write_stereo(void)
{
    const int16_t a[] = {1, -1, 300, -300}, b[] = {INT16_MAX, INT16_MIN};
    struct wav_writer *w = NULL;

    assert_int_equal(wav_create(&w, path, 8000, 2), 0);
    assert_int_equal(wav_write(w, a, 2), 0);
    assert_int_equal(wav_write(w, b, 1), 0);
    assert_int_equal(wav_close(w), 0);
}

static int load_only(void)
{
    int16_t *pcm = NULL;
    size_t frames;
    unsigned rate, channels;
    const int err = wav_load(path, &pcm, &frames, &rate, &channels);
    if (!err)
        free(pcm);
    else
        assert_null(pcm);
    return err;
}

static void test_round_trip(void **state)
{
    const int16_t want[] = {1, -1, 300, -300, INT16_MAX, INT16_MIN};
    int16_t *pcm = NULL;
    size_t frames = 0;
    unsigned rate = 0, channels = 0;
    uint8_t bytes[100];

    (void)state;
    write_stereo();
    assert_int_equal(file_bytes(bytes, sizeof bytes), 44 + 12);
    assert_memory_equal(bytes, "RIFF\x30\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\x40\x1f\0\0\0\x7d\0\0\4\0\x10\0data\x0c\0\0\0", 44);
    assert_int_equal(wav_load(path, &pcm, &frames, &rate, &channels), 0);
    assert_int_equal(frames, 3);
    assert_int_equal(rate, 8000);
    assert_int_equal(channels, 2);
    assert_memory_equal(pcm, want, sizeof want);
    free(pcm);
}

static void test_long_stream(void **state)
{
    enum { N = 50001 };
    int16_t *in = malloc(N * sizeof *in), *pcm = NULL;
    struct wav_writer *w = NULL;
    size_t frames = 0;
    unsigned rate, channels;

    (void)state;
    for (int i = 0; i < N; i++)
        in[i] = (int16_t)(i * 7);
    assert_int_equal(wav_create(&w, path, 16000, 1), 0);
    assert_int_equal(wav_write(w, in, 5000), 0);
    assert_int_equal(wav_write(w, in + 5000, N - 5000), 0);
    assert_int_equal(wav_close(w), 0);
    assert_int_equal(wav_load(path, &pcm, &frames, &rate, &channels), 0);
    assert_int_equal(frames, N);
    assert_memory_equal(pcm, in, N * sizeof *in);
    free(pcm);
    free(in);
}

static void test_every_cut_is_an_ordinary_result(void **state)
{
    uint8_t bytes[56];

    (void)state;
    write_stereo();
    assert_int_equal(file_bytes(bytes, sizeof bytes), 56);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        file_put(bytes, n);
        assert_int_equal(load_only(), n < 44 ? -EBADMSG : 0);
    }
}

static void test_every_byte_changed(void **state)
{
    uint8_t bytes[56];
    int refused = 0;

    (void)state;
    write_stereo();
    assert_int_equal(file_bytes(bytes, sizeof bytes), 56);
    for (size_t i = 0; i < 44; i++) {
        bytes[i] ^= 0xff;
        file_put(bytes, sizeof bytes);
        const int err = load_only();
        assert_true(err == 0 || err == -EBADMSG);
        refused += err != 0;
        bytes[i] ^= 0xff;
    }
    assert_in_range(refused, 24, 36); /* every byte but the sizes and rates that may be anything */
}

static void test_refusals(void **state)
{
    struct wav_writer *w = NULL;
    static const int16_t pcm[1];

    (void)state;
    assert_int_equal(wav_create(&w, path, 0, 1), -EINVAL);
    assert_int_equal(wav_create(&w, path, 8000, 3), -EINVAL);
    assert_int_equal(wav_create(&w, "/nowhere/at/all.wav", 8000, 1), -ENOENT);
    assert_null(w);
    assert_int_equal(wav_close(NULL), 0);
    assert_int_equal(wav_create(&w, path, 8000, 1), 0);
    assert_int_equal(wav_write(w, pcm, SIZE_MAX / 4), -EFBIG);
    assert_int_equal(wav_write(w, pcm, 1), -EFBIG); /* sticks */
    assert_int_equal(wav_close(w), -EFBIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(load_only(), -ENOENT);
    file_put("", 0);
}

static void test_full_disk_is_told(void **state)
{
    struct wav_writer *w = NULL;
    static const int16_t pcm[100000];

    (void)state;
    const int err = wav_create(&w, "/dev/full", 8000, 1);
    if (err)
        return;
    int bad = wav_write(w, pcm, 100000);
    const int end = wav_close(w);
    assert_true(bad < 0 || end < 0);
    assert_int_equal(bad < 0 ? bad : end, -EIO);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    write_stereo();
    for (long n = 1;; n++) {
        struct wav_writer *w = NULL;
        fail_alloc_at(n);
        const int made = wav_create(&w, path, 8000, 2);
        const int err = made ? made : wav_close(w);
        const int loaded = load_only();
        const bool hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit)
            break;
        assert_true(err == -ENOMEM || loaded == -ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_cut_is_an_ordinary_result, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_byte_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allocation_failures, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
