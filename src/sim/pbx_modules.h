/* The modules that a private Asterisk loads: explicit, so that it boots in 0.3 s with a silent log. */
#pragma once

/* Names without ".so", NULL-terminated. Newer ones may be missing in Asterisk 20: those are left out of modules.conf. */
extern const char *const pbx_modules[];
