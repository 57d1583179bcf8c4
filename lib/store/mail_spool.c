/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_spool.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/fdio.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mbox_text.h"

enum { IN_MEMORY = 128 * 1024 };

void
mail_spool_init(struct mail_spool *s, const struct mailbox *to)
{
	*s = (struct mail_spool){ .to = to, .fd = -1 };
	buf_init(&s->memory, IN_MEMORY);
}

void
mail_spool_fini(struct mail_spool *s)
{
	fd_close(&s->fd);
	buf_fini(&s->memory);
}

uint64_t
mail_spool_size(const struct mail_spool *s)
{
	return s->written + s->memory.n;
}

/* To the file. */
static int
write_out(struct mail_spool *s, struct span bytes)
{
	if (s->fd == -1)
		s->fd = mbox_text_file(s->to->folder->files.dir, INT64_MAX);
	if (s->fd == -1 ||
	    fd_pwrite_all(s->fd, bytes.p, bytes.n, (off_t)s->written) == -1)
		return -1;
	s->written += bytes.n;
	return 0;
}

enum mail_result
mail_spool_put(struct mail_spool *s, struct span bytes, struct why *why)
{
	if (bytes.n <= IN_MEMORY - s->memory.n &&
	    buf_add_span(&s->memory, bytes))
		return MAIL_OK;
	if (s->memory.n > 0 && write_out(s, buf_span(&s->memory)) == -1)
		return mailbox_disk_failed("cannot write the message", why);
	buf_reset(&s->memory);
	if (bytes.n <= IN_MEMORY / 2)
		(void)buf_add_span(&s->memory, bytes);
	else if (write_out(s, bytes) == -1)
		return mailbox_disk_failed("cannot write the message", why);
	return MAIL_OK;
}

enum mail_result
mail_spool_read(const struct mail_spool *s, uint64_t at, void *to, size_t n,
    struct why *why)
{
	size_t first = 0;

	if (at < s->written) {
		first = s->written - at < n ? (size_t)(s->written - at) : n;
		if (fd_pread_all(s->fd, to, first, (off_t)at) == -1)
			return mailbox_disk_failed("cannot read the message",
			    why);
	}
	if (n > first)
		memcpy((char *)to + first,
		    s->memory.p + (at + first - s->written), n - first);
	return MAIL_OK;
}
