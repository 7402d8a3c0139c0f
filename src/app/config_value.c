/* One job: turn the text of one key into its typed field, or say what was expected. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_parts.h"

enum { SHOWN_MAX = 60, LIST_MAX = 64 };

/* What a reader of one type gets. */
struct reading {
    struct config_build *b;
    const struct config_built *section;
    const struct config_key *key;
    struct text value;          /* trimmed, not empty */
    void *field;
};

const char *config_quote(struct text t, char *out, size_t size)
{
    const struct text head = text_head(t, SHOWN_MAX);
    char shown[SHOWN_MAX + 1];

    for (size_t i = 0; i < head.n; i++)
        shown[i] = (unsigned char)head.p[i] < 0x20 || head.p[i] == 0x7f || head.p[i] == '"' ? '?' : head.p[i];
    shown[head.n] = '\0';
    snprintf(out, size, "\"%s%s\"", shown, head.n < t.n ? "..." : "");
    return out;
}

void config_duration_text(int64_t ms, char *out, size_t size)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ms % units[i].ms == 0 && (ms || units[i].ms == 1000)) {
            snprintf(out, size, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
            return;
        }
    snprintf(out, size, "%lldms", (long long)ms);
}

static void expected(const struct reading *r, const char *what)
{
    char came[SHOWN_MAX + 8];

    config_key_problem(r->b, CONF_ERROR, r->section, r->key->name, "expected %s, came %s", what,
                       config_quote(r->value, came, sizeof came));
}

static void keep_text(const struct reading *r, struct text t)
{
    *(const char **)r->field = config_text(r->b, t);
}

static void read_text(const struct reading *r)
{
    if (text_is_one_line(r->value))
        keep_text(r, r->value);
    else
        expected(r, "one line of printable text");
}

static bool is_word(struct text t, const char *more)
{
    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(more, c))))
            return false;
    }
    return t.n > 0;
}

static void read_name(const struct reading *r)
{
    if (r->value.n <= 64 && is_word(r->value, "._-"))
        keep_text(r, r->value);
    else
        expected(r, "a name of letters, digits and . _ - (at most 64)");
}

static void read_path(const struct reading *r)
{
    const char *path, *fault;

    if (!text_is_one_line(r->value)) {
        expected(r, "a path");
        return;
    }
    path = config_path(r->b, r->key->base, r->value);
    if (!path)
        return;
    fault = r->key->wants == CONFIG_WANTS_FILE ? config_file_fault(path) : NULL;
    if (fault)
        config_key_problem(r->b, CONF_ERROR, r->section, r->key->name, "expected a file, came %.300s: %s", path, fault);
    *(const char **)r->field = path;
}

static void read_duration(const struct reading *r)
{
    char min[32], max[32], what[128];
    int64_t ms;

    if (!text_to_ms(r->value, &ms) && ms >= r->key->min && ms <= r->key->max) {
        *(int64_t *)r->field = ms;
        return;
    }
    config_duration_text(r->key->min, min, sizeof min);
    config_duration_text(r->key->max, max, sizeof max);
    snprintf(what, sizeof what, "a duration from %s to %s", min, max);
    expected(r, what);
}

static void read_number(const struct reading *r, int err, int64_t n)
{
    char what[128];

    if (!err && n >= r->key->min && n <= r->key->max) {
        *(int64_t *)r->field = n;
        return;
    }
    snprintf(what, sizeof what, "%sa number from %lld to %lld", r->key->may_be_auto ? "auto or " : "", (long long)r->key->min,
             (long long)r->key->max);
    expected(r, what);
}

static void read_count(const struct reading *r)
{
    int64_t n = 0;
    const int err = text_to_i64(r->value, &n);

    if (r->key->may_be_auto && text_eq_nocase(r->value, TEXT("auto")))
        *(int64_t *)r->field = 0;
    else
        read_number(r, err, n);
}

static void read_bytes(const struct reading *r)
{
    int64_t n = 0;
    const int err = text_to_bytes(r->value, &n);

    read_number(r, err, n);
}

static void read_bool(const struct reading *r)
{
    if (text_to_bool(r->value, r->field))
        expected(r, "yes or no");
}

static void read_address(const struct reading *r)
{
    if (address_parse(r->value, r->field))
        expected(r, "a numeric address and port, as 127.0.0.1:4573 or [::1]:4573");
}

static bool is_port(struct text t)
{
    int64_t n;

    return !text_to_i64(t, &n) && n >= 1 && n <= 65535;
}

/* host, host:port, [v6]:port. */
static bool is_host_port(struct text t, bool needs_port)
{
    const bool has_bracket = t.n && t.p[0] == '[';
    const ptrdiff_t end = has_bracket ? text_find(t, ']') : text_rfind(t, ':');
    struct text host = end < 0 ? t : text_head(t, (size_t)end), rest = end < 0 ? TEXT("") : text_skip(t, (size_t)end);

    if (has_bracket) {
        if (end < 0)
            return false;
        host = text_skip(host, 1);
        rest = text_skip(rest, 1);
    }
    if (!host.n || host.n > 255 || !is_word(host, has_bracket ? ":." : ".-"))
        return false;
    return rest.n ? rest.p[0] == ':' && is_port(text_skip(rest, 1)) : !needs_port;
}

static void read_peer(const struct reading *r)
{
    if (is_host_port(r->value, true))
        keep_text(r, r->value);
    else
        expected(r, "host:port");
}

static void read_ami_url(const struct reading *r)
{
    const bool has_scheme = text_starts(r->value, TEXT("tcp://")) || text_starts(r->value, TEXT("tls://"));

    if (has_scheme && text_find(r->value, '@') < 0 && is_host_port(text_skip(r->value, 6), true))
        keep_text(r, r->value);
    else if (text_find(r->value, '@') >= 0) /* what stands before it may be a password */
        config_key_problem(r->b, CONF_ERROR, r->section, r->key->name,
                           "expected tcp://HOST:PORT or tls://HOST:PORT, came one with an @ (not repeated here)");
    else
        expected(r, "tcp://HOST:PORT or tls://HOST:PORT");
}

static void read_url(const struct reading *r)
{
    struct text url = r->value, rest = TEXT_NONE;
    ptrdiff_t slash;

    /* What stands before an @ may be a password: such a value is not repeated. */
    if (text_find(url, '@') >= 0) {
        config_key_problem(r->b, CONF_ERROR, r->section, r->key->name,
                           "expected a URL without user and password, came one with an @ (not repeated here)");
        return;
    }
    if (text_starts_nocase(url, TEXT("http://")))
        rest = text_skip(url, 7);
    else if (text_starts_nocase(url, TEXT("https://")))
        rest = text_skip(url, 8);
    slash = text_find(rest, '/');
    if (!rest.n || !is_host_port(slash < 0 ? rest : text_head(rest, (size_t)slash), false) ||
        (slash >= 0 && !is_word(text_skip(rest, (size_t)slash), "/._~%-"))) {
        expected(r, "http://HOST[:PORT] or https://HOST[:PORT]");
        return;
    }
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    keep_text(r, url);
}

static void read_secret(const struct reading *r)
{
    const struct secret_source source = { .directory = r->b->c->directory, .credentials = getenv("CREDENTIALS_DIRECTORY") };
    struct secret_answer answer;
    struct text name;
    int err;

    if (r->b->flags & CONFIG_SKIP_SECRETS && secret_form(r->value, &name) != SECRET_LITERAL)
        return;
    err = secret_resolve(r->field, r->value, &source, &answer);
    if (err == -ENOMEM)
        r->b->err = -ENOMEM;
    else if (answer.problem[0])
        config_key_problem(r->b, answer.is_warning || (err && err != -EINVAL && r->b->flags & CONFIG_SOME_SECRETS) ? CONF_WARNING : CONF_ERROR, r->section, r->key->name, "%s", answer.problem);
}

static void read_enum(const struct reading *r)
{
    char what[200] = "one of:";

    for (int i = 0; r->key->choices[i]; i++) {
        const size_t n = strlen(what);

        if (text_eq(r->value, text_of(r->key->choices[i]))) {
            *(int *)r->field = i;
            return;
        }
        snprintf(what + n, sizeof what - n, " %s", r->key->choices[i]);
    }
    expected(r, what);
}

static void read_list(const struct reading *r)
{
    struct config_list *list = r->field;
    const char **items = config_take(r->b, LIST_MAX * sizeof *items);
    struct text rest = r->value, one;
    size_t n = 0;

    if (!items)
        return;
    while (text_cut(&rest, ',', &one)) {
        one = text_trim(one);
        if (n == LIST_MAX || one.n > 63 || !is_word(one, r->key->more ? r->key->more : "_-")) {
            expected(r, r->key->more ? "names separated by commas (at most 64)" : "names of letters, digits, _ and -, separated by commas (at most 64)");
            return;
        }
        for (size_t i = 0; i < n; i++)
            if (items[i] && text_eq(text_of(items[i]), one))
                config_key_problem(r->b, CONF_ERROR, r->section, r->key->name, "expected each name once, came %s twice", items[i]);
        items[n++] = config_text(r->b, one);
    }
    *list = (struct config_list){ .items = items, .count = n };
}

/* Called once for each line that is written. */
static void read_lines(const struct reading *r)
{
    struct config_list *list = r->field;
    const char **items;

    if (!text_is_one_line(r->value) || list->count == LIST_MAX) {
        expected(r, "one line of printable text, at most 64 times");
        return;
    }
    items = config_take(r->b, (list->count + 1) * sizeof *items);
    if (!items)
        return;
    for (size_t i = 0; i < list->count; i++)
        items[i] = list->items[i];
    items[list->count] = config_text(r->b, r->value);
    *list = (struct config_list){ .items = items, .count = list->count + 1 };
}

static void (*const readers[])(const struct reading *r) = {
    [CONFIG_TEXT] = read_text,   [CONFIG_NAME] = read_name,       [CONFIG_PATH] = read_path, [CONFIG_DURATION] = read_duration,
    [CONFIG_COUNT] = read_count, [CONFIG_BYTES] = read_bytes,     [CONFIG_BOOL] = read_bool, [CONFIG_ADDRESS] = read_address,
    [CONFIG_PEER] = read_peer,   [CONFIG_URL] = read_url, [CONFIG_AMI_URL] = read_ami_url,
          [CONFIG_SECRET] = read_secret, [CONFIG_ENUM] = read_enum,
    [CONFIG_LIST] = read_list, [CONFIG_LINES] = read_lines,
};

void config_value_read(struct config_build *b, const struct config_built *s, const struct config_key *key, struct text value)
{
    const struct reading r = { .b = b, .section = s, .key = key, .value = text_trim(value), .field = (char *)s->value + key->offset };

    if (r.value.n)
        readers[key->type](&r);
    else
        config_key_problem(b, CONF_ERROR, s, key->name, "expected a value (%s), came nothing", config_type_name(key->type));
}

/* ---- hosts ---- */

bool config_is_this_machine(struct text host)
{
    struct text name = host, port;

    if (text_starts(host, TEXT("[::1]")))
        return host.n == 5 || host.p[5] == ':';
    port = host;
    (void)text_cut(&port, ':', &name);
    if (text_eq_nocase(name, TEXT("localhost")))
        return true;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return text_starts(name, TEXT("127."));
}

bool config_url_is_this_machine(const char *url)
{
    struct text host = text_of(url), whole;
    const ptrdiff_t scheme = text_find_text(host, TEXT("://"));

    if (scheme < 0)
        return false;
    whole = text_skip(host, (size_t)scheme + 3);
    return text_cut(&whole, '/', &host) && config_is_this_machine(host);
}
