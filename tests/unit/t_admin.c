/* The admin socket: who may enter, one line in, one line out, deadlines, and ends at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/admin.h"
#include "fail_alloc.h"
#include "turn.h"

struct world {
    char dir[64], path[108];
    struct log_sink sink;
    struct log log;
    struct loop *loop;
    struct admin *admin;
    struct admin_request *held;     /* by the verb "hold" */
    unsigned over, late;
    struct asker {
        pthread_t thread;
        const char *line;
        int64_t timeout_ms;
        char *answer;
        int err;
        atomic_bool done;
    } asker[ADMIN_CLIENTS_MAX + 4];
    unsigned askers;
};

static struct world w;

static void begin_echo(struct admin_request *q, struct text args, void *arg)
{
    char out[200];

    assert_ptr_equal(arg, &w);
    snprintf(out, sizeof out, "{\"args\":\"%.*s\"}", TEXT_ARG(args));
    admin_context(q, &w);
    admin_answer(q, text_of(out));
    admin_answer(q, TEXT("{\"second\":1}")); /* the first counts */
}

static void begin_hold(struct admin_request *q, struct text args, void *arg)
{
    (void)args;
    (void)arg;
    w.held = q;
    admin_context(q, &w);
}

static void on_late(struct admin_request *q, void *context)
{
    assert_ptr_equal(context, &w);
    w.late++;
    admin_answer(q, TEXT("{\"late\":true}"));
}

static void on_over(void *context)
{
    assert_ptr_equal(context, &w);
    w.held = NULL;
    w.over++;
}

static const struct admin_verb verbs[] = {
    { .name = "echo", .begin = begin_echo, .over = on_over, .arg = &w },
    { .name = "hold", .begin = begin_hold, .late = on_late, .over = on_over, .arg = &w },
    { .name = "mute", .begin = begin_hold, .over = on_over, .arg = &w },
};

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    snprintf(w.dir, sizeof w.dir, "/tmp/sidetone-admin-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    snprintf(w.path, sizeof w.path, "%s/admin.sock", w.dir);
    w.sink = (struct log_sink){ .fd = 2, .level = LOG_OFF };
    w.log = (struct log){ .sink = &w.sink, .module = "test" };
    assert_int_equal(loop_new(&w.loop, &w.log), 0);
    return admin_open(&w.admin, w.loop, w.path, verbs, 3, &w.log);
}

static int teardown(void **state)
{
    (void)state;
    admin_close(w.admin);
    for (unsigned i = 0; i < w.askers; i++) {
        pthread_join(w.asker[i].thread, NULL);
        free(w.asker[i].answer);
    }
    loop_free(w.loop);
    unlink(w.path);
    return rmdir(w.dir);
}

static void *ask(void *arg)
{
    struct asker *a = arg;

    a->err = admin_ask(w.path, text_of(a->line), a->timeout_ms, &a->answer);
    atomic_store(&a->done, true);
    return NULL;
}

static struct asker *asker_start(const char *line, int64_t timeout_ms)
{
    struct asker *a = &w.asker[w.askers++];

    a->line = line;
    a->timeout_ms = timeout_ms;
    assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
    return a;
}

static bool is_done(void *arg)
{
    return atomic_load(&((struct asker *)arg)->done);
}

static bool is_held(void *arg)
{
    (void)arg;
    return w.held != NULL;
}

static bool is_over(void *arg)
{
    (void)arg;
    return w.over > 0;
}

static void assert_answer(const char *line, const char *answer)
{
    struct asker *a = asker_start(line, 8000);

    assert_true(turn_until(w.loop, is_done, a, 8000));
    assert_int_equal(a->err, 0);
    assert_string_equal(a->answer, answer);
}

static void verbs_answer(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(w.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_answer("echo", "{\"args\":\"\"}");
    assert_answer("echo  a b ", "{\"args\":\"a b\"}");
    assert_int_equal(w.over, 2);
    assert_answer("ech", "{\"error\":\"no such verb\"}");
    assert_answer("", "{\"error\":\"no such verb\"}");
    assert_answer("echoo", "{\"error\":\"no such verb\"}");
}

static void an_answer_may_come_later(void **state)
{
    struct asker *a = asker_start("hold", 8000);

    (void)state;
    assert_true(turn_until(w.loop, is_held, NULL, 5000));
    turn_for(w.loop, 30);
    assert_false(is_done(a));
    admin_answer(w.held, TEXT("{\"then\":1}"));
    assert_true(turn_until(w.loop, is_done, a, 5000));
    assert_string_equal(a->answer, "{\"then\":1}");
    assert_int_equal(w.over, 1);
    assert_int_equal(w.late, 0);
}

static void the_deadline_answers(void **state)
{
    struct asker *a = asker_start("hold", 20000), *b;

    (void)state;
    assert_true(turn_until(w.loop, is_done, a, 20000));
    assert_string_equal(a->answer, "{\"late\":true}");
    b = asker_start("mute", 20000);
    assert_true(turn_until(w.loop, is_done, b, 20000));
    assert_string_equal(b->answer, "{\"error\":\"no answer in time\"}");
    assert_int_equal(w.over, 2);
}

static void a_client_may_leave(void **state)
{
    struct asker *a = asker_start("hold", 50); /* gives up first */

    (void)state;
    assert_true(turn_until(w.loop, is_done, a, 5000));
    assert_int_equal(a->err, -ETIMEDOUT);
    assert_true(turn_until(w.loop, is_over, NULL, 8000));
    assert_answer("echo x", "{\"args\":\"x\"}");
}

static void closing_ends_what_is_held(void **state)
{
    struct asker *a = asker_start("hold", 8000);

    (void)state;
    assert_true(turn_until(w.loop, is_held, NULL, 5000));
    admin_close(w.admin);
    w.admin = NULL;
    assert_int_equal(w.over, 1);
    assert_true(turn_until(w.loop, is_done, a, 5000));
    assert_true(a->err == -EPROTO || a->err == -ECONNRESET);
    assert_int_equal(access(w.path, F_OK), -1);
    free(w.asker[0].answer);
    w.asker[0].answer = NULL;
    assert_int_equal(admin_ask(w.path, TEXT("echo"), 100, &w.asker[0].answer), -ENOENT);
}

static int connect_raw(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    text_copy(at.sun_path, sizeof at.sun_path, text_of(w.path));
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

struct raw {
    int fd;
    bool ended;
};

static bool has_ended(void *arg)
{
    struct raw *r = arg;
    char c[64];
    const ssize_t n = recv(r->fd, c, sizeof c, MSG_DONTWAIT);

    r->ended = n == 0 || (n < 0 && errno != EAGAIN);
    return r->ended;
}

static bool has_word(void *arg)
{
    char c;

    return recv(((struct raw *)arg)->fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

static void nonsense_is_cut_off(void **state)
{
    char junk[3 * ADMIN_LINE_MAX];
    struct raw r = { .fd = connect_raw() };

    (void)state;
    memset(junk, 'x', sizeof junk);
    assert_true(send(r.fd, junk, sizeof junk, MSG_NOSIGNAL) > 0);
    assert_true(turn_until(w.loop, has_ended, &r, 5000));
    close(r.fd);
    r.fd = connect_raw(); /* half a line, then the end */
    assert_true(send(r.fd, "ech", 3, MSG_NOSIGNAL) == 3);
    shutdown(r.fd, SHUT_WR);
    assert_true(turn_until(w.loop, has_ended, &r, 5000));
    close(r.fd);
    r.fd = connect_raw(); /* says nothing */
    assert_true(turn_until(w.loop, has_ended, &r, 4 * ADMIN_LATE_MS));
    close(r.fd);
    r.fd = connect_raw(); /* byte by byte, and more than it was asked for */
    for (const char *p = "echo y\necho z\n"; *p; p++) {
        if (send(r.fd, p, 1, MSG_NOSIGNAL) != 1)
            break;
        turn_for(w.loop, 2);
    }
    {
        char c[64] = "";

        assert_true(turn_until(w.loop, has_word, &r, 5000));
        assert_int_equal(recv(r.fd, c, sizeof c - 1, MSG_DONTWAIT), strlen("{\"args\":\"y\"}\n"));
        assert_string_equal(c, "{\"args\":\"y\"}\n");
    }
    close(r.fd);
    turn_for(w.loop, 20);
}

/* The mode of the socket keeps others out already; this is the second lock. Needs root, to become somebody else. */
static void another_user_is_refused(void **state)
{
    struct raw r = { .fd = -1 };
    int pair[2];
    pid_t pid;
    char told = 0;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(w.dir, 0755), 0);
    assert_int_equal(chmod(w.path, 0666), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *answer;

        if (setgid(65534) || setuid(65534))
            _exit(3);
        told = admin_ask(w.path, TEXT("echo"), 5000, &answer) == 0 ? 'y' : 'n';
        _exit(send(pair[1], &told, 1, 0) == 1 ? 0 : 4);
    }
    close(pair[1]);
    r.fd = pair[0];
    assert_true(turn_until(w.loop, has_word, &r, 8000));
    assert_int_equal(recv(r.fd, &told, 1, 0), 1);
    assert_int_equal(told, 'n');
    close(pair[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void too_many_clients_are_refused(void **state)
{
    struct raw r[ADMIN_CLIENTS_MAX + 1];

    (void)state;
    for (int i = 0; i <= ADMIN_CLIENTS_MAX; i++)
        r[i] = (struct raw){ .fd = connect_raw() };
    assert_true(turn_until(w.loop, has_ended, &r[ADMIN_CLIENTS_MAX], 1000));
    assert_false(has_ended(&r[0]));
    for (int i = 0; i <= ADMIN_CLIENTS_MAX; i++)
        close(r[i].fd);
    turn_for(w.loop, 50);
    assert_answer("echo", "{\"args\":\"\"}"); /* there is room again */
}

static void one_daemon_a_path(void **state)
{
    struct admin *other;
    char long_path[200];
    FILE *f;

    (void)state;
    assert_int_equal(admin_open(&other, w.loop, w.path, verbs, 3, &w.log), -EADDRINUSE);
    admin_close(w.admin);
    w.admin = NULL;
    f = fopen(w.path, "w"); /* no socket: not ours to remove */
    assert_non_null(f);
    fclose(f);
    assert_int_equal(admin_open(&other, w.loop, w.path, verbs, 3, &w.log), -EEXIST);
    unlink(w.path);
    { /* one whose daemon was killed is replaced */
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        text_copy(at.sun_path, sizeof at.sun_path, text_of(w.path));
        assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
        close(fd);
    }
    assert_int_equal(admin_open(&w.admin, w.loop, w.path, verbs, 3, &w.log), 0);
    assert_answer("echo", "{\"args\":\"\"}");
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(admin_open(&other, w.loop, long_path, verbs, 3, &w.log), -ENAMETOOLONG);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    admin_close(w.admin);
    w.admin = NULL;
    turn_for(w.loop, 5);
    for (long n = 1; n < 100; n++) {
        int err;
        bool hit;

        fail_alloc_at(n);
        err = admin_open(&w.admin, w.loop, w.path, verbs, 3, &w.log);
        hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit) {
            assert_int_equal(err, 0);
            return;
        }
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(access(w.path, F_OK), -1);
    }
    fail_msg("it never ran without a failure");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(verbs_answer), T(an_answer_may_come_later), T(the_deadline_answers), T(a_client_may_leave), T(closing_ends_what_is_held),
        T(nonsense_is_cut_off), T(another_user_is_refused), T(too_many_clients_are_refused), T(one_daemon_a_path), T(each_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
