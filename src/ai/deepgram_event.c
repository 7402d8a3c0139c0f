/* Reads the messages of Deepgram's Voice Agent. */
#include "ai/deepgram_event.h"

#include <errno.h>

#include <cjson/cJSON.h>

static const struct {
    const char *type;
    enum deepgram_kind kind;
} kinds[] = {
    { "Welcome", DEEPGRAM_WELCOME },
    { "SettingsApplied", DEEPGRAM_APPLIED },
    { "ConversationText", DEEPGRAM_TEXT },
    { "UserStartedSpeaking", DEEPGRAM_CALLER_SPEAKS },
    { "AgentThinking", DEEPGRAM_THINKING },
    { "AgentStartedSpeaking", DEEPGRAM_SPEAKS },
    { "AgentAudioDone", DEEPGRAM_AUDIO_DONE },
    { "FunctionCallRequest", DEEPGRAM_CALLS },
    { "FunctionCallCancelled", DEEPGRAM_CALL_CANCELLED },
    { "InjectionRefused", DEEPGRAM_REFUSED },
    { "Warning", DEEPGRAM_WARNING },
    { "Error", DEEPGRAM_ERROR },
};

static struct text text_at(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(v) ? text_of(v->valuestring) : TEXT_NONE;
}

static void call_keep(struct deepgram_event *e, struct deepgram_call call)
{
    if (e->call_count < DEEPGRAM_CALLS_MAX)
        e->calls[e->call_count++] = call;
    else
        e->calls_over++;
}

/* client_side false: the service carries it out itself. */
static int calls_read(struct deepgram_event *e, const cJSON *tree)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(tree, "functions"), *f;

    if (!cJSON_IsArray(list))
        return -EINVAL;
    cJSON_ArrayForEach(f, list) {
        const struct deepgram_call call = { .id = text_at(f, "id"), .name = text_at(f, "name"), .arguments = text_at(f, "arguments") };

        if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(f, "client_side")))
            continue;
        if (!call.id.n || !call.name.n)
            return -EINVAL;
        call_keep(e, call);
    }
    return 0;
}

/* Either of one call, or of a list of them. */
static void cancelled_read(struct deepgram_event *e, const cJSON *tree)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(tree, "functions"), *f;
    struct deepgram_call call = { .id = text_at(tree, "id") };

    if (call.id.n)
        call_keep(e, call);
    if (!cJSON_IsArray(list))
        return;
    cJSON_ArrayForEach(f, list) {
        call.id = text_at(f, "id");
        if (call.id.n)
            call_keep(e, call);
    }
}

static int text_read(struct deepgram_event *e, const cJSON *tree)
{
    const struct text role = text_at(tree, "role");

    e->is_agent = text_eq(role, TEXT("assistant"));
    e->words = text_at(tree, "content");
    return e->words.p && (e->is_agent || text_eq(role, TEXT("user"))) ? 0 : -EINVAL;
}

static void fault_read(struct deepgram_event *e, const cJSON *tree)
{
    e->code = text_at(tree, "code");
    e->message = text_at(tree, "description");
    if (!e->message.p)
        e->message = text_at(tree, "message");
}

static int fields_read(struct deepgram_event *e, const cJSON *tree)
{
    switch (e->kind) {
    case DEEPGRAM_TEXT:
        return text_read(e, tree);
    case DEEPGRAM_CALLS:
        return calls_read(e, tree);
    case DEEPGRAM_CALL_CANCELLED:
        cancelled_read(e, tree);
        return 0;
    case DEEPGRAM_REFUSED:
    case DEEPGRAM_WARNING:
    case DEEPGRAM_ERROR:
        fault_read(e, tree);
        return 0;
    case DEEPGRAM_OTHER:
    case DEEPGRAM_WELCOME:
    case DEEPGRAM_APPLIED:
    case DEEPGRAM_CALLER_SPEAKS:
    case DEEPGRAM_THINKING:
    case DEEPGRAM_SPEAKS:
    case DEEPGRAM_AUDIO_DONE:
        return 0;
    }
    return 0;
}

int deepgram_event_read(struct deepgram_event *out, struct text message)
{
    struct deepgram_event e = { .kind = DEEPGRAM_OTHER };
    cJSON *tree = cJSON_ParseWithLength(message.p ? message.p : "", message.n);
    const struct text type = text_at(tree, "type");
    int err = -EINVAL;

    for (size_t i = 0; type.p && i < sizeof kinds / sizeof *kinds; i++)
        if (text_eq(type, text_of(kinds[i].type)))
            e.kind = kinds[i].kind;
    if (type.n > 0)
        err = fields_read(&e, tree);
    if (err) {
        cJSON_Delete(tree);
        return err;
    }
    e.tree = tree;
    *out = e;
    return 0;
}

void deepgram_event_free(struct deepgram_event *e)
{
    cJSON_Delete(e->tree);
    e->tree = NULL;
}
