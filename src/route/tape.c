/* Keeps what passed on one session, and writes and reads its lasting form. */
#include "route/tape.h"

#include <errno.h>
#include <stdlib.h>

#include "base/ref.h"

struct entry {
    int64_t us;
    uint32_t at, n;
    enum tape_kind kind;
};

struct tape {
    struct buf bytes;
    struct entry *entries;
    size_t count, room;
    unsigned commands;
    bool is_cut, has_end;
    void (*on_change)(void *arg);
    void *arg;
};

static void destroy(void *obj)
{
    struct tape *t = obj;

    buf_free(&t->bytes);
    free(t->entries);
}

struct tape *tape_new(size_t max)
{
    struct tape *t = ref_new(sizeof *t, destroy);

    if (t)
        buf_init(&t->bytes, max ? max : TAPE_BYTES_MAX);
    return t;
}

static bool has_room(struct tape *t)
{
    const size_t room = t->room ? 2 * t->room : 64;
    struct entry *more;

    if (t->count < t->room)
        return true;
    if (t->count >= TAPE_ENTRIES_MAX)
        return false;
    more = realloc(t->entries, room * sizeof *more);
    if (!more)
        return false;
    t->entries = more;
    t->room = room;
    return true;
}

void tape_add(struct tape *t, enum tape_kind kind, int64_t us, struct text text)
{
    if (t->is_cut || t->has_end)
        return;
    if (!has_room(t) || (text.n > 0 && buf_add_text(&t->bytes, text))) {
        t->is_cut = true;
    } else {
        t->entries[t->count++] = (struct entry){ .kind = kind, .us = us, .at = (uint32_t)(t->bytes.n - text.n), .n = (uint32_t)text.n };
        t->commands += kind == TAPE_COMMAND;
        t->has_end = kind == TAPE_END;
    }
    if (t->on_change)
        t->on_change(t->arg);
}

void tape_add_env(struct tape *t, const struct agi_env *env)
{
    struct text name, value;
    struct buf line;

    buf_init(&line, AGI_ENV_BYTES_MAX + 4);
    for (size_t i = 0; agi_env_at(env, i, &name, &value); i++) {
        buf_clear(&line);
        buf_add_text(&line, name);
        buf_add_text(&line, TEXT(": "));
        buf_add_text(&line, value);
        if (line.err)
            t->is_cut = true;
        else
            tape_add(t, TAPE_ENV, 0, buf_text(&line));
    }
    buf_free(&line);
}

bool tape_is_cut(const struct tape *t)
{
    return t->is_cut;
}

bool tape_has_ended(const struct tape *t)
{
    return t->has_end || t->is_cut;
}

size_t tape_count(const struct tape *t)
{
    return t->count;
}

unsigned tape_commands(const struct tape *t)
{
    return t->commands;
}

bool tape_at(const struct tape *t, size_t i, struct tape_entry *out)
{
    if (i >= t->count)
        return false;
    *out = (struct tape_entry){ .kind = t->entries[i].kind, .us = t->entries[i].us,
                                .text = text_make(t->bytes.p ? t->bytes.p + t->entries[i].at : "", t->entries[i].n) };
    return true;
}

struct text tape_env(const struct tape *t, struct text name)
{
    struct tape_entry e;

    for (size_t i = 0; tape_at(t, i, &e) && e.kind == TAPE_ENV; i++)
        if (e.text.n >= name.n + 2 && text_starts(e.text, name) && e.text.p[name.n] == ':')
            return text_skip(e.text, name.n + 2);
    return TEXT_NONE;
}

void tape_listen(struct tape *t, void (*on_change)(void *arg), void *arg)
{
    t->on_change = on_change;
    t->arg = arg;
}

int tape_write(const struct tape *t, struct buf *out)
{
    struct tape_entry e;

    for (size_t i = 0; tape_at(t, i, &e); i++) {
        buf_addf(out, "%c %lld %zu ", (char)e.kind, (long long)e.us, e.text.n);
        buf_add_text(out, e.text);
        buf_add_char(out, '\n');
    }
    return out->err;
}

static bool is_kind(char c)
{
    return c == TAPE_ENV || c == TAPE_COMMAND || c == TAPE_REPLY || c == TAPE_HANGUP || c == TAPE_ASKED || c == TAPE_TOLD ||
           c == TAPE_NO_REPLY || c == TAPE_END;
}

/* Takes a number and the blank behind it. */
static bool take_number(struct text *in, int64_t *out)
{
    const ptrdiff_t blank = text_find(*in, ' ');

    if (blank <= 0 || text_to_i64(text_head(*in, (size_t)blank), out) || *out < 0)
        return false;
    *in = text_skip(*in, (size_t)blank + 1);
    return true;
}

static bool take_entry(struct tape *t, struct text *in)
{
    const char kind = in->p[0];
    int64_t us, n;

    if (!is_kind(kind) || in->n < 2 || in->p[1] != ' ')
        return false;
    *in = text_skip(*in, 2);
    if (!take_number(in, &us) || !take_number(in, &n) || (uint64_t)n >= in->n || in->p[n] != '\n')
        return false;
    tape_add(t, (enum tape_kind)kind, us, text_head(*in, (size_t)n));
    *in = text_skip(*in, (size_t)n + 1);
    return true;
}

int tape_read(struct tape **out, struct text bytes)
{
    struct tape *t = tape_new(4 * TAPE_BYTES_MAX);

    if (!t)
        return -ENOMEM;
    while (bytes.n > 0 && !t->is_cut)
        if (!take_entry(t, &bytes)) {
            ref_drop(t);
            return -EINVAL;
        }
    *out = t;
    return 0;
}
