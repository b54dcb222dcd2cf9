#include "tools/iscsiutil/capfile.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/say.h"

int
capfile_open(struct capfile *f)
{
	f->bytes = 0;
	f->made++;
	if (strcmp(f->path, "-") == 0) {
		f->fd = STDOUT_FILENO;
		return 0;
	}
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return -errno;
	/* Also where it was there: what is recorded is for its owner. */
	return fchmod(f->fd, 0600) == 0 ? 0 : -errno;
}

void
capfile_close(struct capfile *f)
{
	if (f->fd > STDOUT_FILENO)
		(void)close(f->fd); /* what was written was looked at when it was */
	f->fd = -1;
}

int
capfile_write(struct capfile *f, struct pcapng *p)
{
	size_t at = 0;
	int err = 0;

	while (at < p->len && err == 0) {
		ssize_t n = write(f->fd, p->bytes + at, p->len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			err = n == 0 ? -ENOSPC : -errno;
	}
	at = pcapng_whole(p, at);
	f->bytes += at;
	if (err != 0)
		/* Half a block would make the file one that was cut off.  Of a pipe there is
		 * nothing to take back. */
		(void)ftruncate(f->fd, (off_t)f->bytes);
	p->len = 0;
	return err;
}

bool
capfile_is_full(const struct capfile *f, const struct pcapng *p)
{
	return f->bytes_max > 0 && f->bytes + p->len >= f->bytes_max;
}

static char *
name_of(const struct capfile *f, unsigned i)
{
	return i == 0 ? say_format("%s", f->path) : say_format("%s.%u", f->path, i);
}

int
capfile_next(struct capfile *f)
{
	int err = 0;

	capfile_close(f);
	for (unsigned i = f->files - 1; i > 0 && err == 0; i--) {
		char *from = name_of(f, i - 1), *to = name_of(f, i);

		if (rename(from, to) != 0 && errno != ENOENT)
			err = -errno;
		free(from);
		free(to);
	}
	return err == 0 ? capfile_open(f) : err;
}
