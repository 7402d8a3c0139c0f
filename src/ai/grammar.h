/* What the recogniser needs of a grammar (speech.h creates it). */
#pragma once

#include <pocketsphinx.h>

#include "ai/speech.h"

/* A decoder for 16 kHz samples with the grammar set: Debian's en-us model refuses 8 kHz, its upper filter edge is 6800 Hz.
 * Takes 12 ms: for workers. Any thread. */
int grammar_decoder(ps_decoder_t **out, const struct grammar *g) MUST_USE;
/* The intent of a phrase of the grammar, or one of the RECOGNISED_ values. */
int grammar_intent(const struct grammar *g, const char *words);
/* The agent that the grammar was made for. */
const struct agent_file *grammar_agent(const struct grammar *g);
