/* What a script is for, how dangerous it is, and what should become of it. */
#include "audit/script/facts.h"

#include <errno.h>
#include <stdarg.h>

#include "base/buf.h"

enum { SMALL_LINES = 200 };

static bool has(const struct inventory_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (text_eq(names->items[i].name, text_of(name)))
            return true;
    return false;
}

static bool has_like(const struct inventory_names *names, const char *part)
{
    for (size_t i = 0; i < names->count; i++)
        for (size_t k = 0; k < names->items[i].name.n; k++)
            if (text_starts_nocase(text_skip(names->items[i].name, k), text_of(part)))
                return true;
    return false;
}

static const char *say(struct arena *memory, const char *format, ...) PRINTF_LIKE(2, 3);
static const char *say(struct arena *memory, const char *format, ...)
{
    struct buf b;
    va_list ap;
    const char *kept;

    buf_init(&b, 500);
    va_start(ap, format);
    buf_vaddf(&b, format, ap);
    va_end(ap);
    kept = b.err ? NULL : arena_text(memory, buf_text(&b));
    buf_free(&b);
    return kept;
}

static bool is_dnc(const struct inventory_script *s)
{
    static const char *const words[] = { "dnc", "donotcall", "do_not_call", "blacklist", "blocklist", "blocked" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct inventory_names path = { .items = &(struct inventory_name){ .name = text_of(s->path) }, .count = 1 };

        if (has_like(&s->sets, words[i]) || has_like(&s->reads, words[i]) || has_like(&path, words[i]))
            return true;
    }
    return false;
}

static enum inventory_class class_of(const struct inventory_script *s)
{
    const bool asks = has(&s->commands, "GET DATA") || has(&s->commands, "GET OPTION") || has(&s->commands, "WAIT FOR DIGIT") || has(&s->commands, "EXEC Read");
    const bool routes = has(&s->commands, "SET CONTEXT") || has(&s->commands, "SET EXTENSION") || has(&s->commands, "EXEC Dial") || has(&s->commands, "EXEC Goto") ||
                        has(&s->commands, "EXEC Queue") || has(&s->commands, "EXEC Transfer") || has_like(&s->sets, "route") || has_like(&s->sets, "dest");

    if (s->traits & (INVENTORY_AUDIO_FD3 | INVENTORY_SPEECH))
        return INVENTORY_CONVERSATION;
    if (is_dnc(s))
        return INVENTORY_DNC;
    if (asks)
        return INVENTORY_MENU;
    if (has(&s->commands, "RECORD FILE") || has(&s->commands, "EXEC Record") || has(&s->commands, "EXEC MixMonitor"))
        return INVENTORY_RECORDING;
    if (routes)
        return INVENTORY_ROUTING;
    if (s->sets.count > 0 || has(&s->commands, "SET CALLERID") || has(&s->commands, "SET VARIABLE"))
        return INVENTORY_LOOKUP;
    return INVENTORY_CLASS_UNKNOWN;
}

static unsigned trait_line(const struct inventory_script *s, unsigned bit)
{
    for (size_t i = 0; i < sizeof s->trait_lines / sizeof *s->trait_lines; i++)
        if (bit == 1u << i)
            return s->trait_lines[i];
    return 0;
}

static const char *risk_of(struct inventory_script *s, struct arena *memory)
{
    s->risk = INVENTORY_RISK_HIGH;
    if (s->joins_shell)
        return say(memory, "a command for the shell is put together from variables (line %u)", s->joins_shell);
    if (s->joins_sql)
        return say(memory, "SQL is put together from variables (line %u)", s->joins_sql);
    s->risk = INVENTORY_RISK_MIDDLE;
    if (s->err || s->language == INVENTORY_UNKNOWN || (s->language == INVENTORY_BINARY && !s->source))
        return say(memory, "its source could not be read");
    if (s->traits & INVENTORY_SECRET)
        return say(memory, "a secret stands in its source (line %u)", trait_line(s, INVENTORY_SECRET));
    if (s->traits & INVENTORY_SYSTEM)
        return say(memory, "it starts other programs (line %u)", trait_line(s, INVENTORY_SYSTEM));
    if (s->traits & INVENTORY_HTTP)
        return say(memory, "the caller waits for another server (line %u)", trait_line(s, INVENTORY_HTTP));
    s->risk = INVENTORY_RISK_LOW;
    return say(memory, "nothing that it does stands out");
}

static const char *advice_of(struct inventory_script *s, struct arena *memory)
{
    const bool is_known = !s->err && s->language != INVENTORY_UNKNOWN && s->language != INVENTORY_BINARY;
    const bool is_quick = s->class == INVENTORY_LOOKUP || s->class == INVENTORY_DNC || s->class == INVENTORY_ROUTING;

    s->advice = INVENTORY_STASIS;
    if (s->class == INVENTORY_CONVERSATION)
        return say(memory, "it listens to the caller or understands speech while AGI holds the channel: ARI converses, and gives the call back");
    if (s->err == -ENOENT) {
        s->advice = INVENTORY_KEEP;
        return say(memory, "there is no such file: if this is the right folder (--agi-dir names another), the calls that come here fail today");
    }
    s->advice = INVENTORY_REWRITE;
    if (is_known && is_quick && s->lines <= SMALL_LINES && !(s->traits & (INVENTORY_SYSTEM | INVENTORY_LOOP | INVENTORY_SLEEP)))
        return say(memory, "a decision in %zu lines: a Lua handler gives it in a millisecond, without a process for each call", s->lines);
    s->advice = INVENTORY_HOST;
    if (s->risk == INVENTORY_RISK_HIGH)
        return say(memory, "host it behind agi:// as it is, in a sandbox; then mend what is put together from variables, or rewrite it as a handler");
    return say(memory, "host it behind agi:// as it is: its process is warm before the call, it has a deadline, a ceiling, and a sandbox");
}

int script_judge(struct inventory_script *s, struct arena *memory)
{
    s->class = class_of(s);
    s->risk_reason = risk_of(s, memory);
    s->reason = advice_of(s, memory);
    return s->risk_reason && s->reason ? 0 : -ENOMEM;
}
