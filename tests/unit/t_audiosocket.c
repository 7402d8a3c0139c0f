/* Frames: the seen capture, ceilings, cuts at every byte, samples and rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/audiosocket.h"

/* As captured from 22.10.1, audio shortened: UUID, 4 samples, digit 1, an unknown kind, an empty frame, slin16. */
static const uint8_t capture[] = {
    0x01, 0x00, 0x10, 0x40, 0x32, 0x5e, 0xc2, 0x5e, 0xfd, 0x4b, 0xd3, 0x80, 0x5f, 0x53, 0x57, 0x6e,
    0x58, 0x1d, 0x13, 0x10, 0x00, 0x08, 0x00, 0x00, 0x6f, 0x40, 0xd5, 0x5a, 0x9e, 0xff, 0x03, 0x00,
    0x01, 0x31, 0x77, 0x00, 0x02, 0xaa, 0xbb, 0x00, 0x00, 0x00, 0x12, 0x00, 0x02, 0x34, 0x12,
};
static const struct {
    uint8_t kind;
    uint16_t n;
} capture_frames[] = { { 0x01, 16 }, { 0x10, 8 }, { 0x03, 1 }, { 0x77, 2 }, { 0x00, 0 }, { 0x12, 2 } };
enum { CAPTURE_FRAMES = sizeof capture_frames / sizeof capture_frames[0] };

/* Reads what is in `in`, compares with the capture from frame *at on. */
static void drain(struct audiosocket_reader *r, struct text in, size_t *at, size_t *offset)
{
    struct audiosocket_frame f;
    int got;

    while ((got = audiosocket_read(r, &in, &f)) > 0) {
        assert_true(*at < CAPTURE_FRAMES);
        assert_int_equal(f.kind, capture_frames[*at].kind);
        assert_int_equal(f.n, capture_frames[*at].n);
        assert_memory_equal(f.payload, capture + *offset + AUDIOSOCKET_HEAD, f.n);
        *offset += AUDIOSOCKET_HEAD + (size_t)f.n;
        (*at)++;
    }
    assert_int_equal(got, 0);
    assert_int_equal(in.n, 0);
}

static void test_same_frames_when_cut_anywhere(void **state)
{
    struct audiosocket_reader r;
    size_t at, offset;

    (void)state;
    for (size_t cut = 0; cut <= sizeof capture; cut++) {
        at = offset = 0;
        audiosocket_reader_init(&r, AUDIOSOCKET_MAX_PAYLOAD);
        drain(&r, text_make(capture, cut), &at, &offset);
        assert_int_equal(audiosocket_is_partial(&r), offset != cut);
        drain(&r, text_make(capture + cut, sizeof capture - cut), &at, &offset);
        assert_int_equal(at, CAPTURE_FRAMES);
        assert_false(audiosocket_is_partial(&r));
    }
    at = offset = 0;
    audiosocket_reader_init(&r, AUDIOSOCKET_MAX_PAYLOAD);
    for (size_t i = 0; i < sizeof capture; i++)
        drain(&r, text_make(capture + i, 1), &at, &offset);
    assert_int_equal(at, CAPTURE_FRAMES);
}

static void test_payload_ceiling_is_exact(void **state)
{
    static uint8_t bytes[AUDIOSOCKET_HEAD + AUDIOSOCKET_MAX_PAYLOAD + 1];
    struct audiosocket_reader r;
    struct audiosocket_frame f;
    struct text in;

    (void)state;
    audiosocket_put_head(bytes, AUDIOSOCKET_AUDIO, AUDIOSOCKET_MAX_PAYLOAD);
    audiosocket_reader_init(&r, UINT16_MAX); /* more than the store is cut to the store */
    in = text_make(bytes, AUDIOSOCKET_HEAD + AUDIOSOCKET_MAX_PAYLOAD);
    assert_int_equal(audiosocket_read(&r, &in, &f), 1);
    assert_int_equal(f.n, AUDIOSOCKET_MAX_PAYLOAD);

    audiosocket_put_head(bytes, AUDIOSOCKET_AUDIO, AUDIOSOCKET_MAX_PAYLOAD + 1);
    for (size_t cut = 0; cut <= 4; cut++) {
        int got;

        audiosocket_reader_init(&r, AUDIOSOCKET_MAX_PAYLOAD);
        in = text_make(bytes, cut);
        got = audiosocket_read(&r, &in, &f);
        assert_int_equal(got, cut < AUDIOSOCKET_HEAD ? 0 : -EMSGSIZE);
        in = text_make(bytes + cut, sizeof bytes - cut);
        assert_int_equal(audiosocket_read(&r, &in, &f), -EMSGSIZE);
        assert_string_equal(r.fault, "a frame of kind 0x10 announces 8193 bytes, more than the 8192 allowed");
        in = text_make(capture, sizeof capture);
        assert_int_equal(audiosocket_read(&r, &in, &f), -EMSGSIZE);
    }
    audiosocket_reader_init(&r, 16);
    in = text_make("\x01\x00\x11", 3);
    assert_int_equal(audiosocket_read(&r, &in, &f), -EMSGSIZE);
}

static void test_audio_is_little_endian_both_ways(void **state)
{
    static const int16_t pcm[] = { 0, 1, -1, INT16_MIN, INT16_MAX, 0x1234 };
    static const uint8_t expect[] = { 0x10, 0x00, 0x0c, 0, 0, 1, 0, 0xff, 0xff, 0x00, 0x80, 0xff, 0x7f, 0x34, 0x12 };
    uint8_t wire[sizeof expect];
    int16_t back[6] = { 0 };
    struct audiosocket_frame f = { .kind = 0x10, .payload = wire + AUDIOSOCKET_HEAD, .n = 12 };
    bool odd = true;

    (void)state;
    assert_int_equal(audiosocket_put_audio(wire, AUDIOSOCKET_AUDIO, pcm, 6), sizeof expect);
    assert_memory_equal(wire, expect, sizeof expect);
    assert_int_equal(audiosocket_get_audio(&f, back, 6, &odd), 6);
    assert_false(odd);
    assert_memory_equal(back, pcm, sizeof pcm);
    f.n = 11;
    assert_int_equal(audiosocket_get_audio(&f, back, 6, &odd), 5);
    assert_true(odd);
    memset(back, 0, sizeof back);
    f.n = 12;
    assert_int_equal(audiosocket_get_audio(&f, back, 2, &odd), 2);
    assert_int_equal(back[2], 0);
}

static void test_heads(void **state)
{
    uint8_t head[AUDIOSOCKET_HEAD];

    (void)state;
    audiosocket_put_head(head, AUDIOSOCKET_HANGUP, 0);
    assert_memory_equal(head, "\0\0\0", 3);
    audiosocket_put_head(head, 0x12, 640);
    assert_memory_equal(head, "\x12\x02\x80", 3);
}

static void test_rates_and_kinds_agree(void **state)
{
    static const unsigned rates[] = { 8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000 };

    (void)state;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        assert_int_equal(audiosocket_rate((uint8_t)(0x10 + i)), rates[i]);
        assert_int_equal(audiosocket_kind(rates[i]), 0x10 + i);
        assert_non_null(audiosocket_format(rates[i]));
    }
    assert_int_equal(audiosocket_rate(0x0f), 0);
    assert_int_equal(audiosocket_rate(0x19), 0);
    assert_int_equal(audiosocket_rate(0xff), 0);
    assert_int_equal(audiosocket_kind(11025), 0);
    assert_int_equal(audiosocket_kind(0), 0);
    assert_string_equal(audiosocket_format(8000), "slin");
    assert_string_equal(audiosocket_format(44100), "slin44");
    assert_string_equal(audiosocket_format(192000), "slin192");
    assert_null(audiosocket_format(11025));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_frames_when_cut_anywhere),
        cmocka_unit_test(test_payload_ceiling_is_exact),
        cmocka_unit_test(test_audio_is_little_endian_both_ways),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_rates_and_kinds_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
