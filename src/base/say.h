/* How urgent a sentence is that a pure unit has for the log; the guide's levels (appendix C). */
#ifndef BASE_SAY_H
#define BASE_SAY_H

enum say_level { SAY_ERR, SAY_WARN, SAY_NOTE, SAY_INFO, SAY_DEBUG };

#endif
