/* Keeps questions to store and http beside a session's commands, and finds their answers again. */
#include "route/asked.h"

#include <stdlib.h>

void asked_add(struct tape *t, int64_t us, struct text question, struct text answer)
{
    if (question.n > ASKED_MAX || answer.n > ASKED_MAX)
        return;
    tape_add(t, TAPE_ASKED, us, question);
    tape_add(t, TAPE_TOLD, us, answer);
}

static bool has_room(struct asked *a, size_t count)
{
    bool *more;

    if (count <= a->room)
        return true;
    more = realloc(a->used, count * sizeof *more);
    if (!more)
        return false;
    for (size_t i = a->room; i < count; i++)
        more[i] = false;
    a->used = more;
    a->room = count;
    return true;
}

struct text asked_find(struct asked *a, const struct tape *t, struct text question)
{
    struct text last = TEXT_NONE;
    struct tape_entry e, told;

    if (!has_room(a, tape_count(t)))
        return TEXT_NONE;
    for (size_t i = 0; tape_at(t, i, &e); i++) {
        if (e.kind != TAPE_ASKED || !text_eq(e.text, question) || !tape_at(t, i + 1, &told) || told.kind != TAPE_TOLD)
            continue;
        last = told.text;
        if (a->used[i])
            continue;
        a->used[i] = true;
        return last;
    }
    return last;
}

void asked_clear(struct asked *a)
{
    free(a->used);
    *a = (struct asked){ 0 };
}
