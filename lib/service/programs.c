/* SPDX-License-Identifier: ISC */
#include "lib/service/programs.h"

#include <string.h>

#define PROGRAM(name_, style_, user_, root_, peers_, promises_, settings_, \
    meaning_) \
	{ .name = #name_, \
		.style = SERVICE_##style_, \
		.user = USER_##user_, \
		.root = ROOT_##root_, \
		.peers = peers_, \
		.promises = promises_, \
		.settings = settings_, \
		.meaning = meaning_ },
const struct program programs[] = {
#include "lib/service/programs.def"
};
#undef PROGRAM

const size_t programs_count = sizeof(programs) / sizeof(programs[0]);

static const char *const user_settings[] = {
	[USER_ROOT] = NULL,
	[USER_QUEUE] = "mail_owner",
	[USER_NET] = "net_user",
	[USER_TABLE] = "table_user",
	[USER_AUTH] = "auth_user",
	[USER_KEY] = "key_user",
	[USER_LOG] = "log_user",
	[USER_TOKEN] = "token_user",
	[USER_SERVER] = "server_user",
};

const struct program *
program_find(const char *name)
{
	for (size_t i = 0; i < programs_count; i++)
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	return NULL;
}

bool
program_may_reach(const struct program *p, const char *peer)
{
	struct span rest = span_of(p->peers), word;

	while (span_cut(&rest, " ", true, &word))
		if (span_is(word, peer))
			return true;
	return false;
}

const char *
program_user_setting(enum program_user user)
{
	return user_settings[user];
}
