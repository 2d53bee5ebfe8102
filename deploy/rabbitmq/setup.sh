#!/bin/sh
# Prepares RabbitMQ for ffleet, and gives accounts their rights. On one node, as root:
#
#   setup.sh                        virtual host, exchange, policy; deletes the account `guest`; may be repeated
#   setup.sh coordinator NAME       an account for coordinators: publishes, and hears everything
#   setup.sh worker ACCOUNT         hears queue.* and worker.ACCOUNT.*
#   setup.sh client ACCOUNT         hears job.ACCOUNT.*
#   setup.sh remove NAME
#
# ACCOUNT is the account's name in ffleet. The password is read from standard input, one line. An account that is there
# already gets the new password and these rights.
#
# Who listens declares a queue ffleet.ACCOUNT.SOMETHING of its own (exclusive, auto-delete, SOMETHING without dots) and binds
# it to the exchange `ffleet.nudges`. In a topic, a dot that is part of a name is written as a colon: a dot begins the next word,
# and worker.a.b.c would be somebody else's as well. How a right is checked:
#
#   declaring a queue      configure, on the queue's name
#   binding it             write on the queue's name, read on the exchange, and read on the topic
#   consuming from it      read on the queue's name
#   publishing             write on the exchange, and write on the topic
set -eu

ctl=${RABBITMQCTL:-rabbitmqctl}
here=$(dirname "$0")
# Matches nothing, not even an empty name. (An empty pattern would match the default exchange.)
nothing='^(?!)'

run() {
    "$ctl" --quiet "$@"
}

# Dots are part of names, and any character in a pattern.
quoted() {
    printf '%s' "$1" | sed 's/[.]/\\./g'
}

# Name, kind, and who: the rights on names (configure, write, read) and on topics (write, read).
allow() {
    account=$1
    IFS= read -r password || [ -n "$password" ] || { echo "setup.sh: no password on standard input" >&2; exit 2; }
    # By standard input, because others can see the arguments of a running program.
    printf '%s\n' "$password" | run add_user "$account" >/dev/null 2>&1 ||
        printf '%s\n' "$password" | run change_password "$account" >/dev/null
    run set_permissions --vhost ffleet "$account" "$2" "$3" "$4"
    run set_topic_permissions --vhost ffleet "$account" ffleet.nudges "$5" "$6"
    # One connection and one channel are enough; some more for programs that run several times.
    run set_user_limits "$account" "{\"max-connections\": $7, \"max-channels\": $7}"
    echo "account $account may connect"
}

kind=${1:-}
name=${2:-}
case $kind in
    coordinator | worker | client | remove)
        printf '%s' "$name" | grep -Eqx '[A-Za-z0-9][A-Za-z0-9._-]{0,63}' || { echo "setup.sh: '$name' is no account name" >&2; exit 2; }
        ;;
esac
me=$(quoted "$name")
topic=$(printf '%s' "$name" | tr . :)
# Without a dot in its last part, because an account may be called `a.b`, and its queues are not those of `a`.
own="ffleet\\.$me\\.[^.]+"
# One word, or `*` for one word; never `#`, which stands for any number.
word='[^.#]+'

case $kind in
    '')
        # By standard input, because Debian's rabbitmqctl becomes another user, who may not read it here.
        run import_definitions <"$here/definitions.json"
        run delete_user guest >/dev/null 2>&1 || true
        echo "virtual host ffleet, exchange ffleet.nudges"
        ;;
    coordinator)
        allow "$name" "^(ffleet\\.nudges|$own)\$" "^(ffleet\\.nudges|$own)\$" "^(ffleet\\.nudges|$own)\$" '.*' '.*' 100
        ;;
    worker)
        allow "$name" "^$own\$" "^$own\$" "^(ffleet\\.nudges|$own)\$" "$nothing" "^(queue\\.$word|worker\\.$topic\\.$word)\$" 1000
        ;;
    client)
        allow "$name" "^$own\$" "^$own\$" "^(ffleet\\.nudges|$own)\$" "$nothing" "^job\\.$topic\\.$word\$" 1000
        ;;
    remove)
        run delete_user "$name"
        ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
