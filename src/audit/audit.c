/* Reads a configuration folder and runs the rules over it. */
#include "audit/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/ael.h"
#include "audit/audit_internal.h"
#include "audit/dialplan.h"
#include "audit/lua_plan.h"

static const char *const file_names[AUDIT_FILE_COUNT] = {
    [AUDIT_EXTENSIONS] = "extensions.conf",
    [AUDIT_MANAGER] = "manager.conf",
    [AUDIT_ARI] = "ari.conf",
    [AUDIT_HTTP] = "http.conf",
    [AUDIT_ASTERISK] = "asterisk.conf",
    [AUDIT_MODULES] = "modules.conf",
    [AUDIT_PJSIP] = "pjsip.conf",
    [AUDIT_QUEUES] = "queues.conf",
    [AUDIT_RTP] = "rtp.conf",
    [AUDIT_CDR] = "cdr.conf",
    [AUDIT_CEL] = "cel.conf",
    [AUDIT_USERS] = "users.conf",
    [AUDIT_FEATURES] = "features.conf",
    [AUDIT_LOGGER] = "logger.conf",
    [AUDIT_VOICEMAIL] = "voicemail.conf",
    [AUDIT_WEBSOCKET_CLIENT] = "websocket_client.conf",
    [AUDIT_IAX] = "iax.conf",
    [AUDIT_EXTCONFIG] = "extconfig.conf",
    [AUDIT_FUNC_ODBC] = "func_odbc.conf",
    [AUDIT_LIVE] = "sidetone-live.conf",
    [AUDIT_AGES] = "sidetone-ages.conf",
};

const char *audit_file_name(enum audit_file f)
{
    return (unsigned)f < AUDIT_FILE_COUNT ? file_names[f] : "";
}

static int read_file(struct audit *a, enum audit_file f)
{
    char *path = NULL;
    int err;

    if (asprintf(&path, "%s/%s", a->opt.folder, file_names[f]) < 0)
        return -ENOMEM;
    err = conf_load(&a->files[f], path, a->opt.source);
    free(path);
    a->file_errors[f] = err;
    return err == -ENOMEM ? err : 0;
}

/* A folder without a single file that can be read is no configuration: the first error that says more than "not there". */
static int verdict(const struct audit *a)
{
    int err = -ENOENT;

    if (a->dialplan)
        return 0;
    for (size_t f = 0; f < AUDIT_LIVE; f++) {
        if (a->files[f])
            return 0;
        if (err == -ENOENT)
            err = a->file_errors[f];
    }
    return err;
}

static int copy_options(struct audit *a, const struct audit_options *opt)
{
    a->opt = *opt;
    a->opt.folder = arena_text(a->memory, text_of(opt->folder));
    a->opt.version = arena_text(a->memory, text_of(opt->version ? opt->version : "22"));
    a->opt.version_from = opt->version_from ? arena_text(a->memory, text_of(opt->version_from)) : NULL;
    if (!opt->source)
        a->opt.source = &conf_disk;
    return a->opt.folder && a->opt.version && !opt->version_from == !a->opt.version_from ? 0 : -ENOMEM;
}

/* extensions.conf, then what else fills the dialplan. Without any of them a->dialplan stays NULL. */
static int read_dialplan(struct audit *a)
{
    struct dialplan_build b = { .origin = DIALPLAN_CONF };
    int err = dialplan_build(&a->dialplan, a->memory, a->files[AUDIT_EXTENSIONS]);

    if (err)
        return err;
    b.d = a->dialplan;
    err = ael_read(&b, a);
    if (!err)
        err = lua_plan_read(&b, a);
    if (err)
        return err;
    dialplan_link(a->dialplan);
    if (!a->files[AUDIT_EXTENSIONS] && !a->dialplan->context_count && !a->dialplan->problem_count && !a->dialplan->is_open)
        a->dialplan = NULL;
    return 0;
}

int audit_open(struct audit **out, const struct audit_options *opt)
{
    struct audit *a;
    int err;

    if (!opt->folder)
        return -EINVAL;
    a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    err = arena_new(&a->memory, AUDIT_MEMORY_MAX);
    if (!err)
        err = copy_options(a, opt);
    for (size_t f = 0; !err && f < AUDIT_FILE_COUNT; f++)
        err = read_file(a, (enum audit_file)f);
    if (!err)
        err = read_dialplan(a);
    if (!err)
        err = verdict(a);
    if (err) {
        audit_free(a);
        return err;
    }
    *out = a;
    return 0;
}

static bool is_wanted(const struct audit_rule *r, const char *const *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(codes[i], r->code) == 0)
            return true;
    return count == 0;
}

static int audit_finish(struct audit *a)
{
    const int err = audit_silence(a);

    return err ? err : audit_redact(a);
}

int audit_run(struct audit *a, const char *const *codes, size_t count)
{
    a->finding_count = 0;
    a->findings_dropped = 0;
    for (size_t i = 0; i < audit_rule_count; i++) {
        int err;

        if (!is_wanted(audit_rules[i], codes, count))
            continue;
        err = audit_rules[i]->check(a, audit_rules[i]);
        if (err)
            return err;
    }
    audit_sort(a);
    return audit_finish(a);
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    for (size_t f = 0; f < AUDIT_FILE_COUNT; f++)
        conf_free(a->files[f]);
    free(a->findings);
    arena_free(a->memory);
    free(a);
}
