/* Turns the JSON of one ARI event into checked values. */
#include "wire/ari.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wire/ari_internal.h"

enum { NEEDS_CHANNEL = 1, NEEDS_BRIDGE = 2, NEEDS_DIGIT = 4 };

static const struct event_row {
    const char *type;
    enum ari_event_kind kind;
    unsigned needs;
} rows[] = {
    { "StasisStart", ARI_STASIS_START, NEEDS_CHANNEL },
    { "StasisEnd", ARI_STASIS_END, NEEDS_CHANNEL },
    { "ChannelDestroyed", ARI_CHANNEL_DESTROYED, NEEDS_CHANNEL },
    { "ChannelHangupRequest", ARI_CHANNEL_HANGUP_REQUEST, NEEDS_CHANNEL },
    { "ChannelStateChange", ARI_CHANNEL_STATE_CHANGE, NEEDS_CHANNEL },
    { "ChannelDtmfReceived", ARI_CHANNEL_DTMF, NEEDS_CHANNEL | NEEDS_DIGIT },
    { "ChannelEnteredBridge", ARI_CHANNEL_ENTERED_BRIDGE, NEEDS_CHANNEL | NEEDS_BRIDGE },
    { "ChannelLeftBridge", ARI_CHANNEL_LEFT_BRIDGE, NEEDS_CHANNEL | NEEDS_BRIDGE },
    { "BridgeDestroyed", ARI_BRIDGE_DESTROYED, NEEDS_BRIDGE },
    { "ApplicationReplaced", ARI_APPLICATION_REPLACED, 0 },
    { "ApplicationRegistered", ARI_APPLICATION_REGISTERED, 0 },
    { "CallBroadcast", ARI_CALL_BROADCAST, NEEDS_CHANNEL },
};

/* One reading: the first field of a wrong kind stops it. Events we do not act on are read leniently: strict is false. */
struct reading {
    struct ari_event *out;
    bool strict;
    bool failed;
};

static void wrong_kind(struct reading *r, const char *name, const char *expected)
{
    if (!r->strict || r->failed)
        return;
    r->failed = true;
    snprintf(r->out->fault, sizeof r->out->fault, "%.40s: \"%s\" is not %s", r->out->type.p ? r->out->type.p : "event", name,
             expected);
}

/* The member, or NULL when it is absent, null, or of another kind (then the reading has failed). */
static const cJSON *member(struct reading *r, const cJSON *object, const char *name, cJSON_bool (*is_kind)(const cJSON *),
                           const char *expected)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!item || cJSON_IsNull(item))
        return NULL;
    if (is_kind(item))
        return item;
    wrong_kind(r, name, expected);
    return NULL;
}

static struct text get_text(struct reading *r, const cJSON *object, const char *name)
{
    const cJSON *item = member(r, object, name, cJSON_IsString, "a string");

    return item ? text_of(item->valuestring) : TEXT_NONE;
}

static int64_t get_int(struct reading *r, const cJSON *object, const char *name, int64_t absent)
{
    const cJSON *item = member(r, object, name, cJSON_IsNumber, "a number");

    if (!item)
        return absent;
    /* Beyond 2^53 a double is no longer the number that was sent. */
    if (fabs(item->valuedouble) <= 9007199254740992.0 && item->valuedouble == floor(item->valuedouble))
        return (int64_t)item->valuedouble;
    wrong_kind(r, name, "a whole number");
    return absent;
}

static const cJSON *get_object(struct reading *r, const cJSON *object, const char *name)
{
    return member(r, object, name, cJSON_IsObject, "an object");
}

static void read_channel(struct reading *r, const cJSON *root)
{
    struct ari_channel *c = &r->out->channel;
    const cJSON *channel = get_object(r, root, "channel");
    const cJSON *caller = get_object(r, channel, "caller");
    const cJSON *dialplan = get_object(r, channel, "dialplan");

    c->id = get_text(r, channel, "id");
    c->name = get_text(r, channel, "name");
    c->state = get_text(r, channel, "state");
    c->protocol_id = get_text(r, channel, "protocol_id");
    c->caller_name = get_text(r, caller, "name");
    c->caller_number = get_text(r, caller, "number");
    c->context = get_text(r, dialplan, "context");
    c->exten = get_text(r, dialplan, "exten");
    c->priority = get_int(r, dialplan, "priority", 0);
}

static void read_args(struct reading *r, const cJSON *root)
{
    const cJSON *args = member(r, root, "args", cJSON_IsArray, "an array"), *arg;

    cJSON_ArrayForEach(arg, args)
    {
        if (!cJSON_IsString(arg)) {
            wrong_kind(r, "args", "an array of strings");
            return;
        }
        if (r->out->arg_count < ARI_ARGS_MAX)
            r->out->args[r->out->arg_count++] = text_of(arg->valuestring);
    }
}

static bool is_present(struct text t)
{
    return t.p && t.n > 0;
}

static void check_needs(struct reading *r, unsigned needs)
{
    struct ari_event *e = r->out;
    const char *missing = NULL;

    if (needs & NEEDS_CHANNEL && !is_present(e->channel.id))
        missing = "channel id";
    else if (needs & NEEDS_BRIDGE && !is_present(e->bridge_id))
        missing = "bridge id";
    else if (needs & NEEDS_DIGIT && e->digit.n != 1)
        missing = "single digit";
    if (!missing || r->failed)
        return;
    r->failed = true;
    snprintf(e->fault, sizeof e->fault, "%.40s without a %s", e->type.p, missing);
}

static const struct event_row *row_of(struct text type)
{
    static const struct event_row other = { "", ARI_OTHER, 0 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_eq(type, text_of(rows[i].type)))
            return &rows[i];
    return &other;
}

static int read_event(struct ari_event *e, const cJSON *root)
{
    struct reading r = { .out = e, .strict = true };
    const struct event_row *row;

    e->type = ari_json_text(root, "type");
    if (!is_present(e->type)) {
        snprintf(e->fault, sizeof e->fault, "%s",
                 cJSON_IsObject(root) ? "an event without a type" : "an event that is no object");
        return -EPROTO;
    }
    row = row_of(e->type);
    e->kind = row->kind;
    r.strict = row->kind != ARI_OTHER;
    e->application = get_text(&r, root, "application");
    e->timestamp = get_text(&r, root, "timestamp");
    read_channel(&r, root);
    e->bridge_id = get_text(&r, get_object(&r, root, "bridge"), "id");
    read_args(&r, root);
    e->digit = get_text(&r, root, "digit");
    e->duration_ms = get_int(&r, root, "duration_ms", 0);
    e->cause = get_int(&r, root, "cause", -1);
    e->cause_txt = get_text(&r, root, "cause_txt");
    check_needs(&r, row->needs);
    return r.failed ? -EPROTO : 0;
}

int ari_event_parse(struct ari_event *out, struct text json)
{
    const char *why = "";
    cJSON *root = NULL;
    int err;

    *out = (struct ari_event){ .cause = -1 };
    err = ari_json_parse(json, ARI_JSON_BYTES_MAX, &root, &why);
    if (err == -EPROTO)
        snprintf(out->fault, sizeof out->fault, "an event that cannot be read: %s", why);
    if (err)
        return err;
    err = read_event(out, root);
    if (err) {
        struct ari_event empty = { .cause = -1 };

        memcpy(empty.fault, out->fault, sizeof empty.fault);
        *out = empty; /* nothing may point into what goes now */
        cJSON_Delete(root);
        return err;
    }
    out->memory = root;
    return 0;
}

void ari_event_free(struct ari_event *e)
{
    cJSON_Delete(e->memory);
    *e = (struct ari_event){ .cause = -1 };
}
