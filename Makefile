# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is built stands in the Kbuild of each folder; how it is built stands in scripts/.
#
#   make                programs, libraries and test programs, in build/
#   make progs | tests  only the one or the other
#   make check          build and run every test
#   make fuzz           libFuzzer targets (clang), in $(O)/fuzz
#   make bench          build and run the benchmarks
#   make lint           clang-tidy, shellcheck and the rules of this tree
#   make man            man pages (scdoc)
#   make install        DESTDIR= PREFIX=
#   make compile_commands.json
#   make clean
#
#   O=dir     build there             V=1       show commands
#   SAN=1     ASan and UBSan          CC=clang  another compiler
#   ARGS=...  handed to the test runner (make check ARGS='-v slot')

VERSION := 0.1.0
CONFIG_CARD_KEYFERRY := y

all:

include scripts/Makefile.flags
include scripts/Kbuild.include
include scripts/Makefile.build
include scripts/Makefile.targets
