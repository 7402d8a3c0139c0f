/* A tool as a model is told of it. Who carries it out is the conversation's affair: a provider reports the call (on_tool_call), whatever
 * the name, and passes the answer on. */
#pragma once

struct ai_tool {
    const char *name;
    const char *description;       /* NULL: none */
    const char *parameters;        /* JSON schema of an object; NULL: no arguments */
};
