/*
 * Whether this host has a network yet.  The guide, chapter 7: what fails with
 * ENETUNREACH before the network is initialised is no error to tell anybody.
 */
#ifndef ISW_NETWORK_H
#define ISW_NETWORK_H

#include <stdbool.h>

/*
 * An interface other than the loopback is up in this network namespace.  True
 * also where that cannot be told: a failure is rather told than hidden.
 */
bool network_is_up(void);

#endif
