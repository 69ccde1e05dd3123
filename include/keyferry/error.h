/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/error.h - What a person needs to know about a failure, in four parts. Functions return
 * 0 or a negative errno for the program; those that take a struct kf_error fill it in for whoever
 * sits in front of it. The texts are English, ASCII, without control characters (text that came
 * from outside is cleaned), and never hold a secret.
 */
#ifndef KEYFERRY_ERROR_H
#define KEYFERRY_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define KF_ERROR_TEXT_MAX 256

/**
 * struct kf_error - one failure
 * @code:	the negative errno the function returned; 0: nothing failed
 * @what:	what was tried and did not work: "cannot seal the key"
 * @why:	why, in words: "the offer's nonce was used before"
 * @rule:	who refused, or which rule: "docs/formats.md 8.2", "the card", "policy"
 * @next:	what to do next: "get a new challenge with keyferry challenge"
 *
 * Start from %KF_ERROR_INIT. A function given one writes it on failure only. Every function takes
 * NULL for "not interested".
 */
struct kf_error {
	int code;
	char what[KF_ERROR_TEXT_MAX];
	char why[KF_ERROR_TEXT_MAX];
	char rule[KF_ERROR_TEXT_MAX];
	char next[KF_ERROR_TEXT_MAX];
};

#define KF_ERROR_INIT { 0, "", "", "", "" }

#ifdef __cplusplus
}
#endif

#endif
