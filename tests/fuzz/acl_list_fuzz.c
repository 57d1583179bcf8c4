/* SPDX-License-Identifier: ISC */
/* A dovecot-acl file: what is written of it is read back the same. */
#include "imapd/acl_list.h"

#include <stddef.h>
#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
once(struct span text, struct buf *out)
{
	struct arena *a = arena_new();
	struct acl_list l;

	acl_list_parse(text, a, &l);
	for (const struct acl_entry *e = l.first; e != NULL; e = e->next) {
		ensure((e->rights & ~ACL_ALL) == 0);
		ensure(acl_list_find(&l, span_of(e->who)) == e);
		ensure(!span_has_break(span_of(e->who)));
	}
	acl_list_write(&l, out);
	acl_list_fini(&l);
	arena_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);

	if (size > 30000)
		return 0;
	once(text, &first);
	once(buf_span(&first), &second);
	ensure(span_equal(buf_span(&first), buf_span(&second)));
	buf_fini(&first);
	buf_fini(&second);
	return 0;
}
