#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/vm itself: what goes into the virtual machine, what comes out of it, and how it ends.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

vm=$KF_SRC/scripts/vm
vreader=${KF_BUILD:-build}/bin/keyferry-vreader
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$vm" prepare initramfs 2>"$dir/why"
case $? in
0) ;;
77) skip_all "$(cat "$dir/why")" ;;
*)
	cat "$dir/why" >&2
	exit 1
	;;
esac

cat >"$dir/inside" <<'END'
#!/bin/sh
. /vm/lib
echo "arguments: $# <$2>"
cat /etc/cargo/note
keyferry-vreader --version
echo "controllers: $(ls /sys/class/udc | wc -l)"
echo "as $(su alice -c 'id -u')"
vm_qmp device_add '{ "driver": "usb-ccid", "id": "r1" }' >/dev/null
readers() {
	cat /sys/bus/usb/devices/*/product | grep -c 'QEMU USB CCID'
}
vm_wait 20 readers && echo plugged
vm_qmp device_del '{ "id": "r1" }' >/dev/null
no_readers() {
	! readers
}
vm_wait 20 no_readers && echo unplugged
vm_qmp no_such_command || echo refused
exit 7
END
mkdir "$dir/cargo"
echo "a file came in" >"$dir/cargo/note"
"$vm" run --script "$dir/inside" --prog "$vreader" --file "$dir/cargo:/etc/cargo" \
	--modules 'dummy_hcd,num=2 xhci-pci' --qemu-args '-device qemu-xhci' \
	-- one 'two words' >"$dir/out" 2>"$dir/err"
status=$?

says() {
	grep -qx "$1" "$dir/out" || fail "not said: $1; but: $(cat "$dir/out" "$dir/err")"
}

the_exit_status_of_the_script_comes_back() {
	[ "$status" = 7 ] || fail "$status: $(cat "$dir/err")"
}

arguments_keep_their_blanks() {
	says 'arguments: 2 <two words>'
}

a_folder_is_taken_along() {
	says 'a file came in'
}

a_program_is_taken_along_with_its_libraries() {
	says 'keyferry-vreader [0-9.]*'
}

modules_are_loaded_with_their_parameters() {
	says 'controllers: 2'
}

there_are_ordinary_users() {
	says 'as 1000'
}

the_script_plugs_and_unplugs_a_device() {
	says plugged
	says unplugged
}

what_qemu_refuses_is_an_error() {
	says refused
}

a_run_out_of_time_is_ended() {
	printf '#!/bin/sh\nsleep 600\n' >"$dir/sleeps"
	ended=0
	"$vm" run --timeout 2 --script "$dir/sleeps" 2>"$dir/late" || ended=$?
	[ "$ended" = 124 ] || fail "$ended: $(cat "$dir/late")"
	grep -q 'not done after 2 s' "$dir/late"
}

a_guest_that_dies_is_reported_with_its_console() {
	ended=0
	"$vm" run --append rdinit=/nothing --log "$dir/console" --script "$dir/inside" \
		2>"$dir/died" || ended=$?
	[ "$ended" = 125 ] || fail "$ended: $(cat "$dir/died")"
	grep -q 'Kernel panic' "$dir/console"
}

# with_kvm SAYS WANTED: which accelerators QEMU is asked for where a kernel on KVM SAYS that on its console: in the
# first run there is the question, and the second one knows.
with_kvm() {
	rm -rf "$dir/kvm"
	mkdir -p "$dir/kvm/bin" "$dir/kvm/cache"
	ln -s "$("$vm" cache)"/kernel-* "$dir/kvm/cache/"
	cat >"$dir/kvm/bin/qemu-system-x86_64" <<-END
		#!/bin/sh
		for word; do
			case \$word in
			file:*) console=\${word#file:} ;;
			*accel=*) echo "\${word#*accel=}" >>"$dir/kvm/asked" ;;
			esac
		done
		[ -z "\${console:-}" ] || echo "$1" >"\$console"
	END
	chmod 755 "$dir/kvm/bin/qemu-system-x86_64"
	for _ in first second; do
		PATH=$dir/kvm/bin:$PATH KF_VM_ACCEL='' KF_VM_KVM=$dir/kvm/bin KF_VM_CACHE=$dir/kvm/cache \
			"$vm" run --script "$dir/inside" 2>"$dir/kvm/err" || [ $? = 125 ] || fail "$(cat "$dir/kvm/err")"
	done
	tr '\n' ' ' <"$dir/kvm/asked" >"$dir/kvm/was"
	[ "$(cat "$dir/kvm/was")" = "$2 " ] || fail "$(cat "$dir/kvm/was")"
}

kvm_is_used_where_a_kernel_comes_up_on_it() {
	with_kvm '[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)' \
		'kvm kvm:tcg kvm:tcg'
}

a_kvm_on_which_no_kernel_gets_anywhere_is_left_alone() {
	with_kvm 'Probing EDD (edd=off to disable)... ok' 'kvm tcg tcg'
}

plan 12
t the_exit_status_of_the_script_comes_back
t arguments_keep_their_blanks
t a_folder_is_taken_along
t a_program_is_taken_along_with_its_libraries
t modules_are_loaded_with_their_parameters
t there_are_ordinary_users
t the_script_plugs_and_unplugs_a_device
t what_qemu_refuses_is_an_error
t a_run_out_of_time_is_ended
t a_guest_that_dies_is_reported_with_its_console
t kvm_is_used_where_a_kernel_comes_up_on_it
t a_kvm_on_which_no_kernel_gets_anywhere_is_left_alone
finish
