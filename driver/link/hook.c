/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/link/hook.h"

void hook_bytes(struct bytes part)
{
	(void)part;
}
