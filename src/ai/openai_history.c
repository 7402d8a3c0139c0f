/* Keeps the words of both sides, so that a session that breaks can be followed by one that knows them. */
#include <stdlib.h>
#include <string.h>

#include "ai/openai_internal.h"

static struct openai_turn *turn_at(struct openai *p, size_t i)
{
    return &p->turns[(p->turn_first + i) % OPENAI_TURNS];
}

void openai_turn_add(struct openai *p, bool is_agent, uint32_t number, struct text words)
{
    char *copy = text_dup(text_head(words, OPENAI_TURN_MAX));

    if (!copy)
        return;                    /* a new session would know one sentence less */
    if (p->turn_count == OPENAI_TURNS) {
        free(turn_at(p, 0)->words);
        p->turn_first = (p->turn_first + 1) % OPENAI_TURNS;
        p->turn_count--;
    }
    *turn_at(p, p->turn_count++) = (struct openai_turn){ .is_agent = is_agent, .number = number, .words = copy };
}

void openai_turn_cut(struct openai *p, uint32_t number, uint64_t part, uint64_t whole)
{
    for (size_t i = 0; i < p->turn_count; i++) {
        struct openai_turn *t = turn_at(p, i);
        size_t n;

        if (t->number != number || whole == 0)
            continue;
        n = strlen(t->words);
        n = part < whole ? (size_t)(n * part / whole) : n;
        while (n > 0 && t->words[n] != '\0' && t->words[n] != ' ')
            n--;                   /* whole words */
        t->words[n] = '\0';
    }
}

void openai_turns_send(struct openai *p)
{
    openai_write_message(&p->out, "system", TEXT("The call was interrupted for technical reasons. Do not greet again; go on where it stopped."));
    openai_send(p);
    for (size_t i = 0; i < p->turn_count && p->ws; i++) {
        const struct openai_turn *t = turn_at(p, i);

        if (!t->words[0])
            continue;
        openai_write_message(&p->out, t->is_agent ? "assistant" : "user", text_of(t->words));
        openai_send(p);
    }
}

void openai_turns_free(struct openai *p)
{
    for (size_t i = 0; i < p->turn_count; i++)
        free(turn_at(p, i)->words);
    p->turn_count = 0;
}
