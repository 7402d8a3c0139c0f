/* Answers a replayed handler's questions to store and http out of its recording. */
#include "app/replay_world.h"

#include <errno.h>
#include <stdlib.h>

#include "base/ref.h"
#include "route/asked.h"

enum { NOTES_MAX = 64 * 1024, WORD_MAX = 200, HTTP_STATUS_MAX = 999 };

struct replay_world {
    struct store_reader *reader;
    struct tape *tape;              /* NULL between sessions */
    struct asked asked;
    struct buf question, notes;
};

/* An answer on its way: told on the next turn, never from inside the question. */
struct answer {
    int err, status;
    char *value;                    /* NULL: no such row */
    size_t n;
    script_on_value *on_value;      /* one of three */
    script_on_put *on_put;
    script_on_http *on_http;
    void *arg;
};

static void on_answer(void *arg)
{
    struct answer *a = arg;
    const struct text value = a->value ? text_make(a->value, a->n) : TEXT_NONE;

    if (a->on_value)
        a->on_value(a->err, value, a->arg);
    else if (a->on_put)
        a->on_put(a->err, a->arg);
    else
        a->on_http(a->err, a->status, value, a->arg);
    free(a->value);
    free(a);
}

static int post(struct loop *l, const struct answer *from)
{
    struct answer *a = malloc(sizeof *a);
    int err = -ENOMEM;

    if (a) {
        *a = *from;
        err = loop_post(l, on_answer, a);
    }
    if (err) {
        free(a);
        free(from->value);
    }
    return err;
}

/* The recorded answer; TEXT_NONE: none, and a note is left that ends with `instead`. */
static struct text recall(struct replay_world *w, struct text verb, struct text first, struct text second, const char *instead)
{
    struct text told = TEXT_NONE;

    buf_clear(&w->question);
    buf_add_text(&w->question, verb);
    buf_add_char(&w->question, ' ');
    buf_add_text(&w->question, first);
    if (second.p) {
        buf_add_char(&w->question, ' ');
        buf_add_text(&w->question, second);
    }
    if (!w->question.err && w->tape)
        told = asked_find(&w->asked, w->tape, buf_text(&w->question));
    if (told.p)
        return told;
    if (w->notes.n > 0)
        buf_add_char(&w->notes, '\n');
    for (size_t i = 0; i < w->question.n && i < WORD_MAX; i++) /* a line each */
        buf_add_char(&w->notes, w->question.p[i] == '\n' ? ' ' : w->question.p[i]);
    buf_addf(&w->notes, ": not in the recording; %s", instead);
    return TEXT_NONE;
}

/* "=value", "-" or "!error". Recorded errors come back as -EIO: what the handler sees is an error of the same kind. */
static int take(struct answer *a, struct text told)
{
    a->err = told.p[0] == '!' ? -EIO : 0;
    if (told.p[0] != '=')
        return 0;
    told = text_skip(told, 1);
    a->value = text_dup(told);
    a->n = told.n;
    return a->value ? 0 : -ENOMEM;
}

static int get(void *arg, struct loop *l, struct text table, struct text key, script_on_value *on_value, void *value_arg)
{
    struct replay_world *w = arg;
    struct answer a = { .on_value = on_value, .arg = value_arg };
    const struct text told = recall(w, TEXT("store.get"), table, key, "answered by the store as it is now");
    int err = 0;

    if (told.n > 0) {
        err = take(&a, told);
    } else {
        const int found = store_reader_lookup(w->reader, table, key, &a.value, &a.n);

        a.err = found < 0 ? found : 0;
    }
    return err ? err : post(l, &a);
}

static int put(void *arg, struct loop *l, struct text table, struct text key, struct text value, script_on_put *on_put,
               void *put_arg)
{
    struct answer a = { .on_put = on_put, .arg = put_arg };
    const struct text told = recall(arg, TEXT("store.put"), table, key, "nothing is written in a replay, and it is told yes");

    (void)value;
    a.err = told.n > 0 && told.p[0] == '!' ? -EIO : 0;
    return post(l, &a);
}

static int http(void *arg, struct loop *l, struct text method, struct text url, script_on_http *on_http, void *http_arg)
{
    struct answer a = { .on_http = on_http, .arg = http_arg };
    struct text told = recall(arg, method, url, TEXT_NONE, "a replay sends nothing, so there was no answer"), status;
    int64_t n = 0;

    if (told.n > 1 && told.p[0] == '=') {
        told = text_skip(told, 1);
        if (text_cut(&told, ' ', &status) && text_to_i64(status, &n) == 0 && n > 0 && n <= HTTP_STATUS_MAX) {
            a.value = text_dup(told.p ? told : TEXT(""));
            if (!a.value)
                return -ENOMEM;
            a.n = told.n;
            a.status = (int)n;
            return post(l, &a);
        }
    }
    a.err = -EHOSTUNREACH;
    return post(l, &a);
}

int replay_world_new(struct replay_world **out, struct store_reader *reader)
{
    struct replay_world *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    w->reader = reader;
    buf_init(&w->question, ASKED_MAX + 1);
    buf_init(&w->notes, NOTES_MAX);
    *out = w;
    return 0;
}

struct script_services replay_world_services(struct replay_world *w)
{
    return (struct script_services){ .store_get = get, .store_put = put, .http = http, .arg = w };
}

void replay_world_begin(struct replay_world *w, struct tape *t)
{
    ref_drop(w->tape);
    w->tape = t ? ref_hold(t) : NULL;
    asked_clear(&w->asked);
    buf_clear(&w->notes);
}

struct text replay_world_notes(const struct replay_world *w)
{
    return buf_text(&w->notes);
}

void replay_world_free(struct replay_world *w)
{
    if (!w)
        return;
    replay_world_begin(w, NULL);
    buf_free(&w->question);
    buf_free(&w->notes);
    free(w);
}
