#include "export/loopadopt.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/loopid.h"
#include "export/loopsweep.h"

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

bool
loopadopt_has(const struct loopdev_kept *kept, uint32_t name)
{
	return kept->n > 0 && bsearch(&name, kept->names, kept->n, sizeof name, by_number) != NULL;
}

bool
loopadopt_is_kept(int number, const char *dir, const struct loopdev_kept *kept)
{
	char backing[PATH_MAX + 16], *end;
	size_t n = strlen(dir);
	unsigned long name;

	if (kept->n == 0 || !loopid_file(number, backing, sizeof backing) ||
	    strncmp(backing, dir, n) != 0)
		return false;
	name = strtoul(backing + n, &end, 10);
	return end > backing + n && *end == '/' && name <= UINT32_MAX &&
	       loopadopt_has(kept, (uint32_t)name);
}

/* Is it on the file itself, and not only on one of its name?  0; -ENXIO: it is not. */
static int
tied(int number, const char *file, const struct stat *st)
{
	int fd = loopid_open(number, O_RDONLY), err;
	struct loopdev_id id;

	if (fd < 0)
		return fd == -ENOENT ? -ENXIO : fd;
	err = loopid_get(fd, number, file, &id);
	close(fd);
	if (loopid_is_dead(err) ||
	    (err == 0 && (id.device != st->st_dev || id.inode != st->st_ino)))
		return -ENXIO; /* this one answers */
	return err;
}

int
loopadopt_find(const char *file, int fd)
{
	struct stat st;
	size_t n = 0;
	int *list = NULL, found = -ENXIO, err;

	if (fstat(fd, &st) < 0)
		return -errno;
	err = loopsweep_list(&list, &n);
	if (err < 0)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (!loopid_is_on(list[i], file))
			continue;
		err = tied(list[i], file, &st);
		if (err == 0 && found < 0)
			found = list[i];
		else if (err == 0 || err == -ENXIO)
			(void)loopsweep_let_go(list[i]); /* it goes when its last user does */
		else if (found == -ENXIO)
			found = err;
	}
	free(list);
	return found;
}
