/* Lua for one loop: AGI handlers and the tools of agents. Each run is one coroutine with its own environment, an instruction budget
 * a resume, and a share of the engine's memory ceiling. What reads as blocking yields. Thread: its loop.
 * docs/internals/scripts.md tells the verbs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/hist.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "pbx/agi_session.h"

struct script_engine;
struct script;
struct script_run;

/* What handlers may reach outside the loop; wired by the application. get: err 0 and a value, or value TEXT_NONE when there is no
 * such row; negative: -EINVAL (bad table name), -EIO... on_value runs once, on the loop, never from inside get. */
typedef void script_on_value(int err, struct text value, void *arg);
/* put: err 0 when the row is safe. As with get, once, on the loop, never from inside. */
typedef void script_on_put(int err, void *arg);
typedef void script_on_http(int err, int status, struct text body, void *arg);
struct script_services {
    int (*store_get)(void *arg, struct loop *l, struct text table, struct text key, script_on_value *on_value, void *value_arg);
    int (*store_put)(void *arg, struct loop *l, struct text table, struct text key, struct text value, script_on_put *on_put,
                     void *put_arg);
    /* Answers http.get and http.post in the dialer's place, to every host; NULL: the dialer does. Otherwise as store_get. */
    int (*http)(void *arg, struct loop *l, struct text method, struct text url, script_on_http *on_http, void *http_arg);
    void *arg;
    struct dialer *dialer;         /* for http; NULL: none. Outlives the engine */
};

struct script_limits {
    size_t memory_max;             /* of the whole engine, bytes; 0 = 64 MiB */
    int budget;                    /* Lua instructions a resume; 0 = 10,000,000 */
};

int script_engine_new(struct script_engine **out, struct loop *l, const struct script_services *services,
                      const struct script_limits *limits, const struct log *log) MUST_USE;
void script_engine_free(struct script_engine *e); /* no runs may be left */

/* Reads and compiles a file, runs its body once to check it, and wants a global function `entry`. -EINVAL with one line in
 * *problem (malloc'ed: file:line: text); -ENOENT... Counted by base/ref.h: hold while calls use it. */
int script_load(struct script **out, struct script_engine *e, const char *path, const char *entry, char **problem) MUST_USE;
void script_release(struct script *s);
/* Reads the file of *s again. 0: *s is the new version (the old one lives on in its runs). Otherwise *s stays, and as above. */
int script_reload(struct script **s, char **problem) MUST_USE;
/* Grants http to these hosts, "api.example.com, 10.0.0.5:8080" (copied; NULL: none). Without a port: the scheme's own. 0 or -ENOMEM. */
int script_grant_http(struct script *s, const char *hosts) MUST_USE;

enum { SCRIPT_NAME_MAX = 120 };

struct script_figures {
    unsigned commands;
    int64_t command_max_us, command_sum_us;
    char name[SCRIPT_NAME_MAX + 1]; /* the last CALLERID(name) that Asterisk took from the handler; "" when none */
};

/* handle(call) for an AGI session. The run takes the session's handlers; on_done runs once, last, when the session is closed.
 * status is what the channel was told. deadline_ms covers everything from now on.
 * command_hist (may be NULL): every command's latency in microseconds. */
typedef void script_on_done(enum agi_end status, struct text reason, const struct script_figures *f, void *arg);
int script_run_agi(struct script_run **out, struct script *s, struct agi_session *session, struct text call_id, int64_t deadline_ms,
                   struct hist *command_hist, script_on_done *on_done, void *arg) MUST_USE;

/* Who looks on: told each question to store or http with its answer, in the written form of route/asked.h, until on_done. To be
 * called right behind script_run_agi. */
typedef void script_on_asked(struct text question, struct text answer, void *arg);
void script_run_watch(struct script_run *r, script_on_asked *on_asked, void *arg);

/* run(args, context) for a tool: both JSON objects, given as Lua tables; the returned table goes back as a JSON object.
 * err 0, or negative and one sentence. */
typedef void script_on_result(int err, struct text json, void *arg);
int script_run_tool(struct script_run **out, struct script *s, struct text args, struct text context, int64_t deadline_ms,
                    script_on_result *on_result, void *arg) MUST_USE;
/* A tool run: on_result does not run any more. An AGI run: it ends with ERROR, reason "shutdown"; on_done follows. */
void script_stop(struct script_run *r);

/* Bytes that Lua holds now; after_collect: once all garbage is gone (slow, for tests and the console). */
size_t script_engine_memory(struct script_engine *e, bool after_collect);
/* The handler reference (docs/handlers.md), made from the table of verbs. */
void script_verbs_print(FILE *out);
