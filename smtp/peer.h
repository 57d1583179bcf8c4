/* SPDX-License-Identifier: ISC */
#ifndef SMTP_PEER_H
#define SMTP_PEER_H

/*
 * A server we are talking to. What it says is hostile until parsed: replies
 * are bounded in line length, number of lines and time, and only one that is
 * a reply by RFC 5321 section 4.2 counts; after anything else the session is
 * over.
 */

#include "lib/base/why.h"
#include "lib/net/address.h"
#include "lib/net/stream.h"
#include "lib/tls/tls.h"

enum peer_feature {
	PEER_PIPELINING = 1,
	PEER_8BITMIME = 2,
	PEER_SMTPUTF8 = 4,
	PEER_DSN = 8,
	PEER_SIZE = 16,
	PEER_STARTTLS = 32,
	PEER_AUTH = 64,
	PEER_ENHANCED = 128,
	PEER_CHUNKING = 256, /* known, to be ignored by name */
};

enum peer_mechanism { PEER_PLAIN = 1, PEER_LOGIN = 2 };

enum {
	PEER_REPLY_LINE = 4096,
	PEER_REPLY_LINES = 200,
	PEER_REPLY_TEXT = 900,
};

struct peer {
	struct stream *io;
	char name[WHY_MTA_MAX]; /* host name as looked up */
	char shown[WHY_MTA_MAX + ADDRESS_TEXT_MAX + 4]; /* "name[addr]" */
	char relay[WHY_MTA_MAX + ADDRESS_TEXT_MAX + 12]; /* and ":port" */
	char address[128]; /* of the host, or the socket's path */
	const char *discard; /* extensions to ignore; NULL: as the settings */
	bool proven; /* its certificate is the one that was wanted */
	char *key; /* of the cache: destination and what was agreed */
	unsigned int features; /* enum peer_feature */
	unsigned int mechanisms;
	bool mechanisms_offered;
	uint64_t size_limit; /* 0: none told */
	unsigned int uses; /* transactions on this connection */
	int64_t opened;
	int64_t idle_since;
	bool decisive; /* the reply that is due decides about the content */
	bool broken; /* no more commands: close it */
	bool lost; /* closed by the server, no reply was had */
	bool dirty; /* a transaction was begun: RSET before another */
	struct peer *next; /* in the cache */
};

struct peer_reply {
	int code;
	char dsn[WHY_DSN_MAX]; /* never empty: made up where none was said */
	char text[PEER_REPLY_TEXT]; /* all lines with the code, on one */
};

/* Called with each line of a reply, without its code. */
typedef void peer_line(struct peer *p, struct span text, bool first);

struct peer *peer_new(int fd, const char *name, const struct address *a);
/* For a UNIX socket. */
struct peer *peer_new_unix(int fd, const char *path);
/* Closes at once; see peer_quit. NULL is fine. */
void peer_free(struct peer **p);

/* Buffers a command; it leaves with the next peer_hear. */
void peer_say(struct peer *p, int64_t timeout_s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * The next reply. OK when there is one, whatever it says. Otherwise LATER,
 * *why says what happened while "doing", and the peer is broken. A reply 421
 * is OK here, but the peer is broken behind it.
 */
enum verdict peer_hear(struct peer *p, int64_t timeout_s, const char *doing,
    struct peer_reply *r, peer_line *each, struct why *why);

/* OK for 2xx, NEVER for 5xx, LATER for the rest. */
enum verdict peer_verdict(const struct peer_reply *r);
/*
 * *why for a reply that refuses: "host NAME said: REPLY (in reply to
 * COMMAND command)".
 */
enum verdict peer_refused(const struct peer *p, const struct peer_reply *r,
    const char *command, struct why *why);
/* *why for a stream that failed while "doing"; always LATER. */
enum verdict
peer_failed(struct peer *p, enum io result, const char *doing, struct why *why);

/*
 * QUIT and the end. With "wait", its answer is waited for, if the settings
 * say so. NULL is fine.
 */
void peer_quit(struct peer **p, bool wait);

#endif
