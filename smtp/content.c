/* SPDX-License-Identifier: ISC */
#include "smtp/content.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/mail/smtp_wire.h"
#include "lib/net/stream_pool.h"
#include "lib/queue/queue_file.h"
#include "smtp/settings.h"

enum { HEADER_LOOK_MAX = 256 * 1024 };

/* Bytes at this place of the content; 0 at its end, -1 with errno. */
static ssize_t
read_part(const struct msg_deliver *m, uint64_t at, char *to, size_t room)
{
	uint64_t left = m->content_size - at;
	ssize_t n;

	if (left < room)
		room = (size_t)left;
	if (room == 0)
		return 0;
	do
		n = pread(m->content, to, room,
		    (off_t)(m->content_offset + at));
	while (n < 0 && errno == EINTR);
	if (n == 0) { /* shorter than qmgr said */
		errno = EIO;
		return -1;
	}
	return n;
}

/*
 * Looks at bytes of the header; true when it is over, or *found. "fresh" is
 * carried from part to part: the line so far has no byte but CR.
 */
static bool
look(struct span part, bool *fresh, bool *found)
{
	for (size_t i = 0; i < part.n; i++) {
		unsigned char c = (unsigned char)part.p[i];

		if (c >= 0x80) {
			*found = true;
			return true;
		}
		if (c == '\n') {
			if (*fresh)
				return true;
			*fresh = true;
		} else if (c != '\r') {
			*fresh = false;
		}
	}
	return false;
}

bool
content_has_8bit_header(const struct msg_deliver *m)
{
	char *buffer = stream_pool_get();
	bool found = false, fresh = true;
	uint64_t at = 0;
	ssize_t n;

	while (at < HEADER_LOOK_MAX && (n = read_part(m, at, buffer,
	    STREAM_BUFFER_SIZE)) > 0) {
		if (look((struct span) { buffer, (size_t)n }, &fresh, &found))
			break;
		at += (uint64_t)n;
	}
	stream_pool_put(&buffer);
	return found;
}

enum content_form
content_form(const struct msg_deliver *m, bool peer_8bit)
{
	if (peer_8bit || !(m->flags & QUEUE_BODY_8BIT) ||
	    settings()->smtp.disable_mime_output_conversion)
		return CONTENT_AS_IS;
	return CONTENT_AS_IS;
}

static void
to_stream(void *with, struct span bytes)
{
	(void)stream_write(with, bytes.p, bytes.n);
}

enum io
content_send(const struct msg_deliver *m, enum content_form form,
    struct stream *to, int *error)
{
	char *buffer = stream_pool_get();
	struct smtp_wire wire;
	enum io result = IO_OK;
	uint64_t at = 0;
	ssize_t n = 0;

	(void)form;
	smtp_wire_init(&wire, (size_t)settings()->smtp.smtp_line_length_limit,
	    to_stream, to);
	while (result == IO_OK && (n = read_part(m, at, buffer,
	    STREAM_BUFFER_SIZE)) > 0) {
		smtp_wire_put(&wire, (struct span) { buffer, (size_t)n });
		at += (uint64_t)n;
		result = stream_write(to, "", 0); /* what went wrong, if so */
	}
	*error = n < 0 ? errno : 0;
	if (n == 0 && result == IO_OK)
		smtp_wire_end(&wire);
	stream_pool_put(&buffer);
	return result;
}
