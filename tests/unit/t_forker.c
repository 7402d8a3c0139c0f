/* Templates: copies, what a template may do wrong at each step, and that nothing stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "fail_alloc.h"
#include "net/forker.h"
#include "net_help.h"
#include "turn.h"

/* One call. */
struct copy {
    struct process *p;
    struct buf out;
    bool out_ended, ended, unstarted;
    int code, signal;
};

enum { COPIES_MAX = 40 };

struct world {
    struct loop *loop;
    struct forker *f;
    bool ready, is_over;
    enum forker_end end;
    char why[100];
    struct copy copies[COPIES_MAX];
};

/* A template in a few lines of Python, with os.fork in place of the bare call: a copy is then the template's child, and its parent's parent
 * may not take it. So it is made with the real call. What each test does wrong is a variable of its own. */
static const char template_text[] =
    "import ctypes, os, signal, socket, sys, time\n"
    "mode = sys.argv[1]\n"
    "c = ctypes.PyDLL(None)\n"
    "c.syscall.restype = ctypes.c_long\n"
    "s = socket.socket(fileno=3)\n"
    "def copy():\n"
    "    c.PyOS_BeforeFork()\n"
    "    pid = c.syscall(ctypes.c_long(int(sys.argv[2])), ctypes.c_ulong(0x8000 | 17), None, None, None, None)\n"
    "    c.PyOS_AfterFork_Parent() if pid else c.PyOS_AfterFork_Child()\n"
    "    return pid\n"
    "if mode == 'never': time.sleep(100)\n"
    "if mode == 'exits': os._exit(4)\n"
    "if mode == 'unfit':\n"
    "    s.send(b'Xnot for me')\n"
    "    os._exit(0)\n"
    "if mode == 'prints': os.write(1, b'hello')\n"
    "if mode == 'stranger' and copy() == 0:\n"
    "    s.send(b'R')\n"
    "    os._exit(0)\n"
    "if mode == 'other child' and os.fork() == 0:\n"
    "    s.recv(9000)\n"
    "    s.send(b'H1')\n"
    "    os._exit(0)\n"
    "s.send({'nonsense': b'Q', 'empty': b'H'}.get(mode, b'R'))\n"
    "if mode in ('stranger', 'other child'): time.sleep(100)\n"
    "n = 0\n"
    "while True:\n"
    "    data, fds, _, _ = socket.recv_fds(s, 40000, 3)\n"
    "    if not data:\n"
    "        os._exit(0)\n"
    "    n += 1\n"
    "    number, _, rest = data.partition(b'\\n')\n"
    "    args = rest.split(b'\\0')[:-1]\n"
    "    if mode == 'dies': os._exit(5)\n"
    "    if mode == 'hangs': time.sleep(100)\n"
    "    if mode == 'stale': s.send(b'Cit changed'); os._exit(0)\n"
    "    if mode == 'refuses' and n == 1:\n"
    "        s.send(b'N' + number + b'\\nno room')\n"
    "    elif mode == 'itself': s.send(b'H' + number)\n"
    "    elif mode == 'wrong id': s.send(b'N77\\n')\n"
    "    elif copy() == 0:\n"
    "        if mode == 'copy dies': os._exit(6)\n"
    "        if mode == 'copy is late': time.sleep(0.2)\n"
    "        s.send(b'H' + number)\n"
    "        os.setsid()\n"
    "        for i in range(3): os.dup2(fds[i], i)\n"
    "        for fd in fds: os.close(fd)\n"
    "        s.close()\n"
    "        for line in sys.stdin: os.write(1, b' '.join(args) + b':' + line.encode())\n"
    "        if args and args[0] == b'sleep': time.sleep(100)\n"
    "        os._exit(len(args))\n"
    "    if mode == 'one and out': os._exit(0)\n"
    "    for fd in fds: os.close(fd)\n";

static void on_output(struct process *p, struct text bytes, void *arg)
{
    (void)p;
    assert_int_equal(buf_add_text(&((struct copy *)arg)->out, bytes), 0);
}

static void on_output_end(struct process *p, void *arg)
{
    (void)p;
    ((struct copy *)arg)->out_ended = true;
}

static void on_exit_seen(struct process *p, int code, int signum, void *arg)
{
    struct copy *c = arg;

    assert_true(process_has_ended(p));
    assert_false(c->ended);
    c->ended = true;
    c->code = code;
    c->signal = signum;
}

static void on_unstarted(struct process *p, void *arg)
{
    struct copy *c = arg;

    assert_int_equal(process_id(p), 0);
    assert_false(c->unstarted);
    c->unstarted = true;
}

static const struct process_handlers copy_handlers = { .on_output = on_output, .on_output_end = on_output_end, .on_exit = on_exit_seen,
                                                       .on_unstarted = on_unstarted };

static void on_ready(struct forker *f, void *arg)
{
    assert_true(forker_is_ready(f));
    ((struct world *)arg)->ready = true;
}

static void on_end(struct forker *f, enum forker_end end, struct text why, void *arg)
{
    struct world *w = arg;

    assert_false(forker_is_ready(f));
    assert_false(w->is_over);
    w->is_over = true;
    w->end = end;
    (void)text_copy(w->why, sizeof w->why, why);
    w->f = forker_close(f);
}

static const struct forker_handlers handlers = { .on_ready = on_ready, .on_end = on_end };

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->loop = help_loop();
    for (int i = 0; i < COPIES_MAX; i++)
        buf_init(&w->copies[i].out, 1 << 16);
    *state = w;
    return access("/usr/bin/python3", X_OK);
}

static int teardown(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < COPIES_MAX; i++)
        process_close(w->copies[i].p, 0);
    forker_close(w->f);
    loop_free(w->loop);
    /* Neither template nor copy is left, and none stayed as a zombie. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    for (int i = 0; i < COPIES_MAX; i++)
        buf_free(&w->copies[i].out);
    free(w);
    return 0;
}

static int open_it(struct world *w, const char *mode, int64_t ready_ms, int64_t answer_ms)
{
    static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
    char number[16];
    const char *const argv[] = { "/usr/bin/python3", "-", mode, number, "0", NULL };
    const struct forker_options opt = { .program = { .argv = argv, .env = env, .death_signal = SIGKILL },
                                        .text = text_make(template_text, sizeof template_text - 1),
                                        .ready_ms = ready_ms,
                                        .answer_ms = answer_ms };
    const char *step;

    snprintf(number, sizeof number, "%d", (int)SYS_clone);
    return forker_open(&w->f, w->loop, &opt, &handlers, w, &step);
}

static bool is_ready(void *arg)
{
    return ((struct world *)arg)->ready;
}

static bool is_over(void *arg)
{
    return ((struct world *)arg)->is_over;
}

static void begin(struct world *w, const char *mode)
{
    assert_int_equal(open_it(w, mode, 0, 0), 0);
    assert_int_equal(forker_fork(w->f, &w->copies[0].p, TEXT(""), &copy_handlers, &w->copies[0]), -EAGAIN); /* not yet */
    assert_true(turn_until(w->loop, is_ready, w, 20000));
}

static struct copy *ask(struct world *w, int i, struct text args)
{
    struct copy *c = &w->copies[i];

    assert_int_equal(forker_fork(w->f, &c->p, args, &copy_handlers, c), 0);
    assert_int_equal(process_id(c->p), 0);
    return c;
}

static bool is_copy_done(void *arg)
{
    const struct copy *c = arg;

    return c->unstarted || (c->ended && c->out_ended);
}

static void finish(struct world *w, struct copy *c)
{
    assert_true(turn_until(w->loop, is_copy_done, c, 20000));
}

static void over(struct world *w, enum forker_end end, const char *why)
{
    assert_true(turn_until(w->loop, is_over, w, 20000));
    assert_string_equal(w->why, why);
    assert_int_equal(w->end, end);
}

#define ARGS(t) text_make(t, sizeof(t)) /* with the last NUL */

static void copies_speak_and_end(void **state)
{
    struct world *w = *state;

    begin(w, "good");
    for (int i = 0; i < COPIES_MAX; i++)
        assert_int_equal(process_write(ask(w, i, i % 2 ? ARGS("a\0b c") : TEXT(""))->p, TEXT("x\n")), 0);
    for (int i = 0; i < COPIES_MAX; i++)
        process_input_close(w->copies[i].p);
    for (int i = 0; i < COPIES_MAX; i++) {
        struct copy *c = &w->copies[i];

        finish(w, c);
        assert_true(text_eq(buf_text(&c->out), i % 2 ? TEXT("a b c:x\n") : TEXT(":x\n")));
        assert_int_equal(c->code, i % 2 ? 2 : 0);
        assert_int_equal(c->signal, 0);
        assert_true(process_id(c->p) > 0);
    }
    assert_false(w->is_over);
}

static void signals_wait_for_the_copy(void **state)
{
    struct world *w = *state;
    struct copy *c;

    begin(w, "copy is late");
    c = ask(w, 0, TEXT(""));
    assert_int_equal(process_signal(c->p, SIGTERM), 0);
    finish(w, c);
    assert_int_equal(c->signal, SIGTERM);
    c = ask(w, 1, TEXT(""));
    assert_int_equal(process_signal_group(c->p, SIGKILL), 0);
    assert_int_equal(process_signal(c->p, SIGTERM), 0); /* does not weaken it */
    finish(w, c);
    assert_int_equal(c->signal, SIGKILL);
    for (int i = 0; i < 2; i++)
        w->copies[i].p = process_close(w->copies[i].p, 0);
    /* Closed before it is there: at once, and after a while. */
    c = ask(w, 2, ARGS("sleep"));
    c->p = process_close(c->p, 0);
    c = ask(w, 3, ARGS("sleep"));
    c->p = process_close(c->p, 50);
    turn_for(w->loop, 600);
    assert_false(w->copies[2].ended || w->copies[3].ended); /* nobody is told */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);         /* the template alone is left, and it lives */
    assert_false(w->is_over);
}

static void closing_answers_what_was_asked(void **state)
{
    struct world *w = *state;

    begin(w, "copy is late");
    for (int i = 0; i < 3; i++)
        process_input_close(ask(w, i, TEXT(""))->p);
    w->f = forker_close(w->f);
    for (int i = 0; i < 3; i++) {
        finish(w, &w->copies[i]);
        assert_true(w->copies[i].ended);
    }
    assert_false(w->is_over);
}

static void copies_outlive_their_template(void **state)
{
    struct world *w = *state;
    struct copy *c;

    begin(w, "one and out");
    c = ask(w, 0, ARGS("a"));
    over(w, FORKER_BROKEN, "it ended with status 0");
    turn_for(w->loop, 50);
    assert_false(c->ended || c->unstarted);
    assert_int_equal(process_write(c->p, TEXT("still\n")), 0);
    process_input_close(c->p);
    finish(w, c);
    assert_true(text_eq(buf_text(&c->out), TEXT("a:still\n")));
    assert_int_equal(c->code, 1);
}

/* What has not begun is told once, and may be started as a process behind the same pipes. */
static void a_dead_template_leaves_its_requests(void **state)
{
    static const char *const modes[] = { "dies", "stale", "itself", "wrong id" };
    static const char *const why[] = { "it ended with status 5", "it changed", "it talks nonsense", "it talks nonsense" };
    static const char *const argv[] = { "/bin/cat", NULL };
    static const char *const env[] = { NULL };
    const struct process_options cat = { .argv = argv, .env = env };
    struct world *w = *state;

    for (int i = 0; i < 4; i++) {
        struct copy *c;

        w->ready = w->is_over = false;
        begin(w, modes[i]);
        c = ask(w, i, TEXT(""));
        assert_int_equal(process_write(c->p, TEXT("kept\n")), 0);
        over(w, i == 1 ? FORKER_STALE : FORKER_BROKEN, why[i]);
        finish(w, c);
        assert_true(c->unstarted && !c->ended);
        c->unstarted = false;
        assert_int_equal(process_launch(c->p, &cat, NULL), 0);
        process_input_close(c->p);
        finish(w, c);
        assert_true(text_eq(buf_text(&c->out), TEXT("kept\n")));
        assert_int_equal(c->code, 0);
    }
}

static void a_refused_request_is_told(void **state)
{
    struct world *w = *state;
    struct copy *c;

    begin(w, "refuses");
    c = ask(w, 0, TEXT(""));
    finish(w, c);
    assert_true(c->unstarted);
    c = ask(w, 1, TEXT(""));
    process_input_close(c->p);
    finish(w, c);
    assert_true(c->ended);
}

/* It died between its making and its first word: the template looks as if it hung. */
static void a_copy_that_dies_at_once_is_reaped(void **state)
{
    struct world *w = *state;
    struct copy *c;

    assert_int_equal(open_it(w, "copy dies", 0, 300), 0);
    assert_true(turn_until(w->loop, is_ready, w, 20000));
    c = ask(w, 0, TEXT(""));
    over(w, FORKER_BROKEN, "it hangs");
    finish(w, c);
    assert_true(c->unstarted);
}

static void a_template_that_hangs_is_killed(void **state)
{
    struct world *w = *state;

    assert_int_equal(open_it(w, "never", 100, 0), 0);
    over(w, FORKER_BROKEN, "it was not ready in time");
    w->is_over = false;
    assert_int_equal(open_it(w, "hangs", 0, 100), 0);
    assert_true(turn_until(w->loop, is_ready, w, 20000));
    turn_for(w->loop, 300); /* nothing is owed: nothing happens */
    assert_false(w->is_over);
    ask(w, 0, TEXT(""));
    over(w, FORKER_BROKEN, "it hangs");
    finish(w, &w->copies[0]);
    assert_true(w->copies[0].unstarted);
}

static void nonsense_ends_it(void **state)
{
    static const struct {
        const char *mode, *why;
        enum forker_end end;
    } cases[] = {
        { "exits", "it ended with status 4", FORKER_BROKEN }, { "unfit", "not for me", FORKER_UNFIT },
        { "prints", "what it loads writes to standard output", FORKER_UNFIT }, { "nonsense", "it talks nonsense", FORKER_BROKEN },
        { "empty", "it talks nonsense", FORKER_BROKEN }, { "stranger", "it talks nonsense", FORKER_BROKEN },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w->is_over = false;
        assert_int_equal(open_it(w, cases[i].mode, 0, 0), 0);
        over(w, cases[i].end, cases[i].why);
    }
}

/* A sender that is no child of ours is not taken for a copy, whatever it says. */
static void a_grandchild_is_no_copy(void **state)
{
    struct world *w = *state;

    begin(w, "other child");
    ask(w, 0, TEXT(""));
    over(w, FORKER_BROKEN, "it talks nonsense");
    finish(w, &w->copies[0]);
    assert_true(w->copies[0].unstarted);
}

static void too_many_are_refused(void **state)
{
    struct world *w = *state;
    struct process *all[600];
    int n = 0, err = 0;

    begin(w, "hangs");
    while (n < 600 && (err = forker_fork(w->f, &all[n], TEXT(""), &(struct process_handlers){ .on_exit = NULL }, NULL)) == 0)
        n++;
    assert_int_equal(err, -EAGAIN);
    assert_in_range(n, 20, 256);
    for (int i = 0; i < n; i++)
        process_close(all[i], 0);
}

static void memory_may_be_short(void **state)
{
    struct world *w = *state;

    for (long nth = 1; nth < 100; nth++) {
        int err;

        fail_alloc_at(nth);
        err = open_it(w, "good", 0, 0);
        fail_alloc_off();
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_null(w->f);
    }
    assert_true(turn_until(w->loop, is_ready, w, 20000));
    for (long nth = 1; nth < 100; nth++) {
        struct copy *c = &w->copies[0];
        int err;

        fail_alloc_at(nth);
        err = forker_fork(w->f, &c->p, ARGS("a"), &copy_handlers, c);
        fail_alloc_off();
        if (!err) {
            assert_true(nth > 1);
            process_input_close(c->p);
            finish(w, c);
            assert_int_equal(c->code, 1);
            return;
        }
        assert_int_equal(err, -ENOMEM);
    }
    fail_msg("it never passed");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(copies_speak_and_end), TEST(signals_wait_for_the_copy), TEST(closing_answers_what_was_asked),
        TEST(copies_outlive_their_template), TEST(a_dead_template_leaves_its_requests), TEST(a_refused_request_is_told),
        TEST(a_copy_that_dies_at_once_is_reaped), TEST(a_template_that_hangs_is_killed), TEST(nonsense_ends_it), TEST(a_grandchild_is_no_copy),
        TEST(too_many_are_refused), TEST(memory_may_be_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
