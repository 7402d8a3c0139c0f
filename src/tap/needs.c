/* The table of events that facts are made of, and of the class each needs (manager.conf read=; seen and read in Asterisk 22.10.1). */
#include "tap/needs.h"

/* HangupRequest and BridgeCreate carry nothing that another event does not. NewConnectedLine may be the last that shows a channel as it is (a pickup, seen), BRIDGEPEER
 * the first that shows the Linkedid of a call that was joined. */
static const struct tap_need needs[] = {
    { "FullyBooted", "system", NULL },      { "Shutdown", "system", NULL },
    { "Newchannel", "call", NULL },         { "Newstate", "call", NULL },        { "NewCallerid", "call", NULL },
    { "NewConnectedLine", "call", NULL },
    { "Hangup", "call", NULL },             { "Rename", "call", NULL },          { "DialBegin", "call", NULL },
    { "DialState", "call", NULL },          { "DialEnd", "call", NULL },         { "BridgeEnter", "call", NULL },
    { "BridgeLeave", "call", NULL },        { "BridgeDestroy", "call", NULL },   { "Hold", "call", NULL },
    { "Unhold", "call", NULL },             { "LocalBridge", "call", NULL },     { "BlindTransfer", "call", NULL },
    { "AttendedTransfer", "call", NULL },   { "Pickup", "call", NULL },          { "ParkedCall", "call", NULL },
    { "UnParkedCall", "call", NULL },       { "ParkedCallTimeOut", "call", NULL }, { "ParkedCallGiveUp", "call", NULL },
    { "OriginateResponse", "call", NULL },  { "MixMonitorStart", "call", NULL }, { "MixMonitorStop", "call", NULL },
    { "ConfbridgeJoin", "call", NULL },     { "ConfbridgeLeave", "call", NULL },
    { "QueueCallerJoin", "agent", NULL },   { "QueueCallerLeave", "agent", NULL }, { "QueueCallerAbandon", "agent", NULL },
    { "AgentCalled", "agent", NULL },       { "AgentConnect", "agent", NULL },   { "AgentComplete", "agent", NULL },
    { "AgentRingNoAnswer", "agent", NULL }, { "AgentDump", "agent", NULL },      { "AgentLogin", "agent", NULL },
    { "AgentLogoff", "agent", NULL },       { "QueueMemberAdded", "agent", NULL }, { "QueueMemberRemoved", "agent", NULL },
    { "QueueMemberPause", "agent", NULL },
    { "DTMFEnd", "dtmf", NULL },
    { "Newexten", "dialplan", NULL },       { "VarSet", "dialplan", "QUEUESTATUS AGISTATUS DIALSTATUS MIXMONITOR_FILENAME BRIDGEPEER" },
    { "AGIExecStart", "agi", NULL },        { "AGIExecEnd", "agi", NULL },       { "AsyncAGIStart", "agi", NULL },
    { "AsyncAGIExec", "agi", NULL },        { "AsyncAGIEnd", "agi", NULL },
};
enum { NEEDS = sizeof needs / sizeof *needs };

/* Classes of events that only sinks want. */
static const struct tap_need others[] = {
    { "UserEvent", "user", NULL },          { "Cdr", "cdr", NULL },              { "CEL", "call", NULL },
    { "NewAccountCode", "call", NULL },  { "HangupRequest", "call", NULL },
    { "SoftHangupRequest", "call", NULL },  { "BridgeCreate", "call", NULL },    { "BridgeMerge", "call", NULL },
    { "BridgeVideoSourceUpdate", "call", NULL }, { "MusicOnHoldStart", "call", NULL }, { "MusicOnHoldStop", "call", NULL },
    { "DeviceStateChange", "call", NULL },  { "ExtensionStatus", "call", NULL }, { "LocalOptimizationBegin", "call", NULL },
    { "LocalOptimizationEnd", "call", NULL }, { "ChanSpyStart", "call", NULL },  { "ChanSpyStop", "call", NULL },
    { "ConfbridgeStart", "call", NULL },    { "ConfbridgeEnd", "call", NULL },   { "QueueMemberStatus", "agent", NULL },
    { "QueueMemberPenalty", "agent", NULL }, { "QueueMemberRinginuse", "agent", NULL }, { "DTMFBegin", "dtmf", NULL },
    { "RTCPSent", "reporting", NULL },      { "RTCPReceived", "reporting", NULL }, { "PeerStatus", "system", NULL },
    { "ContactStatus", "system", NULL },    { "Registry", "system", NULL },      { "Reload", "system", NULL },
    { "SuccessfulAuth", "security", NULL }, { "InvalidPassword", "security", NULL }, { "InvalidAccountID", "security", NULL },
    { "FailedACL", "security", NULL },      { "ChallengeSent", "security", NULL }, { "ChallengeResponseFailed", "security", NULL },
    { "RequestBadFormat", "security", NULL }, { "RequestNotAllowed", "security", NULL }, { "SessionLimit", "security", NULL },
};

const struct tap_need *tap_needs(size_t *count)
{
    *count = NEEDS;
    return needs;
}

static const struct tap_need *find(const struct tap_need *list, size_t count, struct text event)
{
    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(event, text_of(list[i].event)))
            return &list[i];
    return NULL;
}

bool tap_needs_event(struct text event, struct text variable)
{
    const struct tap_need *n = find(needs, NEEDS, event);
    struct text rest, one;

    if (!n || !n->variables)
        return n != NULL;
    rest = text_of(n->variables);
    while (text_cut(&rest, ' ', &one))
        if (text_eq(one, variable))
            return true;
    return false;
}

const char *tap_class_of(struct text event)
{
    const struct tap_need *n = find(needs, NEEDS, event);

    if (!n)
        n = find(others, sizeof others / sizeof *others, event);
    return n ? n->class : "";
}

void tap_need_filters(struct buf *out, const struct tap_need *n)
{
    struct text rest = text_of(n->variables), one;

    if (!n->variables)
        buf_addf(out, "eventfilter(name(%s)) =\n", n->event);
    while (text_cut(&rest, ' ', &one))
        buf_addf(out, "eventfilter(name(%s),header(Variable),method(exact)) = %.*s\n", n->event, TEXT_ARG(one));
}
