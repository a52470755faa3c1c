#!/bin/sh
# layerwright: runs tests, keeps what they print, and judges how they ended.
#
#   run-tests LOG JUNIT COUNT NAME... COMMAND...
#
# LOG    file that keeps the output, with the verdict at its end
# JUNIT  file that the tests write, from which failures are read; empty: they are read from LOG
# COUNT  how many NAMEs follow: tests that may fail
#
# Ends with 0 when every failing test is among the names, else with 1. Failing tests are read from what pytest sums up,
# from unittest's FAIL: and ERROR: lines, or from JUNIT. Never passed: an end by a signal or a time limit, a run that was
# cut short or crashed, one that failed without saying which tests, one that ran none. Needs sh, awk and tee, no Python.

set -u
umask 022

log=$1 junit=$2 count=$3
shift 3
newline='
'
LAYERWRIGHT_ALLOWED=
while [ "$count" -gt 0 ]; do
  LAYERWRIGHT_ALLOWED=$LAYERWRIGHT_ALLOWED$1$newline
  shift
  count=$((count - 1))
done
export LAYERWRIGHT_ALLOWED

for program in awk tee; do
  if ! command -v "$program" >/dev/null 2>&1; then
    echo "layerwright: tests cannot be judged in this image: it has no $program" >&2
    exit 1
  fi
done
for file in "$log" "$junit"; do
  case $file in
  */*) mkdir -p -- "${file%/*}/" && rm -f -- "$file" || exit 1 ;;
  esac
done

# The output goes to the log and on; the status comes back beside it.
exec 4>&1
status=$(
  { { LAYERWRIGHT_ALLOWED='' "$@" 2>&1 </dev/null 3>&- 4>&-; echo "$?" >&3; } | tee -- "$log" >&4; } 3>&1
)
exec 4>&-

# What the log says, a fact a line.
read_log() {
  LC_ALL=C awk '
    { gsub(/\033\[[0-9;]*[A-Za-z]/, ""); sub(/\r$/, "") }

    /^=+ short test summary info =+$/ { summary = 1; next }
    summary && /^(FAILED|ERROR) / { named++; print "name\t" pytest_name($0); next }
    /^(=+ )?(no tests ran|[0-9]+ [a-z]+).* in [0-9.]+s( \([^)]*\))?( =+)?$/ {
      summary = 0
      counted += number($0, "[0-9]+ failed") + number($0, "[0-9]+ error")
      print (/no tests ran/ ? "empty" : "ran")
      next
    }
    /^!!!+ .* !!!+$/ { print "halted\t" $0; next }
    /^INTERNALERROR>/ && !internal { internal = 1; print "crash\t" $0; next }

    ruled && /^(FAIL|ERROR|UNEXPECTED SUCCESS): / { named++; print "name\t" unittest_name($0) }
    { ruled = /^==========+$/ }
    /^Ran [0-9]+ tests? in / { print ($2 == 0 ? "empty" : "ran"); next }
    /^FAILED \([a-z ]+=[0-9]+/ {
      counted += number($0, "failures=[0-9]+") + number($0, "errors=[0-9]+") + number($0, "unexpected successes=[0-9]+")
      next
    }

    /^Fatal Python error: / || /(^|: *[0-9]* )(Segmentation fault|Aborted|Bus error|Illegal instruction|Killed)( |$)/ {
      print "crash\t" $0
    }

    END { print "counted\t" counted + 0; print "named\t" named + 0 }

    function number(line, pattern,    found) {
      if (!match(line, pattern)) return 0
      found = substr(line, RSTART, RLENGTH)
      gsub(/[^0-9]/, "", found)
      return found + 0
    }

    # "FAILED tests/a.py::test_x[a - b] - message": a name may have anything in its brackets.
    function pytest_name(line,    bracket, dash, end) {
      sub(/^[A-Z]+ /, "", line)
      bracket = index(line, "[")
      dash = index(line, " - ")
      if (!dash) return line
      if (bracket && bracket < dash) {
        end = index(line, "] - ")
        if (end) return substr(line, 1, end)
        if (line ~ /\]$/) return line
      }
      return substr(line, 1, dash - 1)
    }

    # "FAIL: test_x (module.Class.test_x)"; before Python 3.11 the brackets hold only "module.Class".
    function unittest_name(line,    method, place) {
      sub(/^[A-Z ]+: /, "", line)
      method = line
      sub(/ .*/, "", method)
      if (!match(line, /\([^)]*\)/)) return method
      place = substr(line, RSTART + 1, RLENGTH - 2)
      if (substr(place, length(place) - length(method)) == "." method) return place
      return place "." method
    }
  ' "$log"
}

# What the JUnit file says, a fact a line.
read_junit() {
  LC_ALL=C awk '
    BEGIN { RS = "<" }
    hidden == "" && substr($0, 1, 8) == "![CDATA[" { hidden = "]]>" }
    hidden == "" && substr($0, 1, 3) == "!--" { hidden = "-->" }
    hidden != "" { if (index($0, hidden)) hidden = ""; next }
    /^testcase[ \t\r\n\/>]/ {
      cases++
      place = attribute($0, "classname")
      name = attribute($0, "name")
      name = place == "" ? name : place "." name
      open = !($0 ~ /\/>[ \t\r\n]*$/)
      next
    }
    /^(failure|error)[ \t\r\n\/>]/ && open { open = 0; print "name\t" name; next }
    /^\/testcase/ { open = 0 }
    /^\/testsuites?[ \t\r\n]*>/ { complete = 1 }
    /^testsuites?[ \t\r\n\/>]/ { complete = ($0 ~ /\/>[ \t\r\n]*$/) }
    END { if (complete) print "complete"; print "cases\t" cases + 0 }

    function attribute(tag, wanted,    found, value) {
      while (match(tag, /[ \t\r\n][A-Za-z_:][A-Za-z0-9_.:-]*[ \t\r\n]*=[ \t\r\n]*("[^"]*"|'\''[^'\'']*'\'')/)) {
        found = substr(tag, RSTART + 1, RLENGTH - 1)
        tag = substr(tag, RSTART + RLENGTH)
        value = found
        sub(/[ \t\r\n]*=.*/, "", found)
        if (found != wanted) continue
        sub(/^[^=]*=[ \t\r\n]*/, "", value)
        value = substr(value, 2, length(value) - 2)
        gsub(/&quot;/, "\"", value)
        gsub(/&apos;/, "'\''", value)
        gsub(/&lt;/, "<", value)
        gsub(/&gt;/, ">", value)
        gsub(/&amp;/, "\\&", value)
        return value
      }
      return ""
    }
  ' "$junit"
}

# The verdict, for people and for the build that reads it.
judge() {
  LC_ALL=C awk -v status="$status" '
    BEGIN {
      FS = "\t"
      junit = ENVIRON["LAYERWRIGHT_JUNIT"]
      allowances = split(ENVIRON["LAYERWRIGHT_ALLOWED"], allowed, "\n") - 1
    }
    $1 == "file" { reading = $2; next }
    $1 == "name" && (junit == "" || reading == "junit") { add(substr($0, 6)); next }
    $1 == "counted" { counted = $2 }
    $1 == "named" { named = $2 }
    $1 == "crash" && crash == "" { crash = substr($0, 7) }
    $1 == "halted" && halted == "" { halted = substr($0, 8) }
    $1 == "empty" { empty = 1 }
    $1 == "ran" { ran = 1 }
    $1 == "complete" { complete = 1 }
    $1 == "cases" { cases = $2 }

    END {
      print "--- layerwright: verdict ---"
      print "status: " status
      for (place = 1; place <= failures; place++) {
        if (allows(failed[place])) print "allowed: " failed[place]
        else { refused++; print "failed: " failed[place] }
      }
      for (place = 1; place <= allowances; place++)
        if (!(place in used)) print "unused: " allowed[place]
      reason = fault()
      if (reason != "") { print "verdict: failed: " reason; exit 1 }
      if (failures) print "verdict: passed, with " tests(failures) " that may fail"
      else print "verdict: passed"
    }

    function fault() {
      if (refused) return tests(refused) " failed and may not"
      if (junit != "" && !complete) return "there is no whole JUnit file " junit
      if (junit != "" && !cases) return "the JUnit file " junit " has no test"
      if (junit == "" && counted != named) return "tests that failed are " counted ", and named are " named
      if (status == 0) return empty && !ran ? "no test ran" : ""
      if (status == 124) return "they were ended by a time limit"
      if (status > 128) return "they were ended by signal " status - 128
      if (status >= 125) return "they could not be started (status " status ")"
      if (crash != "") return "a part of them crashed: " crash
      if (halted != "") return "they did not run to their end: " halted
      if (!failures) return "they ended with status " status " and do not say which tests failed"
      return ""
    }

    function add(name) {
      if (name in seen) return
      seen[name] = 1
      failed[++failures] = name
    }

    function tests(number) { return number (number == 1 ? " test" : " tests") }

    function allows(name,    place, found) {
      for (place = 1; place <= allowances; place++)
        if (means(allowed[place], name)) { used[place] = 1; found = 1 }
      return found
    }

    # An entry means a test by all of its name or by the end of it; without brackets, with any parameters.
    function means(entry, name,    long, short) {
      if (!index(entry, "[")) sub(/\[.*/, "", name)
      long = dotted(name)
      short = dotted(entry)
      if (long == short) return 1
      return length(long) > length(short) && substr(long, length(long) - length(short)) == "." short
    }

    # "tests/test_a.py::TestB::test_x" as "tests.test_a.TestB.test_x", which is how JUnit files have it.
    function dotted(name,    bracket, parameters) {
      bracket = index(name, "[")
      if (bracket) { parameters = substr(name, bracket); name = substr(name, 1, bracket - 1) }
      gsub(/::/, ".", name)
      gsub(/\//, ".", name)
      sub(/\.py\./, ".", name)
      return name parameters
    }
  '
}

LAYERWRIGHT_JUNIT=$junit
export LAYERWRIGHT_JUNIT
facts=$(
  printf 'file\tlog\n'
  read_log
  if [ -n "$junit" ] && [ -f "$junit" ]; then
    printf 'file\tjunit\n'
    read_junit
  fi
)
verdict=$(printf '%s\n' "$facts" | judge)
good=$?
printf '%s\n' "$verdict"
printf '%s\n' "$verdict" >>"$log" || good=1
chmod 0644 "$log" || good=1
if [ -n "$junit" ] && [ -f "$junit" ]; then chmod 0644 "$junit" || good=1; fi
exit "$good"
