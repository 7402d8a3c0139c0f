/* One job: a row of the journal as JSON, the form in which all sinks but the tables carry it. */
#include <string.h>

#include "base/clock.h"
#include "sink/sink_parts.h"

static void add_string(struct buf *out, struct text t)
{
    buf_add_char(out, '"');
    buf_add_json(out, t);
    buf_add_char(out, '"');
}

/* True when an earlier field has this name: it stands in the array made there. */
static bool came_before(const struct tap_event *e, size_t i, struct text name)
{
    struct text other, value;

    for (size_t k = 0; k < i; k++)
        if (tap_at(e, k, &other, &value) && text_eq_nocase(other, name))
            return true;
    return false;
}

static bool comes_again(const struct tap_event *e, size_t i, struct text name)
{
    struct text other, value;

    for (size_t k = i + 1; tap_at(e, k, &other, &value); k++)
        if (text_eq_nocase(other, name))
            return true;
    return false;
}

static void add_all_values(struct buf *out, const struct tap_event *e, size_t i, struct text name)
{
    struct text other, value;

    buf_add_char(out, '[');
    for (size_t k = i, n = 0; tap_at(e, k, &other, &value); k++) {
        if (!text_eq_nocase(other, name))
            continue;
        if (n++ > 0)
            buf_add_char(out, ',');
        add_string(out, value);
    }
    buf_add_char(out, ']');
}

int sink_event_json(struct buf *out, const struct tap_event *e)
{
    struct text name, value;
    size_t told = 0;

    buf_add_char(out, '{');
    for (size_t i = 0; tap_at(e, i, &name, &value); i++) {
        if (came_before(e, i, name))
            continue;
        if (told++ > 0)
            buf_add_char(out, ',');
        add_string(out, name);
        buf_add_char(out, ':');
        if (comes_again(e, i, name))
            add_all_values(out, e, i, name);
        else
            add_string(out, value);
    }
    return buf_add_char(out, '}');
}

/* Bytes of the well-formed sequence at p, or 0 (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF). */
static size_t utf8_at(const unsigned char *p, size_t n)
{
    const size_t need = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

    if (need == 0 || need > n)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return need;
}

int sink_utf8(struct buf *out, struct text t)
{
    const unsigned char *p = (const unsigned char *)t.p;

    for (size_t i = 0; i < t.n;) {
        const size_t n = utf8_at(p + i, t.n - i);

        if (n > 0)
            buf_add(out, p + i, n);
        else
            buf_add_text(out, TEXT("\xef\xbf\xbd"));
        i += n ? n : 1;
    }
    return out->err;
}

int sink_detail_json(struct buf *out, const char *detail)
{
    const size_t n = detail ? strlen(detail) : 0, at = out->n;

    if (n < 2 || detail[0] != '{' || detail[n - 1] != '}')
        return buf_add_text(out, TEXT("{}"));
    if (sink_utf8(out, text_make(detail, n)))
        return out->err;
    for (char *p = out->p + at; p < out->p + out->n; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    return 0;
}

int sink_row_key(struct buf *out, const struct sink_row *row)
{
    buf_add_url(out, text_of(row->node)); /* the key stands in headers, and its separators are its own */
    buf_addf(out, "/%lld/%llu/", (long long)row->session, (unsigned long long)row->seq);
    return row->is_event ? buf_add_char(out, 'e') : buf_addf(out, "%u", row->n);
}

int sink_row_json(struct buf *out, const struct sink_row *row)
{
    char at[32];

    clock_format(row->at_us, at, sizeof at);
    buf_add_text(out, TEXT("{\"key\":\""));
    sink_row_key(out, row);
    buf_addf(out, "\",\"id\":%lld,\"type\":\"%s\",\"node\":", (long long)row->id, row->is_event ? "event" : "fact");
    add_string(out, text_of(row->node));
    buf_addf(out, ",\"session\":%lld,\"seq\":%llu,\"n\":%u,\"at\":\"%s\",\"at_us\":%lld,\"kind\":", (long long)row->session,
             (unsigned long long)row->seq, row->n, at, (long long)row->at_us);
    add_string(out, text_of(row->kind));
    buf_add_text(out, TEXT(",\"call\":"));
    add_string(out, text_of(row->call));
    buf_add_text(out, TEXT(",\"detail\":"));
    sink_detail_json(out, row->detail);
    return buf_add_char(out, '}');
}
