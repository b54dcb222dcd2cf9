/* For tests: a session whose commands the test answers itself, in any order. */
#ifndef ISCSIAL_FAKE_PORT_H
#define ISCSIAL_FAKE_PORT_H

#include <stddef.h>

#include "driver/iscsial/scsi_port.h"

#define FAKE_PORT_MAX 256

struct fake_port {
	struct scsi_port port;
	struct req *out[FAKE_PORT_MAX]; /* n of them wait for an answer, in the order they came */
	size_t n;
	size_t unsent; /* the last so many of them have not left */
	struct loop_msg stop;
};

/* With a loop of its own. */
void fake_port_init(struct fake_port *f);
void fake_port_fini(struct fake_port *f);
/* The loop's deferred work and messages. */
void fake_port_turn(struct fake_port *f);

/* The i-th command that waits. */
struct req *fake_port_req(struct fake_port *f, size_t i);
/* Answer it: GOOD, with all data moved. */
void fake_port_good(struct fake_port *f, size_t i);
/* CHECK CONDITION with fixed format sense. */
void fake_port_check(struct fake_port *f, size_t i, uint8_t key, uint8_t asc, uint8_t ascq);
/* As the fields of *r say (result, status, data_got …): set them first. */
void fake_port_answer(struct fake_port *f, size_t i);

#endif
