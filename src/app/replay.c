/* Takes recordings out of the store one by one and plays each to a handler. */
#include "app/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/replay_report.h"
#include "app/replay_world.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ref.h"
#include "route/hosted.h"
#include "store/store.h"

enum { PAGE = 256, MEMORY_MAX = 64 * 1024 * 1024 };

struct replay {
    const struct replay_options *opt;
    FILE *out, *err;
    struct store_reader *reader;
    struct loop *loop;
    struct replay_world *world;     /* store and http as the handler sees them */
    struct script_engine *engine;
    struct script *script;          /* one of both */
    struct hosted_pool *host;
    char *path;                     /* of the script, absolute */
    struct player_actor actor;
    int64_t *ids;
    size_t count, room;
    bool is_done;
};

/* ---- which sessions ---- */

static void on_id(int64_t id, const struct recording *rec, void *arg)
{
    struct replay *r = arg;

    (void)rec;
    if (r->count == r->room) {
        int64_t *more = realloc(r->ids, (2 * r->room + 64) * sizeof *more);

        if (!more)
            return;
        r->ids = more;
        r->room = 2 * r->room + 64;
    }
    r->ids[r->count++] = id;
}

static int find_sessions(struct replay *r)
{
    int64_t after = 0;
    int got = 0;

    if (text_to_i64(text_of(r->opt->sessions), &after) == 0) {
        got = store_reader_session(r->reader, after, on_id, r);
    } else {
        after = 0;
        while ((got = store_reader_sessions(r->reader, text_of(r->opt->sessions), &after, PAGE, on_id, r)) > 0)
            ;
    }
    if (got < 0) {
        fprintf(r->err, "%s: %s\n", r->opt->db, err_text(got));
        return got;
    }
    if (r->count > 0)
        return 0;
    fprintf(r->err, "%s: no recorded session under \"%s\"; sidetone replay --list shows them\n", r->opt->db, r->opt->sessions);
    return -ENOENT;
}

/* ---- one session ---- */

static int begin_handler(void *arg, struct agi_session *session, struct text call, script_on_done *on_done, void *done_arg)
{
    struct replay *r = arg;
    struct script_run *run;

    return script_run_agi(&run, r->script, session, call, r->opt->deadline_ms, NULL, on_done, done_arg);
}

static int begin_script(void *arg, struct agi_session *session, struct text call, script_on_done *on_done, void *done_arg)
{
    struct replay *r = arg;
    struct hosted *run;

    return hosted_run(&run, r->host, session, call, r->opt->deadline_ms, NULL, on_done, done_arg);
}

static void on_end(struct player *p, void *arg)
{
    struct replay *r = arg;

    (void)p;
    r->is_done = true;
    loop_stop(r->loop);
}

struct whole {
    struct recording rec;
    struct tape *tape;
    int err;
};

static void on_whole(int64_t id, const struct recording *rec, void *arg)
{
    struct whole *w = arg;

    (void)id;
    w->rec = *rec;
    w->rec.bytes = NULL;
    w->err = tape_read(&w->tape, text_make(rec->bytes, rec->n));
}

/* 1: differs, 0: equal, or negative. */
static int play(struct replay *r, int64_t id)
{
    struct whole w = { .err = -ENOENT };
    struct replay_report report = { .id = id };
    struct player *p;
    int err = store_reader_session(r->reader, id, on_whole, &w);

    if (err < 0 || w.err) {
        fprintf(r->err, "session %" PRId64 ": %s\n", id, w.err == -EINVAL ? "not a transcript" : err_text(err < 0 ? err : w.err));
        return err < 0 ? err : w.err;
    }
    r->is_done = false;
    if (r->world)
        replay_world_begin(r->world, w.tape);
    err = player_new(&p, r->loop, w.tape, &r->actor, r->opt->log, on_end, r);
    if (!err) {
        loop_run(r->loop);
        report.rec = &w.rec;
        report.tape = w.tape;
        report.player = p;
        report.notes = r->world ? replay_world_notes(r->world) : TEXT("");
        err = replay_report_print(&report, r->opt->json, r->out);
        player_free(p);
    }
    if (r->world)
        replay_world_begin(r->world, NULL);
    ref_drop(w.tape);
    if (err < 0)
        fprintf(r->err, "session %" PRId64 ": %s\n", id, err_text(err));
    return err;
}

/* ---- the whole ---- */

static void replay_close(struct replay *r)
{
    if (r->script)
        script_release(r->script);
    hosted_pool_close(r->host);
    free(r->path);
    if (r->engine)
        script_engine_free(r->engine);
    replay_world_free(r->world);
    if (r->loop)
        loop_release(r->loop);
    loop_free(r->loop);
    store_reader_close(r->reader);
    free(r->ids);
}

static int open_reader(struct replay *r)
{
    const int err = store_reader_open(&r->reader, r->opt->db);

    if (err)
        fprintf(r->err, "%s: %s\n", r->opt->db, err == -EINVAL ? "not a store of this version; the daemon makes it one" : err_text(err));
    return err;
}

static void on_problem(const char *line, void *arg)
{
    fprintf(arg, "%s\n", line);
}

/* As on the command line: our environment, our rights. */
static int open_script(struct replay *r)
{
    struct hosted_options opt = { .name = "replay", .env = (const char *const *)environ };

    r->path = realpath(r->opt->handler, NULL);
    if (!r->path || access(r->path, X_OK)) {
        fprintf(r->err, "%s: %s\n", r->opt->handler, err_text(-errno));
        return -errno;
    }
    opt.path = r->path;
    r->actor = (struct player_actor){ .begin = begin_script, .arg = r };
    return hosted_pool_open(&r->host, r->loop, &opt, r->opt->log, on_problem, r->err);
}

static int open_handler(struct replay *r, struct script_services *services)
{
    static const struct script_limits limits = { .memory_max = MEMORY_MAX };
    char *problem = NULL;
    int err = replay_world_new(&r->world, r->reader);

    if (err)
        return err;
    *services = replay_world_services(r->world);
    err = script_engine_new(&r->engine, r->loop, services, &limits, r->opt->log);
    if (!err)
        err = script_load(&r->script, r->engine, r->opt->handler, "handle", &problem);
    if (err)
        fprintf(r->err, "%s\n", problem ? problem : err_text(err));
    free(problem);
    r->actor = (struct player_actor){ .begin = begin_handler, .arg = r };
    return err;
}

static int open_actor(struct replay *r, struct script_services *services)
{
    const int err = loop_new(&r->loop, r->opt->log);

    if (err)
        return err;
    loop_hold(r->loop);
    return text_ends(text_of(r->opt->handler), TEXT(".lua")) ? open_handler(r, services) : open_script(r);
}

static int play_all(struct replay *r)
{
    const size_t from = r->opt->max && r->count > r->opt->max ? r->count - r->opt->max : 0;
    int differing = 0;

    for (size_t i = from; i < r->count; i++) {
        const int got = play(r, r->ids[i]);

        if (got < 0)
            return got;
        differing += got;
    }
    if (!r->opt->json)
        fprintf(r->out, "%zu session%s played, %d differ\n", r->count - from, r->count - from == 1 ? "" : "s", differing);
    return differing;
}

int replay_run(const struct replay_options *opt, FILE *out, FILE *err_out)
{
    struct replay r = { .opt = opt, .out = out, .err = err_out };
    struct script_services services;
    int err = open_reader(&r);

    if (!err)
        err = find_sessions(&r);
    if (!err)
        err = open_actor(&r, &services);
    if (!err)
        err = play_all(&r);
    replay_close(&r);
    return err;
}

/* ---- the list ---- */

static void on_listed(int64_t id, const struct recording *rec, void *arg)
{
    const struct replay *r = arg;
    char when[32];
    struct buf b;

    clock_format(rec->wall_us, when, sizeof when);
    if (!r->opt->json) {
        fprintf(r->out, "%8" PRId64 "  %s  %-20s  %-24s  %8.1f ms  %4u commands  %s%s%s%s%s\n", id, when, rec->route, rec->call,
                (double)rec->us / 1000, rec->commands, rec->status, rec->reason[0] ? " " : "", rec->reason,
                rec->is_masked ? "  masked" : "", rec->is_cut ? "  cut" : "");
        return;
    }
    buf_init(&b, 8192);
    buf_addf(&b, "{\"session\":%" PRId64 ",\"at\":\"%s\",\"route\":\"", id, when);
    buf_add_json(&b, text_of(rec->route));
    buf_add_text(&b, TEXT("\",\"call\":\""));
    buf_add_json(&b, text_of(rec->call));
    buf_addf(&b, "\",\"us\":%" PRId64 ",\"commands\":%u,\"status\":\"%s\",\"reason\":\"", rec->us, rec->commands, rec->status);
    buf_add_json(&b, text_of(rec->reason));
    buf_addf(&b, "\",\"masked\":%s,\"cut\":%s}\n", rec->is_masked ? "true" : "false", rec->is_cut ? "true" : "false");
    fwrite(b.p, 1, b.n, r->out);
    buf_free(&b);
}

int replay_list(const struct replay_options *opt, FILE *out, FILE *err_out)
{
    struct replay r = { .opt = opt, .out = out, .err = err_out };
    int64_t after = 0;
    int got = open_reader(&r);

    if (got)
        return got;
    while ((got = store_reader_sessions(r.reader, text_of(opt->sessions), &after, PAGE, on_listed, &r)) > 0)
        ;
    if (got < 0)
        fprintf(err_out, "%s: %s\n", opt->db, err_text(got));
    replay_close(&r);
    return got;
}
