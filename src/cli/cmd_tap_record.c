/* The verb `tap record`: a node's events into a file, by a session of its own. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cmd_tap.h"
#include "cli/problems.h"
#include "net/dialer.h"
#include "pbx/ami_client.h"

enum { SECONDS_MAX = 7 * 86400 };

struct recording {
    const struct config_node *node;
    FILE *file;
    const char *path;
    struct loop *loop;
    struct dialer *dialer;
    struct ami_client *client;
    struct timer *time_up;
    struct loop_signal *interrupt, *term;
    uint64_t events, limit;
    int code;
    bool was_up, is_ending;
};

static void end(struct recording *r, int code)
{
    if (r->is_ending)
        return;
    r->is_ending = true;
    r->code = code;
    ami_close(r->client);
}

static void on_end_asked(void *arg)
{
    end(arg, CLI_FINE);
}

static void on_up(void *arg)
{
    struct recording *r = arg;

    if (!r->was_up)
        fprintf(stderr, "recording %s into %s; Ctrl-C ends it\n", r->node->head.name, r->path);
    else
        fprintf(r->file, "; connected again\r\n");
    r->was_up = true;
}

/* A recording with a hole would be taken for a whole one: a broken connection ends it. */
static void on_down(int err, const char *why, void *arg)
{
    struct recording *r = arg;

    fprintf(stderr, "sidetone tap record: node %s: %s (%s)\n", r->node->head.name, why ? why : "", err_text(err));
    end(r, CLI_FAILED);
}

static void on_event(const struct ami_message *m, void *arg)
{
    struct recording *r = arg;
    struct text name, value;

    for (size_t i = 0; ami_at(m, i, &name, &value); i++)
        fprintf(r->file, "%.*s: %.*s\r\n", TEXT_ARG(name), TEXT_ARG(value));
    fputs("\r\n", r->file);
    r->events++;
    if (ferror(r->file)) {
        fprintf(stderr, "sidetone tap record: %s: %s\n", r->path, strerror(errno));
        end(r, CLI_FAILED);
    } else if (r->limit && r->events >= r->limit) {
        end(r, CLI_FINE);
    }
}

static void on_closed(void *arg)
{
    struct recording *r = arg;

    loop_stop(r->loop);
}

static int open_session(struct recording *r, const struct log *log)
{
    const struct config_node *n = r->node;
    const struct dialer_options dialing = { .tls = { .ca_file = n->ca, .insecure = n->insecure } };
    const struct ami_options opt = { .node = n->head.name, .url = n->ami, .user = n->ami_user, .secret = secret_reveal(&n->ami_secret),
                                     .events = "on" };
    const struct ami_handlers on = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };
    int err = dialer_new(&r->dialer, r->loop, &dialing);

    return err ? err : ami_open(&r->client, r->loop, r->dialer, &opt, &on, r, log);
}

static int run(struct recording *r, int64_t seconds, const struct log *log)
{
    int err = loop_new(&r->loop, log);

    if (!err)
        err = timer_new(&r->time_up, r->loop, on_end_asked, r);
    if (!err)
        err = loop_signal_new(&r->interrupt, r->loop, SIGINT, on_end_asked, r);
    if (!err)
        err = loop_signal_new(&r->term, r->loop, SIGTERM, on_end_asked, r);
    if (!err)
        err = open_session(r, log);
    if (!err) {
        if (seconds > 0)
            timer_start(r->time_up, seconds * 1000);
        loop_run(r->loop);
    } else {
        fprintf(stderr, "sidetone tap record: %s\n", err_text(err));
        r->code = CLI_FAILED;
    }
    timer_free(r->time_up);
    if (r->interrupt)
        loop_signal_free(r->interrupt);
    if (r->term)
        loop_signal_free(r->term);
    dialer_free(r->dialer);
    loop_free(r->loop);
    return r->code;
}

static int record(struct recording *r, int64_t seconds)
{
    const struct log_sink sink = { .fd = 2, .level = LOG_OFF };
    const struct log log = { .sink = &sink, .module = "tap" };
    char at[32];

    r->file = fopen(r->path, "wxe");
    if (!r->file) {
        fprintf(stderr, "sidetone tap record: %s: %s\n", r->path, errno == EEXIST ? "is there already; a recording never replaces a file" : strerror(errno));
        return CLI_FAILED;
    }
    clock_format(clock_wall_us(), at, sizeof at);
    fprintf(r->file, "; %s, recorded from %s by sidetone " SIDETONE_VERSION "\r\nAsterisk Call Manager/recorded\r\n", r->node->head.name, at);
    r->code = run(r, seconds, &log);
    if (fclose(r->file) != 0) {
        fprintf(stderr, "sidetone tap record: %s: %s\n", r->path, strerror(errno));
        r->code = CLI_FAILED;
    }
    fprintf(stderr, "%" PRIu64 " events in %s\n", r->events, r->path);
    return r->code;
}

/* The one that is named, or the only one that has a tap user. */
static const struct config_node *choose(const struct config *c, const char *name)
{
    const struct config_node *found = NULL;

    for (size_t i = 0; i < c->node_count; i++) {
        const struct config_node *n = &c->nodes[i];

        if (name ? strcmp(n->head.name, name) != 0 : !n->ami || !n->ami_user)
            continue;
        if (found) {
            fprintf(stderr, "sidetone tap record: expected --node NAME, because several nodes have ami_user\n");
            return NULL;
        }
        found = n;
    }
    if (!found || !found->ami || !found->ami_user) {
        fprintf(stderr, "sidetone tap record: no node %s%swith ami and ami_user in %s\n", name ? name : "", name ? " " : "", c->path);
        return NULL;
    }
    return found;
}

int cmd_tap_record(int argc, char **argv)
{
    const char *config_path = NULL, *node = NULL, *seconds_text = NULL, *events_text = NULL, *words[1];
    const struct cli_option options[] = {
        { .name = "node", .takes = "NAME", .help = "the node, if several have ami_user", .value = &node },
        { .name = "seconds", .takes = "N", .help = "end after N seconds", .value = &seconds_text },
        { .name = "count", .takes = "N", .help = "end after N events", .value = &events_text },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration", .value = &config_path },
    };
    const struct cli_syntax syntax = {
        .verb = "tap record", .usage = "FILE [--node NAME] [--seconds N] [--count N]",
        .about = "Writes a node's events into FILE as Asterisk sends them, by a session of its own as the node's ami_user; the daemon need not\n"
                 "run. FILE holds what passed on the calls: numbers, names, variables. It ends when the connection does.",
        .options = options, .option_count = sizeof options / sizeof *options, .words_min = 1, .words_max = 1,
    };
    struct recording r = { 0 };
    struct config *config;
    int64_t seconds = 0, events = 0;
    size_t count;
    int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (seconds_text && (text_to_i64(text_of(seconds_text), &seconds) || seconds < 1 || seconds > SECONDS_MAX))
        return cli_wrong_use("tap record", "--seconds: expected 1 to %d, came \"%s\"", SECONDS_MAX, seconds_text);
    if (events_text && (text_to_i64(text_of(events_text), &events) || events < 1))
        return cli_wrong_use("tap record", "--count: expected a number over 0, came \"%s\"", events_text);
    if (config_load(&config, config_path, 0, problem_print, stderr))
        return CLI_FAILED;
    r.node = choose(config, node);
    r.path = words[0];
    r.limit = (uint64_t)events;
    code = r.node ? record(&r, seconds) : CLI_FAILED;
    config_free(config);
    return code;
}
