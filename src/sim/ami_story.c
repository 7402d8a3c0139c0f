/* Renders each event of a plain call once, with holes for what differs from call to call, and then only copies and fills the holes. */
#include "sim/ami_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* What differs; the mark stands in the text as '\x01' and the letter. All have a fixed width. */
enum hole { HOLE_TIME, HOLE_CALLER_CHANNEL, HOLE_CALLEE_CHANNEL, HOLE_CALLER_ID, HOLE_CALLEE_ID, HOLE_NUMBER, HOLE_BRIDGE, HOLES };
static const char hole_letters[HOLES + 1] = "TcduvnB";
static const unsigned char hole_width[HOLES] = { 17, 8, 8, 8, 8, 4, 8 };
enum { WIDEST = 17, HOLES_OF_EVENT = 24, FIRST_NUMBER = 10000000 };

#define CALLER "PJSIP/2001-\1c"
#define CALLEE "PJSIP/100-\1d"

/* parts: c caller, d callee, D callee with "Dest" before each name, each with its state; b a bridge with so many channels.
 * Order, headers and values as recorded from Asterisk 22.10.1 (a call over Dial, answered, ended by the caller). */
static const struct row {
    const char *event, *privilege, *parts, *more;
} rows[] = {
    { "Newchannel", "call", "c0", "" },
    { "Newstate", "call", "c4", "" },
    { "Newexten", "dialplan", "c4", "Extension: 100\r\nApplication: NoOp\r\nAppData: plain\r\n" },
    { "VarSet", "dialplan", "c4", "Variable: CDR(userfield)\r\nValue: shop-7\r\n" },
    { "Newexten", "dialplan", "c4", "Extension: 100\r\nApplication: Dial\r\nAppData: PJSIP/100,20\r\n" },
    { "VarSet", "dialplan", "c4", "Variable: DIALSTATUS\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: DIALEDPEERNUMBER\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: DIALEDPEERNAME\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: ANSWEREDTIME\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: ANSWEREDTIME_MS\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: DIALEDTIME\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: DIALEDTIME_MS\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: RINGTIME\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: RINGTIME_MS\r\nValue: \r\n" },
    { "VarSet", "dialplan", "c4", "Variable: PROGRESSTIME\r\nValue: \r\n" },
    { "Newchannel", "call", "d0", "" },
    { "VarSet", "dialplan", "d0", "Variable: DIALEDPEERNUMBER\r\nValue: 100\r\n" },
    { "Newexten", "dialplan", "d0", "Extension: 100\r\nApplication: AppDial\r\nAppData: (Outgoing Line)\r\n" },
    { "NewCallerid", "call", "d0", "CID-CallingPres: 0 (Presentation Allowed, Not Screened)\r\n" },
    { "NewConnectedLine", "call", "d0", "" },
    { "DialBegin", "call", "c4D0", "DialString: 100\r\n" },
    { "Newstate", "call", "d5", "" },
    { "VarSet", "dialplan", "c4", "Variable: RINGTIME\r\nValue: 0\r\n" },
    { "VarSet", "dialplan", "c4", "Variable: RINGTIME_MS\r\nValue: 2\r\n" },
    { "DialState", "call", "c4D5", "DialStatus: RINGING\r\n" },
    { "Newstate", "call", "d6", "" },
    { "Newstate", "call", "c6", "" },
    { "VarSet", "dialplan", "c6", "Variable: DIALSTATUS\r\nValue: ANSWER\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: DIALEDPEERNAME\r\nValue: " CALLEE "\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: DIALEDPEERNUMBER\r\nValue: 100\r\n" },
    { "DialEnd", "call", "c6D6", "DialStatus: ANSWER\r\n" },
    { "BridgeCreate", "call", "b0", "" },
    { "BridgeEnter", "call", "b1d6", "" },
    { "BridgeEnter", "call", "b2c6", "" },
    { "VarSet", "dialplan", "d6", "Variable: BRIDGEPEER\r\nValue: " CALLER "\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: BRIDGEPEER\r\nValue: " CALLEE "\r\n" },
    { "HangupRequest", "call", "c6", "Cause: 16\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: BRIDGEPEER\r\nValue: \r\n" },
    { "VarSet", "dialplan", "d6", "Variable: BRIDGEPEER\r\nValue: \r\n" },
    { "BridgeLeave", "call", "b1c6", "" },
    { "BridgeLeave", "call", "b0d6", "" },
    { "BridgeDestroy", "call", "b0", "" },
    { "Hangup", "call", "d6", "Cause: 16\r\nCause-txt: Normal Clearing\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: ANSWEREDTIME\r\nValue: 3\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: DIALEDTIME\r\nValue: 3\r\n" },
    { "VarSet", "dialplan", "c6", "Variable: DIALSTATUS\r\nValue: ANSWER\r\n" },
    { "SoftHangupRequest", "call", "c6", "Cause: 16\r\n" },
    { "Hangup", "call", "c6", "Cause: 16\r\nCause-txt: Normal Clearing\r\n" },
};
enum { ROWS = sizeof rows / sizeof *rows, CALLEE_FROM = 15, CALLEE_TO = 42 };

struct mould {
    size_t at, n, hole_count;
    struct {
        uint16_t at;
        uint8_t hole;
    } holes[HOLES_OF_EVENT];
};

struct call {
    unsigned row, wait;                 /* wait: turns until it begins */
    char fill[HOLES][WIDEST];
};

struct ami_story {
    char system[48];
    int64_t epoch_s, stamped_s;
    struct buf text;
    struct mould moulds[ROWS];
    char stamp[WIDEST];
    uint32_t numbers;                   /* of channels, so far */
    uint64_t ended;
    unsigned count, at;
    struct call calls[];
};

/* ---- rendering ---- */

static const char *state_text(char state)
{
    return state == '0' ? "Down" : state == '4' ? "Ring" : state == '5' ? "Ringing" : "Up";
}

static void add_channel(struct ami_story *s, const char *prefix, bool is_caller, char state)
{
    const char *const p = prefix, *const own = is_caller ? "\1n" : "100", *const other = is_caller ? "100" : "\1n";

    (void)buf_addf(&s->text, "%sChannel: %s\r\n%sChannelState: %c\r\n%sChannelStateDesc: %s\r\n", p, is_caller ? CALLER : CALLEE, p, state, p,
                   state_text(state));
    (void)buf_addf(&s->text, "%sCallerIDNum: %s\r\n%sCallerIDName: Carol Caller\r\n%sConnectedLineNum: %s\r\n%sConnectedLineName: <unknown>\r\n",
                   p, own, p, p, state == '0' ? "<unknown>" : other, p);
    (void)buf_addf(&s->text, "%sLanguage: en\r\n%sAccountCode: \r\n%sContext: %s\r\n%sExten: 100\r\n%sPriority: 1\r\n", p, p, p,
                   is_caller ? "pbx" : "phone", p, p);
    (void)buf_addf(&s->text, "%sUniqueid: %s-%" PRId64 ".%s\r\n%sLinkedid: %s-%" PRId64 ".\1u\r\n", p, s->system, s->epoch_s,
                   is_caller ? "\1u" : "\1v", p, s->system, s->epoch_s);
}

static void add_bridge(struct ami_story *s, char channels)
{
    (void)buf_addf(&s->text, "BridgeUniqueid: \1B-175e-4a39-a4b3-cbc435841bc7\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge\r\n"
                   "BridgeCreator: <unknown>\r\nBridgeName: <unknown>\r\nBridgeNumChannels: %c\r\nBridgeVideoSourceMode: none\r\n", channels);
}

static void render(struct ami_story *s, const struct row *r)
{
    (void)buf_addf(&s->text, "Event: %s\r\nPrivilege: %s,all\r\nTimestamp: \1T\r\nSystemName: %s\r\n", r->event, r->privilege, s->system);
    for (const char *p = r->parts; p[0] && p[1]; p += 2)
        if (p[0] == 'b')
            add_bridge(s, p[1]);
        else
            add_channel(s, p[0] == 'D' ? "Dest" : "", p[0] == 'c', p[1]);
    (void)buf_addf(&s->text, "%s\r\n", r->more);
}

/* Widens each mark to its hole and writes down where it stands. */
static void find_holes(struct ami_story *s, struct mould *m, struct text marked)
{
    m->at = s->text.n;
    for (size_t i = 0; i < marked.n; i++) {
        const char *letter = marked.p[i] == '\1' && i + 1 < marked.n ? strchr(hole_letters, marked.p[i + 1]) : NULL;
        const unsigned hole = letter ? (unsigned)(letter - hole_letters) : HOLES;

        if (hole >= HOLES || m->hole_count == HOLES_OF_EVENT) {
            (void)buf_add_char(&s->text, marked.p[i]);
            continue;
        }
        m->holes[m->hole_count].at = (uint16_t)(s->text.n - m->at);
        m->holes[m->hole_count++].hole = (uint8_t)hole;
        (void)buf_add(&s->text, "                 ", hole_width[hole]);
        i++;
    }
    m->n = s->text.n - m->at;
}

static int make_moulds(struct ami_story *s)
{
    for (size_t i = 0; i < ROWS && !s->text.err; i++) {
        const size_t before = s->text.n;
        char *marked;
        size_t n;

        render(s, &rows[i]);
        n = s->text.n - before;
        marked = text_dup(text_make(s->text.p + before, n));
        if (!marked)
            return -ENOMEM;
        s->text.n = before;
        find_holes(s, &s->moulds[i], text_make(marked, n));
        free(marked);
        INVARIANT(s->moulds[i].n <= AMI_STORY_EVENT_MAX);
    }
    return s->text.err;
}

/* ---- calls ---- */

static void begin_call(struct ami_story *s, struct call *c)
{
    const uint32_t first = s->numbers;
    const struct {
        enum hole hole;
        bool is_hex;
        uint32_t value;
    } fills[] = {
        { HOLE_CALLER_CHANNEL, true, first },
        { HOLE_CALLEE_CHANNEL, true, first + 1 },
        { HOLE_CALLER_ID, false, FIRST_NUMBER + first },
        { HOLE_CALLEE_ID, false, FIRST_NUMBER + first + 1 },
        { HOLE_NUMBER, false, 2000 + first / 2 % 1000 },
        { HOLE_BRIDGE, true, first / 2 },
    };

    s->numbers = (first + 2) % 80000000;
    c->row = 0;
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        char digits[WIDEST + 1];

        if (fills[i].is_hex)
            snprintf(digits, sizeof digits, "%08" PRIx32, fills[i].value);
        else
            snprintf(digits, sizeof digits, "%0*" PRIu32, hole_width[fills[i].hole], fills[i].value);
        memcpy(c->fill[fills[i].hole], digits, hole_width[fills[i].hole]);
    }
}

int ami_story_new(struct ami_story **out, const char *system, unsigned calls, int64_t epoch_s)
{
    const unsigned count = calls ? calls : 1;
    struct ami_story *s = calloc(1, sizeof *s + count * sizeof *s->calls);
    int err;

    if (!s)
        return -ENOMEM;
    snprintf(s->system, sizeof s->system, "%s", system);
    s->epoch_s = epoch_s;
    s->stamped_s = -1;
    s->count = count;
    buf_init(&s->text, sizeof rows / sizeof *rows * (size_t)AMI_STORY_EVENT_MAX * 2);
    err = make_moulds(s);
    if (err) {
        ami_story_free(s);
        return err;
    }
    for (unsigned i = 0; i < count; i++) {
        begin_call(s, &s->calls[i]);
        s->calls[i].wait = i * ROWS / count;
    }
    *out = s;
    return 0;
}

void ami_story_free(struct ami_story *s)
{
    if (!s)
        return;
    buf_free(&s->text);
    free(s);
}

/* "1795378387.274286": the seconds change seldom. */
static void set_stamp(struct ami_story *s, int64_t now_us)
{
    uint32_t micros = (uint32_t)(now_us % 1000000);

    if (now_us / 1000000 != s->stamped_s) {
        char seconds[32];

        s->stamped_s = now_us / 1000000;
        snprintf(seconds, sizeof seconds, "%010" PRId64 ".", s->stamped_s % 10000000000);
        memcpy(s->stamp, seconds, 11);
    }
    for (int i = 16; i >= 11; i--, micros /= 10)
        s->stamp[i] = (char)('0' + micros % 10);
}

static struct call *next_call(struct ami_story *s)
{
    for (;;) {
        struct call *c = &s->calls[s->at];

        s->at = s->at + 1 < s->count ? s->at + 1 : 0;
        if (c->wait == 0)
            return c;
        c->wait--;
    }
}

size_t ami_story_next(struct ami_story *s, int64_t now_us, char *out)
{
    struct call *c = next_call(s);
    const struct mould *m = &s->moulds[c->row];

    set_stamp(s, now_us);
    memcpy(out, s->text.p + m->at, m->n);
    for (size_t i = 0; i < m->hole_count; i++) {
        const unsigned hole = m->holes[i].hole;

        memcpy(out + m->holes[i].at, hole == HOLE_TIME ? s->stamp : c->fill[hole], hole_width[hole]);
    }
    if (++c->row == ROWS) {
        s->ended++;
        begin_call(s, c);
    }
    return m->n;
}

size_t ami_story_events_of_call(const struct ami_story *s)
{
    (void)s;
    return ROWS;
}

uint64_t ami_story_calls(const struct ami_story *s)
{
    return s->ended;
}

static void tell_channel(const struct ami_story *s, const struct call *c, bool is_caller,
                         void (*fn)(struct text channel, struct text uniqueid, struct text linkedid, void *arg), void *arg)
{
    char channel[64], id[128], linked[128];

    snprintf(channel, sizeof channel, "PJSIP/%s-%.8s", is_caller ? "2001" : "100", c->fill[is_caller ? HOLE_CALLER_CHANNEL : HOLE_CALLEE_CHANNEL]);
    snprintf(id, sizeof id, "%s-%" PRId64 ".%.8s", s->system, s->epoch_s, c->fill[is_caller ? HOLE_CALLER_ID : HOLE_CALLEE_ID]);
    snprintf(linked, sizeof linked, "%s-%" PRId64 ".%.8s", s->system, s->epoch_s, c->fill[HOLE_CALLER_ID]);
    fn(text_of(channel), text_of(id), text_of(linked), arg);
}

void ami_story_channels(const struct ami_story *s, void (*fn)(struct text channel, struct text uniqueid, struct text linkedid, void *arg), void *arg)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct call *c = &s->calls[i];

        if (c->row > 0)
            tell_channel(s, c, true, fn, arg);
        if (c->row > CALLEE_FROM && c->row <= CALLEE_TO)
            tell_channel(s, c, false, fn, arg);
    }
}
