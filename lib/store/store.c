/* SPDX-License-Identifier: ISC */
#include "lib/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mail_account_location.h"
#include "lib/store/store_kind.h"

enum store_result
store_open(const char *location, bool exclusive, const struct store_ids *ids,
    struct store **out, struct why *why)
{
	struct mail_location at;
	char *lists = NULL;
	enum store_result r;

	if (!mail_location_parse(location, &at, why))
		return STORE_FAILED;
	if (at.mbox) {
		why_set(why, "4.3.5",
		    "mailbox location \"%s\" is not supported", location);
		mail_location_fini(&at);
		return STORE_FAILED;
	}
	/* as Dovecot has it: INBOX is a folder like others there */
	if (at.control != NULL)
		lists = mem_printf("%s/%s", at.control,
		    at.naming.fs ? "INBOX" : ".INBOX");
	r = maildir_store_open(at.inbox != NULL ? at.inbox : at.path, lists,
	    exclusive, ids, out, why);
	free(lists);
	mail_location_fini(&at);
	return r;
}

void
store_close(struct store **s)
{
	if (*s != NULL)
		(*s)->kind->close(*s);
	*s = NULL;
}

size_t
store_count(const struct store *s)
{
	return s->kind->count(s);
}

const char *
store_unique(const struct store *s, size_t i)
{
	return s->kind->unique(s, i);
}

enum store_result
store_size(struct store *s, size_t i, uint64_t *size, struct why *why)
{
	return s->kind->size(s, i, size, why);
}

enum store_result
store_fetch(struct store *s, size_t i, struct store_blob *out, struct why *why)
{
	*out = (struct store_blob){ .fd = -1 };
	return s->kind->fetch(s, i, out, why);
}

enum store_result
store_add_flags(struct store *s, size_t i, unsigned int flags, struct why *why)
{
	return s->kind->add_flags(s, i, flags, why);
}

enum store_result
store_expunge(struct store *s, size_t i, struct why *why)
{
	return s->kind->expunge(s, i, why);
}

enum store_result
store_commit(struct store *s, struct why *why)
{
	return s->kind->commit(s, why);
}

int64_t
store_blob_read(struct store_blob *b, void *to, size_t n)
{
	ssize_t got;

	if (b->text != NULL)
		return b->text->read(b->text, to, n);
	if (b->next >= b->length)
		return 0;
	if ((int64_t)n > b->length - b->next)
		n = (size_t)(b->length - b->next);
	do {
		got = pread(b->fd, to, n, (off_t)b->next);
	} while (got == -1 && errno == EINTR);
	if (got > 0)
		b->next += got;
	return got;
}

void
store_blob_close(struct store_blob *b)
{
	if (b->text != NULL)
		b->text->close(b->text);
	b->text = NULL;
	fd_close(&b->fd);
}
