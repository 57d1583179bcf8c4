/* SPDX-License-Identifier: ISC */
#include "lib/login/session_internal.h"

#include "lib/base/ensure.h"

static struct session_stage *stage;
static void (*prepare)(const struct service *s);

static void
before(const struct service *s)
{
	if (prepare != NULL)
		prepare(s);
	session_parent_setup(stage, s);
}

int
session_main(struct session_stage *of, const struct service_params *more,
    void (*before_it)(const struct service *s), int argc, char **argv)
{
	struct service_params params[2 + SESSION_SETTINGS_MAX + 1] = {
		{ &common_param_group, &of->settings.common },
		{ &login_param_group, &of->settings.login },
	};
	const struct service_spec spec = {
		.program = of->program,
		.style = SERVICE_REQUESTS,
		.params = params,
		.protocol = &protocol_session,
		.before = before,
		.request = session_parent_request,
	};
	int status;

	for (size_t i = 2; more->group != NULL; i++) {
		ensure(i < 2 + SESSION_SETTINGS_MAX);
		params[i] = *more++;
	}
	stage = of;
	prepare = before_it;
	status = service_run(&spec, argc, argv);
	session_parent_end();
	return status;
}
