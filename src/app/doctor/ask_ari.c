/* Asks one node's ARI over HTTP: who it is, its modules, our application, and whether the user may write. */
#include "app/doctor/asking.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REQUEST_MS = 4000, BODY_MAX = 4 << 20, URL = 1024 };

static const char *text_at(const cJSON *o, const char *group, const char *key)
{
    const char *t = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, group), key));

    return t ? t : "";
}

static void take_info(struct doctor_ari *d, struct text body)
{
    cJSON *o = cJSON_ParseWithLength(body.p, body.n);
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, "config"), "max_open_files");

    text_copy(d->version, sizeof d->version, text_of(text_at(o, "system", "version")));
    text_copy(d->last_reload, sizeof d->last_reload, text_of(text_at(o, "status", "last_reload_time")));
    if (cJSON_IsNumber(files) && files->valuedouble > 0 && files->valuedouble < 1e9)
        d->max_open_files = (int64_t)files->valuedouble;
    cJSON_Delete(o);
}

/* [{"name":"app_stasis.so","status":"Running",...}] */
static void take_modules(struct doctor_asked *out, struct text body)
{
    cJSON *list = cJSON_ParseWithLength(body.p, body.n);
    const cJSON *m;

    cJSON_ArrayForEach(m, list) {
        struct text name = text_of(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, "name")));
        const char *status = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, "status"));

        if (text_ends(name, TEXT(".so")))
            name.n -= 3;
        if (name.n && status && strcmp(status, "Running") == 0) {
            out->has_modules = true;
            doctor_list_add(&out->modules, name);
        }
    }
    cJSON_Delete(list);
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct asking_http *h = arg;
    struct doctor_asked *out = h->home->out;

    h->request = NULL;
    switch (h->kind) {
    case ASK_INFO:
        out->ari.err = err;
        out->ari.status = err ? 0 : status;
        text_copy(out->ari.why, sizeof out->ari.why, text_of(err && detail ? detail : ""));
        if (!err && status == 200)
            take_info(&out->ari, body);
        break;
    case ASK_MODULES:
        if (!err && status == 200)
            take_modules(out, body);
        break;
    case ASK_APP:
        out->ari.app_status = err ? 0 : status;
        break;
    case ASK_WRITE:
        out->ari.write_status = err ? 0 : status;
        break;
    case ASK_HTTP_KINDS:
        break;
    }
    asking_over(h->home);
}

/* What is asked for is there or not; the channel of the DELETE never is. */
static int ask(struct asking *a, enum ask_kind kind, const char *method, const char *path)
{
    const struct config_node *n = a->out->node;
    struct asking_http *h = &a->http[kind];
    char url[URL];
    const struct http_options opt = { .method = method, .url = url, .user = n->ari_user, .password = secret_reveal(&n->ari_secret),
                                      .timeout_ms = REQUEST_MS, .body_max = BODY_MAX };
    int err;

    *h = (struct asking_http){ .home = a, .kind = kind };
    if (snprintf(url, sizeof url, "%s/ari/%s", n->ari, path) >= (int)sizeof url)
        return -EMSGSIZE;
    err = http_send(&h->request, a->dialer, &opt, on_answer, h);
    if (!err)
        a->open++;
    return err;
}

int asking_ari_begin(struct asking *a)
{
    char app[300];
    int err = ask(a, ASK_INFO, "GET", "asterisk/info");

    snprintf(app, sizeof app, "applications/%s", a->out->node->app);
    if (!err)
        err = ask(a, ASK_MODULES, "GET", "asterisk/modules");
    if (!err)
        err = ask(a, ASK_APP, "GET", app);
    if (!err)
        err = ask(a, ASK_WRITE, "DELETE", "channels/sidetone-doctor-asks-for-a-channel-that-nobody-has");
    return err;
}

void asking_ari_end(struct asking *a)
{
    for (int i = 0; i < ASK_HTTP_KINDS; i++)
        if (a->http[i].request) {
            http_cancel(a->http[i].request);
            a->http[i].request = NULL;
            if (i == ASK_INFO)
                a->out->ari.err = -ETIMEDOUT;
            asking_over(a);
        }
}
