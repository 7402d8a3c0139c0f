/* What most events say of their channel, found in one walk. */
#include "tap/facts_internal.h"

enum slot { SLOT_NONE, SLOT_PRIVILEGE, SLOT_SYSTEM, SLOT_ACTION_ID, SLOT_CHANNEL, SLOT_STATE, SLOT_STATE_TEXT, SLOT_NUMBER, SLOT_NAME, SLOT_LINE_NUMBER,
            SLOT_LINE_NAME, SLOT_LANGUAGE, SLOT_ACCOUNT, SLOT_CONTEXT, SLOT_EXTEN, SLOT_PRIORITY, SLOT_UNIQUEID, SLOT_LINKEDID, SLOTS };

static const uint8_t slot_of[TAP_HEADERS_END] = {
    [TAP_H_PRIVILEGE] = SLOT_PRIVILEGE, [TAP_H_SYSTEMNAME] = SLOT_SYSTEM, [TAP_H_ACTIONID] = SLOT_ACTION_ID, [TAP_H_CHANNEL] = SLOT_CHANNEL,
    [TAP_H_CHANNELSTATE] = SLOT_STATE, [TAP_H_CHANNELSTATEDESC] = SLOT_STATE_TEXT, [TAP_H_CALLERIDNUM] = SLOT_NUMBER,
    [TAP_H_CALLERIDNAME] = SLOT_NAME, [TAP_H_CONNECTEDLINENUM] = SLOT_LINE_NUMBER, [TAP_H_CONNECTEDLINENAME] = SLOT_LINE_NAME,
    [TAP_H_LANGUAGE] = SLOT_LANGUAGE, [TAP_H_ACCOUNTCODE] = SLOT_ACCOUNT, [TAP_H_CONTEXT] = SLOT_CONTEXT, [TAP_H_EXTEN] = SLOT_EXTEN,
    [TAP_H_PRIORITY] = SLOT_PRIORITY, [TAP_H_UNIQUEID] = SLOT_UNIQUEID, [TAP_H_LINKEDID] = SLOT_LINKEDID,
};

static struct text value_at(const struct tap_event *e, const struct tap_field *field)
{
    return text_make((const char *)&e->fields[e->count] + field->value_at, field->value_n);
}

void snapshot_of(const struct tap_event *e, struct snapshot *s)
{
    const struct tap_field *first[SLOTS] = { 0 }, *uniqueid = NULL, *linkedid = NULL;
    unsigned found = 0;

    for (uint32_t i = 0; i < e->count; i++) {
        const unsigned slot = slot_of[e->fields[i].header];

        if (!slot)
            continue;
        uniqueid = slot == SLOT_UNIQUEID ? &e->fields[i] : uniqueid;
        linkedid = slot == SLOT_LINKEDID ? &e->fields[i] : linkedid;
        if (!first[slot]) {
            first[slot] = &e->fields[i];
            found += slot >= SLOT_CHANNEL;
        }
    }
#define VALUE(slot_) (first[slot_] ? value_at(e, first[slot_]) : TEXT_NONE)
    *s = (struct snapshot){
        .privilege = VALUE(SLOT_PRIVILEGE), .system = VALUE(SLOT_SYSTEM), .action_id = VALUE(SLOT_ACTION_ID), .uniqueid = VALUE(SLOT_UNIQUEID),
        .linkedid = VALUE(SLOT_LINKEDID), .channel = VALUE(SLOT_CHANNEL), .number = VALUE(SLOT_NUMBER), .name = VALUE(SLOT_NAME),
        .state = VALUE(SLOT_STATE), .context = VALUE(SLOT_CONTEXT), .exten = VALUE(SLOT_EXTEN),
        .last_uniqueid = uniqueid ? value_at(e, uniqueid) : TEXT_NONE, .last_linkedid = linkedid ? value_at(e, linkedid) : TEXT_NONE,
        .is_whole = found == SLOTS - SLOT_CHANNEL,
    };
#undef VALUE
}
