/* The table of verbs: how each is written to Asterisk, what its reply means, and the sentence that explains it. */
#include <stdio.h>
#include <string.h>

#include "route/script_inner.h"

#define LIVE false
#define DEAD true /* works after hangup, too (seen on 22.10.1) */

const struct script_verb script_verbs[] = {
    { "answer", "ANSWER", "", VERB_ZERO, LIVE, "call:answer()", "Answers the channel; fine when it is up already." },
    { "hangup", "HANGUP", "?s", VERB_ONE, LIVE, "call:hangup([channel])", "Hangs up this channel, or the one named." },
    { "channel_status", "CHANNEL STATUS", "?s", VERB_NUMBER, LIVE, "call:channel_status([channel])",
      "0 down, 1 reserved, 2 off hook, 3 dialling, 4 ring, 5 ringing, 6 up, 7 busy; nil when there is no such channel." },
    { "noop", "NOOP", "?s", VERB_ZERO, DEAD, "call:noop([text])", "Does nothing; the text shows in Asterisk's AGI debug." },
    { "verbose", "VERBOSE", "s?i", VERB_ONE, DEAD, "call:verbose(text [, level])", "Writes to Asterisk's verbose log." },

    { "get", "GET VARIABLE", "s", VERB_VALUE, DEAD, "call:get(name)",
      "A variable, or a function such as CALLERID(num); nil when unset. A value cut by Asterisk at 1023 bytes is fetched in full." },
    { "get_full", "GET FULL VARIABLE", "s?s", VERB_VALUE, DEAD, "call:get_full(expression [, channel])",
      "Any text with ${} and $[] in it, expanded, without a limit of its own." },
    { "get_safe", "GET FULL VARIABLE", "u", VERB_URI, DEAD, "call:get_safe(name)",
      "Like get, for values that may hold line feeds: these cannot be told from the end of a reply, so they travel URI-encoded. "
      "An unset variable gives an empty text." },
    { "set", "SET VARIABLE", "ss", VERB_ONE, DEAD, "call:set(name, value)", "Sets a variable, or a function such as CALLERID(name)." },
    { "set_callerid", "SET CALLERID", "s", VERB_ONE, LIVE, "call:set_callerid('Name <number>')", "Sets name and number at once." },

    { "exec", "EXEC", "sx", VERB_EXEC, DEAD, "call:exec(application, ...)",
      "Runs a dialplan application and gives its return value. Arguments are joined by commas, which are the application's own "
      "separators. ${} is not expanded. Error no_application when there is none." },
    { "gosub", "GOSUB", "sss?s", VERB_ZERO, LIVE, "call:gosub(context, extension, priority [, argument])",
      "Runs a subroutine until Return(); true when it was found. Its value is in GOSUB_RETVAL." },
    { "set_context", "SET CONTEXT", "s", VERB_ZERO, LIVE, "call:set_context(context)",
      "Where the dialplan goes on after the handler. Not checked by Asterisk." },
    { "set_extension", "SET EXTENSION", "s", VERB_ZERO, LIVE, "call:set_extension(extension)", "As above, the extension." },
    { "set_priority", "SET PRIORITY", "s", VERB_ZERO, LIVE, "call:set_priority(number_or_label)", "As above, the priority." },
    { "set_autohangup", "SET AUTOHANGUP", "i", VERB_ZERO, LIVE, "call:set_autohangup(seconds)", "Hangs up by itself then; 0 cancels." },
    { "set_music", "SET MUSIC", "o?s", VERB_ZERO, LIVE, "call:set_music(on [, class])", "Music on hold on or off." },

    { "stream_file", "STREAM FILE", "sd?i", VERB_DIGIT, LIVE, "call:stream_file(file [, escape_digits [, offset]])",
      "Plays a file (name without ending). Gives the digit that stopped it, nil at the end, false on failure; then the position." },
    { "control_stream_file", "CONTROL STREAM FILE", "sd?i?s?s?s?i", VERB_DIGIT, LIVE,
      "call:control_stream_file(file [, escape_digits [, skip_ms [, forward [, back [, pause [, offset_ms]]]]]])",
      "Plays a file that the caller may wind." },
    { "get_option", "GET OPTION", "sd?i", VERB_DIGIT, LIVE, "call:get_option(file [, escape_digits [, timeout_ms]])",
      "Plays a file, then waits for one of the digits." },
    { "get_data", "GET DATA", "s?i?i", VERB_DATA, LIVE, "call:get_data(file [, timeout_ms [, max_digits]])",
      "Plays a file and collects digits up to #. Gives the digits and whether the time was up; false on failure." },
    { "wait_for_digit", "WAIT FOR DIGIT", "i", VERB_DIGIT, LIVE, "call:wait_for_digit(timeout_ms)",
      "The digit, or nil when none came; -1 waits until the deadline." },
    { "record_file", "RECORD FILE", "ssdi~i~b~q", VERB_RECORD, LIVE,
      "call:record_file(file, format, escape_digits, timeout_ms [, offset [, beep [, silence_seconds]]])",
      "Records. Gives the reason it ended (timeout dtmf hangup writefile waitfor randomerror), the position, and the digit." },
    { "receive_char", "RECEIVE CHAR", "i", VERB_CHAR, LIVE, "call:receive_char(timeout_ms)",
      "A character of text, as its number; nil when none came, false on failure." },
    { "receive_text", "RECEIVE TEXT", "i", VERB_VALUE, LIVE, "call:receive_text(timeout_ms)", "A text message of the channel, or nil." },
    { "send_text", "SEND TEXT", "s", VERB_ZERO, LIVE, "call:send_text(text)", "Sends text to the channel." },
    { "send_image", "SEND IMAGE", "s", VERB_ZERO, LIVE, "call:send_image(name)", "Sends an image to the channel." },
    { "tdd_mode", "TDD MODE", "s", VERB_ONE, LIVE, "call:tdd_mode(mode)", "on, off, mate or tdd." },

    { "say_number", "SAY NUMBER", "id?s", VERB_DIGIT, LIVE, "call:say_number(number [, escape_digits [, gender]])", "Says a number." },
    { "say_digits", "SAY DIGITS", "sd", VERB_DIGIT, LIVE, "call:say_digits(digits [, escape_digits])",
      "Says digit by digit; give a text to keep leading zeros." },
    { "say_alpha", "SAY ALPHA", "sd?s", VERB_DIGIT, LIVE, "call:say_alpha(text [, escape_digits [, case]])", "Spells a text." },
    { "say_phonetic", "SAY PHONETIC", "sd", VERB_DIGIT, LIVE, "call:say_phonetic(text [, escape_digits])", "Spells with Alfa, Bravo..." },
    { "say_date", "SAY DATE", "id", VERB_DIGIT, LIVE, "call:say_date(epoch [, escape_digits])", "Says a date." },
    { "say_time", "SAY TIME", "id", VERB_DIGIT, LIVE, "call:say_time(epoch [, escape_digits])", "Says a time of day." },
    { "say_datetime", "SAY DATETIME", "id?s?s", VERB_DIGIT, LIVE,
      "call:say_datetime(epoch [, escape_digits [, format [, timezone]]])", "Says both." },

    { "database_get", "DATABASE GET", "ss", VERB_VALUE, DEAD, "call:database_get(family, key)", "A value of Asterisk's database, or nil." },
    { "database_put", "DATABASE PUT", "sss", VERB_ONE, DEAD, "call:database_put(family, key, value)", "Stores a value." },
    { "database_del", "DATABASE DEL", "ss", VERB_ONE, DEAD, "call:database_del(family, key)", "Deletes a key; true for a missing one, too." },
    { "database_deltree", "DATABASE DELTREE", "s?s", VERB_ZERO, DEAD, "call:database_deltree(family [, tree])",
      "Deletes a family or a part of it; true when something was deleted." },

    { "speech_create", "SPEECH CREATE", "s", VERB_ONE, LIVE, "call:speech_create(engine)", "Starts Asterisk's speech recognition." },
    { "speech_set", "SPEECH SET", "ss", VERB_ONE, LIVE, "call:speech_set(name, value)", "Sets one of its options." },
    { "speech_destroy", "SPEECH DESTROY", "", VERB_ONE, DEAD, "call:speech_destroy()", "Ends it." },
    { "speech_load_grammar", "SPEECH LOAD GRAMMAR", "ss", VERB_ONE, LIVE, "call:speech_load_grammar(name, path)", "Loads a grammar." },
    { "speech_unload_grammar", "SPEECH UNLOAD GRAMMAR", "s", VERB_ONE, DEAD, "call:speech_unload_grammar(name)", "Unloads it." },
    { "speech_activate_grammar", "SPEECH ACTIVATE GRAMMAR", "s", VERB_ONE, LIVE, "call:speech_activate_grammar(name)", "Uses it." },
    { "speech_deactivate_grammar", "SPEECH DEACTIVATE GRAMMAR", "s", VERB_ONE, LIVE, "call:speech_deactivate_grammar(name)",
      "Stops using it." },
    { "speech_recognize", "SPEECH RECOGNIZE", "si?i", VERB_SPEECH, LIVE, "call:speech_recognize(prompt, timeout_s [, offset])",
      "Plays a prompt and recognises. Gives what ended it (speech, digit, timeout, hangup; false on failure) and a table: the results "
      "{text=, score=, grammar=} as a list, digit, endpos." },

    { "command", NULL, "r", VERB_REPLY, DEAD, "call:command(line)",
      "Any AGI command as one line, quoted by you; the reply as a table: code, result, value, extra, body." },
};
const size_t script_verbs_count = sizeof script_verbs / sizeof *script_verbs;

/* ---- arguments to a command line ---- */

static struct text check_text(lua_State *L, int arg)
{
    struct text t;

    t.p = luaL_checklstring(L, arg, &t.n);
    return t;
}

static void encode_rest(lua_State *L, int arg, struct agi_command *c)
{
    const int top = lua_gettop(L);
    luaL_Buffer b;

    if (arg > top)
        return;
    for (int i = arg; i <= top; i++)
        (void)check_text(L, i); /* before the buffer takes stack slots */
    luaL_buffinit(L, &b);
    for (int i = arg; i <= top; i++) {
        if (i > arg)
            luaL_addchar(&b, ',');
        lua_pushvalue(L, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    agi_command_quoted(c, check_text(L, -1));
    lua_pop(L, 1);
}

static void encode_uri(lua_State *L, int arg, struct agi_command *c)
{
    const struct text name = check_text(L, arg);

    luaL_argcheck(L, text_find(name, '{') < 0 && text_find(name, '}') < 0 && strlen(name.p) == name.n, arg, "the name of a variable");
    lua_pushfstring(L, "${URIENCODE(${%s})}", name.p);
    agi_command_quoted(c, check_text(L, -1));
    lua_pop(L, 1);
}

static void encode_one(lua_State *L, char kind, int arg, struct agi_command *c)
{
    switch (kind) {
    case 's':
        agi_command_quoted(c, check_text(L, arg));
        return;
    case 'd':
        agi_command_quoted(c, lua_isnoneornil(L, arg) ? TEXT("") : check_text(L, arg));
        return;
    case 'i':
        agi_command_int(c, luaL_checkinteger(L, arg));
        return;
    case 'x':
        encode_rest(L, arg, c);
        return;
    case 'u':
        encode_uri(L, arg, c);
        return;
    case 'o':
        agi_command_word(c, lua_toboolean(L, arg) ? TEXT("ON") : TEXT("OFF"));
        return;
    case 'b':
        if (lua_toboolean(L, arg))
            agi_command_word(c, TEXT("BEEP"));
        return;
    case 'q':
        lua_pushfstring(L, "s=%I", luaL_checkinteger(L, arg));
        agi_command_word(c, check_text(L, -1));
        lua_pop(L, 1);
        return;
    case 'r':
        agi_command_raw(c, check_text(L, arg));
        return;
    default:
        INVARIANT(kind == 'r'); /* no other letter is in the table */
    }
}

void script_verb_encode(lua_State *L, const struct script_verb *v, struct agi_command *c)
{
    struct text words = text_of(v->command), word;
    int arg = 2;

    while (text_cut(&words, ' ', &word))
        agi_command_word(c, word);
    for (const char *a = v->args; *a; a++, arg++) {
        const bool ends = *a == '?', skips = *a == '~';

        if (ends || skips) {
            a++;
            if (lua_isnoneornil(L, arg) && ends)
                return;
            if (lua_isnoneornil(L, arg))
                continue;
        }
        encode_one(L, *a, arg, c);
    }
}

/* ---- replies to values ---- */

static void push_text(lua_State *L, struct text t)
{
    if (t.p)
        lua_pushlstring(L, t.p, t.n);
    else
        lua_pushnil(L);
}

static void push_endpos(lua_State *L, const struct agi_reply *reply)
{
    int64_t n;

    if (text_to_i64(agi_reply_extra(reply, TEXT("endpos")), &n) == 0)
        lua_pushinteger(L, n);
    else
        lua_pushnil(L);
}

static void push_digit(lua_State *L, int64_t n)
{
    const char digit = (char)n;

    if (n >= '#' && n <= 'd') /* # * 0-9 A-D, and the lower-case a-d that some channels send */
        lua_pushlstring(L, &digit, 1);
    else
        lua_pushnil(L); /* 0: none; 1: WAIT FOR DIGIT was interrupted */
}

static int decode_data(lua_State *L, const struct agi_reply *reply)
{
    if (text_eq(reply->result, TEXT("-1"))) {
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_pushlstring(L, reply->result.p ? reply->result.p : "", reply->result.n);
    lua_pushboolean(L, reply->has_value && text_eq(reply->value, TEXT("timeout")));
    return 2;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static int decode_uri(lua_State *L, struct text t)
{
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    for (size_t i = 0; i < t.n; i++) {
        const int high = i + 2 < t.n ? hex_value(t.p[i + 1]) : -1, low = i + 2 < t.n ? hex_value(t.p[i + 2]) : -1;
        const bool coded = t.p[i] == '%' && high >= 0 && low >= 0;

        char c = t.p[i];

        if (coded) {
            c = (char)(high * 16 + low);
            i += 2;
        }
        luaL_addchar(&b, c);
    }
    luaL_pushresult(&b);
    return 1;
}

static int decode_reply(lua_State *L, const struct agi_reply *reply)
{
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, reply->code);
    lua_setfield(L, -2, "code");
    push_text(L, reply->result);
    lua_setfield(L, -2, "result");
    push_text(L, reply->has_value ? reply->value : TEXT_NONE);
    lua_setfield(L, -2, "value");
    push_text(L, reply->extra);
    lua_setfield(L, -2, "extra");
    push_text(L, reply->body);
    lua_setfield(L, -2, "body");
    return 1;
}

static int decode_digit(lua_State *L, int64_t n, const struct agi_reply *reply)
{
    if (n < 0)
        lua_pushboolean(L, 0);
    else
        push_digit(L, n);
    push_endpos(L, reply);
    return 2;
}

static void push_heard(lua_State *L, const struct agi_reply *reply, const char *what, int64_t i)
{
    char key[32];

    snprintf(key, sizeof key, "%s%d", what, (int)i);
    push_text(L, agi_reply_extra(reply, text_of(key)));
    lua_setfield(L, -2, what);
}

/* "1 (speech) endpos=0 results=2 score0=900 text0="two words" grammar0=g score1=...", "1 (digit) digit=5 endpos=0", "1 (timeout)". */
static int decode_speech(lua_State *L, int64_t n, const struct agi_reply *reply)
{
    enum { RESULTS_MAX = 64 };
    int64_t results = 0;

    if (n != 1) {
        lua_pushboolean(L, 0);
        return 1;
    }
    push_text(L, reply->has_value ? reply->value : TEXT(""));
    if (text_to_i64(agi_reply_extra(reply, TEXT("results")), &results) != 0)
        results = 0;
    lua_newtable(L);
    push_text(L, agi_reply_extra(reply, TEXT("digit")));
    lua_setfield(L, -2, "digit");
    push_endpos(L, reply);
    lua_setfield(L, -2, "endpos");
    for (int64_t i = 0; i < results && i < RESULTS_MAX; i++) {
        lua_createtable(L, 0, 3);
        push_heard(L, reply, "text", i);
        push_heard(L, reply, "grammar", i);
        push_heard(L, reply, "score", i);
        lua_rawseti(L, -2, i + 1);
    }
    return 2;
}

static int decode_char(lua_State *L, int64_t n)
{
    if (n > 0)
        lua_pushinteger(L, n);
    else if (n == 0)
        lua_pushnil(L);
    else
        lua_pushboolean(L, 0);
    return 1;
}

static int decode_exec(lua_State *L, const struct script_verb *v, int64_t n)
{
    (void)v;
    if (n == -2)
        return script_raise(L, "no_application", "Asterisk has no such application: %s", lua_tostring(L, 2));
    lua_pushinteger(L, n);
    return 1;
}

static void raise_unless_200(lua_State *L, const struct agi_reply *reply)
{
    enum { TEXT_BYTES = 400, CODE_BYTES = 4 };

    if (reply->code != 200)
        script_raise_number(L, reply->code, text_head(text_skip(reply->body, CODE_BYTES), TEXT_BYTES));
}

int script_verb_decode(lua_State *L, const struct script_verb *v, const struct agi_reply *reply)
{
    int64_t n = -1;

    raise_unless_200(L, reply);
    if (agi_reply_int(reply, &n) != 0)
        n = -1;
    switch (v->result) {
    case VERB_ZERO:
        lua_pushboolean(L, n == 0);
        return 1;
    case VERB_ONE:
        lua_pushboolean(L, n == 1);
        return 1;
    case VERB_NUMBER:
        if (n < 0)
            lua_pushnil(L);
        else
            lua_pushinteger(L, n);
        return 1;
    case VERB_VALUE:
        push_text(L, n == 1 && reply->has_value ? reply->value : TEXT_NONE);
        return 1;
    case VERB_URI:
        return decode_uri(L, n == 1 && reply->has_value ? reply->value : TEXT(""));
    case VERB_DIGIT:
        return decode_digit(L, n, reply);
    case VERB_DATA:
        return decode_data(L, reply);
    case VERB_EXEC:
        return decode_exec(L, v, n);
    case VERB_CHAR:
        return decode_char(L, n);
    case VERB_SPEECH:
        return decode_speech(L, n, reply);
    case VERB_RECORD:
        push_text(L, reply->has_value ? reply->value : TEXT_NONE);
        push_endpos(L, reply);
        push_digit(L, n);
        return 3;
    case VERB_REPLY:
        return decode_reply(L, reply);
    }
    return 0;
}

/* ---- the reference ---- */

struct entry {
    const char *usage, *help;
};

static const struct entry plain[] = {
    { "call.env", "What Asterisk told at the start (agi_callerid, agi_channel...): a read-only table. The first of two equal names wins." },
    { "call.id", "The call's identity: Asterisk's Uniqueid." },
    { "call:arg(n)", "The n-th argument of AGI(agi://host/route,first,second), or nil." },
    { "call:query(name)", "A value of agi://host/route?name=value, percent-decoded (+ stays +), or nil. Up to 1024 bytes." },
    { "call:hand_off(agent)", "Ends the handler: SIDETONE_STATUS=HANDOFF, SIDETONE_REASON=the agent. The dialplan then enters Stasis." },
    { "call:finish([status [, reason]])", "Ends the handler with OK or ERROR and a reason of your own." },
    { "store.get(table, key)", "A value of the look-up table, or nil." },
    { "store.put(table, key, value)", "Writes or replaces a row; returns when it is safe on disk. Keys up to 512 bytes, values up to 65,536." },
    { "http.get(url [, options])", "{status=, body=}. Only hosts of http_hosts; no redirect is followed. Options: headers={Name=\"value\"}, "
      "timeout_ms=2000 (up to 60,000). An answer over 256 KiB is an error." },
    { "http.post(url [, options])", "The same, with body=\"...\" among the options." },
    { "sleep(ms)", "Waits; other calls go on." },
    { "log.info(text), log.warn(text)", "One line in the daemon's log; at most 100 a call." },
    { "json.encode(value), json.decode(text)", "JSON. json.null stands for null; a table is a list without gaps or has text keys." },
};

static void print_row(FILE *out, const char *usage, const char *help, const char *dead)
{
    fprintf(out, "| `%s` | %s |%s\n", usage, help, dead);
}

void script_verbs_print(FILE *out)
{
    fputs("# Handler reference\n\n"
          "Made from the table of verbs in `src/route/script_verbs.c`; do not edit. How handlers run, and what they may not do, is told in\n"
          "`internals/scripts.md`.\n\n"
          "A route's file defines `function handle(call)`, a tool's file `function run(args, context)`, which returns a table.\n\n"
          "## Without a word to Asterisk\n\n| | |\n| --- | --- |\n",
          out);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        print_row(out, plain[i].usage, plain[i].help, "");
    fputs("\n## Verbs of the call\n\n"
          "Each sends one AGI command and waits for its reply. *After hangup*: works when the caller is gone; the others raise the error\n"
          "`hangup` once, and end the handler when called again. Unless the text says otherwise a verb gives `true` when Asterisk did it.\n\n"
          "| verb | what it does | after hangup |\n| --- | --- | --- |\n",
          out);
    for (size_t i = 0; i < script_verbs_count; i++)
        print_row(out, script_verbs[i].usage, script_verbs[i].help, script_verbs[i].dead ? " yes |" : " |");
    fputs("\n## Errors\n\n"
          "A verb that fails raises a table `{code=, text=, where=}` that `pcall` catches: `hangup` the caller is gone, `closed` the connection\n"
          "is, `deadline` the route's time is up, `reply_timeout` Asterisk did not answer, `refused` a line feed, carriage return or NUL in an\n"
          "argument, or more than 8190 bytes, `store` a look-up or a row failed, `http` no answer\n"
          "came (the text says why), `http_refused` the URL or its host is not granted, `no_application`, `cannot_wait` a verb where nothing can wait,\n"
          "`json`, and the numbers 510, 511 and 520 of Asterisk.\n",
          out);
}
