/* SPDX-License-Identifier: ISC */
/* Streams in TLS: two tasks of one process talk over a socket pair. */
#include "lib/net/stream.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/stream_pool.h"
#include "lib/task/task.h"
#include "lib/tls/tls.h"

static struct tls_context *server_context;
static struct tls_context *client_context;
static struct tls_context *strict_context;
static int ends;

static void
make_contexts(void)
{
	struct tls_server_settings ss = { .protocols = "",
		.session_id_context = "test" };
	struct tls_client_settings cs = { .level = TLS_MAY, .protocols = "" };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	const char *error = "";
	char *p;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"mail.example.test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(bio, x);
	ss.chain_length = (size_t)BIO_get_mem_data(bio, &p);
	ss.chain = p;
	server_context = tls_server_new(&ss, &error);
	assert_non_null(server_context);
	client_context = tls_client_new(&cs, &error);
	assert_non_null(client_context);
	cs.level = TLS_VERIFY;
	strict_context = tls_client_new(&cs, &error);
	assert_non_null(strict_context);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
wrap(const int fd[2], struct stream **a, struct stream **b)
{
	*a = stream_new(fd[0]);
	*b = stream_new(fd[1]);
	stream_timeout(*a, 60000);
	stream_timeout(*b, 60000);
	ends = 0;
}

static void
pair(struct stream **a, struct stream **b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	wrap(fd, a, b);
}

static void
pair_of_tcp(struct stream **a, struct stream **b)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd[2], listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (void *)&at, n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&at, &n), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[1], (void *)&at, n), 0);
	fd[0] = accept(listener, NULL, NULL);
	assert_true(fd[0] >= 0);
	close(listener);
	wrap(fd, a, b);
}

static void
play_with(void (*connect_both)(struct stream **, struct stream **),
    task_function *server, task_function *client)
{
	struct stream *a, *b;

	connect_both(&a, &b);
	task_start(server, a);
	task_start(client, b);
	task_loop();
	assert_int_equal(ends, 2);
	assert_int_equal(stream_pool_used(), 0);
}

static void
play(task_function *server, task_function *client)
{
	play_with(pair, server, client);
}

static void
serve_dialogue(void *argument)
{
	struct stream *s = argument;
	struct span line;

	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_true(span_is(line, "STARTTLS"));
	assert_int_equal(stream_text(s, "220 go\r\n"), IO_OK);
	assert_int_equal(stream_tls_accept(s, server_context), IO_OK);
	while (stream_line(s, 100, &line, NULL) == IO_OK)
		assert_int_equal(stream_printf(s, "echo %.*s\r\n",
				     SPAN_ARG(line)),
		    IO_OK);
	ends++;
	stream_free(&s);
}

/* Whether the kernel sends acknowledgements at once; true where it has none. */
static bool
acknowledges(struct stream *s)
{
	int at_once = 1;
	socklen_t n = sizeof(at_once);

	(void)getsockopt(stream_fd(s), IPPROTO_TCP, TCP_QUICKACK, &at_once, &n);
	return at_once != 0;
}

static void
speak_dialogue(void *argument)
{
	struct stream *s = argument;
	struct span line;

	assert_null(stream_tls(s));
	stream_text(s, "STARTTLS\r\n");
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_int_equal(stream_tls_connect(s, client_context, NULL), IO_OK);
	assert_non_null(stream_tls(s));
	assert_string_equal(tls_protocol(stream_tls(s)), "TLSv1.3");
	stream_text(s, "one\r\ntwo\r\n");
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_true(span_is(line, "echo one"));
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_true(span_is(line, "echo two"));
	assert_true(acknowledges(s));
	ends++;
	stream_free(&s); /* with close_notify: the server sees a clean end */
}

static void
a_dialogue_goes_on_in_tls(void **state)
{
	(void)state;
	play(serve_dialogue, speak_dialogue);
}

/* A server that has sent its ticket may hold its answer back until then. */
static void
the_first_answer_is_not_waited_for_by_the_server(void **state)
{
	(void)state;
	play_with(pair_of_tcp, serve_dialogue, speak_dialogue);
}

static void
serve_eager(void *argument)
{
	struct stream *s = argument;
	struct span line;

	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_int_equal(stream_text(s, "220 go\r\n"), IO_OK);
	/* what was glued to STARTTLS is refused, not taken over */
	assert_int_equal(stream_tls_accept(s, server_context), IO_ERROR);
	assert_string_equal(stream_error(s),
	    "plaintext sent ahead of the TLS handshake");
	ends++;
	stream_free(&s);
}

static void
speak_glued(void *argument)
{
	struct stream *s = argument;
	struct span line;

	stream_text(s, "STARTTLS\r\nRCPT TO:<victim@example.test>\r\n");
	assert_int_equal(stream_line(s, 100, &line, NULL), IO_OK);
	assert_int_not_equal(stream_tls_connect(s, client_context, NULL),
	    IO_OK);
	ends++;
	stream_free(&s);
}

static void
plaintext_never_crosses_the_switch(void **state)
{
	(void)state;
	play(serve_eager, speak_glued);
}

enum { BULK = 2000003 };

static char *
bulk(void)
{
	char *p = mem_new(BULK);

	for (size_t i = 0; i < BULK; i++)
		p[i] = (char)(i * 11 + (i >> 8));
	return p;
}

static void
serve_bulk(void *argument)
{
	struct stream *s = argument;
	char *p = bulk();
	FILE *f = tmpfile();

	assert_int_equal(stream_tls_accept(s, server_context), IO_OK);
	assert_int_equal(fwrite(p, 1, BULK, f), BULK);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(stream_write(s, p, BULK), IO_OK);
	assert_int_equal(stream_send_file(s, fileno(f), 0, BULK), IO_OK);
	fclose(f);
	free(p);
	ends++;
	stream_free(&s);
}

static void
speak_bulk(void *argument)
{
	struct stream *s = argument;
	char *p = bulk(), *got = mem_new(BULK);
	struct span b;

	assert_int_equal(stream_tls_connect(s, client_context, NULL), IO_OK);
	for (int round = 0; round < 2; round++) {
		for (size_t at = 0, n = 1; at < BULK; at += n, n = n * 3) {
			if (n > BULK - at)
				n = BULK - at;
			assert_int_equal(stream_read(s, got + at, n), IO_OK);
		}
		assert_memory_equal(p, got, BULK);
	}
	assert_int_equal(stream_peek(s, &b), IO_EOF);
	free(p);
	free(got);
	ends++;
	stream_free(&s);
}

static void
bulk_arrives_whole(void **state)
{
	(void)state;
	play(serve_bulk, speak_bulk);
}

static void
serve_nothing(void *argument)
{
	struct stream *s = argument;
	struct span line;
	int64_t start = clock_ms();

	stream_timeout(s, 50);
	assert_int_equal(stream_tls_accept(s, server_context), IO_TIMEOUT);
	assert_in_range(clock_ms() - start, 50, 30000);
	assert_int_not_equal(stream_line(s, 100, &line, NULL), IO_OK);
	ends++;
	stream_free(&s);
}

static void
speak_nothing(void *argument)
{
	struct stream *s = argument;
	struct span b;

	assert_int_not_equal(stream_peek(s, &b), IO_OK);
	ends++;
	stream_free(&s);
}

static void
a_silent_handshake_times_out(void **state)
{
	(void)state;
	play(serve_nothing, speak_nothing);
}

static void
serve_garbage(void *argument)
{
	struct stream *s = argument;

	assert_int_equal(stream_tls_accept(s, server_context), IO_ERROR);
	assert_int_equal(errno, EPROTO);
	assert_true(strlen(stream_error(s)) > 0);
	assert_int_not_equal(stream_text(s, "x") == IO_OK &&
		stream_flush(s) == IO_OK,
	    true);
	ends++;
	stream_free(&s);
}

static void
speak_garbage(void *argument)
{
	struct stream *s = argument;
	struct span b;

	stream_text(s, "EHLO this is no handshake\r\n");
	assert_int_equal(stream_flush(s), IO_OK);
	while (stream_peek(s, &b) == IO_OK)
		stream_consume(s, b.n);
	ends++;
	stream_free(&s);
}

static void
garbage_is_no_handshake(void **state)
{
	(void)state;
	play(serve_garbage, speak_garbage);
}

static void
serve_distrusted(void *argument)
{
	struct stream *s = argument;
	struct span b;

	(void)stream_tls_accept(s, server_context);
	assert_int_not_equal(stream_peek(s, &b), IO_OK);
	ends++;
	stream_free(&s);
}

static void
speak_strict(void *argument)
{
	struct stream *s = argument;

	assert_int_equal(stream_tls_connect(s, strict_context,
			     "mail.example.test"),
	    IO_ERROR);
	assert_non_null(strstr(stream_error(s), "certificate"));
	ends++;
	stream_free(&s);
}

static void
an_unproven_peer_is_refused(void **state)
{
	(void)state;
	play(serve_distrusted, speak_strict);
}

static void
serve_cut(void *argument)
{
	struct stream *s = argument;
	struct span line;
	enum io result;

	assert_int_equal(stream_tls_accept(s, server_context), IO_OK);
	result = stream_line(s, 100, &line, NULL);
	/* mail protocols know by themselves where they end */
	assert_int_equal(result, IO_EOF);
	assert_string_equal(stream_error(s), "lost connection");
	ends++;
	stream_free(&s);
}

static void
speak_cut(void *argument)
{
	struct stream *s = argument;

	assert_int_equal(stream_tls_connect(s, client_context, NULL), IO_OK);
	assert_int_equal(stream_text(s, "half a li"), IO_OK);
	assert_int_equal(stream_flush(s), IO_OK);
	shutdown(stream_fd(s), SHUT_RDWR);
	ends++;
	stream_free(&s);
}

static void
half_a_line_is_no_line(void **state)
{
	(void)state;
	play(serve_cut, speak_cut);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dialogue_goes_on_in_tls),
		cmocka_unit_test(
		    the_first_answer_is_not_waited_for_by_the_server),
		cmocka_unit_test(plaintext_never_crosses_the_switch),
		cmocka_unit_test(bulk_arrives_whole),
		cmocka_unit_test(a_silent_handshake_times_out),
		cmocka_unit_test(garbage_is_no_handshake),
		cmocka_unit_test(an_unproven_peer_is_refused),
		cmocka_unit_test(half_a_line_is_no_line),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	make_contexts();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	tls_context_free(&server_context);
	tls_context_free(&client_context);
	tls_context_free(&strict_context);
	return failed;
}
