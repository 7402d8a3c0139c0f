/* What the files of the script engine share; nobody outside src/route includes this.
 *
 * Rules of the house. Nothing of Lua that can raise is called outside a protected call: values reach a waiting coroutine through
 * run->answer, and the verb's continuation (which runs protected) turns them into Lua values. A C function owns nothing across a
 * point that can raise: what must be freed hangs on the run or the engine. Lua never runs inside Lua's own resume. */
#pragma once

#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/buf.h"
#include "route/script.h"

enum {
    SCRIPT_REASON_MAX = 200,
    SCRIPT_PROBLEM_MAX = 400,
    SCRIPT_HOOK_STEP = 1000,        /* instructions between two looks at the budget */
    SCRIPT_JSON_MAX = 256 * 1024,   /* bytes of one JSON text, in or out */
    SCRIPT_FILE_MAX = 1024 * 1024,  /* bytes of one handler file, or of one text given to load() */
    SCRIPT_LOGS_MAX = 100,          /* log lines of one run */
    SCRIPT_TEXT_MAX = 1024 * 1024,  /* longest result of string.rep */
    SCRIPT_BLOCK_MAX = 4 * 1024 * 1024, /* one allocation: bounds what one instruction can cost (concat, ==, table.insert) */
    SCRIPT_CPU_US = 250000,         /* processor time of one resume, whatever it spends it on */
    SCRIPT_IDLE_MAX = 64,           /* coroutines kept for the next runs, a kilobyte each */
};

struct script_engine {
    lua_State *L;
    struct loop *loop;
    struct script_services services;
    size_t memory_max, used;
    int budget;
    struct log log;
    lua_State *idle[SCRIPT_IDLE_MAX]; /* have returned in order, and hold nothing; the registry keeps them */
    size_t idle_count;
    struct script_run *current;     /* who runs now, for the memory share; NULL outside a resume */
    unsigned runs;
    int64_t slice_turn_ms;          /* the loop's turn in which the last slice ran */
    uint64_t logs_dropped;          /* lines over SCRIPT_LOGS_MAX */
    cJSON *json_in;                 /* a tree being turned into tables; freed by the next user or at the end of a resume */
    struct buf json_out;            /* the text being made */
};

struct script {
    struct script_engine *engine;
    char *path, *name;              /* name: the last part of path, for messages */
    char *entry;
    char *http_hosts;               /* NULL: none */
    bool is_compiled;               /* the registry has the file's function under this struct's address */
};

enum run_kind { RUN_CHECK, RUN_AGI, RUN_TOOL };
enum run_wait { WAIT_NONE, WAIT_REPLY, WAIT_SLEEP, WAIT_STORE, WAIT_HTTP, WAIT_TURN };

/* What a waiting coroutine is woken with. Texts are borrowed for the resume. */
struct answer {
    const char *code, *text;        /* code: not NULL makes it an error */
    const struct agi_reply *reply;
    struct text value;              /* of a store lookup, or the body of an HTTP answer */
    int status;                     /* of an HTTP answer */
};

struct script_run;

/* A question to the store on its way. It outlives the run that asked. */
struct script_lookup {
    struct script_run *run;         /* NULL: nobody waits any more */
};

struct script_run {
    struct script_engine *engine;
    struct script *script;
    enum run_kind kind;
    lua_State *co;                  /* NULL once the coroutine is closed */
    struct timer *deadline, *wake;
    int64_t budget_left, resumed_us, resumed_cpu_us;
    int64_t used_us;                /* processor time of the slices before this one */
    size_t grown;                   /* bytes this run's resumes have added, about */
    enum run_wait wait;
    struct answer answer;
    struct script_lookup *lookup;
    struct http_request *http;      /* on its way; NULL: none */
    unsigned logs;
    void (*on_end)(struct script_run *r);   /* the coroutine has ended and is closed */

    bool over;                      /* the end is decided: no verb waits any more */
    bool returned;                  /* in order: the coroutine is good for another run */
    bool doomed;                    /* ... inside a C call that cannot yield: every instruction raises */
    bool closing;                   /* to-be-closed variables are being run */
    enum agi_end status;
    char reason[SCRIPT_REASON_MAX + 1];
    char problem[SCRIPT_PROBLEM_MAX];   /* one line for the log */

    /* a handler's run */
    struct agi_session *session;
    char *call_id;
    struct agi_command command;     /* the one being built */
    bool has_command;
    bool told_hangup;
    bool session_closed;
    struct hist *command_hist;
    struct script_figures figures;
    script_on_done *on_done;
    script_on_asked *on_asked;      /* NULL: nobody looks on */
    void *asked_arg;

    /* a tool's run */
    char *args, *context;
    struct buf result;
    script_on_result *on_result;

    void *arg;
};

/* ---- script_run.c ---- */
int script_run_new(struct script_run **out, struct script *s, enum run_kind kind);
void script_run_free(struct script_run *r);
struct script_run *script_run_of(lua_State *L);
/* Makes the timers; the deadline runs from now on. */
int script_run_clock(struct script_run *r, int64_t deadline_ms);
/* Runs Lua until the next wait or the end; then, when it ended, closes the coroutine. True: it has ended. */
bool script_run_resume(struct script_run *r);
/* Resumes, and calls on_end when that was the end. */
void script_run_wake(struct script_run *r, const struct answer *answer);
/* The end is decided from outside: tells the coroutine by an error it can catch, closes it, calls on_end. */
void script_run_end(struct script_run *r, enum agi_end status, const char *reason, const char *code, const char *text);
/* Decides the end (the first decision counts). */
void script_run_decide(struct script_run *r, enum agi_end status, struct text reason);
/* Ends the run from inside Lua, so that no pcall can hold it: to be returned by the C function. */
int script_run_leave(lua_State *L);
/* Raises {code=, text=, where=}. */
int script_raise(lua_State *L, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int script_raise_number(lua_State *L, int code, struct text text);
/* Raises unless the calling function may yield and the run goes on. */
void script_wait_check(lua_State *L, struct script_run *r);
/* Raises what the answer says, if it is an error. */
void script_answer_check(lua_State *L, const struct script_run *r);

/* ---- script_engine.c ---- */
/* Runs the file's body in a fresh environment, and pushes that. */
void script_body_run(lua_State *L, const struct script *s);
void script_env_push(lua_State *L);                 /* a fresh environment */
int script_protected(lua_State *L, lua_CFunction f, void *arg); /* 0, -ENOMEM or -EINVAL; text of the error on the stack is dropped */

/* ---- script_base.c ---- */
void script_base_open(lua_State *L);                /* fills the registry: environments, errors */
void script_seal(lua_State *L, const char *name);   /* replaces the table on top by a read-only view of it */

/* ---- script_host.c ---- */
void script_host_open(lua_State *L);                /* adds store, log, sleep to the table on top */

/* Tells who looks on what the verb at hand asked and got; words: on the stack, joined by blanks behind the verb. */
void script_asked_tell(lua_State *L, const struct script_run *r, const char *verb, int words);
/* Asks services.http and waits; the continuation finds the answer, and method (kept by the caller) as its context. */
int script_http_ask(lua_State *L, struct script_run *r, const char *method, struct text url, lua_KFunction go_on);

/* ---- script_http.c ---- */
void script_http_open(lua_State *L);                /* adds http to the table on top */

/* ---- script_agi.c ---- */
void script_agi_open(lua_State *L);                 /* makes the metatable of call objects */
void script_call_push(lua_State *L);

/* ---- script_json.c ---- */
void script_json_open(lua_State *L);                /* adds json to the table on top */
/* Pushes the value, or raises. */
void script_json_push(lua_State *L, struct script_engine *e, struct text json);
/* Adds the value at index to out, or raises. */
void script_json_add(lua_State *L, int index, struct buf *out);

/* ---- script_pattern.c ---- */
void script_pattern_open(lua_State *L);             /* replaces find, match, gmatch, gsub in the table on top */

/* ---- script_verbs.c ---- */
enum verb_result {
    VERB_ZERO,       /* true when result=0 */
    VERB_ONE,        /* true when result=1 */
    VERB_NUMBER,     /* the number, nil for -1 */
    VERB_VALUE,      /* the text in parentheses, nil for result=0 or -1 */
    VERB_URI,        /* as VERB_VALUE, but URI-encoded, and empty for 0 */
    VERB_DIGIT,      /* a digit, nil for none, false for failure; then endpos */
    VERB_DATA,       /* the digits, and whether the time was up; false for failure */
    VERB_EXEC,       /* the number; raises for -2 */
    VERB_CHAR,       /* the number, nil for none, false for failure */
    VERB_SPEECH,     /* what ended it, and a table of what was heard; false for failure */
    VERB_RECORD,     /* reason, endpos, digit */
    VERB_REPLY,      /* a table of the whole reply */
};

struct script_verb {
    const char *name;
    const char *command;   /* the words in front; NULL: the whole line is the argument */
    /* One letter an argument. s: text, quoted. i: whole number. d: text, quoted, empty when nil. x: the rest, joined by commas, quoted.
     * o: true or false as ON or OFF. '?' before: leave out when nil, and all after it. '~' before: leave out when nil. b: the word BEEP
     * when true. q: number as s=N. r: the raw line. u: a variable's name, sent as its URI-encoded value. */
    const char *args;
    enum verb_result result;
    bool dead;             /* works after hangup */
    const char *usage, *help;
};

extern const struct script_verb script_verbs[];
extern const size_t script_verbs_count;
/* Builds the command from the arguments on the stack, of which 1 is the call; raises on a wrong type. */
void script_verb_encode(lua_State *L, const struct script_verb *v, struct agi_command *c);
/* Pushes the results and returns their number; raises on 510, 511, 520. */
int script_verb_decode(lua_State *L, const struct script_verb *v, const struct agi_reply *reply);
