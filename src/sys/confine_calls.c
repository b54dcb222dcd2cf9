#include "sys/confine_calls.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#define CONDITIONS_MAX 3
/* Flags of open() that can change something, also those that make a file without a name. */
#define OPEN_NAMELESS (O_TMPFILE & ~O_DIRECTORY)
#define OPEN_WRITES   (O_ACCMODE | O_CREAT | O_TRUNC | OPEN_NAMELESS)
#define OWN_PID       ((unsigned)getpid())
/* Flags of clone() that make one. */
#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | \
	    CLONE_NEWCGROUP)

/* The profiles as bits, by the names that confine.def uses. */
enum {
#define PROFILE(id, ...) id = 1 << CONFINE_##id,
#include "sys/confine.def"
};

struct rule {
	unsigned profiles;
	uint32_t action;
	int call;
	struct scmp_arg_cmp conditions[CONDITIONS_MAX];
};

static const struct {
	uint32_t action;
} profiles[] = {
#define REFUSED                               SCMP_ACT_ERRNO(EPERM)
#define PROFILE(id, program, action, summary) { PROFILE_##action },
#define PROFILE_REFUSE                        REFUSED
#define PROFILE_ALLOW                         SCMP_ACT_ALLOW
#include "sys/confine.def"
};

#define RULE(who, what, call, ...) { who, what, SCMP_SYS(call), { __VA_ARGS__ } },
#define IS(arg, value)                                     \
	{                                                  \
		arg, SCMP_CMP_MASKED_EQ, UINT32_MAX, value \
	}
#define ISNT(arg, value)                   \
	{                                  \
		arg, SCMP_CMP_NE, value, 0 \
	}
#define HAS(arg, mask, value)                        \
	{                                            \
		arg, SCMP_CMP_MASKED_EQ, mask, value \
	}
#define ALLOW(who, ...)                 RULE(who, SCMP_ACT_ALLOW, __VA_ARGS__)
#define REFUSE(who, err, ...)           RULE(who, SCMP_ACT_ERRNO(err), __VA_ARGS__)
#define REFUSE_NUMBER(who, err, number) { who, SCMP_ACT_ERRNO(err), number, { { 0 } } },
#define KILL(who, ...)                  RULE(who, SCMP_ACT_KILL_PROCESS, __VA_ARGS__)

static int
add_rules(scmp_filter_ctx ctx, unsigned profile)
{
	const struct rule rules[] = {
#include "sys/confine.def"
	};

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		const struct rule *r = &rules[i];
		unsigned n = 0;
		int err;

		if ((r->profiles & profile) == 0)
			continue;
		while (n < CONDITIONS_MAX && r->conditions[n].op != _SCMP_CMP_MIN)
			n++;
		err = seccomp_rule_add_array(ctx, r->action, r->call, n, r->conditions);
		if (err < 0)
			return err;
	}
	return 0;
}

int
confine_calls_filter(enum confine_profile profile)
{
	scmp_filter_ctx ctx;
	int err;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL)
		return -ENOSYS;
	ctx = seccomp_init(profiles[profile].action);
	if (ctx == NULL)
		return -ENOMEM;
	/* Whether privileges can be gained is confine.c's affair. */
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* Many rows: look a call up in a tree, not in a list. */
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (err == 0)
		err = add_rules(ctx, 1u << profile);
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}
