/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/byok_card.h - The subcommands of keyferry byok that need a card. */
#pragma once

int cmd_byok_kek(int argc, char **argv);
int cmd_byok_import(int argc, char **argv);
int cmd_byok_receipt_get(int argc, char **argv);
