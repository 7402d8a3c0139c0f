/* Writes what Asterisk and we need to work together, with no right more than is used. */
#include "app/init/text.h"

#include <stdio.h>
#include <string.h>

#include "tap/needs.h"

enum { CLASSES_MAX = 16 };

const char *init_file_name(enum init_file f)
{
    static const char *const names[INIT_FILES] = {
        [INIT_MANAGER] = "asterisk/manager.conf", [INIT_ARI_CONF] = "asterisk/ari.conf", [INIT_HTTP] = "asterisk/http.conf",
        [INIT_MODULES] = "asterisk/modules.conf", [INIT_EXTENSIONS] = "asterisk/extensions.conf", [INIT_SIDETONE] = "sidetone.conf",
        [INIT_HELLO] = "handlers/hello.lua",
    };

    return names[f];
}

bool init_file_is_wanted(const struct init_plan *p, enum init_file f)
{
    switch (f) {
    case INIT_MANAGER:
        return p->users[INIT_TAP_SECRET] || p->users[INIT_CONTROL_SECRET];
    case INIT_ARI_CONF:
    case INIT_HTTP:
        return p->users[INIT_ARI_SECRET];
    case INIT_MODULES:
        return p->parts & (INIT_ARI | INIT_AGI);
    case INIT_EXTENSIONS:
        return p->route_count || p->agent;
    case INIT_SIDETONE:
        return p->is_new;
    case INIT_HELLO:
        return p->is_new && p->route_count;
    case INIT_FILES:
        break;
    }
    return false;
}

void init_secret_name(const struct init_plan *p, enum init_secret_of s, char *out, size_t size)
{
    static const char *const endings[INIT_SECRETS] = { "tap", "control", "ari" };

    snprintf(out, size, "%s.%s", p->node, endings[s]);
}

static void add_secret(struct buf *out, const char *key, const struct init_plan *p, enum init_secret_of s, const char *const *secrets)
{
    char name[INIT_NAME_MAX + 16];

    init_secret_name(p, s, name, sizeof name);
    if (secrets && secrets[s])
        buf_addf(out, "%s = %s\n", key, secrets[s]);
    else
        buf_addf(out, "%s = SECRET-OF-%s\n", key, name);
}

/* An IPv6 peer matches no line about IPv4, and what matches none is let in (main/acl.c: ast_apply_ha): both are closed first. */
static void add_door(struct buf *out, const struct init_plan *p)
{
    buf_addf(out, "deny = 0.0.0.0/0.0.0.0\ndeny = ::/0\npermit = %s/255.255.255.255\n", p->from);
}

/* ---- manager.conf ---- */

static bool is_among(const char *const *list, size_t count, const char *one)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i], one))
            return true;
    return false;
}

static void add_classes(struct buf *out)
{
    const char *seen[CLASSES_MAX];
    size_t count, seen_count = 0;
    const struct tap_need *needs = tap_needs(&count);

    buf_add_text(out, TEXT("read = "));
    for (size_t i = 0; i < count; i++)
        if (seen_count < CLASSES_MAX && !is_among(seen, seen_count, needs[i].class)) {
            buf_addf(out, "%s%s", seen_count ? "," : "", needs[i].class);
            seen[seen_count++] = needs[i].class;
        }
    buf_add_char(out, '\n');
}

static void add_tap(struct buf *out, const struct init_plan *p, const char *const *secrets)
{
    size_t count;
    const struct tap_need *needs = tap_needs(&count);

    buf_addf(out, "\n; The tap: reads what facts about calls are made of, and may send nothing. Each filter lets one event through; on Asterisk before\n"
                  "; 20.11, 21.6 and 22.1 they have no effect, and all events of these classes come.\n[%s]\n", p->users[INIT_TAP_SECRET]);
    add_secret(out, "secret", p, INIT_TAP_SECRET, secrets);
    add_door(out, p);
    add_classes(out);
    buf_add_text(out, TEXT("write =\nwritetimeout = 5000\n"));
    for (size_t i = 0; i < count; i++)
        tap_need_filters(out, &needs[i]);
}

static void add_control(struct buf *out, const struct init_plan *p, const char *const *secrets)
{
    const bool is_async = p->parts & INIT_ASYNCAGI;

    buf_addf(out, "\n; Asks for the list of channels behind a gap of the tap%s.\n[%s]\n", is_async ? ", and serves AGI(agi:async)" : "",
             p->users[INIT_CONTROL_SECRET]);
    add_secret(out, "secret", p, INIT_CONTROL_SECRET, secrets);
    add_door(out, p);
    buf_addf(out, "read =%s\nwrite = reporting%s\nwritetimeout = 5000\n", is_async ? " agi" : "", is_async ? ",agi" : "");
}

static void write_manager(struct buf *out, const struct init_plan *p, const char *const *secrets)
{
    buf_addf(out, "; At the end of Asterisk's manager.conf, or as manager.d/sidetone.conf. Then: asterisk -rx \"manager reload\"\n"
                  "; bindaddr and port stay as they are; %s must lead there. On one machine: bindaddr = 127.0.0.1\n"
                  "[general](+)\nenabled = yes\ntimestampevents = yes\n", p->ami);
    if (p->users[INIT_TAP_SECRET])
        add_tap(out, p, secrets);
    if (p->users[INIT_CONTROL_SECRET])
        add_control(out, p, secrets);
}

/* ---- ari.conf, http.conf, modules.conf ---- */

static void write_ari(struct buf *out, const struct init_plan *p, const char *const *secrets)
{
    buf_addf(out, "; At the end of Asterisk's ari.conf. Then: asterisk -rx \"module reload res_ari.so\"\n"
                  "[general](+)\nenabled = yes\n\n; Answers calls that the dialplan gives to Stasis(%s), and hands them back.\n[%s]\ntype = user\nread_only = no\n", p->app,
             p->users[INIT_ARI_SECRET]);
    add_secret(out, "password", p, INIT_ARI_SECRET, secrets);
    buf_add_text(out, TEXT("password_format = plain\n"));
}

static void write_http(struct buf *out, const struct init_plan *p)
{
    buf_addf(out, "; At the end of Asterisk's http.conf. Then: asterisk -rx \"module reload http\"\n"
                  "; bindaddr and bindport stay as they are; %s must lead there. On one machine: bindaddr = 127.0.0.1\n"
                  "[general](+)\nenabled = yes\n", p->ari);
}

static void write_modules(struct buf *out, const struct init_plan *p)
{
    static const char *const ari[] = { "res_http_websocket", "res_stasis", "app_stasis", "res_ari", "res_ari_model", "res_ari_events", "res_ari_applications",
                                       "res_ari_asterisk", "res_ari_channels", "res_ari_bridges", "bridge_simple", "res_audiosocket",
                                       "chan_audiosocket" };

    buf_add_text(out, TEXT("; Only where modules.conf has autoload = no: at its end, under [modules]. Now, without a restart: asterisk -rx \"module load NAME.so\"\n"
                           "[modules](+)\n"));
    if (p->parts & INIT_AGI)
        buf_add_text(out, TEXT("load = res_agi.so\n"));
    for (size_t i = 0; (p->parts & INIT_ARI) && i < sizeof ari / sizeof *ari; i++)
        buf_addf(out, "load = %s.so\n", ari[i]);
}

/* ---- extensions.conf ---- */

static void add_extension(struct buf *out, unsigned number, const char *what, const char *line)
{
    buf_addf(out, "\n; %s\nexten => %u,1,Answer()\n same => n,Set(TIMEOUT(absolute)=900)    ; the guard: the call ends whatever happens to sidetone\n"
                  " same => n,%s\n same => n,NoOp(sidetone says ${SIDETONE_STATUS} ${SIDETONE_REASON} about call ${SIDETONE_CALL})\n"
                  " same => n,Hangup()                         ; or Goto(what you do today)\n", what, number, line);
}

static void write_extensions(struct buf *out, const struct init_plan *p)
{
    char line[300], what[200];
    unsigned number = 100;

    buf_add_text(out, TEXT("; At the end of extensions.conf, to try it: dial these from a phone whose context includes sidetone-test. Then: asterisk -rx \"dialplan reload\"\n"
                           "[sidetone-test]\n"));
    for (size_t i = 0; i < p->route_count; i++) {
        snprintf(what, sizeof what, "route %s answers within milliseconds", p->routes[i]);
        snprintf(line, sizeof line, "AGI(agi://%s/%s)", p->fastagi, p->routes[i]);
        add_extension(out, number++, what, line);
    }
    if ((p->parts & INIT_ASYNCAGI) && p->route_count) {
        snprintf(line, sizeof line, "AGI(agi:async,%s)", p->routes[0]);
        add_extension(out, number++, "the same over the manager connection", line);
    }
    if (p->agent && (p->parts & INIT_ARI)) {
        snprintf(what, sizeof what, "agent %s talks with the caller", p->agent);
        snprintf(line, sizeof line, "Stasis(%s,%s)", p->app, p->agent);
        add_extension(out, number++, what, line);
    }
}

/* ---- ours ---- */

static void add_reference(struct buf *out, const char *key, const struct init_plan *p, enum init_secret_of s)
{
    char name[INIT_NAME_MAX + 16];

    init_secret_name(p, s, name, sizeof name);
    buf_addf(out, "%s = @file:%s\n", key, name);
}

static void write_sidetone(struct buf *out, const struct init_plan *p)
{
    buf_addf(out, "; `sidetone config check FILE` tells mistakes, `sidetone config sample` every key.\n[sidetone]\nstate_dir = %s\n", p->state_dir);
    if (p->parts & INIT_AGI)
        buf_addf(out, "\n[fastagi]\nlisten = %s\nallow = %s\n", p->fastagi, p->from);
    if (p->parts & INIT_ARI)
        buf_addf(out, "\n[audiosocket]\nlisten = %s\n", p->audiosocket);
    buf_addf(out, "\n[node %s]\n", p->node);
    if (p->users[INIT_TAP_SECRET] || p->users[INIT_CONTROL_SECRET])
        buf_addf(out, "ami = %s\n", p->ami);
    if (p->users[INIT_TAP_SECRET]) {
        buf_addf(out, "ami_user = %s\n", p->users[INIT_TAP_SECRET]);
        add_reference(out, "ami_secret", p, INIT_TAP_SECRET);
    }
    if (p->users[INIT_CONTROL_SECRET]) {
        buf_addf(out, "control_user = %s\n", p->users[INIT_CONTROL_SECRET]);
        add_reference(out, "control_secret", p, INIT_CONTROL_SECRET);
    }
    if (p->parts & INIT_ASYNCAGI)
        buf_add_text(out, TEXT("asyncagi = yes\n"));
    if (p->users[INIT_ARI_SECRET]) {
        buf_addf(out, "ari = %s\nari_user = %s\n", p->ari, p->users[INIT_ARI_SECRET]);
        add_reference(out, "ari_secret", p, INIT_ARI_SECRET);
        buf_addf(out, "default_agent = %s\n", p->agent);
    }
    for (size_t i = 0; i < p->route_count; i++)
        buf_addf(out, "\n[route %s]\nhandler = %s.lua\ndeadline = 800ms\n", p->routes[i], p->routes[i]);
    if (p->agent)
        buf_addf(out, "\n; Says back what it hears: for the first call. docs/agents.md names the others.\n[agent %s]\nprovider = echo\n", p->agent);
}

static void write_hello(struct buf *out)
{
    buf_add_text(out, TEXT("-- The first route: leaves a word in the channel, and gives the call back.\n"
                           "function handle(call)\n  call:set(\"SIDETONE_HELLO\", \"hello \" .. (call.env.agi_callerid or \"caller\"))\nend\n"));
}

int init_file_write(struct buf *out, const struct init_plan *p, enum init_file f, const char *const secrets[INIT_SECRETS])
{
    switch (f) {
    case INIT_MANAGER:
        write_manager(out, p, secrets);
        break;
    case INIT_ARI_CONF:
        write_ari(out, p, secrets);
        break;
    case INIT_HTTP:
        write_http(out, p);
        break;
    case INIT_MODULES:
        write_modules(out, p);
        break;
    case INIT_EXTENSIONS:
        write_extensions(out, p);
        break;
    case INIT_SIDETONE:
        write_sidetone(out, p);
        break;
    case INIT_HELLO:
        write_hello(out);
        break;
    case INIT_FILES:
        break;
    }
    return out->err;
}
