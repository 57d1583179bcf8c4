/* SPDX-License-Identifier: ISC */
#include "lookup/address_query.h"

#include "lib/mail/mail_address.h"
#include "lib/table/table.h"
#include "lookup/address_map.h"
#include "lookup/query_service.h"

static size_t
add_forms(struct maps *m, struct span address, bool local,
    struct msg_key_item *to, struct arena *memory)
{
	struct buf text = BUF_INIT(MAIL_ADDRESS_MAX * 2 + 2);
	struct table_key keys[TABLE_ADDRESS_KEYS];
	size_t n = table_address_keys(address, m->common.recipient_delimiter,
	    local, keys, &text);

	for (size_t i = 0; i < n; i++)
		to[i].key = arena_span(memory, keys[i].key);
	buf_fini(&text);
	return n;
}

/* The forms of an address: as messages have it, and as it is meant. */
static enum verdict
address_forms(struct maps *m, const char *address, struct ipc_list *keys,
    struct arena *memory, struct why *why)
{
	struct buf quoted = BUF_INIT(MAIL_ADDRESS_MAX * 2 + 2);
	struct msg_key_item *items =
	    arena_alloc(memory, 2 * TABLE_ADDRESS_KEYS * sizeof(*items));
	struct span meant = span_of(address);
	size_t n = 0;
	bool local;
	enum verdict v = address_map_is_local(m, address, &local, why);

	if (v == OK && mail_address_quote(meant, &quoted))
		n = add_forms(m, buf_span(&quoted), local, items, memory);
	if (v == OK && !span_equal(meant, buf_span(&quoted)))
		n += add_forms(m, meant, local, items + n, memory);
	*keys = (struct ipc_list){ items, n };
	buf_fini(&quoted);
	return v;
}

void
address_query_answer(struct maps *m, struct query_tables *tables, struct ipc *c,
    const struct msg_query *asked, struct arena *memory)
{
	struct msg_query q = *asked;
	const struct msg_key_item *given = q.keys.items;
	struct msg_query_reply reply = { .result = TABLE_AGAIN };
	struct why why;

	if (!q.address || q.keys.count != 1) {
		query_answer(tables, c, &q, memory);
	} else if (address_forms(m, given->key, &q.keys, memory, &why) == OK) {
		query_answer(tables, c, &q, memory);
	} else {
		reply.value = why.text;
		ipc_put(c, &message_query_reply, &reply);
	}
}
