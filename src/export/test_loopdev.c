/* Loop devices on files that this process serves: what a disk is through one. */
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/looptest.h"

#define MIB (1u << 20)

static void
a_disk_is_a_block_device_with_its_own_block_size(void **state)
{
	struct looptest f;
	uint8_t *buf = NULL;

	(void)state;
	assert_int_equal(posix_memalign((void **)&buf, 4096, MIB), 0);
	looptest_begin(&f);
	for (uint32_t block = 512; block <= 4096; block *= 8) {
		struct memdev *m = fusetest_add(&f.t, block == 512 ? "a" : "b", 8 * MIB, block);
		int fd, logical;
		uint64_t size;

		looptest_attach(&f, m);
		assert_true(f.job.is_direct);
		assert_int_equal(fusetest_openers(&f.t, m), 1);
		fd = open(f.job.path, O_RDWR | O_DIRECT | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(ioctl(fd, BLKSSZGET, &logical), 0);
		assert_int_equal(logical, block);
		assert_int_equal(ioctl(fd, BLKGETSIZE64, &size), 0);
		assert_int_equal(size, 8 * MIB);
		for (unsigned i = 0; i < MIB; i++)
			buf[i] = (uint8_t)(i * 7 >> 2);
		assert_int_equal(pwrite(fd, buf, MIB, 2 * MIB), MIB);
		assert_memory_equal(m->mem + 2 * MIB, buf, MIB);
		memset(m->mem + 4096, 0x99, 4096);
		assert_int_equal(pread(fd, buf, 4096, 4096), 4096);
		assert_memory_equal(buf, m->mem + 4096, 4096);
		assert_int_equal(fsync(fd), 0);
		assert_true(m->answered[BLK_FLUSH] > 0);
		m->bad_from = 0;
		m->bad_to = 512;
		assert_int_equal(pread(fd, buf, 4096, 0), -1);
		assert_int_equal(errno, EIO);
		m->bad_to = 0;
		close(fd);
		assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
		assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -ENXIO);
		assert_int_equal(fusetest_openers(&f.t, m), 0);
	}
	looptest_end(&f);
	free(buf);
}

static void
a_read_only_disk_is_a_read_only_block_device(void **state)
{
	struct looptest f;
	struct memdev *m;
	char buf[4096] = { 0 };
	int fd, ro = 0;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	m->dev.read_only = true;
	looptest_attach(&f, m);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, BLKROGET, &ro), 0);
	assert_int_equal(ro, 1);
	assert_int_equal(write(fd, buf, sizeof buf), -1);
	/* Others do not get the file itself for writing. */
	assert_int_equal(looptest_spawn((char *[]){ "sh", "-c", "exec 3<>\"$0\"",
			     (char *)fusetest_path(&f.t, "d"), NULL }),
	    2);
	/* Lifted and raised while it is open, for later writers. */
	m->dev.read_only = false;
	f.job.is_read_only = false;
	assert_int_equal(looptest_run(&f, LOOPDEV_CHANGE), 0);
	assert_int_equal(ioctl(fd, BLKROGET, &ro), 0);
	assert_int_equal(ro, 0);
	close(fd);
	fd = open(f.job.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, buf, sizeof buf), sizeof buf);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	m->dev.read_only = f.job.is_read_only = true;
	assert_int_equal(looptest_run(&f, LOOPDEV_CHANGE), 0);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKROGET, &ro), 0);
	assert_int_equal(ro, 1);
	close(fd);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_end(&f);
}

/* Make `count` files of different sizes, or check them. */
static void
handle_files(const char *dir, unsigned count, bool is_check)
{
	static char want[70000], got[sizeof want];
	char path[128];

	for (unsigned i = 0; i < count; i++) {
		size_t n = i * 997 % sizeof want;
		int fd;

		memset(want, (int)(i & 0xff), sizeof want);
		snprintf(path, sizeof path, "%s/file%u", dir, i);
		fd = open(path, is_check ? O_RDONLY : O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		if (is_check) {
			assert_int_equal(read(fd, got, sizeof got), n);
			assert_memory_equal(got, want, n);
		} else {
			assert_int_equal(write(fd, want, n), n);
		}
		close(fd);
	}
}

static void
a_file_system_on_it_survives_a_copy(void **state)
{
	struct looptest f;
	struct memdev *m;
	char mnt[80];

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 64 * MIB, 512);
	m->reorder_seed = 12;
	looptest_attach(&f, m);
	snprintf(mnt, sizeof mnt, "%s/mnt", f.t.base);
	assert_int_equal(mkdir(mnt, 0700), 0);
	assert_int_equal(
	    looptest_spawn((char *[]){ "mkfs.ext4", "-q", "-F", f.job.path, NULL }), 0);
	assert_int_equal(mount(f.job.path, mnt, "ext4", 0, ""), 0);
	handle_files(mnt, 300, false);

	assert_non_null(strstr(looptest_user_of(&f), mnt));
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -EBUSY);
	assert_non_null(strstr(f.job.why, mnt));

	assert_int_equal(umount(mnt), 0);
	assert_int_equal(
	    looptest_spawn((char *[]){ "fsck.ext4", "-f", "-n", f.job.path, NULL }), 0);
	/* The page cache has nothing to do with it: through another loop device it is the same. */
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_attach(&f, m);
	assert_int_equal(mount(f.job.path, mnt, "ext4", MS_RDONLY, ""), 0);
	handle_files(mnt, 300, true);
	assert_int_equal(umount(mnt), 0);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	assert_int_equal(rmdir(mnt), 0);
	looptest_end(&f);
}

static void
discarded_blocks_are_zeros(void **state)
{
	struct looptest f;
	struct memdev *m;
	char buf[4096];
	int fd;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 4096);
	memset(m->mem, 0xaa, 8 * MIB);
	looptest_attach(&f, m);
	assert_int_equal(looptest_spawn((char *[]){
			     "blkdiscard", "-o", "1048576", "-l", "1048576", f.job.path, NULL }),
	    0);
	assert_true(m->submitted[BLK_WRITE_ZEROES] > 0);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, buf, 4096, MIB), 4096);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(buf[i], 0);
	close(fd);
	assert_int_equal(m->mem[MIB - 1], 0xaa);
	assert_int_equal(m->mem[2 * MIB], 0xaa);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_end(&f);
}

static void
it_grows_with_the_disk(void **state)
{
	struct looptest f;
	struct memdev *m;
	uint64_t size = 0;
	static uint8_t buf[4096] __attribute__((aligned(4096)));
	int fd;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 16 * MIB, 512);
	m->dev.size_bytes = 8 * MIB;
	looptest_attach(&f, m);
	m->dev.size_bytes = 16 * MIB;
	assert_int_equal(looptest_run(&f, LOOPDEV_CHANGE), 0);
	fd = open(f.job.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	assert_int_equal(ioctl(fd, BLKGETSIZE64, &size), 0);
	assert_int_equal(size, 16 * MIB);
	memset(buf, 0x31, 4096);
	assert_int_equal(pwrite(fd, buf, 4096, 16 * MIB - 4096), 4096);
	memset(buf, 0, 4096);
	assert_int_equal(pread(fd, buf, 4096, 16 * MIB - 4096), 4096);
	assert_int_equal(buf[4095], 0x31);
	close(fd);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_a_block_device_with_its_own_block_size),
		cmocka_unit_test(a_read_only_disk_is_a_read_only_block_device),
		cmocka_unit_test(a_file_system_on_it_survives_a_copy),
		cmocka_unit_test(discarded_blocks_are_zeros),
		cmocka_unit_test(it_grows_with_the_disk),
	};

	return looptest_main("loopdev", tests, sizeof tests / sizeof tests[0]);
}
