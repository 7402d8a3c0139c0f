/* Plays the demo: a private Asterisk, the daemon as a child, the caller in this process; watches all three and tells. */
#include "app/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/demo_files.h"
#include "app/demo_proof.h"
#include "app/story.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "net/loop.h"
#include "sim/caller.h"
#include "sim/pbx.h"
#include "sim/pbx_ami.h"
#include "store/store.h"

enum {
    DEMO_POLL_MS = 100,
    DEMO_HOLD_US = 500000,         /* facts reach the store within 50 ms; the caller's moments within a frame or two */
    DEMO_LIMIT_MS = 55000,         /* a call takes about 25 s; a demo that hangs is a failed demo */
    DEMO_READY_MS = 10000,
    DEMO_STOP_MS = 8000,
};

struct demo {
    const struct demo_options *opt;
    struct demo_files files;
    struct demo_proof proof;
    struct story *story;
    struct pbx *pbx;
    struct pbx_ami events;
    pid_t daemon;
    struct store_reader *reader;
    int64_t last_fact;
    struct log_sink quiet;
    struct log log;
    struct loop *loop;
    struct timer *poll, *limit;
    struct loop_signal *interrupt;
    struct sim_caller *caller;
    struct caller_step *steps;
    size_t step_count;
    char recording[PATH_MAX];
    int caller_err;
    bool is_measuring, was_interrupted, is_late;
};

extern char **environ;

static int fail(char *problem, const char *otherwise)
{
    fprintf(stderr, "sidetone demo: %s\n", problem ? problem : otherwise);
    free(problem);
    return 1;
}

/* ---- the three that take part ---- */

static int start_pbx(struct demo *d)
{
    char port[32], lookups[32], *problem = NULL;
    const char *const marks[] = { port, lookups, NULL };
    struct pbx_options po = { .dir = d->files.pbx, .dialplan = d->files.dialplan, .marks = marks, .system_name = "demo" };
    int err;

    snprintf(port, sizeof port, "AGI_PORT=%u", d->files.fastagi_port);
    snprintf(lookups, sizeof lookups, "LOOKUPS=%d", DEMO_LOOKUPS);
    if (!pbx_installed(NULL, 0))
        po.root = d->opt->asterisk;
    err = pbx_start(&d->pbx, &po, &problem);
    return err ? fail(problem, err_text(err)) : 0;
}

static int watch_pbx(struct demo *d)
{
    const int64_t deadline = clock_mono_us() + 3000000;
    char login[300];
    int err = pbx_ami_open(&d->events, pbx_ami_port(d->pbx), deadline);

    snprintf(login, sizeof login, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\nEvents: user\r\n\r\n", pbx_ami_user(d->pbx),
             pbx_ami_secret(d->pbx));
    if (!err)
        err = pbx_ami_send(&d->events, text_of(login), deadline);
    return err ? fail(NULL, "cannot log in to the private Asterisk") : 0;
}

static int start_daemon(struct demo *d)
{
    char *const argv[] = { "sidetone", "serve", "--config", d->files.config, NULL };
    posix_spawn_file_actions_t files;
    int err;

    if (setenv("SIDETONE_DEMO_ARI", pbx_ari_password(d->pbx), 1) < 0)
        return fail(NULL, err_text(-errno));
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, d->files.log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    err = posix_spawn(&d->daemon, d->opt->program, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    unsetenv("SIDETONE_DEMO_ARI");
    return err ? fail(NULL, "cannot start the daemon") : 0;
}

/* The daemon says so itself, in its log, once it listens and the application is registered. */
static bool log_has(const struct demo *d, const char *what)
{
    char line[2200];
    FILE *from = fopen(d->files.log, "re");
    bool found = false;

    while (from && !found && fgets(line, sizeof line, from))
        found = strstr(line, what) != NULL;
    if (from)
        fclose(from);
    return found;
}

static void show_log(const struct demo *d)
{
    char line[2200];
    FILE *from = fopen(d->files.log, "re");

    while (from && fgets(line, sizeof line, from))
        fprintf(stderr, "  daemon: %s", line);
    if (from)
        fclose(from);
}

static int await_daemon(struct demo *d)
{
    const int64_t deadline = clock_mono_us() + DEMO_READY_MS * 1000;
    int status;

    while (clock_mono_us() < deadline) {
        if (log_has(d, "event=ready"))
            return 0;
        if (waitpid(d->daemon, &status, WNOHANG) == d->daemon) {
            d->daemon = 0;
            break;
        }
        usleep(20000);
    }
    show_log(d);
    return fail(NULL, "the daemon did not become ready");
}

/* ---- what they tell ---- */

static void on_fact(int64_t id, const struct fact *f, void *arg)
{
    struct demo *d = arg;

    (void)id;
    demo_proof_fact(&d->proof, f);
    if (!d->is_measuring)
        story_fact(d->story, f);
}

static void read_facts(struct demo *d)
{
    if (!d->reader && store_reader_open(&d->reader, d->files.store))
        return;
    if (store_reader_next(d->reader, TEXT(""), &d->last_fact, 10000, on_fact, d) < 0)
        fprintf(stderr, "sidetone demo: cannot read %s\n", d->files.store);
}

/* Asterisk's own stamp ("1795375003.185978"), which is this machine's clock. */
static int64_t event_time(struct text m)
{
    struct text stamp = pbx_ami_header(m, TEXT("Timestamp")), seconds;
    int64_t s, us;

    if (text_cut(&stamp, '.', &seconds) && stamp.n == 6 && text_to_i64(seconds, &s) == 0 && text_to_i64(stamp, &us) == 0)
        return s * 1000000 + us;
    return clock_wall_us();
}

static void tell_event(struct demo *d, struct text m)
{
    const struct text step = pbx_ami_header(m, TEXT("Step")), status = pbx_ami_header(m, TEXT("Status"));
    const struct text name = pbx_ami_header(m, TEXT("CallerName")), reason = pbx_ami_header(m, TEXT("Reason"));
    const int64_t now = event_time(m);

    demo_proof_event(&d->proof, step, status, name, reason);
    if (text_eq(step, TEXT("asked")))
        story_line(d->story, now, "pbx", "the dialplan sees caller \"%.*s\" and SIDETONE_STATUS=%.*s", TEXT_ARG(name),
                   TEXT_ARG(status));
    else if (text_eq(step, TEXT("resumed")))
        story_line(d->story, now, "pbx", "the dialplan goes on at priority %.*s: SIDETONE_STATUS=%.*s, reason %.*s",
                   TEXT_ARG(pbx_ami_header(m, TEXT("At"))), TEXT_ARG(status), TEXT_ARG(reason));
    if (text_eq(step, TEXT("measured")))
        loop_stop(d->loop);
}

static void read_events(struct demo *d)
{
    struct text m;

    while (pbx_ami_read(&d->events, &m, clock_mono_us() + 1000) == 0)
        if (text_eq(pbx_ami_header(m, TEXT("UserEvent")), TEXT("SidetoneDemo")))
            tell_event(d, m);
}

static void on_poll(void *arg)
{
    struct demo *d = arg;

    read_facts(d);
    read_events(d);
    story_tell(d->story, clock_wall_us(), DEMO_HOLD_US);
    timer_start(d->poll, DEMO_POLL_MS);
}

static void on_moment(int64_t wall_us, const char *what, const char *detail, void *arg)
{
    struct demo *d = arg;

    demo_proof_moment(&d->proof, wall_us, what, detail);
    if (strcmp(what, "said-start") == 0)
        story_line(d->story, wall_us, "caller", "> \"%s\"", strncmp(detail, "say ", 4) == 0 ? detail + 4 : detail);
    else if (strcmp(what, "heard-start") == 0)
        story_line(d->story, wall_us, "caller", "hears a voice");
    else if (strcmp(what, "heard-stop") == 0)
        story_line(d->story, wall_us, "caller", "hears silence");
    else if (strcmp(what, "hangup") == 0)
        story_line(d->story, wall_us, "pbx", "hangs up");
    else if (strcmp(what, "failed") == 0)
        story_line(d->story, wall_us, "caller", "gives up: %s", detail);
}

static void on_caller_done(int err, void *arg)
{
    struct demo *d = arg;

    d->caller_err = err;
    loop_stop(d->loop);
}

static void on_limit(void *arg)
{
    struct demo *d = arg;

    d->is_late = true;
    loop_stop(d->loop);
}

static void on_interrupt(void *arg)
{
    struct demo *d = arg;

    d->was_interrupted = true;
    loop_stop(d->loop);
}

/* ---- the call ---- */

static int originate(struct demo *d, const char *channel, const char *exten)
{
    char action[500], answer[2000];
    int err;

    snprintf(action, sizeof action,
             "Action: Originate\r\nChannel: %s\r\nContext: demo\r\nExten: %s\r\nPriority: 1\r\n"
             "CallerID: " DEMO_CALLER_NUMBER "\r\nAsync: true\r\n", channel, exten);
    err = pbx_action(d->pbx, action, answer, sizeof answer, 3000);
    return err || !strstr(answer, "Success") ? -EIO : 0;
}

static int open_caller(struct demo *d)
{
    const struct caller_handlers on = { .on_moment = on_moment, .on_done = on_caller_done };
    struct caller_options co = { .voice = "rms", .record = d->recording };
    struct address at = { .host = "127.0.0.1" };
    char *problem = NULL;
    int err = caller_script_parse("demo", text_of(demo_caller_script), &d->steps, &d->step_count, &problem);

    if (err)
        return fail(problem, "the caller's script");
    co.steps = d->steps;
    co.step_count = d->step_count;
    err = sim_caller_open(&d->caller, d->loop, &at, &co, &on, d, &d->log);
    return err ? fail(NULL, "cannot open the test caller") : 0;
}

static int open_loop(struct demo *d)
{
    int err = loop_new(&d->loop, &d->log);

    if (!err)
        err = timer_new(&d->poll, d->loop, on_poll, d);
    if (!err)
        err = timer_new(&d->limit, d->loop, on_limit, d);
    if (!err)
        err = loop_signal_new(&d->interrupt, d->loop, SIGINT, on_interrupt, d);
    return err ? fail(NULL, err_text(err)) : 0;
}

static int make_call(struct demo *d)
{
    char channel[160], uuid[UUID_TEXT + 1];
    struct address at;
    struct uuid id;

    if (open_caller(d))
        return 1;
    sim_caller_address(d->caller, &at);
    uuid_make(&id);
    uuid_format(&id, uuid);
    snprintf(channel, sizeof channel, "AudioSocket/127.0.0.1:%u/%s", at.port, uuid);
    story_begin(d->story, clock_wall_us());
    story_line(d->story, clock_wall_us(), "pbx", "a call from " DEMO_CALLER_NUMBER " enters the dialplan at 100@demo");
    if (originate(d, channel, "100"))
        return fail(NULL, "the private Asterisk would not make the call");
    timer_start(d->poll, DEMO_POLL_MS);
    timer_start(d->limit, DEMO_LIMIT_MS);
    loop_run(d->loop);
    timer_stop(d->limit);
    return 0;
}

/* Many more look-ups on one channel: the call alone has too few commands for a percentile. */
static void measure(struct demo *d)
{
    on_poll(d);
    story_tell(d->story, 0, 0);
    d->is_measuring = true;
    if (d->is_late || originate(d, "Local/measure@demo/n", "wait") < 0)
        return;
    timer_start(d->limit, 10000);
    loop_run(d->loop);
}

/* ---- the end ---- */

static bool nothing_left(struct demo *d)
{
    char answer[4000];

    for (int i = 0; i < 40; i++) { /* hang-ups take a moment: up to 2 s */
        if (pbx_action(d->pbx, "Action: CoreStatus\r\n", answer, sizeof answer, 2000) == 0 &&
            strstr(answer, "CoreCurrentCalls: 0")) {
            return pbx_action(d->pbx, "Action: Command\r\nCommand: bridge show all\r\n", answer, sizeof answer, 2000) == 0 &&
                   !strstr(answer, "sidetone-b-");
        }
        usleep(50000);
    }
    return false;
}

static bool stop_daemon(struct demo *d)
{
    int status = 0;

    if (d->daemon <= 0)
        return false;
    kill(d->daemon, SIGTERM);
    for (int ms = 0; ms < DEMO_STOP_MS; ms += 20) {
        if (waitpid(d->daemon, &status, WNOHANG) == d->daemon) {
            d->daemon = 0;
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        usleep(20000);
    }
    kill(d->daemon, SIGKILL);
    waitpid(d->daemon, &status, 0);
    d->daemon = 0;
    return false;
}

static void close_all(struct demo *d)
{
    if (d->caller)
        sim_caller_close(d->caller);
    caller_script_free(d->steps, d->step_count);
    timer_free(d->poll);
    timer_free(d->limit);
    if (d->interrupt)
        loop_signal_free(d->interrupt);
    loop_free(d->loop);
    stop_daemon(d);
    pbx_ami_close(&d->events);
    pbx_stop(d->pbx);
    if (d->reader)
        store_reader_close(d->reader);
    story_free(d->story);
}

static int give_up(const struct demo *d)
{
    printf("\nInterrupted. The private Asterisk and the daemon are stopped; what there is of this run: %s\n", d->files.dir);
    return 1;
}

static int conclude(struct demo *d)
{
    const bool clean = nothing_left(d), in_order = stop_daemon(d);
    bool all;

    d->proof.done[STEP_CLEAN] = clean && in_order;
    read_facts(d);
    all = demo_proof_print(&d->proof, stdout) && !d->is_late;
    printf("\nThe call, to listen to (caller left, agent right): %s\n", d->recording);
    printf("Everything else of this run (configuration, dialplan, logs, store): %s\n", d->files.dir);
    if (d->is_late)
        printf("The call did not end within %d s.\n", DEMO_LIMIT_MS / 1000);
    if (!all)
        printf("NOT everything happened. The daemon's log: %s\n", d->files.log);
    return all ? 0 : 1;
}

static int prepare(struct demo *d)
{
    size_t rows;
    char *problem = NULL;
    int err = demo_files_prepare(&d->files, d->opt->share, &problem);

    if (!err)
        err = demo_files_write(&d->files, &problem);
    if (!err)
        err = store_import_csv(d->files.store, "caller_name", d->files.csv, &rows, &problem);
    if (err)
        return fail(problem, err_text(err));
    if (d->opt->record)
        snprintf(d->recording, sizeof d->recording, "%s", d->opt->record);
    else
        snprintf(d->recording, sizeof d->recording, "%s/call.wav", d->files.dir);
    return 0;
}

static int play(struct demo *d)
{
    char *problem = NULL;
    int err = prepare(d);

    if (!err)
        err = start_pbx(d);
    if (!err)
        err = watch_pbx(d);
    if (!err && demo_files_write_config(&d->files, pbx_http_port(d->pbx), pbx_ari_user(d->pbx), &problem))
        err = fail(problem, "cannot write the configuration");
    if (!err)
        err = start_daemon(d);
    if (!err)
        err = await_daemon(d);
    if (!err)
        err = open_loop(d);
    if (err)
        return err;
    printf("One call through a real Asterisk %s (a private instance), a FastAGI look-up, and an agent\n"
           "with no key and no network. The caller is a program that hears and speaks only sound.\n\n", pbx_version(d->pbx));
    err = make_call(d);
    if (err)
        return err;
    if (d->was_interrupted)
        return give_up(d);
    measure(d);
    return d->was_interrupted ? give_up(d) : conclude(d);
}

int demo_run(const struct demo_options *opt)
{
    struct demo *d = calloc(1, sizeof *d);
    int code;

    if (!d || story_new(&d->story, stdout, isatty(STDOUT_FILENO))) {
        free(d);
        return fail(NULL, "not enough memory");
    }
    signal(SIGPIPE, SIG_IGN);
    d->opt = opt;
    d->events.fd = -1;
    d->quiet = (struct log_sink){ .fd = STDERR_FILENO, .level = LOG_ERROR };
    d->log = (struct log){ .sink = &d->quiet, .module = "demo" };
    code = play(d);
    close_all(d);
    free(d);
    return code;
}
