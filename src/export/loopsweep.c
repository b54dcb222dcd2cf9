/*
 * The list of numbers is taken first and then gone through, so that what comes
 * meanwhile is never touched.
 */
#include "export/loopsweep.h"

#include <sys/ioctl.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/loopadopt.h"
#include "export/loopid.h"
#include "sys/sysfs.h"

/* To take one out takes the kernel some 50 ms: others want their turn on the thread. */
#define TIDY_BATCH 4
/* As in loopjob.c, for all together. */
#define RELEASE_TRIES 100
#define RELEASE_NAP   (20 * 1000 * 1000) /* nanoseconds */

/* N of "loopN", or -1. */
static int
number_of(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "loop", 4) != 0 || !isdigit((unsigned char)name[4]))
		return -1;
	n = strtol(name + 4, &end, 10);
	return *end != '\0' || n > INT_MAX ? -1 : (int)n;
}

int
loopsweep_list(int **ret, size_t *ret_n)
{
	DIR *d = sysfs_dir("block");
	size_t n = 0, room = 0;
	int *list = NULL, err = 0;
	struct dirent *e;

	if (d == NULL)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		int number = number_of(e->d_name), *more;

		if (number < 0)
			continue;
		if (n == room) {
			room = room > 0 ? 2 * room : 64;
			more = realloc(list, room * sizeof *list);
			if (more == NULL) {
				err = -ENOMEM;
				break;
			}
			list = more;
		}
		list[n++] = number;
	}
	closedir(d);
	if (err < 0) {
		free(list);
		return err;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

bool
loopsweep_let_go(int number)
{
	int fd = loopid_open(number, O_RDONLY), no = 0;
	bool ok;

	if (fd < 0)
		return false;
	(void)ioctl(fd, BLKROSET, &no); /* for its next user */
	ok = ioctl(fd, LOOP_CLR_FD, 0) == 0 || errno == ENXIO;
	close(fd);
	return ok;
}

/* The last close ends them; udev's may come a moment later. */
static void
await_release(struct loopdev_job *job, const int *swept, size_t n)
{
	for (int tries = 0; n > 0 && tries < RELEASE_TRIES; tries++) {
		while (n > 0 && !loopid_is_on(swept[n - 1], job->file))
			n--;
		if (n == 0)
			return;
		/* no-sleep-ok: the kernel tells nobody when a loop device is released. */
		nanosleep(&(struct timespec){ .tv_nsec = RELEASE_NAP }, NULL);
	}
	if (n == 0)
		return;
	job->result = -EBUSY;
	(void)snprintf(job->why, sizeof job->why,
	    "/dev/loop%d of an earlier run is in use still; it goes when it is closed",
	    swept[n - 1]); /* fits */
}

void
loopsweep_run(struct loopdev_job *job)
{
	char backing[16];
	size_t n = 0, kept = 0;
	bool is_dir = job->file[strlen(job->file) - 1] == '/';
	int *list = NULL, *swept;

	(void)loopsweep_list(&list, &n); /* what it cannot see it leaves */
	swept = calloc(n + 1, sizeof *swept);
	for (size_t i = 0; i < n && swept != NULL; i++) {
		bool is_ours = !is_dir || loopid_is_below(list[i], job->file);

		if (!loopid_is_on(list[i], job->file) ||
		    loopadopt_is_kept(list[i], job->file, &job->kept) || !loopsweep_let_go(list[i]))
			continue;
		if (is_ours) /* another one's users are not waited for */
			swept[job->count++] = list[i];
	}
	if (swept != NULL)
		await_release(job, swept, job->count);
	free(swept);
	for (size_t i = 0; i < n; i++)
		if (list[i] >= LOOPDEV_KEPT && !loopid_file(list[i], backing, sizeof backing))
			list[kept++] = list[i];
	job->numbers = list;
	job->n_numbers = kept;
}

void
loopsweep_tidy(struct loopdev_job *job)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0) {
		job->n_numbers = 0;
		return;
	}
	/* One that is used again is not taken out: the kernel refuses. */
	for (int i = 0; i < TIDY_BATCH && job->n_numbers > 0; i++)
		if (ioctl(control, LOOP_CTL_REMOVE, job->numbers[--job->n_numbers]) == 0)
			job->count++;
	close(control);
}
