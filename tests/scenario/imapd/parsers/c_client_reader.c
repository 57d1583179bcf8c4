/* SPDX-License-Identifier: ISC */

/*
 * All of INBOX as the c-client library reads it (alpine, PHP), a line of JSON
 * for each message. What it says to its user about an answer that it cannot
 * read ends the program.
 * usage: c_client_reader PORT
 */

#include <c-client/c-client.h>
#include <c-client/imap4r1.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
hex(const char *name, const char *text)
{
	printf(", \"%s\": ", name);
	if (text == NULL) {
		printf("null");
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++)
		printf("%02x", (unsigned char)*text);
	putchar('"');
}

static int
parts(BODY *body)
{
	PART *part;
	int n = 1;

	if (body->type == TYPEMULTIPART)
		for (part = body->nested.part; part != NULL; part = part->next)
			n += parts(&part->body);
	else if (body->type == TYPEMESSAGE && body->nested.msg != NULL &&
	    body->nested.msg->body != NULL)
		n += parts(body->nested.msg->body);
	return n;
}

static void
header(const char *text, unsigned long size)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n, i;

	EVP_Digest(text, size, sum, &n, EVP_sha256(), NULL);
	printf(", \"header\": \"");
	for (i = 0; i < n; i++)
		printf("%02x", sum[i]);
	printf("\"}\n");
}

static void
message(MAILSTREAM *stream, unsigned long number)
{
	BODY *body = NULL;
	ENVELOPE *envelope = mail_fetch_structure(stream, number, &body, 0);
	unsigned long size;
	char *text;

	if (envelope == NULL || body == NULL) {
		fprintf(stderr, "message %lu: nothing told\n", number);
		exit(1);
	}
	printf("{\"uid\": %lu, \"size\": %lu, \"parts\": %d",
	    mail_uid(stream, number), mail_elt(stream, number)->rfc822_size,
	    parts(body));
	hex("subject", envelope->subject);
	hex("message_id", envelope->message_id);
	text = mail_fetch_header(stream, number, NULL, NULL, &size, FT_PEEK);
	header(text, size);
}

int
main(int argc, char **argv)
{
	char name[100];
	MAILSTREAM *stream;
	unsigned long n;

	if (argc != 2)
		return 2;
	mail_link(&imapdriver);
	auth_link(&auth_log);
	snprintf(name, sizeof(name), "{127.0.0.1:%s/imap/notls/user=bob}INBOX",
	    argv[1]);
	stream = mail_open(NULL, name, OP_READONLY);
	if (stream == NULL)
		return 1;
	for (n = 1; n <= stream->nmsgs; n++)
		message(stream, n);
	mail_close(stream);
	return 0;
}

/*
 * It also parses the header fields that it fetches, by itself, and says what
 * it finds wrong with addresses and dates in them: that is the message's.
 */
static int
of_the_message(const char *text)
{
	static const char *const about[] = {
		"Unexpected characters at end of address",
		"Must use comma to separate addresses",
		"Missing or invalid host name after @",
		"Missing address after comma",
		"Invalid mailbox list",
		"Invalid group mailbox list",
		"Invalid domain part after .",
		"Invalid mailbox part after .",
		"Unterminated",
		"Bad format domain-literal",
		"Empty domain literal",
		"Unexpected characters after address in group",
		"Ignoring excessively deep group recursion",
	};
	size_t i;

	for (i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		if (strncmp(text, about[i], strlen(about[i])) == 0)
			return 1;
	return 0;
}

/* What the library asks of those who use it. */

void
mm_log(char *text, long kind)
{
	if (kind == NIL || strncmp(text, "SECURITY PROBLEM", 16) == 0 ||
	    of_the_message(text))
		return;
	fprintf(stderr, "c-client: %.300s\n", text);
	exit(1);
}

void
mm_notify(MAILSTREAM *stream, char *text, long kind)
{
	(void)stream;
	if (kind != NIL && kind != BYE)
		mm_log(text, kind);
}

void
mm_login(NETMBX *mailbox, char *user, char *password, long trial)
{
	(void)mailbox, (void)trial;
	snprintf(user, MAILTMPLEN, "bob");
	snprintf(password, MAILTMPLEN, "posthaste");
}

void
mm_fatal(char *text)
{
	fprintf(stderr, "c-client: %s\n", text);
}

void
mm_dlog(char *text)
{
	(void)text;
}

void
mm_flags(MAILSTREAM *stream, unsigned long number)
{
	(void)stream, (void)number;
}

void
mm_exists(MAILSTREAM *stream, unsigned long number)
{
	(void)stream, (void)number;
}

void
mm_expunged(MAILSTREAM *stream, unsigned long number)
{
	(void)stream, (void)number;
}

void
mm_searched(MAILSTREAM *stream, unsigned long number)
{
	(void)stream, (void)number;
}

void
mm_status(MAILSTREAM *stream, char *mailbox, MAILSTATUS *status)
{
	(void)stream, (void)mailbox, (void)status;
}

void
mm_list(MAILSTREAM *stream, int delimiter, char *name, long attributes)
{
	(void)stream, (void)delimiter, (void)name, (void)attributes;
}

void
mm_lsub(MAILSTREAM *stream, int delimiter, char *name, long attributes)
{
	(void)stream, (void)delimiter, (void)name, (void)attributes;
}

void
mm_critical(MAILSTREAM *stream)
{
	(void)stream;
}

void
mm_nocritical(MAILSTREAM *stream)
{
	(void)stream;
}

long
mm_diskerror(MAILSTREAM *stream, long code, long serious)
{
	(void)stream, (void)code, (void)serious;
	return NIL;
}
