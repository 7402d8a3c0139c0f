/* What a service of a pipeline sends: its sound, its event stream with an answer in it, and the form that a stand-in reads. Whole and in pieces is the
 * same; what is given out is within its bounds. The first byte of the input says which. */
#include "fuzz.h"

#include "ai/chat_answer.h"
#include "ai/sse.h"
#include "ai/tts_sound.h"
#include "sim/form.h"

enum { SAMPLES_MAX = 4000, HZ = 24000 };

/* ---- sound ---- */

static bool on_pcm(const int16_t *pcm, size_t n, void *arg)
{
    FUZZ_CHECK(n > 0);
    buf_add(arg, pcm, n * sizeof *pcm);
    return true;
}

static int sound_run(struct text in, bool is_whole, struct buf *out)
{
    struct tts_sound s = { .rate_hz = 0 };
    uint32_t seed = (uint32_t)in.n;
    int err = 0;

    tts_sound_begin(&s, HZ, SAMPLES_MAX);
    while (in.n > 0 && !err) {
        const size_t n = is_whole ? in.n : fuzz_piece(&seed, in.n);
        char *piece = fuzz_copy(in.p, n);

        err = tts_sound_feed(&s, text_make(piece, n), on_pcm, out);
        free(piece);
        in = text_skip(in, n);
    }
    if (!err)
        err = tts_sound_end(&s, on_pcm, out);
    FUZZ_CHECK(s.samples <= SAMPLES_MAX && s.samples * sizeof(int16_t) == out->n);
    FUZZ_CHECK((err == -EBADMSG) == (s.problem != NULL));
    FUZZ_CHECK(err != -EBADMSG || out->n == 0);
    tts_sound_free(&s);
    return err;
}

static void sound_check(struct text in)
{
    struct buf whole, pieces;

    buf_init(&whole, 1 << 20);
    buf_init(&pieces, 1 << 20);
    const int err = sound_run(in, true, &whole);

    FUZZ_CHECK(sound_run(in, false, &pieces) == err);
    /* What is too long is found at another place when it comes in other pieces. */
    FUZZ_CHECK(err == -EMSGSIZE || (whole.n == pieces.n && (whole.n == 0 || memcmp(whole.p, pieces.p, whole.n) == 0)));
    buf_free(&whole);
    buf_free(&pieces);
}

/* ---- an answer ---- */

static bool on_event(struct text data, void *arg)
{
    return chat_answer_add(arg, data) == 0;
}

static void answer_run(struct text in, bool is_whole, struct chat_answer *a)
{
    uint32_t seed = (uint32_t)in.n;
    struct sse s;
    int err = 0;

    sse_init(&s);
    chat_answer_init(a);
    while (in.n > 0 && !err) {
        const size_t n = is_whole ? in.n : fuzz_piece(&seed, in.n);
        char *piece = fuzz_copy(in.p, n);

        err = sse_feed(&s, text_make(piece, n), on_event, a);
        free(piece);
        in = text_skip(in, n);
    }
    if (!err)
        err = sse_end(&s, on_event, a);
    FUZZ_CHECK(err == 0 || err == -EMSGSIZE);
    chat_answer_end(a);
    FUZZ_CHECK(a->call_count <= CHAT_CALLS_MAX && strlen(a->detail) < sizeof a->detail);
    for (size_t i = 0; i < a->call_count; i++)
        FUZZ_CHECK(a->calls[i].name[0] && a->calls[i].id[0] && a->calls[i].arguments.n > 0 && a->calls[i].arguments.n <= CHAT_ARGUMENTS_MAX);
    sse_free(&s);
}

static void answer_check(struct text in)
{
    struct chat_answer whole, pieces;

    answer_run(in, true, &whole);
    answer_run(in, false, &pieces);
    FUZZ_CHECK(whole.call_count == pieces.call_count && whole.is_finished == pieces.is_finished && whole.has_error == pieces.has_error);
    FUZZ_CHECK(text_eq(buf_text(&whole.words), buf_text(&pieces.words)) || (whole.words.n == 0 && pieces.words.n == 0));
    chat_answer_free(&whole);
    chat_answer_free(&pieces);
}

/* ---- a form ---- */

static bool is_inside(struct text part, struct text all)
{
    return !part.p || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static void form_check(struct text in)
{
    struct text type = TEXT_NONE, rest = in;
    struct form_part part;
    size_t count = 0;

    text_cut(&rest, '\n', &type);
    const struct text boundary = form_boundary(type);

    FUZZ_CHECK(is_inside(boundary, in) && (!boundary.p || boundary.n > 0));
    while (boundary.p && rest.p && form_next(&rest, boundary, &part) > 0) {
        FUZZ_CHECK(is_inside(part.name, in) && is_inside(part.file_name, in) && is_inside(part.body, in));
        FUZZ_CHECK(++count < in.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    const struct text in = text_skip(text_make(copy, size), 1);

    if (size > 0 && copy[0] == 's')
        sound_check(in);
    else if (size > 0 && copy[0] == 'a')
        answer_check(in);
    else if (size > 0)
        form_check(in);
    free(copy);
    return 0;
}
