// Command sample runs each line of standard input as a Cypher statement, and stays
// logged in.
//
// `:begin` and `:commit` put an explicit transaction around statements. It needs
// NEO4J_URI and NEO4J_TOKEN_FILE. It refuses to end for want of a token: it says `retry`
// and tries again.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v6/neo4j"
	"github.com/neo4j/neo4j-go-driver/v6/neo4j/config"
)

// retryTime is how long the driver tries again by itself; then we are told.
const retryTime = 5 * time.Second

func main() {
	reread, err := strconv.Atoi(os.Getenv("NEO4J_TOKEN_REREAD"))
	if err != nil {
		reread = 60
	}
	manager := tokenFile(os.Getenv("NEO4J_TOKEN_FILE"), time.Duration(reread)*time.Second)
	driver, err := neo4j.NewDriver(os.Getenv("NEO4J_URI"), manager, func(c *config.Config) {
		c.MaxTransactionRetryTime = retryTime
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer driver.Close(ctx)

	shell := shell{driver: driver}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := shell.run(ctx, strings.TrimSpace(lines.Text())); err != nil {
			// Of a transaction nothing is left: only its author can begin again.
			shell.close(ctx)
			fmt.Println("failed:", reason(err))
		} else {
			fmt.Println("ok")
		}
	}
}

type shell struct {
	driver      neo4j.Driver
	session     neo4j.Session
	transaction neo4j.ExplicitTransaction
}

func (s *shell) close(ctx context.Context) {
	if s.session != nil {
		_ = s.session.Close(ctx)
	}
	s.session, s.transaction = nil, nil
}

func (s *shell) run(ctx context.Context, statement string) error {
	switch {
	case statement == ":begin":
		s.session = s.driver.NewSession(ctx, neo4j.SessionConfig{})
		return patiently(func() (err error) {
			s.transaction, err = s.session.BeginTransaction(ctx)
			return err
		})
	case statement == ":commit":
		if err := s.transaction.Commit(ctx); err != nil {
			return err
		}
		s.close(ctx)
		return nil
	case s.transaction != nil:
		result, err := s.transaction.Run(ctx, statement, nil)
		if err != nil {
			return err
		}
		records, err := result.Collect(ctx)
		show(records)
		return err
	default:
		return patiently(func() error {
			result, err := neo4j.ExecuteQuery(ctx, s.driver, statement, nil, neo4j.EagerResultTransformer)
			if err == nil {
				show(result.Records)
			}
			return err
		})
	}
}

func show(records []*neo4j.Record) {
	for _, record := range records {
		fmt.Println(append([]any{"row"}, record.Values...)...)
	}
}

// last is the error that the driver met last, if it gave up after several.
func last(err error) error {
	var limit *neo4j.TransactionExecutionLimit
	if errors.As(err, &limit) && len(limit.Errors) > 0 {
		return limit.Errors[len(limit.Errors)-1]
	}
	return err
}

// patiently does work, again and again while the server does not let us in.
func patiently(work func() error) error {
	for {
		err := last(work())
		if err == nil || !passing(err) {
			return err
		}
		fmt.Println("retry:", reason(err))
		time.Sleep(time.Second)
	}
}

func passing(err error) bool {
	var refused *neo4j.Neo4jError
	if errors.As(err, &refused) {
		// What the roles do not allow is not mended by another login.
		return strings.HasPrefix(refused.Code, "Neo.ClientError.Security.") &&
			!strings.HasSuffix(refused.Code, ".Forbidden")
	}
	return errors.Is(err, errNoToken) || neo4j.IsConnectivityError(err)
}

func reason(err error) string {
	var refused *neo4j.Neo4jError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return err.Error()
}
