/* Habits of C programs: stdio with a line buffer, strtok, an exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char seen[65536], line[8192], id[256];

static void get(void)
{
    if (!fgets(line, sizeof line, stdin))
        exit(7);
    if (strlen(seen) + strlen(line) < sizeof seen)
        strcat(seen, line);
}

static void ask(const char *command)
{
    printf("%s\n", command);
    fflush(stdout);
    get();
}

int main(int argc, char **argv)
{
    char text[9000], path[512];
    FILE *out;

    setlinebuf(stdout);
    do {
        get();
        sscanf(line, "agi_uniqueid: %255s", id);
    } while (line[0] != '\n');
    ask("NOOP");
    ask("GET VARIABLE CALLERID(num)");
    snprintf(text, sizeof text, "SET VARIABLE C_ARGS \"%d:%s\"", argc, argc > 1 ? argv[1] : "");
    ask(text);
    strcpy(text, "SET VARIABLE C_LONG ");
    memset(text + strlen("SET VARIABLE C_LONG "), 'x', 4000);
    text[strlen("SET VARIABLE C_LONG ") + 4000] = '\0';
    ask(text);
    ask("SET VARIABLE C_CR done\r");
    ask("EXEC Set \"C_EXEC=1\"");
    snprintf(path, sizeof path, "%s/tmp/seen-%s", getenv("AST_SPOOL_DIR"), id);
    out = fopen(path, "w");
    if (!out)
        return 8;
    fputs(seen, out);
    fclose(out);
    return 0;
}
