/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_ticket.h"

#include <ev.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/task/task.h"

enum {
	NAME_SIZE = 16,
	CIPHER_KEY = 32,
	MAC_KEY = 32,
	CHANGE_MS = 3600 * 1000,
	TRY_AGAIN_MS = 60 * 1000, /* a source that failed */
};

struct ticket_key {
	unsigned char name[NAME_SIZE]; /* in front of each ticket, public */
	unsigned char cipher[CIPHER_KEY];
	unsigned char mac[MAC_KEY];
	bool valid;
};

struct tls_ticket_keys {
	tls_ticket_function *source;
	struct ticket_key now;
	struct ticket_key former;
	int64_t ends; /* clock_ms(): then "now" becomes "former" */
	bool asking; /* a task does; the others wait */
	struct wait_queue waiting;
	ev_timer wipe; /* the loop ends without it */
};

static int slot = -1;

static void
disarm(struct tls_ticket_keys *k)
{
	if (!ev_is_active(&k->wipe))
		return;
	ev_ref(task_ev_loop());
	ev_timer_stop(task_ev_loop(), &k->wipe);
}

static void
arm(struct tls_ticket_keys *k, int64_t at)
{
	int64_t ms = at - clock_ms();

	disarm(k);
	ev_timer_set(&k->wipe, ms > 0 ? (double)ms / 1000 : 0, 0);
	ev_timer_start(task_ev_loop(), &k->wipe);
	ev_unref(task_ev_loop());
}

/* What has had its time, though no handshake comes that would see to it. */
static void
wipe(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct tls_ticket_keys *k = timer->data;
	int64_t now = clock_ms();

	(void)events;
	ev_ref(loop);
	if (now < k->ends) {
		arm(k, k->ends);
		return;
	}
	OPENSSL_cleanse(&k->former, sizeof(k->former));
	if (now - k->ends < CHANGE_MS)
		arm(k, k->ends + CHANGE_MS);
	else
		OPENSSL_cleanse(&k->now, sizeof(k->now));
}

struct tls_ticket_keys *
tls_ticket_keys_new(tls_ticket_function *source)
{
	struct tls_ticket_keys *k = mem_new(sizeof(*k));

	k->source = source;
	ev_timer_init(&k->wipe, wipe, 0, 0);
	k->wipe.data = k;
	return k;
}

void
tls_ticket_keys_free(struct tls_ticket_keys **k)
{
	if (*k == NULL)
		return;
	disarm(*k);
	OPENSSL_cleanse(*k, sizeof(**k));
	free(*k);
	*k = NULL;
}

static void
take(struct ticket_key *k, const unsigned char secret[TLS_TICKET_SECRET])
{
	memcpy(k->name, secret, NAME_SIZE);
	memcpy(k->cipher, secret + NAME_SIZE, CIPHER_KEY);
	memcpy(k->mac, secret + NAME_SIZE + CIPHER_KEY, MAC_KEY);
	k->valid = true;
}

static bool
add_certificates(EVP_MD_CTX *all, SSL_CTX *c)
{
	unsigned char one[EVP_MAX_MD_SIZE];
	unsigned int length;
	bool good = true;

	for (long i = SSL_CTX_set_current_cert(c, SSL_CERT_SET_FIRST);
	     good && i == 1; i = SSL_CTX_set_current_cert(c, SSL_CERT_SET_NEXT))
		good = X509_digest(SSL_CTX_get0_certificate(c), EVP_sha256(),
			   one, &length) == 1 &&
		    EVP_DigestUpdate(all, one, length) == 1;
	return good;
}

/*
 * Who resumes gets the cipher and version of the ticket: OpenSSL asks whether
 * the client offers them, not whether they are still allowed here.
 */
static bool
add_choices(EVP_MD_CTX *all, SSL_CTX *c)
{
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(c);
	int64_t choices[] = { SSL_CTX_get_min_proto_version(c),
		SSL_CTX_get_max_proto_version(c), SSL_CTX_get_security_level(c),
		(int64_t)SSL_CTX_get_options(c) };
	bool good = EVP_DigestUpdate(all, choices, sizeof(choices)) == 1;

	for (int i = 0; good && i < sk_SSL_CIPHER_num(ciphers); i++) {
		uint32_t id =
		    SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ciphers, i));

		good = EVP_DigestUpdate(all, &id, sizeof(id)) == 1;
	}
	return good;
}

/* What the tickets stand for: certificates, and what was allowed with them. */
static bool
context_digest(SSL_CTX *c, unsigned char out[EVP_MAX_MD_SIZE], unsigned int *n)
{
	EVP_MD_CTX *all = EVP_MD_CTX_new();
	bool good = all != NULL &&
	    EVP_DigestInit_ex(all, EVP_sha256(), NULL) == 1 &&
	    add_certificates(all, c) && add_choices(all, c) &&
	    EVP_DigestFinal_ex(all, out, n) == 1;

	EVP_MD_CTX_free(all);
	return good;
}

/* May wait: what other tasks leave in OpenSSL's queue of errors is not ours. */
static bool
ask_source(struct tls_ticket_keys *k, SSL_CTX *context)
{
	struct tls_ticket_secrets s = { .left_ms = 0 };
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	bool good;

	good = k->source != NULL && context_digest(context, digest, &n) &&
	    k->source((struct span){ (const char *)digest, n }, &s);
	ERR_clear_error();
	if (good) {
		OPENSSL_cleanse(&k->former, sizeof(k->former));
		if (s.has_former)
			take(&k->former, s.former);
		take(&k->now, s.now);
		k->ends = clock_ms() + s.left_ms;
	}
	OPENSSL_cleanse(&s, sizeof(s));
	return good;
}

static bool
make(struct ticket_key *k)
{
	k->valid = RAND_bytes(k->name, NAME_SIZE) == 1 &&
	    RAND_bytes(k->cipher, CIPHER_KEY) == 1 &&
	    RAND_bytes(k->mac, MAC_KEY) == 1;
	return k->valid;
}

static bool
is_current(const struct tls_ticket_keys *k)
{
	return k->now.valid && clock_ms() < k->ends;
}

/* Nobody else has changed them since it was asked. */
static bool
go_on_alone(struct tls_ticket_keys *k)
{
	int64_t now = clock_ms();

	OPENSSL_cleanse(&k->former, sizeof(k->former));
	if (now - k->ends < CHANGE_MS)
		k->former = k->now;
	OPENSSL_cleanse(&k->now, sizeof(k->now));
	k->ends = now + (k->source != NULL ? TRY_AGAIN_MS : CHANGE_MS);
	return make(&k->now);
}

/* One task asks for all. */
static bool
renew(struct tls_ticket_keys *k, SSL_CTX *context)
{
	bool good;

	k->asking = true;
	good = ask_source(k, context);
	k->asking = false;
	if (!good)
		good = go_on_alone(k);
	arm(k, k->ends);
	wait_wake_all(&k->waiting);
	return good;
}

/* Retires keys that have had their time. May wait. False: there are none. */
static bool
turn(struct tls_ticket_keys *k, SSL_CTX *context)
{
	while (!is_current(k)) {
		enum wait_result r;

		if (!k->asking)
			return renew(k, context);
		r = wait_on(&k->waiting, INT64_MAX);
		ERR_clear_error();
		if (r != WAIT_READY)
			return k->now.valid;
	}
	return true;
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
	SSL_CTX *context = SSL_get_SSL_CTX(ssl);
	struct tls_ticket_keys *k = SSL_CTX_get_ex_data(context, slot);
	int result;

	if (k == NULL || !turn(k, context))
		return -1;
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
