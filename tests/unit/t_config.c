/* The configuration: good ones, each kind of mistake with its line, all at once, and no secret in any output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "app/config.h"
#include "pbx/leg_rtp.h"
#include "pbx/leg_websocket.h"
#include "base/buf.h"
#include "fail_alloc.h"

#define SECRET "hunter2"

struct place {
    char dir[64], path[96];
    struct buf told;    /* "LINE where: message\n", "W" before a warning's line */
};

static void put(const struct place *p, const char *name, const char *content)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

static void make_dir(const struct place *p, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/sidetone-config-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/sidetone.conf", p->dir);
    make_dir(p, "handlers");
    make_dir(p, "handlers/tools");
    make_dir(p, "agents");
    make_dir(p, "sidetone.d");
    put(p, "handlers/caller_name.lua", "");
    put(p, "crm.json", "{}");
    put(p, "sink-ca.pem", "");
    put(p, "services-ca.pem", "");
    put(p, "handlers/tools/opening_hours.lua", "");
    put(p, "handlers/tools/look_up.lua", "");
    put(p, "agents/reception.agent", "");
    put(p, "agents/reception.md", "Be kind.");
    put(p, "pbx1-ca.pem", "");
    setenv("PBX1_ARI", SECRET, 1);
    setenv("PBX1_AMI", SECRET, 1);
    setenv("PBX1_TAP", SECRET, 1);
    setenv("PBX1_CONTROL", SECRET, 1);
    setenv("SINK_SECRET", SECRET, 1);
    setenv("CRM_HMAC", SECRET, 1);
    setenv("CRM_TOKEN", SECRET, 1);
    setenv("OPENAI_API_KEY", SECRET, 1);
    setenv("DEEPGRAM_API_KEY", SECRET, 1);
    buf_init(&p->told, 1 << 20);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    buf_free(&p->told);
    free(p);
    return 0;
}

static void on_problem(const struct config_problem *problem, void *arg)
{
    struct place *p = arg;
    const char *name = strrchr(problem->file, '/');

    assert_null(strstr(problem->message, SECRET));
    assert_null(strstr(problem->where, SECRET));
    assert_null(strchr(problem->message, '\n'));
    if (strcmp(problem->file, p->path))
        buf_addf(&p->told, "%s:", name + 1);
    buf_addf(&p->told, "%s%u %s: %s\n", problem->severity == CONF_WARNING ? "W" : "", problem->line, problem->where, problem->message);
}

static int load(struct place *p, struct config **c, const char *content)
{
    int err;

    *c = NULL;
    put(p, "sidetone.conf", content);
    buf_clear(&p->told);
    err = config_load(c, p->path, 0, on_problem, p);
    assert_non_null(buf_cstr(&p->told));
    assert_int_equal(err != 0, *c == NULL);
    return err;
}

static struct config *good(struct place *p, const char *content)
{
    struct config *c;

    if (load(p, &c, content))
        fail_msg("told: %s", p->told.p);
    return c;
}

/* Exactly one error, at that line, with these words. */
static void bad(struct place *p, const char *content, const char *begins, const char *says)
{
    struct config *c;

    assert_int_equal(load(p, &c, content), -EINVAL);
    if (strncmp(p->told.p, begins, strlen(begins)) || !strstr(p->told.p, says) || strchr(p->told.p, '\n') != p->told.p + p->told.n - 1)
        fail_msg("expected %s ... %s, told: %s", begins, says, p->told.p);
}

#define NODE "[node pbx1]\nari = http://127.0.0.1:8088\nari_user = sidetone\nari_secret = @env:PBX1_ARI\n" /* 4 lines */
#define AMI "ami = tcp://127.0.0.1:5038\n"
#define TAP "ami_user = t\nami_secret = @env:PBX1_TAP\n" /* 2 lines */
#define OPENAI "[agent a]\nprovider = openai\n"
#define AGENT "[agent reception]\nfile = reception.agent\n"

static void test_defaults(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, "");

    assert_string_equal(p->told.p, "");
    assert_string_equal(c->sidetone.state_dir, "/var/lib/sidetone");
    assert_string_equal(c->store_path, "/var/lib/sidetone/sidetone.db");
    assert_int_equal(c->sidetone.workers, 0);
    assert_int_equal(c->sidetone.speech_threads, 0);
    assert_int_equal(c->sidetone.log_level, LOG_INFO);
    assert_string_equal(c->fastagi.listen.host, "127.0.0.1");
    assert_int_equal(c->fastagi.listen.port, 4573);
    assert_int_equal(c->audiosocket.listen.port, 9092);
    assert_string_equal(c->audiosocket.advertise, "127.0.0.1:9092");
    assert_int_equal(c->node_count + c->route_count + c->agent_count, 0);
    config_free(c);
}

static const char whole[] =
    "[sidetone]\nstate_dir = state\nworkers = 4\nlog_level = debug\n"
    "[fastagi]\nlisten = [::1]:4574\nlinger = 2m\nsessions_max = 10\n"
    "[audiosocket]\nlisten = 127.0.0.1:9093\nadvertise = sidetone.example:9000\n"
    "[base](!)\nari_user = sidetone\nari_secret = @env:PBX1_ARI\ndefault_agent = reception\n"
    "[node pbx1](base)\nari = https://pbx1.example:8089/\nca = pbx1-ca.pem\ncalls_max = 7\n"
    "[node pbx2](base)\nari = http://127.0.0.1:8088/asterisk\nari_user = other ; the last one counts\napp = st2\n"
    "[route caller-name]\nhandler = caller_name.lua\ndeadline = 800ms\n"
    "[route default]\nhandler = caller_name.lua\n"
    "[agent reception]\nprovider = local\nfile = reception.agent\ntools = opening_hours , look_up\nmax_duration = 1h\n"
    "fallback = default, operator, 1\n";

static void test_whole(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, whole);
    char expected[128];

    assert_string_equal(p->told.p, "");
    snprintf(expected, sizeof expected, "%s/state", p->dir);
    assert_string_equal(c->sidetone.state_dir, expected);
    assert_int_equal(c->sidetone.workers, 4);
    assert_int_equal(c->sidetone.log_level, LOG_DEBUG);
    assert_string_equal(c->fastagi.listen.host, "::1");
    assert_int_equal(c->fastagi.linger_ms, 120000);
    assert_int_equal(c->fastagi.sessions_max, 10);
    assert_string_equal(c->audiosocket.advertise, "sidetone.example:9000");

    assert_int_equal(c->node_count, 2);
    assert_string_equal(c->nodes[0].head.name, "pbx1");
    assert_int_equal(c->nodes[0].head.line, 16);
    assert_string_equal(c->nodes[0].ari, "https://pbx1.example:8089");
    assert_string_equal(c->nodes[0].ari_user, "sidetone");
    assert_string_equal(secret_reveal(&c->nodes[0].ari_secret), SECRET);
    assert_string_equal(c->nodes[0].app, "sidetone");
    assert_string_equal(c->nodes[0].default_agent, "reception");
    assert_int_equal(c->nodes[0].calls_max, 7);
    snprintf(expected, sizeof expected, "%s/pbx1-ca.pem", p->dir);
    assert_string_equal(c->nodes[0].ca, expected);
    assert_string_equal(c->nodes[1].ari, "http://127.0.0.1:8088/asterisk");
    assert_string_equal(c->nodes[1].ari_user, "other");
    assert_string_equal(c->nodes[1].app, "st2");
    assert_null(c->nodes[1].ca);

    assert_int_equal(c->route_count, 2);
    assert_string_equal(c->routes[0].head.name, "caller-name");
    snprintf(expected, sizeof expected, "%s/handlers/caller_name.lua", p->dir);
    assert_string_equal(c->routes[0].handler, expected);
    assert_int_equal(c->routes[0].deadline_ms, 800);
    assert_int_equal(c->routes[1].deadline_ms, 5000);

    assert_int_equal(c->agent_count, 1);
    assert_int_equal(c->agents[0].provider, CONFIG_PROVIDER_LOCAL);
    assert_int_equal(c->agents[0].tool_count, 2);
    assert_string_equal(c->agents[0].tools[1].name, "look_up");
    snprintf(expected, sizeof expected, "%s/handlers/tools/look_up.lua", p->dir);
    assert_string_equal(c->agents[0].tools[1].path, expected);
    assert_int_equal(c->agents[0].max_duration_ms, 3600000);
    assert_string_equal(c->agents[0].fallback.context, "default");
    assert_string_equal(c->agents[0].fallback.extension, "operator");
    assert_string_equal(c->agents[0].fallback.priority, "1");
    config_free(c);
}

static void test_drop_ins(void **state)
{
    struct place *p = *state;
    struct config *c;

    put(p, "sidetone.d/10-routes.conf", "[route a](base)\n[fastagi](+)\nlisten = 127.0.0.1:5000\n");
    put(p, "sidetone.d/20-more.conf", "[route b](base)\ndeadline = 2s\n");
    put(p, "sidetone.d/ignored.txt", "nonsense\n");
    c = good(p, "[fastagi]\nlisten = 127.0.0.1:4000\n[base](!)\nhandler = caller_name.lua\ndeadline = 1s\n");
    assert_int_equal(c->fastagi.listen.port, 5000);
    assert_int_equal(c->route_count, 2);
    assert_int_equal(c->routes[0].deadline_ms, 1000);
    assert_int_equal(c->routes[1].deadline_ms, 2000);
    assert_non_null(strstr(c->routes[1].head.file, "sidetone.d/20-more.conf"));
    config_free(c);

    put(p, "sidetone.d/20-more.conf", "\n[route b](base)\ndedline = 2s\n");
    bad(p, "[base](!)\nhandler = caller_name.lua\n[fastagi]\n", "20-more.conf:3 route b: ", "did you mean deadline?");
}

static void test_each_mistake(void **state)
{
    struct place *p = *state;

    bad(p, "[sidetone]\nwokers = 2\n", "2 sidetone: ", "came \"wokers\"; did you mean workers?");
    bad(p, "[sidetone]\nxyzzy_plugh = 2\n", "2 sidetone: ", "sidetone config sample");
    bad(p, "[sidetoen]\n", "1 : ", "came \"sidetoen\"; did you mean [sidetone]?");
    bad(p, "[webhook x]\n", "1 : ", "expected [sidetone], [fastagi]");
    bad(p, "[sidetone x]\n", "1 sidetone: ", "expected [sidetone] alone");
    bad(p, "[route]\nhandler = caller_name.lua\n", "1 route: ", "expected [route NAME]");
    bad(p, "[route A]\nhandler = caller_name.lua\n", "1 route: ", "came \"A\"");
    bad(p, "[route -a]\nhandler = caller_name.lua\n", "1 route: ", "came \"-a\"");
    bad(p, "[fastagi]\n[fastagi]\n", "2 fastagi: ", "expected each section once");
    bad(p, "[route a]\nhandler = caller_name.lua\n\n[route a]\nhandler = caller_name.lua\n", "4 route a: ", "sidetone.conf:1");
    bad(p, "[sidetone]\nworkers = 2\nworkers = 3\n", "3 sidetone/workers: ", "the first: line 2");
    bad(p, "[sidetone]\nworkers = 0\n", "2 sidetone/workers: ", "expected auto or a number from 1 to 64, came \"0\"");
    bad(p, "[sidetone]\nworkers = 65\n", "2 sidetone/workers: ", "came \"65\"");
    bad(p, "[sidetone]\nworkers = many\n", "2 sidetone/workers: ", "came \"many\"");
    bad(p, "[sidetone]\nworkers =\n", "2 sidetone/workers: ", "came nothing");
    bad(p, "[sidetone]\nlog_level = loud\n", "2 sidetone/log_level: ", "one of: debug info warn error off, came \"loud\"");
    bad(p, "[fastagi]\nlisten = localhost:4573\n", "2 fastagi/listen: ", "numeric address");
    bad(p, "[fastagi]\nlisten = 127.0.0.1\n", "2 fastagi/listen: ", "numeric address");
    bad(p, "[fastagi]\nlisten = 127.0.0.1:70000\n", "2 fastagi/listen: ", "numeric address");
    bad(p, "[fastagi]\nsessions_max = 0\n", "2 fastagi/sessions_max: ", "from 1 to 65536");
    bad(p, "[audiosocket]\nadvertise = nowhere\n", "2 audiosocket/advertise: ", "expected host:port");
    bad(p, "[audiosocket]\nadvertise = x:0\n", "2 audiosocket/advertise: ", "expected host:port");
    bad(p, "[console]\nlisten = 127.0.0.1:4573\n", "2 console/listen: ", "port 4573, which another section has");
    bad(p, "[console]\nlisten = 127.0.0.1:9092\n", "2 console/listen: ", "port 9092, which another section has");
    bad(p, "[console]\nlisten = localhost:80\n", "2 console/listen: ", "expected ");
    bad(p, "[audiosocket]\nlisten = 127.0.0.1:4573\n", "2 audiosocket/listen: ", "port 4573, which fastagi/listen");
    bad(p, "[fastagi]\nlisten = 0.0.0.0:9092\n", "0 audiosocket/listen: ", "port 9092, which fastagi/listen");
    bad(p, "[route a]\nhandler = caller_name.lua\ndeadline = 9ms\n", "3 route a/deadline: ", "from 10ms to 1h, came \"9ms\"");
    bad(p, "[route a]\nhandler = caller_name.lua\ndeadline = 2h\n", "3 route a/deadline: ", "came \"2h\"");
    bad(p, "[route a]\nhandler = caller_name.lua\ndeadline = soon\n", "3 route a/deadline: ", "came \"soon\"");
    bad(p, "[route a]\n", "1 route a/handler: ", "came none; for example: handler = caller_name.lua");
    bad(p, "[route a]\nhandler = nowhere.lua\n", "2 route a/handler: ", "/handlers/nowhere.lua: no such file");
    bad(p, "[route a]\nhandler = tools\n", "2 route a/handler: ", "not a regular file");
    bad(p, "[route a]\nhandler = /nowhere/x.lua\n", "2 route a/handler: ", "came /nowhere/x.lua: no such file");
    bad(p, "[agent a]\nfile = nowhere.conf\n", "2 agent a/file: ", "/agents/nowhere.conf: no such file");
    bad(p, AGENT "provider = hal\n", "3 agent reception/provider: ", "one of: local openai deepgram pipeline echo record, came \"hal\"");
    bad(p, "[agent a]\nprovider = local\n", "1 agent a/file: ", "for example: file = reception.agent");
    bad(p, "[agent a]\nprovider = openai\n", "1 agent a/key: ", "for example: key = @env:OPENAI_API_KEY");
    bad(p, OPENAI "key = sk-abc\n", "3 agent a/key: ", "@env:");
    bad(p, OPENAI "key = @env:OPENAI_API_KEY\nurl = ws://api.example.com/v1\n", "4 agent a/url: ", "expected wss://, because the key is sent there");
    bad(p, OPENAI "key = @env:OPENAI_API_KEY\nurl = ws://127.0.0.1.example.com/v1\n", "4 agent a/url: ", "expected wss://, because the key is sent there");
    bad(p, OPENAI "key = @env:OPENAI_API_KEY\nurl = https://api.example.com/v1\n", "4 agent a/url: ", "expected wss://HOST/PATH");
    bad(p, OPENAI "key = @env:OPENAI_API_KEY\ntools = hand_back, nothing\n", "4 agent a/tools: ", "the tool nothing");
    bad(p, OPENAI "key = @env:OPENAI_API_KEY\nsilence = 10s\n", "4 agent a/silence: ", "from 100ms to 5s");
    bad(p, AGENT "tools = opening_hours, nothing\n", "3 agent reception/tools: ", "the tool nothing");
    bad(p, AGENT "tools = opening_hours,,\n", "3 agent reception/tools: ", "separated by commas");
    bad(p, AGENT "tools = ../x\n", "3 agent reception/tools: ", "separated by commas");
    bad(p, AGENT "tools = opening_hours, opening_hours\n", "3 agent reception/tools: ", "opening_hours twice");
    bad(p, AGENT "tool_dir = elsewhere\ntools = opening_hours\n", "4 agent reception/tools: ", "/elsewhere/opening_hours.lua");
    bad(p, AGENT "max_duration = 500ms\n", "3 agent reception/max_duration: ", "from 1s to 24h");
    bad(p, AGENT "fallback = operator\n", "3 agent reception/fallback: ", "context,extension,priority, came \"operator\"");
    bad(p, AGENT "fallback = a,b,0\n", "3 agent reception/fallback: ", "came \"a,b,0\"");
    bad(p, AGENT "fallback = a,b,1,2\n", "3 agent reception/fallback: ", "came \"a,b,1,2\"");
    bad(p, AGENT "fallback = a,,1\n", "3 agent reception/fallback: ", "came \"a,,1\"");
    bad(p, AGENT "barge_in = voice, ears\n", "3 agent reception/barge_in: ", "provider, voice, dtmf or none, came \"ears\"");
    bad(p, AGENT "barge_in = none, dtmf\n", "3 agent reception/barge_in: ", "none alone");
    bad(p, AGENT "barge_in_after = 10ms\n", "3 agent reception/barge_in_after: ", "from 60ms to 2s");
    bad(p, AGENT "sorry = nothing.wav\n", "3 agent reception/sorry: ", "/agents/nothing.wav: no such file");
    bad(p, AGENT "phrase_voice = hal\n", "3 agent reception/phrase_voice: ", "came \"hal\"");
    bad(p, AGENT "next = ghost\n", "3 agent reception/next: ", "[agent NAME] section, came \"ghost\"");
    bad(p, AGENT "next = reception\n", "3 agent reception/next: ", "does not lead back");
    bad(p, AGENT "next = b\n[agent b]\nfile = reception.agent\nnext = c\n[agent c]\nfile = reception.agent\nnext = reception\n", "3 agent reception/next: ", "does not lead back");
    bad(p, NODE "default_agent = ghost\n", "5 node pbx1/default_agent: ", "came \"ghost\"");
    bad(p, NODE "insecure = perhaps\n", "5 node pbx1/insecure: ", "yes or no, came \"perhaps\"");
    bad(p, NODE "app = my app\n", "5 node pbx1/app: ", "came \"my app\"");
    bad(p, NODE "calls_max = -1\n", "5 node pbx1/calls_max: ", "came \"-1\"");
    bad(p, NODE "ami = http://x:5038\n", "5 node pbx1/ami: ", "expected tcp://HOST:PORT or tls://HOST:PORT");
    bad(p, NODE "ami = tcp://x\n", "5 node pbx1/ami: ", "expected tcp://HOST:PORT or tls://HOST:PORT");
    bad(p, NODE "ami = tcp://u:word@x:5038\n", "5 node pbx1/ami: ", "not repeated here");
    bad(p, NODE "asyncagi = yes\n", "5 node pbx1/asyncagi: ", "needs ami, control_user and control_secret");
    bad(p, NODE "asyncagi = yes\n" AMI TAP, "5 node pbx1/asyncagi: ", "needs ami, control_user and control_secret");
    bad(p, "[node a]\napp = x\n", "1 node a/ari: ", "expected ari, or ami, or both");
    bad(p, "[node a]\n" AMI "ari_user = u\n", "1 node a/ari: ", "which ari_user and default_agent need");
    bad(p, "[node a]\nari = http://127.0.0.1\nari_secret = @env:PBX1_ARI\n", "1 node a/ari_user: ", "expected a value (text), came none");
    bad(p, "[node a]\nari = http://127.0.0.1\nari_user = u\n", "1 node a/ari_secret: ", "expected a value (secret), came none");
    bad(p, NODE "ari_rest = ws\n", "5 node pbx1/ari_rest: ", "expected one of: auto websocket http");
    bad(p, NODE "ari_listen = pbx:1\n", "5 node pbx1/ari_listen: ", "came \"pbx:1\"");
    bad(p, NODE "ari_per_call = yes\n", "5 node pbx1/ari_per_call: ", "expected ari_listen = ADDRESS:PORT beside it");
    bad(p, "[node a]\nari_listen = 127.0.0.1:8090\nari_secret = @env:PBX1_ARI\n", "1 node a/ari_user: ", "came none");
    bad(p, "[node a]\nari_listen = 127.0.0.1:8090\nari_user = u\n", "1 node a/ari_secret: ", "came none");
    bad(p, "[node a]\nari_listen = 127.0.0.1:8090\nari_user = u\nari_secret = @env:PBX1_ARI\nari_rest = http\n", "5 node a/ari_rest: ",
        "expected ari = http://HOST:PORT");
    bad(p, "[node a]\nari_listen = 127.0.0.1:9092\nari_user = u\nari_secret = @env:PBX1_ARI\n", "2 node a/ari_listen: ", "a port of its own");
    bad(p, NODE "ari_listen = 127.0.0.1:8090\n[node b]\nari_listen = 127.0.0.1:8090\nari_user = u\nari_secret = @env:PBX1_ARI\n",
        "7 node b/ari_listen: ", "a port of its own");
    config_free(good(p, "[node a]\nari_listen = 127.0.0.1:8090\nari_user = u\nari_secret = @env:PBX1_ARI\nari_per_call = yes\nari_rest = websocket\n"));
    bad(p, "[node a]\n" AMI "ami_user = u\n", "1 node a/ami_secret: ", "which ami_user needs, came none");
    bad(p, "[node a]\n" AMI "control_user = u\n", "1 node a/control_secret: ", "which control_user needs, came none");
    bad(p, NODE TAP, "5 node pbx1/ami_user: ", "needs ami = tcp://HOST:PORT or tls://HOST:PORT");
    bad(p, NODE AMI "tap = yes\n", "6 node pbx1/tap: ", "needs ami, ami_user and ami_secret");
    bad(p, NODE AMI TAP "ami_filter = Event: (\n", "8 node pbx1/ami_filter: ", "expected a POSIX extended regular expression");
    bad(p, NODE "ami = tls://127.0.0.1:5039\n" TAP "ami_pin = sha256\n", "8 node pbx1/ami_pin: ", "expected sha256// and the base64 of 32 bytes");
    bad(p, NODE AMI TAP "ami_events = call,usr\n", "8 node pbx1/ami_events: ", "expected classes of events that Asterisk knows, came \"usr\"");
    bad(p, "[sink a]\ncarry = both\n", "1 sink a/driver: ", "expected a value (one of), came none");
    bad(p, "[sink a]\ndriver = csv\n", "2 sink a/driver: ", "expected one of: postgres nats jsonl webhook kafka");
    bad(p, "[sink a]\ndriver = jsonl\n", "1 sink a/file: ", "which driver = jsonl needs, came none");
    bad(p, "[sink a]\ndriver = jsonl\nfile = /tmp/x\nurl = postgresql://u:" SECRET "@x\n", "4 sink a/url: ", "not repeated here");
    bad(p, "[sink a]\ndriver = webhook\nurl = ftp://x\n", "2 sink a/driver: ", "webhook: url = https://host/path is needed");
    bad(p, "[sink a]\ndriver = nats\nurl = nats://127.0.0.1:4222\nsubject = a b\n", "2 sink a/driver: ", "nats: a subject has");
    bad(p, "[sink a]\ndriver = jsonl\nfile = /tmp/x\nkinds = a b\n", "4 sink a/kinds: ", "expected names separated by commas");
    bad(p, "[tap]\nqueue_events = 3\n", "2 tap/queue_events: ", "expected a number from 64 to 10000000");
    bad(p, "[node a]\nari = ftp://x\nari_user = u\nari_secret = @env:PBX1_ARI\n", "2 node a/ari: ", "came \"ftp://x\"");
    bad(p, "[node a]\nari = http://\nari_user = u\nari_secret = @env:PBX1_ARI\n", "2 node a/ari: ", "expected http://HOST");
    bad(p, "[node a]\nari = http://x:99999\nari_user = u\nari_secret = @env:PBX1_ARI\n", "2 node a/ari: ", "expected http://HOST");
    bad(p, "[sidetone]\njust words\n", "2 : ", "expected name = value");
    bad(p, "workers = 2\n", "1 : ", "before the first [section]");
    bad(p, "[route a](nobase)\nhandler = caller_name.lua\n", "1 : ", "no section or template");
    bad(p, "#include nowhere.conf\n", "1 : ", "no such file");
}

static void test_secrets_not_repeated(void **state)
{
    static const char *const lines[] = {
        "ari_secret = " SECRET, "ari_secret = @" SECRET, "ari_secret = @env:" SECRET " x", "ari_secret => " SECRET,
        "ari_secret " SECRET, "ari_secret: " SECRET, "ari_secret " SECRET "==", "Ari_Secret" SECRET "= x",
    };
    static const char *const urls[] = { "http://u:" SECRET "@x", "htp://u:" SECRET "@x", SECRET "@http://" };
    struct place *p = *state;
    struct config *c;
    char content[512];

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) { /* on_problem looks at every message */
        snprintf(content, sizeof content, "[node a]\nari = http://127.0.0.1\nari_user = u\n%s\n", lines[i]);
        assert_int_equal(load(p, &c, content), -EINVAL);
        assert_non_null(strstr(p->told.p, "4 "));
    }
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        snprintf(content, sizeof content, "[node a]\nari = %s\nari_user = u\nari_secret = @env:PBX1_ARI\n", urls[i]);
        bad(p, content, "2 node a/ari: ", "not repeated here");
    }
}

static void test_secret_places(void **state)
{
    struct place *p = *state;
    struct config *c;
    char path[128];

    unsetenv("CREDENTIALS_DIRECTORY");
    bad(p, "[node a]\nari = http://[::1]\nari_user = u\nari_secret = @credential:ari\n", "4 node a/ari_secret: ", "CREDENTIALS_DIRECTORY");
    put(p, "ari", SECRET "\n");
    snprintf(path, sizeof path, "%s/ari", p->dir);
    assert_int_equal(chmod(path, 0600), 0);
    setenv("CREDENTIALS_DIRECTORY", p->dir, 1);
    c = good(p, "[node a]\nari = http://[::1]\nari_user = u\nari_secret = @credential:ari\n");
    assert_string_equal(secret_reveal(&c->nodes[0].ari_secret), SECRET);
    config_free(c);
    unsetenv("CREDENTIALS_DIRECTORY");

    assert_int_equal(chmod(path, 0644), 0);
    c = good(p, "[node a]\nari = http://localhost:8088\nari_user = u\nari_secret = @file:ari\n");
    assert_non_null(strstr(p->told.p, "W4 node a/ari_secret: "));
    assert_non_null(strstr(p->told.p, "everyone may read"));
    assert_string_equal(secret_reveal(&c->nodes[0].ari_secret), SECRET);
    config_free(c);

    unsetenv("PBX1_ARI");
    bad(p, NODE, "4 node pbx1/ari_secret: ", "PBX1_ARI is not set");
    put(p, "sidetone.conf", NODE);
    assert_int_equal(config_load(&c, p->path, CONFIG_SKIP_SECRETS, on_problem, p), 0);
    assert_false(secret_is_set(&c->nodes[0].ari_secret));
    config_free(c);
    put(p, "sidetone.conf", "[node a]\nari = http://[::1]\nari_user = u\nari_secret = " SECRET "\n");
    assert_int_equal(config_load(&c, p->path, CONFIG_SKIP_SECRETS, on_problem, p), -EINVAL);
}

static void test_warnings(void **state)
{
    struct place *p = *state;

    config_free(good(p, "[node a]\nari = http://pbx.example\nari_user = u\nari_secret = @env:PBX1_ARI\n"));
    assert_non_null(strstr(p->told.p, "W2 node a/ari: the password crosses the network in clear"));
    config_free(good(p, "[node a]\nari = http://127.0.0.1.evil.example:8088\nari_user = u\nari_secret = @env:PBX1_ARI\n"));
    assert_non_null(strstr(p->told.p, "W2 node a/ari: the password crosses the network in clear"));
    config_free(good(p, "[node a]\nari = http://localhost:8088/x\nari_user = u\nari_secret = @env:PBX1_ARI\n"));
    assert_null(strstr(p->told.p, "in clear"));
    config_free(good(p, NODE "ami = tcp://localhost.evil.example:5038\n" TAP));
    assert_non_null(strstr(p->told.p, "W5 node pbx1/ami: "));
    config_free(good(p, NODE "ami = tcp://[::1]:5038\n" TAP));
    assert_null(strstr(p->told.p, "W5 node pbx1/ami: "));
    config_free(good(p, "[node a]\nari = https://pbx.example\nari_user = u\nari_secret = @env:PBX1_ARI\ninsecure = yes\n"));
    assert_non_null(strstr(p->told.p, "W5 node a/insecure: any certificate"));
    config_free(good(p, NODE "ca = pbx1-ca.pem\n"));
    assert_non_null(strstr(p->told.p, "W5 node pbx1/ca: has no effect"));
    config_free(good(p, "[audiosocket]\nlisten = 0.0.0.0:9092\n" NODE));
    assert_non_null(strstr(p->told.p, "W1 audiosocket/advertise: "));
}

static void test_all_at_once(void **state)
{
    static const char *const expected[] = {
        "3 sidetone: ", "6 fastagi/listen: ", "9 route caller-name/handler: ", "10 route caller-name/deadline: ", "13 node a/ari: ",
        "15 node a/ari_secret: ", "17 : ", "19 : ",
    };
    struct place *p = *state;
    struct config *c;
    const char *at;

    assert_int_equal(load(p, &c, "[sidetone]\nstate_dir = state\nwokers = 2\n\n[fastagi]\nlisten = localhost\n\n"
                                 "[route caller-name]\nhandler = nowhere.lua\ndeadline = soon\n\n"
                                 "[node a]\nari = ftp://x\nari_user = u\nari_secret = " SECRET "\n\n[rout x]\n[fastagi](+)\nwords\n"),
                     -EINVAL);
    at = p->told.p;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) { /* in the order of lines, and no more */
        if (strncmp(at, expected[i], strlen(expected[i])))
            fail_msg("expected %s, told: %s", expected[i], p->told.p);
        at = strchr(at, '\n') + 1;
    }
    assert_string_equal(at, "");
}

static void test_many_mistakes(void **state)
{
    struct place *p = *state;
    struct config *c;
    struct buf content;
    unsigned lines = 0;

    buf_init(&content, 1 << 20);
    buf_add_text(&content, TEXT("[sidetone]\n"));
    for (int i = 0; i < 700; i++)
        buf_addf(&content, "unknown_key_%d = 1\n", i);
    assert_int_equal(load(p, &c, buf_cstr(&content)), -EINVAL);
    for (const char *at = p->told.p; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 501);
    assert_non_null(strstr(p->told.p, "and more, not shown"));
    buf_clear(&content);
    for (int i = 0; i < 257; i++)
        buf_addf(&content, "[route r%d]\nhandler = caller_name.lua\n", i);
    bad(p, buf_cstr(&content), "513 route r256: ", "at most 256");
    buf_free(&content);
}

static void test_files(void **state)
{
    struct place *p = *state;
    struct config *c;

    assert_int_equal(config_load(&c, "/nonexistent/sidetone.conf", 0, NULL, NULL), -ENOENT);
    buf_clear(&p->told);
    snprintf(p->path, sizeof p->path, "/nonexistent/sidetone.conf");
    assert_int_equal(config_load(&c, p->path, 0, on_problem, p), -ENOENT);
    assert_string_equal(buf_cstr(&p->told), "0 : expected a configuration file, came: No such file or directory\n");
    assert_true(config_load(&c, p->dir, 0, NULL, NULL) < 0);
}

/* Everything in one text, as a stream gives it. */
static char *printed(void (*print)(const struct config *c, FILE *out), const struct config *c)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_non_null(f);
    print(c, f);
    fclose(f);
    return text;
}

static void print_sample(const struct config *c, FILE *out)
{
    (void)c;
    config_sample(out);
}

static void print_keys(const struct config *c, FILE *out)
{
    (void)c;
    config_keys_print(out);
}

/* `;key` becomes `key`; `; remark` stays. */
static void uncomment(char *sample)
{
    char *to = sample;

    for (const char *from = sample; *from; from++)
        if (!(*from == ';' && from[1] != ' ' && (from == sample || from[-1] == '\n')))
            *to++ = *from;
    *to = '\0';
}

static void test_sample(void **state)
{
    struct place *p = *state;
    char *sample = printed(print_sample, NULL);
    ptrdiff_t script_at, next_at;
    struct config *c = good(p, sample);

    assert_int_equal(c->node_count + c->route_count + c->agent_count, 0);
    config_free(c);
    uncomment(sample);
    script_at = text_find_text(text_of(sample), TEXT("\nscript = "));
    assert_true(script_at > 0);
    sample[script_at + 1] = ';'; /* a route has one of both */
    next_at = text_find_text(text_of(sample), TEXT("\nnext = "));
    assert_true(next_at > 0);
    sample[next_at + 1] = ';';   /* an agent that the sample has not */
    /* every key that it shows exists, and every default and example is good */
    c = good(p, sample);
    assert_int_equal(c->node_count, 1);
    assert_true(c->nodes[0].tap);
    assert_int_equal(c->nodes[0].ami_filters.count, 1);
    assert_int_equal(c->sink_count, 1);
    assert_int_equal(c->route_count, 1);
    assert_int_equal(c->agents[0].tool_count, 1);
    assert_int_equal(c->agents[0].built_in, 1u << BUILTIN_TAKE_MESSAGE);
    assert_int_equal(c->tool_count, 1);
    assert_string_equal(c->nodes[0].default_agent, "reception");
    config_free(c);
    free(sample);
}

static void test_openai(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, OPENAI "key = @env:OPENAI_API_KEY\nurl = ws://127.0.0.1:9/v1/realtime\ninstructions = reception.md\naudio = pcm\n"
                               "tools = hang_up, opening_hours, hand_back\ngreeting = Hello.\n");
    const struct config_agent *a = &c->agents[0];

    assert_int_equal(a->provider, CONFIG_PROVIDER_OPENAI);
    assert_int_equal(a->tool_count, 1); /* the others have no file */
    assert_int_equal(a->built_in, 1u << BUILTIN_HAND_BACK | 1u << BUILTIN_HANG_UP);
    assert_string_equal(secret_reveal(&a->key), SECRET);
    assert_null(a->model); /* the service's usual */
    assert_int_equal(a->silence_ms, 500);
    assert_int_equal(a->audio, 1);
    config_free(c);
}

#define HOSTS "[sidetone]\nhttp_hosts = crm.example.com, 127.0.0.1:8\n" /* 2 lines */
#define SERVICE "[tool order]\nurl = https://crm.example.com/orders/{id}\n"  /* 2 lines */

static void test_tools(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, HOSTS SERVICE "secret = @env:CRM_TOKEN\nheader = Authorization: Bearer {secret}\nheader = X-By: phone\nmethod = post\n"
                               "[tool opening_hours]\ndeadline = 300ms\n" AGENT
                               "tools = order, opening_hours, transfer, set_variable, switch_agent\ntransfer = the boss : default , 1 , start\n"
                               "transfer = sales: default,2001,1\ntransfer_numbers = 20XX, 911\ntransfer_context = inside\nvariables = TOPIC\n"
                               "switch_to = reception\nmask = numbers\n");
    const struct config_agent *a = &c->agents[0];

    assert_string_equal(p->told.p, "");
    assert_int_equal(c->tool_count, 2);
    assert_int_equal(c->tools[0].method, CONFIG_POST);
    assert_int_equal(c->tools[0].headers.count, 2);
    assert_int_equal(a->tool_count, 2);
    assert_null(a->tools[0].path);
    assert_ptr_equal(a->tools[0].section, &c->tools[0]);
    assert_non_null(a->tools[1].path);
    assert_int_equal(a->tools[1].section->deadline_ms, 300);
    assert_int_equal(a->built_in, 1u << BUILTIN_TRANSFER | 1u << BUILTIN_SET_VARIABLE | 1u << BUILTIN_SWITCH_AGENT);
    assert_string_equal(a->targets[0].name, "the boss");
    assert_string_equal(a->targets[0].place.priority, "start");
    assert_string_equal(a->targets[1].place.extension, "2001");
    assert_int_equal(a->mask, CONFIG_MASK_NUMBERS);
    config_free(c);
}

static void test_tools_that_are_no_good(void **state)
{
    struct place *p = *state;
    struct config *c;

    bad(p, SERVICE, "2 tool order/url", "expected a host of sidetone/http_hosts, came \"crm.example.com\"");
    bad(p, HOSTS "[tool x]\nurl = https://{host}/\n", "4 tool x/url", "a host that is written out");
    bad(p, HOSTS "[tool x]\nurl = ftp://crm.example.com/\n", "4 tool x/url", "expected http://");
    bad(p, HOSTS "[tool x]\nurl = http://crm.example.com/\nsecret = @env:CRM_TOKEN\n", "4 tool x/url", "because the secret is sent there");
    bad(p, "[sidetone]\nhttp_hosts = 127.0.0.1.evil.example\n[tool x]\nurl = http://127.0.0.1.evil.example/\nsecret = @env:CRM_TOKEN\n", "4 tool x/url",
        "because the secret is sent there");
    bad(p, HOSTS "[tool transfer]\nurl = https://crm.example.com/\n", "4 tool transfer/url", "which is built in");
    bad(p, AGENT "tools = transfer\n", "1 agent reception/transfer", "which the tool transfer needs");
    bad(p, AGENT "tools = transfer\ntransfer = sales\n", "4 agent reception/transfer", "expected NAME: context,extension,priority");
    bad(p, AGENT "tools = transfer\ntransfer = : default,1,1\n", "4 agent reception/transfer", "expected NAME");
    bad(p, AGENT "tools = transfer\ntransfer = sales: default,1\n", "4 agent reception/transfer", "expected NAME");
    bad(p, AGENT "tools = transfer\ntransfer_numbers = 20XX\n", "1 agent reception/transfer_context", "expected the context");
    bad(p, AGENT "tools = transfer\ntransfer_numbers = 20_\ntransfer_context = inside\n", "4 agent reception/transfer_numbers", "digits, X, Z and N");
    bad(p, AGENT "tools = set_variable\n", "1 agent reception/variables", "which the tool set_variable needs");
    bad(p, AGENT "tools = set_variable\nvariables = SIDETONE_STATUS\n", "4 agent reception/variables", "not SIDETONE_");
    bad(p, AGENT "tools = switch_agent\nswitch_to = nobody\n", "4 agent reception/switch_to", "came nobody");
    assert_int_equal(load(p, &c, AGENT "transfer = sales: default,2001,1\n[tool opening_hours]\nbody = {}\n"), 0);
    assert_string_equal(p->told.p, "W3 agent reception/transfer: has no effect without transfer among tools\n"
                                   "W5 tool opening_hours/body: has no effect without url\n");
    config_free(c);
}

static void test_media(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, NODE AGENT "media = websocket, rtp, audiosocket\n[audiosocket]\nformat = slin44\n[rtp]\nformat = g722\n"
                               "[websocket]\nopened_by = asterisk\nclient = side-tone\nformat = slin16\nlisten = 127.0.0.1:9100\n");

    assert_int_equal(c->agents[0].media.count, 3);
    assert_int_equal(config_audiosocket_hz[c->audiosocket.format], 44100);
    assert_int_equal(c->rtp.format, LEG_RTP_G722);
    assert_int_equal(c->websocket.opened_by, CONFIG_BY_ASTERISK);
    assert_int_equal(c->websocket.format, LEG_WEBSOCKET_SLIN16);
    assert_string_equal(c->websocket.client, "side-tone");
    assert_int_equal(c->websocket.listen.port, 9100);
    config_free(c);
    bad(p, AGENT "media = carrier-pigeon\n", "3 agent reception/media: ", "expected audiosocket, rtp or websocket, came \"carrier-pigeon\"");
    bad(p, "[rtp]\nformat = slin16\n", "2 rtp/format: ", "came \"slin16\"");
    bad(p, AGENT "media = websocket\n[websocket]\nopened_by = asterisk\nclient = a b\n", "6 websocket/client: ", "expected letters, digits");
    bad(p, AGENT "media = websocket\n[websocket]\nopened_by = asterisk\nlisten = 127.0.0.1:9092\n", "6 websocket/listen: ", "a port of its own");
    bad(p, "[node x]\nari = https://127.0.0.1:8089\nari_user = s\nari_secret = @env:PBX1_ARI\n" AGENT "media = websocket\n[websocket]\nformat = ulaw\n",
        "8 websocket/opened_by: ", "expected asterisk, because node x");
    config_free(good(p, AGENT "[websocket]\nopened_by = asterisk\nlisten = 127.0.0.1:9092\n")); /* nobody uses it */
}

static void test_unannounced(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, AGENT "[audiosocket]\naccept = any\nagent = reception\nallow = 10.0.0.0/8\ncalls_max = 3\n");

    assert_int_equal(c->audiosocket.accept, CONFIG_ACCEPT_ANY);
    assert_true(allow_has(&c->audiosocket.allow, "10.1.2.3"));
    assert_false(allow_has(&c->audiosocket.allow, "127.0.0.1"));
    assert_int_equal(c->audiosocket.calls_max, 3);
    config_free(c);
    c = good(p, AGENT);
    assert_int_equal(c->audiosocket.accept, CONFIG_ACCEPT_ANNOUNCED);
    assert_true(allow_has(&c->audiosocket.allow, "127.0.0.1") && allow_has(&c->audiosocket.allow, "::1"));
    assert_false(allow_has(&c->audiosocket.allow, "10.1.2.3"));
    config_free(c);
    bad(p, AGENT "[audiosocket]\naccept = any\n", "3 audiosocket/agent: ", "expected the name of an agent, because accept = any, came nothing");
    bad(p, AGENT "[audiosocket]\naccept = any\nagent = nobody\n", "5 audiosocket/agent: ", "came nobody");
    bad(p, "[audiosocket]\nallow = everybody\n", "2 audiosocket/allow: ", "expected numeric addresses");
}

static void test_deepgram(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, "[agent a]\nprovider = deepgram\nkey = @env:OPENAI_API_KEY\nurl = ws://127.0.0.1:9/v1/agent/converse\n"
                               "listen_model = nova-3\nthink_provider = anthropic\nmodel = claude\nvoice = aura-2-luna-en\ntools = opening_hours\n");
    const struct config_agent *a = &c->agents[0];

    assert_int_equal(a->provider, CONFIG_PROVIDER_DEEPGRAM);
    assert_string_equal(a->listen_model, "nova-3");
    assert_string_equal(a->think_provider, "anthropic");
    assert_string_equal(p->told.p, "");
    config_free(c);
    bad(p, "[agent a]\nprovider = deepgram\n", "1 agent a/key: ", "for example: key = @env:");
    bad(p, "[agent a]\nprovider = deepgram\nkey = @env:OPENAI_API_KEY\nurl = ws://agent.example.com/v1\n", "4 agent a/url: ", "expected wss://");
}

#define PIPELINE "[agent a]\nprovider = pipeline\n" /* 2 lines */

static void test_pipeline(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, PIPELINE "key = @env:OPENAI_API_KEY\nmodel = m\nstt = openai\ntts = openai\ninstructions = reception.md\nsilence = 700ms\n"
                                        "max_tokens = 200\nlanguage = en\nvoice_fallback = slt\n");
    const struct config_agent *a = &c->agents[0];

    assert_string_equal(p->told.p, "");
    assert_int_equal(a->pipeline.stt, CONFIG_STT_OPENAI);
    assert_int_equal(a->pipeline.tts, CONFIG_TTS_OPENAI);
    assert_int_equal(a->pipeline.max_tokens, 200);
    assert_string_equal(config_stt_key(a), SECRET);        /* all three at OpenAI itself */
    assert_string_equal(config_tts_key(a), SECRET);
    config_free(c);
    /* a model on this machine, without a key; nothing else on the network */
    c = good(p, PIPELINE "url = http://10.0.0.7:11434/v1\nstt = local\nfile = reception.agent\ntts = local\nvoice = rms\n");
    assert_string_equal(p->told.p, "");
    assert_null(config_stt_key(&c->agents[0]));
    config_free(c);
    bad(p, PIPELINE "key = @env:OPENAI_API_KEY\ntts = openai\n", "1 agent a/stt: ", "one of: local openai deepgram flux");
}

static void test_pipeline_at_deepgram(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, PIPELINE "url = http://127.0.0.1:1/v1\nstt = flux\nstt_key = @env:DEEPGRAM_API_KEY\ntts = deepgram\nkeyterms = Mr Smith, O'Hara\n");

    assert_string_equal(p->told.p, "");
    assert_int_equal(c->agents[0].pipeline.stt, CONFIG_STT_FLUX);
    assert_int_equal(c->agents[0].pipeline.keyterms.count, 2);
    assert_string_equal(config_tts_key(&c->agents[0]), SECRET);    /* the same service */
    config_free(c);
    c = good(p, PIPELINE "url = http://127.0.0.1:1/v1\nstt = flux\nstt_key = @env:DEEPGRAM_API_KEY\ntts = deepgram\ntts_url = ws://127.0.0.1:2\n");
    assert_null(config_tts_key(&c->agents[0]));
    config_free(c);
    bad(p, PIPELINE "url = http://127.0.0.1:1/v1\nkey = @env:OPENAI_API_KEY\nstt = deepgram\ntts = local\n", "1 agent a/stt_key: ", "came none");
    bad(p, PIPELINE "url = http://127.0.0.1:1/v1\nstt = deepgram\nstt_url = https://x.example\ntts = local\n", "5 agent a/stt_url: ", "expected wss://HOST");
    bad(p, PIPELINE "url = http://127.0.0.1:1/v1\nstt = flux\nstt_url = ws://x.example\nstt_key = @env:DEEPGRAM_API_KEY\ntts = local\n", "5 agent a/stt_url: ",
        "because a key is sent there");
}

/* A key is given to nobody whom it was not written for. */
static void test_keys_of_a_pipeline(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, PIPELINE "key = @env:OPENAI_API_KEY\nurl = http://127.0.0.1:1/v1\nstt = openai\nstt_url = http://127.0.0.1:2/v1\ntts = openai\n"
                                        "tts_url = http://127.0.0.1:1/v1\n");

    assert_null(config_stt_key(&c->agents[0]));
    assert_string_equal(config_tts_key(&c->agents[0]), SECRET);    /* the same address */
    config_free(c);
    bad(p, PIPELINE "key = @env:OPENAI_API_KEY\nurl = https://llm.example.com/v1\nstt = openai\ntts = local\n", "1 agent a/stt_key: ", "came none");
    bad(p, PIPELINE "key = @env:OPENAI_API_KEY\nurl = https://llm.example.com/v1\nstt = openai\nstt_key = @env:OPENAI_API_KEY\ntts = openai\n",
        "1 agent a/tts_key: ", "came none");
    bad(p, PIPELINE "key = @env:OPENAI_API_KEY\nurl = http://llm.example.com/v1\nstt = local\nfile = reception.agent\ntts = local\n", "4 agent a/url: ",
        "expected https://, because a key is sent there");
    bad(p, PIPELINE "key = @env:OPENAI_API_KEY\nurl = http://127.0.0.1.evil.example/v1\nstt = local\nfile = reception.agent\ntts = local\n", "4 agent a/url: ",
        "expected https://, because a key is sent there");
    bad(p, PIPELINE "url = wss://127.0.0.1/v1\nstt = local\nfile = reception.agent\ntts = local\n", "3 agent a/url: ", "expected https://HOST/v1");
    bad(p, PIPELINE "stt = local\nfile = reception.agent\ntts = local\n", "1 agent a/key: ", "came none");
    bad(p, PIPELINE "url = http://127.0.0.1/v1\nstt = local\ntts = local\n", "1 agent a/file: ", "because stt = local");
    bad(p, PIPELINE "url = http://127.0.0.1/v1\nstt = local\nfile = reception.agent\ntts = local\nvoice = alloy\n", "7 agent a/voice: ", "slt rms");
}

static void test_tap(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, "[tap]\nevents = no\nkeep_age = 0\nkeep_size = 1M\n[node a]\n" AMI TAP "ami_filter = !Event: VarSet\n"
                               "ami_filter = eventfilter(action(exclude),name(Newexten)) =\ncontrol_user = c\ncontrol_secret = @env:PBX1_CONTROL\n"
                               "[node b]\n" AMI TAP "tap = no\n[node c]\n" AMI "[sink s]\ndriver = jsonl\nfile = x.jsonl\nkinds = call.ended, queue.*\n");
    const struct config_node *n = c->nodes;
    char *shown;

    assert_true(n[0].tap && !n[1].tap && !n[2].tap);
    assert_null(n[0].ari);
    assert_int_equal(n[0].ami_filters.count, 2);
    assert_string_equal(n[0].ami_filters.items[1], "eventfilter(action(exclude),name(Newexten)) =");
    assert_string_equal(secret_reveal(&n[0].control_secret), SECRET);
    assert_false(c->tap.events);
    assert_int_equal(c->tap.keep_age_ms, 0);
    assert_int_equal(c->tap.keep_bytes, 1 << 20);
    assert_int_equal(c->sinks[0].driver, 2);
    assert_int_equal(c->sinks[0].carry, CONFIG_CARRY_FACTS);
    assert_int_equal(c->sinks[0].kinds.count, 2);
    assert_string_equal(c->sinks[0].kinds.items[1], "queue.*");
    shown = printed(config_show, c);
    assert_non_null(strstr(shown, "ami_filter = !Event: VarSet\nami_filter = eventfilter(action(exclude),name(Newexten)) =\n"));
    assert_null(strstr(shown, SECRET));
    free(shown);
    config_free(c);
    c = good(p, "[node a]\n" AMI "ami_secret = @env:PBX1_TAP\nami_pin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                "ami_events = call\n[sink s]\ndriver = jsonl\nfile = x.jsonl\nstream = S\n");
    assert_non_null(strstr(p->told.p, "W3 node a/ami_secret: has no effect without ami_user"));
    assert_non_null(strstr(p->told.p, "W4 node a/ami_pin: has no effect without ami = tls://"));
    assert_non_null(strstr(p->told.p, "W5 node a/ami_events: has no effect without a tap"));
    assert_non_null(strstr(p->told.p, "W9 sink s/stream: has no effect with driver = jsonl"));
    config_free(c);
}

static void script_put(const struct place *p, const char *name, mode_t mode)
{
    char path[200];

    put(p, name, "#!/bin/sh\n");
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    assert_int_equal(chmod(path, mode), 0);
}

#define ROUTE "[route r]\nhandler = caller_name.lua\n" /* 2 lines */

static void test_route_limits(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, "[fastagi]\nallow = 127.0.0.1, 10.0.0.0/8\nenv_timeout = 500ms\n" ROUTE
                               "max = 64\nqueue = 10\nqueue_wait = 2s\nidle = 3s\non_full = fallback\nfallback = default,operator,1\n");
    const struct config_route *r = &c->routes[0];

    assert_int_equal(c->fastagi.allow.count, 2);
    assert_true(allow_has(&c->fastagi.allow, "10.9.9.9"));
    assert_false(allow_has(&c->fastagi.allow, "127.0.0.2"));
    assert_int_equal(c->fastagi.env_ms, 500);
    assert_int_equal(r->max, 64);
    assert_int_equal(r->queue, 10);
    assert_int_equal(r->queue_wait_ms, 2000);
    assert_int_equal(r->idle_ms, 3000);
    assert_int_equal(r->on_full, CONFIG_FULL_FALLBACK);
    assert_string_equal(r->fallback.context, "default");
    assert_string_equal(r->fallback.extension, "operator");
    assert_string_equal(r->fallback.priority, "1");
    config_free(c);
    c = good(p, ROUTE);
    assert_int_equal(c->fastagi.allow.count, 0);
    assert_int_equal(c->routes[0].max, 0);
    assert_int_equal(c->routes[0].idle_ms, 60000);
    config_free(c);
    bad(p, "[fastagi]\nallow = 10.0.0.0/8, localhost\n", "2 fastagi/allow: ", "came \"localhost\"");
    bad(p, ROUTE "on_full = fallback\n", "3 route r/on_full: ", "expected fallback = context,extension,priority");
    bad(p, ROUTE "on_full = fallback\nfallback = default\n", "4 route r/fallback: ", "came \"default\"");
    bad(p, ROUTE "on_full = later\n", "3 route r/on_full: ", "one of: busy fallback");
}

static void test_scripts(void **state)
{
    struct place *p = *state;
    struct config *c;
    char want[200], text[600];

    make_dir(p, "agi");
    script_put(p, "agi/ivr.py", 0755);
    script_put(p, "agi/plain.py", 0644);
    snprintf(text, sizeof text, "[directories]\nastagidir => %s/agi\nastvarlibdir => %s\n", p->dir, p->dir);
    put(p, "asterisk.conf", text);
    c = good(p, "[fastagi]\nasterisk_conf = asterisk.conf\n[route a]\nscript = ivr.py\n"
                "[route b]\nscript = ivr.py\ndeadline = 30s\nwarm = 4\nargs = x,y\nmemory = 256M\ncpu_seconds = 10\nsandbox = strict\n"
                "allow_write = /var/log , /tmp\n");
    snprintf(want, sizeof want, "%s/agi/ivr.py", p->dir);
    assert_string_equal(c->routes[0].script, want);
    assert_string_equal(c->routes[0].script_text, "ivr.py");
    assert_null(c->routes[0].handler);
    assert_int_equal(c->routes[0].deadline_ms, 3600000);
    assert_int_equal(c->routes[0].sandbox, CONFIG_SANDBOX_BASIC);
    assert_int_equal(c->routes[1].deadline_ms, 30000);
    assert_int_equal(c->routes[1].warm, 4);
    assert_int_equal(c->routes[1].memory_bytes, 256 << 20);
    assert_int_equal(c->routes[1].write.count, 2);
    assert_string_equal(c->routes[1].write.items[1], "/tmp");
    config_free(c);
    bad(p, "[route a]\nscript = ivr.py\nhandler = caller_name.lua\n[fastagi]\nasterisk_conf = asterisk.conf\n", "2 route a/script: ", "came both");
    bad(p, "[fastagi]\nasterisk_conf = asterisk.conf\n[route a]\nscript = plain.py\n", "4 route a/script: ", "may not be executed");
    bad(p, "[fastagi]\nasterisk_conf = asterisk.conf\n[route a]\nscript = nowhere.py\n", "4 route a/script: ", "agi/nowhere.py: no such file");
    bad(p, "[route a]\nscript = /bin/true\nsandbox = strict\nallow_write = tmp\n[fastagi]\nscript_cwd = /\n", "4 route a/allow_write: ", "absolute paths");
    bad(p, "[route a]\nscript = /bin/true\n[fastagi]\nscript_cwd = /nowhere\n", "2 route a/script: ", "working directory /nowhere");
    bad(p, "[route a]\nscript = /bin/true\nprocesses = 9\n[fastagi]\nscript_cwd = /\n", "3 route a/processes: ", "expected a user beside it");
    bad(p, "[route a]\nscript = /bin/true\nstart = copy\n[fastagi]\nscript_cwd = /\n", "3 route a/start: ", "process fork");
    bad(p, "[route a]\nscript = /bin/true\nsandbox = some\n[fastagi]\nscript_cwd = /\n", "3 route a/sandbox: ", "off basic strict");
}

static void test_show(void **state)
{
    struct place *p = *state;
    struct config *c = good(p, whole);
    char *shown = printed(config_show, c), *again;

    assert_null(strstr(shown, SECRET));
    assert_non_null(strstr(shown, "ari_secret = ***\n"));
    assert_non_null(strstr(shown, "[node pbx2]\nari = http://127.0.0.1:8088/asterisk\nari_user = other\n"));
    assert_non_null(strstr(shown, "deadline = 800ms\n"));
    assert_non_null(strstr(shown, "tools = opening_hours, look_up\n"));
    config_free(c);
    shown = realloc(shown, strlen(shown) + 256);
    assert_non_null(shown);
    for (char *at; (at = strstr(shown, "***"));) { /* what is shown is a configuration of the same values */
        memmove(at + strlen("@env:PBX1_ARI"), at + 3, strlen(at + 3) + 1);
        memcpy(at, "@env:PBX1_ARI", strlen("@env:PBX1_ARI"));
    }
    c = good(p, shown);
    again = printed(config_show, c);
    config_free(c);
    assert_non_null(strstr(again, "tools = opening_hours, look_up\n"));
    assert_non_null(strstr(again, "[node pbx2]\nari = http://127.0.0.1:8088/asterisk\nari_user = other\n"));
    free(again);
    free(shown);
}

static void test_manual(void **state)
{
    char *keys = printed(print_keys, NULL);

    (void)state;
    assert_non_null(strstr(keys, "## [node NAME]\n"));
    assert_non_null(strstr(keys, "*ari\\_secret* = _secret_\n"));
    assert_non_null(strstr(keys, "*deadline* = _duration_\n"));
    assert_non_null(strstr(keys, "Range: 10ms to 1h."));
    free(keys);
}

static void test_no_memory(void **state)
{
    struct place *p = *state;
    struct config *c;
    long n;

    put(p, "sidetone.conf", whole);
    for (n = 1;; n++) {
        int err;

        c = NULL;
        fail_alloc_at(n);
        err = config_load(&c, p->path, 0, NULL, NULL);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            config_free(c);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_null(c);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drop_ins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_mistake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_secrets_not_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_secret_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_warnings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_mistakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sample, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_media, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unannounced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_openai, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tools, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tools_that_are_no_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deepgram, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipeline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipeline_at_deepgram, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_of_a_pipeline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_route_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scripts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_show, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_manual, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
