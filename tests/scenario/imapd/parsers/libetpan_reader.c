/* SPDX-License-Identifier: ISC */

/*
 * All of INBOX as libetpan reads it, a line of JSON for each message.
 * usage: libetpan_reader PORT
 */

#include <libetpan/libetpan.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void
demand(int code, const char *what)
{
	if (code == MAILIMAP_NO_ERROR ||
	    code == MAILIMAP_NO_ERROR_AUTHENTICATED ||
	    code == MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
		return;
	fprintf(stderr, "%s: error %d\n", what, code);
	exit(1);
}

static void
hex(const char *name, const char *text)
{
	printf(", \"%s\": ", name);
	if (text == NULL) {
		printf("null");
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++)
		printf("%02x", (unsigned char)*text);
	putchar('"');
}

static int
parts(const struct mailimap_body *body)
{
	const struct mailimap_body_type_1part *one;
	clistiter *i;
	int n = 1;

	if (body->bd_type == MAILIMAP_BODY_MPART) {
		for (i = clist_begin(body->bd_data.bd_body_mpart->bd_list);
		     i != NULL; i = clist_next(i))
			n += parts(clist_content(i));
		return n;
	}
	one = body->bd_data.bd_body_1part;
	if (one->bd_type == MAILIMAP_BODY_TYPE_1PART_MSG)
		n += parts(one->bd_data.bd_type_msg->bd_body);
	return n;
}

static void
header(const struct mailimap_msg_att_body_section *section)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n, i;

	EVP_Digest(section->sec_body_part, section->sec_length, sum, &n,
	    EVP_sha256(), NULL);
	printf(", \"header\": \"");
	for (i = 0; i < n; i++)
		printf("%02x", sum[i]);
	putchar('"');
}

static void
flags(const struct mailimap_msg_att_dynamic *dynamic)
{
	static const char *const names[] = {
		[MAILIMAP_FLAG_ANSWERED] = "\\Answered",
		[MAILIMAP_FLAG_FLAGGED] = "\\Flagged",
		[MAILIMAP_FLAG_DELETED] = "\\Deleted",
		[MAILIMAP_FLAG_SEEN] = "\\Seen",
		[MAILIMAP_FLAG_DRAFT] = "\\Draft",
	};
	const struct mailimap_flag_fetch *f;
	clistiter *i;
	const char *name;

	printf(", \"flags\": \"");
	for (i = dynamic->att_list != NULL ? clist_begin(dynamic->att_list) :
					     NULL;
	     i != NULL; i = clist_next(i)) {
		f = clist_content(i);
		name = f->fl_type == MAILIMAP_FLAG_FETCH_RECENT ?
		    "\\Recent" :
		    f->fl_flag->fl_type == MAILIMAP_FLAG_KEYWORD ?
		    f->fl_flag->fl_data.fl_keyword :
		    names[f->fl_flag->fl_type];
		for (; *name != '\0'; name++)
			printf(*name == '\\' ? "\\\\" : "%c", *name);
		putchar(' ');
	}
	putchar('"');
}

static void
told(const struct mailimap_msg_att_static *att)
{
	switch (att->att_type) {
	case MAILIMAP_MSG_ATT_UID:
		printf(", \"uid\": %u", att->att_data.att_uid);
		break;
	case MAILIMAP_MSG_ATT_RFC822_SIZE:
		printf(", \"size\": %u", att->att_data.att_rfc822_size);
		break;
	case MAILIMAP_MSG_ATT_ENVELOPE:
		hex("subject", att->att_data.att_env->env_subject);
		hex("message_id", att->att_data.att_env->env_message_id);
		break;
	case MAILIMAP_MSG_ATT_BODY:
		printf(", \"body\": %d", parts(att->att_data.att_body));
		break;
	case MAILIMAP_MSG_ATT_BODYSTRUCTURE:
		printf(", \"parts\": %d",
		    parts(att->att_data.att_bodystructure));
		break;
	case MAILIMAP_MSG_ATT_BODY_SECTION:
		header(att->att_data.att_body_section);
		break;
	}
}

static void
message(const struct mailimap_msg_att *row)
{
	const struct mailimap_msg_att_item *item;
	clistiter *i;

	printf("{\"number\": %u", row->att_number);
	for (i = clist_begin(row->att_list); i != NULL; i = clist_next(i)) {
		item = clist_content(i);
		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC)
			flags(item->att_data.att_dyn);
		else if (item->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
			told(item->att_data.att_static);
	}
	printf("}\n");
}

int
main(int argc, char **argv)
{
	struct mailimap_fetch_type *type =
	    mailimap_fetch_type_new_fetch_att_list_empty();
	struct mailimap_fetch_att *const what[] = {
		mailimap_fetch_att_new_uid(),
		mailimap_fetch_att_new_flags(),
		mailimap_fetch_att_new_internaldate(),
		mailimap_fetch_att_new_rfc822_size(),
		mailimap_fetch_att_new_envelope(),
		mailimap_fetch_att_new_body(),
		mailimap_fetch_att_new_bodystructure(),
		mailimap_fetch_att_new_body_peek_section(
		    mailimap_section_new_header()),
	};
	mailimap *imap = mailimap_new(0, NULL);
	clist *rows = NULL;
	clistiter *at;
	size_t i;

	if (argc != 2)
		return 2;
	demand(mailimap_socket_connect(imap, "127.0.0.1", atoi(argv[1])),
	    "connect");
	demand(mailimap_login(imap, "bob", "posthaste"), "LOGIN");
	demand(mailimap_examine(imap, "INBOX"), "EXAMINE");
	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		mailimap_fetch_type_new_fetch_att_list_add(type, what[i]);
	demand(mailimap_fetch(imap, mailimap_set_new_interval(1, 0), type,
		   &rows),
	    "FETCH");
	for (at = clist_begin(rows); at != NULL; at = clist_next(at))
		message(clist_content(at));
	mailimap_fetch_list_free(rows);
	demand(mailimap_logout(imap), "LOGOUT");
	return 0;
}
