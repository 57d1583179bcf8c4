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
};

static const char *const imap_words[] = {
#define VERB(name, ...) name,
#include "imapd/verbs.def"
#undef VERB
#define CAPABILITY(name) name,
#include "imapd/capabilities.def"
#undef CAPABILITY
};

static const char *const access_words[] = {
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

static void
words(const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		word(list[i]);
}

static void
smtp(void)
{
	words(smtp_words, COUNT(smtp_words));
}

static void
imap(void)
{
	words(imap_words, COUNT(imap_words));
}

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
	words(compat_words, COUNT(compat_words));
	words(access_words, COUNT(access_words));
}

static void
services(void)
{
	for (size_t i = 0; i < programs_count; i++)
		word(programs[i].name);
	words(absorbed_words, COUNT(absorbed_words));
}

static void
tables(void)
{
	words(access_words, COUNT(access_words));
}

static void
message(const struct ipc_message *m)
{
	word(m->name);
	for (size_t i = 0; i < m->count; i++) {
		word(m->fields[i].name);
		if (m->fields[i].type == IPC_LIST)
			message(m->fields[i].item);
	}
}

static void
frames(void)
{
	for (size_t i = 0; ipc_protocols[i] != NULL; i++)
		for (size_t k = 0; ipc_protocols[i]->messages[k] != NULL; k++)
			message(ipc_protocols[i]->messages[k]);
}

static const struct {
	const char *stem; /* or the beginning of several, with "*" */
	void (*print)(void);
} targets[] = {
	{ "attributes", smtp },
	{ "bounce_template", settings },
	{ "cf_edit", settings },
	{ "cidr", tables },
	{ "conf_expand", settings },
	{ "esmtp", smtp },
	{ "imap_*", imap },
	{ "ipc", frames },
	{ "login_dialogue", imap },
	{ "main_cf", settings },
	{ "master_cf", services },
	{ "match_list", tables },
	{ "namespace_settings", settings },
	{ "parked_state", imap },
	{ "pattern", tables },
	{ "search_key", imap },
	{ "smtp_*", smtp },
	{ "smtpd_*", smtp },
	{ "table_*", tables },
};

static bool
is_meant(const char *pattern, const char *stem)
{
	size_t n = strcspn(pattern, "*");

	return strncmp(pattern, stem, n) == 0 &&
	    (pattern[n] == '*' || stem[n] == '\0');
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: words STEM\n", stderr);
		return 2;
	}
	/* libFuzzer takes no empty file */
	printf("# words of %s, from the .def tables\n", argv[1]);
	for (size_t i = 0; i < COUNT(targets); i++)
		if (is_meant(targets[i].stem, argv[1]))
			targets[i].print();
	return ferror(stdout) || fflush(stdout) != 0;
}
