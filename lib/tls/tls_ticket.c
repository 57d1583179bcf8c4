/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

enum { NAME_SIZE = 16, CIPHER_KEY = 32, MAC_KEY = 32, CHANGE_MS = 3600 * 1000 };

struct ticket_key {
	unsigned char name[NAME_SIZE]; /* in front of each ticket, public */
	unsigned char cipher[CIPHER_KEY];
	unsigned char mac[MAC_KEY];
	int64_t made;
	bool valid;
};

struct tls_ticket_keys {
	struct ticket_key now;
	struct ticket_key former;
};

static int slot = -1;

struct tls_ticket_keys *
tls_ticket_keys_new(void)
{
	return mem_new(sizeof(struct tls_ticket_keys));
}

void
tls_ticket_keys_free(struct tls_ticket_keys **k)
{
	if (*k == NULL)
		return;
	OPENSSL_cleanse(*k, sizeof(**k));
	free(*k);
	*k = NULL;
}

static bool
make(struct ticket_key *k, int64_t now)
{
	k->made = now;
	k->valid = RAND_bytes(k->name, NAME_SIZE) == 1 &&
	    RAND_bytes(k->cipher, CIPHER_KEY) == 1 &&
	    RAND_bytes(k->mac, MAC_KEY) == 1;
	return k->valid;
}

/* Retires keys that have had their time. */
static void
turn(struct tls_ticket_keys *k)
{
	int64_t now = clock_ms();

	if (k->former.valid && now - k->former.made >= 2 * CHANGE_MS)
		OPENSSL_cleanse(&k->former, sizeof(k->former));
	if (k->now.valid && now - k->now.made >= CHANGE_MS) {
		if (now - k->now.made < 2 * CHANGE_MS)
			k->former = k->now;
		OPENSSL_cleanse(&k->now, sizeof(k->now));
	}
}

static bool
prepare(struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, bool seal)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac,
		    MAC_KEY),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
		    0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv,
		   seal) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's contract: 1 use it, 2 use it and issue a new one, 0 no, -1 error */
static int
seal_ticket(struct tls_ticket_keys *k, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	if (!k->now.valid && !make(&k->now, clock_ms()))
		return -1;
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
		return -1;
	memcpy(name, k->now.name, NAME_SIZE);
	return prepare(&k->now, iv, cipher, mac, true) ? 1 : -1;
}

static int
open_ticket(struct tls_ticket_keys *k, const unsigned char *name,
    unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_key *found = NULL;

	if (k->now.valid && memcmp(name, k->now.name, NAME_SIZE) == 0)
		found = &k->now;
	else if (k->former.valid &&
	    memcmp(name, k->former.name, NAME_SIZE) == 0)
		found = &k->former;
	if (found == NULL)
		return 0;
	if (!prepare(found, iv, cipher, mac, false))
		return -1;
	return found == &k->now ? 1 : 2;
}

static int
handle(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	struct tls_ticket_keys *k;
	int result;

	k = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot);
	if (k == NULL)
		return -1;
	turn(k);
	if (seal)
		return seal_ticket(k, name, iv, cipher, mac);
	result = open_ticket(k, name, iv, cipher, mac);
	/* clients use a ticket of TLS 1.3 once (RFC 8446 appendix C.4) */
	return result == 1 && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : result;
}

int
tls_ticket_keys_use(struct tls_ticket_keys *k, SSL_CTX *context)
{
	if (slot == -1)
		slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (slot == -1 || SSL_CTX_set_ex_data(context, slot, k) != 1)
		return -1;
	if (SSL_CTX_set_tlsext_ticket_key_evp_cb(context, handle) != 1)
		return -1;
	SSL_CTX_set_timeout(context, CHANGE_MS / 1000);
	return 0;
}
