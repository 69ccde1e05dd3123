/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/model/lifetimes.pml - How long handles, PINs, transactions and requests live, with clients,
 * drivers and people who all do what they like, at any time and in any order.
 *
 * The broker's states change by tables.pml alone, which is made of daemon/broker/NOUN.def. Written by
 * hand is what the broker does around its tables, a line for each that matters in client.c, context.c,
 * card.c, chore.c, device.c, hold.c, job.c, link.c, outcome.c, reader.c and txn.c, and the world around
 * the broker: clients, the driver, the card with its PIN and session keys. What is claimed:
 *
 *	A  a handle that is found was neither closed nor destroyed, and neither its client, its
 *	   card nor (a key) the card's power have gone since
 *	B  no request is done by a card in which a PIN of another context is verified
 *	C  a request is answered and released once
 *	D  when nobody begins anything any more, all are answered
 *	E  and what was theirs is given back: the card is nobody's or its owner's, has no key that
 *	   nobody can reach, the transaction is over, the link is idle
 *	F  no event meets a state that has no row for it, and whoever has the card is there
 *	G  nothing goes in circles: it always comes to that end
 *	H  and a key handle that is not found is dead as A says; a key whose handle lives, the card has
 *
 * All but G are assertions; G is the LTL formula at the end. With ONLY and ONLY_C, say, only C is looked at.
 * model.sh says with which of these at work it is run. The first two are compiled into a verifier, of the
 * others each verifier reads those of its environment's KF_WITH:
 *
 *	READERS			1 or 2 (with two, a context has one key)
 *	DRAINS			G, too
 *	MORE			client 0 may have two requests at a time
 *	TWO			a context may have two keys
 *	ALONE			client 1 does nothing
 *	PINS KEYS TXNS OPENS RESETS	what clients ask for
 *	CANCELS LEAVES CLOSES	how they think better of it
 *	POLITE			in the end, those who wait for nothing leave
 *	FAILS			a driver may fail what it is asked; to destroy a key it fails only
 *				with a card that loses its power
 *	HANGS			a driver may sit on a request until it is told to give up
 *	DEADLINES		requests and drivers run into theirs
 *	FAULTS PULLS DEATHS	what happens to card, reader and driver
 *	WRONG_KEY ALL_KEYS	bugs: to destroy a key frees the context's other one, or both
 *
 * A missing row is found (F) whichever claim is looked at.
 *
 * A deadline would end any deadlock, so where one is looked for requests have none. What must end by
 * itself all the same is a transaction.
 *
 * Not in here: numbers (quotas, lengths, which of many is next), failed allocations, several slots of
 * one device; a third key of a context, a third request of a client, and two of both; anything that comes
 * between an answer and the turn that it makes way for (LOOP_IS_IDLE), where the broker may read other
 * clients' packets first; looks at readers, and so a job's LATE.
 */

/* What is at work: words of the environment's KF_WITH, and so no part of any state. */
hidden byte MORE, TWO, ALONE, PINS, KEYS, TXNS, OPENS, RESETS, CANCELS, LEAVES, CLOSES, POLITE;
hidden byte FAILS, HANGS, DEADLINES, FAULTS, PULLS, DEATHS;
hidden byte WRONG_KEY, ALL_KEYS;
hidden byte ONLY, ONLY_A, ONLY_B, ONLY_C, ONLY_D, ONLY_E, ONLY_F, ONLY_H;

c_decl {
	static int kf_with(const char *word)
	{
		const char *at = getenv("KF_WITH");
		size_t n = strlen(word);

		for (; at && (at = strstr(at, word)); at += n)
			if ((at == getenv("KF_WITH") || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
				return 1;
		return 0;
	}
}

#define CLAIM_A(so)	assert(ONLY && !ONLY_A || (so))
#define CLAIM_B(so)	assert(ONLY && !ONLY_B || (so))
#define CLAIM_C(so)	assert(ONLY && !ONLY_C || (so))
#define CLAIM_D(so)	assert(ONLY && !ONLY_D || (so))
#define CLAIM_E(so)	assert(ONLY && !ONLY_E || (so))
#define CLAIM_F(so)	assert(ONLY && !ONLY_F || (so))
#define CLAIM_H(so)	assert(ONLY && !ONLY_H || (so))

#define CLIENTS	2
#ifndef READERS
#define READERS	1
#endif
#define CONTEXTS (CLIENTS * READERS)
#define NONE	255

/* Session keys of a context at a time, and numbers for them in the card: one more. */
#define NKEYS	2
#define N_KEYS	(1 + TWO)
#define KEY_BITS (N_KEYS + 1)

/* Requests at a time: one of each client and, with MORE, a second one of client 0; else nobody has that. */
#define SLOTS	(CLIENTS + 1)
#define OWNER(s) ((s) % CLIENTS)
#define TWIN(s)	(CLIENTS - (s))	/* the other one of client 0 */
#define HAS_TWIN(s) ((s) != 1)
#define NO_TWIN_WORKS(s) (!HAS_TWIN(s) || job[TWIN(s)].state == JOB_DONE)
#define NO_TWIN_WAITS(s) (!HAS_TWIN(s) || !waits[TWIN(s)])

#define CLIENT_OF(x)	((x) / READERS)
#define READER_OF(x)	((x) % READERS)
#define AT(c, r)	((c) * READERS + (r))

#include "tables.pml"

/* Set before they are used, in steps that nothing interrupts; so no part of any state. */
hidden byte x, c, k, nth, r_, who, next, m, m_, op_, effect, status;
hidden byte dropped, reset, ends;

/* What clients ask for. What LOOK stands for leaves nothing in the card and needs nothing there. */
#define OP_LOOK		0
#define OP_VERIFY	1	/* a PIN */
#define OP_USE		2	/* what the card does for a verified PIN only */
#define OP_LOGOUT	3
#define OP_IMPORT	4	/* a session key */
#define OP_PROCESS	5	/* with that one */
#define OP_DESTROY	6
#define OP_RESET	7
#define OP_BEGIN	8
#define OP_END		9
#define OP_OPEN		10

#define LEAVES_STATE(op) ((op) == OP_VERIFY || (op) == OP_PROCESS)

/* --- the world: what is so, whatever the broker believes --- */

/*
 * in: there is one. pin: 1 + whose context's PIN is verified; else 0. keys: bit by bit, those in it; a
 * context's are KEY_BITS in turn. faulty: it lost its power, and the driver has not told.
 */
typedef card_t { bool in; bool faulty; bool stays; byte pin; byte keys };
card_t card[READERS];

/* DOWN; EMPTY: up, and no card is in; UP; HUNG: on a request; LEAVING: its card was pulled. */
#define DRIVER_DOWN	0
#define DRIVER_EMPTY	1
#define DRIVER_UP	2
#define DRIVER_HUNG	3
#define DRIVER_LEAVING	4
byte driver[READERS];

/* From driver to broker, as they were sent. */
#define SAYS_INSERTED	1
#define SAYS_REMOVED	2
#define SAYS_RESET	3
#define SAYS_GOOD	4
#define SAYS_BAD	5
#define SAYS_END	6
#define SAYS_GONE	7	/* the monitor does */
chan said[READERS] = [4] of { byte };

bool connected[CLIENTS], waits[SLOTS], cancelled[SLOTS];
bool closing;	/* nobody begins anything any more */
bool quiet;	/* and all that was begun is over */

/* --- the broker --- */

/* turn: it begins anew with each, so that a PIN of the last one is another's. */
typedef context_t {
	byte state; bit turn; bool pins;
	byte handle; bool dead;			/* dead: what A says of it */
	byte key[NKEYS], key_handle[NKEYS];	/* key: bit in card.keys */
	bool key_dead[NKEYS]
};
context_t context[CONTEXTS];

/* context, key: NONE once those ended. owned: its client is there. given_up: it has what to end with. */
typedef job_t { byte state, op, reader, context, key; bool owned, given_up };
job_t job[SLOTS];

#define READER_STARTING	0
#define READER_EMPTY	1
#define READER_CARD	2
#define READER_GONE	3
typedef reader_t {
	byte state;
	byte security, owner;
	byte txn, holder; bool armed;	/* armed: its timer */
	byte running;		/* whose job */
	byte dead_keys;
	bool reset_due, kick, sessions_stay
};
reader_t reader[READERS];

/* asked: what the outstanding request is for. taken: the driver has begun with it. */
typedef link_t { bool up, broken, cancelled; byte asked; bool taken; byte op, who, key };
link_t link[READERS];

#define WHO(x)		(1 + 2 * (x) + context[x].turn)
#define KEY_BIT(n)	(1 << (n))
#define KEY_MASK(x)	((KEY_BIT(KEY_BITS) - 1) << (KEY_BITS * (x)))
#define BIT_OF(x, n)	(context[x].key[n] == NONE -> 0 : KEY_BIT(context[x].key[n]))
#define HAS_KEY(x)	(context[x].key[0] != NONE || context[x].key[1] != NONE)
#define BITS_OF(x)	(BIT_OF(x, 0) | BIT_OF(x, 1))
#define N_LIVE(x)	((context[x].key_handle[0] == HANDLE_LIVE) + (context[x].key_handle[1] == HANDLE_LIVE))
#define FREE(r)		(link[r].up && !link[r].broken && link[r].asked == TURN_IDLE)
#define FOREIGN(r, x)	(reader[r].security != SECURITY_ABSENT && \
			 reader[r].security != SECURITY_CLEAN && reader[r].owner != (x))
/* Turns are begun at once (card_kick()): nothing comes in between. */
#define LOOP_IS_IDLE	(!reader[0].kick && !reader[READERS - 1].kick)
#define MUST_GO(r)	(reader[r].security == SECURITY_LAPSED || \
			 reader[r].security == SECURITY_ORPHAN)

/* C */
inline answer_client(c)
{
	if
	:: job[c].owned -> CLAIM_C(waits[c]); waits[c] = false; cancelled[c] = false
	:: else
	fi
}

/* job_free(): forgotten, so that what is left of it makes no difference. */
inline job_free(c)
{
	if
	:: reader[job[c].reader].running == c -> reader[job[c].reader].running = NONE
	:: else
	fi;
	job[c].op = 0; job[c].reader = 0; job[c].context = NONE; job[c].key = NONE;
	job[c].owned = false; job[c].given_up = false
}

inline job_answer(c)
{
	CLAIM_C(job[c].state != JOB_GIVEN_UP || job[c].given_up);
	job_step(job[c].state, JOB_ANSWER);
	answer_client(c);
	job_free(c)
}

/* job_happens(), all but closing a parked one's context, which the caller does; see closes. */
inline job_happens(c, event)
{
	job_step(job[c].state, event);
	if
	:: job_do == JOB_DO_FAIL || job_do == JOB_DO_CLOSE || job_do == JOB_DO_DROP ->
		CLAIM_C(reader[job[c].reader].running != c);	/* its turn would release it again */
		if
		:: job_do != JOB_DO_DROP -> answer_client(c)
		:: else
		fi;
		job_free(c)
	:: job_do == JOB_DO_ABORT -> link[job[c].reader].cancelled = true; job[c].given_up = true
	:: job_do == JOB_DO_GIVE_UP -> job[c].given_up = true
	:: job_do == JOB_DO_ORPHAN ->
		job[c].given_up = true;
		job[c].context = NONE; job[c].key = NONE; job[c].owned = false
	:: else
	fi
}

inline security_happens(r, event, user)
{
	security_step(reader[r].security, event);
	if
	:: security_do == SECURITY_DO_OWN -> reader[r].owner = user
	:: security_do == SECURITY_DO_DISOWN -> reader[r].owner = NONE
	:: security_do == SECURITY_DO_LOSE ->
		context[reader[r].owner].pins = false;
		reader[r].owner = NONE
	:: else
	fi
}

/* txn_happens() and begin(), all but what a lapse does to the card's security status */
inline txn_happens(r, event, user)
{
	txn_step(reader[r].txn, event);
	if
	:: txn_do == TXN_DO_NOTHING
	:: txn_do == TXN_DO_TAKE -> reader[r].holder = user; reader[r].armed = true
	:: else -> reader[r].holder = NONE; reader[r].armed = false
	fi
}

inline key_of_job_ends(s, x)
{
	if
	:: job[s].key == context[x].key[nth] && job[s].context == x ->
		job[s].key = NONE;
		job_happens(s, JOB_KEY_ENDED)
	:: else
	fi
}

inline context_of_job_ends(s, x)
{
	if
	:: job[s].context == x ->
		job[s].context = NONE; job[s].key = NONE;
		job_happens(s, JOB_CONTEXT_ENDED)
	:: else
	fi
}

/* key_end() of the key that is nth, and no handle is taken from anybody for nothing. @destroy: the card still has it. */
inline key_end(x, destroy)
{
	CLAIM_H(context[x].key_dead[nth]);
	key_of_job_ends(CLIENT_OF(x), x);
	key_of_job_ends(CLIENTS, x);
	handle_step(context[x].key_handle[nth], HANDLE_AGE);
	if
	:: destroy ->
		reader[READER_OF(x)].dead_keys =
			reader[READER_OF(x)].dead_keys | KEY_BIT(context[x].key[nth])
	:: else
	fi;
	context[x].key[nth] = NONE
}

inline age_keys(x, destroy)
{
	nth = 0;
	do
	:: nth < N_KEYS ->
		if
		:: context[x].key[nth] != NONE -> key_end(x, destroy)
		:: else
		fi;
		nth++
	:: else -> break
	od
}

/* context_happens(); @destroy as its reason KF_REASON_CLOSED. */
inline context_happens(x, event, destroy)
{
	context_step(context[x].state, event);
	if
	:: context_do != CONTEXT_DO_NOTHING -> age_keys(x, destroy)
	:: else
	fi;
	if
	:: context_do == CONTEXT_DO_AGE_KEYS && reader[READER_OF(x)].holder == x ->
		txn_happens(READER_OF(x), TXN_KEYS_WENT, NONE)
	:: else
	fi;
	if
	:: context_do == CONTEXT_DO_END ->
		context_of_job_ends(CLIENT_OF(x), x);
		context_of_job_ends(CLIENTS, x);
		if
		:: reader[READER_OF(x)].holder == x ->
			txn_happens(READER_OF(x), TXN_HOLDER_LEFT, NONE)
		:: else
		fi;
		if
		:: reader[READER_OF(x)].owner == x ->
			security_happens(READER_OF(x), SECURITY_LEFT, NONE)
		:: else
		fi;
		reader[READER_OF(x)].kick = true;
		handle_step(context[x].handle, HANDLE_AGE);
		context[x].pins = false
	:: else
	fi
}

/* A: from now on nobody may find these. */
inline keys_are_dead(x)
{
	nth = 0;
	do
	:: nth < N_KEYS ->
		context[x].key_dead[nth] = context[x].key_dead[nth] || context[x].key_handle[nth] == HANDLE_LIVE;
		nth++
	:: else -> break
	od
}

inline is_dead(x)
{
	context[x].dead = context[x].dead || context[x].handle == HANDLE_LIVE;
	keys_are_dead(x)
}

/* reader_tell(). What was reset concerns only those who have the card. */
inline tell_contexts(r, event)
{
	x = r;
	do
	:: x < CONTEXTS ->
		if
		:: context[x].state == CONTEXT_BOUND && event == CONTEXT_RESET -> keys_are_dead(x)
		:: context[x].state == CONTEXT_BOUND && event != CONTEXT_RESET -> is_dead(x)
		:: context[x].state == CONTEXT_WAITING && event == CONTEXT_READER_GONE -> is_dead(x)
		:: else
		fi;
		if
		:: context[x].state == CONTEXT_BOUND ||
		   (context[x].state == CONTEXT_WAITING && event != CONTEXT_RESET) ->
			context_happens(x, event, false)
		:: else
		fi;
		x = x + READERS
	:: else -> break
	od
}

/* link_ask() */
inline ask(r, what)
{
	CLAIM_F(FREE(r));
	link[r].asked = what;
	link[r].cancelled = false
}

/* --- turns, as in card.c, chore.c, hold.c and outcome.c --- */

/* turn_next() with turn_go(). Whether the last try was offered up only the client knows: so either. */
inline turn_next(r, step)
{
	c = reader[r].running;
	if
	:: step == TURN_IDLE
	:: step == TURN_DROP -> ask(r, TURN_DROP)
	:: step == TURN_TRIES && job[c].op == OP_VERIFY && job[c].state != JOB_GIVEN_UP ->
		ask(r, TURN_TRIES)
	:: (step == TURN_TRIES || step == TURN_JOB) && job[c].state == JOB_GIVEN_UP ->
		job_answer(c);
		reader[r].kick = true
	:: (step == TURN_TRIES || step == TURN_JOB) && job[c].state != JOB_GIVEN_UP ->
		if
		:: LEAVES_STATE(job[c].op) -> security_happens(r, SECURITY_USED, job[c].context)
		:: else
		fi;
		link[r].op = job[c].op;
		link[r].who = WHO(job[c].context);
		link[r].key = job[c].key;
		job_step(job[c].state, JOB_ASK);
		ask(r, TURN_JOB)
	fi
}

#define MAY_HAVE_TURN(r, c) \
	(job[c].state == JOB_QUEUED && job[c].reader == (r) && \
	 (reader[r].holder == NONE || reader[r].holder == job[c].context))

/* A turn that never comes to the card. */
inline txn_turn(r, who)
{
	if
	:: job[who].op == OP_BEGIN && reader[r].txn != TXN_HELD ->
		txn_happens(r, TXN_BEGUN, job[who].context)
	:: job[who].op == OP_END && reader[r].txn == TXN_HELD &&
	   reader[r].holder == job[who].context ->
		txn_happens(r, TXN_ENDED, NONE);
		if
		:: HAS_KEY(job[who].context) && !reader[r].sessions_stay ->
			txn_happens(r, TXN_KEYS_CAME, job[who].context)
		:: else
		fi;
		if
		:: true
		:: RESETS -> reader[r].reset_due = true		/* KF_TXN_RESET */
		fi
	:: else						/* -EPROTO */
	fi;
	job_answer(who)
}

#define IS_THERE(x)	((x) == NONE || context[x].state == CONTEXT_BOUND)

/* card_kick(), one round; where it goes on, it is due again. */
inline card_kick(r)
{
	reader[r].kick = false;
	CLAIM_F((reader[r].txn != TXN_NONE) == (reader[r].holder != NONE));
	CLAIM_F(reader[r].txn != TXN_FOR_KEYS || HAS_KEY(reader[r].holder));
	CLAIM_F(IS_THERE(reader[r].holder) && IS_THERE(reader[r].owner));
	if
	:: !FREE(r) || reader[r].state != READER_CARD || reader[r].running != NONE
	:: else ->
		if
		:: reader[r].reset_due -> ask(r, TURN_CHORE_RESET)
		:: !reader[r].reset_due && MUST_GO(r) -> ask(r, TURN_CHORE_DROP)
		:: !reader[r].reset_due && !MUST_GO(r) && reader[r].dead_keys != 0 ->
			k = 0;
			do
			:: (reader[r].dead_keys & KEY_BIT(k)) != 0 -> break
			:: else -> k++
			od;
			link[r].key = k;
			ask(r, TURN_CHORE_DESTROY)
		:: !reader[r].reset_due && !MUST_GO(r) && reader[r].dead_keys == 0 ->
			if
			:: MAY_HAVE_TURN(r, 0) -> who = 0
			:: MAY_HAVE_TURN(r, 1) -> who = 1
			/* Not in order with client 0's other one: more than the broker does, which has lanes. */
			:: MAY_HAVE_TURN(r, 2) -> who = 2
			:: !MAY_HAVE_TURN(r, 0) && !MAY_HAVE_TURN(r, 1) && !MAY_HAVE_TURN(r, SLOTS - 1) -> who = NONE
			fi;
			if
			:: who == NONE
			:: else ->
				job_step(job[who].state, JOB_TURN);
				if
				:: job[who].op == OP_BEGIN || job[who].op == OP_END ->
					txn_turn(r, who);
					reader[r].kick = true
				:: else ->
					reader[r].running = who;
					next = TURN_IDLE;
					if
					:: FOREIGN(r, job[who].context) -> m = TURN_FOREIGN
					:: else -> m = TURN_CLEAN
					fi;
					turn_step(next, m);
					turn_next(r, next)
				fi
			fi
		fi
	fi
}

/* The session key that the card has made, numbered link.key */
inline take_session_key(r)
{
	x = job[c].context;
	if
	:: x == NONE -> reader[r].dead_keys = reader[r].dead_keys | KEY_BIT(link[r].key)
	:: else ->
		nth = (context[x].key_handle[0] == HANDLE_LIVE -> N_KEYS - 1 : 0);
		if
		:: context[x].key_handle[nth] == HANDLE_STALE ->
			handle_step(context[x].key_handle[nth], HANDLE_RELEASE)
		:: else
		fi;
		handle_step(context[x].key_handle[nth], HANDLE_MAKE);
		context[x].key[nth] = link[r].key;
		context[x].key_dead[nth] = false;
		if
		:: !reader[r].sessions_stay -> txn_happens(r, TXN_KEYS_CAME, x)
		:: else
		fi
	fi
}

/* WRONG_KEY and ALL_KEYS are seeded bugs. As long as there is another key, the card stays whose it was. */
inline key_was_destroyed(r)
{
	x = job[c].context;
	if
	:: job[c].key != NONE ->
		nth = (context[x].key[0] == job[c].key -> 0 : 1);
		context[x].key_dead[nth] = true;
		job[c].key = NONE;
		nth = (WRONG_KEY && context[x].key[1 - nth] != NONE -> 1 - nth : nth);
		key_end(x, false);
		if
		:: ALL_KEYS && context[x].key[1 - nth] != NONE -> nth = 1 - nth; key_end(x, false)
		:: else
		fi;
		if
		:: reader[r].holder == x && !HAS_KEY(x) -> txn_happens(r, TXN_KEYS_WENT, NONE)
		:: else
		fi
	:: else
	fi
}

/* card_was_used(), then outcome_done() with translate(), or outcome_failed() */
inline outcome_done(r)
{
	c = reader[r].running;
	if
	:: LEAVES_STATE(job[c].op) ->
		if
		:: job[c].context != NONE -> m_ = SECURITY_ANSWERED
		:: else -> m_ = SECURITY_UNCLAIMED
		fi;
		security_happens(r, m_, job[c].context)
	:: else
	fi;
	if
	:: job[c].op == OP_VERIFY && job[c].context != NONE ->
		if
		:: reader[r].owner == job[c].context ->
			context[job[c].context].pins = (m == SAYS_GOOD)
		:: else
		fi
	:: m == SAYS_GOOD && job[c].op == OP_LOGOUT -> dropped = true
	:: m == SAYS_GOOD && job[c].op == OP_IMPORT -> take_session_key(r)
	:: m == SAYS_GOOD && job[c].op == OP_DESTROY -> key_was_destroyed(r)
	:: m == SAYS_GOOD && job[c].op == OP_RESET -> reset = true
	:: else
	fi;
	ends = true
}

/*
 * card_reply(). What it does to all contexts, and to the turn, its caller performs at the end.
 */
inline card_reply(r)
{
	next = link[r].asked;
	link[r].asked = TURN_IDLE;
	link[r].taken = false;
	if
	:: m == SAYS_GOOD -> m_ = TURN_GOOD
	:: else -> m_ = TURN_BAD
	fi;
	turn_step(next, m_);
	if
	:: turn_do == TURN_DO_DROPPED -> dropped = true
	:: turn_do == TURN_DO_WAS_RESET -> reset = true
	:: turn_do == TURN_DO_BURY ->
		/* A reset may have come in between, but no other key. */
		CLAIM_F(reader[r].dead_keys == 0 || (reader[r].dead_keys & KEY_BIT(link[r].key)) != 0);
		reader[r].dead_keys = reader[r].dead_keys & (255 - KEY_BIT(link[r].key))
	:: turn_do == TURN_DO_BREAK -> link[r].broken = true
	:: turn_do == TURN_DO_COMPARE ->
		if
		:: true
		:: next = TURN_IDLE; ends = true	/* it would be the last one */
		fi
	:: turn_do == TURN_DO_REFUSE -> ends = true
	:: turn_do == TURN_DO_ANSWER || turn_do == TURN_DO_FAIL -> outcome_done(r)
	:: else
	fi;
	if
	/* A card that was taken out meanwhile was not reset, whatever its driver says. */
	:: reset && reader[r].state != READER_CARD -> link[r].broken = true; reset = false
	:: else
	fi;
	link[r].op = 0; link[r].who = 0; link[r].key = 0
}

/* link_close(), and whoever was at the other end is killed. */
inline link_close(r)
{
	link[r].up = false; link[r].broken = false; link[r].cancelled = false;
	link[r].asked = TURN_IDLE; link[r].taken = false;
	link[r].op = 0; link[r].who = 0; link[r].key = 0;
	driver[r] = DRIVER_DOWN;
	do
	:: said[r]?_
	:: empty(said[r]) -> break
	od
}

/* forget_card(), in lose_card() */
inline forget_card(r, to)
{
	reader[r].state = to;
	reader[r].reset_due = false;
	reader[r].sessions_stay = false;
	reader[r].dead_keys = 0
}

/* serve_waiters(): all that were parked, once a card has come */
inline serve_waiters(r)
{
	k = 0;
	do
	:: k < SLOTS ->
		if
		:: job[k].state == JOB_PARKED && job[k].reader == r -> job_answer(k)
		:: else
		fi;
		k++
	:: else -> break
	od
}

/*
 * What came up the link, or happened to it, is @m. First what it does to the reader, then to its
 * contexts, then what is due next; none of it is seen by anybody in between.
 */
inline react(r)
{
	effect = NONE; status = NONE;
	dropped = false; reset = false; ends = false;
	next = TURN_IDLE;
	if
	:: m == SAYS_INSERTED && reader[r].state != READER_CARD ->
		reader[r].state = READER_CARD;
		reader[r].sessions_stay = card[r].stays;
		status = SECURITY_INSERTED; effect = CONTEXT_INSERTED
	:: m == SAYS_REMOVED ->
		forget_card(r, READER_EMPTY);
		status = SECURITY_REMOVED; effect = CONTEXT_REMOVED
	:: m == SAYS_RESET && reader[r].state == READER_CARD -> reset = true
	:: (m == SAYS_GOOD || m == SAYS_BAD) && link[r].asked != TURN_IDLE -> card_reply(r)
	:: m == SAYS_GONE ->				/* device_gone() */
		ends = (reader[r].running != NONE);
		forget_card(r, READER_GONE);
		status = SECURITY_REMOVED; effect = CONTEXT_READER_GONE
	:: else ->					/* device_driver_lost() */
		ends = (reader[r].running != NONE);
		forget_card(r, READER_STARTING);
		status = SECURITY_REMOVED; effect = CONTEXT_DRIVER_DIED
	fi;
	if
	:: ends -> c = reader[r].running; job_answer(c)
	:: else
	fi;
	if
	:: effect == CONTEXT_DRIVER_DIED || effect == CONTEXT_READER_GONE -> link_close(r)
	:: dropped ->
		status = SECURITY_DROPPED;
		effect = (reader[r].sessions_stay -> NONE : CONTEXT_RESET)
	:: reset ->
		reader[r].reset_due = false;
		reader[r].dead_keys = 0;
		status = SECURITY_RESET; effect = CONTEXT_RESET
	:: else
	fi;
	if
	:: status != NONE -> security_happens(r, status, NONE)
	:: else
	fi;
	if
	:: effect != NONE -> tell_contexts(r, effect)
	:: else
	fi;
	if
	:: effect == CONTEXT_INSERTED -> serve_waiters(r)
	:: else
	fi;
	turn_next(r, next);
	if
	:: link[r].up -> reader[r].kick = true		/* device_kick() */
	:: else
	fi
}

/* What comes up one link, what its timer does, and what the monitor tells of it. */
proctype broker_link(byte r)
{
end:	do
	:: atomic {
		if
		:: LOOP_IS_IDLE && nempty(said[r]) -> said[r]?m
		:: LOOP_IS_IDLE && link[r].broken -> m = SAYS_END
		/* A deadline, at least where nobody is left who could cancel. */
		:: HANGS && LOOP_IS_IDLE && closing && driver[r] == DRIVER_HUNG && !link[r].cancelled &&
		   reader[r].running != NONE && !job[reader[r].running].owned -> m = SAYS_END
		:: DEADLINES && LOOP_IS_IDLE && link[r].up && link[r].asked != TURN_IDLE -> m = SAYS_END	/* link_late() */
		:: PULLS && LOOP_IS_IDLE && !closing && reader[r].state != READER_GONE -> m = SAYS_GONE
		fi;
		react(r) }
	:: atomic { reader[r].kick -> card_kick(r) }
	:: atomic { LOOP_IS_IDLE && reader[r].armed ->
		reader[r].armed = false;
		txn_happens(r, TXN_RAN_OUT, NONE);
		security_happens(r, SECURITY_RAN_OUT, NONE);
		reader[r].kick = true }
	/* There is one again, as a new one. */
	:: atomic { PULLS && LOOP_IS_IDLE && !closing && reader[r].state == READER_GONE ->
		reader[r].state = READER_STARTING }
	od
}

/* --- requests, as in client.c, request.c, serve_card.c and serve_reader.c --- */

inline select_reader()
{
	if
	:: r_ = 0
#if READERS > 1
	:: r_ = 1
#endif
	fi
}

inline job_new(c, what, x)
{
	job[c].state = JOB_NEW;
	job[c].op = what; job[c].reader = READER_OF(x); job[c].context = x;
	job[c].owned = true;
	waits[c] = true
}

/* on_context_open(); one that waits for a card is parked */
inline open(c)
{
	if
	:: context[x].handle == HANDLE_STALE -> handle_step(context[x].handle, HANDLE_RELEASE)
	:: else
	fi;
	handle_step(context[x].handle, HANDLE_MAKE);
	context[x].dead = false;
	context[x].turn = 1 - context[x].turn;
	context[x].state = (reader[r_].state == READER_CARD -> CONTEXT_BOUND : CONTEXT_WAITING);
	if
	:: OPENS && context[x].state == CONTEXT_WAITING ->
		job_new(c, OP_OPEN, x);
		job_step(job[c].state, JOB_PARK)
	:: true
	fi
}

inline select_op()
{
	if
	:: !PINS && !KEYS -> op_ = OP_LOOK
	:: PINS -> op_ = OP_VERIFY
	:: PINS -> op_ = OP_USE
	:: PINS -> op_ = OP_LOGOUT
	:: KEYS -> op_ = OP_IMPORT
	:: KEYS -> op_ = OP_PROCESS
	:: KEYS -> op_ = OP_DESTROY
	:: TXNS -> op_ = OP_BEGIN
	:: TXNS -> op_ = OP_END
	:: RESETS -> op_ = OP_RESET
	fi;
	nth = 0;
	if
	:: TWO && (op_ == OP_PROCESS || op_ == OP_DESTROY) -> nth = 1
	:: true
	fi
}

/* As many as it may have, counting what is on its way. */
#define MAY_IMPORT(c, x) \
	(N_LIVE(x) + (HAS_TWIN(c) && job[TWIN(c)].op == OP_IMPORT && job[TWIN(c)].context == x) < N_KEYS)

/* request_run() with look_up(), then on_card() */
inline request(c)
{
	select_op();
	CLAIM_A(!context[x].dead);
	if
	:: (op_ == OP_PROCESS || op_ == OP_DESTROY) && context[x].key_handle[nth] != HANDLE_LIVE
	:: op_ == OP_IMPORT && !MAY_IMPORT(c, x)
	:: context[x].state != CONTEXT_BOUND				/* -ENOMEDIUM */
	:: else ->
		job_new(c, op_, x);
		if
		:: op_ == OP_PROCESS || op_ == OP_DESTROY ->
			CLAIM_A(!context[x].key_dead[nth]);
			job[c].key = context[x].key[nth]
		:: else
		fi;
		job_step(job[c].state, JOB_QUEUE);
		reader[r_].kick = true
	fi
}

/* What a client, or its deadline, does beside its requests. */
#define CANCEL	1
#define EXPIRE	2
#define CLOSE	3
#define LEAVE	4	/* client_free() */

inline job_part(c)
{
	if
	:: m == CANCEL -> m_ = JOB_CANCEL
	:: m == EXPIRE -> m_ = JOB_DEADLINE
	:: else -> m_ = JOB_CLIENT_LEFT
	fi;
	x = job[c].context;
	job_happens(c, m_);
	/* The context that a parked one was to open is closed with it. */
	who = (job_do == JOB_DO_CLOSE -> READER_OF(x) : NONE)
}

/* The context at r_, if @m says so, and what the client knows of it once it left. */
inline context_part(c)
{
	x = AT(OWNER(c), r_);
	if
	:: (m == LEAVE || who == r_) && context[x].state != CONTEXT_ENDED ->
		context_happens(x, CONTEXT_CLOSED, true)
	:: else
	fi;
	if
	:: m == LEAVE && context[x].handle == HANDLE_STALE ->
		handle_step(context[x].handle, HANDLE_RELEASE)
	:: else
	fi;
	nth = 0;
	do
	:: nth < N_KEYS ->
		if
		:: m == LEAVE && context[x].key_handle[nth] == HANDLE_STALE ->
			handle_step(context[x].key_handle[nth], HANDLE_RELEASE)
		:: else
		fi;
		nth++
	:: else -> break
	od
}

inline end_something(c)
{
	who = NONE;
	if
	:: m == CLOSE -> select_reader(); who = r_
	:: m != CLOSE && job[c].state != JOB_DONE && (m != LEAVE || job[c].owned) -> job_part(c)
	:: else
	fi;
	if
	:: m == LEAVE && HAS_TWIN(c) ->
		k = TWIN(c);
		if
		:: job[k].state != JOB_DONE && job[k].owned -> job_part(k)
		:: else
		fi;
		waits[k] = false; cancelled[k] = false
	:: else
	fi;
	if
	:: who != NONE ->
		CLAIM_A(context[AT(OWNER(c), who)].handle != HANDLE_LIVE || !context[AT(OWNER(c), who)].dead)
	:: else
	fi;
	r_ = 0;
	do
	:: r_ < READERS ->
		if
		:: m == LEAVE || who == r_ -> is_dead(AT(OWNER(c), r_))
		:: else
		fi;
		context_part(c);
		r_++
	:: else -> break
	od;
	if
	:: m == LEAVE -> waits[c] = false; cancelled[c] = false; connected[OWNER(c)] = false
	:: m == CANCEL && waits[c] -> cancelled[c] = true
	:: else
	fi
}

#define WAITS_FOR_EVER(c) \
	(job[c].state == JOB_PARKED || \
	 (job[c].state == JOB_AT_CARD && driver[job[c].reader] == DRIVER_HUNG))

/* --- the world --- */

/* The driver, the card in its reader, and whoever pulls, plugs and kills. */
proctype driver_and_card(byte r)
{
end:	do
	/* The monitor starts one; it powers the card anew and tells what it finds. */
	:: atomic { LOOP_IS_IDLE && driver[r] == DRIVER_DOWN && !link[r].up && reader[r].state != READER_GONE ->
		card[r].pin = 0; card[r].keys = 0; card[r].faulty = false;
		link[r].up = true;
		if
		:: card[r].in -> driver[r] = DRIVER_UP; said[r]!SAYS_INSERTED
		:: else -> driver[r] = DRIVER_EMPTY; said[r]!SAYS_REMOVED
		fi }

	/* It tells of a reset before it does what it is asked next, or leaves with its card. */
	:: atomic { LOOP_IS_IDLE && driver[r] == DRIVER_UP && card[r].in && card[r].faulty && nfull(said[r]) ->
		card[r].faulty = false;
		said[r]!SAYS_RESET }
	:: atomic { LOOP_IS_IDLE && driver[r] == DRIVER_LEAVING && len(said[r]) < 2 ->
		said[r]!SAYS_REMOVED;
		if
		:: link[r].asked != TURN_IDLE && !link[r].taken ->
			link[r].taken = true;
			if
			:: said[r]!SAYS_BAD
			:: link[r].op != OP_IMPORT -> said[r]!SAYS_GOOD
			fi
		:: true
		fi;
		said[r]!SAYS_END;
		driver[r] = DRIVER_DOWN }

	/* It does what it is asked. */
	:: atomic { LOOP_IS_IDLE && driver[r] == DRIVER_UP && link[r].asked != TURN_IDLE && !link[r].taken &&
		    !link[r].broken && nfull(said[r]) ->
		link[r].taken = true;
		if
		:: !card[r].in || card[r].faulty -> said[r]!SAYS_BAD
		:: else ->
			CLAIM_B(link[r].asked != TURN_JOB || card[r].pin == 0 ||
			        card[r].pin == link[r].who);
			if
			:: link[r].asked == TURN_DROP || link[r].asked == TURN_CHORE_DROP ||
			   (link[r].asked == TURN_JOB && link[r].op == OP_LOGOUT) ->
				card[r].pin = 0;
				card[r].keys = (card[r].stays -> card[r].keys : 0);
				said[r]!SAYS_GOOD
			:: link[r].asked == TURN_CHORE_RESET ||
			   (link[r].asked == TURN_JOB && link[r].op == OP_RESET) ->
				card[r].pin = 0; card[r].keys = 0;
				said[r]!SAYS_GOOD
			:: link[r].asked == TURN_CHORE_DESTROY ||
			   (link[r].asked == TURN_JOB && link[r].op == OP_DESTROY) ->
				card[r].keys = card[r].keys & (255 - KEY_BIT(link[r].key));
				said[r]!SAYS_GOOD
			:: link[r].asked == TURN_TRIES -> said[r]!SAYS_GOOD
			:: link[r].asked == TURN_JOB && link[r].op == OP_LOOK -> said[r]!SAYS_GOOD
			:: link[r].asked == TURN_JOB && link[r].op == OP_VERIFY ->
				if
				:: card[r].pin = link[r].who; said[r]!SAYS_GOOD
				:: card[r].pin = 0; said[r]!SAYS_BAD
				fi
			:: link[r].asked == TURN_JOB && link[r].op == OP_USE ->
				if
				:: card[r].pin != 0 -> said[r]!SAYS_GOOD
				:: else -> said[r]!SAYS_BAD
				fi
			:: link[r].asked == TURN_JOB && link[r].op == OP_IMPORT ->
				/* Numbers are not given twice; here, not while one is in use. */
				link[r].key = KEY_BITS * ((link[r].who - 1) / 2);
				k = link[r].key + KEY_BITS;
				do
				:: link[r].key < k && (card[r].keys & KEY_BIT(link[r].key)) != 0 -> link[r].key++
				:: else -> break
				od;
				if
				:: link[r].key == k ->
					link[r].key = 0;
					said[r]!SAYS_BAD	/* no room */
				:: else ->
					card[r].keys = card[r].keys | KEY_BIT(link[r].key);
					said[r]!SAYS_GOOD
				fi
			:: link[r].asked == TURN_JOB && link[r].op == OP_PROCESS ->
				if
				:: (card[r].keys & KEY_BIT(link[r].key)) != 0 -> said[r]!SAYS_GOOD
				:: else ->
					CLAIM_H(job[reader[r].running].key == NONE || said[r]??[SAYS_RESET]);
					said[r]!SAYS_BAD
				fi
			fi
		fi }
	:: atomic { FAILS && LOOP_IS_IDLE && !closing && driver[r] == DRIVER_UP && link[r].asked != TURN_IDLE &&
		    !link[r].taken && !link[r].broken && nfull(said[r]) ->
		link[r].taken = true;
		if
		:: link[r].asked == TURN_CHORE_DESTROY ->
			card[r].pin = 0; card[r].keys = 0; card[r].faulty = true
		:: else
		fi;
		said[r]!SAYS_BAD }
	:: atomic { HANGS && LOOP_IS_IDLE && driver[r] == DRIVER_UP && link[r].asked == TURN_JOB && !link[r].taken &&
		    !link[r].broken && !closing ->
		link[r].taken = true;
		driver[r] = DRIVER_HUNG }
	:: atomic { HANGS && LOOP_IS_IDLE && driver[r] == DRIVER_HUNG && link[r].cancelled && nfull(said[r]) ->
		driver[r] = DRIVER_UP;
		said[r]!SAYS_BAD }
	:: atomic { FAULTS && LOOP_IS_IDLE && !closing && driver[r] == DRIVER_UP && card[r].in && !card[r].faulty ->
		card[r].pin = 0; card[r].keys = 0;
		card[r].faulty = true }
	:: atomic { DEATHS && LOOP_IS_IDLE && !closing && driver[r] != DRIVER_DOWN && nfull(said[r]) ->
		driver[r] = DRIVER_DOWN;
		said[r]!SAYS_END }
	:: atomic { PULLS && LOOP_IS_IDLE && !closing && card[r].in ->
		card[r].in = false; card[r].pin = 0; card[r].keys = 0; card[r].faulty = false;
		if
		:: driver[r] == DRIVER_UP -> driver[r] = DRIVER_LEAVING
		:: driver[r] == DRIVER_HUNG -> driver[r] = DRIVER_LEAVING
		:: else
		fi }
	:: atomic { PULLS && LOOP_IS_IDLE && !closing && !card[r].in -> card[r].in = true }
	:: atomic { PULLS && LOOP_IS_IDLE && driver[r] == DRIVER_EMPTY && card[r].in && nfull(said[r]) ->
		driver[r] = DRIVER_UP;
		said[r]!SAYS_INSERTED }
	od
}

proctype client(byte c_)
{
end:	do
	:: atomic { LOOP_IS_IDLE && !closing && !connected[OWNER(c_)] && job[c_].state == JOB_DONE &&
		    NO_TWIN_WORKS(c_) -> connected[OWNER(c_)] = true }
	:: atomic { LOOP_IS_IDLE && !closing && connected[OWNER(c_)] && !waits[c_] ->
		select_reader();
		x = AT(OWNER(c_), r_);
		if
		:: context[x].handle != HANDLE_LIVE && reader[r_].state != READER_GONE -> open(c_)
		:: context[x].handle == HANDLE_LIVE -> request(c_)
		:: else
		fi }
	:: atomic {
		if
		:: CLOSES && LOOP_IS_IDLE && !closing && connected[OWNER(c_)] -> m = CLOSE
		/* In the end one that is patient cancels only what would never end by itself. */
		:: CANCELS && LOOP_IS_IDLE && waits[c_] && !cancelled[c_] && (!closing || WAITS_FOR_EVER(c_)) -> m = CANCEL
		:: DEADLINES && LOOP_IS_IDLE && job[c_].state != JOB_DONE &&
		   (!closing || job[c_].state == JOB_QUEUED || job[c_].state == JOB_PARKED) -> m = EXPIRE
		:: LEAVES && LOOP_IS_IDLE && !closing && connected[OWNER(c_)] -> m = LEAVE
		/* Who waits for nothing makes nobody wait. */
		:: POLITE && LOOP_IS_IDLE && closing && connected[OWNER(c_)] && !waits[c_] && NO_TWIN_WAITS(c_) -> m = LEAVE
		fi;
		end_something(c_) }
	od
}

/* Nobody begins anything any more; and when nothing happens any more, D. */
proctype judge()
{
	closing = true;
	atomic { timeout ->
		CLAIM_D(!waits[0] && !waits[1] && !waits[SLOTS - 1]);
		x = 0;
		do
		:: x < CONTEXTS ->
			r_ = READER_OF(x);
			CLAIM_E(job[CLIENT_OF(x)].state == JOB_DONE && job[SLOTS - 1].state == JOB_DONE);
			CLAIM_E(link[r_].asked == TURN_IDLE && reader[r_].running == NONE);
			CLAIM_E(reader[r_].txn == TXN_NONE && reader[r_].holder == NONE);
			CLAIM_E((reader[r_].state == READER_CARD) ==
			       (card[r_].in && reader[r_].state != READER_GONE));
			CLAIM_E(!MUST_GO(r_) && !reader[r_].reset_due && reader[r_].dead_keys == 0);
			if
			:: reader[r_].state == READER_CARD && card[r_].pin == WHO(x) ->
				CLAIM_E(context[x].handle == HANDLE_LIVE && reader[r_].owner == x)
			:: else
			fi;
			/* Keys of its own, or none. */
			CLAIM_E(reader[r_].state != READER_CARD ||
			       (card[r_].keys & KEY_MASK(x)) == BITS_OF(x));
			x++
		:: else -> break
		od;
		quiet = true }
}

init
{
	atomic {
		c_code {
			MORE = kf_with("MORE"); TWO = kf_with("TWO"); ALONE = kf_with("ALONE");
			PINS = kf_with("PINS"); KEYS = kf_with("KEYS"); TXNS = kf_with("TXNS");
			OPENS = kf_with("OPENS"); RESETS = kf_with("RESETS");
			CANCELS = kf_with("CANCELS"); LEAVES = kf_with("LEAVES");
			CLOSES = kf_with("CLOSES"); POLITE = kf_with("POLITE");
			FAILS = kf_with("FAILS"); HANGS = kf_with("HANGS");
			DEADLINES = kf_with("DEADLINES"); FAULTS = kf_with("FAULTS");
			PULLS = kf_with("PULLS"); DEATHS = kf_with("DEATHS");
			WRONG_KEY = kf_with("WRONG_KEY"); ALL_KEYS = kf_with("ALL_KEYS");
			ONLY = kf_with("ONLY"); ONLY_A = kf_with("ONLY_A");
			ONLY_B = kf_with("ONLY_B"); ONLY_C = kf_with("ONLY_C");
			ONLY_D = kf_with("ONLY_D"); ONLY_E = kf_with("ONLY_E");
			ONLY_F = kf_with("ONLY_F"); ONLY_H = kf_with("ONLY_H");
		};
		x = 0;
		do
		:: x < CONTEXTS ->
			context[x].state = CONTEXT_ENDED;
			context[x].handle = HANDLE_FREE;
			nth = 0;
			do
			:: nth < NKEYS ->
				context[x].key_handle[nth] = HANDLE_FREE;
				context[x].key[nth] = NONE;
				nth++
			:: else -> break
			od;
			x++
		:: else -> break
		od;
		r_ = 0;
		do
		:: r_ < READERS ->
			reader[r_].owner = NONE; reader[r_].holder = NONE; reader[r_].running = NONE;
			reader[r_].security = SECURITY_ABSENT;
			reader[r_].txn = TXN_NONE;
			link[r_].asked = TURN_IDLE;
			card[r_].in = true;
			card[r_].stays = true;
			if
			:: KEYS -> card[r_].stays = false
			:: true
			fi;
			run broker_link(r_);
			run driver_and_card(r_);
			r_++
		:: else -> break
		od;
		c = 0;
		do
		:: c < SLOTS ->
			job[c].state = JOB_DONE; job[c].context = NONE; job[c].key = NONE;
			if
			:: (c < CLIENTS || MORE) && (OWNER(c) == 0 || !ALONE) -> run client(c)
			:: else
			fi;
			c++
		:: else -> break
		od;
		run judge()
	}
}

#ifdef DRAINS
ltl drains { [] (closing -> <> quiet) }
#endif
