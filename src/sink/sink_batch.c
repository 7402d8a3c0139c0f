/* One job: copy the wanted rows of the journal into a batch of bounded size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/sink_parts.h"

int sink_batch_new(struct sink_batch *b, size_t max, const char *const *kinds, size_t kind_count)
{
    memset(b, 0, sizeof *b);
    buf_init(&b->scratch, SINK_ROW_BYTES);
    b->max = max;
    b->kinds = kinds;
    b->kind_count = kind_count;
    b->rows = calloc(max, sizeof *b->rows);
    if (!b->rows)
        return -ENOMEM;
    return arena_new(&b->arena, SINK_BATCH_BYTES + SINK_ROW_BYTES);
}

void sink_batch_free(struct sink_batch *b)
{
    arena_free(b->arena);
    buf_free(&b->scratch);
    free(b->rows);
    memset(b, 0, sizeof *b);
}

bool sink_kind_wanted(const char *kind, const char *const *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t n = strlen(kinds[i]);

        if (n > 0 && kinds[i][n - 1] == '*' ? strncmp(kind, kinds[i], n - 1) == 0 : strcmp(kind, kinds[i]) == 0)
            return true;
    }
    return count == 0;
}

/* True when the row's turn has come: nothing before it was left out. */
static bool has_room(struct sink_batch *b)
{
    if (b->count == b->max || arena_used(b->arena) >= SINK_BATCH_BYTES)
        b->is_full = true;
    return !b->is_full && !b->err;
}

static void take(struct sink_batch *b, const struct sink_row *row)
{
    struct sink_row *r = &b->rows[b->count];

    *r = *row;
    r->node = arena_text(b->arena, text_of(row->node ? row->node : ""));
    r->kind = arena_text(b->arena, text_of(row->kind ? row->kind : ""));
    r->call = arena_text(b->arena, text_of(row->call ? row->call : ""));
    r->detail = arena_text(b->arena, text_of(row->detail ? row->detail : "{}"));
    if (r->node && r->kind && r->call && r->detail)
        b->count++;
    else if (b->count > 0)
        b->is_full = true;      /* it opens the next batch */
    else
        b->err = -ENOMEM;
    if (!b->err && !b->is_full)
        b->after = row->id;
}

static void on_fact(const struct journal_fact *f, void *arg)
{
    struct sink_batch *b = arg;

    if (!has_room(b))
        return;
    if (!sink_kind_wanted(f->kind, b->kinds, b->kind_count))
        b->after = f->id;
    else
        take(b, &(struct sink_row){ .id = f->id, .node = f->node, .kind = f->kind, .call = f->call, .detail = f->detail,
                                    .session = f->session, .at_us = f->at_us, .seq = f->seq, .n = f->n });
}

/* The event of a call carries its Linkedid. */
static void on_event(const struct journal_event *j, void *arg)
{
    struct sink_batch *b = arg;
    const struct tap_event *e = j->event;
    char kind[128], call[CALL_ID_MAX];

    if (!has_room(b))
        return;
    text_copy(kind, sizeof kind, tap_event_name(e));
    text_copy(call, sizeof call, tap_get_named(e, TEXT("Linkedid")));
    if (!sink_kind_wanted(kind, b->kinds, b->kind_count)) {
        b->after = j->id;
        return;
    }
    buf_clear(&b->scratch);
    if (sink_event_json(&b->scratch, e) || !buf_cstr(&b->scratch)) {
        b->err = b->scratch.err;
        return;
    }
    take(b, &(struct sink_row){ .id = j->id, .is_event = true, .node = j->node, .kind = kind, .call = call, .detail = b->scratch.p,
                                .session = e->session, .at_us = e->order_us, .seq = e->seq });
}

int sink_batch_read(struct sink_batch *b, struct journal_reader *r, bool is_events, int64_t after)
{
    int64_t read_to = after;
    int n;

    arena_reset(b->arena);
    b->count = 0;
    b->err = 0;
    b->is_full = false;
    b->is_events = is_events;
    b->after = after;
    n = is_events ? journal_read_events(r, TEXT_NONE, &read_to, b->max, on_event, b)
                  : journal_read_facts(r, TEXT_NONE, &read_to, b->max, on_fact, b);
    return n < 0 ? n : b->err ? b->err : n;
}

void sink_batch_drop(struct sink_batch *b, size_t i)
{
    INVARIANT(i < b->count);
    memmove(&b->rows[i], &b->rows[i + 1], (b->count - i - 1) * sizeof *b->rows);
    b->count--;
}
