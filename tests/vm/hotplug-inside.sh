#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The part of hotplug.sh that runs inside the virtual machine, as root: plugs and unplugs QEMU's own
# reader, and says "yes NAME" or "no NAME: why" for each thing that was to be seen.
# shellcheck source=scripts/vm-lib
. /vm/lib

socket=/tmp/kf/b.sock
kd=

start() {
	# shellcheck disable=SC2086 # a command or nothing
	${1:-} keyferryd --socket $socket --usb --grant 0:look,admin 2>>/tmp/said &
	kd=$!
	vm_wait 60 keyferry --socket $socket reader list
}

stop() {
	kill $kd
	wait $kd
}

readers() {
	keyferry --socket $socket reader list | sed 1d
}

# How many there are.
count_is() {
	[ "$(readers | wc -l)" = "$1" ]
}

# is NAME STATE...
is() {
	is_name=$1
	shift
	readers | grep -q "^$is_name  *$* *$"
}

yes() {
	echo "yes $1"
}

no() {
	echo "no $*: $(readers) -- $(tail -n 3 /tmp/said)" | tr '\n' ' '
	echo
}

# see NAME SECONDS COMMAND...: what is seen in time.
see() {
	seen=$1
	shift
	if vm_wait "$@"; then yes "$seen"; else no "$seen" "$*"; fi
}

plug() {
	vm_qmp device_add "{ \"driver\": \"usb-ccid\", \"id\": \"r$1\", \"bus\": \"usb.0\", \"port\": \"$1\" }" \
		>/dev/null
}

is_unplugged() {
	[ ! -e "/sys/bus/usb/devices/1-$1" ]
}

unplug() {
	vm_qmp device_del "{ \"id\": \"r$1\" }" >/dev/null
	vm_wait 60 is_unplugged "$1"
}

# Pids of the processes whose command line fits, its words run together as read leaves them.
pids() {
	for p in /proc/[0-9]*; do
		line=
		IFS= read -r line <"$p/cmdline"
		# shellcheck disable=SC2254 # it is a pattern
		case $line in
		$1) echo "${p#/proc/}" ;;
		esac
	done 2>/dev/null
}

driver='*/keyferry-driver--link-fd*'
broker='*/keyferry-broker--listen-fd*'
monitor='keyferryd--socket*'

driver_of() {
	pids "$driver@1-$1:*" | head -n 1
}

drivers_are() {
	[ "$(pids "$driver" | wc -l)" = "$1" ]
}

driver_is_not() {
	[ -n "$(driver_of "$1")" ] && [ "$(driver_of "$1")" != "$2" ]
}

fds() {
	find "/proc/$kd/fd" -type l | wc -l
}

resident() {
	sed -n 's/RssAnon:[^0-9]*\([0-9]*\).*/\1/p' /proc/$kd/status
}

sleeps() {
	for p in $kd $(pids "$broker"); do
		grep ^voluntary "/proc/$p/status"
	done
}

node_of() {
	printf '/dev/bus/usb/%03d/%03d' "$(cat "/sys/bus/usb/devices/1-$1/busnum")" \
		"$(cat "/sys/bus/usb/devices/1-$1/devnum")"
}

mkdir -p /tmp/kf
chmod 777 /tmp/kf
reader1='QEMU-USB-CCID-1-0000-00-..\.[0-9]-1@1-1:1\.0'
reader2='QEMU-USB-CCID-1-0000-00-..\.[0-9]-2@1-2:1\.0'

# --- what is there at the start, comes, goes and comes again

plug 1
vm_wait 60 test -e /sys/bus/usb/devices/1-1:1.0
start
see a_reader_that_is_there_at_the_start_is_served 60 is "$reader1" empty
keyferry --socket $socket status | sed 's/^/status: /'
name=$(readers | cut -d' ' -f1)
unplug 1
see one_that_is_unplugged_is_gone 60 count_is 0
plug 1
see it_has_its_name_again_after_a_replug 60 is "$name" empty
plug 2
see a_second_of_its_kind_is_another_reader 60 is "$reader2" empty
is "$name" empty || no a_second_of_its_kind_is_another_reader
unplug 2
vm_wait 60 count_is 1

# --- drivers that end

old=$(driver_of 1)
kill -9 "$old"
see a_killed_driver_is_followed_by_another 60 driver_is_not 1 "$old"
see and_it_serves_the_reader 60 is "$name" empty

# --- other programs, and other devices

holder "$(node_of 1)" 0 </dev/null >/tmp/held
if grep -qi 'busy' /tmp/held && is "$name" empty; then
	yes nobody_takes_a_reader_from_us
else
	no nobody_takes_a_reader_from_us "$(cat /tmp/held)"
fi
vm_qmp device_add '{ "driver": "usb-kbd", "id": "k1", "bus": "usb.0", "port": "3" }' >/dev/null
vm_wait 60 test -e /sys/bus/usb/devices/1-3:1.0/driver
sleep 1
keyboard=$(readlink /sys/bus/usb/devices/1-3:1.0/driver)
if [ "${keyboard##*/}" = usbhid ] && count_is 1; then
	yes a_keyboard_keeps_its_driver
else
	no a_keyboard_keeps_its_driver "$keyboard"
fi
stop
mkfifo /tmp/hold
holder "$(node_of 1)" 0 </tmp/hold >/tmp/held &
holder=$!
exec 8>/tmp/hold
vm_wait 60 grep -q claimed /tmp/held
start
see a_reader_another_program_holds_is_busy_elsewhere 60 is "$name" busy elsewhere
[ -z "$(driver_of 1)" ] || no a_reader_another_program_holds_is_busy_elsewhere "has a driver"
kill $holder
exec 8>&-
see and_ours_when_it_is_let_go 60 is "$name" empty

# --- idle

sleep 3
before=$(sleeps)
sleep 5
if [ "$before" = "$(sleeps)" ]; then
	yes nobody_wakes_up_while_nothing_happens
else
	no nobody_wakes_up_while_nothing_happens "$before" "$(sleeps)"
	dmesg | tail -n 4 | sed "s/^/said: /"
fi

# --- as often as was asked for

n_fds=$(fds) i=0 from=$(cut -d. -f1 /proc/uptime)
while [ $i -lt "$1" ]; do
	[ $i != 10 ] || kib=$(resident)		# what the first ones touched stays
	unplug 1
	plug 1
	vm_wait 60 test -e /sys/bus/usb/devices/1-1:1.0 || no many_cycles_leave_nothing_behind "plug $i"
	i=$((i + 1))
done
echo "status: $1 cycles in $(($(cut -d. -f1 /proc/uptime) - from)) s"
vm_wait 90 is "$name" empty
vm_wait 60 drivers_are 1
sleep 1
echo "status: $n_fds to $(fds) descriptors, $kib to $(resident) KiB"
if is "$name" empty && [ "$n_fds" = "$(fds)" ] && [ $(($(resident) - kib)) -lt 128 ]; then
	yes many_cycles_leave_nothing_behind
else
	no many_cycles_leave_nothing_behind
fi
stop

# --- as an ordinary user, whose node comes late

rm -rf /tmp/kf
mkdir /tmp/kf
chown 1000 /tmp/kf
cat >/tmp/as-alice <<'END'
#!/bin/sh
exec su alice -c "exec $*"
END
chmod 755 /tmp/as-alice
chmod 600 "$(node_of 1)"
chmod 666 /tmp/said
start /tmp/as-alice
see a_node_that_is_not_ours_is_no_access 60 is "$name" no access
grep -q 'is not ours to open; the udev rule' /tmp/said || no a_node_that_is_not_ours_is_no_access said
chown 1000 "$(node_of 1)"
echo add >/sys/bus/usb/devices/1-1/uevent
see and_is_served_once_it_is 60 is "$name" empty
roots=
ours="$(pids "$monitor") $(pids "$broker") $(pids "$driver")"
for p in $ours; do
	[ "$(stat -c %u "/proc/$p")" = 1000 ] || roots="$roots $(cat "/proc/$p/comm")"
done
# shellcheck disable=SC2086 # words
if [ "$(echo $ours | wc -w)" = 3 ] && [ -z "$roots" ]; then yes no_process_of_ours_is_root; else no no_process_of_ours_is_root "$ours" "$roots"; fi
kill "$(pids "$monitor")"
sed 's/^/said: /' /tmp/said
