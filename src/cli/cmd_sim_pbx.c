/* `sidetone sim pbx`: runs a private Asterisk until it is told to stop. */
#include "cli/cmd_sim.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "sim/pbx.h"

enum { LIST_MAX = 32, LINE_MAX_BYTES = 8192 };

static const char help[] =
    "usage: sidetone sim pbx --dir DIR --dialplan FILE [options]\n"
    "\n"
    "Starts an Asterisk of its own: own directory, free ports on 127.0.0.1, random secrets; as nobody when run by root.\n"
    "Prints where to reach it, and runs until SIGTERM, SIGINT or the end of standard input. The directory stays.\n"
    "\n"
    "  --dir DIR             private directory (at most 90 bytes; new, empty, or from an earlier start)\n"
    "  --dialplan FILE       becomes extensions.conf; each @NAME@ in it is replaced by a mark's value\n"
    "  --mark NAME=VALUE     a mark (may be repeated); AMI_PORT HTTP_PORT SIP_PORT DIR and others are set already\n"
    "  --config NAME=FILE    adds FILE to the configuration file NAME.conf (may be repeated)\n"
    "  --root DIR            an Asterisk unpacked by tools/get-asterisk; else $SIDETONE_ASTERISK, else the installed one,\n"
    "                        else build/asterisk\n"
    "  --name NAME           system name, the prefix of its channels' ids (default a)\n"
    "  --ami-port, --http-port, --sip-port PORT\n"
    "                        instead of free ones\n"
    "  --json                one line of JSON\n"
    "  --help                this text\n"
    "\n"
    "Exit status: 0 it was stopped, 1 it could not start or died by itself, 2 wrong use.\n";

struct args {
    struct pbx_options opt;
    const char *marks[LIST_MAX + 1];
    const char *configs[LIST_MAX + 1];
    size_t mark_count, config_count;
    char names[LIST_MAX][256]; /* configs as name.conf=FILE */
    bool json;
};

enum { OPT_DIR = 256, OPT_DIALPLAN, OPT_MARK, OPT_CONFIG, OPT_ROOT, OPT_NAME, OPT_AMI, OPT_HTTP, OPT_SIP, OPT_JSON, OPT_HELP };

static const struct option options[] = {
    { "dir", required_argument, NULL, OPT_DIR },      { "dialplan", required_argument, NULL, OPT_DIALPLAN },
    { "mark", required_argument, NULL, OPT_MARK },    { "config", required_argument, NULL, OPT_CONFIG },
    { "root", required_argument, NULL, OPT_ROOT },    { "name", required_argument, NULL, OPT_NAME },
    { "ami-port", required_argument, NULL, OPT_AMI }, { "http-port", required_argument, NULL, OPT_HTTP },
    { "sip-port", required_argument, NULL, OPT_SIP }, { "json", no_argument, NULL, OPT_JSON },
    { "help", no_argument, NULL, OPT_HELP },          { NULL, 0, NULL, 0 },
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "sidetone sim pbx: %s%s%s; see --help\n", what, value ? ": " : "", value ? value : "");
    return 2;
}

static int port_parse(const char *value, uint16_t *out)
{
    int64_t n;

    if (text_to_i64(text_of(value), &n) < 0 || n < 1 || n > 65535)
        return wrong("not a port", value);
    *out = (uint16_t)n;
    return 0;
}

static int config_add(struct args *a, const char *value)
{
    const struct text name = text_head(text_of(value), strcspn(value, "="));
    char *slot = a->names[a->config_count];
    int n;

    if (a->config_count == LIST_MAX || value[name.n] != '=')
        return wrong("not NAME=FILE, or too many", value);
    n = snprintf(slot, sizeof a->names[0], "%.*s%s%s", TEXT_ARG(name), text_ends(name, TEXT(".conf")) ? "" : ".conf",
                 value + name.n);
    if (n >= (int)sizeof a->names[0])
        return wrong("too long", value);
    a->configs[a->config_count++] = slot;
    return 0;
}

static int mark_add(struct args *a, const char *value)
{
    if (a->mark_count == LIST_MAX)
        return wrong("too many marks", NULL);
    a->marks[a->mark_count++] = value;
    return 0;
}

/* 0, an exit status, or -1 when help was given. */
static int option_take(struct args *a, int which, const char *value)
{
    switch (which) {
    case OPT_DIR:
        a->opt.dir = value;
        return 0;
    case OPT_DIALPLAN:
        a->opt.dialplan = value;
        return 0;
    case OPT_MARK:
        return mark_add(a, value);
    case OPT_CONFIG:
        return config_add(a, value);
    case OPT_ROOT:
        a->opt.root = value;
        return 0;
    case OPT_NAME:
        a->opt.system_name = value;
        return 0;
    case OPT_AMI:
        return port_parse(value, &a->opt.ami_port);
    case OPT_HTTP:
        return port_parse(value, &a->opt.http_port);
    case OPT_SIP:
        return port_parse(value, &a->opt.sip_port);
    case OPT_JSON:
        a->json = true;
        return 0;
    case OPT_HELP:
        fputs(help, stdout);
        return -1;
    default:
        fputs("see sidetone sim pbx --help\n", stderr);
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
    if (!a->opt.dir || !a->opt.dialplan)
        return wrong("--dir and --dialplan are needed", NULL);
    a->opt.marks = a->marks;
    a->opt.configs = a->configs;
    return 0;
}

static void root_default(struct pbx_options *opt)
{
    const char *env = getenv("SIDETONE_ASTERISK");
    char version[64];

    if (opt->root)
        return;
    if (env && *env)
        opt->root = env;
    else if (!pbx_installed(version, sizeof version) && access("build/asterisk/.complete", F_OK) == 0)
        opt->root = "build/asterisk";
}

static void put(struct buf *b, const char *key, const char *value)
{
    buf_addf(b, "%s\"%s\":\"", b->n > 1 ? "," : "", key);
    buf_add_json(b, text_of(value));
    buf_add_char(b, '"');
}

static void print_json(const struct pbx *p, const struct args *a)
{
    char dir[LINE_MAX_BYTES / 2];
    struct buf b;

    buf_init(&b, LINE_MAX_BYTES);
    buf_add_char(&b, '{');
    put(&b, "version", pbx_version(p));
    put(&b, "dir", realpath(a->opt.dir, dir) ? dir : a->opt.dir);
    put(&b, "ami_user", pbx_ami_user(p));
    put(&b, "ami_secret", pbx_ami_secret(p));
    put(&b, "ari_user", pbx_ari_user(p));
    put(&b, "ari_password", pbx_ari_password(p));
    buf_addf(&b, ",\"ami_port\":%u,\"http_port\":%u,\"sip_port\":%u,\"pid\":%ld}", pbx_ami_port(p), pbx_http_port(p),
             pbx_sip_port(p), (long)pbx_pid(p));
    puts(buf_cstr(&b) ? b.p : "{}");
    buf_free(&b);
    fflush(stdout);
}

static void print_plain(const struct pbx *p, const struct args *a)
{
    printf("Asterisk %s runs in %s (process %ld)\n", pbx_version(p), a->opt.dir, (long)pbx_pid(p));
    printf("  AMI   127.0.0.1:%-5u  user %s, secret in %s/etc/manager.conf\n", pbx_ami_port(p), pbx_ami_user(p), a->opt.dir);
    printf("  ARI   127.0.0.1:%-5u  user %s, password in %s/etc/ari.conf\n", pbx_http_port(p), pbx_ari_user(p), a->opt.dir);
    printf("  SIP   127.0.0.1:%-5u  any caller, context sip\n", pbx_sip_port(p));
    printf("  log   %s/log/full.log\nCtrl-C stops it.\n", a->opt.dir);
    fflush(stdout);
}

/* A character device such as /dev/null or the terminal is always readable or never ends: only pipes and sockets end us. */
static bool input_matters(void)
{
    struct stat st;

    return fstat(STDIN_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* True when Asterisk died by itself. */
static bool wait_for_end(int signals, pid_t pid)
{
    struct pollfd p[3] = { { .fd = signals, .events = POLLIN },
                           { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN },
                           { .fd = input_matters() ? STDIN_FILENO : -1, .events = POLLIN } };
    bool died = false;
    char waste[256];

    for (;;) {
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            break;
        died = p[1].revents != 0;
        if (p[0].revents || died)
            break;
        if (p[2].revents && read(STDIN_FILENO, waste, sizeof waste) <= 0)
            break;
    }
    if (p[1].fd >= 0)
        close(p[1].fd);
    return died;
}

static int run(struct args *a)
{
    char *problem = NULL;
    struct pbx *p = NULL;
    sigset_t ends;
    bool died;
    int signals, err;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signals = signalfd(-1, &ends, SFD_CLOEXEC);
    root_default(&a->opt);
    err = signals < 0 ? -errno : pbx_start(&p, &a->opt, &problem);
    if (err) {
        fprintf(stderr, "sidetone sim pbx: %s\n", problem ? problem : err_text(err));
        free(problem);
        return 1;
    }
    if (a->json)
        print_json(p, a);
    else
        print_plain(p, a);
    died = wait_for_end(signals, pbx_pid(p));
    pbx_stop(p);
    close(signals);
    if (died)
        fprintf(stderr, "sidetone sim pbx: Asterisk ended by itself; see %s/log\n", a->opt.dir);
    return died;
}

int cmd_sim_pbx(int argc, char **argv)
{
    struct args a = { .json = false };
    const int status = args_parse(&a, argc, argv);

    if (status != 0)
        return status < 0 ? 0 : status;
    return run(&a);
}
