/* What runs on the caller's channel: applications that speak, scripts, Stasis, recordings, digits. */
#include <string.h>

#include "tap/facts_internal.h"

enum app_kind { APP_SPEAKS = 1, APP_MAY_SPEAK, APP_AGI, APP_STASIS, APP_RECORDS, APP_MIXES, APP_DIALS, APP_QUEUES, APP_NOBODY };

/* SPEAKS: the caller has reached somebody, as soon as the channel is up. MAY_SPEAK (and AGI): an announcement, a menu, a look-up;
 * it counts as an answer only when nobody was dialled after it. NOBODY: Asterisk's name for the far end of its own dialling. */
static const struct {
    struct text name;
    enum app_kind kind;
} apps[] = {
    { TEXT("AppDial"), APP_NOBODY }, { TEXT("AppDial2"), APP_NOBODY }, { TEXT("AppQueue"), APP_NOBODY },
    { TEXT("AGI"), APP_AGI }, { TEXT("EAGI"), APP_AGI }, { TEXT("DeadAGI"), APP_AGI }, { TEXT("Stasis"), APP_STASIS },
    { TEXT("VoiceMail"), APP_SPEAKS }, { TEXT("VoiceMailMain"), APP_SPEAKS }, { TEXT("MinivmRecord"), APP_SPEAKS },
    { TEXT("ConfBridge"), APP_SPEAKS }, { TEXT("MeetMe"), APP_SPEAKS }, { TEXT("Echo"), APP_SPEAKS }, { TEXT("AudioSocket"), APP_SPEAKS },
    { TEXT("ExternalIVR"), APP_SPEAKS }, { TEXT("Directory"), APP_SPEAKS }, { TEXT("Dictate"), APP_SPEAKS }, { TEXT("AgentLogin"), APP_SPEAKS },
    { TEXT("SpeechBackground"), APP_SPEAKS },
    { TEXT("Playback"), APP_MAY_SPEAK }, { TEXT("BackGround"), APP_MAY_SPEAK }, { TEXT("Read"), APP_MAY_SPEAK },
    { TEXT("ControlPlayback"), APP_MAY_SPEAK }, { TEXT("MP3Player"), APP_MAY_SPEAK }, { TEXT("Festival"), APP_MAY_SPEAK },
    { TEXT("SayDigits"), APP_MAY_SPEAK }, { TEXT("SayNumber"), APP_MAY_SPEAK }, { TEXT("SayAlpha"), APP_MAY_SPEAK },
    { TEXT("SayUnixTime"), APP_MAY_SPEAK }, { TEXT("Milliwatt"), APP_MAY_SPEAK }, { TEXT("Record"), APP_RECORDS },
    { TEXT("MixMonitor"), APP_MIXES }, { TEXT("Dial"), APP_DIALS }, { TEXT("Queue"), APP_QUEUES },
};

enum { APP_COUNT = sizeof apps / sizeof *apps };

static uint8_t app_of(struct text name)
{
    for (size_t i = 0; i < APP_COUNT; i++)
        if (text_eq_nocase(apps[i].name, name))
            return (uint8_t)(i + 1);
    return 0;
}

static enum app_kind kind_of(uint8_t app)
{
    return app ? apps[app - 1].kind : 0;
}

static bool is_callers(const struct channel *ch)
{
    return ch == ch->call->primary || (!ch->call->primary && !ch->is_second_half);
}

void call_note_dialled(struct facts *f, struct call *c, struct text exten, struct text context)
{
    if (c->r.dialled[0] || !exten.n || text_eq(exten, TEXT("h")))
        return;
    text_copy(c->r.dialled, sizeof c->r.dialled, exten);
    text_copy(c->r.context, sizeof c->r.context, context);
    call_dirty(f, c);
}

/* ---- visits ---- */

static struct item *visit_of(struct channel *ch, enum item_kind kind)
{
    return ch->item[kind] == ITEM_NONE ? NULL : &ch->call->items[ch->item[kind]];
}

static void visit_open(struct facts *f, struct channel *ch, enum item_kind kind, struct text what)
{
    struct call *c = ch->call;
    const bool is_agi = kind == ITEM_AGI;

    *(is_agi ? &c->r.agi_visits : &c->r.stasis_visits) += 1;
    if (call_item_add(f, c, kind, what))
        ch->item[kind] = (int)c->item_count - 1;
    facts_begin(f);
    facts_text(f, is_agi ? "script" : "app", what);
    facts_str(f, "channel", ch->name);
    facts_tell(f, is_agi ? FACT_AGI_STARTED : FACT_STASIS_STARTED, c);
}

static void visit_close(struct facts *f, struct channel *ch, enum item_kind kind)
{
    struct item *visit = visit_of(ch, kind);
    const bool is_agi = kind == ITEM_AGI;

    if (!visit)
        return;
    visit->until_us = f->stamp.at_us;
    ch->item[kind] = ITEM_NONE;
    call_dirty(f, ch->call);
    facts_begin(f);
    facts_str(f, is_agi ? "script" : "app", visit->what);
    facts_str(f, "channel", ch->name);
    facts_int(f, is_agi ? "ran_us" : "stayed_us", visit->until_us - visit->at_us);
    if (is_agi) {
        facts_int(f, "commands", visit->number);
        facts_str(f, "result", visit->result);
    }
    facts_tell(f, is_agi ? FACT_AGI_ENDED : FACT_STASIS_ENDED, ch->call);
}

/* ---- speaking ---- */

static void speak(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;
    const enum app_kind kind = kind_of(ch->app);
    char by[40];

    if (!is_callers(ch) || ch->state != STATE_UP || !ch->app)
        return;
    if (kind == APP_SPEAKS || kind == APP_STASIS) {
        call_settle(f, c);
        c->is_with_app = true;
        text_copy(by, sizeof by, TEXT("app:"));
        text_copy(by + 4, sizeof by - 4, apps[ch->app - 1].name);
        call_answer(f, c, text_of(by), text_of(ch->name));
    } else if (kind == APP_MAY_SPEAK || kind == APP_AGI || kind == APP_RECORDS) {
        call_settle(f, c);
        c->is_with_weak_app = true;
        if (!c->weak_app[0]) {
            text_copy(c->weak_app, sizeof c->weak_app, apps[ch->app - 1].name);
            c->weak_at = f->stamp.at_us;
        }
    }
}

/* The channel is up: what runs on it may speak now. */
void app_up(struct facts *f, struct channel *ch)
{
    speak(f, ch);
}

void app_over(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;

    if (is_callers(ch) && (c->is_with_app || c->is_with_weak_app)) {
        call_settle(f, c);
        c->is_with_app = c->is_with_weak_app = false;
        call_dirty(f, c);
    }
    ch->app = 0;
    visit_close(f, ch, ITEM_AGI);
    visit_close(f, ch, ITEM_STASIS);
}

static void record(struct facts *f, struct channel *ch, struct text file)
{
    struct call *c = ch->call;
    struct item *it = call_item_add(f, c, ITEM_RECORDING, file);

    c->r.recordings++;
    if (it)
        it->until_us = f->stamp.at_us;
    facts_begin(f);
    facts_text(f, "file", file);
    facts_str(f, "channel", ch->name);
    facts_tell(f, FACT_RECORDING_STARTED, c);
}

static struct text first_argument(struct text data)
{
    struct text head = TEXT("");

    return text_cut(&data, ',', &head) ? head : TEXT("");
}

static void start(struct facts *f, struct channel *ch, struct text data)
{
    switch (kind_of(ch->app)) {
    case APP_AGI:
        visit_open(f, ch, ITEM_AGI, data);
        break;
    case APP_STASIS:
        visit_open(f, ch, ITEM_STASIS, first_argument(data));
        break;
    case APP_RECORDS:
        record(f, ch, first_argument(data));
        break;
    case APP_MIXES:
        text_copy(ch->file, sizeof ch->file, first_argument(data));
        break;
    case APP_DIALS:
        if (ch == ch->call->primary) {
            ch->call->attempt = ATTEMPT_DIAL;
            ch->call->dial = DIAL_NONE;
        }
        break;
    case APP_QUEUES:
        if (ch == ch->call->primary) {
            ch->call->attempt = ATTEMPT_QUEUE;
            text_copy(ch->call->r.queue, sizeof ch->call->r.queue, first_argument(data));
        }
        break;
    default:
        break;
    }
}

static uint64_t place_of(const struct tap_event *e, const struct snapshot *s)
{
    return map_hash(1, s->context) ^ map_hash(2, s->exten) ^ map_hash(3, tap_get(e, TAP_H_PRIORITY));
}

/* Newexten: an application begins. */
void app_begin(struct facts *f, const struct tap_event *e, struct channel *ch, const struct snapshot *s)
{
    const struct text name = tap_get(e, TAP_H_APPLICATION);
    const uint8_t app = app_of(name);
    struct call *c = ch->call;
    uint64_t place;

    if (kind_of(app) == APP_NOBODY)
        return;
    if (ch->item[ITEM_AGI] != ITEM_NONE || kind_of(app) == APP_AGI) {
        place = place_of(e, s);
        if (ch->item[ITEM_AGI] != ITEM_NONE && place == ch->place)
            return;         /* EXEC of the script, or the script again after it */
        ch->place = place;
    }
    if (ch->queue_left)
        queue_resolve(f, ch, TEXT_NONE, text_eq(s->exten, TEXT("h")));
    app_over(f, ch);
    if (text_eq(s->exten, TEXT("h")))
        return;
    ch->app = app;
    if (ch == c->primary) {
        call_note_dialled(f, c, s->exten, s->context);
        if (!text_eq(text_of(c->r.application), text_head(name, sizeof c->r.application - 1))) {
            text_copy(c->r.application, sizeof c->r.application, name);
            call_dirty(f, c);
        }
    }
    if (!app)
        return;
    start(f, ch, tap_get(e, TAP_H_APPDATA));
    speak(f, ch);
}

/* ---- events and variables ---- */

static void agi_event(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct item *visit;

    if (e->name == TAP_E_ASYNCAGIEND) {     /* AGISTATUS and the next application come behind it, if the dialplan is tapped */
        if (!ch->place)
            visit_close(f, ch, ITEM_AGI);
        return;
    }
    if (ch->item[ITEM_AGI] == ITEM_NONE && (e->name == TAP_E_ASYNCAGISTART || e->name == TAP_E_AGIEXECSTART))
        visit_open(f, ch, ITEM_AGI, e->name == TAP_E_ASYNCAGISTART ? TEXT("agi:async") : TEXT(""));
    visit = visit_of(ch, ITEM_AGI);
    if (visit && e->name == TAP_E_AGIEXECEND)
        visit->number++;
}

void app_event(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    switch (e->name) {
    case TAP_E_MIXMONITORSTART:
        record(f, ch, text_of(ch->file));
        break;
    case TAP_E_MIXMONITORSTOP:
        facts_begin(f);
        facts_str(f, "channel", ch->name);
        facts_tell(f, FACT_RECORDING_STOPPED, ch->call);
        break;
    case TAP_E_DTMFEND:     /* one digit is told again for each leg that it is sent to */
        if (ch == ch->call->primary && text_eq(tap_get(e, TAP_H_DIRECTION), TEXT("Received"))) {
            ch->call->r.dtmf++;
            call_dirty(f, ch->call);
        }
        break;
    default:
        agi_event(f, e, ch);
        break;
    }
}

void variable_event(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    const struct text name = tap_get(e, TAP_H_VARIABLE);
    struct item *visit;

    if (name.n == 11 && text_eq(name, TEXT("QUEUESTATUS"))) {
        if (ch->queue_left)
            queue_resolve(f, ch, tap_get(e, TAP_H_VALUE), false);
        else if (ch == ch->call->primary && ch->item[ITEM_QUEUE] == ITEM_NONE)
            queue_refused(f, ch, tap_get(e, TAP_H_VALUE));
    } else if (name.n == 10 && text_eq(name, TEXT("DIALSTATUS"))) {
        dial_status(f, ch, tap_get(e, TAP_H_VALUE));
    } else if (name.n == 9 && text_eq(name, TEXT("AGISTATUS"))) {
        visit = visit_of(ch, ITEM_AGI);
        if (visit)
            text_copy(visit->result, sizeof visit->result, tap_get(e, TAP_H_VALUE));
    } else if (name.n == 19 && text_eq(name, TEXT("MIXMONITOR_FILENAME"))) {
        text_copy(ch->file, sizeof ch->file, tap_get(e, TAP_H_VALUE));
    }
}
