#!/bin/sh
# Prints the Python that the environment is made with: $PYTHON if given, else the newest of 3.13, 3.12, 3.11 (3.13 is
# what Glue's Spark runs), else any python3 that is new enough. Each candidate is run, not just looked up: a
# version manager's shim can be on PATH and still have nothing behind it.
usable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python3.14}; do
    if "$candidate" -c "$usable" >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
    seen="$seen $candidate ($("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo "does not run"));"
done

cat >&2 <<MESSAGE
set-up: no usable Python found. Needed: Python 3.11 or newer, with its modules venv and ensurepip.
  looked at:$seen
  On Debian or Ubuntu:  apt-get install python3 python3-venv
  Elsewhere:            install Python 3.11, 3.12 or 3.13, or say where it is:  make setup PYTHON=/path/to/python3
MESSAGE
exit 1
