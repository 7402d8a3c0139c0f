/* Reads the few ARI answers that are not events: ids to adopt, and the reason of a refusal. */
#include "wire/ari.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/ari_internal.h"

void ari_list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

/* The id in an element: the element itself, or its "id" when it is an object. */
static struct text id_in(const cJSON *element, bool is_object)
{
    if (is_object)
        return ari_json_text(element, "id");
    return cJSON_IsString(element) ? text_of(element->valuestring) : TEXT_NONE;
}

static int list_copy(const cJSON *array, bool of_objects, char ***out)
{
    const cJSON *element;
    char **list;
    size_t n = 0;
    int err = -ENOMEM;

    if (!cJSON_IsArray(array))
        return -EPROTO;
    cJSON_ArrayForEach(element, array) n++;
    list = calloc(n + 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    n = 0;
    cJSON_ArrayForEach(element, array)
    {
        const struct text id = id_in(element, of_objects);

        if (!id.n) {
            err = -EPROTO;
            goto fail;
        }
        list[n] = text_dup(id);
        if (!list[n++])
            goto fail;
    }
    *out = list;
    return 0;
fail:
    ari_list_free(list);
    return err;
}

int ari_application_parse(struct text json, char ***channel_ids, char ***bridge_ids)
{
    char **channels = NULL, **bridges = NULL;
    const char *why;
    cJSON *root;
    int err = ari_json_parse(json, ARI_JSON_ANSWER_MAX, &root, &why);

    if (err)
        return err;
    err = list_copy(cJSON_GetObjectItemCaseSensitive(root, "channel_ids"), false, &channels);
    if (!err)
        err = list_copy(cJSON_GetObjectItemCaseSensitive(root, "bridge_ids"), false, &bridges);
    cJSON_Delete(root);
    if (err) {
        ari_list_free(channels);
        return err;
    }
    *channel_ids = channels;
    *bridge_ids = bridges;
    return 0;
}

/* Is this application ours: of that name, or of one call ("app:PJSIP/a-1", seen on 22.10.1)? */
static bool is_of_app(struct text name, struct text app)
{
    return text_eq(name, app) || (name.n > app.n && text_starts(name, app) && name.p[app.n] == ':');
}

static size_t list_count(char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* Takes what is in `more` over to the end of *list. -ENOMEM: both are freed, *list is NULL. */
static int list_join(char ***list, char **more)
{
    const size_t n = list_count(*list), m = list_count(more);
    char **joined = realloc(*list, (n + m + 1) * sizeof *joined);

    if (!joined) {
        ari_list_free(*list);
        ari_list_free(more);
        *list = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; i <= m; i++)
        joined[n + i] = more[i];
    free(more);
    *list = joined;
    return 0;
}

int ari_applications_parse(struct text json, struct text app, char ***channel_ids)
{
    const cJSON *element;
    char **all = calloc(1, sizeof *all), **one;
    const char *why;
    cJSON *root = NULL;
    int err = all ? ari_json_parse(json, ARI_JSON_ANSWER_MAX, &root, &why) : -ENOMEM;

    if (!err && !cJSON_IsArray(root))
        err = -EPROTO;
    cJSON_ArrayForEach(element, root)
    {
        if (err)
            break;
        if (!is_of_app(ari_json_text(element, "name"), app))
            continue;
        err = list_copy(cJSON_GetObjectItemCaseSensitive(element, "channel_ids"), false, &one);
        if (!err)
            err = list_join(&all, one);
    }
    cJSON_Delete(root);
    if (err) {
        ari_list_free(all);
        return err;
    }
    *channel_ids = all;
    return 0;
}

int ari_ids_parse(struct text json, char ***ids)
{
    const char *why;
    cJSON *root;
    int err = ari_json_parse(json, ARI_JSON_ANSWER_MAX, &root, &why);

    if (err)
        return err;
    err = list_copy(root, true, ids);
    cJSON_Delete(root);
    return err;
}

size_t ari_error_text(struct text json, char *out, size_t size)
{
    struct text message = TEXT_NONE;
    const char *why;
    cJSON *root = NULL;
    size_t n;

    if (ari_json_parse(json, ARI_JSON_ANSWER_MAX, &root, &why) == 0) {
        message = ari_json_text(root, "message");
        if (!message.p)
            message = ari_json_text(root, "error");
    }
    n = text_copy(out, size, message);
    cJSON_Delete(root);
    return n;
}
