# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the broker's state tables as Promela, from the very rows that the broker steps by
# (daemon/broker/step.h):
#
#	awk -f promela.awk NOUN.def... >tables.pml
#	KF_CHANGE=$(awk -f promela.awk -v change="NOUN FROM EVENT TO ACTION" NOUN.def...)
#
# Of job.def comes an inline job_step(state, event), which makes the step and leaves the action in
# job_do; a pair without a row is an error there, as it is in the broker. The verifier says at its end
# which rows were not taken. @change is another row in the place of one, to see the model find that, or is its
# first three words, and the row is lost; what is written for it are numbers, which the verifier looks for in its
# environment.

function fatal(text) {
	print "promela.awk: " FILENAME ":" FNR ": " text >"/dev/stderr"
	failed = 1
	exit 1
}

# Kinds: 1 states, 2 events, 3 actions.
function number(kind, name) {
	if (!((noun, kind, name) in known)) {
		known[noun, kind, name] = n_names[noun, kind] + 0
		name_at[noun, kind, n_names[noun, kind]++] = name
	}
	return known[noun, kind, name]
}

# What no row of the table has is a slip of the pen: the model would find that, and nothing else.
function known_number(kind, name) {
	if (!((noun, kind, name) in known))
		fatal("no other row has " name ": " change)
	return number(kind, name)
}

function add(from, event, to, action,   i) {
	if ((noun, from, event) in taken)
		fatal("a second row for " from ", " event)
	taken[noun, from, event] = 1
	i = ++n_rows
	rows[i] = noun
	at[i, 1] = number(1, prefix "_" from)
	at[i, 2] = number(2, prefix "_" event)
	at[i, 3] = number(1, prefix "_" to)
	at[i, 4] = number(3, prefix "_DO_" action)
	text[i] = noun " " from " " event " " to " " action
	if (index(change " ", noun " " from " " event " ") == 1)
		changed = i
}

FNR == 1 {
	noun = FILENAME
	sub(/^.*\//, "", noun)
	sub(/\.def$/, "", noun)
	prefix = toupper(noun)
	nouns[++n_nouns] = noun
	in_comment = 0
}

{
	line = $0
	if (in_comment) {
		if (!sub(/^.*\*\//, "", line))
			next
		in_comment = 0
	}
	gsub(/\/\*[^*]*(\*+[^*\/][^*]*)*\*+\//, "", line)
	if (sub(/\/\*.*$/, "", line))
		in_comment = 1
	gsub(/[ \t]/, "", line)
	if (line == "")
		next
	if (line !~ /^STEP\([A-Z_]+,[A-Z_]+,[A-Z_]+(,[A-Z_]+)?\)$/)
		fatal("not a row: " $0)
	gsub(/^STEP\(|\)$/, "", line)
	n = split(line, word, ",")
	if (n == 3)
		word[4] = "NOTHING"
	add(word[1], word[2], word[3], word[4])
}

END {
	if (failed)
		exit 1
	if (n_rows == 0 || (change != "" && !changed)) {
		print "promela.awk: " (n_rows ? "no row to change: " change : "no rows") >"/dev/stderr"
		exit 1
	}
	if (changed) {
		noun = rows[changed]
		prefix = toupper(noun)
		if (split(change, word, " ") == 3)
			print changed
		else
			print changed, known_number(1, prefix "_" word[4]), known_number(3, prefix "_DO_" word[5])
		exit
	}
	print "/* Written by promela.awk. */"
	for (k = 1; k <= n_nouns; k++)
		write_names(nouns[k])
	write_rows()
	print "\nhidden byte from_, happens_, row_, to_, do_;"
	for (k = 1; k <= n_nouns; k++)
		write_step(nouns[k])
}

# The states, events and actions of a noun, each kind numbered in the order it was seen.
function write_names(noun,   i, n, kind) {
	for (kind = 1; kind <= 3; kind++)
		for (i = 0; i < n_names[noun, kind]; i++)
			print "#define " name_at[noun, kind, i] " " i
	n_states[noun] = n_names[noun, 1]
	n_events[noun] = n_names[noun, 2]
}

# Of each row its number and what it says, found by noun, state and event.
function write_rows(   i) {
	print "\nc_decl {"
	for (k = 1; k <= n_nouns; k++) {
		noun = nouns[k]
		print "\tstatic unsigned char kf_" noun "[" n_states[noun] "][" n_events[noun] "] = {"
		for (i = 1; i <= n_rows; i++)
			if (rows[i] == noun)
				print "\t\t[" at[i, 1] "][" at[i, 2] "] = " i ","
		print "\t};"
	}
	print "\tstatic unsigned char kf_to[] = {\n\t\t0,"
	for (i = 1; i <= n_rows; i++)
		print "\t\t" at[i, 3] ",\t/* " text[i] " */"
	print "\t};\n\tstatic unsigned char kf_do[] = {\n\t\t0,"
	for (i = 1; i <= n_rows; i++)
		print "\t\t" at[i, 4] ","
	print "\t};\n\tstatic const char *const kf_rows[] = {\n\t\t\"\","
	for (i = 1; i <= n_rows; i++)
		print "\t\t\"" text[i] "\","
	print "\t};\n\tstatic unsigned char kf_taken[" n_rows + 1 "];"
	print "\tstatic void __attribute__((constructor)) kf_change(void)\n\t{"
	print "\t\tconst char *change = getenv(\"KF_CHANGE\");"
	print "\t\tunsigned int row = 0, to, act;\n"
	print "\t\tswitch (change ? sscanf(change, \"%u %u %u\", &row, &to, &act) : 0) {"
	print "\t\tcase 3:\n\t\t\tkf_to[row] = to;\n\t\t\tkf_do[row] = act;\n\t\t\tbreak;"
	print "\t\tcase 1:"
	for (k = 1; k <= n_nouns; k++) {
		print "\t\t\tfor (unsigned int i = 0; i < sizeof(kf_" nouns[k] "); i++)"
		print "\t\t\t\tif (((unsigned char *)kf_" nouns[k] ")[i] == row)"
		print "\t\t\t\t\t((unsigned char *)kf_" nouns[k] ")[i] = 0;"
	}
	print "\t\t}\n\t}"
	print "\tstatic void __attribute__((destructor)) kf_report(void)\n\t{"
	print "\t\tfor (int i = 1; i <= " n_rows "; i++)"
	print "\t\t\tif (!kf_taken[i])\n\t\t\t\tprintf(\"row not taken: %s\\n\", kf_rows[i]);"
	print "\t}\n}"
}

function write_step(noun) {
	print "\nhidden byte " noun "_do;"
	print "inline " noun "_step(now_, event_)\n{"
	print "\tfrom_ = now_; happens_ = event_;"
	print "\tc_code {"
	print "\t\trow_ = kf_" noun "[from_][happens_]; to_ = kf_to[row_]; do_ = kf_do[row_];"
	print "\t\tkf_taken[row_] = 1;\n\t};"
	print "\tassert(row_ != 0);\t\t/* F */"
	print "\tnow_ = to_; " noun "_do = do_\n}"
}
