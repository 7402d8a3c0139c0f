/* Scripts of an AGI directory: any bytes, in each language, are cut into words inside the source, and judged. */
#include "fuzz.h"

#include "audit/script/facts.h"
#include "audit/script/lexer.h"

static void check_words(enum inventory_language language, struct text source)
{
    struct script_lexer l;
    struct script_token t;
    size_t count = 0;
    unsigned line = 1;

    script_lexer_begin(&l, language, source);
    while (script_lexer_next(&l, &t)) {
        FUZZ_CHECK(++count <= source.n);
        FUZZ_CHECK(t.line >= line);
        FUZZ_CHECK(t.text.n == 0 || (t.text.p >= source.p && t.text.p + t.text.n <= source.p + source.n));
        line = t.line;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;
    enum inventory_language language;
    struct text source;
    struct arena *memory;

    if (size < 1)
        return 0;
    language = (enum inventory_language)(data[0] % (INVENTORY_BINARY + 1));
    copy = fuzz_copy(data + 1, size - 1);
    source = text_make(copy, size - 1);
    check_words(language, source);
    struct inventory_script s = { .path = "x", .language = language };

    FUZZ_CHECK(arena_new(&memory, 16 << 20) == 0);
    FUZZ_CHECK(script_facts(&s, memory, source) == 0);
    FUZZ_CHECK(script_judge(&s, memory) == 0);
    FUZZ_CHECK(s.reason && s.risk_reason && s.lines <= size);
    script_language(TEXT("x"), source);
    arena_free(memory);
    free(copy);
    return 0;
}
