/* Opens the ARI side of each node and spreads talks over the call loops. */
#include "app/serve_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/open_calls.h"
#include "pbx/asyncagi.h"

struct node {
    struct serve_nodes *home;
    const struct config_node *config;
    struct dialer *dialer, *ami_dialer; /* ami_dialer: with the manager port's pin */
    struct stasis *stasis;
    struct asyncagi *asyncagi;     /* NULL: not wanted, or closed */
    struct stasis_talks talks;
};

struct serve_nodes {
    const struct agents *agents;
    struct call_loop *const *loops;
    size_t loop_count, next_loop, next_place;
    struct audiosocket_door *door;
    struct open_calls *open_calls; /* NULL: only announced ones */
    struct websocket_door *websocket_door; /* NULL: nobody is expected there */
    struct node *nodes;
    size_t count, open;
    void (*on_closed)(void *arg);
    void *arg;
};

/* An absent argument means the node's own default. */
static struct text agent_name(const struct node *n, struct text asked)
{
    return asked.n ? asked : text_of(n->config->default_agent);
}

static int has_agent(void *arg, struct text agent)
{
    const struct node *n = arg;

    return agents_find(n->home->agents, agent_name(n, agent)) >= 0 ? 0 : -ENOENT;
}

static const struct agent *agent_of(const struct node *n, struct text agent)
{
    const int i = agents_find(n->home->agents, agent_name(n, agent));

    return i < 0 ? NULL : agents_at(n->home->agents, (size_t)i);
}

static bool fallback(void *arg, struct text agent, struct stasis_place *out)
{
    const struct agent *a = agent_of(arg, agent);

    if (!a || !a->fallback[0])
        return false;
    *out = (struct stasis_place){ a->fallback[0], a->fallback[1], a->fallback[2] };
    return true;
}

static size_t agent_media(void *arg, struct text agent, enum stasis_media out[STASIS_MEDIA_COUNT])
{
    const struct agent *a = agent_of(arg, agent);

    for (size_t k = 0; a && k < a->media_count; k++)
        out[k] = a->media[k];
    return a ? a->media_count : 1;
}

/* The loop with the fewest talks; equal ones take turns. */
static struct call_loop *choose_loop(struct serve_nodes *s)
{
    struct call_loop *best = NULL;

    s->next_loop++;
    for (size_t i = 0; i < s->loop_count; i++) {
        struct call_loop *c = s->loops[(s->next_loop + i) % s->loop_count];

        if (!best || call_loop_talks(c) < call_loop_talks(best))
            best = c;
    }
    return best;
}

static int start_talk(void *arg, void **talk, const struct stasis_talk_request *req, stasis_on_talk_end *on_end, void *end_arg)
{
    const struct node *n = arg;
    struct stasis_talk_request own = *req;
    struct call_talk *t;
    int err;

    own.agent = agent_name(n, req->agent);
    err = call_loop_talk(&t, choose_loop(n->home), &own, on_end, end_arg);
    if (!err)
        *talk = t;
    return err;
}

static void stop_talk(void *arg, void *talk)
{
    (void)arg;
    call_loop_talk_stop(talk);
}

/* Sessions are spread in turn: they are short, and all loops load the same routes. */
static struct loop *choose_place(void *arg, void **place)
{
    struct serve_nodes *s = ((struct node *)arg)->home;
    struct call_loop *c = s->loops[s->next_place++ % s->loop_count];

    *place = c;
    return call_loop_loop(c);
}

static int open_asyncagi(struct node *n, const struct serve_nodes_options *opt)
{
    const struct config_node *c = n->config;
    const struct asyncagi_options ao = {
        .ami = { .node = c->head.name, .url = c->ami, .user = c->control_user, .secret = secret_reveal(&c->control_secret),
                 .again = { secret_read_again, &c->control_secret },
                 .is_plain = c->ami_plain },
    };
    const struct asyncagi_places places = { .choose = choose_place, .accept = call_loop_take, .arg = n };
    int err;

    if (!c->asyncagi)
        return 0;
    err = asyncagi_open(&n->asyncagi, opt->control, n->ami_dialer, &ao, &places, opt->log);
    if (!err)
        n->home->open++;
    return err;
}

static int open_node(struct node *n, const struct serve_nodes_options *opt)
{
    const struct config_node *c = n->config;
    const struct dialer_options dialing = { .tls = { .ca_file = c->ca, .insecure = c->insecure } };
    const struct dialer_options to_ami = { .tls = { .ca_file = c->ca, .pin = c->ami_pin, .insecure = c->insecure } };
    const struct stasis_options so = {
        .ari = { .node = c->head.name, .base_url = c->ari, .app = c->app, .user = c->ari_user,
                 .password = secret_reveal(&c->ari_secret), .again = { secret_read_again, &c->ari_secret }, .listen = c->ari_listen, .per_call = c->ari_per_call,
                 .rest = (enum ari_rest)c->ari_rest },
        .media_host = opt->config->audiosocket.advertise,
        .rtp = opt->config->rtp.listen,
        .rtp_ports = (unsigned)opt->config->rtp.ports,
        .rtp_format = (enum leg_rtp_format)opt->config->rtp.format,
        .audiosocket_hz = config_audiosocket_hz[opt->config->audiosocket.format],
        .websocket = { .door = n->home->websocket_door, .client = opt->config->websocket.client,
                       .format = (enum leg_websocket_format)opt->config->websocket.format },
        .calls_max = (size_t)c->calls_max,
        .claims = c->broadcast,
    };
    int err = dialer_new(&n->dialer, opt->control, &dialing);

    if (!err && c->asyncagi)
        err = dialer_new(&n->ami_dialer, opt->control, &to_ami);
    if (err)
        return err;
    if (c->insecure)
        log_warn(opt->log, "tls_not_verified", kv_str("node", c->head.name));
    n->talks = (struct stasis_talks){ .has_agent = has_agent, .fallback = fallback, .start = start_talk, .stop = stop_talk,
                                      .media = agent_media, .arg = n };
    if (!config_node_has_ari(c))
        return 0;
    err = stasis_open(&n->stasis, opt->control, n->dialer, n->home->door, &so, &n->talks, opt->timeline, opt->log);
    if (!err)
        n->home->open++;
    return err;
}

static bool has_ari(const struct config *c)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (config_node_has_ari(&c->nodes[i]))
            return true;
    return false;
}

static bool has_websocket(const struct config *c)
{
    for (size_t i = 0; i < c->agent_count; i++)
        for (size_t k = 0; k < c->agents[i].media.count; k++)
            if (strcmp(c->agents[i].media.items[k], "websocket") == 0)
                return c->websocket.opened_by == CONFIG_BY_ASTERISK;
    return false;
}

static int open_websocket_door(struct serve_nodes *s, const struct serve_nodes_options *opt, void (*problem)(const char *line, void *arg),
                               void *arg)
{
    char where[100], line[200];
    int err;

    if (!has_websocket(opt->config))
        return 0;
    err = websocket_door_open(&s->websocket_door, opt->control, &opt->config->websocket.listen);
    address_format(&opt->config->websocket.listen, where, sizeof where);
    if (err) {
        snprintf(line, sizeof line, "websocket/listen: cannot listen on %s: %s", where, err_text(err));
        problem(line, arg);
        return err;
    }
    log_info(opt->log, "listening", kv_str("what", "websocket"), kv_str("address", where));
    return 0;
}

static struct call_loop *choose_any(void *arg)
{
    return choose_loop(arg);
}

static int open_open_calls(struct serve_nodes *s, const struct serve_nodes_options *opt)
{
    const struct config_audiosocket *a = &opt->config->audiosocket;
    const struct open_calls_options oo = { .agent = a->agent, .allow = &a->allow, .calls_max = (size_t)a->calls_max, .choose = choose_any, .arg = s,
                                           .log = opt->log };

    return a->accept == CONFIG_ACCEPT_ANY ? open_calls_new(&s->open_calls, s->door, &oo) : 0;
}

static int open_door(struct serve_nodes *s, const struct serve_nodes_options *opt, void (*problem)(const char *line, void *arg),
                     void *arg)
{
    char where[100], line[200];
    int err;

    if (!has_ari(opt->config) && opt->config->audiosocket.accept != CONFIG_ACCEPT_ANY)
        return 0;
    err = door_open(&s->door, opt->control, &opt->config->audiosocket.listen);
    if (err) {
        address_format(&opt->config->audiosocket.listen, where, sizeof where);
        snprintf(line, sizeof line, "audiosocket/listen: cannot listen on %s: %s", where, err_text(err));
        problem(line, arg);
        return err;
    }
    err = open_open_calls(s, opt);
    return err ? err : open_websocket_door(s, opt, problem, arg);
}

int serve_nodes_open(struct serve_nodes **out, const struct serve_nodes_options *opt,
                     void (*problem)(const char *line, void *arg), void *arg)
{
    struct serve_nodes *s = calloc(1, sizeof *s);
    int err = -ENOMEM;

    if (!s)
        return err;
    s->agents = opt->agents;
    s->loops = opt->loops;
    s->loop_count = opt->loop_count;
    s->nodes = calloc(opt->config->node_count + 1, sizeof *s->nodes);
    if (s->nodes)
        err = open_door(s, opt, problem, arg);
    for (size_t i = 0; !err && i < opt->config->node_count; i++) {
        struct node *n = &s->nodes[s->count++];
        char line[200];

        n->home = s;
        n->config = &opt->config->nodes[i];
        err = open_node(n, opt);
        if (!err)
            err = open_asyncagi(n, opt);
        if (err) {
            snprintf(line, sizeof line, "node %s: cannot be set up: %s", n->config->head.name, err_text(err));
            problem(line, arg);
        }
    }
    *out = s; /* also on error: what did open must be closed on the loop */
    return err;
}

bool serve_nodes_state(const struct serve_nodes *s, size_t i, struct serve_node_state *out)
{
    const struct node *n = s && i < s->count ? &s->nodes[i] : NULL;

    if (!n)
        return false;
    *out = (struct serve_node_state){
        .name = n->config->head.name, .has_ari = config_node_has_ari(n->config), .has_asyncagi = n->config->asyncagi, .ari_is_up = n->stasis && stasis_is_up(n->stasis),
        .asyncagi_is_up = n->asyncagi && asyncagi_is_up(n->asyncagi), .calls = n->stasis ? stasis_calls(n->stasis) : 0,
    };
    return true;
}

bool serve_nodes_has_door(const struct serve_nodes *n)
{
    return n && n->door;
}

bool serve_nodes_are_up(const struct serve_nodes *n)
{
    struct serve_node_state state;

    for (size_t i = 0; serve_nodes_state(n, i, &state); i++)
        if ((state.has_ari && !state.ari_is_up) || (state.has_asyncagi && !state.asyncagi_is_up))
            return false;
    return true;
}

size_t serve_nodes_calls(const struct serve_nodes *n)
{
    struct serve_node_state state;
    size_t calls = n ? open_calls_count(n->open_calls) : 0;

    for (size_t i = 0; serve_nodes_state(n, i, &state); i++)
        calls += state.calls;
    return calls;
}

static void finish_close(struct serve_nodes *s)
{
    if (s->door)
        door_close(s->door);
    s->door = NULL;
    websocket_door_close(s->websocket_door);
    s->websocket_door = NULL;
    s->on_closed(s->arg);
}

static void on_node_closed(void *arg)
{
    struct node *n = arg;
    struct serve_nodes *s = n->home;

    n->stasis = NULL;
    if (--s->open == 0)
        finish_close(s);
}

static void on_asyncagi_closed(void *arg)
{
    struct node *n = arg;
    struct serve_nodes *s = n->home;

    n->asyncagi = NULL;
    if (--s->open == 0)
        finish_close(s);
}

void serve_nodes_close(struct serve_nodes *n, int64_t linger_ms, void (*on_closed)(void *arg), void *arg)
{
    n->on_closed = on_closed;
    n->arg = arg;
    open_calls_free(n->open_calls);
    n->open_calls = NULL;
    if (n->open == 0) {
        finish_close(n);
        return;
    }
    for (size_t i = 0; i < n->count; i++)
        if (n->nodes[i].asyncagi)
            asyncagi_close(n->nodes[i].asyncagi, linger_ms, on_asyncagi_closed, &n->nodes[i]);
    for (size_t i = 0; i < n->count; i++)
        if (n->nodes[i].stasis)
            stasis_close(n->nodes[i].stasis, linger_ms, on_node_closed, &n->nodes[i]);
}

void serve_nodes_free(struct serve_nodes *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++) {
        if (n->nodes[i].dialer)
            dialer_free(n->nodes[i].dialer);
        if (n->nodes[i].ami_dialer)
            dialer_free(n->nodes[i].ami_dialer);
    }
    open_calls_free(n->open_calls);
    free(n->nodes);
    free(n);
}
