/* What a replayed handler reaches beside Asterisk: its questions to store and http are answered as they were in the recording.
 * What was not asked then: store.get asks the store as it is now, store.put changes nothing and says yes, http gets no answer.
 * Each such question leaves a note. Thread: the replay's loop. */
#pragma once

#include "route/script.h"
#include "route/tape.h"
#include "store/store.h"

struct replay_world;

int replay_world_new(struct replay_world **out, struct store_reader *reader) MUST_USE; /* the reader outlives it */
struct script_services replay_world_services(struct replay_world *w);
/* From now on this recording answers (NULL: none); forgets the notes. The tape is held until the next begin. */
void replay_world_begin(struct replay_world *w, struct tape *t);
/* A line each; until the next begin. */
struct text replay_world_notes(const struct replay_world *w);
void replay_world_free(struct replay_world *w); /* NULL passes */
