/* For tests: the commands as a user runs them, under a root of the test's own. */
#ifndef TOOLS_RAN_H
#define TOOLS_RAN_H

#include <stddef.h>

#include "tools/fake_driver.h"

struct CMUnitTest;

/* What the last command wrote. */
extern char ran_out[65536], ran_err[65536];
extern char ran_root[];
extern char ran_iscsi_path[128], ran_isw_path[128]; /* where a fake driver may listen */

/* What stands in a descriptor, from its beginning. */
void ran_read(int fd, char *buf, size_t cap);
/* Run with these descriptors as standard output and error; the exit status. */
int ran_spawn(const char *text, int out_fd, int err_fd);
/* Run a command without a driver; fills out and err. */
int ran_line(const char *text);
/* Run one that makes exactly these requests. */
int ran_with(const char *text, const struct fake_exchange *exchanges, size_t n);
/* The tests of a program that was given the paths of iscsiutil, ioscan, insf and rmsf; its exit
 * status. */
int ran_group(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

#define RUN(text, ...)                                                \
	ran_with(text, (const struct fake_exchange[]){ __VA_ARGS__ }, \
	    sizeof((const struct fake_exchange[]){ __VA_ARGS__ }) / sizeof(struct fake_exchange))

#define OK(result) "{'ok':true,'result':" result "}"
#define ERROR(code, message) \
	"{'ok':false,'error':{'code':'" code "','message':'" message "','next':'do that'}}"

#endif
