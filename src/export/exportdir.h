/* The directory of an exporter, one a session, in which it has a file for each disk. */
#ifndef EXPORT_EXPORTDIR_H
#define EXPORT_EXPORTDIR_H

struct exportdir {
	int fd, parent_fd;
	char name[16]; /* of the directory in its parent */
};

/* Open `dir`, an absolute path whose parent is there; made (0700) when missing.  0 or a negative
 * errno. */
int exportdir_open(struct exportdir *d, const char *dir);
/* It is removed, unless somebody has something in it. */
void exportdir_close(struct exportdir *d);

#endif
