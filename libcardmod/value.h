/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/value.h - Property values on their way out, into the caller's buffer [minidriver 2.3,
 * 7.3], and in.
 */
#pragma once

#include "libcardmod/module.h"

/* Longest value of any property: an offer or receipt file of one card, with room. */
#define VALUE_MAX 32768

/* Where a value goes, in the words of the Get functions. */
struct value_out {
	PBYTE data;
	DWORD cap;		/* cbData */
	PDWORD len;		/* pdwDataLen */
};

/**
 * value_give() - hands @value out
 *
 * The length is reported whenever there is a place for it. No buffer of no size asks for just that.
 *
 * Return: 0, %ERROR_INSUFFICIENT_BUFFER, %SCARD_E_INVALID_PARAMETER for a NULL.
 */
DWORD value_give(struct module *module, struct bytes value, const struct value_out *out);
DWORD value_give_u32(struct module *module, DWORD value, const struct value_out *out);

/* The four bytes of a DWORD value. Return: whether it is one. */
bool value_take_u32(struct bytes value, DWORD *out);
