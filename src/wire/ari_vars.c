/* Reads a channel variable out of a channel that Asterisk describes in an answer. */
#include "wire/ari.h"

#include <errno.h>

#include "wire/ari_internal.h"

int ari_channelvar(struct text json, const char *name, char *out, size_t size)
{
    struct text value;
    const char *why;
    cJSON *root;
    int err = ari_json_parse(json, ARI_JSON_ANSWER_MAX, &root, &why);

    if (err)
        return err;
    value = ari_json_text(cJSON_GetObjectItemCaseSensitive(root, "channelvars"), name);
    if (!value.n || value.n >= size)
        err = -ENOENT;
    else
        text_copy(out, size, value);
    cJSON_Delete(root);
    return err;
}
