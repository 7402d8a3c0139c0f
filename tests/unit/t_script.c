/* The script engine as tools see it: results, isolation, budget, memory, waits, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail_alloc.h"
#include "route/script.h"

struct world {
    struct loop *loop;
    struct script_engine *engine;
    struct log_sink sink;
    struct log log;
    char dir[64];
    FILE *log_file;
    /* the store that answers later */
    struct timer *store_timer;
    script_on_value *on_value;
    void *value_arg;
    int store_err;          /* told by get itself */
    int value_err;          /* told later */
    const char *value;
    int64_t store_ms;
    char asked[128];
    /* the outcome of a tool */
    bool done;
    int err;
    char text[65536];
};

static struct world w;

static void on_store_time(void *arg)
{
    script_on_value *const on_value = w.on_value;

    (void)arg;
    w.on_value = NULL;
    on_value(w.value_err, w.value ? text_of(w.value) : TEXT_NONE, w.value_arg);
    if (w.done)
        loop_stop(w.loop);
}

static int store_get(void *arg, struct loop *l, struct text table, struct text key, script_on_value *on_value, void *value_arg)
{
    (void)arg;
    (void)l;
    snprintf(w.asked, sizeof w.asked, "%.*s/%.*s", TEXT_ARG(table), TEXT_ARG(key));
    if (w.store_err)
        return w.store_err;
    w.on_value = on_value;
    w.value_arg = value_arg;
    timer_start(w.store_timer, w.store_ms);
    return 0;
}

static int world_open(const struct script_limits *limits)
{
    const struct script_services services = { .store_get = store_get };

    memset(&w, 0, sizeof w);
    snprintf(w.dir, sizeof w.dir, "/tmp/sidetone-script-XXXXXX");
    if (!mkdtemp(w.dir))
        return -1;
    w.log_file = tmpfile();
    w.sink = (struct log_sink){ .fd = fileno(w.log_file), .level = LOG_INFO };
    w.log = (struct log){ .sink = &w.sink, .module = "test" };
    if (loop_new(&w.loop, &w.log) || timer_new(&w.store_timer, w.loop, on_store_time, NULL))
        return -1;
    return script_engine_new(&w.engine, w.loop, &services, limits, &w.log);
}

static int setup(void **state)
{
    (void)state;
    return world_open(NULL);
}

static int setup_small(void **state)
{
    const struct script_limits limits = { .memory_max = 8 << 20, .budget = 1000000 };

    (void)state;
    return world_open(&limits);
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    script_engine_free(w.engine);
    timer_free(w.store_timer);
    loop_free(w.loop);
    fclose(w.log_file);
    snprintf(command, sizeof command, "%s/x.lua", w.dir);
    unlink(command);
    return rmdir(w.dir);
}

static bool log_has(const char *needle)
{
    static char all[1 << 20];
    const ssize_t n = pread(fileno(w.log_file), all, sizeof all - 1, 0);

    all[n > 0 ? n : 0] = '\0';
    return strstr(all, needle) != NULL;
}

static const char *file_make(const char *source)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/x.lua", w.dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(source, f);
    fclose(f);
    return path;
}

static struct script *load(const char *source)
{
    struct script *s = NULL;
    char *problem;

    if (script_load(&s, w.engine, file_make(source), "run", &problem))
        fail_msg("%s", problem);
    return s;
}

static void on_result(int err, struct text json, void *arg)
{
    (void)arg;
    assert_false(w.done);
    w.done = true;
    w.err = err;
    text_copy(w.text, sizeof w.text, json);
    loop_stop(w.loop);
}

static int tool(struct script *s, const char *args, int64_t deadline_ms)
{
    struct script_run *r;

    w.done = false;
    w.text[0] = '\0';
    assert_int_equal(script_run_tool(&r, s, text_of(args), TEXT("{\"call\":\"1.2\"}"), deadline_ms, on_result, NULL), 0);
    assert_false(w.done); /* never from inside */
    loop_run(w.loop);
    assert_true(w.done);
    return w.err;
}

/* Runs `source` as a tool once. */
static int once(const char *source)
{
    struct script *s = load(source);
    const int err = tool(s, "{}", 5000);

    script_release(s);
    return err;
}

/* The body of run(), which has to return a table. */
static void expect(const char *body, const char *json)
{
    static char source[16384];

    snprintf(source, sizeof source, "function run(args, context)\n%s\nend", body);
    if (once(source) != 0)
        fail_msg("%s\n -> %s", body, w.text);
    assert_string_equal(w.text, json);
}

static void expect_error(const char *body, int err, const char *words)
{
    static char source[16384];

    snprintf(source, sizeof source, "function run(args, context)\n%s\nend", body);
    assert_int_equal(once(source), err);
    if (!strstr(w.text, words))
        fail_msg("%s\n -> %s\n wanted: %s", body, w.text, words);
}

/* ---- results ---- */

static void arguments_and_result(void **state)
{
    struct script *s = load("function run(args, context) return {sum = args.a + args.b, call = context.call, list = {1, 2, 'x'}} end");

    (void)state;
    assert_int_equal(tool(s, "{\"a\":2,\"b\":40}", 1000), 0);
    assert_non_null(strstr(w.text, "\"sum\":42"));
    assert_non_null(strstr(w.text, "\"call\":\"1.2\""));
    assert_non_null(strstr(w.text, "\"list\":[1,2,\"x\"]"));
    script_release(s);
}

static void odd_results(void **state)
{
    (void)state;
    expect("return nil", "{}");
    expect("", "{}");
    expect("return {}", "{}");
    expect_error("return 7", -EINVAL, "has to return a table, and returned a number");
    expect_error("return {f = print or pcall}", -EINVAL, "no word for a function");
    expect_error("local t = {} t.t = t return t", -EINVAL, "more than 32 levels");
}

static void errors_name_file_and_line(void **state)
{
    (void)state;
    expect_error("local x\nreturn x.y", -EINVAL, "x.lua:3:");
    expect_error("error('plain')", -EINVAL, "x.lua:2: plain");
    expect_error("error({})", -EINVAL, "error object is a table");
    expect_error("error()", -EINVAL, "error object is a nil");
    expect_error("error(setmetatable({}, {__tostring = function() while true do end end}))", -EINVAL, "error object is a table");
    assert_true(log_has("event=tool_failed"));
    assert_true(log_has("x.lua:2: plain"));
}

static void bad_arguments_json(void **state)
{
    struct script *s = load("function run(args) return {} end");

    (void)state;
    assert_int_equal(tool(s, "{\"a\":", 1000), -EINVAL);
    assert_non_null(strstr(w.text, "not JSON"));
    assert_int_equal(tool(s, "{} x", 1000), -EINVAL);
    assert_non_null(strstr(w.text, "something follows"));
    script_release(s);
}

/* ---- isolation ---- */

static void two_runs_share_nothing(void **state)
{
    struct script *s = load("count = (count or 0) + 1\n"
                            "function run() n = (n or 0) + 1 string_copy = string return {count = count, n = n, all = count * 10 + n} end");

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tool(s, "{}", 1000), 0);
        assert_non_null(strstr(w.text, "\"all\":11"));
    }
    script_release(s);
}

enum { CROWD = 5 };

static struct {
    unsigned done;
    char text[CROWD][256];
} crowd;

static void on_crowd_result(int err, struct text json, void *arg)
{
    assert_int_equal(err, 0);
    text_copy(crowd.text[*(unsigned *)arg], sizeof crowd.text[0], json);
    if (++crowd.done == CROWD)
        loop_stop(w.loop);
}

/* One compiled file, many runs that wait in the middle of each other: globals, what load() makes, locals of the file, functions made
 * before the wait. Twice, so that the second crowd has the first one's coroutines. */
static void waiting_runs_share_nothing(void **state)
{
    static unsigned numbers[CROWD] = { 0, 1, 2, 3, 4 };
    struct script *s = load("seen = seen or {}\n"
                            "local mine = {}\n"
                            "local function note(x) seen[#seen + 1] = x mine[#mine + 1] = x last = x end\n"
                            "function bump() count = (count or 0) + 1 return count end\n"
                            "function run(args)\n"
                            "local unset_a, unset_b, unset_c, unset_d\n"
                            "local clean = tag == nil and last == nil and (unset_a or unset_b or unset_c or unset_d) == nil\n"
                            "tag = args.tag note(tag) bump()\n"
                            "local loaded = load('bump() return tag')\n"
                            "sleep(args.ms)\n"
                            "note(tag)\n"
                            "local l = loaded()\n"
                            "unset_a, unset_b, unset_c, unset_d = 1, 2, 3, 4\n"
                            "return {tag == args.tag, last == args.tag, l == args.tag, _G.tag == args.tag, clean, #seen, #mine, bump()} end");

    (void)state;
    for (int round = 0; round < 2; round++) {
        crowd.done = 0;
        for (unsigned i = 0; i < CROWD; i++) {
            struct script_run *r;
            char args[64];

            snprintf(args, sizeof args, "{\"tag\":\"t%d.%u\",\"ms\":%u}", round, i, 1 + (i * 7) % 5 * 10);
            assert_int_equal(script_run_tool(&r, s, text_of(args), TEXT("{}"), 5000, on_crowd_result, &numbers[i]), 0);
        }
        loop_run(w.loop);
        for (unsigned i = 0; i < CROWD; i++)
            assert_string_equal(crowd.text[i], "[true,true,true,true,true,2,2,3]");
    }
    script_release(s);
}

/* A run that ends in any way leaves the next one a coroutine with its budget, and nothing else. */
static void a_run_leaves_nothing_to_the_next(void **state)
{
    struct script *s = load("function run(args) local a, b, c\n"
                            "if a or b or c then error('left behind') end\n"
                            "a, b, c = 1, 2, 3\n"
                            "if args.how == 'error' then error('x') end\n"
                            "if args.how == 'loop' then while true do end end\n"
                            "if args.how == 'held' then while true do pcall(string.gsub, 'x', '.', function() while true do end end) end end\n"
                            "if args.how == 'late' then sleep(10000) end\n"
                            "if args.how == 'deep' then local function f(n) if n > 0 then return 1 + f(n - 1) end return 0 end f(5000) end\n"
                            "local t <close> = setmetatable({}, {__close = function() closed = true end})\n"
                            "return {} end");
    static const char *const hows[] = { "error", "loop", "held", "late", "deep" };

    (void)state;
    for (size_t i = 0; i < 25; i++) {
        const char *how = hows[i % 5];
        char args[32];

        snprintf(args, sizeof args, "{\"how\":\"%s\"}", how);
        assert_int_equal(tool(s, "{}", 1000), 0);
        assert_true((tool(s, args, strcmp(how, "late") == 0 ? 20 : 5000) == 0) == (strcmp(how, "deep") == 0));
        assert_null(strstr(w.text, "left behind"));
    }
    script_release(s);
}

/* A new version of a file and its old one, both at work. */
static void an_old_version_goes_on(void **state)
{
    static unsigned numbers[CROWD] = { 0, 1, 2, 3, 4 };
    struct script *s = load("local v = 1 function run(args) sleep(20) return {v} end");
    struct script_run *r;
    char *problem;

    (void)state;
    crowd.done = 0;
    for (unsigned i = 0; i < CROWD - 1; i++)
        assert_int_equal(script_run_tool(&r, s, TEXT("{}"), TEXT("{}"), 5000, on_crowd_result, &numbers[i]), 0);
    (void)file_make("local v = 2 function run(args) return {v} end");
    assert_int_equal(script_reload(&s, &problem), 0);
    assert_int_equal(script_run_tool(&r, s, TEXT("{}"), TEXT("{}"), 5000, on_crowd_result, &numbers[CROWD - 1]), 0);
    script_release(s);
    loop_run(w.loop);
    for (unsigned i = 0; i < CROWD; i++)
        assert_string_equal(crowd.text[i], i == CROWD - 1 ? "[2]" : "[1]");
}

static void libraries_are_read_only(void **state)
{
    (void)state;
    expect_error("string.upper = nil", -EINVAL, "string is read-only");
    expect_error("rawset(string, 'upper', 1)", -EINVAL, "protected");
    expect_error("setmetatable(math, {})", -EINVAL, "protected");
    expect_error("setmetatable(_G, nil)", -EINVAL, "protected");
    expect_error("table.insert(string, 1)", -EINVAL, "read-only");
    expect_error("json.encode = 1", -EINVAL, "json is read-only");
    expect_error("for k, v in pairs(store) do store[k] = 1 end", -EINVAL, "store is read-only");
}

static void metatables_are_hidden(void **state)
{
    (void)state;
    expect("return {getmetatable('') == false and getmetatable(_G) == false and getmetatable(os) == false}", "[true]");
    expect("local n = 0 for k in pairs(os) do n = n + 1 end return {n}", "[4]");
}

static void dangers_are_absent(void **state)
{
    (void)state;
    expect("local found = {} for _, name in ipairs{'io', 'require', 'package', 'debug', 'dofile', 'loadfile', 'coroutine',"
           " 'collectgarbage', 'print', 'warn'} do if _G[name] ~= nil then found[#found + 1] = name end end"
           " for _, name in ipairs{'execute', 'getenv', 'exit', 'remove', 'rename', 'tmpname', 'setlocale'} do"
           " if os[name] ~= nil then found[#found + 1] = name end end"
           " if string.dump or math.randomseed then found[#found + 1] = 'dump' end return {n = #found}",
           "{\"n\":0}");
}

static void load_takes_text_only(void **state)
{
    (void)state;
    expect("x = 5 return {load('return x + 1')()}", "[6]");
    expect("return {load('return x', 'n', 't', {x = 9})()}", "[9]");
    expect("local f, why = load('\\27Lua') return {f == nil, (why:find('binary')) ~= nil}", "[true,true]");
    expect("local f, why = load('return +') return {f == nil}", "[true]");
    expect_error("load(function() return nil end)", -EINVAL, "string expected");
}

static void what_is_left_works(void **state)
{
    (void)state;
    expect("local t = {3, 1, 2} table.sort(t) table.insert(t, 4) table.insert(t, 1, 0) table.remove(t, 1) return t", "[1,2,3,4]");
    expect("return {('x'):rep(3, '-'), utf8.char(228), math.max(1, 2), select('#', 1, 2), table.concat({1, 2}, ',')}",
           "[\"x-x-x\",\"\xc3\xa4\",2,2,\"1,2\"]");
    expect("return {os.time{year = 2026, month = 11, day = 22, hour = 12} > 1700000000, type(os.date()), type(os.clock())}",
           "[true,\"string\",\"number\"]");
    expect("local ok, e = pcall(error, {code = 'x'}) return {ok, e.code}", "[false,\"x\"]");
}

/* ---- budget ---- */

static void runaway_loops_end(void **state)
{
    static const char *const bodies[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(error) end",
        "local function f() return pcall(f) or f() end f()",
        "xpcall(function() while true do end end, function() while true do end end)",
        "('x'):gsub('.', function() while true do end end)",
        "while true do pcall(string.gsub, 'x', '.', function() while true do end end) end",
        "table.sort({3, 2, 1}, function() while true do pcall(function() while true do end end) end end)",
        "local y = setmetatable({}, {__index = function() while true do end end}).x",
        "local x <close> = setmetatable({}, {__close = function() while true do end end})",
        "do local x <close> = setmetatable({}, {__close = function() pcall(function() while true do end end) end}) end while true do end",
        "for i = 1, math.huge do local s = tostring(i) end",
        "repeat local f = load('return 1') until false",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        expect_error(bodies[i], -EINVAL, "");
    expect_error("while true do end", -EINVAL, "runs too long without waiting");
    expect_error("while true do pcall(function() while true do end end) end", -EINVAL, "runs too long without waiting");
    expect("return {1}", "[1]"); /* the engine is as good as before */
}

/* Instructions that cost a lot each: the processor time ends them. */
static void dear_instructions_end(void **state)
{
    (void)state;
    expect_error("local a = ('x'):rep(1000000) local b, c = a .. 'y', a .. 'z' while true do if b == c then return {} end end", -EINVAL,
                 "runs too long");
    expect_error("local t = {} for i = 1, 100000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end", -EINVAL,
                 "runs too long");
}

static unsigned counted;

static void count_result(int err, struct text json, void *arg)
{
    (void)arg;
    counted += err == 0 && text_eq(json, TEXT("[300000]"));
}

/* Counts the turns that others get while a tool computes. */
struct meanwhile {
    struct timer *timer;
    unsigned times;
};

static void on_meanwhile(void *arg)
{
    struct meanwhile *m = arg;

    m->times++;
    timer_start(m->timer, 1);
}

static unsigned turns_during(const char *source, int64_t deadline_ms, int err)
{
    struct meanwhile m = { .times = 0 };
    struct script *s = load(source);

    assert_int_equal(timer_new(&m.timer, w.loop, on_meanwhile, &m), 0);
    timer_start(m.timer, 1);
    assert_int_equal(tool(s, "{}", deadline_ms), err);
    timer_free(m.timer);
    script_release(s);
    return m.times;
}

/* Work of many slices: the result is that of one piece (nested calls, lists of open length, pcall, numbers in between), and the loop
 * went on meanwhile. Before it was cut into slices nobody had a turn between the first and the last instruction. */
static void long_work_lets_others_in(void **state)
{
    (void)state;
    assert_in_range(turns_during("local function pass(...) return ... end\n"
                                 "local function sum(...) local n = 0 for _, v in ipairs({pass(...)}) do n = n + v end return n end\n"
                                 "function run() local n = 0\n"
                                 "  for i = 1, 40000 do n = n + sum(pass(i, pass(1, 2, 3)))\n"
                                 "    local ok, m = pcall(function(...) return select('#', ...) end, pass(i, i)) n = n + m end\n"
                                 "  return {n} end",
                                 20000, 0),
                    3, 1000000);
    assert_string_equal(w.text, "[800340000]");
    assert_in_range(turns_during("function run() while true do end end", 20000, -EINVAL), 3, 1000000);
    assert_non_null(strstr(w.text, "runs too long without waiting"));
}

/* The deadline ends it where it stands, and what it has open is closed. */
static void deadline_in_the_middle_of_work(void **state)
{
    (void)state;
    (void)turns_during("function run() local c <close> = setmetatable({}, {__close = function() log.info('closed') end})\n"
                       "while true do pcall(function() while true do end end) end end",
                       5, -ETIMEDOUT);
    assert_true(log_has("closed"));
    expect("return {1}", "[1]");
}

static void many_who_compute_take_turns(void **state)
{
    enum { RUNS = 5 };
    struct script *s = load("function run(args) local n = 0 for i = 1, 300000 do n = n + 1 end return {n} end");
    struct script_run *r;

    (void)state;
    for (int i = 0; i < RUNS; i++)
        assert_int_equal(script_run_tool(&r, s, TEXT("{}"), TEXT("{}"), 20000, count_result, NULL), 0);
    counted = 0;
    loop_run(w.loop);
    assert_int_equal(counted, RUNS);
    script_release(s);
}

static void library_traps_are_fenced(void **state)
{
    (void)state;
    expect("return {#(''):rep(1 << 62)}", "[0]");
    expect_error("return {('xy'):rep(1 << 40)}", -EINVAL, "would be longer");
    expect_error("table.insert(setmetatable({}, {__len = function() return 1 << 62 end}), 1, 1)", -EINVAL, "__len is not accepted");
    expect_error("table.remove(setmetatable({}, {__len = function() return 1 << 62 end}), 1)", -EINVAL, "__len is not accepted");
    expect_error("table.move({}, 1, 1 << 60, 2)", -EINVAL, "more than 1000000");
    expect_error("table.move({}, math.mininteger, math.maxinteger, 2)", -EINVAL, "");
    expect_error("setmetatable({}, {__gc = function() while true do end end})", -EINVAL, "__gc is not available");
    expect_error("return {(('a'):rep(20000)):find(('.-'):rep(20) .. 'b')}", -EINVAL, "pattern");
    expect_error("return {(('a'):rep(3000)):match('^a*a*a*a*b')}", -EINVAL, "pattern");
    expect("return {(('a'):rep(500000)):find(('a'):rep(250000) .. 'b', 1, true) == nil}", "[true]");
}

static void a_waiting_loop_is_for_the_deadline(void **state)
{
    (void)state;
    struct script *s = load("function run() while true do sleep(0) end end");

    assert_int_equal(tool(s, "{}", 60), -ETIMEDOUT);
    script_release(s);
}

/* ---- memory ---- */

/* One block is bounded, since one instruction may touch all of it. */
static void one_block_is_bounded(void **state)
{
    (void)state;
    expect("local s = 'x' pcall(function() while true do s = s .. s end end) return {#s}", "[2097152]");
    expect("local t = {} pcall(function() for i = 1, 1e6 do t[i] = i end end) return {#t >= 100000, #t <= 262144}", "[true,true]");
}

static void memory_has_a_ceiling(void **state)
{
    (void)state;
    expect("return {1}", "[1]");
    const size_t before = script_engine_memory(w.engine, true);

    expect_error("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", -ENOMEM, "not enough memory");
    expect_error("local s = 'x' while true do s = s .. s end", -ENOMEM, "not enough memory");
    expect_error("local t = {} while true do t = {t} end", -ENOMEM, "not enough memory");
    expect("local ok, why = pcall(function() local s = 'x' while true do s = s .. s end end) return {ok, why}",
           "[false,\"not enough memory\"]");
    assert_true(script_engine_memory(w.engine, true) <= before + 4096);
    expect("return {2}", "[2]");
}

static size_t held[2];
static struct script *greedy;

static void ignore_result(int err, struct text json, void *arg)
{
    (void)err;
    (void)json;
    (void)arg;
}

static void start_greedy(void)
{
    struct script_run *r;

    assert_int_equal(script_run_tool(&r, greedy, TEXT("{}"), TEXT("{}"), 10000, ignore_result, NULL), 0);
}

/* The first greedy run sleeps on what it has taken; five more come. */
static void on_look(void *arg)
{
    struct timer **look = arg;

    if (!held[0]) {
        held[0] = script_engine_memory(w.engine, false);
        for (int i = 0; i < 5; i++)
            start_greedy();
        timer_start(*look, 400);
        return;
    }
    held[1] = script_engine_memory(w.engine, false);
    w.done = true;
}

static void greedy_runs_leave_room(void **state)
{
    const size_t max = 8 << 20; /* setup_small */
    struct timer *look;

    (void)state;
    greedy = load("function run() local t = {} pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end)\n"
                  "sleep(1500) return {#t > 0} end");
    held[0] = held[1] = 0;
    assert_int_equal(timer_new(&look, w.loop, on_look, &look), 0);
    start_greedy();
    timer_start(look, 300);
    loop_run(w.loop);
    assert_true(held[0] > max / 4 && held[0] <= max / 2 + max / 16); /* one alone */
    assert_true(held[1] > max / 2 && held[1] <= max);                /* all together */
    timer_free(look);
    script_release(greedy);
    expect("local t = {} for i = 1, 1000 do t[i] = ('y'):rep(1000) .. i end return {#t}", "[1000]");
}

static void nothing_leaks_over_many_runs(void **state)
{
    struct script *s = load("function run(args) local t = {} for i = 1, 100 do t[i] = {i} end\n"
                            "if args.how == 1 then error('x') elseif args.how == 2 then sleep(1) elseif args.how == 3 then while true do end end\n"
                            "return {#t} end");
    size_t before;

    (void)state;
    for (int i = 0; i < 8; i++)
        (void)tool(s, i % 4 == 0 ? "{\"how\":1}" : "{\"how\":2}", 1000);
    before = script_engine_memory(w.engine, true);
    for (int i = 0; i < 200; i++)
        (void)tool(s, i % 3 == 0 ? "{\"how\":1}" : i % 3 == 1 ? "{\"how\":2}" : i % 50 == 2 ? "{\"how\":3}" : "{}", 1000);
    assert_true(script_engine_memory(w.engine, true) <= before + 2048);
    script_release(s);
}

/* ---- JSON ---- */

static void json_round_trip(void **state)
{
    static const char *const texts[] = {
        "[]", "{}", "[1,2,3]", "[1.5,-7,1e+300]", "{\"a\":[{\"b\":[]}]}", "[true,false,null]", "[\"\\u00e4\\n\\\"\\\\\"]",
        "[9007199254740991,-9007199254740991]", "\"x\"", "17", "null", "[[],[[]],{}]",
    };
    char body[512];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(body, sizeof body,
                 "local a = json.encode(json.decode([==[%s]==])) local b = json.encode(json.decode(a)) return {a == b, #a > 0}", texts[i]);
        expect(body, "[true,true]");
    }
    expect("return {json.encode(json.decode('[1,{\"k\":[]},null,\"\xc3\xa4\"]'))}", "[\"[1,{\\\"k\\\":[]},null,\\\"\xc3\xa4\\\"]\"]");
    expect("return {json.decode('1') == 1, math.type(json.decode('1')), json.decode('null') == json.null}", "[true,\"integer\",true]");
}

static void json_refuses(void **state)
{
    (void)state;
    expect("local ok, e = pcall(json.decode, '[1,') return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.decode, ('['):rep(40) .. (']'):rep(40)) return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.decode, ('['):rep(100000)) return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.decode, '\"' .. ('x'):rep(300000) .. '\"') return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.encode, {1, 2, x = 3}) return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.encode, {[1] = 1, [3] = 3}) return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.encode, 0/0) return {ok, e.code}", "[false,\"json\"]");
    expect("local ok, e = pcall(json.encode, ('x'):rep(300000)) return {ok, e.code}", "[false,\"json\"]");
    expect("return {json.encode('bad \\255 bytes')}", "[\"\\\"bad \xef\xbf\xbd bytes\\\"\"]");
}

/* ---- waits ---- */

static void sleeping_and_closing(void **state)
{
    (void)state;
    expect("local t0 = os.time() sleep(20) sleep(1) return {'woke'}", "[\"woke\"]");
    expect_error("sleep(-1)", -EINVAL, "milliseconds");
    expect("local ok, e = pcall(function() ('x'):gsub('.', function() sleep(1) end) end) return {ok, e.code}", "[false,\"cannot_wait\"]");
    expect("return {pcall(sleep, 5)}", "[true]"); /* a wait inside pcall */
}

static void deadline_is_told_once(void **state)
{
    struct script *s = load("function run()\n"
                            "local mark <close> = setmetatable({}, {__close = function() log.info('mark closed') end})\n"
                            "local ok, e = pcall(sleep, 60000)\n"
                            "log.info('told ' .. e.code .. ' ' .. tostring(e))\n"
                            "local ok2, e2 = pcall(sleep, 60000)\n"
                            "log.info('again ' .. e2.code)\n"
                            "return {ok = true} end");

    (void)state;
    assert_int_equal(tool(s, "{}", 30), -ETIMEDOUT);
    assert_true(log_has("told deadline x.lua:3: deadline: the deadline has passed"));
    assert_true(log_has("again deadline"));
    assert_true(log_has("mark closed"));
    script_release(s);
}

static void close_variables_run_at_every_end(void **state)
{
    static const char *const ends[] = { "error('x')", "while true do end", "sleep(60000)", "" };
    char source[512], word[32];

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(source, sizeof source,
                 "function run() local c <close> = setmetatable({}, {__close = function() log.info('closed %zu') end}) %s end", i, ends[i]);
        struct script *s = load(source);

        (void)tool(s, "{}", 200);
        snprintf(word, sizeof word, "closed %zu", i);
        assert_true(log_has(word));
        script_release(s);
    }
}

static void store_get_answers(void **state)
{
    (void)state;
    w.value = "Ada";
    expect("return {store.get('caller_name', '1001')}", "[\"Ada\"]");
    assert_string_equal(w.asked, "caller_name/1001");
    w.value = NULL;
    expect("return {store.get('caller_name', 1001) == nil}", "[true]");
    w.value_err = -EIO;
    expect("local ok, e = pcall(store.get, 't', 'k') return {ok, e.code, e.text}", "[false,\"store\",\"Input/output error\"]");
    expect_error("return {store.get('t', 'k')}", -EINVAL, "x.lua:2: Input/output error");
    w.store_err = -ENOBUFS;
    expect("local ok, e = pcall(store.get, 't', 'k') return {ok, e.code}", "[false,\"store\"]");
    expect_error("store.get('t')", -EINVAL, "bad argument #2");
}

static void a_late_answer_finds_nobody(void **state)
{
    struct script *s = load("function run() return {store.get('t', 'k')} end");

    (void)state;
    w.store_ms = 80;
    w.value = "late";
    assert_int_equal(tool(s, "{}", 20), -ETIMEDOUT);
    script_release(s);
    assert_non_null(w.on_value);
    loop_run(w.loop); /* the answer comes: nothing happens, nothing leaks */
    assert_null(w.on_value);
}

static void on_stop_time(void *arg)
{
    script_stop(arg);
}

static void stopping_a_tool(void **state)
{
    struct script *s = load("function run() local c <close> = setmetatable({}, {__close = function() log.info('stopped') end})\n"
                            "return {store.get('t', 'k')} end");
    struct script_run *r;
    struct timer *stop;

    (void)state;
    w.store_ms = 60;
    assert_int_equal(script_run_tool(&r, s, TEXT("{}"), TEXT("{}"), 1000, on_result, NULL), 0);
    script_stop(r); /* before it began */
    assert_false(log_has("stopped"));
    assert_int_equal(script_run_tool(&r, s, TEXT("{}"), TEXT("{}"), 1000, on_result, NULL), 0);
    assert_int_equal(timer_new(&stop, w.loop, on_stop_time, r), 0);
    timer_start(stop, 20);
    loop_run(w.loop); /* until the store has answered nobody */
    assert_true(log_has("stopped"));
    assert_false(w.done);
    timer_free(stop);
    script_release(s);
}

static void log_lines_are_bounded(void **state)
{
    (void)state;
    expect("for i = 1, 1000 do log.info('line ' .. i .. ' end\\nforged=1') end return {}", "{}");
    assert_true(log_has("line 100 end"));
    assert_false(log_has("line 101 end"));
    assert_false(log_has("\nforged=1"));
}

/* ---- loading ---- */

static void problem_of(const char *source, int want, const char *words)
{
    struct script *s;
    char *problem;
    const char *path = file_make(source);

    assert_int_equal(script_load(&s, w.engine, path, "run", &problem), want);
    assert_non_null(problem);
    if (strncmp(problem, path, strlen(path)) != 0 || !strstr(problem, words))
        fail_msg("%s (wanted %s)", problem, words);
    assert_null(strchr(problem, '\n'));
    free(problem);
}

static void load_problems_name_the_place(void **state)
{
    struct script *s;
    char *problem;

    (void)state;
    problem_of("function run()\n return +\nend", -EINVAL, "x.lua:2: unexpected symbol");
    problem_of("x = 1", -EINVAL, "x.lua:1: there is no global function run");
    problem_of("\n\nerror('body')", -EINVAL, "x.lua:3: body");
    problem_of("while true do end", -EINVAL, "runs too long");
    problem_of("sleep(1) function run() end", -EINVAL, "cannot wait here");
    problem_of("store.get('a', 'b')", -EINVAL, "cannot wait here");
    problem_of("\033Lua", -EINVAL, "binary");
    problem_of("local t = {} while true do t = {t, ('x'):rep(10000)} end", -EINVAL, "");
    assert_int_equal(script_load(&s, w.engine, "/nonexistent/x.lua", "run", &problem), -ENOENT);
    assert_string_equal(problem, "/nonexistent/x.lua:1: cannot read it: No such file or directory");
    free(problem);
    s = load("#!/usr/bin/lua\nfunction run() return {} end");
    script_release(s);
}

/* ---- allocation failure ---- */

static void each_allocation_fails_once(void **state)
{
    const struct script_services services = { .store_get = store_get };
    const char *path = file_make("function run(args) return {x = args} end");

    (void)state;
    for (long n = 1;; n++) {
        struct script_engine *e;
        struct script *s;
        struct script_run *r = NULL;
        char *problem = NULL;
        bool hit;

        fail_alloc_at(n);
        if (script_engine_new(&e, w.loop, &services, NULL, &w.log) == 0) {
            if (script_load(&s, e, path, "run", &problem) == 0) {
                w.done = false;
                if (script_run_tool(&r, s, TEXT("{\"a\":[1,2]}"), TEXT("{}"), 1000, on_result, NULL) == 0)
                    loop_run(w.loop);
                script_release(s);
            }
            free(problem);
            script_engine_free(e);
        }
        hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit)
            break;
        assert_true(n < 20000);
    }
    assert_true(w.done);
    assert_int_equal(w.err, 0);
}

static void reference_is_made_from_the_table(void **state)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    script_verbs_print(f);
    fclose(f);
    assert_non_null(strstr(text, "`call:stream_file("));
    assert_non_null(strstr(text, "`store.get(table, key)`"));
    free(text);
}

int main(void)
{
#define NORMAL(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define SMALL(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown)
    const struct CMUnitTest tests[] = {
        NORMAL(arguments_and_result), NORMAL(odd_results), NORMAL(errors_name_file_and_line), NORMAL(bad_arguments_json),
        NORMAL(two_runs_share_nothing), NORMAL(waiting_runs_share_nothing), NORMAL(a_run_leaves_nothing_to_the_next), NORMAL(an_old_version_goes_on), NORMAL(libraries_are_read_only), NORMAL(metatables_are_hidden), NORMAL(dangers_are_absent),
        NORMAL(load_takes_text_only), NORMAL(what_is_left_works),
        SMALL(runaway_loops_end), NORMAL(dear_instructions_end), NORMAL(long_work_lets_others_in),
        NORMAL(deadline_in_the_middle_of_work), NORMAL(many_who_compute_take_turns), NORMAL(library_traps_are_fenced), NORMAL(a_waiting_loop_is_for_the_deadline),
        NORMAL(one_block_is_bounded), SMALL(memory_has_a_ceiling), SMALL(greedy_runs_leave_room), SMALL(nothing_leaks_over_many_runs),
        NORMAL(json_round_trip), NORMAL(json_refuses),
        NORMAL(sleeping_and_closing), NORMAL(deadline_is_told_once), NORMAL(close_variables_run_at_every_end),
        NORMAL(store_get_answers), NORMAL(a_late_answer_finds_nobody), NORMAL(stopping_a_tool), NORMAL(log_lines_are_bounded),
        SMALL(load_problems_name_the_place), NORMAL(each_allocation_fails_once), NORMAL(reference_is_made_from_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
