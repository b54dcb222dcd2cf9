/* What the ways to use iscsiutil share: asking the driver about a line. */
#ifndef ISCSIUTIL_ASK_H
#define ISCSIUTIL_ASK_H

#include <jansson.h>

#include "sys/log.h"
#include "tools/common/call.h"
#include "tools/iscsiutil/spec.h"

/*
 * Which driver the line is for; the guide's /dev/isw has a version and
 * statistics only.  Everything else is answered with STATUS_USAGE and a
 * sentence.
 */
enum status ask_device(const struct cmdline *line, enum call_device *ret_device);
/*
 * Connect, ask, and print the answer where JSON is wanted.  Takes the
 * reference of `args`; with args_ok false nothing is asked.
 */
enum status ask_driver(const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok,
    enum call_device device, json_t **ret_result);
/* "default" takes a setting away, whichever it is; an empty word does, too. */
bool ask_is_default(const char *word);
/* An option's text, empty where it is the word that takes the setting away. */
bool ask_put_setting(json_t *args, const char *key, const struct cmdline *line, size_t option);
/* A level by its number, its word or the guide's name of it (LVL_ERR). */
bool ask_level(const char *word, enum log_level *ret_level);
#define ASK_LEVELS "give 0 to 7, or panic, alert, crit, err, warn, note, info or debug"
/* --level, where it is given; what is wrong with it is said. */
bool ask_put_level(json_t *args, const struct cmdline *line);
/* -I, -P and -M. */
bool ask_put_portal(json_t *args, const struct cmdline *line);
bool ask_wants_json(const struct cmdline *line);
/* Says how many sessions the change that this answers does not reach yet. */
void ask_tell_sessions(const json_t *result);
/* Says that there is no such session. */
enum status ask_no_session(long instance);

#endif
