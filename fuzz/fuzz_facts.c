/* The facts core: any stream of blocks, with notes of the tap between them, leaves nothing open at the end; the books balance; split or whole is the same. */
#include "fuzz.h"

#include "tap/facts.h"

struct told {
    struct buf log;
    uint64_t facts, ended;
};

static void on_fact(const struct call_fact *f, void *arg)
{
    struct told *t = arg;

    t->facts++;
    t->ended += strcmp(f->kind, "call.ended") == 0;
    FUZZ_CHECK(f->detail[0] == '{' && f->detail[strlen(f->detail) - 1] == '}');
    buf_addf(&t->log, "%s %s %s\n", f->kind, f->call, f->detail);
}

static void on_call(const struct call_record *c, void *arg)
{
    (void)arg;
    FUZZ_CHECK(c->leg_count <= CALL_LEGS_MAX && c->details && c->ring_us >= 0 && c->talk_us >= 0 && c->hold_us >= 0 && c->queue_us >= 0);
}

static void take(struct facts *f, struct tap_event *e, uint64_t *seq, int64_t *now)
{
    *now += 1000;
    e->seq = ++*seq;
    e->session = 1;
    e->recv_us = *now;
    e->order_us = e->emit_us != TAP_NO_TIME ? e->emit_us : *now;
    FUZZ_CHECK(facts_take(f, e) == 0);
    tap_event_free(e);
}

static void note(struct facts *f, enum tap_kind kind, uint64_t *seq, int64_t *now)
{
    struct tap_event *e;

    FUZZ_CHECK(tap_event_new(&e, kind, TEXT_NONE, NULL, 0) == 0);
    take(f, e, seq, now);
}

/* A response's first letter says what the tap itself notes there; the list's items are channels that exist. */
static void message(struct facts *f, const struct ami_message *m, uint64_t *seq, int64_t *now)
{
    static const enum tap_kind kinds[] = { TAP_UP, TAP_DOWN, TAP_LOST, TAP_PRESENT_END, TAP_PRESENT_NONE };
    struct tap_event *e;

    if (m->kind == AMI_RESPONSE) {
        note(f, kinds[(m->name.n ? (uint8_t)m->name.p[0] : 0) % 5], seq, now);
        return;
    }
    if (m->kind != AMI_EVENT && m->kind != AMI_FORGED)
        return;
    FUZZ_CHECK(tap_event_of(&e, m->kind == AMI_FORGED ? TAP_FORGED : text_eq(m->name, TEXT("CoreShowChannel")) ? TAP_PRESENT : TAP_EVENT, m) == 0);
    take(f, e, seq, now);
    if (*seq % 16 == 0)
        facts_flush(f);
}

static void finish(struct facts *f, const struct told *t, uint64_t *seq, int64_t *now)
{
    struct facts_figures figures;

    facts_flush(f);
    facts_figures_of(f, &figures);
    FUZZ_CHECK(figures.calls == t->ended + figures.open && figures.facts == t->facts);
    note(f, TAP_DOWN, seq, now);
    note(f, TAP_UP, seq, now);
    note(f, TAP_PRESENT_NONE, seq, now);
    facts_figures_of(f, &figures);
    FUZZ_CHECK(figures.open == 0 && figures.channels == 0);
}

static void run(struct told *t, const uint8_t *data, size_t size, uint32_t seed)
{
    const struct facts_options opt = { .nodes = 1, .calls_max = 100 };
    const struct facts_handlers on = { .on_fact = on_fact, .on_call = on_call };
    struct facts *f;
    struct ami_reader r;
    struct ami_message m;
    uint64_t seq = 0;
    int64_t now = 1795378387000000;
    int got = 0;

    buf_init(&t->log, 1 << 26);
    FUZZ_CHECK(facts_new(&f, &opt, &on, t) == 0);
    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    for (size_t at = 0; got == 0 && at < size;) {
        const size_t n = seed ? fuzz_piece(&seed, size - at) : size - at;
        struct text in = text_make(data + at, n);

        at += n;
        while ((got = ami_read(&r, &in, &m)) > 0)
            message(f, &m, &seq, &now);
    }
    finish(f, t, &seq, &now);
    ami_reader_free(&r);
    facts_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told whole = { 0 }, split = { 0 };

    run(&whole, data, size, 0);
    run(&split, data, size, 1 + (uint32_t)size);
    FUZZ_CHECK(text_eq(buf_text(&whole.log), buf_text(&split.log)));
    buf_free(&whole.log);
    buf_free(&split.log);
    return 0;
}
