# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reads what tests/run collected: "program NAME STATUS SECONDS", then its lines, each behind "ktap" or
# "stderr", and behind "first" what failed before it was run once more. Says one line a program, all
# of a failed program's output, and the sum. A program that
# breaks its plan, ends badly without a failed test, or speaks no KTAP counts as one more failure.

function finish(    bad, why) {
	if (program == "")
		return
	if (status == "lost")
		why = "was killed before it could report"
	else if (status == 124 || status == 137)
		why = "ran longer than the limit for one program"
	else if (!version)
		why = "does not speak KTAP (exit status " status ")"
	else if (plan == "")
		why = "has no plan"
	else if (plan + 0 == 0 && plan_reason == "")
		why = "ran no test"
	else if (plan + 0 != seen)
		why = "planned " plan " tests and reported " seen " (exit status " status ")"
	else if (misnumbered)
		why = "numbers its results out of order"
	else if (status != 0 && !p_failed)
		why = "ended with status " status " although no test failed"
	else if (status == 0 && p_failed)
		why = "ended with status 0 although a test failed"
	else if (first != "" && (p_skipped || plan + 0 == 0))
		why = "failed, and did not do all of it when it was run once more"
	if (why == "" && plan + 0 == 0)
		p_skipped++
	bad = p_failed + (why != "")
	passed += p_passed; skipped += p_skipped; failed += bad

	printf "%-4s %s: %d passed, %d failed, %d skipped, %d s\n", bad ? "FAIL" : "ok", program,
		p_passed, bad, p_skipped, seconds
	if (first != "")
		printf "     the first time it failed:\n%s", first
	if (plan_reason != "")
		print "     skipped: " plan_reason
	if (bad || verbose)
		printf "%s", text
	else
		printf "%s", skips
	if (why != "")
		print "     " program " " why
	# Said again at the end, where a log that was cut still has it.
	if (!bad && first != "")
		again = again "passed only the second time: " program "\n"
	if (bad)
		again = again "failed: " program (why != "" ? " " why : "") "\n" faults
}

/^program / {
	finish()
	programs++
	program = $2; status = $3; seconds = $4
	if (index(program, build) == 1)
		program = substr(program, length(build) + 1)
	version = seen = misnumbered = p_passed = p_failed = p_skipped = 0
	plan = plan_reason = text = skips = faults = first = ""
	next
}
/^first / { first = first "     1| " substr($0, 7) "\n"; next }
/^stderr / { text = text "     | " substr($0, 8) "\n"; next }
{ sub(/^ktap ?/, ""); text = text "     " $0 "\n" }
/^KTAP version 1$/ || /^TAP version 1[34]$/ { version = 1; next }
/^1\.\.[0-9]+/ {
	plan = substr($1, 4)
	if (match($0, /# *SKIP */))
		plan_reason = substr($0, RSTART + RLENGTH)
	next
}
/^(not )?ok / {
	seen++
	number = $1 == "not" ? $3 : $2
	if (number + 0 != seen)
		misnumbered = 1
	if ($1 == "not") {
		p_failed++
		faults = faults "failed:   " $0 "\n"
	} else if ($0 ~ /# *SKIP/) {
		p_skipped++
		skips = skips "     " $0 "\n"
	} else
		p_passed++
	next
}
/^Bail out!/ { p_failed++ }

END {
	finish()
	if (programs != listed) {
		failed++
		again = again "failed: " listed " programs were to run and " programs + 0 " told of it\n"
	}
	if (passed + failed + skipped == 0)
		print "no test ran"
	else if (passed + failed == 0)
		print "every test was skipped"
	printf "%s%d passed, %d failed, %d skipped\n", again, passed, failed, skipped
	exit failed > 0 || (passed == 0 && !(zero_is_fine && programs == 0))
}
