/* SPDX-License-Identifier: ISC */
/*
 * Makes structs and tables out of a protocol .def file. A header includes
 * this with IPC_DEF set to the file's name in quotes: that gives
 * "struct msg_NAME", "message_NAME" and "protocol_NAME". Exactly one .c file
 * includes it again with IPC_DEFINE set as well. No include guard, on
 * purpose: it is included once for each protocol.
 *
 * Rows of a .def file (items of lists before the messages that hold them):
 *	MESSAGE(message, "meaning")
 *	FIELD(message, TYPE, name, limit, "meaning")
 *	    TYPE is TEXT, U64, BOOL, BYTES or FD; the limit is in bytes, for
 *	    numbers the largest value
 *	LIST(message, item_message, name, most, "meaning")
 *	END_MESSAGE(message)
 *	PROTOCOL(name, version, "who asks whom, and in which order")
 *	    with MEMBER(message) rows for each message, END_PROTOCOL(name)
 *
 * Frames name their message and their fields: the order of rows is nothing to
 * a peer. The version tells programs apart of which one would misunderstand
 * or break off the other: it changes with the fields of a message, not with a
 * message that is new. Peers of two versions refuse each other, so that after
 * an upgrade mail waits until the rest of the suite is restarted.
 */
#include "lib/ipc/ipc.h"

#ifndef IPC_C_TEXT
#define IPC_C_TEXT const char *
#define IPC_C_U64 uint64_t
#define IPC_C_BOOL bool
#define IPC_C_BYTES struct span
#define IPC_C_FD int
#endif

#ifndef IPC_DEFINE

#define MESSAGE(m, meaning_) \
	extern const struct ipc_message message_##m; \
	struct msg_##m {
#define FIELD(m, type_, name_, limit_, meaning_) IPC_C_##type_ name_;
#define LIST(m, item_, name_, most_, meaning_) struct ipc_list name_;
#define END_MESSAGE(m) \
	} \
	;
#define PROTOCOL(p, version_, meaning_) \
	extern const struct ipc_protocol protocol_##p;
#define MEMBER(m)
#define END_PROTOCOL(p)
#include IPC_DEF

#else

#define MESSAGE(m, meaning_) \
	static const char meaning_of_##m[] = meaning_; \
	static const struct ipc_field fields_of_##m[] = {
#define FIELD(m, type_, name_, limit_, meaning_) \
	{ .name = #name_, \
		.type = IPC_##type_, \
		.limit = (limit_), \
		.offset = offsetof(struct msg_##m, name_), \
		.meaning = meaning_ },
#define LIST(m, item_, name_, most_, meaning_) \
	{ .name = #name_, \
		.type = IPC_LIST, \
		.limit = (most_), \
		.offset = offsetof(struct msg_##m, name_), \
		.item = &message_##item_, \
		.meaning = meaning_ },
#define END_MESSAGE(m) \
	} \
	; \
	const struct ipc_message message_##m = { \
		.name = #m, \
		.size = sizeof(struct msg_##m), \
		.fields = fields_of_##m, \
		.count = sizeof(fields_of_##m) / sizeof(fields_of_##m[0]), \
		.meaning = meaning_of_##m, \
	};
#define PROTOCOL(p, version_, meaning_) \
	static const char meaning_of_protocol_##p[] = meaning_; \
	enum { version_of_##p = (version_) }; \
	static const struct ipc_message *const members_of_##p[] = {
#define MEMBER(m) &message_##m,
#define END_PROTOCOL(p) \
	NULL \
	} \
	; \
	const struct ipc_protocol protocol_##p = { \
		.name = #p, \
		.version = version_of_##p, \
		.messages = members_of_##p, \
		.meaning = meaning_of_protocol_##p, \
	};
#include IPC_DEF

#endif

#undef MESSAGE
#undef FIELD
#undef LIST
#undef END_MESSAGE
#undef PROTOCOL
#undef MEMBER
#undef END_PROTOCOL
#undef IPC_DEF
