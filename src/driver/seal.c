#include "driver/seal.h"

#include <sys/random.h>

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#define KEY_BYTES 32

/* The process's; made once. */
static struct {
	pthread_once_t once;
	bool is_there;
	uint8_t bytes[KEY_BYTES];
} key = { .once = PTHREAD_ONCE_INIT };

static void
make_key(void)
{
	key.is_there = getrandom(key.bytes, sizeof key.bytes, 0) == (ssize_t)sizeof key.bytes;
}

/* Encrypting and decrypting are the same. */
static bool
stream(const uint8_t *nonce, const uint8_t *from, size_t n, uint8_t *to)
{
	EVP_CIPHER_CTX *ctx = NULL;
	bool is_done = false;
	int len;

	(void)pthread_once(&key.once, make_key); /* it cannot fail with these arguments */
	ERR_set_mark();
	if (key.is_there && n <= INT_MAX)
		ctx = EVP_CIPHER_CTX_new();
	if (ctx != NULL && EVP_EncryptInit_ex2(ctx, EVP_aes_256_ctr(), key.bytes, nonce, NULL) == 1)
		is_done = EVP_EncryptUpdate(ctx, to, &len, from, (int)n) == 1;
	EVP_CIPHER_CTX_free(ctx); /* which wipes it */
	ERR_pop_to_mark();
	return is_done;
}

bool
seal_close(uint8_t *secret, size_t n)
{
	uint8_t *nonce = secret + n;

	if (getrandom(nonce, SEAL_BYTES, 0) == SEAL_BYTES && stream(nonce, secret, n, secret))
		return true;
	explicit_bzero(secret, n);
	return false;
}

bool
seal_open(const uint8_t *sealed, size_t n, uint8_t *ret)
{
	if (stream(sealed + n, sealed, n, ret))
		return true;
	explicit_bzero(ret, n);
	return false;
}
