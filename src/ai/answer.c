/* Fills the marks of spoken texts. */
#include "ai/answer.h"

#include <errno.h>
#include <math.h>

#include <cjson/cJSON.h>

enum { JSON_MAX = 64 * 1024, NAME_MAX_BYTES = 64 };

/* Cuts the next {mark} off *rest; what stands before it goes to out. False: no further mark. */
static bool mark_next(struct buf *out, struct text *rest, struct text *mark)
{
    const ptrdiff_t open = text_find(*rest, '{');
    const ptrdiff_t length = open < 0 ? -1 : text_find(text_skip(*rest, (size_t)open), '}');

    if (length < 0) {
        buf_add_text(out, *rest);
        return false;
    }
    buf_add_text(out, text_head(*rest, (size_t)open));
    *mark = text_head(text_skip(*rest, (size_t)open + 1), (size_t)length - 1);
    *rest = text_skip(*rest, (size_t)(open + length) + 1);
    return true;
}

static int value_add(struct buf *out, const cJSON *object, struct text mark)
{
    char name[NAME_MAX_BYTES + 1];

    text_copy(name, sizeof name, mark);
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsString(v))
        return buf_add_text(out, text_of(v->valuestring));
    if (cJSON_IsBool(v))
        return buf_add_text(out, cJSON_IsTrue(v) ? TEXT("yes") : TEXT("no"));
    if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble))
        return -ENOENT;
    if (v->valuedouble == floor(v->valuedouble) && fabs(v->valuedouble) < 1e15)
        return buf_addf(out, "%.0f", v->valuedouble);
    return buf_addf(out, "%g", v->valuedouble);
}

int answer_fill(struct buf *out, struct text words, struct text json)
{
    struct text mark;
    int err = 0;

    if (json.n > JSON_MAX)
        return -EBADMSG;
    cJSON *object = json.p ? cJSON_ParseWithLength(json.p, json.n) : NULL;
    if (!cJSON_IsObject(object))
        err = -EBADMSG;
    while (!err && mark_next(out, &words, &mark))
        err = value_add(out, object, mark);
    cJSON_Delete(object);
    return err ? err : out->err;
}

int answer_put(struct buf *out, struct text words, struct text mark, struct text value)
{
    struct text found;

    while (mark_next(out, &words, &found))
        buf_add_text(out, text_eq(found, mark) ? value : TEXT_NONE);
    return out->err;
}

static struct text digit_name(const char *digit)
{
    return *digit == '*' ? TEXT("star") : *digit == '#' ? TEXT("hash") : text_make(digit, 1);
}

int answer_digits(struct buf *out, const struct agent_file *agent)
{
    size_t left = 0;

    for (size_t i = 0; i < agent->intent_count; i++)
        left += agent->intents[i].digit != 0;
    const size_t all = left;
    for (size_t i = 0; i < agent->intent_count; i++) {
        const struct agent_intent *in = &agent->intents[i];
        if (!in->digit)
            continue;
        buf_addf(out, "%s%.*s for %.*s",
                 left == all ? ""
                 : left == 1 ? " or "
                             : ", ",
                 TEXT_ARG(digit_name(&in->digit)), TEXT_ARG(in->title));
        left--;
    }
    return out->err;
}
