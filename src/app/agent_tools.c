/* Reads the tools of an agent: the comments of their files, and those that need none. */
#include "app/agent_tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/buf.h"

enum { TOOL_MAX = 256 * 1024, COMMENT_MAX = 16 * 1024, BUILT_IN = 2 };

int agent_text_read(const char *path, size_t max, char **out)
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

/* ---- the tools ---- */

static const struct ai_tool hand_back = {
    .name = TOOL_HAND_BACK,
    .description = "Ends this conversation and hands the caller over to the telephone system. Say what happens first.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"description\":\"one word, such as operator\"}}}",
};

static const struct ai_tool hang_up = {
    .name = TOOL_HANG_UP,
    .description = "Ends the call. Say goodbye first.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\",\"description\":\"one word\"}}}",
};

static int read_one(struct agent_tool *t, const struct config_tool *from, const struct agent_complaint *to)
{
    const char *why = NULL;
    char *source = NULL;
    int err = agent_text_read(from->path, TOOL_MAX, &source);

    if (err)
        why = err_text(err);
    else
        err = tool_comments_read(text_of(source), &t->description, &t->parameters, &why);
    free(source);
    if (err && err != -ENOMEM) {
        agent_complain(to, from->path, why);
        return -EINVAL;
    }
    t->name = strdup(from->name);
    t->path = strdup(from->path);
    return err ? err : t->name && t->path ? 0 : -ENOMEM;
}

static void tell_built_in(struct agent_tools *t, const struct ai_tool *which)
{
    t->told[t->count++] = *which;
}

int agent_tools_read(struct agent_tools *t, const struct config_agent *from, const struct agent_complaint *to)
{
    int err = 0;

    t->items = calloc(from->tool_count + BUILT_IN, sizeof *t->items);
    t->told = calloc(from->tool_count + BUILT_IN, sizeof *t->told);
    if (!t->items || !t->told)
        return -ENOMEM;
    for (size_t i = 0; i < from->tool_count && !err; i++) {
        struct agent_tool *const item = &t->items[i];

        t->count = t->file_count = i + 1;
        err = read_one(item, &from->tools[i], to);
        t->told[i] = (struct ai_tool){ .name = item->name, .description = item->description, .parameters = item->parameters };
    }
    if (from->may_hand_back)
        tell_built_in(t, &hand_back);
    if (from->may_hang_up)
        tell_built_in(t, &hang_up);
    return err;
}

void agent_tools_free(struct agent_tools *t)
{
    for (size_t i = 0; t->items && i < t->file_count; i++) {
        free(t->items[i].name);
        free(t->items[i].path);
        free(t->items[i].description);
        free(t->items[i].parameters);
    }
    free(t->items);
    free(t->told);
    *t = (struct agent_tools){ 0 };
}

const struct agent_tool *agent_tools_find(const struct agent_tools *t, struct text name)
{
    for (size_t i = 0; i < t->file_count; i++)
        if (text_eq(text_of(t->items[i].name), name))
            return &t->items[i];
    return NULL;
}
