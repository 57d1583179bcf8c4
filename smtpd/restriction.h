/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_RESTRICTION_H
#define SMTPD_RESTRICTION_H

/*
 * Access restrictions: the lists of main.cf, compiled at start, and their
 * evaluation. Which there are is the table restrictions.def; what each does
 * is a function in checks_*.c.
 */

#include "lib/base/buf.h"
#include "lib/base/span.h"
#include "lib/base/why.h"
#include "lib/conf/conf.h"

struct session;
struct smtpd_params;

/* When a list is evaluated. */
enum stage {
	STAGE_CLIENT,
	STAGE_HELO,
	STAGE_SENDER,
	STAGE_RELAY,
	STAGE_RECIPIENT,
	STAGE_DATA,
	STAGE_END_OF_DATA,
	STAGE_COUNT,
	STAGE_REVERSE_NAME = STAGE_COUNT /* no list: only spoken about */
};

enum decision {
	DUNNO, /* the next one decides */
	PERMIT, /* ends this list */
	REFUSE, /* ends the question; session->refusal says how */
};

enum { REFUSAL_TEXT_MAX = 1024 };

/* An answer no; filled by refuse_with. */
struct refusal {
	int code;
	char dsn[WHY_DSN_MAX];
	char text[REFUSAL_TEXT_MAX];
	bool hang_up; /* 421, 521 */
};

/* What one question to the lists carries through them. */
struct evaluation {
	struct session *s;
	enum stage stage; /* of the list being evaluated */
	const char *sender; /* NULL: not known yet */
	const char *recipient;
	const char *helo;
	struct refusal refusal;
	/* defer_if_permit and defer_if_reject met so far */
	struct refusal if_permit;
	struct refusal if_reject;
	bool warn_only; /* inside warn_if_reject */
	unsigned int depth; /* of access tables and classes */
};

/* Empty; for one command. */
struct evaluation *evaluation_new(void);
void evaluation_free(struct evaluation *e);

typedef enum decision
restriction_check(struct evaluation *e, const char *argument);

struct restriction_lists;

/*
 * Compiles all lists. Unknown names and missing arguments are lines in
 * *error; a question that meets one is answered 451 4.3.5.
 */
struct restriction_lists *restriction_lists_new(struct conf *c,
    const struct smtpd_params *p, struct buf *error);
/* Is there something in this list? */
bool restriction_list_set(const struct restriction_lists *l, enum stage stage);

/* One list. PERMIT and DUNNO both mean that nothing spoke against it. */
enum decision restrictions_evaluate(struct evaluation *e, enum stage stage);
/* Restrictions as a text, out of an access table. */
enum decision
restrictions_evaluate_text(struct evaluation *e, const char *text);
/*
 * Lists passed: PERMIT, unless something said "defer if permit". To be
 * called once after the last list.
 */
enum decision restrictions_conclude(struct evaluation *e);

/*
 * For checks: REFUSE with a reply "<what>: <which> rejected: <why>" in the
 * form of this list; DUNNO with a log line within warn_if_reject. "what" is
 * of the stage the restriction speaks about.
 */
enum decision refuse_with(struct evaluation *e, int code, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, remembered for the case that all else permits. */
enum decision defer_if_permit(struct evaluation *e, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The first such makes a refusal that follows this one, for now. */
enum decision defer_if_reject(struct evaluation *e, enum stage about,
    const char *dsn, const char *text);
/* One of the two, as a setting like reject_tempfail_action says: defer, now. */
enum decision
defer_by(struct evaluation *e, const char *action, const char *dsn,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A person must mend something: 451 4.3.5, with a warning in the log. */
enum decision refuse_configuration(struct evaluation *e, const char *format,
    ...) __attribute__((format(printf, 2, 3)));
/* A table or lookup is down: 451 4.3.0. */
enum decision refuse_lookup(struct evaluation *e, const char *what);

/*
 * "<name[addr]>: Client host rejected", "<x>: Sender address rejected"...
 * for the stage.
 */
void
stage_subject(const struct evaluation *e, enum stage stage, struct buf *out);
/* "Client host", and "name[addr]": what a restriction of it is about. */
struct stage_subject {
	const char *what;
	const char *name;
};
struct stage_subject stage_parts(const struct evaluation *e, enum stage stage);
/*
 * smtpd_log_access_permit_actions: tells that the action has let something
 * pass, unless it is overruled by a "defer if permit". "table" may be NULL.
 */
void log_permit(const struct evaluation *e, struct span action,
    enum stage about, const char *table);
/* The same without "rejected". */
void stage_name(const struct evaluation *e, enum stage stage, struct buf *out);

/*
 * Does the recipient exist? "unlisted": refuse it if not; otherwise only what
 * no setting lets through (transport error, lookup down).
 */
enum decision check_listed_recipient(struct evaluation *e, bool unlisted);

#define RESTRICTION(name, argument, function, meaning) \
	restriction_check function;
#define MISSING(name, argument)
#include "smtpd/restrictions.def"
#undef RESTRICTION
#undef MISSING

#endif
