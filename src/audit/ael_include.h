/* The files of a dialplan in AEL, as #include stacks them. Part of the lexer. */
#pragma once

#include "audit/ael_lexer.h"

/* At "#include "FILE"": goes over it, and into what it names. False: something else stands here. */
bool ael_include_enter(struct ael_lexer *x);
/* At the end of a file: into the next of the pattern, or back to the file that included it. False: this was the root. */
bool ael_include_leave(struct ael_lexer *x);
