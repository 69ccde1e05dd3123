/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/numbers.h - What a SmartCard-HSM calls things: status words, files, tags and
 * algorithms (docs/cards/schsm.md, "The virtual card"). What it shares with our own application is in
 * format/numbers.h.
 */
#pragma once

#include "format/numbers.h"

#define HSM_AID { 0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01 }

enum {
	HSM_PLATFORM = 0xff,		/* none of the vendor's: software */
	HSM_VERSION_MAJOR = 4,
	HSM_VERSION_MINOR = 0,
};

enum {
	HSM_PIN_MIN = 6,
	HSM_PIN_MAX = 15,
	HSM_PIN_TRIES_MAX = 10,
	HSM_SO_PIN_SIZE = 8,
	HSM_SO_PIN_TRIES = 15,
	HSM_DOMAINS_MAX = 16,
	HSM_PKA_MAX = 90,
	HSM_CHALLENGE_MAX = 1024,
	HSM_KEYS_MAX = 64,
	HSM_FILES_MAX = 192,
	HSM_FILE_MAX = 4096,		/* bytes of one file */
	HSM_MEMORY = 192 * 1024,	/* bytes of all files and keys */
	HSM_ALGORITHMS_MAX = 64,		/* as many as a blob has */
	HSM_DATA_MAX = 4096,		/* longest command data field, and what the scratch file takes */
	HSM_KEK_SIZE = 32,
	HSM_KCV_SIZE = 8,
};

/* Besides those of enum app_sw. */
enum hsm_sw {
	SW_END_OF_FILE = 0x6282,
	SW_TRANSPORT_PIN = 0x6984,
	SW_SM_OBJECT = 0x6988,
	SW_NO_FUNCTION = 0x6a81,
	SW_NO_FILE = 0x6a82,
	SW_EXISTS = 0x6a89,
	SW_OFFSET = 0x6b00,
};

/* P2 of the commands about PINs. */
enum { HSM_USER_PIN = 0x81, HSM_SO_PIN = 0x88 };

/* Options of INITIALIZE that this card acts on. */
enum { HSM_OPTION_RESET = 0x0001, HSM_OPTION_TRANSPORT = 0x0002 };

/* The high byte of a file identifier. */
enum {
	FILE_CA_DESCRIPTION = 0xc8,
	FILE_DATA_DESCRIPTION = 0xc9,
	FILE_CA_CERT = 0xca,
	FILE_KEY_DESCRIPTION = 0xc4,
	FILE_KEY = 0xcc,
	FILE_PRIVATE_DATA = 0xcd,
	FILE_CERT = 0xce,
	FILE_DATA = 0xcf,
};

enum {
	FILE_DEVICE_CERT = 0x2f02,
	FILE_TOKEN_INFO = 0x2f03,
	FILE_SCRATCH = 0x2f10,
};

enum {
	ALG_RSA_RAW = 0x20,
	ALG_RSA_DECRYPT = 0x21,
	ALG_RSA_DECRYPT_PKCS1 = 0x22,
	ALG_RSA_DECRYPT_OAEP = 0x23,
	ALG_EC = 0x70,			/* to 75 */
	ALG_EC_DH = 0x80,
	ALG_EC_XKEK = 0x84,
	ALG_AES_ENCRYPT = 0x10,
	ALG_AES_DECRYPT = 0x11,
	ALG_AES_CMAC = 0x18,
	ALG_AES_DERIVE = 0x99,
	ALG_WRAP = 0x92,
	ALG_UNWRAP = 0x93,
	ALG_AES_128 = 0xb0,
	ALG_AES_192 = 0xb1,
	ALG_AES_256 = 0xb2,
};

/* Instructions; the ISO ones have class 00, the vendor's 80. */
enum {
	HSM_INITIALIZE = 0x50,
	HSM_DOMAIN = 0x52,
	HSM_PKA = 0x54,
	HSM_ENUMERATE = 0x58,
	HSM_DECIPHER = 0x62,
	HSM_SIGN = 0x68,
	HSM_WRAP = 0x72,
	HSM_UNWRAP = 0x74,
	HSM_CIPHER = 0x78,
	INS_GENERATE_PAIR = 0x46,
	INS_GENERATE_SECRET = 0x48,
	INS_GENERAL_AUTHENTICATE = 0x86,
	INS_READ_BINARY = 0xb1,
	INS_UPDATE_BINARY = 0xd7,
	INS_DELETE_FILE = 0xe4,
};
