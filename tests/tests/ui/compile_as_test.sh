#!/bin/sh
# Stands before rustc: trybuild compiles its cases as programs, in which there are no tests.
case "$*" in
*"--crate-name trybuild"*) exec "$@" --test ;;
*) exec "$@" ;;
esac
