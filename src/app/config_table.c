/* The one table of the configuration: every section and key, its type, default, range and one sentence of help. */
#include <stddef.h>

#include "app/config_parts.h"

static const char *const levels[] = { "debug", "info", "warn", "error", "off", NULL }; /* order of enum log_level */
static const char *const on_full[] = { "busy", "fallback", NULL };                    /* order of enum config_on_full */
const char *const config_providers[] = {                                              /* order of enum config_provider */
    "local",
    "openai",
    "echo",
    "record",
    NULL,
};
static const char *const audios[] = { "ulaw", "pcm", NULL };                         /* order of enum openai_audio */

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

static const char *const audiosocket_formats[] = { "slin", "slin12", "slin16", "slin24", "slin32", "slin44", "slin48", NULL };
const unsigned config_audiosocket_hz[] = { 8000, 12000, 16000, 24000, 32000, 44100, 48000 };

static const struct config_key audiosocket_keys[] = {
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_audiosocket, listen), .standard = "127.0.0.1:9092",
      .help = "Where the daemon takes the callers' voices." },
    { .name = "advertise", .type = CONFIG_PEER, .offset = offsetof(struct config_audiosocket, advertise),
      .standard_help = "the address of listen", .example = "127.0.0.1:9092",
      .help = "The host:port that Asterisk is told to connect to, when that differs from listen." },
    { .name = "format", .type = CONFIG_ENUM, .offset = offsetof(struct config_audiosocket, format), .standard = "slin",
      .choices = audiosocket_formats, .help = "What Asterisk sends and takes: linear samples, 8 kHz, or 12, 16... with slin12, slin16..." },
};

static const char *const rtp_formats[] = { "ulaw", "alaw", "g722", NULL };               /* order of enum leg_rtp_format, up to there */

static const struct config_key rtp_keys[] = {
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_rtp, listen), .standard = "127.0.0.1:24000",
      .help = "Where Asterisk sends callers' voices as RTP: an address of this machine that it can reach, and the first port." },
    { .name = "ports", .type = CONFIG_COUNT, .offset = offsetof(struct config_rtp, ports), .standard = "2000", .min = 1, .max = 40000,
      .help = "How many UDP ports from there are used, one a call." },
    { .name = "format", .type = CONFIG_ENUM, .offset = offsetof(struct config_rtp, format), .standard = "ulaw",
      .choices = rtp_formats, .help = "What is sent and taken: 8 kHz with ulaw and alaw, 16 kHz with g722." },
};

static const char *const opened_by_names[] = { "sidetone", "asterisk", NULL };           /* order of enum config_opened_by */
static const char *const websocket_formats[] = { "ulaw", "alaw", "slin", "slin16", "slin24", "slin48", NULL }; /* of enum leg_websocket_format */

static const struct config_key websocket_keys[] = {
    { .name = "opened_by", .type = CONFIG_ENUM, .offset = offsetof(struct config_websocket, opened_by), .standard = "sidetone",
      .choices = opened_by_names, .help = "Who connects: sidetone to the HTTP server of Asterisk that ARI uses, or asterisk to listen." },
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_websocket, listen), .standard = "127.0.0.1:9093",
      .help = "With opened_by = asterisk: where the daemon takes the callers' voices." },
    { .name = "client", .type = CONFIG_TEXT, .offset = offsetof(struct config_websocket, client), .standard = "sidetone",
      .help = "With opened_by = asterisk: the section of Asterisk's websocket_client.conf whose uri leads to listen." },
    { .name = "format", .type = CONFIG_ENUM, .offset = offsetof(struct config_websocket, format), .standard = "ulaw",
      .choices = websocket_formats, .help = "What is sent and taken: 8 kHz with ulaw, alaw and slin, more with slin16, slin24 and slin48." },
};

static const struct config_key console_keys[] = {
    { .name = "listen", .type = CONFIG_ADDRESS, .offset = offsetof(struct config_console, listen),
      .standard_help = "no such port is opened", .example = "127.0.0.1:8989",
      .help = "Plain HTTP with /metrics, /live and /ready; put a proxy with TLS in front where others must reach it." },
};

static const struct config_key node_keys[] = {
    { .name = "ari", .type = CONFIG_URL, .offset = offsetof(struct config_node, ari), .standard_help = "the node has AMI only",
      .example = "http://127.0.0.1:8088", .help = "The Asterisk's HTTP server, http:// or https://." },
    { .name = "ari_user", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, ari_user),
      .standard_help = "the node has AMI only", .example = "sidetone", .help = "The user of ari.conf." },
    { .name = "ari_secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_node, ari_secret),
      .standard_help = "the node has AMI only", .example = "@env:PBX1_ARI", .help = "The user's password, as @env:NAME, @file:PATH or @credential:NAME; never the password itself." },
    { .name = "app", .type = CONFIG_NAME, .offset = offsetof(struct config_node, app), .standard = "sidetone",
      .help = "The name that the dialplan gives to Stasis()." },
    { .name = "ami", .type = CONFIG_AMI_URL, .offset = offsetof(struct config_node, ami),
      .standard_help = "no AMI session is opened", .example = "tcp://127.0.0.1:5038",
      .help = "The Asterisk's manager port, tcp:// or tls://." },
    { .name = "ami_user", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, ami_user),
      .standard_help = "the node is not tapped", .example = "sidetone-tap",
      .help = "The tap's user of manager.conf, whose events are kept; it needs read = only." },
    { .name = "ami_secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_node, ami_secret),
      .standard_help = "the node is not tapped", .example = "@env:PBX1_TAP",
      .help = "That user's secret, as @env:NAME, @file:PATH or @credential:NAME; it crosses the network only as MD5 of a challenge." },
    { .name = "control_user", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, control_user),
      .standard_help = "no action is sent: a gap closes the calls that were open as unobserved", .example = "sidetone-control",
      .help = "Another user of manager.conf, for actions: asyncagi (read = agi, write = agi), and the list of channels behind a gap (write = reporting)." },
    { .name = "control_secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_node, control_secret),
      .standard_help = "no action is sent", .example = "@env:PBX1_CONTROL", .help = "That user's secret, as ami_secret." },
    { .name = "tap", .type = CONFIG_BOOL, .offset = offsetof(struct config_node, tap), .standard = "yes",
      .help = "Keep this node's events and calls; only with ami, ami_user and ami_secret." },
    { .name = "ami_events", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, ami_events), .standard_help = "all that the user may read",
      .example = "call,agent,system", .help = "Classes of events that the tap asks for; an unknown one is found out, and all are asked for instead." },
    { .name = "ami_filter", .type = CONFIG_LINES, .offset = offsetof(struct config_node, ami_filters),
      .standard_help = "every event is sent", .example = "eventfilter(action(exclude),name(VarSet)) =",
      .help = "An eventfilter of the tap's session, as in manager.conf; may be repeated. Installed when the user has write = system, watched in any case." },
    { .name = "ami_pin", .type = CONFIG_TEXT, .offset = offsetof(struct config_node, ami_pin), .standard_help = "the authority's word is enough",
      .example = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      .help = "Hash of the public key that the manager port must show, beside a good certificate." },
    { .name = "ami_plain", .type = CONFIG_BOOL, .offset = offsetof(struct config_node, ami_plain), .standard = "no",
      .help = "Log in with the secrets themselves instead of the MD5 of a challenge." },
    { .name = "asyncagi", .type = CONFIG_BOOL, .offset = offsetof(struct config_node, asyncagi), .standard = "no",
      .help = "Serve every channel of this node that waits in AGI(agi:async,ROUTE); needs ami, control_user and control_secret." },
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

static const struct config_key tap_keys[] = {
    { .name = "events", .type = CONFIG_BOOL, .offset = offsetof(struct config_tap, events), .standard = "yes",
      .help = "Keep the events themselves (tap.db), not only calls and facts." },
    { .name = "keep_age", .type = CONFIG_DURATION, .offset = offsetof(struct config_tap, keep_age_ms), .standard = "720h", .min = 0,
      .max = INT64_C(87600) * 3600000, .help = "Older events and facts are deleted, when every sink has them; 0: never." },
    { .name = "keep_size", .type = CONFIG_BYTES, .offset = offsetof(struct config_tap, keep_bytes), .standard = "8192M", .min = 0,
      .max = INT64_C(1) << 50, .help = "The file's ceiling: the oldest go, though a sink lacks them, and then a gap is written; 0: none." },
    { .name = "queue_events", .type = CONFIG_COUNT, .offset = offsetof(struct config_tap, queue_events), .standard = "65536", .min = 64,
      .max = 10000000, .help = "Events of each node that may wait for the disk; what comes beyond is counted and named a gap." },
    { .name = "queue_size", .type = CONFIG_BYTES, .offset = offsetof(struct config_tap, queue_bytes), .standard = "64M", .min = 1048576,
      .max = INT64_C(1) << 36, .help = "And their memory." },
    { .name = "hold", .type = CONFIG_DURATION, .offset = offsetof(struct config_tap, hold_ms), .standard = "30ms", .min = 1, .max = 10000,
      .help = "How long events of one node wait for older ones of the others." },
};

const char *const config_drivers[] = { "postgres", "nats", "jsonl", "webhook", "kafka", NULL };
static const char *const carries[] = { "facts", "events", "both", NULL };              /* order of enum config_carry */

static const struct config_key sink_keys[] = {
    { .name = "driver", .type = CONFIG_ENUM, .offset = offsetof(struct config_sink, driver), .is_required = true, .choices = config_drivers,
      .example = "jsonl", .help = "Where it goes." },
    { .name = "carry", .type = CONFIG_ENUM, .offset = offsetof(struct config_sink, carry), .standard = "facts", .choices = carries,
      .help = "What it gets." },
    { .name = "kinds", .type = CONFIG_LIST, .offset = offsetof(struct config_sink, kinds), .standard_help = "all of them",
      .example = "call.ended, queue.*", .more = "._-*", .help = "Facts or events of these kinds only." },
    { .name = "url", .type = CONFIG_TEXT, .offset = offsetof(struct config_sink, url), .standard_help = "the driver needs none",
      .example = "postgresql://127.0.0.1:5432/calls",
      .help = "The server: postgresql://, nats://, http(s)://, or kafka's host:port; without user and password." },
    { .name = "user", .type = CONFIG_TEXT, .offset = offsetof(struct config_sink, user), .standard_help = "none is sent", .example = "sidetone",
      .help = "The user there." },
    { .name = "secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_sink, secret), .standard_help = "none is sent",
      .example = "@env:SINK_SECRET", .help = "The user's password, as @env:NAME, @file:PATH or @credential:NAME." },
    { .name = "file", .type = CONFIG_PATH, .offset = offsetof(struct config_sink, file), .standard_help = "the driver needs none",
      .example = "/var/log/sidetone/calls.jsonl", .base = "", .help = "Of jsonl: the file." },
    { .name = "rotate_size", .type = CONFIG_BYTES, .offset = offsetof(struct config_sink, rotate_bytes), .standard = "0", .min = 0,
      .max = INT64_C(1) << 50, .help = "Of jsonl: a file of this size is put aside, and a new one begun; 0: never." },
    { .name = "subject", .type = CONFIG_TEXT, .offset = offsetof(struct config_sink, subject), .standard_help = "the driver's own",
      .example = "sidetone", .help = "Of nats and kafka: the subject's beginning, or the topic." },
    { .name = "stream", .type = CONFIG_NAME, .offset = offsetof(struct config_sink, stream), .standard_help = "the driver's own",
      .example = "SIDETONE", .help = "Of nats: the JetStream stream." },
    { .name = "template", .type = CONFIG_PATH, .offset = offsetof(struct config_sink, template_file), .standard_help = "the fact as JSON",
      .example = "crm.json", .base = "", .wants = CONFIG_WANTS_FILE, .help = "Of webhook: a file with the body, {{field}} in it." },
    { .name = "hmac_secret", .type = CONFIG_SECRET, .offset = offsetof(struct config_sink, hmac_secret), .standard_help = "bodies are not signed",
      .example = "@env:CRM_HMAC", .help = "Of webhook: what bodies are signed with." },
    { .name = "table_prefix", .type = CONFIG_NAME, .offset = offsetof(struct config_sink, table_prefix), .standard_help = "the driver's own",
      .example = "sidetone_", .help = "Of postgres: what its tables' names begin with." },
    { .name = "ca", .type = CONFIG_PATH, .offset = offsetof(struct config_sink, ca), .standard_help = "the system's authorities",
      .example = "sink-ca.pem", .wants = CONFIG_WANTS_FILE, .base = "", .help = "PEM file of the authority that signed the server's certificate." },
    { .name = "insecure", .type = CONFIG_BOOL, .offset = offsetof(struct config_sink, insecure), .standard = "no",
      .help = "Accept any certificate." },
    { .name = "deadline", .type = CONFIG_DURATION, .offset = offsetof(struct config_sink, deadline_ms), .standard = "10s", .min = 100,
      .max = 600000, .help = "The longest wait for the server." },
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
      .choices = config_providers, .reloads = true,
      .help = "Who talks: local is the embedded agent, which needs no key and no network; openai is a voice model behind the Realtime API; "
              "echo and record are for checks of the line: the caller hears himself." },
    { .name = "file", .type = CONFIG_PATH, .offset = offsetof(struct config_agent, file), .standard_help = "needed by provider = local",
      .example = "reception.agent", .base = "agents", .wants = CONFIG_WANTS_FILE, .reloads = true,
      .help = "What the embedded agent says and understands; relative to agents/ beside the configuration file." },
    { .name = "key", .type = CONFIG_SECRET, .offset = offsetof(struct config_agent, key), .standard_help = "needed by provider = openai",
      .example = "@env:OPENAI_API_KEY", .reloads = true, .help = "The service's key, by reference: @env:NAME, @file:PATH or @credential:NAME." },
    { .name = "url", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, url), .standard_help = "OpenAI's", .reloads = true,
      .example = "wss://RESOURCE.openai.azure.com/openai/v1/realtime",
      .help = "Another server of the Realtime dialect; ws:// only to this machine, for the key is sent there." },
    { .name = "model", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, model), .standard = "gpt-realtime", .reloads = true,
      .help = "The service's model (at Azure: the deployment)." },
    { .name = "voice", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, voice), .standard = "marin", .reloads = true,
      .help = "The service's voice. The embedded agent's is in its file." },
    { .name = "instructions", .type = CONFIG_PATH, .offset = offsetof(struct config_agent, instructions), .standard_help = "the service's own",
      .example = "reception.md", .base = "agents", .wants = CONFIG_WANTS_FILE, .reloads = true,
      .help = "What the model is told about its task: a text file of at most 64 KiB, relative to agents/ beside the configuration file." },
    { .name = "greeting", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, greeting), .standard_help = "the model begins in its own words",
      .example = "Good morning, Example Company.", .reloads = true, .help = "What the model is asked to say first, word for word." },
    { .name = "audio", .type = CONFIG_ENUM, .offset = offsetof(struct config_agent, audio), .standard = "ulaw", .choices = audios,
      .reloads = true, .help = "What travels to the service: the telephone's own 8 kHz, or 24 kHz (six times the bytes, converted here)." },
    { .name = "transcribe", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, transcribe), .standard = "gpt-4o-mini-transcribe",
      .reloads = true, .help = "The model that writes down the caller's words, billed apart; none: nobody does." },
    { .name = "silence", .type = CONFIG_DURATION, .offset = offsetof(struct config_agent, silence_ms), .standard = "500ms", .min = 100, .max = 5000,
      .reloads = true, .help = "Silence that ends the caller's turn, as the service's voice detection counts it." },
    { .name = "tools", .type = CONFIG_LIST, .offset = offsetof(struct config_agent, tool_names), .standard_help = "the agent has none",
      .example = "opening_hours, take_message", .reloads = true,
      .help = "Names of the tools that it may call; each is NAME.lua in tool_dir. With openai also hand_back and hang_up, which need no file." },
    { .name = "tool_dir", .type = CONFIG_PATH, .offset = offsetof(struct config_agent, tool_dir), .standard = "handlers/tools",
      .base = "", .reloads = true, .help = "Directory of its tools; relative to the configuration file's." },
    { .name = "media", .type = CONFIG_LIST, .offset = offsetof(struct config_agent, media), .standard_help = "audiosocket",
      .example = "websocket, rtp, audiosocket",
      .help = "What carries the caller's voice, the first choice first: audiosocket, rtp, websocket; the next is tried when one cannot be set up." },
    { .name = "max_duration", .type = CONFIG_DURATION, .offset = offsetof(struct config_agent, max_duration_ms), .standard = "30m",
      .min = 1000, .max = 86400000, .reloads = true, .help = "The longest talk; then the call goes back to the dialplan." },
    { .name = "fallback", .type = CONFIG_TEXT, .offset = offsetof(struct config_agent, fallback_text),
      .standard_help = "it goes on behind Stasis()", .example = "default,operator,1", .reloads = true,
      .help = "Where a call goes whose talk failed (SIDETONE_STATUS is ERROR or TIMEOUT), as context,extension,priority." },
};

#define KEYS(list) .keys = (list), .key_count = sizeof(list) / sizeof *(list)

const struct config_kind config_kinds[CONFIG_KIND_COUNT] = {
    [CONFIG_KIND_SIDETONE] = { .name = "sidetone", .help = "The daemon itself.", KEYS(sidetone_keys),
                               .size = sizeof(struct config_sidetone), .offset = offsetof(struct config, sidetone) },
    [CONFIG_KIND_FASTAGI] = { .name = "fastagi", .help = "The port for short decisions.", KEYS(fastagi_keys),
                              .size = sizeof(struct config_fastagi), .offset = offsetof(struct config, fastagi) },
    [CONFIG_KIND_AUDIOSOCKET] = { .name = "audiosocket", .help = "The port for voices.", KEYS(audiosocket_keys),
                                  .size = sizeof(struct config_audiosocket), .offset = offsetof(struct config, audiosocket) },
    [CONFIG_KIND_RTP] = { .name = "rtp", .help = "The ports for voices over RTP, for agents whose media = list names it.", KEYS(rtp_keys),
                          .size = sizeof(struct config_rtp), .offset = offsetof(struct config, rtp) },
    [CONFIG_KIND_WEBSOCKET] = { .name = "websocket", .help = "Voices over Asterisk's WebSocket channel, for agents whose media = list names it.",
                                KEYS(websocket_keys), .size = sizeof(struct config_websocket), .offset = offsetof(struct config, websocket) },
    [CONFIG_KIND_CONSOLE] = { .name = "console", .help = "The port for monitoring.", KEYS(console_keys),
                              .size = sizeof(struct config_console), .offset = offsetof(struct config, console) },
    [CONFIG_KIND_TAP] = { .name = "tap", .help = "What is kept of the manager's events.", KEYS(tap_keys),
                          .size = sizeof(struct config_tap), .offset = offsetof(struct config, tap) },
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
    [CONFIG_KIND_SINK] = { .name = "sink", .is_named = true, .example_name = "calls-log",
                           .help = "Where facts and events go beside tap.db; each has its own place in the order, and may be away for a day.",
                           KEYS(sink_keys), .size = sizeof(struct config_sink), .offset = offsetof(struct config, sinks),
                           .count_offset = offsetof(struct config, sink_count) },
};

static const char *const type_names[] = {
    [CONFIG_TEXT] = "text", [CONFIG_NAME] = "name", [CONFIG_PATH] = "path", [CONFIG_DURATION] = "duration", [CONFIG_COUNT] = "number",
    [CONFIG_BYTES] = "bytes", [CONFIG_BOOL] = "yes or no", [CONFIG_ADDRESS] = "address:port", [CONFIG_PEER] = "host:port",
    [CONFIG_URL] = "URL", [CONFIG_AMI_URL] = "URL", [CONFIG_SECRET] = "secret", [CONFIG_ENUM] = "one of", [CONFIG_LIST] = "list of names",
    [CONFIG_LINES] = "text, once a line",
};

const char *config_type_name(enum config_type t)
{
    return type_names[t];
}
