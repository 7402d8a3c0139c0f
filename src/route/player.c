/* Answers another implementation from a tape. */
#include "route/player.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "net/local.h"
#include "route/compare.h"

enum { STEPS_MAX = 4096, STEP_BYTES_MAX = 1 << 20, INPUT_MAX = 2 * AGI_LINE_MAX, LINGER_MS = 1000 };

struct step {
    uint32_t at, n;
    enum player_how how;
    size_t by;
};

struct player {
    struct tape *tape;
    struct player_actor actor;
    struct stream *stream;         /* Asterisk's end */
    struct agi_session *session;
    struct buf input, lines;
    struct step *steps;
    size_t step_count, step_room;
    bool *used;                    /* by command of the tape */
    size_t used_room;
    size_t next;                   /* entry of the tape behind the last answer */
    size_t told;                   /* entries whose HANGUP has been passed on */
    bool waits;                    /* the last step has no answer yet */
    bool stopped, actor_done, stream_closed;
    enum agi_end status;
    char reason[201];
    void (*on_end)(struct player *p, void *arg);
    void *arg;
};

static void end_check(struct player *p)
{
    if (p->actor_done && p->stream_closed)
        p->on_end(p, p->arg);
}

/* ---- answering ---- */

static void stop(struct player *p)
{
    p->stopped = true;
    p->waits = false;
    stream_close(p->stream, LINGER_MS);
}

static void say(struct player *p, struct text line)
{
    const struct text parts[] = { line, TEXT("\n") };

    if (stream_send(p->stream, parts, 2))
        stream_abort(p->stream);
}

/* HANGUP lines up to where we are, and those that come next. */
static void pass_hangups(struct player *p)
{
    struct tape_entry e;

    while (tape_at(p->tape, p->told, &e) &&
           (p->told < p->next || e.kind == TAPE_HANGUP || e.kind == TAPE_ENV || e.kind == TAPE_ASKED || e.kind == TAPE_TOLD)) {
        if (e.kind == TAPE_HANGUP)
            say(p, TEXT("HANGUP"));
        p->told++;
    }
}

/* Index of the reply to the command at entry i: 0 when it is not there yet, -1 when there is none. */
static ptrdiff_t reply_of(const struct player *p, size_t i)
{
    struct tape_entry e;

    for (i++; tape_at(p->tape, i, &e); i++) {
        if (e.kind == TAPE_REPLY)
            return (ptrdiff_t)i;
        if (e.kind != TAPE_HANGUP)
            return -1;
    }
    return tape_has_ended(p->tape) ? -1 : 0;
}

static bool mark_used(struct player *p, size_t command)
{
    if (command >= p->used_room) {
        const size_t room = 2 * command + 64;
        bool *more = realloc(p->used, room * sizeof *more);

        if (!more)
            return false;
        memset(more + p->used_room, 0, (room - p->used_room) * sizeof *more);
        p->used = more;
        p->used_room = room;
    }
    p->used[command] = true;
    return true;
}

static bool is_used(const struct player *p, size_t command)
{
    return command < p->used_room && p->used[command];
}

/* Answers the waiting step from the tape's entry i, its n-th command. False: its reply is not there yet. */
static bool answer_from(struct player *p, size_t i, size_t command, enum player_how how)
{
    struct step *s = &p->steps[p->step_count - 1];
    const ptrdiff_t reply = reply_of(p, i);
    struct tape_entry e;

    if (reply == 0)
        return false;
    s->how = how;
    s->by = command;
    if (reply < 0 || !mark_used(p, command)) {
        stop(p); /* the live session ended with this command, so it ends here */
        return true;
    }
    p->waits = false;
    if (how != PLAYER_EARLIER)
        p->next = (size_t)reply + 1;
    pass_hangups(p); /* before the reply: what follows it on the tape had seen them */
    (void)tape_at(p->tape, (size_t)reply, &e);
    say(p, e.text);
    return true;
}

struct find {
    size_t entry, command;
    bool found;
};

/* The same command among entries [from, to). unused: of the unused ones. last: the last of them. */
static struct find find_same(const struct player *p, struct text line, size_t from, size_t to, bool unused, bool last)
{
    struct find f = { .found = false };
    struct tape_entry e;
    size_t command = 0;

    for (size_t i = 0; i < to && tape_at(p->tape, i, &e) && !(f.found && !last); i++) {
        if (e.kind != TAPE_COMMAND)
            continue;
        if (i >= from && !(unused && is_used(p, command)) && command_same(e.text, line))
            f = (struct find){ .entry = i, .command = command, .found = true };
        command++;
    }
    return f;
}

/* First command at or behind `next`. */
static struct find next_command(const struct player *p)
{
    struct find f = { .found = false };
    struct tape_entry e;

    for (size_t i = 0; tape_at(p->tape, i, &e) && !f.found; i++)
        if (e.kind == TAPE_COMMAND && i >= p->next)
            f = (struct find){ .entry = i, .command = f.command, .found = true };
        else
            f.command += e.kind == TAPE_COMMAND;
    return f;
}

static void answer(struct player *p)
{
    struct step *s = &p->steps[p->step_count - 1];
    const struct text line = text_make(p->lines.p + s->at, s->n);
    struct find f = next_command(p);
    struct tape_entry e;
    struct text usual;

    if (!f.found && !tape_has_ended(p->tape))
        return; /* we are ahead of the live session */
    if (f.found && tape_at(p->tape, f.entry, &e) && command_same(e.text, line)) {
        (void)answer_from(p, f.entry, f.command, PLAYER_NEXT);
        return;
    }
    f = find_same(p, line, p->next, SIZE_MAX, true, false);
    if (f.found) {
        (void)answer_from(p, f.entry, f.command, PLAYER_LATER);
        return;
    }
    f = find_same(p, line, 0, p->next, true, true);
    if (!f.found)
        f = find_same(p, line, 0, p->next, false, true);
    if (f.found) {
        (void)answer_from(p, f.entry, f.command, PLAYER_EARLIER);
        return;
    }
    if (command_is_told(line, &usual)) {
        s->how = PLAYER_USUAL;
        p->waits = false;
        say(p, usual);
        return;
    }
    if (tape_has_ended(p->tape))
        stop(p);
}

static void on_tape(void *arg)
{
    struct player *p = arg;

    if (p->stopped || p->stream_closed)
        return;
    if (p->waits)
        answer(p);
    else
        pass_hangups(p);
}

/* ---- what the actor says ---- */

static bool add_step(struct player *p, struct text line)
{
    if (p->step_count == p->step_room) {
        const size_t room = p->step_room ? 2 * p->step_room : 32;
        struct step *more = p->step_count < STEPS_MAX ? realloc(p->steps, room * sizeof *more) : NULL;

        if (!more)
            return false;
        p->steps = more;
        p->step_room = room;
    }
    if (buf_add_text(&p->lines, line))
        return false;
    p->steps[p->step_count++] = (struct step){ .at = (uint32_t)(p->lines.n - line.n), .n = (uint32_t)line.n, .how = PLAYER_NONE };
    return true;
}

static void ask(struct player *p, struct text line)
{
    if (text_starts(line, TEXT("SET VARIABLE SIDETONE_")) || text_starts(line, TEXT("EXEC MSet \"SIDETONE_STATUS="))) {
        say(p, line.p[0] == 'S' ? TEXT("200 result=1") : TEXT("200 result=0")); /* the farewell, which follows from the status */
        return;
    }
    if (p->waits || !add_step(p, line)) {
        stop(p); /* it did not wait for its reply, or asks without end */
        return;
    }
    p->waits = true;
    answer(p);
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct player *p = arg;
    ptrdiff_t lf;

    (void)s;
    if (p->stopped)
        return;
    if (buf_add_text(&p->input, bytes)) {
        stop(p);
        return;
    }
    while (!p->stopped && (lf = text_find(buf_text(&p->input), '\n')) >= 0) {
        ask(p, text_head(buf_text(&p->input), (size_t)lf));
        buf_drop(&p->input, (size_t)lf + 1);
    }
}

static void on_stream_end(struct stream *s, void *arg)
{
    (void)arg;
    stream_close(s, LINGER_MS);
}

static void on_stream_closed(struct stream *s, int err, void *arg)
{
    struct player *p = arg;

    (void)s;
    (void)err;
    p->stream_closed = true;
    p->waits = false;
    end_check(p);
}

/* ---- the actor's session ---- */

static void on_done(enum agi_end status, struct text reason, const struct script_figures *f, void *arg)
{
    struct player *p = arg;

    (void)f;
    p->status = status;
    text_copy(p->reason, sizeof p->reason, reason);
    p->actor_done = true;
    end_check(p);
}

static void on_ready(struct agi_session *s, void *arg)
{
    struct player *p = arg;

    if (p->actor.begin(p->actor.arg, s, tape_env(p->tape, TEXT("agi_uniqueid")), on_done, p) != 0)
        agi_session_abort(s);
}

static void on_session_closed(struct agi_session *s, int err, const char *why, void *arg)
{
    (void)s;
    (void)err;
    on_done(AGI_END_ERROR, text_of(why ? why : "the handler could not begin"), NULL, arg);
}

static int session_begin(struct player *p, struct stream *end, const struct log *log)
{
    static const struct agi_session_handlers handlers = { .on_ready = on_ready, .on_closed = on_session_closed };
    /* A live session may sleep for as long as its own deadline allows. */
    static const struct agi_session_options patient = { .reply_ms = 24 * 3600 * 1000 };

    return agi_session_new(&p->session, end, &patient, &handlers, p, log);
}

static void tell_env(struct player *p)
{
    struct tape_entry e;

    for (size_t i = 0; tape_at(p->tape, i, &e) && e.kind == TAPE_ENV; i++)
        say(p, e.text);
    say(p, TEXT(""));
    pass_hangups(p);
}

int player_new(struct player **out, struct loop *l, struct tape *tape, const struct player_actor *actor, const struct log *log,
               void (*on_end)(struct player *p, void *arg), void *arg)
{
    static const struct stream_handlers handlers = { .on_data = on_data, .on_end = on_stream_end, .on_closed = on_stream_closed };
    struct player *p = calloc(1, sizeof *p);
    struct stream *end;
    int err;

    if (!p)
        return -ENOMEM;
    buf_init(&p->input, INPUT_MAX);
    buf_init(&p->lines, STEP_BYTES_MAX);
    p->tape = ref_hold(tape);
    p->actor = *actor;
    err = stream_pair(&p->stream, &end, l);
    if (!err) {
        err = session_begin(p, end, log);
        if (err) {
            stream_abort(p->stream);
            stream_abort(end);
            ref_drop(end);
        }
    }
    if (err) {
        player_free(p);
        return err;
    }
    p->on_end = on_end;
    p->arg = arg;
    stream_handle(p->stream, &handlers, p);
    tape_listen(tape, on_tape, p);
    tell_env(p);
    *out = p;
    return 0;
}

void player_stop(struct player *p)
{
    p->stopped = true;
    p->waits = false;
    stream_abort(p->stream);
}

void player_free(struct player *p)
{
    if (!p)
        return;
    if (p->tape)
        tape_listen(p->tape, NULL, NULL);
    ref_drop(p->session);
    ref_drop(p->stream);
    ref_drop(p->tape);
    buf_free(&p->input);
    buf_free(&p->lines);
    free(p->steps);
    free(p->used);
    free(p);
}

/* ---- what came out ---- */

size_t player_steps(const struct player *p)
{
    return p->step_count;
}

struct player_step player_step(const struct player *p, size_t i)
{
    const struct step *s = &p->steps[i];

    return (struct player_step){ .line = text_make(p->lines.p ? p->lines.p + s->at : "", s->n), .how = s->how, .answered_by = s->by };
}

enum agi_end player_status(const struct player *p, struct text *reason)
{
    *reason = text_of(p->reason);
    return p->status;
}

bool player_was_stopped(const struct player *p)
{
    return p->stopped;
}

struct text *tape_command_list(const struct tape *t, size_t *count)
{
    struct text *list = calloc(tape_commands(t) + 1, sizeof *list);
    struct tape_entry e;

    *count = 0;
    for (size_t i = 0; list && tape_at(t, i, &e); i++)
        if (e.kind == TAPE_COMMAND)
            list[(*count)++] = e.text;
    return list;
}

struct text *player_command_list(const struct player *p, size_t *count)
{
    struct text *list = calloc(p->step_count + 1, sizeof *list);

    *count = 0;
    for (size_t i = 0; list && i < p->step_count; i++)
        list[(*count)++] = player_step(p, i).line;
    return list;
}
