/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_TEXT_H
#define LIB_STORE_MBOX_TEXT_H

/*
 * Messages on their way into an mbox, and out of it.
 */

#include "lib/base/buf.h"
#include "lib/store/mbox_scan.h"

enum mbox_form {
	MBOX_SHOWN, /* out: unquoted, with CRLF line ends */
	MBOX_NEW, /* in: quoted, with LF line ends */
};

/*
 * A text that comes in pieces of any size; header fields that IMAP does not
 * show (mbox_hidden) are left out in all forms.
 */
struct mbox_filter {
	enum mbox_form form;
	bool header;
	bool dropping; /* a field */
	bool inside; /* of a line that is decided */
	bool run; /* of ">" that went out */
	bool cr; /* one is held back */
	char last; /* byte that went out */
	uint64_t out;
	int64_t header_end; /* in what went out; -1: it has not ended */
	char line[32]; /* the beginning of one that is not */
	size_t n;
};

/*
 * The line that begins a message that comes now, with this end, whose sender
 * is quoted, or "" (which is MAILER-DAEMON). False: it does not fit.
 */
bool
mbox_make_from_line(struct buf *to, const char *sender, const char *line_end);
/*
 * The date of such a line, as the times of this machine have it; that of 1970
 * where the year is none of four digits.
 */
enum { MBOX_DATE = 32 };
void mbox_make_date(int64_t date, char text[MBOX_DATE]);

void mbox_filter_init(struct mbox_filter *f, enum mbox_form form);
/* Adds to *to what is known so far: at most three times n, and 64 more. */
void mbox_filter_feed(struct mbox_filter *f, struct span bytes, struct buf *to);
/* The end; a last line without an end is given one. */
void mbox_filter_end(struct mbox_filter *f, struct buf *to);

/*
 * The message, as it is shown, to the file "out", from its beginning on; how
 * many bytes. It is compared with the digest that it had when it was found, so
 * that nobody takes parts of others for it, whatever is done to the file
 * meanwhile: then -1 with ESTALE.
 */
int64_t mbox_text_copy(int file, const struct mbox_message *m, int out);

/* A file without a name: in memory if it is to be small. -1 with errno. */
int mbox_text_file(int directory, int64_t size);

#endif
