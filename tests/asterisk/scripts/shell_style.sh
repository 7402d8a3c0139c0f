#!/bin/sh
# Habits of shell scripts: read until blank, echo, read the reply; the last command's reply is not read.
seen=""
id=""
while read -r line; do
    seen="$seen$line
"
    case "$line" in "agi_uniqueid: "*) id="${line#agi_uniqueid: }" ;; esac
    [ -z "$line" ] && break
done
ask() {
    echo "$1"
    read -r reply
    seen="$seen$reply
"
}
ask "VERBOSE \"from sh\" 1"
ask "GET VARIABLE SH_UNSET"
ask "GET VARIABLE \"CHANNEL(state)\""
case "$reply" in *"("*")"*) value="${reply#*(}"; value="${value%)*}" ;; *) value="" ;; esac
ask "SET VARIABLE SH_STATE \"$value\""
ask "exec noop \"lower case\""
ask ""
ask "SET VARIABLE SH_ARGS \"$#:$1:$2\""
printf '%s' "$seen" > "$AST_SPOOL_DIR/tmp/seen-$id"
echo "a complaint" >&2
printf 'SET VARIABLE SH_LAST unread'
