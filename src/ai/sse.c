/* Cuts server-sent events: LF or CRLF, lines and UTF-8 cut anywhere, comments and other fields passed over. */
#include "ai/sse.h"

#include <errno.h>

void sse_init(struct sse *s)
{
    buf_init(&s->line, SSE_EVENT_MAX);
    buf_init(&s->data, SSE_EVENT_MAX);
    s->has_data = s->is_stopped = false;
}

void sse_free(struct sse *s)
{
    buf_free(&s->line);
    buf_free(&s->data);
}

static void dispatch(struct sse *s, sse_on_event *on_event, void *arg)
{
    if (!s->has_data)
        return;
    s->has_data = false;
    s->is_stopped = !on_event(buf_text(&s->data), arg);
    buf_clear(&s->data);
}

static int line_take(struct sse *s, struct text line, sse_on_event *on_event, void *arg)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n == 0) {
        dispatch(s, on_event, arg);
        return 0;
    }
    if (!text_starts(line, TEXT("data:")))
        return 0;
    line = text_skip(line, sizeof "data:" - 1);
    if (line.n > 0 && line.p[0] == ' ')
        line = text_skip(line, 1);
    if (s->has_data)
        buf_add_char(&s->data, '\n');
    s->has_data = true;
    return buf_add_text(&s->data, line);
}

static int error_of(int err)
{
    return err == -ENOBUFS ? -EMSGSIZE : err;
}

int sse_feed(struct sse *s, struct text bytes, sse_on_event *on_event, void *arg)
{
    int err = 0;

    while (bytes.n > 0 && !err && !s->is_stopped) {
        const ptrdiff_t end = text_find(bytes, '\n');

        if (end < 0)
            return error_of(buf_add_text(&s->line, bytes));
        err = buf_add(&s->line, bytes.p, (size_t)end);
        if (!err)
            err = line_take(s, buf_text(&s->line), on_event, arg);
        buf_clear(&s->line);
        bytes = text_skip(bytes, (size_t)end + 1);
    }
    return error_of(err);
}

int sse_end(struct sse *s, sse_on_event *on_event, void *arg)
{
    int err = 0;

    if (s->is_stopped)
        return 0;
    if (s->line.n > 0)
        err = line_take(s, buf_text(&s->line), on_event, arg);
    buf_clear(&s->line);
    if (!err && !s->is_stopped)
        dispatch(s, on_event, arg);
    return error_of(err);
}
