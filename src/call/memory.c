/* Keeps the latest words of a talk, whoever said them, cut to what was heard. */
#include "call/memory.h"

#include <string.h>

static struct memory_item *item_find(struct memory *m, uint32_t number)
{
    for (size_t i = 0; i < MEMORY_ITEMS; i++)
        if (m->items[i].number == number)
            return &m->items[i];
    return NULL;
}

/* The oldest gives its place. */
static struct memory_item *item_of(struct memory *m, uint32_t number)
{
    struct memory_item *it = item_find(m, number);

    if (it)
        return it;
    it = &m->items[m->next];
    m->next = (m->next + 1) % MEMORY_ITEMS;
    *it = (struct memory_item){ .number = number, .heard_ms = -1 };
    return it;
}

static void item_trim(struct memory *m, const struct memory_item *it, unsigned rate_hz)
{
    const uint64_t whole_ms = it->samples / (rate_hz / 1000);

    if (it->heard_ms == 0)
        talk_words_cut(&m->words, it->number, 0, 1);
    else if (it->heard_ms > 0)
        talk_words_cut(&m->words, it->number, (uint64_t)it->heard_ms, whole_ms);
}

void memory_caller(struct memory *m, struct text words)
{
    if (words.n > 0)
        talk_words_add(&m->words, false, 0, words);
}

void memory_agent(struct memory *m, uint32_t item, struct text words, unsigned rate_hz)
{
    if (words.n == 0 || item == 0)
        return;
    talk_words_add(&m->words, true, item, words);
    item_trim(m, item_of(m, item), rate_hz);
}

void memory_sound(struct memory *m, uint32_t item, size_t samples)
{
    if (item > 0)
        item_of(m, item)->samples += samples;
}

void memory_cut(struct memory *m, uint32_t item, unsigned played_ms, unsigned rate_hz)
{
    item_of(m, item);
    for (size_t i = 0; i < MEMORY_ITEMS; i++) {
        struct memory_item *it = &m->items[i];

        if (it->number < item || it->heard_ms >= 0)
            continue;
        it->heard_ms = it->number == item ? played_ms : 0;
        item_trim(m, it, rate_hz);
    }
}

void memory_switch(struct memory *m)
{
    memset(m->items, 0, sizeof m->items);
    m->next = 0;
    for (size_t i = 0; i < m->words.count; i++)
        m->words.turns[(m->words.first + i) % TALK_TURNS].number = 0;
}

void memory_free(struct memory *m)
{
    talk_words_free(&m->words);
}
