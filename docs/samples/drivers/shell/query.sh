#!/bin/sh
# Runs each line of standard input as a Cypher statement over Neo4j's Query API.
#
# Needs curl, NEO4J_URI (http or https) and NEO4J_TOKEN_FILE. Refuses to put the token
# into arguments, which every process may read, and to end for want of one: it says
# `retry` and tries again. Explicit transactions are not for it: there the Query API
# holds on to the token that opened them.
set -u

database=${NEO4J_DATABASE:-neo4j}

# The claim `exp`, or nothing; Neo4j checks the signature, not this.
expiry() {
    payload=$(printf %s "$1" | cut -s -d . -f 2 | tr '_-' '/+')
    case $((${#payload} % 4)) in
    2) payload="$payload==" ;;
    3) payload="$payload=" ;;
    esac
    printf %s "$payload" | base64 -d 2>/dev/null | sed -n 's/.*"exp": *\([0-9][0-9]*\).*/\1/p'
}

# The token, read anew each time: the kubelet puts another file in its place.
token() {
    token=$(cat "$NEO4J_TOKEN_FILE" 2>/dev/null) || {
        echo "retry: there is no token in $NEO4J_TOKEN_FILE"
        return 1
    }
    expires=$(expiry "$token")
    if [ -z "$expires" ]; then
        echo 'retry: the token is not a JWT with an expiry'
        return 1
    fi
    if [ "$expires" -le "$(date +%s)" ]; then
        echo "retry: the token in $NEO4J_TOKEN_FILE has expired"
        return 1
    fi
    if [ "$expires" != "$last" ]; then
        echo "token expires=$expires"
        last=$expires
    fi
}

# Sends one statement; the status is on the last line, after the body.
send() {
    statement=$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')
    # printf is no program of its own, so nothing of this shows among processes.
    printf 'header = "Authorization: Bearer %s"\n' "$token" |
        curl --silent --max-time 60 --config - \
            --header 'Content-Type: application/json' \
            --data-binary "{\"statement\": \"$statement\"}" \
            --write-out '\n%{http_code}' \
            "$NEO4J_URI/db/$database/query/v2"
}

last=
while IFS= read -r line; do
    while :; do
        if token; then
            answer=$(send "$line")
            status=${answer##*
}
            body=${answer%
*}
            case $status in
            202)
                printf 'row %s\nok\n' "$body"
                break
                ;;
            # Expired for the server, or away for the moment.
            401 | 000 | 503) echo "retry: $status $body" ;;
            *)
                echo "failed: $status $body"
                break
                ;;
            esac
        fi
        sleep 1
    done
done
