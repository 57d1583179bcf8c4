/* SPDX-License-Identifier: ISC */
/*
 * Prints the dictionary of a fuzz target for libFuzzer: the words its input is
 * made of, from the tables of the programs. usage: words STEM
 */
#include <stdio.h>
#include <string.h>

#include "lib/conf/conf.h"
#include "lib/ipc/ipc.h"
#include "lib/service/programs.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const smtp_words[] = {
#define VERB(name, ...) #name,
#include "smtpd/verbs.def"
#undef VERB
#define ATTRIBUTE(name, ...) #name "=",
#include "smtpd/attributes.def"
#undef ATTRIBUTE
#define EXTENSION(name, ...) name,
#include "smtp/extensions.def"
#undef EXTENSION
};

static const char *const imap_words[] = {
#define VERB(name, ...) name,
#include "imapd/verbs.def"
#undef VERB
#define CAPABILITY(name) name,
#include "imapd/capabilities.def"
#undef CAPABILITY
#define SPECIAL_USE(name, ...) "\\" name,
#include "lib/store/special_uses.def"
#undef SPECIAL_USE
};

static const char *const search_words[] = {
#define SEARCH_WORD(name, ...) name,
#include "imapd/search_words.def"
#undef SEARCH_WORD
};

static const char *const pop3_words[] = {
#define AUTHORIZATION(keyword, ...) keyword,
#define TRANSACTION(keyword, ...) keyword,
#include "pop3d/verbs.def"
#undef AUTHORIZATION
#undef TRANSACTION
};

static const char *const login_words[] = {
#define MECHANISM(name) name,
#include "lib/sasl/mechanisms.def"
#undef MECHANISM
};

static const char *const account_words[] = {
#define ACCOUNT_FIELD(name, ...) name "=",
#include "auth/account_fields.def"
#undef ACCOUNT_FIELD
};

static const char *const app_words[] = {
#define APP_PROTOCOL(name, ...) name,
#include "auth/app_protocols.def"
#undef APP_PROTOCOL
};

static const char *const acl_words[] = {
#define RIGHT(word, ...) word,
#define GROUP(file, ...) file,
#define EVERY(word) word,
#include "imapd/acl_words.def"
#undef RIGHT
#undef GROUP
#undef EVERY
};

static const char *const message_words[] = {
#define HEADER_FIELD(number, name) "\r\n" name ": ",
#include "lib/mail/header_fields.def"
#undef HEADER_FIELD
#define MIME_TYPE(type, subtype) type "/" subtype,
#include "lib/mail/mime_types.def"
#undef MIME_TYPE
#define ENCODING(name, ...) name,
#include "lib/mail/mime_encodings.def"
#undef ENCODING
};

static const char *const date_words[] = {
#define MONTH(name) name,
#include "lib/base/months.def"
#undef MONTH
#define ZONE(name, ...) name,
#include "lib/mail/zones.def"
#undef ZONE
};

static const char *const mbox_words[] = {
	"\nFrom ",
#define NOTED(name) "\n" name ": ",
#define HIDDEN(name) "\n" name ": ",
#include "lib/store/mbox_fields.def"
#undef NOTED
#undef HIDDEN
};

static const char *const queue_words[] = {
#define QUEUE_FIELD(constant, name) name,
#include "lib/queue/queue_fields.def"
#undef QUEUE_FIELD
};

static const char *const drop_words[] = {
#define DROP_FIELD(place, name, ...) name,
#include "lib/queue/drop_fields.def"
#undef DROP_FIELD
};

static const char *const report_words[] = {
#define REPORT_FIELD(constant, name) "\r\n" name ": ",
#include "bounce/report_fields.def"
#undef REPORT_FIELD
};

static const char *const template_words[] = {
#define TEMPLATE(kind, name) name " = <<",
#include "bounce/templates.def"
#undef TEMPLATE
};

static const char *const table_words[] = {
#define TYPE(name, ...) name ":",
#define ABSENT(name, ...) name ":",
#include "lib/table/types.def"
#undef TYPE
#undef ABSENT
};

static const char *const client_words[] = {
#define COMMON(name, ...) name " = ",
#define NETWORK(name, ...) name " = ",
#define SQL(name, ...) name " = ",
#include "lib/table/client_settings.def"
#undef COMMON
#undef NETWORK
#undef SQL
};

static const char *const decision_words[] = {
#define RESTRICTION(name, ...) #name,
#define MISSING(name, ...) #name,
#include "smtpd/restrictions.def"
#undef RESTRICTION
#undef MISSING
#define ACTION(name, ...) #name,
#include "smtpd/access_actions.def"
#undef ACTION
};

static const char *const compat_words[] = {
#define COMPAT(name, ...) #name,
#define DIFFERS(...)
#define FOREIGN(...)
#include "conf/compat.def"
#undef COMPAT
#undef DIFFERS
#undef FOREIGN
};

static const char *const absorbed_words[] = {
#define SERVED(command, ...) #command,
#define STANDS_IN(command, ...) #command,
#define ABSORBED(command, ...) #command,
#define REFUSED(command, ...) #command,
#define GUARDS(command, ...) #command,
#include "master/absorbed.def"
};

static void
word(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			printf("\\x%02x", (unsigned char)*text);
		else
			putchar(*text);
	puts("\"");
}

#define WORDS(list) \
	static void list(void) \
	{ \
		for (size_t i = 0; i < COUNT(list##_words); i++) \
			word(list##_words[i]); \
	}

WORDS(decision)
WORDS(account)
WORDS(acl)
WORDS(app)
WORDS(client)
WORDS(date)
WORDS(drop)
WORDS(imap)
WORDS(login)
WORDS(mbox)
WORDS(message)
WORDS(pop3)
WORDS(queue)
WORDS(report)
WORDS(search)
WORDS(smtp)
WORDS(table)
WORDS(template)
WORDS(compat)
WORDS(absorbed)

/* Names of settings, and what they say by default. */
static void
settings(void)
{
	for (size_t g = 0; param_groups[g] != NULL; g++)
		for (size_t i = 0; i < param_groups[g]->count; i++) {
			word(param_groups[g]->params[i].name);
			if (param_groups[g]->params[i].fallback[0] != '\0')
				word(param_groups[g]->params[i].fallback);
		}
	compat();
	decision();
}

static void
services(void)
{
	for (size_t i = 0; i < programs_count; i++)
		word(programs[i].name);
	absorbed();
}

static void
frame(const struct ipc_message *m)
{
	word(m->name);
	for (size_t i = 0; i < m->count; i++) {
		word(m->fields[i].name);
		if (m->fields[i].type == IPC_LIST)
			frame(m->fields[i].item);
	}
}

static void
frames(void)
{
	for (size_t i = 0; ipc_protocols[i] != NULL; i++)
		for (size_t k = 0; ipc_protocols[i]->messages[k] != NULL; k++)
			frame(ipc_protocols[i]->messages[k]);
}

/* Of a binary format; or of signs and a few words, which the seeds have. */
static void
none(void)
{
}

enum { LISTS_MAX = 3 };

static const struct target {
	const char *stem;
	void (*print[LISTS_MAX])(void); /* none, or so many */
} targets[] = {
	{ "account_files", { none } },
	{ "acl_list", { acl } },
	{ "address_list", { none } },
	{ "alias_text", { none } },
	{ "app_password", { app } },
	{ "app_use", { none } },
	{ "attributes", { smtp } },
	{ "base64", { none } },
	{ "base_subject", { none } },
	{ "bearer", { none } },
	{ "body_structure", { message } },
	{ "bounce_template", { template, settings } },
	{ "cdb_file", { none } },
	{ "cf_edit", { settings } },
	{ "checker_answer", { none } },
	{ "cidr", { decision } },
	{ "client_counts", { none } },
	{ "conf_expand", { settings } },
	{ "dates", { date } },
	{ "destinations", { none } },
	{ "dns_answer", { none } },
	{ "downgrade", { message } },
	{ "drop_file", { drop, queue } },
	{ "encode_binary", { message } },
	{ "esmtp", { smtp } },
	{ "exchange", { login } },
	{ "exit_status", { none } },
	{ "folder_name", { none } },
	{ "folder_state", { none } },
	{ "header", { message } },
	{ "header_pass", { message } },
	{ "imap_read", { imap, search } },
	{ "imap_session", { imap, search, message } },
	{ "imap_set", { none } },
	{ "imap_url", { none } },
	{ "imap_utf7", { none } },
	{ "imap_write", { none } },
	{ "ipc", { frames } },
	{ "ipc_stream", { frames } },
	{ "list_pattern", { none } },
	{ "lmdb_file", { none } },
	{ "log_line", { none } },
	{ "log_text", { none } },
	{ "login_dialogue", { pop3, imap, login } },
	{ "mail_index", { none } },
	{ "maildir_name", { none } },
	{ "maildir_packed", { none } },
	{ "maildir_size", { none } },
	{ "main_cf", { settings } },
	{ "master_cf", { services } },
	{ "match_list", { table } },
	{ "mbox_journal", { none } },
	{ "mbox_quote", { mbox, message } },
	{ "mbox_scan", { mbox, message, date } },
	{ "mbox_text", { mbox, message } },
	{ "message_keys", { message } },
	{ "mime_tree", { message } },
	{ "mime_unpack", { none } },
	{ "namespace_settings", { none } },
	{ "parked_state", { imap, search } },
	{ "passwd_file", { account } },
	{ "password", { login } },
	{ "pattern", { decision } },
	{ "pop3_command", { pop3 } },
	{ "pop3_session", { pop3 } },
	{ "proxy_header", { none } },
	{ "queue_file", { queue } },
	{ "queue_reason", { none } },
	{ "recipient", { none } },
	{ "references", { message } },
	{ "report", { report, message } },
	{ "rewrite", { none } },
	{ "search_key", { search, date } },
	{ "search_text", { message } },
	{ "sendmail_smtp", { smtp } },
	{ "signable", { none } },
	{ "smtp_content", { none } },
	{ "smtp_path", { none } },
	{ "smtp_reply", { smtp } },
	{ "smtp_wire", { none } },
	{ "smtpd_session", { smtp } },
	{ "state", { none } },
	{ "table_ldap", { none } },
	{ "table_mysql", { none } },
	{ "table_pgsql", { none } },
	{ "table_redis", { none } },
	{ "table_settings", { client } },
	{ "table_source", { decision } },
	{ "table_spec", { table } },
	{ "table_sqlite", { none } },
	{ "wire_answers", { none } },
	{ "xtext", { none } },
};

static const struct target *
target_of(const char *stem)
{
	for (size_t i = 0; i < COUNT(targets); i++)
		if (strcmp(targets[i].stem, stem) == 0)
			return &targets[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	const struct target *t = argc == 2 ? target_of(argv[1]) : NULL;

	if (t == NULL) {
		fputs("usage: words STEM, one of the rows in words.c\n",
		    stderr);
		return 2;
	}
	/* libFuzzer takes no empty file */
	printf("# words of %s, from the .def tables\n", t->stem);
	if (t->print[0] == none)
		puts("# none");
	for (size_t i = 0; i < LISTS_MAX && t->print[i] != NULL; i++)
		t->print[i]();
	return ferror(stdout) || fflush(stdout) != 0;
}
