/* Judges the requests of OpenAI's HTTP endpoints as the service does. Written from the specification, not from our client. Pure. */
#pragma once

#include "sim/form.h"
#include "sim/shape.h"

/* POST /v1/chat/completions */
void openai_chat_check(const cJSON *body, struct shape_complaint *to);
/* POST /v1/audio/speech */
void openai_speech_check(const cJSON *body, struct shape_complaint *to);

/* POST /v1/audio/transcriptions: what the form holds, as far as a stand-in makes use of it. */
struct openai_upload {
    struct text wav;               /* the file */
    struct text format;            /* of the answer; absent: json */
    bool is_streamed;
};
void openai_upload_check(struct text content_type, struct text body, struct openai_upload *out, struct shape_complaint *to);
/* 16-bit mono samples of a WAV whose head has no mistakes: false with a complaint. */
bool openai_wav_check(struct text wav, struct text *samples, unsigned *rate_hz, struct shape_complaint *to);
