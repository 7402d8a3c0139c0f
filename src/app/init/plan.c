/* Makes the plan of `init`, from options or from a configuration. */
#include "app/init/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    struct text name;
    unsigned bits;
} parts[] = {
    { { "tap", 3 }, INIT_TAP | INIT_CONTROL },
    { { "ari", 3 }, INIT_ARI },
    { { "agi", 3 }, INIT_AGI },
    { { "asyncagi", 8 }, INIT_ASYNCAGI | INIT_CONTROL | INIT_AGI },
};

static int read_parts(const char *with, unsigned *out, char *why, size_t size)
{
    struct text rest = text_of(with), one;

    *out = 0;
    while (text_cut(&rest, ',', &one)) {
        size_t i = 0;

        while (i < sizeof parts / sizeof *parts && !text_eq(text_trim(one), parts[i].name))
            i++;
        if (i == sizeof parts / sizeof *parts) {
            snprintf(why, size, "--with: expected tap, ari, agi, asyncagi, came \"%.*s\"", TEXT_ARG(text_head(one, 80)));
            return -EINVAL;
        }
        *out |= parts[i].bits;
    }
    return 0;
}

/* As a section's name in two dialects: nothing that either gives a meaning. */
static bool is_name(const char *t)
{
    const size_t n = strlen(t);

    return n > 0 && n <= INIT_NAME_MAX && strspn(t, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

/* One line, without blanks or what begins a comment. */
static bool is_plain(const char *t)
{
    return text_is_one_line(text_of(t)) && !strpbrk(t, " ;\"'[]=") && strlen(t) < 200;
}

static bool is_address(const char *t)
{
    struct address a;

    return address_parse(text_of(t), &a) == 0 && a.port;
}

/* A host and its port, a name too. */
static bool is_host_port(const char *t)
{
    const char *colon = strrchr(t, ':');
    int64_t port;

    return colon && colon != t && text_to_i64(text_of(colon + 1), &port) == 0 && port > 0 && port < 65536;
}

static int refuse(char *why, size_t size, const char *option, const char *wanted, const char *came)
{
    snprintf(why, size, "--%s: expected %s, came \"%.200s\"", option, wanted, came);
    return -EINVAL;
}

static int check(const struct init_options *o, char *why, size_t size)
{
    static const char *const host_port = "HOST:PORT";

    if (!is_name(o->node))
        return refuse(why, size, "node", "letters, digits, - and _", o->node);
    if (o->ami && (!is_host_port(o->ami) || !is_plain(o->ami)))
        return refuse(why, size, "ami", host_port, o->ami);
    if (o->ari && (!is_plain(o->ari) || (strncmp(o->ari, "http://", 7) && strncmp(o->ari, "https://", 8))))
        return refuse(why, size, "ari", "http://HOST:PORT or https://HOST:PORT", o->ari);
    if (o->fastagi && !is_address(o->fastagi))
        return refuse(why, size, "fastagi", "ADDRESS:PORT", o->fastagi);
    if (o->audiosocket && !is_address(o->audiosocket))
        return refuse(why, size, "audiosocket", "ADDRESS:PORT", o->audiosocket);
    if (o->from && (!is_plain(o->from) || strspn(o->from, "0123456789.") != strlen(o->from)))
        return refuse(why, size, "from", "an IPv4 address", o->from);
    if (o->state_dir && (*o->state_dir != '/' || !is_plain(o->state_dir)))
        return refuse(why, size, "state-dir", "an absolute path", o->state_dir);
    return 0;
}

static const char *or_usual(const char *given, const char *usual)
{
    return given ? given : usual;
}

int init_plan_new(struct init_plan *p, const struct init_options *o, char **memory, char *why, size_t size)
{
    unsigned wanted;
    int err = check(o, why, size);

    if (!err)
        err = read_parts(or_usual(o->with, "tap,ari,agi"), &wanted, why, size);
    if (err)
        return err;
    if (asprintf(memory, "%s%s", o->ami && strstr(o->ami, "://") ? "" : "tcp://", or_usual(o->ami, "127.0.0.1:5038")) < 0)
        return -ENOMEM;
    *p = (struct init_plan){
        .node = o->node, .app = "sidetone", .parts = wanted, .ami = *memory, .ari = or_usual(o->ari, "http://127.0.0.1:8088"),
        .from = or_usual(o->from, "127.0.0.1"), .is_new = true, .audiosocket = or_usual(o->audiosocket, "127.0.0.1:9092"), .state_dir = or_usual(o->state_dir, "/var/lib/sidetone"),
    };
    text_copy(p->fastagi, sizeof p->fastagi, text_of(or_usual(o->fastagi, "127.0.0.1:4573")));
    p->users[INIT_TAP_SECRET] = wanted & INIT_TAP ? "sidetone-tap" : NULL;
    p->users[INIT_CONTROL_SECRET] = wanted & INIT_CONTROL ? "sidetone-control" : NULL;
    p->users[INIT_ARI_SECRET] = wanted & INIT_ARI ? "sidetone" : NULL;
    if (wanted & INIT_AGI)
        p->routes[p->route_count++] = "hello";
    p->agent = wanted & INIT_ARI ? "echo" : NULL;
    return 0;
}

static const struct config_node *node_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (!strcmp(c->nodes[i].head.name, name))
            return &c->nodes[i];
    return NULL;
}

int init_plan_of(struct init_plan *p, const struct config *c, const struct init_options *o, char *why, size_t size)
{
    const struct config_node *n = node_named(c, o->node);

    if (o->ami || o->ari || o->with || o->fastagi || o->audiosocket || o->state_dir) {
        snprintf(why, size, "with --config the configuration says where things are: leave --ami, --ari, --with and the like out");
        return -EINVAL;
    }
    if (!n) {
        snprintf(why, size, "no node %.100s in %.300s", o->node, c->path);
        return -ENOENT;
    }
    *p = (struct init_plan){ .node = n->head.name, .app = n->app, .ami = n->ami, .ari = n->ari, .from = or_usual(o->from, "127.0.0.1"),
                             .state_dir = c->sidetone.state_dir };
    p->parts = (n->tap ? INIT_TAP : 0) | (n->control_user ? INIT_CONTROL : 0) | (n->ari ? INIT_ARI : 0) | (c->route_count ? INIT_AGI : 0) |
               (n->asyncagi ? INIT_ASYNCAGI : 0);
    address_format(&c->fastagi.listen, p->fastagi, sizeof p->fastagi);
    p->users[INIT_TAP_SECRET] = n->tap ? n->ami_user : NULL;
    p->users[INIT_CONTROL_SECRET] = n->ami ? n->control_user : NULL;
    p->users[INIT_ARI_SECRET] = n->ari ? n->ari_user : NULL;
    for (size_t i = 0; i < c->route_count && p->route_count < INIT_ROUTES_MAX; i++)
        p->routes[p->route_count++] = c->routes[i].head.name;
    p->agent = n->default_agent ? n->default_agent : c->agent_count ? c->agents[0].head.name : NULL;
    return 0;
}
