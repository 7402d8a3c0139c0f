/* Reads and writes chan_websocket's control messages. */
#include "wire/media_ws.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "wire/ari_internal.h"

enum { FRAME_BYTES_MAX = 65535, PTIME_MAX_MS = 1000, MESSAGE_MAX = 65535 };

static const struct word {
    const char *name;
    enum media_ws_kind kind;
} words[] = {
    { "MEDIA_START", MEDIA_WS_START }, { "DTMF_END", MEDIA_WS_DIGIT }, { "MEDIA_XOFF", MEDIA_WS_XOFF }, { "MEDIA_XON", MEDIA_WS_XON },
    { "MEDIA_MARK_PROCESSED", MEDIA_WS_MARK }, { "ERROR", MEDIA_WS_ERROR },
};

static enum media_ws_kind kind_of(struct text word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_eq(word, text_of(words[i].name)))
            return words[i].kind;
    return MEDIA_WS_OTHER;
}

/* What an event says, in either form: the value of a name. JSON's are texts or numbers. */
struct said {
    struct text plain;             /* behind the word */
    const cJSON *json;             /* NULL: plain */
};

static bool plain_value(struct text rest, const char *name, struct text *out)
{
    const size_t n = strlen(name);
    struct text part;

    while (text_cut(&rest, ' ', &part)) {
        if (part.n > n && part.p[n] == ':' && text_eq(text_head(part, n), text_of(name))) {
            *out = text_skip(part, n + 1);
            return true;
        }
    }
    return false;
}

static struct text value_text(const struct said *s, const char *name)
{
    struct text value = TEXT_NONE;

    if (s->json)
        return ari_json_text(s->json, name);
    plain_value(s->plain, name, &value);
    return value;
}

static bool value_number(const struct said *s, const char *name, unsigned max, unsigned *out)
{
    const cJSON *item = s->json ? cJSON_GetObjectItemCaseSensitive(s->json, name) : NULL;
    int64_t n = -1;

    if (item && cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= max)
        n = (int64_t)item->valuedouble;
    else if (text_to_i64(value_text(s, name), &n) != 0)
        return false;
    if (n < 0 || n > max)
        return false;
    *out = (unsigned)n;
    return true;
}

/* "ulaw", "slin16": a codec's name, which goes into logs. */
static bool is_format(struct text t, size_t room)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] <= ' ' || (unsigned char)t.p[i] >= 0x7f)
            return false;
    return t.n > 0 && t.n < room;
}

static int start_read(struct media_ws_event *e, const struct said *s, const char **why)
{
    const struct text format = value_text(s, "format");

    *why = "MEDIA_START names no format";
    if (!is_format(format, sizeof e->format))
        return -EPROTO;
    *why = "MEDIA_START has no optimal_frame_size or ptime that can be";
    if (!value_number(s, "optimal_frame_size", FRAME_BYTES_MAX, &e->frame_bytes) || !value_number(s, "ptime", PTIME_MAX_MS, &e->ptime_ms))
        return -EPROTO;
    text_copy(e->format, sizeof e->format, format);
    return 0;
}

static int digit_read(struct media_ws_event *e, const struct said *s, const char **why)
{
    const struct text digit = value_text(s, "digit");

    *why = "DTMF_END names no digit";
    if (digit.n != 1 || digit.p[0] == '\0' || !strchr("0123456789*#ABCD", digit.p[0]))
        return -EPROTO;
    e->digit = digit.p[0];
    return 0;
}

static void mark_read(struct media_ws_event *e, const struct said *s)
{
    const struct text id = s->json ? ari_json_text(s->json, "correlation_id") : text_trim(s->plain);

    if (id.n < sizeof e->id)
        text_copy(e->id, sizeof e->id, id);
}

/* Plain, error_text is the last of the line and holds blanks. */
static void error_read(struct media_ws_event *e, const struct said *s)
{
    static const struct text name = { .p = "error_text:", .n = 11 };
    struct text said = s->plain;
    const ptrdiff_t at = s->json ? -1 : text_find_text(said, name);

    if (s->json)
        said = ari_json_text(s->json, "error_text");
    else if (at >= 0)
        said = text_skip(said, (size_t)at + name.n);
    text_copy(e->said, sizeof e->said, text_trim(said));
    for (char *c = e->said; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = ' ';
}

static int event_read(struct media_ws_event *e, struct text word, const struct said *s, const char **why)
{
    e->kind = kind_of(word);
    switch (e->kind) {
    case MEDIA_WS_START:
        return start_read(e, s, why);
    case MEDIA_WS_DIGIT:
        return digit_read(e, s, why);
    case MEDIA_WS_MARK:
        mark_read(e, s);
        return 0;
    case MEDIA_WS_ERROR:
        error_read(e, s);
        return 0;
    default:
        return 0;
    }
}

static int json_parse(struct media_ws_event *e, struct text message, const char **why)
{
    struct said s = { 0 };
    struct text word;
    cJSON *root;
    int err = ari_json_parse(message, MESSAGE_MAX, &root, why);

    if (err)
        return err;
    s.json = root;
    word = ari_json_text(root, "event");
    *why = "a message without \"event\"";
    err = word.n ? event_read(e, word, &s, why) : -EPROTO;
    cJSON_Delete(root);
    return err;
}

int media_ws_parse(struct media_ws_event *out, struct text message, const char **why)
{
    struct media_ws_event e = { .is_json = text_starts(message, TEXT("{")) };
    struct said s = { .plain = message };
    struct text word;
    int err;

    if (e.is_json) {
        err = json_parse(&e, message, why);
    } else {
        text_cut(&s.plain, ' ', &word);
        *why = "a message without a word";
        word = text_trim(word);
        err = word.n ? event_read(&e, word, &s, why) : -EPROTO;
    }
    if (!err)
        *out = e;
    return err;
}

size_t media_ws_put(char out[MEDIA_WS_COMMAND_MAX], bool is_json, enum media_ws_command command, const char *id)
{
    static const char *const names[] = {
        [MEDIA_WS_SAY_MARK] = "MARK_MEDIA", [MEDIA_WS_SAY_FLUSH] = "FLUSH_MEDIA", [MEDIA_WS_SAY_BUFFER] = "START_MEDIA_BUFFERING",
    };
    const bool has_id = command == MEDIA_WS_SAY_MARK && id;
    int n;

    if (is_json && has_id)
        n = snprintf(out, MEDIA_WS_COMMAND_MAX, "{\"command\":\"%s\",\"correlation_id\":\"%.48s\"}", names[command], id);
    else if (is_json)
        n = snprintf(out, MEDIA_WS_COMMAND_MAX, "{\"command\":\"%s\"}", names[command]);
    else
        n = snprintf(out, MEDIA_WS_COMMAND_MAX, "%s%s%.48s", names[command], has_id ? " " : "", has_id ? id : "");
    return (size_t)n;
}
