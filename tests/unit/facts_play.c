/* Plays a recorded AMI stream into the facts core. */
#include "facts_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of the fields at the top of a JSON object that this program wrote: "a b c". */
static void names_of(const char *json, char *out, size_t size)
{
    const char *name = NULL;
    size_t n = 0;
    int depth = 0;

    for (const char *at = json; *at; at++) {
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        if (*at != '"')
            continue;
        name = at + 1;
        for (at++; *at != '"'; at++)
            at += *at == '\\';
        if (depth == 1 && at[1] == ':' && n + (size_t)(at - name) + 2 < size) {
            n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? " " : "", (int)(at - name), name);
        }
    }
    out[n] = '\0';
}

/* Those of the table, in its order; the last ones may be missing (why of queue.timed_out is in another kind). */
static bool has_its_fields(const struct call_fact *f)
{
    size_t count;
    const struct fact_kind *kinds = facts_kinds(&count);
    char names[512] = "";

    names_of(f->detail, names, sizeof names);
    for (size_t i = 0; i < count; i++)
        if (strcmp(kinds[i].name, f->kind) == 0)
            return strcmp(kinds[i].fields, names) == 0;
    return false;
}

static void on_fact(const struct call_fact *f, void *arg)
{
    struct play *p = arg;
    const int64_t ms = (f->at_us - p->first_us) / 1000;
    size_t count;
    const struct fact_kind *kinds = facts_kinds(&count);

    for (size_t i = 0; i < count; i++)
        p->kinds[i] += strcmp(kinds[i].name, f->kind) == 0;
    p->ended += strcmp(f->kind, "call.ended") == 0;
    p->strays += strcmp(f->kind, "call.ended") != 0 && !has_its_fields(f);
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

void play_hello(struct play *p)
{
    play_bytes(p, TEXT("Asterisk Call Manager/11.0.0\r\n"));
    p->clock_us = 1795378387000000;
    play_says(p, "Reload", NULL, "Module: All\r\nStatus: 0\r\n");
}

void play_says(struct play *p, const char *event, const struct who *w, const char *extra)
{
    char wire[4096];
    int n;

    p->clock_us += 1000;
    n = snprintf(wire, sizeof wire, "Event: %s\r\nPrivilege: call,all\r\nTimestamp: %lld.%06lld\r\nSystemName: a\r\n", event,
                 (long long)(p->clock_us / 1000000), (long long)(p->clock_us % 1000000));
    if (w)
        n += snprintf(wire + n, sizeof wire - (size_t)n,
                      "Channel: %s\r\nChannelState: %d\r\nChannelStateDesc: x\r\nCallerIDNum: %s\r\nCallerIDName: <unknown>\r\n"
                      "ConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\nContext: in\r\n"
                      "Exten: 100\r\nPriority: 1\r\nUniqueid: %s\r\nLinkedid: %s\r\n",
                      w->channel, w->state, w->number, w->id, w->linkedid);
    n += snprintf(wire + n, sizeof wire - (size_t)n, "%s\r\n", extra);
    play_bytes(p, text_make(wire, (size_t)n));
}

void play_call(struct play *p, const struct who *w)
{
    struct who ringing = *w;

    ringing.state = 4;
    play_says(p, "Newchannel", &ringing, "");
    play_says(p, "Newstate", w, "");
}

void play_hangup(struct play *p, const struct who *w)
{
    play_says(p, "Hangup", w, "Cause: 16\r\nCause-txt: Normal Clearing\r\n");
}

size_t play_open_calls(const struct play *p)
{
    struct facts_figures figures;

    facts_figures_of(p->facts, &figures);
    return figures.open;
}

uint64_t play_told(const struct play *p, const char *kind)
{
    size_t count;
    const struct fact_kind *kinds = facts_kinds(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            return p->kinds[i];
    abort();
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
