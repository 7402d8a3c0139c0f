/* AGI: the environment and the replies, whole and in pieces, must give the same; no command may become two lines. */
#include "fuzz.h"

#include "wire/agi.h"

static void add(struct buf *log, struct text t)
{
    buf_addf(log, "%d[", t.p != NULL);
    buf_add_text(log, t);
    buf_add_char(log, ']');
}

static size_t run_env(struct buf *log, const uint8_t *data, size_t size, uint32_t seed)
{
    struct agi_env e;
    struct text name, value;
    size_t eaten = 0;

    agi_env_init(&e);
    while (eaten < size && !e.done) {
        const size_t n = seed ? fuzz_piece(&seed, size - eaten) : size - eaten;
        char *piece = fuzz_copy(data + eaten, n);
        const ssize_t got = agi_env_feed(&e, piece, n);

        free(piece);
        FUZZ_CHECK(got <= (ssize_t)n);
        if (got < 0)
            break;
        FUZZ_CHECK(got == (ssize_t)n || e.done);
        eaten += (size_t)got;
    }
    buf_addf(log, "env %d %d %s %zu %zu %zu\n", e.err, e.done, e.fault, e.duplicates, e.odd, e.misplaced);
    for (size_t i = 0; agi_env_at(&e, i, &name, &value); i++) {
        add(log, name);
        add(log, value);
        FUZZ_CHECK(agi_env_get(&e, name).p);
    }
    eaten = e.err || !e.done ? size : eaten;
    agi_env_free(&e);
    return eaten;
}

static void add_reply(struct buf *log, const struct agi_reply *r)
{
    int64_t number = 0;

    buf_addf(log, "\n%d %d %d", r->kind, r->code, r->has_value);
    add(log, r->result);
    add(log, r->value);
    add(log, r->extra);
    add(log, r->body);
    add(log, agi_reply_extra(r, TEXT("endpos")));
    if (agi_reply_int(r, &number) == 0)
        buf_addf(log, "%lld", (long long)number);
}

static void run_replies(struct buf *log, const uint8_t *data, size_t size, uint32_t seed)
{
    struct agi_reply_reader r;
    struct agi_reply reply;
    size_t at = 0;
    int got = 0;

    agi_reply_reader_init(&r);
    while (got == 0 && at < size) {
        const size_t n = seed ? fuzz_piece(&seed, size - at) : size - at < AGI_REPLY_MAX ? size - at : AGI_REPLY_MAX;
        char *piece = fuzz_copy(data + at, n);

        got = agi_reply_feed(&r, piece, n);
        free(piece);
        at += n;
        while (got == 0 && (got = agi_reply_next(&r, &reply)) == 1) {
            add_reply(log, &reply);
            got = 0;
        }
    }
    buf_addf(log, "end %d", got);
    agi_reply_reader_free(&r);
}

static void run_command(struct text t)
{
    struct agi_command c;
    struct text line;

    for (int how = 0; how < 3; how++) {
        agi_command_init(&c);
        if (how == 0) {
            agi_command_raw(&c, t);
        } else {
            agi_command_word(&c, how == 1 ? TEXT("NOOP") : t);
            agi_command_quoted(&c, t);
        }
        if (agi_command_finish(&c, &line) == 0) {
            FUZZ_CHECK(line.n <= AGI_LINE_MAX + 1 && text_find(line, '\n') == (ptrdiff_t)line.n - 1);
            FUZZ_CHECK(text_find(line, '\0') < 0 && text_find(line, '\r') < 0 && !text_starts_nocase(line, TEXT("failure")));
        }
        agi_command_free(&c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, split;
    size_t at;

    buf_init(&whole, 1 << 26);
    buf_init(&split, 1 << 26);
    at = run_env(&whole, data, size, 0);
    FUZZ_CHECK(run_env(&split, data, size, 1 + (uint32_t)size) == at);
    if (at == size)
        at = 0; /* no block at the front: all of it is replies */
    run_replies(&whole, data + at, size - at, 0);
    run_replies(&split, data + at, size - at, 7 + (uint32_t)size);
    FUZZ_CHECK(text_eq(buf_text(&whole), buf_text(&split)));
    run_command(text_make(data, size));
    buf_free(&whole);
    buf_free(&split);
    return 0;
}
