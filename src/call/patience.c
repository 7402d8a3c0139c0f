/* Silence, whose it is, and how long it may last. */
#include "call/patience.h"

enum {
    SORRY_TIMES = 2,               /* in one wait, */
    SORRY_AGAIN = 4,               /* so many times sorry_ms apart */
    OWED_MAX_MS = 15 * 1000,       /* an answer that has not come by then is not coming: some turns get none */
};

void patience_init(struct patience *p, const struct patience_limits *limit)
{
    *p = (struct patience){ .limit = *limit, .owed_ms = -1, .tool_ms = -1, .quiet_ms = -1 };
}

void patience_owe(struct patience *p, int64_t now_ms)
{
    if (p->is_owed)
        return;
    p->is_owed = true;
    p->owed_ms = now_ms;
}

void patience_settle(struct patience *p)
{
    p->is_owed = false;
    p->owed_ms = -1;               /* of what breaks off, the waiting begins with the latest sound */
}

void patience_has_said_sorry(struct patience *p)
{
    p->said_sorry = p->said_sorry ? p->said_sorry : 1;
}

void patience_input(struct patience *p)
{
    p->asked = 0;
    p->quiet_ms = -1;
}

/* The provider's: from the caller's turn, or from the middle of a word. The caller who speaks does not wait. */
static bool is_late(struct patience *p, const struct patience_view *v, int64_t now_ms)
{
    if (v->agent_talks && p->said_sorry && p->is_owed)
        return false;              /* it is the phrase itself that talks */
    if (v->agent_talks || v->caller_talks || v->has_tool || !(p->is_owed || v->is_dry)) {
        p->owed_ms = -1;
        p->said_sorry = 0;
        return false;
    }
    if (p->owed_ms < 0)
        p->owed_ms = now_ms;
    if (p->is_owed && now_ms - p->owed_ms >= OWED_MAX_MS)
        p->is_owed = false;
    return p->limit.sorry_ms && p->said_sorry < SORRY_TIMES &&
           now_ms - p->owed_ms >= p->limit.sorry_ms * (1 + SORRY_AGAIN * (int64_t)p->said_sorry);
}

static bool is_slow(struct patience *p, const struct patience_view *v, int64_t now_ms)
{
    if (!v->has_tool) {
        p->tool_ms = -1;
        p->said_filler = false;
        return false;
    }
    if (v->agent_talks || v->caller_talks || p->tool_ms < 0)
        p->tool_ms = now_ms;       /* counted from the last sound */
    return p->limit.filler_ms && !p->said_filler && now_ms - p->tool_ms >= p->limit.filler_ms;
}

static bool is_absent(struct patience *p, const struct patience_view *v, int64_t now_ms)
{
    if (v->caller_talks)
        patience_input(p);
    if (v->agent_talks || v->is_dry || v->caller_talks || v->has_tool || p->is_owed) {
        p->quiet_ms = -1;
        return false;
    }
    if (p->quiet_ms < 0)
        p->quiet_ms = now_ms;
    return p->limit.no_input_ms && now_ms - p->quiet_ms >= p->limit.no_input_ms;
}

enum patience_wish patience_step(struct patience *p, const struct patience_view *v, int64_t now_ms)
{
    const bool late = is_late(p, v, now_ms), slow = is_slow(p, v, now_ms), absent = is_absent(p, v, now_ms);

    if (slow) {
        p->said_filler = true;
        return PATIENCE_FILLER;
    }
    if (late) {
        p->said_sorry++;
        p->is_owed = true;         /* the rest of a word, too */
        return PATIENCE_SORRY;
    }
    if (!absent)
        return PATIENCE_NOTHING;
    p->quiet_ms = -1;
    return p->asked++ < p->limit.no_input_times ? PATIENCE_NO_INPUT : PATIENCE_END;
}
