/* Reads a few outputs of Asterisk's console. */
#include "app/live_cli.h"

#include <string.h>

enum { VALUE_MAX = 300, USER_NAME_MAX = 79 };

/* Of letters, digits and these: what else is told is not repeated. */
static bool is_made_of(struct text t, const char *more)
{
    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(more, c))))
            return false;
    }
    return t.n > 0 && t.n <= VALUE_MAX;
}

bool live_cli_is_plain(struct text name)
{
    return name.n <= USER_NAME_MAX && is_made_of(name, "-_.@+");
}

/* The value behind "   name:   value   " of the first such line. */
static bool find_value(struct text output, const char *name, struct text *out)
{
    struct text line, key;

    while (text_cut(&output, '\n', &line))
        if (text_find(line, ':') >= 0 && text_cut(&line, ':', &key) && text_eq(text_trim(key), text_of(name))) {
            *out = text_trim(line);
            return true;
        }
    return false;
}

static bool is_rule(struct text line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != '-')
            return false;
    return line.n >= 8;
}

/* ---- users ---- */

/* "3 manager users configured." */
static bool read_count(struct text line, int64_t *out)
{
    struct text number;

    return text_cut(&line, ' ', &number) && text_eq(text_trim(line), TEXT("manager users configured.")) && text_to_i64(number, out) == 0;
}

/* The count at the end proves that no name was taken for a line of the frame. */
bool live_cli_users(struct buf *out, struct text output)
{
    const size_t before = out->n;
    struct text line, held = TEXT_NONE;
    int64_t count = -1;
    size_t names = 0;
    bool is_list = false;

    while (text_cut(&output, '\n', &line) && count < 0) {
        if (!is_list) {
            is_list = is_rule(line);
        } else if (held.p && is_rule(held) && read_count(line, &count)) {
            break;
        } else {
            if (held.p && held.n) {
                buf_addf(out, "%.*s\n", TEXT_ARG(held));
                names++;
            }
            held = line;
        }
    }
    if (count >= 0 && (size_t)count == names && names <= LIVE_USERS_MAX)
        return true;
    out->n = before;
    return false;
}

bool live_cli_user(struct buf *out, struct text output)
{
    struct text secret, acl, read, write;

    if (!find_value(output, "secret", &secret) || !find_value(output, "ACL", &acl) || !find_value(output, "read perm", &read) ||
        !find_value(output, "write perm", &write) || !is_made_of(read, ",<>") || !is_made_of(write, ",<>"))
        return false;
    buf_addf(out, "secret = %s\nacl = %s\nread = %.*s\nwrite = %.*s\n", text_eq(secret, TEXT("<Set>")) ? "yes" : "no", text_eq(acl, TEXT("yes")) ? "yes" : "no",
             TEXT_ARG(read), TEXT_ARG(write));
    return true;
}

/* ---- doors ---- */

static bool is_address(struct text t)
{
    return is_made_of(t, ".:[]-%") && text_rfind(t, ':') > 0;
}

static void put_door(struct buf *out, const char *name, bool is_on, struct text address)
{
    if (is_on && is_address(address))
        buf_addf(out, "%s = %.*s\n", name, TEXT_ARG(address));
    else if (!is_on)
        buf_addf(out, "%s = no\n", name);
}

bool live_cli_settings(struct buf *out, struct text output)
{
    struct text is_on, plain, has_tls, tls;

    if (!find_value(output, "Manager (AMI)", &is_on) || !find_value(output, "TCP Bindaddress", &plain) || !find_value(output, "TLS Enable", &has_tls) ||
        !find_value(output, "TLS Bindaddress", &tls))
        return false;
    put_door(out, "manager", text_eq(is_on, TEXT("Yes")) && !text_eq(plain, TEXT("Disabled")), plain);
    put_door(out, "manager-tls", text_eq(has_tls, TEXT("Yes")) && !text_eq(tls, TEXT("Disabled")), tls);
    return true;
}

/* "Server Enabled and Bound to 127.0.0.1:8088", "Server Disabled"; "HTTPS Server Enabled and Bound to ..." only where there is one. */
bool live_cli_http(struct buf *out, struct text output)
{
    static const struct text bound = { "Server Enabled and Bound to ", 28 }, bound_tls = { "HTTPS Server Enabled and Bound to ", 34 };
    struct text line, plain = TEXT_NONE, tls = TEXT_NONE;
    bool is_off = false;

    while (text_cut(&output, '\n', &line)) {
        line = text_trim(line);
        if (text_starts(line, bound))
            plain = text_skip(line, bound.n);
        else if (text_starts(line, bound_tls))
            tls = text_skip(line, bound_tls.n);
        is_off |= text_eq(line, TEXT("Server Disabled"));
    }
    if (!is_off && !plain.p)
        return false;
    put_door(out, "http", plain.p, plain);
    put_door(out, "https", tls.p, tls);
    return true;
}

/* "Transport:  udp-nat   udp   0   0  127.0.0.1:5060": the name may be anything, so from the right. */
static bool read_transport(struct text line, struct text *type, struct text *address)
{
    struct text words[4] = { { 0 } };

    for (size_t i = 0; i < 4; i++) {
        ptrdiff_t blank;

        line = text_trim(line);
        blank = text_rfind(line, ' ');
        if (blank < 0)
            return false;
        words[i] = text_skip(line, (size_t)blank + 1);
        line = text_head(line, (size_t)blank);
    }
    *address = words[0];
    *type = words[3];
    return is_address(*address);
}

bool live_cli_transports(struct buf *out, struct text output)
{
    static const char *const types[] = { "udp", "tcp", "tls" };
    const size_t before = out->n;
    struct text line, type, address;
    bool is_whole = false;

    while (text_cut(&output, '\n', &line)) {
        is_whole |= text_starts(line, TEXT("Objects found:")) || text_starts(line, TEXT("No objects found"));
        if (!text_starts(line, TEXT("Transport:  ")) || text_find(line, '<') >= 0 || !read_transport(line, &type, &address))
            continue;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (text_eq(type, text_of(types[i])))
                buf_addf(out, "%s = %.*s\n", types[i], TEXT_ARG(address));
    }
    if (!is_whole)
        out->n = before;
    return is_whole;
}
