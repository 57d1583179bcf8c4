/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

/*
 * One IMAP connection behind its login: the state that commands work on, and
 * what they use to answer. Runs in a task of the user's process, with the
 * user's rights.
 *
 * A command is a function in the file of its family; its row in verbs.def
 * says when it is legal, and which changes of the mailbox may be told with its
 * answer.
 */

#include "lib/conf/common.h"
#include "lib/imap/imap_read.h"
#include "lib/imap/imap_write.h"
#include "lib/net/stream.h"
#include "lib/store/mailbox_view.h"

#define PARAM_GROUP imapd
#define PARAM_DEF "imapd/params.def"
#include "lib/conf/param.h"

/* What ENABLE, or using it, has turned on (RFC 5161, 7162, 6855, 9051). */
enum imap_enabled {
	ENABLED_CONDSTORE = 1 << 0,
	ENABLED_QRESYNC = 1 << 1,
	ENABLED_UTF8 = 1 << 2, /* UTF8=ACCEPT */
	ENABLED_REV2 = 1 << 3,
	ENABLED_UIDONLY = 1 << 4,
};

enum imap_state {
	IMAP_AUTHENTICATED = 1,
	IMAP_SELECTED = 2,
	IMAP_LOGGED_OUT = 4,
};

struct imap_session {
	const struct common_params *common;
	const struct imapd_params *params;
	struct stream *io;
	struct imap_reader *reader;
	struct mail_account *account;
	const char *user, *id, *client; /* for the log */
	enum imap_state state;
	unsigned int enabled;
	/* selected */
	struct mailbox *mailbox; /* NULL: none */
	struct mailbox_view view;
	bool read_only;
	bool examined; /* by EXAMINE: read-only whatever the rights are */
	unsigned int rights; /* to it: enum acl_right */
	struct uid_set saved; /* SEARCHRES: "$", as UIDs */
	/*
	 * What is said goes here first, then out at once; several short
	 * replies leave in one segment.
	 */
	struct buf out;
	/* a reply was thrown away: nothing behind the BYE for it is sent */
	bool broken;
	const char *end; /* why it ends, for the log; NULL: LOGOUT */
	/* of the core, imap_session.c and tell.c */
	const struct imap_verb *verb; /* that runs now */
	int64_t errors; /* in a row */
	bool looked; /* at the disk, since input last had to be waited for */
	bool rights_looked; /* at the rights to the mailbox, likewise */
	size_t keywords_told; /* how many of the mailbox the client knows */
	int64_t park_at; /* since it rests; 0: it does not */
	int64_t told_progress; /* INPROGRESS: when, clock_ms */
	struct span idle_tag; /* of the IDLE under way; p NULL: none */
	struct session_client *connection; /* NULL: cannot be parked */
	uint64_t received_before, sent_before; /* bytes, until it was parked */
	/* of a file that needs more: its own struct, freed with the session */
	struct imap_notify *notify;
	struct imap_contexts *contexts;
	bool compressed; /* COMPRESS=DEFLATE */
};

typedef void
imap_command_function(struct imap_session *s, const struct imap_command *c);

/* Which changes may be told with a command's answer. */
enum imap_tell {
	TELL_NOTHING,
	TELL_NO_EXPUNGE, /* FETCH, STORE, SEARCH: numbers must stay */
	TELL_ALL,
};

struct imap_verb {
	struct span name;
	unsigned int states; /* in which it is legal */
	bool uid; /* has a UID form */
	enum imap_tell tell; /* for the UID form it is TELL_ALL */
	imap_command_function *run;
};

/* Everything from the login's answer to the end; needs no s->out. */
void imap_session_run(struct imap_session *s, const char *login_tag);
/* The connection is of no use any more, or must not go on: ends the loop. */
void imap_session_end(struct imap_session *s, const char *why);
/* The same, and the client is told in "* BYE". "code" as for reply_ok. */
void imap_session_bye(struct imap_session *s, const char *code,
    const char *text, const char *why);

/*
 * Answers. "code": of a response code, without brackets, or NULL. Each tells
 * changes first, as the verb's row allows. Exactly one of them ends a command.
 */
void
reply_ok(struct imap_session *s, const struct imap_command *c, const char *code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void
reply_no(struct imap_session *s, const struct imap_command *c, const char *code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void reply_bad(struct imap_session *s, const struct imap_command *c,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * NO with the code that stands for this result (RFC 5530: NONEXISTENT,
 * ALREADYEXISTS, OVERQUOTA, CANNOT, LIMIT, INUSE, SERVERBUG...), and a log
 * line where it is our failure.
 */
void reply_result(struct imap_session *s, const struct imap_command *c,
    enum mail_result result, const struct why *why);

/*
 * What is in s->out leaves (buffered by the stream). Changes are settled
 * before anything is sent. Call it when s->out has grown beyond some KiB;
 * nothing of the store may be held. Not IO_OK: nothing may follow; there is no
 * other way to the client.
 */
enum io imap_send(struct imap_session *s);
/* The same, and then bytes of a file. */
enum io
imap_send_file(struct imap_session *s, int fd, int64_t offset, size_t n);
/*
 * Waits, with nothing left to be sent, for the client or for a change in a
 * watched mailbox of this account (mailbox_watch).
 */
enum imap_wake {
	WAKE_CLIENT, /* it said something, or closed */
	WAKE_CHANGE, /* somewhere, maybe */
	WAKE_TIME,
	WAKE_END, /* the session is over */
};
enum imap_wake imap_wait(struct imap_session *s, int64_t deadline);
/* All connections of this user wake: WAKE_CHANGE. */
void imap_wake_all(void);
/* After a command: others who wait hear of what this process did. */
void imap_wake_others(struct imap_session *s);
/*
 * For commands that may take long, now and then: tells how far it is, "done"
 * of "all" (0: nobody knows), every few seconds (RFC 9585), and lets others
 * run. False: the client is gone. Nothing of the store may be held.
 */
bool imap_progress(struct imap_session *s, const struct imap_command *c,
    uint64_t done, uint64_t all);
/*
 * The same where something is held: only what can be sent now is, and nobody
 * else runs. What is to be told and not sent yet (s->out) must wait until it
 * is durable: while there is any, this says nothing.
 */
void imap_progress_held(struct imap_session *s, const struct imap_command *c,
    uint64_t done, uint64_t all);
/* Tells the client what happened to the selected mailbox. */
void imap_tell(struct imap_session *s, enum imap_tell tell);
/* The same between commands, or in IDLE: what NOTIFY asked for, or all. */
void imap_tell_now(struct imap_session *s);
/* "* n FETCH (FLAGS (...))", with UID and MODSEQ where those are due. */
void imap_tell_flags(struct imap_session *s, uint32_t uid, bool with_uid);
/* "(\Seen $Forwarded)"; "recent": with \Recent. */
void imap_write_flags(struct imap_session *s, struct buf *out,
    const struct mail_message *m);
/*
 * A CONDSTORE enabling command (RFC 7162 section 3.1): from now on replies have
 * modification sequences. The first such command is told the highest one.
 */
void imap_enable_condstore(struct imap_session *s);
/*
 * "(\Answered ...)": the mailbox's flags; "permanent": those that the user
 * may change, with "\*" for such to come.
 */
void
imap_write_known_flags(struct imap_session *s, struct buf *out, bool permanent);
/* The rights to the selected mailbox are these. */
void imap_take_rights(struct imap_session *s, unsigned int rights);
/* Leaves the selected mailbox; [CLOSED] is the caller's. */
void imap_unselect(struct imap_session *s);

/*
 * Arguments that many commands share. Each answers BAD or NO by itself and is
 * false then.
 */
/* Message numbers, UIDs or "$", to UIDs that the view has. */
bool imap_set_argument(struct imap_session *s, const struct imap_command *c,
    const struct imap_arg *a, struct uid_set *uids);
/*
 * A mailbox name, to UTF-8; "out" is reset first. One separator at its end is
 * dropped: with CREATE it says that there will be mailboxes below (RFC 3501
 * section 6.3.3), and clients then use that name elsewhere.
 */
bool imap_mailbox_argument(struct imap_session *s, const struct imap_command *c,
    const struct imap_arg *a, struct buf *out);
/* The same, and nothing is answered. */
bool imap_mailbox_text(const struct imap_session *s, const struct imap_arg *a,
    struct buf *out);
/* What becomes of keywords that the folder does not have. */
enum imap_keywords {
	KEYWORDS_MADE, /* refused where there is no room for more */
	KEYWORDS_THAT_FIT, /* left out there */
	KEYWORDS_KNOWN, /* left out: no message has them */
};

/*
 * "(\Seen $Junk)" or without the parentheses. Flags that the rights do not
 * permit are left out: *denied, which may be NULL, says so.
 */
bool imap_flags_argument(struct imap_session *s, const struct imap_command *c,
    struct mailbox *in, unsigned int rights, const struct imap_arg *a,
    size_t count, enum imap_keywords how, uint32_t *flags, uint64_t *keywords,
    bool *denied);
/* The system flags that these rights permit to change. */
uint32_t imap_flags_permitted(unsigned int rights);

static inline bool
imap_enabled(const struct imap_session *s, unsigned int what)
{
	return (s->enabled & what) != 0;
}

/* Names and strings go out as UTF-8? */
static inline bool
imap_utf8(const struct imap_session *s)
{
	return imap_enabled(s, ENABLED_UTF8 | ENABLED_REV2);
}

/* The names for CAPABILITY, behind the login. */
const char *imap_capabilities(const struct imap_session *s);

#endif
