/* Keeps what was said, as far as it was heard. */
#include "ai/talk_words.h"

#include <stdlib.h>
#include <string.h>

static struct talk_turn *turn_at(struct talk_words *t, size_t i)
{
    return &t->turns[(t->first + i) % TALK_TURNS];
}

const struct talk_turn *talk_words_at(const struct talk_words *t, size_t i)
{
    return &t->turns[(t->first + i) % TALK_TURNS];
}

void talk_words_add(struct talk_words *t, bool is_agent, uint32_t number, struct text words)
{
    char *copy = text_dup(text_head(words, TALK_TURN_MAX));

    if (!copy)
        return;                    /* a new session would know one sentence less */
    if (t->count == TALK_TURNS) {
        free(turn_at(t, 0)->words);
        t->first = (t->first + 1) % TALK_TURNS;
        t->count--;
    }
    *turn_at(t, t->count++) = (struct talk_turn){ .is_agent = is_agent, .number = number, .words = copy };
}

void talk_words_cut(struct talk_words *t, uint32_t number, uint64_t part, uint64_t whole)
{
    for (size_t i = 0; i < t->count; i++) {
        struct talk_turn *turn = turn_at(t, i);
        size_t n;

        if (turn->number != number || whole == 0)
            continue;
        n = strlen(turn->words);
        n = part < whole ? (size_t)(n * part / whole) : n;
        while (n > 0 && turn->words[n] != '\0' && turn->words[n] != ' ')
            n--;                   /* whole words */
        turn->words[n] = '\0';
    }
}

void talk_words_copy(struct talk_words *to, const struct talk_words *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct talk_turn *t = talk_words_at(from, i);

        if (t->words[0])
            talk_words_add(to, t->is_agent, 0, text_of(t->words));
    }
}

void talk_words_free(struct talk_words *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(turn_at(t, i)->words);
    t->count = 0;
}
