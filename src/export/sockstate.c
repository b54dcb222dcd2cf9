#include "export/sockstate.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VERSION 1u
#define SEALS   (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* What lies in the memfd. */
struct record {
	char magic[8];
	uint32_t version, session;
	char name[32];
	uint64_t file_dev, file_ino;
};

static const char magic[8] = "oiswsock";

int
sockstate_make(const struct sockstate *s)
{
	struct record r = { .version = VERSION,
		.session = s->session,
		.file_dev = s->file_dev,
		.file_ino = s->file_ino };
	int err, fd = memfd_create("openisw-socket", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	memcpy(r.magic, magic, sizeof r.magic);
	memcpy(r.name, s->name, sizeof r.name);
	if (pwrite(fd, &r, sizeof r, 0) == sizeof r && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	err = errno != 0 ? -errno : -EIO;
	close(fd);
	return err;
}

bool
sockstate_read(int fd, struct sockstate *ret)
{
	struct record r;

	if (pread(fd, &r, sizeof r, 0) != sizeof r || memcmp(r.magic, magic, sizeof r.magic) != 0 ||
	    r.version != VERSION || memchr(r.name, '\0', sizeof r.name) == NULL ||
	    r.name[0] == '\0' || strchr(r.name, '/') != NULL)
		return false;
	*ret = (struct sockstate){
		.session = r.session, .file_dev = r.file_dev, .file_ino = r.file_ino
	};
	memcpy(ret->name, r.name, sizeof ret->name);
	return true;
}
