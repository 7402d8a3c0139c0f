/* The verb `tap replay`: a recorded stream of events through the daemon's own pipeline (queue, merge, facts, journal). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cmd_tap.h"
#include "store/tap_writer.h"

enum { READ_BYTES = 64 * 1024, QUEUE_EVENTS = 65536, WAIT_MS = 2, LINE_MAX_BYTES = 4096 };

struct replay {
    const char *file, *node;
    struct tap_writer *writer;
    struct tap_queue *queue;
    int64_t session, now_us;            /* time of the stream: the events' own where they have one */
    uint64_t seq, events, forged;
};

static void put(struct replay *r, struct tap_event *e)
{
    e->session = r->session;
    e->seq = ++r->seq;
    e->recv_us = r->now_us;
    while (tap_queue_depth(r->queue) > QUEUE_EVENTS / 2)
        nanosleep(&(struct timespec){ .tv_nsec = WAIT_MS * 1000000L }, NULL);
    tap_queue_put(r->queue, e);
}

static int put_note(struct replay *r, enum tap_kind kind, struct text reason)
{
    const struct tap_pair pairs[] = { { TEXT("Cause"), TEXT(TAP_CAUSE_CONNECTION) }, { TEXT("Reason"), reason } };
    struct tap_event *e;
    const int err = tap_event_new(&e, kind, TEXT_NONE, pairs, reason.p ? 2 : 0);

    if (!err)
        put(r, e);
    return err;
}

static int put_message(struct replay *r, const struct ami_message *m)
{
    struct tap_event *e;
    int err;

    if (m->kind != AMI_EVENT && m->kind != AMI_FORGED)
        return 0;
    err = tap_event_of(&e, m->kind == AMI_FORGED ? TAP_FORGED : TAP_EVENT, m);
    if (err)
        return err;
    if (e->emit_us != TAP_NO_TIME && e->emit_us > r->now_us)
        r->now_us = e->emit_us;
    if (!r->session) {
        r->session = r->now_us;
        err = put_note(r, TAP_UP, TEXT_NONE);
    }
    r->events += m->kind == AMI_EVENT;
    r->forged += m->kind == AMI_FORGED;
    put(r, e);
    return err;
}

static int feed(struct replay *r, struct ami_reader *reader, struct text bytes)
{
    struct ami_message m;
    int got;

    while ((got = ami_read(reader, &bytes, &m)) > 0) {
        const int err = put_message(r, &m);

        if (err)
            return err;
    }
    return got;
}

/* Lines at the begin that start with ';' are the recorder's own. */
static void skip_remarks(FILE *f)
{
    char line[LINE_MAX_BYTES];
    long at = ftell(f);

    while (fgets(line, sizeof line, f) && line[0] == ';')
        at = ftell(f);
    fseek(f, at, SEEK_SET);
}

/* The stream begins at its first time stamp: events before it, such as FullyBooted, have none. */
static void find_begin(struct replay *r, FILE *f)
{
    static const char name[] = "Timestamp: ";
    char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof line, f)) {
        const struct text t = text_trim(text_of(line));

        if (!text_starts(t, TEXT("Timestamp: ")) || tap_time_of(text_skip(t, sizeof name - 1)) == TAP_NO_TIME)
            continue;
        r->now_us = tap_time_of(text_skip(t, sizeof name - 1));
        break;
    }
    rewind(f);
}

static int read_file(struct replay *r)
{
    FILE *f = fopen(r->file, "re");
    struct ami_reader reader;
    char *bytes = malloc(READ_BYTES);
    size_t n;
    int err = bytes ? 0 : -ENOMEM;

    if (!f) {
        free(bytes);
        return -errno;
    }
    find_begin(r, f);
    skip_remarks(f);
    ami_reader_init(&reader, AMI_FROM_ASTERISK, 0);
    while (!err && (n = fread(bytes, 1, READ_BYTES, f)) > 0)
        err = feed(r, &reader, text_make(bytes, n));
    if (!err && ferror(f))
        err = -EIO;
    if (!err && r->events + r->forged == 0)
        err = -ENODATA;
    ami_reader_free(&reader);
    fclose(f);
    free(bytes);
    return err;
}

/* Calls that are open at the recording's end are closed as what they are: not observed any more. */
static int finish(struct replay *r)
{
    int err = put_note(r, TAP_DOWN, TEXT("end of the recording"));

    return err ? err : put_note(r, TAP_PRESENT_NONE, TEXT("end of the recording"));
}

static void count_call(const struct journal_call *c, void *arg)
{
    (void)c;
    ++*(uint64_t *)arg;
}

static int tell(const struct replay *r, const char *db)
{
    const struct journal_query every = { .max = SIZE_MAX / 2 };
    struct journal_reader *reader;
    uint64_t calls = 0;
    int err = journal_reader_open(&reader, db);

    if (!err) {
        err = journal_read_calls(reader, &every, count_call, &calls);
        fprintf(stderr, "%" PRIu64 " events, %" PRIu64 " forged blocks, %" PRId64 " facts, %" PRIu64 " calls in %s\n", r->events, r->forged,
                journal_last_fact(reader), calls, db);
        journal_reader_close(reader);
    }
    if (err >= 0)
        return CLI_FINE;
    fprintf(stderr, "sidetone tap replay: %s: %s\n", db, err_text(err));
    return CLI_FAILED;
}

static int run(struct replay *r, const char *db)
{
    const struct log_sink sink = { .fd = 2, .level = LOG_WARN };
    const struct log log = { .sink = &sink, .module = "replay" };
    const struct tap_writer_options opt = {
        .path = db, .journal = { .nodes = &r->node, .node_count = 1, .keeps_events = true }, .queue_events = QUEUE_EVENTS, .log = &log,
    };
    char *problem = NULL;
    int err = tap_writer_open(&r->writer, &opt, &problem);

    if (err) {
        fprintf(stderr, "sidetone tap replay: %s: %s\n", db, problem ? problem : err_text(err));
        free(problem);
        return CLI_FAILED;
    }
    r->queue = tap_writer_queue(r->writer, 0);
    err = read_file(r);
    if (!err)
        err = finish(r);
    tap_writer_close(r->writer);
    if (!err)
        return tell(r, db);
    fprintf(stderr, "sidetone tap replay: %s: %s\n", r->file,
            err == -EPROTO || err == -ENODATA ? "expected AMI from its banner on, as tap record writes it" : err_text(err));
    return CLI_FAILED;
}

int cmd_tap_replay(int argc, char **argv)
{
    const char *node = "replay", *db = NULL, *words[1];
    const struct cli_option options[] = {
        { .name = "db", .takes = "FILE", .help = "the journal that is made; it may not exist yet (needed)", .value = &db },
        { .name = "node", .takes = "NAME", .help = "the node's name in it (default replay)", .value = &node },
    };
    const struct cli_syntax syntax = {
        .verb = "tap replay", .usage = "FILE --db JOURNAL [--node NAME]",
        .about = "Plays a recording of `tap record` through the daemon's own pipeline into a journal of its own, as fast as it goes; then\n"
                 "`sidetone calls --db JOURNAL`, `call ID --db JOURNAL` and `tap --once --since 2000-01-01 --db JOURNAL` show what came of it.",
        .options = options, .option_count = 2, .words_min = 1, .words_max = 1,
    };
    struct replay r = { .now_us = clock_wall_us() };
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (!db)
        return cli_wrong_use("tap replay", "expected --db JOURNAL: the journal that is made");
    if (access(db, F_OK) == 0) {
        fprintf(stderr, "sidetone tap replay: %s: is there already; a replay makes a journal of its own\n", db);
        return CLI_FAILED;
    }
    r.file = words[0];
    r.node = node;
    return run(&r, db);
}
