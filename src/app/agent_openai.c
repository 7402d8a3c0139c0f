/* Reads what an agent behind the Realtime API is told. */
#include "app/agent_openai.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "ai/openai_realtime.h"
#include "base/buf.h"

enum { INSTRUCTIONS_MAX = 64 * 1024, TOOL_MAX = 256 * 1024, COMMENT_MAX = 16 * 1024, BUILT_IN = 2 };

struct agent_openai {
    struct openai_settings settings;
    char *key, *url, *model, *voice, *instructions, *greeting, *transcription;
    struct openai_tool *tools;
    char **texts;                  /* name, description, parameters of each tool of a file */
    size_t text_count;
};

static int file_read(const char *path, size_t max, char **out)
{
    FILE *f = fopen(path, "re");
    struct buf b;
    char piece[8192];
    size_t n;
    int err;

    if (!f)
        return -errno;
    buf_init(&b, max + 1);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0 && buf_add(&b, piece, n) == 0)
        ;
    err = ferror(f) ? -EIO : b.n > max ? -EFBIG : b.err == -ENOBUFS ? -EFBIG : b.err;
    fclose(f);
    if (!err) {
        *out = text_dup(buf_text(&b).p ? buf_text(&b) : TEXT(""));
        err = *out ? 0 : -ENOMEM;
    }
    buf_free(&b);
    return err;
}

/* ---- comments of a tool ---- */

static bool is_schema(const char *json)
{
    cJSON *tree = cJSON_Parse(json);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(tree, "type");
    const bool is = cJSON_IsObject(tree) && cJSON_IsString(type) && strcmp(type->valuestring, "object") == 0;

    cJSON_Delete(tree);
    return is;
}

static int comment_keep(char **out, const struct buf *b)
{
    free(*out);
    *out = text_dup(text_trim(buf_text(b)));
    return *out ? b->err : -ENOMEM;
}

static int comment_of(struct text source, struct text mark, char **out)
{
    bool is_inside = false;
    struct text line;
    struct buf b;
    int err;

    buf_init(&b, COMMENT_MAX);
    while (text_cut(&source, '\n', &line)) {
        struct text words = text_trim(line);
        const bool is_comment = text_starts(words, TEXT("--"));

        words = text_trim(text_skip(words, 2));
        if (is_comment && text_starts(words, mark))
            is_inside = true;
        else if (!is_comment || text_starts(words, TEXT("@")))
            is_inside = false;
        if (!is_inside)
            continue;
        buf_add_text(&b, text_starts(words, mark) ? text_trim(text_skip(words, mark.n)) : words);
        buf_add_char(&b, ' ');
    }
    err = b.n > 0 || b.err ? comment_keep(out, &b) : 0;
    buf_free(&b);
    return err;
}

int tool_comments_read(struct text source, char **description, char **parameters, const char **why)
{
    int err;

    *description = *parameters = NULL;
    err = comment_of(source, TEXT("@description"), description);
    if (!err)
        err = comment_of(source, TEXT("@parameters"), parameters);
    if (!err && *parameters && !is_schema(*parameters)) {
        *why = "@parameters is no JSON schema with \"type\":\"object\"";
        err = -EINVAL;
    }
    if (err == -ENOBUFS) {
        *why = "@description and @parameters may have 16 KiB each";
        err = -EINVAL;
    }
    if (err) {
        free(*description);
        free(*parameters);
        *description = *parameters = NULL;
    }
    return err;
}

/* ---- the agent ---- */

static int complain(char **place, char **message, const char *where, const char *what)
{
    *place = strdup(where);
    *message = strdup(what);
    return -EINVAL;
}

static int tool_take(struct agent_openai *a, const struct config_tool *from, char **place, char **message)
{
    char **texts = &a->texts[a->text_count], *source = NULL;
    const char *why = NULL;
    int err = file_read(from->path, TOOL_MAX, &source);

    if (err)
        return err == -ENOMEM ? err : complain(place, message, from->path, err_text(err));
    err = tool_comments_read(text_of(source), &texts[1], &texts[2], &why);
    free(source);
    if (err)
        return err == -ENOMEM ? err : complain(place, message, from->path, why);
    texts[0] = strdup(from->name);
    a->text_count += 3;
    if (!texts[0])
        return -ENOMEM;
    a->tools[a->settings.tool_count++] = (struct openai_tool){ .name = texts[0], .description = texts[1], .parameters = texts[2] };
    return 0;
}

static const struct openai_tool hand_back = {
    .name = OPENAI_HAND_BACK,
    .description = "Ends this conversation and hands the caller over to the telephone system. Say what happens first.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"description\":\"one word, such as operator\"}}}",
};

static const struct openai_tool hang_up = {
    .name = OPENAI_HANG_UP,
    .description = "Ends the call. Say goodbye first.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"description\":\"one word\"}}}",
};

static int tools_take(struct agent_openai *a, const struct config_agent *from, char **place, char **message)
{
    int err = 0;

    a->tools = calloc(from->tool_count + BUILT_IN, sizeof *a->tools);
    a->texts = calloc(from->tool_count * 3 + 1, sizeof *a->texts);
    if (!a->tools || !a->texts)
        return -ENOMEM;
    for (size_t i = 0; i < from->tool_count && !err; i++)
        err = tool_take(a, &from->tools[i], place, message);
    if (from->may_hand_back)
        a->tools[a->settings.tool_count++] = hand_back;
    if (from->may_hang_up)
        a->tools[a->settings.tool_count++] = hang_up;
    a->settings.tools = a->tools;
    return err;
}

static int copy(char **out, const char *from)
{
    *out = from ? strdup(from) : NULL;
    return from && !*out ? -ENOMEM : 0;
}

static int texts_take(struct agent_openai *a, const struct config_agent *from)
{
    const bool transcribes = from->transcribe && strcmp(from->transcribe, "none") != 0;

    if (copy(&a->key, secret_reveal(&from->key)) || copy(&a->url, from->url) || copy(&a->model, from->model) || copy(&a->voice, from->voice) ||
        copy(&a->greeting, from->greeting) || (transcribes && copy(&a->transcription, from->transcribe)))
        return -ENOMEM;
    return 0;
}

int agent_openai_new(struct agent_openai **out, const struct config_agent *from, char **place, char **message)
{
    struct agent_openai *a = calloc(1, sizeof *a);
    int err = a ? texts_take(a, from) : -ENOMEM;

    if (!err && from->instructions) {
        err = file_read(from->instructions, INSTRUCTIONS_MAX, &a->instructions);
        if (err && err != -ENOMEM)
            err = complain(place, message, from->instructions, err == -EFBIG ? "more than 64 KiB of instructions" : err_text(err));
    }
    if (!err)
        err = tools_take(a, from, place, message);
    if (err) {
        agent_openai_free(a);
        return err;
    }
    a->settings.url = a->url;
    a->settings.model = a->model;
    a->settings.voice = a->voice;
    a->settings.instructions = a->instructions;
    a->settings.greeting = a->greeting;
    a->settings.transcription = a->transcription;
    a->settings.audio = (enum openai_audio)from->audio;
    a->settings.silence_ms = (unsigned)from->silence_ms;
    *out = a;
    return 0;
}

void agent_openai_free(struct agent_openai *a)
{
    if (!a)
        return;
    if (a->key)
        explicit_bzero(a->key, strlen(a->key));
    free(a->key);
    free(a->url);
    free(a->model);
    free(a->voice);
    free(a->instructions);
    free(a->greeting);
    free(a->transcription);
    for (size_t i = 0; a->texts && i < a->text_count; i++)
        free(a->texts[i]);
    free(a->texts);
    free(a->tools);
    free(a);
}

const struct openai_settings *agent_openai_settings(const struct agent_openai *a)
{
    return &a->settings;
}

const char *agent_openai_key(const struct agent_openai *a)
{
    return a->key;
}
