#include "driver/iscsial/fake_port.h"

#include <assert.h>
#include <string.h>

#include "scsi/sense.h"

static void
submit(struct scsi_port *p, struct req *r)
{
	struct fake_port *f = LIST_ENTRY(p, struct fake_port, port);

	assert(f->n < FAKE_PORT_MAX);
	r->result = REQ_DONE;
	r->status = 0;
	r->sense_len = 0;
	r->data_got = 0;
	r->residual = 0;
	r->overflow = r->underflow = false;
	f->out[f->n++] = r;
}

static void
fail_unsent(struct scsi_port *p, const uint8_t lun[8])
{
	struct fake_port *f = LIST_ENTRY(p, struct fake_port, port);

	while (f->unsent > 0) {
		struct req *r = fake_port_req(f, f->n - f->unsent);

		assert(memcmp(r->lun, lun, 8) == 0);
		f->unsent--;
		r->result = REQ_OFFLINE;
		fake_port_answer(f, f->n - f->unsent - 1);
	}
}

void
fake_port_init(struct fake_port *f)
{
	*f = (struct fake_port){
		.port = { .loop = loop_new(), .submit = submit, .fail_unsent = fail_unsent }
	};
	assert(f->port.loop != NULL);
}

void
fake_port_fini(struct fake_port *f)
{
	assert(f->n == 0);
	loop_free(f->port.loop);
}

static void
stop(struct loop_msg *m)
{
	loop_stop(LIST_ENTRY(m, struct fake_port, stop)->port.loop);
}

void
fake_port_turn(struct fake_port *f)
{
	int err;

	/* A message's turn ends with the deferred work. */
	f->stop.run = stop;
	loop_post(f->port.loop, &f->stop);
	err = loop_run(f->port.loop);
	assert(err == 0);
}

struct req *
fake_port_req(struct fake_port *f, size_t i)
{
	assert(i < f->n);
	return f->out[i];
}

void
fake_port_answer(struct fake_port *f, size_t i)
{
	struct req *r = fake_port_req(f, i);

	memmove(f->out + i, f->out + i + 1, (f->n - i - 1) * sizeof f->out[0]);
	f->n--;
	r->done(r);
}

void
fake_port_good(struct fake_port *f, size_t i)
{
	struct req *r = fake_port_req(f, i);

	r->data_got = r->dir == REQ_READ ? r->data_len : 0;
	fake_port_answer(f, i);
}

void
fake_port_check(struct fake_port *f, size_t i, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct req *r = fake_port_req(f, i);

	r->status = SENSE_STATUS_CHECK_CONDITION;
	memset(r->sense, 0, 18);
	r->sense[0] = 0x70;
	r->sense[2] = key;
	r->sense[7] = 10;
	r->sense[12] = asc;
	r->sense[13] = ascq;
	r->sense_len = 18;
	fake_port_answer(f, i);
}
