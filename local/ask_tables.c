/* SPDX-License-Identifier: ISC */
#include "local/ask_tables.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/service/service.h"

enum { PATIENCE_S = 100, KEY_MAX = 1024 /* of lookup.def */ };

static const char service[] = "lookup";

enum table_result
ask_tables(const char *table, struct span key, struct buf *value)
{
	char *text = mem_span_text(key);
	struct msg_key_item item = { .key = text };
	const struct msg_query question = { .table = table,
		.keys = { &item, 1 } };
	const struct service_question q = { &message_query, &question,
		&message_query_reply };
	const struct msg_query_reply *reply = NULL;
	enum table_result r = TABLE_AGAIN;
	struct ipc *c;

	if (key.n <= KEY_MAX && span_find(key, '\0') == key.n)
		reply = service_question(service, &protocol_lookup, &q,
		    clock_in(PATIENCE_S), &c);
	else
		r = TABLE_NONE;
	if (reply != NULL) {
		r = (enum table_result)reply->result;
		buf_add_text(value, reply->value);
		service_done(service, &c, true);
	} else if (r == TABLE_AGAIN) {
		buf_add_text(value, "lookup does not answer");
	}
	free(text);
	return r;
}
