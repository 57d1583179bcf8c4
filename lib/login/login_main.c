/* SPDX-License-Identifier: ISC */
#include "lib/login/login.h"

static struct common_params common;
static struct login_params login;

int
login_main(const struct login_program *p, int argc, char **argv)
{
	const struct service_params params[] = {
		{ &common_param_group, &common },
		{ &login_param_group, &login },
		{ p->group, p->settings },
		{ NULL, NULL },
	};
	const struct service_spec spec = {
		.program = p->program,
		.style = SERVICE_TASKS,
		.params = params,
		.before = p->before,
		.session = p->session,
	};

	p->stage->common = &common;
	p->stage->params = &login;
	return service_run(&spec, argc, argv);
}
