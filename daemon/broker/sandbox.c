/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/sandbox.h"

#include "sandbox/sandbox.h"

static const struct filter_rule calls[] = {
	FILTER_ANY(accept4),
	FILTER_ANY(epoll_ctl),
	FILTER_ANY(epoll_pwait),
	FILTER_ANY(epoll_wait),
	FILTER_ANY(getsockopt),
	FILTER_ANY(setsockopt),
	FILTER_ANY(shutdown),
};

int broker_sandbox(uint32_t *guards)
{
	static const struct sandbox sandbox = {
		.calls = calls, .n_calls = sizeof(calls) / sizeof(calls[0]) };

	return sandbox_enter(&sandbox, guards);
}
