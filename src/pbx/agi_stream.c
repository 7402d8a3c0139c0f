/* Carries an AGI session over a byte stream. */
#include "pbx/agi_stream.h"

#include "base/ref.h"
#include "wire/agi.h"

static struct stream *stream_of(const struct agi_carrier *c)
{
    return ((const struct agi_stream *)(const void *)c)->stream;
}

static int send_line(struct agi_carrier *c, struct text line)
{
    return stream_send_text(stream_of(c), line);
}

static int send_last(struct agi_carrier *c, struct text line)
{
    return stream_send_last(stream_of(c), line);
}

static void confirm(struct agi_carrier *c)
{
    stream_confirm(stream_of(c));
}

static void close_in_order(struct agi_carrier *c, int64_t linger_ms)
{
    stream_close(stream_of(c), linger_ms);
}

static void abort_now(struct agi_carrier *c)
{
    stream_abort(stream_of(c));
}

static const char *peer(const struct agi_carrier *c)
{
    return stream_peer(stream_of(c));
}

static void release(struct agi_carrier *c)
{
    ref_drop(stream_of(c));
}

static const struct agi_carrier_type over_stream = {
    .send = send_line, .send_last = send_last, .confirm = confirm, .close = close_in_order, .abort = abort_now, .peer = peer,
    .release = release, .line_max = AGI_LINE_MAX,
};

static void on_data(struct stream *stream, struct text bytes, void *arg)
{
    (void)stream;
    agi_session_take_bytes(arg, bytes);
}

static void on_end(struct stream *stream, void *arg)
{
    (void)stream;
    agi_session_take_end(arg);
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    agi_session_take_closed(arg, err);
}

void agi_stream_begin(struct agi_stream *o, struct stream *stream, struct agi_session *session)
{
    static const struct stream_handlers handlers = { .on_data = on_data, .on_end = on_end, .on_closed = on_closed };

    o->stream = stream;
    o->carrier = (struct agi_carrier){ .type = &over_stream, .loop = stream_loop(stream), .session = session };
    stream_handle(stream, &handlers, session);
}
