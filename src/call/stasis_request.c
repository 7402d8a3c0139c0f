/* What is said to Asterisk at each step of a call, and by which names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "call/stasis_call.h"
#include "call/stasis_media.h"

enum { PATH_MAX_BYTES = 2000, BODY_MAX = 8 * 1024 };

static int send(struct stasis_call *c, ari_on_answer *on_answer, const char *method, const char *path, struct text body)
{
    return ari_send(&c->request, c->ground->ari, method, path, body, on_answer, c);
}

static int send_at(struct stasis_call *c, ari_on_answer *on_answer, const char *method, const char *base, const char *rest)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s%s", base, rest);
    return send(c, on_answer, method, path, TEXT_NONE);
}

void stasis_json_field(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, "%s\"%s\":\"", b->n ? "," : "{", name);
    buf_add_json(b, text_of(value));
    buf_add_char(b, '"');
}

/* ---- the steps' requests ---- */

static int ask_media(struct stasis_call *c, ari_on_answer *on_answer)
{
    struct buf b;
    int err;

    buf_init(&b, BODY_MAX);
    stasis_json_field(&b, "app", c->app);
    stasis_json_field(&b, "channelId", c->media);
    stasis_media_fields(c, &b);
    buf_add_char(&b, '}');
    err = b.err ? b.err : send(c, on_answer, "POST", "channels/externalMedia", buf_text(&b));
    buf_free(&b);
    return err;
}

static int ask_join(struct stasis_call *c, ari_on_answer *on_answer)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/addChannel?channel=%s,%s", c->bridge_path, c->channel_path + strlen("channels/"),
             c->media_path + strlen("channels/"));
    return send(c, on_answer, "POST", path, TEXT_NONE);
}

static const char *const variable_names[STASIS_VARIABLES] = { "SIDETONE_STATUS", "SIDETONE_REASON", "SIDETONE_CALL" };

unsigned stasis_call_variables(const struct stasis_call *c)
{
    return STASIS_VARIABLES + (c->after ? (unsigned)c->after->variable_count : 0);
}

static int ask_variable(struct stasis_call *c, ari_on_answer *on_answer)
{
    const char *const values[STASIS_VARIABLES] = { c->status, c->reason, c->channel };
    const struct talk_variable *own = c->variable < STASIS_VARIABLES ? NULL : &c->after->variables[c->variable - STASIS_VARIABLES];
    char path[PATH_MAX_BYTES];
    struct buf b;
    int err;

    buf_init(&b, BODY_MAX);
    stasis_json_field(&b, "variable", own ? own->name : variable_names[c->variable]);
    stasis_json_field(&b, "value", own ? own->value : values[c->variable]);
    buf_add_char(&b, '}');
    snprintf(path, sizeof path, "%s/variable", c->channel_path);
    err = b.err ? b.err : send(c, on_answer, "POST", path, buf_text(&b));
    buf_free(&b);
    return err;
}

static bool has_failed(const struct stasis_call *c)
{
    return strcmp(c->status, "ERROR") == 0 || strcmp(c->status, "TIMEOUT") == 0;
}

bool stasis_call_asks_place(const struct stasis_call *c)
{
    return c->state == CALL_STATUS && c->after && c->after->context[0] && !c->place_checked && !has_failed(c);
}

static int ask_place(struct stasis_call *c, ari_on_answer *on_answer)
{
    char path[PATH_MAX_BYTES];
    struct buf b;
    int err;

    buf_init(&b, PATH_MAX_BYTES / 2);
    buf_add_text(&b, TEXT("DIALPLAN_EXISTS("));
    buf_add_text(&b, text_of(c->after->context));
    buf_add_char(&b, ',');
    buf_add_text(&b, text_of(c->after->extension));
    buf_add_char(&b, ',');
    buf_add_text(&b, text_of(c->after->priority));
    buf_add_char(&b, ')');
    err = b.err;
    if (!err) {
        struct buf url;

        buf_init(&url, PATH_MAX_BYTES / 2);
        buf_add_url(&url, buf_text(&b));
        err = buf_cstr(&url) ? 0 : url.err ? url.err : -ENOMEM;
        if (!err) {
            snprintf(path, sizeof path, "%.900s/variable?variable=%.1000s", c->channel_path, url.p);
            err = send(c, on_answer, "GET", path, TEXT_NONE);
        }
        buf_free(&url);
    }
    buf_free(&b);
    return err;
}

bool stasis_call_place_is_missing(struct text body)
{
    cJSON *tree = cJSON_ParseWithLength(body.p ? body.p : "", body.n);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(tree, "value");
    const bool is_missing = cJSON_IsString(value) && strcmp(value->valuestring, "0") == 0;

    cJSON_Delete(tree);
    return is_missing;
}

/* False: behind Stasis(). A call found inside after a restart is not known by its agent, and goes on there. */
static bool place_of(const struct stasis_call *c, struct stasis_place *to)
{
    const struct stasis_talks *talks = &c->ground->talks;

    if (c->after && c->after->context[0] && !has_failed(c)) {
        *to = (struct stasis_place){ c->after->context, c->after->extension, c->after->priority };
        return true;
    }
    return has_failed(c) && talks->fallback && talks->fallback(talks->arg, text_of(c->agent), to);
}

static int ask_leave(struct stasis_call *c, ari_on_answer *on_answer)
{
    struct stasis_place to;
    char path[PATH_MAX_BYTES];
    struct buf b;
    int err;

    if (c->hang_up)
        return send_at(c, on_answer, "DELETE", c->channel_path, "");
    if (!place_of(c, &to))
        return send_at(c, on_answer, "POST", c->channel_path, "/continue");
    buf_init(&b, BODY_MAX);
    stasis_json_field(&b, "context", to.context);
    stasis_json_field(&b, "extension", to.extension);
    if (to.priority[0] >= '0' && to.priority[0] <= '9')
        buf_addf(&b, ",\"priority\":%s", to.priority);
    else
        stasis_json_field(&b, "label", to.priority);
    buf_add_char(&b, '}');
    snprintf(path, sizeof path, "%s/continue", c->channel_path);
    err = b.err ? b.err : send(c, on_answer, "POST", path, buf_text(&b));
    buf_free(&b);
    return err;
}

int stasis_call_ask(struct stasis_call *c, ari_on_answer *on_answer)
{
    switch (c->state) {
    case CALL_ANSWER:
        return send_at(c, on_answer, "POST", c->channel_path, "/answer");
    case CALL_BRIDGE:
        return send_at(c, on_answer, "POST", c->bridge_path, "?type=mixing");
    case CALL_MEDIA:
        return ask_media(c, on_answer);
    case CALL_JOIN:
        return ask_join(c, on_answer);
    case CALL_STATUS:
        return stasis_call_asks_place(c) ? ask_place(c, on_answer) : ask_variable(c, on_answer);
    case CALL_SWITCH:
    case CALL_DROP_MEDIA:
        return send_at(c, on_answer, "DELETE", c->media_path, "");
    case CALL_DROP_BRIDGE:
        return send_at(c, on_answer, "DELETE", c->bridge_path, "");
    case CALL_LEAVE:
        return ask_leave(c, on_answer);
    case CALL_NEW:
    case CALL_TALK:
    case CALL_SETTLE:
    case CALL_OVER:
        return 0;                  /* steps without a request */
    }
    return -EINVAL;
}

/* ---- names ---- */

bool stasis_is_ours(const char *app, char kind, struct text id)
{
    const size_t n = strlen(app);
    struct uuid u;

    return id.n == n + 3 + UUID_TEXT && memcmp(id.p, app, n) == 0 && id.p[n] == '-' && id.p[n + 1] == kind &&
           id.p[n + 2] == '-' && uuid_parse(text_skip(id, n + 3), &u) == 0;
}

static char *id_make(const char *app, char kind, const char *uuid)
{
    char *s;

    return asprintf(&s, "%s-%c-%s", app, kind, uuid) < 0 ? NULL : s;
}

/* Ids of Local halves contain ';', which must be %3B in a path (seen on 22.10.1). */
static char *path_make(const char *base, const char *id)
{
    struct buf b;

    buf_init(&b, PATH_MAX_BYTES / 3);
    buf_add_text(&b, text_of(base));
    buf_add_url(&b, text_of(id));
    if (buf_cstr(&b))
        return b.p;
    buf_free(&b);
    return NULL;
}

static char *copy(struct text t)
{
    return text_dup(t.p ? t : TEXT(""));
}

/* Asterisk names the application of one call "app:CHANNEL NAME"; its external channel must go there, too, or nobody hears of it. */
static char *app_of(const char *app, const struct ari_event *start)
{
    const size_t n = strlen(app);
    const struct text told = start ? start->application : TEXT_NONE;

    return text_dup(told.n > n && text_starts(told, text_of(app)) && told.p[n] == ':' ? told : text_of(app));
}

int stasis_call_name(struct stasis_call *c, struct text channel, const struct ari_event *start)
{
    const struct ari_channel *from = start ? &start->channel : &(struct ari_channel){ 0 };
    const struct text arg = start && start->arg_count > 0 ? start->args[0] : TEXT_NONE;

    uuid_make(&c->id);
    uuid_format(&c->id, c->id_text);
    c->is_up = text_eq(from->state, TEXT("Up"));
    c->channel = copy(channel);
    c->app = app_of(c->ground->app, start);
    c->agent = text_dup(arg.n ? arg : TEXT("default"));
    c->number = copy(from->caller_number);
    c->name = copy(from->caller_name);
    c->media = id_make(c->ground->app, 'x', c->id_text);
    c->bridge = id_make(c->ground->app, 'b', c->id_text);
    if (!c->channel || !c->app || !c->agent || !c->number || !c->name || !c->media || !c->bridge)
        return -ENOMEM;
    c->channel_path = path_make("channels/", c->channel);
    c->media_path = path_make("channels/", c->media);
    c->bridge_path = path_make("bridges/", c->bridge);
    return c->channel_path && c->media_path && c->bridge_path ? 0 : -ENOMEM;
}

int stasis_call_rename(struct stasis_call *c)
{
    struct uuid id;
    char id_text[UUID_TEXT + 1];
    char *media, *path;

    uuid_make(&id);
    uuid_format(&id, id_text);
    media = id_make(c->ground->app, 'x', id_text);
    path = media ? path_make("channels/", media) : NULL;
    if (!path) {
        free(media);
        return -ENOMEM;
    }
    free(c->media);
    free(c->media_path);
    c->media = media;
    c->media_path = path;
    c->id = id;
    memcpy(c->id_text, id_text, sizeof id_text);
    return 0;
}
