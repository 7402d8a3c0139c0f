/* One job: check what concerns more than one key of the configuration, and fill in what follows from several. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config_parts.h"
#include "app/script_env.h"
#include "net/ws_handshake.h"
#include "pbx/ari_client.h"

static const struct config_built *built_of(const struct config_build *b, const void *value)
{
    for (size_t i = 0; i < b->section_count; i++)
        if (b->sections[i].value == value)
            return &b->sections[i];
    return NULL;
}

static bool is_any_host(const struct address *a)
{
    return !strcmp(a->host, "0.0.0.0") || !strcmp(a->host, "::");
}

static bool has_ari(const struct config *c)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (config_node_has_ari(&c->nodes[i]))
            return true;
    return false;
}

static void check_ports(struct config_build *b)
{
    const struct address *agi = &b->c->fastagi.listen, *audio = &b->c->audiosocket.listen,
                         *console = &b->c->console.listen;
    char other[96];

    if (agi->port && agi->port == audio->port && (!strcmp(agi->host, audio->host) || is_any_host(agi) || is_any_host(audio))) {
        address_format(agi, other, sizeof other);
        config_key_problem(b, CONF_ERROR, built_of(b, &b->c->audiosocket), "listen",
                           "expected a port of its own, came port %u, which fastagi/listen (%s) has already", audio->port, other);
    }
    if (console->port && ((console->port == agi->port && !strcmp(console->host, agi->host)) ||
                          (console->port == audio->port && !strcmp(console->host, audio->host))))
        config_key_problem(b, CONF_ERROR, built_of(b, &b->c->console), "listen",
                           "expected a port of its own, came port %u, which another section has already", console->port);
    if (console->host[0] && strncmp(console->host, "127.", 4) && strcmp(console->host, "::1"))
        config_key_problem(b, CONF_WARNING, built_of(b, &b->c->console), "listen",
                           "expected a loopback address, came %s: whoever reaches it reads the figures, without a password", console->host);
    if (has_ari(b->c) && is_any_host(audio) && !b->c->audiosocket.advertise)
        config_key_problem(b, CONF_WARNING, built_of(b, &b->c->audiosocket), "advertise",
                           "expected an address that Asterisk can connect to, because listen is %s", audio->host);
}

static const struct config_agent *agent_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->agent_count; i++)
        if (!strcmp(c->agents[i].head.name, name))
            return &c->agents[i];
    return NULL;
}

static void check_ari(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    const bool has_ari = config_node_has_ari(n), is_written = config_is_written(s, "ari") || config_is_written(s, "ari_listen");

    if (!has_ari && !n->ami && !is_written && !config_is_written(s, "ami"))
        config_key_problem(b, CONF_ERROR, s, "ari", "expected ari, or ami, or both: without them there is nothing to connect to");
    else if (!has_ari && !is_written && (n->ari_user || n->default_agent))
        config_key_problem(b, CONF_ERROR, s, "ari", "expected a value (URL), which ari_user and default_agent need, came none");
    if (has_ari && !n->ari_user && !config_is_written(s, "ari_user"))
        config_key_problem(b, CONF_ERROR, s, "ari_user", "expected a value (text), came none; for example: ari_user = sidetone");
    if (has_ari && !config_is_written(s, "ari_secret"))
        config_key_problem(b, CONF_ERROR, s, "ari_secret", "expected a value (secret), came none; for example: ari_secret = @env:PBX1_ARI");
}

static bool is_same_port(const struct address *a, const struct address *b)
{
    return a->port && a->port == b->port && (!strcmp(a->host, b->host) || is_any_host(a) || is_any_host(b));
}

static bool is_port_taken(const struct config *c, const struct config_node *n)
{
    const struct address *at = &n->ari_listen;
    bool is_taken = is_same_port(at, &c->fastagi.listen) || is_same_port(at, &c->audiosocket.listen) ||
                    (c->console.listen.host[0] && is_same_port(at, &c->console.listen));

    for (const struct config_node *other = c->nodes; !is_taken && other < n; other++)
        is_taken = other->ari_listen.host[0] && is_same_port(at, &other->ari_listen);
    return is_taken;
}

static void check_ari_listen(struct config_build *b, const struct config_built *s, const struct config_node *n)
{
    const struct address *at = &n->ari_listen;

    if (!at->host[0]) {
        if (n->ari_per_call)
            config_key_problem(b, CONF_ERROR, s, "ari_per_call", "expected ari_listen = ADDRESS:PORT beside it: Asterisk opens those connections");
        return;
    }
    if (is_port_taken(b->c, n))
        config_key_problem(b, CONF_ERROR, s, "ari_listen", "expected a port of its own, came port %u, which another section has already", at->port);
    if (strncmp(at->host, "127.", 4) && strcmp(at->host, "::1"))
        config_key_problem(b, CONF_WARNING, s, "ari_listen", "the password crosses the network in clear: put a proxy with TLS in front");
    if (n->ari_rest == ARI_REST_HTTP && !n->ari)
        config_key_problem(b, CONF_ERROR, s, "ari_rest", "expected ari = http://HOST:PORT beside ari_rest = http");
}

static void check_node(struct config_build *b, struct config_node *n)
{
    const struct config_built *s = built_of(b, n);
    const struct text url = text_of(n->ari);
    const bool is_plain = !n->ari || text_starts_nocase(url, TEXT("http://"));

    if (n->ari && is_plain && !config_url_is_this_machine(n->ari))
        config_key_problem(b, CONF_WARNING, s, "ari", "the password crosses the network in clear; https:// would hide it");
    if (is_plain && !text_starts(text_of(n->ami), TEXT("tls://")) && (n->ca || n->insecure))
        config_key_problem(b, CONF_WARNING, s, n->ca ? "ca" : "insecure", n->ari ? "has no effect with http://" : "has no effect with tcp://");
    else if (n->insecure)
        config_key_problem(b, CONF_WARNING, s, "insecure", "any certificate is accepted");
    check_ari(b, s, n);
    check_ari_listen(b, s, n);
    config_node_check_ami(b, s, n);
    if (n->default_agent && !agent_named(b->c, n->default_agent))
        config_key_problem(b, CONF_ERROR, s, "default_agent", "expected the name of an [agent NAME] section, came \"%s\"",
                           n->default_agent);
}

const char *config_file_fault(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return "no such file";
    if (!S_ISREG(st.st_mode))
        return "not a regular file";
    return access(path, R_OK) < 0 ? "may not be read" : NULL;
}

static bool is_section_id(const char *name)
{
    const size_t n = strlen(name);

    return n > 0 && n < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

static bool uses_websocket(const struct config *c)
{
    for (size_t i = 0; i < c->agent_count; i++)
        for (size_t k = 0; k < c->agents[i].media.count; k++)
            if (!strcmp(c->agents[i].media.items[k], "websocket"))
                return true;
    return false;
}

static void check_websocket(struct config_build *b)
{
    const struct config_websocket *w = &b->c->websocket;

    if (!uses_websocket(b->c))
        return;
    for (size_t i = 0; w->opened_by == CONFIG_BY_SIDETONE && i < b->c->node_count; i++) {
        const char *url = b->c->nodes[i].ari;

        if (url && text_starts_nocase(text_of(url), TEXT("https://")))
            config_key_problem(b, CONF_ERROR, built_of(b, w), "opened_by",
                               "expected asterisk, because node %s is reached by https, and voices only over plain ws", b->c->nodes[i].head.name);
        if (!url && b->c->nodes[i].ari_listen.host[0])
            config_key_problem(b, CONF_ERROR, built_of(b, w), "opened_by", "expected asterisk, because node %s has no ari address to connect to",
                               b->c->nodes[i].head.name);
    }
    if (w->opened_by == CONFIG_BY_ASTERISK && !is_section_id(w->client))
        config_key_problem(b, CONF_ERROR, built_of(b, w), "client", "expected letters, digits, - and _, came \"%s\"", w->client);
    if (w->opened_by == CONFIG_BY_ASTERISK && w->listen.port &&
        ((w->listen.port == b->c->audiosocket.listen.port && !strcmp(w->listen.host, b->c->audiosocket.listen.host)) ||
         (w->listen.port == b->c->fastagi.listen.port && !strcmp(w->listen.host, b->c->fastagi.listen.host))))
        config_key_problem(b, CONF_ERROR, built_of(b, w), "listen", "expected a port of its own, came port %u, which another section has already",
                           w->listen.port);
}

static void check_media(struct config_build *b, const struct config_agent *a)
{
    const char *const *names = a->media.items;

    for (size_t i = 0; i < a->media.count; i++) {
        if (strcmp(names[i], "audiosocket") && strcmp(names[i], "rtp") && strcmp(names[i], "websocket"))
            config_key_problem(b, CONF_ERROR, built_of(b, a), "media", "expected audiosocket, rtp or websocket, came \"%s\"", names[i]);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(names[i], names[k]))
                config_key_problem(b, CONF_ERROR, built_of(b, a), "media", "expected each name once, came \"%s\" twice", names[i]);
        if (!strcmp(names[i], "rtp") && is_any_host(&b->c->rtp.listen))
            config_key_problem(b, CONF_ERROR, built_of(b, &b->c->rtp), "listen",
                               "expected an address that Asterisk can send to, came %s", b->c->rtp.listen.host);
    }
}

static void check_rtp(struct config_build *b)
{
    const struct config_rtp *r = &b->c->rtp;

    if (r->listen.port == 0 || r->listen.port + r->ports - 1 > UINT16_MAX)
        config_key_problem(b, CONF_ERROR, built_of(b, r), "ports", "expected ports between 1 and 65535, came %lld from %u",
                           (long long)r->ports, r->listen.port);
}

/* The key goes where url says: over TLS, or not out of this machine. */
static void check_agent_url(struct config_build *b, const struct config_agent *a)
{
    struct ws_url u;

    if (ws_url_parse(text_of(a->url), &u))
        config_key_problem(b, CONF_ERROR, built_of(b, a), "url", "expected wss://HOST/PATH, came \"%.200s\"", a->url);
    else if (!u.is_tls && !config_is_this_machine(u.host))
        config_key_problem(b, CONF_ERROR, built_of(b, a), "url", "expected wss://, because the key is sent there, came \"%.200s\"", a->url);
}

#define OF(provider) (1u << CONFIG_PROVIDER_##provider)

/* Keys that mean something to some providers only, and those that cannot do without. */
static const struct provider_key {
    const char *name;
    unsigned means, needs;         /* bits of enum config_provider */
    const char *what, *example;    /* of those that are needed */
} provider_keys[] = {
    { .name = "file", .means = OF(LOCAL) | OF(PIPELINE), .needs = OF(LOCAL), .what = "path", .example = "reception.agent" },
    { .name = "key", .means = OF(OPENAI) | OF(DEEPGRAM) | OF(PIPELINE), .needs = OF(OPENAI) | OF(DEEPGRAM), .what = "secret", .example = "@env:OPENAI_API_KEY" },
    { .name = "url", .means = OF(OPENAI) | OF(DEEPGRAM) | OF(PIPELINE) },
    { .name = "model", .means = OF(OPENAI) | OF(DEEPGRAM) | OF(PIPELINE) },
    { .name = "voice", .means = OF(OPENAI) | OF(DEEPGRAM) | OF(PIPELINE) },
    { .name = "instructions", .means = OF(OPENAI) | OF(DEEPGRAM) | OF(PIPELINE) },
    { .name = "greeting", .means = OF(OPENAI) | OF(DEEPGRAM) | OF(PIPELINE) },
    { .name = "audio", .means = OF(OPENAI) | OF(DEEPGRAM) },
    { .name = "transcribe", .means = OF(OPENAI) },
    { .name = "silence", .means = OF(OPENAI) | OF(PIPELINE) },
    { .name = "listen_model", .means = OF(DEEPGRAM) },
    { .name = "think_provider", .means = OF(DEEPGRAM) },
    { .name = "stt", .means = OF(PIPELINE), .needs = OF(PIPELINE), .what = "one of: local openai deepgram flux", .example = "openai" },
    { .name = "stt_url", .means = OF(PIPELINE) },
    { .name = "stt_key", .means = OF(PIPELINE) },
    { .name = "stt_model", .means = OF(PIPELINE) },
    { .name = "language", .means = OF(PIPELINE) },
    { .name = "keyterms", .means = OF(PIPELINE) },
    { .name = "max_tokens", .means = OF(PIPELINE) },
    { .name = "tts", .means = OF(PIPELINE), .needs = OF(PIPELINE), .what = "one of: local openai deepgram", .example = "openai" },
    { .name = "tts_url", .means = OF(PIPELINE) },
    { .name = "tts_key", .means = OF(PIPELINE) },
    { .name = "tts_model", .means = OF(PIPELINE) },
    { .name = "voice_fallback", .means = OF(PIPELINE) },
};

static void check_provider(struct config_build *b, const struct config_agent *a)
{
    const struct config_built *s = built_of(b, a);
    const unsigned bit = 1u << a->provider;

    for (size_t i = 0; i < sizeof provider_keys / sizeof *provider_keys; i++) {
        const struct provider_key *const k = &provider_keys[i];
        const bool is_written = config_is_written(s, k->name);

        if ((k->needs & bit) && !is_written)
            config_key_problem(b, CONF_ERROR, s, k->name, "expected a value (%s), came none; for example: %s = %s", k->what, k->name, k->example);
        if (!(k->means & bit) && is_written)
            config_key_problem(b, CONF_WARNING, s, k->name, "has no effect with provider = %s", config_providers[a->provider]);
    }
    if (a->provider == CONFIG_PROVIDER_PIPELINE)
        config_pipeline_check(b, s, a);
    else if (a->url)
        check_agent_url(b, a);
}

/* A number from 1, or a label. */
static bool is_priority(struct text t)
{
    int64_t n;

    if (!t.n || t.n > 79) /* AST_MAX_EXTENSION */
        return false;
    if (t.p[0] >= '0' && t.p[0] <= '9')
        return !text_to_i64(t, &n) && n >= 1 && n <= INT32_MAX;
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= ' ' || strchr("()&|+-", t.p[i]))
            return false;
    return true;
}

bool config_place_read(struct config_build *b, struct text written, struct config_fallback *out)
{
    struct text rest = written, part[3] = { TEXT_NONE, TEXT_NONE, TEXT_NONE };
    size_t n = 0;
    bool is_good;

    while (n < 3 && text_cut(&rest, ',', &part[n])) {
        part[n] = text_trim(part[n]);
        n++;
    }
    is_good = n == 3 && !rest.p && part[0].n && part[0].n <= 79 && part[1].n && part[1].n <= 79 && is_priority(part[2]);
    for (size_t i = 0; is_good && i < 2; i++)
        for (size_t k = 0; k < part[i].n; k++)
            is_good = is_good && part[i].p[k] != ' ';
    if (is_good)
        *out = (struct config_fallback){ .context = config_text(b, part[0]), .extension = config_text(b, part[1]),
                                         .priority = config_text(b, part[2]) };
    return is_good;
}

static void check_fallback(struct config_build *b, const void *section, const char *written, struct config_fallback *out)
{
    char came[80];

    if (written && !config_place_read(b, text_of(written), out))
        config_key_problem(b, CONF_ERROR, built_of(b, section), "fallback", "expected context,extension,priority, came %s",
                           config_quote(text_of(written), came, sizeof came));
}

static void check_allow_text(struct config_build *b, const void *section, const char *text, struct allow_list *out)
{
    char came[80];
    struct text bad;
    int err;

    if (!text)
        return;
    err = allow_parse(text_of(text), out, &bad);
    if (err == -E2BIG)
        config_key_problem(b, CONF_ERROR, built_of(b, section), "allow", "expected at most %d hosts and networks", ALLOW_MAX);
    else if (err)
        config_key_problem(b, CONF_ERROR, built_of(b, section), "allow", "expected numeric addresses and networks, as 127.0.0.1, 10.0.0.0/8, came %s",
                           config_quote(bad, came, sizeof came));
}

static void check_accept(struct config_build *b, const struct config_audiosocket *a)
{
    if (a->accept == CONFIG_ACCEPT_ANY && (!a->agent || !agent_named(b->c, a->agent)))
        config_key_problem(b, CONF_ERROR, built_of(b, a), "agent", "expected the name of an agent, because accept = any, came %s", a->agent ? a->agent : "nothing");
}

static void check_route(struct config_build *b, struct config_route *r)
{
    check_fallback(b, r, r->fallback_text, &r->fallback);
    if (r->on_full == CONFIG_FULL_FALLBACK && !r->fallback_text)
        config_key_problem(b, CONF_ERROR, built_of(b, r), "on_full", "expected fallback = context,extension,priority beside on_full = fallback");
    if (r->on_full != CONFIG_FULL_FALLBACK && r->fallback_text)
        config_key_problem(b, CONF_WARNING, built_of(b, r), "fallback", "has no effect without on_full = fallback");
    if (r->queue > 0 && r->max == 0)
        config_key_problem(b, CONF_WARNING, built_of(b, r), "queue", "has no effect without max");
}

/* Needs no more than good values of its own. */
static void fill_derived(struct config_build *b, struct config *c)
{
    char text[PATH_MAX + 16];

    if (c->sidetone.state_dir) {
        snprintf(text, sizeof text, "%s/sidetone.db", c->sidetone.state_dir);
        c->store_path = config_text(b, text_of(text));
        snprintf(text, sizeof text, "%s/admin.sock", c->sidetone.state_dir);
        c->admin_path = config_text(b, text_of(text));
        snprintf(text, sizeof text, "%s/recordings", c->sidetone.state_dir);
        c->recordings_dir = config_text(b, text_of(text));
        snprintf(text, sizeof text, "%s/tap.db", c->sidetone.state_dir);
        c->journal_path = config_text(b, text_of(text));
    }
    if (!c->audiosocket.advertise) {
        address_format(&c->audiosocket.listen, text, sizeof text);
        c->audiosocket.advertise = config_text(b, text_of(text));
    }
}

static void check_routes(struct config_build *b, struct config *c)
{
    struct script_env env;
    const struct script_env_options opt = { .asterisk_conf = c->fastagi.asterisk_conf, .agi_dir = c->fastagi.agi_dir,
                                            .cwd = c->fastagi.script_cwd };

    if (c->route_count == 0 || !opt.asterisk_conf)
        return;
    if (script_env_new(&env, &opt)) {
        b->err = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < c->route_count; i++)
        config_route_check(b, built_of(b, &c->routes[i]), &c->routes[i], &env);
    script_env_free(&env);
}

void config_check(struct config_build *b)
{
    struct config *c = b->c;

    check_ports(b);
    check_allow_text(b, &c->fastagi, c->fastagi.allow_text, &c->fastagi.allow);
    check_allow_text(b, &c->audiosocket, c->audiosocket.allow_text, &c->audiosocket.allow);
    check_accept(b, &c->audiosocket);
    for (size_t i = 0; i < c->route_count; i++)
        check_route(b, &c->routes[i]);
    for (size_t i = 0; i < c->node_count; i++)
        check_node(b, &c->nodes[i]);
    for (size_t i = 0; i < c->sink_count; i++)
        config_sink_check(b, built_of(b, &c->sinks[i]), &c->sinks[i]);
    check_routes(b, c);
    check_rtp(b);
    check_websocket(b);
    for (size_t i = 0; i < c->tool_count; i++)
        config_tool_check(b, built_of(b, &c->tools[i]), &c->tools[i]);
    for (size_t i = 0; i < c->agent_count; i++) {
        config_tools_check(b, built_of(b, &c->agents[i]), &c->agents[i]);
        check_provider(b, &c->agents[i]);
        check_media(b, &c->agents[i]);
        check_fallback(b, &c->agents[i], c->agents[i].fallback_text, &c->agents[i].fallback);
        config_talk_check(b, built_of(b, &c->agents[i]), &c->agents[i]);
    }
    fill_derived(b, c);
}
