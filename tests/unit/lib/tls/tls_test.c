/* SPDX-License-Identifier: ISC */
/* Contexts and handshakes in memory; the key's other half is a signer here. */
#include "lib/tls/tls_internal.h"
#include "lib/tls/tls_resume.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/compat_sanitizer.h"
#include "lib/task/task.h"
#include "lib/tls/tls_key.h"
#include "lib/tls/tls_protocols.h"

static EVP_PKEY *private_key;
static unsigned int signatures;

/* What keyd does, without its checks. */
static bool
sign(const char *key, enum tls_key_operation operation, unsigned int padding,
    struct span data, struct buf *signature)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(private_key, NULL);
	unsigned char out[TLS_SIGNATURE_MAX];
	char id[TLS_KEY_ID_MAX];
	size_t n = sizeof(out);

	assert_true(tls_key_id(private_key, id));
	assert_string_equal(id, key);
	assert_int_equal(EVP_PKEY_sign_init(c), 1);
	if (operation == TLS_KEY_RSA_SIGN)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, (int)padding),
		    1);
	assert_int_equal(EVP_PKEY_sign(c, out, &n,
			     (const unsigned char *)data.p, data.n),
	    1);
	EVP_PKEY_CTX_free(c);
	signatures++;
	return buf_add(signature, out, n);
}

static bool
refuse(const char *key, enum tls_key_operation operation, unsigned int padding,
    struct span data, struct buf *signature)
{
	(void)key, (void)operation, (void)padding, (void)data, (void)signature;
	return false;
}

/* A self-signed certificate for mail.example.test, key first. */
static struct buf
make_pem(EVP_PKEY *key, bool with_key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf out = BUF_INIT(65536);
	int type = EVP_PKEY_get_base_id(key);
	char *p;
	long n;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"mail.example.test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_sign(x, key, type == EVP_PKEY_ED25519 ? NULL : EVP_sha256());
	if (with_key)
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(bio, x);
	n = BIO_get_mem_data(bio, &p);
	buf_add(&out, p, (size_t)n);
	BIO_free(bio);
	X509_free(x);
	return out;
}

static struct tls_context *
server(struct buf *pem, tls_sign_function *signer, const char *protocols,
    const char *service)
{
	struct tls_server_settings s = {
		.chain = pem->p,
		.chain_length = pem->n,
		.sign = signer,
		.protocols = protocols,
		.alpn = "smtp",
		.session_id_context = service,
	};
	const char *error = "";
	struct tls_context *c = tls_server_new(&s, &error);

	if (c == NULL)
		print_message("%s\n", error);
	return c;
}

static struct tls_context *
client(enum tls_level level)
{
	struct tls_client_settings s = { .level = level, .protocols = "" };
	const char *error = "";

	return tls_client_new(&s, &error);
}

/* Drives both sides over a pair of memory BIOs. */
static bool
shake(struct tls_session *a, struct tls_session *b)
{
	BIO *one, *two;
	int ra = 0, rb = 0;
	char byte;

	BIO_new_bio_pair(&one, 0, &two, 0);
	SSL_set_bio(tls_session_ssl(a), one, one);
	SSL_set_bio(tls_session_ssl(b), two, two);
	for (int i = 0; i < 20 && (ra != 1 || rb != 1); i++) {
		ERR_clear_error();
		ra = SSL_do_handshake(tls_session_ssl(a));
		if (ra != 1 &&
		    SSL_get_error(tls_session_ssl(a), ra) == SSL_ERROR_SSL)
			return false;
		ERR_clear_error();
		rb = SSL_do_handshake(tls_session_ssl(b));
		if (rb != 1 &&
		    SSL_get_error(tls_session_ssl(b), rb) == SSL_ERROR_SSL)
			return false;
	}
	SSL_read(tls_session_ssl(a), &byte, 1); /* takes TLS 1.3's ticket */
	ERR_clear_error();
	return ra == 1 && rb == 1;
}

static void
test_remote_keys(void **state)
{
	static const struct {
		const char *type;
		const char *protocols;
		const char *text;
	} rows[] = {
		{ "RSA", ">=TLSv1.3", "TLSv1.3 with cipher" },
		{ "RSA", "TLSv1.2", "TLSv1.2 with cipher ECDHE-RSA-" },
		{ "EC", ">=TLSv1.3", "TLSv1.3 with cipher" },
		{ "EC", "TLSv1.2", "TLSv1.2 with cipher ECDHE-ECDSA-" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context *c = client(TLS_MAY), *s;
		struct tls_session *cs, *ss;
		char one[64], two[64];
		size_t n = 0, m = 0;
		struct buf pem;

		private_key = rows[i].type[0] == 'R' ? EVP_RSA_gen(2048) :
						       EVP_EC_gen("P-256");
		pem = make_pem(private_key, true);
		s = server(&pem, sign, rows[i].protocols, "smtp");
		assert_non_null(s);
		assert_true(tls_context_expires(s) > 0);
		cs = tls_session_new(c, false, "mail.example.test");
		ss = tls_session_new(s, true, NULL);
		signatures = 0;
		assert_true(shake(cs, ss));
		assert_int_equal(signatures, 1);
		assert_int_equal(strncmp(tls_session_text(ss), rows[i].text,
				     strlen(rows[i].text)),
		    0);
		assert_string_equal(tls_peer_name(cs), "mail.example.test");
		assert_false(tls_verified(cs));
		assert_true(tls_channel_binding(cs, one, &n));
		assert_true(tls_channel_binding(ss, two, &m));
		assert_true(n == m && memcmp(one, two, n) == 0);
		tls_context_free(&s);
		tls_context_free(&c);
		tls_session_free(&ss);
		tls_session_free(&cs);
		buf_fini(&pem);
		EVP_PKEY_free(private_key);
	}
}

static void
test_refused_signature_fails_handshake(void **state)
{
	struct tls_context *c = client(TLS_MAY), *s;
	struct tls_session *cs, *ss;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct buf pem = make_pem(key, false);

	(void)state;
	s = server(&pem, refuse, "", "smtp");
	cs = tls_session_new(c, false, NULL);
	ss = tls_session_new(s, true, NULL);
	assert_false(shake(cs, ss));
	tls_session_free(&ss);
	tls_session_free(&cs);
	tls_context_free(&s);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(key);
}

static void
test_unverified_peer_fails_at_verify(void **state)
{
	struct tls_context *c = client(TLS_VERIFY), *s;
	struct tls_session *cs, *ss;
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	s = server(&pem, NULL, "", "smtp");
	cs = tls_session_new(c, false, "mail.example.test");
	ss = tls_session_new(s, true, NULL);
	assert_false(shake(cs, ss));
	tls_session_free(&ss);
	tls_session_free(&cs);
	tls_context_free(&s);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

static bool
shake_alpn(struct tls_context *c, struct tls_context *s, const char *offer,
    unsigned int n)
{
	struct tls_session *cs = tls_session_new(c, false, NULL);
	struct tls_session *ss = tls_session_new(s, true, NULL);
	bool good;

	SSL_set_alpn_protos(tls_session_ssl(cs), (const unsigned char *)offer,
	    n);
	good = shake(cs, ss);
	tls_session_free(&cs);
	tls_session_free(&ss);
	return good;
}

static void
test_alpn(void **state)
{
	struct tls_context *c = client(TLS_MAY), *s;
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	s = server(&pem, NULL, "", "smtp");
	assert_true(shake_alpn(c, s, "\4smtp", 5));
	assert_true(shake_alpn(c, s, "\2h2\4smtp", 8));
	assert_false(shake_alpn(c, s, "\2h2\10http/1.1", 12));
	tls_context_free(&s);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

/* Is a session got from "first" resumed at "second"? */
static bool
resumed(struct tls_context *c, struct tls_context *first,
    struct tls_context *second)
{
	struct tls_session *cs = tls_session_new(c, false, NULL);
	struct tls_session *ss = tls_session_new(first, true, NULL);
	SSL_SESSION *kept;
	bool again;

	assert_true(shake(cs, ss));
	kept = SSL_get1_session(tls_session_ssl(cs));
	/* an OpenSSL client forgets sessions that did not end well */
	SSL_set_shutdown(tls_session_ssl(cs),
	    SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	tls_session_free(&cs);
	tls_session_free(&ss);
	cs = tls_session_new(c, false, NULL);
	ss = tls_session_new(second, true, NULL);
	SSL_set_session(tls_session_ssl(cs), kept);
	assert_true(shake(cs, ss));
	again = SSL_session_reused(tls_session_ssl(cs)) == 1;
	tls_session_free(&cs);
	tls_session_free(&ss);
	SSL_SESSION_free(kept);
	return again;
}

/* What keyd would give: a fill for each hour; 0: nothing. */
static struct {
	unsigned char now, former;
	int64_t left_ms;
	unsigned int asked;
	unsigned char context[64];
	size_t context_length;
} given;

static bool
give(struct span context, struct tls_ticket_secrets *out)
{
	given.asked++;
	assert_in_range(context.n, 1, sizeof(given.context));
	memcpy(given.context, context.p, context.n);
	given.context_length = context.n;
	ERR_raise(ERR_LIB_USER, ERR_R_OPERATION_FAIL); /* another task's */
	if (given.now == 0)
		return false;
	memset(out->now, given.now, sizeof(out->now));
	memset(out->former, given.former, sizeof(out->former));
	out->has_former = given.former != 0;
	out->left_ms = given.left_ms;
	return true;
}

static tls_ticket_function *source = give;
static const char *server_ciphers;

static struct tls_context *
server_of_source(struct buf *pem, const char *protocols, bool asks_clients)
{
	struct tls_server_settings s = {
		.chain = pem->p,
		.chain_length = pem->n,
		.protocols = protocols,
		.session_id_context = "smtp",
		.tickets = source,
		.ciphers = server_ciphers,
		.ask_client_certificate = asks_clients,
	};
	const char *error = "";
	struct tls_context *c = tls_server_new(&s, &error);

	assert_non_null(c);
	return c;
}

static void
expect_hours(const char *protocols)
{
	struct tls_context *c = client(TLS_MAY), *one, *two;
	struct buf pem;

	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	one = server_of_source(&pem, protocols, false);
	two = server_of_source(&pem, protocols, false);
	memset(&given, 0, sizeof(given));
	given.now = 1;
	given.left_ms = 3600000;
	/* another process of the service */
	assert_true(resumed(c, one, two));
	assert_int_equal(given.asked, 2);
	assert_true(resumed(c, two, one));
	assert_int_equal(given.asked, 2);
	tls_context_free(&two);
	/* an hour later */
	given.now = 2;
	given.former = 1;
	two = server_of_source(&pem, protocols, false);
	assert_true(resumed(c, one, two));
	tls_context_free(&two);
	/* two hours later: a full handshake */
	given.now = 3;
	given.former = 2;
	two = server_of_source(&pem, protocols, false);
	assert_false(resumed(c, one, two));
	tls_context_free(&two);
	tls_context_free(&one);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

static void
test_tickets_of_a_source(void **state)
{
	(void)state;
	expect_hours("TLSv1.2");
	expect_hours("TLSv1.3");
}

/* Its hour over, a process asks again. */
static void
test_source_is_asked_again(void **state)
{
	struct tls_context *c = client(TLS_MAY), *one;
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	memset(&given, 0, sizeof(given));
	given.now = 1;
	given.left_ms = 0;
	one = server_of_source(&pem, "TLSv1.2", false);
	assert_true(resumed(c, one, one));
	assert_in_range(given.asked, 2, 4);
	tls_context_free(&one);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

/* No keyd: the process goes on alone. Client certificates: it is alone. */
static void
test_without_a_source(void **state)
{
	struct tls_context *c = client(TLS_MAY), *one, *two;
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	for (int asks = 0; asks < 2; asks++) {
		memset(&given, 0, sizeof(given));
		given.now = asks == 1;
		given.left_ms = 3600000;
		one = server_of_source(&pem, "TLSv1.3", asks == 1);
		two = server_of_source(&pem, "TLSv1.3", asks == 1);
		assert_true(resumed(c, one, one));
		assert_false(resumed(c, one, two));
		assert_int_equal(given.asked, asks == 1 ? 0 : 2);
		tls_context_free(&one);
		tls_context_free(&two);
	}
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

/* What is asked for says which certificates it is about. */
static void
test_the_source_hears_of_the_certificate(void **state)
{
	struct tls_context *c = client(TLS_MAY), *one;
	unsigned char first[64];
	size_t n = 0;

	(void)state;
	memset(&given, 0, sizeof(given));
	given.now = 1;
	given.left_ms = 3600000;
	for (int i = 0; i < 2; i++) {
		struct buf pem;

		private_key = EVP_EC_gen("P-256");
		pem = make_pem(private_key, true);
		one = server_of_source(&pem, "TLSv1.3", false);
		assert_true(resumed(c, one, one));
		if (i == 0)
			memcpy(first, given.context, n = given.context_length);
		tls_context_free(&one);
		buf_fini(&pem);
		EVP_PKEY_free(private_key);
	}
	assert_int_equal(n, given.context_length);
	assert_memory_not_equal(first, given.context, n);
	tls_context_free(&c);
}

/* A cipher that is not allowed any more is not resumed either. */
static void
test_the_source_hears_of_what_is_allowed(void **state)
{
	static const struct {
		const char *protocols, *ciphers;
		bool same;
	} rows[] = { { ">=TLSv1.2", NULL, true },
		{ ">=TLSv1.2", "HIGH:!SHA384", false },
		{ "TLSv1.2", NULL, false } };
	struct tls_context *c = client(TLS_MAY), *one, *other;
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	memset(&given, 0, sizeof(given));
	given.now = 1;
	given.left_ms = 3600000;
	one = server_of_source(&pem, ">=TLSv1.2", false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char first[64];

		assert_true(resumed(c, one, one));
		memcpy(first, given.context, given.context_length);
		server_ciphers = rows[i].ciphers;
		other = server_of_source(&pem, rows[i].protocols, false);
		server_ciphers = NULL;
		assert_true(resumed(c, other, other));
		assert_int_equal(memcmp(first, given.context,
				     given.context_length) == 0,
		    rows[i].same);
		tls_context_free(&other);
		tls_context_free(&one);
		one = server_of_source(&pem, ">=TLSv1.2", false);
	}
	tls_context_free(&one);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

static bool
give_late(struct span context, struct tls_ticket_secrets *out)
{
	(void)wait_until(clock_ms() + 20);
	return give(context, out);
}

static struct tls_context *crowd_client, *crowd_server;
static unsigned int crowd_resumed;

static void
one_of_many(void *argument)
{
	(void)argument;
	crowd_resumed += resumed(crowd_client, crowd_server, crowd_server);
}

/* Many handshakes wait for one question, whose answer does for all. */
static void
test_many_at_once_ask_once(void **state)
{
	enum { MANY = 5 };
	struct buf pem;

	(void)state;
	source = give_late;
	crowd_client = client(TLS_MAY);
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	for (unsigned char works = 0; works < 2; works++) {
		memset(&given, 0, sizeof(given));
		given.now = works;
		given.left_ms = 3600000;
		crowd_server = server_of_source(&pem, "TLSv1.2", false);
		crowd_resumed = 0;
		for (int i = 0; i < MANY; i++)
			assert_non_null(task_start(one_of_many, NULL));
		task_loop();
		assert_int_equal(crowd_resumed, MANY);
		assert_int_equal(given.asked, 1);
		tls_context_free(&crowd_server);
	}
	source = give;
	tls_context_free(&crowd_client);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

/* Are these bytes in memory that malloc(3) gave us? None are, in none. */
static bool
heap_has(const void *bytes, size_t n)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;

		if (strstr(line, "[heap]") != NULL &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2)
			found |= memmem((const void *)from, to - from, bytes,
				     n) != NULL;
	}
	fclose(f);
	return found;
}

/* Is a key of this fill in the heap? */
static bool
in_heap(unsigned char fill)
{
	unsigned char key[64];

	memset(key, fill, sizeof(key));
	return heap_has(key, sizeof(key));
}

enum { NOW = 0xa7, FORMER = 0xc9, KEY_HOUR_MS = 3600000 };

static void
wait_for_wiping(void *argument)
{
	unsigned char fill = *(unsigned char *)argument;
	int64_t deadline = clock_in(10);

	while (in_heap(fill) && clock_ms() < deadline)
		(void)wait_until(clock_ms() + 5);
}

/* Keys go when they have had their time, without another handshake. */
static void
test_keys_are_wiped_in_time(void **state)
{
	struct tls_context *c, *one;
	unsigned char gone[] = { FORMER, NOW };
	struct buf pem;

	(void)state;
	/* a sanitizer has a heap of its own, and so has valgrind */
	if (SANITIZED || !heap_has("", 1))
		skip();
	c = client(TLS_MAY);
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	for (int i = 0; i < 2; i++) {
		memset(&given, 0, sizeof(given));
		given.now = NOW;
		given.former = FORMER;
		/* the hour ends soon; or the one in which it still opens */
		given.left_ms = i == 0 ? 300 : 300 - KEY_HOUR_MS;
		one = server_of_source(&pem, "TLSv1.2", false);
		(void)resumed(c, one, one);
		assert_true(in_heap(NOW) && in_heap(FORMER));
		assert_non_null(task_start(wait_for_wiping, &gone[i]));
		task_loop();
		assert_false(in_heap(FORMER));
		assert_int_equal(in_heap(NOW), i == 0);
		tls_context_free(&one);
		assert_false(in_heap(NOW));
	}
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

/* One connection under that key; was it resumed? */
static bool
connect_as(struct tls_context *c, struct tls_context *s, const char *key)
{
	struct tls_target target = { .resume = key };
	struct tls_session *cs = tls_session_new_to(c, &target);
	struct tls_session *ss = tls_session_new(s, true, NULL);
	bool again;

	assert_true(shake(cs, ss));
	again = tls_resumed(cs);
	tls_session_free(&cs);
	tls_session_free(&ss);
	return again;
}

static void
test_client_resumes_sessions(void **state)
{
	static const char *const protocols[] = { ">=TLSv1.3", "TLSv1.2" };
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	for (size_t i = 0; i < 2; i++) {
		struct tls_client_settings how = { .level = TLS_MAY,
			.resume_s = 3600 };
		const char *error = "";
		struct tls_context *s = server(&pem, NULL, protocols[i], "");
		struct tls_context *c = tls_client_new(&how, &error);
		struct tls_context *never = client(TLS_MAY);

		assert_false(connect_as(c, s, "one"));
		assert_true(connect_as(c, s, "one"));
		assert_true(connect_as(c, s, "one"));
		assert_false(connect_as(c, s, "two"));
		assert_false(connect_as(c, s, NULL));
		assert_false(connect_as(c, s, NULL));
		assert_true(connect_as(c, s, "two"));
		assert_false(connect_as(never, s, "one"));
		assert_false(connect_as(never, s, "one"));
		tls_context_free(&never);
		tls_context_free(&c);
		tls_context_free(&s);
	}
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

static void
test_kept_sessions_end(void **state)
{
	struct tls_resume *r = tls_resume_new(3600);
	int64_t proven;
	char key[16];

	(void)state;
	for (int i = 0; i < TLS_RESUME_MAX + 5; i++) {
		snprintf(key, sizeof(key), "%d", i);
		tls_resume_put(r, key, SSL_SESSION_new(), clock_ms());
	}
	/* the oldest made room; an empty session is not resumable at all */
	assert_null(tls_resume_take(r, "4", &proven));
	proven = -1;
	assert_null(tls_resume_take(r, "5", &proven));
	assert_true(proven > 0);
	tls_resume_free(&r);
}

static void
test_fingerprints(void **state)
{
	struct tls_context *c = client(TLS_MAY), *s;
	struct tls_session *cs, *ss;
	char one[TLS_FINGERPRINT_MAX], key[TLS_FINGERPRINT_MAX];
	char again[TLS_FINGERPRINT_MAX];
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	s = server(&pem, NULL, "", "");
	cs = tls_session_new(c, false, NULL);
	ss = tls_session_new(s, true, NULL);
	assert_false(tls_fingerprint(cs, "sha256", false, one));
	assert_true(shake(cs, ss));
	assert_true(tls_fingerprint(cs, "sha256", false, one));
	assert_true(tls_fingerprint(cs, "sha256", true, key));
	assert_int_equal(strlen(one), 32 * 3 - 1);
	assert_string_not_equal(one, key);
	assert_true(tls_fingerprint(cs, "sha512", false, again));
	assert_int_equal(strlen(again), 64 * 3 - 1);
	assert_false(tls_fingerprint(cs, "nosuch", false, again));
	assert_true(tls_digest_known("sha1") && !tls_digest_known("nosuch"));
	tls_session_free(&ss);
	tls_session_free(&cs);
	tls_context_free(&s);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

static void
test_tickets_stay_with_their_service(void **state)
{
	struct tls_context *c = client(TLS_MAY), *smtp, *submission;
	struct buf pem;

	(void)state;
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, true);
	smtp = server(&pem, NULL, "TLSv1.2", "smtp");
	submission = server(&pem, NULL, "TLSv1.2", "submission");
	assert_true(resumed(c, smtp, smtp));
	assert_false(resumed(c, smtp, submission));
	tls_context_free(&smtp);
	tls_context_free(&submission);
	smtp = server(&pem, NULL, "TLSv1.3", "smtp");
	assert_true(resumed(c, smtp, smtp));
	tls_context_free(&smtp);
	tls_context_free(&c);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

static void
test_refused_certificates(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct buf pem = make_pem(key, true);
	struct tls_server_settings s = {
		.chain = pem.p,
		.chain_length = pem.n,
		.sign = sign,
	};
	const char *error = NULL;

	(void)state;
	assert_null(tls_server_new(&s, &error));
	assert_non_null(strstr(error, "ED25519"));
	s.sign = NULL;
	s.chain_length = 0;
	assert_null(tls_server_new(&s, &error));
	assert_non_null(strstr(error, "no certificate"));
	s.chain = NULL;
	s.files.cert_file = "/nonexistent/cert.pem";
	assert_null(tls_server_new(&s, &error));
	assert_non_null(strstr(error, "/nonexistent/cert.pem"));
	buf_fini(&pem);
	EVP_PKEY_free(key);
}

static bool
see_key(void *with, const struct tls_pem_group *g, struct buf *error)
{
	(void)error;
	*(bool *)with = *(bool *)with || g->key != NULL;
	return true;
}

static void
test_keys_are_skipped(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct buf pem = make_pem(key, true), error = BUF_INIT(200);
	bool seen = false;

	(void)state;
	assert_true(
	    tls_pem_each(buf_span(&pem), false, see_key, &seen, &error));
	assert_false(seen);
	assert_true(tls_pem_each(buf_span(&pem), true, see_key, &seen, &error));
	assert_true(seen);
	buf_fini(&pem);
	buf_fini(&error);
	EVP_PKEY_free(key);
}

static void
test_protocols(void **state)
{
	static const struct {
		const char *text;
		int lowest, highest;
		uint64_t holes;
	} rows[] = {
		{ "", TLS1_2_VERSION, TLS1_3_VERSION, 0 },
		{ ">=TLSv1.2", TLS1_2_VERSION, TLS1_3_VERSION, 0 },
		{ "!SSLv2, !SSLv3", TLS1_VERSION, TLS1_3_VERSION, 0 },
		{ "TLSv1.2", TLS1_2_VERSION, TLS1_2_VERSION, 0 },
		{ "<=TLSv1.2 >=TLSv1.1", TLS1_1_VERSION, TLS1_2_VERSION, 0 },
		{ "TLSv1.1 TLSv1.3", TLS1_1_VERSION, TLS1_3_VERSION,
		    SSL_OP_NO_TLSv1_2 },
		{ ">=0303", TLS1_2_VERSION, TLS1_3_VERSION, 0 },
		{ "SSLv3", 0, 0, 0 },
		{ ">=TLSv1.9", 0, 0, 0 },
		{ "!TLSv1 !TLSv1.1 !TLSv1.2 !TLSv1.3", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_versions v = { 0, 0, 0 };
		struct buf error = BUF_INIT(200);

		assert_int_equal(tls_protocols_parse(rows[i].text, &v, &error),
		    rows[i].lowest != 0);
		assert_int_equal(v.lowest, rows[i].lowest);
		assert_int_equal(v.highest, rows[i].highest);
		assert_int_equal(v.holes, rows[i].holes);
		assert_int_equal(error.n == 0, rows[i].lowest != 0);
		buf_fini(&error);
	}
}

static int
authorities(const char *file, bool system)
{
	struct tls_client_settings s = { .ca_file = file,
		.choice.system_authorities = system };
	const char *error = "";
	struct tls_context *c = tls_client_new(&s, &error);
	X509_STORE *store;
	int count;

	assert_non_null(c);
	store = SSL_CTX_get_cert_store(tls_context_ssl(c));
	count = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
	tls_context_free(&c);
	return count;
}

/* tls_append_default_CA */
static void
test_authorities_of_the_system(void **state)
{
	char path[] = "/tmp/tls_test.XXXXXX";
	int fd = mkstemp(path);
	struct buf pem;
	int ours, all = authorities(NULL, false);

	(void)state;
	assert_int_not_equal(fd, -1);
	private_key = EVP_EC_gen("P-256");
	pem = make_pem(private_key, false);
	assert_int_equal(write(fd, pem.p, pem.n), pem.n);
	close(fd);
	ours = authorities(path, false);
	assert_int_equal(ours, 1);
	assert_int_equal(authorities(path, true), all + 1);
	unlink(path);
	buf_fini(&pem);
	EVP_PKEY_free(private_key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote_keys),
		cmocka_unit_test(test_refused_signature_fails_handshake),
		cmocka_unit_test(test_unverified_peer_fails_at_verify),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_client_resumes_sessions),
		cmocka_unit_test(test_kept_sessions_end),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_tickets_stay_with_their_service),
		cmocka_unit_test(test_tickets_of_a_source),
		cmocka_unit_test(test_the_source_hears_of_what_is_allowed),
		cmocka_unit_test(test_many_at_once_ask_once),
		cmocka_unit_test(test_keys_are_wiped_in_time),
		cmocka_unit_test(test_source_is_asked_again),
		cmocka_unit_test(test_without_a_source),
		cmocka_unit_test(test_the_source_hears_of_the_certificate),
		cmocka_unit_test(test_refused_certificates),
		cmocka_unit_test(test_keys_are_skipped),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_authorities_of_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
