/* SPDX-License-Identifier: ISC */
#include "master/options_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/service/programs.h"
#include "master/complain.h"

/* Postfix's program of that name reads it itself, where we ask lookup. */
static const struct {
	const char *command;
	const char *settings;
} own[] = {
	{ "cleanup",
	    "canonical_maps canonical_classes sender_canonical_maps "
	    "sender_canonical_classes recipient_canonical_maps "
	    "recipient_canonical_classes virtual_alias_maps virtual_maps "
	    "virtual_alias_address_length_limit virtual_alias_expansion_limit "
	    "virtual_alias_recursion_limit masquerade_domains "
	    "masquerade_classes masquerade_exceptions "
	    "propagate_unmatched_extensions" },
	{ "trivial-rewrite", "*" },
};

/* Those that lookup keeps for each smtpd: lookup/views.c. */
static const char of_smtpd[] =
    "canonical_maps recipient_canonical_maps virtual_alias_maps virtual_maps "
    "local_recipient_maps virtual_mailbox_maps relay_recipient_maps "
    "recipient_delimiter show_user_unknown_table_name";

/* Those that these are told of, or ask for, and another program acts on. */
static const struct {
	const char *name;
	const char *commands;
	const char *reader;
} of_others[] = {
	{ "mydestination", "smtpd", "lookup" },
	{ "relay_domains", "smtpd", "lookup" },
	{ "virtual_alias_domains", "smtpd", "lookup" },
	{ "virtual_mailbox_domains", "smtpd", "lookup" },
	{ "queue_minfree", "smtpd", "cleanup" },
	{ "dns_servers", "smtpd smtp lmtp", "resolver" },
};

static void
warn_unused(const struct master_entry *e, const char *name, const char *reader,
    struct buf *warnings)
{
	complain_service(warnings, e,
	    "-o %s: not used: %s reads it, in main.cf, for all services", name,
	    reader);
}

static bool
names(const char *list, const char *name)
{
	struct span rest = span_of(list), word;

	while (span_cut(&rest, " ", true, &word))
		if (span_is(word, name) || span_is(word, "*"))
			return true;
	return false;
}

/* Who acts on it instead of this service; NULL: not one of these. */
static const char *
other_reader(const struct master_entry *e, const char *name)
{
	for (size_t i = 0; i < sizeof(of_others) / sizeof(of_others[0]); i++)
		if (strcmp(of_others[i].name, name) == 0 &&
		    names(of_others[i].commands, e->command))
			return of_others[i].reader;
	return NULL;
}

static bool
postfix_heeds(const char *command, const char *name)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(own[i].command, command) == 0)
			return names(own[i].settings, name);
	return false;
}

/* Does the program, or lookup on its behalf, do as it says? */
static bool
is_heeded(const struct master_entry *e, const char *name)
{
	const struct program *program = program_find(e->command);

	if (strcmp(e->command, "smtpd") == 0 && names(of_smtpd, name))
		return true;
	return program != NULL && conf_shares(program->settings, name) &&
	    !postfix_heeds(e->command, name);
}

static void
check(const struct master_entry *e, const char *name, struct buf *errors,
    struct buf *warnings)
{
	const char *reader = other_reader(e, name);

	if (reader != NULL)
		warn_unused(e, name, reader, warnings);
	if (reader != NULL || !conf_shares("lookup", name) ||
	    is_heeded(e, name))
		return;
	if (postfix_heeds(e->command, name))
		complain_service(errors, e,
		    "-o %s: one lookup does this for all services: take it "
		    "out, or set it in main.cf for all",
		    name);
	else
		warn_unused(e, name, "lookup", warnings);
}

void
options_check(const struct master_entry *e, struct buf *errors,
    struct buf *warnings)
{
	for (char **o = e->overrides; *o != NULL; o++) {
		struct span text = span_of(*o);
		char *name = mem_span_text(
		    span_trim(span_take(text, span_find(text, '='))));

		check(e, name, errors, warnings);
		free(name);
	}
}
