/* Starts a tool by its kind, and stops it. */
#include "app/tool_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "app/tool_http.h"
#include "base/clock.h"
#include "call/tool_args.h"

enum { KEY_MAX = 256 };

struct tool_run {
    struct script_run *script;     /* at most one of the three */
    struct tool_http_run *http;
    bool is_put;                   /* its row is under way: nobody can stop that */
    tool_on_result *on_result;     /* NULL: stopped */
    void *arg;
    /* of a message: told once its row is safe */
    const struct timeline *timeline;
    char *call, *message;
    bool is_masked;
};

static void run_free(struct tool_run *r)
{
    free(r->call);
    free(r->message);
    free(r);
}

static void on_result(int err, struct text result, void *arg)
{
    struct tool_run *r = arg;
    tool_on_result *const told = r->on_result;
    void *const told_arg = r->arg;

    run_free(r);
    told(err, result, told_arg);
}

/* ---- messages ---- */

static struct text word(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? text_of(v->valuestring) : TEXT_NONE;
}

static void message_tell(struct tool_run *r)
{
    cJSON *o;

    if (r->is_masked)
        tool_args_mask(r->message);
    o = cJSON_Parse(r->message);
    TIMELINE(r->timeline, text_of(r->call), "message", kv_text("text", word(o, "text")), kv_text("name", word(o, "name")),
             kv_text("number", word(o, "number")), kv_text("for", word(o, "for")));
    cJSON_Delete(o);
}

static void on_put(int err, void *arg)
{
    struct tool_run *r = arg;

    r->is_put = false;
    if (!err)
        message_tell(r);           /* it is kept, whether or not the talk still waits for that */
    if (!r->on_result)
        run_free(r);
    else if (err)
        on_result(err, TEXT("the message could not be kept"), r);
    else
        on_result(0, TEXT("{\"taken\":true}"), r);
}

static void field_add(struct buf *b, const char *name, struct text value)
{
    buf_addf(b, "%s\"%s\":\"", b->n > 1 ? "," : "", name);
    buf_add_json(b, value);
    buf_add_char(b, '"');
}

/* What the caller said, and what we know of the caller. */
static int value_write(struct buf *b, const struct tool_run *r, struct text context, int64_t now_us)
{
    cJSON *said = cJSON_Parse(r->message), *known = cJSON_ParseWithLength(context.p, context.n);

    buf_addf(b, "{\"at_us\":%" PRId64, now_us);
    field_add(b, "call", text_of(r->call));
    field_add(b, "caller_number", word(known, "caller_number"));
    field_add(b, "caller_name", word(known, "caller_name"));
    field_add(b, "text", word(said, "text"));
    field_add(b, "name", word(said, "name"));
    field_add(b, "number", word(said, "number"));
    field_add(b, "for", word(said, "for"));
    buf_add_char(b, '}');
    cJSON_Delete(said);
    cJSON_Delete(known);
    return said ? b->err : -ENOMEM;
}

static int message_put(struct tool_run *r, const struct tool_ground *g, struct text args, struct text context)
{
    const int64_t now_us = clock_wall_us();
    char key[KEY_MAX];
    struct buf b;
    int err;

    r->timeline = store_timeline(g->store);
    r->call = text_dup(g->call);
    r->message = text_dup(args);
    if (!r->call || !r->message)
        return -ENOMEM;
    snprintf(key, sizeof key, "%020" PRId64 " %.*s", now_us, TEXT_ARG(text_head(g->call, FACT_CALL_MAX)));
    buf_init(&b, STORE_VALUE_MAX);
    err = value_write(&b, r, context, now_us);
    if (!err)
        err = store_put(g->store, g->loop, TEXT(TOOL_MESSAGES), text_of(key), buf_text(&b), on_put, r);
    buf_free(&b);
    r->is_put = !err;
    return err;
}

/* ---- all of them ---- */

int tool_run_start(struct tool_run **out, const struct agent_tool *tool, struct script *script, const struct tool_ground *g, struct text args,
                   struct text context, int64_t deadline_ms, tool_on_result *told, void *arg)
{
    struct tool_run *r = calloc(1, sizeof *r);
    int err = -ENOENT;

    if (!r)
        return -ENOMEM;
    r->on_result = told;
    r->arg = arg;
    r->is_masked = tool->entry.is_masked;
    if (tool->http)
        err = tool_http_start(&r->http, tool->http, g->loop, g->dialer, args, deadline_ms, on_result, r);
    else if (script)
        err = script_run_tool(&r->script, script, args, context, deadline_ms, on_result, r);
    else if (tool->entry.builtin == BUILTIN_TAKE_MESSAGE)
        err = message_put(r, g, args, context);
    if (err) {
        run_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void tool_run_stop(struct tool_run *r)
{
    if (r->is_put) {
        r->on_result = NULL;
        return;
    }
    if (r->script)
        script_stop(r->script);
    if (r->http)
        tool_http_stop(r->http);
    run_free(r);
}
