#include "turns.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/log.h"

static unsigned left;

static void
turn(struct agenda_work *w)
{
	if (--left == 0)
		loop_stop(turns_loop());
	else
		agenda_defer(loop_agenda(turns_loop()), w);
}

struct loop *
turns_loop(void)
{
	static struct loop *loop;

	if (loop == NULL) {
		loop = loop_new();
		log_set_level(LOG_LVL_CRIT); /* what the input makes us say */
	}
	if (loop == NULL)
		abort();
	return loop;
}

void
turns_make(unsigned n)
{
	struct agenda_work work;

	left = n;
	agenda_work_init(&work, turn);
	agenda_defer(loop_agenda(turns_loop()), &work);
	FUZZ_CHECK(loop_run(turns_loop()) == 0 && left == 0);
}

unsigned
turns_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (d == NULL)
		abort();
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

size_t
turns_read(int fd, char *buf, size_t max, bool *ret_ended)
{
	size_t n = 0;

	*ret_ended = false;
	while (n < max) {
		ssize_t some = read(fd, buf + n, max - n);

		if (some > 0) {
			n += (size_t)some;
			continue;
		}
		*ret_ended = some == 0 || errno != EAGAIN;
		break;
	}
	return n;
}
