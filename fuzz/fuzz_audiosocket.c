/* AudioSocket: whole and in pieces must give the same frames; a frame written again is the bytes that came. */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/audiosocket.h"

static void check_audio(const struct audiosocket_frame *f)
{
    int16_t pcm[AUDIOSOCKET_MAX_PAYLOAD / 2];
    uint8_t again[AUDIOSOCKET_HEAD + AUDIOSOCKET_MAX_PAYLOAD];
    bool odd;
    const size_t n = audiosocket_get_audio(f, pcm, sizeof pcm / sizeof pcm[0], &odd);

    FUZZ_CHECK(n == f->n / 2u && odd == (f->n % 2 == 1));
    if (n == 0)
        return;
    FUZZ_CHECK(audiosocket_put_audio(again, f->kind, pcm, n) == AUDIOSOCKET_HEAD + 2 * n);
    FUZZ_CHECK(memcmp(again + AUDIOSOCKET_HEAD, f->payload, 2 * n) == 0);
}

static void run(struct buf *log, const uint8_t *data, size_t size, uint16_t max, uint32_t seed)
{
    struct audiosocket_reader r;
    struct audiosocket_frame f;
    size_t at = 0;
    int got = 0;

    audiosocket_reader_init(&r, max);
    while (at < size && got >= 0) {
        const size_t n = seed ? fuzz_piece(&seed, size - at) : size - at;
        char *piece = fuzz_copy(data + at, n);
        struct text in = text_make(piece, n);

        while ((got = audiosocket_read(&r, &in, &f)) > 0) {
            buf_addf(log, "%u %u ", f.kind, f.n);
            buf_add(log, f.payload, f.n);
            check_audio(&f);
        }
        FUZZ_CHECK(got < 0 || in.n == 0);
        free(piece);
        at += n;
    }
    buf_addf(log, "end %d %d %s", got, audiosocket_is_partial(&r), r.fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t limits[] = { 0, 16, 320, AUDIOSOCKET_MAX_PAYLOAD, UINT16_MAX };
    struct buf whole, split;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        buf_init(&whole, 1 << 26);
        buf_init(&split, 1 << 26);
        run(&whole, data, size, limits[i], 0);
        run(&split, data, size, limits[i], 1 + (uint32_t)size);
        FUZZ_CHECK(text_eq(buf_text(&whole), buf_text(&split)));
        buf_free(&whole);
        buf_free(&split);
    }
    return 0;
}
