/* An orderly end of the driver: all sessions are taken away at once, within a bound. */
#ifndef ISCSIAL_STOP_H
#define ISCSIAL_STOP_H

#include "driver/driver.h"

/* Log out of everything; then the loop stops.  Harmless a second time. */
void stop_begin(struct driver *d);
/* After the loop has ended.  False: a session is not closed, and may still use what it has. */
bool stop_end(struct driver *d);

#endif
