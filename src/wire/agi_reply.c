/* Frames and reads the lines with which Asterisk answers AGI commands. */
#include "wire/agi.h"

#include <errno.h>
#include <string.h>

/* The longest run of " key=value" behind a ")": res_agi.c builds it in a buffer of 4096 bytes. */
enum { EXTRA_MAX = 4096 };

void agi_reply_reader_init(struct agi_reply_reader *r)
{
    *r = (struct agi_reply_reader){ .scanned = 0 };
    /* One reply in the making, and one feed of the same size behind it. */
    buf_init(&r->in, 2 * (size_t)AGI_REPLY_MAX);
}

void agi_reply_reader_free(struct agi_reply_reader *r)
{
    buf_free(&r->in);
}

static int fault_of(const struct agi_reply_reader *r)
{
    return r->in.err == -ENOBUFS ? -EMSGSIZE : r->in.err;
}

int agi_reply_feed(struct agi_reply_reader *r, const void *bytes, size_t n)
{
    if (r->in.err)
        return fault_of(r);
    buf_drop(&r->in, r->taken);
    r->scanned -= r->taken;
    r->line_at -= r->taken;
    r->taken = 0;
    buf_add(&r->in, bytes, n);
    return fault_of(r);
}

/* ---- "key=value" runs ---- */

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Length of "key=" at the head of t, or 0. */
static size_t key_length(struct text t)
{
    size_t n = 0;

    while (n < t.n && is_key_char(t.p[n]))
        n++;
    return n && n < t.n && t.p[n] == '=' ? n + 1 : 0;
}

static struct text skip_spaces(struct text t)
{
    while (t.n && t.p[0] == ' ')
        t = text_skip(t, 1);
    return t;
}

/* A quote inside is not escaped on the wire: the closing one is that which the end or another key follows. */
static bool quoted_cut(struct text *rest, struct text *value)
{
    for (size_t i = 1; i < rest->n; i++) {
        const struct text after = text_skip(*rest, i + 1);
        const struct text next = skip_spaces(after);

        if (rest->p[i] != '"' || (next.n && (next.n == after.n || !key_length(next))))
            continue;
        *value = text_make(rest->p + 1, i - 1);
        *rest = after;
        return true;
    }
    return false;
}

static bool plain_cut(struct text *rest, struct text *value)
{
    size_t n = 0;

    while (n < rest->n && rest->p[n] != ' ') {
        if (rest->p[n] == '"' || rest->p[n] == ')')
            return false;
        n++;
    }
    *value = text_head(*rest, n);
    *rest = text_skip(*rest, n);
    return true;
}

/* Takes one key=value off *rest, which begins at the key. False when there is none. */
static bool pair_cut(struct text *rest, struct text *key, struct text *value)
{
    const size_t n = key_length(*rest);
    struct text after = text_skip(*rest, n);

    if (!n || !(after.n && after.p[0] == '"' ? quoted_cut(&after, value) : plain_cut(&after, value)))
        return false;
    *key = text_head(*rest, n - 1);
    *rest = after;
    return true;
}

/* True for "" and for " key=value key=value", blanks at the end allowed: SPEECH RECOGNIZE sends one. */
static bool is_extra(struct text t)
{
    struct text key, value;

    while (t.n) {
        if (t.p[0] != ' ')
            return false;
        t = skip_spaces(t);
        if (t.n && !pair_cut(&t, &key, &value))
            return false;
    }
    return true;
}

/* ---- values in parentheses ---- */

/* Offset of the "(" that opens a value in "200 result=X (", or 0. */
static size_t value_open(struct text first_line)
{
    const struct text head = TEXT("200 result=");
    ptrdiff_t blank;

    if (!text_starts(first_line, head))
        return 0;
    blank = text_find(text_skip(first_line, head.n), ' ');
    if (blank < 0 || head.n + (size_t)blank + 1 >= first_line.n)
        return 0;
    return first_line.p[head.n + (size_t)blank + 1] == '(' ? head.n + (size_t)blank + 1 : 0;
}

/* Finds the ")" that ends a value: the last one that only key=value pairs follow. line begins behind the "(", or at the
 * line's own beginning when the value has run over an LF. -1: the value goes on. */
static ptrdiff_t value_close(struct text line)
{
    const size_t from = line.n > EXTRA_MAX ? line.n - EXTRA_MAX : 0;

    /* Its grammar name may be "(null)", so the last ")" would be the wrong one. */
    if (text_starts(line, TEXT("speech) endpos=")))
        return (ptrdiff_t)strlen("speech");
    for (size_t i = line.n; i > from; i--)
        if (line.p[i - 1] == ')' && is_extra(text_skip(line, i)))
            return (ptrdiff_t)(i - 1);
    return -1;
}

/* ---- whole replies ---- */

static int code_of(struct text line)
{
    static const int codes[] = { 510, 511, 520 };
    int64_t code;

    if (line.n < 3 || (line.n > 3 && line.p[3] != ' ') || text_to_i64(text_head(line, 3), &code))
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (code == codes[i])
            return codes[i];
    return 0;
}

/* "X", "X rest" or "X (value) rest", where body is "200 result=X..." or "100 result=X...". */
static void result_read(struct agi_reply *out, struct text body, size_t last_line)
{
    const size_t head = strlen("200 result=");
    const size_t open = value_open(body);
    struct text rest = text_skip(body, head);
    const ptrdiff_t blank = text_find(rest, ' ');

    out->result = blank < 0 ? rest : text_head(rest, (size_t)blank);
    rest = blank < 0 ? TEXT("") : text_skip(rest, (size_t)blank + 1);
    if (open) {
        const size_t from = last_line ? last_line : open + 1;
        const size_t close = from + (size_t)value_close(text_skip(body, from));

        out->has_value = true;
        out->value = text_make(body.p + open + 1, close - open - 1);
        rest = text_skip(body, close + 1);
    }
    out->extra = text_trim(rest);
}

static void reply_read(struct agi_reply *out, struct text body, size_t last_line)
{
    *out = (struct agi_reply){ .kind = AGI_REPLY_FINAL, .body = body };
    if (text_eq(body, TEXT("HANGUP"))) {
        out->kind = AGI_REPLY_HANGUP;
    } else if (text_starts(body, TEXT("200 result="))) {
        out->code = 200;
        result_read(out, body, last_line);
    } else if (text_starts(body, TEXT("100 result="))) {
        out->kind = AGI_REPLY_TRYING;
        out->code = 100;
        result_read(out, body, 0);
    } else if (text_starts(body, TEXT("520-"))) {
        out->code = 520;
    } else {
        out->code = code_of(body);
        if (!out->code)
            out->kind = AGI_REPLY_STRAY;
    }
}

/* Looks at one more complete line of the reply; true when the reply ends with it. */
static bool line_ends_reply(struct agi_reply_reader *r, struct text line)
{
    size_t open;

    if (r->usage)
        return text_starts(line, TEXT("520 "));
    if (r->open)
        return value_close(line) >= 0;
    if (text_starts(line, TEXT("520-"))) {
        r->usage = true;
        return false;
    }
    open = value_open(line);
    if (open && value_close(text_skip(line, open + 1)) < 0)
        r->open = true;
    return !r->open;
}

int agi_reply_next(struct agi_reply_reader *r, struct agi_reply *out)
{
    while (!r->in.err) {
        const char *lf = r->in.n > r->scanned ? memchr(r->in.p + r->scanned, '\n', r->in.n - r->scanned) : NULL;
        const size_t end = lf ? (size_t)(lf - r->in.p) : r->in.n;
        const size_t line_at = r->line_at;

        if (end - r->taken > AGI_REPLY_MAX) {
            r->in.err = -EMSGSIZE;
            break;
        }
        r->scanned = lf ? end + 1 : end;
        if (!lf)
            return 0;
        r->line_at = r->scanned;
        if (!line_ends_reply(r, text_make(r->in.p + line_at, end - line_at)))
            continue;
        reply_read(out, text_make(r->in.p + r->taken, end - r->taken), line_at - r->taken);
        r->taken = r->scanned;
        r->usage = r->open = false;
        return 1;
    }
    return fault_of(r);
}

int agi_reply_int(const struct agi_reply *reply, int64_t *out)
{
    return text_to_i64(reply->result, out) ? -EINVAL : 0;
}

struct text agi_reply_extra(const struct agi_reply *reply, struct text key)
{
    struct text rest = skip_spaces(reply->extra), name, value;

    while (pair_cut(&rest, &name, &value)) {
        if (text_eq(name, key))
            return value;
        rest = skip_spaces(rest);
    }
    return TEXT_NONE;
}
