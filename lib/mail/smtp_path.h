/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_SMTP_PATH_H
#define LIB_MAIL_SMTP_PATH_H

/*
 * The path of MAIL FROM and RCPT TO, RFC 5321 section 4.1.2, and RFC 6531
 * section 3.3 for UTF-8. Source routes are recognised and dropped.
 */

#include "lib/base/buf.h"

enum smtp_path_flag {
	PATH_NULL = 1, /* "<>" is fine */
	PATH_UTF8 = 2, /* SMTPUTF8 was asked for */
	/*
	 * No leniency (strict_rfc821_envelopes). Without it the brackets may
	 * be missing, blanks may come before them, and dots may stand at
	 * the ends of a local part or in a row.
	 */
	PATH_STRICT = 4,
};

enum { SMTP_PATH_MAX = 512 }; /* bytes of an address we take */

enum smtp_path_result {
	SMTP_PATH_OK,
	SMTP_PATH_SYNTAX,
	SMTP_PATH_LONG, /* over SMTP_PATH_MAX */
	SMTP_PATH_NEEDS_UTF8, /* has UTF-8, and it was not asked for */
};

/*
 * Takes a path off the front of *rest and adds its unquoted form to the
 * (empty) buffer. *rest is then what follows: empty, or beginning with a
 * blank. A missing domain is no error (it is ours to add).
 */
enum smtp_path_result
smtp_path_parse(struct span *rest, unsigned int flags, struct buf *address);

#endif
