/* Requests and answers of ARI as messages of its WebSocket. */
#include <errno.h>
#include <inttypes.h>

#include "wire/ari.h"
#include "wire/ari_internal.h"

int ari_request_write(struct buf *out, uint64_t id, const char *method, const char *path, struct text json_body)
{
    buf_addf(out, "{\"type\":\"RESTRequest\",\"request_id\":\"%" PRIu64 "\",\"method\":\"%s\",\"uri\":\"", id, method);
    buf_add_json(out, text_of(path));
    if (json_body.p) {
        buf_add_text(out, TEXT("\",\"content_type\":\"application/json\",\"message_body\":\""));
        buf_add_json(out, json_body);
    }
    return buf_add_text(out, TEXT("\"}"));
}

/* Events are many: only what says "RESTResponse" somewhere is parsed for it. */
static bool may_be_response(struct text json)
{
    return text_find_text(json, TEXT("\"RESTResponse\"")) >= 0;
}

static int read_response(struct ari_response *r, const cJSON *root)
{
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(root, "status_code");
    int64_t id;

    if (!text_eq(ari_json_text(root, "type"), TEXT("RESTResponse")))
        return -ENOENT;
    if (!cJSON_IsNumber(status) || status->valuedouble < 100 || status->valuedouble > 599)
        return -EPROTO;
    r->status = status->valueint;
    if (text_to_i64(ari_json_text(root, "request_id"), &id) == 0 && id > 0)
        r->id = (uint64_t)id;
    r->body = ari_json_text(root, "message_body");
    return 0;
}

int ari_response_parse(struct ari_response *out, struct text json)
{
    struct ari_response r = { .status = 0 };
    const char *why;
    cJSON *root = NULL;
    int err = may_be_response(json) ? ari_json_parse(json, ARI_JSON_ANSWER_MAX, &root, &why) : -ENOENT;

    if (!err)
        err = read_response(&r, root);
    if (err) {
        cJSON_Delete(root);
        return err;
    }
    r.memory = root;
    *out = r;
    return 0;
}

void ari_response_free(struct ari_response *r)
{
    cJSON_Delete(r->memory);
    *r = (struct ari_response){ .status = 0 };
}
