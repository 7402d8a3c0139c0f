/* Goes through a script's words once, and keeps what they say: AGI commands and variables (as text that is written out, and as calls of the libraries of
 * each language), and traits by names that only one thing bears. */
#include "audit/script/facts.h"

#include <errno.h>
#include <string.h>

#include "audit/script/lexer.h"
#include "base/buf.h"

enum { NAMES_MAX = 400, TRAITS = 10, NAME_MAX_BYTES = 80 };

struct reader {
    struct inventory_script *s;
    struct arena *memory;
    struct script_token now, last[3];      /* last[0]: the one before */
    struct text call;              /* AGI command whose first argument is waited for; TEXT_NONE */
    struct text wrapped;           /* likewise, of a function that takes the session first */
    unsigned wrapped_signs;        /* how far it got: "(", the session, "," */
    bool secret_name;              /* the word before names a secret */
    unsigned sql_line, shell_line; /* lines on which SQL, or a command, is put together */
    unsigned shell_joined, sql_joined; /* the first such line; 0: none */
    int err;
};

/* ---- keeping ---- */

static void name_keep(struct reader *r, struct inventory_names *names, struct text name, unsigned line)
{
    name = text_head(text_trim(name), NAME_MAX_BYTES);
    if (name.n == 0 || r->err)
        return;
    for (size_t i = 0; i < names->count; i++) {
        if (text_eq(names->items[i].name, name)) {
            names->items[i].count++;
            return;
        }
    }
    if (names->count == NAMES_MAX)
        return;
    if (names->count == names->room) {
        const size_t room = names->room ? names->room * 2 : 8;
        struct inventory_name *more = arena_take(r->memory, room * sizeof *more);

        if (!more) {
            r->err = -ENOMEM;
            return;
        }
        if (names->count > 0)
            memcpy(more, names->items, names->count * sizeof *more);
        names->items = more;
        names->room = room;
    }
    const char *copy = arena_text(r->memory, name);

    if (!copy)
        r->err = -ENOMEM;
    else
        names->items[names->count++] = (struct inventory_name){ .name = text_of(copy), .line = line, .count = 1 };
}

static void trait_keep(struct reader *r, unsigned bit, unsigned line)
{
    for (size_t i = 0; i < TRAITS; i++)
        if (bit == 1u << i && !(r->s->traits & bit))
            r->s->trait_lines[i] = line;
    r->s->traits |= bit;
}

static void line_keep(unsigned *at, unsigned line)
{
    *at = *at ? *at : line;
}

/* ---- AGI commands ---- */

/* As library calls are named, without "_" and in small letters; and as they go over the wire. */
static const struct {
    const char *call, *command;
    bool is_common;                /* a name that other things bear, too: only of something that is called agi */
} commands[] = {
    { "getvariable", "GET VARIABLE", false },        { "getfullvariable", "GET FULL VARIABLE", false },
    { "setvariable", "SET VARIABLE", false },        { "streamfile", "STREAM FILE", false },
    { "controlstreamfile", "CONTROL STREAM FILE", false }, { "getdata", "GET DATA", true },
    { "getoption", "GET OPTION", true },             { "recordfile", "RECORD FILE", false },
    { "waitfordigit", "WAIT FOR DIGIT", false },     { "saydigits", "SAY DIGITS", false },
    { "saynumber", "SAY NUMBER", false },            { "sayalpha", "SAY ALPHA", false },
    { "sayphonetic", "SAY PHONETIC", false },        { "saydate", "SAY DATE", false },
    { "saytime", "SAY TIME", false },                { "saydatetime", "SAY DATETIME", false },
    { "setcontext", "SET CONTEXT", false },          { "setextension", "SET EXTENSION", false },
    { "setpriority", "SET PRIORITY", false },        { "setcallerid", "SET CALLERID", false },
    { "setmusic", "SET MUSIC", false },              { "setautohangup", "SET AUTOHANGUP", false },
    { "channelstatus", "CHANNEL STATUS", false },    { "databaseget", "DATABASE GET", false },
    { "databaseput", "DATABASE PUT", false },        { "databasedel", "DATABASE DEL", false },
    { "databasedeltree", "DATABASE DELTREE", false }, { "gosub", "GOSUB", true },
    { "sendtext", "SEND TEXT", true },               { "sendimage", "SEND IMAGE", false },
    { "receivechar", "RECEIVE CHAR", false },        { "receivetext", "RECEIVE TEXT", false },
    { "tddmode", "TDD MODE", false },                { "speechrecognize", "SPEECH RECOGNIZE", false },
    { "speechcreate", "SPEECH CREATE", false },      { "exec", "EXEC", true },
    { "answer", "ANSWER", true },                    { "hangup", "HANGUP", true },
    { "verbose", "VERBOSE", true },                  { "noop", "NOOP", true },
    { "asyncagi", "ASYNCAGI BREAK", false },         { "waitfordigits", "WAIT FOR DIGIT", false },
    { "appexec", "EXEC", false },                    { "execdial", "EXEC Dial", false },
    { "execgoto", "EXEC Goto", false },              { "gotoonexit", "SET CONTEXT", false },
    { "fastpassstreamfile", "STREAM FILE", false },  { "fastpassgetdata", "GET DATA", false },
    { "fastpasssaydigits", "SAY DIGITS", false },    { "fastpasssaynumber", "SAY NUMBER", false },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static bool is_same_call(struct text name, const char *call)
{
    size_t k = 0;

    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (c == '_')
            continue;
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (call[k] != c)
            return false;
        k++;
    }
    return call[k] == '\0';
}

static bool has_agi(struct text name)
{
    for (size_t i = 0; i + 3 <= name.n; i++)
        if (text_eq_nocase(text_head(text_skip(name, i), 3), TEXT("agi")))
            return true;
    return text_eq_nocase(name, TEXT("channel"));
}

/* What the call is of: something named agi; pystrix.agi.core; the context or ctx of node's servers. */
static bool is_agi(const struct reader *r, const struct script_token *owner)
{
    if (owner->kind != SCRIPT_NAME)
        return false;
    if (r->s->language == INVENTORY_JAVASCRIPT && (text_eq(owner->text, TEXT("context")) || text_eq(owner->text, TEXT("ctx"))))
        return true;
    return has_agi(owner->text) || (r->s->language == INVENTORY_PYTHON && text_eq(owner->text, TEXT("core")));
}

static struct text word_cut(struct text *rest)
{
    size_t n = 0;
    struct text word;

    *rest = text_trim(*rest);
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\n' && rest->p[n] != '\\')
        n++;
    word = text_head(*rest, n);
    *rest = text_skip(*rest, n);
    while (word.n > 0 && (word.p[0] == '"' || word.p[0] == '\''))
        word = text_skip(word, 1);
    while (word.n > 0 && (word.p[word.n - 1] == '"' || word.p[word.n - 1] == '\''))
        word.n--;
    return word;
}

/* What is put in at run time is no name: "%s", "${x}", "#{x}", "{}". */
static bool is_fixed(struct text name)
{
    return name.n > 0 && text_find(name, '%') < 0 && text_find(name, '$') < 0 && text_find(name, '{') < 0 && text_find(name, '#') < 0;
}

static void command_argument(struct reader *r, struct text command, struct text word, unsigned line)
{
    if (text_eq(command, TEXT("GET FULL VARIABLE")) && text_starts(word, TEXT("${")))
        word = text_skip(text_head(word, text_find(word, '}') > 0 ? (size_t)text_find(word, '}') : word.n), 2);
    if (!is_fixed(word))
        return;
    if (text_eq(command, TEXT("GET VARIABLE")) || text_eq(command, TEXT("GET FULL VARIABLE"))) {
        name_keep(r, &r->s->reads, word, line);
    } else if (text_eq(command, TEXT("SET VARIABLE"))) {
        name_keep(r, &r->s->sets, word, line);
    } else if (text_eq(command, TEXT("EXEC"))) {
        struct buf whole;

        buf_init(&whole, 200);
        buf_addf(&whole, "EXEC %.*s", TEXT_ARG(text_head(word, NAME_MAX_BYTES)));
        name_keep(r, &r->s->commands, buf_text(&whole), line);
        buf_free(&whole);
    }
}

/* "SET VARIABLE NAME value" in a text. */
static void command_text(struct reader *r, const struct script_token *t)
{
    struct text all = text_trim(t->text), rest;

    for (size_t i = 0; i < COMMANDS; i++) {
        const struct text command = text_of(commands[i].command);

        if (!text_starts_nocase(all, command))
            continue;
        rest = text_skip(all, command.n);
        if (rest.n > 0 && rest.p[0] != ' ' && rest.p[0] != '\\' && rest.p[0] != '\n')
            continue;
        /* One word alone is a command only in capitals and alone: "answer" is a word of people, too. */
        if (text_eq(command, TEXT("VERBOSE")) && (text_starts(rest, TEXT(" \"")) || text_starts(rest, TEXT(" \\\""))))
            ;                      /* verbose "..." 1: case does not count for Asterisk, and nobody else writes so */
        else if (text_find(command, ' ') < 0 && (!text_starts(all, command) || (!text_eq(command, TEXT("EXEC")) && !text_eq(command, TEXT("VERBOSE")) &&
                                                                           text_trim(rest).n > 0 && rest.p[0] == ' ')))
            continue;
        name_keep(r, &r->s->commands, command, t->line);
        command_argument(r, command, word_cut(&rest), t->line);
        return;
    }
}

/* agi.get_variable("NAME"), $AGI->get_variable('NAME'), agi:getVariable("NAME"). */
static void command_call(struct reader *r)
{
    const struct script_token *const dot = &r->last[0], *const arrow = &r->last[1];
    const bool is_method = dot->kind == SCRIPT_SIGN && (dot->text.p[0] == '.' || dot->text.p[0] == '>' || dot->text.p[0] == ':');
    const struct script_token *const owner = is_method && dot->text.p[0] == '>' ? &r->last[2] : arrow;

    if (r->now.kind != SCRIPT_NAME || !is_method)
        return;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!is_same_call(r->now.text, commands[i].call) || (commands[i].is_common && !is_agi(r, owner)))
            continue;
        name_keep(r, &r->s->commands, text_of(commands[i].command), r->now.line);
        r->call = text_of(commands[i].command);
        return;
    }
}

/* get_var($agi, "NAME"), as FreePBX's scripts have it: a function of their own around the library's. */
static void command_wrapper(struct reader *r)
{
    static const struct {
        const char *call, *command;
    } wrappers[] = { { "getvar", "GET VARIABLE" }, { "getvariable", "GET VARIABLE" }, { "setvar", "SET VARIABLE" }, { "setvariable", "SET VARIABLE" } };

    if (r->now.has_sigil || (r->last[0].kind == SCRIPT_SIGN && strchr(".>:", r->last[0].text.p[0])))
        return;
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (is_same_call(r->now.text, wrappers[i].call)) {
            r->wrapped = text_of(wrappers[i].command);
            r->wrapped_signs = 0;
        }
}

/* "(", something named agi, ",": then the name. */
static void wrapper_go_on(struct reader *r)
{
    static const char signs[] = "(a,";
    const char wanted = signs[r->wrapped_signs];

    if (r->now.kind == SCRIPT_TEXT && r->wrapped_signs == 3) {
        name_keep(r, &r->s->commands, r->wrapped, r->now.line);
        command_argument(r, r->wrapped, text_trim(r->now.text), r->now.line);
        r->wrapped = TEXT_NONE;
    } else if (r->wrapped_signs < 3 && (wanted == 'a' ? r->now.kind == SCRIPT_NAME && has_agi(r->now.text)
                                                      : r->now.kind == SCRIPT_SIGN && r->now.text.p[0] == wanted)) {
        r->wrapped_signs++;
    } else {
        r->wrapped = TEXT_NONE;
    }
}

/* GET VARIABLE NAME, unquoted, as the shell's echo takes it. */
static void command_words(struct reader *r)
{
    if (r->s->language != INVENTORY_SHELL || r->now.kind != SCRIPT_NAME || r->last[0].kind != SCRIPT_NAME || r->last[1].kind != SCRIPT_NAME)
        return;
    if (!text_eq(r->last[0].text, TEXT("VARIABLE")))
        return;
    const bool sets = text_eq(r->last[1].text, TEXT("SET"));

    if (!sets && !text_eq(r->last[1].text, TEXT("GET")))
        return;
    name_keep(r, &r->s->commands, sets ? TEXT("SET VARIABLE") : TEXT("GET VARIABLE"), r->now.line);
    name_keep(r, sets ? &r->s->sets : &r->s->reads, r->now.text, r->now.line);
}

/* ---- traits ---- */

static const struct {
    const char *word;
    unsigned bit;
    unsigned languages;            /* bits; 0: all */
} trait_words[] = {
#define IN(l) (1u << INVENTORY_##l)
    { "sqlite3", INVENTORY_DATABASE, 0 }, { "MySQLdb", INVENTORY_DATABASE, 0 }, { "pymysql", INVENTORY_DATABASE, 0 }, { "psycopg2", INVENTORY_DATABASE, 0 },
    { "psycopg", INVENTORY_DATABASE, 0 }, { "pyodbc", INVENTORY_DATABASE, 0 }, { "DBI", INVENTORY_DATABASE, IN(PERL) }, { "PDO", INVENTORY_DATABASE, IN(PHP) },
    { "mysqli", INVENTORY_DATABASE, 0 }, { "mysqli_connect", INVENTORY_DATABASE, 0 }, { "mysql_connect", INVENTORY_DATABASE, 0 },
    { "mysql_query", INVENTORY_DATABASE, 0 }, { "pg_connect", INVENTORY_DATABASE, 0 }, { "pg_query", INVENTORY_DATABASE, 0 }, { "PQexec", INVENTORY_DATABASE, 0 },
    { "sqlite3_open", INVENTORY_DATABASE, 0 }, { "luasql", INVENTORY_DATABASE, 0 }, { "redis", INVENTORY_DATABASE, 0 }, { "pymongo", INVENTORY_DATABASE, 0 },
    { "sequelize", INVENTORY_DATABASE, 0 }, { "mysql2", INVENTORY_DATABASE, 0 }, { "Sequel", INVENTORY_DATABASE, IN(RUBY) }, { "mysql", INVENTORY_DATABASE, 0 },
    { "psql", INVENTORY_DATABASE, IN(SHELL) }, { "sqlalchemy", INVENTORY_DATABASE, 0 }, { "cx_Oracle", INVENTORY_DATABASE, 0 },
    { "requests", INVENTORY_HTTP, IN(PYTHON) }, { "urllib", INVENTORY_HTTP, 0 }, { "urllib2", INVENTORY_HTTP, 0 }, { "httplib", INVENTORY_HTTP, 0 },
    { "httpx", INVENTORY_HTTP, 0 }, { "aiohttp", INVENTORY_HTTP, 0 }, { "curl", INVENTORY_HTTP, IN(SHELL) }, { "wget", INVENTORY_HTTP, IN(SHELL) },
    { "LWP", INVENTORY_HTTP, IN(PERL) }, { "HTTP", INVENTORY_HTTP, IN(PERL) | IN(RUBY) }, { "curl_exec", INVENTORY_HTTP, 0 }, { "curl_easy_perform", INVENTORY_HTTP, 0 },
    { "fetch", INVENTORY_HTTP, IN(JAVASCRIPT) }, { "axios", INVENTORY_HTTP, 0 }, { "Net", INVENTORY_HTTP, IN(RUBY) },
    { "fopen", INVENTORY_FILES, 0 }, { "open", INVENTORY_FILES, IN(PYTHON) | IN(PERL) | IN(LUA) | IN(RUBY) }, { "file_put_contents", INVENTORY_FILES, 0 },
    { "file_get_contents", INVENTORY_FILES, 0 }, { "readFileSync", INVENTORY_FILES, 0 }, { "writeFileSync", INVENTORY_FILES, 0 },
    { "system", INVENTORY_SYSTEM, 0 }, { "subprocess", INVENTORY_SYSTEM, 0 }, { "popen", INVENTORY_SYSTEM, 0 }, { "shell_exec", INVENTORY_SYSTEM, 0 },
    { "passthru", INVENTORY_SYSTEM, IN(PHP) }, { "proc_open", INVENTORY_SYSTEM, 0 }, { "child_process", INVENTORY_SYSTEM, 0 }, { "Open3", INVENTORY_SYSTEM, IN(RUBY) },
    { "execute", INVENTORY_SYSTEM, IN(LUA) }, { "eval", INVENTORY_SYSTEM, IN(SHELL) },
    { "while", INVENTORY_LOOP, ~IN(SHELL) }, { "until", INVENTORY_LOOP, IN(SHELL) | IN(RUBY) | IN(PERL) },
    { "speech_recognition", INVENTORY_SPEECH, 0 }, { "vosk", INVENTORY_SPEECH, 0 }, { "whisper", INVENTORY_SPEECH, 0 }, { "pocketsphinx", INVENTORY_SPEECH, 0 },
    { "deepgram", INVENTORY_SPEECH, 0 }, { "openai", INVENTORY_SPEECH, 0 }, { "dialogflow", INVENTORY_SPEECH, 0 }, { "speechrecognize", INVENTORY_SPEECH, 0 },
    { "SpeechClient", INVENTORY_SPEECH, 0 }, { "googletts", INVENTORY_SPEECH, 0 }, { "gtts", INVENTORY_SPEECH, 0 },
    { "Originate", INVENTORY_ORIGINATE, 0 }, { "originate", INVENTORY_ORIGINATE, 0 },
    { "sleep", INVENTORY_SLEEP, 0 }, { "usleep", INVENTORY_SLEEP, 0 }, { "setTimeout", INVENTORY_SLEEP, IN(JAVASCRIPT) },
#undef IN
};

static void trait_name(struct reader *r)
{
    const struct script_token *const t = &r->now;

    for (size_t i = 0; i < sizeof trait_words / sizeof *trait_words; i++)
        if ((trait_words[i].languages == 0 || trait_words[i].languages & 1u << r->s->language) && text_eq(t->text, text_of(trait_words[i].word)) &&
            !(t->has_sigil && r->s->language != INVENTORY_JAVASCRIPT)) {
            trait_keep(r, trait_words[i].bit, t->line);
            if (trait_words[i].bit == INVENTORY_SYSTEM)
                r->shell_line = t->line;
        }
    /* `while read` takes the lines that AGI sends first. */
    if (r->s->language == INVENTORY_SHELL && text_eq(r->last[0].text, TEXT("while")) && !text_eq(t->text, TEXT("read")) && !text_eq(t->text, TEXT("IFS")))
        trait_keep(r, INVENTORY_LOOP, t->line);
    if (r->s->language == INVENTORY_PHP && text_eq(t->text, TEXT("exec")) && !(r->last[0].kind == SCRIPT_SIGN && r->last[0].text.p[0] == '>')) {
        trait_keep(r, INVENTORY_SYSTEM, t->line);
        r->shell_line = t->line;
    }
    /* A descriptor of its own: fdopen(3, ... read(3, ... <&3. */
    if (text_eq(t->text, TEXT("3")) && r->last[0].kind == SCRIPT_SIGN && (r->last[0].text.p[0] == '(' || r->last[0].text.p[0] == '&') &&
        (r->last[0].text.p[0] == '&' || text_eq(r->last[1].text, TEXT("fdopen")) || text_eq(r->last[1].text, TEXT("read")) || text_eq(r->last[1].text, TEXT("open")) ||
         text_eq(r->last[1].text, TEXT("for_fd"))))
        trait_keep(r, INVENTORY_AUDIO_FD3, t->line);
}

static bool has_word(struct text t, const char *word)
{
    return text_find_text(t, text_of(word)) >= 0;
}

static bool is_sql(struct text t)
{
    static const char *const verbs[] = { "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE INTO" };
    const struct text all = text_trim(t);

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (text_starts_nocase(all, text_of(verbs[i])))
            return true;
    return false;
}

/* A text into which a variable is put. */
static bool is_filled(const struct reader *r, const struct script_token *t)
{
    if (!t->is_open)
        return false;
    if (r->s->language == INVENTORY_PYTHON)
        return text_find(t->text, '{') >= 0;
    if (r->s->language == INVENTORY_RUBY)
        return has_word(t->text, "#{");
    if (r->s->language == INVENTORY_JAVASCRIPT)
        return has_word(t->text, "${");
    return text_find(t->text, '$') >= 0;
}

static void trait_text(struct reader *r)
{
    const struct script_token *const t = &r->now;

    if (has_word(t->text, "http://") || has_word(t->text, "https://"))
        trait_keep(r, INVENTORY_HTTP, t->line);
    if (has_word(t->text, "/dev/fd/3") || has_word(t->text, "/proc/self/fd/3"))
        trait_keep(r, INVENTORY_AUDIO_FD3, t->line);
    if (has_word(t->text, "spool/asterisk/outgoing") || has_word(t->text, "Action: Originate"))
        trait_keep(r, INVENTORY_ORIGINATE, t->line);
    if (has_word(t->text, "speech.googleapis") || has_word(t->text, "SPEECH RECOGNIZE") || has_word(t->text, "api.openai.com"))
        trait_keep(r, INVENTORY_SPEECH, t->line);
    if (is_sql(t->text)) {
        trait_keep(r, INVENTORY_DATABASE, t->line);
        r->sql_line = t->line;
        if (is_filled(r, t))
            line_keep(&r->sql_joined, t->line);
    }
    if (t->is_command) {
        trait_keep(r, INVENTORY_SYSTEM, t->line);
        /* In a script of the shell a variable in `...` is a word that the same shell puts in: nothing is read a second time, but by eval. */
        if (r->s->language != INVENTORY_SHELL && text_find(t->text, '$') >= 0)
            line_keep(&r->shell_joined, t->line);
    }
    if (r->shell_line == t->line && is_filled(r, t))
        line_keep(&r->shell_joined, t->line);
    if (text_starts(t->text, TEXT("sk-")) && t->text.n > 20)
        trait_keep(r, INVENTORY_SECRET, t->line);
}

/* "..." + name, "..." . $name, "..." % name, .. in Lua: behind a text that is SQL, or in a call of the shell. */
static void joined(struct reader *r)
{
    const struct script_token *const sign = &r->last[0], *const before = &r->last[1];
    const bool dots = r->s->language == INVENTORY_LUA && sign->kind == SCRIPT_SIGN && sign->text.p[0] == '.';

    if (r->now.kind != SCRIPT_NAME || sign->kind != SCRIPT_SIGN || (!dots && before->kind != SCRIPT_TEXT))
        return;
    if (!strchr("+.%", sign->text.p[0]) || (sign->text.p[0] == '.' && r->s->language != INVENTORY_PERL && r->s->language != INVENTORY_PHP && !dots))
        return;
    if (r->sql_line == r->now.line)
        line_keep(&r->sql_joined, r->now.line);
    if (r->shell_line == r->now.line)
        line_keep(&r->shell_joined, r->now.line);
}

/* password = "..."; the value itself goes nowhere. */
static void secret_look(struct reader *r)
{
    static const char *const names[] = { "password", "passwd", "secret", "api_key", "apikey", "token", "pass" };

    if (r->now.kind == SCRIPT_NAME || (r->now.kind == SCRIPT_TEXT && r->now.text.n < 20 && r->now.text.n > 3)) {
        bool is_name = false;

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            is_name = is_name || text_eq_nocase(r->now.text, text_of(names[i])) ||
                      (r->now.kind == SCRIPT_NAME && text_ends(r->now.text, text_of(names[i])) && i < 6);
        if (is_name) {
            r->secret_name = true;
            return;
        }
    }
    if (r->now.kind == SCRIPT_SIGN && strchr("=:>", r->now.text.p[0]))
        return;
    if (r->secret_name && r->now.kind == SCRIPT_TEXT && r->now.text.n > 0 && r->last[0].kind == SCRIPT_SIGN && strchr("=:>", r->last[0].text.p[0]) &&
        !is_filled(r, &r->now))
        trait_keep(r, INVENTORY_SECRET, r->now.line);
    r->secret_name = false;
}

/* ---- the whole ---- */

static void take(struct reader *r)
{
    if (r->call.n > 0 && r->now.kind == SCRIPT_TEXT) {
        command_argument(r, r->call, text_trim(r->now.text), r->now.line);
        r->call = TEXT_NONE;
    } else if (r->call.n > 0 && !(r->now.kind == SCRIPT_SIGN && r->now.text.p[0] == '(')) {
        r->call = TEXT_NONE;
    }
    if (r->wrapped.n > 0)
        wrapper_go_on(r);
    secret_look(r);
    joined(r);
    if (r->now.kind == SCRIPT_TEXT) {
        command_text(r, &r->now);
        trait_text(r);
    } else if (r->now.kind == SCRIPT_NAME) {
        command_call(r);
        command_wrapper(r);
        command_words(r);
        trait_name(r);
    }
    r->last[2] = r->last[1];
    r->last[1] = r->last[0];
    r->last[0] = r->now;
}

int script_facts(struct inventory_script *s, struct arena *memory, struct text source)
{
    struct reader r = { .s = s, .memory = memory };
    struct script_lexer l;

    script_lexer_begin(&l, s->language, source);
    while (!r.err && script_lexer_next(&l, &r.now))
        take(&r);
    s->lines = source.n > 0 ? 1 : 0;
    for (size_t i = 0; i + 1 < source.n; i++)
        s->lines += source.p[i] == '\n';
    s->joins_sql = r.sql_joined;
    s->joins_shell = r.shell_joined;
    return r.err;
}
