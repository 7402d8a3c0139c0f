/* ARI: any bytes are an event, a list or a refusal with a sentence; what our check lets through, cJSON must take. */
#include "fuzz.h"

#include "wire/ari.h"

static void check_text(struct text t)
{
    FUZZ_CHECK(t.p ? strlen(t.p) == t.n : t.n == 0);
}

static void check_event(struct text json)
{
    struct ari_event e;
    const int err = ari_event_parse(&e, json);

    FUZZ_CHECK(err == 0 || err == -EPROTO); /* -ENOMEM here means: passed the check, refused by cJSON */
    if (err) {
        FUZZ_CHECK(e.fault[0] && !e.memory);
        return;
    }
    FUZZ_CHECK(e.type.n > 0 && e.arg_count <= ARI_ARGS_MAX);
    check_text(e.type);
    check_text(e.channel.id);
    check_text(e.channel.caller_name);
    check_text(e.bridge_id);
    check_text(e.digit);
    for (size_t i = 0; i < e.arg_count; i++)
        check_text(e.args[i]);
    FUZZ_CHECK(e.kind != ARI_STASIS_START || e.channel.id.n > 0);
    ari_event_free(&e);
}

static void check_response(struct text json)
{
    struct ari_response r;
    char **inside = NULL;
    int err = ari_response_parse(&r, json);

    FUZZ_CHECK(err == 0 || err == -EPROTO || err == -ENOENT);
    if (!err) {
        FUZZ_CHECK(r.status >= 100 && r.status <= 599);
        check_text(r.body);
        ari_response_free(&r);
    }
    err = ari_applications_parse(json, TEXT("a"), &inside);
    FUZZ_CHECK(err == 0 || err == -EPROTO);
    FUZZ_CHECK((err == 0) == (inside != NULL));
    ari_list_free(inside);
}

/* Whatever a path and a body hold, what we write is JSON. */
static void check_request(struct text any)
{
    struct buf b;
    struct ari_response r;
    char *path = text_dup(any);

    buf_init(&b, ARI_REQUEST_MAX);
    if (path && ari_request_write(&b, 7, "POST", path, any) == 0) {
        FUZZ_CHECK(text_find_text(buf_text(&b), TEXT("\"request_id\":\"7\"")) > 0);
        FUZZ_CHECK(ari_response_parse(&r, buf_text(&b)) != 0);
    }
    buf_free(&b);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    const struct text json = text_make(copy, size);
    char **a = NULL, **b = NULL;
    char out[32];
    int err;

    check_event(json);
    check_response(json);
    check_request(json);
    err = ari_ids_parse(json, &a);
    FUZZ_CHECK(err == 0 || err == -EPROTO);
    ari_list_free(a);
    a = NULL;
    err = ari_application_parse(json, &a, &b);
    FUZZ_CHECK(err == 0 || err == -EPROTO);
    ari_list_free(a);
    ari_list_free(b);
    FUZZ_CHECK(ari_error_text(json, out, sizeof out) < sizeof out);
    free(copy);
    return 0;
}
