/* SQLite's way to the disk (disk.h), and the registry's own: files below STORE_ROOT. */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#define STORE_ROOT "/store/"

/* It is SQLite's only one from now on; its random bytes and time come from this seed. */
void vfs_begin(unsigned long long seed);

#endif
