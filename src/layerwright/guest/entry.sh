#!/bin/sh
# The entry program of images built by layerwright (https://github.com/layerwright/layerwright), Apache-2.0.
#
# Starts the program that follows as the person whose ids are given, with a HOME that exists and can be written:
#   docker run -e USER_ID=$(id -u) -e GROUP_ID=$(id -g) IMAGE ARGS
#   docker run --user $(id -u):$(id -g) IMAGE ARGS
# With neither it changes nothing but what is missing. It never touches a mount, may start again in the same container,
# needs a POSIX shell and one program that changes ids, and prints nothing unless it refuses.
set -eu

refuse() {
  echo "layerwright entry: $1" >&2
  exit 125
}

# number NAME VALUE: refuses what is no id. (uid_t)-1 means "no change" to the kernel.
number() {
  case $2 in
    '' | *[!0-9]* | ???????????*) refuse "$1 is '$2', which is no number; give \$(id -u) and \$(id -g)" ;;
  esac
  [ "$2" -le 4294967294 ] || refuse "$1 is $2, which is more than any id"
}

writable() {
  [ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ]
}

# account FILE ID FIELD: a field of the entry with this id in the third field; empty without one.
account() {
  found=
  while IFS=: read -r name _ id rest; do
    if [ "$id" = "$2" ]; then
      case $3 in
        name) found=$name ;;
        home) rest=${rest#*:} && rest=${rest#*:} && found=${rest%%:*} ;;
      esac
      break
    fi
  done <"$1"
  printf '%s' "$found"
}

# taken FILE NAME: whether there is an entry of this name.
taken() {
  while IFS=: read -r name _; do
    [ "$name" != "$2" ] || return 0
  done <"$1"
  return 1
}

# free FILE NAME ID: the name, or one made of the id when somebody else has it.
free() {
  if taken "$1" "$2"; then printf '%s%s' "$2" "$3"; else printf '%s' "$2"; fi
}

# more_groups ID...: those that the container was started with (docker run --group-add), joined by commas.
more_groups() {
  groups=
  for group; do
    [ "$group" = 0 ] || [ "$group" = "$GROUP_ID" ] || groups=$groups${groups:+,}$group
  done
}

# Entries for the person in /etc/passwd and /etc/group; they are a help to programs, so that a read-only root is none.
write_accounts() {
  [ -e /etc/passwd ] && [ -w /etc/passwd ] && [ -e /etc/group ] && [ -w /etc/group ] || return 0
  name=$(account /etc/passwd "$USER_ID" name)
  if [ -z "$name" ]; then
    name=$(free /etc/passwd user "$USER_ID")
    echo "$name:x:$USER_ID:$GROUP_ID:$name:$home:/bin/sh" >>/etc/passwd
  elif [ "$(account /etc/passwd "$USER_ID" home)" != "$home" ]; then
    # The image's account of this uid keeps its name; its home is the person's, whatever asks for it.
    lines=$(
      while IFS= read -r line; do
        case $line in
          *:*:"$USER_ID":*) echo "$name:x:$USER_ID:$GROUP_ID:$name:$home:${line##*:}" ;;
          *) echo "$line" ;;
        esac
      done </etc/passwd
    )
    echo "$lines" >/etc/passwd
  fi
  rest=$GROUP_ID,$groups
  while [ -n "${rest%,}" ]; do
    group=${rest%%,*}
    rest=${rest#"$group"}
    rest=${rest#,}
    if [ -z "$(account /etc/group "$group" name)" ]; then
      echo "$(free /etc/group usergroup "$group"):x:$group:" >>/etc/group
    fi
  done
}

# quote WORD: adds it to $command as one word of the shell.
quote() {
  left=$1
  command="$command '"
  while :; do
    case $left in
      *\'*) command=$command${left%%\'*}\'\\\'\' && left=${left#*\'} ;;
      *) break ;;
    esac
  done
  command="$command$left'"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# as_person: starts this program again with the person's ids; comes back only when nothing can do it.
as_person() {
  export LAYERWRIGHT_ENTERED=1
  if has setpriv && setpriv --reuid="$USER_ID" --regid="$GROUP_ID" --clear-groups true 2>/dev/null; then
    if [ -n "$groups" ]; then set -- --groups="$groups" -- "$@"; else set -- --clear-groups -- "$@"; fi
    exec setpriv --reuid="$USER_ID" --regid="$GROUP_ID" "$@"
  fi
  # GNU coreutils; "/" as the root changes nothing but the ids.
  if has chroot && chroot --userspec="$USER_ID:$GROUP_ID" --groups="$groups" / true 2>/dev/null; then
    # chroot starts in /, so the working folder is given along.
    LAYERWRIGHT_FOLDER=$PWD
    export LAYERWRIGHT_FOLDER
    exec chroot --userspec="$USER_ID:$GROUP_ID" --groups="$groups" / "$@"
  fi
  for tool in gosu su-exec; do
    if [ -z "$groups" ] && has "$tool"; then
      exec "$tool" "$USER_ID:$GROUP_ID" "$@"
    fi
  done
  for tool in python3 python; do
    if has "$tool"; then
      exec "$tool" -I -S -c 'import os, sys
uid, gid, groups = sys.argv[1:4]
os.setgroups([int(group) for group in groups.split(",") if group])
os.setgid(int(gid))
os.setuid(int(uid))
os.execvp(sys.argv[4], sys.argv[4:])' "$USER_ID" "$GROUP_ID" "$groups" "$@"
    fi
  done
  # BusyBox: takes an account's name, and the groups of /etc/group.
  name=$(account /etc/passwd "$USER_ID" name)
  if [ -z "$groups" ] && [ -n "$name" ] && has su; then
    # Its arguments would be taken for options, wherever they stand.
    command='exec'
    for word; do quote "$word"; done
    exec su -m -s /bin/sh "$name" -c "$command"
  fi
  refuse "this image has no setpriv, chroot (coreutils), gosu, su-exec, python or su that could take these ids"
}

uid=
while read -r key first rest; do
  case $key in
    Uid:) uid=${first%%[!0-9]*} ;;
    Groups:) started_with="$first $rest" ;;
  esac
done </proc/self/status
if [ -n "${LAYERWRIGHT_FOLDER:-}" ]; then
  cd "$LAYERWRIGHT_FOLDER"
  unset LAYERWRIGHT_FOLDER
fi

if [ -z "${LAYERWRIGHT_ENTERED:-}" ] && [ -n "${USER_ID+set}${GROUP_ID+set}" ]; then
  [ -n "${USER_ID+set}" ] || refuse "GROUP_ID is set and USER_ID is not; give both, or neither"
  [ -n "${GROUP_ID+set}" ] || refuse "USER_ID is set and GROUP_ID is not; give both, or neither"
  number USER_ID "$USER_ID"
  number GROUP_ID "$GROUP_ID"
  if [ "$uid" != 0 ]; then
    [ "$uid" = "$USER_ID" ] || refuse "the container runs as uid $uid, which cannot become USER_ID $USER_ID"
  elif [ "$USER_ID" != 0 ]; then
    home=/home/user
    # shellcheck disable=SC2086 # numbers
    more_groups $started_with
    # Made once, for this person. What is there already, a mount perhaps, stays as it is.
    mkdir -p /home 2>/dev/null || :
    if mkdir -m 700 "$home" 2>/dev/null; then chown "$USER_ID:$GROUP_ID" "$home"; fi
    write_accounts
    HOME=$home
    export HOME
    as_person "$0" "$@"
  fi
fi
unset LAYERWRIGHT_ENTERED

# HOME last: whoever changed ids may have set it to the account's.
if [ "$uid" != 0 ] && ! { [ "${HOME:-/}" != / ] && writable "$HOME"; }; then
  HOME=/home/user
  if ! writable "$HOME" || ! [ -O "$HOME" ]; then
    HOME=${TMPDIR:-/tmp}/home-$uid
    mkdir -m 700 "$HOME" 2>/dev/null || :
    { writable "$HOME" && [ -O "$HOME" ]; } || refuse "no HOME can be made for uid $uid: mount a folder at /home/user"
  fi
fi
: "${HOME:=/root}"
export HOME
if [ -z "${USER:-}" ] && [ -r /etc/passwd ]; then
  USER=$(account /etc/passwd "$uid" name)
  : "${USER:=user$uid}"
  LOGNAME=$USER
  export USER LOGNAME
fi

# Folders that the image declares as caches: NAME=FOLDER pairs, the folder below HOME/.cache.
for pair in ${LAYERWRIGHT_WRITABLE:-}; do
  name=${pair%%=*}
  eval "folder=\${$name:-}"
  if [ -z "$folder" ] || ! { writable "$folder" || mkdir -p "$folder" 2>/dev/null; }; then
    folder=$HOME/.cache/${pair#*=}
    mkdir -p "$folder" || refuse "cannot make $folder for $name"
    export "$name=$folder"
  fi
done

if [ "$#" = 0 ] || { [ "$#" = 1 ] && { [ "$1" = python ] || [ "$1" = python3 ]; }; }; then
  # Nothing says what to run: a shell, as whoever this is.
  if has bash; then set -- bash; else set -- /bin/sh; fi
fi
exec "$@"
