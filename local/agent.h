/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_AGENT_H
#define LOCAL_AGENT_H

/*
 * What the delivery services of this program (local, virtual, pipe, error,
 * retry, discard) share: settings, the request in hand, and how an outcome
 * is told and logged.
 */

#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_deliver.h"
#include "lib/service/service.h"
#include "lib/store/deliver_copy.h"
#include "lib/table/table.h"

#define PARAM_GROUP local
#define PARAM_DEF "local/params.def"
#include "lib/conf/param.h"

struct agent {
	const struct service *service;
	struct common_params common;
	struct local_params own;
	bool root; /* we can become others */
	bool original_header; /* enable_original_recipient */
	const char *filter_setting; /* LOCAL_delivery_status_filter */
	struct table_list *filter; /* NULL: none */
};

/* One request of qmgr. */
struct request {
	struct agent *agent;
	const struct msg_deliver *m;
	struct ipc *qmgr;
	struct arena *arena; /* until the request is done */
	int64_t started; /* microseconds since 1970 */
	const char *sender; /* of the message, or owner-NAME */
	bool taken; /* the queue file was moved into a mailbox */
	bool dsn_passed; /* the next outcome: a copy carries the duty on */
	bool partly; /* the next outcome: some have it, soft_bounce or not */
	bool verify; /* sendmail -bv: find out, deliver nothing */
	char **delivered_to; /* of the content; NULL-terminated; or not yet */
};

/* Delivers to all recipients of the request; outcomes by request_outcome. */
typedef void agent_deliver(struct request *r);

/*
 * Tells qmgr and the log what became of a recipient. "action" for reports:
 * "delivered", "relayed", "expanded"; taken only when the verdict is OK.
 */
void request_outcome(struct request *r, size_t index, enum verdict v,
    const char *action, const struct why *why);
/* The same one outcome for all recipients. */
void request_outcome_all(struct request *r, enum verdict v, const char *action,
    const struct why *why);

const struct msg_deliver_recipient *
request_recipient(const struct request *r, size_t index);
/* Has the message been delivered to this address before? */
bool request_loops(struct request *r, const char *address);
/* The address in the form that messages have; lives as long as the request. */
const char *request_quoted(struct request *r, const char *address);
/*
 * What to write into a mailbox or command, with delivery headers for this
 * recipient: those of the queue file where it has them.
 */
void request_source(struct request *r, size_t index, struct deliver_source *s);
/* The content alone. */
void request_content(struct request *r, struct deliver_source *s);
/*
 * The delivery headers alone, CRLF line ends; each where it is given.
 * request_headers leaves X-Original-To out where enable_original_recipient
 * says so.
 */
struct span request_headers(struct request *r, const char *original,
    const char *delivered, bool return_path);
struct span request_headers_exactly(struct request *r, const char *original,
    const char *delivered, bool return_path);
/* "From sender  date" and the line end: what mbox messages begin with. */
const char *request_from_line(struct request *r, const char *line_end);

/* A table that did not answer: LATER, and why. */
enum verdict agent_table_failed(struct why *why, enum table_result t,
    const char *table, const char *detail);

/* Services; the set-up functions run once, with the rights of master. */
void local_set_up(struct agent *a);
void local_deliver(struct request *r);
void virtual_set_up(struct agent *a);
void virtual_deliver(struct request *r);
void pipe_arguments(struct agent *a, int argc, char **argv);
void pipe_deliver(struct request *r);
void error_deliver(struct request *r);
void discard_deliver(struct request *r);

#endif
