/* Marks: three samples at a frame's head, two that occur nowhere else, then a number that counts frames. All samples are values that
 * mu-law carries unchanged, so a mark survives a service that speaks mu-law. */
#include <string.h>

#include "sim/media_load_parts.h"

enum {
    MARK_HIGH = 0x80, MARK_LOW = 0x00,      /* mu-law's loudest: +32124, -32124 */
    DIGIT = 0x90,                  /* a digit of 0..63 is the code 0x90 + digit */
};

static void mark_put(const struct load *l, uint32_t number, int16_t pcm[LOAD_FRAME])
{
    pcm[0] = l->of_code[MARK_HIGH];
    pcm[1] = l->of_code[MARK_LOW];
    for (int d = LOAD_DIGITS - 1; d >= 0; d--, number /= 64)
        pcm[2 + d] = l->of_code[DIGIT + number % 64];
}

void load_marks_make(struct load *l, struct load_leg *g, bool has_mark, int16_t pcm[LOAD_FRAME])
{
    for (size_t i = 0; i < LOAD_FRAME; i++)         /* 200 Hz, as loud as speech */
        pcm[i] = l->of_code[(i / 20 % 2 ? 0x20 : 0xa0) + i % 7];
    if (has_mark)
        mark_put(l, g->next, pcm);
}

static int digit_of(const struct load *l, int16_t sample)
{
    for (int d = 0; d < 64; d++)
        if (l->of_code[DIGIT + d] == sample)
            return d;
    return -1;
}

static void mark_seen(struct load *l, struct load_leg *g, const int16_t *digits, int64_t at_us)
{
    uint32_t number = 0;
    int64_t *sent;

    for (int i = 0; i < LOAD_DIGITS; i++) {
        const int d = digit_of(l, digits[i]);

        if (d < 0)
            return;
        number = number * 64 + (uint32_t)d;
    }
    sent = &g->sent_us[number % LOAD_MARKS];
    if (number >= g->next || *sent == 0 || (g->has_seen && number <= g->newest)) {
        l->out->disordered++;
        return;
    }
    g->newest = number;
    g->has_seen = true;
    if (*sent - l->began_us > l->warm_us)
        hist_add(&l->out->delay_us, at_us - *sent);
    *sent = 0;
}

void load_marks_find(struct load *l, struct load_leg *g, const int16_t *pcm, size_t n, int64_t at_us)
{
    int16_t all[LOAD_MARK_N - 1 + LOAD_FRAME];
    const size_t tail = LOAD_MARK_N - 1;

    memcpy(all, g->tail, sizeof g->tail);
    memcpy(all + tail, pcm, n * sizeof *pcm);
    for (size_t i = 0; i + LOAD_MARK_N <= tail + n; i++)
        if (all[i] == l->of_code[MARK_HIGH] && all[i + 1] == l->of_code[MARK_LOW])
            mark_seen(l, g, all + i + 2, at_us);
    memcpy(g->tail, all + n, sizeof g->tail);
}

