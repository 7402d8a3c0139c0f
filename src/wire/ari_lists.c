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
    int err = ari_json_parse(json, &root, &why);

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

int ari_ids_parse(struct text json, char ***ids)
{
    const char *why;
    cJSON *root;
    int err = ari_json_parse(json, &root, &why);

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

    if (ari_json_parse(json, &root, &why) == 0) {
        message = ari_json_text(root, "message");
        if (!message.p)
            message = ari_json_text(root, "error");
    }
    n = text_copy(out, size, message);
    cJSON_Delete(root);
    return n;
}
