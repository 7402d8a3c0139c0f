/* Writes one line per event. */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOG_LINE = 2048 };

/* A line under construction; what does not fit is cut and marked. */
struct line {
    char p[LOG_LINE];
    size_t n;
};

static void put(struct line *l, const char *s, size_t n)
{
    const size_t room = LOG_LINE - 8 - l->n; /* kept for " cut=1\n" */

    if (n > room)
        n = room;
    memcpy(l->p + l->n, s, n);
    l->n += n;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

static bool is_plain(struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const unsigned char c = (unsigned char)t.p[i];

        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return t.n > 0;
}

/* Control bytes and quotes are escaped, so a value can never look like another field or another line. */
static void put_value(struct line *l, struct text t)
{
    if (is_plain(t)) {
        put(l, t.p, t.n);
        return;
    }
    put(l, "\"", 1);
    for (size_t i = 0; i < t.n; i++) {
        const unsigned char c = (unsigned char)t.p[i];
        char hex[5];

        if (c == '"' || c == '\\') {
            put(l, (const char[]){ '\\', (char)c }, 2);
        } else if (c == '\n') {
            put(l, "\\n", 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(hex, sizeof hex, "\\x%02x", c);
            put(l, hex, 4);
        } else {
            put(l, t.p + i, 1);
        }
    }
    put(l, "\"", 1);
}

static void put_field(struct line *l, const struct kv *f)
{
    char number[32];

    put(l, " ", 1);
    put_str(l, f->key);
    put(l, "=", 1);
    switch (f->kind) {
    case KV_TEXT:
        put_value(l, f->text);
        break;
    case KV_INT:
        put(l, number, (size_t)snprintf(number, sizeof number, "%" PRId64, f->number));
        break;
    case KV_ERR:
        put_value(l, text_of(err_text((int)f->number)));
        break;
    case KV_SECRET:
        put_str(l, "***");
        break;
    }
}

static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };

struct log log_for(const struct log *parent, const char *module)
{
    return (struct log){ .sink = parent->sink, .module = module };
}

void log_write(const struct log *log, enum log_level level, const char *event, const struct kv *fields)
{
    struct line l = { .n = 0 };
    char stamp[32];
    ssize_t done;

    if (!log->sink->journal) {
        clock_format(clock_wall_us(), stamp, sizeof stamp);
        put_str(&l, "at=");
        put_str(&l, stamp);
        put(&l, " ", 1);
    }
    put_str(&l, "level=");
    put_str(&l, level_names[level]);
    put_str(&l, " mod=");
    put_str(&l, log->module);
    put_str(&l, " event=");
    put_str(&l, event);
    for (; fields->key; fields++)
        put_field(&l, fields);
    if (l.n >= LOG_LINE - 8)
        l.n += (size_t)snprintf(l.p + l.n, 8, " cut=1");
    l.p[l.n++] = '\n';
    do
        done = write(log->sink->fd, l.p, l.n);
    while (done < 0 && errno == EINTR);
}

int log_level_parse(struct text t, enum log_level *out)
{
    for (int i = 0; i <= LOG_OFF; i++) {
        if (text_eq_nocase(t, text_of(level_names[i]))) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}
