/* Plays a recorded AMI stream into the facts core. */
#include "facts_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_fact(const struct call_fact *f, void *arg)
{
    struct play *p = arg;
    const int64_t ms = (f->at_us - p->first_us) / 1000;
    size_t count;
    const struct fact_kind *kinds = facts_kinds(&count);

    for (size_t i = 0; i < count; i++)
        p->kinds[i] += strcmp(kinds[i].name, f->kind) == 0;
    p->ended += strcmp(f->kind, "call.ended") == 0;
    buf_addf(&p->told, "+%lld.%03lld %s %s %s\n", (long long)(ms / 1000), (long long)(ms % 1000), f->kind, f->call[0] ? f->call : "-", f->detail);
}

static void on_call(const struct call_record *c, void *arg)
{
    struct play *p = arg;

    p->open_records += c->outcome == CALL_OPEN;
}

int play_open(struct play *p)
{
    const struct facts_options opt = { .nodes = 2 };
    const struct facts_handlers on = { .on_fact = on_fact, .on_call = on_call };

    *p = (struct play){ 0 };
    ami_reader_init(&p->reader, AMI_FROM_ASTERISK, 0);
    buf_init(&p->told, 64 * 1024 * 1024);
    return facts_new(&p->facts, &opt, &on, p);
}

void play_close(struct play *p)
{
    facts_free(p->facts);
    ami_reader_free(&p->reader);
    buf_free(&p->told);
}

static void take(struct play *p, struct tap_event *e)
{
    if (e->emit_us != TAP_NO_TIME && e->emit_us > p->last_us - 60000000 && (!p->last_us || e->emit_us < p->last_us + 3600000000))
        p->last_us = e->emit_us;
    if (!p->first_us)
        p->first_us = p->last_us;
    e->node = p->node;
    e->session = 1;
    e->seq = ++p->seq;
    e->recv_us = e->order_us = p->last_us;
    p->err = facts_take(p->facts, e) ? -ENOMEM : p->err;
    tap_event_free(e);
}

/* The list of the channels, as the tap's session makes notes of it. */
static enum tap_kind kind_of(const struct ami_message *m)
{
    if (m->kind == AMI_FORGED)
        return TAP_FORGED;
    if (text_eq(m->name, TEXT("CoreShowChannel")))
        return TAP_PRESENT;
    return text_eq(m->name, TEXT("CoreShowChannelsComplete")) ? TAP_PRESENT_END : TAP_EVENT;
}

void play_reconnect(struct play *p)
{
    ami_reader_free(&p->reader);
    ami_reader_init(&p->reader, AMI_FROM_ASTERISK, 0);
    play_note(p, TAP_DOWN, NULL, 0);
    play_note(p, TAP_UP, NULL, 0);
}

void play_bytes(struct play *p, struct text bytes)
{
    struct ami_message m;
    struct tap_event *e;

    while (ami_read(&p->reader, &bytes, &m) > 0) {
        if (m.kind != AMI_EVENT && m.kind != AMI_FORGED)
            continue;
        if (tap_event_of(&e, kind_of(&m), &m))
            p->err = -ENOMEM;
        else
            take(p, e);
    }
}

void play_note(struct play *p, enum tap_kind kind, const struct tap_pair *pairs, size_t count)
{
    struct tap_event *e;

    if (tap_event_new(&e, kind, TEXT_NONE, pairs, count))
        p->err = -ENOMEM;
    else
        take(p, e);
}

void play_flush(struct play *p)
{
    facts_flush(p->facts);
}

char *play_file(const char *path, size_t *n)
{
    FILE *in = fopen(path, "rb");
    char *all = malloc(4 * 1024 * 1024), *start;
    size_t got;

    if (!in || !all) {
        fprintf(stderr, "cannot read %s\n", path);
        abort();
    }
    got = fread(all, 1, 4 * 1024 * 1024, in);
    fclose(in);
    start = memchr(all, '\n', got);
    if (!start)
        abort();
    *n = got - (size_t)(start + 1 - all);
    memmove(all, start + 1, *n);
    return all;
}
