/* Tells a new session what was said in the one before. */
#include "ai/openai_internal.h"

void openai_turns_send(struct openai *p)
{
    openai_write_message(&p->out, "system", TEXT("The call was interrupted for technical reasons. Do not greet again; go on where it stopped."));
    openai_send(p);
    for (size_t i = 0; i < p->words.count && p->ws; i++) {
        const struct talk_turn *t = talk_words_at(&p->words, i);

        if (!t->words[0])
            continue;
        openai_write_message(&p->out, t->is_agent ? "assistant" : "user", text_of(t->words));
        openai_send(p);
    }
}
