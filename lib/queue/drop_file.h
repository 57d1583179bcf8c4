/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_DROP_FILE_H
#define LIB_QUEUE_DROP_FILE_H

/*
 * A message as sendmail gives it to postdrop, and as postdrop leaves it in
 * maildrop for pickup: one format, read with distrust each time, and written
 * anew by postdrop from what it understood.
 *
 *	"POSTHASTE-DROP 1\n"
 *	fields (queue_field.h): sender, then any of full_name, envid, ret,
 *	body, notes, extract_notify, in this order; then for each recipient
 *	recipient, and orcpt and notify if there are any; content (empty)
 *	ends them
 *	chunks: u32 length (big-endian), 1 to 65536, and as many bytes; a
 *	length of 0 ends them
 *	"POSTHASTE-END\n", and nothing behind it
 *
 * A file without its end was never acknowledged. Who submitted it and when
 * is not in the file but in its owner and its name.
 */

#include "lib/base/buf.h"
#include "lib/base/mem.h"

enum drop_note { /* "notes", a decimal number */
	DROP_EXTRACT = 1, /* sendmail -t */
	DROP_VERIFY = 2, /* sendmail -bv */
	DROP_TRACE = 4, /* sendmail -v */
	DROP_GATEWAY = 8, /* sendmail -G: leave the header as it is */
};

struct drop_recipient {
	const char *address;
	const char *orcpt;
	unsigned int notify; /* enum dsn_notify */
};

struct drop_envelope {
	const char *sender; /* "" for the null sender */
	const char *full_name;
	const char *envid;
	unsigned int ret;
	unsigned int body; /* 0 unknown, 1 7BIT, 2 8BITMIME */
	unsigned int notes; /* enum drop_note */
	unsigned int extract_notify; /* of those that the header names */
	struct drop_recipient *recipients;
	size_t recipient_count;
};

enum {
	DROP_CHUNK_MAX = 65536,
	DROP_ADDRESS_MAX = 1024,
	DROP_NAME_MAX = 256,
	DROP_ENVID_MAX = 256,
	DROP_ORCPT_MAX = 2048,
	DROP_RECIPIENTS_MAX = 50000,
	DROP_ENVELOPE_MAX = 64 << 20, /* bytes of all fields */
};

/*
 * Adds everything up to the content. False for what a reader would refuse:
 * control characters, too long, no recipient where none is extracted.
 */
bool drop_put_envelope(struct buf *out, const struct drop_envelope *e);
/* Adds a chunk; n = 0 adds the end of the content and of the file. */
bool drop_put_chunk(struct buf *out, const void *data, size_t n);

/* Reading from a descriptor, blocking. */
struct drop_reader;

enum drop_read {
	DROP_OK,
	DROP_ENDED, /* of the content; the file is whole */
	DROP_SHORT, /* the input ends too early */
	DROP_BROKEN, /* it is not the format */
	DROP_ERROR, /* errno */
};

struct drop_reader *drop_reader_new(int fd); /* the descriptor stays yours */
void drop_reader_free(struct drop_reader **r);
/*
 * "wait" is called before each read, and may block; when it says false,
 * reading ends with DROP_ERROR and EINTR.
 */
void drop_reader_wait(struct drop_reader *r, bool (*wait)(int fd));
/* First. Texts live in the arena. */
enum drop_read drop_read_envelope(struct drop_reader *r, struct arena *a,
    struct drop_envelope *e);
/* Then content, valid until the next call; DROP_ENDED after the last. */
enum drop_read drop_read_chunk(struct drop_reader *r, struct span *chunk);

#endif
