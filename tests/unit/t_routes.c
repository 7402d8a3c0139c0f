/* Routes: who gets which handler, the ceiling, figures, facts, and an end in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>

#include "agi_peer.h"
#include "fail_alloc.h"
#include "route/routes.h"

#define SEND(t) { .kind = PEER_SEND, .text = t, .line = __LINE__ }
#define EXPECT(t) { .kind = PEER_EXPECT, .text = t, .line = __LINE__ }
#define WAIT(m) { .kind = PEER_WAIT, .ms = m, .line = __LINE__ }
#define QUIET(m) { .kind = PEER_QUIET, .ms = m, .line = __LINE__ }
#define END { .kind = PEER_END, .line = __LINE__ }
#define ENV(path) "agi_network: yes\nagi_network_script: " path "\nagi_callerid: 1001\nagi_calleridname: Ada\nagi_uniqueid: 17.1\nagi_extension: 100\nagi_context: c\nagi_channel: X/1\n\n"
#define FAREWELL(status, reason)                                                                                                \
    EXPECT("EXEC MSet \"SIDETONE_STATUS=" status ",SIDETONE_REASON=" reason ",SIDETONE_CALL=17.1\""), SEND("200 result=0\n"), END
#define FAREWELL3(status, reason)                                                                   \
    EXPECT("SET VARIABLE SIDETONE_STATUS \"" status "\""), SEND("200 result=1\n"),                 \
        EXPECT("SET VARIABLE SIDETONE_REASON \"" reason "\""), SEND("200 result=1\n"),             \
        EXPECT("SET VARIABLE SIDETONE_CALL \"17.1\""), SEND("200 result=1\n"), END
#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { PEERS_MAX = 64, FACTS_MAX = 512 };

struct world {
    struct loop *loop;
    struct script_engine *engine;
    struct routes *routes;
    struct listener *listener;
    struct address at;
    struct log_sink sink;
    struct log log;
    char dir[64], path[4][128];
    unsigned files;
    struct agi_peer peers[PEERS_MAX];
    unsigned peer_count, peers_done;
    struct fact *facts[FACTS_MAX];
    size_t fact_count;
    char problems[2048];
    unsigned problem_count;
    bool closed;
    int64_t close_linger_ms;
    struct timer *timer;
};

static struct world w;

static bool publish(void *arg, struct fact *f)
{
    (void)arg;
    assert_true(w.fact_count < FACTS_MAX);
    (void)fact_detail(f); /* the tests read it */
    w.facts[w.fact_count++] = f;
    return true;
}

static const struct timeline timeline = { .publish = publish };

static const char *file_make(const char *source)
{
    char *path = w.path[w.files++];
    FILE *f;

    snprintf(path, sizeof w.path[0], "%s/h%u.lua", w.dir, w.files);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(source, f);
    fclose(f);
    return path;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    snprintf(w.dir, sizeof w.dir, "/tmp/sidetone-routes-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    w.sink = (struct log_sink){ .fd = 2, .level = LOG_OFF };
    w.log = (struct log){ .sink = &w.sink, .module = "test" };
    assert_int_equal(loop_new(&w.loop, &w.log), 0);
    return script_engine_new(&w.engine, w.loop, NULL, NULL, &w.log);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < w.peer_count; i++)
        peer_free(&w.peers[i]);
    timer_free(w.timer);
    listener_close(w.listener);
    script_engine_free(w.engine);
    loop_free(w.loop);
    for (size_t i = 0; i < w.fact_count; i++)
        fact_free(w.facts[i]);
    for (unsigned i = 0; i < w.files; i++)
        unlink(w.path[i]);
    return rmdir(w.dir);
}

static void on_problem(const char *line, void *arg)
{
    assert_ptr_equal(arg, &w);
    w.problem_count++;
    strncat(w.problems, line, sizeof w.problems - strlen(w.problems) - 2);
    strcat(w.problems, "\n");
}

static int routes_make(const struct route_options *list, size_t count, size_t max)
{
    const struct routes_options opt = { .routes = list, .count = count, .sessions_max = max };

    return routes_open(&w.routes, w.loop, w.engine, &opt, &timeline, &w.log, on_problem, &w);
}

static void listen_now(void)
{
    const struct address any = { .host = "127.0.0.1" };

    assert_int_equal(listener_open(&w.listener, w.loop, &any, &(struct listener_options){ .max_streams = 200 }, routes_accept, w.routes), 0);
    listener_address(w.listener, &w.at);
}

static void on_closed(void *arg)
{
    assert_false(w.closed);
    assert_ptr_equal(arg, &w);
    w.closed = true;
    loop_stop(w.loop);
}

static void close_now(void *arg)
{
    (void)arg;
    routes_close(w.routes, w.close_linger_ms, on_closed, &w);
    assert_false(w.closed); /* never from inside */
}

static void on_peer_done(struct agi_peer *p, void *arg)
{
    (void)p;
    (void)arg;
    w.peers_done++;
    if (w.peers_done == w.peer_count && !w.timer)
        close_now(NULL);
}

static void peer_add(const struct peer_step *steps, size_t count)
{
    struct agi_peer *p = &w.peers[w.peer_count++];

    assert_int_equal(peer_start(p, w.loop, &w.at, steps, count, on_peer_done, NULL), 0);
}

/* Plays until all peers are done and the routes are closed. */
static void play(void)
{
    loop_run(w.loop);
    for (unsigned i = 0; i < w.peer_count; i++)
        if (w.peers[i].failure[0])
            fail_msg("peer %u: %s", i, w.peers[i].failure);
    assert_true(w.closed);
    assert_int_equal(w.peers_done, w.peer_count);
}

static void close_after(int64_t ms, int64_t linger_ms)
{
    w.close_linger_ms = linger_ms;
    assert_int_equal(timer_new(&w.timer, w.loop, close_now, NULL), 0);
    timer_start(w.timer, ms);
}

static const char *fact_text(const char *kind, size_t nth)
{
    for (size_t i = 0; i < w.fact_count; i++)
        if (strcmp(w.facts[i]->kind, kind) == 0 && nth-- == 0)
            return w.facts[i]->detail;
    return "(no such fact)";
}

/* ---- choosing ---- */

static void the_path_chooses(void **state)
{
    const char *a = file_make("function handle(call) call:finish('OK', 'a') end"), *b = file_make("function handle(call) call:finish('OK', 'b') end");
    const struct route_options list[] = { { .name = "alpha", .handler = a, .deadline_ms = 1000 }, { .name = "default", .handler = b, .deadline_ms = 1000 } };
    static const struct {
        const char *env, *reason;
    } cases[] = {
        { ENV("alpha"), "a" }, { ENV("alpha/x/y?z=1"), "a" }, { ENV("alpha?x=/default"), "a" }, { ENV("alph"), "b" }, { ENV("alphabet"), "b" },
        { ENV("Alpha"), "b" }, { ENV(""), "b" }, { ENV("/alpha"), "b" }, { ENV("default"), "b" }, { "agi_network: yes\nagi_uniqueid: 17.1\n\n", "b" },
    };
    struct peer_step steps[COUNT(cases)][4];

    (void)state;
    assert_int_equal(routes_make(list, 2, 0), 0);
    listen_now();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct peer_step a_steps[] = { SEND(cases[i].env), FAREWELL("OK", "a") }, b_steps[] = { SEND(cases[i].env), FAREWELL("OK", "b") };

        memcpy(steps[i], cases[i].reason[0] == 'a' ? a_steps : b_steps, sizeof a_steps);
        peer_add(steps[i], COUNT(a_steps));
    }
    play();
}

static struct route_figures seen[3];
static bool seen_ok[3];

static void look(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 3; i++)
        seen_ok[i] = routes_figures(w.routes, i, &seen[i]);
    close_now(NULL);
}

static void figures_count(void **state)
{
    const struct route_options list[] = { { .name = "slow", .handler = file_make("function handle(call) call:get('A') call:get('B') sleep(10000) end"), .deadline_ms = 80 } };
    static const struct peer_step slow[] = {
        SEND(ENV("slow")), EXPECT("GET VARIABLE \"A\""), SEND("200 result=0\n"), EXPECT("GET VARIABLE \"B\""), SEND("200 result=0\n"), FAREWELL("TIMEOUT", "deadline"),
    };
    static const struct peer_step lost[] = { SEND(ENV("other")), FAREWELL("ERROR", "no_route") };

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    assert_int_equal(timer_new(&w.timer, w.loop, look, NULL), 0);
    timer_start(w.timer, 500);
    peer_add(slow, COUNT(slow));
    peer_add(lost, COUNT(lost));
    play();
    assert_true(seen_ok[0] && seen_ok[1] && !seen_ok[2]);
    assert_string_equal(seen[0].name, "slow");
    assert_int_equal(seen[0].sessions, 1);
    assert_int_equal(seen[0].timeouts, 1);
    assert_int_equal(seen[0].errors, 0);
    assert_int_equal(seen[0].active, 0);
    assert_int_equal(seen[0].command_us.count, 2);
    assert_int_equal(seen[0].session_us.count, 1);
    assert_true(seen[0].session_us.max >= 79000); /* not before the deadline; the loop counts whole milliseconds */
    assert_string_equal(seen[1].name, "(none)");
    assert_int_equal(seen[1].sessions, 1);
    assert_int_equal(seen[1].errors, 1);
}

/* ---- the ceiling ---- */

static void one_too_many_is_told_busy(void **state)
{
    const struct route_options list[] = { { .name = "default", .handler = file_make("function handle(call) call:get('A') end"), .deadline_ms = 5000 } };
    static const struct peer_step first[] = { SEND(ENV("x")), EXPECT("GET VARIABLE \"A\""), WAIT(150), SEND("200 result=0\n"), FAREWELL("OK", "") };
    static const struct peer_step second[] = { WAIT(50), SEND(ENV("x")), FAREWELL("BUSY", "sessions_max") };

    (void)state;
    assert_int_equal(routes_make(list, 1, 1), 0);
    listen_now();
    peer_add(first, COUNT(first));
    peer_add(second, COUNT(second));
    play();
    assert_non_null(strstr(fact_text("agi.end", 0), "BUSY"));
}

static void many_at_once(void **state)
{
    const struct route_options list[] = { { .name = "default", .handler = file_make("function handle(call) for i = 1, 5 do call:set('N', i) end end"), .deadline_ms = 5000 } };
    static const struct peer_step steps[] = {
        SEND(ENV("x")), EXPECT("SET VARIABLE \"N\" \"1\""), SEND("200 result=1\n"), EXPECT("SET VARIABLE \"N\" \"2\""), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE \"N\" \"3\""), SEND("200 result=1\n"), EXPECT("SET VARIABLE \"N\" \"4\""), SEND("200 result=1\n"),
        EXPECT("SET VARIABLE \"N\" \"5\""), SEND("200 result=1\n"), FAREWELL("OK", ""),
    };

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    for (int i = 0; i < PEERS_MAX; i++)
        peer_add(steps, COUNT(steps));
    play();
    assert_int_equal(w.fact_count, PEERS_MAX); /* one of each, its end */
}

/* ---- places and queues ---- */

static const char *const holds = "function handle(call) call:get('A') end";

static void the_queue_is_in_order(void **state)
{
    struct gate gate = { .max = 1 };
    const struct route_options list[] = {
        { .name = "default", .handler = file_make(holds), .deadline_ms = 5000, .gate = &gate, .queue = 2, .queue_wait_ms = 4000 },
    };
    static const struct peer_step first[] = { SEND(ENV("x")), EXPECT("GET VARIABLE \"A\""), WAIT(250), SEND("200 result=0\n"), FAREWELL("OK", "") };
    static const struct peer_step second[] = {
        WAIT(50), SEND(ENV("x")), QUIET(120), EXPECT("GET VARIABLE \"A\""), WAIT(100), SEND("200 result=0\n"), FAREWELL("OK", ""),
    };
    static const struct peer_step third[] = {
        WAIT(100), SEND(ENV("x")), QUIET(200), EXPECT("GET VARIABLE \"A\""), SEND("200 result=0\n"), FAREWELL("OK", ""),
    };
    static const struct peer_step fourth[] = { WAIT(150), SEND(ENV("x")), FAREWELL("BUSY", "route_full") };

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    peer_add(first, COUNT(first));
    peer_add(second, COUNT(second));
    peer_add(third, COUNT(third));
    peer_add(fourth, COUNT(fourth));
    play();
    assert_int_equal(atomic_load(&gate.taken), 0);
}

static void a_wait_that_ends_goes_to_the_fallback(void **state)
{
    struct gate gate = { .max = 1 };
    const struct route_options list[] = {
        { .name = "default", .handler = file_make(holds), .deadline_ms = 5000, .gate = &gate, .queue = 9, .queue_wait_ms = 80,
          .when_full = { "default", "operator", "1" } },
    };
    static const struct peer_step first[] = { SEND(ENV("x")), EXPECT("GET VARIABLE \"A\""), WAIT(400), SEND("200 result=0\n"), FAREWELL("OK", "") };
    static const struct peer_step late[] = {
        WAIT(50), SEND(ENV("x")), EXPECT("EXEC MSet \"SIDETONE_STATUS=BUSY,SIDETONE_REASON=queue_wait,SIDETONE_CALL=17.1\""),
        SEND("200 result=0\n"), EXPECT("SET CONTEXT \"default\""), SEND("200 result=0\n"), EXPECT("SET EXTENSION \"operator\""),
        SEND("200 result=0\n"), EXPECT("SET PRIORITY \"1\""), SEND("200 result=0\n"), END,
    };
    static const struct peer_step gone[] = { WAIT(60), SEND(ENV("x")), SEND("HANGUP\n"), FAREWELL("HANGUP", "hangup") };
    static const struct peer_step left[] = { WAIT(60), SEND(ENV("x")), WAIT(20), { .kind = PEER_CLOSE, .line = __LINE__ } };

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    assert_int_equal(timer_new(&w.timer, w.loop, look, NULL), 0);
    timer_start(w.timer, 800);
    peer_add(first, COUNT(first));
    peer_add(late, COUNT(late));
    peer_add(gone, COUNT(gone));
    peer_add(left, COUNT(left));
    play();
    assert_int_equal(seen[0].sessions, 4);
    assert_int_equal(seen[0].queued, 3);
    assert_int_equal(seen[0].waiting, 0);
    assert_int_equal(seen[0].busy, 1);
    assert_int_equal(atomic_load(&gate.taken), 0);
}

static void waiting_ones_are_told_of_the_end(void **state)
{
    struct gate gate = { .max = 1, .taken = 1 }; /* another loop has the place */
    const struct route_options list[] = {
        { .name = "default", .handler = file_make(holds), .deadline_ms = 5000, .gate = &gate, .queue = 9, .queue_wait_ms = 60000 },
    };
    static const struct peer_step steps[] = { SEND(ENV("x")), FAREWELL("BUSY", "shutdown") };

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    close_after(100, 50);
    peer_add(steps, COUNT(steps));
    play();
    assert_int_equal(atomic_load(&gate.taken), 1);
}

static void all_loops_share_one_ceiling(void **state)
{
    struct gate gate = { .max = 4, .taken = 4 };
    const struct route_options list[] = { { .name = "default", .handler = file_make(holds), .deadline_ms = 5000 } };
    const struct routes_options opt = { .routes = list, .count = 1, .gate = &gate };
    static const struct peer_step steps[] = { SEND(ENV("x")), FAREWELL("BUSY", "sessions_max") };

    (void)state;
    assert_int_equal(routes_open(&w.routes, w.loop, w.engine, &opt, &timeline, &w.log, on_problem, &w), 0);
    listen_now();
    peer_add(steps, COUNT(steps));
    play();
    assert_int_equal(atomic_load(&gate.taken), 4);
}

/* The bulkhead: 40 sessions sleep in one route, which is full then; the other route's 20 all run to their end before any sleeper. */
static void sleepers_do_not_hold_up_others(void **state)
{
    enum { SLEEPERS = 40, TIMED = 20 };
    struct gate gate = { .max = SLEEPERS };
    const struct route_options list[] = {
        { .name = "slow", .handler = file_make("function handle(call) sleep(60000) end"), .deadline_ms = 1500, .gate = &gate },
        { .name = "quick", .handler = file_make("function handle(call) call:get('A') end"), .deadline_ms = 1000 },
    };
    static const struct peer_step sleeps[] = { SEND(ENV("slow")), FAREWELL("TIMEOUT", "deadline") };
    static const struct peer_step over[] = { WAIT(300), SEND(ENV("slow")), FAREWELL("BUSY", "route_full") };
    static const struct peer_step quick[] = { WAIT(300), SEND(ENV("quick")), EXPECT("GET VARIABLE \"A\""), SEND("200 result=0\n"), FAREWELL("OK", "") };

    (void)state;
    assert_int_equal(routes_make(list, 2, 0), 0);
    listen_now();
    for (int i = 0; i < SLEEPERS; i++)
        peer_add(sleeps, COUNT(sleeps));
    peer_add(over, COUNT(over));
    for (int i = 0; i < TIMED; i++)
        peer_add(quick, COUNT(quick));
    play();
    for (size_t i = 0; i < 1 + TIMED; i++) /* the first ends: the one told BUSY, and all quick ones */
        assert_null(strstr(fact_text("agi.end", i), "\"slow\",\"status\":\"TIMEOUT\""));
    for (size_t i = 1 + TIMED; i < 1 + TIMED + SLEEPERS; i++)
        assert_non_null(strstr(fact_text("agi.end", i), "\"slow\",\"status\":\"TIMEOUT\""));
}

/* ---- those who never come to a route ---- */

static struct routes_doors doors;

static void look_at_doors(void *arg)
{
    (void)arg;
    routes_doors(w.routes, &doors);
    close_now(NULL);
}

static void health_checks_and_slow_senders_leave_nothing(void **state)
{
    const struct route_options list[] = { { .name = "default", .handler = file_make(holds), .deadline_ms = 5000 } };
    const struct routes_options opt = { .routes = list, .count = 1, .env_ms = 100 };
    static const struct peer_step check[] = { { .kind = PEER_CLOSE, .line = __LINE__ } };
    static const struct peer_step slow[] = { SEND("agi_network: yes\n"), END };
    static const struct peer_step silent[] = { END };

    (void)state;
    assert_int_equal(routes_open(&w.routes, w.loop, w.engine, &opt, &timeline, &w.log, on_problem, &w), 0);
    listen_now();
    assert_int_equal(timer_new(&w.timer, w.loop, look_at_doors, NULL), 0);
    timer_start(w.timer, 700);
    for (int i = 0; i < 20; i++) {
        peer_add(check, COUNT(check));
        peer_add(slow, COUNT(slow));
        peer_add(silent, COUNT(silent));
    }
    play();
    assert_int_equal(doors.bare, 20);
    assert_int_equal(doors.unfinished, 40);
    assert_int_equal(doors.arriving, 0);
    assert_int_equal(doors.sessions, 0);
    assert_int_equal(w.fact_count, 0);
}

/* ---- facts ---- */

static void hostile_texts_stay_texts(void **state)
{
    const struct route_options list[] = { { .name = "default", .handler = file_make("function handle(call) call:set('CALLERID(name)', '\"}\\\\') end"), .deadline_ms = 5000 } };
    static const struct peer_step steps[] = {
        SEND("agi_network: yes\nagi_uniqueid: 17.1\nagi_callerid: 1\",\"status\":\"OK\nagi_calleridname: \x01\xff</script>\\\n\n"),
        EXPECT("SET VARIABLE \"CALLERID(name)\" \"\\\"}\\\\\""), SEND("200 result=1\n"), FAREWELL("OK", ""),
    };
    cJSON *json;

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    peer_add(steps, COUNT(steps));
    play();
    assert_int_equal(w.fact_count, 1);
    assert_string_equal(w.facts[0]->call, "17.1");
    json = cJSON_Parse(fact_text("agi.end", 0));
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "caller_number")->valuestring, "1\",\"status\":\"OK");
    assert_string_equal(cJSON_GetObjectItem(json, "status")->valuestring, "OK");
    assert_string_equal(cJSON_GetObjectItem(json, "name")->valuestring, "\"}\\");
    assert_int_equal(cJSON_GetObjectItem(json, "commands")->valueint, 1);
    assert_int_equal(cJSON_GetObjectItem(json, "start_told")->valueint, 0);
    assert_true(cJSON_HasObjectItem(json, "command_max_us") && cJSON_HasObjectItem(json, "ms"));
    cJSON_Delete(json);
}

static int number_in(const char *detail, const char *key)
{
    cJSON *json = cJSON_Parse(detail);
    const cJSON *item = cJSON_GetObjectItem(json, key);
    const int n = cJSON_IsNumber(item) ? item->valueint : -1;

    cJSON_Delete(json);
    return n;
}

static size_t facts_of(const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < w.fact_count; i++)
        n += strcmp(w.facts[i]->kind, kind) == 0;
    return n;
}

/* Short ones come and go all the time, before, between and behind those who stay; one leaves when his start is next. */
static void who_stays_a_second_is_told_meanwhile(void **state)
{
    struct gate gate = { .max = 2 };
    const struct route_options list[] = {
        { .name = "slow", .handler = file_make("function handle(call) sleep(60000) end"), .deadline_ms = 2500, .gate = &gate, .queue = 2, .queue_wait_ms = 2000 },
        { .name = "quick", .handler = file_make("function handle(call) call:get('A') end"), .deadline_ms = 1000 },
    };
    static const struct peer_step sleeps[] = { SEND(ENV("slow")), FAREWELL("TIMEOUT", "deadline") };
    static const struct peer_step waits[] = { WAIT(200), SEND(ENV("slow")), FAREWELL("BUSY", "queue_wait") };
    static const struct peer_step early[] = { SEND(ENV("quick")), EXPECT("GET VARIABLE \"A\""), SEND("200 result=0\n"), FAREWELL("OK", "") };
    static const struct peer_step late[] = { WAIT(600), SEND(ENV("quick")), EXPECT("GET VARIABLE \"A\""), WAIT(200), SEND("200 result=0\n"), FAREWELL("OK", "") };
    static const struct peer_step nowhere[] = { SEND(ENV("nowhere")), FAREWELL("ERROR", "no_route") };
    size_t starts = 0;

    (void)state;
    assert_int_equal(routes_make(list, 2, 0), 0);
    listen_now();
    peer_add(early, COUNT(early));
    peer_add(sleeps, COUNT(sleeps));
    peer_add(nowhere, COUNT(nowhere));
    peer_add(sleeps, COUNT(sleeps));
    peer_add(waits, COUNT(waits));
    peer_add(late, COUNT(late));
    play();
    assert_int_equal(facts_of("agi.end"), 6);
    for (size_t i = 0; i < 6; i++) {
        const char *end = fact_text("agi.end", i);
        const bool slow = strstr(end, "\"route\":\"slow\"") != NULL;

        starts += number_in(end, "start_told") == 1;
        if (slow || number_in(end, "ms") < 1000)
            assert_int_equal(number_in(end, "start_told"), slow);
        assert_true((strstr(end, "\"caller_number\":\"1001\"") != NULL) == (strstr(end, "no_route") == NULL));
    }
    assert_true(starts >= 3);
    assert_int_equal(facts_of("agi.start"), starts);
    for (size_t i = 0; i < starts; i++) {
        assert_non_null(strstr(fact_text("agi.start", i), "\"caller_number\":\"1001\",\"caller_name\":\"Ada\",\"channel\":\"X/1\",\"exten\":\"100\",\"context\":\"c\""));
        assert_in_range(number_in(fact_text("agi.start", i), "ms"), 1000, 60000);
    }
}

/* ---- opening ---- */

static void every_broken_handler_is_told(void **state)
{
    const struct route_options list[] = {
        { .name = "a", .handler = file_make("function handle("), .deadline_ms = 1000 }, { .name = "b", .handler = file_make("function handle() end"), .deadline_ms = 1000 }, { .name = "c", .handler = file_make("x = 1"), .deadline_ms = 1000 },
        { .name = "d", .handler = "/nonexistent/d.lua", .deadline_ms = 1000 },
    };

    (void)state;
    assert_int_equal(routes_make(list, 4, 0), -EINVAL);
    assert_int_equal(w.problem_count, 3);
    assert_non_null(strstr(w.problems, "h1.lua:1:"));
    assert_non_null(strstr(w.problems, "h3.lua:1: there is no global function handle"));
    assert_non_null(strstr(w.problems, "/nonexistent/d.lua:1: cannot read it"));
    w.closed = true;
}

static void each_allocation_of_opening_fails_once(void **state)
{
    const struct route_options list[] = { { .name = "a", .handler = file_make("function handle() end"), .deadline_ms = 1000 }, { .name = "b", .handler = w.path[0], .deadline_ms = 1000 } };

    (void)state;
    for (long n = 1; n < 20000; n++) {
        const bool opened = (fail_alloc_at(n), routes_make(list, 2, 0) == 0), hit = fail_alloc_hit();

        fail_alloc_off();
        if (opened) { /* also when Lua collected garbage and tried again */
            w.closed = false;
            close_now(NULL);
            loop_run(w.loop);
            assert_true(w.closed);
        }
        if (!hit) {
            assert_true(opened);
            return;
        }
    }
    fail_msg("opening never ran without a failure");
}

/* ---- reading again ---- */

static void file_change(const char *path, const char *source)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(source, f);
    fclose(f);
}

static size_t fresh[2];

/* While a session of the first version waits: a broken file changes nothing, a good one is for the next session. */
static void reload_twice(void *arg)
{
    (void)arg;
    file_change(w.path[0], "function handle(call) call:finish('OK', 'new' end");
    fresh[0] = routes_reload(w.routes, on_problem, &w);
    file_change(w.path[0], "function handle(call) call:finish('OK', 'new') end");
    fresh[1] = routes_reload(w.routes, on_problem, &w);
}

static void a_new_version_is_for_new_sessions(void **state)
{
    const struct route_options list[] = {
        { .name = "default", .handler = file_make("function handle(call) call:get('A') call:finish('OK', 'old') end"), .deadline_ms = 5000 },
    };
    static const struct peer_step old[] = { SEND(ENV("x")), EXPECT("GET VARIABLE \"A\""), WAIT(300), SEND("200 result=0\n"), FAREWELL("OK", "old") };
    static const struct peer_step new[] = { WAIT(200), SEND(ENV("x")), FAREWELL("OK", "new") };
    struct timer *reload;

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    assert_int_equal(timer_new(&reload, w.loop, reload_twice, NULL), 0);
    timer_start(reload, 100);
    peer_add(old, COUNT(old));
    peer_add(new, COUNT(new));
    play();
    timer_free(reload);
    assert_int_equal(fresh[0], 0);
    assert_int_equal(fresh[1], 1);
    assert_int_equal(w.problem_count, 1);
    assert_non_null(strstr(w.problems, "route default: /tmp/"));
    assert_non_null(strstr(w.problems, "h1.lua:1:"));
}

/* ---- closing ---- */

static void closing_waits_for_those_who_finish(void **state)
{
    const struct route_options list[] = { { .name = "default", .handler = file_make("function handle(call) call:get('A') end"), .deadline_ms = 5000 } };
    static const struct peer_step steps[] = { SEND(ENV("x")), EXPECT("GET VARIABLE \"A\""), WAIT(150), SEND("200 result=0\n"), FAREWELL("OK", "") };
    static const struct peer_step late[] = { WAIT(100), SEND(ENV("x")), FAREWELL("BUSY", "shutdown") };

    (void)state;
    assert_int_equal(routes_make(list, 1, 0), 0);
    listen_now();
    close_after(50, 5000);
    peer_add(steps, COUNT(steps));
    peer_add(late, COUNT(late));
    play();
}

static void closing_ends_those_who_do_not(void **state)
{
    const struct route_options list[] = {
        { .name = "sleepy", .handler = file_make("function handle(call) local ok, e = pcall(sleep, 60000) assert(e.code == 'shutdown') end"), .deadline_ms = 60000 },
        { .name = "busy", .handler = file_make("function handle(call) call:stream_file('x') end"), .deadline_ms = 60000 },
    };
    static const struct peer_step sleepy[] = { SEND(ENV("sleepy")), FAREWELL("ERROR", "shutdown") };
    static const struct peer_step busy[] = { SEND(ENV("busy")), EXPECT("STREAM FILE \"x\" \"\""), FAREWELL3("ERROR", "shutdown") };
    static const struct peer_step silent[] = { SEND("agi_network: yes\n"), END };

    (void)state;
    assert_int_equal(routes_make(list, 2, 0), 0);
    listen_now();
    close_after(100, 50);
    peer_add(sleepy, COUNT(sleepy));
    peer_add(busy, COUNT(busy));
    peer_add(silent, COUNT(silent));
    play();
    assert_non_null(strstr(fact_text("agi.end", 0), "shutdown"));
}

static void closing_with_nobody_inside(void **state)
{
    (void)state;
    assert_int_equal(routes_make(NULL, 0, 0), 0);
    close_now(NULL);
    loop_run(w.loop);
    assert_true(w.closed);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_path_chooses), T(figures_count), T(one_too_many_is_told_busy), T(many_at_once), T(the_queue_is_in_order),
        T(a_wait_that_ends_goes_to_the_fallback), T(waiting_ones_are_told_of_the_end), T(all_loops_share_one_ceiling),
        T(sleepers_do_not_hold_up_others), T(health_checks_and_slow_senders_leave_nothing), T(hostile_texts_stay_texts), T(who_stays_a_second_is_told_meanwhile),
        T(every_broken_handler_is_told), T(each_allocation_of_opening_fails_once), T(a_new_version_is_for_new_sessions), T(closing_waits_for_those_who_finish),
        T(closing_ends_those_who_do_not), T(closing_with_nobody_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
