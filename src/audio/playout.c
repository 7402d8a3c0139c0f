/* The queue of samples still to be said, with the marks that tell what has been heard. */
#include "audio/playout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audio/pcm.h"

enum {
    FADE_MS = 8,
    SMALL_MS = 500,  /* room that an empty queue keeps */
};

struct mark {
    uint32_t item;
    size_t waiting;  /* samples of it in the ring */
    uint64_t played; /* samples of it taken */
    bool finished;
};

struct playout {
    unsigned rate_hz;
    int16_t *ring;
    size_t max, small;      /* samples: the ceiling, and what an empty queue keeps */
    size_t cap, head, used; /* cap: present size of the ring; head: next sample to take */
    struct mark marks[PLAYOUT_ITEMS];
    size_t first, count; /* of marks, a ring too */
    int16_t *fade;       /* end of what a flush cut off */
    size_t fade_n, fade_at;
    uint64_t underruns;
};

int playout_new(struct playout **out, unsigned rate_hz, size_t max_ms)
{
    if (rate_hz < 1000 || rate_hz > 192000 || max_ms < 20 || max_ms > 600000)
        return -EINVAL;
    struct playout *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->rate_hz = rate_hz;
    p->max = max_ms * rate_hz / 1000;
    p->small = (max_ms < SMALL_MS ? max_ms : SMALL_MS) * rate_hz / 1000;
    p->cap = p->small;
    p->ring = malloc(p->cap * sizeof *p->ring);
    p->fade = malloc(rate_hz * FADE_MS / 1000 * sizeof *p->fade);
    if (!p->ring || !p->fade) {
        playout_free(p);
        return -ENOMEM;
    }
    *out = p;
    return 0;
}

void playout_free(struct playout *p)
{
    if (!p)
        return;
    free(p->ring);
    free(p->fade);
    free(p);
}

static struct mark *mark_first(struct playout *p)
{
    return p->count ? &p->marks[p->first] : NULL;
}

static struct mark *mark_last(struct playout *p)
{
    return p->count ? &p->marks[(p->first + p->count - 1) % PLAYOUT_ITEMS] : NULL;
}

/* Moves what waits to a ring of another size. False: no memory; all stays as it was. */
static bool ring_resize(struct playout *p, size_t cap)
{
    int16_t *const ring = malloc(cap * sizeof *ring);
    const size_t straight = p->used < p->cap - p->head ? p->used : p->cap - p->head;

    if (!ring)
        return false;
    memcpy(ring, p->ring + p->head, straight * sizeof *ring);
    memcpy(ring + straight, p->ring, (p->used - straight) * sizeof *ring);
    free(p->ring);
    p->ring = ring;
    p->cap = cap;
    p->head = 0;
    return true;
}

/* A service may send a whole answer at once: there is room for it then, and only then. */
static void ring_grow(struct playout *p, size_t n)
{
    size_t cap = p->cap;

    while (cap < p->used + n && cap < p->max)
        cap = cap * 2 < p->max ? cap * 2 : p->max;
    if (cap > p->cap)
        ring_resize(p, cap);
}

int playout_begin(struct playout *p, uint32_t item)
{
    if (p->count == PLAYOUT_ITEMS)
        return -ENOBUFS;
    if (p->used == 0 && p->cap > p->small)
        ring_resize(p, p->small); /* without memory it stays as it is */
    playout_finish(p); /* only the newest item can grow */
    p->count++;
    *mark_last(p) = (struct mark){.item = item};
    return 0;
}

size_t playout_add(struct playout *p, const int16_t *pcm, size_t n)
{
    struct mark *m = mark_last(p);

    if (!m || m->finished)
        return 0;
    if (n > p->cap - p->used)
        ring_grow(p, n);
    if (n > p->cap - p->used)
        n = p->cap - p->used;
    const size_t at = (p->head + p->used) % p->cap;
    const size_t straight = n < p->cap - at ? n : p->cap - at;
    if (n == 0)
        return 0;
    memcpy(p->ring + at, pcm, straight * sizeof *pcm);
    memcpy(p->ring, pcm + straight, (n - straight) * sizeof *pcm);
    p->used += n;
    m->waiting += n;
    return n;
}

void playout_finish(struct playout *p)
{
    struct mark *m = mark_last(p);

    if (m)
        m->finished = true;
}

/* Moves n samples of the ring's front out; out may be NULL. */
static void ring_take(struct playout *p, int16_t *out, size_t n)
{
    const size_t straight = n < p->cap - p->head ? n : p->cap - p->head;

    if (out && n > 0) {
        memcpy(out, p->ring + p->head, straight * sizeof *out);
        memcpy(out + straight, p->ring, (n - straight) * sizeof *out);
    }
    p->head = (p->head + n) % p->cap;
    p->used -= n;
}

static size_t fade_take(struct playout *p, int16_t *out, size_t n)
{
    const size_t left = p->fade_n - p->fade_at;

    if (n > left)
        n = left;
    if (n > 0)
        memcpy(out, p->fade + p->fade_at, n * sizeof *out);
    p->fade_at += n;
    return n;
}

size_t playout_take(struct playout *p, int16_t *out, size_t n, uint32_t *ended)
{
    size_t made = fade_take(p, out, n);
    struct mark *m;

    *ended = 0;
    while ((m = mark_first(p))) {
        const size_t want = n - made < m->waiting ? n - made : m->waiting;
        ring_take(p, out + made, want);
        made += want;
        m->waiting -= want;
        m->played += want;
        if (m->waiting > 0)
            break;
        if (!m->finished) {
            p->underruns += made < n && m->played > 0;
            break;
        }
        if (*ended)
            break; /* this one's end is told by the next call */
        *ended = m->item;
        p->first = (p->first + 1) % PLAYOUT_ITEMS;
        p->count--;
    }
    memset(out + made, 0, (n - made) * sizeof *out);
    return made;
}

unsigned playout_flush(struct playout *p, uint32_t *item, unsigned *played_ms)
{
    const struct mark *m = mark_first(p);
    const size_t longest = p->rate_hz * FADE_MS / 1000;
    const size_t tail = m && m->played > 0 ? (p->used < longest ? p->used : longest) : 0;

    *item = m ? m->item : 0;
    *played_ms = m ? (unsigned)(m->played * 1000 / p->rate_hz) : 0;
    if (tail > 0) {
        ring_take(p, p->fade, tail);
        p->fade_n = tail;
        p->fade_at = 0;
        pcm_fade(p->fade, tail, 256, 0);
    }
    const unsigned dropped_ms = playout_waiting_ms(p);
    p->head = p->used = 0;
    p->first = p->count = 0;
    return dropped_ms;
}

unsigned playout_waiting_ms(const struct playout *p)
{
    return (unsigned)((uint64_t)p->used * 1000 / p->rate_hz);
}

size_t playout_room(const struct playout *p)
{
    return p->max - p->used;
}

bool playout_is_talking(const struct playout *p)
{
    return p->count > 0;
}

uint64_t playout_underruns(const struct playout *p)
{
    return p->underruns;
}
