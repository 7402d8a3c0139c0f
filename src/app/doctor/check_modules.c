/* Is it an Asterisk that we know, and are the modules loaded that the configured parts need? */
#include "app/doctor/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/doctor/ports.h"

#define MODULES(X) \
    X("res_agi", NEEDS_AGI, "AGI(agi://...)") \
    X("res_http_websocket", NEEDS_ARI, "ARI's events") \
    X("res_stasis", NEEDS_ARI, "Stasis calls") \
    X("app_stasis", NEEDS_ARI, "the application Stasis()") \
    X("res_ari", NEEDS_ARI, "ARI") \
    X("res_ari_model", NEEDS_ARI, "ARI") \
    X("res_ari_events", NEEDS_ARI, "ARI's events") \
    X("res_ari_applications", NEEDS_ARI, "ARI's applications") \
    X("res_ari_asterisk", NEEDS_ARI, "ARI's questions about Asterisk") \
    X("res_ari_channels", NEEDS_ARI, "ARI's channels") \
    X("res_ari_bridges", NEEDS_ARI, "ARI's bridges") \
    X("bridge_simple", NEEDS_ARI, "the bridge of caller and agent") \
    X("res_audiosocket", NEEDS_AUDIOSOCKET, "AudioSocket") \
    X("chan_audiosocket", NEEDS_AUDIOSOCKET, "voices by AudioSocket") \
    X("app_audiosocket", NEEDS_AUDIOSOCKET_APP, "the application AudioSocket()") \
    X("res_rtp_asterisk", NEEDS_RTP, "RTP") \
    X("res_rtp_multicast", NEEDS_RTP, "chan_rtp, which does not load without") \
    X("chan_rtp", NEEDS_RTP, "voices by RTP") \
    X("chan_websocket", NEEDS_WEBSOCKET, "voices by WebSocket") \
    X("res_websocket_client", NEEDS_WEBSOCKET_CLIENT, "connections that Asterisk opens") \
    X("codec_ulaw", NEEDS_ULAW, "mu-law") \
    X("codec_alaw", NEEDS_ALAW, "A-law") \
    X("codec_g722", NEEDS_G722, "G.722") \
    X("codec_resample", NEEDS_RESAMPLE, "linear samples at more than 8 kHz")

enum {
    NEEDS_AGI = 1, NEEDS_ARI = 2, NEEDS_AUDIOSOCKET = 4, NEEDS_AUDIOSOCKET_APP = 8, NEEDS_RTP = 16, NEEDS_WEBSOCKET = 32, NEEDS_WEBSOCKET_CLIENT = 64,
    NEEDS_ULAW = 128, NEEDS_ALAW = 256, NEEDS_G722 = 512, NEEDS_RESAMPLE = 1024,
};

static const struct module {
    const char *name;
    unsigned needs;
    const char *what;
} modules[] = {
#define ROW(name, needs, what) { name, needs, what },
    MODULES(ROW)
#undef ROW
};

const char *const doctor_modules[] = {
#define ROW(name, needs, what) name,
    MODULES(ROW)
#undef ROW
    NULL,
};

enum { VERSION_FIRST = 20, VERSION_LAST = 22 };

/* ---- what is configured ---- */

/* Order of leg_rtp_format and of leg_websocket_format: ulaw, alaw. */
static unsigned codecs_of_rtp(int format)
{
    return format == 0 ? NEEDS_ULAW : format == 1 ? NEEDS_ALAW : NEEDS_G722 | NEEDS_RESAMPLE;
}

static unsigned codecs_of_websocket(int format)
{
    return format == 0 ? NEEDS_ULAW : format == 1 ? NEEDS_ALAW : format == 2 ? 0 : NEEDS_RESAMPLE;
}

static unsigned needs_of(const struct config *c, const struct config_node *n)
{
    unsigned needs = 0;

    if (c->route_count || n->asyncagi)
        needs |= NEEDS_AGI;
    if (c->audiosocket.accept == CONFIG_ACCEPT_ANY)
        needs |= NEEDS_AUDIOSOCKET | NEEDS_AUDIOSOCKET_APP;
    if (config_node_has_ari(n)) {
        needs |= NEEDS_ARI;
        needs |= n->ari_listen.host[0] ? NEEDS_WEBSOCKET_CLIENT : 0;
        needs |= doctor_has_medium(c, "audiosocket") ? NEEDS_AUDIOSOCKET : 0;
        needs |= doctor_has_medium(c, "rtp") ? NEEDS_RTP | codecs_of_rtp(c->rtp.format) : 0;
        if (doctor_has_medium(c, "websocket"))
            needs |= NEEDS_WEBSOCKET | codecs_of_websocket(c->websocket.format) | (c->websocket.opened_by == CONFIG_BY_ASTERISK ? NEEDS_WEBSOCKET_CLIENT : 0);
    }
    if ((needs & NEEDS_AUDIOSOCKET) && c->audiosocket.format > 0)
        needs |= NEEDS_RESAMPLE;
    return needs;
}

/* ---- checks ---- */

static const char *version_of(const struct doctor_asked *a)
{
    if (*a->ari.version)
        return a->ari.version;
    return *a->ami[DOCTOR_CONTROL].version ? a->ami[DOCTOR_CONTROL].version : a->ami[DOCTOR_TAP].version;
}

/* "22.10.1", "certified/20.7-cert1", "GIT-22-abc". */
static int major_of(const char *version)
{
    while (*version && (*version < '0' || *version > '9'))
        version++;
    return atoi(version);
}

static void check_version(const struct doctor_context *x, const char *name)
{
    const char *version = version_of(x->asked);
    const int major = major_of(version);

    if (!*version) {
        doctor_say(x->report, DOCTOR_SKIP, name, "no user of ours may ask Asterisk for its version (ARI, or control_user with write = reporting)");
        return;
    }
    if (major >= VERSION_FIRST && major <= VERSION_LAST) {
        doctor_say(x->report, DOCTOR_OK, name, "Asterisk %s", version);
        return;
    }
    doctor_say(x->report, major < VERSION_FIRST ? DOCTOR_FAIL : DOCTOR_WARN, name, "Asterisk %s is %s; sidetone is built for and tested with %d to %d", version,
               major < VERSION_FIRST ? "too old" : "newer than what is known", VERSION_FIRST, VERSION_LAST);
    if (major < VERSION_FIRST)
        doctor_fix(x->report, "shell", "asterisk -V    # install Asterisk 20, 21 or 22");
}

static void say_missing(const struct doctor_context *x, const char *name, const struct module *m)
{
    char path[4096];

    doctor_say(x->report, DOCTOR_FAIL, name, "%s is not loaded: %s needs it", m->name, m->what);
    doctor_fix(x->report, doctor_etc_path(x->etc, "modules.conf", path, sizeof path), "[modules]\nload = %s.so\n; now: asterisk -rx \"module load %s.so\"", m->name,
               m->name);
}

static void check_some(const struct doctor_context *x, const char *name, unsigned mask, const char *all_well, const char *none)
{
    const unsigned needs = needs_of(x->config, x->asked->node) & mask;
    size_t wanted = 0, unknown = 0, missing = 0;

    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        enum doctor_known known;

        if (!(modules[i].needs & needs))
            continue;
        wanted++;
        known = doctor_has_module(x->asked, modules[i].name);
        unknown += known == DOCTOR_UNKNOWN;
        if (known == DOCTOR_NO) {
            missing++;
            say_missing(x, name, &modules[i]);
        }
    }
    if (wanted == 0)
        doctor_say(x->report, DOCTOR_OK, name, "%s", none);
    else if (unknown) {
        doctor_say(x->report, DOCTOR_SKIP, name, "no user of ours may ask which modules are loaded (ARI, or a user with write = system); look yourself");
        doctor_fix(x->report, "shell", "asterisk -rx \"module show\"");
    } else if (!missing)
        doctor_say(x->report, DOCTOR_OK, name, "%zu %s", wanted, all_well);
}

enum { CODECS = NEEDS_ULAW | NEEDS_ALAW | NEEDS_G722 | NEEDS_RESAMPLE };

static void check_modules(const struct doctor_context *x, const char *name)
{
    check_some(x, name, ~(unsigned)CODECS, "modules are loaded, all that this configuration needs", "this configuration needs no module");
}

static void check_codecs(const struct doctor_context *x, const char *name)
{
    check_some(x, name, CODECS, "modules of codecs are loaded, all that the voices need", "voices are linear samples of 8 kHz: no module is needed");
}

static const struct doctor_check checks[] = { { "version", check_version }, { "modules", check_modules }, { "codecs", check_codecs } };
const struct doctor_checks doctor_module_checks = { checks, sizeof checks / sizeof *checks };
