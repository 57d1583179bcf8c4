/* SPDX-License-Identifier: ISC */
#ifndef LIB_IMAP_IMAP_READ_H
#define LIB_IMAP_IMAP_READ_H

/*
 * Commands as clients send them (RFC 9051 section 9, RFC 3501, RFC 7888
 * literals, RFC 3516 literal8, RFC 6855 UTF-8 in quoted strings): a line with
 * its literals, as a tree of arguments. Says "+ OK" to literals that wait for
 * it. May be cut into packets anywhere.
 *
 * SECURITY: the first reader of the world's bytes. Limits are hard: bytes of
 * one command (literals counted), arguments, depth of lists. A NUL is refused
 * anywhere but in literal8; CR and LF within quoted strings as well. After an
 * error the rest of the line is skipped, literals without wait ("{5+}")
 * included, so that message text is never taken for commands; where that
 * cannot be known the connection ends (RFC 7888 section 4).
 */

#include "lib/base/mem.h"
#include "lib/net/stream.h"

enum imap_arg_type {
	IMAP_END, /* behind the last argument of a list or of the command */
	/*
	 * Atom, number, flag ("\Seen"), or a section as one text,
	 * "BODY[HEADER.FIELDS (DATE)]<0.5>"; literals within such brackets
	 * became quoted strings.
	 */
	IMAP_ATOM,
	IMAP_NIL, /* the atom NIL: may also be meant as an atom */
	IMAP_QUOTED,
	IMAP_LITERAL,
	IMAP_LITERAL8, /* "~{n}" */
	IMAP_LIST,
	/*
	 * A literal that was not read: the command is one that takes its
	 * literals by itself (imap_reader_streaming). Nothing follows in the
	 * tree; lists that are open here end here, and go on with
	 * imap_read_more.
	 */
	IMAP_PENDING,
	/* imap_read_more: ")" of a list that began before the literal. */
	IMAP_CLOSE,
};

struct imap_arg {
	enum imap_arg_type type;
	struct span text; /* as meant: unquoted, not decoded */
	const struct imap_arg *list; /* of a list; ends with IMAP_END */
	size_t count; /* of the list */
	uint64_t size; /* PENDING: bytes of the literal */
	bool wait; /* PENDING: the client waits for "+" */
	bool binary; /* PENDING: literal8 */
};

struct imap_limits {
	size_t line; /* bytes of all lines of a command, without literals */
	size_t literal; /* bytes of one literal in the tree */
	size_t total; /* bytes of a command */
	size_t args;
	unsigned int depth;
	bool utf8; /* quoted strings may hold UTF-8 */
};

/* Before the login, and behind it. */
extern const struct imap_limits imap_limits_login, imap_limits_session;

struct imap_command {
	struct span tag; /* "" where none could be read */
	struct span name; /* upper case, without UID */
	bool uid; /* "UID FETCH": name is FETCH */
	const struct imap_arg *args; /* ends with IMAP_END */
	size_t count;
};

enum imap_read {
	IMAP_READ_OK,
	IMAP_READ_BAD, /* *error is for the client, behind the tag and "BAD" */
	IMAP_READ_END, /* of the connection: see *io */
	IMAP_READ_FATAL, /* say "* BYE" and *error, then close */
};

struct imap_reader;

/* The stream is the caller's. */
struct imap_reader *
imap_reader_new(struct stream *io, const struct imap_limits *limits);
void imap_reader_free(struct imap_reader **r);
void
imap_reader_limits(struct imap_reader *r, const struct imap_limits *limits);
/*
 * Is this command, its name in upper case, one that takes its literals by
 * itself? Then: how many of its arguments are read all the same before that
 * (APPEND: one, the mailbox); else 0. NULL, at first: none does.
 */
void imap_reader_streaming(struct imap_reader *r,
    size_t (*streams)(struct span name));
/*
 * Who gathers answers sends all of them. Called each time before the reader
 * may have to wait for the client: what was gathered is to be sent, and "text"
 * behind that ("+ OK", or NULL). False: nothing may be sent any more; then
 * nothing is read either (IO_ERROR).
 */
typedef bool imap_reader_say(void *with, const char *text);
void imap_reader_before_wait(struct imap_reader *r, imap_reader_say *say,
    void *with);
/*
 * The next command; empty lines are passed over, but not without end.
 * Everything in *out lives until the next call. With BAD out->tag is set where
 * it could be read.
 */
enum imap_read imap_read_command(struct imap_reader *r,
    struct imap_command *out, const char **error, enum io *io);
/*
 * For a command that takes its literals by itself: after the bytes of a
 * PENDING literal have been taken from the stream (imap_read_literal), the
 * arguments that follow it, up to the end of the line or the next PENDING.
 * Those that it gave before are gone then; the command itself stays.
 */
enum imap_read
imap_read_more(struct imap_reader *r, const struct imap_arg **args,
    size_t *count, const char **error, enum io *io);
/*
 * The next bytes of a PENDING literal, straight from the stream; says "+ OK"
 * first where that is waited for. Empty at its end. Valid until the next call.
 */
enum io imap_read_literal(struct imap_reader *r, struct span *bytes);
/*
 * The rest of the command is not wanted (quota, no such mailbox): skips what
 * comes without being asked for. False: the connection must end.
 */
bool imap_skip_command(struct imap_reader *r);
/* Is there a PENDING literal that was neither taken nor skipped? */
bool imap_reader_pending(const struct imap_reader *r);
/* One line as it is, for DONE and for SASL; IO_LONG beyond the limit. */
enum io imap_read_line(struct imap_reader *r, struct span *line);
/*
 * The line was not what it had to be: skips the literals that come behind it,
 * as for a command that is refused. False: the connection must end.
 */
bool imap_skip_line(struct imap_reader *r);

/* What an argument can be taken for. Each is false when it is not that. */
bool imap_arg_atom(const struct imap_arg *a, struct span *out);
bool imap_arg_is(const struct imap_arg *a, const char *atom); /* no case */
bool imap_arg_astring(const struct imap_arg *a, struct span *out);
bool imap_arg_string(const struct imap_arg *a, struct span *out);
bool imap_arg_nstring(const struct imap_arg *a, struct span *out); /* p NULL */
bool imap_arg_number(const struct imap_arg *a, uint64_t max, uint64_t *out);
bool imap_arg_list(const struct imap_arg *a, const struct imap_arg **out);
/* With "*" and "%" (LIST); quoted forms are fine too. */
bool imap_arg_list_mailbox(const struct imap_arg *a, struct span *out);
/* "17-Jul-1996 02:44:25 -0700" to seconds since 1970. */
bool imap_arg_date_time(const struct imap_arg *a, int64_t *out);
/* "1-Feb-1994": days since 1970. */
bool imap_arg_date(const struct imap_arg *a, int64_t *days);

#endif
