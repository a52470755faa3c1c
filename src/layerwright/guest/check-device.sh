#!/bin/sh
# check-device: whether programs in this container can compute on its devices.
# Of images built by layerwright (https://github.com/layerwright/layerwright), Apache-2.0.
#
#   check-device [--quick] [--json]
#
#   --quick   only what takes no memory of a device: the driver's tool, its library, the devices
#   --json    one JSON object
#
# Exit status: 0 good; 1 something failed; 2 usage; 3 nothing failed, and nothing showed that a device computes.
# Needs a POSIX shell with the small programs that go with one (coreutils and sed, or BusyBox). Leaves nothing behind.
set -u
umask 077
# shellcheck disable=SC3045 # most shells have it
ulimit -c 0 2>/dev/null || : # a program that crashes leaves no core behind

accelerator=mthreads # the image's; written here when the program is installed
quick=
json=
for word; do
  case $word in
    --quick) quick=1 ;;
    --json) json=1 ;;
    -h | --help)
      sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *)
      echo "check-device: there is no option '$word'; it takes --quick and --json" >&2
      exit 2
      ;;
  esac
done

objects="" text="" failed=0 known=0 computed=0 work="" runs="" gmi="" tool_failed=""
uid=$(while read -r key first rest; do [ "$key" != Uid: ] || echo "${first%%[!0-9]*}"; done </proc/self/status)

# plain TEXT: one line of printable ASCII, since what a broken driver prints may be anything.
plain() {
  printf '%s' "$1" | tr '\n\t' '  ' | tr -cd '\040-\176' | cut -c1-300
}

# last TEXT: its last line that says something.
last() {
  printf '%s\n' "$1" | tr -cd '\n\040-\176' | sed -n '/[^ ]/h; ${ g; p; }' | cut -c1-300
}

quoted() {
  printf '"%s"' "$(plain "$1" | sed 's/[\\"]/\\&/g')"
}

# say ID STATUS DETAIL [CURE]: the outcome of one check; STATUS is ok, failed or skipped.
say() {
  known=$((known + 1))
  [ "$2" != failed ] || failed=$((failed + 1))
  objects=$objects${objects:+,}$(printf '{"id":%s,"status":"%s","detail":%s,"fix":%s}' \
    "$(quoted "$1")" "$2" "$(quoted "$3")" "$(quoted "${4:-}")")
  text=$text$(printf '  %-8s %-10s %s' "$2" "$1" "$(plain "$3")")'
'
  [ -z "${4:-}" ] || text=$text$(printf '  %-8s %-10s cure: %s' '' '' "$(plain "$4")")'
'
}

has() {
  command -v "$1" >/dev/null 2>&1
}

for needed in cat chmod cut mkdir rm sed tr; do
  if ! has "$needed"; then
    echo "check-device: this image has no $needed, and nothing can be judged without it" >&2
    exit 3
  fi
done

# limited SECONDS COMMAND...: its output in $out, its status in $status; 124 when it takes longer.
limited() {
  seconds=$1
  shift
  status=0
  # What the shell itself says of a program that was ended by a signal is not the program's.
  if has timeout; then
    out=$({ timeout -k 5 "$seconds" "$@" 2>&1 </dev/null; } 2>/dev/null) || status=$?
  else
    out=$({ "$@" 2>&1 </dev/null; } 2>/dev/null) || status=$?
  fi
}

# ended STATUS: how a program ended that did not end well. A status above 128 is a signal's: 134 is a core dump.
ended() {
  case $1 in
    124) echo "gave no answer within $seconds s" ;;
    126) echo "cannot be started (status 126)" ;;
    *)
      name=
      [ "$1" -le 128 ] || name=$(kill -l "$1" 2>/dev/null) || name=
      case $name in
        '' | *[!A-Z0-9]*) echo "ended with status $1" ;;
        *) echo "was ended by the signal SIG${name#SIG} (status $1)" ;;
      esac
      ;;
  esac
}

# in_path NAME PATH: the first file of this name, whether it can be started or not, in $file; empty without one.
in_path() {
  file=
  rest=$2:
  while [ -n "$rest" ]; do
    folder=${rest%%:*}
    rest=${rest#*:}
    if [ -n "$folder" ] && { [ -e "$folder/$1" ] || [ -L "$folder/$1" ]; }; then
      file=$folder/$1
      return
    fi
  done
}

# whole FILE: what is wrong with a file that the container's runtime puts in, in $wrong; empty when nothing is.
whole() {
  wrong=
  if [ ! -e "$1" ]; then
    wrong="$1 is a link to what is not there"
  elif [ ! -s "$1" ]; then
    wrong="$1 is empty (0 bytes)"
  fi
}

case $accelerator in
  nvidia)
    tool=nvidia-smi
    library=libcuda.so.1
    variable=NVIDIA_VISIBLE_DEVICES
    visible=${NVIDIA_VISIBLE_DEVICES:-}
    start="start it with GPUs: layerwright run --gpus all, or docker run --gpus all"
    ;;
  *)
    tool=mthreads-gmi
    library=libsrv_um_MUSA.so
    variable=MTHREADS_VISIBLE_DEVICES
    visible=${MTHREADS_VISIBLE_DEVICES:-}
    start="start it with GPUs: layerwright run --gpus all --engine docker, or docker run --runtime=mthreads \
-e MTHREADS_VISIBLE_DEVICES=all"
    ;;
esac
hook="the container's runtime puts it in and did not: $start; on the host: layerwright doctor --for $accelerator"
driver="on the host: layerwright doctor --for $accelerator tells what the driver lacks"

check_tool() {
  in_path "$tool" "$PATH"
  if [ -z "$file" ]; then
    say tool failed "there is no $tool in this container" "$hook"
    return
  fi
  whole "$file"
  if [ -n "$wrong" ]; then
    # A shell starts an empty file as a script that ends well: only its size tells.
    say tool failed "$wrong" "$hook"
    return
  fi
  if [ ! -x "$file" ]; then
    say tool failed "uid $uid may not start $file" "$driver"
    return
  fi
  limited 30 "$file"
  gmi=$out
  case $status:$out in
    0:*) ;;
    *"file too short"*)
      say tool failed "$tool finds a library that is empty: $(last "$out")" "$hook"
      return
      ;;
    *"cannot open shared object"*)
      say tool failed "$tool lacks a library: $(last "$out")" "$hook"
      return
      ;;
    *)
      said=$(last "$out")
      say tool failed "$tool $(ended "$status")${said:+: $said}" "$driver"
      return
      ;;
  esac
  version=$(printf '%s\n' "$out" | sed -n 's/.*Driver Version *: *\([^ |]*\).*/\1/p' | sed -n 1p)
  case $version in
    '')
      if [ -z "$(plain "$out" | tr -d ' ')" ]; then
        say tool failed "$tool prints nothing: it may not open the devices, or there are none" \
          "start it with the groups of the devices (layerwright run does; docker run --group-add NUMBER)"
      else
        say tool failed "$tool names no driver version; it says: $(last "$out")" "$driver"
      fi
      ;;
    N/A) say tool failed "$tool says that the driver's version is N/A: the driver is not loaded" "$driver" ;;
    *) say tool ok "$tool answers: driver $version" ;;
  esac
}

check_library() {
  machine=x86_64-linux-gnu
  [ -d /usr/lib/x86_64-linux-gnu ] || machine=aarch64-linux-gnu
  in_path "$library" "${LD_LIBRARY_PATH:-}:/usr/lib/$machine/musa:/usr/lib/$machine:/lib/$machine:/usr/lib64\
:/usr/lib/musa:/usr/lib:/usr/local/lib"
  if [ -z "$file" ]; then
    say library skipped "$library is not where libraries usually are; the programs below tell whether it is found"
    return
  fi
  whole "$file"
  if [ -n "$wrong" ]; then
    say library failed "$wrong" "$hook"
  elif [ ! -r "$file" ]; then
    say library failed "uid $uid may not read $file" "$driver"
  else
    say library ok "$file"
  fi
}

check_devices() {
  closed=
  nodes=
  for node in /dev/mtgpu* /dev/nvidia[0-9]*; do
    case $accelerator:$node in
      mthreads:/dev/mtgpu* | nvidia:/dev/nvidia*) ;;
      *) continue ;;
    esac
    [ -e "$node" ] || continue
    nodes="$nodes $node"
    { [ -r "$node" ] && [ -w "$node" ]; } || closed="$closed $node"
  done
  if [ -n "$closed" ]; then
    group=$(stat -c %g "${closed##* }" 2>/dev/null) || group=
    say devices failed "uid $uid may not open$closed${group:+ (group $group)}" \
      "start it with the group of the devices: layerwright run does; docker run --group-add ${group:-NUMBER}"
    return
  fi
  if [ -n "$tool_failed" ]; then
    say devices skipped "only $tool knows which there are"
    return
  fi
  if [ "$accelerator" = nvidia ]; then
    limited 30 "$tool" -L
    names=$(printf '%s\n' "$out" | sed -n 's/^ *GPU [0-9]*: *\([^(]*[^ (]\) *(.*/\1/p')
  else
    names=$(printf '%s\n' "$gmi" | sed -n 's/^ *[0-9][0-9]* \{1,\}\([^|]*[^ |]\) *|.*|.*/\1/p')
    if [ -z "$names" ]; then
      limited 30 "$tool" -q
      names=$(printf '%s\n' "$out" | sed -n 's/^ *Product Name *: *\(.*[^ ]\) *$/\1/p')
    fi
  fi
  if [ -z "$names" ]; then
    said="$variable is $visible"
    [ -n "$visible" ] || said="$variable is not set"
    say devices failed "$tool lists no device ($said)" "$start"
  else
    count=$(printf '%s\n' "$names" | sed -n '$=')
    say devices ok "$count: $(printf '%s\n' "$names" | sed '$!s/$/,/')${nodes:+;$nodes}"
  fi
}

# Makes a folder in $work; $runs is set when programs can be started from there.
make_work() {
  first=
  for folder in "${TMPDIR:-/tmp}" /tmp /var/tmp /dev/shm "${HOME:-/}" .; do
    made=$folder/check-device.$$
    mkdir "$made" 2>/dev/null || continue
    if (printf '#!/bin/sh\nexit 0\n' >"$made/try" && chmod 700 "$made/try" && "$made/try") 2>/dev/null; then
      [ -z "$first" ] || rm -rf "$first"
      work=$(cd "$made" && pwd)
      runs=1
      return
    fi
    # On tmpfs as Docker mounts it nothing can be started; to compile there will do.
    if [ -z "$first" ] && [ -f "$made/try" ]; then first=$(cd "$made" && pwd); else rm -rf "$made"; fi
  done
  work=$first
}

find_python() {
  python=
  for candidate in "${VIRTUAL_ENV:-/opt/venv}/bin/python" python python3; do
    if has "$candidate"; then
      python=$candidate
      return
    fi
  done
}

check_compiler() {
  musa=${MUSA_HOME:-/usr/local/musa}
  in_path mcc "$PATH:$musa/bin"
  if [ -z "$file" ]; then
    say compiler skipped "this image has no mcc"
    return
  fi
  compiler=$file
  whole "$compiler"
  if [ -n "$wrong" ]; then
    say compiler failed "$wrong" "install the MUSA toolkit again when the image is built"
    return
  fi
  make_work
  if [ -z "$work" ]; then
    say compiler skipped "no folder can be written, so nothing can be compiled" "docker run --tmpfs /tmp:exec"
    return
  fi
  if [ -z "$runs" ] && [ -z "$python" ]; then
    say compiler skipped "no folder can be written from which a program can be started" "docker run --tmpfs /tmp:exec"
    return
  fi
  write_axpy >"$work/axpy.mu"
  cd "$work" || return
  TMPDIR=$work
  export TMPDIR
  limited 180 "$compiler" axpy.mu -o axpy -I"$musa/include" -L"$musa/lib" -lmusart
  cd /
  if [ "$status" != 0 ]; then
    said=$(last "$out")
    say compiler failed "mcc $(ended "$status")${said:+: $said}" "the toolkit in the image is not whole: build it again"
    return
  fi
  if [ ! -s "$work/axpy" ]; then
    say compiler failed "mcc ended well and made no program" "the toolkit in the image is not whole: build it again"
    return
  fi
  LD_LIBRARY_PATH=$musa/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LD_LIBRARY_PATH
  if [ -n "$runs" ]; then
    chmod 700 "$work/axpy"
    limited 60 "$work/axpy"
  else
    limited 60 "$python" -c 'import os, sys
program = os.memfd_create("axpy", 0)
with open(sys.argv[1], "rb") as made:
    os.write(program, made.read())
os.execv("/proc/self/fd/%d" % program, ["axpy"])' "$work/axpy"
  fi
  said=$(last "$out")
  fits="the toolkit and the host's driver must be of releases that go together: layerwright check --host FILE"
  if [ "$status" != 0 ]; then
    say compiler failed "the program that mcc made $(ended "$status")${said:+: $said}" "$fits"
  elif [ "$said" != "axpy: 2 4 6 8" ]; then
    say compiler failed "the program that mcc made computes wrong: '$said' in place of 'axpy: 2 4 6 8'" "$fits"
  else
    computed=1
    say compiler ok "mcc compiles, and the program computes right on a device"
  fi
}

# Vector addition as in Moore Threads' guide to mcc, with four numbers.
write_axpy() {
  cat <<'END'
#include <cstdio>
#include <musa_runtime.h>

__global__ void axpy(float a, const float *x, float *y) { y[threadIdx.x] += a * x[threadIdx.x]; }

static int failed(musaError_t error, const char *what) {
  if (error == musaSuccess) return 0;
  std::printf("%s: %s\n", what, musaGetErrorString(error));
  return 1;
}

int main() {
  float host[4] = {1, 2, 3, 4}, *x = nullptr, *y = nullptr;
  if (failed(musaMalloc((void **)&x, sizeof host), "musaMalloc")) return 1;
  if (failed(musaMalloc((void **)&y, sizeof host), "musaMalloc")) return 1;
  if (failed(musaMemcpy(x, host, sizeof host, musaMemcpyHostToDevice), "musaMemcpy to the device")) return 1;
  if (failed(musaMemset(y, 0, sizeof host), "musaMemset")) return 1;
  axpy<<<1, 4>>>(2, x, y);
  if (failed(musaGetLastError(), "the start of the kernel")) return 1;
  if (failed(musaDeviceSynchronize(), "the kernel")) return 1;
  if (failed(musaMemcpy(host, y, sizeof host, musaMemcpyDeviceToHost), "musaMemcpy from the device")) return 1;
  if (failed(musaFree(x), "musaFree") || failed(musaFree(y), "musaFree")) return 1;
  std::printf("axpy: %g %g %g %g\n", host[0], host[1], host[2], host[3]);
  return host[0] == 2 && host[1] == 4 && host[2] == 6 && host[3] == 8 ? 0 : 1;
}
END
}

# check_module ID MODULE PROGRAM: a Python module computes, where it is installed.
check_module() {
  if [ -z "$python" ]; then
    say "$1" skipped "this image has no Python"
    return
  fi
  limited 60 "$python" -B -c "import importlib.util as u, sys; sys.exit(0 if u.find_spec('$2') else 9)"
  if [ "$status" = 9 ]; then
    say "$1" skipped "$2 is not installed"
    return
  fi
  if [ "$status" = 0 ]; then limited 180 "$python" -B -c "$3"; fi
  said=$(last "$out")
  if [ "$status" != 0 ]; then
    say "$1" failed "$2 $(ended "$status")${said:+: $said}" "layerwright check and verify tell what does not fit"
  else
    case $said in
      'computed: '*)
        computed=1
        say "$1" ok "${said#computed: }"
        ;;
      'idle: '*) say "$1" skipped "${said#idle: }" ;;
      *) say "$1" failed "$2 ended without a result; it says: $said" "layerwright verify tells what does not fit" ;;
    esac
  fi
}

# torch DEVICE EXTENSION: a program that computes with it.
torch() {
  cat <<END
import torch
$2
seen = torch.$1.device_count()
if not seen:
    raise SystemExit("torch sees no device")
numbers = torch.arange(1.0, 5.0).to("$1")
result = (numbers + numbers).cpu().tolist()
if result != [2.0, 4.0, 6.0, 8.0]:
    raise SystemExit("torch computes wrong: %r" % (result,))
print("computed: torch %s sees %d and computes right" % (torch.__version__, seen))
END
}

runtime() {
  cat <<'END'
import ctypes, glob, os
import onnxruntime
if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
    print("idle: onnxruntime %s is built without CUDA" % onnxruntime.__version__)
else:
    # Loading it shows what a session would hide by falling back to the CPU.
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    folder = os.path.join(os.path.dirname(onnxruntime.__file__), "capi")
    ctypes.CDLL(os.path.join(folder, "libonnxruntime_providers_shared.so"), ctypes.RTLD_GLOBAL)
    ctypes.CDLL(os.path.join(folder, "libonnxruntime_providers_cuda.so"))
    print("idle: the CUDA provider of onnxruntime %s loads; no model was run" % onnxruntime.__version__)
END
}

trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# A folder of the caller's may hold a torch of its own, and Python looks there first.
here=$PWD
cd /
check_tool
[ "$failed" = 0 ] || tool_failed=1
check_library
check_devices
if [ -z "$quick" ]; then
  find_python
  if [ "$accelerator" = nvidia ]; then
    check_module torch torch "$(torch cuda '')"
    check_module onnxruntime onnxruntime "$(runtime)"
  else
    cd "$here" 2>/dev/null || :
    check_compiler
    cd /
    check_module torch torch_musa "$(torch musa 'import torch_musa')"
  fi
fi

if [ "$failed" != 0 ]; then
  verdict=failed code=1
  sentence="failed: $failed of $known checks"
elif [ -n "$quick" ]; then
  verdict=good code=0
  sentence="good: the devices answer; whether they compute is not tried with --quick"
elif [ "$computed" = 0 ]; then
  verdict=unknown code=3
  sentence="unknown: nothing failed, and nothing in this image could show that a device computes"
else
  verdict=good code=0
  sentence="good"
fi
if [ -n "$json" ]; then
  printf '{"schema":1,"accelerator":"%s","verdict":"%s","checks":[%s]}\n' "$accelerator" "$verdict" "$objects"
else
  printf '%s%s\n' "$text" "$sentence"
fi
exit "$code"
