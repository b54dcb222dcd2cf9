/* The porter's last work: the loop devices that are free now are taken out of the system. */
#ifndef EXPORT_PORTER_TIDY_H
#define EXPORT_PORTER_TIDY_H

#include <stddef.h>

/*
 * Takes the free ones of these numbers out, by processes of its own: each costs the kernel some
 * 50 ms (Linux 6.18), most of which is waiting, and some 150 KiB as long as it is there.
 * Returns when all is done or PORTER_TIDY_MS have passed; they go on then, for two minutes at the
 * most.  What is used again meanwhile the kernel leaves.
 */
void porter_tidy(const int *numbers, size_t n);
#define PORTER_TIDY_MS 800

#endif
