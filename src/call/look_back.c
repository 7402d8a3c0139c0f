/* A ring of the newest samples. */
#include "call/look_back.h"

#include <errno.h>
#include <stdlib.h>

struct look_back {
    size_t room, at, kept;         /* at: where the next sample goes */
    int16_t ring[];
};

int look_back_new(struct look_back **out, unsigned rate_hz)
{
    const size_t room = (size_t)rate_hz * LOOK_BACK_MS / 1000;
    struct look_back *l = calloc(1, sizeof *l + room * sizeof l->ring[0]);

    if (!l)
        return -ENOMEM;
    l->room = room;
    *out = l;
    return 0;
}

void look_back_free(struct look_back *l)
{
    free(l);
}

void look_back_keep(struct look_back *l, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        l->ring[l->at] = pcm[i];
        l->at = l->at + 1 < l->room ? l->at + 1 : 0;
    }
    l->kept = l->kept + n < l->room ? l->kept + n : l->room;
}

void look_back_forget(struct look_back *l)
{
    l->kept = 0;
}

void look_back_tell(const struct look_back *l, size_t n, void (*piece)(const int16_t *pcm, size_t n, void *arg), void *arg)
{
    n = n < l->kept ? n : l->kept;
    const size_t from = (l->at + l->room - n) % l->room;
    const size_t straight = n < l->room - from ? n : l->room - from;

    if (straight > 0)
        piece(l->ring + from, straight, arg);
    if (n > straight)
        piece(l->ring, n - straight, arg);
}
