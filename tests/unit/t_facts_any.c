/* Recorded streams, mistreated: cut, shuffled, doubled, mixed, without memory. Whatever comes, the books balance and nothing stays open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "facts_play.h"

static const char *const streams[] = { "queue-two-agents", "attended-transfer-dtmf", "park-and-retrieve", "hostile-sip", "hostile-crlf", "three-join",
                                       "local-chain", "agi-visits", "confbridge-three", "pickup", "originate", "blind-transfer-ami" };
enum { STREAMS = sizeof streams / sizeof *streams, BLOCKS_MAX = 1000 };

/* A stream cut into its blocks. */
struct tape {
    char *bytes;
    struct text blocks[BLOCKS_MAX];
    size_t count;
};

static void tape_open(struct tape *t, const char *name)
{
    char path[512];
    size_t n;
    struct text rest;

    snprintf(path, sizeof path, "%s/%s.txt", AMI_FOLDER, name);
    t->bytes = play_file(path, &n);
    rest = text_make(t->bytes, n);
    rest = text_skip(rest, (size_t)text_find(rest, '\n') + 1);
    t->count = 0;
    while (rest.n && t->count < BLOCKS_MAX) {
        const ptrdiff_t end = text_find_text(rest, TEXT("\r\n\r\n"));

        if (end < 0)
            break;
        t->blocks[t->count++] = text_head(rest, (size_t)end + 4);
        rest = text_skip(rest, (size_t)end + 4);
    }
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* is_lossy: memory ran out, and a fact with it. */
static void balance(struct play *p, bool is_lossy)
{
    struct facts_figures figures;

    play_flush(p);
    facts_figures_of(p->facts, &figures);
    assert_in_range(p->ended + figures.open, is_lossy ? 0 : figures.calls, figures.calls);
    assert_true(figures.channels >= figures.open);
    assert_int_equal(facts_open_of(p->facts, 0) + facts_open_of(p->facts, 1), figures.open);
    assert_int_equal(p->strays, 0);
}

static void nothing_is_left(struct play *p, bool is_lossy)
{
    struct facts_figures figures;

    for (p->node = 0; p->node < 2; p->node++) {
        play_note(p, TAP_DOWN, NULL, 0);
        play_note(p, TAP_UP, NULL, 0);
        play_note(p, TAP_PRESENT_NONE, NULL, 0);
    }
    balance(p, is_lossy);
    facts_figures_of(p->facts, &figures);
    assert_int_equal(figures.open, 0);
    assert_int_equal(figures.channels, 0);
}

/* One block, or what is left of it; or the same again; or a note. */
static void mistreat(struct play *p, struct text block, uint32_t *seed)
{
    static const enum tap_kind notes[] = { TAP_LOST, TAP_DOWN, TAP_UP, TAP_PRESENT_END, TAP_PRESENT_NONE };
    const uint32_t dice = next(seed) % 100;

    if (dice < 10)
        return;
    if (dice < 12)
        play_note(p, notes[next(seed) % 5], NULL, 0);
    if (dice < 15 && block.n > 4) {     /* cut, and its rest */
        const size_t at = next(seed) % block.n;

        play_bytes(p, text_head(block, at));
        play_bytes(p, TEXT("\r\n\r\n"));
        play_bytes(p, text_skip(block, at));
        return;
    }
    if (dice < 20)
        play_bytes(p, block);
    play_bytes(p, block);
    if (dice > 95)
        play_flush(p);
}

static void run_mixed(const struct tape *a, const struct tape *b, uint32_t seed)
{
    static struct play p;
    size_t i = 0, k = 0;

    assert_int_equal(play_open(&p), 0);
    play_bytes(&p, TEXT("Asterisk Call Manager/11.0.0\r\n"));
    while (i < a->count || k < b->count) {
        const bool first = k >= b->count || (i < a->count && next(&seed) % 2);
        const size_t far = next(&seed) % 8 == 0 ? next(&seed) % 6 : 0;      /* now and then out of order */
        const struct tape *t = first ? a : b;
        const size_t at = first ? i++ : k++;

        p.node = next(&seed) % 20 == 0;
        mistreat(&p, t->blocks[at + far < t->count ? at + far : at], &seed);
    }
    balance(&p, false);
    nothing_is_left(&p, false);
    assert_int_equal(p.err, 0);
    play_close(&p);
}

static void whatever_comes_the_books_balance(void **state)
{
    static struct tape tapes[STREAMS];

    (void)state;
    for (size_t i = 0; i < STREAMS; i++)
        tape_open(&tapes[i], streams[i]);
    for (uint32_t seed = 1; seed <= 400; seed++)
        run_mixed(&tapes[seed % STREAMS], &tapes[(seed / STREAMS + seed) % STREAMS], seed * 2654435761u);
    for (size_t i = 0; i < STREAMS; i++)
        free(tapes[i].bytes);
}

/* The stream ends in the middle: behind any event. */
static void stream_that_breaks_off_leaves_nothing(void **state)
{
    static struct tape t;
    static struct play p;

    (void)state;
    for (size_t s = 0; s < STREAMS; s++) {
        tape_open(&t, streams[s]);
        for (size_t upto = 0; upto < t.count; upto += 3) {
            assert_int_equal(play_open(&p), 0);
            play_bytes(&p, TEXT("Asterisk Call Manager/11.0.0\r\n"));
            for (size_t i = 0; i < upto; i++)
                play_bytes(&p, t.blocks[i]);
            nothing_is_left(&p, false);
            play_close(&p);
        }
        free(t.bytes);
    }
}

/* The stream begins in the middle: every call that is told is partial or whole, and ends with its channels. */
static void stream_that_begins_late_ends_its_calls(void **state)
{
    static struct tape t;
    static struct play p;

    (void)state;
    for (size_t s = 0; s < STREAMS; s++) {
        tape_open(&t, streams[s]);
        for (size_t from = 0; from < t.count; from += 5) {
            assert_int_equal(play_open(&p), 0);
            play_bytes(&p, TEXT("Asterisk Call Manager/11.0.0\r\n"));
            for (size_t i = from; i < t.count; i++)
                play_bytes(&p, t.blocks[i]);
            balance(&p, false);
            nothing_is_left(&p, false);
            play_close(&p);
        }
        free(t.bytes);
    }
}

static void no_memory_is_survived(void **state)
{
    static struct tape t;
    static struct play p;
    long hits = 0;

    (void)state;
    for (size_t s = 0; s < STREAMS; s++) {
        tape_open(&t, streams[s]);
        for (long n = 1;; n++) {
            int err;

            fail_alloc_at(n);
            err = play_open(&p);
            if (err) {
                assert_int_equal(err, -ENOMEM);
                assert_true(fail_alloc_hit());
                ami_reader_free(&p.reader);
                buf_free(&p.told);
                continue;
            }
            play_bytes(&p, TEXT("Asterisk Call Manager/11.0.0\r\n"));
            for (size_t i = 0; i < t.count; i++)
                play_bytes(&p, t.blocks[i]);
            play_flush(&p);
            if (!fail_alloc_hit()) {
                play_close(&p);
                break;
            }
            hits++;
            fail_alloc_off();
            p.reader.err = 0;
            play_reconnect(&p);
            nothing_is_left(&p, true);
            play_close(&p);
            n += n / 8;         /* the early ones one by one, then coarser */
        }
        fail_alloc_off();
        free(t.bytes);
    }
    assert_true(hits > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_the_books_balance),
        cmocka_unit_test(stream_that_breaks_off_leaves_nothing),
        cmocka_unit_test(stream_that_begins_late_ends_its_calls),
        cmocka_unit_test(no_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
