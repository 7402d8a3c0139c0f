/* chan_websocket's messages: each is an event within its bounds, or is refused with a sentence. */
#include "fuzz.h"

#include <string.h>

#include "wire/media_ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy((const char *)data, size);
    struct media_ws_event e;
    const char *why = NULL;

    if (media_ws_parse(&e, text_make(copy, size), &why) == 0) {
        FUZZ_CHECK(strlen(e.id) < sizeof e.id && strlen(e.said) < sizeof e.said);
        FUZZ_CHECK(e.kind != MEDIA_WS_START || (e.format[0] && e.frame_bytes <= 65535 && e.ptime_ms <= 1000));
        FUZZ_CHECK((e.kind == MEDIA_WS_DIGIT) == (e.digit != '\0'));
    } else {
        FUZZ_CHECK(why && *why);
    }
    free(copy);
    return 0;
}
