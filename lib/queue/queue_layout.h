/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_QUEUE_LAYOUT_H
#define LIB_QUEUE_QUEUE_LAYOUT_H

/* What writer and reader of queue files share; the format is described in
 * queue_file.h. Not for others. */

#include "lib/queue/queue_file.h"

#define QUEUE_FIELD(constant, name) static const char constant[] = name;
#include "lib/queue/queue_fields.def"
#undef QUEUE_FIELD

#define QUEUE_MAGIC "POSTHASTE-QUEUE\n"

enum {
	QUEUE_MAGIC_SIZE = 16,
	QUEUE_VERSION = 1,
	/* offsets in the footer */
	FOOTER_VERSION = 16,
	FOOTER_COUNT = 20,
	FOOTER_CONTENT = 24,
	FOOTER_TRAILER = 32,
	FOOTER_TRAILER_SIZE = 40,
	FOOTER_ZEROS = 48,
	FOOTER_CRC = 60,

	FLAGS_DIGITS = 8,
	PADDING_UNIT = 4096, /* a block of most file systems */
	PADDING_MAX = 65536, /* the largest block there is */
	TRAILER_MAX = 256 << 20, /* 50,000 recipients at their longest fit */
	PREFIX_MAX = 65536,
	ADDRESS_MAX = 1024,
	ORCPT_MAX = 2048,
	ENVID_MAX = 256,
	CLIENT_MAX = 512,
	NOTIFY_MAX = 15,
	RECIPIENTS_MAX = 50000,
	/* the shortest: recipient and status, with their lengths */
	RECIPIENT_MIN = 3 + 9 + 3 + 6 + 1,
};

#endif
