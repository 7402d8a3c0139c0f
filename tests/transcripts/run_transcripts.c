/* Plays transcripts of FastAGI conversations against the real routes, script engine and session, over loopback on a real loop.
 *
 * A transcript is a text file:
 *   # a comment
 *   handler: <<lua              the route "test", up to a line >>
 *   handler-file: path          ... or a file, from the folder of the transcript
 *   tool-file: path             no conversation: run(args, context) of this file, with
 *   args: JSON                  and `expect result=JSON` or `expect failure=TEXT`
 *   store: table key value      rows that store.get finds
 *   store: hang hang hang       ... or store.get answers only after a second
 *   deadline: 300ms             of the route (default 5s)
 *   idle: 300ms                 its longest wait for one reply (default 60s)
 *   > text                      Asterisk says this line
 *   >> text                     ... without its LF; \n \r \0 \\ \xHH are understood
 *   < text                      we must say exactly this line
 *   env [path]                  Asterisk sends a usual environment, without the blank line at its end; path: agi_network_script
 *   fill N                      Asterisk sends N times "x"
 *   finish STATUS "REASON"      we set the three variables in one command, Asterisk says 200 result=0, and we close
 *   finish3 STATUS "REASON"     ... with three commands: behind one that still runs, or for a reason that MSet would change
 *   wait 50ms | quiet 50ms      Asterisk waits; quiet: and nothing may come meanwhile
 *   close | reset | end         Asterisk closes, resets; we must have closed without a further byte
 *   expect put=TEXT             store.put was called so: "table key value" begins with TEXT
 *   expect status=OK reason=.. commands=N name=.. handoff=.. route=..     of the facts published
 *   expect log=TEXT | nolog=TEXT | nofacts
 */
#include <cjson/cJSON.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>

#include "../unit/agi_peer.h"
#include "route/routes.h"

enum { STEPS_MAX = 400, ROWS_MAX = 16, EXPECTS_MAX = 32, FACTS_MAX = 16, GUARD_MS = 20000 };

struct row {
    char *table, *key, *value;
};

struct play {
    const char *path;
    char *text;                         /* the file; pieces below point into it or are owned */
    char handler_path[PATH_MAX];
    char *handler, *args;
    bool is_file, is_tool;
    int tool_err;
    char tool_text[4096];
    int64_t deadline_ms, idle_ms;
    struct peer_step steps[STEPS_MAX];
    size_t step_count;
    char *owned[STEPS_MAX];
    size_t owned_count;
    struct row rows[ROWS_MAX];
    size_t row_count;
    char put[1024];                     /* the last store.put */
    script_on_put *on_put;
    void *put_arg;
    char *expects[EXPECTS_MAX];
    int expect_lines[EXPECTS_MAX];
    size_t expect_count;

    struct loop *loop;
    struct routes *routes;
    struct listener *listener;
    struct agi_peer peer;
    struct fact *facts[FACTS_MAX];
    size_t fact_count;
    FILE *log_file;
    bool hung;
    char failure[2048];
};

static void fail(struct play *p, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void fail(struct play *p, int line, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (p->failure[0])
        return;
    n = snprintf(p->failure, sizeof p->failure, "%s:%d: ", p->path, line);
    va_start(ap, fmt);
    vsnprintf(p->failure + n, sizeof p->failure - (size_t)n, fmt, ap);
    va_end(ap);
}

/* ---- reading the file ---- */

static char *own(struct play *p, char *s)
{
    if (p->owned_count < STEPS_MAX)
        p->owned[p->owned_count++] = s;
    return s;
}

static struct peer_step *step_add(struct play *p, enum peer_kind kind, const char *text, int line)
{
    static struct peer_step spare;
    struct peer_step *s = p->step_count < STEPS_MAX ? &p->steps[p->step_count++] : &spare;

    *s = (struct peer_step){ .kind = kind, .text = text, .line = line };
    return s;
}

static char *printed(struct play *p, const char *fmt, const char *a)
{
    char *s = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (asprintf(&s, fmt, a) < 0)
        abort();
#pragma GCC diagnostic pop
    return own(p, s);
}

static size_t unescape(char *s)
{
    char *out = s;
    char *const begin = s;

    for (; *s; s++) {
        if (*s != '\\') {
            *out++ = *s;
            continue;
        }
        switch (*++s) {
        case 'n':
            *out++ = '\n';
            break;
        case 'r':
            *out++ = '\r';
            break;
        case '0':
            *out++ = '\0';
            break;
        case 'x': {
            const char hex[3] = { s[1], s[1] ? s[2] : '\0', '\0' };

            *out++ = (char)strtol(hex, NULL, 16);
            s += strlen(hex);
            break;
        }
        default:
            *out++ = *s;
        }
    }
    *out = '\0';
    return (size_t)(out - begin);
}

static void env_add(struct play *p, const char *path, int line)
{
    static const char *const rest = "agi_channel: PJSIP/trunk-0000002a\nagi_language: en\nagi_type: PJSIP\nagi_uniqueid: 1700000000.42\n"
                                    "agi_version: 22.10.1\nagi_callerid: 1001\nagi_calleridname: unknown\nagi_callingpres: 0\n"
                                    "agi_dnid: 200\nagi_rdnis: unknown\nagi_context: default\nagi_extension: 200\nagi_priority: 1\n"
                                    "agi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 140000000000000\n";

    step_add(p, PEER_SEND, "agi_network: yes\n", line);
    if (strcmp(path, "-") != 0)
        step_add(p, PEER_SEND, printed(p, "agi_network_script: %s\n", path), line);
    step_add(p, PEER_SEND, printed(p, "agi_request: agi://127.0.0.1/%s\n", path), line);
    step_add(p, PEER_SEND, rest, line);
}

static void finish_add(struct play *p, char *args, int line)
{
    char *reason = strchr(args, ' '), *command = NULL;

    if (!reason || strlen(reason) < 3) {
        fail(p, line, "finish STATUS \"REASON\"");
        return;
    }
    *reason = '\0';
    if (asprintf(&command, "EXEC MSet \"SIDETONE_STATUS=%s,SIDETONE_REASON=%.*s,SIDETONE_CALL=1700000000.42\"", args,
                 (int)strlen(reason + 2) - 1, reason + 2) < 0)
        abort();
    step_add(p, PEER_EXPECT, own(p, command), line);
    step_add(p, PEER_SEND, "200 result=0\n", line);
    step_add(p, PEER_END, NULL, line);
}

static void finish_three_add(struct play *p, char *args, int line)
{
    char *reason = strchr(args, ' ');

    if (!reason) {
        fail(p, line, "finish STATUS \"REASON\"");
        return;
    }
    *reason++ = '\0';
    step_add(p, PEER_EXPECT, printed(p, "SET VARIABLE SIDETONE_STATUS \"%s\"", args), line);
    step_add(p, PEER_SEND, "200 result=1\n", line);
    step_add(p, PEER_EXPECT, printed(p, "SET VARIABLE SIDETONE_REASON %s", reason), line);
    step_add(p, PEER_SEND, "200 result=1\n", line);
    step_add(p, PEER_EXPECT, "SET VARIABLE SIDETONE_CALL \"1700000000.42\"", line);
    step_add(p, PEER_SEND, "200 result=1\n", line);
    step_add(p, PEER_END, NULL, line);
}

static void fill_add(struct play *p, const char *count, int line)
{
    const size_t n = (size_t)strtoul(count, NULL, 10);
    char *s = malloc(n + 1);

    if (!s)
        abort();
    memset(s, 'x', n);
    s[n] = '\0';
    step_add(p, PEER_SEND, own(p, s), line);
}

static void row_add(struct play *p, char *args, int line)
{
    char *key = strchr(args, ' '), *value = key ? strchr(key + 1, ' ') : NULL;

    if (!value || p->row_count == ROWS_MAX) {
        fail(p, line, "store: table key value");
        return;
    }
    *key++ = *value++ = '\0';
    p->rows[p->row_count++] = (struct row){ .table = args, .key = key, .value = value };
}

/* A path of a transcript counts from its own folder. */
static void file_add(struct play *p, const char *path, bool is_tool)
{
    const char *slash = strrchr(p->path, '/');

    snprintf(p->handler_path, sizeof p->handler_path, "%.*s%s", slash ? (int)(slash - p->path) + 1 : 0, p->path, path);
    p->is_file = true;
    p->is_tool = is_tool;
}

static void word_take(struct play *p, char *line, int number)
{
    char *args = strchr(line, ' ');
    int64_t ms;

    if (args)
        *args++ = '\0';
    if (strcmp(line, "env") == 0)
        env_add(p, args ? args : "test", number);
    else if (strcmp(line, "finish") == 0 && args)
        finish_add(p, args, number);
    else if (strcmp(line, "finish3") == 0 && args)
        finish_three_add(p, args, number);
    else if (strcmp(line, "fill") == 0 && args)
        fill_add(p, args, number);
    else if (strcmp(line, "store:") == 0 && args)
        row_add(p, args, number);
    else if (strcmp(line, "handler-file:") == 0 && args)
        file_add(p, args, false);
    else if (strcmp(line, "tool-file:") == 0 && args)
        file_add(p, args, true);
    else if (strcmp(line, "args:") == 0 && args)
        p->args = args;
    else if (strcmp(line, "deadline:") == 0 && text_to_ms(text_of(args), &ms) == 0)
        p->deadline_ms = ms;
    else if (strcmp(line, "idle:") == 0 && text_to_ms(text_of(args), &ms) == 0)
        p->idle_ms = ms;
    else if (strcmp(line, "wait") == 0 && text_to_ms(text_of(args), &ms) == 0)
        step_add(p, PEER_WAIT, NULL, number)->ms = ms;
    else if (strcmp(line, "quiet") == 0 && text_to_ms(text_of(args), &ms) == 0)
        step_add(p, PEER_QUIET, NULL, number)->ms = ms;
    else if (strcmp(line, "close") == 0)
        step_add(p, PEER_CLOSE, NULL, number);
    else if (strcmp(line, "reset") == 0)
        step_add(p, PEER_RESET, NULL, number);
    else if (strcmp(line, "end") == 0)
        step_add(p, PEER_END, NULL, number);
    else if (strcmp(line, "expect") == 0 && args && p->expect_count < EXPECTS_MAX) {
        p->expects[p->expect_count] = args;
        p->expect_lines[p->expect_count++] = number;
    } else
        fail(p, number, "not understood: %s", line);
}

static void line_take(struct play *p, char *line, int number)
{
    struct peer_step *s;

    if (line[0] == '#' || !line[0])
        return;
    if (strncmp(line, ">> ", 3) == 0) {
        s = step_add(p, PEER_SEND, line + 3, number);
        s->n = unescape(line + 3);
    } else if (line[0] == '>') {
        step_add(p, PEER_SEND, printed(p, "%s\n", line[1] ? line + 2 : ""), number);
    } else if (strncmp(line, "< ", 2) == 0) {
        step_add(p, PEER_EXPECT, line + 2, number);
    } else {
        word_take(p, line, number);
    }
}

static bool parse(struct play *p)
{
    FILE *f = fopen(p->path, "re");
    size_t size = 0;
    char *at, *line;
    int number = 0;

    if (!f || getdelim(&p->text, &size, '\0', f) < 0) {
        fail(p, 0, "cannot be read");
        if (f)
            fclose(f);
        return false;
    }
    fclose(f);
    at = p->text;
    while ((line = strsep(&at, "\n"))) {
        number++;
        if (strncmp(line, "handler: <<lua", 14) != 0) {
            line_take(p, line, number);
            continue;
        }
        p->handler = at;
        while ((line = strsep(&at, "\n")) && strcmp(line, ">>") != 0) {
            number++;
            if (at)
                at[-1] = '\n'; /* one text again */
        }
        number++;
        if (!line) {
            fail(p, number, "the handler does not end");
            return false;
        }
        line[0] = '\0';
    }
    if (!p->handler && !p->is_file)
        fail(p, 1, "no handler");
    return !p->failure[0];
}

/* ---- playing ---- */

static int store_get(void *arg, struct loop *l, struct text table, struct text key, script_on_value *on_value, void *value_arg);

struct lookup {
    script_on_value *on_value;
    void *arg;
    struct text value;
    struct timer *late;
};

static void store_answer(void *arg)
{
    struct lookup *k = arg;

    k->on_value(0, k->value, k->arg);
    free(k);
}

static void store_answer_late(void *arg)
{
    struct lookup *k = arg;

    timer_free(k->late);
    store_answer(k);
}

static int store_get(void *arg, struct loop *l, struct text table, struct text key, script_on_value *on_value, void *value_arg)
{
    const struct play *p = arg;
    struct lookup *k = calloc(1, sizeof *k);
    int err;

    if (!k)
        return -ENOMEM;
    *k = (struct lookup){ .on_value = on_value, .arg = value_arg };
    for (size_t i = 0; i < p->row_count; i++)
        if (text_eq(text_of(p->rows[i].table), table) && text_eq(text_of(p->rows[i].key), key))
            k->value = text_of(p->rows[i].value);
    if (text_eq(table, TEXT("hang"))) {
        err = timer_new(&k->late, l, store_answer_late, k);
        if (!err)
            timer_start(k->late, 1000);
    } else {
        err = loop_post(l, store_answer, k);
    }
    if (err)
        free(k);
    return err;
}

static void put_answer(void *arg)
{
    struct play *p = arg;

    p->on_put(0, p->put_arg);
}

static int store_put(void *arg, struct loop *l, struct text table, struct text key, struct text value, script_on_put *on_put, void *put_arg)
{
    struct play *p = arg;

    p->on_put = on_put;
    p->put_arg = put_arg;
    snprintf(p->put, sizeof p->put, "%.*s %.*s %.*s", TEXT_ARG(table), TEXT_ARG(key), TEXT_ARG(value));
    return loop_post(l, put_answer, p);
}

static bool publish(void *arg, struct fact *f)
{
    struct play *p = arg;

    if (p->fact_count == FACTS_MAX) {
        fact_free(f);
        return false;
    }
    (void)fact_detail(f); /* the tests read it */
    p->facts[p->fact_count++] = f;
    return true;
}

static void on_problem(const char *line, void *arg)
{
    fail(arg, 1, "%s", line);
}

static void on_routes_closed(void *arg)
{
    struct play *p = arg;

    p->routes = NULL;
    loop_stop(p->loop);
}

static void on_peer_done(struct agi_peer *peer, void *arg)
{
    struct play *p = arg;

    if (peer->failure[0])
        fail(p, peer->at < peer->count ? peer->steps[peer->at].line : 0, "%s", peer->failure);
    listener_close(p->listener);
    routes_close(p->routes, 6000, on_routes_closed, p);
}

static void on_guard(void *arg)
{
    struct play *p = arg;

    p->hung = true;
    fail(p, 0, "did not come to an end");
    loop_stop(p->loop);
}

static bool handler_write(struct play *p)
{
    if (p->is_file)
        return true;

    const int fd = mkstemps(strcpy(p->handler_path, "/tmp/sidetone-transcript-XXXXXX.lua"), 4);
    const bool ok = fd >= 0 && write(fd, p->handler, strlen(p->handler)) == (ssize_t)strlen(p->handler);

    if (fd >= 0)
        close(fd);
    if (!ok)
        fail(p, 0, "cannot write %s", p->handler_path);
    return ok;
}

static void on_result(int err, struct text json, void *arg)
{
    struct play *p = arg;

    p->tool_err = err;
    (void)text_copy(p->tool_text, sizeof p->tool_text, json);
    loop_stop(p->loop);
}

static void play_tool(struct play *p)
{
    const struct log_sink sink = { .fd = fileno(p->log_file), .level = LOG_DEBUG };
    const struct log log = { .sink = &sink, .module = "transcript" };
    const struct script_services services = { .store_get = store_get, .store_put = store_put, .arg = p };
    struct script_engine *engine = NULL;
    struct script *script;
    struct script_run *tool;
    char *problem;

    if (loop_new(&p->loop, &log) || script_engine_new(&engine, p->loop, &services, NULL, &log))
        abort();
    if (script_load(&script, engine, p->handler_path, "run", &problem)) {
        fail(p, 1, "%s", problem ? problem : "cannot be loaded");
        free(problem);
    } else {
        if (script_run_tool(&tool, script, text_of(p->args), TEXT_NONE, p->deadline_ms, on_result, p))
            abort();
        loop_run(p->loop);
        script_release(script);
    }
    script_engine_free(engine);
    loop_free(p->loop);
}

static void play(struct play *p)
{
    const struct log_sink sink = { .fd = fileno(p->log_file), .level = LOG_DEBUG };
    const struct log log = { .sink = &sink, .module = "transcript" };
    const struct timeline timeline = { .publish = publish, .arg = p };
    const struct script_services services = { .store_get = store_get, .store_put = store_put, .arg = p };
    const struct route_options route = { .name = "test", .handler = p->handler_path, .deadline_ms = p->deadline_ms, .idle_ms = p->idle_ms };
    const struct routes_options options = { .routes = &route, .count = 1, .sessions_max = 8 };
    struct address at = { .host = "127.0.0.1" };
    struct script_engine *engine = NULL;
    struct timer *guard = NULL;

    if (loop_new(&p->loop, &log) || script_engine_new(&engine, p->loop, &services, NULL, &log) || timer_new(&guard, p->loop, on_guard, p))
        abort();
    if (routes_open(&p->routes, p->loop, engine, &options, &timeline, &log, on_problem, p) == 0) {
        if (listener_open(&p->listener, p->loop, &at, &(struct listener_options){ .max_streams = 4 }, routes_accept, p->routes))
            abort();
        listener_address(p->listener, &at);
        timer_start(guard, GUARD_MS);
        if (peer_start(&p->peer, p->loop, &at, p->steps, p->step_count, on_peer_done, p))
            abort();
        loop_run(p->loop);
        if (p->hung)
            return; /* nothing can be freed in order: it is reported, and the process ends soon */
        peer_free(&p->peer);
    }
    timer_free(guard);
    script_engine_free(engine);
    loop_free(p->loop);
}

/* ---- judging ---- */

static struct text fact_get(struct play *p, const char *kind, const char *key, char *out, size_t size)
{
    for (size_t i = 0; i < p->fact_count; i++) {
        cJSON *json;
        const cJSON *item;

        if (strcmp(p->facts[i]->kind, kind) != 0)
            continue;
        json = cJSON_Parse(p->facts[i]->detail);
        item = cJSON_GetObjectItemCaseSensitive(json, key);
        if (cJSON_IsNumber(item))
            snprintf(out, size, "%.0f", item->valuedouble);
        else
            snprintf(out, size, "%s", cJSON_IsString(item) ? item->valuestring : "(none)");
        cJSON_Delete(json);
        return text_of(out);
    }
    return TEXT("(no such fact)");
}

static bool log_has(const struct play *p, const char *needle)
{
    static char all[1 << 20];
    const ssize_t n = pread(fileno(p->log_file), all, sizeof all - 1, 0);

    all[n > 0 ? n : 0] = '\0';
    return strstr(all, needle) != NULL;
}

static void judge(struct play *p, const char *expect, int line)
{
    static const struct {
        const char *name, *kind, *key;
    } known[] = {
        { "status", "agi.end", "status" }, { "reason", "agi.end", "reason" },   { "commands", "agi.end", "commands" },
        { "route", "agi.end", "route" },   { "name", "agi.end", "name" },
        { "caller", "agi.end", "caller_number" }, { "caller_name", "agi.end", "caller_name" },
    };
    const char *value = strchr(expect, '=');
    char got[4096];

    if (strcmp(expect, "nofacts") == 0) {
        if (p->fact_count > 0)
            fail(p, line, "facts were published");
        return;
    }
    if (!value) {
        fail(p, line, "expect name=value");
        return;
    }
    if (p->is_tool) {
        if ((strncmp(expect, "result=", 7) == 0) != (p->tool_err == 0) || !strstr(p->tool_text, value + 1))
            fail(p, line, "expect %s, but it is %d, %s", expect, p->tool_err, p->tool_text);
        return;
    }
    if (strncmp(expect, "put=", 4) == 0) {
        if (strncmp(p->put, value + 1, strlen(value + 1)) != 0)
            fail(p, line, "%s, but it is %s", expect, p->put);
        return;
    }
    if (strncmp(expect, "log=", 4) == 0 || strncmp(expect, "nolog=", 6) == 0) {
        if (log_has(p, value + 1) != (expect[0] == 'l'))
            fail(p, line, "log: %s", expect);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(expect, known[i].name, (size_t)(value - expect)) != 0 || known[i].name[value - expect])
            continue;
        const struct text t = fact_get(p, known[i].kind, known[i].key, got, sizeof got);

        if (!text_eq(t, text_of(value + 1)))
            fail(p, line, "expect %s, but it is %.*s", expect, TEXT_ARG(t));
        return;
    }
    fail(p, line, "not understood: expect %s", expect);
}

static bool run(const char *path, bool loud)
{
    struct play *p = calloc(1, sizeof *p);
    char all[65536];
    bool ok;

    if (!p)
        abort();
    p->path = path;
    p->deadline_ms = 5000;
    p->log_file = tmpfile();
    if (parse(p) && handler_write(p)) {
        if (p->is_tool)
            play_tool(p);
        else
            play(p);
    }
    for (size_t i = 0; i < p->expect_count && !p->failure[0]; i++)
        judge(p, p->expects[i], p->expect_lines[i]);
    ok = !p->failure[0];
    printf("%s %s\n", ok ? "ok    " : "FAILED", path);
    if (!ok || loud) {
        const ssize_t n = pread(fileno(p->log_file), all, sizeof all, 0);

        printf("  %s\n%.*s", p->failure, (int)(n > 0 ? n : 0), all);
        for (size_t i = 0; i < p->fact_count; i++)
            printf("  fact %s %s %s\n", p->facts[i]->call, p->facts[i]->kind, p->facts[i]->detail);
    }
    if (p->handler_path[0] && !p->is_file)
        unlink(p->handler_path);
    if (p->hung)
        return false;
    for (size_t i = 0; i < p->fact_count; i++)
        fact_free(p->facts[i]);
    for (size_t i = 0; i < p->owned_count; i++)
        free(p->owned[i]);
    fclose(p->log_file);
    free(p->text);
    free(p);
    return ok;
}

static void run_all(const char *path, bool loud, int *passed, int *failed)
{
    struct stat st;
    char pattern[PATH_MAX];
    glob_t found;

    snprintf(pattern, sizeof pattern, stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? "%s/*.txt" : "%s", path);
    if (glob(pattern, GLOB_NOMAGIC, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (run(found.gl_pathv[i], loud))
            ++*passed;
        else
            ++*failed;
    }
    globfree(&found);
}

/* Arguments: [-v] files or folders. */
int main(int argc, char **argv)
{
    const bool loud = argc > 1 && strcmp(argv[1], "-v") == 0;
    int passed = 0, failed = 0;

    for (int i = loud ? 2 : 1; i < argc; i++)
        run_all(argv[i], loud, &passed, &failed);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
