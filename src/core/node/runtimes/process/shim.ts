/**
 * The way from the agent to a running container, in four constant shell texts. Values reach them as arguments, open
 * files and lines of a file, never as part of the text.
 *
 *   agent ── outer: makes two FIFOs, enters the sandbox's namespaces, becomes
 *            shim: stays outside, is the container's parent, keeps its exit code in a file even when the agent is dead;
 *            an agent that is killed meanwhile does not stop it, and its successor finds what came of it (unfinished.ts)
 *            ├── init: process 1 of the container. Gives up being root *before* the container's files are in sight,
 *            │         then waits; when told, reads what to run and becomes it
 *            └── assemble: real root, puts the container's root together in init's mount namespace, ends
 *
 * Why two: a volume may be mounted over /usr/lib or /etc/ld.so.preload. So no program may be executed as the host's root
 * once volumes are mounted: `assemble` ends with the one `mount` that mounts them, and init is by then an
 * ordinary user of the host whose root privileges count in a user namespace that owns nothing.
 *
 * The shim's children are born in the new PID namespace (`unshare --pid` without --fork), the first of them is its
 * process 1, and when that ends the shim can fork no more: from then on it uses builtins only.
 */

/** Arguments: folder of the attempt; then the command to become. */
export const outer = `
mkfifo -m 600 "$1/ready" "$1/go" || exit 1
shift
exec "$@"
`;

/**
 * Arguments: folder, uid map, gid map, texts of init, park and assemble, standard input; then the command
 * that drops privileges. Says `started <stat line>` or `failed <why>` on standard output.
 */
export const shim = `
dir=$1 uids=$2 gids=$3 init=$4 park=$5 assemble=$6 stdin=$7
shift 7
fail() { kill -KILL "$pid"; printf 'failed %s\\n' "$1"; exit 1; }
exec 3<>"$dir/ready" 4<>"$dir/go" || exit 1
unshare --mount --propagation private unshare --user --keep-caps sh -c "$init" init "$park" "$@" \\
  0<>"$stdin" 1>>"$dir/stdout" 2>>"$dir/stderr" 5>&3 6<&4 3>&- 4<"$dir/program" &
pid=$!
trap '' PIPE # nobody may be listening any more; the container, forked before, keeps the signal
read -r step <&3
[ "$step" = entered ] || fail 'its namespaces could not be made'
printf '%s\\n' "$uids" >"/proc/$pid/uid_map" || fail 'its user ids could not be mapped'
printf '%s\\n' "$gids" >"/proc/$pid/gid_map" || fail 'its group ids could not be mapped'
while IFS= read -r procs; do
  echo "$pid" >"$procs" || fail 'it could not be put under its limits'
done <"$dir/cgroups"
echo go >&4
read -r step <&3
[ "$step" = parked ] || fail 'it could not give up its privileges'
nsenter "--mount=/proc/$pid/ns/mnt" sh -c "$assemble" assemble "$dir" </dev/null >"$dir/assembled" 2>&1 ||
  fail 'its files could not be mounted'
read -r stat <"/proc/$pid/stat" || fail 'it ended while it was started'
printf '%s\\n' "$stat" >"$dir/pid" || fail 'its process id could not be kept'
echo go >&4
exec 3>&- 4>&-
printf 'started %s\\n' "$stat"
exec >/dev/null 2>&1
wait "$pid"
code=$?
printf '%s\\n' "$code" >"$dir/exit"
`;

/** Process 1 in its new, still unmapped user namespace. Arguments: the text of park; what park needs. */
export const init = `
park=$1
shift
echo entered >&5
read -r step <&6
setpriv --reuid 0 --regid 0 --clear-groups true || { echo failed >&5; exit 1; }
exec setpriv --reuid 0 --regid 0 --clear-groups sh -c "$park" park "$@"
`;

/** The same where the host's root is out of reach anyway: its one id is mapped by now. */
export const initShared = `
park=$1
shift
echo entered >&5
read -r step <&6
exec sh -c "$park" park "$@"
`;

/**
 * Root of nothing but its own user namespace. Forbids further user namespaces (the largest attack surface that an
 * ordinary user has), waits for its files, reads what to run. Arguments: the command to put before it.
 */
export const park = `
umask 022
unset LC_ALL SHELL
echo 0 >/proc/sys/user/max_user_namespaces
echo parked >&5
read -r step <&6 && [ "$step" = go ] || exit 1
exec 5>&- 6<&-
${readProgram()}exec "$@"
`;

/** Inside a running container (see exec.ts). Arguments: the command to put before it. */
export const enter = `
umask 022
unset LC_ALL SHELL
${readProgram()}exec "$@"
`;

/**
 * Real root, in init's mount namespace. Argument: folder of the attempt. A part of a volume is mounted first and judged
 * then: whatever links its containers put in the way, and when, the kernel says which folder it has become (fields 3 and
 * 4 of mountinfo: file system, and root of the mount in it), and that must lie in the volume's.
 */
export const assemble = `
set -e
rootOf() {
  found=
  while read -r id parent device root point rest; do
    [ "$point" != "$1" ] || found="$device \${root%/}"
  done </proc/self/mountinfo
}
mount -i -a -T "$1/fstab"
cd "$1/root"
pivot_root . .gatehouse/old
umount -l /.gatehouse/old
cd /
while IFS= read -r file; do
  mkdir -p "\${file%/*}/"
  [ -e "$file" ] || : >"$file"
done <.gatehouse/files
if [ -s .gatehouse/parts ]; then
  mount -i -a -T /.gatehouse/parts
  for part in /.gatehouse/part/*; do
    rootOf "/.gatehouse/src/\${part##*/}"
    volume=$found
    rootOf "$part"
    [ -n "$volume" ] || exit 1
    case $found in
      "$volume"/*) ;;
      *) exit 1 ;;
    esac
  done
fi
[ ! -s .gatehouse/fstab ] || exec mount -i -a -T /.gatehouse/fstab
`;

/**
 * The shim where nothing can be kept apart (bare.ts): the container is a session of its own and dies with the shim.
 * Arguments: folder, standard input; then the command to become. Says what `shim` says.
 */
export const bareShim = `
dir=$1 stdin=$2
shift 2
"$@" 0<>"$stdin" 1>>"$dir/stdout" 2>>"$dir/stderr" 4<"$dir/program" &
pid=$!
trap '' PIPE
read -r stat <"/proc/$pid/stat" || { printf 'failed %s\\n' 'it ended while it was started'; exit 1; }
printf '%s\\n' "$stat" >"$dir/pid" || { kill -KILL "$pid"; printf 'failed %s\\n' 'its process id could not be kept'; exit 1; }
printf 'started %s\\n' "$stat"
exec >/dev/null 2>&1
wait "$pid"
code=$?
printf '%s\\n' "$code" >"$dir/exit"
`;

/** Before entering a container: counts this process for it. Arguments: cgroup files, --, the command to become. */
export const join = `
while [ "$1" != -- ]; do
  echo "$$" >"$1" || exit 1
  shift
done
shift
exec "$@"
`;

/** Appends the A lines of file 4 to the arguments, exports its E lines, goes to the folder of its D line. */
function readProgram(): string {
  return `while IFS= read -r line <&4; do
  case $line in
    *\\\\*) line=$(printf '%b_' "$line"); line=\${line%_} ;;
  esac
  case $line in
    A*) set -- "$@" "\${line#A}" ;;
    E*) export "\${line#E}" ;;
    D*) cd "\${line#D}" || exit 128 ;;
  esac
done
exec 4<&-
unset line step park OLDPWD PWD
`;
}

/** Names that a shell gives a meaning of its own, or that it could not export. */
const shellName =
  /^(?:IFS|OPT(?:ARG|IND|ERR)|PS\d|PWD|OLDPWD|SHLVL|_|PPID|LINENO|E?UID|GROUPS|RANDOM|SECONDS|ENV|MAIL.*|HOSTNAME|DIRSTACK|FUNCNAME|PIPESTATUS|SHELLOPTS|BASH.*|line|step|park)$/;

/**
 * What to run, as file 4 is read: one line each, with backslash and newline escaped. Environment names that a shell
 * cannot hold go through env(1), the others stay out of every argument list, which anybody may read.
 */
export function programFile(
  command: readonly string[],
  env: readonly { readonly name: string; readonly value: string }[],
  workingDir: string,
): string {
  const exported = env.filter(({ name }) => /^[A-Za-z_]\w*$/.test(name) && !shellName.test(name));
  const others = env.filter((variable) => !exported.includes(variable)).map(({ name, value }) => `${name}=${value}`);
  const words = others.length === 0 ? command : ['/usr/bin/env', ...others, ...command];
  const lines = [
    `D${workingDir}`,
    ...exported.map(({ name, value }) => `E${name}=${value}`),
    ...words.map((word) => `A${word}`),
  ];
  return lines.map((line) => `${line.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`).join('');
}
