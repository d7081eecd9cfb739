package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v6/neo4j"
	"github.com/neo4j/neo4j-go-driver/v6/neo4j/auth"
)

// errNoToken says that there is no token to log in with, for the moment.
var errNoToken = errors.New("no token")

// tokenFile logs a driver in with the token that the operator keeps in a mounted file.
//
// It needs the path of the file, below a volume that is mounted as a folder, and reads
// it anew after that time, or at the expiry. It refuses to hand over a token that has
// expired: whoever asked is told, and asks again later.
func tokenFile(path string, reread time.Duration) auth.TokenManager {
	var last int64
	// The manager calls this from one goroutine at a time.
	read := func(context.Context) (neo4j.AuthToken, *time.Time, error) {
		// Opened anew each time: the kubelet puts another file in its place.
		content, err := os.ReadFile(path)
		if err != nil {
			return neo4j.AuthToken{}, nil, fmt.Errorf("%w: %w", errNoToken, err)
		}
		token := strings.TrimSpace(string(content))
		expires, err := expiry(token)
		if err != nil {
			return neo4j.AuthToken{}, nil, err
		}
		if !time.Unix(expires, 0).After(time.Now()) {
			return neo4j.AuthToken{}, nil, fmt.Errorf("%w: the one in %s has expired", errNoToken, path)
		}
		if expires != last {
			fmt.Printf("token expires=%d\n", expires)
			last = expires
		}
		// Sooner than it has to be: so new groups count within a minute. Connections log
		// in anew only when the token is another.
		due := time.Now().Add(reread)
		if end := time.Unix(expires, 0); end.Before(due) {
			due = end
		}
		return neo4j.BearerAuth(token), &due, nil
	}
	return auth.BearerTokenManager(read)
}

// expiry is the claim exp; Neo4j checks the signature, not this.
func expiry(token string) (int64, error) {
	var claims struct {
		Exp int64 `json:"exp"`
	}
	// Errors are told without their cause, which would show a part of the token.
	notJWT := fmt.Errorf("%w: it is not a JWT with an expiry", errNoToken)
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0, notJWT
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Exp == 0 {
		return 0, notJWT
	}
	return claims.Exp, nil
}
