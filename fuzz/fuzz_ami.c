/* AMI: a stream whole and in pieces must give the same messages; no header may become two; decoding stays in its ceiling. */
#include "fuzz.h"

#include "wire/ami.h"

static void add(struct buf *log, struct text t)
{
    buf_add_text(log, t);
    buf_add_char(log, ';');
}

static void add_message(struct buf *log, const struct ami_message *m)
{
    struct text name, value;

    buf_addf(log, "\n%d %zu %zu %zu %d ", m->kind, m->count, m->duplicates, m->odd, m->is_cut);
    add(log, m->name);
    for (size_t i = 0; ami_at(m, i, &name, &value); i++) {
        add(log, name);
        add(log, value);
        FUZZ_CHECK(ami_get(m, name).p && text_find(name, ':') < 0);
    }
    add(log, ami_get(m, TEXT("Uniqueid")));
}

static void run(struct buf *log, enum ami_side side, const uint8_t *data, size_t size, uint32_t seed, size_t max)
{
    struct ami_reader r;
    struct ami_message m;
    size_t at = 0;
    int got = 0;

    ami_reader_init(&r, side, max);
    while (got == 0 && at < size) {
        const size_t n = seed ? fuzz_piece(&seed, size - at) : size - at;
        char *piece = fuzz_copy(data + at, n);
        struct text in = text_make(piece, n);

        at += n;
        while ((got = ami_read(&r, &in, &m)) > 0)
            add_message(log, &m);
        FUZZ_CHECK(got < 0 || in.n == 0);
        free(piece);
    }
    buf_addf(log, "\nend %d %llu", got, (unsigned long long)r.blanks);
    ami_reader_free(&r);
}

static void compare(enum ami_side side, const uint8_t *data, size_t size, size_t max)
{
    struct buf whole, split;

    buf_init(&whole, 1 << 26);
    buf_init(&split, 1 << 26);
    run(&whole, side, data, size, 0, max);
    run(&split, side, data, size, 1 + (uint32_t)size, max);
    FUZZ_CHECK(text_eq(buf_text(&whole), buf_text(&split)));
    buf_free(&whole);
    buf_free(&split);
}

static void write_back(struct text t)
{
    struct ami_writer w;
    struct ami_reader r;
    struct ami_message m;
    struct text out;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("AGI"));
    ami_write(&w, TEXT("Command"), t);
    if (ami_writer_finish(&w, &out) == 0) {
        FUZZ_CHECK(t.n <= AMI_LINE_MAX);
        ami_reader_init(&r, AMI_FROM_CLIENT, 0);
        FUZZ_CHECK(ami_read(&r, &out, &m) == 1 && m.kind == AMI_ACTION && m.count == 2 && out.n == 0);
        FUZZ_CHECK(ami_read(&r, &out, &m) == 0);
        ami_reader_free(&r);
    }
    ami_writer_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text all = text_make(data, size);
    struct buf decoded;

    compare(AMI_FROM_ASTERISK, data, size, 0);
    compare(AMI_FROM_ASTERISK, data, size, 300);
    compare(AMI_FROM_CLIENT, data, size, 0);
    write_back(all);
    buf_init(&decoded, 4096);
    if (ami_uri_decode(&decoded, all) == 0)
        FUZZ_CHECK(decoded.n <= size);
    buf_free(&decoded);
    return 0;
}
