/* Writes a tool's answer. */
#include "ai/tool_answer.h"

void tool_answer_write(struct buf *b, int err, struct text result)
{
    if (!err) {
        buf_add_text(b, result);
    } else {
        buf_add_text(b, TEXT("{\"error\":\""));
        buf_add_json(b, result);
        buf_add_text(b, TEXT("\"}"));
    }
    if (b->err) {
        buf_clear(b);
        buf_add_text(b, TEXT("{\"error\":\"the result is too long\"}"));
    }
}
