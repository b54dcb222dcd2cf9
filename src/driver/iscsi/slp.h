/*
 * Dynamic discovery: islpd is asked which targets the network's directory
 * agents know (the guide, chapter 2).  On the main loop.
 */
#ifndef ISCSI_SLP_H
#define ISCSI_SLP_H

#include "driver/iscsi/find.h"

/* islpd answers within this with what it knows by then. */
#define SLP_TIMEOUT_MS 10000

struct slp;

/* Whether there is somebody to ask: without islpd a scan is static only. */
bool slp_is_there(const struct driver *d);
/* As find_start(); requires slp_is_there(). */
struct slp *slp_start(struct driver *d, find_done *done, void *user);
/* done() will not be called.  NULL is fine. */
void slp_cancel(struct slp *x);

#endif
