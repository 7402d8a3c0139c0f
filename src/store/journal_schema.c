/* The journal's tables. */
#include "store/journal_parts.h"

enum { APPLICATION_ID = 0x53544f4a }; /* "STOJ" */

/* Docs: docs/tap.md has the columns for those who query them. Numbers instead of texts where a text comes again and again: name (headers, events,
 * kinds of facts), call_key (node and Linkedid), session. An event's body: see journal_body.c. */
static const char *const migrations[] = {
    "CREATE TABLE node(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seen_us INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE name(id INTEGER PRIMARY KEY, text BLOB NOT NULL UNIQUE);"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, node INTEGER NOT NULL, began_us INTEGER NOT NULL, UNIQUE(node, began_us));"
    "CREATE TABLE call_key(id INTEGER PRIMARY KEY, node INTEGER NOT NULL, linkedid TEXT NOT NULL, now INTEGER, UNIQUE(node, linkedid));"
    "CREATE INDEX call_key_now ON call_key(now) WHERE now IS NOT NULL;"
    "CREATE INDEX call_key_linkedid ON call_key(linkedid);"
    "CREATE TABLE event(id INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL, recv_us INTEGER NOT NULL,"
    " name INTEGER NOT NULL, flags INTEGER NOT NULL, call INTEGER, body BLOB NOT NULL);"
    "CREATE INDEX event_call ON event(call) WHERE call IS NOT NULL;"
    "CREATE TABLE fact(id INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    " node INTEGER NOT NULL, kind INTEGER NOT NULL, call INTEGER, detail TEXT NOT NULL);"
    "CREATE INDEX fact_call ON fact(call) WHERE call IS NOT NULL;"
    "CREATE TABLE call(key INTEGER PRIMARY KEY, node INTEGER NOT NULL, id TEXT NOT NULL, was TEXT NOT NULL, started_us INTEGER NOT NULL,"
    " answered_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, outcome TEXT NOT NULL, caller TEXT NOT NULL, caller_name TEXT NOT NULL,"
    " dialled TEXT NOT NULL, context TEXT NOT NULL, answered_by TEXT NOT NULL, ring_us INTEGER NOT NULL, talk_us INTEGER NOT NULL,"
    " hold_us INTEGER NOT NULL, queue_us INTEGER NOT NULL, queue TEXT NOT NULL, queue_outcome TEXT NOT NULL, agent TEXT NOT NULL,"
    " cause INTEGER NOT NULL, cause_text TEXT NOT NULL, application TEXT NOT NULL, transfers INTEGER NOT NULL, recordings INTEGER NOT NULL,"
    " agi_visits INTEGER NOT NULL, stasis_visits INTEGER NOT NULL, dtmf INTEGER NOT NULL, partial INTEGER NOT NULL, suspect INTEGER NOT NULL,"
    " details TEXT NOT NULL);"
    "CREATE INDEX call_started ON call(started_us);"
    "CREATE INDEX call_open ON call(node) WHERE outcome = 'open';"
    "CREATE TABLE leg(call INTEGER NOT NULL, uniqueid TEXT NOT NULL, channel TEXT NOT NULL, number TEXT NOT NULL, name TEXT NOT NULL,"
    " role TEXT NOT NULL, started_us INTEGER NOT NULL, answered_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, cause INTEGER NOT NULL,"
    " PRIMARY KEY(call, uniqueid)) WITHOUT ROWID;"
    "CREATE INDEX leg_uniqueid ON leg(uniqueid);"
    "CREATE TABLE gap(id INTEGER PRIMARY KEY, node INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, cause TEXT NOT NULL,"
    " detail TEXT NOT NULL, events_lost INTEGER NOT NULL, calls_affected INTEGER NOT NULL);"
    "CREATE INDEX gap_open ON gap(node) WHERE to_us = 0;"
    "CREATE TABLE cursor(sink TEXT PRIMARY KEY, fact_id INTEGER NOT NULL, event_id INTEGER NOT NULL, moved_us INTEGER NOT NULL) WITHOUT ROWID;",
};

/* The vacuum's mode cannot be changed once there are tables. */
const struct store_kind journal_kind = { .application_id = APPLICATION_ID, .migrations = migrations,
                                         .version = sizeof migrations / sizeof *migrations, .before = "PRAGMA auto_vacuum=INCREMENTAL" };
