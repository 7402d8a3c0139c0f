/* `sidetone sim caller`: one call of the test caller, told line by line. */
#include "cli/cmd_sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "sim/caller.h"

enum { SCRIPT_MAX = 256 * 1024, LINE_BYTES = 4096 };

static const char help[] =
    "usage: sidetone sim caller --listen HOST:PORT --script FILE [options]\n"
    "\n"
    "A caller without a phone: waits for one AudioSocket connection of Asterisk, speaks what the script says, listens, and\n"
    "prints each moment with the wall clock of the very sample: listening, connected, step, said-start, said-stop,\n"
    "heard-start, heard-stop, hangup, failed. Let Asterisk dial it: Originate with Channel: AudioSocket/HOST:PORT/UUID.\n"
    "\n"
    "  --listen HOST:PORT   numeric address; port 0 takes a free one, which \"listening\" tells\n"
    "  --script FILE        one step a line; - reads standard input:\n"
    "                         wait 1500ms               time passes\n"
    "                         wait-speech 10s           until the other side speaks, at most that long\n"
    "                         wait-silence 700ms 20s    until it has been silent that long, at most ...\n"
    "                         say TEXT                  synthesised\n"
    "                         play FILE.wav             mono; relative to the script's folder\n"
    "                         wait-hangup 20s           until the other side ends the call\n"
    "                         hang-up                   so does the script's end\n"
    "  --record FILE.wav    stereo: said left, heard right; begins with the connection\n"
    "  --voice NAME         of say (default rms)\n"
    "  --connect TIME       how long to wait for the connection (default 30s)\n"
    "  --json               one JSON object a line: {\"at_us\":..,\"what\":\"..\",\"detail\":\"..\"}\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 the script was followed to its end, 1 it was not, 2 wrong use.\n";

struct args {
    struct address listen;
    const char *script;
    struct caller_options opt;
    bool has_listen, json;
};

struct run {
    struct loop *loop;
    struct sim_caller *caller;
    bool json, is_done;
    int result;
};

enum { OPT_LISTEN = 256, OPT_SCRIPT, OPT_RECORD, OPT_VOICE, OPT_CONNECT, OPT_JSON, OPT_HELP };

static const struct option options[] = {
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "script", required_argument, NULL, OPT_SCRIPT },
    { "record", required_argument, NULL, OPT_RECORD },
    { "voice", required_argument, NULL, OPT_VOICE },
    { "connect", required_argument, NULL, OPT_CONNECT },
    { "json", no_argument, NULL, OPT_JSON },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "sidetone sim caller: %s%s%s; see --help\n", what, value ? ": " : "", value ? value : "");
    return 2;
}

/* 0, an exit status, or -1 when help was given. */
static int option_take(struct args *a, int which, const char *value)
{
    switch (which) {
    case OPT_LISTEN:
        a->has_listen = true;
        return address_parse(text_of(value), &a->listen) ? wrong("not HOST:PORT with a numeric host", value) : 0;
    case OPT_SCRIPT:
        a->script = value;
        return 0;
    case OPT_RECORD:
        a->opt.record = value;
        return 0;
    case OPT_VOICE:
        a->opt.voice = value;
        return 0;
    case OPT_CONNECT:
        return text_to_ms(text_of(value), &a->opt.connect_ms) || a->opt.connect_ms <= 0 ? wrong("not a time", value) : 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    case OPT_HELP:
        fputs(help, stdout);
        return -1;
    default:
        fputs("see sidetone sim caller --help\n", stderr);
        return 2;
    }
}

static int args_parse(struct args *a, int argc, char **argv)
{
    int which, status = 0;

    optind = 0;
    while (status == 0 && (which = getopt_long(argc, argv, "", options, NULL)) != -1)
        status = option_take(a, which, optarg);
    if (status != 0)
        return status;
    if (optind < argc)
        return wrong("unexpected", argv[optind]);
    if (!a->has_listen || !a->script)
        return wrong("--listen and --script are needed", NULL);
    return 0;
}

static int script_read(const char *path, struct buf *out)
{
    const bool is_input = strcmp(path, "-") == 0;
    FILE *f = is_input ? stdin : fopen(path, "re");
    char piece[8192];
    size_t n;
    int err;

    if (!f)
        return -errno;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0 && buf_add(out, piece, n) == 0)
        ;
    err = ferror(f) ? -EIO : out->err;
    if (!is_input)
        fclose(f);
    return err;
}

static void on_moment(int64_t wall_us, const char *what, const char *detail, void *arg)
{
    const struct run *r = arg;
    char at[32];
    struct buf b;

    if (!r->json) {
        clock_format(wall_us, at, sizeof at);
        printf("%s  %-11s %s\n", at, what, detail);
        fflush(stdout);
        return;
    }
    buf_init(&b, LINE_BYTES * 4);
    buf_addf(&b, "{\"at_us\":%" PRId64 ",\"what\":\"%s\",\"detail\":\"", wall_us, what);
    buf_add_json(&b, text_of(detail));
    buf_addf(&b, "\"}");
    if (buf_cstr(&b))
        puts(b.p);
    buf_free(&b);
    fflush(stdout);
}

static void on_done(int err, void *arg)
{
    struct run *r = arg;

    r->result = err;
    r->is_done = true;
    loop_stop(r->loop);
}

static void on_signal(void *arg)
{
    struct run *r = arg;

    loop_stop(r->loop);
}

static void listening_tell(struct run *r)
{
    struct address at;
    char text[96];

    sim_caller_address(r->caller, &at);
    address_format(&at, text, sizeof text);
    on_moment(clock_wall_us(), "listening", text, r);
}

static int call_run(struct run *r, const struct args *a, const struct log *log)
{
    static const struct caller_handlers on = { .on_moment = on_moment, .on_done = on_done };
    struct loop_signal *term = NULL, *interrupt = NULL;
    int err = loop_signal_new(&term, r->loop, SIGTERM, on_signal, r);

    if (!err)
        err = loop_signal_new(&interrupt, r->loop, SIGINT, on_signal, r);
    if (!err)
        err = sim_caller_open(&r->caller, r->loop, &a->listen, &a->opt, &on, r, log);
    if (err) {
        fprintf(stderr, "sidetone sim caller: cannot begin: %s\n", err_text(err));
    } else {
        listening_tell(r);
        loop_run(r->loop);
        err = r->is_done ? r->result : -EINTR;
        if (err)
            fprintf(stderr, "sidetone sim caller: the script was not followed to its end: %s\n", err_text(err));
    }
    sim_caller_close(r->caller);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    return err;
}

static int run(struct args *a)
{
    const struct log_sink sink = { .fd = 2, .level = LOG_WARN };
    const struct log log = { .sink = &sink, .module = "sim" };
    struct caller_step *steps = NULL;
    struct run r = { .json = a->json };
    char *problem = NULL;
    struct buf script;
    int err;

    buf_init(&script, SCRIPT_MAX);
    err = script_read(a->script, &script);
    if (err) {
        fprintf(stderr, "sidetone sim caller: %s: %s\n", a->script, err_text(err));
    } else if (caller_script_parse(a->script, buf_text(&script), &steps, &a->opt.step_count, &problem) != 0) {
        fprintf(stderr, "sidetone sim caller: %s\n", problem ? problem : "memory is short");
        err = -EINVAL;
    } else {
        a->opt.steps = steps;
        err = loop_new(&r.loop, &log);
    }
    if (!err) {
        err = call_run(&r, a, &log);
        loop_free(r.loop);
    }
    caller_script_free(steps, a->opt.step_count);
    buf_free(&script);
    free(problem);
    return err ? 1 : 0;
}

int cmd_sim_caller(int argc, char **argv)
{
    struct args a = { .has_listen = false };
    const int status = args_parse(&a, argc, argv);

    if (status != 0)
        return status < 0 ? 0 : status;
    return run(&a);
}
