/* Finds doors in the files and looks for them in the live view. */
#include "audit/live_doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/rules/sections.h"

enum { AMI_PORT = 5038, AMI_TLS_PORT = 5039, HTTP_PORT = 8088, HTTPS_PORT = 8089, SIP_PORT = 5060, SIPS_PORT = 5061, SERVERS = 4 };

/* ---- addresses ---- */

static bool read_port(struct text t, uint16_t *out)
{
    int64_t number;

    if (text_to_i64(t, &number) || number < 1 || number > 65535)
        return false;
    *out = (uint16_t)number;
    return true;
}

/* One way to write each number, so that they can be compared as texts. */
static bool put_host(struct live_address *out, struct text host)
{
    unsigned char bytes[16];

    if (!host.n || host.n >= sizeof out->host)
        return false;
    text_copy(out->host, sizeof out->host, host);
    for (int family = AF_INET; family != 0; family = family == AF_INET ? AF_INET6 : 0)
        if (inet_pton(family, out->host, bytes) == 1)
            return inet_ntop(family, bytes, out->host, sizeof out->host) != NULL;
    return true;
}

bool live_address_read(struct live_address *out, struct text t, uint16_t port)
{
    struct live_address a = { .port = port };
    struct text host = text_trim(t), number = TEXT_NONE;
    const ptrdiff_t close = text_find(host, ']'), colon = text_rfind(host, ':');

    if (host.n && host.p[0] == '[' && close > 0) {
        number = text_skip(host, (size_t)close + 1);
        host = text_skip(text_head(host, (size_t)close), 1);
        if (number.n && number.p[0] != ':')
            return false;
        number = number.n ? text_skip(number, 1) : TEXT_NONE;
    } else if (colon >= 0 && text_find(host, ':') == colon) {
        number = text_skip(host, (size_t)colon + 1);
        host = text_head(host, (size_t)colon);
    }
    if (text_find(host, '[') >= 0 || (number.p && !read_port(number, &a.port)) || !a.port || !put_host(&a, host))
        return false;
    *out = a;
    return true;
}

void live_address_write(const struct live_address *a, char *out, size_t size)
{
    snprintf(out, size, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

enum reach live_address_reach(const struct live_address *a)
{
    return reach_of(text_of(a->host));
}

static bool is_every(const char *host)
{
    return strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0;
}

static bool is_number(const char *host)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* A name cannot be judged without asking somebody, so it counts as met. */
static bool covers(const struct live_address *listens, const struct live_address *wanted)
{
    return listens->port == wanted->port && (is_every(listens->host) || !is_number(wanted->host) || strcmp(listens->host, wanted->host) == 0);
}

/* ---- the doors of the files ---- */

static void put(struct live_doors *out, struct live_door door, struct text address, uint16_t port)
{
    if (live_address_read(&door.at, address, port))
        out->doors[out->count++] = door;
}

static uint16_t port_of(const struct settings_group *g, const char *key, uint16_t otherwise)
{
    const struct text t = settings_value(g, key);

    if (t.p)
        read_port(t, &otherwise);
    return otherwise;
}

/* A server with a plain door and, by tlsbindaddr, one with TLS. One without tlsbindaddr is not judged: where it then listens is the version's choice. */
static void put_server(struct live_doors *out, const struct settings_group *g, struct live_door plain, struct live_door tls, struct text bind, uint16_t port,
                       uint16_t tls_port)
{
    const struct text tls_bind = settings_value(g, "tlsbindaddr");

    plain.place = settings_place(g, plain.is_on && settings_item(g, "bindaddr") ? "bindaddr" : "enabled");
    put(out, plain, bind, port);
    tls.is_on = plain.is_on && settings_is(g, "tlsenable", false);
    tls.place = settings_place(g, tls.is_on ? "tlsbindaddr" : settings_item(g, "tlsenable") ? "tlsenable" : "enabled");
    if (tls_bind.n)
        put(out, tls, tls_bind, tls_port);
}

static int read_servers(struct live_doors *out, struct audit *a)
{
    const struct settings_group *manager, *http;
    struct text bind;
    int err = rule_group(a, AUDIT_MANAGER, "general", &manager);

    if (!err)
        err = rule_group(a, AUDIT_HTTP, "general", &http);
    if (err)
        return err;
    if (manager) {
        bind = settings_value(manager, "bindaddr");
        put_server(out, manager, (struct live_door){ .what = "AMI", .key = "manager", .is_on = settings_is(manager, "enabled", false) },
                   (struct live_door){ .what = "AMI over TLS", .key = "manager-tls" }, bind.n ? bind : TEXT("::"), port_of(manager, "port", AMI_PORT),
                   AMI_TLS_PORT);
    }
    if (http) {
        bind = settings_value(http, "bindaddr");
        put_server(out, http, (struct live_door){ .what = "HTTP", .key = "http", .is_on = settings_is(http, "enabled", false) && bind.n },
                   (struct live_door){ .what = "HTTPS", .key = "https" }, bind.n ? bind : TEXT("::"), port_of(http, "bindport", HTTP_PORT), HTTPS_PORT);
    }
    return 0;
}

static void put_transport(struct live_doors *out, const struct conf_section *s)
{
    const struct text protocol = section_value(s, "protocol"), bind = section_value(s, "bind");
    const bool is_udp = !protocol.n || text_eq_nocase(protocol, TEXT("udp")), is_tls = text_eq_nocase(protocol, TEXT("tls"));

    if (s->is_template || !text_eq_nocase(section_value(s, "type"), TEXT("transport")) || !bind.n ||
        !(is_udp || is_tls || text_eq_nocase(protocol, TEXT("tcp"))))
        return;
    put(out,
        (struct live_door){ .what = "transport", .key = is_udp ? "udp" : is_tls ? "tls" : "tcp", .name = s->name, .is_udp = is_udp, .is_on = true, .is_shared = true,
                            .place = section_place(s, "bind") },
        bind, is_tls ? SIPS_PORT : SIP_PORT);
}

int live_doors_read(struct live_doors *out, struct audit *a)
{
    const struct conf *sip = a->files[AUDIT_PJSIP];
    int err;

    *out = (struct live_doors){ .doors = arena_take(a->memory, (SERVERS + (sip ? sip->section_count : 0)) * sizeof *out->doors) };
    if (!out->doors)
        return -ENOMEM;
    err = read_servers(out, a);
    for (size_t i = 0; !err && sip && i < sip->section_count; i++)
        put_transport(out, &sip->sections[i]);
    return err;
}

/* ---- the running system ---- */

static bool process_listens(const struct conf_section *sockets, const char *kind, uint16_t port)
{
    struct live_address at;

    for (size_t i = 0; i < sockets->count; i++)
        if (text_eq(sockets->items[i].name, text_of(kind)) && live_address_read(&at, sockets->items[i].value, 0) && at.port == port)
            return true;
    return false;
}

static void take(struct live_look *out, const struct live_door *d, const struct live_address *at, bool is_proof)
{
    const bool is_better = out->at.port == 0 || live_address_reach(at) > live_address_reach(&out->at);

    out->is_heard |= is_proof && covers(at, &d->at);
    if (is_better)
        out->at = *at;
}

/* Transports of one sort share a key: one that is not named there is known to be silent only where any of them was told. */
static void look_at_words(struct live_look *out, const struct conf_section *words, const struct conf_section *sockets, const struct live_door *d)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct conf_item *item = &words->items[i];
        struct live_address at;

        if (d->is_shared && (text_eq(item->name, TEXT("udp")) || text_eq(item->name, TEXT("tcp")) || text_eq(item->name, TEXT("tls"))))
            out->is_known = true;
        if (!text_eq(item->name, text_of(d->key)))
            continue;
        out->is_known = true;
        if (live_address_read(&at, item->value, 0) && (!d->is_shared || at.port == d->at.port) &&
            (!sockets || process_listens(sockets, d->is_udp ? "udp" : "tcp", at.port)))
            take(out, d, &at, !sockets);
    }
}

void live_door_look(struct live_look *out, const struct audit *a, const struct live_door *d)
{
    const struct conf_section *words = live_section(a, "listens"), *sockets = live_section(a, "sockets");

    *out = (struct live_look){ .is_known = sockets != NULL };
    if (words)
        look_at_words(out, words, sockets, d);
    for (size_t i = 0; sockets && i < sockets->count; i++) {
        const struct conf_item *item = &sockets->items[i];
        struct live_address at;

        if (text_eq(item->name, d->is_udp ? TEXT("udp") : TEXT("tcp")) && live_address_read(&at, item->value, 0) && at.port == d->at.port)
            take(out, d, &at, true);
    }
}
