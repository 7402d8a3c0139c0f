/* Hosted scripts: what they see and say, the processes that wait, and scripts that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agi_peer.h"
#include "call/timeline.h"
#include "fail_alloc.h"
#include "net/process.h"
#include "route/routes.h"
#include "turn.h"

#define SEND(t) { .kind = PEER_SEND, .text = t, .line = __LINE__ }
#define EXPECT(t) { .kind = PEER_EXPECT, .text = t, .line = __LINE__ }
#define WAIT(m) { .kind = PEER_WAIT, .ms = m, .line = __LINE__ }
#define QUIET(m) { .kind = PEER_QUIET, .ms = m, .line = __LINE__ }
#define CLOSE { .kind = PEER_CLOSE, .line = __LINE__ }
#define END { .kind = PEER_END, .line = __LINE__ }
#define HEAD "agi_network: yes\nagi_network_script: x?y=1\nagi_request: agi://h/x?y=1\nagi_callerid: 1001\nagi_calleridname: Ada\nagi_uniqueid: 17.1\nagi_threadid: 5\n"
#define ENV HEAD "\n"
#define FAREWELL(status, reason)                                                                                                \
    EXPECT("EXEC MSet \"SIDETONE_STATUS=" status ",SIDETONE_REASON=" reason ",SIDETONE_CALL=17.1\""), SEND("200 result=0\n"), END
/* With a command outstanding: single words. */
#define FAREWELL3(status, reason)                                                                   \
    EXPECT("SET VARIABLE SIDETONE_STATUS \"" status "\""), SEND("200 result=1\n"),                 \
        EXPECT("SET VARIABLE SIDETONE_REASON \"" reason "\""), SEND("200 result=1\n"),             \
        EXPECT("SET VARIABLE SIDETONE_CALL \"17.1\""), SEND("200 result=1\n"), END
#define COUNT(a) (sizeof(a) / sizeof *(a))
/* What pyst2, phpagi and Asterisk::AGI do first. */
#define READ_ENV "while read -r l && [ -n \"$l\" ]; do :; done\n"

struct world {
    struct loop *loop;
    struct script_engine *engine;
    struct routes *routes;
    struct listener *listener;
    struct address at;
    struct log_sink sink;
    struct log log;
    char dir[64], path[128];
    struct agi_peer peer;
    bool peer_done, closed;
    struct hosted_options options;
    char problem[300];
};

static struct world w;
static const char *const env[] = { "PATH=/usr/bin:/bin", "AST_AGI_DIR=/agi", NULL };

static bool publish(void *arg, struct fact *f)
{
    (void)arg;
    fact_free(f);
    return true;
}

static const struct timeline facts = { .publish = publish };

static void on_problem(const char *line, void *arg)
{
    (void)arg;
    snprintf(w.problem, sizeof w.problem, "%s", line);
}

static void script_write(const char *text)
{
    FILE *f = fopen(w.path, "w");

    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s", text);
    assert_int_equal(fchmod(fileno(f), 0755), 0);
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    snprintf(w.dir, sizeof w.dir, "/tmp/t_hosted-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    assert_int_equal(chmod(w.dir, 0777), 0);
    snprintf(w.path, sizeof w.path, "%s/x.agi", w.dir);
    w.sink = (struct log_sink){ .fd = 2, .level = getenv("T_LOG") ? LOG_DEBUG : LOG_OFF };
    w.log = (struct log){ .sink = &w.sink, .module = "test" };
    w.options = (struct hosted_options){ .name = "x", .path = w.path, .env = env, .cwd = w.dir };
    assert_int_equal(loop_new(&w.loop, &w.log), 0);
    return script_engine_new(&w.engine, w.loop, NULL, NULL, &w.log);
}

static void on_closed(void *arg)
{
    (void)arg;
    w.closed = true;
}

static bool is_closed(void *arg)
{
    (void)arg;
    return w.closed;
}

static int teardown(void **state)
{
    char remove[100];

    (void)state;
    if (w.routes) {
        routes_close(w.routes, 0, on_closed, NULL);
        assert_true(turn_until(w.loop, is_closed, NULL, 5000));
    }
    listener_close(w.listener);
    script_engine_free(w.engine);
    loop_free(w.loop);
    /* No child of any test is left, as a zombie or otherwise. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    snprintf(remove, sizeof remove, "rm -r '%s'", w.dir);
    return system(remove);
}

static void host(int64_t deadline_ms)
{
    const struct route_options list[] = { { .name = "x", .deadline_ms = deadline_ms, .script = &w.options } };
    const struct routes_options opt = { .routes = list, .count = 1 };
    const struct address any = { .host = "127.0.0.1" };

    assert_int_equal(routes_open(&w.routes, w.loop, w.engine, &opt, &facts, &w.log, on_problem, NULL), 0);
    assert_int_equal(listener_open(&w.listener, w.loop, &any, &(struct listener_options){ .max_streams = 50 }, routes_accept, w.routes), 0);
    listener_address(w.listener, &w.at);
}

static void on_peer_done(struct agi_peer *p, void *arg)
{
    (void)p;
    (void)arg;
    w.peer_done = true;
}

static bool is_call_over(void *arg)
{
    struct route_figures f;

    (void)arg;
    return w.peer_done && routes_figures(w.routes, 0, &f) && f.active == 0;
}

static void call(const struct peer_step *steps, size_t count)
{
    w.peer_done = false;
    assert_int_equal(peer_start(&w.peer, w.loop, &w.at, steps, count, on_peer_done, NULL), 0);
    if (!turn_until(w.loop, is_call_over, NULL, 20000))
        fail_msg("the call did not end: %s", w.peer.failure);
    if (w.peer.failure[0])
        fail_msg("%s", w.peer.failure);
    peer_free(&w.peer);
}

#define CALL(...)                                                  \
    do {                                                           \
        static const struct peer_step steps_[] = { __VA_ARGS__ };  \
        call(steps_, COUNT(steps_));                               \
    } while (0)

static struct hosted_figures figures(void)
{
    struct hosted_figures f;

    assert_true(routes_hosted(w.routes, 0, &f));
    return f;
}

static const char *content(const char *name)
{
    static char text[4096];
    char path[200];
    FILE *f;
    size_t n = 0;

    snprintf(path, sizeof path, "%s/%s", w.dir, name);
    f = fopen(path, "r");
    if (f) {
        n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
    }
    text[n] = '\0';
    return text;
}

static bool exists(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", w.dir, name);
    return access(path, F_OK) == 0;
}

/* ---- an ordinary call ---- */

static void sees_what_agi_showed(void **state)
{
    (void)state;
    script_write("while read -r l; do echo \"$l\" >> seen; [ -z \"$l\" ] && break; done; echo \"$0|$#|$1|$2|$AST_AGI_DIR|$(pwd)\" > how\n"
                 "echo VERBOSE done; read -r r; echo \"$r\" > reply");
    w.options.request = "x.agi";
    host(5000);
    CALL(SEND(HEAD "agi_arg_1: one\nagi_arg_2: two words\n\n"), EXPECT("VERBOSE done"), SEND("200 result=1\n"), FAREWELL("OK", ""));
    assert_string_equal(content("seen"), "agi_request: x.agi\nagi_callerid: 1001\nagi_calleridname: Ada\nagi_uniqueid: 17.1\nagi_threadid: 5\n"
                                         "agi_arg_1: one\nagi_arg_2: two words\n\n");
    assert_string_equal(content("reply"), "200 result=1\n");
    {
        char want[300];

        snprintf(want, sizeof want, "%s|2|one|two words|/agi|%s\n", w.path, w.dir);
        assert_string_equal(content("how"), want);
    }
}

static void forged_arguments_are_not_taken(void **state)
{
    (void)state;
    script_write(READ_ENV "echo \"$#|$1\" > how");
    host(5000);
    CALL(SEND("agi_network: yes\nagi_network_script: x\nagi_request: agi://h/x\nagi_calleridname: A\nagi_arg_1: forged\nagi_arg_2: too\n"
              "agi_uniqueid: 17.1\nagi_threadid: 5\nagi_arg_1: true\n\n"), FAREWELL("OK", ""));
    assert_string_equal(content("how"), "1|true\n");
}

static void replies_pass_byte_for_byte(void **state)
{
    (void)state;
    script_write(READ_ENV "for c in 'GET VARIABLE X' NONSENSE 'GOSUB a b c' 'EXEC Odd x' ''; do echo \"$c\"; read -r r; echo \"$r\" >> all; done\n"
                 "for i in 1 2 3 4 5 6; do read -r r; echo \"$r\" >> all; done");
    host(5000);
    CALL(SEND(ENV), EXPECT("GET VARIABLE X"), SEND("200 result=1 (a) b)\n"), EXPECT("NONSENSE"),
         SEND("520-Invalid command syntax.  Proper usage follows:\n Usage: <x>\n520 End of proper usage.\n"), EXPECT("GOSUB a b c"),
         SEND("100 result=0 Trying...\n200 result=0 Gosub complete\n"), EXPECT("EXEC Odd x"),
         SEND("200 result=1\n520-Invalid command syntax.  Proper usage follows:\nu\n520 End of proper usage.\n"), EXPECT(""),
         SEND("510 Invalid or unknown command\n"), FAREWELL("OK", ""));
    assert_string_equal(content("all"), "200 result=1 (a) b)\n520-Invalid command syntax.  Proper usage follows:\nUsage: <x>\n"
                                        "520 End of proper usage.\n100 result=0 Trying...\n200 result=0 Gosub complete\n200 result=1\n"
                                        "520-Invalid command syntax.  Proper usage follows:\nu\n520 End of proper usage.\n"
                                        "510 Invalid or unknown command\n");
}

static void lines_written_at_once_go_one_by_one(void **state)
{
    (void)state;
    script_write(READ_ENV "printf 'NOOP 1\\nNOOP 2\\r\\nNOOP 3'");
    host(5000);
    CALL(SEND(ENV), EXPECT("NOOP 1"), QUIET(80), SEND("200 result=0\n"), EXPECT("NOOP 2\r"), QUIET(80), SEND("200 result=0\n"),
         EXPECT("NOOP 3"), SEND("200 result=0\n"), FAREWELL("OK", ""));
}

static void the_exit_status_is_told(void **state)
{
    (void)state;
    script_write(READ_ENV "exit 3");
    host(5000);
    CALL(SEND(ENV), FAREWELL("ERROR", "exit_3"));
    script_write(READ_ENV "kill -SEGV $$");
    CALL(SEND(ENV), FAREWELL("ERROR", "signal_11"));
    script_write("exit 0");
    CALL(SEND(ENV), FAREWELL("OK", ""));
    unlink(w.path);
    CALL(SEND(ENV), FAREWELL("ERROR", "start"));
}

static void a_hangup_is_a_signal_and_no_line(void **state)
{
    (void)state;
    /* a shell's read returns early when its trap runs: then it is asked again */
    script_write(READ_ENV "get() { n=0; until read -r r; do n=$((n + 1)); [ $n -lt 50 ] || return; done; echo \"$r\" >> log; }\n"
                          "trap 'echo hup >> log' HUP; echo WAIT FOR DIGIT -1; get; echo NOOP; get");
    host(5000);
    CALL(SEND(ENV), EXPECT("WAIT FOR DIGIT -1"), SEND("200 result=-1\nHANGUP\n"), EXPECT("NOOP"),
         SEND("511 Command Not Permitted on a dead channel or intercept routine\n"), FAREWELL("HANGUP", "hangup"));
    assert_non_null(strstr(content("log"), "hup\n"));
    assert_non_null(strstr(content("log"), "200 result=-1\n"));
    assert_non_null(strstr(content("log"), "511 Command"));
    assert_null(strstr(content("log"), "HANGUP"));
}

static bool has_file_left(void *arg)
{
    return exists(arg);
}

static void when_asterisk_leaves_the_script_may_tidy_up(void **state)
{
    (void)state;
    script_write(READ_ENV "trap 'sleep 0.2; echo tidy > left; exit' HUP; echo WAIT FOR DIGIT -1; while :; do read -r r || sleep 0.02; done");
    host(5000);
    CALL(SEND(ENV), EXPECT("WAIT FOR DIGIT -1"), CLOSE);
    assert_true(turn_until(w.loop, has_file_left, "left", 5000));
}

/* ---- scripts that mean harm ---- */

static void a_flood_waits_for_replies(void **state)
{
    (void)state;
    script_write(READ_ENV "while :; do echo NOOP; done"); /* and never reads a reply */
    host(700);
    CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), EXPECT("NOOP"), SEND("200 result=0\n"), EXPECT("NOOP"), QUIET(300), WAIT(600),
         FAREWELL3("TIMEOUT", "deadline"));
    assert_int_equal(figures().killed, 1);
}

static void a_long_line_is_refused(void **state)
{
    (void)state;
    script_write(READ_ENV "head -c 20000 /dev/zero | tr '\\0' x; echo; sleep 1000");
    host(5000);
    CALL(SEND(ENV), FAREWELL("ERROR", "line_too_long"));
    script_write(READ_ENV "head -c 20000 /dev/zero | tr '\\0' x; sleep 1000"); /* no end at all */
    CALL(SEND(ENV), FAREWELL("ERROR", "line_too_long"));
    script_write(READ_ENV "echo NOOP; printf 'a\\000b\\n'; sleep 1000");
    CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("ERROR", "nul_byte"));
    script_write(READ_ENV "echo Failure; sleep 1000");
    CALL(SEND(ENV), FAREWELL("ERROR", "failure"));
    assert_int_equal(figures().killed, 4);
}

static void a_line_of_the_largest_size_passes(void **state)
{
    static char line[AGI_LINE_MAX + 1];
    const struct peer_step steps[] = { SEND(ENV), { .kind = PEER_EXPECT, .text = line }, SEND("200 result=0\n"), FAREWELL("OK", "") };

    (void)state;
    memset(line, 'x', AGI_LINE_MAX);
    script_write(READ_ENV "head -c 8190 /dev/zero | tr '\\0' x; echo; read -r r");
    host(5000);
    call(steps, COUNT(steps));
}

static bool is_gone(void *arg)
{
    return kill(*(pid_t *)arg, 0) < 0;
}

static void the_deadline_ends_the_whole_group(void **state)
{
    pid_t child;

    (void)state;
    script_write(READ_ENV "trap '' TERM HUP INT; (trap '' TERM HUP; exec sleep 1000) & echo $! > child; echo NOOP; wait; sleep 1000");
    host(500);
    CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), WAIT(500), FAREWELL("TIMEOUT", "deadline"));
    child = (pid_t)atoi(content("child"));
    assert_true(child > 0);
    /* It ignored SIGTERM: SIGKILL follows within a second. */
    assert_true(turn_until(w.loop, is_gone, &child, 5000) || strstr(content("child"), "?"));
}

static void closed_output_with_a_living_script_ends_at_the_deadline(void **state)
{
    (void)state;
    script_write(READ_ENV "exec >&-; sleep 1000");
    host(400);
    CALL(SEND(ENV), WAIT(400), FAREWELL("TIMEOUT", "deadline"));
    script_write(READ_ENV "echo NOOP; exec >&-; sleep 0.2; exit 7"); /* as under AGI(): its exit is awaited */
    CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("ERROR", "exit_7"));
}

static void a_script_that_reads_nothing_is_left_alone(void **state)
{
    (void)state;
    script_write("sleep 0.3; echo NOOP; exit 0");
    host(5000);
    CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("OK", ""));
}

static void processor_time_is_limited(void **state)
{
    (void)state;
    script_write(READ_ENV "while :; do :; done");
    w.options.fence.cpu_s = 1;
    host(15000);
    CALL(SEND(ENV), WAIT(500), FAREWELL("ERROR", "cpu_seconds"));
}

static void the_fence_holds(void **state)
{
    (void)state;
    if (!fence_landlock_abi())
        skip();
    script_write(READ_ENV "if (echo x > out) 2>/dev/null; then echo NOOP wrote; else echo NOOP refused; fi; read -r r");
    w.options.fence.read_only = true;
    host(5000);
    CALL(SEND(ENV), EXPECT("NOOP refused"), SEND("200 result=0\n"), FAREWELL("OK", ""));
}

static void a_stop_ends_it(void **state)
{
    static const struct peer_step steps[] = { SEND(ENV), EXPECT("NOOP"), FAREWELL3("ERROR", "shutdown") };

    (void)state;
    script_write(READ_ENV "trap '' TERM HUP; echo NOOP; sleep 1000");
    host(60000);
    w.peer_done = false;
    assert_int_equal(peer_start(&w.peer, w.loop, &w.at, steps, COUNT(steps), on_peer_done, NULL), 0);
    turn_for(w.loop, 500);
    routes_close(w.routes, 1, on_closed, NULL);
    assert_true(turn_until(w.loop, is_closed, NULL, 5000));
    if (w.peer.failure[0])
        fail_msg("%s", w.peer.failure);
    w.routes = NULL;
    peer_free(&w.peer);
}

/* ---- processes that wait ---- */

static bool all_are_ready(void *arg)
{
    (void)arg;
    return figures().ready == w.options.warm;
}

#define COUNTED "echo x >> started\n" READ_ENV

static void a_waiting_process_takes_the_call(void **state)
{
    (void)state;
    script_write(COUNTED "echo NOOP; read -r r");
    w.options.warm = 2;
    host(5000);
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    for (int i = 0; i < 5; i++) {
        CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("OK", ""));
        assert_true(turn_until(w.loop, all_are_ready, NULL, 5000)); /* replaced */
    }
    assert_int_equal(figures().warm, 5);
    assert_int_equal(figures().calls, 5);
    assert_int_equal(figures().started, 7);
}

static void waiting_processes_never_run_without_a_call(void **state)
{
    (void)state;
    script_write(READ_ENV "echo ran > without");
    w.options.warm = 3;
    host(5000);
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    turn_for(w.loop, 200);
    routes_close(w.routes, 0, on_closed, NULL);
    assert_true(turn_until(w.loop, is_closed, NULL, 5000));
    w.routes = NULL;
    turn_for(w.loop, 200);
    assert_false(exists("without"));
}

static void other_arguments_start_cold_and_are_learned(void **state)
{
    (void)state;
    script_write(READ_ENV "echo \"NOOP $1\"; read -r r");
    w.options.warm = 1;
    host(5000);
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    for (int i = 0; i < 3; i++)
        CALL(SEND(HEAD "agi_arg_1: a\n\n"), EXPECT("NOOP a"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().cold_args, 3);
    assert_int_equal(figures().warm, 0);
    turn_for(w.loop, 50);
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    CALL(SEND(HEAD "agi_arg_1: a\n\n"), EXPECT("NOOP a"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().warm, 1);
    CALL(SEND(HEAD "agi_arg_1: b\n\n"), EXPECT("NOOP b"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().cold_args, 4);
}

static void named_arguments_are_kept(void **state)
{
    (void)state;
    script_write(READ_ENV "echo \"NOOP $1 $2\"; read -r r");
    w.options.warm = 1;
    w.options.args = "a, b";
    host(5000);
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    for (int i = 0; i < 4; i++)
        CALL(SEND(ENV), EXPECT("NOOP  "), SEND("200 result=0\n"), FAREWELL("OK", ""));
    CALL(SEND(HEAD "agi_arg_1: a\nagi_arg_2: b\n\n"), EXPECT("NOOP a b"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().warm, 1);
    assert_int_equal(figures().cold_args, 4);
}

static void a_script_that_does_not_wait_is_found_out(void **state)
{
    (void)state;
    script_write("echo NOOP early; " READ_ENV "read -r r");
    w.options.warm = 2;
    host(5000);
    turn_for(w.loop, 300);
    CALL(SEND(ENV), EXPECT("NOOP early"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().cold_intolerant, 1);
    assert_int_equal(figures().ready, 0);
    assert_int_equal(figures().warm, 0);
}

static void a_script_that_ends_early_is_found_out(void **state)
{
    (void)state;
    script_write("exit 0");
    w.options.warm = 2;
    host(5000);
    turn_for(w.loop, 300);
    CALL(SEND(ENV), FAREWELL("OK", ""));
    assert_int_equal(figures().cold_intolerant, 1);
    assert_in_range(figures().started, 2, 3);
}

static bool two_have_aged(void *arg)
{
    (void)arg;
    return figures().aged >= 2;
}

static void old_ones_are_replaced(void **state)
{
    (void)state;
    script_write(READ_ENV "echo ran > without");
    w.options.warm = 1;
    w.options.warm_max_age_ms = 200;
    host(5000);
    assert_true(turn_until(w.loop, two_have_aged, NULL, 10000));
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    assert_false(exists("without"));
}

static void a_changed_file_is_started_afresh(void **state)
{
    (void)state;
    script_write(READ_ENV "echo NOOP old; read -r r");
    w.options.warm = 2;
    host(5000);
    assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
    script_write(READ_ENV "echo NOOP newer; read -r r");
    CALL(SEND(ENV), EXPECT("NOOP newer"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().stale, 2);
}

static void a_mute_one_is_not_given_to_a_call(void **state)
{
    (void)state;
    script_write("if [ -e mute ]; then exec >&-; fi\n" READ_ENV "echo NOOP; read -r r");
    {
        char path[200];

        snprintf(path, sizeof path, "%s/mute", w.dir);
        fclose(fopen(path, "w"));
        w.options.warm = 1;
        host(5000);
        assert_true(turn_until(w.loop, all_are_ready, NULL, 5000));
        turn_for(w.loop, 200);
        unlink(path);
    }
    CALL(SEND(ENV), EXPECT("NOOP"), SEND("200 result=0\n"), FAREWELL("OK", ""));
    assert_int_equal(figures().warm, 0);
    assert_int_equal(figures().cold_empty, 1);
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned n = 0;

    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static void standard_error_goes_to_the_log(void **state)
{
    static char text[65536];
    FILE *log = tmpfile();
    size_t n;

    (void)state;
    assert_non_null(log);
    w.sink = (struct log_sink){ .fd = fileno(log), .level = LOG_INFO };
    script_write(READ_ENV "i=0; while [ $i -lt 150 ]; do echo \"oops $i\" >&2; i=$((i+1)); done; sleep 0.2");
    host(5000);
    CALL(SEND(ENV), FAREWELL("OK", ""));
    rewind(log);
    n = fread(text, 1, sizeof text - 1, log);
    text[n] = '\0';
    assert_int_equal(count_of(text, "event=script_stderr route=x call=17.1 line=\"oops "), 100);
    assert_int_equal(count_of(text, "event=script_stderr_dropped route=x call=17.1 lines=50"), 1);
    w.sink.level = LOG_OFF;
    fclose(log);
}

static void a_fence_that_cannot_be_made_stops_the_start(void **state)
{
    const struct route_options list[] = { { .name = "x", .deadline_ms = 100, .script = &w.options } };
    const struct routes_options opt = { .routes = list, .count = 1 };

    (void)state;
    w.options.fence.user = "no-such-user-here";
    assert_int_equal(routes_open(&w.routes, w.loop, w.engine, &opt, &facts, &w.log, on_problem, NULL), -EINVAL);
    assert_string_equal(w.problem, "route x: there is no user no-such-user-here");
}

static void memory_may_be_short_for_a_template(void **state)
{
    struct hosted_pool *pool = NULL;

    (void)state;
    script_write("exit 0\n");
    w.options.fork = true;
    for (long nth = 1; nth < 50; nth++) {
        int err;

        fail_alloc_at(nth);
        err = hosted_pool_open(&pool, w.loop, &w.options, &w.log, on_problem, NULL);
        fail_alloc_off();
        if (!err) {
            assert_true(nth > 3);
            turn_for(w.loop, 20); /* it finds that this is no Python script */
            hosted_pool_close(pool);
            return;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(pool);
    }
    fail_msg("it never passed");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(sees_what_agi_showed), TEST(forged_arguments_are_not_taken), TEST(replies_pass_byte_for_byte),
        TEST(lines_written_at_once_go_one_by_one), TEST(the_exit_status_is_told), TEST(a_hangup_is_a_signal_and_no_line),
        TEST(when_asterisk_leaves_the_script_may_tidy_up), TEST(a_flood_waits_for_replies), TEST(a_long_line_is_refused),
        TEST(a_line_of_the_largest_size_passes), TEST(the_deadline_ends_the_whole_group),
        TEST(closed_output_with_a_living_script_ends_at_the_deadline), TEST(a_script_that_reads_nothing_is_left_alone),
        TEST(processor_time_is_limited), TEST(the_fence_holds), TEST(a_stop_ends_it), TEST(a_waiting_process_takes_the_call),
        TEST(waiting_processes_never_run_without_a_call), TEST(other_arguments_start_cold_and_are_learned), TEST(named_arguments_are_kept),
        TEST(a_script_that_does_not_wait_is_found_out), TEST(a_script_that_ends_early_is_found_out), TEST(old_ones_are_replaced),
        TEST(a_changed_file_is_started_afresh), TEST(a_mute_one_is_not_given_to_a_call), TEST(standard_error_goes_to_the_log),
        TEST(a_fence_that_cannot_be_made_stops_the_start),
        TEST(memory_may_be_short_for_a_template),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
