/* Reads the messages of Deepgram's ears. */
#include "ai/deepgram_heard.h"

#include <errno.h>

#include <cjson/cJSON.h>

static const struct {
    const char *type;
    enum deepgram_heard_kind kind;
} kinds[] = {
    { "Results", HEARD_RESULTS },     { "SpeechStarted", HEARD_SPEECH }, { "UtteranceEnd", HEARD_UTTERANCE_END },
    { "Connected", HEARD_CONNECTED }, { "TurnInfo", HEARD_TURN },        { "Error", HEARD_ERROR },
};

static const struct {
    const char *event;
    enum deepgram_turn turn;
} turns[] = {
    { "StartOfTurn", TURN_START },    { "Update", TURN_UPDATE },   { "EagerEndOfTurn", TURN_EAGER },
    { "TurnResumed", TURN_RESUMED },  { "EndOfTurn", TURN_END },
};

static struct text text_at(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(v) ? text_of(v->valuestring) : TEXT_NONE;
}

/* A day is more than any connection lives; also keeps arithmetic with samples in range. */
static double seconds_at(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 86400 ? v->valuedouble : -1;
}

static double share_at(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static bool is_true_at(const cJSON *in, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(in, name));
}

static int results_read(struct deepgram_heard *h, const cJSON *tree)
{
    const cJSON *channel = cJSON_GetObjectItemCaseSensitive(tree, "channel");
    const cJSON *best = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(channel, "alternatives"), 0);
    const cJSON *is_final = cJSON_GetObjectItemCaseSensitive(tree, "is_final");

    h->words = text_at(best, "transcript");
    h->confidence = share_at(best, "confidence");
    h->start = seconds_at(tree, "start");
    h->duration = seconds_at(tree, "duration");
    h->is_final = cJSON_IsTrue(is_final);
    h->is_speech_final = is_true_at(tree, "speech_final");
    h->is_from_finalize = is_true_at(tree, "from_finalize");
    return h->words.p && cJSON_IsBool(is_final) && h->start >= 0 && h->duration >= 0 ? 0 : -EINVAL;
}

static int turn_read(struct deepgram_heard *h, const cJSON *tree)
{
    const struct text event = text_at(tree, "event");

    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        if (text_eq(event, text_of(turns[i].event)))
            h->turn = turns[i].turn;
    h->words = text_at(tree, "transcript");
    h->start = seconds_at(tree, "audio_window_start");
    h->confidence = share_at(tree, "end_of_turn_confidence");
    return event.n > 0 && h->words.p && h->start >= 0 ? 0 : -EINVAL;
}

static int fields_read(struct deepgram_heard *h, const cJSON *tree)
{
    switch (h->kind) {
    case HEARD_RESULTS:
        return results_read(h, tree);
    case HEARD_TURN:
        return turn_read(h, tree);
    case HEARD_SPEECH:
        h->start = seconds_at(tree, "timestamp");
        return 0;
    case HEARD_ERROR:
        h->message = text_at(tree, "description");
        return 0;
    case HEARD_UTTERANCE_END:
    case HEARD_CONNECTED:
    case HEARD_OTHER:
        return 0;
    }
    return 0;
}

int deepgram_heard_read(struct deepgram_heard *out, struct text message)
{
    cJSON *tree = cJSON_ParseWithLength(message.p ? message.p : "", message.n);
    const struct text type = text_at(tree, "type");
    int err = -EINVAL;

    *out = (struct deepgram_heard){ .start = -1, .tree = tree };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (text_eq(type, text_of(kinds[i].type)))
            out->kind = kinds[i].kind;
    if (type.n > 0)
        err = fields_read(out, tree);
    if (err)
        deepgram_heard_free(out);
    return err;
}

void deepgram_heard_free(struct deepgram_heard *h)
{
    cJSON_Delete(h->tree);
    h->tree = NULL;
}
