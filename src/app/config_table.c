/* The one table of the configuration: every section and key, its type, default, range and one sentence of help. */
#include <stddef.h>

#include "app/config_parts.h"

static const char *const levels[] = { "debug", "info", "warn", "error", "off", NULL }; /* order of enum log_level */
static const char *const on_full[] = { "busy", "fallback", NULL };                    /* order of enum config_on_full */
static const char *const providers[] = { "local", NULL };                             /* order of enum config_provider */

static const char *const masks[] = { "none", "numbers", NULL };                       /* order of enum config_mask */
static const char *const sandboxes[] = { "off", "basic", "strict", NULL };             /* order of enum config_sandbox */
static const char *const starts[] = { "process", "fork", NULL };                      /* order of enum config_start */

static const struct config_key sidetone_keys[] = {
    { .name = "state_dir", .type = CONFIG_PATH, .offset = offsetof(struct config_sidetone, state_dir),
      .standard = "/var/lib/sidetone", .help = "Directory of the embedded store (sidetone.db)." },
    { .name = "http_hosts", .type = CONFIG_TEXT, .offset = offsetof(struct config_sidetone, http_hosts),
      .standard_help = "handlers and tools reach no host", .example = "crm.example.com, 127.0.0.1:8080",
      .help = "Hosts that handlers and tools may reach with http.get and http.post; without a port the scheme's own." },
    { .name = "workers", .type = CONFIG_COUNT, .offset = offsetof(struct config_sidetone, workers), .standard = "auto",
      .may_be_auto = true, .min = 1, .max = 64, .help = "How many call loops run; auto is one per processor core." },
    { .name = "speech_threads", .type = CONFIG_COUNT, .offset = offsetof(struct config_sidetone, speech_threads), .standard = "auto",
      .may_be_auto = true, .min = 1, .max = 64,
      .help = "How many threads the embedded recogniser and synthesiser share; auto is one per processor core." },
    { .name = "log_level", .type = CONFIG_ENUM, .offset = offsetof(struct config_sidetone, log_level), .standard = "info",
      .choices = levels, .reloads = true, .help = "The least severe log lines that are written." },
};

static const struct config_key fastagi_keys[] = {
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_fastagi, listen), .standard = "127.0.0.1:4573",
      .help = "Where Asterisk reaches agi:// routes." },
    { .name = "sessions_max", .type = CONFIG_COUNT, .offset = offsetof(struct config_fastagi, sessions_max), .standard = "4096",
      .min = 1, .max = 65536, .help = "Sessions at one time, of all routes; one more is told SIDETONE_STATUS=BUSY." },
    { .name = "linger", .type = CONFIG_DURATION, .offset = offsetof(struct config_fastagi, linger_ms), .standard = "10s",
      .min = 0, .max = 600000, .reloads = true, .help = "How long running sessions may go on when the daemon stops." },
    { .name = "asterisk_conf", .type = CONFIG_PATH, .offset = offsetof(struct config_fastagi, asterisk_conf),
      .standard = "/etc/asterisk/asterisk.conf", .base = "",
      .help = "Its [directories] become the AST_ variables of scripts; what it lacks, or all of it, has Debian's values." },
    { .name = "agi_dir", .type = CONFIG_PATH, .offset = offsetof(struct config_fastagi, agi_dir), .standard_help = "Asterisk's astagidir",
      .example = "/usr/share/asterisk/agi-bin", .base = "", .help = "Where a script with a relative name is." },
    { .name = "script_cwd", .type = CONFIG_PATH, .offset = offsetof(struct config_fastagi, script_cwd),
      .standard_help = "Asterisk's astvarlibdir", .example = "/var/lib/asterisk", .base = "",
      .help = "The working directory of scripts: make it the one that Asterisk runs in." },
    { .name = "pass_env", .type = CONFIG_LIST, .offset = offsetof(struct config_fastagi, pass_env),
      .standard_help = "PATH, HOME, LANG, TZ and the like only", .example = "PYTHONPATH, ODBCINI",
      .help = "More variables of the daemon's environment that scripts see." },
    { .name = "env_timeout", .type = CONFIG_DURATION, .offset = offsetof(struct config_fastagi, env_ms), .standard = "2s",
      .min = 50, .max = 60000, .help = "A connection that has not sent its whole environment by then is closed." },
    { .name = "allow", .type = CONFIG_TEXT, .offset = offsetof(struct config_fastagi, allow_text),
      .standard_help = "every host may connect", .example = "127.0.0.1, 10.0.0.0/8",
      .help = "Hosts and networks that may connect, separated by commas; others are closed at once." },
};

static const struct config_key audiosocket_keys[] = {
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_audiosocket, listen), .standard = "127.0.0.1:9092",
      .help = "Where the daemon takes the callers' voices." },
    { .name = "advertise", .type = CONFIG_PEER, .offset = offsetof(struct config_audiosocket, advertise),
      .standard_help = "the address of listen", .example = "127.0.0.1:9092",
      .help = "The host:port that Asterisk is told to connect to, when that differs from listen." },
};

static const struct config_key console_keys[] = {
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_console, listen),
      .standard_help = "no such port is opened", .example = "127.0.0.1:8989",
      .help = "Plain HTTP with /metrics, /live and /ready; put a proxy with TLS in front where others must reach it." },
};

static const struct config_key node_keys[] = {
    { .name = "ari", .type = CONFIG_URL, .offset = offsetof(struct config_node, ari), .is_required = true,
      .example = "http://127.0.0.1:8088", .help = "The Asterisk's HTTP server, http:// or https://." },
    { .name = "ari_user", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, ari_user), .is_required = true,
      .example = "sidetone", .help = "The user of ari.conf." },
    { .name = "ari_secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_node, ari_secret), .is_required = true,
      .example = "@env:PBX1_ARI", .help = "The user's password, as @env:NAME, @file:PATH or @credential:NAME; never the password itself." },
    { .name = "app", .type = CONFIG_NAME, .offset = offsetof(struct config_node, app), .standard = "sidetone",
      .help = "The name that the dialplan gives to Stasis()." },
    { .name = "ami", .type = CONFIG_AMI_URL, .offset = offsetof(struct config_node, ami),
      .standard_help = "no AMI session is opened", .example = "tcp://127.0.0.1:5038",
      .help = "The Asterisk's manager port, tcp:// or tls://." },
    { .name = "ami_user", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, ami_user),
      .standard_help = "no AMI session is opened", .example = "sidetone-agi", .help = "The user of manager.conf." },
    { .name = "ami_secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_node, ami_secret),
      .standard_help = "no AMI session is opened", .example = "@env:PBX1_AMI",
      .help = "That user's secret, as @env:NAME, @file:PATH or @credential:NAME; it crosses the network only as MD5 of a challenge." },
    { .name = "asyncagi", .type = CONFIG_BOOL, .offset = offsetof(struct config_node, asyncagi), .standard = "no",
      .help = "Serve every channel of this node that waits in AGI(agi:async,ROUTE); needs ami, ami_user and ami_secret." },
    { .name = "ca", .type = CONFIG_PATH, .offset = offsetof(struct config_node, ca), .standard_help = "the system's authorities",
      .example = "pbx1-ca.pem", .wants = CONFIG_WANTS_FILE, .base = "",
      .help = "PEM file of the authority that signed the server's certificate." },
    { .name = "insecure", .type = CONFIG_BOOL, .offset = offsetof(struct config_node, insecure), .standard = "no",
      .help = "Accept any certificate: anyone on the way can then read the password and the calls." },
    { .name = "calls_max", .type = CONFIG_COUNT, .offset = offsetof(struct config_node, calls_max), .standard = "500", .min = 1,
      .max = 10000, .help = "Conversations at one time; one more is given back at once with SIDETONE_STATUS=BUSY." },
    { .name = "default_agent", .type = CONFIG_NAME, .offset = offsetof(struct config_node, default_agent),
      .standard_help = "such a call is given back with SIDETONE_STATUS=ERROR", .example = "reception", .reloads = true,
      .help = "The agent of a call that names none in Stasis()." },
};

static const struct config_key route_keys[] = {
    { .name = "handler", .type = CONFIG_PATH, .offset = offsetof(struct config_route, handler),
      .standard_help = "the route has a script", .example = "caller_name.lua", .base = "handlers", .wants = CONFIG_WANTS_FILE, .reloads = true,
      .help = "The Lua file that decides; relative to handlers/ beside the configuration file." },
    { .name = "deadline", .type = CONFIG_DURATION, .offset = offsetof(struct config_route, deadline_ms), .standard = "5s", .min = 10,
      .max = 3600000, .reloads = true, .help = "A session that is not done by then goes back to the dialplan with SIDETONE_STATUS=TIMEOUT. Of a script: 1h when not set." },
    { .name = "script", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, script_text),
      .standard_help = "the route has a handler", .example = "ivr.py",
      .help = "The program that AGI() ran, unchanged; a relative name is looked for in agi_dir." },
    { .name = "args", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, args),
      .standard_help = "those that come three times in a row", .example = "sales,de",
      .help = "Arguments that processes started ahead get; a call with others starts one of its own." },
    { .name = "start", .type = CONFIG_ENUM, .offset = offsetof(struct config_route, start), .standard = "process", .choices = starts,
      .help = "process: the interpreter is started for each call; fork, of Python scripts: once, and each call is a copy of a process that has "
              "loaded what the script imports." },
    { .name = "preload", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, preload),
      .standard_help = "what the script imports at its top", .example = "mylib.db, phonenumbers",
      .help = "With start = fork: more modules that are loaded once, before any call." },
    { .name = "warm", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, warm), .standard = "0", .min = 0, .max = 256,
      .help = "How many processes of the script are started ahead and wait for calls, on each call loop." },
    { .name = "warm_max_age", .type = CONFIG_DURATION, .offset = offsetof(struct config_route, warm_max_age_ms), .standard = "10m",
      .min = 1000, .max = 86400000, .help = "A waiting process of that age is replaced." },
    { .name = "memory", .type = CONFIG_BYTES, .offset = offsetof(struct config_route, memory_bytes), .standard = "0", .min = 0,
      .max = INT64_C(1) << 40, .help = "Address space of each process of the script; 0: no limit of its own." },
    { .name = "cpu_seconds", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, cpu_seconds), .standard = "0", .min = 0,
      .max = 86400, .help = "Processor time of each process of the script; 0: no limit of its own." },
    { .name = "open_files", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, open_files), .standard = "0", .min = 0,
      .max = 1048576, .help = "Files that each process of the script may have open; 0: no limit of its own." },
    { .name = "processes", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, processes), .standard = "0", .min = 0,
      .max = 1048576, .help = "Processes and threads that the script's user may have at one time, those of all calls counted; needs user; 0: no limit of its own." },
    { .name = "user", .type = CONFIG_NAME, .offset = offsetof(struct config_route, user), .standard_help = "the daemon's user",
      .example = "asterisk", .help = "Who runs the script; the daemon must be root for that." },
    { .name = "sandbox", .type = CONFIG_ENUM, .offset = offsetof(struct config_route, sandbox), .standard = "basic", .choices = sandboxes,
      .help = "basic: no new privileges (so no sudo), and calls such as ptrace and mount fail; strict: files are read-only, too." },
    { .name = "allow_read", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, read_text), .standard_help = "all files may be read",
      .example = "/var/lib/asterisk, /srv/ivr", .help = "With sandbox = strict: paths that may be read, beside the system's programs and /etc." },
    { .name = "allow_write", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, write_text), .standard_help = "nothing may be written",
      .example = "/var/log/ivr, /tmp", .help = "With sandbox = strict: paths that may be written." },
    { .name = "http_hosts", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, http_hosts),
      .standard_help = "those of [sidetone]", .example = "crm.example.com", .help = "Hosts that this route may reach, in place of the daemon's." },
    { .name = "idle", .type = CONFIG_DURATION, .offset = offsetof(struct config_route, idle_ms), .standard = "60s", .min = 10,
      .max = 3600000, .reloads = true, .help = "The longest wait for one reply; then the handler gets the error reply_timeout." },
    { .name = "max", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, max), .standard = "0", .min = 0,
      .max = 65536, .help = "Sessions of this route at one time; 0: no ceiling but sessions_max." },
    { .name = "queue", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, queue), .standard = "0", .min = 0, .max = 65536,
      .help = "Sessions over max that may wait for their turn, on each call loop." },
    { .name = "queue_wait", .type = CONFIG_DURATION, .offset = offsetof(struct config_route, queue_wait_ms), .standard = "1s", .min = 10,
      .max = 600000, .help = "How long one waits for its turn; the deadline counts meanwhile." },
    { .name = "on_full", .type = CONFIG_ENUM, .offset = offsetof(struct config_route, on_full), .standard = "busy", .choices = on_full,
      .help = "A session without a place gets SIDETONE_STATUS=BUSY; with fallback it also goes on at that place of the dialplan." },
    { .name = "fallback", .type = CONFIG_TEXT, .offset = offsetof(struct config_route, fallback_text),
      .standard_help = "it goes on behind AGI()", .example = "default,operator,1",
      .help = "Where a call goes with on_full = fallback, as context,extension,priority." },
    { .name = "record", .type = CONFIG_BOOL, .offset = offsetof(struct config_route, record), .standard = "no", .reloads = true,
      .help = "Keep what passes on each session (environment, commands, replies, times), for sidetone replay." },
    { .name = "record_max", .type = CONFIG_COUNT, .offset = offsetof(struct config_route, record_max), .standard = "1000", .min = 1,
      .max = 1000000, .reloads = true, .help = "Recorded sessions of this route that stay; the oldest go." },
    { .name = "record_mask", .type = CONFIG_ENUM, .offset = offsetof(struct config_route, record_mask), .standard = "none",
      .choices = masks, .reloads = true,
      .help = "numbers: callers' and called numbers become other digits, the same within one session, in recordings and in the timeline." },
    { .name = "shadow", .type = CONFIG_PATH, .offset = offsetof(struct config_route, shadow), .standard_help = "none runs",
      .example = "caller_name.lua", .base = "handlers", .wants = CONFIG_WANTS_FILE, .reloads = true,
      .help = "A Lua file that runs beside the handler on the same replies, touches nothing, and whose differences are counted." },
};

static const struct config_key agent_keys[] = {
    { .name = "provider", .type = CONFIG_ENUM, .offset = offsetof(struct config_agent, provider), .standard = "local",
      .choices = providers, .reloads = true, .help = "Who talks: local is the embedded agent, which needs no key and no network." },
    { .name = "file", .type = CONFIG_PATH, .offset = offsetof(struct config_agent, file), .is_required = true,
      .example = "reception.agent", .base = "agents", .wants = CONFIG_WANTS_FILE, .reloads = true,
      .help = "What the agent says and understands; relative to agents/ beside the configuration file." },
    { .name = "tools", .type = CONFIG_LIST, .offset = offsetof(struct config_agent, tool_names), .standard_help = "the agent has none",
      .example = "opening_hours, take_message", .reloads = true,
      .help = "Names of the tools that it may call; each is NAME.lua in tool_dir." },
    { .name = "tool_dir", .type = CONFIG_PATH, .offset = offsetof(struct config_agent, tool_dir), .standard = "handlers/tools",
      .base = "", .reloads = true, .help = "Directory of its tools; relative to the configuration file's." },
    { .name = "max_duration", .type = CONFIG_DURATION, .offset = offsetof(struct config_agent, max_duration_ms), .standard = "30m",
      .min = 1000, .max = 86400000, .reloads = true, .help = "The longest talk; then the call goes back to the dialplan." },
    { .name = "fallback", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, fallback_text),
      .standard_help = "it goes on behind Stasis()", .example = "default,operator,1", .reloads = true,
      .help = "As context,extension,priority. Checked, but not acted on in this version: a failed talk goes on behind Stasis()." },
};

#define KEYS(list) .keys = (list), .key_count = sizeof(list) / sizeof *(list)

const struct config_kind config_kinds[CONFIG_KIND_COUNT] = {
    [CONFIG_KIND_SIDETONE] = { .name = "sidetone", .help = "The daemon itself.", KEYS(sidetone_keys),
                               .size = sizeof(struct config_sidetone), .offset = offsetof(struct config, sidetone) },
    [CONFIG_KIND_FASTAGI] = { .name = "fastagi", .help = "The port for short decisions.", KEYS(fastagi_keys),
                              .size = sizeof(struct config_fastagi), .offset = offsetof(struct config, fastagi) },
    [CONFIG_KIND_AUDIOSOCKET] = { .name = "audiosocket", .help = "The port for voices.", KEYS(audiosocket_keys),
                                  .size = sizeof(struct config_audiosocket), .offset = offsetof(struct config, audiosocket) },
    [CONFIG_KIND_CONSOLE] = { .name = "console", .help = "The port for monitoring.", KEYS(console_keys),
                              .size = sizeof(struct config_console), .offset = offsetof(struct config, console) },
    [CONFIG_KIND_NODE] = { .name = "node", .is_named = true, .example_name = "pbx1", .help = "One section for each Asterisk.",
                           KEYS(node_keys), .size = sizeof(struct config_node), .offset = offsetof(struct config, nodes),
                           .count_offset = offsetof(struct config, node_count) },
    [CONFIG_KIND_ROUTE] = { .name = "route", .is_named = true, .example_name = "caller-name",
                            .help = "agi://HOST/NAME; a route named default takes what fits no other.", KEYS(route_keys),
                            .size = sizeof(struct config_route), .offset = offsetof(struct config, routes),
                            .count_offset = offsetof(struct config, route_count) },
    [CONFIG_KIND_AGENT] = { .name = "agent", .is_named = true, .example_name = "reception",
                            .help = "Stasis(sidetone,NAME): who talks with the caller.", KEYS(agent_keys),
                            .size = sizeof(struct config_agent), .offset = offsetof(struct config, agents),
                            .count_offset = offsetof(struct config, agent_count) },
};

static const char *const type_names[] = {
    [CONFIG_TEXT] = "text", [CONFIG_NAME] = "name", [CONFIG_PATH] = "path", [CONFIG_DURATION] = "duration", [CONFIG_COUNT] = "number",
    [CONFIG_BYTES] = "bytes", [CONFIG_BOOL] = "yes or no", [CONFIG_ADDRESS] = "address:port", [CONFIG_PEER] = "host:port",
    [CONFIG_URL] = "URL", [CONFIG_AMI_URL] = "URL", [CONFIG_SECRET] = "secret", [CONFIG_ENUM] = "one of", [CONFIG_LIST] = "list of names",
};

const char *config_type_name(enum config_type t)
{
    return type_names[t];
}
