/* Child programs: their streams, their end, their group, and what a fence keeps them from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "fail_alloc.h"
#include "net/process.h"
#include "net_help.h"
#include "turn.h"

struct world {
    struct loop *loop;
    struct process *p;
    struct buf out, err;
    bool out_ended, ended, drained;
    int code, signal;
    struct fence *fence;
    char dir[64];
};

static void on_output(struct process *p, struct text bytes, void *arg)
{
    struct world *w = arg;

    (void)p;
    assert_int_equal(buf_add_text(&w->out, bytes), 0);
}

static void on_output_end(struct process *p, void *arg)
{
    (void)p;
    ((struct world *)arg)->out_ended = true;
}

static void on_error(struct process *p, struct text bytes, void *arg)
{
    (void)p;
    buf_add_text(&((struct world *)arg)->err, bytes);
}

static void on_drain(struct process *p, void *arg)
{
    (void)p;
    ((struct world *)arg)->drained = true;
}

static void on_exit_seen(struct process *p, int code, int signum, void *arg)
{
    struct world *w = arg;

    assert_true(process_has_ended(p));
    w->ended = true;
    w->code = code;
    w->signal = signum;
}

static const struct process_handlers handlers = { .on_output = on_output, .on_output_end = on_output_end, .on_error = on_error,
                                                  .on_drain = on_drain, .on_exit = on_exit_seen };
static const char *const plain_env[] = { "PATH=/usr/bin:/bin", NULL };

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->loop = help_loop();
    buf_init(&w->out, 4 << 20);
    buf_init(&w->err, 1 << 20);
    snprintf(w->dir, sizeof w->dir, "/tmp/t_process-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(chmod(w->dir, 0777), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char remove[100];

    process_close(w->p, 0);
    loop_free(w->loop);
    /* Whatever a test started is gone, and none stayed as a zombie. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    fence_free(w->fence);
    buf_free(&w->out);
    buf_free(&w->err);
    snprintf(remove, sizeof remove, "rm -r '%s'", w->dir);
    assert_int_equal(system(remove), 0);
    free(w);
    return 0;
}

static void start_argv(struct world *w, const char *const *argv, const char *cwd)
{
    const struct process_options opt = { .argv = argv, .env = plain_env, .cwd = cwd, .fence = w->fence, .input_max = 100000 };
    const char *step = "";
    const int err = process_start(&w->p, w->loop, &opt, &handlers, w, &step);

    if (err)
        fail_msg("%s: %s", step, err_text(err));
}

static void start(struct world *w, const char *script)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };

    start_argv(w, argv, w->dir);
}

static bool is_over(void *arg)
{
    const struct world *w = arg;

    return w->ended && w->out_ended;
}

static bool is_ended(void *arg)
{
    return ((const struct world *)arg)->ended;
}

static void finish(struct world *w)
{
    assert_true(turn_until(w->loop, is_over, w, 20000));
    turn_for(w->loop, 20); /* standard error has no order */
}

static void again(struct world *w)
{
    w->p = process_close(w->p, 0);
    buf_clear(&w->out);
    buf_clear(&w->err);
    w->out_ended = w->ended = false;
}

static void assert_out(struct world *w, const char *want)
{
    if (!text_eq(buf_text(&w->out), text_of(want)))
        fail_msg("wanted \"%s\", got \"%s\" and \"%s\"", want, buf_cstr(&w->out), buf_cstr(&w->err));
}

static void says_and_ends(void **state)
{
    struct world *w = *state;

    start(w, "echo one; echo two >&2; exit 3");
    finish(w);
    assert_out(w, "one\n");
    assert_true(text_eq(buf_text(&w->err), TEXT("two\n")));
    assert_int_equal(w->code, 3);
    assert_int_equal(w->signal, 0);
    again(w);
    start(w, "kill -9 $$");
    finish(w);
    assert_int_equal(w->code, -1);
    assert_int_equal(w->signal, SIGKILL);
    assert_int_equal(process_signal(w->p, SIGTERM), -ESRCH);
}

static void reads_what_we_write(void **state)
{
    struct world *w = *state;

    start(w, "cat");
    assert_int_equal(process_write(w->p, TEXT("a\n")), 0);
    assert_int_equal(process_write(w->p, TEXT("b\n")), 0);
    process_input_close(w->p);
    assert_int_equal(process_write(w->p, TEXT("c\n")), -EPIPE);
    finish(w);
    assert_out(w, "a\nb\n");
    assert_int_equal(w->code, 0);
}

static bool has_drained(void *arg)
{
    return ((struct world *)arg)->drained;
}

static void input_has_a_ceiling(void **state)
{
    struct world *w = *state;
    char *much = malloc(60000);

    memset(much, 'x', 60000);
    start(w, "sleep 0.3; cat | wc -c");
    assert_int_equal(process_write(w->p, text_make(much, 60000)), 0); /* the pipe holds 64 KiB */
    assert_int_equal(process_write(w->p, text_make(much, 60000)), 0);
    assert_true(process_queued(w->p) > 0);
    assert_int_equal(process_write(w->p, text_make(much, 60000)), -ENOBUFS);
    assert_true(turn_until(w->loop, has_drained, w, 10000));
    assert_int_equal(process_queued(w->p), 0);
    process_input_close(w->p);
    finish(w);
    assert_out(w, "120000\n");
    free(much);
}

static void is_alone(void **state)
{
    struct world *w = *state;
    char want[300];
    struct stat st;

    /* Its own session and group, the directory, exactly our environment, no descriptor beside the three, SIGPIPE at its default. */
    start(w, "[ $(ps -o sid= -o pgid= -p $$ | tr -s ' ' '\\n' | grep -cx $$) = 2 ] && echo leader; pwd; env | grep -v '^_=\\|^PWD=\\|^SHLVL='"
             "; ls /proc/$$/fd | tr '\\n' ' '; grep -q 'SigIgn:.*0000$' /proc/self/status && echo signals");
    finish(w);
    snprintf(want, sizeof want, "leader\n%s\nPATH=/usr/bin:/bin\n0 1 2 signals\n", w->dir);
    if (stat("/bin/ps", &st) == 0 || stat("/usr/bin/ps", &st) == 0)
        assert_out(w, want);
    else
        skip();
}

static void tells_why_not(void **state)
{
    struct world *w = *state;
    const char *const missing[] = { "/nowhere/x", NULL }, *const folder[] = { "/tmp", NULL }, *const fine[] = { "/bin/true", NULL };
    struct process_options opt = { .argv = missing, .env = plain_env };
    const char *step;

    assert_int_equal(process_start(&w->p, w->loop, &opt, &handlers, w, &step), -ENOENT);
    assert_string_equal(step, "exec");
    opt.argv = folder;
    assert_int_equal(process_start(&w->p, w->loop, &opt, &handlers, w, &step), -EACCES);
    opt.argv = fine;
    opt.cwd = "/nowhere";
    assert_int_equal(process_start(&w->p, w->loop, &opt, &handlers, w, &step), -ENOENT);
    assert_string_equal(step, "chdir");
    assert_null(w->p);
}

static bool has_line(void *arg)
{
    return text_find(buf_text(&((struct world *)arg)->out), '\n') >= 0;
}

static void a_group_is_killed_whole(void **state)
{
    struct world *w = *state;
    int64_t child = 0;

    start(w, "trap '' TERM HUP; sleep 1000 & echo $!; wait");
    assert_true(turn_until(w->loop, has_line, w, 10000));
    assert_int_equal(text_to_i64(text_trim(buf_text(&w->out)), &child), 0);
    assert_int_equal(kill((pid_t)child, 0), 0);
    assert_int_equal(process_signal_group(w->p, SIGKILL), 0);
    finish(w); /* the end of output: the sleeper held it */
    assert_int_equal(w->signal, SIGKILL);
}

static void a_background_job_survives_a_good_end(void **state)
{
    struct world *w = *state;
    char path[100];
    struct stat st;

    start(w, "(sleep 0.3; touch done) >/dev/null 2>&1 & exit 0");
    finish(w);
    w->p = process_close(w->p, 0);
    snprintf(path, sizeof path, "%s/done", w->dir);
    for (int i = 0; i < 100 && stat(path, &st) < 0; i++)
        turn_for(w->loop, 50);
    assert_int_equal(stat(path, &st), 0);
}

static void close_without_grace_kills_before_input_ends(void **state)
{
    struct world *w = *state;
    char path[100];
    struct stat st;

    start(w, "echo up; read x; touch read-it");
    assert_true(turn_until(w->loop, has_line, w, 10000));
    w->p = process_close(w->p, 0);
    turn_for(w->loop, 300);
    snprintf(path, sizeof path, "%s/read-it", w->dir);
    assert_int_equal(stat(path, &st), -1);
}

static void close_with_grace_waits(void **state)
{
    struct world *w = *state;
    char path[100];
    struct stat st;

    start(w, "echo up; read x; touch read-it; trap '' PIPE; sleep 1000");
    assert_true(turn_until(w->loop, has_line, w, 10000));
    w->p = process_close(w->p, 300);
    turn_for(w->loop, 1500); /* the teardown then finds no child */
    snprintf(path, sizeof path, "%s/read-it", w->dir);
    assert_int_equal(stat(path, &st), 0);
}

static void a_paused_flood_waits(void **state)
{
    struct world *w = *state;
    size_t seen;

    start(w, "while :; do echo yes yes yes yes yes yes yes yes; done");
    assert_true(turn_until(w->loop, has_line, w, 10000));
    process_pause(w->p);
    seen = w->out.n;
    turn_for(w->loop, 200);
    assert_int_equal(w->out.n, seen);
    process_resume(w->p);
    turn_for(w->loop, 50);
    assert_true(w->out.n > seen);
}

/* ---- fences ---- */

static void fence(struct world *w, const struct fence_options *opt)
{
    char problem[200] = "";

    if (fence_new(&w->fence, opt, problem, sizeof problem))
        fail_msg("%s", problem);
}

static void limits_hold(void **state)
{
    struct world *w = *state;

    fence(w, &(struct fence_options){ .memory_bytes = 512 << 20, .cpu_s = 1, .open_files = 20 });
    start(w, "ulimit -v; ulimit -n; ulimit -t; ulimit -c; while :; do :; done");
    finish(w);
    assert_out(w, "524288\n20\n1\n0\n");
    assert_int_equal(w->signal, SIGXCPU);
}

static void guard_refuses_calls(void **state)
{
    struct world *w = *state;

    fence(w, &(struct fence_options){ .guard = true });
    start(w, "grep NoNewPrivs /proc/self/status | tr -d '\\t'; grep '^Seccomp:' /proc/self/status | tr -d '\\t'; "
             "unshare -m true 2>/dev/null || echo refused; perl -e '$x = syscall(321, 0, 0, 0); print $!+0, \"\\n\"'; (exit 4)");
    finish(w);
#ifdef __x86_64__
    assert_out(w, "NoNewPrivs:1\nSeccomp:2\nrefused\n1\n");
#endif
    assert_int_equal(w->code, 4);
}

static void files_are_guarded(void **state)
{
    struct world *w = *state;
    char allowed[100], script[600];
    const char *const write[] = { allowed };

    if (!fence_landlock_abi())
        skip();
    snprintf(allowed, sizeof allowed, "%s/mine", w->dir);
    assert_int_equal(mkdir(allowed, 0777), 0);
    fence(w, &(struct fence_options){ .read_only = true, .write = write, .write_count = 1 });
    snprintf(script, sizeof script, "echo a > %s/mine/x && cat %s/mine/x; echo b 2>/dev/null > %s/y || echo no; echo c > /dev/null && echo null;"
             "test -r /etc/passwd && head -c 4 /etc/passwd", w->dir, w->dir, w->dir);
    start(w, script);
    finish(w);
    assert_out(w, "a\nno\nnull\nroot");
}

static void reading_can_be_narrowed(void **state)
{
    struct world *w = *state;
    char seen[100], script[400];
    const char *const read[] = { seen };

    if (!fence_landlock_abi())
        skip();
    snprintf(seen, sizeof seen, "%s/seen", w->dir);
    assert_int_equal(mkdir(seen, 0777), 0);
    snprintf(script, sizeof script, "echo s > %s/x; echo h > %s/hidden", seen, w->dir);
    assert_int_equal(system(script), 0);
    fence(w, &(struct fence_options){ .read_only = true, .read = read, .read_count = 1 });
    snprintf(script, sizeof script, "cat %s/x; cat %s/hidden 2>/dev/null || echo no", seen, w->dir);
    start(w, script);
    finish(w);
    assert_out(w, "s\nno\n");
}

static void another_user(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        skip();
    fence(w, &(struct fence_options){ .user = "nobody", .guard = true });
    start(w, "id -un; id -gn; grep CapEff /proc/self/status | tr -d '\\t'");
    finish(w);
    assert_out(w, "nobody\nnogroup\nCapEff:0000000000000000\n");
    assert_int_equal(geteuid(), 0);
}

/* Counted by the kernel for the user: one that nobody else uses. */
static void a_fork_bomb_meets_its_ceiling(void **state)
{
    struct world *w = *state;

    /* Those that ended in an earlier run count until init has reaped them. */
    static const char nobody_there[] = "for i in $(seq 300); do grep -qs '^Uid:[[:space:]]*9[[:space:]]' /proc/[0-9]*/status || exit 0; "
                                       "sleep 0.1; done; exit 1";

    if (geteuid() != 0)
        skip();
    assert_int_equal(system(nobody_there), 0);
    fence(w, &(struct fence_options){ .user = "news", .guard = true, .processes = 12 });
    start(w, "echo begun; i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i+1)); done; echo not stopped");
    /* Its sleeps hold the output: the end of the shell is all that there is to wait for. */
    assert_true(turn_until(w->loop, is_ended, w, 20000));
    assert_int_equal(w->code, 2);
    assert_out(w, "begun\n");
    turn_for(w->loop, 20);
    assert_true(text_find_text(buf_text(&w->err), TEXT("fork")) >= 0);
    (void)process_signal_group(w->p, SIGKILL);
}

static void bad_fences_say_so(void **state)
{
    struct fence *f = NULL;
    char problem[200];
    const char *const nowhere[] = { "/nowhere/at/all" };

    (void)state;
    assert_int_equal(fence_new(&f, &(struct fence_options){ .user = "no-such-user-here" }, problem, sizeof problem), -ENOENT);
    assert_string_equal(problem, "there is no user no-such-user-here");
    assert_int_equal(fence_new(&f, &(struct fence_options){ .processes = 5 }, problem, sizeof problem), -EINVAL);
    assert_string_equal(problem, "a ceiling of processes needs a user of its own, neither root nor the daemon's");
    if (fence_landlock_abi()) {
        assert_int_equal(fence_new(&f, &(struct fence_options){ .read_only = true, .write = nowhere, .write_count = 1 }, problem, sizeof problem),
                         -ENOENT);
        assert_string_equal(problem, "/nowhere/at/all: No such file or directory");
    }
    assert_null(f);
}

static void memory_may_be_short(void **state)
{
    struct world *w = *state;
    const char *const argv[] = { "/bin/true", NULL };
    const struct process_options opt = { .argv = argv, .env = plain_env };

    for (long nth = 1; nth < 50; nth++) {
        int err;

        fail_alloc_at(nth);
        err = process_start(&w->p, w->loop, &opt, &handlers, w, NULL);
        fail_alloc_off();
        if (!err) {
            assert_true(nth > 1);
            return;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(w->p);
    }
    fail_msg("it never passed");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(says_and_ends), TEST(reads_what_we_write), TEST(input_has_a_ceiling), TEST(is_alone), TEST(tells_why_not),
        TEST(a_group_is_killed_whole), TEST(a_background_job_survives_a_good_end), TEST(close_without_grace_kills_before_input_ends),
        TEST(close_with_grace_waits), TEST(a_paused_flood_waits), TEST(limits_hold), TEST(guard_refuses_calls), TEST(files_are_guarded),
        TEST(reading_can_be_narrowed), TEST(another_user), TEST(a_fork_bomb_meets_its_ceiling), TEST(bad_fences_say_so), TEST(memory_may_be_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
