/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

/*
 * One SMTP connection, and the mail transaction in it. All texts from the
 * client have passed a parser of lib/mail; they are printable or UTF-8, and
 * hold no line breaks.
 */

#include "lib/mail/author.h"
#include "lib/mail/smtp_content.h"
#include "lib/net/address.h"
#include "lib/net/stream.h"
#include "lib/queue/queue_file.h"
#include "lib/service/client_counts.h"
#include "smtpd/config.h"
#include "smtpd/verb.h"

struct forwarded;
struct reception;
struct resolve_cache;

/* A session that waits longer for its client gives memory back. */
enum { SESSION_IDLE_AFTER_MS = 2000 };

struct client {
	struct address address;
	char address_text[ADDRESS_TEXT_MAX]; /* "192.0.2.1", "unknown" */
	/* where it connected to, as a proxy says; length 0: ask the socket */
	struct address server;
	char *name; /* verified, or "unknown" */
	char *unverified_name; /* of the reverse lookup only, or "unknown" */
	char *full; /* "name[address]" */
	bool name_trouble; /* the name may only be missing for now */
	bool mynetworks;
	bool mynetworks_trouble; /* a table could not be asked */
	bool no_limits; /* smtpd_client_event_limit_exceptions */
	bool newline_exception;
	bool auth_exception;
	bool may_xclient;
	bool may_xforward;
	struct client_count count; /* of limits.h, while connected */
};

struct recipient {
	const char *address; /* after rewriting by lookup */
	const char *original; /* as given */
	const char *orcpt;
	unsigned int notify;
	bool final;
	const char *transport;
	const char *nexthop;
};

/* Owned by the session from MAIL to its end. */
struct transaction {
	struct arena *arena;
	char *sender;
	char *envid;
	unsigned int ret;
	unsigned int body;
	bool smtputf8;
	bool ours; /* local_header_rewrite_clients has the client */
	uint64_t size; /* as announced, 0: not known */
	struct recipient *recipients;
	size_t count;
	size_t room;
	size_t overshoot; /* refused for smtpd_recipient_limit */
	char queue_id[QUEUE_ID_MAX]; /* "" before the first recipient */
	/* by actions of access tables */
	bool discard;
	bool hold;
	char *redirect;
	char *prepend; /* header lines, CRLF ended */
	struct buf bcc; /* addresses, each NUL ended */
	struct reception *chunks; /* content by BDAT so far, or NULL */
};

struct tally {
	unsigned int accepted;
	unsigned int total;
};

struct session {
	const struct smtpd_config *config;
	const struct smtpd_params *p;
	struct restriction_lists *restrictions; /* as it began, as p */
	struct stream *io;
	struct client client;
	enum smtpd_state state;
	const char *where; /* command, or "CONNECT", for log lines */
	char *helo; /* NULL before */
	bool esmtp;
	unsigned int discard; /* enum ehlo_keyword, for this client */
	bool tls_seen; /* the session is inside TLS */
	char *tls_text; /* what TLS, for the Received header */
	char *user; /* logged in as, or NULL */
	char *mechanism;
	struct forwarded *forwarded; /* by XFORWARD, for one message, or NULL */
	struct transaction *mail; /* NULL outside */
	enum author_match author_match; /* restrictions asked, since MAIL */
	struct resolve_cache *resolved; /* what lookup said */
	struct tally tally[VERB_COUNT];
	bool accepted; /* the command at hand was not refused */
	unsigned int errors; /* since the last accepted message */
	unsigned int junk;
	struct refusal *denied; /* by a list before the banner */
	bool improper; /* has sent commands where it should have waited */
	bool closing; /* end after this answer */
	bool dropped; /* "lost connection" was logged */
};

/* The whole of a connection; owns the descriptor. */
void session_run(const struct service *service, int fd);

/* Forgets sender and recipients. */
void transaction_free(struct session *s);
void transaction_begin(struct session *s);
void session_state(struct session *s, enum smtpd_state state);
/* EHLO, STARTTLS: nothing of what was said before counts. */
void session_forget(struct session *s);
/* A command that does nothing for mail: too many of them are errors. */
void session_junk(struct session *s);
/* Queue id for log lines, or "NOQUEUE". */
const char *session_id(const struct session *s);

/*
 * Reads one line of a dialogue inside a command (AUTH). False: the
 * connection is at its end, and that was dealt with.
 */
bool session_line(struct session *s, size_t limit, struct span *line);
/* The connection ended in an unexpected way: log, 421 where it helps. */
void session_lost(struct session *s, enum io how);

/* A good answer. */
void say(struct session *s, int code, const char *dsn, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A bad one: counted, delayed where there are many. */
void say_no(struct session *s, int code, const char *dsn, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* The same from a table: "503 5.5.1 text". */
void say_text(struct session *s, const char *text);
/*
 * The same for arguments of MAIL and RCPT; the log shows an address that was
 * none.
 */
void say_bad_path(struct session *s, struct span arguments, const char *text);
/* 421 and the end of the session. */
void say_goodbye(struct session *s, const char *dsn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Asks the list of this stage, and answers if it refuses: false. What is not
 * known yet, or not one alone, is NULL.
 */
bool say_unless_allowed(struct session *s, enum stage stage, const char *sender,
    const char *recipient, const char *helo);
/* Logs "reject: WHERE from ..." and answers; soft_bounce changes r. */
void say_refusal(struct session *s, struct refusal *r, const char *sender,
    const char *recipient);

#endif
