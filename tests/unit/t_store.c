/* The store under load, under a lock, on a full disk, on a broken file, killed, and beside another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "fail_alloc.h"
#include "store/store.h"

enum { PATIENCE_MS = 60000 };

extern char **environ;

static const struct log_sink quiet_sink = { .fd = 2, .level = LOG_OFF };
static const struct log quiet = { .sink = &quiet_sink, .module = "test" };

struct place {
    char dir[64], db[96], csv[96];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/sidetone-store-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/s.db", p->dir);
    snprintf(p->csv, sizeof p->csv, "%s/in.csv", p->dir);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static struct store *open_store(const struct place *p, const struct log *log)
{
    struct store *s = NULL;
    char *problem = NULL;
    const int err = store_open(&s, p->db, log, &problem);

    if (err)
        fail_msg("store_open: %d %s", err, problem ? problem : "");
    return s;
}

static bool publish(struct store *s, const char *call, const char *kind, const char *detail)
{
    const struct timeline *t = store_timeline(s);
    struct fact *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->wall_us = clock_wall_us();
    snprintf(f->call, sizeof f->call, "%s", call);
    snprintf(f->kind, sizeof f->kind, "%s", kind);
    f->detail = strdup(detail);
    return t->publish(t->arg, f);
}

/* For liveness only: false after PATIENCE_MS. */
static bool wait_until(bool (*is_so)(void *arg), void *arg)
{
    const int64_t until = clock_mono_us() + PATIENCE_MS * 1000LL;

    while (!is_so(arg)) {
        if (clock_mono_us() > until)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = 2000000L }, NULL);
    }
    return true;
}

static int64_t number_of(const struct place *p, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    int64_t n;

    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static bool file_is_sound(const struct place *p)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    bool is_sound;

    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    is_sound = sqlite3_step(st) == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(st, 0), "ok");
    sqlite3_finalize(st);
    sqlite3_close(db);
    return is_sound;
}

/* --- facts --- */

enum { PUBLISHERS = 4, EACH = 5000 };

struct publisher {
    struct store *s;
    int number;
};

static void *publish_all(void *arg)
{
    const struct publisher *p = arg;
    char call[32], detail[64];

    snprintf(call, sizeof call, "call-%d", p->number);
    for (int i = 0; i < EACH; i++) {
        snprintf(detail, sizeof detail, "{\"n\":%d}", i);
        publish(p->s, call, "tick", detail);
    }
    return NULL;
}

struct seen {
    int64_t last_id;
    int next[PUBLISHERS];
    size_t facts;
};

static void on_fact(int64_t id, const struct fact *f, void *arg)
{
    struct seen *seen = arg;
    int number, n;

    assert_true(id == seen->last_id + 1);
    assert_int_equal(sscanf(f->call, "call-%d", &number), 1);
    assert_int_equal(sscanf(f->detail, "{\"n\":%d}", &n), 1);
    assert_string_equal(f->kind, "tick");
    assert_true(f->wall_us > 1600000000000000LL);
    assert_int_equal(n, seen->next[number]++); /* each writer's order is kept */
    seen->last_id = id;
    seen->facts++;
}

static void test_all_facts_stored(void **state)
{
    const struct place *p = *state;
    struct store *s = open_store(p, &quiet);
    struct publisher publishers[PUBLISHERS];
    pthread_t threads[PUBLISHERS];
    struct store_reader *r;
    struct seen seen = { 0 };
    int64_t after = 0;
    int n, pages = 0;

    for (int i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){ .s = s, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, publish_all, &publishers[i]), 0);
    }
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(store_facts_dropped(s), 0);
    store_close(s);

    assert_int_equal(store_reader_open(&r, p->db), 0);
    while ((n = store_reader_next(r, TEXT(""), &after, 777, on_fact, &seen)) > 0) {
        assert_true(n <= 777);
        pages++;
    }
    assert_int_equal(n, 0);
    assert_int_equal(seen.facts, PUBLISHERS * EACH);
    assert_int_equal(after, PUBLISHERS * EACH);
    assert_int_equal(pages, (PUBLISHERS * EACH + 776) / 777);
    store_reader_close(r);
}

static bool has_written_one(void *arg)
{
    return store_facts_written(arg) == 1;
}

/* A single fact does not wait for a batch to fill. */
static void test_lonely_fact(void **state)
{
    struct store *s = open_store(*state, &quiet);

    assert_true(publish(s, "1700.1", "agi.start", "{}"));
    assert_true(wait_until(has_written_one, s));
    store_close(s);
    assert_int_equal(number_of(*state, "SELECT count(*) FROM fact WHERE call = '1700.1'"), 1);
}

static void count_fact(int64_t id, const struct fact *f, void *arg)
{
    (void)id;
    assert_string_equal(f->call, "b");
    assert_string_equal(f->detail, "{\"say\":\"it's \\\"so\\\"\"}");
    (*(int *)arg)++;
}

static void test_reader(void **state)
{
    const struct place *p = *state;
    struct store_reader *r;
    struct store *s;
    int64_t after = 0;
    int count = 0;

    assert_int_equal(store_reader_open(&r, p->db), -ENOENT);
    s = open_store(p, &quiet);
    for (int i = 0; i < 5; i++) {
        publish(s, "a", "x", "{}");
        publish(s, "b", "x", "{\"say\":\"it's \\\"so\\\"\"}");
    }
    store_close(s);
    assert_int_equal(store_reader_open(&r, p->db), 0);
    assert_int_equal(store_reader_next(r, TEXT("b"), &after, 3, count_fact, &count), 3);
    assert_int_equal(after, 6);
    assert_int_equal(store_reader_next(r, TEXT("b"), &after, 3, count_fact, &count), 2);
    assert_int_equal(store_reader_next(r, TEXT("b"), &after, 3, count_fact, &count), 0);
    assert_int_equal(store_reader_next(r, TEXT("' OR 1=1 --"), &(int64_t){ 0 }, 3, count_fact, &count), 0);
    assert_int_equal(count, 5);

    s = open_store(p, &quiet); /* a reader sees what a running daemon adds */
    publish(s, "b", "x", "{\"say\":\"it's \\\"so\\\"\"}");
    assert_true(wait_until(has_written_one, s));
    assert_int_equal(store_reader_next(r, TEXT("b"), &after, 3, count_fact, &count), 1);
    assert_int_equal(after, 11);
    store_close(s);
    store_reader_close(r);
}

/* --- what goes wrong --- */

static int exec_on(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void test_full_queue_counted(void **state)
{
    const struct place *p = *state;
    struct store *s = open_store(p, &quiet);
    uint64_t taken = 0, refused = 0;
    sqlite3 *other;

    /* Another process that holds the write lock: facts wait, then the queue is full. */
    assert_int_equal(sqlite3_open(p->db, &other), SQLITE_OK);
    assert_int_equal(exec_on(other, "BEGIN IMMEDIATE"), SQLITE_OK);
    for (int i = 0; i < STORE_FACTS_MAX + 5000; i++) {
        if (publish(s, "c", "k", "{}"))
            taken++;
        else
            refused++;
    }
    assert_true(refused >= 5000 - 1000); /* at most one batch has left the queue */
    assert_true(taken >= STORE_FACTS_MAX);
    assert_int_equal(store_facts_dropped(s), refused);
    assert_int_equal(store_facts_written(s), 0);
    assert_int_equal(exec_on(other, "ROLLBACK"), SQLITE_OK);
    sqlite3_close(other);
    store_close(s);
    assert_int_equal(number_of(p, "SELECT count(*) FROM fact"), taken);
    assert_int_equal(number_of(p, "SELECT max(id) FROM fact"), taken);
}

struct log_pipe {
    int fd[2];
    struct log_sink sink;
    struct log log;
};

static void log_pipe_open(struct log_pipe *lp)
{
    assert_int_equal(pipe2(lp->fd, O_CLOEXEC | O_NONBLOCK), 0);
    lp->sink = (struct log_sink){ .fd = lp->fd[1], .level = LOG_INFO };
    lp->log = (struct log){ .sink = &lp->sink, .module = "test" };
}

static unsigned occurrences(const char *in, const char *what)
{
    unsigned n = 0;

    for (const char *p = in; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* Closes the pipe; what was logged stays in out. */
static void log_pipe_read(struct log_pipe *lp, char *out, size_t size)
{
    const ssize_t n = read(lp->fd[0], out, size - 1);

    out[n < 0 ? 0 : n] = '\0';
    close(lp->fd[0]);
    close(lp->fd[1]);
}

static bool has_dropped(void *arg)
{
    return store_facts_dropped(arg) > 0;
}

struct goal {
    struct store *s;
    uint64_t settled; /* written + dropped */
};

static bool is_settled(void *arg)
{
    const struct goal *g = arg;

    return store_facts_written(g->s) + store_facts_dropped(g->s) >= g->settled;
}

static void publish_many(struct store *s, int count)
{
    static const char padding[] = "{\"text\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}";

    for (int i = 0; i < count; i++)
        assert_true(publish(s, "call", "kind", padding));
}

static void test_full_disk(void **state)
{
    const struct place *p = *state;
    const struct rlimit full = { .rlim_cur = 80 * 1024, .rlim_max = RLIM_INFINITY };
    struct log_pipe lp;
    struct rlimit before;
    struct store *s;
    uint64_t dropped;
    char lines[8192];

    signal(SIGXFSZ, SIG_IGN); /* a file may not grow any more: the write fails, as on a full disk */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    log_pipe_open(&lp);
    s = open_store(p, &lp.log);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ full.rlim_cur, before.rlim_max }), 0);
    publish_many(s, 6000);
    assert_true(wait_until(is_settled, &(struct goal){ s, 6000 }));
    publish_many(s, 3000);
    assert_true(wait_until(is_settled, &(struct goal){ s, 9000 }));
    dropped = store_facts_dropped(s);
    assert_true(dropped >= 3000);
    assert_int_equal(store_facts_written(s) + dropped, 9000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    publish_many(s, 100);
    assert_true(wait_until(is_settled, &(struct goal){ s, 9100 }));
    store_close(s);
    log_pipe_read(&lp, lines, sizeof lines);
    assert_int_equal(occurrences(lines, "event=facts_not_stored"), 1);
    assert_int_equal(occurrences(lines, "event=facts_stored_again"), 1);
    assert_int_equal(number_of(p, "SELECT count(*) FROM fact"), 9100 - dropped);
    assert_true(file_is_sound(p));
}

static void spoil(const struct place *p, int64_t page)
{
    const int64_t size = number_of(p, "PRAGMA page_size");
    static char garbage[65536];
    const int fd = open(p->db, O_WRONLY);

    memset(garbage, 0xa5, sizeof garbage);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, garbage, (size_t)size, (page - 1) * size), size);
    close(fd);
}

static void test_broken_file(void **state)
{
    const struct place *p = *state;
    struct log_pipe lp;
    struct store *s = open_store(p, &quiet);
    char lines[8192];

    publish_many(s, 2000);
    store_close(s);
    spoil(p, number_of(p, "SELECT rootpage FROM sqlite_master WHERE name = 'fact'"));
    log_pipe_open(&lp);
    s = open_store(p, &lp.log);
    publish_many(s, 50);
    assert_true(wait_until(has_dropped, s));
    publish_many(s, 50);
    assert_true(wait_until(is_settled, &(struct goal){ s, 100 }));
    assert_int_equal(store_facts_dropped(s), 100);
    assert_int_equal(store_facts_written(s), 0);
    store_close(s);
    log_pipe_read(&lp, lines, sizeof lines);
    assert_int_equal(occurrences(lines, "event=facts_not_stored"), 1);
    assert_int_equal(occurrences(lines, "\n"), 1);
}

static void test_not_ours(void **state)
{
    struct place p = *(struct place *)*state;
    struct store *s = NULL;
    char *problem = NULL;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(exec_on(db, "CREATE TABLE cdr(x)"), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(store_open(&s, p.db, &quiet, &problem), -EINVAL);
    assert_non_null(strstr(problem, p.db));
    free(problem);
    assert_int_equal(store_open(&s, "/nonexistent/s.db", &quiet, &problem), -ENOENT);
    assert_non_null(strstr(problem, "/nonexistent/s.db"));
    free(problem);
    assert_int_equal(store_open(&s, p.dir, &quiet, &problem) < 0, 1);
    free(problem);
    assert_null(s);
}

static void test_no_memory(void **state)
{
    const struct place *p = *state;
    int failed = 0;

    for (long n = 1;; n++) {
        struct store *s = NULL;
        char *problem = NULL;
        int err;

        fail_alloc_at(n);
        err = store_open(&s, p->db, &quiet, &problem);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            store_close(s);
            break;
        }
        fail_alloc_off();
        free(problem);
        assert_int_equal(err, -ENOMEM);
        assert_null(s);
        failed++;
    }
    fail_alloc_off();
    assert_true(failed > 3);
}

/* --- look-ups --- */

struct asker {
    struct store *s;
    struct loop *l;
    struct timer *guard;
    pthread_t thread;
    unsigned answers, wanted, found, absent;
    char last[64];
    bool is_inside;
};

static void on_guard(void *arg)
{
    loop_stop(((struct asker *)arg)->l);
}

static void asker_open(struct asker *a, struct store *s)
{
    *a = (struct asker){ .s = s, .thread = pthread_self() };
    assert_int_equal(loop_new(&a->l, &quiet), 0);
    assert_int_equal(timer_new(&a->guard, a->l, on_guard, a), 0);
    timer_start(a->guard, PATIENCE_MS);
}

static void asker_close(struct asker *a)
{
    timer_free(a->guard);
    loop_free(a->l);
}

static void on_value(int err, struct text value, void *arg)
{
    struct asker *a = arg;

    assert_int_equal(err, 0);
    assert_false(a->is_inside);
    assert_true(pthread_equal(a->thread, pthread_self()));
    if (value.p)
        a->found++;
    else
        a->absent++;
    text_copy(a->last, sizeof a->last, value.p ? value : TEXT("(none)"));
    if (++a->answers == a->wanted)
        loop_stop(a->l);
}

static int ask(struct asker *a, struct text table, struct text key)
{
    int err;

    a->is_inside = true;
    err = store_get(a->s, a->l, table, key, on_value, a);
    a->is_inside = false;
    return err;
}

static const char *ask_and_wait(struct asker *a, struct text table, struct text key)
{
    a->wanted = a->answers + 1;
    assert_int_equal(ask(a, table, key), 0);
    loop_run(a->l);
    assert_int_equal(a->answers, a->wanted);
    return a->last;
}

static void on_put(int err, void *arg)
{
    struct asker *a = arg;

    text_copy(a->last, sizeof a->last, text_of(err ? "not kept" : "kept"));
    if (++a->answers == a->wanted)
        loop_stop(a->l);
}

static const char *put_and_wait(struct asker *a, struct text table, struct text key, struct text value)
{
    a->wanted = a->answers + 1;
    assert_int_equal(store_put(a->s, a->l, table, key, value, on_put, a), 0);
    loop_run(a->l);
    assert_int_equal(a->answers, a->wanted);
    return a->last;
}

/* What was answered is there for the next question, and for the next process. */
static void test_rows_put_are_found(void **state)
{
    const struct place *p = *state;
    static char longest[STORE_VALUE_MAX + 1];
    struct store *s = open_store(p, &quiet);
    struct asker a;

    memset(longest, 'v', sizeof longest);
    asker_open(&a, s);
    assert_string_equal(put_and_wait(&a, TEXT("dnc"), TEXT("4711"), TEXT("yes")), "kept");
    assert_string_equal(ask_and_wait(&a, TEXT("dnc"), TEXT("4711")), "yes");
    assert_string_equal(put_and_wait(&a, TEXT("dnc"), TEXT("4711"), TEXT("")), "kept");
    assert_string_equal(ask_and_wait(&a, TEXT("dnc"), TEXT("4711")), "");
    assert_int_equal(store_put(s, a.l, TEXT("DNC"), TEXT("k"), TEXT("v"), on_put, &a), -EINVAL);
    assert_int_equal(store_put(s, a.l, TEXT("dnc"), text_make(longest, STORE_KEY_MAX + 1), TEXT("v"), on_put, &a), -EMSGSIZE);
    assert_int_equal(store_put(s, a.l, TEXT("dnc"), TEXT("k"), text_make(longest, sizeof longest), on_put, &a), -EMSGSIZE);
    a.wanted = a.answers + 500;
    for (int i = 0; i < 500; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(store_put(s, a.l, TEXT("many"), text_of(key), text_of(key), on_put, &a), 0);
    }
    store_close(s); /* writes and answers them all */
    loop_run(a.l);
    assert_int_equal(a.answers, a.wanted);
    a.s = s = open_store(p, &quiet);
    assert_string_equal(ask_and_wait(&a, TEXT("many"), TEXT("k499")), "k499");
    store_close(s);
    asker_close(&a);
}

static void import_text(const struct place *p, const char *table, const char *content)
{
    FILE *f = fopen(p->csv, "w");
    char *problem = NULL;
    size_t rows;

    assert_non_null(f);
    fputs(content, f);
    fclose(f);
    assert_int_equal(store_import_csv(p->db, table, p->csv, &rows, &problem), 0);
}

static void test_lookups(void **state)
{
    const struct place *p = *state;
    struct store *s = open_store(p, &quiet);
    static char key_at_max[STORE_KEY_MAX + 2];
    char line[STORE_KEY_MAX + 16];
    struct asker a;

    asker_open(&a, s);
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("1001")), "(none)");
    import_text(p, "names", "1001,Alice\nempty,\nit's,\"a \"\"quote\"\"\"\n");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("1001")), "Alice");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("it's")), "a \"quote\"");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("empty")), "");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("")), "(none)");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("' OR '1'='1")), "(none)");
    assert_string_equal(ask_and_wait(&a, TEXT("other"), TEXT("1001")), "(none)");
    import_text(p, "names", "1001,Alicia\n");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), TEXT("1001")), "Alicia");

    memset(key_at_max, 'k', STORE_KEY_MAX + 1);
    snprintf(line, sizeof line, "%.*s,long\n", STORE_KEY_MAX, key_at_max);
    import_text(p, "names", line);
    assert_string_equal(ask_and_wait(&a, TEXT("names"), text_make(key_at_max, STORE_KEY_MAX)), "long");
    assert_string_equal(ask_and_wait(&a, TEXT("names"), text_make(key_at_max, STORE_KEY_MAX + 1)), "(none)");

    assert_int_equal(ask(&a, TEXT("Names"), TEXT("1001")), -EINVAL);
    assert_int_equal(ask(&a, TEXT(""), TEXT("1001")), -EINVAL);
    assert_int_equal(ask(&a, TEXT("names;"), TEXT("1001")), -EINVAL);
    assert_int_equal(ask(&a, TEXT_NONE, TEXT("1001")), -EINVAL);
    assert_int_equal(ask(&a, TEXT("names"), TEXT_NONE), -EINVAL);
    store_close(s);
    asker_close(&a);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The reader thread is held by a loop that does not run and has no room: the queue fills, refuses, and loses nothing. */
static void test_lookup_ceiling(void **state)
{
    const struct place *p = *state;
    struct store *s = open_store(p, &quiet);
    struct asker a;
    unsigned taken = 0;
    int err;

    import_text(p, "t", "k,v\n");
    asker_open(&a, s);
    while (!(err = loop_post(a.l, nothing, NULL)))
        ;
    assert_int_equal(err, -ENOBUFS);
    while (!(err = ask(&a, TEXT("t"), TEXT("k"))) && taken < 2 * STORE_LOOKUPS_MAX)
        taken++;
    assert_int_equal(err, -ENOBUFS);
    assert_in_range(taken, STORE_LOOKUPS_MAX, STORE_LOOKUPS_MAX + 1);
    a.wanted = taken;
    loop_run(a.l);
    assert_int_equal(a.answers, taken);
    assert_int_equal(a.found, taken);
    assert_string_equal(ask_and_wait(&a, TEXT("t"), TEXT("k")), "v");
    store_close(s);
    asker_close(&a);
}

/* Closing answers what was asked before. */
static void test_close_answers(void **state)
{
    const struct place *p = *state;
    struct store *s = open_store(p, &quiet);
    struct asker a;

    asker_open(&a, s);
    for (int i = 0; i < 500; i++)
        assert_int_equal(ask(&a, TEXT("t"), TEXT("k")), 0);
    store_close(s);
    assert_int_equal(a.answers, 0);
    a.wanted = 500;
    loop_run(a.l);
    assert_int_equal(a.absent, 500);
    asker_close(&a);
}

/* --- other processes: this program again, in another role --- */

static pid_t start_role(const char *role, const struct place *p, int out)
{
    char *argv[] = { "t_store", (char *)role, (char *)p->db, (char *)p->csv, NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, 3);
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int role_wait(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Publishes for ever; tells on descriptor 3 how many are stored. */
static int role_publish(const char *db)
{
    struct store *s;
    char *problem;

    if (store_open(&s, db, &quiet, &problem))
        return 1;
    for (uint64_t told = 0;;) {
        const uint64_t written = store_facts_written(s);

        for (int i = 0; i < 100; i++)
            publish(s, "victim", "tick", "{}");
        if (written != told && write(3, &written, sizeof written) != sizeof written)
            return 1;
        told = written;
        nanosleep(&(struct timespec){ .tv_nsec = 1000000L }, NULL);
    }
}

static int role_import(const char *db, const char *csv)
{
    for (int i = 0; i < 10; i++) {
        char *problem = NULL;
        size_t rows = 0;

        if (store_import_csv(db, "big", csv, &rows, &problem) || rows != 20000) {
            fprintf(stderr, "import: %s\n", problem ? problem : "wrong count");
            return 1;
        }
    }
    return 0;
}

static int role_create(const char *db)
{
    struct store *s;
    char *problem = NULL;

    if (store_open(&s, db, &quiet, &problem)) {
        fprintf(stderr, "create: %s\n", problem);
        return 1;
    }
    publish(s, "created", "k", "{}");
    store_close(s);
    return 0;
}

static void test_killed(void **state)
{
    const struct place *p = *state;
    uint64_t stored = 0;
    struct store *s;
    int64_t count;
    int fd[2];
    pid_t pid;

    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    pid = start_role("publish", p, fd[1]);
    close(fd[1]);
    while (stored < 3000)
        assert_int_equal(read(fd[0], &stored, sizeof stored), sizeof stored);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(WIFSIGNALED(role_wait(pid)));
    close(fd[0]);

    s = open_store(p, &quiet); /* nothing that was reported as stored is lost, and it goes on behind it */
    publish(s, "after", "k", "{}");
    store_close(s);
    count = number_of(p, "SELECT count(*) FROM fact WHERE call = 'victim'");
    assert_true(count >= (int64_t)stored);
    assert_int_equal(number_of(p, "SELECT id FROM fact WHERE call = 'after'"), count + 1);
    assert_true(file_is_sound(p));
}

static void write_big_csv(const struct place *p)
{
    FILE *f = fopen(p->csv, "w");

    assert_non_null(f);
    fputs("key,value\n", f);
    for (int i = 0; i < 20000; i++)
        fprintf(f, "+49%08d,name %d\n", i, i);
    fclose(f);
}

static void test_concurrent_import(void **state)
{
    const struct place *p = *state;
    struct store *s = open_store(p, &quiet);
    struct asker a;
    pid_t pid;
    int ended, status = -1;
    uint64_t published = 0;

    write_big_csv(p);
    asker_open(&a, s);
    pid = start_role("import", p, -1);
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
        for (int i = 0; i < 20; i++, published++)
            assert_true(publish(s, "meanwhile", "tick", "{}"));
        ask_and_wait(&a, TEXT("big"), TEXT("+4900000007"));
        nanosleep(&(struct timespec){ .tv_nsec = 1000000L }, NULL);
    }
    assert_int_equal(ended, pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(published > 0);
    assert_string_equal(ask_and_wait(&a, TEXT("big"), TEXT("+4900019999")), "name 19999");
    assert_int_equal(store_facts_dropped(s), 0);
    store_close(s);
    asker_close(&a);
    assert_int_equal(number_of(p, "SELECT count(*) FROM fact"), published);
    assert_int_equal(number_of(p, "SELECT count(*) FROM lookup"), 20000);
    assert_true(file_is_sound(p));
}

static void test_created_together(void **state)
{
    const struct place *p = *state;
    pid_t pid[4];

    for (int i = 0; i < 4; i++)
        pid[i] = start_role("create", p, -1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(role_wait(pid[i]), 0);
    assert_int_equal(number_of(p, "SELECT count(*) FROM fact"), 4);
    assert_true(number_of(p, "PRAGMA user_version") >= 2);
}

static int role_run(char **argv)
{
    if (!strcmp(argv[1], "publish"))
        return role_publish(argv[2]);
    if (!strcmp(argv[1], "import"))
        return role_import(argv[2], argv[3]);
    return role_create(argv[2]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_put_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_facts_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lonely_fact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_queue_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lookups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lookup_ceiling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_concurrent_import, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_created_together, set_up, tear_down),
    };

    if (argc > 3)
        return role_run(argv);
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
