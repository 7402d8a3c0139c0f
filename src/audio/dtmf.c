/* In-band DTMF with spandsp, both ways. */
#include "audio/dtmf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <spandsp.h>

enum {
    ON_MS = 70,
    OFF_MS = 70,
    SAMPLES_PER_MS = 8,
    PER_DIGIT = (ON_MS + OFF_MS) * SAMPLES_PER_MS,
    DIGITS_MAX = 1000,
    FEED_PIECE = 1600, /* 200 ms: spandsp keeps 128 digits, no piece can hold so many */
};

struct dtmf_receiver {
    dtmf_rx_state_t *rx;
};

int dtmf_receiver_new(struct dtmf_receiver **out)
{
    struct dtmf_receiver *d = calloc(1, sizeof *d);

    if (!d)
        return -ENOMEM;
    d->rx = dtmf_rx_init(NULL, NULL, NULL);
    if (!d->rx) {
        free(d);
        return -ENOMEM;
    }
    *out = d;
    return 0;
}

void dtmf_receiver_free(struct dtmf_receiver *d)
{
    if (!d)
        return;
    dtmf_rx_free(d->rx);
    free(d);
}

/* What does not fit stays in spandsp's own store (128 digits) for the next call. */
size_t dtmf_receiver_feed(struct dtmf_receiver *d, const int16_t *pcm, size_t n, char *out, size_t max)
{
    char got[MAX_DTMF_DIGITS + 1]; /* spandsp adds a NUL */
    size_t count = 0;

    do {
        const size_t piece = n < FEED_PIECE ? n : FEED_PIECE;
        if (piece > 0)
            dtmf_rx(d->rx, pcm, (int)piece);
        const size_t room = max - count < MAX_DTMF_DIGITS ? max - count : MAX_DTMF_DIGITS;
        const size_t have = room ? dtmf_rx_get(d->rx, got, (int)room) : 0;
        memcpy(out + count, got, have);
        count += have;
        pcm += piece;
        n -= piece;
    } while (n > 0);
    return count;
}

int dtmf_make(const char *digits, int16_t **out, size_t *n)
{
    const size_t count = strlen(digits);

    if (count > DIGITS_MAX || strspn(digits, "0123456789ABCD*#") != count)
        return -EINVAL;
    int16_t *pcm = calloc(count * PER_DIGIT + 1, sizeof *pcm);
    if (!pcm)
        return -ENOMEM;
    dtmf_tx_state_t *tx = dtmf_tx_init(NULL);
    if (!tx) {
        free(pcm);
        return -ENOMEM;
    }
    dtmf_tx_set_timing(tx, ON_MS, OFF_MS);
    for (size_t i = 0; i < count; i++) {
        dtmf_tx_put(tx, digits + i, 1);
        dtmf_tx(tx, pcm + i * PER_DIGIT, PER_DIGIT);
    }
    dtmf_tx_free(tx);
    *out = pcm;
    *n = count * PER_DIGIT;
    return 0;
}
