/* One job: check what the manager sessions of a node, and the sinks, need together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_parts.h"
#include "sink/sink.h"
#include "tap/tap_filter.h"

bool config_is_written(const struct config_built *s, const char *key)
{
    for (size_t i = 0; i < s->kind->key_count; i++)
        if (!strcmp(s->kind->keys[i].name, key))
            return s->items[i] != NULL;
    return false;
}

/* ---- manager sessions ---- */

/* A secret that cannot be had is told where it is looked up. */
static void check_pair(struct config_build *b, const struct config_built *s, const char *user, const char *user_key, const char *secret_key)
{
    if (user && !config_is_written(s, secret_key))
        config_key_problem(b, CONF_ERROR, s, secret_key, "expected a value (secret), which %s needs, came none", user_key);
    if (!user && config_is_written(s, secret_key))
        config_key_problem(b, CONF_WARNING, s, secret_key, "has no effect without %s", user_key);
}

/* One of the words of a list, blanks between them. */
static bool names(struct text list, struct text word)
{
    struct text one;

    while (text_cut(&list, ' ', &one))
        if (text_eq(one, word))
            return true;
    return false;
}

static bool is_far_and_clear(const char *ami)
{
    return text_starts(text_of(ami), TEXT("tcp://")) && !config_url_is_this_machine(ami);
}

static void check_users(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    check_pair(b, s, n->ami_user, "ami_user", "ami_secret");
    check_pair(b, s, n->control_user, "control_user", "control_secret");
    if ((n->ami_user || n->control_user) && !n->ami)
        config_key_problem(b, CONF_ERROR, s, n->ami_user ? "ami_user" : "control_user", "needs ami = tcp://HOST:PORT or tls://HOST:PORT in the same section");
    if (n->asyncagi && (!n->ami || !n->control_user))
        config_key_problem(b, CONF_ERROR, s, "asyncagi", "needs ami, control_user and control_secret in the same section");
    if (n->ami_user && n->control_user && !strcmp(n->ami_user, n->control_user))
        config_key_problem(b, CONF_WARNING, s, "control_user", "is the tap's user, too: a tap whose user has no write = can do less harm");
}

static void check_filters(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    struct tap_filters *f;
    char why[200] = "";
    int err;

    for (size_t i = 0; i < n->ami_filters.count; i++) {
        err = tap_filters_new(&f, &n->ami_filters.items[i], 1, why, sizeof why);
        if (err == -ENOMEM)
            b->err = err;
        else if (err)
            config_key_problem(b, CONF_ERROR, s, "ami_filter", "%s", why);
        else
            tap_filters_free(f);
    }
}

/* Asterisk passes over a class that it does not know (seen on 22.10.1), or sends nothing at all when it knows none of them. */
static void check_classes(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    const struct text known = TEXT("system call log verbose command agent user config dtmf reporting cdr dialplan originate agi cc aoc test "
                                   "security message all");
    struct text rest = text_of(n->ami_events), one;
    char came[80];

    while (n->ami_events && text_cut(&rest, ',', &one))
        if (!names(known, text_trim(one)))
            config_key_problem(b, CONF_ERROR, s, "ami_events", "expected classes of events that Asterisk knows, came %s",
                               config_quote(text_trim(one), came, sizeof came));
}

static void check_tapping(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    static const char *const idle[] = { "ami_events", "ami_filter" };

    if (n->tap && config_is_written(s, "tap") && (!n->ami || !n->ami_user))
        config_key_problem(b, CONF_ERROR, s, "tap", "needs ami, ami_user and ami_secret in the same section");
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        if (config_is_written(s, idle[i]) && !(n->tap && n->ami_user))
            config_key_problem(b, CONF_WARNING, s, idle[i], "has no effect without a tap (ami_user, tap = yes)");
    check_filters(b, s, n);
    check_classes(b, s, n);
}

static void check_line(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    const bool is_tls = n->ami && text_starts(text_of(n->ami), TEXT("tls://"));

    if (n->ami && is_far_and_clear(n->ami))
        config_key_problem(b, CONF_WARNING, s, "ami", "what callers and handlers say crosses the network in clear; tls:// would hide it");
    if (n->ami_pin && !is_tls)
        config_key_problem(b, CONF_WARNING, s, "ami_pin", "has no effect without ami = tls://");
    if (n->ami_pin && (!text_starts(text_of(n->ami_pin), TEXT("sha256//")) || strlen(n->ami_pin) < 52))
        config_key_problem(b, CONF_ERROR, s, "ami_pin", "expected sha256// and the base64 of 32 bytes");
    if (n->ami_plain && n->ami && is_far_and_clear(n->ami))
        config_key_problem(b, CONF_WARNING, s, "ami_plain", "the secrets cross the network in clear");
}

void config_node_check_ami(struct config_build *b, const struct config_built *s, struct config_node *n)
{
    check_users(b, s, n);
    check_tapping(b, s, n);
    check_line(b, s, n);
    n->tap = n->tap && n->ami && n->ami_user;
}

/* ---- sinks ---- */

/* Which keys a driver reads, beside driver carry kinds deadline; those before "|" it must have. */
static const char *const sink_needs[] = {
    [0] = "url | user secret table_prefix ca insecure",
    [1] = "url | user secret subject stream ca insecure",
    [2] = "file | rotate_size",
    [3] = "url | user secret template hmac_secret ca insecure",
    [4] = "url | user secret subject ca insecure",
};

static bool is_common(const char *key)
{
    return names(TEXT("driver carry kinds deadline"), text_of(key));
}

static bool has_driver(const struct config_built *s, const char *driver)
{
    for (size_t i = 0; i < s->kind->key_count; i++)
        if (!strcmp(s->kind->keys[i].name, "driver"))
            return s->items[i] && text_eq(text_trim(s->items[i]->value), text_of(driver));
    return false;
}

/* The driver's own opinion of its settings; opening reaches no server (sink.h), and those with a url make no file. */
static void ask_driver(struct config_build *b, const struct config_built *s, const struct config_sink *k, const struct sink_driver *driver)
{
    const struct log_sink nowhere = { .fd = -1, .level = LOG_OFF };
    const struct log log = { .sink = &nowhere, .module = "config" };
    const struct sink_settings set = { .name = k->head.name, .url = k->url, .subject = k->subject, .stream = k->stream,
                                       .table_prefix = k->table_prefix, .is_insecure = k->insecure, .deadline_ms = k->deadline_ms };
    char *problem = NULL, prefix[100];
    void *self = NULL;
    struct text why;

    if (driver->open(&self, &set, &log, &problem) == 0) {
        driver->close(self);
        return;
    }
    why = text_of(problem ? problem : "out of memory");
    snprintf(prefix, sizeof prefix, "sink %s: ", k->head.name);
    if (text_starts(why, text_of(prefix)))
        why = text_skip(why, strlen(prefix));
    config_key_problem(b, CONF_ERROR, s, "driver", "%s: %.*s", driver->name, TEXT_ARG(why));
    free(problem);
}

void config_sink_check(struct config_build *b, const struct config_built *s, const struct config_sink *k)
{
    const char *driver = config_drivers[k->driver];
    const struct text needs = text_of(sink_needs[k->driver]);
    const ptrdiff_t bar = text_find(needs, '|');
    struct text must = text_head(needs, (size_t)bar), one;

    if (!has_driver(s, driver))
        return;                    /* told already */
    if (k->url && strstr(k->url, "://") && strchr(k->url, '@')) { /* what stands before it may be a password */
        config_key_problem(b, CONF_ERROR, s, "url", "expected a URL without user and password, came one with an @ (not repeated here)");
        return;
    }
    if (!sink_driver_named(driver))
        config_key_problem(b, CONF_ERROR, s, "driver", "%s is not built into this program", driver);
    while (text_cut(&must, ' ', &one))
        for (size_t i = 0; one.n && i < s->kind->key_count; i++)
            if (text_eq(one, text_of(s->kind->keys[i].name)) && !s->items[i])
                config_key_problem(b, CONF_ERROR, s, s->kind->keys[i].name, "expected a value, which driver = %s needs, came none", driver);
    for (size_t i = 0; i < s->kind->key_count; i++)
        if (s->items[i] && !is_common(s->kind->keys[i].name) && !names(needs, text_of(s->kind->keys[i].name)))
            config_key_problem(b, CONF_WARNING, s, s->kind->keys[i].name, "has no effect with driver = %s", driver);
    if (k->insecure)
        config_key_problem(b, CONF_WARNING, s, "insecure", "any certificate is accepted");
    if (k->url && names(needs, TEXT("url")) && sink_driver_named(driver))
        ask_driver(b, s, k, sink_driver_named(driver));
}
