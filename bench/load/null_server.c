/* SPDX-License-Identifier: ISC */
/*
 * A server that does nothing: says what the client wants to hear, at once and
 * from memory. What a load client does against it is the client's own limit.
 *
 * usage: null_server [-m MESSAGES] [-c CERTIFICATE -k KEY] imap|pop3
 *
 * Each mailbox has MESSAGES messages of 4 KB; with a certificate it speaks TLS
 * from the first byte. Prints its port, then, for each line on its input, how
 * many commands it has answered; ends with its input. At most THREADS
 * connections at a time.
 */
#include "bench/load/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 4096, IN = 1 << 16, TAG = 64, THREADS = 128 };

struct text {
	char *data;
	size_t length;
};

static struct {
	bool imap;
	int messages;
	SSL_CTX *tls;
	atomic_ulong answered;
	struct text message; /* with the line ends of the wire */
	struct text bodies; /* FETCH of all */
	struct text envelopes; /* the same, of envelopes */
	struct text uidl;
} null;

struct client {
	int fd;
	SSL *tls;
	size_t have, at;
	char in[IN];
};

static void
put(struct client *c, const char *data, size_t length)
{
	ssize_t n;

	for (; length > 0; data += n, length -= (size_t)n) {
		n = c->tls == NULL ? send(c->fd, data, length, MSG_NOSIGNAL) :
				     SSL_write(c->tls, data, (int)length);
		if (n <= 0)
			return;
	}
}

static bool
more(struct client *c)
{
	ssize_t n;

	memmove(c->in, c->in + c->at, c->have - c->at);
	c->have -= c->at;
	c->at = 0;
	if (c->have == IN)
		return false;
	n = c->tls == NULL ?
	    recv(c->fd, c->in + c->have, IN - c->have, 0) :
	    SSL_read(c->tls, c->in + c->have, (int)(IN - c->have));
	if (n <= 0)
		return false;
	c->have += (size_t)n;
	return true;
}

/* The next line, its end taken off; NULL at the end. */
static char *
line_of(struct client *c)
{
	char *end, *line;

	while ((end = memchr(c->in + c->at, '\n', c->have - c->at)) == NULL)
		if (!more(c))
			return NULL;
	line = c->in + c->at;
	c->at = (size_t)(end + 1 - c->in);
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

static bool
skip(struct client *c, size_t length)
{
	size_t n;

	while (length > 0) {
		if (c->at == c->have && !more(c))
			return false;
		n = c->have - c->at < length ? c->have - c->at : length;
		c->at += n;
		length -= n;
	}
	return true;
}

/* A literal at the line's end, and the line's rest behind it. */
static bool
skip_literal(struct client *c, const char *line)
{
	const char *open = strrchr(line, '{');
	size_t length;
	bool waits;

	if (open == NULL || line[strlen(line) - 1] != '}')
		return true;
	length = strtoul(open + 1, NULL, 10);
	waits = strchr(open, '+') == NULL && strchr(open, '-') == NULL;
	if (waits)
		put(c, "+ go on\r\n", 9);
	return skip(c, length) && line_of(c) != NULL;
}

static void
imap_data(struct client *c, const char *verb)
{
	char line[TAG];

	if (strncasecmp(verb, "UID ", 4) == 0)
		verb += 4;
	if (strncasecmp(verb, "FETCH", 5) == 0 && strstr(verb, "BODY"))
		put(c, null.bodies.data, null.bodies.length);
	else if (strncasecmp(verb, "FETCH", 5) == 0)
		put(c, null.envelopes.data, null.envelopes.length);
	else if (strncasecmp(verb, "SELECT", 6) == 0)
		put(c, line,
		    (size_t)snprintf(line, sizeof(line), "* %d EXISTS\r\n",
			null.messages));
	else if (strncasecmp(verb, "CAPABILITY", 10) == 0)
		put(c, "* CAPABILITY IMAP4rev1 LITERAL+\r\n", 33);
	else if (strncasecmp(verb, "SEARCH", 6) == 0)
		put(c, "* SEARCH\r\n", 10);
}

static bool
imap(struct client *c)
{
	char *line = line_of(c), *verb, done[TAG + 16], tag[TAG];
	bool leaves;

	if (line == NULL || (verb = strchr(line, ' ')) == NULL ||
	    verb - line >= TAG)
		return false;
	snprintf(tag, sizeof(tag), "%.*s", (int)(verb - line), line);
	verb++;
	leaves = strncasecmp(verb, "LOGOUT", 6) == 0;
	if (strncasecmp(verb, "IDLE", 4) == 0) {
		put(c, "+ idling\r\n", 10);
		return true;
	}
	imap_data(c, verb);
	if (!skip_literal(c, verb))
		return false;
	put(c, done,
	    (size_t)snprintf(done, sizeof(done), "%s OK done\r\n", tag));
	return !leaves;
}

static bool
pop3(struct client *c)
{
	char *line = line_of(c), text[TAG];

	if (line == NULL)
		return false;
	if (strncasecmp(line, "RETR", 4) == 0)
		put(c, null.message.data, null.message.length);
	else if (strncasecmp(line, "UIDL", 4) == 0)
		put(c, null.uidl.data, null.uidl.length);
	else if (strncasecmp(line, "STAT", 4) == 0)
		put(c, text,
		    (size_t)snprintf(text, sizeof(text), "+OK %d %d\r\n",
			null.messages, null.messages * MESSAGE));
	else
		put(c, "+OK\r\n", 5);
	return strncasecmp(line, "QUIT", 4) != 0;
}

static void
serve(struct client *c)
{
	const char *greeting = null.imap ? "* OK ready\r\n" : "+OK ready\r\n";

	if (null.tls != NULL) {
		c->tls = SSL_new(null.tls);
		if (c->tls == NULL || SSL_set_fd(c->tls, c->fd) != 1 ||
		    SSL_accept(c->tls) != 1)
			goto out;
	}
	put(c, greeting, strlen(greeting));
	while (null.imap ? imap(c) : pop3(c))
		atomic_fetch_add(&null.answered, 1);
out:
	if (c->tls != NULL) {
		SSL_shutdown(c->tls);
		SSL_free(c->tls);
	}
	close(c->fd);
}

/* One connection after the other. */
static void *
accept_all(void *argument)
{
	struct client *c = calloc(1, sizeof(*c));
	int listener = *(const int *)argument, one = 1;

	if (c == NULL)
		wire_fail("no memory");
	for (;;) {
		c->tls = NULL;
		c->have = c->at = 0;
		c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (c->fd < 0)
			wire_fail("accept failed");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve(c);
	}
	return NULL;
}

static int
listen_anywhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, n) != 0 ||
	    listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		wire_fail("cannot listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static FILE *
begin(struct text *t)
{
	FILE *f = open_memstream(&t->data, &t->length);

	if (f == NULL)
		wire_fail("no memory");
	return f;
}

static void
message(FILE *f)
{
	static const char line[] =
	    "A line of a message, as long as lines of messages are.\r\n";
	size_t left = MESSAGE;

	for (; left >= sizeof(line) - 1; left -= sizeof(line) - 1)
		fputs(line, f);
	fprintf(f, "%.*s\r\n", (int)(left > 2 ? left - 2 : 0), line);
}

static void
make_texts(void)
{
	FILE *one = begin(&null.message), *bodies = begin(&null.bodies),
	     *envelopes = begin(&null.envelopes), *uidl = begin(&null.uidl);

	fputs("+OK\r\n", one);
	message(one);
	fputs(".\r\n", one);
	fputs("+OK\r\n", uidl);
	for (int i = 1; i <= null.messages; i++) {
		fprintf(bodies, "* %d FETCH (UID %d BODY[] {%d}\r\n", i, i,
		    MESSAGE);
		message(bodies);
		fputs(")\r\n", bodies);
		fprintf(envelopes,
		    "* %d FETCH (UID %d FLAGS () RFC822.SIZE 4096 ENVELOPE "
		    "(NIL \"subject %d\" ((\"A Name\" NIL \"a\" \"b.test\")) "
		    "NIL NIL NIL NIL NIL NIL \"<%d@bench.test>\"))\r\n",
		    i, i, i, i);
		fprintf(uidl, "%d 0000%d.bench\r\n", i, i);
	}
	fputs(".\r\n", uidl);
	fclose(one);
	fclose(bodies);
	fclose(envelopes);
	fclose(uidl);
}

static void
take_certificate(const char *certificate, const char *key)
{
	null.tls = SSL_CTX_new(TLS_server_method());
	if (null.tls == NULL || key == NULL ||
	    SSL_CTX_use_certificate_chain_file(null.tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(null.tls, key, SSL_FILETYPE_PEM) != 1)
		wire_fail("no certificate in %s", certificate);
}

int
main(int argc, char **argv)
{
	const char *certificate = NULL, *key = NULL;
	pthread_t thread;
	char line[64];
	int c, listener;

	while ((c = getopt(argc, argv, "m:c:k:")) != -1)
		switch (c) {
		case 'm':
			null.messages = atoi(optarg);
			break;
		case 'c':
			certificate = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		default:
			return 64;
		}
	if (argc - optind != 1)
		wire_fail("usage: null_server [-m MESSAGES] [-c CERTIFICATE -k "
			  "KEY] imap|pop3");
	null.imap = strcmp(argv[optind], "imap") == 0;
	make_texts();
	if (certificate != NULL)
		take_certificate(certificate, key);
	listener = listen_anywhere();
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, accept_all, &listener) != 0)
			wire_fail("no thread");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		printf("%lu\n", atomic_load(&null.answered));
		fflush(stdout);
	}
	return 0;
}
