/* The sockets of disks among what is held: known by whose they are, so their keys are any. */
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "base/limits.h"
#include "export/holding_impl.h"
#include "sys/log.h"

/* Under lock.  The name NULL: any. */
static struct holding_item *
find_socket(const struct holding *h, uint32_t session, const char *name, bool is_left)
{
	for (size_t i = 0; i < h->n; i++) {
		struct holding_item *it = &h->items[i];

		if (holding_is_socket(it->key) && holding_is_left(it) == is_left &&
		    it->of.name[0] != '\0' && it->of.session == session &&
		    (name == NULL || strcmp(it->of.name, name) == 0))
			return it;
	}
	return NULL;
}

bool
holding_take_socket(
    struct holding *h, uint32_t session, const char *name, struct export_socket *ret)
{
	int fds[HELD_FDS] = { -1, -1 };
	struct holding_item *i;

	pthread_mutex_lock(&h->lock);
	i = find_socket(h, session, name, true);
	if (i != NULL) {
		holding_hand_out(i, fds);
		*ret = (struct export_socket){
			.fd = fds[0], .file_dev = i->of.file_dev, .file_ino = i->of.file_ino
		};
	}
	pthread_mutex_unlock(&h->lock);
	if (i != NULL)
		close(fds[1]);
	return i != NULL;
}

/* Under lock: a number that nothing has.  There are more of them than may be held. */
static uint32_t
new_key(struct holding *h)
{
	do
		h->last_socket = HELD_SOCKET | (h->last_socket + 1);
	while (holding_find(h, h->last_socket) != NULL);
	return h->last_socket;
}

/* Under lock; the descriptors are taken. */
static bool
add_socket(struct holding *h, const struct sockstate *of, const int fds[HELD_FDS])
{
	uint32_t key;

	if (h->n_sockets >= LIMIT_HELD_SOCKETS) {
		holding_close(fds);
		return false;
	}
	key = new_key(h);
	if (!holding_add(h, key, fds))
		return false;
	h->items[h->n - 1].of = *of;
	holding_say(h, HELD_PUT, key, fds);
	return true;
}

void
holding_put_socket(
    struct holding *h, uint32_t session, const char *name, const struct export_socket *socket)
{
	struct sockstate of = {
		.session = session, .file_dev = socket->file_dev, .file_ino = socket->file_ino
	};
	int from[HELD_FDS] = { socket->fd, -1 }, fds[HELD_FDS];
	bool ok;

	cut_copy(of.name, sizeof of.name, name);
	from[1] = sockstate_make(&of);
	ok = from[1] >= 0 && holding_copy(from, fds);
	if (from[1] >= 0)
		close(from[1]);
	pthread_mutex_lock(&h->lock);
	ok = ok && add_socket(h, &of, fds);
	pthread_mutex_unlock(&h->lock);
	if (!ok)
		log_warn(
		    "the socket of disk %s ends with this process: no descriptors or no memory, "
		    "or %u sockets are held",
		    name, LIMIT_HELD_SOCKETS);
}

void
holding_drop_socket(struct holding *h, uint32_t session, const char *name)
{
	struct holding_item *i;

	pthread_mutex_lock(&h->lock);
	i = find_socket(h, session, name, false);
	if (i != NULL)
		holding_drop_item(h, i);
	pthread_mutex_unlock(&h->lock);
}

void
holding_keep_sockets(
    struct holding *h, bool (*keep)(uint32_t session, const char *name, void *user), void *user)
{
	pthread_mutex_lock(&h->lock);
	for (size_t k = h->n; k-- > 0;) {
		struct holding_item *i = &h->items[k];

		if (holding_is_socket(i->key) && holding_is_left(i) &&
		    (i->of.name[0] == '\0' || !keep(i->of.session, i->of.name, user)))
			holding_drop_item(h, i);
	}
	pthread_mutex_unlock(&h->lock);
}

bool
holding_has_socket(struct holding *h, uint32_t session, const char *name)
{
	bool has;

	pthread_mutex_lock(&h->lock);
	has = find_socket(h, session, name, true) != NULL;
	pthread_mutex_unlock(&h->lock);
	return has;
}
