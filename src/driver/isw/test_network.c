#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/isw/network.h"

/* In a network namespace of its own: 0 when all is as it should be, 77 when there can be none. */
static int
child(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (unshare(CLONE_NEWNET) != 0)
		return 77;
	if (network_is_up())
		return 1;
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0); /* a socket belongs to the namespace it was made in */
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) != 0)
		return 2;
	return network_is_up() ? 3 : 0;
}

static void
the_loopback_alone_is_no_network(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("no network namespace may be made here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loopback_alone_is_no_network),
	};

	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
