/* One job: know by its key whether a row is at the other side already, after a restart between delivery and cursor. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/sink_parts.h"

struct sink_key {
    int64_t session;
    uint64_t seq, node;             /* node: a hash of its name; session and seq tell almost all apart */
    uint32_t n;                     /* UINT32_MAX: an event */
};

static uint64_t hash(struct text t)
{
    uint64_t h = 1469598103934665603ull;

    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (unsigned char)t.p[i]) * 1099511628211ull;
    return h;
}

static int compare(const void *a, const void *b)
{
    const struct sink_key *x = a, *y = b;

    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->node == y->node ? 0 : x->node < y->node ? -1 : 1;
}

void sink_seen_free(struct sink_seen *s)
{
    free(s->keys);
    *s = (struct sink_seen){ 0 };
}

static bool key_parse(struct sink_key *k, struct text word)
{
    int64_t seq, n;
    struct text t = word;
    ptrdiff_t at[3];

    for (int i = 0; i < 3; i++) {
        at[i] = text_rfind(t, '/');
        if (at[i] < 0)
            return false;
        t.n = (size_t)at[i];
    }
    k->node = hash(text_head(word, (size_t)at[2]));
    const struct text session = text_make(word.p + at[2] + 1, (size_t)(at[1] - at[2] - 1));
    const struct text number = text_make(word.p + at[1] + 1, (size_t)(at[0] - at[1] - 1)), last = text_skip(word, (size_t)at[0] + 1);

    if (text_to_i64(session, &k->session) || text_to_i64(number, &seq))
        return false;
    k->seq = (uint64_t)seq;
    if (text_eq(last, TEXT("e"))) {
        k->n = UINT32_MAX;
        return true;
    }
    if (text_to_i64(last, &n) || n < 0 || n >= UINT32_MAX)
        return false;
    k->n = (uint32_t)n;
    return true;
}

int sink_seen_add_key(struct sink_seen *s, struct text key)
{
    struct sink_key k;

    if (!key_parse(&k, key))
        return 0;
    s->is_sorted = false;
    if (s->count == SINK_SEEN_MAX) {    /* the youngest matter */
        s->keys[s->next++ % SINK_SEEN_MAX] = k;
        return 0;
    }
    if (s->count == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 256;
        struct sink_key *more = realloc(s->keys, cap * sizeof *more);

        if (!more)
            return -ENOMEM;
        s->keys = more;
        s->cap = cap;
    }
    s->keys[s->count++] = k;
    return 0;
}

int sink_seen_add_line(struct sink_seen *s, struct text line)
{
    const struct text head = TEXT("{\"key\":\"");
    struct text key = text_skip(line, head.n);
    ptrdiff_t end;

    if (!text_starts(line, head))
        return 0;
    end = text_find(key, '"');
    return end < 0 ? 0 : sink_seen_add_key(s, text_head(key, (size_t)end));
}

bool sink_seen_has(struct sink_seen *s, const struct sink_row *row)
{
    struct sink_key k;
    struct buf word;
    bool has = false;

    if (s->count == 0)
        return false;
    if (!s->is_sorted)
        qsort(s->keys, s->count, sizeof *s->keys, compare);
    s->is_sorted = true;
    buf_init(&word, 4096);
    if (sink_row_key(&word, row) == 0 && key_parse(&k, buf_text(&word)))
        has = bsearch(&k, s->keys, s->count, sizeof *s->keys, compare) != NULL;
    buf_free(&word);
    return has;
}
