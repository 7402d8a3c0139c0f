/* Notes when each file that the auditor reads was changed last, and what `rotate` has recorded. */
#include "cli/audit_ages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "app/config.h"
#include "app/rotate/record.h"
#include "audit/audit.h"
#include "audit/live.h"

enum { NOTES_MAX = 1 << 20, DAY_S = 86400 };

static int64_t days_since(const struct audit_ages *g, int64_t then_s)
{
    return then_s < g->now_s ? (g->now_s - then_s) / DAY_S : 0;
}

static void note_file(struct audit_ages *g, const char *path)
{
    struct stat st;

    if (g->limit_days && live_is_plain(text_of(path)) && stat(path, &st) == 0)
        buf_addf(&g->files, "file = %s\ndays = %" PRId64 "\n", path, days_since(g, st.st_mtime));
}

static void on_rotation(void *arg, const struct rotation *r)
{
    struct audit_ages *g = arg;

    if (live_is_plain(text_of(r->user)) && live_is_plain(text_of(r->door)))
        buf_addf(&g->exchanged, "door = %s\nuser = %s\ndays = %" PRId64 "\n", r->door, r->user, days_since(g, r->at_us / 1000000));
}

/* It is read last of all, so that the times of all others are known. */
static int tell(struct audit_ages *g, struct text *out)
{
    struct buf b;
    int err;

    buf_init(&b, 3 * NOTES_MAX);
    buf_addf(&b, "[limit]\ndays = %" PRId64 "\n[files]\n", g->limit_days);
    buf_add_text(&b, buf_text(&g->files));
    buf_add_text(&b, TEXT("[exchanged]\n"));
    err = buf_add_text(&b, buf_text(&g->exchanged));
    if (!err) {
        out->n = buf_text(&b).n;
        out->p = text_dup(buf_text(&b));
        err = out->p ? 0 : -ENOMEM;
    }
    buf_free(&b);
    return err;
}

static bool is_ages(const struct audit_ages *g, const char *path)
{
    const size_t n = strlen(g->folder);

    return strncmp(path, g->folder, n) == 0 && path[n] == '/' && strcmp(path + n + 1, audit_file_name(AUDIT_AGES)) == 0;
}

static int read_one(void *arg, const char *path, struct text *out)
{
    struct audit_ages *g = arg;
    const int err = g->below->read(g->below->arg, path, out);

    if (!err)
        note_file(g, path);
    return err == -ENOENT && g->limit_days && is_ages(g, path) ? tell(g, out) : err;
}

static int expand(void *arg, const char *from, const char *pattern, char ***out)
{
    const struct audit_ages *g = arg;

    return g->below->expand(g->below->arg, from, pattern, out);
}

static void pass_over(const struct config_problem *p, void *arg)
{
    (void)p;
    (void)arg;
}

void audit_ages_begin(struct audit_ages *g, const char *folder, const struct conf_source *below, const char *config_path, int64_t limit_days, int64_t now_s)
{
    struct config *c = NULL;

    *g = (struct audit_ages){ .folder = folder, .below = below ? below : &conf_disk, .now_s = now_s, .limit_days = limit_days };
    g->source = (struct conf_source){ .read = read_one, .expand = expand, .arg = g };
    buf_init(&g->files, NOTES_MAX);
    buf_init(&g->exchanged, NOTES_MAX);
    if (limit_days && config_load(&c, config_path, CONFIG_SOME_SECRETS, pass_over, NULL) == 0)
        (void)!rotation_read(c->sidetone.state_dir, on_rotation, g);
    config_free(c);
}

void audit_ages_end(struct audit_ages *g)
{
    buf_free(&g->files);
    buf_free(&g->exchanged);
}
