/* `sidetone sim openai` and `sidetone sim deepgram`: a stand-in for a service, until it is told to stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cmd_sim.h"
#include "sim/service.h"

enum { SCRIPT_MAX = 256 * 1024, COUNT_MAX = 1000000 };

static void on_moment(const char *what, struct text detail, void *arg)
{
    (void)arg;
    printf("{\"what\":\"%s\",\"detail\":%.*s}\n", what, TEXT_ARG(detail));
    fflush(stdout);
}

static void on_signal(void *arg)
{
    loop_stop(arg);
}

static int file_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char piece[8192];
    size_t n;
    int err;

    if (!f)
        return -errno;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0 && buf_add(out, piece, n) == 0)
        ;
    err = ferror(f) ? -EIO : out->err;
    fclose(f);
    return err;
}

static void listening_tell(const struct sim_service *s, const struct sim_service_kind *kind, bool is_tls)
{
    const char *scheme = is_tls ? "wss" : "ws";
    struct text rest = text_of(kind->paths), path;
    struct address at;
    char where[96];

    sim_service_address(s, &at);
    address_format(&at, where, sizeof where);
    text_cut(&rest, ' ', &path);
    printf("{\"what\":\"listening\",\"detail\":{\"address\":\"%s\",\"url\":\"%s://%s%.*s\",\"others\":[", where, scheme, where, TEXT_ARG(path));
    for (const char *comma = ""; text_cut(&rest, ' ', &path); comma = ",")
        printf("%s\"%s://%s%.*s\"", comma, scheme, where, TEXT_ARG(path));
    printf("]");
    if (sim_service_http_address(s, &at)) {
        address_format(&at, where, sizeof where);
        printf(",\"http\":\"http%s://%s/v1\"", is_tls ? "s" : "", where);
    }
    printf("}}\n");
    fflush(stdout);
}

static int serve(const struct sim_service_kind *kind, const struct address *at, const struct sim_service_options *opt)
{
    struct log_sink sink = { .fd = 2, .level = LOG_WARN };
    const struct log log = { .sink = &sink, .module = "sim" };
    struct loop_signal *term = NULL, *interrupt = NULL;
    struct sim_service *s = NULL;
    struct loop *l = NULL;
    char *problem = NULL;
    int err = loop_new(&l, &log);

    if (!err)
        err = loop_signal_new(&term, l, SIGTERM, on_signal, l);
    if (!err)
        err = loop_signal_new(&interrupt, l, SIGINT, on_signal, l);
    if (!err)
        err = sim_service_open(&s, l, at, kind, opt, on_moment, NULL, &problem);
    if (err) {
        fprintf(stderr, "sidetone sim %s: %s\n", kind->name, problem ? problem : err_text(err));
    } else {
        listening_tell(s, kind, opt->cert_file != NULL);
        loop_run(l);
    }
    sim_service_close(s);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    loop_free(l);
    free(problem);
    return err ? CLI_FAILED : CLI_FINE;
}

static int faults_list(void)
{
    for (size_t i = 0; sim_fault_name(i); i++)
        puts(sim_fault_name(i));
    return cli_done(CLI_FINE);
}

static int count_read(const char *text, const char *verb, const char *option, unsigned *out)
{
    int64_t n;

    if (text_to_i64(text_of(text), &n) || n < 0 || n > COUNT_MAX)
        return cli_wrong_use(verb, "%s takes a number, came \"%s\"", option, text);
    *out = (unsigned)n;
    return 0;
}

static int script_serve(const struct sim_service_kind *kind, const struct address *at, struct sim_service_options *opt)
{
    struct buf text;
    int code, err = 0;

    buf_init(&text, SCRIPT_MAX);
    if (opt->script_name) {
        err = file_read(opt->script_name, &text);
        opt->script = text.p ? buf_text(&text) : TEXT("");
    }
    if (err)
        fprintf(stderr, "sidetone sim %s: %s: %s\n", kind->name, opt->script_name, err_text(err));
    code = err ? CLI_FAILED : serve(kind, at, opt);
    buf_free(&text);
    return code;
}

static int service_run(const struct sim_service_kind *kind, const char *verb, const char *about, int argc, char **argv)
{
    const char *listen = "127.0.0.1:0", *script = NULL, *fault = "none", *fault_count = "0", *speed = "4", *voice = "slt", *cert = NULL, *key = NULL;
    const char *http = NULL;
    bool lists_faults = false, echoes = false, ok;
    const struct cli_option options[] = {
        { .name = "listen", .takes = "HOST:PORT", .help = "numeric address; port 0 takes a free one (default 127.0.0.1:0)", .value = &listen },
        { .name = "script", .takes = "FILE", .help = "what it says: lines of say TEXT, call NAME {JSON}, fail CODE, hear TEXT", .value = &script },
        { .name = "fault", .takes = "NAME", .help = "how it fails (default none); --faults lists them", .value = &fault },
        { .name = "fault-count", .takes = "N", .help = "how many sessions do, the first ones (default 0: all)", .value = &fault_count },
        { .name = "speed", .takes = "N", .help = "times real time that audio leaves at (default 4)", .value = &speed },
        { .name = "voice", .takes = "NAME", .help = "slt rms awb kal16 kal (default slt)", .value = &voice },
        { .name = "cert", .takes = "FILE", .help = "certificate (PEM): then it serves wss:// and https://", .value = &cert },
        { .name = "key", .takes = "FILE", .help = "the certificate's key (PEM; default: in the same file)", .value = &key },
        { .name = "faults", .help = "lists the faults", .is_set = &lists_faults },
        { .name = "echo", .help = "the caller's own voice is the answer, at once and for ever: for bench call", .is_set = &echoes },
        { .name = "http", .takes = "HOST:PORT", .help = "another port, for chat, speech and transcriptions over HTTP (port 0 takes a free one)", .value = &http },
    };
    const struct cli_syntax syntax = {
        .verb = verb, .usage = "[options]", .about = about, .options = options,
        .option_count = sizeof options / sizeof *options - (kind->accept_http ? 0 : 2), /* the last two are openai's */
    };
    struct sim_service_options opt = { .script_name = NULL };
    struct address at, http_at;
    size_t count;
    int code = cli_read(&syntax, argc, argv, NULL, &count);

    if (code != CLI_GO_ON)
        return code;
    if (lists_faults)
        return faults_list();
    if (address_parse(text_of(listen), &at))
        return cli_wrong_use(verb, "--listen takes HOST:PORT with a numeric host, came \"%s\"", listen);
    if (http && address_parse(text_of(http), &http_at))
        return cli_wrong_use(verb, "--http takes HOST:PORT with a numeric host, came \"%s\"", http);
    opt.http = http ? &http_at : NULL;
    opt.fault = sim_fault_parse(text_of(fault), &ok);
    if (!ok)
        return cli_wrong_use(verb, "no fault \"%s\"; --faults lists them", fault);
    if (count_read(fault_count, verb, "--fault-count", &opt.fault_count) || count_read(speed, verb, "--speed", &opt.speed))
        return CLI_WRONG_USE;
    if (key && !cert)
        return cli_wrong_use(verb, "--key is of no use without --cert");
    opt.voice = voice;
    opt.echoes = echoes;
    opt.cert_file = cert;
    opt.key_file = key;
    opt.script_name = script;
    opt.key = getenv("SIDETONE_SIM_KEY"); /* never an argument: those are seen by everybody */
    return script_serve(kind, &at, &opt);
}

int cmd_sim_openai(int argc, char **argv)
{
    return service_run(&sim_service_openai, "sim openai",
                       "A stand-in for OpenAI's Realtime service, for rehearsals without a key and without a network. An agent finds it\n"
                       "with url = ws://HOST:PORT/v1/realtime. It takes any key, judges what it is sent as the service does, hears with its own\n"
                       "voice detection, and tells each moment as a line of JSON: listening, session, configured, heard, answer, audio, truncated,\n"
                       "deleted, tool, item, complaint, refused, closed. With --http it also serves /v1/chat/completions, /v1/audio/speech,\n"
                       "/v1/audio/transcriptions and /v1/models, and tells: request, answer, spoken, heard, complaint, refused, answered.",
                       argc, argv);
}

int cmd_sim_deepgram(int argc, char **argv)
{
    return service_run(&sim_service_deepgram, "sim deepgram",
                       "A stand-in for Deepgram, for rehearsals without a key and without a network. On one port the Voice Agent\n"
                       "(/v1/agent/converse), streaming transcription (/v1/listen, and Flux at /v2/listen) and speech (/v1/speak). It takes any key,\n"
                       "judges what it is sent by the specification, hears with its own voice detection (what it understands are the script's hear\n"
                       "lines), and tells each moment as a line of JSON: listening, session, configured, heard, answer, audio, tool, injected,\n"
                       "spoken, cleared, complaint, refused, closed.",
                       argc, argv);
}
